"""An earlier partition that a search starts from: what has changed in the graph since, and how numbers are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph, canonical_positions, places_of, same_ids
from graphclust.graph.labels import plain_labels, whole_numbers
from graphclust.io.partition import read_partition
from graphclust.metrics import rank_labels
from graphclust.results.changes import Changes, Matching
from graphclust.results.communities import Communities, labels_of
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note, counted

__all__ = ["Previous", "Start", "check_start", "described"]


class Start(NamedTuple):
    """A partition of the nodes of a core to start from.

    Attributes
    ----------
    labels : ndarray of int64, shape (n_nodes,)
        0, 1, ... Each node that the earlier partition did not have is a community of its own.
    has_changed : ndarray of bool, shape (n_nodes,)
        Whether the node is new, or has gained or lost an edge; also if this is not known.
    """

    labels: IntArray
    has_changed: NDArray[np.bool_]


def check_start(start: Any, **others: Any) -> None:
    """Check a start as far as that does not depend on the graph.

    Parameters
    ----------
    start
        See `Previous.of`.
    **others
        What it cannot be combined with, under the names of the parameters; None or False where it is not asked for.

    Raises
    ------
    UsageError
    """
    if start is None:
        return
    for name, value in others.items():
        if value is not None and value is not False:
            raise UsageError(f"start cannot be combined with {name}: communities are those that the start becomes")
    if not isinstance(start, Communities | str | os.PathLike | Mapping | list | tuple | np.ndarray) and (
        plain_labels(start) is start
    ):
        raise UsageError(
            f"start is an earlier result, labels of the nodes, a list of communities, or a file, not {start!r:.60}"
        )


def described(start: Any) -> str | None:
    """Return what is reported of a start: its file, or its size."""
    if start is None:
        return None
    if isinstance(start, str | os.PathLike):
        return str(start)
    if isinstance(start, Communities):
        size = f"{counted(start.n_clusters, 'community')} of {counted(start.graph.num_nodes, 'node')}"
        return f"{size} by {start.method}" if start.method else size
    return f"labels of {counted(len(start), 'node')}"


@dataclass(frozen=True, eq=False)
class Previous:
    """An earlier partition, in terms of the nodes of a problem.

    Attributes
    ----------
    labels : ndarray of int64, shape (n_nodes,)
        Position of each node's community in `numbers`; -1 for nodes that the partition did not have.
    has_changed : ndarray of bool, shape (n_nodes,)
        As of `Start`.
    numbers : ndarray of int64, shape (n_communities,)
        The number of each community, by which results call it.
    left : list
        Ids of nodes that the graph no longer has.
    labels_left : ndarray of int64, shape (n_left,)
        As `labels`.
    next_number : int
        The first number that no community has had.
    """

    labels: IntArray
    has_changed: NDArray[np.bool_]
    numbers: IntArray
    left: list[Any]
    labels_left: IntArray
    next_number: int

    @classmethod
    def of(
        cls,
        start: Any,
        graph: Graph,
        caller: Graph,
        prepared: Callable[[Graph], Graph],
        *,
        is_likewise: bool = True,
    ) -> tuple[Previous, list[Note]]:
        """Read a start.

        Parameters
        ----------
        start : Communities, mapping, Series, sequence of labels or of sets, or path
            See `graphclust.results.communities.labels_of`. Ids that the graph does not have are compared as text. The
            graph of a result tells what has changed since; otherwise, all nodes may have.
        graph : Graph
            The graph of the problem.
        caller : Graph
            The same graph with its nodes in the caller's order, to which a sequence of labels refers.
        prepared : callable
            Turns the caller's graph into that of the problem.
        is_likewise : bool
            Whether a result as start was found in the same way. If not, all nodes may move, as with labels alone.

        Returns
        -------
        Previous
        list of Note

        Raises
        ------
        DataError
            The start has no node in common with the graph, or its communities overlap.
        """
        if isinstance(start, Communities):
            previous = cls._of_result(start, graph, prepared(start.graph))
            if not is_likewise:
                previous = replace(previous, has_changed=np.ones(graph.num_nodes, dtype=bool))
            return previous, []
        if isinstance(start, str | os.PathLike):
            start = read_partition(start, None, caller.nodes)
        labels = labels_of(start, caller.nodes)
        if not isinstance(labels, Mapping):
            raise DataError("the communities of the start overlap: it has to be a partition")
        if not labels:
            raise DataError("the start has no labels")
        nodes = list(labels)
        nodes = [nodes[i] for i in canonical_positions(nodes).tolist()]  # the order of entries must not matter
        numbers, codes, notes = _numbered([labels[node] for node in nodes])
        previous = cls._placed(graph, nodes, codes, numbers, int(numbers.max(initial=-1)) + 1)
        return previous, notes

    @classmethod
    def _of_result(cls, start: Communities, graph: Graph, old: Graph) -> Previous:
        """Return an earlier result, whose graph `old` has its nodes in canonical order."""
        order = start.graph.canonical_order()
        codes = start.ranks if order is None else start.ranks[order]
        next_number = start.details.get("next_number", 0) if isinstance(start.details, Mapping) else 0
        is_number = isinstance(next_number, int) and 0 <= next_number < 2**62
        next_number = max(int(start.numbers.max(initial=-1)) + 1, next_number if is_number else 0)
        if same_ids(old, graph):
            labels, place = codes, np.arange(graph.num_nodes)
            previous = cls(labels, np.zeros(len(labels), bool), start.numbers, [], codes[:0], next_number)
        else:
            previous = cls._placed(graph, old.nodes, codes, start.numbers, next_number)
            place = places_of(old.nodes, graph.nodes)
        return replace(previous, has_changed=_changed(old, graph, place) | (previous.labels < 0))

    @classmethod
    def _placed(
        cls, graph: Graph, nodes: Sequence[Hashable], codes: IntArray, numbers: IntArray, next_number: int
    ) -> Previous:
        """Return the partition of some nodes, all of which may have changed."""
        place = places_of(nodes, graph.nodes)
        is_left = place < 0
        if is_left.all():
            raise DataError("the start has no node in common with the graph")
        labels = np.full(graph.num_nodes, -1)
        labels[place[~is_left]] = codes[~is_left]
        left = [nodes[i] for i in np.flatnonzero(is_left).tolist()]
        return cls(labels, np.ones(graph.num_nodes, bool), numbers, left, codes[is_left], next_number)

    def start(self, nodes: IntArray) -> Start:
        """Return the start of a core with some of the nodes."""
        labels = self.labels[nodes].copy()
        is_new = labels < 0
        labels[is_new] = len(self.numbers) + np.arange(int(is_new.sum()))
        return Start(labels, self.has_changed[nodes])

    def continued(self, labels: IntArray, nodes: Sequence[Any]) -> tuple[IntArray, Changes, int]:
        """Give the communities that continue those of the start their numbers, and the others new ones.

        Parameters
        ----------
        labels : ndarray of int64, shape (n_nodes,)
            Labels 0, 1, ... of the new communities by size.
        nodes : sequence
            Ids of the nodes, in the same order.

        Returns
        -------
        numbers : ndarray of int64, shape (n_nodes,)
        changes : Changes
        next_number : int
        """
        before, after = self.labels, labels
        if self.left:
            nodes = [*nodes, *self.left]
            before = np.concatenate((before, self.labels_left))
            after = np.concatenate((after, np.full(len(self.left), -1)))
        matching = Matching(before, after, len(self.numbers), int(labels.max(initial=-1)) + 1)
        numbers = matching.continued(self.numbers, self.next_number)
        changes = Changes(nodes, matching, self.numbers.tolist(), numbers.tolist())
        return numbers[labels], changes, max(self.next_number, int(numbers.max(initial=-1)) + 1)


def _numbered(labels: list[Any]) -> tuple[IntArray, IntArray, list[Note]]:
    """Return the numbers of communities, the position of each label's community among them, and notes.

    Labels that are whole numbers are the numbers. Other communities are numbered by size.
    """
    place: dict[Any, int] = {}
    try:
        codes = np.array([place.setdefault(label, len(place)) for label in labels], dtype=np.int64)
    except TypeError as error:
        raise DataError(f"a label of the start cannot be compared: {error}") from None
    numbers = whole_numbers(list(place))
    if numbers is not None:
        return numbers, codes, []
    message = (
        "the labels of the start are not all whole numbers: its communities are numbered from 0, the largest first"
    )
    note = Note("numbered-start", message, {"n_communities": len(place)})
    return np.arange(len(place)), rank_labels(codes), [note]


def _changed(old: Graph, new: Graph, place: IntArray) -> NDArray[np.bool_]:
    """Return which nodes of a graph have other edges than in an older one, whose nodes have these places in it."""
    from graphclust.kernels.changes import mark_changes

    if old.directed != new.directed:
        return np.ones(new.num_nodes, dtype=bool)
    has_changed = np.zeros(new.num_nodes, dtype=bool)
    source, target, weight = old.source, old.target, old.weight
    if len(place) != new.num_nodes or bool((place != np.arange(len(place))).any()):
        source, target = place[source], place[target]
        has_changed[source[(target < 0) & (source >= 0)]] = True
        has_changed[target[(source < 0) & (target >= 0)]] = True
        if not new.directed:
            source, target = np.minimum(source, target), np.maximum(source, target)
        order = np.lexsort((target, source))
        order = order[(source[order] >= 0) & (target[order] >= 0)]
        source, target, weight = source[order], target[order], None if weight is None else weight[order]
    old_edges, edges = _locked(source, target, weight), _locked(new.source, new.target, new.weight)
    mark_changes(*old_edges, *edges, has_changed)
    return has_changed


def _locked(source: IntArray, target: IntArray, weight: FloatArray | None) -> tuple[IntArray, IntArray, FloatArray]:
    """Return edges that cannot be written to, as those of graphs: numba compiles one version of a loop for them."""
    source, target, weight = source[:], target[:], np.ones(1) if weight is None else weight[:]
    for part in (source, target, weight):
        part.flags.writeable = False
    return source, target, weight
