"""The registry and the bundled graphs; the real ones where they are at hand."""

from __future__ import annotations

import numpy as np
import pytest

import graphclust as gc
from graphclust import datasets


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
    if classes:
        assert len(set(graph.y.tolist())) == classes
        assert (graph.y >= 0).all()


def test_every_entry_is_whole():
    for entry in datasets.registry().values():
        assert entry.what
        assert entry.licence
        assert entry.origin
        assert entry.bundled or entry.graph in entry.url
        assert not entry.bundled or entry.is_here()


def test_what_is_not_here_says_what_to_put_where(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHCLUST_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(gc.DataError, match=rf"put https://snap.* at {tmp_path}"):
        datasets.path("com-dblp")
    (tmp_path / "snap").mkdir()
    (tmp_path / "snap/email-Eu-core.txt.gz").write_bytes(b"1 2\n2 3\n")
    assert gc.read_graph("data:email-Eu-core").num_edges == 2


def test_real_graphs_have_the_published_counts(shared_data, monkeypatch):
    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    graph = gc.read_graph("data:com-dblp")
    assert (graph.num_nodes, graph.num_edges) == (317_080, 1_049_866)
    assert graph.weight is None
    email = gc.read_graph("data:email-Eu-core", directed=True)
    assert (email.num_nodes, email.num_edges, email.num_self_loops) == (1005, 25571, 642)
    football = gc.read_graph(shared_data / "classic/football.gml")
    assert (football.num_nodes, football.num_edges) == (115, 613)
    blogs = gc.read_graph(shared_data / "classic/polblogs.gml.gz")
    assert (blogs.num_nodes, blogs.directed) == (1490, True)
    assert np.isfinite(blogs.edge_weight).all()
