r"""Posterior over partitions under stochastic block models, their parameters integrated out: exact scores and samples.

Three models of a graph given a partition z into B blocks of n_r nodes, with e_rs edges between (within, for r = s)
blocks, N_rs pairs of nodes, d_r the sum of the degrees k_i over block r, E edges in all:

===========  =========================================================================================================
``sbm``      Edges are independent, with probabilities from Beta priors:
             :math:`\prod_{r \le s} B(a + e_{rs}, b + N_{rs} - e_{rs}) / B(a, b)`, one (a, b) within, one between blocks
             (Nowicki & Snijders 2001; the ACP paper's General SBM is Beta(6, 3) within and Beta(1, 5) between).
``dc-sbm``   Microcanonical degree-corrected model (Peixoto 2017): all multigraphs with these e_rs and k_i are as
             likely, e_rs are uniform given E:
             :math:`\prod_{r<s} e_{rs}! \prod_r e_{rr}! 2^{e_{rr}} / (\prod_r d_r! \dots)`.
``planted``  A degree-corrected planted partition (cf. Zhang & Peixoto 2020) with one mixing parameter: of E edges some
             number e, uniform on 0, ..., E, lies within blocks. Such an edge is in block r with probability d_r / 2E
             and there between i and j with 2 k_i k_j / d_r^2; others are between i and j of different blocks with
             probability k_i k_j / Z, :math:`Z = \sum_{r<s} d_r d_s`:
             :math:`e! (E - e)! \, E^{-e} Z^{-(E - e)} \prod_r d_r^{-e_{rr}}`. Degrees are drawn first, over all nodes
             alike. Every community keeps the same share of its edges, as in LFR graphs; no resolution limit; a move
             costs O(degree). (By Zhang & Peixoto all blocks expect as many edges, and small ones merge.)
===========  =========================================================================================================

Degrees of a block, given their sum, are Dirichlet-multinomial with parameter alpha: 1 is the uniform law of Peixoto
2017, infinity says that all nodes of a block are alike; it is inferred.

The degree-corrected models are of multigraphs. If the graph is simple, whoever drew it put parallel edges into one, and
its probability is the sum over the multiplicities: with rates lambda it is larger by
:math:`\prod (e^{\lambda} - 1) / \lambda \approx \exp \sum \lambda / 2` over the edges. Without this factor dense graphs
could not be compared between the models, and a few hubs hide the communities of a small graph. lambda is taken from
e_rs - 1 and k_i (`planted`: from its rates, to first order). In `dc-sbm` it counts in scores, not in moves.

The partition's prior is a Chinese Restaurant Process (Pitman-Yor for a discount above 0), or any prior of the form
V(B) prod_r w(n_r), given as a table. Labels of some nodes may be known, and the number of blocks be given.

Weights: `sbm` reads them in [0, 1] as parts of an edge; the others read them as (real) numbers of parallel edges, so
scale them to mean 1 to have as much evidence as edges.

| ACP | here | as printed? |
|---|---|---|
| 1 | `crp_prior` | as printed; the concentration is a fixed number |
| 4, 5 | `BlockModel` | as printed; the edge probabilities are integrated out |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from graphclust.kernels import block_moves
from graphclust.kernels.block_moves import DC_SBM, PLANTED, SBM, Blocks, FloatArray, IntArray, Law, Net
from graphclust.runtime.progress import task

__all__ = [
    "KINDS",
    "BlockModel",
    "Chains",
    "Settings",
    "crp_prior",
    "effective_sample_size",
    "r_hat",
    "sized_prior",
    "sweeps_a_survey",
]

KINDS = {"sbm": SBM, "dc-sbm": DC_SBM, "planted": PLANTED}
_TABLE = 1 << 17  # values of log-gamma that are kept
_ROOM = 48  # blocks that a chain can open beyond those it starts with
_TOLERANCE = 4.0  # nats
_SWEEPS_AT_ONCE = 16  # during the burn-in, before somebody may interrupt
_VISITS_AT_ONCE = 50_000  # of nodes while samples are drawn: calls of numba cost as much as a sweep of a small graph
_WIDE = 8
_ALPHAS = 2.0 ** np.arange(-2, 10.5, 0.5)
_MEANS = 1 / (1 + np.exp(-np.linspace(-7, 4, 23)))  # of edge probabilities
_STRENGTHS = 2.0 ** np.arange(0, 5)  # pseudo-counts of a Beta prior; more would say that all blocks are alike


def crp_prior(n: int, concentration: float = 1.0, discount: float = 0.0) -> FloatArray:
    """Tabulate the Chinese Restaurant Process (see `graphclust.generators.crp`) as V(B) prod_r w(n_r).

    Returns
    -------
    ndarray of float64, shape (2, n + 2)
        log V(B) for B = 0, ..., n (what is beyond is -inf), and log w(m) for m = 0, ..., n.

    Examples
    --------
    >>> log_v, log_w = crp_prior(3, 1.0)
    >>> bool(np.isclose(np.exp(log_v[2] + log_w[2] + log_w[1]), 1 / 6))  # {0, 1}, {2}
    True
    """
    table = np.full((2, n + 2), -math.inf)
    opened = np.concatenate(([0.0], np.cumsum(np.log(concentration + discount * np.arange(1, max(n, 1))))))
    table[0, 1 : n + 1] = opened[:n] - np.log(concentration + np.arange(1, max(n, 1))).sum()
    sizes = np.arange(1, n + 1)
    table[1, 1 : n + 1] = gammaln(sizes - discount) - gammaln(1 - discount)
    table[:, 0] = 0.0
    return table


def sized_prior(n: int, n_clusters: int, low: int, high: int) -> FloatArray:
    """Tabulate the prior of exactly `n_clusters` blocks of sizes uniform on low, ..., high, given their sum n.

    Returns
    -------
    ndarray of float64, shape (2, n + 2)
        As of `crp_prior`, up to a constant. Blocks of other sizes are as unlikely as e^-30 a block: a chain can pass.
    """
    table = np.full((2, n + 2), -math.inf)
    table[0, n_clusters] = 0.0
    sizes = np.arange(n + 1)
    table[1, : n + 1] = gammaln(sizes + 1) - 30.0 * ((sizes < low) | (sizes > high))
    table[:, 0] = 0.0
    return table


@dataclass(frozen=True)
class Settings:
    """Hyperparameters.

    Attributes
    ----------
    within, between : (float, float)
        Parameters of the Beta priors of the edge probabilities within and between blocks (``sbm``).
    alpha : float
        Of the degrees within a block (``dc-sbm``, ``planted``).
    """

    within: tuple[float, float] = (6.0, 3.0)
    between: tuple[float, float] = (1.0, 5.0)
    alpha: float = 1.0


@dataclass(frozen=True)
class Chains:
    """Samples of several Markov chains.

    Attributes
    ----------
    samples : ndarray of int64, shape (n_chains, n_samples, n_nodes)
    log_joint : ndarray of float64, shape (n_chains, n_samples)
        Of each sample, as `BlockModel.log_joint` gives it.
    kept : ndarray of bool, shape (n_chains,)
        False for chains that got stuck: whose mean log joint is 4 nats or more below that of the best chain.
    effective : float
        Effective number of samples of the kept chains, by the autocorrelation of the log joint.
    r_hat : float
        The larger R-hat of the kept chains, of the log joint and of the number of blocks: about 1 where they agree.
    """

    samples: IntArray
    log_joint: FloatArray
    kept: NDArray[np.bool_]
    effective: float
    r_hat: float


def effective_sample_size(series: FloatArray) -> float:
    """Return the effective sample size of several chains, shape (n_chains, n_samples) (Geyer 1992; Gelman et al. 2013).

    Chains that never move are worth one sample each: nobody can tell whether they are stuck.

    Examples
    --------
    >>> 500 < effective_sample_size(np.random.default_rng(0).standard_normal((2, 400))) <= 800
    True
    """
    chains, length = series.shape
    within = series.var(axis=1, ddof=1).mean() if length > 1 else 0.0
    means = series.mean(axis=1)
    if length < 4 or within <= 0:
        return float(chains)
    total = within * (length - 1) / length + (means.var(ddof=1) if chains > 1 else 0.0)
    centred = series - means[:, None]
    spectrum = np.abs(np.fft.rfft(centred, 2 * length, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, :length].mean(axis=0) / length
    rho = 1 - (within - covariance * length / (length - 1)) / total
    pairs = rho[0 : length - length % 2 : 2] + rho[1::2]
    stop = np.flatnonzero(pairs < 0)
    kept = np.minimum.accumulate(pairs[: stop[0]] if len(stop) else pairs)
    time = max(2 * kept.sum() - 1, 1.0)
    return float(min(chains * length / time, chains * length))


def r_hat(series: FloatArray) -> float:
    """Return the potential scale reduction of several chains, shape (n_chains, n_samples), each cut in two.

    Gelman et al., "Bayesian Data Analysis", 2013, section 11.4: how much wider all halves together are than one. 1
    where nothing varies, infinite where halves differ that do not vary.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2, 400))
    >>> round(r_hat(noise), 1), r_hat(noise + [[0.0], [3.0]]) > 1.5
    (1.0, True)
    """
    half = series.shape[1] // 2
    if half < 2:
        return 1.0
    parts = np.concatenate((series[:, :half], series[:, -half:]))
    within, between = parts.var(axis=1, ddof=1).mean(), half * parts.mean(axis=1).var(ddof=1)
    if within <= 0:
        return math.inf if between > 0 else 1.0
    return float(math.sqrt((half - 1) / half + between / within / half))


class BlockModel:
    """A graph under a block model: scores of partitions, better partitions, and samples of the posterior.

    Parameters
    ----------
    source, target : array of int, shape (n_edges,)
        Each edge once; self-loops are left out.
    n_nodes : int
        At least one.
    weight : array of float, shape (n_edges,), optional
        Positive; None for a simple graph.
    kind : {"sbm", "dc-sbm", "planted"}
    settings : Settings
    prior : ndarray of float64, shape (2, n_nodes + 2), optional
        Of the partition, as `crp_prior` gives it: by default that with concentration 1.
    known : array of int, shape (n_nodes,), optional
        0 where the label is not known. Every partition given to the methods has to agree with it: one block a label.
    n_clusters : int, optional
        Keep the number of blocks at what the given partitions have.
    connected : bool
        Chains keep blocks connected, and draw from the posterior given that. They start at such partitions; not with
        `n_clusters`.

    Examples
    --------
    >>> triangles = BlockModel([0, 1, 2, 3, 4, 5, 2], [1, 2, 0, 4, 5, 3, 3], 6, settings=Settings((1, 1), (1, 1)))
    >>> triangles.log_joint([0, 0, 0, 1, 1, 1]) > triangles.log_joint([0, 0, 0, 0, 0, 0])
    True
    """

    def __init__(
        self,
        source: ArrayLike,
        target: ArrayLike,
        n_nodes: int,
        *,
        weight: ArrayLike | None = None,
        kind: str = "sbm",
        settings: Settings | None = None,
        prior: FloatArray | None = None,
        known: ArrayLike | None = None,
        n_clusters: int | None = None,
        connected: bool = False,
    ) -> None:
        ends = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
        apart = ends[0] != ends[1]
        value = np.ones(int(apart.sum())) if weight is None else np.asarray(weight, dtype=np.float64)[apart]
        first, second = ends[0][apart], ends[1][apart]
        self.kind = kind
        self.n_nodes = n_nodes
        self.simple = weight is None
        self.known = np.zeros(n_nodes, dtype=np.int64) if known is None else np.asarray(known, dtype=np.int64)
        self.n_clusters = n_clusters
        self.connected = connected
        self.settings = settings or Settings()
        self._net = _net(first, second, value, self.known, kind == "planted" and self.simple)
        self._total = float(value.sum())
        self._prior = crp_prior(n_nodes) if prior is None else prior
        self._law = self._make_law()
        self._offset = self._constant(value)
        self._choices = 1  # of hyperparameters, which were chosen among so many

    def _make_law(self) -> Law:
        code, settings, n = KINDS[self.kind], self.settings, self.n_nodes
        beta = np.array([settings.between, settings.within], dtype=np.float64)
        log_beta = gammaln(beta).sum(axis=1) - gammaln(beta.sum(axis=1))
        prior, table = self._prior, np.zeros((2, 3, 0))
        if code == SBM and self.simple:
            x = np.arange(min(n * (n - 1) // 2 + 1, _TABLE))
            shape = np.column_stack((beta, beta.sum(axis=1)))
            table = gammaln(shape[:, :, None] + x) - gammaln(shape)[:, :, None]
        elif code != SBM:
            prior = prior.copy()
            number = np.arange(1, prior.shape[1])
            if code == DC_SBM:
                pairs = number * (number + 1) / 2
                prior[0, 1:] -= gammaln(pairs + self._total) - gammaln(self._total + 1) - gammaln(pairs)
            else:
                prior[0, 2:] -= math.log(self._total + 1)
        keep = self.n_clusters is not None
        head = [code, keep, self._total, settings.alpha, self._net.cross.sum() / 2]
        param = [*head, *np.column_stack((beta, log_beta)).ravel(), self.connected]
        return Law(np.array(param, dtype=np.float64), prior, table)

    def _constant(self, weight: FloatArray) -> float:
        """Return what the log joint has beyond what depends on the partition."""
        if self.kind == "sbm":
            return 0.0
        alpha, degree, total = self.settings.alpha, self._net.node[block_moves.DEGREE], self._total
        value = float((gammaln(degree + alpha) - gammaln(alpha)).sum() - gammaln(weight + 1).sum())
        if self.kind == "planted" and total > 0:  # as the configuration model if there is one block
            value += gammaln(alpha * self.n_nodes) - gammaln(alpha * self.n_nodes + 2 * total)
            value += total * (math.log(2) + math.log(total) + math.log(2 * total))
        return value - math.log(self.n_nodes * (self.n_nodes - 1) / 2 + 1)  # the number of edges is uniform, too

    def _with(self, settings: Settings, choices: int) -> BlockModel:
        """Return the same model with hyperparameters that were chosen among so many."""
        other = object.__new__(BlockModel)
        other.__dict__.update(self.__dict__)
        other._choices = choices
        if settings == self.settings:
            return other
        other.settings = settings
        other._law = other._make_law()
        half = self._one < self._net.end
        other._offset = other._constant(self._net.weight[half])
        return other

    # ---------------------------------------------------------------- scores

    def log_joint(self, labels: ArrayLike) -> float:
        """Return log p(graph, partition), in nats, with everything but the hyperparameters integrated out.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
        """
        blocks = self._blocks(labels)
        return float(block_moves.log_joint(self._law, blocks)) + self._offset

    def score(self, labels: ArrayLike) -> float:
        """Return the log joint for comparing models; its negative is the description length, in nats.

        Hyperparameters that were inferred cost the log of the number of choices; for ``dc-sbm`` the factor for hidden
        parallel edges is in it.
        """
        value = self.log_joint(labels) - math.log(self._choices)
        return value + self._hidden(labels) if self.kind == "dc-sbm" and self.simple else value

    def _hidden(self, labels: ArrayLike) -> float:
        edges, nodes = self._counts(labels)
        edges = np.maximum(edges - 1, 0.0)  # without the edge itself: its own rate may not be learned from it
        edges[np.diag_indices(len(edges))] *= 2.0
        degree = self._net.node[block_moves.DEGREE]
        rate = edges / np.maximum(np.outer(*[np.bincount(nodes, degree)] * 2), 1e-300)
        one = self._one
        mean = degree[one] * degree[self._net.end] * rate[nodes[one], nodes[self._net.end]]
        mean = mean[mean > 0]
        return float((mean + np.log(-np.expm1(-mean) / mean)).sum() / 2)

    @cached_property
    def _one(self) -> IntArray:
        """The node whose neighbour each entry of `Net.end` is."""
        return np.repeat(np.arange(self.n_nodes), np.diff(self._net.start))

    def _counts(self, labels: ArrayLike) -> tuple[FloatArray, IntArray]:
        """Return e_rs, dense, and labels 0, 1, ..."""
        nodes = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)
        number = int(nodes.max()) + 1
        one = nodes[self._one]
        key = one * number + nodes[self._net.end]
        edges = np.bincount(key, self._net.weight, minlength=number**2).reshape(number, number).astype(np.float64)
        edges[np.diag_indices(number)] /= 2
        return edges, nodes

    def assortative_share(self, labels: ArrayLike, factor: float = 2.0) -> float:
        """Return the share of nodes in communities: blocks at most `factor` times denser towards another than inside.

        Densities are edges by pairs of nodes (``sbm``) or by products of degrees; blocks of one node count as such. In
        the General SBM of the ACP paper, where some pairs of blocks are denser than the blocks by chance, no graph of
        300 had a share below 0.6 with a factor of 2; of hubs and their periphery it is small. O(B^2) memory.
        """
        edges, nodes = self._counts(labels)
        size = np.bincount(nodes).astype(np.float64)
        if self.kind == "sbm":
            pairs = np.outer(size, size)
            inside_pairs = size * (size - 1) / 2
        else:
            volume: FloatArray = np.bincount(nodes, self._net.node[block_moves.DEGREE]).astype(np.float64)
            pairs = np.outer(volume, volume)
            inside_pairs = volume**2 / 2
        density = edges / np.maximum(pairs, 1e-300)
        inside = np.diag(edges) / np.maximum(inside_pairs, 1e-300)
        np.fill_diagonal(density, 0.0)
        good = (size == 1) | (factor * inside >= density.max(axis=1))
        return float(size[good].sum() / self.n_nodes)

    def fitted(self, labels: ArrayLike) -> BlockModel:
        """Return the model with the hyperparameters that make this partition most likely: empirical Bayes on a grid.

        Strengths of the Beta priors are at most 16 pseudo-counts: with more, a partition would no longer have to pay
        for its parameters, and structure would be found in any graph.
        """
        if self.kind != "sbm":
            nodes = np.unique(np.asarray(labels), return_inverse=True)[1]
            if self.kind == "planted":
                nodes = np.zeros_like(nodes)
            size = np.bincount(nodes)[:, None] * _ALPHAS
            volume = np.bincount(nodes, self._net.node[block_moves.DEGREE])[:, None]
            degrees, count = np.unique(self._net.node[block_moves.DEGREE], return_counts=True)
            value = (gammaln(size) - gammaln(size + volume)).sum(axis=0)
            value += count @ (gammaln(degrees[:, None] + _ALPHAS) - gammaln(_ALPHAS))
            return self._with(replace(self.settings, alpha=float(_ALPHAS[np.argmax(value)])), len(_ALPHAS))
        edges, nodes = self._counts(labels)
        size = np.bincount(nodes).astype(np.float64)
        pairs = np.outer(size, size)
        pairs[np.diag_indices(len(size))] = size * (size - 1) / 2
        upper = np.triu_indices(len(size), 1)
        within = _best_beta(np.diag(edges), np.diag(pairs), self.settings.within)
        between = _best_beta(edges[upper], pairs[upper], self.settings.between)
        choices = (1 + len(_MEANS) * len(_STRENGTHS)) ** 2
        return self._with(replace(self.settings, within=within, between=between), choices)

    # ---------------------------------------------------------------- search and sampling

    def _blocks(self, labels: ArrayLike, room: int = 0, net: Net | None = None, capacity: int = 0) -> Blocks:
        net = net or self._net
        label = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)
        number = int(label.max()) + 1
        capacity = max(min(max(number + room, capacity), len(label)), number, 4)
        code = KINDS[self.kind]
        square, aloof = (1 if code == PLANTED else capacity), (capacity if code == SBM else 1)
        blocks = Blocks(
            label,
            np.zeros((9, capacity)),
            np.zeros((5, capacity), dtype=np.int64),
            np.zeros((square, square)),
            np.zeros((aloof, aloof)),
        )
        block_moves.fill(self._law, net, blocks)
        return blocks

    def _settle(self, net: Net, labels: IntArray, rng: np.random.Generator, passes: int) -> tuple[IntArray, float]:
        n = len(labels)
        blocks = self._blocks(labels, _ROOM if self.kind != "planted" else n, net)
        waiting = np.ones(n)
        widest = int(np.diff(net.start).max(initial=0)) + 2
        candidates, gain = np.empty(widest, dtype=np.int64), np.empty(widest)
        order = rng.permutation(n)
        for _ in range(passes):
            if block_moves.settle(self._law, net, blocks, order, waiting, candidates, gain) < 1e-6:
                break
        found = np.unique(blocks.label, return_inverse=True)[1].astype(np.int64)
        return found, float(block_moves.log_joint(self._law, blocks))

    def improve(self, labels: ArrayLike, seed: int = 0, passes: int = 20, rounds: int = 3) -> IntArray:
        """Improve a partition until no node, and no whole block, gains by a move to a neighbouring block.

        Greedy moves of nodes and of ever larger blocks, as in the Louvain algorithm, on the log joint; nodes wait until
        a neighbour has moved. O(degree) a move. ``sbm`` moves only nodes.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
        seed : int
            Of the order of the nodes.
        passes, rounds : int
            Most passes over the nodes of a level, and returns to single nodes after blocks have been merged.

        Returns
        -------
        ndarray of int64, shape (n_nodes,)
            0, 1, ... without gaps; its log joint is not lower.
        """
        rng = np.random.default_rng(seed)
        found, best = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64), -math.inf
        for _ in range(rounds):
            found, value = self._settle(self._net, found, rng, passes)
            while self.kind != "sbm" and self.n_clusters is None:
                merged = _aggregated(self._net, found)
                above, higher = self._settle(merged, np.arange(int(found.max()) + 1), rng, passes)
                if higher < value + 1e-6:
                    break
                found, value = above[found], higher
            if value < best + 1e-6:
                break
            best = value
        return found

    def conditional(self, labels: ArrayLike) -> FloatArray:
        """Return each node's probability of its own block, given all other nodes' blocks; shape (n_nodes,).

        Elsewhere are the blocks of its neighbours, and a new one. O(n_edges). This is the certainty of a node when all
        others are taken as right: an upper bound, mostly, of what a posterior would say.
        """
        blocks = self._blocks(labels, 1)
        probability = np.empty(self.n_nodes)
        block_moves.conditional(self._law, self._net, blocks, probability)
        return probability

    def sample(
        self,
        starts: Sequence[ArrayLike],
        n_samples: int,
        n_sweeps: int,
        seed: int = 0,
        *,
        splits: float = 0.25,
        burn_in: float = 0.5,
        heat: float = 1.0,
        threads: int = 1,
        kept_within: float = _TOLERANCE,
        wide: int | None = None,
    ) -> Chains:
        """Draw from the posterior by Gibbs sweeps over all nodes and merge-split moves, one chain from each start.

        A chain has at most 48 blocks more than the largest start.

        Parameters
        ----------
        starts : sequence of arrays of int, shape (n_nodes,)
        n_samples : int
            Of each chain, equally spaced over what follows the burn-in.
        n_sweeps : int
            Of each chain; at least n_samples of them.
        seed : int
        splits : float
            Merge-split moves (Jain & Neal 2004) a sweep; where the number of blocks is kept, moves that share out the
            nodes of two blocks anew.
        burn_in : float
            Share of the sweeps that no sample is taken from.
        heat : float
            Temperature of the first sweep; it falls to 1 over the first half of the burn-in.
        threads : int
            Chains run at once; the result does not depend on it.
        kept_within : float
            See `Chains.kept`, in nats.
        wide : int, optional
            One in so many sweeps lets nodes go to all blocks, the others to their neighbours' and a new one: by default
            1, or 8 where neighbours' are far fewer.
        """
        every = max(int(n_sweeps * (1 - burn_in)) // n_samples, 1)
        n_sweeps = max(n_sweeps, every * n_samples)
        seeds = np.random.SeedSequence(seed).spawn(len(starts))

        heats = np.maximum(np.geomspace(heat, 1.0, max(int(n_sweeps * burn_in / 2), 1)), 1.0)
        heats = np.concatenate((heats, np.ones(n_sweeps - len(heats))))
        burnt = n_sweeps - every * n_samples
        at_once = every * max(max(_SWEEPS_AT_ONCE, _VISITS_AT_ONCE // self.n_nodes) // every, 1)
        stops = [*range(0, burnt, _SWEEPS_AT_ONCE), *range(burnt, n_sweeps, at_once), n_sweeps]
        given_up = False
        most = max(len(np.unique(start)) for start in starts)
        if wide is None:
            wide = sweeps_a_survey(most, 2 + len(self._net.end) / self.n_nodes)
        all_blocks = np.arange(n_sweeps) % wide == 0

        def chain(place: int) -> tuple[IntArray, FloatArray]:
            blocks = self._blocks(starts[place], capacity=most + _ROOM)
            samples = np.zeros((n_samples, self.n_nodes), dtype=np.int64)
            trace = np.zeros(n_sweeps)
            rng = np.random.default_rng(seeds[place])
            for begin, end in pairwise(stops):
                if given_up:
                    break
                rows = slice((begin - burnt) // every, (end - burnt) // every) if begin >= burnt else slice(0)
                now, far, told = heats[begin:end], all_blocks[begin:end], trace[begin:end]
                block_moves.run(self._law, self._net, blocks, now, splits, 1, far, every, rng, samples[rows], told)
                advance()
            return samples, trace[burnt:][every - 1 :: every] + self._offset

        with task("sampling", total=len(starts) * (len(stops) - 1)) as advance:
            if threads > 1 and len(starts) > 1:
                from concurrent.futures import ThreadPoolExecutor

                with ThreadPoolExecutor(threads) as pool:
                    try:
                        done = list(pool.map(chain, range(len(starts))))
                    finally:
                        given_up = True  # Ctrl-C: the chains end soon
            else:
                done = [chain(place) for place in range(len(starts))]
        samples, traces = np.stack([one for one, _ in done]), np.stack([trace for _, trace in done])
        means = traces.mean(axis=1)
        kept = means > means.max() - kept_within
        in_order = (np.sort(chain, axis=1) for chain in samples[kept])
        number = np.array([1.0 + (np.diff(labels, axis=1) > 0).sum(axis=1) for labels in in_order])
        agreement = max(r_hat(traces[kept]), r_hat(number))
        return Chains(samples, traces, kept, effective_sample_size(traces[kept]), agreement)


def sweeps_a_survey(blocks: float, near: float) -> int:
    """Return the default of `wide` for so many blocks, of which nodes have edges to `near`."""
    return _WIDE if blocks > _WIDE * near else 1


def _net(source: IntArray, target: IntArray, weight: FloatArray, known: IntArray, crosses: bool) -> Net:
    n = len(known)
    one, other = np.concatenate((source, target)), np.concatenate((target, source))
    both = np.concatenate((weight, weight))
    order = np.argsort(one, kind="stable")
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(one, minlength=n), out=start[1:])
    degree = np.bincount(one, both, minlength=n).astype(np.float64)
    ends, weights = other[order], both[order]
    cross = weights * degree[one[order]] * degree[ends] if crosses else np.zeros(0)
    node = np.stack((degree, np.zeros(n), np.ones(n), known.astype(np.float64), np.zeros(n)))
    return Net(start, ends, weights, cross, node)


def _aggregated(net: Net, labels: IntArray) -> Net:
    """Make a node of each block."""
    import scipy.sparse as sp

    number = int(labels.max()) + 1
    one = labels[np.repeat(np.arange(len(labels)), np.diff(net.start))]
    other = labels[net.end]
    inside = one == other
    shape, ends = (number, number), (one[~inside], other[~inside])
    between = sp.coo_array((net.weight[~inside], ends), shape=shape).tocsr()  # parallel ones are added up
    cross, own_cross = np.zeros(0), np.zeros(number)
    if len(net.cross):
        cross = sp.coo_array((net.cross[~inside], ends), shape=shape).tocsr().data
        own_cross = np.bincount(one[inside], net.cross[inside], minlength=number) / 2
    rows = block_moves.DEGREE, block_moves.OWN, block_moves.COUNT, block_moves.FIXED, block_moves.OWN_CROSS
    node = np.zeros((5, number))
    for row in rows:
        node[row] = np.bincount(labels, net.node[row], minlength=number)
    node[block_moves.OWN] += np.bincount(one[inside], net.weight[inside], minlength=number) / 2
    node[block_moves.OWN_CROSS] += own_cross
    return Net(between.indptr.astype(np.int64), between.indices.astype(np.int64), between.data, cross, node)


def _best_beta(edges: FloatArray, pairs: FloatArray, asked: tuple[float, float]) -> tuple[float, float]:
    """Choose a Beta prior for the densities of block pairs, on a grid; the one asked for is on it, too."""
    used = pairs > 0
    if not used.any():
        return asked
    x, m = edges[used][:, None], pairs[used][:, None]
    mean, strength = (grid.ravel() for grid in np.meshgrid(_MEANS, _STRENGTHS))
    a = np.concatenate(([asked[0]], mean * strength))
    b = np.concatenate(([asked[1]], (1 - mean) * strength))
    value = gammaln(a + x) + gammaln(b + m - x) - gammaln(a + b + m) - gammaln(a) - gammaln(b) + gammaln(a + b)
    best: Any = int(np.argmax(value.sum(axis=0)))
    return float(a[best]), float(b[best])
