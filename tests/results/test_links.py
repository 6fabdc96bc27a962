"""Missing and doubtful links: against loops written from the definition, and on edges that were hidden."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import networkx as nx
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import graphclust as gc
from graphclust.results import links as module
from graphclust.results.links import LinkModel


def random_graph(directed, seed=0, n=40):
    graph = nx.gnm_random_graph(n, 4 * n, seed=seed, directed=directed)
    return gc.as_graph(graph), np.random.default_rng(seed).integers(0, 4, n)


def rate(edges, directed, labels, i, j):
    """The rate of a pair by its definition, from a list of edges without this one."""
    if not directed:
        edges = edges + [(b, a) for a, b in edges]
    n_groups = len(set(labels))
    n_edges = len(edges) + 1 if directed else len(edges) // 2 + 1
    more = n_edges / (n_edges + (n_groups**2 if directed else n_groups * (n_groups + 1) / 2))
    out = sum(a == i for a, _ in edges)
    into = sum(b == j for _, b in edges)
    between = sum(labels[a] == labels[i] and labels[b] == labels[j] for a, b in edges)
    of_groups = [sum(labels[edge[end]] == labels[node] for edge in edges) for end, node in ((0, i), (1, j))]
    return (out + 0.5) * (into + 0.5) * (between + more) / (of_groups[0] + 1) / (of_groups[1] + 1)


@pytest.mark.parametrize("directed", [False, True])
def test_an_edge_is_left_out_of_its_own_rate(directed):
    graph, labels = random_graph(directed)
    model = LinkModel(graph, labels)
    edges = list(zip(graph.source.tolist(), graph.target.tolist(), strict=True))
    values = np.exp(model._log_rates(graph.source, graph.target, np.ones(len(edges), dtype=bool)))
    for k in (0, 7, 50, 159):
        expected = rate(edges[:k] + edges[k + 1 :], directed, labels.tolist(), *edges[k])
        assert values[k] == pytest.approx(expected)


def test_shared_neighbours_are_those_of_adamic_and_adar():
    graph, labels = random_graph(False)
    plain = graph.to_networkx()
    pairs = list(combinations(range(40), 2))
    expected = {(i, j): value for i, j, value in nx.adamic_adar_index(plain, pairs)}
    source, target = np.array(pairs).T
    shared = LinkModel(graph, labels)._shared(source, target)
    assert shared == pytest.approx([expected[pair] for pair in pairs])


@pytest.mark.parametrize("directed", [False, True])
def test_probabilities_add_up_to_the_number_of_edges(directed):
    graph, labels = random_graph(directed)
    pairs = np.array(list((permutations if directed else combinations)(range(40), 2))).T
    values = LinkModel(graph, labels).probability(*pairs)
    assert values.sum() == pytest.approx(graph.num_edges, rel=1e-3)
    assert ((values > 0) & (values < 1)).all()


@pytest.mark.parametrize("directed", [False, True])
def test_candidates_contain_the_most_probable_pairs(directed, monkeypatch):
    graph = gc.generators.planted_partition(120, 4, p_in=0.3, p_out=0.02, random_state=0)
    if directed:
        graph = gc.Graph.from_edges(graph.source, graph.target, nodes=120, directed=True)
    model = LinkModel(graph, np.arange(120) % 4)
    every = model.missing(50)
    monkeypatch.setattr(module, "_MOST_PAIRS", 0)
    monkeypatch.setattr(module, "_PAIRS_PER_CHUNK", 500)
    some = model.missing(50)
    assert some[2] == pytest.approx(every[2])
    assert len(set(zip(*some[:2], strict=True))) == 50


def test_samples_of_pairs_give_nearly_the_same_probabilities(monkeypatch):
    graph = gc.generators.planted_partition(400, 8, p_in=0.3, p_out=0.01, random_state=0)
    source, target = np.triu_indices(400, 1)
    every = LinkModel(graph, graph.y).probability(source, target)
    monkeypatch.setattr(module, "_MOST_FITTED", 3000)
    some = LinkModel(graph, graph.y).probability(source, target)
    assert np.corrcoef(np.log(every), np.log(some))[0, 1] > 0.99
    assert some.sum() == pytest.approx(graph.num_edges, rel=0.1)


def test_hidden_edges_are_found_and_probabilities_are_calibrated():
    graph = gc.generators.lfr(400, mu=0.2, average_degree=12, random_state=1)
    rng = np.random.default_rng(0)
    is_hidden = rng.random(graph.num_edges) < 0.1
    rest = gc.Graph.from_edges(graph.source[~is_hidden], graph.target[~is_hidden], nodes=400)
    communities = gc.detect(rest)
    source, target = np.triu_indices(400, 1)
    joined = graph.adjacency()[source, target].astype(bool)
    seen = rest.adjacency()[source, target].astype(bool)
    values = communities.predict_proba(np.stack((source, target), axis=1)[~seen])
    adjacency = rest.adjacency()
    shared = np.asarray(adjacency[source[~seen]].multiply(adjacency[target[~seen]]).sum(axis=1)).ravel()
    auc = [roc_auc_score(joined[~seen], score) for score in (values, shared)]
    assert auc[0] > max(auc[1], 0.85)
    assert values[joined[~seen]].mean() > 5 * values[~joined[~seen]].mean()
    # of all pairs, a tenth of those with an edge and of those without one were hidden
    weight = np.where(joined[~seen], 1.0, 0.1)
    assert (weight * values).sum() == pytest.approx((weight * joined[~seen]).sum(), rel=0.3)


def test_results_do_not_depend_on_the_order_of_nodes():
    graph = gc.datasets.load("karate")
    rng = np.random.default_rng(0)
    edges = [(graph.nodes[i], graph.nodes[j]) for i, j in zip(graph.source, graph.target, strict=True)]
    shuffled = [edges[i] if rng.random() < 0.5 else edges[i][::-1] for i in rng.permutation(len(edges))]
    first, other = (gc.detect(some).links(10) for some in (edges, shuffled))
    assert [row[:2] for row in first.missing] == [row[:2] for row in other.missing]
    assert [row[2] for row in first.missing] == pytest.approx([row[2] for row in other.missing])
    doubtful = {frozenset(row[:2]) for row in first.doubtful}
    assert doubtful == {frozenset(row[:2]) for row in other.doubtful}
    assert not {row[:2] for row in first.missing} & set(edges)
    assert doubtful <= {frozenset(edge) for edge in edges}


def test_extreme_graphs():
    complete = gc.detect(nx.complete_graph(5), "leiden")
    assert complete.predict_proba([(0, 1)]).tolist() == [1.0]
    assert complete.links().missing == []
    assert len(complete.links().doubtful) == 10
    empty = gc.detect(nx.empty_graph(3), "leiden")
    assert empty.predict_proba([(0, 1), (1, 2)]).tolist() == [0.0, 0.0]
    assert empty.links(2).missing == [(0, 1, 0.0), (0, 2, 0.0)]
    assert gc.detect(nx.empty_graph(1), "leiden").links() == module.Links()
    loop = nx.Graph([(0, 0), (0, 1), (2, 3)])
    assert all(source != target for source, target, _ in gc.detect(loop, "leiden").links().missing)
    graph, labels = random_graph(True)
    backward = [(j, i) for i, j in zip(graph.source, graph.target, strict=True)]
    communities = gc.Communities(graph, gc.metrics.rank_labels(labels[None])[0], "x")
    forward = communities.predict_proba([edge[::-1] for edge in backward])
    assert not np.allclose(forward, communities.predict_proba(backward))
    assert communities.predict_proba([]).shape == (0,)
    frame = communities.links(3).to_frame()
    assert frame.columns.tolist() == ["source", "target", "probability", "kind"]
    assert frame["kind"].tolist() == ["missing"] * 3 + ["doubtful"] * 3
    assert frame["probability"][:3].is_monotonic_decreasing
    assert math.isnan(LinkModel(graph, labels).probability(np.array([1]), np.array([1]))[0])


def test_pairs_that_make_no_sense():
    communities = gc.detect("data:karate", "leiden")
    for pairs, kind, message in (
        ([("0", "x")], gc.DataError, "node 'x' is not in the graph"),
        ([(0, 1)], gc.DataError, "its ids are text"),
        ([("0", "0")], gc.UsageError, "paired with itself"),
        (["01"], gc.UsageError, "expected pairs of nodes"),
        ([("0", "1", "2")], gc.UsageError, "expected pairs of nodes"),
    ):
        with pytest.raises(kind, match=message):
            communities.predict_proba(pairs)
    with pytest.raises(gc.UsageError, match="n is"):
        communities.links(0)
