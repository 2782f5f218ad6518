"""Renders what measure.py has kept in build/bench as docs/benchmarks.md, with plots beside it.

python bench/report.py [--results build/bench] [--out docs]
"""

import argparse
import json
import statistics
import sys
import textwrap
from pathlib import Path

import plot

ROOT = Path(__file__).resolve().parents[1]
# What each result is, and the part of ./run bench that makes it.
RESULTS = {
    "step": ("the training step", "step"),
    "checkpoint": ("the training step with activation checkpointing", "step"),
    "peers_step": ("the training step beside PyTorch", "peers"),
    "peers_teacher": ("a teacher's forward pass beside PyTorch", "peers"),
    "decode": ("generation", "decode"),
    "decode_bf16": ("generation with weights in bfloat16", "decode"),
    "io": ("loading and saving", "io"),
    "peers_tokenizer": ("tokenizers", "peers"),
    "layers": ("layers", "layers"),
    "losses": ("losses", "layers"),
    "kernels": ("kernels", "kernels"),
}


class Report:
    """The page as it is written, and its plots."""

    def __init__(self, results, out):
        self.results = results
        self.plots = out / "benchmarks"
        self.lines = []

    def write(self, *lines):
        self.lines += [*lines, ""]

    def paragraph(self, text):
        self.write(*textwrap.wrap(text, 120, break_on_hyphens=False))

    def table(self, columns, rows):
        """The first column is text, the others are numbers."""
        self.write("| " + " | ".join(columns) + " |",
                   "|" + "|".join(["---"] + ["---:"] * (len(columns) - 1)) + "|",
                   *("| " + " | ".join(row) + " |" for row in rows))

    def command(self, name):
        result = self.results[name]
        self.write(f"`{result['command']}` ({result['date']} UTC, revision {result['revision']})")

    def svg(self, name, alternative, content):
        self.plots.mkdir(parents=True, exist_ok=True)
        (self.plots / f"{name}.svg").write_text(content)
        self.write(f"![{alternative}](benchmarks/{name}.svg)")

    def output(self, name):
        """What a program printed; None, and a line that says so, if it has not run."""
        if name in self.results:
            return self.results[name]["output"]
        title, part = RESULTS[name]
        self.write(f"Not measured: {title}. `./run bench {part}` does it.")
        return None


def time_text(seconds):
    """Three digits of the unit that suits."""
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 0.9995:
            return f"{seconds * factor:.{3 if seconds < 999.5 else 4}g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def spread(low, high, text=time_text):
    return f"{text(low)} to {text(high)}"


def gigabytes(count):
    return f"{count / 1e9:.2f}"


class Benchmark:
    """Of Google Benchmark: a name with arguments, and its repetitions."""

    def __init__(self, runs):
        name, *arguments = runs[0]["run_name"].removesuffix("/real_time").split("/")
        arguments = dict(argument.split(":") for argument in arguments)
        if "backward" in arguments:
            name += ", forward and backward" if arguments.pop("backward") == "1" else ", forward"
        self.tokens = arguments.pop("T", None)
        self.name = " ".join([name, *(f"{key}={value}" for key, value in arguments.items())])
        self.seconds = sorted(run["real_time"] / 1e9 for run in runs)
        rates = [("of_peak", "FLOP/s", "GFLOP/s"), ("of_triad", "B/s", "GB/s")]
        # The bound is the one that is nearer.
        self.fraction, self.bound, self.rate = max(
            (statistics.median(run[fraction] for run in runs), fraction.removeprefix("of_"),
             f"{statistics.median(run[rate] for run in runs) / 1e9:.3g} {unit}")
            for fraction, rate, unit in rates if fraction in runs[0])

    def row(self):
        return [self.name, self.tokens or "", time_text(statistics.median(self.seconds)),
                spread(self.seconds[0], self.seconds[-1]), self.rate,
                f"{self.fraction:.2f} {self.bound}"]


def benchmarks(output):
    """In the order of the source, which random interleaving changes."""
    by_name = {}
    for run in output["benchmarks"]:
        if run.get("error_occurred"):
            raise SystemExit(f"report: {run['name']} failed: {run['error_message']}")
        if run["run_type"] == "iteration":
            by_name.setdefault(run["run_name"], []).append(run)
    order = sorted(by_name.values(), key=lambda runs: (runs[0]["family_index"],
                                                       runs[0]["per_family_instance_index"]))
    return [Benchmark(runs) for runs in order]


