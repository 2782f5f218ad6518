"""Short instructions in words: sums, facts, definitions, lists, rewriting, small talk."""

from chat_sources import facts
from chat_sources.combine import combine

ADDITION = (
    ("What is {a} plus {b}?", "Add {a} and {b}.", "{a} + {b} = ?", "How much is {a} + {b}?"),
    ((4, 9), (13, 8), (25, 17), (40, 60), (7, 6), (31, 12), (55, 45), (19, 22), (8, 70), (90, 15),
     (36, 27)),
)
SUBTRACTION = (
    ("What is {a} minus {b}?", "Take {b} away from {a}.", "{a} - {b} = ?"),
    ((20, 7), (15, 9), (50, 25), (33, 11), (100, 40), (18, 12), (64, 30), (71, 8)),
)
MULTIPLICATION = (
    ("What is {a} times {b}?", "Multiply {a} by {b}.", "{a} x {b} = ?"),
    ((3, 7), (6, 8), (9, 4), (12, 5), (7, 7), (11, 6), (8, 9), (10, 14), (2, 35), (5, 15)),
)
DIVISION = (
    ("What is {a} divided by {b}?", "Divide {a} by {b}.", "{a} / {b} = ?"),
    ((20, 4), (36, 6), (81, 9), (56, 7), (100, 5), (48, 12), (63, 3), (75, 25)),
)
# Word problems: the phrasing and how its answer is worked out.
WORD_PROBLEMS = (
    (("Tom has {a} apples and buys {b} more. How many has he?", lambda a, b: a + b),
     ("A bus has {a} people, {b} get off. How many are left?", lambda a, b: a - b),
     ("One ticket costs {b} euros. What do {a} tickets cost?", lambda a, b: f"{a * b} euros"),
     ("A film starts after {b} minutes of ads. It runs {a} minutes. How long in all?",
      lambda a, b: f"{a + b} minutes")),
    ((12, 5), (20, 8), (15, 6), (30, 10), (9, 4), (25, 7), (40, 12)),
)
CAPITALS = (
    ("What is the capital of {country}?", "Name the capital of {country}.",
     "Which city is the capital of {country}?", "{country}: what is its capital?"),
    ("{capital}.", "The capital of {country} is {capital}."),
)
UPPER = (
    ("Write in capital letters: {text}", "Uppercase this: {text}"),
    ("good day", "stop here", "blue sky", "keep left", "open door", "red wine", "main street"),
)
REVERSED = (
    ("Reverse the words: {text}", "Say these words backwards in order: {text}"),
    ("one two three", "red green blue", "we like tea", "sun moon star", "cold hot warm"),
)
SORTED = (
    ("Sort alphabetically: {text}", "Put in alphabetical order: {text}"),
    ("pear, apple, fig", "dog, ant, cat", "tea, milk, beer", "Rome, Bonn, Oslo", "red, blue, green",
     "zinc, iron, gold", "oak, elm, ash"),
)
LETTERS = (
    ('How many letters has "{word}"?', 'Count the letters in "{word}".'),
    ("apple", "house", "banana", "sun", "window", "cat", "garden", "elephant"),
)
FIRST_LETTERS = (
    ('What is the first letter of "{word}"?', 'Which letter does "{word}" begin with?'),
    ("river", "mountain", "cloud", "lemon", "table", "winter"),
)
OPPOSITES = (
    ("What is the opposite of {word}?", "Give the opposite of {word} in one word."),
    (("hot", "Cold."), ("early", "Late."), ("empty", "Full."), ("strong", "Weak."),
     ("cheap", "Expensive."), ("loud", "Quiet."), ("young", "Old."), ("wet", "Dry."),
     ("narrow", "Wide."), ("fast", "Slow."), ("day", "Night."), ("love", "Hate."),
     ("begin", "End."), ("rich", "Poor."), ("light", "Dark.")),
)
SYNONYMS = (
    ("Give a synonym for {word}.", "Another word for {word}?"),
    (("happy", "Glad."), ("big", "Large."), ("quick", "Fast."), ("smart", "Clever."),
     ("begin", "Start."), ("silent", "Quiet."), ("angry", "Furious."), ("shop", "Store."),
     ("hard", "Difficult."), ("road", "Street."), ("help", "Assist.")),
)
WORDS = (
    ('What does the {language} word "{foreign}" mean?',
     '{language}: what is "{english}"?'),
    (("German", "Haus", "house"), ("French", "pain", "bread"), ("Spanish", "agua", "water"),
     ("German", "Wasser", "water"), ("French", "maison", "house"), ("Spanish", "libro", "book"),
     ("German", "Apfel", "apple"), ("French", "fromage", "cheese"), ("Spanish", "gato", "cat"),
     ("German", "Schule", "school"), ("French", "rouge", "red"), ("Spanish", "verde", "green"),
     ("German", "Hund", "dog"), ("French", "fleur", "flower"), ("Spanish", "leche", "milk"),
     ("German", "Brot", "bread"), ("French", "livre", "book"), ("Spanish", "mesa", "table"),
     ("German", "Blume", "flower"), ("French", "chien", "dog"), ("Spanish", "casa", "house")),
)
PAST = (
    ("Put into the past tense: {now}", "Say it in the past: {now}"),
    (("I walk home.", "I walked home."), ("She sings well.", "She sang well."),
     ("We eat soup.", "We ate soup."), ("He goes to work.", "He went to work."),
     ("They play chess.", "They played chess."), ("You write a letter.", "You wrote a letter."),
     ("The cat sleeps.", "The cat slept."), ("I buy bread.", "I bought bread.")),
)
PLURALS = (
    ("What is the plural of {word}?", "Plural of {word}, please."),
    (("child", "Children."), ("mouse", "Mice."), ("box", "Boxes."), ("leaf", "Leaves."),
     ("foot", "Feet."), ("city", "Cities."), ("knife", "Knives."), ("sheep", "Sheep."),
     ("tooth", "Teeth."), ("potato", "Potatoes.")),
)
SPELLING = (
    ("Correct the spelling: {wrong}", "Fix the mistake: {wrong}"),
    (("I recieve mail.", "I receive mail."), ("She are late.", "She is late."),
     ("Tommorow is Friday.", "Tomorrow is Friday."), ("He dont know.", "He doesn't know."),
     ("We was happy.", "We were happy."), ("Its raining.", "It's raining."),
     ("I has a dog.", "I have a dog."), ("The whether is nice.", "The weather is nice."),
     ("There house is big.", "Their house is big.")),
)
POLITE = (
    ("Make this polite: {rude}", "Say it more kindly: {rude}"),
    (("Give me the salt.", "Could you pass me the salt, please?"),
     ("Be quiet.", "Could you please be a little quieter?"),
     ("Send the file now.", "Could you please send me the file when you can?"),
     ("You are wrong.", "I see it a little differently."),
     ("Move.", "Excuse me, may I get past?"),
     ("I want the bill.", "May I have the bill, please?"),
     ("Wait.", "Could you wait a moment, please?")),
)
FACT_PHRASINGS = ("{q}", "Quick question: {q}", "{q} One sentence, please.")


