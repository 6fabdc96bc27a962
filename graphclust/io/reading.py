"""What the readers of structured formats share: numbers with errors that name the line, and the way to a `Graph`."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError
from graphclust.graph import MAX_NODES, MIXED, Graph, both_directions, graph_from_entries
from graphclust.graph.column_names import is_weight_name, weight_rank
from graphclust.graph.edges import order_of_edges
from graphclust.graph.labels import is_missing_text
from graphclust.graph.two_mode import split_ends, two_mode_graph
from graphclust.io.source import Source, is_number, shorten
from graphclust.runtime.memory import require_memory
from graphclust.runtime.notes import counted

__all__ = [
    "Attribute",
    "Draft",
    "Line",
    "build",
    "build_from_entries",
    "build_two_mode",
    "ids_from_attribute",
    "may_be_negative",
    "naming",
    "parse_attributes",
    "parse_int",
    "parse_weight",
    "require_nodes",
    "split_modes",
    "unweighted",
    "usable_edges",
]

_GENERATED = re.compile(r"\D{0,6}[0-9][0-9.:n]*|[0-9a-fA-F-]{16,}")  # ids that programs make up: n0, 17, 0.0, n0::n1
_BYTES_PER_NODE = 64.0


Line: TypeAlias = int | Callable[[], int | None] | None  # a function where finding the line costs more than reading it


def _error(source: Source, message: str, line: Line) -> DataError:
    return source.error(message, line() if callable(line) else line)


def parse_int(source: Source, token: str, line: Line, what: str) -> int:
    """Read an integer of 64 bits, or raise the DataError that says what it should have been and where."""
    try:
        value = int(token)
    except ValueError:
        value = None
    if value is None or "_" in token:
        raise _error(source, f"{what} must be an integer, not {shorten(token)}", line)
    if not -(2**63) <= value < 2**63:
        raise _error(source, f"{what} does not fit into 64 bits: {shorten(token)}", line)
    return value


def parse_weight(source: Source, token: str, line: Line) -> float:
    """Read an edge weight: a finite number, negative only if the caller has said what to do with those."""
    try:
        value = float(token)
    except ValueError:
        value = None
    if is_missing_text(token):
        hint = " (--no-weights ignores all weights)" if source.options.weights is None else ""
        raise _error(source, f"the edge weight {shorten(token)} is missing{hint}", line)
    if value is None or "_" in token:
        raise _error(source, f"the edge weight {shorten(token)} is not a number", line)
    if not abs(value) < float("inf"):
        raise _error(source, f"edge weights must be finite, not {shorten(token)}", line)
    if value < 0 and not may_be_negative(source):
        raise _error(source, f"the edge weight {shorten(token)} is negative ({_WAYS_OUT})", line)
    return value


def parse_attributes(source: Source, text: str, line: int) -> dict[object, object]:
    """Read the attributes of an edge, which networkx writes as a Python dict."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise source.error(f"cannot read the attributes {shorten(text)}", line)
    return value


def may_be_negative(source: Source) -> bool:
    """Whether the caller has said what to do with negative weights."""
    options = source.options
    is_left_out = options.threshold is not None and options.threshold >= 0
    return options.negative is not None or options.weights is False or is_left_out


_WAYS_OUT = (
    "--negative drop leaves out such edges, --negative absolute ignores the signs, --no-weights ignores all weights"
)


def usable_edges(
    source: Source, tail: Any, head: Any, weight: Any, *others: Any, noun: str = "edge"
) -> tuple[Any, ...]:
    """Apply the caller's options on negative and small weights to the edges of a file.

    Parameters
    ----------
    source : Source
    tail, head : array of int, shape (n_edges,)
    weight : array of float, shape (n_edges,), or None
    *others : array, shape (n_edges,), or None
        Further values of the edges.
    noun : str
        What notes call an edge: an edge may have two values in a matrix.

    Returns
    -------
    tuple of arrays
        Tail, head, weight and the others of the edges that remain.

    Raises
    ------
    DataError
        A weight is negative and nothing says what to do with it, or a threshold has no weights to apply to.
    """
    options = source.options
    if weight is None:
        if options.threshold is not None and len(tail):
            raise source.error("--threshold needs weights, but the edges have none")
        return tail, head, weight, *others
    weight = np.asarray(weight, dtype=np.float64)
    is_used = np.ones(len(weight), dtype=bool)
    is_negative = weight < 0
    if n_negative := int(is_negative.sum()):
        if not may_be_negative(source):
            raise source.error(f"the edge weight {weight[is_negative][0]:g} is negative ({_WAYS_OUT})")
        if options.negative != "absolute":
            is_used = ~is_negative
            message = f"left out {counted(n_negative, noun)} with negative weights"
        else:
            weight = np.abs(weight)
            message = f"used the absolute value of {counted(n_negative, 'negative weight')}"
        source.note("negative-weights", message, n_edges=n_negative, treatment=options.negative)
    if options.threshold is not None:
        is_small = is_used & (weight < options.threshold)
        is_used &= ~is_small
        n_small = int(is_small.sum())
        message = f"left out {counted(n_small, noun)} with weights below {options.threshold:g}"
        source.note("small-weights", message, n_edges=n_small, threshold=options.threshold)
    if is_used.all():
        return tail, head, weight, *others
    tail, head = np.asarray(tail), np.asarray(head)
    return tuple(None if values is None else values[is_used] for values in (tail, head, weight, *others))


