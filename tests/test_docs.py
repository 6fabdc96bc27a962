"""The site is built without a warning, its tables are those of results/, commands exist, and Python runs."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust import METHODS
from graphclust.datasets import pairs as pairs_of
from graphclust.generators import pairs as family

matplotlib.use("Agg")

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TRAINING = (ROOT / "docs" / "training.md").read_text()
BRIEF = ["--steps", "1", "--batch-size", "2", "--eval-graphs", "0", "--device", "cpu"]


def commands(text):
    """Split what is written as commands into words, without what they are piped to."""
    complete = text.replace("\\\n", " ")
    for line in re.findall(r"^(?:    |\$ )(?:\S+ \S+ \| )?(graphclust [^`\n]*)", complete, re.MULTILINE):
        yield shlex.split(line.split(" | ")[0].split(" > ")[0].split("  #")[0])


def without(words, *options):
    """Leave out options that have a value."""
    return [word for before, word in zip(["", *words], words, strict=False) if not {before, word} & set(options)]


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    api = (tmp_path / "site" / "api" / "index.html").read_text()
    for name in ("Posterior.co_membership", "generators.general_sbm", "generators.lfr.lfr", "errors.DataError"):
        assert f'id="graphclust.{name}"' in api
    results = (tmp_path / "site" / "results" / "index.html").read_text()
    assert "{{" not in results
    assert "GraphTransformer + Pos Enc. + ACP" in results


def test_tables_hold_what_was_measured(hooks):
    shown = hooks.table("lnscc-table2", "data, method, accuracy as ACC, seconds").splitlines()
    assert shown[0] == "| data | method | ACC | seconds |"
    assert any(re.fullmatch(r"\| usps \| lnscc \| 0\.9\d\d ± 0\.\d{3} \| [\d.,]+ \|", line) for line in shown)
    assert hooks.cell({"x": 1234.5}, "x") == "1,234"
    assert hooks.cell({"x": 0.5, "x_se": 0.25}, "x") == "0.500 ± 0.250"
    assert hooks.cell({}, "x") == ""
    assert hooks.table("none-such", "data") == "*Not measured yet.*"


def test_calibration_error_of_uncertain_pairs(hooks):
    """By hand on four bins; and in the table it is the mean over the pairs that the file has between .05 and .95."""
    bins = [
        {"from": 0.0, "pairs": 1000, "predicted": 0.01, "observed": 0.0},
        {"from": 0.05, "pairs": 30, "predicted": 0.07, "observed": 0.03},
        {"from": 0.9, "pairs": 10, "predicted": 0.92, "observed": 1.0},
        {"from": 0.95, "pairs": 1000, "predicted": 0.97, "observed": 1.0},
    ]
    assert hooks.uncertain_error(bins) == pytest.approx((30 * 0.04 + 10 * 0.08) / 40)

    shown = hooks.table("acp-table2", "row, calibration_error as all, calibration_error_uncertain as uncertain")
    errors = dict(re.findall(r"^\| GraphTransformer \+ Pos Enc. \+ (\S+) \| \S+ \| (\S+) \|$", shown, re.MULTILINE))
    measured = json.loads((ROOT / "results" / "acp-table2.json").read_text())["calibration"]
    assert {name.lower() for name in errors} == set(measured)
    for name, error in errors.items():
        distance, pairs = 0.0, 0
        for row in measured[name.lower()]:
            if 0.04 < row["from"] < 0.94:
                distance += row["pairs"] * abs(row["predicted"] - row["observed"])
                pairs += row["pairs"]
        assert float(error) == pytest.approx(distance / pairs, abs=5e-4)


def test_every_method_has_a_page():
    reported = "\n".join(page.read_text() for page in (ROOT / "docs" / "methods").glob("*.md"))
    for name in METHODS:
        assert re.search(rf"\b{re.escape(name)}\b", reported), name
    nav = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES:
        assert str(page.relative_to(ROOT / "docs")) in nav


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_commands_and_options_exist(page):
    """Names of subcommands and of options in what is written as a command."""
    from typer.main import get_command

    from graphclust.cli import app

    top = get_command(app)
    text = page.read_text()
    for words in commands(text):
        command = top.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        if words[1] == "generate":
            continue  # its subcommands are made when it runs; tests/cli has them
        for word in words[2:]:
            if word.startswith("--"):
                assert word.split("=")[0] in known, words
    everywhere = {o for command in top.commands.values() for p in command.params for o in p.opts + p.secondary_opts}
    for code in re.findall(r"`([^`\n]+)`", text):
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)) <= everywhere | {"--help"}, code


def python_of(page):
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem in ("cnc", "lnscc") else [])
        for page in PAGES
        if python_of(page) and page.parent.name != "walkthroughs"  # tests/test_walkthroughs.py
    ],
)
def test_python_runs(page, rng, tmp_path, monkeypatch):
    """Each page from top to bottom; what its first lines take for granted is gc, a graph G and a table x."""
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)  # a page may save a figure

    x = np.concatenate([rng.normal(3 * i, 0.3, (20, 4)) for i in range(3)])
    names = {"gc": gc, "G": nx.les_miserables_graph(), "x": x}
    for code in python_of(page):
        exec(compile(code, str(page), "exec"), names)
    plt.close("all")


# ---------------------------------------------------------------- training.md


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run a command where there is a graph.edgelist; it has to succeed."""
    from graphclust.__main__ import main

    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "data" / "karate.edgelist", "graph.edgelist")

    def call(words):
        monkeypatch.setattr(sys, "argv", words)
        code = main(words[1:])
        out, err = capfd.readouterr()
        assert code == 0, (words, err)
        return out, err

    return call


