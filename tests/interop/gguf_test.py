"""GGUF files that are read, against the Python package `gguf` and transformers."""

import json

import numpy as np
import pytest
import torch
import transformers
from gguf_files import (SCALES, TYPES, arrays_of, as_stored, dequantised_reference, gguf,
                        model_config, random_blocks, write_model)
from helpers import (FAMILIES, check_close, check_fails, check_same_logits, gladius, limit_of_blocks,
                     random_config, random_ids, random_model, save_model)
from safetensors.numpy import load_file


@pytest.mark.parametrize("kind", SCALES)
def test_dequantises_as_the_reference(kind, rng, tmp_path):
    """To the bit, whatever the blocks are."""
    config = random_config(rng, "qwen3", hidden_size=256, intermediate_size=512, head_dim=128,
                           num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=1,
                           tie_word_embeddings=False, attention_bias=False)
    blocks = {}

    def store(name, value):
        if value.ndim == 1:
            return value, TYPES.F32
        blocks[name] = random_blocks(rng, value.shape, kind)
        return blocks[name], TYPES[kind]

    path = write_model(tmp_path / "model.gguf", config, arrays_of(random_model(rng, config)), store)
    gladius("convert", "--model", path, "--dtype", "f32", "--out", tmp_path / "out")
    ours = load_file(tmp_path / "out/model.safetensors")
    for name, stored in blocks.items():
        expected = gguf.quants.dequantize(stored, TYPES[kind])
        assert np.array_equal(ours[name].view(np.uint32), expected.view(np.uint32)), name


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits(family, kind, rng, tmp_path):
    config = model_config(rng, family)
    path = write_model(tmp_path / "model.gguf", config, arrays_of(random_model(rng, config)),
                       as_stored(kind))
    reference = dequantised_reference(config, path)
    for length in (1, rng.randint(2, 5), rng.randint(6, 60)):
        ids = random_ids(rng, config.vocab_size, length)
        check_same_logits(f"logits, GGUF {kind}", path, reference, ids, tmp_path / "out",
                          limit_of_blocks(kind, length))


@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"])
def test_logits_of_large_blocks(kind, rng, tmp_path):
    config = random_config(rng, "llama", hidden_size=256, intermediate_size=256, head_dim=64,
                           num_attention_heads=4, num_key_value_heads=2)

    def store(name, value):
        if value.ndim == 1:
            return value, TYPES.F32
        blocks = random_blocks(rng, value.shape, kind).reshape(-1, gguf.GGML_QUANT_SIZES[TYPES[kind]][1])
        for at in SCALES[kind]:
            scale = np.full(len(blocks), 2e-5, np.float16)
            blocks[:, at:at + 2] = scale.view(np.uint8).reshape(-1, 2)
        return blocks.reshape(len(value), -1), TYPES[kind]

    path = write_model(tmp_path / "model.gguf", config, arrays_of(random_model(rng, config)), store)
    reference = dequantised_reference(config, path)
    for length in (1, 3, rng.randint(6, 60)):
        ids = random_ids(rng, config.vocab_size, length)
        check_same_logits(f"logits, GGUF {kind}", path, reference, ids, tmp_path / "out",
                          limit_of_blocks(kind, length))


def test_llama3_frequencies(rng, tmp_path):
    """Stored as the divisors that convert_hf_to_gguf.py computes."""
    rope = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    config = model_config(rng, "llama", head_dim=64, rope_parameters=rope,
                          max_position_embeddings=16384, num_attention_heads=2)
    model = random_model(rng, config)
    plain = 1 / 500000.0 ** (torch.arange(0, 64, 2, dtype=torch.float64) / 64)
    weights = arrays_of(model)
    scaled = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0]
    divisors = (plain / scaled.double()).float().numpy()

    def store(name, value):
        return value, TYPES.F32

    names = gguf.get_tensor_name_map
    class Names:  # the divisors have no name of Hugging Face's
        def __init__(self, *args):
            self.names = names(*args)
        def get_name(self, name, suffixes):
            return name if name == "rope_freqs.weight" else self.names.get_name(name, suffixes)
    gguf.get_tensor_name_map = Names
    try:
        path = write_model(tmp_path / "model.gguf", config,
                           {**weights, "rope_freqs.weight": divisors}, store)
    finally:
        gguf.get_tensor_name_map = names
    ids = random_ids(rng, config.vocab_size, 100)
    check_same_logits("logits, GGUF llama3 rope", path, model, ids, tmp_path / "out")


def test_refuses_by_name(rng, tmp_path):
    config = model_config(rng, "llama", num_hidden_layers=1)
    model = save_model(random_model(rng, config), tmp_path / "model")
    out = tmp_path / "out.gguf"
    convert = ("convert", "--model", model, "--out", out)
    check_fails(*convert, "--dtype", "q4_0", names=["q4_0", "--to gguf"])
    check_fails(*convert, "--dtype", "f32", names=["--to gguf"])
    out.write_text("mine")
    check_fails(*convert, "--to", "gguf", "--dtype", "f32", names=[out, "exists"])
    assert out.read_text() == "mine"
    check_fails("generate", "--model", out, "--ids", "1", names=[out, "no GGUF file"])


def test_teaches_a_student(rng, tmp_path):
    """As an expert it gives the losses of the numbers that its blocks stand for.

    All of one update: after it the two students differ by more than rounding, as AdamW moves an
    element whose gradient is nothing but rounding as far as any other.
    """
    config = model_config(rng, "llama")
    teacher = tmp_path / "teacher.gguf"
    write_model(teacher, config, arrays_of(random_model(rng, config)), as_stored("Q4_1"))
    gladius("convert", "--model", teacher, "--dtype", "f32", "--out", tmp_path / "numbers")
    student = save_model(random_model(rng, random_config(rng, vocab_size=config.vocab_size)),
                         tmp_path / "student")
    (tmp_path / "data.jsonl").write_text("".join(
        json.dumps({"input_ids": random_ids(rng, config.vocab_size, rng.randint(8, 30))}) + "\n"
        for _ in range(8)))
    losses = {}
    for expert in (teacher, tmp_path / "numbers"):
        run = {"student": {"config": str(student / "config.json"), "init": str(student)},
               "experts": [{"name": "teacher", "model": str(expert), "steps": 8}],
               "data": {"train": str(tmp_path / "data.jsonl"), "max_seq_len": 32},
               "gradient_accumulation": 8}
        (tmp_path / "run.json").write_text(json.dumps(run))
        out = tmp_path / f"run-of-{expert.name}"
        gladius("distill", tmp_path / "run.json", "--out", out)
        losses[expert] = [json.loads(line)["loss"]
                          for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(losses[teacher]) == 8
    for ours, expected in zip(*losses.values(), strict=True):
        check_close("loss, GGUF teacher", abs(ours - expected) / abs(expected), 1e-5)
