"""Refinement of another method as a method."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inference.refinement import check_effort, check_model, explained, memory_needed, refine
from graphclust.methods.base import GraphEstimator
from graphclust.problem.constraints import (
    known_labels,
)
from graphclust.problem.solution import Fit
from graphclust.runtime.checks import check_count
from graphclust.runtime.seeds import check_seed

__all__ = ["Refined"]


class Refined(GraphEstimator):
    """A method whose partitions are refined: see `refine`. What `detect(..., refine=...)` fits.

    Parameters
    ----------
    estimator : GraphEstimator
        Its labels, and the samples of its posterior if it has one, are what refinement starts from. Its `n_clusters`
        and `known` are kept.
    model : {"sbm", "dc-sbm", "planted"}
    effort : {"low", "normal", "high"}
    n_samples : int
    random_state : int, Generator or None

    Examples
    --------
    >>> from graphclust.methods.igraph_methods import Leiden
    >>> square = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]
    >>> Refined(Leiden(), "planted", random_state=0).fit(square).confidence_.shape
    (6,)
    """

    summary: ClassVar[str] = "another method's partitions, improved by their description length"
    source: ClassVar[str] = "Peixoto 2017; Nowicki & Snijders 2001"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "no"
    takes_direction: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("graphclust.inference.block_models", "scipy.sparse.csgraph")

    def __init__(
        self,
        estimator: GraphEstimator,
        model: str = "dc-sbm",
        *,
        effort: str = "normal",
        n_samples: int = 64,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.model = model
        self.effort = effort
        self.n_samples = n_samples
        self.random_state = random_state

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the refined method."""
        return self.estimator.name

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        check_model(self.model, self.estimator.n_clusters)
        check_effort(self.effort)
        check_count("n_samples", self.n_samples)
        self.estimator.check_params()

    def memory(self, graph: Graph) -> float:
        """Estimate the peak: that of the method, our copy of the graph, and samples."""
        return self.estimator.memory(graph) + memory_needed(graph, self.n_samples)

    def checkpoints(self) -> tuple[Any, ...]:
        """See `GraphEstimator.checkpoints`."""
        return self.estimator.checkpoints()

    def _fit(self, graph: Graph) -> Fit:
        seed = check_seed(self.random_state)
        inner = self.estimator.fit(graph)
        self.notes_ += inner.notes_
        name = inner.name
        starts = {name: inner.labels_}
        if inner.posterior_ is not None:
            for i, sample in enumerate(inner.posterior_.samples[:: max(len(inner.posterior_.samples) // 16, 1)]):
                starts[f"{name}, sample {i + 1}"] = sample
        k = inner.n_clusters
        if k is not None:
            starts = {one: labels for one, labels in starts.items() if int(labels.max()) + 1 == k}
            if not starts:
                raise UsageError(f"{name} found {inner.n_clusters_} communities, not {k}: nothing to refine")
        found = refine(
            graph,
            starts,
            [self.model],
            known=known_labels(graph, getattr(inner, "known", None)),
            n_clusters=k,
            effort=self.effort,
            n_samples=int(self.n_samples),
            seed=seed,
        )
        self.notes_ += explained(found.details)
        return found
