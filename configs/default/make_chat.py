"""Writes chat.jsonl and eval.jsonl, the embedded data of the default run, and suite.jsonl.

Usage: python3 make_chat.py [--out DIR]

suite.jsonl has a case for each chat of eval.jsonl, with what the answer has to be (docs/evaluation.md).
The sources under chat_sources/ are hand-written phrasings, tables and whole items; what is computed
(sums, sorted words, JSON) is computed there. No random numbers: order and split follow the SHA-256
of the user's message, so that every Python gives the same bytes and an added item moves no other.
"""

import argparse
import json
from pathlib import Path

from chat_sources import copying, instructions, refusals, structured, tools
from chat_sources.draws import digest

HERE = Path(__file__).resolve().parent
EVAL_ONE_IN = 13

# The system messages a category is seen with; None is a chat without one.
SYSTEM = {
    "tools": (
        "Reply with a tool call.",
        "You route requests to tools.",
        "You are Gladius, a tool router.",
        "Choose a tool and answer in JSON.",
        None,
    ),
    "structured": ("Reply with JSON only.", "Answer in JSON.", None),
    "instructions": (None, None, "Answer briefly.", None, "You are Gladius, a helpful assistant."),
    "copying": (None, "Answer briefly.", "You are Gladius, a helpful assistant."),
    "refusals": (None, "You are Gladius, a safe and helpful assistant.", None),
}
SOURCES = {
    "tools": tools,
    "structured": structured,
    "copying": copying,
    "instructions": instructions,
    "refusals": refusals,
}
# How refusals begin that `gladius eval` knows; others are compared as texts.
REFUSING = ("I can't", "I won't", "Dabei kann ich nicht")


def chat(category, user, assistant):
    """One chat; the system message depends on the user's words alone."""
    systems = SYSTEM[category]
    system = systems[digest("system:" + user)[0] % len(systems)]
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": user})
    messages.append({"role": "assistant", "content": assistant})
    return messages


def build():
    """(train, eval): lists of (category, messages), each in hash order, no user message twice.

    A source without held-out requests of its own gives some of its items."""
    train, held_out, seen = [], [], set()
    for category, source in SOURCES.items():
        own = list(source.held_out()) if hasattr(source, "held_out") else []
        for user, assistant in unique(own, seen):
            held_out.append((category, chat(category, user, assistant)))
        for index, (user, assistant) in enumerate(unique(source.examples(), seen)):
            split = not own and index % EVAL_ONE_IN == EVAL_ONE_IN - 1
            target = held_out if split else train
            target.append((category, chat(category, user, assistant)))
    for split in (train, held_out):
        split.sort(key=lambda item: digest("order:" + item[1][-2]["content"]))
    return train, held_out


def unique(examples, seen):
    """The examples whose request is not in `seen`, where it then is, in hash order."""
    new = {}
    for user, assistant in examples:
        if user.casefold() not in seen:
            new.setdefault(user.casefold(), (user, assistant))
    seen.update(new)
    return [new[key] for key in sorted(new, key=digest)]


def expectation(category, answer):
    """What an answer has to be to be right, if `answer` is the chat's own."""
    if category == "tools":
        call = json.loads(answer)
        arguments = {name: [value] for name, value in call["arguments"].items()}
        return {"call": {"name": call["name"], "arguments": arguments}}
    if category == "structured":
        return {"schema": {"const": json.loads(answer)}}
    if category == "refusals" and answer.startswith(REFUSING):
        return {"refusal": True}
    return {"text": list(dict.fromkeys((answer, answer.rstrip("."))))}


def to_jsonl(lines):
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def chats(split):
    return [{"messages": messages} for _, messages in split]


def cases(split):
    return [{"id": f"{category}-{index}", "category": category, "messages": messages[:-1],
             "expect": expectation(category, messages[-1]["content"])}
            for index, (category, messages) in enumerate(split)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    out = parser.parse_args().out
    train, held_out = build()
    for name, split, lines in (("chat.jsonl", train, chats(train)),
                               ("eval.jsonl", held_out, chats(held_out)),
                               ("suite.jsonl", held_out, cases(held_out))):
        (out / name).write_text(to_jsonl(lines), encoding="utf-8")
        counts = {c: sum(category == c for category, _ in split) for c in SOURCES}
        print(f"{out / name}: {len(split)} lines, {counts}")


if __name__ == "__main__":
    main()
