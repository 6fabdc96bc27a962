"""Work on a very large graph that the processes of a Dask cluster share, with the same result as without them.

Each worker holds the rows of some windows of nodes (`graphclust.kernels.aggregation.windows_of`), and a copy of the
partition. It finds the best moves of its nodes of each batch, refines some communities, and adds up its rows over sets
of nodes. This process makes the moves in their order, and sends them with the next batch. Everything that a worker
holds can be sent again: if one is lost, others take its rows, and the work of the batch is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphclust.kernels.adjacency import Adjacency, IndexArray, Records, grouped
from graphclust.kernels.aggregation import Sums, window_sums, windows_of
from graphclust.kernels.local_moves import (
    MASS,
    PART,
    Changes,
    Replica,
    new_sums,
    part_nodes,
    refine,
    visiting_order,
)
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.cluster import Cluster
from graphclust.runtime.threads import Threads

__all__ = ["Proposals", "Workers"]

_AHEAD = 2  # windows of each worker whose sums are made before they are needed
_SHARES = 4  # ranges of communities that each worker refines, one after the other, so that they take less memory
_MOST_HELD = 2  # graphs


class _Window(NamedTuple):
    """The rows and masses of consecutive nodes, from `first` on; no masses if only rows are added up."""

    first: int
    rows: Adjacency
    masses: Records


class _Piece(NamedTuple):
    """The rows of some nodes, without neighbors in other communities; see `Adjacency`.

    Attributes
    ----------
    nodes : ndarray of int32, shape (n_nodes,)
    u, v : ndarray of float64, shape (n_nodes,)
        Their weights.
    n_neighbors : ndarray of int32, shape (n_nodes,)
    neighbor, weight
    """

    nodes: IndexArray
    u: FloatArray
    v: FloatArray
    n_neighbors: IndexArray
    neighbor: IndexArray
    weight: FloatArray


class _Held:
    """The windows of a graph, and the workers that hold them."""

    def __init__(self, cluster: Cluster, rows: Adjacency, masses: Records | None) -> None:
        self.rows, self.masses, self._cluster = rows, masses, cluster
        self.windows = windows_of(rows.start)
        self.ends = np.array([last for _, last in self.windows])
        self.homes: list[str] = []
        self.futures: list[Any] = []

    def settle(self) -> list[str]:
        """Send the windows that no worker holds; return the addresses of the workers."""
        addresses, number = self._cluster.addresses(), len(self.windows)
        if not self.homes:
            self.homes, self.futures = [""] * number, [None] * number
        load = dict.fromkeys(addresses, 0)
        for home in self.homes:
            if home in load:
                load[home] += 1
        most = -(-number // len(addresses))
        for place, home in enumerate(self.homes):
            if home in load and self.futures[place].status == "finished":
                continue
            home = next((address for address in addresses if load[address] < most), min(load, key=load.__getitem__))
            load[home] += 1
            self.homes[place] = home
            self.futures[place] = self._cluster.send(self._window(place), [home])
        return addresses

    def of(self, address: str) -> list[int]:
        """Return the numbers of the windows that a worker holds."""
        return [place for place, home in enumerate(self.homes) if home == address]

    def _window(self, place: int) -> _Window:
        first, last = self.windows[place]
        start, neighbor, weight = self.rows
        begin, end = start[first], start[last]
        weight = weight[begin:end] if len(weight) > 1 else weight
        rows = Adjacency(start[first : last + 1] - begin, neighbor[begin:end], weight)
        return _Window(first, rows, np.zeros(0, MASS) if self.masses is None else self.masses[first:last])


class Workers:
    """The processes of a cluster, for `graphclust.runtime.threads.Threads`.

    Parameters
    ----------
    cluster : Cluster
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._held: list[_Held] = []

    def proposals(self, rows: Adjacency, masses: Records, replica: Replica) -> Proposals:
        """Return what proposes moves of the nodes of a graph, whose partition is that of a replica."""
        return Proposals(self.cluster, self._holding(rows, masses), replica)

    def _holding(self, rows: Adjacency, masses: Records | None = None) -> _Held:
        """Return the windows of a graph, which workers hold until they are given other graphs."""
        for held in self._held:
            if held.rows.neighbor is rows.neighbor and (masses is None or held.masses is not None):
                return held
        self._held = [*self._held[1 - _MOST_HELD :], _Held(self.cluster, rows, masses)]
        return self._held[-1]

    def sums_of_windows(self, rows: Adjacency, labels: IndexArray, n_labels: int) -> Iterator[Sums]:
        """Yield what `window_sums` returns for each window of a graph."""
        held, done = self._holding(rows), 0

        def some() -> list[Sums]:
            addresses = held.settle()
            shared = self.cluster.send(labels, addresses)
            places = range(done, min(done + _AHEAD * len(addresses), len(held.windows)))
            calls = [
                self.cluster.call(held.homes[place], _window_sums, held.futures[place], shared, n_labels)
                for place in places
            ]
            return self.cluster.results(calls)

        while done < len(held.windows):
            sums = self.cluster.completed(some)
            done += len(sums)
            yield from sums

    def refined(
        self, rows: Adjacency, masses: Records, labels: IndexArray, n_labels: int, gamma: float, beta: float, key: int
    ) -> IndexArray:
        """Refine the communities 0, ..., n_labels - 1 as `graphclust.kernels.leiden` does, some ranges by each worker.

        Returns
        -------
        ndarray of int32, shape (n,)
            A node of the part of each node.
        """
        held, n = self._holding(rows, masses), len(labels)
        work = np.cumsum(np.bincount(labels, np.diff(rows.start), minlength=n_labels)[:n_labels])

        def attempt() -> list[tuple[IndexArray, IndexArray]]:
            cluster, addresses = self.cluster, held.settle()
            shares = np.linspace(0, work[-1], _SHARES * len(addresses) + 1)[1:-1]
            cuts = [0, *np.searchsorted(work, shares).tolist(), n_labels]
            shared = cluster.send(labels, addresses)
            homes = sorted(set(held.homes), key=held.homes.index)  # in the order of their windows
            pieces = {
                home: cluster.call(home, _pieces, [held.futures[place] for place in held.of(home)], shared, cuts)
                for home in homes
            }
            calls = []
            for i in range(len(cuts) - 1):
                own = [cluster.call(home, _piece, pieces[home], i) for home in homes]
                address = addresses[i // _SHARES]
                calls.append(cluster.call(address, _refined, own, shared, cuts[i : i + 2], n, gamma, beta, key))
            return cluster.results(calls)

        refined = np.arange(n, dtype=np.int32)
        for nodes, parts in self.cluster.completed(attempt):
            refined[nodes] = parts
        return refined


class Proposals:
    """The best moves of the nodes of batches, as workers find them.

    Parameters
    ----------
    cluster : Cluster
    held : _Held
    replica : Replica
        The partition at the time of the first batch. Its arrays are those that change.
    """

    def __init__(self, cluster: Cluster, held: _Held, replica: Replica) -> None:
        self._cluster, self._held, self._replica = cluster, held, replica
        self._copies: dict[str, Any] = {}
        self._addresses: list[str] = []

    def __enter__(self) -> Proposals:
        self._cluster.completed(self._settle)
        return self

    def __exit__(self, *_: object) -> None:
        self._copies.clear()

    def _settle(self) -> None:
        """Send workers the rows and the partition that they do not have."""
        self._addresses = self._held.settle()
        new = [address for address in self._addresses if address not in self._copies]
        if new:
            self._send_partition(new)

    def _send_partition(self, addresses: Sequence[str]) -> None:
        shared = self._cluster.send(self._replica, addresses)
        copies = {address: self._cluster.call(address, _own, shared, _is_here(address)) for address in addresses}
        self._cluster.results([self._cluster.call(address, _turn, copies[address]) for address in addresses])
        self._copies.update(copies)

    def asked(
        self, changes: Changes, nodes: IndexArray, turn: int
    ) -> Callable[[], list[tuple[IndexArray, IndexArray]]]:
        """Ask for the best moves of some nodes, and return a function that waits for the answers.

        Parameters
        ----------
        changes : Changes
            The moves since the last batch.
        nodes : ndarray of int32, shape (n_nodes,)
        turn : int

        Returns
        -------
        callable
            It returns a list of two ndarrays of int32: places in `nodes`, and the labels that they should move to.
        """
        self._replica.turn = turn
        self._cluster.n_batches += 1
        self._cluster.n_visits += len(nodes)
        calls: list[list[Any] | None] = [self._calls(changes, nodes, turn)]

        def attempt() -> list[tuple[IndexArray, IndexArray]]:
            first = calls.pop() if calls else None
            if first is None:
                self._copies = {home: own for home, own in self._copies.items() if own.status == "finished"}
                self._settle()
                first = self._calls(changes, nodes, turn)
            answers = self._cluster.results([call for _, call in first])
            late = [address for (address, _), answer in zip(first, answers, strict=True) if answer is None]
            if late:
                self._send_partition(late)
                again = [call for call in self._calls(changes, nodes, turn) if call[0] in late]
                renewed = dict(zip(late, self._cluster.results([call for _, call in again]), strict=True))
                answers = [
                    renewed[address] if answer is None else answer
                    for (address, _), answer in zip(first, answers, strict=True)
                ]
            return [pair for answer in answers for pair in answer]

        return lambda: self._cluster.completed(attempt)

    def _calls(self, changes: Changes, nodes: IndexArray, turn: int) -> list[tuple[str, Any]]:
        """Call each worker: it makes the changes, and finds the best moves of its nodes."""
        window = np.searchsorted(self._held.ends, nodes, side="right")
        order = np.argsort(window, kind="stable").astype(np.int32)
        windows, begin = np.unique(window[order], return_index=True)
        places = dict(zip(windows.tolist(), np.split(order, begin[1:]), strict=False))
        calls = []
        for address in self._addresses:
            own = [place for place in self._held.of(address) if place in places]
            rows = [self._held.futures[place] for place in own]
            wanted = [places[place] for place in own]
            asked = [nodes[some] for some in wanted]
            args = (_best_moves, self._copies[address], changes, turn, rows, asked, wanted)
            calls.append((address, self._cluster.call(address, *args)))
        return calls


# ------------------------------------------------------------------------------------------------ run by workers


def _threads() -> Threads:
    """Return the threads that a worker has."""
    from distributed import get_worker

    return Threads(get_worker().state.nthreads)


def _is_here(address: str) -> bool:
    """Whether a worker is a thread of this process, so that what it is sent is not copied."""
    return address.startswith("inproc:")


def _own(replica: Replica, is_shared: bool) -> Replica:
    return replica.copy(is_shared)


def _turn(replica: Replica) -> int:
    return replica.turn


def _best_moves(
    replica: Replica,
    changes: Changes,
    turn: int,
    windows: Iterable[_Window],
    nodes: Iterable[IndexArray],
    places: Iterable[IndexArray],
) -> list[tuple[IndexArray, IndexArray]] | None:
    """Bring a replica up to date, and return the moves of nodes; None if it is too old.

    Parameters
    ----------
    replica : Replica
    changes : Changes
        The moves of the turn before.
    turn : int
    windows, nodes, places
        For each window: its rows, the nodes that are visited, and their places in the batch.
    """
    if replica.turn == turn - 1:
        replica.make(changes, turn)
    if replica.turn != turn:
        return None
    answers = []
    with _threads() as threads:
        for (first, rows, masses), some, own in zip(windows, nodes, places, strict=True):
            found, targets = replica.best_moves(rows, masses, first, some, threads)
            answers.append((own[found], targets))
    return answers


def _window_sums(window: _Window, labels: IndexArray, n_labels: int) -> Sums:
    with _threads() as threads:
        return window_sums(window.rows, labels, n_labels, threads, window.first)


def _pieces(windows: Sequence[_Window], labels: IndexArray, cuts: Sequence[int]) -> list[_Piece]:
    """Return the rows of windows within communities, in pieces: the labels of each are from a cut to the next one."""
    several = [_pieces_of(window, labels, cuts) for window in windows]
    return [_Piece(*map(np.concatenate, zip(*parts, strict=True))) for parts in zip(*several, strict=True)]


def _pieces_of(window: _Window, labels: IndexArray, cuts: Sequence[int]) -> list[_Piece]:
    first, rows, masses = window
    n = len(masses)
    own = labels[first : first + n]
    row = np.repeat(np.arange(n, dtype=np.int32), np.diff(rows.start))
    is_inside = own[row] == labels[rows.neighbor]
    row, neighbor = row[is_inside], rows.neighbor[is_inside]
    is_weighted = len(rows.weight) == len(rows.neighbor)
    weight = rows.weight[is_inside] if is_weighted else rows.weight
    length, group = np.bincount(row, minlength=n).astype(np.int32), np.searchsorted(cuts, own, side="right") - 1
    pieces = []
    for i in range(len(cuts) - 1):
        nodes, entries = np.flatnonzero(group == i), group[row] == i
        some = weight[entries] if is_weighted else weight
        ids = (nodes + first).astype(np.int32)
        pieces.append(_Piece(ids, masses["u"][nodes], masses["v"][nodes], length[nodes], neighbor[entries], some))
    return pieces


def _piece(pieces: Sequence[_Piece], i: int) -> _Piece:
    return pieces[i]


def _refined(
    pieces: Sequence[_Piece],
    labels: IndexArray,
    ends: Sequence[int],
    n: int,
    gamma: float,
    beta: float,
    key: int,
) -> tuple[IndexArray, IndexArray]:
    """Refine the communities from one label up to another, whose rows are in the pieces; return nodes and parts."""
    first_label, end = ends
    nodes = np.concatenate([piece.nodes for piece in pieces])
    masses = np.zeros(len(nodes), MASS)
    masses["u"] = np.concatenate([piece.u for piece in pieces])
    masses["v"] = np.concatenate([piece.v for piece in pieces])
    start = np.zeros(len(nodes) + 1, np.int64)
    np.cumsum(np.concatenate([piece.n_neighbors for piece in pieces]), out=start[1:])
    place = np.full(n, -1, np.int32)
    place[nodes] = np.arange(len(nodes), dtype=np.int32)
    neighbor = place[np.concatenate([piece.neighbor for piece in pieces])]
    weight = np.concatenate([piece.weight for piece in pieces])
    if len(weight) != len(neighbor):  # all the same
        weight = weight[:1]
    rows, own, n_labels = Adjacency(start, neighbor, weight), labels[nodes] - np.int32(first_label), end - first_label
    order = place[visiting_order(n, key, is_large=True)]
    grouping = grouped(own, order[order >= 0], n_labels)
    refined, parts = np.arange(len(nodes), dtype=np.int32), np.zeros(len(nodes), PART)
    rising = np.argsort(nodes)  # the order in which one process adds up
    sums = tuple(
        np.bincount(own[rising], masses[name][rising], n_labels).astype(np.float64, copy=False) for name in ("u", "v")
    )
    degree, work = np.diff(start), np.zeros(n_labels + 1, np.int64)
    work[1:] = np.cumsum(np.bincount(own, degree, minlength=n_labels))
    part_nodes(rows, masses, own, parts, 0, len(nodes))
    with _threads() as threads:
        tables = [new_sums(int(degree.max(initial=0))) for _ in range(threads.number)]

        def refine_some(t: int) -> None:
            shares = np.searchsorted(work, np.linspace(0, work[-1], threads.number + 1)[1:-1]).tolist()
            cuts = [0, *shares, n_labels]
            shared = (rows, own, sums[0], sums[1], *grouping, nodes, refined, parts, *tables[t])
            refine(*shared, gamma, beta, key, cuts[t], cuts[t + 1])

        threads.run(refine_some)
    return nodes, nodes[refined]
