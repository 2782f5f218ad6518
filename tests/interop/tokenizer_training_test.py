"""`gladius tokenizer train` against the BpeTrainer of the tokenizers package."""

import json

import pytest
import transformers
from helpers import check_fails, gladius_json
from tokenizer_texts import random_unicode
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

SPACE = "\u2581"
LETTERS = {
    # Few letters: many pairs are equally frequent, overlap, and come about in two ways.
    "two letters": "ab", "runs": "aaab", "letters": "abcdefgh", "accents": "aäéßñ€日本😀",
    "marks": "ab.,-_=0123456789'\"\\",
}


def random_texts(rng, letters, count=40):
    """Texts of random words, some of them many times, with white space of several kinds."""
    words = ["".join(rng.choices(letters, k=rng.randint(1, 9)))
             for _ in range(rng.randint(3, 60))]
    spaces = rng.choice([[" "], [" ", "  ", "\n", "\t"]])
    return ["".join(rng.choice(words) + rng.choice(spaces) for _ in range(rng.randint(1, 30)))
            for _ in range(count)]


def write_lines(file, texts):
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


def train(tmp_path, files, kind, vocab_size, *options):
    out = tmp_path / "out"
    summary = gladius_json("tokenizer", "train", "--data", *files, "--vocab-size", vocab_size,
                           "--kind", kind, "--out", out, *options)
    model = json.loads((out / "tokenizer.json").read_text())["model"]
    assert summary["vocab_size"] == len(model["vocab"])
    assert summary["merges"] == len(model["merges"])
    return out, model


