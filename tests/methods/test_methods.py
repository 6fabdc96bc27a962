"""The contract of every method, and the laws of the classical ones."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap

import igraph
import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone, is_clusterer

import graphclust as gc
from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.kernels import local_moves
from graphclust.kernels.eigenvectors import spectral_embedding
from graphclust.metrics import modularity, rank_labels
from graphclust.problem.constraints import connected_parts
from graphclust.problem.problem import Problem
from graphclust.problem.solution import Solution
from graphclust.runtime.threads import limited_threads
from tests.estimating import blobs, train_lnscc_briefly
from tests.examples import documented_method
from tests.marks import slow
from tests.noted import codes, noted

K = 3
BRIEF = {  # trainings and samples, long enough for the contract
    "acp": {"n_samples": 16},
    "acp-s": {"n_samples": 16},
    "ccp": {"n_samples": 16},
    "clam": {"max_epochs": 5, "n_init": 1, "max_clusters": 8, "training": {"n_steps": 3}},
    "lnscc": {"max_epochs": 2, "training": {"hidden": (32,)}},
    "ncp": {"n_samples": 8, "n_orders": 3},
}


@pytest.fixture(autouse=True)
def _lnscc_is_trained_briefly(monkeypatch):
    train_lnscc_briefly(monkeypatch, steps=5, teaching_steps=50)


def make(name, **params):
    """Build a method with a seed, a brief training, and a number of communities where it needs one."""
    kind = gc.METHODS[name]
    if kind.takes_n_clusters == "required":
        params.setdefault("n_clusters", K)
    return kind(random_state=0, **(BRIEF.get(name, {}) | params))


def blocks(random_state=0, n=60, k=K):
    return gc.generators.planted_partition(n, k, p_in=0.6, p_out=0.03, random_state=random_state)


def partition(nodes, labels):
    parts = {}
    for node, label in zip(nodes, labels, strict=True):
        parts.setdefault(label, set()).add(node)
    return set(map(frozenset, parts.values()))


@pytest.fixture(params=[*gc.METHODS, "documented"])
def name(request, tmp_path):
    """Every method, and the one that docs/extending.md shows."""
    if request.param != "documented":
        yield request.param
        return
    with documented_method(tmp_path) as name:
        yield name


# ---------------------------------------------------------------- the contract


def test_recovers_an_easy_partition(name):
    graph = blocks(n=120)
    model = make(name).fit(graph)
    assert partition(graph.nodes, model.labels_) == partition(graph.nodes, graph.y)


def test_scikit_learn_contract(name):
    estimator = make(name)
    assert is_clusterer(estimator)
    assert estimator.get_params() == clone(estimator).get_params()
    assert estimator.set_params(random_state=5) is estimator
    assert estimator.get_params()["random_state"] == 5
    assert "random_state=5" in repr(estimator)
    with pytest.raises(gc.UsageError, match="no parameter 'nonsense'"):
        estimator.set_params(nonsense=1)
    labels = estimator.fit_predict(blocks())
    np.testing.assert_array_equal(labels, estimator.labels_)
    assert not hasattr(clone(estimator), "labels_")


def test_labels_are_contiguous_and_the_largest_is_zero(name):
    graph = gc.generators.sbm([10, 30, 20], np.full((3, 3), 0.02) + 0.6 * np.eye(3), random_state=1)
    labels = make(name).fit(graph).labels_
    assert labels.dtype == np.int64
    sizes = np.bincount(labels)
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()


def test_same_seed_same_result_whatever_the_order(name):
    graph = gc.generators.planted_partition(60, 4, p_in=0.3, p_out=0.08, random_state=3)  # hard: many optima
    names = [f"node {i}" for i in graph.nodes]
    edges = [(names[u], names[v]) for u, v in graph.edges()]
    rng = np.random.default_rng(0)
    numbers = set()
    for again in (False, True):
        shuffled = nx.Graph()
        shuffled.add_nodes_from(rng.permutation(names).tolist())
        for i in rng.permutation(len(edges)):
            shuffled.add_edge(*(edges[i] if rng.random() < 0.5 else edges[i][::-1]))
        estimator = make(name).fit(shuffled)
        assert estimator.graph_.nodes == list(shuffled)
        numbers.add(frozenset(partition(list(shuffled), estimator.labels_)))
        if again:
            np.testing.assert_array_equal(estimator.labels_, make(name).fit(shuffled).labels_)
    assert len(numbers) == 1


@pytest.mark.parametrize("method", ["auto", "leiden", "louvain", "spectral"])
def test_nodes_without_edges_are_none_of_the_k_communities(method):
    graph = nx.barbell_graph(8, 0)
    graph.add_nodes_from(["x", "y"])
    graph.add_edge("y", "y")
    communities = gc.detect(graph, method, n_clusters=2, random_state=0)
    assert [len(group) for group in communities] == [10, 8]
    assert communities.membership["x"] == communities.membership["y"] == 0
    assert "isolated-nodes-joined" in codes(communities.notes)
    if communities.posterior is not None:
        assert communities.confidence[-2:].tolist() == [0.5, 0.5]
        assert 0.2 < communities.posterior.co_membership()[0, -1] < 0.8
    assert gc.detect(graph, method, n_clusters=18, random_state=0).n_clusters == 18


@pytest.mark.parametrize(
    ("method", "n_nodes"), [("leiden", 900), ("louvain", 900), ("label-propagation", 900), ("auto", 60)]
)
def test_labels_depend_neither_on_the_order_nor_on_the_number_of_threads(method, n_nodes, monkeypatch):
    """Twenty orders of the lines, of their ends and of the ids' first appearance, on one to four threads."""
    monkeypatch.setattr(local_moves, "_MOST_IN_QUEUE", 1000)  # so that threads move nodes in batches
    graph = gc.generators.planted_partition(n_nodes, 4, p_in=24 / n_nodes, p_out=4 / n_nodes, random_state=3)
    edges = np.array(list(graph.edges()))
    rng = np.random.default_rng(0)
    results = set()
    for turn in range(20):
        lines = np.where(rng.random((len(edges), 1)) < 0.5, edges, edges[:, ::-1])[rng.permutation(len(edges))]
        with limited_threads(1 + turn % 4):
            communities = gc.detect([(f"v{u}", f"v{v}") for u, v in lines.tolist()], method, random_state=0)
        results.add(tuple(sorted(communities.membership.items())))
    assert len(results) == 1


