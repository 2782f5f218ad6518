"""Writes chat.jsonl and eval.jsonl, the embedded data of the default run.

Usage: python3 make_chat.py [--out DIR]

The sources under chat_sources/ are hand-written phrasings, tables and whole items; what is computed
(sums, sorted words, JSON) is computed there. No random numbers: order and split follow the SHA-256
of the user's message, so that every Python gives the same bytes and an added item moves no other.
"""

import argparse
import hashlib
import json
from pathlib import Path

from chat_sources import instructions, refusals, structured, tools

HERE = Path(__file__).resolve().parent
EVAL_ONE_IN = 13

# The system messages a category is seen with; None is a chat without one.
SYSTEM = {
    "tools": (
        "Reply with a tool call.",
        "You route requests to tools.",
        "You are Gladius, a tool router.",
        "Choose a tool and answer in JSON.",
    ),
    "structured": ("Reply with JSON only.", "Answer in JSON.", None),
    "instructions": (None, None, "Answer briefly.", None, "You are Gladius, a helpful assistant."),
    "refusals": (None, "You are Gladius, a safe and helpful assistant.", None),
}
SOURCES = {
    "tools": tools.examples,
    "structured": structured.examples,
    "instructions": instructions.examples,
    "refusals": refusals.examples,
}


def digest(text):
    return hashlib.sha256(text.encode("utf-8")).digest()


def chat(category, user, assistant):
    """One chat; the system message depends on the user's words alone."""
    systems = SYSTEM[category]
    system = systems[digest("system:" + user)[0] % len(systems)]
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": user})
    messages.append({"role": "assistant", "content": assistant})
    return messages


def build():
    """(train, eval): lists of (category, messages), each in hash order, no user message twice."""
    train, held_out, seen = [], [], set()
    for category, examples in SOURCES.items():
        unique = {}
        for user, assistant in examples():
            unique.setdefault(user.casefold(), (user, assistant))
        ordered = [unique[key] for key in sorted(unique, key=digest) if key not in seen]
        seen.update(unique)
        for index, (user, assistant) in enumerate(ordered):
            target = held_out if index % EVAL_ONE_IN == EVAL_ONE_IN - 1 else train
            target.append((category, chat(category, user, assistant)))
    for split in (train, held_out):
        split.sort(key=lambda item: digest("order:" + item[1][-2]["content"]))
    return train, held_out


def to_jsonl(split):
    return "".join(json.dumps({"messages": m}, ensure_ascii=False) + "\n" for _, m in split)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    out = parser.parse_args().out
    train, held_out = build()
    for name, split in (("chat.jsonl", train), ("eval.jsonl", held_out)):
        (out / name).write_text(to_jsonl(split), encoding="utf-8")
        counts = {c: sum(category == c for category, _ in split) for c in SOURCES}
        print(f"{out / name}: {len(split)} chats, {counts}")


if __name__ == "__main__":
    main()