def require_nodes(source: Source, n_nodes: int, line: int | None = None) -> None:
    """Refuse a declared number of nodes that is negative or cannot be held, before anything is allocated.

    Raises
    ------
    DataError
        A negative number, or more nodes than a `Graph` can have.
    ResourceError
        The nodes would not fit into memory.
    """
    if n_nodes < 0:
        raise source.error(f"the number of nodes is {n_nodes}", line)
    require_memory(_BYTES_PER_NODE * n_nodes, f"{source.name}: a graph of {n_nodes} nodes")
    if n_nodes > MAX_NODES:
        raise source.error(f"a graph can have at most {MAX_NODES} nodes, not {n_nodes}", line)


def unweighted(source: Source, n_edges: int) -> None:
    """Raise if the caller requires weights that the file does not have."""
    options = source.options
    if options.weight is not None:
        raise source.error(f"the edges have no attribute {options.weight!r} that could be the weight")
    if options.weights and n_edges:
        raise source.error("the edges have no weights")


@contextmanager
def naming(source: Source) -> Iterator[None]:
    """Add the name of the file to errors that have none."""
    try:
        yield
    except DataError as error:
        raise (source.error(error.message) if error.path is None else error) from None


def build(
    source: Source, tail: Any, head: Any, weight: Any, *, nodes: int | Sequence[Hashable], directed: bool
) -> Graph:
    """`Graph.from_edges` of the edges that the caller wants, with errors that name the file."""
    tail, head, weight = usable_edges(source, tail, head, weight)
    with naming(source):
        return Graph.from_edges(tail, head, weight, nodes=nodes, directed=directed)


def build_from_entries(
    source: Source,
    row: NDArray[Any],
    col: NDArray[Any],
    weight: NDArray[Any] | None,
    nodes: int | Sequence[Hashable],
    *,
    directed: bool | None,
    x: Any = None,
    y: NDArray[Any] | None = None,
) -> Graph:
    """Build from the entries of a matrix; unless `directed` says otherwise, a symmetric one is an undirected graph.

    `nodes` is the number of nodes, or their ids in the order of the rows.
    """
    row, col, weight = usable_edges(source, row, col, weight, noun="entry")
    with naming(source):
        n_nodes = nodes if isinstance(nodes, int) else len(nodes)
        graph = graph_from_entries(row, col, weight, n_nodes, x=x, y=y, directed=directed)
        if not isinstance(nodes, int):
            parts = (graph.source, graph.target, graph.weight)
            graph = Graph(nodes, *parts, directed=graph.directed, x=graph.x, y=graph.y, meta=graph.meta)
    if directed is None:
        if graph.directed:
            source.note("direction", "read as directed", directed=True)
        else:
            source.note(
                "direction", "read as undirected, because each edge is in the file in both directions", directed=False
            )
    return graph


def build_two_mode(
    source: Source,
    left: NDArray[Any],
    right: NDArray[Any],
    weight: NDArray[Any] | None,
    left_ids: Sequence[Hashable],
    right_ids: Sequence[Hashable],
    kinds: tuple[str, str],
    *,
    hint: str = "",
) -> Graph:
    """`two_mode_graph` of the edges that the caller wants, with a note that ends with `hint`."""
    left, right, weight = usable_edges(source, left, right, weight)
    with naming(source):
        graph, note = two_mode_graph(left, right, weight, left_ids, right_ids, kinds)
    source.add(replace(note, message=note.message + hint))
    return graph


