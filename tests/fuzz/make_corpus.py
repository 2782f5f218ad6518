#!/usr/bin/env python3
"""Writes the first inputs of each fuzz target to tests/fuzz/corpus/TARGET/seed-*. The other files
there are what libFuzzer found beyond them (see docs/safetensors.md)."""

import json
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
DTYPES = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8,
          "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16,
          "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64,
          "I64": 64, "U64": 64}


def info(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def headers():
    """Header texts with the size of the data behind them."""
    yield "{}", 0
    yield json.dumps({"__metadata__": {"format": "pt", "k\u00e9\n": "\U0001f600"}}), 0
    every, end = {}, 0
    for dtype, bits in DTYPES.items():
        every["t." + dtype] = info(dtype, [2, 4], end, end + bits)
        end += bits
    yield json.dumps(every), end
    for dtype in ("F4", "F6_E3M2"):
        yield json.dumps({"a": info(dtype, [3], 0, 2)}), 2  # no whole bytes
    yield json.dumps({"scalar": info("F32", [], 0, 4), "empty": info("U8", [3, 0], 4, 4)}), 4
    yield json.dumps({"a": info("U8", [2], 0, 2), "b": info("U8", [2], 1, 3)}), 3  # overlap
    yield json.dumps({"a": info("U8", [2], 0, 2), "b": info("U8", [2], 3, 5)}), 5  # hole
    yield json.dumps({"a": info("U8", [2], 2, 0)}), 2
    yield json.dumps({"a": info("U8", [2**62], 0, 2**62)}), 2**62
    yield json.dumps({"a": info("F64", [2**32, 2**32], 0, 8)}), 8
    yield json.dumps({"a": info("F64", [0, 2**63 - 1, 4], 0, 0)}), 0
    yield '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{}}', 1
    yield '{"a":{"dtype":"U8","shape":[1],"other":[[{"x":null}],1.5e3],"data_offsets":[0,1]}} \n', 1
    yield '{"a":' + "[" * 130, 0


def safetensors_headers():
    for text, data in headers():
        text = text.encode()
        yield struct.pack("<Q", data) + text
        if data < 1000:
            yield struct.pack("<Q", len(text)) + text + bytes(data)
    yield b""
    yield struct.pack("<Q", 100_000_001) + b"{}"
    yield struct.pack("<Q", 4) + b'{"\xff'


def configs():
    llama = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 10,
             "hidden_size": 12, "intermediate_size": 7, "num_hidden_layers": 4,
             "num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 4,
             "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "hidden_act": "silu",
             "attention_bias": True, "mlp_bias": False, "tie_word_embeddings": True,
             "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": [2, 3],
             "torch_dtype": "float32", "rope_theta": 10000.0}
    qwen = {"model_type": "qwen2", "vocab_size": 10, "hidden_size": 12, "intermediate_size": 7,
            "num_hidden_layers": 2, "num_attention_heads": 3, "use_sliding_window": True,
            "sliding_window": 9, "max_window_layers": 1, "dtype": "bfloat16", "eos_token_id": 2}
    yield llama
    yield qwen
    yield {**qwen, "layer_types": ["full_attention", "sliding_attention"]}
    yield {**qwen, "quantization_config": {}}
    for scaling in ({"rope_type": "linear", "factor": 2.0}, {"type": "dynamic", "factor": 4},
                    {"rope_type": "yarn", "factor": 4, "beta_fast": 32, "beta_slow": 1,
                     "attention_factor": 1.5, "mscale": 0.7, "mscale_all_dim": 1,
                     "truncate": False, "original_max_position_embeddings": 32},
                    {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
                     "high_freq_factor": 4, "original_max_position_embeddings": 32}):
        yield {**llama, "rope_scaling": scaling}
    yield {**llama, "rope_parameters": {"rope_theta": 5e5, "rope_type": "default",
                                        "partial_rotary_factor": 1.0}}
    yield {**llama, "rope_parameters": {"full_attention": {}}}
    for key, value in (("hidden_size", 10**12), ("vocab_size", -1), ("num_hidden_layers", 10**9),
                       ("head_dim", 2**63), ("hidden_act", "gelu"), ("eos_token_id", [2, "3"])):
        yield {**llama, key: value}
    yield {**llama, "vocab_size": 2**31 - 1, "hidden_size": 2**31 - 2}
    yield []


def shard_indexes():
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    yield {"metadata": {"total_parameters": 3, "total_size": 12}, "weight_map": shards}
    yield {"metadata": {"total_size": 12.0}, "weight_map": shards}
    yield {"metadata": {"total_size": "12"}, "weight_map": shards}
    yield {"weight_map": {}}
    yield {"weight_map": []}
    for name in ("../x", "/etc/passwd", "..", ".", "", "a/b", "x\0y", "..\0", 7, None):
        yield {"weight_map": {**shards, "c": name}}


def main():
    for target, inputs in (("safetensors_header", safetensors_headers()), ("config", configs()),
                           ("shard_index", shard_indexes())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(inputs):
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            (folder / f"seed-{number:02}").write_bytes(content)


if __name__ == "__main__":
    main()
