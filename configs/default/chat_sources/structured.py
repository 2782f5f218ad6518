"""Questions whose answer is one JSON value: extract, convert, classify, repair."""

from chat_sources.combine import as_json, combine

PEOPLE = (
    ("Extract name and age as JSON: {name} is {age} years old.",
     "Give me JSON with name and age: {name} turned {age} last week.",
     'Read out the person as JSON: "I am {name}, {age}."',
     "As JSON with name and age: {name} celebrates being {age}."),
    (("Anna", 31), ("Ben", 19), ("Carla", 45), ("David", 27), ("Emma", 62), ("Felix", 8),
     ("Grace", 53), ("Hugo", 36), ("Ines", 24), ("Jonas", 71), ("Kira", 14)),
)
ORDERS = (
    ("Make JSON of the order: {n} {item} at {price} euros each.",
     "Turn into JSON with item, quantity and price: {n} {item}, {price} each.",
     'Parse as JSON: "Please send {n} {item} for {price} apiece."'),
    ((3, "notebooks", 4.5), (12, "pencils", 0.8), (2, "lamps", 39.9), (5, "mugs", 7.25),
     (8, "chairs", 85), (4, "plates", 6), (10, "candles", 1.5), (6, "towels", 9.9)),
)
TRIPS = (
    ("Extract from and to as JSON: {who} flies from {a} to {b}.",
     "JSON with from and to, please: the train goes from {a} to {b} with {who}.",
     "{who} drives from {a} to {b}. Give from and to as JSON."),
    (("Lena", "Oslo", "Rome"), ("Ravi", "Delhi", "Mumbai"), ("Sofia", "Madrid", "Lisbon"),
     ("Paul", "Lyon", "Nice"), ("Mei", "Osaka", "Kyoto"), ("Ali", "Cairo", "Luxor"),
     ("Nora", "Bergen", "Oslo")),
)
ARRAYS = (
    ("Turn into a JSON array: {list}", "Write as a JSON list: {list}", "JSON array of: {list}"),
    ("red, green, blue", "apple, pear, plum, fig", "cat, dog", "north, south, east, west",
     "spoon, knife, fork", "mon, tue, wed", "salt, pepper", "oak, elm, ash, birch",
     "violin, cello, flute"),
)
NUMBER_ARRAYS = (
    ("Give these numbers as a JSON array: {list}", "Sort the numbers and give a JSON array: {list}"),
    ("3 1 2", "10 7 8", "42 5 17", "9 6 12 1", "20 30 25", "4 8 2 6", "15 11 13"),
)
SETTINGS = (
    ("Convert to JSON: {text}", "Write these settings as JSON: {text}",
     "Make a JSON object of {text}"),
    (("host=localhost; port=8080", {"host": "localhost", "port": 8080}),
     ("debug=true; level=3", {"debug": True, "level": 3}),
     ("user=ada; admin=false", {"user": "ada", "admin": False}),
     ("width=640; height=480", {"width": 640, "height": 480}),
     ("mode=fast; retries=5", {"mode": "fast", "retries": 5}),
     ("lang=de; zone=null", {"lang": "de", "zone": None}),
     ("lr=0.01; steps=100", {"lr": 0.01, "steps": 100}),
     ("color=teal; size=12", {"color": "teal", "size": 12}),
     ("cache=off; path=/tmp", {"cache": "off", "path": "/tmp"})),
)
FULL_NAMES = (
    ("Split into first and last name as JSON: {name}", "JSON with first and last: {name}"),
    ("Ada Lovelace", "Alan Turing", "Marie Curie", "Grace Hopper", "Isaac Newton",
     "Rosa Parks", "Emmy Noether", "Niels Bohr", "Jane Austen", "Carl Gauss", "Frida Kahlo"),
)
CSV = (
    ("Convert this CSV line with columns {columns} to JSON: {line}",
     "Columns {columns}. Make JSON of the row {line}"),
    (("name,city", "Tom,Leeds"), ("id,price", "7,19"), ("title,year", "Dune,1965"),
     ("name,score", "Ida,88"), ("sku,count", "A12,40"), ("city,country", "Quito,Ecuador"),
     ("animal,legs", "spider,8")),
)
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
CONTACTS = (
    ("Find the email address and give it as JSON: {text}",
     "Extract the email as JSON: {text}"),
    (("write to ida@example.com soon", "ida@example.com"),
     ("sales@example.org answers all orders", "sales@example.org"),
     ("my address is max.b@example.net", "max.b@example.net"),
     ("send the form to hr@example.com", "hr@example.com"),
     ("ask help@example.org about it", "help@example.org")),
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
DATES = (
    ("Write the date {text} as JSON with year, month and day.", "{text} as a JSON date object?"),
    (("5 May 2024", 2024, 5, 5), ("1 January 2000", 2000, 1, 1), ("24 December 1999", 1999, 12, 24),
     ("14 July 1789", 1789, 7, 14), ("31 October 2021", 2021, 10, 31), ("8 March 2010", 2010, 3, 8)),
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


def typed(text):
    return int(text) if text.isdigit() else text


def extractions():
    for text, (name, age) in combine(*PEOPLE, 18):
        yield text.format(name=name, age=age), {"name": name, "age": age}
    for text, (n, item, price) in combine(*ORDERS, 12):
        value = {"item": item, "quantity": n, "price": price}
        yield text.format(n=n, item=item, price=price), value
    for text, (who, a, b) in combine(*TRIPS, 10):
        yield text.format(who=who, a=a, b=b), {"from": a, "to": b}
    for text, (words, email) in combine(*CONTACTS, 8):
        yield text.format(text=words), {"email": email}
    for text, name in combine(*FULL_NAMES, 14):
        first, last = name.split()
        yield text.format(name=name), {"first": first, "last": last}


def conversions():
    for text, items in combine(*ARRAYS, 14):
        yield text.format(list=items), items.split(", ")
    for text, items in combine(*NUMBER_ARRAYS, 10):
        numbers = [int(n) for n in items.split()]
        yield text.format(list=items), sorted(numbers) if "Sort" in text else numbers
    for text, (settings, value) in combine(*SETTINGS, 14):
        yield text.format(text=settings), value
    for text, (columns, line) in combine(*CSV, 10):
        value = dict(zip(columns.split(","), map(typed, line.split(",")), strict=True))
        yield text.format(columns=columns, line=line), value
    for text, (broken, value) in combine(*REPAIRS, 11):
        yield text.format(text=broken), value
    for text, (date, year, month, day) in combine(*DATES, 8):
        yield text.format(text=date), {"year": year, "month": month, "day": day}


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
    """(user, assistant) pairs."""
    for source in (extractions, conversions, answers):
        for user, value in source():
            yield user, as_json(value)
