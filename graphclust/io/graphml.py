"""GraphML (Brandes, Eiglsperger, Lerner: "GraphML Primer", graphml.graphdrawing.org), also as yEd writes it.

Ids are the `id` attributes of the nodes, weights the edge data called "weight", else numeric data called "value".
Nested graphs, as yEd writes for groups, are read as parts of the one graph. Ports are ignored, hyperedges refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from graphclust.graph import Graph
from graphclust.io.reading import Draft, parse_weight
from graphclust.io.source import Source, shorten
from graphclust.io.writing import id_texts, node_columns
from graphclust.io.xml import AttributeKey, escape, holds, needed, parse, parse_bool, type_name, value_text

__all__ = ["KEEPS_IDS", "holds", "read", "write"]

KEEPS_IDS = True

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""


class _Reader:
    """Keeps a tuple for each open element: what it is, then its number or its key."""

    def __init__(self, source: Source, directed: bool | None, weights: bool | None) -> None:
        self.source = source
        self.draft = Draft(source, directed, weights)
        self.node_keys: dict[str, AttributeKey | None] = {}  # None: declared, but not for people
        self.edge_keys: dict[str, AttributeKey | None] = {}
        self.weight_key: AttributeKey | None = None
        self.is_directed: bool | None = None

    def start(self, name: str, attributes: dict[str, str], parent: Any, line: int) -> Any:
        """Open an element."""
        place = parent[0] if parent else ""
        if name == "data" and place in ("node", "edge"):
            return self._data(needed(self.source, attributes, "key", name, line), *parent)
        if name == "edge" and place == "graph":
            return self._edge(attributes, parent[1], line)
        if name == "node" and place == "graph":
            return "node", self.draft.add_node(needed(self.source, attributes, "id", name, line), line)
        if name == "graph" and place in ("graphml", "node", "edge"):
            return self._graph(attributes, place != "graphml", line)
        if name == "key" and place == "graphml":
            return self._key(attributes, line)
        if name == "default" and place == "key":
            return "default", *parent[1:]
        if name == "hyperedge":
            raise self.source.error("hyperedges are not supported: an edge must have two ends", line)
        return ("graphml",) if name == "graphml" and parent is None else None

    def end(self, item: Any, text: str, line: int) -> None:
        """Take the text of the elements that have some."""
        kind, *rest = item
        if kind == "value":
            key, node = rest
            key.values[node] = text
        elif kind == "weight":
            self.draft.set_weight(rest[0], text, line)
        elif kind == "default":
            for key in rest:
                key.default = text
                if key is self.weight_key:
                    self.draft.default_weight = parse_weight(self.source, text, line)

    def graph(self) -> Graph:
        """Return what was read."""
        if self.is_directed is None:
            raise self.source.error("the file contains no graph")
        keys = [key for key in self.node_keys.values() if key and (key.values or key.default is not None)]
        return self.draft.graph(
            is_directed=self.is_directed,
            attributes={key.name: key.typed(self.source) for key in keys},
            what=f"edge attribute {self.weight_key.name if self.weight_key else 'weight'!r}",
        )

    def _key(self, attributes: dict[str, str], line: int) -> Any:
        ident = needed(self.source, attributes, "id", "key", line)
        domain = attributes.get("for", "all")
        name = attributes.get("attr.name", ident if attributes.keys() <= {"id", "for"} else None)
        if name is None:  # yEd's graphics
            self.node_keys[ident] = self.edge_keys[ident] = None
            return None
        made = []
        if domain in ("node", "all"):
            made.append(AttributeKey(name, attributes.get("attr.type", "string")))
            self.node_keys[ident] = made[-1]
        if domain in ("edge", "all"):
            made.append(AttributeKey(name, attributes.get("attr.type", "string")))
            self.edge_keys[ident] = made[-1]
            if name.lower() == "weight" or (name.lower() == "value" and made[-1].is_numeric and not self.weight_key):
                self.weight_key, self.draft.default_weight = made[-1], None
        return "key", *made

    def _data(self, ident: str, owner: str, number: int) -> Any:
        """Open data; keys that were never declared have their id as name."""
        if owner == "node":
            key = self.node_keys.setdefault(ident, AttributeKey(ident, "string"))
            return key and ("value", key, number)
        if ident not in self.edge_keys and ident == "weight" and not self.weight_key:
            self.weight_key = self.edge_keys[ident] = AttributeKey(ident, "double")
        key = self.edge_keys.setdefault(ident, AttributeKey(ident, "string"))
        if key and key is self.weight_key:
            return "weight", number
        if key:
            self.draft.ignore([key.name])
        return None

    def _graph(self, attributes: dict[str, str], nested: bool, line: int) -> Any:
        default = attributes.get("edgedefault")
        if default is None:
            self.draft.source.note(
                "no-edgedefault",
                "the graph has no edgedefault: read edges without a direction of their own as undirected",
            )
        elif default not in ("directed", "undirected"):
            raise self.source.error(f"edgedefault must be directed or undirected, not {shorten(default)}", line)
        if nested:
            self.draft.source.note("nested-graphs", "the file has nested graphs: read as parts of one graph")
        elif self.is_directed is not None:
            raise self.source.error("the file contains more than one graph; split it into one file per graph", line)
        else:
            self.is_directed = default == "directed"
        return "graph", default == "directed"

    def _edge(self, attributes: dict[str, str], is_arc: bool, line: int) -> Any:
        tail, head = (needed(self.source, attributes, end, "edge", line) for end in ("source", "target"))
        if "directed" in attributes:
            is_arc = parse_bool(self.source, attributes["directed"], line, "directed")
        return "edge", self.draft.add_edge(tail, head, line, is_arc=is_arc)


def read(source: Source, *, directed: bool | None = None, weights: bool | None = None) -> Graph:
    """Read a GraphML document.

    Parameters
    ----------
    source : Source
    directed : bool, optional
        Overrides the document; False makes the graph undirected and adds the weights of opposite edges.
    weights : bool, optional
        False ignores weights, True requires them.

    Returns
    -------
    Graph
        Nodes in the document's order, with their other data in `meta["node_attributes"]`.

    Raises
    ------
    DataError
        The document is malformed, has no graph, several, or hyperedges; an id is repeated or missing; a weight is
        negative or not a number.
    """
    reader = _Reader(source, directed, weights)
    parse(source, "graphml", reader)
    return reader.graph()


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write GraphML.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Node attributes: name -> values in the order of `graph.nodes`; bool, int, float, str, None where missing.

    Raises
    ------
    DataError
        Two ids have the same text, or an id holds characters that XML cannot.
    UsageError
        An attribute with a wrong number or type of values.
    """
    ids = list(map(escape, id_texts(graph)))
    columns = node_columns(graph, attributes)
    keys, data = [], []
    for number, (name, (kind, values)) in enumerate(columns.items()):
        form = type_name(kind, values, narrow="int", wide="long")
        keys.append(f'  <key id="d{number}" for="node" attr.name="{escape(name)}" attr.type="{form}"/>\n')
        data.append([None if v is None else f'<data key="d{number}">{value_text(v)}</data>' for v in values])
    if graph.is_weighted:
        keys.append('  <key id="weight" for="edge" attr.name="weight" attr.type="double"/>\n')
    default = "directed" if graph.directed else "undirected"
    stream.write(f'{_HEAD}{"".join(keys)}  <graph edgedefault="{default}">\n'.encode())
    for i, node in enumerate(ids):
        inside = "".join(filter(None, (column[i] for column in data)))
        inside = f">{inside}</node>" if inside else "/>"
        stream.write(f'    <node id="{node}"{inside}\n'.encode())
    weight = None if graph.weight is None else graph.weight.tolist()
    for i, (tail, head) in enumerate(zip(graph.source.tolist(), graph.target.tolist(), strict=True)):
        inside = f'><data key="weight">{weight[i]!r}</data></edge>' if weight else "/>"
        stream.write(f'    <edge source="{ids[tail]}" target="{ids[head]}"{inside}\n'.encode())
    stream.write(b"  </graph>\n</graphml>\n")
