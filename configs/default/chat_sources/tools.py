"""Requests and the tool call that serves them: one JSON object, {"name": ..., "arguments": ...}."""

from chat_sources.combine import as_json, combine

# The fixed catalogue: a tool and its arguments.
CATALOGUE = {
    "get_weather": ("city", "day"),
    "set_timer": ("minutes",),
    "set_alarm": ("time",),
    "convert_currency": ("amount", "from", "to"),
    "web_search": ("query",),
    "send_message": ("to", "text"),
    "create_event": ("title", "day", "time"),
    "play_music": ("artist",),
    "translate": ("text", "language"),
    "stock_price": ("symbol",),
    "calculate": ("expression",),
    "set_light": ("room", "on"),
}

WEATHER = (
    ("What is the weather in {city} {day}?", "How warm will it be in {city} {day}?",
     "Will it rain in {city} {day}?", "Do I need a coat in {city} {day}?",
     "Weather for {city} {day}, please.", "Tell me the forecast for {city} {day}.",
     "Is it sunny in {city} {day}?"),
    [(c, d) for d in ("today", "tomorrow") for c in (
        "Paris", "Berlin", "Madrid", "Oslo", "Tokyo", "Cairo", "Lima", "Toronto", "Sydney",
        "Dublin", "Vienna", "Nairobi", "Boston", "Seoul", "Lisbon")],
)
TIMER = (
    ("Set a timer for {n} minutes.", "Wake me up in {n} minutes.", "Start a {n} minute timer.",
     "Count down {n} minutes for the pasta.", "Remind me to check the oven in {n} minutes.",
     "I need a timer, {n} minutes please.", "Timer: {n} min."),
    (3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 45, 50, 60, 90),
)
ALARM = (
    ("Set an alarm for {t}.", "Wake me at {t}.", "I have to get up at {t}.",
     "Please ring at {t} tomorrow.", "Alarm at {t}, please.", "Make sure I am awake at {t}."),
    ("05:30", "06:00", "06:15", "06:45", "07:00", "07:20", "07:30", "08:00", "08:10", "09:00",
     "10:30"),
)
CURRENCY = (
    ("How much is {a} {x} in {y}?", "Convert {a} {x} to {y}.", "What are {a} {x} worth in {y}?",
     "I have {a} {x}. How many {y} is that?", "Change {a} {x} into {y}."),
    [(a, x, y) for (x, y) in (
        ("euros", "dollars"), ("dollars", "yen"), ("pounds", "euros"), ("yen", "pounds"),
        ("dollars", "euros"), ("francs", "dollars"), ("euros", "pounds"))
     for a in (20, 50, 75, 100, 250, 1200)],
)
CURRENCY_CODES = {"euros": "EUR", "dollars": "USD", "yen": "JPY", "pounds": "GBP", "francs": "CHF"}
SEARCH = (
    ("Search the web for {q}.", "Look up {q} online.", "Find me pages about {q}.",
     "What does the internet say about {q}?", "Can you google {q}?", "I want to read about {q}."),
    ("electric bikes", "the history of chess", "vegan lasagna", "solar panels", "jazz festivals",
     "cheap flights to Rome", "how bees make honey", "used guitars", "northern lights tours",
     "beginner yoga", "the Mars rover", "home insulation", "sourdough bread", "marathon training",
     "black holes", "rainwater tanks"),
)
MESSAGE = (
    ('Text {to}: "{m}"', 'Send {to} the message "{m}"', 'Tell {to} "{m}"',
     'Message {to} and say "{m}"', 'Write to {to}: "{m}"'),
    (("Anna", "I am on my way."), ("Ben", "Dinner is ready."), ("Mum", "I landed safely."),
     ("Carlos", "Call me back."), ("Priya", "Happy birthday!"), ("Dad", "The train is late."),
     ("Yuki", "See you at six."), ("Omar", "The keys are under the mat."),
     ("Lena", "Good luck today!"), ("Sam", "Please buy milk."), ("Zoe", "I will be late."),
     ("Tom", "The meeting is over."), ("Ida", "Thank you for the cake.")),
)
EVENT = (
    ("Put {title} in my calendar on {day} at {time}.", "Schedule {title} for {day} at {time}.",
     "Add {title} on {day}, {time}.", "Book {title} on {day} at {time}.",
     "I have {title} on {day} at {time}, note it down."),
    (("lunch with Eva", "Monday", "12:30"), ("a dentist visit", "Tuesday", "09:00"),
     ("yoga class", "Wednesday", "18:00"), ("a team meeting", "Thursday", "10:00"),
     ("dinner with Max", "Friday", "19:30"), ("a piano lesson", "Saturday", "11:00"),
     ("a video call", "Sunday", "17:00"), ("a job interview", "Monday", "14:00"),
     ("a haircut", "Tuesday", "16:15"), ("football practice", "Wednesday", "17:30"),
     ("a budget review", "Thursday", "15:00"), ("a book club", "Friday", "20:00")),
)
MUSIC = (
    ("Play something by {a}.", "Put on {a}.", "I want to hear {a}.", "Play my favourite {a} songs.",
     "Start some {a}, please.", "Can we listen to {a}?"),
    ("Mozart", "the Beatles", "Miles Davis", "Nina Simone", "Daft Punk", "ABBA", "Queen", "Bach",
     "Björk", "Édith Piaf", "Bob Marley", "Shakira", "Ella Fitzgerald"),
)
TRANSLATE = (
    ('Translate "{t}" into {l}.', 'How do you say "{t}" in {l}?', 'What is "{t}" in {l}?',
     'Give me the {l} for "{t}".', 'I need "{t}" in {l}.'),
    [(t, l) for l in ("German", "French", "Spanish", "Italian", "Japanese") for t in (
        "good morning", "where is the station?", "the bill, please", "I am hungry", "see you soon",
        "how much is it?")],
)
STOCK = (
    ("What is {c} stock at?", "Price of {c} shares?", "How is {c} doing on the market?",
     "Check the {c} share price.", "How much is one {c} share?"),
    (("Apple", "AAPL"), ("Microsoft", "MSFT"), ("Tesla", "TSLA"), ("Amazon", "AMZN"),
     ("Nvidia", "NVDA"), ("Intel", "INTC"), ("Netflix", "NFLX"), ("IBM", "IBM"),
     ("Pfizer", "PFE"), ("Disney", "DIS"), ("Ford", "F"), ("Boeing", "BA")),
)
CALCULATE = (
    ("Calculate {e}.", "Work out {e} for me.", "Use the calculator: {e}", "I need the value of {e}.",
     "What do I get for {e}?"),
    ("384 * 27", "1925 / 35", "17.5 * 48", "9801 - 4567", "(12 + 30) * 11", "2 ** 16",
     "1440 / 32", "0.19 * 250", "6543 + 2187", "81 * 81", "1000 / 8", "365 * 24", "59 * 61",
     "(90 - 18) / 6"),
)
LIGHT = (
    (("Turn on the {r} light.", True), ("Switch off the light in the {r}.", False),
     ("It is too dark in the {r}.", True), ("Lights out in the {r}, please.", False),
     ("Make it bright in the {r}.", True), ("Nobody is in the {r}, turn the light off.", False)),
    ("kitchen", "bedroom", "office", "garage", "hallway", "bathroom", "garden", "cellar",
     "living room", "attic", "nursery"),
)

