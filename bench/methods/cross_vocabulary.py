"""What a real teacher with another vocabulary is worth: students trained by each method, compared.

python bench/methods/cross_vocabulary.py [PART...]    without any: warm seconds train cold results
  warm     fills the teacher's caches, each by a pass of a tiny student that is not counted
  seconds  measures an update of each method with a warm cache; wants an idle machine
  train    trains the students, and evaluates them on the held-out text; may share the machine
  cold     measures an update of each method without a cache, and the teacher's own bits per byte
  results  writes what there is so far to bench/results/cross_vocabulary.json
  render   writes the tables and plots of docs/cross-vocabulary.md from that file

The teacher is SmolLM2-135M-Instruct as a GGUF file (docs/cross-vocabulary.md says where it is from),
the text comes from Debian's packages (debian_text.py, with apt-get). A run that has ended with the
same settings is not repeated, so that the parts may be interrupted and chosen, with --students,
--methods and --seeds. Results are compared within one set of --updates, --batch, --tokens.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cross_vocabulary_page
import debian_text
import experiment
from experiment import ROOT, distill, kept, names, seconds_of_update, stored

RESULTS = ROOT / "bench/results/cross_vocabulary.json"
PARTS = ("warm", "seconds", "train", "cold", "results")
SAMPLES = 12
TIMED_UPDATES = 8  # after one that is not counted
ROUNDS = 3  # of timing the methods in turn
SAME_LENGTH = 0.1  # of runs for as long as another
COLD_UPDATES = 10  # after one that is not counted
TEMPERATURES = (1, 2)


@dataclass(frozen=True)
class Method:
    """`loss`: ce has no teacher. `as_long_as`: trained for as long as that method's run takes."""
    loss: str
    temperature: float = 1
    as_long_as: str = ""

    @property
    def timed_as(self):
        """The name of the method whose update is the same work."""
        return self.loss if self.loss == "ce" else f"{self.loss}-{TEMPERATURES[0]}"

    @property
    def name(self):
        return (self.loss if self.loss == "ce" else f"{self.loss}-{self.temperature:g}") + (
            f"-as-long-as-{self.as_long_as}" if self.as_long_as else "")

    def settings(self, options, steps, cache_gb):
        """The keys of the run file that make the method."""
        if self.loss == "ce":
            return {"steps": steps, "loss": {"normalization": "micro_batch"}}
        cross = self.loss if self.loss in ("alm", "uld") else "project"
        cache = options.work / "caches" / (self.name if self.loss == "sampled" else "hidden-states")
        return {
            "experts": [{"name": "teacher", "model": str(options.teacher), "steps": steps,
                         "vocabulary": "truncate" if self.loss == "truncate" else "align"}],
            "loss": {"temperature": self.temperature, "alpha": options.alpha, "reduction": "mean",
                     "normalization": "micro_batch", "cross": cross},
            "teacher_cache": {"max_gb": cache_gb, "path": str(cache) if cache_gb else None,
                              "samples": SAMPLES if self.loss == "sampled" else None},
        }


METHODS = {method.name: method for method in (
    Method("ce"),
    *(Method(loss, t) for t in TEMPERATURES for loss in ("project", "sampled", "alm", "uld", "truncate")),
    Method("ce", as_long_as="project-1"))}


@dataclass(frozen=True)
class Student:
    """A change of configs/gladius-125m.json, and how it is trained. `timed_as`: a student of its size."""
    lr: float
    seeds: int
    updates: int
    changes: dict
    methods: tuple = tuple(METHODS)
    timed_as: str = ""


SMALL = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4, "num_attention_heads": 4,
         "num_key_value_heads": 4}
