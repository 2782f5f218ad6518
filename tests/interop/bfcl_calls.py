"""The Berkeley Function Calling Leaderboard's checker and files, and random calls for it."""

import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
from helpers import BINARY

JUDGE = BINARY.parent / "judge_answers"
# BFCL's names of types, and JSON Schema's.
TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}


def load_checker():
    """The folder of the package, and its checker alone: whether calls are right. Skips the test
    where it is missing.

    The package has many dependencies that its checker does not need, so it is installed without
    them (./run interop does): pip install --no-deps -r tests/interop/requirements-alone.txt
    """
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


def read_bfcl(package, name):
    """BFCL's files of questions and of right answers, and each case's id, functions and right calls."""
    questions = package / f"data/BFCL_v4_{name}.json"
    answers = package / f"data/possible_answer/BFCL_v4_{name}.json"
    functions = {case["id"]: case["function"] for case in map(json.loads, questions.open())}
    cases = [(line["id"], functions[line["id"]], line["ground_truth"])
             for line in map(json.loads, answers.open()) if line["id"] in functions]
    return questions, answers, cases


def first_right(values):
    """The first right value of each argument that may not be left out alone."""
    return {name: first_values(next(v for v in right if v != ""))
            for name, right in values.items() if any(v != "" for v in right)}
