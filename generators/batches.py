"""Padded batches of small graphs, or of sets of points, for training: the samplers' laws, many times faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphclust.generators.sbm import Plan
from graphclust.graph import Graph
from graphclust.runtime.arrays import IntArray

__all__ = ["DenseBatch", "from_graphs", "from_plans", "from_points", "near_in_size"]


_WINDOW = 4  # batches: among so many of nearly its size a graph finds its company


@dataclass(frozen=True)
class DenseBatch:
    """Graphs, or sets of points, padded to the size of the largest.

    Attributes
    ----------
    adjacency : ndarray of bool, shape (batch, n_max, n_max), or None
        Symmetric, without self-loops; False beyond a graph's nodes. None for points, which have no edges.
    labels : ndarray of int64, shape (batch, n_max)
        Blocks; -1 beyond a graph's nodes.
    n_nodes : ndarray of int64, shape (batch,)
    features : ndarray of float32, shape (batch, n_max, n_features), or None
        0 beyond a graph's nodes.
    """

    adjacency: NDArray[np.bool_] | None
    labels: IntArray
    n_nodes: IntArray
    features: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.n_nodes)

    def graphs(self) -> Iterator[Graph]:
        """Yield the graphs one by one, with `y`, and `x` where there are features."""
        for i, n in enumerate(self.n_nodes.tolist()):
            no_edges = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
            source, target = no_edges if self.adjacency is None else np.nonzero(np.triu(self.adjacency[i, :n, :n], 1))
            x = None if self.features is None else self.features[i, :n]
            yield Graph.from_edges(source, target, nodes=n, y=self.labels[i, :n], x=x)


def _padded(n_nodes: IntArray, fill: Callable[[int], tuple[NDArray[np.bool_], IntArray]]) -> DenseBatch:
    width = int(n_nodes.max(initial=0))
    adjacency = np.zeros((len(n_nodes), width, width), dtype=bool)
    labels = np.full((len(n_nodes), width), -1, dtype=np.int64)
    for i, n in enumerate(n_nodes.tolist()):
        adjacency[i, :n, :n], labels[i, :n] = fill(i)
    return DenseBatch(adjacency, labels, n_nodes)


def from_plans(rng: np.random.Generator, plans: Sequence[Plan]) -> DenseBatch:
    """Draw the edges of small stochastic block models, one uniform number per pair of nodes.

    Parameters
    ----------
    rng : Generator
    plans : sequence of (ndarray of int64 (n_nodes,), ndarray of float64 (n_blocks, n_blocks))
        Block of each node, and edge probability of each pair of blocks.

    Returns
    -------
    DenseBatch

    Examples
    --------
    >>> plan = (np.array([0, 0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> from_plans(np.random.default_rng(0), [plan]).adjacency.sum()
    np.int64(2)
    """

    def fill(i: int) -> tuple[NDArray[np.bool_], IntArray]:
        labels, matrix = plans[i]
        n = len(labels)
        probability = matrix.astype(np.float32)[labels][:, labels]
        drawn = np.triu(rng.random((n, n), dtype=np.float32) < probability, 1)
        return drawn | drawn.T, labels

    return _padded(np.array([len(labels) for labels, _ in plans], dtype=np.int64), fill)


def from_graphs(graphs: Sequence[Graph]) -> DenseBatch:
    """Pad undirected graphs with known classes into a batch.

    Parameters
    ----------
    graphs : sequence of Graph
        Weights and self-loops are dropped; classes are -1 where `y` is None; features are kept if all have as many.

    Returns
    -------
    DenseBatch

    Examples
    --------
    >>> from_graphs([Graph.from_edges([0], [1], nodes=3)]).adjacency.shape
    (1, 3, 3)
    """

    def fill(i: int) -> tuple[NDArray[np.bool_], IntArray]:
        graph = graphs[i]
        adjacency = np.zeros((graph.num_nodes,) * 2, dtype=bool)
        adjacency[graph.source, graph.target] = True
        np.fill_diagonal(adjacency, val=False)
        return adjacency | adjacency.T, np.full(graph.num_nodes, -1) if graph.y is None else graph.y

    batch = _padded(_sizes(graphs), fill)
    return replace(batch, features=_features(graphs, batch.labels.shape[1]))


def from_points(sets: Sequence[Graph]) -> DenseBatch:
    """Pad sets of points with known classes into a batch without an adjacency, which would take n_max^2 bytes a set.

    Parameters
    ----------
    sets : sequence of Graph
        Edges are ignored; classes are -1 where `y` is None; features are kept if all sets have as many.

    Returns
    -------
    DenseBatch

    Examples
    --------
    >>> points = Graph.from_edges([], [], nodes=3, x=np.ones((3, 2)))
    >>> batch = from_points([points])
    >>> batch.adjacency is None, batch.features.shape
    (True, (1, 3, 2))
    """
    n_points = _sizes(sets)
    labels = np.full((len(sets), int(n_points.max(initial=0))), -1, dtype=np.int64)
    for row, points in zip(labels, sets, strict=True):
        if points.y is not None:
            row[: points.num_nodes] = points.y
    return DenseBatch(None, labels, n_points, _features(sets, labels.shape[1]))


def near_in_size(rng: np.random.Generator, order: IntArray, batch_size: int) -> IntArray:
    """Draw given graphs of nearly one size, which saves padding.

    One is drawn, and the others from those nearest to it in size. Each graph is drawn as often as any other, but for
    those of the extreme sizes.

    Parameters
    ----------
    rng : Generator
    order : ndarray of int64, shape (n_graphs,)
        Numbers of the graphs, those with the fewest nodes first.
    batch_size : int

    Returns
    -------
    ndarray of int64, shape (batch_size,)
        Some of these numbers.
    """
    width = min(_WINDOW * batch_size, len(order))
    first = int(rng.integers(len(order)))
    low = min(max(first - int(rng.integers(width)), 0), len(order) - width)
    chosen: IntArray = order[low + rng.choice(width, batch_size, replace=width < batch_size)]
    return chosen


def _sizes(graphs: Sequence[Graph]) -> IntArray:
    return np.array([graph.num_nodes for graph in graphs], dtype=np.int64)


def _features(graphs: Sequence[Graph], width: int) -> NDArray[np.float32] | None:
    """Return the padded features, shape (batch, width, n_features); None unless all graphs have as many."""
    numbers = {None if graph.x is None else np.shape(graph.x)[1] for graph in graphs}
    n_features = numbers.pop() if len(numbers) == 1 else None
    if n_features is None:
        return None
    features = np.zeros((len(graphs), width, n_features), dtype=np.float32)
    for row, graph in zip(features, graphs, strict=True):
        row[: graph.num_nodes] = graph.x
    return features
