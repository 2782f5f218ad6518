"""The programs of bench/peers/ that run beside PyTorch: they compare what they compute, and print
every side. Their times are not tested."""

import json
import subprocess
import sys

import pytest
from helpers import BINARY, ROOT, random_config, random_model, save_model


@pytest.mark.parametrize("script, arguments, dtype, sides", [
    ("step", ["--eager"], "f32",
     ["gladius", "gladius bf16", "PyTorch float32 eager", "PyTorch autocast eager",
      "PyTorch bfloat16 eager"]),
    ("step", ["--eager", "--precision", "float32"], "f32", ["gladius", "PyTorch float32 eager"]),
    ("teacher", [], "bf16", ["gladius", "gladius bf16", "PyTorch float32", "PyTorch bfloat16"]),
])
def test_runs(script, arguments, dtype, sides, rng, tmp_path):
    model = save_model(random_model(rng, random_config(rng)), tmp_path / "model", dtype)
    done = subprocess.run(
        [sys.executable, ROOT / f"bench/peers/{script}.py", "--model", model, "--bin",
         BINARY.parent, "--tokens", "16", "--rounds", "1", "--threads", "1", "--json", *arguments],
        capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    (result,) = json.loads(done.stdout)
    assert result["tokens"] == 16
    assert list(result["seconds"]) == list(result["peak_bytes"]) == sides
    ours = [name for name in sides if name.startswith("gladius")]
    (fastest,) = set(sides) - set(result["times_ours"])
    assert fastest in ours
    assert result["fastest_other"] in set(sides) - set(ours)
    for name in sides:
        assert result["seconds"][name]["median"] > 0
        assert result["peak_bytes"][name] > 1e6
