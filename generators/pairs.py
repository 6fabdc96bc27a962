"""ACP's community-pair graphs as a family: drawn at random from a network's pairs, for training and for studies.

A. Pakman et al., "Attentive Clustering Processes", section 5.2.4. What a pair is, and which pairs are whose, stands in
`graphclust.datasets.pairs`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.generators.batches import DenseBatch, from_graphs, near_in_size
from graphclust.graph import Graph
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.seeds import check_seed

if TYPE_CHECKING:
    from graphclust.datasets.pairs import PairGraphs

__all__ = ["community_pair", "community_pair_batch", "n_community_pairs"]


@functools.lru_cache(maxsize=4)
def _pairs(data: str, split: str, split_seed: int) -> PairGraphs:
    from graphclust.datasets.pairs import community_pairs

    pairs = community_pairs(data, split, split_seed)
    if not len(pairs):
        raise DataError(f"{data} has no pairs of {split} communities")
    return pairs


@functools.lru_cache(maxsize=4)
def _by_size(data: str, split: str, split_seed: int) -> IntArray:
    return np.argsort(_pairs(data, split, split_seed).n_nodes, kind="stable")


def _thinned(rng: np.random.Generator, graph: Graph, drop: float) -> Graph:
    """Leave out up to a share of the nodes, and what is cut off then; all stays where a cluster would be lost."""
    from scipy.sparse.csgraph import connected_components

    assert graph.y is not None
    remaining = np.flatnonzero(rng.random(graph.num_nodes) >= rng.uniform(0.0, drop))
    part = graph.subgraph(remaining)
    number = connected_components(part.adjacency(), directed=False)[1]
    part = part.subgraph(np.flatnonzero(number == np.bincount(number, minlength=1).argmax()))
    assert part.y is not None
    return part if len(np.unique(part.y)) == len(np.unique(graph.y)) else graph


def community_pair(
    data: str = "com-dblp",
    *,
    split: str = "train",
    split_seed: int = 0,
    drop: float = 0.0,
    random_state: Any = None,
) -> Graph:
    """Draw a pair of communities of a network, uniformly at random.

    Parameters
    ----------
    data : str
        A data set with communities.
    split : {"train", "test", "all"}
        Pairs of training communities, of test communities, or all.
    split_seed : int
        Seed of the split.
    drop : float
        Largest fraction of nodes that are removed at random, to get more training graphs than there are pairs. Only the
        largest component is kept.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        Nodes 0, 1, ...; without weights; `y` the clusters: of the first community alone, of both, of the second alone;
        `meta["realised"]` their number and sizes, and which communities they are.

    Raises
    ------
    UsageError
        No such data set or split, a share out of range.
    DataError
        The data are not here, or have no such pairs.
    """
    _check_drop(drop)
    seed = check_seed(random_state)
    rng = np.random.default_rng(seed)
    pairs = _pairs(data, split, split_seed)
    graph = pairs[int(rng.integers(len(pairs)))]
    communities = list(graph.meta["communities"])
    if drop:
        graph = _thinned(rng, graph, drop)
    assert graph.y is not None
    apart = graph.source != graph.target
    sizes = np.bincount(graph.y)
    realised = {
        "n_nodes": graph.num_nodes,
        "n_edges": int(apart.sum()),
        "n_clusters": len(sizes),
        "sizes": sizes.tolist(),
        "communities": communities,
    }
    arguments = {
        "family": "community-pairs",
        "data": data,
        "split": split,
        "split_seed": split_seed,
        "drop": drop,
        "random_state": seed,
    }
    return Graph.from_edges(
        graph.source[apart],
        graph.target[apart],
        nodes=graph.num_nodes,
        y=graph.y,
        meta={"generator": arguments, "realised": realised},
    )


def community_pair_batch(
    rng: np.random.Generator,
    batch_size: int,
    *,
    same_size: bool,
    data: str,
    split: str,
    split_seed: int = 0,
    drop: float = 0.0,
) -> DenseBatch:
    """Draw a batch of pairs.

    Parameters
    ----------
    rng : Generator
    batch_size : int
    same_size : bool
        Whether the graphs are of nearly one number of nodes, see `near_in_size`.
    data, split, split_seed, drop
        As of `community_pair`.

    Returns
    -------
    DenseBatch
    """
    _check_drop(drop)
    pairs = _pairs(data, split, split_seed)
    if same_size:
        chosen = near_in_size(rng, _by_size(data, split, split_seed), batch_size)
    else:
        chosen = rng.integers(len(pairs), size=batch_size)
    drawn = (pairs[int(i)] for i in chosen)
    return from_graphs([_thinned(rng, graph, drop) for graph in drawn] if drop else list(drawn))


def n_community_pairs(data: str = "com-dblp", *, split: str = "train", split_seed: int = 0, drop: float = 0.0) -> int:
    """Return the number of pairs that `community_pair` chooses from, for its parameters; `drop` does not change it."""
    del drop
    return len(_pairs(data, split, split_seed))


def _check_drop(drop: float) -> None:
    if not 0 <= drop < 1:
        raise UsageError(f"drop is a share of the nodes, 0 or more and less than 1, not {drop!r}")
