"""The one graph type: NumPy arrays and the caller's own node ids.

A `Graph` is immutable. Its nodes stand in the caller's order, its edges once each, sorted. Everything that depends on
an order of the nodes works on `Graph.canonical()`, which sorts them by their ids: that is why a result does not change
when the lines of a file or the nodes of a networkx graph come in another order.

This module converts from and to networkx, igraph, SciPy, PyTorch Geometric and arrays; none of these is imported
before an object of theirs is met.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import DataError, ResourceError, UsageError

if TYPE_CHECKING:
    import igraph
    import networkx
    import scipy.sparse
    from torch_geometric.data import Data

__all__ = [
    "MAX_DECIMAL",
    "MAX_NODES",
    "MIXED",
    "DecimalIds",
    "FloatArray",
    "Graph",
    "IntArray",
    "as_graph",
    "both_directions",
    "counted",
    "graph_from_entries",
    "holds_graph",
    "merge_notes",
]

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]

_MAX_TOTAL = 1e150  # beyond, the squares in modularity overflow
MAX_NODES = 3_037_000_499  # a pair of nodes must have a number below 2**63
MIXED = "mixed directed and undirected edges: read as directed, undirected ones in both directions"
_PYG = ("Data", "HeteroData", "TemporalData")
MAX_DECIMAL = 17  # digits that surely fit into 64 bits; the parsers of edge lists draw the line here too


class DecimalIds(Sequence[str]):
    """String ids that are all decimal integers, kept as an integer array and spelt out when looked at.

    A file of a million edges names its nodes by numbers; making a Python string of each costs more than parsing them.

    Parameters
    ----------
    values : ndarray of int64, shape (n_nodes,)
        Distinct, non-negative.
    """

    def __init__(self, values: IntArray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[str]:
        return map(str, self.values.tolist())

    def __getitem__(self, index: Any) -> Any:
        return DecimalIds(self.values[index]) if isinstance(index, slice) else str(self.values[index])


def _canonical_key(node: Hashable) -> tuple[Any, ...]:
    """Sort key of a node id: numbers by value (also when spelt as a string), then strings, then everything else."""
    if isinstance(node, int | np.integer):
        return (0, int(node), 0)
    if isinstance(node, float | np.floating) and node == node:  # not NaN
        return (0, float(node), 1)
    if isinstance(node, str):
        digits = node.removeprefix("-")
        if len(digits) <= MAX_DECIMAL and digits.isascii() and digits.isdigit() and str(int(node)) == node:
            return (0, int(node), 2)
        return (1, node)
    if isinstance(node, bytes):
        return (2, node)
    if isinstance(node, tuple):
        return (3, tuple(map(_canonical_key, node)))
    if isinstance(node, frozenset):
        return (4, tuple(sorted(map(_canonical_key, node))))
    kind = type(node)
    spelt = repr(node)
    spelt = "" if kind.__repr__ is object.__repr__ or " at 0x" in spelt else spelt  # an address is no order at all
    return (5, kind.__module__, kind.__qualname__, spelt)


def _merge_edges(
    source: IntArray, target: IntArray, weight: FloatArray | None, n_nodes: int, directed: bool
) -> tuple[IntArray, IntArray, FloatArray | None]:
    """Sort edges, and add up the weights of parallel ones; unweighted parallel edges get their count as weight."""
    if not directed and bool((source > target).any()):
        source, target = np.minimum(source, target), np.maximum(source, target)
    key = source * n_nodes + target
    if len(key) < 2 or bool(np.all(key[1:] > key[:-1])):
        return np.ascontiguousarray(source), np.ascontiguousarray(target), weight
    if weight is None:
        key.sort()
        first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        merged = len(first) < len(key)
        weight = np.diff(first, append=len(key)).astype(np.float64) if merged else None
    else:
        order = np.lexsort((weight, key))  # by weight within an edge: the sum's rounding must not depend on the order
        key, weight = key[order], weight[order]
        first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        weight = np.add.reduceat(weight, first)
    key = key[first]
    return key // n_nodes, key % n_nodes, weight


def _check_ids(ids: Sequence[Hashable]) -> None:
    try:
        repeated = len(set(ids)) < len(ids)
    except TypeError as error:
        raise DataError(f"a node id cannot be hashed: {error}") from None
    if repeated:
        raise DataError("two nodes have one id")


def _check_number(n_nodes: int) -> None:
    if n_nodes > MAX_NODES:
        raise ResourceError(f"{n_nodes:,} nodes: the most that can be numbered are {MAX_NODES:,}")


def _positions(ends: ArrayLike, copy: bool) -> IntArray:
    values = np.asarray(ends)
    if values.size and values.dtype.kind not in "iu" and not bool(np.all(np.mod(values, 1) == 0)):
        raise DataError("the ends of edges are positions of nodes: whole numbers")
    return np.array(values, dtype=np.int64, copy=copy or None).ravel()


def _check_weights(weight: FloatArray) -> None:
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if len(bad):
        raise DataError(f"edge weights are finite and not negative; edge {bad[0]} has {weight[bad[0]]}")


def _locked(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        array.flags.writeable = False
    return array


class Graph:
    """A graph with the caller's node ids. Made by `as_graph`, `read_graph`, `Graph.from_edges` or a generator.

    Attributes
    ----------
    source, target : ndarray of int64, shape (n_edges,)
        Ends of each edge as positions in `nodes`; sorted, without repeats. Undirected: `source <= target`.
    weight : ndarray of float64, shape (n_edges,), or None
        Positive edge weights; None where every edge counts 1.
    directed : bool
    x : ndarray, shape (n_nodes, n_features), or scipy sparse array, or None
        Node features.
    y : ndarray of int64, shape (n_nodes,), or None
        Known node classes; -1 where unknown.
    meta : dict
        Where the graph comes from, what was merged or dropped on the way, parameters of the generator.

    Examples
    --------
    >>> g = Graph.from_edges([0, 1, 1], [1, 2, 2], nodes=["a", "b", "c"])
    >>> g
    Graph(3 nodes, 2 edges, weighted)
    >>> g.weight
    array([1., 2.])
    """

    def __init__(
        self,
        ids: Sequence[Hashable],
        source: IntArray,
        target: IntArray,
        weight: FloatArray | None,
        *,
        directed: bool,
        x: Any = None,
        y: IntArray | None = None,
        meta: Mapping[str, Any] | None = None,
        is_canonical: bool | None = None,
    ) -> None:
        """Take arrays that are already sorted and merged, as they are; `from_edges` is the checked way in."""
        self._ids = ids
        self.source: IntArray = _locked(source)
        self.target: IntArray = _locked(target)
        self.weight: FloatArray | None = _locked(weight)
        self.directed = directed
        self.x = x
        self.y = y
        self.meta: dict[str, Any] = dict(meta or {})
        self._is_canonical = is_canonical

    @classmethod
    def from_edges(
        cls,
        source: ArrayLike,
        target: ArrayLike,
        weight: ArrayLike | None = None,
        *,
        nodes: int | Sequence[Hashable],
        directed: bool = False,
        x: Any = None,
        y: ArrayLike | None = None,
        meta: Mapping[str, Any] | None = None,
        is_canonical: bool | None = None,
        copy: bool = True,
    ) -> Graph:
        """Build a graph from the two ends of its edges.

        Parameters
        ----------
        source, target : array of int, shape (n_edges,)
            Positions in `nodes`. Parallel edges are merged and their weights added; `meta["merged_edges"]` counts them.
        weight : array of float, shape (n_edges,), optional
            Finite, not negative. Edges of weight 0 are dropped and counted in `meta["dropped_edges"]`; without
            weights every edge counts 1.
        nodes : int or sequence
            The number of nodes, or their ids in the order that results will have.
        directed : bool
        x : array, shape (n_nodes, n_features), optional
        y : array of int, shape (n_nodes,), optional
        meta : mapping, optional
        is_canonical : bool, optional
            Whether the ids are known to be in canonical order; None finds out when needed.
        copy : bool
            False lets the graph keep, and lock, `source`, `target` and `weight` themselves where they need no change.

        Raises
        ------
        DataError
            An end outside `nodes`, arrays of different lengths, a weight that is negative or not finite, repeated ids.
        """
        ids: Sequence[Hashable]
        if isinstance(nodes, int | np.integer):
            _check_number(int(nodes))
            ids = range(int(nodes))
        elif copy and not isinstance(nodes, range | DecimalIds):
            ids = list(nodes)
            _check_ids(ids)
        else:
            ids = nodes
        n_nodes = len(ids)
        _check_number(n_nodes)
        tail, head = (_positions(end, copy) for end in (source, target))
        if len(tail) != len(head):
            raise DataError(f"{len(tail)} edge sources and {len(head)} edge targets")
        if len(tail) and not (min(tail.min(), head.min()) >= 0 and max(tail.max(), head.max()) < n_nodes):
            raise DataError(f"an edge ends outside of the {n_nodes} nodes")
        told = dict(meta or {})
        weights = None
        if weight is not None:
            weights = np.array(weight, dtype=np.float64, copy=copy or None).ravel()
            if len(weights) != len(tail):
                raise DataError(f"{len(weights)} weights for {len(tail)} edges")
            _check_weights(weights)
            with np.errstate(over="ignore"):
                total = weights.sum()
            if total > _MAX_TOTAL:
                raise DataError(f"the edge weights add up to {total:.3g}: scale them down")
            kept = weights > 0
            if not kept.all():
                told["dropped_edges"] = told.get("dropped_edges", 0) + int(len(kept) - kept.sum())
                tail, head, weights = tail[kept], head[kept], weights[kept]
        n_given = len(tail)
        tail, head, weights = _merge_edges(tail, head, weights, n_nodes, directed)
        if len(tail) < n_given:
            told["merged_edges"] = told.get("merged_edges", 0) + n_given - len(tail)
        if weights is not None:
            weights = None if bool((weights == 1).all()) else np.ascontiguousarray(weights)
        classes = None if y is None else np.array(y, dtype=np.int64)
        for name, rows in (("x", None if x is None else x.shape[0]), ("y", None if classes is None else len(classes))):
            if rows is not None and rows != n_nodes:
                raise DataError(f"{name} has {rows} rows for {n_nodes} nodes")
        return cls(ids, tail, head, weights, directed=directed, x=x, y=classes, meta=told, is_canonical=is_canonical)

    # ---------------------------------------------------------------- size and shape

    @cached_property
    def nodes(self) -> list[Any]:
        """The caller's node ids, in the caller's order."""
        return list(self._ids)

    @cached_property
    def index(self) -> dict[Hashable, int]:
        """Node id -> position in `nodes`."""
        return {node: i for i, node in enumerate(self.nodes)}

    @property
    def num_nodes(self) -> int:
        """Number of nodes, isolated ones included."""
        return len(self._ids)

    @property
    def num_edges(self) -> int:
        """Number of distinct edges, self-loops included."""
        return len(self.source)

    @property
    def is_weighted(self) -> bool:
        """Whether some edge has a weight other than 1."""
        return self.weight is not None

    @property
    def edge_weight(self) -> FloatArray:
        """Edge weights, shape (n_edges,); ones where the graph has none."""
        return np.ones(self.num_edges) if self.weight is None else self.weight

    @cached_property
    def num_self_loops(self) -> int:
        """Number of edges from a node to itself."""
        return int(np.count_nonzero(self.source == self.target))

    @cached_property
    def total_weight(self) -> float:
        """Sum of the edge weights, self-loops once."""
        return float(self.num_edges if self.weight is None else self.weight.sum())

    def degree(self, direction: str = "all", *, weighted: bool = True) -> FloatArray:
        """Degree of each node.

        Parameters
        ----------
        direction : {"all", "out", "in"}
            Which ends count; "all" counts both, so that a self-loop counts twice, as in networkx.
        weighted : bool
            Whether to add up weights instead of edges.

        Returns
        -------
        ndarray of float64, shape (n_nodes,)
        """
        weight = self.weight if weighted else None
        ends = {"all": (self.source, self.target), "out": (self.source,), "in": (self.target,)}[direction]
        total = np.zeros(self.num_nodes)
        for end in ends:
            total += np.bincount(end, weights=weight, minlength=self.num_nodes)
        return total

    def __repr__(self) -> str:
        kind = ", ".join(word for word, on in (("directed", self.directed), ("weighted", self.is_weighted)) if on)
        return f"Graph({self.num_nodes} nodes, {self.num_edges} edges{', ' + kind if kind else ''})"

    # ---------------------------------------------------------------- order

    def canonical_order(self) -> IntArray | None:
        """Positions that sort the nodes by their ids, or None if they are sorted already.

        Numbers come first, by value, also when spelt as strings; then strings; tuples by their items. Objects whose
        `repr` is an address have no order that could be reproduced: they keep the one they came in.
        """
        if self._is_canonical or isinstance(self._ids, range):
            return None
        keys = [_canonical_key(node) for node in self._ids]
        order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
        self._is_canonical = bool((order[1:] > order[:-1]).all())
        return None if self._is_canonical else order

    def subgraph(self, nodes: IntArray) -> Graph:
        """Return the graph of some nodes and the edges among them.

        Parameters
        ----------
        nodes : ndarray of int64
            Positions in `self.nodes`, each at most once; their order is that of the new graph's nodes. `meta` is kept
            where they are all.

        Examples
        --------
        >>> Graph.from_edges([0, 1, 2], [1, 2, 3], nodes=4).subgraph(np.array([2, 3, 0])).nodes
        [2, 3, 0]
        """
        place = np.full(self.num_nodes, -1, dtype=np.int64)
        place[nodes] = np.arange(len(nodes))
        source, target, weight = place[self.source], place[self.target], self.weight
        if len(nodes) < self.num_nodes:
            kept = (source >= 0) & (target >= 0)
            source, target, weight = source[kept], target[kept], None if weight is None else weight[kept]
        source, target, weight = _merge_edges(source, target, weight, len(nodes), self.directed)
        order = nodes.tolist()
        ids: list[Any] = [self._ids[i] for i in order]
        meta = self.meta if len(nodes) == self.num_nodes else None
        if meta and "node_attributes" in meta:
            columns = meta["node_attributes"].items()
            meta = {**meta, "node_attributes": {name: [column[i] for i in order] for name, column in columns}}
        return Graph(
            ids,
            source,
            target,
            weight,
            directed=self.directed,
            x=None if self.x is None else self.x[nodes],
            y=None if self.y is None else self.y[nodes],
            meta=meta,
        )

    def canonical(self) -> Graph:
        """Return this graph with its nodes sorted by id; itself if they are."""
        order = self.canonical_order()
        if order is None:
            return self
        graph = self.subgraph(order)
        graph._is_canonical = True
        return graph

    def to_directed(self) -> Graph:
        """Return the graph with each undirected edge as two, one in each direction; itself if it is directed."""
        if self.directed:
            return self
        loop = self.source == self.target
        weight = None if self.weight is None else np.concatenate((self.weight, self.weight[~loop]))
        return Graph.from_edges(
            np.concatenate((self.source, self.target[~loop])),
            np.concatenate((self.target, self.source[~loop])),
            weight,
            nodes=self._ids,
            directed=True,
            x=self.x,
            y=self.y,
            meta=self.meta,
            is_canonical=self._is_canonical,
        )

    def undirected(self) -> Graph:
        """Return the graph without directions: the weights of a -> b and b -> a add up."""
        if not self.directed:
            return self
        return Graph.from_edges(
            self.source,
            self.target,
            self.weight,
            nodes=self._ids,
            x=self.x,
            y=self.y,
            meta={key: value for key, value in self.meta.items() if key != "merged_edges"},
            is_canonical=self._is_canonical,
        )

    # ---------------------------------------------------------------- to other libraries

    def adjacency(self) -> scipy.sparse.csr_array[Any]:
        """Adjacency matrix, shape (n_nodes, n_nodes), float64; sorted indices, of 32 bits where these do.

        Symmetric for an undirected graph; a self-loop of weight w stands on the diagonal once, as in networkx.
        """
        import scipy.sparse as sp

        n = self.num_nodes
        index = sp.get_index_dtype(maxval=max(n, 2 * self.num_edges))
        start = np.zeros(n + 1, dtype=index)
        np.cumsum(np.bincount(self.source, minlength=n), out=start[1:])
        matrix = sp.csr_array((self.edge_weight, self.target.astype(index), start), shape=(n, n))
        if self.directed:
            return matrix if self.weight is None else matrix.copy()  # the graph's own weights stay as they are
        both = matrix + matrix.T.tocsr()  # sorted rows in, sorted rows out
        loops = np.flatnonzero(self.source == self.target)
        if len(loops):
            at = self.source[loops]
            both[at, at] = self.edge_weight[loops]
        return both

    def to_networkx(self) -> networkx.Graph[Any]:
        """Return a networkx Graph or DiGraph with the caller's ids, weights as "weight" and classes as "label"."""
        import networkx as nx

        graph: networkx.Graph[Any] = nx.DiGraph() if self.directed else nx.Graph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from(self.edges()) if self.weight is None else graph.add_weighted_edges_from(self.edges())
        if self.y is not None:
            nx.set_node_attributes(graph, dict(zip(self.nodes, self.y.tolist(), strict=True)), "label")
        return graph

    def to_igraph(self) -> igraph.Graph:
        """Return an igraph Graph, ids in the vertex attribute "name", weights in the edge attribute "weight"."""
        import igraph as ig

        graph = ig.Graph(n=self.num_nodes, edges=np.stack((self.source, self.target), axis=1), directed=self.directed)
        graph.vs["name"] = self.nodes
        if self.y is not None:
            graph.vs["label"] = self.y.tolist()
        if self.weight is not None:
            graph.es["weight"] = self.weight.tolist()
        return graph

    def to_data(self) -> Data:
        """Return a PyTorch Geometric Data: edge_index (both directions if undirected), edge_weight, x, y."""
        import torch
        from torch_geometric.data import Data

        matrix = self.adjacency().tocoo()
        edge_index = torch.from_numpy(np.stack((matrix.row, matrix.col)).astype(np.int64))
        data = Data(edge_index=edge_index, num_nodes=self.num_nodes)
        if self.weight is not None:
            data.edge_weight = torch.from_numpy(matrix.data).to(torch.get_default_dtype())
        if self.x is not None:
            dense = self.x.toarray() if hasattr(self.x, "toarray") else np.asarray(self.x)
            data.x = torch.as_tensor(dense, dtype=torch.get_default_dtype())
        if self.y is not None:
            data.y = torch.tensor(self.y)
        return data

    @staticmethod
    def from_data(data: Data) -> Graph:
        """Take a PyTorch Geometric Data; undirected if each edge stands in both directions with one weight.

        Raises
        ------
        DataError
            The object has no `edge_index`, or more than one kind of edge.
        """
        edge_index = data.get("edge_index") if hasattr(data, "num_nodes") and not hasattr(data, "edge_types") else None
        if edge_index is None:
            raise DataError("the PyG object has no edge_index (heterogeneous graphs: choose one edge type first)")
        n_nodes = data.num_nodes or 0
        weight = next(
            (
                value
                for name in ("edge_weight", "weight", "edge_attr")
                if (value := data.get(name)) is not None
                and np.size(_numpy(value)) == edge_index.shape[1]
                and (name != "edge_attr" or value.is_floating_point())  # whole numbers there are types
            ),
            None,
        )
        ends = _numpy(edge_index)
        x, y = data.get("x"), data.get("y")
        return graph_from_entries(
            ends[0],
            ends[1],
            None if weight is None else _numpy(weight).ravel(),
            n_nodes,
            x=None if x is None else _numpy(x),
            y=None if y is None or y.numel() != n_nodes or y.is_floating_point() else _numpy(y).ravel(),
        )

    def edges(self) -> Iterator[tuple[Any, ...]]:
        """Yield (source id, target id), with the weight as a third item where the graph is weighted."""
        names = self.nodes
        ends = [map(names.__getitem__, end.tolist()) for end in (self.source, self.target)]
        return zip(*ends, strict=True) if self.weight is None else zip(*ends, self.weight.tolist(), strict=True)


