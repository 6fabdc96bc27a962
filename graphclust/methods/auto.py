"""The default method: the best partition of several methods by description length, improved further."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from graphclust.errors import GraphclustError, UsageError
from graphclust.graph import Graph
from graphclust.inference import (
    BLOCK_MODELS,
    GENERAL_MODELS,
    MICROCANONICAL_MODELS,
    MOST_AGGLOMERATED,
    NESTED_MODELS,
)
from graphclust.inference.edge_weights import check_weight_model
from graphclust.inference.refinement import (
    MOST_MATRIX_NODES,
    check_effort,
    check_model,
    explained,
    memory_needed,
    refine,
)
from graphclust.methods.acp import ACP
from graphclust.methods.base import GraphEstimator, solved
from graphclust.methods.infomap import Infomap
from graphclust.methods.label_propagation import LabelPropagation
from graphclust.methods.leiden import Leiden
from graphclust.methods.louvain import Louvain
from graphclust.methods.spectral import Spectral
from graphclust.problem.constraints import check_known, with_number
from graphclust.problem.problem import Core
from graphclust.problem.sides import check_bipartite, two_coloring
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray, index_dtype
from graphclust.runtime.checks import check_count, check_hierarchy
from graphclust.runtime.memory import format_bytes
from graphclust.runtime.notes import Note, counted
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed

__all__ = ["Auto"]

logger = logging.getLogger("graphclust")

_ACP_NODES = (20, 300)  # roughly the sizes of the graphs that the shipped model was trained on
_ACP_DENSITY = 0.2  # hardly any graph in its training data was sparser
_RESOLUTIONS = {"low": (1.0,), "normal": (0.5, 1.0, 2.0, 4.0), "high": (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)}
_DC_SBM_RESOLUTIONS = (1.0, 4.0, 16.0, 64.0)  # of large graphs
_NESTED_RESOLUTIONS = (1.0, 4.0, 16.0, 64.0, 256.0)
_REPEATS = {"low": 1, "normal": 2, "high": 4}  # of label propagation
_INFOMAP_EDGES = {"low": 20_000, "normal": 200_000, "high": 5_000_000}
_SPECTRAL_NODES = {"low": 0, "normal": 3000, "high": 10_000}
_SPECTRAL_K = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
_MODELS = ("sbm", "planted")
_DIRECTED_NODES = {"low": 300, "normal": 5000, "high": 20_000}  # up to which dc-sbm is tried on directed graphs, too
_FEWEST_TWO_MODE = 10  # nodes
_TWO_MODE = (
    "every edge joins two sides: if these are different kinds of nodes, bipartite=True (--bipartite) groups each kind "
    "by itself"
)
_LARGE = 200_000  # edges from which there are only two proposals, unless the effort is high
_SECONDS_PER_EDGE = {"low": 8e-6, "normal": 1e-5, "high": 1e-3}  # measured with com-dblp on two cores
_SECONDS_WITH_TREES = 1.4e-4  # per edge, of a hierarchy of com-dblp; a flat partition takes half as long
_BYTES_PER_NODE = 160.0  # if edges lie in files
_LONG = 30.0  # seconds, from which the expected time is logged
_FEW_NODES = 300  # up to so many nodes, chains are faster than spectral clustering into more than a few communities
_MAX_SPECTRAL_K = 4  # of graphs with few nodes


class Auto(GraphEstimator):
    """The partition with the shortest description length among those of several methods, improved further.

    There are no parameters to choose. Several methods propose partitions: Leiden at several resolutions, label
    propagation, Infomap, spectral clustering, and all nodes in one community, with effort "high" also ACP; the size of
    the graph decides which.
    They are scored under two block models with integrated parameters (`graphclust.inference.block_models`): blocks of
    independent edges, as in small dense graphs, and a degree-corrected planted partition, whose communities are
    connected. On directed graphs, the degree-corrected block model with directions is the third. The best partitions
    are improved, and the result is the one with the shortest description length. Up to 5,000 nodes, Markov chains that
    start from it sample the posterior; on larger graphs, the confidence of a node is conditional on the labels of all
    other nodes.

    A partition is rejected if a quarter of the nodes is in blocks that are more than twice as dense towards another
    block as inside: hubs and their periphery are not communities. Set `model` to see such blocks. Weighted graphs, and
    graphs with more than 20,000 nodes, are scored under the second model only. Each isolated node is a community of its
    own, or joins the largest one if `n_clusters` is given. A community never spans two components, unless `n_clusters`
    or known labels require it.

    Parameters
    ----------
    n_clusters : int, optional
        Exact number of communities.
    effort : {"low", "normal", "high"}
        How many partitions are proposed, and how long they are improved. Each level is about ten times the work of the
        previous one; with more than 200,000 edges, "low" and "normal" have the same proposals.
    model : {"sbm", "dc-sbm", "microcanonical-sbm", "assortative", "assortative-uniform", "planted"}, optional
        The block model; by default the better of sbm and planted, or of these and dc-sbm on directed graphs of up to
        5,000 nodes (300 with effort "low", 20,000 with "high") whose number of communities is not given.
    n_samples : int
        Number of samples of the posterior.
    hierarchy : bool
        Whether to find groups of groups, under nested block models of Peixoto (2017): the shorter description of
        ``sbm`` and ``dc-sbm``, if `model` is not given. The communities are those of the finest level; they are groups
        of any kind, and there is no posterior.
    bipartite : bool or str
        Whether the graph is two-mode: its nodes are of two kinds, and edges join different kinds. Then the model is
        ``dc-sbm``, and each group has nodes of one kind; `n_clusters` is the number of groups of both kinds together.
        A string is the node attribute that tells the kinds; True stands for networkx's "bipartite", and without this
        attribute the kinds follow from the edges.
    weight_model : {"parallel-edges", "exponential", "geometric", "poisson", "normal", "log-normal"}, optional
        What weights are under microcanonical models, in hierarchies and in two-mode graphs: numbers of parallel edges,
        or values with a distribution of their own between each two groups (Peixoto 2018). By default, whole numbers are
        the former, and others are exponential.
    min_size, max_size : int, optional
        Bounds of the number of nodes of a community. Communities out of bounds are divided, and join others, where the
        quality loses least: modularity at the resolution that fits the communities. Not together with `n_clusters`,
        `known` or `bipartite`.
    known : mapping or Series, optional
        Labels of some nodes, by the caller's ids. Nodes with equal labels are in the same community, nodes with
        different labels are not.
    start : Communities, mapping, Series or path, optional
        An earlier result, or the labels of an earlier partition: communities are those that it becomes by moves of
        nodes, and keep their numbers. If it is a result of this method, nodes with other edges than in its graph are
        visited at first, and none leaves a community without such a node; otherwise, all nodes are visited.
        Not together with `n_clusters`, `hierarchy`, `known` or `bipartite`.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}
        Device of ACP.

    Attributes
    ----------
    details_ : dict
        model, settings, start, description_length (nats), scores of all starts, and chains.

    Examples
    --------
    >>> import graphclust as gc
    >>> planted = gc.generators.planted_partition(90, 3, p_in=0.5, p_out=0.05, random_state=0)
    >>> Auto(effort="low", random_state=0).fit(planted).n_clusters_
    3
    """

    name: ClassVar[str] = "auto"
    summary: ClassVar[str] = "compares and improves several methods' partitions by description length; with a posterior"
    source: ClassVar[str] = "Peixoto 2017; Zhang & Peixoto 2020; Nowicki & Snijders 2001"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"
    merges_directions: ClassVar[bool] = True
    works_in_files: ClassVar[bool] = True
    works_on_cluster: ClassVar[bool] = True
    takes_start: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = (
        "graphclust.kernels.leiden",
        "graphclust.inference.block_models",
        "scipy.sparse.csgraph",
    )

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        effort: str = "normal",
        model: str | None = None,
        n_samples: int = 64,
        hierarchy: bool = False,
        bipartite: bool | str = False,
        weight_model: str | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        known: Mapping[Hashable, Any] | None = None,
        start: Any = None,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.effort = effort
        self.model = model
        self.n_samples = n_samples
        self.hierarchy = hierarchy
        self.bipartite = bipartite
        self.weight_model = weight_model
        self.min_size = min_size
        self.max_size = max_size
        self.known = known
        self.start = start
        self.random_state = random_state
        self.device = device

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_effort(self.effort)
        if self.model is not None:
            if self.model == "none":
                raise UsageError(f"model is one of {', '.join(BLOCK_MODELS)}")
            check_model(self.model, self.n_clusters)
        check_count("n_samples", self.n_samples)
        check_known(self.known)
        check_hierarchy(self.hierarchy, self.n_clusters)
        check_bipartite(self.bipartite)
        check_weight_model(self.weight_model)
        is_general = self.hierarchy or self.bipartite is not False or self.model in GENERAL_MODELS
        if self.weight_model is not None and not is_general:
            names = " or ".join(GENERAL_MODELS)
            raise UsageError(f"weight_model is for model={names}, hierarchies and two-mode graphs")
        if self.bipartite is not False:
            models = tuple(NESTED_MODELS) if self.hierarchy else GENERAL_MODELS
            if self.model not in (None, *models):
                raise UsageError(f"two-mode graphs have one of the models {', '.join(models)}, not {self.model}")
            if self.n_clusters == 1:
                raise UsageError("a two-mode graph has a group on each side at least: n_clusters (-k) is 2 or more")
        if self.hierarchy and self.model not in (None, *NESTED_MODELS):
            raise UsageError(f"a hierarchy has one of the models {', '.join(NESTED_MODELS)}, not {self.model}")

    def size_bounds(self) -> tuple[int | None, int | None]:
        """See `GraphEstimator.size_bounds`."""
        return self.min_size, self.max_size

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: the rows of the graph, those of the block models, and samples."""
        rows = 2.0 * graph.num_edges * (4 + 8 * graph.is_weighted)
        refining = memory_needed(graph, self.n_samples, has_trees=self._has_trees())
        return max(Leiden().memory(graph), rows + refining)

    def memory_in_files(self, graph: Graph) -> float:
        """See `GraphEstimator.memory_in_files`; measured with 5 million nodes, without models of small graphs."""
        is_planted = graph.num_edges > _LARGE and graph.num_nodes > MOST_MATRIX_NODES and not self._has_trees()
        is_free = self.n_clusters is None and self.known is None and self.effort != "high"
        return _BYTES_PER_NODE * graph.num_nodes if is_planted and is_free else self.memory(graph)

    def checkpoints(self) -> tuple[Any, ...]:
        """See `GraphEstimator.checkpoints`."""
        return ACP().checkpoints()

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        seed = check_seed(self.random_state)
        k, known = core.n_clusters, core.known
        if k is not None and known is not None and int(known.max()) > k:
            raise UsageError(f"there are {int(known.max())} known labels, which is more than {k} communities")
        if k is not None and core.sides is not None and core.graph.num_nodes > MOST_AGGLOMERATED:
            raise UsageError(
                f"-k of two-mode graphs is limited to {MOST_AGGLOMERATED:,} nodes: leave out n_clusters (-k)"
            )
        self._announce(core.graph)
        starts, notes = self._starts(core.undirected(), seed)
        if core.sides is None and _seems_two_mode(core.graph):
            notes.append(Note("possible-two-mode", _TWO_MODE))
        if self.hierarchy:
            from graphclust.inference.nesting import nested

            models = tuple(NESTED_MODELS) if self.model is None else (self.model,)
            found = nested(core, starts, models, effort=self.effort, seed=seed, weight_model=self.weight_model)
            return found.with_notes(notes)
        refined = refine(
            core,
            starts,
            self._models(core),
            effort=self.effort,
            n_samples=int(self.n_samples),
            seed=seed,
            weight_model=self.weight_model,
        )
        return replace(refined, notes=(*notes, *refined.notes, *explained(refined.details)))

    def _models(self, core: Core) -> tuple[str, ...]:
        """Return the models that are compared."""
        if self.model is not None:
            return (self.model,)
        if core.sides is not None:
            return ("dc-sbm",)
        is_small = core.graph.num_nodes <= _DIRECTED_NODES[self.effort]
        if core.graph.directed and is_small and core.n_clusters is None:
            return (*_MODELS, "dc-sbm")  # with a given number, communities of `planted` follow labels better
        return _MODELS

    def _has_trees(self) -> bool:
        """Whether partitions are trees of groups (`graphclust.inference.group_search`)."""
        return self.hierarchy or self.bipartite is not False or self.model in MICROCANONICAL_MODELS

    def _announce(self, graph: Graph) -> None:
        """Log how long a large graph will take, if this is more than half a minute."""
        seconds = graph.num_edges * _SECONDS_PER_EDGE[self.effort]
        if self._has_trees() and graph.num_edges > _LARGE:
            seconds = graph.num_edges * _SECONDS_WITH_TREES
        if seconds > _LONG:
            logger.info(
                "auto: %s, %s: about %s and %s of memory in addition to the graph, with effort %s",
                counted(graph.num_nodes, "node"),
                counted(graph.num_edges, "edge"),
                counted(max(round(seconds / 60), 1), "minute"),
                format_bytes(self.memory(graph)),
                self.effort,
            )

    def _starts(self, core: Core, seed: int) -> tuple[dict[str, IntArray], list[Note]]:
        """Return starting partitions by the name of their method, and notes on methods that failed."""
        n, k = core.graph.num_nodes, core.n_clusters
        starts: dict[str, IntArray] = {}
        notes: list[Note] = []
        if core.start is not None:
            return {"start": core.start.labels}, notes
        if k is not None and core.sides is not None:
            return starts, notes  # merging single nodes keeps the sides and ends with k groups

        proposals = list(self._proposals(core, seed))
        with task("proposals", total=len(proposals)) as advance:
            for start, method in proposals:
                try:
                    starts[start] = solved(method, core).labels.astype(index_dtype(n))
                except GraphclustError as error:
                    notes.append(_failed(start, error))
                advance()
        try:
            starts |= self._spectral(core, seed)
        except GraphclustError as error:
            notes.append(_failed("spectral", error))
        if k is None:
            starts["one"] = np.zeros(n, dtype=index_dtype(n))
            if core.component.any():
                starts["components"] = core.component
        elif k == 1 or n == k:
            starts = {"given": np.arange(n) % k}
        if k is not None and core.known is not None:
            starts = {start: with_number(labels, k, core.known) for start, labels in starts.items()}
        return starts, notes

    def _proposals(self, core: Core, seed: int) -> Iterator[tuple[str, GraphEstimator]]:
        k, n, m = core.n_clusters, core.graph.num_nodes, core.graph.num_edges
        if m == 0:
            return
        if k is not None:
            yield "leiden", Leiden(k, random_state=seed)
            yield "louvain", Louvain(k, random_state=seed)
            return
        if self.hierarchy:  # of many small groups at first
            for resolution in _NESTED_RESOLUTIONS if n <= MOST_AGGLOMERATED else _NESTED_RESOLUTIONS[-1:]:
                yield f"leiden {resolution:g}", Leiden(resolution=resolution, random_state=seed)
            return
        if m > _LARGE and self._has_trees():
            for resolution in _DC_SBM_RESOLUTIONS:
                yield f"leiden {resolution:g}", Leiden(resolution=resolution, random_state=seed)
            return
        if m > _LARGE and self.effort != "high":  # one proposal of small communities, and one of large ones
            yield "label-propagation 1", LabelPropagation(random_state=seed)
            yield "louvain", Louvain(random_state=seed)
            return
        for resolution in _RESOLUTIONS[self.effort]:
            yield f"leiden {resolution:g}", Leiden(resolution=resolution, random_state=seed)
        for repeat in range(_REPEATS[self.effort]):
            yield f"label-propagation {repeat + 1}", LabelPropagation(random_state=seed + repeat)
        if m <= _INFOMAP_EDGES[self.effort]:
            yield "infomap", Infomap(trials=1 if self.effort != "high" else 5, random_state=seed)
        dense = 2 * m >= _ACP_DENSITY * n * (n - 1)
        if _ACP_NODES[0] <= n <= _ACP_NODES[1] and dense and self.effort == "high":
            yield "acp", ACP(n_samples=8, sample="map", random_state=seed, device=self.device)

    def _spectral(self, core: Core, seed: int) -> dict[str, IntArray]:
        graph = core.graph
        n, k = graph.num_nodes, core.n_clusters
        if k is not None:
            if graph.num_edges and (n <= 20_000 or k <= 32):
                return {"spectral": solved(Spectral(k, random_state=seed), core).labels}
            if graph.num_edges == 0:
                return {"given": np.arange(n) % k}
            return {}
        if n > _SPECTRAL_NODES[self.effort] or graph.num_edges == 0 or self._has_trees():  # which agglomerate
            return {}
        most = _SPECTRAL_K[-1] if n > _FEW_NODES or self.effort == "high" else _MAX_SPECTRAL_K
        numbers = [k for k in _SPECTRAL_K if k <= most and k < n // 4]
        with task("spectral", total=len(numbers)):
            return Spectral.several(graph, numbers, seed)


def _seems_two_mode(graph: Graph) -> bool:
    """Whether edges could join two kinds of nodes, and this is not only so because there are few of them."""
    return (
        graph.num_nodes >= _FEWEST_TWO_MODE and graph.num_edges >= graph.num_nodes and two_coloring(graph) is not None
    )


def _failed(start: str, error: GraphclustError) -> Note:
    """Return the note of a method that failed."""
    return Note("failed-start", f"skipped {start}: {error}", {"start": start})
