"""The files under configs/: sizes and parameter counts, the default run's chats and tokenizer."""

import importlib.util
import json
import shlex
import statistics
import subprocess
import sys

import pytest
from helpers import BINARY, ROOT

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

CONFIGS = ROOT / "configs"
DEFAULT = CONFIGS / "default"
# The keys of a run file (docs: cli.md), with the members of those that are objects.
RUN_KEYS = {
    "student": {"config", "init", "init_from", "tokenizer", "seed"},
    "data": {"train", "eval", "max_seq_len", "packing", "shuffle", "loss_on"},
    "loss": {"temperature", "alpha", "reduction", "normalization", "tokens"},
    "optimizer": {"name", "lr", "weight_decay", "betas", "eps", "max_grad_norm", "schedule",
                  "warmup_steps"},
    **dict.fromkeys(("experts", "steps", "batch_size", "gradient_accumulation", "log_every",
                     "checkpoint_every", "keep_checkpoints", "eval_every", "eval_suite", "seed")),
}


def load_chats(name):
    lines = (DEFAULT / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["messages"] for line in lines]


CHATS = {name: load_chats(name) for name in ("chat.jsonl", "eval.jsonl")}
ALL_CHATS = [messages for chats in CHATS.values() for messages in chats]


def question(messages):
    return messages[-2]["content"].casefold()


@pytest.fixture(scope="module")
def generator():
    sys.path.insert(0, str(DEFAULT))
    spec = importlib.util.spec_from_file_location("make_chat", DEFAULT / "make_chat.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(DEFAULT))


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(DEFAULT / "tokenizer")


@pytest.fixture(scope="module")
def plain():
    """The file alone, as a reader of tokenizer.json sees it."""
    return tokenizers.Tokenizer.from_file(str(DEFAULT / "tokenizer" / "tokenizer.json"))


def render(tokenizer, messages, **options):
    return tokenizer.apply_chat_template(messages, tokenize=False, **options)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gladius-125m.json", 124_668_672),
        ("tinyllama-1.1b.json", 1_100_048_384),
        ("qwen2.5-1.5b.json", 1_543_714_304),
        ("default/expert.json", 3_934_464),
    ],
)
def test_parameter_count(name, parameters, tmp_path):
    (tmp_path / "config.json").write_bytes((CONFIGS / name).read_bytes())
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("gladius-125m.json", 668),
        ("default/tokenizer/chat_template.jinja", 410),
        ("default/tokenizer/special_tokens_map.json", 551),
    ],
)
def test_size_is_the_cards(name, size):
    assert (CONFIGS / name).stat().st_size == size


@pytest.mark.parametrize("name", [*sorted(CHATS), "suite.jsonl"])
def test_the_generator_writes_the_committed_chats(name, tmp_path):
    subprocess.run([sys.executable, DEFAULT / "make_chat.py", "--out", tmp_path], check=True)
    assert (tmp_path / name).read_bytes() == (DEFAULT / name).read_bytes()


def test_chats_are_enough_and_no_question_comes_twice():
    assert len(CHATS["chat.jsonl"]) >= 10_000
    assert len(CHATS["eval.jsonl"]) >= 200
    questions = [question(messages) for messages in ALL_CHATS]
    assert len(set(questions)) == len(questions)


def test_roles_and_texts():
    for messages in ALL_CHATS:
        roles = [message["role"] for message in messages]
        assert roles in (["user", "assistant"], ["system", "user", "assistant"])
        for message in messages:
            assert message["content"] == message["content"].strip() != "", messages


def test_structured_answers_are_json(generator):
    for split in generator.build():
        for category, messages in split:
            if category in ("tools", "structured"):
                json.loads(messages[-1]["content"])


def test_tool_calls_follow_the_catalogue(generator):
    used = set()
    for split in generator.build():
        for category, messages in split:
            if category == "tools":
                call = json.loads(messages[-1]["content"])
                assert set(call) == {"name", "arguments"}
                assert tuple(call["arguments"]) == generator.tools.CATALOGUE[call["name"]]
                used.add(call["name"])
    assert used == set(generator.tools.CATALOGUE)


# Arguments with few possible values, which both sides have.
CLOSED = {"day", "from", "to", "language", "on"}


def calls_of(split):
    return [json.loads(messages[-1]["content"]) for category, messages in split
            if category == "tools"]


def test_held_out_requests_have_phrasings_and_values_of_their_own(generator):
    train, held_out = generator.build()
    known = {(call["name"], key, str(value).casefold())
             for call in calls_of(train) for key, value in call["arguments"].items()}
    checked = 0
    for call in calls_of(held_out):
        for key, value in call["arguments"].items():
            if key in CLOSED and call["name"] != "send_message":  # there "to" is a name
                continue
            assert (call["name"], key, str(value).casefold()) not in known, call
            checked += 1
    assert checked >= 140
    for table in (generator.tools.PHRASINGS, generator.structured.extractions.PHRASINGS,
                  {"light off": generator.tools.LIGHT_OFF}):
        for kind, (training, other) in table.items():
            assert len(set(training)) == len(training) and len(set(other)) == len(other), kind
            assert not set(training) & set(other), kind