def _numpy(tensor: Any) -> NDArray[Any]:
    if getattr(tensor, "is_sparse", False):
        tensor = tensor.to_dense()
    return np.asarray(tensor.detach().cpu()) if hasattr(tensor, "detach") else np.asarray(tensor)


def graph_from_entries(
    row: NDArray[Any],
    col: NDArray[Any],
    weight: NDArray[Any] | None,
    n_nodes: int,
    *,
    x: Any = None,
    y: ArrayLike | None = None,
    directed: bool | None = None,
) -> Graph:
    """Build from the entries of an adjacency matrix, or an edge_index: undirected if they are symmetric.

    Weights are so up to the rounding of their type: 16 units in the last place.

    Parameters
    ----------
    row, col : array of int, shape (n_entries,)
    weight : array of float, shape (n_entries,), or None
    n_nodes : int
    x, y : optional
        As in `Graph.from_edges`.
    directed : bool, optional
        True keeps symmetric entries as directed edges, False adds up the two directions of entries that are not.

    Raises
    ------
    DataError
        As `Graph.from_edges`.

    Examples
    --------
    >>> graph_from_entries(np.array([0, 1]), np.array([1, 0]), None, 2)
    Graph(2 nodes, 1 edges)
    """
    graph = Graph.from_edges(row, col, weight, nodes=n_nodes, directed=True, x=x, y=y)
    if directed:
        return graph
    forward = graph.source * n_nodes + graph.target
    backward = graph.target * n_nodes + graph.source
    order = np.argsort(backward, kind="stable")
    symmetric = bool((backward[order] == forward).all())
    if symmetric and graph.weight is not None and len(graph.weight):
        kind = None if weight is None else np.asarray(weight).dtype
        unit = float(np.finfo(kind if kind is not None and kind.kind == "f" else np.float64).eps)
        near, least = max(1e-9, 16 * unit), unit * float(graph.weight.max())
        symmetric = bool(np.allclose(graph.weight[order], graph.weight, rtol=near, atol=least))
    if not symmetric:
        return graph.undirected() if directed is False else graph
    once = graph.source <= graph.target
    return Graph(
        graph._ids,
        graph.source[once],
        graph.target[once],
        None if graph.weight is None else graph.weight[once],
        directed=False,
        x=graph.x,
        y=graph.y,
        meta=graph.meta,
        is_canonical=True,
    )


