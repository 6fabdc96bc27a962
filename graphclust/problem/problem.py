"""A graph and its constraints, the core of it that a method solves, and the way back to the caller's nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from graphclust.graph import Graph
from graphclust.metrics import numbered, rank_labels
from graphclust.problem.constraints import (
    added_up,
    components,
    connected_parts,
    count_disconnected,
    known_labels,
    taking_part,
    with_number,
    within_components,
)
from graphclust.problem.sides import sides_of
from graphclust.problem.sizes import Sizes
from graphclust.problem.solution import Solution
from graphclust.problem.start import Previous, Start
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note, counted

__all__ = ["Core", "Problem", "can_hold_samples", "dropped_directions", "only_points"]

_MOST_LABELS = 1 << 24  # of all samples of a posterior together: 128 MiB

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Core:
    """The part of a problem that a method solves: the nodes that can be grouped, in canonical order.

    Attributes
    ----------
    graph : Graph
    nodes : ndarray of int64, shape (n_nodes,)
        Positions of the core's nodes in the graph of its problem.
    n_clusters : int or None
        Exact number of communities, where it is given.
    known : ndarray of int64, shape (n_nodes,), or None
        0 where a node's label is not known, else a number for each label, from 1.
    is_table : bool
        Whether the nodes are the rows of a table, which the caller gave without a graph.
    sides : ndarray of int64, shape (n_nodes,), or None
        Side of each node, 0 or 1, of a graph that was said to be two-mode.
    start : Start or None
        A partition to start from, and the nodes that have changed since.
    """

    graph: Graph
    nodes: IntArray
    n_clusters: int | None = None
    known: IntArray | None = None
    is_table: bool = False
    sides: IntArray | None = None
    start: Start | None = None
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` returns, which is called once for each name: several methods can solve one core."""
        if name not in self._cache:
            self._cache[name] = make()
        value: T = self._cache[name]
        return value

    def undirected(self) -> Core:
        """Return the core without directions; itself if it has none."""
        return replace(self, graph=self.graph.undirected(), _cache={}) if self.graph.directed else self

    @cached_property
    def component(self) -> IntArray:
        """Number of each node's (weakly) connected component, shape (n_nodes,)."""
        return components(self.graph)

    def cut(self, samples: IntArray, log_prob: FloatArray) -> tuple[IntArray, FloatArray]:
        """Cut communities at the borders of components, unless their number is given or known labels join them.

        Parameters
        ----------
        samples : ndarray of int64, shape (n_samples, n_nodes)
        log_prob : ndarray of float64, shape (n_samples,)
            Of the samples; equal for equal ones. NaN where it is not known.

        Returns
        -------
        samples : ndarray of int64, shape (n_samples, n_nodes)
        log_prob : ndarray of float64, shape (n_samples,)
            Each is the sum over the distinct samples that became the same partition.
        """
        if self.n_clusters is not None:
            return samples, log_prob
        cut = within_components(samples, self.component, self.known)
        if cut is samples or np.isnan(log_prob).any():
            return cut, log_prob
        return cut, added_up(samples, cut, log_prob)

    def settled(self, solution: Solution, *, connected: bool = False) -> Solution:
        """Return a solution that satisfies the constraints: connected communities, their number, labels by size.

        Parameters
        ----------
        solution : Solution
        connected : bool
            Whether communities that are not connected are split, where their number is not given.
        """
        labels = numbered(solution.labels)
        count = int(labels.max(initial=-1)) + 1
        notes, levels = [], solution.levels
        if connected and self.n_clusters is None:
            parts = connected_parts(self.graph, labels)
            n_parts = int(parts.max(initial=-1)) + 1
            levels = tuple(connected_parts(self.graph, level) for level in levels)
            if n_parts > count:
                message = f"split disconnected communities: {count:,} became {n_parts:,}"
                notes.append(Note("split-disconnected", message, {"n_before": count, "n_after": n_parts}))
                labels = parts
        elif self.n_clusters is not None and count != self.n_clusters:
            labels = with_number(labels, self.n_clusters, self.known)
            message = f"changed the {count:,} communities of the method to {self.n_clusters:,}"
            notes.append(Note("corrected-number", message, {"n_before": count, "n_after": self.n_clusters}))
        return replace(solution, labels=rank_labels(labels), levels=levels).with_notes(notes)


