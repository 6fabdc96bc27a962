"""Multiline adjacency lists, as networkx's `write_multiline_adjlist` writes them.

A line with a node and the number of its neighbours is followed by a line for each of these, with a dict of attributes.
"""

from __future__ import annotations

from graphclust.graph import Graph
from graphclust.io.reading import Attribute, Draft, parse_attributes, parse_int
from graphclust.io.source import Source, shorten, split_lines

__all__ = ["KEEPS_IDS", "read"]

KEEPS_IDS = True


def read(source: Source) -> Graph:
    """Read a multiline adjacency list.

    Parameters
    ----------
    source : Source
        `options.weight` names the attribute that holds the weights.

    Returns
    -------
    Graph
        Nodes in the order of the file.

    Raises
    ------
    DataError
        A line is not what its place requires, or the file ends before the last neighbour; names the line.
    """
    draft = Draft(source)
    columns: dict[str, Attribute] = {}
    node, missing, number = "", 0, 1

    def known(name: str, line: int) -> str:
        if name not in draft.index:
            draft.add_node(name, line)
        return name

    for number, line in enumerate(split_lines(source.text()), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.strip().partition(" ")
        if missing == 0:
            node, missing = known(name, number), parse_int(source, rest.strip(), number, "the number of neighbours")
            if missing < 0:
                raise source.error(f"the number of neighbours is {missing}", number)
            continue
        missing -= 1
        edge = draft.add_edge(node, known(name, number), number)
        for key, value in parse_attributes(source, rest.strip() or "{}", number).items():
            if not isinstance(value, bool | int | float | str):
                continue
            column = columns.setdefault(str(key), Attribute(str(key)))
            column.values[edge], column.places[edge] = value, number
    if missing > 0:
        raise source.error(f"the file ends before the last {missing} neighbours of {shorten(node)}", number)
    return draft.graph(is_directed=False, edges=list(columns.values()))
