"""What block models with integrated parameters share: scores of partitions, better partitions, and samples.

The models are in `graphclust.inference.block_models`, and their terms are compiled functions in
`graphclust.kernels.block_moves`.
"""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.inference.base import BlockModel
from graphclust.inference.batches import conditional_in_batches, settle_in_batches
from graphclust.inference.chains import ROOM, TOLERANCE, Chain, Chains, Schedule, run_chains
from graphclust.inference.networks import (
    Network,
    build_network,
    count_blocks,
    count_edges,
    edges_to_blocks,
    merged_network,
    total_degree_product,
)
from graphclust.inference.priors import crp_prior, uniform_prior
from graphclust.kernels import block_moves
from graphclust.kernels.adjacency import IndexArray
from graphclust.kernels.block_moves import MODEL, PRIOR, Record, Records, State
from graphclust.kernels.local_moves import batch_size, is_very_large
from graphclust.metrics import numbered
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.storage import Storage
from graphclust.runtime.threads import Threads

if TYPE_CHECKING:
    from graphclust.inference.target import Target

__all__ = ["IntegratedBlockModel"]

SettingsT = TypeVar("SettingsT")

_LARGE = 20_000  # nodes, from which they are visited in batches
_SHARE_OF_ROOM = 16  # one new block for so many nodes of a very large graph
_SURVEY_INTERVAL = 8
_MANY_EDGES = 2.0  # of a node, as a multiple of the number of blocks, for `State.edge_counts`
_NEVER = 1 << 40  # sweeps
_SMALLEST_GAIN = 1e-6  # nats


class Terms(NamedTuple):
    """A block model with its prior, as the compiled functions take them; see `graphclust.kernels.block_moves.State`.

    Attributes
    ----------
    model : record of `MODEL`
    prior : array of `PRIOR`, shape (at least n_nodes + 2,)
    log_gamma : ndarray of float64, shape (2, 3, length)
    """

    model: Record
    prior: Records
    log_gamma: FloatArray


