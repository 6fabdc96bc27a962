r"""Attention blocks over sets: MAB, PMA, ISAB.

Source: Pakman et al., Attentive Clustering Processes, section 2.4 (after Lee et al., Set Transformer, 2019). As in
eq. (20), scores are divided by the square root of the full dimension d, not of d / heads as in PyTorch's attention. The
feed-forward layer of eq. (23) is one linear layer and a ReLU, without normalisation.

Sets are padded, with a mask that is True for elements. Attention to an empty set is 0, so that eq. (24) leaves the
projected query unchanged.

Mathematically equal but cheaper forms are used for few queries. With one query q per head, the score of element x is
:math:`q^T W_k x = (W_k^T q)^T x`, and the weighted sum of values is the value of the weighted sum,
:math:`\sum_i \alpha_i W_v x_i = W_v \sum_i \alpha_i x_i`, so that no element is projected (`PMA`). Attention to a set
of one element is the value of this element (`OneKeyMAB`). Terms that depend on one element are computed once, however
many subsets contain it (`ISAB.project`).

| ACP | here | as printed? |
|---|---|---|
| 20, 21, 22 | `attend` | as printed; the maps of queries and values have biases |
| 23 | `MAB.feed_forward` | as printed |
| 24 | `MAB.attend`, `OneKeyMAB` | as printed |
| PMA | `PMA` | as printed for one seed |
| 25 | `ISAB` | as printed |
| 30 | `PMA.after`, `OneKeyMAB` | as printed |
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from graphclust.nn.batch import blocks

__all__ = ["ISAB", "MAB", "PMA", "OneKeyMAB", "attend", "masked_softmax"]

# all but cuDNN's, see `dot_product`
_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the softmax over the last axis, restricted to entries where `mask` is True; 0 if there are none.

    Examples
    --------
    >>> masked_softmax(torch.zeros(2, 3), torch.tensor([[True, True, False], [False, False, False]])).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    lowest = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(~mask, lowest), dim=-1).masked_fill(~mask, 0.0)


def attend(query: Tensor, key: Tensor, value: Tensor, n_heads: int, mask: Tensor | None = None) -> Tensor:
    """Compute multi-head attention of projected vectors, eqs. (20) to (22).

    Parameters
    ----------
    query : Tensor, shape (batch, n, d)
    key, value : Tensor, shape (batch, m, d)
    n_heads : int
        A divisor of d.
    mask : Tensor of bool, shape (batch, m), optional
        Elements to attend to; all by default.

    Returns
    -------
    Tensor, shape (batch, n, d)
        0 if the mask is all False.
    """
    d = query.shape[-1]
    q, k, v = (t.unflatten(-1, (n_heads, -1)).transpose(-3, -2) for t in (query, key, value))  # (batch, h, n | m, d/h)
    not_empty = None
    if mask is not None:
        not_empty = mask.any(dim=-1)
        mask = (mask | ~not_empty[..., None])[:, None, None, :]
    out = dot_product(q, k, v, mask, d**-0.5)
    out = out.transpose(-3, -2).flatten(-2)
    return out if not_empty is None else out.masked_fill(~not_empty[:, None, None], 0.0)


def dot_product(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """Return softmax(q k^T scale) v over the last two axes, by torch's fused function if that is faster.

    In training, plain products are faster. On a CPU the backward pass of the fused function is slower for sets of some
    hundred elements. On a GPU it may choose cuDNN's kernel, which is prepared anew for every shape, and shapes differ
    between batches: this took nine tenths of 0.8 s for a step of 64 graphs on an H100.
    """
    if torch.is_grad_enabled():
        scores = (q * scale) @ k.transpose(-1, -2)
        weights = torch.softmax(scores, dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights.to(v.dtype) @ v
    with nullcontext() if q.device.type == "cpu" else sdpa_kernel(_KERNELS):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


class MAB(nn.Module):
    """Multihead attention block, eqs. (23) and (24): x attends to y.

    Parameters
    ----------
    dim_x, dim_y : int
        Dimensions of the elements of x and of y.
    dim : int
        Dimension of the result.
    n_heads : int
        A divisor of dim.
    """

    def __init__(self, dim_x: int, dim_y: int, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(dim_x, dim)
        self.key = nn.Linear(dim_y, dim, bias=False)  # a bias would shift all scores of a query equally
        self.value = nn.Linear(dim_y, dim)
        self.ff = nn.Linear(dim, dim)

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map x (batch, n, dim_x) and y (batch, m, dim_y), with a mask of y (batch, m), to (batch, n, dim)."""
        return self.attend(self.query(x), self.key(y), self.value(y), mask)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the block from projected queries, keys and values."""
        return self.feed_forward(query + attend(query, key, value, self.n_heads, mask))

    def feed_forward(self, h: Tensor) -> Tensor:
        """Eq. (23)."""
        return h + F.relu(self.ff(h))


class OneKeyMAB(nn.Module):
    """Multihead attention block whose second set has one element, so that attention is its value.

    Parameters
    ----------
    dim_x, dim_y, dim : int
        As in `MAB`.
    """

    def __init__(self, dim_x: int, dim_y: int, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim_x, dim)
        self.value = nn.Linear(dim_y, dim)
        self.ff = nn.Linear(dim, dim)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Let all x attend to each y separately.

        Parameters
        ----------
        x : Tensor, shape (batch, n, dim_x)
        y : Tensor, shape (batch, t, dim_y)

        Returns
        -------
        Tensor, shape (batch, t, n, dim)
            `MAB.forward(x, y[:, i : i + 1])` for each i.
        """
        query, value = self.query(x), self.value(y)
        both = F.linear(query, self.ff.weight)[:, None] + self.ff(value)[:, :, None]
        return query[:, None] + value[:, :, None] + F.relu(both)


