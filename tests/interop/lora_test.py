"""LoRA adapters against PEFT, which makes, saves and merges them."""

import json

import pytest
import torch
from helpers import (FAMILIES, check_close, check_fails, check_same_logits, gladius, gladius_json,
                     random_config, random_ids, random_model, save_model)
from safetensors.torch import load_file, save_file

peft = pytest.importorskip("peft")
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def random_adapter(rng, model, path, **fixed):
    """Saved in `path`; returns PEFT's model."""
    config = peft.LoraConfig(**{
        "r": rng.choice([1, 2, 4]), "lora_alpha": rng.choice([1, 4, 16]),
        "target_modules": rng.sample(LAYERS, rng.randint(1, len(LAYERS))),
        "use_rslora": rng.random() < 0.5, "init_lora_weights": False, **fixed})
    torch.manual_seed(rng.randrange(2**31))
    adapted = peft.get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.mul_(0.1)  # updates of the weights' size: larger ones make any two differ
    adapted.save_pretrained(path)
    return adapted


@pytest.mark.parametrize("family", FAMILIES)
def test_same_logits_as_peft(family, rng, tmp_path):
    config = random_config(rng, family)
    base = random_model(rng, config)
    directory = save_model(base, tmp_path / "base")
    patterns = {}
    if rng.random() < 0.5:
        patterns = {"target_modules": LAYERS, "rank_pattern": {"q_proj": 3},
                    "alpha_pattern": {"layers.0.mlp.up_proj": 7, "q_proj": 5}}
    merged = random_adapter(rng, base, tmp_path / "adapter", **patterns).merge_and_unload()
    gladius("convert", "--model", directory, "--adapter", tmp_path / "adapter", "--dtype", "f32",
            "--out", tmp_path / "merged")
    ids = random_ids(rng, config.vocab_size, rng.randint(1, 30))
    check_same_logits("logits, LoRA", tmp_path / "merged", merged, ids, tmp_path / "of_merged")
    named = ",".join(map(str, ids))
    gladius("logits", "--model", directory, "--adapter", tmp_path / "adapter", "--ids", named, "--out",
            tmp_path / "applied")
    assert (tmp_path / "applied").read_bytes() == (tmp_path / "of_merged").read_bytes()


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_rounds_once(dtype, rng, tmp_path):
    """To the type of the weight, of a sum in float32."""
    base = random_model(rng, random_config(rng, "llama"))
    directory = save_model(base, tmp_path / "base", dtype)
    stored = load_file(directory / "model.safetensors")
    random_adapter(rng, base, tmp_path / "adapter", target_modules=["v_proj"], r=2, lora_alpha=6,
                   use_rslora=False)
    gladius("convert", "--model", directory, "--adapter", tmp_path / "adapter", "--dtype", dtype,
            "--out", tmp_path / "merged")
    found = load_file(tmp_path / "merged/model.safetensors")
    adapter = load_file(tmp_path / "adapter/adapter_model.safetensors")
    for name, weight in stored.items():
        expected = weight
        if name.endswith(".v_proj.weight"):
            layer = f"base_model.model.{name.removesuffix('.weight')}"
            a, b = (adapter[f"{layer}.lora_{part}.weight"].double() for part in "AB")
            expected = weight.double() + 3 * b @ a
            # Half a step of the type, which below the least normal number of f16 is 2^-25, and what
            # float32 rounds of the terms, however much of them the sum cancels.
            half_step = expected.abs() * {"bf16": 2**-8, "f16": 2**-11}[dtype]
            if dtype == "f16":
                half_step = half_step.clamp(min=2**-25)
            terms = weight.double().abs() + 3 * b.abs() @ a.abs()
            worst = ((found[name].double() - expected).abs()
                     / (half_step + terms * 2**-23)).max().item()
            check_close(f"LoRA in {dtype}, over half a step", worst, 1)
        else:
            assert torch.equal(found[name], weight), name


def test_quantised_base_and_evaluation(rng, tmp_path):
    """What is merged into blocks are their numbers; eval and generate take adapters."""
    config = random_config(rng, "qwen3", hidden_size=64, intermediate_size=64, head_dim=32)
    base = random_model(rng, config)
    directory = save_model(base, tmp_path / "base")
    random_adapter(rng, base, tmp_path / "adapter")
    blocks = tmp_path / "base.gguf"
    gladius("convert", "--model", directory, "--to", "gguf", "--dtype", "q8_0", "--out", blocks)
    adapter = ("--adapter", tmp_path / "adapter")
    gladius("convert", "--model", blocks, "--dtype", "f32", "--out", tmp_path / "numbers")
    gladius("convert", "--model", tmp_path / "numbers", *adapter, "--dtype", "f32", "--out",
            tmp_path / "merged")
    ids = random_ids(rng, config.vocab_size, 12)
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"input_ids": ids}) + "\n")
    ours = gladius_json("eval", "--model", blocks, *adapter, "--data", data)
    expected = gladius_json("eval", "--model", tmp_path / "merged", "--data", data)
    check_close("LoRA on blocks, loss", abs(ours["cross_entropy"] - expected["cross_entropy"]), 1e-4)
    text = ",".join(map(str, ids))
    gladius("generate", "--model", blocks, *adapter, "--ids", text, "--max-new-tokens", "3")


def test_refuses_by_name(rng, tmp_path):
    base = random_model(rng, random_config(rng, "llama"))
    directory, adapter = save_model(base, tmp_path / "base"), tmp_path / "adapter"
    random_adapter(rng, base, adapter, target_modules=["v_proj"])
    settings = json.loads((adapter / "adapter_config.json").read_text())
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = next(name for name in tensors if name.endswith("lora_A.weight"))

    def refused(change=None, changed=None, names=()):
        (adapter / "adapter_config.json").write_text(json.dumps(settings | (change or {})))
        save_file(changed if changed is not None else tensors, adapter / "adapter_model.safetensors")
        check_fails("logits", "--model", directory, "--adapter", adapter, "--ids", "1", names=names)

    for change in ({"use_dora": True}, {"bias": "all"}, {"modules_to_save": ["lm_head"]},
                   {"peft_type": "IA3"}, {"init_lora_weights": "pissa"}, {"lora_alpha": "many"},
                   {"alpha_pattern": {".*q_proj": 2}}):
        refused(change, names=["adapter_config.json", *change])
    tensor = tensors[name]
    without = {key: value for key, value in tensors.items() if key != name}
    refused(changed=without, names=["adapter_model.safetensors", "lora_A is missing"])
    refused(changed=without | {name: tensor[:, 1:].contiguous()}, names=["do not fit the weight"])
    refused(changed=without | {name: tensor.to(torch.int32)}, names=[name])
    refused(changed=tensors | {"base_model.model.lm_head.weight": tensor.clone()}, names=["lm_head.weight"])
    other = {key.replace("v_proj", "x_proj"): value for key, value in tensors.items()}
    refused(changed=other, names=["x_proj", "the model has no such layer"])
    (adapter / "adapter_model.safetensors").unlink()
    check_fails("logits", "--model", directory, "--adapter", adapter, "--ids", "1",
                names=["adapter_model.safetensors"])
    check_fails("logits", "--model", adapter, "--ids", "1", names=["--adapter"])
