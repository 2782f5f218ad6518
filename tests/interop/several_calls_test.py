"""Several calls in an answer, against the Berkeley Function Calling Leaderboard's own checker."""

import json
import keyword

import pytest
from bfcl_calls import (first_right, judge, random_call, random_function, read_bfcl, right_arguments,
                        right_value, tool_of, write_lines)

FILES = ["parallel", "parallel_multiple", "live_parallel", "live_parallel_multiple"]


def can_be_python(name, arguments):
    words = [*name.split("."), *arguments]
    return all(word.isidentifier() and not keyword.iskeyword(word) for word in words)


def in_python(rng, name, arguments):
    space = rng.choice(["", " "])
    return f"{name}(" + f",{space}".join(f"{p}={value!r}" for p, value in arguments.items()) + ")"


def written(rng, calls):
    """In one of the forms that models write."""
    bodies = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in calls]
    if all(can_be_python(*call) for call in calls) and rng.random() < 0.5:
        text = ", ".join(in_python(rng, *call) for call in calls)
        return rng.choice([text, f"[{text}]", f" [ {text}, ]\n", f"```python\n[{text}]\n```"])
    return rng.choice([
        "[" + ", ".join(bodies) + "]", "[TOOL_CALLS] [" + ",".join(bodies) + "]",
        "\n".join(f"<tool_call>\n{body}\n</tool_call>" for body in bodies)])


def random_calls(rng, truth):
    """Right ones in any order, or with one more, one less, another twice, or disturbed."""
    calls = []
    for one in truth:
        (name, right), = one.items()
        disturbs = rng.random() < 0.3
        calls.append(random_call(rng, name, right) if disturbs
                     else (name, right_arguments(rng, right)))
    rng.shuffle(calls)
    change = rng.randrange(8)
    if change == 0:
        calls.append(rng.choice(calls))
    elif change == 1 and len(calls) > 1:
        calls.pop()
    elif change == 2:
        calls[rng.randrange(len(calls))] = rng.choice(calls)
    return calls


def compare(verdicts, expected):
    """Each verdict is the checker's, where it has one."""
    counts = {True: 0, False: 0, None: 0}
    for verdict, (output, functions, truth, right) in zip(verdicts, expected, strict=True):
        assert verdict["parsed"], output
        assert right is None or verdict["right"] == right, (verdict, output, functions, truth)
        counts[right] += 1
    assert counts[None] <= len(expected) / 10
    return counts


def random_truth(rng, described):
    """Two calls or more of these functions, often of one with other right values."""
    truth = []
    for _ in range(rng.randint(2, 4)):
        function, right = rng.choice(described)
        (name, values), = right.items()
        if rng.random() < 0.5:
            properties = function["parameters"]["properties"]
            values = {p: given if rng.random() < 0.5 else [right_value(rng, properties[p])]
                      for p, given in values.items()}
        truth.append({name: values})
    return truth


def test_random_parallel_calls(bfcl, rng, tmp_path):
    """In a suite's own form; several functions, each called once or more."""
    _, is_right = bfcl
    cases, outputs, expected = [], [], []
    for number in range(200):
        described = [random_function(rng, f"{number}_{i}") for i in range(rng.randint(1, 3))]
        functions = [function for function, _ in described]
        truth = random_truth(rng, described)
        cases.append({"id": str(number), "category": "random",
                      "messages": [{"role": "user", "content": "do it"}],
                      "tools": [tool_of(function, rng.random() < 0.5) for function in functions],
                      "expect": {"calls": [{"name": name, "arguments": right}
                                           for one in truth for name, right in one.items()]}})
        for _ in range(5):
            calls = random_calls(rng, truth)
            output = written(rng, calls)
            outputs.append({"id": str(number), "output": output})
            made = [{name: arguments} for name, arguments in calls]
            expected.append((output, functions, truth, is_right(functions, made, truth)))
    verdicts, _ = judge(write_lines(tmp_path / "suite.jsonl", cases),
                        write_lines(tmp_path / "outputs.jsonl", outputs))
    counts = compare(verdicts, expected)
    print(f"{counts[True]} right, {counts[False]} wrong, {counts[None]} without a verdict")
    assert min(counts[True], counts[False]) > 150


@pytest.mark.parametrize("name", FILES)
def test_bfcl_files(bfcl, rng, tmp_path, name):
    """BFCL's own cases, read from its own files."""
    package, is_right = bfcl
    questions, answers, cases = read_bfcl(package, name)
    outputs, expected, ceiling_failed = [], [], []
    for case, known, truth in cases:
        first = [{called: first_right(right)} for one in truth for called, right in one.items()]
        if not is_right(known, first, truth):
            ceiling_failed.append(case)
        for _ in range(4):
            calls = random_calls(rng, truth)
            output = written(rng, calls)
            outputs.append({"id": case, "output": output})
            made = [{called: arguments} for called, arguments in calls]
            expected.append((output, known, truth, is_right(known, made, truth)))
    verdicts, ceiling = judge(questions, write_lines(tmp_path / "outputs.jsonl", outputs), answers)
    counts = compare(verdicts, expected)
    print(f"{len(cases)} cases, ceiling {ceiling['all_right']}; {counts}")
    assert ceiling["cases"] == len(cases)
    assert ceiling["failed"] == ceiling_failed
    assert min(counts[True], counts[False]) > len(cases) / 4
