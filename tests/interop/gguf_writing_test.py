"""GGUF files that are written, against the Python package `gguf`, transformers and tokenizers."""

import json

import numpy as np
import pytest
import torch
import transformers
from gguf_files import (TYPES, arrays_of, check_same_tokens, dequantised_reference, gguf, heads_of,
                        model_config, permute)
from helpers import (FAMILIES, ROOT, check_close, check_same_logits, csv, gladius, gladius_json,
                     limit_of_blocks, logits_of, note_worst, random_config, random_ids, random_model, save_model)
from tokenizer_texts import corpus

TOKENIZERS = ROOT / "../shared/data/tokenizers"
QUANTISED = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1"]
# Between two logits of two programs, of the largest: each may be 1e-4 off (check_same_logits).
ROUNDING = 2e-4


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
    length = rng.randint(1, 30)
    ids = random_ids(rng, config.vocab_size, length)
    check_same_logits(f"logits, written as {kind}", path, reference, ids, tmp_path / "out",
                      limit_of_blocks(kind, length))


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
    length = rng.randint(1, 30)
    ids = random_ids(rng, config.vocab_size, length)
    check_same_logits(f"logits, written as {kind}", path, reference, ids, tmp_path / "out",
                      limit_of_blocks(kind, length))


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


@pytest.mark.parametrize("kind,through", [("f32", "f32"), ("bf16", "bf16"), ("bf16", "f32"),
                                          ("f16", "f16"), ("f16", "f32")])
@pytest.mark.parametrize("family", FAMILIES)
def test_there_and_back(family, kind, through, rng, tmp_path):
    """GGUF, directory, GGUF: the same weights to the byte, in float types. Norms and biases of more
    digits than the matrices come back through a directory of float32."""
    directory = save_model(random_model(rng, model_config(rng, family)), tmp_path / "model", through)
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    gladius("convert", "--model", directory, "--to", "gguf", "--dtype", kind, "--out", first)
    gladius("convert", "--model", first, "--dtype", through, "--out", tmp_path / "again")
    gladius("convert", "--model", tmp_path / "again", "--to", "gguf", "--dtype", kind, "--out",
            second)
    pairs = zip(gguf.GGUFReader(first).tensors, gguf.GGUFReader(second).tensors, strict=True)
    for one, other in pairs:
        assert one.name == other.name and one.tensor_type == other.tensor_type
        assert one.shape.tolist() == other.shape.tolist()
        assert np.array_equal(one.data.view(np.uint8), other.data.view(np.uint8)), one.name


@pytest.mark.parametrize("kind", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_goes_on_as_we_do(family, kind, rng, tmp_path):
    """64 tokens, greedily, of our file as transformers loads it. The reference gives each of our
    tokens the largest logit, but for rounding; and its own continuation is ours up to the first
    choice that rounding could decide."""
    heads = rng.choice([2, 4])
    # Its loader takes no width of heads from the file for Qwen, and no biases for Llama and Qwen3.
    config = model_config(rng, family, num_attention_heads=heads,
                          head_dim=128 if family == "qwen3" else 64 // heads,
                          **({} if family == "qwen2" else {"attention_bias": False}),
                          **({"mlp_bias": False} if family == "llama" else {}))
    directory = save_model(random_model(rng, config), tmp_path / "model")
    path = tmp_path / "model.gguf"
    gladius("convert", "--model", directory, "--to", "gguf", "--dtype", kind, "--out", path)
    prompt = random_ids(rng, config.vocab_size, rng.randint(1, 20))
    ours = gladius_json("generate", "--model", path, "--ids", csv(prompt), "--greedy",
                        "--max-new-tokens", 64)["ids"]
    assert len(ours) == 64

    reference = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    reference.generation_config.eos_token_id = None
    logits = logits_of(reference, prompt + ours)[len(prompt) - 1:-1].double()
    largest = logits.abs().amax(-1)
    behind = (logits.amax(-1) - logits[range(64), ours]) / largest
    check_close("greedy continuation of GGUF: how far our token is behind", behind.max().item(),
                ROUNDING)
    best, second = logits.topk(2).values.unbind(-1)
    close = ((best - second) / largest <= ROUNDING).nonzero().flatten().tolist()
    note_worst("greedy continuation of GGUF: choices of 64 too close to call", len(close), 64)
    sure = close[0] if close else 64
    expected = reference.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=64)
    assert ours[:sure] == expected[0, len(prompt):len(prompt) + sure].tolist()


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
