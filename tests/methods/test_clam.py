"""CLAM as an estimator: scikit-learn's contract, choice without labels, graphs and tables, how many clusters."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

import graphclust as gc
from graphclust.methods.clam import Training
from graphclust.methods.space import Space
from graphclust.metrics import ami, nmi
from graphclust.training.loops import Fleet
from tests.estimating import assert_scikit_learns_contract
from tests.marks import slow
from tests.noted import codes, noted

QUICK = {"max_epochs": 20, "n_init": 1, "random_state": 0}


def mixture(k, d, rng, separation=6.0, size=100):
    """Draw points of Gaussians of uneven sizes and shapes, the nearest two `separation` standard deviations apart."""
    centers = rng.normal(size=(k, d))
    apart = np.linalg.norm(centers[:, None] - centers, axis=2) + 1e9 * np.eye(k)
    centers *= separation / apart.min()
    sizes = np.maximum((rng.dirichlet(np.full(k, 5.0)) * size * k).astype(int), 20)
    parts = [c + rng.normal(size=(n, d)) * rng.uniform(0.6, 1.2, size=d) for c, n in zip(centers, sizes, strict=True)]
    return np.concatenate(parts), np.repeat(np.arange(k), sizes)


@pytest.fixture
def three(rng):
    return mixture(3, 5, rng)


def test_scikit_learns_checks():
    assert_scikit_learns_contract(gc.CLAM(3, max_epochs=3, init="spread", n_init=1))


def test_result_is_consistent(three):
    x, y = three
    model = gc.CLAM(3, **QUICK).fit(x)
    assert ami(y, model.labels_) > 0.95
    np.testing.assert_array_equal(model.predict(x), model.labels_)
    assert model.prototypes_.shape == (3, 5)
    np.testing.assert_array_equal(model.predict(model.prototypes_), [0, 1, 2])
    scaled = StandardScaler().fit_transform(x)
    assert model.silhouette_ == pytest.approx(silhouette_score(scaled, model.labels_), abs=1e-4)
    assert model.silhouette_ == max(run["silhouette"] for run in model.runs_ if run["silhouette"] is not None)
    assert len(model.runs_) == 12
    states = model.trajectory(x[:50])
    assert states.shape == (11, 50, 5)
    np.testing.assert_allclose(states[0], x[:50], atol=1e-9)
    energies = np.stack([model.energy(state) for state in states])
    assert np.diff(energies, axis=0).max() <= 1e-9


@pytest.mark.parametrize(
    "params",
    [
        {"similarity": "cosine"}, {"scale": False}, {"min_size": 5}, {"init": ("data", "normal"), "n_init": 3},
        {"init": "k-means"},
        *slow(
            {"similarity": "mahalanobis", "n_init": 8}, {"init": "spread", "n_init": 8},
            {"init": "linkage", "n_init": 5},
        ),
    ],
)  # fmt: skip
def test_every_option_finds_easy_clusters(three, params):
    assert_finds(three, params)


@pytest.mark.parametrize(
    "training",
    [
        {"masking": None}, {"masking": "point"}, {"masking": "shared"}, {"mask_value": "min"}, {"mask_value": "max"},
        {"mask_value": "zero"}, {"keep": 1.0}, {"betas": [1.0, 5.0], "learning_rate": 0.05}, {"silhouette_sample": 50},
        {"latent_dim": 2},
        *slow(
            {"step_size": 0.1, "n_steps": 20}, {"batch_size": 7}, {"latent_dim": 3, "masking": None, "keep": 1.0},
        ),
    ],
)  # fmt: skip
def test_every_setting_of_the_training_finds_easy_clusters(three, training):
    assert_finds(three, {"training": training})


@pytest.mark.slow
def test_selection_by_the_loss_finds_easy_clusters(three):
    assert_finds(three, {"n_init": 8, "training": Training(select="loss")})


def assert_finds(points, params):
    x, y = points
    model = gc.CLAM(3, **(QUICK | params)).fit(x)
    assert ami(y, model.labels_) > 0.9
    np.testing.assert_array_equal(model.predict(x), model.labels_)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 0}, "positive integer"), ({"n_clusters": "many"}, "positive integer"),
        ({"init": "best"}, "init is one of"), ({"similarity": "l1"}, "similarity is one of"), ({"n_init": 0}, "n_init"),
        ({"max_clusters": 1}, "at least 2"),
        ({"vectors": "words"}, "vectors is one of"), ({"init": np.zeros((2, 5))}, "shape"),
        ({"init": np.full((3, 5), np.nan)}, "finite"), ({"init": np.array(["data"] * 3)}, "finite"),
        ({"init": ()}, "init needs at least one value"), ({"init": 5}, "init is a sequence"),
        ({"n_clusters": 999}, "999"), ({"training": {"latent_dim": 6}}, "5 features span"),
        ({"training": {"latent_dim": 2}, "similarity": "cosine"}, "latent_dim cannot be combined"),
        ({"training": "slow"}, "training must be a mapping"), ({"preset": "publishd"}, "did you mean published"),
        ({"training": {"n_step": 3}}, "unknown training setting .n_step.; did you mean n_steps"),
    ],
)  # fmt: skip
def test_parameters_out_of_range(three, params, message):
    with pytest.raises(gc.UsageError, match=message):
        gc.CLAM(**({"n_clusters": 3, "random_state": 0} | params)).fit(three[0])


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"masking": "some"}, "masking is one of"), ({"mask_rate": 1.0}, "below 1"), ({"mask_rate": 0}, "above 0"),
        ({"betas": [0.0]}, "betas must be above"), ({"betas": 2.0}, "betas is a sequence"),
        ({"betas": ()}, "betas needs at least one value"),
        ({"learning_rate": ()}, "learning_rate needs at least one value"),
        ({"learning_rate": [0.1, -1]}, "learning_rate is a finite"), ({"step_size": 1.5}, "at most 1"),
        ({"keep": 0}, "above 0"), ({"snapshots": 3}, "snapshots is a sequence"),
            ({"snapshots": [-1]}, "snapshots"), ({"snapshots": ["a"]}, "snapshots"), ({"latent_dim": 0}, "latent_dim"),
    ],
)  # fmt: skip
def test_training_out_of_range(three, training, message):
    with pytest.raises(gc.UsageError, match=message):
        Training(**training)
    with pytest.raises(gc.UsageError, match=message):
        gc.CLAM(3, training=training).fit(three[0])


def test_training_is_a_value():
    training = Training(betas=np.array([1, 2]), learning_rate=0.1, snapshots=[0, 5])
    assert (training.betas, training.learning_rates, training.snapshots) == ((1.0, 2.0), (0.1,), (0, 5))
    assert training == Training(betas=[1.0, 2.0], learning_rate=[0.1], snapshots=(0, 5))
    model = gc.CLAM(3, training=training, preset="published")
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(training={"keep": 0.5}).training == {"keep": 0.5}


def test_the_published_preset():
    """Section A.3 and the authors' code; what is given beside the preset wins."""
    settings = gc.CLAM(3, preset="published").settings
    assert (settings.init, settings.max_epochs, settings.min_size) == ("normal", 200, 1)
    assert settings.training == Training(n_steps=10, step_size=0.1, mask_rate=0.2, keep=1.0)
    settings = gc.CLAM(3, preset="published", max_epochs=7, training={"n_steps": 20}).settings
    assert (settings.max_epochs, settings.training) == (7, Training(n_steps=20, step_size=0.1, keep=1.0))
    assert gc.CLAM(3, preset="graphclust").settings == gc.CLAM(3).settings
    assert gc.CLAM(3).settings.training == Training()


