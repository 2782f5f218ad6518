"""Prompts and decoding beside llama.cpp on the same GGUF files, in turns: medians.

python bench/peers/llama_cpp.py --model MODEL [--types f32,bf16,q8_0,q4_0,q4_k] [--check TEXT_FILE]
MODEL is a model directory or a GGUF file; each type is a file that `gladius convert` writes from it,
and `--types stored` the GGUF file as it is.
llama.cpp is built once, for this processor, in build/llama.cpp from the source distribution of the
PyPI package llama-cpp-python (--llama DIR names other binaries). Ratios over 1: ours is faster.

--check compares what both make of the files in the place of their speed: the greedy continuations
of prompts by the float types, and the perplexity of TEXT_FILE by llama.cpp with the blocks that we
made and with its own.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from pathlib import Path

import rounds
from rounds import ROOT, Side, environment, spread

PACKAGE = "llama-cpp-python==0.3.36"
TARGETS = ["llama-bench", "llama-completion", "llama-perplexity", "llama-quantize"]
FLOATS = ("f32", "bf16", "f16")
PROMPTS = (64, 512)
DECODED = 64  # as model_peer does
# Its name for the mixture that we write as the type.
THEIR_TYPES = {"q4_k": "Q4_K_S"}
PASSAGES = ["The capital of France is", "Once upon a time there was a", "def fibonacci(n):\n"]


def build_llama():
    """The folder of its binaries."""
    place = ROOT / "build/llama.cpp"
    binaries = place / "build/bin"
    if all((binaries / target).exists() for target in TARGETS):
        return binaries
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python",
                    "-d", place, PACKAGE], check=True)
    archive, = place.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    source, = place.glob("*/vendor/llama.cpp")
    subprocess.run(["cmake", "-S", source, "-B", place / "build", "-G", "Ninja",
                    "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DLLAMA_CURL=OFF",
                    "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
                    "-DLLAMA_BUILD_SERVER=OFF"], check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", place / "build", "--target", *TARGETS], check=True,
                   stdout=sys.stderr)
    return binaries


def written(options, place, kind):
    """The model as a GGUF file of the type."""
    file = place / f"{kind}.gguf"
    subprocess.run([options.bin / "gladius", "convert", "--model", options.model, "--to", "gguf",
                    "--dtype", kind, "--out", file], check=True, stdout=subprocess.DEVNULL)
    return file


def output(*command):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))}: {done.stderr[-2000:]}")
    return done.stdout


def their_rates(llama, file, threads):
    """Tokens a second, by what is measured."""
    answer = json.loads(output(llama / "llama-bench", "-m", file, "-t", threads, "-r", 1, "-o", "json",
                               "-p", ",".join(map(str, PROMPTS)), "-n", DECODED))
    return {(test["n_prompt"], test["n_gen"]): test["avg_ts"] for test in answer}


def our_rates(sides, lines):
    prompt, decode = sides
    rates = {(tokens, 0): tokens / prompt.run(lines[tokens])["seconds"] for tokens in PROMPTS}
    return rates | {(0, DECODED): DECODED / decode.run(lines["decode"])["seconds"]}


def measure(options, llama, file, vocabulary):
    rng = random.Random(1)
    ids = [str(rng.randrange(vocabulary)) for _ in range(max(PROMPTS))]
    lines = {tokens: " ".join(ids[:tokens]) + "\n" for tokens in PROMPTS}
    lines["decode"] = ids[0] + "\n"  # llama-bench begins with one token, too
    ours, theirs = [], []
    with ExitStack() as stack:
        sides = [stack.enter_context(Side("gladius", [options.bin / "model_peer", work, file,
                                               *(["bf16"] if options.precision == "bf16" else [])])
                                     .running(environment(options.threads)))
                 for work in ("prompt", "decode")]
        our_rates(sides, lines)
        for _ in range(options.rounds):
            ours.append(our_rates(sides, lines))
            theirs.append(their_rates(llama, file, options.threads))
    return {test: {"ours": statistics.median(turn[test] for turn in ours),
                   "theirs": statistics.median(turn[test] for turn in theirs),
                   "ratio": spread([a[test] / b[test] for a, b in zip(ours, theirs)])}
            for test in ours[0]}


def print_rates(kind, results):
    for (prompt, decoded), result in results.items():
        ratio = result["ratio"]
        print(f"{kind:6} {f'prompt of {prompt}' if prompt else f'decode {decoded}':15} "
              f"{result['ours']:9.1f} {result['theirs']:9.1f} {ratio['median']:6.2f}x "
              f"({ratio['min']:.2f} to {ratio['max']:.2f})", flush=True)


def continuation(options, llama, file, prompt):
    """64 likeliest tokens of both as text."""
    ours = output(options.bin / "gladius", "generate", "--model", file, "--prompt", prompt, "--greedy",
                  "--max-new-tokens", 64)
    theirs = output(llama / "llama-completion", "-m", file, "-p", prompt, "-n", 64, "--temp", 0,
                    "-no-cnv", "--no-warmup", "--no-display-prompt", "-t", options.threads)
    return [text.strip().removesuffix("[end of text]").strip() for text in (ours, theirs)]


def perplexity(llama, file, text):
    done = subprocess.run(list(map(str, [llama / "llama-perplexity", "-m", file, "-f", text, "-c", 512])),
                          capture_output=True, text=True)
    found = re.search(r"Final estimate: PPL = ([\d.]+)", done.stdout + done.stderr)
    if not found:
        sys.exit(f"error: no perplexity of {file}: {done.stderr[-2000:]}")
    return float(found[1])


def check(options, llama, place):
    reference = None
    for kind in options.types:
        file = written(options, place, kind)
        if kind in FLOATS:
            for prompt in PASSAGES:
                ours, theirs = continuation(options, llama, file, prompt)
                same = "equal" if ours == theirs else f"DIFFER\n  ours   {ours!r}\n  theirs {theirs!r}"
                print(f"{kind:6} {prompt!r}: {same}", flush=True)
            reference = reference or file
        elif reference:
            own = place / f"theirs-{kind}.gguf"
            output(llama / "llama-quantize", reference, own, THEIR_TYPES.get(kind, kind.upper()))
            print(f"{kind:6} perplexity: ours {perplexity(llama, file, options.check):.4f} "
                  f"({file.stat().st_size:,} bytes), theirs {perplexity(llama, own, options.check):.4f} "
                  f"({own.stat().st_size:,} bytes)", flush=True)
            own.unlink()
        if file != reference:
            file.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="model directory or GGUF file")
    parser.add_argument("--types", type=lambda text: text.split(","),
                        default=["f32", "bf16", "q8_0", "q4_0", "q4_k"])
    parser.add_argument("--rounds", type=int, default=5)
    has_bf16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16" if has_bf16 else "f32",
                        help="of our products (default: %(default)s; llama.cpp rounds what they "
                             "multiply to bf16, or to 8 bits beside quantised weights)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parser.add_argument("--llama", type=Path, help="folder of llama.cpp's binaries")
    parser.add_argument("--check", metavar="TEXT_FILE", help="compare results in the place of speed")
    options = parser.parse_args()
    llama = options.llama or build_llama()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        if options.check:
            return check(options, llama, place)
        described = json.loads(output(options.bin / "gladius", "inspect", "--json", options.model))
        print(f"{options.model}, {options.threads} threads: tokens/s of ours ({options.precision}) and of "
              f"llama.cpp, medians of {options.rounds}", flush=True)
        for kind in options.types:
            file = options.model if kind == "stored" else written(options, place, kind)
            print_rates(kind, measure(options, llama, file, described["config"]["vocab_size"]))
            if kind != "stored":
                file.unlink()


if __name__ == "__main__":
    main()
