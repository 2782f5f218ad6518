"""What step.py and teacher.py share: sides that do the same work in turns, and a table of them.

A side is a process that answers each line of token ids on its standard input with a line of JSON,
{"seconds", "result"}. Between its turns it waits for input, so that it takes no processor.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH_SIDE = [sys.executable, Path(__file__).with_name("torch_side.py")]
# PyTorch is faster by up to two fifths where malloc keeps what is freed, in huge pages: else each
# step asks the kernel for its memory anew. Ours keeps it by itself.
KEEP_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8589934592:"
                                 "glibc.malloc.trim_threshold=17179869184"}
WARM_UP = 2  # runs that make, map or compile what later ones use


@dataclass
class Side:
    name: str
    command: list
    tolerance: float = 0  # of its result, relative to the first side's
    variables: dict = field(default_factory=dict)  # of its environment
    seconds: list = field(default_factory=list)
    peak_bytes: int = 0

    def start(self, environment):
        self.process = subprocess.Popen(list(map(str, self.command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment | self.variables)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()  # ends its input

    def run(self, line):
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, as the missing answer says
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"error: {self.name} ended without an answer: "
                     f"{' '.join(map(str, self.command))}")
        return json.loads(answer)

    def reset_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def read_peak(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        self.peak_bytes = int(status.split("VmHWM:")[1].split()[0]) * 1024


def parse_arguments(description, config, tokens):
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / config)
    parser.add_argument("--tokens", type=lambda text: [int(size) for size in text.split(",")],
                        default=tokens, help="sequence lengths: 16,64,512")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side")
    parser.add_argument("--as-installed", action="store_true",
                        help="leave PyTorch its default malloc, which is slower")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def our_side(options, work, model):
    return Side("gladius", [options.bin / "model_peer", work, model])


def torch_side(options, name, tolerance, *arguments):
    return Side(f"PyTorch {name}", [*TORCH_SIDE, *arguments], tolerance,
                {} if options.as_installed else KEEP_MEMORY)


def make_model(config, directory, dtype):
    """A random model in a new directory."""
    subprocess.run([*TORCH_SIDE, "make", config, directory, dtype], check=True)


def environment(threads):
    """The sides' environment: BLAS chooses its own kernels."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    return kept | {"OMP_NUM_THREADS": str(threads)}


def alternate(sides, line, rounds):
    """The sides' seconds of `rounds` runs each, in turns, and the peaks of memory meanwhile."""
    for side in sides:
        result = side.run(line)["result"]
        expected = result if side is sides[0] else expected
        if abs(result - expected) > side.tolerance * abs(expected):
            sys.exit(f"error: {side.name} computes {result}, {sides[0].name} {expected}")
        for _ in range(WARM_UP - 1):
            side.run(line)
        side.reset_peak()
    for _ in range(rounds):
        for side in sides:
            side.seconds.append(side.run(line)["seconds"])
    for side in sides:
        side.read_peak()


def times_ours(sides):
    """Of each other side, the ratios of its seconds to ours in the same round."""
    return {side.name: [its / ours for its, ours in zip(side.seconds, sides[0].seconds)]
            for side in sides[1:]}


def summary(tokens, sides):
    ratios = times_ours(sides)
    fastest = min(ratios, key=lambda name: statistics.median(ratios[name]))
    return {
        "tokens": tokens,
        "sides": {side.name: {"median_s": statistics.median(side.seconds),
                              "min_s": min(side.seconds), "max_s": max(side.seconds),
                              "peak_bytes": side.peak_bytes} for side in sides},
        "times_ours": {name: {"median": statistics.median(values), "min": min(values),
                              "max": max(values)} for name, values in ratios.items()},
        "fastest_peer": fastest,
    }


def print_summary(result):
    for name, side in result["sides"].items():
        row = (f"{result['tokens']:6} {name:18} {side['median_s']:8.3f} "
               f"({side['min_s']:.3f} to {side['max_s']:.3f}) {side['peak_bytes'] / 1e9:7.2f} GB")
        if name in result["times_ours"]:
            ratio = result["times_ours"][name]
            row += f" {ratio['median']:6.2f}x ({ratio['min']:.2f} to {ratio['max']:.2f})"
        print(row + (" <" if name == result["fastest_peer"] else ""), flush=True)


def compare(options, make_sides):
    """Prints each size's table, or JSON; `make_sides()` gives new sides, ours first."""
    vocabulary = json.loads(options.config.read_text())["vocab_size"]
    if not options.json:
        print(f"{options.config.stem}, {options.threads} threads, medians of {options.rounds} "
              "rounds; ratios over 1: ours is faster", flush=True)
    results = []
    for tokens in options.tokens:
        rng = random.Random(tokens)
        line = " ".join(str(rng.randrange(vocabulary)) for _ in range(tokens)) + "\n"
        with ExitStack() as running:
            sides = [running.enter_context(side.start(environment(options.threads)))
                     for side in make_sides()]
            alternate(sides, line, options.rounds)
        results.append(summary(tokens, sides))
        if not options.json:
            print_summary(results[-1])
    if options.json:
        print(json.dumps(results, indent=2))
