"""JSON: node-link data of networkx and D3, Cytoscape's .cyjs, the JSON Graph Format, graphology, and lists of edges.

All are reduced to a list of nodes and a list of edges. Ids are strings or integers as in the file. Files with a JSON
object on each line are lists of edges. Other attributes of nodes and edges are kept if they are plain values.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, TypeAlias

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.graph.column_names import edge_columns, kinds_of_nodes, list_columns
from graphclust.graph.columns import EdgeColumns, choose_columns
from graphclust.graph.two_mode import two_mode_ids
from graphclust.io.reading import Attribute, Draft, build_from_entries, naming
from graphclust.io.source import Source, shorten, split_lines
from graphclust.io.writing import encode, id_texts, typed_columns

__all__ = ["KEEPS_IDS", "holds", "read", "write"]

KEEPS_IDS = True

_Item: TypeAlias = dict[str, Any]
_Parts: TypeAlias = tuple[list[_Item] | None, list[Any], bool]

_IDS = ("id", "key", "name", "label")  # names of the id of a node, best first
_OWN = {"id", "key", "source", "target"}  # parts of an edge that are no attributes
_MOST_COMPARED = 1000  # rows that show what the entries are
_MIN_MATRIX = 4  # shorter lists of lists are edges


def _content(source: Source) -> Any:
    """Return the content, of several lines with an object each as a list."""
    text = source.text()
    try:
        return json.loads(text)
    except RecursionError:
        raise source.error("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        lines = [(i, line) for i, line in enumerate(split_lines(text), 1) if line.strip()]
        if len(lines) < 2 or not lines[0][1].lstrip().startswith(("{", "[")):
            raise source.error(f"not JSON: {error.msg}", error.lineno) from None
        items = []
        for number, line in lines:
            try:
                items.append(json.loads(line))
            except (json.JSONDecodeError, RecursionError):
                if not items:
                    raise source.error(f"not JSON: {error.msg}", error.lineno) from None
                raise source.error("not a JSON object, as the lines before", number) from None
        return items


def _parts(source: Source, content: Any) -> _Parts:
    """Return the nodes (None if the file lists edges only), the edges, and whether these are directed."""
    if isinstance(content, list):
        return _of_list(source, content)
    if not isinstance(content, dict):
        raise _unknown(source)
    if isinstance(content.get("elements"), dict | list):
        return _of_cytoscape(source, content)
    if (records := _of_columns(content)) is not None:
        return None, records, False
    is_directed = _directed(content)
    edges = [content[key] for key in ("links", "edges", "relationships") if isinstance(content.get(key), list)]
    if edges and "nodes" not in content and edges[0] and "adjacency" not in content:
        return None, list(map(_data, edges[0])), is_directed
    if "nodes" in content and edges:
        return _nodes(source, content["nodes"]), [_record(_data(edge)) for edge in edges[0]], is_directed
    if "nodes" in content and isinstance(content.get("adjacency"), list):
        return _of_adjacency_data(source, content)
    if isinstance(content.get("nodes"), list) and not any(isinstance(value, dict) for value in content.values()):
        return _nodes(source, content["nodes"]), [], is_directed
    for key in ("graph", "graphs"):  # JSON Graph Format
        inner = content.get(key)
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if isinstance(inner, dict) and "edges" in inner:
            if "directed" not in inner:
                source.note("direction", "read as directed, which is the default of the JSON Graph Format")
            return _parts(source, {"nodes": [], "directed": True, **inner})
    if content and all(isinstance(value, list | dict) for value in content.values()):
        return _adjacency(source, content)
    raise _unknown(source)


def _of_columns(content: _Item) -> list[_Item] | None:
    """Return the rows of a table that is written column by column, as pandas does; None for other objects."""
    if isinstance(content.get("data"), list) and isinstance(content.get("columns"), list):
        return [dict(zip(content["columns"], row, strict=False)) for row in content["data"] if isinstance(row, list)]
    if isinstance(content.get("data"), list) and isinstance(content.get("schema"), dict):
        return [row for row in content["data"] if isinstance(row, dict)]
    columns = {name: list(values.values()) if isinstance(values, dict) else values for name, values in content.items()}
    if edge_columns(list(columns)) is None or not all(isinstance(values, list) for values in columns.values()):
        return None
    is_adjacency = any(isinstance(item, str) and item in content for values in content.values() for item in values)
    if is_adjacency or len({len(values) for values in columns.values()}) > 1:  # nodes may be called node1 and node2
        return None
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _record(edge: Any) -> Any:
    """Return an edge that is a list of its ends, and perhaps its weight or attributes, as an object."""
    if not isinstance(edge, list) or len(edge) not in (2, 3):
        return edge
    return {**_edge_data(edge[2] if len(edge) == 3 else None), "source": edge[0], "target": edge[1]}


def _of_list(source: Source, content: list[Any]) -> _Parts:
    """Return the parts of a list of edges, or of edges and nodes."""
    items = [_data(item) for item in content]
    if items and all(isinstance(item, dict) for item in items) and any(edge_columns(list(item)) for item in items):
        return _split(items)
    if all(isinstance(item, list | dict) for item in content):
        return None, content, False
    raise _unknown(source)


def _of_cytoscape(source: Source, content: _Item) -> _Parts:
    """Return the parts of Cytoscape's elements, which are in one list or in two."""
    is_directed = _directed(content) or _directed(content.get("data"))
    elements = content["elements"]
    if isinstance(elements, list):
        nodes, edges, _ = _split([_data(item) for item in elements])
        return None if nodes is None else _nodes(source, nodes), edges, is_directed
    edges = list(map(_data, _listed(source, elements.get("edges", []))))
    return _nodes(source, elements.get("nodes", [])), edges, is_directed


