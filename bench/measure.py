"""Runs benchmark programs and keeps what they print, for report.py.

python bench/measure.py [PART...]    parts: kernels layers step decode io peers; without any, all
A result is build/bench/NAME.json: the command, its output, when and on what it ran.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = "build/release/bin"
REPEATED = ["--benchmark_format=json", "--benchmark_repetitions=7", "--benchmark_min_time=0.03",
            "--benchmark_enable_random_interleaving"]
# The shortest sequences are enough to see that a benchmark runs.
ONCE = ["--benchmark_format=json", "--benchmark_min_time=0.000001",
        "--benchmark_filter=-T:(64|512|2048)"]
# Commands by part and by the name of their result.
PARTS = {
    "kernels": {"kernels": [f"{BIN}/tensor_bench", *REPEATED]},
    "layers": {"layers": [f"{BIN}/nn_bench", *REPEATED],
               "losses": [f"{BIN}/autograd_bench", *REPEATED]},
    "step": {"step": [f"{BIN}/step_bench", "--json"],
             "checkpoint": [f"{BIN}/step_bench", "--checkpoint", "--tokens", "512,2048", "--json"]},
    "decode": {"decode": [f"{BIN}/decode_bench", "--json"],
               "decode_bf16": [f"{BIN}/decode_bench", "--dtype", "bf16", "--json"]},
    "io": {"io": [f"{BIN}/model_io_bench", "--json"]},
    "peers": {"peers_step": ["python", "bench/peers/step.py", "--json"],
              "peers_teacher": ["python", "bench/peers/teacher.py", "--json"],
              "peers_tokenizer": ["python", "bench/peers/tokenizer.py"]},
}
SMALL = ["--config", "configs/default/expert.json", "--repeats", "1"]
# The same programs, once and on small models: whether they run.
CHECK = {
    "kernels": [f"{BIN}/tensor_bench", *ONCE],
    "layers": [f"{BIN}/nn_bench", *ONCE],
    "losses": [f"{BIN}/autograd_bench", *ONCE],
    "step": [f"{BIN}/step_bench", *SMALL, "--tokens", "16,64", "--json"],
    "checkpoint": [f"{BIN}/step_bench", *SMALL, "--checkpoint", "--tokens", "64", "--json"],
    "decode": [f"{BIN}/decode_bench", *SMALL, "--json"],
    "decode_bf16": [f"{BIN}/decode_bench", *SMALL, "--dtype", "bf16", "--json"],
    "io": [f"{BIN}/model_io_bench", *SMALL, "--json"],
}


def machine():
    """What the figures depend on, of this machine."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {"cpu": cpu.group(1) if cpu else "unknown", "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": int(memory.group(1)) * 1024}


def revision():
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def run(command, programs):
    """The command's output: JSON if it is that, else text. None if it fails, which is told."""
    # The first two choose other BLAS kernels than the processor's own on some machines; threads
    # that wait passively take longer to begin than a short kernel runs.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_WAIT_POLICY")}
    words = [sys.executable if word == "python" else
             str(programs / Path(word).name) if word.startswith(BIN) else word for word in command]
    try:
        done = subprocess.run(words, cwd=ROOT, env=environment, text=True, capture_output=True,
                              check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        message = (getattr(error, "stderr", "") or "").strip()
        print(f"measure: {' '.join(command)} failed: {error}\n{message}", file=sys.stderr)
        return None
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--results", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--bin", type=Path, default=ROOT / BIN, help="where the programs are")
    parser.add_argument("--check", action="store_true",
                        help="run all but the peers once, on small models")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]}; there are {' '.join(PARTS)}")
    commands = {name: command for part in options.parts or PARTS
                for name, command in PARTS[part].items()}
    if options.check:
        commands = {name: CHECK[name] for name in commands if name in CHECK}

    options.results.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, command in commands.items():
        print(f"measure: {' '.join(command)}", file=sys.stderr)
        output = run(command, options.bin.resolve())
        failed += output is None
        if output is not None:
            now = datetime.datetime.now(datetime.timezone.utc)
            result = {"command": " ".join(command), "revision": revision(),
                      "date": now.strftime("%Y-%m-%d %H:%M"),
                      "machine": machine(), "output": output}
            (options.results / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
