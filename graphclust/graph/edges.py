"""Edges as arrays: merged, checked, in both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import DataError
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["both_directions", "check_weights", "order_of_edges"]


def _merge_edges(
    source: IntArray, target: IntArray, weight: FloatArray | None, n_nodes: int, directed: bool
) -> tuple[IntArray, IntArray, FloatArray | None]:
    """Sort edges, and add up the weights of parallel ones; unweighted parallel edges get their count as weight."""
    if not directed and bool((source > target).any()):
        source, target = np.minimum(source, target), np.maximum(source, target)
    key = np.multiply(source, n_nodes, dtype=np.int64) + target
    if len(key) < 2 or bool(np.all(key[1:] > key[:-1])):
        return np.ascontiguousarray(source), np.ascontiguousarray(target), weight
    if weight is None:
        key.sort()
        first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        merged = len(first) < len(key)
        weight = np.diff(first, append=len(key)).astype(np.float64) if merged else None
    else:
        order = np.lexsort((weight, key))  # by weight within an edge: the sum's rounding must not depend on the order
        key, weight = key[order], weight[order]
        first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        weight = np.add.reduceat(weight, first)
    key = key[first]
    return key // n_nodes, key % n_nodes, weight


def _positions(ends: ArrayLike, copy: bool) -> IntArray:
    values = np.asarray(ends)
    if values.size and values.dtype.kind not in "iu" and not bool(np.all(np.mod(values, 1) == 0)):
        raise DataError("the ends of edges must be positions of nodes, which are integers")
    kind = values.dtype if values.dtype == np.int32 else np.int64
    return np.array(values, dtype=kind, copy=copy or None).ravel()


def check_weights(weight: FloatArray) -> None:
    """Refuse weights that are negative or not finite.

    Raises
    ------
    DataError
    """
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if len(bad):
        hint = ""
        if weight[bad[0]] < 0:
            hint = ": drop the negative edges or take absolute values, or ignore weights (weight=None)"
        raise DataError(f"edge weights must be finite and not negative, but edge {bad[0]} has {weight[bad[0]]}{hint}")


def both_directions(
    source: IntArray, target: IntArray, weight: FloatArray | None, is_arc: NDArray[np.bool_]
) -> tuple[IntArray, IntArray, FloatArray | None]:
    """Turn edges of which only some are directed into directed ones: the others stand in both directions.

    Parameters
    ----------
    source, target : ndarray of int, shape (n_edges,)
    weight : ndarray of float64, shape (n_edges,), or None
    is_arc : ndarray of bool, shape (n_edges,)
        Whether an edge is directed.
    """
    back = ~is_arc & (source != target)
    return (
        np.concatenate((source, target[back])),
        np.concatenate((target, source[back])),
        None if weight is None else np.concatenate((weight, weight[back])),
    )


def order_of_edges(tail: IntArray, head: IntArray, directed: bool) -> IntArray:
    """Return the order in which a graph holds edges of which no two are parallel.

    Parameters
    ----------
    tail, head : ndarray of int, shape (n_edges,)
    directed : bool

    Returns
    -------
    ndarray of int64, shape (n_edges,)

    Examples
    --------
    >>> order_of_edges(np.array([2, 0]), np.array([0, 1]), directed=False)
    array([1, 0])
    """
    if not directed:
        tail, head = np.minimum(tail, head), np.maximum(tail, head)
    order: IntArray = np.lexsort((head, tail))
    return order