def test_input_is_unchanged(name):
    matrix = blocks().adjacency()
    before = matrix.copy()
    make(name).fit(matrix)
    assert (matrix != before).nnz == 0


@pytest.fixture
def double_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_by_default")
def test_the_callers_precision_does_not_matter(name):
    graph = blocks()
    labels = make(name).fit(graph).labels_
    assert torch.get_default_dtype() == torch.float64
    torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(labels, make(name).fit(graph).labels_)


@pytest.mark.usefixtures("double_by_default")
@pytest.mark.parametrize("kind", [gc.CLAM, gc.LNSCC, gc.CNC])
def test_the_callers_precision_does_not_matter_to_tables_and_new_points(kind, rng):
    x = blobs(rng, size=20)[0]
    brief = {"training": {"siamese_steps": 10, "hidden": (16,)}} if kind is gc.CNC else {}
    model = kind(3, random_state=0, max_epochs=2, **brief).fit(x)
    np.testing.assert_array_equal(model.predict(x), model.labels_)


def test_isolated_nodes_and_several_components(name):
    graph = Graph.from_edges([0, 1, 0, 4, 5, 4], [1, 2, 2, 5, 6, 6], nodes=9)
    labels = (
        make(name, **({"n_clusters": 2} if gc.METHODS[name].takes_n_clusters == "required" else {})).fit(graph).labels_
    )
    assert len(labels) == 9
    assert len({labels[0], labels[4]}) == 2
    assert labels[0] == labels[1] == labels[2]
    assert labels[4] == labels[5] == labels[6]


