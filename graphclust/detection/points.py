"""`cluster`: find clusters among points, the rows of a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphclust.detection import detect
from graphclust.errors import UsageError, unknown
from graphclust.graph import Graph
from graphclust.io.point_table import PointTable, point_table, read_point_table
from graphclust.methods import METHODS
from graphclust.results.communities import Communities
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import log_notes

__all__ = ["check_method", "cluster", "cluster_table", "profile", "silhouette"]

_POINT_METHODS = ("clam", "cnc", "lnscc", "acp", "acp-s", "ccp", "ncp")
_IN_PROFILE = 5  # columns
_SILHOUETTE_ROWS = 5000


def cluster(
    table: Any,
    n_clusters: int | None = None,
    method: Any = "clam",
    *,
    label_column: str | None = None,
    id_column: str | None = None,
    columns: str | Sequence[str] | None = None,
    missing: str = "refuse",
    random_state: Any = 0,
    device: str = "auto",
    **method_params: Any,
) -> Communities:
    """Find clusters among the rows of a table. `graphclust.detect` takes graphs.

    Parameters
    ----------
    table : path, DataFrame, array of shape (n_rows, n_columns), sparse matrix, or sequence of rows
        A row for each point. The methods scale the columns to mean 0 and variance 1 unless their parameter `scale` says
        otherwise.
    n_clusters : int, optional
        Exact number of clusters. clam chooses it by default; cnc and lnscc need it.
    method : {"clam", "cnc", "lnscc", "acp", "acp-s", "ccp", "ncp"} or estimator
        Methods that take points. acp, acp-s, ccp and ncp need a model of such points (`checkpoint`).
    label_column : str, optional
        Column with the classes of the rows. It is not among the features, and no method sees it.
    id_column, columns, missing
        See `graphclust.io.point_table.point_table`.
    random_state, device, **method_params
        As in `graphclust.detect`.

    Returns
    -------
    Communities
        Of a graph without edges, whose nodes are the rows and whose `x` are the columns.

    Raises
    ------
    UsageError
        The method does not take points, or as `graphclust.detect`; there is no such column.
    DataError
        The table cannot be read, or has missing values.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> c = cluster(load_iris(as_frame=True).frame, 3, label_column="target")
    >>> c.n_clusters, len(c.nodes)
    (3, 150)
    """
    check_method(method, n_clusters)
    chosen: dict[str, Any] = {"label_column": label_column, "id_column": id_column, "columns": columns}
    if isinstance(table, str | os.PathLike):
        points = read_point_table(table, **chosen, missing=missing)
    else:
        points = point_table(_as_frame(table), **chosen, missing=missing)
    log_notes(points.notes)
    return cluster_table(points, n_clusters, method, random_state=random_state, device=device, **method_params)


def check_method(method: Any, n_clusters: int | None = None) -> None:
    """Refuse a method that does not take points, or that needs their number of clusters and has none.

    Raises
    ------
    UsageError
    """
    if isinstance(method, str) and method not in METHODS and ":" not in method:
        raise unknown("method", method, _POINT_METHODS)
    kind = METHODS.named(method)
    if kind.takes_n_clusters == "required" and n_clusters is None:
        raise UsageError(f"{kind.name} needs the number of clusters: n_clusters (-k)")
    if not kind.takes_features and kind.__module__.startswith("graphclust."):
        raise UsageError(f"{kind.name} needs the edges of a graph; {', '.join(_POINT_METHODS)} cluster points")


def _as_frame(table: Any) -> Any:
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "toarray"):
        return pd.DataFrame(table.toarray())
    try:
        array = table.detach().cpu().numpy() if hasattr(table, "detach") else np.asarray(table)
    except ValueError as error:
        raise UsageError(f"expected a table with a row for each point: {error}") from None
    if array.ndim != 2:
        raise UsageError(f"expected a table with a row for each point, not the shape {array.shape}")
    return pd.DataFrame(array)


def cluster_table(points: PointTable, n_clusters: int | None, method: Any, **params: Any) -> Communities:
    """Find clusters among points that have been read, see `cluster`."""
    if params.get("refine", "none") not in (None, "none"):
        raise UsageError("points have no edges to refine by: leave out refine")
    graph = Graph.from_edges(
        [],
        [],
        nodes=points.ids,
        x=points.x,
        meta={
            "table": True,
            "columns": points.columns,
            "notes": points.notes,
            "source": points.source,
            "sha256": points.sha256,
            "format": "table",
        },
    )
    return detect(graph, method, n_clusters, **params)


def profile(points: PointTable, labels: Any) -> list[dict[str, Any]]:
    """Describe clusters by the columns in which they differ most.

    Parameters
    ----------
    points : PointTable
    labels : ndarray of int64, shape (n_rows,)

    Returns
    -------
    list of dict
        One for each cluster: its number, its size, and the means of at most five columns, those with the largest share
        of variance between clusters first.
    """
    x, sizes = points.x, np.bincount(labels)
    means = np.zeros((len(sizes), x.shape[1]))
    np.add.at(means, labels, x)
    means /= sizes[:, None]
    between = (sizes[:, None] * (means - x.mean(axis=0)) ** 2).sum(axis=0)
    share = between / np.maximum(((x - x.mean(axis=0)) ** 2).sum(axis=0), 1e-300)
    best = np.argsort(-share, kind="stable")[:_IN_PROFILE]
    return [
        {"community": label, "size": int(size)} | {points.columns[i]: float(means[label, i]) for i in best}
        for label, size in enumerate(sizes)
    ]


def silhouette(x: FloatArray, labels: IntArray, random_state: int = 0) -> float | None:
    """Return the mean silhouette of clusters in the scaled columns, of at most 5,000 rows that are drawn at random.

    Parameters
    ----------
    x : ndarray of float64, shape (n_rows, n_columns)
    labels : ndarray of int64, shape (n_rows,)
    random_state : int

    Returns
    -------
    float or None
        None for a single cluster, or one for each row.
    """
    from sklearn.metrics import silhouette_score
    from sklearn.preprocessing import scale

    rng = np.random.default_rng(random_state)
    rows = np.sort(rng.choice(len(x), min(len(x), _SILHOUETTE_ROWS), replace=False))
    if not 1 < len(np.unique(labels[rows])) < len(rows):
        return None
    return float(silhouette_score(scale(x)[rows], labels[rows]))
