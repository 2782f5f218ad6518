"""Requests for JSON whose values stand in the request: extract and convert.

As for tools.py, held-out requests have phrasings and values of their own.
"""

from chat_sources import values
from chat_sources.combine import as_json
from chat_sources.draws import value

TRAINING, HELD_OUT = 220, 4  # requests by kind

# Phrasings by kind: those of training, those held out.
PHRASINGS = {
    "person": (
        ("Extract name and age as JSON: {name} is {age} years old.",
         "Give me JSON with name and age: {name} turned {age} last week.",
         'Read out the person as JSON: "I am {name}, {age}."',
         "As JSON with name and age: {name} celebrates being {age}.",
         "Name and age in JSON, please: {name}, aged {age}.",
         "{name} will be {age} in May. Give name and age as JSON."),
        ("Extract the name and the age as JSON: {name} is now {age}.",
         "JSON with name and age: {name} is {age} years old.")),
    "order": (
        ("Make JSON of the order: {n} {item} at {price} euros each.",
         "Turn into JSON with item, quantity and price: {n} {item}, {price} each.",
         'Parse as JSON: "Please send {n} {item} for {price} apiece."',
         "Order as JSON with item, quantity and price: {n} {item} for {price} euros each."),
        ("Give the order as JSON with item, quantity and price: {n} {item} at {price} each.",
         "Make JSON with item, quantity and price: {n} {item}, {price} euros each.")),
    "trip": (
        ("Extract from and to as JSON: {who} flies from {a} to {b}.",
         "JSON with from and to, please: the train goes from {a} to {b} with {who}.",
         "{who} drives from {a} to {b}. Give from and to as JSON.",
         "From and to in JSON: {who} moves from {a} to {b}.",
         "Give me from and to as JSON: a bus from {a} to {b} for {who}."),
        ("Extract from and to as JSON: the bus brings {who} from {a} to {b}.",
         "JSON with from and to: {who} travels from {a} to {b}.")),
    "array": (
        ("Turn into a JSON array: {list}", "Write as a JSON list: {list}", "JSON array of: {list}",
         "Make a JSON array of {list}", "As a JSON list, please: {list}"),
        ("Give me a JSON array: {list}", "Convert to a JSON list: {list}")),
    "numbers": (
        ("Give these numbers as a JSON array: {list}", "Numbers to a JSON list: {list}",
         "Write these numbers as a JSON array: {list}"),
        ("Turn these numbers into a JSON array: {list}", "These numbers as a JSON list: {list}")),
    "settings": (
        ("Convert to JSON: {text}", "Write these settings as JSON: {text}",
         "Make a JSON object of {text}", "Settings to JSON: {text}"),
        ("Turn these settings into JSON: {text}", "Give me these settings as JSON: {text}")),
    "full name": (
        ("Split into first and last name as JSON: {name}", "JSON with first and last: {name}",
         "First and last name as JSON: {name}", "Give me first and last as JSON: {name}"),
        ("Split the name into first and last as JSON: {name}", "Write as JSON with first and last: {name}")),
    "table row": (
        ("Convert this CSV line with columns {columns} to JSON: {line}",
         "Columns {columns}. Make JSON of the row {line}", "JSON of the row {line} with columns {columns}"),
        ("Turn the CSV line {line} with columns {columns} into JSON.",
         "Columns {columns}. Convert the row {line} to JSON.")),
    "contact": (
        ("Find the email address and give it as JSON: write to {email} soon",
         "Extract the email as JSON: {email} answers all orders", "Email as JSON: my address is {email}",
         "Find the email and write it as JSON: ask {email} about it",
         "Which email is in this? Answer as JSON: send the form to {email}"),
        ("Extract the email address as JSON: please answer to {email}",
         "Give me the email as JSON: {email} is the right address")),
    "date": (
        ("Write the date {text} as JSON with year, month and day.", "{text} as a JSON date object?",
         "Year, month and day of {text} as JSON.", "JSON with year, month and day: {text}"),
        ("Give {text} as JSON with year, month and day.", "The date {text} as JSON, please.")),
}
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")
COLUMNS = (("name", "city"), ("id", "price"), ("title", "year"), ("name", "score"), ("item", "count"),
           ("city", "visitors"), ("animal", "legs"), ("room", "seats"))
WORD_COLUMNS = {"name": values.name, "city": values.city, "room": values.room}


def cell(column, draws, of):
    if column in WORD_COLUMNS:
        return of(WORD_COLUMNS[column])
    if column in ("title", "item", "animal"):
        return values.pick(draws, values.THINGS)
    return draws.below(2000)


def words_and_answer(kind, draws, of):
    """What stands in the request, and the JSON value that is asked for."""
    if kind == "person":
        name, age = of(values.name), of(values.age)
        return {"name": name, "age": age}, {"name": name, "age": age}
    if kind == "order":
        n, item, price = 2 + draws.below(40), f"{values.pick(draws, values.THINGS)}s", of(values.price)
        return {"n": n, "item": item, "price": price}, {"item": item, "quantity": n, "price": price}
    if kind == "trip":
        who, a, b = values.pick(draws, values.NAMES), of(values.city), of(values.city)
        return {"who": who, "a": a, "b": b}, {"from": a, "to": b}
    if kind == "array":
        items = of(values.items)
        return {"list": items}, items.split(", ")
    if kind == "numbers":
        numbers = of(values.numbers)
        return {"list": numbers}, [int(n) for n in numbers.split()]
    if kind == "settings":
        pairs = [of(values.setting), of(values.flag) if draws.chance(50) else of(values.setting)]
        return {"text": "; ".join(f"{k}={as_json(v)}" for k, v in pairs)}, dict(pairs)
    if kind == "full name":
        name = of(values.full_name)
        return {"name": name}, dict(zip(("first", "last"), name.split()))
    if kind == "table row":
        columns = draws.one(COLUMNS)
        row = {column: cell(column, draws, of) for column in columns}
        return {"columns": ",".join(columns), "line": ",".join(map(str, row.values()))}, row
    if kind == "contact":
        email = of(values.email)
        return {"email": email}, {"email": email}
    year, month, day = of(values.date)
    return ({"text": f"{day} {MONTHS[month - 1]} {year}"}, {"year": year, "month": month, "day": day})


def request(kind, number, held_out):
    draws = values.draws_of(kind, number, held_out)
    words, answer = words_and_answer(kind, draws, lambda make: value(draws, make, held_out))
    return draws.one(PHRASINGS[kind][held_out]).format(**words), as_json(answer)


def examples():
    for kind in PHRASINGS:
        for number in range(TRAINING):
            yield request(kind, number, held_out=False)


def held_out():
    for kind in PHRASINGS:
        for number in range(HELD_OUT):
            yield request(kind, number, held_out=True)
