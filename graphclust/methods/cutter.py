"""Partitions of a graph into exactly k clusters with a low normalized cut: agglomeration, and moves of nodes.

Both work on labels and do not use networks. Pieces are the communities of Leiden at a resolution that gives more than
k of them. They are merged two by two so that the normalized cut stays lowest. Single nodes move as long as that lowers
it. Then the pieces within clusters are merged again, which splits clusters that should not be one. In a graph with at
least k components, the least normalized cut, 0, is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import ResourceError
from graphclust.graph import Graph
from graphclust.kernels.merging import merge_to
from graphclust.methods.base import solved
from graphclust.methods.leiden import Leiden
from graphclust.metrics import numbered
from graphclust.problem.problem import Core
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import await_compilation
from graphclust.runtime.progress import task

if TYPE_CHECKING:
    import scipy.sparse
    import torch

    from graphclust.models.cnc import Affinity

__all__ = ["EVENNESS", "Cutter", "affinity_of", "joined"]

# On graphs of nearest neighbours, in which splitting a thin class and joining two close ones costs little.
EVENNESS = 0.5
_MAX_EDGES = 1 << 30
_MAX_PIECES = 2500  # the time and memory of merging grow with their square
_MAX_ROUNDS = 10
_MAX_FINER = 6  # resolutions from 1, each four times the last
_ENOUGH_FINER = 2  # partitions at these
_MAX_SWEEPS = 50


def joined(graph: Graph) -> scipy.sparse.csr_array[Any]:
    """Return the affinities of an undirected graph by rows, float64, shape (n, n); self-loops have two entries.

    A compiled version of `Graph.adjacency` that takes half the time.

    Raises
    ------
    ResourceError
        There are more edges than 32-bit indices can count.
    """
    from scipy.sparse import csr_array

    from graphclust.kernels.adjacency import both_ends

    n = graph.num_nodes
    if graph.num_edges >= _MAX_EDGES:
        raise ResourceError(
            f"the graph has {graph.num_edges:,} edges: cuts can be computed for fewer than {_MAX_EDGES:,}"
        )
    start, end, edge = both_ends(graph.source, graph.target, n)
    weight = np.ones(len(end)) if graph.weight is None else graph.weight[edge]
    return csr_array((weight, end, start.astype(np.int32)), shape=(n, n))


def affinity_of(weight: scipy.sparse.csr_array[Any], device: torch.device, regularization: float = 0.0) -> Affinity:
    """Return affinities as single-precision tensors, divided by a power of two near the mean degree.

    The division does not change the normalized cut, and does not round.
    """
    import torch

    from graphclust.models.cnc import Affinity

    start, end = torch.as_tensor(weight.indptr), torch.as_tensor(weight.indices)
    _, exponent = np.frexp(weight.data.sum() / max(weight.shape[0], 1))
    value = torch.as_tensor(np.ldexp(weight.data, -exponent), dtype=torch.float32)
    start, end, value = (t.to(device, non_blocking=True) for t in (start, end, value))
    return Affinity.from_csr(start, end, value, regularization)


class Cutter:
    """Cuts, agglomeration and moves of nodes on a graph.

    Parameters
    ----------
    graph : Graph
        Undirected.
    k : int
    regularization : float
        See `graphclust.models.cnc`.
    evenness : float
        Cost of a partition in which one cluster has all of the volume, in units of the normalized cut; clusters of
        equal volume cost nothing.

    Attributes
    ----------
    weight : scipy.sparse.csr_array of float64, shape (n, n)
        Affinities; self-loops count twice, as in the degree.
    degree : ndarray of float64, shape (n,)
        Degrees, with what regularisation adds.
    extra : float
        Affinity that regularisation adds to each pair.

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
        """Return the affinities, or those among some nodes, as single-precision tensors."""
        part = self.weight if nodes is None else self.weight[nodes][:, nodes]
        return affinity_of(part, device, self.regularization)

    def value(self, labels: IntArray) -> float:
        """Return the normalized cut, with what regularisation adds; clusters without volume add 0."""
        k = int(labels.max()) + 1
        same = np.repeat(labels, np.diff(self.weight.indptr)) == labels[self.weight.indices]
        rows = np.repeat(labels, np.diff(self.weight.indptr))
        inside: FloatArray = np.bincount(rows[same], self.weight.data[same], k).astype(np.float64)
        inside = inside + self.extra * np.bincount(labels, minlength=k).astype(np.float64) ** 2
        volume = np.bincount(labels, self.degree, k)
        has_volume = volume > 0
        return float((1 - inside[has_volume] / volume[has_volume]).sum())

    def score(self, labels: IntArray) -> float:
        """Return the criterion for the best partition: the normalized cut, 1 per empty cluster, and `unevenness`."""
        return self.value(labels) + self.k - len(np.unique(labels)) + self.unevenness(labels)

    def unevenness(self, labels: IntArray) -> float:
        """Return the cost of uneven volumes: 0 for equal ones, and `evenness` if one cluster has all of the volume."""
        if not self.evenness or self.k == 1:
            return 0.0
        share = np.bincount(labels, self.degree) / self.degree.sum()
        entropy = -float((share * np.log(np.maximum(share, 1e-300))).sum())
        return self.evenness - self._per_entropy * entropy

    def moved(self, labels: IntArray, seed: int) -> IntArray:
        """Move single nodes as long as that lowers the normalized cut."""
        from graphclust.kernels.cut_moves import lower_cut

        await_compilation("graphclust.kernels.cut_moves")
        moved = labels.astype(np.int64)
        order = np.random.default_rng(seed).permutation(len(labels))
        start, end = self.weight.indptr.astype(np.int64), self.weight.indices.astype(np.int64)
        lower_cut(start, end, self.weight.data, self.degree, self.extra, moved, self.k, order, _MAX_SWEEPS)
        return moved

    def merged(self, pieces: IntArray) -> IntArray:
        """Merge pieces, of which there are at least k, into k clusters."""
        from scipy.sparse import csr_array

        from graphclust.kernels.cut_moves import merge_cut

        await_compilation("graphclust.kernels.cut_moves")
        pieces = numbered(pieces)
        m, n = int(pieces.max()) + 1, len(pieces)
        if m == self.k:
            return pieces
        member = csr_array((np.ones(n), (np.arange(n), pieces)), shape=(n, m))
        size = np.bincount(pieces, minlength=m).astype(np.float64)
        link = (member.T @ self.weight @ member).toarray() + self.extra * np.outer(size, size)
        labels: IntArray = merge_cut(link, link.sum(axis=1), self.k, self._per_entropy)[pieces]
        return labels

    def pieces(self, seed: int, coarser: int = 0) -> list[IntArray]:
        """Return partitions into more than k pieces, by increasing resolution.

        Parameters
        ----------
        seed : int
        coarser : int
            Number of resolutions below 1 that are tried in addition, each two thirds of the last.
        """
        graph = self.graph
        partitions: list[IntArray] = []
        with task("pieces"):
            for power in range(1, coarser + 1):
                labels = self._communities(1.5**-power, seed)
                if int(labels.max()) + 1 <= self.k:
                    break
                partitions.insert(0, labels)
            n_finer = 0
            for power in range(_MAX_FINER):
                labels = self._communities(4.0**power, seed)
                if int(labels.max()) >= _MAX_PIECES:
                    labels = merge_to(graph.source, graph.target, graph.edge_weight, labels, _MAX_PIECES)
                if int(labels.max()) + 1 > self.k:
                    partitions.append(labels)
                    n_finer += 1
                if n_finer == _ENOUGH_FINER or int(labels.max()) + 1 >= min(_MAX_PIECES, len(labels)):
                    break
        return partitions

    def _communities(self, resolution: float, seed: int) -> IntArray:
        return solved(Leiden(resolution=resolution, random_state=seed), self._core).labels

    def polished(self, labels: IntArray, seed: int, pieces: IntArray | None = None) -> IntArray:
        """Move nodes, and merge the pieces within clusters again, as long as that lowers the normalized cut.

        Parameters
        ----------
        labels : ndarray of int64, shape (n,)
            Clusters below k, none of them empty.
        seed : int
            Determines the order in which nodes are visited.
        pieces : ndarray of int64, shape (n,), optional
            By default, only nodes move.
        """
        best = self.moved(labels, seed)
        score = self.score(best)
        for i in range(0 if pieces is None else _MAX_ROUNDS):
            assert pieces is not None
            divided = numbered(pieces * self.k + best)
            if int(divided.max()) + 1 <= self.k or int(divided.max()) >= 2 * _MAX_PIECES:
                break
            labels = self.moved(self.merged(divided), seed + i)
            if self.score(labels) >= score - 1e-9:
                break
            best, score = labels, self.score(labels)
        return best
