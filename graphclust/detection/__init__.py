"""`detect`: find the communities of a graph with any method."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

from graphclust.detection.repeats import most_central_run
from graphclust.errors import DataError, UsageError
from graphclust.graph import holds_points, merge_notes
from graphclust.inference import BLOCK_MODELS
from graphclust.inference.refinement import check_model
from graphclust.inputs import as_graph, is_dask_frame
from graphclust.methods import METHODS
from graphclust.methods.base import GraphEstimator
from graphclust.methods.refined import Refined
from graphclust.problem.start import described
from graphclust.results.communities import Communities
from graphclust.results.cover import Cover
from graphclust.results.hierarchy import Hierarchy
from graphclust.runtime.checks import check_count
from graphclust.runtime.cluster import connected, current_cluster, default_client
from graphclust.runtime.notes import Note, counted, log_notes
from graphclust.runtime.seeds import check_seed

__all__ = ["detect", "prepare"]


def detect(
    graph: Any,
    method: Any = "auto",
    n_clusters: int | None = None,
    random_state: Any = 0,
    device: str = "auto",
    *,
    weight: str | None = "weight",
    refine: str | None = None,
    seeds: int = 1,
    overlapping: bool = False,
    memory: str | float | None = None,
    cluster: Any = None,
    **method_params: Any,
) -> Communities:
    """Find the communities of a graph.

    Parameters
    ----------
    graph : Graph, path, networkx graph, igraph.Graph, scipy sparse adjacency, PyG Data, array, dataframe, iterable
        Anything that `as_graph` converts; it is not modified. Or a table of points for a method that takes features,
        see `graphclust.cluster`.
    method : str, callable or estimator
        A key of `graphclust.METHODS`; the default "auto" compares several methods. Or a method of your own, also as
        "module:name" or "file.py:name": see `graphclust.methods.own`.
    n_clusters : int, optional
        Exact number of communities. By default the method determines it.
    random_state : int, Generator or None
        Seed. The same input and seed give the same result, whatever the order of nodes and edges. None draws a new
        seed.
    device : {"auto", "cpu", "cuda"} or torch.device
        Device of neural methods. The other methods run on the CPU.
    weight : str or None
        Edge attribute or column that holds the weights; None ignores weights. In files, a name other than "weight" is
        required to exist, and by default the reader decides.
    refine : {"sbm", "dc-sbm", "microcanonical-sbm", "assortative", "assortative-uniform", "planted", "none"}, optional
        Block model that improves the method's partition and provides a posterior and confidence
        (`graphclust.inference.refinement`). The default is "none"; with "auto", the default is to compare "sbm" and
        "planted", on directed graphs also "dc-sbm".
    seeds : int
        Number of runs, with the seeds `random_state`, `random_state` + 1, ... The result is the run that agrees best
        with the others, with the `stability` of each node, and the `runs`; see `graphclust.detection.repeats`.
    overlapping : bool
        Whether nodes may be in several communities: then `cover` has those that also join others, by their edges; see
        `graphclust.kernels.overlap`.
    memory : str or float, optional
        The memory to use, such as "4GB"; by default, all that there is. With "auto", "leiden", "louvain" and
        "label-propagation", what does not fit lies in temporary files, and the result is the same. Other methods refuse
        a graph for which the memory does not suffice.
    cluster : str or dask.distributed.Client, optional
        A Dask cluster whose workers share the work of "auto", "leiden", "louvain" and "label-propagation" on a very
        large graph, with the same result: "local:4" starts four processes, and "tcp://host:8786" is a scheduler. With a
        Dask dataframe of edges, the default is Dask's current client, if there is one.
    **method_params
        Parameters of the method's estimator, such as `hierarchy=True` or `max_size=100` of "auto", "leiden" and
        "louvain", or `start=earlier_result` of "auto", "leiden" and "label-propagation". With `refine`, also
        `effort` and `n_samples`.

    Returns
    -------
    Communities

    Raises
    ------
    UsageError
        The method or a parameter is unknown, or the method cannot find `n_clusters` communities.
    DataError
        The graph cannot be read.
    ResourceError
        The method needs more memory for this graph than there is.

    Examples
    --------
    >>> import networkx as nx
    >>> detect(nx.karate_club_graph(), method="leiden").n_clusters
    4
    """
    if cluster is None and is_dask_frame(graph) and current_cluster() is None and _works_on_cluster(method):
        cluster = default_client()
    if cluster is not None:
        with connected(cluster):
            return detect(
                graph,
                method,
                n_clusters,
                random_state,
                device,
                weight=weight,
                refine=refine,
                seeds=seeds,
                overlapping=overlapping,
                memory=memory,
                **method_params,
            )
    estimator = prepare(method, n_clusters, random_state, device, refine=refine, **method_params)
    check_count("seeds", seeds)
    if not isinstance(overlapping, bool):
        raise UsageError(f"overlapping is True or False, not {overlapping!r}")
    loaded = _input(graph, weight, memory, takes_points=estimator.takes_features)
    if seeds > 1:
        if estimator.earlier() is not None:
            raise UsageError("start cannot be combined with seeds: runs from the same start hardly differ")
        again = partial(detect, loaded, method, n_clusters, device=device, refine=refine, **method_params)
        central = most_central_run(lambda seed: again(random_state=seed), check_seed(random_state), seeds)
        return _with_cover(central) if overlapping else central
    estimator.fit(loaded)
    read = estimator.graph_.meta.get("notes")
    notes = list(merge_notes(estimator.graph_) if read is None else read)
    notes += estimator.notes_
    communities = Communities(
        graph=estimator.graph_,
        labels=estimator.labels_,
        method=estimator.name,
        params=_reported_params(estimator),
        seconds=estimator.seconds_,
        confidence=estimator.confidence_,
        posterior=estimator.posterior_,
        hierarchy=_hierarchy(estimator),
        notes=tuple(notes),
        details=estimator.details_,
        detector=partial(_detect_again, method),
        changes=estimator.changes_,
    )
    return _with_cover(communities) if overlapping else communities


def _works_on_cluster(method: Any) -> bool:
    return METHODS.named(method).works_on_cluster


def _with_cover(communities: Communities) -> Communities:
    """Return communities with the overlapping ones around them."""
    start = time.perf_counter()
    numbers = None if communities.changes is None else communities.numbers
    cover = Cover.around(communities.graph, communities.ranks, numbers)
    message = f"in several communities: {counted(cover.n_overlapping, 'node')} of {len(cover.nodes):,}"
    note = Note("overlap", message, {"n_nodes": cover.n_overlapping})
    return replace(
        communities,
        cover=cover,
        params={**communities.params, "overlapping": True},
        seconds=communities.seconds + time.perf_counter() - start,
        notes=(*communities.notes, note),
    )


def _hierarchy(estimator: GraphEstimator) -> Hierarchy | None:
    """Return the hierarchy that an estimator has found, if it was asked for one."""
    if not estimator.levels_:
        return None
    return Hierarchy(estimator.graph_, estimator.levels_, estimator.name, _reported_params(estimator))


def _input(graph: Any, weight: str | None, memory: str | float | None, *, takes_points: bool) -> Any:
    """Return a graph, or a table of points as it is for a method that takes one.

    Raises
    ------
    DataError
        A table of points for a method that needs a graph.
    """
    if holds_points(graph):
        if not takes_points:
            raise DataError(
                "this is a table of points, not a graph: graphclust.cluster(...) finds clusters in its rows"
            )
        return graph
    loaded = as_graph(graph, weight=weight, memory=memory)
    shape: tuple[Any, ...] = getattr(graph, "shape", ())
    if takes_points and len(shape) == 2 and shape[0] == shape[1] and not hasattr(graph, "tocoo"):
        message = "read the square table as an adjacency matrix; graphclust.cluster(...) takes its rows as points"
        note = Note("adjacency-matrix", message)
        log_notes([note])
        loaded.meta["notes"] = (*loaded.meta.get("notes", merge_notes(loaded)), note)
    return loaded


def _detect_again(first_method: Any, graph: Any, method: Any = None, **params: Any) -> Communities:
    """Find the communities of another graph, by default with the method that was used first."""
    return detect(graph, first_method if method is None else method, **params)


def _reported_params(estimator: GraphEstimator) -> dict[str, Any]:
    """Return the parameters of an estimator, including those of refinement."""
    params = estimator.get_params()
    inner = params.pop("estimator", None)
    if inner is not None:
        model = params.pop("model")
        params = {**inner.get_params(), "refine": model, **params}
    if (earlier := estimator.earlier()) is not None:
        params["start"] = described(earlier)
    return params


def prepare(
    method: Any = "auto",
    n_clusters: int | None = None,
    random_state: Any = 0,
    device: str = "auto",
    *,
    refine: str | None = None,
    **method_params: Any,
) -> GraphEstimator:
    """Return the estimator that `detect` fits, after all checks of its parameters that do not need a graph.

    Parameters
    ----------
    method, n_clusters, random_state, device, refine, **method_params
        See `detect`.

    Raises
    ------
    UsageError
        The method or a parameter is unknown, or a value is out of range.

    Examples
    --------
    >>> prepare("leiden", resolution=2.0)
    Leiden(resolution=2.0, random_state=0)
    """
    device = device if device is None else str(device)  # torch.device("cpu"), too
    if device not in ("auto", "cpu", "cuda") and not str(device).startswith("cuda:"):
        raise UsageError(f"device is auto, cpu or cuda, not {device!r}")
    kind = METHODS.named(method)
    known = kind.parameters()
    params, refinement_params = _split_params(method, refine, method_params, known)
    if n_clusters is not None:
        if kind.takes_n_clusters == "no":
            raise UsageError(f"{kind.name} determines the number of communities itself: it takes no n_clusters (-k)")
        params["n_clusters"] = n_clusters
    if "random_state" in known:
        params["random_state"] = random_state
    if "device" in known:
        params["device"] = device
    for name in params:
        if name not in known:
            raise _no_parameter(kind, name)
    estimator = kind(**params)
    if refinement_params:
        estimator = Refined(estimator, random_state=random_state, **refinement_params)
    estimator.check_params()
    return estimator


def _no_parameter(kind: type[GraphEstimator], name: str) -> UsageError:
    """Return the error for a parameter that a method does not have; it names the methods that have it."""
    error = kind.no_parameter(name)
    if name == "seed" and "random_state" in kind.parameters():
        return UsageError(f"{kind.name} has no parameter 'seed': the seed is random_state")
    others = [
        other
        for other, known in METHODS.items()
        if name in known.parameters() and (name != "start" or known.takes_start)
    ]
    if not others or name in kind.other_settings():
        return error
    ways = f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} it"
    if name == "resolution" and kind.takes_n_clusters != "no":
        ways += "; -k (n_clusters) gives the number of communities"
    return UsageError(f"{error} ({ways})")


def _split_params(
    method: Any, refine: str | None, method_params: dict[str, Any], known: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters of the method, whose names are `known`, and those of refinement (empty without it)."""
    params = dict(method_params)
    if refine is None:
        return params, {}
    check_model(refine)
    if method == "auto":
        if refine == "none":
            raise UsageError(f"auto always refines: refine must be one of {', '.join(BLOCK_MODELS)}")
        if params.get("model", refine) != refine:
            raise UsageError(f"refine is {refine!r} but model is {params['model']!r}: set only one of them")
        return {**params, "model": refine}, {}
    if refine == "none":
        return params, {}
    refinement_params: dict[str, Any] = {"model": refine}
    for name in ("effort", "n_samples"):
        if name in params:
            refinement_params[name] = params[name] if name in known else params.pop(name)
    return params, refinement_params
