"""Modes of a posterior: groups of samples that are one partition each, up to the doubt about single nodes.

A posterior can hold answers that differ as a whole, such as two communities or four. Their average is none of them.
Here samples are divided into modes by the shortest description (Peixoto 2021). In a mode each node has a distribution
of labels; each sample draws the labels of all nodes independently, and then renames its communities. With the
distributions integrated out, a mode of M samples with B labels and N nodes has the description length

    sum over nodes i of [ log((M + B - 1)! / (B - 1)!) - sum over labels r of log n_ir! ] + log N
    + sum over samples s of log(B! / (B - B_s)!)

where n_ir is the number of samples in which node i has label r, and B_s the number of communities of sample s. Which
samples are in which of K modes costs log(S! / prod M_k!) + log binom(S - 1, K - 1) + log S for S samples. Samples are
renamed by the assignment that shortens this most.

Source: Peixoto, "Revealing consensus and dissensus between network partitions", Physical Review X 11, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln

from graphclust.metrics import rank_labels
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import counted

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Mode", "find_modes"]

_MOST_SWEEPS = 10


@dataclass(frozen=True, eq=False)
class Mode:
    """A part of a posterior whose samples agree but for single nodes.

    Attributes
    ----------
    weight : float
        Probability of the mode: the share of its samples.
    labels : ndarray of int64, shape (n_nodes,)
        The most frequent label of each node. Community 0 is the largest.
    confidence : ndarray of float64, shape (n_nodes,)
        Share of the mode's samples in which the node has this label.
    samples : ndarray of int64
        Positions of the mode's samples in the posterior.
    """

    weight: float
    labels: IntArray
    confidence: FloatArray
    samples: IntArray

    @property
    def n_clusters(self) -> int:
        """Number of communities."""
        return int(self.labels.max(initial=-1)) + 1

    def __repr__(self) -> str:
        samples = counted(len(self.samples), "sample")
        return f"Mode({counted(self.n_clusters, 'community')}, weight {self.weight:.3g}, {samples})"


class _Members:
    """The samples of a mode, renamed alike.

    Attributes
    ----------
    table : csr_array, shape (n_nodes, n_labels)
        How often each node has each label.
    renamed : dict
        Labels of each partition, by its number.
    """

    def __init__(self, n_nodes: int) -> None:
        from scipy.sparse import csr_array

        self.n_nodes = n_nodes
        self.table: csr_array[Any, Any] = csr_array((n_nodes, 0))
        self.renamed: dict[int, IntArray] = {}
        self.counts: dict[int, float] = {}

    @property
    def total(self) -> float:
        """Number of samples."""
        return sum(self.counts.values())

    def length(self, table: csr_array[Any, Any] | None = None, more: tuple[float, int] | None = None) -> float:
        """Return the description length, of another table and with one more partition, if these are given."""
        table = self.table if table is None else table
        rows = [(count, int(self.renamed[s].max()) + 1) for s, count in self.counts.items()]
        rows = rows if more is None else [*rows, more]
        total, width = sum(count for count, _ in rows), float(table.shape[1])
        if total <= 0:
            return 0.0
        value = self.n_nodes * (gammaln(total + width) - gammaln(width)) - gammaln(table.data + 1).sum()
        renaming = sum(count * (gammaln(width + 1) - gammaln(width - min(n, width) + 1)) for count, n in rows)
        return float(value + renaming + np.log(self.n_nodes))

    def joined(self, labels: IntArray, count: float) -> tuple[csr_array[Any, Any], IntArray]:
        """Return the table with one more partition, renamed so that this is shortest, and its new labels."""
        table = self.table
        one = _one_hot(labels, count)
        gain = table.copy()
        gain.data = gammaln(gain.data + count + 1) - gammaln(gain.data + 1) - gammaln(count + 1)
        worth = (_one_hot(labels, 1.0).T @ gain).toarray()  # of each label for each label of the mode
        rows, columns = linear_sum_assignment(worth, maximize=True)
        names = np.full(worth.shape[0], -1)
        names[rows] = columns
        new = names < 0
        names[new] = table.shape[1] + np.arange(int(new.sum()))
        renamed = names[labels]
        width = max(table.shape[1], int(renamed.max()) + 1)
        if not self.counts:
            return one, renamed
        wider = type(table)((table.data, table.indices, table.indptr), shape=(self.n_nodes, width))
        return wider + _one_hot(renamed, count, width), renamed

    def add(self, number: int, labels: IntArray, count: float) -> None:
        """Add a partition."""
        self.table, self.renamed[number] = self.joined(labels, count)
        self.counts[number] = count

    def remove(self, number: int) -> None:
        """Remove a partition."""
        table = self.table - _one_hot(self.renamed.pop(number), self.counts.pop(number), self.table.shape[1])
        table.data[table.data < 1e-9] = 0.0
        table.eliminate_zeros()
        used = np.flatnonzero(np.bincount(table.indices, minlength=table.shape[1]))
        names = np.full(table.shape[1], -1)
        names[used] = np.arange(len(used))
        self.table = table[:, used]
        self.renamed = {s: names[labels] for s, labels in self.renamed.items()}


def _one_hot(labels: IntArray, value: float, width: int | None = None) -> csr_array[Any, Any]:
    from scipy.sparse import csr_array

    n = len(labels)
    shape = n, int(labels.max()) + 1 if width is None else width
    return csr_array((np.full(n, value), labels, np.arange(n + 1)), shape=shape)


def _division(totals: list[float]) -> float:
    """Return the description length of the division into modes of these sizes."""
    sizes = np.array([total for total in totals if total > 0])
    everything, k = sizes.sum(), len(sizes)
    choice = gammaln(everything) - gammaln(k) - gammaln(max(everything - k, 0) + 1)
    return float(gammaln(everything + 1) - gammaln(sizes + 1).sum() + choice + np.log(everything))


class _Division:
    """Partitions divided into modes."""

    def __init__(self, partitions: IntArray, counts: FloatArray) -> None:
        self.partitions, self.counts = partitions, counts
        self.modes: list[_Members] = []

    def place(self, number: int) -> _Members:
        """Add a partition to the mode where the description is shortest, or a new one."""
        labels, count = self.partitions[number], float(self.counts[number])
        more = count, int(labels.max()) + 1
        totals = [mode.total for mode in self.modes]
        options = [*self.modes, _Members(len(labels))]
        lengths = []
        for k, mode in enumerate(options):
            added = [*totals, 0.0]
            added[k] += count
            lengths.append(mode.length(mode.joined(labels, count)[0], more) - mode.length() + _division(added))
        best = options[int(np.argmin(lengths))]
        if best is options[-1]:
            self.modes.append(best)
        best.add(number, labels, count)
        return best

    def settle(self) -> None:
        """Let each partition choose its mode again, until none moves."""
        for _ in range(_MOST_SWEEPS):
            n_moved = 0
            for number in range(len(self.partitions)):
                origin = next(mode for mode in self.modes if number in mode.counts)
                origin.remove(number)
                if not origin.counts:
                    self.modes.remove(origin)
                mode = self.place(number)
                n_moved += mode is not origin and not (len(origin.counts) == 0 and len(mode.counts) == 1)
            if n_moved == 0:
                break

    def merge(self) -> bool:
        """Merge two modes if this shortens the description; return whether it did."""
        totals = [mode.total for mode in self.modes]
        for i, one in enumerate(self.modes):
            for j in range(i + 1, len(self.modes)):
                other, both = self.modes[j], _Members(one.n_nodes)
                for mode in (one, other):
                    for number, count in mode.counts.items():
                        both.add(number, self.partitions[number], count)
                merged = [*(t for k, t in enumerate(totals) if k not in (i, j)), totals[i] + totals[j]]
                change = both.length() - one.length() - other.length() + _division(merged) - _division(totals)
                if change < -1e-9:
                    self.modes = [mode for mode in self.modes if mode is not one and mode is not other] + [both]
                    return True
        return False


def find_modes(partitions: IntArray, counts: FloatArray) -> list[tuple[float, IntArray, FloatArray, list[int]]]:
    """Divide partitions into modes.

    Parameters
    ----------
    partitions : ndarray of int64, shape (n_partitions, n_nodes)
        Different partitions, with labels 0, 1, ... without gaps, in the order in which they are placed.
    counts : ndarray of float64, shape (n_partitions,)
        How often each occurs.

    Returns
    -------
    list of (share, labels, confidence, numbers of the partitions)
        The largest mode first.
    """
    division = _Division(partitions, counts)
    for number in range(len(partitions)):
        division.place(number)
    division.settle()
    while division.merge():
        division.settle()
    rows: dict[bytes, tuple[float, IntArray, FloatArray, list[int]]] = {}
    for mode in division.modes:
        table = mode.table.tocsr()
        labels = rank_labels(np.asarray(table.argmax(axis=1)).reshape(1, -1))[0]
        confidence = np.asarray(table.max(axis=1).toarray()).ravel() / mode.total
        share, numbers = mode.total / float(counts.sum()), list(mode.counts)
        if (key := labels.tobytes()) in rows:  # the same answer, with doubt about other nodes
            before = rows[key]
            confidence = (confidence * share + before[2] * before[0]) / (share + before[0])
            share, numbers = share + before[0], numbers + before[3]
        rows[key] = share, labels, np.minimum(confidence, 1.0), sorted(numbers)
    return sorted(rows.values(), key=lambda row: (-row[0], row[3]))
