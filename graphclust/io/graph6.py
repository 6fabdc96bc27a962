"""graph6 and sparse6 (McKay), by networkx: one graph in printable characters on a line."""

from __future__ import annotations

from typing import Any

from graphclust.graph import Graph, graph_of
from graphclust.io.reading import build, unweighted
from graphclust.io.source import Source

__all__ = ["FIRST_ID", "KEEPS_IDS", "read"]

KEEPS_IDS = False
FIRST_ID = 0


def read(source: Source) -> Graph:
    """Read the one graph of a file.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Graph
        Nodes 0 to n - 1.

    Raises
    ------
    DataError
        The file has several graphs, or is damaged.
    """
    import networkx as nx

    lines = [line.strip() for line in source.data.split(b"\n") if line.strip()]
    if len(lines) != 1:
        raise source.error(f"the file has {len(lines)} graphs: split it into one file per graph")
    line = lines[0]
    read_line: Any = (
        nx.from_sparse6_bytes if line.removeprefix(b">>sparse6<<").startswith(b":") else nx.from_graph6_bytes
    )
    try:
        graph = read_line(line)
    except (nx.NetworkXException, ValueError, IndexError, OverflowError) as error:
        raise source.error(f"not a graph in graph6 or sparse6 ({error})") from None
    unweighted(source, graph.number_of_edges())
    plain = graph_of(nx.Graph(graph))
    directed = bool(source.options.directed)
    both = plain.to_directed() if directed else plain
    return build(source, both.source, both.target, None, nodes=plain.num_nodes, directed=directed)
