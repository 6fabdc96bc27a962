"""Tables 1 to 3 of CNC, on digits: scores on all data, scores on held-out data, and the normalized cut of the latter.

"cnc" is the estimator with its defaults: a Siamese network trained by cross-entropy directly on the pixels. No point is
moved after training, but the cut that moves would reach is used to choose between the networks of a run. "cnc,
published" is `CNC(preset="published")`, with the paper's settings for MNIST: one network from random weights, its last
state, no moves. The notes of `CNC` list what the paper does not specify. Its clusters are those that the network
assigns, and some may be empty. The paper has no results on USPS, nor on the test images of MNIST alone. Classes are
used only for the number of clusters and for the scores. The NMI is divided by the larger entropy, as in the paper.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from graphclust.kernels.eigenvectors import REGULARIZATION, spectral_embedding
from graphclust.kernels.kmeans import kmeans
from graphclust.kernels.neighbors import nearest_neighbors
from graphclust.methods.cnc import CNC
from graphclust.methods.cutter import Cutter
from graphclust.methods.spectral import Spectral
from graphclust.metrics import accuracy, nmi, normalized_cut, rank_labels
from graphclust.reproduce.sheet import PEERS, check_names, neighbor_graph, over_seeds, settings, table_of
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

__all__ = ["COLUMNS", "DATA", "METHODS", "reproduce"]

DATA: dict[str, dict[str, float]] = {  # as published
    "usps": {},
    "mnist-test": {},
    "mnist": {"accuracy": 0.972, "nmi": 0.924, "test_accuracy": 0.971, "test_nmi": 0.925},
}
METHODS = (*PEERS, "cnc", "cnc 90/10", "cnc, published")
COLUMNS = (
    "data", "method", "paper_accuracy", "accuracy", "accuracy_sd", "paper_nmi", "nmi", "nmi_sd", "polished_accuracy",
    "train_accuracy", "normalized_cut", "polished_cut", "spectral_cut", "embedded_cut", "repeats", "seconds",
)  # fmt: skip
_N_CARRIERS = 20  # an eigenvector is extended to a new point by its mean over this many neighbours


def _cluster_all(method: str, x: FloatArray, y: IntArray, k: int, seed: int) -> dict[str, float]:
    """Cluster all points (table 1)."""
    moved = None
    if method in PEERS:
        labels = PEERS[method](x, k, seed)
    elif method == "cnc, published":
        labels = CNC(k, preset="published", random_state=seed).fit(x).predict(x)
    else:
        model = CNC(k, scale=False, polish=True, random_state=seed).fit(x)
        labels, moved = model.predict(x), model.labels_
    scores = {"accuracy": accuracy(y, labels), "nmi": nmi(y, labels, "max"), "n_clusters": len(np.unique(labels))}
    return scores if moved is None else scores | {"polished_accuracy": accuracy(y, moved)}


def _split(x: FloatArray, y: IntArray, k: int, seed: int) -> dict[str, float]:
    """Train on nine tenths of the points, and return the scores and cuts of the held-out points (tables 2 and 3).

    The affinities of the held-out points are computed in the learned space. `spectral_cut` is the cut of spectral
    clustering of the held-out graph itself, regularised or not, whichever is lower. `embedded_cut` is the cut of a
    method without a network: it extends the eigenvectors of the graph of the training points to the held-out points by
    the mean over their nearest neighbours, and applies k-means.
    """
    order = np.random.default_rng(seed).permutation(len(x))
    train, test = order[: len(x) * 9 // 10], order[len(x) * 9 // 10 :]
    model = CNC(k, scale=False, random_state=seed).fit(x[train])
    labels = model.predict(x[test])
    v, space = model.embed(x[test]), model.embed(x[train])
    test_graph = neighbor_graph(v)
    polished = Cutter(test_graph, k).moved(labels, seed)
    peers = [
        Spectral(k, regularization=regularization, random_state=seed).fit(test_graph).labels_
        for regularization in (REGULARIZATION, 0.0)
    ]
    embedding = spectral_embedding(neighbor_graph(space).adjacency(), k, random_state=seed)
    together = nearest_neighbors(np.concatenate((space, v)), _N_CARRIERS)[0][len(train) :]
    carried = np.zeros((len(test), k))
    for i, near in enumerate(together):
        known = near[near < len(train)]
        carried[i] = embedding[known].mean(axis=0) if len(known) else 0
    embedded = kmeans(np.concatenate((embedding, carried)), k, 10, seed)[len(train) :]
    return {
        "accuracy": accuracy(y[test], labels),
        "nmi": nmi(y[test], labels, "max"),
        "polished_accuracy": accuracy(y[test], polished),
        "train_accuracy": accuracy(y[train], model.labels_),
        "normalized_cut": normalized_cut(test_graph, rank_labels(labels)),
        "polished_cut": normalized_cut(test_graph, rank_labels(polished)),
        "spectral_cut": min(normalized_cut(test_graph, peer) for peer in peers),
        "embedded_cut": normalized_cut(test_graph, rank_labels(embedded)),
    }


def _measure(name: str, method: str, repeats: int, seed: int) -> dict[str, Any]:
    x, y = table_of(name)
    k = len(np.unique(y))
    start = time.perf_counter()
    runs: list[dict[str, float]] = []
    for i in range(repeats):
        if method == "cnc 90/10":
            runs.append(_split(x, y, k, seed + i))
        else:
            runs.append(_cluster_all(method, x, y, k, seed + i))
    line: dict[str, Any] = {"data": name, "n": len(x), "k": k, "method": method, "repeats": repeats}
    if method.startswith("cnc"):
        part = "test_" if method == "cnc 90/10" else ""
        line |= {f"paper_{key}": DATA[name].get(part + key) for key in ("accuracy", "nmi")}
    return line | over_seeds(runs) | {"runs": runs, "seconds": (time.perf_counter() - start) / repeats}


def reproduce(
    seed: int = 0, quick: bool = False, repeats: int = 3, data: tuple[str, ...] = (), methods: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Make the tables.

    Parameters
    ----------
    seed : int
    quick : bool
        Use USPS only, and one seed.
    repeats : int
        Number of seeds, starting with `seed`, for means and standard deviations.
    data, methods : tuple of str
        Names from `DATA` and `METHODS`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`; `seconds` is the time of one run), peers (none), settings.

    Raises
    ------
    UsageError
        A data set or method is unknown.
    DataError
        A data set is not on this machine.
    """
    check_names("data set of the table", data, DATA)
    check_names("method of the table", methods, METHODS)
    repeats = 1 if quick else repeats
    chosen = [name for name in data or DATA if data or not quick or name == "usps"]
    rows = []
    with task("measuring", len(chosen) * len(methods or METHODS)) as advance:
        for name in chosen:
            for method in methods or METHODS:
                rows.append(_measure(name, method, repeats, seed))
                advance()
    return {"table": "cnc-table1", "rows": rows, "peers": [], "settings": settings(seed=seed, repeats=repeats)}
