"""The microcanonical block models of the literature, with and without degrees, as refinement uses them.

See `graphclust.inference.description_length` for the model, and `graphclust.inference.group_search` for the search. The
posterior is that of partitions: a partition has the probability of all B! labelings of its groups together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inference import MOST_AGGLOMERATED
from graphclust.inference.base import BlockModel
from graphclust.inference.chains import Chain, Chains, Schedule, run_chains
from graphclust.inference.description_length import describe
from graphclust.inference.edge_weights import WeightModel
from graphclust.inference.group_search import GroupSearch, Multigraph, TreeModel, single_nodes
from graphclust.metrics import numbered
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from graphclust.inference.target import Target

__all__ = [
    "AssortativeModel",
    "DegreeCorrectedBlockModel",
    "MicrocanonicalModel",
    "UncorrectedBlockModel",
    "UniformAssortativeModel",
]

# partitions that agglomeration passes, its repetitions, and nodes that are in all of them
_N_AGGLOMERATED, _MOST_AGGLOMERATIONS, _NODES_AGGLOMERATED = 3, 6, 2000
_MOST_SHAKES, _NODES_SHAKEN = 10, 10_000  # attempts to leave a local optimum, and nodes that are in all of them
# elementary steps of a visit to a node, and of a merge-split move: three nanoseconds each, as measured
_STEPS, _STEPS_PER_PAIR = 40.0, 8.0
_STEPS_PER_SPLIT, _STEPS_PER_NODE_SPLIT = 10_000.0, 130.0


class MicrocanonicalModel(BlockModel):
    """A microcanonical block model (Peixoto 2017; Zhang & Peixoto 2020).

    Parameters
    ----------
    graph : Graph
        At least one node, directed or not.
    known : array of int, shape (n_nodes,), optional
        Number of the known label of each node, 0 if it is not known. Partitions have to agree with these labels.
    n_clusters : int, optional
        If not None, the number of blocks stays what it is in the partitions passed to the methods.
    sides : ndarray of int64, shape (n_nodes,), optional
        Side of each node of a two-mode graph, 0 or 1. No block has nodes of both.
    weight_model : str, optional
        What weights are; see `graphclust.inference.edge_weights`. By default, whole numbers are numbers of parallel
        edges, and others are exponential.

    Attributes
    ----------
    described : str
        The model of `describe`.
    """

    described: ClassVar[str]
    is_microcanonical: ClassVar[bool] = True
    compares_weighted: ClassVar[bool] = False
    describes_directions: ClassVar[bool] = True

    def __init__(
        self,
        graph: Graph,
        *,
        known: ArrayLike | None = None,
        n_clusters: int | None = None,
        sides: IntArray | None = None,
        weight_model: str | None = None,
    ) -> None:
        self.n_nodes, self.n_clusters = graph.num_nodes, n_clusters
        self.known = None if known is None else np.asarray(known, dtype=np.int64)
        self._graph, self._multigraph = graph, Multigraph.of(graph, weight_model)
        is_fixed = None if self.known is None else self.known > 0
        self._tree_model = TreeModel.of(
            self.described,
            sides=sides,
            is_fixed=is_fixed,
            keeps_number=n_clusters is not None,
        )

    @classmethod
    def of(cls, target: Target) -> Self:
        """See `BlockModel.of`."""
        return cls(
            target.multigraph(cls.describes_directions),
            known=target.known,
            n_clusters=target.n_clusters,
            sides=target.sides,
            weight_model=target.weight_model,
        )

    def _search(self, labels: ArrayLike, seed: int = 0) -> GroupSearch:
        return GroupSearch(self._multigraph, [numbered(labels)], self._tree_model, seed)

    def score(self, labels: ArrayLike) -> float:
        """Return minus the description length of a graph and a labeling of its nodes, in nats."""
        return -describe(
            self._graph, labels, self.described, sides=self._tree_model.sides, **self.hyperparameters
        ).total

    def log_joint(self, labels: ArrayLike) -> float:
        """Return the log joint of a graph and a partition, which is B! labelings, in nats."""
        return self.score(labels) + _log_labelings(len(np.unique(labels)))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """See `BlockModel.hyperparameters`."""
        weights = self._multigraph.weight_model
        return {} if weights is None else {"weight_model": weights.name}

    @cached_property
    def _constant(self) -> float:
        """The part of the log joint that `GroupSearch.length` leaves out."""
        one = np.zeros(self.n_nodes, dtype=np.int64) if self._tree_model.sides is None else self._tree_model.sides
        return self.score(one) + self._search(one).length()

    def _densities(self, labels: ArrayLike) -> tuple[FloatArray, FloatArray, IntArray]:
        nodes = numbered(labels)
        n = int(nodes.max()) + 1
        ends = nodes[self._graph.source], nodes[self._graph.target]
        count = self._graph.edge_weight if self._multigraph.weight_model is None else None
        edges = np.bincount(ends[0] * n + ends[1], count, minlength=n * n).reshape(n, n)
        edges = edges + edges.T
        size = np.bincount(nodes)
        mass = size.astype(np.float64)
        if self._tree_model.is_corrected:
            mass = np.maximum(np.bincount(nodes, self._multigraph.out_degree + self._multigraph.in_degree), 1.0)
        density = edges / np.outer(mass, mass)
        return density, np.diag(density).copy(), size

    def hidden_edges(self, labels: ArrayLike) -> float:
        """See `BlockModel.hidden_edges`; 0 for graphs with weights."""
        graph, nodes = self._graph, numbered(labels)
        if graph.is_weighted:
            return 0.0
        mass: list[Any] = [np.ones(self.n_nodes)] * 2
        if self._tree_model.is_corrected:
            degrees = self._multigraph.out_degree, self._multigraph.in_degree
            mass = list(degrees) if graph.directed else [degrees[0]] * 2
        rows, cols = nodes[graph.source], nodes[graph.target]
        if not graph.directed:
            rows, cols = np.minimum(rows, cols), np.maximum(rows, cols)
        place, count = np.unique(rows * len(nodes) + cols, return_inverse=True, return_counts=True)[1:]
        edges = count[place] * np.where((rows == cols) & (not graph.directed), 2.0, 1.0)
        group_mass = [np.bincount(nodes, masses) for masses in mass]
        pairs = group_mass[0][rows] * group_mass[1][cols]
        return float((edges * mass[0][graph.source] * mass[1][graph.target] / pairs).sum() / 2)

    def own_starts(self, seed: int) -> dict[str, IntArray]:
        """Return the best partitions that merging from single nodes on passes, on graphs that are not large."""
        if self.n_nodes > MOST_AGGLOMERATED:
            return {}
        first, model = single_nodes(self.n_nodes, self.known), self._tree_model._replace(keeps_number=False)
        search = GroupSearch(self._multigraph, [first], model, seed)
        fewest = self.n_clusters or 1
        if self.n_clusters is not None:
            groups = search.agglomerate(fewest=fewest)[-1][1][0]
            return {"agglomerative": groups} if search.n_groups() == fewest else {}
        best: dict[int, tuple[float, IntArray]] = {}
        for _ in range(min(max(_NODES_AGGLOMERATED // self.n_nodes, 1), _MOST_AGGLOMERATIONS)):
            search.build([first])
            for length, (groups,) in search.agglomerate():
                n_groups = int(groups.max()) + 1
                if n_groups not in best or length < best[n_groups][0]:
                    best[n_groups] = length, groups
        ranked = sorted(best.items(), key=lambda row: row[1][0])[:_N_AGGLOMERATED]
        return {f"agglomerative {n_groups}": groups for n_groups, (_, groups) in ranked}

    def improve(self, labels: ArrayLike, seed: int = 0, has_changed: NDArray[np.bool_] | None = None) -> IntArray:
        """See `BlockModel.improve`. Every node is visited."""
        search = self._search(labels, seed)
        search.polish()
        search.shake(min(_MOST_SHAKES, _NODES_SHAKEN // self.n_nodes))
        return search.labels()[0]

    def conditional(self, labels: ArrayLike) -> FloatArray:
        """See `BlockModel.conditional`."""
        return self._search(labels).conditional()

    def sweep_cost(self, labels: IntArray, splits: float) -> float:
        """See `BlockModel.sweep_cost`."""
        rows, nodes = self._multigraph.start, np.arange(self.n_nodes)
        ends = np.stack((np.repeat(nodes, np.diff(rows)), labels[self._multigraph.neighbor]))
        n_near = np.unique(ends, axis=1).shape[1] / self.n_nodes  # groups around a node, on average
        visits = self.n_nodes * (_STEPS + _STEPS_PER_PAIR * n_near**2)
        return float(visits + splits * (_STEPS_PER_SPLIT + _STEPS_PER_NODE_SPLIT * self.n_nodes))

    def sample(
        self,
        starts: Sequence[ArrayLike],
        n_samples: int,
        n_sweeps: int,
        seed: int = 0,
        *,
        splits: float = 0.25,
        burn_in: float = 0.5,
        threads: int = 1,
    ) -> Chains:
        """See `BlockModel.sample`."""
        seeds = np.random.SeedSequence(seed).spawn(len(starts))

        def begin(index: int) -> Chain:
            search = self._search(starts[index], int(seeds[index].generate_state(1)[0]))

            def go_on(first: int, end: int, heat: float) -> tuple[IntArray, float]:
                search.run_chain(end - first, splits)
                log_joint = self._constant - search.length() + _log_labelings(search.n_groups())
                return search.labels()[0], log_joint

            return go_on

        return run_chains(begin, len(starts), Schedule.of(n_samples, n_sweeps, burn_in), threads)


class DegreeCorrectedBlockModel(MicrocanonicalModel):
    """The degree-corrected block model; see `MicrocanonicalModel`.

    Examples
    --------
    >>> cliques = [(i + k, j + k) for k in (0, 6, 12) for i in range(6) for j in range(i)]
    >>> model = DegreeCorrectedBlockModel(Graph.from_edges(*zip(*cliques, (0, 6), (6, 12)), nodes=18))
    >>> model.own_starts(seed=0)["agglomerative 3"].tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    """

    name: ClassVar[str] = "dc-sbm"
    title: ClassVar[str] = "the degree-corrected block model"
    described: ClassVar[str] = "dc-sbm"


class UncorrectedBlockModel(MicrocanonicalModel):
    """The block model of multigraphs whose nodes of a group are alike; see `MicrocanonicalModel`."""

    name: ClassVar[str] = "microcanonical-sbm"
    title: ClassVar[str] = "the microcanonical block model"
    described: ClassVar[str] = "sbm"


class AssortativeModel(MicrocanonicalModel):
    """The planted partition of Zhang & Peixoto (2020): communities only, denser inside; see `MicrocanonicalModel`.

    Each community has a number of edges inside, and edges between any two communities are equally likely.
    """

    name: ClassVar[str] = "assortative"
    title: ClassVar[str] = "the planted partition of Zhang & Peixoto"
    described: ClassVar[str] = "assortative"
    describes_directions: ClassVar[bool] = False

    @classmethod
    def of(cls, target: Target) -> Self:
        """See `BlockModel.of`.

        Raises
        ------
        UsageError
            Weights that are not whole numbers, or that a model of weights is given for; or a two-mode graph.
        """
        if target.sides is not None:
            raise UsageError(f"{cls.name} is a model of communities, which two-mode graphs do not have")
        if target.weight is not None and WeightModel.of(target.weight, target.weight_model) is not None:
            raise UsageError(f"{cls.name} takes weights for parallel edges: whole numbers (planted takes any)")
        return super().of(target)


class UniformAssortativeModel(AssortativeModel):
    """The uniform planted partition of Zhang & Peixoto (2020): each community expects as many edges inside."""

    name: ClassVar[str] = "assortative-uniform"
    title: ClassVar[str] = "the uniform planted partition of Zhang & Peixoto"
    described: ClassVar[str] = "assortative-uniform"


def _log_labelings(n_groups: int) -> float:
    return math.lgamma(n_groups + 1.0)