def render_google(report, names, title, plot_name):
    report.write(f"## {title}")
    fractions, all_benchmarks = {}, []
    for name in names:
        output = report.output(name)
        all_benchmarks += benchmarks(output) if output else []
    if not all_benchmarks:
        return
    plotted = ["16", "512", "2048", None]
    for b in all_benchmarks:
        values = fractions.setdefault(b.name, [None] * len(plotted))
        if b.tokens in plotted:
            values[plotted.index(b.tokens)] = b.fraction
    series = ["T = 16", "T = 512", "T = 2048", "no T"]
    report.svg(plot_name, f"Fractions of the bounds of {title.lower()}", plot.dots(
        title, "fraction of the bound (1.2: or more)", series, list(fractions.items()), 1.2))
    report.table(["", "T", "median", "spread", "rate", "of its bound"],
                 [b.row() for name in fractions for b in all_benchmarks if b.name == name])
    for name in names:
        if name in report.results:
            report.command(name)


def render_step(report):
    report.write("## The training step")
    report.paragraph(
        "Forward, loss, backward, clipping and AdamW of the 124.7M student, in float32. *Products* "
        "are those of the weights at the same shapes in OpenBLAS alone, *attention* those of "
        "attention; the bound of the weights is to read them in both passes and to write their "
        "gradients, that of the optimizer its memory traffic, both at the triad's rate. All are "
        "measured in the same run; *over* are the times of forward and backward over that.")
    output = report.output("step")
    if output:
        bounds = [row["products_s"] + row["optimizer_bound_s"] for row in output]
        report.svg("step", "The step's time over its bounds", plot.bars(
            "The training step", "time over that of products and optimizer at their bounds",
            ["forward", "backward", "optimizer"],
            [(f"{row['tokens']} tokens",
              [row[part] / bound for part in ("forward_s", "backward_s", "optimizer_s")],
              time_text(row["step_s"])) for row, bound in zip(output, bounds)]))
        report.table(
            ["tokens", "step", "spread", "forward", "backward", "products",
             "attention", "weights", "over products", "over products and attention",
             "over products or weights", "optimizer", "over its bound", "tokens/s", "peak GB"],
            [[str(row["tokens"]), time_text(row["step_s"]),
              spread(row["step_min_s"], row["step_max_s"]), time_text(row["forward_s"]),
              time_text(row["backward_s"]), time_text(row["products_s"]),
              time_text(row["attention_products_s"]), time_text(row["weights_bound_s"]),
              f"{row['step_without_optimizer_to_products']:.2f}",
              f"{row['step_without_optimizer_to_all_products']:.2f}",
              f"{row['step_without_optimizer_to_bound']:.2f}", time_text(row["optimizer_s"]),
              f"{row['optimizer_to_bound']:.2f}", f"{row['tokens_per_s']:.0f}",
              gigabytes(row["peak_bytes"])] for row in output])
        report.command("step")
    report.write("With activation checkpointing, and the memory and time beside those without:")
    checkpoint = report.output("checkpoint")
    if checkpoint:
        without = {row["tokens"]: row for row in output or []}
        rows = []
        for row in checkpoint:
            plain = without.get(row["tokens"])
            rows.append([str(row["tokens"]), time_text(row["step_s"]),
                         spread(row["step_min_s"], row["step_max_s"]),
                         f"{row['step_s'] / plain['step_s']:.2f}" if plain else "",
                         gigabytes(row["peak_bytes"]),
                         f"{row['peak_bytes'] / plain['peak_bytes']:.2f}" if plain else ""])
        report.table(["tokens", "step", "spread", "over without", "peak GB", "over without"], rows)
        report.command("checkpoint")


def render_peers(report, name, title, text):
    report.write(f"## {title}")
    report.paragraph(text)
    output = report.output(name)
    if not output:
        return
    rows, plotted = [], []
    for size in output:
        for side, seconds in size["seconds"].items():
            ratio = size["times_ours"].get(side)
            rows.append([str(size["tokens"]), side, time_text(seconds["median"]),
                         spread(seconds["min"], seconds["max"]),
                         gigabytes(size["peak_bytes"][side]), f"{size['results'][side]:.4f}",
                         f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
                         if ratio else ""])
            if side.startswith("PyTorch"):
                plotted.append((f"{size['tokens']} tokens, {side}", [ratio["median"]],
                                f"{ratio['median']:.2f}"))
    report.svg(name, f"{title}: PyTorch's time over ours", plot.bars(
        title, "PyTorch's time over our fastest (over 1: ours is faster)", ["PyTorch"], plotted))
    report.table(["tokens", "side", "median", "spread", "peak GB", "last result",
                  "times our fastest (spread)"], rows)
    report.command(name)


