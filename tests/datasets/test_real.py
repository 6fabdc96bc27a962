"""The publishers' files: counts equal those that they publish. Skipped where the files are not at hand."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import graphclust as gc
from graphclust import datasets
from graphclust.datasets.cache import checksum, find
from graphclust.datasets.entries import entry_of

# name: nodes, edges, directed, features, classes
GRAPHS = {
    "dolphins": (62, 159, False, None, 2),
    "football": (115, 613, False, None, 12),
    "polbooks": (105, 441, False, None, 3),
    "polblogs": (1490, 19025, True, None, 2),
    "email-Eu-core": (1005, 25571, True, None, 42),
    "graphchallenge-50": (50, 319, True, None, 3),
    "graphchallenge-100": (100, 778, True, None, 5),
    "graphchallenge-500": (500, 9384, True, None, 8),
    "graphchallenge-1000": (1000, 20135, True, None, 11),
    "cora": (2708, 5278, False, 1433, 7),
    "citeseer": (3327, 4552, False, 3703, 6),
    "acm": (3025, 13128, False, 1870, 3),
    "dblp": (4057, 3528, False, 334, 4),
    "citeseer-sdcn": (3327, 4552, False, 3703, 6),
    "reuters-10k": (10_000, 91_645, False, None, 4),
}
TABLES = {
    "zoo": (101, 16, 7),
    "ecoli": (336, 7, 8),
    "movement-libras": (360, 90, 15),
    "mice-protein": (1080, 77, 8),
    "ctg": (2126, 21, 10),
    "segment": (2310, 19, 7),
    "yale": (165, 1024, 15),
    "usps": (9298, 256, 10),
    "usps-test": (2007, 256, 10),
    "mnist-test": (10_000, 784, 10),
    "fashion-mnist-test": (10_000, 784, 10),
    "reuters21578": (7984, 12_411, 20),
    "mnist": (70_000, 784, 10),
    "fashion-mnist": (70_000, 784, 10),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(real, name):
    nodes, edges, directed, features, classes = GRAPHS[name]
    graph = datasets.load(name)
    assert (graph.num_nodes, graph.num_edges, graph.directed) == (nodes, edges, directed)
    assert graph.weight is None
    assert (None if graph.x is None else graph.x.shape) == (None if features is None else (nodes, features))
    assert set(graph.y.tolist()) - {-1} == set(range(classes))
    assert (graph.y < 0).sum() == (15 if name == "citeseer" else 0)
    assert len(graph.meta["classes"]) == classes


@pytest.mark.parametrize(
    "name", [*list(TABLES)[:-2], *(pytest.param(n, marks=pytest.mark.slow) for n in list(TABLES)[-2:])]
)
def test_tables(real, name):
    nodes, features, classes = TABLES[name]
    graph = datasets.load(name)
    assert (graph.x.shape, graph.num_edges) == ((nodes, features), 0)
    values = graph.x.data if hasattr(graph.x, "indptr") else graph.x
    assert np.isfinite(values).all()
    assert graph.y.dtype == np.int64
    assert set(graph.y.tolist()) == set(range(classes)) == set(range(len(graph.meta["classes"])))


def test_mice_protein_has_the_missing_values_of_uci(real):
    assert datasets.load("mice-protein").meta["imputed"] == 1396


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "lines", "distinct", "pairs"),
    [
        ("com-amazon", 13_178, 33_767, 3861, 1099, 25),
        pytest.param("com-dblp", 317_080, 1_049_866, 4245, 4217, 4820, marks=pytest.mark.slow),
        pytest.param("com-youtube", 47_135, 300_717, 2856, 2816, 199_263, marks=pytest.mark.slow),
    ],
)
def test_snap(real, name, nodes, edges, lines, distinct, pairs):
    graph = datasets.load(name)
    assert (graph.num_nodes, graph.num_edges, graph.weight) == (nodes, edges, None)
    assert len(gc.io.source.open_source(datasets.path(name, labels=True)).text().splitlines()) == lines
    assert len(graph.meta["communities"]) == distinct
    assert len(datasets.community_pairs(graph, "all")) == pairs


@pytest.mark.parametrize("name", ["cora", "citeseer"])
def test_planetoid_arrays_are_what_python_unpickles(real, name):
    """The publisher's own files may be trusted: the standard unpickler is the judge of the restricted one."""
    parts = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in ("allx", "ally", "tx", "ty", "graph"):
            data = (real / f"planetoid/ind.{name}.{part}").read_bytes()
            parts[part] = pickle.loads(data, encoding="latin-1")
    test = np.loadtxt(real / f"planetoid/ind.{name}.test.index", dtype=int)
    graph, first = datasets.load(name), parts["allx"].shape[0]
    assert (graph.x[:first] != parts["allx"]).nnz == 0
    assert (graph.x[test] != parts["tx"]).nnz == 0
    assert graph.x.nnz == parts["allx"].nnz + parts["tx"].nnz
    labels = np.concatenate((parts["ally"], parts["ty"]))
    y = graph.y[np.concatenate((np.arange(first), test))]
    assert np.array_equal(np.where(labels.any(axis=1), labels.argmax(axis=1), -1), y)
    assert graph.meta["split"]["train"].tolist() == list(range(20 * len(graph.meta["classes"])))
    edges = {frozenset((u, v)) for u, ends in parts["graph"].items() for v in ends if u != v}
    assert {frozenset(edge) for edge in graph.edges()} == edges


def test_checksums_of_the_registry_are_those_of_the_files(real):
    checked = 0
    for entry in datasets.registry().values():
        for file in entry.files.values():
            if file.sha256 and (path := find(file)) and path.stat().st_size < 1 << 21:
                assert checksum(path) == file.sha256, file.name
                checked += 1
    assert checked > 30


def test_newmans_gml_becomes_the_edge_list(real, tmp_path):
    """What a download of football.zip would leave is the edge list that is there."""
    import zipfile

    from graphclust.datasets import classic

    for name in ("football", "polbooks"):
        archive = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            packed.write(real / f"classic/{name}.gml", f"{name}.gml")
        files = entry_of(name).files
        classic.unpack(archive, tmp_path, files)
        for file in files.values():
            ours, nx_graph = (sorted((folder / file.name).read_text().splitlines()) for folder in (tmp_path, real))
            assert ours == nx_graph
