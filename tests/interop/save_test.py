"""What `init`, `convert` and `distill` write, as transformers and safetensors read it."""

import hashlib
import json
import math
import shutil
import subprocess

import pytest
import torch
import transformers
from helpers import (BINARY, DTYPES, FAMILIES, ROOT, check_close, check_same_logits, csv, gladius, gladius_json,
                     random_config, random_ids, random_model, save_model)
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizer_texts import WORDS


def header_of(path):
    with open(path, "rb") as file:
        size = file.read(8)
        return size + file.read(int.from_bytes(size, "little"))


def load_without_complaint(path, **options):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        path, output_loading_info=True, **options)
    assert not any(info.values()), info
    return model.eval()


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The card's student, as `gladius init` writes it."""
    path = tmp_path_factory.mktemp("init") / "model"
    gladius("init", "--config", ROOT / "configs/gladius-125m.json", "--out", path, "--seed", 3,
            "--tokenizer", ROOT / "configs/default/tokenizer")
    yield path
    shutil.rmtree(path)


def test_the_students_files_have_the_cards_sizes(student):
    sizes = {"model.safetensors": 498_687_008, "config.json": 668, "generation_config.json": 133,
             "special_tokens_map.json": 551, "chat_template.jinja": 410}
    assert {name: (student / name).stat().st_size for name in sizes} == sizes
    assert (student / "config.json").read_bytes() == (
        ROOT / "configs/gladius-125m.json").read_bytes()
    assert json.loads((student / "generation_config.json").read_text()) == {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2,
        "transformers_version": "4.57.5", "use_cache": False}
    for file in (ROOT / "configs/default/tokenizer").iterdir():
        assert (student / file.name).read_bytes() == file.read_bytes()


def test_the_students_header_is_the_reference_writers(student, tmp_path):
    config = transformers.AutoConfig.from_pretrained(student)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    zeros = {name: torch.zeros(value.shape) for name, value in model.state_dict().items()}
    assert len(zeros) == 111
    save_file(zeros, tmp_path / "zeros", metadata={"format": "pt"})
    expected = header_of(tmp_path / "zeros")
    (tmp_path / "zeros").unlink()
    assert len(expected) == 12_320
    assert header_of(student / "model.safetensors") == expected


def test_the_student_loads_with_fresh_weights(student):
    model = load_without_complaint(student, dtype=torch.float32)
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_668_672
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert torch.equal(parameter, torch.ones_like(parameter)), name
            continue
        value, count = parameter.detach().double(), parameter.numel()
        # Five standard errors of a normal sample's mean and deviation.
        assert abs(value.mean()) < 5 * 0.02 / count**0.5, name
        assert abs(value.std() / 0.02 - 1) < 5 / (2 * count) ** 0.5, name
        kurtosis = (value**4).mean() / (value**2).mean() ** 2
        assert abs(kurtosis - 3) < 5 * (24 / count) ** 0.5, name


# Sections 7.1 and 7.2 of the card, as they stand there.
CARD_LOADING = """
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("amuzetnoM/Gladius")
tokenizer = AutoTokenizer.from_pretrained("amuzetnoM/Gladius")
"""
CARD_INFERENCE = """
import torch

prompt = "What is the capital of France?"
inputs = tokenizer(prompt, return_tensors="pt")

with torch.no_grad():
    outputs = model.generate(
        **inputs,
        max_new_tokens=50,
        do_sample=True,
        temperature=0.7,
        top_p=0.9,
        pad_token_id=tokenizer.eos_token_id
    )

response = tokenizer.decode(outputs[0], skip_special_tokens=True)
print(response)
"""


def test_the_cards_usage_runs_as_written(student, tmp_path, monkeypatch, capsys):
    # A directory of the name that the card gives is found before anything is downloaded.
    (tmp_path / "amuzetnoM").mkdir()
    (tmp_path / "amuzetnoM/Gladius").symlink_to(student)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(CARD_LOADING, names)
    tokenizer, config = names["tokenizer"], names["model"].config
    assert type(names["model"]) is transformers.LlamaForCausalLM
    assert tokenizer.vocab_size <= config.vocab_size
    # 6.2
    assert [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id,
            tokenizer.pad_token_id] == [1, 2, 0, 2]
    exec(CARD_INFERENCE, names)
    prompt, outputs = names["inputs"]["input_ids"][0], names["outputs"][0]
    assert torch.equal(outputs[:len(prompt)], prompt)
    assert len(prompt) < len(outputs) <= len(prompt) + 50
    assert names["response"].startswith(names["prompt"])
    assert capsys.readouterr().out == names["response"] + "\n"
    ids = gladius_json("tokenize", "--tokenizer", student, "--text", names["prompt"])["ids"]
    assert ids == prompt.tolist()


