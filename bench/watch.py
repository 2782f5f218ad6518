"""What the live page costs a run, and how it does with a long one.

python bench/watch.py cost RUN.json [--phase 20] [--pairs 10] [--browser] [--set KEY=VALUE]...
    The run goes on in a temporary directory. In turns of --phase seconds nobody watches it, and
    `gladius watch` does, with a page that is open: a connection to /api/events and the plots' curves
    each second, as the page asks for them, or with --browser the page itself in headless Chromium.
    Prints the tokens a second of both (by the run's own clock, metrics.jsonl), the difference with
    its 95% interval (bootstrap over the pairs), and the server's part of all processor time.

python bench/watch.py long [--steps 1000000]
    A metrics.jsonl of so many steps: seconds until all is read, the server's memory, the time of a
    request for all plots, and of one within a run that goes on.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYERS = 12


@contextmanager
def watching(binary, run):
    """The server's address and process."""
    process = subprocess.Popen([binary, "watch", run, "--port", "0", "--log-level", "warning"],
                               stdout=subprocess.PIPE)
    try:
        yield process.stdout.readline().decode().strip(), process
    finally:
        process.terminate()
        process.wait()


def get(url):
    with urllib.request.urlopen(url, timeout=600) as answer:
        return answer.read()


# --- What it costs ---