def both_directions(
    source: IntArray, target: IntArray, weight: FloatArray | None, is_arc: NDArray[np.bool_]
) -> tuple[IntArray, IntArray, FloatArray | None]:
    """Turn edges of which only some are directed into directed ones: the others stand in both directions.

    Parameters
    ----------
    source, target : ndarray of int64, shape (n_edges,)
    weight : ndarray of float64, shape (n_edges,), or None
    is_arc : ndarray of bool, shape (n_edges,)
        Whether an edge is directed.
    """
    back = ~is_arc & (source != target)
    return (
        np.concatenate((source, target[back])),
        np.concatenate((target, source[back])),
        None if weight is None else np.concatenate((weight, weight[back])),
    )


def _from_networkx(graph: networkx.Graph[Any], weight: str | None) -> Graph:
    ids = list(graph.nodes)
    index = {node: i for i, node in enumerate(ids)}
    if weight is None:
        rows = [(index[u], index[v], 1.0) for u, v in graph.edges()]
    else:
        rows = [(index[u], index[v], w) for u, v, w in graph.edges(data=weight, default=1.0)]
    source, target, weights = zip(*rows, strict=True) if rows else ((), (), ())
    values = np.ones(len(rows))
    for i, w in enumerate(weights):
        try:
            values[i] = 1.0 if w is None else w
        except (TypeError, ValueError, OverflowError):
            ends = f"{ids[source[i]]!r} - {ids[target[i]]!r}"
            raise DataError(f"edge {ends} has the weight {w!r:.80}, which is no number") from None
    return Graph.from_edges(source, target, values, nodes=ids, directed=graph.is_directed())