def _of_adjacency_data(source: Source, content: _Item) -> _Parts:
    """Return the parts of networkx's `adjacency_data`: a list of neighbours for each node."""
    nodes = _nodes(source, content["nodes"])
    is_directed = _directed(content)
    seen: set[tuple[Any, Any]] = set()
    edges: list[Any] = []
    for item, others in zip(nodes, content["adjacency"], strict=False):
        node = _id_of(source, item, "node")
        for other in _listed(source, others):
            pair = (node, _id_of(source, other, "edge"))
            if is_directed or pair[::-1] not in seen or pair[0] == pair[1]:
                edges.append({**other, "source": pair[0], "target": pair[1]})
            seen.add(pair)
    return nodes, edges, is_directed


def _adjacency(source: Source, content: Mapping[str, Any]) -> _Parts:
    """Return the parts of a mapping of nodes to their neighbours, as networkx's `to_dict_of_lists` makes it.

    The neighbours are a list, or a mapping to weights or attributes.
    """
    arcs = {
        (node, str(other)): _edge_data(others[other]) if isinstance(others, dict) else {}
        for node, others in content.items()
        for other in others
    }
    is_directed = any(arcs.get((other, node)) != data for (node, other), data in arcs.items())
    if is_directed:
        source.note("direction", "read as directed, because some edges are in one direction only", directed=True)
    edges = [
        {**data, "source": node, "target": other}
        for (node, other), data in arcs.items()
        if is_directed or node <= other
    ]
    nodes = dict.fromkeys([*content, *(other for _, other in arcs)])
    return [{"id": node} for node in nodes], edges, is_directed


def _edge_data(value: Any) -> _Item:
    """Return the attributes of an edge, of which a mapping may give the weight alone."""
    if isinstance(value, dict):
        return value
    return {"weight": value} if isinstance(value, int | float) and not isinstance(value, bool) else {}


def _split(items: Sequence[Any]) -> _Parts:
    """Split a list of elements into nodes and edges."""
    edges = [item for item in items if isinstance(item, dict) and edge_columns(list(item))]
    nodes = [item for item in items if not (isinstance(item, dict) and edge_columns(list(item)))]
    return nodes or None, edges, False


