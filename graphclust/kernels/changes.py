"""Which nodes of a graph have other edges than in an earlier version of it; compiled by numba on first use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled

__all__ = ["mark_changes"]


@compiled(nogil=True, error_model="numpy", _nrt=False)
def mark_changes(
    old_source: IntArray,
    old_target: IntArray,
    old_weight: FloatArray,
    source: IntArray,
    target: IntArray,
    weight: FloatArray,
    has_changed: NDArray[np.bool_],
) -> None:
    """Mark the ends of edges that only one of two lists has, or that have different weights in them; O(m).

    Parameters
    ----------
    old_source, old_target, source, target : ndarray of int, shape (m_old,), (m_new,)
        Ends of the edges, each list sorted by source and target.
    old_weight, weight : ndarray of float64, shape (m_old,), (m_new,) or (1,)
        A single weight if all edges have the same.
    has_changed : ndarray of bool, shape (n,)
        Set to True for these nodes.
    """
    old_every = -1 if len(old_weight) > 1 else 0
    every = -1 if len(weight) > 1 else 0
    i, j, n_old, n_new = 0, 0, len(old_source), len(source)
    while i < n_old or j < n_new:
        difference = np.int64(-1 if j == n_new else 1)  # whether the next edge is an old one or a new one
        if i < n_old and j < n_new:
            difference = np.int64(old_source[i]) - np.int64(source[j])
            if difference == 0:
                difference = np.int64(old_target[i]) - np.int64(target[j])
        if difference < 0:
            has_changed[old_source[i]] = has_changed[old_target[i]] = True
            i += 1
        elif difference > 0:
            has_changed[source[j]] = has_changed[target[j]] = True
            j += 1
        else:
            if old_weight[i & old_every] != weight[j & every]:
                has_changed[source[j]] = has_changed[target[j]] = True
            i += 1
            j += 1