@pytest.mark.parametrize("n_nodes", [0, 1, 5])
def test_no_edges(name, n_nodes):
    params = {"n_clusters": max(n_nodes, 1)} if gc.METHODS[name].takes_n_clusters == "required" else {}
    labels = make(name, **params).fit(Graph.from_edges([], [], nodes=n_nodes)).labels_
    assert sorted(labels.tolist()) == list(range(n_nodes))


def test_one_node_with_a_self_loop(name):
    params = {"n_clusters": 1} if gc.METHODS[name].takes_n_clusters == "required" else {}
    assert make(name, **params).fit(Graph.from_edges([0], [0], nodes=1)).labels_.tolist() == [0]


def test_weights_count(name):
    """Without weights the graph is complete: only they tell the communities."""
    inside = np.kron(np.eye(K), np.ones((8, 8)))
    weights = np.where(inside > 0, 50.0, 1.0) - 50.0 * np.eye(8 * K)
    model = make(name).fit(sp.csr_array(weights))
    if name == "label-propagation" and model.n_clusters_ == 1:  # a local rule may flood a complete graph
        weights[weights == 1.0] = 1e-3
        model = make(name).fit(sp.csr_array(weights))
    assert partition(range(8 * K), model.labels_) == partition(range(8 * K), np.arange(8 * K) // 8)


def test_direction_counts_or_is_said_to_be_dropped(name):
    graph = nx.DiGraph(blocks().to_networkx())
    graph.remove_edges_from([edge for edge in list(graph.edges) if hash(edge) % 3 == 0])
    estimator = make(name).fit(graph)
    uses = estimator.takes_direction or (name == "auto" and estimator.details_["model"] == "dc-sbm")
    assert uses != ("dropped-directions" in codes(estimator.notes_))


@pytest.mark.parametrize("method", ["leiden", "louvain"])
def test_block_models_say_once_that_they_drop_directions(method):
    graph = nx.gnp_random_graph(40, 0.15, seed=3, directed=True)
    assert codes(gc.detect(graph, method, refine="planted").notes).count("dropped-directions") == 1
    notes = codes(gc.detect(graph, method, refine="dc-sbm").notes)
    assert notes.count("dropped-directions") == (method == "louvain")  # which ignores them itself


@pytest.mark.parametrize("k", [1, 2, 3, 7, 20, 60])
def test_number_of_communities_is_honoured_or_refused(name, k):
    graph = blocks()
    if gc.METHODS[name].takes_n_clusters == "no":
        with pytest.raises(gc.UsageError, match=name):
            gc.detect(graph, name, n_clusters=k)
        return
    assert gc.detect(graph, name, n_clusters=k, **BRIEF.get(name, {})).n_clusters == k


@pytest.mark.parametrize("k", [0, -1, 61, 2.5, True, "3"])
def test_numbers_of_communities_that_make_no_sense(name, k):
    with pytest.raises(gc.UsageError, match="n_clusters"):
        gc.detect(blocks(), name, n_clusters=k)


def detect(name, graph, **params):
    """Run a method as a user would, briefly."""
    if gc.METHODS[name].takes_n_clusters == "required":
        params.setdefault("n_clusters", K)
    return gc.detect(graph, name, **(BRIEF.get(name, {}) | params))


def test_results_answer_more_than_who_is_with_whom(name, tmp_path):
    graph = blocks(n=90)
    result = detect(name, graph, overlapping=True)
    rows = result.cover.memberships
    assert rows.keys() == set(graph.nodes)
    assert all(result.membership[node] in row for node, row in rows.items())
    assert all(sum(row.values()) == pytest.approx(1) for row in rows.values())
    links = result.links(3)
    assert len(links.missing) == len(links.doubtful) == 3
    pairs = [pair[:2] for pair in links.missing]
    assert result.predict_proba(pairs) == pytest.approx([p for *_, p in links.missing])
    assert result.coarser().n_clusters == result.n_clusters // 2
    for suffix in ("json", "tsv", "graphml", "cmty", "html"):
        result.save(tmp_path / f"result.{suffix}")
    for suffix in ("json", "tsv"):
        assert gc.Communities.load(tmp_path / f"result.{suffix}", graph).membership == result.membership
    assert gc.diff(result, result).counts["moved"] == 0


def test_runs_with_several_seeds_say_how_stable_they_are(name):
    graph = blocks(n=90)
    result = detect(name, graph, seeds=2)
    assert result.stability.shape == (90,)
    assert ((result.stability > 0) & (result.stability <= 1)).all()
    assert result.runs.samples.shape == (2, 90)
    assert result.params["seeds"] == 2


def test_starts_and_sizes_are_honoured_or_refused(name):
    graph = blocks(n=90)
    start = {node: 10 + node % 3 for node in graph.nodes}  # groups that have nothing to do with the graph
    if gc.METHODS[name].takes_start:
        result = detect(name, graph, start=start)
        assert set(result.changes.matched.values()) <= {10, 11, 12}
        assert result.numbers.min() >= 10
    else:
        with pytest.raises(UsageError, match="start"):
            detect(name, graph, start=start)
    own = {"min_size", "max_size"} & gc.METHODS[name].parameters().keys()
    if own == {"min_size", "max_size"}:
        sizes = list(map(len, detect(name, graph, min_size=7, max_size=20).communities))
        assert min(sizes) >= 7
        assert max(sizes) <= 20
    else:
        with pytest.raises(UsageError, match="max_size"):
            detect(name, graph, max_size=20)


def test_too_little_memory_is_refused_with_the_estimate(name, monkeypatch):
    graph = blocks()
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "1e-9")
    with pytest.raises(gc.ResourceError, match=rf"{name}.* needs about .* of memory"):
        make(name).fit(graph)