def test_the_student_as_inspect_sees_it(student):
    seen = gladius_json("inspect", student)
    with open(student / "model.safetensors", "rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    text = json.dumps(seen)
    assert checksum in text
    for number in (124_668_672, 24_576_000, 6_292_992, 498_687_008):
        assert str(number) in text, number
    assert len(seen["tensors"]) == 111


def test_inspect_prints_the_cards_tables(student):
    lines = [" ".join(line.split()) for line in gladius("inspect", student).splitlines()]
    for line in (
            # 2.3
            "embedding vocab x hidden 32,000 x 768 24,576,000",
            "LM head hidden x vocab 768 x 32,000 24,576,000", "final norm hidden 768 768",
            "per layer (see below) 6,292,992", "12 layers 12 x per layer 75,515,904",
            "total 124,668,672", "self_attn.q_proj.weight [768, 768] 589,824",
            "self_attn.k_proj.weight [256, 768] 196,608",
            "self_attn.v_proj.weight [256, 768] 196,608",
            "self_attn.o_proj.weight [768, 768] 589,824",
            "mlp.gate_proj.weight [2048, 768] 1,572,864",
            "mlp.up_proj.weight [2048, 768] 1,572,864",
            "mlp.down_proj.weight [768, 2048] 1,572,864", "input_layernorm.weight [768] 768",
            "post_attention_layernorm.weight [768] 768", "layer total 6,292,992",
            # 3.1, 3.2
            "model.safetensors: 498,687,008 bytes (475.58 MiB)",
            'safetensors (format: "pt"), 111 tensors, F32 (4 bytes a parameter)',
            # 3.3
            "lm_head.weight F32 [32000, 768] 24,576,000 98,304,000",
            "model.layers.11.self_attn.v_proj.weight F32 [256, 768] 196,608 786,432"):
        assert line in lines, line
    assert sum("SHA-256" in line for line in lines) == 1
    # 3.4: the sizes are exact, the rest is an estimate near the card's.
    table = {line.split()[0]: line for line in lines if line.startswith(("float", "int"))}
    sizes = {"float32": "475.57 MiB", "float16": "237.79 MiB", "int8": "118.89 MiB",
             "int4": "59.45 MiB"}
    for name, size in sizes.items():
        assert size in table[name], table[name]
    assert "n/a" in table["int8"] and "n/a" not in table["float16"]
    needs = gladius_json("inspect", student)["memory"]["precisions"][0]
    assert 500e6 < needs["inference_bytes"] < 700e6 and 2e9 < needs["training_bytes"] < 3e9


def test_seeds(tmp_path):
    files = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        gladius("init", "--config", ROOT / "configs/default/expert.json", "--out", tmp_path / name,
                "--seed", seed)
        files[name] = (tmp_path / name / "model.safetensors").read_bytes()
    assert files["a"] == files["b"] != files["c"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", list(DTYPES))
def test_init_of_random_configurations(dtype, family, rng, tmp_path):
    """Biases 0, norms 1; the tensors and the header that transformers would write."""
    config = random_config(rng, family)
    config.architectures = [type(random_model(rng, config)).__name__]
    config.save_pretrained(tmp_path)
    gladius("init", "--config", tmp_path / "config.json", "--out", tmp_path / "ours", "--seed",
            rng.randrange(1000), "--dtype", dtype)
    save_model(random_model(rng, config), tmp_path / "theirs", dtype)
    assert header_of(tmp_path / "ours/model.safetensors") == header_of(
        tmp_path / "theirs/model.safetensors")
    model = load_without_complaint(tmp_path / "ours")
    assert model.dtype == DTYPES[dtype]
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("bias"):
            assert torch.equal(parameter, torch.full_like(parameter, "norm" in name)), name


def test_conversion_to_the_same_type_gives_the_same_file(rng, tmp_path):
    dtype = rng.choice(list(DTYPES))
    path = save_model(random_model(rng, random_config(rng)), tmp_path / "model", dtype)
    gladius("convert", "--model", path, "--dtype", dtype, "--out", tmp_path / "out")
    assert (tmp_path / "out/model.safetensors").read_bytes() == (
        path / "model.safetensors").read_bytes()


def special_values(dtype):
    """Infinities, zeros, subnormals, and the neighbourhood of every rounding boundary that a
    random 16-bit value has."""
    info = torch.finfo(dtype)
    values = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-45, -1e-45,
                           1e-38, 1e-40, info.max, -info.max, info.tiny, info.tiny / 2,
                           info.smallest_normal / 1024, 3.4e38, 65504.0, 65519.9, 65520.0, 65536.0])
    random = torch.randint(-2**15, 2**15, (20_000,), dtype=torch.int16).view(dtype).float()
    random = random[random.isfinite()]
    after = random.view(torch.int32) + (2**15 if dtype == torch.bfloat16 else 2**12)
    nans = torch.randint(0x7f800001, 0x7fffffff, (200,), dtype=torch.int64).to(torch.int32)
    values = torch.cat([values, nans.view(torch.float32), (nans | -2**31).view(torch.float32)])
    nudged = [(after + by).view(torch.float32) for by in (-1, 0, 1)]
    return torch.cat([values, random, *nudged])


