"""Adjacency lists, as networkx's `write_adjlist` writes them: a node and some of its neighbours on each line.

Fields are separated by white space, commas, semicolons or tabs; a colon may follow the node. `#` and `%` begin comments
above the first line of the list.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io.reading import build, unweighted
from graphclust.io.signatures import BEFORE_NEIGHBOURS
from graphclust.io.source import Source, shorten, split_lines
from graphclust.io.tables import BLANK, parse_separator
from graphclust.io.writing import edge_ids, encode, refuse_attributes

__all__ = ["KEEPS_IDS", "read", "write"]

KEEPS_IDS = True

_SEPARATORS = ("\t", ";", ",")


def _lines(source: Source) -> list[tuple[int, str]]:
    """Return the numbered lines without comments."""
    comment = source.options.comment
    prefixes = source.options.comment_prefixes()
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(split_lines(source.text()), 1):
        text = line.strip(BLANK)
        is_comment = bool(prefixes) and text.startswith(prefixes) and (comment is not None or not lines)
        if text and not is_comment:
            lines.append((number, text))
    return lines


def read(source: Source) -> Graph:
    """Read an adjacency list.

    Parameters
    ----------
    source : Source
        `options.delimiter` separates the fields, `options.comment` begins comments.

    Returns
    -------
    Graph
        Nodes in canonical order; an edge that is in the lines of both its ends counts once.

    Raises
    ------
    DataError
        A field is empty; names the line.
    """
    lines = _lines(source)
    texts = [text for _, text in lines]
    if source.options.delimiter is not None:
        separator = parse_separator(source.options.delimiter)
    else:
        separator = next((mark for mark in _SEPARATORS if sum(mark in text for text in texts) * 2 > len(texts)), None)
    has_colons = bool(texts) and all(map(BEFORE_NEIGHBOURS.fullmatch, texts))
    index: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    for number, text in lines:
        if has_colons:
            head, _, rest = text.partition(":")
            tail = rest.strip(BLANK)
            fields = [head.strip(), *(field.strip(BLANK) for field in tail.split(separator) if tail)]
        else:
            fields = [field.strip(BLANK) for field in text.split(separator)]
        while len(fields) > 1 and not fields[-1]:
            fields.pop()
        if not all(fields):
            raise source.error(f"a field is empty: {shorten(text)}", number)
        node, *others = (index.setdefault(field, len(index)) for field in fields)
        pairs += [(node, other) for other in others]
    if not pairs and len(lines) > 1 and source.suffix != ".adjlist":
        raise source.error("no line has a node and a neighbour, separated by white space, commas, semicolons or tabs")
    unweighted(source, len(pairs))
    directed = bool(source.options.directed)
    if not directed:  # each edge may be in the lines of both its ends
        pairs = list(dict.fromkeys((min(pair), max(pair)) for pair in pairs))
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    source.note("adjacency-list", "read each line as a node and its neighbours", is_detail=source.suffix == ".adjlist")
    return build(source, ends[:, 0], ends[:, 1], None, nodes=list(index), directed=directed).canonical()


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write a line for each node, with the neighbours of which the edges have not been written yet; weights are lost.

    Raises
    ------
    UsageError
        Node attributes are given.
    DataError
        An id is empty or has white space, which would be read as two ids.
    """
    refuse_attributes(attributes, "an adjacency list")
    ids = edge_ids(graph)
    for text in ids:
        if text.split() != [text] or text[0] in "#%" or any(mark in text for mark in ",;:"):
            raise DataError(f"an adjacency list cannot hold the id {shorten(text)}: it has a separator or a mark")
    neighbours: list[list[str]] = [[] for _ in ids]
    for u, v in zip(graph.source.tolist(), graph.target.tolist(), strict=True):
        neighbours[u].append(ids[v])
    out = io.StringIO()
    out.writelines(" ".join([node, *others]) + "\n" for node, others in zip(ids, neighbours, strict=True))
    stream.write(encode(out.getvalue()))
