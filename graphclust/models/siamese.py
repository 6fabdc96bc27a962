r"""Learned embeddings of points: the code of an autoencoder, and a Siamese network with the contrastive loss.

CNC clusters the graph of nearest neighbours in the space of a Siamese network G, which is trained on pairs of points.
Positive pairs are nearest neighbours, negative pairs are drawn at random. With v = G(x), the loss of a
pair is (section 4.2)

    |v_i - v_j|^2                           for a positive pair,
    max(1 - |v_i - v_j|^2, 0)^2             for a negative one.

Beyond the paper, the cross-entropy of the pairs under q = 1 / (1 + |v_i - v_j|^2), the probability that two points are
neighbours (t-SNE's kernel; UMAP's loss, McInnes et al. 2018; by a network, Sainburg et al. 2021):

    - log q                                   for a positive pair,
    - log (1 - q)                             for a negative one.

This loss has no margin beyond which points do not affect each other, so it leaves gaps between dense regions and
spreads points evenly within them. In a graph of nearest neighbours in this space, a cut through a dense region is
expensive and a cut between two of them cheap, as a normalized cut requires. In the contrastive space the opposite may
hold.

Images are first mapped to the code space of an autoencoder, whose loss is the squared error of its output. Both
networks have the leading axis of `ParallelMLP`.

Nazi et al. 2019; Hadsell, Chopra & LeCun 2006; Shaham et al., "SpectralNet", ICLR 2018.

| CNC | here | as printed? |
|---|---|---|
| contrastive | `contrastive_loss` | as printed |
| Alg. 1 line 3 | `cross_entropy_loss` | not in the paper |
| sec. 5.1 | `DeepAutoencoder` | the paper takes published autoencoders |
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graphclust.nn.parallel import ParallelMLP

__all__ = ["DeepAutoencoder", "contrastive_loss", "cross_entropy_loss"]

_MIN_DISTANCE = 1e-3  # added to the squared distance of negative pairs, whose loss is infinite at distance 0


def contrastive_loss(v: Tensor, w: Tensor, positive: Tensor) -> Tensor:
    """Return the contrastive loss of pairs.

    Parameters
    ----------
    v, w : Tensor, shape (..., d)
    positive : Tensor of bool, shape (...)

    Returns
    -------
    Tensor, shape (...)

    Examples
    --------
    >>> v, w = torch.zeros(2, 2), torch.tensor([[0.6, 0.0], [0.6, 0.0]])
    >>> contrastive_loss(v, w, torch.tensor([True, False])).round(decimals=4)
    tensor([0.3600, 0.4096])
    """
    distance = (v - w).square().sum(-1)
    return torch.where(positive, distance, (1 - distance).clamp_min(0).square())


def cross_entropy_loss(v: Tensor, w: Tensor, positive: Tensor) -> Tensor:
    """Return the cross-entropy of pairs under the probability 1 / (1 + squared distance) of being positive.

    Parameters
    ----------
    v, w : Tensor, shape (..., d)
    positive : Tensor of bool, shape (...)

    Returns
    -------
    Tensor, shape (...)

    Examples
    --------
    >>> v, w = torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> cross_entropy_loss(v, w, torch.tensor([True, False])).round(decimals=3)
    tensor([0.6930, 0.6930])
    """
    distance = (v - w).square().sum(-1)
    return torch.where(positive, distance, (distance + _MIN_DISTANCE).reciprocal()).log1p()


class DeepAutoencoder(nn.Module):
    """Autoencoder whose decoder has the layers of the encoder in reverse order.

    Parameters
    ----------
    d : int
        Number of input features.
    hidden : sequence of int
        Sizes of the hidden layers of the encoder.
    n_code : int
        Dimension of the code.
    generator : Generator, optional
        A generator on the CPU.

    Examples
    --------
    >>> coder = DeepAutoencoder(6, (8, 4), 2)
    >>> coder.loss(torch.zeros(5, 6)).shape
    torch.Size([1, 5])
    """

    def __init__(
        self,
        d: int,
        hidden: Sequence[int] = (500, 500, 2000),
        n_code: int = 10,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.encoder = ParallelMLP((d, *hidden, n_code), generator=generator)
        self.decoder = ParallelMLP((n_code, *reversed(hidden), d), generator=generator)

    def encode(self, x: Tensor) -> Tensor:
        """Return the code of points, shape (1, n, n_code)."""
        return self.encoder(x)

    def loss(self, x: Tensor) -> Tensor:
        """Return the mean squared error of the output per feature.

        Parameters
        ----------
        x : Tensor, shape (n, d)

        Returns
        -------
        Tensor, shape (1, n)
        """
        return (self.decoder(self.encoder(x)) - x).square().mean(-1)
