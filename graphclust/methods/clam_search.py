"""The search for memories: many configurations train side by side, and the best one is chosen without labels.

`CLAM` searches for memories of its number of clusters; the choice of that number (`graphclust.methods.clam_number`)
searches for more of them than there are clusters. Importing this module imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphclust.errors import UsageError
from graphclust.kernels.kmeans import fill_up
from graphclust.methods.clam_settings import CELLS, HIDDEN, TEMPERATURES, SearchSettings
from graphclust.methods.clam_starts import cluster_means, cluster_sizes, initial_error, initial_prototypes
from graphclust.methods.space import Space
from graphclust.models.clam import AssociativeMemory, Autoencoder
from graphclust.models.silhouette import Silhouette
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task
from graphclust.runtime.threads import one_thread
from graphclust.training.loops import Fleet

__all__ = ["Learned", "MemorySpace", "Run", "search"]

_EVALUATIONS = 10  # times in a fit that the silhouettes of all runs are computed
_HALVINGS = (2, 5)  # evaluations after which the worst runs stop
_CODER_RATE = 0.03  # learning rate of an autoencoder, relative to that of prototypes
_SMALL = 1 << 18  # numbers in the largest tensors up to which a second thread gains nothing


@dataclass(frozen=True)
class MemorySpace:
    """Where memories live: the space of the points, or that of their latents.

    Attributes
    ----------
    feature_space : Space
        The space of the points.
    origin : ndarray of float64, shape (1, d)
        Where prototypes drawn from N(0.1, 0.1) are centred.
    axes : ndarray of float64, shape (d, l), or None
        Initial axes of the latents; None without latents.
    """

    feature_space: Space
    origin: FloatArray
    axes: FloatArray | None = None

    def latents(self, z: Tensor) -> Tensor:
        """Return the initial latents of points in the space, or without latents the points."""
        return z if self.axes is None else z @ torch.as_tensor(self.axes).to(z)

    def autoencoder(self, z: Tensor, n_runs: int, generator: torch.Generator | None = None) -> Autoencoder | None:
        """Return untrained autoencoders with the device and precision of `z`; None without latents."""
        if self.axes is None:
            return None
        return Autoencoder(torch.as_tensor(self.axes).to(z), n_runs, HIDDEN, generator)

    def mask_value(self, z: Tensor, statistic: str) -> Tensor | None:
        """Return the values of masked coordinates.

        Parameters
        ----------
        z : Tensor, shape (n, d)
            Points, or their initial latents.
        statistic : {"mean", "min", "max", "zero"}

        Returns
        -------
        Tensor, shape (d,), or None
            None stands for zeros.
        """
        if statistic == "mean":
            mean = z.mean(0)
            return None if float(mean.abs().max()) < 1e-5 else mean
        if statistic == "zero":
            return self.latents(
                torch.as_tensor(self.feature_space.transform(np.zeros((1, len(self.feature_space.mean))))).to(z)
            )[0]
        return z.amin(0) if statistic == "min" else z.amax(0)


@dataclass
class Run:
    """A configuration, and the best state of its training.

    Attributes
    ----------
    beta, learning_rate : float
    init : str
        Kind of start.
    loss : float
        Lowest mean loss of an epoch.
    silhouette : float
        -inf without the required number of clusters.
    n_clusters : int
        Number of clusters that are large enough.
    prototypes : Tensor, shape (K, d), or None
        None before the first evaluation.
    weights : tuple of Tensor
        Parameters of the autoencoder.
    snapshots : dict
        Epoch -> prototypes, Tensor of shape (K, d).
    """

    beta: float
    learning_rate: float
    init: str
    loss: float = math.inf
    silhouette: float = -math.inf
    n_clusters: int = 0
    prototypes: Tensor | None = None
    weights: tuple[Tensor, ...] = ()
    snapshots: dict[int, Tensor] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return what users read about the configuration."""
        return {
            "beta": self.beta,
            "learning_rate": self.learning_rate,
            "init": self.init,
            "loss": self.loss,
            "silhouette": self.silhouette if math.isfinite(self.silhouette) else None,
            "n_clusters": self.n_clusters,
        }

    def memory(self, space: MemorySpace, z: Tensor, n_steps: int, step_size: float) -> AssociativeMemory:
        """Return the trained memory, with the device and precision of `z`."""
        assert self.prototypes is not None
        coder = space.autoencoder(z, 1)
        if coder is not None and self.weights:
            for parameter, trained in zip(coder.parameters(), self.weights, strict=True):
                parameter.data = trained[None].to(z)
        beta = torch.tensor([self.beta], dtype=z.dtype, device=z.device)
        return AssociativeMemory(self.prototypes[None].to(z), beta, n_steps, step_size, coder=coder)


