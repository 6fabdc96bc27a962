"""METIS graphs (.graph, .metis; Karypis and Kumar, "METIS manual", section "Graph file"; also Chaco and DIMACS-10).

The header gives nodes, edges and a code for the weights; then line i lists the neighbours of node i. Ids are the
numbers 1 to n, as int. Weights and sizes of nodes are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io.reading import build, parse_int, parse_weight, require_nodes, unweighted
from graphclust.io.source import Source, shorten, split_lines
from graphclust.io.writing import refuse_attributes
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["FIRST_ID", "KEEPS_IDS", "read", "write"]

KEEPS_IDS = False
FIRST_ID = 1


def _header(source: Source, text: str, line: int) -> tuple[int, int, int, bool]:
    """Return the numbers of nodes and edges, how many numbers a line begins with, and whether edges have weights."""
    fields = text.split()
    if not 2 <= len(fields) <= 4:
        raise source.error(
            f"a header must have 2 to 4 numbers (nodes, edges, code, weights), but this one has {len(fields)}", line
        )
    n_nodes = parse_int(source, fields[0], line, "the number of nodes")
    n_edges = parse_int(source, fields[1], line, "the number of edges")
    require_nodes(source, n_nodes, line)
    code = (fields[2] if len(fields) > 2 else "0").zfill(3)
    if len(code) != 3 or set(code) - {"0", "1"}:
        raise source.error(
            f"the code for weights must consist of up to three digits 0 or 1, not {shorten(fields[2])}", line
        )
    n_weights = parse_int(source, fields[3], line, "the number of weights of a node") if len(fields) > 3 else 1
    if n_weights < 0:
        raise source.error(f"the number of weights per node must not be negative, not {n_weights}", line)
    skipped = (code[0] == "1") + n_weights * (code[1] == "1")
    if skipped:
        source.note("ignored-node-weights", "ignored the weights and sizes of the nodes")
    return n_nodes, n_edges, skipped, code[2] == "1"


def _neighbours(source: Source, tokens: list[str], n_nodes: int, line: int) -> list[int]:
    try:
        nodes = list(map(int, tokens))
        if "_" in "".join(tokens):  # which Python's int ignores
            raise ValueError
    except ValueError:
        nodes = [parse_int(source, token, line, "a neighbour") for token in tokens]
    if nodes and not (min(nodes) >= 1 and max(nodes) <= n_nodes):
        bad = next(node for node in nodes if not 1 <= node <= n_nodes)
        raise source.error(f"there is no node {bad}: they are numbered 1 to {n_nodes}", line)
    return nodes


def _unmatched(tail: IntArray, head: IntArray, weight: FloatArray) -> int | None:
    """Return the first entry that has no counterpart of the same weight in the list of the other node."""
    low, high = np.minimum(tail, head), np.maximum(tail, head)
    halves = [np.flatnonzero(half) for half in (tail < head, tail > head)]
    forth, back = (half[np.lexsort((weight[half], high[half], low[half]))] for half in halves)
    common = min(len(forth), len(back))
    differ = np.zeros(common, dtype=bool)
    for values in (low, high, weight):
        differ |= values[forth[:common]] != values[back[:common]]
    first = int(np.argmax(differ)) if differ.any() else common
    rest = [int(half[first]) for half in (forth, back) if len(half) > first]
    return min(rest, key=lambda i: (low[i], high[i], weight[i]), default=None)


def read(source: Source) -> Graph:
    """Read a METIS graph.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Graph
        Nodes 1 to n.

    Raises
    ------
    DataError
        The file is malformed, has other numbers of nodes or edges than its header says, or an edge that stands in one
        of its two lines only; a weight is negative or not a number.
    ResourceError
        More nodes are declared than fit into memory.
    """
    rows = [(i, text) for i, text in enumerate(split_lines(source.text()), start=1) if not text.startswith("%")]
    start = next((i for i, (_, text) in enumerate(rows) if text.strip()), None)
    if start is None:
        raise source.error("the file is empty: a METIS graph begins with the numbers of nodes and edges")
    top, header = rows[start]
    n_nodes, n_edges, skipped, weighted = _header(source, header, top)
    rows = rows[start + 1 :]
    if len(rows) < n_nodes:
        raise source.error(f"{n_nodes} nodes are declared, but only {len(rows)} lines follow", top)
    extra = next((line for line, text in rows[n_nodes:] if text.strip()), None)
    if extra is not None:
        raise source.error(f"there are more lines than the {n_nodes} declared nodes", extra)
    directed = source.options.directed
    heads: list[int] = []
    weight: list[float] = []
    degrees = []
    for line, text in rows[:n_nodes]:
        tokens = text.split()
        ends = tokens[skipped:]
        if len(tokens) < skipped or (weighted and len(ends) % 2):
            wanted = f"{skipped} numbers and then " if skipped else ""
            raise source.error(
                f"expected {wanted}{'pairs of neighbour and weight' if weighted else 'neighbours'}", line
            )
        if weighted:
            if source.options.weights is not False:
                weight += [parse_weight(source, token, line) for token in ends[1::2]]
            ends = ends[::2]
        heads += _neighbours(source, ends, n_nodes, line)
        degrees.append(len(ends))
    if not weighted:
        unweighted(source, len(heads))
    tail, head = np.repeat(np.arange(n_nodes), degrees), np.array(heads, dtype=np.int64) - 1
    values = np.array(weight) if weight else np.ones(len(heads))
    loops = int(np.count_nonzero(tail == head))
    counts = {(len(heads) - loops) / 2 + loops} | ({len(heads)} if directed else set())
    if n_edges not in counts:
        raise source.error(
            f"{n_edges} edges are declared, but the lines hold {len(heads)} ends, not {2 * n_edges}", top
        )
    if not directed:
        alone = _unmatched(tail, head, values)
        if alone is not None:
            u, v = int(tail[alone]) + 1, int(head[alone]) + 1
            what = "edge" if not weight else f"edge of weight {values[alone]:g}"
            raise source.error(f"the line of node {v} must repeat the {what} to node {u}", rows[u - 1][0])
        once = tail <= head
        tail, head, values = tail[once], head[once], values[once]
    edge_weight = values if weight else None
    return build(source, tail, head, edge_weight, nodes=range(1, n_nodes + 1), directed=bool(directed))


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write a METIS graph; ids are lost, the nodes are numbered from 1 in the order of `graph.nodes`.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Refused: METIS has no place for them.

    Raises
    ------
    DataError
        The graph is directed, or has self-loops, or weights that are not positive integers.
    UsageError
        Attributes.
    """
    refuse_attributes(attributes, "METIS")
    if graph.directed:
        raise DataError("METIS files hold undirected graphs only, but this graph is directed")
    if graph.num_self_loops:
        raise DataError(f"METIS files cannot hold self-loops, but this graph has {graph.num_self_loops}")
    matrix = graph.adjacency()
    columns = [(matrix.indices + 1).tolist()]
    if graph.is_weighted:
        if (matrix.data != np.floor(matrix.data)).any():
            bad = matrix.data[matrix.data != np.floor(matrix.data)][0]
            raise DataError(f"METIS files hold integer weights only, but this graph has {bad}")
        columns.append([int(value) for value in matrix.data.tolist()])
    entries = [" ".join(map(str, entry)) for entry in zip(*columns, strict=True)]
    stream.write(f"{graph.num_nodes} {graph.num_edges}{' 001' if graph.is_weighted else ''}\n".encode())
    bounds = matrix.indptr.tolist()
    stream.writelines(f"{' '.join(entries[i:j])}\n".encode() for i, j in pairwise(bounds))