def _from_igraph(graph: igraph.Graph, weight: str | None) -> Graph:
    named = "name" in graph.vs.attributes()
    ids: Sequence[Hashable] = graph.vs["name"] if named else range(graph.vcount())
    try:
        repeated = named and len(set(ids)) < len(ids)
    except TypeError:
        raise DataError("the igraph graph has vertex names that cannot be hashed") from None
    if repeated:
        raise DataError("the igraph graph has several vertices of one name")
    ends = np.array(graph.get_edgelist(), dtype=np.int64).reshape(-1, 2)
    weights = graph.es[weight] if weight is not None and weight in graph.es.attributes() else None
    if weights is not None:
        try:
            weights = [1.0 if w is None else float(w) for w in weights]
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"the igraph graph has edge weights ({weight}) that are no numbers") from None
    return Graph.from_edges(ends[:, 0], ends[:, 1], weights, nodes=ids, directed=graph.is_directed())


def _from_matrix(matrix: Any, directed: bool | None) -> Graph:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"an adjacency matrix is square, this one has the shape {matrix.shape}")
    coo = matrix.tocoo()
    values = coo.data
    if values.dtype.kind not in "biuf":
        raise DataError(f"an adjacency matrix has real numbers, this one {values.dtype}")
    return graph_from_entries(coo.row, coo.col, values, matrix.shape[0], directed=directed)


