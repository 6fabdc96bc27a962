"""Results from files: what `Communities.save` has written, with its graph if that is at hand."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import Graph, graph_of
from graphclust.graph.labels import whole_numbers
from graphclust.io import read_file
from graphclust.io.archive import open_file
from graphclust.io.partition import read_partition
from graphclust.metrics import rank_labels
from graphclust.results.communities import Communities
from graphclust.results.hierarchy import Hierarchy
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.notes import counted

__all__ = ["load"]

_CERTAINTY = ("confidence", "stability")
_OF_RESULTS = (".parquet", ".graphml", ".gexf")  # whose labels are numbers of communities
_TABLES = {".tsv": "\t", ".csv": ","}


def load(path: str | os.PathLike[str], graph: Any = None) -> Communities:
    """Read a result; see `Communities.load`.

    Parameters
    ----------
    path : str or PathLike
    graph : optional

    Raises
    ------
    DataError
        The file is no partition, its communities overlap, or a node of the graph has no label.
    """
    known = None
    if graph is not None:
        known = read_file(graph) if isinstance(graph, str | os.PathLike) else graph_of(graph)
    labels = read_partition(path, None, None if known is None else known.nodes)
    name = os.fspath(path)
    if not isinstance(labels, Mapping):
        parts, labels = labels, {node: label for label, part in enumerate(labels) for node in part}
        if len(labels) < sum(map(len, parts)):
            raise DataError("the communities overlap: a result has one community for each node", name)
    if known is None:
        known = Graph.from_edges([], [], nodes=list(labels)).canonical()
    label_of = {str(node): label for node, label in labels.items()}
    missing = [node for node in known.nodes if str(node) not in label_of]
    if missing:
        raise DataError(f"{counted(len(missing), 'node')} of the graph, such as {missing[0]!r}, have no label", name)
    number: dict[Hashable, int] = {}
    codes = [number.setdefault(label_of[str(node)], len(number)) for node in known.nodes]
    record, numbers = _record(path), whole_numbers(list(number))
    levels = [_in_order(level, known) for level in record.get("levels", ())]
    certainty = {name: _in_order(record[name], known) for name in _CERTAINTY if record.get(name)}
    method, params = str(record.get("method", "")), record.get("params", {})
    hierarchy = None
    if levels and all(level is not None for level in levels):
        hierarchy = Hierarchy(
            known, tuple(rank_labels(np.array(level, dtype=np.int64)) for level in levels), method, params
        )
    return Communities(
        graph=known,
        labels=rank_labels(codes) if numbers is None or not record.get("is_own") else numbers[codes],
        method=method,
        params=params,
        seconds=float(record.get("seconds", 0.0)),
        confidence=certainty.get("confidence"),
        stability=certainty.get("stability"),
        hierarchy=hierarchy,
        details=details if isinstance(details := record.get("explanation"), dict) else {},
    )


def _record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a file of `Communities.save` says beyond the labels; values and levels as dicts of nodes.

    `is_own` says that it surely is such a file.
    """
    if os.fspath(path) == "-":
        return {}  # it can be read only once
    source = open_file(path)
    if source.suffix == ".json":
        content = json.loads(source.text())
        if not isinstance(content, dict) or "nodes" not in content:
            return {}
        nodes = list(map(str, content["nodes"]))
        for name in _CERTAINTY:
            if content.get(name) is not None:
                content[name] = dict(zip(nodes, content[name], strict=True))
        content["levels"] = [dict(zip(nodes, level, strict=True)) for level in content.get("levels", ())]
        return {**content, "is_own": "explanation" in content}
    if source.suffix in _TABLES:
        head, *rows = csv.reader(io.StringIO(source.text(), newline=""), delimiter=_TABLES[source.suffix])
        if head[:2] == ["node", "community"]:
            columns = {name: i for i, name in enumerate(head[:4]) if name in _CERTAINTY}
            values = {name: {row[0]: float(row[i]) for row in rows if len(row) > i} for name, i in columns.items()}
            return {**values, "is_own": True}
        places = [i for i, name in enumerate(head) if name == f"level_{i}"]
        if head[0] == "node" and places:
            return {"levels": [{row[0]: int(row[i]) for row in rows} for i in places]}
    return {"is_own": source.suffix in _OF_RESULTS}


def _in_order(value_of: Mapping[str, float], graph: Graph) -> FloatArray | None:
    """Return the values of the nodes of a graph, None if some are missing."""
    values = [value_of.get(str(node)) for node in graph.nodes]
    return None if None in values else np.array(values, dtype=np.float64)
