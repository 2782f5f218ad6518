"""Every setting that transformers has for Llama and Qwen2: honoured, or refused by its name."""

import pytest
import transformers
from helpers import (check_fails, check_same_logits, edit_json, load_reference, random_config,
                     random_ids, random_model, save_model)

# Of a configuration's own settings, what the tests below or random_config vary.
HONOURED = {
    "architectures", "attention_bias", "bos_token_id", "dtype", "eos_token_id", "head_dim",
    "hidden_act", "hidden_size", "initializer_range", "intermediate_size", "layer_types",
    "max_position_embeddings", "max_window_layers", "mlp_bias", "model_type",
    "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "rms_norm_eps",
    "rope_parameters", "sliding_window", "tie_word_embeddings", "use_sliding_window",
    "vocab_size"}
REFUSED = {"attention_dropout"}
# What the passes over a text do not depend on.
WITHOUT_EFFECT = {
    "_name_or_path", "chunk_size_feed_forward", "id2label", "is_encoder_decoder", "label2id",
    "output_attentions", "output_hidden_states", "pad_token_id", "pretraining_tp", "problem_type",
    "return_dict", "transformers_version", "use_cache"}


@pytest.mark.parametrize("config", [transformers.LlamaConfig, transformers.Qwen2Config])
def test_no_setting_is_forgotten(config):
    assert set(config().to_dict()) <= HONOURED | REFUSED | WITHOUT_EFFECT


def make_model(rng, tmp_path, family, **fixed):
    sizes = {"hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 6,
             "head_dim": 8, "num_hidden_layers": 3, "tie_word_embeddings": False}
    config = random_config(rng, family, initializer_range=0.25, **(sizes | fixed))
    return save_model(random_model(rng, config), tmp_path / "model"), config.vocab_size


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}


@pytest.mark.parametrize(("family", "changes"), [
    ("llama", {"rms_norm_eps": 0.5}),
    ("llama", {"rms_norm_eps": ...}),
    ("llama", {"hidden_act": "swish"}),
    ("llama", {"hidden_act": ...}),
    ("llama", {"head_dim": None, "num_key_value_heads": None}),
    ("llama", {"head_dim": ..., "num_key_value_heads": ...}),
    ("llama", {"pretraining_tp": 2, "use_cache": False, "pad_token_id": 3}),
    ("llama", {"sliding_window": 3, "use_sliding_window": True}),
    ("llama", {"dtype": ..., "torch_dtype": "float32"}),
    ("llama", {"dtype": "bfloat16"}),
    ("llama", {"rope_parameters": ...}),
    ("llama", {"rope_parameters": ..., "rope_theta": 77.0}),
    ("llama", {"rope_parameters": ..., "rope_theta": 77, "rope_scaling": None}),
    ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0},
               "rope_theta": 5.0}),
    ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0},
               "rope_scaling": {}}),
    ("llama", {"rope_parameters": ..., "rope_theta": 77.0,
               "rope_scaling": {"type": "linear", "factor": 3.0}}),
    ("llama", {"rope_parameters": ..., "rope_theta": 77.0,
               "rope_scaling": {"rope_type": "llama3", **LLAMA3}}),
    ("llama", {"rope_parameters": ..., "max_position_embeddings": 20,
               "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    ("llama", {"rope_parameters": ..., "original_max_position_embeddings": 16,
               "rope_scaling": {"type": "yarn", "factor": 4.0}}),
    ("llama", {"rope_parameters": {
        "rope_type": "yarn", "rope_theta": 77.0, "factor": 4.0, "beta_fast": 8.0, "beta_slow": 2.0,
        "original_max_position_embeddings": 16, "mscale": 0.7, "mscale_all_dim": 1.3,
        "truncate": False}}),
    ("llama", {"rope_parameters": {
        "rope_type": "yarn", "rope_theta": 77.0, "factor": 4.0, "attention_factor": 0.8,
        "original_max_position_embeddings": 16}}),
    ("llama", {"partial_rotary_factor": 1.0}),
    ("qwen2", {"attention_bias": True, "mlp_bias": True}),
    ("qwen2", {"use_sliding_window": False, "sliding_window": 3, "layer_types": ...,
               "max_window_layers": 0}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": None, "layer_types": ...,
               "max_window_layers": 0}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 3, "layer_types": ...,
               "max_window_layers": 1}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 3, "layer_types": ...,
               "max_window_layers": ...}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 0,
               "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}),
])
def test_honoured(family, changes, rng, tmp_path):
    path, vocab = make_model(rng, tmp_path, family)
    edit_json(path / "config.json", **changes)
    ids = random_ids(rng, vocab, 45)
    check_same_logits("logits, settings of config.json", path, load_reference(path), ids,
                      tmp_path / "out")


@pytest.mark.parametrize(("family", "changes", "names"), [
    ("llama", {"attention_dropout": 0.1}, ["attention_dropout", "0.1"]),
    ("qwen2", {"attention_dropout": 0.1}, ["attention_dropout"]),
    ("llama", {"partial_rotary_factor": 0.5}, ["partial_rotary_factor"]),
    ("llama", {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
     ["partial_rotary_factor"]),
    ("llama", {"rope_parameters": {"rope_type": "longrope", "factor": 2.0}}, ["longrope"]),
    ("llama", {"rope_scaling": {"type": "su", "factor": 2.0}}, ["su", "linear"]),
    ("llama", {"rope_scaling": {"type": "linear"}}, ["factor"]),
    ("llama", {"rope_scaling": {"type": "llama3", "factor": 2.0}}, ["low_freq_factor"]),
    ("qwen2", {"rope_parameters": {"full_attention": {"rope_type": "default"}}}, ["layer type"]),
    ("llama", {"hidden_act": "gelu"}, ["hidden_act", "gelu"]),
    ("llama", {"quantization_config": {"quant_method": "gptq"}}, ["quantization_config"]),
    ("llama", {"dtype": "int8"}, ["dtype", "int8"]),
    ("llama", {"dtype": ..., "torch_dtype": "float8_e4m3fn"}, ["torch_dtype", "float8_e4m3fn"]),
    ("llama", {"architectures": ["LlamaForSequenceClassification"]},
     ["LlamaForSequenceClassification"]),
    ("llama", {"architectures": ..., "model_type": "gemma"}, ["gemma"]),
    ("llama", {"num_key_value_heads": 4}, ["num_key_value_heads"]),
    ("llama", {"head_dim": 7}, ["head_dim"]),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 0}, ["sliding_window"]),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 3, "layer_types": ["full_attention"]},
     ["layer_types"]),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 3,
               "layer_types": ["chunked_attention"] * 3}, ["chunked_attention"]),
    ("llama", {"rms_norm_eps": -1.0}, ["rms_norm_eps"]),
    ("llama", {"tie_word_embeddings": "yes"}, ["tie_word_embeddings"]),
])
def test_refused_by_name(family, changes, names, rng, tmp_path):
    path, _ = make_model(rng, tmp_path, family)
    edit_json(path / "config.json", **changes)
    check_fails("logits", "--model", path, "--ids", "1", "--out", tmp_path / "out", names=names)
