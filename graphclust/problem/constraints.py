"""What a partition has to respect: the components of the graph, and the labels that are known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.graph.labels import is_missing, plain_labels
from graphclust.metrics import numbered, rank_labels
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = [
    "added_up",
    "check_known",
    "components",
    "connected_parts",
    "count_disconnected",
    "edge_counts",
    "known_labels",
    "respecting",
    "strengths",
    "taking_part",
    "with_number",
    "within_components",
]


def check_known(known: Any) -> None:
    """Refuse known labels that are not a mapping, Series or the like.

    Raises
    ------
    UsageError
    """
    if known is not None and not isinstance(plain_labels(known), Mapping):
        raise UsageError(f"known must be a mapping of nodes to labels, not a {type(known).__name__}")


def known_labels(graph: Graph, known: Any) -> IntArray | None:
    """Return 0 where no label is known, else a number for each label, counted from 1 in the order of their nodes.

    Parameters
    ----------
    graph : Graph
    known : mapping or Series of labels by node, or None
        None, NaN and "" say that a label is not known.

    Raises
    ------
    UsageError
        A labelled node is not in the graph, or a label cannot be hashed.
    """
    if known is None:
        return None
    labels = plain_labels(known)
    place = {node: i for i, node in enumerate(graph.nodes)}
    name: dict[int, Any] = {}
    for node, label in labels.items():
        if node not in place:
            raise UsageError(f"known has a label for {node!r}, which is not a node of the graph")
        if is_missing(label):
            continue
        if not isinstance(label, Hashable):
            raise UsageError(
                f"a known label must be a string or a number, but that of {node!r} is a {type(label).__name__}"
            )
        name[place[node]] = label
    numbers: dict[Any, int] = {}
    number_of_node = np.zeros(graph.num_nodes, dtype=np.int64)
    for i in sorted(name):
        number_of_node[i] = numbers.setdefault(name[i], len(numbers) + 1)
    return number_of_node if numbers else None


def respecting(labels: IntArray, known: IntArray | None) -> IntArray:
    """Change a partition as little as known labels ask for: their nodes together, and apart from those of other labels.

    The nodes of a label gather in the community that holds most of them, of which each holds one label at most; labels
    with more nodes choose first.

    Examples
    --------
    >>> respecting(np.array([0, 0, 0, 1, 1]), np.array([1, 2, 0, 0, 1]))
    array([0, 2, 0, 1, 0])
    """
    community = numbered(labels)
    if known is None:
        return community
    free, occupied = int(community.max()) + 1, set[int]()
    for members in sorted(_by_label(known), key=len, reverse=True):
        homes, counts = np.unique(community[members], return_counts=True)
        candidates = [
            (-count, home) for home, count in zip(homes.tolist(), counts.tolist(), strict=True) if home not in occupied
        ]
        if candidates:
            home = min(candidates)[1]
        else:
            home, free = free, free + 1
        community[members] = home
        occupied.add(home)
    return numbered(community)


def with_number(labels: IntArray, n_clusters: int, known: IntArray | None) -> IntArray:
    """Bring a partition to what known labels ask for and to a number of communities.

    The smallest communities without a known label join the largest of the others; or nodes without one leave the
    largest communities.

    Raises
    ------
    UsageError
        Known labels leave no such partition.

    Examples
    --------
    >>> with_number(np.array([0, 0, 0, 1, 2]), 2, np.array([0, 0, 0, 1, 0]))
    array([0, 0, 0, 1, 0])
    """
    community = respecting(labels, known)
    sizes = np.bincount(community)
    number = len(sizes)
    bound = np.zeros(len(labels), dtype=bool) if known is None else known > 0
    if number > n_clusters:
        unbound = np.setdiff1d(np.arange(number), community[bound])
        gone = unbound[np.argsort(sizes[unbound], kind="stable")][: number - n_clusters]
        if len(gone) == number - n_clusters < number:
            sizes[gone] = -1
            community[np.isin(community, gone)] = int(sizes.argmax())
            return numbered(community)
    elif number < n_clusters:
        order = np.lexsort((bound, community))  # in each community first those that can leave
        leave = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes) < np.repeat(sizes, sizes) - 1
        movable = order[leave & ~bound[order]]
        movable = movable[np.argsort(-sizes[community[movable]], kind="stable")][: n_clusters - number]
        if len(movable) == n_clusters - number:
            community[movable] = np.arange(number, n_clusters)
            return community
    else:
        return community
    raise UsageError(f"no partition into {n_clusters} communities respects the known labels")


def _by_label(known: IntArray) -> list[IntArray]:
    """Return the nodes of each known label."""
    order = np.argsort(known, kind="stable")
    order = order[known[order] > 0]
    return np.split(order, np.flatnonzero(np.diff(known[order])) + 1) if len(order) else []


def strengths(weight: FloatArray) -> FloatArray:
    """Bring weights into [0, 1], the range of the adjacencies that models are trained on."""
    if not len(weight):
        return weight
    mean = np.minimum(weight, np.quantile(weight, 0.95, method="lower")).mean()
    strength: FloatArray = np.minimum(weight / mean, 1.0)
    return strength


def edge_counts(graph: Graph) -> IntArray:
    """Count each node's edges to other nodes."""
    counts = graph.degree(weighted=False).astype(np.int64)
    if graph.num_self_loops:
        loops = np.flatnonzero(graph.source == graph.target)
        counts[graph.source[loops]] -= 2
    return counts


