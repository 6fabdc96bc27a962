"""Multilayer perceptrons side by side: independent networks of one shape that learn at once, as batches of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ParallelMLP", "through"]

_ROWS = 8192  # points that go through a network at once


class ParallelMLP(nn.Module):
    """Linear layers with an activation between two of them, for each of several runs; initialised as He et al. (2015).

    Parameters
    ----------
    sizes : sequence of int
        Features of the input, of each hidden layer, of the output.
    n_runs : int
    activation : {"relu", "tanh"}
    generator : Generator, optional
        Of the CPU.

    Examples
    --------
    >>> ParallelMLP((4, 8, 3), n_runs=2)(torch.ones(5, 4)).shape
    torch.Size([2, 5, 3])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        n_runs: int = 1,
        activation: str = "relu",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for rows, columns in pairwise(sizes):
            width = self.width(rows)
            drawn = torch.randn(n_runs, width, columns, generator=generator) * (2.0 / width) ** 0.5
            self.weights.append(nn.Parameter(drawn))
            self.biases.append(nn.Parameter(torch.zeros(n_runs, 1, columns)))
        self.activation = torch.relu if activation == "relu" else torch.tanh

    @staticmethod
    def width(size: int) -> int:
        """Return how many numbers a layer sees where its input has `size`."""
        return size

    def seen(self, h: Tensor, graph: Any) -> Tensor:
        """Return what a layer sees of its input h, shape (R, n, size), as shape (R, n, width)."""
        return h

    def layer(self, i: int, h: Tensor, graph: Any) -> Tensor:
        """Return `seen` times the weights of layer i, plus its biases, shape (R, n, columns)."""
        return torch.baddbmm(self.biases[i], self.seen(h, graph), self.weights[i])

    def inside(self, x: Tensor, graph: Any = None) -> Tensor:
        """Return the input of the last layer, shape (R, n, size); arguments as of `forward`."""
        h = x.expand(len(self.weights[0]), *x.shape[-2:])
        for i in range(len(self.weights) - 1):
            h = self.activation(self.layer(i, h, graph))
        return h

    def forward(self, x: Tensor, graph: Any = None) -> Tensor:
        """Map points.

        Parameters
        ----------
        x : Tensor, shape (n, sizes[0]) or (R, n, sizes[0])
        graph : optional
            For subclasses whose layers see neighbours, which say what it is.

        Returns
        -------
        Tensor, shape (R, n, sizes[-1])
        """
        return self.layer(len(self.weights) - 1, self.inside(x, graph), graph)


def through(network: ParallelMLP, x: Tensor) -> Tensor:
    """Map points by a single network, in pieces and without gradients: shape (n, d) to (n, size).

    Examples
    --------
    >>> through(ParallelMLP((4, 3)), torch.ones(5, 4)).shape
    torch.Size([5, 3])
    """
    with torch.no_grad():
        return torch.cat([network(part)[0] for part in x.split(_ROWS)])
