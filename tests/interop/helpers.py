"""The program under test, and random models as transformers writes them."""

import json
import os
import subprocess
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("GLADIUS_BIN", ROOT / "build/release/bin")).resolve() / "gladius"
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
FAMILIES = ["llama", "qwen2", "qwen3"]
# Parameters of each kind of scaled rotary embedding.
ROPE_SCALING = {
    "linear": {"factor": 2.5},
    "dynamic": {"factor": 3.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 32},
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 64},
}
# Largest value of each measured difference, and its limit.
WORST = {}


def run_gladius(*args, timeout=120):
    """Runs the program; returns its CompletedProcess whatever the exit code."""
    assert BINARY.is_file(), f"{BINARY} is missing: ./run build, or set GLADIUS_BIN"
    return subprocess.run([BINARY, *map(str, args)], capture_output=True, timeout=timeout,
                          check=False)


def gladius(*args, **options):
    """Runs the program, which has to succeed; returns its standard output."""
    done = run_gladius(*args, **options)
    command = " ".join(map(str, args))[:500]
    assert done.returncode == 0, (
        f"gladius {command}: exit code {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def gladius_json(*args, **options):
    return json.loads(gladius(*args, "--json", **options))


def edit_json(path, **changes):
    """Sets keys of a JSON file; `...` removes one."""
    content = json.loads(path.read_text())
    for key, value in changes.items():
        content.pop(key, None) if value is ... else content.update({key: value})
    path.write_text(json.dumps(content))


def check_fails(*args, names):
    """The command fails with one line, which has all of `names` in it."""
    done = run_gladius(*args)
    error = done.stderr.decode()
    assert done.returncode == 1, (done.returncode, error)
    assert error.startswith("gladius: error: "), error
    assert error.count("\n") == 1 and error.endswith("\n"), error
    for name in names:
        assert str(name) in error, (name, error)


def note_worst(name, difference, limit):
    """The worst difference of all tests is printed at the end."""
    worst, _ = WORST.get(name, (0.0, limit))
    WORST[name] = (max(worst, float(difference)), float(limit))


def check_close(name, difference, limit, detail=""):
    """Fails beyond the limit, with the detail."""
    note_worst(name, difference, limit)
    assert difference <= limit, f"{name}: {difference:.3e} > {limit:.3g} {detail}"


def relative_norm(value, reference, floor=0.0):
    """|value - reference| / |reference|, the denominator at least `floor`."""
    difference = torch.linalg.vector_norm(value.double() - reference.double()).item()
    return difference / max(torch.linalg.vector_norm(reference.double()).item(), floor, 1e-300)


def torch_generator(rng):
    return torch.Generator().manual_seed(rng.randrange(2**62))


def csv(ids):
    return ",".join(map(str, ids))


def random_ids(rng, vocab, length):
    return [rng.randrange(vocab) for _ in range(length)]


def random_labels(rng, vocab, length, ignored=0.3):
    """Some are ignored, one at least is not."""
    labels = [-100 if rng.random() < ignored else rng.randrange(vocab) for _ in range(length)]
    labels[rng.randrange(length)] = rng.randrange(vocab)
    return labels


def random_config(rng, family=None, groups=None, **fixed):
    """A configuration of odd sizes; `groups` query heads share a key/value head."""
    family = family or rng.choice(FAMILIES)
    kv_heads = rng.randint(1, 4)
    heads = kv_heads * (groups or rng.choice([1, 2, 3, 4, 6]))
    per_head = rng.randint(2, 12)  # hidden_size has to be a multiple of the heads
    head_dim = 2 * rng.randint(1, 24) if rng.random() < 0.7 or per_head % 2 else per_head
    values = {
        "vocab_size": 2 * rng.randint(20, 160) + 1,
        "hidden_size": heads * per_head,
        "intermediate_size": rng.randint(3, 150),
        "num_hidden_layers": rng.randint(1, 4),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "rope_theta": rng.choice([10_000.0, 500_000.0, 1e6, round(rng.uniform(50, 5000), 3)]),
        "rms_norm_eps": rng.choice([1e-5, 1e-6]),
        "tie_word_embeddings": rng.random() < 0.5,
        "initializer_range": rng.choice([0.02, 0.1, 0.25]),
        "max_position_embeddings": 512,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if family in ("llama", "qwen3"):
        values["attention_bias"] = rng.random() < 0.5
    if family == "llama":
        values["mlp_bias"] = rng.random() < 0.5
    values |= fixed
    if "rope_parameters" in fixed:
        del values["rope_theta"]
    config = transformers.AutoConfig.for_model(family, **values)
    print(config)  # shown when a test fails
    return config


def random_model(rng, config):
    """Biases and norms are random too: zeros and ones would hide mistakes."""
    generator = torch_generator(rng)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_((0.1 if name.endswith("bias") else config.initializer_range)
                                * noise)
    return model


def save_model(model, path, dtype="f32", max_shard_size="5GB"):
    """Saves a copy in `dtype`; returns the directory."""
    half = {name: value.to(DTYPES[dtype]) for name, value in model.state_dict().items()}
    copy = transformers.AutoModelForCausalLM.from_config(model.config, dtype=DTYPES[dtype])
    copy.load_state_dict(half)
    copy.save_pretrained(path, max_shard_size=max_shard_size)
    return path


def use_older_config_style(path):
    """Rewrites config.json as transformers 4 wrote it: rope_theta at the top, torch_dtype."""
    config = json.loads((path / "config.json").read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    (path / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_reference(path):
    """The model of a directory as transformers loads it, computing in float32."""
    return transformers.AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager").eval()


def logits_of(model, ids):
    """[tokens, vocabulary]"""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


def gladius_logits(model_dir, ids, out):
    gladius("logits", "--model", model_dir, "--ids", csv(ids), "--out", out)
    tensors = load_file(out)
    assert list(tensors) == ["logits"]
    return tensors["logits"]


def limit_of_blocks(kind, tokens):
    """Of logits by weights of a GGUF type: up to 16 tokens, and any number by the K types, are
    multiplied by blocks as integers of 16 bits (tensor/kernels/blocks.h), of which small models'
    layers make up to 3e-4."""
    kind = kind.upper()
    return 1e-3 if kind.startswith("Q") and (tokens <= 16 or kind.endswith("_K")) else 1e-4


def check_same_logits(name, model_dir, reference, ids, out, limit=1e-4):
    """Ours of the directory against the reference model's, relative to the largest logit."""
    ours, expected = gladius_logits(model_dir, ids, out), logits_of(reference, ids)
    assert ours.shape == expected.shape
    assert ours.dtype == torch.float32
    difference = ((ours - expected).abs().max() / expected.abs().max()).item()
    check_close(name, difference, limit)


def divergences(student, teacher, divergence, beta):
    """Of softened logits [tokens, entries], a number a token. Where the teacher has -inf, reverse KL
    leaves the entry out."""
    possible = teacher != -torch.inf
    log_p = torch.log_softmax(teacher, -1)
    p, log_p = log_p.exp(), log_p.masked_fill(~possible, 0)
    if divergence == "reverse_kl":
        log_q = torch.log_softmax(student.masked_fill(~possible, -1e30), -1)
        return (log_q.exp() * (log_q - log_p)).sum(-1)
    log_q = torch.log_softmax(student, -1)
    if divergence == "forward_kl":
        return torch.nn.functional.kl_div(log_q, p, reduction="none").sum(-1)
    q = log_q.exp()
    log_m = torch.log(beta * p + (1 - beta) * q)
    of_teacher = (p * (log_p - log_m)).sum(-1)
    if divergence == "skew_kl":
        return of_teacher
    return beta * of_teacher + (1 - beta) * (q * (log_q - log_m)).sum(-1)


def distillation_loss(student, teacher, labels, *, temperature=1, alpha=0, reduction="mean",
                      sequences=1, vocabulary=0, ignore_index=-100, divergence="forward_kl",
                      beta=0.5, tokens="all"):
    """alpha * divergence * T^2 + (1 - alpha) * CE of logits [tokens, vocabulary], the divergence
    over the first `vocabulary` entries (0: those that both have) of the tokens that count; the
    cross-entropy without a teacher. Returns loss, kl, ce."""
    ce = torch.nn.functional.cross_entropy(student, labels, ignore_index=ignore_index)
    if teacher is None:
        return ce, None, ce
    common = vocabulary or min(student.shape[-1], teacher.shape[-1])
    counted = torch.ones_like(labels, dtype=torch.bool) if tokens == "all" else labels != ignore_index
    kl = divergences(student[counted, :common] / temperature,
                     teacher[counted, :common] / temperature, divergence, beta).sum()
    count = sequences if reduction == "batchmean" else max(1, int(counted.sum()))
    kl = kl * temperature**2 / count
    return alpha * kl + (1 - alpha) * ce, kl, ce


def save_logits(path, logits):
    save_file({"logits": logits.contiguous()}, path)
    return path
