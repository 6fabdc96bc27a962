"""Laws of local moves, label propagation, Louvain and Leiden, against a quality that is written as plain sums."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from networkx.generators.atlas import graph_atlas_g

from graphclust.kernels import leiden as leiden_module
from graphclust.kernels import local_moves
from graphclust.kernels.adjacency import adjacency
from graphclust.kernels.leiden import leiden, louvain
from graphclust.kernels.local_moves import MASS, move_nodes
from graphclust.runtime.seeds import seeded_igraph
from graphclust.runtime.threads import Threads
from tests.oracles import set_partitions


def last_of_louvain(*args, **options):
    """The communities of the last level."""
    return louvain(*args, **options)[-1]


OBJECTIVES = ["modularity", "directed modularity", "cpm", "propagation"]
UNWEIGHTED = [*OBJECTIVES, "unweighted directed modularity"]


class Problem:
    """A random graph with an objective, as the kernels take it and as a matrix."""

    def __init__(self, objective, seed, n=60, n_edges=150, resolution=1.0):
        rng = np.random.default_rng(seed)
        matrix = np.zeros((n, n))
        for i, j in rng.integers(0, n, (n_edges, 2)).tolist():
            weight = float(rng.integers(1, 5)) / 2
            matrix[i, j] += weight
        if objective.startswith("unweighted"):
            matrix = (matrix > 0).astype(float)
        if not objective.endswith("directed modularity"):
            matrix = np.triu(matrix + matrix.T - np.diag(matrix.diagonal()))
        source, target = np.nonzero(matrix)
        self.matrix = matrix
        weight = None if objective.startswith("unweighted") else matrix[source, target]
        self.rows = adjacency(source, target, weight, n)
        self.masses = np.zeros(n, MASS)
        self.masses["size"] = 1
        total = max(matrix.sum(), 1e-9)
        u, v, unit = {
            "modularity": (matrix.sum(0) + matrix.sum(1), matrix.sum(0) + matrix.sum(1), 0.25 / total),
            "directed modularity": (matrix.sum(1), matrix.sum(0), 1 / total),
            "cpm": (np.ones(n), np.ones(n), 0.1),
            "propagation": (np.ones(n), np.ones(n), 0.0),
        }[objective.removeprefix("unweighted ")]
        self.masses["u"], self.masses["v"], self.gamma = u, v, unit * resolution

    def quality(self, labels):
        return quality(self.matrix, self.masses, self.gamma, labels)

    def connected(self, labels):
        graph = nx.from_numpy_array(self.matrix + self.matrix.T)
        return all(nx.is_connected(graph.subgraph(np.flatnonzero(labels == c))) for c in set(labels.tolist()))


def quality(matrix, masses, gamma, labels):
    value = 0.0
    for label in set(np.asarray(labels).tolist()):
        members = np.flatnonzero(labels == label)
        value += matrix[np.ix_(members, members)].sum()
        value -= gamma * masses["u"][members].sum() * masses["v"][members].sum()
    return value


def matrix_of(rows):
    matrix = np.zeros((len(rows.start) - 1,) * 2)
    for i in range(len(matrix)):
        for e in range(rows.start[i], rows.start[i + 1]):
            matrix[i, rows.neighbor[e]] += rows.weight[e if len(rows.weight) > 1 else 0]
    return matrix


@pytest.fixture
def in_batches(monkeypatch):
    """Also small graphs are visited in batches by threads, in blocks, and renumbered."""
    monkeypatch.setattr(local_moves, "_FEWEST_BLOCKS", 0)
    monkeypatch.setattr(local_moves, "_BLOCK", 2)
    monkeypatch.setattr(local_moves, "_MOST_IN_QUEUE", 0)
    monkeypatch.setattr(local_moves, "_FEWEST_BATCHES", 4)
    monkeypatch.setattr(leiden_module, "_LARGE", 0)
    monkeypatch.setattr("graphclust.kernels.adjacency._FEW", 0)


@pytest.fixture(params=[1, 3])
def threads(request):
    with Threads(request.param) as pool:
        yield pool


@pytest.fixture(params=["queue", "batches"])
def either_way(request):
    if request.param == "batches":
        request.getfixturevalue("in_batches")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("objective", UNWEIGHTED)
def test_the_predicted_gain_is_the_quality_after_minus_the_quality_before(objective, seed, threads):
    problem = Problem(objective, seed)
    for before in (np.arange(60), np.random.default_rng(seed).integers(0, 6, 60)):
        moves = move_nodes(problem.rows, problem.masses, before, problem.gamma, seed=seed, threads=threads)
        gain = problem.quality(moves.labels) - problem.quality(before)
        assert gain > 0
        assert moves.gain == pytest.approx(gain, abs=1e-9)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("objective", UNWEIGHTED)
def test_no_move_of_a_node_helps_in_the_end(objective, seed, threads):
    problem = Problem(objective, seed)
    options = {"seed": seed, "threads": threads}
    if objective == "propagation":  # the gain depends on neighbors only, which wake each other
        labels = move_nodes(problem.rows, problem.masses, np.arange(60), problem.gamma, **options).labels
    else:
        labels = leiden(problem.rows, problem.masses, problem.gamma, n_iterations=-1, **options)
    best = problem.quality(labels)
    for node in range(60):
        for label in {*labels.tolist(), 99}:
            other = labels.copy()
            other[node] = label
            assert problem.quality(other) <= best + 1e-8


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("n_iterations", [1, 2, -1])
def test_communities_of_leiden_are_connected(n_iterations, threads):
    for seed in range(25):
        for objective in OBJECTIVES[:3]:
            problem = Problem(objective, seed, n_edges=90, resolution=(0.3, 1.0, 3.0)[seed % 3])
            start = None if seed % 2 else np.random.default_rng(seed).integers(0, 5, 60)  # not connected
            labels = leiden(
                problem.rows,
                problem.masses,
                problem.gamma,
                n_iterations=n_iterations,
                seed=seed,
                threads=threads,
                start=start,
            )
            assert problem.connected(labels)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("objective", UNWEIGHTED)
def test_sets_of_nodes_have_the_quality_of_their_nodes(objective, threads):
    problem = Problem(objective, 1)
    rng = np.random.default_rng(1)
    sets = rng.permutation(np.arange(60) % 17).astype(np.int32)
    coarse_labels = rng.integers(0, 4, 17)
    level = leiden_module._coarser(leiden_module._Level(problem.rows, problem.masses), sets, 17, threads)
    matrix = matrix_of(level.rows)
    assert np.array_equal(matrix, matrix.T)
    assert not matrix.diagonal().any()
    inside = problem.matrix[sets[:, None] == sets[None]].sum()
    coarse = quality(matrix / 2, level.masses, problem.gamma, coarse_labels) + inside
    assert coarse == pytest.approx(problem.quality(coarse_labels[sets]), abs=1e-9)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("gamma", [0.0, 1e-12])
def test_communities_are_connected_even_if_only_their_largest_size_splits_them(gamma, threads):
    for seed in range(40):
        problem = Problem("modularity", seed, n=12, n_edges=14)
        for start in (None, np.zeros(12, np.int64)):
            labels = leiden(problem.rows, problem.masses, gamma, seed=seed, threads=threads, start=start, max_size=5)
            assert problem.connected(labels)


@pytest.mark.parametrize("objective", UNWEIGHTED)
def test_another_order_of_the_nodes_is_the_same_graph(objective, threads):
    problem = Problem(objective, 0)
    labels = np.random.default_rng(0).integers(0, 6, 60).astype(np.int32)
    level = leiden_module._Level(problem.rows, problem.masses)
    level, in_order, rank = leiden_module._renumbered(level, labels, threads)
    order = np.argsort(rank)
    assert (np.diff(in_order) >= 0).all()
    assert len({*zip(labels[order].tolist(), in_order.tolist(), strict=True)}) == 6
    assert np.array_equal(matrix_of(level.rows), matrix_of(problem.rows)[np.ix_(order, order)])
    assert np.array_equal(level.masses, problem.masses[order])


def test_weights_of_all_sizes(threads):
    """Deep levels, tiny gains beside huge ones: it ends, and small communities are found beside a heavy edge."""
    weight = 10.0 ** np.random.default_rng(5).uniform(-8, 8, 745)
    rows = adjacency(np.zeros(745, np.int64), np.arange(1, 746), weight, 746)
    masses = np.zeros(746, MASS)
    masses["u"] = masses["v"] = np.bincount(np.repeat(np.arange(746), np.diff(rows.start)), rows.weight)
    for seed in range(20):
        leiden(rows, masses, 0.25 / weight.sum(), seed=seed, threads=threads)
        louvain(rows, masses, 0.25 / weight.sum(), seed=2**31 - 1 - seed, threads=threads)
    source, target = np.array([0, 0, 1, 3, 3, 4, 2, 6]), np.array([1, 2, 2, 4, 5, 5, 3, 7])
    rows = adjacency(source, target, np.array([1.0] * 7 + [1e12]), 8)
    labels = move_nodes(rows, np.zeros(8, MASS), np.arange(8), 0.0, seed=0, threads=threads).labels
    assert len(set(labels.tolist())) <= 3


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
def test_small_graphs_have_the_best_of_all_partitions(resolution):
    """All graphs of 6 nodes, against all 203 partitions; one start in five is enough."""
    partitions = [np.array(labels) for labels in set_partitions(6)]
    with Threads(1) as threads:
        for graph in (graph for graph in graph_atlas_g() if len(graph) == 6 and graph.number_of_edges()):
            matrix = np.triu(nx.to_numpy_array(graph))
            source, target = np.nonzero(matrix)
            masses = np.zeros(6, MASS)
            masses["u"] = masses["v"] = [degree for _, degree in graph.degree]
            gamma = resolution / (4 * len(source))
            best = max(quality(matrix, masses, gamma, labels) for labels in partitions)
            rows = adjacency(source, target, None, 6)
            partitions_of_seeds = [
                leiden(rows, masses, gamma, n_iterations=-1, seed=seed, threads=threads) for seed in range(5)
            ]
            assert max(quality(matrix, masses, gamma, labels) for labels in partitions_of_seeds) == pytest.approx(
                best, abs=1e-9
            )


def test_quality_is_within_that_of_seeds_of_igraph():
    """200 random weighted graphs: as good as igraph's worst of ten seeds in each, and as good as its mean in all."""
    import igraph

    ours, theirs, worst = [], [], []
    with Threads(1) as threads:
        for seed in range(200):
            problem = Problem("modularity", seed, n=100, n_edges=250)
            labels = leiden(problem.rows, problem.masses, problem.gamma, n_iterations=2, seed=seed, threads=threads)
            source, target = np.nonzero(problem.matrix)
            graph = igraph.Graph(n=100, edges=np.stack((source, target), axis=1))
            degrees = problem.masses["u"].tolist()
            settings = {"weights": problem.matrix[source, target].tolist(), "node_weights": degrees, "n_iterations": 2}
            scores = []
            with seeded_igraph(seed):
                for _ in range(10):
                    other = graph.community_leiden(resolution=2 * problem.gamma, **settings)
                    scores.append(problem.quality(np.array(other.membership)) / problem.matrix.sum())
            ours.append(problem.quality(labels) / problem.matrix.sum())
            theirs.append(np.mean(scores))
            worst.append(min(scores))
    assert np.mean(ours) >= np.mean(theirs) - 0.001
    assert np.mean(np.array(ours) < np.array(worst)) <= 0.1  # by chance, one in eleven


