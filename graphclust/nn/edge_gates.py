r"""A layer of edge gates with a hand-written gradient, which processes some thousand edges at a time on a CPU.

Computes eqs. (59) and (60) of Pakman et al., Attentive Clustering Processes, and the sum over neighbours of eq. (58):

.. math::
   \hat e'_{ij} = \hat e_{ij} + \mathrm{ReLU}(\mathrm{BN}(a_i + b_j + C \hat e_{ij})), \qquad
   m_i = \sum_j \frac{w_{ij} \sigma(\hat e'_{ij})}{\sum_{j'} w_{ij'} \sigma(\hat e'_{ij'}) + \epsilon} \odot v_j

with :math:`a = A h`, :math:`b = B h`, :math:`v = V h` of the nodes, and :math:`w` the weights of the edges. A training
batch has some 500,000 directed edges of 128 features. As torch operations, each of about twenty steps would read and
write tensors of 270 MB. Here a chunk of edges goes through all steps while it is in the cache. Only the normalised
change and the new state of each edge are stored for the backward pass.

Edges are sorted by target. `gated_messages_plain` computes the same with torch operations, for GPUs, for other dtypes
and as a reference in tests.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from graphclust.runtime.compilation import compiled

__all__ = ["EdgeList", "EdgeNorm", "gated_messages", "gated_messages_plain", "sum_at"]

EPSILON = 1e-6  # of eq. (59); the paper does not give its value

_CHUNK = 8192  # edges that are processed at once: 4 MB with 128 features
_Rows = NDArray[Any]
_Index = NDArray[np.int64]


class EdgeList(NamedTuple):
    """Edges of a batch of graphs in both directions, between packed nodes.

    Attributes
    ----------
    target, source : Tensor of int64, shape (n_edges,)
        Sorted by target.
    weight : Tensor, shape (n_edges, 1), or None
        None if all edges have weight 1.
    """

    target: Tensor
    source: Tensor
    weight: Tensor | None


class EdgeNorm(NamedTuple):
    """Batch normalisation of the changes of edge states, as `gated_messages` takes it.

    Attributes
    ----------
    scale, shift : Tensor, shape (dim,)
    mean, variance : Tensor, shape (dim,), or None
        Running statistics in evaluation; None in training, which uses the statistics of the batch.
    epsilon : float
    """

    scale: Tensor
    shift: Tensor
    mean: Tensor | None
    variance: Tensor | None
    epsilon: float


def sum_at(values: Tensor, target: Tensor, n: int) -> Tensor:
    """Sum the rows with the same target, in float32 at least; the result has n rows."""
    dtype = torch.promote_types(values.dtype, torch.float32)
    return values.new_zeros(n, values.shape[-1], dtype=dtype).index_add(0, target, values.to(dtype))


class GatedMessages(NamedTuple):
    """Result of `gated_messages`.

    Attributes
    ----------
    message : Tensor, shape (n_nodes, dim)
        m in the module's docstring.
    state : Tensor, shape (n_edges, dim)
        The new state of each edge.
    mean, variance : Tensor, shape (dim,)
        Statistics of the changes over the edges, biased and without gradient.
    """

    message: Tensor
    state: Tensor
    mean: Tensor
    variance: Tensor


def gated_messages(
    at_target: Tensor, at_source: Tensor, value: Tensor, state: Tensor, C: Tensor, norm: EdgeNorm, edges: EdgeList
) -> GatedMessages:
    """Update the states of the edges and collect the gated messages of the neighbours.

    Parameters
    ----------
    at_target, at_source, value : Tensor, shape (n_nodes, dim)
        a, b and v in the module's docstring.
    state : Tensor, shape (n_edges, dim), or (1, dim)
        A single row is the state of all edges and gets no gradient.
    C : Tensor, shape (dim, dim)
    norm : EdgeNorm
    edges : EdgeList
        At least two edges in training.
    """
    tensors = (at_target, at_source, value, C)
    by_hand = (
        all(t.device.type == "cpu" and t.dtype == C.dtype for t in tensors)
        and C.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
    )
    if not by_hand:
        return gated_messages_plain(at_target, at_source, value, state, C, norm, edges)
    statistics = () if norm.mean is None or norm.variance is None else (norm.mean, norm.variance)
    outputs = _GatedMessages.apply(  # type: ignore[no-untyped-call]
        at_target, at_source, value, state, C, norm.scale, norm.shift, statistics, norm.epsilon, edges
    )
    return GatedMessages(*outputs)


def gated_messages_plain(
    at_target: Tensor, at_source: Tensor, value: Tensor, state: Tensor, C: Tensor, norm: EdgeNorm, edges: EdgeList
) -> GatedMessages:
    """Compute the same as `gated_messages` with torch operations on all edges at once."""
    change = at_target.index_select(0, edges.target) + at_source.index_select(0, edges.source) + F.linear(state, C)
    if norm.mean is None or norm.variance is None:
        variance, mean = torch.var_mean(
            change.detach().float() if change.dtype.itemsize < 4 else change.detach(), 0, correction=0
        )
        change = F.batch_norm(change, None, None, norm.scale, norm.shift, training=True, eps=norm.epsilon)
    else:
        mean, variance = norm.mean, norm.variance
        change = F.batch_norm(change, mean, variance, norm.scale, norm.shift, training=False, eps=norm.epsilon)
    state = state + F.relu(change)
    gate = torch.sigmoid(state)
    if edges.weight is not None:
        gate = gate * edges.weight.to(gate.dtype)
    total = sum_at(gate, edges.target, len(value))
    gathered = sum_at(gate * value.index_select(0, edges.source), edges.target, len(value))
    return GatedMessages(gathered / (total + EPSILON), state, mean, variance)


# ---------------------------------------------------------------- hand-written gradient


class _GatedMessages(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        at_target: Tensor,
        at_source: Tensor,
        value: Tensor,
        state: Tensor,
        C: Tensor,
        scale: Tensor,
        shift: Tensor,
        statistics: tuple[Tensor, ...],
        epsilon: float,
        edges: EdgeList,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        at_target, at_source, value, state, C = (
            t.detach().contiguous() for t in (at_target, at_source, value, state, C)
        )
        n_edges, dim = len(edges.target), C.shape[0]
        target, source, weight = _arrays(edges, C.dtype)
        shared = len(state) == 1
        change = C.new_empty(n_edges, dim)
        sums = np.zeros((2, dim))
        constant = F.linear(state, C) if shared else None
        a, b = at_target.numpy(), at_source.numpy()
        origin = (at_target.mean(dim=0) + at_source.mean(dim=0)).numpy()  # makes sums of squares accurate
        for part in _chunks(n_edges):
            if constant is None:
                torch.mm(state[part], C.T, out=change[part])
            else:
                change[part] = constant
            _add_ends(change[part].numpy(), a, b, target[part], source[part], origin, sums)
        mean, variance = statistics or _moments(sums, origin, n_edges, C.dtype)
        inverse = (variance + epsilon).rsqrt()
        new_state = C.new_empty(n_edges, dim)
        gathered, total = C.new_zeros(len(value), dim), C.new_zeros(len(value), dim)
        per_column = (mean.numpy(), inverse.numpy(), scale.detach().numpy(), shift.detach().numpy())
        for part in _chunks(n_edges):
            before = state if shared else state[part]
            _update_states(change[part].numpy(), before.numpy(), new_state[part].numpy(), *per_column)
            gate = torch.sigmoid(new_state[part])
            if weight is not None:
                gate *= weight[part]
            _collect(gate.numpy(), value.numpy(), target[part], source[part], gathered.numpy(), total.numpy())
        message = gathered.div_(total.add_(EPSILON))
        ctx.edges, ctx.shared, ctx.in_training = edges, shared, not statistics
        ctx.save_for_backward(message, total, value, state, change, new_state, C, inverse, scale, shift)
        ctx.mark_non_differentiable(mean, variance)
        return message, new_state, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_message: Tensor, d_new_state: Tensor | None, *_: Any) -> Any:
        message, total, value, state, normalised, new_state, C, inverse, scale, shift = ctx.saved_tensors
        n_edges, dim = normalised.shape
        target, source, weight = _arrays(ctx.edges, C.dtype)
        d_gathered = d_message / total
        d_total = -d_gathered * message
        d_value = torch.zeros_like(value)
        d_state = torch.zeros_like(new_state) if d_new_state is None else d_new_state.clone()
        columns = scale.detach().numpy(), shift.detach().numpy()
        unit = torch.ones(1, 1, dtype=C.dtype)
        d_scale, d_shift = (torch.zeros(dim, dtype=torch.float64) for _ in range(2))
        for part in _chunks(n_edges):
            gate = torch.sigmoid(new_state[part])
            sums = np.zeros((2, dim), dtype=gate.numpy().dtype)
            _gate_gradients(
                gate.numpy(), (unit if weight is None else weight[part]).numpy(), normalised[part].numpy(), *columns,
                d_gathered.numpy(), d_total.numpy(), value.numpy(), target[part], source[part],
                d_state[part].numpy(), d_value.numpy(), sums,
            )  # fmt: skip
            d_scale += torch.from_numpy(sums[0])
            d_shift += torch.from_numpy(sums[1])
        # gradients through the mean and the variance of the batch, which depend on every edge
        share = 1.0 / n_edges if ctx.in_training else 0.0
        mean_d = (d_shift * share).to(C.dtype).numpy()
        mean_dx = (d_scale * share).to(C.dtype).numpy()
        factor = (scale.detach() * inverse).numpy()
        d_target, d_source = torch.zeros_like(value), torch.zeros_like(value)
        d_C = torch.zeros_like(C)
        for part in _chunks(n_edges):
            rows = part.stop - part.start
            d_change = C.new_empty(rows, dim)
            _change_gradients(
                d_state[part].numpy(), normalised[part].numpy(), *columns, factor, mean_d, mean_dx,
                target[part], source[part], d_change.numpy(), d_target.numpy(), d_source.numpy(),
            )  # fmt: skip
            if ctx.shared:
                d_C += d_change.sum(dim=0)[:, None] * state
            else:
                d_C += d_change.T @ state[part]
                d_state[part] += d_change @ C
        return (
            d_target, d_source, d_value, None if ctx.shared else d_state, d_C,
            d_scale.to(C.dtype), d_shift.to(C.dtype), None, None, None,
        )  # fmt: skip


def _arrays(edges: EdgeList, dtype: torch.dtype) -> tuple[_Index, _Index, Tensor | None]:
    weight = None if edges.weight is None else edges.weight.to(dtype)
    return edges.target.numpy(), edges.source.numpy(), weight


def _moments(sums: _Rows, origin: _Rows, n: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance; `sums`, float64 of shape (2, dim), has those of x - origin and its square."""
    mean = sums[0] / n
    variance = np.maximum(sums[1] / n - mean**2, 0.0)
    return torch.from_numpy(mean + origin).to(dtype), torch.from_numpy(variance).to(dtype)


