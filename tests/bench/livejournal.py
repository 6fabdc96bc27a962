"""Read a file of com-LiveJournal's size (3,997,962 nodes, 34,681,189 edges, .gz) within 4 GiB.

    python tests/bench/livejournal.py

The data set is not at hand: a file of its layout and size is made first, in a temporary folder.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NODES, EDGES = 3_997_962, 34_681_189

READ = """
import resource, sys, time
import graphclust as gc
start = time.perf_counter()
graph = gc.read_graph(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"{graph}: {time.perf_counter() - start:.1f} s, peak {peak:.2f} GiB")
sys.exit(peak > 4)
"""


def make(path):
    """Write distinct edges in SNAP's order: by source, then target."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pc

    rng = np.random.default_rng(0)
    key = np.sort(rng.integers(0, NODES, EDGES * 21 // 20) * NODES + rng.integers(0, NODES, EDGES * 21 // 20))
    key = key[np.concatenate(([True], key[1:] != key[:-1]))]
    key = np.sort(rng.choice(key, EDGES, replace=False))
    table = pa.table({"s": key // NODES, "t": key % NODES})
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b"# Undirected graph: com-lj.ungraph.txt\n# LiveJournal\n# FromNodeId\tToNodeId\n")
        pc.write_csv(table, stream, pc.WriteOptions(include_header=False, delimiter="\t"))


def main():
    if len(sys.argv) > 1:
        make(sys.argv[1])
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "com-lj.ungraph.txt.gz"
        start = time.perf_counter()
        subprocess.run([sys.executable, __file__, str(path)], check=True)
        print(f"made {path.stat().st_size / 2**20:.0f} MiB in {time.perf_counter() - start:.0f} s", flush=True)
        return subprocess.run([sys.executable, "-c", READ, str(path)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
