"""gladius watch in a browser (headless Chromium, by Selenium) while a run goes on. The pictures are
kept in build/interop/, to be looked at."""

import http.client
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from helpers import BINARY, ROOT, gladius

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PICTURES = ROOT / "build/interop"
STEPS = 40
QUESTIONS = ["Is <b>this</b> bold?", "What is a package?", "Two\nlines & more", "M\u00fcll", "A fifth"]
needs_browser = pytest.mark.skipif(
    not BROWSER or not DRIVER, reason="NO BROWSER: the live page was not looked at; apt install chromium-driver")


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """A run without a teacher that is evaluated every ten steps."""
    directory = tmp_path_factory.mktemp("watch")
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 60, "hidden_size": 16,
              "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2}
    (directory / "student.json").write_text(json.dumps(config))
    lines = [json.dumps({"input_ids": [(first * 7 + 3 * i) % 60 for i in range(12)]}) for first in range(20)]
    (directory / "data.jsonl").write_text("\n".join(lines) + "\n")
    run = {"student": {"config": "student.json"}, "data": {"train": "data.jsonl", "eval": "data.jsonl"},
           "steps": STEPS, "eval_every": 10, "gradient_accumulation": 1}
    (directory / "run.json").write_text(json.dumps(run))
    gladius("distill", directory / "run.json", "--out", directory / "run", "--log-level", "warning")
    return directory / "run"


@pytest.fixture(scope="module")
def talking_runs(tmp_path_factory):
    """Two runs that take samples, the second of them with an expert of another vocabulary."""
    directory = tmp_path_factory.mktemp("talk")
    tokenizer = ROOT / "configs/default/tokenizer"
    sizes = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 24,
             "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": 2,
             "max_position_embeddings": 512}
    (directory / "student.json").write_text(json.dumps({**sizes, "vocab_size": 4096}))
    (directory / "expert.json").write_text(json.dumps({**sizes, "vocab_size": 600}))
    gladius("tokenizer", "train", "--data", ROOT / "configs/default/chat.jsonl", "--vocab-size", 600, "--kind",
            "byte-level", "--out", directory / "byte-level")
    shutil.copy(tokenizer / "chat_template.jinja", directory / "byte-level")
    gladius("init", "--config", directory / "expert.json", "--tokenizer", directory / "byte-level", "--out",
            directory / "expert", "--seed", 3)
    lines = [json.dumps({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]})
             for text in QUESTIONS]
    (directory / "data.jsonl").write_text("\n".join(lines) + "\n")
    run = {"student": {"config": "student.json", "tokenizer": str(tokenizer)}, "data": {"train": "data.jsonl"},
           "sample_every": 4, "gradient_accumulation": 2, "log_every": 2, "optimizer": {"lr": 0.01}}
    for name, changes in (("alone", {"steps": 8}),
                          ("taught", {"experts": [{"name": "an <other>", "model": "expert", "steps": 12}]})):
        (directory / f"{name}.json").write_text(json.dumps({**run, **changes}))
        gladius("distill", directory / f"{name}.json", "--out", directory / name, "--log-level", "warning")
    return directory / "alone", directory / "taught"


@pytest.fixture
def run(whole_run, tmp_path):
    """The same run when it has made no step; and the lines that it will write."""
    directory = tmp_path / "a <b> run"
    directory.mkdir()
    shutil.copy(whole_run / "run.json", directory)
    return directory, (whole_run / "metrics.jsonl").read_text().splitlines(keepends=True)


