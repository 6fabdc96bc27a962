r"""Embeddings in which near points are nearer: an autoencoder's code, and a Siamese network with the contrastive loss.

CNC clusters the graph of nearest neighbours in the space of a Siamese network G, which has learned from pairs of
points: the positive ones are nearest neighbours, the negative ones are drawn at random. With v = G(x), the loss of a
pair is (section 4.2)

    |v_i - v_j|^2                           for a positive pair,
    max(1 - |v_i - v_j|^2, 0)^2             for a negative one.

Beyond the paper, the cross-entropy of the pairs under q = 1 / (1 + |v_i - v_j|^2), the probability that two points are
neighbours (t-SNE's kernel; UMAP's loss, McInnes et al. 2018; by a network, Sainburg et al. 2021):

    - log q                                   for a positive pair,
    - log (1 - q)                             for a negative one.

It has no margin beyond which points do not see each other, so it leaves gaps between dense regions and spreads points
evenly within them. In a graph of nearest neighbours in its space a cut through such a region costs much, and one
between two of them little, which is what a normalized cut needs; in the contrastive space it may be the other way
round.

Images are first brought into the code space of an autoencoder, whose loss is the squared error of what comes out. Both
networks keep the leading axis of `ParallelMLP`.

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

_NEAR = 1e-3  # squared distance added to negative pairs: at 0 their loss is infinite


def contrastive_loss(v: Tensor, w: Tensor, positive: Tensor) -> Tensor:
    """Contrastive loss of pairs.

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
    """Cross-entropy of pairs, of which a share 1 / (1 + squared distance) is expected to be positive.

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
    return torch.where(positive, distance, (distance + _NEAR).reciprocal()).log1p()


class DeepAutoencoder(nn.Module):
    """Layers down to a code, and back in the opposite order.

    Parameters
    ----------
    d : int
        Features.
    hidden : sequence of int
    n_code : int
    generator : Generator, optional
        Of the CPU.

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

    def loss(self, x: Tensor, hidden_share: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """Mean squared error a feature of what comes out.

        Parameters
        ----------
        x : Tensor, shape (n, d)
        hidden_share : float
            Of the features that are set to 0 before they go in (a denoising autoencoder, Vincent et al. 2008).
        generator : Generator, optional

        Returns
        -------
        Tensor, shape (1, n)
        """
        seen = x
        if hidden_share:
            seen = x * (torch.rand(x.shape, generator=generator, device=x.device) >= hidden_share)
        return (self.decoder(self.encoder(seen)) - x).square().mean(-1)
