"""Random models of the experts' true sizes in bfloat16, as transformers writes them.

They take gigabytes and minutes: run with GLADIUS_TRUE_SIZE=1, in a temporary directory with 4 GB to
spare (pytest --basetemp) and 8 GB of memory.
"""

import os
import shutil
import time

import pytest
import torch
import transformers
from helpers import (ROOT, check_close, check_same_logits, csv, gladius_json, load_reference,
                     random_ids)

SIZES = {"tinyllama-1.1b": 1_100_048_384, "qwen2.5-1.5b": 1_543_714_304}

pytestmark = pytest.mark.skipif(
    not os.environ.get("GLADIUS_TRUE_SIZE"),
    reason="NOT RUN: the models of true size; GLADIUS_TRUE_SIZE=1 runs them (4 GB of disk, 8 GB of "
           "memory, some minutes)")


def write_model(name, path):
    path.mkdir()
    (path / "config.json").write_bytes((ROOT / f"configs/{name}.json").read_bytes())
    config = transformers.AutoConfig.from_pretrained(path)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    assert sum(parameter.numel() for parameter in model.parameters()) == SIZES[name]
    model.save_pretrained(path)


@pytest.mark.parametrize("name", SIZES)
def test_logits(name, rng, tmp_path):
    path = tmp_path / "model"
    torch.manual_seed(rng.randrange(2**31))
    torch.set_num_threads(os.cpu_count())
    try:
        write_model(name, path)
        size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
        ids = random_ids(rng, 32_000, 24)
        start = time.monotonic()
        made = gladius_json("generate", "--model", path, "--ids", csv(ids), "--max-new-tokens", 1)
        seconds = time.monotonic() - start - made["prompt_seconds"]
        check_close(f"seconds to load {name}", seconds, 1)
        check_close(f"peak memory of {name}, times its file", made["peak_memory_bytes"] / size,
                    1.05)
        check_same_logits(f"logits, {name}", path, load_reference(path), ids, tmp_path / "out",
                          limit=1e-3)
    finally:
        torch.set_num_threads(1)
        shutil.rmtree(path, ignore_errors=True)