@pytest.mark.parametrize("seed", [-1, "zero", 1.5])
def test_seeds_that_are_none(name, seed):
    with pytest.raises(gc.UsageError, match="random_state"):
        make(name).set_params(random_state=seed).fit(blocks())


@pytest.mark.parametrize("seed", [np.random.RandomState(0), *slow(None, np.random.default_rng(0), np.int64(3))])
def test_seeds_of_all_kinds(name, seed):
    graph = gc.generators.planted_partition(90, K, p_in=0.9, p_out=0.0, random_state=0)  # that no seed misses
    assert make(name).set_params(random_state=seed).fit(graph).n_clusters_ == K


def test_memory_estimate_grows_with_edges_not_with_pairs(name):
    small, large = (blocks(n=n) for n in (200, 400))
    estimator = make(name)
    growth = estimator.memory(large) / estimator.memory(small)
    assert growth < 1.2 * max(large.num_edges / small.num_edges, 2)


def said_to_be_apart(notes):
    """Numbers of communities that notes call not connected."""
    return [note.data["n_communities"] for note in notes if note.code == "disconnected"]


def number_apart(communities, *, with_isolated=True):
    graph = nx.Graph(communities.graph.to_networkx())
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    left_out = set() if with_isolated else set(nx.isolates(graph))
    parts = [set(part) - left_out for part in communities.communities]
    return sum(not nx.is_connected(graph.subgraph(part)) for part in parts if part)


@pytest.mark.parametrize("n_clusters", [None, 2])
def test_communities_that_are_not_connected_are_counted_once(name, n_clusters):
    """Three triangles in two communities, a star whose leaves look alike, and edges whose directions do not count."""
    takes = gc.METHODS[name].takes_n_clusters
    k = {"no": None, "optional": n_clusters, "required": n_clusters or K}[takes]
    triangles = nx.disjoint_union_all([nx.complete_graph(3)] * 3)
    for graph in (triangles, nx.star_graph(30), nx.gnm_random_graph(24, 30, seed=1, directed=True)):
        communities = gc.detect(graph, name, k, **BRIEF.get(name, {}))
        apart = number_apart(communities)
        assert said_to_be_apart(communities.notes) == ([apart] if apart else [])
        assert apart or graph is not triangles or k != 2


def test_communities_that_are_improved_are_counted_as_they_are_then():
    star = nx.star_graph(30)
    plain, refined = gc.detect(star, "clam"), gc.detect(star, "clam", refine="planted")
    assert said_to_be_apart(plain.notes) == [number_apart(plain)]
    assert number_apart(refined) == 0
    assert said_to_be_apart(refined.notes) == []


