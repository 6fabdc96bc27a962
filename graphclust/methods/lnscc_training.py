"""Training of LNSCC: the embedding network learns from contrasts, and the head on top of it from its own outputs."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphclust.graph import Graph
from graphclust.methods.lnscc_settings import Training, steps_of_epoch
from graphclust.methods.lnscc_starts import initial_clusters, teach
from graphclust.models.lnscc import Contrast, balance, clustering_loss, worst_shift
from graphclust.nn.parallel import ParallelMLP, through
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task
from graphclust.training.loops import SGD, Adam, Fleet

__all__ = ["EtaSchedule", "Objective", "Stage", "Trained", "train"]

_STEP_RANGE = (1000, 4000)  # of a training; between the bounds, as many steps as points
_ITERATIONS = 800  # of eq. (19) in the training with the head, unless an iteration is a step
_EMBEDDING_ALONE = 0.75  # fraction of the epochs in which the head does not learn
_FEW_CHANGES = 1e-3  # fraction of the points that change their cluster in an epoch, below which training may stop
_SNAPSHOTS_PER_STAGE = 8  # more than there are stages, as training may stop early
_STAGE_POINTS = 2000  # of a figure
_MOMENTUM, _WEIGHT_DECAY = 0.9, 5e-4  # of SGD, as published


@dataclass(frozen=True)
class Stage:
    """A stage of the training for figures.

    Attributes
    ----------
    epoch : int
    points : ndarray of int64, shape (m,)
        Indices of the points.
    z : ndarray of float64, shape (m, d)
        The embedded points.
    labels : ndarray of int64, shape (m,)
        Their clusters.
    """

    epoch: int
    points: IntArray
    z: FloatArray
    labels: IntArray


@dataclass(frozen=True)
class Trained:
    """Result of the training.

    Attributes
    ----------
    network, head : ParallelMLP
        Maps from points to the embedding, and from there to logits of the clusters.
    stages : list of Stage
        Their labels are the outputs of the head.
    details : dict
    """

    network: ParallelMLP
    head: ParallelMLP
    stages: list[Stage]
    details: dict[str, Any]


class EtaSchedule:
    """The weight eta of the clustering loss in each step, eq. (19).

    Parameters
    ----------
    training : Training
    first_epoch : int
        The head does not learn before this epoch.
    n_epochs : int
    n_steps : int
        Number of steps in an epoch.
    """

    def __init__(self, training: Training, first_epoch: int, n_epochs: int, n_steps: int) -> None:
        self.delta, self.xi = training.delta, training.xi
        self.by_step = training.eta_grows == "step"
        self.first_epoch, self.n_epochs, self.n_steps = first_epoch, n_epochs, n_steps
        self._head_steps = 0  # in which the head has learned

    def at(self, epoch: int) -> float:
        """Return the weight at the beginning of an epoch."""
        if epoch < self.first_epoch:
            return 0.0
        n_done = epoch - self.first_epoch
        if self.by_step:
            return balance(n_done * self.n_steps, self.delta, self.xi)
        iteration = n_done * _ITERATIONS // max(self.n_epochs - self.first_epoch, 1)
        return balance(iteration, self.delta, self.xi)

    def next_step(self, epoch: int) -> float:
        """Return the weight of the next step, which belongs to this epoch."""
        if epoch < self.first_epoch or not self.by_step:
            return self.at(epoch)
        self._head_steps += 1
        return balance(self._head_steps - 1, self.delta, self.xi)

    def is_full(self, epoch: int) -> bool:
        """Return whether the weight no longer grows at the beginning of an epoch."""
        return self.at(epoch) >= min(self.xi, self.delta * _ITERATIONS)


class _EarlyStopping:
    """Stops the training when few points change their cluster for `patience` epochs in a row; never if it is None."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self._labels: Tensor | None = None
        self._n_stable = 0  # epochs

    def after_epoch(self, network: ParallelMLP, head: ParallelMLP, x: Tensor) -> bool:
        """Compare the clusters with those of the last epoch, and return whether training may stop."""
        if self.patience is None:
            return False
        labels = through(head, through(network, x)).argmax(1)
        changed = 1.0 if self._labels is None else float((labels != self._labels).float().mean())
        self._labels, self._n_stable = labels, self._n_stable + 1 if changed < _FEW_CHANGES else 0
        return self._n_stable >= self.patience


class Objective:
    """The loss of a step: the contrasts of a batch of edges, and the clustering loss of their ends, eq. (19).

    Attributes
    ----------
    contrast_sum : Tensor, shape ()
        Sum of the contrastive losses of the steps so far; the caller resets it.
    prior : Tensor, shape (K,), or None
        Shares of the initial clusters.
    """

    def __init__(
        self,
        training: Training,
        network: ParallelMLP,
        head: ParallelMLP,
        x: Tensor,
        contrast: Contrast,
        generator: torch.Generator,
        seed: int,
    ) -> None:
        self.noise, self.adversarial, self.gamma = training.noise, training.adversarial, training.gamma
        self.network, self.head, self.x, self.contrast = network, head, x, contrast
        self.generator = generator
        self.contrast_sum = torch.zeros((), device=x.device)
        self.prior: Tensor | None = None
        self._noise_generator = torch.Generator(device=x.device).manual_seed(seed)
        self._reach = contrast.reach(x) if self.adversarial else None

    def __call__(self, size: int, eta: float) -> Tensor:
        """Return the loss of a batch of edges, shape (); eta is the weight of the clustering loss."""
        batch = self.contrast.draw(size, self.generator)
        points = self.x[batch.nodes]
        inputs = points
        if self.noise:
            inputs = points + self.noise * torch.empty_like(points).normal_(generator=self._noise_generator)
        z = self.network(inputs)[0]
        value = self.contrast.loss(z, batch, self.generator)
        self.contrast_sum.add_(value.detach())
        if eta and self._reach is not None:
            value = value + eta * self._adversarial_loss(points, self.adversarial * self._reach[batch.nodes])
        elif eta:
            value = value + eta * clustering_loss(torch.log_softmax(self.head(z)[0], 1), self.gamma, self.prior)
        return value

    def _log_u(self, points: Tensor) -> Tensor:
        return torch.log_softmax(self.head(self.network(points)[0])[0], 1)

    def _adversarial_loss(self, points: Tensor, radius: Tensor) -> Tensor:
        """Return the clustering loss of points that are moved to where their cluster is least certain."""
        with torch.no_grad():
            log_u = self._log_u(points)
        moved = points + worst_shift(self._log_u, points, log_u, radius, self._noise_generator)
        return clustering_loss(self._log_u(moved), self.gamma, self.prior, log_u)


