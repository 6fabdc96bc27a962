"""Spaces in which near means alike: the code of an autoencoder, then a Siamese network; learned, and applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphclust.errors import UsageError
from graphclust.neighbors import nearest_neighbors
from graphclust.progress import task

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graphclust.models.siamese import DeepAutoencoder
    from graphclust.nn.parallel import ParallelMLP

__all__ = ["CodeSpace", "Embedding"]

_ROWS = 8192  # points that go through a network at once


def _through(network: torch.nn.Module, x: Tensor) -> Tensor:
    """Map points in pieces, shape (n, d)."""
    import torch

    with torch.no_grad():
        return torch.cat([network(part)[0] for part in x.split(_ROWS)])


@dataclass(frozen=True)
class CodeSpace:
    """The code of an autoencoder (`graphclust.models.siamese.DeepAutoencoder`).

    Attributes
    ----------
    coder : DeepAutoencoder
    loss : float
        Mean squared error a feature, of the best epoch.
    """

    coder: DeepAutoencoder
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
        from graphclust.training import Fleet

        generator = torch.Generator().manual_seed(seed)
        coder = DeepAutoencoder(x.shape[1], hidden, n_code, generator).to(x.device)
        drops = torch.Generator(device=x.device).manual_seed(seed)
        fleet = Fleet(list(coder.parameters()), torch.tensor([learning_rate], device=x.device), patience=3, shrink=0.5)
        with task("autoencoder", max_epochs) as advance:
            for _ in fleet.epochs(
                max_epochs, len(x), batch_size, lambda index, _: coder.loss(x[index], hidden_share, drops), generator
            ):
                advance()
        with torch.no_grad():
            for parameter, best in zip(coder.parameters(), fleet.best, strict=True):
                parameter.copy_(best)
        return cls(coder, float(fleet.loss))

    def of(self, x: Tensor) -> Tensor:
        """Return the code of points, shape (n, n_code)."""
        return _through(self.coder.encoder, x)


@dataclass(frozen=True)
class Embedding:
    """The space of a Siamese network, in which neighbours are close and others are not (section 4.2).

    Attributes
    ----------
    network : ParallelMLP
    loss : float
        Contrastive loss a pair, of the best epoch.
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
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> Embedding:
        """Train a Siamese network on points, shape (n, d): neighbours are positive pairs, any others negative ones.

        A batch is points and a neighbour of each, every distinct one of which goes through the network once; each point
        makes a positive pair with its neighbour and a negative one with another point of the batch.

        Raises
        ------
        UsageError
            Fewer points than neighbours.
        """
        import torch

        from graphclust.models.siamese import contrastive_loss
        from graphclust.nn.parallel import ParallelMLP
        from graphclust.training import Fleet

        if len(x) <= n_neighbors:
            raise UsageError(f"n_neighbors={n_neighbors} of {len(x)} points")
        index, _ = nearest_neighbors(x.cpu().numpy(), n_neighbors, device=str(x.device))
        near = torch.as_tensor(index, device=x.device)
        scale = float((x - x.mean(0)).square().sum(1).mean().sqrt().clamp_min(1e-12)) / x.shape[1] ** 0.5
        z = x / scale
        generator = torch.Generator().manual_seed(seed)
        network = ParallelMLP((x.shape[1], *sizes), generator=generator).to(x.device)
        fleet = Fleet(
            list(network.parameters()), torch.tensor([learning_rate], device=x.device), patience=3, shrink=0.5
        )

        def loss(points: Tensor, _: int) -> Tensor:
            column = torch.randint(near.shape[1], (len(points),), generator=generator).to(points.device)
            friend = near[points, column]
            other = points.roll(1)
            distinct, place = torch.unique(torch.cat((points, friend)), return_inverse=True)
            v = network(z[distinct])[:, place]
            own, close = v[:, : len(points)], v[:, len(points) :]
            same = contrastive_loss(own, close, torch.ones_like(points, dtype=torch.bool))
            apart = contrastive_loss(own, own.roll(1, 1), torch.zeros_like(points, dtype=torch.bool))
            wrong = (near[points] == other[:, None]).any(1)  # drawn, and yet a neighbour
            return same + torch.where(wrong, 0.0, apart)

        with task("Siamese network", max_epochs) as advance:
            for _ in fleet.epochs(max_epochs, len(x), batch_size, loss, generator):
                advance()
        with torch.no_grad():
            for parameter, best in zip(network.parameters(), fleet.best, strict=True):
                parameter.copy_(best)
        return cls(network, float(fleet.loss), scale)

    def of(self, x: Tensor) -> Tensor:
        """Return where points are, shape (n, sizes[-1])."""
        return _through(self.network, x / self.scale)