def _directed(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    options = content.get("options")  # of graphology
    return content.get("directed") in (True, "true", 1) or (
        isinstance(options, dict) and options.get("type") == "directed"
    )


def _data(item: Any) -> Any:
    """Return an element with its data, or its attributes, beside its id."""
    for key in ("data", "attributes", "metadata", "properties"):
        if isinstance(item, dict) and isinstance(item.get(key), dict):
            return {**{name: value for name, value in item.items() if name != key}, **item[key]}
    return item


def _listed(source: Source, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _unknown(source)
    return value


def _nodes(source: Source, nodes: Any) -> list[_Item]:
    """Return nodes as dicts with ids, from a list or a mapping."""
    if isinstance(nodes, dict):
        return [{**(_data(value) if isinstance(value, dict) else {}), "id": name} for name, value in nodes.items()]
    return [_data(item) if isinstance(item, dict) else {"id": item} for item in _listed(source, nodes)]


def _unknown(source: Source) -> DataError:
    return source.error(
        "this JSON holds no graph that is known: expected nodes and links, as networkx and D3 write them, Cytoscape's "
        "elements, or a list of edges"
    )


def _id(source: Source, value: Any, what: str) -> Hashable:
    if isinstance(value, dict):  # D3 puts the nodes themselves into the links
        return _id_of(source, value, what)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise source.error(f"an id must be a string or an integer, not {shorten(value)}")
    return value


def _id_of(source: Source, item: Any, what: str) -> Hashable:
    name = next((name for name in _IDS if isinstance(item, dict) and name in item), None)
    if name is None:
        raise source.error(f"a {what} has no id: {shorten(item)}")
    return _id(source, item[name], what)


def read(source: Source) -> Graph:
    """Read a graph in JSON.

    Parameters
    ----------
    source : Source
        Ids are the attribute `options.id`; weights are the attribute `options.weight`, or by default `weight` or a name
        such as `value` or `count`. `options.columns` names the parts of an edge.

    Returns
    -------
    Graph
        Nodes in the file's order, with their other plain values in `meta["node_attributes"]`, and those of the edges
        in `meta["edge_attributes"]`.

    Raises
    ------
    DataError
        The file is no JSON or holds no graph; an id is missing, repeated, or neither a string nor an integer; an edge
        ends at a node that is not listed.
    """
    content = _content(source)
    try:
        nodes, edges, is_directed = _parts(source, content)
    except RecursionError:
        raise source.error("the JSON is nested too deeply") from None
    if not nodes and edges and all(isinstance(edge, list) for edge in edges):
        return _of_lists(source, edges)
    draft = Draft(source, _no_line)
    columns: dict[str, dict[str, Attribute]] = {"node": {}, "edge": {}}
    by_position = nodes is not None and _are_positions(nodes, edges)
    for place, item in enumerate(nodes or ()):
        node: Hashable = place if by_position else _id_of(source, item, "node")
        _keep(columns["node"], draft.add_node(node, 0), item, () if by_position else (_id_name(item),))
    columns_of_ends = source.options.columns
    if columns_of_ends is not None and len(columns_of_ends) == 3:
        source.options = replace(source.options, weight=columns_of_ends[2])
    if nodes is None and columns_of_ends is None:
        columns_of_ends = _columns_of_records(source, edges)
    kinds = _kinds(source, edges, columns_of_ends) if nodes is None else None
    for edge in edges:
        names = list(edge) if isinstance(edge, dict) else []
        ends = edge_columns(names) if columns_of_ends is None else _places(names, columns_of_ends)
        if ends is None:
            hint = (
                f", but {list_columns(names)} (--columns SOURCE,TARGET names them)" if names else f": {shorten(edge)}"
            )
            raise source.error(f"an edge has no source and target{hint}")
        tail, head = (_id(source, edge[names[i]], "node") for i in ends[:2])
        if kinds is not None:
            tail, head = (0, tail), (1, head)  # equal ids of different kinds are different nodes
        if not nodes:
            for node in (tail, head):
                if node not in draft.index:
                    draft.add_node(node, 0)
        number = draft.add_edge(tail, head, 0)
        _keep(columns["edge"], number, edge, (*(names[i] for i in ends[:2]), *_OWN))
    ids: list[Hashable] | None = None
    if kinds is not None:
        keys: list[Any] = list(draft.index)
        left, right = ([node for side, node in keys if side == which] for which in (0, 1))
        ids_of, note = two_mode_ids(left, right, kinds)
        source.add(replace(note, message=note.message + " (--no-bipartite takes equal ids for one node)"))
        ids = [ids_of[key] for key in keys]
        columns["node"]["side"] = Attribute("side", values={i: kinds[side] for i, (side, _) in enumerate(keys)})
    return draft.graph(
        is_directed=is_directed,
        ids=ids,
        nodes=list(columns["node"].values()),
        edges=list(columns["edge"].values()),
        id_names=("name", "label") if by_position else (),
    )


def _of_lists(source: Source, rows: Sequence[Any]) -> Graph:
    """Read a list of pairs or triples as edges, a square list of numbers as a matrix."""
    import numpy as np

    if len(rows) >= _MIN_MATRIX and all(len(row) == len(rows) for row in rows):
        try:
            values = np.array(rows, dtype=np.float64)
        except (TypeError, ValueError):
            raise source.error("a matrix must hold numbers") from None
        row, col = np.nonzero(values)
        weight = None if source.options.weights is False else values[row, col]
        return build_from_entries(source, row, col, weight, len(rows), directed=source.options.directed)
    if len(rows) > 1 and all(len(row) == len(rows) for row in rows):
        is_symmetric = all(rows[i][j] == rows[j][i] for i in range(len(rows)) for j in range(i))
        if is_symmetric and len({str(rows[i][i]) for i in range(len(rows))}) == 1:
            raise source.error("this list may be a matrix or a list of edges: give it as a matrix or as pairs of ids")
    draft = Draft(source, _no_line)
    for number, row in enumerate(rows):
        if len(row) not in (2, 3):
            raise source.error(f"edge {number} has {len(row)} parts, not source, target and perhaps weight")
    chosen = _columns_of_lists(source, rows)
    for row in rows:
        tail, head = (_id(source, row[i], "node") for i in (chosen.source, chosen.target))
        for node in (tail, head):
            if node not in draft.index:
                draft.add_node(node, 0)
        edge = draft.add_edge(tail, head, 0)
        if chosen.weight is not None and len(row) > chosen.weight:
            draft.set_weight(edge, row[chosen.weight], 0)
    return draft.graph(is_directed=False, what=f"entry {(chosen.weight or 0) + 1} of each list")


def _columns_of_lists(source: Source, rows: Sequence[Sequence[Any]]) -> EdgeColumns:
    """Return which entries of lists hold the ends and the weights of the edges."""
    options = source.options
    size = max(map(len, rows), default=2)
    texts = [[str(value) for value in row] for row in rows[:_MOST_COMPARED] if len(row) == size]
    with naming(source):
        chosen = choose_columns(
            None, texts, size, columns=options.columns, weight=options.weight, weights=options.weights
        )
    if max(chosen.source, chosen.target) >= min(map(len, rows), default=2):
        raise source.error("some edges have two parts, others three")
    for note in chosen.notes:
        source.add(note)
    source.options = replace(options, weight=None)  # which is found: it was a number
    return chosen


def _places(names: Sequence[str], columns: Sequence[str]) -> tuple[int, int] | None:
    """Return the positions of the first two of the columns that the caller names, None if one of them is missing."""
    first, second = (names.index(name) if name in names else -1 for name in columns[:2])
    return None if min(first, second) < 0 else (first, second)


def _columns_of_records(source: Source, records: Sequence[Any]) -> tuple[str, ...] | None:
    """Return the names of the ends, and perhaps of the weight, of records without usual names; None for others.

    The same rules apply as for tables in text files.
    """
    shown = [record for record in records[:_MOST_COMPARED] if isinstance(record, dict)]
    names = list(dict.fromkeys(name for record in shown for name in record))
    if len(shown) < len(records[:_MOST_COMPARED]) or len(names) < 2 or edge_columns(names) is not None:
        return None
    rows = [["" if record.get(name) is None else str(record[name]) for name in names] for record in shown]
    options = source.options
    with naming(source):
        chosen = choose_columns(names, rows, len(names), weights=False if options.weight else options.weights)
    for note in chosen.notes:
        source.add(note)
    if chosen.weight is not None:
        source.options = replace(options, weight=names[chosen.weight])
    return names[chosen.source], names[chosen.target]


def _kinds(source: Source, edges: Sequence[Any], columns: Sequence[str] | None) -> tuple[str, str] | None:
    """Return the kinds of nodes that the ends of records are, None if they are of one kind."""
    options = source.options
    if options.bipartite is False or not edges or not isinstance(edges[0], dict):
        return None
    names = list(edges[0])
    ends = _places(names, columns) if columns is not None else edge_columns(names)
    if ends is None:
        return None
    first, second = names[ends[0]], names[ends[1]]
    return kinds_of_nodes([first, second]) or ((first, second) if options.bipartite else None)


def _no_line(place: int) -> None:
    """Return no line: the parser of JSON does not tell where things are."""


def _id_name(item: _Item) -> str:
    return next(name for name in _IDS if name in item)


def _are_positions(nodes: Sequence[_Item], edges: Sequence[Any]) -> bool:
    """Whether the ends of edges count the nodes from 0, as in D3 before version 4."""
    ends: list[int] = []
    for edge in edges:
        for end in ("source", "target"):
            value = edge.get(end) if isinstance(edge, dict) else None
            if not isinstance(value, int) or isinstance(value, bool):
                return False
            ends.append(value)
    ids = {item.get("id") for item in nodes if isinstance(item.get("id"), Hashable)}
    return bool(ends) and not ids.issuperset(ends) and all(0 <= end < len(nodes) for end in ends)


def _keep(columns: dict[str, Attribute], number: int, item: _Item, left_out: Iterable[str]) -> None:
    """Add the plain values of a node or an edge to the columns."""
    for name, value in item.items():
        if name not in left_out and isinstance(value, bool | int | float | str):
            columns.setdefault(name, Attribute(name)).values[number] = value


def holds(name: str, values: Sequence[Any]) -> bool:
    """Whether the format can hold a node attribute."""
    return name not in ("id", "source", "target", "weight")


def write(
    graph: Graph,
    stream: BinaryIO,
    attributes: Mapping[str, Sequence[Any]] | None = None,
    edge_attributes: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write node-link data, as `networkx.node_link_graph` reads it (`edges="edges"`).

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes, edge_attributes : mapping, optional
        Name -> values in the order of `graph.nodes` and of its edges; None where missing.

    Raises
    ------
    DataError
        Two ids have the same text.
    UsageError
        An attribute with a wrong number or type of values.
    """
    ids: Sequence[Any] = graph.nodes
    if not all(type(node) in (int, str) for node in ids):
        ids = id_texts(graph)
    nodes = [{"id": node} for node in ids]
    edges: list[dict[str, Any]] = [
        {"source": ids[u], "target": ids[v]} for u, v in zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    ]
    parts: list[tuple[list[dict[str, Any]], Mapping[str, Sequence[Any]] | None, int]] = [
        (nodes, attributes, graph.num_nodes),
        (edges, {"weight": graph.edge_weight.tolist()} if graph.is_weighted else None, graph.num_edges),
        (edges, edge_attributes, graph.num_edges),
    ]
    for items, columns, n_items in parts:
        for name, (_, values) in typed_columns(n_items, columns).items():
            for item, value in zip(items, values, strict=True):
                if value is not None:
                    item[name] = value
    content = {"directed": graph.directed, "multigraph": False, "graph": {}, "nodes": nodes, "edges": edges}
    stream.write(encode(json.dumps(content, ensure_ascii=False, indent=1)) + b"\n")