@dataclass(frozen=True, eq=False)
class Problem:
    """A graph in canonical order, and what is asked of it.

    Attributes
    ----------
    graph : Graph
        Its nodes in canonical order; undirected if directions do not count.
    n_clusters : int or None
    known : ndarray of int64, shape (n_nodes,), or None
        As of `Core`.
    by_features : bool
        Whether nodes without edges can be grouped by their features.
    is_table : bool
        As of `Core`.
    notes : tuple of Note
    sides : ndarray of int64, shape (n_nodes,), or None
        As of `Core`.
    sizes : Sizes or None
        Bounds of the sizes of communities.
    previous : Previous or None
        An earlier partition to start from.
    """

    graph: Graph
    n_clusters: int | None = None
    known: IntArray | None = None
    by_features: bool = False
    is_table: bool = False
    notes: tuple[Note, ...] = ()
    sides: IntArray | None = None
    sizes: Sizes | None = None
    previous: Previous | None = None
    _caller: Graph | None = None
    _order: IntArray | None = None

    @classmethod
    def of(
        cls,
        graph: Graph,
        n_clusters: int | None = None,
        known: Any = None,
        *,
        method: str = "the method",
        directed: bool = False,
        self_loops: bool = True,
        by_features: bool = False,
        is_table: bool = False,
        bipartite: bool | str = False,
        sizes: Sizes | None = None,
        start: Any = None,
        is_likewise: bool = True,
    ) -> Problem:
        """Put a graph into canonical order, and read what is asked of it.

        Parameters
        ----------
        graph : Graph
        n_clusters : int, optional
            Exact number of communities.
        known : mapping or Series of labels by node, optional
        method : str
            Name of the method, for notes.
        directed : bool
            Whether the directions of edges count; if not, the weights of both directions are added.
        self_loops : bool
            Whether self-loops count; if not, they are left out.
        by_features, is_table : bool
            See the attributes.
        bipartite : bool or str
            Whether the graph is two-mode, or the attribute that tells the sides; see `sides_of`.
        sizes : Sizes, optional
        start : optional
            An earlier partition to start from, as `graphclust.problem.start.Previous.of` takes it.
        is_likewise : bool
            Whether a result as start was found in the same way.

        Raises
        ------
        UsageError
            A known label of a node that the graph does not have; or sizes that no partition of its nodes has.
        DataError
            A start whose communities overlap, or with no node of the graph.
        """
        if sizes is not None:
            sizes.check(graph.num_nodes)

        def prepared(graph: Graph) -> Graph:
            work = graph.canonical() if directed else graph.canonical().undirected()
            return work if self_loops else work.without_self_loops()

        work, notes = prepared(graph), []
        if graph.directed and not directed:
            notes.append(dropped_directions(method))
        if graph.num_self_loops and not self_loops:
            message = f"{method} ignores {counted(graph.num_self_loops, 'self-loop')}"
            notes.append(Note("ignored-self-loops", message, {"n_edges": graph.num_self_loops}))
        previous = None
        if start is not None and graph.num_nodes:
            previous, more = Previous.of(start, work, graph, prepared, is_likewise=is_likewise)
            notes += more
        return cls(
            work,
            n_clusters if graph.num_nodes else None,
            known_labels(work, known),
            by_features,
            is_table,
            tuple(notes),
            sides_of(work, bipartite),
            sizes,
            previous,
            _caller=graph,
            _order=graph.canonical_order(),
        )

    @property
    def caller(self) -> Graph:
        """The graph as the caller gave it."""
        return self.graph if self._caller is None else self._caller

    @cached_property
    def core(self) -> Core:
        """The nodes that can be grouped.

        These are the nodes with an edge to another node or a known label. They are all nodes if features tell nodes
        apart, if more communities are wanted than there are such nodes, or if a number of communities is wanted in a
        two-mode graph: then the others join communities of their side. For the other nodes see `placed`.
        """
        graph, known = self.graph, self.known
        nodes = np.arange(graph.num_nodes)
        if not self.by_features and (self.sides is None or self.n_clusters is None):
            apart = np.flatnonzero(taking_part(graph, known))
            nodes = apart if self.n_clusters is None or self.n_clusters <= len(apart) else nodes
        if len(nodes) < graph.num_nodes:
            graph = graph.subgraph(nodes)
            known = None if known is None else known[nodes]
        sides = None if self.sides is None else self.sides[nodes]
        start = None if self.previous is None else self.previous.start(nodes)
        return Core(graph, nodes, self.n_clusters, known, self.is_table, sides, start)

    def placed(self, solution: Solution) -> Solution:
        """Bring a solution of the core to all nodes of the problem.

        The others are communities of their own. If the number of communities is given, they join the largest one, and
        nothing is known about them: their labels in samples are random, and their confidence is 1 / K.

        A posterior whose samples would not fit (`can_hold_samples`) is left out, with a note.
        """
        n, nodes = self.graph.num_nodes, self.core.nodes
        if len(nodes) == n:
            return solution
        k, notes = self.n_clusters, []
        if k is None:
            labels = int(solution.labels.max(initial=-1)) + 1 + np.arange(n)
        else:
            labels = np.full(n, np.bincount(solution.labels).argmax())
            message = f"{counted(n - len(nodes), 'node')} without edges joined the largest of the {k:,} communities"
            notes.append(Note("isolated-nodes-joined", message, {"n_nodes": n - len(nodes)}))
        labels[nodes] = solution.labels
        confidence, posterior = solution.confidence, solution.posterior
        levels = []
        for level in solution.levels:  # only if k is not given
            levels.append(int(level.max(initial=-1)) + 1 + np.arange(n))
            levels[-1][nodes] = level
        if confidence is not None:
            confidence = np.full(n, 1.0 if k is None else 1.0 / k)
            confidence[nodes] = solution.confidence
        if posterior is not None and not can_hold_samples(len(posterior.samples), n):
            message = f"left out the posterior: {len(posterior.samples):,} samples of {n:,} nodes are too many to keep"
            notes.append(Note("posterior-left-out", message, {"n_nodes": n}))
            posterior = None
        if posterior is not None:
            shape = (len(posterior.samples), n)
            if k is None:
                samples = int(posterior.samples.max(initial=-1)) + 1 + np.broadcast_to(np.arange(n), shape).copy()
            else:
                samples = np.random.default_rng(0).integers(0, k, shape)
            samples[:, nodes] = posterior.samples
            posterior = posterior.over(samples, range(n))
        placed = replace(solution, labels=labels, confidence=confidence, posterior=posterior, levels=tuple(levels))
        return placed.with_notes(notes)

    def lift(self, solution: Solution) -> Solution:
        """Bring a solution of the core to the caller's nodes, in their order, and number communities by size.

        Communities are brought within the bounds of their sizes, if there are any. With a start, those that continue
        communities of the start have their numbers. The notes begin with those of the problem, and say how many
        communities are not connected.
        """
        solution = self.placed(solution)
        if self.sizes is not None and self.graph.num_nodes:
            solution = self.sizes.applied(self.graph, solution)
        notes = list(self.notes)
        is_changed = self.sizes is not None or self.n_clusters is not None
        is_clear = only_points(self.graph) or self.sides is not None or (solution.is_connected and not is_changed)
        disconnected = 0 if is_clear else count_disconnected(self.graph, solution.labels)
        labels = self.in_order(rank_labels(solution.labels))
        levels = tuple(self.in_order(rank_labels(level)) for level in solution.levels)
        confidence = None if solution.confidence is None else self.in_order(solution.confidence)
        posterior: Posterior | None = solution.posterior
        if posterior is not None:
            samples = self.in_order(posterior.samples.T).T
            posterior = posterior.over(samples, self.caller.nodes)
        if self.previous is not None:
            numbered_by = replace(self.previous, labels=self.in_order(self.previous.labels))
            labels, changes, next_number = numbered_by.continued(labels, self.caller.ids)
            notes.append(Note("updated", f"since the start: {changes}", changes.counts))
            details = {**solution.details, "next_number": next_number}
            solution = replace(solution, changes=changes, details=details)
        lifted = replace(solution, labels=labels, confidence=confidence, posterior=posterior, levels=levels)
        lifted = replace(lifted, notes=(*notes, *solution.notes))
        if not disconnected:
            return lifted
        verb = "is" if disconnected == 1 else "are"
        message = f"{disconnected:,} of the communities {verb} not connected"
        return lifted.with_notes([Note("disconnected", message, {"n_communities": disconnected})])

    def in_order(self, values: Any) -> Any:
        """Bring an array with a row for each node of the problem into the caller's order."""
        if self._order is None:
            return values
        ordered = np.empty_like(values)
        ordered[self._order] = values
        return ordered

    def positions(self, nodes: IntArray) -> IntArray:
        """Return the caller's positions of some nodes of the problem."""
        return nodes if self._order is None else self._order[nodes]


def can_hold_samples(n_samples: int, n_nodes: int) -> bool:
    """Whether samples of a core are kept for all nodes of its problem, most of which may be isolated."""
    return n_samples * n_nodes <= _MOST_LABELS


def only_points(graph: Graph) -> bool:
    """Whether a graph is nothing but points: nodes with features and no edges."""
    return graph.x is not None and not graph.num_edges


def dropped_directions(method: str) -> Note:
    """Return the note of a method that works on undirected graphs."""
    message = f"{method} ignores directions: added the weights of both directions of each edge"
    return Note("dropped-directions", message)
