"""The expected normalized cut against eq. 6 term by term and networkx, its gradient, and the heads."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch

from graphclust.models.cnc import Affinity, FreeHead, GraphHead, Head, expected_normalized_cut, gumbel_softmax
from tests import oracles

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state:UserWarning")

CASES = [(n, k, density, loops) for n, k in [(5, 2), (9, 3), (14, 6)] for density in (0.3, 1.0) for loops in (0, 1)]


def weights(n, density, loops, rng):
    """Draw a symmetric matrix of weights whose nodes all have some."""
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < density), 1)
    w[np.arange(n - 1), np.arange(1, n)] = rng.random(n - 1) + 0.1
    return w + w.T + loops * np.diag(rng.random(n))


def affinity(w, sparse, regularization=0.0):
    if not sparse:
        return Affinity(torch.as_tensor(w), regularization)
    rows = sp.csr_array(w)
    start, end = torch.as_tensor(rows.indptr.astype(np.int64)), torch.as_tensor(rows.indices.astype(np.int64))
    return Affinity.from_csr(start, end, torch.as_tensor(rows.data), regularization)


def dense(y, w):
    """Eq. 6 as the paper has it, with its n x n matrix."""
    volume = y.T @ w.sum(1)
    return ((y / volume) @ (1 - y).T * w).sum()


@pytest.mark.parametrize(("n", "k", "density", "loops"), CASES)
@pytest.mark.parametrize("sparse", [False, True])
def test_loss_and_gradient_are_those_of_equation_6(n, k, density, loops, sparse, rng):
    w = weights(n, density, loops, rng)
    y = rng.dirichlet(np.ones(k), size=(n, 3)).astype(np.float64)
    slope = torch.as_tensor(rng.normal(size=3))
    ours = torch.as_tensor(y).requires_grad_()
    loss = expected_normalized_cut(ours, affinity(w, sparse))
    (slope * loss).sum().backward()
    theirs = torch.as_tensor(y).requires_grad_()
    wanted = torch.stack([dense(theirs[:, run], torch.as_tensor(w)) for run in range(3)])
    (slope * wanted).sum().backward()
    torch.testing.assert_close(loss, wanted, atol=1e-10, rtol=0)
    # eq. 6 as published holds where rows of Y add up to 1; its gradient is compared along such directions
    tangent = torch.as_tensor(rng.normal(size=y.shape))
    tangent -= tangent.mean(2, keepdim=True)
    torch.testing.assert_close((ours.grad * tangent).sum(), (theirs.grad * tangent).sum(), atol=1e-10, rtol=0)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-10, rtol=0)
    assert loss[0].item() == pytest.approx(oracles.expected_normalized_cut(y[:, 0], w), abs=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_at_one_hot_it_is_networkx_cut_over_volume(seed):
    rng = np.random.default_rng(seed)
    w = weights(12, 0.4, 0, rng)
    graph = nx.from_numpy_array(w)
    labels = np.concatenate((np.arange(4), rng.integers(4, size=8)))
    cut = 0.0
    for c in range(4):
        part = np.flatnonzero(labels == c).tolist()
        cut += nx.cut_size(graph, part, weight="weight") / nx.volume(graph, part, weight="weight")
    y = torch.as_tensor(np.eye(4)[labels])[:, None]
    assert expected_normalized_cut(y, affinity(w, True)).item() == pytest.approx(cut, abs=1e-10)


@pytest.mark.parametrize("regularization", [0.0, 0.7])
def test_limits(regularization, rng):
    w = weights(10, 0.4, 1, rng)
    nx_graph = affinity(w, True, regularization)
    first = torch.ones(10, 1, 1, dtype=torch.float64)
    assert expected_normalized_cut(first, nx_graph).item() == pytest.approx(0, abs=1e-12)
    uniform = torch.full((10, 1, 5), 0.2, dtype=torch.float64)
    assert expected_normalized_cut(uniform, nx_graph).item() == pytest.approx(4, abs=1e-12)
    dense_w = torch.as_tensor(w) + regularization * float(w.sum()) / 100
    y = torch.as_tensor(rng.dirichlet(np.ones(3), size=10))
    assert expected_normalized_cut(y[:, None], nx_graph).item() == pytest.approx(float(dense(y, dense_w)), abs=1e-10)


def test_an_empty_cluster_adds_one_and_moves_nothing_else(rng):
    w = weights(10, 0.4, 0, rng)
    y = torch.as_tensor(rng.dirichlet(np.ones(3), size=10))
    padded = torch.cat((y, torch.zeros(10, 1, dtype=y.dtype)), 1).requires_grad_()
    y.requires_grad_()
    complete, part = (expected_normalized_cut(entry[:, None], affinity(w, True)) for entry in (padded, y))
    assert complete.item() == pytest.approx(part.item() + 1, abs=1e-9)
    complete.sum().backward()
    part.sum().backward()
    assert torch.isfinite(padded.grad).all()
    torch.testing.assert_close(padded.grad[:, :3], y.grad)


def test_gradient_by_finite_differences(rng):
    nx_graph = affinity(weights(7, 0.5, 1, rng), False, 0.3)
    y = torch.as_tensor(rng.dirichlet(np.ones(3), size=(7, 2))).requires_grad_()
    assert torch.autograd.gradcheck(lambda value: expected_normalized_cut(value, nx_graph), (y,))


def test_gumbel_softmax_draws_from_the_softmax():
    logits = torch.log(torch.tensor([0.6, 0.3, 0.1]))
    y = gumbel_softmax(logits.expand(40_000, 3), 0.1, torch.Generator().manual_seed(0))
    share = torch.bincount(y.argmax(1), minlength=3) / len(y)
    torch.testing.assert_close(share, torch.tensor([0.6, 0.3, 0.1]), atol=0.01, rtol=0)
    assert y.max(1).values.mean() > 0.9
    warm = gumbel_softmax(logits.expand(1000, 3), 50.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(warm.mean(0), torch.full((3,), 1 / 3), atol=0.02, rtol=0)


@pytest.mark.parametrize("kind", [Head, GraphHead])
def test_runs_do_not_see_each_other_and_all_parameters_learn(kind, rng):
    x = torch.as_tensor(rng.normal(size=(8, 4)), dtype=torch.float32)
    near = Affinity(torch.as_tensor(weights(8, 0.4, 0, rng), dtype=torch.float32).to_sparse_csr())
    head = kind((4, 6, 5, 3), 3, generator=torch.Generator().manual_seed(0))
    logits = head(x, near)
    assert logits.shape == (3, 8, 3)
    logits[1].square().sum().backward()
    for parameter in head.parameters():
        assert (parameter.grad[[0, 2]] == 0).all()
        assert (parameter.grad[1] != 0).any()


def test_graph_head_sees_the_mean_of_neighbours(rng):
    w = weights(6, 0.4, 0, rng)
    w[:, 2] = w[2] = 0  # a point without neighbours
    near = Affinity(torch.as_tensor(w).to_sparse_csr())
    h = torch.as_tensor(rng.normal(size=(2, 6, 3)))
    seen = GraphHead((3, 2)).layer_input(h, near)
    for i in range(6):
        mean = (w[i] @ h[0].numpy()) / w[i].sum() if w[i].sum() else np.zeros(3)
        np.testing.assert_allclose(seen[0, i], np.concatenate((h[0, i], mean)), atol=1e-12)


@pytest.mark.parametrize("columns", [2, 9])
@pytest.mark.parametrize("runs", [1, 2])
def test_a_layer_of_graph_head_is_the_product_of_what_it_sees(columns, runs, rng):
    w = torch.as_tensor(weights(6, 0.4, 2, rng))
    near = Affinity(w.to_sparse_csr(), regularization=0.5)
    head = GraphHead((4, columns), runs, generator=torch.Generator().manual_seed(0)).double()
    mean = w / w.sum(1, keepdim=True).clamp_min(1e-300)
    h = torch.as_tensor(rng.normal(size=(runs, 6, 4))).requires_grad_()
    plain = head.biases[0] + torch.cat((h, mean @ h), dim=2) @ head.weights[0]
    torch.testing.assert_close(head.layer(0, h, near), plain)
    owner = (h, head.weights[0], head.biases[0])
    theirs = torch.autograd.grad(plain.sin().sum(), owner)
    for own, other in zip(torch.autograd.grad(head.layer(0, h, near).sin().sum(), owner), theirs, strict=True):
        torch.testing.assert_close(own, other)
    if runs > 1:
        first = h[0].detach()
        torch.testing.assert_close(head(first, near), head(first.expand(runs, -1, -1).clone(), near))


@pytest.mark.parametrize("kind", ["mlp", "gnn", "logits"])
def test_a_start_at_labels_gives_those_labels(kind, rng):
    labels = np.repeat([2, 0, 1], 20)
    centers = 10 * np.eye(3)[labels]
    x = torch.as_tensor(centers + rng.normal(size=(60, 3)), dtype=torch.float32)
    near = Affinity(torch.as_tensor((labels[:, None] == labels).astype(np.float32)).to_sparse_csr())
    generator = torch.Generator().manual_seed(0)
    if kind == "logits":
        head = FreeHead(60, 3, 2, generator)
    else:
        head = {"mlp": Head, "gnn": GraphHead}[kind]((3, 32, 3), 2, generator=generator)
    before = head(x, near)[1].clone()
    head.start_at([labels, None], x, near)
    after = head(x, near)
    np.testing.assert_array_equal(after[0].argmax(1), labels)
    torch.testing.assert_close(after[1], before)
