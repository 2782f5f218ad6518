"""Verdicts on calls against the Berkeley Function Calling Leaderboard's published checker, and on
JSON against the package jsonschema.
"""

import json
import subprocess

import pytest
from bfcl_calls import (first_right, judge, random_call, random_function, read_bfcl, tool_of,
                        write_lines, written)
from helpers import BINARY, ROOT

FILES = ["simple_python", "multiple", "live_simple", "live_multiple"]


def compare(verdicts, expected):
    """Each verdict is the checker's, where it has one."""
    assert len(verdicts) == len(expected)
    counts = {True: 0, False: 0, None: 0}
    for verdict, (output, function, call, truth, right) in zip(verdicts, expected, strict=True):
        assert verdict["parsed"], output
        assert right is None or verdict["right"] == right, (verdict, output, function, truth)
        (name,), (right_name,) = call.keys(), truth.keys()
        assert verdict["name_right"] == (name == right_name)
        counts[right] += 1
    assert counts[None] <= len(expected) / 20
    return counts


def test_random_calls(bfcl, rng, tmp_path):
    """In a suite's own form."""
    _, is_right = bfcl
    cases, outputs, expected = [], [], []
    for number in range(300):
        function, truth = random_function(rng, number)
        (name, right), = truth.items()
        cases.append({"id": str(number), "category": "random",
                      "messages": [{"role": "user", "content": "do it"}],
                      "tools": [tool_of(function, rng.random() < 0.5)],
                      "expect": {"call": {"name": name, "arguments": right}}})
        for _ in range(5):
            called, arguments = random_call(rng, name, right)
            output = written(rng, called, arguments)
            outputs.append({"id": str(number), "output": output})
            call = {called: arguments}
            expected.append((output, function, call, truth, is_right(function, call, truth)))
    verdicts, _ = judge(write_lines(tmp_path / "suite.jsonl", cases),
                        write_lines(tmp_path / "outputs.jsonl", outputs))
    counts = compare(verdicts, expected)
    print(f"{counts[True]} right, {counts[False]} wrong, {counts[None]} without a verdict")
    assert min(counts[True], counts[False]) > 300


@pytest.mark.parametrize("name", FILES)
def test_bfcl_files(bfcl, rng, tmp_path, name):
    """BFCL's own cases, read from its own files."""
    package, is_right = bfcl
    questions, answers, cases = read_bfcl(package, name)
    outputs, expected, ceiling_failed = [], [], []
    for case, functions, truth in cases:
        truth, = truth
        (right_name, right), = truth.items()
        function = next(f for f in functions if f["name"] == right_name)
        if not is_right(function, {right_name: first_right(right)}, truth):
            ceiling_failed.append(case)
        for _ in range(4):
            called, arguments = random_call(rng, right_name, right)
            output = written(rng, called, arguments)
            outputs.append({"id": case, "output": output})
            call = {called: arguments}
            expected.append((output, function, call, truth, is_right(function, call, truth)))
    verdicts, ceiling = judge(questions, write_lines(tmp_path / "outputs.jsonl", outputs), answers)
    counts = compare(verdicts, expected)
    print(f"{len(cases)} cases, ceiling {ceiling['all_right']}; {counts}")
    assert ceiling["cases"] == len(cases)
    assert ceiling["failed"] == ceiling_failed
    assert min(counts[True], counts[False]) > len(cases)


def test_several_calls_and_none(rng, tmp_path):
    """Where the checker has no call to look at, nothing is right."""
    call = '{"name": "f", "arguments": {}}'
    outputs = [f"[{call}, {call}]", f"<tool_call>{call}</tool_call><tool_call>{call}</tool_call>",
               "", "f(", "{}", "[]", '{"name": "f"}', '{"name": 1, "arguments": {}}', call[:-1],
               f"Here: {call}", '{"name": "f", "arguments": [1]}', f"<tool_call>{call[:-2]}",
               f"<tool_call>{call}</tool_call><tool_call>x</tool_call>", f"<think>{call}"]
    cases = [{"id": "one", "category": "c", "messages": [{"role": "user", "content": "x"}],
              "expect": {"call": {"name": "f", "arguments": {}}}}]
    verdicts, _ = judge(write_lines(tmp_path / "suite.jsonl", cases),
                        write_lines(tmp_path / "outputs.jsonl",
                                    [{"id": "one", "output": x} for x in [*outputs, call]]))
    assert [verdict["right"] for verdict in verdicts] == [False] * len(outputs) + [True]
    assert [verdict["parsed"] for verdict in verdicts] == [True, True] + [False] * 12 + [True]


