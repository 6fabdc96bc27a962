"""The two sides of a two-mode graph, such as people and the groups that they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph
from graphclust.runtime.arrays import IntArray

__all__ = ["check_bipartite", "sides_of", "two_coloring"]

_FIRST_EDGES = 10_000
_ATTRIBUTE = "bipartite"  # in which networkx keeps the side of a node


def check_bipartite(bipartite: Any) -> None:
    """Check that a parameter is True, False or the name of an attribute.

    Raises
    ------
    UsageError
        It is not.
    """
    if not isinstance(bipartite, bool | str):
        raise UsageError(f"bipartite is True, False or the name of a node attribute, not {bipartite!r}")


def two_coloring(graph: Graph) -> IntArray | None:
    """Return the side of each node, if each edge can join two sides; None if there is no such way.

    The first node of each connected component is on side 0.

    Examples
    --------
    >>> two_coloring(Graph.from_edges([0, 1, 2], [1, 2, 3], nodes=4))
    array([0, 1, 0, 1])
    >>> two_coloring(Graph.from_edges([0, 1, 2], [1, 2, 0], nodes=3)) is None
    True
    """
    from graphclust.kernels.adjacency import two_sides  # which imports the compiler

    n, source, target = graph.num_nodes, graph.source, graph.target
    first = slice(_FIRST_EDGES)
    if graph.num_edges > 2 * _FIRST_EDGES and two_sides(source[first], target[first], n) is None:
        return None  # most graphs have triangles, and are not gone through
    return two_sides(source, target, n)


def sides_of(graph: Graph, bipartite: bool | str) -> IntArray | None:
    """Return the side of each node, 0 or 1, or None if the graph is not said to be two-mode.

    Parameters
    ----------
    graph : Graph
    bipartite : bool or str
        The name of the node attribute that tells the side. True stands for the attribute "bipartite", where networkx
        keeps it; without this attribute, sides follow from the edges.

    Raises
    ------
    UsageError
        There is no such attribute, or it does not have two values.
    DataError
        An edge joins two nodes of the same side, or the edges do not have two sides.
    """
    if bipartite is False:
        return None
    attributes = graph.meta.get("node_attributes", {})
    name = _ATTRIBUTE if bipartite is True else bipartite
    if name not in attributes:
        if bipartite is not True:
            names = ", ".join(attributes) or "none"
            raise UsageError(f"the nodes have no attribute {bipartite!r} (they have {names})")
        sides = two_coloring(graph)
        if sides is None:
            raise DataError("the graph is not two-mode: however its nodes are put on two sides, an edge is within one")
        return sides
    values = [str(value) for value in attributes[name]]
    kinds = sorted(set(values))
    if len(kinds) != 2:
        raise UsageError(f"a two-mode graph has two sides, and the attribute {name!r} has {len(kinds)} values")
    sides = np.array([kinds.index(value) for value in values], dtype=np.int64)
    within = np.flatnonzero(sides[graph.source] == sides[graph.target])
    if len(within):
        first, second = (graph.nodes[end[within[0]]] for end in (graph.source, graph.target))
        raise DataError(f"the edge between {first!r} and {second!r} joins two nodes of the same side, by {name!r}")
    return sides
