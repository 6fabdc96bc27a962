"""Updates of communities while a graph changes: time, quality and stability, against a fresh run on each version.

Each round rewires 1.5 % of the edges of com-dblp (317,080 nodes, 1,049,866 edges): random edges are removed, and as
many random pairs of nodes joined. The update starts from the result of the round before. Both runs get the graph in
memory, with nodes that are numbered from 0.

    python tests/bench/updates.py [auto] [leiden] [label-propagation]
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import graphclust as gc
from graphclust.graph import Graph
from graphclust.inference.target import Target
from graphclust.metrics import ami, modularity
from graphclust.problem.problem import Problem

ROUNDS, SHARE, SEED = 10, 0.015, 100


def rewired(graph: Graph, share: float, rng: np.random.Generator) -> Graph:
    """Return a graph with a share of its edges replaced by random ones."""
    n, m = graph.num_nodes, graph.num_edges
    n_changed = int(m * share)
    is_kept = np.ones(m, dtype=bool)
    is_kept[rng.choice(m, n_changed, replace=False)] = False
    source = np.concatenate((graph.source[is_kept], rng.integers(0, n, n_changed)))
    target = np.concatenate((graph.target[is_kept], rng.integers(0, n, n_changed)))
    is_edge = source != target
    return Graph.from_edges(source[is_edge], target[is_edge], nodes=n)


def changed_nodes(old: Graph, new: Graph) -> Any:
    """Return which nodes have other edges than before, computed by sets."""
    n = old.num_nodes
    keys = [graph.source.astype(np.int64) * n + graph.target for graph in (old, new)]
    different = np.setxor1d(*keys, assume_unique=True)
    changed = np.zeros(n, dtype=bool)
    changed[different // n] = changed[different % n] = True
    return changed


def lost_shares(before: Any, after: Any, changed: Any) -> tuple[float, float]:
    """Return the largest share of members that an unchanged community has lost, and the mean over all communities.

    A community keeps the members that are together in one community afterwards, the most of them. It has not changed
    if none of its members has gained or lost an edge.
    """
    n = int(after.max()) + 1
    pairs, counts = np.unique(before * n + after, return_counts=True)
    size, most = np.bincount(before), np.zeros(int(before.max()) + 1)
    np.maximum.at(most, pairs // n, counts)
    lost = 1 - most / np.maximum(size, 1)
    has_changed = np.bincount(before, changed) > 0
    unchanged = lost[(size > 0) & ~has_changed]
    return float(unchanged.max(initial=0)), float(np.average(lost, weights=size))


def quality(method: str, graph: Graph, communities: gc.Communities) -> float:
    """Return the modularity, the description length, or the share of edges inside communities."""
    if method == "auto":
        core = Problem.of(graph).core
        return float(-Target(core).model("planted").score(communities.ranks[core.nodes]))
    if method == "leiden":
        return float(modularity(graph, communities.ranks))
    return float(communities.quality()["coverage"])


def run(method: str) -> None:
    """Print a row for each round, and the means."""
    rng = np.random.default_rng(SEED)
    loaded = gc.datasets.load("com-dblp")
    graph = Graph.from_edges(loaded.source, loaded.target, nodes=loaded.num_nodes)
    gc.detect(graph, method)  # compiles
    current = gc.detect(graph, method)
    for weight in (None, np.full(graph.num_edges, 2.0)):  # compiles for graphs without and with weights
        other = Graph.from_edges(graph.source, graph.target, weight, nodes=graph.num_nodes)
        gc.detect(other, method, start=current)
    rows = []
    print(f"{method}: round, seconds of the update and of a fresh run, their ratio, quality relative to the fresh run,")
    print("largest loss of an unchanged community, mean loss, AMI with the round before (fresh)")
    for number in range(1, ROUNDS + 1):
        new = rewired(graph, SHARE, rng)
        start = time.perf_counter()
        updated = gc.detect(new, method, start=current)
        middle = time.perf_counter()
        fresh = gc.detect(new, method)
        seconds = middle - start, time.perf_counter() - middle
        better = quality(method, new, updated) / quality(method, new, fresh) - 1
        if method == "auto":
            better = -better  # shorter is better
        losses = lost_shares(current.ranks, updated.ranks, changed_nodes(graph, new))
        same = ami(current.ranks, updated.ranks), ami(current.ranks, fresh.ranks)
        rows.append((*seconds, seconds[1] / seconds[0], better, *losses, *same))
        print(
            f"{number:3d}  {seconds[0]:.3f}  {seconds[1]:.3f}  {rows[-1][2]:5.1f}  {better:+.4%}  {losses[0]:.4f}  "
            f"{losses[1]:.4f}  {same[0]:.4f} ({same[1]:.4f})  {updated.changes}",
            flush=True,
        )
        graph, current = new, updated
    mean = np.mean(rows, axis=0)
    ratio = mean[1] / mean[0]
    print(
        f"mean {mean[0]:.3f}  {mean[1]:.3f}  {ratio:5.1f}  {mean[3]:+.4%}  worst loss {max(row[4] for row in rows):.4f}"
    )


if __name__ == "__main__":
    for name in sys.argv[1:] or ("auto", "leiden", "label-propagation"):
        run(name)