def _from_pairs(pairs: Iterable[Any], directed: bool, is_arc: Sequence[bool] = ()) -> Graph:
    """Build from an iterable of (id, id) or (id, id, weight); `is_arc` says which of them are directed, if some are."""
    index: dict[Hashable, int] = {}
    source, target, weight = [], [], []
    for number, pair in enumerate(pairs):
        if isinstance(pair, str) or not isinstance(pair, Sequence | np.ndarray) or len(pair) not in (2, 3):
            raise DataError(f"edge {number} is no (source, target) or (source, target, weight): {pair!r:.80}")
        try:
            source.append(index.setdefault(pair[0], len(index)))
            target.append(index.setdefault(pair[1], len(index)))
            weight.append(float(pair[2]) if len(pair) == 3 else 1.0)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"edge {number}: {error}") from None
        if any(map(_is_missing, pair[:2])):
            raise DataError(f"edge {number} has an end without an id: {tuple(pair[:2])!r:.80}")
    mixed = any(is_arc) and not all(is_arc)
    edges: tuple[Any, Any, Any] = source, target, weight
    if mixed:
        edges = both_directions(np.array(source), np.array(target), np.array(weight), np.array(is_arc))
    return Graph.from_edges(*edges, nodes=list(index), directed=directed, meta={"mixed": True} if mixed else None)


