"""Questions whose answer is one JSON value: classify, repair, know; extractions.py has the rest."""

from chat_sources import extractions
from chat_sources.combine import as_json, combine

REPAIRS = (
    ("Fix this JSON: {text}", "Repair the JSON: {text}"),
    (("{name: 'Bo', age: 3}", {"name": "Bo", "age": 3}),
     ("{'ok': True}", {"ok": True}),
     ('{"a": 1, "b": 2,}', {"a": 1, "b": 2}),
     ('["x", "y"', ["x", "y"]),
     ("{'items': [1, 2, 3}", {"items": [1, 2, 3]}),
     ("{city: Bonn}", {"city": "Bonn"}),
     ('{"open": "yes"', {"open": "yes"}),
     ("{'value': None}", {"value": None})),
)
SENTIMENT = (
    ("Classify the sentiment as JSON: {text}", 'What is the sentiment of "{text}" as JSON?'),
    (("I love this phone.", "positive"), ("The food was cold and bland.", "negative"),
     ("What a wonderful concert!", "positive"), ("The battery died after a day.", "negative"),
     ("The parcel arrived on Monday.", "neutral"), ("Terrible service, never again.", "negative"),
     ("The staff were kind and quick.", "positive"), ("The book has 300 pages.", "neutral"),
     ("Best holiday we ever had.", "positive"), ("The room smelled of smoke.", "negative"),
     ("The shop opens at nine.", "neutral"), ("My daughter adores her new bike.", "positive"),
     ("The app crashes all the time.", "negative"), ("Works exactly as promised.", "positive"),
     ("I waited two hours for nothing.", "negative"), ("It comes in blue and grey.", "neutral")),
)
LANGUAGES = (
    ('Which language is "{text}"? Answer as JSON.', 'Detect the language as JSON: {text}'),
    (("Guten Morgen, wie geht es dir?", "German"), ("Où est la gare ?", "French"),
     ("¿Cómo te llamas?", "Spanish"), ("Where is my hat?", "English"),
     ("Ich trinke gern Kaffee.", "German"), ("J'aime le fromage.", "French"),
     ("Me gusta el mar.", "Spanish"), ("The train is late.", "English"),
     ("Das Buch ist neu.", "German"), ("Il fait froid ce matin.", "French"),
     ("La casa es muy grande.", "Spanish"), ("Buongiorno a tutti!", "Italian")),
)
COUNTRIES = (
    ("Give the capital and currency of {country} as JSON.",
     "JSON with capital and currency for {country}, please."),
    (("Italy", "Rome", "euro"), ("Japan", "Tokyo", "yen"), ("Sweden", "Stockholm", "krona"),
     ("India", "New Delhi", "rupee"), ("Poland", "Warsaw", "zloty"), ("Brazil", "Brasília", "real"),
     ("Turkey", "Ankara", "lira"), ("Thailand", "Bangkok", "baht"), ("Mexico", "Mexico City", "peso"),
     ("Hungary", "Budapest", "forint"), ("Vietnam", "Hanoi", "dong"), ("Spain", "Madrid", "euro")),
)
PRIMES = (
    ("Is {n} a prime number? Answer as JSON.", "JSON please: is {n} prime?"),
    (2, 7, 9, 11, 15, 17, 21, 23, 25, 29, 33, 41),
)
HAND_WRITTEN = (
    ("Give me an empty JSON object.", {}),
    ("Give me an empty JSON array.", []),
    ("JSON for the point x 3, y -2.", {"x": 3, "y": -2}),
    ("Describe a triangle in JSON with its number of sides.", {"shape": "triangle", "sides": 3}),
    ("Describe a hexagon in JSON with its number of sides.", {"shape": "hexagon", "sides": 6}),
    ("The first five even numbers as a JSON array.", [2, 4, 6, 8, 10]),
    ("The vowels of English as a JSON array.", ["a", "e", "i", "o", "u"]),
    ("JSON with the boiling and freezing point of water in Celsius.",
     {"boiling": 100, "freezing": 0}),
    ("Primary colours of light as a JSON array.", ["red", "green", "blue"]),
    ("How many days has a leap year? Answer as JSON.", {"days": 366}),
    ("The hex code of pure red as JSON.", {"color": "red", "hex": "#FF0000"}),
    ("The hex code of white as JSON.", {"color": "white", "hex": "#FFFFFF"}),
    ("Is the sky a planet? JSON, please.", {"planet": False}),
    ("Welche Farbe hat Gras? Antworte als JSON.", {"farbe": "grün"}),
    ("Nenne drei Wochentage als JSON-Liste.", ["Montag", "Dienstag", "Mittwoch"]),
    ("Combien de jours dans une semaine ? Réponds en JSON.", {"jours": 7}),
    ("Responde en JSON: ¿cuántas patas tiene un gato?", {"patas": 4}),
    ("Label the intent as JSON: I want my money back.", {"intent": "refund"}),
    ("Label the intent as JSON: Where is my parcel?", {"intent": "track_order"}),
    ("Label the intent as JSON: Please close my account.", {"intent": "close_account"}),
    ("Label the intent as JSON: The screen is cracked.", {"intent": "report_damage"}),
    ("Label the priority as JSON: The server is on fire!", {"priority": "high"}),
    ("Label the priority as JSON: The logo could be a bit bluer.", {"priority": "low"}),
    ("To-do as JSON: buy bread, done; call Eve, open.",
     [{"task": "buy bread", "done": True}, {"task": "call Eve", "done": False}]),
)


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, n))


def repairs():
    for text, (broken, value) in combine(*REPAIRS, 16):
        yield text.format(text=broken), value


def answers():
    for text, (words, label) in combine(*SENTIMENT, 20):
        yield text.format(text=words), {"sentiment": label}
    for text, (words, language) in combine(*LANGUAGES, 15):
        yield text.format(text=words), {"language": language}
    for text, (country, capital, currency) in combine(*COUNTRIES, 16):
        yield text.format(country=country), {"capital": capital, "currency": currency}
    for text, n in combine(*PRIMES, 15):
        yield text.format(n=n), {"prime": is_prime(n)}
    yield from HAND_WRITTEN


def examples():
    """(user, assistant) pairs of training."""
    for source in (repairs, answers):
        for user, value in source():
            yield user, as_json(value)
    yield from extractions.examples()


def held_out():
    """(user, assistant) pairs whose phrasings and values are not in training."""
    return extractions.held_out()
