"""The tables and plots of docs/methods.md, from the results of methods.py."""

import statistics

import experiment
from experiment import wrapped

import plot

COLUMNS = ["", "s an update", "updates", "tokens read", "bits a byte", "by seed", "gain", "parsed", "right tool",
           "all right"]
GROUPS = {
    "chats": "All the chats",
    "few": "Few chats",
    "own": "With the teacher's tokenizer",
    "wide": "Four of the teacher's layers",
    "expert": "A teacher that knows the chats",
}


class Comparison:
    """The runs of a group, by method and then in the order of their seeds."""

    def __init__(self, results, group):
        self.titles, self.seconds = results["titles"], results["seconds"][group]
        found = [run for run in results["runs"] if run["group"] == group]
        self.runs = {method: sorted((run for run in found if run["method"] == method), key=lambda run: run["seed"])
                     for method in results["groups"][group]["methods"]
                     if any(run["method"] == method for run in found)}

    def bits(self, method):
        return [run["bits_per_byte"] for run in self.runs[method]]

    def gain(self, method):
        """Bits a byte less than cross-entropy alone with the same seeds, in the mean."""
        base = {run["seed"]: run["bits_per_byte"] for run in self.runs.get("ce", [])}
        gains = [base[run["seed"]] - run["bits_per_byte"] for run in self.runs[method] if run["seed"] in base]
        return f"{statistics.mean(gains):+.3f}" if gains and method != "ce" else ""

    def suite(self, method, result, of):
        """The mean, and the range of the seeds."""
        values = [run["suite"][result] for run in self.runs[method]]
        spread = f" ({min(values)} to {max(values)})" if min(values) < max(values) else ""
        return f"{statistics.mean(values):.0f}{spread} of {self.runs[method][0]['suite'][of]}"

    def row(self, method):
        runs, bits = self.runs[method], self.bits(method)
        tokens = statistics.mean(run["tokens"] for run in runs)
        return [self.titles[method], f"{self.seconds[method]:.3f}", str(runs[0]["updates"]),
                f"{tokens / 1000:.0f},000", f"{statistics.mean(bits):.3f}",
                " ".join(f"{value:.3f}" for value in bits), self.gain(method),
                self.suite(method, "parsed", "cases"), self.suite(method, "name_right", "calls"),
                self.suite(method, "all_right", "cases")]

    def table(self):
        return experiment.table(COLUMNS, [self.row(method) for method in self.runs])

    def plot_rows(self):
        order = sorted(self.runs, key=lambda method: statistics.mean(self.bits(method)))
        return [(self.titles[method].replace("`", ""), self.bits(method), 3 if method.startswith("ce") else 1)
                for method in order]


def heading(results):
    settings, machine = results["settings"], results["machine"]
    cold = ", ".join(f"{seconds:.2f} s ({GROUPS[name.partition('-')[0]].lower()})"
                     for name, seconds in results["seconds_without_cache"].items())
    return [
        *wrapped(f"*Teacher*: {results['teacher']}, which the answers of `eval.jsonl` cost "
                 f"{results['teacher_bits_per_byte']:.3f} bits a byte; of {settings['prompts']} requests that are "
                 f"answered in words it answered {results['written']} within the limit. *Training*: an update is "
                 f"{settings['micro_batches']} micro-batches of at most {settings['tokens']} tokens, packed; alpha "
                 f"{settings['alpha']:g}, T = 1, `tokens` `labelled`, `normalization` `tokens` unless a row says "
                 f"otherwise; AdamW at {settings['lr']:g} ({settings['lr_wide']:g} for four of the teacher's layers), "
                 "warm-up over a tenth of the updates, then a cosine to 0."),
        *wrapped(f"On {machine['cpu']} with {results['threads']} thread(s), {results['date']} UTC, revision "
                 f"{results['revision']}; `$GLADIUS_SMOLLM2_GGUF` names the teacher's file:"),
        f"    {results['command']}",
        "",
        *wrapped("*Gain* is how many bits a byte fewer than cross-entropy alone of the same group and seeds, in the "
                 "mean. Of the suite the table has the mean and the range over the seeds. Seconds are medians of short "
                 f"runs in turn, with a warm cache; without one an update with forward KL takes {cold}.")[:-1]]


def page(results, plots):
    lines = heading(results)
    for group, title in GROUPS.items():
        comparison = Comparison(results, group)
        if not comparison.runs:
            continue
        seconds = results["groups"][group]["budget"]
        name = f"methods_{group}.svg"
        (plots / name).write_text(plot.spreads(
            f"{title}: held out, after {seconds:g} s of training", "bits a byte; a dot is a seed, the line the mean",
            ["", "other methods", "", "cross-entropy alone"], comparison.plot_rows()))
        lines += ["", f"### {title}, {seconds:g} s", *comparison.table(), "",
                  f"![{title}: held-out bits a byte by method](benchmarks/{name})"]
    return lines


def render(results, docs):
    experiment.render(docs / "methods.md", page(results, docs / "benchmarks"))
