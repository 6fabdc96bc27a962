"""Graphs as lists of neighbors, for the compiled moves of block models, and their coarsening by a partition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from graphclust.kernels.adjacency import Adjacency, IndexArray, adjacency, run_rows
from graphclust.kernels.aggregation import Sums, joined, window_sums, windows_of
from graphclust.kernels.block_moves import BLOCK, EDGE, NODE, Records
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled
from graphclust.runtime.storage import Storage, windows
from graphclust.runtime.threads import Threads

__all__ = [
    "Network",
    "build_network",
    "compile_loops",
    "count_blocks",
    "count_edges",
    "edges_to_blocks",
    "merged_network",
    "total_degree_product",
]

_MOST_MERGED = 1 << 20  # edges that are copied and added up at once
_compiled = compiled(nogil=True, error_model="numpy", _nrt=False)


class Network(NamedTuple):
    """A graph without self-loops, as lists of neighbors; see `graphclust.kernels.block_moves.State`.

    Attributes
    ----------
    nodes : array of `NODE`, shape (n,)
    edges : array of `EDGE`, shape (2 m,)
    has_degree_products : bool
        Whether degree products are filled in.
    storage : Storage or None
        Where the edges lie if they are not in memory.
    """

    nodes: Records
    edges: Records
    has_degree_products: bool
    storage: Storage | None = None

    @property
    def start(self) -> IntArray:
        """The place of the first edge of each node, and the number of all, shape (n + 1,)."""
        return np.append(self.nodes["first_edge"], len(self.edges))

    def windows(self, size: int = EDGE.itemsize) -> Iterator[tuple[int, int]]:
        """Yield ranges of nodes to be gone through at once, all of them if edges are in memory; `size` is in bytes."""
        for some in windows(self.storage, self.start, size):
            yield some
            if self.storage is not None:
                self.storage.release()

    @property
    def source(self) -> IntArray:
        """The node whose neighbor each of the edges leads to, shape (2 m,)."""
        return np.repeat(np.arange(len(self.nodes)), self.nodes["last_edge"] - self.nodes["first_edge"])


def build_network(
    source: IndexArray,
    target: IndexArray,
    weight: FloatArray | None,
    known: IntArray,
    has_degree_products: bool,
    storage: Storage | None = None,
) -> Network:
    """Build the network of a graph without its self-loops.

    Parameters
    ----------
    source, target : ndarray of int32, shape (m,)
        Each edge once.
    weight : ndarray of float64, shape (m,), or None
        None if each counts 1.
    known : ndarray of int64, shape (n,)
        Number of the known label of each node, 0 if it is not known.
    has_degree_products : bool
        Whether degree products are filled in.
    storage : Storage, optional
        Where the edges lie; in memory by default.
    """
    rows = adjacency(source, target, weight, len(known), storage)
    nodes = np.zeros(len(known), NODE)
    nodes["first_edge"], nodes["last_edge"] = rows.start[:-1], rows.start[1:]
    nodes["n_members"], nodes["is_known"] = 1.0, known
    nodes["degree"] = np.diff(rows.start)
    with Threads(storage=storage) as threads:
        network = Network(nodes, threads.new_array(len(rows.neighbor), EDGE), has_degree_products, storage)
        if weight is not None:
            run_rows(threads, rows.start, lambda _, first, last: _add_up(*rows, nodes, first, last))

        def fill(_: int, first: int, last: int) -> None:
            _fill(*rows, nodes, network.edges, has_degree_products, first, last)

        for begin, end in network.windows(EDGE.itemsize + rows.neighbor.itemsize + rows.weight.itemsize):
            run_rows(threads, rows.start, fill, begin, end)
    return network


@_compiled
def _add_up(start: IntArray, neighbor: IndexArray, weight: FloatArray, nodes: Records, first: int, last: int) -> None:
    """Add up the weights of the edges of some nodes."""
    for i in range(first, last):
        nodes[i].degree = 0.0
        for e in range(start[i], start[i + 1]):
            nodes[i].degree += weight[e]


@_compiled
def _fill(
    start: IntArray,
    neighbor: IndexArray,
    weight: FloatArray,
    nodes: Records,
    edges: Records,
    has_degree_products: bool,
    first: int,
    last: int,
) -> None:
    """Fill in the edges of some nodes."""
    every = -1 if len(weight) > 1 else 0
    for i in range(first, last):
        for e in range(start[i], start[i + 1]):
            one, j = edges[e], neighbor[e]
            one.neighbor, one.weight, one.degree_product = j, weight[e & every], 0.0
            if has_degree_products:
                one.degree_product = one.weight * nodes[i].degree * nodes[j].degree


def compile_loops() -> None:
    """Compile the loops that count edges, if they are not: there is time while others are compiled."""
    ends = np.zeros(1, np.int32), np.ones(1, np.int32)
    for end in ends:
        end.flags.writeable = False  # as in graphs, which is another type
    network = build_network(*ends, np.ones(1), np.zeros(2, np.int64), False)
    labels = np.zeros(2, np.int64)
    count_edges(network, labels)
    count_blocks(network, labels, 1)


def merged_network(network: Network, labels: IntArray, threads: Threads) -> Network:
    """Return the network whose nodes are the blocks 0, 1, ... of a partition."""
    n_blocks, start, labels32 = int(labels.max()) + 1, network.start, labels.astype(np.int32)

    def sums(name: str) -> Iterator[Sums]:
        for first, last in windows_of(start, _MOST_MERGED):
            edges = network.edges[start[first] : start[last]]
            values = edges["neighbor"].astype(np.int32), edges[name].copy()
            some = Adjacency(start[first : last + 1] - start[first], *values)
            yield window_sums(some, labels32, n_blocks, threads, first)

    def between(name: str) -> Adjacency:
        return joined(sums(name), len(network.edges), n_blocks, threads)

    rows = between("weight")
    merged = network._replace(nodes=np.zeros(n_blocks, NODE), edges=threads.new_array(len(rows.neighbor), EDGE))
    nodes, edges, blocks = merged.nodes, merged.edges, count_blocks(network, labels, n_blocks)
    nodes["first_edge"], nodes["last_edge"] = rows.start[:-1], rows.start[1:]
    nodes["n_members"], nodes["is_known"] = blocks["n_members"], blocks["n_known"]
    nodes["degree"], nodes["inner_edges"] = blocks["degree_sum"], blocks["edges_within"]
    nodes["inner_degree_product"] = blocks["degree_product_within"]
    products = between("degree_product").weight if network.has_degree_products else np.zeros(1)
    for first, last in merged.windows():
        some = slice(rows.start[first], rows.start[last])
        edges["neighbor"][some], edges["weight"][some] = rows.neighbor[some], rows.weight[some]
        edges["degree_product"][some] = products[some] if network.has_degree_products else 0.0
    return merged


def total_degree_product(network: Network) -> float:
    """Return the sum of the degree products of all edges."""
    if not network.has_degree_products:
        return 0.0
    start, products = network.start, network.edges["degree_product"]
    return float(sum(products[start[first] : start[last]].sum() for first, last in network.windows()) / 2)


def count_edges(network: Network, labels: IntArray) -> FloatArray:
    """Return the numbers of edges e_rs between blocks 0, 1, ... and within them, shape (n_blocks, n_blocks)."""
    n_blocks = int(labels.max()) + 1
    edges = np.zeros((n_blocks, n_blocks))
    _count_edges(network.nodes, network.edges, labels, edges)
    return edges


@_compiled
def _count_edges(nodes: Records, edges: Records, labels: IntArray, counts: FloatArray) -> None:
    for i in range(len(nodes)):
        node, r = nodes[i], labels[i]
        counts[r, r] += node.inner_edges
        for e in range(node.first_edge, node.last_edge):
            edge = edges[e]
            s = labels[edge.neighbor]
            counts[r, s] += edge.weight / 2 if r == s else edge.weight


def edges_to_blocks(network: Network, labels: IntArray, capacity: int) -> FloatArray:
    """Return the number of edges from each node to each of `capacity` blocks, shape (n_nodes, capacity)."""
    place = network.source * capacity + labels[network.edges["neighbor"]]
    n = len(network.nodes)
    counts = np.bincount(place, network.edges["weight"], minlength=n * capacity)
    return counts.reshape(n, capacity).astype(np.float64)


def count_blocks(network: Network, labels: IntArray, capacity: int) -> Records:
    """Return the numbers of nodes and edges of blocks 0, 1, ..., followed by empty ones.

    Returns
    -------
    array of `BLOCK`, shape (capacity,)
        What `graphclust.kernels.block_moves.run` computes at its start is zero.
    """
    blocks = np.zeros(capacity, BLOCK)
    blocks["position"] = np.arange(capacity)
    for first, last in network.windows():
        _count(network.nodes, network.edges, labels, blocks, first, last)
    return blocks


@_compiled
def _count(nodes: Records, edges: Records, labels: IntArray, blocks: Records, first: int, last: int) -> None:
    for i in range(first, last):
        node, block = nodes[i], blocks[labels[i]]
        within, product = 0.0, 0.0
        for e in range(node.first_edge, node.last_edge):
            if labels[edges[e].neighbor] == labels[i]:
                within += edges[e].weight
                product += edges[e].degree_product
        block.n_known += node.is_known > 0
        block.n_members += node.n_members
        block.degree_sum += node.degree
        block.edges_within += node.inner_edges + within / 2
        block.degree_product_within += node.inner_degree_product + product / 2
