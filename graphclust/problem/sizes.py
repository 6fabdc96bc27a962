"""Bounds of the number of nodes in a community, which any partition can be changed to respect."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.metrics import numbered
from graphclust.problem.kernel_input import kernel_input
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count
from graphclust.runtime.notes import Note, counted
from graphclust.runtime.threads import Threads

__all__ = ["Sizes", "check_sizes", "equivalent_resolution"]


def check_sizes(
    min_size: Any, max_size: Any, *, n_clusters: int | None = None, known: Any = None, bipartite: bool | str = False
) -> None:
    """Check bounds of the sizes of communities, as far as they do not depend on the graph.

    Raises
    ------
    UsageError
        A bound is not a positive whole number; the smallest size is above the largest one; or something is asked for
        that bounds cannot be combined with.
    """
    for name, value in (("min_size", min_size), ("max_size", max_size)):
        if value is not None:
            check_count(name, value)
    if min_size is None and max_size is None:
        return
    if min_size is not None and max_size is not None and min_size > max_size:
        raise UsageError(f"min_size is {min_size}, which is more than max_size, {max_size}")
    for name, value in (("n_clusters (-k)", n_clusters), ("known labels", known), ("bipartite", bipartite or None)):
        if value is not None:
            raise UsageError(f"min_size and max_size cannot be combined with {name}")


@dataclass(frozen=True)
class Sizes:
    """The smallest and the largest number of nodes of a community, and the quality that should not suffer.

    Attributes
    ----------
    smallest : int
    largest : int or None
    objective : {"modularity", "cpm"}
    resolution : float or None
        None stands for that at which modularity is the likelihood of a planted partition like the one that is changed.
    """

    smallest: int = 1
    largest: int | None = None
    objective: str = "modularity"
    resolution: float | None = None

    @classmethod
    def of(cls, min_size: int | None, max_size: int | None, objective: str, resolution: float | None) -> Sizes | None:
        """Return the bounds, or None if there are none."""
        if (min_size is None or min_size == 1) and max_size is None:
            return None
        return cls(min_size or 1, max_size, objective, resolution)

    def check(self, n_nodes: int) -> None:
        """Check that so many nodes have such a partition.

        Raises
        ------
        UsageError
            They have not.
        """
        fewest = 1 if self.largest is None else math.ceil(n_nodes / self.largest)
        if n_nodes and fewest * self.smallest > n_nodes:
            bounds = f"at least {self.smallest:,}" if self.largest is None else f"{self.smallest:,} to {self.largest:,}"
            raise UsageError(f"{counted(n_nodes, 'node')} cannot be divided into communities of {bounds} nodes")

    def applied(self, graph: Graph, solution: Solution) -> Solution:
        """Return a solution whose communities are within the bounds, with a note if it was changed.

        The levels of a hierarchy below the communities become parts of the new ones. On the levels above, each new
        community takes the place of the old one that most of its nodes come from. Confidence is that of the new
        communities: from the posterior, or without one, where a node had to leave its community, what the old one
        leaves.

        Parameters
        ----------
        graph : Graph
        solution : Solution
            Of all nodes of the graph.
        """
        from graphclust.kernels.sizing import bounded_sizes

        before = numbered(solution.labels)
        sizes = np.bincount(before)
        n_small, n_large = int((sizes < self.smallest).sum()), 0
        if self.largest is not None:
            n_large = int((sizes > self.largest).sum())
        if n_small + n_large == 0:
            return solution
        rows, masses, unit = kernel_input(graph, self.objective)
        resolution = equivalent_resolution(graph, before) if self.resolution is None else self.resolution
        with Threads() as threads:
            largest = graph.num_nodes if self.largest is None else self.largest
            labels = bounded_sizes(rows, masses, resolution * unit, before, self.smallest, largest, threads=threads)
        origin = _most_common(labels, before)
        levels = tuple(_made_of(level, before, labels, origin) for level in solution.levels)
        confidence = solution.confidence
        if solution.posterior is not None:
            confidence = solution.posterior.confidence(labels)
        elif confidence is not None:
            confidence = np.where(origin[labels] == before, confidence, 1 - confidence)
        parts = []
        if n_large:
            parts.append(f"divided {counted(n_large, 'community')} of more than {self.largest:,} nodes")
        if n_small:
            parts.append(f"joined {counted(n_small, 'community')} of fewer than {self.smallest:,} with others")
        data = {"n_divided": n_large, "n_joined": n_small}
        changed = replace(solution, labels=labels, levels=levels, confidence=confidence)
        return changed.with_notes([Note("bounded-sizes", " and ".join(parts), data)])


def equivalent_resolution(graph: Graph, labels: IntArray) -> float:
    """Return the resolution at which modularity is the likelihood of a planted partition with the same densities.

    It is (a - b) / (log a - log b), where a and b are the numbers of edges within and between communities, divided by
    those that degrees let expect (Newman 2016). 1 if there are no edges of one kind, or no communities.
    """
    weight, total = graph.edge_weight, graph.total_weight
    inside = float(weight[labels[graph.source] == labels[graph.target]].sum())
    degree: FloatArray = np.bincount(labels, graph.degree()).astype(np.float64)
    expected = float((degree**2).sum()) / max(4 * total, 1e-300)
    if min(inside, total - inside, expected, total - expected) <= 1e-9 * total:
        return 1.0
    within, between = inside / expected, (total - inside) / (total - expected)
    return (within - between) / math.log(within / between) if within > between else 1.0


def _most_common(labels: IntArray, values: IntArray) -> IntArray:
    """Return the value that most nodes of each label have; the smallest of several."""
    n = int(values.max()) + 1
    pairs, counts = np.unique(labels * n + values, return_counts=True)
    order = np.lexsort((pairs % n, -counts, pairs // n))
    first = np.unique(pairs[order] // n, return_index=True)[1]
    common: IntArray = pairs[order][first] % n
    return common


def _made_of(level: IntArray, before: IntArray, after: IntArray, origin: IntArray) -> IntArray:
    """Return a level of a hierarchy that fits the communities after their change; see `Sizes.applied`.

    `origin` is the community before the change that most nodes of each new one come from.
    """
    n = int(level.max()) + 1
    n_before, n_level, n_pairs = int(before.max()) + 1, len(np.unique(level)), len(np.unique(before * n + level))
    if n_level == n_before == n_pairs:  # the communities themselves
        return after
    if n_pairs == n_before:  # each community is in one group of this level
        group = np.zeros(n_before, dtype=np.int64)
        group[before] = level
        wider = group[origin[after]]
    else:
        wider = after * n + level
    return numbered(wider)
