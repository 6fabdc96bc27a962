"""Measure the bars of the foundation: `make bench`, or `python tests/bench/foundation.py [PART ...]`.

Absolute times mean little on a shared machine: each is paired with the plain way of doing the same thing, the two in
turn, and what counts is the median of the ratios. Whole commands are timed from outside, as processes.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(os.environ.get("GRAPHCLUST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
DBLP = DATA / "snap/com-dblp.ungraph.txt.gz"
FOOTBALL = DATA / "classic/football.edgelist"
GRAPHCLUST = [sys.executable, "-m", "graphclust"]

# what somebody would write who has only pandas and igraph, with the settings of our Leiden
PLAIN = """
import random, sys
import igraph, pandas as pd
edges = pd.read_csv(sys.argv[1], sep="\\t", comment="#", header=None)
random.seed(0)
ids, codes = pd.factorize(edges.to_numpy().ravel(), sort=True)[::-1]
graph = igraph.Graph(n=len(ids), edges=codes.reshape(-1, 2))
found = graph.community_leiden("modularity", n_iterations=10)
pd.DataFrame({"node": ids, "community": found.membership}).to_csv(sys.argv[2], sep="\\t", index=False)
"""


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(ours, plain, runs):
    """Run the two in turn, after one warm-up each; return the medians and the median ratio."""
    ours(), plain()
    times = [(timed(ours), timed(plain)) for _ in range(runs)]
    ratios = [a / b for a, b in times]
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times), statistics.median(ratios)


def process(command):
    """Run a command; return its wall seconds and the peak of its memory in MiB."""
    start = time.perf_counter()
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def line(what, measured, bar, good):
    print(f"{'ok  ' if good else 'MISS'}  {what:<62} {measured:<46} bar {bar}", flush=True)


def reading(runs):
    import numpy as np
    import pandas as pd

    from graphclust.inputs import read_graph

    def plain():
        pd.read_csv(DBLP, sep="\t", skiprows=4, header=None, dtype=np.int64)

    ours, base, ratio = paired(lambda: read_graph(DBLP), plain, runs)
    line(
        "read com-dblp into a Graph / pandas.read_csv",
        f"{ratio:.2f}x  ({ours:.3f} s, {base:.3f} s)",
        "1.5x",
        ratio <= 1.5,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "named.csv.gz"
        rows = [row.split(b"\t") for row in gzip.decompress(DBLP.read_bytes()).splitlines() if not row.startswith(b"#")]
        text = b"# authors\n# who wrote together\nsource,target\n" + b"".join(
            b"author_%s,author_%s\n" % (u, v) + (b"# half\n" if i == len(rows) // 2 else b"")
            for i, (u, v) in enumerate(rows)
        )
        path.write_bytes(gzip.compress(text, 6))
        ours, base, ratio = paired(lambda: read_graph(path), plain, runs)
    line(
        "the same with string ids, header, comments / pandas on the integers",
        f"{ratio:.2f}x  ({ours:.3f} s, {base:.3f} s)",
        "5x",
        ratio <= 5,
    )


def detecting(runs):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.tsv"
        ours = [*GRAPHCLUST, "detect", DBLP, "--method", "leiden", "--out", out]
        plain = [sys.executable, "-c", PLAIN, DBLP, out]
        process(ours), process(plain)
        pairs = [(process(ours), process(plain)) for _ in range(runs)]
    ratio = statistics.median(a[0] / b[0] for a, b in pairs)
    peak = statistics.median(a[1] / b[1] for a, b in pairs)
    seconds = [statistics.median(pair[i][0] for pair in pairs) for i in (0, 1)]
    mib = [statistics.median(pair[i][1] for pair in pairs) for i in (0, 1)]
    for what, value, unit, (ours, plain) in (("wall", ratio, "s", seconds), ("peak memory", peak, "MiB", mib)):
        measured = f"{value:.2f}x  ({ours:.3g} {unit}, {plain:.3g} {unit})"
        line(f"detect com-dblp --method leiden / plain script, {what}", measured, "1.5x", value <= 1.5)


def starting(runs):
    for what, command, bar in (
        ("graphclust --help", [*GRAPHCLUST, "--help"], 0.5),
        (
            "graphclust detect football.edgelist --method leiden",
            [*GRAPHCLUST, "detect", FOOTBALL, "--method", "leiden"],
            1.5,
        ),
    ):
        process(command)
        times = [process(command)[0] for _ in range(runs)]
        line(
            what,
            f"{statistics.median(times):.2f} s  (max {max(times):.2f} s)",
            f"{bar} s",
            statistics.median(times) < bar,
        )


def loading(runs):
    """Load com-dblp with its communities, in a process of its own: what counts is the call, not the imports before."""
    code = (
        "import time, graphclust.datasets as d; import graphclust.graph; t = time.perf_counter(); d.load('com-dblp');"
        "print(time.perf_counter() - t)"
    )
    environment = {**os.environ, "GRAPHCLUST_DATA": str(DATA)}
    times = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        times.append(float(done.stdout))
    line("datasets.load('com-dblp'), first in its process", f"{statistics.median(times):.2f} s", "2 s", max(times) < 2)


def measuring(runs):
    import graphclust as gc

    graph = gc.read_graph(DBLP)
    labels = gc.Leiden(n_iterations=2, random_state=0).fit(graph).labels_
    times = [timed(lambda: gc.metrics.modularity(graph, labels)) for _ in range(runs)]
    line("modularity of com-dblp's Leiden partition", f"{statistics.median(times):.3f} s", "0.5 s", max(times) < 0.5)


# processes first: the peak that the system reports for a child is never below its parent's size when it was started
PARTS = {"detecting": detecting, "starting": starting, "loading": loading, "reading": reading, "measuring": measuring}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if not DBLP.is_file():
        sys.exit(f"{DBLP} is not here: set GRAPHCLUST_DATA")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, medians of {options.runs} runs")
    for name in options.parts or PARTS:
        PARTS[name](options.runs)


if __name__ == "__main__":
    main()
