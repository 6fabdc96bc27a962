"""Methods that cluster vectors: rows of a table, or nodes of a graph with features or a spectral embedding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph, holds_graph
from graphclust.inputs import as_graph
from graphclust.kernels.eigenvectors import leading_eigenvectors, rows_of_length_one, spectral_embedding
from graphclust.kernels.smoothing import smoothed_features
from graphclust.methods.base import GraphEstimator
from graphclust.metrics import rank_labels
from graphclust.problem.problem import Core, only_points
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count, refuse_unknown
from graphclust.runtime.memory import require_memory
from graphclust.runtime.notes import Note
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import one_thread

__all__ = [
    "VectorEstimator",
    "checked_table",
    "feature_matrix",
    "nearest_of",
    "points_graph",
    "ranks_of_outputs",
    "smoothed_vectors",
]

_VECTORS = ("auto", "features", "smoothed", "spectral")
_SMALL = 5000  # numbers in a table, or nodes and edges, up to which a second thread does not help
_MAX_DIMENSIONS = 16  # of a spectral embedding if the number of communities is unknown


def checked_table(estimator: GraphEstimator, X: Any, *, reset: bool) -> FloatArray:
    """Return a dense feature matrix that scikit-learn has validated; `reset` sets the estimator's number of features.

    Raises
    ------
    ValueError
        `X` is not a table of finite numbers (raised by scikit-learn).
    ResourceError
        The dense copy of a sparse table does not fit into memory.
    """
    from sklearn.utils.validation import validate_data

    checked = validate_data(estimator, X, reset=reset, dtype=np.float64, accept_sparse=["csr", "csc", "coo"])
    if hasattr(checked, "toarray"):
        require_memory(8.0 * checked.shape[0] * checked.shape[1], "a dense copy of the features")
        checked = checked.toarray()
    table: FloatArray = checked
    return table


def points_graph(x: FloatArray) -> Graph:
    """Return a table as a graph without edges, whose nodes are its rows."""
    return Graph.from_edges([], [], nodes=len(x), x=x, meta={"table": True})


def feature_matrix(x: Any) -> FloatArray:
    """Return the features of a graph's nodes as a dense matrix of shape (n_nodes, d).

    Raises
    ------
    DataError
        A value is missing or infinite.
    """
    if hasattr(x, "toarray"):
        x = x.toarray()
    features: FloatArray = np.asarray(x, dtype=np.float64)
    if features.ndim == 1:
        features = features[:, None]
    if not np.isfinite(features).all():
        raise DataError("the node features have missing or infinite values")
    return features


def smoothed_vectors(graph: Graph) -> FloatArray:
    """Return the features of a graph's nodes, averaged over two steps in the graph, shape (n_nodes, d)."""
    undirected = graph.undirected()
    loop_weight = float(undirected.edge_weight.mean()) if undirected.num_edges else 1.0
    return smoothed_features(undirected.adjacency(), graph.x, loop_weight)


