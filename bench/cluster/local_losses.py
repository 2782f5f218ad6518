#!/usr/bin/env python3
"""What a student learns with cluster.local_updates, beside a plain run (docs/several-machines.md).

python bench/cluster/local_losses.py [--ranks 2] [--updates 200] [--local 1 10 50] [--seeds 0]
                                    [--outer 0.7,0.9 1,0] [--work DIR]
Trains the default run's expert's shape (4 million weights) from fresh weights on its data, with that
expert as teacher and two micro-batches of 256 tokens an update and rank; ranks are processes of one
thread on this machine. Reads what an earlier call has left in DIR. Prints, for each seed, the mean loss
of the run's last quarter and the student's cross-entropy on the held-out data.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def train(options, out, seed, local, outer):
    if (out / "evaluation.json").exists():
        return
    group = 2 * options.ranks
    settings = {"student.config": ROOT / "configs/default/expert.json", "student.init_from": "null",
                "student.seed": seed, "seed": seed, "experts.0.steps": options.updates * group,
                "gradient_accumulation": group, "data.max_seq_len": 256, "optimizer.lr": 1e-3,
                "optimizer.warmup_steps": 20, "eval_suite": "null", "checkpoint_every": 10**6,
                "cluster.local_updates": local, "cluster.outer_lr": outer[0],
                "cluster.outer_momentum": outer[1]}
    subprocess.run(["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n",
                    str(options.ranks), options.bin / "gladius", "distill",
                    ROOT / "configs/default/distill.run.json", "--out", out, "--threads", "1", "--log-level",
                    "warning", *(word for key, value in settings.items()
                                 for word in ("--set", f"{key}={value}"))],
                   check=True, stdout=subprocess.DEVNULL)


def results(out):
    losses = [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    held_out = json.loads((out / "evaluation.json").read_text())["cross_entropy"]
    return statistics.mean(losses[-(len(losses) // 4):]), held_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--local", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--outer", nargs="+", default=["0.7,0.9", "1,0"],
                        help="cluster.outer_lr,cluster.outer_momentum")
    parser.add_argument("--work", type=Path, help="where the runs stay (default: a temporary directory)")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        print("| seed | `local_updates` | `outer_lr` | `outer_momentum` | loss | held out |")
        print("|---|---|---|---|---|---|")
        for seed in options.seeds:
            for local, outer in [(0, "-,-"), *((local, outer) for outer in options.outer
                                              for local in options.local)]:
                lr, momentum = outer.split(",")
                out = work / f"{options.ranks}-{seed}-{local}-{outer}"
                train(options, out, seed, local, (0.7, 0.9) if local == 0 else (lr, momentum))
                loss, held_out = results(out)
                print(f"| {seed} | {local} | {lr} | {momentum} | {loss:.3f} | {held_out:.3f} |",
                      flush=True)


if __name__ == "__main__":
    main()
