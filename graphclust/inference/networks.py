"""Graphs as lists of neighbors, for the compiled moves of block models, and their coarsening by a partition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graphclust.kernels.block_moves import BLOCK, EDGE, NODE, Records
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["Network", "build_network", "count_blocks", "count_edges", "merged_network"]


class Network(NamedTuple):
    """A graph without self-loops, as lists of neighbors; see `graphclust.kernels.block_moves.State`.

    Attributes
    ----------
    nodes : array of `NODE`, shape (n,)
    edges : array of `EDGE`, shape (2 m,)
    source : ndarray of int64, shape (2 m,)
        The node whose neighbor each of the edges leads to.
    """

    nodes: Records
    edges: Records
    source: IntArray


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
    n = len(known)
    first, second = np.concatenate((source, target)), np.concatenate((target, source))
    order = np.argsort(first, kind="stable")
    network = _empty_network(np.bincount(first, minlength=n), len(first))
    nodes, edges = network.nodes, network.edges
    nodes["n_members"], nodes["is_known"] = 1.0, known
    edges["neighbor"], edges["weight"] = second[order], np.concatenate((weight, weight))[order]
    degree = nodes["degree"] = np.bincount(first, np.concatenate((weight, weight)), minlength=n)
    if has_degree_products:
        edges["degree_product"] = edges["weight"] * degree[network.source] * degree[edges["neighbor"]]
    return network


def _empty_network(n_edges: IntArray, total: int) -> Network:
    """Return a network whose nodes have these numbers of edges, with all other fields zero."""
    nodes, edges = np.zeros(len(n_edges), NODE), np.zeros(total, EDGE)
    np.cumsum(n_edges, out=nodes["last_edge"])
    nodes["first_edge"][1:] = nodes["last_edge"][:-1]
    return Network(nodes, edges, np.repeat(np.arange(len(nodes)), n_edges))


def merged_network(network: Network, labels: IntArray) -> Network:
    """Return the network whose nodes are the blocks 0, 1, ... of a partition."""
    import scipy.sparse as sp

    nodes, edges, source = network
    n_blocks = int(labels.max()) + 1
    first, second = labels[source], labels[edges["neighbor"]]
    is_inner = first == second
    ends = (first[~is_inner], second[~is_inner])
    between = sp.coo_array((edges["weight"][~is_inner], ends), shape=(n_blocks, n_blocks)).tocsr()  # adds up edges

    def summed(values: FloatArray | IntArray, inner_values: FloatArray | None = None) -> FloatArray:
        total = np.bincount(labels, values, minlength=n_blocks).astype(np.float64)
        if inner_values is not None:
            total += np.bincount(first[is_inner], inner_values[is_inner], minlength=n_blocks) / 2
        return total

    merged = _empty_network(np.diff(between.indptr), between.nnz)
    merged.edges["neighbor"], merged.edges["weight"] = between.indices, between.data
    if edges["degree_product"].any():
        products = sp.coo_array((edges["degree_product"][~is_inner], ends), shape=(n_blocks, n_blocks)).tocsr()
        merged.edges["degree_product"] = products.data
    for name in ("n_members", "degree", "is_known"):
        merged.nodes[name] = summed(nodes[name])
    merged.nodes["inner_edges"] = summed(nodes["inner_edges"], edges["weight"])
    merged.nodes["inner_degree_product"] = summed(nodes["inner_degree_product"], edges["degree_product"])
    return merged


def count_edges(network: Network, labels: IntArray) -> FloatArray:
    """Return the numbers of edges e_rs between blocks 0, 1, ... and within them, shape (n_blocks, n_blocks)."""
    n_blocks = int(labels.max()) + 1
    pair = labels[network.source] * n_blocks + labels[network.edges["neighbor"]]
    edges = np.bincount(pair, network.edges["weight"], minlength=n_blocks**2).astype(np.float64)
    edges = edges.reshape(n_blocks, n_blocks)
    edges[np.diag_indices(n_blocks)] /= 2
    edges[np.diag_indices(n_blocks)] += np.bincount(labels, network.nodes["inner_edges"])
    return edges


def count_blocks(network: Network, labels: IntArray, capacity: int) -> Records:
    """Return the blocks 0, 1, ... of a partition with their numbers of nodes and edges, and empty ones after them.

    Returns
    -------
    array of `BLOCK`, shape (capacity,)
        What `graphclust.kernels.block_moves.run` computes at its start is zero.
    """
    nodes, edges, source = network
    first = labels[source]
    inner = np.flatnonzero(first == labels[edges["neighbor"]])
    block_of_inner = first[inner]
    blocks = np.zeros(capacity, BLOCK)
    blocks["position"] = np.arange(capacity)
    blocks["n_known"] = np.bincount(labels, nodes["is_known"] > 0, minlength=capacity)
    blocks["n_members"] = np.bincount(labels, nodes["n_members"], minlength=capacity)
    blocks["degree_sum"] = np.bincount(labels, nodes["degree"], minlength=capacity)
    for total, field, inner_field in (
        ("edges_within", "weight", "inner_edges"),
        ("degree_product_within", "degree_product", "inner_degree_product"),
    ):
        within = np.bincount(block_of_inner, edges[field][inner], minlength=capacity) / 2
        blocks[total] = within + np.bincount(labels, nodes[inner_field], minlength=capacity)
    return blocks
