r"""CLAM: prototypes are the memories of an associative memory that learns to complete masked coordinates of points.

The energy of a point v under the prototypes rho_1 ... rho_K at the inverse temperature beta (eq. 1),

    E(v) = -1/beta log sum_k exp(-beta |rho_k - v|^2),

falls along the dynamics (eqs. 2 to 4; w = softmax_k(-beta |rho_k - v|^2), alpha = dt / tau)

    v <- v + alpha (sum_k w_k rho_k - v),

for every 0 < alpha < 2: E is |v|^2 minus a convex function, whose tangent gives an upper bound of E, and the step goes
towards the minimum of this bound. The same holds if only some coordinates move. The prototypes are learned by
completion: some coordinates of x are replaced by a value, only these move for T steps, and the loss is their squared
error (eq. 9). In eq. (8), all coordinates move and start at x itself.

The dynamics is linear in x and the prototypes. Its coefficients depend on their scalar products alone:

    v^t = a_t v^0 + sum_k c_k^t rho_k,    a_t = (1 - alpha)^t,    c^0 = 0,    c^(t+1) = (1 - alpha) c^t + alpha w,
    w = softmax_k(beta (2 <v^t, rho_k> - |rho_k|^2)),

on the coordinates that move. After one matrix product, which gives the scalar products of the prototypes over the
moved coordinates of each point, T steps cost O(T K^2) per point instead of O(T K d). No tensor of size n x T x d is
stored, and no exp(-beta |rho - v|^2) underflows.

Saha, Krotov, Zaki & Ram, "End-to-end Differentiable Clustering with Associative Memories", ICML 2023. Beyond the paper:
the exact form above; a leading axis of `runs`, which are independent memories, each with its own beta, trained at the
same time; and points that are latents of an autoencoder, which is trained with the memories: its squared error is
added to the loss.

Symbols: runs R, prototypes K, points B, features d (of latents l), steps T, hidden units H.

As printed, eq. (9) starts masked coordinates at 0 and lets all coordinates move. Here only the masked ones move, as in
the authors' code, and their start value is a parameter.

| CLAM | here | as printed? |
|---|---|---|
| 1 | `energy` | as printed |
| 2, 3, 4 | `AssociativeMemory.trajectory` | as printed |
| 4 | `AssociativeMemory.assign` | as printed |
| 5, 8 | `AssociativeMemory.loss` | as printed; of distortions there are none and masks |
| 9 | `AssociativeMemory.loss` | only masked coordinates move, see above |
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["AssociativeMemory", "Autoencoder", "energy"]

_CELLS = 1 << 25  # size of the largest tensors when points are assigned


def energy(points: Tensor, prototypes: Tensor, beta: Tensor | float) -> Tensor:
    """Return the energy of points, eq. (1).

    Parameters
    ----------
    points : Tensor, shape (..., d)
    prototypes : Tensor, shape (K, d)
    beta : Tensor of shape () or float
        Inverse temperature; positive.

    Returns
    -------
    Tensor, shape (...)

    Examples
    --------
    >>> energy(torch.tensor([1.0, 1.0]), torch.zeros(1, 2), 3.0)
    tensor(2.)
    """
    distance = (points.unsqueeze(-2) - prototypes).square().sum(-1)
    return -torch.logsumexp(-beta * distance, -1) / beta


class _Completion(torch.autograd.Function):
    """Squared error after T steps of the dynamics, up to a constant, with a hand-written gradient.

    Points are the last axis, so that sums over prototypes are sums of contiguous rows. The gradient with respect to the
    scalar products is accumulated in place, unlike in autograd: this is 2.5 times faster for a hundred runs.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gram: Tensor,
        fixed: Tensor,
        moved: Tensor,
        target: Tensor,
        square: Tensor,
        beta: Tensor,
        n_steps: int,
        alpha: float,
    ) -> Tensor:
        states, weights, product = _unroll(gram, fixed, moved, square, beta, n_steps, alpha)
        ctx.save_for_backward(gram, moved, target, beta, product, torch.stack(states), torch.stack(weights))
        ctx.alpha = alpha
        last: Tensor = states[-1]
        return ((product - 2 * target) * last).sum(0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gram, moved, target, beta, product, states, weights = ctx.saved_tensors
        alpha, n_steps = ctx.alpha, len(weights)
        d_loss = grads[0][None]
        d_state = 2 * d_loss * (product - target)
        d_target = -2 * d_loss * states[-1]
        d_gram = (d_loss * states[-1])[None] * states[-1][:, None]
        d_fixed = torch.zeros_like(d_state)
        d_moved = torch.zeros_like(d_state)
        for t in range(n_steps - 1, -1, -1):
            weighted = weights[t] * d_state
            d_product = (weighted - weights[t] * weighted.sum(0)).mul_(2 * alpha * beta[:, None])
            d_fixed += d_product
            d_moved.add_(d_product, alpha=(1 - alpha) ** t)
            d_state = d_state * (1 - alpha)
            if t:  # the state before the first step is 0 and has no gradient
                d_gram.addcmul_(d_product[None], states[t][:, None])
                d_state += (gram * d_product[:, None]).sum(0)
        d_square = -0.5 * d_fixed.sum(-1, keepdim=True)
        return (
            d_gram.sum_to_size(gram.shape),
            d_fixed,
            d_moved.sum_to_size(moved.shape),
            d_target,
            d_square,
            None,
            None,
            None,
        )


def _unroll(
    gram: Tensor, fixed: Tensor, moved: Tensor, square: Tensor, beta: Tensor, n_steps: int, alpha: float
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Run the dynamics in coefficients.

    Parameters
    ----------
    gram : Tensor, shape (K, K, R, B or 1)
        Scalar products of the prototypes over the coordinates that move.
    fixed, moved : Tensor, shape (K, R, B or 1)
        Scalar products of the prototypes with the fixed coordinates of points, and with the start of the moving ones.
    square : Tensor, shape (K, R, 1)
        Squared lengths of the prototypes.
    beta : Tensor, shape (R,)
    n_steps : int
    alpha : float

    Returns
    -------
    states : list of T + 1 tensors, shape (K, R, B)
        c^0 to c^T.
    weights : list of T tensors, shape (K, R, B)
    product : Tensor, shape (K, R, B)
        gram c^T.
    """
    scale = beta[:, None]
    base = scale * (2 * fixed - square)
    start = 2 * scale * moved
    state = product = torch.zeros_like(base + start)
    states, weights = [state], []
    for t in range(n_steps):
        logits = torch.add(base, start, alpha=(1 - alpha) ** t)
        if t:
            logits = logits.addcmul(2 * scale, product)
        weights.append(torch.softmax(logits, 0))
        state = torch.lerp(state, weights[-1], alpha)
        states.append(state)
        product = (gram * state[:, None]).sum(0)
    return states, weights, product


class Autoencoder(nn.Module):
    """Independent autoencoders: each adds the output of its own hidden layer to a linear map that all share.

    Latents are x basis + relu(x W + b) V, points x' = z basis^T + relu(z W' + b') V'. V and V' start at 0.
    With principal axes as the basis, each autoencoder starts as principal component analysis and needs no pretraining.

    Parameters
    ----------
    basis : Tensor, shape (d, l)
        Orthonormal columns.
    n_runs : int
        R.
    n_hidden : int
        H.
    generator : Generator, optional
        A generator on the CPU, which draws W and W'.

    Examples
    --------
    >>> coder = Autoencoder(torch.eye(3)[:, :2], n_runs=1)
    >>> coder.encode(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[[1., 2.]]], grad_fn=<AddBackward0>)
    """

    basis: Tensor

    def __init__(
        self, basis: Tensor, n_runs: int, n_hidden: int = 64, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        d, n_latent = basis.shape
        self.register_buffer("basis", basis)

        def layer(rows: int, columns: int, size: float) -> nn.Parameter:
            initial = size * torch.randn(n_runs, rows, columns, generator=generator)
            return nn.Parameter(initial.to(basis))

        self.into = layer(d, n_hidden, d**-0.5)
        self.into_bias = layer(1, n_hidden, 0.0)
        self.latent = layer(n_hidden, n_latent, 0.0)
        self.back = layer(n_latent, n_hidden, n_latent**-0.5)
        self.back_bias = layer(1, n_hidden, 0.0)
        self.out = layer(n_hidden, d, 0.0)

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents, shape (R, B, l), of points of shape (B, d) in each run."""
        return x @ self.basis + torch.relu(x @ self.into + self.into_bias) @ self.latent

    def decode(self, z: Tensor) -> Tensor:
        """Return the points, shape (R, B, d), of latents of shape (R, B, l)."""
        return z @ self.basis.T + torch.relu(z @ self.back + self.back_bias) @ self.out


class AssociativeMemory(nn.Module):
    """Independent associative memories, each with its own beta.

    Parameters
    ----------
    prototypes : Tensor, shape (R, K, d)
        Their initial values.
    beta : Tensor, shape (R,)
        Inverse temperatures.
    n_steps : int
        T.
    step_size : float
        alpha, in (0, 1].
    on_sphere : bool
        Whether prototypes are scaled to length 1 wherever they are used. For points of length 1, the squared distance
        is then 2 - 2 cos.
    coder : Autoencoder, optional
        Autoencoder with the same number of runs. Points are encoded first, and the prototypes lie in its latent space.

    Examples
    --------
    >>> memory = AssociativeMemory(torch.tensor([[[0.0], [1.0]]]), torch.tensor([10.0]), 10, 0.1)
    >>> memory.assign(torch.tensor([[0.2], [0.7], [0.9]]))
    tensor([[0, 1, 1]])
    """

    beta: Tensor
    _upper: Tensor
    _place: Tensor

    def __init__(
        self,
        prototypes: Tensor,
        beta: Tensor,
        n_steps: int = 10,
        step_size: float = 0.1,
        *,
        on_sphere: bool = False,
        coder: Autoencoder | None = None,
    ) -> None:
        super().__init__()
        self.raw = nn.Parameter(prototypes.clone())
        self.register_buffer("beta", beta.to(prototypes))
        self.n_steps = n_steps
        self.step_size = step_size
        self.on_sphere = on_sphere
        self.coder = coder
        n_prototypes, device = prototypes.shape[1], prototypes.device
        upper = torch.triu_indices(n_prototypes, n_prototypes, device=device)
        place = torch.zeros(n_prototypes, n_prototypes, dtype=torch.long, device=device)
        place[upper[0], upper[1]] = place[upper[1], upper[0]] = torch.arange(upper.shape[1], device=device)
        self.register_buffer("_upper", upper, persistent=False)
        self.register_buffer("_place", place.reshape(-1), persistent=False)

    @property
    def prototypes(self) -> Tensor:
        """The prototypes, shape (R, K, d)."""
        return nn.functional.normalize(self.raw, dim=-1) if self.on_sphere else self.raw

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents of points, shape (R, B, l), or the points themselves, shape (B, d), without a coder."""
        return x if self.coder is None else self.coder.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """Return the points, shape (R, B, d), of latents, shape (R, B, l); without a coder, the latents themselves."""
        return z if self.coder is None else self.coder.decode(z)

    def _products(self, moving: Tensor) -> tuple[Tensor, Tensor]:
        """Return products of prototypes over moving coordinates, (K, K, R, B or 1), and prototypes, (K R, d)."""
        by_prototype = self.prototypes.transpose(0, 1)  # (K, R, d)
        K, R, d = by_prototype.shape
        pairs = (by_prototype[self._upper[0]] * by_prototype[self._upper[1]]).reshape(-1, d)
        half = (pairs @ moving.T).reshape(-1, R, len(moving))
        return half[self._place].reshape(K, K, R, len(moving)), by_prototype.reshape(-1, d)

    def loss(self, x: Tensor, moving: Tensor | None = None, value: Tensor | None = None) -> Tensor:
        """Return the squared error of the completion, eq. (9), or eq. (8) without a mask, plus that of the coder.

        Parameters
        ----------
        x : Tensor, shape (B, d)
        moving : Tensor of x's dtype, shape (B, d) or (1, d), optional
            1 for coordinates that are masked and move, 0 for those that stay. With a coder, the coordinates are
            those of the latents (l instead of d). By default all coordinates move and start at x itself.
        value : Tensor, shape (d,), optional
            Start value of the masked coordinates; 0 by default.

        Returns
        -------
        Tensor, shape (R, B)
        """
        R, K, d = self.raw.shape
        decay = (1 - self.step_size) ** self.n_steps
        all_move = moving is None
        points, x = x, self.encode(x)
        mask = x.new_ones(1, d) if moving is None else moving
        gram, flat = self._products(mask)
        masked = x if all_move else mask * x
        fixed = torch.zeros((), dtype=x.dtype, device=x.device) if all_move else _dots(flat, x - masked, K, R)
        start = masked if all_move else None if value is None else mask * value
        zero = torch.zeros(K, R, 1, dtype=x.dtype, device=x.device)
        moved = zero if start is None else _dots(flat, start, K, R)
        residual = masked if start is None else masked - decay * start
        target = _dots(flat, residual, K, R)
        square = flat.square().sum(1).reshape(K, R, 1)
        fixed = fixed.expand_as(target)
        rest: Tensor = _Completion.apply(  # type: ignore[no-untyped-call]
            gram, fixed, moved, target, square, self.beta, self.n_steps, self.step_size
        )
        loss = residual.square().sum(-1) + rest
        return loss if self.coder is None else loss + (points - self.coder.decode(x)).square().sum(-1)

    def _run_unmasked(self, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """Run the unmasked dynamics; return coefficients, products with prototypes and points, squared lengths."""
        R, K, d = self.raw.shape
        gram, flat = self._products(x.new_ones(1, d))
        moved = _dots(flat, x, K, R)
        square = flat.square().sum(1).reshape(K, R, 1)
        states, _, product = _unroll(
            gram, torch.zeros_like(moved), moved, square, self.beta, self.n_steps, self.step_size
        )
        return states, product, moved, square

    @property
    def rows(self) -> int:
        """Number of points for which the dynamics is run at once."""
        R, K, d = self.raw.shape
        return max(1, _CELLS // (R * K * max(K, 4 * self.n_steps, d)))

    @torch.no_grad()
    def assign(self, x: Tensor) -> Tensor:
        """Return the prototype nearest to the final state of each point, int64, shape (R, B)."""
        decay = (1 - self.step_size) ** self.n_steps
        labels = []
        for part in x.split(self.rows):
            _, product, moved, square = self._run_unmasked(self.encode(part))
            labels.append((2 * (decay * moved + product) - square).argmax(0))
        return torch.cat(labels, dim=1)

    @torch.no_grad()
    def trajectory(self, x: Tensor) -> Tensor:
        """Return the states v^0 to v^T of points, or of their latents, under the dynamics, shape (T + 1, R, B, d)."""
        x = self.encode(x)
        states, _, _, _ = self._run_unmasked(x)
        coefficients = torch.stack(states)  # (T + 1, K, R, B)
        decay = torch.tensor(1 - self.step_size, dtype=x.dtype) ** torch.arange(self.n_steps + 1)
        attracted = torch.einsum("tkrb,rkd->trbd", coefficients, self.prototypes)
        return attracted + decay.to(x)[:, None, None, None] * x


def _dots(flat: Tensor, x: Tensor, n_prototypes: int, n_runs: int) -> Tensor:
    """Return scalar products of prototypes, (K R, d), with points, (B, d) or (R, B, d): shape (K, R, B)."""
    if x.dim() == 3:
        return (flat.reshape(n_prototypes, n_runs, -1).transpose(0, 1) @ x.mT).transpose(0, 1)
    return (flat @ x.T).reshape(n_prototypes, n_runs, len(x))
