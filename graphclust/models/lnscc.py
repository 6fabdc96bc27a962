r"""LNSCC: soft contrastive learning on a locally normalized graph, and a clustering head that trains itself.

A, shape (n, n), holds the affinities of neighbours (`graphclust.kernels.neighbors.locally_normalized`, eqs. 1 and 2).
With O_ij = exp(-d(z_i, z_j)) between embedded points (eq. 4), the losses of the three phases are

    L_im  = - sum_{E im+} log O - sum_{E im-} log (1 - O)      boundaries,      eq. (9)
    L_ba  = - sum_{E ba} log O                                 interiors,       eq. (13)
    L_dis = - sum_{E dis} log (1 - O)                          the unconnected, eq. (17)

over data sets in which an edge stands as often as Q says (eqs. 6 and 11),

    Q im+ = floor(alpha A_max / (1 - A)),   Q im- = floor((1 - A)_max / A),   Q ba = floor(A / A_mean),

and |E dis| = beta |E im+| pairs drawn among those without an edge (eq. 16); of points that have some, since the
others are never drawn. Here no edge is repeated. A step draws B edges by their total Q, embeds their nodes once, and
takes each edge in all its roles, weighted by its share of each; the same nodes, paired with each other, make the
unconnected pairs, weighted so that all of these count alike. What is expected is the sum of the losses above over the
number of repeated edges; 2 B nodes are embedded at most, in the place of some 20 B.

(1 - A)_max is 1, since no point is its own neighbour. A_mean is over the edges. Where A is nearly 1, as for nodes with
one neighbour, 1 - A counts as `_LEAST`; where it is nearly 0, as for points that have to look for neighbours in another
cluster, A counts as `_FAINTEST` times the mean.

Ma & Kim, "Locally normalized soft contrastive clustering for compact clusters", IJCAI 2022.

Symbols: points n, edges m, batch B, clusters K.

| LNSCC | here | as printed? |
|---|---|---|
| 3 | `Quantities` | as printed; the scores are not stored |
| 4 | `distance`, `log_separation` | as printed; Euclidean |
| 5, 10, 11 | `Quantities.of` | as printed; A_mean over the edges |
| 6 | `Quantities.of` | as printed; floors on the denominators |
| 6 | `Quantities.sized` | not in the paper |
| 7, 8, 12 | `Contrast.draw` | as printed in expectation |
| 9, 13 | `Quantities.loss` | as printed in expectation: means in place of sums |
| 9, 14, 15, 17 | `Contrast.loss` | as printed in expectation |
| 16 | `Contrast` | as printed in expectation: a weight |
| 18, Ū | `clustering_loss` | as printed; over the batch, the divergence as a mean |
| V | `target` | as printed; over the batch |
| 19 | `balance` | as printed |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphclust.errors import DataError

__all__ = [
    "Batch",
    "Contrast",
    "Quantities",
    "balance",
    "clustering_loss",
    "distance",
    "log_separation",
    "target",
    "worst_shift",
]

_LEAST = 0.01
_FAINTEST = 1e-4  # below what MNIST, USPS, Fashion-MNIST, Reuters or citation graphs have
_EDGES = 1 << 14  # whose ends are looked up at once
_PROBE = 0.1  # of the radius: where the gradient of a divergence is taken, which is 0 at the point itself
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
        Q im+, Q im- and Q ba: whole numbers, until they are sized.
    """

    attract: Tensor
    repel: Tensor
    contract: Tensor

    @classmethod
    def of(cls, affinity: Tensor, alpha: float = 2.0) -> Quantities:
        """Compute them.

        Parameters
        ----------
        affinity : Tensor of float64, shape (m,)
            A of each edge, in [0, 1], not all 0.
        alpha : float

        Examples
        --------
        >>> q = Quantities.of(torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64))
        >>> q.attract.tolist(), q.repel.tolist(), q.contract.tolist()
        ([3.0, 2.0, 6.0], [2.0, 4.0, 1.0], [1.0, 0.0, 1.0])
        """
        rest = (1 - affinity).clamp_min(_LEAST)
        attract = torch.floor(alpha * affinity.max() / rest)
        mean = affinity.mean()
        repel = torch.floor(1 / affinity.clamp_min(_FAINTEST * mean))
        contract = torch.floor(affinity / mean)
        return cls(attract, repel, contract)

    def sized(self, repulsion: float | None, contraction: float | None) -> Quantities:
        """Return them with |E im-| and |E ba| scaled to multiples of |E im+|; None leaves a set as it is.

        Examples
        --------
        >>> q = Quantities.of(torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64)).sized(1.0, None)
        >>> q.repel.sum() == q.attract.sum(), q.contract.tolist()
        (tensor(True), [1.0, 0.0, 1.0])
        """

        def scaled(one: Tensor, share: float | None) -> Tensor:
            return one if share is None else one * (share * self.attract.sum() / one.sum().clamp_min(1))

        return Quantities(self.attract, scaled(self.repel, repulsion), scaled(self.contract, contraction))

    def to(self, device: torch.device | None) -> Quantities:
        """Return them on a device."""
        return Quantities(self.attract.to(device), self.repel.to(device), self.contract.to(device))

    @property
    def total(self) -> Tensor:
        """Sum of the three, shape (m,)."""
        return self.attract + self.repel + self.contract

    @property
    def drawn(self) -> Tensor:
        """What edges are drawn by, shape (m,): the sum, at least 1, so that all points are seen."""
        return self.total.clamp_min(1)

    def loss(self, d: Tensor, edges: Tensor) -> Tensor:
        """Return the terms of L_im + L_ba of edges that were drawn with probability drawn / sum(drawn).

        Their mean times sum(drawn) is the sum of both losses over all repeated edges.

        Parameters
        ----------
        d : Tensor, shape (B,)
            Distances of the ends.
        edges : Tensor of int64, shape (B,)

        Returns
        -------
        Tensor, shape (B,)
        """
        batch = Quantities(self.attract[edges], self.repel[edges], self.contract[edges])
        drawn = batch.drawn
        near = ((batch.attract + batch.contract) / drawn).to(d.dtype)
        far = (batch.repel / drawn).to(d.dtype)
        return near * d - far * log_separation(d)


