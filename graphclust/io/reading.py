"""What the readers of structured formats share: numbers with errors that name the line, and the way to a `Graph`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError
from graphclust.graph import MAX_NODES, MIXED, Graph, both_directions, graph_from_entries
from graphclust.io.source import Source, shorten
from graphclust.runtime.memory import require_memory

__all__ = [
    "Draft",
    "Line",
    "build",
    "build_from_entries",
    "naming",
    "parse_int",
    "parse_weight",
    "require_nodes",
    "unweighted",
]

_BYTES_PER_NODE = 64.0


Line: TypeAlias = int | Callable[[], int] | None  # a function where finding the line costs more than reading it


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
    """Read an edge weight: a number, finite and not negative."""
    try:
        value = float(token)
    except ValueError:
        value = None
    if value is None or "_" in token:
        raise _error(source, f"the edge weight {shorten(token)} is not a number", line)
    if not 0 <= value < float("inf"):
        raise _error(source, f"edge weights must be finite and not negative, not {shorten(token)}", line)
    return value


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


def unweighted(source: Source, weights: bool | None, n_edges: int) -> None:
    """Raise if the caller requires weights (`weights=True`) that the file does not have."""
    if weights and n_edges:
        raise source.error("the edges have no weights")


@contextmanager
def naming(source: Source) -> Iterator[None]:
    """Give errors that know of no file the name of this one."""
    try:
        yield
    except DataError as error:
        raise (source.error(error.message) if error.path is None else error) from None


def build(
    source: Source, tail: Any, head: Any, weight: Any, *, nodes: int | Sequence[Hashable], directed: bool
) -> Graph:
    """`Graph.from_edges`, with errors that name the file."""
    with naming(source):
        return Graph.from_edges(tail, head, weight, nodes=nodes, directed=directed)


def build_from_entries(
    source: Source,
    row: NDArray[Any],
    col: NDArray[Any],
    weight: NDArray[Any] | None,
    n_nodes: int,
    *,
    directed: bool | None,
    x: Any = None,
    y: NDArray[Any] | None = None,
) -> Graph:
    """Build from the entries of a matrix; unless `directed` says otherwise, a symmetric one is an undirected graph."""
    with naming(source):
        graph = graph_from_entries(row, col, weight, n_nodes, x=x, y=y, directed=directed)
    if directed is None:
        if graph.directed:
            source.note("direction", "read as directed", directed=True)
        else:
            source.note(
                "direction", "read as undirected, because each edge is in the file in both directions", directed=False
            )
    return graph


class Draft:
    """Nodes and edges as a file names them, in whatever order they come; `graph()` resolves the ends of the edges.

    Parameters
    ----------
    source : Source
    directed, weights : bool, optional
        What the caller wants, whatever the file says. `directed=True` reads every edge as source -> target, False makes
        the graph undirected and adds the weights of opposite edges.
    line_of : callable, optional
        Turns the places of nodes and edges into line numbers, if they are something else: called for an error only.
    numbered : bool
        No node is added: edges name their ends by position, and `graph` is given the ids.
    """

    def __init__(
        self,
        source: Source,
        directed: bool | None,
        weights: bool | None,
        line_of: Callable[[int], int] = int,
        *,
        numbered: bool = False,
    ) -> None:
        self.source, self.directed, self.weights, self.line_of = source, directed, weights, line_of
        self.numbered = numbered
        self.index: dict[Hashable, int] = {}
        self.tail: list[Hashable] = []
        self.head: list[Hashable] = []
        self.weight: list[float | None] = []
        self.default_weight: float | None = None
        self.ignored: dict[str, None] = {}
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
        self.weight.append(None)
        self._place.append(place)
        self._is_arc.append(is_arc)
        return len(self.tail) - 1

    def set_weight(self, edge: int, token: str, line: Line) -> None:
        """Read the weight of an edge, unless the caller wants none."""
        if self.weights is not False:
            self.weight[edge] = parse_weight(self.source, token, line)

    def ignore(self, names: Iterable[str]) -> None:
        """Remember attributes of edges that are not read."""
        self.ignored.update(dict.fromkeys(names))

    def graph(
        self,
        *,
        is_directed: bool,
        ids: Sequence[Hashable] | None = None,
        attributes: Mapping[str, tuple[Mapping[int, Any], Any]] | None = None,
        what: str = "edge attribute 'weight'",
    ) -> Graph:
        """Return the graph.

        Parameters
        ----------
        is_directed : bool
            What the file says of the whole graph.
        ids : sequence, optional
            Ids of the nodes, if they are others than those that the edges use.
        attributes : mapping, optional
            For each node attribute, the values that are there, by position, and the one for all other nodes.
        what : str
            What `set_weight` was given, for the note.

        Raises
        ------
        DataError
            An edge ends at a node that was not declared; weights were asked for and there are none.
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
        weight = self._weights(what)
        if self.ignored:
            names = list(self.ignored)
            self.source.note("ignored-edge-attributes", f"ignored edge attributes: {', '.join(names)}", names=names)
        is_arc = np.array([is_directed if known is None else known for known in self._is_arc], dtype=bool)
        directed = self.directed
        if directed is None:
            directed = bool(is_arc.any()) if len(is_arc) else is_directed
            if directed and not is_arc.all():
                self.source.add(MIXED)
                tail, head, weight = both_directions(tail, head, weight, is_arc)
        graph = build(
            self.source, tail, head, weight, nodes=list(self.index) if ids is None else ids, directed=directed
        )
        if attributes:
            require_memory(8.0 * len(attributes) * len(self.index), f"{self.source.name}: {len(attributes)} attributes")
            graph.meta["node_attributes"] = {
                name: [values.get(node, default) for node in range(len(self.index))]
                for name, (values, default) in attributes.items()
            }
        return graph

    def _positions(self, nodes: list[Any]) -> NDArray[np.int64]:
        if self.numbered:
            return np.array(nodes, dtype=np.int64)
        return np.fromiter((self.index.get(node, -1) for node in nodes), dtype=np.int64, count=len(nodes))

    def _weights(self, what: str) -> NDArray[np.float64] | None:
        default = self.default_weight
        if self.weights is False or (default is None and all(weight is None for weight in self.weight)):
            unweighted(self.source, self.weights, len(self.weight))
            return None
        self.source.note("weights-from-attribute", f"read {what} as weights", name=what)
        filler = 1.0 if default is None else default
        return np.array([filler if weight is None else weight for weight in self.weight])
