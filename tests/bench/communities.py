"""Leiden, label propagation and auto beside networkit, in one run: python tests/bench/communities.py [PART ...].

| part | |
|---|---|
| dblp | com-dblp in memory: time at the modularity of igraph with 2 and with 10 iterations; label propagation |
| commands | com-dblp: whole commands, beside a script of pandas and networkit |
| lfr | LFR graph of 10^6 nodes, average degree 11, mu 0.4: auto, and Leiden with one and two threads |
| large | planted partition of 10^6 nodes and 10^7 edges: Leiden and auto, with their memory |

GRAPHCLUST_PEERS names the Python of an environment with networkit and pandas; without it, only our times are printed.
Loops are compiled before anything is timed. com-dblp needs the data, see graphclust.datasets.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import graphclust as gc
from graphclust.kernels.leiden import leiden
from graphclust.kernels.local_moves import move_nodes
from graphclust.metrics import modularity, rank_labels
from graphclust.problem.kernel_input import kernel_input
from graphclust.problem.problem import Problem
from graphclust.runtime.threads import Threads

PEERS = os.environ.get("GRAPHCLUST_PEERS")
N_THREADS = 2
NETWORKIT = """
import json, sys, time
import networkit as nk, numpy as np
nk.setNumberOfThreads(int(sys.argv[2]))
ends = np.load(sys.argv[1])
graph = nk.GraphFromCoo((ends[0], ends[1]), n=int(ends.max()) + 1)
for name, method in (("leiden", nk.community.ParallelLeiden), ("propagation", nk.community.PLP)):
    for _ in range(3):
        run = method(graph)
        start = time.perf_counter()
        run.run()
        seconds = time.perf_counter() - start
        quality = nk.community.Modularity().getQuality(run.getPartition(), graph)
        print(json.dumps([name, seconds, quality]), flush=True)
"""
SCRIPT = """
import sys
import networkit as nk, numpy as np, pandas as pd
nk.setNumberOfThreads(2)
table = pd.read_csv(sys.argv[1], sep="\\t", comment="#", header=None)
codes, ids = pd.factorize(np.concatenate((table[0], table[1])), sort=True)
graph = nk.GraphFromCoo((codes[: len(table)], codes[len(table) :]), n=len(ids))
labels = nk.community.detectCommunities(graph, nk.community.ParallelLeiden(graph), inspect=False).getVector()
pd.DataFrame({"node": ids, "community": labels}).to_csv(sys.argv[2], sep="\\t", index=False)
"""


def line(name, value, is_met=None, bar=""):
    mark = "    " if is_met is None else "ok  " if is_met else "MISS"
    print(f"{mark} {name}: {value}" + (f" (bar: {bar})" if bar else ""), flush=True)


def timed(function, repeats=3):
    """The shortest time of some calls, and the result."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


def networkit(graph):
    """The best time and the mean quality of networkit's methods: {"leiden": (s, q), "propagation": (s, q)}."""
    if PEERS is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ends.npy")
        np.save(path, np.stack((graph.source, graph.target)))
        command = [PEERS, "-c", NETWORKIT, path, str(N_THREADS)]
        rows = [json.loads(row) for row in subprocess.check_output(command, text=True).splitlines()]
    return {
        name: (min(s for other, s, _ in rows if other == name), np.mean([q for other, _, q in rows if other == name]))
        for name in ("leiden", "propagation")
    }


def ours(graph, n_threads=N_THREADS):
    """Functions that run our methods, whose conversion of the graph is not timed, as networkit's is not."""
    rows, masses, unit = kernel_input(Problem.of(graph).core.graph)
    n = len(masses)

    def by_leiden(n_iterations, seed=0):
        with Threads(n_threads) as threads:
            return leiden(rows, masses, unit, n_iterations=n_iterations, threads=threads, seed=seed)

    def by_propagation():
        with Threads(n_threads) as threads:
            return move_nodes(rows, masses, np.arange(n), 0.0, seed=0, threads=threads).labels

    return by_leiden, by_propagation


