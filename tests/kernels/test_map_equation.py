"""The map equation by its definition, against igraph, and its hierarchies of planted modules."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.kernels.map_equation import code_length, divide, flow_of_edges, nested


def random_flow(seed, *, directed=False, n=14):
    """A weighted random graph with self-loops, and its flow."""
    rng = np.random.default_rng(seed)
    edges = np.argwhere(rng.random((n, n)) < 0.3)
    edges = edges if directed else edges[edges[:, 0] <= edges[:, 1]]
    weight = rng.integers(1, 5, len(edges)).astype(float)
    return edges, weight, flow_of_edges(*edges.T, weight, n, directed=directed)


def visits(edges, weight, n, directed):
    """Flow between nodes as a matrix, by its definition."""
    w = np.zeros((n, n))
    for (i, j), value in zip(edges, weight, strict=True):
        w[i, j] += value
        if not directed:
            w[j, i] += value
    if not directed:
        return w / w.sum()
    out = w.sum(axis=1)
    steps = np.divide(w, out[:, None], out=np.zeros_like(w), where=out[:, None] > 0)
    rank = out / out.sum()
    for _ in range(500):
        moved = 0.85 * rank @ steps
        rank = moved + (1 - moved.sum()) * out / out.sum()
    flow = rank[:, None] * steps
    return flow / flow.sum()


def entropy(rates):
    total = sum(rates)
    return total * -sum(rate / total * math.log2(rate / total) for rate in rates if rate > 0) if total > 0 else 0.0


def tree_length(flow, levels):
    """Bits per step of the codebooks of a hierarchy, each by its entropy; the finest level comes first."""
    n = len(flow)

    def crossing(members):
        other = np.setdiff1d(np.arange(n), members)
        return flow[np.ix_(other, members)].sum(), flow[np.ix_(members, other)].sum()

    def groups(members, level):
        return [members[levels[level][members] == g] for g in np.unique(levels[level][members])]

    def bits(members, level):
        """Of the codebook of a module of this level and those below it; that of all is one above the coarsest."""
        leaving = crossing(members)[1]
        if level == 0:
            return entropy([*flow.sum(axis=0)[members], leaving])
        below = groups(members, level - 1)
        if len(below) == 1:
            return bits(members, level - 1)
        return entropy([*(crossing(part)[0] for part in below), leaving]) + sum(bits(part, level - 1) for part in below)

    return bits(np.arange(n), len(levels))


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_code_lengths_are_entropies_of_codebooks(seed, directed):
    edges, weight, flow = random_flow(seed, directed=directed)
    matrix = visits(edges, weight, 14, directed)
    for k in (2, 3, 6):
        labels = np.unique(np.random.default_rng(k).integers(0, k, 14), return_inverse=True)[1]
        assert code_length(flow, labels) == pytest.approx(tree_length(matrix, [labels]), abs=1e-9)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_hierarchies_cost_what_is_said(seed, directed):
    rng = np.random.default_rng(seed)
    fine = np.repeat(np.arange(12), 10)
    coarse = fine // 3
    rate = np.where(fine[:, None] == fine, 0.9, np.where(coarse[:, None] == coarse, 0.06, 0.002))
    edges = np.argwhere(rng.random((120, 120)) < rate)
    edges = edges[edges[:, 0] != edges[:, 1]] if directed else edges[edges[:, 0] < edges[:, 1]]
    weight = np.ones(len(edges))
    flow = flow_of_edges(*edges.T, weight, 120, directed=directed)
    labels = divide(flow, seed=seed)
    levels, bits = nested(flow, labels, seed=seed)
    assert any(np.array_equal(level, labels) for level in levels)
    assert bits == pytest.approx(tree_length(visits(edges, weight, 120, directed), levels), abs=1e-9)
    assert bits < code_length(flow, labels)
    assert max(gc.metrics.ami(level, fine) for level in levels) > 0.95
    assert max(gc.metrics.ami(level, coarse) for level in levels) > 0.95


KARATE = gc.datasets.load("karate")
GRAPHS = {  # all at hand without a download
    "karate": KARATE,
    "les-miserables": gc.datasets.load("les-miserables"),
    "planted": gc.datasets.load("planted"),
    "lfr": gc.generators.lfr(400, mu=0.4, average_degree=10, max_degree=40, random_state=0),
    "random weights": gc.Graph.from_edges(
        KARATE.source, KARATE.target, np.random.default_rng(0).integers(1, 9, KARATE.num_edges), nodes=34
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_not_longer_than_igraphs_best(name):
    import igraph as ig

    from graphclust.runtime.seeds import seeded_igraph

    graph = GRAPHS[name].undirected().without_self_loops()
    flow = flow_of_edges(graph.source, graph.target, graph.edge_weight, graph.num_nodes, directed=False)
    mine = min(code_length(flow, divide(flow, seed=seed)) for seed in range(10))
    other = ig.Graph(n=graph.num_nodes, edges=np.stack([graph.source, graph.target], axis=1))
    with seeded_igraph(0):
        found = other.community_infomap(edge_weights=graph.edge_weight.tolist(), trials=10)
    labels = np.unique(found.membership, return_inverse=True)[1]
    assert code_length(flow, labels) == pytest.approx(found.codelength, abs=1e-9)
    assert mine <= found.codelength + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_no_element_has_a_better_module(seed):
    _, _, flow = random_flow(seed, directed=seed % 2 == 1)
    labels = divide(flow, seed=seed)
    shortest = code_length(flow, labels)
    for node in range(14):
        for module in range(labels.max() + 2):
            moved = labels.copy()
            moved[node] = module
            moved = np.unique(moved, return_inverse=True)[1]
            assert code_length(flow, moved) > shortest - 1e-9


def test_levels_of_the_method():
    graph = gc.generators.nested_sbm(600, 4, 5, p_in=0.5, p_middle=0.05, p_out=0.002, random_state=0)
    flat = gc.detect(graph, "infomap", random_state=0)
    found = gc.detect(graph, "infomap", hierarchy=True, random_state=0)
    assert np.array_equal(flat.labels, found.labels)
    truth = [np.array(level) for level in graph.meta["levels"]]
    assert [max(gc.metrics.ami(level, one) for level in found.hierarchy.levels) > 0.99 for one in truth] == [True] * 2
    assert found.details["code_length"] < flat.details["code_length"]
    assert found.hierarchy.cut(4).n_clusters == 4


def test_edge_cases():
    for graph in (nx.empty_graph(3), nx.path_graph(2), nx.star_graph(5), nx.Graph([(0, 0)]), nx.DiGraph([(0, 1)])):
        for hierarchy in (False, True):
            found = gc.detect(graph, "infomap", hierarchy=hierarchy)
            assert len(found.labels) == len(graph)
    sink = nx.DiGraph([(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 0)])
    assert gc.detect(sink, "infomap").n_clusters >= 1
