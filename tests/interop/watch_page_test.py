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
    names = {"loss", "loss_running_mean", "loss_window_mean", "ce", "lr", "grad_norm", "tokens_per_s",
             "eval_cross_entropy"}
    assert {name for name, points in drawn.items() if points} == names
    for name in names:
        expected = [[record["step"], *[record[name]] * 3] for record in records if record.get(name) is not None]
        assert drawn[name] == expected, name
    titles = browser.execute_script("return [...document.querySelectorAll('figure:not([hidden])')].map(f => f.dataset.name)")
    assert set(titles) == names - {"loss_window_mean"}


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
