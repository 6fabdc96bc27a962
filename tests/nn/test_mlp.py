"""Multilayer perceptrons, and the PReLU that is faster than torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from graphclust.nn.mlp import MLP, PReLU


@pytest.mark.parametrize("slope", [0.25, 0.0, -0.7, 1.5])
def test_prelu_is_that_of_torch(slope, rng):
    x = torch.from_numpy(rng.normal(size=(3, 4, 5)))
    x[0, 0, :3] = torch.tensor([0.0, -0.0, 1e-300])
    upstream = torch.from_numpy(rng.normal(size=(3, 4, 5)))
    results = []
    for layer in (PReLU(init=slope).double(), nn.PReLU(init=slope).double()):
        own = x.clone().requires_grad_()
        y = layer(own)
        y.backward(upstream)
        assert layer.weight.grad.shape == (1,)
        results.append((y.detach(), own.grad, layer.weight.grad))
        assert torch.equal(own.detach(), x)
    for entry, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(entry, wanted, rtol=1e-13)


def test_prelu_against_differences(rng):
    x = torch.from_numpy(np.sign(rng.normal(size=(4, 3))) * rng.uniform(0.1, 2, size=(4, 3))).requires_grad_()
    for slope in (0.25, -0.5):
        weight = torch.tensor([slope], dtype=torch.float64, requires_grad=True)
        layer = PReLU().double()
        assert torch.autograd.gradcheck(
            lambda x, weight, layer=layer: torch.func.functional_call(layer, {"weight": weight}, (x,)), (x, weight)
        )


def test_prelu_of_several_slopes(rng):
    layer, own = nn.PReLU(5).double(), PReLU(5).double()
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 1, 5))
        own.weight.copy_(layer.weight)
    x = torch.from_numpy(rng.normal(size=(7, 5)))
    assert torch.equal(own(x), layer(x))


def test_prelu_of_nothing():
    layer = PReLU()
    layer(torch.zeros(0, 3)).sum().backward()
    assert layer.weight.grad.tolist() == [0]


def test_mlp_has_a_prelu_between_two_layers(rng):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        mlp = MLP([3, 8, 6, 2]).double()
    slopes = [layer for layer in mlp.layers if isinstance(layer, nn.PReLU)]
    linear = [layer for layer in mlp.layers if isinstance(layer, nn.Linear)]
    assert (len(linear), len(slopes)) == (3, 2)
    with torch.no_grad():
        for layer, slope in zip(slopes, (0.1, -0.4), strict=True):
            layer.weight.fill_(slope)
    x = rng.normal(size=(4, 5, 3))
    h = x
    for i, layer in enumerate(linear):
        if i:
            h = np.where(h > 0, h, (0.1, -0.4)[i - 1] * h)
        h = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(mlp(torch.from_numpy(x)).detach().numpy(), h, rtol=1e-12)


def test_mlp_of_one_layer_and_of_none():
    assert len(MLP([3, 2]).layers) == 1
    x = torch.ones(2, 3)
    assert torch.equal(MLP([3])(x), x)