def _chunks(n: int) -> list[slice]:
    return [slice(i, min(i + _CHUNK, n)) for i in range(0, n, _CHUNK)]


@compiled(nogil=True, fastmath=True)
def _add_ends(
    rows: _Rows, at_target: _Rows, at_source: _Rows, target: _Index, source: _Index, origin: _Rows, sums: _Rows
) -> None:
    """Add the terms of both ends to each edge; add x - origin and its square over all edges to `sums`."""
    first, second = np.zeros_like(origin), np.zeros_like(origin)
    for e in range(len(rows)):
        t, s = target[e], source[e]
        for k in range(rows.shape[1]):
            x = rows[e, k] + at_target[t, k] + at_source[s, k]
            rows[e, k] = x
            x -= origin[k]
            first[k] += x
            second[k] += x * x
    sums[0] += first
    sums[1] += second


@compiled(nogil=True, fastmath=True)
def _update_states(
    change: _Rows, state: _Rows, new_state: _Rows, mean: _Rows, inverse: _Rows, scale: _Rows, shift: _Rows
) -> None:
    """Normalise `change` in place and add its ReLU to the state."""
    zero = change.dtype.type(0)
    for e in range(len(change)):
        row = 0 if len(state) == 1 else e
        for k in range(change.shape[1]):
            x = (change[e, k] - mean[k]) * inverse[k]
            change[e, k] = x
            new_state[e, k] = state[row, k] + max(x * scale[k] + shift[k], zero)


