"""DIMACS: the formats of the implementation challenges for colouring, cliques (.col, .clq) and shortest paths (.gr).

`p edge n m` is followed by lines `e u v`, `p sp n m` by lines `a u v length`, which are directed. Nodes are the numbers
1 to n. Lines with `c` are comments, all others are skipped.
"""

from __future__ import annotations

import numpy as np

from graphclust.graph import Graph
from graphclust.io.reading import build, parse_int, parse_weight, require_nodes, unweighted
from graphclust.io.source import Source, shorten, split_lines
from graphclust.runtime.notes import counted

__all__ = ["FIRST_ID", "KEEPS_IDS", "read"]

KEEPS_IDS = False
FIRST_ID = 1


def read(source: Source) -> Graph:
    """Read a DIMACS file.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Graph
        Nodes 1 to n. An edge of a colouring problem that is listed in both directions counts once.

    Raises
    ------
    DataError
        There is no line `p`, a number is missing or out of range, or the number of edges differs from the declared one;
        names the line.
    ResourceError
        More nodes are declared than fit into memory.
    """
    n_nodes, n_edges, is_directed, is_bare = -1, 0, False, False
    ends: list[tuple[int, int]] = []
    lengths: list[tuple[str, int]] = []  # third fields and their lines
    top = 1
    for number, line in enumerate(split_lines(source.text()), 1):
        kind, *fields = line.split() or ["c"]
        if kind == "p":
            if n_nodes >= 0 or len(fields) < 3:
                raise source.error("expected one line: p, the kind, the numbers of nodes and edges", number)
            is_directed = fields[0].lower() in ("sp", "max", "min")
            n_nodes = parse_int(source, fields[1], number, "the number of nodes")
            n_edges = parse_int(source, fields[2], number, "the number of edges")
            require_nodes(source, n_nodes, number)
            top = number
            is_bare = fields[0].lower() in ("tw", "td")  # the treewidth challenges write edges without a letter
        elif kind in ("e", "a") or (is_bare and kind.isdecimal()):
            fields = [kind, *fields] if is_bare else fields
            if n_nodes < 0:
                raise source.error("an edge stands before the line p", number)
            if len(fields) < 2:
                raise source.error(f"expected two nodes, found {shorten(line)}", number)
            pair = [parse_int(source, field, number, "a node") for field in fields[:2]]
            bad = next((node for node in pair if not 1 <= node <= n_nodes), None)
            if bad is not None:
                raise source.error(f"there is no node {bad}: they are numbered 1 to {n_nodes}", number)
            ends.append((pair[0] - 1, pair[1] - 1))
            if len(fields) > 2:
                lengths.append((fields[2], number))
    if n_nodes < 0:
        raise source.error("there is no line p with the numbers of nodes and edges")
    if n_edges not in (len(ends), len(ends) / 2, 2 * len(ends)):
        raise source.error(f"{n_edges} edges are declared, but {len(ends)} follow", top)
    weight = _weights(source, lengths, len(ends), is_directed)
    directed = is_directed if source.options.directed is None else source.options.directed
    if not is_directed and weight is None:
        ends = list(dict.fromkeys((min(pair), max(pair)) for pair in ends))
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    nodes = range(1, n_nodes + 1)
    return build(source, pairs[:, 0], pairs[:, 1], weight, nodes=nodes, directed=directed)


def _weights(source: Source, lengths: list[tuple[str, int]], n_edges: int, are_distances: bool) -> list[float] | None:
    """Return the third fields as weights; None if there are none, or if they are distances that nobody asked for."""
    if len(lengths) != n_edges or not n_edges or source.options.weights is False:
        if lengths and source.options.weights is not False:
            source.note("ignored-weights", f"ignored the weights of {counted(len(lengths), 'edge')}: others have none")
        unweighted(source, n_edges)
        return None
    if are_distances and not source.options.weights:
        source.note("ignored-distances", "ignored the lengths of the edges (--weights reads them as weights)")
        return None
    return [parse_weight(source, text, line) for text, line in lengths]
