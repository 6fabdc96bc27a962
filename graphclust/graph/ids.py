"""Node ids: their order, and ids that are all decimal integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import DataError
from graphclust.runtime.arrays import IntArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_DECIMAL", "ChosenIds", "DecimalIds", "IntegerIds", "JoinedIds", "TextIds"]

_MOST_AT_ONCE = 1 << 16  # ids that are spelt out together
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

    def __contains__(self, node: object) -> bool:
        try:
            value = int(node) if isinstance(node, str) else None
        except ValueError:
            value = None
        return value is not None and str(value) == node and bool((self.values == value).any())

    def __getitem__(self, index: Any) -> Any:
        return DecimalIds(self.values[index]) if isinstance(index, slice) else str(self.values[index])


class IntegerIds(Sequence[int]):
    """Ids that are integers, kept as an array.

    Parameters
    ----------
    values : ndarray of int64, shape (n_nodes,)
        Distinct.
    """

    def __init__(self, values: IntArray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[int]:
        return iter(self.values.tolist())

    def __getitem__(self, index: Any) -> Any:
        return IntegerIds(self.values[index]) if isinstance(index, slice) else int(self.values[index])


class TextIds(Sequence[str]):
    """Ids that are strings, kept as an Arrow array, which can lie in a file.

    Parameters
    ----------
    values : pyarrow.ChunkedArray of string, shape (n_nodes,)
        Distinct.
    """

    def __init__(self, values: pa.ChunkedArray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, node: object) -> bool:
        import pyarrow.compute as pc

        return isinstance(node, str) and pc.index(self.values, node).as_py() >= 0

    def __iter__(self) -> Iterator[str]:
        for chunk in self.values.iterchunks():
            for first in range(0, len(chunk), _MOST_AT_ONCE):
                yield from chunk.slice(first, _MOST_AT_ONCE).to_pylist()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            return TextIds(self.values.slice(first, last - first)) if step == 1 else list(self)[index]
        return self.values[int(index)].as_py()


class JoinedIds(Sequence[Any]):
    """Ids of two kinds, one after the other.

    Parameters
    ----------
    first, second : sequence
    """

    def __init__(self, first: Sequence[Any], second: Sequence[Any]) -> None:
        self.first, self.second = first, second

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __contains__(self, node: object) -> bool:
        return node in self.first or node in self.second

    def __iter__(self) -> Iterator[Any]:
        yield from self.first
        yield from self.second

    def __getitem__(self, index: Any) -> Any:
        n = len(self.first)
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            if step != 1:
                return list(self)[index]
            return JoinedIds(
                self.first[min(first, n) : min(last, n)], self.second[max(first - n, 0) : max(last - n, 0)]
            )
        place = range(len(self))[index]
        return self.first[place] if place < n else self.second[place - n]


class ChosenIds(Sequence[Any]):
    """Some ids of a graph, looked up when they are asked for: most methods never do.

    Parameters
    ----------
    ids : sequence
    positions : ndarray of int64, shape (n_nodes,)
    """

    def __init__(self, ids: Sequence[Hashable], positions: IntArray) -> None:
        self.ids: Sequence[Hashable] = ids
        self.positions: IntArray = positions
        if isinstance(ids, ChosenIds):
            self.ids, self.positions = ids.ids, ids.positions[positions]

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[Any]:
        return map(self.ids.__getitem__, self.positions.tolist())

    def __reduce__(self) -> Any:
        return list, (list(self),)  # without the other ids

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ChosenIds(self.ids, self.positions[index])
        return self.ids[int(self.positions[index])]


def has_distinct_texts(ids: Sequence[Hashable]) -> bool:
    """Whether ids are known to have different texts, because they are all integers or all strings."""
    if isinstance(ids, ChosenIds):
        return has_distinct_texts(ids.ids)
    return isinstance(ids, range | DecimalIds | IntegerIds | TextIds | JoinedIds)


def are_same(first: Sequence[Hashable], second: Sequence[Hashable]) -> bool:
    """Whether two sequences have the same ids in the same order."""
    if first is second:
        return True
    if len(first) != len(second):
        return False
    if isinstance(first, DecimalIds) and isinstance(second, DecimalIds):
        return bool(np.array_equal(first.values, second.values))
    if isinstance(first, ChosenIds) and isinstance(second, ChosenIds) and first.ids is second.ids:
        return bool(np.array_equal(first.positions, second.positions))
    if isinstance(first, range) and isinstance(second, range):
        return first == second
    return list(first) == list(second)


def places_of(nodes: Sequence[Hashable], ids: Sequence[Hashable]) -> IntArray:
    """Return the positions of nodes among ids, -1 where they are missing.

    A node that is missing has the place of the id with the same text, if there is a single one that no other node has.

    Examples
    --------
    >>> places_of(["a", "1", "b"], ["b", 1, "c"]).tolist()
    [-1, 1, 0]
    """
    index = {node: i for i, node in enumerate(ids)}
    places = np.fromiter((index.get(node, -1) for node in nodes), dtype=np.int64, count=len(nodes))
    missing = np.flatnonzero(places < 0).tolist()
    if not missing:
        return places
    taken = set(places.tolist())
    free: dict[str, int] = {}
    for node, i in index.items():
        if i not in taken:
            free[str(node)] = -1 if str(node) in free else i
    texts = Counter(str(nodes[i]) for i in missing)
    for i in missing:
        text = str(nodes[i])
        if texts[text] == 1:
            places[i] = free.get(text, -1)
    return places


def canonical_positions(ids: Sequence[Hashable]) -> IntArray:
    """Return the positions that sort ids; see `Graph.canonical_order`.

    Examples
    --------
    >>> canonical_positions(["b", 10, "9", "a"]).tolist()
    [2, 1, 3, 0]
    """
    numbers = _whole_numbers(ids)
    if numbers is not None:
        order: IntArray = np.argsort(numbers, kind="stable").astype(np.int64)
        return order
    keys = [_canonical_key(node) for node in ids]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _whole_numbers(ids: Sequence[Hashable]) -> IntArray | None:
    """Return ids that are all whole numbers, or all spelt as such, as an array; None for others."""
    if isinstance(ids, DecimalIds | IntegerIds):
        return ids.values
    names: Any = ids
    kinds = set(map(type, names))
    try:
        if kinds == {int}:
            return np.fromiter(names, dtype=np.int64, count=len(ids))
        if kinds == {str}:
            values = np.fromiter(map(int, names), dtype=np.int64, count=len(ids))
            is_short = max(-int(values.min()), int(values.max())) < 10**MAX_DECIMAL
            is_plain = is_short and all(map(str.__eq__, map(str, values.tolist()), names))
            return values if is_plain else None
    except (ValueError, OverflowError):
        pass
    return None


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
