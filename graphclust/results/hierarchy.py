"""Communities of communities: levels, any number of communities by a tree of merges, tables, trees and drawings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph
from graphclust.metrics import rank_labels
from graphclust.metrics.labels import parents
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

    from graphclust.results.communities import Communities

__all__ = ["Hierarchy"]


@dataclass(frozen=True, eq=False, repr=False)
class Hierarchy:
    """Nested communities of a graph, as `detect(..., hierarchy=True)` finds them.

    Attributes
    ----------
    graph : Graph
    levels : tuple of ndarray of int64, shape (n_nodes,)
        Labels on each level, the finest first; 0 is the largest community. A community lies within one of the next
        level.
    method : str
    params : dict
        Parameters of the method.

    Raises
    ------
    DataError
        Levels of the wrong length, or a community in two of the next level.

    Examples
    --------
    >>> import graphclust as gc
    >>> hierarchy = gc.detect("data:les-miserables", "louvain", hierarchy=True).hierarchy
    >>> hierarchy
    Hierarchy(levels of 10 and 6 communities of 77 nodes by louvain)
    >>> hierarchy.cut(3).n_clusters
    3
    """

    graph: Graph
    levels: tuple[IntArray, ...]
    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the levels are nested."""
        n = self.graph.num_nodes
        if not self.levels or any(np.shape(level) != (n,) for level in self.levels):
            raise DataError(f"levels must have the shape ({n},), one label per node, and there must be one at least")
        for fine, coarse in pairwise(self.levels):
            if parents(fine, coarse) is None:
                raise DataError("a community is in two communities of the next level")

    def __len__(self) -> int:
        """Return the number of levels."""
        return len(self.levels)

    def __repr__(self) -> str:
        sizes = [f"{int(level.max(initial=-1)) + 1:,}" for level in self.levels]
        listed = " and ".join([", ".join(sizes[:-1]), sizes[-1]] if len(sizes) > 1 else sizes)
        what = "levels" if len(sizes) > 1 else "a level"
        return f"Hierarchy({what} of {listed} communities of {self.graph.num_nodes:,} nodes by {self.method})"

    def level(self, number: int) -> Communities:
        """Return the communities of a level.

        Parameters
        ----------
        number : int
            1 is the finest level; negative numbers count from the coarsest, which is -1.

        Raises
        ------
        UsageError
            There is no such level.
        """
        if number == 0 or not -len(self) <= number <= len(self):
            raise UsageError(f"levels are numbered from 1, the finest, to {len(self)}: there is no level {number}")
        return self._communities(self.levels[number - 1 if number > 0 else number])

    @cached_property
    def merges(self) -> IntArray:
        """The tree: pairs of communities of the finest level that are merged one after the other, until one is left.

        Shape (n_communities - 1, 2). Each stands for all that has been merged into it, and the first then stands for
        both. Communities become those of the next level before these are merged; among those that may be, the next two
        are those whose merging gains the most modularity, or costs the least. Takes O(n_edges log n_edges) for each
        level.
        """
        from graphclust.kernels.merging import merge_tree

        graph = self.graph.undirected()
        return merge_tree(graph.source, graph.target, graph.edge_weight, self.levels)

    def cut(self, n_clusters: int) -> Communities:
        """Return the communities at which the tree of merges has a given number of them.

        Parameters
        ----------
        n_clusters : int
            At most the number of communities of the finest level.

        Returns
        -------
        Communities

        Raises
        ------
        UsageError
            The number is out of range.
        """
        finest = self.levels[0]
        most = int(finest.max(initial=-1)) + 1
        if isinstance(n_clusters, bool) or not isinstance(n_clusters, int | np.integer) or not 1 <= n_clusters <= most:
            raise UsageError(f"the hierarchy can be cut into 1 to {most:,} communities, not {n_clusters!r}")
        stands_for = np.arange(most)
        for kept, gone in self.merges[: most - n_clusters][::-1].tolist():
            stands_for[gone] = stands_for[kept]
        return self._communities(rank_labels(stands_for[finest]))

    def _communities(self, labels: IntArray) -> Communities:
        from graphclust.results.communities import Communities

        return Communities(self.graph, labels, self.method, self.params)

    def to_frame(self) -> pandas.DataFrame:
        """Return a table with the columns node, level_1 (the finest level), level_2, ..."""
        import pandas as pd

        columns: dict[str, Any] = {"node": pd.Series(self.graph.nodes, dtype=object).infer_objects()}
        return pd.DataFrame(columns | {f"level_{i}": level for i, level in enumerate(self.levels, 1)})

    def to_newick(self) -> str:
        """Return the levels as a tree in Newick format, with the nodes as leaves: ``((a,b),(c,d));``.

        A community that is the same on two levels is one vertex of the tree. Ids with other characters than letters,
        digits, - and . are in single quotes.
        """
        from graphclust.io.writing import id_texts

        parts = [_newick_label(text) for text in id_texts(self.graph)]
        group_of_part = np.arange(len(parts))
        for level in self.levels:
            members: list[list[str]] = [[] for _ in range(int(level.max(initial=-1)) + 1)]
            label_of_part = np.empty(len(parts), dtype=np.int64)
            label_of_part[group_of_part] = level
            for label, part in zip(label_of_part.tolist(), parts, strict=True):
                members[label].append(part)
            parts = [part[0] if len(part) == 1 else f"({','.join(part)})" for part in members]
            group_of_part = level
        return (parts[0] if len(parts) == 1 else f"({','.join(parts)})") + ";"

    def to_tree(self) -> str:
        """Return the levels in Infomap's .tree format: for each node its path, its share of all degrees, and its id.

        The path begins with the number of the community on the coarsest level and ends with that of the node in its
        community, all from 1.

        Raises
        ------
        DataError
            An id has several lines.
        """
        from graphclust.io.writing import id_texts

        texts = id_texts(self.graph)
        if long := [text for text in texts if len(text.splitlines()) > 1]:
            raise DataError(f"the tree has a line for each node and cannot represent the id {long[0]!r}")
        degree = self.graph.undirected().degree()
        flow = degree / max(float(degree.sum()), 1e-300)
        order = np.lexsort((-flow, *self.levels))  # by the coarsest level first
        paths, start = [], np.arange(len(order)) == 0
        for level in self.levels[::-1]:
            label = level[order]
            new = start | (label != np.roll(label, 1))
            paths.append(_places(new, start))
            start = new
        paths.append(_places(np.ones(len(order), dtype=bool), start))
        lines = ["# path flow name"]
        for node, path in zip(order.tolist(), np.array(paths).T.tolist(), strict=True):
            lines.append(f'{":".join(map(str, path))} {flow[node]:.6g} "{texts[node]}"')
        return "\n".join(lines) + "\n"

    def linkage(self) -> FloatArray:
        """Return the tree of merges as SciPy's hierarchical clustering does, shape (n_communities - 1, 4).

        The leaves are the communities of the finest level, and the heights the numbers of the merges, from 1.
        """
        n_leaves = len(self.merges) + 1
        cluster, size = np.arange(n_leaves), np.ones(n_leaves)
        rows = np.zeros((len(self.merges), 4))
        for step, (kept, gone) in enumerate(self.merges.tolist()):
            size[kept] += size[gone]
            rows[step] = *sorted((cluster[kept], cluster[gone])), step + 1, size[kept]
            cluster[kept] = n_leaves + step
        return rows

    def plot(self, ax: Axes | None = None, max_leaves: int = 50) -> Axes:
        """Draw the tree of merges as a dendrogram, with the numbers of nodes at its leaves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            By default, of a new figure.
        max_leaves : int
            The tree is cut into at most so many communities.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from graphclust.report.figures import dendrogram

        axes: Axes = dendrogram(self.linkage(), np.bincount(self.levels[0]), ax, max_leaves)
        return axes


def _places(new: NDArray[np.bool_], start: NDArray[np.bool_]) -> IntArray:
    """Return the place of each row's group among those of its parent, from 1; both begin where these are true."""
    count = np.cumsum(new)
    before: IntArray = np.maximum.accumulate(np.where(start, count - 1, 0))
    return count - before


def _newick_label(text: str) -> str:
    if text and all(c.isalnum() or c in "-." for c in text):
        return text
    quoted = text.replace("'", "''")
    return f"'{quoted}'"
