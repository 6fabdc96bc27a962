"""Spaces in which near means alike: the code of an autoencoder, then a Siamese network; learned, and applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphclust.errors import UsageError
from graphclust.kernels.neighbors import nearest_neighbors
from graphclust.runtime.progress import task

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graphclust.nn.parallel import ParallelMLP

__all__ = ["CodeSpace", "Embedding"]

_PLATEAU = 5  # epochs without a lower loss after which the learning rate falls, where it falls by steps


def _train(
    network: torch.nn.Module,
    loss: Callable[[Tensor], Tensor],
    n: int,
    *,
    name: str,
    max_epochs: int,
    batch_size: int,
    learning_rate: float,
    generator: torch.Generator,
    decay: float | None = None,
    keep_last: bool = False,
    points_on_host: bool = False,
) -> float:
    """Train a network whose loss takes points, int64, shape (B,), and gives shape (1, B); keep its best epoch.

    An epoch has 20 steps at least. The learning rate falls to 0 in a straight line; or `decay` multiplies it when the
    loss has not fallen for 5 epochs. `keep_last`: the network stays as it is at the end. Return the lowest mean loss of
    an epoch.
    """
    import torch

    from graphclust.training.loops import Fleet

    parameters = list(network.parameters())
    rate = torch.tensor([learning_rate], device=parameters[0].device)
    patience, shrink = (max_epochs, 1.0) if decay is None else (_PLATEAU, decay)
    fleet = Fleet(parameters, rate, patience=patience, shrink=shrink)
    with task(name, max_epochs) as advance:
        for epoch in fleet.epochs(
            max_epochs,
            max(n, 20 * batch_size),
            batch_size,
            lambda drawn, _: loss(drawn % n),
            generator,
            points_on_host=points_on_host,
        ):
            if decay is None:
                fleet.rates = rate * (1 - (epoch + 1) / max_epochs)
            advance()
    with torch.no_grad():
        for parameter, best in zip(parameters, fleet.best, strict=True):
            if not keep_last:
                parameter.copy_(best)
    return float(fleet.loss)


@dataclass(frozen=True)
class CodeSpace:
    """The code of an autoencoder (`graphclust.models.siamese.DeepAutoencoder`), whose decoder is not kept.

    Attributes
    ----------
    network : ParallelMLP
        The encoder.
    loss : float
        Mean squared error a feature, of the best epoch.
    """

    network: ParallelMLP
    loss: float

    @classmethod
    def learned(
        cls,
        x: Tensor,
        n_code: int,
        hidden: Sequence[int],
        *,
        max_epochs: int,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        hidden_share: float = 0.0,
        seed: int = 0,
    ) -> CodeSpace:
        """Train an autoencoder on points, shape (n, d); the loss alone is looked at."""
        import torch

        from graphclust.models.siamese import DeepAutoencoder

        generator = torch.Generator().manual_seed(seed)
        coder = DeepAutoencoder(x.shape[1], hidden, n_code, generator).to(x.device)
        drops = torch.Generator(device=x.device).manual_seed(seed)
        found = _train(
            coder,
            lambda points: coder.loss(x[points], hidden_share, drops),
            len(x),
            name="autoencoder",
            max_epochs=max_epochs,
            batch_size=min(batch_size, len(x)),
            learning_rate=learning_rate,
            generator=generator,
        )
        return cls(coder.encoder, found)

    def of(self, x: Tensor) -> Tensor:
        """Return the code of points, shape (n, n_code)."""
        from graphclust.nn.parallel import through

        return through(self.network, x)


@dataclass(frozen=True)
class Embedding:
    """The space of a Siamese network, in which neighbours are close and others are not (section 4.2).

    Attributes
    ----------
    network : ParallelMLP
    loss : float
        Of a positive pair and its negative ones, of the best epoch.
    scale : float
        What points are divided by before they go in.
    """

    network: ParallelMLP
    loss: float
    scale: float

    @classmethod
    def learned(
        cls,
        x: Tensor,
        sizes: Sequence[int],
        n_neighbors: int,
        *,
        max_epochs: int,
        loss: str = "contrastive",
        n_negative: int = 1,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        noise: float = 0.0,
        decay: float | None = None,
        keep_last: bool = False,
        seed: int = 0,
    ) -> Embedding:
        """Train a Siamese network on points, shape (n, d): neighbours are positive pairs, any others negative ones.

        A batch is points and a neighbour of each, every distinct one of which goes through the network once; each point
        makes a positive pair with its neighbour and negative ones with other points of the batch.

        Parameters
        ----------
        x : Tensor, shape (n, d)
        sizes : sequence of int
            Of the layers.
        n_neighbors : int
        max_epochs : int
        loss : {"contrastive", "cross-entropy"}
        n_negative : int
            Negative pairs for each positive one.
        batch_size : int
        learning_rate : float
        noise : float
            Standard deviation of what is added to the features of points in training, drawn anew each time, as a
            multiple of the features' own: new points then come to lie more like those that the network learned from.
        decay : float, optional
            Factor of the learning rate when the loss has not fallen for 5 epochs. By default the learning rate falls to
            0 in a straight line.
        keep_last : bool
            Whether the network stays as it is at the end; by default the epoch with the lowest loss is kept.
        seed : int

        Raises
        ------
        UsageError
            Fewer points than neighbours.
        """
        import torch

        from graphclust.models.siamese import contrastive_loss, cross_entropy_loss
        from graphclust.nn.parallel import ParallelMLP

        if len(x) <= n_neighbors:
            raise UsageError(f"n_neighbors={n_neighbors} of {len(x)} points")
        of_pair = {"contrastive": contrastive_loss, "cross-entropy": cross_entropy_loss}[loss]
        index, _ = nearest_neighbors(x.cpu().numpy(), n_neighbors, device=str(x.device))
        near = torch.as_tensor(index)
        scale = float((x - x.mean(0)).square().sum(1).mean().sqrt().clamp_min(1e-12)) / x.shape[1] ** 0.5
        z = x / scale
        generator = torch.Generator().manual_seed(seed)
        network = ParallelMLP((x.shape[1], *sizes), generator=generator).to(x.device)
        batch_size = min(batch_size, len(x))
        drops = torch.Generator(device=x.device).manual_seed(seed)
        shifts = range(1, 1 + min(n_negative, batch_size - 1))

        def of_batch(points: Tensor) -> Tensor:
            """Return the loss of points, int64 on the CPU, shape (B,): the number of distinct ones is needed there."""
            column = torch.randint(near.shape[1], (len(points),), generator=generator)
            distinct, place = torch.unique(torch.cat((points, near[points, column])), return_inverse=True)
            others = torch.stack([points.roll(shift) for shift in shifts])  # (shifts, B)
            wrong = (near[points] == others[..., None]).any(2) | (points == others)  # drawn, and yet near
            distinct, place, wrong = (t.to(x.device, non_blocking=True) for t in (distinct, place, wrong))
            seen = z[distinct]
            if noise:
                seen = seen + noise * torch.empty_like(seen).normal_(generator=drops)
            v = network(seen)[:, place]
            own, close = v[:, : len(points)], v[:, len(points) :]
            yes = torch.ones(len(points), dtype=torch.bool, device=x.device)
            total = of_pair(own, close, yes)
            for shift, is_wrong in zip(shifts, wrong, strict=True):
                total = total + torch.where(is_wrong, 0.0, of_pair(own, own.roll(shift, 1), ~yes))
            return total

        found = _train(
            network,
            of_batch,
            len(x),
            name="Siamese network",
            max_epochs=max_epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            generator=generator,
            decay=decay,
            keep_last=keep_last,
            points_on_host=True,
        )
        return cls(network, found, scale)

    def of(self, x: Tensor) -> Tensor:
        """Return where points are, shape (n, sizes[-1])."""
        from graphclust.nn.parallel import through

        return through(self.network, x / self.scale)
