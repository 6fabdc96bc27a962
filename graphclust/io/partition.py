"""Partitions and covers from files: predictions and ground truth in whatever form people have them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.graph.column_names import list_columns
from graphclust.graph.labels import is_missing
from graphclust.io.archive import open_file
from graphclust.io.formats import FORMATS, format_of
from graphclust.io.options import ReadOptions
from graphclust.io.partition_text import (
    Cover,
    Labels,
    named_columns,
    read_clu,
    read_text,
    read_tree,
    with_label_column,
)
from graphclust.io.source import Source
from graphclust.runtime.notes import counted, log_notes

__all__ = ["Cover", "Labels", "read_partition"]

_EDGES = {"links", "edges"}  # of a graph in JSON
_MIN_LABELS = 4
_MAX_DISTINCT = 0.9  # share of different labels from which they look like names
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"<(\?xml|!doctype|!--|([a-z_][\w:.-]*)[\s/>])", re.IGNORECASE)
_JSON = re.compile(rb"\{\s*[\"'}]|\[\s*(?:[\"\[{]|[0-9.,\s-]*\]$)")


def _json(source: Source) -> Any:
    try:
        return json.loads(source.text())
    except (json.JSONDecodeError, RecursionError) as error:
        raise source.error(f"not JSON: {error}", getattr(error, "lineno", None)) from None


def _read_json(source: Source, content: Any, nodes: Sequence[Hashable] | None) -> Labels | Cover:
    known = None if nodes is None else [str(node) for node in nodes]
    try:
        if isinstance(content, dict) and len(content) == 1 and known and _lists_members(content):
            (labels,) = content.values()  # of igraph, in the order of the nodes
            if len(labels) == len(known) and set(map(str, labels)) != set(known):
                source.note("labels-in-order", f"read the labels in the order of the graph's nodes ({known[0]}, ...)")
                return _as_labels(source, known, map(_label, labels))
        if isinstance(content, dict) and {"nodes", "labels"} <= content.keys():
            if len(content["nodes"]) != len(content["labels"]):
                raise source.error(f"{len(content['nodes'])} nodes and {len(content['labels'])} labels")
            return _as_labels(source, content["nodes"], map(_label, content["labels"]))
        if isinstance(content, dict) and isinstance(content.get("communities"), list):  # CDlib
            content = content["communities"]
        if isinstance(content, dict) and _lists_members(content):
            if known and content.keys() == set(known):
                return _communities_of(source, content)
            content = list(content.values())
        if isinstance(content, dict):
            return _as_labels(source, content, map(_label, content.values()))
        if isinstance(content, list) and all(isinstance(line, list) for line in content):
            return [{str(node) for node in line} for line in content]
    except TypeError:
        pass
    raise source.error(
        "not a partition: this JSON is neither {nodes, labels}, nor {node: label}, nor {community: nodes}, nor a list "
        "of communities"
    )


def _communities_of(source: Source, labels_of: dict[str, list[Any]]) -> Labels | Cover:
    """Return the labels of nodes that have a list of them, or the communities if some have several."""
    source.note("labels-of-nodes", "read a list of labels for each node")
    if all(len(labels) < 2 for labels in labels_of.values()):
        return _as_labels(source, labels_of, (_label(labels[0]) if labels else None for labels in labels_of.values()))
    communities: dict[str, set[Hashable]] = {}
    for node, labels in labels_of.items():
        for label in labels:
            communities.setdefault(str(label), set()).add(node)
    return list(communities.values())


def _lists_members(content: dict[str, Any]) -> bool:
    """Whether a JSON object lists the nodes of each community."""
    return any(content.values()) and all(isinstance(members, list) for members in content.values())


def _label(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise TypeError("a label must be a string or a number")
    return value


def _as_labels(source: Source, nodes: Iterable[Any], labels: Iterable[Any]) -> Labels:
    """Return the labels of the nodes as a dict with ids as text; refuse two labels of one id, such as 1 and "1".

    Nodes with a missing label are left out.
    """
    label_of: Labels = {}
    for node, label in zip(map(str, nodes), labels, strict=True):
        if is_missing(label):
            continue
        if label_of.setdefault(node, label) != label:
            raise source.error(f"node {node!r} has two labels")
    return label_of


def _read_parquet(source: Source, column: str | None) -> Labels:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(source.data))
    except (pa.ArrowException, OSError) as error:
        raise source.error(f"not a parquet table: {error}") from None
    if table.num_columns < 2:
        raise source.error(f"expected the columns node and community, found only {', '.join(table.column_names)}")
    names: list[str] = table.column_names
    node, label, _ = named_columns(names) or (0, 1, False)
    if column is not None:
        node, label = with_label_column(source, names, column, node)
    return _as_labels(source, table[node].to_pylist(), table[label].to_pylist())


def _read_attributes(source: Source, kind: str, column: str | None, option: str) -> Labels:
    source.options = ReadOptions(weights=False)
    graph: Graph = FORMATS[kind].load().read(source)
    attributes = graph.meta.get("node_attributes", {})
    columns = named_columns(["id", *attributes])
    known = list_columns(list(attributes)) or "none"
    if column is None and columns is not None and columns[2]:
        column = list(attributes)[columns[1] - 1]
    elif column is None:
        raise source.error(
            f"the nodes have no attribute named community, class or the like: {option} chooses one of {known}"
        )
    if column not in attributes:
        raise source.error(f"the nodes have no attribute {column!r} (they have {known})")
    return _as_labels(source, graph.nodes, attributes[column])


def read_partition(
    path: str | os.PathLike[str],
    kind: str | None = None,
    nodes: Sequence[Hashable] | None = None,
    *,
    column: str | None = None,
    role: str = "truth",
) -> Labels | Cover:
    """Read a partition, or a cover whose communities may overlap.

    Parameters
    ----------
    path : str or PathLike
        A file that `write_result` writes; a table with a node and its label a line (further columns are ignored); or
        one community a line (cmty). It may be compressed; "-" is standard input.
    kind : {"labels", "cmty"}, optional
        What a line of a text file holds. By default, labels if a header names them or if all lines have two or all
        lines have three columns. A node with an empty label has no label.
    nodes : sequence, optional
        Ids of the graph's nodes in order. A Pajek .clu file needs them; in other files, they tell a header from data.
    column : str, optional
        The column of the labels, by name or by number from 1, or the attribute of the nodes; by default, it has one of
        the usual names.
    role : {"truth", "predicted"}
        What the partition is, for notes: the command line has the options --truth-format and --predicted-format.

    Returns
    -------
    dict of str to label, or list of set of str

    Raises
    ------
    DataError
        The file cannot be read as a partition; names the line.
    """
    if kind not in (None, "labels", "cmty"):
        raise UsageError(f"--{role}-format must be labels or cmty, not {kind!r}")
    if column is not None and kind == "cmty":
        raise UsageError(f"--{role}-column contradicts --{role}-format cmty, which has no columns")
    source = open_file(path)
    if not source.data or source.data.isspace():
        raise source.error("the file is empty")
    partition = _read(source, kind, nodes, column, role)
    if not partition:
        raise source.error("the file has no labels")
    if isinstance(partition, dict):
        _check_distinct(source, partition)
    log_notes(source.notes, source.name)
    return partition


def _read(
    source: Source, kind: str | None, nodes: Sequence[Hashable] | None, column: str | None, role: str
) -> Labels | Cover:
    if source.data.startswith(b"PAR1"):
        return _read_parquet(source, column)
    suffix, body = source.suffix, source.data.removeprefix(b"\xef\xbb\xbf").strip()
    if suffix == ".json" or _JSON.match(body):
        content = _json(source)
        if isinstance(content, dict) and isinstance(content.get("nodes"), list) and _EDGES & content.keys():
            return _read_attributes(source, "json", column, f"--{role}-column")
        _refuse_column(source, column)
        return _read_json(source, content, nodes)
    if (markup := _markup(body)) == "HTML":
        raise source.error("this is an HTML page, not a partition: give the result itself (tsv, csv, json, ...)")
    structured = format_of(f"file{suffix}")
    if structured in ("graphml", "gexf", "gml"):
        return _read_attributes(source, structured, column, f"--{role}-column")
    if markup in ("graphml", "gexf"):
        return _read_attributes(source, markup, column, f"--{role}-column")
    if markup is not None:
        raise source.error("this is XML, not a partition (GraphML and GEXF are the XML formats that can be read)")
    if body[:9].lower() in (b"*vertices", b"*partitio"):
        _refuse_column(source, column)
        return read_clu(source, nodes)
    if suffix in (".tree", ".ftree") or b"# path flow name" in body[:4096]:
        _refuse_column(source, column)
        return read_tree(source, nodes)
    return read_text(source, kind, nodes, column, role)


def _refuse_column(source: Source, column: str | None) -> None:
    if column is not None:
        raise source.error(f"a file of this kind has no columns, so that none can be called {column!r}")


def _check_distinct(source: Source, labels: Labels) -> None:
    """Note labels of which nearly every node has its own: they may be names."""
    distinct = len(set(labels.values()))
    if len(labels) >= _MIN_LABELS and distinct >= _MAX_DISTINCT * len(labels):
        message = f"the labels of {counted(len(labels), 'node')} are all different"
        if distinct < len(labels):
            message = f"{counted(len(labels), 'node')} have {distinct} different labels"
        source.note("distinct-labels", f"{message}: this column may hold names, not communities", n_labels=distinct)


def _markup(body: bytes) -> str | None:
    """Return what a text in angle brackets is: HTML, graphml, gexf or other XML; None for other text, such as <a> 1."""
    head = body[:4096].lower()
    if _HTML.match(head) or (head.startswith((b"<?xml", b"<!--")) and b"<html" in head):
        return "HTML"
    match = _XML.match(head)
    if match is None or (match[2] and not body[-4096:].lower().endswith(b"</" + match[2] + b">")):
        return None
    return next((name for name in ("graphml", "gexf") if b"<" + name.encode() in head), "XML")
