"""Partitions and covers from files: predictions and ground truth in whatever form people have them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.graph.labels import is_missing
from graphclust.io.formats import FORMATS, format_of
from graphclust.io.source import Source, is_number, open_source, shorten, split_lines, suffix_of
from graphclust.io.tables import Dialect, Expectation, Sample, read_rows, sniff
from graphclust.runtime.notes import counted, log_notes

__all__ = ["Cover", "Labels", "read_partition"]

Labels: TypeAlias = dict[Hashable, Any]  # node -> label
Cover: TypeAlias = list[set[Hashable]]  # communities, which may overlap and leave nodes out
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"<(\?xml|!doctype|!--|([a-z_][\w:.-]*)[\s/>])", re.IGNORECASE)
_JSON = re.compile(rb"\{\s*[\"'}]|\[\s*(?:[\"\[{]|[0-9.,\s-]*\]$)")
_NODES = ("node", "id", "name", "vertex", "node_id", "nodeid")  # names of columns, best first
_CLASSES = ("community", "label", "class", "cluster", "group", "module", "block", "partition", "membership")


def _read_json(source: Source) -> Labels | Cover:
    try:
        content = json.loads(source.text())
        if isinstance(content, dict) and {"nodes", "labels"} <= content.keys():
            if len(content["nodes"]) != len(content["labels"]):
                raise source.error(f"{len(content['nodes'])} nodes and {len(content['labels'])} labels")
            return _as_labels(source, content["nodes"], map(_label, content["labels"]))
        if isinstance(content, dict):
            return _as_labels(source, content, map(_label, content.values()))
        if isinstance(content, list) and all(isinstance(line, list) for line in content):
            return [{str(node) for node in line} for line in content]
    except (json.JSONDecodeError, RecursionError) as error:
        raise source.error(f"not JSON: {error}", getattr(error, "lineno", None)) from None
    except TypeError:
        pass
    raise source.error(
        "not a partition: this JSON is neither {nodes, labels}, nor {node: label}, nor a list of communities"
    )


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


def _read_parquet(source: Source) -> Labels:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(source.data))
    except (pa.ArrowException, OSError) as error:
        raise source.error(f"not a parquet table: {error}") from None
    if table.num_columns < 2:
        raise source.error(f"expected the columns node and community, found only {', '.join(table.column_names)}")
    node, label, _ = _named_columns(table.column_names) or (0, 1, False)
    return _as_labels(source, table[node].to_pylist(), table[label].to_pylist())


def _read_attributes(source: Source, kind: str) -> Labels:
    graph: Graph = FORMATS[kind].load().read(source)
    attributes = graph.meta.get("node_attributes", {})
    if "community" not in attributes:
        raise source.error("the nodes have no attribute named community")
    return _as_labels(source, graph.nodes, attributes["community"])


def _named_columns(names: Sequence[str]) -> tuple[int, int, bool] | None:
    """Return the columns of node and label that a header names, and whether it names the label's; None if neither."""
    low = [name.lower() for name in names]
    node = next((low.index(name) for name in _NODES if name in low), None)
    if node is None or len(low) < 2:
        return None
    label = next((low.index(name) for name in _CLASSES if name in low), None)
    return node, next(i for i in range(len(low)) if i != node) if label is None else label, label is not None


@dataclass(frozen=True)
class _PartitionExpectation(Expectation):
    """A node and its label, or the nodes of a community.

    Attributes
    ----------
    ids : frozenset of str or None
        Ids of the graph's nodes, if the graph is known.
    """

    ids: frozenset[str] | None = None

    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        """Return whether the first row is a header; it may as well be a node and its label.

        If the graph's nodes are known, they decide. Otherwise, words such as id and name are a header above a column
        of numbers, or beside the name of a column of labels.
        """
        columns = _named_columns(first)
        if columns is None:
            return False
        node, label, names_label = columns
        if self.ids is not None and first[node] in self.ids:
            # if the node has a line of its own below, the first line is not about the node
            return names_label and any(row[node : node + 1] == [first[node]] for row in rest)
        rows = [row for row in islice(rest, 1000) if len(row) > max(node, label)]
        if self.ids is not None:
            return names_label or any(row[node] in self.ids for row in rows)
        nodes, labels = ([row[column] for row in rows] for column in (node, label))
        if names_label:
            return first[label] not in labels or first[node] in nodes
        return any(cells and all(map(is_number, cells)) for cells in (nodes, labels)) and not is_number(first[label])

    def plausibility(self, sample: Sample, separator: str | None) -> float:
        """Return 1 for a separator that is on every line, less for one in a header that names a column of nodes."""
        if separator is None:
            return 0.5
        rows = sample.rows(separator, multiline=self.multiline_quotes)
        if all(len(row) > 1 for row in rows):
            return 1.0
        return 0.9 if separator != ";" and _named_columns(rows[0]) else 0.0


