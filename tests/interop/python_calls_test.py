"""Calls written in Python, against the Berkeley Function Calling Leaderboard's own reader."""

import ast
import json
import math
import re
import warnings

import pytest
from bfcl_calls import judge, write_lines


@pytest.fixture(scope="module")
def decode(bfcl):
    """BFCL's reader of prompted answers, alone: its module imports parsers of other languages."""
    package, _ = bfcl
    source = ast.parse((package / "model_handler/utils.py").read_text())
    wanted = {"default_decode_ast_prompting", "ast_parse", "resolve_ast_call", "resolve_ast_by_type"}
    source.body = [part for part in source.body
                   if isinstance(part, ast.FunctionDef) and part.name in wanted]
    from bfcl_eval.constants.enums import ReturnFormat
    space = {"ast": ast, "re": re, "json": json, "ReturnFormat": ReturnFormat}
    exec(compile(source, "utils.py", "exec"), space)
    return space["default_decode_ast_prompting"]


def python_text(rng):
    parts = ["a", "B", " ", "'", '"', "\\", "\n", "é", "😀", "\x07", "]", ",", "\u2028", "7"]
    text = "".join(rng.choice(parts) for _ in range(rng.randrange(6)))
    forms = [repr(text), ascii(text), "u" + repr(text)]
    if not any(c in text for c in "\\'\n"):
        forms += [f"r'{text}'", f"'''{text}'''", f'R"""{text} """']
    return rng.choice(forms)


def python_number(rng):
    number = rng.choice([0, 7, 12, 1000, 2**31, 2**63 - 1, 2**63, 10**20])
    return rng.choice([str(number), "-" + str(number), hex(number % 2**40), bin(number % 99),
                       oct(number % 99), f"{number:_}", "00", "007", "1.5", "-0.25", "1e5", "1E-3",
                       "5.", ".5", "1_0.2_5", "1e400", "1_e5", "2j", "1__0", "-1e+2", "3.0"])


def python_value(rng, depth=3):
    kind = rng.randrange(14 if depth else 9)
    if kind < 3:
        return " ".join(python_text(rng) for _ in range(rng.choice([1, 1, 1, 2])))
    if kind < 7:
        return python_number(rng)
    if kind == 7:
        return rng.choice(["True", "False", "None", "...", "x", "café", "now()", "true", "a.b"])
    if kind == 8:
        return rng.choice(["+1", "not 1", "b'x'", "1 + 2", "f'x'", "x[0]", "lambda: 1", "{1, 2}",
                           '"\\x41\\u00e9\\101\\q"', "'\\ud800'"])
    inner = [python_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    comma = rng.choice(["", "", ","]) if inner else ""
    if kind < 11:
        return "[" + rng.choice([", ", ",", ",\n  "]).join(inner) + comma + "]"
    if kind == 11:
        return "(" + ", ".join(inner) + comma + ")"
    if kind == 12:
        return "{" + ", ".join(f"{rng.choice(['', 'u'])}'k{i}': {value}"
                               for i, value in enumerate(inner)) + comma + "}"
    return python_call(rng, depth - 1)


def python_call(rng, depth=3):
    places = [python_value(rng, 0) for _ in range(rng.choice([0, 0, 0, 1]))]
    named = [rng.choice(["a{}={}", "b{} = {}", "é{}={}"]).format(i, python_value(rng, depth))
             for i in range(rng.randrange(4))]
    return rng.choice(["f", "m.g", "a.b.c", "m . g ", "_x1"]) + "(" + ", ".join(places + named) + ")"


def as_json(value):
    """ValueError for what JSON cannot hold."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if isinstance(value, bytes | complex) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError
    if isinstance(value, int) and not isinstance(value, bool) and not -2**63 < value < 2**63:
        return float(value)
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError
    return value


def is_passed_over(node):
    """Of an argument by place, which ours reads as well before it passes over it."""
    if isinstance(node, ast.Constant):
        try:
            as_json(node.value)
        except ValueError:
            return False
    return isinstance(node, ast.Constant | ast.Name)


def has_name(call):
    """Of another callee, such as 1(), BFCL makes a call without a name."""
    callee = call.func
    while isinstance(callee, ast.Attribute):
        callee = callee.value
    return isinstance(callee, ast.Name)


def is_literal(node):
    """Whether the documentation says that it is read; the rest BFCL computes, or copies, or passes
    over."""
    if isinstance(node, ast.UnaryOp):
        number = node.operand
        return (isinstance(node.op, ast.USub) and isinstance(number, ast.Constant)
                and type(number.value) in (int, float))
    if isinstance(node, ast.Constant):
        if node.kind == "u" or not isinstance(node.value, str):
            return type(node.value) is not complex
        return True
    if isinstance(node, ast.List | ast.Tuple):
        return all(map(is_literal, node.elts))
    if isinstance(node, ast.Dict):
        return all(key is not None and is_literal(key) for key in node.keys) \
            and all(map(is_literal, node.values))
    if isinstance(node, ast.Call):
        if (node.args and not node.keywords) or not has_name(node):
            return False
        return all(map(is_passed_over, node.args)) and all(
            word.arg is not None and is_literal(word.value) for word in node.keywords)
    return isinstance(node, ast.Name)


def has_literals_alone(text):
    text = text.strip("`\n ")
    tree = ast.parse(("" if text.startswith("[") else "[") + text + ("" if text.endswith("]") else "]"),
                     mode="eval")
    return all(has_name(call) and all(map(is_passed_over, call.args))
               and all(word.arg is not None and is_literal(word.value) for word in call.keywords)
               for call in tree.body.elts)


def read_by_bfcl(decode, text):
    """The calls; none of a text that is no call; None where ours and BFCL's differ by intention."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calls = decode(text)
            if not has_literals_alone(text):
                return None
            return as_json(calls)
    except Exception:  # whatever it raises of a text that is no call
        return []


def test_python_calls(decode, rng, tmp_path):
    """What is read of random Python is what BFCL reads, and nothing where it reads nothing."""
    texts = []
    for _ in range(3000):
        calls = ", ".join(python_call(rng) for _ in range(rng.choice([1, 1, 2, 3])))
        text = rng.choice([calls, f"[{calls}]", f"```\n[{calls}]\n```", f"[{calls},]"])
        if rng.random() < 0.3:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(["", "x", "'", ")", "=", ",", "1", "(", " "]) + text[at + 1:]
        texts.append(text)
    cases = [{"id": "one", "category": "c", "messages": [{"role": "user", "content": "x"}],
              "expect": {"call": {"name": "f", "arguments": {}}}}]
    verdicts, _ = judge(write_lines(tmp_path / "suite.jsonl", cases),
                        write_lines(tmp_path / "outputs.jsonl",
                                    [{"id": "one", "output": text} for text in texts]))
    counts = {"read": 0, "not read": 0, "other": 0}
    for text, verdict in zip(texts, verdicts, strict=True):
        expected = read_by_bfcl(decode, text)
        counts["other" if expected is None else "read" if expected else "not read"] += 1
        assert expected is None or verdict["calls"] == expected, text
    print(counts)
    assert min(counts["read"], counts["not read"]) > 300