def split_modes(
    source: Source,
    ids: Sequence[Hashable],
    tail: NDArray[Any],
    head: NDArray[Any],
    weight: NDArray[Any] | None,
    kinds: tuple[str, str],
) -> Graph:
    """Build a two-mode graph of a table in which both columns of ends share one list of ids; see `split_ends`."""
    left, right, left_ids, right_ids = split_ends(ids, tail, head)
    hint = " (--no-bipartite takes equal ids for one node)"
    return build_two_mode(source, left, right, weight, left_ids, right_ids, kinds, hint=hint)


@dataclass
class Attribute:
    """An attribute of nodes or edges and the values that it has been given.

    Attributes
    ----------
    name, kind : str
        What people call it, and its declared type; no type for values that are Python objects already.
    default : optional
        Value of all that have none of their own.
    values : dict
        Position of a node or an edge -> value.
    places : dict
        Position -> place in the file, for errors (`Draft.line_of`).
    """

    name: str
    kind: str = ""
    default: Any = None
    values: dict[int, Any] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        texts = [str(value).strip() for value in (*self.values.values(), self.default) if value not in (None, "")]
        return bool(texts) and all(map(is_number, texts))

    def typed(self, source: Source, n_values: int) -> list[Any]:
        """Return all values in the declared type; as text, with a note, if one of them is not of that type."""
        cast = _CASTS.get(self.kind.lower())
        default, values = self.default, self.values
        if cast is not None:
            try:
                if isinstance(default, str):
                    default = cast(default.strip()) if default.strip() else None
                values = {place: cast(text.strip()) for place, text in values.items() if text.strip()}
            except (ValueError, LookupError):
                default = self.default
                source.note(
                    "attribute-as-text",
                    f"read attribute {self.name!r} as text, because not all its values are of type {self.kind}",
                    name=self.name,
                )
        return [values.get(place, default) for place in range(n_values)]


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_CASTS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("int", "integer", "long", "short", "byte", "biginteger"), int),
    **dict.fromkeys(("float", "double", "bigdecimal"), float),
    "boolean": lambda text: _BOOLEANS[text.lower()],
}


