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


def chat_templates():
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": [1, None]}}}
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "<think>\nx\n</think>\n\né", "tool_calls": [call]},
                {"role": "tool", "content": "{}"}, {"role": "assistant", "content": "ok"},
                {"role": "user", "content": " bye \n"}]
    context = {"messages": messages, "tools": [{"type": "function", "function": {"name": "f"}}],
               "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>",
               "enable_thinking": False}
    for file in sorted((CORPUS.parents[1] / "interop/templates").glob("*.jinja")):
        yield file.read_bytes() + b"\0" + json.dumps(context).encode()
        plain = {**context, "messages": messages[1:2], "tools": None}
        yield file.read_bytes() + b"\0" + json.dumps(plain).encode()
    for text in (
            "{%- set ns = namespace(a=0, b=[]) -%}{% for m in messages if m.role != 'x' %}"
            "{{ loop.index0 ~ loop.previtem ~ loop.last }}{% set ns.a = ns.a + 1 %}{% else %}-"
            "{% endfor %}{{ ns.a ** 2 // 3 % 4 - 1.5 }}",
            "{% macro m(a, b=2) %}{{ a | default('x') | upper | trim }}{{ b }}{% endmacro %}"
            "{{ m(1, b='y') }}{% filter indent(2) %}a\nb{% endfilter %}{% raw %}{{{% endraw %}",
            "{{ messages[::-1] | map(attribute='role') | join(', ') }}{{ 'abc'[1:] * 3 }}"
            "{{ {'a': (1, none)} | tojson(indent=2) }}{{ messages | selectattr('role', 'equalto', "
            "'user') | list | length }}{{ 'a-b'.split('-')[-1].title() }}",
            "{% with a = 1 %}{% set b %}x{{ a }}{% endset %}{{ b in 'xx1' and not b is none }}"
            "{% endwith %}{% generation %}{{ strftime_now('%Y') }}{% endgeneration %}",
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{{ raise_exception('no: ' ~ messages) }}",
            "{{ " + "(" * 150):
        yield text.encode()


