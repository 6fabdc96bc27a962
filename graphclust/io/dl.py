"""UCINET DL (.dl; Borgatti, Everett, Freeman, "UCINET" manual): full matrices, edge lists and node lists of one mode.

A header such as `dl n=4 format=edgelist1` is followed by labels, if any, and by `data:`. With `labels embedded`, the
data name the nodes by their labels. Ids are the labels, or else the numbers 1 to n as strings.
"""

from __future__ import annotations

import re

import numpy as np

from graphclust.graph import Graph
from graphclust.io.reading import build_from_entries, parse_int, parse_weight, require_nodes, unweighted
from graphclust.io.source import Source, shorten, split_lines
from graphclust.runtime.memory import require_memory

__all__ = ["KEEPS_IDS", "read"]

KEEPS_IDS = True

_FORMATS = ("fullmatrix", "edgelist1", "nodelist1")
_FIELD = re.compile(r'"([^"]*)"|([^\s,]+)')


def _fields(text: str) -> list[str]:
    return [quoted or bare for quoted, bare in _FIELD.findall(text)]


def read(source: Source) -> Graph:
    """Read a DL file.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Graph
        Undirected if each edge is there in both directions, unless `options.directed` says otherwise.

    Raises
    ------
    DataError
        The header lacks the number of nodes, or names a format that is not supported; a node is unknown; the data have
        a wrong number of values. Names the line.
    ResourceError
        More nodes are declared than fit into memory.
    """
    lines = split_lines(source.text())
    starts = [i for i, line in enumerate(lines) if re.fullmatch(r"\s*data\s*:\s*", line, re.IGNORECASE)]
    if not starts or not lines[0].strip().lower().startswith("dl"):
        raise source.error("a DL file must begin with dl and have a line data:", 1)
    head = " ".join(lines[: starts[0]])
    size = re.search(r"\bn\s*=\s*([0-9]+)", head, re.IGNORECASE)
    if size is None:
        raise source.error(
            "the header lacks the number of nodes, n = ... (two-mode data, nr and nc, are not supported)", 1
        )
    n_nodes = parse_int(source, size[1], 1, "the number of nodes")
    require_nodes(source, n_nodes, 1)
    form = re.search(r"\bformat\s*=\s*(\w+)", head, re.IGNORECASE)
    kind = form[1].lower() if form else "fullmatrix"
    if kind not in _FORMATS:
        raise source.error(f"the format {shorten(kind)} is not supported, only {', '.join(_FORMATS)}", 1)
    is_embedded = re.search(r"labels\s+embedded", head, re.IGNORECASE) is not None
    listed = re.search(r"labels\s*:(.*)$", head, re.IGNORECASE)
    labels = _fields(listed[1]) if listed and not is_embedded else []
    if labels and (len(labels) != n_nodes or len(set(labels)) != n_nodes):
        raise source.error(f"expected {n_nodes} distinct labels, found {len(set(labels))}")
    body = [(i, _fields(line)) for i, line in enumerate(lines[starts[0] + 1 :], starts[0] + 2) if line.strip()]
    if kind == "fullmatrix":
        return _matrix(source, body, n_nodes, labels, is_embedded)
    return _list(source, body, n_nodes, labels, is_embedded, kind == "nodelist1")


def _matrix(
    source: Source, body: list[tuple[int, list[str]]], n_nodes: int, labels: list[str], is_embedded: bool
) -> Graph:
    if is_embedded and body:
        labels, body = body[0][1], [(line, fields[1:]) for line, fields in body[1:]]
        if len(labels) != n_nodes:
            raise source.error(f"expected {n_nodes} labels, found {len(labels)}")
    values = [(line, field) for line, fields in body for field in fields]
    require_memory(40.0 * n_nodes * n_nodes, f"{source.name}: a dense matrix of {n_nodes} rows")
    if len(values) != n_nodes * n_nodes:
        raise source.error(f"a matrix of {n_nodes} nodes has {n_nodes * n_nodes} values, found {len(values)}")
    matrix = np.array([parse_weight(source, field, line) for line, field in values]).reshape(n_nodes, n_nodes)
    row, col = np.nonzero(matrix)
    weight = None if source.options.weights is False else matrix[row, col]
    ids = labels or [str(i) for i in range(1, n_nodes + 1)]
    return build_from_entries(source, row, col, weight, ids, directed=source.options.directed)


def _list(
    source: Source,
    body: list[tuple[int, list[str]]],
    n_nodes: int,
    labels: list[str],
    is_embedded: bool,
    is_node_list: bool,
) -> Graph:
    """Read a list of edges, or of nodes each with those that it points to."""
    index = {label: i for i, label in enumerate(labels)} if is_embedded or labels else {}
    ends: list[tuple[int, int]] = []
    weight: list[float] = []

    def position(field: str, line: int) -> int:
        if is_embedded:
            if field not in index and len(index) == n_nodes:
                raise source.error(f"there are more labels than {n_nodes} nodes: {shorten(field)}", line)
            return index.setdefault(field, len(index))
        node = parse_int(source, field, line, "a node")
        if not 1 <= node <= n_nodes:
            raise source.error(f"there is no node {node}: they are numbered 1 to {n_nodes}", line)
        return node - 1

    for line, fields in body:
        if not is_node_list and len(fields) not in (2, 3):
            raise source.error(f"expected two nodes and perhaps a weight, found {len(fields)} fields", line)
        tail, *heads = (position(field, line) for field in (fields if is_node_list else fields[:2]))
        ends += [(tail, head) for head in heads]
        if not is_node_list:
            weight.append(parse_weight(source, fields[2], line) if len(fields) == 3 else 1.0)
    ids = list(index) if is_embedded else labels or [str(i) for i in range(1, n_nodes + 1)]
    ids += [f"node {i}" for i in range(len(ids) + 1, n_nodes + 1)]
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    if all(len(fields) < 3 for _, fields in body) or is_node_list:
        unweighted(source, len(ends))
        weight = []
    values = np.array(weight) if weight and source.options.weights is not False else None
    return build_from_entries(source, pairs[:, 0], pairs[:, 1], values, ids, directed=source.options.directed)
