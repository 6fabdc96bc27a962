"""CNC as an estimator: the optimum of figure 1, graphs with and without features, tables, new points and new graphs."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

import graphclust as gc
from graphclust.graph import Graph
from graphclust.methods.cnc_training import PieceBatches
from graphclust.methods.cutter import Cutter
from graphclust.metrics import accuracy, ami, normalized_cut
from tests.estimating import assert_scikit_learns_contract, blobs, featured, flat
from tests.marks import slow
from tests.noted import codes

FIGURE_1 = Graph.from_edges([0, 1, 0, 2, 3, 4, 3], [1, 2, 2, 3, 4, 5, 5], nodes=6)
make_cnc = partial(flat, gc.CNC)
QUICK = {"hidden": (32,), "max_epochs": 12, "siamese": (32, 4), "siamese_steps": 120, "n_init": 1, "random_state": 0}
BRIEF = QUICK | {"siamese_steps": 40}  # where it does not matter how good the clusters are


@pytest.mark.slow
def test_scikit_learns_checks():
    assert_scikit_learns_contract(make_cnc(3, **(BRIEF | {"max_epochs": 2})))


@pytest.mark.parametrize("seed", [0, *slow(1, 2, 3)])
@pytest.mark.parametrize("head", ["logits", "mlp", "gnn"])
@pytest.mark.parametrize("starts", [("random",), ("spectral",)])
def test_the_optimum_of_figure_1_from_any_seed(head, starts, seed):
    params = {"head": head, "starts": starts, "hidden": (16,), "polish": False, "n_init": 8, "max_epochs": 100}
    fitted = make_cnc(2, **params, random_state=seed).fit(FIGURE_1)
    np.testing.assert_array_equal(fitted.labels_, [0, 0, 0, 1, 1, 1])
    assert fitted.details_["normalized_cut_learned"] == pytest.approx(2 / 7)


@pytest.mark.parametrize(
    "params",
    [
        {}, {"head": "gnn"}, {"head": "logits"}, {"regularization": 1.0}, {"batch_size": 40},
        {"batch_size": 40, "head": "gnn"}, {"polish": False, "n_init": 3}, {"vectors": "smoothed"},
        *slow(
            {"activation": "tanh"}, {"starts": ("random", "pieces")}, {"batch_size": 40, "head": "logits"},
            {"temperature": (2.0, 1.0), "learning_rate": 0.01}, {"vectors": "spectral"},
        ),
    ],
)  # fmt: skip
def test_every_option_finds_planted_blocks(params):
    graph = featured(0)
    fitted = make_cnc(3, **({"hidden": (32,), "max_epochs": 60, "random_state": 0} | params)).fit(graph)
    if params.get("head") != "logits" and params.get("polish", True) is False:  # what features alone can tell
        assert accuracy(graph.y, fitted.labels_) > 0.5
    else:
        assert accuracy(graph.y, fitted.labels_) > 0.95
    details = fitted.details_
    if "normalized_cut_polished" in details:
        assert details["normalized_cut_polished"] <= details["normalized_cut_learned"] + 1e-9
    assert 0 <= details["expected_normalized_cut"] <= 3


def test_quality_tells_the_expected_and_the_realised_cut():
    graph = featured(1)
    fitted = gc.detect(graph, "cnc", n_clusters=3, max_epochs=60, training={"hidden": (32,)})
    quality = fitted.quality()
    assert quality["normalized_cut"] == pytest.approx(fitted.details["normalized_cut_polished"])
    assert quality["expected_normalized_cut"] == fitted.details["expected_normalized_cut"]
    assert 0.9 < quality["balance"] <= 1
    assert "expected_normalized_cut" not in gc.detect(graph, "leiden").quality()


def test_the_network_and_the_moves_lower_the_cut():
    graph = gc.generators.planted_partition(150, 5, p_in=0.25, p_out=0.06, random_state=4)
    fitted = make_cnc(5, random_state=0, max_epochs=100).fit(graph)
    details = fitted.details_
    assert details["normalized_cut_learned"] <= details["normalized_cut_at_start"]
    assert details["normalized_cut_polished"] == pytest.approx(normalized_cut(graph, fitted.labels_))
    for peer in (gc.Spectral(5, random_state=0), gc.Leiden(5, random_state=0)):
        assert normalized_cut(graph, fitted.labels_) <= normalized_cut(graph, peer.fit(graph).labels_) + 1e-9


def test_a_network_of_features_works_on_another_graph():
    graph, other = featured(2, n=180), featured(3, n=150)
    for head in ("gnn", "mlp"):
        fitted = make_cnc(3, head=head, hidden=(32,), polish=False, max_epochs=80, random_state=0).fit(graph)
        assert accuracy(graph.y, fitted.predict(graph)) == pytest.approx(accuracy(graph.y, fitted.labels_))
        labels = fitted.predict(other)
        assert labels.shape == (150,)
        assert accuracy(other.y, labels) > (0.9 if head == "gnn" else 0.55)
    with pytest.raises(gc.UsageError, match="predict needs a graph"):
        make_cnc(3, head="gnn", hidden=(8,), max_epochs=5, random_state=0).fit(graph).predict(graph.x)
    with pytest.raises(gc.UsageError, match="cannot be extended to another graph"):
        make_cnc(3, random_state=0, max_epochs=5).fit(gc.generators.planted_partition(60, 3, random_state=0)).predict(
            other
        )


@pytest.mark.parametrize(
    "params",
    [{"siamese": None}, {"autoencoder": (64, 4), "autoencoder_epochs": 60}, *slow({}, {"batch_size": 64})],
)
def test_tables(rng, params):
    x, y = blobs(rng)
    new, truth = blobs(rng)
    fitted = make_cnc(3, **(QUICK | params)).fit(x)
    assert ami(y, fitted.labels_) > 0.9
    np.testing.assert_array_equal(fitted.predict(x), fitted.labels_)
    assert accuracy(truth, fitted.predict(new)) > 0.9
    assert fitted.embed(new).shape == (180, 6 if params.get("siamese", 1) is None else 4)


def test_a_graph_has_no_learned_space():
    x = np.zeros((5, 3))
    of_a_graph = make_cnc(3, hidden=(8,), random_state=0, max_epochs=5).fit(featured(0))
    with pytest.raises(gc.UsageError, match="learned no space"):
        of_a_graph.embed(x)


def test_evenness_outweighs_a_slightly_lower_cut():
    """A small cluster that hangs together loosely is cheap to halve, if two large ones that are close become one."""
    sizes = [40, 40, 40, 20, 20]  # cliques: 24 edges between the first two, 4 within the cluster of the last two
    ends = np.concatenate(([0], np.cumsum(sizes)))
    pairs = [(i, j) for a, b in pairwise(ends) for i in range(a, b) for j in range(i) if j >= a]
    joined = [(i, 40 + i) for i in range(24)], [(120 + i, 140 + i) for i in range(4)], [(80, 0), (81, 120)]
    source, target = np.array(pairs + [pair for group in joined for pair in group]).T
    graph = Graph.from_edges(source, target, nodes=160)
    y = np.repeat([0, 1, 2, 3, 3], sizes)
    low, even = (make_cnc(4, evenness=w, random_state=0, max_epochs=40).fit(graph) for w in (None, 0.5))
    assert accuracy(y, even.labels_) == 1
    assert accuracy(y, low.labels_) < 1
    assert normalized_cut(graph, low.labels_) < normalized_cut(graph, even.labels_)


def test_points_that_are_equal_and_few():
    fitted = make_cnc(2, **QUICK).fit([[0.0], [0.0], [0.0], [5.0], [5.0]])
    np.testing.assert_array_equal(fitted.labels_, [0, 0, 0, 1, 1])
    for k in (1, 2, 3):
        assert make_cnc(k, **BRIEF).fit([[0.0], [1.0], [4.0]]).n_clusters_ == k


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 0}, "positive integer"), ({"head": "cnn"}, "head is one of"), ({"starts": ()}, "at least one"),
        ({"starts": ("best",)}, "starts is one of"), ({"activation": "gelu"}, "activation"), ({"n_init": 0}, "n_init"),
        ({"temperature": (1.0,)}, "two values"), ({"temperature": (1.0, 0.0)}, "above 0"),
        ({"evenness": -1}, "evenness"), ({"regularization": -1}, "regularization"),
        ({"batch_size": 0}, "batch_size"), ({"hidden": (0,)}, "hidden"),
        ({"hidden": 64}, "hidden is a sequence"), ({"hidden": None}, "hidden is a sequence"),
        ({"siamese": 64}, "siamese is a sequence"), ({"siamese": ()}, "siamese needs at least one"),
        ({"autoencoder": 64}, "autoencoder is a sequence"), ({"temperature": 1.0}, "temperature is a sequence"),
        ({"starts": "random"}, "starts is a sequence, not 'random'"),
        ({"n_clusters": 999}, "999"), ({"head": "gnn"}, "is for graphs"), ({"head": "logits"}, "is for graphs"),
    ],
)  # fmt: skip
def test_parameters_out_of_range(rng, params, message):
    with pytest.raises(gc.UsageError, match=message):
        make_cnc(**({"n_clusters": 3, "random_state": 0} | params)).fit(blobs(rng)[0])


def test_layers_as_an_array(rng):
    x, y = blobs(rng)
    assert ami(y, make_cnc(3, **(QUICK | {"hidden": np.array([32, 16])})).fit(x).labels_) > 0.9


def test_features_of_a_graph_without_edges_are_a_table(rng):
    x, y = blobs(rng)
    graph = Graph.from_edges([], [], nodes=len(x), x=x)
    fitted = make_cnc(3, **QUICK).fit(graph)
    assert ami(y, fitted.labels_) > 0.9
    np.testing.assert_array_equal(fitted.labels_, make_cnc(3, **QUICK).fit(x).labels_)
    np.testing.assert_array_equal(fitted.predict(graph), fitted.labels_)
    with pytest.raises(gc.UsageError, match="is for graphs with edges"):
        make_cnc(3, head="gnn", **BRIEF).fit(graph)
    nothing = make_cnc(3, **BRIEF).fit(Graph.from_edges([], [], nodes=7))
    assert nothing.n_clusters_ == 3
    assert "no-edges" in codes(nothing.notes_)


def test_state_after_a_graph():
    graph = featured(0)
    for k in (1, graph.num_nodes):
        fitted = make_cnc(k, **QUICK).fit(graph)
        assert fitted.n_features_in_ == 3
        np.testing.assert_array_equal(fitted.predict(graph), fitted.labels_)
        np.testing.assert_array_equal(fitted.predict(graph.x), fitted.labels_)
    fitted = make_cnc(2, head="mlp", **QUICK).fit(FIGURE_1)
    assert not hasattr(fitted, "n_features_in_")
    with pytest.raises(gc.UsageError, match="spectral embedding"):
        fitted.predict(np.eye(2))


def test_one_number_a_node():
    graph = featured(0)
    graph = Graph.from_edges(graph.source, graph.target, nodes=graph.num_nodes, x=graph.y.astype(float), y=graph.y)
    fitted = make_cnc(3, **QUICK).fit(graph)
    assert accuracy(graph.y, fitted.labels_) > 0.9
    np.testing.assert_array_equal(fitted.predict(graph.x[:, None]), fitted.predict(graph))


@pytest.mark.parametrize("head", ["logits", "mlp", "gnn"])
def test_batches_of_a_graph_hold_its_edges(head, monkeypatch):
    seen = []
    batch = PieceBatches.batch

    def spy(self, units):
        points, affinity = batch(self, units)
        seen.append((points.numpy(), affinity.weight.to_dense().numpy()))
        return points, affinity

    monkeypatch.setattr(PieceBatches, "batch", spy)
    graph = featured(0)
    adjacency = graph.adjacency().toarray()
    options = {"head": head, "hidden": (16,), "polish": False, "starts": ("spectral",), "max_epochs": 2}
    for pieces in (Cutter.pieces, lambda *_: []):
        monkeypatch.setattr(Cutter, "pieces", pieces)
        fitted = make_cnc(3, batch_size=40, random_state=0, **options).fit(graph)
        assert fitted.n_clusters_ == 3
        assert seen
        for points, weight in seen:
            assert len(points) < graph.num_nodes
            inside = adjacency[np.ix_(points, points)]
            np.testing.assert_allclose(weight * inside.sum(), inside * weight.sum(), rtol=1e-5)
        seen.clear()


@pytest.mark.parametrize("unit", [2.0**100, *slow(2.0**-100)])
def test_the_unit_of_the_weights_does_not_matter(unit):
    graph = featured(0)
    scaled = Graph.from_edges(graph.source, graph.target, np.full(graph.num_edges, unit), nodes=120, x=graph.x)
    for params in ({"head": "logits"}, {"head": "gnn", "regularization": 1.0}, {"head": "gnn", "batch_size": 40}):
        options = {"hidden": (16,), "max_epochs": 5, "n_init": 1, "polish": False, "random_state": 0}
        plain, other = (make_cnc(3, **options, **params).fit(g) for g in (graph, scaled))
        np.testing.assert_array_equal(plain.labels_, other.labels_)
        assert other.details_ == plain.details_


def test_far_from_the_origin_without_scaling(rng):
    x, y = blobs(rng)
    fitted = make_cnc(3, scale=False, **QUICK).fit(x + 1e6)
    assert ami(y, fitted.labels_) > 0.95
    np.testing.assert_array_equal(fitted.predict(x + 1e6), fitted.labels_)


def test_numbers_too_large_for_single_precision(rng):
    x, _ = blobs(rng)
    for big, params in ((1e200, {}), (1e200, {"scale": False}), (1e30, {"scale": False})):
        with pytest.raises(gc.DataError, match="as large as"):
            make_cnc(3, **BRIEF, **params).fit(big * x)
    assert make_cnc(3, **BRIEF).fit(1e30 * x).n_clusters_ == 3


def test_a_square_batch_after_a_table(rng):
    x, _ = blobs(rng, d=6)
    fitted = make_cnc(3, **BRIEF).fit(sp.csr_array(x))
    np.testing.assert_array_equal(fitted.predict(sp.csr_array(x[:6])), fitted.labels_[:6])


def test_edges_count_in_the_estimate_of_memory():
    few, many = (gc.generators.planted_partition(300, 3, p_in=p, p_out=p, random_state=0) for p in (0.05, 0.5))
    graphs = [Graph.from_edges(g.source, g.target, nodes=300, x=np.ones((300, 2))) for g in (few, many)]
    extra = make_cnc(3).memory(graphs[1]) - make_cnc(3).memory(graphs[0])
    assert extra > 100 * (many.num_edges - few.num_edges)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        make_cnc(2).predict([[0.0]])


@pytest.mark.parametrize("seed", range(5))
def test_cutter_values_are_those_of_the_metric(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.integers(20, size=(2, 60))
    graph = Graph.from_edges(source, target, rng.random(60), nodes=22)  # loops, and nodes without edges
    labels = np.concatenate((np.arange(4), rng.integers(4, size=18)))
    cutter = Cutter(graph, 4)
    assert cutter.value(labels) == pytest.approx(normalized_cut(graph, labels))
    assert cutter.value(cutter.polished(labels, 0)) <= cutter.value(labels) + 1e-12
    partitions = cutter.pieces(0)
    assert all(int(pieces.max()) + 1 > 4 for pieces in partitions)
    for pieces in partitions:
        assert set(cutter.merged(pieces).tolist()) == set(range(4))