# --- JSON Schemas

def random_value(rng, depth=2):
    kind = rng.randrange(8 if depth else 6)
    if kind == 6:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {rng.choice("abcd"): random_value(rng, depth - 1) for _ in range(rng.randrange(4))}
    return [None, rng.random() < 0.5, rng.randint(-2, 4), rng.choice([0.5, 1.0, 2.0, -1.5]),
            rng.choice(["", "a", "ab", "äöü", "a1", "B"]), rng.randint(0, 1)][kind]


def random_keyword(rng, depth):
    types = ["string", "integer", "number", "boolean", "array", "object", "null"]

    def some():
        return rng.randrange(4)

    choices = [
        lambda: ("type", rng.choice(types)), lambda: ("type", rng.sample(types, 2)),
        lambda: ("enum", [random_value(rng, 1) for _ in range(3)]),
        lambda: ("const", random_value(rng, 1)),
        lambda: ("required", rng.sample("abcd", rng.randrange(3))),
        lambda: ("minProperties", some()), lambda: ("maxProperties", some()),
        lambda: ("minItems", some()), lambda: ("maxItems", some()),
        lambda: ("minLength", some()), lambda: ("maxLength", some()),
        lambda: ("pattern", rng.choice(["^[a-z]+$", "a", "[0-9]", "^.{2,}$", r"^\d+-\D*$", r"^\W\S?$",
                                         "(ab|c){2}", "^[^a-z]*$", r"\s$", "^$", "ä|b+?x{0,2}$"])),
        lambda: ("minimum", some() - 1), lambda: ("maximum", some() - 0.5),
        lambda: ("exclusiveMinimum", some() - 1), lambda: ("exclusiveMaximum", some())]
    if depth:
        def inner():
            return random_json_schema(rng, depth - 1)

        choices += [
            lambda: ("anyOf", [inner(), inner()]), lambda: ("items", inner()),
            lambda: ("properties", {name: inner() for name in rng.sample("abcd", 2)}),
            lambda: ("additionalProperties", rng.choice([False, True, inner()]))] * 2
    return rng.choice(choices)()


def random_json_schema(rng, depth=2):
    if rng.random() < 0.03:
        return rng.random() < 0.5
    return dict(random_keyword(rng, depth) for _ in range(rng.randint(1, 3)))


def test_json_schemas(rng, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    cases, outputs, expected = [], [], []
    for number in range(500):
        schema = random_json_schema(rng)
        cases.append({"id": str(number), "category": "random",
                      "messages": [{"role": "user", "content": "x"}], "expect": {"schema": schema}})
        validator = jsonschema.Draft202012Validator(schema)
        for _ in range(10):
            value = random_value(rng)
            output = json.dumps(value, indent=rng.choice([None, 2]))
            outputs.append({"id": str(number), "output": output})
            expected.append((validator.is_valid(value), schema, value))
    verdicts, ceiling = judge(write_lines(tmp_path / "suite.jsonl", cases),
                              write_lines(tmp_path / "outputs.jsonl", outputs))
    for verdict, (right, schema, value) in zip(verdicts, expected, strict=True):
        assert verdict["parsed"]
        assert verdict["right"] == right, (verdict, schema, value)
    fit = sum(right for right, _, _ in expected)
    print(f"{fit} fit, {len(expected) - fit} do not; {ceiling['cases']} of 500 have an example")
    assert min(fit, len(expected) - fit) > 500
    assert not ceiling["failed"]


# --- constrained answers

def test_constrained_answers(rng):
    """Answers of random logits parse and fit, whatever the schema; others are refused by name."""
    jsonschema = pytest.importorskip("jsonschema")
    schemas = [random_json_schema(rng) for _ in range(1000)]
    done = subprocess.run([BINARY.parent / "constrained_answers", ROOT / "configs/default/tokenizer",
                           str(rng.getrandbits(63))],
                          input="".join(json.dumps(schema) + "\n" for schema in schemas),
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    fit = 0
    for schema, answer in zip(schemas, answers, strict=True):
        if "refused" in answer:
            assert any(reason in answer["refused"] for reason in
                       ("beside an", "divides", "no answer that can be")), \
                (schema, answer)
            continue
        fit += 1
        value = json.loads(answer["text"])
        assert jsonschema.Draft202012Validator(schema).is_valid(value), (schema, answer)
    print(f"{fit} of 1000 schemas answered, the others refused")
    assert fit > 400
