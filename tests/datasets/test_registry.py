"""The registry, the bundled graphs, and what is said of data sets that are not here."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import graphclust as gc
from graphclust import datasets
from graphclust.__main__ import main
from graphclust.datasets.cache import is_here
from graphclust.datasets.entries import entry_of, function

FAMILIES = Path(datasets.__file__).parent


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "classes"),
    [
        ("karate", 34, 78, 2),
        ("les-miserables", 77, 254, None),
        ("planted", 200, 1514, 4),
        ("ring-of-cliques", 60, 132, 12),
    ],
)
def test_bundled_graphs(name, nodes, edges, classes):
    graph = gc.datasets.load(name)
    assert (graph.num_nodes, graph.num_edges) == (nodes, edges)
    assert (graph.y is None) == (classes is None)
    assert graph.meta["name"] == name
    if classes:
        assert graph.y.dtype.name == "int64"
        assert set(graph.y.tolist()) == set(range(classes))
        assert len(graph.meta["classes"]) == classes


@pytest.mark.parametrize("entry", datasets.registry().values(), ids=lambda entry: entry.name)
def test_every_entry_is_whole(entry):
    assert entry.what
    assert entry.licence
    assert entry.origin
    inspect.signature(function(entry.loader)).bind(entry.files, **entry.options)
    assert is_here(entry) or not entry.bundled
    for file in entry.files.values():
        assert not file.name.startswith("/")
        assert re.fullmatch("([0-9a-f]{64})?", file.sha256)
        assert entry.bundled or file.url.startswith("https://") or entry.archive or entry.hint


def test_names_are_found_however_they_are_spelt():
    assert entry_of("COM_DBLP") is entry_of("com-dblp")
    assert entry_of("micepe").name == "mice-protein"
    with pytest.raises(gc.UsageError, match="did you mean football"):
        datasets.load("fotball")
    with pytest.raises(gc.UsageError, match="unknown data set 'nosuch'; choose from"):
        datasets.path("nosuch")


def test_what_is_not_here_says_what_to_put_where(folder):
    with pytest.raises(gc.DataError, match=r"data download email-Eu-core.*https://snap.*labels.txt.gz") as error:
        datasets.path("email-Eu-core")
    for place in (folder.path, folder.cache):
        assert str(place) in str(error.value)
    folder.put("snap/email-Eu-core.txt.gz", "1 2\n2 3\n")
    assert datasets.path("email-Eu-core") == folder.path / "snap/email-Eu-core.txt.gz"
    with pytest.raises(gc.UsageError, match="no known communities"):
        datasets.path("les-miserables", labels=True)


def test_what_cannot_be_downloaded_says_what_to_put_where(folder):
    """Words of this collection have no address: no connection is tried."""
    with pytest.raises(gc.DataError, match=rf"reuters21578.*put text/reut.* at {folder.path}.*indptr"):
        datasets.load("reuters21578")


def test_reading_options_are_for_edge_lists():
    assert not gc.datasets.load("les-miserables", weights=False).is_weighted
    with pytest.raises(gc.UsageError, match="weights: only for edge lists"):
        datasets.load("zoo", weights=False)
    with pytest.raises(gc.UsageError, match="directed: only for edge lists"):
        datasets.load("cora", directed=True)


def test_import_is_light():
    heavy = {"torch", "torch_geometric", "ogb", "pooch", "requests", "scipy", "pandas", "pyarrow"}
    code = f"import graphclust.datasets as d; d.registry(); import sys; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def test_only_one_module_imports_torch_geometric():
    importing = set()
    for path in FAMILIES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "ogb" for name in names)
            if any(name.split(".")[0] == "torch_geometric" for name in names):
                importing.add(path.name)
    assert importing == {"pyg.py"}


def run(capfdbinary, *args):
    capfdbinary.readouterr()
    code = main(["data", *args])
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def test_command_line(capfdbinary, folder):
    code, out, _ = run(capfdbinary, "list", "--format", "json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert set(rows) == set(datasets.registry())
    assert (rows["karate"]["here"], rows["cora"]["here"]) == ("yes", "no")
    assert rows["zoo"]["download"] == 3434
    assert "MiB" in run(capfdbinary, "list")[1]
    code, out, _ = run(capfdbinary, "download", "karate")
    assert (code, [Path(line).name for line in out.split()]) == (0, ["karate.edgelist", "karate.labels.tsv"])
    code, out, err = run(capfdbinary, "path", "cora")
    assert (code, out) == (1, "")
    assert str(folder.path) in err
    assert run(capfdbinary, "download", "nosuch")[0] == 2
