"""The backend of networkx: its functions of community detection, with its signatures, run by graphclust.

    nx.community.leiden_communities(G, backend="graphclust")

networkx converts a graph with `convert_from_nx`, and calls the function of the same name here. What graphclust would
do in another way than networkx's documentation says is left to networkx: see `can_run`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import methodcaller
from typing import Any, cast

import networkx as nx
import numpy as np

from graphclust.ecosystem.networkx_info import FUNCTIONS
from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = [
    "NetworkxGraph",
    "asyn_lpa_communities",
    "can_run",
    "convert_from_nx",
    "convert_to_nx",
    "fast_label_propagation_communities",
    "greedy_modularity_communities",
    "label_propagation_communities",
    "leiden_communities",
    "leiden_partitions",
    "louvain_communities",
    "louvain_partitions",
    "modularity",
    "on_start_tests",
    "partition_quality",
    "should_run",
]

_FEW = 200  # edges, of graphs that networkx is as fast with, conversion included
_UNDIRECTED = ("asyn_lpa_communities", "louvain_communities", "louvain_partitions")
_SEEDS = 2**32
_OWN_NUMBERS = {  # tests of networkx by module
    "test_louvain": ("test_karate_club_partition", "test_none_weight_param", "test_undirected_selfloops"),
}

Node = Hashable
Partition = list[set[Node]]


class NetworkxGraph:
    """A graph of networkx as the functions of this module take it.

    Attributes
    ----------
    graph : Graph
        Parallel edges are merged.
    n_edges : int
        Number of edges of the original, parallel ones included.
    """

    __networkx_backend__ = "graphclust"

    def __init__(self, graph: Graph, n_edges: int, *, multigraph: bool) -> None:
        self.graph = graph
        self.n_edges = n_edges
        self._is_multigraph = multigraph

    def is_directed(self) -> bool:
        """Whether edges have directions."""
        return self.graph.directed

    def is_multigraph(self) -> bool:
        """Whether there can be parallel edges."""
        return self._is_multigraph

    def __len__(self) -> int:
        return self.graph.num_nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self.graph.nodes)

    def __contains__(self, node: object) -> bool:
        return node in self.places

    @property
    def places(self) -> dict[Node, int]:
        """The position of each node."""
        if not hasattr(self, "_places"):
            self._places = {node: i for i, node in enumerate(self.graph.nodes)}
        return self._places


# ---------------------------------------------------------------------------- what networkx asks of a backend


def convert_from_nx(
    graph: Any, *, edge_attrs: dict[str, Any] | None = None, preserve_edge_attrs: bool = False, **_: Any
) -> NetworkxGraph:
    """Convert a graph of networkx.

    Parameters
    ----------
    graph : networkx.Graph or the like
    edge_attrs : dict, optional
        Name of the weight, with the value of edges without one. Each edge counts 1 if it is not given.
    preserve_edge_attrs : bool
        Whether all attributes are kept: then weights are those that are called "weight".

    Raises
    ------
    NotImplementedError
        Weights that graphclust does not take, such as negative ones, so that networkx runs its own function.
    """
    if isinstance(graph, NetworkxGraph):
        return graph
    default: Any
    name, default = next(iter((edge_attrs or ({"weight": 1} if preserve_edge_attrs else {})).items()), (None, 1))
    nodes = list(graph)
    try:
        source, target, weights = _columns(graph, nodes, name, default)
        made = Graph.from_edges(source, target, weights, nodes=nodes, directed=graph.is_directed(), copy=False)
    except (DataError, TypeError, ValueError, OverflowError) as error:
        raise NotImplementedError(f"graphclust: {error}") from None
    return NetworkxGraph(made, graph.number_of_edges(), multigraph=graph.is_multigraph())


def _columns(
    graph: Any, nodes: list[Node], name: str | None, default: Any
) -> tuple[IntArray, IntArray, FloatArray | None]:
    """Return the ends of the edges of a graph, as positions in `nodes`, and their weights."""
    place = {node: i for i, node in enumerate(nodes)}
    weight = None
    if graph.is_multigraph():
        number = graph.number_of_edges()
        ends = np.fromiter((place[node] for edge in graph.edges() for node in edge), np.int64, 2 * number)
        if name is not None:
            values = (value for _, _, value in graph.edges(data=name, default=default))
            weight = np.fromiter(values, np.float64, number)
        return ends[::2], ends[1::2], weight
    adjacency = getattr(graph, "_adj", graph.adj)  # dictionaries, which are faster than views
    rows = [adjacency[node] for node in nodes]
    length = np.fromiter(map(len, rows), np.int64, len(nodes))
    source, number = np.repeat(np.arange(len(nodes)), length), int(length.sum())
    ends_of_rows: Iterable[Any] = chain.from_iterable(rows)
    if nodes != list(range(len(nodes))):
        ends_of_rows = map(place.__getitem__, ends_of_rows)
    target = np.fromiter(ends_of_rows, np.int64, number)
    is_first = slice(None) if graph.is_directed() else source <= target  # others are in the row of the other end, too
    if name is not None:
        data = chain.from_iterable(map(methodcaller("values"), rows))
        weight = np.fromiter(map(methodcaller("get", name, default), data), np.float64, number)[is_first]
    return source[is_first], target[is_first], weight


def convert_to_nx(result: Any, **_: Any) -> Any:
    """Convert a graph back to one of networkx; other results stay as they are."""
    return result.graph.to_networkx() if isinstance(result, NetworkxGraph) else result


def can_run(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> bool | str:
    """Return True, or why a call is left to networkx."""
    if name not in FUNCTIONS:
        return f"graphclust has no {name}"
    graph = _graph_of(args, kwargs)
    if name in _UNDIRECTED and graph.is_directed():
        return f"graphclust's {name} does not use the directions of edges as networkx does"
    return True


def should_run(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> bool | str:
    """Return True, or why networkx should rather run a call that has not asked for a backend."""
    graph = _graph_of(args, kwargs)
    if isinstance(graph, NetworkxGraph) or name.startswith("leiden") or graph.number_of_edges() >= _FEW:
        return True
    return f"with fewer than {_FEW} edges, networkx is as fast"


def _graph_of(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs["G"]


def on_start_tests(items: Iterable[Any]) -> None:
    """Mark those of networkx's own tests that ask for what its own random numbers lead to."""
    import pytest

    for item in items:
        if item.name in _OWN_NUMBERS.get(item.module.__name__.rpartition(".")[2], ()):
            item.add_marker(pytest.mark.xfail(reason="the communities of networkx's own random numbers", strict=True))


