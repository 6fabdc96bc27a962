"""GraphML (Brandes, Eiglsperger, Lerner: "GraphML Primer", graphml.graphdrawing.org), also as yEd writes it.

Ids are the `id` attributes of the nodes, or their names or labels if these are distinct and the ids look made up by a
program, as those of igraph (n0) and yEd.
Nested graphs, as yEd writes for groups, are read as parts of the one graph. Ports are ignored, hyperedges refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from graphclust.graph import Graph
from graphclust.io.reading import Attribute, Draft
from graphclust.io.source import Source, shorten
from graphclust.io.writing import id_texts, typed_columns
from graphclust.io.xml import escape, holds, needed, parse, parse_bool, type_name, value_text

__all__ = ["KEEPS_IDS", "holds", "read", "write"]

KEEPS_IDS = True

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""


class _Reader:
    """Keeps a tuple for each open element: what it is, then its number or its key."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.draft = Draft(source)
        self.node_keys: dict[str, Attribute | None] = {}  # None: declared, but not for people
        self.edge_keys: dict[str, Attribute | None] = {}
        self.labels = Attribute("label")  # the texts that yEd draws
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

    def start_foreign(self, name: str, parent: Any) -> Any:
        """Open an element of yEd's drawing; only the labels of nodes are read."""
        if parent and parent[0] in ("graphics", "drawing"):
            return ("label" if name.endswith(":NodeLabel") else "drawing"), parent[1]
        return None

    def end(self, item: Any, text: str, line: int) -> None:
        """Take the text of the elements that have some."""
        kind, *rest = item
        if kind == "value":
            key, owner = rest
            key.values[owner] = text
            key.places[owner] = line
        elif kind == "label" and text.strip():
            self.labels.values.setdefault(rest[0], text.strip())
        elif kind == "default":
            for key in rest:
                key.default = text

    def graph(self) -> Graph:
        """Return what was read."""
        if self.is_directed is None:
            raise self.source.error("the file contains no graph")
        nodes = [key for key in self.node_keys.values() if key]
        return self.draft.graph(
            is_directed=self.is_directed,
            nodes=[*nodes, self.labels] if self.labels.values else nodes,
            edges=[key for key in self.edge_keys.values() if key and (key.values or key.default is not None)],
            id_names=("name", "label"),
        )

    def _key(self, attributes: dict[str, str], line: int) -> Any:
        ident = needed(self.source, attributes, "id", "key", line)
        domain = attributes.get("for", "all")
        name = attributes.get("attr.name", ident if attributes.keys() <= {"id", "for"} else None)
        if name is None:  # yEd's graphics
            self.node_keys[ident] = self.edge_keys[ident] = None
            return None
        made = []
        for keys, of in ((self.node_keys, "node"), (self.edge_keys, "edge")):
            if domain in (of, "all"):
                made.append(Attribute(name, attributes.get("attr.type", "string")))
                keys[ident] = made[-1]
        return "key", *made

    def _data(self, ident: str, owner: str, number: int) -> Any:
        """Open data; keys that were never declared have their id as name."""
        keys = self.node_keys if owner == "node" else self.edge_keys
        key = keys.setdefault(ident, Attribute(ident, "string"))
        if key is None:
            return ("graphics", number) if owner == "node" else None
        return "value", key, number

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


def read(source: Source) -> Graph:
    """Read a GraphML document.

    Parameters
    ----------
    source : Source
        Ids are the attribute `options.id`, or by default `name` or `label` if they are distinct; weights are the
        attribute `options.weight`, or by default `weight` or a name such as `value` or `count`.

    Returns
    -------
    Graph
        Nodes in the document's order, with their other data in `meta["node_attributes"]`, and those of the edges in
        `meta["edge_attributes"]`.

    Raises
    ------
    DataError
        The document is malformed, has no graph, several, or hyperedges; an id is repeated or missing; a weight is
        negative or not a number.
    """
    reader = _Reader(source)
    parse(source, "graphml", reader)
    return reader.graph()


def write(
    graph: Graph,
    stream: BinaryIO,
    attributes: Mapping[str, Sequence[Any]] | None = None,
    edge_attributes: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write GraphML.

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
    keys: list[str] = []
    data: dict[str, list[list[str | None]]] = {"node": [], "edge": []}
    for owner, columns in (
        ("node", typed_columns(graph.num_nodes, attributes)),
        ("edge", typed_columns(graph.num_edges, edge_attributes)),
    ):
        for name, (kind, values) in columns.items():
            key, form = f"d{len(keys)}", type_name(kind, values, narrow="int", wide="long")
            keys.append(f'  <key id="{key}" for="{owner}" attr.name="{escape(name)}" attr.type="{form}"/>\n')
            data[owner].append([None if v is None else f'<data key="{key}">{value_text(v)}</data>' for v in values])
    if graph.weight is not None:
        keys.append('  <key id="weight" for="edge" attr.name="weight" attr.type="double"/>\n')
        data["edge"].append([f'<data key="weight">{weight!r}</data>' for weight in graph.weight.tolist()])
    default = "directed" if graph.directed else "undirected"
    stream.write(f'{_HEAD}{"".join(keys)}  <graph edgedefault="{default}">\n'.encode())
    for i, node in enumerate(ids):
        inside = "".join(filter(None, (column[i] for column in data["node"])))
        inside = f">{inside}</node>" if inside else "/>"
        stream.write(f'    <node id="{node}"{inside}\n'.encode())
    for i, (tail, head) in enumerate(zip(graph.source.tolist(), graph.target.tolist(), strict=True)):
        inside = "".join(filter(None, (column[i] for column in data["edge"])))
        inside = f">{inside}</edge>" if inside else "/>"
        stream.write(f'    <edge source="{ids[tail]}" target="{ids[head]}"{inside}\n'.encode())
    stream.write(b"  </graph>\n</graphml>\n")