STUDENTS = {
    "small": Student(1e-3, 3, 200, SMALL),
    "small-long": Student(1e-3, 1, 700, SMALL, ("ce", "project-1", "sampled-1", "ce-as-long-as-project-1"), "small"),
    "125m": Student(5e-4, 1, 100, {}),
}
# Its passes only fill caches.
TINY = Student(0, 1, 0, {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
                         "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 8})


def run_file(options, student, method, updates, seed=0, evaluate=True, cache_gb=50):
    """The order of the data, and draws, are the same for each seed, which is of the weights."""
    steps = updates * options.batch
    config = json.loads((ROOT / "configs/gladius-125m.json").read_text()) | student.changes
    config_file = options.work / f"student-{config['hidden_size']}.json"
    config_file.write_text(json.dumps(config, indent=1) + "\n")
    settings = {
        "student": {"config": str(config_file), "tokenizer": str(options.tokenizer), "seed": seed},
        "data": {"train": str(options.data / "train.jsonl"),
                 "eval": str(options.data / "held-out.jsonl") if evaluate else None,
                 "max_seq_len": options.tokens},
        "optimizer": {"lr": student.lr, "schedule": "cosine", "warmup_steps": max(1, updates // 10)},
        "batch_size": 1, "gradient_accumulation": options.batch, "seed": 0,
        "eval_every": max(1, updates // options.evaluations) * options.batch if evaluate else None,
        "checkpoint_every": 10**9,
    }
    return settings | method.settings(options, steps, cache_gb)


def cache_filler(method):
    """The method whose pass fills the method's cache: hidden states of the teacher's own tokens or of
    the student's ids, or draws at a temperature."""
    if method.loss in ("project", "alm", "uld"):
        return METHODS[f"project-{TEMPERATURES[0]}"]
    return method if method.loss == "sampled" else METHODS[f"{method.loss}-{TEMPERATURES[0]}"]


def warm(options):
    """A pass over the examples that the runs will read, for each cache that the methods need."""
    longest = max(updates_of(options, name, METHODS["ce"]) for name in options.students)
    updates = min(longest, -(-options.pieces // options.batch))
    fillers = {cache_filler(method) for name in options.students for method in chosen_methods(options, name)
               if method.loss != "ce"}
    for method in sorted(fillers, key=lambda method: method.name):
        settings = run_file(options, TINY, method, updates, evaluate=False)

        def fill():
            metrics = distill(options, settings).metrics
            return {"seconds": metrics[-1]["elapsed_s"], "steps": len(metrics)}

        kept(options.work / "warm" / f"{method.name}.json", settings, fill)


def teacher_alone(options):
    """What the held-out text costs it, in bits a byte."""
    experiment.bits_per_byte_alone(options, options.work / "teacher.json", options.teacher, "--data",
                                   options.data / "held-out.jsonl", "--max-seq-len", options.tokens)


def timed(options):
    """Students and methods whose seconds are measured; those of others are the same work."""
    return [(name, method) for name in options.students if not STUDENTS[name].timed_as
            for method in chosen_methods(options, name) if method.name == method.timed_as]


def cold(options):
    """Seconds of an update without a cache; and the teacher alone."""
    teacher_alone(options)
    for name, method in timed(options):
        if method.loss == "ce":
            continue
        settings = run_file(options, STUDENTS[name], method, 1 + COLD_UPDATES, evaluate=False, cache_gb=0)
        kept(options.work / "cold" / f"{name}-{method.name}.json", settings,
             lambda: seconds_of_update(options, settings, COLD_UPDATES))


def seconds(options):
    """Those of an update with a warm cache, of each method in turn so that a slow minute is no method's."""
    for round_ in range(ROUNDS):
        for name, method in timed(options):
            settings = run_file(options, STUDENTS[name], method, 1 + TIMED_UPDATES, evaluate=False)
            kept(seconds_path(options, name, method, round_), settings,
                 lambda: seconds_of_update(options, settings, TIMED_UPDATES))


def seconds_path(options, student, method, round_):
    return options.work / "seconds" / f"{student}-{method.timed_as}-{round_}.json"


def measured_seconds(options, student, method):
    """The median of the rounds; None: not measured."""
    student = STUDENTS[student].timed_as or student
    return experiment.median_seconds(seconds_path(options, student, method, round_) for round_ in range(ROUNDS))


def updates_of(options, student, method):
    """None: not known before the seconds of both methods are."""
    updates = options.updates or STUDENTS[student].updates
    if not method.as_long_as:
        return updates
    ours, other = (measured_seconds(options, student, METHODS[name]) for name in ("ce", method.as_long_as))
    if not ours or not other:
        return None
    wanted = round(updates * other / ours)
    first = run_path(options, student, method, 0)
    # Seconds measured again differ by some percent, for which a long run is not made again.
    if first.exists() and abs(stored(first)["updates"] / wanted - 1) <= SAME_LENGTH:
        return stored(first)["updates"]
    return wanted


def run_path(options, student, method, seed):
    return options.work / "runs" / f"{student}-{method.name}-{seed}.json"


def curve(options, metrics):
    """Updates and the student's bits a byte then."""
    return [[(line["step"] + 1) / options.batch, line["eval_bits_per_byte"]] for line in metrics
            if "eval_bits_per_byte" in line]


def train(options):
    for seed in range(max(STUDENTS[name].seeds for name in options.students)):
        for name in options.students:
            if seed not in (options.seeds or range(STUDENTS[name].seeds)):
                continue
            for method in chosen_methods(options, name):
                train_one(options, name, method, seed)


def train_one(options, name, method, seed):
    updates = updates_of(options, name, method)
    if updates is None:
        print(f"{name}-{method.name}: left out until the seconds of ce and {method.as_long_as} are there",
              file=sys.stderr)
        return
    settings = run_file(options, STUDENTS[name], method, updates, seed)

    def run():
        done = distill(options, settings)
        return {"student": name, "method": method.name, "seed": seed, "updates": updates,
                "tokens": sum(line["tokens"] for line in done.metrics),
                "bits_per_byte": done.evaluation["bits_per_byte"], "curve": curve(options, done.metrics)}

    kept(run_path(options, name, method, seed), settings, run)


def results(options):
    """Of the runs with the present settings."""
    found = []
    for file in sorted((options.work / "runs").glob("*.json")):
        run = stored(file)
        method = METHODS.get(run["method"])
        updates = method and updates_of(options, run["student"], method)
        if not updates or run.pop("settings") != run_file(options, STUDENTS[run["student"]], method,
                                                          updates, run["seed"]):
            continue
        found.append(run)
    cold_seconds = {name: {method.name: stored(file)["seconds"] for method in METHODS.values()
                           if (file := options.work / "cold" /
                               f"{student.timed_as or name}-{method.timed_as}.json").exists()}
                    for name, student in STUDENTS.items()}
    warm_seconds = {name: {method.name: measured for method in METHODS.values()
                           if (measured := measured_seconds(options, name, method))} for name in STUDENTS}
    teacher = options.work / "teacher.json"
    experiment.write_results(RESULTS, options, reproduction(options), {
        "teacher_bits_per_byte": stored(teacher)["bits_per_byte"] if teacher.exists() else None,
        "tokenizer": options.tokenizer.name, "data": options.description,
        "settings": {"batch": options.batch, "max_seq_len": options.tokens,
                     "alpha": options.alpha, "samples": SAMPLES,
                     "lr": {name: student.lr for name, student in STUDENTS.items()}},
        "seconds": warm_seconds, "seconds_without_cache": cold_seconds, "runs": found})


def reproduction(options):
    """The command for an idle machine, in one go."""
    sizes = {"updates": None, "batch": 1, "tokens": 512, "alpha": 0.5}
    changed = "".join(f" --{name} {value}" for name, default in sizes.items()
                      if (value := getattr(options, name)) != default)
    return f"python bench/methods/cross_vocabulary.py --tokenizer {options.tokenizer.name}{changed}"


def chosen_methods(options, student):
    return [METHODS[name] for name in options.methods if name in STUDENTS[student].methods]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    experiment.add_options(parser, "cross-vocabulary")
    parser.add_argument("--tokenizer", type=Path, help="the student's, a directory: Llama 2's",
                        default=ROOT.parent / "shared/data/tokenizers/llama2")
    parser.add_argument("--data", type=Path, help="where the text is kept; default: WORK/data")
    parser.add_argument("--students", type=names(STUDENTS), default=list(STUDENTS))
    parser.add_argument("--methods", type=names(METHODS), default=list(METHODS),
                        help="default: " + ",".join(METHODS))
    parser.add_argument("--updates", type=int, help="default: " + ", ".join(
        f"{student.updates} of the {name} student" for name, student in STUDENTS.items()))
    parser.add_argument("--batch", type=int, default=1, help="pieces of text an update")
    parser.add_argument("--tokens", type=int, default=512, help="longer pieces are cut")
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--evaluations", type=int, default=5, help="on the way, and at the end")
    parser.add_argument("--held-out-bytes", type=int, default=50_000)
    options = parser.parse_args()
    experiment.check_options(parser, options, PARTS)
    return options


def main():
    options = parse_options()
    parts = options.parts or PARTS
    if parts != ["render"]:
        for name in ("teacher", "tokenizer", "work", "bin"):
            setattr(options, name, getattr(options, name).absolute())
        options.data = (options.data or options.work / "data").absolute()
        options.work.mkdir(parents=True, exist_ok=True)
        options.description = debian_text.prepare(options.data, options.held_out_bytes)
        options.pieces = options.description["train_pieces"]
    for part in parts:
        if part == "render":
            cross_vocabulary_page.render(json.loads(RESULTS.read_text()), ROOT / "docs")
        else:
            {"warm": warm, "seconds": seconds, "train": train, "cold": cold, "results": results}[part](options)


if __name__ == "__main__":
    main()
