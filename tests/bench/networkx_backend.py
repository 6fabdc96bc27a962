"""The backend of networkx against networkx's own functions, conversion included.

    GRAPHCLUST_DATA=folder python tests/bench/networkx_backend.py

networkx has no Leiden of its own, so that this is compared with its Louvain. Each function runs once on com-dblp (1.05
million edges), if the data are there, and on a planted partition with 0.9 million edges, of which three quarters are
inside communities of 50 nodes. networkx's greedy merging takes hours on such graphs: it is compared on a fiftieth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np

import graphclust as gc

N_EDGES, DEGREE, SIZE, INSIDE = 1_000_000, 20, 50, 0.75
FASTER = 20  # bar
SMALL = 50


def planted(n_edges: int) -> Any:
    """Return a planted partition as a graph of networkx."""
    rng = np.random.default_rng(0)
    n = 2 * n_edges // DEGREE
    source = rng.integers(0, n, n_edges)
    inside = np.minimum(source // SIZE * SIZE + rng.integers(0, SIZE, n_edges), n - 1)
    target = np.where(rng.random(n_edges) < INSIDE, inside, rng.integers(0, n, n_edges))
    graph: Any = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(zip(source.tolist(), target.tolist(), strict=True))
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    return graph


def timed(call: Callable[[], Any]) -> tuple[float, list[set[Any]]]:
    start = time.perf_counter()
    communities = list(call())
    return time.perf_counter() - start, communities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    nx.config.cache_converted_graphs = False
    community: Any = nx.community
    warm, large, small = planted(20_000), planted(N_EDGES), planted(N_EDGES // SMALL)
    runs: dict[str, tuple[Any, str, str, dict[str, int]]] = {}
    try:
        real = gc.datasets.load("com-dblp").to_networkx()
        runs["leiden on com-dblp"] = real, "leiden_communities", "louvain_communities", {"seed": 0}
    except gc.GraphclustError as error:
        print(f"     com-dblp is not there: {error}")
    runs |= {
        "leiden": (large, "leiden_communities", "louvain_communities", {"seed": 0}),
        "louvain": (large, "louvain_communities", "louvain_communities", {"seed": 0}),
        "label propagation": (large, "asyn_lpa_communities", "asyn_lpa_communities", {"seed": 0}),
        "greedy merging": (small, "greedy_modularity_communities", "greedy_modularity_communities", {}),
    }
    known: dict[tuple[str, int], tuple[float, list[set[Any]]]] = {}
    for name, (graph, ours, theirs, options) in runs.items():
        list(getattr(community, ours)(warm, backend="graphclust", **options))  # load compiled code
        seconds, found = timed(lambda g=graph, f=ours, o=options: getattr(community, f)(g, backend="graphclust", **o))
        key = theirs, len(graph)
        if key not in known:
            known[key] = timed(lambda g=graph, f=theirs, o=options: getattr(community, f)(g, backend="networkx", **o))
        own_seconds, own = known[key]
        ratio = own_seconds / seconds
        quality = [community.modularity(graph, parts, backend="graphclust") for parts in (found, own)]
        verdict = "" if "com-dblp" not in name else "ok   " if ratio >= FASTER else "MISS "
        print(
            f"{verdict}{name}, {graph.number_of_edges():,} edges: {seconds:.2f} s, modularity {quality[0]:.4f}; "
            f"networkx's {theirs}: {own_seconds:.1f} s, {quality[1]:.4f}; {ratio:.0f} times faster",
            flush=True,
        )


if __name__ == "__main__":
    main()
