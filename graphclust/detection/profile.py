r"""Resolution profiles: which partitions are optimal at which resolutions, and how long each takes to describe.

Modularity at resolution :math:`\gamma` is :math:`Q(\gamma) = A - \gamma B` for each partition, where A is the share of
edges within communities and B the share that degrees let expect. Over all resolutions, a set of partitions has an upper
envelope of such lines, and each partition is optimal within one range, or nowhere (CHAMP; Weir, Emmons, Gibson, Taylor
& Mucha 2017). Leiden is run at resolutions spread over a range, and then where two ranges meet: if another partition is
better there, it takes its place in between.

A wide range means that a partition hardly depends on the resolution. It does not mean that there are communities: the
description length says so. It is that of `planted`, by which `auto` chooses; see
`graphclust.inference.block_models`.

Source: Weir et al., "Post-processing partitions to identify domains of modularity optimization", Algorithms 10, 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.detection import detect
from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inference.target import Target
from graphclust.inputs import as_graph
from graphclust.methods.base import solved
from graphclust.methods.leiden import Leiden
from graphclust.metrics import ami, modularity, rank_labels
from graphclust.problem.problem import Problem
from graphclust.problem.sizes import equivalent_resolution
from graphclust.results.communities import Communities
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

__all__ = ["Profile", "ProfileRow", "profile"]

_LOWEST, _HIGHEST = 0.125, 16.0  # resolutions
_BEYOND_AUTO = 4.0  # times the resolution that is equivalent to the communities of `auto`, if that is more
_GRID = 12  # runs that are spread over the range; the others go where ranges meet
_RUNS, _RUNS_IF_LARGE, _LARGE = 40, 24, 200_000  # edges
_NEAR = 1.02  # resolutions with a smaller ratio are the same


@dataclass(frozen=True)
class ProfileRow:
    """A partition of a profile.

    Attributes
    ----------
    resolution_from, resolution_to : float
        The range in which it is optimal among all partitions found. NaN for the partition of `auto` if there is none.
    n_clusters : int
    modularity : float
        At resolution 1, without directions.
    description_length : float
        Under `planted`, in nats.
    ami : float
        Agreement with the partition of `auto`.
    communities : Communities
    """

    resolution_from: float
    resolution_to: float
    n_clusters: int
    modularity: float
    description_length: float
    ami: float
    communities: Communities = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the communities."""
        values = {name: value for name, value in vars(self).items() if name != "communities"}
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()
        }


