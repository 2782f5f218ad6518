"""`gladius align` against the definition of the projection (docs/cross-vocabulary.md), from strings."""

import math
import shutil

import pytest
import torch
from helpers import (ROOT, check_close, check_fails, gladius_json, load_reference, random_config,
                     random_model, save_model)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizer_texts import WORDS

STUDENT = ROOT / "configs/default/tokenizer"
# Nothing of the student's vocabulary joins it to what follows, and it is not a teacher's token.
SEPARATOR = "\u0001"
NEGLIGIBLE = 1e-6  # a position whose Z is not above it is not compared
SENTENCES = [
    "the quick brown fox jumps over the lazy dog and does not come back again",
    "what is the weather in Oslo today? It is cold, said the other one.",
    "a function returns a list of numbers, which another function adds up",
]


def random_text(rng, words):
    return " ".join(rng.choice(words) for _ in range(rng.randint(20, 60)))


def write_teacher(rng, directory, words):
    """A byte-level tokenizer of some hundred entries, and a model of random weights."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=rng.randint(300, 500), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([random_text(rng, words) for _ in range(50)] + SENTENCES, trainer)
    config = random_config(rng, vocab_size=tokenizer.get_vocab_size() + rng.choice([0, 7]),
                           max_position_embeddings=4096)
    save_model(random_model(rng, config), directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return tokenizer


def bytes_of_student(tokenizer, token):
    """The text of an entry in the middle of a text."""
    name = tokenizer.id_to_token(token)
    if name.startswith("<0x"):
        return bytes([int(name[3:5], 16)])
    return name.replace("\u2581", " ").encode()


def spans(lengths):
    ends, total = [], 0
    for length in lengths:
        ends.append((total, total + length))
        total += length
    return ends


class Projection:
    """q(next) / Z at each of the student's positions that has a teacher."""

    def __init__(self, student, teacher):
        self.student, self.teacher = student, teacher
        first = {}
        for token in range(student.get_vocab_size()):
            first.setdefault(bytes_of_student(student, token), token)
        self.canonical = [first[bytes_of_student(student, token)]
                          for token in range(student.get_vocab_size())]
        decoder = {character: byte for byte, character in byte_characters().items()}
        self.teacher_bytes = [bytes(decoder[c] for c in teacher.id_to_token(t))
                              for t in range(teacher.get_vocab_size())]
        self.pieces = [self.encode(text) for text in self.teacher_bytes]

    def encode(self, text):
        try:
            encoded = self.student.encode(SEPARATOR + text.decode(), add_special_tokens=False).ids
        except UnicodeDecodeError:
            return tuple(self.canonical[self.student.token_to_id(f"<0x{byte:02X}>")] for byte in text)
        at = encoded.index(self.student.token_to_id("<0x01>"))
        return tuple(self.canonical[token] for token in encoded[at + 1:])

    def positions(self, ours, theirs, P):
        """(index of the student's token, its probability, its bytes) for the ids and P [rows, entries].

        The probability is None where the teacher hardly expected the text that it begins with.
        """
        our_spans = spans([len(bytes_of_student(self.student, t)) for t in ours])
        their_spans = spans([len(self.teacher_bytes[t]) for t in theirs])
        for index in range(1, len(ours)):
            begin, end = our_spans[index]
            at = max(j for j, span in enumerate(their_spans) if span[0] <= begin)
            boundary = their_spans[at][0]
            first = [i for i in range(index + 1) if our_spans[i][0] == boundary]
            if at == 0 or not first:
                continue
            u = tuple(self.canonical[t] for t in ours[first[0]:index])
            following = (*u, self.canonical[ours[index]])
            read = following if end <= their_spans[at][1] else u
            if self.pieces[theirs[at]][:len(read)] != read:
                continue  # the student cuts the text otherwise than the teacher's token alone
            row = P[at - 1]
            starting = [t for t in range(len(self.pieces)) if self.pieces[t][:len(u)] == u]
            Z = sum(row[t].item() for t in starting)
            q = sum(row[t].item() for t in starting if self.pieces[t][:len(u) + 1] == following)
            last = [j for j in range(at + 1, len(theirs)) if their_spans[j][1] == end]
            if last and self.pieces[theirs[at]][:len(u) + 1] != following \
                    and self.pieces[theirs[at]][:len(u)] == u and len(self.pieces[theirs[at]]) > len(u):
                q += math.prod(P[j - 1][theirs[j]].item() for j in range(at, last[0] + 1))
            yield index, q / Z if Z > NEGLIGIBLE else None, end - begin


