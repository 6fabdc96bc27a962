"""The one graph type: NumPy arrays and the caller's own node ids.

A `Graph` is immutable. Its nodes stand in the caller's order, its edges once each, sorted. Everything that depends on
an order of the nodes works on `Graph.canonical()`, which sorts them by their ids: that is why a result does not change
when the lines of a file or the nodes of a networkx graph come in another order.

This module converts from and to networkx, igraph, SciPy, PyTorch Geometric and arrays; none of these is imported
before an object of theirs is met.
"""

from __future__ import annotations

import copy as copying
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import DataError, ResourceError
from graphclust.graph.edges import _merge_edges, _positions, check_weights
from graphclust.graph.ids import ChosenIds, DecimalIds, IntegerIds, _check_ids, are_same, canonical_positions
from graphclust.graph.sorting import Edges, chosen_edges, pieces_of, sorted_edges
from graphclust.runtime.arrays import FloatArray, IntArray, index_dtype
from graphclust.runtime.notes import Note, counted

if TYPE_CHECKING:
    import igraph
    import networkx
    import scipy.sparse
    from torch_geometric.data import Data

    from graphclust.runtime.storage import Storage

__all__ = ["MAX_NODES", "MIXED", "FloatArray", "Graph", "IntArray", "counted", "merge_notes", "same_ids"]


_MAX_TOTAL = 1e150  # beyond, the squares in modularity overflow
MAX_NODES = 3_037_000_499  # a pair of nodes must have a number below 2**63
MIXED = Note(
    "mixed-directions",
    "the file mixes directed and undirected edges: read as directed, with undirected edges in both directions",
)


def _check_number(n_nodes: int) -> None:
    if n_nodes > MAX_NODES:
        raise ResourceError(f"{n_nodes:,} nodes: a graph can have at most {MAX_NODES:,}")


