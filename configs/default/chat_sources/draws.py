"""Choices that look random and are the same with every Python: they follow SHA-256."""

import hashlib


def digest(text):
    return hashlib.sha256(text.encode("utf-8")).digest()


class Draws:
    """A stream of choices that begins anew with each name. Of the words that values are made of so
    many of a hundred are invented (values.py)."""

    def __init__(self, name, invented_percent=0):
        self.name = name
        self.invented_percent = invented_percent
        self.count = 0

    def below(self, n):
        self.count += 1
        return int.from_bytes(digest(f"{self.name}:{self.count}")[:8]) % n

    def one(self, options):
        return options[self.below(len(options))]

    def chance(self, percent):
        return self.below(100) < percent


# One value in so many is kept for the held-out chats: no training chat has it.
HELD_OUT_ONE_IN = 8


def is_held_out(value):
    return digest(f"value:{str(value).casefold()}")[0] % HELD_OUT_ONE_IN == 0


def value(draws, make, held_out):
    """What `make` draws until it is one of the wanted side."""
    for _ in range(10_000):
        made = make(draws)
        if is_held_out(made) == held_out:
            return made
    raise ValueError(f"{make.__name__}: no value is {'held out' if held_out else 'for training'}")
