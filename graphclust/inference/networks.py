"""Graphs as lists of neighbors, for the compiled moves of block models, and their coarsening by a partition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graphclust.kernels.adjacency import Adjacency, IndexArray, both_ends
from graphclust.kernels.aggregation import aggregated
from graphclust.kernels.block_moves import BLOCK, EDGE, NODE, Records
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled
from graphclust.runtime.threads import Threads

__all__ = [
    "Network",
    "build_network",
    "compile_loops",
    "count_blocks",
    "count_edges",
    "edges_to_blocks",
    "merged_network",
]


class Network(NamedTuple):
    """A graph without self-loops, as lists of neighbors; see `graphclust.kernels.block_moves.State`.

    Attributes
    ----------
    nodes : array of `NODE`, shape (n,)
    edges : array of `EDGE`, shape (2 m,)
    """

    nodes: Records
    edges: Records

    @property
    def source(self) -> IntArray:
        """The node whose neighbor each of the edges leads to, shape (2 m,)."""
        return np.repeat(np.arange(len(self.nodes)), self.nodes["last_edge"] - self.nodes["first_edge"])


def build_network(
    source: IntArray, target: IntArray, weight: FloatArray, known: IntArray, has_degree_products: bool
) -> Network:
    """Build the network of a graph, each edge of which is in the list once.

    Parameters
    ----------
    source, target, weight : ndarray, shape (m,)
    known : ndarray of int64, shape (n,)
        Number of the known label of each node, 0 if it is not known.
    has_degree_products : bool
        Whether degree products are filled in.
    """
    start, neighbor, edge = both_ends(source, target, len(known))
    nodes, edges = np.zeros(len(known), NODE), np.empty(len(edge), EDGE)
    nodes["n_members"], nodes["is_known"] = 1.0, known
    _fill(start, neighbor, edge, weight, nodes, edges, has_degree_products)
    return Network(nodes, edges)


@compiled(nogil=True, error_model="numpy", _nrt=False)
def _fill(
    start: IntArray,
    neighbor: IndexArray,
    edge: IndexArray,
    weight: FloatArray,
    nodes: Records,
    edges: Records,
    has_degree_products: bool,
) -> None:
    """Fill in the edges of `build_network`, and the degrees of the nodes."""
    for i in range(len(nodes)):
        node = nodes[i]
        node.first_edge, node.last_edge = start[i], start[i + 1]
        for e in range(start[i], start[i + 1]):
            node.degree += weight[edge[e]]
    for i in range(len(nodes)):
        for e in range(start[i], start[i + 1]):
            one, j = edges[e], neighbor[e]
            one.neighbor, one.weight, one.degree_product = j, weight[edge[e]], 0.0
            if has_degree_products:
                one.degree_product = one.weight * nodes[i].degree * nodes[j].degree


def compile_loops() -> None:
    """Compile the loops that count edges, if they are not: there is time while others are compiled."""
    network = build_network(np.zeros(1, np.int64), np.ones(1, np.int64), np.ones(1), np.zeros(2, np.int64), False)
    labels = np.zeros(2, np.int64)
    count_edges(network, labels)
    count_blocks(network, labels, 1)


def _empty_network(n_edges: IntArray, total: int) -> Network:
    """Return a network whose nodes have these numbers of edges, with all other fields zero."""
    nodes, edges = np.zeros(len(n_edges), NODE), np.zeros(total, EDGE)
    np.cumsum(n_edges, out=nodes["last_edge"])
    nodes["first_edge"][1:] = nodes["last_edge"][:-1]
    return Network(nodes, edges)


def merged_network(network: Network, labels: IntArray, threads: Threads) -> Network:
    """Return the network whose nodes are the blocks 0, 1, ... of a partition."""
    nodes, edges = network
    n_blocks = int(labels.max()) + 1
    start = np.concatenate((nodes["first_edge"], nodes["last_edge"][-1:]))
    neighbor, labels32 = edges["neighbor"].astype(np.int32), labels.astype(np.int32)

    def between(name: str) -> Adjacency:
        return aggregated(Adjacency(start, neighbor, edges[name].copy()), labels32, n_blocks, threads)

    rows = between("weight")
    merged = _empty_network(np.diff(rows.start), len(rows.neighbor))
    merged.edges["neighbor"], merged.edges["weight"] = rows.neighbor, rows.weight
    if edges["degree_product"].any():
        merged.edges["degree_product"] = between("degree_product").weight
    blocks = count_blocks(network, labels, n_blocks)
    merged.nodes["n_members"], merged.nodes["is_known"] = blocks["n_members"], blocks["n_known"]
    merged.nodes["degree"], merged.nodes["inner_edges"] = blocks["degree_sum"], blocks["edges_within"]
    merged.nodes["inner_degree_product"] = blocks["degree_product_within"]
    return merged


def count_edges(network: Network, labels: IntArray) -> FloatArray:
    """Return the numbers of edges e_rs between blocks 0, 1, ... and within them, shape (n_blocks, n_blocks)."""
    n_blocks = int(labels.max()) + 1
    edges = np.zeros((n_blocks, n_blocks))
    _count_edges(network.nodes, network.edges, labels, edges)
    return edges


@compiled(nogil=True, error_model="numpy", _nrt=False)
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
    _count(network.nodes, network.edges, labels, blocks)
    return blocks


@compiled(nogil=True, error_model="numpy", _nrt=False)
def _count(nodes: Records, edges: Records, labels: IntArray, blocks: Records) -> None:
    for i in range(len(nodes)):
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
