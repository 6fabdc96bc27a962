"""Column names that people give to the ends and the weight of an edge."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["PAIRS", "edge_columns"]

PAIRS = (
    ("source", "target"),
    ("from", "to"),
    ("src", "dst"),
    ("src", "dest"),
    ("src", "trg"),
    ("src", "tgt"),
    ("node1", "node2"),
    ("node_1", "node_2"),
    ("nodea", "nodeb"),
    ("fromnodeid", "tonodeid"),
    ("from_node_id", "to_node_id"),
    ("source_id", "target_id"),
    ("sourceid", "targetid"),
    ("id_1", "id_2"),
    ("id1", "id2"),
    ("numeric_id_1", "numeric_id_2"),
    ("user1", "user2"),
    ("follower", "followee"),
    ("tail", "head"),
    ("start", "end"),
    ("ego", "alter"),
    ("v1", "v2"),
    ("u", "v"),
    ("i", "j"),
)
_WEIGHTS = ("weight", "weights", "w", "value", "count", "strength")


def edge_columns(names: Sequence[str]) -> tuple[int, int, int | None] | None:
    """Find the columns of an edge table by their names.

    Parameters
    ----------
    names : sequence of str
        The header.

    Returns
    -------
    tuple of int, or None
        Positions of source, target and weight (None without one); None if source and target are not named.

    Examples
    --------
    >>> edge_columns(["Id", "Source", "Target", "Weight"])
    (1, 2, 3)
    """
    low = [name.strip().strip("#\"'").strip().lower() for name in names]
    for first, second in PAIRS:
        if low.count(first) == 1 and low.count(second) == 1:
            weight = next((low.index(name) for name in _WEIGHTS if low.count(name) == 1), None)
            return low.index(first), low.index(second), weight
    return None
