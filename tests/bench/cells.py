"""Leiden on the graph of nearest neighbors of a million cells, by `gc.tl.leiden`.

    python tests/bench/cells.py [--cells 1000000]

Each cell has 15 neighbors, nine in ten of which are of its own kind; the graph is made symmetric, as by
`scanpy.pp.neighbors`, with some 29 entries per cell. Cells are of kinds with between 20 and 20,000 members. What stands
for the AnnData has the three attributes that `gc.tl` uses.
"""

from __future__ import annotations

import argparse
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import scipy.sparse as sp

import graphclust as gc

NEIGHBORS, INSIDE, SECONDS = 15, 0.9, 60.0


def cells(n: int) -> SimpleNamespace:
    """Return cells with planted kinds."""
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.uniform(np.log(20), np.log(20_000), n)).astype(int)
    ends = np.cumsum(sizes)
    ends = np.append(ends[ends < n], n)
    kind = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    first, size = np.append(0, ends[:-1])[kind], np.diff(ends, prepend=0)[kind]
    source = np.repeat(np.arange(n), NEIGHBORS)
    near = first[source] + rng.integers(0, size[source])
    target = np.where(rng.random(len(source)) < INSIDE, near, rng.integers(0, n, len(source)))
    matrix = sp.csr_matrix((rng.uniform(0.05, 1, len(source)), (source, target)), shape=(n, n))
    matrix.setdiag(0)
    matrix = matrix.maximum(matrix.T)
    matrix.eliminate_zeros()
    order = rng.permutation(n)
    obs = pd.DataFrame({"kind": kind[order].astype(str)}, index=np.arange(n).astype(str))
    return SimpleNamespace(obs=obs, obsp={"connectivities": sp.csr_matrix(matrix[order][:, order])}, uns={})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1_000_000)
    n = parser.parse_args().cells
    gc.tl.leiden(cells(10_000))  # load compiled code
    adata = cells(n)
    entries = adata.obsp["connectivities"].nnz
    start = time.perf_counter()
    gc.tl.leiden(adata)
    seconds = time.perf_counter() - start
    ami = gc.metrics.ami(adata.obs["leiden"].astype(int), adata.obs["kind"].astype(int))
    found = adata.obs["leiden"].nunique()
    print(
        f"{'ok  ' if seconds < SECONDS else 'MISS'} {n:,} cells, {entries:,} entries: {seconds:.1f} s "
        f"(bar: {SECONDS:.0f}); {found} communities of {adata.obs['kind'].nunique()} kinds, AMI {ami:.3f}"
    )


if __name__ == "__main__":
    main()
