"""`detect`: graph in, communities out."""

from __future__ import annotations

from typing import Any

from graphclust.errors import UsageError
from graphclust.graph import merge_notes
from graphclust.inference import BLOCK_MODELS
from graphclust.inference.refinement import check_model
from graphclust.inputs import as_graph
from graphclust.methods import METHODS
from graphclust.methods.base import GraphEstimator
from graphclust.methods.refined import Refined
from graphclust.results.communities import Communities

__all__ = ["detect", "prepare"]


def detect(
    graph: Any,
    method: str = "auto",
    n_clusters: int | None = None,
    random_state: Any = 0,
    device: str = "auto",
    *,
    refine: str | None = None,
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
    refine : {"sbm", "dc-sbm", "planted", "none"}, optional
        Block model under which the method's partitions are improved, with a posterior and confidence
        (`graphclust.inference.refinement`). By default "none"; "auto" compares "sbm" and "planted", unless one is
        given.
    **method_params
        Parameters of the method's estimator, and of refinement: `effort`, `n_samples`.

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
    estimator = prepare(method, n_clusters, random_state, device, refine=refine, **method_params).fit(as_graph(graph))
    read = estimator.graph_.meta.get("notes")
    notes = list(merge_notes(estimator.graph_) if read is None else read)
    notes += estimator.notes_
    return Communities(
        graph=estimator.graph_,
        labels=estimator.labels_,
        method=estimator.name,
        params=_told(estimator),
        seconds=estimator.seconds_,
        confidence=estimator.confidence_,
        posterior=estimator.posterior_,
        notes=tuple(notes),
        details=estimator.details_,
    )


def _told(estimator: GraphEstimator) -> dict[str, Any]:
    """Return the parameters of an estimator, those of refinement beside the method's own."""
    params = estimator.get_params()
    inner = params.pop("estimator", None)
    if inner is None:
        return params
    model = params.pop("model")
    return {**inner.get_params(), "refine": model, **params}


def prepare(
    method: str = "auto",
    n_clusters: int | None = None,
    random_state: Any = 0,
    device: str = "auto",
    *,
    refine: str | None = None,
    **method_params: Any,
) -> GraphEstimator:
    """Return the estimator that `detect` fits, its parameters checked as far as that can be done without a graph.

    Parameters
    ----------
    method, n_clusters, random_state, device, refine, **method_params
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
    kind = METHODS.named(method)
    known = kind.parameters()
    given = dict(method_params)
    of_refinement: dict[str, Any] = {}
    if refine is not None:
        check_model(refine)
        if method == "auto":
            if refine == "none":
                raise UsageError(f"auto refines what it finds: refine is one of {', '.join(BLOCK_MODELS)}")
            if given.get("model", refine) != refine:
                raise UsageError(f"refine is {refine!r} and model {given['model']!r}: give one of them")
            given["model"] = refine
        elif refine != "none":
            of_refinement = {"model": refine, "random_state": random_state}
            for name in ("effort", "n_samples"):
                if name in given:
                    of_refinement[name] = given[name] if name in known else given.pop(name)
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
    if of_refinement:
        estimator = Refined(estimator, **of_refinement)
    estimator.check_params()
    return estimator
