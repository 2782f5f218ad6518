"""What the comparisons of methods share: runs of `gladius distill` that are kept, their times and pages."""

import argparse
import datetime
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from measure import machine, revision  # noqa: E402

BEGIN, END = "<!-- measurements -->", "<!-- end of measurements -->"


def stored(path):
    return json.loads(path.read_text())


def kept(path, settings, make):
    """The result at `path` if it is of these settings, else a new one."""
    if path.exists():
        result = stored(path)
        if result["settings"] == settings:
            return result
    print(f"{path.parent.name}/{path.stem} ...", end=" ", flush=True)
    result = make() | {"settings": settings}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(", ".join(f"{name} {result[name]:.4f}" for name in ("bits_per_byte", "seconds")
                    if name in result), flush=True)
    return result


def gladius(options, *arguments):
    """The command's standard output. Ends the script if it fails."""
    command = [*shlex.split(options.prefix), str(options.bin / "gladius"), *map(str, arguments),
               "--threads", str(options.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {shlex.join(command)}: {done.stderr[-2000:]}")
    return done.stdout


@dataclass(frozen=True)
class Run:
    """What a run leaves: its lines of metrics, and its evaluations if it has them."""
    metrics: list
    evaluation: dict | None
    suite: dict | None


def distill(options, settings):
    with tempfile.TemporaryDirectory(dir=options.work, prefix="run-") as place:
        file, out = Path(place) / "run.json", Path(place) / "run"
        file.write_text(json.dumps(settings, indent=1) + "\n")
        gladius(options, "distill", file, "--out", out, "--log-level", "warning")
        metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        evaluation, suite = (stored(path) if (path := out / name).exists() else None
                             for name in ("evaluation.json", "suite.json"))
        return Run(metrics, evaluation, suite)


def seconds_of_update(options, settings, updates):
    """The mean over the run's `updates`, and one before them that is not counted."""
    metrics = distill(options, settings).metrics
    first = metrics[settings["gradient_accumulation"] - 1]
    return {"seconds": (metrics[-1]["elapsed_s"] - first["elapsed_s"]) / updates}


def bits_per_byte_alone(options, path, model, *arguments):
    """What held-out data cost a model, kept at `path`."""
    command = ["eval", "--model", str(model), *map(str, arguments), "--json"]
    return kept(path, command, lambda: {"bits_per_byte": json.loads(gladius(options, *command))["bits_per_byte"]})


def median_seconds(files):
    """Of those that are there; None: not measured."""
    found = [stored(file)["seconds"] for file in files if file.exists()]
    return statistics.median(found) if found else None


def add_options(parser, work):
    """Those of every comparison."""
    parser.add_argument("--teacher", type=Path, default=os.environ.get("GLADIUS_SMOLLM2_GGUF"),
                        help="the GGUF file; default: $GLADIUS_SMOLLM2_GGUF")
    parser.add_argument("--work", type=Path, default=ROOT / "build/bench" / work)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--prefix", default="", help="put before each command, a lock for instance")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")


def check_options(parser, options, known_parts):
    for part in options.parts:
        if part not in (*known_parts, "render"):
            parser.error(f"no part {part}; there are {' '.join(known_parts)} render")
    if options.parts != ["render"] and not options.teacher:
        parser.error("--teacher is needed")


def names(known):
    """A type of options: names with commas between them."""
    def parse(text):
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name}: there are {', '.join(known)}")
        return text.split(",")
    return parse


def write_results(path, options, command, results):
    """The results, and what they depend on."""
    now = datetime.datetime.now(datetime.timezone.utc)
    path.parent.mkdir(exist_ok=True)
    head = {"command": command, "revision": revision(), "date": now.strftime("%Y-%m-%d %H:%M"),
            "machine": machine(), "threads": options.threads, "teacher": options.teacher.name}
    path.write_text(json.dumps(head | results, indent=1) + "\n")
    print(f"{path.relative_to(ROOT)}: {len(results['runs'])} runs")


def wrapped(text):
    return [*textwrap.wrap(text, 120, break_on_hyphens=False), ""]


def table(columns, rows):
    return ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1),
            *("| " + " | ".join(row) + " |" for row in rows)]


def render(file, lines):
    """Writes the lines into the page's section of measurements."""
    text = file.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"error: {file} has no {BEGIN} and {END}")
    file.write_text("\n".join([before + begin, *lines, end + after]))
    print(f"{file}: written")
