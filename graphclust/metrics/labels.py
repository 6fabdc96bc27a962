"""Label arrays: checks, and relabelling by the size of the communities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import UsageError
from graphclust.runtime.arrays import IntArray

__all__ = ["distinct_rows", "numbered", "parents", "rank_labels"]


_MAX_RATIO = 4  # of the largest label and the number of nodes, for tables indexed by label


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
    if values.min(initial=0) >= 0 and values.max(initial=0) <= _MAX_RATIO * len(values):
        counts = np.bincount(values)
        position = np.cumsum(counts > 0) - 1
        distinct = np.flatnonzero(counts)
        return distinct, position[values], counts[distinct]
    distinct, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return distinct, index, counts


def numbered(labels: ArrayLike) -> IntArray:
    """Return labels as 0, 1, ... in the order of their values, as an array of its own.

    Parameters
    ----------
    labels : array of int, shape (n_nodes,)

    Returns
    -------
    ndarray of int64, shape (n_nodes,)

    Examples
    --------
    >>> numbered([7, 3, 7])
    array([1, 0, 1])
    """
    return _unique(_as_labels(labels))[1].astype(np.int64)


def rank_labels(labels: ArrayLike) -> IntArray:
    """Relabel so that 0 is the largest community. Communities of equal size keep the order of their first members.

    Partitions that differ only in the names of their communities become equal.

    Parameters
    ----------
    labels : array of int, shape (n_nodes,) or (n_partitions, n_nodes)
        Any integers.

    Returns
    -------
    ndarray of int64, of the same shape

    Raises
    ------
    UsageError
        `labels` is not an integer array of one or two dimensions.

    Examples
    --------
    >>> rank_labels([7, -1, 3, 3, -1])
    array([2, 0, 1, 1, 0])
    >>> rank_labels([[0, 1, 1], [5, 5, 2]])
    array([[1, 0, 0],
           [0, 0, 1]])
    """
    values: NDArray[Any] = np.asarray(labels)
    if values.ndim != 2:
        return np.asarray(rank_labels(_as_labels(values)[None])[0])
    table: IntArray = _as_labels(values.ravel()).reshape(values.shape)
    if table.min(initial=0) < 0 or table.max(initial=0) > _MAX_RATIO * table.shape[1]:
        table = np.array([_unique(row)[1] for row in table])
    width = int(table.max(initial=0)) + 1
    names, index, sizes = _unique((table + width * np.arange(len(table))[:, None]).ravel())
    first = np.empty(len(names), dtype=np.int64)
    first[index[::-1]] = np.arange(len(index))[::-1]  # of repeated assignments, the last one counts
    row = names // width
    order = np.lexsort((first, -sizes, row))
    rank = np.empty_like(first)
    rank[order] = np.arange(len(names)) - np.searchsorted(row, row)  # `row` is sorted, with and without `order`
    return rank[index].reshape(table.shape)


def parents(fine: IntArray, coarse: IntArray) -> IntArray | None:
    """Return the community of a coarser partition that each community lies in, or None if one lies in several.

    Parameters
    ----------
    fine, coarse : ndarray of int64, shape (n_nodes,)
        `fine` has the labels 0, 1, ...

    Returns
    -------
    ndarray of int64, shape (n_communities,), or None

    Examples
    --------
    >>> parents(np.array([0, 1, 2, 2]), np.array([5, 5, 8, 8]))
    array([5, 5, 8])
    """
    parent = np.zeros(int(fine.max(initial=-1)) + 1, dtype=np.int64)
    parent[fine] = coarse
    return parent if np.array_equal(parent[fine], coarse) else None


def distinct_rows(table: IntArray) -> IntArray:
    """Return the index of each row among the distinct ones, in order of appearance.

    Parameters
    ----------
    table : ndarray of int64, shape (n_rows, n_columns)

    Returns
    -------
    ndarray of int64, shape (n_rows,)

    Examples
    --------
    >>> distinct_rows(np.array([[0, 1], [0, 0], [0, 1]]))
    array([0, 1, 0])
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in table], dtype=np.int64)
