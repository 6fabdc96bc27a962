"""Refinement of the communities of another method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inference import MICROCANONICAL_MODELS
from graphclust.inference.refinement import check_effort, check_model, explained, memory_needed, refine
from graphclust.methods.base import GraphEstimator, solved
from graphclust.problem.problem import Core, Problem
from graphclust.problem.solution import Solution
from graphclust.runtime.checks import check_count
from graphclust.runtime.seeds import check_seed

__all__ = ["Refined"]


class Refined(GraphEstimator):
    """A method whose partitions are refined by `graphclust.inference.refinement.refine`, as `detect(..., refine=...)`.

    Parameters
    ----------
    estimator : GraphEstimator
        Refinement starts from its labels and, if it has a posterior, from samples of that. The result respects its
        `n_clusters` and `known`.
    model : {"sbm", "dc-sbm", "microcanonical-sbm", "assortative", "assortative-uniform", "planted"}
    effort : {"low", "normal", "high"}
    n_samples : int
    random_state : int, Generator or None

    Examples
    --------
    >>> from graphclust.methods.leiden import Leiden
    >>> square = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]
    >>> Refined(Leiden(), "planted", random_state=0).fit(square).confidence_.shape
    (6,)
    """

    summary: ClassVar[str] = "another method's partitions, improved by their description length"
    source: ClassVar[str] = "Peixoto 2017; Nowicki & Snijders 2001"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "no"
    takes_direction: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("graphclust.inference.block_models",)

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
        """The name of the refined method."""
        return self.estimator.name

    @property
    def known(self) -> Any:
        """The known labels of the refined method."""
        return getattr(self.estimator, "known", None)

    def earlier(self) -> Any:
        """See `GraphEstimator.earlier`: that of the refined method."""
        return self.estimator.earlier()

    def size_bounds(self) -> tuple[int | None, int | None]:
        """See `GraphEstimator.size_bounds`: those of the refined method."""
        return self.estimator.size_bounds()

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        check_model(self.model, self.estimator.n_clusters)
        check_effort(self.effort)
        check_count("n_samples", self.n_samples)
        if getattr(self.estimator, "hierarchy", False):
            raise UsageError("refinement changes the communities: there is no hierarchy of them")
        self.estimator.check_params()

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: that of the method, a copy of the graph, and samples."""
        has_trees = self.model in MICROCANONICAL_MODELS
        return self.estimator.memory(graph) + memory_needed(graph, self.n_samples, has_trees=has_trees)

    def checkpoints(self) -> tuple[Any, ...]:
        """See `GraphEstimator.checkpoints`."""
        return self.estimator.checkpoints()

    def _number(self) -> Any:
        return self.estimator._number()

    def _check(self, graph: Graph) -> None:
        self.estimator._check(graph)

    def _groups_by_features(self, graph: Graph) -> bool:
        return self.estimator._groups_by_features(graph)

    def _empty_solution(self) -> Solution:
        return self.estimator._empty_solution()

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        solution = solved(self.estimator, core)
        name = self.estimator.name
        starts = {name: solution.labels}
        if solution.posterior is not None:
            samples = solution.posterior.samples
            for number, sample in enumerate(samples[:: max(len(samples) // 16, 1)], 1):
                starts[f"{name}, sample {number}"] = sample
        k = core.n_clusters
        if k is not None:
            starts = {start: labels for start, labels in starts.items() if int(labels.max()) + 1 == k}
        problem = Problem(core.graph, k, core.known)  # without nodes that have no edges
        if not len(problem.core.nodes):
            return solution
        starts = {start: labels[problem.core.nodes] for start, labels in starts.items()}
        refined = refine(
            problem.core,
            starts,
            [self.model],
            effort=self.effort,
            n_samples=int(self.n_samples),
            seed=check_seed(self.random_state),
        )
        reported = {note.code for note in solution.notes}
        new = [note for note in refined.notes if note.code not in reported]
        refined = replace(refined, notes=(*solution.notes, *new, *explained(refined.details)))
        return problem.placed(refined)
