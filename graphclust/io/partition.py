"""Partitions and covers from files: predictions and ground truth in whatever form people have them."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeAlias

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.io.formats import FORMATS, format_of
from graphclust.io.source import Source, is_number, open_source, shorten, split_lines, suffix_of
from graphclust.runtime.notes import log_notes

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
            return {node: _label(label) for node, label in content.items()}
        if isinstance(content, list) and all(isinstance(line, list) for line in content):
            return [{str(node) for node in line} for line in content]
    except (json.JSONDecodeError, RecursionError) as error:
        raise source.error(f"not JSON: {error}", getattr(error, "lineno", None)) from None
    except TypeError:
        pass
    raise source.error("not a partition: JSON, but neither {nodes, labels}, nor node: label, nor a list of communities")


def _label(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise TypeError("a label is a word or a number")
    return value


def _as_labels(source: Source, nodes: Iterable[Any], labels: Iterable[Any]) -> Labels:
    """Spell ids as text; refuse two labels of what becomes one node, as 1 and "1"."""
    found: Labels = {}
    for node, label in zip(map(str, nodes), labels, strict=True):
        if found.setdefault(node, label) != label:
            raise source.error(f"node {node!r} has two labels")
    return found


def _read_parquet(source: Source) -> Labels:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(source.data))
    except (pa.ArrowException, OSError) as error:
        raise source.error(f"not a parquet table: {error}") from None
    if table.num_columns < 2:
        raise source.error(f"expected the columns node and community, found {', '.join(table.column_names)}")
    return _as_labels(source, table[0].to_pylist(), table[1].to_pylist())


def _read_attributes(source: Source, kind: str) -> Labels:
    graph: Graph = FORMATS[kind].load().read(source)
    attributes = graph.meta.get("node_attributes", {})
    if "community" not in attributes:
        raise source.error("the nodes have no attribute named community")
    return _as_labels(source, graph.nodes, attributes["community"])


def _split(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [value.strip() for value in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _cut(source: Source, lines: list[tuple[int, str]], delimiter: str | None) -> list[tuple[int, list[str]]]:
    """Cut lines into fields; in quotes, a field may have blanks at its ends, and line breaks."""
    if delimiter is None or not any('"' in line for _, line in lines):
        return [
            (number, line.split() if delimiter is None else [v.strip() for v in line.split(delimiter)])
            for number, line in lines
        ]
    first = lines[0][0]
    reader = csv.reader(
        split_lines(source.text(), keep_ends=True)[first - 1 :], delimiter=delimiter, skipinitialspace=True
    )
    rows, start = [], first
    for row in reader:
        if row and not (len(row) == 1 and not row[0].strip()):
            rows.append((start, row))
        start = first + reader.line_num
    return rows


def _named(row: list[str]) -> tuple[int, int, bool] | None:
    """Return the columns of node and label that a first row seems to name, and whether it says of what; or None."""
    low = [name.lower() for name in row]
    node = next((low.index(name) for name in _NODES if name in low), None)
    if node is None or len(low) < 2:
        return None
    label = next((low.index(name) for name in _CLASSES if name in low), None)
    return node, next(i for i in range(len(low)) if i != node) if label is None else label, label is not None


def _header(
    source: Source, lines: list[tuple[int, str]], delimiter: str | None, nodes: Sequence[Hashable] | None
) -> tuple[int, int] | None:
    """Return the columns of node and label if the first row names them, None if it may as well be a node and its label.

    Where the graph's nodes are known they decide. Else words such as id and name are a header above a column of
    numbers, or beside the name of a column of labels.
    """
    head = _split(lines[0][1], delimiter)
    found = _named(head)
    if found is None:
        return None
    node, label, is_certain = found
    rows = [row for _, line in lines[1:1001] if len(row := _split(line, delimiter)) > max(node, label)]
    texts = None if nodes is None else set(map(str, nodes))
    if texts is not None and head[node] in texts:
        # with a line of its own below, the node has one too many
        is_header = is_certain and any(
            _split(line, delimiter)[node : node + 1] == [head[node]] for _, line in lines[1:]
        )
    elif texts is not None:
        is_header = is_certain or any(row[node] in texts for row in rows)
    else:
        columns = [[row[i] for row in rows] for i in (node, label)]
        numbers = any(cells and all(map(is_number, cells)) for cells in columns) and not is_number(head[label])
        is_header = numbers if not is_certain else head[label] not in columns[1] or head[node] in columns[0]
    line = f"the first line ({shorten(', '.join(head))[1:-1]})"
    if not is_header:
        source.note("header-as-data", f"read {line} as data, not as a header")
    elif head[:2] != ["node", "community"]:  # our own
        # the nodes of the graph leave no doubt
        source.note("header", f"read {line} as a header", is_detail=texts is not None, names=head)
    return (node, label) if is_header else None


def _read_text(source: Source, kind: str | None, nodes: Sequence[Hashable] | None, option: str) -> Labels | Cover:
    """Read `node label` a line, or one community a line; further columns are names or confidences.

    Comments stand above the data: below a header, a line that begins with # is a node of that name.
    """
    lines = [(number, line) for number, line in enumerate(split_lines(source.text()), 1) if line.strip()]
    first = next((i for i, (_, line) in enumerate(lines) if not line.startswith(("#", "%"))), len(lines))
    lines = lines[first:]
    if not lines:
        raise source.error("the file is empty")
    if kind is None and (suffix_of(source.name) == ".cmty" or ".cmty." in source.name):
        kind = "cmty"
        source.note("form", f"read as one community a line ({option} overrides)", form="cmty")
    sample = [line for _, line in lines[:1000]]
    delimiter = next((d for d in ("\t", ",", ";") if kind != "cmty" and all(d in line for line in sample)), None)
    if delimiter is None and kind != "cmty" and _named(_split(sample[0], "\t" if "\t" in sample[0] else ",")):
        delimiter = "\t" if "\t" in sample[0] else ","
    try:
        columns = None if kind == "cmty" else _header(source, lines, delimiter, nodes)
        if columns is None:
            lines = [(number, line) for number, line in lines if not line.startswith("#")]
        rows = _cut(source, lines, delimiter)
    except csv.Error as error:
        raise source.error(f"cannot be split: {error}") from None
    if kind is None and columns is None:
        sizes = {len(row) for _, row in rows}
        plain = len(sizes) == 1 and (sizes <= {2, 3} or (delimiter is not None and sizes != {1}))
        kind = "labels" if plain else "cmty"
        form = "node label" if kind == "labels" else "one community"
        source.note("form", f"read as {form} a line ({option} overrides)", form=kind)
    if kind == "cmty":
        return [set(row) for _, row in rows]
    node, label = columns or (0, 1)
    labels: Labels = {}
    for number, row in rows[columns is not None :]:
        if len(row) <= max(node, label) or (not row[node] and columns is None):
            raise source.error(f"expected a node and its label, found {len(row)} column{'s' * (len(row) != 1)}", number)
        if row[label] and labels.setdefault(row[node], row[label]) != row[label]:
            told = f"node {row[node]!r} has two labels (communities that overlap go one a line, as cmty)"
            raise source.error(told, number)
    return labels


def _read_clu(source: Source, nodes: Sequence[Hashable] | None) -> Labels:
    """Pajek's partition file: classes in the order of the nodes, which it does not name."""
    head, *lines = [line.strip() for line in split_lines(source.text()) if line.strip()]
    words = head.split()
    if len(words) < 2 or not words[1].isdecimal() or int(words[1]) != len(lines):
        raise source.error(f"{head[:60]} announces another number of lines than {len(lines)}", 1)
    if nodes is None:
        raise source.error("a .clu file does not name its nodes: give the graph that it is about (--graph)")
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
        Any file that `write_result` writes; `node label` a line (further columns are ignored); or one community a
        line (cmty). Perhaps compressed; "-" is standard input.
    kind : {"labels", "cmty"}, optional
        What a text file has on a line. By default labels if a header names them, or all lines have two, or all have
        three columns; an empty label is none.
    nodes : sequence, optional
        The graph's ids, in their order: what the lines of a Pajek .clu file are about, and what is no header.
    option : str
        How notes call `kind`.

    Returns
    -------
    dict of str to label, or list of set of str

    Raises
    ------
    DataError
        The file cannot be read as a partition; names the line.
    """
    if kind not in (None, "labels", "cmty"):
        raise UsageError(f"{option} is labels or cmty, not {kind!r}")
    source = open_source(path)
    if not source.data or source.data.isspace():
        raise source.error("the file is empty")
    found = _read(source, kind, nodes, option)
    log_notes(source.notes, source.name)
    return found


def _read(source: Source, kind: str | None, nodes: Sequence[Hashable] | None, option: str) -> Labels | Cover:
    if source.data.startswith(b"PAR1"):
        return _read_parquet(source)
    suffix, body = suffix_of(source.name), source.data.removeprefix(b"\xef\xbb\xbf").strip()
    if suffix == ".json" or _JSON.match(body):
        return _read_json(source)
    if (markup := _markup(body)) == "HTML":
        raise source.error("this is a page in HTML, not a partition: give the result itself (tsv, csv, json, ...)")
    structured = format_of(source.name)
    if structured in ("graphml", "gexf", "gml"):
        return _read_attributes(source, structured)
    if markup in ("graphml", "gexf"):
        return _read_attributes(source, markup)
    if markup is not None:
        raise source.error("this is XML, not a partition (of XML, GraphML and GEXF are read)")
    if body[:9].lower() == b"*vertices":
        return _read_clu(source, nodes)
    return _read_text(source, kind, nodes, option)


def _markup(body: bytes) -> str | None:
    """Say what a text in angle brackets is: HTML, graphml, gexf or other XML; None where it is none, as <a> 1 is."""
    head = body[:4096].lower()
    if _HTML.match(head) or (head.startswith((b"<?xml", b"<!--")) and b"<html" in head):
        return "HTML"
    found = _XML.match(head)
    if found is None or (found[2] and not body[-4096:].lower().endswith(b"</" + found[2] + b">")):
        return None
    return next((name for name in ("graphml", "gexf") if b"<" + name.encode() in head), "XML")
