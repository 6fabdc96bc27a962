r"""CNC: a network assigns points to clusters so as to minimise the expected normalized cut of their affinity graph.

W, shape (n, n), is symmetric; D = W 1; Y, shape (n, K), holds the probabilities of the clusters. The expected
normalized cut (eq. 6) is

    E = sum_k [ (D - W Y_k)^T Y_k ] / Gamma_k = K - sum_k (Y_k^T W Y_k) / Gamma_k,        Gamma = Y^T D   (eq. 5),

which needs one sparse product W Y instead of the n x n matrix (Y / Gamma)(1 - Y)^T * W. As W is symmetric, the
gradient

    dE/dY_ik = - [ 2 (W Y)_ik / Gamma_k  -  D_i (Y_k^T W Y_k) / Gamma_k^2 ]

needs no second product. For one-hot Y without empty clusters, E is the normalized cut (eq. 1). Uniform Y gives K - 1.
An empty cluster adds 1, the limit of its term as its probabilities go to 0 together. Emptying a cluster therefore
never lowers E, and does not affect the terms of the others.

Regularisation, beyond the paper, adds the same small affinity to all pairs, W + (tau / n) 1 1^T with tau a multiple of
the mean degree (Amini et al. 2013; Zhang & Rohe 2018). It makes it costly to cut off a few weakly connected nodes. Its
terms are sums over columns of Y, so that no dense matrix is needed.

Nazi et al., "Generalized Clustering by Learning to Optimize Expected Normalized Cuts", 2019. Beyond the paper: the
sparse form with its gradient, and a leading axis of `runs`, which are independent networks trained at the same time.

Symbols: runs R, points n, features d, clusters K.

| CNC | here | as printed? |
|---|---|---|
| 2, 5 | `Affinity` | as printed; a self-loop has the weight that it has in the degree |
| 4, 5, 6 | `expected_normalized_cut` | as printed; eq. (6) is a ratio of two expectations |
| Alg. 1 line 7 | `Head`, `gumbel_softmax` | as printed |
| Alg. 1 line 7 | `FreeHead` | not in the paper: logits of each node's own |
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from graphclust.nn.parallel import ParallelMLP

__all__ = ["Affinity", "FreeHead", "GraphHead", "Head", "expected_normalized_cut", "gumbel_softmax"]

_TINY = 1e-12


class Affinity:
    """A symmetric affinity matrix, ready for products.

    Parameters
    ----------
    weight : Tensor, sparse CSR or dense, shape (n, n)
        Not negative. A self-loop is a single entry, with the weight that it adds to the degree.
    regularization : float
        tau as a multiple of the mean degree.

    Attributes
    ----------
    weight : Tensor, sparse CSR or dense, shape (n, n)
    degree : Tensor, shape (n,)
        Including what regularisation adds.
    extra : Tensor of float64, shape (), or None
        tau / n; None without regularisation.

    Examples
    --------
    >>> Affinity(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).product(torch.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """

    def __init__(self, weight: Tensor, regularization: float = 0.0) -> None:
        n = weight.shape[0]
        self.weight = weight
        self.degree = (weight @ torch.ones(n, 1, dtype=weight.dtype, device=weight.device))[:, 0]
        self.extra: Tensor | None = None
        if regularization and n:
            self.extra = regularization * self.degree.mean().double() / n  # a tensor, so as not to wait for the GPU
            self.degree = self.degree + n * self.extra

    @classmethod
    def from_csr(cls, start: Tensor, end: Tensor, weight: Tensor, regularization: float = 0.0) -> Affinity:
        """Build from compressed rows: row starts (n + 1,) and columns (m,) of int64, and float weights (m,)."""
        n = len(start) - 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns that its CSR format is in beta
            return cls(torch.sparse_csr_tensor(start, end, weight, size=(n, n)), regularization)

    def product(self, y: Tensor) -> Tensor:
        """Return W Y, shape (n, columns)."""
        product: Tensor = self.weight @ y
        return product if self.extra is None else product + self.extra * y.sum(0)

    def mean(self, h: Tensor) -> Tensor:
        """Return weighted means over neighbours without regularisation, D^-1 W h; 0 for isolated nodes.

        Parameters
        ----------
        h : Tensor, shape (n, columns)
        """
        means: Tensor = _Mean.apply(h, self)  # type: ignore[no-untyped-call]
        return means


class _Mean(torch.autograd.Function):
    """D^-1 W h; its gradient is W D^-1 g, because W is symmetric."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, affinity: Affinity) -> Tensor:
        degree = affinity.degree
        if affinity.extra is not None:
            degree = degree - len(degree) * affinity.extra
        ctx.affinity, ctx.inverse_degree = affinity, torch.where(degree > _TINY, 1 / degree, 0.0)[:, None]
        sums: Tensor = affinity.weight @ h
        return sums.mul_(ctx.inverse_degree)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.affinity.weight @ (grads[0] * ctx.inverse_degree), None


class _Association(torch.autograd.Function):
    """Normalized association, sum_k (Y_k^T W Y_k) / Gamma_k, of each run; the gradient is in the module's docstring."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, affinity: Affinity) -> Tensor:
        n, runs, k = y.shape
        product = affinity.product(y.reshape(n, -1)).reshape(y.shape)
        volume = (affinity.degree @ y.reshape(n, -1)).reshape(runs, k).clamp_min(_TINY)
        inside = (y * product).sum(0)
        ctx.save_for_backward(product, volume, inside, affinity.degree)
        return (inside / volume).sum(1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        product, volume, inside, degree = ctx.saved_tensors
        grad = grads[0][:, None]
        product_factor = 2 * grad / volume
        degree_factor = grad * inside / volume.square()
        gradient = product * product_factor
        return gradient.sub_(degree[:, None, None] * degree_factor), None


def expected_normalized_cut(y: Tensor, affinity: Affinity) -> Tensor:
    """Return the expected normalized cut of assignments, eq. (6).

    Parameters
    ----------
    y : Tensor, shape (n, R, K)
        Probabilities, which sum to 1 over the clusters.
    affinity : Affinity
        Affinities of the n points.

    Returns
    -------
    Tensor, shape (R,)
        In [0, K]; an empty cluster adds 1.

    Examples
    --------
    >>> path = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    >>> y = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> expected_normalized_cut(y[:, None], Affinity(path)).round(decimals=4)
    tensor([1.3333])
    """
    association: Tensor = _Association.apply(y, affinity)  # type: ignore[no-untyped-call]
    return y.shape[2] - association


def gumbel_softmax(logits: Tensor, temperature: float, generator: torch.Generator | None = None) -> Tensor:
    """Return the softmax of logits with Gumbel noise, which tends to a one-hot sample as the temperature falls.

    Jang, Gu & Poole 2017; Maddison, Mnih & Teh 2017.

    Parameters
    ----------
    logits : Tensor, shape (..., K)
    temperature : float
        Positive.
    generator : Generator, optional
        A generator on the device of the logits.

    Returns
    -------
    Tensor, shape (..., K)

    Examples
    --------
    >>> y = gumbel_softmax(torch.zeros(2, 3), 0.5)
    >>> y.sum(1).round(decimals=4)
    tensor([1., 1.])
    """
    noise = torch.empty_like(logits).uniform_(generator=generator)  # exponential_ is 5 times slower on CPUs
    noise = noise.clamp_min_(1e-20).log_().neg_().log_()
    return torch.softmax((logits - noise).div_(temperature), -1)


class Head(ParallelMLP):
    """Networks that map vectors of points to logits of the clusters, the F of the paper.

    Examples
    --------
    >>> Head((4, 8, 3), n_runs=2)(torch.ones(5, 4)).shape
    torch.Size([2, 5, 3])
    """

    @torch.no_grad()
    def start_at(self, labels: Sequence[Any], x: Tensor, graph: Affinity | None = None) -> None:
        """Set the last layer so that it assigns points to the nearest cluster mean; then no cluster is empty.

        With h the input of the layer, the logits are -|h - mean|^2, up to a constant shared by the clusters, times
        4 / (mean squared distance within clusters + a tenth of that between them).

        Parameters
        ----------
        labels : sequence of arrays of int64, shape (n,), or None
            Initial clusters of each run, none of them empty; None leaves the network of the run as it is.
        x : Tensor, shape (n, d)
        graph : Affinity, optional
            Needed by networks whose layers use neighbours.
        """
        k = self.weights[-1].shape[2]
        hidden = self.layer_input(self.last_hidden(x, graph), graph)
        for run, run_labels in enumerate(labels):
            if run_labels is None:
                continue
            label = torch.as_tensor(run_labels, device=x.device)
            h = hidden[run]
            means = h.new_zeros(k, h.shape[1]).index_add_(0, label, h)
            means /= torch.bincount(label, minlength=k)[:, None].clamp_min(1)
            within = (h - means[label]).square().sum(1).mean()
            scale = 4.0 / (within + 0.1 * means.var(0, correction=0).sum()).clamp_min(_TINY)
            self.weights[-1][run] = scale * means.T
            self.biases[-1][run] = -0.5 * scale * means.square().sum(1)


class GraphHead(Head):
    """A `Head` whose layers also take the mean over a point's neighbours (GraphSAGE, Hamilton et al. 2017)."""

    @staticmethod
    def width(size: int) -> int:
        """See `ParallelMLP.width`."""
        return 2 * size

    def layer_input(self, h: Tensor, graph: Affinity | None) -> Tensor:
        """See `ParallelMLP.layer_input`."""
        return torch.cat((h, self._mean(h, graph)), dim=2)

    def layer(self, i: int, h: Tensor, graph: Affinity | None) -> Tensor:
        """See `ParallelMLP.layer`; means are taken before or after the product, wherever there are fewer columns."""
        own, near = self.weights[i].split(h.shape[2], dim=1)
        columns = near.shape[2]
        if columns >= h.shape[2]:
            return torch.baddbmm(torch.baddbmm(self.biases[i], h, own), self._mean(h, graph), near)
        return torch.baddbmm(self._mean(h @ near, graph), h, own) + self.biases[i]

    @staticmethod
    def _mean(h: Tensor, graph: Affinity | None) -> Tensor:
        """Average over neighbours, shape (R, n, size), only once if all runs have the same points."""
        assert graph is not None
        runs, n, d = h.shape
        if runs == 1 or h.stride(0) == 0:
            return graph.mean(h[0]).expand(runs, n, d)
        return graph.mean(h.transpose(0, 1).reshape(n, -1)).reshape(n, runs, d).transpose(0, 1)


class FreeHead(nn.Module):
    """Free logits of each point; there is no network, so new points cannot be assigned.

    Parameters
    ----------
    n : int
    n_clusters : int
    n_runs : int
    generator : Generator, optional
        A generator on the CPU.
    """

    def __init__(self, n: int, n_clusters: int, n_runs: int = 1, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.logits = nn.Parameter(0.1 * torch.randn(n_runs, n, n_clusters, generator=generator))

    def forward(self, x: Tensor | None = None, graph: Affinity | None = None) -> Tensor:
        """Return logits, shape (R, n, K)."""
        return self.logits

    @torch.no_grad()
    def start_at(self, labels: Sequence[Any], x: Tensor | None = None, graph: Affinity | None = None) -> None:
        """Add 4 to the logits of the initial clusters; see `Head.start_at`."""
        for run, run_labels in enumerate(labels):
            if run_labels is not None:
                label = torch.as_tensor(run_labels, device=self.logits.device)
                self.logits[run].scatter_add_(1, label[:, None], torch.full_like(self.logits[run, :, :1], 4.0))
