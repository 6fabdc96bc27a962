"""The Leiden algorithm (Traag, Waltman & van Eck 2019) and the Louvain algorithm (Blondel et al. 2008), multithreaded.

Both move nodes between communities (`graphclust.kernels.local_moves`, which defines the quality), build a graph whose
nodes are sets of nodes, and go on with that graph until every node is a community of its own. The sets of Louvain are
the communities. Those of Leiden are connected parts of communities: at first each node is a part. Parts of one node
are visited once each, and may merge with another part of the same community, chosen at random with probabilities in
proportion to exp(gain / beta). Both parts have to be well connected to the rest of their community, that is, by more
weight than gamma (U V' + V U') for the part's and the rest's sums of u and v. Communities are connected, unless fixed
nodes hold them together. The communities of a graph's nodes are refined independently of each other, so that threads
share them.

Leiden is iterated from its own result. Three things make it faster on large graphs. After some rounds of moves, nodes
are renumbered by their communities: then neighbors are close to each other in memory. The sets of the first of several
iterations are the communities, as in Louvain: their graph is smaller, and later iterations split what should not have
been merged. On graphs of a few hundred nodes, that would cost .0005 of modularity. And an iteration visits only nodes
whose surroundings the one before has changed by moving sets, until nothing changes; then all nodes have a last visit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.kernels.adjacency import (
    Adjacency,
    IndexArray,
    Records,
    connected_rows,
    grouped,
    mark_neighbors,
    numbered,
    read_ahead,
    run_rows,
)
from graphclust.kernels.aggregation import aggregated, renumbered
from graphclust.kernels.local_moves import (
    MASS,
    PART,
    Moves,
    is_very_large,
    move_nodes,
    new_sums,
    part_nodes,
    refine,
    staying,
    visiting_order,
)
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.progress import task
from graphclust.runtime.storage import without_readahead
from graphclust.runtime.threads import Threads

__all__ = ["leiden", "leiden_levels", "leiden_update", "louvain"]

_ENOUGH_TO_RENUMBER, _ENOUGH = 0.1, 0.03  # shares of nodes that move in the last round before what follows
_TURNS, _MOST_DEPTH = 2, 2  # the two largest graphs of sets are iterated twice, as they cost least for what they gain
_LARGE = 50_000  # nodes
_REFINED_SHARE = 0.05  # of the entries of rows, up to which an update of a large graph refines communities
_LEAST_BETA = 1e-300
_MOST_REFINED = 1 << 18  # nodes of a very large graph that are refined at once: their rows lie in long blocks


class _Level(NamedTuple):
    rows: Adjacency
    masses: Records


@dataclass
class _Disturbed:
    """The nodes whose surroundings have changed since their last visit; None for all."""

    nodes: NDArray[np.bool_] | None = None


class _Search(NamedTuple):
    """What stays the same on all levels; `beta` is None for Louvain."""

    gamma: float
    beta: float | None
    threads: Threads
    max_size: int | None
    enough: float = 0.0


def _refined(
    level: _Level, labels: IndexArray, n_labels: int, search: _Search, beta: float, key: int
) -> tuple[IndexArray, IndexArray]:
    """Refine the communities 0, ..., n_labels - 1; the nodes of others, of larger labels, stay alone.

    Returns
    -------
    refined : ndarray of int32, shape (n,)
        A node of the part of each node.
    members : ndarray of int32, shape (n,)
        The nodes, sorted by community.
    """
    n, rows, masses, threads = len(labels), level.rows, level.masses, search.threads
    order, n_all = visiting_order(n, key, is_large=is_very_large(rows.start)), max(n_labels, int(labels.max()) + 1)
    beta = max(beta, _LEAST_BETA)
    if threads.workers is not None and is_very_large(rows.start):
        refined = threads.workers.refined(rows, masses, labels, n_labels, search.gamma, beta, key)
        return refined, grouped(labels, order, n_all)[1]
    refined, parts = np.arange(n, dtype=np.int32), np.zeros(n, PART)
    run_rows(threads, rows.start, lambda _, first, last: part_nodes(rows, masses, labels, parts, first, last))
    threads.release()
    sums = tuple(np.bincount(labels, masses[name], n_labels).astype(np.float64, copy=False) for name in ("u", "v"))
    degree = np.diff(rows.start)
    tables = [new_sums(int(degree.max(initial=0))) for _ in range(threads.number)]
    names = np.zeros(0, np.int32)
    for begin in range(0, n, _MOST_REFINED):
        some = order[begin : begin + _MOST_REFINED]
        first_member, members = grouped(labels[some], np.arange(len(some), dtype=np.int32), n_all)
        grouping = first_member, some[members]
        work = np.zeros(n_labels + 1, np.int64)
        work[1:] = np.cumsum(np.bincount(labels[some], degree[some], minlength=n_labels)[:n_labels])

        def refine_some(t: int, first: int, last: int, grouping: tuple[IntArray, IndexArray] = grouping) -> None:
            shared = (rows, labels, sums[0], sums[1], *grouping, names, refined, parts, *tables[t])
            refine(*shared, search.gamma, beta, key, first, last)

        with without_readahead(rows.neighbor, rows.weight):
            if threads.storage is not None:
                read_ahead(rows.start, some, rows.neighbor, rows.weight)
            run_rows(threads, work, refine_some)
        threads.release()
    return refined, grouped(labels, order, n_all)[1] if n > _MOST_REFINED else grouping[1]


def _parts(
    level: _Level, labels: IndexArray, n_labels: int, search: _Search, beta: float, key: int
) -> tuple[IndexArray, int]:
    """Return the connected part of each node, numbered by communities, and the number of parts."""
    return numbered(*_refined(level, labels, n_labels, search, beta, key))


def _coarser(level: _Level, parts: IndexArray, n_parts: int, threads: Threads) -> _Level:
    masses = threads.new_array(n_parts, MASS)
    for name in MASS.names or ():
        masses[name] = np.bincount(parts, level.masses[name], minlength=n_parts)
    masses["is_fixed"] = masses["is_fixed"] > 0
    return _Level(aggregated(level.rows, parts, n_parts, threads), masses)


def _moved(
    level: _Level, labels: IndexArray, search: _Search, key: int, waiting: NDArray[np.bool_] | None = None
) -> Moves:
    return move_nodes(
        *level,
        labels,
        search.gamma,
        seed=key,
        threads=search.threads,
        max_size=search.max_size,
        enough=search.enough,
        waiting=waiting,
    )


def _cycle(
    level: _Level,
    labels: IndexArray,
    search: _Search,
    key: int,
    depth: int = 0,
    trace: list[IndexArray] | None = None,
    disturbed: _Disturbed | None = None,
) -> IndexArray:
    """Move nodes, and then ever larger sets of nodes; return the labels of the nodes.

    The set of each node, or of each set of the level before, is added to `trace`. Of the nodes, those that have been
    disturbed wait, and those that moves of sets disturb are left for the next cycle.
    """
    n = len(level.masses)
    waiting = None if disturbed is None else disturbed.nodes
    moves = _moved(level, labels, search if depth == 0 else search._replace(enough=0.0), key, waiting)
    labels, n_labels = numbered(moves.labels)
    if n_labels == n:
        return labels
    parts, n_parts = labels, n_labels
    if search.beta is not None:
        parts, n_parts = _parts(level, labels, n_labels, search, search.beta, key)
        if n_parts == n:  # by chance no node merged with another
            parts, n_parts = _parts(level, labels, n_labels, search, 0.0, key)
    if n_parts == n:
        return labels if level.masses["is_fixed"].any() else connected_rows(level.rows, labels)
    if trace is not None:
        trace.append(parts)
    coarser, coarse_labels = _coarser(level, parts, n_parts, search.threads), np.zeros(n_parts, np.int32)
    coarse_labels[parts] = labels
    with search.threads.without_workers():  # the coarser graph is much smaller
        for turn in range(_TURNS if search.beta is not None and depth < _MOST_DEPTH else 1):
            before = coarse_labels
            coarse_labels = _cycle(coarser, coarse_labels, search, _key(key, turn), depth + 1, trace)
            if np.array_equal(before, coarse_labels):
                break
    if disturbed is not None:
        disturbed.nodes = _disturbed_nodes(level.rows, labels, parts, coarse_labels)
    return numbered(coarse_labels[parts])[0]


def _disturbed_nodes(rows: Adjacency, labels: IndexArray, parts: IndexArray, after: IndexArray) -> NDArray[np.bool_]:
    """Return the nodes of sets that are no longer with most nodes of their community, and the neighbors of these.

    Parameters
    ----------
    rows : Adjacency
    labels : ndarray of int32, shape (n,)
        Communities of the nodes before the moves of sets.
    parts : ndarray of int32, shape (n,)
        The set of each node.
    after : ndarray of int32, shape (n_parts,)
        Communities of the sets.
    """
    size, before = np.bincount(parts), np.zeros(len(after), np.int64)
    before[parts] = labels
    pairs, place = np.unique(after.astype(np.int64) * (before.max() + 1) + before, return_inverse=True)
    weight = np.bincount(place, size)
    community = pairs // (before.max() + 1)
    order = np.lexsort((weight, community))
    is_last = np.append(np.diff(community[order]) > 0, True)
    is_kept = np.zeros(len(pairs), dtype=bool)
    is_kept[order[is_last]] = True
    moved = ~is_kept[place][parts]
    nodes = moved.copy()
    mark_neighbors(rows, moved, nodes)
    return nodes


def leiden(
    rows: Adjacency,
    masses: Records,
    gamma: float,
    *,
    threads: Threads,
    start: IntArray | None = None,
    n_iterations: int = 4,
    beta: float = 0.01,
    seed: int = 0,
    max_size: int | None = None,
) -> IntArray:
    """Find communities by the Leiden algorithm.

    Parameters
    ----------
    rows : Adjacency
    masses : array of `MASS`, shape (n,)
    gamma : float
        See `graphclust.kernels.local_moves`.
    threads : Threads
    start : ndarray of int64, shape (n,), optional
        The partition at the start; by default each node is a community. Fixed nodes stay in their communities; other
        nodes without edges leave theirs. Communities at the start may be larger than `max_size`, and do not grow.
    n_iterations : int
        Maximum number of iterations; -1 means until an iteration changes nothing.
    beta : float
        Randomness of merging parts, in units of the mean weight of an edge.
    seed : int
    max_size : int, optional
        Largest sum of the sizes of the nodes of a community.

    Returns
    -------
    ndarray of int64, shape (n,)
        Labels 0, 1, ... in the order of the nodes.
    """
    n = len(masses)
    if n == 0:
        return np.zeros(0, np.int64)
    level, rank = _Level(rows, masses), None
    labels = _first_labels(rows, masses, start)
    mean_weight = float(rows.weight.mean()) if len(rows.weight) else 1.0
    search = _Search(gamma, beta * mean_weight, threads, max_size)
    iteration = 0
    if n > _LARGE:
        first = search._replace(enough=_ENOUGH_TO_RENUMBER)
        labels = _moved(level, labels, first, _key(seed, 0, 0)).labels
        level, labels, rank = _renumbered(level, labels, threads)
    disturbed = _Disturbed() if n > _LARGE else None
    with task("leiden", n_iterations if n_iterations > 0 else None) as advance:
        while iteration != n_iterations:
            is_first = iteration == 0 and n_iterations != 1 and n > _LARGE
            before, are_all = labels, disturbed is None or disturbed.nodes is None
            way = search._replace(beta=None, enough=_ENOUGH) if is_first else search
            labels = _cycle(level, labels, way, _key(seed, iteration), disturbed=disturbed)
            iteration += 1
            advance()
            is_same = np.array_equal(labels, before) and not is_first
            if is_same and are_all:
                break
            if disturbed is not None and (is_first or is_same):
                disturbed.nodes = None
    return numbered(labels if rank is None else labels[rank])[0].astype(np.int64)


def leiden_update(
    rows: Adjacency,
    masses: Records,
    gamma: float,
    start: IntArray,
    has_changed: NDArray[np.bool_],
    *,
    threads: Threads,
    beta: float = 0.01,
    seed: int = 0,
) -> IntArray:
    """Bring communities up to date with a graph that has changed since they were found.

    Nodes that have changed are visited, and then those of their communities whose neighbors have moved. A community
    without a changed node takes in nodes, but none leaves it. The other communities are divided into their connected
    parts, and some of them refined further, as in an iteration of Leiden; these parts, and what they disturb, are
    moved. This takes a tenth of the time of `leiden` if a fifth of the nodes has changed. On large graphs, communities
    with a twentieth of all edges are refined, which are chosen at random: without that, the modularity of com-dblp
    would fall behind by .15 % in ten updates that rewire 15 % of the edges.

    Parameters
    ----------
    rows, masses, gamma, threads, beta, seed
        See `leiden`.
    start : ndarray of int64, shape (n,)
        The communities.
    has_changed : ndarray of bool, shape (n,)
        Nodes with other edges than when the communities were found.

    Returns
    -------
    ndarray of int64, shape (n,)
        Labels 0, 1, ... in the order of the nodes. Communities are connected.
    """
    before = _first_labels(rows, masses, start)
    level = _Level(rows, masses)
    search = _Search(gamma, beta * (float(rows.weight.mean()) if len(rows.weight) else 1.0), threads, None)
    with task("leiden"):
        still = level._replace(masses=staying(masses, before, has_changed))
        moved = _moved(still, before, search, _key(seed, 0), has_changed).labels
        has_moved = moved != before
        is_touched = np.zeros(len(masses) + 1, dtype=bool)  # by label
        is_touched[before[has_moved]] = True
        is_touched[moved[has_changed | has_moved]] = True
        parts = _divided(level, moved, is_touched, search, _key(seed, 1))
        n_parts = int(parts.max(initial=-1)) + 1
        coarse_labels, waiting = np.zeros(n_parts, np.int32), np.zeros(n_parts, dtype=bool)
        coarse_labels[parts], waiting[parts] = moved, is_touched[moved]
        coarser, coarse_labels = _coarser(level, parts, n_parts, threads), numbered(coarse_labels)[0]
        with threads.without_workers():
            labels = _cycle(coarser, coarse_labels, search, _key(seed, 2), 1, disturbed=_Disturbed(waiting))
    return numbered(labels[parts])[0].astype(np.int64)


def _divided(level: _Level, labels: IndexArray, is_touched: NDArray[np.bool_], search: _Search, key: int) -> IndexArray:
    """Return the connected parts of communities, of which some that are touched are refined before.

    On large graphs, these are chosen at random, until their rows have `_REFINED_SHARE` of all entries.
    """
    n, refining = len(labels), np.flatnonzero(is_touched)
    if n > _LARGE:
        refining = np.random.default_rng(key).permutation(refining)
        work = np.cumsum(np.bincount(labels, np.diff(level.rows.start), minlength=len(is_touched))[refining])
        refining = refining[: int(np.searchsorted(work, _REFINED_SHARE * level.rows.start[-1]))]
    number = np.full(len(is_touched), len(refining), np.int32)
    number[refining] = np.arange(len(refining), dtype=np.int32)
    chosen = number[labels]
    divided = _refined(level, chosen, len(refining), search, search.beta or 0.0, key)[0]
    is_whole = chosen == len(refining)
    divided[is_whole] = n + labels[is_whole]
    return connected_rows(level.rows, divided)


def _key(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _renumbered(level: _Level, labels: IndexArray, threads: Threads) -> tuple[_Level, IndexArray, IndexArray]:
    """Return the graph with its nodes sorted by labels, their labels, and the new place of each node."""
    n = len(labels)
    labels, n_labels = numbered(labels)
    order = grouped(labels, np.arange(n, dtype=np.int32), n_labels)[1]
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    masses = threads.new_array(n, MASS)
    masses[:] = level.masses[order]
    return _Level(renumbered(level.rows, rank, threads), masses), numbered(labels[order])[0], rank


def _first_labels(rows: Adjacency, masses: Records, start: IntArray | None) -> IndexArray:
    """Return labels 0, 1, ... of the partition at the start, in which nodes without edges are alone."""
    if start is None:
        return np.arange(len(masses), dtype=np.int32)
    n = len(masses)
    if start.min(initial=0) >= 0 and start.max(initial=0) <= 4 * n:
        labels = numbered(start.astype(np.int32))[0]
    else:
        labels = np.unique(start, return_inverse=True)[1].astype(np.int32)
    isolated = np.flatnonzero((np.diff(rows.start) == 0) & (masses["is_fixed"] == 0))
    labels[isolated] = labels.max() + 1 + np.arange(len(isolated), dtype=np.int32)
    return numbered(labels)[0]


def louvain(
    rows: Adjacency,
    masses: Records,
    gamma: float,
    *,
    threads: Threads,
    start: IntArray | None = None,
    seed: int = 0,
    max_size: int | None = None,
) -> list[IntArray]:
    """Find communities by the Louvain algorithm.

    Parameters
    ----------
    rows, masses, gamma, threads, start, seed, max_size
        See `leiden`.

    Returns
    -------
    list of ndarray of int64, shape (n,)
        Labels 0, 1, ... on each level, the finest first. A community lies within one of the next level; those of the
        last level are the result.
    """
    n = len(masses)
    if n == 0:
        return [np.zeros(0, np.int64)]
    trace: list[IndexArray] = []
    labels = _first_labels(rows, masses, start)
    with task("louvain"):
        labels = _cycle(_Level(rows, masses), labels, _Search(gamma, None, threads, max_size), seed, trace=trace)
    return _levels(trace, labels.astype(np.int64))


def leiden_levels(
    rows: Adjacency,
    masses: Records,
    gamma: float,
    labels: IntArray,
    *,
    threads: Threads,
    beta: float = 0.01,
    seed: int = 0,
) -> list[IntArray]:
    """Return the parts of Leiden's communities on all levels, the finest first, and the communities themselves.

    The parts are connected. Those of the first level are made of nodes, those of the next one of these parts, and so
    on, as long as parts merge.

    Parameters
    ----------
    rows, masses, gamma, threads, beta, seed
        See `leiden`.
    labels : ndarray of int64, shape (n,)
        Communities 0, 1, ..., such as those of `leiden`.

    Returns
    -------
    list of ndarray of int64, shape (n,)
    """
    search = _Search(gamma, beta * (float(rows.weight.mean()) if len(rows.weight) else 1.0), threads, None)
    level = _Level(rows, masses)
    trace: list[IndexArray] = []
    communities, n_communities = numbered(labels.astype(np.int32))
    while len(communities) > n_communities:
        parts, n_parts = _parts(level, communities, n_communities, search, search.beta or 0.0, _key(seed, len(trace)))
        if n_parts == len(communities):
            break
        trace.append(parts)
        level, coarse = _coarser(level, parts, n_parts, threads), np.zeros(n_parts, np.int32)
        coarse[parts] = communities
        communities = coarse
    return _levels(trace, labels)


def _levels(trace: list[IndexArray], labels: IntArray) -> list[IntArray]:
    """Return the labels of the nodes on each level: `trace` has the sets of nodes, of these sets, and so on."""
    levels: list[IntArray] = []
    for parts in trace:
        levels.append((parts if not levels else parts[levels[-1]]).astype(np.int64))
    if levels and levels[-1].max(initial=-1) == labels.max(initial=-1):  # one set for each community
        levels.pop()
    return [*levels, labels]
