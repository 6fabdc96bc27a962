"""LNSCC as an estimator: tables, graphs with and without features, new points, stages, figures."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import graphclust as gc
from graphclust.graph import Graph
from graphclust.kernels.neighbors import locally_normalized, nearest_neighbors, normalized_neighbors
from graphclust.methods import lnscc_starts
from graphclust.metrics import accuracy, ami
from graphclust.models.lnscc import Contrast
from graphclust.nn.parallel import ParallelMLP
from graphclust.report.figures import draw_stages
from tests.estimating import assert_scikit_learns_contract, blobs, featured, flat, train_lnscc_briefly
from tests.marks import slow
from tests.noted import codes, noted

make_lnscc = partial(flat, gc.LNSCC)
QUICK = {"hidden": (32,), "embedding_dim": 8, "max_epochs": 5, "random_state": 0}
SLOW = ({"hidden": None}, {"phases": ("im",), "repulsion": None})  # what such short trainings do not finish


@pytest.fixture(autouse=True)
def _trained_briefly(request, monkeypatch):
    if request.node.get_closest_marker("slow"):
        return
    train_lnscc_briefly(monkeypatch)


@pytest.mark.slow
def test_scikit_learns_checks():
    assert_scikit_learns_contract(make_lnscc(3, **(QUICK | {"max_epochs": 1})))


@pytest.mark.parametrize(
    "params",
    [
        {}, {"start": "k-means"}, {"hidden": ()}, {"n_neighbors": 4}, {"phases": ("ba", "dis")},
        *slow(
            {"start": "pieces"}, {"hidden": None}, {"head_hidden": ()}, {"bandwidth": 0.5}, {"scale": False},
            {"phases": ("im",), "repulsion": None}, {"noise": 0.0}, {"adversarial": 0.0},
            {"repulsion": 1.0, "contraction": 1.0}, {"batch_size": 32}, {"alpha": 3.0, "beta": 2.0, "gamma": 2.0},
        ),
    ],
)  # fmt: skip
def test_every_option_finds_blobs_and_knows_new_ones(rng, params):
    x, y = blobs(rng)
    new, truth = blobs(rng)
    fitted = make_lnscc(3, **(QUICK | {"max_epochs": 10} | params)).fit(x)
    assert ami(y, fitted.labels_) > (0.75 if params in SLOW else 0.9)
    assert fitted.embedding_.shape == (180, params.get("embedding_dim", 8))
    np.testing.assert_array_equal(fitted.predict(x), fitted.labels_)
    np.testing.assert_allclose(fitted.embed(x), fitted.embedding_, rtol=1e-5, atol=1e-5)
    assert accuracy(truth, fitted.predict(new)) > 0.9


@pytest.mark.parametrize(
    "params",
    [
        {"noise": 0.0}, {"adversarial": 0.0}, {"beta": 2.0}, {"xi": 1.0}, {"bandwidth": 0.5}, {"scale": False},
        {"start": "k-means", "overlapping": True},
        *slow(
            {"alpha": 3.0}, {"gamma": 2.0}, {"delta": 0.01}, {"repulsion": 1.0}, {"contraction": 1.0},
            {"phases": ("im", "dis")}, {"n_neighbors": 4}, {"batch_size": 32}, {"learning_rate": 2e-3},
            {"start": "random"}, {"random_state": 1}, {"start": "pieces", "overlapping": True},
        ),
    ],
)  # fmt: skip
def test_every_option_has_an_effect(params):
    overlapping = params.pop("overlapping", False)
    plain, other = embedded_blobs(overlapping), embedded_blobs.__wrapped__(overlapping, params)
    assert np.abs(plain - other).max() > 1e-3


@cache
def embedded_blobs(overlapping, params=()):
    x = blobs(np.random.default_rng(20261122))[0]
    if overlapping:
        x[:, :3] *= np.where(x[:, :3] > 4, 0.25, 1.0)
    return make_lnscc(3, **(QUICK | {"max_epochs": 9} | dict(params))).fit(x).embedding_


# ---------------------------------------------------------------- as published

SMALL = {"hidden": (24,), "embedding_dim": 6, "random_state": 0}  # the paper's sizes take a minute


def test_the_published_preset_is_what_section_4_1_prints():
    settings = make_lnscc(10, preset="published").settings
    values = vars(settings) | vars(settings.training)
    printed = {
        "hidden": (500, 500, 2000), "head_hidden": (32,), "embedding_dim": 64, "n_neighbors": 10, "batch_size": 200,
        "optimizer": "sgd", "learning_rate": 0.01, "alpha": 2.0, "beta": 5.0, "gamma": 1.0, "delta": 0.05, "xi": 5.0,
        "phases": ("im", "ba", "dis"), "start": "random", "noise": 0.0, "adversarial": 0.0, "image_shape": None,
        "repulsion": None, "contraction": None, "bandwidth": 1.0, "patience": None,
    }  # fmt: skip
    assert {name: values[name] for name in printed} == printed


def test_published_training_is_a_plain_loop_of_torchs_sgd(rng):
    """Only the contrasts and the network are ours: they have tests of their own."""
    x = np.tile(rng.integers(0, 2, (60, 120)), (3, 1)) + 0.1 * rng.normal(size=(180, 120))  # two close copies of each
    epochs, steps, size = 3, 8, 180
    fitted = make_lnscc(3, preset="published", max_epochs=epochs, **SMALL).fit(7 + 3 * x)
    x = torch.as_tensor(((x - x.min()) / (x.max() - x.min())).astype(np.float32))
    distances = np.sqrt(np.square(x.numpy().astype(float)[:, None] - x.numpy().astype(float)).sum(axis=2))
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :10]
    rows = np.repeat(np.arange(len(x)), 10)
    lengths = np.take_along_axis(distances, nearest, 1).ravel()
    contrast = Contrast(locally_normalized(rows, nearest.ravel(), lengths, len(x)), 2.0, 5.0)
    generator = torch.Generator().manual_seed(0)
    network, head = ParallelMLP((120, 24, 6), generator=generator), ParallelMLP((6, 32, 3), generator=generator)
    parameters = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=0.0005)
    for step in range(epochs * steps):
        if step % steps == 0:
            torch.randperm(steps * size, generator=generator)  # a fleet draws the order of an epoch's points
        batch = contrast.draw(size, generator)
        z = network(x[batch.nodes])[0]
        u = torch.softmax(head(z)[0], 1)
        sharp = (u**2 / u.sum(0)).detach()
        sharp = sharp / sharp.sum(1, keepdim=True)
        divergence = (sharp * (sharp / u).log()).sum(1).mean()
        unevenness = (u.mean(0) * u.mean(0).log()).sum()
        loss = contrast.loss(z, batch, generator) + min(0.05 * step, 5.0) * (divergence + unevenness)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        expected = network(x)[0].numpy()
    np.testing.assert_allclose(fitted.embedding_, expected, rtol=1e-3, atol=1e-3)
    assert np.ptp(expected, axis=0).min() > 0.1
    assert fitted.details_ | {"contrastive_loss": None} == {
        "start": "random", "contrastive_loss": None, "epochs": epochs, "steps": epochs * steps,
    }  # fmt: skip


def test_the_published_preset_clusters_tables_graphs_and_new_points(rng):
    x, y = blobs(rng)
    new, truth = blobs(rng)
    fitted = make_lnscc(3, preset="published", max_epochs=6, **SMALL).fit(x)
    assert ami(y, fitted.labels_) > 0.9
    assert accuracy(truth, fitted.predict(new)) > 0.9
    np.testing.assert_array_equal(fitted.predict(x), fitted.labels_)
    np.testing.assert_array_equal(clone(fitted).fit(x).labels_, fitted.labels_)
    assert ami(fitted.labels_, clone(fitted).fit(255 * x - 40).labels_) > 0.9  # units do not matter
    graph = featured(0, n=240)
    assert accuracy(graph.y, make_lnscc(3, preset="published", max_epochs=6, **SMALL).fit(graph).labels_) > 0.8
    assert make_lnscc(2, preset="published", max_epochs=2, **SMALL).fit(np.ones((9, 3))).n_clusters_ == 2


def test_affinities_without_attraction_are_scaled_and_said_to_be(rng):
    """Ten neighbours at nearly the same distance each get a tenth, and eq. (6) keeps nothing of that."""
    even = 10 * np.eye(60) + rng.normal(0, 0.01, (60, 60))
    fitted = make_lnscc(3, preset="published", max_epochs=1, **SMALL).fit(even)
    assert noted(fitted.notes_, "scaled-affinities")["largest"] < 0.5
    near = np.tile(rng.integers(0, 2, (60, 120)), (3, 1)) + 0.1 * rng.normal(
        size=(180, 120)
    )  # two close copies of each
    assert "scaled-affinities" not in codes(make_lnscc(3, preset="published", max_epochs=1, **SMALL).fit(near).notes_)


def test_explicit_parameters_win_over_the_preset(rng):
    x, _ = blobs(rng)
    settings = make_lnscc(3, preset="published", n_neighbors=70, learning_rate=0.1, patience=3).settings
    training = settings.training
    assert (settings.n_neighbors, training.learning_rate, training.patience, training.batch_size) == (70, 0.1, 3, 200)
    plain, other = (
        make_lnscc(3, preset=name, **(QUICK | {"max_epochs": 2})).fit(x).embedding_ for name in (None, "graphclust")
    )
    np.testing.assert_array_equal(plain, other)
    with pytest.raises(gc.UsageError, match="did you mean published"):
        make_lnscc(3, preset="publishd", **QUICK).fit(x)


def test_without_patience_training_does_not_stop_early(rng):
    x, _ = blobs(rng)
    plain = QUICK | {"start": "random", "noise": 0.0, "adversarial": 0.0, "max_epochs": 25}
    assert make_lnscc(3, **(plain | {"patience": 1})).fit(x).details_["epochs"] < 25
    assert make_lnscc(3, **(plain | {"patience": None})).fit(x).details_["epochs"] == 25


def strokes(rng, size=60):
    """Three kinds of strokes on 6 x 6 pixels, each anywhere within a pixel of the middle; and which is which."""
    drawn = np.zeros((3, 6, 6))
    drawn[0, 1:5, 2], drawn[1, 2, 1:5] = 1, 1
    drawn[2, range(1, 5), range(1, 5)] = 1
    y = np.repeat(np.arange(3), size)
    moves = rng.integers(-1, 2, (3 * size, 2))
    x = np.stack([np.roll(drawn[c], move, (0, 1)) for c, move in zip(y, moves, strict=True)])
    return (x + 0.15 * rng.normal(size=x.shape)).reshape(3 * size, -1), y


def test_images_have_a_shape(rng):
    x, _ = strokes(rng, 20)
    fitted = make_lnscc(3, image_shape=(6, 6), **QUICK).fit(x)
    np.testing.assert_array_equal(fitted.predict(x), fitted.labels_)
    with pytest.raises(gc.UsageError, match="36 features are not images of 5 x 6 pixels"):
        make_lnscc(3, image_shape=(5, 6), **QUICK).fit(x)
    with pytest.raises(gc.UsageError, match="for tables"):
        make_lnscc(3, image_shape=(6, 6), **QUICK).fit(featured(0))


@pytest.mark.slow
def test_neighbours_of_images_may_be_moved(rng):
    x, y = strokes(rng)
    quick = QUICK | {"max_epochs": 60}
    shaped = make_lnscc(3, image_shape=(6, 6), **quick).fit(x)
    assert accuracy(y, shaped.labels_) > 0.9 > 0.8 > accuracy(y, make_lnscc(3, **quick).fit(x).labels_)
    np.testing.assert_array_equal(shaped.predict(x), shaped.labels_)
    np.testing.assert_array_equal(
        make_lnscc(3, scale=False, image_shape=[6, 6], **quick).fit(x).labels_, shaped.labels_
    )
    again = make_lnscc(3, image_shape=(6, 6), **quick).fit(100 + x)  # far from the origin
    assert accuracy(shaped.labels_, again.labels_) > 0.95


@pytest.mark.parametrize("shape", [6, (6,), (6, 6, 1), (6, 0), (6.0, 6), "66"])
def test_shapes_that_no_image_has(shape):
    with pytest.raises(gc.UsageError, match="image_shape"):
        make_lnscc(3, image_shape=shape, **QUICK).fit(np.zeros((9, 36)))


def test_a_random_head_trains_itself(rng):
    x, y = blobs(rng)
    random = QUICK | {"start": "random", "max_epochs": 25}
    fitted = make_lnscc(3, **random).fit(x)
    assert ami(y, fitted.labels_) > 0.9 > 0.8 > ami(y, make_lnscc(3, xi=0.0, **random).fit(x).labels_)
    assert "normalized_cut_at_start" not in fitted.details_


def test_the_mixture_begins_at_the_pieces(rng):
    x, _ = blobs(rng)
    mixture, pieces = (make_lnscc(3, start=start, **QUICK).fit(x).details_ for start in ("mixture", "pieces"))
    assert mixture["normalized_cut_at_start"] == pieces["normalized_cut_at_start"]
    assert "log_likelihood_at_start" in mixture.keys() - pieces.keys()


def test_the_head_starts_at_what_the_mixture_says(rng, monkeypatch):
    x, _ = blobs(rng)
    calls = []

    def thirds(z, labels):
        calls.extend((labels, torch.argsort(torch.argsort(z[:, 0])) * 3 // len(z)))
        return calls[1], 0.0

    monkeypatch.setattr("graphclust.models.mixture.refined_by_mixture", thirds)
    still = {"learning_rate": 1e-9, "adversarial": 0.0, "noise": 0.0}
    fitted = make_lnscc(3, **(QUICK | still)).fit(x)
    begun, wanted = (labels.numpy() for labels in calls[:2])
    assert accuracy(wanted, fitted.labels_) > 0.9 > 0.8 > accuracy(wanted, begun)


def test_of_several_starts_the_mixture_that_is_most_even_counts(rng, monkeypatch):
    x, refined = rng.normal(size=(180, 6)), []

    def third_time_even(z, labels):
        order = torch.argsort(torch.argsort(z[:, 0]))
        refined.append(order * 3 // len(z) if len(refined) == 2 else (order > 0).long() + (order > 1))
        return refined[-1], float(len(refined))

    monkeypatch.setattr("graphclust.models.mixture.refined_by_mixture", third_time_even)
    monkeypatch.setattr(lnscc_starts, "_TEACHING_STEPS", 300)
    still = {"learning_rate": 1e-9, "adversarial": 0.0, "noise": 0.0}
    fitted = make_lnscc(3, **(QUICK | still)).fit(x)
    assert 3 < len(refined) <= 8
    assert fitted.details_["log_likelihood_at_start"] == 3.0
    assert accuracy(refined[2].numpy(), fitted.labels_) > 0.9


def test_of_several_starts_an_even_one_counts_though_it_cuts_more(monkeypatch):
    ends = ([0, 0, 1, 1, 2], [0, 1, 1, 2, 2])
    graph = Graph.from_edges(*ends, nodes=3, weight=[12.0, 0.1, 18.0, 12.0, 30.0])
    uneven, even = np.array([0, 1, 1]), np.array([0, 0, 1])
    monkeypatch.setattr("graphclust.methods.cutter.Cutter.pieces", lambda *_: [uneven, even])
    chosen = {}
    for start in ("mixture", "pieces"):
        cutter, starts = lnscc_starts.merged_communities(None, graph, start, 2, 0)
        assert cutter.value(uneven) < cutter.value(even)
        chosen[start] = starts[min(starts)]
    assert accuracy(chosen["mixture"], even) == accuracy(chosen["pieces"], uneven) == 1


@pytest.mark.slow
def test_an_embedding_in_the_plane(rng):
    x, y = blobs(rng)
    fitted = make_lnscc(3, **(QUICK | {"embedding_dim": 2, "hidden": (128, 128)})).fit(x)
    assert ami(y, fitted.labels_) > 0.6
    assert fitted.embedding_.shape == (180, 2)


@pytest.mark.parametrize("phases", [("im", "ba", "dis"), pytest.param(("ba", "dis"), marks=pytest.mark.slow)])
def test_the_contrasts_bring_clusters_together_and_apart(rng, phases):
    x, y = blobs(rng, d=30)
    x[:, 3:] *= 3  # of which nothing tells the blobs apart

    def tightness(**also):
        z = make_lnscc(3, scale=False, phases=phases, **(QUICK | also)).fit(x).embedding_
        means = np.stack([z[y == c].mean(axis=0) for c in range(3)])
        return np.square(means - means.mean(axis=0)).sum() / np.square(z - means[y]).sum(axis=1).mean()

    assert tightness(max_epochs=25) > 3 * tightness(learning_rate=1e-9)


def test_close_points_are_embedded_close(rng):
    x, y = blobs(rng)
    z = make_lnscc(3, **QUICK).fit(x).embedding_
    means = np.stack([z[y == c].mean(axis=0) for c in range(3)])
    within = np.linalg.norm(z - means[y], axis=1).mean()
    between = np.linalg.norm(means[:, None] - means, axis=2)[~np.eye(3, dtype=bool)].min()
    assert between > 1.5 * within


@pytest.mark.parametrize("vectors", ["features", "smoothed", "spectral"])
def test_the_given_graph_takes_the_place_of_neighbours(vectors):
    graph = featured(0, n=240)
    fitted = make_lnscc(3, vectors=vectors, **(QUICK | {"max_epochs": 60 if vectors == "features" else 8})).fit(graph)
    least = {"features": 0.5, "smoothed": 0.9, "spectral": 0.9}[vectors]  # features alone tell no more
    assert accuracy(graph.y, fitted.labels_) > least
    if vectors == "features":
        other = featured(1, n=240)
        assert accuracy(other.y, fitted.predict(other)) > 0.55
        with pytest.raises(gc.UsageError, match="node features"):
            fitted.predict(Graph.from_edges(other.source, other.target, nodes=240, x=other.x[:, :2]))
    if vectors == "spectral":
        with pytest.raises(gc.UsageError, match="cannot be extended to another graph"):
            fitted.predict(graph)


@pytest.mark.slow
def test_edges_between_points_tell_what_their_features_do_not():
    longer = QUICK | {"max_epochs": 10, "vectors": "features"}
    with_graph, without = [], []
    for graph in (featured(seed, n=240) for seed in range(4)):
        for scores, data in ((with_graph, graph), (without, graph.x)):
            scores.append(accuracy(graph.y, make_lnscc(3, **longer).fit(data).labels_))
    assert np.mean(with_graph) > np.mean(without)


def test_wide_features_of_a_graph_are_averaged_over_it_and_brought_to_components():
    graph = featured(0, n=240)
    wide = np.random.default_rng(0).normal(size=(240, 50)) * 0.3
    wide[:, :3] += graph.x
    graph = Graph.from_edges(graph.source, graph.target, nodes=240, x=wide, y=graph.y)
    fitted = make_lnscc(3, scale=False, n_components=4, **QUICK).fit(graph)
    assert accuracy(graph.y, fitted.labels_) > 0.9
    np.testing.assert_array_equal(fitted.predict(graph), fitted.labels_)
    assert fitted.embed(graph).shape == (240, 8)
    assert fitted._axes.shape == (50, 4)


@pytest.mark.parametrize("loops", [0, 1])
def test_nodes_without_edges_have_neighbours_by_their_features(rng, loops):
    x, y = blobs(rng)
    graph = Graph.from_edges([3] * loops, [3] * loops, nodes=180, x=x, y=y)
    fitted = make_lnscc(3, **QUICK).fit(graph)
    assert accuracy(y, fitted.labels_) > 0.95
    assert "neighbors-by-features" in codes(fitted.notes_)
    np.testing.assert_array_equal(fitted.predict(graph), fitted.labels_)


def test_new_points_are_taken_as_those_of_the_fit_were():
    graph = featured(0, n=240)
    averaged = make_lnscc(3, **QUICK).fit(graph)
    np.testing.assert_array_equal(averaged.predict(graph), averaged.labels_)
    with pytest.raises(gc.UsageError, match="averaged over a graph"):
        averaged.predict(graph.x)
    for fitted in (make_lnscc(3, **QUICK).fit(graph.x), make_lnscc(3, vectors="features", **QUICK).fit(graph)):
        np.testing.assert_array_equal(fitted.predict(graph), fitted.labels_)
        np.testing.assert_array_equal(fitted.predict(graph.x), fitted.labels_)


@pytest.mark.parametrize("m", [30, pytest.param(70, marks=pytest.mark.slow)])
def test_of_many_neighbours_some_attract_though_none_stands_out(rng, monkeypatch, m):
    seen = []

    class Seen(Contrast):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            seen.append((self.quantities.attract > 0).double().mean().item())

    monkeypatch.setattr("graphclust.models.lnscc.Contrast", Seen)
    x, y = blobs(rng, size=100)
    fitted = make_lnscc(3, n_neighbors=m, scale=False, **QUICK).fit(x)
    assert seen == [1.0]
    assert accuracy(y, fitted.labels_) > 0.9


def test_the_bandwidth_of_features_is_not_that_of_what_is_embedded(rng, monkeypatch):
    """Communities of what is embedded are those of distances in units of their own spread."""
    seen = []

    def spy(points, m, **options):
        seen.append(options)
        return normalized_neighbors(points, m, **options)

    monkeypatch.setattr(lnscc_starts, "normalized_neighbors", spy)
    make_lnscc(3, bandwidth=500.0, **QUICK).fit(blobs(rng)[0])
    assert len(seen) == 1
    assert "bandwidth" not in seen[0]


def test_weights_of_a_graph_count():
    rng = np.random.default_rng(0)
    source, target = np.triu_indices(60, 1)
    y = np.repeat(np.arange(3), 20)
    selected = rng.random(len(source)) < 0.3
    source, target = source[selected], target[selected]
    weight = np.where(y[source] == y[target], 8.0, 1.0)
    graph = Graph.from_edges(source, target, weight, nodes=60)
    assert ami(y, make_lnscc(3, **(QUICK | {"max_epochs": 15})).fit(graph).labels_) > 0.9


def test_embedding_is_in_the_order_of_the_nodes():
    graph = featured(2)
    order = np.random.default_rng(0).permutation(graph.num_nodes)
    place = np.argsort(order)
    moved = Graph.from_edges(
        place[graph.source], place[graph.target], nodes=order.tolist(), x=graph.x[order], y=graph.y[order]
    )
    plain, other = (make_lnscc(3, **QUICK).fit(g) for g in (graph, moved))
    np.testing.assert_array_equal(plain.labels_[order], other.labels_)
    np.testing.assert_array_equal(plain.embedding_[order], other.embedding_)


def test_little_to_learn():
    fitted = make_lnscc(2, **QUICK).fit([[0.0], [0.0], [0.0], [5.0], [5.0]])
    assert fitted.n_clusters_ == 2
    for k in (1, 2, 3):
        fitted = make_lnscc(k, **QUICK).fit([[0.0], [1.0], [4.0]])
        assert fitted.n_clusters_ == k
        np.testing.assert_array_equal(fitted.predict([[0.0], [1.0], [4.0]]), fitted.labels_)
    alone = make_lnscc(2, **QUICK).fit(Graph.from_edges([], [], nodes=4))
    assert alone.n_clusters_ == 2
    assert alone.embedding_.shape[0] == 4
    loops = make_lnscc(2, **QUICK).fit(Graph.from_edges([0, 1, 1], [0, 1, 2], nodes=4))
    assert loops.n_clusters_ == 2


@pytest.mark.slow
def test_a_few_points_far_from_the_rest(rng):
    """They are fewer than neighbours are looked for, so that edges of hardly any weight lead to another cluster."""
    x, y = rng.normal(size=(124, 2)), np.repeat((0, 1, 2), (60, 60, 4))
    x[y == 1] += 12
    x[y == 2] += 100
    fitted = make_lnscc(3, scale=False, **(QUICK | {"max_epochs": 50})).fit(x)
    assert np.isfinite(fitted.details_["contrastive_loss"])
    assert ami(y, fitted.labels_) > 0.9


@pytest.mark.parametrize("start", ["mixture", "pieces", "k-means"])
@pytest.mark.parametrize("n", [5, 30, *slow(13)])
def test_points_that_coincide(n, start):
    x = np.tile([0.1, 0.7, 1 / 3], (n, 1))
    for scale in (True, False):
        assert make_lnscc(2, **(QUICK | {"max_epochs": 4, "start": start, "scale": scale})).fit(x).n_clusters_ == 2


def test_stages_and_figures(rng):
    x, _ = blobs(rng)
    fitted = make_lnscc(3, n_stages=4, **(QUICK | {"max_epochs": 6})).fit(x)
    assert [stage.epoch for stage in fitted.stages_] == [0, 2, 4, 6]
    assert len(fitted.plot_stages().axes) == 8
    assert len(fitted.plot_embedding().axes) == 1
    last = make_lnscc(3, n_stages=1, **(QUICK | {"max_epochs": 3})).fit(x).stages_
    assert [stage.epoch for stage in last] == [3]
    early = make_lnscc(3, n_stages=3, **(QUICK | {"patience": 1, "max_epochs": 30})).fit(x)
    done = early.details_["epochs"]
    epochs = [stage.epoch for stage in early.stages_]
    assert done < 30
    assert (epochs[0], epochs[2]) == (0, done)
    assert abs(epochs[1] - done / 2) < 3
    np.testing.assert_array_equal(early.stages_[-1].z, early.embedding_)
    for without in (make_lnscc(3, **(QUICK | {"max_epochs": 1})).fit(x), make_lnscc(1, n_stages=4, **QUICK).fit(x[:1])):
        with pytest.raises(gc.UsageError, match="n_stages"):
            without.plot_stages()
    assert len(without.plot_embedding().axes) == 1
    few = draw_stages([("end", np.array([[0.0, 0.0], [5.0, 0.0], [5.0, 1.0]]), np.array([0, 1, 1]))])
    assert len(few.axes) == 2  # a cluster of one point has no distances within


def test_stages_are_in_the_order_of_the_nodes_and_numbered_as_the_result_is():
    graph = featured(2)
    order = np.random.default_rng(0).permutation(graph.num_nodes).tolist()
    graph = Graph.from_edges(graph.source, graph.target, nodes=order, x=graph.x, y=graph.y)
    fitted = make_lnscc(3, n_stages=2, **QUICK).fit(graph)
    last = fitted.stages_[-1]
    np.testing.assert_array_equal(last.labels, fitted.labels_[last.points])
    np.testing.assert_array_equal(last.z, fitted.embedding_[last.points])


def test_a_head_starts_however_short_the_training(rng):
    x, _ = blobs(rng)
    assert "normalized_cut_at_start" in make_lnscc(3, **(QUICK | {"max_epochs": 1})).fit(x).details_


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden": 64}, "hidden is a sequence"), ({"phases": "im"}, "phases is a sequence"),
        ({"head_hidden": 8}, "head_hidden is a sequence"), ({"phases": ()}, "at least one"),
        ({"n_clusters": 0}, "positive integer"), ({"start": "best"}, "start is one of"),
        ({"phases": ("dis",)}, "im or ba"),
        ({"phases": ("im", "be")}, "phases is one of"), ({"alpha": 0.0}, "above 0"), ({"bandwidth": 0.0}, "above 0"),
        ({"beta": -1.0}, "beta"), ({"batch_size": 1}, "batch_size"), ({"hidden": (0,)}, "hidden"),
        ({"max_epochs": 0}, "max_epochs"), ({"n_clusters": 999}, "999"),
        ({"noise": -0.1}, "noise"), ({"repulsion": -1.0}, "repulsion"),
        ({"adversarial": None}, "adversarial"), ({"n_stages": -1}, "n_stages"),
        ({"alpha": None}, "alpha"), ({"learning_rate": None}, "learning_rate"), ({"n_clusters": None}, "n_clusters"),
    ],
)  # fmt: skip
def test_parameters_out_of_range(rng, params, message):
    with pytest.raises(gc.UsageError, match=message):
        make_lnscc(**({"n_clusters": 3, "random_state": 0} | params)).fit(blobs(rng)[0])


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_every_device_that_is_there_finds_the_same(rng, device):
    x, y = blobs(rng)
    fitted = make_lnscc(3, device=device, **QUICK).fit(x)
    assert ami(y, fitted.labels_) > 0.9
    np.testing.assert_array_equal(fitted.predict(x), fitted.labels_)
    np.testing.assert_allclose(nearest_neighbors(x, 5, device=device)[1], nearest_neighbors(x, 5)[1], rtol=1e-3)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        make_lnscc(2).predict([[0.0]])
    with pytest.raises(NotFittedError):
        make_lnscc(2).plot_embedding()
