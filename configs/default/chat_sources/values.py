"""What requests are about: tables of words, and values made of them. Each maker draws one value.

Whether a value is for training or held out follows from its text (draws.py), so the tables are not
split by hand. Most words of training are invented: nothing but copying tells what they are, and
whoever can copy them can copy any.
"""

from chat_sources.draws import Draws

INVENTED_PERCENT = 75  # of the words of training


def draws_of(kind, number, held_out):
    """The choices for one request."""
    if held_out:
        return Draws(f"{kind}:held out:{number}")
    return Draws(f"{kind}:training:{number}", INVENTED_PERCENT)


CITIES = (
    "Paris Berlin Madrid Oslo Tokyo Cairo Lima Toronto Sydney Dublin Vienna Nairobi Boston Seoul "
    "Lisbon Rome Milan Naples Turin Venice Florence Munich Hamburg Cologne Bremen Dresden Leipzig "
    "Zurich Geneva Basel Bern Lyon Nice Nantes Lille Bordeaux Toulouse London Leeds Bristol York "
    "Oxford Glasgow Belfast Cardiff Cork Galway Porto Seville Valencia Bilbao Malaga Athens Patras "
    "Sofia Varna Bucharest Belgrade Zagreb Split Ljubljana Budapest Prague Brno Warsaw Krakow Gdansk "
    "Vilnius Riga Tallinn Helsinki Tampere Turku Stockholm Malmo Uppsala Bergen Stavanger Trondheim "
    "Copenhagen Aarhus Odense Reykjavik Istanbul Ankara Izmir Moscow Kyiv Odessa Minsk Tbilisi Baku "
    "Tehran Baghdad Amman Beirut Haifa Doha Dubai Muscat Kabul Delhi Mumbai Chennai Pune Lahore "
    "Karachi Dhaka Colombo Kathmandu Bangkok Hanoi Manila Jakarta Singapore Taipei Beijing Shanghai "
    "Shenzhen Busan Osaka Kyoto Nagoya Sapporo Perth Brisbane Melbourne Adelaide Auckland Wellington "
    "Lagos Abuja Accra Dakar Tunis Algiers Rabat Casablanca Tripoli Khartoum Kampala Kigali Lusaka "
    "Harare Durban Pretoria Quito Bogota Medellin Cali Caracas Cusco Santiago Cordoba Rosario "
    "Montevideo Brasilia Recife Salvador Havana Kingston Panama Denver Dallas Austin Houston Chicago "
    "Detroit Atlanta Miami Orlando Memphis Nashville Phoenix Seattle Portland Oakland Ottawa Montreal "
    "Quebec Calgary Winnipeg Vancouver Halifax").split()
NAMES = (
    "Anna Ben Mum Carlos Priya Dad Yuki Omar Lena Sam Zoe Tom Ida Eva Max Nora Paul Ravi Mei Ali "
    "Sofia Felix Emma David Carla Grace Hugo Ines Jonas Kira Leo Mia Noah Olga Peter Quentin Rosa "
    "Simon Tina Ulrich Vera Walter Xenia Yusuf Zara Adam Bella Clara Daniel Elias Fatima Georg Hannah "
    "Ivan Julia Karim Laura Martin Nadia Oscar Petra Rafael Sara Theo Ursula Victor Wanda Yara Amir "
    "Bruno Chen Dora Erik Flora Gita Henry Irene Jack Katrin Luca Marta Nils Olivia Pedro Ruth Stefan "
    "Tara Umberto Viola Wilma Aisha Boris Cecile Dmitri Esther Frank Gloria Helge Isabel Johan Kofi "
    "Linda Miguel Naomi Otto Paula Rashid Selma Tobias Valerie").split()
