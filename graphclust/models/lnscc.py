r"""LNSCC: soft contrastive learning on a locally normalized graph, and a clustering head that trains itself.

A, shape (n, n), holds the affinities of neighbours (`graphclust.neighbors.locally_normalized`, eqs. 1 and 2). With
O_ij = exp(-d(z_i, z_j)) between embedded points (eq. 4), the losses of the three phases are

    L_im  = - sum_{E im+} log O - sum_{E im-} log (1 - O)      boundaries,      eq. (9)
    L_ba  = - sum_{E ba} log O                                 interiors,       eq. (13)
    L_dis = - sum_{E dis} log (1 - O)                          the unconnected, eq. (17)

over data sets in which an edge stands as often as Q says (eqs. 6 and 11),

    Q im+ = floor(alpha A_max / (1 - A)),   Q im- = floor((1 - A)_max / A),   Q ba = floor(A / A_mean),

and |E dis| = beta |E im+| pairs drawn among those without an edge (eq. 16). Here no edge is repeated: a step draws some
by their total Q, embeds their nodes once, and takes each edge in all three roles, weighted by its
share of each; the same nodes, paired with each other, are the unconnected pairs, weighted so that all of these count
alike. The expectation is that of the sums above over |E|, the number of repeated edges, with far less to embed.

(1 - A)_max is 1, since no point is its own neighbour. A_mean is over the edges. Where A is nearly 1, as for nodes with
one neighbour, 1 - A counts as `_LEAST`.

Ma & Kim, "Locally normalized soft contrastive clustering for compact clusters", IJCAI 2022.

Symbols: points n, edges m, batch B, clusters K.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Quantities", "balance", "clustering_loss", "distance", "log_separation", "target"]

_LEAST = 0.01
_NEAR = 1e-8  # added to squared distances: the gradient of a distance of 0 is then 0


def distance(v: Tensor, w: Tensor) -> Tensor:
    """Euclidean distance of points, shape (..., d) to (...); differentiable where they coincide.

    Examples
    --------
    >>> distance(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))
    tensor([5.])
    """
    return ((v - w).square().sum(-1) + _NEAR).sqrt()


def log_separation(d: Tensor) -> Tensor:
    """Return log(1 - exp(-d)) without cancellation, for d > 0.

    Examples
    --------
    >>> log_separation(torch.tensor([1e-8, 100.0])).round(decimals=4)
    tensor([-18.4207,   0.0000])
    """
    return torch.log(-torch.expm1(-d))


@dataclass(frozen=True)
class Quantities:
    """How often the edges of a graph stand in the data sets of the phases, eqs. (6) and (11).

    Attributes
    ----------
    attract, repel, contract : Tensor of float64, shape (m,)
        Q im+, Q im- and Q ba: whole numbers.
    """

    attract: Tensor
    repel: Tensor
    contract: Tensor

    @classmethod
    def of(cls, affinity: Tensor, alpha: float = 2.0, phases: tuple[bool, bool] = (True, True)) -> Quantities:
        """Compute them.

        Parameters
        ----------
        affinity : Tensor of float64, shape (m,)
            A of each edge, in (0, 1].
        alpha : float
        phases : pair of bool
            Whether L_im and L_ba take part (table 4).

        Examples
        --------
        >>> q = Quantities.of(torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64))
        >>> q.attract.tolist(), q.repel.tolist(), q.contract.tolist()
        ([3.0, 2.0, 6.0], [2.0, 4.0, 1.0], [1.0, 0.0, 1.0])
        """
        rest = (1 - affinity).clamp_min(_LEAST)
        attract = torch.floor(alpha * affinity.max() / rest)
        repel = torch.floor(1 / affinity)
        contract = torch.floor(affinity / affinity.mean())
        return cls(attract * phases[0], repel * phases[0], contract * phases[1])

    @property
    def total(self) -> Tensor:
        """Sum of the three, shape (m,)."""
        return self.attract + self.repel + self.contract

    def loss(self, d: Tensor, edges: Tensor) -> Tensor:
        """Return the terms of L_im + L_ba of edges that were drawn with probability total / sum(total).

        Their mean is the sum of both losses over all repeated edges, divided by the number of these.

        Parameters
        ----------
        d : Tensor, shape (B,)
            Distances of the ends.
        edges : Tensor of int64, shape (B,)

        Returns
        -------
        Tensor, shape (B,)
        """
        share = ((self.attract + self.contract)[edges] / self.total[edges]).to(d.dtype)
        return share * d - (1 - share) * log_separation(d)


def target(u: Tensor) -> Tensor:
    """Sharpened assignments V of eq. (18): squares over the size of their cluster, rows adding up to 1.

    Parameters
    ----------
    u : Tensor, shape (B, K)
        Probabilities.

    Examples
    --------
    >>> target(torch.tensor([[0.5, 0.5], [0.9, 0.1]])).round(decimals=3)
    tensor([[0.3000, 0.7000],
            [0.9720, 0.0280]])
    """
    weight = u.square() / u.sum(0).clamp_min(1e-12)
    return weight / weight.sum(1, keepdim=True).clamp_min(1e-12)


def clustering_loss(log_u: Tensor, gamma: float, prior: Tensor | None = None) -> Tensor:
    """KL(V || U), the mean over points, and how uneven clusters are, eq. (18).

    Parameters
    ----------
    log_u : Tensor, shape (B, K)
        Logarithms of probabilities.
    gamma : float
        Weight of sum_k U_k log U_k, U_k being the mean over points; where the prior is known, of KL(U || prior).
    prior : Tensor, shape (K,), optional

    Returns
    -------
    Tensor, shape ()

    Examples
    --------
    >>> clustering_loss(torch.log(torch.tensor([[0.5, 0.5], [0.5, 0.5]])), 1.0).round(decimals=4)
    tensor(-0.6931)
    """
    u = log_u.exp()
    v = target(u).detach()
    divergence = (v * (v.clamp_min(1e-12).log() - log_u)).sum(1).mean()
    mean = u.mean(0).clamp_min(1e-12)
    uneven = mean * (mean.log() if prior is None else mean.log() - prior.clamp_min(1e-12).log())
    return divergence + gamma * uneven.sum()


def balance(step: int, delta: float = 0.05, limit: float = 5.0) -> float:
    """Weight eta of the clustering loss in an iteration, counted from 0, eq. (19).

    Examples
    --------
    >>> [balance(step) for step in (0, 10, 1000)]
    [0.0, 0.5, 5.0]
    """
    return min(delta * step, limit)