def _is_missing(node: Any) -> bool:
    """Whether an id is None, NaN or pandas' NA."""
    try:
        return node is None or bool(node != node)
    except TypeError:
        return True


def _from_array(array: NDArray[Any], directed: bool | None) -> Graph:
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        if array.dtype.kind not in "biuf":
            raise DataError(f"an adjacency matrix has real numbers, this one {array.dtype}")
        row, col = np.nonzero(array)
        return graph_from_entries(row, col, array[row, col], len(array), directed=directed)
    if array.ndim == 2 and np.issubdtype(array.dtype, np.integer) and 2 in array.shape:
        ends = array if array.shape[0] == 2 else array.T
        if ends.size and ends.min() < 0:
            raise DataError(
                f"an array of integers of shape {array.shape} is read as edges, whose nodes are numbers from 0, and "
                "this one has negative numbers: if its rows are points, give them as floats"
            )
        n_nodes = int(ends.max()) + 1 if ends.size else 0
        if array.shape[0] == 2:
            return graph_from_entries(ends[0], ends[1], None, n_nodes, directed=directed)
        return Graph.from_edges(ends[0], ends[1], nodes=n_nodes, directed=bool(directed))
    raise DataError(
        f"an array is taken as an adjacency matrix (n, n), an edge_index (2, m) or an edge list (m, 2) of integers; "
        f"this one has the shape {array.shape} and the dtype {array.dtype}"
    )