SURNAMES = (
    "Lovelace Turing Curie Hopper Newton Parks Noether Bohr Austen Gauss Kahlo Miller Weber Rossi "
    "Garcia Silva Novak Larsen Jensen Murphy Kowalski Tanaka Singh Patel Ahmed Okafor Mendez Dubois "
    "Moreau Keller Brandt Fischer Hansen Virtanen Petrov Ivanova Costa Santos Romero Ortega Walker "
    "Bennett Carter Foster Hughes Palmer Reed Shaw Turner Watson").split()
ARTISTS = (
    "Mozart", "the Beatles", "Miles Davis", "Nina Simone", "Daft Punk", "ABBA", "Queen", "Bach",
    "Björk", "Édith Piaf", "Bob Marley", "Shakira", "Ella Fitzgerald", "Chopin", "Vivaldi", "Handel",
    "Schubert", "Brahms", "Debussy", "Ravel", "Satie", "Verdi", "Puccini", "Mahler", "Dvořák",
    "the Rolling Stones", "the Kinks", "the Doors", "Pink Floyd", "Led Zeppelin", "Deep Purple",
    "David Bowie", "Elton John", "Prince", "Madonna", "Adele", "Rihanna", "Beyoncé", "Sting", "Blur",
    "Oasis", "Radiohead", "Coldplay", "Muse", "Nirvana", "Pearl Jam", "Metallica", "Rammstein",
    "Kraftwerk", "Depeche Mode", "the Cure", "Joy Division", "New Order", "Duran Duran", "Chet Baker",
    "John Coltrane", "Billie Holiday", "Duke Ellington", "Count Basie", "Louis Armstrong",
    "Aretha Franklin", "Stevie Wonder", "Ray Charles", "Otis Redding", "Johnny Cash", "Dolly Parton",
    "Willie Nelson", "Joan Baez", "Bob Dylan", "Neil Young", "Joni Mitchell", "Leonard Cohen",
    "Tom Waits", "Patti Smith", "Lou Reed", "Cesária Évora", "Fela Kuti", "Youssou N'Dour", "Stromae",
    "Manu Chao", "Zaz", "Paolo Conte", "Mina", "Celia Cruz", "Buena Vista Social Club", "Cat Stevens",
)
ROOMS = (
    "kitchen bedroom office garage hallway bathroom garden cellar attic nursery basement library "
    "lounge pantry porch balcony terrace workshop studio shed playroom laundry staircase corridor "
    "veranda greenhouse barn stable lobby foyer cloakroom gym sauna conservatory courtyard").split() + [
    "living room", "dining room", "guest room", "spare room", "music room", "storage room",
    "meeting room", "children's room", "utility room", "sun room"]
THINGS = (
    "bread milk cheese butter honey coffee tea sugar salt rice soup lamp chair table mirror carpet "
    "curtain pillow blanket towel candle mug plate spoon kettle bottle basket bucket ladder hammer "
    "notebook pencil paper stamp letter parcel ticket passport camera radio bicycle scooter helmet "
    "tent boat kayak violin guitar piano drum flute robot rocket telescope microscope compass map "
    "garden window door roof fence bridge tower castle museum harbour island mountain river lake "
    "forest desert volcano glacier storm rainbow comet planet galaxy dinosaur elephant tiger wolf "
    "fox rabbit hedgehog squirrel owl eagle penguin dolphin whale shark turtle spider butterfly bee "
    "tomato potato onion carrot pepper spinach pumpkin mushroom apple pear cherry lemon orange mango").split()
KINDS = (
    "electric cheap vegan solar used old new small big modern ancient famous local wild dried fresh "
    "wooden steel glass paper folding heavy light quiet fast slow safe rare common digital portable "
    "organic frozen smoked spicy sweet salty healthy homemade handmade vintage medieval tropical "
    "northern southern royal public private hidden golden silver").split()
VERBS = (
    "repair clean paint build grow cook bake store choose draw sell buy move carry measure plant wash "
    "polish replace collect photograph recycle insulate sharpen train feed").split()