def overflows(values, dtype):
    return values.isfinite() & values.to(dtype).float().isinf()


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_conversion_refuses_what_would_become_infinite(dtype, rng, tmp_path):
    model = random_model(rng, random_config(rng))
    special = special_values(DTYPES[dtype])
    value = rng.choice(special[overflows(special, DTYPES[dtype])].tolist())
    with torch.no_grad():
        model.model.norm.weight[0] = value
    path = save_model(model, tmp_path / "model")
    result = subprocess.run([BINARY, "convert", "--model", path, "--dtype", dtype, "--out",
                             tmp_path / "out"], capture_output=True, text=True)
    assert result.returncode == 1, value
    assert 'tensor "model.norm.weight": 1 of ' in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_conversion_is_torchs_to_the_bit(dtype, rng, tmp_path):
    torch.manual_seed(rng.randrange(2**31))
    config = random_config(rng, vocab_size=2001, hidden_size=48, num_attention_heads=4,
                           num_key_value_heads=2)
    model = random_model(rng, config)
    special = special_values(DTYPES[dtype])
    special[overflows(special, DTYPES[dtype])] = 0
    with torch.no_grad():
        model.model.embed_tokens.weight.view(-1)[: len(special)] = special[:2001 * 48]
    path = save_model(model, tmp_path / "model")
    gladius("convert", "--model", path, "--dtype", dtype, "--out", tmp_path / "out")
    ours = load_file(tmp_path / "out/model.safetensors")
    expected = {name: value.to(DTYPES[dtype])
                for name, value in load_file(path / "model.safetensors").items()}
    assert set(ours) == set(expected)
    for name, value in expected.items():
        assert ours[name].dtype == value.dtype
        assert torch.equal(ours[name].view(torch.int16), value.view(torch.int16)), name
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config.get("dtype", config.get("torch_dtype")) == str(DTYPES[dtype])[len("torch."):]


