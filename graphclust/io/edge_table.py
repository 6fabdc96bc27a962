"""Tables of edges for spreadsheets and pandas: a header, no comments, separated by commas (.csv) or tabs (.tsv).

The columns are source, target and, where there are weights, weight. A directed graph has a last column, type,
with the value Directed, as in Gephi. Fields are quoted as in RFC 4180. These files are read as edge lists, with any
separator.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.graph.column_names import PAIRS
from graphclust.io.edgelist import read
from graphclust.io.writing import edge_ids, edge_weights, encode, quote, refuse_attributes

__all__ = ["KEEPS_IDS", "read", "write"]

KEEPS_IDS = True


def _ends(ids: Sequence[str]) -> tuple[str, str]:
    """Name the columns of the ends: source and target, or other names if these are ids and would be read as an edge."""
    reserved = set(ids)
    pair_of_names = next((pair for pair in PAIRS if reserved.isdisjoint(pair)), None)
    if pair_of_names is None:
        raise DataError("cannot write a header: every known pair of column names contains a node id")
    return pair_of_names


def write(
    graph: Graph,
    stream: BinaryIO,
    attributes: Mapping[str, Sequence[Any]] | None = None,
    *,
    delimiter: str = ",",
) -> None:
    """Write a header and one line per edge.

    Isolated nodes have no place in a table of edges: they are lost, and `write_graph` reports it.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Refused: a table of edges has no place for them.
    delimiter : str
        One character.

    Raises
    ------
    UsageError
        Attributes.
    DataError
        An id is empty or has a line break, or two ids have the same text.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> write(Graph.from_edges([0, 1], [1, 2], [1.5, 2], nodes=["a", "b, c", "d"]), stream)
    >>> print(stream.getvalue().decode())
    source,target,weight
    a,"b, c",1.5
    "b, c",d,2
    <BLANKLINE>
    """
    refuse_attributes(attributes, "a table of edges")
    ids = edge_ids(graph)
    names, columns = list(_ends(ids)), []
    spelt = [quote(text, delimiter + '"') for text in ids]
    columns += [[spelt[i] for i in end.tolist()] for end in (graph.source, graph.target)]
    if graph.weight is not None:
        names.append("weight")
        columns.append(edge_weights(graph))
    if graph.directed:
        names.append("type")
        columns.append(["Directed"] * graph.num_edges)
    out = io.StringIO()
    out.writelines(delimiter.join(row) + "\n" for row in (names, *zip(*columns, strict=True)))
    stream.write(encode(out.getvalue()))
