"""The base class of all methods: scikit-learn's estimator interface for graphs.

A method is a class with an `__init__` that only stores its parameters, and a `solve(core)` that returns a `Solution`.
`fit` turns its input into a `Problem`, solves the core of the problem, and lifts the solution to the caller's nodes.

The base class is not scikit-learn's `BaseEstimator`, because importing that takes longer than most runs of a method.
`clone`, `get_params`, pipelines and `is_clusterer` work as usual.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from typing import Any, ClassVar, Literal, Self

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.problem.problem import Core, Problem, dropped_directions
from graphclust.problem.sizes import Sizes, check_sizes
from graphclust.problem.solution import Solution
from graphclust.problem.start import check_start
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.cluster import Cluster, current_cluster
from graphclust.runtime.memory import (
    PeakMemory,
    available_memory,
    format_bytes,
    is_available,
    require_address_space,
    require_memory,
)
from graphclust.runtime.notes import Note, counted
from graphclust.runtime.precision import single_precision
from graphclust.runtime.storage import Storage

__all__ = ["GraphEstimator", "solved"]

_LIFT_NEEDS = "graphclust.kernels.adjacency"  # imported by `Problem.lift`
_MIB = 2.0**20
_OBJECTIVES = ("objective", "resolution", "model", "weight_model")  # parameters that say which communities are sought
_LIBRARIES = {  # address space that is mapped by the import of modules which begin so, on two cores
    "torch": 900 * _MIB,
    "graphclust.models": 900 * _MIB,
    "graphclust.inference": 450 * _MIB,
    "sklearn": 450 * _MIB,
    "scipy": 100 * _MIB,
}


class GraphEstimator:
    """Base class of the methods.

    Class attributes
    ----------------
    name : str
        Key in `graphclust.METHODS`.
    summary : str
        One line on the method.
    source : str
        The publication.
    takes_n_clusters : {"required", "optional", "no"}
    takes_direction : bool
        Whether the method uses the directions of edges; if not, they are dropped with a note.
    merges_directions : bool
        Whether an edge in both directions is one edge; otherwise, its weights are added when directions are dropped.
    ignores_self_loops : bool
        Whether self-loops are left out, with a note, because they would distort the result.
    takes_start : bool
        Whether the method can start from an earlier partition, its parameter `start`.
    takes_features : bool
        Whether the method can use the features of the nodes.
    works_in_files : bool
        Whether the method works on a graph whose edges lie in files (`graphclust.runtime.storage`).
    works_on_cluster : bool
        Whether the method lets the processes of a cluster share the work (`graphclust.runtime.cluster`).
    connected : bool
        Whether communities are connected unless `n_clusters` is set.
    is_baseline : bool
        Whether another method of the same kind is better in every respect. Comparisons leave it out unless it is named.
    needs : tuple of str
        Modules that `solve` imports.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_nodes,)
        Community of each node, in the order of the graph's nodes; 0 is the largest community. With a start, communities
        keep their numbers from it.
    n_clusters_ : int
    confidence_ : ndarray of float64, shape (n_nodes,), or None
    posterior_ : Posterior or None
    graph_ : Graph
    levels_ : tuple of ndarray of int64, shape (n_nodes,)
        Labels on each level of a hierarchy, the finest first, `labels_` among them; empty without one.
    changes_ : Changes or None
        What has changed since the start, if there was one.
    details_ : dict
        Details of the method that the notes do not contain.
    notes_ : list of Note
        What the method dropped, repaired or decided.
    seconds_ : float
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "no"
    takes_direction: ClassVar[bool] = False
    merges_directions: ClassVar[bool] = False
    ignores_self_loops: ClassVar[bool] = False
    works_in_files: ClassVar[bool] = False
    works_on_cluster: ClassVar[bool] = False
    takes_start: ClassVar[bool] = False
    takes_features: ClassVar[bool] = False
    connected: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()

    n_clusters: Any = None
    hierarchy: bool = False
    random_state: Any = None

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Return the names and defaults of the constructor's parameters."""
        signature = inspect.signature(cls.__init__)
        return {name: item.default for name, item in signature.parameters.items() if name != "self"}

    @classmethod
    def other_settings(cls) -> Collection[str]:
        """Return the names of settings that are passed as the parameter `training`."""
        return ()

    @classmethod
    def no_parameter(cls, name: str) -> UsageError:
        """Return the error for a parameter that does not exist."""
        if name in cls.other_settings():
            return UsageError(f"{cls.name} has no parameter {name!r}; set it by training={{{name!r}: ...}}")
        return UsageError(f"{cls.name} has no parameter {name!r}; it has {', '.join(cls.parameters())}")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; `deep` exists for compatibility with scikit-learn and has no effect."""
        return {name: getattr(self, name) for name in self.parameters()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Raises
        ------
        UsageError
            A parameter does not exist.
        """
        known = self.parameters()
        for key, value in params.items():
            if key not in known:
                raise self.no_parameter(key)
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
        X : Graph, or any input of `graphclust.inputs.as_graph`
        y : ignored

        Raises
        ------
        UsageError
            A parameter is out of range; or `n_clusters` is set but the method does not take it, or the reverse.
        DataError
            `X` is not a graph.
        ResourceError
            The fit would need more memory than is available.
        """
        modules = (*self._needed(X), _LIFT_NEEDS)
        require_address_space(_address_space(modules), self.name)
        for module in modules:  # the method's time should not include imports
            importlib.import_module(module)
        self._forget()
        start = time.perf_counter()
        self.check_params()
        graph, is_table = self._input(X)
        self._check(graph)
        graph = self._placed(graph)
        problem = Problem.of(
            graph,
            self._number(),
            getattr(self, "known", None),
            method=self.name,
            directed=self.takes_direction or self.merges_directions,
            self_loops=not self.ignores_self_loops,
            by_features=self._groups_by_features(graph),
            is_table=is_table,
            bipartite=getattr(self, "bipartite", False),
            sizes=Sizes.of(*self.size_bounds(), *self.quality_kept()),
            start=self.earlier(),
            is_likewise=self._is_likewise(self.earlier()),
        )
        storage, what = problem.graph.storage, f"{self.name} on {self._extent(problem)}"
        if storage is None:
            require_memory(self.memory(problem.graph), what)
        else:
            hint = "" if self.works_in_files else f"; {_methods_that('works_in_files')} need less"
            require_memory(self.memory_in_files(problem.graph), what, storage.memory, hint)
        core = problem.core
        with single_precision(), nullcontext() if storage is None else PeakMemory() as peak:
            solution = self.solve(core) if len(core.nodes) else self._empty_solution()
        if storage is not None and peak is not None:
            solution = solution.with_notes([_use_of(storage, peak.rise, problem.graph)])
        if (cluster := current_cluster()) is not None:
            solution = solution.with_notes([_work_of(cluster)])
        self._keep(problem, problem.lift(core.settled(solution, connected=self.connected)))
        self.seconds_ = time.perf_counter() - start
        return self

    def _placed(self, graph: Graph) -> Graph:
        """Return the graph without a storage if the fit has enough memory, and otherwise with one if that helps."""
        need, storage = self.memory(graph), graph.storage
        if storage is not None and need + graph.source.nbytes + graph.target.nbytes <= storage.memory:
            return graph.stored(None)
        if storage is None and self.works_in_files and not is_available(need):
            return graph.stored(Storage(available_memory() or 0))
        return graph

    def _needed(self, X: Any) -> tuple[str, ...]:
        """Return the modules that the fit of a graph, or of another input, imports."""
        return self.needs

    def _forget(self) -> None:
        """Remove the attributes of an earlier fit."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _input(self, X: Any) -> tuple[Graph, bool]:
        """Return the graph to fit, and whether it represents a table of points."""
        return as_graph(X), False

    def _groups_by_features(self, graph: Graph) -> bool:
        """Return whether nodes without edges can be grouped by their features."""
        return False

    @staticmethod
    def _extent(problem: Problem) -> str:
        """Return the size of a problem in words."""
        graph = problem.graph
        if problem.is_table:
            return f"{graph.num_nodes:,} points of {graph.x.shape[1]:,} features"
        return f"{graph.num_nodes:,} nodes and {graph.num_edges:,} edges"

    def _keep(self, problem: Problem, solution: Solution) -> None:
        """Set the attributes of the fit; the nodes of `solution` are in the caller's order."""
        self.graph_ = problem.caller
        self.labels_ = solution.labels
        self.confidence_ = solution.confidence
        self.posterior_ = solution.posterior
        self.levels_ = solution.levels
        self.changes_ = solution.changes
        self.n_clusters_ = int(solution.labels.max(initial=-1)) + 1
        if self.changes_ is not None:  # with a start, numbers of communities have gaps
            self.n_clusters_ = self.changes_.matching.n_new
        self.details_ = solution.details
        self.notes_ = list(solution.notes)

    def fit_predict(self, X: Any, y: Any = None) -> IntArray:
        """Fit, and return `labels_`."""
        labels: IntArray = self.fit(X).labels_
        return labels

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw what was fitted, coloured by community: a graph, or points in their two principal components.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        **options
            See `graphclust.report.plot.plot_communities`.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        UsageError
            Nothing was fitted.
        """
        from graphclust.results.communities import Communities

        if not hasattr(self, "labels_"):
            raise UsageError(f"{self.name} has no result to draw: call fit first")
        return Communities(self.graph_, self.labels_, self.name, confidence=self.confidence_).plot(ax, **options)

    def solve(self, core: Core) -> Solution:
        """Find the communities of a core with at least one node.

        `fit` calls it between `Problem.of` and `Problem.lift`, and methods that combine other methods call it through
        `solved`. It does not know ids, files or reports.
        """
        raise NotImplementedError

    def check_params(self) -> None:
        """Refuse parameters that are wrong for every graph.

        `fit` calls it, and callers can do so before they read a graph.

        Raises
        ------
        UsageError
            A parameter is out of range.
        """
        if current_cluster() is not None and not self.works_on_cluster:
            raise UsageError(f"{self.name} does not use a cluster; {_methods_that('works_on_cluster')} do")
        k = self._number()
        check_sizes(
            *self.size_bounds(),
            n_clusters=k,
            known=getattr(self, "known", None),
            bipartite=getattr(self, "bipartite", False),
        )
        check_start(
            self.earlier(),
            **{
                "n_clusters (-k)": k,
                "known labels": getattr(self, "known", None),
                "bipartite": getattr(self, "bipartite", False),
                "hierarchy": self.hierarchy,
            },
        )
        if k is None:
            return
        if self.takes_n_clusters == "no":
            raise UsageError(f"{self.name} finds the number of communities itself: it takes no n_clusters (-k)")
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise UsageError(f"n_clusters (-k) is a positive integer, not {k!r}")

    def _number(self) -> Any:
        """Return the requested number of communities, or None if the method chooses it."""
        free = self.takes_n_clusters == "optional" and isinstance(self.n_clusters, str) and self.n_clusters == "auto"
        return None if free else self.n_clusters

    def _check(self, graph: Graph) -> None:
        k = self._number()
        if k is None:
            if self.takes_n_clusters == "required" and graph.num_nodes:
                raise UsageError(f"{self.name} needs the number of communities: n_clusters (-k)")
        elif k > graph.num_nodes > 0:
            raise UsageError(
                f"cannot make {k} communities of {graph.num_nodes} nodes: "
                "n_clusters (-k) is at most the number of nodes"
            )

    def size_bounds(self) -> tuple[int | None, int | None]:
        """Return the smallest and the largest number of nodes of a community, None where there is no bound."""
        return None, None

    def earlier(self) -> Any:
        """Return the partition to start from, see `graphclust.problem.start.Previous.of`; None if there is none."""
        return self.get_params()["start"] if self.takes_start else None

    def _is_likewise(self, earlier: Any) -> bool:
        """Whether a result was found by this method with the same objective, as far as it says."""
        method, params = getattr(earlier, "method", ""), getattr(earlier, "params", {})
        own = self.get_params()
        names = [name for name in _OBJECTIVES if name in own and name in params]
        return method in ("", self.name) and all(params[name] == own[name] for name in names)

    def quality_kept(self) -> tuple[str, float | None]:
        """Return the objective and resolution by which communities are divided and joined if their sizes are bounded.

        See `graphclust.problem.sizes.Sizes`.
        """
        return "modularity", None

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory of a fit, without the graph, in bytes."""
        return 0.0

    def memory_in_files(self, graph: Graph) -> float:
        """Estimate the peak memory of a fit if edges lie in files, without the graph, in bytes."""
        return self.memory(graph)

    def checkpoints(self) -> tuple[Any, ...]:
        """Return the names or files of the trained models that `fit` may load."""
        return ()

    def _empty_solution(self) -> Solution:
        """Return the solution of a core without nodes."""
        labels = np.empty(0, dtype=np.int64)
        return Solution(labels, levels=(labels,) if self.hierarchy else ())