def test_conversion_into_shards(rng, tmp_path):
    model = random_model(rng, random_config(rng, num_hidden_layers=3))
    limit = 4 * sum(parameter.numel() for parameter in model.parameters()) // 3  # of all in f32
    path = save_model(model, tmp_path / "model", "bf16",
                      max_shard_size=rng.choice(["5GB", "30KB"]))
    gladius("convert", "--model", path, "--dtype", "f32", "--out", tmp_path / "out",
            "--max-shard-size", limit)
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())
    shards = sorted(set(index["weight_map"].values()))
    assert len(shards) > 1
    for number, name in enumerate(shards, 1):
        assert name == f"model-{number:05}-of-{len(shards):05}.safetensors"
        with safe_open(tmp_path / "out" / name, "pt") as shard:
            assert set(shard.keys()) == {k for k, v in index["weight_map"].items() if v == name}
            size = sum(shard.get_tensor(key).nbytes for key in shard.keys())
            assert size <= limit or len(shard.keys()) == 1
    ours, source = load_without_complaint(tmp_path / "out"), load_without_complaint(path)
    for (name, value), (_, expected) in zip(ours.named_parameters(), source.named_parameters()):
        assert value.dtype == torch.float32
        assert torch.equal(value, expected.float()), name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_distilled_student_loads_and_gives_the_same_logits(family, rng, tmp_path):
    config = random_config(rng, family)
    teacher = save_model(random_model(rng, random_config(rng, vocab_size=config.vocab_size)),
                         tmp_path / "teacher")
    config.architectures = [type(random_model(rng, config)).__name__]
    config.save_pretrained(tmp_path)
    data = [{"input_ids": random_ids(rng, config.vocab_size, 12)} for _ in range(4)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in data))
    run = {"student": {"config": "config.json", "seed": 1},
           "experts": [{"name": "expert", "model": "teacher", "steps": 8}],
           "data": {"train": "data.jsonl"}, "gradient_accumulation": 2,
           "optimizer": {"lr": 0.01}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    gladius("distill", tmp_path / "run.json", "--out", tmp_path / "out")
    model = load_without_complaint(tmp_path / "out/model", dtype=torch.float32)
    check_same_logits("logits of a distilled student", tmp_path / "out/model", model,
                      random_ids(rng, config.vocab_size, 30), tmp_path / "logits")


def test_eval_is_the_mean_cross_entropy(rng, tmp_path):
    config = random_config(rng)
    path = save_model(random_model(rng, config), tmp_path / "model")
    model, total, tokens = load_without_complaint(path), 0.0, 0
    with open(tmp_path / "data.jsonl", "w", encoding="utf-8") as file:
        for _ in range(5):
            ids = random_ids(rng, config.vocab_size, rng.randint(2, 40))
            file.write(json.dumps({"input_ids": ids}) + "\n")
            with torch.no_grad():
                loss = model(torch.tensor([ids]), labels=torch.tensor([ids])).loss.item()
            total, tokens = total + loss * (len(ids) - 1), tokens + len(ids) - 1
    ours = gladius_json("eval", "--model", path, "--data", tmp_path / "data.jsonl")
    check_close("eval cross-entropy", abs(ours["cross_entropy"] / (total / tokens) - 1), 1e-5)
    perplexity = torch.tensor(total / tokens).exp().item()
    check_close("eval perplexity", abs(ours["perplexity"] / perplexity - 1), 1e-4)


def random_text(rng):
    """Of words that the Llama kind gives back as they are: no mark of a space, no name of a byte."""
    words = [word for word in WORDS if "▁" not in word and "<0x" not in word]
    return "".join(rng.choice(words) if rng.random() < 0.5 else
                   "".join(rng.choice("etaoin ") for _ in range(rng.randint(1, 9)))
                   for _ in range(rng.randint(2, 30)))


@pytest.mark.parametrize("kind", ["llama", "byte-level"])
def test_eval_gives_bits_per_byte_of_the_text(kind, rng, tmp_path):
    """Tokens of several characters, characters of several tokens; the end costs and has no bytes."""
    texts = ["start of a text " + random_text(rng) for _ in range(6)]
    (tmp_path / "texts.txt").write_text("\n".join(texts), newline="")
    gladius("tokenizer", "train", "--data", tmp_path / "texts.txt", "--vocab-size", 400,
            "--kind", kind, "--out", tmp_path / "tokenizer")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    config = random_config(rng, vocab_size=len(tokenizer), max_position_embeddings=4096)
    path = save_model(random_model(rng, config), tmp_path / "model")
    shutil.copytree(tmp_path / "tokenizer", path, dirs_exist_ok=True)
    model, lines, nats, size = load_without_complaint(path), [], 0.0, 0
    for text in texts:
        ids = tokenizer(text).input_ids
        line = {"text": text}
        if rng.random() < 0.5:
            ids.append(tokenizer.eos_token_id)
            line = {"input_ids": ids}
        lines.append(json.dumps(line) + "\n")
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].double()
        nats += torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]),
                                                  reduction="sum").item()
        # The first token has no label; the Llama kind's is <s>.
        first = tokenizer.decode(ids[:1], skip_special_tokens=True)
        assert text.startswith(first)
        size += len(text.encode()) - len(first.encode())
    (tmp_path / "data.jsonl").write_text("".join(lines))
    arguments = ("eval", "--model", path, "--data", tmp_path / "data.jsonl", "--max-seq-len", 4096)
    ours = gladius_json(*arguments)
    assert ours["bytes"] == size
    expected = nats / math.log(2) / size
    check_close("eval bits per byte", abs(ours["bits_per_byte"] / expected - 1), 1e-5)
    line = f"bits per byte  {ours['bits_per_byte']:.4f} (over {size} bytes)\n"
    assert line in gladius(*arguments)