def render_decode(report):
    report.write("## Generation")
    report.paragraph(
        "A token at a time, with the student's size. A token's bound is to read the weights that "
        "it needs once, at the triad's rate or at that of reading alone.")
    rows = []
    for name, weights in (("decode", "float32"), ("decode_bf16", "bfloat16")):
        output = report.output(name)
        if output:
            rows.append([weights, time_text(output["token_s"]),
                         spread(output["token_min_s"], output["token_max_s"]),
                         f"{output['tokens_per_s']:.0f}",
                         f"{output['weights_bytes_per_s'] / 1e9:.1f}",
                         f"{output['of_triad']:.2f}", f"{output['of_read']:.2f}"])
    if rows:
        report.table(["weights", "token", "spread", "tokens/s", "weights GB/s", "of triad",
                      "of reading"], rows)
    for name in ("decode", "decode_bf16"):
        if name in report.results:
            report.command(name)


def render_io(report):
    report.write("## Loading and saving")
    report.paragraph(
        "Of the student's model directory: loading with a warm file cache and its peak of memory, "
        "saving beside writing the same bytes plainly (as `dd conv=fsync`).")
    output = report.output("io")
    if not output:
        return
    saving = output["saving"]
    report.table(
        ["", "median", "beside its bound"],
        [[f"loading for {use}", time_text(output[use]["load_s"]),
          f"peak {output[use]['peak_of_file']:.3f} x the file"]
         for use in ("inference", "training")]
        + [["saving", f"{saving['save_bytes_per_s'] / 1e9:.2f} GB/s",
            f"{saving['of_plain']:.2f} of plain writing"]])
    report.command("io")


def render_tokenizers(report):
    report.write("## Tokenizers")
    report.paragraph("Beside the tokenizers package, on one thread each.")
    output = report.output("peers_tokenizer")
    if output:
        report.write("```", *str(output).rstrip().splitlines(), "```")
        report.command("peers_tokenizer")


def render_machine(report):
    results = report.results.values()
    contexts = [result["output"]["context"] for result in results
                if isinstance(result["output"], dict) and "context" in result["output"]]
    machines = {json.dumps(result["machine"]): result["machine"] for result in results}
    dates = sorted(result["date"] for result in results)
    report.write("# Benchmarks")
    report.paragraph(
        "Made by `./run bench`, which measures and writes this page (`./run bench step` a part of "
        "it; `./run bench render` only writes it again). Medians of 7 or more, with the smallest "
        "and the largest.")
    if not dates:
        return
    report.table(["", ""], [
        ["measured", f"{dates[0]} to {dates[-1]} UTC"],
        *(["machine", f"{machine['cpu']}, {machine['cores']} cores, "
           f"{machine['memory_bytes'] / 2**30:.0f} GiB"] for machine in machines.values()),
        *([["software", f"{contexts[0]['compiler']}, OpenBLAS with kernels for "
            f"{contexts[0]['blas_core_type']}, {contexts[0]['threads']} threads"],
           ["peak", " ".join(f"{float(c['peak_flop_per_s']) / 1e9:.0f}" for c in contexts)
            + " GFLOP/s: the best of 8 runs of multiply-adds on blocks in the first-level cache"],
           ["triad", " ".join(f"{float(c['triad_bytes_per_s']) / 1e9:.1f}" for c in contexts)
            + " GB/s: the best of 8 passes a = b + 3a over arrays of 256 MiB"]] if contexts else [])])
    report.paragraph(
        "A layer's or kernel's bound is its operations at the peak or its bytes at the "
        "rate of the triad, each operand moved once, whichever takes longer; both roofs are "
        "measured when the program starts (once for each of the programs below). The operands come "
        "from memory, in turns out of 256 MiB, as those of a training step do; results of layers "
        "and of tensors' operations go where the allocator has room, as there. A fraction may pass "
        "1: results that stay in the cache are not written to memory.")


def render(results, out):
    report = Report(results, out)
    render_machine(report)
    render_step(report)
    render_peers(report, "peers_step", "The training step beside PyTorch",
                 "The same step on the same weights and ids, in turns.")
    render_peers(report, "peers_teacher", "A teacher's forward pass beside PyTorch",
                 "All logits of a Qwen2 model of 1.5B parameters, ours with weights in bfloat16.")
    render_decode(report)
    render_io(report)
    render_tokenizers(report)
    render_google(report, ["layers", "losses"], "Layers and losses", "layers")
    render_google(report, ["kernels"], "Kernels", "kernels")
    return "\n".join(report.lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    results = {name: json.loads((options.results / f"{name}.json").read_text())
               for name in RESULTS if (options.results / f"{name}.json").is_file()}
    if not results:
        sys.exit(f"report: error: no results in {options.results}; ./run bench makes them")
    page = options.out / "benchmarks.md"
    page.write_text(render(results, options.out))
    print(f"report: {page}")


if __name__ == "__main__":
    main()
