"""`gladius distill` against the same training in PyTorch, from the same weights."""

import functools
import json

import pytest
import torch
import transformers
from helpers import (check_close, distillation_loss, gladius, load_reference, random_config,
                     random_ids, random_labels, random_model, relative_norm, save_model)
from operations_reference import Muon

UPDATES = 20


def make_data(rng, path, vocab, count):
    """Sequences of ids; a third leaves its labels to be the next ids."""
    with open(path, "w", encoding="utf-8") as file:
        data = []
        for _ in range(count):
            ids = random_ids(rng, vocab, rng.randint(2, 30))
            record, labels = {"input_ids": ids}, ids[1:] + [-100]
            if rng.random() < 0.67:
                record["labels"] = labels = random_labels(rng, vocab, len(ids))
            file.write(json.dumps(record) + "\n")
            data.append((torch.tensor([ids]), torch.tensor(labels)))
    return data


def random_run(rng, student, data, batch_size, schedule, accumulation):
    return {
        "student": {"config": f"{student}/config.json", "init": str(student), "seed": 0},
        "experts": [],
        "data": {"train": str(data), "max_seq_len": 64, "shuffle": False},
        "optimizer": {"lr": 10 ** rng.uniform(-4.5, -3),
                      "weight_decay": rng.choice([0.0, 0.01, 0.3]),
                      "betas": [0.9, rng.choice([0.95, 0.999])], "eps": rng.choice([1e-8, 1e-5]),
                      "max_grad_norm": rng.choice([0.3, 1.0, 50.0]), "schedule": schedule,
                      "warmup_steps": rng.choice([0, 3])},
        "batch_size": batch_size, "gradient_accumulation": accumulation,
        "log_every": 10, "checkpoint_every": 1000, "keep_checkpoints": 1, "seed": 0,
    }