def _from_frame(frame: Any, directed: bool | None) -> Graph:
    from graphclust.io.header import edge_columns

    columns = [str(name) for name in frame.columns]
    found = edge_columns(columns)
    if found is None:
        if len(columns) not in (2, 3):
            raise DataError(f"a table of edges has columns source, target and perhaps weight, not {', '.join(columns)}")
        found = (0, 1, 2 if len(columns) == 3 else None)
    rows = zip(*(frame.iloc[:, i].tolist() for i in found if i is not None), strict=True)
    is_arc = _arcs(frame) if directed is None else []
    return _from_pairs(rows, bool(directed) or any(is_arc), is_arc)


def _arcs(frame: Any) -> list[bool]:
    """Say of each edge whether Gephi's column Type calls it directed; nothing without such a column."""
    place = next((i for i, name in enumerate(frame.columns) if str(name).lower() == "type"), None)
    kinds = [] if place is None else [str(kind).lower() for kind in frame.iloc[:, place].tolist()]
    return [kind == "directed" for kind in kinds] if set(kinds) <= {"directed", "undirected"} else []


def _is_from(obj: Any, module: str, *names: str) -> bool:
    """Whether `obj` is an instance of a class of a module, without importing the module."""
    loaded = sys.modules.get(module)
    return loaded is not None and any(isinstance(obj, kind) for name in names if (kind := getattr(loaded, name, None)))


def holds_graph(obj: Any) -> bool:
    """Whether an object can be nothing but a graph: an array, a list or a table may as well hold features.

    A square sparse matrix is an adjacency matrix.

    Examples
    --------
    >>> holds_graph("graph.edgelist"), holds_graph(np.eye(3))
    (True, False)
    """
    if hasattr(obj, "tocoo") and hasattr(obj, "shape"):
        return len(obj.shape) == 2 and obj.shape[0] == obj.shape[1]
    return (
        isinstance(obj, Graph | str | os.PathLike)
        or _is_from(obj, "networkx", "Graph")
        or _is_from(obj, "igraph", "Graph")
        or hasattr(obj, "edge_index")
        or _is_from(obj, "torch_geometric.data", *_PYG)
    )


def holds_points(obj: Any) -> bool:
    """Whether an object is a table of points to a method that takes graphs first: one that `as_graph` cannot read.

    A square array is an adjacency matrix, an integer array with two rows or columns holds edges, and so does a data
    frame with columns named source and target, or with two or three columns of which the first two are not floats.
    All other rectangular tables of numbers are points, a row each. A list of rows is read like a data frame.

    Examples
    --------
    >>> holds_points(np.zeros((5, 2))), holds_points(np.zeros((5, 2), dtype=int)), holds_points(np.zeros((5, 5)))
    (True, False, False)
    """
    if isinstance(obj, list | tuple):
        return _lists_points(obj)
    shape: tuple[Any, ...] = getattr(obj, "shape", ())
    if len(shape) != 2:
        return False
    if _is_from(obj, "pandas", "DataFrame"):
        from graphclust.io.header import edge_columns

        if edge_columns([str(name) for name in obj.columns]) is not None:
            return False
        return shape[1] not in (2, 3) or all(kind.kind == "f" for kind in obj.dtypes.iloc[:2])
    if hasattr(obj, "tocoo"):
        return bool(shape[0] != shape[1])
    if not isinstance(obj, np.ndarray) and not _is_from(obj, "torch", "Tensor"):
        return False
    kind = _numpy(obj).dtype.kind
    return shape[0] != shape[1] and (kind == "f" or (kind in "biu" and 2 not in shape))


