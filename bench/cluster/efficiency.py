#!/usr/bin/env python3
"""Predicts how much of N machines' speed a run on N machines has (docs/several-machines.md).

One update is played through: each rank computes its ceil(A / N) micro-batches; buckets of 16 MB
start, the last parameters' first, when their gradients are complete in the backward pass of the last
one (the tied embedding's at its very end), one after the other; each moves (N - 1) / N of its bytes out
of a rank twice (reduce-scatter, all-gather); then comes the optimizer. A rank's messages share its own
link alone, as behind a switch. Efficiency is one machine's time by N times the ranks' time.

    efficiency.py                            the table
    efficiency.py --parameters 5e6 --step 0.2 --ranks 2 --mbit 100    one case: seconds an update
"""
import argparse
import math

BUCKET = 4 << 20  # elements, as train/loop/gradient_reducer.cpp
BACKWARD = 2 / 3  # of a step


def update_seconds(n, a, step, parameters, embedding, mbit, bytes_a_value=4, optimizer=0.0,
                   latency=1e-4, usable=0.94):
    """Seconds of an update of `a` micro-batches of `step` seconds each on `n` ranks."""
    own = math.ceil(a / n)
    compute = own * step
    if n == 1:
        return compute + optimizer
    rate = mbit * 1e6 / 8 * usable  # TCP's and Ethernet's headers
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
        now = max(now, ready) + 2 * latency + \
            2 * (n - 1) / n * count * bytes_a_value / rate
    free = max(compute, now)
    return free + optimizer


def efficiency(n, **case):
    a = max(case.pop("a"), n)
    alone = update_seconds(1, a, **case)
    return alone / (n * update_seconds(n, a, **case))


def table(step, a, optimizer):
    print(f"| ranks | Mbit/s | float32 | bf16 | bf16, {8 * a} micro-batches |")
    print("|---|---|---|---|---|")
    student = dict(step=step, parameters=124.7e6, embedding=37.7e6, optimizer=optimizer)
    for mbit in (1000, 10000, 25000):
        for n in (2, 4, 8, 16, 64, 256):
            row = [efficiency(n, a=max(a, n), mbit=mbit, **student),
                   efficiency(n, a=max(a, n), mbit=mbit, bytes_a_value=2, **student),
                   efficiency(n, a=8 * max(a, n), mbit=mbit, bytes_a_value=2, **student)]
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
    args = parser.parse_args()
    if args.parameters is None:
        return table(args.step, args.micro_batches, args.optimizer)
    seconds = update_seconds(args.ranks, args.micro_batches, args.step, args.parameters,
                             args.embedding, args.mbit, args.bytes, args.optimizer)
    print(f"{seconds:.3f} s an update")


if __name__ == "__main__":
    main()
