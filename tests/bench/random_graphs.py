"""Measure the bars of the generators: `python tests/bench/random_graphs.py`; each part in a process of its own."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time

N, BLOCKS, EDGES = 1_000_000, 1_000, 10_000_000
SIZE = N // BLOCKS
P_IN = 0.5 * EDGES / (BLOCKS * SIZE * (SIZE - 1) / 2)  # half of the edges within blocks
P_OUT = 0.5 * EDGES / (N * (N - 1) / 2 - BLOCKS * SIZE * (SIZE - 1) / 2)


def line(what, measured, bar, good):
    print(f"{'ok  ' if good else 'MISS'}  {what:<62} {measured:<46} bar {bar}", flush=True)


def planted():
    import graphclust as gc

    start = time.perf_counter()
    graph = gc.generators.planted_partition(N, BLOCKS, p_in=P_IN, p_out=P_OUT, random_state=0)
    return time.perf_counter() - start, graph.num_edges


def igraph_sbm():
    import igraph
    import numpy as np

    matrix = np.full((BLOCKS, BLOCKS), P_OUT)
    np.fill_diagonal(matrix, P_IN)
    matrix = matrix.tolist()
    start = time.perf_counter()
    graph = igraph.Graph.SBM(matrix, [SIZE] * BLOCKS)
    return time.perf_counter() - start, graph.ecount()


def streams(n_eigenvectors):
    import graphclust as gc

    batches = gc.generators.stream("general-sbm", batch_size=16, n_eigenvectors=n_eigenvectors)
    next(batches)
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < 8:
        count += len(next(batches))
    return count / (time.perf_counter() - start), count


WORK = {
    "planted": planted,
    "igraph": igraph_sbm,
    "stream": lambda: streams(0),
    "features": lambda: streams(20),
}


def alone(name):
    """Run one piece of work in a process of its own; return its two results and the peak memory in GiB."""
    done = subprocess.run([sys.executable, __file__, "--work", name], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", choices=WORK)
    options = parser.parse_args()
    if options.work:
        first, second = WORK[options.work]()
        print(first, second, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    pairs = [(alone("planted"), alone("igraph")) for _ in range(3)]
    ours, plain = (sorted(pair[i] for pair in pairs)[1] for i in (0, 1))
    what = f"planted partition, {N:,} nodes, {int(ours[1]):,} edges, {BLOCKS:,} blocks"
    line(what, f"{ours[0]:.1f} s", "15 s", ours[0] <= 15)
    line("  peak memory of the process", f"{ours[2]:.2f} GiB", "2 GiB", ours[2] <= 2)
    ratio = sorted(a[0] / b[0] for a, b in pairs)[1]
    line("  / igraph.Graph.SBM", f"{ratio:.2f}x  ({plain[0]:.1f} s)", "2x", ratio <= 2)
    rate = alone("stream")[0]
    line("general-sbm stream, batches of 16", f"{rate:.0f} graphs/s", "400", rate >= 400)
    rate = alone("features")[0]
    line("  with 20 Laplacian eigenvectors", f"{rate:.0f} graphs/s", "100", rate >= 100)


if __name__ == "__main__":
    main()
