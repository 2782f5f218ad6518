"""The projection of a teacher's distributions by its definition (docs/cross-vocabulary.md), from strings."""

import math

import torch
from helpers import check_close

# Nothing of the student's vocabulary joins it to what follows, and it is not a teacher's token.
SEPARATOR = "\u0001"
DUMMY = 1  # the space that the student's tokenizer puts in front of a text is none of it
NEGLIGIBLE = 1e-6  # a position whose Z is not above it is not compared


def bytes_of_student(tokenizer, token):
    """The text of an entry in the middle of a text."""
    name = tokenizer.id_to_token(token)
    if name.startswith("<0x"):
        return bytes([int(name[3:5], 16)])
    return name.replace("\u2581", " ").encode()


def spans(lengths, begin=0):
    ends, total = [], begin
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
        special = {token for token, added in teacher.get_added_tokens_decoder().items() if added.special}
        # Special tokens have no text, and are never compared.
        self.pieces = [() if token in special else self.encode(text)
                       for token, text in enumerate(self.teacher_bytes)]
        self.beginning = {}  # tokens by each beginning of their pieces
        for token, pieces in enumerate(self.pieces):
            for length in range(len(pieces) + 1 if pieces else 0):
                self.beginning.setdefault(pieces[:length], []).append(token)
        self.beginning = {pieces: torch.tensor(tokens) for pieces, tokens in self.beginning.items()}

    def encode(self, text):
        try:
            encoded = self.student.encode(SEPARATOR + text.decode(), add_special_tokens=False).ids
        except UnicodeDecodeError:
            return tuple(self.canonical[self.student.token_to_id(f"<0x{byte:02X}>")] for byte in text)
        separator = self.student.encode(SEPARATOR, add_special_tokens=False).ids
        assert encoded[:len(separator)] == separator, text
        return tuple(self.canonical[token] for token in encoded[len(separator):])

    def mass(self, row, pieces):
        """The probability of all tokens that begin with the pieces."""
        return row[self.beginning[pieces]].sum().item() if pieces in self.beginning else 0

    def positions(self, ours, theirs, P):
        """(index of the student's token, its probability, its bytes) for the ids and P [rows, entries].

        The probability is None where the teacher hardly expected the text that it begins with.
        """
        our_spans = spans([len(bytes_of_student(self.student, t)) for t in ours], -DUMMY)
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
            Z = self.mass(row, u)
            q = self.mass(row, following)
            last = [j for j in range(at + 1, len(theirs)) if their_spans[j][1] == end]
            if last and self.pieces[theirs[at]][:len(u) + 1] != following \
                    and self.pieces[theirs[at]][:len(u)] == u and len(self.pieces[theirs[at]]) > len(u):
                q += math.prod(P[j - 1][theirs[j]].item() for j in range(at, last[0] + 1))
            yield index, q / Z if Z > NEGLIGIBLE else None, end - begin


def teacher_bits(student, ours, teacher, theirs, P):
    """Bits a byte of the teacher's tokens from the first border of both to the last."""
    decoder = {character: byte for byte, character in byte_characters().items()}
    their_spans = spans([len([decoder[c] for c in teacher.id_to_token(t)]) for t in theirs])
    our_ends = {end for _, end in spans([len(bytes_of_student(student, t)) for t in ours], -DUMMY)}
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


def check_study(ours, student, teacher, text, model):
    """What `gladius align --json` says of one text, which it has read in one piece."""
    ids = student.encode(text).ids
    assert ids[0] == student.token_to_id("<s>")
    ids = ids[1:]  # <s> has no text
    assert b"".join(bytes_of_student(student, token) for token in ids).decode() == " " + text
    theirs = teacher.encode(text).ids
    with torch.no_grad():
        logits = model(torch.tensor([theirs])).logits[0].double()
    P = torch.softmax(logits[:, :teacher.get_vocab_size()], -1)
    aligned = list(Projection(student, teacher).positions(ids, theirs, P))
    expected = [position for position in aligned if position[1] is not None]
    seen = [position for position in expected if position[1] > 0]
    assert ours["aligned_positions"] == len(aligned)
    assert ours["negligible_positions"] == len(aligned) - len(expected)
    assert ours["impossible_positions"] == len(expected) - len(seen)
    size = sum(length for _, _, length in seen)
    bits = {"aligned": -sum(math.log2(q) for _, q, _ in seen) / size,
            "uniform": math.log2(student.get_vocab_size()) * len(seen) / size,
            "teacher": teacher_bits(student, ids, teacher, theirs, P)}
    for name, value in bits.items():
        check_close(f"{name} bits per byte", abs(ours["bits_per_byte"][name] / value - 1), 1e-4)
    return bits
