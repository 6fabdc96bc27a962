"""Overlapping communities in LFR graphs (Lancichinetti & Fortunato, Physical Review E 80, 2009, 016118).

A node of m communities has m copies, each in one of them with an m-th of its internal degree; all its external edges
belong to the first copy. The graph of the copies is wired as one without overlap. When copies become one node again, a
few edges are not allowed: repeats, of nodes that share two communities, and external edges inside a shared community.
They exchange an end with a random edge of the same kind until all are.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from graphclust.errors import UsageError
from graphclust.runtime.arrays import IntArray

__all__ = ["copies", "separate", "untangle"]

_ATTEMPTS = 1000  # to place a copy or an edge


def copies(
    degree: IntArray, inside: IntArray, chosen: IntArray, memberships: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Divide nodes into copies, one for each community.

    Parameters
    ----------
    degree, inside : ndarray of int64, shape (n_nodes,)
        Degrees, and internal degrees.
    chosen : ndarray of int64
        The nodes with several communities.
    memberships : int
        Number of communities of these.

    Returns
    -------
    node, degree, inside : ndarray of int64, shape (n_copies,)
        Of each copy; the first copy of a node comes first.
    """
    n = len(degree)
    node = np.concatenate((np.arange(n), np.repeat(chosen, memberships - 1)))
    parts = np.zeros(len(node), dtype=np.int64)
    parts[:n] = inside
    share, rest = np.divmod(inside[chosen], memberships)
    parts[chosen] = share + (rest > 0)
    number = np.tile(np.arange(1, memberships), len(chosen))
    parts[n:] = np.repeat(share, memberships - 1) + (number < np.repeat(rest, memberships - 1))
    of_copies = parts.copy()
    of_copies[:n] += degree - inside
    return node, of_copies, parts


def separate(node: IntArray, inside: IntArray, community: IntArray, sizes: IntArray, rng: np.random.Generator) -> None:
    """Exchange the communities of copies until no two of a node are in the same one.

    Parameters
    ----------
    node, inside, community : ndarray of int64, shape (n_copies,)
        `community` is changed.
    sizes : ndarray of int64, shape (n_communities,)
    rng : Generator

    Raises
    ------
    UsageError
        There is no room.
    """
    homes = Counter(zip(node.tolist(), community.tolist(), strict=True))
    for copy in np.flatnonzero([homes[pair] > 1 for pair in zip(node.tolist(), community.tolist(), strict=True)]):
        i, home = int(node[copy]), int(community[copy])
        if homes[i, home] < 2:
            continue
        for other in rng.integers(0, len(node), _ATTEMPTS).tolist():
            j, target = int(node[other]), int(community[other])
            fits = inside[copy] < sizes[target] and inside[other] < sizes[home]
            if fits and not homes[i, target] and not homes[j, home]:
                homes.subtract([(i, home), (j, target)])
                homes.update([(i, target), (j, home)])
                community[copy], community[other] = target, home
                break
        else:
            raise UsageError("a node cannot be placed in as many communities as it has")


def untangle(
    source: IntArray, target: IntArray, kind: IntArray, members: list[set[int]], rng: np.random.Generator
) -> None:
    """Exchange ends of edges until the graph is simple and external edges join nodes without a common community.

    Parameters
    ----------
    source, target : ndarray of int64, shape (n_edges,)
        Ends, which are changed.
    kind : ndarray of int64, shape (n_edges,)
        The community of an internal edge, -1 for external ones. Only edges of the same kind exchange ends.
    members : list of sets
        The communities of each node.
    rng : Generator

    Raises
    ------
    UsageError
        There is no such graph nearby.
    """
    of_kind: dict[int, IntArray] = {}
    pairs = Counter(zip(np.minimum(source, target).tolist(), np.maximum(source, target).tolist(), strict=True))

    def is_wrong(a: int, b: int, edge_kind: int) -> bool:
        return a == b or (edge_kind < 0 and not members[a].isdisjoint(members[b]))

    def key(a: int, b: int) -> tuple[int, int]:
        return (a, b) if a < b else (b, a)

    ends = zip(source.tolist(), target.tolist(), kind.tolist(), strict=True)
    for edge in [e for e, (a, b, k) in enumerate(ends) if is_wrong(a, b, k) or pairs[key(a, b)] > 1]:
        a, b, k = int(source[edge]), int(target[edge]), int(kind[edge])
        if not is_wrong(a, b, k) and pairs[key(a, b)] < 2:
            continue  # its repeat has gone
        if k not in of_kind:
            of_kind[k] = np.flatnonzero(kind == k)
        for other in of_kind[k][rng.integers(0, len(of_kind[k]), _ATTEMPTS)].tolist():
            c, d = int(source[other]), int(target[other])
            if rng.random() < 0.5:
                c, d = d, c
            first, second = key(a, d), key(c, b)
            if is_wrong(a, d, k) or is_wrong(c, b, k) or pairs[first] or pairs[second] or first == second:
                continue
            pairs.subtract([key(a, b), key(c, d)])
            pairs.update([first, second])
            (source[edge], target[edge]), (source[other], target[other]) = first, second
            break
        else:
            raise UsageError("an edge cannot be placed so that the graph is simple")
