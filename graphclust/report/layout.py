"""Layout of a graph that shows its communities, and a choice of nodes to draw for large graphs.

The layout has two levels. First the quotient graph (communities as vertices) is placed, and each node starts near its
community. Then one force-directed run (Fruchterman and Reingold 1991, by igraph) moves all nodes. In this run edges
between communities are weakened, and an invisible anchor attracts the nodes of each community. The strength of both
depends on how much the communities mix: a well-separated partition is drawn by its edges alone, and a mixed one is
pulled apart until the communities are visible. Components are laid out separately and placed in rings around the
largest one, so that isolated nodes do not enlarge the picture. All steps use the canonical order of the nodes, so the
picture does not depend on the order of the input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.interrupts import uninterrupted
from graphclust.runtime.seeds import seeded_igraph

__all__ = ["NODE_LIMIT", "Drawing", "draw", "layout", "principal_plane", "sample_nodes"]

NODE_LIMIT = 2000  # more nodes take long to place and make the picture less clear
_EDGE_LIMIT = 20_000  # more edges only blacken the picture, and a browser redraws all of them on every move
_N_TIES = 4  # neighbouring communities to which each community of a sample is tied
_EXACT_LIMIT = 4000  # largest number of nodes for which repulsion is summed over all pairs
_SPRING_WORK = 4e8  # pairs of nodes times iterations, which takes about a second


@dataclass(frozen=True)
class Drawing:
    """The nodes and edges in a picture of a graph, with coordinates.

    Attributes
    ----------
    nodes : ndarray of int64, shape (n_drawn,)
        Positions in `Graph.nodes` of the nodes drawn.
    source, target : ndarray of int, shape (n_edges_drawn,)
        Ends of the edges drawn, as positions in `nodes`. There are no self-loops.
    position : ndarray of float64, shape (n_drawn, 2)
        Coordinates, in the unit square if they were computed.
    n_edges : int
        Number of edges between the nodes drawn, including those that are left out.
    """

    nodes: IntArray
    source: IntArray
    target: IntArray
    position: FloatArray
    n_edges: int


def draw(
    graph: Graph,
    labels: IntArray,
    *,
    limit: int = NODE_LIMIT,
    random_state: int = 0,
    positions: FloatArray | None = None,
) -> Drawing:
    """Choose the nodes and edges of a graph to draw, and place them.

    Parameters
    ----------
    graph : Graph
    labels : ndarray of int64, shape (n_nodes,)
        Community of each node.
    limit : int
        Largest number of nodes to draw, chosen by `sample_nodes`. At most 20,000 edges between them are drawn.
    random_state : int
    positions : ndarray of float64, shape (n_nodes, 2), optional
        Coordinates of the nodes, which are used as they are. By default, a table of points is drawn in its principal
        components, and the nodes of a graph are placed by its edges.

    Returns
    -------
    Drawing
    """
    if positions is None and graph.x is not None and not graph.num_edges:
        positions = _in_unit_square(principal_plane(graph.x)(graph.x))
    nodes = sample_nodes(graph, labels, limit)
    part = graph.subgraph(nodes).undirected().without_self_loops()
    order = part.canonical_order()  # the choice of edges must not depend on the order of the nodes either
    if order is not None:
        part, nodes = part.canonical(), nodes[order]
    shown = np.arange(part.num_edges)
    if len(shown) > _EDGE_LIMIT:
        shown = np.sort(np.random.default_rng(random_state).choice(shown, _EDGE_LIMIT, replace=False))
    if positions is not None:
        position = positions[nodes]
    else:
        ties = _ties(graph, labels, nodes) if len(nodes) < graph.num_nodes else None
        position = _place(part, labels[nodes], random_state, ties)
    return Drawing(nodes, part.source[shown], part.target[shown], position, part.num_edges)


def _ties(graph: Graph, labels: IntArray, nodes: IntArray) -> tuple[IntArray, IntArray]:
    """Invisible edges that place the communities of a sample as in the full graph.

    Few edges between communities survive sampling, so each community is tied to the communities that it is connected to
    most strongly in the full graph.

    Returns
    -------
    tail, head : ndarray of int, shape (n_ties,)
        Positions in `nodes`. The node that represents a community is its drawn node of highest degree.
    """
    sizes = np.bincount(labels)
    by_degree = np.argsort(graph.degree(weighted=False)[nodes], kind="stable")
    hub = np.full(len(sizes), -1)
    hub[labels[nodes[by_degree]]] = by_degree  # the last assignment counts: the node of highest degree

    tail, head = labels[graph.source], labels[graph.target]
    cut = (tail != head) & (hub[tail] >= 0) & (hub[head] >= 0)
    pair = np.concatenate((tail[cut] * len(sizes) + head[cut], head[cut] * len(sizes) + tail[cut]))
    pair, index = np.unique(pair, return_inverse=True)
    tail, head = pair // len(sizes), pair % len(sizes)
    pull = np.bincount(index, weights=np.tile(graph.edge_weight[cut], 2)) / np.sqrt(sizes[tail] * sizes[head])
    order = np.lexsort((-pull, tail))
    rank = np.arange(len(order)) - np.searchsorted(tail[order], tail[order])
    strongest = order[rank < _N_TIES]
    return hub[tail[strongest]], hub[head[strongest]]


def principal_plane(x: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return the projection of points to the first two principal components of the scaled columns of a table.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 5.0], [1.0, 2.0, 5.0], [2.0, 3.1, 5.0]])
    >>> principal_plane(x)(x).shape
    (3, 2)
    """
    table = _dense(x)
    mean, deviation = table.mean(axis=0), table.std(axis=0)
    deviation[deviation == 0] = 1.0
    scaled = (table - mean) / deviation
    vectors = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1][:, :2]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])  # the same on any machine
    if vectors.shape[1] < 2:
        vectors = np.column_stack((vectors, np.zeros(len(vectors))))

    def project(points: FloatArray) -> FloatArray:
        projected: FloatArray = ((_dense(points) - mean) / deviation) @ vectors
        return projected

    return project


