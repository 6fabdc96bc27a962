"""Read com-dblp (1.05 M edges) and a file of its layout with 10 M edges, both .gz, relative to pandas in the same run.

    python tests/bench/reading.py

Bars: at most 1.0 times the time of `pandas.read_csv` for com-dblp, 1.2 times for 10 M edges. The larger file is made
first, in a temporary folder.
"""

from __future__ import annotations

import gzip
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("GRAPHCLUST_DATA") or ROOT.parent / "shared" / "data")
NODES, EDGES = 1_500_000, 10_000_000
HEAD = b"# Undirected graph: made.txt\n# random\n# Nodes: 1500000 Edges: 10000000\n# FromNodeId\tToNodeId\n"


def make(path):
    """Write distinct random edges in SNAP's order: by source, then target."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pc

    ends = np.sort(np.random.default_rng(0).integers(0, NODES, (EDGES * 11 // 10, 2)), axis=1)
    key = np.unique(ends[:, 0] * NODES + ends[:, 1])[:EDGES]
    table = pa.table({"s": key // NODES, "t": key % NODES})
    with gzip.open(path, "wb", compresslevel=6) as stream:
        stream.write(HEAD)
        pc.write_csv(table, stream, pc.WriteOptions(include_header=False, delimiter="\t"))


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(path, bar, runs):
    """Print the median ratio of paired runs, after one run of each; return whether it is within the bar."""
    import numpy as np
    import pandas as pd

    from graphclust.inputs import read_graph

    def ours():
        read_graph(path)

    def plain():
        pd.read_csv(path, sep="\t", skiprows=4, header=None, dtype=np.int64)

    ours(), plain()
    times = [(seconds(ours), seconds(plain)) for _ in range(runs)]
    ratio = statistics.median(a / b for a, b in times)
    best = [min(column) for column in zip(*times, strict=True)]
    print(f"{path.name:<28} {ratio:.2f}x pandas ({best[0]:.2f} s, {best[1]:.2f} s)  bar {bar}x", flush=True)
    return ratio <= bar


def main():
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "made.ungraph.txt.gz"
        make(large)
        is_good = compare(large, 1.2, 3)
    if dblp := next(DATA.rglob("com-dblp.ungraph.txt.gz"), None):
        is_good &= compare(dblp, 1.0, 7)
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
