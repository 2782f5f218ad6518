#!/usr/bin/env python3
"""Predicts how much of N machines' speed a run on N machines has (docs/several-machines.md).

One update is played through: each rank computes its ceil(A / N) micro-batches; buckets of 16 MB
start, the last parameters' first, when their gradients are complete in the backward pass of the last
one (the tied embedding's at its very end), one after the other; each moves (N - 1) / N of its bytes out
of a rank twice (reduce-scatter, all-gather); then comes the optimizer. A rank's messages share its own
link alone, as behind a switch. With cluster.local_updates each rank makes so many updates, and then
the weights' differences and AdamW's two means are summed in the same way, behind them. Efficiency is one
machine's time by N times the ranks' time.

    efficiency.py                            the table
    efficiency.py --parameters 5e6 --step 0.2 --ranks 2 --mbit 100    one case: seconds an update
"""
import argparse
import math

BUCKET = 4 << 20  # elements, as train/loop/gradient_reducer.cpp
BACKWARD = 2 / 3  # of a step
USABLE = 0.94  # of a network's bits: TCP's and Ethernet's headers
LATENCY = 1e-4


def update_seconds(n, a, step, parameters, embedding, mbit, bytes_a_value=4, optimizer=0.0):
    """Seconds of an update of `a` micro-batches of `step` seconds each on `n` ranks."""
    own = math.ceil(a / n)
    compute = own * step
    if n == 1:
        return compute + optimizer
    rate = mbit * 1e6 / 8 * USABLE
    buckets = math.ceil(parameters / BUCKET)
    begin = compute - BACKWARD * step
    now = begin
    for i in range(buckets):
        last = parameters - i * BUCKET  # elements behind which this bucket ends
        first = max(0, last - BUCKET)
        # Of the layers a share that follows the backward pass; of the embedding at the end.
        done = 1.0 if first < embedding else (parameters - first) / (parameters - embedding)
        ready = begin + BACKWARD * step * min(1.0, done)
        count = last - first
        now = max(now, ready) + 2 * LATENCY + \
            2 * (n - 1) / n * count * bytes_a_value / rate
    free = max(compute, now)
    return free + optimizer


def local_update_seconds(h, n, a, step, parameters, embedding, mbit, bytes_a_value=4, optimizer=0.0):
    """The same of one of the `h` updates between two synchronisations."""
    compute = update_seconds(1, math.ceil(a / n), step, parameters, embedding, mbit,
                             optimizer=optimizer)
    values = 3 * parameters
    sent = 2 * (n - 1) / n * values * bytes_a_value / (mbit * 1e6 / 8 * USABLE)
    return compute + (sent + 2 * LATENCY * math.ceil(values / BUCKET)) / h


def efficiency(n, h=0, **case):
    a = max(case.pop("a"), n)
    alone = update_seconds(1, a, **case)
    if h > 0:
        return alone / (n * local_update_seconds(h, n, a, **case))
    return alone / (n * update_seconds(n, a, **case))


def table(step, a, optimizer):
    columns = [("float32", {}), ("bf16", {"bytes_a_value": 2}),
               (f"bf16, {8 * a} micro-batches", {"bytes_a_value": 2, "more": 8}),
               ("local, 50", {"h": 50}), ("local, 500", {"h": 500})]
    print("| ranks | Mbit/s | " + " | ".join(name for name, _ in columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    student = dict(step=step, parameters=124.7e6, embedding=37.7e6, optimizer=optimizer)
    for mbit in (100, 1000, 10000, 25000):
        for n in (2, 4, 8, 16, 64, 256):
            row = []
            for _, case in columns:
                case = dict(case)
                row.append(efficiency(n, a=case.pop("more", 1) * max(a, n), mbit=mbit, **student,
                                      **case))
            print(f"| {n} | {mbit} | " + " | ".join(f"{100 * one:.0f}%" for one in row) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--step", type=float, default=1.6, help="seconds of a micro-batch")
    parser.add_argument("--micro-batches", type=int, default=8)
    parser.add_argument("--optimizer", type=float, default=0.15, help="seconds of an update")
    parser.add_argument("--parameters", type=float)
    parser.add_argument("--embedding", type=float, default=0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--mbit", type=float, default=1000)
    parser.add_argument("--bytes", type=float, default=4, help="of a value: 2 with bf16")
    parser.add_argument("--local-updates", type=int, default=0)
    args = parser.parse_args()
    if args.parameters is None:
        return table(args.step, args.micro_batches, args.optimizer)
    case = (args.ranks, args.micro_batches, args.step, args.parameters, args.embedding, args.mbit,
            args.bytes, args.optimizer)
    seconds = local_update_seconds(args.local_updates, *case) if args.local_updates else \
        update_seconds(*case)
    print(f"{seconds:.3f} s an update")


if __name__ == "__main__":
    main()
