"""Continuations against transformers' generate and its logits processors."""

import json

import pytest
import torch
import transformers
from helpers import (FAMILIES, ROPE_SCALING, check_close, csv, edit_json, gladius, gladius_json,
                     load_reference, random_config, random_ids, random_model, run_gladius,
                     save_model)

NEW_TOKENS = 64


def greedy(model, ids, eos=None):
    """The continuation, and the smallest lead of a chosen token over the next best one."""
    # The mask: transformers would take a prompt's id 0 for padding.
    out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)),
                         do_sample=False, max_new_tokens=NEW_TOKENS,
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


def check_greedy(rng, path, model, vocab):
    ids, expected = prompt_without_ties(rng, model, vocab)
    assert len(expected) == NEW_TOKENS
    ours = gladius_json("generate", "--model", path, "--ids", csv(ids), "--greedy",
                        "--max-new-tokens", NEW_TOKENS)
    assert ours["ids"] == expected


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy(family, dtype, tied, rng, tmp_path):
    check_greedy(rng, *make_model(rng, tmp_path, dtype, family=family, tie_word_embeddings=tied))


@pytest.mark.parametrize("groups", [1, 3, 6])
def test_greedy_with_biases_everywhere(groups, rng, tmp_path):
    check_greedy(rng, *make_model(rng, tmp_path, family="llama", groups=groups, mlp_bias=True,
                                  attention_bias=True))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ROPE_SCALING)
def test_greedy_with_scaled_rotary_embedding(kind, family, rng, tmp_path):
    """The continuation goes past max_position_embeddings."""
    rope = {"rope_type": kind, "rope_theta": 10_000.0, **ROPE_SCALING[kind]}
    check_greedy(rng, *make_model(rng, tmp_path, family=family, rope_parameters=rope,
                                  max_position_embeddings=40, head_dim=2 * rng.randint(2, 24)))


@pytest.mark.parametrize("window", [2, 7, 50])
def test_greedy_with_a_sliding_window(window, rng, tmp_path):
    """Not a window of 1: transformers' cache then keeps all keys, unlike its pass without one."""
    check_greedy(rng, *make_model(rng, tmp_path, family="qwen2", use_sliding_window=True,
                                  num_hidden_layers=3, sliding_window=window,
                                  max_window_layers=rng.randint(0, 2)))


def test_ids_are_streamed_without_json(rng, tmp_path):
    path, model, vocab = make_model(rng, tmp_path)
    ids, expected = prompt_without_ties(rng, model, vocab)
    out = gladius("generate", "--model", path, "--ids", csv(ids), "--greedy", "--max-new-tokens",
                  NEW_TOKENS)
    assert [int(word) for word in out.replace(",", " ").split()] == expected


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
@pytest.mark.parametrize("several", [False, True])
def test_stops_at_the_end_tokens_as_transformers(several, file, rng, tmp_path):
    path, model, vocab = make_model(rng, tmp_path)
    ids, expected = prompt_without_ties(rng, model, vocab)
    ends = [expected[rng.randrange(1, NEW_TOKENS)] for _ in range(3 if several else 1)]
    if file == "config.json":
        (path / "generation_config.json").unlink()
    edit_json(path / file, eos_token_id=ends if several else ends[0])
    ours = gladius_json("generate", "--model", path, "--ids", csv(ids), "--greedy",
                        "--max-new-tokens", NEW_TOKENS)
    assert ours["ids"] == greedy(model, ids, ends)[0]
    assert ours["ids"][-1] in ends and not set(ours["ids"][:-1]) & set(ends)
    assert ours["stopped_by"] == "end_token"


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


def constant_model(rng, tmp_path):
    """A model whose logits are the same after every text, and these logits: every token is a draw
    from what the options make of them."""
    config = random_config(rng, vocab_size=41, num_hidden_layers=1, tie_word_embeddings=False,
                           initializer_range=0.25, max_position_embeddings=4096)
    model = random_model(rng, config)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(model.model.embed_tokens.weight[:1].clone()
                                              .expand(41, -1))
        for name, parameter in model.named_parameters():
            if "o_proj" in name or "down_proj" in name:
                parameter.zero_()
        hidden = model.model(torch.tensor([[0]])).last_hidden_state[0, 0]
        model.lm_head.weight.mul_(1.5 / (model.lm_head.weight @ hidden).std())
        logits = model(torch.tensor([[0, 3, 1]])).logits[0]
    assert torch.allclose(logits[0], logits[2], atol=1e-5)
    return save_model(model, tmp_path / "model"), logits[:1]


