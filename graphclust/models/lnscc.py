r"""LNSCC: soft contrastive learning on a locally normalized graph, and a self-trained clustering head.

A, shape (n, n), holds the affinities of neighbours (`graphclust.kernels.neighbors.locally_normalized`, eqs. 1 and 2).
With O_ij = exp(-d(z_i, z_j)) between embedded points (eq. 4), the losses of the three phases are

    L_im  = - sum_{E im+} log O - sum_{E im-} log (1 - O)      boundaries,      eq. (9)
    L_ba  = - sum_{E ba} log O                                 interiors,       eq. (13)
    L_dis = - sum_{E dis} log (1 - O)                          the unconnected, eq. (17)

over data sets in which each edge is repeated Q times (eqs. 6 and 11),

    Q im+ = floor(alpha A_max / (1 - A)),   Q im- = floor((1 - A)_max / A),   Q ba = floor(A / A_mean),

and |E dis| = beta |E im+| pairs are drawn from the pairs without an edge (eq. 16), of points that have edges, since no
other points are drawn. Here no edge is repeated. A step draws B edges by their total Q, embeds their nodes once, and
uses each edge in all three sets, weighted by its share of each. The same nodes, paired with each other, give the
unconnected pairs, weighted so that all of these count equally. The expected value is the sum of the losses above,
divided by the number of repeated edges. At most 2 B nodes are embedded instead of some 20 B.

(1 - A)_max is 1, since no point is its own neighbour. A_mean is over the edges. If A is nearly 1, as for nodes with one
neighbour, 1 - A is replaced by `_MIN_DISSIMILARITY`. If A is nearly 0, as for points whose nearest neighbours are in
another cluster, A is replaced by `_MIN_RELATIVE_AFFINITY` times the mean.

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

_MIN_DISSIMILARITY = 0.01
_MIN_RELATIVE_AFFINITY = 1e-4  # below what MNIST, USPS, Fashion-MNIST, Reuters or citation graphs have
_EDGES_PER_CHUNK = 1 << 14
_PROBE = 0.1  # share of the radius at which the gradient of a divergence is taken, since it is 0 at the point itself
_EPSILON = 1e-8  # added to squared distances, so that the gradient of a distance of 0 is 0


def distance(v: Tensor, w: Tensor) -> Tensor:
    """Return Euclidean distances, shape (...), of points, shape (..., d); differentiable also at 0.

    Examples
    --------
    >>> distance(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))
    tensor([5.])
    """
    return ((v - w).square().sum(-1) + _EPSILON).sqrt()


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
    """Number of copies of each edge in the data sets of the training phases, eqs. (6) and (11).

    Attributes
    ----------
    attract, repel, contract : Tensor of float64, shape (m,)
        Q im+, Q im- and Q ba; whole numbers before `sized`.
    """

    attract: Tensor
    repel: Tensor
    contract: Tensor

    @classmethod
    def of(cls, affinity: Tensor, alpha: float = 2.0) -> Quantities:
        """Compute the quantities from the affinities.

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
        dissimilarity = (1 - affinity).clamp_min(_MIN_DISSIMILARITY)
        attract = torch.floor(alpha * affinity.max() / dissimilarity)
        mean = affinity.mean()
        repel = torch.floor(1 / affinity.clamp_min(_MIN_RELATIVE_AFFINITY * mean))
        contract = torch.floor(affinity / mean)
        return cls(attract, repel, contract)

    def sized(self, repulsion: float | None, contraction: float | None) -> Quantities:
        """Scale |E im-| and |E ba| to multiples of |E im+|; None leaves a set as it is.

        Examples
        --------
        >>> q = Quantities.of(torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64)).sized(1.0, None)
        >>> q.repel.sum() == q.attract.sum(), q.contract.tolist()
        (tensor(True), [1.0, 0.0, 1.0])
        """

        def scaled(quantity: Tensor, multiple: float | None) -> Tensor:
            if multiple is None:
                return quantity
            return quantity * (multiple * self.attract.sum() / quantity.sum().clamp_min(1))

        return Quantities(self.attract, scaled(self.repel, repulsion), scaled(self.contract, contraction))

    def to(self, device: torch.device | None) -> Quantities:
        """Move the quantities to a device."""
        return Quantities(self.attract.to(device), self.repel.to(device), self.contract.to(device))

    @property
    def total(self) -> Tensor:
        """Sum of the three, shape (m,)."""
        return self.attract + self.repel + self.contract

    @property
    def drawn(self) -> Tensor:
        """Weights with which edges are drawn, shape (m,): the sum, at least 1, so that all points are drawn."""
        return self.total.clamp_min(1)

    def loss(self, d: Tensor, edges: Tensor) -> Tensor:
        """Return the terms of L_im + L_ba of edges that were drawn with probability drawn / sum(drawn).

        Their mean times sum(drawn) estimates the sum of both losses over all repeated edges.

        Parameters
        ----------
        d : Tensor, shape (B,)
            Distances between the ends of the edges.
        edges : Tensor of int64, shape (B,)

        Returns
        -------
        Tensor, shape (B,)
        """
        batch = Quantities(self.attract[edges], self.repel[edges], self.contract[edges])
        drawn = batch.drawn
        attraction = ((batch.attract + batch.contract) / drawn).to(d.dtype)
        repulsion = (batch.repel / drawn).to(d.dtype)
        return attraction * d - repulsion * log_separation(d)


