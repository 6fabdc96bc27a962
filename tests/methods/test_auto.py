"""`auto` and refinement: what is chosen, what is respected, what is told."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from itertools import combinations

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.errors import UsageError
from graphclust.generators.lfr import lfr
from graphclust.graph import Graph
from graphclust.inference import BLOCK_MODELS
from graphclust.inference.block_models import DegreePrior, PlantedPartitionModel
from graphclust.inference.description_length import describe
from graphclust.inference.microcanonical import DegreeCorrectedBlockModel, UncorrectedBlockModel
from graphclust.inference.refinement import EFFORTS, explained, refine
from graphclust.methods import auto as auto_module
from graphclust.metrics import ami
from graphclust.problem.constraints import connected_parts
from graphclust.problem.problem import Problem
from tests import oracles
from tests.marks import slow
from tests.noted import codes, noted


def dense(seed=0, n=150):
    return gc.generators.sbm([n // 3] * 3, [[0.6, 0.1, 0.2], [0.1, 0.5, 0.1], [0.2, 0.1, 0.4]], random_state=seed)


def stars(n=60):
    """Hubs and leaves: blocks by degree are not communities."""
    rng = np.random.default_rng(0)
    theta = rng.pareto(1.2, n) + 0.3
    p = np.minimum(np.outer(theta, theta) * 0.05, 1)
    source, target = np.nonzero(np.triu(rng.random((n, n)) < p, 1))
    return gc.Graph.from_edges(source, target, nodes=n)


# ------------------------------------------------------------------------------------------------------ auto


@pytest.mark.parametrize("effort", ["low", "normal"])
def test_dense_blocks_are_found_with_confidence(effort):
    graph = dense()
    communities = gc.detect(graph, effort=effort)
    assert ami(graph.y, communities.labels) > 0.95
    assert communities.details["model"] == "sbm"
    samples = communities.posterior.samples
    assert samples.shape == (64, 150) if effort == "normal" else len(samples) > 10
    assert communities.confidence.mean() > 0.95
    wrong = communities.confidence[communities.labels != 0]  # a sanity check of the range only
    assert ((wrong >= 0) & (wrong <= 1)).all()


def test_sparse_graphs_of_many_small_communities():
    graph = lfr(1000, mu=0.3, average_degree=10, random_state=0)
    communities = gc.detect(graph)
    assert ami(graph.y, communities.labels) > 0.97
    assert communities.details["model"] == "planted"
    leiden = gc.detect(graph, "leiden")
    assert ami(graph.y, communities.labels) > ami(graph.y, leiden.labels) + 0.02


@pytest.mark.parametrize("seed", [0, *slow(1, 2)])
@pytest.mark.parametrize("p", [0.03, 0.1, 0.5])
def test_no_structure_is_invented(p, seed):
    graph = gc.generators.planted_partition(200, 1, p_in=p, p_out=p, random_state=seed)
    sizes = np.bincount(gc.detect(graph, random_state=seed).labels)
    assert sizes[0] == (graph.degree() > 0).sum()


def test_hubs_and_their_periphery_are_not_communities():
    communities = gc.detect(stars())
    best = min(communities.details["scores"], key=lambda row: row["description_length"])
    assert communities.details["description_length"] >= best["description_length"]
    chosen = [row for row in communities.details["scores"] if row["model"] == communities.details["model"]]
    assert any(row["assortative"] >= 0.75 for row in chosen)
    free = gc.detect(stars(), refine="sbm")  # asked for, roles are found
    assert free.details["model"] == "sbm"


def test_explains_itself():
    communities = gc.detect("data:karate")
    details = communities.details
    assert details["model"] in BLOCK_MODELS
    lengths = [row["description_length"] for row in details["scores"]]
    assert lengths == sorted(lengths)
    assert {row["start"].rstrip("+") for row in details["scores"]} >= {
        "leiden 1",
        "infomap",
        "one",
        "spectral 2",
    }
    thorough = gc.detect(dense(), effort="high").details["scores"]  # on a graph like those that ACP was trained on
    assert "acp" in {row["start"].rstrip("+") for row in thorough}
    assert noted(communities.notes, "chosen")["description_length"] == details["description_length"]
    assert json.loads(json.dumps(details)) == details
    assert 0 < details["chains"]["n_kept"] <= details["chains"]["n_chains"]
    assert details["chains"]["effective_samples"] >= 1


@pytest.mark.parametrize("k", [1, 2, 3, 5, 34])
def test_numbers_of_communities_are_honoured(k):
    communities = gc.detect("data:karate", n_clusters=k)
    assert communities.n_clusters == k
    if k != 5:  # most partitions of this graph into five blocks have hubs and leaves as blocks
        assert set(communities.posterior.n_clusters()) == {k}
    else:
        assert "no-posterior" in codes(communities.notes)
        assert communities.confidence is not None


def test_known_labels_are_respected_with_and_without_a_number():
    graph = dense()
    known = {node: int(graph.y[node]) for node in range(0, 150, 10)} | {1: 7, 2: 7}
    for k in (None, 4):
        communities = gc.detect(graph, n_clusters=k, known=known, effort="low")
        assert k is None or communities.n_clusters == k
        for labels in (communities.labels, *communities.posterior.samples[:5]):
            for v in known:
                for two in known:
                    assert (labels[v] == labels[two]) == (known[v] == known[two])
    with pytest.raises(UsageError, match="4 known labels, which is more than 3 communities"):
        gc.detect(graph, n_clusters=3, known=known)


def test_isolated_nodes_alone_and_no_community_in_two_components():
    nodes = list(range(14))
    ring = [(i, (i + 1) % 5) for i in range(5)]
    graph = gc.Graph.from_edges(*np.array(ring + [(a + 5, b + 5) for a, b in ring]).T, nodes=nodes)
    communities = gc.detect(graph)
    for samples in (communities.labels[None], communities.posterior.samples):
        for labels in samples:
            assert not set(labels[:5].tolist()) & set(labels[5:10].tolist())
            assert len(set(labels[10:].tolist())) == 4
    assert communities.confidence[10:] == pytest.approx([1] * 4)


def test_weights_and_directions():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    source, target = np.triu_indices(40, 1)
    weight = np.where(labels[source] == labels[target], 5.0, 1.0) * rng.uniform(0.5, 1.5, len(source))
    graph = gc.Graph.from_edges(source, target, nodes=40, weight=weight)
    communities = gc.detect(graph)  # complete: only weights tell
    assert ami(labels, communities.labels) == 1
    assert "sbm" not in {row["model"] for row in communities.details["scores"]}  # it would read the weights otherwise
    directed = gc.Graph.from_edges(source, target, nodes=40, weight=weight, directed=True)
    assert ami(labels, gc.detect(directed).labels) == 1


def directed_ring(forward, backward, inside):
    """A directed graph of three groups of forty nodes, with edges mostly from each to the next one."""
    group = np.repeat([0, 1, 2], 40)
    ahead = (group[:, None] + 1) % 3 == group
    rate = np.where(group[:, None] == group, inside, np.where(ahead, forward, backward))
    source, target = np.nonzero((np.random.default_rng(0).random((120, 120)) < rate) & ~np.eye(120, dtype=bool))
    return gc.Graph.from_edges(source, target, nodes=120, directed=True), group


def test_directions_tell_communities():
    graph, group = directed_ring(0.12, 0.01, 0.12)
    communities = gc.detect(graph)
    assert communities.details["model"] == "dc-sbm"
    assert ami(group, communities.labels) == 1
    assert not any(note.code == "dropped-directions" for note in communities.notes)
    assert gc.detect(graph.undirected()).n_clusters == 1
    assert gc.detect(graph, effort="low").details["model"] == "dc-sbm"


def test_groups_that_are_no_communities_are_rejected_on_directed_graphs():
    graph, group = directed_ring(0.25, 0.01, 0.02)
    communities = gc.detect(graph)
    messages = {note.code: note.message for note in communities.notes}
    assert "dc-sbm, which describes them, found no better communities" in messages["dropped-directions"]
    assert ami(group, gc.detect(graph, model="dc-sbm").labels) == 1


def test_one_group_has_the_same_length_under_all_models_of_degrees():
    graph, _ = directed_ring(0.12, 0.01, 0.12)
    scores = gc.detect(graph).details["scores"]
    one = {row["model"]: row["description_length"] for row in scores if row["start"] == "one"}
    assert one["dc-sbm"] == pytest.approx(one["planted"], abs=1e-3)


def test_microcanonical_models_differ_by_their_description_lengths_when_compared():
    graph, group = directed_ring(0.12, 0.01, 0.12)
    core = Problem(graph).core
    models = ("planted", "dc-sbm", "microcanonical-sbm")
    scores = refine(core, {"ring": group, "one": np.zeros(120, dtype=int)}, models).details["scores"]
    for start, labels in (("ring", group), ("one", np.zeros(120, dtype=int))):
        length = {row["model"]: row["description_length"] for row in scores if row["start"] == start}
        expected = describe(graph, labels, "sbm").total - describe(graph, labels, "dc-sbm").total
        hidden = [model(graph).hidden_edges(labels) for model in (UncorrectedBlockModel, DegreeCorrectedBlockModel)]
        difference = length["microcanonical-sbm"] - length["dc-sbm"]
        assert difference == pytest.approx(expected - hidden[0] + hidden[1], abs=2e-3)


def test_description_lengths_of_simple_graphs_are_those_of_all_multigraphs_together():
    """To first order: the sum over the numbers of parallel edges, under edges with Poisson rates."""
    rng = np.random.default_rng(1)
    for directed in (False, True):
        edges = rng.integers(0, 30, (150, 2))
        graph = gc.Graph.from_edges(*edges[edges[:, 0] != edges[:, 1]].T, nodes=30, directed=directed)
        graph = gc.Graph.from_edges(graph.source, graph.target, nodes=30, directed=directed)
        labels = rng.integers(0, 3, 30)
        degree_out = np.bincount(graph.source, minlength=30)
        degree_in = np.bincount(graph.target, minlength=30)
        if not directed:
            degree_out = degree_in = degree_out + degree_in
        total = 0.0
        for i, j in zip(graph.source, graph.target, strict=True):
            r, s = labels[i], labels[j]
            between = ((labels[graph.source] == r) & (labels[graph.target] == s)).sum()
            if not directed:
                between += ((labels[graph.source] == s) & (labels[graph.target] == r)).sum()
            rate = between * degree_out[i] * degree_in[j]
            total += rate / degree_out[labels == r].sum() / degree_in[labels == s].sum() / 2
        assert DegreeCorrectedBlockModel(graph).hidden_edges(labels) == pytest.approx(total)


@pytest.mark.parametrize("model", ["assortative", "assortative-uniform"])
def test_planted_partitions_of_the_literature(model):
    graph = gc.generators.planted_partition(90, 3, p_in=0.6, p_out=0.05, random_state=0)
    communities = gc.detect(graph, model=model)
    assert ami(graph.y, communities.labels) == 1
    assert describe(graph, communities.labels, model).total == pytest.approx(
        communities.details["description_length"], abs=1e-3
    )
    assert communities.posterior is not None
    assert ami(graph.y, gc.detect(graph, "louvain", refine=model).labels) == 1
    weighted = gc.Graph.from_edges(graph.source, graph.target, np.full(graph.num_edges, 0.5) + graph.source, nodes=90)
    with pytest.raises(gc.UsageError, match="whole numbers"):
        gc.detect(weighted, model=model)
    with pytest.raises(gc.UsageError, match="two-mode graphs have one of the models dc-sbm, microcanonical-sbm"):
        gc.detect(graph, model=model, bipartite=True)
    with pytest.raises(gc.UsageError, match="weight_model is for"):
        gc.detect(graph, model=model, weight_model="poisson")


def test_large_graphs_have_conditional_confidence_and_an_estimate_is_told(caplog, monkeypatch):
    monkeypatch.setattr(auto_module, "_LONG", 0.0)
    graph = lfr(6000, mu=0.3, average_degree=10, random_state=0)
    with caplog.at_level(logging.INFO, "graphclust"):
        communities = gc.detect(graph, effort="low")
    assert any("about 1 minute and" in record.message for record in caplog.records)
    assert communities.posterior is None
    assert "chains" not in communities.details
    assert communities.confidence.min() >= 0
    right = np.array([ami(graph.y, communities.labels) > 0.9])
    assert right.all()


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"effort": "much"}, "effort"),
        ({"n_samples": 0}, "n_samples"),
        ({"known": [1]}, "mapping"),
        ({"refine": "sbmm"}, "did you mean"),
        ({"refine": "none"}, "auto always refines"),
        ({"model": "none"}, "model is one of"),
    ],
)
def test_bad_parameters_are_refused(params, match):
    with pytest.raises(UsageError, match=match):
        gc.detect("data:karate", **params)


# ------------------------------------------------------------------------------------------------------ refinement


@pytest.mark.parametrize("model", BLOCK_MODELS)
@pytest.mark.parametrize("method", ["leiden", "spectral", *slow("label-propagation", "acp")])
def test_every_method_can_be_refined(method, model):
    graph = dense(n=90)
    k = 3 if method == "spectral" else None
    plain = gc.detect(graph, method, k)
    communities = gc.detect(graph, method, k, refine=model, effort="low")
    assert communities.method == method
    assert communities.params["refine"] == model
    assert communities.details["model"] == model
    assert communities.posterior is not None
    assert ami(graph.y, communities.labels) >= ami(graph.y, plain.labels) - 0.05
    if k is not None:
        assert communities.n_clusters == 3
    start = max(row["description_length"] for row in communities.details["scores"])
    assert communities.details["description_length"] <= start


def test_refine_none_changes_nothing():
    plain, same = (gc.detect("data:karate", "leiden", refine=choice) for choice in (None, "none"))
    assert np.array_equal(plain.labels, same.labels)
    assert same.posterior is None
    assert plain.params == same.params


def test_refined_samples_of_acp_are_a_posterior():
    graph = gc.generators.general_sbm(random_state=5)
    communities = gc.detect(graph, "acp", refine="sbm", n_samples=32)
    assert len(communities.posterior.samples) == 32
    assert communities.details["chains"]["effective_samples"] > 5
    assert communities.params["n_samples"] == 32


def test_posterior_is_that_given_connected_communities():
    """Two triangles and an edge between: the number of communities, counted out over all partitions."""
    graph = gc.as_graph([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)])
    communities = gc.detect(graph, model="planted", effort="high", n_samples=4000)
    settings = DegreePrior(communities.details["settings"]["alpha"])
    model = PlantedPartitionModel(graph.source, graph.target, 6, settings=settings)
    exact: Counter = Counter()
    for labels in oracles.set_partitions(6):
        if connected_parts(graph, np.array(labels)).max() == max(labels):
            exact[max(labels) + 1] += math.exp(model.log_joint(labels))
    probabilities = communities.posterior.n_clusters()
    for k, value in exact.items():
        assert probabilities.get(k, 0.0) == pytest.approx(value / exact.total(), abs=0.04)
    assert communities.details["chains"]["r_hat"] < 1.1


def test_chains_move_where_the_number_is_given():
    """Three triangles in two communities: each pair may be together."""
    triangles = [(a + i, a + j) for a in (0, 3, 6) for i, j in ((0, 1), (1, 2), (0, 2))]
    communities = gc.detect(triangles, n_clusters=2, n_samples=500, effort="high")
    together = communities.posterior.co_membership()
    assert [together[i, j] for i, j in ((0, 3), (3, 6), (0, 6))] == pytest.approx([1 / 3] * 3, abs=0.1)
    assert sorted(communities.confidence.round(1).tolist())[:6] == pytest.approx([2 / 3] * 6, abs=0.1)


def test_chains_that_stay_apart_are_told():
    chains = {"n_chains": 4, "n_kept": 4, "effective_samples": 9.0, "r_hat": 1.34}
    base = {"model": "planted", "start": "x", "description_length": 1.0, "scores": [], "left_out": {}, "modularity": 0}
    assert noted(explained(base | {"chains": chains}), "chains-not-converged") == {"r_hat": 1.34}
    assert noted(explained(base | {"chains": chains | {"r_hat": None}}), "chains-not-converged") == {"r_hat": None}
    assert codes(explained(base | {"chains": chains | {"r_hat": 1.02}})) == ["chosen"]
    stuck = explained(base | {"chains": chains | {"n_kept": 3, "r_hat": 1.0}})
    assert noted(stuck, "stuck-chains") == {"n_left_out": 1}


def two_cliques(n=8):
    """Two cliques, and two nodes more, with an edge to each of them."""
    edges = [(i + n * c, j + n * c) for c in range(2) for i, j in combinations(range(n), 2)]
    return nx.Graph([*edges, (0, n), ("u", 2), ("u", n + 2), ("v", 3), ("v", n + 3)])


@pytest.mark.parametrize("model", ["sbm", "planted"])
def test_known_nodes_are_sure_and_others_as_sure_as_their_label_is(model):
    """Which clique a label belongs to is open; that its node has it is not."""
    g = two_cliques()
    communities = gc.detect(g, "auto", 2, 0, model=model, known={"u": "a", "v": "b"})
    share = communities.posterior.membership(["u", "v"])
    place = {node: i for i, node in enumerate(communities.nodes)}
    assert communities.confidence[place["u"]] == communities.confidence[place["v"]] == 1
    assert 0.2 < share[place[5], 0] < 0.8
    column = [0 if label == communities.membership["u"] else 1 for label in communities.labels]
    np.testing.assert_allclose(communities.confidence, share[np.arange(18), column])
    np.testing.assert_allclose(communities.confidence, share.max(axis=1))


@pytest.mark.slow
def test_nodes_get_the_label_that_most_samples_give_them():
    auto, probable, right = [], [], 0.0
    for seed in range(6):
        graph = gc.generators.cluster(random_state=seed)
        labelled = [int(np.flatnonzero(graph.y == label)[0]) for label in range(6)]
        model = auto_module.Auto(6, known={i: int(graph.y[i]) for i in labelled}, random_state=seed).fit(graph)
        share = model.posterior_.membership(labelled)
        names = graph.y[labelled]
        name = {int(model.labels_[node]): int(graph.y[node]) for node in labelled}
        expected = np.array([name[label] for label in model.labels_])
        auto.append((expected == graph.y).mean())
        probable.append((names[share.argmax(axis=1)] == graph.y).mean())
        right += model.confidence_.mean() / 6
        assert model.confidence_[labelled].min() == 1
    assert np.mean(auto) == pytest.approx(np.mean(probable), abs=0.01)  # but for ties
    assert abs(right - np.mean(auto)) < 0.15


def test_a_label_that_is_missing_of_an_isolated_node_leaves_acp_in():
    graph = gc.generators.general_sbm((60, 60), random_state=0)
    more = Graph.from_edges(graph.source, graph.target, nodes=61)
    starts = {
        row["start"]
        for row in auto_module.Auto(known={60: None, 3: "x"}, random_state=0, effort="high")
        .fit(more)
        .details_["scores"]
    }
    assert "acp" in starts


@pytest.mark.parametrize("method", ["auto", *slow("acp")])
def test_the_order_of_known_labels_does_not_matter(method):
    g = nx.les_miserables_graph()
    known = {"Valjean": 1, "Javert": 2, "Marius": 3, "Fantine": 4, "Gavroche": 3}
    first, two = (
        gc.detect(g, method, random_state=0, known=dict(items)) for items in (known.items(), [*known.items()][::-1])
    )
    np.testing.assert_array_equal(first.labels, two.labels)
    np.testing.assert_array_equal(first.confidence, two.confidence)


@pytest.mark.parametrize("more", [[], [*combinations(range(50, 62), 2)]])
def test_the_length_is_that_of_the_partition(more):
    """Components stay apart, so that one block of several of them is no shorter description of the result."""
    model = auto_module.Auto(random_state=0).fit(nx.Graph([*((2 * i, 2 * i + 1) for i in range(20)), *more]))
    numbers = {row["description_length"]: row["n_clusters"] for row in model.details_["scores"]}
    assert min(numbers.values()) >= 20
    assert numbers[model.details_["description_length"]] == model.n_clusters_


def test_blocks_with_few_edges_inside_are_told():
    graph = gc.generators.planted_partition(200, 2, p_in=0.3, p_out=0.5, random_state=0)
    communities = gc.detect(graph, random_state=0)
    assert communities.quality()["modularity"] < 0
    assert noted(communities.notes, "negative-modularity")["modularity"] < 0
    assert "negative-modularity" not in codes(gc.detect(nx.karate_club_graph(), random_state=0).notes)


def test_start_with_another_number_is_refused():
    with pytest.raises(UsageError, match="has 2 communities, not 3"):
        refine(Problem(dense(n=30), 3).core, {"given": np.arange(30) % 2})
    with pytest.raises(UsageError, match="there are none"):
        refine(Problem(dense(n=30)).core, {})
    graph = gc.generators.planted_partition(600, 2, p_in=0.1, p_out=0.1, random_state=0)
    with pytest.raises(UsageError, match="too many communities"):
        refine(Problem(graph).core, {"all": np.arange(600)}, ["sbm"])


def test_same_seed_same_posterior():
    graph = dense(n=60)
    first, two = (gc.detect(graph, random_state=4) for _ in range(2))
    assert np.array_equal(first.posterior.samples, two.posterior.samples)
    assert np.array_equal(first.confidence, two.confidence)
    assert first.details == two.details


def test_efforts_grow():
    chains = [effort.chains * effort.sweeps for effort in EFFORTS.values()]
    assert chains == sorted(chains)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 5])
def test_rounding_of_weights_does_not_break_chains(seed):
    """Blocks whose nodes have no edges left keep nothing of weights that came and went."""
    rng = np.random.default_rng(seed)
    source, target = np.triu_indices(10, 1)
    graph = gc.Graph.from_edges(source, target, rng.random(45) * 2 + 0.01, nodes=14)
    for params in ({"known": {10: "a", 11: "b"}}, {"n_clusters": 3}, {"n_clusters": 3, "model": "planted"}):
        communities = gc.detect(graph, effort="low", **params)
        assert np.isfinite(communities.confidence).all()
        assert communities.details["description_length"] < 1e6


def test_roles_stay_out_of_labels_and_posterior():
    """Three hubs and their leaves, complete bipartite: the shortest description is of roles."""
    source, target = np.array([(hub, leaf) for hub in range(3) for leaf in range(3, 40)]).T
    graph = gc.Graph.from_edges(source, target, nodes=40)
    communities = gc.detect(graph)
    assert communities.n_clusters == 1
    assert communities.confidence[3:].mean() > 0.9  # of the leaves: a sample now and then splits off a hub
    assert noted(communities.notes, "rejected-model")["model"] == "sbm"
    refined = gc.detect(graph, refine="sbm")
    assert refined.n_clusters == 2
    assert "rejected-model" not in codes(refined.notes)


def test_samples_asked_for_are_drawn_where_they_are_cheap():
    communities = gc.detect("data:karate", effort="low", n_samples=300)
    assert len(communities.posterior.samples) == 300


def test_isolated_nodes_in_numbers():
    rng = np.random.default_rng(0)
    graph = gc.Graph.from_edges(*rng.integers(0, 300, (2, 900)), nodes=30_000)
    communities = gc.detect(graph, effort="low")
    assert communities.posterior.samples.shape == (64, 30_000)
    many = gc.detect(gc.Graph.from_edges(graph.source, graph.target, nodes=400_000), effort="low")
    assert many.posterior is None
    assert noted(many.notes, "posterior-left-out") == {"n_nodes": 400_000}
    assert (communities.confidence[300:] == 1).all()
    few = gc.detect(gc.Graph.from_edges(graph.source, graph.target, nodes=300), effort="low")
    assert ami(few.labels, communities.labels[:300]) == 1  # they change nothing for the others


def test_models_that_are_left_out_are_told():
    graph = gc.Graph.from_edges([0, 1, 2, 3], [1, 2, 3, 0], [1.0, 2.0, 1.0, 3.0], nodes=4)
    assert noted(gc.detect(graph).notes, "skipped-model") == {"model": "sbm"}
    with pytest.raises(UsageError, match="sbm: its scores of weighted graphs"):
        refine(Problem(graph).core, {"one": np.zeros(4, dtype=int)}, ["sbm", "sbm"])
    with pytest.raises(UsageError, match="set only one of them"):
        gc.detect("data:karate", refine="sbm", model="planted")
    with pytest.raises(UsageError, match="at most 512 communities"):
        gc.detect(gc.Graph.from_edges([0], [1], nodes=1000), n_clusters=600, refine="sbm")


def test_a_given_number_is_no_reason_for_empty_communities():
    """On weak planted graphs, blocks of one to eight nodes would have the shortest description under a CRP."""
    scores = {"auto": [], "spectral": [], "leiden": []}
    for seed in range(12):
        graph = gc.generators.planted_partition(200, 4, p_in=0.1, p_out=0.025, random_state=seed)
        for method, values in scores.items():
            found = gc.detect(graph, method, n_clusters=4, random_state=0)
            values.append(ami(graph.y, found.labels))
            if method == "auto":
                assert found.quality()["sizes"][-1] > 5
    assert np.mean(scores["auto"]) > max(np.mean(scores["spectral"]), np.mean(scores["leiden"])) - 0.01
