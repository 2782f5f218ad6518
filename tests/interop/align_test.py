"""`gladius align` against the definition of the projection (docs/cross-vocabulary.md), from strings."""

import math
import shutil

import torch
from helpers import (ROOT, check_close, check_fails, gladius_json, load_reference, random_config,
                     random_model, save_model)
from projection_reference import bytes_of_student, check_study
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizer_texts import WORDS

STUDENT = ROOT / "configs/default/tokenizer"
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


def test_bits_per_byte_are_those_of_the_definition(rng, tmp_path):
    words = " ".join(SENTENCES).split()
    teacher_tokenizer = write_teacher(rng, tmp_path / "teacher", words)
    student = Tokenizer.from_file(str(STUDENT / "tokenizer.json"))
    text = random_text(rng, words)
    (tmp_path / "text").write_text(text)
    ours = gladius_json("align", "--teacher", tmp_path / "teacher", "--student", STUDENT, "--text",
                        tmp_path / "text", "--max-seq-len", 2048, "--html", tmp_path / "page.html")

    check_study(ours, student, teacher_tokenizer, text, load_reference(tmp_path / "teacher"))
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