@dataclass(frozen=True)
class Learned:
    """What a search found.

    Attributes
    ----------
    best : Run
        The chosen configuration.
    labels : ndarray of int64, shape (n,)
        The prototype of each point.
    runs : list of Run
        All configurations.
    notes : tuple of Note
    """

    best: Run
    labels: IntArray
    runs: list[Run]
    notes: tuple[Note, ...] = ()


def search(
    z: Tensor, k: int, space: MemorySpace, settings: SearchSettings, seed: int, *, centers: Tensor | None = None
) -> Learned:
    """Train memories of k prototypes with all configurations, and choose the best.

    Parameters
    ----------
    z : Tensor of float32, shape (n, d)
        Points in `space`, more than k of them distinct.
    k : int
        At least 2.
    space : MemorySpace
    settings : SearchSettings
    seed : int
    centers : Tensor, shape (k, d), optional
        A further start, which one more configuration per beta has.

    Raises
    ------
    UsageError
        The initial prototypes have another shape than (k, d).
    """
    return _Search(z, k, space, settings, seed).learn(centers)


class _Search:
    """The state of `search`, whose parameters it takes."""

    def __init__(self, z: Tensor, k: int, space: MemorySpace, settings: SearchSettings, seed: int) -> None:
        self.z, self.k, self.space, self.seed = z, k, space, seed
        self.latents = space.latents(z)
        self.settings, self.training = settings, settings.training
        self.by_loss = settings.training.select == "loss"
        self.batch_size = settings.batch_size(len(z))
        self.least = settings.smallest_cluster(len(z), k)
        error = initial_error(self.latents, k, seed)
        self.unit = math.sqrt(error / self.latents.shape[1])  # of learning rates
        self.betas = [beta / error for beta in TEMPERATURES] if self.training.betas is None else self.training.betas
        self.notes: list[Note] = []

    def learn(self, centers: Tensor | None) -> Learned:
        """Run the search."""
        merged = None if centers is None else self.space.latents(centers)
        runs = self.configurations(merged is not None)
        rng = np.random.default_rng(self.seed)
        sample = self.draw_sample(rng)
        self.sample = self.z[torch.as_tensor(sample, device=self.z.device)]
        self.least_in_sample = max(1, self.least * len(sample) // len(self.z))
        self.silhouette = Silhouette(self.sample)
        work = self.k**2 * self.batch_size + self.coder_size()
        group = max(1, CELLS // (work + self.k**2 * self.latents.shape[1]))
        groups = [runs[i : i + group] for i in range(0, len(runs), group)]
        is_small = work * min(group, len(runs)) <= _SMALL
        with task("training", len(groups) * self.settings.max_epochs) as advance, one_thread(is_small):
            for members in groups:
                start = self.start(members, rng, merged)
                generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
                for _ in self.train(members, start, generator):
                    advance()
        best, labels = self.best_of(runs)
        return Learned(best, labels, runs, tuple(self.notes))

    def configurations(self, has_merged: bool) -> list[Run]:
        """List every beta with every kind of start, `n_init` times; the learning rates take turns."""
        unit = self.unit if self.training.learning_rate is None else 1.0
        rates = [unit * rate for rate in self.training.learning_rates]
        runs = [
            Run(beta, rates[(restart + i) % len(rates)], kind)
            for restart in range(self.settings.n_init)
            for i, kind in enumerate(self.settings.inits)
            for beta in self.betas
        ]
        if has_merged:
            runs += [Run(beta, runs[0].learning_rate, "merged") for beta in dict.fromkeys(self.betas)]
        return runs

    def coder_size(self) -> int:
        """Count the numbers of an autoencoder and its activations, for one run."""
        if self.space.axes is None:
            return 0
        return (self.batch_size + 4 * HIDDEN) * (self.z.shape[1] + HIDDEN)

    def draw_sample(self, rng: np.random.Generator) -> IntArray:
        """Draw the points on which silhouettes are computed."""
        n, limit = len(self.z), self.training.silhouette_sample
        if n <= limit:
            return np.arange(n)
        message = f"computed silhouettes on a sample of {limit:,} of {n:,} points"
        self.notes.append(Note("sampled-silhouette", message, {"n_sampled": limit}, is_detail=True))
        sample: IntArray = np.sort(rng.permutation(n)[:limit])
        return sample

    def start(self, runs: list[Run], rng: np.random.Generator, merged: Tensor | None) -> Tensor:
        """Return the prototypes at which runs start, shape (R, K, d)."""
        if self.settings.has_prototypes:
            shape = (self.k, len(self.space.feature_space.mean))
            if self.settings.init.shape != shape:
                raise UsageError(f"init has the shape {self.settings.init.shape}, not {shape}")
            table = self.space.feature_space.single(np.asarray(self.settings.init, dtype=np.float64))
            prototypes = self.space.latents(torch.as_tensor(table).to(self.z))
            return prototypes.expand(len(runs), -1, -1).clone()
        origin = self.space.latents(torch.as_tensor(self.space.origin).to(self.z))
        kinds = [run.init for run in runs]
        return initial_prototypes(self.latents, self.k, kinds, rng, origin=origin, merged=merged)

    # ---------------------------------------------------------------- training

    def train(self, runs: list[Run], start: Tensor, generator: torch.Generator) -> Iterator[int]:
        """Train a group of runs, yielding after each epoch; each run keeps its best state."""
        training, n_epochs = self.training, self.settings.max_epochs
        memory = AssociativeMemory(
            start,
            torch.tensor([run.beta for run in runs], dtype=self.z.dtype, device=self.z.device),
            training.n_steps,
            training.step_size,
            on_sphere=self.space.feature_space.on_sphere,
            coder=self.space.autoencoder(self.z, len(runs), generator),
        ).to(self.z.device)
        rates = torch.tensor([run.learning_rate for run in runs], dtype=self.z.dtype, device=self.z.device)
        parameters = list(memory.parameters())
        fleet = Fleet(parameters, rates, [1.0] + [_CODER_RATE / self.unit] * (len(parameters) - 1))
        objective = _Objective(self, memory, generator)
        self.record(runs, memory, 0)
        interval = max(1, n_epochs // _EVALUATIONS)
        epochs = fleet.epochs(
            n_epochs, len(self.z), self.batch_size, objective.loss, generator, objective.is_comparable
        )
        for epoch in epochs:
            self.record(runs, memory, epoch + 1)
            evaluation, rest = divmod(epoch + 1, interval)
            halving = rest == 0 and evaluation in _HALVINGS and training.keep < 1
            if epoch + 1 < n_epochs and rest == 0 and (halving or not self.by_loss):
                self.evaluate(runs, memory)
                if halving:
                    _copy_losses(runs, fleet)
                    runs = self.drop_worst(runs, memory, fleet)
            yield epoch
        _copy_losses(runs, fleet)
        if not self.by_loss:
            self.evaluate(runs, memory)
        with torch.no_grad():
            for parameter, best in zip(memory.parameters(), fleet.best, strict=True):
                parameter.copy_(best)
        self.evaluate(runs, memory)

    def record(self, runs: list[Run], memory: AssociativeMemory, epoch: int) -> None:
        """Record the prototypes if a snapshot of this epoch is wanted."""
        if epoch in self.training.snapshots:
            for run, prototypes in zip(runs, memory.decode(memory.prototypes).detach().cpu(), strict=True):
                run.snapshots[epoch] = prototypes.clone()

    def evaluate(self, runs: list[Run], memory: AssociativeMemory) -> None:
        """Compute the silhouettes of all runs; those that improved keep their present state."""
        labels = memory.assign(self.sample)
        silhouettes = self.silhouette(labels, self.k).tolist()
        n_clusters = (cluster_sizes(labels, self.k) >= self.least_in_sample).sum(1).tolist()
        prototypes = memory.prototypes.detach()
        for i, run in enumerate(runs):
            silhouette = silhouettes[i] if n_clusters[i] == self.k else -math.inf
            is_better = silhouette > run.silhouette or run.prototypes is None or n_clusters[i] > run.n_clusters
            if self.by_loss or is_better:
                run.silhouette, run.n_clusters = silhouette, n_clusters[i]
                run.prototypes = prototypes[i].clone()
                if memory.coder is not None:
                    run.weights = tuple(parameter.detach()[i].clone() for parameter in memory.coder.parameters())

    def drop_worst(self, runs: list[Run], memory: AssociativeMemory, fleet: Fleet) -> list[Run]:
        """Stop the worst runs; return those that continue."""
        best = sorted(range(len(runs)), key=lambda i: self.sort_key(runs[i]), reverse=True)
        best = sorted(best[: max(1, math.ceil(self.training.keep * len(runs)))])
        remaining = torch.tensor(best, device=memory.beta.device)
        fleet.keep(remaining)
        for name, parameter in zip([name for name, _ in memory.named_parameters()], fleet.parameters, strict=True):
            module, _, attribute = name.rpartition(".")
            setattr(memory.get_submodule(module), attribute, parameter)
        memory.beta = memory.beta[remaining]
        return [runs[i] for i in best]

    # ---------------------------------------------------------------- the best run

    def sort_key(self, run: Run) -> tuple[float, ...]:
        """Return the criterion by which runs are sorted; larger is better."""
        if self.by_loss:
            return (run.n_clusters, -run.loss)
        return (run.silhouette, run.n_clusters, -run.loss)

    def best_of(self, runs: list[Run]) -> tuple[Run, IntArray]:
        """Return the best run with k clusters, and its labels; if there is none, repair the best one."""
        ranked = sorted(runs, key=self.sort_key, reverse=True)
        clusters = f"{self.k} clusters" if self.least == 1 else f"{self.k} clusters of at least {self.least} points"
        for allowed in dict.fromkeys((self.least, 1)):
            for run in ranked:
                if allowed == self.least and run.n_clusters != self.k:
                    continue
                labels = self.assign(run)
                if int(cluster_sizes(labels[None], self.k).min()) >= allowed:
                    if allowed < self.least:
                        message = f"no configuration has {clusters}: allowed smaller ones"
                        self.notes.append(Note("small-clusters", message, {"min_size": self.least}))
                        run.n_clusters = self.k
                    return run, labels.cpu().numpy()
                run.n_clusters = min(run.n_clusters, self.k - 1)  # in the sample, but not among all points
        message = f"no configuration has {clusters}: moved empty prototypes to points far from all others"
        self.notes.append(Note("empty-clusters", message))
        run = max(ranked, key=lambda run: run.n_clusters)
        return run, self.repair(run)

    def repair(self, run: Run) -> IntArray:
        """Move empty prototypes to points far from all others until there are k clusters; return the labels."""
        assert run.prototypes is not None
        beta = run.beta
        for _ in range(4 * self.k):
            labels = self.assign(run)
            if int(cluster_sizes(labels[None], self.k).min()) > 0:
                assigned: IntArray = labels.cpu().numpy()
                return assigned
            run.beta = max(run.beta, 1e4 * beta)  # prototypes that merged have separate basins again
            labels = self.assign(run)
            latents = self.encode(run)
            distance = (latents - run.prototypes[labels]).square().sum(1)
            sizes = cluster_sizes(labels[None], self.k)[0]
            if int(sizes.min()) == 0:
                run.prototypes[int((sizes == 0).int().argmax())] = latents[int(distance.argmax())]
        filled = fill_up(self.z.cpu().numpy(), self.assign(run).cpu().numpy(), self.k)
        run.prototypes = cluster_means(self.encode(run), torch.as_tensor(filled, device=self.z.device), self.k)
        return filled

    def memory_of(self, run: Run) -> AssociativeMemory:
        """Return the memory that a run has learned."""
        return run.memory(self.space, self.z, self.training.n_steps, self.training.step_size)

    def assign(self, run: Run) -> Tensor:
        """Return the prototype of each point, int64, shape (n,)."""
        return self.memory_of(run).assign(self.z)[0]

    def encode(self, run: Run) -> Tensor:
        """Return the points, or their latents, shape (n, l)."""
        return self.memory_of(run).encode(self.z).detach().reshape(len(self.z), -1)


class _Objective:
    """The loss of a group of runs, and the masks of its epochs.

    Parameters
    ----------
    state : _Search
    memory : AssociativeMemory
    generator : Generator
        Of the CPU: it draws the masks, so that they are the same on every device.
    """

    def __init__(self, state: _Search, memory: AssociativeMemory, generator: torch.Generator) -> None:
        self.z, self.memory, self.generator = state.z, memory, generator
        self.masking, self.mask_rate = state.training.masking, state.training.mask_rate
        self.mask_value = state.space.mask_value(state.latents, state.training.mask_value)
        self.shared_mask: tuple[int, Tensor] | None = None  # the last epoch with a shared mask, and the mask

    def loss(self, points: Tensor, epoch: int) -> Tensor:
        """Return the loss of points of the batch, by their numbers, under each run, shape (R, B)."""
        if self.masking is None:
            return self.memory.loss(self.z[points])
        if not self.is_shared(epoch):
            return self.memory.loss(self.z[points], self.draw_mask(len(points)), self.mask_value)
        if self.shared_mask is None or self.shared_mask[0] != epoch:
            self.shared_mask = epoch, self.draw_mask(1)
        return self.memory.loss(self.z[points], self.shared_mask[1], self.mask_value)

    def is_shared(self, epoch: int) -> bool:
        """Whether all points of an epoch have the same mask."""
        return self.masking == "shared" or (self.masking == "mixed" and epoch % 3 == 2)

    def is_comparable(self, epoch: int) -> bool:
        """Whether the loss of an epoch says how good memories are; it depends on the mask if that is a shared one."""
        return self.masking != "mixed" or not self.is_shared(epoch)

    def draw_mask(self, rows: int) -> Tensor:
        """Draw masks, 1 for masked, shape (rows, d); at least one coordinate of each row is masked."""
        drawn = torch.rand(rows, self.memory.raw.shape[2], generator=self.generator)
        mask = ((drawn < self.mask_rate) | (drawn == drawn.amin(1, keepdim=True))).float()
        return mask.to(self.z.device, self.z.dtype, non_blocking=True)


def _copy_losses(runs: Sequence[Run], fleet: Fleet) -> None:
    """Copy the lowest loss of each run; only when it is needed, because this waits for the GPU."""
    for run, lowest in zip(runs, fleet.loss.tolist(), strict=True):
        run.loss = lowest