def _dense(x: Any) -> FloatArray:
    dense = np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=np.float64)
    return dense.reshape(len(dense), -1)


# -------------------------------------------------------------------- choice of nodes


def sample_nodes(graph: Graph, labels: IntArray, limit: int = NODE_LIMIT) -> IntArray:
    """Choose nodes that represent the graph in a picture.

    Each community gets nodes in proportion to its size, and the largest communities get at least one node. Within a
    community, the choice starts with the node of highest degree and continues with the highest-degree neighbour of the
    nodes chosen so far. Among equal degrees, the neighbour that was discovered first is chosen, so that the chosen
    nodes are connected even in graphs without hubs. The time is linear in the number of edges.

    Parameters
    ----------
    graph : Graph
    labels : ndarray of int64, shape (n_nodes,)
        Community of each node.
    limit : int
        Number of nodes to choose.

    Returns
    -------
    ndarray of int64, shape (min(limit, n_nodes),)
        Positions in `graph.nodes`, ascending. The choice does not depend on the order of the nodes.

    Examples
    --------
    >>> star = Graph.from_edges([0, 0, 0], [1, 2, 3], nodes=5)
    >>> sample_nodes(star, np.zeros(5, dtype=np.int64), limit=3)
    array([0, 1, 2])
    """
    n_nodes = graph.num_nodes
    if n_nodes <= limit:
        return np.arange(n_nodes)
    degree = graph.degree(weighted=False)
    by_rank = np.lexsort((_canonical_rank(graph), -degree))  # the most connected node first
    urgency = -degree[by_rank]
    rank = np.empty_like(by_rank)
    rank[by_rank] = np.arange(n_nodes)

    within = labels[graph.source] == labels[graph.target]
    tail = np.concatenate((graph.source[within], graph.target[within]))
    head = np.concatenate((graph.target[within], graph.source[within]))
    order = np.argsort(tail, kind="stable")
    neighbours, start = rank[head[order]], np.searchsorted(tail[order], np.arange(n_nodes + 1))

    sizes = np.bincount(labels)
    members = np.split(rank[by_rank[np.argsort(labels[by_rank], kind="stable")]], np.cumsum(sizes)[:-1])
    seen = np.zeros(n_nodes, dtype=bool)  # by rank, as everything below
    chosen: list[int] = []
    quota = _quota(sizes, limit)
    for community in np.flatnonzero(quota).tolist():
        frontier: list[tuple[float, int, int]] = []  # degree, then order of discovery
        discovered = 0
        unvisited = iter(members[community].tolist())
        for _ in range(quota[community]):
            best = heappop(frontier)[2] if frontier else next(r for r in unvisited if not seen[r])
            seen[best] = True
            chosen.append(best)
            node = by_rank[best]
            near = neighbours[start[node] : start[node + 1]]
            near = near[~seen[near]]
            seen[near] = True
            for r in np.unique(near).tolist():  # once, even if edges lead there and back
                heappush(frontier, (urgency[r], discovered, r))
                discovered += 1
    return np.sort(by_rank[chosen])


