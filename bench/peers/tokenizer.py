"""Tokenizing beside the tokenizers package, one thread each, in turns: medians of the ratios.

python bench/peers/tokenizer.py [--rounds 5] [--megabytes 2] [--bin build/release/bin]
Each side's process starts with an empty cache, as a program does. Ratios over 1: ours is faster.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("GLADIUS_SHARED", ROOT.parent / "shared"))
sys.path.insert(0, str(ROOT / "tests/interop"))


def prose(characters):
    """The repository's own documents and sources, over and over."""
    files = sorted(path for kind in ("*.md", "*.cpp", "*.h", "*.py") for path in ROOT.rglob(kind)
                   if "build" not in path.parts)
    pieces = [path.read_text() for path in files]
    texts = []
    while characters > 0:
        texts.append(pieces[len(texts) % len(pieces)])
        characters -= len(texts[-1])
    return texts


def mixed(characters):
    from tokenizer_texts import corpus
    return [text.decode(errors="replace").replace("\0", "")
            for text in corpus(random.Random(1), characters)]


def one_line(characters):
    rng = random.Random(2)
    return ["".join(rng.choice("etaoinshrdlu") for _ in range(characters))]


def peer(file, texts):
    """The package's seconds; run in a process of its own."""
    import tokenizers
    start = time.perf_counter()
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    out = {"load": time.perf_counter() - start}
    tokenizer.decode(tokenizer.encode("Both sides have encoded and decoded a text before.").ids)
    start = time.perf_counter()
    encodings = tokenizer.encode_batch_fast(texts)
    out["encode"] = time.perf_counter() - start
    ids = [encoding.ids for encoding in encodings]
    start = time.perf_counter()
    for text in texts:
        tokenizer.encode(text)
    out["encode_with_spans"] = time.perf_counter() - start
    start = time.perf_counter()
    for tokens in ids:
        tokenizer.decode(tokens)
    out["decode"] = time.perf_counter() - start
    out["tokens"] = sum(map(len, ids))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=2)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        texts = Path(options.peer[1]).read_bytes().decode().split("\0")[:-1]
        print(json.dumps(peer(options.peer[0], texts)))
        return
    os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1", OMP_NUM_THREADS="1")
    size = int(options.megabytes * 1e6)
    for name in ("llama2", "qwen3"):
        file = SHARED / "data/tokenizers" / name / "tokenizer.json"
        for kind, texts in (("prose and code", prose(size)), ("mixed scripts", mixed(size)),
                            ("one line", one_line(size))):
            with tempfile.NamedTemporaryFile() as corpus_file:
                corpus_file.write("".join(text + "\0" for text in texts).encode())
                corpus_file.flush()
                megabytes = sum(len(text.encode()) for text in texts) / 1e6
                commands = {
                    "ours": [options.bin / "tokenizer_peer", file, corpus_file.name],
                    "peer": [sys.executable, __file__, "--peer", file, corpus_file.name]}
                runs = {side: [] for side in commands}
                for _ in range(options.rounds):
                    for side, command in commands.items():
                        done = subprocess.run(command, capture_output=True, check=True)
                        runs[side].append(json.loads(done.stdout))
            assert runs["ours"][0]["tokens"] == runs["peer"][0]["tokens"]
            for way in ("encode", "encode_with_spans", "decode", "load"):
                ratios = [peer[way] / ours[way] for ours, peer in zip(runs["ours"], runs["peer"])]
                median = {side: statistics.median(run[way] for run in runs[side]) for side in runs}
                speed = "" if way == "load" else (
                    f"{megabytes / median['ours']:8.1f} MB/s beside {megabytes / median['peer']:6.1f}")
                print(f"{name:7} {kind:15} {way:18} {statistics.median(ratios):6.2f}x "
                      f"({min(ratios):.2f} to {max(ratios):.2f}) {speed}", flush=True)


if __name__ == "__main__":
    main()
