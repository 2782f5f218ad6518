"""`gladius eval --by-position` against transformers in float32."""

import json
import math

import pytest
import torch
from helpers import (ROPE_SCALING, check_close, gladius_json, load_reference, random_config,
                     random_ids, random_model, save_model)


def reaches(kind, config):
    """Where the trained positions end, and the extended ones."""
    rope = config.rope_parameters
    longest = config.max_position_embeddings
    if kind == "default":
        return longest, longest
    if kind == "llama3":
        return rope["original_max_position_embeddings"], longest
    if kind == "yarn":
        trained = rope["original_max_position_embeddings"]
        return trained, max(longest, int(trained * rope["factor"]))
    return longest, int(longest * rope["factor"])


@pytest.mark.parametrize("kind", ["default", *ROPE_SCALING])
def test_losses_by_position(kind, rng, tmp_path):
    rope = {"rope_type": kind, "rope_theta": rng.choice([10_000.0, 500_000.0]),
            **ROPE_SCALING.get(kind, {})}
    config = random_config(rng, rope_parameters=rope, max_position_embeddings=128,
                           head_dim=2 * rng.randint(2, 24), initializer_range=0.25)
    path = save_model(random_model(rng, config), tmp_path / "model")
    reference = load_reference(path)
    texts = [random_ids(rng, config.vocab_size, rng.randint(2, 600)) for _ in range(4)]
    labels = [[token if rng.random() < 0.8 else -100 for token in ids[1:]] + [-100]
              for ids in texts]
    labels[0][0] = texts[0][1]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"input_ids": ids, "labels": given}) + "\n"
                            for ids, given in zip(texts, labels, strict=True)))
    ours = gladius_json("eval", "--model", path, "--data", data, "--by-position")
    losses = {}
    for ids, given in zip(texts, labels, strict=True):
        with torch.no_grad():
            # A fresh state: dynamic scaling keeps what a longer text before it has grown.
            logits = (load_reference(path) if kind == "dynamic" else reference)(
                torch.tensor([ids])).logits[0]
        values = torch.nn.functional.cross_entropy(logits, torch.tensor(given), reduction="none")
        for i, value in enumerate(values.tolist()):
            if given[i] != -100:
                losses.setdefault(i, []).append(value)
    trained, extended = reaches(kind, config)
    assert (ours["trained_positions"], ours["extended_positions"]) == (trained, extended)
    seen = 0
    for bucket in ours["by_position"]:
        positions = range(bucket["from"], bucket["to"])
        expected = [value for i in positions for value in losses.get(i, [])]
        assert bucket["tokens"] == len(expected)
        seen += len(expected)
        mean = math.fsum(expected) / len(expected)
        check_close(f"loss by position, {kind} rope", abs(bucket["cross_entropy"] - mean) / mean,
                    1e-4, str(bucket))
        reach = ["trained", "extended", "beyond"][(bucket["from"] >= trained)
                                                  + (bucket["from"] >= extended)]
        assert bucket["reach"] == reach
    assert seen == sum(map(len, losses.values())) == ours["tokens"]
