"""The examples of docs/extending.md: each is one file and one line, and works from the command line.

The contract of all methods (tests/methods/test_methods.py) runs on the documented method, too.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib

import graphclust as gc
from graphclust.datasets import entries
from graphclust.generators.families import FAMILIES, Family
from graphclust.io.formats import FORMATS, Format
from tests.cli.conftest import cli  # noqa: F401  a fixture
from tests.examples import PAGE, documented_method, example, registered, written


def test_a_method(cli, tmp_path):  # noqa: F811
    with documented_method(tmp_path) as name:
        result = cli("detect", "data:karate", "--method", name, "-k", 2)
        assert (result.code, set(result.table.values())) == (0, {0, 1})
        assert name in cli("methods").out


def test_a_format(cli, tmp_path):  # noqa: F811
    path = tmp_path / "karate.lgl"
    with (
        written("graphclust/io/lgl.py", "graphclust.io.lgl", tmp_path),
        registered(FORMATS, "FORMATS", Format=Format),
    ):
        assert cli("convert", "data:karate", path).code == 0
        assert gc.read_graph(path).num_edges == 78
        assert len(cli("detect", path, "--method", "leiden").table) == 34


def test_a_family(cli, tmp_path):  # noqa: F811
    out, labels = tmp_path / "g.tsv", tmp_path / "labels.tsv"
    with (
        written("generators/caveman.py", "graphclust.generators.caveman", tmp_path) as module,
        registered(FAMILIES, "FAMILIES", Family=Family, caveman=module.caveman) as name,
    ):
        result = cli("generate", name, "--caves", 4, "--seed", 1, "--out", out, "--labels", labels)
        assert result.code == 0, result.err
        scores = cli("compare", out, "--methods", "leiden", "--truth", labels, "--format", "json").out
        assert json.loads(scores)[0]["ami"] == 1


def test_a_data_set(cli, tmp_path, monkeypatch):  # noqa: F811
    ((name, fields),) = tomllib.loads(example("data/registry.toml")).items()
    monkeypatch.setitem(entries.registry(), name, entries._entry(name, fields))
    monkeypatch.setenv("GRAPHCLUST_DATA", str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "network.edgelist").write_text("0 1\n1 2\n0 2\n2 3\n3 4\n4 5\n3 5\n")
    assert len(cli("detect", f"data:{name}", "--method", "leiden").table) == 6
    assert name in cli("data", "list").out


def test_your_own_methods_and_graphs(cli, tmp_path, monkeypatch):  # noqa: F811
    section = PAGE.partition("## Your own methods and graphs")[2].partition("\n## ")[0]
    methods, graphs = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_methods.py").write_text(methods)
    (tmp_path / "my_graphs.py").write_text("import graphclust as gc\nimport networkx as nx\n" + graphs)
    for name in ("graph-0", "graph-1", "graph-2"):
        drawn = cli("generate", "cluster", "--seed", name[-1], "--labels", f"{name}.labels.tsv", "--out", f"{name}.gml")
        assert drawn.code == 0, drawn.err
    (tmp_path / "my-networks").mkdir()
    for path in tmp_path.glob("graph-*"):
        path.rename(tmp_path / "my-networks" / path.name)
    assert cli("convert", "data:karate", "graph.edgelist").code == 0
    commands = re.findall(r"^    graphclust (.*)$", section, re.MULTILINE)
    assert len(commands) == 5
    for words in map(shlex.split, commands):
        brief = ["--steps", 1, "--batch-size", 2, "--dim", 8, "--n-z", 1] if words[0] == "train" else []
        result = cli(*words, *brief)
        assert result.code == 0, result.err