def dblp():
    graph = gc.datasets.load("com-dblp").canonical()
    by_leiden, by_propagation = ours(graph)
    by_leiden(2)
    peers = networkit(graph)
    for name, (seconds, quality) in peers.items():
        line(f"networkit's {name}", f"{seconds:.2f} s, modularity {quality:.4f}")
    times = {}
    for n_iterations in (1, 2, 3, 4, 5, 6, 7, 10):  # shortest time and mean quality of four seeds
        runs = [timed(lambda n=n_iterations, seed=seed: by_leiden(n, seed), 1) for seed in range(4)]
        seconds, quality = min(s for s, _ in runs), float(np.mean([modularity(graph, labels) for _, labels in runs]))
        times[n_iterations] = seconds, quality
        line(f"Leiden, {n_iterations} iterations", f"{seconds:.2f} s, modularity {quality:.4f}")
    seconds, labels = timed(by_propagation)
    line("label propagation", f"{seconds:.2f} s, modularity {modularity(graph, rank_labels(labels)):.4f}")
    if peers:
        for least, bar in ((0.830, 1.0), (0.8379, 1.5)):
            ratio = min((s for s, q in times.values() if q >= least), default=np.inf) / peers["leiden"][0]
            line(f"Leiden at modularity {least}, relative to networkit", f"{ratio:.2f}", ratio <= bar, f"at most {bar}")
        ratio = seconds / peers["propagation"][0]
        line("label propagation, relative to networkit", f"{ratio:.2f}", ratio <= 1.5, "at most 1.5")


def command(*arguments):
    """Seconds and last line of stderr of a command."""
    start = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stderr.strip().rpartition("\n")[2]


def commands():
    path = subprocess.check_output([sys.executable, "-m", "graphclust", "data", "path", "com-dblp"], text=True).strip()
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "out.tsv"))
        script = min(command(PEERS, "-c", SCRIPT, path, out)[0] for _ in range(3)) if PEERS else None
        if script is not None:
            line("a script of pandas and networkit", f"{script:.2f} s")
        for method, bar in (("leiden", None), ("label-propagation", None), ("auto", 20.0)):
            runs = [
                command(sys.executable, "-m", "graphclust", "detect", path, "-m", method, "-o", out) for _ in range(3)
            ]
            seconds, text = min(runs)
            line(f"graphclust detect -m {method}", f"{seconds:.2f} s; {text}", None if bar is None else seconds < bar)
            if method == "leiden" and script is not None:
                line("relative to the script", f"{seconds / script:.2f}", seconds <= 1.5 * script, "at most 1.5")
    auto = gc.METHODS["auto"](random_state=0).fit(gc.datasets.load("com-dblp"))
    length = auto.details_["description_length"]
    line("auto, description length", f"{length:,.0f} nats", length <= 8_187_519, "at most 8,187,519")


def lfr():
    graph = gc.generators.lfr(1_000_000, average_degree=11, mu=0.4, random_state=1)
    line("LFR graph", graph)
    for name, (seconds, quality) in networkit(graph).items():
        line(f"networkit's {name}", f"{seconds:.2f} s, modularity {quality:.4f}")
    times = {}
    for n_threads in (1, 2):
        by_leiden, by_propagation = ours(graph, n_threads)
        times[n_threads], labels = timed(lambda run=by_leiden: run(1), 2)
        line(f"Leiden, 1 iteration, {n_threads} threads", f"{times[n_threads]:.2f} s, {modularity(graph, labels):.4f}")
        seconds, labels = timed(by_propagation, 2)
        quality = modularity(graph, rank_labels(labels))
        line(f"label propagation, {n_threads} threads", f"{seconds:.2f} s, modularity {quality:.4f}")
    line("two threads against one", f"{times[1] / times[2]:.2f}", times[1] >= 1.6 * times[2], "at least 1.6")
    seconds, result = timed(lambda: gc.METHODS["auto"](random_state=0).fit(graph), 1)
    ami = gc.metrics.ami(result.labels_, graph.y)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line("auto", f"{seconds:.1f} s, AMI {ami:.4f}", seconds < 60 and ami >= 0.995, "under 60 s, at least 0.995")
    line("peak memory, with the generator", f"{peak:.2f} GiB")


def large():
    graph = gc.generators.planted_partition(1_000_000, 1000, p_in=0.014, p_out=6.0e-6, random_state=0)
    line("planted partition", graph)
    for method, most in (("leiden", 15.0), ("auto", 120.0)):
        seconds, result = timed(lambda method=method: gc.METHODS[method](random_state=0).fit(graph), 1)
        ami = gc.metrics.ami(result.labels_, graph.y)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        value = f"{seconds:.1f} s, AMI {ami:.4f}, peak memory so far {peak:.2f} GiB"
        line(method, value, seconds < most and peak < 3, f"under {most:g} s, 3 GiB")


PARTS = {"dblp": dblp, "commands": commands, "lfr": lfr, "large": large}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        if len(sys.argv) == 2:
            PARTS[part]()
        else:  # each part in a process of its own, because of its memory
            subprocess.run([sys.executable, __file__, part], check=True)
