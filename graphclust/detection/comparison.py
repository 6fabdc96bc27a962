"""`compare`: several methods on one graph, with one or several seeds each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.detection import detect
from graphclust.errors import GraphclustError, UsageError
from graphclust.inputs import as_graph
from graphclust.methods import METHODS
from graphclust.metrics import ami
from graphclust.results.communities import Communities, labels_of
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed

if TYPE_CHECKING:
    import pandas

    from graphclust.graph import Graph

__all__ = ["compare", "compared", "labelled_methods", "parameters_of_each"]

_MEASURES = ("modularity", "coverage", "mean_conductance", "normalized_cut")


def compare(
    graph: Any,
    methods: Sequence[Any] | Mapping[str, Any] | None = None,
    n_clusters: int | None = None,
    *,
    truth: Any = None,
    repeats: int = 1,
    random_state: int = 0,
    weight: str | None = "weight",
    **params: Any,
) -> pandas.DataFrame:
    """Run several methods on one graph.

    Parameters
    ----------
    graph : Graph, path, networkx graph, ...
        As in `graphclust.detect`.
    methods : sequence or mapping, optional
        Names, functions and estimators as in `graphclust.detect`, or these by label. By default, all methods but ncp
        that do not need the number of communities, or all but ncp if it is given.
    n_clusters : int, optional
        For the methods that take it.
    truth : optional
        A ground truth to score against, see `Communities.score`.
    repeats : int
        Number of runs of each method, with the seeds `random_state`, `random_state` + 1, ...
    random_state : int
    weight : str or None
        As in `graphclust.detect`.
    **params
        Parameters of the methods that have them.

    Returns
    -------
    DataFrame
        One row for each method, in the given order: `n_clusters`, `seconds`, quality measures, `confidence` (mean over
        the nodes, of methods with a posterior) and scores against the truth. With several runs, these are means; the
        columns that end with `_std` are standard deviations, and `stability` is the mean AMI between two runs. A
        method that fails has an `error` and no measures.

    Raises
    ------
    UsageError
        Unknown method or parameter, or a number of repeats that is not positive.

    Examples
    --------
    >>> compare("data:karate", ["leiden", "infomap"], repeats=3)[["n_clusters", "stability"]].round(2).values.tolist()
    [[4.0, 1.0], [3.0, 1.0]]
    """
    import pandas as pd

    loaded, labelled = as_graph(graph, weight=weight), labelled_methods(methods, n_clusters)
    known = None if truth is None else labels_of(truth, loaded.nodes)
    rows = compared(loaded, labelled, n_clusters, known, repeats, random_state, params)
    return pd.DataFrame(list(rows)).set_index("method")


def labelled_methods(
    methods: Sequence[Any] | Mapping[str, Any] | None, n_clusters: int | None = None
) -> dict[str, Any]:
    """Return methods by label; by default, all that can run.

    Parameters
    ----------
    methods, n_clusters
        See `compare`.

    Raises
    ------
    UsageError
        No method, or an unknown one.
    """
    if methods is None:
        kinds = {name: kind for name, kind in METHODS.items() if not kind.is_baseline}
        return {name: name for name, kind in kinds.items() if n_clusters or kind.takes_n_clusters != "required"}
    if not isinstance(methods, Mapping):
        if isinstance(methods, str) or not isinstance(methods, Sequence):
            raise UsageError(f"methods is a list of methods, or a mapping of methods by label, not {methods!r:.60}")
        listed, methods = methods, {}
        for method in listed:
            label = base = method if isinstance(method, str) else METHODS.named(method).name
            number = 1
            while label in methods and methods[label] is not method:
                number += 1
                label = f"{base} {number}"
            methods[label] = method
    for method in methods.values():
        METHODS.named(method)
    if not methods:
        raise UsageError("no method to compare")
    return dict(methods)


def parameters_of_each(methods: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters that each method has, by its label.

    Raises
    ------
    UsageError
        A parameter that none of the methods has.
    """
    known = {label: METHODS.named(method).parameters() for label, method in methods.items()}
    for key in params:
        if not any(key in names for names in known.values()):
            raise UsageError(f"none of {', '.join(methods)} has a parameter {key!r}")
    return {label: {k: v for k, v in params.items() if k in names} for label, names in known.items()}


def compared(
    graph: Graph,
    methods: Mapping[str, Any],
    n_clusters: int | None,
    truth: Any,
    repeats: int,
    random_state: int,
    params: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Yield a row for each method, see `compare`."""
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise UsageError(f"the number of repeats is a positive integer, not {repeats!r}")
    own = parameters_of_each(methods, params)
    seed = check_seed(random_state)
    with task("comparing", total=len(methods) * repeats) as advance:
        for label, method in methods.items():
            seeds = range(seed, seed + repeats)
            yield {"method": label} | _row(graph, method, n_clusters, truth, seeds, own[label], advance)


def _row(
    graph: Graph, method: Any, n_clusters: int | None, truth: Any, seeds: range, params: Mapping[str, Any], advance: Any
) -> dict[str, Any]:
    """Return the row of one method, without its label."""
    k = n_clusters if METHODS.named(method).takes_n_clusters != "no" else None
    runs: list[Communities] = []
    measures: list[dict[str, Any]] = []
    for seed in seeds:
        try:
            communities = detect(graph, method, k, seed, **params)
            measures.append(_measures(communities, truth))
            runs.append(communities)
        except GraphclustError as error:
            return {"error": str(error)}
        finally:
            advance()
    if len(runs) == 1:
        return measures[0]
    row: dict[str, Any] = {"repeats": len(runs)}
    for key in measures[0]:
        values = [run[key] for run in measures]
        row[key] = float(np.mean(values))
        if key not in ("seconds", "n_scored"):
            row[f"{key}_std"] = float(np.std(values, ddof=1))
    row["stability"] = float(np.mean([ami(a.labels, b.labels) for a, b in combinations(runs, 2)]))
    return row


def _measures(communities: Communities, truth: Any) -> dict[str, Any]:
    """Return the measures of one run."""
    quality = communities.quality()
    row: dict[str, Any] = {"n_clusters": communities.n_clusters, "seconds": round(communities.seconds, 4)}
    row |= {measure: quality[measure] for measure in _MEASURES}
    if communities.confidence is not None and len(communities.confidence):
        row["confidence"] = float(communities.confidence.mean())
    return row if truth is None else row | communities.score(truth)
