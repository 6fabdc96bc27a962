"""Fixtures: seeds, real data where there is some, and a guard against tests that leave global state behind."""

from __future__ import annotations

import importlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # the tests run in as many processes as there are cores

import numpy as np
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells do for what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as nohup does
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parents[1]
# Folders of tests: those first that need no compiled loops, then in the order in which `warm_up` compiles them.
ORDER = (
    "io", "graph", "metrics", "datasets", "generators", "nn", "models", "training", "runtime", "problem", "studies",
    "results", "report", "inference", "methods", "kernels", "cli",
)  # fmt: skip
WARM_UP = pytest.StashKey[subprocess.Popen[bytes]]()
SHARED = Path(os.environ.get("GRAPHCLUST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out the tests of long_tests.txt")


def pytest_configure(config):
    """Compile the numba loops in one process while the test processes start; otherwise each of them would do so."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        config.stash[WARM_UP] = subprocess.Popen([sys.executable, "-m", "tests.warm_up"], cwd=ROOT)
    else:
        importlib.import_module("sklearn.cluster")  # this draws a random number, which is not ours to answer for


def pytest_unconfigure(config):
    if WARM_UP in config.stash:
        config.stash[WARM_UP].kill()
        config.stash[WARM_UP].wait()


def pytest_collection_modifyitems(config, items):
    """Leave out long tests if asked to, and put the others in an order in which none waits for compiled loops."""
    if config.getoption("quick"):
        left_out = set((ROOT / "tests" / "long_tests.txt").read_text().split("\n"))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
        items[:] = [item for item in items if item.nodeid not in left_out]

    def place(item):
        in_tests = item.path.relative_to(ROOT / "tests").parts if ROOT / "tests" in item.path.parents else ()
        folder = "studies" if item.path.stem in ("test_lfr", "test_mixed") else in_tests[0] if in_tests else "methods"
        return ORDER.index(folder) if folder in ORDER else ORDER.index("methods")

    items.sort(key=place)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data sets; only the tests that need more than the bundled graphs ask for it."""
    if not SHARED.is_dir():
        pytest.skip("real data are not here (GRAPHCLUST_DATA)")
    return SHARED


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)


@pytest.fixture(autouse=True)
def _global_state_is_kept(monkeypatch):
    """No call may change the random generators that belong to the caller."""
    monkeypatch.delenv("GRAPHCLUST_MEMORY", raising=False)
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(7)
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    yield
    assert random.getstate() == python, "the test's code drew from Python's global generator"
    after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(after[1], numpy[1]), "the test's code drew from NumPy's global generator"
    if "torch" in sys.modules:
        import torch

        assert torch.get_default_dtype() == torch.float32, "the default dtype was changed"
