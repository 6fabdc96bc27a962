"""Padded batches of graphs or point sets, the input of encoders and models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Batch", "Packing", "blocks"]

_BLOCK = 1 << 12  # vectors that are processed at once on a CPU without gradients: some megabytes
_BLOCK_GPU = 1 << 22


@dataclass(frozen=True)
class Batch:
    """Padded graphs.

    Attributes
    ----------
    x : Tensor, shape (batch, n_max, n_features)
        Input features; 0 beyond a graph's nodes.
    mask : Tensor of bool, shape (batch, n_max)
        True for nodes, False for padding.
    adjacency : Tensor of bool or float, shape (batch, n_max, n_max), or None
        Symmetric, without self-loops; None for points without a graph.
    labels : Tensor of int64, shape (batch, n_max), or None
        Clusters; -1 beyond a graph's nodes.
    known : Tensor of int64, shape (batch, n_max), or None
        1 + the label of nodes whose label is given to the model (semi-supervised, section B.3), 0 for the others.
    """

    x: Tensor
    mask: Tensor
    adjacency: Tensor | None = None
    labels: Tensor | None = None
    known: Tensor | None = None

    @classmethod
    def of(
        cls,
        features: NDArray[Any],
        n_nodes: NDArray[Any],
        adjacency: NDArray[Any] | None = None,
        labels: NDArray[Any] | None = None,
    ) -> Self:
        """Build from arrays: features (batch, n_max, n_features), n_nodes (batch,), adjacency, labels."""
        x = torch.as_tensor(features, dtype=torch.get_default_dtype())
        mask = torch.arange(x.shape[1]) < torch.as_tensor(n_nodes)[:, None]
        return cls(
            x,
            mask,
            None if adjacency is None else torch.as_tensor(adjacency),
            None if labels is None else torch.as_tensor(labels, dtype=torch.int64),
        )

    def __len__(self) -> int:
        return len(self.mask)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move all tensors as `Tensor.to` does; a dtype is applied to the features only."""
        x = self.x.to(*args, **kwargs)
        others: dict[str, Any] = {
            field.name: None if (value := getattr(self, field.name)) is None else value.to(x.device)
            for field in fields(self)
            if field.name != "x"
        }
        return replace(self, x=x, **others)


class Packing:
    """Conversion between padded batches and their nodes without padding, to which nodewise layers are applied.

    Parameters
    ----------
    mask : Tensor of bool, shape (batch, n_max)

    Examples
    --------
    >>> packing = Packing(torch.tensor([[True, True], [True, False]]))
    >>> packing.pack(torch.tensor([[[1.0], [2.0]], [[3.0], [9.0]]])).squeeze(1).tolist()
    [1.0, 2.0, 3.0]
    >>> packing.unpack(torch.tensor([[1.0], [2.0], [3.0]])).squeeze(2).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """

    def __init__(self, mask: Tensor) -> None:
        self.shape = mask.shape
        self.places = mask.flatten().nonzero().squeeze(1)
        self.full = len(self.places) == mask.numel()

    def pack(self, x: Tensor) -> Tensor:
        """Map (batch, n_max, d) to (n_nodes, d)."""
        flat = x.flatten(0, 1)
        return flat if self.full else flat.index_select(0, self.places)

    def unpack(self, y: Tensor) -> Tensor:
        """Map (n_nodes, d) to (batch, n_max, d), with 0 as padding."""
        if not self.full:
            y = y.new_zeros(self.shape.numel(), y.shape[-1]).index_copy(0, self.places, y)
        return y.unflatten(0, self.shape)


def blocks(shape: Sequence[int], device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Cut a table of shape (rows, columns, vectors) into blocks of rows and columns that fit in a processor's cache.

    Examples
    --------
    >>> list(blocks((2, 3, 2000), torch.device("cpu")))[:2]
    [(slice(0, 1, None), slice(0, 2, None)), (slice(0, 1, None), slice(2, 4, None))]
    """
    n_rows, n_columns, n_vectors = shape
    limit = _BLOCK if device.type == "cpu" else _BLOCK_GPU
    rows = max(1, limit // max(n_columns * n_vectors, 1))
    columns = max(1, limit // max(rows * n_vectors, 1))
    for i in range(0, n_rows, rows):
        for j in range(0, n_columns, columns):
            yield slice(i, i + rows), slice(j, j + columns)