ACTIVITIES = (
    "lunch", "dinner", "breakfast", "coffee", "brunch", "tea", "chess", "tennis", "squash", "football",
    "badminton", "yoga", "drinks", "a walk", "a run", "a swim", "a ride", "a film", "a call", "a chat",
    "a lesson", "a game")
APPOINTMENTS = (
    "dentist visit", "team meeting", "piano lesson", "video call", "job interview", "haircut",
    "budget review", "book club", "house viewing", "doctor's appointment", "car inspection",
    "parents' evening", "choir rehearsal", "board meeting", "project review", "staff party",
    "eye test", "language course", "garden party", "school concert", "wine tasting", "swimming class",
    "cooking class", "first aid course", "bike repair", "phone interview", "birthday party",
    "museum tour", "theatre evening", "blood test", "planning session", "product demo",
    "driving lesson", "guitar lesson", "vet appointment", "bank appointment", "flat inspection",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WHEN = ("today", "tomorrow", *DAYS)
CURRENCIES = {
    "euros": "EUR", "dollars": "USD", "yen": "JPY", "pounds": "GBP", "francs": "CHF",
    "kronor": "SEK", "rupees": "INR", "zloty": "PLN", "pesos": "MXN", "lira": "TRY"}
LANGUAGES = ("German", "French", "Spanish", "Italian", "Japanese", "Dutch", "Polish", "Turkish",
             "Greek", "Swedish", "Portuguese", "Arabic")
COMPANIES = {
    "Apple": "AAPL", "Microsoft": "MSFT", "Tesla": "TSLA", "Amazon": "AMZN", "Nvidia": "NVDA",
    "Intel": "INTC", "Netflix": "NFLX", "IBM": "IBM", "Pfizer": "PFE", "Disney": "DIS", "Ford": "F",
    "Boeing": "BA"}

# Sentences that people send, say and translate.
STATES = ("late", "ready", "early", "on my way", "at home", "in the office", "at the station", "hungry",
          "tired", "very happy", "a bit sick", "busy", "free now", "lost", "outside", "nearly there",
          "stuck in traffic", "on the bus", "in a meeting", "at the airport")
ADJECTIVES = ("late", "ready", "broken", "open", "closed", "empty", "full", "cold", "warm", "wet", "gone",
              "here", "lost", "new", "great", "dirty", "clean", "expensive", "cheap", "heavy", "wonderful")
NOUNS = (
    "train bus flight dinner lunch meeting concert shop door key car house dog cat baby soup cake "
    "parcel letter phone heating washing lift road beach hotel room film museum office report "
    "invoice ticket bill milk bread pool party game lesson").split()
REQUESTS = (
    "buy", "bring", "fetch", "find", "order", "check", "send", "pack", "wash", "return", "collect",
    "cancel", "pay for", "look after", "wait for", "call about", "think of")

ONSETS = "b d f g h j k l m n p r s t v w z br dr gr kl pr st tr sh ch".split()
VOWELS = "a e i o u a e i o ai ou ee".split()
CODAS = ["", "", "", "n", "r", "l", "s", "m", "t", "k", "nd", "rt", "ss"]


def invented(draws):
    """A word that no language has to have."""
    return "".join(draws.one(ONSETS) + draws.one(VOWELS) + draws.one(CODAS)
                   for _ in range(1 + draws.below(3))).capitalize()


def pick(draws, table):
    """An entry of the table, or as many invented words in its place, with capitals where it has them."""
    entry = draws.one(table)
    if not draws.chance(draws.invented_percent):
        return entry
    made = [(word, invented(draws)) for word in entry.split()]
    return " ".join(new if word[0].isupper() else new.lower() for word, new in made)


def with_article(noun):
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def city(draws):
    return pick(draws, CITIES)


def name(draws):
    return pick(draws, NAMES)


def artist(draws):
    return pick(draws, ARTISTS)


def room(draws):
    return pick(draws, ROOMS)


def minutes(draws):
    return 2 + draws.below(119)


def time(draws):
    return f"{draws.below(24):02}:{5 * draws.below(12):02}"


def amount(draws):
    n = draws.below(4)
    return (5 + draws.below(95), 5 * (1 + draws.below(199)), 100 + draws.below(900),
            100 * (1 + draws.below(99)))[n]


def topic(draws):
    kind, thing, verb = pick(draws, KINDS), pick(draws, THINGS), pick(draws, VERBS)
    place, other = city(draws), pick(draws, THINGS)
    return (f"{kind} {thing}s", f"how to {verb} {with_article(thing)}", f"the history of the {thing}",
            f"{thing}s in {place}", f"{kind} {thing} shops", f"{thing} and {other}",
            f"{kind} hotels in {place}", f"{thing} prices")[draws.below(8)]


def title(draws):
    who, what = name(draws), pick(draws, APPOINTMENTS)
    return (f"{pick(draws, ACTIVITIES)} with {who}", with_article(what), f"the {what}",
            f"{with_article(what)} with {who}")[draws.below(4)]


def sentence(draws):
    """A short message with its full stop."""
    noun, adjective, who = pick(draws, NOUNS), pick(draws, ADJECTIVES), name(draws)
    return (f"The {noun} is {adjective}.", f"I am {draws.one(STATES)}.", f"Please {draws.one(REQUESTS)} the {noun}.",
            f"Is the {noun} {adjective}?", f"{who} is {draws.one(STATES).replace('my', 'the')}.",
            f"I will {draws.one(REQUESTS)} the {noun}.", f"Thank you for the {noun}!",
            f"We are {draws.one(STATES).replace('my', 'our')}.", f"Where is the {noun}?",
            f"See you at {time(draws)}.", f"The {noun} was {adjective}, {who}.",
            f"Can you {draws.one(REQUESTS)} the {noun}?")[draws.below(12)]


def phrase(draws):
    """What one asks to be translated: small letters, mostly no full stop."""
    words = sentence(draws)
    words = words if words.startswith("I ") else words[0].lower() + words[1:]
    return words.rstrip(".")


def symbol(draws):
    return "".join(draws.one("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(2 + draws.below(3)))


def expression(draws):
    a, b, c = 2 + draws.below(98), 2 + draws.below(998), 2 + draws.below(48)
    sign, other = draws.one("+-*/"), draws.one("+-*")
    return (f"{b} {sign} {c}", f"{b * 7} {other} {a}", f"({a} {other} {c}) {sign} {2 + draws.below(19)}",
            f"{a / 4:g} * {c}", f"{a} ** {2 + draws.below(3)}", f"{1000 + 9 * b} {sign} {a}")[draws.below(6)]


def age(draws):
    return 2 + draws.below(96)


def full_name(draws):
    return f"{pick(draws, NAMES)} {pick(draws, SURNAMES)}"


def items(draws):
    count = 2 + draws.below(3)
    return ", ".join(pick(draws, THINGS) for _ in range(count))


def numbers(draws):
    return " ".join(str(1 + draws.below(99)) for _ in range(3 + draws.below(2)))


def price(draws):
    return (1 + draws.below(90), 0.5 + draws.below(40), 0.25 * (1 + draws.below(200)))[draws.below(3)]


def email(draws):
    return f"{pick(draws, NAMES).lower()}{draws.one(('', '.' + draws.one('abcdefgh'), str(draws.below(90))))}" \
           f"@example.{draws.one(('com', 'org', 'net'))}"


def setting(draws):
    """A key and its value."""
    key = draws.one(("port", "level", "retries", "width", "height", "steps", "size", "limit", "workers",
                     "timeout", "depth", "speed", "volume", "pages", "batch", "threads"))
    return key, draws.below(1000)


def flag(draws):
    key = draws.one(("debug", "admin", "verbose", "secure", "cache", "shuffle", "public", "enabled", "strict",
                     "resume"))
    return key, draws.chance(50)


def date(draws):
    return 1900 + draws.below(130), 1 + draws.below(12), 1 + draws.below(28)