def processors_of(temperature=1.0, top_k=0, top_p=1.0, repetition_penalty=1.0):
    """In the order of transformers' generate."""
    processors = []
    if repetition_penalty != 1:
        processors.append(transformers.RepetitionPenaltyLogitsProcessor(repetition_penalty))
    processors.append(transformers.TemperatureLogitsWarper(temperature))
    if top_k:
        processors.append(transformers.TopKLogitsWarper(top_k))
    if top_p < 1:
        processors.append(transformers.TopPLogitsWarper(top_p))
    return transformers.LogitsProcessorList(processors)


@pytest.mark.parametrize("options", [
    {"temperature": 0.6}, {"temperature": 2.5}, {"top_k": 5}, {"top_p": 0.7}, {"top_p": 0.05},
    {"temperature": 1.4, "top_k": 20, "top_p": 0.8}, {"repetition_penalty": 1.5},
    {"temperature": 0.8, "top_k": 12, "top_p": 0.9, "repetition_penalty": 1.2}])
def test_tokens_come_as_often_as_transformers_processors_say(options, rng, tmp_path):
    path, logits = constant_model(rng, tmp_path)
    settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0, **options}
    flags = [word for name, value in settings.items()
             for word in (f"--{name.replace('_', '-')}", value)]
    prompt = random_ids(rng, 41, 3)
    ids = gladius_json("generate", "--model", path, "--ids", csv(prompt), "--max-new-tokens", 1500,
                       "--seed", rng.randrange(2**31), *flags)["ids"]
    processors = processors_of(**settings)
    counts, expected, variance = torch.zeros(41), torch.zeros(41), torch.zeros(41)
    all_ids = [*prompt, *ids]
    for i, chosen in enumerate(ids):
        scores = processors(torch.tensor([all_ids[: len(prompt) + i]]), logits.clone())
        p = torch.softmax(scores.double(), -1)[0]
        assert p[chosen] > 0, (i, chosen)
        counts[chosen] += 1
        expected += p
        variance += p * (1 - p)
    # Five standard deviations, and one token for counts too small to be normal.
    check_close("sampled counts, standard deviations",
                ((counts - expected).abs() / (variance.sqrt() + 0.2)).max().item(), 5)


def test_generation_config_gives_the_defaults(rng, tmp_path):
    path, model, vocab = make_model(rng, tmp_path)
    ids, expected = prompt_without_ties(rng, model, vocab)
    file = path / "generation_config.json"

    def generate(*options):
        return gladius_json("generate", "--model", path, "--ids", csv(ids), *options)["ids"]

    edit_json(file, top_k=1, max_new_tokens=9, do_sample=True)
    assert generate() == expected[:9]
    assert generate("--max-new-tokens", 5) == expected[:5]
    edit_json(file, top_k=..., do_sample=False)
    assert generate() == expected[:9]
    edit_json(file, do_sample=True, temperature=100.0, top_p=1.0)
    hot = generate("--seed", 1)
    assert hot != expected[:9]
    assert hot == generate("--seed", 1, "--temperature", 100, "--top-p", 1, "--top-k", 0)
    assert generate("--greedy") == expected[:9]
    edit_json(file, repetition_penalty=1.3)
    reference = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)),
                               do_sample=False, max_new_tokens=9, eos_token_id=None,
                               pad_token_id=0, repetition_penalty=1.3)
    assert generate("--greedy") == reference[0, len(ids):].tolist()


def test_settings_that_are_not_supported_are_named(rng, tmp_path):
    path, _, _ = make_model(rng, tmp_path)
    edit_json(path / "generation_config.json", num_beams=4, min_p=0.1, typical_p=1.0)
    done = run_gladius("generate", "--model", path, "--ids", "1", "--max-new-tokens", 1, "--json")
    assert done.returncode == 0
    warning = done.stderr.decode()
    assert "num_beams" in warning and "min_p" in warning and "typical_p" not in warning
    assert len(json.loads(done.stdout)["ids"]) == 1