def test_sums_are_right():
    """An answer `a op b = c.` is checked by other means than the generator's."""
    checked = 0
    for messages in ALL_CHATS:
        words = messages[-1]["content"].rstrip(".").split()
        if len(words) == 5 and words[3] == "=" and words[1] in "+-x/":
            a, b, c = int(words[0]), int(words[2]), int(words[4])
            assert {"+": a + b == c, "-": c + b == a, "x": a * b == c, "/": c * b == a}[words[1]]
            checked += 1
    assert checked >= 50


def test_the_tokenizer_is_made_by_the_command_of_the_readme(tmp_path):
    block = (DEFAULT / "README.md").read_text(encoding="utf-8").split("\n    build/release/bin/gladius tokenizer ")[1]
    command = "tokenizer " + block.partition("\n\n")[0].replace("\\\n", " ")
    arguments = shlex.split(command)
    out = tmp_path / "tokenizer"
    arguments[arguments.index("--out") + 1] = str(out)
    subprocess.run([BINARY, *arguments], cwd=ROOT, check=True, capture_output=True)
    names = sorted(file.name for file in out.iterdir())
    assert names == sorted(file.name for file in (DEFAULT / "tokenizer").iterdir())
    for name in names:
        assert (out / name).read_bytes() == (DEFAULT / "tokenizer" / name).read_bytes(), name


def test_special_tokens(tokenizer, plain):
    assert [plain.token_to_id(t) for t in ("<unk>", "<s>", "</s>", "<0x00>", "<0xFF>")] == [
        0, 1, 2, 3, 258]
    assert 2000 <= plain.get_vocab_size() <= 4000
    assert max(plain.get_vocab().values()) < 32_000
    ids = (tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id,
           tokenizer.pad_token_id)
    assert ids == (0, 1, 2, 2)


@pytest.mark.parametrize(
    "mark", ["<|system|>\n", "<|user|>\n", "\n<|user|>\n", "\n<|assistant|>\n"])
def test_a_role_mark_is_one_token_where_the_template_puts_it(plain, mark):
    assert plain.encode(mark).tokens == ["<s>", "▁" + mark]


def test_every_chat_survives_the_round_trip(tokenizer, plain):
    for messages in ALL_CHATS:
        text = render(tokenizer, messages)
        ids = plain.encode(text).ids
        assert ids == tokenizer(text)["input_ids"], text
        for message in messages:
            content = message["content"]
            assert plain.decode(plain.encode(content).ids) == content


@pytest.mark.parametrize("text", ["日本語", "naïve 😀", "  two  spaces", "tab\tand\nline", "x" * 50])
def test_unseen_text_survives_the_round_trip(plain, text):
    assert plain.decode(plain.encode(text).ids) == text


def test_the_prompts_tokens_begin_the_whole_chats(tokenizer, plain):
    """What is generated from is what was trained on: no token joins prompt and answer."""
    for messages in ALL_CHATS:
        whole = plain.encode(render(tokenizer, messages)).ids
        prompt = plain.encode(render(tokenizer, messages[:-1], add_generation_prompt=True)).ids
        assert whole[: len(prompt)] == prompt, messages


def test_chats_are_short(tokenizer, plain):
    lengths = [len(plain.encode(render(tokenizer, messages)).ids) for messages in ALL_CHATS]
    assert 25 <= statistics.mean(lengths) <= 60
    assert max(lengths) <= 256


@pytest.mark.parametrize("name", ["expert.run.json", "distill.run.json", "card.run.json"])
def test_run_files_have_known_keys_and_existing_files(name):
    run = json.loads((DEFAULT / name).read_text(encoding="utf-8"))
    assert set(run) <= set(RUN_KEYS)
    for key, members in RUN_KEYS.items():
        if members and key in run:
            assert set(run[key]) <= members, key
    for path in (run["student"]["config"], run["data"]["train"], run["data"]["eval"]):
        assert (DEFAULT / path).is_file(), path
    assert (DEFAULT / run["student"]["tokenizer"] / "tokenizer.json").is_file()
    assert ("steps" in run) != bool(run["experts"])


def test_dash_dash_card_has_the_cards_settings():
    run = json.loads((DEFAULT / "card.run.json").read_text(encoding="utf-8"))
    assert "init_from" not in run["student"] and run["experts"][0]["steps"] == 1000
    assert run["loss"] == {"temperature": 2.0, "alpha": 0.5, "reduction": "batchmean",
                           "normalization": "micro_batch"}
    assert (run["optimizer"]["lr"], run["optimizer"]["weight_decay"]) == (1e-4, 0.01)
    assert (run["batch_size"], run["gradient_accumulation"]) == (1, 8)
    assert (run["data"]["max_seq_len"], run["optimizer"]["max_grad_norm"]) == (512, 1.0)