# ---------------------------------------------------------------------------- communities


def leiden_communities(
    G: NetworkxGraph,
    weight: str | None = "weight",
    resolution: float = 1,
    max_level: int | None = None,
    seed: Any = None,
) -> Partition:
    """Return the communities of Leiden; see `networkx.algorithms.community.leiden_communities`."""
    if max_level is None:
        return _partition(G, _detected(G, "leiden", seed, resolution=resolution).labels)
    return _level(leiden_partitions(G, weight, resolution, seed), max_level)


def leiden_partitions(
    G: NetworkxGraph, weight: str | None = "weight", resolution: float = 1, seed: Any = None
) -> Iterator[Partition]:
    """Yield the parts of the communities of Leiden on each level; see `networkx`'s function of the same name."""
    for labels in _detected(G, "leiden", seed, resolution=resolution, hierarchy=True).hierarchy.levels:
        yield _partition(G, labels)


def louvain_communities(
    G: NetworkxGraph,
    weight: str | None = "weight",
    resolution: float = 1,
    threshold: float = 1e-7,
    max_level: int | None = None,
    seed: Any = None,
) -> Partition:
    """Return the communities of Louvain; see `networkx.algorithms.community.louvain_communities`."""
    return _level(louvain_partitions(G, weight, resolution, threshold, seed), max_level)


def louvain_partitions(
    G: NetworkxGraph,
    weight: str | None = "weight",
    resolution: float = 1,
    threshold: float = 1e-7,
    seed: Any = None,
) -> Iterator[Partition]:
    """Yield the communities of Louvain on each level, until one adds too little; see `networkx`'s function."""
    from graphclust.metrics import modularity

    before = modularity(G.graph, np.arange(len(G)), resolution) if len(G) else 0.0
    for labels in _detected(G, "louvain", seed, resolution=resolution, hierarchy=True).hierarchy.levels:
        yield _partition(G, labels)
        after = modularity(G.graph, labels, resolution)
        if after - before <= threshold:
            return
        before = after


def label_propagation_communities(G: NetworkxGraph) -> Collection[set[Node]]:
    """Return the communities of label propagation; see `networkx`'s function of the same name."""
    return dict(enumerate(_partition(G, _detected(G, "label-propagation", None).labels))).values()


def asyn_lpa_communities(G: NetworkxGraph, weight: str | None = None, seed: Any = None) -> Iterator[set[Node]]:
    """Yield the communities of label propagation; see `networkx`'s function of the same name."""
    yield from _partition(G, _detected(G, "label-propagation", seed).labels)


def fast_label_propagation_communities(
    G: NetworkxGraph, *, weight: str | None = None, seed: Any = None
) -> Iterator[set[Node]]:
    """Yield the communities of label propagation; see `networkx`'s function of the same name."""
    yield from _partition(G, _detected(G, "label-propagation", seed).labels)


def greedy_modularity_communities(
    G: NetworkxGraph,
    weight: str | None = None,
    resolution: float = 1,
    cutoff: int = 1,
    best_n: int | None = None,
) -> list[Any]:
    """Return the communities of greedy merging; see `networkx`'s function of the same name."""
    n = len(G)
    if not G.n_edges:
        return [{node} for node in G]
    if not 1 <= cutoff <= n:
        raise ValueError(f"cutoff is between 1 and {n}, not {cutoff}")
    if best_n is not None and not 1 <= best_n <= n:
        raise ValueError(f"best_n is between 1 and {n}, not {best_n}")
    if best_n is not None and best_n < cutoff:
        raise ValueError(f"best_n is at least cutoff, which is {cutoff}, and not {best_n}")
    if best_n == 1:
        return [set(G)]
    communities = [frozenset(part) for part in _merged(G, resolution, cutoff, best_n)]
    while best_n is not None and len(communities) > best_n:  # components are left: the first two are put together
        communities = [communities[0] | communities[1], *communities[2:]]
    return communities