class PMA(nn.Module):
    """Pooling by multihead attention with one seed, which maps each subset of a set to a vector.

    Parameters
    ----------
    dim_x : int
    dim : int
    n_heads : int
    """

    def __init__(self, dim_x: int, dim: int, n_heads: int) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.empty(1, dim))
        nn.init.xavier_uniform_(self.seed)
        self.block = MAB(dim, dim_x, dim, n_heads)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Summarise subsets.

        Parameters
        ----------
        x : Tensor, shape (batch, n, dim_x)
        mask : Tensor of bool, shape (batch, t, n)
            Members of each of t subsets.

        Returns
        -------
        Tensor, shape (batch, t, dim)
            `MAB(seed, members)` of each subset.
        """
        folded = self._folded()
        scores = (x @ folded.T).transpose(1, 2)  # (batch, h, n)
        weights = masked_softmax(scores[:, None], mask[:, :, None])  # (batch, t, h, n)
        pooled = torch.matmul(weights.flatten(1, 2), x.to(weights.dtype)).unflatten(1, (-1, len(folded)))
        return self._summary(pooled, mask)

    def after(self, block: OneKeyMAB, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        r"""Summarise subsets of the output of `block` for each y: MAB(seed, members of block(x, y)).

        The output of `block` is :math:`q_i + v_t + r_{ti}`, where only r, the output of a ReLU, depends on both x and
        y. Scores and sums are therefore computed separately for each term, those of q directly from x.

        Parameters
        ----------
        block : OneKeyMAB
        x : Tensor, shape (batch, n, dim_x)
        y : Tensor, shape (batch, t, dim_y)
        mask : Tensor of bool, shape (batch, t, n)

        Returns
        -------
        Tensor, shape (batch, t, dim)
        """
        folded, to_query = self._folded(), block.query.weight
        value = block.value(y)
        from_x = F.linear(x, block.ff.weight @ to_query, block.ff.weight @ block.query.bias)
        from_y = block.ff(value)
        scores = (x @ (folded @ to_query).T).transpose(1, 2)[:, None]  # v adds the same to the score of every element

        def pool(rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
            r = from_x[rows, None] + from_y[rows, columns, None]  # (batch, t, n, dim)
            r = F.relu(r) if torch.is_grad_enabled() else r.relu_()
            weights = masked_softmax(scores[rows] + (r @ folded.T).transpose(2, 3), mask[rows, columns, None])
            pooled_x = weights.flatten(1, 2) @ x[rows].to(weights.dtype)
            return pooled_x.unflatten(1, weights.shape[1:3]), weights @ r.to(weights.dtype)

        if torch.is_grad_enabled():
            pooled_x, pooled_r = pool(slice(None), slice(None))
        else:
            pooled_x = value.new_empty(*mask.shape[:2], len(folded), x.shape[-1])
            pooled_r = value.new_empty(*mask.shape[:2], *folded.shape)
            for rows, columns in blocks(mask.shape, x.device):
                pooled_x[rows, columns], pooled_r[rows, columns] = pool(rows, columns)
        not_empty = mask.any(dim=-1, keepdim=True)[..., None]
        pooled = pooled_r + F.linear(pooled_x, to_query) + (block.query.bias + value)[:, :, None] * not_empty
        return self._summary(pooled, mask)

    def _folded(self) -> Tensor:
        """Return the vectors whose products with an element are its scores, shape (heads, dim_x)."""
        block, h = self.block, self.block.n_heads
        query = block.query(self.seed)  # (1, d)
        d = query.shape[-1]
        by_head = block.key.weight.view(h, d // h, -1)  # (h, d/h, dim_x)
        return torch.einsum("he,hex->hx", query.view(h, d // h), by_head) * d**-0.5

    def _summary(self, pooled: Tensor, mask: Tensor) -> Tensor:
        """Map the weighted sums (batch, t, heads, dim_x) to summaries (batch, t, dim)."""
        block, h = self.block, self.block.n_heads
        query = block.query(self.seed)
        by_head = block.value.weight.view(h, query.shape[-1] // h, -1)
        value = torch.einsum("bthx,hex->bthe", pooled, by_head).flatten(2)
        value = value + block.value.bias * mask.any(dim=-1, keepdim=True)
        return block.feed_forward(query + value)


class ISAB(nn.Module):
    """Induced self-attention block, eq. (25), on subsets of a set.

    Parameters
    ----------
    dim_x, dim : int
    n_heads : int
    n_inducing : int
    """

    def __init__(self, dim_x: int, dim: int, n_heads: int, n_inducing: int) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.empty(n_inducing, dim))
        nn.init.xavier_uniform_(self.inducing)
        self.gather = MAB(dim, dim_x, dim, n_heads)
        self.spread = MAB(dim_x, dim, dim, n_heads)

    def project(self, x: Tensor) -> Tensor:
        """Compute the terms that depend on single elements: (..., dim_x) to (..., 3 dim)."""
        return torch.cat([self.gather.key(x), self.gather.value(x), self.spread.query(x)], dim=-1)

    def subsets(self, projected: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map projections (batch, n, 3 dim) to (batch, n, dim), for the mask (batch, n) of each subset."""
        key, value, query = projected.chunk(3, dim=-1)
        seeds = self.gather.query(self.inducing).expand(len(projected), -1, -1)
        summary = self.gather.attend(seeds, key, value, mask)
        return self.spread.attend(query, self.spread.key(summary), self.spread.value(summary))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map x (batch, n, dim_x), with the mask (batch, n) of its elements, to (batch, n, dim)."""
        return self.subsets(self.project(x), mask)
