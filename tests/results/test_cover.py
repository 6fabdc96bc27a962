"""Overlapping communities: memberships by their definition, on graphs whose overlap is known, in all formats."""

from __future__ import annotations

import json
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from scipy.stats import poisson

import graphclust as gc
from graphclust.__main__ import main
from graphclust.kernels.overlap import overlapping_memberships
from graphclust.problem.constraints import connected_parts
from graphclust.results.cover import Cover
from tests.noted import codes


def cliques():
    """Two cliques of six with a node in common, and a node that hangs on one of them."""
    return [*combinations(range(6), 2), *combinations(range(5, 11), 2), (0, "x")]


def one_round(graph, labels):
    """The memberships after the first round, by loops over the definition."""
    adjacency = graph.to_networkx()
    degree, total = dict(adjacency.degree()), 2 * adjacency.number_of_edges()
    label = dict(zip(adjacency, labels.tolist(), strict=True))
    apart = np.mean([label[i] != label[j] for i, j in adjacency.edges])
    volume = [sum(degree[i] for i in adjacency if label[i] == c) for c in range(labels.max() + 1)]
    rows = []
    for i in adjacency:
        number = [sum(label[j] == c for j in adjacency[i]) for c in range(labels.max() + 1)]
        joined = {label[i]}
        for c, edges in enumerate(number):
            chance = poisson.sf(edges - 1, max(apart, 1 / total) * degree[i] * volume[c] / total)
            if edges and chance < 0.05 and edges >= max(number) / 2:
                joined.add(c)
        rows.append(joined)
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_the_first_round_is_its_definition(seed, monkeypatch):
    monkeypatch.setattr("graphclust.kernels.overlap._ROUNDS", 1)
    graph = gc.generators.planted_partition(60, 4, p_in=0.4, p_out=0.1, random_state=seed)
    labels = gc.detect(graph, "leiden", resolution=1.5).labels
    weights = overlapping_memberships(graph.adjacency(), labels)
    rows = [set(weights.indices[weights.indptr[i] : weights.indptr[i + 1]].tolist()) for i in range(60)]
    assert rows == one_round(graph, labels)
    assert sum(map(len, rows)) > 60


def test_a_node_between_two_cliques_is_in_both():
    communities = gc.detect(cliques(), "leiden", overlapping=True)
    cover = communities.cover
    assert cover.n_overlapping == 1
    assert cover.memberships[5] == pytest.approx({0: 0.5, 1: 0.5})
    assert sorted(map(len, cover)) == [6, 7]
    assert communities.n_clusters == 2
    assert codes(communities.notes).count("overlap") == 1
    assert repr(cover) == "Cover(2 of 12 nodes, 1 in several)"


@pytest.mark.parametrize(("mu", "memberships"), [(0.1, 2), (0.1, 4), (0.3, 2)])
def test_overlapping_communities_are_recovered(mu, memberships):
    graph = gc.generators.lfr(1000, mu=mu, overlapping_nodes=100, memberships=memberships, random_state=0)
    cover = gc.detect(graph, overlapping=True).cover
    scores = cover.score([set(part.tolist()) for part in graph.meta["communities"]])
    assert scores["onmi"] > 0.97
    assert scores["average_f1"] > 0.98
    assert scores["omega"] > 0.97
    flat = gc.metrics.onmi([np.flatnonzero(graph.y == c) for c in np.unique(graph.y)], graph.meta["communities"], 1000)
    assert scores["onmi"] > flat


@pytest.mark.parametrize("method", ["leiden", "label-propagation", "auto"])
def test_communities_stay_connected_and_rows_add_up(method):
    graph = gc.datasets.load("les-miserables")
    communities = gc.detect(graph, method, overlapping=True)
    weights = communities.cover.weights
    assert np.asarray(weights.sum(axis=1)).ravel() == pytest.approx(np.ones(77))
    assert (np.asarray(weights[np.arange(77), communities.labels]).ravel() > 0).all()
    for part in communities.cover.members:
        assert connected_parts(graph.subgraph(part), np.zeros(len(part), dtype=np.int64)).max() == 0


def test_results_do_not_depend_on_the_order_of_nodes_and_extreme_graphs_have_covers():
    graph = gc.datasets.load("les-miserables").to_networkx()
    graph.add_node("nobody")
    shuffled = nx.Graph()
    nodes = list(graph)
    shuffled.add_nodes_from(nodes[i] for i in np.random.default_rng(0).permutation(len(nodes)))
    shuffled.add_edges_from(graph.edges(data=True))
    first, other = (gc.detect(some, "leiden", overlapping=True).cover for some in (graph, shuffled))
    assert first.memberships.keys() == other.memberships.keys()
    for node, row in first.memberships.items():
        assert row == pytest.approx(other.memberships[node])
    assert list(first.memberships["nobody"].values()) == [1.0]
    for small in (nx.empty_graph(0), nx.empty_graph(3), nx.complete_graph(4), nx.Graph([(0, 0), (0, 1)])):
        cover = gc.detect(small, "leiden", overlapping=True).cover
        assert cover.n_overlapping == 0
        assert len(cover.to_frame()) == small.number_of_nodes()
    weightless = gc.Graph.from_edges([0, 1, 0, 2, 3, 2, 4], [1, 2, 2, 3, 4, 4, 0], [1.0, 1, 1, 0, 0, 0, 1], nodes=5)
    cover = Cover.around(weightless, np.array([0, 0, 0, 1, 1]))
    assert np.asarray(cover.weights.sum(axis=1)).ravel() == pytest.approx(np.ones(5))
    directed = gc.detect(nx.gnp_random_graph(20, 0.3, seed=0, directed=True), "leiden", overlapping=True)
    assert directed.cover.n_clusters == directed.n_clusters
    with pytest.raises(gc.UsageError, match="overlapping"):
        gc.detect(graph, overlapping="yes")
    with pytest.raises(gc.DataError, match="rows"):
        Cover([0], first.weights)