class IntegratedBlockModel(BlockModel, Generic[SettingsT]):
    """A graph under a block model: scores of partitions, better partitions, and samples of the posterior.

    Parameters
    ----------
    source, target : array of int, shape (n_edges,)
        Ends of the edges, each edge once. Self-loops are left out.
    n_nodes : int
        At least one.
    weight : array of float, shape (n_edges,), optional
        Positive; None for a simple graph.
    settings : dataclass, optional
        Hyperparameters. By default `default_settings` of the class.
    prior : ndarray of float64, shape (2, n_nodes + 2), optional
        Prior of the partition in the format of `crp_prior`. By default that with concentration 1.
    known : array of int, shape (n_nodes,), optional
        Number of the known label of each node, 0 if it is not known. Every partition passed to a method has to agree
        with these labels: nodes are in the same block if they have the same label, and only then.
    n_clusters : int, optional
        If not None, the number of blocks stays what it is in the partitions passed to the methods.
    connected : bool
        Whether chains keep blocks connected and draw from the posterior given that they are. The partitions that they
        start from have to be so. Not together with `n_clusters`.
    storage : Storage, optional
        Where large arrays lie; in memory by default.

    Attributes
    ----------
    code : int
        Model of the compiled functions.
    default_settings : dataclass
    concentration : float
        Concentration of the Chinese Restaurant Process that refinement uses as the prior of the partition.
    """

    code: ClassVar[int]
    default_settings: ClassVar[Any]
    concentration: ClassVar[float] = 1.0
    has_pairs: ClassVar[bool] = True

    def __init__(
        self,
        source: ArrayLike,
        target: ArrayLike,
        n_nodes: int,
        *,
        weight: ArrayLike | None = None,
        settings: SettingsT | None = None,
        prior: FloatArray | None = None,
        known: ArrayLike | None = None,
        n_clusters: int | None = None,
        connected: bool = False,
        storage: Storage | None = None,
    ) -> None:
        ends = np.asarray(source, dtype=np.int32), np.asarray(target, dtype=np.int32)
        weights = None if weight is None else np.asarray(weight, dtype=np.float64)
        self.n_nodes = n_nodes
        self.is_simple = weight is None
        self.known = np.zeros(n_nodes, dtype=np.int64) if known is None else np.asarray(known, dtype=np.int64)
        self.n_clusters = n_clusters
        self.connected = connected
        self.settings: SettingsT = self.default_settings if settings is None else settings
        has_products = self._uses_degree_products and self.is_simple
        self._network = build_network(*ends, weights, self.known, has_products, storage)
        self._weights = None if weights is None else _between(*ends, weights)
        self._total_edges = len(self._network.edges) / 2 if self._weights is None else float(self._weights.sum())
        self._prior = self._prior_terms(crp_prior(n_nodes) if prior is None else prior)
        self._kernel_terms = self._terms()
        self._offset = self._constant()
        self._n_choices = 1  # of hyperparameters, among which those of the model were chosen

    @classmethod
    def of(cls, target: Target) -> Self:
        """See `BlockModel.of`. The prior is a Chinese Restaurant Process, or uniform if the number is given."""
        n, k, weight, storage = target.n_nodes, target.n_clusters, target.weight, target.core.graph.storage
        return cls(
            target.source,
            target.target,
            n,
            weight=cls.scaled_weights(weight, storage) if weight is not None and len(weight) else weight,
            prior=crp_prior(n, cls.concentration) if k is None else uniform_prior(n, k),
            known=target.known,
            n_clusters=k,
            connected=cls.has_connected_communities and target.is_free,
            storage=storage,
        )

    # ---------------------------------------------------------------- what a model defines

    _uses_degree_products: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def scaled_weights(weight: FloatArray, storage: Storage | None = None) -> FloatArray:
        """Scale the weights of a graph to what the model takes them for, such as numbers of parallel edges.

        Parameters
        ----------
        weight : ndarray of float64, shape (n_edges,)
        storage : Storage, optional
            Where the scaled weights lie; in memory by default.
        """

    @staticmethod
    @abstractmethod
    def cost_per_option(n_near: float) -> float:
        """Estimate the elementary steps to score a move to one block, if a node has edges to `n_near` blocks."""

    def _terms(self) -> Terms:
        """Return the model for the compiled functions. Subclasses fill in what they use."""
        model: Record = np.zeros(1, MODEL)[0]
        model["code"], model["total_edges"] = self.code, self._total_edges
        model["keeps_number"], model["keeps_connected"] = self.n_clusters is not None, self.connected
        model["total_degree_product"] = total_degree_product(self._network)
        return Terms(model, self._prior, np.zeros((2, 3, 0)))

    def _prior_terms(self, prior: FloatArray) -> Records:
        """Return the prior of partitions, in the format of `crp_prior`, for the compiled functions."""
        terms = np.empty(prior.shape[1], PRIOR)
        terms["number"], terms["size"] = prior
        return terms

    def _constant(self) -> float:
        """Return the terms of the log joint that do not depend on the partition."""
        return 0.0

    @abstractmethod
    def _n_possible_edges(self, nodes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return what numbers of edges are divided by for densities.

        Parameters
        ----------
        nodes : ndarray of int64, shape (n_nodes,)
            Blocks 0, 1, ... of the nodes.

        Returns
        -------
        between : ndarray of float64, shape (n_blocks, n_blocks)
        within : ndarray of float64, shape (n_blocks,)
        """

    @abstractmethod
    def _best_settings(self, labels: ArrayLike) -> tuple[SettingsT, int]:
        """Return the hyperparameters that make a partition most likely, and the number of choices."""

    # ---------------------------------------------------------------- scores

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """`settings` as a dictionary for JSON."""
        values = asdict(self.settings)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def log_joint(self, labels: ArrayLike) -> float:
        """Return log p(graph, partition), in nats, with everything but the hyperparameters integrated out.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
        """
        return float(block_moves.run(self._state(labels), block_moves.SWEEP, 0, 0, 1, 0.0, 0.0, 0)) + self._offset

    def score(self, labels: ArrayLike) -> float:
        """Return the log joint for comparing models. Its negative is the description length, in nats.

        Hyperparameters that were inferred cost the logarithm of the number of choices.
        """
        return self.log_joint(labels) - math.log(self._n_choices)

    def _densities(self, labels: ArrayLike) -> tuple[FloatArray, FloatArray, IntArray]:
        edges, nodes = self._count_edges(labels)
        between, within = self._n_possible_edges(nodes)
        inside = np.diag(edges) / np.maximum(within, 1e-300)
        return edges / np.maximum(between, 1e-300), inside, np.bincount(nodes)

    def fitted(self, labels: ArrayLike) -> Self:
        """Return the model with the hyperparameters that make this partition most likely: empirical Bayes on a grid."""
        settings, n_choices = self._best_settings(labels)
        if (settings, n_choices) == (self.settings, self._n_choices):
            return self
        other = copy.copy(self)
        other._n_choices = n_choices
        if settings != self.settings:
            other.settings = settings
            other._kernel_terms = other._terms()
            other._offset = other._constant()
        return other

    def _count_edges(self, labels: ArrayLike) -> tuple[FloatArray, IntArray]:
        """Return the numbers of edges e_rs, shape (n_blocks, n_blocks), and the blocks 0, 1, ... of the nodes."""
        nodes = numbered(labels)
        return count_edges(self._network, nodes), nodes

    # ---------------------------------------------------------------- search and sampling

    def _state(
        self,
        labels: ArrayLike,
        room: int = 0,
        *,
        network: Network | None = None,
        capacity: int = 0,
        seed: int = 0,
        has_edge_counts: bool = False,
        n_visits: int | None = None,
    ) -> State:
        """Return the state of a partition, with room for new blocks or for `capacity` of them.

        What `block_moves.run` computes at its start is zero. `n_visits` nodes are visited at once, by default all.
        """
        network = network or self._network
        label = numbered(labels)
        n_blocks = int(label.max()) + 1
        capacity = max(min(max(n_blocks + room, capacity), len(label)), n_blocks, 4)
        n_rows = capacity + 1 if self.has_pairs else 1  # a block stays empty
        state = State(
            *self._kernel_terms,
            nodes=network.nodes,
            edges=network.edges,
            label=label,
            blocks=count_blocks(network, label, capacity + 1),
            tallies=np.zeros(capacity + 1, block_moves.TALLY),
            pairs=np.zeros((n_rows, n_rows), block_moves.PAIR),
            slots=np.zeros(capacity + 2, block_moves.SLOT),
            visits=np.zeros(len(label) + 1 if n_visits is None else n_visits, block_moves.VISIT),
            waiting=np.ones(len(label), np.uint8),
            totals=np.zeros(1, block_moves.TOTALS)[0],
            edge_counts=edges_to_blocks(network, label, capacity + 1) if has_edge_counts else np.zeros((0, 0)),
        )
        if self.has_pairs:
            state.pairs["edges"][:n_blocks, :n_blocks] = count_edges(network, label)
        state.slots["active"] = np.arange(capacity + 2)
        known = np.flatnonzero(state.nodes["is_known"])
        if n_visits is None:
            state.visits["known"][: len(known)] = known
        state.totals["random"], state.totals["n_blocks"], state.totals["n_known"] = seed, n_blocks, len(known)
        return state

    def _n_visits(self, n: int) -> int | None:
        """Return how many of n nodes are visited at once; None if it is one after the other."""
        return batch_size(n) if n >= _LARGE and not self.has_pairs else None

    def _settle(
        self,
        network: Network,
        labels: IntArray,
        seed: int,
        passes: int,
        threads: Threads,
        waiting: NDArray[np.bool_] | None = None,
    ) -> tuple[IntArray, float]:
        """Let nodes make their best moves until none gains; return the partition and its log joint without offset.

        At first, all nodes wait for a visit, or those of `waiting`.
        """
        n, start = len(network.nodes), network.start
        room = ROOM if self.has_pairs else n // _SHARE_OF_ROOM if is_very_large(start) else n
        state = self._state(labels, room, network=network, seed=seed, n_visits=self._n_visits(n))
        if waiting is not None:
            state.waiting[:] = waiting
        if n >= _LARGE and not self.has_pairs:
            value = settle_in_batches(state, start, threads, seed, passes, _SMALLEST_GAIN)
            return numbered(state.label), value
        value = -math.inf
        for _ in range(passes):
            before, value = value, _visit_once(state, block_moves.SETTLE)
            if value < before + _SMALLEST_GAIN:
                break
        return numbered(state.label), value

    def improve(
        self,
        labels: ArrayLike,
        seed: int = 0,
        has_changed: NDArray[np.bool_] | None = None,
        *,
        passes: int = 20,
        rounds: int = 3,
    ) -> IntArray:
        """Improve a partition until no node, and no whole block, gains by a move to a neighboring block.

        Greedy moves of nodes and of ever larger blocks, as in the Louvain algorithm, on the log joint. After its visit,
        a node waits until a neighbor has moved. O(degree) per move. Models that do not merge blocks move only nodes.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
        seed : int
            Seed of the order of the nodes.
        has_changed : ndarray of bool, shape (n_nodes,), optional
            See `BlockModel.improve`. No node leaves a block without a changed node.
        passes, rounds : int
            Most passes over the nodes of a level, and most returns to single nodes after blocks have been merged.

        Returns
        -------
        ndarray of int64, shape (n_nodes,)
            Labels 0, 1, ... without gaps. Their log joint is not lower.
        """
        partition = numbered(labels)
        if has_changed is not None:
            return self._updated(partition, has_changed, seed, passes)
        best = -math.inf
        with Threads(storage=self._network.storage) as threads:
            for _ in range(rounds):
                partition, value = self._settle(self._network, partition, seed, passes, threads)
                if self.merges_blocks and self.n_clusters is None:
                    partition, value = self._merge(partition, value, seed, passes, threads)
                if value < best + _SMALLEST_GAIN:
                    break
                best = value
        return partition

    def _updated(self, before: IntArray, has_changed: NDArray[np.bool_], seed: int, passes: int) -> IntArray:
        """Let changed nodes move, those that this disturbs, and their blocks; see `improve`."""
        may_leave = np.bincount(before, has_changed) > 0
        nodes = self._network.nodes.copy()
        nodes["is_known"] |= ~may_leave[before]  # nodes of known labels stay
        with Threads(storage=self._network.storage) as threads:
            waiting = has_changed & (self._network.nodes["is_known"] == 0)
            network = self._network._replace(nodes=nodes)
            partition, value = self._settle(network, before, seed, passes, threads, waiting)
            if self.merges_blocks and self.n_clusters is None:
                partition = self._merge(partition, value, seed, passes, threads)[0]
        return partition

    def _merge(
        self, partition: IntArray, value: float, seed: int, passes: int, threads: Threads
    ) -> tuple[IntArray, float]:
        """Merge blocks, and then what became of them, until none gains; return the partition and its log joint."""
        network, labels = self._network, partition
        while True:
            network = merged_network(network, labels, threads)
            labels, higher = self._settle(network, np.arange(len(network.nodes)), seed, passes, threads)
            if higher < value + _SMALLEST_GAIN:
                return partition, value
            partition, value = labels[partition], higher

    def conditional(self, labels: ArrayLike) -> FloatArray:
        """Return each node's probability of its own block, given the blocks of all other nodes; shape (n_nodes,).

        The alternatives are the blocks of its neighbors and a new block. O(n_edges). This is the certainty of a node if
        all others are right, and mostly an upper bound of what a posterior would say.
        """
        state = self._state(labels, 1, n_visits=self._n_visits(self.n_nodes))
        if self.n_nodes >= _LARGE and not self.has_pairs:
            with Threads(storage=self._network.storage) as threads:
                return conditional_in_batches(state, threads)
        visits = state.visits[: self.n_nodes]
        visits["probability"] = 1.0  # of nodes of known label
        _visit_once(state, block_moves.CONDITIONAL)
        probability = np.empty(self.n_nodes)
        probability[visits["order"]] = visits["probability"]
        return probability

    def survey_interval(self, n_blocks: float, n_near: float) -> int:
        """Return the default of `interval` in `sample`, if nodes have edges to `n_near` of `n_blocks` blocks.

        It is 8 if there are far more blocks than that, and 1 otherwise. Blocks that have to be connected never take in
        a node without an edge to them.
        """
        if self.connected:
            return _NEVER
        return _SURVEY_INTERVAL if n_blocks > _SURVEY_INTERVAL * n_near else 1

    def sweep_cost(self, labels: IntArray, splits: float) -> float:
        """See `BlockModel.sweep_cost`; merge-split moves are not counted."""
        n_blocks = int(labels.max()) + 1
        n_near = min(n_blocks, 2 + len(self._network.edges) / max(self.n_nodes, 1))
        surveys = 1 / self.survey_interval(n_blocks, n_near)
        options = self.cost_per_option(n_near) * (surveys * n_blocks + (1 - surveys) * n_near)
        return float(len(self._network.edges) + self.n_nodes * (60 + options))

    def sample(
        self,
        starts: Sequence[ArrayLike],
        n_samples: int,
        n_sweeps: int,
        seed: int = 0,
        *,
        splits: float = 0.25,
        burn_in: float = 0.5,
        temperature: float = 1.0,
        threads: int = 1,
        tolerance: float = TOLERANCE,
        interval: int | None = None,
    ) -> Chains:
        """Draw from the posterior by Gibbs sweeps over all nodes and merge-split moves, one chain from each start.

        A chain has at most 48 blocks more than the largest start.

        Parameters
        ----------
        starts : sequence of arrays of int, shape (n_nodes,)
        n_samples : int
            Samples of each chain, equally spaced over the sweeps after the burn-in.
        n_sweeps : int
            Sweeps of each chain; at least n_samples.
        seed : int
        splits : float
            Merge-split moves (Jain & Neal 2004) per sweep. If the number of blocks is kept, these moves share out the
            nodes of two blocks anew.
        burn_in : float
            Share of the sweeps before the first sample.
        temperature : float
            Temperature of the first sweep. It falls to 1 over the first half of the burn-in.
        threads : int
            Number of chains that run at once. The result does not depend on it.
        tolerance : float
            See `Chains.usable`, in nats.
        interval : int, optional
            Every `interval`-th sweep lets nodes move to all blocks. In the others they move to the blocks of their
            neighbors and to a new one. By default see `survey_interval`.
        """
        schedule = Schedule.of(n_samples, n_sweeps, burn_in, temperature)
        seeds = np.random.SeedSequence(seed).spawn(len(starts))
        n_known = int((self.known > 0).sum())
        n_exchanges = min(n_known, 1 + self.n_nodes // max(4 * n_known, 1))  # which take a part of the time of a sweep
        largest = max(len(np.unique(start)) for start in starts)
        if interval is None:
            interval = self.survey_interval(largest, 2 + len(self._network.edges) / self.n_nodes)
        is_dense = len(self._network.edges) > _MANY_EDGES * largest * self.n_nodes
        has_edge_counts = self.has_pairs and self.is_simple and is_dense

        def begin(index: int) -> Chain:
            chain_seed = int(seeds[index].generate_state(1, np.uint64)[0].view(np.int64))
            state = self._state(
                starts[index], capacity=largest + ROOM, seed=chain_seed, has_edge_counts=has_edge_counts
            )

            def go_on(first: int, end: int, heat: float) -> tuple[IntArray, float]:
                value = block_moves.run(
                    state, block_moves.SWEEP, first, end - first, interval, heat, splits, n_exchanges
                )
                return state.label, value + self._offset

            return go_on

        return run_chains(begin, len(starts), schedule, threads, tolerance)


def _between(source: IndexArray, target: IndexArray, weight: FloatArray) -> FloatArray:
    """Return the weights of the edges that are not self-loops."""
    is_edge = source != target
    return weight if is_edge.all() else weight[is_edge]


def _visit_once(state: State, mode: int) -> float:
    """Visit each node, which considers the blocks of its neighbors; return the log joint without offset."""
    step, interval = 1, 2  # a step that is no multiple of the interval
    return float(block_moves.run(state, mode, step, 1, interval, 0.0, 0.0, 0))
