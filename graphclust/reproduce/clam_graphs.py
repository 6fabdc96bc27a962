"""CLAM on node embeddings of attributed graphs, compared with k-means on the same vectors.

There are two embeddings. The first averages the features over two steps in the graph, scales rows to length one and
keeps the leading components. The second is the spectral embedding of the graph alone. Classes are used for the number
of clusters and for the scores.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from graphclust import datasets
from graphclust.graph import Graph
from graphclust.kernels.eigenvectors import rows_of_length_one, spectral_embedding
from graphclust.kernels.kmeans import kmeans
from graphclust.methods.clam import CLAM
from graphclust.methods.points import smoothed_vectors
from graphclust.metrics import compare_labels
from graphclust.reproduce.sheet import check_names, n_classes, over_seeds, settings
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

__all__ = ["COLUMNS", "GRAPHS", "reproduce"]

GRAPHS = ("cora", "citeseer", "acm", "dblp")
COLUMNS = (
    "data", "vectors", "d", "k", "method", "accuracy", "accuracy_sd", "nmi", "nmi_sd", "ari", "ari_sd", "silhouette",
    "seconds",
)  # fmt: skip
_COMPONENTS = 32


def _vectors(graph: Graph, kind: str, k: int, seed: int) -> FloatArray:
    if kind == "spectral":
        return spectral_embedding(graph.undirected().adjacency(), k, random_state=seed)
    from sklearn.decomposition import TruncatedSVD

    rows = rows_of_length_one(smoothed_vectors(graph))
    components: FloatArray = TruncatedSVD(_COMPONENTS, random_state=seed).fit_transform(rows)
    return components


def _clusters(method: str, x: FloatArray, k: int, seed: int) -> IntArray:
    if method == "k-means":
        return kmeans(x, k, 20, seed)
    labels: IntArray = CLAM(k, scale=False, random_state=seed).fit(x).labels_
    return labels


def reproduce(seed: int = 0, quick: bool = False, repeats: int = 5, data: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    seed : int
    quick : bool
        Use one seed.
    repeats : int
        Number of seeds, starting with `seed`, for means and standard deviations.
    data : tuple of str
        Names from `GRAPHS`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers (none), settings.

    Raises
    ------
    UsageError
        A graph is unknown.
    DataError
        A graph is not on this machine.
    """
    import torch

    from graphclust.models.silhouette import Silhouette

    check_names("graph of the table", data, GRAPHS)
    repeats = 1 if quick else repeats
    rows: list[dict[str, Any]] = []
    with task("measuring", len(data or GRAPHS) * 4) as advance:
        for name in data or GRAPHS:
            graph: Graph = datasets.load(name)
            assert graph.y is not None
            known, k = graph.y >= 0, n_classes(graph.y)
            for kind in ("smoothed", "spectral"):
                x = _vectors(graph, kind, k, seed)
                measure = Silhouette(torch.as_tensor(x, dtype=torch.float32))
                for method in ("k-means", "clam"):
                    start = time.perf_counter()
                    partitions = [_clusters(method, x, k, seed + i) for i in range(repeats)]
                    line: dict[str, Any] = {"data": name, "vectors": kind, "d": x.shape[1], "k": k, "method": method}
                    line["seconds"] = (time.perf_counter() - start) / repeats
                    scores = [compare_labels(graph.y[known], labels[known]) for labels in partitions]
                    line |= over_seeds([{key: values[key] for key in ("accuracy", "nmi", "ari")} for values in scores])
                    line["silhouette"] = float(measure(torch.as_tensor(np.stack(partitions)), k).mean())
                    rows.append(line)
                    advance()
    made_with = settings(seed=seed, repeats=repeats, components=_COMPONENTS)
    return {"table": "clam-graphs", "rows": rows, "peers": [], "settings": made_with}
