"""Bad input: exit code 1 and one line that names the thing; wrong usage: exit code 2."""

import json
import shutil
import struct

import pytest
import torch
from helpers import (ROOT, check_fails, csv, edit_json, random_config, random_ids, random_model,
                     run_gladius, save_logits, save_model)
from safetensors.torch import load_file, save_file


def edit_tensors(path, edit):
    tensors = load_file(path / "model.safetensors")
    edit(tensors)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture
def model(rng, tmp_path):
    config = random_config(rng, num_hidden_layers=2, tie_word_embeddings=False, head_dim=16,
                           hidden_size=48, num_attention_heads=6, num_key_value_heads=2)
    return save_model(random_model(rng, config), tmp_path / "model")


def vocab_of(model):
    return json.loads((model / "config.json").read_text())["vocab_size"]


def check_logits_fail(model, *names, ids="0,1"):
    check_fails("logits", "--model", model, "--ids", ids, "--out", model.parent / "out",
                names=names)
    assert not (model.parent / "out").exists()


@pytest.mark.parametrize("shape", [(3, 5), (7,), ()])
@pytest.mark.parametrize("name", ["model.layers.1.mlp.down_proj.weight", "model.norm.weight",
                                  "lm_head.weight"])
def test_wrong_shape(name, shape, model):
    edit_tensors(model, lambda tensors: tensors.update({name: torch.zeros(shape)}))
    check_logits_fail(model, name)


def test_transposed_weight(model):
    name = "model.layers.0.self_attn.q_proj.weight"
    edit_tensors(model, lambda tensors: tensors.update({name: tensors[name].T.contiguous()}))
    check_logits_fail(model, name)


def test_weights_of_another_configuration(model):
    edit_json(model / "config.json", intermediate_size=9999)
    check_logits_fail(model, "mlp.", "9999")


@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "lm_head.weight",
                                  "model.layers.1.self_attn.k_proj.weight"])
def test_missing_tensor(name, model):
    edit_tensors(model, lambda tensors: tensors.pop(name))
    check_logits_fail(model, name)


def test_integer_weights(model):
    name = "model.norm.weight"
    edit_tensors(model, lambda tensors: tensors.update({name: tensors[name].to(torch.int32)}))
    check_logits_fail(model, name)


def test_missing_shard(rng, tmp_path):
    model = random_model(rng, random_config(rng, num_hidden_layers=2))
    limit = 4 * sum(parameter.numel() for parameter in model.parameters()) // 3  # of all in f32
    path = save_model(model, tmp_path / "model", max_shard_size=limit)
    shard = rng.choice(sorted(path.glob("model-*.safetensors")))
    shard.unlink()
    check_logits_fail(path, shard.name)


@pytest.mark.parametrize(("changes", "named"), [
    ({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}, "GPT2LMHeadModel"),
    ({"hidden_act": "gelu"}, "hidden_act"),
    ({"rope_parameters": {"rope_type": "spiral", "factor": 2.0, "rope_theta": 1e4}}, "spiral"),
    ({"num_attention_heads": 0}, "num_attention_heads"),
    ({"hidden_size": "wide"}, "hidden_size"),
    ({"hidden_size": 2**62}, str(2**62)),
    ({"vocab_size": ...}, "vocab_size"),
    ({"num_hidden_layers": -1}, "num_hidden_layers"),
])
def test_bad_configuration(changes, named, model):
    edit_json(model / "config.json", **changes)
    check_logits_fail(model, named)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"vocab_size": }', "\x00\xff"])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
def test_malformed_json(name, text, model):
    (model / name).write_text(text, encoding="latin-1")
    if name.startswith("model"):
        (model / "model.safetensors").unlink()
    check_logits_fail(model, name)


@pytest.mark.parametrize("part", [0, 7, 8, 100, -1, -5000])
def test_truncated_weights(part, model):
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:part])
    check_logits_fail(model, file)


def test_weights_followed_by_other_bytes(model):
    with open(model / "model.safetensors", "ab") as file:
        file.write(b"more")
    check_logits_fail(model, model / "model.safetensors")


