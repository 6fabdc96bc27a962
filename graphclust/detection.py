"""`detect`: graph in, communities out."""

from __future__ import annotations

from typing import Any

from graphclust.base import GraphEstimator
from graphclust.communities import Communities
from graphclust.errors import UsageError
from graphclust.graph import as_graph, merge_notes
from graphclust.methods import method_named

__all__ = ["detect", "prepare"]


def detect(
    graph: Any,
    method: str = "auto",
    n_clusters: int | None = None,
    random_state: Any = 0,
    device: str = "auto",
    **method_params: Any,
) -> Communities:
    """Find the communities of a graph.

    Parameters
    ----------
    graph : Graph, path, networkx graph, igraph.Graph, scipy sparse adjacency, PyG Data, array, iterable of edges
        Whatever `as_graph` takes; it is not modified.
    method : str
        A key of `graphclust.METHODS`, such as "auto", which compares several.
    n_clusters : int, optional
        Exact number of communities; found by the method where it is not given.
    random_state : int, Generator or None
        The same input and seed give the same result, whatever the order of nodes and edges; None draws a fresh seed.
    device : {"auto", "cpu", "cuda"}
        Where neural methods run; the others run on the CPU.
    **method_params
        Parameters of the method's estimator.

    Returns
    -------
    Communities

    Raises
    ------
    UsageError
        No such method or parameter, or a number of communities that the method cannot honour.
    DataError
        The graph cannot be read.
    ResourceError
        The graph does not fit into memory for this method.

    Examples
    --------
    >>> import networkx as nx
    >>> detect(nx.karate_club_graph(), method="leiden").n_clusters
    4
    """
    estimator = prepare(method, n_clusters, random_state, device, **method_params).fit(as_graph(graph))
    read = estimator.graph_.meta.get("notes")
    notes = list(merge_notes(estimator.graph_) if read is None else read)
    notes += estimator.notes_
    return Communities(
        graph=estimator.graph_,
        labels=estimator.labels_,
        method=estimator.name,
        params=estimator.get_params(),
        seconds=estimator.seconds_,
        confidence=estimator.confidence_,
        posterior=estimator.posterior_,
        notes=tuple(notes),
    )


def prepare(
    method: str = "auto",
    n_clusters: int | None = None,
    random_state: Any = 0,
    device: str = "auto",
    **method_params: Any,
) -> GraphEstimator:
    """Return the estimator that `detect` fits, its parameters checked as far as that can be done without a graph.

    Parameters
    ----------
    method, n_clusters, random_state, device, **method_params
        As of `detect`.

    Raises
    ------
    UsageError
        No such method or parameter, or a value out of its range.

    Examples
    --------
    >>> prepare("leiden", resolution=2.0)
    Leiden(resolution=2.0, random_state=0)
    """
    if device not in ("auto", "cpu", "cuda") and not str(device).startswith("cuda:"):
        raise UsageError(f"device is auto, cpu or cuda, not {device!r}")
    kind = method_named(method)
    known = kind.parameters()
    given = dict(method_params)
    if n_clusters is not None:
        if kind.takes_n_clusters == "no":
            raise UsageError(f"{method} finds the number of communities itself: it takes no n_clusters (-k)")
        given["n_clusters"] = n_clusters
    if "random_state" in known:
        given["random_state"] = random_state
    if "device" in known:
        given["device"] = device
    for name in given:
        if name not in known:
            raise UsageError(f"{method} has no parameter {name!r}; it has {', '.join(known)}")
    estimator = kind(**given)
    estimator.check_params()
    return estimator
