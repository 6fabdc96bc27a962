r"""The posterior distribution of a partition, represented by weighted samples.

Labels are arbitrary names: community 0 of one sample need not correspond to community 0 of the next. All quantities
below therefore depend on the partitions only. They are expectations over the weighted samples:

===============  =====================================================================================================
co-membership    :math:`P(i \sim j) = \sum_s w_s [z_{si} = z_{sj}]`
entropy          :math:`\frac{1}{2} \sum_{st} w_s w_t \, \mathrm{vi}_i(s, t)`, with
                 :math:`\mathrm{vi}_i(s, t) = \log \left( |C_s(i)| \, |C_t(i)| \, / \, |C_s(i) \cap C_t(i)|^2 \right)`
                 the contribution of node i, in community C_s(i) of sample s, to the variation of information
point estimates  the sample z with the highest :math:`p(z)` (map), the lowest :math:`E_s \mathrm{VI}(z, z_s)` (vi; Wade
                 & Ghahramani 2018) or the highest :math:`E_s \mathrm{AMI}(z, z_s)` (ami)
confidence       the probability that node i is in the community that corresponds best to its own, or has its label
modes            groups of samples that differ as a whole (`graphclust.results.modes`; Peixoto 2021)
===============  =====================================================================================================

Unlike Wade & Ghahramani, we search for point estimates among the samples, and use the expected variation of information
itself instead of its lower bound by Jensen's inequality.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import DataError, UsageError
from graphclust.metrics import Contingency, rank_labels
from graphclust.metrics.agreement import chance_information
from graphclust.metrics.labels import distinct_rows
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.memory import require_memory

if TYPE_CHECKING:
    from graphclust.results.modes import Mode

__all__ = ["Posterior"]

_ROUNDING = 1e-9  # rounding error of sums of weights
_CELLS = 1 << 20  # entries of a temporary table, which takes several megabytes


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Posterior:
    """Samples of a partition, with the quantities that follow from them. Immutable.

    Parameters
    ----------
    samples : array of int, shape (n_samples, n_nodes)
        One partition per row, with any integers as labels.
    log_prob : array of float, shape (n_samples,), optional
        Log posterior of each sample up to a common constant; -inf for an impossible sample, NaN if unknown.
    nodes : sequence of node ids, optional
        Default `range(n_nodes)`.
    weighting : {"uniform", "log_prob"}
        "uniform" is for draws from the posterior (Monte Carlo): each has the weight 1 / n_samples, and the frequency of
        a partition reflects its probability. "log_prob" is for partitions that were enumerated or found by search: each
        *distinct* partition has a weight in proportion to its probability, however often it occurs among the samples.
        Weighting draws by their probability would count the probability twice.

    Attributes
    ----------
    samples : ndarray of int64, shape (n_samples, n_nodes)
        Relabelled by `rank_labels`: equal partitions are equal rows, and 0 is the largest community of each.
    log_prob : ndarray of float64, shape (n_samples,)
        NaN if unknown.
    weights : ndarray of float64, shape (n_samples,)
        They add up to 1. Samples of the same partition have equal weights.
    nodes : sequence of node ids

    Raises
    ------
    UsageError
        There are no samples, they are not integers or not two-dimensional, the lengths of the arrays differ, or the
        weighting is unknown or needs a log_prob that is unknown.
    DataError
        A log_prob is +inf, or every log_prob is -inf and the weighting is by log_prob.

    Examples
    --------
    >>> posterior = Posterior([[0, 0, 1], [5, 5, 2], [0, 1, 1], [0, 0, 0]], nodes=["a", "b", "c"])
    >>> posterior
    Posterior(4 samples of 3 nodes)
    >>> posterior.n_clusters()
    {1: 0.25, 2: 0.75}
    """

    samples: IntArray
    log_prob: FloatArray
    weights: FloatArray
    nodes: Sequence[Hashable]

    def __init__(
        self,
        samples: ArrayLike,
        log_prob: ArrayLike | None = None,
        nodes: Sequence[Hashable] | None = None,
        weighting: str = "uniform",
    ) -> None:
        table = np.asarray(samples)
        if table.ndim != 2 or len(table) == 0:
            raise UsageError(f"samples need the shape (n_samples, n_nodes) and at least one row, not {table.shape}")
        ranked = rank_labels(table)
        n_samples, n_nodes = ranked.shape
        log_probs = np.full(n_samples, np.nan) if log_prob is None else np.array(log_prob, dtype=np.float64)
        ids = range(n_nodes) if nodes is None else nodes
        if log_probs.shape != (n_samples,):
            raise UsageError(f"log_prob has the shape {log_probs.shape} for {n_samples} samples")
        if len(ids) != n_nodes:
            raise UsageError(f"{len(ids)} nodes for samples of {n_nodes}")
        if np.isposinf(log_probs).any():
            raise DataError(f"log_prob is infinite for sample {int(np.argmax(log_probs))}")
        if weighting not in ("uniform", "log_prob"):
            raise UsageError(f"weighting is uniform or log_prob, not {weighting!r}")
        object.__setattr__(self, "samples", ranked)
        object.__setattr__(self, "log_prob", log_probs)
        object.__setattr__(self, "nodes", ids)
        weights = np.full(n_samples, 1 / n_samples) if weighting == "uniform" else self._probabilities()
        object.__setattr__(self, "weights", weights)
        for array in (ranked, log_probs, weights):
            array.flags.writeable = False

    def over(self, samples: ArrayLike, nodes: Sequence[Hashable]) -> Posterior:
        """Return the same posterior with its nodes in another order.

        Parameters
        ----------
        samples : array of int, shape (n_samples, n_nodes)
            The samples, in the new order of the nodes.
        nodes : sequence of node ids
            The nodes in that order.
        """
        other = Posterior(samples, self.log_prob, nodes)
        object.__setattr__(other, "weights", self.weights)
        return other

    def __repr__(self) -> str:
        n_samples, n_nodes = self.samples.shape
        return f"Posterior({n_samples} samples of {n_nodes} nodes)"

    def _probabilities(self) -> FloatArray:
        """Normalise exp(log_prob) over the distinct partitions, and split the weight of repeated ones evenly."""
        if np.isnan(self.log_prob).any():
            raise UsageError("weighting by log_prob needs the log_prob of every sample")
        highest = self.log_prob.max()
        if np.isneginf(highest):
            raise DataError("log_prob is -inf for every sample")
        weights = np.exp(self.log_prob - highest) / np.bincount(self._partition)[self._partition]
        return np.asarray(weights / weights.sum())

    @cached_property
    def _partition(self) -> IntArray:
        """Index of each sample's partition among the distinct ones, in order of appearance; shape (n_samples,)."""
        return distinct_rows(self.samples)

    @cached_property
    def _distinct(self) -> tuple[IntArray, FloatArray]:
        """Distinct partitions in order of appearance, shape (n_distinct, n_nodes), and weights, shape (n_distinct,)."""
        _, first = np.unique(self._partition, return_index=True)
        return self.samples[first], np.bincount(self._partition, self.weights).astype(np.float64)

    def modes(self) -> tuple[Mode, ...]:
        """Divide the samples into modes, which differ as a whole: see `graphclust.results.modes`.

        The time is linear in the number of nodes and quadratic in that of different samples: hundredths of a second for
        64 samples of a small graph, half a minute for a thousand random partitions of 300 nodes.

        Returns
        -------
        tuple of Mode
            The most probable mode first. Their weights add up to 1.

        Examples
        --------
        >>> halves, quarters = [0] * 20 + [1] * 20, [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10
        >>> Posterior([halves] * 3 + [quarters] * 2).modes()
        (Mode(2 communities, weight 0.6, 3 samples), Mode(4 communities, weight 0.4, 2 samples))
        """
        return self._modes

    @cached_property
    def _modes(self) -> tuple[Mode, ...]:
        from graphclust.results.modes import Mode, find_modes

        partitions, weights = self._distinct
        if partitions.shape[1] == 0:
            everything = np.arange(len(self.samples))
            return (Mode(1.0, np.empty(0, dtype=np.int64), np.empty(0), everything),)
        order = np.argsort(-weights, kind="stable")
        rows = find_modes(partitions[order], weights[order] * len(self.samples))
        return tuple(
            Mode(share, labels, confidence, np.flatnonzero(np.isin(self._partition, order[numbers])))
            for share, labels, confidence, numbers in rows
        )

    def n_clusters(self) -> dict[int, float]:
        """Posterior distribution of the number of communities.

        Returns
        -------
        dict
            Probability by number of communities, in increasing order. Numbers that no sample has are left out.

        Examples
        --------
        >>> Posterior([[0, 1, 2], [0, 0, 1], [0, 0, 0]], np.log([0.5, 0.25, 0.25]), weighting="log_prob").n_clusters()
        {1: 0.25, 2: 0.25, 3: 0.5}
        """
        numbers, index = np.unique(self.samples.max(axis=1, initial=-1) + 1, return_inverse=True)
        return dict(zip(numbers.tolist(), np.bincount(index, self.weights).tolist(), strict=True))

    def co_membership(self, nodes: Sequence[Hashable] | None = None) -> FloatArray:
        """Probability that two nodes are in the same community.

        Parameters
        ----------
        nodes : sequence of node ids, optional
            The nodes of the rows and columns, in this order. The default is all nodes.

        Returns
        -------
        ndarray of float64, shape (len(nodes), len(nodes))
            Symmetric, with ones on the diagonal.

        Raises
        ------
        UsageError
            A node is unknown.
        ResourceError
            The matrix would not fit into memory.

        Examples
        --------
        >>> Posterior([[0, 0, 1], [0, 1, 1]], nodes=["a", "b", "c"]).co_membership(["a", "c", "b"])
        array([[1. , 0. , 0.5],
               [0. , 1. , 0.5],
               [0.5, 0.5, 1. ]])
        """
        from scipy.sparse import csr_array

        partitions, weights = self._distinct
        n_nodes = len(self.nodes) if nodes is None else len(nodes)
        require_memory(8.0 * n_nodes**2 + 64.0 * n_nodes * len(weights), f"co-membership of {n_nodes} nodes")
        if nodes is not None:
            partitions = partitions[:, self._positions(nodes)]
        community = _disjoint_labels(partitions).T.ravel()
        start = np.arange(n_nodes + 1) * len(weights)
        shape = n_nodes, int(community.max(initial=-1)) + 1
        weighted = csr_array((np.tile(weights, n_nodes), community, start), shape=shape)
        members = csr_array((np.ones(len(community)), community, start), shape=shape).T.tocsr()
        together = np.empty((n_nodes, n_nodes))
        step = max(1, _CELLS // max(n_nodes, 1))
        for row in range(0, n_nodes, step):
            together[row : row + step] = (weighted[row : row + step] @ members).toarray()
        return _rounded_to_one(together)

    def entropy(self) -> FloatArray:
        """Uncertainty of each node's community, in nats.

        It is the uncertainty that one draw from the posterior leaves about another draw. Its mean over nodes is the
        expected conditional entropy of one partition given another, which is half the expected variation of information
        of two draws. The mean of the binary entropies of a node's co-memberships measures something else: in a large
        graph nearly all pairs of nodes are certainly apart, so a node torn between two small communities would appear
        certain.

        Returns
        -------
        ndarray of float64, shape (n_nodes,)
            In [0, log n_nodes]; 0 if all samples agree on the community of the node. The time is quadratic in the
            number of distinct samples and linear in the number of nodes; the memory is linear in the number of nodes.

        Examples
        --------
        >>> Posterior([[0, 0, 1, 1], [0, 0, 1, 2]]).entropy().round(3)
        array([0.   , 0.   , 0.173, 0.173])
        """
        partitions, weights = self._distinct
        entropy = np.zeros(self.samples.shape[1])
        for s in range(len(partitions)):
            for others, local in _local_vi(partitions[s], partitions, s + 1):
                entropy += weights[s] * (weights[others] @ local)
        return entropy

    def point_estimate(self, criterion: str = "vi", candidates: ArrayLike | None = None) -> IntArray:
        """Return the sample that represents the posterior best.

        Parameters
        ----------
        criterion : {"map", "vi", "ami"}
            "map": the highest log_prob; among ties, the highest weight. "vi": the lowest expected variation of
            information from the posterior. "ami": the highest expected adjusted mutual information with the posterior.
            Remaining ties go to the first sample. "vi" and "ami" take time quadratic in the number of distinct samples.
        candidates : array of int, shape (n_candidates, n_nodes), optional
            Partitions to choose from by "vi" or "ami" instead of the samples: a good compromise need not be a sample.

        Returns
        -------
        ndarray of int64, shape (n_nodes,)
            Community 0 is the largest.

        Raises
        ------
        UsageError
            The criterion is unknown, "map" is used with candidates or without the log_prob of every sample, or the
            candidates have another number of nodes.

        Examples
        --------
        >>> Posterior([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 2]]).point_estimate("vi")
        array([0, 0, 1, 1])
        """
        partitions, weights = self._distinct
        if criterion not in ("map", "vi", "ami"):
            raise UsageError(f"criterion is map, vi or ami, not {criterion!r}")
        if criterion == "map":
            if candidates is not None:
                raise UsageError("the map estimate is one of the samples: it cannot be chosen from candidates")
            if np.isnan(self.log_prob).any():
                raise UsageError("the map estimate needs the log_prob of every sample")
            best = int(self._partition[np.lexsort((-weights[self._partition], -self.log_prob))[0]])
            return np.array(partitions[best])
        choice = partitions if candidates is None else Posterior(candidates).samples
        if choice.shape[1] != partitions.shape[1]:
            raise UsageError(f"candidates have {choice.shape[1]} nodes, but samples have {partitions.shape[1]}")
        return np.array(choice[int(np.argmax(self._expected_similarity(criterion, choice)))])

    def membership(self, nodes: Sequence[Hashable]) -> FloatArray:
        """Probability that each node is in the same community as each of the given ones.

        Parameters
        ----------
        nodes : sequence of node ids

        Returns
        -------
        ndarray of float64, shape (n_nodes, len(nodes))

        Raises
        ------
        UsageError
            A node that is not known.

        Examples
        --------
        >>> Posterior([[0, 0, 1], [0, 1, 1]], nodes=["a", "b", "c"]).membership(["a", "c"])
        array([[1. , 0. ],
               [0.5, 0.5],
               [0. , 1. ]])
        """
        probability = np.zeros((self.samples.shape[1], len(nodes)))
        for column, node in enumerate(self._positions(nodes)):
            for partition, weight in zip(*self._distinct, strict=True):
                probability[partition == partition[node], column] += weight
        return _rounded_to_one(probability)

    def _positions(self, nodes: Sequence[Hashable]) -> list[int]:
        position = {node: i for i, node in enumerate(self.nodes)}
        unknown = [node for node in nodes if node not in position]
        if unknown:
            raise UsageError(f"{unknown[0]!r} is not a node of this posterior")
        return [position[node] for node in nodes]

    def labelled(self, labels: ArrayLike, known: Sequence[Hashable]) -> IntArray:
        """Move the nodes of labelled communities to their most probable label.

        Among all partitions that do not move nodes of communities without a label, the result has the highest expected
        number of correct nodes under the samples. A node moves only if another label is strictly more probable.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
            A partition in the order of `nodes`, such as a point estimate.
        known : sequence of node ids
            Nodes with a known label, at least one per label. In `labels` and in the samples, nodes with the same label
            must be in one community, and nodes with different labels in different ones.

        Returns
        -------
        ndarray of int64, shape (n_nodes,)

        Raises
        ------
        UsageError
            A node is unknown.

        Examples
        --------
        >>> samples = [[0, 0, 1, 1, 2], [0, 1, 1, 1, 2], [0, 1, 1, 2, 2]]
        >>> Posterior(samples).labelled([0, 0, 1, 1, 2], known=[0, 2])
        array([0, 1, 1, 1, 2])
        """
        relabelled = np.array(labels, dtype=np.int64)
        if not len(known):
            return relabelled
        positions = np.array(self._positions(known), dtype=np.int64)
        names, first = np.unique(relabelled[positions], return_index=True)
        probability = self.membership([known[i] for i in first.tolist()])
        free = np.isin(relabelled, names)
        free[positions] = False
        own = np.searchsorted(names, relabelled[free])
        probability = probability[free]
        best = probability.argmax(axis=1)
        rows = np.arange(len(own))
        relabelled[free] = names[np.where(probability[rows, best] > probability[rows, own] + _ROUNDING, best, own)]
        return relabelled

    def confidence(self, labels: ArrayLike, known: Sequence[Hashable] = ()) -> FloatArray:
        """Probability that the label of each node is right.

        The communities of each sample are first matched with those of `labels`: a community that contains a node with a
        known label, with the community of that label; the others, by the one-to-one assignment under which most nodes
        agree (`Contingency.matched`). The label of a node is right in a sample if its two communities match.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
            A partition in the order of `nodes`, such as a point estimate.
        known : sequence of node ids, optional
            See `labelled`.

        Returns
        -------
        ndarray of float64, shape (n_nodes,)
            In [0, 1].

        Raises
        ------
        UsageError
            `labels` is not an integer array of this length, or a node is unknown.

        Examples
        --------
        >>> Posterior([[0, 0, 0, 1, 1], [1, 1, 0, 0, 0]]).confidence([0, 0, 0, 1, 1])
        array([1. , 1. , 0.5, 1. , 1. ])
        >>> Posterior([[0, 0, 0, 1, 1], [0, 1, 1, 0, 0]]).confidence([0, 0, 0, 1, 1], known=[0])
        array([1. , 0.5, 0.5, 0.5, 0.5])
        """
        right = np.zeros(self.samples.shape[1])
        positions = self._positions(known)
        first = Contingency.of(labels, self.samples[0])
        community = first.rows[first.cell]  # the same communities, numbered from 0
        for partition, weight in zip(*self._distinct, strict=True):
            match = np.full(int(partition.max(initial=-1)) + 1, -1)
            match[partition[positions]] = community[positions]
            free = (match[partition] < 0) & ~np.isin(community, community[positions])
            agrees = match[partition] == community
            table = Contingency.of(community[free], partition[free])
            agrees[free] = table.matched()[table.cell]
            right += weight * agrees
        return _rounded_to_one(right)

    def _expected_similarity(self, criterion: str, choice: IntArray) -> FloatArray:
        """Return the posterior mean of the similarity (-VI or AMI) to each partition of `choice`."""
        partitions, weights = self._distinct
        n = max(partitions.shape[1], 1)
        is_same = choice is partitions  # then each pair is computed once and used twice
        adjusted = _AdjustedInformation(choice, partitions) if criterion == "ami" else None
        expected = weights.copy() if is_same and adjusted is not None else np.zeros(len(choice))
        for s in range(len(choice)):
            for others, local in _local_vi(choice[s], partitions, s + 1 if is_same else 0):
                vi = local.sum(axis=1) / n
                value = -vi if adjusted is None else adjusted(s, others, vi)
                expected[s] += weights[others] @ value
                if is_same:
                    expected[others] += weights[s] * value
        return expected


class _AdjustedInformation:
    """Adjusted mutual information of partitions, computed from their variation of information.

    The correction for chance depends only on the cluster sizes, of which there are few distinct ones. It is computed
    once for each pair of sizes.
    """

    def __init__(self, first: IntArray, second: IntArray) -> None:
        n = first.shape[1]
        counts = [
            np.stack([np.bincount(np.bincount(row), minlength=n + 1)[1:] for row in rows]) for rows in (first, second)
        ]
        used = [np.flatnonzero(count.any(axis=0)) for count in counts]
        chance = chance_information(used[0] + 1, used[1] + 1, n)
        self.chance = counts[0][:, used[0]] @ chance @ counts[1][:, used[1]].T
        size = np.arange(1, n + 1)
        self.entropy = [count @ (-size / n * np.log(size / n)) for count in counts]

    def __call__(self, s: int, others: slice, vi: FloatArray) -> FloatArray:
        """Return the AMI of partition `s` of the first set with some partitions of the second set."""
        entropy = (self.entropy[0][s] + self.entropy[1][others]) / 2
        chance = self.chance[s, others]
        largest = np.where(vi > 0, entropy - chance, 1.0)
        return np.where(vi > 0, (entropy - vi / 2 - chance) / largest, 1.0)


def _local_vi(partition: IntArray, others: IntArray, first: int = 0) -> Iterator[tuple[slice, FloatArray]]:
    """Yield slices of `others`, from index `first` on, with each node's contribution to their VI with `partition`.

    With disjoint labels, many pairs of partitions fit into one contingency table without sharing a cell.
    """
    step = max(1, _CELLS // max(others.shape[1], 1))
    for start in range(first, len(others), step):
        part = others[start : start + step]
        repeated = np.broadcast_to(partition, part.shape)
        table = Contingency.of(_disjoint_labels(repeated).ravel(), _disjoint_labels(part).ravel())
        yield slice(start, start + len(part)), table.local_vi()[table.cell].reshape(part.shape)


def _rounded_to_one(probability: FloatArray) -> FloatArray:
    """Set probabilities that are 1 up to rounding errors to exactly 1, in place."""
    probability[probability > 1 - _ROUNDING] = 1.0
    return probability


def _disjoint_labels(partitions: IntArray) -> IntArray:
    """Relabel each row so that no two rows share a label."""
    n_labels = int(partitions.max(initial=0)) + 1
    return partitions + n_labels * np.arange(len(partitions), dtype=np.int64)[:, None]
