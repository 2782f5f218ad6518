"""`./run distill-smollm2`: the 124.7M student learns from SmolLM2-135M-Instruct, across vocabularies.

Usage: python3 configs/smollm2/distill.py [--resume] [--threads N] [--set KEY=VALUE]...

The teacher writes answers to prompts of the embedded chats, the student is distilled on these and the
chats (distill.run.json), and both are evaluated on the held-out chats. What is done lies in
runs/smollm2, and --resume does not repeat it.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import teacher
from teacher import ROOT, fail, say

GLADIUS = ROOT / "build/release/bin/gladius"
DEFAULT = ROOT / "configs/default"
RUN_FILE = Path(__file__).resolve().with_name("distill.run.json")
RUNS = ROOT / "runs/smollm2"
WRITTEN = RUNS / "written.jsonl"
STUDENT = RUNS / "student"

PROMPTS = 160  # that the teacher answers
PROMPTS_AT_ONCE = 80
# No chat has this system message, so that the student can tell the teacher's answers from the chats'.
SYSTEM = "Answer in one short sentence."
ANSWER_TOKENS = 64
SHOWN_CATEGORIES = ("tools", "structured", "instructions")


class Program:
    """`gladius`, with the options of all commands. What stops this script stops it first."""

    def __init__(self, options, resume_command):
        self.options = [] if options.threads is None else ["--threads", str(options.threads)]
        self.resume_command = resume_command
        self.running = None
        # The terminal sends SIGINT to both.
        signal.signal(signal.SIGINT, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda sent, _: self.running and self.running.send_signal(sent))

    def __call__(self, command, *arguments, capture=False):
        """Its standard output, if it is captured. Ends the script if it fails."""
        line = [GLADIUS, command, *map(str, arguments), *self.options]
        self.running = subprocess.Popen(line, stdout=subprocess.PIPE if capture else None, text=True,
                                        env=os.environ | {"GLADIUS_RESUME_COMMAND": self.resume_command})
        output, _ = self.running.communicate()
        if code := self.running.returncode:
            if command != "distill":  # which says so itself
                say(f"stopped; to resume: {self.resume_command}")
            sys.exit(code if code > 0 else 128 - code)
        self.running = None
        return output


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def replace(path, content):
    """Writes the file: whole or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def prompts(most=PROMPTS):
    """Evenly chosen from the chats that are answered in words: calls and JSON have one right answer."""
    asked = [chat["messages"][-2] for chat in read_lines(DEFAULT / "chat.jsonl")
             if chat["messages"][-1]["content"][0] not in "{["]
    count = min(most, len(asked))
    return [{"messages": [{"role": "system", "content": SYSTEM}, asked[i * len(asked) // count]]}
            for i in range(count)]


def write_part(gladius, lines, part):
    """The teacher's answers to some prompts, as a whole file."""
    asked, writing = part.with_suffix(".prompts"), part.with_suffix(".part")
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    asked.write_text(text, encoding="utf-8")
    writing.unlink(missing_ok=True)
    gladius("generate", "--model", teacher.MODEL, "--batch", asked, "--out", writing,
            "--max-new-tokens", ANSWER_TOKENS, "--greedy")
    asked.unlink()
    writing.replace(part)


def write_data(gladius):
    """The teacher's answers, first in parts, so that an interruption costs no more than one."""
    if WRITTEN.exists():
        return
    parts, lines = RUNS / "parts", prompts()
    say(f"1/4 the teacher answers {len(lines)} prompts")
    parts.mkdir(exist_ok=True)
    begins = range(0, len(lines), PROMPTS_AT_ONCE)
    for begin in begins:
        if not (part := parts / f"{begin:03}.jsonl").exists():
            write_part(gladius, lines[begin:begin + PROMPTS_AT_ONCE], part)
    text = b"".join((parts / f"{begin:03}.jsonl").read_bytes() for begin in begins)
    if not text:
        fail(f"no answer of the teacher ended within {ANSWER_TOKENS} tokens")
    replace(WRITTEN, text)
    shutil.rmtree(parts)


def evaluation(gladius, name, model, since=None):
    """The model's results on the held-out chats; kept ones, unless they are older than `since`."""
    kept = RUNS / f"{name}.json"
    if kept.exists() and (since is None or kept.stat().st_mtime >= since.stat().st_mtime):
        return json.loads(kept.read_text())
    held_out = ("--data", DEFAULT / "eval.jsonl", "--loss-on", "assistant", "--max-seq-len", 512)
    suite = ("--suite", DEFAULT / "suite.jsonl", "--max-new-tokens", ANSWER_TOKENS, "--failures")
    result = {part: json.loads(gladius("eval", "--model", model, *arguments, "--json", capture=True))
              for part, arguments in (("data", held_out), ("suite", suite))}
    replace(kept, (json.dumps(result, indent=1) + "\n").encode())
    return result


def fresh_evaluation(gladius):
    """That of the student before the first step; the weights are only for this."""
    fresh, student = RUNS / "fresh", json.loads(RUN_FILE.read_text())["student"]
    if not (RUNS / "before.json").exists():
        shutil.rmtree(fresh, ignore_errors=True)
        gladius("init", "--config", RUN_FILE.parent / student["config"], "--seed", student["seed"],
                "--tokenizer", RUN_FILE.parent / student["tokenizer"], "--out", fresh, capture=True)
    result = evaluation(gladius, "before", fresh)
    shutil.rmtree(fresh, ignore_errors=True)
    return result


def distil(gladius, settings):
    changes = [argument for setting in settings for argument in ("--set", setting)]
    resume = ["--resume"] if (STUDENT / "run.json").exists() else []
    if not resume:
        shutil.rmtree(STUDENT, ignore_errors=True)  # of a run that was killed as it began
    gladius("distill", RUN_FILE, "--out", STUDENT, *changes, *resume)


def row(name, result):
    suite = result["suite"]
    tools = suite["categories"]["tools"]
    right = [f"{part['all_right']} of {part['cases']}" for part in (*suite["categories"].values(), suite)]
    return [name, f"{result['data']['bits_per_byte']:.3f}", *right[:-1],
            f"{tools['name_right']} of {tools['cases']}", right[-1]]


def table(results):
    """Right cases of each category; of the calls also those with the right tool."""
    categories = next(iter(results.values()))["suite"]["categories"]
    head = ["", "bits a byte", *categories, "right tool", "all"]
    lines = [head, *(row(*item) for item in results.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [[text.rjust(width) for text, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *cells[1:]])
                     for line, cells in zip(lines, aligned, strict=True))


def show(results):
    data, after = results["student, after"]["data"], results["student, after"]["suite"]
    print(f"\nheld out: the answers of {data['examples']} chats in bits a byte, and how many of "
          f"{after['cases']} cases are right\n\n{table(results)}\n")
    answers = {answer["id"]: answer for answer in after["answers"]}
    cases = read_lines(DEFAULT / "suite.jsonl")
    for category in SHOWN_CATEGORIES:
        case = next(case for case in cases if case["category"] == category)
        answer = answers[case["id"]]
        verdict = "right" if answer["right"] else "wrong"
        print(f"> {case['messages'][-1]['content']}\n{answer['output']}    [{verdict}]")
    sys.stdout.flush()
    if 2 * after["all_right"] < after["cases"]:
        say(f"the student is weak: {after['all_right']} of {after['cases']} cases right. A short run from "
            "fresh weights teaches the form of an answer, hardly its sense; --set experts.0.steps=N makes "
            "it longer")
    say("no tools are shown to the teacher, so it cannot know their names")


def begin(resume, resume_command):
    if resume and not RUNS.exists():
        fail("there is no run to resume in runs/smollm2; leave out --resume to begin one")
    if not resume and RUNS.exists():
        fail(f"runs/smollm2 holds an earlier run; resume it with {resume_command}, or move it away")
    RUNS.mkdir(parents=True, exist_ok=True)


def main():
    parser = argparse.ArgumentParser(prog="./run distill-smollm2", allow_abbrev=False)
    parser.add_argument("--resume", action="store_true", help="go on where it was interrupted")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a value in the place of distill.run.json's")
    options = parser.parse_args()
    typed = [argument for argument in sys.argv[1:] if argument != "--resume"]
    resume_command = shlex.join(["./run", "distill-smollm2", *typed, "--resume"])
    model = teacher.find()
    begin(options.resume, resume_command)
    gladius = Program(options, resume_command)
    write_data(gladius)
    say("2/4 the teacher and the fresh student on the held-out chats")
    results = {"student, before": fresh_evaluation(gladius)}
    of_teacher = evaluation(gladius, "teacher", model)
    say("3/4 distilling the student")
    distil(gladius, options.set)
    say("4/4 the student on the held-out chats")
    weights = STUDENT / "model/model.safetensors"
    results["student, after"] = evaluation(gladius, "after", STUDENT / "model", since=weights)
    results["teacher"] = of_teacher
    show(results)
    say("the student is in runs/smollm2/student/model, the report in runs/smollm2/student/report.html")


if __name__ == "__main__":
    with teacher.told():
        main()