def taking_part(graph: Graph, known: IntArray | None) -> NDArray[np.bool_]:
    """Return which nodes have an edge to another one, or a known label: the others are communities of their own."""
    inside = edge_counts(graph) > 0
    return inside if known is None else inside | (known > 0)


def connected_parts(graph: Graph, labels: IntArray) -> IntArray:
    """Split communities into their (weakly) connected parts.

    Parameters
    ----------
    graph : Graph
    labels : ndarray of int64, shape (n_nodes,)

    Returns
    -------
    ndarray of int64, shape (n_nodes,)
        Contiguous labels of the parts; as many as there are communities if all are connected.

    Examples
    --------
    >>> g = Graph.from_edges([0, 2], [1, 3], nodes=4)
    >>> connected_parts(g, np.zeros(4, dtype=np.int64))
    array([0, 0, 1, 1])
    """
    from graphclust.kernels import adjacency

    return adjacency.connected_parts(graph.source, graph.target, labels)


def count_disconnected(graph: Graph, labels: IntArray) -> int:
    """Count the communities that are not connected, whichever way the edges point."""
    parts = connected_parts(graph, labels)
    community = np.empty(int(parts.max(initial=-1)) + 1, dtype=np.int64)
    community[parts] = labels
    return int((np.unique(community, return_counts=True)[1] > 1).sum())


def components(graph: Graph) -> IntArray:
    """Return the number of the (weakly) connected component of each node."""
    return connected_parts(graph, np.zeros(graph.num_nodes, dtype=np.int64))


def within_components(samples: IntArray, component: IntArray, known: IntArray | None) -> IntArray:
    """Cut communities at the borders of components, but for what known labels hold together."""
    number = int(component.max()) + 1
    if number == 1 and known is None:
        return samples
    cut = samples * number + component
    if known is not None:
        members = _by_label(known)
        for row in cut:
            names, places = np.unique(row, return_inverse=True)
            for nodes in members:
                names[places[nodes]] = names[places[nodes]].min()
            row[:] = names[places]
    return np.asarray(cut)


def added_up(before: IntArray, after: IntArray, log_prob: FloatArray) -> FloatArray:
    """Give each sample the probability of all the distinct partitions that became the same one as its own.

    Parameters
    ----------
    before, after : ndarray of int64, shape (n_samples, n_nodes)
    log_prob : ndarray of float64, shape (n_samples,)
        Of the partitions before; equal for equal ones.
    """
    keys_before, keys_after = ([row.tobytes() for row in rank_labels(table)] for table in (before, after))
    parts: dict[bytes, dict[bytes, float]] = {}
    for old, new, value in zip(keys_before, keys_after, log_prob.tolist(), strict=True):
        parts.setdefault(new, {})[old] = value
    total = {new: np.logaddexp.reduce(list(values.values())) for new, values in parts.items()}
    return np.array([total[new] for new in keys_after])