@pytest.mark.usefixtures("in_batches")
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_labels_do_not_depend_on_the_number_of_threads(objective):
    problem = Problem(objective, 0, n=800, n_edges=2500)
    results = []
    for number in (1, 2, 4, 7):
        with Threads(number) as threads:
            options = {"seed": 3, "threads": threads}
            moves = move_nodes(problem.rows, problem.masses, np.arange(800), problem.gamma, **options)
            labels = [f(problem.rows, problem.masses, problem.gamma, **options) for f in (leiden, last_of_louvain)]
            results.append((moves.labels.tolist(), moves.gain, *[row.tolist() for row in labels]))
    assert all(result == results[0] for result in results)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("method", [leiden, last_of_louvain])
def test_fixed_nodes_keep_their_communities(method, threads):
    for seed in range(10):
        problem = Problem("modularity", seed)
        start = np.random.default_rng(seed).integers(0, 3, 60)
        fixed = np.arange(0, 60, 4)
        problem.masses["is_fixed"][fixed] = 1
        labels = method(problem.rows, problem.masses, problem.gamma, seed=seed, threads=threads, start=start)
        assert np.array_equal(
            labels[fixed][:, None] == labels[fixed][None], start[fixed][:, None] == start[fixed][None]
        )
        assert problem.quality(labels) > problem.quality(start)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("method", [leiden, last_of_louvain])
