"""Label arrays: checks, and relabelling by the size of the communities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError
from graphclust.runtime.arrays import IntArray

__all__ = ["rank_labels"]


def _as_labels(labels: ArrayLike) -> IntArray:
    label = np.asarray(labels)
    if label.size and not np.issubdtype(label.dtype, np.integer):
        raise UsageError(f"labels are integers, not {label.dtype}")
    if label.ndim != 1:
        raise UsageError(f"labels have one dimension, not the shape {label.shape}")
    return label.astype(np.int64, copy=False)


def _unique(values: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Sorted distinct values, the index of each value among them, and their counts.

    This is `np.unique`, in linear time if the values are small.
    """
    if values.min(initial=0) >= 0 and values.max(initial=0) <= 4 * len(values):
        counts = np.bincount(values)
        position = np.cumsum(counts > 0) - 1
        distinct = np.flatnonzero(counts)
        return distinct, position[values], counts[distinct]
    distinct, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return distinct, index, counts


def rank_labels(labels: ArrayLike) -> IntArray:
    """Relabel so that 0 is the largest community. Communities of equal size keep the order of their first members.

    Partitions that differ only in the names of their communities become equal.

    Parameters
    ----------
    labels : array of int, shape (n_nodes,)
        Any integers.

    Returns
    -------
    ndarray of int64, shape (n_nodes,)

    Raises
    ------
    UsageError
        `labels` is not a one-dimensional integer array.

    Examples
    --------
    >>> rank_labels([7, -1, 3, 3, -1])
    array([2, 0, 1, 1, 0])
    """
    distinct, index, sizes = _unique(_as_labels(labels))
    first = np.empty(len(distinct), dtype=np.int64)
    first[index[::-1]] = np.arange(len(index))[::-1]  # of repeated assignments, the last one counts
    rank = np.empty_like(first)
    rank[np.lexsort((first, -sizes))] = np.arange(len(distinct))
    return rank[index]