def _quota(sizes: IntArray, limit: int) -> IntArray:
    """Split `limit` seats among communities: one for each of the largest, the rest proportionally to their sizes.

    The proportional part is rounded by the method of largest remainders.
    """
    largest = np.argsort(-sizes, kind="stable")[: limit // 4]
    quota = np.zeros_like(sizes)
    quota[largest] = np.minimum(sizes[largest], 1)
    share = (sizes - quota) * ((limit - quota.sum()) / (sizes - quota).sum())
    quota += share.astype(np.int64)
    rest = np.argsort(-(share % 1), kind="stable")[: limit - quota.sum()]
    quota[rest] += 1
    return quota


def _canonical_rank(graph: Graph) -> IntArray:
    order = graph.canonical_order()
    if order is None:
        return np.arange(graph.num_nodes)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank


# -------------------------------------------------------------------- positions


def layout(graph: Graph, labels: IntArray, random_state: int = 0) -> FloatArray:
    """Place the nodes in the unit square so that communities are apart from each other.

    The time is quadratic in the number of nodes up to a few thousand nodes. For a larger graph, choose nodes with
    `sample_nodes` first.

    Parameters
    ----------
    graph : Graph
        Directions are ignored. Edges with large weights pull more strongly, up to a bound.
    labels : ndarray of int64, shape (n_nodes,)
        Community of each node.
    random_state : int

    Returns
    -------
    ndarray of float64, shape (n_nodes, 2)
        Coordinates in [0, 1]. The picture is centred and wider than high.

    Examples
    --------
    >>> g = Graph.from_edges([0, 1, 2], [1, 2, 0], nodes=4)
    >>> layout(g, np.array([0, 0, 0, 1])).shape
    (4, 2)
    """
    order = graph.canonical_order()
    if order is None:
        return _place(graph, labels, random_state)
    position = np.empty((graph.num_nodes, 2))
    position[order] = _place(graph.canonical(), labels[order], random_state)
    return position


def _place(
    graph: Graph, labels: IntArray, random_state: int, ties: tuple[IntArray, IntArray] | None = None
) -> FloatArray:
    """Place nodes that are in canonical order. `ties` are weak additional edges, which `_ties` returns."""
    if graph.num_nodes == 0:
        return np.empty((0, 2))
    edge = graph.source != graph.target
    source, target = graph.source[edge], graph.target[edge]
    weight = np.clip(graph.edge_weight[edge] / graph.edge_weight.mean(), 0.25, 4.0) if edge.any() else np.empty(0)
    is_tie = np.zeros(len(source), dtype=bool)
    if ties is not None:
        source, target = np.concatenate((source, ties[0])), np.concatenate((target, ties[1]))
        weight = np.concatenate((weight, np.full(len(ties[0]), 0.25)))
        is_tie = np.concatenate((is_tie, np.ones(len(ties[0]), dtype=bool)))
    components = _components(graph.num_nodes, source, target)
    component_of = np.empty(graph.num_nodes, dtype=np.int64)
    for i, nodes in enumerate(components):
        component_of[nodes] = i
    edges_of = np.split(
        np.argsort(component_of[source], kind="stable"),
        np.cumsum(np.bincount(component_of[source], minlength=len(components)))[:-1],
    )
    position = np.zeros((graph.num_nodes, 2))
    local_index = np.zeros(graph.num_nodes, dtype=np.int64)
    rng = np.random.default_rng(random_state)
    with seeded_igraph(random_state):
        for i, nodes in enumerate(components):
            if len(nodes) > 1:
                local_index[nodes] = np.arange(len(nodes))
                edges = edges_of[i]
                ends = local_index[source[edges]], local_index[target[edges]]
                points = _place_component(labels[nodes], *ends, weight[edges], is_tie[edges], rng)
                position[nodes] = _fit_into_disc(points) * np.sqrt(len(nodes))
    # The area of a component is proportional to its number of nodes. A margin separates components.
    sizes = np.array([len(nodes) for nodes in components])
    position += _rings(np.where(sizes > 1, 1.2, 0.7) * np.sqrt(sizes))[component_of]
    return _in_unit_square(position)


def _in_unit_square(position: FloatArray) -> FloatArray:
    low, high = position.min(axis=0, initial=np.inf), position.max(axis=0, initial=-np.inf)
    position = (position - (low + high) / 2) / max(float((high - low).max()), 1e-9) + 0.5
    placed: FloatArray = np.clip(position, 0.0, 1.0)
    return placed


def _components(n_nodes: int, source: IntArray, target: IntArray) -> list[IntArray]:
    """Nodes of each connected component, largest component first."""
    import igraph

    with uninterrupted():
        membership = igraph.Graph(n=n_nodes, edges=np.stack((source, target), axis=1)).connected_components().membership
    member = np.array(membership)
    parts = np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])
    return sorted(parts, key=len, reverse=True)


