"""CNC on graphs: the normalized cut of exactly K clusters, compared with other methods.

The peers are scikit-learn's spectral clustering, Leiden and Louvain with K communities, and our own spectral
clustering. CNC has rows with and without the moves of single nodes after training. "cnc, mlp" is the paper's head on a
spectral embedding. If a graph has classes, they are used only for K.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from graphclust import datasets
from graphclust.graph import Graph
from graphclust.methods.cnc import CNC
from graphclust.methods.leiden import Leiden
from graphclust.methods.louvain import Louvain
from graphclust.methods.spectral import Spectral
from graphclust.metrics import normalized_cut, quality, rank_labels
from graphclust.problem.constraints import components
from graphclust.reproduce.sheet import check_names, over_seeds, settings
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.progress import task

__all__ = ["COLUMNS", "GRAPHS", "largest_component", "reproduce"]

GRAPHS: dict[str, tuple[int, bool]] = {  # number of clusters, and whether only the largest component is clustered
    "football": (12, False),
    "polbooks": (3, False),
    "polblogs": (2, True),
    "email-Eu-core": (42, False),
    "cora": (7, False),
    "citeseer": (6, False),
    "acm": (3, False),
    "graphchallenge-500": (8, False),
    "graphchallenge-1000": (11, False),
    "com-amazon": (10, True),
}
COLUMNS = ("data", "n", "edges", "k", "method", "normalized_cut", "found", "max_conductance", "largest", "seconds")
_Peer = Callable[[Graph, int, int], IntArray]


def largest_component(graph: Graph) -> Graph:
    """Return the largest connected component."""
    component = components(graph)
    return graph.subgraph(np.flatnonzero(component == np.bincount(component).argmax()))


def _sklearn_spectral(graph: Graph, k: int, seed: int) -> IntArray:
    from sklearn.cluster import SpectralClustering

    weight = graph.adjacency()
    weight.indices, weight.indptr = weight.indices.astype(np.int32), weight.indptr.astype(np.int32)  # as it requires
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # graphs that are not connected
        model = SpectralClustering(k, affinity="precomputed", random_state=seed)
        labels: IntArray = model.fit_predict(weight).astype(np.int64)
    return labels


PEERS: dict[str, _Peer] = {
    "scikit-learn's spectral": _sklearn_spectral,
    "spectral": lambda graph, k, seed: Spectral(k, random_state=seed).fit(graph).labels_,
    "leiden": lambda graph, k, seed: Leiden(k, random_state=seed).fit(graph).labels_,
    "louvain": lambda graph, k, seed: Louvain(k, random_state=seed).fit(graph).labels_,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "cnc": {},
    "cnc, no moves": {"polish": False},
    "cnc, mlp, no moves": {"polish": False, "head": "mlp", "vectors": "spectral"},
}


def reproduce(seed: int = 0, quick: bool = False, repeats: int = 3, data: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    seed : int
    quick : bool
        Use one seed.
    repeats : int
        Number of seeds, starting with `seed`. Values are means over the seeds; `worst` is the highest cut.
    data : tuple of str
        Names from `GRAPHS`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`; `largest` is the fraction of nodes in the largest cluster), peers, settings.

    Raises
    ------
    UsageError
        A graph is unknown.
    DataError
        A graph is not on this machine.
    """
    check_names("graph of the table", data, GRAPHS)
    repeats = 1 if quick else repeats
    own: dict[str, _Peer] = {
        name: lambda graph, k, seed, params=params: CNC(k, random_state=seed, **params).fit(graph).labels_  # type: ignore[misc]
        for name, params in VARIANTS.items()
    }
    tables: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    with task("measuring", len(data or GRAPHS) * (len(own) + len(PEERS))) as advance:
        for name in data or GRAPHS:
            k, only_largest = GRAPHS[name]
            graph = datasets.load(name).undirected()
            graph = largest_component(graph) if only_largest else graph
            for method, run in (own | PEERS).items():
                line: dict[str, Any] = {"data": name, "n": graph.num_nodes, "edges": graph.num_edges, "k": k}
                tables[method in own].append(line | {"method": method} | _measured(graph, k, run, seed, repeats))
                advance()
    made_with = settings(seed=seed, repeats=repeats)
    return {"table": "cnc-graphs", "rows": tables[True], "peers": tables[False], "settings": made_with}


def _measured(graph: Graph, k: int, run: _Peer, seed: int, repeats: int) -> dict[str, Any]:
    start = time.perf_counter()
    partitions = [rank_labels(run(graph, k, seed + i)) for i in range(repeats)]
    seconds = (time.perf_counter() - start) / repeats
    cuts = [normalized_cut(graph, labels) for labels in partitions]
    best = quality(graph, partitions[int(np.argmin(cuts))])
    return {
        **over_seeds([{"normalized_cut": cut} for cut in cuts]),
        "worst": max(cuts),
        "found": sorted({int(labels.max()) + 1 for labels in partitions}),
        "max_conductance": best["max_conductance"],
        "largest": best["sizes"][0] / graph.num_nodes,
        "seconds": seconds,
    }