@compiled(nogil=True, fastmath=True)
def _collect(gate: _Rows, value: _Rows, target: _Index, source: _Index, gathered: _Rows, total: _Rows) -> None:
    for e in range(len(gate)):
        t, s = target[e], source[e]
        for k in range(gate.shape[1]):
            gathered[t, k] += gate[e, k] * value[s, k]
            total[t, k] += gate[e, k]


@compiled(nogil=True, fastmath=True)
def _gate_gradients(
    gate: _Rows,
    weight: _Rows,
    normalised: _Rows,
    scale: _Rows,
    shift: _Rows,
    d_gathered: _Rows,
    d_total: _Rows,
    value: _Rows,
    target: _Index,
    source: _Index,
    d_state: _Rows,
    d_value: _Rows,
    sums: _Rows,
) -> None:
    """Add to the gradients of states and values; add the gradients of scale and shift to `sums`."""
    zero = gate.dtype.type(0)
    for e in range(len(gate)):
        t, s = target[e], source[e]
        w = weight[0 if len(weight) == 1 else e, 0]
        for k in range(gate.shape[1]):
            g, d_sum = gate[e, k], d_gathered[t, k]
            d_gate = w * (d_sum * value[s, k] + d_total[t, k])
            d_value[s, k] += w * g * d_sum
            d = d_state[e, k] + d_gate * (g - g * g)
            d_state[e, k] = d
            x = normalised[e, k]
            active = d if x * scale[k] + shift[k] > zero else zero
            sums[0, k] += active * x
            sums[1, k] += active


@compiled(nogil=True, fastmath=True)
def _change_gradients(
    d_state: _Rows,
    normalised: _Rows,
    scale: _Rows,
    shift: _Rows,
    factor: _Rows,
    mean_d: _Rows,
    mean_dx: _Rows,
    target: _Index,
    source: _Index,
    d_change: _Rows,
    d_target: _Rows,
    d_source: _Rows,
) -> None:
    """Propagate gradients back through the ReLU and the batch normalisation, and sum them at the nodes."""
    zero = d_state.dtype.type(0)
    for e in range(len(d_state)):
        t, s = target[e], source[e]
        for k in range(d_state.shape[1]):
            x = normalised[e, k]
            active = d_state[e, k] if x * scale[k] + shift[k] > zero else zero
            d = factor[k] * (active - mean_d[k] - x * mean_dx[k])
            d_change[e, k] = d
            d_target[t, k] += d
            d_source[s, k] += d
