"""Independent multilayer perceptrons of the same shape, trained at the same time as batches of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ParallelMLP", "through"]

_ROWS = 8192  # points that a network processes at once


class ParallelMLP(nn.Module):
    """Linear layers with activations in between, for each of several runs; initialised after He et al. (2015).

    Parameters
    ----------
    sizes : sequence of int
        Sizes of the input, of each hidden layer and of the output.
    n_runs : int
    activation : {"relu", "tanh"}
    generator : Generator, optional
        A generator on the CPU.

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
            initial = torch.randn(n_runs, width, columns, generator=generator) * (2.0 / width) ** 0.5
            self.weights.append(nn.Parameter(initial))
            self.biases.append(nn.Parameter(torch.zeros(n_runs, 1, columns)))
        self.activation = torch.relu if activation == "relu" else torch.tanh

    @staticmethod
    def width(size: int) -> int:
        """Return the number of inputs of a layer after a layer with `size` outputs."""
        return size

    def layer_input(self, h: Tensor, graph: Any) -> Tensor:
        """Extend the output h of the previous layer, shape (R, n, size), to the input of a layer, (R, n, width)."""
        return h

    def layer(self, i: int, h: Tensor, graph: Any) -> Tensor:
        """Return `layer_input` times the weights of layer i, plus its biases, shape (R, n, columns)."""
        return torch.baddbmm(self.biases[i], self.layer_input(h, graph), self.weights[i])

    def last_hidden(self, x: Tensor, graph: Any = None) -> Tensor:
        """Return the output of the last hidden layer, shape (R, n, size); the parameters are those of `forward`."""
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
            Graph whose neighbours some subclasses use.

        Returns
        -------
        Tensor, shape (R, n, sizes[-1])
        """
        return self.layer(len(self.weights) - 1, self.last_hidden(x, graph), graph)


def through(network: ParallelMLP, x: Tensor) -> Tensor:
    """Map points, shape (n, d), by a single network to (n, size), in chunks and without gradients.

    Examples
    --------
    >>> through(ParallelMLP((4, 3)), torch.ones(5, 4)).shape
    torch.Size([5, 3])
    """
    with torch.no_grad():
        return torch.cat([network(part)[0] for part in x.split(_ROWS)])
