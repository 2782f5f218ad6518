"""`gladius tokenizer train` against the BpeTrainer of the tokenizers package."""

import json
import random

import pytest
import tokenizers
import transformers
from helpers import ROOT, gladius, gladius_json
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from tokenizer_texts import corpus, random_unicode

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
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        # Metaspace leaves out its own sign before a text that begins with a space.
        tokenizer.normalizer = tokenizers.normalizers.Sequence([
            tokenizers.normalizers.Prepend(SPACE), tokenizers.normalizers.Replace(" ", SPACE)])
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
    for case in range(6):
        texts = random_texts(rng, LETTERS[letters])
        base = len(reference(kind, texts, 1)["vocab"])
        for extra in (0, 1, 7, 40, 1000):
            where = tmp_path / f"{case}-{extra}"
            where.mkdir()
            minimum = rng.choice([0, 1, 2, 5])
            _, model = train(where, [write_lines(where / "data.jsonl", texts)], kind, base + extra,
                             "--min-frequency", minimum)
            assert_same(model, reference(kind, texts, base + extra, min_frequency=minimum))
