"""Refinement: any partitions in, better ones out, with their description length, a posterior, and confidence.

`refine` scores partitions of a graph under block models (graphclust.inference.block_models), improves the best of them,
and, where the graph is small enough, draws from the posterior by Markov chains that start at them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError, unknown
from graphclust.graph import Graph
from graphclust.metrics import modularity, rank_labels
from graphclust.problem.constraints import (
    connected_parts,
    edge_counts,
    respecting,
    strengths,
)
from graphclust.problem.problem import Core, can_hold_samples
from graphclust.problem.solution import Solution
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import is_cached
from graphclust.runtime.notes import Note, counted
from graphclust.runtime.progress import task
from graphclust.runtime.threads import n_threads

if TYPE_CHECKING:
    from graphclust.inference.block_models import BlockModel, Chains

__all__ = ["EFFORTS", "MODELS", "Effort", "Scored", "check_effort", "check_model", "explained", "refine"]

logger = logging.getLogger("graphclust")

MODELS = ("sbm", "dc-sbm", "planted")
_SAMPLED = 5000  # nodes, up to which chains are run
_MATRIX = 20_000  # nodes, up to which models with a matrix of blocks are tried
_MOST_BLOCKS = 512  # of such a model
_ASSORTATIVE = 0.75  # share of the nodes in communities at most twice as dense towards another as inside
_COMMON = 0.25  # share of the samples of a posterior that have to be such
_FEWEST_SWEEPS = 16
_KNOWN = 6  # times as many sweeps where labels are known: chains are slow to tell which block is whose
_CHEAP = 0.01  # share of an effort's operations that chains may take without having to
_SPLITS = (
    (200, 0.5),
    (1000, 0.1),
)  # moves of two blocks a sweep, up to so many nodes; each costs as much as four sweeps
_MODEL_NAMES = {
    "sbm": "the stochastic block model",
    "dc-sbm": "the degree-corrected block model",
    "planted": "the planted-partition model",
}
_CONVERGED = 1.1  # R-hat up to which chains agree
_RANDOM_BLOCKS = 12  # of the partition that a chain starts from
_CONCENTRATION = {"sbm": 0.7, "dc-sbm": 1.0, "planted": 1.0}  # for sbm as in the General SBM of the ACP paper


@dataclass(frozen=True)
class Effort:
    """How much work is put into a result.

    Attributes
    ----------
    improved : int
        Starting partitions that are improved, for each model.
    chains : int
    sweeps : int
        Of each chain, while that is cheap; fewer on larger graphs, and more on small ones or where labels are known.
    operations : float
        About so many elementary steps all chains take, beyond which there are fewer sweeps.
    """

    improved: int
    chains: int
    sweeps: int
    operations: float


EFFORTS = {
    "low": Effort(1, 2, 60, 1e8),
    "normal": Effort(3, 4, 160, 1e9),
    "high": Effort(8, 8, 1000, 2e10),
}


def check_effort(effort: Any) -> None:
    """Refuse what is none of `EFFORTS`.

    Raises
    ------
    UsageError
    """
    if effort not in EFFORTS:
        raise unknown("effort", str(effort), list(EFFORTS))


def check_model(model: Any, n_clusters: int | None = None) -> None:
    """Refuse what is none of `MODELS`, nor "none"; and more communities than it can have.

    Raises
    ------
    UsageError
    """
    if model not in (*MODELS, "none"):
        raise unknown("model of refine", str(model), [*MODELS, "none"])
    if n_clusters is not None and n_clusters > _MOST_BLOCKS and model in ("sbm", "dc-sbm"):
        raise UsageError(f"{model} has at most {_MOST_BLOCKS} communities, not {n_clusters}; planted has no such limit")


@dataclass(frozen=True)
class Scored:
    """A partition with its score under a model.

    Attributes
    ----------
    start : str
        Where it comes from; "+" behind it says that it was improved, "~" that a chain found it.
    model : str
    n_clusters : int
    description_length : float
        In nats: minus the log joint of the graph and the partition.
    assortative : float
        Share of the nodes in communities that are at most twice as dense towards another as inside.
    """

    start: str
    model: str
    n_clusters: int
    description_length: float
    assortative: float
    labels: IntArray = field(repr=False, compare=False)

    def told(self) -> dict[str, Any]:
        """Return all but the labels."""
        return {
            "start": self.start,
            "model": self.model,
            "n_clusters": self.n_clusters,
            "description_length": round(self.description_length, 3),
            "assortative": round(self.assortative, 4),
        }


class _Target:
    """What block models are asked about: the edges of a core without directions and self-loops."""

    def __init__(self, core: Core) -> None:
        self.core, self.n_clusters, self.known = core, core.n_clusters, core.known
        graph, plain = core.graph, core.graph.undirected()
        apart = plain.source != plain.target
        self.source, self.target = plain.source[apart], plain.target[apart]
        given = graph.edge_weight[graph.source != graph.target]  # in both directions it is one edge, if weights agree
        self.weighted = bool(len(given)) and bool(given.min() != given.max())
        self.weight = plain.edge_weight[apart] if self.weighted else None
        self.n_nodes = graph.num_nodes
        self.part = Graph.from_edges(self.source, self.target, nodes=self.n_nodes)

    @property
    def free(self) -> bool:
        """Whether neither the number of communities nor labels are given."""
        return self.n_clusters is None and self.known is None

    def model(self, kind: str) -> BlockModel:
        from graphclust.inference.block_models import BlockModel, crp_prior

        weight = self.weight
        if weight is not None and len(weight):
            weight = strengths(weight) if kind == "sbm" else weight / weight.mean()
        return BlockModel(
            self.source,
            self.target,
            self.n_nodes,
            weight=weight,
            kind=kind,
            prior=crp_prior(self.n_nodes, _CONCENTRATION[kind]),
            known=self.known,
            n_clusters=self.n_clusters,
            connected=kind == "planted" and self.free,
        )

    def restricted(self, labels: ArrayLike) -> IntArray:
        return respecting(np.asarray(labels, dtype=np.int64), self.known)

    def cut(self, labels: IntArray) -> IntArray:
        """Cut blocks at the borders of components, as results are, unless their number is given."""
        if self.n_clusters is not None:
            return labels
        return np.unique(self.core.cut(labels[None], np.full(1, np.nan))[0][0], return_inverse=True)[1].astype(np.int64)


def _sweeps(target: _Target, kind: str, labels: IntArray, effort: Effort, n_samples: int) -> int:
    """Return how many sweeps of all chains stay within the effort."""
    from graphclust.inference.block_models import sweeps_a_survey

    n, ends = target.n_nodes, 2 * len(target.source)
    number = int(labels.max()) + 1
    near = min(number, 2 + ends / max(n, 1))
    surveys = 1 / sweeps_a_survey(number, near)
    each = {"sbm": 4 * near + 12, "dc-sbm": 3 * near + 10, "planted": 12}[kind]
    options = each * (surveys * number + (1 - surveys) * near)
    cost = (ends + n * (60 + options)) * effort.chains
    wanted = max(effort.sweeps, 2 * n_samples, _CHEAP * effort.operations / cost)
    wanted *= 1 if target.known is None else _KNOWN
    return int(max(min(wanted, effort.operations / cost), _FEWEST_SWEEPS))


def _distinct(rows: Sequence[Scored], number: int) -> list[Scored]:
    """Return the first few rows that are different partitions."""
    seen: set[bytes] = set()
    found = []
    for row in rows:
        key = rank_labels(row.labels).tobytes()
        if key not in seen:
            seen.add(key)
            found.append(row)
        if len(found) == number:
            break
    return found


class _Search:
    """The best partitions of a graph under one model."""

    def __init__(self, target: _Target, kind: str, effort: Effort, seed: int, alone: bool) -> None:
        self.target, self.kind, self.effort, self.seed, self.alone = target, kind, effort, seed, alone
        self.fixed = kind == "sbm" and not alone
        self.model = target.model(kind)
        self.rows: list[Scored] = []
        self.chains: Chains | None = None
        self.share = 1.0  # of the samples that count

    def possible(self, labels: IntArray) -> bool:
        return self.kind == "planted" or int(labels.max()) < _MOST_BLOCKS

    def scored(self, start: str, labels: IntArray) -> Scored:
        if self.model.connected:
            labels = connected_parts(self.target.part, labels)
        elif self.possible(parts := self.target.cut(labels)):
            labels = parts
        number = int(labels.max()) + 1
        share = self.model.assortative_share(labels) if number <= _MOST_BLOCKS else 1.0
        return Scored(start, self.kind, number, -self.model.score(labels), share, labels)

    def rank(self) -> None:
        self.rows.sort(key=lambda row: row.description_length)

    def counts(self, share: float) -> bool:
        """Whether blocks with this share of communities are an answer: of a model asked for, all are."""
        return self.alone or share >= _ASSORTATIVE

    def best(self) -> Scored:
        return min(self.rows, key=lambda row: (not self.counts(row.assortative), row.description_length))

    def refit(self) -> None:
        """Infer the hyperparameters from the best partition, and score again."""
        self.rank()
        if not self.fixed:
            self.model = self.model.fitted(self.rows[0].labels)
            self.rows = [self.scored(row.start, row.labels) for row in self.rows]
            self.rank()

    def run(self, starts: Mapping[str, IntArray]) -> None:
        whole = self.alone or self.kind == "planted"  # a model that is asked for scores what it can
        self.rows = [
            self.scored(name, labels)
            for name, labels in starts.items()
            if self.possible(labels if whole else self.target.cut(labels))
        ]
        if not self.rows:
            return
        self.refit()
        for row in _distinct(self.rows, self.effort.improved):
            better = self.model.improve(row.labels, self.seed)
            self.rows.append(self.scored(f"{row.start}+", better))
        self.refit()

    def sample(self, n_samples: int) -> None:
        """Run the chains, and add the best partition that they find."""
        chains, n = self.effort.chains, self.target.n_nodes
        apart = self.kind == "sbm" and self.target.n_clusters is None
        starts = [row.labels for row in _distinct(self.rows, chains - chains // 2 if apart else chains)]
        if apart:  # starts that have nothing to do with each other: what their chains agree on is the posterior
            rng = np.random.default_rng(self.seed)
            for turn in range(chains // 2):
                labels = rng.integers(0, min(n, _RANDOM_BLOCKS), n) if turn % 2 else np.zeros(n, dtype=np.int64)
                starts.append(respecting(labels, self.target.known))
        sweeps = _sweeps(self.target, self.kind, starts[0], self.effort, n_samples)
        each = max(min(n_samples, sweeps // 2), 1)
        splits = next((rate for most, rate in _SPLITS if n <= most), 0.0)
        self.chains = self.model.sample(starts, each, sweeps, self.seed, splits=splits, threads=n_threads())
        chain, best = np.unravel_index(int(np.argmax(self.chains.log_joint)), self.chains.log_joint.shape)
        found = self.model.improve(self.chains.samples[chain, best], self.seed)
        self.rows.append(self.scored("chain~", found))
        self.rank()

    def drawn(self, n_samples: int) -> tuple[IntArray, FloatArray] | None:
        """Return samples that count, and their log joint; None if they are few among the others."""
        assert self.chains is not None
        samples = self.chains.samples[self.chains.kept].reshape(-1, self.target.n_nodes)
        log_joint = self.chains.log_joint[self.chains.kept].ravel()
        taken = np.unique(np.linspace(0, len(samples) - 1, n_samples).round().astype(np.int64))
        samples, log_joint = samples[taken], log_joint[taken]
        if self.alone:
            return samples, log_joint
        good = np.array([self.counts(self.model.assortative_share(sample)) for sample in samples])
        self.share = float(good.mean())
        return (samples[good], log_joint[good]) if self.share >= _COMMON else None


def _announce(kind: str) -> None:
    from graphclust.kernels import block_moves

    if not is_cached(block_moves.run):
        logger.info("%s: compiling its loops, once: about a minute", kind)


def refine(
    core: Core,
    starts: Mapping[str, ArrayLike],
    models: Sequence[str] = MODELS,
    *,
    effort: str = "normal",
    n_samples: int = 64,
    seed: int = 0,
) -> Solution:
    """Find the partition of the shortest description, starting from given ones, and what the posterior says of it.

    Parameters
    ----------
    core : Core
        Directions are dropped; weights count as `BlockModel` says, those of equal weights as none. If it asks for a
        number of communities, all starts have this number. With known labels, other nodes of the communities that have
        one get the label that most samples give them, if there are samples.
    starts : mapping of str to arrays of int, shape (n_nodes,)
        Partitions, by where they come from.
    models : sequence of {"sbm", "dc-sbm", "planted"}
        The best one is chosen by description length. If there are several, ``sbm`` is left out for weighted graphs,
        which it reads otherwise, and above 20,000 nodes only ``planted`` is tried; and partitions with more than a
        quarter of the nodes in blocks over twice as dense towards another as inside (`BlockModel.assortative_share`) do
        not count: these are roles, such as hubs and periphery, not communities. Nor does a model if three quarters of
        its posterior are such, unless all are (the posterior is left out then, and confidence conditional on all other
        nodes); otherwise the rest of it is returned. Communities of ``planted`` are connected, unless their number
        or labels are given: partitions are split into connected parts, and the posterior is that given connection.
        Blocks of the others are cut at the borders of components before they are scored, and samples after they were
        drawn.
    effort : {"low", "normal", "high"}
    n_samples : int
        Samples of the posterior: as many as the effort allows, at most.
    seed : int

    Returns
    -------
    Solution
        Of graphs with more than 5,000 nodes without a posterior; their confidence is
        conditional on all other nodes. `details` holds model, settings, start and description_length of the result;
        scores, the best partition of each start and model; left_out, models that were not tried, with the reason; of
        the chains their number, how many count, and the effective number of samples.

    Raises
    ------
    UsageError
        No starts; a start with another number of communities than `n_clusters`.
    """
    target = _Target(core)
    n_clusters = core.n_clusters
    effort_ = EFFORTS[effort]
    begin = {name: target.restricted(labels) for name, labels in starts.items()}
    if not begin:
        raise UsageError("refinement starts from partitions: there are none")
    for name, labels in begin.items():
        if n_clusters is not None and int(labels.max()) + 1 != n_clusters:
            raise UsageError(f"{name} has {int(labels.max()) + 1} communities, not {n_clusters}")
    left_out: dict[str, str] = {}
    several = len(models) > 1
    for kind in models if several else ():
        if kind == "sbm" and target.weighted:
            left_out[kind] = "its scores of weighted graphs cannot be compared"
        elif kind != "planted" and target.n_nodes > _MATRIX:
            left_out[kind] = f"the graph has more than {_MATRIX:,} nodes"
    asked, models = models, [kind for kind in models if kind not in left_out]
    small = target.n_nodes <= _SAMPLED
    _announce("refinement")
    searches = []
    with task("refining", total=len(models) + 1) as advance:
        for kind in models:
            search = _Search(target, kind, effort_, seed, not several)
            search.run(begin)
            if search.rows:
                if kind == "sbm" and small and several:  # single moves are a poor search there
                    search.sample(n_samples)
                searches.append(search)
            advance()
        if not searches:
            reason = f"too many communities for this model, more than {_MOST_BLOCKS}"
            raise UsageError("; ".join(f"{kind}: {left_out.get(kind, reason)}" for kind in asked))
        chosen, drawn = _chosen(searches, n_samples if small else 0)
        advance()
    return _finished(target, searches, chosen, drawn, left_out)


def _chosen(searches: Sequence[_Search], n_samples: int) -> tuple[_Search, tuple[IntArray, FloatArray] | None]:
    """Return the search whose best partition counts and has the shortest description, with samples if asked for."""

    def place(search: _Search) -> tuple[bool, float]:
        best = search.best()
        return not search.counts(best.assortative), best.description_length

    ranked = sorted(searches, key=place)
    if n_samples == 0:
        return ranked[0], None
    for search in ranked:
        if search.chains is None:
            search.sample(n_samples)
        drawn = search.drawn(n_samples)
        if drawn is not None:
            return search, drawn
    return ranked[0], None


def _finished(
    target: _Target,
    searches: Sequence[_Search],
    chosen: _Search,
    drawn: tuple[IntArray, FloatArray] | None,
    left_out: dict[str, str],
) -> Solution:
    best = chosen.best()
    rows = sorted((row for search in searches for row in search.rows), key=lambda row: row.description_length)
    first: dict[tuple[str, str], Scored] = {}
    for row in rows:
        first.setdefault((row.start.rstrip("+"), row.model), row)
    settings = chosen.model.settings
    inferred: dict[str, Any] = (
        {"within": list(settings.within), "between": list(settings.between)}
        if chosen.kind == "sbm"
        else {"alpha": settings.alpha}
    )
    details: dict[str, Any] = {
        "model": chosen.kind,
        "settings": inferred,
        "start": best.start,
        "description_length": round(best.description_length, 3),
        "scores": [row.told() for row in first.values()],
        "left_out": left_out,
    }
    details["modularity"] = round(modularity(target.core.graph, best.labels), 4)
    chains = chosen.chains
    if chains is None or drawn is None:
        return Solution(best.labels, chosen.model.conditional(best.labels), None, details)
    labels = best.labels
    samples, log_prob = target.core.cut(*drawn)
    posterior = Posterior(samples, log_prob)
    given = [] if target.known is None else np.flatnonzero(target.known).tolist()
    probable = posterior.labelled(labels, given)
    if moved := int((probable != labels).sum()):
        labels = probable
        numbers = np.unique(labels, return_inverse=True)[1]
        length = chosen.scored(best.start, numbers).description_length
        details["moved"] = {"n_nodes": moved, "description_length": round(length, 3)}
        details["modularity"] = round(modularity(target.core.graph, numbers), 4)
    details["chains"] = {
        "n_chains": len(chains.kept),
        "n_kept": int(chains.kept.sum()),
        "effective_samples": round(chains.effective * chosen.share, 1),
        "r_hat": round(chains.r_hat, 3) if math.isfinite(chains.r_hat) else None,
    }
    return Solution(labels, posterior.confidence(labels, given), posterior, details)


def explained(details: Mapping[str, Any]) -> list[Note]:
    """Return notes on how a result was chosen, and what speaks against it."""
    if not details:
        return []
    chosen, length = details["model"], details["description_length"]
    shortest: dict[str, float] = {}  # of each model, among partitions that were not chosen
    rejected: dict[str, float] = {}
    for row in details["scores"]:
        table = rejected if row["description_length"] < length else shortest
        table.setdefault(row["model"], row["description_length"])
    others = {model: value for model, value in shortest.items() if model != chosen}
    message = (
        f"chose {_described(details['start'])} under {_MODEL_NAMES[chosen]}: description length {length:,.1f} nats"
    )
    if others:
        message += f" (best of other models: {', '.join(f'{model} {value:,.1f}' for model, value in others.items())})"
    data = {"model": chosen, "start": details["start"], "description_length": length, "others": others}
    notes = [Note("chosen", message, data, is_detail=True)]
    for model, value in rejected.items():
        message = f"rejected {model} ({value:,.1f} nats): its blocks are not denser inside than outside"
        notes.append(Note("rejected-model", message, {"model": model, "description_length": value}, is_detail=True))
    for model, reason in details["left_out"].items():
        notes.append(Note("skipped-model", f"skipped {model}: {reason}", {"model": model}, is_detail=True))
    if moved := details.get("moved"):
        message = (
            f"gave {counted(moved['n_nodes'], 'node')} the label that most samples give: "
            f"description length {moved['description_length']:,.1f} nats"
        )
        notes.append(Note("moved-nodes", message, moved, is_detail=True))
    if details["modularity"] < 0:
        message = f"fewer edges lie inside the communities than by chance (modularity {details['modularity']:.3f})"
        notes.append(Note("negative-modularity", message, {"modularity": details["modularity"]}))
    return notes + _on_chains(details.get("chains"))


def _on_chains(chains: Mapping[str, Any] | None) -> list[Note]:
    """Return notes on Markov chains that were left out, or have not converged."""
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
    """Describe where a partition comes from: "the refined partition of leiden 0.5"."""
    if start.endswith("~"):
        return "the best partition of the Markov chains"
    refined = "refined " if start.endswith("+") else ""
    return f"the {refined}partition of {start.rstrip('+')}"


def memory_needed(graph: Graph, n_samples: int) -> float:
    """Estimate the peak of memory that `refine` needs beside the graph, in bytes."""
    n, m = graph.num_nodes, graph.num_edges
    blocks = 24.0 * min(n, _MOST_BLOCKS + 48) ** 2
    sampled = np.count_nonzero(edge_counts(graph)) <= _SAMPLED and can_hold_samples(n_samples, n)
    return 8.0 * (20 * m + 40 * n + (6 * n_samples * n if sampled else 0)) + 2 * blocks
