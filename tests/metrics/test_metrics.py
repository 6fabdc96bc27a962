from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from graphclust import metrics
from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.metrics import Contingency
from tests import oracles

SEEDS = range(50)
COMPARISONS = (metrics.ami, metrics.nmi, metrics.ari, metrics.vi, metrics.accuracy)


def random_case(seed):
    """A sparse random graph with isolated nodes, by turns directed, weighted and with self-loops, and a partition."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 14))
    directed, weighted, loops = (bool(seed >> bit & 1) for bit in range(3))
    pairs = [(u, v) for u in range(n) for v in range(n) if (u < v or (directed and u > v) or (loops and u == v))]
    picked = rng.choice(len(pairs), size=int(rng.integers(1, len(pairs))) // 2 + 1, replace=False)
    edges = [(*pairs[i], float(rng.uniform(0.1, 5)) if weighted else 1.0) for i in picked]
    n += int(rng.integers(0, 4))
    labels = np.unique(rng.integers(int(rng.integers(1, 5)), size=n), return_inverse=True)[1]
    source, target, weight = zip(*edges, strict=True)
    return Graph.from_edges(source, target, weight, nodes=n, directed=directed), edges, labels


def to_networkx(edges, n, directed):
    """A networkx graph; without directions, the weights of both add up."""
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(n))
    for u, v, w in edges:
        graph.add_edge(u, v, weight=w + (graph[u][v]["weight"] if graph.has_edge(u, v) else 0.0))
    return graph


def communities(labels):
    return [set(np.flatnonzero(labels == k).tolist()) for k in range(labels.max() + 1)]


# ----------------------------------------------------------------------------------------------- a partition of a graph


@pytest.mark.parametrize("seed", SEEDS)
def test_quality_equals_networkx(seed):
    graph, edges, labels = random_case(seed)
    groups = communities(labels)
    directed = to_networkx(edges, len(labels), graph.directed)
    summed = to_networkx(edges, len(labels), directed=False)
    volumes = [nx.volume(summed, c, weight="weight") for c in groups]
    cuts = [nx.cut_size(summed, c, weight="weight") for c in groups]
    conductances = [
        nx.conductance(summed, c, weight="weight") if min(volume, sum(volumes) - volume) > 1e-12 else 0.0
        for c, volume in zip(groups, volumes, strict=True)
    ]
    assert metrics.conductance(graph, labels) == pytest.approx(conductances, abs=1e-9)
    expected = {
        "modularity": nx.community.modularity(directed, groups, weight="weight"),
        "coverage": oracles.coverage(edges, labels),
        "mean_conductance": np.mean(conductances),
        "max_conductance": max(conductances),
        "normalized_cut": sum(cut / volume for cut, volume in zip(cuts, volumes, strict=True) if volume),
        "balance": oracles.entropy(labels) / np.log(len(groups)) if len(groups) > 1 else 1.0,
        "n_clusters": len(groups),
        "sizes": [len(c) for c in groups],
    }
    actual = metrics.quality(graph, labels)
    assert json.loads(json.dumps(actual)) == actual
    sizes = actual.pop("sizes")
    assert sizes == expected.pop("sizes")
    assert actual == pytest.approx(expected, abs=1e-9)
    for single in (metrics.modularity, metrics.coverage, metrics.normalized_cut):
        assert single(graph, labels) == actual[single.__name__]
    assert metrics.modularity(graph, labels, resolution=0.4) == pytest.approx(
        nx.community.modularity(directed, groups, weight="weight", resolution=0.4), abs=1e-9
    )
    if not graph.is_weighted:
        assert actual["coverage"] == pytest.approx(nx.community.partition_quality(directed, groups)[0], abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_one_community_of_all_nodes_has_no_cut(seed):
    graph, _, labels = random_case(seed)
    actual = metrics.quality(graph, np.zeros_like(labels))
    assert actual["modularity"] == pytest.approx(0, abs=1e-12)
    assert (actual["coverage"], actual["normalized_cut"], actual["max_conductance"]) == (1, 0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_names_of_communities_do_not_matter(seed):
    graph, _, labels = random_case(seed)
    renamed = labels.max() - labels
    assert metrics.conductance(graph, renamed) == pytest.approx(metrics.conductance(graph, labels)[::-1])
    for score in (metrics.modularity, metrics.coverage, metrics.normalized_cut):
        assert score(graph, renamed) == pytest.approx(score(graph, labels), abs=1e-12)


def test_graphs_without_edges_or_nodes_have_defined_answers():
    expected = {"modularity": 0, "coverage": 1, "mean_conductance": 0, "max_conductance": 0, "normalized_cut": 0}
    assert metrics.quality(Graph.from_edges([], [], nodes=3), [0, 1, 0]) == {
        **expected,
        "balance": pytest.approx(0.9183, abs=1e-4),
        "n_clusters": 2,
        "sizes": [2, 1],
    }
    assert metrics.quality(Graph.from_edges([], [], nodes=0), []) == {
        **expected,
        "balance": 1,
        "n_clusters": 0,
        "sizes": [],
    }


def test_conductance_never_exceeds_one_for_weights_of_any_scale():
    graph = Graph.from_edges([0, 0], [0, 1], [1e20, 1.0], nodes=2)
    assert metrics.conductance(graph, [0, 1]).tolist() == [1, 1]


@pytest.mark.parametrize("labels", [[0, 1], [0, 2, 2], [-1, 0, 1], [0, 0, 7], [0.0, 1.0, 1.0], [[0, 1, 1]]])
def test_labels_that_do_not_fit_the_graph_are_refused(labels):
    with pytest.raises(UsageError):
        metrics.quality(Graph.from_edges([0], [1], nodes=3), labels)


def test_a_gap_in_the_labels_is_named():
    with pytest.raises(UsageError, match="no node has the label 1"):
        metrics.modularity(Graph.from_edges([0], [1], nodes=3), [0, 2, 2])


# ------------------------------------------------------------------------------------------------------ two partitions


def random_partitions(seed):
    """Two partitions, related more or less, with any integers as labels."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    first = rng.integers(int(rng.integers(1, 8)), size=n)
    second = np.where(rng.random(n) < rng.random(), first, rng.integers(int(rng.integers(1, n)), size=n))
    return first * 1000 - 7, -second * 10**12


