"""Measure the bar of the LFR generator: `python tests/bench/lfr.py [--nodes N ...] [--seeds N]`, ten minutes for all.

Three sizes, six values of mu, two kinds of communities, 20 seeds each, 200 below 10,000 nodes. In every graph: mu, over
the ends of edges and in the mean over nodes, the bounds, no self-loops and no repeats, recomputed from the edges; in
the mean over the seeds: both exponents, by maximum likelihood on their bounded ranges.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from scipy.optimize import minimize_scalar

from graphclust.generators import lfr

MUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
TAU1, TAU2 = 2.5, 1.5
BOUNDS = {  # Lancichinetti & Fortunato 2009's two kinds of communities
    "small": {"average_degree": 15, "max_degree": 50, "min_community": 10, "max_community": 50},
    "big": {"average_degree": 20, "max_degree": 50, "min_community": 20, "max_community": 100},
}


def exponent(values, low, high):
    """Maximum-likelihood exponent of a power law on low, ..., high."""
    logs, mean = np.log(np.arange(low, high + 1)), np.log(values).mean()
    return minimize_scalar(lambda tau: tau * mean + np.log(np.exp(-tau * logs).sum()), bounds=(-2, 8)).x


def measure(n, mu, seed, bounds):
    """Draw one graph; return its deviations from mu, its exponents, its number of edges and the seconds it took."""
    start = time.perf_counter()
    graph = lfr(n, tau1=TAU1, tau2=TAU2, mu=mu, random_state=seed, **bounds)
    seconds = time.perf_counter() - start
    ends, others = np.concatenate((graph.source, graph.target)), np.concatenate((graph.target, graph.source))
    degree, sizes = np.bincount(ends, minlength=n), np.bincount(graph.y)
    out = np.bincount(ends, weights=graph.y[ends] != graph.y[others], minlength=n)
    pairs = np.minimum(ends, others) * n + np.maximum(ends, others)
    sound = (
        graph.num_nodes == len(graph.y) == n
        and graph.weight is None
        and len(np.unique(pairs)) == graph.num_edges
        and not (ends == others).any()
        and bounds["min_community"] <= sizes.min() <= sizes.max() <= bounds["max_community"]
        and 1 <= degree.min() <= degree.max() <= bounds["max_degree"]
    )
    least = degree.min() + 1  # the least degree itself is rarer, to fit the average
    return (
        abs(out.sum() / degree.sum() - mu),
        abs((out / degree).mean() - mu),
        exponent(degree[degree >= least], least, bounds["max_degree"]),
        exponent(sizes, bounds["min_community"], bounds["max_community"]),
        degree.mean(),
        graph.num_edges,
        seconds,
        sound,
    )


def main():
    """Print the table; exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    start = time.perf_counter()
    lfr(100, random_state=0)
    print(f"first graph (compiling, if it has to): {time.perf_counter() - start:.1f} s\n")
    print("nodes   communities  mu   | worst |mu - asked|     | mean over the seeds       | seconds        | edges")
    print("                          | of ends    of nodes    | tau1   tau2   mean degree | mean   worst   |")
    failed = 0
    for n in args.nodes:
        for name, bounds in BOUNDS.items():
            for mu in MUS:
                seeds = args.seeds * (1 if n >= 10_000 else 10)  # small graphs have few communities
                rows = [measure(n, mu, round(10 * mu) * 1000 + seed, bounds) for seed in range(seeds)]
                ends, nodes, tau1, tau2, mean, edges, seconds, sound = map(np.array, zip(*rows, strict=True))
                good = sound.all() and max(ends.max(), nodes.max()) < 0.01 and seconds.max() < 10
                good &= abs(tau1.mean() - TAU1) < 0.1 and abs(tau2.mean() - TAU2) < 0.1
                failed += not good
                print(
                    f"{n:7d} {name:11s} {mu:4.1f}  | {ends.max():.6f}   {nodes.max():.6f}   | {tau1.mean():.3f}  "
                    f"{tau2.mean():.3f}  {mean.mean():.3f}      | {seconds.mean():6.3f} {seconds.max():6.3f}  | "
                    f"{edges.mean():9.0f} {'ok' if good else 'MISSED'}",
                    flush=True,
                )
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
