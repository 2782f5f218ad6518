"""Requests to say a text again: what stands in them, in the same order.

Many texts of training are long rows of digits, symbols and invented words, in which every token has to
be found by the one before it: what the short values of calls need, learned where there is most of it.
"""

from chat_sources import values
from chat_sources.draws import value

TRAINING, HELD_OUT = 900, 6
PHRASINGS = (
    ('Repeat: {text}', 'Say again: {text}', 'Repeat after me: {text}', 'Say exactly this: {text}',
     'Copy: {text}', 'Write this again: {text}', 'Echo: {text}', 'Say {text} once more.',
     'Repeat "{text}".', 'Type "{text}" for me.'),
    ('Repeat this: {text}', 'Please say exactly: {text}', 'Copy this text: {text}',
     'Write "{text}" again.'))


def code(draws):
    return "".join(draws.one("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
                   for _ in range(3 + draws.below(6)))


def piece(draws):
    """A word, number or time that nothing but copying tells."""
    return draws.one((values.invented, values.invented, code, values.time, values.symbol,
                      values.amount))(draws)


def pieces(draws):
    """Long enough that what comes next is found by what came before."""
    return " ".join(str(piece(draws)) for _ in range(4 + draws.below(17)))


def text_maker(draws, held_out):
    if held_out or draws.chance(40):
        return draws.one((values.sentence, values.topic, values.title, values.items, values.full_name))
    return draws.one((pieces, pieces, pieces, values.numbers, values.expression, values.email))


def request(number, held_out):
    draws = values.draws_of("copy", number, held_out)
    text = value(draws, text_maker(draws, held_out), held_out)
    return draws.one(PHRASINGS[held_out]).format(text=text), text


def examples():
    for number in range(TRAINING):
        yield request(number, held_out=False)


def held_out():
    for number in range(HELD_OUT):
        yield request(number, held_out=True)