def _locked(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        array.flags.writeable = False
    return array


class Graph:
    """A graph with the caller's node ids. Made by `as_graph`, `read_graph`, `Graph.from_edges` or a generator.

    Attributes
    ----------
    source, target : ndarray of int32, shape (n_edges,)
        Ends of each edge as positions in `nodes`; sorted, without repeats. Undirected: `source <= target`. They are
        int64 in graphs of 2^31 or more nodes.
    weight : ndarray of float64, shape (n_edges,), or None
        Positive edge weights; None where every edge counts 1.
    directed : bool
    x : ndarray, shape (n_nodes, n_features), or scipy sparse array, or None
        Node features.
    y : ndarray of int64, shape (n_nodes,), or None
        Known node classes; -1 where unknown.
    meta : dict
        Where the graph comes from, what was merged or dropped on the way, parameters of the generator.
    storage : Storage or None
        Where the edges, and large arrays that are made from them, lie if they do not fit into memory.

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
        storage: Storage | None = None,
    ) -> None:
        """Take arrays that are already sorted and merged, as they are; `from_edges` is the checked way in."""
        self._ids = ids
        index = index_dtype(len(ids))
        self.source: IntArray = _locked(source.astype(index, copy=False))
        self.target: IntArray = _locked(target.astype(index, copy=False))
        self.weight: FloatArray | None = _locked(weight)
        self.directed = directed
        self.x = x
        self.y = y
        self.meta: dict[str, Any] = dict(meta or {})
        self._is_canonical = is_canonical
        self.storage = storage

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
        elif copy and not isinstance(nodes, range | DecimalIds | IntegerIds | ChosenIds):
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
        details = dict(meta or {})
        weights = None
        if weight is not None:
            weights = np.array(weight, dtype=np.float64, copy=copy or None).ravel()
            if len(weights) != len(tail):
                raise DataError(f"{len(weights)} weights for {len(tail)} edges")
            check_weights(weights)
            with np.errstate(over="ignore"):
                total = weights.sum()
            if total > _MAX_TOTAL:
                raise DataError(f"the edge weights add up to {total:.3g}: scale them down")
            is_positive = weights > 0
            if not is_positive.all():
                details["dropped_edges"] = details.get("dropped_edges", 0) + int(len(is_positive) - is_positive.sum())
                tail, head, weights = tail[is_positive], head[is_positive], weights[is_positive]
        n_before = len(tail)
        tail, head, weights = _merge_edges(tail, head, weights, n_nodes, directed)
        if len(tail) < n_before:
            details["merged_edges"] = details.get("merged_edges", 0) + n_before - len(tail)
        if weights is not None:
            weights = None if bool((weights == 1).all()) else np.ascontiguousarray(weights)
        classes = None if y is None else np.array(y, dtype=np.int64)
        for name, rows in (("x", None if x is None else x.shape[0]), ("y", None if classes is None else len(classes))):
            if rows is not None and rows != n_nodes:
                raise DataError(f"{name} has {rows} rows for {n_nodes} nodes")
        return cls(ids, tail, head, weights, directed=directed, x=x, y=classes, meta=details, is_canonical=is_canonical)

    # ---------------------------------------------------------------- size and shape

    @cached_property
    def nodes(self) -> list[Any]:
        """The caller's node ids, in the caller's order."""
        return list(self._ids)

    @property
    def ids(self) -> Sequence[Any]:
        """The same as `nodes`, but not always a list: ids may be made when they are looked up."""
        return self._ids

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
        pieces = pieces_of(Edges(self.source, self.target, None))
        return sum(int(np.count_nonzero(piece.source == piece.target)) for piece in pieces)

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
        edges = Edges(self.source, self.target, self.weight if weighted else None)
        total = np.zeros(self.num_nodes)
        for source, target, weight in pieces_of(edges):
            for end in {"all": (source, target), "out": (source,), "in": (target,)}[direction]:
                total += np.bincount(end, weight, minlength=self.num_nodes)
        return total

    def __repr__(self) -> str:
        kind = ", ".join(word for word, on in (("directed", self.directed), ("weighted", self.is_weighted)) if on)
        return f"Graph({self.num_nodes} nodes, {self.num_edges} edges{', ' + kind if kind else ''})"

    # ---------------------------------------------------------------- order

    @cached_property
    def _canonical_positions(self) -> IntArray:
        return canonical_positions(self._ids)

    def canonical_order(self) -> IntArray | None:
        """Positions that sort the nodes by their ids, or None if they are sorted already.

        Numbers come first, by value, also when spelt as strings; then strings; tuples by their items. Objects whose
        `repr` is an address have no order that could be reproduced: they keep the one they came in.
        """
        if self._is_canonical or isinstance(self._ids, range):
            return None
        order = self._canonical_positions
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
        place = np.full(self.num_nodes, -1, dtype=self.source.dtype)
        place[nodes] = np.arange(len(nodes))
        is_in_order = bool(np.all(nodes[1:] > nodes[:-1]))
        if self.storage is not None and is_in_order:
            source, target, weight = chosen_edges(Edges(self.source, self.target, self.weight), place, self.storage)
        else:
            source, target, weight = place[self.source], place[self.target], self.weight
            if len(nodes) < self.num_nodes:
                inside = (source >= 0) & (target >= 0)
                source, target, weight = source[inside], target[inside], None if weight is None else weight[inside]
        if not is_in_order:
            source, target, weight = _merge_edges(source, target, weight, len(nodes), self.directed)
        ids = self._ids
        chosen: Sequence[Hashable] = ChosenIds(ids, nodes)
        if isinstance(ids, DecimalIds | IntegerIds):
            chosen = type(ids)(ids.values[nodes])
        elif len(nodes) < self.num_nodes // 2:
            chosen = list(chosen)  # the other ids can go
        is_canonical = (self._is_canonical or isinstance(ids, range)) and is_in_order
        meta = self.meta if len(nodes) == self.num_nodes else None
        if meta and "edge_attributes" in meta:  # in the order of these edges
            meta = {key: value for key, value in meta.items() if key != "edge_attributes"}
        if meta and "node_attributes" in meta:
            columns = meta["node_attributes"].items()
            meta = {**meta, "node_attributes": {name: [column[i] for i in nodes.tolist()] for name, column in columns}}
        return Graph(
            chosen,
            source,
            target,
            weight,
            directed=self.directed,
            x=None if self.x is None else self.x[nodes],
            y=None if self.y is None else self.y[nodes],
            meta=meta,
            is_canonical=is_canonical or None,
            storage=self.storage,
        )

    def stored(self, storage: Storage | None) -> Graph:
        """Return the graph with large arrays that are made from it in a storage, or in memory for None."""
        if storage is self.storage:
            return self
        graph = copying.copy(self)
        graph.storage = storage
        return graph

    def without_self_loops(self) -> Graph:
        """Return the graph without edges from a node to itself; itself if it has none."""
        if not self.num_self_loops:
            return self
        edges = Edges(self.source, self.target, self.weight)
        if self.storage is not None:
            source, target, weight = chosen_edges(edges, None, self.storage)
        else:
            between = self.source != self.target
            source, target = self.source[between], self.target[between]
            weight = None if self.weight is None else self.weight[between]
        return Graph(
            self._ids,
            source,
            target,
            weight,
            directed=self.directed,
            x=self.x,
            y=self.y,
            meta={key: value for key, value in self.meta.items() if key != "edge_attributes"},
            is_canonical=self._is_canonical,
            storage=self.storage,
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
            meta={key: value for key, value in self.meta.items() if key != "edge_attributes"},
            is_canonical=self._is_canonical,
        )

    def undirected(self) -> Graph:
        """Return the graph without directions: the weights of a -> b and b -> a add up."""
        if not self.directed:
            return self
        meta = {key: value for key, value in self.meta.items() if key not in ("merged_edges", "edge_attributes")}
        if self.storage is not None:
            edges = Edges(self.source, self.target, self.weight)
            merged = sorted_edges(lambda: pieces_of(edges), self.num_nodes, False, self.storage)
            if len(merged.source) < self.num_edges:
                meta["merged_edges"] = self.num_edges - len(merged.source)
            known: dict[str, Any] = {"is_canonical": self._is_canonical, "storage": self.storage}
            return Graph(self._ids, *merged, directed=False, x=self.x, y=self.y, meta=meta, **known)
        return Graph.from_edges(
            self.source,
            self.target,
            self.weight,
            nodes=self._ids,
            x=self.x,
            y=self.y,
            meta=meta,
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
        """Return a networkx Graph or DiGraph with the caller's ids and the attributes of nodes and edges.

        Weights are called "weight" and classes "label".
        """
        import networkx as nx

        graph: networkx.Graph[Any] = nx.DiGraph() if self.directed else nx.Graph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from(self.edges()) if self.weight is None else graph.add_weighted_edges_from(self.edges())
        for name, values in self.meta.get("node_attributes", {}).items():
            if len(values) == self.num_nodes:
                known = zip(self.nodes, values, strict=True)
                nx.set_node_attributes(graph, {node: value for node, value in known if value is not None}, name)
        for name, values in self.meta.get("edge_attributes", {}).items():
            if len(values) == self.num_edges and (name != "weight" or self.weight is None):
                ends = (edge[:2] for edge in self.edges())
                known_edges = zip(ends, values, strict=True)
                nx.set_edge_attributes(graph, {edge: value for edge, value in known_edges if value is not None}, name)
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

    def edges(self) -> Iterator[tuple[Any, ...]]:
        """Yield (source id, target id), with the weight as a third item where the graph is weighted."""
        names = self.nodes
        ends = [map(names.__getitem__, end.tolist()) for end in (self.source, self.target)]
        return zip(*ends, strict=True) if self.weight is None else zip(*ends, self.weight.tolist(), strict=True)


def same_ids(first: Graph, second: Graph) -> bool:
    """Whether two graphs have the same nodes in the same order."""
    return are_same(first._ids, second._ids)


def merge_notes(graph: Graph) -> list[Note]:
    """Return notes on what was merged, dropped or kept when a graph was built.

    Examples
    --------
    >>> graph = Graph.from_edges([0, 1, 1], [1, 0, 1], nodes=2)
    >>> [note.code for note in merge_notes(graph)]
    ['merged-parallel-edges', 'self-loops']
    """
    notes = []
    if graph.meta.get("mixed"):
        notes.append(MIXED)
    if merged := graph.meta.get("merged_edges"):
        message = f"merged {counted(merged, 'parallel edge')} and added their weights"
        notes.append(Note("merged-parallel-edges", message, {"n_edges": merged}))
    if dropped := graph.meta.get("dropped_edges"):
        message = f"dropped {counted(dropped, 'edge')} of weight 0, but not the nodes"
        notes.append(Note("dropped-zero-weights", message, {"n_edges": dropped}))
    if loops := graph.num_self_loops:
        notes.append(Note("self-loops", f"kept {counted(loops, 'self-loop')}", {"n_edges": loops}, is_detail=True))
    return notes