def _read_text(source: Source, kind: str | None, nodes: Sequence[Hashable] | None, option: str) -> Labels | Cover:
    """Read a node and its label a line, or a community a line; further columns are names or confidences.

    Comments are above the table. Below a header, a line that begins with # is a node of that name.
    """
    if kind is None and (suffix_of(source.name) == ".cmty" or ".cmty." in source.name):
        kind = "cmty"
        source.note("form", f"read as one community per line ({option} overrides)", form="cmty")
    data = source.utf8()
    expected = _PartitionExpectation(
        separators=(None,) if kind == "cmty" else ("\t", ",", ";", None),
        header=False if kind == "cmty" else None,
        multiline_quotes=True,
        ids=None if nodes is None else frozenset(map(str, nodes)),
    )
    sample = Sample.of(data, expected, n_lines=None)
    if not sample.lines:
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    if dialect.header is None:
        dialect = replace(dialect, inner_comments=("#",))
    rows = list(read_rows(source, data.decode(), dialect))
    columns = None
    if kind != "cmty":
        columns = _note_header(source, dialect, sample, is_certain=nodes is not None)
    if kind is None and columns is None:
        sizes = {len(row) for _, row in rows}
        is_table = len(sizes) == 1 and (sizes <= {2, 3} or (dialect.separator is not None and sizes != {1}))
        kind = "labels" if is_table else "cmty"
        form = "node label" if kind == "labels" else "one community"
        source.note("form", f"read as {form} per line ({option} overrides)", form=kind)
    if kind == "cmty":
        return [set(row) for _, row in rows]
    return _labels_of_rows(source, rows, columns)


def _note_header(source: Source, dialect: Dialect, sample: Sample, *, is_certain: bool) -> tuple[int, int] | None:
    """Return the columns of node and label that the header names, None without one; note what the first line is.

    If the ids of the graph's nodes decide, the header is a detail.
    """
    first = dialect.header or sample.rows(dialect.separator, multiline=True)[0]
    columns = _named_columns(first)
    line = f"the first line ({shorten(', '.join(first))[1:-1]})"
    if columns is not None and dialect.header is None:
        source.note("header-as-data", f"read {line} as data, not as a header")
    elif dialect.header is not None and first[:2] != ("node", "community"):  # the header of our own files
        source.note("header", f"read {line} as a header", is_detail=is_certain, names=list(first))
    return columns[:2] if columns is not None and dialect.header is not None else None


def _labels_of_rows(source: Source, rows: Iterable[tuple[int, list[str]]], columns: tuple[int, int] | None) -> Labels:
    """Return the label of each node; an empty label is none.

    Raises
    ------
    DataError
        A row has no label, or a node has two labels; names the line.
    """
    node, label = columns or (0, 1)
    labels: Labels = {}
    for number, row in rows:
        if len(row) <= max(node, label) or (not row[node] and columns is None):
            raise source.error(f"expected a node and its label, found {counted(len(row), 'column')}", number)
        if row[label] and labels.setdefault(row[node], row[label]) != row[label]:
            hint = "write overlapping communities as cmty, one community a line"
            raise source.error(f"node {row[node]!r} has two labels ({hint})", number)
    return labels


def _read_clu(source: Source, nodes: Sequence[Hashable] | None) -> Labels:
    """Read Pajek's partition file: the classes in the order of the nodes, without their ids."""
    head, *lines = [line.strip() for line in split_lines(source.text()) if line.strip()]
    words = head.split()
    if len(words) < 2 or not words[1].isdecimal() or int(words[1]) != len(lines):
        raise source.error(
            f"the first line must be *Vertices {len(lines)}, the number of lines below it, not {shorten(head)}", 1
        )
    if nodes is None:
        raise source.error("a .clu file does not name its nodes: give its graph as well (--graph)")
    if len(nodes) != len(lines):
        raise source.error(f"{len(lines)} classes for a graph of {len(nodes)} nodes")
    return {str(node): line for node, line in zip(nodes, lines, strict=True)}


def read_partition(
    path: str | os.PathLike[str],
    kind: str | None = None,
    nodes: Sequence[Hashable] | None = None,
    option: str = "--truth-format",
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
    option : str
        Name of the command-line option for `kind`, for notes.

    Returns
    -------
    dict of str to label, or list of set of str

    Raises
    ------
    DataError
        The file cannot be read as a partition; names the line.
    """
    if kind not in (None, "labels", "cmty"):
        raise UsageError(f"{option} must be labels or cmty, not {kind!r}")
    source = open_source(path)
    if not source.data or source.data.isspace():
        raise source.error("the file is empty")
    partition = _read(source, kind, nodes, option)
    log_notes(source.notes, source.name)
    return partition


def _read(source: Source, kind: str | None, nodes: Sequence[Hashable] | None, option: str) -> Labels | Cover:
    if source.data.startswith(b"PAR1"):
        return _read_parquet(source)
    suffix, body = suffix_of(source.name), source.data.removeprefix(b"\xef\xbb\xbf").strip()
    if suffix == ".json" or _JSON.match(body):
        return _read_json(source)
    if (markup := _markup(body)) == "HTML":
        raise source.error("this is an HTML page, not a partition: give the result itself (tsv, csv, json, ...)")
    structured = format_of(source.name)
    if structured in ("graphml", "gexf", "gml"):
        return _read_attributes(source, structured)
    if markup in ("graphml", "gexf"):
        return _read_attributes(source, markup)
    if markup is not None:
        raise source.error("this is XML, not a partition (GraphML and GEXF are the XML formats that can be read)")
    if body[:9].lower() == b"*vertices":
        return _read_clu(source, nodes)
    return _read_text(source, kind, nodes, option)


def _markup(body: bytes) -> str | None:
    """Return what a text in angle brackets is: HTML, graphml, gexf or other XML; None for other text, such as <a> 1."""
    head = body[:4096].lower()
    if _HTML.match(head) or (head.startswith((b"<?xml", b"<!--")) and b"<html" in head):
        return "HTML"
    match = _XML.match(head)
    if match is None or (match[2] and not body[-4096:].lower().endswith(b"</" + match[2] + b">")):
        return None
    return next((name for name in ("graphml", "gexf") if b"<" + name.encode() in head), "XML")
