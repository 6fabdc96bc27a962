"""The Louvain algorithm."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from graphclust.methods.local_moves import LocalMoveEstimator
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.checks import check_number
from graphclust.runtime.seeds import check_seed

__all__ = ["Louvain"]


class Louvain(LocalMoveEstimator):
    """Louvain algorithm (Blondel et al. 2008) for modularity.

    Parameters
    ----------
    n_clusters : int, optional
        Exact number of communities, as in `Leiden`.
    resolution : float
    hierarchy : bool
        Whether to keep the communities of all levels, which the next level merges.
    min_size, max_size : int, optional
        Bounds of the number of nodes of a community. Communities out of bounds are divided, and join others, where the
        quality loses least. Not together with `n_clusters`.
    random_state : int, Generator or None

    Examples
    --------
    >>> Louvain(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "louvain"
    summary: ClassVar[str] = "modularity by greedy moves and aggregation"
    source: ClassVar[str] = "Blondel, Guillaume, Lambiotte & Lefebvre 2008"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"
    connected: ClassVar[bool] = True  # its moves can leave a community in two parts

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        resolution: float = 1.0,
        hierarchy: bool = False,
        min_size: int | None = None,
        max_size: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.resolution = resolution
        self.hierarchy = hierarchy
        self.min_size = min_size
        self.max_size = max_size
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_number("resolution", self.resolution)

    def size_bounds(self) -> tuple[int | None, int | None]:
        """See `GraphEstimator.size_bounds`."""
        return self.min_size, self.max_size

    def quality_kept(self) -> tuple[str, float | None]:
        """See `GraphEstimator.quality_kept`."""
        return "modularity", self.resolution

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        from graphclust.kernels.leiden import louvain

        seed = check_seed(self.random_state)
        return self._solved(
            core,
            "modularity",
            self.resolution,
            lambda rows, masses, gamma, threads: louvain(rows, masses, gamma, threads=threads, seed=seed),
        )