def test_seeds_and_bounds_go_with_overlap():
    communities = gc.detect("data:les-miserables", "louvain", overlapping=True, seeds=3, max_size=12)
    assert communities.cover is not None
    assert communities.stability is not None
    assert max(np.bincount(communities.labels)) <= 12


def test_covers_are_written_and_read(tmp_path, capsys):
    communities = gc.detect(cliques(), "leiden", overlapping=True)
    cover, truth = communities.cover, {frozenset(map(str, part)) for part in communities.cover}
    for name in ("c.tsv", "c.csv", "c.cmty"):
        communities.save(tmp_path / name)
        parts = gc.io.partition.read_partition(tmp_path / name)
        assert {frozenset(map(str, part)) for part in parts} == truth, name
    lines = (tmp_path / "c.tsv").read_text().splitlines()
    assert lines[0] == "node\tcommunity\tweight"
    assert len(lines) == 14
    communities.save(tmp_path / "c.json")
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["cover"][communities.nodes.index(5)] == {"0": 0.5, "1": 0.5}
    communities.save(tmp_path / "c.graphml")
    attributes = gc.read_graph(tmp_path / "c.graphml").to_networkx().nodes
    assert sorted(attributes["5"]["communities"].split()) == ["0", "1"]
    communities.save(tmp_path / "c.parquet")
    assert cover.to_frame()["weight"].sum() == pytest.approx(12)
    edges = "".join(f"{i} {j}\n" for i, j in cliques())
    (tmp_path / "g.edgelist").write_text(edges)
    arguments = ["detect", str(tmp_path / "g.edgelist"), "-m", "leiden", "--overlapping"]
    assert main([*arguments, "--format", "cmty"]) == 0
    out, err = capsys.readouterr()
    assert {frozenset(line.split("\t")) for line in out.splitlines()} == truth
    assert "in several communities: 1 node of 12" in err
    assert main([*arguments, "--format", "clu"]) == 0
    assert "one community for each node" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "c.tsv"), "--truth", str(tmp_path / "c.cmty")]) == 0
    assert "omega       1.0000" in capsys.readouterr().out


def test_a_table_with_weights_of_nodes_is_a_partition(tmp_path):
    path = tmp_path / "c.tsv"
    path.write_text("node\tcommunity\tweight\na\tx\t1\nb\tx\t2\nc\ty\t3\n")
    assert gc.io.partition.read_partition(path) == {"a": "x", "b": "x", "c": "y"}


def test_omega_is_left_out_where_it_would_need_much_memory(monkeypatch):
    monkeypatch.setattr("graphclust.results.communities._MOST_PAIRS", 10)
    cover = gc.detect(cliques(), "leiden", overlapping=True).cover
    assert cover.score(cover).keys() == {"average_f1", "onmi", "n_scored"}


def test_omega_of_partitions_is_the_adjusted_rand_index():
    rng = np.random.default_rng(0)
    for _ in range(10):
        first, other = rng.integers(0, 4, 40), rng.integers(0, 3, 40)
        covers = [[np.flatnonzero(labels == c) for c in np.unique(labels)] for labels in (first, other)]
        assert gc.metrics.omega(*covers, 40) == pytest.approx(gc.metrics.ari(first, other))


def test_omega_counts_shared_communities():
    rng = np.random.default_rng(1)
    covers = [[np.flatnonzero(rng.random(12) < 0.4) for _ in range(4)] for _ in range(2)]
    pairs = list(combinations(range(12), 2))
    counts = [[sum(i in part and j in part for part in cover) for i, j in pairs] for cover in covers]
    observed = np.mean([a == b for a, b in zip(*counts, strict=True)])
    chance = sum(np.mean(np.array(counts[0]) == k) * np.mean(np.array(counts[1]) == k) for k in range(5))
    assert gc.metrics.omega(*covers, 12) == pytest.approx((observed - chance) / (1 - chance))
    assert gc.metrics.omega(covers[0], covers[0], 12) == 1
    assert gc.metrics.omega([], [], 1) == 1
    with pytest.raises(gc.UsageError, match="there are only 12 nodes"):
        gc.metrics.omega([[0, 12]], [[0]], 12)