def groups(steps, run):
    """Steps of each update; the last one of an expert may have fewer."""
    size = run["gradient_accumulation"]
    return [size] * (steps // size) + [steps % size] * (steps % size > 0)


def make_optimizers(model, options):
    """AdamW of all, or Muon of the layers' matrices and AdamW of the rest; decay as the run has it."""
    muon = options.get("name") == "muon"
    hidden = [p for name, p in model.named_parameters()
              if muon and ".layers." in name and p.dim() == 2]
    rest = [p for p in model.parameters() if not any(p is other for other in hidden)]
    decayed = [p for p in rest if options.get("decay", "all") == "all" or p.dim() > 1]
    plain = [p for p in rest if not any(p is other for other in decayed)]
    groups_ = [{"params": decayed, "weight_decay": options["weight_decay"]},
               {"params": plain, "weight_decay": 0}]
    optimizers = [torch.optim.AdamW([group for group in groups_ if group["params"]],
                                    lr=options["lr"], betas=options["betas"],
                                    eps=options["eps"])]
    if muon:
        optimizers.append(Muon(hidden, options["lr"], options["weight_decay"],
                               options["momentum"]))
    return optimizers


def train_in_torch(run, student, stages, data, loss_options, dtype=torch.float64):
    """`stages`: (teacher or None, steps). Returns each step's metrics and the trained model.

    In float64: AdamW carries float32's rounding on from step to step.
    """
    model, options = load_reference(student).to(dtype), run["optimizer"]
    loss = run.get("loss", {})
    default = "micro_batch" if loss.get("reduction") == "batchmean" else "tokens"
    whole_updates = loss.get("normalization", default) == "tokens"
    update = []
    optimizers = make_optimizers(model, options)
    name = options["schedule"]
    schedules = [transformers.get_scheduler(
        "constant_with_warmup" if name == "constant" else name, optimizer,
        num_warmup_steps=options["warmup_steps"],
        num_training_steps=sum(len(groups(steps, run)) for _, steps in stages))
        for optimizer in optimizers]
    batch, metrics = run["batch_size"], []
    for teacher, size, last in ((teacher, size, place == size - 1) for teacher, steps in stages
                                for size in groups(steps, run) for place in range(size)):
        step = len(metrics)
        chosen = [data[i % len(data)] for i in range(step * batch, (step + 1) * batch)]
        logits = torch.cat([model(ids).logits[0] for ids, _ in chosen])
        targets = torch.cat([labels for _, labels in chosen])
        expert = None
        if teacher:
            with torch.no_grad():
                expert = torch.cat([teacher(ids).logits[0] for ids, _ in chosen])
        loss, kl, ce = distillation_loss(logits, expert, targets, sequences=batch, **loss_options)
        if whole_updates:  # all of its micro-batches as one
            update.append((logits, expert, targets))
            if last:
                rows = [None if part[0] is None else torch.cat(part) for part in zip(*update)]
                distillation_loss(*rows, **loss_options)[0].backward()
                update.clear()
        else:
            (loss / size).backward()
        metrics.append({"loss": loss.item(), "ce": ce.item()})
        if teacher:
            metrics[-1]["kl"] = kl.item()
        if last:
            metrics[-1]["lr"] = schedules[0].get_last_lr()[0]
            metrics[-1]["grad_norm"] = torch.nn.utils.clip_grad_norm_(
                model.parameters(), options["max_grad_norm"]).item()
            for optimizer, schedule in zip(optimizers, schedules):
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
    return metrics, model


def stages_of(run, dtype):
    return [(load_reference(expert["model"]).to(dtype), expert["steps"])
            for expert in run["experts"]] or [(None, run["steps"])]


def relative(value, reference, key):
    # A small loss is a difference of large logits, so it has an absolute rounding error.
    floor = 1e-12 if key == "lr" else 0.1
    return abs(value - reference) / max(abs(reference), floor)


def check_training(run, student, data, tmp_path, **loss_options):
    (tmp_path / "run.json").write_text(json.dumps(run))
    gladius("distill", tmp_path / "run.json", "--out", tmp_path / "out")
    lines = (tmp_path / "out/metrics.jsonl").read_text().splitlines()
    ours = [json.loads(line) for line in lines]
    expected, trained = train_in_torch(run, student, stages_of(run, torch.float64), data,
                                       loss_options)
    # A random model's training may be so sensitive that PyTorch's own float32 strays further from
    # its float64 than the limit (2.6e-4 of the loss and 1e-2 of the gradient's norm: seed
    # 1166803988); then that is the measure. At which step it strays most is chance.
    in_float32 = functools.cache(lambda: train_in_torch(
        run, student, stages_of(run, torch.float32), data, loss_options, torch.float32)[0])
    assert [line["step"] for line in ours] == list(range(len(expected)))
    mean = 0.0
    for step, (line, reference) in enumerate(zip(ours, expected)):
        for key, value in reference.items():
            difference = relative(line[key], value, key)
            limit = 1e-3 if key == "grad_norm" else 1e-4
            if difference > limit:
                stray = max(relative(theirs[key], exact[key], key)
                            for theirs, exact in zip(in_float32(), expected) if key in exact)
                assert stray <= 20 * limit, (step, key, stray)  # this says nothing any more
                limit = max(limit, 2 * stray)
            assert difference <= limit, (step, key, line[key], value)
            check_close(f"training {key}", difference, limit)
        mean += (reference["loss"] - mean) / (step + 1)
        check_close("training running mean", abs(line["loss_running_mean"] / mean - 1), 1e-4)
    before = dict(load_reference(student).named_parameters())
    after = dict(load_reference(tmp_path / "out/model").named_parameters())
    # AdamW divides by the gradient's size: where that is near 0, its rounding shows, unless eps is
    # larger.
    eps = run["optimizer"]["eps"]
    limit = 0.2 if eps < 1e-6 else 2e-2
    ours, reference = [], []
    for name, parameter in trained.named_parameters():
        ours.append((after[name] - before[name]).detach().flatten())
        reference.append((parameter - before[name]).detach().flatten())
        difference = relative_norm(ours[-1], reference[-1])
        assert difference <= limit, name
        check_close(f"training change of one weight, eps {eps}", difference, limit)
    difference = relative_norm(torch.cat(ours), torch.cat(reference))
    check_close("training change of all weights", difference, 5e-3)


def prepare(rng, tmp_path, batch_size, schedule):
    config = random_config(rng, num_hidden_layers=rng.randint(1, 2))
    student = save_model(random_model(rng, config), tmp_path / "student")
    count = batch_size * rng.randint(2, 9)
    data = make_data(rng, tmp_path / "train.jsonl", config.vocab_size, count)
    run = random_run(rng, student, tmp_path / "train.jsonl", batch_size, schedule,
                     rng.choice([1, 2, 3]))
    return config, student, data, run


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_cross_entropy(batch_size, schedule, rng, tmp_path):
    _, student, data, run = prepare(rng, tmp_path, batch_size, schedule)
    run["steps"] = UPDATES * run["gradient_accumulation"]
    check_training(run, student, data, tmp_path, temperature=1, alpha=0, reduction="mean")


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_optimizers(name, rng, tmp_path):
    """Muon of the layers' matrices, and weights that do not decay."""
    _, student, data, run = prepare(rng, tmp_path, rng.choice([1, 2]), "cosine")
    run["optimizer"] |= {"name": name, "decay": "matrices", "weight_decay": 0.3,
                         "momentum": rng.choice([0.9, 0.95])}
    run["steps"] = UPDATES * run["gradient_accumulation"]
    check_training(run, student, data, tmp_path, temperature=1, alpha=0, reduction="mean")


def make_expert(rng, path, vocab, vocabulary, steps):
    config = random_config(rng, vocab_size=vocab, initializer_range=0.25)
    save_model(random_model(rng, config), path, rng.choice(["f32", "bf16", "f16"]))
    return {"name": path.name, "model": str(path), "vocabulary": vocabulary, "steps": steps}


@pytest.mark.parametrize("reduction", ["mean", "batchmean"])
@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("vocabulary", ["same", "truncate"])
def test_distillation(vocabulary, batch_size, reduction, rng, tmp_path):
    schedule = rng.choice(["constant", "linear", "cosine"])
    config, student, data, run = prepare(rng, tmp_path, batch_size, schedule)
    extra = 0 if vocabulary == "same" else rng.randint(1, 30)
    run["experts"] = [make_expert(rng, tmp_path / "expert", config.vocab_size + extra, vocabulary,
                                  UPDATES * run["gradient_accumulation"])]
    run["loss"] = {"temperature": rng.choice([1.0, 2.0, 3.5]),
                   "alpha": rng.choice([0.5, 1.0, round(rng.random(), 3)]), "reduction": reduction}
    check_training(run, student, data, tmp_path, **run["loss"])


@pytest.mark.parametrize("normalization", ["micro_batch", "tokens"])
@pytest.mark.parametrize("divergence", ["forward_kl", "reverse_kl", "jsd", "skew_kl"])
def test_divergences(divergence, normalization, rng, tmp_path):
    """Of which tokens, and by what they are divided; the last update has fewer micro-batches."""
    config, student, data, run = prepare(rng, tmp_path, rng.choice([1, 2]), "cosine")
    vocabulary = rng.choice(["same", "truncate"])
    run["gradient_accumulation"] = rng.choice([2, 3, 5])
    run["experts"] = [make_expert(rng, tmp_path / "expert",
                                  config.vocab_size + (0 if vocabulary == "same" else 7),
                                  vocabulary, UPDATES * run["gradient_accumulation"] - 1)]
    options = {"temperature": rng.choice([1.0, 2.0, 3.5]), "alpha": rng.choice([0.5, 0.9]),
               "divergence": divergence, "beta": round(rng.uniform(0.05, 0.95), 3),
               "tokens": rng.choice(["all", "labelled"])}
    run["loss"] = options | {"normalization": normalization}
    check_training(run, student, data, tmp_path, **options)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_cross_entropy_of_updates(batch_size, rng, tmp_path):
    _, student, data, run = prepare(rng, tmp_path, batch_size, "linear")
    run["gradient_accumulation"] = rng.choice([2, 3, 5])
    run["steps"] = UPDATES * run["gradient_accumulation"] - 1
    run["loss"] = {"normalization": "tokens"}
    check_training(run, student, data, tmp_path, temperature=1, alpha=0, reduction="mean")


def test_experts_in_turn(rng, tmp_path):
    """The optimizer, its schedule and the place in the data carry over to the second expert."""
    config, student, data, run = prepare(rng, tmp_path, 1, "linear")
    run["gradient_accumulation"] = 3
    run["experts"] = [make_expert(rng, tmp_path / name, config.vocab_size, "same", steps)
                      for name, steps in (("first", 19), ("second", 23))]
    run["loss"] = {"temperature": 2.0, "alpha": 0.5, "reduction": "mean"}
    check_training(run, student, data, tmp_path, **run["loss"])
