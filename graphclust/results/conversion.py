"""Results as objects of igraph, CDlib and PyTorch Geometric, and the way back.

None of these libraries is imported before an object of theirs is made.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph, graph_of
from graphclust.results.communities import Communities
from graphclust.results.cover import Cover
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import counted

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from graphclust.results.hierarchy import Hierarchy

__all__ = ["from_cdlib", "from_data", "from_igraph", "from_networkx", "to_cdlib", "to_data", "to_igraph"]

_KINDS = ("clustering", "cover", "dendrogram")


def to_igraph(result: Communities, kind: str | None = None) -> Any:
    """Return a result as an object of igraph; see `Communities.to_igraph`."""
    import igraph as ig

    kind = kind or ("clustering" if result.cover is None else "cover")
    if kind not in _KINDS:
        raise UsageError(f"kind is one of {', '.join(_KINDS)}, not {kind!r}")
    graph = result.graph.to_igraph()
    if kind == "cover":
        return ig.VertexCover(graph, [members.tolist() for members in _members(result)])
    if kind == "clustering":
        return ig.VertexClustering(graph, result.ranks.tolist(), params=dict(result.params))
    if result.hierarchy is None:
        raise UsageError("a dendrogram needs a hierarchy: detect(..., hierarchy=True)")
    return ig.VertexDendrogram(graph, _merges_of_nodes(result.hierarchy), optimal_count=result.n_clusters)


def _members(result: Communities) -> list[IntArray]:
    """Return the positions of the members of each community, which overlap if the result has a cover."""
    if result.cover is not None:
        return result.cover.members
    order = np.argsort(result.ranks, kind="stable")
    return np.split(order, np.cumsum(np.bincount(result.ranks))[:-1]) if len(order) else []


def _merges_of_nodes(hierarchy: Hierarchy) -> list[tuple[int, int]]:
    """Return the tree with single nodes as leaves: those of a community of the finest level are merged at first.

    Each merge is numbered like a further leaf.
    """
    finest = hierarchy.levels[0]
    standing: dict[int, int] = {}  # what stands for each community so far
    merges: list[tuple[int, int]] = []
    for node, label in enumerate(finest.tolist()):
        if label in standing:
            merges.append((standing[label], node))
            standing[label] = len(finest) + len(merges) - 1
        else:
            standing[label] = node
    for first, second in hierarchy.merges.tolist():  # the first then stands for both
        merges.append((standing[first], standing[second]))
        standing[first] = len(finest) + len(merges) - 1
    return merges


def to_cdlib(result: Communities) -> Any:
    """Return a result as a `NodeClustering` of CDlib; see `Communities.to_cdlib`."""
    try:
        from cdlib import NodeClustering
    except ImportError:
        raise UsageError("CDlib is not installed: pip install cdlib") from None
    nodes = result.nodes
    parts = [[nodes[i] for i in members.tolist()] for members in _members(result)]
    return NodeClustering(
        parts,
        result.graph.to_networkx(),
        method_name=result.method,
        method_parameters=dict(result.params),
        overlap=result.cover is not None,
    )


def to_data(result: Communities) -> Data:
    """Return a graph of PyTorch Geometric with the communities of its nodes; see `Communities.to_data`."""
    import torch

    data = result.graph.to_data()
    data.community = torch.tensor(result.labels)
    for name, values in result.certainty.items():
        data[name] = torch.tensor(values, dtype=torch.get_default_dtype())
    return data


def from_igraph(clustering: Any, method: str = "igraph") -> Communities:
    """Return a result of igraph; see `Communities.from_igraph`."""
    if hasattr(clustering, "as_clustering"):
        clustering = clustering.as_clustering()
    graph = graph_of(clustering.graph)
    nodes = graph.nodes
    return _of_sets(graph, [[nodes[i] for i in part] for part in clustering], method)


def from_cdlib(clustering: Any) -> Communities:
    """Return a result of CDlib; see `Communities.from_cdlib`."""
    result = _of_sets(graph_of(clustering.graph), clustering.communities, clustering.method_name or "cdlib")
    return replace(result, params=clustering.method_parameters or {})


def from_networkx(graph: Any, communities: Any = "community", method: str = "networkx") -> Communities:
    """Return communities of networkx; see `Communities.from_networkx`."""
    own = graph_of(graph)
    if isinstance(communities, str):
        values = [graph.nodes[node].get(communities) for node in own.nodes]
        return _of_values(own, values, f"the node attribute {communities!r}", method)
    return _of_sets(own, communities, method)


def from_data(data: Data, attribute: str = "community", method: str = "pyg") -> Communities:
    """Return communities of a graph of PyTorch Geometric; see `Communities.from_data`."""
    if attribute not in data:
        raise DataError(f"the data has no {attribute!r}; it has {', '.join(map(str, data.keys()))}")
    return _of_values(graph_of(data), data[attribute].tolist(), repr(attribute), method)


def _of_values(graph: Graph, values: Sequence[Hashable], what: str, method: str) -> Communities:
    """Return the communities of nodes with the same value."""
    if len(values) != graph.num_nodes:
        raise DataError(f"{what} has {len(values)} values for {counted(graph.num_nodes, 'node')}")
    missing = [node for node, value in zip(graph.nodes, values, strict=True) if value is None]
    if missing:
        raise DataError(f"{what} is missing of {counted(len(missing), 'node')}, such as {missing[0]!r}")
    parts: dict[Any, list[Hashable]] = {}
    for node, value in zip(graph.nodes, values, strict=True):
        parts.setdefault(value, []).append(node)
    with suppress(TypeError):  # values that cannot be compared keep their order
        parts = dict(sorted(parts.items()))
    return _of_sets(graph, parts.values(), method)


def _of_sets(graph: Graph, parts: Iterable[Iterable[Hashable]], method: str) -> Communities:
    """Return communities given as sets of nodes; with a cover if they overlap.

    Of several communities, the largest is that of a node. A node in none is alone. Communities of equal size keep the
    order in which they are given.
    """
    from scipy.sparse import csr_array

    place = {node: i for i, node in enumerate(graph.nodes)}
    sets = [list(dict.fromkeys(part)) for part in parts]
    unknown = next((node for part in sets for node in part if node not in place), None)
    if unknown is not None:
        raise DataError(f"{unknown!r} is not a node of the graph")
    members = sorted(([place[node] for node in part] for part in sets if part), key=len, reverse=True)
    times = np.bincount([i for part in members for i in part], minlength=len(place))
    members += [[int(node)] for node in np.flatnonzero(times == 0)]
    labels = np.zeros(len(place), np.int64)
    for label in range(len(members) - 1, -1, -1):
        labels[members[label]] = label
    cover = None
    if (times > 1).any():
        rows = np.concatenate(members)
        columns = np.repeat(np.arange(len(members)), [len(part) for part in members])
        weights = csr_array((1.0 / times[rows].clip(1), (rows, columns)), shape=(len(place), len(members)))
        cover = Cover(graph.nodes, weights)
    return Communities(graph, labels, method, cover=cover)
