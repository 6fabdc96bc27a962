"""The contrastive loss of section 4.2, and the autoencoder."""

from __future__ import annotations

import numpy as np
import torch

from graphclust.models.siamese import DeepAutoencoder, contrastive_loss
from tests import oracles


def test_contrastive_loss_is_that_of_the_paper(rng):
    v, w = (torch.as_tensor(0.4 * rng.normal(size=(50, 3))) for _ in range(2))
    positive = torch.as_tensor(rng.random(50) < 0.5)
    wanted = [oracles.contrastive_loss(*pair) for pair in zip(v.tolist(), w.tolist(), positive.tolist(), strict=True)]
    np.testing.assert_allclose(contrastive_loss(v, w, positive), wanted, atol=1e-12)


def test_autoencoder_learns(rng):
    x = torch.as_tensor(rng.normal(size=(64, 2)) @ rng.normal(size=(2, 9)), dtype=torch.float32)
    coder = DeepAutoencoder(9, (16,), 2, torch.Generator().manual_seed(0))
    assert coder.encode(x).shape == (1, 64, 2)
    optimizer = torch.optim.Adam(coder.parameters(), 0.01)
    first = coder.loss(x).mean().item()
    for _ in range(200):
        optimizer.zero_grad()
        coder.loss(x).mean().backward()
        optimizer.step()
    assert all((p.grad != 0).any() for p in coder.parameters())
    assert coder.loss(x).mean().item() < 0.3 * first
