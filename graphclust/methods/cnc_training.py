"""Training of CNC's networks: several networks with different initial clusters minimise the expected normalized cut.

Networks with initial clusters first learn these by cross-entropy. All networks of a group train together, as the
leading axis of their parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from graphclust.methods.cnc_settings import GROUP_CELLS, SMALL_LAYER, Training
from graphclust.methods.cutter import Cutter
from graphclust.methods.embedding import PLATEAU
from graphclust.models.cnc import Affinity, FreeHead, GraphHead, Head, expected_normalized_cut, gumbel_softmax
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.progress import task
from graphclust.runtime.threads import one_thread
from graphclust.training.loops import Fleet

__all__ = ["Architecture", "Run", "Start", "Trainer", "all_logits", "best_of", "temperature"]

Start: TypeAlias = "tuple[str, IntArray | None]"  # kind, and initial clusters unless the weights are random

_EVALUATIONS = 20  # of the normalized cut in a fit
_MAX_WORK = 1e10  # multiplications in a step up to which all points are one batch
_BATCH = 1024
_PRETRAINING_STEPS = 200  # in which networks learn their initial clusters
_LEARNING_RATES = {"logits": 0.2, "mlp": 0.003, "gnn": 0.003}
_CONVERGED = 1e-3  # training ends if `decay` has reduced the learning rate to this fraction
_MIN_BATCH_NEIGHBORS = 3
_CHUNK = 8192  # points that a network processes at once


@dataclass(frozen=True)
class Architecture:
    """Shape of the clustering network.

    Attributes
    ----------
    kind : {"mlp", "gnn", "logits"}
    n_clusters : int
    hidden : sequence of int
    activation : {"relu", "tanh"}
    """

    kind: str
    n_clusters: int
    hidden: Sequence[int]
    activation: str

    def build(
        self, n_points: int, n_inputs: int, n_runs: int = 1, generator: torch.Generator | None = None
    ) -> Head | FreeHead:
        """Return networks with random weights."""
        if self.kind == "logits":
            return FreeHead(n_points, self.n_clusters, n_runs, generator)
        head = GraphHead if self.kind == "gnn" else Head
        return head((n_inputs, *self.hidden, self.n_clusters), n_runs, self.activation, generator)

    @property
    def width(self) -> int:
        """Size of the widest layer."""
        return self.n_clusters if self.kind == "logits" else max((self.n_clusters, *self.hidden))


@dataclass
class Run:
    """A network in its best state so far.

    Attributes
    ----------
    start : str
        Kind of the initial clusters.
    score : float
        The score of the labels, see `Cutter.score`.
    cut, expected_cut : float
        The normalized cut of the labels, and the expected one of the probabilities.
    final_score : float
        The criterion for the best network: `score`, or on tables the score after moves of single points.
    labels : ndarray of int64, shape (n,)
    weights : tuple of Tensor
    """

    start: str
    score: float = math.inf
    cut: float = math.inf
    expected_cut: float = math.inf
    final_score: float = math.inf
    labels: IntArray | None = None
    weights: tuple[Tensor, ...] = ()


class Batches(Protocol):
    """Batches of points with the affinities among them.

    Attributes
    ----------
    n_units, units_per_batch : int
        A unit is what a batch consists of: all points, a single point, or a piece of the graph.
    units_on_host : bool
        Whether `batch` takes units on the CPU.
    """

    n_units: int
    units_per_batch: int
    units_on_host: bool

    def batch(self, units: Tensor) -> tuple[Tensor | None, Affinity]:
        """Return the points of a batch, or None for all points, and their affinities."""
        ...


class SingleBatch:
    """All points as one batch; see `Batches`."""

    n_units = units_per_batch = 1
    units_on_host = False

    def __init__(self, affinity: Affinity) -> None:
        self._affinity = affinity

    def batch(self, units: Tensor) -> tuple[Tensor | None, Affinity]:
        """See `Batches.batch`."""
        return None, self._affinity


class PointBatches:
    """Random points of a table, with the graph of nearest neighbours among them; see `Batches`.

    Parameters
    ----------
    x : Tensor, shape (n, d)
    size : int
        Number of points in a batch.
    n_neighbors : int
    affinity : {"gaussian", "unit"}
    regularization : float
    """

    units_on_host = False

    def __init__(self, x: Tensor, size: int, n_neighbors: int, affinity: str, regularization: float) -> None:
        self.n_units, self.units_per_batch = len(x), size
        self._x, self._n_neighbors, self._affinity, self._regularization = x, n_neighbors, affinity, regularization

    def batch(self, units: Tensor) -> tuple[Tensor | None, Affinity]:
        """See `Batches.batch`."""
        v = self._x[units]
        distance = torch.cdist(v, v).square()
        distance.fill_diagonal_(math.inf)
        k = max(1, min(self._n_neighbors, len(v) - 1))
        near = distance.topk(k, largest=False)
        zeros = torch.zeros_like(distance)
        if self._affinity == "unit":
            directed = zeros.scatter_(1, near.indices, 1.0)
            return units, Affinity(torch.maximum(directed, directed.T), self._regularization)
        scale = near.values[:, -1].clamp_min(1e-12).sqrt()
        weight = torch.exp(-near.values / (scale[:, None] * scale[near.indices]))
        directed = zeros.scatter_(1, near.indices, weight)
        return units, Affinity((directed + directed.T) / 2, self._regularization)


class PieceBatches:
    """Pieces of a graph, with the edges among their nodes; see `Batches`.

    Parameters
    ----------
    pieces : ndarray of int64, shape (n,)
        Number of each node's piece. Pieces of more than `size` nodes are divided.
    size : int
        Approximate number of nodes in a batch.
    cutter : Cutter
    device : torch.device
    """

    units_on_host = True

    def __init__(self, pieces: IntArray, size: int, cutter: Cutter, device: torch.device) -> None:
        order = np.argsort(pieces, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(pieces))[:-1])
        self._members = [part for piece in members for part in np.array_split(piece, -(-len(piece) // size))]
        self._cutter, self._device = cutter, device
        self.n_units = len(self._members)
        self.units_per_batch = max(1, round(size * self.n_units / len(pieces)))

    def batch(self, units: Tensor) -> tuple[Tensor | None, Affinity]:
        """See `Batches.batch`."""
        nodes = np.concatenate([self._members[i] for i in units.tolist()])
        return torch.as_tensor(nodes).to(self._device, non_blocking=True), self._cutter.affinity(self._device, nodes)


@dataclass(frozen=True)
class Trainer:
    """Trains networks from all starts and chooses the best one.

    Attributes
    ----------
    architecture : Architecture
    training : Training
    max_epochs : int, optional
    cutter : Cutter
        Of the affinity graph.
    x : Tensor, shape (n, d), or None
        Input of the networks; None for logits.
    device : torch.device
    n_neighbors : int
        Number of neighbours in the affinity graph of a table.
    of_table : bool
        Whether the graph is that of a table. A batch then consists of random points and has its own graph of nearest
        neighbours. The best network is that with the least cut after moves of single points, a criterion for what the
        network has found rather than how well it draws the boundaries. On a given graph it is that with the least cut.
    """

    architecture: Architecture
    training: Training
    max_epochs: int | None
    cutter: Cutter
    x: Tensor | None
    device: torch.device
    n_neighbors: int = 0
    of_table: bool = False

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.cutter.degree)

    @property
    def n_inputs(self) -> int:
        """Number of inputs of the networks; 0 for logits."""
        return 0 if self.x is None else self.x.shape[1]

    @property
    def keeps_best(self) -> bool:
        """Whether the best state of each network is the result, rather than the last one."""
        return self.training.selection != "last"

    def train(self, starts: Sequence[Start], seed: int, pieces: IntArray | None = None) -> list[Run]:
        """Train networks in groups that fit into memory, and return them; only the best one has its weights.

        Parameters
        ----------
        starts : sequence of (str, labels or None)
        seed : int
        pieces : ndarray of int64, shape (n,), optional
            Pieces of a given graph, which make up batches. They are computed if they are needed and not given.
        """
        n = self.n_points
        group_size = max(1, GROUP_CELLS // (n * self.architecture.width))
        if not self.of_table and pieces is None and self._batch_size(min(group_size, len(starts))) < n:
            pieces = next(iter(self.cutter.pieces(seed)), np.arange(n))
        runs: list[Run] = []
        for i in range(0, len(starts), group_size):
            runs += self._train_group(starts[i : i + group_size], seed + i, pieces)
        for run in runs:
            assert run.labels is not None
            after_moves = self.of_table and self.keeps_best
            run.final_score = self.cutter.score(self.cutter.moved(run.labels, seed)) if after_moves else run.score
        best = best_of(runs)
        for run in runs:
            if run is not best:
                run.weights = ()
        return runs

    def head_of(self, run: Run) -> Head | FreeHead | None:
        """Return the network of a run on the CPU; None for logits."""
        if self.x is None:
            return None
        head = self.architecture.build(self.n_points, self.n_inputs)
        for parameter, weight in zip(head.parameters(), run.weights, strict=True):
            parameter.data = weight[None].cpu()
        return head

    def _batch_size(self, n_runs: int) -> int:
        """Return the number of points of a batch, which is n if all points are one batch."""
        n, wanted_size = self.n_points, self.training.batch_size
        if self.x is None:
            return min(wanted_size or n, n)
        layers = (self.n_inputs, *self.architecture.hidden, self.architecture.n_clusters)
        work = n_runs * n * sum(a * b for a, b in pairwise(layers))
        return min(wanted_size or (n if work <= _MAX_WORK else _BATCH), n)

    def _batches(self, n_runs: int, pieces: IntArray | None, affinity: Affinity) -> Batches:
        n, size = self.n_points, self._batch_size(n_runs)
        if size >= n:
            return SingleBatch(affinity)
        if pieces is not None:
            return PieceBatches(pieces, size, self.cutter, self.device)
        assert self.x is not None
        n_neighbors = self.training.batch_neighbors or max(_MIN_BATCH_NEIGHBORS, round(self.n_neighbors * size / n))
        return PointBatches(self.x, size, n_neighbors, self.training.affinity, self.cutter.regularization)

    def _train_group(self, starts: Sequence[Start], seed: int, pieces: IntArray | None) -> list[Run]:
        """Train networks at the same time, one for each start."""
        training, x, device = self.training, self.x, self.device
        generator = torch.Generator().manual_seed(seed)
        noise = torch.Generator(device=device).manual_seed(seed)
        head = self.architecture.build(self.n_points, self.n_inputs, len(starts), generator).to(device)
        affinity = self.cutter.affinity(device)
        initial = [labels for _, labels in starts]
        head.start_at(initial, x, self._neighbors(affinity))  # type: ignore[arg-type]
        batches = self._batches(len(starts), pieces, affinity)
        single = isinstance(batches, SingleBatch)
        n_epochs = self.max_epochs or (200 if single else 20)
        rate = training.learning_rate or _LEARNING_RATES[self.architecture.kind]
        rates = torch.full((len(starts),), rate, device=device)
        patience, shrink = (n_epochs, 1.0) if training.decay is None else (PLATEAU, training.decay)
        fleet = Fleet(list(head.parameters()), rates, patience=patience, shrink=shrink)
        runs = [Run(kind) for kind, _ in starts]

        has_labels = torch.tensor([float(labels is not None) for labels in initial], device=device)[:, None]
        zeros = np.zeros(self.n_points, dtype=np.int64)
        targets = torch.as_tensor(np.stack([zeros if labels is None else labels for labels in initial]), device=device)
        steps_per_epoch = -(-batches.n_units // batches.units_per_batch)
        n_pretraining = 0  # epochs
        if x is not None and any(labels is not None for labels in initial):
            n_pretraining = -(-_PRETRAINING_STEPS // steps_per_epoch)

        def loss(units: Tensor, epoch: int) -> Tensor:
            points, batch_affinity = batches.batch(units)
            if x is None:
                logits = head() if points is None else head()[:, points]
            else:
                logits = head(x if points is None else x[points], batch_affinity)
            if epoch < n_pretraining:
                target = targets if points is None else targets[:, points]
                entropy = torch.nn.functional.cross_entropy(logits.transpose(1, 2), target, reduction="none")
                return (entropy * has_labels).mean(1, keepdim=True).expand(-1, len(units))
            y = gumbel_softmax(logits.transpose(0, 1), temperature(training, epoch - n_pretraining, n_epochs), noise)
            return expected_normalized_cut(y, batch_affinity)[:, None].expand(-1, len(units))

        n_without_gain = 0
        interval = max(1, n_epochs // _EVALUATIONS)
        if self.keeps_best:
            self._evaluate(runs, head, affinity)
        is_small = len(starts) * self.n_points * self.architecture.width <= SMALL_LAYER
        with task("training", n_epochs) as advance, one_thread(is_small):
            for n_done, _ in enumerate(
                fleet.epochs(
                    n_pretraining + n_epochs,
                    batches.n_units,
                    batches.units_per_batch,
                    loss,
                    generator,
                    lambda epoch: epoch >= n_pretraining,
                    points_on_host=batches.units_on_host,
                ),
                start=1 - n_pretraining,
            ):
                if training.decay is None:
                    fleet.rates = rates * min(1, 1 - n_done / n_epochs)
                if n_done > 0:
                    advance()
                if n_done < 0 or (n_done % interval and n_done != n_epochs):
                    continue
                if self.keeps_best:
                    n_without_gain = 0 if self._evaluate(runs, head, affinity) else n_without_gain + 1
                converged = training.decay and float(fleet.rates.max()) < _CONVERGED * rate
                if n_without_gain >= training.patience or converged:
                    break
        if not self.keeps_best:
            self._evaluate(runs, head, affinity)
        return runs

    def _neighbors(self, affinity: Affinity) -> Affinity | None:
        """Return the affinities if the layers of the networks use neighbours."""
        return affinity if self.architecture.kind == "gnn" and self.x is not None else None

    def _evaluate(self, runs: Sequence[Run], head: Head | FreeHead, affinity: Affinity) -> bool:
        """Assign all points, and record networks whose cut is the lowest so far; return whether there are any."""
        with torch.no_grad():
            logits = all_logits(head, self.x, self._neighbors(affinity))
            labels = logits.argmax(2).cpu().numpy()
            expected = expected_normalized_cut(torch.softmax(logits, 2).transpose(0, 1), affinity).tolist()
        any_better = False
        for i, run in enumerate(runs):
            score = self.cutter.score(labels[i])
            if score < run.score or (score == run.score and expected[i] < run.expected_cut):
                any_better = any_better or score < run.score - 1e-6
                run.score, run.cut = score, self.cutter.value(labels[i])
                run.expected_cut, run.labels = expected[i], labels[i]
                if self.x is not None:
                    run.weights = tuple(parameter.detach()[i].clone() for parameter in head.parameters())
        return any_better


def best_of(runs: Sequence[Run]) -> Run:
    """Return the run with the lowest final score."""
    return min(runs, key=lambda run: run.final_score)


def temperature(training: Training, epoch: int, n_epochs: int) -> float:
    """Return the temperature of an epoch: it falls by the same factor in each epoch, then stays at its minimum."""
    first, last = training.temperature
    progress = min(1.0, epoch / max(1, training.annealing * n_epochs - 1))
    return float(first * (last / first) ** progress)


def all_logits(head: Head | FreeHead, x: Tensor | None, neighbors: Affinity | None) -> Tensor:
    """Return the logits of all points, shape (R, n, K), in chunks unless the layers use neighbours."""
    if x is None or neighbors is not None:
        logits: Tensor = head(x, neighbors)
        return logits
    return torch.cat([head(part, None) for part in x.split(_CHUNK)], dim=1)