def _methods_that(ability: str) -> str:
    """Return the names of the methods that have an ability, such as "works_in_files"."""
    from graphclust.methods import METHODS

    *names, last = [name for name, kind in METHODS.items() if getattr(kind, ability)]
    return f"{', '.join(names)} and {last}"


def _address_space(modules: Iterable[str]) -> float:
    """Return the bytes that modules map when they are imported; 0 if they have been."""
    missing = [module for module in modules if module not in sys.modules]
    return max((size for start, size in _LIBRARIES.items() if any(m.startswith(start) for m in missing)), default=0.0)


def solved(method: GraphEstimator, core: Core) -> Solution:
    """Return the solution of a core by a method that is part of another method."""
    notes: tuple[Note, ...] = ()
    if core.graph.directed and not method.takes_direction:
        core, notes = core.undirected(), (dropped_directions(method.name),)
    return core.settled(method.solve(core), connected=method.connected).with_notes(notes)


def _use_of(storage: Storage, rise: int | None, graph: Graph) -> Note:
    """Return a note that says what a graph in files has taken so far."""
    per_edge = storage.written / max(graph.num_edges, 1)
    message = f"{format_bytes(storage.written)} written to temporary files, {per_edge:.0f} bytes for each edge"
    data = {"written": storage.written}
    if rise is not None:
        data["rise"] = rise
        message += f"; {format_bytes(rise)} of memory, {rise / max(graph.num_nodes, 1):.0f} bytes for each node"
    return Note("storage", message, data)


def _work_of(cluster: Cluster) -> Note:
    """Return a note that says what a cluster has done."""
    if not cluster.sent:
        return Note("cluster", "the graph is small enough for one process: the cluster was not used")
    message = (
        f"{counted(cluster.n_workers, 'worker')} of the cluster: {format_bytes(cluster.sent)} sent, "
        f"{format_bytes(cluster.received)} received, for {counted(cluster.n_visits, 'visit')} of nodes in "
        f"batches, {cluster.n_batches:,} in all"
    )
    if cluster.n_lost:
        message += f"; work was repeated {counted(cluster.n_lost, 'time')}, because workers were lost"
    return Note("cluster", message, cluster.counts())