class VectorEstimator(GraphEstimator):
    """Base class of methods that take a feature matrix, shape (n, d), or a graph.

    Arrays, lists and data frames are features, unless `graphclust.graph.holds_graph` recognises a graph. The vectors of
    a graph are its node features, unchanged or averaged over the graph, or its spectral embedding.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of object
        Set if `fit` is called with a data frame with column names.
    """

    takes_features: ClassVar[bool] = True
    vectors: str
    n_components: int | None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster the rows of a table, or the nodes of a graph.

        Parameters
        ----------
        X : array, sparse array or data frame of shape (n, d), or a graph as of `graphclust.detect`
        y : ignored

        Raises
        ------
        UsageError
            A parameter is out of range, or there are more clusters than points.
        DataError
            Numbers are too large for single precision; or there are fewer distinct rows than clusters and the method
            cannot separate equal points.
        ValueError
            `X` is neither a table of finite numbers nor a graph (raised by scikit-learn).
        ResourceError
            The fit would need more memory than is available.
        """
        return super().fit(X)

    def _needed(self, X: Any) -> tuple[str, ...]:
        return self.needs if holds_graph(X) else (*self.needs, "sklearn.cluster")

    def _input(self, X: Any) -> tuple[Graph, bool]:
        if holds_graph(X):
            return as_graph(X), False
        return points_graph(checked_table(self, X, reset=True)), True

    def _check(self, graph: Graph) -> None:
        if self._is_table(graph):
            self._check_number(graph.num_nodes)
        else:
            super()._check(graph)

    def _check_number(self, n: int) -> None:
        k = self._number()
        if k is None and self.takes_n_clusters == "required":
            raise UsageError(f"{self.name} needs the number of clusters: n_clusters (-k)")
        if k is not None and k > n:
            raise UsageError(f"{k} clusters of n_samples = {n} points: n_clusters is at most the number of points")

    def _is_table(self, graph: Graph) -> bool:
        return bool(graph.meta.get("table"))

    def _groups_by_features(self, graph: Graph) -> bool:
        return self._kind(graph) != "spectral"

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the points in their two principal components, with the prototypes if the method has any.

        A graph is drawn as by `GraphEstimator.plot`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        **options
            See `graphclust.report.plot.plot_communities`.

        Returns
        -------
        matplotlib.axes.Axes
            The last line is that of the prototypes, black crosses.
        """
        if not hasattr(self, "labels_") or not only_points(self.graph_):
            return super().plot(ax, **options)
        from graphclust.report.layout import principal_plane

        project = principal_plane(self.graph_.x)
        ax = super().plot(ax, positions=project(self.graph_.x), **{"with_labels": False, **options})
        prototypes = getattr(self, "prototypes_", None)
        if prototypes is not None:
            x, y = project(prototypes).T
            ax.plot(x, y, "X", color="black", markeredgecolor="white", markersize=9, zorder=4, label="prototype")
        ax.set(xlabel="first principal component", ylabel="second principal component")
        return ax

    # ---------------------------------------------------------------- graphs

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        refuse_unknown("vectors", self.vectors, _VECTORS)
        if self.n_components is not None:
            check_count("n_components", self.n_components)

    def _kind(self, graph: Graph) -> str:
        """Return the kind of vectors that represents a graph."""
        if self._is_table(graph):
            return "features"
        if self.vectors == "auto":
            return "spectral" if graph.x is None else "features"
        if self.vectors != "spectral" and graph.x is None:
            raise DataError(f"the graph has no node features, but vectors={self.vectors!r} needs them (--features)")
        return self.vectors

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: the vectors, and the method's own arrays."""
        if self._kind(graph) == "spectral":
            d = min(self.n_components or self._number() or _MAX_DIMENSIONS, graph.num_nodes)
            lanczos = 8.0 * (3 * graph.num_nodes * max(2 * d + 1, 20) + 6 * graph.num_edges)
            return lanczos + self._memory(graph.num_nodes, d)
        return self._memory(graph.num_nodes, graph.x.shape[1] if graph.x.ndim > 1 else 1)

    def _vectors(self, graph: Graph, seed: int, kind: str | None = None) -> tuple[FloatArray, tuple[Note, ...]]:
        """Return the vectors of a graph's nodes, shape (n_nodes, d), and notes; `kind` is by default `_kind`."""
        kind = kind or self._kind(graph)
        if kind == "spectral":
            return self._spectral(graph, seed)
        return feature_matrix(smoothed_vectors(graph) if kind == "smoothed" else graph.x), ()

    def _spectral(self, graph: Graph, seed: int) -> tuple[FloatArray, tuple[Note, ...]]:
        """Return one eigenvector per cluster; without a number of clusters, those before the largest eigenvalue gap."""
        n = graph.num_nodes
        dimension = self.n_components or self._number()
        if dimension is not None:
            return spectral_embedding(graph.adjacency(), min(max(dimension, 2), n), random_state=seed), ()
        matrix = graph.adjacency()
        vectors = leading_eigenvectors(matrix, min(_MAX_DIMENSIONS + 1, n), random_state=seed)
        scale = graph.degree()
        half = np.where(scale > 0, np.maximum(scale, 1e-300) ** -0.5, 0.0)
        values = np.einsum("nk,nk->k", vectors, half[:, None] * (matrix @ (half[:, None] * vectors)))[::-1]
        gaps = values[:-1] - values[1:]
        dimension = 2 if len(gaps) < 2 else int(gaps[1:].argmax()) + 2
        message = f"used a spectral embedding of {dimension} dimensions, after which the eigenvalue gap is largest"
        note = Note("embedding-dimensions", message, {"n_components": dimension}, is_detail=True)
        return rows_of_length_one(vectors[:, -dimension:]), (note,)

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        self._of_table = core.is_table
        graph = core.graph
        size = graph.x.size if core.is_table else graph.num_nodes + graph.num_edges
        with one_thread(size <= _SMALL):
            if core.is_table:
                return self._fit_vectors(feature_matrix(graph.x), check_seed(self.random_state))
            return self._fit_graph(graph)

    def _fit_graph(self, graph: Graph) -> Solution:
        """Cluster the nodes of a graph with at least one, in canonical order."""
        seed = check_seed(self.random_state)
        x, notes = self._vectors(graph, seed)
        embedded = self._kind(graph) == "spectral"
        if not embedded:
            self.n_features_in_ = x.shape[1]
        solution = self._fit_vectors(x, seed, embedded=embedded)
        return replace(solution, notes=(*notes, *solution.notes))

    def _points(self, X: Any) -> FloatArray:
        """Return the vectors of new points.

        Raises
        ------
        NotFittedError
        UsageError
            The estimator was fitted to a spectral embedding, to another number of features, or to features averaged
            over a graph, and `X` is a table.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        of_table = self._of_table
        if not holds_graph(X) or (of_table and hasattr(X, "tocoo")):
            if not hasattr(self, "n_features_in_"):
                raise UsageError(f"{self.name} was fitted to a spectral embedding, which does not contain new points")
            if not of_table and self._kind(self.graph_) == "smoothed":
                raise UsageError(
                    f"{self.name} was fitted to features averaged over a graph, so that predict needs a graph; to "
                    "predict rows of a table, fit with vectors='features'"
                )
            return checked_table(self, X, reset=False)
        graph = as_graph(X)
        kind = self._kind(graph)
        if of_table and self.vectors == "auto" and kind == "smoothed":
            kind = "features"  # the estimator was fitted to a table, without averages
        if kind == "spectral" or not hasattr(self, "n_features_in_"):
            raise UsageError("a spectral embedding cannot be extended to another graph: predict needs node features")
        x, _ = self._vectors(graph, 0, kind)
        if x.shape[1] != self.n_features_in_:
            raise UsageError(
                f"the graph has {x.shape[1]} node features, but {self.name} was fitted to {self.n_features_in_}"
            )
        return x

    # ---------------------------------------------------------------- the method's own

    def _memory(self, n: int, d: int) -> float:
        """Estimate the peak of memory for n points of d features, in bytes."""
        raise NotImplementedError

    def _fit_vectors(self, x: FloatArray, seed: int, *, embedded: bool = False) -> Solution:
        """Cluster points.

        Parameters
        ----------
        x : ndarray of float64, shape (n, d)
            At least one point.
        seed : int
        embedded : bool
            Whether the points are a spectral embedding, which is not scaled and whose equal points may be split.
        """
        raise NotImplementedError

    def predict(self, X: Any) -> IntArray:
        """Return the cluster of new points."""
        raise NotImplementedError


def nearest_of(points: FloatArray, representatives: FloatArray) -> IntArray:
    """Return the number of the nearest representative of each point, int64, shape (n,).

    Examples
    --------
    >>> nearest_of(np.array([[0.0], [9.0]]), np.array([[1.0], [8.0]])).tolist()
    [0, 1]
    """
    from sklearn.metrics import pairwise_distances_argmin

    nearest: IntArray = pairwise_distances_argmin(points, representatives).astype(np.int64)
    return nearest


def ranks_of_outputs(raw: IntArray, labels: IntArray, k: int) -> IntArray:
    """Return, for each output of a network, the rank by size of its cluster, int64, shape (k,).

    Parameters
    ----------
    raw : ndarray of int64, shape (n,)
        The number of the largest output, for each point.
    labels : ndarray of int64, shape (n,)
        The final labels, which may differ from `raw`.
    k : int

    Examples
    --------
    >>> ranks_of_outputs(np.array([0, 1, 1]), np.array([0, 1, 1]), 2).tolist()
    [1, 0]
    """
    from scipy.optimize import linear_sum_assignment

    ranks = rank_labels(labels)
    table = np.zeros((k, k))
    np.add.at(table, (raw, ranks), 1)
    output_ranks: IntArray = linear_sum_assignment(-table)[1].astype(np.int64)
    return output_ranks