@dataclass(frozen=True)
class Batch:
    """Edges of a step.

    Attributes
    ----------
    edges : Tensor of int64, shape (B,)
    nodes : Tensor of int64, shape (at most 2 B,)
        The distinct ends, to be embedded.
    place : Tensor of int64, shape (2 B,)
        Where in `nodes` the ends stand: one of each edge, then the other of each.
    """

    edges: Tensor
    nodes: Tensor
    place: Tensor


class Contrast:
    """The losses L_im + L_ba + L_dis of a graph, batch by batch.

    Parameters
    ----------
    affinity : scipy.sparse array of float64, shape (n, n)
        A: symmetric, entries in (0, 1], at least one.
    alpha, beta : float
    phases : three bool
        Whether L_im, L_ba and L_dis take part (table 4).
    device : torch.device, optional
    partners : int
        Unconnected pairs tried for each end.
    repulsion, contraction : float, optional
        See `Quantities.sized`.

    Attributes
    ----------
    quantities : Quantities
    ends : Tensor of int64, shape (2, m)

    Raises
    ------
    DataError
        By the floor, no edge is left in any data set.
    """

    def __init__(
        self,
        affinity: Any,
        alpha: float = 2.0,
        beta: float = 5.0,
        phases: Sequence[bool] = (True, True, True),
        device: torch.device | None = None,
        partners: int = 4,
        repulsion: float | None = None,
        contraction: float | None = None,
    ) -> None:
        n = affinity.shape[0]
        entries = affinity.tocoo()
        upper = entries.row < entries.col
        ends = torch.as_tensor(np.stack((entries.row[upper], entries.col[upper])).astype(np.int64))
        self.n, self.partners, self._device = n, partners, device
        value = torch.as_tensor(entries.data[upper], dtype=torch.float64)
        whole = Quantities.of(value, alpha).sized(repulsion, contraction)
        quantities = Quantities(whole.attract * phases[0], whole.repel * phases[0], whole.contract * phases[1])
        repeated = float(quantities.total.sum())
        if not repeated:
            raise DataError(f"no edge is left in the data sets of the phases: alpha = {alpha:g} is too small for them")
        drawn = quantities.drawn
        self._sum, self._drawn_from = torch.cumsum(drawn, 0), ends  # edges are drawn on the CPU
        self._joined = float(self._sum[-1]) / repeated
        degree = torch.zeros(n, dtype=torch.float64).index_add_(0, ends[0], drawn).index_add_(0, ends[1], drawn)
        linked = int((degree > 0).sum())
        rarity = (2 * self._sum[-1] / (linked * degree)).float()  # 1 over how often a node is drawn, on average 1
        self.ends, self.quantities, self._rarity = ends.to(device), quantities.to(device), rarity.to(device)
        self._keys = torch.sort(ends[0] * n + ends[1]).values.to(device)
        unconnected = 1 - 1 / linked - 2 * len(value) / linked**2
        attract = float(whole.attract.sum())  # |E im+| where L_im is left out, too
        self._apart = beta * attract / repeated / unconnected if phases[2] and unconnected > 0.5 / linked**2 else 0.0

    def reach(self, x: Tensor) -> Tensor:
        """Return the mean distance of points, shape (n, d), to their neighbours in the graph, shape (n,)."""
        total, number = torch.zeros(2, self.n, device=x.device, dtype=x.dtype)
        for one, other in zip(self.ends[0].split(_EDGES), self.ends[1].split(_EDGES), strict=True):
            d = distance(x[one], x[other])
            for end in (one, other):
                total.index_add_(0, end, d)
                number.index_add_(0, end, torch.ones_like(d))
        return total / number.clamp_min(1)

    def draw(self, size: int, generator: torch.Generator) -> Batch:
        """Draw B edges with replacement by their quantities, in either direction; generator of the CPU.

        All is drawn and looked up on the CPU, and only the batch is sent to the device: the number of distinct nodes
        depends on what was drawn, so that on a GPU every step would wait for it.
        """
        at = torch.rand(size, dtype=torch.float64, generator=generator) * self._sum[-1]
        edges = torch.searchsorted(self._sum, at, right=True).clamp_max(len(self._sum) - 1)
        swap = torch.rand(size, generator=generator) < 0.5
        one, other = self._drawn_from[:, edges]
        both = torch.cat((torch.where(swap, other, one), torch.where(swap, one, other)))
        nodes, place = torch.unique(both, return_inverse=True)
        return Batch(_sent(edges, self._device), _sent(nodes, self._device), _sent(place, self._device))

    def loss(self, z: Tensor, batch: Batch, generator: torch.Generator) -> Tensor:
        """Estimate the sum of the losses over the number of repeated edges, without bias.

        Parameters
        ----------
        z : Tensor, shape (number of nodes of the batch, d)
            Embedded nodes.
        batch : Batch
        generator : Generator
            Of the CPU: it draws who is paired with whom.

        Returns
        -------
        Tensor, shape ()
        """
        size = len(batch.edges)
        placed = z[batch.place]
        terms = self.quantities.loss(distance(placed[:size], placed[size:]), batch.edges)
        found = self._joined * terms.mean()
        if not self._apart or size < 2:
            return found
        ends = batch.nodes[batch.place]
        drawn = torch.randperm(2 * size - 1, generator=generator)[: self.partners + 1] + 1
        shifts = [shift for shift in drawn.tolist() if shift != size][: self.partners]  # `size`: the edges themselves
        apart = z.new_zeros(())
        for shift in shifts:
            other = ends.roll(shift)
            key = torch.minimum(ends, other) * self.n + torch.maximum(ends, other)
            at = torch.searchsorted(self._keys, key).clamp_max(len(self._keys) - 1)
            joined = (self._keys[at] == key) | (ends == other)
            weight = torch.where(joined, 0.0, self._rarity[ends] * self._rarity[other])
            apart = apart - (weight * log_separation(distance(placed, placed.roll(shift, 0)))).mean()
        return found + self._apart * apart / len(shifts)


