"""Greedy continuations against transformers' generate."""

import pytest
import torch
from helpers import (csv, gladius, gladius_json, load_reference, random_config, random_ids,
                     random_model, save_model)

NEW_TOKENS = 40


def greedy(model, ids, eos=None):
    """The continuation, and the smallest lead of a chosen token over the next best one."""
    out = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=NEW_TOKENS,
                         eos_token_id=eos, pad_token_id=0, return_dict_in_generate=True,
                         output_scores=True)
    best = torch.stack(out.scores).squeeze(1).topk(2).values
    lead = ((best[:, 0] - best[:, 1]) / best.abs().max()).min().item()
    return out.sequences[0, len(ids):].tolist(), lead


def prompt_without_ties(rng, model, vocab):
    """A prompt whose greedy continuation does not hang on the last bits of a logit."""
    for _ in range(20):
        ids = random_ids(rng, vocab, rng.randint(1, 30))
        expected, lead = greedy(model, ids)
        if lead > 1e-4:
            return ids, expected
    pytest.fail("no prompt without near ties in 20")


def make_model(rng, tmp_path, dtype="f32", **fixed):
    config = random_config(rng, initializer_range=0.25, **fixed)
    path = save_model(random_model(rng, config), tmp_path / "model", dtype)
    return path, load_reference(path), config.vocab_size


@pytest.mark.parametrize("dtype", ["f32", "f32", "bf16"])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_greedy(family, dtype, rng, tmp_path):
    path, model, vocab = make_model(rng, tmp_path, dtype, family=family)
    ids, expected = prompt_without_ties(rng, model, vocab)
    ours = gladius_json("generate", "--model", path, "--ids", csv(ids), "--greedy",
                        "--max-new-tokens", NEW_TOKENS)
    assert ours["ids"] == expected


def test_ids_are_streamed_without_json(rng, tmp_path):
    path, model, vocab = make_model(rng, tmp_path)
    ids, expected = prompt_without_ties(rng, model, vocab)
    out = gladius("generate", "--model", path, "--ids", csv(ids), "--greedy", "--max-new-tokens",
                  NEW_TOKENS)
    assert [int(word) for word in out.replace(",", " ").split()] == expected


def test_stops_at_the_end_token(rng, tmp_path):
    path, model, vocab = make_model(rng, tmp_path)
    ids, expected = prompt_without_ties(rng, model, vocab)
    end = expected[rng.randrange(1, NEW_TOKENS)]
    for name in ("config.json", "generation_config.json"):
        text = (path / name).read_text()
        text = text.replace('"eos_token_id": null', f'"eos_token_id": {end}')
        if "eos_token_id" not in text:
            text = text.replace("{", f'{{\n  "eos_token_id": {end},', 1)
        (path / name).write_text(text)
    ours = gladius_json("generate", "--model", path, "--ids", csv(ids), "--greedy",
                        "--max-new-tokens", NEW_TOKENS)["ids"]
    before = expected[: expected.index(end)]
    assert ours in (before, [*before, end])


def test_sampling_repeats_with_its_seed(rng, tmp_path):
    path, _, vocab = make_model(rng, tmp_path)
    ids = random_ids(rng, vocab, 5)

    def sample(seed):
        return gladius_json("generate", "--model", path, "--ids", csv(ids), "--seed", seed,
                            "--temperature", 1.5, "--top-p", 1.0)["ids"]

    assert sample(1) == sample(1)
    assert len({tuple(sample(seed)) for seed in range(4)}) > 1


def test_top_k_1_is_greedy(rng, tmp_path):
    path, model, vocab = make_model(rng, tmp_path)
    ids, expected = prompt_without_ties(rng, model, vocab)
    ours = gladius_json("generate", "--model", path, "--ids", csv(ids), "--top-k", 1,
                        "--max-new-tokens", NEW_TOKENS)
    assert ours["ids"] == expected