class Draft:
    """Nodes and edges as a file names them, in whatever order they come; `graph()` resolves the ends of the edges.

    Parameters
    ----------
    source : Source
    line_of : callable, optional
        Turns the places of nodes and edges into line numbers, if they are something else: called for an error only.
    numbered : bool
        No node is added: edges name their ends by position, and `graph` is given the ids.
    """

    def __init__(self, source: Source, line_of: Callable[[int], int | None] = int, *, numbered: bool = False) -> None:
        self.source, self.line_of, self.numbered = source, line_of, numbered
        self.index: dict[Hashable, int] = {}
        self.tail: list[Hashable] = []
        self.head: list[Hashable] = []
        self.weight = Attribute("weight")
        self._place: list[int] = []
        self._is_arc: list[bool | None] = []

    def add_node(self, node: Hashable, place: int) -> int:
        """Add a node and return its position."""
        if node in self.index:
            raise self.source.error(f"the node {shorten(node)} is declared twice", self.line_of(place))
        position = self.index[node] = len(self.index)
        return position

    def add_edge(self, tail: Hashable, head: Hashable, place: int, *, is_arc: bool | None = None) -> int:
        """Add an edge, directed as the graph if `is_arc` is None, and return its number."""
        self.tail.append(tail)
        self.head.append(head)
        self._place.append(place)
        self._is_arc.append(is_arc)
        return len(self.tail) - 1

    def set_weight(self, edge: int, value: Any, place: int) -> None:
        """Set the weight of an edge, for formats in which it is no attribute like others."""
        self.weight.values[edge] = value
        self.weight.places[edge] = place

    def graph(
        self,
        *,
        is_directed: bool,
        ids: Sequence[Hashable] | None = None,
        nodes: Sequence[Attribute] = (),
        edges: Sequence[Attribute] = (),
        id_names: Sequence[str] = (),
        ids_are_labels: bool = False,
        what: str = "",
    ) -> Graph:
        """Return the graph.

        Parameters
        ----------
        is_directed : bool
            What the file says of the whole graph.
        ids : sequence, optional
            Ids of the nodes, if they are others than those that the edges use.
        nodes, edges : sequence of Attribute
            Attributes of nodes and edges. The weight and the ids are chosen among them.
        id_names : sequence of str
            Names of attributes that become the ids if they are distinct and the ids of the file look made up by a
            program, best first.
        ids_are_labels : bool
            Whether one of these attributes always holds the ids in this format, whatever the others look like.
        what : str
            What `set_weight` was given, for the note.

        Raises
        ------
        DataError
            An edge ends at a node that was not declared; weights were asked for and there are none; the attribute
            that is to hold the weights or the ids does not exist, or the ids are not distinct.
        ResourceError
            The table of node attributes would not fit into memory.
        """
        tail, head = self._positions(self.tail), self._positions(self.head)
        missing = np.flatnonzero((tail < 0) | (head < 0))
        if len(missing):
            edge = int(missing[0])
            node = self.tail[edge] if tail[edge] < 0 else self.head[edge]
            raise self.source.error(
                f"the node {shorten(node)} of an edge is not declared", self.line_of(self._place[edge])
            )
        edges = _with_distinct_names(self.source, edges)
        chosen = self._weight_attribute(edges)
        weight = self._weights(chosen, what)
        is_arc = np.array([is_directed if known is None else known for known in self._is_arc], dtype=bool)
        place = np.arange(len(tail))
        tail, head, weight, is_arc, place = usable_edges(self.source, tail, head, weight, is_arc, place)
        directed = self.source.options.directed
        if directed is None:
            directed = bool(is_arc.any()) if len(is_arc) else is_directed
            if directed and not is_arc.all():
                self.source.add(MIXED)
                tail, head, weight = both_directions(tail, head, weight, is_arc)
        own_ids = list(self.index) if ids is None else ids
        columns = self._columns(nodes, len(own_ids))
        own_ids = self._ids(own_ids, columns, id_names, ids_are_labels)
        with naming(self.source):
            graph = Graph.from_edges(tail, head, weight, nodes=own_ids, directed=directed)
        if columns:
            graph.meta["node_attributes"] = columns
            if any(name in columns for name in id_names):
                graph.meta["label_attribute"] = next(name for name in id_names if name in columns)
        self._keep_edge_attributes(graph, [item for item in edges if item is not chosen], tail, head, place)
        return graph

    def _positions(self, nodes: list[Any]) -> NDArray[np.int64]:
        if self.numbered:
            return np.array(nodes, dtype=np.int64)
        return np.fromiter((self.index.get(node, -1) for node in nodes), dtype=np.int64, count=len(nodes))

    def _weight_attribute(self, edges: Sequence[Attribute]) -> Attribute | None:
        """Return the attribute that holds the weights, None without one."""
        options = self.source.options
        if options.weights is False:
            return None
        own = [self.weight] if self.weight.values or self.weight.default is not None else []
        if options.weight is not None:
            for item in (*own, *edges):
                if item.name == options.weight:
                    return item
            known = ", ".join(item.name for item in (*own, *edges)) or "none"
            raise self.source.error(f"the edges have no attribute {options.weight!r} (they have {known})")
        if own:
            return self.weight
        named = [item for item in edges if item.name.lower() == "weight"]
        named += [item for item in edges if is_weight_name(item.name) and item.is_numeric]
        named.sort(key=lambda item: weight_rank(item.name) or 0)
        return named[0] if named else None

    def _weights(self, chosen: Attribute | None, what: str) -> NDArray[np.float64] | None:
        if chosen is None:
            unweighted(self.source, len(self.tail))
            return None
        name = what if chosen is self.weight and what else f"edge attribute {chosen.name!r}"
        self.source.note("weights-from-attribute", f"read {name} as weights", name=chosen.name)
        weight = np.empty(len(self.tail))
        default = chosen.default
        n_missing = len(self.tail) - len(chosen.values)
        if n_missing and default in (None, ""):
            message = f"{counted(n_missing, 'edge')} without {name} count 1"
            self.source.note("missing-weights", message, n_edges=n_missing)
        weight.fill(1.0 if default in (None, "") else parse_weight(self.source, str(default).strip(), None))
        for edge, value in chosen.values.items():
            place = chosen.places.get(edge)
            line = None if place is None else partial(self.line_of, place)
            weight[edge] = parse_weight(self.source, str(value).strip(), line)
        return weight

    def _columns(self, nodes: Sequence[Attribute], n_nodes: int) -> dict[str, list[Any]]:
        """Return the attributes of the nodes as lists."""
        nodes = [item for item in nodes if item.values or item.default is not None]
        require_memory(8.0 * len(nodes) * n_nodes, f"{self.source.name}: {len(nodes)} attributes")
        return {item.name: item.typed(self.source, n_nodes) for item in _with_distinct_names(self.source, nodes)}

    def _ids(
        self,
        ids: Sequence[Hashable],
        columns: dict[str, list[Any]],
        id_names: Sequence[str],
        ids_are_labels: bool,
    ) -> Sequence[Hashable]:
        """Return the ids of the nodes; an attribute that becomes the ids is taken out of `columns`."""
        wanted = self.source.options.id
        if wanted is not None:
            return ids_from_attribute(self.source, ids, columns, wanted)
        reasons = []
        for name in id_names:
            values = columns.get(name)
            if not values:
                continue
            if None in values or ("" in values and not ids_are_labels):
                reasons.append((name, f"some nodes have no {name}"))
                continue
            texts = list(map(str, values))
            own = list(map(str, ids))
            if texts == own:
                del columns[name]
                return texts if ids_are_labels else ids
            if not ids_are_labels and not all(map(_GENERATED.fullmatch, own)):
                continue  # the ids of the file have a meaning, too
            if len(set(texts)) == len(texts):
                del columns[name]
                message = f"used the attribute {name!r} of the nodes as ids (--id id keeps the ids of the file)"
                self.source.note("ids-from-attribute", message, is_detail=ids_are_labels, name=name)
                return texts
            reasons.append((name, f"several nodes have the same {name}"))
        for name, reason in reasons:
            self.source.note("ids-not-unique", f"kept the ids of the file, because {reason}", name=name)
        return ids

    def _keep_edge_attributes(self, graph: Graph, edges: Sequence[Attribute], tail: Any, head: Any, place: Any) -> None:
        """Keep the other attributes of the edges, in the order of the graph's edges; none where edges were merged."""
        edges = [item for item in edges if item.values or item.default is not None]
        if not edges:
            return
        names = [item.name for item in edges]
        if len(place) != graph.num_edges or len(tail) != graph.num_edges:
            message = f"ignored edge attributes, because some edges were merged or left out: {', '.join(names)}"
            self.source.note("ignored-edge-attributes", message, names=names)
            return
        require_memory(8.0 * len(edges) * graph.num_edges, f"{self.source.name}: {len(edges)} attributes of edges")
        order = place[order_of_edges(tail, head, graph.directed)].tolist()
        columns = {item.name: item.typed(self.source, len(self.tail)) for item in edges}
        graph.meta["edge_attributes"] = {name: [values[i] for i in order] for name, values in columns.items()}