@pytest.mark.slow
def test_commands_of_training_run(run):
    """One after the other, as they stand there, but shorter; no graph that a family may draw is refused."""
    from graphclust.cli.common import parse_pairs
    from graphclust.generators.families import stream

    kinds = []
    for words in commands(TRAINING):
        kinds.append(words[1])
        if words[1] != "train":
            out, _ = run(words)
            assert len(out.splitlines()) > 34
            continue
        options = dict(itertools.pairwise(words))
        sets = [value for option, value in itertools.pairwise(words) if option == "--set"]
        batch = next(stream(options["--family"], batch_size=100, **parse_pairs("--set", sets)))
        assert len(batch) == 100
        _, err = run([*words, *BRIEF])
        if "--start" in options:
            assert f"settings from {options['--start']}: --encoder graph-transformer" in err
    assert kinds == ["train", "detect", "train", "train"]


OPTIONS = dict.fromkeys(re.findall(r"`(--[^`]+)`", TRAINING.split("## The published models")[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", [code for code in OPTIONS if "--processes" not in code]
)  # those: tests/cli/test_train.py
def test_options_of_training_run(run, code, monkeypatch):
    """Each `--option` of the page beside the page's own command."""
    words = next(words for words in commands(TRAINING) if words[1] == "train")
    more = shlex.split(code)
    if code.startswith("--set"):
        ring = nx.ring_of_cliques(30, 12)
        network = gc.as_graph(ring)
        network.meta["communities"] = [np.arange(first, first + 12) for first in range(0, 360, 12)]
        actual = pairs_of.community_pairs
        monkeypatch.setattr(pairs_of, "community_pairs", lambda _, *more: actual(network, *more))
        family._pairs.cache_clear()
        words = [*without(words, "--family", "--set"), "--family", "community-pairs", "--set", "data=com-dblp"]
    elif "--benchmark" in more:
        words = without(words, "--start", "--out")
    elif more == ["--workers"]:
        more.append("1")
    elif more == ["--save-every"]:
        more.append("2")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        run([*words, *more, *BRIEF])
    family._pairs.cache_clear()