@dataclass(frozen=True)
class Batch:
    """Edges of a training step.

    Attributes
    ----------
    edges : Tensor of int64, shape (B,)
    nodes : Tensor of int64, shape (at most 2 B,)
        The distinct ends, which are to be embedded.
    place : Tensor of int64, shape (2 B,)
        Positions in `nodes` of the first ends of the edges, then of the second ends.
    """

    edges: Tensor
    nodes: Tensor
    place: Tensor


class Contrast:
    """The losses L_im + L_ba + L_dis of a graph, estimated on batches of edges.

    Parameters
    ----------
    affinity : scipy.sparse array of float64, shape (n, n)
        A, symmetric, with entries in (0, 1] and at least one of them.
    alpha, beta : float
    phases : sequence of three bool
        Whether to include L_im, L_ba and L_dis (table 4).
    device : torch.device, optional
    partners : int
        Number of unconnected pairs tried for each end of an edge.
    repulsion, contraction : float, optional
        See `Quantities.sized`.

    Attributes
    ----------
    quantities : Quantities
    ends : Tensor of int64, shape (2, m)

    Raises
    ------
    DataError
        No edge is left in any data set, because all quantities are rounded down to 0.
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
        complete = Quantities.of(value, alpha).sized(repulsion, contraction)
        quantities = Quantities(complete.attract * phases[0], complete.repel * phases[0], complete.contract * phases[1])
        n_repeated = float(quantities.total.sum())
        if not n_repeated:
            raise DataError(f"alpha = {alpha:g} is too small: no edge is left in the data sets of the training phases")
        drawn = quantities.drawn
        self._cumulative, self._cpu_ends = torch.cumsum(drawn, 0), ends  # edges are drawn on the CPU
        self._edge_weight = float(self._cumulative[-1]) / n_repeated
        degree = torch.zeros(n, dtype=torch.float64).index_add_(0, ends[0], drawn).index_add_(0, ends[1], drawn)
        linked = int((degree > 0).sum())
        rarity = (2 * self._cumulative[-1] / (linked * degree)).float()  # inverse frequency of a node in batches
        self.ends, self.quantities, self._rarity = ends.to(device), quantities.to(device), rarity.to(device)
        self._keys = torch.sort(ends[0] * n + ends[1]).values.to(device)
        unconnected = 1 - 1 / linked - 2 * len(value) / linked**2
        attract = float(complete.attract.sum())  # |E im+|, even if L_im is left out
        has_pairs = phases[2] and unconnected > 0.5 / linked**2
        self._pair_weight = beta * attract / n_repeated / unconnected if has_pairs else 0.0

    def reach(self, x: Tensor) -> Tensor:
        """Return the mean distance, shape (n,), of points, shape (n, d), to their neighbours in the graph."""
        total, number = torch.zeros(2, self.n, device=x.device, dtype=x.dtype)
        chunks = (ends.split(_EDGES_PER_CHUNK) for ends in self.ends)
        for tail, head in zip(*chunks, strict=True):
            d = distance(x[tail], x[head])
            for end in (tail, head):
                total.index_add_(0, end, d)
                number.index_add_(0, end, torch.ones_like(d))
        return total / number.clamp_min(1)

    def draw(self, size: int, generator: torch.Generator) -> Batch:
        """Draw `size` edges with replacement by their quantities, in random directions; the generator is on the CPU.

        Drawing and looking up happen on the CPU, and only the batch is sent to the device. The number of distinct
        nodes varies, so that on a GPU every step would wait for it.
        """
        at = torch.rand(size, dtype=torch.float64, generator=generator) * self._cumulative[-1]
        edges = torch.searchsorted(self._cumulative, at, right=True).clamp_max(len(self._cumulative) - 1)
        swap = torch.rand(size, generator=generator) < 0.5
        tail, head = self._cpu_ends[:, edges]
        both = torch.cat((torch.where(swap, head, tail), torch.where(swap, tail, head)))
        nodes, place = torch.unique(both, return_inverse=True)
        return Batch(_to_device(edges, self._device), _to_device(nodes, self._device), _to_device(place, self._device))

    def loss(self, z: Tensor, batch: Batch, generator: torch.Generator) -> Tensor:
        """Estimate the sum of the losses over the number of repeated edges, without bias.

        Parameters
        ----------
        z : Tensor, shape (number of nodes of the batch, d)
            Embedded nodes.
        batch : Batch
        generator : Generator
            A generator on the CPU, which draws the unconnected pairs.

        Returns
        -------
        Tensor, shape ()
        """
        size = len(batch.edges)
        placed = z[batch.place]
        terms = self.quantities.loss(distance(placed[:size], placed[size:]), batch.edges)
        edge_loss = self._edge_weight * terms.mean()
        if not self._pair_weight or size < 2:
            return edge_loss
        ends = batch.nodes[batch.place]
        drawn = torch.randperm(2 * size - 1, generator=generator)[: self.partners + 1] + 1
        # a shift by `size` would pair the ends of the edges themselves
        shifts = [shift for shift in drawn.tolist() if shift != size][: self.partners]
        other = torch.stack([ends.roll(shift) for shift in shifts])
        key = torch.minimum(ends, other) * self.n + torch.maximum(ends, other)
        at = torch.searchsorted(self._keys, key).clamp_max(len(self._keys) - 1)
        joined = (self._keys[at] == key) | (ends == other)
        weight = torch.where(joined, 0.0, self._rarity[ends] * self._rarity[other])
        partners = torch.stack([placed.roll(shift, 0) for shift in shifts])
        return edge_loss - self._pair_weight * (weight * log_separation(distance(placed, partners))).mean()


def _to_device(tensor: Tensor, device: torch.device | None) -> Tensor:
    """Copy a tensor from the CPU to a device without waiting for it."""
    if device is None or device.type == "cpu":
        return tensor
    page_locked = tensor.pin_memory() if torch.cuda.is_available() else tensor  # needed for an asynchronous copy
    return page_locked.to(device, non_blocking=True)


def target(u: Tensor, prior: Tensor | None = None) -> Tensor:
    """Return the sharpened assignments V of eq. (18): squares divided by cluster sizes, normalised to sum to 1.

    Parameters
    ----------
    u : Tensor, shape (B, K)
        Probabilities.
    prior : Tensor, shape (K,), optional
        Expected shares of the clusters, to which sizes are then related. Without them, sharpening moves points from
        large clusters to small ones.

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


