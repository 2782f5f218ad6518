"""Requests and the tool call that serves them: one JSON object, {"name": ..., "arguments": ...}.

A request is a phrasing and values. Held-out requests have phrasings of their own (after the bar in
each table), and values that no training chat has; where values come from few (days, currencies,
languages) all are in both.
"""

from chat_sources import values
from chat_sources.combine import as_json
from chat_sources.draws import value

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

# Phrasings by tool: those of training, those held out. Fields are the tool's arguments.
PHRASINGS = {
    "get_weather": (
        ("What is the weather in {city} {day}?", "How warm will it be in {city} {day}?",
         "Will it rain in {city} {day}?", "Do I need a coat in {city} {day}?",
         "Weather for {city} {day}, please.", "Tell me the forecast for {city} {day}.",
         "Is it sunny in {city} {day}?", "How cold does it get in {city} {day}?",
         "Should I take an umbrella to {city} {day}?", "What will the weather be like {day} in {city}?",
         "{city} {day}: sun or rain?", "I am travelling to {city} {day}. How is the weather?",
         "Give me the weather report for {city}, {day}.", "Is snow expected in {city} {day}?",
         "How windy is it in {city} {day}?", "What temperature will {city} have {day}?",
         "Can I go out without a jacket {day} in {city}?", "Does it stay dry in {city} {day}?",
         "Any storms in {city} {day}?", "Weather in {city}, {day}?"),
        ("Is it going to rain {day} in {city}?", "What does the forecast say about {city} {day}?",
         "How is the weather in {city} {day}?", "Will {city} be warm {day}?",
         "Do I need an umbrella in {city} {day}?", "Tell me if it will be sunny in {city} {day}.")),
    "set_timer": (
        ("Set a timer for {minutes} minutes.", "Wake me up in {minutes} minutes.",
         "Start a {minutes} minute timer.", "Count down {minutes} minutes for the pasta.",
         "Remind me to check the oven in {minutes} minutes.", "I need a timer, {minutes} minutes please.",
         "Timer: {minutes} min.", "Give me a {minutes} minute countdown.", "{minutes} minutes on the clock, please.",
         "Tell me when {minutes} minutes are over.", "My tea has to steep for {minutes} minutes.",
         "Ring in {minutes} minutes.", "The eggs need {minutes} minutes, start the timer.",
         "Let me know after {minutes} minutes.", "Beep in {minutes} minutes.",
         "Can you time {minutes} minutes?", "Put the timer on {minutes} minutes.",
         "Start counting down from {minutes} minutes.", "The cake is done in {minutes} minutes, remind me.",
         "Stop me after {minutes} minutes."),
        ("Set the timer to {minutes} minutes.", "Please start a timer of {minutes} minutes.",
         "Remind me in {minutes} minutes.", "I want a countdown of {minutes} minutes.",
         "The rice needs {minutes} minutes, set a timer.", "Tell me when {minutes} minutes have passed.")),
    "set_alarm": (
        ("Set an alarm for {time}.", "Wake me at {time}.", "I have to get up at {time}.",
         "Please ring at {time} tomorrow.", "Alarm at {time}, please.", "Make sure I am awake at {time}.",
         "I want to get up at {time}.", "My flight leaves early, get me up at {time}.",
         "Wake me up at {time}, please.", "Put the alarm on {time}.", "The alarm should go off at {time}.",
         "I need an alarm at {time}.", "Get me out of bed at {time}.", "Alarm clock: {time}.",
         "Let the alarm ring at {time}.", "I must not sleep past {time}.",
         "Tomorrow I get up at {time}, set the alarm.", "Can you wake us at {time}?",
         "Morning alarm at {time}.", "Change my alarm to {time}."),
        ("Set my alarm to {time}.", "Can you wake me at {time}?", "I need to be awake at {time}.",
         "Please set the alarm clock for {time}.", "Get me up at {time}.", "Alarm for {time}.")),
    "convert_currency": (
        ("How much is {amount} {from} in {to}?", "Convert {amount} {from} to {to}.",
         "What are {amount} {from} worth in {to}?", "I have {amount} {from}. How many {to} is that?",
         "Change {amount} {from} into {to}.", "How many {to} do I get for {amount} {from}?",
         "{amount} {from} in {to}, please.", "Turn {amount} {from} into {to}.",
         "What would {amount} {from} be in {to}?", "I want to exchange {amount} {from} for {to}.",
         "Give me {amount} {from} in {to}.", "The hotel costs {amount} {from}. What is that in {to}?",
         "Exchange rate: {amount} {from} to {to}.", "Tell me the value of {amount} {from} in {to}.",
         "If I change {amount} {from}, how many {to} do I have?", "My lunch was {amount} {from}, how much in {to}?",
         "{amount} {from} are how many {to}?", "Express {amount} {from} in {to}."),
        ("How many {to} are {amount} {from}?", "Please convert {amount} {from} into {to}.",
         "What is {amount} {from} in {to}?", "I need to change {amount} {from} to {to}.",
         "The ticket costs {amount} {from}. How many {to} is that?", "What do I get in {to} for {amount} {from}?")),
    "web_search": (
        ("Search the web for {query}.", "Look up {query} online.", "Find me pages about {query}.",
         "What does the internet say about {query}?", "Can you google {query}?", "I want to read about {query}.",
         "Search for {query}.", "Find something on {query}.", "Look for {query} on the web.",
         "Show me websites about {query}.", "I need information on {query}.", "Do a web search: {query}",
         "Find articles on {query}.", "What can you find about {query}?", "Search online for {query}.",
         "Please look up {query}.", "Web search for {query}, please.", "Get me results for {query}.",
         "Browse the web for {query}.", "Find out more about {query}."),
        ("Google {query} for me.", "Search the internet for {query}.", "Find pages on {query}.",
         "Can you look up {query}?", "I would like to read something about {query}.",
         "Look on the web for {query}.")),
    "send_message": (
        ('Text {to}: "{text}"', 'Send {to} the message "{text}"', 'Tell {to} "{text}"',
         'Message {to} and say "{text}"', 'Write to {to}: "{text}"', 'Send a message to {to}: "{text}"',
         'Let {to} know: "{text}"', 'Write {to} "{text}"', 'Please text "{text}" to {to}.',
         'Send "{text}" to {to}.', 'A message for {to}: "{text}"', 'Drop {to} a line: "{text}"',
         'I want to tell {to} "{text}"', 'Message to {to}, please: "{text}"', 'Send a text to {to} saying "{text}"',
         'Can you write "{text}" to {to}?', 'Give {to} this message: "{text}"', 'SMS to {to}: "{text}"'),
        ('Write a message to {to}: "{text}"', 'Please tell {to} "{text}"', 'Send {to} a text: "{text}"',
         'Text "{text}" to {to}.', 'Can you message {to} "{text}"?', 'Let {to} know that "{text}"')),
    "create_event": (
        ("Put {title} in my calendar on {day} at {time}.", "Schedule {title} for {day} at {time}.",
         "Add {title} on {day}, {time}.", "Book {title} on {day} at {time}.",
         "I have {title} on {day} at {time}, note it down.", "Block {day} at {time} for {title}.",
         "Calendar: {title}, {day} {time}.", "New event: {title} on {day} at {time}.",
         "Enter {title} for {day}, {time}.", "Plan {title} on {day} at {time}.",
         "Please schedule {title} on {day} at {time}.", "On {day} at {time} I have {title}, add it.",
         "Make an appointment for {title}, {day} at {time}.", "Save the date: {title} on {day} at {time}.",
         "Create an event for {title} on {day} at {time}.", "Write {title} into my diary for {day} at {time}.",
         "{title} on {day} at {time}, put it in the calendar.", "Reserve {day} at {time} for {title}."),
        ("Add {title} to my calendar on {day} at {time}.", "Please put {title} on {day} at {time} in the calendar.",
         "Schedule {title} on {day} at {time}.", "I have {title} on {day} at {time}. Add it to the calendar.",
         "Note {title} for {day} at {time}.", "Create an appointment: {title}, {day}, {time}.")),
    "play_music": (
        ("Play something by {artist}.", "Put on {artist}.", "I want to hear {artist}.",
         "Play my favourite {artist} songs.", "Start some {artist}, please.", "Can we listen to {artist}?",
         "Play {artist}.", "Some music by {artist}, please.", "We need some {artist} for dinner.",
         "I am in the mood for {artist}.", "Let me listen to {artist}.", "Put some {artist} on.",
         "A song by {artist}, please.", "Play the best of {artist}.", "Let's hear {artist}.",
         "Music: {artist}.", "Turn on some {artist}.", "Shuffle {artist}.", "Give me an album by {artist}.",
         "Could you play {artist} in the background?"),
        ("Please play {artist}.", "I would like to listen to {artist}.", "Play a song by {artist}.",
         "Put on some music by {artist}.", "Start playing {artist}.", "Can you play something by {artist}?")),
    "translate": (
        ('Translate "{text}" into {language}.', 'How do you say "{text}" in {language}?',
         'What is "{text}" in {language}?', 'Give me the {language} for "{text}".',
         'I need "{text}" in {language}.', 'Say "{text}" in {language}.', 'Put "{text}" into {language}.',
         '{language} for "{text}", please.', 'Please translate "{text}" to {language}.',
         'What does one say in {language} for "{text}"?', 'How would I write "{text}" in {language}?',
         'Translation to {language}: "{text}"', 'Tell me how to say "{text}" in {language}.',
         'In {language}, what is "{text}"?', 'Turn "{text}" into {language}.',
         'I want to say "{text}" in {language}.', '"{text}" in {language}?',
         'Help me say "{text}" in {language}.'),
        ('Can you translate "{text}" into {language}?', 'How is "{text}" said in {language}?',
         'What is the {language} for "{text}"?', 'Translate to {language}: "{text}"',
         'I would like to know "{text}" in {language}.', 'How do I say "{text}" in {language}?')),
    "stock_price": (
        ("What is {symbol} stock at?", "Price of {symbol} shares?", "How is {symbol} doing on the market?",
         "Check the {symbol} share price.", "How much is one {symbol} share?", "Did {symbol} shares go up?",
         "Show me the stock price of {symbol}.", "What does a share of {symbol} cost?", "{symbol} stock price, please.",
         "Quote for {symbol}.", "Where does {symbol} trade today?", "Is {symbol} stock up or down?",
         "Tell me the price of {symbol} stock.", "How are {symbol} shares doing?", "Stock check: {symbol}",
         "Current price of {symbol}?", "I own {symbol} shares. What are they worth?", "Look at the {symbol} stock."),
        ("What is the share price of {symbol}?", "How much does one share of {symbol} cost?",
         "Tell me how {symbol} stock is doing.", "Check {symbol} stock.", "What are {symbol} shares worth?",
         "Give me the stock price of {symbol}.")),
    "calculate": (
        ("Calculate {expression}.", "Work out {expression} for me.", "Use the calculator: {expression}",
         "I need the value of {expression}.", "What do I get for {expression}?", "Compute {expression}.",
         "Please calculate {expression}.", "What is the result of {expression}?", "Evaluate {expression}.",
         "How much does {expression} come to?", "Solve {expression}.", "Do the maths: {expression}",
         "Calculator: {expression}", "Type {expression} into the calculator.", "Figure out {expression}.",
         "Give me the result of {expression}.", "Can you compute {expression}?", "The value of {expression}, please."),
        ("Can you calculate {expression}?", "Work out {expression}.", "What is the value of {expression}?",
         "Please compute {expression} for me.", "Calculate this: {expression}", "I need the result of {expression}.")),
    "set_light": (
        ("Turn on the {room} light.", "It is too dark in the {room}.", "Make it bright in the {room}.",
         "Switch on the light in the {room}.", "Light in the {room}, please.", "I can't see a thing in the {room}.",
         "Put the {room} lights on.", "Turn the light in the {room} on.", "Lights on in the {room}.",
         "We need light in the {room}.", "Let there be light in the {room}.", "Brighten the {room}, please."),
        ("Please turn on the light in the {room}.", "Switch the {room} light on.",
         "The {room} is too dark.", "Can you turn the {room} lights on?")),
}
LIGHT_OFF = (
    ("Switch off the light in the {room}.", "Lights out in the {room}, please.",
     "Nobody is in the {room}, turn the light off.", "Turn off the {room} light.", "It is too bright in the {room}.",
     "Put the {room} lights off.", "No light in the {room}, please.", "Turn the light in the {room} off.",
     "Make it dark in the {room}.", "The {room} light can go off.", "Lights off in the {room}.",
     "I forgot the light in the {room}, switch it off."),
    ("Please turn off the light in the {room}.", "Switch the {room} light off.",
     "Nobody is in the {room}, switch off the light.", "Can you turn the {room} lights off?"))