EDGE_CASES = [
    ([1], [5]),
    ([3, 3, 3], [0, 0, 0]),
    ([0, 1, 2], [2, 1, 0]),
    ([0, 0, 0], [0, 1, 2]),
    ([0, 1, 2, 3], [0, 0, 1, 1]),
    ([0, 0, 1, 1], [0, 0, 0, 0]),
    ([0, 0, 1, 1], [0, 1, 0, 1]),
    ([0, 0, 1], [0, 1, 1]),
]


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("case", [*SEEDS, *EDGE_CASES], ids=str)
def test_comparisons_equal_scikit_learn(case):
    first, second = random_partitions(case) if isinstance(case, int) else map(np.array, case)
    actual = metrics.compare_labels(first, second)
    assert actual["ami"] == pytest.approx(sklearn_metrics.adjusted_mutual_info_score(first, second), abs=1e-9)
    assert actual["nmi"] == pytest.approx(sklearn_metrics.normalized_mutual_info_score(first, second), abs=1e-9)
    assert actual["ari"] == pytest.approx(sklearn_metrics.adjusted_rand_score(first, second), abs=1e-9)
    assert actual["vi"] == pytest.approx(oracles.vi(first.tolist(), second.tolist()), abs=1e-9)
    assert metrics.nmi(first, second, average="max") == pytest.approx(
        sklearn_metrics.normalized_mutual_info_score(first, second, average_method="max"), abs=1e-9
    )
    assert actual == {score.__name__: score(first, second) for score in COMPARISONS}


