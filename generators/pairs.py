"""ACP's community-pair graphs as a family: drawn at random from a network's pairs, for training and for studies.

A. Pakman et al., "Attentive Clustering Processes", section 5.2.4. What a pair is, and which pairs are whose, stands in
`graphclust.datasets.pairs`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import DataError
from graphclust.generators.batches import DenseBatch, from_graphs
from graphclust.graph import Graph, IntArray
from graphclust.seeds import check_seed

if TYPE_CHECKING:
    from graphclust.datasets.pairs import PairGraphs

__all__ = ["community_pair", "community_pair_batch"]

_WINDOW = 4  # batches: among so many of nearly its size a graph finds its company


@functools.lru_cache(maxsize=4)
def _pairs(data: str, split: str) -> PairGraphs:
    from graphclust.datasets.pairs import community_pairs

    pairs = community_pairs(data, split)
    if not len(pairs):
        raise DataError(f"{data} has no pairs of {split} communities")
    return pairs


@functools.lru_cache(maxsize=4)
def _by_size(data: str, split: str) -> IntArray:
    return np.argsort(_pairs(data, split).n_nodes, kind="stable")


def community_pair(data: str = "com-dblp", *, split: str = "train", random_state: Any = None) -> Graph:
    """Draw one of the pairs of communities of a network, all with the same chance.

    Parameters
    ----------
    data : str
        A data set with communities.
    split : {"train", "test", "all"}
        Pairs of training communities, of test communities, or all.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        Nodes 0, 1, ...; without weights; `y` the clusters: of the first community alone, of both, of the second alone;
        `meta["realised"]` their number and sizes, and which communities they are.

    Raises
    ------
    UsageError
        No such data set or split.
    DataError
        The data are not here, or have no such pairs.
    """
    seed = check_seed(random_state)
    pairs = _pairs(data, split)
    graph = pairs[int(np.random.default_rng(seed).integers(len(pairs)))]
    assert graph.y is not None
    apart = graph.source != graph.target
    sizes = np.bincount(graph.y)
    realised = {
        "n_nodes": graph.num_nodes,
        "n_edges": int(apart.sum()),
        "n_clusters": len(sizes),
        "sizes": sizes.tolist(),
        "communities": list(graph.meta["communities"]),
    }
    asked = {"family": "community-pairs", "data": data, "split": split, "random_state": seed}
    return Graph.from_edges(
        graph.source[apart],
        graph.target[apart],
        nodes=graph.num_nodes,
        y=graph.y,
        meta={"generator": asked, "realised": realised},
    )


def community_pair_batch(
    rng: np.random.Generator, batch_size: int, *, same_size: bool, data: str, split: str
) -> DenseBatch:
    """Draw a batch of pairs.

    Parameters
    ----------
    rng : Generator
    batch_size : int
    same_size : bool
        Whether the graphs are of nearly one number of nodes, which saves padding: one is drawn, and the others from
        those nearest to it in size. Each graph is drawn as often as any other, but for those of the extreme sizes.
    data, split : str
        As of `community_pair`.

    Returns
    -------
    DenseBatch
    """
    pairs = _pairs(data, split)
    if same_size:
        order = _by_size(data, split)
        width = min(_WINDOW * batch_size, len(order))
        first = int(rng.integers(len(order)))
        low = min(max(first - int(rng.integers(width)), 0), len(order) - width)
        chosen = order[low + rng.choice(width, batch_size, replace=width < batch_size)]
    else:
        chosen = rng.integers(len(pairs), size=batch_size)
    return from_graphs([pairs[int(i)] for i in chosen])
