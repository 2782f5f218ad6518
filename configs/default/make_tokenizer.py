"""Trains the default run's tokenizer on chat.jsonl and writes tokenizer/ in Llama's form.

Usage: python3 make_tokenizer.py [--out DIR]        (needs the `tokenizers` package)

Training cuts the text into words, digits, JSON punctuation and the template's role marks, so that
no token crosses them. The written file has no such cutting, as Llama's has none: the merges alone
reproduce it, because none joins two of these pieces.
"""

import argparse
import json
import string
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

HERE = Path(__file__).resolve().parent
SPECIAL = ("<unk>", "<s>", "</s>")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
VOCAB_SIZE = 3072
SPACE = "\u2581"
# Characters that have a token whether or not the data holds them.
ALPHABET = string.ascii_letters + string.digits + string.punctuation + "\n" + SPACE + (
    "äöüßÄÖÜàâçèéêëîïôùûÀÉÊáíóúñÁÍÓÚÑ¿¡€°")
PIECES = "|".join((
    rf"{SPACE}?\n?<\|[a-z]+\|>\n",  # a role mark of the chat template, with its line ends
    rf'["\]}}]*[:,]{SPACE}["{{\[]+',  # between two JSON strings: `": "`, `": {{"`, `", "`
    rf"{SPACE}?\p{{L}}+(?:'\p{{L}}+)?",
    r"\p{N}",
    r"\n",
    rf"{SPACE}?[^\s\p{{L}}\p{{N}}{SPACE}]+",
    rf"{SPACE}+",
))


def segments(path):
    """The rendered chats between their </s>, normalised: what a merge can see."""
    for line in path.read_text(encoding="utf-8").splitlines():
        before = ""
        for message in json.loads(line)["messages"]:
            text = f"{before}<|{message['role']}|>\n{message['content']}"
            yield SPACE + text.replace(" ", SPACE)
            before = "\n"


def train(path):
    """(vocabulary, merges) of byte pair encoding over the pieces."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        min_frequency=2,
        special_tokens=list(SPECIAL + BYTES),
        initial_alphabet=list(ALPHABET),
        show_progress=False,
    )
    tokenizer.train_from_iterator(segments(path), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [" ".join(merge) for merge in model["merges"]]


def added_token(content):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False,
            "single_word": False}


def tokenizer_json(vocab, merges):
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate("AB"))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, **added_token(t), "special": True}
                         for i, t in enumerate(SPECIAL)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        ]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, first],
            "pair": [bos, first, {"SpecialToken": {"id": "<s>", "type_id": 1}}, second],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": dict(sorted(vocab.items(), key=lambda item: item[1])),
            "merges": merges,
        },
    }


def tokenizer_config():
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "add_prefix_space": None,
        "added_tokens_decoder": {str(i): {**added_token(t), "special": True}
                                 for i, t in enumerate(SPECIAL)},
        "bos_token": "<s>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "</s>",
        "extra_special_tokens": {},
        "legacy": False,
        "model_max_length": 2048,
        "pad_token": "</s>",
        "padding_side": "right",
        "sp_model_kwargs": {},
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
        "use_default_system_prompt": False,
    }


def special_tokens_map():
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    return {name: added_token(token) for name, token in names.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "tokenizer", help="folder to write to")
    out = parser.parse_args().out
    vocab, merges = train(HERE / "chat.jsonl")
    files = {
        "tokenizer.json": json.dumps(tokenizer_json(vocab, merges), indent=2, ensure_ascii=False),
        "tokenizer_config.json": json.dumps(tokenizer_config(), indent=2) + "\n",
        "special_tokens_map.json": json.dumps(special_tokens_map(), indent=2) + "\n",
    }
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    print(f"{out}: {len(vocab)} tokens, {len(merges)} merges")


if __name__ == "__main__":
    main()
