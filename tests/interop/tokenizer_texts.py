"""Texts that tokenizers stumble over."""

import sysconfig
from pathlib import Path

SCRIPTS = [(0x20, 0x7E), (0x01, 0x1F), (0x7F, 0x9F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF),
           (0x600, 0x6FF), (0x900, 0x97F), (0xB80, 0xBFF), (0xE00, 0xE7F), (0x1000, 0x109F),
           (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2190, 0x22FF), (0x3000, 0x30FF),
           (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xFFFF), (0x1D400, 0x1D7FF),
           (0x1F300, 0x1F6FF), (0x20000, 0x2A6DF), (0x2EBF0, 0x323AF), (0x10000, 0x10FFFF)]
WORDS = ["the", "Quick", " brown", "  fox", "naïve", "Straße", "日本語", "🙂", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "e\u0301",
         "\u1ea5", "a\u0302\u0301", "q\u0323\u0307", "q\u0307\u0323", "\u1100\u1161\u11a8", "\uac00\u11a8",
         "\u0958", "\u212b", "\u0344", "\u00a0", "▁", "▁▁a", "\t", "\n", "\r\n", "\n\n\n", "1234", "3.14159",
         "１２３", "Ⅻ", "²", "\u202e", "İ", "ﬁ", "don't", "I'LL", "it'\u017f", "we'Ve", "\u180e", "\u0085",
         "{\"a\": [1, 2]}", "    return x[i] += 1;\n", "#include <vector>\n", "def f(self, *args):\n\t",
         "http://example.com/?q=1&r=%20", "مرحبا", "שלום", "नमस्ते", "สวัสดี", "\U0010ffff", "\u0000",
         "<0x41>", "<0xE2>"]
SPECIAL = ["<s>", "</s>", "<unk>", "<|user|>\n", "<|im_start|>", "<|im_end|>", "<|endoftext|>",
           "<think>", "</tool_call>", "<|im_", "<s", "  <s>  ", "\n<|im_start|>assistant\n"]
INVALID = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80\x80", b"\xc0\xaf", b"\xed\xa0\x80",
           b"\xf4\x90\x80\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x88"]


def random_character(rng, ranges):
    while 0xD800 <= (value := rng.randint(*rng.choice(ranges))) < 0xE000:
        pass
    return chr(value)


def random_unicode(rng):
    """Any characters, assigned or not."""
    return "".join(random_character(rng, [(0, 0x10FFFF), (0, 0x2FFF), (0, 0x300)])
                   for _ in range(rng.randint(0, 24)))


def random_piece(rng, words):
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(words)
    if kind < 0.6:
        return "".join(rng.choice("etaoinshrdlu") for _ in range(rng.randint(1, 9))) + " "
    if kind < 0.65:
        return rng.choice(SPECIAL)
    if kind < 0.7:
        return rng.choice(" \n\t\u3000") * rng.choice([1, 2, 3, 7, 30, 200])
    if kind < 0.73:
        return rng.choice(["a", "ab", "=", "9", "字", "é", "\u0301"]) * rng.choice([5, 40, 300])
    if kind < 0.76:
        return str(rng.randrange(10**rng.randint(1, 30)))
    script = [rng.choice(SCRIPTS)]
    return "".join(random_character(rng, script) for _ in range(rng.randint(1, 12)))


def corpus(rng, characters, invalid=0.0, words=WORDS):
    """Texts as bytes that have at least `characters` together; a part of them with invalid UTF-8."""
    texts = []
    while characters > 0:
        broken = rng.random() < invalid
        pieces = []
        for _ in range(rng.choice([1, 2, 5, 20, 300])):
            pieces.append(random_piece(rng, words).encode())
            if broken and rng.random() < 0.2:
                pieces.append(rng.choice(INVALID))
        texts.append(b"".join(pieces))
        characters -= len(texts[-1].decode(errors="replace"))
    return texts


def random_code(rng, sources):
    """A piece of a source file that begins and ends anywhere."""
    source = rng.choice(sources)
    begin = rng.randrange(len(source))
    return source[begin:begin + rng.randint(1, 60)]


def random_strings(rng, count, special, sources):
    """So many short strings of all kinds; some have texts of special tokens, whole and broken."""
    strings = []
    for _ in range(count):
        pieces = []
        for _ in range(rng.choice([1, 2, 3, 5, 12])):
            kind = rng.random()
            if kind < 0.1:
                pieces.append(rng.choice(special))
            elif kind < 0.15:
                token = rng.choice(special)
                cut = rng.randint(0, len(token))
                pieces.append(token[:cut] + rng.choice([" ", "", "\n", "|"]) + token[cut:])
            elif kind < 0.3:
                pieces.append(random_code(rng, sources))
            elif kind < 0.35:
                pieces.append(random_unicode(rng))
            else:
                pieces.append(random_piece(rng, WORDS))
        strings.append("".join(pieces).encode())
    return strings


def python_sources(rng, bytes_at_least):
    """Texts of files that come with Python, in a random order: its license, its library's code."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = sorted(path for path in library.rglob("*")
                   if path.suffix in (".py", ".txt", ".rst") and "site-packages" not in path.parts)
    rng.shuffle(paths)
    texts = []
    for path in paths:
        try:
            texts.append(path.read_bytes().decode())
        except UnicodeDecodeError:
            continue
        bytes_at_least -= len(texts[-1].encode())
        if bytes_at_least <= 0:
            return [text for text in texts if text]
    raise AssertionError(f"{library} has too little text")