def _sent(tensor: Tensor, device: torch.device | None) -> Tensor:
    """Return a tensor of the CPU on a device, without waiting for it."""
    if device is None or device.type == "cpu":
        return tensor
    page_locked = tensor.pin_memory() if torch.cuda.is_available() else tensor  # else the copy is not asynchronous
    return page_locked.to(device, non_blocking=True)


def target(u: Tensor, prior: Tensor | None = None) -> Tensor:
    """Sharpened assignments V of eq. (18): squares over the size of their cluster, rows adding up to 1.

    Parameters
    ----------
    u : Tensor, shape (B, K)
        Probabilities.
    prior : Tensor, shape (K,), optional
        Shares that clusters are expected to have: sizes are then measured by these, for over equal sizes alone, the
        sharpening draws points from large clusters into small ones.

    Examples
    --------
    >>> target(torch.tensor([[0.5, 0.5], [0.9, 0.1]])).round(decimals=3)
    tensor([[0.3000, 0.7000],
            [0.9720, 0.0280]])
    """
    weight = u.square() / u.sum(0).clamp_min(1e-12)
    if prior is not None:
        weight = weight * prior
    return weight / weight.sum(1, keepdim=True).clamp_min(1e-12)


def clustering_loss(log_u: Tensor, gamma: float, prior: Tensor | None = None, log_told: Tensor | None = None) -> Tensor:
    """KL(V || U), the mean over points, and how uneven clusters are, eq. (18).

    Parameters
    ----------
    log_u : Tensor, shape (B, K)
        Logarithms of probabilities.
    gamma : float
        Weight of sum_k U_k log U_k, U_k being the mean over points; where the prior is known, of KL(U || prior).
    prior : Tensor, shape (K,), optional
    log_told : Tensor, shape (B, K), optional
        What V is made from: the same where points are seen as they are, and U where they are disturbed. Without it, U.

    Returns
    -------
    Tensor, shape ()

    Examples
    --------
    >>> clustering_loss(torch.log(torch.tensor([[0.5, 0.5], [0.5, 0.5]])), 1.0).round(decimals=4)
    tensor(-0.6931)
    """
    v = target((log_u if log_told is None else log_told).detach().exp(), prior)
    divergence = (v * (v.clamp_min(1e-12).log() - log_u)).sum(1).mean()
    mean = log_u.exp().mean(0).clamp_min(1e-12)
    uneven = mean * (mean.log() if prior is None else mean.log() - prior.clamp_min(1e-12).log())
    return divergence + gamma * uneven.sum()


