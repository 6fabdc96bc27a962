"""Multilayer perceptrons with PReLU: the pointwise networks of the clusterwise models; and products of many vectors.

torch hands products of matrices in float32 to MKL, which on AMD processors reaches half the speed of oneDNN or less.
Convolutions go to oneDNN, and that by a 1 x 1 kernel is the same product: `linear` and `weight_gradient`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

__all__ = ["FOLD", "MLP", "PReLU", "linear", "weight_gradient"]

FOLD = 16  # images that the rows are dealt to: torch gives fewer of 1 x 1 to oneDNN only where there are more threads
_NARROW = 16  # features, below which there is nothing to gain


def _folded(x: Tensor) -> Tensor:
    """View rows (n, d) as images (FOLD, d, n / FOLD, 1), of which the channels come last in memory."""
    return x.view(FOLD, -1, 1, x.shape[1]).permute(0, 3, 1, 2)


def _convolves(x: Tensor, d_out: int) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not len(x) % FOLD
        and len(x) > 0
        and min(x.shape[1], d_out) >= _NARROW
        and x.is_contiguous()
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias, fast on a CPU where the number of rows is a multiple of `FOLD`.

    Parameters
    ----------
    x : Tensor, shape (n, d_in)
    weight : Tensor, shape (d_out, d_in)
    bias : Tensor, shape (d_out,), optional

    Examples
    --------
    >>> x, weight = torch.ones(32, 16), torch.ones(16, 16)
    >>> bool((linear(x, weight) == 16).all())
    True
    """
    if not _convolves(x, len(weight)):
        return F.linear(x, weight, bias)
    return torch.conv2d(_folded(x), weight[:, :, None, None], bias).permute(0, 2, 3, 1).flatten(0, 2)


def weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """Return grad.T @ x, the gradient of `linear`'s weight, as fast.

    Parameters
    ----------
    grad : Tensor, shape (n, d_out)
    x : Tensor, shape (n, d_in)
    """
    if not (_convolves(x, grad.shape[1]) and _convolves(grad, x.shape[1])):
        return grad.T @ x
    shape = (grad.shape[1], x.shape[1], 1, 1)
    found: Tensor = conv2d_weight(_folded(x), shape, _folded(grad))
    return found[:, :, 0, 0]


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
    """PReLU of one slope; on a CPU with a backward pass that is some ten times faster than torch's own."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        if x.device.type == "cpu" and self.weight.numel() == 1:
            if not torch.is_grad_enabled():
                return F.leaky_relu(x, self.weight.item())
            y: Tensor = _FastPReLU.apply(x, self.weight)  # type: ignore[no-untyped-call]
            return y
        return super().forward(x)


class MLP(nn.Module):
    """Linear layers with a PReLU of one slope between two of them; initialised after He et al. (2015).

    Parameters
    ----------
    sizes : sequence of int
        Features of the input, of each hidden layer, of the output: `len(sizes) - 1` linear layers.

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
            if i + 2 < len(sizes):  # torch's default would shrink what passes six layers by a factor of a hundred
                nn.init.kaiming_uniform_(linear.weight, a=0.25)
                nn.init.zeros_(linear.bias)
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (..., sizes[0]) to (..., sizes[-1])."""
        y: Tensor = self.layers(x)
        return y
