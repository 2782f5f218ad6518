"""The model card's run with models of the experts' true sizes: seconds a step, and peak memory.

python bench/methods/card_run.py --text FILE.jsonl      prints a table in Markdown

configs/card.run.json with two random models in place of its experts (5.3 GB in --work; torch and
transformers write them), Qwen3's tokenizer for Qwen2.5's and Llama 2's for TinyLlama's, and with a
few steps. FILE.jsonl has `text`s, of which pieces of exactly so many tokens are made.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPERTS = {"qwen": ("qwen2.5-1.5b", "qwen3"), "tinyllama": ("tinyllama-1.1b", "llama2")}
PIECES = 12


def make_model(options, config, tokenizer):
    model = options.work / config
    if not (model / "config.json").exists():
        subprocess.run([sys.executable, ROOT / "bench/peers/torch_side.py", "make",
                        ROOT / f"configs/{config}.json", model, "bfloat16"], check=True)
    for file in (options.tokenizers / tokenizer).glob("tokenizer*.json"):
        shutil.copy(file, model)
    return model


def long_pieces(options):
    """Each of a few texts joined, so that all are cut to the same number of tokens."""
    texts = [json.loads(line)["text"] for line in options.text.read_text().splitlines()]
    each = len(texts) // PIECES
    file = options.work / "long.jsonl"
    file.write_text("".join(json.dumps({"text": "\n".join(texts[i * each:(i + 1) * each])}) + "\n"
                            for i in range(PIECES)))
    return file


def run_file(options, models, length):
    run = json.loads((ROOT / "configs/card.run.json").read_text())
    run["student"] |= {"config": str(ROOT / "configs/gladius-125m.json"), "tokenizer": str(models["tinyllama"])}
    for expert in run["experts"]:
        expert |= {"model": str(models[expert["name"]]), "steps": options.steps}
    run["data"] |= {"train": str(long_pieces(options)), "eval": None, "max_seq_len": length}
    file = options.work / "run.json"
    file.write_text(json.dumps(run | {"checkpoint_every": 10**9}, indent=1) + "\n")
    return file


def measure(options, models, length):
    """Median seconds of a step by expert, without each one's first, and the peak in kilobytes."""
    out = options.work / "run"
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run(["/usr/bin/time", "-f", "peak %M", options.bin / "gladius", "distill",
                           run_file(options, models, length), "--out", out, "--log-level", "warning"],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {done.stderr[-2000:]}")
    seconds, before = {}, 0
    for line in map(json.loads, (out / "metrics.jsonl").read_text().splitlines()):
        if line["tokens"] != length:
            sys.exit(f"error: {options.text}: a piece of {line['tokens']} tokens; more text is needed")
        seconds.setdefault(line["expert"], []).append(line["elapsed_s"] - before)
        before = line["elapsed_s"]
    shutil.rmtree(out)
    return ({expert: statistics.median(values[1:]) for expert, values in seconds.items()},
            int(re.search(r"peak (\d+)", done.stderr)[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=ROOT / "build/bench/card-run")
    parser.add_argument("--tokenizers", type=Path, default=ROOT.parent / "shared/data/tokenizers")
    parser.add_argument("--lengths", type=int, nargs="+", default=[64, 512], help="tokens of a step")
    parser.add_argument("--steps", type=int, default=5, help="of each expert")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    models = {name: make_model(options, *parts) for name, parts in EXPERTS.items()}
    print("| tokens | Qwen2.5-1.5B, aligned, s a step | TinyLlama-1.1B, s a step | peak memory, GB |")
    print("|---:|---:|---:|---:|")
    for length in options.lengths:
        seconds, peak = measure(options, models, length)
        print(f"| {length} | {seconds['qwen']:.1f} | {seconds['tinyllama']:.1f} | {peak * 1024 / 1e9:.1f} |")


if __name__ == "__main__":
    main()
