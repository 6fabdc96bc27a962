"""Padded batches, and their nodes without the padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from graphclust.nn.batch import Batch, Packing


def test_of_arrays(rng):
    features, labels = rng.normal(size=(2, 4, 3)), np.array([[0, 1, 0, 1], [0, 0, -1, -1]])
    adjacency = np.ones((2, 4, 4), dtype=bool)
    batch = Batch.of(features, np.array([4, 2]), adjacency, labels)
    assert len(batch) == 2
    assert batch.x.dtype == torch.float32
    np.testing.assert_allclose(batch.x, features, rtol=1e-6)
    assert batch.mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert batch.adjacency.dtype == torch.bool
    assert batch.labels.dtype == torch.int64
    np.testing.assert_array_equal(batch.labels, labels)
    assert batch.known is None
    points = Batch.of(features, np.array([4, 2]))
    assert points.adjacency is None
    assert points.labels is None


@pytest.fixture
def batch_of_all():
    batch = Batch.of(np.zeros((1, 2, 3)), np.array([2]), np.zeros((1, 2, 2), dtype=bool), np.zeros((1, 2)))
    return replace(batch, known=torch.ones(1, 2, dtype=torch.int64))


@pytest.mark.parametrize(
    "how", [((torch.float64,), {}), (("cpu", torch.float64), {}), ((), {"dtype": torch.float64})], ids=str
)
def test_a_type_concerns_the_features_only(how, batch_of_all):
    args, options = how
    types = [tensor.dtype for tensor in vars(batch_of_all.to(*args, **options)).values()]
    assert types == [torch.float64, torch.bool, torch.bool, torch.int64, torch.int64]


@pytest.mark.parametrize("how", [(("meta",), {}), ((), {"device": "meta"})], ids=str)
def test_a_device_concerns_all(how, batch_of_all):
    args, options = how
    moved = vars(batch_of_all.to(*args, **options)).values()
    assert {tensor.device.type for tensor in moved} == {"meta"}
    assert [tensor.dtype for tensor in moved] == [tensor.dtype for tensor in vars(batch_of_all).values()]


@pytest.mark.parametrize("sizes", [(4, 2, 3), (4, 4), (1,), (1, 4)], ids=str)
def test_packing_and_back(sizes, rng):
    width = max(sizes)
    mask = torch.arange(width) < torch.tensor(sizes)[:, None]
    x = torch.from_numpy(rng.normal(size=(len(sizes), width, 3))).requires_grad_()
    packing = Packing(mask)
    nodes = packing.pack(x)
    assert torch.equal(nodes, x[mask])
    back = packing.unpack(2 * nodes)
    assert torch.equal(back, 2 * x * mask[..., None])
    back.sum().backward()
    assert torch.equal(x.grad, (2.0 * mask[..., None]).expand_as(x).double())