class Page(threading.Thread):
    """Asks for what the page asks for, and looks at nothing of it."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.open, self.asked = url, True, 0

    def run(self):
        try:
            self.follow()
        except (OSError, http.client.HTTPException):  # the server has ended
            pass

    def follow(self):
        with urllib.request.urlopen(self.url + "api/events", timeout=600) as events:
            while self.open and events.readline():
                if time.monotonic() < self.asked + 1:  # 5 for a run of more than 10,000 steps
                    continue
                self.asked = time.monotonic()
                get(self.url + "api/series?run=0&points=600")


@contextmanager
def page(options, run):
    with watching(options.bin / "gladius", run) as (url, server):
        if not options.browser:
            reader = Page(url)
            reader.start()
            yield server
            reader.open = False
            return
        from selenium import webdriver

        settings = webdriver.ChromeOptions()
        settings.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
            settings.add_argument(argument)
        driver = webdriver.Chrome(options=settings, service=webdriver.ChromeService(shutil.which("chromedriver")))
        driver.get(url)
        yield server
        driver.quit()


def count_lines(metrics):
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def phase(metrics, process, seconds):
    """First and last line of so many seconds, without the first of them."""
    time.sleep(2)
    first = count_lines(metrics)
    time.sleep(seconds)
    if process.poll() is not None:
        sys.exit("the run has ended: give it more steps")
    return first, count_lines(metrics)


def tokens_per_s(lines, first, last):
    """Of the steps behind line `first` up to line `last`, both of which end a group."""
    steps = [json.loads(line) for line in lines[first - 1:last]]
    return sum(step["tokens"] for step in steps[1:]) / (steps[-1]["elapsed_s"] - steps[0]["elapsed_s"])


def interval(values):
    rng = random.Random(1)
    means = sorted(statistics.mean(rng.choices(values, k=len(values))) for _ in range(10_000))
    return means[250], means[9749]


def cost(options):
    group = json.loads(options.run.read_text()).get("gradient_accumulation", 8)
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "run"
        changes = [word for change in options.set for word in ("--set", change)]
        process = subprocess.Popen([options.bin / "gladius", "distill", options.run, "--out", out, "--log-level",
                                    "warning", *changes], stdout=subprocess.DEVNULL)
        try:
            while count_lines(out / "metrics.jsonl") < 2 * group:
                if process.poll() is not None:
                    sys.exit("the run has failed")
                time.sleep(1)
            places, busy = {"alone": [], "watched": []}, []
            for pair in range(options.pairs):
                for what in (("alone", "watched") if pair % 2 == 0 else ("watched", "alone")):
                    if what == "alone":
                        places[what].append(phase(out / "metrics.jsonl", process, options.phase))
                    else:
                        with page(options, out) as server:
                            before = cpu_seconds(server), time.monotonic()
                            places[what].append(phase(out / "metrics.jsonl", process, options.phase))
                            busy.append((cpu_seconds(server) - before[0]) / (time.monotonic() - before[1]))
        finally:
            process.kill()
            process.wait()
        lines = (out / "metrics.jsonl").read_text().splitlines()
    whole = lambda line: line // group * group  # groups, so that each part has its share of updates
    speeds = {what: [tokens_per_s(lines, whole(first), whole(last)) for first, last in of]
              for what, of in places.items()}
    for what, of in speeds.items():
        print(f"{what:8} {statistics.mean(of):10.1f} tokens/s ({min(of):.1f} to {max(of):.1f})")
    slower = [100 * (alone / watched - 1) for alone, watched in zip(speeds["alone"], speeds["watched"])]
    low, high = interval(slower)
    print(f"the page costs {statistics.mean(slower):.2f}% (95% interval {low:.2f} to {high:.2f}) "
          f"over {options.pairs} pairs of {options.phase} s{', drawn here' if options.browser else ''}")
    print(f"the server's processor time: {100 * statistics.mean(busy) / os.cpu_count():.3f}% of {os.cpu_count()} "
          f"processors, with {len(lines):,} steps at the end")


# --- A long run ---

def write_long_run(directory, steps):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 60, "hidden_size": 16,
              "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2}
    (directory / "student.json").write_text(json.dumps(config))
    (directory / "run.json").write_text(json.dumps({"student": {"config": str(directory / "student.json")},
                                                    "data": {"train": "data.jsonl"}, "steps": 2 * steps}))
    rng = random.Random(1)
    with open(directory / "metrics.jsonl", "w", encoding="utf-8") as file:
        for step in range(steps):
            file.write(json.dumps(record(rng, step)) + "\n")


def record(rng, step):
    loss = 3 + 7 / (1 + step / 1000) + rng.random()
    line = {"step": step, "expert": None, "loss": loss, "loss_running_mean": loss, "loss_window_mean": loss,
            "kl": None, "ce": loss, "lr": 1e-4, "grad_norm": rng.random(), "skipped_updates": 0, "tokens": 512,
            "tokens_per_s": 1000 + rng.random(), "elapsed_s": step * 0.5}
    if step % 10 == 7:
        line["grad_norms"] = {f"layers.{i}": rng.random() for i in range(LAYERS)}
        line["memory_mib"] = 900 + rng.random()
    return line


def memory_mib(process, field="VmRSS"):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024


def long_run(options):
    with tempfile.TemporaryDirectory() as work:
        run = Path(work)
        write_long_run(run, options.steps)
        size = (run / "metrics.jsonl").stat().st_size
        print(f"metrics.jsonl: {options.steps:,} steps, {size / 1e6:.0f} MB")
        begin = time.monotonic()
        with watching(options.bin / "gladius", run) as (url, process):
            print(f"answers after {time.monotonic() - begin:.2f} s")
            while json.loads(get(url + "api/runs"))[0]["steps"] < options.steps:
                time.sleep(0.05)
            seconds = time.monotonic() - begin
            print(f"all read after {seconds:.2f} s ({cpu_seconds(process):.2f} s of processor time), "
                  f"{memory_mib(process):.0f} MiB resident (peak {memory_mib(process, 'VmHWM'):.0f})")
            for what, query in (("all steps", ""), ("10,000 steps", "&begin=500000&end=510000")):
                times, busy = [], cpu_seconds(process)
                for _ in range(20):
                    begin = time.monotonic()
                    answer = get(f"{url}api/series?run=0&points=600{query}")
                    times.append(time.monotonic() - begin)
                print(f"a request for all plots, {what}: median {1000 * statistics.median(times):.1f} ms "
                      f"({1000 * (cpu_seconds(process) - busy) / 20:.1f} ms of processor time), {len(answer) / 1e3:.0f} kB")


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    commands = parser.add_subparsers(required=True)
    of_cost = commands.add_parser("cost")
    of_cost.add_argument("run", type=Path)
    of_cost.add_argument("--phase", type=float, default=20)
    of_cost.add_argument("--pairs", type=int, default=10)
    of_cost.add_argument("--browser", action="store_true")
    of_cost.add_argument("--set", action="append", default=[])
    of_cost.set_defaults(command=cost)
    of_long = commands.add_parser("long")
    of_long.add_argument("--steps", type=int, default=1_000_000)
    of_long.set_defaults(command=long_run)
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
