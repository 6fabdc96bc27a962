"""ACP's community-pair graphs: real graphs of two communities, for training and testing.

A. Pakman et al., "Attentive Clustering Processes", section 5.2.4. In a network with known communities, consider the
pairs C1, C2 whose union induces a connected graph, neither of which contains the other, and for which
20 < |C1 u C2| < 500, |C1| < 20 |C2| and |C2| < 20 |C1|. Each pair gives the graph induced on C1 u C2, with the clusters
C1 - C2, C1 n C2 (unless empty) and C2 - C1.

Communities are split into 3500 for training and 1500 for testing, or in the same proportion if there are fewer. A pair
belongs to a part if both of its communities do, so that training pairs have no test community. Repeated communities
count once.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, UsageError
from graphclust.graph import DecimalIds, Graph
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.seeds import check_seed

__all__ = ["SPLITS", "PairGraphs", "community_pairs"]

SPLITS = ("train", "test", "all")
_TRAIN_SHARE = 0.7  # 3500 of 5000
_MIN_SIZE, _MAX_SIZE = 20, 500  # exclusive bounds on the size of the union
_MAX_RATIO = 20  # exclusive bound on the ratio of the sizes
_MAX_ENTRIES = 1 << 22  # adjacency entries that are searched at once, about 200 MB


class PairGraphs(Sequence[Graph]):
    """The graphs of pairs of communities, which are built on access.

    Attributes
    ----------
    pairs : ndarray of int64, shape (n_pairs, 2)
        The two communities of each graph, as positions in the list of communities; first < second, sorted.
    """

    def __init__(self, graph: Graph, communities: Sequence[IntArray], pairs: IntArray) -> None:
        self.pairs = pairs
        self._communities = communities
        self._graph = graph
        matrix = graph.adjacency()
        self._start, self._neighbour, self._weight = matrix.indptr, matrix.indices, matrix.data

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def n_nodes(self) -> IntArray:
        """Number of nodes of each graph, shape (n_pairs,)."""
        return np.array([len(self._union(i)) for i in range(len(self))], dtype=np.int64)

    @property
    def n_edges(self) -> IntArray:
        """Number of edges of each graph, including self-loops, shape (n_pairs,)."""
        return np.array([len(self._induced(self._union(i))[0]) for i in range(len(self))], dtype=np.int64)

    @overload
    def __getitem__(self, index: int) -> Graph: ...
    @overload
    def __getitem__(self, index: slice) -> PairGraphs: ...
    def __getitem__(self, index: int | slice) -> Graph | PairGraphs:
        """Build a graph, with nodes in the order of the network, or select a part of the pairs."""
        if isinstance(index, slice):
            part = copy.copy(self)
            part.pairs = self.pairs[index]
            return part
        first, second = self.pairs[index].tolist()
        nodes = self._union(index)
        in_first, in_second = (np.isin(nodes, self._communities[i]) for i in (first, second))
        y = np.where(in_first, np.where(in_second, 1, 0), 2)
        if not (y == 1).any():
            y //= 2
        source, target, weight = self._induced(nodes)
        ids: Any = self._graph._ids
        ids = DecimalIds(ids.values[nodes]) if isinstance(ids, DecimalIds) else [ids[i] for i in nodes.tolist()]
        meta = {"name": self._graph.meta.get("name"), "communities": (first, second)}
        return Graph.from_edges(source, target, weight, nodes=ids, y=y, meta=meta)

    def connected(self) -> PairGraphs:
        """Return the pairs with connected graphs. Connected communities that touch always have one."""
        selected = np.asarray(self._are_connected(self._communities)[self.pairs].all(axis=1))
        others = np.flatnonzero(~selected)
        selected[others] = self._are_connected([self._union(i) for i in others.tolist()])
        part = copy.copy(self)
        part.pairs = self.pairs[selected]
        return part

    def _are_connected(self, node_sets: Sequence[IntArray]) -> NDArray[np.bool_]:
        """Whether each set of nodes, in ascending order, induces a connected graph, shape (n_sets,)."""
        degree = np.diff(self._start)
        n_entries = np.cumsum([degree[nodes].sum() for nodes in node_sets], dtype=np.int64)
        cuts = np.flatnonzero(np.diff(n_entries // _MAX_ENTRIES)) + 1
        is_connected = np.zeros(len(node_sets), dtype=bool)
        for first, last in pairwise([0, *cuts.tolist(), len(node_sets)]):
            if first < last:
                is_connected[first:last] = self._are_connected_at_once(node_sets[first:last])
        return is_connected

    def _are_connected_at_once(self, node_sets: Sequence[IntArray]) -> NDArray[np.bool_]:
        """Do the same with a single search of components, in a graph that has a copy of a node for each of its sets."""
        import scipy.sparse as sp
        from scipy.sparse.csgraph import connected_components

        nodes = np.concatenate(node_sets)
        owner = np.repeat(np.arange(len(node_sets)), [len(members) for members in node_sets])
        entry, source = self._entries(nodes)
        n = self._graph.num_nodes
        place = owner * n + nodes  # ascending, as the sets are one after the other
        wanted = owner[source] * n + self._neighbour[entry]
        target = np.searchsorted(place, wanted).clip(max=len(nodes) - 1)
        inside = place[target] == wanted
        ends = (source[inside], target[inside])
        matrix = sp.coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(len(nodes), len(nodes)))
        n_parts, part = connected_components(matrix, directed=False)
        owner_of_part = np.zeros(n_parts, dtype=np.int64)
        owner_of_part[part] = owner
        return np.asarray(np.bincount(owner_of_part, minlength=len(node_sets)) == 1)

    def _union(self, index: int) -> IntArray:
        first, second = self.pairs[index]
        return np.union1d(self._communities[first], self._communities[second])

    def _entries(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """Return the adjacency entries of nodes, row after row, and the position of the row of each."""
        first, count = self._start[nodes], self._start[nodes + 1] - self._start[nodes]
        entry = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
        return entry, np.repeat(np.arange(len(nodes)), count)

    def _induced(self, nodes: IntArray) -> tuple[IntArray, IntArray, NDArray[Any]]:
        """Return the edges between nodes, which are in ascending order, as positions among these nodes."""
        entry, source = self._entries(nodes)
        neighbour = self._neighbour[entry]
        target = np.searchsorted(nodes, neighbour)
        inside = (target >= source) & (nodes[target.clip(max=len(nodes) - 1)] == neighbour)
        return source[inside], target[inside], self._weight[entry[inside]]


def _candidates(graph: Graph, communities: Sequence[IntArray]) -> IntArray:
    """Return the pairs that touch, satisfy the bounds of section 5.2.4, and do not contain each other.

    Communities touch if they share a node or an edge. A product of sparse matrices finds these pairs.
    """
    import scipy.sparse as sp

    n = len(communities)
    sizes = np.array([len(nodes) for nodes in communities])
    ones = np.ones(sizes.sum(), dtype=np.int32)
    member = sp.csr_array((ones, np.concatenate(communities), np.cumsum([0, *sizes])), shape=(n, graph.num_nodes))
    adjacency = graph.adjacency()
    adjacency.data[:] = 1
    touching = member @ (adjacency + sp.eye_array(graph.num_nodes)) @ member.T
    touching.data[:] = 1
    entries = sp.triu(touching + member @ member.T, 1).tocoo()
    first, second, shared = (values.astype(np.int64) for values in (entries.row, entries.col, entries.data - 1))
    smaller, larger = np.minimum(sizes[first], sizes[second]), np.maximum(sizes[first], sizes[second])
    union = smaller + larger - shared
    admitted = (union > _MIN_SIZE) & (union < _MAX_SIZE) & (larger < _MAX_RATIO * smaller) & (shared < smaller)
    pairs = np.stack((first[admitted], second[admitted]), axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def community_pairs(name_or_graph: str | Graph, split: str = "train", random_state: Any = 0) -> PairGraphs:
    """Return the graphs of the pairs of communities of a network.

    Parameters
    ----------
    name_or_graph : str or Graph
        A data set with communities, such as "com-dblp", or a graph with `meta["communities"]`.
    split : {"train", "test", "all"}
        Pairs of training communities, pairs of test communities, or all pairs.
    random_state : None, int or Generator
        Seed of the split.

    Returns
    -------
    PairGraphs
        A sequence of Graph with clusters `y`, 0 to 1 or 2; `meta["communities"]` is the pair.

    Raises
    ------
    UsageError
        The split does not exist.
    DataError
        The graph has no communities.

    Examples
    --------
    >>> from graphclust.graph import Graph
    >>> path = Graph.from_edges(range(29), range(1, 30), nodes=30)
    >>> path.meta["communities"] = [np.arange(16), np.arange(12, 30), np.arange(15)]
    >>> [(len(g.nodes), np.bincount(g.y).tolist()) for g in community_pairs(path, "all")]
    [(30, [12, 4, 14]), (30, [15, 3, 12])]
    """
    if split not in SPLITS:
        raise UsageError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    if isinstance(name_or_graph, str):
        from graphclust.datasets import load

        name_or_graph = load(name_or_graph)
    graph = name_or_graph.undirected()
    listed = graph.meta.get("communities")
    if listed is None or not len(listed):
        raise DataError("the graph has no communities (meta['communities'])")
    distinct = {nodes.tobytes(): nodes for nodes in (np.unique(np.asarray(group, dtype=np.int64)) for group in listed)}
    communities = [nodes for nodes in distinct.values() if len(nodes)]
    graph, communities = _restricted(graph, communities)
    pairs = _candidates(graph, communities)
    if split != "all":
        order = np.random.default_rng(check_seed(random_state)).permutation(len(communities))
        in_train = np.zeros(len(communities), dtype=bool)
        in_train[order[: round(_TRAIN_SHARE * len(communities))]] = True
        pairs = pairs[(in_train == (split == "train"))[pairs].all(axis=1)]
    return PairGraphs(graph, communities, pairs).connected()


def _restricted(graph: Graph, communities: list[IntArray]) -> tuple[Graph, list[IntArray]]:
    """Remove the nodes that are in no community."""
    members = np.unique(np.concatenate(communities))
    part = graph.subgraph(members)
    part.meta = {"name": graph.meta.get("name")}
    return part, [np.searchsorted(members, nodes) for nodes in communities]