# Whole items, many of them in other languages.
HAND_WRITTEN = (
    ("Wie wird das Wetter morgen in Hamburg?", "get_weather", ("Hamburg", "tomorrow")),
    ("Regnet es heute in Zürich?", "get_weather", ("Zürich", "today")),
    ("Stelle einen Timer auf 10 Minuten.", "set_timer", (10,)),
    ("Weck mich um 06:30.", "set_alarm", ("06:30",)),
    ("Mach das Licht in der Küche an.", "set_light", ("kitchen", True)),
    ("Spiel etwas von Beethoven.", "play_music", ("Beethoven",)),
    ("Quel temps fait-il à Lyon aujourd'hui ?", "get_weather", ("Lyon", "today")),
    ("Réveille-moi à 07:00.", "set_alarm", ("07:00",)),
    ("Mets un minuteur de 15 minutes.", "set_timer", (15,)),
    ("Éteins la lumière du bureau.", "set_light", ("office", False)),
    ("¿Qué tiempo hará mañana en Sevilla?", "get_weather", ("Sevilla", "tomorrow")),
    ("Pon una alarma a las 08:00.", "set_alarm", ("08:00",)),
    ("Convierte 50 euros a dólares.", "convert_currency", (50, "EUR", "USD")),
    ("Apaga la luz del dormitorio.", "set_light", ("bedroom", False)),
    ("My tea has to steep for 4 minutes.", "set_timer", (4,)),
    ("Should I take an umbrella to work in London today?", "get_weather", ("London", "today")),
    ("My flight leaves early, get me up at 04:15.", "set_alarm", ("04:15",)),
    ("Let Nora know that the shop is closed.", "send_message", ("Nora", "The shop is closed.")),
    ("We need some Vivaldi for dinner.", "play_music", ("Vivaldi",)),
    ("How many euros do I get for 300 dollars?", "convert_currency", (300, "USD", "EUR")),
    ("Split a bill of 186 among 4 people.", "calculate", ("186 / 4",)),
    ("I can't see a thing in the basement.", "set_light", ("basement", True)),
    ("Find a recipe for pumpkin soup.", "web_search", ("pumpkin soup recipe",)),
    ("Who won the chess match yesterday?", "web_search", ("chess match result yesterday",)),
    ("What's on at the cinema tonight?", "web_search", ("cinema programme tonight",)),
    ("Did Alphabet shares go up?", "stock_price", ("GOOGL",)),
    ("Block Friday at 13:00 for a walk.", "create_event", ("a walk", "Friday", "13:00")),
    ("How would a Spaniard say \"thank you\"?", "translate", ("thank you", "Spanish")),
)


