"""Answers that the student writes itself (`experts.N.on_policy`) against PyTorch: the loss of a
micro-batch of them, and the norm of an update's gradient."""

import json

import jinja2.sandbox
import tokenizers
import torch
from helpers import (ROOT, check_close, distillation_loss, gladius, load_reference, random_config,
                     random_model, save_model)

TOKENIZER = ROOT / "configs/default/tokenizer"


def test_own_answers(rng, tmp_path):
    vocab = len(json.loads((TOKENIZER / "tokenizer.json").read_text())["model"]["vocab"])
    vocab += 64  # added tokens lie behind
    for name in ("student", "teacher"):
        config = random_config(rng, vocab_size=vocab, num_hidden_layers=rng.randint(1, 2))
        save_model(random_model(rng, config), tmp_path / name)
    chats = [[{"role": "user", "content": f"Say {word}."}, {"role": "assistant", "content": word}]
             for word in ("one", "two", "three", "four")]
    (tmp_path / "data.jsonl").write_text("".join(
        json.dumps({"messages": chat}) + "\n" for chat in chats))
    loss = {"temperature": rng.choice([1.0, 2.0]), "alpha": rng.choice([0.5, 1.0]),
            "divergence": rng.choice(["forward_kl", "reverse_kl", "jsd", "skew_kl"]),
            "beta": round(rng.uniform(0.1, 0.9), 3)}
    run = {"student": {"init": "student", "tokenizer": str(TOKENIZER)},
           "experts": [{"model": "teacher", "vocabulary": "same", "steps": 2, "on_policy": 1}],
           "data": {"train": "data.jsonl", "max_seq_len": 64, "packing": rng.random() < 0.5},
           "loss": loss, "optimizer": {"lr": 0, "max_grad_norm": 1e9},
           "batch_size": rng.randint(1, 2), "gradient_accumulation": 2, "checkpoint_every": 1,
           "keep_checkpoints": 9, "seed": rng.randrange(100)}
    (tmp_path / "run.json").write_text(json.dumps(run))
    gladius("distill", tmp_path / "run.json", "--out", tmp_path / "out")
    lines = [json.loads(line) for line in
             (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    state = json.loads((tmp_path / "out/checkpoints/step-00000001/state.json").read_text())
    answers = state["state"]["own_answers"]
    assert answers
    student, teacher = (load_reference(tmp_path / name).double() for name in ("student", "teacher"))
    rows, order = [[], []], {0: [], 1: []}
    for answer in answers:
        order[answer["step"]].append(answer)
    position = 0
    for step in (0, 1):  # every sequence is written, so a step's are the next of the data
        count = len(order[step])
        assert lines[step]["on_policy_share"] == 1, lines[step]
        for place, answer in enumerate(order[step]):
            assert answer["sequence"] == place
            chat = chats[(position + place) % len(chats)][:1]
            prompt = prompt_ids(chat)
            ids = torch.tensor([prompt + answer["ids"]])
            span = slice(len(prompt) - 1, ids.shape[1] - 1)
            with torch.no_grad():
                expert = teacher(ids).logits[0, span]
            rows[step].append((student(ids).logits[0, span], expert))
        position += count
        tokens = sum(len(answer["ids"]) for answer in order[step])
        assert abs(lines[step]["on_policy_mean_tokens"] - tokens / count) < 1e-9
    for step in (0, 1):
        _, kl, _ = whole_loss(rows[step], loss)
        check_close("own answers' kl", abs(lines[step]["kl"] / kl.item() - 1), 1e-4)
    whole_loss(rows[0] + rows[1], loss)[0].backward()
    norm = torch.linalg.vector_norm(torch.cat(
        [parameter.grad.flatten() for parameter in student.parameters()])).item()
    check_close("own answers' grad_norm", abs(lines[1]["grad_norm"] / norm - 1), 1e-3)


def whole_loss(rows, loss):
    ours, expert = (torch.cat(part) for part in zip(*rows))
    labels = torch.full((len(ours),), -100)
    value, kl, _ = distillation_loss(ours, expert, labels, **loss)
    return loss["alpha"] * kl, kl, value


def prompt_ids(chat):
    """As transformers' template and tokenizers make them."""
    template = (TOKENIZER / "chat_template.jinja").read_text()
    config = json.loads((TOKENIZER / "tokenizer_config.json").read_text())
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True,
                                                               lstrip_blocks=True)
    tokens = {key: value if isinstance(value, str) else value["content"]
              for key, value in config.items() if key in ("bos_token", "eos_token") and value}
    text = environment.from_string(template).render(messages=chat, add_generation_prompt=True,
                                                    tools=None, **tokens)
    return tokenizers.Tokenizer.from_file(str(TOKENIZER / "tokenizer.json")).encode(
        text, add_special_tokens=False).ids
