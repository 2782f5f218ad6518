"""Data files against transformers: padding and attention masks."""

import json

import pytest
import torch
from helpers import (check_close, gladius_json, load_reference, random_config, random_ids,
                     random_labels, random_model, save_model)


def padded(rng, vocab, side):
    """A line of the file, and its tokens and labels without the padding."""
    ids = random_ids(rng, vocab, rng.randint(2, 20))
    labels = random_labels(rng, vocab, len(ids))
    count = rng.randint(0, 12)
    padding, noise = random_ids(rng, vocab, count), random_ids(rng, vocab, count)
    mask = [1] * len(ids)
    if side == "left":
        line = {"input_ids": padding + ids, "labels": noise + labels,
                "attention_mask": [0] * count + mask}
    else:
        line = {"input_ids": ids + padding, "labels": labels + noise,
                "attention_mask": mask + [0] * count}
    return line


def cross_entropy(model, lines):
    """As transformers computes it of the padded rows with their masks, over the labels of tokens."""
    total, count = 0.0, 0
    for line in lines:
        mask = torch.tensor([line["attention_mask"]])
        labels = torch.tensor(line["labels"]).masked_fill(mask[0] == 0, -100)
        with torch.no_grad():
            logits = model(torch.tensor([line["input_ids"]]), attention_mask=mask).logits[0]
        total += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        count += int((labels != -100).sum())
    return total / count, count


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_counts_nowhere(side, rng, tmp_path):
    config = random_config(rng)
    model = save_model(random_model(rng, config), tmp_path / "model")
    lines = [padded(rng, config.vocab_size, side) for _ in range(20)]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    expected, count = cross_entropy(load_reference(model), lines)
    report = gladius_json("eval", "--model", model, "--data", data)
    assert report["tokens"] == count
    check_close("cross-entropy of padded rows", abs(report["cross_entropy"] - expected), 2e-5)
