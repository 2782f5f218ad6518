"""English prose out of Debian's documentation packages, as pieces to train on and pieces held out.

Paragraphs of the packages' HTML pages, each once, joined to pieces of up to PIECE bytes that stay
within a page. Every 20th piece is held out. Listings and tables are left out.
"""

import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

# The English pages of each package, within its unpacked files.
PACKAGES = {
    "debian-handbook": "usr/share/doc/debian-handbook/html/en-US/*.html",
    "debian-policy": "usr/share/doc/debian-policy/**/*.html",
    "debian-reference-en": "usr/share/debian-reference/*.en.html",
    "developers-reference": "usr/share/developers-reference/*.html",
    "debian-faq": "usr/share/doc/debian/FAQ/*.en.html",
}
PIECE = 1700
HELD_OUT = 20  # every so many pieces one is held out
BLOCKS = {"p", "div", "li", "dd", "dt", "td", "th", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol",
          "dl", "table", "section", "blockquote", "body", "br"}
LEFT_OUT = {"script", "style", "head", "nav", "pre", "table", "footer"}


class Paragraphs(HTMLParser):
    """The text of each block of a page, with single spaces."""

    def __init__(self, page):
        super().__init__()
        self.found, self.words, self.skipped = [], [], 0
        self.feed(page)
        self.end_block()

    def handle_starttag(self, tag, attributes):
        if tag in LEFT_OUT:
            self.skipped += 1
        if tag in BLOCKS:
            self.end_block()

    def handle_endtag(self, tag):
        if tag in BLOCKS:
            self.end_block()
        if tag in LEFT_OUT:
            self.skipped = max(0, self.skipped - 1)

    def handle_data(self, text):
        if not self.skipped:
            self.words.append(text)

    def end_block(self):
        text = re.sub(r"\s+", " ", "".join(self.words).replace("¶", "").replace("\xad", "")).strip()
        self.words = []
        if text:
            self.found.append(text)


def is_prose(paragraph):
    """Sentences, and no lists of names, links or other languages."""
    letters = sum(c.isalpha() and c.isascii() or c == " " for c in paragraph)
    return len(paragraph) >= 60 and letters > 0.85 * len(paragraph) and re.search(r"[.:?!)]$", paragraph)


def download(directory):
    """The packages unpacked in `directory`, each once, and their versions."""
    directory.mkdir(parents=True, exist_ok=True)
    versions = {}
    for package in PACKAGES:
        if not list(directory.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", "-qq", package], cwd=directory, check=True,
                           stdout=sys.stderr)
        archive = max(directory.glob(f"{package}_*.deb"))
        if not (directory / package).exists():
            subprocess.run(["dpkg-deb", "-x", archive, directory / package], check=True)
        versions[package] = archive.name.split("_")[1].replace("%3a", ":")
    return versions


def pages(directory):
    for package, pattern in PACKAGES.items():
        files = sorted(file for file in (directory / package).glob(pattern) if file.is_file())
        if not files:
            sys.exit(f"error: {package} has no pages {pattern}")
        for file in files:
            yield file.read_text(errors="replace")


def cut(directory):
    pieces, seen = [], set()
    for page in pages(directory):
        piece = ""
        for paragraph in filter(is_prose, Paragraphs(page).found):
            if paragraph in seen or len(paragraph.encode()) > PIECE:
                continue
            seen.add(paragraph)
            if piece and len(f"{piece}\n{paragraph}".encode()) > PIECE:
                pieces.append(piece)
                piece = ""
            piece += ("\n" if piece else "") + paragraph
        if len(piece) > PIECE // 4:
            pieces.append(piece)
    return pieces


def size(pieces):
    return sum(len(piece.encode()) for piece in pieces)


def write(path, pieces):
    path.write_text("".join(json.dumps({"text": piece}, ensure_ascii=False) + "\n" for piece in pieces))


def prepare(directory: Path, held_out_bytes):
    """train.jsonl, in an order drawn once, and held-out.jsonl of at least `held_out_bytes` where
    there are so many; what they are made of."""
    described = directory / "data.json"
    versions = download(directory / "packages")
    pieces = cut(directory / "packages")
    held_out = pieces[HELD_OUT - 1::HELD_OUT]
    train = [piece for i, piece in enumerate(pieces) if i % HELD_OUT != HELD_OUT - 1]
    rng = random.Random(15)
    rng.shuffle(train)
    rng.shuffle(held_out)
    count = next((n for n in range(len(held_out)) if size(held_out[:n]) >= held_out_bytes), len(held_out))
    held_out = held_out[:count]
    write(directory / "train.jsonl", train)
    write(directory / "held-out.jsonl", held_out)
    description = {"packages": versions, "train_bytes": size(train), "train_pieces": len(train),
                   "held_out_bytes": size(held_out), "held_out_pieces": len(held_out)}
    described.write_text(json.dumps(description, indent=1) + "\n")
    return description
