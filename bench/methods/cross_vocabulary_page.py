"""The tables and plots of docs/cross-vocabulary.md, from the results of cross_vocabulary.py."""

import statistics
from pathlib import Path

import experiment
from experiment import wrapped

import plot

STUDENTS = {"small": "The small student", "small-long": "The small student, for longer", "125m": "The 124.7M student"}
LOSSES = ("ce", "project", "sampled", "alm", "uld", "truncate")
AS_LONG = "-as-long-as-"


def label(method):
    loss, as_long, other = method.partition(AS_LONG)
    if as_long:
        return f"cross-entropy alone, for as long as {other.replace('-', ' at T = ')}"
    return "cross-entropy alone" if loss == "ce" else f"`{loss.rpartition('-')[0]}`"


def temperature(method):
    return "" if method.startswith("ce") else method.rpartition("-")[2]


class Comparison:
    """The runs of one student, by method and then by seed, and the seconds of their updates."""

    def __init__(self, results, student):
        self.student = student
        self.runs = {}
        for run in results["runs"]:
            if run["student"] == student:
                self.runs.setdefault(run["method"], {})[run["seed"]] = run
        self.warm = results["seconds"][student]
        self.cold = results["seconds_without_cache"][student]

    def methods(self):
        order = [f"ce{AS_LONG}project-1" if i else "ce" for i in (0, 1)]
        order += [method for loss in LOSSES for method in sorted(self.runs)
                  if method.startswith(loss + "-") and method not in order]
        return [method for method in order if method in self.runs]

    def gain(self, method):
        """Bits a byte less than cross-entropy alone with the same seeds; a list by seed."""
        base = self.runs.get("ce", {})
        return [base[seed]["bits_per_byte"] - run["bits_per_byte"]
                for seed, run in sorted(self.runs[method].items()) if seed in base]

    def curve(self, method):
        """Updates and bits a byte, the mean over the seeds."""
        runs = list(self.runs[method].values())
        return [(points[0][0], statistics.mean(value for _, value in points))
                for points in zip(*(run["curve"] for run in runs))]

    def row(self, method):
        runs = [run for _, run in sorted(self.runs[method].items())]
        values = [run["bits_per_byte"] for run in runs]
        gain = self.gain(method)
        cold = self.cold.get(method)
        update = self.warm.get(method)
        return [label(method), temperature(method), str(runs[0]["updates"]), f"{statistics.mean(values):.3f}",
                " ".join(f"{value:.3f}" for value in values) if len(values) > 1 else "",
                f"{statistics.mean(gain):+.3f}" if gain and method != "ce" else "",
                f"{update:.2f}" if update else "", f"{cold:.2f}" if cold else "",
                f"{update * runs[0]['updates']:.0f}" if update else ""]

    def table(self):
        columns = ["", "T", "updates", "bits a byte", "by seed", "gain", "s an update", "without a cache",
                   "s in all"]
        return experiment.table(columns, [self.row(method) for method in self.methods()])

    def plot(self, title):
        series, seen = [], set()
        for method in self.methods():
            loss = method.partition(AS_LONG)[0].removesuffix("-1").removesuffix("-2")
            by_updates = self.curve(method)
            seconds = self.warm.get(method)
            series.append((None if loss in seen else label(method).strip("`"), LOSSES.index(loss),
                           temperature(method) == "2" or AS_LONG in method,
                           [by_updates, [(x * seconds, y) for x, y in by_updates] if seconds else []]))
            seen.add(loss)
        values = [y for _, _, _, (points, _) in series for _, y in points]
        # The first evaluation is far above the others: the differences are those of later ones.
        ends = [points[-1][1] for _, _, _, (points, _) in series]
        low = min(values)
        high = min(max(values), low + max(0.3, 2 * (max(ends) - low)))
        return plot.lines(title, "dashed: T = 2, and cross-entropy alone for project's time; a dot is the "
                          "end of a run", ["updates", "seconds, with a warm cache"], series,
                          (low - 0.02 * (high - low), high))


def heading(results):
    data, settings, machine = results["data"], results["settings"], results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in data["packages"].items())
    pieces = f"{settings['batch']} pieces" if settings["batch"] > 1 else "one piece"
    rates = ", ".join(f"{lr:g} ({name})" for name, lr in settings["lr"].items())
    teacher = results["teacher_bits_per_byte"]
    alone = f"; the held-out text costs it {teacher:.3f} bits a byte" if teacher else ""
    return [
        *wrapped(f"*Text*: {data['train_bytes'] / 1e6:.2f} MB of English prose in {data['train_pieces']:,} pieces, "
                 f"and {data['held_out_bytes'] / 1e3:.0f} kB held out in {data['held_out_pieces']}, from the Debian "
                 f"packages {packages}. *Teacher*: {results['teacher']}{alone}. "
                 f"*Training*: an update is {pieces} of at most "
                 f"{settings['max_seq_len']} tokens; alpha {settings['alpha']:g}, reduction `mean`, "
                 f"{settings['samples']} draws (`sampled`), projected; AdamW at "
                 f"{rates}, warm-up over a tenth of the updates, then a cosine to 0."),
        *wrapped(f"On {machine['cpu']} with {results['threads']} threads, {results['date']} UTC, revision "
                 f"{results['revision']}; `$GLADIUS_SMOLLM2_GGUF` names the teacher's file:"),
        f"    {results['command']}",
        "",
        *wrapped("*Gain* is how many bits a byte fewer than cross-entropy alone, after as many updates from the same "
                 "weights (in the second row: after more). Seconds are those with a warm cache, medians of short runs "
                 "in turn, at T = 1; the second row's are the first's, as its updates are the same work.")[:-1]]


def page(results, plots: Path):
    lines = heading(results)
    for student, title in STUDENTS.items():
        comparison = Comparison(results, student)
        if not comparison.runs:
            continue
        name = f"cross_vocabulary_{student}.svg"
        (plots / name).write_text(comparison.plot(f"{title}: held-out bits a byte"))
        lines += ["", f"### {title}", *comparison.table(), "",
                  f"![{title}: held-out bits a byte by updates and by seconds](benchmarks/{name})"]
    return lines


def render(results, docs):
    experiment.render(docs / "cross-vocabulary.md", page(results, docs / "benchmarks"))
