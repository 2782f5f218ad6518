"""What part of a training step's processor time each kind of work has, by perf's samples.

python bench/methods/step_shares.py RUN.json [--steps 6]    prints a table in Markdown

RUN.json is run in a temporary directory without a cache and without evaluations, and perf looks at
the steps after the first. Symbols that no kind has are "other", the largest of them are listed.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The first that matches counts. exp and log of the C library are taken for the losses', whoever calls them.
KINDS = {
    "the losses over the vocabularies": r"distillation|cross_entropy|softmax_rows|divergence|alm_|uld_|libm",
    "alignment and projection": r"VocabularyProjection|AlignedTeacher|TokenPieces|TextAlignment|text::",
    "products": r"multiply_panel|gemm|sgemm|dequantize|quantis|pack|transpose|dot_blocks|block_rests",
    "attention": r"attention",
    "AdamW and clipping": r"adamw|sum_of_squares",
}


def samples(options, work):
    """Symbols and the percentages of the samples of the steps after the first."""
    settings = json.loads(options.run.read_text())
    settings["data"]["eval"] = settings["eval_every"] = None
    settings["teacher_cache"] = {"max_gb": 0, "path": None}
    settings["experts"] = settings["experts"][:1]
    settings["experts"][0]["steps"] = 1 + options.steps
    file, out, data = work / "run.json", work / "run", work / "perf.data"
    file.write_text(json.dumps(settings))
    run = subprocess.Popen([options.bin / "gladius", "distill", file, "--out", out, "--log-level", "warning"],
                           stdout=subprocess.DEVNULL)
    wait_for_steps(run, out / "metrics.jsonl", 1)
    perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-p", str(run.pid), "-o", data])
    wait_for_steps(run, out / "metrics.jsonl", 1 + options.steps)
    perf.terminate()
    perf.wait()
    run.terminate()
    run.wait()
    report = subprocess.run(["perf", "report", "-i", data, "--no-children", "--stdio", "-F", "overhead,dso,symbol"],
                            capture_output=True, text=True, check=True).stdout
    return [(symbol, float(percent)) for percent, symbol in re.findall(r"^\s+([\d.]+)%\s+(.*)$", report, re.M)]


def wait_for_steps(run, metrics, steps):
    while not metrics.exists() or metrics.read_text().count("\n") < steps:
        if run.poll() is not None:
            sys.exit("error: the run ended before its steps were there")
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = samples(options, Path(work))
    shares = dict.fromkeys([*KINDS, "other"], 0.0)
    others = []
    for symbol, percent in found:
        kind = next((kind for kind, pattern in KINDS.items() if re.search(pattern, symbol)), "other")
        shares[kind] += percent
        if kind == "other":
            others.append(f"{symbol[:70]} {percent:.1f}")
    print("| of a step's processor time | % |", "|---|---:|", sep="\n")
    for kind, percent in shares.items():
        print(f"| {kind} | {percent:.1f} |")
    print("other:", *others[:8], sep="\n  ", file=sys.stderr)


if __name__ == "__main__":
    main()
