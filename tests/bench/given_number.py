"""`auto` with a given number of communities on weak planted graphs, beside spectral clustering and Leiden.

    python tests/bench/given_number.py [GRAPHS_PER_CELL]

The cells are: 100, 200 and 400 nodes, 2, 4 and 8 equal blocks, mean degree 10, 1.2, 2 and 3 times the threshold of
detection (Kesten & Stigum), with and without varying degrees (gamma distributed with shape 4). Labels are used for
scores only.
"""

from __future__ import annotations

import math
import sys
import time
from itertools import product

import numpy as np

import graphclust as gc
from graphclust.metrics import ami
from graphclust.training.synthetic import TEST

DEGREE = 10.0
METHODS = ("auto", "spectral", "leiden")
NODES, BLOCKS, SIGNALS, VARIED = (100, 200, 400), (2, 4, 8), (1.2, 2.0, 3.0), (False, True)


def planted(n, k, signal, is_varied, seed):
    """Draw a planted partition so many times above the threshold of detection; None if no such one is possible."""
    difference = k * math.sqrt(signal * DEGREE)  # of the degrees inside and outside, times k
    p_out = (DEGREE - difference / k) / n
    p_in = p_out + difference / n
    if not 0 < p_out < p_in <= 1:
        return None
    labels = np.arange(n) % k
    factor = np.ones(n)
    rng = np.random.default_rng(seed)
    if is_varied:
        factor = rng.gamma(4.0, 0.25, n)
    probability = np.where(labels[:, None] == labels, p_in, p_out) * factor[:, None] * factor
    source, target = np.nonzero(np.triu(rng.random((n, n)) < probability, 1))
    return gc.Graph.from_edges(source, target, nodes=n, y=labels)


def main(per_cell=4):
    print(
        f"{'nodes':>5} {'k':>2} {'signal':>6} {'degrees':>8} "
        + " ".join(f"{m:>9}" for m in METHODS)
        + "  smallest  auto less the better"
    )
    cells, start = [], time.perf_counter()
    for n, k, signal, is_varied in product(NODES, BLOCKS, SIGNALS, VARIED):
        scores, smallest = {method: [] for method in METHODS}, 1.0
        for seed in range(TEST, TEST + per_cell):
            graph = planted(n, k, signal, is_varied, seed)
            if graph is None:
                break
            for method in METHODS:
                found = gc.detect(graph, method, n_clusters=k, random_state=0)
                scores[method].append(ami(graph.y, found.labels))
                if method == "auto":
                    smallest = min(smallest, found.quality()["sizes"][-1] / (n / k))
        if scores["auto"]:
            means = [float(np.mean(scores[method])) for method in METHODS]
            other = METHODS[1 + int(np.argmax(means[1:]))]
            difference = np.subtract(scores["auto"], scores[other])
            error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else 0.0
            cells.append((means, smallest, float(difference.mean()), error))
            kind = "varied" if is_varied else "equal"
            print(
                f"{n:5} {k:2} {signal:6.1f} {kind:>8} " + " ".join(f"{m:9.3f}" for m in means) + f"  {smallest:8.2f}"
                f"  {difference.mean():+.3f} ± {error:.3f}",
                flush=True,
            )
    total = np.mean([means for means, *_ in cells], axis=0)
    below = [(difference, error) for *_, difference, error in cells if difference < -0.01]
    n_graphs = len(cells) * per_cell
    print(f"mean over {n_graphs} graphs: " + ", ".join(f"{m} {v:.3f}" for m, v in zip(METHODS, total, strict=True)))
    print(f"worst cell: auto less the better of the others {min(row[2] for row in cells):+.3f}")
    print(
        f"cells where auto is more than .01 below: {len(below)} of {len(cells)}, of which "
        f"{sum(difference + 2 * error < 0 for difference, error in below)} by more than two standard errors"
    )
    print(f"smallest community, in mean sizes: {min(row[1] for row in cells):.2f}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