@pytest.mark.parametrize("command", [
    ("logits", "--ids", "1", "--out", "OUT", "--model"),
    ("gradients", "--ids", "1", "--labels", "1", "--out", "OUT", "--model"),
    ("generate", "--ids", "1", "--model"),
    ("convert", "--dtype", "bf16", "--out", "OUT", "--model"),
    ("eval", "--data", "/dev/null", "--model"),
    ("inspect",),
    ("distill",),
    ("report",),
    ("init", "--out", "OUT", "--config"),
    ("tokenize", "--text", "a", "--tokenizer"),
])
def test_path_that_is_not_there(command, tmp_path):
    missing = tmp_path / "nowhere"
    check_fails(*(tmp_path / "out" if word == "OUT" else word for word in command), missing,
                names=[missing])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "symlink to itself"])
def test_unreadable_weights(kind, model):
    file = model / "model.safetensors"
    file.unlink()
    file.mkdir() if kind == "directory" else file.symlink_to(file)
    check_logits_fail(model, file)


@pytest.mark.parametrize("out", ["/dev/null/out", "/proc/out"])
def test_unwritable_output(out, model):
    check_fails("logits", "--model", model, "--ids", "1", "--out", out, names=[out])


def test_ids_out_of_range(model):
    vocab = vocab_of(model)
    check_logits_fail(model, vocab, ids=f"1,{vocab},2")
    done = run_gladius("logits", "--model", model, "--ids=1,-1", "--out", model.parent / "out")
    assert done.returncode in (1, 2) and b"-1" in done.stderr
    check_fails("generate", "--model", model, "--ids", 10**9, names=[10**9])


@pytest.mark.parametrize("ids", ["one", "1,,2", "1;2", "1.5", "99999999999999999999", ""])
def test_malformed_ids(ids, model):
    done = run_gladius("logits", "--model", model, "--ids", ids, "--out", model.parent / "out")
    assert done.returncode in (1, 2), done
    assert b"--ids" in done.stderr


def check_gradients_fail(model, ids, labels, *options, names):
    check_fails("gradients", "--model", model, "--ids", csv(ids), f"--labels={csv(labels)}",
                "--out", model.parent / "out", *options, names=names)


def test_labels(model):
    vocab = vocab_of(model)
    check_gradients_fail(model, [1, 2], [1, vocab], names=[vocab])
    check_gradients_fail(model, [1, 2], [1, -7], names=[-7])
    check_gradients_fail(model, [1, 2, 3], [1, 2], names=["3", "2"])


def test_teacher_logits(model):
    vocab, file = vocab_of(model), model.parent / "teacher"
    save_logits(file, torch.zeros(3, vocab))
    check_gradients_fail(model, [1, 2], [1, 2], "--teacher-logits", file, names=["3", "2"])
    save_file({"other": torch.zeros(2, vocab)}, file)
    check_gradients_fail(model, [1, 2], [1, 2], "--teacher-logits", file, names=["logits"])


@pytest.fixture
def run_file(model, rng, tmp_path):
    data = [{"input_ids": random_ids(rng, vocab_of(model), 6)} for _ in range(3)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in data))
    run = {"student": {"config": "model/config.json", "init": "model"},
           "experts": [{"name": "expert", "model": "model", "steps": 2}],
           "data": {"train": "data.jsonl"}, "gradient_accumulation": 1}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run))
    return path


def check_distill_fails(run_file, *options, names):
    check_fails("distill", run_file, "--out", run_file.parent / "out", "--log-level", "error",
                *options, names=names)


def edit_run(run_file, *path, value):
    run = target = json.loads(run_file.read_text())
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    run_file.write_text(json.dumps(run))


def test_existing_run_directory(run_file):
    args = ("distill", run_file, "--out", run_file.parent / "out")
    done = run_gladius(*args)
    assert done.returncode == 0, done.stderr
    files = {path: path.stat().st_mtime_ns for path in (run_file.parent / "out").rglob("*")}
    check_distill_fails(run_file, names=[run_file.parent / "out", "--resume", "--out"])
    assert files == {path: path.stat().st_mtime_ns
                     for path in (run_file.parent / "out").rglob("*")}


@pytest.mark.parametrize(("path", "value", "names"), [
    (("batchsize",), 1, ["batchsize", "batch_size"]),
    (("optimizer",), {"weight_decai": 0.1}, ["weight_decai", "weight_decay"]),
    (("data", "max_seqlen"), 1, ["max_seqlen", "max_seq_len"]),
    (("experts", 0, "modle"), "x", ["modle", "model"])])
def test_unknown_key(path, value, names, run_file):
    edit_run(run_file, *path, value=value)
    check_distill_fails(run_file, names=names)


