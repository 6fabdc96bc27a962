"""Small data for the tests of estimators."""

from __future__ import annotations

import numpy as np

import graphclust as gc
from graphclust.graph import Graph


def blobs(rng, k=3, d=6, size=60):
    centers = 8 * np.eye(max(k, d))[:k, :d]
    return np.concatenate([c + rng.normal(size=(size, d)) for c in centers]), np.repeat(np.arange(k), size)


def featured(seed, n=120, k=3):
    """Draw a graph of planted blocks whose nodes have features that tell the blocks badly."""
    graph = gc.generators.planted_partition(n, k, p_in=0.3, p_out=0.03, random_state=seed)
    x = np.eye(k)[graph.y] + np.random.default_rng(seed).normal(size=(n, k))
    return Graph.from_edges(graph.source, graph.target, nodes=n, x=x, y=graph.y)
