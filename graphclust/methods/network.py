"""What CNC and LNSCC share: a network, several of its outputs, and clusters numbered by size."""

from __future__ import annotations

import numpy as np

from graphclust.kernels.kmeans import fill_up
from graphclust.methods.points import VectorEstimator, nearest_of, ranks_of_outputs
from graphclust.methods.presets import PresetMixin
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note

__all__ = ["NetworkEstimator", "exactly_k"]


class NetworkEstimator(PresetMixin, VectorEstimator):
    """Base class of methods whose clusters are the outputs of a network."""

    _rank: IntArray  # shape (n_clusters,): the label of each output
    _representatives: FloatArray | None = None  # a point of each cluster, if there was nothing to learn

    def _without_network(self, n: int, points: FloatArray | None = None) -> Solution:
        """Return clusters of n points between which there is nothing to learn, shape (n, d) if they have vectors."""
        k = int(self.n_clusters)
        self._representatives = None if points is None else points[:k]
        return Solution(np.arange(n, dtype=np.int64) % k)

    def _nearest_representative(self, points: FloatArray) -> IntArray:
        """Return the clusters of new points if there was nothing to learn."""
        assert self._representatives is not None
        return nearest_of(points, self._representatives)

    def _rank_outputs(self, outputs: IntArray, labels: IntArray) -> None:
        """Remember the label that each output stands for."""
        self._rank = ranks_of_outputs(outputs, labels, int(self.n_clusters))


def exactly_k(labels: IntArray, k: int, points: FloatArray) -> tuple[IntArray, tuple[Note, ...]]:
    """Return labels of exactly k clusters, and a note if there were fewer.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
    k : int
    points : ndarray of float64, shape (n, d)
        If clusters are empty, the points of the largest cluster that are farthest from its mean become clusters.

    Examples
    --------
    >>> labels, notes = exactly_k(np.array([0, 0, 0]), 2, np.array([[0.0], [1.0], [5.0]]))
    >>> labels.tolist(), notes[0].data
    ([0, 0, 1], {'n_found': 1})
    """
    n_nonempty = len(np.unique(labels))
    if n_nonempty == k:
        return labels, ()
    message = f"found {n_nonempty} of {k} clusters and split points off the largest"
    return fill_up(points, labels, k), (Note("empty-clusters", message, {"n_found": n_nonempty}),)