def append(directory, lines):
    with open(directory / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.writelines(lines)


@contextmanager
def watching(*arguments):
    """The address of a server. (It is not ended by SIGINT, which what runs in the background ignores.)"""
    process = subprocess.Popen([BINARY, "watch", *arguments, "--port", "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def get(url, **headers):
    """Status, headers and text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def look(browser, name, width, height):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    time.sleep(0.5)
    PICTURES.mkdir(parents=True, exist_ok=True)
    assert browser.save_screenshot(str(PICTURES / f"{name}.png"))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def wait_until(browser, script, wanted, seconds=60):
    """Until the script's value in the page is what is wanted."""
    end = time.monotonic() + seconds
    while (value := browser.execute_script(script)) != wanted:
        assert time.monotonic() < end, (script, value, wanted)
        time.sleep(0.1)


STEPS_SHOWN = "return document.querySelector('.run')?.dataset.steps"
DRAWN = "return state.series[0]?.loss?.length ?? 0"


def shown_values(browser):
    return browser.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('dd')].map(e => [e.dataset.key, e.dataset.value]))")


@needs_browser
def test_page_follows_a_run(run, browser):
    directory, lines = run
    with watching(directory) as url:
        browser.get(url)
        wait_until(browser, STEPS_SHOWN, "0")
        for steps in (1, 12, 30):
            append(directory, lines[len((directory / "metrics.jsonl").read_text().splitlines())
                                    if (directory / "metrics.jsonl").exists() else 0:steps])
            wait_until(browser, STEPS_SHOWN, str(steps))
            wait_until(browser, DRAWN, steps)
            last = json.loads(lines[steps - 1])
            memory = [json.loads(line).get("memory_mib") for line in lines[:steps]]
            last["memory_mib"] = [value for value in memory if value is not None][-1]
            for key, value in shown_values(browser).items():
                assert float(value) == last[key], key
        check_curves(browser, [json.loads(line) for line in lines[:30]])
        look(browser, "watch-wide", 1300, 1500)
        look(browser, "watch-telephone", 390, 1800)

        # The run is killed, and resumes from a checkpoint at step 20: other times, more steps.
        (directory / "metrics.jsonl").write_text("".join(lines[:20]))
        wait_until(browser, STEPS_SHOWN, "20")
        append(directory, lines[20:])
        wait_until(browser, DRAWN, STEPS)
        check_curves(browser, [json.loads(line) for line in lines])
        check_requests(browser, url)
    wait_until(browser, "return document.querySelector('#connection').className", "lost")


def check_curves(browser, records):
    """What is drawn is what the file says, to the bit."""
    drawn = browser.execute_script("return state.series[0]")
    names = {"loss", "loss_running_mean", "loss_window_mean", "ce", "lr", "grad_norm", "tokens_per_s", "memory_mib",
             "eval_cross_entropy"}
    parts = {f"grad_norms.{part}" for part in ("embed_tokens", "layers.0", "norm", "lm_head")}
    assert {name for name, points in drawn.items() if points} == names | parts
    for name in names | parts:
        values = [(record["step"], value_of(record, name)) for record in records]
        assert drawn[name] == [[step, *[value] * 3] for step, value in values if value is not None], name
    titles = browser.execute_script("return [...document.querySelectorAll('figure:not([hidden])')].map(f => f.dataset.name)")
    assert set(titles) == names - {"loss_window_mean"} | {"grad_norms"}
    shown = browser.execute_script("return [...document.querySelectorAll('[data-name=grad_norms] .line')].map(p => p.dataset.part)")
    assert {f"grad_norms.{part}" for part in shown} == parts


def value_of(record, name):
    """Of a line of metrics, "grad_norms.layers.0" too."""
    key, _, part = name.partition(".")
    value = record.get(key)
    return value.get(part) if part and value is not None else value


def check_requests(browser, url):
    """All went to the server, and nothing of the page was refused."""
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [entry["params"]["request"]["url"] for entry in asked if entry["method"] == "Network.requestWillBeSent"]
    assert len(addresses) > 3
    assert all(address.startswith((url, "data:")) for address in addresses), addresses
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@needs_browser
def test_zoom_and_keyboard(run, browser):
    from selenium.webdriver.common.keys import Keys

    directory, lines = run
    append(directory, lines)
    with watching(directory, directory) as url:
        browser.get(url)
        wait_until(browser, "return state.series[1]?.loss?.length ?? 0", STEPS)
        browser.execute_script("zoom([10, 19])")
        wait_until(browser, DRAWN, 10)
        plot = browser.find_element("css selector", "figure[data-name=loss] svg")
        plot.send_keys(Keys.ARROW_LEFT)
        text = browser.find_element("css selector", "figure[data-name=loss] .at").text
        assert text.startswith(f"{directory.name} 19: "), text
        plot.send_keys(Keys.ESCAPE)
        wait_until(browser, DRAWN, STEPS)
        browser.find_element("css selector", ".run button").click()
        assert browser.execute_script("return document.querySelectorAll('.run.off').length") == 1
        assert browser.execute_script("return document.querySelectorAll('[data-name=loss] .line').length") == 1
        browser.execute_script("drawRuns()")  # as each new step does
        assert browser.execute_script("return document.activeElement.textContent") == directory.name


@needs_browser
def test_layers_by_pointer_and_keyboard(talking_runs, browser):
    from selenium.webdriver.common.keys import Keys

    with watching(talking_runs[0]) as url:
        browser.get(url)
        wait_until(browser, DRAWN, 8)
        plot = browser.find_element("css selector", "figure[data-name=grad_norms] svg")
        at = "return document.querySelector('[data-name=grad_norms] .at').textContent"
        plot.send_keys(Keys.ARROW_RIGHT)
        assert browser.execute_script(at).startswith("embed_tokens 7: ")
        plot.send_keys(Keys.ARROW_UP, Keys.ARROW_LEFT)
        assert browser.execute_script(at).startswith("layers.0 5: ")
        plot.send_keys(*[Keys.ARROW_UP] * 9)
        assert browser.execute_script(at).startswith("lm_head 5: ")


@needs_browser
def test_samples_and_vocabularies(talking_runs, browser):
    for log in ("performance", "browser"):
        browser.get_log(log)  # of other pages
    with watching(*talking_runs) as url:
        browser.get(url)
        wait_until(browser, "return document.querySelectorAll('.prompt').length", 4)
        lines = [[json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()] for run in talking_runs]
        assert [[line["step"] for line in of] for of in lines] == [[3, 7], [3, 7, 11]]
        assert shown_samples(browser) == expected_samples([of[-1] for of in lines])
        check_vocabularies(browser, talking_runs[1])
        look(browser, "watch-samples-wide", 1300, 3600)
        look(browser, "watch-samples-telephone", 390, 6000)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        look(browser, "watch-samples-dark", 1300, 3600)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

        # An earlier step: each run's samples up to it.
        choose = ("const slider = document.querySelector('#sample-step'); slider.value = arguments[0];"
                  "slider.dispatchEvent(new Event('input'))")
        for at, wanted in ((1, [of[1] for of in lines]), (0, [of[0] for of in lines]), (2, [of[-1] for of in lines])):
            browser.execute_script(choose, at)
            end = time.monotonic() + 60
            while shown_samples(browser) != expected_samples(wanted):
                assert time.monotonic() < end, (shown_samples(browser), expected_samples(wanted))
                time.sleep(0.1)
        browser.find_element("css selector", ".run button").click()  # the first one is hidden
        assert {run for _, run, _ in shown_samples(browser)} == {"1"}
        check_requests(browser, url)


def shown_samples(browser):
    """Each with its prompt, the run's number and the answer."""
    return [tuple(sample) for sample in browser.execute_script("""
        return [...document.querySelectorAll('.prompt')].flatMap(prompt => [...prompt.querySelectorAll('.answer')].map(
            answer => [[...prompt.querySelectorAll('.message')].map(e => e.lastChild.textContent).join('|'),
                       answer.dataset.run, answer.querySelector('.text').textContent]))""")]


def expected_samples(lines):
    """Of a line of samples.jsonl of each run: the answers to a prompt beside each other."""
    return [("|".join(message["content"] for message in sample["messages"]), str(run),
             line["samples"][i]["answer"] + (" \u2026" if line["samples"][i]["cut"] else ""))
            for i, sample in enumerate(lines[0]["samples"]) for run, line in enumerate(lines)]


def check_vocabularies(browser, run):
    browser.execute_script("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    shown = browser.execute_script("""
        return [...document.querySelectorAll('.column')].map(column => ({
            student: [...column.children[0].children].map(e => e.textContent),
            teacher: [...column.children[1].children].map(e => e.textContent),
            compared: !column.classList.contains('alone')}))""")
    (aligned,) = json.loads((run / "alignment.json").read_text())
    assert shown == aligned["chunks"] and aligned["expert"] == "an <other>"
    newest = json.loads((run / "samples.jsonl").read_text().splitlines()[-1])
    summary = browser.execute_script("return document.querySelector('#vocabularies summary').textContent")
    assert summary.endswith(f": how an <other> reads what the student wrote at step {newest['step']}")
    assert newest["step"] == aligned["step"] == 11
    assert "".join(token for chunk in shown for token in chunk["student"]).find("bold?") > 0  # the first prompt
    compared = [chunk for chunk in shown if chunk["compared"]]
    assert any(len(chunk["teacher"]) > 1 for chunk in compared)
    for chunk in compared:
        if not any(token.startswith("<") for token in chunk["student"]):
            assert "".join(chunk["student"]) == "".join(chunk["teacher"])


@needs_browser
def test_stop_with_a_checkpoint(whole_run, tmp_path, browser):
    """The button ends the process as SIGTERM does, and the run goes on to the same bits."""
    place = whole_run.parent
    out = tmp_path / "run"
    arguments = [place / "run.json", "--out", out, "--log-level", "warning"]
    process = subprocess.Popen([BINARY, "distill", *arguments, "--set", "steps=10000000"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        while not (out / "metrics.jsonl").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        with watching(out, "--allow-stop") as url:
            browser.get(url)
            wait_until(browser, "return document.querySelector('.stop')?.checkVisibility()", True)
            button = browser.find_element("css selector", ".stop")
            button.click()
            browser.find_element("css selector", "#stop-no").click()
            assert not browser.execute_script("return document.querySelector('#stop').open")
            assert process.poll() is None
            button.click()
            look(browser, "watch-stop", 700, 900)
            browser.find_element("css selector", "#stop-yes").click()
            error = process.communicate(timeout=120)[1].decode()
            wait_until(browser, "return document.querySelector('.state').textContent.includes('stopped with a checkpoint')", True)
            wait_until(browser, "return document.querySelector('.stop').checkVisibility()", False)
    finally:
        process.kill()
    assert process.returncode == 1 and "with a checkpoint; to resume" in error, error
    assert not (out / "stop").exists()
    steps = len((out / "metrics.jsonl").read_text().splitlines()) + 5
    gladius("distill", *arguments, "--set", f"steps={steps}", "--resume", timeout=600)
    gladius("distill", place / "run.json", "--out", tmp_path / "undisturbed", "--set", f"steps={steps}", timeout=600)
    weights = [run / "model/model.safetensors" for run in (out, tmp_path / "undisturbed")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_who_may_stop(whole_run):
    def post(url, **headers):
        place = urlsplit(url)
        connection = http.client.HTTPConnection(place.netloc, timeout=60)
        connection.request("POST", "/api/stop?run=" + headers.pop("run", "0"), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    with watching(whole_run) as url:
        assert post(url, Origin=url.rstrip("/"))[0] == 405
    with watching(whole_run, "--allow-stop") as url:
        place, token = url.split("/?token=")
        assert get(place + "/")[0] == 403 and get(url)[0] == 200
        right = {"Origin": place, "X-Gladius-Token": token}
        status, text = post(url, **right)
        assert status == 409 and text == f"no process runs in {whole_run}\n"
        assert post(url, **right, run="1")[0] == 404
        assert post(url, **{**right, "X-Gladius-Token": token[:-1] + "x"})[0] == 403
        assert post(url, **{**right, "X-Gladius-Token": "", "Cookie": f"gladius_token={token}"})[0] == 403
        assert post(url, **{**right, "Origin": "http://localhost:1"})[0] == 403
        assert post(url, **{"X-Gladius-Token": token})[0] == 403
        runs = json.loads(get(f"{place}/api/runs?token={token}")[2])
        assert runs[0]["complete"] and not runs[0]["can_stop"]
    assert not (whole_run / "stop").exists()


def test_server(whole_run):
    with watching(whole_run) as url:
        runs = json.loads(get(url + "api/runs")[2])
        assert [run["name"] for run in runs] == ["run"] and runs[0]["complete"] and runs[0]["steps"] == STEPS
        last = json.loads((whole_run / "metrics.jsonl").read_text().splitlines()[-1])
        assert runs[0]["last"] == last
        series = json.loads(get(url + "api/series?run=0&points=4")[2])["series"]
        assert [point[0] for point in series["loss"]] == [0, 10, 20, 30]
        assert "default-src 'none'" in get(url)[1]["Content-Security-Policy"]
        assert get(url, Host="evil.example")[0] == 403
        assert get(url, Origin="http://evil.example")[0] == 403
        assert json.loads(get(url + "api/samples?run=0")[2]) == {"steps": [], "step": None, "samples": None}
        assert json.loads(get(url + "api/alignment?run=0")[2]) is None
        assert get(url + "api/samples?run=1")[0] == 404 and get(url + "api/samples?step=x")[0] == 400
        for query, status in (("run=1", 404), ("run=-1", 404), ("run=x", 400), ("points=0", 400), ("points=1e9", 400)):
            assert get(f"{url}api/series?{query}")[0] == status, query
        assert get(url + "../../etc/passwd")[0] == 404
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        connection.request("POST", "/api/runs")
        assert connection.getresponse().status == 405


def test_server_on_another_address_asks_for_a_token(whole_run):
    with watching(whole_run, "--host", "0.0.0.0") as url:
        place, token = url.split("?token=")
        place = place.replace("0.0.0.0", "127.0.0.1")
        assert get(place)[0] == 403 and get(place + "api/runs")[0] == 403
        status, headers, _ = get(f"{place}?token={token}")
        assert status == 200
        cookie = headers["Set-Cookie"].split(";")[0]
        assert get(place + "api/runs", Cookie=cookie)[0] == 200
        assert get(place + "api/runs", Cookie=cookie[:-1])[0] == 403


def test_what_is_no_run_is_refused(tmp_path):
    done = subprocess.run([BINARY, "watch", tmp_path], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.decode() == f"gladius: error: {tmp_path} holds no run (no run.json)\n"


def test_a_port_that_is_taken(whole_run):
    with watching(whole_run) as url:
        port = str(urlsplit(url).port)
        done = subprocess.run([BINARY, "watch", whole_run, "--port", port], capture_output=True, timeout=60)
        assert done.returncode == 1
        assert f"cannot listen on port {port} of 127.0.0.1" in done.stderr.decode()