def tokenizers():
    def added(id_, content, **flags):
        keys = ("single_word", "lstrip", "rstrip", "normalized")
        return {"id": id_, "content": content, "special": True,
                **{key: flags.get(key, False) for key in keys}}

    texts = ("Hello  world\n\n 12 it's \u00e9<s> <s>a\u0301".encode(), b"\xff\xc3 a\xf0\x9f\x98",
             ("\u4f60\u597d" * 5 + "\U0001f468\u200d\U0001f469").encode(), b" " * 40)
    pieces = ["<unk>", "<s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += ["\u2581", "a", "b", "l", "o", "He", "ll", "\u2581a", "lo", "llo"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    bpe = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
           "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True,
           "ignore_merges": False, "vocab": vocabulary,
           "merges": ["l o", ["l", "lo"], "\u2581 a"]}
    template = {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                           {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                         {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    spaces = [{"type": "Prepend", "prepend": "\u2581"},
              {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]
    decoder = [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
               {"type": "ByteFallback"}, {"type": "Fuse"},
               {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    llama = {"version": "1.0", "truncation": None, "padding": None,
             "added_tokens": [added(0, "<unk>"), added(1, "<s>", lstrip=True, rstrip=True)],
             "normalizer": {"type": "Sequence", "normalizers": spaces}, "pre_tokenizer": None,
             "post_processor": template, "decoder": {"type": "Sequence", "decoders": decoder},
             "model": bpe}
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first",
                 "split": False}
    # Byte-level tokens: the printable bytes are themselves, the others come from U+0100 on.
    byte_level = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {**{byte: chr(byte) for byte in byte_level}}
    for byte in range(256):
        letters.setdefault(byte, chr(256 + len(letters) - len(byte_level)))
    tokens = [letters[byte] for byte in range(256)] + ["He", "ll", "llo", "\u0120a"]
    split = {"type": "Split", "behavior": "Isolated", "invert": False,
             "pattern": {"Regex": "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
                                  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
              "use_regex": False}
    qwen = {**llama, "added_tokens": [added(260, "<s>", single_word=True, normalized=True)],
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes_]},
            "post_processor": bytes_, "decoder": bytes_,
            "model": {**bpe, "unk_token": None, "byte_fallback": False, "fuse_unk": False,
                      "ignore_merges": True,
                      "vocab": {token: number for number, token in enumerate(tokens)},
                      "merges": ["H e", "l l", "ll o", "\u0120 a"]}}
    for tokenizer in (llama, {**llama, "normalizer": None, "pre_tokenizer": metaspace,
                              "decoder": metaspace}, qwen):
        for text in texts:
            yield json.dumps(tokenizer, ensure_ascii=False,
                             separators=(",", ":")).encode() + b"\0" + text


def gguf_text(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_value(value):
    """Type and bytes."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_text(value)
    kind = 8 if isinstance(value[0], str) else 5 if isinstance(value[0], int) else 6
    return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(
        gguf_text(item) if kind == 8 else struct.pack("<i" if kind == 5 else "<f", item)
        for item in value)


def gguf_file(keys, tensors, version=3):
    """tensors: name, sizes (fastest first), type, bytes."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for key, value in keys.items():
        out += gguf_text(key) + gguf_value(value)
    offset = 0
    for name, sizes, kind, size in tensors:
        out += gguf_text(name) + struct.pack(f"<I{len(sizes)}qIQ", len(sizes), *sizes, kind, offset)
        offset += -(-size // 32) * 32
    return out + bytes(-len(out) % 32) + bytes(offset)


def gguf_files():
    model = {"general.architecture": "llama", "general.alignment": 32, "llama.context_length": 64,
             "llama.embedding_length": 32, "llama.block_count": 1, "llama.feed_forward_length": 32,
             "llama.attention.head_count": 2, "llama.attention.layer_norm_rms_epsilon": 1e-5,
             "llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": 4.0}
    byte_level = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
                  "tokenizer.ggml.tokens": ["<end>", "H", "e", "He", "1", "[PAD]"],
                  "tokenizer.ggml.token_type": [3, 1, 1, 1, 4, 5],
                  "tokenizer.ggml.merges": ["H e"], "tokenizer.ggml.eos_token_id": 0,
                  "tokenizer.chat_template": "{{ messages }}"}
    llama = {"tokenizer.ggml.model": "llama",
             "tokenizer.ggml.tokens": ["<unk>", "<s>", "H", "e", "He", "\u2581", "<0x41>"],
             "tokenizer.ggml.token_type": [2, 3, 1, 1, 1, 1, 6],
             "tokenizer.ggml.scores": [0.0, 0.0, -2.0, -3.0, -1.0, -4.0, 0.0],
             "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.unknown_token_id": 0}
    tensors = [("token_embd.weight", (32, 6), 8, 6 * 34), ("blk.0.attn_norm.weight", (32,), 0, 128),
               ("blk.0.attn_q.weight", (32, 32), 2, 32 * 18), ("rope_freqs.weight", (8,), 0, 32)]
    yield gguf_file({}, [])
    yield gguf_file(model | byte_level, tensors)
    yield gguf_file(model | llama, tensors, version=2)
    yield gguf_file(model | {"general.architecture": "qwen2"}, tensors[:1])
    for pre in ("qwen2", "llama-bpe", "default", "gpt-2"):
        yield gguf_file(byte_level | {"tokenizer.ggml.pre": pre,
                                      "tokenizer.ggml.add_bos_token": True,
                                      "tokenizer.ggml.bos_token_id": 0}, [])


def main():
    for target, inputs in (("safetensors_header", safetensors_headers()), ("config", configs()),
                           ("gguf", gguf_files()),
                           ("shard_index", shard_indexes()),
                           ("chat_template", chat_templates()), ("tokenizer", tokenizers())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(inputs):
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            (folder / f"seed-{number:02}").write_bytes(content)


if __name__ == "__main__":
    main()