def teacher_bits(student, ours, teacher, theirs, P):
    """Bits a byte of the teacher's tokens from the first border of both to the last."""
    decoder = {character: byte for byte, character in byte_characters().items()}
    their_spans = spans([len([decoder[c] for c in teacher.id_to_token(t)]) for t in theirs])
    our_ends = {end for _, end in spans([len(bytes_of_student(student, t)) for t in ours])}
    shared = [end for _, end in their_spans if end in our_ends]
    counted = [j for j, span in enumerate(their_spans) if span[0] >= shared[0]
               and span[1] <= shared[-1]]
    bits = -sum(math.log2(P[j - 1][theirs[j]].item()) for j in counted)
    return bits / (shared[-1] - shared[0])


def byte_characters():
    """GPT-2's printable characters of bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def test_bits_per_byte_are_those_of_the_definition(rng, tmp_path):
    words = " ".join(SENTENCES).split()
    teacher_tokenizer = write_teacher(rng, tmp_path / "teacher", words)
    student = Tokenizer.from_file(str(STUDENT / "tokenizer.json"))
    text = random_text(rng, words)
    (tmp_path / "text").write_text(text)
    ours = gladius_json("align", "--teacher", tmp_path / "teacher", "--student", STUDENT, "--text",
                        tmp_path / "text", "--max-seq-len", 2048, "--html", tmp_path / "page.html")

    ids = student.encode(text).ids
    assert ids[0] == student.token_to_id("<s>")
    ids = ids[1:]  # <s> has no text
    # The student's text begins with the space that its tokenizer puts there.
    read = b"".join(bytes_of_student(student, token) for token in ids).decode()
    theirs = teacher_tokenizer.encode(read).ids
    with torch.no_grad():
        logits = load_reference(tmp_path / "teacher")(torch.tensor([theirs])).logits[0].double()
    entries = teacher_tokenizer.get_vocab_size()
    P = torch.softmax(logits[:, :entries], -1)
    aligned = list(Projection(student, teacher_tokenizer).positions(ids, theirs, P))
    expected = [position for position in aligned if position[1] is not None]
    seen = [position for position in expected if position[1] > 0]
    assert ours["negligible_positions"] == len(aligned) - len(expected)
    assert ours["impossible_positions"] == len(expected) - len(seen)
    bits = -sum(math.log2(q) for _, q, _ in seen)
    size = sum(length for _, _, length in seen)
    check_close("aligned bits per byte",
                abs(ours["bits_per_byte"]["aligned"] / (bits / size) - 1), 1e-4)
    assert ours["aligned_positions"] == len(aligned)
    uniform = math.log2(student.get_vocab_size()) * len(seen) / size
    check_close("uniform", abs(ours["bits_per_byte"]["uniform"] / uniform - 1), 1e-9)
    check_close("teacher", abs(ours["bits_per_byte"]["teacher"] / teacher_bits(
        student, ids, teacher_tokenizer, theirs, P) - 1), 1e-4)
    assert ours["bits_per_byte"]["truncate"] is None  # it has not all of the student's ids
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page and "Token by token" in page


def test_tokenizers_alone(tmp_path):
    page = tmp_path / "page.html"
    ours = gladius_json("align", "--teacher", STUDENT, "--student", STUDENT, "--html", page)
    assert ours["shared_entries"] == ours["student_entries"] - 3  # <s>, </s> and <unk> have no text
    assert ours["pieces_per_entry"] == 1 and "Token by token" not in page.read_text()
    shutil.copy(STUDENT / "tokenizer.json", tmp_path)
    check_fails("align", "--teacher", tmp_path, "--student", tmp_path, "--html",
                tmp_path / "tokenizer.json", names=["--html", "tokenizer.json"])


def test_truncation_reads_the_students_ids(rng, tmp_path):
    config = random_config(rng, vocab_size=32000, max_position_embeddings=4096)
    model = save_model(random_model(rng, config), tmp_path / "model")
    shutil.copytree(STUDENT, model, dirs_exist_ok=True)
    text = random_text(rng, [word for word in WORDS if word.isascii() and word.isalpha()])
    (tmp_path / "data").write_text(text)
    ours = gladius_json("align", "--teacher", model, "--student", model, "--text",
                        tmp_path / "data", "--max-seq-len", 4096)
    student = Tokenizer.from_file(str(STUDENT / "tokenizer.json"))
    ids = student.encode(text).ids
    with torch.no_grad():
        logits = load_reference(model)(torch.tensor([ids])).logits[0, :-1].double()
    # Rows beyond the tokenizer's last entry never count.
    chosen = torch.log_softmax(logits[:, :student.get_vocab_size()], -1)
    bits = -chosen.gather(1, torch.tensor(ids[1:])[:, None])[:, 0] / math.log(2)
    assert ours["aligned_positions"] == len(ids) - 1
    size = sum(len(bytes_of_student(student, token)) for token in ids[1:])
    check_close("truncate", abs(ours["bits_per_byte"]["truncate"] / (bits.sum().item() / size) - 1), 1e-5)
