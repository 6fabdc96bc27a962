"""CLAM's memories against plain loops from the paper, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphclust.models import clam
from graphclust.models.clam import AssociativeMemory, Autoencoder, energy
from tests import oracles

BETAS = torch.tensor([0.3, 1.0, 5.0], dtype=torch.float64)


@pytest.fixture
def prototypes(rng):
    return torch.as_tensor(rng.normal(size=(3, 4, 5)))


@pytest.fixture
def points(rng):
    return torch.as_tensor(rng.normal(size=(6, 5)))


@pytest.mark.parametrize(
    ("masks", "value"),  # without a mask points start at themselves
    [("point", False), ("point", True), ("shared", False), ("shared", True), (None, False)],
)
def test_loss_and_gradient_are_those_of_the_paper(prototypes, points, rng, masks, value):
    moving = None if masks is None else torch.as_tensor(rng.random((6 if masks == "point" else 1, 5)) < 0.4).double()
    start = torch.as_tensor(rng.normal(size=5)) if value else None
    weight = torch.as_tensor(rng.random((3, 6)))
    memory = AssociativeMemory(prototypes, BETAS, n_steps=7, step_size=0.15)
    loss = memory.loss(points, moving, start)
    wanted = np.array(
        [
            [
                oracles.clam_loss(
                    x,
                    rho,
                    beta,
                    np.ones(5) if moving is None else moving[i if masks == "point" else 0].numpy(),
                    x if masks is None else np.zeros(5) if start is None else start.numpy(),
                    7,
                    0.15,
                )
                for i, x in enumerate(points.numpy())
            ]
            for rho, beta in zip(prototypes.numpy(), BETAS.tolist(), strict=True)
        ]
    )
    np.testing.assert_allclose(loss.detach(), wanted, atol=1e-12)
    (gradient,) = torch.autograd.grad((weight * loss).sum(), memory.raw)
    again = prototypes.clone().requires_grad_()
    mask = torch.ones(1, 5).double() if moving is None else moving
    state = points if masks is None else points * (1 - mask) + mask * (0 if start is None else start)
    state = state.expand(3, 6, 5)
    for _ in range(7):
        soft = torch.softmax(-BETAS[:, None, None] * torch.cdist(state, again).square(), 2)
        state = state + 0.15 * mask * (soft @ again - state)
    (direct,) = torch.autograd.grad((weight * (mask * (points - state)).square().sum(2)).sum(), again)
    torch.testing.assert_close(gradient, direct, atol=1e-10, rtol=1e-8)


def test_gradient_by_finite_differences(prototypes, points, rng):
    moving = torch.as_tensor(rng.random((6, 5)) < 0.4).double()
    memory = AssociativeMemory(prototypes, BETAS)

    def loss(raw):
        own = AssociativeMemory(prototypes, BETAS)
        del own.raw
        own.raw = raw
        return own.loss(points, moving)

    assert torch.autograd.gradcheck(loss, (memory.raw.detach().clone().requires_grad_(),))


def test_autoencoders_are_principal_components_at_first_and_learn_alone(points, rng):
    basis = torch.linalg.qr(torch.as_tensor(rng.normal(size=(5, 2))))[0]
    coder = Autoencoder(basis, 3, 4, torch.Generator().manual_seed(0))
    torch.testing.assert_close(coder.encode(points), (points @ basis).expand(3, -1, -1))
    torch.testing.assert_close(coder.decode(coder.encode(points)), (points @ basis @ basis.T).expand(3, -1, -1))
    memory = AssociativeMemory(torch.as_tensor(rng.normal(size=(3, 4, 2))), BETAS, coder=coder)
    alone = AssociativeMemory(memory.raw.detach(), BETAS)
    moving = torch.as_tensor(rng.random((6, 2)) < 0.5).double()
    rest = (points - points @ basis @ basis.T).square().sum(1)
    torch.testing.assert_close(memory.loss(points, moving), alone.loss(points @ basis, moving) + rest)
    gradients = torch.autograd.grad(memory.loss(points, moving)[1].sum(), list(memory.parameters()), allow_unused=True)
    for gradient in gradients:
        assert gradient is None or (float(gradient[0].abs().max()) == 0 and float(gradient[2].abs().max()) == 0)
    assert float(gradients[0][1].abs().max()) > 0
    assert float(gradients[3][1].abs().max()) > 0  # of the hidden layer's way into the latents


def test_trajectory_is_that_of_the_paper(prototypes, points):
    memory = AssociativeMemory(prototypes, BETAS, n_steps=6, step_size=0.3)
    states = memory.trajectory(points)
    assert states.shape == (7, 3, 6, 5)
    for r, beta in enumerate(BETAS.tolist()):
        for i, x in enumerate(points.numpy()):
            wanted = oracles.clam_states(x, prototypes[r].numpy(), beta, np.ones(5), 6, 0.3)
            np.testing.assert_allclose(states[:, r, i], wanted, atol=1e-12)
    last = torch.cdist(states[-1], prototypes).argmin(2)
    assert torch.equal(memory.assign(points), last)


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0])
def test_energy_never_rises(rng, step):
    prototypes, points = torch.as_tensor(rng.normal(size=(3, 6, 4))), torch.as_tensor(rng.normal(size=(500, 4)) * 3)
    states = AssociativeMemory(prototypes, BETAS, n_steps=20, step_size=step).trajectory(points)
    for r, beta in enumerate(BETAS.tolist()):
        values = energy(states[:, r], prototypes[r], beta)
        assert float(values.diff(dim=0).max()) <= 1e-12
        assert float((values[-1] - values[0]).mean()) < -0.1


def test_energy_is_eq_1(prototypes, points):
    for beta in BETAS.tolist():
        wanted = [oracles.clam_energy(x, prototypes[0].numpy(), beta) for x in points.numpy()]
        np.testing.assert_allclose(energy(points, prototypes[0], beta), wanted, atol=1e-12)


def test_basins_become_the_voronoi_partition(rng):
    """For large beta each of 10,000 points goes to its nearest prototype; for a small one many do not."""
    prototypes = torch.as_tensor(rng.normal(size=(1, 7, 2)))
    points = torch.as_tensor(rng.normal(size=(10_000, 2)) * 2)
    nearest = torch.cdist(points, prototypes[0]).argmin(1)
    actual = AssociativeMemory(prototypes, torch.tensor([1e6]).double()).assign(points)[0]
    assert torch.equal(actual, nearest)
    soft = AssociativeMemory(prototypes, torch.tensor([0.5]).double()).assign(points)[0]
    assert float((soft != nearest).double().mean()) > 0.1


@pytest.mark.parametrize("d", [1024, 16_063])
def test_finite_in_many_dimensions(d):
    """exp(-beta d^2) is 0 in single precision here, also summed over prototypes."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, d, generator=generator)
    memory = AssociativeMemory(x[None, :5].clone(), torch.tensor([1.0]))
    assert float(torch.exp(-torch.cdist(x[5:], x[:5]).square()).sum()) == 0
    moving = (torch.rand(20, d, generator=generator) < 0.2).float()
    loss = memory.loss(x, moving)
    (gradient,) = torch.autograd.grad(loss.sum(), memory.raw)
    assert bool(loss.isfinite().all())
    assert bool(gradient.isfinite().all())
    assert float(gradient.abs().max()) > 0
    assert memory.assign(x)[0, :5].tolist() == [0, 1, 2, 3, 4]


