"""`gladius tokenize` against the tokenizers package."""

import os
from pathlib import Path

import pytest
import tokenizers
from helpers import ROOT, csv, gladius, gladius_json

DEFAULT = ROOT / "configs/default/tokenizer"
# Beside the repository, not in it; GLADIUS_SHARED names another place.
SHARED = Path(os.environ.get("GLADIUS_SHARED", ROOT.parent / "shared"))
LLAMA2 = SHARED / "data/tokenizers/llama2"
WORDS = ["the", "Quick", " brown", "  fox", "naïve", "Straße", "日本語", "🙂", "👩‍👩‍👧", "e\u0301",
         "\u00a0", "▁", "\t", "\n", "\r\n", "<s>", "</s>", "<unk>", "<0x41>", "<|user|>\n", "1234",
         "\u202e", "İ", "ﬁ", "{\"a\": [1, 2]}", "    ", "مرحبا", "\U0010ffff"]


@pytest.fixture(params=[DEFAULT, LLAMA2], ids=["default", "llama2"])
def directory(request):
    if not (request.param / "tokenizer.json").is_file():
        pytest.skip(f"{request.param} is not on this machine: NOT TESTED with this tokenizer")
    return request.param


@pytest.fixture
def reference(directory):
    return tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))


def random_character(rng):
    ranges = [(0x20, 0x7E), (0x01, 0x1F), (0xA0, 0x24F), (0x370, 0x5FF), (0x900, 0x97F),
              (0x2000, 0x206F), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xFFFF),
              (0x1F300, 0x1F6FF), (0x10000, 0x10FFFF)]
    return chr(rng.randint(*rng.choice(ranges[:1] * 4 + ranges)))


def random_text(rng, pieces):
    return "".join(rng.choice(WORDS) if rng.random() < 0.4 else random_character(rng)
                   for _ in range(pieces))


def write_text(path, text):
    path.write_bytes(text.encode())
    return path


def test_random_texts(directory, reference, rng, tmp_path):
    for pieces in [0, 1, 2, 3] + [rng.randint(4, 60) for _ in range(12)] + [3000]:
        text = random_text(rng, pieces)
        file = write_text(tmp_path / "text", text)
        for special in (True, False):
            ours = gladius_json("tokenize", "--tokenizer", directory, "--file", file,
                                *([] if special else ["--no-special"]))
            assert ours["ids"] == reference.encode(text, add_special_tokens=special).ids, text


@pytest.mark.parametrize(
    "text", ["Hello world", " two  spaces ", "a</s>b <s> c", "--json", "日本語🙂"])
def test_text_of_the_command_line(text, directory, reference):
    ours = gladius_json("tokenize", "--tokenizer", directory, f"--text={text}")
    assert ours["ids"] == reference.encode(text).ids


def test_empty_text(directory, reference):
    ours = gladius_json("tokenize", "--tokenizer", directory, "--text", "")
    assert ours["ids"] == reference.encode("").ids


def test_decoding(directory, reference, rng):
    for length in [1, 2] + [rng.randint(3, 80) for _ in range(10)]:
        ids = [rng.choice([0, 1, 2, rng.randint(3, 258), rng.randrange(reference.get_vocab_size())])
               for _ in range(length)]
        ours = gladius_json("tokenize", "--tokenizer", directory, "--decode", csv(ids))
        assert ours["text"] == reference.decode(ids, skip_special_tokens=False), ids
        ours = gladius_json("tokenize", "--tokenizer", directory, "--decode", csv(ids),
                            "--no-special")
        assert ours["text"] == reference.decode(ids, skip_special_tokens=True), ids


def test_output_without_json(directory, reference):
    text = "Route the call."
    ids = reference.encode(text).ids
    out = gladius("tokenize", "--tokenizer", directory, "--text", text)
    assert [int(word) for word in out.replace(",", " ").split()] == ids
    out = gladius("tokenize", "--tokenizer", directory, "--decode", csv(ids), "--no-special")
    assert out.rstrip("\n") == text
