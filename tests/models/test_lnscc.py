"""The losses of LNSCC against a literal implementation, which really repeats edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from graphclust.errors import DataError
from graphclust.kernels.neighbors import locally_normalized, nearest_neighbors
from graphclust.models.lnscc import (
    Contrast,
    Quantities,
    balance,
    clustering_loss,
    distance,
    log_separation,
    target,
    worst_shift,
)


def literal_affinities(x, m):
    """Eqs. (1) and (2), point by point."""
    n = len(x)
    d = np.sqrt(((x[:, None] - x) ** 2).sum(2))
    w = np.zeros((n, n))
    for i in range(n):
        near = [j for j in np.argsort(d[i], kind="stable") if j != i][:m]
        grown = [math.exp(-d[i, j]) for j in near]
        for j, value in zip(near, grown, strict=True):
            w[i, j] = value / sum(grown)
    return w + w.T - w * w.T


def literal_sets(a, alpha):
    """Eqs. (6) to (8), (11) and (12): lists in which edges are repeated."""
    pairs = [(i, j) for i in range(len(a)) for j in range(i) if a[i, j] > 0]
    values = [a[i, j] for i, j in pairs]
    highest, mean, rest = max(values), sum(values) / len(values), (1 - a).max()
    attract, repel, contract = [], [], []
    for (i, j), value in zip(pairs, values, strict=True):
        attract += [(i, j)] * math.floor(alpha * highest / (1 - value))
        repel += [(i, j)] * math.floor(rest / value)
        contract += [(i, j)] * math.floor(value / mean)
    return pairs, attract, repel, contract


@pytest.fixture
def points(rng):
    return rng.normal(size=(50, 4))


def affinities(x, m):
    index, _ = nearest_neighbors(x, m)
    true = np.sqrt(((x[:, None] - x[index]) ** 2).sum(2))
    return locally_normalized(np.repeat(np.arange(len(x)), m), index.ravel(), true.ravel(), len(x))


@pytest.mark.parametrize("m", [2, 5, 10])
def test_affinities_are_the_literal_ones_symmetric_and_at_most_1(m, points):
    a = affinities(points, m).toarray()
    np.testing.assert_allclose(a, literal_affinities(points, m), atol=1e-12)
    np.testing.assert_array_equal(a, a.T)
    assert a.min() >= 0
    assert a.max() <= 1
    assert (np.diag(a) == 0).all()


def test_distances_far_beyond_the_exponents_range_are_normalized():
    a = locally_normalized(np.array([0, 0, 1, 2]), np.array([1, 2, 0, 0]), np.array([1e4, 1e4, 1e4, 1e4]), 3)
    np.testing.assert_allclose(a.toarray(), [[0, 1, 1], [1, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize(("m", "alpha"), [(3, 2.0), (10, 2.0), (5, 0.7)])
def test_quantities_and_expected_losses_are_those_of_repeated_edges(m, alpha, points, rng):
    a = affinities(points, m)
    pairs, attract, repel, contract = literal_sets(a.toarray(), alpha)
    ends = torch.tensor(pairs)
    q = Quantities.of(torch.tensor([a[i, j] for i, j in pairs], dtype=torch.float64), alpha)
    for mine, repeated in ((q.attract, attract), (q.repel, repel), (q.contract, contract)):
        assert mine.tolist() == [repeated.count(pair) for pair in pairs]
    z = torch.as_tensor(rng.normal(size=(50, 3))).requires_grad_()

    def o(pair):
        return torch.exp(-distance(z[pair[0]], z[pair[1]]))

    theirs = -sum(torch.log(o(pair)) for pair in attract + contract) - sum(torch.log(1 - o(pair)) for pair in repel)
    own = (q.drawn * q.loss(distance(z[ends[:, 0]], z[ends[:, 1]]), torch.arange(len(pairs)))).sum()
    torch.testing.assert_close(own, theirs, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.autograd.grad(own, z)[0], torch.autograd.grad(theirs, z)[0], rtol=1e-8, atol=1e-8)


def test_an_edge_of_hardly_any_weight_does_not_outweigh_all_others():
    affinity = torch.tensor([0.5, 0.25, 0.75, 1e-311, 0.0], dtype=torch.float64)
    quantities = Quantities.of(affinity)
    np.testing.assert_array_equal(quantities.repel, [2, 4, 1, 33333, 33333])  # 10,000 over the mean
    assert torch.isfinite(quantities.sized(0.1, None).drawn).all()


@pytest.mark.parametrize("alone", [0, 25])
@pytest.mark.parametrize("phases", [(True, True, True), (False, True, True), (True, False, False)])
def test_what_batches_expect_is_the_loss_over_all_repeated_edges(phases, alone, points, rng):
    """Points without an edge take no part."""
    a = affinities(points, 4)
    dense = a.toarray()
    a.resize(50 + alone, 50 + alone)
    pairs, attract, repel, contract = literal_sets(dense, 2.0)
    z = torch.as_tensor(rng.normal(size=(50, 3)))
    d = distance(z[:, None], z[None])
    beta = 5 * len(attract)
    apart = [-log_separation(d[i, j]) for i in range(50) for j in range(i) if dense[i, j] == 0]
    of_im = sum(d[pair] for pair in attract) - sum(log_separation(d[pair]) for pair in repel)
    literal = (
        phases[0] * of_im + phases[1] * sum(d[pair] for pair in contract) + phases[2] * beta * sum(apart) / len(apart)
    )
    number = phases[0] * len(attract + repel) + phases[1] * len(contract)
    contrast = Contrast(a, 2.0, 5.0, phases)
    assert contrast.ends.shape == (2, len(pairs))
    generator = torch.Generator().manual_seed(0)
    seen = []
    for _ in range(400):
        batch = contrast.draw(64, generator)
        assert (batch.nodes[batch.place].reshape(2, 64).sort(0).values == contrast.ends[:, batch.edges]).all()
        seen.append(contrast.loss(z[batch.nodes], batch, generator).item())
    error = np.std(seen) / len(seen) ** 0.5
    assert abs(np.mean(seen) - literal.item() / number) < 4 * error
    assert error < 0.02 * np.mean(seen)


def test_a_graph_without_repeated_edges_is_refused():
    with pytest.raises(DataError, match="no edge"):
        Contrast(affinities(np.arange(4.0)[:, None], 2), phases=(False, False, True))


def test_an_affinity_of_1_is_not_repeated_for_ever():
    q = Quantities.of(torch.tensor([1.0, 0.5], dtype=torch.float64))
    assert torch.isfinite(q.total).all()


def test_gradients_are_finite_where_points_coincide():
    z = torch.zeros(2, 3, requires_grad=True)
    d = distance(z[:1], z[1:])
    loss = Quantities.of(torch.tensor([0.3], dtype=torch.float64)).loss(d, torch.tensor([0])).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(z.grad).all()


def test_log_separation_does_not_cancel():
    d = torch.tensor([1e-6, 1e-3, 1.0, 30.0], dtype=torch.float64)
    exact = [math.log(-math.expm1(-float(value))) for value in d]
    torch.testing.assert_close(log_separation(d).tolist(), exact)
    assert log_separation(torch.tensor(1e-6)).item() == pytest.approx(exact[0], rel=1e-5)


def test_clustering_loss_is_eq_18(rng):
    u = rng.dirichlet(np.ones(4), size=7)
    size = u.sum(0)
    v = np.array([[u[i, k] ** 2 / size[k] for k in range(4)] for i in range(7)])
    v /= v.sum(1, keepdims=True)
    np.testing.assert_allclose(target(torch.as_tensor(u)), v)
    mean = u.mean(0)
    expected = (v * np.log(v / u)).sum() / 7 + 1.5 * (mean * np.log(mean)).sum()
    assert clustering_loss(torch.log(torch.as_tensor(u)), 1.5).item() == pytest.approx(expected)
    prior = np.array([0.1, 0.2, 0.3, 0.4])
    v = v * prior / (v * prior).sum(1, keepdims=True)
    known = (v * np.log(v / u)).sum() / 7 + 1.5 * (mean * np.log(mean / prior)).sum()
    assert clustering_loss(torch.log(torch.as_tensor(u)), 1.5, torch.as_tensor(prior)).item() == pytest.approx(known)


def test_balance_grows_to_its_limit():
    assert [balance(i, 0.05, 5.0) for i in (0, 1, 100, 101)] == [0.0, 0.05, 5.0, 5.0]


def test_targets_of_a_known_prior_leave_sizes_as_they_are():
    u = torch.tensor([[0.9, 0.1]] * 9 + [[0.1, 0.9]], dtype=torch.float64)
    held = target(u, u.mean(0))
    assert target(u)[0, 0] < held[0, 0]
    torch.testing.assert_close(held[0], torch.tensor([0.81, 0.01], dtype=torch.float64) / 0.82)


def test_targets_may_be_made_from_points_seen_otherwise(rng):
    log_u, reported = (torch.log(torch.as_tensor(rng.dirichlet(np.ones(3), size=5))).requires_grad_() for _ in range(2))
    v = target(reported.detach().exp())
    expected = (v * (v.log() - log_u)).sum(1).mean()
    loss = clustering_loss(log_u, 0.0, None, reported)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert reported.grad is None


def test_data_sets_are_sized_by_those_that_attract():
    q = Quantities.of(torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64))
    sized = q.sized(0.5, 2.0)
    assert sized.attract.tolist() == q.attract.tolist()
    torch.testing.assert_close(sized.repel, q.repel * 0.5 * q.attract.sum() / q.repel.sum())
    torch.testing.assert_close(sized.contract.sum(), 2 * q.attract.sum())


def test_the_worst_shift_changes_probabilities_more_than_any_other_of_its_length(rng):
    weights = torch.as_tensor(rng.normal(size=(6, 3)), dtype=torch.float32)

    def log_of(points):
        return torch.log_softmax(points @ weights, 1)

    def change(shift):
        return (reported.exp() * (reported - log_of(x + shift))).sum(1)

    x = torch.as_tensor(rng.normal(size=(40, 6)), dtype=torch.float32)
    reported, radius = log_of(x), torch.linspace(0.01, 0.1, 40)
    generator = torch.Generator().manual_seed(0)
    worst = sum(change(worst_shift(log_of, x, reported, radius, generator)) for _ in range(5)) / 5
    torch.testing.assert_close(worst_shift(log_of, x, reported, radius, generator).norm(dim=1), radius)
    for _ in range(5):
        other = torch.nn.functional.normalize(torch.randn(x.shape, generator=generator)) * radius[:, None]
        assert change(other).mean() < 0.5 * worst.mean()


def test_reach_is_the_mean_distance_to_neighbours(points):
    a = affinities(points, 3)
    x = torch.as_tensor(points)
    d = np.sqrt(((points[:, None] - points) ** 2).sum(2))
    joined = a.toarray() > 0
    expected = (d * joined).sum(1) / joined.sum(1)
    torch.testing.assert_close(Contrast(a).reach(x.float()), torch.as_tensor(expected).float(), rtol=1e-4, atol=1e-4)
