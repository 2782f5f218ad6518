"""What a run loses by bf16: the default run from fresh weights in both precisions, side by side.

python bench/methods/precision.py [--updates 200] [--seeds 0 1 2] [--work DIR] [--plot FILE.svg]
Runs configs/default/distill.run.json with fresh weights and an update a step, or reads what an
earlier call has left in DIR. Prints, for each seed, the mean loss of the last half of the run and
the trained student's cross-entropy on the held-out data (computed in float32 for both).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import plot

PRECISIONS = ["f32", "bf16"]


def train(options, out, precision, seed):
    if (out / "evaluation.json").exists():
        return
    settings = {"precision": precision, "student.init_from": "null", "student.seed": seed, "seed": seed,
                "experts.0.steps": options.updates, "gradient_accumulation": 1, "eval_suite": "null",
                "checkpoint_every": 10 * options.updates}
    subprocess.run([options.bin / "gladius", "distill", ROOT / "configs/default/distill.run.json", "--out",
                    out, "--log-level", "warning",
                    *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))],
                   check=True, stdout=subprocess.DEVNULL)


def losses_of(out):
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def smoothed(losses, window=10):
    return [(i, statistics.mean(losses[i - window:i])) for i in range(window, len(losses) + 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, help="where the runs stay (default: a temporary directory)")
    parser.add_argument("--plot", type=Path, help="draws the losses")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        series = []
        print("| seed | loss, f32 | bf16 | held out, f32 | bf16 |\n|---|---|---|---|---|")
        for seed in options.seeds:
            row = []
            for color, precision in enumerate(PRECISIONS):
                out = work / f"{precision}-{seed}"
                train(options, out, precision, seed)
                losses = losses_of(out)
                held_out = json.loads((out / "evaluation.json").read_text())["cross_entropy"]
                row.append((statistics.mean(losses[len(losses) // 2:]), held_out))
                name = precision if seed == options.seeds[0] else None
                series.append((name, color, precision == "bf16", [smoothed(losses)]))
            (f32, held), (bf16, other) = row
            print(f"| {seed} | {f32:.4f} | {bf16:.4f} ({bf16 / f32 - 1:+.3%}) | {held:.4f} | "
                  f"{other:.4f} ({other / held - 1:+.3%}) |", flush=True)
    if options.plot:
        high = max(y for *_, (points,) in series for _, y in points)
        options.plot.write_text(plot.lines("The default run from fresh weights, in float32 and bf16",
                                           "loss, means of ten updates", ["updates"], series, (0, high)))


if __name__ == "__main__":
    main()
