"""Lists of nodes (`--nodes`): an id and further attributes on each line, as Gephi, Cytoscape or pandas export them.

Nodes that no edge mentions are added to the graph. The ids are in the column that has most of the ends of the edges.
`--id` names another column that replaces them.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphclust.graph import Graph
from graphclust.graph.column_names import NODE_NAMES
from graphclust.graph.columns import looks_numeric
from graphclust.io.archive import open_file
from graphclust.io.reading import ids_from_attribute
from graphclust.io.source import Source, shorten
from graphclust.io.tables import Expectation, Sample, read_rows, sniff
from graphclust.runtime.notes import counted

__all__ = ["with_nodes"]

_LEAST_KNOWN = 0.5  # share of the graph's nodes that a list must have


@dataclass(frozen=True)
class _NodeExpectation(Expectation):
    """Ids, and perhaps attributes.

    Attributes
    ----------
    ids : frozenset of str
        Ids of the graph's nodes.
    """

    ids: frozenset[str] = frozenset()

    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        """Return whether the first row holds no id of a node, while other rows do."""
        known = [row for row in rest if not self.ids.isdisjoint(row)]
        return self.ids.isdisjoint(first) and bool(known) and not all(map(looks_numeric, first))


def with_nodes(graph: Graph, path: str | os.PathLike[str], about: Source, id_name: str | None = None) -> Graph:
    """Return the graph with the nodes of a list that have no edges, and with the attributes that the list gives.

    Parameters
    ----------
    graph : Graph
    path : str or PathLike
        The list.
    about : Source
        The graph's file: takes the notes.
    id_name : str, optional
        The attribute, of the list or of the graph's file, that becomes the ids.

    Returns
    -------
    Graph
        Nodes in the order of the graph, followed by the new ones; in canonical order if the graph was.

    Raises
    ------
    DataError
        The list cannot be read, names a node twice, or has less than half of the nodes that have edges.
    """
    source = open_file(path)
    data = source.utf8()
    texts = list(map(str, graph.nodes))
    expected = _NodeExpectation(separators=("\t", ";", ",", "|", None), multiline_quotes=True, ids=frozenset(texts))
    sample = Sample.of(data, expected)
    if not sample.lines:
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    if dialect.n_columns == 1 and dialect.separator is None:
        rows = [(number, [" ".join(fields)]) for number, fields in read_rows(source, data.decode(), dialect)]
    else:
        rows = list(read_rows(source, data.decode(), dialect))
    names = list(dialect.header or ())
    column = _column(names, rows, frozenset(texts))
    attributes: dict[str, dict[str, Any]] = {}
    listed: dict[str, None] = {}
    for number, fields in rows:
        if len(fields) <= column or not fields[column]:
            raise source.error("the node has no id", number)
        node = fields[column]
        if node in listed:
            raise source.error(f"the node {shorten(node)} is listed twice", number)
        listed[node] = None
        for i, value in enumerate(fields):
            if i != column and value:
                name = (names[i].strip() if i < len(names) else "") or f"column {i + 1}"
                attributes.setdefault(name, {})[node] = value
    return _joined(graph, texts, list(listed), attributes, source, about, id_name)


def _column(names: Sequence[str], rows: Sequence[tuple[int, list[str]]], ids: frozenset[str]) -> int:
    """Return the column of the ids: the one with most ids of the graph."""
    low = [name.strip().strip("#:").lower() for name in names]
    named = [low.index(name) for name in NODE_NAMES if name in low]
    width = max((len(fields) for _, fields in rows), default=1)
    candidates = [*named, *(i for i in range(width) if i not in named)]

    def n_known(column: int) -> int:
        return sum(len(fields) > column and fields[column] in ids for _, fields in rows[:1000])

    return max(candidates, key=n_known)  # the first of the best


def _joined(
    graph: Graph,
    texts: Sequence[str],
    listed: Sequence[str],
    attributes: dict[str, dict[str, Any]],
    source: Source,
    about: Source,
    id_name: str | None,
) -> Graph:
    known, in_list = set(texts), set(listed)
    has_edges = (graph.degree(weighted=False) > 0).tolist()
    with_edges = [text for text, is_used in zip(texts, has_edges, strict=True) if is_used]
    missing = [text for text in with_edges if text not in in_list]
    if len(missing) > (1 - _LEAST_KNOWN) * len(with_edges):
        raise source.error(
            f"the list has only {len(with_edges) - len(missing)} of the {counted(len(with_edges), 'node')} that have "
            f"edges; {shorten(missing[0])}, for example, is not in it"
        )
    are_integers = all(type(node) is int for node in graph.nodes)
    new: list[Hashable] = [
        int(text) if are_integers and text.isdecimal() else text for text in listed if text not in known
    ]
    message = f"read {counted(len(listed), 'node')} from {source.name}"
    about.note("node-list", f"{message}, {len(new):,} of them without edges", n_nodes=len(listed), n_new=len(new))
    if missing:
        about.note(
            "unlisted-nodes",
            f"{counted(len(missing), 'node')} with edges are not in the list of nodes",
            names=missing[:10],
        )
    order = [*texts, *map(str, new)]
    columns = {name: [values.get(node) for node in order] for name, values in attributes.items()}
    earlier = graph.meta.get("node_attributes", {})
    columns = {name: [*values, *([None] * len(new))] for name, values in earlier.items()} | columns
    ids: Sequence[Hashable] = [*graph.nodes, *new]
    if id_name is not None:
        ids = ids_from_attribute(source, ids, columns, id_name)
    joined = Graph.from_edges(graph.source, graph.target, graph.weight, nodes=ids, directed=graph.directed)
    for note in source.notes:
        about.add(note)
    joined.meta |= graph.meta | {"node_attributes": columns}
    label = next((name for name in columns if name.lower() in ("label", "name")), None)
    if label is not None:
        joined.meta["label_attribute"] = label
    return joined if graph.canonical() is not graph else joined.canonical()