TRAINING, HELD_OUT = 640, 12  # requests by tool

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
    ("Éteins la lumière du salon.", "set_light", ("living room", False)),
    ("¿Qué tiempo hará mañana en Sevilla?", "get_weather", ("Sevilla", "tomorrow")),
    ("Pon una alarma a las 08:00.", "set_alarm", ("08:00",)),
    ("Convierte 50 euros a dólares.", "convert_currency", (50, "EUR", "USD")),
    ("Apaga la luz del dormitorio.", "set_light", ("bedroom", False)),
    ("Let Lena know that the shop is closed.", "send_message", ("Lena", "The shop is closed.")),
    ("Split a bill of 186 among 4 people.", "calculate", ("186 / 4",)),
    ("Find a recipe for pumpkin soup.", "web_search", ("pumpkin soup recipe",)),
    ("Who won the football match yesterday?", "web_search", ("football match result yesterday",)),
    ("What's on at the cinema tonight?", "web_search", ("cinema programme tonight",)),
    ("Did Alphabet shares go up?", "stock_price", ("GOOGL",)),
    ("How would a Spaniard say \"thank you\"?", "translate", ("thank you", "Spanish")),
)


def call(name, arguments):
    return as_json({"name": name, "arguments": dict(zip(CATALOGUE[name], arguments, strict=True))})