def _place_component(
    labels: IntArray,
    source: IntArray,
    target: IntArray,
    weight: FloatArray,
    is_tie: NDArray[np.bool_],
    rng: np.random.Generator,
) -> FloatArray:
    """Two-level layout of a connected graph, without a fixed scale."""
    _, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    n_nodes, n_groups = len(labels), len(sizes)
    tail, head = labels[source], labels[target]
    cut = tail != head

    pair = np.minimum(tail, head)[cut] * n_groups + np.maximum(tail, head)[cut]
    pair, index = np.unique(pair, return_inverse=True)
    tail, head = pair // n_groups, pair % n_groups
    pull = np.bincount(index, weights=weight[cut], minlength=len(pair)) / np.sqrt(sizes[tail] * sizes[head])
    centre = _spring(rng.normal(size=(n_groups, 2)), tail, head, pull / pull.mean() if len(pull) else pull)
    centre -= np.average(centre, axis=0, weights=sizes)
    centre *= np.sqrt(n_nodes / max(np.average((centre**2).sum(axis=1), weights=sizes), 1e-9))

    angle, radius = rng.uniform(0, 2 * np.pi, n_nodes), np.sqrt(rng.uniform(0, 0.25, n_nodes) * sizes[labels])
    start = centre[labels] + radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    inside, between = weight[~cut].sum(), weight[cut].sum()
    weaker = np.clip(0.1 * inside / between, 0.01, 0.25) if between else 1.0
    anchor = np.clip((between / inside) ** 2, 0.05 if is_tie.any() else 0.001, 1.0) if inside else 1.0
    placed = _spring(
        np.concatenate((start, centre)),
        np.concatenate((np.where(is_tie, n_nodes + labels[source], source), np.arange(n_nodes))),
        np.concatenate((np.where(is_tie, n_nodes + labels[target], target), n_nodes + labels)),
        np.concatenate((np.where(cut, weaker, 1.0) * weight, np.full(n_nodes, anchor))),
    )
    return placed[:n_nodes]


def _spring(start: FloatArray, source: IntArray, target: IntArray, weight: FloatArray) -> FloatArray:
    """Fruchterman and Reingold's layout from starting positions, in nearly constant time up to a few thousand nodes."""
    import igraph

    n_nodes = len(start)
    graph = igraph.Graph(n=n_nodes, edges=np.stack((source, target), axis=1))
    with uninterrupted():
        placed = graph.layout_fruchterman_reingold(
            weights=weight.tolist(),
            seed=start.tolist(),
            niter=int(np.clip(_SPRING_WORK / max(n_nodes, 1) ** 2, 40, 500)),
            start_temp=0.05 * float(np.sqrt(n_nodes)),
            grid="nogrid" if n_nodes <= _EXACT_LIMIT else "grid",
        )
    return np.array(placed.coords).reshape(-1, 2)


def _fit_into_disc(points: FloatArray) -> FloatArray:
    """Centre points, rotate their longer axis to the horizontal and fit them into the unit disc.

    Outliers move towards the centre, and a dense core spreads outwards.
    """
    points = points - np.median(points, axis=0)
    axes = np.linalg.eigh(points.T @ points)[1][:, ::-1]
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # the sign of an eigenvector is arbitrary
    points = points @ axes
    distance = np.maximum(np.hypot(points[:, 0], points[:, 1]), 1e-9)
    reach = distance / np.quantile(distance, 0.95)
    reach = np.where(reach > 1, 1 + 0.5 * np.log(np.maximum(reach, 1)), reach)
    reach /= reach.max()
    middle = np.clip(np.median(reach), 0.42, 0.55)  # the median is 0.7 for a uniformly filled disc
    reach **= np.log(0.55) / np.log(middle)
    fitted: FloatArray = points * (reach / distance)[:, None]
    return fitted


def _rings(radius: FloatArray) -> NDArray[np.float64]:
    """Centres of discs that are placed in rings around the first and largest one.

    Parameters
    ----------
    radius : ndarray of float64, shape (n_discs,)
        Descending.

    Returns
    -------
    ndarray of float64, shape (n_discs, 2)
    """
    centre = np.zeros((len(radius), 2))
    reach, first = radius[0], 1
    while first < len(radius):
        largest = radius[first]
        reach += largest
        capacity = int(np.pi / np.arcsin(min(1.0, largest / reach)) + 1e-9)
        last = min(first + capacity, len(radius))
        angle = 2 * np.pi * np.arange(last - first) / (last - first)
        centre[first:last] = reach * np.stack((np.cos(angle), np.sin(angle)), axis=1)
        reach += largest
        first = last
    return centre
