"""model/README.md of a run as the hub's own library reads it, and its commands as it says them."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from helpers import BINARY, ROOT, gladius, gladius_json
from huggingface_hub import ModelCard

TOKENIZER = ROOT / "configs/default/tokenizer"
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 4096,
          "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 1,
          "eos_token_id": 2, "max_position_embeddings": 512}
# All that has a meaning in YAML or Markdown, ends lines, or is no character of YAML's.
ALPHABET = ("abc 019 :#-?!&*|>%@`'\"\\{}[],~=<_$.é漢\U0001F600\t\n\r\x01\x1b\x7f\x85\xa0\u2028\u2029"
            "\ufeff\ufffe\U0001ffff")


def prepare(directory, tokenizer=None):
    """A teacher that says where it is from, data, a suite, and a run file."""
    (directory / "student.json").write_text(json.dumps(CONFIG))
    options = ["--tokenizer", tokenizer] if tokenizer else []
    gladius("init", "--config", directory / "student.json", "--out", directory / "teacher",
            *options)
    config = json.loads((directory / "teacher/config.json").read_text())
    config["_name_or_path"] = "Owner/Teacher-1B"
    (directory / "teacher/config.json").write_text(json.dumps(config))
    chat = [{"role": "user", "content": "add 1 and 2"}, {"role": "assistant", "content": "it is 3"}]
    line = {"messages": chat} if tokenizer else {"input_ids": [1, 5, 9, 7, 2]}
    if tokenizer and not (tokenizer / "chat_template.jinja").exists():
        line = {"text": "it is 3"}
    (directory / "data.jsonl").write_text((json.dumps(line) + "\n") * 8)
    case = {"id": "a", "category": "sums: \"x\"\n---", "messages": chat[:1],
            "expect": {"text": ["3"]}}
    (directory / "suite: #1.jsonl").write_text(json.dumps(case) + "\n")
    run = {"student": {"config": "student.json"},
           "experts": [{"name": "one", "model": "teacher", "steps": 4}],
           "data": {"train": "data.jsonl", "eval": "data.jsonl"},
           "card": {"license": "apache-2.0", "language": "en, no"}}
    if tokenizer:
        run["student"]["tokenizer"] = str(tokenizer)
    return run


def distill(directory, run, out, *options):
    (directory / "run.json").write_text(json.dumps(run))
    gladius("distill", directory / "run.json", "--out", out, *options)
    return out / "model/README.md"


@pytest.fixture(scope="module")
def chat_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("card")
    run = prepare(directory, TOKENIZER) | {"eval_suite": "suite: #1.jsonl"}
    distill(directory, run, directory / "out")
    return directory


def test_the_hub_reads_the_front_matter(chat_run):
    card = ModelCard.load(chat_run / "out/model/README.md")
    data = card.data
    assert data.license == "apache-2.0"
    assert data.language == ["en", "no"]
    assert data.base_model == ["Owner/Teacher-1B"]
    assert data.library_name == "transformers"
    assert data.pipeline_tag == "text-generation"
    assert data.tags == ["gladius", "knowledge-distillation", "llama"]
    assert data.model_name == "out"
    assert card.text.lstrip().startswith("# out\n")


def test_the_hub_reads_the_results(chat_run):
    results = ModelCard.load(chat_run / "out/model/README.md").data.eval_results
    evaluation = json.loads((chat_run / "out/evaluation.json").read_text())
    suite = json.loads((chat_run / "out/suite.json").read_text())
    by_metric = {(one.dataset_name, one.metric_type, one.metric_name): one for one in results}
    tokens, count = evaluation["tokens"], evaluation["bytes"]
    share = suite["all_right"] / suite["cases"]
    expected = {
        ("data.jsonl", "perplexity", f"Perplexity per token ({tokens:,} tokens)"):
            evaluation["perplexity"],
        ("data.jsonl", "cross_entropy", f"Cross-entropy per token, in nats ({tokens:,} tokens)"):
            evaluation["cross_entropy"],
        ("data.jsonl", "bits_per_byte", f"Bits per byte ({count:,} bytes)"):
            evaluation["bits_per_byte"],
        ("suite: #1.jsonl", "accuracy", "All right (1 case)"): share,
        ("suite: #1.jsonl", "accuracy", "All right in sums: \"x\"\n--- (1 case)"): share,
    }
    assert set(by_metric) == set(expected)
    for key, value in expected.items():
        assert by_metric[key].task_type == "text-generation"
        assert abs(by_metric[key].metric_value - value) <= 5e-5, key


def test_what_the_hub_reads_it_writes_again(chat_run):
    """Nothing is lost on the way through ModelCardData, so nothing is in a place of its own."""
    file = chat_run / "out/model/README.md"
    matter = yaml.safe_load(file.read_text(encoding="utf-8").split("---\n")[1])
    card = ModelCard.load(file)
    assert yaml.safe_load(card.data.to_yaml()) == matter


def test_any_name_survives(chat_run, rng):
    """The run's name is its directory's; a card that nobody has changed follows it."""
    run = json.loads((chat_run / "run.json").read_text())
    out = shutil.copytree(chat_run / "out", chat_run / "renamed")
    for _ in range(20):
        name = "n" + "".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 40))) + "n"
        license_ = "l" + "".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 40)))
        print(ascii(name), ascii(license_))
        out = out.rename(chat_run / name)
        card = distill(chat_run, run | {"card": {"license": license_}}, out, "--resume")
        matter = re.match(r"---\n(.*?\n)---\n", card.read_bytes().decode(), re.DOTALL)[1]
        loaded = yaml.safe_load(matter)
        assert loaded["model-index"][0]["name"] == name
        assert loaded["license"] == license_
        assert ModelCard.load(card).data.model_name == name


def blocks(card, language):
    return re.findall(rf"^```{language}\n(.*?)\n```$", card.read_text(encoding="utf-8"),
                      re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("kind", ["chat", "text", "ids"])
def test_it_is_used_as_the_card_says(tmp_path, kind):
    tokenizer = TOKENIZER if kind == "chat" else None
    if kind == "text":
        tokenizer = tmp_path / "tokenizer"
        tokenizer.mkdir()
        shutil.copy(TOKENIZER / "tokenizer.json", tokenizer)
        config = json.loads((TOKENIZER / "tokenizer_config.json").read_text())
        config.pop("chat_template", None)
        (tokenizer / "tokenizer_config.json").write_text(json.dumps(config))
    card = distill(tmp_path, prepare(tmp_path, tokenizer), tmp_path / "out")
    python, shell = blocks(card, "python"), blocks(card, "sh")
    assert len(python) == len(shell) == 1
    environment = os.environ | {"PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    for command in ([sys.executable, "-c", python[0]], ["sh", "-e", "-c", shell[0]]):
        done = subprocess.run(command, cwd=card.parent, env=environment, capture_output=True,
                              timeout=300, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout


def test_verify_says_that_it_is_fit(chat_run):
    report = gladius_json("verify", chat_run / "out")
    assert report["fit"]
    assert {check["result"] for check in report["checks"]} == {"ok"}, report
