"""The Leiden algorithm, by igraph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from graphclust.errors import UsageError
from graphclust.methods.igraph_methods import IgraphEstimator, igraph_of, with_exact_number
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.checks import check_number
from graphclust.runtime.interrupts import uninterrupted
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed, seeded_igraph

if TYPE_CHECKING:
    import igraph

__all__ = ["Leiden"]


class Leiden(IgraphEstimator):
    """Leiden algorithm (Traag, Waltman & van Eck 2019) for modularity or the constant Potts model, by igraph.

    Parameters
    ----------
    n_clusters : int, optional
        Exact number of communities. A search finds a resolution with about as many, and the surplus communities are
        merged by modularity.
    objective : {"modularity", "cpm"}
    resolution : float
        Larger values give more and smaller communities. For "cpm", the density that a community must exceed.
    n_iterations : int
        Maximum number of iterations. Iterations end earlier if one changes nothing; -1 means no maximum.
    beta : float
        Randomness of the refinement phase.
    random_state : int, Generator or None

    Examples
    --------
    >>> Leiden(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "leiden"
    summary: ClassVar[str] = "modularity or constant Potts model, connected communities"
    source: ClassVar[str] = "Traag, Waltman & van Eck 2019"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"
    takes_direction: ClassVar[bool] = True

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        objective: str = "modularity",
        resolution: float = 1.0,
        n_iterations: int = 10,
        beta: float = 0.01,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.objective = objective
        self.resolution = resolution
        self.n_iterations = n_iterations
        self.beta = beta
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        if self.objective not in ("modularity", "cpm"):
            raise UsageError(f"objective is modularity or cpm, not {self.objective!r}")
        check_number("resolution", self.resolution)
        check_number("beta", self.beta)
        limit = self.n_iterations
        if isinstance(limit, bool) or not isinstance(limit, int) or (limit < 1 and limit != -1):
            raise UsageError(f"n_iterations is a positive integer, or -1 for no limit; not {limit!r}")

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        import igraph as ig

        limit = self.n_iterations
        seed = check_seed(self.random_state)
        ig_graph, problem = self._problem(core)
        scale = problem.pop("scale")

        def run(resolution: float) -> IntArray:
            membership: list[int] | None = None
            done = 0
            with seeded_igraph(seed), task("leiden", limit if limit > 0 else None) as advance:
                while done != limit:
                    with uninterrupted():
                        labels, _ = ig.GraphBase.community_leiden(
                            ig_graph,
                            resolution=resolution * scale,
                            beta=self.beta,
                            initial_membership=membership,
                            n_iterations=1,
                            **problem,
                        )
                    done += 1
                    advance()
                    if labels == membership:
                        break
                    membership = labels
            return np.array(membership, dtype=np.int64)

        if core.n_clusters is not None:
            return with_exact_number(core, self.resolution, run)
        return Solution(run(self.resolution))

    def _problem(self, core: Core) -> tuple[igraph.Graph, dict[str, Any]]:
        """Return the arguments of igraph's Leiden algorithm.

        The objective is the sum of A_ij - scale * resolution * u_i * v_j over pairs within communities. For directed
        modularity (Leicht & Newman 2008), u and v are the out- and in-degrees. igraph 1.0 moves a node only to
        communities of its out-neighbours, and so ends far from a local optimum. Replacing each edge by two edges of
        half the weight in both directions does not change the objective, and makes all neighbours out-neighbours.
        """
        import igraph as ig

        graph = core.graph
        by_degree = self.objective == "modularity"
        if not graph.directed:
            ig_graph, weights = igraph_of(core)
            problem: dict[str, Any] = {"edge_weights": weights, "normalize_resolution": False, "scale": 1.0}
            if by_degree:  # in the degrees of igraph a self-loop counts once
                degree = graph.degree()
                problem |= {"node_weights": degree.tolist(), "scale": 1.0 / max(float(degree.sum()), 1e-300)}
            return ig_graph, problem
        source, target = np.stack((graph.source, graph.target)), np.stack((graph.target, graph.source))
        ig_graph = ig.Graph(n=graph.num_nodes, edges=np.stack((source.ravel(), target.ravel()), axis=1), directed=True)
        problem = {"edge_weights": np.tile(graph.edge_weight / 2, 2).tolist(), "normalize_resolution": False}
        if not by_degree:
            ones = [1.0] * graph.num_nodes
            return ig_graph, {**problem, "node_weights": ones, "node_in_weights": ones, "scale": 1.0}
        degrees = {"node_weights": graph.degree("out").tolist(), "node_in_weights": graph.degree("in").tolist()}
        return ig_graph, {**problem, **degrees, "scale": 1.0 / max(graph.total_weight, 1e-300)}
