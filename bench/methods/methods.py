"""What each way of learning from a teacher is worth in the same time: small students, compared.

python bench/methods/methods.py [PART...]    without any: prepare seconds train results
  prepare  has the teacher write answers, and writes the files that the runs read
  seconds  measures an update of each method, with a warm cache; wants an idle machine
  train    trains each student for the updates that its seconds have room for, and evaluates it on
           the held-out chats; may share the machine
  results  writes what there is so far to bench/results/methods.json
  render   writes the tables and the plots of docs/methods.md from that file

The teacher is SmolLM2-135M-Instruct as a GGUF file (docs/cross-vocabulary.md says where it is from),
the data are the default chats. A run that has ended with the same settings is not repeated, so that
the parts may be interrupted and chosen, with --groups, --methods and --seeds.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import experiment
import methods_page
from experiment import ROOT, distill, gladius, kept, names, seconds_of_update, stored

sys.path.insert(0, str(ROOT / "configs/smollm2"))
from distill import ANSWER_TOKENS, prompts  # noqa: E402

DEFAULT = ROOT / "configs/default"
RESULTS = ROOT / "bench/results/methods.json"
PARTS = ("prepare", "seconds", "train", "results")
SEEDS = [0, 1, 2]
ROUNDS = 2  # of timing the methods in turn
TIMED_UPDATES = 6  # after one that is not counted
PROMPTS = 400  # that the teacher answers
WRITTEN_SHARE = 0.2  # of the examples, where its answers are among the chats
SAMPLES = 12
MICRO_BATCHES = 2  # an update
TOKENS = 256  # a micro-batch


@dataclass(frozen=True)
class Method:
    """A change of forward KL at T = 1. `timed_as`: a method whose update is the same work.
    `as_many_as`: for as many updates as that method, in place of as much time."""
    title: str
    teacher: bool = True
    loss: dict = field(default_factory=dict)
    on_policy: float = 0
    samples: int | None = None
    written: bool = False
    init: bool = False
    timed_as: str = ""
    as_many_as: str = ""


METHODS = {
    "ce": Method("cross-entropy alone", teacher=False),
    "ce_as_many": Method("cross-entropy alone, as many updates as forward KL", teacher=False, timed_as="ce",
                         as_many_as="forward_kl"),
    "forward_kl": Method("forward KL"),
    "reverse_kl": Method("reverse KL", loss={"divergence": "reverse_kl"}),
    "jsd": Method("JSD, beta 0.5", loss={"divergence": "jsd", "beta": 0.5}),
    "skew_kl": Method("skew KL, beta 0.1", loss={"divergence": "skew_kl", "beta": 0.1}),
    "temperature_2": Method("forward KL, T = 2", loss={"temperature": 2}),
    "alpha_0.2": Method("forward KL, alpha 0.2", loss={"alpha": 0.2}, timed_as="forward_kl"),
    "all_tokens": Method("forward KL, tokens `all`", loss={"tokens": "all"}),
    "micro_batch": Method("forward KL, normalization `micro_batch`", loss={"normalization": "micro_batch"}),
    "on_policy": Method("forward KL, on_policy 0.3", on_policy=0.3),
    "samples": Method(f"forward KL of {SAMPLES} draws", samples=SAMPLES),
    "written": Method("cross-entropy, a fifth written by the teacher", teacher=False, written=True, timed_as="ce"),
    "init_ce": Method("`init_from`, cross-entropy alone", teacher=False, init=True, timed_as="ce"),
    "init_forward_kl": Method("`init_from`, forward KL", init=True, timed_as="forward_kl"),
}


@dataclass(frozen=True)
class Group:
    """Runs that are compared. `chats`: the first so many of the data; None: all. `student`: a key of
    STUDENTS. `expert`: the default expert teaches, which knows the chats. `timed_as`: a group in which
    the same methods are the same work. `runs_of`: a group that has the same runs without a teacher."""
    methods: tuple
    budget: float = 30
    chats: int | None = None
    student: str = "small"
    own_tokenizer: bool = False
    expert: bool = False
    timed_as: str = ""
    runs_of: str = ""

    def teacher(self, options):
        return DEFAULT / "expert.gguf" if self.expert else options.teacher


# Changes of the default expert's configuration: 4 layers of 256.
STUDENTS = {
    "small": {},
    "small_own": {"vocab_size": 49152},
    # Four of SmolLM2-135M's layers.
    "wide": {"hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3,
             "rms_norm_eps": 1e-5, "rope_theta": 1e5},
}
GROUPS = {
    "chats": Group(("ce", "ce_as_many", "forward_kl", "reverse_kl", "jsd", "skew_kl", "temperature_2", "alpha_0.2",
                    "all_tokens", "micro_batch", "on_policy", "written")),
    "few": Group(("ce", "ce_as_many", "forward_kl", "samples"), chats=200, timed_as="chats"),
    "own": Group(("ce", "ce_as_many", "forward_kl", "reverse_kl"), student="small_own", own_tokenizer=True),
    "wide": Group(("ce", "init_ce", "init_forward_kl"), student="wide"),
    "expert": Group(("ce", "forward_kl", "reverse_kl", "jsd", "skew_kl", "on_policy"), expert=True, runs_of="chats"),
}


def lines(path):
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def prepare(options):
    """The files that the runs read."""
    for name, changes in STUDENTS.items():
        config = stored(DEFAULT / "expert.json") | changes
        (options.work / f"{name}.json").write_text(json.dumps(config, indent=1) + "\n")
    chats = lines(DEFAULT / "chat.jsonl")
    for group in GROUPS.values():
        if group.chats:
            (options.work / f"chats-{group.chats}.jsonl").write_text("".join(chats[:group.chats]), encoding="utf-8")
    written = options.work / "written.jsonl"
    if not written.exists():
        asked = options.work / "prompts.jsonl"
        asked.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in prompts(PROMPTS)))
        gladius(options, "generate", "--model", options.teacher, "--batch", asked, "--out", written,
                "--max-new-tokens", ANSWER_TOKENS, "--greedy")
    answers = lines(written)
    repeats = round(len(chats) * WRITTEN_SHARE / (1 - WRITTEN_SHARE) / len(answers))
    (options.work / "chats-and-written.jsonl").write_text("".join(chats + repeats * answers), encoding="utf-8")
    experiment.bits_per_byte_alone(options, options.work / "teacher.json", options.teacher, "--data",
                                   DEFAULT / "eval.jsonl", "--loss-on", "assistant", "--max-seq-len", 512)


def data_of(options, group, method):
    if method.written:
        return options.work / "chats-and-written.jsonl"
    return options.work / f"chats-{group.chats}.jsonl" if group.chats else DEFAULT / "chat.jsonl"


def student_of(options, group, method, seed):
    tokenizer = options.teacher if group.own_tokenizer else DEFAULT / "tokenizer"
    return {"config": str(options.work / f"{group.student}.json"), "tokenizer": str(tokenizer), "seed": seed,
            "init_from": {"model": str(group.teacher(options))} if method.init else None}


def run_file(options, group, method, updates, seed, evaluate=True, cached=True):
    """The seed is of the weights, of the data's order and of draws."""
    steps = updates * MICRO_BATCHES
    data = data_of(options, group, method)
    settings = {
        "student": student_of(options, group, method, seed),
        "data": {"train": str(data), "eval": str(DEFAULT / "eval.jsonl") if evaluate else None,
                 "max_seq_len": TOKENS, "packing": True, "shuffle": True, "loss_on": "assistant"},
        "eval_suite": str(DEFAULT / "suite.jsonl") if evaluate else None,
        "optimizer": {"lr": options.lr_wide if group.student == "wide" else options.lr, "schedule": "cosine",
                      "warmup_steps": max(1, updates // 10)},
        "batch_size": 1, "gradient_accumulation": MICRO_BATCHES, "seed": seed, "checkpoint_every": 10**9,
    }
    if not method.teacher:
        return settings | {"steps": steps}
    # The draws' cache is of one seed.
    cached = cached and not group.expert  # which reads as fast as its answers are read
    kind = f"{data.stem}-{f'draws-{seed}' if method.samples else 'hidden-states'}"
    return settings | {
        "experts": [{"name": "teacher", "model": str(group.teacher(options)), "steps": steps,
                     "on_policy": method.on_policy,
                     "vocabulary": "same" if group.own_tokenizer or group.expert else "align"}],
        "loss": {"temperature": 1, "alpha": options.alpha, "tokens": "labelled"} | method.loss,
        "teacher_cache": {"max_gb": 50 if cached else 0, "samples": method.samples,
                          "path": str(options.work / "caches" / kind) if cached else None},
    }


def chosen(options):
    return [(name, method) for name in options.groups for method in GROUPS[name].methods
            if method in options.methods]


def timed_as(group, method):
    """The group and the method whose seconds are measured."""
    other = GROUPS[group].timed_as or (not METHODS[method].teacher and GROUPS[group].runs_of)
    return other if other and method in GROUPS[other].methods else group, METHODS[method].timed_as or method


def seconds_path(options, group, method, round_):
    group, method = timed_as(group, method)
    return options.work / "seconds" / f"{group}-{method}-{round_}.json"


def measured_seconds(options, group, method):
    return experiment.median_seconds(seconds_path(options, group, method, round_) for round_ in range(ROUNDS))


def timed_run(options, group, method, cached=True):
    return run_file(options, GROUPS[group], METHODS[method], 1 + TIMED_UPDATES, 0, evaluate=False, cached=cached)


def fill_caches(options, timed):
    """A run that is not counted for each cache, and for each tokenizer of the students that use it."""
    runs = {}
    for group, method in timed:
        settings = timed_run(options, group, method)
        if METHODS[method].teacher and settings["teacher_cache"]["path"]:
            runs.setdefault((settings["teacher_cache"]["path"], settings["student"]["tokenizer"]),
                            (f"{group}-{method}", settings))
    for name, settings in runs.values():
        kept(options.work / "warm" / f"{name}.json", settings,
             lambda: {"steps": len(distill(options, settings).metrics)})


def seconds(options):
    """Of an update of each method with a warm cache, in turn, so that a slow minute is no method's."""
    timed = sorted({timed_as(*one) for one in chosen(options)})
    fill_caches(options, timed)
    if options.warm_only:
        return
    for round_ in range(ROUNDS):
        for group, method in timed:
            settings = timed_run(options, group, method)
            kept(seconds_path(options, group, method, round_), settings,
                 lambda: seconds_of_update(options, settings, TIMED_UPDATES))
    for group, method in timed:
        if method == "forward_kl" and not GROUPS[group].expert:
            settings = timed_run(options, group, method, cached=False)
            kept(options.work / "cold" / f"{group}-{method}.json", settings,
                 lambda: seconds_of_update(options, settings, TIMED_UPDATES))


def updates_of(options, group, method, seed):
    """So many as the budget has room for; None: not known. Seconds that are measured again differ by
    some percent, for which a run that is there is not made again."""
    if (path := run_path(options, group, method, seed)).exists():
        return stored(path)["updates"]
    measured = measured_seconds(options, group, METHODS[method].as_many_as or method)
    return measured and max(2, round(GROUPS[group].budget / measured))


def run_path(options, group, method, seed):
    if not METHODS[method].teacher:
        group = GROUPS[group].runs_of or group
    return options.work / "runs" / f"{group}-{method}-{seed}.json"


def train(options):
    for seed in options.seeds or SEEDS:
        for group, method in chosen(options):
            updates = updates_of(options, group, method, seed)
            if updates is None:
                print(f"{group}-{method}: left out until its seconds are there", file=sys.stderr)
                continue
            train_one(options, group, method, updates, seed)


def train_one(options, group, method, updates, seed):
    settings = run_file(options, GROUPS[group], METHODS[method], updates, seed)

    def run():
        done = distill(options, settings)
        suite = done.suite["result"] if "result" in done.suite else done.suite
        return {"group": group, "method": method, "seed": seed, "updates": updates,
                "tokens": sum(line["tokens"] for line in done.metrics),
                "bits_per_byte": done.evaluation["bits_per_byte"],
                "suite": {name: suite[name] for name in ("cases", "parsed", "calls", "name_right", "arguments_right",
                                                         "all_right")}}

    kept(run_path(options, group, method, seed), settings, run)


def results(options):
    """Of the runs with the present settings."""
    found = []
    for name, group in GROUPS.items():
        for method in group.methods:
            for path in (run_path(options, name, method, seed) for seed in SEEDS):
                run = stored(path) if path.exists() else None
                if run and run.pop("settings") == run_file(options, group, METHODS[method], run["updates"],
                                                           run["seed"]):
                    found.append(run | {"group": name})
    cold = {file.stem: stored(file)["seconds"] for file in sorted((options.work / "cold").glob("*.json"))}
    experiment.write_results(RESULTS, options, f"python bench/methods/methods.py --threads {options.threads}", {
        "teacher_bits_per_byte": stored(options.work / "teacher.json")["bits_per_byte"],
        "written": len(lines(options.work / "written.jsonl")),
        "settings": {"alpha": options.alpha, "lr": options.lr, "lr_wide": options.lr_wide, "tokens": TOKENS,
                     "micro_batches": MICRO_BATCHES, "written_share": WRITTEN_SHARE, "prompts": PROMPTS},
        "groups": {name: {"budget": group.budget, "chats": group.chats, "methods": group.methods}
                   for name, group in GROUPS.items()},
        "titles": {name: method.title for name, method in METHODS.items()},
        "seconds": {name: {method: measured for method in group.methods
                           if (measured := measured_seconds(options, name, method))}
                    for name, group in GROUPS.items()},
        "seconds_without_cache": cold, "runs": found})


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    experiment.add_options(parser, "methods")
    parser.add_argument("--groups", type=names(GROUPS), default=list(GROUPS))
    parser.add_argument("--methods", type=names(METHODS), default=list(METHODS),
                        help="default: " + ",".join(METHODS))
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--lr-wide", type=float, default=1e-3)
    parser.add_argument("--warm-only", action="store_true", help="seconds: only fills the caches")
    options = parser.parse_args()
    experiment.check_options(parser, options, PARTS)
    return options


def main():
    options = parse_options()
    parts = options.parts or PARTS
    if parts != ["render"]:
        for name in ("teacher", "work", "bin"):
            setattr(options, name, getattr(options, name).absolute())
        options.work.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if part == "render":
            methods_page.render(stored(RESULTS), ROOT / "docs")
        else:
            {"prepare": prepare, "seconds": seconds, "train": train, "results": results}[part](options)


if __name__ == "__main__":
    main()
