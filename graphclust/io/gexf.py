"""GEXF 1.1, 1.2 and 1.3 (Gephi's Graph Exchange XML Format, gexf.net).

Ids are the `id` attributes of the nodes, or their labels if these are distinct and the ids look made up by a program.
Weights are the edges' attribute `weight`, or else their attribute value titled "weight". Hierarchies are flattened, and
a dynamic graph is read as all its edges at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from graphclust.graph import Graph
from graphclust.io.reading import Attribute, Draft
from graphclust.io.source import Source, shorten
from graphclust.io.writing import id_texts, typed_columns
from graphclust.io.xml import escape, holds, needed, parse, type_name, value_text
from graphclust.runtime.notes import Note

__all__ = ["KEEPS_IDS", "holds", "read", "write"]

KEEPS_IDS = True

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://www.gexf.net/1.2draft" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.gexf.net/1.2draft http://www.gexf.net/1.2draft/gexf.xsd" version="1.2">
"""
_IS_ARC = {"directed": True, "undirected": False, "mutual": False}
_FLATTENED = Note("flattened-hierarchy", "the nodes form a hierarchy: read all of them as nodes of one graph")


class _Reader:
    """Keeps a tuple for each open element: what it is, then its number or its key."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.draft = Draft(source)
        self.keys: dict[str, dict[str, Attribute]] = {"node": {}, "edge": {}}
        self.labels = Attribute("label")
        self.edge_labels = Attribute("label")
        self.is_directed: bool | None = None

    def start(self, name: str, attributes: dict[str, str], parent: Any, line: int) -> Any:
        """Open an element."""
        place = parent[0] if parent else ""
        if name == "attvalue" and place in ("node", "edge"):
            self._value(attributes, parent[0], parent[1], line)
        elif name == "attvalues" and place in ("node", "edge"):
            return parent
        elif name == "edge" and place == "edges":
            return self._edge(attributes, line)
        elif name == "node" and place == "nodes":
            return self._node(attributes, line)
        elif name in ("nodes", "edges") and place in ("graph", "node"):
            if place == "node":
                self.draft.source.add(_FLATTENED)
            return (name,)
        elif name == "attribute" and place == "attributes":
            return self._attribute(attributes, parent[1], line)
        elif name == "attributes" and place == "graph":
            return "attributes", attributes.get("class")
        elif name == "default" and place == "attribute":
            return "default", parent[1]
        elif name == "graph" and place == "gexf":
            return self._graph(attributes, line)
        elif name == "gexf" and parent is None:
            return ("gexf",)
        return None

    def end(self, item: Any, text: str, line: int) -> None:
        """Take the text of a default."""
        if item[0] == "default":
            item[1].default = text

    def graph(self) -> Graph:
        """Return what was read."""
        if self.is_directed is None:
            raise self.source.error("the file contains no graph")
        nodes, edges = (
            [key for key in keys.values() if key.values or key.default is not None] for keys in self.keys.values()
        )
        for key in edges:
            if key.name.lower() == "weight" and self.draft.weight.values:  # weights of the edges that have none
                self.draft.weight.values = key.values | self.draft.weight.values
                self.draft.weight.places = key.places | self.draft.weight.places
                self.draft.weight.default = key.default
                edges.remove(key)
                break
        return self.draft.graph(
            is_directed=self.is_directed,
            nodes=[self.labels, *nodes] if self.labels.values else nodes,
            edges=[*edges, self.edge_labels] if self.edge_labels.values else edges,
            id_names=("label",),
            what="edge attribute 'weight'",
        )

    def _graph(self, attributes: dict[str, str], line: int) -> Any:
        if self.is_directed is not None:
            raise self.source.error("the file contains more than one graph; split it into one file per graph", line)
        self.is_directed = self._type(attributes.get("defaultedgetype", "undirected"), line)
        if attributes.get("mode") == "dynamic":
            self.draft.source.note("dynamic-graph", "the graph is dynamic: read all its edges as one graph")
        return ("graph",)

    def _attribute(self, attributes: dict[str, str], domain: str | None, line: int) -> Any:
        ident = needed(self.source, attributes, "id", "attribute", line)
        key = Attribute(attributes.get("title", ident), attributes.get("type", "string"))
        if domain in self.keys:
            self.keys[domain][ident] = key
        return "attribute", key

    def _node(self, attributes: dict[str, str], line: int) -> Any:
        node = self.draft.add_node(needed(self.source, attributes, "id", "node", line), line)
        if "label" in attributes:
            self.labels.values[node] = attributes["label"]
        if "pid" in attributes:
            self.draft.source.add(_FLATTENED)
        return "node", node

    def _edge(self, attributes: dict[str, str], line: int) -> Any:
        tail, head = (needed(self.source, attributes, end, "edge", line) for end in ("source", "target"))
        is_arc = self._type(attributes["type"], line) if "type" in attributes else bool(self.is_directed)
        edge = self.draft.add_edge(tail, head, line, is_arc=is_arc)
        if "weight" in attributes:
            self.draft.set_weight(edge, attributes["weight"], line)
        if attributes.get("label"):
            self.edge_labels.values[edge] = attributes["label"]
        return "edge", edge

    def _type(self, text: str, line: int) -> bool:
        if text.lower() not in _IS_ARC:
            raise self.source.error(
                f"the type of an edge must be directed, undirected or mutual, not {shorten(text)}", line
            )
        return _IS_ARC[text.lower()]

    def _value(self, attributes: dict[str, str], owner: str, number: int, line: int) -> None:
        ident = attributes.get("for", attributes.get("id"))  # "id" in GEXF 1.0
        value = attributes.get("value")
        if ident is None or value is None:
            raise self.source.error("<attvalue> lacks the attribute for or value", line)
        key = self.keys[owner].setdefault(ident, Attribute(ident, "string"))
        key.values[number] = value
        key.places[number] = line


def read(source: Source) -> Graph:
    """Read a GEXF document.

    Parameters
    ----------
    source : Source
        Ids are the attribute `options.id`, or by default the labels if they are distinct; weights are the attribute
        `options.weight`, or by default `weight` or a name such as `strength` or `count`.

    Returns
    -------
    Graph
        Nodes in the document's order, with labels that are not the ids and other values in `meta["node_attributes"]`,
        and those of the edges in `meta["edge_attributes"]`.

    Raises
    ------
    DataError
        The document is malformed or has no graph; an id is repeated or missing; a weight is negative or not a number.
    """
    reader = _Reader(source)
    parse(source, "gexf", reader)
    return reader.graph()


def write(
    graph: Graph,
    stream: BinaryIO,
    attributes: Mapping[str, Sequence[Any]] | None = None,
    edge_attributes: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write GEXF 1.2; words in an attribute called label are what Gephi shows, else the ids are.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes, edge_attributes : mapping, optional
        Name -> values in the order of `graph.nodes` and of its edges; bool, int, float, str, None where missing.

    Raises
    ------
    DataError
        Two ids have the same text, or an id holds characters that XML cannot.
    UsageError
        An attribute with a wrong number or type of values.
    """
    ids = list(map(escape, id_texts(graph)))
    columns = typed_columns(graph.num_nodes, attributes)
    labels = ids
    if "label" in columns and columns["label"][0] is str:
        labels = [node if v is None else value_text(v) for node, v in zip(ids, columns.pop("label")[1], strict=True)]
    declared: dict[str, list[str]] = {"node": [], "edge": []}
    data: dict[str, list[list[str | None]]] = {"node": [], "edge": []}
    for owner, group in (("node", columns), ("edge", typed_columns(graph.num_edges, edge_attributes))):
        for number, (name, (kind, values)) in enumerate(group.items()):
            form = type_name(kind, values, narrow="integer", wide="long")
            declared[owner].append(f'      <attribute id="{number}" title="{escape(name)}" type="{form}"/>\n')
            column = [None if v is None else f'<attvalue for="{number}" value="{value_text(v)}"/>' for v in values]
            data[owner].append(column)
    default = "directed" if graph.directed else "undirected"
    stream.write(f'{_HEAD}  <graph defaultedgetype="{default}" mode="static">\n'.encode())
    for owner, lines in declared.items():
        if lines:
            stream.write(f'    <attributes class="{owner}">\n{"".join(lines)}    </attributes>\n'.encode())
    stream.write(b"    <nodes>\n")
    for i, node in enumerate(ids):
        attvalues = "".join(filter(None, (column[i] for column in data["node"])))
        inside = f"><attvalues>{attvalues}</attvalues></node>" if attvalues else "/>"
        stream.write(f'      <node id="{node}" label="{labels[i]}"{inside}\n'.encode())
    stream.write(b"    </nodes>\n    <edges>\n")
    weight = None if graph.weight is None else graph.weight.tolist()
    for i, (tail, head) in enumerate(zip(graph.source.tolist(), graph.target.tolist(), strict=True)):
        attvalues = "".join(filter(None, (column[i] for column in data["edge"])))
        inside = (f' weight="{weight[i]!r}"' if weight else "") + (
            f"><attvalues>{attvalues}</attvalues></edge>" if attvalues else "/>"
        )
        stream.write(f'      <edge id="{i}" source="{ids[tail]}" target="{ids[head]}"{inside}\n'.encode())
    stream.write(b"    </edges>\n  </graph>\n</gexf>\n")
