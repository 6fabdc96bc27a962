"""Refinement of partitions under block models: better partitions, their description length, posterior and confidence.

`refine` scores partitions of a graph under block models (graphclust.inference.block_models) and improves the best ones.
If the graph is small enough, it also draws from the posterior by Markov chains that start at these partitions.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError, unknown
from graphclust.graph import Graph
from graphclust.inference import BLOCK_MODELS
from graphclust.inference.base import BlockModel
from graphclust.inference.chains import ROOM
from graphclust.inference.target import Target
from graphclust.metrics import modularity, numbered, rank_labels
from graphclust.metrics.labels import distinct_rows
from graphclust.problem.constraints import (
    connected_parts,
    edge_counts,
    respecting,
)
from graphclust.problem.problem import Core, can_hold_samples
from graphclust.problem.solution import Solution
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray, IntArray, index_dtype
from graphclust.runtime.compilation import await_compilation, is_cached
from graphclust.runtime.notes import Note, counted
from graphclust.runtime.progress import task
from graphclust.runtime.threads import n_threads

if TYPE_CHECKING:
    from graphclust.inference.chains import Chains

__all__ = [
    "EFFORTS",
    "MOST_MATRIX_NODES",
    "Effort",
    "Scored",
    "check_effort",
    "check_model",
    "explained",
    "memory_needed",
    "refine",
]

logger = logging.getLogger("graphclust")

_MOST_SAMPLED_NODES = 5000  # chains are not run on larger graphs
_MOST_IN_TREES = 100_000  # the same for trees of groups with effort "high": with less, there are but a few sweeps
_MOST_WITH_MODES = 5000, 128  # nodes and samples of posteriors that are divided into modes: seconds at most
MOST_MATRIX_NODES = 20_000  # models with a matrix of blocks are not compared on larger graphs
_MOST_MATRIX_BLOCKS = 512  # of a model with a matrix of blocks
_MIN_ASSORTATIVE_SHARE = 0.75  # of the nodes, for a partition into communities; see `BlockModel.assortative_share`
_MIN_SHARE_OF_SAMPLES = 0.25  # that have to be partitions into communities
_MOST_UNSETTLED = 300  # nodes up to which a microcanonical model is compared in any case; see `_Search.has_settled`
_SAME_LENGTH = 0.5  # nats
_FEWEST_SWEEPS = 16
_SWEEPS_IF_KNOWN = 6  # times as many with known labels: chains are slow to learn which block has which label
_CHEAP = 0.01  # share of an effort's operations that chains use even if fewer sweeps would do
_SPLITS = ((200, 0.5), (1000, 0.1))  # (most nodes, merge-split moves per sweep); a move costs as much as four sweeps
_SPLITS_IF_CONNECTED = 2  # times as many: connected blocks hinder moves of single nodes
_CONVERGED = 1.1  # largest R-hat of chains that have converged
_MORE_SWEEPS = 4  # times as many, of chains of connected blocks or of trees of groups that have not converged
_MOST_REPEATED = 200  # nodes up to which chains of trees of groups are made longer: of larger graphs they get stuck
_SMALLEST_MODE = 0.1  # share of the samples in a mode that a message names
_RANDOM_BLOCKS = 12  # of the random partition that a chain starts from


@dataclass(frozen=True)
class Effort:
    """How much work is put into a result.

    Attributes
    ----------
    n_improved : int
        Number of starting partitions that are improved, for each model.
    chains : int
        Number of Markov chains.
    sweeps : int
        Sweeps of each chain. Larger graphs get fewer; small graphs and graphs with known labels get more.
    operations : float
        Approximate number of elementary steps that all chains may take. It limits the number of sweeps.
    """

    n_improved: int
    chains: int
    sweeps: int
    operations: float


EFFORTS = {
    "low": Effort(1, 2, 60, 1e8),
    "normal": Effort(3, 4, 160, 1e9),
    "high": Effort(8, 8, 1000, 2e10),
}


def check_effort(effort: Any) -> None:
    """Check that an effort is a key of `EFFORTS`.

    Raises
    ------
    UsageError
        It is not.
    """
    if effort not in EFFORTS:
        raise unknown("effort", str(effort), list(EFFORTS))


def check_model(model: Any, n_clusters: int | None = None) -> None:
    """Check that a model is a key of `BLOCK_MODELS` or "none", and that it can have so many communities.

    Raises
    ------
    UsageError
        No such model, or too many communities for it.
    """
    if model not in (*BLOCK_MODELS, "none"):
        raise unknown("model of refine", str(model), [*BLOCK_MODELS, "none"])
    if model == "none" or n_clusters is None or n_clusters <= _MOST_MATRIX_BLOCKS:
        return
    if BLOCK_MODELS[model].has_pairs:
        unlimited = [name for name, other in BLOCK_MODELS.items() if not other.has_pairs]
        raise UsageError(
            f"{model} has at most {_MOST_MATRIX_BLOCKS} communities, not {n_clusters}; "
            f"{', '.join(unlimited)} has no such limit"
        )


@dataclass(frozen=True)
class Scored:
    """A partition with its score under a model.

    Attributes
    ----------
    start : str
        Origin of the partition. A "+" at the end means that it was improved, a "~" that a chain found it.
    model : str
    n_clusters : int
    description_length : float
        Minus the log joint of the graph and the partition, in nats.
    assortative : float
        Share of the nodes in communities; see `BlockModel.assortative_share`.
    """

    start: str
    model: str
    n_clusters: int
    description_length: float
    assortative: float
    labels: IntArray = field(repr=False, compare=False)

    def summary(self) -> dict[str, Any]:
        """Return all but the labels."""
        return {
            "start": self.start,
            "model": self.model,
            "n_clusters": self.n_clusters,
            "description_length": round(self.description_length, 3),
            "assortative": round(self.assortative, 4),
        }


def _distinct(rows: Sequence[Scored], number: int) -> list[Scored]:
    """Return the first few rows that are different partitions."""
    seen: set[bytes] = set()
    distinct = []
    for row in rows:
        key = hashlib.sha256(rank_labels(row.labels).tobytes()).digest()
        if key not in seen:
            seen.add(key)
            distinct.append(row)
        if len(distinct) == number:
            break
    return distinct


class _Search:
    """The best partitions of a graph under one model.

    Parameters
    ----------
    target : Target
    name : str
        Name of the model.
    effort : Effort
    seed : int
    is_only_model : bool
        Whether this model is not compared with others. Then all its partitions count.
    """

    def __init__(self, target: Target, name: str, effort: Effort, seed: int, is_only_model: bool) -> None:
        self.target, self.effort, self.seed, self.is_only_model = target, effort, seed, is_only_model
        self.model = target.model(name)
        self.shift = 0.0 if is_only_model else _shift(target, self.model)
        self.rows: list[Scored] = []
        self.chains: Chains | None = None
        self.share_of_samples = 1.0  # that count

    def can_score(self, labels: IntArray) -> bool:
        """Whether a partition does not have too many blocks for the model."""
        return not self.model.has_pairs or int(labels.max()) < _MOST_MATRIX_BLOCKS

    def scored(self, start: str, labels: IntArray) -> Scored:
        """Score a partition, cut into parts as results are."""
        labels = labels.astype(np.int64, copy=False)
        if self.model.connected:
            labels = connected_parts(self.target.graph, labels)
        elif self.can_score(parts := self.target.cut(labels)):
            labels = parts
        n_blocks = int(labels.max()) + 1
        share = self.model.assortative_share(labels) if n_blocks <= _MOST_MATRIX_BLOCKS else 1.0
        length = self.length(labels)
        return Scored(start, self.model.name, n_blocks, length, share, labels.astype(index_dtype(len(labels))))

    def improved(self, start: str, labels: IntArray) -> Scored:
        """Improve a partition, and score it."""
        return self.scored(f"{start}+", self.model.improve(labels, self.seed, self.target.has_changed))

    def length(self, labels: IntArray) -> float:
        """Return the description length; if models are compared, on the scale of `planted`."""
        length = self.shift - self.model.score(labels)
        return length if self.is_only_model else length - self.model.hidden_edges(labels)

    def rank(self) -> None:
        """Sort the partitions by their description length."""
        self.rows.sort(key=lambda row: row.description_length)

    def counts(self, share: float) -> bool:
        """Whether a partition with this share of nodes in communities counts."""
        return self.is_only_model or share >= _MIN_ASSORTATIVE_SHARE

    def best(self) -> Scored:
        """Return the best partition that counts, or the best of all if none counts."""
        return min(self.rows, key=lambda row: (not self.counts(row.assortative), row.description_length))

    def has_settled(self) -> bool:
        """Whether two starts were improved to the same description length, the shortest.

        If they were not, chains would hardly agree either: the posterior has many modes.
        """
        lengths = sorted(row.description_length for row in self.rows if row.start.endswith("+"))
        return len(lengths) > 1 and lengths[1] - lengths[0] < _SAME_LENGTH

    def refit(self) -> None:
        """Infer the hyperparameters from the best partition, and score all partitions again."""
        self.rank()
        if self.is_only_model or self.model.is_fitted_in_comparisons:
            before, self.model = self.model, self.model.fitted(self.rows[0].labels)
            if self.model is not before:
                self.rows = [replace(row, description_length=self.length(row.labels)) for row in self.rows]
                self.rank()

    def run(self, starts: Mapping[str, IntArray]) -> None:
        """Score the starts and improve the best of them; or if they are of an earlier graph, bring them up to date."""
        starts = dict(starts) | {
            name: self.target.restricted(start) for name, start in self.model.own_starts(self.seed).items()
        }
        is_uncut = self.is_only_model or not self.model.has_pairs
        if self.target.has_changed is not None:
            for name, labels in starts.items():
                if self.can_score(labels):
                    self.rows.append(self.improved(name, labels))
            if self.rows:
                self.refit()
            return
        self.rows = [
            self.scored(name, labels)
            for name, labels in starts.items()
            if self.can_score(labels if is_uncut else self.target.cut(labels))
        ]
        if not self.rows:
            return
        self.refit()
        best = math.inf
        for row in self.promising():
            is_large = self.target.n_nodes > MOST_MATRIX_NODES
            if best < row.description_length and is_large and not self.model.is_microcanonical:
                continue
            self.rows.append(self.improved(row.start, row.labels))
            best = min(best, self.rows[-1].description_length)
        self.refit()

    def promising(self) -> list[Scored]:
        """Return the partitions to be improved.

        Moves of some models merge blocks, and hardly ever split them. With these, on large graphs, where improving
        takes long, the partition with the most blocks comes first, and others are improved if they already have a
        shorter description.
        """
        if self.target.n_nodes <= MOST_MATRIX_NODES:
            return _distinct(self.rows, self.effort.n_improved)
        if self.model.is_microcanonical:
            return _distinct(self.rows, min(self.effort.n_improved, 2))
        finest = max(self.rows, key=lambda row: row.n_clusters)
        return _distinct([finest, *self.rows], max(self.effort.n_improved, 2))

    def sample(self, n_samples: int) -> None:
        """Run the chains, and add the best partition among their samples."""
        n_chains = self.effort.chains
        n_random = n_chains // 2 if self.model.starts_at_random and self.target.n_clusters is None else 0
        starts = [row.labels for row in _distinct(self.rows, n_chains - n_random)]
        starts += self.random_starts(n_random)
        splits = next((rate for most_nodes, rate in _SPLITS if self.target.n_nodes <= most_nodes), 0.0)
        splits *= _SPLITS_IF_CONNECTED if self.model.connected else 1
        sweeps, most = self.n_sweeps(starts[0], n_samples, splits)
        per_chain = max(min(n_samples, sweeps // 2), 1)
        while True:
            self.chains = self.model.sample(starts, per_chain, sweeps, self.seed, splits=splits, threads=n_threads())
            has_converged = self.chains.r_hat <= _CONVERGED
            if self.model.is_microcanonical:
                has_converged = self.target.n_nodes > _MOST_REPEATED or (
                    has_converged and bool(self.chains.usable.all())
                )
            elif not self.model.connected:
                break
            if has_converged or _MORE_SWEEPS * sweeps > most:
                break
            sweeps *= _MORE_SWEEPS
        chain, sample = np.unravel_index(int(np.argmax(self.chains.log_joint)), self.chains.log_joint.shape)
        self.rows.append(self.scored("chain~", self.model.improve(self.chains.samples[chain, sample], self.seed)))
        self.rank()

    def random_starts(self, number: int) -> list[IntArray]:
        """Return partitions that have nothing in common: if chains from them agree, they have found the posterior."""
        rng, n = np.random.default_rng(self.seed), self.target.n_nodes
        starts = []
        for turn in range(number):
            labels = rng.integers(0, min(n, _RANDOM_BLOCKS), n) if turn % 2 else np.zeros(n, dtype=np.int64)
            starts.append(respecting(labels, self.target.known))
        return starts

    def n_sweeps(self, labels: IntArray, n_samples: int, splits: float) -> tuple[int, int]:
        """Return how many sweeps all chains make at first, and how many stay within the effort."""
        cost = self.model.sweep_cost(labels, splits) * self.effort.chains
        wanted = max(self.effort.sweeps, 2 * n_samples, _CHEAP * self.effort.operations / cost)
        wanted *= 1 if self.target.known is None else _SWEEPS_IF_KNOWN
        most = max(self.effort.operations / cost, _FEWEST_SWEEPS)
        return int(max(min(wanted, most), _FEWEST_SWEEPS)), int(most)

    def drawn(self, n_samples: int) -> tuple[IntArray, FloatArray] | None:
        """Return the samples that count and their log joint, or None if too few samples count."""
        assert self.chains is not None
        samples = self.chains.samples[self.chains.usable].reshape(-1, self.target.n_nodes)
        log_joint = self.chains.log_joint[self.chains.usable].ravel()
        rows = np.unique(np.linspace(0, len(samples) - 1, n_samples).round().astype(np.int64))
        samples, log_joint = samples[rows], log_joint[rows]
        if self.is_only_model:
            return samples, log_joint
        partition = distinct_rows(rank_labels(samples))
        first = np.unique(partition, return_index=True)[1]
        counts = np.array([self.counts(self.model.assortative_share(samples[row])) for row in first])[partition]
        self.share_of_samples = float(counts.mean())
        return (samples[counts], log_joint[counts]) if self.share_of_samples >= _MIN_SHARE_OF_SAMPLES else None


def _shift(target: Target, model: BlockModel) -> float:
    """Return what to add to the description lengths of a model, so that they can be compared with those of others.

    Under ``dc-sbm``, one group is the configuration model, as it is under ``planted``. Both describe degrees, and
    directions, differently, and count graphs with all numbers of edges or with this one. The shift gives one group the
    same length under both; it is that of all microcanonical models, which describe the same multigraphs.
    """
    if not model.is_microcanonical:
        return 0.0
    from graphclust.inference.microcanonical import DegreeCorrectedBlockModel

    one_group = np.zeros(target.n_nodes, dtype=np.int64)
    planted = target.model("planted")
    corrected = DegreeCorrectedBlockModel(target.multigraph(model.describes_directions))
    return corrected.score(one_group) + corrected.hidden_edges(one_group) - planted.score(one_group)


def _announce(models: Sequence[str]) -> None:
    """Say what is compiled, and have it compiled."""
    from graphclust.inference.networks import compile_loops
    from graphclust.kernels import block_moves

    if any(not BLOCK_MODELS[name].is_microcanonical for name in models) and not is_cached(block_moves.run):
        logger.info("refinement: compiling its loops, once: ten seconds (`graphclust warm` does so in advance)")
        compile_loops()
        await_compilation("graphclust.kernels.block_moves")
    if any(BLOCK_MODELS[name].is_microcanonical for name in models):
        from graphclust.inference.group_search import announce_group_tree

        announce_group_tree()


def refine(
    core: Core,
    starts: Mapping[str, ArrayLike],
    models: Sequence[str] = ("sbm", "planted"),
    *,
    effort: str = "normal",
    n_samples: int = 64,
    seed: int = 0,
    weight_model: str | None = None,
) -> Solution:
    """Find the partition with the shortest description, from given partitions, and sample the posterior.

    Parameters
    ----------
    core : Core
        Only ``dc-sbm`` and ``microcanonical-sbm`` describe directions; with others, a note says that they are ignored.
        Weights are scaled as each model takes them; equal weights count as none. If the core has a number of
        communities, all starts must have this number. If it has known labels and there are samples, each other node of
        the communities with a known label gets the label that most samples give it.
    starts : mapping of str to arrays of int, shape (n_nodes,)
        Partitions, by their origin.
    models : sequence of str
        Names of `BLOCK_MODELS`. The best model is chosen by description length. A single model describes any partition.
        Several models are compared as follows.

        - Microcanonical models are compared with the others as models of simple graphs, and on the scale of
          ``planted``: their description lengths are shifted so that one group has the same length under ``dc-sbm`` as
          under ``planted``. Under both, it is the configuration model.
        - All but ``planted`` are skipped for weighted graphs, because they take weights for something else, and above
          20,000 nodes.
        - Microcanonical models are skipped on graphs of more than 300 nodes if improving several starts does not lead
          to the same partition twice: then chains would not agree, and confidence would be a guess.
        - Partitions with more than a quarter of the nodes in blocks over twice as dense towards another as inside
          (`BlockModel.assortative_share`) do not count. These blocks are roles, such as hubs and periphery, not
          communities.
        - Samples of the posterior that are such partitions are left out. A model does not count if these are more than
          three quarters of its samples, unless this is true of all models. Then there is no posterior, and confidence
          is conditional on all other nodes.

        Communities of ``planted`` are connected, unless their number or labels are given: partitions are split into
        connected parts, and the posterior is conditional on connected communities. Blocks of the other models are cut
        at the borders of components before they are scored, and their samples after they were drawn.
    effort : {"low", "normal", "high"}
    n_samples : int
        Most samples of the posterior. The effort may allow fewer.
    seed : int
    weight_model : str, optional
        What microcanonical models take weights for; see `graphclust.inference.edge_weights`. By default, whole numbers
        are numbers of parallel edges, and others are exponential.

    Returns
    -------
    Solution
        Graphs with more than 5,000 nodes have no posterior, or more than 100,000 under ``dc-sbm`` with effort "high".
        Their confidence is conditional on all other nodes. `details` holds `model`, `settings`, `start` and
        `description_length` of the result; `scores`, the best partition of each start and model; `left_out`, the
        skipped models with the reason; of the `chains` their number, the number that is used, and the effective number
        of samples; and the `modes` of the posterior, if it has at most 5,000 nodes and 128 samples.

    Raises
    ------
    UsageError
        No starts; a start with another number of communities than the core's; too many communities for all models.
    """
    target = Target(core, weight_model)
    partitions = _checked_starts(target, starts)
    skipped = _skipped(target, models)
    tried = [name for name in models if name not in skipped]
    has_trees = all(BLOCK_MODELS[name].is_microcanonical for name in tried)
    is_small = target.n_nodes <= _most_sampled(has_trees and effort == "high")
    _announce(tried)
    searches = []
    with task("refining", total=len(tried) + 1) as advance:
        for name in tried:
            search = _Search(target, name, EFFORTS[effort], seed, is_only_model=len(models) == 1)
            search.run(partitions)
            is_sure = target.n_nodes <= _MOST_UNSETTLED or not search.model.is_microcanonical
            if len(models) > 1 and search.rows and not (is_sure or search.has_settled()):
                skipped[name] = "searches from different starts ended at different partitions"
            elif search.rows:
                if is_small and len(models) > 1 and not search.model.merges_blocks:
                    search.sample(n_samples)  # a better search than moves of single nodes
                searches.append(search)
            advance()
        if not searches:
            reason = f"too many communities for this model, more than {_MOST_MATRIX_BLOCKS}"
            raise UsageError("; ".join(f"{name}: {skipped.get(name, reason)}" for name in models))
        best, drawn = _best_search(searches, n_samples if is_small else 0)
        advance()
    solution = _solution(target, searches, best, drawn, skipped)
    compared = [search.model.name for search in searches]
    return solution.with_notes(target.dropped_directions(described=best.model.describes_directions, tried=compared))


def _most_sampled(is_thorough: bool) -> int:
    """Return the number of nodes up to which there are chains."""
    return _MOST_IN_TREES if is_thorough else _MOST_SAMPLED_NODES


def _checked_starts(target: Target, starts: Mapping[str, ArrayLike]) -> dict[str, IntArray]:
    """Return the starts in agreement with the known labels, or raise UsageError; see `refine`."""
    partitions: dict[str, IntArray] = {}
    for name, start in starts.items():
        labels, before = target.restricted(start), np.asarray(start)
        is_same = np.array_equal(labels, before)  # then it need not be there twice
        partitions[name] = before if is_same else labels.astype(index_dtype(target.n_nodes))
    if not partitions and (target.sides is None or target.n_clusters is None):
        raise UsageError("refinement starts from partitions: there are none")
    for name, labels in partitions.items():
        n_blocks = int(labels.max()) + 1
        if target.n_clusters is not None and n_blocks != target.n_clusters:
            raise UsageError(f"{name} has {n_blocks} communities, not {target.n_clusters}")
    return partitions


def _skipped(target: Target, models: Sequence[str]) -> dict[str, str]:
    """Return the models that are not tried because they cannot be compared with the others, with the reason."""
    skipped: dict[str, str] = {}
    for name in models if len(models) > 1 else ():
        if target.is_weighted and not BLOCK_MODELS[name].compares_weighted:
            skipped[name] = "its scores of weighted graphs cannot be compared"
        elif target.n_nodes > MOST_MATRIX_NODES and name != "planted":
            skipped[name] = f"the graph has more than {MOST_MATRIX_NODES:,} nodes"
    return skipped


def _best_search(searches: Sequence[_Search], n_samples: int) -> tuple[_Search, tuple[IntArray, FloatArray] | None]:
    """Return the search whose best partition counts and has the shortest description, with samples if n_samples > 0."""

    def key(search: _Search) -> tuple[bool, float]:
        best = search.best()
        return not search.counts(best.assortative), best.description_length

    ranked = sorted(searches, key=key)
    if n_samples == 0:
        return ranked[0], None
    for search in ranked:
        if search.chains is None:
            search.sample(n_samples)
        drawn = search.drawn(n_samples)
        if drawn is not None:
            return search, drawn
    return ranked[0], None


def _solution(
    target: Target,
    searches: Sequence[_Search],
    search: _Search,
    drawn: tuple[IntArray, FloatArray] | None,
    skipped: dict[str, str],
) -> Solution:
    """Return the best partition of a search with its posterior and details."""
    best = search.best()
    rows = sorted((row for other in searches for row in other.rows), key=lambda row: row.description_length)
    best_rows: dict[tuple[str, str], Scored] = {}
    for row in rows:
        best_rows.setdefault((row.start.rstrip("+"), row.model), row)
    details: dict[str, Any] = {
        "model": search.model.name,
        "settings": search.model.hyperparameters,
        "start": best.start,
        "description_length": round(best.description_length, 3),
        "scores": [row.summary() for row in best_rows.values()],
        "left_out": skipped,
    }
    if target.sides is None:
        details["modularity"] = round(modularity(target.core.graph, best.labels), 4)
    chains = search.chains
    if chains is not None and drawn is None:
        details["share_of_samples"] = round(search.share_of_samples, 3)
    labels = best.labels.astype(np.int64)
    if chains is None or drawn is None:
        return Solution(labels, search.model.conditional(labels), None, details)
    samples, log_prob = target.core.cut(*drawn)
    posterior = Posterior(samples, log_prob)
    known_nodes = [] if target.known is None else np.flatnonzero(target.known).tolist()
    probable = posterior.labelled(labels, known_nodes)
    if n_moved := int((probable != labels).sum()):
        labels = probable
        length = search.scored(best.start, numbered(labels)).description_length
        details["moved"] = {"n_nodes": n_moved, "description_length": round(length, 3)}
        if target.sides is None:
            details["modularity"] = round(modularity(target.core.graph, numbered(labels)), 4)
    if target.n_nodes <= _MOST_WITH_MODES[0] and len(samples) <= _MOST_WITH_MODES[1]:
        modes = posterior.modes()
        details["modes"] = [{"weight": round(mode.weight, 4), "n_clusters": mode.n_clusters} for mode in modes]
    details["chains"] = {
        "n_chains": len(chains.usable),
        "n_kept": int(chains.usable.sum()),
        "effective_samples": round(chains.effective_samples * search.share_of_samples, 1),
        "r_hat": round(chains.r_hat, 3) if math.isfinite(chains.r_hat) else None,
    }
    return Solution(labels, posterior.confidence(labels, known_nodes), posterior, details)


def explained(details: Mapping[str, Any]) -> list[Note]:
    """Return notes on how a result was chosen and on signs that it is not reliable."""
    if not details:
        return []
    model, length = details["model"], details["description_length"]
    shortest: dict[str, float] = {}  # description lengths by model, of partitions that count
    rejected: dict[str, float] = {}
    for row in details["scores"]:
        table = rejected if row["description_length"] < length else shortest
        table.setdefault(row["model"], row["description_length"])
    others = {name: value for name, value in shortest.items() if name != model}
    title = BLOCK_MODELS[model].title
    message = f"chose {_described(details['start'])} under {title}: description length {length:,.1f} nats"
    if others:
        message += f" (best of other models: {', '.join(f'{name} {value:,.1f}' for name, value in others.items())})"
    data = {"model": model, "start": details["start"], "description_length": length, "others": others}
    notes = [Note("chosen", message, data, is_detail=True)]
    for name, value in rejected.items():
        message = f"rejected {name} ({value:,.1f} nats): its blocks are not denser inside than outside"
        notes.append(Note("rejected-model", message, {"model": name, "description_length": value}, is_detail=True))
    for name, reason in details["left_out"].items():
        notes.append(Note("skipped-model", f"skipped {name}: {reason}", {"model": name}, is_detail=True))
    if moved := details.get("moved"):
        message = (
            f"gave {counted(moved['n_nodes'], 'node')} the label that most samples give: "
            f"description length {moved['description_length']:,.1f} nats"
        )
        notes.append(Note("moved-nodes", message, moved, is_detail=True))
    if structure := _no_structure(details):
        notes.append(structure)
    if details.get("modularity", 0.0) < 0:
        message = f"fewer edges lie inside the communities than by chance (modularity {details['modularity']:.3f})"
        notes.append(Note("negative-modularity", message, {"modularity": details["modularity"]}))
    if "share_of_samples" in details:
        message = (
            "most samples of the Markov chains are not partitions into communities: there is no posterior, and "
            "confidence is conditional on the labels of the other nodes"
        )
        notes.append(Note("no-posterior", message, {"share_of_samples": details["share_of_samples"]}))
    modes = [mode for mode in details.get("modes", ()) if mode["weight"] >= _SMALLEST_MODE]
    if len(modes) > 1:
        parts = ", ".join(
            f"{counted(mode['n_clusters'], 'community')} ({mode['weight']:.0%} of the samples)" for mode in modes
        )
        message = f"the posterior has several modes: {parts}"
        notes.append(Note("several-modes", message, {"modes": modes}, is_detail=True))
    return notes + _chain_notes(details.get("chains"))


def _no_structure(details: Mapping[str, Any]) -> Note | None:
    """Return the note on a result of one community: which split comes next, and how to get one; None for others."""
    length = details["description_length"]
    counted_rows = [row for row in details["scores"] if row["description_length"] >= length]
    splits = [row for row in counted_rows if row["n_clusters"] > 1]
    if not counted_rows or counted_rows[0]["n_clusters"] > 1 or not splits:
        return None
    k = splits[0]["n_clusters"]
    message = (
        f"no community structure that outweighs chance: the best split, into {k} communities, describes the graph less "
        f"well than none (-k {k}, or another method such as leiden, splits it all the same)"
    )
    return Note("no-structure", message, {"n_clusters": k, "description_length": splits[0]["description_length"]})


def _chain_notes(chains: Mapping[str, Any] | None) -> list[Note]:
    """Return notes on Markov chains that were left out or have not converged."""
    notes = []
    if chains and chains["n_kept"] < chains["n_chains"]:
        n_left_out = chains["n_chains"] - chains["n_kept"]
        message = f"left out {n_left_out} of {chains['n_chains']} Markov chains, which got stuck at worse partitions"
        notes.append(Note("stuck-chains", message, {"n_left_out": n_left_out}, is_detail=True))
    if chains and (chains["r_hat"] is None or chains["r_hat"] > _CONVERGED):
        r_hat = "" if chains["r_hat"] is None else f" (R-hat {chains['r_hat']:.2f})"
        message = f"the Markov chains have not converged{r_hat}: confidence is approximate"
        notes.append(Note("chains-not-converged", message, {"r_hat": chains["r_hat"]}))
    return notes


def _described(start: str) -> str:
    """Describe the origin of a partition: "the refined partition of leiden 0.5"."""
    if start.endswith("~"):
        return "the best partition of the Markov chains"
    refined = "refined " if start.endswith("+") else ""
    return f"the {refined}partition of {start.rstrip('+')}"


def memory_needed(graph: Graph, n_samples: int, *, has_trees: bool = False) -> float:
    """Estimate the peak memory of `refine` or `nested` without the graph, in bytes.

    `has_trees` says whether partitions are trees of groups (`graphclust.inference.group_search`): their table has up to
    four times as many places as there are ends of edges, and there is an older one while it is built. Places are twice
    as large if weights are described.
    """
    n, m = graph.num_nodes, graph.num_edges
    blocks = 24.0 * min(n, _MOST_MATRIX_BLOCKS + ROOM) ** 2
    most = _most_sampled(has_trees)
    has_samples = np.count_nonzero(edge_counts(graph)) <= most and can_hold_samples(n_samples, n)
    trees = 2 * (128.0 if graph.is_weighted else 64.0) * (2 * m + n) if has_trees else 0.0
    return trees + 8.0 * (18 * m + 32 * n + (6 * n_samples * n if has_samples else 0)) + 2 * blocks
