"""Learned spaces in which similar points are close: the code of an autoencoder, and the space of a Siamese network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphclust.kernels.neighbors import nearest_neighbors
from graphclust.runtime.progress import task

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graphclust.nn.parallel import ParallelMLP

__all__ = ["PLATEAU", "Encoder", "train_autoencoder", "train_siamese"]

PLATEAU = 5  # epochs without a lower loss after which `decay` applies
_MIN_STEPS = 20  # of an epoch
_LEARNING_RATE = 1e-3
_CODE_BATCH = 256
_SIAMESE_BATCHES = {"contrastive": (256, 1), "cross-entropy": (1024, 5)}  # points, and negative pairs of each


@dataclass(frozen=True)
class Encoder:
    """A learned map from features to another space.

    Attributes
    ----------
    network : ParallelMLP
    loss : float
        The lowest mean loss of an epoch.
    scale : float
        Divisor of the features before they enter the network.
    """

    network: ParallelMLP
    loss: float
    scale: float = 1.0

    def encode(self, x: Tensor) -> Tensor:
        """Map points of shape (n, d) to shape (n, size of the last layer)."""
        from graphclust.nn.parallel import through

        return through(self.network, x / self.scale)


def _train(
    module: torch.nn.Module,
    loss: Callable[[Tensor], Tensor],
    n: int,
    *,
    name: str,
    max_epochs: int,
    batch_size: int,
    generator: torch.Generator,
    decay: float | None = None,
    keep_last: bool = False,
    points_on_host: bool = False,
) -> float:
    """Train a module with Adam, and return the lowest mean loss of an epoch.

    Parameters
    ----------
    module : Module
        Ends with the parameters of the best epoch, or of the last one if `keep_last`.
    loss : callable
        Maps points, int64, shape (B,), to their losses, shape (1, B).
    n : int
        Number of points.
    name : str
        Title of the progress bar.
    max_epochs, batch_size : int
    generator : Generator
    decay : float, optional
        Factor of the learning rate if the loss has not fallen for 5 epochs. By default the rate falls linearly to 0.
    keep_last : bool
    points_on_host : bool
        See `Fleet.epochs`.
    """
    import torch

    from graphclust.training.loops import Fleet

    parameters = list(module.parameters())
    rate = torch.tensor([_LEARNING_RATE], device=parameters[0].device)
    patience, shrink = (max_epochs, 1.0) if decay is None else (PLATEAU, decay)
    fleet = Fleet(parameters, rate, patience=patience, shrink=shrink)
    with task(name, max_epochs) as advance:
        for epoch in fleet.epochs(
            max_epochs,
            max(n, _MIN_STEPS * batch_size),
            batch_size,
            lambda draws, _: loss(draws % n),
            generator,
            points_on_host=points_on_host,
        ):
            if decay is None:
                fleet.rates = rate * (1 - (epoch + 1) / max_epochs)
            advance()
    if not keep_last:
        with torch.no_grad():
            for parameter, best in zip(parameters, fleet.best, strict=True):
                parameter.copy_(best)
    return float(fleet.loss)


def train_autoencoder(x: Tensor, layers: Sequence[int], *, max_epochs: int, seed: int = 0) -> Encoder:
    """Train an autoencoder (`graphclust.models.siamese.DeepAutoencoder`), and return its encoder.

    Parameters
    ----------
    x : Tensor, shape (n, d)
    layers : sequence of int
        Sizes of the layers, of which the last one is the code.
    max_epochs : int
    seed : int
    """
    import torch

    from graphclust.models.siamese import DeepAutoencoder

    generator = torch.Generator().manual_seed(seed)
    coder = DeepAutoencoder(x.shape[1], layers[:-1], layers[-1], generator).to(x.device)
    lowest_loss = _train(
        coder,
        lambda points: coder.loss(x[points]),
        len(x),
        name="autoencoder",
        max_epochs=max_epochs,
        batch_size=min(_CODE_BATCH, len(x)),
        generator=generator,
    )
    return Encoder(coder.encoder, lowest_loss)


def train_siamese(
    x: Tensor,
    layers: Sequence[int],
    n_neighbors: int,
    *,
    n_steps: int,
    loss: str = "contrastive",
    batch_size: int | None = None,
    noise: float = 0.0,
    decay: float | None = None,
    keep_last: bool = False,
    seed: int = 0,
) -> Encoder:
    """Train a Siamese network: neighbours are positive pairs, and other points negative pairs (section 4.2).

    A batch consists of points and a neighbour of each. Every distinct point goes through the network once. Each point
    makes a positive pair with its neighbour, and negative pairs with other points of the batch.

    Parameters
    ----------
    x : Tensor, shape (n, d)
    layers : sequence of int
        Sizes of the layers.
    n_neighbors : int
        Below n.
    n_steps : int
        Training steps, rounded up to whole epochs of at least 20 steps.
    loss : {"contrastive", "cross-entropy"}
    batch_size : int, optional
        By default 1024, and 256 with the contrastive loss.
    noise : float
        Standard deviation of the noise that is added to the features in each step, in units of their own standard
        deviation. It makes the embedding of new points more like that of the training points.
    decay : float, optional
        Factor of the learning rate if the loss has not fallen for 5 epochs. By default the rate falls linearly to 0.
    keep_last : bool
        Whether the network keeps its last state rather than that of the epoch with the lowest loss.
    seed : int
    """
    import torch

    from graphclust.models.siamese import contrastive_loss, cross_entropy_loss
    from graphclust.nn.parallel import ParallelMLP

    pair_loss = {"contrastive": contrastive_loss, "cross-entropy": cross_entropy_loss}[loss]
    default_batch, n_negative = _SIAMESE_BATCHES[loss]
    full_batch = batch_size or default_batch
    steps_per_epoch = max(_MIN_STEPS, len(x) // full_batch)
    batch_size = min(full_batch, len(x))
    index, _ = nearest_neighbors(x.cpu().numpy(), n_neighbors, device=str(x.device))
    near = torch.as_tensor(index)
    scale = float((x - x.mean(0)).square().sum(1).mean().sqrt().clamp_min(1e-12)) / x.shape[1] ** 0.5
    z = x / scale
    generator = torch.Generator().manual_seed(seed)
    network = ParallelMLP((x.shape[1], *layers), generator=generator).to(x.device)
    noise_generator = torch.Generator(device=x.device).manual_seed(seed)
    shifts = range(1, 1 + min(n_negative, batch_size - 1))

    def batch_loss(points: Tensor) -> Tensor:
        """Return the loss of points, int64 on the CPU, shape (B,), where the number of distinct ones is needed."""
        column = torch.randint(near.shape[1], (len(points),), generator=generator)
        distinct, place = torch.unique(torch.cat((points, near[points, column])), return_inverse=True)
        others = torch.stack([points.roll(shift) for shift in shifts])  # (shifts, B)
        wrong = (near[points] == others[..., None]).any(2) | (points == others)  # negative pairs that are neighbours
        distinct, place, wrong = (t.to(x.device, non_blocking=True) for t in (distinct, place, wrong))
        inputs = z[distinct]
        if noise:
            inputs = inputs + noise * torch.empty_like(inputs).normal_(generator=noise_generator)
        v = network(inputs)[:, place]
        own, close = v[:, : len(points)], v[:, len(points) :]
        positive = torch.ones(len(points), dtype=torch.bool, device=x.device)
        total = pair_loss(own, close, positive)
        for shift, is_wrong in zip(shifts, wrong, strict=True):
            total = total + torch.where(is_wrong, 0.0, pair_loss(own, own.roll(shift, 1), ~positive))
        return total

    lowest_loss = _train(
        network,
        batch_loss,
        len(x),
        name="Siamese network",
        max_epochs=-(-n_steps // steps_per_epoch),
        batch_size=batch_size,
        generator=generator,
        decay=decay,
        keep_last=keep_last,
        points_on_host=True,
    )
    return Encoder(network, lowest_loss, scale)
