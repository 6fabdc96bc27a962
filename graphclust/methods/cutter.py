"""Partitions of a graph into exactly k clusters whose normalized cut is low: agglomeration, and polish by moves.

Both work on labels alone and know nothing of networks. Pieces, the communities of Leiden at a resolution that gives
more than k of them, are merged two by two as costs the normalized cut least; single nodes move while that lowers it;
and the pieces within clusters are merged anew, which splits what should not be together. In a graph of at least k
components the least normalized cut is 0, and is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import ResourceError
from graphclust.graph import Graph
from graphclust.kernels.merging import merge_to
from graphclust.methods.base import solved
from graphclust.methods.leiden import Leiden
from graphclust.problem.problem import Core
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

if TYPE_CHECKING:
    import scipy.sparse
    import torch

    from graphclust.models.cnc import Affinity

__all__ = ["EVENNESS", "Cutter", "affinity_of", "joined"]

EVENNESS = 0.5  # in spaces of neighbours, where halving a thin class and joining two close ones costs too little
_MOST_EDGES = 1 << 30
_PIECES = 2500  # at most so many are merged: the time grows with their square, and memory too
_ROUNDS = 10
_SWEEPS = 50


def joined(graph: Graph) -> scipy.sparse.csr_array[Any]:
    """Return the affinities of an undirected graph by rows, float64, shape (n, n); self-loops stand twice.

    `Graph.adjacency` in half the time, for those who compile anyway.

    Raises
    ------
    ResourceError
        More edges than indices of 32 bits count.
    """
    from scipy.sparse import csr_array

    from graphclust.kernels.cut_moves import both_ends

    n = graph.num_nodes
    if graph.num_edges >= _MOST_EDGES:
        raise ResourceError(f"{graph.num_edges:,} edges: cuts are computed of fewer than {_MOST_EDGES:,}")
    start, end, edge = both_ends(graph.source, graph.target, n)
    weight = np.ones(len(end)) if graph.weight is None else graph.weight[edge]
    return csr_array((weight, end, start), shape=(n, n))


def affinity_of(weight: scipy.sparse.csr_array[Any], device: torch.device, regularization: float = 0.0) -> Affinity:
    """Return affinities as tensors in single precision, in units of a power of two near the mean degree.

    The normalized cut has no unit, and the power of two rounds nothing.
    """
    import torch

    from graphclust.models.cnc import Affinity

    start, end = torch.as_tensor(weight.indptr), torch.as_tensor(weight.indices)
    _, exponent = np.frexp(weight.data.sum() / max(weight.shape[0], 1))
    value = torch.as_tensor(np.ldexp(weight.data, -exponent), dtype=torch.float32)
    start, end, value = (t.to(device, non_blocking=True) for t in (start, end, value))
    return Affinity.from_csr(start, end, value, regularization)


class Cutter:
    """What agglomeration and polish need of a graph.

    Parameters
    ----------
    graph : Graph
        Undirected.
    k : int
    regularization : float
        See `graphclust.models.cnc`.
    evenness : float
        How much normalized cut a partition into equal volumes is worth, against one cluster with all of it.

    Attributes
    ----------
    weight : scipy.sparse.csr_array of float64, shape (n, n)
        Self-loops stand twice, as in the degree.
    degree : ndarray of float64, shape (n,)
        With what regularisation adds.
    extra : float
        Affinity that regularisation gives to each pair.

    Examples
    --------
    >>> cutter = Cutter(Graph.from_edges([0, 0, 1, 2, 3, 3, 4], [1, 2, 2, 3, 4, 5, 5], nodes=6), 2)
    >>> round(cutter.value(cutter.polished(np.array([0, 1, 0, 1, 0, 1]), seed=0)), 4)
    0.2857
    """

    def __init__(self, graph: Graph, k: int, regularization: float = 0.0, evenness: float = 0.0) -> None:
        self.graph, self.k, self.regularization, self.evenness = graph, k, regularization, evenness
        self._core = Core(graph, np.arange(graph.num_nodes))
        self.weight = joined(graph)
        degree: FloatArray = np.asarray(self.weight.sum(axis=1), dtype=np.float64)
        self.extra = regularization * float(degree.mean()) / len(degree) if len(degree) else 0.0
        self.degree = degree + len(degree) * self.extra
        self._per_entropy = evenness / float(np.log(k)) if k > 1 else 0.0

    def affinity(self, device: torch.device, nodes: IntArray | None = None) -> Affinity:
        """Return the affinities, or those among some nodes, as tensors in single precision."""
        part = self.weight if nodes is None else self.weight[nodes][:, nodes]
        return affinity_of(part, device, self.regularization)

    def value(self, labels: IntArray) -> float:
        """Return the normalized cut of k clusters, with what regularisation adds; clusters without volume add 0."""
        k = int(labels.max()) + 1
        same = np.repeat(labels, np.diff(self.weight.indptr)) == labels[self.weight.indices]
        rows = np.repeat(labels, np.diff(self.weight.indptr))
        inside: FloatArray = np.bincount(rows[same], self.weight.data[same], k).astype(np.float64)
        inside = inside + self.extra * np.bincount(labels, minlength=k).astype(np.float64) ** 2
        volume = np.bincount(labels, self.degree, k)
        held = volume > 0
        return float((1 - inside[held] / volume[held]).sum())

    def score(self, labels: IntArray) -> float:
        """Return what partitions are chosen by: the normalized cut, 1 for each empty cluster, and what is uneven."""
        return self.value(labels) + self.k - len(np.unique(labels)) + self.unevenness(labels)

    def unevenness(self, labels: IntArray) -> float:
        """Return what a partition costs for its volumes: nothing where equal, `evenness` where one cluster has all."""
        if not self.evenness or self.k == 1:
            return 0.0
        share = np.bincount(labels, self.degree) / self.degree.sum()
        entropy = -float((share * np.log(np.maximum(share, 1e-300))).sum())
        return self.evenness - self._per_entropy * entropy

    def moved(self, labels: IntArray, seed: int) -> IntArray:
        """Move single nodes while that lowers the normalized cut."""
        from graphclust.kernels.cut_moves import lower_cut

        moved = labels.astype(np.int64)
        order = np.random.default_rng(seed).permutation(len(labels))
        start, end = self.weight.indptr.astype(np.int64), self.weight.indices.astype(np.int64)
        lower_cut(start, end, self.weight.data, self.degree, self.extra, moved, self.k, order, _SWEEPS)
        return moved

    def merged(self, pieces: IntArray) -> IntArray:
        """Merge pieces, at least k of them, to k clusters."""
        from scipy.sparse import csr_array

        from graphclust.kernels.cut_moves import merge_cut

        pieces = np.unique(pieces, return_inverse=True)[1].astype(np.int64)
        m, n = int(pieces.max()) + 1, len(pieces)
        if m == self.k:
            return pieces
        member = csr_array((np.ones(n), (np.arange(n), pieces)), shape=(n, m))
        size = np.bincount(pieces, minlength=m).astype(np.float64)
        link = (member.T @ self.weight @ member).toarray() + self.extra * np.outer(size, size)
        found: IntArray = merge_cut(link, link.sum(axis=1), self.k, self._per_entropy)[pieces]
        return found

    def pieces(self, seed: int, coarser: int = 0) -> list[IntArray]:
        """Return partitions into more than k pieces, at growing resolutions.

        Parameters
        ----------
        seed : int
        coarser : int
            How many resolutions below 1, each two thirds of the one before, are tried too.
        """
        found: list[IntArray] = []
        with task("pieces"):
            for power in range(1, coarser + 1):
                labels = self._communities(1.5**-power, seed)
                if int(labels.max()) + 1 <= self.k:
                    break
                found.insert(0, labels)
            finer = 0
            for power in range(6):
                labels = self._communities(4.0**power, seed)
                if int(labels.max()) >= _PIECES:
                    labels = merge_to(self.graph, labels, _PIECES)
                if int(labels.max()) + 1 > self.k:
                    found.append(labels)
                    finer += 1
                if finer == 2 or int(labels.max()) + 1 >= min(_PIECES, len(labels)):
                    break
        return found

    def _communities(self, resolution: float, seed: int) -> IntArray:
        return solved(Leiden(resolution=resolution, random_state=seed), self._core).labels

    def polished(self, labels: IntArray, seed: int, pieces: IntArray | None = None) -> IntArray:
        """Move nodes, and merge pieces within clusters anew, while that lowers the normalized cut.

        Parameters
        ----------
        labels : ndarray of int64, shape (n,)
            Below k, each in use.
        seed : int
            Of the order in which nodes are visited.
        pieces : ndarray of int64, shape (n,), optional
            Without it, nodes move and that is all.
        """
        best = self.moved(labels, seed)
        score = self.score(best)
        for turn in range(0 if pieces is None else _ROUNDS):
            assert pieces is not None
            cut = np.unique(pieces * self.k + best, return_inverse=True)[1].astype(np.int64)
            if int(cut.max()) + 1 <= self.k or int(cut.max()) >= 2 * _PIECES:
                break
            other = self.moved(self.merged(cut), seed + turn)
            if self.score(other) >= score - 1e-9:
                break
            best, score = other, self.score(other)
        return best
