"""`student.init_from` against the tensors that transformers reads."""

import json

import torch
from helpers import FAMILIES, gladius, load_reference, random_config, random_model, save_model


def test_layers(rng, tmp_path):
    """With a learning rate of 0 the trained student is the one that began."""
    family = rng.choice(FAMILIES)
    teacher = random_config(rng, family=family, num_hidden_layers=rng.randint(2, 5))
    changes = {"num_hidden_layers": rng.randint(1, 3)}
    if rng.random() < 0.5:
        changes["intermediate_size"] = teacher.intermediate_size + 8
    values = {key: value for key, value in teacher.to_dict().items() if key != "layer_types"}
    student = type(teacher)(**(values | changes))
    save_model(random_model(rng, teacher), tmp_path / "teacher", rng.choice(["f32", "bf16", "f16"]))
    student.save_pretrained(tmp_path / "student")
    config = json.loads((tmp_path / "student/config.json").read_text())
    config["architectures"] = json.loads(
        (tmp_path / "teacher/config.json").read_text())["architectures"]
    (tmp_path / "student/config.json").write_text(json.dumps(config))
    gladius("init", "--config", tmp_path / "student/config.json", "--out", tmp_path / "fresh",
            "--seed", 5)
    (tmp_path / "data.jsonl").write_text('{"input_ids": [1, 2, 3]}\n')
    count = teacher.num_hidden_layers
    layers = [rng.randrange(count) for _ in range(student.num_hidden_layers)]
    run = {"student": {"config": "student/config.json", "seed": 5,
                       "init_from": {"model": "teacher", "layers": layers}},
           "steps": 1, "data": {"train": "data.jsonl", "max_seq_len": 8}, "optimizer": {"lr": 0}}
    if rng.random() < 0.3:  # evenly spaced
        del run["student"]["init_from"]["layers"]
        last = max(1, student.num_hidden_layers - 1)
        layers = [int(i * (count - 1) / last + 0.5) for i in range(student.num_hidden_layers)]
    (tmp_path / "run.json").write_text(json.dumps(run))
    gladius("distill", tmp_path / "run.json", "--out", tmp_path / "out")
    theirs, fresh, ours = (dict(load_reference(tmp_path / name).named_parameters())
                           for name in ("teacher", "fresh", "out/model"))
    for name, value in ours.items():
        source = name
        if ".layers." in name:
            before, rest = name.split(".layers.")
            layer, after = rest.split(".", 1)
            source = f"{before}.layers.{layers[int(layer)]}.{after}"
        taken = theirs.get(source)
        fits = taken is not None and taken.shape == value.shape
        assert torch.equal(value, taken.float() if fits else fresh[name]), name
