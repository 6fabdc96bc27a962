"""Resolution profiles: the envelope against a search over all resolutions, and what is told."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.__main__ import main
from graphclust.detection.profile import _Lines
from graphclust.inference.description_length import describe
from tests.noted import codes


@pytest.mark.parametrize("seed", range(20))
def test_each_partition_is_the_best_one_in_its_range(seed):
    rng = np.random.default_rng(seed)
    graph = gc.as_graph(nx.gnm_random_graph(30, 80, seed=seed))
    lines = _Lines(graph, 16.0)
    for k in rng.integers(1, 31, 12):
        lines.add(rng.integers(0, k, 30), 1.0)
    rows = lines.envelope()
    assert rows[0][1] == 0.125
    assert rows[-1][2] == 16
    assert all(row[2] == after[1] for row, after in pairwise(rows))
    for gamma in np.geomspace(0.126, 15.9, 200):
        best = max(gc.metrics.modularity(graph, labels, gamma) for labels in lines.partitions)
        (place,) = {i for i, first, last in rows if first <= gamma < last}
        assert gc.metrics.modularity(graph, lines.partitions[place], gamma) == pytest.approx(best, abs=1e-12)


def test_the_planted_communities_have_the_widest_range_and_the_shortest_description():
    graph = gc.generators.planted_partition(240, 6, p_in=0.4, p_out=0.02, random_state=0)
    result = gc.profile(graph)
    shortest = result.shortest
    assert gc.metrics.ami(shortest.communities.labels, graph.y) == 1
    assert np.log(shortest.resolution_to / shortest.resolution_from) == pytest.approx(
        max(np.log(row.resolution_to / row.resolution_from) for row in result.rows)
    )
    assert result.auto.resolution_from == shortest.resolution_from
    assert shortest.resolution_from < result.resolution < shortest.resolution_to
    assert shortest.ami == pytest.approx(1)
    for row in result.rows:
        assert row.n_clusters == row.communities.n_clusters
        assert row.modularity == pytest.approx(row.communities.quality()["modularity"])
    lengths = {row.n_clusters: row.description_length for row in result.rows}
    described = {row.n_clusters: describe(graph, row.communities.labels, "planted").total for row in result.rows}
    assert min(lengths, key=lengths.get) == min(described, key=described.get)


def test_profiles_do_not_depend_on_the_order_of_nodes_and_leave_isolated_nodes_alone():
    graph = gc.datasets.load("les-miserables").to_networkx()
    graph.add_nodes_from(["nobody", "no one"])
    shuffled = nx.Graph()
    nodes = list(graph)
    shuffled.add_nodes_from(nodes[i] for i in np.random.default_rng(0).permutation(len(nodes)))
    shuffled.add_edges_from(graph.edges(data=True))
    first, other = (gc.profile(some, n_runs=15) for some in (graph, shuffled))
    assert first.to_frame().equals(other.to_frame())
    for row, same in zip(first.rows, other.rows, strict=True):
        assert row.communities.membership == same.communities.membership
        assert len(row.communities.communities[row.communities.membership["nobody"]]) == 1


def test_graphs_of_other_kinds():
    graph = nx.gnp_random_graph(30, 0.2, seed=0, directed=True)
    directed = gc.profile(graph, n_runs=5)
    assert directed.n_runs <= 5
    assert "dropped-directions" in codes(directed.notes)
    plain = gc.as_graph(graph).undirected()
    for row in directed.rows:
        assert row.modularity == pytest.approx(gc.metrics.modularity(plain, row.communities.labels))
    assert gc.profile([(0, 1)], n_runs=3).rows[0].n_clusters in (1, 2)
    with pytest.raises(gc.UsageError, match="without edges"):
        gc.profile(nx.empty_graph(4))
    with pytest.raises(gc.UsageError, match="n_runs"):
        gc.profile("data:karate", n_runs=0)


def test_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    result = gc.profile("data:karate", n_runs=15)
    assert main(["profile", "data:karate", "--runs", "15", "--format", "json", "--figure", "p.svg"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == result.to_dict()
    assert "auto chose 2 communities by the model planted" in err
    assert "description length (nats)" in (tmp_path / "p.svg").read_text()
    assert main(["profile", "data:karate", "--runs", "15", "--format", "csv", "-q", "-o", "p.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text())))
    assert [int(row["n_clusters"]) for row in rows] == [row.n_clusters for row in result.rows]
    assert [row["shortest"] for row in rows].count("*") == 1
    assert main(["profile", "data:karate", "--runs", "5", "-q"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["resolution_from", "resolution_to", "n_clusters"]
    assert main(["profile", "data:karate", "--figure", "p.bmp"]) == 2
    assert "--figure draws .png" in capsys.readouterr().err


def test_coarser_and_finer_neighbours():
    graph = gc.generators.nested_sbm(300, 3, 4, p_in=0.6, p_middle=0.15, p_out=0.01, random_state=0)
    finest = gc.detect(graph, hierarchy=True)
    middle = finest.coarser()
    assert middle.n_clusters < finest.n_clusters
    assert np.array_equal(middle.labels, finest.hierarchy.levels[1])
    assert np.array_equal(middle.finer().labels, finest.labels)
    with pytest.raises(gc.UsageError, match="finest level"):
        finest.finer()
    coarsest = finest
    for _ in range(len(finest.hierarchy) - 1):
        coarsest = coarsest.coarser()
    with pytest.raises(gc.UsageError, match="coarsest level"):
        coarsest.coarser()
    flat = gc.detect(graph, "leiden")
    assert flat.coarser().n_clusters == flat.n_clusters // 2
    assert "seeds" not in codes(flat.coarser().notes)
    with pytest.raises(gc.UsageError, match="need a hierarchy"):
        flat.finer()
    with pytest.raises(gc.UsageError, match="no coarser communities"):
        gc.detect(graph, "leiden", n_clusters=1).coarser()
