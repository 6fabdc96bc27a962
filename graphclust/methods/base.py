"""What all methods share: scikit-learn's estimator contract over graphs.

A method is a class with an `__init__` that only stores its parameters and a `_fit(graph)` that returns labels. The
base class turns whatever the caller has into a `Graph`, refuses what the method cannot do, works on the canonical
order of the nodes, says how many communities are not connected, numbers them by size and brings everything back into
the caller's order.

scikit-learn's own `BaseEstimator` would do, but importing it takes longer than most runs of a method; `clone`,
`get_params`, pipelines and `is_clusterer` work with these classes as with its own.
"""

from __future__ import annotations

import importlib
import inspect
import time
from contextvars import ContextVar
from typing import Any, ClassVar, Literal, Self

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.metrics import rank_labels
from graphclust.problem.constraints import count_disconnected
from graphclust.problem.solution import Fit
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.memory import require_memory
from graphclust.runtime.notes import Note
from graphclust.runtime.precision import single_precision

__all__ = ["GraphEstimator", "only_points"]

_CHECK_NEEDS = "scipy.sparse.csgraph"  # what `_note_disconnected` imports

_inside: ContextVar[bool] = ContextVar("_inside", default=False)  # whether what fits is a part of another method


class GraphEstimator:
    """Base class of the methods.

    Class attributes
    ----------------
    name : str
        Key in `graphclust.METHODS`.
    summary : str
        What the method does, in a line.
    source : str
        The publication.
    takes_n_clusters : {"required", "optional", "no"}
    takes_direction : bool
        Whether the directions of the edges count; if not, they are dropped with a note.
    takes_features : bool
        Whether the features of the nodes can count.
    needs : tuple of str
        Modules that `_fit` imports.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_nodes,)
        0 is the largest community; in the order of the graph's nodes.
    n_clusters_ : int
    confidence_ : ndarray of float64, shape (n_nodes,), or None
    posterior_ : Posterior or None
    graph_ : Graph
    details_ : dict
        How the result was found, where the method has more to say than its notes.
    notes_ : list of Note
        What was dropped, repaired or decided on the way.
    seconds_ : float
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "no"
    takes_direction: ClassVar[bool] = False
    takes_features: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()

    n_clusters: Any = None
    random_state: Any = None

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Names and defaults of the constructor's parameters."""
        signature = inspect.signature(cls.__init__)
        return {name: item.default for name, item in signature.parameters.items() if name != "self"}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters as given; `deep` is there for scikit-learn."""
        return {name: getattr(self, name) for name in self.parameters()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Raises
        ------
        UsageError
            A name that is none of the parameters.
        """
        known = self.parameters()
        for key, value in params.items():
            if key not in known:
                raise UsageError(f"{self.name} has no parameter {key!r}; it has {', '.join(known)}")
            setattr(self, key, value)
        return self

    def __repr__(self) -> str:
        changed = [f"{k}={getattr(self, k)!r}" for k, v in self.parameters().items() if getattr(self, k) is not v]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="clusterer", target_tags=TargetTags(required=False), input_tags=InputTags(sparse=True)
        )

    # ---------------------------------------------------------------- fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the communities of a graph.

        Parameters
        ----------
        X : Graph or whatever `as_graph` takes
        y : ignored

        Raises
        ------
        UsageError
            Parameters out of range; a number of communities where the method takes none or needs one.
        DataError
            `X` holds no graph.
        ResourceError
            The estimate of the memory needed is above what there is.
        """
        graph = as_graph(X)
        for module in (*self.needs, _CHECK_NEEDS):  # a first import should not count as the method's time
            importlib.import_module(module)
        start = time.perf_counter()
        self.notes_: list[Note] = []
        self.check_params()
        self._check(graph)
        order = graph.canonical_order()
        work = graph.canonical()
        if graph.directed and not self.takes_direction:
            work = work.undirected()
            self._note(
                "dropped-directions",
                f"{self.name} ignores directions: added the weights of both directions of each edge",
            )
        require_memory(self.memory(work), f"{self.name} on {work.num_nodes:,} nodes and {work.num_edges:,} edges")
        outer = _inside.set(True)
        try:
            with single_precision():
                fit = self._fit(work) if work.num_nodes else self._nothing()
        finally:
            _inside.reset(outer)
        self._note_disconnected(work, fit.labels)
        self.graph_ = graph
        self._keep(fit, start, order, graph)
        return self

    def _note_disconnected(self, graph: Graph, labels: IntArray) -> None:
        """Say how many communities are not connected, of a result that is not a start of another method's."""
        if _inside.get() or only_points(graph):
            return
        apart = count_disconnected(graph, labels)
        if apart:
            verb = "is" if apart == 1 else "are"
            self._note("disconnected", f"{apart:,} of the communities {verb} not connected", n_communities=apart)

    def _note(self, code: str, message: str, *, is_detail: bool = False, **data: Any) -> None:
        """Record a decision; see `graphclust.runtime.notes.Note`."""
        self.notes_.append(Note(code, message, data, is_detail))

    def _keep(self, fit: Fit, start: float, order: IntArray | None = None, graph: Graph | None = None) -> None:
        """Set the attributes of the result, in the caller's order of the nodes."""
        labels = rank_labels(np.asarray(fit.labels, dtype=np.int64))
        self.labels_ = self._restore(labels, order)
        self.confidence_ = None if fit.confidence is None else self._restore(fit.confidence, order)
        self.posterior_ = None
        if fit.posterior is not None:
            assert graph is not None
            self.posterior_ = self._restore_posterior(fit.posterior, order, graph)
        self.n_clusters_ = int(labels.max(initial=-1)) + 1
        self.details_ = fit.details
        self.seconds_ = time.perf_counter() - start

    def fit_predict(self, X: Any, y: Any = None) -> IntArray:
        """Fit, and return `labels_`."""
        labels: IntArray = self.fit(X).labels_
        return labels

    @staticmethod
    def _restore(values: Any, order: IntArray | None) -> Any:
        """Bring values from the canonical order back into the caller's."""
        if order is None:
            return values
        restored = np.empty_like(values)
        restored[order] = values
        return restored

    @classmethod
    def _restore_posterior(cls, posterior: Posterior, order: IntArray | None, graph: Graph) -> Posterior:
        samples = cls._restore(posterior.samples.T, order).T
        return posterior.over(samples, graph.nodes)

    def check_params(self) -> None:
        """Refuse parameters that no graph could make right; `fit` asks, and whoever wants to know before reading one.

        Raises
        ------
        UsageError
            A parameter out of range.
        """
        k = self._number()
        if k is None:
            return
        if self.takes_n_clusters == "no":
            raise UsageError(f"{self.name} finds the number of communities itself: it takes no n_clusters (-k)")
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise UsageError(f"n_clusters (-k) is a positive integer, not {k!r}")

    def _number(self) -> Any:
        """Return the number of communities asked for; None where the method shall find it."""
        free = self.takes_n_clusters == "optional" and isinstance(self.n_clusters, str) and self.n_clusters == "auto"
        return None if free else self.n_clusters

    def _check(self, graph: Graph) -> None:
        k = self._number()
        if k is None:
            if self.takes_n_clusters == "required" and graph.num_nodes:
                raise UsageError(f"{self.name} needs the number of communities: n_clusters (-k)")
        elif k > graph.num_nodes > 0:
            raise UsageError(
                f"{k} communities of {graph.num_nodes} nodes: n_clusters (-k) is at most the number of nodes"
            )

    def memory(self, graph: Graph) -> float:
        """Estimate the peak of memory that fitting needs beside the graph, in bytes."""
        return 0.0

    def checkpoints(self) -> tuple[Any, ...]:
        """Return the trained models that fitting may read, as names or files."""
        return ()

    def _nothing(self) -> Fit:
        """Return the result for a graph without nodes."""
        return Fit(np.empty(0, dtype=np.int64))

    def _fit(self, graph: Graph) -> Fit:
        """Cluster a graph with at least one node, in canonical order."""
        raise NotImplementedError


def only_points(graph: Graph) -> bool:
    """Whether a graph is nothing but points: nodes with features and no edges."""
    return graph.x is not None and not graph.num_edges