def ids_from_attribute(
    source: Source, ids: Sequence[Hashable], columns: dict[str, list[Any]], wanted: str
) -> Sequence[Hashable]:
    """Return the values of an attribute as ids, and take it out of `columns`.

    Parameters
    ----------
    source : Source
    ids : sequence
        The ids of the file, which "id" means unless there is an attribute of this name.
    columns : dict of str to list
        The attributes of the nodes.
    wanted : str
        Name of the attribute.

    Raises
    ------
    DataError
        There is no such attribute, or its values are missing or not distinct.
    """
    values = columns.pop(wanted, None)
    if values is None:
        if wanted == "id":
            return ids
        known = ", ".join(columns) or "none"
        raise source.error(f"the nodes have no attribute {wanted!r} (they have {known})")
    texts = [None if value in (None, "") else str(value) for value in values]
    if None in texts:
        node = ids[texts.index(None)]
        raise source.error(
            f"the node {shorten(node)} has no value of {wanted}, so that {wanted} cannot provide the ids"
        )
    counts = Counter(texts)
    repeated = next((text for text in texts if counts[text] > 1), None)
    if repeated is not None:
        raise source.error(f"several nodes have the {wanted} {shorten(repeated)}: an id must be unique")
    return texts


def _with_distinct_names(source: Source, attributes: Sequence[Attribute]) -> list[Attribute]:
    """Rename attributes that have the name of another one."""
    all_names = {item.name for item in attributes}
    renamed: dict[str, Attribute] = {}
    for item in attributes:
        name = item.name
        if name in renamed:
            name = next(new for i in range(2, len(all_names) + 3) if (new := f"{item.name}_{i}") not in all_names)
            message = f"renamed one of two attributes {item.name!r} to {name!r}"
            source.note("renamed-attribute", message, name=name)
            all_names.add(name)
        renamed[name] = item if name == item.name else replace(item, name=name)
    return list(renamed.values())
