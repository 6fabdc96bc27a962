"""SIF, Cytoscape's Simple Interaction Format (.sif): a node, a relation and one or more nodes on each line.

If a line of the file has a tab, tabs separate the fields, otherwise any white space does. A line with a single field is
a node without edges. Relations are not read: all edges are undirected.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io.reading import build, unweighted
from graphclust.io.source import Source, is_number, shorten, split_lines
from graphclust.io.writing import edge_ids, encode, refuse_attributes

__all__ = ["KEEPS_IDS", "read", "write"]

KEEPS_IDS = True

_HEADERS = ("source", "participant_a", "interactor a", "node1", "from")  # first words of headers, which SIF has none of


def read(source: Source) -> Graph:
    """Read a SIF file.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Graph
        Nodes in canonical order. Edges of several relations between two nodes are parallel: their number is the weight.

    Raises
    ------
    DataError
        A line has a relation but no node after it, or an empty field; names the line. Or each line has a number in the
        place of a fourth node.
    """
    text = source.text()
    separator = "\t" if "\t" in text else None
    index: dict[str, int] = {}
    ends: list[tuple[int, int]] = []
    relations: set[str] = set()
    fourth: set[str] | None = set()  # fields of that column, None once a line has more or fewer fields
    for number, line in enumerate(split_lines(text), 1):
        fields = [field.strip() for field in line.strip().split(separator)]
        if not any(fields) or (line.startswith("# ") and not ends):
            continue
        if not ends and len(fields) == 3 and fields[0].lower() in _HEADERS:
            source.note("header", f"read the first line ({', '.join(fields)}) as a header", names=fields)
            continue
        node, *rest = fields
        if len(rest) == 1:
            raise source.error(f"expected a node, a relation and other nodes, found {shorten(line.strip())}", number)
        if not all(fields):
            raise source.error("a field is empty", number)
        tail = index.setdefault(node, len(index))
        relations.update(rest[:1])
        if rest:
            fourth = None if fourth is None or len(rest) != 3 else fourth | {rest[2]}
        ends += [(tail, index.setdefault(other, len(index))) for other in rest[1:]]
    if fourth and all(map(is_number, fourth)) and not all(map(is_number, index.keys() - fourth)):
        raise source.error(
            "each line ends with a number, but SIF has no weights: --input-format edgelist --columns 1,3,4 reads the "
            "numbers as weights"
        )
    if not ends and len(index) > 1 and any("," in node or ";" in node for node in index):
        raise source.error("no line has a relation and a second node: tabs or white space must separate them")
    unweighted(source, len(ends))
    if len(relations) > 1:
        source.note(
            "several-relations", f"read edges of {len(relations)} relations as one graph", names=sorted(relations)[:20]
        )
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    directed = bool(source.options.directed)
    return build(source, pairs[:, 0], pairs[:, 1], None, nodes=list(index), directed=directed).canonical()


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write SIF with tabs; the relation is "interacts_with". Weights are lost.

    Raises
    ------
    UsageError
        Node attributes are given.
    DataError
        An id is empty or has a tab or a line break.
    """
    refuse_attributes(attributes, "SIF")
    ids = edge_ids(graph)
    for text in ids:
        if "\t" in text or text != text.strip():
            raise DataError(f"SIF cannot hold the id {shorten(text)}: it has a tab or blanks at its ends")
    out = io.StringIO()
    out.writelines(
        f"{ids[u]}\tinteracts_with\t{ids[v]}\n"
        for u, v in zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    )
    alone = np.flatnonzero(graph.degree(weighted=False) == 0)
    out.writelines(f"{ids[i]}\n" for i in alone.tolist())
    stream.write(encode(out.getvalue()))