def test_a_published_fit(three):
    x, _ = three
    published = gc.CLAM(3, preset="published", max_epochs=5, random_state=0).fit(x)
    training = Training(step_size=0.1, keep=1.0)
    by_hand = gc.CLAM(3, init="normal", max_epochs=5, min_size=1, training=training, random_state=0).fit(x)
    np.testing.assert_array_equal(published.prototypes_, by_hand.prototypes_)
    assert {run["init"] for run in published.runs_} == {"normal"}


def test_tables_that_do_not_do(three):
    with pytest.raises(gc.DataError, match="4 clusters of 2 distinct rows"):
        gc.CLAM(4, **QUICK).fit(np.repeat([[0.0], [1.0]], 5, axis=0))
    with pytest.raises(NotFittedError):
        gc.CLAM(3).predict(three[0])


@pytest.mark.parametrize(
    ("offset", "params"),
    [(1e4, {}), (5e6, {"similarity": "mahalanobis"}), (5e6, {}), (1e5, {"training": {"latent_dim": 2}})],
)
def test_far_from_the_origin_without_scaling(rng, offset, params):
    centers = 3 * np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    y = np.repeat(range(4), 50)
    x = centers[y] + 0.5 * rng.normal(size=(200, 2))
    params = QUICK | {"scale": False} | params
    model = gc.CLAM(4, **params).fit(x + offset)
    assert ami(y, model.labels_) > 0.95
    np.testing.assert_array_equal(model.predict(x + offset), model.labels_)
    means = np.stack([x[model.labels_ == j].mean(axis=0) for j in range(4)])
    np.testing.assert_allclose(model.prototypes_ - offset, means, atol=0.3)
    params["training"] = {"snapshots": (0,)} | params.get("training", {})
    started = gc.CLAM(4, init=centers + offset, **params).fit(x + offset)
    np.testing.assert_allclose(np.sort(started.snapshots_[0], axis=0), np.sort(centers + offset, axis=0), atol=1e-4)


