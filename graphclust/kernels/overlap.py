r"""Overlapping communities around a partition: further memberships of nodes with many edges to other communities.

A node i keeps its community and joins another one, c, if

- it has an edge to a node whose own community c is, so that communities that were connected stay so, and one to its
  own community;
- it has more edges to members of c than chance explains: at least as many with probability below .05, if these are
  Poisson with mean :math:`\mu k_i d_c / 2m`, where :math:`k_i` is its degree, :math:`d_c` the sum of the degrees of the
  members, and :math:`\mu` the share of the edges whose ends have no community in common;
- its edges to c weigh at least half of those to the community where they weigh most. An edge to a neighbour with
  several memberships counts for each of them in equal parts; otherwise edges inside an overlap would look like
  memberships of both sides.

All nodes decide at once, given the memberships of the round before, until nothing changes, at most ten times. The
weight of a membership is its part of the weights of the edges to all communities of the node. Each round takes time in
proportion to the edges times the memberships of a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["overlapping_memberships"]

_ROUNDS = 10
_CHANCE = 0.05  # probability of so many edges, below which a node joins
_SHARE = 0.5  # of the weight of the edges to the community where it is largest
_ROUNDING = 1e-9
_PER_CHUNK = 2_000_000  # edges


def overlapping_memberships(adjacency: csr_array[Any, Any], labels: IntArray) -> csr_array[Any, Any]:
    """Return the weight of each node's membership in each community.

    Parameters
    ----------
    adjacency : csr_array, shape (n_nodes, n_nodes)
        Symmetric, with weights that are not negative; self-loops and edges of weight 0 are ignored.
    labels : ndarray of int64, shape (n_nodes,)
        Communities 0, 1, ...

    Returns
    -------
    csr_array of float64, shape (n_nodes, n_communities)
        Rows add up to 1. Each node is a member of the community of its label.
    """
    from scipy.sparse import csr_array

    n, n_labels = len(labels), int(labels.max(initial=-1)) + 1
    source = np.repeat(np.arange(n), np.diff(adjacency.indptr))
    is_edge = (source != adjacency.indices) & (adjacency.data > 0)
    source, target = source[is_edge], adjacency.indices[is_edge].astype(np.int64)
    start = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=n))))
    edges = csr_array((np.ones(len(source)), target, start), shape=(n, n))
    weighted = csr_array((adjacency.data[is_edge].astype(np.float64), target, start), shape=(n, n))
    own = np.arange(n) * n_labels + labels
    around = _keys(edges @ _table(own, n, n_labels))
    around.sort()
    reachable = around[_is_in(own, around)[around // max(n_labels, 1)]]
    keys = np.sort(own)
    for _ in range(_ROUNDS):
        wanted = _joined(edges, weighted, keys, n_labels)
        joined = np.sort(np.concatenate((own, wanted[_is_in(wanted, reachable)])))
        joined = joined[np.diff(joined, prepend=-1) > 0]
        if np.array_equal(joined, keys):
            break
        keys = joined
    return _weights(weighted, keys, n_labels)


def _table(keys: IntArray, n: int, n_labels: int, values: FloatArray | None = None) -> csr_array[Any, Any]:
    """Return the table of memberships i * n_labels + c, each once."""
    from scipy.sparse import csr_array

    order = np.argsort(keys)
    keys = keys[order]
    data = np.ones(len(keys)) if values is None else values[order]
    start = np.searchsorted(keys, np.arange(n + 1) * n_labels)
    return csr_array((data, keys % n_labels, start), shape=(n, n_labels))


def _is_in(values: IntArray, ordered: IntArray) -> NDArray[np.bool_]:
    """Return whether each value is among some in ascending order."""
    if len(ordered) == 0:
        return np.zeros(len(values), dtype=bool)
    return ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values


def _keys(table: csr_array[Any, Any]) -> IntArray:
    """Return the places of the entries of a table as row * n_columns + column."""
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    keys: IntArray = rows * table.shape[1] + table.indices
    return keys


def _in_parts(keys: IntArray, n: int, n_labels: int) -> csr_array[Any, Any]:
    """Return the memberships of each node in equal parts."""
    number = np.bincount(keys // n_labels, minlength=n)
    return _table(keys, n, n_labels, 1.0 / number[keys // n_labels])


def _joined(edges: csr_array[Any, Any], weighted: csr_array[Any, Any], keys: IntArray, n_labels: int) -> IntArray:
    """Return the memberships for which nodes have enough edges."""
    n, degree = edges.shape[0], np.diff(edges.indptr).astype(np.float64)
    members = _table(keys, n, n_labels)
    number, parts = (edges @ members).tocsr(), (weighted @ _in_parts(keys, n, n_labels)).tocsr()
    number.sort_indices()
    parts.sort_indices()
    places = _keys(number)
    rows = places // n_labels
    apart = max(_n_apart(edges, members), 1) / max(edges.nnz, 1)
    volume = np.asarray(members.T @ degree)
    chance = apart * degree[rows] * volume[number.indices] / max(float(degree.sum()), 1.0)
    most = np.zeros(n)
    np.maximum.at(most, rows, parts.data)
    is_enough = (gammainc(number.data, chance) < _CHANCE) & (parts.data >= (_SHARE - _ROUNDING) * most[rows])
    return places[is_enough]


def _n_apart(edges: csr_array[Any, Any], members: csr_array[Any, Any]) -> int:
    """Return the number of entries of edges whose ends have no community in common."""
    source, target = np.repeat(np.arange(edges.shape[0]), np.diff(edges.indptr)), edges.indices
    first = members.indices[members.indptr[:-1]]  # each node has one at least
    is_single = np.diff(members.indptr) == 1
    differs = first[source] != first[target]
    n_apart = int((differs & is_single[source] & is_single[target]).sum())
    open_ends = np.flatnonzero(differs & ~(is_single[source] & is_single[target]))
    for place in range(0, len(open_ends), _PER_CHUNK):
        chunk = open_ends[place : place + _PER_CHUNK]
        both = members[source[chunk]].multiply(members[target[chunk]])
        n_apart += int((np.asarray(both.sum(axis=1)).ravel() == 0).sum())
    return n_apart


def _weights(weighted: csr_array[Any, Any], keys: IntArray, n_labels: int) -> csr_array[Any, Any]:
    """Return the weights of memberships; equal ones for a node without edges to its communities."""
    n = weighted.shape[0]
    parts = (weighted @ _in_parts(keys, n, n_labels)).tocsr()
    parts.sort_indices()
    places = _keys(parts)
    at = np.minimum(np.searchsorted(places, keys), max(len(places) - 1, 0))
    found = places[at] == keys if len(places) else np.zeros(len(keys), dtype=bool)
    values = np.where(found, parts.data[at] if len(places) else 0.0, 0.0)
    rows = keys // n_labels
    total = np.bincount(rows, values, minlength=n)
    number = np.bincount(rows, minlength=n)
    values = np.where(total[rows] > 0, values / np.where(total > 0, total, 1.0)[rows], 1.0 / number[rows])
    return _table(keys, n, n_labels, values)