def test_points_without_edges_are_not_called_apart(rng):
    x = np.concatenate((rng.normal(0, 0.1, (20, 2)), rng.normal(9, 0.1, (20, 2))))
    for points in (x, Graph.from_edges([], [], nodes=40, x=x)):
        model = gc.CLAM(2, random_state=0).fit(points)
        assert model.n_clusters_ == 2
        assert said_to_be_apart(model.notes_) == []
    alone = gc.detect(Graph.from_edges([], [], nodes=40), "spectral", 2)
    assert said_to_be_apart(alone.notes) == [number_apart(alone)] != [0]


# ---------------------------------------------------------------- laws of the classical methods


def random_graphs():
    for seed in range(8):
        graph = nx.gnm_random_graph(60, 50 + 20 * seed, seed=seed)  # from many components to one
        yield as_graph(graph)


@pytest.mark.parametrize("name", ["leiden", "louvain", "label-propagation"])
def test_communities_are_connected(name):
    for graph in random_graphs():
        model = make(name).fit(graph)
        converted = graph.to_networkx()
        for part in partition(graph.nodes, model.labels_):
            assert nx.is_connected(converted.subgraph(part))


def test_disconnected_communities_are_repaired_and_reported():
    graph = Graph.from_edges([0, 2], [1, 3], nodes=4)
    solution = Problem(graph).core.settled(Solution(np.zeros(4, dtype=np.int64)), connected=True)
    assert solution.labels.tolist() == [0, 0, 1, 1]
    assert noted(solution.notes, "split-disconnected") == {"n_before": 1, "n_after": 2}


def test_connected_parts_equal_networkx():
    for graph in random_graphs():
        labels = np.asarray(graph.nodes) % 3
        converted = graph.to_networkx()
        expected = set()
        for value in range(3):
            members = [node for node in graph.nodes if node % 3 == value]
            expected |= set(map(frozenset, nx.connected_components(converted.subgraph(members))))
        assert partition(graph.nodes, connected_parts(graph, labels)) == expected


def test_leiden_is_as_good_as_igraph_left_alone():
    ig_graph = igraph.Graph.Famous("Zachary")
    alone = max(ig_graph.community_leiden("modularity", n_iterations=-1).modularity for _ in range(5))
    random.seed(7)  # igraph left alone draws from Python's generator, which conftest guards
    graph = as_graph(ig_graph)
    best = max(modularity(graph, gc.Leiden(random_state=s).fit(graph).labels_) for s in range(5))
    assert best == pytest.approx(alone, abs=1e-9)
    assert best == pytest.approx(0.41979, abs=1e-5)  # the known optimum of the karate club


def test_leiden_resolution_and_potts_model():
    graph = gc.datasets.load("ring-of-cliques")
    counts = [gc.Leiden(resolution=r, random_state=0).fit(graph).n_clusters_ for r in (0.1, 1.0, 5.0)]
    assert counts[0] < counts[1] <= counts[2]
    model = gc.Leiden(objective="cpm", resolution=0.5, random_state=0).fit(graph)
    assert partition(graph.nodes, model.labels_) == partition(graph.nodes, graph.y)
    for bad in (
        {"resolution": -1},
        {"resolution": float("nan")},
        {"objective": "best"},
        {"n_iterations": 0},
        {"n_iterations": 2.0},
        {"beta": "x"},
    ):
        with pytest.raises(gc.UsageError):
            gc.Leiden(**bad).fit(graph)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("objective", ["modularity", "cpm"])
