"""GGUF files of the Python package `gguf`, and what it and transformers make of them."""

import json
import subprocess

import numpy as np
import pytest
import torch
import transformers
from helpers import BINARY, random_config

gguf = pytest.importorskip("gguf")
TYPES = gguf.GGMLQuantizationType
# Where a block has its f16 scales.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def random_blocks(rng, shape, kind):
    """Bytes of blocks [rows, bytes]; every scale F16 has, but for infinities and NaN."""
    elements, size = gguf.GGML_QUANT_SIZES[TYPES[kind]]
    generator = np.random.default_rng(rng.randrange(2**32))
    blocks = generator.integers(0, 256, (shape[0] * shape[1] // elements, size), dtype=np.uint8)
    for at in SCALES[kind]:
        scale = generator.integers(0, 0x7C00, len(blocks), dtype=np.uint16)
        scale |= generator.integers(0, 2, len(blocks), dtype=np.uint16) << 15
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(shape[0], -1)


def permute(rows, heads):
    """As convert_hf_to_gguf.py stores queries and keys of llama."""
    return (rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
            .swapaxes(1, 2).reshape(rows.shape))


def unpermute(rows, heads):
    return (rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
            .swapaxes(1, 2).reshape(rows.shape))


def heads_of(config, name):
    """Of a weight whose rows are permuted; else None."""
    if config.model_type != "llama":
        return None
    if ".q_proj." in name:
        return config.num_attention_heads
    return config.num_key_value_heads if ".k_proj." in name else None


def write_model(path, config, weights, store):
    """A GGUF file without a tokenizer; store(name, array) gives bytes or numbers, and their type."""
    writer = gguf.GGUFWriter(path, config.model_type)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[config.model_type.upper()],
                                     config.num_hidden_layers)
    for name, value in weights.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        heads = heads_of(config, name)
        stored, kind = store(name, permute(value, heads) if heads else value)
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def arrays_of(model):
    return {name: value.numpy() for name, value in model.state_dict().items()}


def model_config(rng, family=None, **fixed):
    """Rows of whole blocks of 32."""
    heads = rng.choice([2, 4])
    return random_config(rng, family, **{
        "hidden_size": 64, "intermediate_size": 32 * rng.randint(1, 4), "head_dim": 16 * heads,
        "num_attention_heads": heads, "num_key_value_heads": rng.choice([1, 2]), **fixed})


def as_stored(kind):
    def store(_, value):
        if value.ndim == 1 or kind == "F32":
            return value.astype(np.float32), TYPES.F32
        if kind == "F16":
            return value.astype(np.float16), TYPES.F16
        return gguf.quants.quantize(value, TYPES[kind]), TYPES[kind]
    return store


def dequantised_reference(config, path):
    """transformers' model of the numbers that the Python package finds in the file."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[config.model_type.upper()],
                                     config.num_hidden_layers)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    state = {}
    for name in model.state_dict():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        tensor = tensors[names.get_name(name, (".weight", ".bias"))]
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        value = value.reshape(tuple(reversed(tensor.shape.tolist())))
        heads = heads_of(config, name)
        state[name] = torch.tensor(unpermute(value, heads) if heads else value)
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    return model.eval()


def encode_all(tokenizer, texts, tmp_path):
    """What tests/interop/run_tokenizer makes of texts."""
    requests = tmp_path / "requests.jsonl"
    requests.write_text("".join(json.dumps({"hex": text.hex(), "special": True}) + "\n"
                                for text in texts))
    done = subprocess.run([BINARY.parent / "run_tokenizer", tokenizer, requests],
                          capture_output=True, check=True, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_same_tokens(path, reference, texts, tmp_path):
    """Ours of the file are the reference's, and so is the text that they stand for."""
    for text, ours in zip(texts, encode_all(path, texts, tmp_path), strict=True):
        ids, expected = ours["ids"], reference.encode(text.decode()).ids
        if ids != expected:  # pytest's own comparison of long lists takes minutes
            at = next((i for i, pair in enumerate(zip(ids, expected)) if pair[0] != pair[1]),
                      min(len(ids), len(expected)))
            pytest.fail(f"token {at} of {text[:500]}...: {ids[at:at + 5]}, not "
                        f"{expected[at:at + 5]} ({reference.decode(expected[max(0, at - 5):at + 5])!r})")
        assert ours["texts"][0] == reference.decode(expected), text[:500]
