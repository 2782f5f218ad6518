"""What stands beside tokenizer.json, against transformers: added and special tokens of
tokenizer_config.json, special_tokens_map.json and added_tokens.json."""

import json
import random

import pytest
import transformers
from helpers import csv, gladius_json, run_gladius
from tokenizer_components_test import BYTE_LEVEL, byte_level_model, tokenizer_json

NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
CONTENTS = ["<s>", "</s>", "<x>", "<|im_end|>", "[PAD]", "e", "<x><y>", "<y>", "the", "<Ex>"]


def flags(rng, **fixed):
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {name: rng.random() < 0.4 for name in names} | fixed


def random_directory(rng, path, model):
    """A tokenizer.json and files beside it that repeat, contradict and add to it."""
    path.mkdir()
    config = tokenizer_json(model, pre_tokenizer=BYTE_LEVEL, decoder=BYTE_LEVEL,
                            normalizer=rng.choice([None, None, {"type": "Lowercase"}]))
    size = len(model["vocab"])
    listed = rng.sample(CONTENTS, rng.randint(0, 4))
    config["added_tokens"] = [
        {"id": model["vocab"].get(content, size + i + rng.choice([0, 0, 0, 5])), "content": content, **flags(rng)}
        for i, content in enumerate(listed)]
    if rng.random() < 0.3:
        config["padding"] = {"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": None,
                             "pad_id": 0, "pad_type_id": 0, "pad_token": rng.choice(CONTENTS)}
    if rng.random() < 0.3:
        config["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (path / "tokenizer.json").write_text(json.dumps(config))
    beside = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if rng.random() < 0.5:
        beside["added_tokens_decoder"] = {
            str(rng.choice([size, size + 40, 7]) + i): {"content": content, **flags(rng)}
            for i, content in enumerate(rng.sample(CONTENTS, rng.randint(0, 4)))}
    for name in rng.sample(NAMES, rng.randint(0, 3)):
        token = rng.choice(CONTENTS)
        beside[name] = rng.choice([token, token, None, {"__type": "AddedToken", "content": token, **flags(rng)}])
    def typed(token):
        return rng.choice([token, token, {"__type": "AddedToken", "content": token, **flags(rng)}])

    def own_tokens():
        names = rng.sample(["image_token", "audio_token", "video_token", "eos_token", "pad_token"], 2)
        return {name: typed(rng.choice(CONTENTS)) for name in names}

    if rng.random() < 0.3:
        beside["image_token"] = typed(rng.choice(CONTENTS))
    if rng.random() < 0.3:
        beside["additional_special_tokens"] = [typed(token) for token in rng.sample(CONTENTS, rng.randint(0, 2))]
    if rng.random() < 0.5:
        beside["extra_special_tokens"] = rng.choice(
            [None, {}, [], own_tokens(), [typed(token) for token in rng.sample(CONTENTS, 2)]])
    if rng.random() < 0.2:
        beside["model_specific_special_tokens"] = own_tokens()
    if rng.random() < 0.2:
        beside["split_special_tokens"] = True
    if rng.random() < 0.8:
        (path / "tokenizer_config.json").write_text(json.dumps(beside))
    if rng.random() < 0.5:
        mapped = {name: rng.choice([content, {"content": content, **flags(rng)}])
                  for name, content in zip(rng.sample(NAMES, 3), rng.choices(CONTENTS, k=3), strict=True)}
        if rng.random() < 0.3:
            mapped["additional_special_tokens"] = rng.sample(CONTENTS, 2)
        if rng.random() < 0.3:
            mapped["image_token"] = rng.choice(CONTENTS)
        if rng.random() < 0.3:
            mapped["extra_special_tokens"] = rng.choice(
                [{"audio_token": rng.choice(CONTENTS)}, [{"content": rng.choice(CONTENTS)}, rng.choice(CONTENTS)]])
        mapped = dict(rng.sample(list(mapped.items()), len(mapped)))
        (path / "special_tokens_map.json").write_text(json.dumps(mapped))
    if rng.random() < 0.3:
        older = {content: size + 3 * i for i, content in enumerate(rng.sample(CONTENTS, 2))}
        (path / "added_tokens.json").write_text(json.dumps(older))
    (path / "chat_template.jinja").write_text(
        "{{ [" + ", ".join(f"{name}|default('-', true)" for name in (*NAMES, "image_token", "audio_token", "video_token"))
        + "] | join(' ') }}")


def random_text(rng):
    pieces = [*CONTENTS, " ", "  ", "\n", "a", "The", "theme", "<X>", "é", "e "]
    return "".join(rng.choices(pieces, k=rng.randint(1, 12)))


def test_added_and_special_tokens(rng, tmp_path):
    model = byte_level_model(rng)
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps([{"role": "user", "content": "which tokens?"}]))
    for i in range(60):
        path = tmp_path / str(i)
        random_directory(rng, path, model)
        for file in path.iterdir():
            if file.name != "tokenizer.json":
                print(file.name, file.read_text())
        print(json.loads((path / "tokenizer.json").read_text())["added_tokens"])
        reference = transformers.PreTrainedTokenizerFast.from_pretrained(path)
        named = reference.apply_chat_template(json.loads(messages.read_text()), tokenize=False)
        assert gladius_json("render", "--model", path, "--messages", messages)["text"] == named
        for _ in range(3):
            text = random_text(rng)
            ids = reference(text)["input_ids"]
            assert gladius_json("tokenize", "--tokenizer", path, f"--text={text}")["ids"] == ids, text
            if ids:
                ours = gladius_json("tokenize", "--tokenizer", path, "--decode", csv(ids), "--no-special")
                assert ours["text"] == reference.decode(ids, skip_special_tokens=True), text