@pytest.mark.parametrize("seed", range(20))
def test_accuracy_is_that_of_the_best_naming(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(4, size=12).tolist(), rng.integers(int(rng.integers(1, 6)), size=12).tolist()
    expected = len(next(iter(oracles.assignments(first, second)))) / 12
    assert metrics.accuracy(first, second) == metrics.accuracy(second, first) == pytest.approx(expected)


def test_fewer_and_larger_overlaps_may_beat_more_of_them():
    first, second = [0] * 7 + [1] * 2, [0] * 5 + [1] * 2 + [0] * 2
    assert metrics.accuracy(first, second) == metrics.accuracy(second, first) == pytest.approx(5 / 9)


@pytest.mark.parametrize(
    "sizes", [([2, 3], [4, 1]), ([5, 5, 1, 1, 1], [2] * 6 + [1]), ([30, 20, 7], [50, 7]), ([1] * 4, [2, 2])]
)
def test_expected_mutual_information_equals_the_loop(sizes, monkeypatch):
    first, second = (np.repeat(np.arange(len(s)), s) for s in sizes)
    expected = oracles.expected_mutual_information(*sizes)
    assert metrics.Contingency.of(first, second).expected_mutual_information() == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr("graphclust.metrics.agreement._CELLS", 1)
    assert metrics.Contingency.of(first, second).expected_mutual_information() == pytest.approx(expected, abs=1e-12)


def test_expected_mutual_information_of_large_clusters_loses_nothing_by_its_bounds():
    sizes = [9000, 2000, 1000], [7000, 4990, 10]
    first, second = (np.repeat(np.arange(3), s) for s in sizes)
    expected = oracles.expected_mutual_information(*sizes)
    assert metrics.Contingency.of(first, second).expected_mutual_information() == pytest.approx(expected, rel=1e-7)


def test_expected_mutual_information_is_the_mean_over_all_shuffles():
    rng = np.random.default_rng(0)
    first, second = [0, 0, 0, 1, 1, 2, 2, 2], np.array([0, 0, 1, 1, 1, 1, 2, 3])
    shuffled = [oracles.mutual_information(first, rng.permutation(second).tolist()) for _ in range(4000)]
    error = np.std(shuffled) / math.sqrt(len(shuffled))
    assert abs(metrics.Contingency.of(first, second).expected_mutual_information() - np.mean(shuffled)) < 4 * error


def test_partitions_of_many_clusters_are_compared_without_a_dense_table():
    rng = np.random.default_rng(1)
    truth = rng.integers(20_000, size=100_000)
    actual = np.where(rng.random(100_000) < 0.1, rng.integers(20_000, size=100_000), truth)
    scores = metrics.compare_labels(truth, actual)
    assert scores["accuracy"] == pytest.approx(0.9, abs=0.02)
    assert 0 < scores["ami"] < scores["nmi"] < 1


THREE_PARTITIONS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(THREE_PARTITIONS)
def test_variation_of_information_is_a_metric(rows):
    a, b, c = zip(*rows, strict=True)
    assert metrics.vi(a, b) == pytest.approx(metrics.vi(b, a), abs=1e-12)
    assert metrics.vi(a, c) <= metrics.vi(a, b) + metrics.vi(b, c) + 1e-12
    assert metrics.vi(a, a) == 0
    same = metrics.rank_labels(a).tolist() == metrics.rank_labels(b).tolist()
    assert (metrics.vi(a, b) > 1e-9) != same
    assert metrics.vi(a, b) <= math.log(len(rows)) + 1e-12


@settings(max_examples=40, deadline=None)
@given(THREE_PARTITIONS, st.permutations(range(5)))
def test_comparisons_do_not_see_names_and_equal_partitions_are_perfect(rows, names):
    a, b, _ = (np.array(column) for column in zip(*rows, strict=True))
    renamed = np.array(names)[a] * 10**9
    assert metrics.compare_labels(a, renamed) == {"ami": 1, "nmi": 1, "ari": 1, "vi": 0, "accuracy": 1}
    assert metrics.compare_labels(renamed, b) == pytest.approx(metrics.compare_labels(a, b), abs=1e-9)
    assert metrics.compare_labels(b, a) == pytest.approx(metrics.compare_labels(a, b), abs=1e-9)


def test_partitions_of_no_nodes_are_equal():
    assert metrics.compare_labels([], []) == {"ami": 1, "nmi": 1, "ari": 1, "vi": 0, "accuracy": 1}


def test_partitions_that_cannot_be_compared_are_refused():
    with pytest.raises(UsageError, match="3 and of 2 nodes"):
        metrics.vi([0, 1, 2], [0, 1])
    with pytest.raises(UsageError, match="integers"):
        metrics.ami(["a", "b"], [0, 1])
    with pytest.raises(UsageError, match="arithmetic, max"):
        metrics.nmi([0, 1], [0, 1], average="geometric")


@pytest.mark.parametrize("seed", range(10))
def test_ranked_labels_count_from_the_largest_community(seed):
    labels = random_partitions(seed)[seed % 2]
    ranked = metrics.rank_labels(labels)
    sizes, members = Counter(labels.tolist()), labels.tolist()
    order = sorted(sizes, key=lambda label: (-sizes[label], members.index(label)))
    assert ranked.dtype == np.int64
    assert ranked.tolist() == [order.index(label) for label in members]
    assert metrics.rank_labels(ranked).tolist() == ranked.tolist()


# ---------------------------------------------------------------------------------------------------------- two covers


def random_covers(seed):
    """Two covers of n nodes, of communities from one node to almost all of them, some nodes in none."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 30))
    sizes = rng.integers(1, n if seed % 3 else n // 3 + 2, size=(2, int(rng.integers(1, 7))))
    actual, truth = ([set(rng.choice(n, size=size, replace=False).tolist()) for size in row] for row in sizes)
    return actual, truth[: int(rng.integers(1, 7))] + actual[: seed % 2], n


@pytest.mark.parametrize("seed", SEEDS)
def test_covers_are_compared_as_by_definition(seed):
    actual, truth, n = random_covers(seed)
    assert metrics.average_f1(actual, truth) == pytest.approx(oracles.average_f1(actual, truth), abs=1e-12)
    assert metrics.onmi(actual, truth, n) == pytest.approx(oracles.onmi(actual, truth, n), abs=1e-12)
    arrays = [np.array(sorted(c) * 2) for c in actual]  # an array may name a node twice
    assert metrics.average_f1([*arrays, []], truth[::-1]) == pytest.approx(metrics.average_f1(actual, truth), abs=1e-12)
    assert metrics.onmi([*arrays, []], truth[::-1], n) == pytest.approx(metrics.onmi(actual, truth, n), abs=1e-12)
    assert metrics.onmi(truth, actual, n) == pytest.approx(metrics.onmi(actual, truth, n), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_a_cover_equals_itself(seed):
    actual, _, n = random_covers(seed)
    assert metrics.average_f1(actual, actual) == pytest.approx(1)
    assert metrics.onmi(actual, actual[::-1], n) == pytest.approx(1)


def test_disjoint_communities_of_most_nodes_inform_of_one_another():
    def h(x):
        return -x * math.log(x)

    small, large = h(0.01) + h(0.99), h(0.9) + h(0.1)
    expected = (small + large - (h(0.09) + h(0.01) + h(0.9))) / large
    assert metrics.onmi([{0}], [set(range(10, 100))], 100) == pytest.approx(expected, abs=1e-12)
    assert expected > 0.05


def test_disjoint_communities_of_at_most_half_the_nodes_never_inform_of_one_another():
    def h(x):
        return -x * math.log(x) if x else 0.0

    for entry in range(1, 51):
        for two in range(1, entry + 1):
            assert h(1 - (entry + two) / 100) < h(entry / 100) + h(two / 100)


@pytest.mark.parametrize("predicted", [{0, 1}, {0, 10}, {9, 10}, set(range(10)), set(range(12))])
def test_a_community_of_most_nodes_is_compared_by_its_true_overlap(predicted):
    truth = set(range(10, 100))
    assert metrics.onmi([predicted], [truth], 100) == pytest.approx(oracles.onmi([predicted], [truth], 100), abs=1e-12)


def test_covers_without_information_have_defined_answers():
    everything, nothing = [{0, 1, 2}], []
    assert metrics.onmi(everything, everything, 3) == metrics.onmi(nothing, [set()], 3) == 1
    assert (
        metrics.onmi(everything, nothing, 3)
        == metrics.onmi(nothing, [{0}], 3)
        == metrics.onmi([{1}], everything, 3)
        == 0
    )
    assert metrics.average_f1(nothing, nothing) == 1
    assert metrics.average_f1(nothing, everything) == metrics.average_f1([{0}], [{1}]) == 0


@pytest.mark.parametrize("cover", [[{-1, 0}], [["a"]], [{0.5}], [{0}, np.array([1.0])]])
def test_covers_of_anything_but_positions_are_refused(cover):
    with pytest.raises(UsageError):
        metrics.average_f1(cover, [{0}])


def test_a_member_outside_of_the_nodes_is_refused():
    with pytest.raises(UsageError, match="node 5, but there are only 5"):
        metrics.onmi([{0}], [{5}], 5)


def test_metrics_import_numpy_alone():
    heavy = (
        "import sys, graphclust.metrics; print({'scipy', 'sklearn', 'pandas', 'networkx', 'torch'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("seed", range(60))
def test_matched_clusters_cover_most_nodes(seed):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 120))
    first = rng.integers(0, rng.integers(1, 15), n)
    other = np.where(rng.random(n) < 0.6, first, rng.integers(0, rng.integers(1, 15), n))
    table = Contingency.of(first, other)
    matched = table.matched()
    dense = np.zeros((len(table.row_sizes), len(table.col_sizes)))
    dense[table.rows, table.cols] = table.counts
    assert table.counts[matched].sum() == dense[linear_sum_assignment(dense, maximize=True)].sum()
    assert np.bincount(table.rows[matched]).max() == np.bincount(table.cols[matched]).max() == 1
