"""What step.py and teacher.py share: sides that do the same work in turns, and a table of them.

A side is a process that answers each line of token ids on its standard input with a line of JSON,
{"seconds", "result"}. Between its turns it waits for input, so that it takes no processor.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH_SIDE = [sys.executable, Path(__file__).with_name("torch_side.py")]
# PyTorch is faster where malloc keeps what is freed, in huge pages: else each step asks the kernel
# for its memory anew (--as-installed shows how much that takes). Ours keeps it by itself.
KEEP_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8589934592:"
                                 "glibc.malloc.trim_threshold=17179869184"}


@dataclass
class Side:
    name: str
    command: list
    tolerance: float = 0  # of its first result, relative to the first side's
    variables: dict = field(default_factory=dict)  # of its environment
    ours: bool = False
    seconds: list = field(default_factory=list)
    result: float = 0  # of its last run
    peak_bytes: int = 0

    @contextmanager
    def running(self, environment):
        self.process = subprocess.Popen(list(map(str, self.command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env=environment | self.variables)
        try:
            yield self
        finally:
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


def argument_parser(description, config):
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--config", type=Path, default=ROOT / "configs" / config,
                       help="configuration of a random model, in the temporary directory")
    model.add_argument("--model", type=Path, help="model directory, instead of a random model")
    parser.add_argument("--tokens", type=lambda text: [int(size) for size in text.split(",")],
                        default=[16, 64, 512], help="sequence lengths: 16,64,512")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side")
    parser.add_argument("--as-installed", action="store_true",
                        help="leave PyTorch its default malloc, which is slower")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parser.add_argument("--json", action="store_true")
    return parser


def our_side(options, work, model, precision=None, tolerance=0):
    return Side(f"gladius {precision}" if precision else "gladius",
                [options.bin / "model_peer", work, model, *([precision] if precision else [])],
                tolerance, ours=True)


def torch_side(options, name, tolerance, *arguments):
    return Side(f"PyTorch {name}", [*TORCH_SIDE, *arguments], tolerance,
                {} if options.as_installed else KEEP_MEMORY)


@contextmanager
def model_directory(options, dtype):
    """The given one, or a random model that is removed at the end."""
    if options.model:
        yield options.model
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # removes it then, too
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        subprocess.run([*TORCH_SIDE, "make", options.config, model, dtype], check=True)
        yield model


def environment(threads):
    """The sides' environment: BLAS chooses its own kernels."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    return kept | {"OMP_NUM_THREADS": str(threads)}


def check_same(sides, results):
    for side, result in zip(sides, results):
        if abs(result - results[0]) > side.tolerance * abs(results[0]):
            sys.exit(f"error: {side.name} computes {result}, {sides[0].name} {results[0]}")


def alternate(sides, line, warm_up, rounds):
    """Measures `rounds` runs of each side, in turns, and the peaks of memory meanwhile."""
    check_same(sides, [[side.run(line) for _ in range(warm_up)][0]["result"] for side in sides])
    for side in sides:
        side.reset_peak()
    for _ in range(rounds):
        for side in sides:
            answer = side.run(line)
            side.seconds.append(answer["seconds"])
            side.result = answer["result"]
    for side in sides:
        side.read_peak()


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(tokens, sides):
    ours = min((side for side in sides if side.ours),
               key=lambda side: statistics.median(side.seconds))
    ratios = {side.name: spread([its / our for its, our in zip(side.seconds, ours.seconds)])
              for side in sides if side is not ours}
    others = {side.name: ratios[side.name]["median"] for side in sides if not side.ours}
    return {
        "tokens": tokens,
        "seconds": {side.name: spread(side.seconds) for side in sides},
        "peak_bytes": {side.name: side.peak_bytes for side in sides},
        "results": {side.name: side.result for side in sides},
        "times_ours": ratios,
        "fastest_other": min(others, key=others.get),
    }


def print_summary(result):
    for name, seconds in result["seconds"].items():
        row = (f"{result['tokens']:6} {name:25} {seconds['median']:8.3f} "
               f"({seconds['min']:.3f} to {seconds['max']:.3f}) "
               f"{result['peak_bytes'][name] / 1e9:7.2f} GB {result['results'][name]:9.4f}")
        if name in result["times_ours"]:
            ratio = result["times_ours"][name]
            row += f" {ratio['median']:6.2f}x ({ratio['min']:.2f} to {ratio['max']:.2f})"
        print(row + (" <" if name == result["fastest_other"] else ""), flush=True)


def compare(options, model, make_sides, warm_up):
    """Prints a table, or JSON. `make_sides()` gives each size's sides, ours first; `warm_up` runs
    make, map or compile what later ones use."""
    config = json.loads((model / "config.json").read_text())
    if not options.json:
        print(f"{(options.model or options.config).stem}, {options.threads} threads: tokens, "
              f"seconds (medians of {options.rounds}), peak memory, last result, times our fastest", flush=True)
    results = []
    for tokens in options.tokens:
        rng = random.Random(tokens)
        ids = " ".join(str(rng.randrange(config["vocab_size"])) for _ in range(tokens))
        with ExitStack() as stack:
            sides = [stack.enter_context(side.running(environment(options.threads)))
                     for side in make_sides()]
            alternate(sides, ids + "\n", warm_up, options.rounds)
        results.append(summary(tokens, sides))
        if not options.json:
            print_summary(results[-1])
    if options.json:
        print(json.dumps(results, indent=2))