def test_stored_truncation_and_padding(rng, tmp_path):
    """Of a tokenizer saved after a call with truncation and padding: ignored, with a warning."""
    config = tokenizer_json(byte_level_model(rng), pre_tokenizer=BYTE_LEVEL, decoder=BYTE_LEVEL)
    (tmp_path / "tokenizer.json").write_text(json.dumps(config))
    saved = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path, pad_token="e")
    saved("a long text", truncation=True, max_length=2, padding="max_length")
    saved.save_pretrained(tmp_path / "saved")
    stored = json.loads((tmp_path / "saved/tokenizer.json").read_text())
    assert stored["truncation"] and stored["padding"]
    reference = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    text = "the tales of the other shore"
    done = run_gladius("tokenize", "--tokenizer", tmp_path / "saved", "--text", text, "--json")
    assert json.loads(done.stdout)["ids"] == reference(text)["input_ids"]
    warnings = done.stderr.decode().splitlines()
    assert len(warnings) == 2
    for name, line in zip(("truncation", "padding"), warnings, strict=True):
        assert line.startswith("gladius: warning: ") and f'"{name}"' in line and "tokenizer.json" in line


@pytest.mark.parametrize("ids", [[5, 6, 999_999], [2**31, 5], [999_999], [2**40, 7, 8, 10**6]])
def test_ids_beyond_the_tokenizer(ids, rng, tmp_path):
    config = tokenizer_json(byte_level_model(rng), decoder=BYTE_LEVEL)
    (tmp_path / "tokenizer.json").write_text(json.dumps(config))
    reference = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    done = run_gladius("tokenize", "--tokenizer", tmp_path, "--decode", csv(ids), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["text"] == reference.decode([id for id in ids if id < 2**32])
    beyond = sum(id > 1000 for id in ids)
    assert f"{beyond} of {len(ids)} ids" in done.stderr.decode()
    for bad in ("1,-1", "1,x", "1.5"):
        done = run_gladius("tokenize", "--tokenizer", tmp_path, "--decode", bad)
        assert done.returncode == 1 and done.stderr.decode().count("\n") == 1