def currency(draws, of):
    source, target = draws.one(list(values.CURRENCIES)), draws.one(list(values.CURRENCIES))
    while target == source:
        target = draws.one(list(values.CURRENCIES))
    number = of(values.amount)
    words = {"amount": number, "from": source, "to": target}
    return words, (number, values.CURRENCIES[source], values.CURRENCIES[target])


def stock(draws, held_out, of):
    """Symbols are copied; the companies whose symbols have to be known are in training alone."""
    if not held_out and draws.chance(20):
        company = draws.one(list(values.COMPANIES))
        return {"symbol": company}, (values.COMPANIES[company],)
    symbol = of(values.symbol)
    return {"symbol": symbol}, (symbol,)


def words_and_arguments(name, draws, held_out):
    """What stands in the request, and the call's arguments."""
    def of(make):
        return value(draws, make, held_out)

    if name == "convert_currency":
        return currency(draws, of)
    if name == "stock_price":
        return stock(draws, held_out, of)
    makers = {
        "get_weather": lambda: (of(values.city), draws.one(values.WHEN)),
        "set_timer": lambda: (of(values.minutes),),
        "set_alarm": lambda: (of(values.time),),
        "web_search": lambda: (of(values.topic),),
        "send_message": lambda: (of(values.name), of(values.sentence)),
        "create_event": lambda: (of(values.title), draws.one(values.DAYS), of(values.time)),
        "play_music": lambda: (of(values.artist),),
        "translate": lambda: (of(values.phrase), draws.one(values.LANGUAGES)),
        "calculate": lambda: (of(values.expression),),
        "set_light": lambda: (of(values.room),),
    }
    arguments = makers[name]()
    return dict(zip(CATALOGUE[name], arguments)), arguments


def say_day(words):
    """A weekday has "on" before it in a sentence about the weather."""
    if words.get("day") in values.DAYS:
        return {**words, "day": f"on {words['day']}"}
    return words


def request(name, number, held_out):
    draws = values.draws_of(name, number, held_out)
    words, arguments = words_and_arguments(name, draws, held_out)
    phrasings = PHRASINGS[name]
    if name == "get_weather":
        words = say_day(words)
    if name == "set_light":
        on = draws.chance(50)
        phrasings, arguments = phrasings if on else LIGHT_OFF, (*arguments, on)
    text = draws.one(phrasings[held_out]).format(**words)
    return text[0].upper() + text[1:], call(name, arguments)


def examples():
    """(user, assistant) pairs of training."""
    for name in CATALOGUE:
        for number in range(TRAINING):
            yield request(name, number, held_out=False)
    for text, name, arguments in HAND_WRITTEN:
        yield text, call(name, arguments)


def held_out():
    """(user, assistant) pairs whose phrasings and values are not in training."""
    for name in CATALOGUE:
        for number in range(HELD_OUT):
            yield request(name, number, held_out=True)
