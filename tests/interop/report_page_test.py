"""report.html in a browser (headless Chromium), at several moments of a run. The pictures are kept
in build/interop/, to be looked at."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from helpers import ROOT, gladius

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = ROOT / "build/interop"
SECTIONS = ["Results", "Plots", "Status", "Data", "Training method", "Training configuration",
            "Loss", "Convergence analysis", "Timeline", "Model architecture",
            "Parameter breakdown", "Memory", "Identification", "Hardware", "Safetensors analysis",
            "Files", "Complete tensor list", "Raw loss data"]
PLOTS = ["Loss", "Gradient norm", "Learning rate", "Throughput"]
# Puts the lines that each heading of a plot and each time takes, and whether the page is wider than
# its window, into a copy of the page that may run it.
MEASURE = """<script>
const lines = element => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return new Set([...range.getClientRects()].map(box => Math.round(box.bottom))).size;
};
const all = selector => [...document.querySelectorAll(selector)].map(lines);
document.documentElement.dataset.measured = JSON.stringify({
  headings: all("figcaption"), times: all("time"),
  too_wide: document.documentElement.scrollWidth > window.innerWidth});
</script>"""
HOSTILE = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="NO BROWSER: the report's page was not looked at; apt install chromium")


def browse(page, *options, width=1200, height=1500):
    """Opens the page and returns what the browser printed, and its messages."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--enable-logging=stderr", "--v=0", f"--window-size={width},{height}", *options,
               page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode(), done.stderr.decode(errors="replace")


class Page(HTMLParser):
    """What of a page's elements the tests look at."""

    def __init__(self, html):
        super().__init__()
        self.sections, self.links, self.title, self.plots = [], [], "", {}
        self.figure, self.within, self.elements = None, None, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.within = tag
        self.elements.append(tag)
        if tag == "svg" and attrs.get("class") == "plot":
            self.figure = self.plots.setdefault(attrs["aria-label"], {"points": 0, "line": ""})
        if self.figure is not None and attrs.get("class") == "at":
            self.figure["points"] += 1
        if tag == "path" and attrs.get("class", "").startswith("line"):
            self.figure["line"] += attrs["d"]
        if tag == "a":
            self.links.append(attrs["href"])

    def handle_data(self, data):
        if self.within == "h2":
            self.sections.append(data)
        if self.within == "title":
            self.title += data

    def handle_endtag(self, tag):
        self.within = None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two experts, one with a name that would be markup; and a copy without any step."""
    directory = tmp_path_factory.mktemp("report")
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 60,
              "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2,
              "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.1}
    (directory / "student.json").write_text(json.dumps(config))
    gladius("init", "--config", directory / "student.json", "--out", directory / "expert")
    with open(directory / "data.jsonl", "w", encoding="utf-8") as file:
        for first in range(20):
            ids = [(first * 7 + 3 * i) % 60 for i in range(12)]
            file.write(json.dumps({"input_ids": ids}) + "\n")
    expert = {"model": "expert", "steps": 300}
    run = {"student": {"config": "student.json", "seed": 1}, "data": {"train": "data.jsonl"},
           "experts": [expert | {"name": "one"}, expert | {"name": HOSTILE}],
           "optimizer": {"lr": 1e-2, "schedule": "cosine", "warmup_steps": 10}}
    (directory / "run.json").write_text(json.dumps(run))
    gladius("distill", directory / "run.json", "--out", directory / "out")
    return directory / "out"


def before_the_first_step(run):
    begun = run.parent / "begun"
    begun.mkdir(exist_ok=True)
    for name in ("run.json", "inputs.json", "student_config.json"):
        shutil.copy(run / name, begun / name)
    gladius("report", begun)
    return begun / "report.html"


def check_page(page, plots):
    dom, messages = browse(page, "--dump-dom")
    found = Page(dom)
    assert found.sections == SECTIONS
    assert len(found.links) == len(SECTIONS)
    assert "broken" not in found.title
    assert "script" not in found.elements and "img" not in found.elements
    assert list(found.plots) == plots
    for name, plot in found.plots.items():
        assert 100 < plot["points"] <= 250, name
        assert plot["line"].startswith("M") and "nan" not in plot["line"], name
    # Errors of scripts, and what the page's policy has refused.
    assert not re.findall(r".*CONSOLE.*", messages)


def test_a_complete_run(run):
    check_page(run / "report.html", PLOTS)


def test_before_the_first_step(run):
    check_page(before_the_first_step(run), [])


@pytest.mark.parametrize("width", [1200, 500], ids=["wide", "narrow"])
def test_headings_of_plots_and_times_are_not_broken(run, tmp_path, width):
    page = (run / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"<meta http-equiv=[^>]*>", "", page).replace("</body>", MEASURE + "</body>")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    dom, _ = browse(tmp_path / "page.html", "--dump-dom", width=width)
    measured = json.loads(unescape(re.search(r'data-measured="([^"]*)"', dom)[1]))
    assert measured["headings"] == [1] * len(PLOTS)
    assert len(measured["times"]) > 3
    assert set(measured["times"]) == {1}
    assert not measured["too_wide"]


def test_the_markdown_shows_the_plots(run, tmp_path):
    """Files beside it, well-formed with the hostile name, which a browser draws."""
    text = (run / "report.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^!\[([^]]*)\]\(([^)/]*\.svg)\)$", text, re.MULTILINE))
    assert list(files) == PLOTS
    for title, name in files.items():
        root = ElementTree.parse(run / name).getroot()
        assert root.get("aria-label") == title
        texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
        assert title in texts
        assert HOSTILE in texts
    picture = tmp_path / "loss.png"
    browse(run / files["Loss"], f"--screenshot={picture}", width=720, height=400)
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    assert (pixels == (0x3b, 0x55, 0xc4)).all(axis=-1).sum() > 500


@pytest.mark.parametrize("width", [1200, 500], ids=["wide", "narrow"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(run, width, theme):
    """Dark where the reader's system is dark, and with lines in the plots."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / f"report-{theme}-{width}.png"
    picture.unlink(missing_ok=True)
    dark = ["--blink-settings=preferredColorScheme=0"] if theme == "dark" else []
    browse(run / "report.html", f"--screenshot={picture}", *dark, width=width,
           height=1500 if width > 1000 else 2600)
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    assert pixels.shape[1] == width
    background = pixels[-2, 2].sum()
    assert background < 150 if theme == "dark" else background > 600
    ink = {"light": (0x3b, 0x55, 0xc4), "dark": (0x8e, 0xa4, 0xff)}[theme]  # of the first line
    assert (pixels == ink).all(axis=-1).sum() > 1000
