"""Verdicts on calls against the Berkeley Function Calling Leaderboard's published checker, and on
JSON against the package jsonschema.

The package has many dependencies that its checker does not need, so it is installed without them
(./run interop does): pip install --no-deps -r tests/interop/requirements-alone.txt
"""

import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
from helpers import BINARY, ROOT

JUDGE = BINARY.parent / "judge_answers"
# BFCL's names of types, and JSON Schema's.
TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
FILES = ["simple_python", "multiple", "live_simple", "live_multiple"]


@pytest.fixture(scope="module")
def bfcl():
    """The folder of the package, and its checker alone."""
    found = importlib.util.find_spec("bfcl_eval")
    if found is None:
        pytest.skip("bfcl-eval is missing, so nothing was compared with BFCL: "
                    "pip install --no-deps -r tests/interop/requirements-alone.txt")
    # The checker asks it for one thing; the module itself imports the clients of all models.
    models = types.ModuleType("bfcl_eval.constants.model_config")
    models.MODEL_CONFIG_MAPPING = {"gladius": types.SimpleNamespace(underscore_to_dot=False)}
    sys.modules["bfcl_eval.constants.model_config"] = models
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval.ast_checker import (parallel_function_checker_no_order,
                                                             simple_function_checker)

    def is_right(function, call, truth):
        """Whether it is valid, or of a list of right calls, all of a list; None where the checker
        itself fails (a variable before an object among the right values, an element that is no
        object where it takes one for granted)."""
        try:
            if isinstance(truth, list):
                return parallel_function_checker_no_order(function, call, truth, Language.PYTHON,
                                                          "gladius")["valid"]
            return simple_function_checker(function, call, truth, Language.PYTHON, "gladius")["valid"]
        except (AttributeError, KeyError, TypeError):
            return None

    return Path(next(iter(found.submodule_search_locations))), is_right


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def judge(*arguments):
    """The verdicts, and the ceiling."""
    done = subprocess.run([JUDGE, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.split("\n") if line]
    return lines[:-1], lines[-1]


# --- random tools, right values and calls

WORDS = ["Oslo", "New York", "it's", "a-b_c", "café", "ÉTÉ", "3.5", "April 1, 2024", "x", "*", "on"]


def scalar(rng, kind):
    return {"string": lambda: rng.choice(WORDS), "any": lambda: rng.choice(WORDS),
            "integer": lambda: rng.randint(-3, 12),
            "float": lambda: rng.choice([0.5, 2.0, -1.25, 3, 1e3]),
            "boolean": lambda: rng.random() < 0.5}[kind]()


def random_schema(rng):
    kind = rng.choice(["string", "integer", "float", "boolean", "any", "array", "tuple", "dict"])
    schema = {"type": kind, "description": "what it is"}
    if kind in ("array", "tuple"):
        items = rng.choice(["string", "integer", "float", "boolean", "dict", "array"])
        schema["items"] = {"type": items}
    return schema


def right_object(rng):
    members = {}
    for name in rng.sample(["a", "b", "c", "d"], rng.randint(1, 3)):
        values = [scalar(rng, rng.choice(["string", "integer", "float", "boolean"]))
                  for _ in range(rng.randint(1, 3))]
        members[name] = values + [""] * (rng.random() < 0.3)
    return members


def right_value(rng, schema):
    kind = schema["type"]
    if rng.random() < 0.05:  # a variable in the place of a value
        return rng.choice(WORDS)
    if kind == "dict":
        return right_object(rng)
    if kind not in ("array", "tuple"):
        return scalar(rng, kind)
    items = schema["items"]["type"]
    if items == "dict":
        return [right_object(rng) for _ in range(rng.randint(0, 2))]
    if items == "array":
        return [[scalar(rng, "integer") for _ in range(2)] for _ in range(rng.randint(1, 2))]
    return [scalar(rng, items) for _ in range(rng.randint(0, 3))]


def random_function(rng, number):
    """A function as BFCL describes it, and its right answer."""
    properties, truth = {}, {}
    for i in range(rng.randint(0, 4)):
        properties[f"p{i}"] = random_schema(rng)
        values = [right_value(rng, properties[f"p{i}"]) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.4:
            values.insert(rng.randint(0, len(values)), "")
        truth[f"p{i}"] = values
    if rng.random() < 0.1:
        properties["unused"] = {"type": "string"}
    required = [name for name in properties if rng.random() < 0.5 and name in truth]
    return ({"name": f"tools.f{number}", "description": "does it",
             "parameters": {"type": "dict", "properties": properties, "required": required}},
            {f"tools.f{number}": truth})


def first_values(value):
    """An object's lists as one of its values each."""
    if isinstance(value, dict):
        return {name: next((x for x in values if x != ""), None) for name, values in value.items()
                if any(x != "" for x in values)}
    return [first_values(x) if isinstance(x, dict) else x for x in value] \
        if isinstance(value, list) else value


def right_arguments(rng, truth):
    arguments = {}
    for name, values in truth.items():
        given = [value for value in values if value != ""]
        if given and not ("" in values and rng.random() < 0.4):
            arguments[name] = first_values(rng.choice(given))
    return arguments


def disturbed(rng, value):
    """Another spelling, another type, another value."""
    if isinstance(value, str):
        return rng.choice([value.upper(), value.lower(), value + " ", value.replace(" ", "-"),
                           value.replace("'", '"'), value + "!", "", 3, [value], value.swapcase()])
    if isinstance(value, bool):
        return rng.choice([not value, int(value), str(value), float(value)])
    if isinstance(value, (int, float)):
        return rng.choice([float(value), int(value), value + 1, str(value), value == 1, -value])
    if isinstance(value, list):
        changed = list(value)
        kind = rng.randrange(6)
        if kind == 0 and changed:
            i = rng.randrange(len(changed))
            changed[i] = disturbed(rng, changed[i])
        elif kind == 1:
            changed.append(rng.choice([1, "x", 2.5, True, {}, []]))
        elif kind == 2:
            rng.shuffle(changed)
        elif kind == 3:
            return changed[:-1]
        elif kind == 4:
            return []
        else:
            return rng.choice(["x", {}, 1, None])
        return changed
    if isinstance(value, dict):
        changed = dict(value)
        kind = rng.randrange(4)
        if kind == 0 and changed:
            name = rng.choice(list(changed))
            changed[name] = disturbed(rng, changed[name])
        elif kind == 1 and changed:
            del changed[rng.choice(list(changed))]
        elif kind == 2:
            changed["z"] = 1
        else:
            return rng.choice([{}, [], "x", [changed]])
        return changed
    return rng.choice([None, 0, ""])


def random_call(rng, name, truth):
    """Right, half right or wrong."""
    arguments = right_arguments(rng, truth)
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
        kind = rng.randrange(10)
        if kind == 0:
            arguments["more"] = 1
        elif kind == 1 and arguments:
            del arguments[rng.choice(list(arguments))]
        elif kind == 2:
            name += "x"
        elif arguments:
            chosen = rng.choice(list(arguments))
            arguments[chosen] = disturbed(rng, arguments[chosen])
    return name, arguments


def written(rng, name, arguments):
    """A call in one of the forms that models write."""
    space = rng.choice([None, 1])
    arguments_text = json.dumps(arguments, ensure_ascii=rng.random() < 0.5)
    call = {"name": name, rng.choice(["arguments", "parameters"]): rng.choice(
        [arguments, arguments, arguments_text])}
    if rng.random() < 0.2:
        call = {"id": "0", **call}
    text = json.dumps(call, indent=space, ensure_ascii=rng.random() < 0.5)
    return rng.choice([
        text, f"  {text}\n", f"[{text}]", f"<tool_call>\n{text}\n</tool_call>",
        f"I look it up.\n<tool_call>{text}</tool_call> Done.", f"<tool_call>{text}",
        f"```json\n{text}\n```", f"<think>\nA call?\n</think>\n\n{text}",
        json.dumps({"type": "function", "function": call}), f"[TOOL_CALLS]{text}"])


def as_json_schema(schema):
    converted = {**schema, "type": TYPES.get(schema["type"], schema["type"])}
    if "items" in converted:
        converted["items"] = as_json_schema(converted["items"])
    if "properties" in converted:
        converted["properties"] = {name: as_json_schema(part)
                                   for name, part in converted["properties"].items()}
    return converted


def tool_of(function, bare):
    tool = {**function, "parameters": as_json_schema(function["parameters"])}
    return tool if bare else {"type": "function", "function": tool}


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
    questions = package / f"data/BFCL_v4_{name}.json"
    answers = package / f"data/possible_answer/BFCL_v4_{name}.json"
    functions = {case["id"]: case["function"] for case in map(json.loads, questions.open())}
    outputs, expected, ceiling_failed, cases = [], [], [], 0
    for line in map(json.loads, answers.open()):
        if line["id"] not in functions:
            continue
        cases += 1
        truth, = line["ground_truth"]
        (right_name, right), = truth.items()
        function = next(f for f in functions[line["id"]] if f["name"] == right_name)
        first = {p: first_values(next(v for v in values if v != ""))
                 for p, values in right.items() if any(v != "" for v in values)}
        if not is_right(function, {right_name: first}, truth):
            ceiling_failed.append(line["id"])
        for _ in range(4):
            called, arguments = random_call(rng, right_name, right)
            output = written(rng, called, arguments)
            outputs.append({"id": line["id"], "output": output})
            call = {called: arguments}
            expected.append((output, function, call, truth, is_right(function, call, truth)))
    verdicts, ceiling = judge(questions, write_lines(tmp_path / "outputs.jsonl", outputs), answers)
    counts = compare(verdicts, expected)
    print(f"{cases} cases, ceiling {ceiling['all_right']}; {counts}")
    assert ceiling["cases"] == cases
    assert ceiling["failed"] == ceiling_failed
    assert min(counts[True], counts[False]) > cases


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
        lambda: ("pattern", rng.choice(["^[a-z]+$", "a", "[0-9]", "^.{2,}$"])),
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
                       ('the keyword "pattern"', "beside an", "divides", "no answer that can be")), \
                (schema, answer)
            continue
        fit += 1
        value = json.loads(answer["text"])
        assert jsonschema.Draft202012Validator(schema).is_valid(value), (schema, answer)
    print(f"{fit} of 1000 schemas answered, the others refused")
    assert fit > 400