def _merged(G: NetworkxGraph, resolution: float, cutoff: int, best_n: int | None) -> Partition:
    """Return what greedy merging of communities with edges between them leaves, the largest first."""
    from graphclust.kernels.greedy_merging import merge_greedily

    graph, rank = G.graph, _rank(G.graph.nodes)
    plain = graph.undirected().without_self_loops()
    community = merge_greedily(
        rank[plain.source],
        rank[plain.target],
        plain.edge_weight,
        _by_rank(graph.degree("out" if graph.directed else "all"), rank),
        _by_rank(graph.degree("in" if graph.directed else "all"), rank),
        directed=graph.directed,
        resolution=resolution,
        fewest=cutoff,
        most=best_n,
    )
    order = np.argsort(rank)  # the node of each rank
    return _partition(G, order[community[rank]])


def _by_rank(values: FloatArray, rank: IntArray) -> FloatArray:
    ranked = np.empty_like(values)
    ranked[rank] = values
    return ranked


def _rank(nodes: Sequence[Node]) -> IntArray:
    """Return the place of each node among all in ascending order, or in their own order if they cannot be compared."""
    try:
        order = sorted(range(len(nodes)), key=nodes.__getitem__)  # type: ignore[arg-type]
    except TypeError:
        return np.arange(len(nodes))
    rank = np.empty(len(nodes), np.int64)
    rank[order] = np.arange(len(nodes))
    return rank


def _detected(G: NetworkxGraph, method: str, seed: Any, **params: Any) -> Any:
    """Return what a method finds; the seed is an object with the methods of `random.Random`."""
    from graphclust.detection import detect

    number = 0 if seed is None else int(seed.random() * _SEEDS)
    return detect(G.graph, method, random_state=number, **params)


def _partition(G: NetworkxGraph, labels: IntArray) -> Partition:
    """Return the sets of nodes with the same label, the largest first, and equal ones in the order of the labels."""
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    nodes = G.graph.nodes
    parts = [set(map(nodes.__getitem__, part.tolist())) for part in np.split(order, cuts) if len(part)]
    return sorted(parts, key=len, reverse=True)


def _level(partitions: Iterator[Partition], max_level: int | None) -> Partition:
    """Return the partition of a level, or of the last one."""
    if max_level is not None and max_level <= 0:
        raise ValueError("max_level argument must be a positive integer or None")
    return deque(islice(partitions, max_level), maxlen=1).pop()


# ---------------------------------------------------------------------------- quality


def modularity(
    G: NetworkxGraph, communities: Iterable[Iterable[Node]], weight: str | None = "weight", resolution: float = 1
) -> float:
    """Return the modularity of a partition; see `networkx.algorithms.community.modularity`.

    Raises
    ------
    networkx.algorithms.community.quality.NotAPartition
    ZeroDivisionError
        A graph without edges, or with weights of 0 alone.
    """
    from graphclust import metrics

    parts = [list(part) for part in communities]
    labels = _labels(G, parts)
    if labels is None:
        raise nx.community.quality.NotAPartition(cast(Any, G), communities)
    if not G.graph.total_weight:
        raise ZeroDivisionError("a graph without edges, or with weights of 0 alone, has no modularity")
    return float(metrics.modularity(G.graph, metrics.numbered(labels), resolution))


def partition_quality(G: NetworkxGraph, partition: Sequence[Collection[Node]]) -> tuple[float, float]:
    """Return coverage and performance of a partition; see `networkx.algorithms.community.partition_quality`."""
    labels = _labels(G, partition)
    assert labels is not None  # networkx has checked it
    graph, n = G.graph, len(G)
    is_inside = labels[graph.source] == labels[graph.target]
    inside = float(graph.edge_weight[is_inside].sum())
    coverage = inside / G.n_edges
    if G.is_multigraph():
        return coverage, -1.0
    size = np.bincount(labels)
    apart = (n * n - int((size * size).sum())) // (1 if graph.directed else 2)  # pairs of different communities
    pairs = n * (n - 1) // (1 if graph.directed else 2)
    return coverage, (inside + apart - (G.n_edges - inside)) / pairs


def _labels(G: NetworkxGraph, parts: Iterable[Collection[Node]]) -> IntArray | None:
    """Return the number of the set that each node is in, or None if the sets are no partition of the nodes."""
    place, labels, total = G.places, np.full(len(G), -1, np.int64), 0
    for number, part in enumerate(parts):
        places = [place.get(node, -1) for node in part]
        if min(places, default=0) < 0:
            return None
        labels[places] = number
        total += len(places)
    return labels if total == len(G) and (labels >= 0).all() else None
