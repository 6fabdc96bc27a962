"""Code shared by the tables: checks of names, data, runs over several seeds and their means, settings."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphclust import datasets
from graphclust.errors import GraphclustError, unknown
from graphclust.graph import Graph, graph_of
from graphclust.kernels.kmeans import kmeans
from graphclust.kernels.neighbors import gaussian_affinities, nearest_neighbors
from graphclust.methods.spectral import Spectral
from graphclust.metrics import accuracy, ami, nmi
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import counted
from graphclust.training.checkpoints import trained_models

__all__ = [
    "PEERS",
    "SPECTRAL",
    "available_models",
    "check_names",
    "detected",
    "n_classes",
    "neighbor_graph",
    "over_seeds",
    "scored",
    "settings",
    "shown",
    "spectral_of",
    "table_of",
]

Metric = Callable[[IntArray, IntArray], float]

SPECTRAL: dict[str, dict[str, Any]] = {"spectral": {}, "spectral, shi-malik": {"embedding": "shi-malik"}}
_NEIGHBORS = 20


def check_names(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Check that a table has all these names.

    Raises
    ------
    UsageError
        A name is unknown. The message suggests similar names.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)


def available_models(folder: str | None = None) -> dict[str, Path]:
    """Return the files of the trained models by name; see `trained_models`."""
    return trained_models(folder)


def table_of(name: str) -> tuple[FloatArray, IntArray]:
    """Load dense features, shape (n, d), and classes, shape (n,).

    Raises
    ------
    DataError
        The data set is not on this machine.
    """
    graph = datasets.load(name)
    assert graph.y is not None
    x = graph.x.toarray() if hasattr(graph.x, "toarray") else graph.x
    return np.asarray(x, dtype=np.float64), np.asarray(graph.y)


def neighbor_graph(x: FloatArray, image_shape: Sequence[int] | None = None) -> Graph:
    """Return the graph of affinities between points and their 20 nearest neighbours, for peers that need a graph."""
    near = nearest_neighbors(x, _NEIGHBORS, image_shape=image_shape)
    return graph_of(gaussian_affinities(*near), directed=False)


def spectral_of(x: FloatArray, k: int, seed: int, image_shape: Sequence[int] | None = None) -> IntArray:
    """Return the spectral clustering of `neighbor_graph`, shape (n,)."""
    labels: IntArray = Spectral(k, random_state=seed).fit(neighbor_graph(x, image_shape)).labels_
    return labels


PEERS: dict[str, Callable[[FloatArray, int, int], IntArray]] = {  # points, clusters, seed -> labels
    "k-means": lambda x, k, seed: kmeans(x, k, 10, seed),
    "spectral": spectral_of,
}


def n_classes(y: IntArray) -> int:
    """Return the number of classes. Negative values mark points of unknown class.

    Examples
    --------
    >>> n_classes(np.array([0, 1, 1, -1]))
    2
    """
    return len(np.unique(y[y >= 0]))


def scored(run: Callable[[int], IntArray], y: IntArray, repeats: int, seed: int) -> dict[str, Any]:
    """Run a method with several seeds, and return accuracy, NMI and seconds per run.

    Parameters
    ----------
    run : callable
        Function of the seed that returns labels, shape (n,).
    y : ndarray of int64, shape (n,)
        Classes. Negative values mark points of unknown class, which are not scored.
    repeats, seed : int

    Examples
    --------
    >>> scored(lambda seed: np.array([1, 1, 0]), np.array([0, 0, 1]), 2, 0)["accuracy"]
    1.0
    """
    start = time.perf_counter()
    labels = [run(seed + i) for i in range(repeats)]
    seconds = (time.perf_counter() - start) / repeats
    known = y >= 0
    runs = [
        {"accuracy": accuracy(y[known], predicted[known]), "nmi": nmi(y[known], predicted[known])}
        for predicted in labels
    ]
    return {"repeats": repeats} | over_seeds(runs) | {"runs": runs, "seconds": seconds}


def detected(
    method: str, graphs: Sequence[Graph], seed: int, metrics: Sequence[Metric] = (ami,), **params: Any
) -> tuple[FloatArray, dict[str, Any]]:
    """Score the communities that a method finds from the edges alone. All scores of a graph are 0 if the method fails.

    Parameters
    ----------
    method : str
        Name from `graphclust.METHODS` or `SPECTRAL`. The methods of `SPECTRAL` are given the number of communities.
    graphs : sequence of Graph
        Graphs with labels `y`.
    seed : int
        Seed for the first graph. It increases by one for each following graph.
    metrics : sequence of callable
        Functions of the true and the predicted labels that return a score.
    **params
        Parameters of the method.

    Returns
    -------
    scores : ndarray of float64, shape (n_graphs, n_metrics)
    counts : dict
        graphs, n_failed, ms_per_graph.

    Examples
    --------
    >>> cliques = Graph.from_edges([0, 0, 1, 3, 3, 4], [1, 2, 2, 4, 5, 5], nodes=6, y=np.array([0, 0, 0, 1, 1, 1]))
    >>> detected("spectral", [cliques], 0)[0].tolist()
    [[1.0]]
    """
    from graphclust.detection import detect

    knows_k = method in SPECTRAL
    if knows_k:
        method, params = "spectral", params | SPECTRAL[method]
    scores, failed, start = np.zeros((len(graphs), len(metrics))), 0, time.perf_counter()
    for i, graph in enumerate(graphs):
        assert graph.y is not None
        blind = Graph.from_edges(graph.source, graph.target, nodes=graph.num_nodes, is_canonical=True)
        k = n_classes(graph.y) if knows_k else None
        try:
            predicted = detect(blind, method, k, seed + i, **params).labels
        except GraphclustError:
            failed += 1
        else:
            scores[i] = [metric(graph.y, predicted) for metric in metrics]
    seconds = time.perf_counter() - start
    return scores, {"graphs": len(graphs), "n_failed": failed, "ms_per_graph": 1000 * seconds / max(len(graphs), 1)}


def shown(method: str) -> str:
    """Return the name of a method in the tables, which shows whether it is given the number of communities.

    Examples
    --------
    >>> shown("spectral"), shown("leiden")
    ('spectral (true K)', 'leiden')
    """
    return f"{method} (true K)" if method in SPECTRAL else method


def over_seeds(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each value and, if there are several runs, its standard deviation with the suffix `_sd`.

    Examples
    --------
    >>> over_seeds([{"accuracy": 0.5}, {"accuracy": 0.75}])
    {'accuracy': 0.625, 'accuracy_sd': 0.1767766952966369}
    """
    line: dict[str, float] = {}
    for key in runs[0]:
        values = np.array([run[key] for run in runs])
        line[key] = float(values.mean())
        if len(runs) > 1:
            line[f"{key}_sd"] = float(values.std(ddof=1))
    return line


def settings(**values: Any) -> dict[str, Any]:
    """Return the settings of a table together with a description of the hardware."""
    import torch

    device = counted(torch.get_num_threads(), "thread")
    if torch.cuda.is_available():
        device += f", {torch.cuda.get_device_name()}"
    return values | {"hardware": f"{platform.machine()}, {device}"}
