"""The event file of a run, read by TensorBoard's own code, against metrics.jsonl."""

import json
import signal
import struct
import subprocess
import time

import pytest
from helpers import BINARY, ROOT, gladius, random_config, random_ids, random_model, save_model
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

STEPS = 40
TAGS = ["loss/loss", "loss/loss_running_mean", "loss/loss_window_mean", "loss/kl", "loss/ce",
        "optimizer/lr", "optimizer/grad_norm", "throughput/tokens_per_s", "memory/memory_mib", "eval/eval_cross_entropy",
        "eval/eval_perplexity", "eval/eval_bits_per_byte"]


def make_run(rng, directory):
    """A run on a tiny expert; returns its run file."""
    tokenizer = ROOT / "configs/default/tokenizer"
    vocabulary = json.loads((tokenizer / "tokenizer.json").read_text())["model"]["vocab"]
    config = random_config(rng, "llama", vocab_size=len(vocabulary))
    save_model(random_model(rng, config), directory / "expert")
    with open(directory / "data.jsonl", "w", encoding="utf-8") as file:
        for _ in range(10):
            ids = random_ids(rng, config.vocab_size, rng.randint(2, 20))
            file.write(json.dumps({"input_ids": ids}) + "\n")
    run = {"student": {"config": str(directory / "expert/config.json"),
                       "tokenizer": str(tokenizer)},
           "experts": [{"name": "only", "model": str(directory / "expert"), "steps": STEPS}],
           "data": {"train": str(directory / "data.jsonl"), "eval": str(directory / "data.jsonl")},
           "gradient_accumulation": 3, "checkpoint_every": 7, "eval_every": 5}
    (directory / "run.json").write_text(json.dumps(run))
    return directory / "run.json"


def metrics(out):
    """Its complete lines."""
    *lines, _ = (out / "metrics.jsonl").read_text().split("\n")
    return [json.loads(line) for line in lines]


def as_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def check_events(out):
    """Every step and value of the metrics, in order and once, and nothing else."""
    lines = metrics(out)
    assert [line["step"] for line in lines] == list(range(STEPS))
    expected = {tag: [(line["step"], as_float32(line[tag.split("/")[1]])) for line in lines
                      if line.get(tag.split("/")[1]) is not None] for tag in TAGS}
    for line in lines:
        for part, norm in line.get("grad_norms", {}).items():
            expected.setdefault(f"grad_norms/{part}", []).append((line["step"], as_float32(norm)))
    assert len(expected["grad_norms/layers.0"]) >= len(expected["memory/memory_mib"]) > 1
    files = list(out.glob("events.out.tfevents.*"))
    assert len(files) == 1, files
    first, *events = EventFileLoader(str(files[0])).Load()
    assert first.file_version == "brain.Event:2"
    assert [event.step for event in events] == list(range(STEPS))
    times = [event.wall_time for event in (first, *events)]
    assert all(0 <= time.time() - t < 600 for t in times)
    found = {tag: [] for tag in expected}
    for event in events:
        for value in event.summary.value:
            number = tensor_util.make_ndarray(value.tensor).item()
            found[value.tag].append((event.step, number))
            assert value.metadata.plugin_data.plugin_name == "scalars"
    assert found == expected
    accumulator = EventAccumulator(str(out), size_guidance={"scalars": 0})
    accumulator.Reload()
    assert sorted(accumulator.Tags()["scalars"]) == sorted(expected)
    for tag in expected:
        assert [(e.step, e.value) for e in accumulator.Scalars(tag)] == expected[tag], tag


def interrupt(command, out, steps, signum):
    """Starts the program and sends the signal when the metrics have so many steps."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            if (out / "metrics.jsonl").exists() and len(metrics(out)) >= steps:
                break
        process.send_signal(signum)
        process.wait(60)


def test_a_run(tmp_path, rng):
    gladius("distill", make_run(rng, tmp_path), "--out", tmp_path / "out")
    check_events(tmp_path / "out")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_run_that_ends_and_goes_on(tmp_path, rng, signum):
    """A few times, each after some steps; a killed one has steps behind its last checkpoint."""
    run, out = make_run(rng, tmp_path), tmp_path / "out"
    for _ in range(3):
        more = ["--resume"] if out.exists() else []
        steps = (len(metrics(out)) if more else 0) + rng.randint(1, 12)
        interrupt([BINARY, "distill", run, "--out", out, *more], out, steps, signum)
    gladius("distill", run, "--out", out, "--resume")
    check_events(out)


def test_a_reader_that_follows_a_run(tmp_path, rng):
    """A loader that has read some steps of a killed run, which has to begin again, reads the others
    where it is."""
    run, out = make_run(rng, tmp_path), tmp_path / "out"
    interrupt([BINARY, "distill", run, "--out", out, "--set", "checkpoint_every=1000"], out,
              rng.randint(1, STEPS // 2), signal.SIGKILL)
    loader = EventFileLoader(str(out / "events.out.tfevents.gladius"))
    before = [event.step for event in loader.Load() if event.HasField("summary")]
    gladius("distill", run, "--out", out, "--resume")
    after = [event.step for event in loader.Load() if event.HasField("summary")]
    assert before
    assert before + after == list(range(STEPS))
    check_events(out)