def clustering_loss(
    log_u: Tensor, gamma: float, prior: Tensor | None = None, log_clean: Tensor | None = None
) -> Tensor:
    """Return the mean of KL(V || U) over points plus a penalty for unequal cluster sizes, eq. (18).

    Parameters
    ----------
    log_u : Tensor, shape (B, K)
        Logarithms of probabilities.
    gamma : float
        Weight of the penalty: sum_k U_k log U_k with U_k the mean over points, or KL(U || prior) with a prior.
    prior : Tensor, shape (K,), optional
        Expected shares of the clusters.
    log_clean : Tensor, shape (B, K), optional
        Logarithms of the probabilities from which V is computed, if `log_u` is that of perturbed points; `log_u` by
        default.

    Returns
    -------
    Tensor, shape ()

    Examples
    --------
    >>> clustering_loss(torch.log(torch.tensor([[0.5, 0.5], [0.5, 0.5]])), 1.0).round(decimals=4)
    tensor(-0.6931)
    """
    v = target((log_u if log_clean is None else log_clean).detach().exp(), prior)
    divergence = (v * (v.clamp_min(1e-12).log() - log_u)).sum(1).mean()
    mean = log_u.exp().mean(0).clamp_min(1e-12)
    penalty = mean * (mean.log() if prior is None else mean.log() - prior.clamp_min(1e-12).log())
    return divergence + gamma * penalty.sum()


def worst_shift(
    log_u_of: Callable[[Tensor], Tensor], x: Tensor, log_u: Tensor, radius: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the shift of each point, with a given length, that changes its probabilities most.

    The shift is approximate: it takes one step of the power method from a random direction (virtual adversarial
    training, Miyato et al. 2018; for clusterings, Hu et al. 2017).

    Parameters
    ----------
    log_u_of : callable
        Maps points, shape (B, d), to logarithms of probabilities, shape (B, K).
    x : Tensor, shape (B, d)
    log_u : Tensor, shape (B, K)
        `log_u_of(x)`, detached.
    radius : Tensor, shape (B,)
        Lengths of the shifts.
    generator : Generator
        A generator on the device of the points.

    Returns
    -------
    Tensor, shape (B, d)
        Detached.
    """
    noise = torch.empty_like(x).normal_(generator=generator)
    probe = (_PROBE * radius[:, None] * noise / noise.norm(dim=1, keepdim=True).clamp_min(1e-12)).requires_grad_()
    cross_entropy = -(log_u.exp() * log_u_of(x + probe)).sum()
    (gradient,) = torch.autograd.grad(cross_entropy, probe)
    return radius[:, None] * gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)


def balance(step: int, delta: float = 0.05, limit: float = 5.0) -> float:
    """Return the weight eta of the clustering loss in iteration `step`, counted from 0, eq. (19).

    Examples
    --------
    >>> [balance(step) for step in (0, 10, 1000)]
    [0.0, 0.5, 5.0]
    """
    return min(delta * step, limit)