def test_runs_do_not_mix(prototypes, points, rng):
    moving = torch.as_tensor(rng.random((6, 5)) < 0.4).double()
    together = AssociativeMemory(prototypes, BETAS).loss(points, moving)
    for r in range(3):
        alone = AssociativeMemory(prototypes[r : r + 1], BETAS[r : r + 1]).loss(points, moving)
        torch.testing.assert_close(alone[0], together[r])


def test_prototypes_on_the_sphere(prototypes, points):
    memory = AssociativeMemory(3 * prototypes, BETAS, on_sphere=True)
    unit = prototypes / prototypes.norm(dim=2, keepdim=True)
    torch.testing.assert_close(memory.loss(points), AssociativeMemory(unit, BETAS).loss(points))


def test_points_are_assigned_in_pieces(prototypes, points, monkeypatch):
    memory = AssociativeMemory(prototypes, BETAS)
    complete = memory.assign(points)
    seen = []
    unroll = clam._unroll
    monkeypatch.setattr(clam, "_unroll", lambda *arguments: seen.append(arguments[2].shape[-1]) or unroll(*arguments))
    monkeypatch.setattr(clam, "_CELLS", 3 * 4 * 40 * 4)
    assert torch.equal(memory.assign(points), complete)
    assert seen == [4, 2]


def test_many_prototypes_take_few_points_at_once():
    memory = AssociativeMemory(torch.zeros(1, 500, 2), torch.tensor([1.0]))
    assert memory.rows * 500**2 <= clam._CELLS
