"""The Leiden algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from graphclust.errors import UsageError
from graphclust.methods.local_moves import LocalMoveEstimator
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.checks import check_number
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import Threads

if TYPE_CHECKING:
    from graphclust.kernels.adjacency import Adjacency, Records

__all__ = ["Leiden"]


class Leiden(LocalMoveEstimator):
    """Leiden algorithm (Traag, Waltman & van Eck 2019) for modularity or the constant Potts model.

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
        Randomness of the refinement phase, in units of the mean weight of an edge.
    hierarchy : bool
        Whether to keep the parts of the communities, and their parts, as levels of a hierarchy. They are connected.
    min_size, max_size : int, optional
        Bounds of the number of nodes of a community. Communities out of bounds are divided, and join others, where the
        quality loses least. Not together with `n_clusters`.
    start : Communities, mapping, Series or path, optional
        An earlier result, or the labels of an earlier partition: communities are those that it becomes by moves of
        nodes, and keep their numbers. If it is a result of this method, nodes with other edges than in its graph are
        visited at first, and none leaves a community without such a node; otherwise, all nodes are visited.
        Not together with `n_clusters` or `hierarchy`.
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
    takes_start: ClassVar[bool] = True

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        objective: str = "modularity",
        resolution: float = 1.0,
        n_iterations: int = 4,
        beta: float = 0.01,
        hierarchy: bool = False,
        min_size: int | None = None,
        max_size: int | None = None,
        start: Any = None,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.objective = objective
        self.resolution = resolution
        self.n_iterations = n_iterations
        self.beta = beta
        self.hierarchy = hierarchy
        self.min_size = min_size
        self.max_size = max_size
        self.start = start
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

    def size_bounds(self) -> tuple[int | None, int | None]:
        """See `GraphEstimator.size_bounds`."""
        return self.min_size, self.max_size

    def quality_kept(self) -> tuple[str, float | None]:
        """See `GraphEstimator.quality_kept`."""
        return self.objective, self.resolution

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        from graphclust.kernels.leiden import leiden, leiden_levels, leiden_update

        settings: dict[str, Any] = {"beta": self.beta, "seed": check_seed(self.random_state)}
        n_iterations = self.n_iterations

        start = core.start

        def run(rows: Adjacency, masses: Records, gamma: float, threads: Threads) -> list[IntArray]:
            if start is not None:
                return [leiden_update(rows, masses, gamma, *start, threads=threads, **settings)]
            labels = leiden(rows, masses, gamma, threads=threads, n_iterations=n_iterations, **settings)
            if not self.hierarchy:
                return [labels]
            return leiden_levels(rows, masses, gamma, labels, threads=threads, **settings)

        return self._solved(core, self.objective, self.resolution, run, is_connected=True)
