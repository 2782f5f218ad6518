"""The prompt that `generate --chat` gives the model, against transformers' apply_chat_template."""

import json
import shutil

import pytest
import tokenizers
import transformers
from chat_template_test import random_text, random_tool
from helpers import ROOT, gladius, gladius_json

TOKENIZERS = ROOT / "../shared/data/tokenizers"
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8,
          "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
          "num_key_value_heads": 1, "max_position_embeddings": 4096, "eos_token_id": 0}


@pytest.fixture(params=["qwen3", "llama2"])
def model(request, tmp_path):
    tokenizer = TOKENIZERS / request.param
    if not tokenizer.is_dir():
        pytest.skip(f"{tokenizer} is missing")
    vocab = len(transformers.AutoTokenizer.from_pretrained(tokenizer))
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": vocab}))
    gladius("init", tmp_path / "config.json", "--tokenizer", tokenizer, "--out", tmp_path / "model")
    if request.param == "llama2":
        shutil.copy(ROOT / "tests/interop/templates/llama2.jinja",
                    tmp_path / "model/chat_template.jinja")
    return tmp_path / "model"


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def test_prompts(model, rng, tmp_path):
    reference = transformers.AutoTokenizer.from_pretrained(model)
    # transformers makes another tokenizer of Llama's file than what the file says.
    tokenizer = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    for _ in range(8):  # each reads the tokenizer anew
        history = []
        for _ in range(rng.randrange(0, 3)):
            history += [{"role": "user", "content": random_text(rng)},
                        {"role": "assistant", "content": random_text(rng)}]
        system = random_text(rng) if rng.random() < 0.5 else None
        tools = [random_tool(rng)] if rng.random() < 0.5 else None
        # An argument ends at a NUL.
        prompt = (random_text(rng) + " x").replace("\0", "")
        system = system and system.replace("\0", "")
        command = ["generate", model, "--greedy", "--max-new-tokens", 1, f"--prompt={prompt}"]
        if history:
            command += ["--messages", write(tmp_path / "messages.json", history)]
        if tools:
            command += ["--tools", write(tmp_path / "tools.json", tools)]
        command += ["--chat"] if system is None else [f"--system={system}"]
        messages = [{"role": "system", "content": system}] if system is not None else []
        messages += history + [{"role": "user", "content": prompt}]
        text = reference.apply_chat_template(messages, tools=tools, add_generation_prompt=True,
                                             tokenize=False)
        expected = tokenizer.encode(text, add_special_tokens=False).ids
        assert gladius_json(*command)["prompt_ids"] == expected, messages