def call(name, values):
    return as_json({"name": name, "arguments": dict(zip(CATALOGUE[name], values, strict=True))})


def examples():
    """(user, assistant) pairs."""
    for text, (city, day) in combine(*WEATHER, 27):
        yield text.format(city=city, day=day), call("get_weather", (city, day))
    for text, minutes in combine(*TIMER, 20):
        yield text.format(n=minutes), call("set_timer", (minutes,))
    for text, time in combine(*ALARM, 20):
        yield text.format(t=time), call("set_alarm", (time,))
    for text, (amount, source, target) in combine(*CURRENCY, 24):
        values = (amount, CURRENCY_CODES[source], CURRENCY_CODES[target])
        yield text.format(a=amount, x=source, y=target), call("convert_currency", values)
    for text, query in combine(*SEARCH, 22):
        yield text.format(q=query), call("web_search", (query,))
    for text, (to, words) in combine(*MESSAGE, 20):
        yield text.format(to=to, m=words), call("send_message", (to, words))
    for text, (title, day, time) in combine(*EVENT, 20):
        values = (title, day, time)
        yield text.format(title=title, day=day, time=time), call("create_event", values)
    for text, artist in combine(*MUSIC, 20):
        yield text.format(a=artist), call("play_music", (artist,))
    for text, (words, language) in combine(*TRANSLATE, 24):
        yield text.format(t=words, l=language), call("translate", (words, language))
    for text, (company, symbol) in combine(*STOCK, 20):
        yield text.format(c=company), call("stock_price", (symbol,))
    for text, expression in combine(*CALCULATE, 20):
        yield text.format(e=expression), call("calculate", (expression,))
    for (text, on), room in combine(*LIGHT, 20):
        yield text.format(r=room), call("set_light", (room, on))
    for text, name, values in HAND_WRITTEN:
        yield text, call(name, values)
