"""Multilayer perceptrons with PReLU, the pointwise networks of the clusterwise models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["MLP", "PReLU"]


class _FastPReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.slope = weight.item()
        ctx.save_for_backward(x)
        return F.leaky_relu(x, ctx.slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        (x,) = ctx.saved_tensors
        below = (grad * x.clamp(max=0)).sum().view(1)
        return torch.ops.aten.leaky_relu_backward(grad, x, ctx.slope, False), below


class PReLU(nn.PReLU):
    """PReLU with a single slope, whose backward pass on a CPU is about ten times faster than torch's own."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function elementwise."""
        if x.device.type == "cpu" and self.weight.numel() == 1:
            if not torch.is_grad_enabled():
                return F.leaky_relu(x, self.weight.item())
            y: Tensor = _FastPReLU.apply(x, self.weight)  # type: ignore[no-untyped-call]
            return y
        return super().forward(x)


class MLP(nn.Module):
    """Linear layers with single-slope PReLUs in between; initialised after He et al. (2015).

    Parameters
    ----------
    sizes : sequence of int
        Sizes of the input, of each hidden layer and of the output, for `len(sizes) - 1` linear layers.

    Examples
    --------
    >>> import torch
    >>> MLP([3, 8, 8, 2])(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (d_in, d_out) in enumerate(pairwise(sizes)):
            if i:
                layers.append(PReLU())
            linear = nn.Linear(d_in, d_out)
            layers.append(linear)
            if i + 2 < len(sizes):  # with torch's default, six layers would shrink their input by a factor of 100
                nn.init.kaiming_uniform_(linear.weight, a=0.25)
                nn.init.zeros_(linear.bias)
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (..., sizes[0]) to (..., sizes[-1])."""
        y: Tensor = self.layers(x)
        return y
