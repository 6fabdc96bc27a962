"""Node ids: their order, and ids that are all decimal integers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.runtime.arrays import IntArray

__all__ = ["MAX_DECIMAL", "DecimalIds"]

MAX_DECIMAL = 17  # digits that surely fit into 64 bits; the parsers of edge lists draw the line here too


class DecimalIds(Sequence[str]):
    """String ids that are all decimal integers, kept as an integer array and spelt out when looked at.

    A file of a million edges names its nodes by numbers; making a Python string of each costs more than parsing them.

    Parameters
    ----------
    values : ndarray of int64, shape (n_nodes,)
        Distinct, non-negative.
    """

    def __init__(self, values: IntArray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[str]:
        return map(str, self.values.tolist())

    def __getitem__(self, index: Any) -> Any:
        return DecimalIds(self.values[index]) if isinstance(index, slice) else str(self.values[index])


def _canonical_key(node: Hashable) -> tuple[Any, ...]:
    """Sort key of a node id: numbers by value (also when spelt as a string), then strings, then everything else."""
    if isinstance(node, int | np.integer):
        return (0, int(node), 0)
    if isinstance(node, float | np.floating) and node == node:  # not NaN
        return (0, float(node), 1)
    if isinstance(node, str):
        digits = node.removeprefix("-")
        if len(digits) <= MAX_DECIMAL and digits.isascii() and digits.isdigit() and str(int(node)) == node:
            return (0, int(node), 2)
        return (1, node)
    if isinstance(node, bytes):
        return (2, node)
    if isinstance(node, tuple):
        return (3, tuple(map(_canonical_key, node)))
    if isinstance(node, frozenset):
        return (4, tuple(sorted(map(_canonical_key, node))))
    kind = type(node)
    spelt = repr(node)
    spelt = "" if kind.__repr__ is object.__repr__ or " at 0x" in spelt else spelt  # an address is no order at all
    return (5, kind.__module__, kind.__qualname__, spelt)


def _check_ids(ids: Sequence[Hashable]) -> None:
    try:
        repeated = len(set(ids)) < len(ids)
    except TypeError as error:
        raise DataError(f"a node id cannot be hashed: {error}") from None
    if repeated:
        raise DataError("two nodes have the same id")


def _is_missing(node: Any) -> bool:
    """Whether an id is None, NaN or pandas' NA."""
    try:
        return node is None or bool(node != node)
    except TypeError:
        return True