def test_communities_do_not_grow_beyond_the_largest_size(method, threads):
    for seed in range(10):
        problem = Problem("modularity", seed, n_edges=300)
        options = {"seed": seed, "threads": threads}
        free = method(problem.rows, problem.masses, problem.gamma, **options)
        assert np.bincount(free).max() > 7
        labels = method(problem.rows, problem.masses, problem.gamma, max_size=7, **options)
        assert np.bincount(labels).max() <= 7
        assert problem.quality(labels) > 0


@pytest.mark.usefixtures("either_way")
def test_a_start_is_not_made_worse(threads):
    for seed in range(10):
        problem = Problem("modularity", seed)
        options = {"seed": seed, "threads": threads}
        start = leiden(problem.rows, problem.masses, problem.gamma, n_iterations=1, **options)
        for n_iterations in (1, 3):
            labels = leiden(
                problem.rows, problem.masses, problem.gamma, n_iterations=n_iterations, start=start, **options
            )
            assert problem.quality(labels) >= problem.quality(start) - 1e-9


def test_nodes_are_disturbed_if_their_set_or_a_neighbor_has_moved():
    """Six sets of two nodes on a path, in two communities; the third set moves to the other one."""
    rows = adjacency(np.arange(11), np.arange(1, 12), None, 12)
    parts = np.repeat(np.arange(6), 2).astype(np.int32)
    labels = np.repeat([0, 1], 6).astype(np.int32)
    for names in ([0, 0, 1, 1, 1, 1], [7, 7, 2, 2, 2, 2]):
        after = np.array(names, dtype=np.int32)
        nodes = leiden_module._disturbed_nodes(rows, labels, parts, after)
        assert np.flatnonzero(nodes).tolist() == [3, 4, 5, 6]
    assert not leiden_module._disturbed_nodes(rows, labels, parts, np.repeat([1, 0], 3).astype(np.int32)).any()


@pytest.mark.parametrize("n", [0, 1, 5])
def test_graphs_without_edges(n):
    rows = adjacency(np.zeros(0, np.int64), np.zeros(0, np.int64), None, n)
    masses = np.zeros(n, MASS)
    with Threads(2) as threads:
        assert leiden(rows, masses, 0.0, threads=threads).tolist() == list(range(n))
        assert last_of_louvain(rows, masses, 0.0, threads=threads).tolist() == list(range(n))
        assert move_nodes(rows, masses, np.arange(n), 0.0, seed=0, threads=threads).labels.tolist() == list(range(n))
