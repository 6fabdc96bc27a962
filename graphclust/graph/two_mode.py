"""Two-mode graphs: edges that join nodes of two kinds, which are different nodes whatever their ids."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from graphclust.graph.core import Graph
from graphclust.runtime.notes import Note

__all__ = ["split_ends", "two_mode_graph", "two_mode_ids"]


def two_mode_graph(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    weight: NDArray[np.float64] | None,
    left_ids: Sequence[Hashable],
    right_ids: Sequence[Hashable],
    kinds: tuple[str, str],
) -> tuple[Graph, Note]:
    """Build a graph whose edges join two kinds of nodes.

    Parameters
    ----------
    left, right : ndarray of int, shape (n_edges,)
        Positions of the ends in `left_ids` and `right_ids`.
    weight : ndarray of float64, shape (n_edges,), or None
    left_ids, right_ids : sequence
        Ids of the nodes of each kind. If an id is in both, all ids become texts with the name of their kind: "user:7".
    kinds : tuple of str
        Names of the two kinds.

    Returns
    -------
    Graph
        Undirected, in canonical order. The node attribute "side" gives the kind of each node.
    Note
        The numbers of nodes, and what became of their ids.

    Examples
    --------
    >>> ends = np.array([0, 0]), np.array([0, 1])
    >>> graph, note = two_mode_graph(*ends, None, [1], [1, 2], ("user", "film"))
    >>> graph.nodes, graph.meta["node_attributes"]
    (['film:1', 'film:2', 'user:1'], {'side': ['film', 'film', 'user']})
    """
    id_of, note = two_mode_ids(left_ids, right_ids, kinds)
    ids = list(id_of.values())
    graph = Graph.from_edges(left, right + len(left_ids), weight, nodes=ids, directed=False)
    sides = [kinds[0]] * len(left_ids) + [kinds[1]] * len(right_ids)
    graph.meta["node_attributes"] = {"side": sides}
    return graph.canonical(), note


def two_mode_ids(
    left_ids: Sequence[Hashable], right_ids: Sequence[Hashable], kinds: tuple[str, str]
) -> tuple[dict[Hashable, Hashable], Note]:
    """Return ids that tell nodes of two kinds apart.

    Parameters
    ----------
    left_ids, right_ids : sequence
        Ids of the nodes of each kind.
    kinds : tuple of str

    Returns
    -------
    dict
        (0, id) or (1, id) -> the id itself, or a text such as "user:7" if some ids are on both sides.
    Note
        The numbers of nodes, and what became of their ids.
    """
    keys = [(0, node) for node in left_ids] + [(1, node) for node in right_ids]
    message = f"read as a two-mode graph of {len(left_ids):,} x {len(right_ids):,} nodes"
    names = kinds if kinds[0] != kinds[1] else ("left", "right")
    is_mixed = not set(map(str, left_ids)).isdisjoint(map(str, right_ids))
    if is_mixed:
        message += f", whose ids are {names[0]}:... and {names[1]}:..., because some ids are on both sides"
    ids: dict[Hashable, Hashable] = {key: f"{names[key[0]]}:{key[1]}" if is_mixed else key[1] for key in keys}
    return ids, Note("two-mode", message, {"sizes": [len(left_ids), len(right_ids)]})


def split_ends(
    ids: Sequence[Hashable], tail: NDArray[np.int64], head: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Hashable], list[Hashable]]:
    """Give both columns of a list of edges ids of their own.

    Parameters
    ----------
    ids : sequence
        The ids of all nodes.
    tail, head : ndarray of int, shape (n_edges,)
        Positions in `ids`.

    Returns
    -------
    left, right : ndarray of int, shape (n_edges,)
        Positions in the ids of the two sides.
    left_ids, right_ids : list
    """
    left, left_positions = np.unique(tail, return_inverse=True)
    right, right_positions = np.unique(head, return_inverse=True)
    left_ids, right_ids = ([ids[i] for i in side.tolist()] for side in (left, right))
    return left_positions, right_positions, left_ids, right_ids