def _lists_points(rows: Sequence[Any]) -> bool:
    """Whether rows of numbers are points: edges have two or three entries, and ids that are not floats."""
    first = rows[0] if rows else None
    if not isinstance(first, list | tuple) or not first or not all(isinstance(value, int | float) for value in first):
        return False
    if len(first) in (2, 3):
        return all(isinstance(value, float) for value in first[:2])
    return len(first) != len(rows)


def as_graph(obj: Any, *, weight: str | None = "weight", directed: bool | None = None) -> Graph:
    """Turn whatever holds a graph into a `Graph`. The object itself is never modified.

    Parameters
    ----------
    obj : Graph, str, PathLike, networkx graph, igraph.Graph, scipy sparse matrix, PyG Data, array, DataFrame, iterable
        A path is read by `read_graph`. Matrices are adjacency matrices, undirected where symmetric; an integer array
        of shape (2, m) is an edge_index and of shape (m, 2) an edge list; an iterable yields (source, target) or
        (source, target, weight) with any hashable ids; a DataFrame has columns source, target and perhaps weight.
    weight : str or None
        Edge attribute that holds the weight (networkx, igraph); None ignores weights.
    directed : bool, optional
        Overrides what the container says: False adds up the two directions, True takes an undirected edge in both.

    Returns
    -------
    Graph
        Nodes in the caller's order.

    Raises
    ------
    DataError
        The container holds no graph: not square, weights negative or not finite, repeated ids.
    UsageError
        A type that is not known.

    Examples
    --------
    >>> as_graph([("a", "b"), ("b", "c", 2.5)])
    Graph(3 nodes, 2 edges, weighted)
    """
    if isinstance(obj, Graph):
        graph = obj
    elif isinstance(obj, str | os.PathLike):
        from graphclust.io import read_graph

        graph = read_graph(obj, directed=directed)
    elif _is_from(obj, "networkx", "Graph"):
        graph = _from_networkx(obj, weight)
    elif _is_from(obj, "igraph", "Graph"):
        graph = _from_igraph(obj, weight)
    elif hasattr(obj, "tocoo") and hasattr(obj, "shape"):
        graph = _from_matrix(obj, directed)
    elif _is_from(obj, "pandas", "DataFrame"):
        graph = _from_frame(obj, directed)
    elif hasattr(obj, "edge_index") or _is_from(obj, "torch_geometric.data", *_PYG):
        graph = Graph.from_data(obj)
    elif _is_from(obj, "torch", "Tensor") and obj.shape == (2, 2) and not obj.is_floating_point():
        ends = _numpy(obj)
        graph = graph_from_entries(ends[0], ends[1], None, int(ends.max()) + 1, directed=directed)
    elif isinstance(obj, np.ndarray) or _is_from(obj, "torch", "Tensor"):
        graph = _from_array(_numpy(obj), directed)
    elif _is_from(obj, "networkx.classes.reportviews", "OutEdgeView"):  # the base of all; a mapping
        graph = _from_pairs((edge[:2] for edge in obj), bool(directed))  # those of multigraphs have keys
    elif isinstance(obj, Iterable) and not isinstance(obj, Mapping | bytes):
        graph = _from_pairs(obj, bool(directed))
    else:
        raise UsageError(f"cannot make a graph of a {type(obj).__module__}.{type(obj).__qualname__}")
    if directed is None:
        return graph
    return graph.to_directed() if directed else graph.undirected()


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is one.

    Examples
    --------
    >>> counted(1, "edge"), counted(1200, "edge")
    ('1 edge', '1,200 edges')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def merge_notes(graph: Graph) -> list[str]:
    """Say what was merged, dropped or kept when a graph was built.

    Examples
    --------
    >>> merge_notes(as_graph([(0, 1), (1, 0), (1, 1)]))
    ['merged 1 parallel edge: their weights were added up', 'kept 1 self-loop']
    """
    notes = []
    if graph.meta.get("mixed"):
        notes.append(MIXED)
    if merged := graph.meta.get("merged_edges"):
        notes.append(f"merged {counted(merged, 'parallel edge')}: their weights were added up")
    if dropped := graph.meta.get("dropped_edges"):
        notes.append(f"dropped {counted(dropped, 'edge')} of weight 0; the nodes are kept")
    if graph.num_self_loops:
        notes.append(f"kept {counted(graph.num_self_loops, 'self-loop')}")
    return notes