def reference(kind, texts, vocab_size, special=(), files=None, **options):
    """The package's trainer with the kind's words, special tokens and alphabet."""
    if kind == "llama":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
        tokenizer.normalizer = normalizers.Sequence([
            normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
        tokenizer.pre_tokenizer = pre_tokenizers.Split(SPACE, "merged_with_next")
        options.setdefault("special_tokens", ["<unk>", "<s>", "</s>"]
                           + [f"<0x{byte:02X}>" for byte in range(256)] + list(special))
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        options.setdefault("special_tokens", ["<|endoftext|>", *special])
        options.setdefault("initial_alphabet", pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, **options)
    if files:
        tokenizer.train([str(file) for file in files], trainer)
    else:
        tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())["model"]


def assert_same(ours, theirs):
    assert [tuple(merge.split(" ")) for merge in ours["merges"]] == [
        tuple(merge) for merge in theirs["merges"]]
    assert ours["vocab"] == theirs["vocab"]


@pytest.mark.parametrize("letters", LETTERS)
@pytest.mark.parametrize("kind", ["llama", "byte-level"])
def test_same_merges_on_random_corpora(kind, letters, tmp_path, rng):
    for case in range(4):
        texts = random_texts(rng, LETTERS[letters])
        base = len(reference(kind, texts, 1)["vocab"])
        for extra in (0, 1, 7, 40, 1000):
            where = tmp_path / f"{case}-{extra}"
            where.mkdir()
            minimum = rng.choice([0, 1, 2, 5])
            _, model = train(where, [write_lines(where / "data.jsonl", texts)], kind, base + extra,
                             "--min-frequency", minimum)
            assert_same(model, reference(kind, texts, base + extra, min_frequency=minimum))


@pytest.mark.parametrize("kind", ["llama", "byte-level"])
def test_lines_of_text_files_are_texts(kind, tmp_path, rng):
    """As the package's train() takes files: each line with its end."""
    texts = random_texts(rng, LETTERS["letters"])
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for file, part in zip(files, (texts[:20], texts[20:])):
        file.write_text("\n".join(part))
    size = len(reference(kind, None, 1, files=files)["vocab"]) + 50
    _, model = train(tmp_path, [tmp_path / "*.txt"], kind, size)
    assert_same(model, reference(kind, None, size, files=files))


@pytest.mark.parametrize("kind", ["llama", "byte-level"])
def test_contents_of_messages_are_texts(kind, tmp_path, rng):
    texts = random_texts(rng, LETTERS["letters"])
    lines = [{"messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b}]}
             for a, b in zip(texts[::2], texts[1::2])]
    data = tmp_path / "chat.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    size = len(reference(kind, texts, 1)["vocab"]) + 50
    _, model = train(tmp_path, [data], kind, size)
    assert_same(model, reference(kind, texts, size))


@pytest.mark.parametrize("kind", ["llama", "byte-level"])
def test_special_tokens_come_first_in_their_order(kind, tmp_path, rng):
    special = ["<|im_start|>", "<|im_end|>", "z"]
    texts = random_texts(rng, "xyz")
    size = len(reference(kind, texts, 1, special)["vocab"]) + 20
    options = [option for token in special for option in ("--special-token", token)]
    out, model = train(tmp_path, [write_lines(tmp_path / "data.jsonl", texts)], kind, size,
                       *options, "--eos-token", "<|im_end|>")
    assert_same(model, reference(kind, texts, size, special))
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    assert tokenizer.eos_token == "<|im_end|>"
    # What stands for bytes in Llama's has the ids that it has there.
    if kind == "llama":
        assert [model["vocab"][f"<0x{byte:02X}>"] for byte in range(256)] == list(range(3, 259))


def test_the_most_frequent_characters_are_kept(tmp_path, rng):
    # 20 letters, each more frequent than the one before: no two are equally frequent.
    texts = ["".join(chr(97 + i) * (i + 1 + rng.randint(0, 1) // 2) for i in range(20))]
    texts += ["".join(rng.choices("qrst", k=8)) for _ in range(30)]
    size = 259 + 12 + 20
    _, model = train(tmp_path, [write_lines(tmp_path / "data.jsonl", texts)], "llama", size,
                     "--limit-alphabet", 12)
    theirs = reference("llama", texts, size, limit_alphabet=12, initial_alphabet=[SPACE])
    assert_same(model, theirs)


def test_an_expression_in_the_place_of_the_kinds_own(tmp_path, rng):
    """The written tokenizer says itself how its texts were cut."""
    texts = ["".join(rng.choices("ab12 ", k=30)) for _ in range(40)]
    size = 257 + 60
    out, model = train(tmp_path, [write_lines(tmp_path / "data.jsonl", texts)], "byte-level", size,
                       "--split", r"\p{N}| ?\p{L}+")
    written = Tokenizer.from_file(str(out / "tokenizer.json"))
    written.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    assert_same(model, json.loads(written.to_str())["model"])
    assert not any(len(token.strip("\u0120")) > 1 and any(c in "12" for c in token)
                   for token in model["vocab"] if token != "<|endoftext|>")


@pytest.mark.parametrize("kind", ["llama", "byte-level"])
def test_all_readers_read_it_alike(kind, tmp_path, rng):
    texts = random_texts(rng, LETTERS["accents"]) + random_texts(rng, LETTERS["letters"])
    template = tmp_path / "template.jinja"
    template.write_text("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}"
                        "{% endfor %}")
    out, model = train(tmp_path, [write_lines(tmp_path / "data.jsonl", texts)], kind, 500,
                       "--chat-template", template)
    auto = transformers.AutoTokenizer.from_pretrained(out)
    plain = Tokenizer.from_file(str(out / "tokenizer.json"))
    assert len(auto) == len(model["vocab"])
    chat = [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "dé"}]
    rendered = auto.apply_chat_template(chat, tokenize=False)
    assert rendered == f"<|user|>abc{auto.eos_token}<|assistant|>dé{auto.eos_token}"
    # No argument of a command line has a NUL in it.
    drawn = [random_unicode(rng).replace("\0", "") for _ in range(20)]
    for text in [*texts[:10], rendered, "", " ", " a", "\n", *drawn]:
        ours = gladius_json("tokenize", "--tokenizer", out, "--text", text)["ids"]
        assert ours == plain.encode(text).ids == auto(text)["input_ids"], text
        back = gladius_json("tokenize", "--tokenizer", out, "--no-special",
                            "--decode", ",".join(map(str, ours)))["text"] if ours else ""
        assert back == plain.decode(ours), text
        if "<" not in text:
            assert back == text


def test_conversations_are_learnt_as_the_template_renders_them(tmp_path):
    template = tmp_path / "template.jinja"
    template.write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}"
                        "{% endfor %}")
    data = tmp_path / "chat.jsonl"
    data.write_text(json.dumps({"messages": [{"role": "user", "content": "xy xy"},
                                             {"role": "assistant", "content": "xyz"}]}) + "\n")
    texts = ["user: xy xy", "assistant: xyz"]
    size = len(reference("llama", texts, 1)["vocab"]) + 15
    _, model = train(tmp_path, [data], "llama", size, "--chat-template", template)
    assert_same(model, reference("llama", texts, size))


def test_what_it_refuses(tmp_path):
    data = write_lines(tmp_path / "data.jsonl", ["abc abc"])
    ids = tmp_path / "ids.jsonl"
    ids.write_text('{"input_ids": [1, 2]}\n')
    blank = tmp_path / "blank.txt"
    blank.write_text("")
    full = tmp_path / "full"
    full.mkdir()
    (full / "tokenizer.json").write_text("mine")
    out = tmp_path / "out"

    def refused(names, data=data, size=300, kind="llama", out=out, options=()):
        check_fails("tokenizer", "train", "--data", data, "--vocab-size", size, "--kind", kind,
                    "--out", out, *options, names=names)
        assert not (tmp_path / "out").exists()
        assert not list(tmp_path.glob("*.staged"))

    refused(["vocabulary of 262", "259 special tokens", "alphabet of 4", "263"], size=262)
    refused(["vocabulary of 256", "1 special token", "257"], size=256, kind="byte-level")
    refused([f"{ids}:1", "input_ids"], data=ids)
    refused([blank, "no text"], data=blank)
    refused(["no file matches"], data=tmp_path / "none*.txt")
    refused([tmp_path / "none.txt"], data=tmp_path / "none.txt")
    refused([full, "not empty"], out=full)
    assert (full / "tokenizer.json").read_text() == "mine"
    refused(["alphabet"], kind="byte-level", options=["--limit-alphabet", "9"])
    refused(["<0x41>"], options=["--special-token", "<0x41>"])
    refused(["("], options=["--split", "("])
