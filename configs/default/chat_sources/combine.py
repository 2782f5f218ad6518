"""Phrasings times slot values."""

import json
from math import gcd


def combine(phrasings, values, count):
    """`count` pairs (phrasing, value), both used evenly, no pair twice."""
    total = len(phrasings) * len(values)
    if count > total:
        raise ValueError(f"combine: {count} pairs asked of {total}")
    round_length = total // gcd(len(phrasings), len(values))
    for i in range(count):
        # After a full round the same pairs would come again: shift the values by one.
        yield phrasings[i % len(phrasings)], values[(i + i // round_length) % len(values)]


def as_json(value):
    return json.dumps(value, ensure_ascii=False)