def test_no_move_of_a_node_helps_after_leiden_has_converged(directed, objective):
    resolution = 1.0 if objective == "modularity" else 0.15

    def quality(graph, labels):
        if objective == "modularity":
            return modularity(graph, rank_labels(labels), resolution)
        inside = graph.edge_weight[
            labels[graph.source] == labels[graph.target]
        ].sum()  # loops count the same everywhere
        sizes = np.bincount(labels).astype(float)
        return inside - resolution * (sizes**2 if directed else sizes * (sizes - 1) / 2).sum()

    for seed in range(4):
        nx_graph = nx.gnm_random_graph(40, 120, seed=seed, directed=directed)
        rng = np.random.default_rng(seed)
        nx_graph.add_edges_from((node, node) for node in rng.integers(0, 40, 12).tolist())
        for u, v in nx_graph.edges:
            nx_graph[u][v]["weight"] = float(rng.integers(1, 4))
        graph = as_graph(nx_graph)
        model = gc.Leiden(objective=objective, resolution=resolution, n_iterations=-1, random_state=seed).fit(graph)
        best = quality(graph, model.labels_)
        for node in range(40):
            for community in range(model.n_clusters_ + 1):  # the last one is new
                moved = model.labels_.copy()
                moved[node] = community
                assert quality(graph, moved) <= best + 1e-9


@pytest.mark.parametrize("name", ["leiden", "louvain", "label-propagation", "auto"])
def test_large_graphs_have_the_same_labels_with_any_number_of_threads(name):
    graph = gc.generators.planted_partition(30_000, 300, p_in=0.12, p_out=0.0003, random_state=0)
    assert graph.num_nodes + 2 * graph.num_edges > local_moves._MOST_IN_QUEUE  # it is visited in batches
    results = []
    for number in (1, 2, 4):
        with limited_threads(number):
            results.append(gc.METHODS[name](random_state=0).fit(graph).labels_)
    assert all(np.array_equal(labels, results[0]) for labels in results)
    assert gc.metrics.ami(results[0], graph.y) > 0.8


@pytest.mark.parametrize("name", ["leiden", "louvain", "label-propagation"])
def test_labels_do_not_depend_on_the_unit_of_the_weights(name):
    for seed in range(8):
        graph = gc.generators.planted_partition(300, 30, p_in=0.4, p_out=0.008, random_state=seed)
        weight = np.random.default_rng(seed).integers(1, 10, graph.num_edges)  # with ties such as 1 + 6 and 7
        results = []
        for unit in (1.0, 0.1, 0.3, 1e-7, 1e-120):
            scaled = Graph.from_edges(graph.source, graph.target, weight * unit, nodes=300)
            results.append(gc.METHODS[name](random_state=0).fit(scaled).labels_)
        assert all(np.array_equal(labels, results[0]) for labels in results)
        assert len(set(results[0].tolist())) > 1


@pytest.mark.parametrize("name", ["leiden", "louvain"])
def test_fewer_communities_than_components_are_joined_and_said(name):
    graph = Graph.from_edges([0, 2, 4], [1, 3, 5], nodes=7)
    communities = gc.detect(graph, name, n_clusters=2)
    assert communities.n_clusters == 2
    assert noted(communities.notes, "joined-components") == {"n_components": 3}  # of nodes with edges


@pytest.mark.parametrize("name", ["leiden", "louvain"])
@pytest.mark.parametrize("k", [3, 8, 20])
def test_communities_are_connected_with_k_too_or_it_is_said_why(name, k):
    for graph in random_graphs():
        communities = gc.detect(graph, name, n_clusters=k)
        apart = number_apart(communities, with_isolated=False)  # for which there is another note
        assert not apart or "joined-components" in codes(communities.notes)


def test_exact_numbers_are_found_in_time():
    star = Graph.from_edges(np.zeros(20_000, dtype=int), np.arange(1, 20_001), nodes=20_001)
    assert gc.detect(star, "leiden", n_clusters=500).n_clusters == 500
    graph = gc.generators.planted_partition(5000, 10, p_in=0.02, p_out=0.001, random_state=0)
    assert gc.detect(graph, "leiden", n_clusters=3000).n_clusters == 3000
    assert gc.detect(graph, "leiden", n_clusters=5, resolution=0).n_clusters == 5


@pytest.mark.parametrize("name", ["leiden", "louvain"])
def test_dust_does_not_take_the_place_of_communities(name):
    """Asked for as many communities as were planted, isolated pairs and nodes beside them must not spoil the answer."""
    planted = gc.generators.planted_partition(200, 4, p_in=0.3, p_out=0.01, random_state=0)
    source = np.concatenate((planted.source, [200, 202, 204]))
    target = np.concatenate((planted.target, [201, 203, 205]))
    graph = Graph.from_edges(source, target, nodes=230)
    communities = gc.detect(graph, name, n_clusters=4)
    assert communities.n_clusters == 4
    assert gc.metrics.ami(communities.labels[:200], planted.y) > 0.95
    assert len(gc.detect(Graph.from_edges([0], [1], nodes=30_000), name, n_clusters=5).communities) == 5  # and at once


