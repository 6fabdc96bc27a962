"""Silhouettes of many clusterings at once, against scikit-learn's of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from graphclust.models import silhouette as module
from graphclust.models.silhouette import Silhouette


@pytest.mark.parametrize("held", [10_000, 10])
def test_is_that_of_scikit_learn(rng, monkeypatch, held):
    monkeypatch.setattr(module, "_MAX_STORED", held)
    monkeypatch.setattr(module, "_ROWS", 64)
    x = rng.normal(size=(200, 3)) + 5
    labels = rng.integers(0, 6, size=(4, 200))
    labels[1] = np.where(labels[1] == 3, 0, labels[1])  # an empty cluster
    labels[2, 0], labels[2, 1:] = 5, labels[2, 1:] % 5  # one point alone
    actual = Silhouette(torch.as_tensor(x))(torch.as_tensor(labels), 6)
    np.testing.assert_allclose(actual, [silhouette_score(x, label) for label in labels], atol=1e-9)


def test_equal_points_and_one_cluster():
    x = torch.zeros(4, 2)
    actual = Silhouette(x)(torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0]]), 2)
    assert float(actual[0]) == 0
    assert bool(actual[1].isnan())
