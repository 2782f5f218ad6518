"""The run's seed, and what the tests measured."""

import os

# Before transformers is imported: nothing is fetched, and no advice is printed.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TRANSFORMERS_VERBOSITY="error",
                  HF_HUB_DISABLE_PROGRESS_BARS="1")
# Threads that wait by spinning keep each other from work where other programs run too.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import random
import secrets

import pytest
import torch
import transformers
from bfcl_calls import load_checker
from helpers import WORST, note_worst

torch.set_num_threads(1)  # the models are tiny
transformers.utils.logging.disable_progress_bar()

SEED = os.environ.setdefault("GLADIUS_SEED", str(secrets.randbelow(2**31)))  # also of the workers


def pytest_report_header():
    return f"GLADIUS_SEED={SEED} (set it to repeat this run's random cases)"


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # a worker of pytest-xdist
        session.config.workeroutput["worst"] = WORST


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for name, (value, limit) in getattr(node, "workeroutput", {}).get("worst", {}).items():
        note_worst(name, value, limit)


def pytest_terminal_summary(terminalreporter):
    for name, (value, limit) in sorted(WORST.items()):
        terminalreporter.write_line(f"worst {name}: {value:.2e} (limit {limit:.3g})")


@pytest.fixture
def rng(request):
    """Random numbers of this test alone, whichever tests run beside it."""
    print(f"GLADIUS_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.nodeid.rsplit('/', 1)[-1]}")


@pytest.fixture(scope="module")
def bfcl():
    """The folder of the package bfcl-eval, and its checker."""
    return load_checker()
