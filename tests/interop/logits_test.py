"""`gladius logits` against transformers in float32."""

import pytest
from helpers import (FAMILIES, ROPE_SCALING, check_same_logits, load_reference, random_config, random_ids, random_model,
                     save_model, use_older_config_style)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("groups", [1, 2, 4, None])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits(family, groups, dtype, rng, tmp_path):
    config = random_config(rng, family, groups)
    path = save_model(random_model(rng, config), tmp_path / "model", dtype,
                      max_shard_size=rng.choice(["5GB", "20KB"]))
    if rng.random() < 0.3:
        use_older_config_style(path)
    reference = load_reference(path)
    for length in (1, rng.randint(2, 40), rng.randint(100, 150)):
        ids = random_ids(rng, config.vocab_size, length)
        check_same_logits(f"logits, {dtype} weights", path, reference, ids, tmp_path / "out")


@pytest.mark.parametrize("kind", ROPE_SCALING)
def test_scaled_rotary_embedding(kind, rng, tmp_path):
    rope = {"rope_type": kind, "rope_theta": rng.choice([10_000.0, 500_000.0]),
            **ROPE_SCALING[kind]}
    config = random_config(rng, rope_parameters=rope, max_position_embeddings=128,
                           head_dim=2 * rng.randint(2, 24), initializer_range=0.25)
    path = save_model(random_model(rng, config), tmp_path / "model")
    reference = load_reference(path)
    for length in (rng.randint(2, 60), 100, 128, 200 if kind == "dynamic" else 120):
        ids = random_ids(rng, config.vocab_size, length)
        check_same_logits(f"logits, {kind} rope", path, reference, ids, tmp_path / "out")


def test_sliding_window(rng, tmp_path):
    config = random_config(rng, "qwen2", use_sliding_window=True, num_hidden_layers=3,
                           sliding_window=rng.randint(2, 20), max_window_layers=1,
                           initializer_range=0.25)
    path = save_model(random_model(rng, config), tmp_path / "model")
    ids = random_ids(rng, config.vocab_size, rng.randint(30, 100))
    check_same_logits("logits, sliding window", path, load_reference(path), ids, tmp_path / "out")


def test_logits_of_the_students_widths(rng, tmp_path):
    """The card's head_dim and groups, one layer: the sizes at which the fast paths run."""
    config = random_config(rng, "llama", hidden_size=768, intermediate_size=2048, head_dim=64,
                           num_attention_heads=12, num_key_value_heads=4, num_hidden_layers=1,
                           vocab_size=3001, initializer_range=0.02)
    path = save_model(random_model(rng, config), tmp_path / "model", rng.choice(["f32", "bf16"]))
    ids = random_ids(rng, config.vocab_size, rng.randint(300, 500))
    check_same_logits("logits, student's widths", path, load_reference(path), ids,
                      tmp_path / "out")
