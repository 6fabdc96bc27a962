"""An earlier partition that a search starts from: what has changed in the graph since, and how numbers are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph, same_ids
from graphclust.graph.labels import plain_labels
from graphclust.metrics import rank_labels
from graphclust.results.changes import Changes, Matching
from graphclust.results.communities import Communities, labels_of
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note, counted

__all__ = ["Previous", "Start", "check_start", "described"]

_MAX_DIGITS = 15  # of numbers of communities that are kept


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
            raise UsageError(f"start cannot be combined with {name}: it is a partition of single nodes to go on with")
    if not isinstance(start, Communities | str | os.PathLike | Mapping | Sequence | np.ndarray) and (
        plain_labels(start) is start
    ):
        raise UsageError(
            f"start is an earlier result, a mapping of nodes to labels, or a file, not a {type(start).__name__}"
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
        cls, start: Any, graph: Graph, caller: Graph, prepared: Callable[[Graph], Graph]
    ) -> tuple[Previous, list[Note]]:
        """Read a start.

        Parameters
        ----------
        start : Communities, mapping, Series, sequence of labels or of sets, or path
            See `graphclust.results.communities.labels_of`. If no ids match those of the graph, they are compared as
            text. The graph of a result tells what has changed since; otherwise, all nodes may have.
        graph : Graph
            The graph of the problem.
        caller : Graph
            The same graph with its nodes in the caller's order, to which a sequence of labels refers.
        prepared : callable
            Turns the caller's graph into that of the problem.

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
            return cls._of_result(start, graph, prepared(start.graph)), []
        labels = labels_of(start, caller.nodes)
        if not isinstance(labels, Mapping):
            raise DataError("the communities of the start overlap: it has to be a partition")
        numbers, codes, notes = _numbered(list(labels.values()))
        previous = cls._placed(graph, list(labels), codes, numbers, int(numbers.max(initial=-1)) + 1)
        return previous, notes

    @classmethod
    def _of_result(cls, start: Communities, graph: Graph, old: Graph) -> Previous:
        """Return an earlier result, whose graph `old` has its nodes in canonical order."""
        order = start.graph.canonical_order()
        codes = start.ranks if order is None else start.ranks[order]
        next_number = max(int(start.numbers.max(initial=-1)) + 1, int(start.details.get("next_number", 0)))
        if same_ids(old, graph):
            labels, place = codes, np.arange(graph.num_nodes)
            previous = cls(labels, np.zeros(len(labels), bool), start.numbers, [], codes[:0], next_number)
        else:
            previous = cls._placed(graph, old.nodes, codes, start.numbers, next_number)
            place = _places(graph, old.nodes)
        return replace(previous, has_changed=_changed(old, graph, place) | (previous.labels < 0))

    @classmethod
    def _placed(
        cls, graph: Graph, nodes: Sequence[Hashable], codes: IntArray, numbers: IntArray, next_number: int
    ) -> Previous:
        """Return the partition of some nodes, all of which may have changed."""
        place = _places(graph, nodes)
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
    codes = np.array([place.setdefault(label, len(place)) for label in labels], dtype=np.int64)
    numbers = [_whole_number(label) for label in place]
    if None not in numbers and len(set(numbers)) == len(numbers):
        return np.array(numbers, dtype=np.int64), codes, []
    ranks = rank_labels(codes)
    order = np.arange(len(place))
    message = "the labels of the start are no whole numbers: its communities are numbered from 0, the largest first"
    return order, ranks, [Note("numbered-start", message, {"n_communities": len(place)})]


def _whole_number(label: Any) -> int | None:
    """Return a label as a number, if it is a whole one and not negative."""
    if isinstance(label, int | np.integer) and not isinstance(label, bool):
        return int(label) if 0 <= label < 10**_MAX_DIGITS else None
    text = str(label)
    return int(text) if len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() else None


def _places(graph: Graph, nodes: Sequence[Hashable]) -> IntArray:
    """Return the positions of nodes in a graph, -1 where it does not have them; by text if it has none of them."""
    index: Mapping[Hashable, int] = graph.index
    if not any(node in index for node in nodes):
        index = {str(node): i for node, i in index.items()}
        nodes = list(map(str, nodes))
    return np.fromiter((index.get(node, -1) for node in nodes), dtype=np.int64, count=len(nodes))


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
