"""Bounds of the sizes of communities: honoured exactly, at little loss, or refused."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.kernels.sizing import bounded_sizes
from graphclust.methods import METHODS
from graphclust.problem.kernel_input import kernel_input
from graphclust.problem.sizes import Sizes, equivalent_resolution
from graphclust.problem.solution import Solution
from graphclust.runtime.threads import Threads
from tests.noted import codes

METHODS_WITH_SIZES = [name for name, kind in METHODS.items() if "max_size" in kind.parameters()]


def random_case(seed):
    """A random graph of some shape, and bounds that some partition of its nodes has."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 80))
    graph = [
        lambda: nx.gnp_random_graph(n, float(rng.choice([0.0, 0.03, 0.1, 0.5])), seed=seed),
        lambda: nx.star_graph(n - 1),
        lambda: nx.path_graph(n),
        lambda: nx.random_partition_graph([n // 3 + 1] * 3, 0.5, 0.02, seed=seed),
        lambda: nx.disjoint_union(nx.complete_graph(n // 2 + 1), nx.empty_graph(n // 2)),
        lambda: nx.barabasi_albert_graph(n + 2, 2, seed=seed),
    ][seed % 6]()
    n = graph.number_of_nodes()
    k = int(rng.integers(1, n + 1))
    smallest, largest = n // k, -(-n // k)
    return graph, int(rng.integers(1, smallest + 1)), int(rng.integers(largest, n + 1)) if seed % 4 else largest


@pytest.mark.parametrize("method", METHODS_WITH_SIZES)
def test_sizes_are_exact_on_random_graphs(method):
    for seed in range(200):
        graph, smallest, largest = random_case(seed)
        params = {"effort": "low", "n_samples": 4} if method == "auto" else {}
        bounded = gc.detect(graph, method, min_size=smallest, max_size=largest, **params)
        sizes = np.bincount(bounded.labels)
        assert smallest <= sizes.min() <= sizes.max() <= largest, (seed, smallest, largest, sizes)
        plain = gc.detect(graph, method, **params)
        plain_sizes = np.bincount(plain.labels)
        is_bounded = smallest <= plain_sizes.min() and plain_sizes.max() <= largest
        assert ("bounded-sizes" in codes(bounded.notes)) != is_bounded
        if is_bounded:
            assert np.array_equal(bounded.labels, plain.labels)


@pytest.mark.parametrize("method", METHODS_WITH_SIZES)
def test_results_do_not_depend_on_the_order_of_nodes(method):
    graph = gc.datasets.load("les-miserables").to_networkx()
    shuffled = nx.Graph()
    nodes = list(graph)
    shuffled.add_nodes_from(nodes[i] for i in np.random.default_rng(0).permutation(len(nodes)))
    shuffled.add_edges_from(graph.edges(data=True))
    first, other = (gc.detect(g, method, min_size=4, max_size=9).membership for g in (graph, shuffled))
    assert first == other


@pytest.mark.parametrize("method", ["leiden", "auto"])
def test_communities_are_divided_and_joined_where_they_lose_least(method):
    """Pairs of cliques that are joined by a few edges divide between the cliques, and a triangle joins its clique."""
    cliques = nx.disjoint_union_all([nx.complete_graph(8) for _ in range(6)])
    for first in (0, 16, 32):
        cliques.add_edges_from((first + i, first + 8 + i) for i in range(8))
    cliques.add_edges_from([(0, 16), (16, 32)])
    bounded = gc.detect(cliques, method, max_size=8)
    assert gc.metrics.ami(bounded.labels, np.arange(48) // 8) == 1
    for name in "abc":
        cliques.add_edges_from((name, other) for other in [*"abc", 3, 4] if other != name)
    joined = gc.detect(cliques, method, min_size=4, max_size=11)
    assert {joined.membership[name] for name in "abc"} == {joined.membership[3]}


def test_hierarchies_keep_their_levels_nested():
    graph = gc.generators.nested_sbm(600, 4, 5, p_in=0.5, p_middle=0.1, p_out=0.005, random_state=0)
    for method, bounds in (
        ("auto", {"max_size": 20}),
        ("auto", {"min_size": 40}),
        ("leiden", {"max_size": 60}),
        ("leiden", {"min_size": 160}),
        ("louvain", {"min_size": 20, "max_size": 70}),
    ):
        bounded = gc.detect(graph, method, hierarchy=True, **bounds)
        sizes = np.bincount(bounded.labels)
        assert bounds.get("min_size", 1) <= sizes.min() <= sizes.max() <= bounds.get("max_size", 600)
        levels = bounded.hierarchy.levels
        assert any(np.array_equal(level, bounded.labels) for level in levels)
        for fine, coarse in pairwise(levels):
            assert len(np.unique(fine)) == len(np.unique(np.stack((fine, coarse)), axis=1).T)


@pytest.mark.parametrize("seed", range(30))
def test_levels_stay_nested_whatever_is_divided_and_joined(seed):
    """Random levels over random communities: a majority on one level need not be one on the next."""
    rng = np.random.default_rng(seed)
    graph = gc.as_graph(nx.gnp_random_graph(60, 0.08, seed=seed))
    levels = [rng.permutation(60) % 40]
    for n_groups in (20, 8, 3):
        levels.append(rng.integers(0, n_groups, int(levels[-1].max()) + 1)[levels[-1]])
    levels = [np.unique(level, return_inverse=True)[1] for level in levels]
    place = int(rng.integers(0, len(levels)))
    bounds = Sizes(smallest=int(rng.integers(1, 9)), largest=int(rng.integers(12, 20)))
    changed = bounds.applied(graph, Solution(levels[place], levels=tuple(levels)))
    assert bounds.smallest <= np.bincount(changed.labels).min() <= np.bincount(changed.labels).max() <= bounds.largest
    assert np.array_equal(changed.levels[place], changed.labels)
    for fine, coarse in pairwise(changed.levels):
        assert len(np.unique(fine)) == len(np.unique(np.stack((fine, coarse)), axis=1).T)


def test_confidence_is_that_of_the_new_communities():
    graph = gc.generators.planted_partition(120, 3, p_in=0.4, p_out=0.02, random_state=0)
    plain, halved = gc.detect(graph), gc.detect(graph, max_size=20)
    assert halved.confidence == pytest.approx(halved.posterior.confidence(halved.labels))
    assert halved.confidence.mean() < plain.confidence.mean() - 0.3
    large = gc.generators.lfr(6000, mu=0.3, average_degree=10, random_state=0)
    plain = gc.detect(large)
    sizes = np.bincount(plain.labels)
    joined = gc.detect(large, min_size=int(np.median(sizes)))
    stayed = np.isin(plain.labels, np.flatnonzero(sizes >= np.median(sizes)))
    assert joined.posterior is None
    assert joined.confidence[stayed].mean() > 0.9
    assert joined.confidence[~stayed].mean() < 0.5


def test_bounds_that_make_no_sense():
    graph = nx.karate_club_graph()
    for params, message in (
        ({"min_size": 0}, "min_size"),
        ({"max_size": 2.5}, "max_size"),
        ({"min_size": 9, "max_size": 8}, "more than max_size"),
        ({"min_size": 35}, "34 nodes cannot be divided into communities of at least 35 nodes"),
        ({"min_size": 18, "max_size": 20}, "34 nodes cannot be divided into communities of 18 to 20 nodes"),
        ({"max_size": 9, "n_clusters": 4}, "cannot be combined with n_clusters"),
        ({"max_size": 9, "method": "auto", "known": {0: 1}}, "cannot be combined with known labels"),
        ({"max_size": 9, "method": "auto", "bipartite": True}, "cannot be combined with bipartite"),
    ):
        with pytest.raises(gc.UsageError, match=message):
            gc.detect(graph, **{"method": "leiden", **params})
    with pytest.raises(gc.UsageError, match="auto, leiden, louvain have it"):
        gc.detect(graph, "infomap", max_size=3)
    assert gc.detect(nx.empty_graph(0), "leiden", min_size=3).n_clusters == 0
    inner = gc.detect(graph, "leiden", max_size=12).within(0)
    assert inner.n_clusters >= 1


def test_refinement_respects_bounds():
    bounded = gc.detect(gc.datasets.load("karate"), "leiden", refine="planted", min_size=5, max_size=12)
    sizes = np.bincount(bounded.labels)
    assert 5 <= sizes.min() <= sizes.max() <= 12


def test_the_equivalent_resolution_makes_modularity_a_likelihood():
    """Of partitions with the same densities, the better modularity has the better likelihood (Newman 2016)."""
    graph = gc.generators.planted_partition(200, 5, p_in=0.3, p_out=0.02, random_state=1)
    gamma = equivalent_resolution(graph, graph.y)
    rng, total, degree = np.random.default_rng(0), graph.num_edges, graph.degree()
    expected = np.bincount(graph.y, degree)
    inside = (graph.y[graph.source] == graph.y[graph.target]).sum()
    within = inside / ((expected**2).sum() / (4 * total))
    between = (total - inside) / (total - (expected**2).sum() / (4 * total))
    values = []
    for _ in range(20):
        labels = np.where(rng.random(200) < 0.1, rng.integers(0, 5, 200), graph.y)
        same = labels[:, None] == labels
        rates = np.where(same, within, between) * np.outer(degree, degree) / (2 * total)
        joined = np.zeros((200, 200))
        joined[graph.source, graph.target] = joined[graph.target, graph.source] = 1
        likelihood = (joined * np.log(rates) - rates)[np.triu_indices(200)].sum() - np.diag(rates).sum() * -0.5
        values.append((gc.metrics.modularity(graph, labels, gamma), likelihood))
    modularity, likelihood = np.array(values).T
    assert np.corrcoef(modularity, likelihood)[0, 1] > 1 - 1e-6
    assert equivalent_resolution(graph, np.zeros(200, dtype=int)) == 1


def test_communities_that_are_in_bounds_stay_as_they_are():
    graph = gc.datasets.load("karate")
    rows, masses, unit = kernel_input(graph)
    with Threads() as threads:
        labels = bounded_sizes(rows, masses, unit, graph.y, 1, 34, threads=threads)
    assert np.array_equal(labels, graph.y)
