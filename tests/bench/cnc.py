"""Bars of CNC that `graphclust reproduce` does not hold: `python tests/bench/cnc.py [step] [fit] [unseen]`.

`step`: com-dblp's largest network (317,080 nodes, 1,049,866 edges), 64 clusters: a training step against the bare
product W Y of that size, forward and backward, in turns. `fit`: a whole fit of it, time and peak memory. Both need the
real data (GRAPHCLUST_DATA). `unseen`: a network that learned on one General-SBM graph with node features is used on
others of its family, against spectral clustering from one start, ours and scikit-learn's (by its solver that is quick
on such graphs): time, and the normalized cut.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

import graphclust as gc
from graphclust.graph import Graph
from graphclust.methods.cutter import Cutter
from graphclust.metrics import normalized_cut, rank_labels
from graphclust.models.cnc import FreeHead, expected_normalized_cut, gumbel_softmax
from graphclust.runtime.arrays import IntArray
from graphclust.training.loops import Fleet

CLUSTERS = 64


def step(repeats: int = 7) -> None:
    """Print the time of a training step over that of the bare product."""
    graph = gc.datasets.load("com-dblp")
    cutter = Cutter(graph, CLUSTERS)
    affinity = cutter.affinity(torch.device("cpu"))
    n = graph.num_nodes
    head = FreeHead(n, CLUSTERS, 1, torch.Generator().manual_seed(0))
    noise = torch.Generator().manual_seed(0)

    def loss(index: torch.Tensor, _: int) -> torch.Tensor:
        y = gumbel_softmax(head().transpose(0, 1), 1.0, noise)
        return expected_normalized_cut(y, affinity)[:, None].expand(-1, len(index))

    fleet = Fleet(list(head.parameters()), torch.tensor([0.2]))
    y = torch.softmax(torch.randn(n, CLUSTERS), 1).requires_grad_()
    ratios = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        for _ in fleet.epochs(1, 1, 1, loss):
            pass
        ours = time.perf_counter() - start
        start = time.perf_counter()
        (affinity.weight @ y).sum().backward()
        bare = time.perf_counter() - start
        if i:
            ratios.append(ours / bare)
            print(f"step: {ours:.3f} s, bare product {bare:.3f} s, ratio {ratios[-1]:.2f}", flush=True)
    print(f"step: median ratio {np.median(ratios):.2f} (bar 3)")


def fit() -> None:
    """Print time and peak memory of a whole fit, and its cut beside Leiden's brought to as many clusters."""
    graph = gc.datasets.load("com-dblp")
    start = time.perf_counter()
    fitted = gc.CNC(CLUSTERS, random_state=0).fit(graph)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"fit: {seconds:.0f} s (bar 600), peak {peak:.2f} GiB (bar 3), {fitted.n_clusters_} clusters, normalized cut "
        f"{normalized_cut(graph, fitted.labels_):.4f}, {fitted.details_}",
        flush=True,
    )
    peer = gc.Leiden(CLUSTERS, random_state=0).fit(graph).labels_
    print(f"fit: Leiden brought to {CLUSTERS} clusters: normalized cut {normalized_cut(graph, peer):.4f}")


def family(seed: int, k: int, n: int = 10_000) -> Graph:
    """Draw a graph of blocks with features that tell them badly; the features' means are those of the family."""
    p = np.full((k, k), 0.0005) + np.diag(np.linspace(0.0015, 0.0025, k) * k)
    graph = gc.generators.sbm([n // k] * k, p, random_state=seed)
    means = np.random.default_rng(7).normal(size=(k, 16))
    x = means[graph.y] + 1.5 * np.random.default_rng(seed).normal(size=(n, 16))
    return Graph.from_edges(graph.source, graph.target, nodes=n, x=x, y=graph.y)


def unseen(graphs: int = 10) -> None:
    """Print time and cut of `predict` on graphs not trained on, beside spectral clustering from one start."""
    from sklearn.cluster import SpectralClustering

    for k, width in ((10, 32), (20, 64)):
        model = gc.CNC(k, head="gnn", hidden=(width,), polish=False, random_state=0).fit(family(0, k))
        peers: dict[str, Callable[[Graph, int], IntArray]] = {
            "ours": lambda graph, seed, k=k: gc.Spectral(k, n_init=1, random_state=seed).fit(graph).labels_,
            "scikit-learn's": lambda graph, seed, k=k: SpectralClustering(
                k, affinity="precomputed", eigen_solver="lobpcg", n_init=1, random_state=seed
            ).fit_predict(graph.adjacency()),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ("predict", *peers)}
        cuts: dict[str, list[float]] = {name: [] for name in seconds}
        for seed in range(1, graphs + 1):
            graph = family(seed, k)
            for name in seconds:
                start = time.perf_counter()
                labels = model.predict(graph) if name == "predict" else peers[name](graph, seed)
                seconds[name].append(time.perf_counter() - start)
                cuts[name].append(normalized_cut(graph, rank_labels(labels)))
        print(f"unseen: {graphs} graphs of 10,000 nodes, {k} blocks: {np.median(seconds['predict']) * 1e3:.1f} ms")
        for name in peers:
            faster = np.median(np.array(seconds[name]) / np.array(seconds["predict"]))
            worse = 100 * (np.array(cuts["predict"]) / np.array(cuts[name]) - 1)
            print(
                f"unseen: {faster:.1f} times faster than spectral clustering, {name} (bar 10); normalized cut "
                f"{np.mean(cuts['predict']):.4f} against {np.mean(cuts[name]):.4f}: {worse.mean():+.2f} %, at most "
                f"{worse.max():+.2f} % (bar 5 %)",
                flush=True,
            )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"step": step, "fit": fit, "unseen": unseen}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    for name in parser.parse_args().parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