def test_infomap_communities_are_connected_too():
    graph = nx.DiGraph([(0, 1), (1, 0), (2, 1)])
    graph.add_node(3)
    assert gc.detect(graph, "infomap").membership[3] not in {
        gc.detect(graph, "infomap").membership[i] for i in range(3)
    }


@pytest.mark.parametrize("names", [("acp", "spectral"), *slow(tuple(gc.METHODS))])
def test_child_processes_forked_after_a_run_do_not_hang(names):
    code = f"""
        import multiprocessing as mp, graphclust as gc
        g, brief, names = gc.datasets.load("karate"), {BRIEF}, {names}
        def run(method):
            k = 2 if gc.METHODS[method].takes_n_clusters == "required" else None
            return gc.detect(g, method, k, **brief.get(method, {{}})).n_clusters
        here = [run(method) for method in names]
        with mp.get_context("fork").Pool(1) as pool:
            assert pool.map(run, names) == here
    """
    threads = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}  # as many as a user has
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120, env=threads)


def test_merging_takes_the_best_gain_each_time():
    """Against a search over all pairs that computes modularity from the definition."""
    from graphclust.kernels.merging import merge_to

    for graph in list(random_graphs())[3:]:
        labels = rank_labels(np.asarray(graph.nodes) // 6)
        merged = merge_to(graph.source, graph.target, graph.edge_weight, labels, 4)
        current = labels.copy()
        while len(set(current.tolist())) > 4:
            values = sorted(set(current.tolist()))
            trials = [np.where(current == j, i, current) for a, i in enumerate(values) for j in values[a + 1 :]]
            current = max(trials, key=lambda t: modularity(graph, rank_labels(t)))
        assert modularity(graph, rank_labels(merged)) == pytest.approx(
            modularity(graph, rank_labels(current)), abs=1e-12
        )


@pytest.mark.parametrize("regularization", [0.0, 0.25])
def test_spectral_dense_and_iterative_agree(regularization, monkeypatch):
    graph = blocks(n=120)
    labels = gc.Spectral(K, regularization=regularization, random_state=0).fit(graph).labels_
    monkeypatch.setattr("graphclust.kernels.eigenvectors._MAX_DENSE", 0)
    two = gc.Spectral(K, regularization=regularization, random_state=0).fit(graph).labels_
    assert partition(graph.nodes, labels) == partition(graph.nodes, two)


def test_spectral_embeddings_are_those_of_their_sources():
    """Rows of length one, and eigenvectors of the random walk: D^-1 A v = lambda v."""
    graph = blocks(n=120)
    unit = spectral_embedding(graph.adjacency(), K, regularization=0.0)
    np.testing.assert_allclose((unit**2).sum(axis=1), 1)
    walk = spectral_embedding(graph.adjacency(), K, "shi-malik", regularization=0.0)
    matrix = graph.adjacency().toarray()
    step = (matrix / matrix.sum(axis=1, keepdims=True)) @ walk
    np.testing.assert_allclose(step, walk * (step * walk).sum(axis=0) / (walk**2).sum(axis=0), atol=1e-9)
    assert np.ptp(walk[:, -1]) < 1e-9  # the leading one is constant
    model = gc.Spectral(K, embedding="shi-malik", random_state=0).fit(graph)
    assert gc.metrics.ami(graph.y, model.labels_) > 0.9
    with pytest.raises(UsageError, match="njw or shi-malik"):
        gc.Spectral(2, embedding="raw").fit(graph)


def test_igraph_gets_its_generator_back():
    make("leiden").fit(blocks())
    igraph.Graph.Erdos_Renyi(50, 0.1)  # draws from Python's generator again
    number = random.random()
    random.seed(7)
    assert number != random.random()
    random.seed(7)
