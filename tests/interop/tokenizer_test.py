"""Our tokenizers against the tokenizers package, token for token."""

import codecs
import json
import os
import subprocess
from pathlib import Path

import pytest
import tokenizers
from helpers import BINARY, ROOT, csv, gladius, gladius_json
from tokenizer_texts import WORDS, corpus, random_unicode

# Beside the repository, not in it; GLADIUS_SHARED names another place.
SHARED = Path(os.environ.get("GLADIUS_SHARED", ROOT.parent / "shared"))
DEFAULT = ROOT / "configs/default/tokenizer"
DIRECTORIES = {"llama2": SHARED / "data/tokenizers/llama2",
               "qwen3": SHARED / "data/tokenizers/qwen3"}


def tokenizer_file(name):
    file = DIRECTORIES[name] / "tokenizer.json"
    if not file.is_file():
        pytest.skip(f"{file} is not on this machine: NOT TESTED with this tokenizer")
    return file


@pytest.fixture(params=DIRECTORIES)
def file(request):
    return tokenizer_file(request.param)


@pytest.fixture
def reference(file):
    return tokenizers.Tokenizer.from_file(str(file))


def run(file, requests, tmp_path):
    """Our answers to the requests (see run_tokenizer.cpp)."""
    lines = tmp_path / "requests.jsonl"
    lines.write_text("".join(json.dumps(request) + "\n" for request in requests))
    done = subprocess.run([BINARY.parent / "run_tokenizer", file, lines], capture_output=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(requests)
    return answers


def decode_replacing(source):
    """The text of `source`, and the offset at which each of its characters begins (and its end)."""
    invalid = []

    def note(error):
        invalid.append((error.start, error.end))
        return "\ufffd", error.end

    codecs.register_error("note", note)
    text = source.decode(errors="note")
    ends = dict(invalid)
    starts = [0]
    for character in text:
        at = starts[-1]
        starts.append(ends[at] if at in ends else at + len(character.encode()))
    assert starts[-1] == len(source)
    return text, starts


def check_decoding(reference, ids, ours):
    for skip, text, pieces in zip((True, False), ours["texts"], ours["pieces"], strict=True):
        expected = reference.decode(ids, skip_special_tokens=skip)
        assert text == expected, ids
        assert "".join(pieces) == expected, ids


def check_texts(file, reference, texts, tmp_path, special=True):
    requests = [{"hex": text.hex(), "special": special} for text in texts]
    for source, ours in zip(texts, run(file, requests, tmp_path), strict=True):
        text, starts = decode_replacing(source)
        index = {start: i for i, start in enumerate(starts)}
        expected = reference.encode(text, add_special_tokens=special)
        assert ours["ids"] == expected.ids, source
        assert ours["same"], source
        spans = [(index[begin], index[end]) for begin, end in ours.get("spans", [])]
        assert spans == expected.offsets, source
        check_decoding(reference, expected.ids, ours)


def test_a_million_characters(file, reference, rng, tmp_path):
    check_texts(file, reference, corpus(rng, 1_000_000, invalid=0.2), tmp_path)


def test_random_unicode(file, reference, rng, tmp_path):
    texts = [random_unicode(rng).encode() for _ in range(20_000)]
    check_texts(file, reference, texts, tmp_path, special=False)


def test_long_words(file, reference, rng, tmp_path):
    """Words of more symbols than fit into one window of merges."""
    alphabets = ["etaoinshrdlu", "ab", "a", "abcdefghijklmnopqrstuvwxyz", "ACGT", "etaoin\u00e9\u4e2d"]
    texts = ["".join(rng.choices(alphabet, k=rng.randint(30_000, 80_000))) for alphabet in alphabets]
    check_texts(file, reference, [text.encode() for text in texts], tmp_path)


def test_long_words_with_random_merges(rng, tmp_path):
    """Merges of random order, which agree with no language."""
    for _ in range(5):
        pieces = list("abcd")
        merges = []
        while len(merges) < 200:
            left, right = rng.choices(pieces, k=2)
            if len(left + right) < 12 and left + right not in pieces:
                pieces.append(left + right)
                merges.append((left, right))
        rng.shuffle(merges)
        model = tokenizers.models.BPE({piece: i for i, piece in enumerate(pieces)}, merges)
        reference = tokenizers.Tokenizer(model)
        reference.save(str(tmp_path / "tokenizer.json"))
        texts = ["".join(rng.choices("abcd", k=rng.randint(1, 80_000))) for _ in range(10)]
        answers = run(tmp_path / "tokenizer.json", [{"hex": text.encode().hex(), "special": False}
                                                    for text in texts], tmp_path)
        for text, ours in zip(texts, answers, strict=True):
            assert ours["ids"] == reference.encode(text).ids


def test_decoding_random_ids(file, reference, rng, tmp_path):
    choices = [lambda: rng.randrange(reference.get_vocab_size()), lambda: rng.randint(0, 300)]
    lists = [[rng.choice(choices)() for _ in range(rng.randint(0, 60))] for _ in range(3000)]
    answers = run(file, [{"ids": ids} for ids in lists], tmp_path)
    for ids, ours in zip(lists, answers, strict=True):
        check_decoding(reference, ids, ours)


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def as_pairs(config):
    config["model"]["merges"] = [merge if isinstance(merge, list) else merge.split(" ")
                                 for merge in config["model"]["merges"]]


def as_strings(config):
    config["model"]["merges"] = [merge if isinstance(merge, str) else " ".join(merge)
                                 for merge in config["model"]["merges"]]


def with_metaspace(scheme, split):
    def change(config):
        config["normalizer"] = None
        config["pre_tokenizer"] = metaspace(scheme, split)
        config["decoder"] = metaspace(scheme, split)
    return change


def with_ignored_merges(config):
    config["model"]["ignore_merges"] = True


def with_added_tokens(config):
    """Tokens that touch and hold words and white space, looked for before and after normalizing."""
    flags = [("single_word", "fox"), ("lstrip", "<left>"), ("rstrip", "<right>"), ("", "e\u0301"),
             ("", "quick brown"), ("", "qu"), ("lstrip rstrip single_word", "return")]
    next_id = max([*config["model"]["vocab"].values(),
                   *(token["id"] for token in config["added_tokens"])]) + 1
    vocab = config["model"]["vocab"]
    for normalized in (False, True):
        for names, content in flags:
            content = content + "2" * normalized
            config["added_tokens"].append({
                "id": vocab.get(content, next_id), "content": content, "normalized": normalized,
                "special": "strip" in names,
                **{flag: flag in names.split() for flag in ("single_word", "lstrip", "rstrip")}})
            next_id += content not in vocab


def with_gpt2_stages(config):
    level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    config.update(pre_tokenizer=level, decoder=level, normalizer=None)
    config["post_processor"] = level


def with_llama3_stages(config):
    """Its expression takes up to three digits; a template follows the byte-level post-processor."""
    split, level = config["pre_tokenizer"]["pretokenizers"]
    split["pattern"]["Regex"] = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    config["model"]["ignore_merges"] = True
    name, first = "<|im_start|>", 151644
    config["post_processor"] = {"type": "Sequence", "processors": [level, {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": name, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": name, "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [first], "tokens": [name]}}}]}


def with_splits(*splits):
    def change(config):
        for behavior, pattern, invert in splits:
            config["pre_tokenizer"]["pretokenizers"].insert(0, {
                "type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert})
    return change


def with_unknown_tokens(fuse):
    def change(config):
        config["model"].update(byte_fallback=False, fuse_unk=fuse)
    return change


VARIANTS = {
    "pairs": ("llama2", as_pairs),
    "strings": ("qwen3", as_strings),
    "metaspace-first": ("llama2", with_metaspace("first", False)),
    "metaspace-always": ("llama2", with_metaspace("always", True)),
    "metaspace-never": ("llama2", with_metaspace("never", True)),
    "llama-ignore-merges": ("llama2", with_ignored_merges),
    "qwen-ignore-merges": ("qwen3", with_ignored_merges),
    "llama-added": ("llama2", with_added_tokens),
    "qwen-added": ("qwen3", with_added_tokens),
    "gpt2": ("qwen3", with_gpt2_stages),
    "llama3": ("qwen3", with_llama3_stages),
    "splits": ("qwen3", with_splits(("Removed", {"String": "a"}, False),
                                    ("MergedWithPrevious", {"Regex": r"\w"}, False))),
    "other-splits": ("qwen3", with_splits(("MergedWithNext", {"Regex": r"\s{1,2}"}, False),
                                          ("Contiguous", {"Regex": r"[\d\P{M}]"}, True))),
    "unknown": ("llama2", with_unknown_tokens(False)),
    "unknown-fused": ("llama2", with_unknown_tokens(True)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_spellings(variant, rng, tmp_path):
    name, change = VARIANTS[variant]
    config = json.loads(tokenizer_file(name).read_text())
    change(config)
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(config, ensure_ascii=False))
    words = WORDS + ["fox", "fox2", " <left>", "<right>  x", "<left2>", "<right2>\n", "quick brown",
                     "quick brown2", "qu", "qu2", "return", " return2 ", "a fox b", "e\u03012"]
    check_texts(file, tokenizers.Tokenizer.from_file(str(file)), corpus(rng, 20_000, words=words),
                tmp_path, special=rng.random() < 0.5)


@pytest.mark.parametrize("text", ["Hello world", " two  spaces ", "a</s>b <s> c", "--json", "日本語🙂"])
def test_text_of_the_command_line(text, file, reference):
    ours = gladius_json("tokenize", "--tokenizer", file.parent, f"--text={text}")
    assert ours["ids"] == reference.encode(text).ids


@pytest.fixture
def default():
    return tokenizers.Tokenizer.from_file(str(DEFAULT / "tokenizer.json"))


def test_default_tokenizer(default, rng, tmp_path):
    check_texts(DEFAULT / "tokenizer.json", default, corpus(rng, 50_000, invalid=0.2), tmp_path)


def test_command_line(default, rng, tmp_path):
    (tmp_path / "text").write_bytes(text := b"Route the call. \xff </s>")
    ids = default.encode(text.decode(errors="replace"), add_special_tokens=False).ids
    options = ("tokenize", "--tokenizer", DEFAULT)
    file = ("--file", tmp_path / "text", "--no-special")
    assert gladius_json(*options, *file)["ids"] == ids
    assert [int(word) for word in gladius(*options, *file).replace(",", " ").split()] == ids
    assert gladius_json(*options, "--text", "")["ids"] == default.encode("").ids
    out = gladius(*options, "--decode", csv(ids), "--no-special")
    assert out == default.decode(ids) + "\n"
    out = gladius_json(*options, "--decode", csv(ids))
    assert out == {"text": default.decode(ids, skip_special_tokens=False)}
