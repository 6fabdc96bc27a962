"""Graphs as lists of neighbors, for the compiled moves of block models, and their coarsening by a partition."""

from __future__ import annotations

import numpy as np

from graphclust.kernels.block_moves import Network
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["build_network", "edge_sources", "merged_network"]


def edge_sources(network: Network) -> IntArray:
    """Return the node whose neighbor each entry of `network.neighbor` is, shape (2 m,)."""
    return np.repeat(np.arange(len(network.start) - 1), np.diff(network.start))


def build_network(
    source: IntArray, target: IntArray, weight: FloatArray, known: IntArray, has_degree_products: bool
) -> Network:
    """Build the network of a graph, each edge of which is in the list once.

    Parameters
    ----------
    source, target, weight : ndarray, shape (m,)
    known : ndarray of int64, shape (n,)
        See `Network.is_known`.
    has_degree_products : bool
        Whether `Network.degree_product` is filled.
    """
    n = len(known)
    first, second = np.concatenate((source, target)), np.concatenate((target, source))
    weights = np.concatenate((weight, weight))
    order = np.argsort(first, kind="stable")
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(first, minlength=n), out=start[1:])
    degree = np.bincount(first, weights, minlength=n).astype(np.float64)
    neighbor, weights = second[order], weights[order]
    product = weights * degree[first[order]] * degree[neighbor] if has_degree_products else np.zeros(0)
    return Network(start, neighbor, weights, product, np.ones(n), degree, np.zeros(n), np.zeros(n), known)


def merged_network(network: Network, labels: IntArray) -> Network:
    """Return the network whose nodes are the blocks 0, 1, ... of a partition."""
    import scipy.sparse as sp

    n_blocks = int(labels.max()) + 1
    first, second = labels[edge_sources(network)], labels[network.neighbor]
    inside = first == second
    shape, ends = (n_blocks, n_blocks), (first[~inside], second[~inside])
    between = sp.coo_array((network.weight[~inside], ends), shape=shape).tocsr()  # adds up parallel edges

    def summed(values: FloatArray | IntArray) -> FloatArray:
        return np.bincount(labels, values, minlength=n_blocks).astype(np.float64)

    product, inner_product = np.zeros(0), summed(network.inner_degree_product)
    if len(network.degree_product):
        product = sp.coo_array((network.degree_product[~inside], ends), shape=shape).tocsr().data
        inner_product += np.bincount(first[inside], network.degree_product[inside], minlength=n_blocks) / 2
    inner_edges = summed(network.inner_edges)
    inner_edges += np.bincount(first[inside], network.weight[inside], minlength=n_blocks) / 2
    return Network(
        start=between.indptr.astype(np.int64),
        neighbor=between.indices.astype(np.int64),
        weight=between.data,
        degree_product=product,
        n_members=summed(network.n_members),
        degree=summed(network.degree),
        inner_edges=inner_edges,
        inner_degree_product=inner_product,
        is_known=summed(network.is_known).astype(np.int64),
    )
