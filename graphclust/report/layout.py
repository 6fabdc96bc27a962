"""Where to draw the nodes of a graph so that its communities show, and which nodes to draw of a large one.

The layout has two levels. The quotient graph (communities as vertices) is placed first, and each node starts near its
community; then one force-directed run (Fruchterman and Reingold 1991, by igraph) moves all nodes, with edges between
communities weakened and each node held by an invisible anchor of its community. Both depend on how much the
communities mix: a clean partition is drawn by its edges alone, a mixed one is pulled apart until it can be seen.
Components are laid out one by one and set in rings around the largest, so that isolated nodes cannot blow up the
picture. Everything happens in the canonical order of the nodes: the picture does not depend on the order they came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.interrupts import uninterrupted
from graphclust.runtime.seeds import seeded_igraph

__all__ = ["NODE_LIMIT", "Drawing", "draw", "layout", "sample_nodes"]

NODE_LIMIT = 2000  # nodes drawn: more take long to place and show less
_EDGE_LIMIT = 20_000  # edges drawn: more only blacken the picture, and a browser redraws them on every move
_TIES = 4  # neighbouring communities that a community of a sample is held by
_EXACT_LIMIT = 4000  # nodes up to which repulsion is summed over all pairs
_SPRING_WORK = 4e8  # pairs of nodes times iterations: about a second


@dataclass(frozen=True)
class Drawing:
    """What a picture of a graph shows.

    Attributes
    ----------
    nodes : ndarray of int64, shape (n_drawn,)
        Positions in `Graph.nodes` of the nodes drawn.
    source, target : ndarray of int64, shape (n_edges_drawn,)
        Ends of the edges drawn, as positions in `nodes`; no self-loops.
    position : ndarray of float64, shape (n_drawn, 2)
        Coordinates in the unit square.
    n_edges : int
        Number of edges between the nodes drawn, before thinning.
    """

    nodes: IntArray
    source: IntArray
    target: IntArray
    position: FloatArray
    n_edges: int


def draw(graph: Graph, labels: IntArray, *, limit: int = NODE_LIMIT, random_state: int = 0) -> Drawing:
    """Choose nodes and edges of a graph and place them.

    Parameters
    ----------
    graph : Graph
    labels : ndarray of int64, shape (n_nodes,)
        Community of each node.
    limit : int
        Number of nodes to draw at most, chosen by `sample_nodes`; of the edges between them 20,000 are drawn at most.
    random_state : int

    Returns
    -------
    Drawing
    """
    nodes = sample_nodes(graph, labels, limit)
    part = graph.subgraph(nodes).undirected().without_self_loops()
    order = part.canonical_order()  # the choice of edges must not depend on the order of the nodes either
    if order is not None:
        part, nodes = part.canonical(), nodes[order]
    shown = np.arange(part.num_edges)
    if len(shown) > _EDGE_LIMIT:
        shown = np.sort(np.random.default_rng(random_state).choice(shown, _EDGE_LIMIT, replace=False))
    ties = _ties(graph, labels, nodes) if len(nodes) < graph.num_nodes else None
    position = _place(part, labels[nodes], random_state, ties)
    return Drawing(nodes, part.source[shown], part.target[shown], position, part.num_edges)


def _ties(graph: Graph, labels: IntArray, nodes: IntArray) -> tuple[IntArray, IntArray]:
    """Invisible edges that put communities of a sample where the whole graph would have them.

    Few edges between communities survive sampling. Each community is tied to those that it has most to do with in the
    whole graph.

    Returns
    -------
    tail, head : ndarray of int64, shape (n_ties,)
        Positions in `nodes`: for each community its best connected node drawn.
    """
    sizes = np.bincount(labels)
    by_degree = np.argsort(graph.degree(weighted=False)[nodes], kind="stable")
    hub = np.full(len(sizes), -1)
    hub[labels[nodes[by_degree]]] = by_degree  # the last one written, of highest degree, stays

    tail, head = labels[graph.source], labels[graph.target]
    cut = (tail != head) & (hub[tail] >= 0) & (hub[head] >= 0)
    pair = np.concatenate((tail[cut] * len(sizes) + head[cut], head[cut] * len(sizes) + tail[cut]))
    pair, index = np.unique(pair, return_inverse=True)
    tail, head = pair // len(sizes), pair % len(sizes)
    pull = np.bincount(index, weights=np.tile(graph.edge_weight[cut], 2)) / np.sqrt(sizes[tail] * sizes[head])
    order = np.lexsort((-pull, tail))
    place = np.arange(len(order)) - np.searchsorted(tail[order], tail[order])
    strongest = order[place < _TIES]
    return hub[tail[strongest]], hub[head[strongest]]


# -------------------------------------------------------------------- which nodes


def sample_nodes(graph: Graph, labels: IntArray, limit: int = NODE_LIMIT) -> IntArray:
    """Choose nodes that stand for the graph in a picture.

    Each community gets a share in proportion to its size, the largest communities at least one node. Within a
    community the choice starts at the node of highest degree and goes on to the neighbour of highest degree of those
    chosen so far, the nearest first where degrees are equal: what is drawn hangs together also in graphs without hubs.
    Time grows with the edges of the graph.

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
        Positions in `graph.nodes`, ascending. The same nodes are chosen in whatever order they come.

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
        fresh = iter(members[community].tolist())
        for _ in range(quota[community]):
            best = heappop(frontier)[2] if frontier else next(r for r in fresh if not seen[r])
            seen[best] = True
            chosen.append(best)
            node = by_rank[best]
            near = neighbours[start[node] : start[node + 1]]
            near = near[~seen[near]]
            seen[near] = True
            for r in np.sort(near).tolist():
                heappush(frontier, (urgency[r], discovered, r))
                discovered += 1
    return np.sort(by_rank[chosen])