def sums():
    for text, (a, b) in combine(*ADDITION, 16):
        yield text.format(a=a, b=b), f"{a} + {b} = {a + b}."
    for text, (a, b) in combine(*SUBTRACTION, 12):
        yield text.format(a=a, b=b), f"{a} - {b} = {a - b}."
    for text, (a, b) in combine(*MULTIPLICATION, 14):
        yield text.format(a=a, b=b), f"{a} x {b} = {a * b}."
    for text, (a, b) in combine(*DIVISION, 12):
        yield text.format(a=a, b=b), f"{a} / {b} = {a // b}."
    for (text, solve), (a, b) in combine(*WORD_PROBLEMS, 16):
        yield text.format(a=a, b=b), f"{solve(a, b)}."


def word_games():
    for text, words in combine(*UPPER, 8):
        yield text.format(text=words), words.upper()
    for text, words in combine(*REVERSED, 6):
        yield text.format(text=words), " ".join(reversed(words.split()))
    for text, words in combine(*SORTED, 9):
        yield text.format(text=words), ", ".join(sorted(words.split(", "), key=str.casefold))
    for text, word in combine(*LETTERS, 10):
        yield text.format(word=word), f'"{word}" has {len(word)} letters.'
    for text, word in combine(*FIRST_LETTERS, 7):
        yield text.format(word=word), f"{word[0].upper()}."


def vocabulary():
    for table, count in ((OPPOSITES, 18), (SYNONYMS, 13), (PLURALS, 13)):
        for text, (word, answer) in combine(*table, count):
            yield text.format(word=word), answer
    for text, (language, foreign, english) in combine(*WORDS, 24):
        user = text.format(language=language, foreign=foreign, english=english)
        meaning = f'"{foreign}" means {english}.'
        yield user, meaning if "mean" in text else f'"{foreign}".'


def rewriting():
    for text, (now, past) in combine(*PAST, 11):
        yield text.format(now=now), past
    for text, (wrong, right) in combine(*SPELLING, 12):
        yield text.format(wrong=wrong), right
    for text, (rude, kind) in combine(*POLITE, 9):
        yield text.format(rude=rude), kind


def knowledge():
    questions, replies = CAPITALS
    pairs = combine(questions, facts.CAPITALS, 45)
    for index, (text, (country, capital)) in enumerate(pairs):
        reply = replies[index % 2].format(country=country, capital=capital)
        yield text.format(country=country), reply
    for index, (question, answer) in enumerate(facts.FACTS):
        yield FACT_PHRASINGS[index % 3].format(q=question), answer
    yield from facts.DEFINITIONS
    yield from facts.YES_OR_NO
    yield from facts.LISTS
    yield from facts.SMALL_TALK
    yield from facts.OTHER_LANGUAGES


def examples():
    """(user, assistant) pairs."""
    for source in (sums, word_games, vocabulary, rewriting, knowledge):
        yield from source()