@dataclass(frozen=True)
class Profile:
    """Partitions of a graph that are optimal over ranges of the resolution.

    Attributes
    ----------
    rows : list of ProfileRow
        By resolution: the coarsest partition first.
    auto : ProfileRow
        The partition that `auto` chooses. Its resolution range is that of an equal row, or NaN.
    resolution : float
        The resolution at which modularity is the likelihood of a planted partition with the densities of `auto`'s
        communities (Newman 2016).
    n_runs : int
        Number of runs of Leiden.
    notes : tuple of Note
        What was left out of the graph, and what `auto` decided.
    """

    rows: list[ProfileRow]
    auto: ProfileRow
    resolution: float
    n_runs: int
    notes: tuple[Note, ...] = ()

    @property
    def shortest(self) -> ProfileRow:
        """The row with the shortest description."""
        return min(self.rows, key=lambda row: row.description_length)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the communities as plain values for JSON."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "auto": self.auto.to_dict(),
            "resolution": self.resolution,
            "n_runs": self.n_runs,
        }

    def to_frame(self) -> pandas.DataFrame:
        """Return the rows as a table."""
        import pandas as pd

        return pd.DataFrame([row.to_dict() for row in self.rows])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw numbers of communities and description lengths over the resolution; see `graphclust.report.profiles`."""
        from graphclust.report.profiles import plot_profile

        axes: Axes = plot_profile(self, ax)
        return axes


def profile(graph: Any, *, n_runs: int | None = None, random_state: Any = 0, weight: str | None = "weight") -> Profile:
    """Find the partitions of a graph that are optimal over ranges of the resolution of modularity.

    Parameters
    ----------
    graph : Graph, path, networkx graph, ...
        As in `graphclust.detect`. Directions are ignored.
    n_runs : int, optional
        Runs of Leiden; by default 40, and 24 with more than 200,000 edges.
    random_state : int, Generator or None
    weight : str or None
        As in `graphclust.detect`.

    Returns
    -------
    Profile

    Raises
    ------
    UsageError
        A graph without edges, or a number of runs that is not positive.

    Examples
    --------
    >>> planted = profile("data:planted", n_runs=12)
    >>> planted.shortest.n_clusters, planted.auto.n_clusters
    (4, 4)
    """
    if n_runs is not None:
        check_count("n_runs", n_runs)
    seed = check_seed(random_state)
    loaded = as_graph(graph, weight=weight)
    chosen = detect(loaded, random_state=seed)
    problem = Problem.of(loaded, method="profile")
    core = problem.core
    if not len(core.nodes):
        raise UsageError("a graph without edges has no communities at any resolution")
    runs = n_runs or (_RUNS if core.graph.num_edges <= _LARGE else _RUNS_IF_LARGE)
    own = chosen.labels[problem.positions(core.nodes)]
    resolution_of_auto = equivalent_resolution(core.graph, own)
    lines = _Lines(core.graph, max(_HIGHEST, _BEYOND_AUTO * resolution_of_auto))
    with task("resolutions", total=runs) as advance:
        for number in range(runs):
            resolution = lines.next_resolution(number, runs)
            if resolution is None:
                runs = number
                break
            lines.add(solved(Leiden(resolution=resolution, random_state=seed), core).labels, resolution)
            advance()
    caller = problem.caller
    order = np.argsort(problem.positions(np.arange(caller.num_nodes)))
    auto = lines.place(own)
    model = Target(core).model("planted")

    def row(labels: IntArray, first: float, last: float) -> ProfileRow:
        everywhere = np.empty(caller.num_nodes, dtype=np.int64)
        everywhere[:] = int(labels.max()) + 1 + np.arange(caller.num_nodes)
        everywhere[core.nodes] = labels
        ranked = rank_labels(everywhere[None])[0][order]
        params = {"resolution": math.sqrt(first * last), "random_state": seed}
        communities = Communities(caller, ranked, "leiden", params)
        return ProfileRow(
            first,
            last,
            communities.n_clusters,
            modularity(core.graph, labels),
            -model.score(labels),
            ami(ranked, chosen.labels),
            communities,
        )

    envelope = lines.envelope()
    rows = [row(lines.partitions[i], first, last) for i, first, last in envelope]
    ends = next(((first, last) for i, first, last in envelope if i == auto), (math.nan, math.nan))
    own_row = ProfileRow(*ends, chosen.n_clusters, modularity(core.graph, own), -model.score(own), 1.0, chosen)
    notes = (*problem.notes, *chosen.notes[len(loaded.meta.get("notes", ())) :])
    return Profile(rows, own_row, resolution_of_auto, runs, notes)


class _Lines:
    """Partitions as lines A - gamma B, and their upper envelope."""

    def __init__(self, graph: Graph, highest: float) -> None:
        self.graph, self.highest = graph, highest
        self.partitions: list[IntArray] = []
        self.inside: list[float] = []
        self.expected: list[float] = []
        self.tried: list[float] = []

    def add(self, labels: IntArray, resolution: float) -> None:
        """Add the partition that was found at a resolution."""
        self.tried.append(resolution)
        labels = rank_labels(np.asarray(labels)[None])[0]
        if self.place(labels) is None:
            weight = self.graph.edge_weight
            degree: FloatArray = np.bincount(labels, self.graph.degree()).astype(np.float64)
            total = self.graph.total_weight
            self.partitions.append(labels)
            self.inside.append(float(weight[labels[self.graph.source] == labels[self.graph.target]].sum()) / total)
            self.expected.append(float((degree**2).sum()) / (2 * total) ** 2)

    def place(self, labels: IntArray) -> int | None:
        """Return the number of an equal partition, or None."""
        labels = rank_labels(np.asarray(labels)[None])[0]
        return next((i for i, other in enumerate(self.partitions) if np.array_equal(labels, other)), None)

    def next_resolution(self, number: int, n_runs: int) -> float | None:
        """Return where to run next: on the grid, or where the widest ranges meet; None if all such places are tried."""
        low, high = _LOWEST, self.highest
        grid = min(_GRID, n_runs)
        if number < grid:
            return float(low * (high / low) ** ((number + 0.5) / grid))
        rows, options = self.envelope(), []
        for (_, first, meeting), (_, _, last) in pairwise(rows):
            if all(max(meeting / tried, tried / meeting) > _NEAR for tried in self.tried):
                options.append((last / first, meeting))
        return max(options)[1] if options else None

    def envelope(self) -> list[tuple[int, float, float]]:
        """Return the partitions that are optimal somewhere, with their ranges, from low to high resolution."""
        gamma, high = _LOWEST, self.highest
        inside, expected = np.array(self.inside), np.array(self.expected)
        best = int(np.lexsort((expected, -(inside - gamma * expected)))[0])
        rows = []
        while True:
            finer = np.flatnonzero(expected < expected[best])
            crossing = (inside[best] - inside[finer]) / (expected[best] - expected[finer])
            is_next = crossing >= gamma
            if not is_next.any() or crossing[is_next].min() >= high:
                rows.append((best, gamma, high))
                return rows
            end = float(crossing[is_next].min())
            ties = finer[is_next][crossing[is_next] <= end]
            if end > gamma:
                rows.append((best, gamma, end))
            best, gamma = int(ties[np.argmin(expected[ties])]), end
