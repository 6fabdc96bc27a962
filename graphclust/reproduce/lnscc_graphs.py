"""LNSCC on graphs with node features, compared with k-means on the features and spectral clustering of the graph.

The rows of the features are scaled to length one for both k-means and LNSCC. "lnscc, pieces" starts its head without a
mixture. Classes are used only for the number of clusters and for the scores.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphclust import datasets
from graphclust.graph import Graph
from graphclust.kernels.eigenvectors import rows_of_length_one
from graphclust.kernels.kmeans import kmeans
from graphclust.methods.lnscc import LNSCC
from graphclust.methods.spectral import Spectral
from graphclust.reproduce.sheet import check_names, n_classes, scored, settings, table_of
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.progress import task

__all__ = ["COLUMNS", "GRAPHS", "METHODS", "reproduce"]

GRAPHS = ("cora", "citeseer", "acm", "dblp")
METHODS = ("k-means", "spectral", "lnscc", "lnscc, pieces")
COLUMNS = ("data", "k", "method", "accuracy", "accuracy_sd", "nmi", "nmi_sd", "repeats", "seconds")


def _labels(method: str, graph: Graph, k: int, seed: int) -> IntArray:
    if method == "k-means":
        assert graph.x is not None
        return kmeans(graph.x, k, 20, seed)
    if method == "spectral":
        cut: IntArray = Spectral(k, random_state=seed).fit(graph).labels_
        return cut
    start = "pieces" if method == "lnscc, pieces" else "mixture"
    labels: IntArray = LNSCC(k, scale=False, start=start, random_state=seed).fit(graph).labels_
    return labels


def reproduce(
    seed: int = 0, quick: bool = False, repeats: int = 3, data: tuple[str, ...] = (), methods: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    seed : int
    quick : bool
        Use one seed.
    repeats : int
        Number of seeds, starting with `seed`, for means and standard deviations.
    data, methods : tuple of str
        Names from `GRAPHS` and `METHODS`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers (none), settings.

    Raises
    ------
    UsageError
        A graph or method is unknown.
    DataError
        A graph is not on this machine.
    """
    check_names("graph of the table", data, GRAPHS)
    check_names("method of the table", methods, METHODS)
    repeats = 1 if quick else repeats
    rows = []
    with task("measuring", len(data or GRAPHS) * len(methods or METHODS)) as advance:
        for name in data or GRAPHS:
            graph = datasets.load(name).undirected()
            x, y = table_of(name)
            graph.x = rows_of_length_one(x)
            k = n_classes(y)
            for method in methods or METHODS:
                measured = scored(partial(_labels, method, graph, k), y, repeats, seed)
                rows.append({"data": name, "n": graph.num_nodes, "k": k, "method": method} | measured)
                advance()
    return {"table": "lnscc-graphs", "rows": rows, "peers": [], "settings": settings(seed=seed, repeats=repeats)}