@pytest.mark.parametrize("offset", [5, 50])
def test_zero_is_the_features_zero_without_scaling(rng, offset):
    x = rng.normal(size=(60, 3)) + offset
    training = Training(mask_value="zero", snapshots=(0,), keep=1.0)
    model = gc.CLAM(2, scale=False, init="normal", training=training, **QUICK).fit(x)
    space = model._space.feature_space
    start = model._space.mask_value(torch.as_tensor(space.transform(x), dtype=torch.float32), "zero")
    np.testing.assert_allclose(space.inverse_transform(start.double().numpy()), 0, atol=1e-5)
    assert np.abs(model.snapshots_[0]).max() < 1  # N(0.1, 0.1)
    drawn = model.plot_prototypes((1, 3)).axes[0].images[0].get_array()
    np.testing.assert_allclose(drawn.ravel(), model.snapshots_[0][0], atol=1e-6)


def test_features_near_the_origin_stay_as_they_are_without_scaling(rng):
    x = rng.normal(size=(60, 3)) + 5
    for similarity in ("euclidean", "cosine", "mahalanobis"):
        assert not Space.fitted(x, similarity, scale=False).mean.any()
    np.testing.assert_array_equal(Space.fitted(x, scale=False).transform(x), x)
    assert not Space.fitted(x + 100, "cosine", scale=False).mean.any()
    far = Space.fitted(x + 100, scale=False)
    np.testing.assert_allclose(far.transform(x + 100), x - x.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(far.inverse_transform(far.transform(x + 100)), x + 100)


def test_numbers_too_large_for_single_precision(three):
    for big, params in ((1e200, {}), (1e30, {"scale": False})):
        with pytest.raises(gc.DataError, match="as large as"):
            gc.CLAM(3, **QUICK, **params).fit(big * three[0])


def test_a_square_batch_after_a_table(rng):
    x = rng.random((60, 8)) * (rng.random((60, 8)) < 0.5)
    model = gc.CLAM(3, **QUICK).fit(sp.csr_array(x))
    np.testing.assert_array_equal(model.predict(sp.csr_array(x[:8])), model.labels_[:8])


def test_memory_grows_with_the_square_of_the_number_of_clusters():
    memory = [gc.CLAM(k)._memory(20_000, 16) for k in (10, 1000)]
    batch = gc.CLAM(10)._search_settings().batch_size(20_000)
    assert memory[1] - memory[0] > 10 * 1000**2 * batch


def test_exactly_so_many_clusters_of_scattered_points(rng):
    x = rng.normal(size=(40, 2))
    for k in (1, 2, 17, 39, 40):
        model = gc.CLAM(k, **QUICK).fit(x)
        assert len(np.unique(model.labels_)) == k


def test_latents_learn_with_the_memories(rng):
    """Encoders and memories learn together: prototypes and trajectories come back as points near the data."""
    x, y = mixture(4, 12, rng)
    model = gc.CLAM(4, training={"latent_dim": 3}, **QUICK).fit(x)
    assert ami(y, model.labels_) > 0.95
    assert model.silhouette_ == pytest.approx(
        silhouette_score(StandardScaler().fit_transform(x), model.labels_), abs=1e-4
    )
    assert model.prototypes_.shape == (4, 12)
    means = np.stack([x[model.labels_ == j].mean(0) for j in range(4)])
    between = np.linalg.norm(model.prototypes_[:, None] - means, axis=2)
    np.testing.assert_array_equal(between.argmin(1), range(4))
    states = model.trajectory(x[:20])
    assert states.shape == (11, 20, 12)
    assert (
        np.linalg.norm(states[-1] - model.prototypes_[model.labels_[:20]], axis=1).mean()
        < np.linalg.norm(states[0] - model.prototypes_[model.labels_[:20]], axis=1).mean()
    )
    assert any(np.abs(weight.numpy()).max() > 0 for weight in model._best.weights[2:3])  # the hidden layer has learned


def test_small_clusters_can_be_refused(rng):
    x = np.concatenate([mixture(2, 3, rng)[0], [[60.0, 0, 0]]])
    assert np.bincount(gc.CLAM(2, init="spread", min_size=1, **QUICK).fit(x).labels_).min() == 1
    model = gc.CLAM(2, min_size=10, init=("spread", "k-means++"), n_init=4, max_epochs=20, random_state=0).fit(x)
    assert np.bincount(model.labels_).min() >= 10
    assert np.bincount(gc.CLAM(2, random_state=0, max_epochs=20).fit(x).labels_).min() >= 5
    few = gc.CLAM(4, min_size=70, n_init=1, max_epochs=5, random_state=0).fit(x)
    assert len(np.unique(few.labels_)) == 4
    assert noted(few.notes_, "small-clusters") == {"min_size": 70}


def test_snapshots(three):
    model = gc.CLAM(3, training={"snapshots": (0, 5, 20), "keep": 1.0}, **QUICK).fit(three[0])
    assert sorted(model.snapshots_) == [0, 5, 20]
    assert all(prototypes.shape == (3, 5) for prototypes in model.snapshots_.values())
    assert np.abs(model.snapshots_[0] - model.snapshots_[20]).max() > 0


def test_figures(rng, tmp_path):
    x = mixture(3, 2, rng)[0]
    model = gc.CLAM(3, training={"snapshots": (0, 20), "keep": 1.0}, **QUICK).fit(x)
    basins = model.plot_basins((0.1, 100.0))
    soft, hard = (axes.images[0].get_array() for axes in basins.axes)
    assert (soft != hard).mean() > 0.05
    assert len(np.unique(hard)) == 3
    basins.savefig(tmp_path / "basins.png")
    training = {"snapshots": (0, 5, 20), "keep": 1.0}
    images = gc.CLAM(2, training=training, **QUICK).fit(rng.normal(size=(40, 12)))
    drawn = images.plot_prototypes((3, 4))
    assert [axes.get_title() for axes in drawn.axes[:3]] == ["epoch 0", "epoch 5", "epoch 20"]
    assert len(drawn.axes) == 6
    drawn.savefig(tmp_path / "prototypes.png")
    with pytest.raises(gc.UsageError, match="5 x 5"):
        images.plot_prototypes((5, 5))
    with pytest.raises(gc.UsageError, match="for 2 features only"):
        images.plot_basins()
    with pytest.raises(gc.UsageError, match="snapshots"):
        gc.CLAM(2, **QUICK).fit(x).plot_prototypes((1, 2))


# ---------------------------------------------------------------- how many

LARGER = [(3, 50), (5, 2), (8, 10)]


@pytest.mark.parametrize(("k", "d"), [(2, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in LARGER)])
def test_number_of_clusters_is_found(k, d):
    x, y = mixture(k, d, np.random.default_rng(100 * k + d), separation=8.0, size=50 if k == 2 else 100)
    model = gc.CLAM(n_clusters="auto", max_epochs=20, random_state=0).fit(x)
    assert model.n_clusters_ == k
    assert ami(y, model.labels_) > 0.95
    table = {row["n_clusters"]: row["silhouette"] for row in model.details_["numbers"]}
    assert max(table, key=table.get) == k


@pytest.mark.slow
def test_one_gaussian_is_one_cluster(rng):
    model = gc.CLAM(random_state=0).fit(rng.normal(size=(300, 4)) * [1, 2, 3, 4])
    assert model.n_clusters_ == 1
    assert "one-cluster" in codes(model.notes_)


@pytest.mark.parametrize("params", [{"max_epochs": 5, "training": {"n_steps": 5}}, *slow({})])
@pytest.mark.parametrize("seed", [0, *slow(1, 2)])
def test_one_gaussian_is_one_cluster_by_the_cosine(seed, params):
    x = np.random.default_rng(10 + seed).normal(size=(300, 4))
    assert gc.CLAM(similarity="cosine", random_state=0, **params).fit(x).n_clusters_ == 1


@pytest.mark.slow
def test_number_of_directions_is_found(rng):
    y = np.repeat(range(3), 60)
    x = (8 * np.eye(4)[y] + rng.normal(size=(180, 4))) * rng.uniform(0.5, 2, size=(180, 1))
    model = gc.CLAM(similarity="cosine", random_state=0).fit(x)
    assert model.n_clusters_ == 3
    assert ami(y, model.labels_) > 0.95


# ---------------------------------------------------------------- graphs


def test_graph_without_features(rng):
    graph = gc.generators.planted_partition(120, 4, p_in=0.4, p_out=0.02, random_state=0)
    communities, again = (gc.detect(g, "clam", n_clusters=4, max_epochs=20) for g in (graph, graph.adjacency()))
    assert ami(graph.y, communities.labels) > 0.95
    assert again.labels.tolist() == communities.labels.tolist()
    estimator = gc.CLAM(4, **QUICK).fit(graph)
    with pytest.raises(gc.UsageError, match="spectral embedding"):
        estimator.predict(graph)


def test_graph_with_features(three):
    x, y = three
    graph = gc.Graph.from_edges([], [], nodes=len(x), x=x)
    estimator = gc.CLAM(3, **QUICK).fit(graph)
    np.testing.assert_array_equal(estimator.labels_, gc.CLAM(3, **QUICK).fit(x).labels_)
    np.testing.assert_array_equal(estimator.predict(x), estimator.predict(graph))
    sparse = gc.Graph.from_edges([], [], nodes=len(x), x=sp.csr_array(x))
    np.testing.assert_array_equal(gc.CLAM(3, **QUICK).fit(sparse).labels_, estimator.labels_)
    ends = np.flatnonzero(y == 0)
    linked = gc.Graph.from_edges(ends[:-1], ends[1:], nodes=len(x), x=x)
    assert nmi(y, gc.CLAM(3, vectors="smoothed", **QUICK).fit(linked).labels_) > 0.9
    with pytest.raises(gc.DataError, match="no node features"):
        gc.CLAM(3, vectors="features").fit(gc.Graph.from_edges([0], [1], nodes=4))


# ---------------------------------------------------------------- many runs at once


def test_fleet_is_adam_for_each_run():
    goal = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    start = torch.zeros(2, 2, requires_grad=True)
    fleet = Fleet([start], torch.tensor([0.1, 0.02]), patience=1000)
    for _ in fleet.epochs(
        30, 4, 4, lambda index, _: (start - goal).square().sum(1, keepdim=True).expand(-1, len(index))
    ):
        pass
    for run, rate in enumerate((0.1, 0.02)):
        alone = torch.zeros(2, requires_grad=True)
        adam = torch.optim.Adam([alone], lr=rate)
        for _ in range(30):
            adam.zero_grad()
            (alone - goal[run]).square().sum().backward()
            adam.step()
        torch.testing.assert_close(fleet.parameters[0][run].detach(), alone.detach(), atol=1e-5, rtol=1e-5)


def test_fleet_keeps_the_best_epoch_and_survives_a_run_that_is_not_finite():
    start = torch.zeros(2, 1, requires_grad=True)
    losses = torch.tensor([[3.0, 1.0, 2.0], [5.0, 6.0, 7.0]])
    seen = []

    def loss(index, epoch):
        seen.append(start.detach().clone())
        bad = torch.tensor([[1.0], [float("nan")]])
        return losses[:, epoch, None] + ((start - 9) * bad - ((start - 9) * bad).detach()).nan_to_num(0)

    fleet = Fleet([start], torch.tensor([0.5, 0.5]), patience=1, shrink=0.5)
    for _ in fleet.epochs(3, 1, 1, loss):
        pass
    assert fleet.loss.tolist() == [1.0, 5.0]
    assert torch.equal(fleet.best[0][0], seen[2][0])
    assert fleet.rates.tolist() == [0.25, 0.125]
    assert bool(fleet.parameters[0].isfinite().all())