@pytest.mark.parametrize(("path", "value", "named"), [
    (("gradient_accumulation",), 0, "gradient_accumulation"),
    (("batch_size",), "two", "batch_size"),
    (("loss",), {"temperature": 0}, "temperature"),
    (("loss",), {"reduction": "sum"}, "reduction"),
    (("optimizer",), {"lr": -1}, "lr"),
    (("optimizer",), {"schedule": "steps"}, "schedule"),
    (("experts", 0, "vocabulary"), "shared", "vocabulary")])
def test_bad_value(path, value, named, run_file):
    edit_run(run_file, *path, value=value)
    check_distill_fails(run_file, names=[named])


def test_set_of_an_unknown_key(run_file):
    check_distill_fails(run_file, "--set", "optimizer.lrr=1", names=["lrr", "lr"])


def test_malformed_run_file(run_file):
    run_file.write_text(run_file.read_text()[:-1])
    check_distill_fails(run_file, names=[run_file])


@pytest.mark.parametrize("line", ["{", "[1]", '{"input_ids": ["a"]}', '{"input_ids": [1000000]}',
                                  '{"input_ids": [1, 2], "labels": [1]}', '{"txt": "a"}'])
def test_bad_data(line, run_file):
    with open(run_file.parent / "data.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    check_distill_fails(run_file, names=["data.jsonl", "4"])


def test_missing_data(run_file):
    (run_file.parent / "data.jsonl").unlink()
    check_distill_fails(run_file, names=[run_file.parent / "data.jsonl"])


def test_vocabulary_mismatch(run_file, rng):
    model = run_file.parent / "model"
    vocab = vocab_of(model)
    other = random_config(rng, vocab_size=vocab + 5)
    save_model(random_model(rng, other), run_file.parent / "other")
    edit_run(run_file, "experts", 0, "model", value="other")
    edit_run(run_file, "experts", 0, "vocabulary", value="same")
    check_distill_fails(run_file, names=[vocab, vocab + 5, "truncate"])


def test_tokenizer_files(tmp_path):
    shutil.copytree(ROOT / "configs/default/tokenizer", tmp_path / "tokenizer")
    file = tmp_path / "tokenizer/tokenizer.json"
    text = file.read_text(encoding="utf-8")
    for broken in ("", text[:1000], "{}", text.replace('"BPE"', '"Unigram"')):
        file.write_text(broken, encoding="utf-8")
        check_fails("tokenize", "--tokenizer", tmp_path / "tokenizer", "--text", "a", names=[file])


def test_decoding_an_id_below_zero():
    check_fails("tokenize", "--tokenizer", ROOT / "configs/default/tokenizer", "--decode",
                "5,-100000", names=["-100000"])


def test_header_longer_than_the_file(model):
    (model / "model.safetensors").write_bytes(struct.pack("<Q", 2**63) + b"{}")
    check_logits_fail(model, model / "model.safetensors")


@pytest.mark.parametrize("args", [
    (), ("unknown",), ("logits",), ("logits", "--ids", "1"), ("generate", "--model", "x"), ("inspect", ".", "--wrong"),
    ("convert", "--model", "x", "--dtype", "f8", "--out", "y"),
    ("gradients", "--model", "x", "--ids", "1", "--labels", "1", "--out", "y", "--reduction", "s"),
    ("distill",), ("tokenize", "--tokenizer", "x"), ("inspect", ".", "--threads", "0")])
def test_wrong_usage(args):
    done = run_gladius(*args)
    assert done.returncode == 2, done
    assert done.stderr
    assert not done.stdout


@pytest.mark.parametrize("args", [("frobnicate",), ("--threads", "2", "frobnicate", "--json")])
def test_an_unknown_command_is_named(args):
    done = run_gladius(*args)
    assert done.returncode == 2, done
    error = done.stderr.decode()
    assert error.startswith("gladius: error: ") and error.count("\n") == 1, error
    assert "frobnicate" in error and "--help" in error, error


def test_an_empty_value_is_not_the_next_argument():
    tokenizer = ROOT / "configs/default/tokenizer"
    done = run_gladius("tokenize", "--tokenizer", tokenizer, "--text=", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["tokens"] in ([], ["<s>"])


@pytest.mark.parametrize("command", ["init", "inspect", "distill", "generate", "eval", "logits",
                                     "gradients", "tokenize", "convert", "report"])
def test_help_has_an_example(command):
    done = run_gladius(command, "--help")
    assert done.returncode == 0
    assert f"gladius {command} " in done.stdout.decode()
