"""The benchmark programs run and their results become a page. No time is judged."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from helpers import BINARY, ROOT


def script(name, *args):
    return subprocess.run([sys.executable, ROOT / "bench" / name, *map(str, args)],
                          capture_output=True, text=True, timeout=240, check=False)


def benchmark(program, *args):
    """What a program of Google Benchmark prints."""
    return subprocess.run([BINARY.parent / program, *args], capture_output=True, text=True, timeout=240,
                          check=True).stdout


def rendered(results, out):
    out.mkdir()
    done = script("report.py", "--results", results, "--out", out)
    assert done.returncode == 0, done.stderr
    return (out / "benchmarks.md").read_text()


def cells(page, start):
    """Of the row of a table that starts so."""
    rows = [line for line in page.splitlines() if line.startswith(f"| {start} |")]
    assert len(rows) == 1, (start, rows)
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def write_result(directory, name, output):
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.json").write_text(json.dumps({
        "command": f"make {name}", "revision": "abc", "date": "2026-01-01 00:00",
        "machine": {"cpu": "Some Processor", "cores": 2, "memory_bytes": 2**34}, "output": output}))


def test_each_program_runs_and_is_on_the_page(tmp_path):
    results = tmp_path / "results"
    done = script("measure.py", "--check", "--results", results, "--bin", BINARY.parent)
    assert done.returncode == 0, done.stderr
    page = rendered(results, tmp_path / "docs")
    for name in ("kernels", "layers", "losses"):
        benchmarks = json.loads((results / f"{name}.json").read_text())["output"]["benchmarks"]
        assert benchmarks
        for benchmark in benchmarks:
            assert f"\n| {benchmark['run_name'].split('/')[0]}" in page
    assert page.count("Not measured: ") == 3  # the peers
    for plot in ("step", "layers", "kernels"):
        assert f"](benchmarks/{plot}.svg)" in page
        ElementTree.parse(tmp_path / "docs/benchmarks" / f"{plot}.svg")


# What people look for, by program.
NAMES = {
    "tensor_bench": ["matmul", "linear", "softmax", "log_softmax", "rms_norm", "layer_norm", "attention",
                     "scaled_dot_product_attention", "cross_entropy", "distillation_loss", "adamw",
                     "clip_grad_norm", "embedding", "rotary_embedding", "swiglu", "silu", "gelu",
                     "exp", "add", "mul", "sum", "mean", "argmax", "cat", "clone", "contiguous"],
    "autograd_bench": ["cross_entropy", "kl_div", "mse_loss", "distillation_loss",
                       "linear_cross_entropy"],
    "nn_bench": ["linear", "embedding", "rms_norm", "layer_norm", "attention", "rotary_embedding",
                 "swiglu", "dropout"],
}


@pytest.mark.parametrize("program", NAMES)
def test_names_are_those_that_people_know(program):
    listed = benchmark(program, "--benchmark_list_tests").split()
    assert listed
    for name in listed:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name.split("/")[0]), name
    for name in NAMES[program]:
        assert any(re.search(name, other) for other in listed), name


def test_fractions_are_printed_as_fractions():
    shown = benchmark("tensor_bench", "--benchmark_filter=^matmul_few_rows/T:1/",
                      "--benchmark_min_time=0.001")
    line = next(line for line in shown.splitlines() if line.startswith("matmul_few_rows"))
    assert re.search(r"FLOP/s=\S+.* of_peak=\d+\.\d\d of_triad=\d+\.\d\d$", line.rstrip()), line


def test_figures_of_repeated_benchmarks(tmp_path, rng):
    """Medians and spreads of shuffled repetitions, and the bound that is nearer."""
    runs = []
    for family, (name, fractions) in enumerate((
            ("product/n:768/T:16", {"peak": 0.25, "triad": 0.5}), ("sum/T:512", {"triad": 0.75}))):
        for milliseconds in range(1, 8):
            run = {"run_name": f"{name}/real_time", "run_type": "iteration", "family_index": family,
                   "per_family_instance_index": 0, "real_time": milliseconds * 1e6, "B/s": 8e9,
                   "FLOP/s": 2e11}
            # All but the median are off by what the median must not show.
            run |= {f"of_{roof}": value + (milliseconds - 4) for roof, value in fractions.items()}
            runs.append(run)
    rng.shuffle(runs)
    context = {"compiler": "GCC 0", "blas_core_type": "Zen", "threads": "2",
               "peak_flop_per_s": "2.5e11", "triad_bytes_per_s": "2e10"}
    write_result(tmp_path / "results", "kernels", {"context": context, "benchmarks": runs})
    page = rendered(tmp_path / "results", tmp_path / "docs")
    assert cells(page, "product n=768") == [
        "product n=768", "16", "4 ms", "1 ms to 7 ms", "8 GB/s", "0.50 triad"]
    assert cells(page, "sum") == ["sum", "512", "4 ms", "1 ms to 7 ms", "8 GB/s", "0.75 triad"]
    assert "`make kernels` (2026-01-01 00:00 UTC, revision abc)" in page
    assert "Not measured: the training step. `./run bench step` does it." in page


def test_figures_of_the_peers(tmp_path):
    def spread(median):
        return {"median": median, "min": median / 2, "max": 2 * median}

    write_result(tmp_path / "results", "peers_step", [{
        "tokens": 64, "seconds": {"gladius": spread(0.5), "PyTorch eager": spread(1)},
        "peak_bytes": {"gladius": 3e9, "PyTorch eager": 4e9},
        "results": {"gladius": 5.25, "PyTorch eager": 5.5},
        "times_ours": {"PyTorch eager": spread(2)}, "fastest_other": "PyTorch eager"}])
    page = rendered(tmp_path / "results", tmp_path / "docs")
    assert "| 64 | gladius | 500 ms | 250 ms to 1 s | 3.00 | 5.2500 |  |" in page
    assert "| 64 | PyTorch eager | 1 s | 500 ms to 2 s | 4.00 | 5.5000 | 2.00 (1.00 to 4.00) |" in page


def test_a_program_that_fails_is_named(tmp_path):
    done = script("measure.py", "decode", "--results", tmp_path, "--bin", tmp_path)
    assert done.returncode == 1
    assert "decode_bench" in done.stderr
    assert not list(tmp_path.glob("*.json"))


def test_without_results_the_page_stays(tmp_path):
    page = tmp_path / "docs/benchmarks.md"
    page.parent.mkdir()
    page.write_text("measured")
    done = script("report.py", "--results", tmp_path, "--out", page.parent)
    assert done.returncode == 1
    assert "no results in" in done.stderr
    assert page.read_text() == "measured"