class _StageRecorder:
    """Records stages of the training for figures, evenly spread over the epochs.

    Parameters
    ----------
    n_stages, n_epochs : int
    """

    def __init__(self, n_stages: int, n_epochs: int) -> None:
        self.n_stages = n_stages
        n_snapshots = _SNAPSHOTS_PER_STAGE * (n_stages - 1) + 1
        self._epochs = {round(i) for i in np.linspace(n_epochs, 0, n_snapshots)} if n_stages else set()
        self._stages: list[Stage] = []

    def after_epoch(self, n_done: int, network: ParallelMLP, head: ParallelMLP, x: Tensor) -> None:
        """Record a stage if this epoch is one of those to be recorded."""
        if n_done not in self._epochs or any(stage.epoch == n_done for stage in self._stages):
            return
        points = np.linspace(0, len(x) - 1, min(_STAGE_POINTS, len(x))).astype(np.int64)
        z = through(network, x[points])
        labels = through(head, z).argmax(1)
        self._stages.append(Stage(n_done, points, z.double().cpu().numpy(), labels.cpu().numpy()))

    def finish(self, n_done: int, network: ParallelMLP, head: ParallelMLP, x: Tensor) -> list[Stage]:
        """Record the last epoch, wherever training stopped, and return the stages."""
        if not self.n_stages:
            return []
        self._epochs.add(n_done)
        self.after_epoch(n_done, network, head, x)
        recorded = np.array([stage.epoch for stage in self._stages])
        nearest = [int(np.abs(recorded - epoch).argmin()) for epoch in np.linspace(n_done, 0, self.n_stages)]
        return [self._stages[i] for i in sorted(set(nearest))]


def train(
    x: Tensor,
    contrast: Contrast,
    settings: SimpleNamespace,
    layers: tuple[int, ...],
    n_clusters: int,
    seed: int,
    graph: Graph | None = None,
) -> Trained:
    """Train the embedding network and its head.

    Parameters
    ----------
    x : Tensor, shape (n, d)
    contrast : Contrast
    settings : SimpleNamespace
        The settings of `LNSCC`.
    layers : tuple of int
        Sizes of the hidden layers of the embedding network.
    n_clusters, seed : int
    graph : Graph, optional
        See `initial_clusters`.
    """
    training: Training = settings.training
    n = len(x)
    generator = torch.Generator().manual_seed(seed)
    network = ParallelMLP((x.shape[1], *layers, settings.embedding_dim), generator=generator).to(x.device)
    head = ParallelMLP((settings.embedding_dim, *training.head_hidden, n_clusters), generator=generator).to(x.device)
    size = min(training.batch_size, n)
    n_steps = steps_of_epoch(n, training.batch_size)
    fewest, most = _STEP_RANGE
    n_epochs = settings.max_epochs or -(-min(max(n, fewest), most) // n_steps)
    first_epoch = 0 if settings.start == "random" else max(1, round(_EMBEDDING_ALONE * n_epochs))
    rate = torch.tensor([training.learning_rate], device=x.device)
    rule = Adam() if training.optimizer == "adam" else SGD(_MOMENTUM, _WEIGHT_DECAY)
    fleet = Fleet([*network.parameters(), *head.parameters()], rate, patience=n_epochs, rule=rule)
    objective = Objective(training, network, head, x, contrast, generator, seed)
    eta = EtaSchedule(training, first_epoch, n_epochs, n_steps)
    details: dict[str, Any] = {"start": settings.start}
    recorder = _StageRecorder(settings.n_stages, n_epochs)
    stopping = _EarlyStopping(training.patience)

    def loss(index: Tensor, epoch: int) -> Tensor:
        repeated: Tensor = objective(size, eta.next_step(epoch)).expand(1, len(index))
        return repeated

    recorder.after_epoch(0, network, head, x)
    with task("training", n_epochs) as advance:
        for epoch in fleet.epochs(n_epochs, n_steps * size, size, loss, generator, points_on_host=True):
            n_done = epoch + 1
            contrast_sum = objective.contrast_sum.clone()
            objective.contrast_sum.zero_()
            if training.rate_falls:
                fleet.rates = rate * (1 - n_done / n_epochs)
            if n_done == first_epoch:
                z = through(network, x)
                labels, start_details = initial_clusters(z, graph, settings.start, n_clusters, seed)
                teach(head, z, labels, seed)
                objective.prior = torch.bincount(labels, minlength=n_clusters) / n
                details |= start_details
            recorder.after_epoch(n_done, network, head, x)
            advance()
            if n_done > first_epoch and eta.is_full(n_done) and stopping.after_epoch(network, head, x):
                break
    details |= {"contrastive_loss": float(contrast_sum) / n_steps, "epochs": n_done, "steps": n_done * n_steps}
    return Trained(network, head, recorder.finish(n_done, network, head, x), details)