def _quota(sizes: IntArray, limit: int) -> IntArray:
    """Split `limit` seats: one for each of the largest communities, the others in proportion (largest remainders)."""
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


# -------------------------------------------------------------------- where


def layout(graph: Graph, labels: IntArray, random_state: int = 0) -> FloatArray:
    """Place the nodes in the unit square, communities apart from each other.

    Meant for what can be drawn: time grows with the square of the nodes up to a few thousand. Choose by
    `sample_nodes` first where there are more.

    Parameters
    ----------
    graph : Graph
        Directions are ignored; weights pull, within bounds.
    labels : ndarray of int64, shape (n_nodes,)
        Community of each node.
    random_state : int

    Returns
    -------
    ndarray of float64, shape (n_nodes, 2)
        Coordinates in [0, 1]; the picture is wider than high and centred.

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
    """Place nodes that stand in canonical order; `ties` hold communities together like faint edges between them."""
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
    place = np.zeros(graph.num_nodes, dtype=np.int64)
    rng = np.random.default_rng(random_state)
    with seeded_igraph(random_state):
        for i, nodes in enumerate(components):
            if len(nodes) > 1:
                place[nodes] = np.arange(len(nodes))
                own = edges_of[i]
                ends = place[source[own]], place[target[own]]
                points = _place_component(labels[nodes], *ends, weight[own], is_tie[own], rng)
                position[nodes] = _rounded(points) * np.sqrt(len(nodes))
    # A node takes as much room in a component as alone; a margin keeps components apart.
    sizes = np.array([len(nodes) for nodes in components])
    position += _rings(np.where(sizes > 1, 1.2, 0.7) * np.sqrt(sizes))[component_of]
    low, high = position.min(axis=0), position.max(axis=0)
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
    """Two-level layout of a connected graph, in no particular scale."""
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
    """Fruchterman and Reingold's layout from given positions, in about constant time up to a few thousand nodes."""
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


def _rounded(points: FloatArray) -> FloatArray:
    """Centre points, turn their longer axis to the horizontal and fit them into the unit disc.

    Outliers are brought in and a dense core is spread, both along the ray from the centre.
    """
    points = points - np.median(points, axis=0)
    axes = np.linalg.eigh(points.T @ points)[1][:, ::-1]
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # eigenvectors have no sign of their own
    points = points @ axes
    distance = np.maximum(np.hypot(points[:, 0], points[:, 1]), 1e-9)
    reach = distance / np.quantile(distance, 0.95)
    reach = np.where(reach > 1, 1 + 0.5 * np.log(np.maximum(reach, 1)), reach)
    reach /= reach.max()
    middle = np.clip(np.median(reach), 0.42, 0.55)  # a disc that is filled evenly has 0.7
    reach **= np.log(0.55) / np.log(middle)
    rounded: FloatArray = points * (reach / distance)[:, None]
    return rounded


def _rings(radius: FloatArray) -> NDArray[np.float64]:
    """Centres of discs, largest first, in rings around the first.

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
        own = radius[first]
        reach += own
        room = int(np.pi / np.arcsin(min(1.0, own / reach)) + 1e-9)
        last = min(first + room, len(radius))
        angle = 2 * np.pi * np.arange(last - first) / (last - first)
        centre[first:last] = reach * np.stack((np.cos(angle), np.sin(angle)), axis=1)
        reach += own
        first = last
    return centre
