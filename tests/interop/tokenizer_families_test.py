"""The stages of the model families that people have, with small random vocabularies, against the
tokenizers package (texts, ids, spans) and transformers (the files beside tokenizer.json)."""

import json

import pytest
import tokenizers
import transformers
from helpers import csv, gladius_json
from tokenizer_components_test import (BYTE_LEVEL, byte_fallback_model, byte_level_model, metaspace, replace, sequence,
                                       split, texts_for, tokenizer_json)
from tokenizer_test import check_texts

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
             r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# Byte-level tokens behind a Split.
PLAIN = {**BYTE_LEVEL, "use_regex": False}
TRIMMED = {**BYTE_LEVEL, "trim_offsets": True}


def isolated(*patterns):
    return [split({"Regex": pattern}, "Isolated") for pattern in patterns]


def template(name, id):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": name, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]}}}


def byte_level(pre_tokenizer, **more):
    return {"pre_tokenizer": pre_tokenizer, "post_processor": TRIMMED, "decoder": TRIMMED, **more}


LLAMA_DECODER = [replace({"String": "▁"}, " "), {"type": "ByteFallback"}, {"type": "Fuse"}]
STRIPPED = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
LLAMA2 = {"normalizer": sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace({"String": " "}, "▁")),
          "post_processor": template("<s>", 1), "decoder": sequence("decoders", *LLAMA_DECODER, STRIPPED)}
FAMILIES = {
    "gpt2": byte_level({**BYTE_LEVEL, "trim_offsets": True}),
    "roberta": {"pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": True}, "decoder": BYTE_LEVEL,
                "post_processor": {"type": "RobertaProcessing", "sep": ["b", 66], "cls": ["a", 65],
                                   "trim_offsets": True, "add_prefix_space": True}},
    "llama3": byte_level(sequence("pretokenizers", *isolated(LLAMA3), PLAIN),
                         post_processor=sequence("processors", TRIMMED, template("a", 65))),
    "qwen2": byte_level(sequence("pretokenizers", *isolated(QWEN2), PLAIN), normalizer={"type": "NFC"}),
    "tekken": byte_level(sequence("pretokenizers", *isolated(TEKKEN), PLAIN)),
    "smollm2": byte_level(sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, BYTE_LEVEL)),
    "falcon": byte_level(sequence("pretokenizers", {"type": "Punctuation", "behavior": "Contiguous"}, BYTE_LEVEL,
                                  {"type": "Digits", "individual_digits": False}, *isolated("[0-9][0-9][0-9]"))),
    "gpt-neox": byte_level(BYTE_LEVEL, normalizer={"type": "NFC"}),
    "deepseek-coder": byte_level(sequence(
        "pretokenizers", *isolated("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"),
        {"type": "Digits", "individual_digits": True}, PLAIN)),
    "deepseek3": byte_level(sequence(
        "pretokenizers", *isolated(r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3), PLAIN)),
    "llama2": LLAMA2,
    "llama2-metaspace": {**LLAMA2, "normalizer": None, "pre_tokenizer": metaspace("first", False)},
    "mistral-spaces": {**LLAMA2, "normalizer": None, "pre_tokenizer": metaspace("always", False),
                       "decoder": metaspace("always", False)},
    "gemma": {"normalizer": replace({"String": " "}, "▁"), "post_processor": template("<s>", 1),
              "pre_tokenizer": split({"String": " "}, "MergedWithPrevious"),
              "decoder": sequence("decoders", *LLAMA_DECODER)},
}


def added(rng, config):
    """Tokens as chat models add them, with flags at random (Phi-3's take white space, GPT-NeoX's are white space)."""
    vocab = config["model"]["vocab"]
    contents = ["<|im_start|>", "<|assistant|>", "</s>", "  ", "    ", "\n\n", "<think>", "Quick", "é", "the<|im_start|>"]
    config["added_tokens"] = [
        {"id": vocab.get(content, len(vocab) + i), "content": content, **{
            flag: rng.random() < share for flag, share in
            (("lstrip", .2 * bool(content.strip())), ("rstrip", .3), ("normalized", .4), ("single_word", .2),
             ("special", .5))}}  # (at white space with lstrip the reference may panic)
        for i, content in enumerate(rng.sample(contents, 6))]


def family(name, rng):
    stages = FAMILIES[name]
    is_llama = "▁" in json.dumps(stages["decoder"], ensure_ascii=False)
    model = byte_fallback_model(rng) if is_llama else byte_level_model(rng)
    model["ignore_merges"] = name in ("llama3", "tekken") or rng.random() < 0.2
    model["fuse_unk"] = is_llama
    config = tokenizer_json(model, **stages)
    added(rng, config)
    return config


@pytest.mark.parametrize("name", FAMILIES)
def test_texts(name, rng, tmp_path):
    file = tmp_path / "tokenizer.json"
    for _ in range(2):
        file.write_text(json.dumps(config := family(name, rng)))
        print(config["added_tokens"])
        texts = texts_for(rng, 240)
        contents = [token["content"] for token in config["added_tokens"]]
        texts += ["".join(rng.choices([*contents, " ", "a", "\n", "é", "12"], k=rng.randint(1, 9))).encode()
                  for _ in range(120)]
        check_texts(file, tokenizers.Tokenizer.from_file(str(file)), texts, tmp_path, special=rng.random() < 0.5)


@pytest.mark.parametrize("name", FAMILIES)
def test_settings_beside_it(name, rng, tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(family(name, rng)))
    for _ in range(6):
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": rng.choice(["<s>", "</s>"])}
        for key in ("add_bos_token", "add_eos_token", "legacy", "clean_up_tokenization_spaces", "add_prefix_space",
                    "split_special_tokens"):
            if rng.random() < 0.4:
                settings[key] = rng.choice([True, False])
        print(settings)
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        reference = transformers.AutoTokenizer.from_pretrained(tmp_path)
        for text in ("a  b<s> , don't .", " x\n</s>é <think> "):
            ids = reference(text)["input_ids"]
            assert gladius_json("tokenize", "--tokenizer", tmp_path, f"--text={text}")["ids"] == ids, text
            for options, skip in ((["--no-special"], True), ([], False)):
                ours = gladius_json("tokenize", "--tokenizer", tmp_path, "--decode", csv(ids), *options)
                assert ours["text"] == reference.decode(ids, skip_special_tokens=skip), text