def worst_shift(
    log_of: Callable[[Tensor], Tensor], x: Tensor, log_u: Tensor, radius: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the shift of each point, of a given length, that changes its probabilities most; to first order.

    One step of the power method from a random direction (virtual adversarial training, Miyato et al. 2018; for
    clusterings, Hu et al. 2017).

    Parameters
    ----------
    log_of : callable
        Points, shape (B, d), to logarithms of probabilities, shape (B, K).
    x : Tensor, shape (B, d)
    log_u : Tensor, shape (B, K)
        `log_of(x)`, detached.
    radius : Tensor, shape (B,)
        Lengths.
    generator : Generator
        Of the device of the points.

    Returns
    -------
    Tensor, shape (B, d)
        Detached.
    """
    drawn = torch.empty_like(x).normal_(generator=generator)
    probe = (_PROBE * radius[:, None] * drawn / drawn.norm(dim=1, keepdim=True).clamp_min(1e-12)).requires_grad_()
    away = -(log_u.exp() * log_of(x + probe)).sum()
    (gradient,) = torch.autograd.grad(away, probe)
    return radius[:, None] * gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)


def balance(step: int, delta: float = 0.05, limit: float = 5.0) -> float:
    """Weight eta of the clustering loss in an iteration, counted from 0, eq. (19).

    Examples
    --------
    >>> [balance(step) for step in (0, 10, 1000)]
    [0.0, 0.5, 5.0]
    """
    return min(delta * step, limit)
