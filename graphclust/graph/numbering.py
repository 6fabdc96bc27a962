"""Numbers for the ids of a graph whose edges come in pieces, without all strings in memory at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from graphclust.graph.ids import DecimalIds, IntegerIds, JoinedIds, TextIds
from graphclust.runtime.arrays import IntArray, index_dtype
from graphclust.runtime.storage import Storage

__all__ = ["Numbering"]

_SHARE_OF_TABLE = 16  # of the memory, for a byte for each number that an id could be
_SAMPLES = 64  # of each piece, from which the borders between parts of the alphabet are chosen


class Numbering:
    """The ids of several pieces, which are sorted and numbered at the end.

    Whole numbers are kept in memory, 8 bytes each. The strings of each piece are sorted and written to a file; at the
    end, one part of the alphabet after the other is merged.

    Parameters
    ----------
    storage : Storage

    Examples
    --------
    >>> numbering = Numbering(Storage(1e6))
    >>> for piece in (DecimalIds(np.array([3, 7])), DecimalIds(np.array([1, 7]))):
    ...     numbering.add(piece)
    >>> ids, numbers = numbering.finish()
    >>> list(ids), [part.tolist() for part in numbers]
    (['1', '3', '7'], [[1, 2], [0, 2]])
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._values: list[IntArray] = []  # of each piece
        self._texts: list[Any] = []
        self._are_integers = False
        self._distinct, self._is_there = np.zeros(0, np.int64), np.zeros(0, dtype=bool)

    def __len__(self) -> int:
        return len(self._values)

    def add(self, ids: Sequence[Hashable]) -> None:
        """Add the ids of the next piece: distinct and in canonical order, all integers or all strings."""
        first: Any
        second: Any
        first, second = (ids.first, ids.second) if isinstance(ids, JoinedIds) else (ids, None)
        if not isinstance(first, DecimalIds | IntegerIds):
            first, second = DecimalIds(np.zeros(0, np.int64)), first
        self._are_integers = self._are_integers or isinstance(first, IntegerIds)
        self._values.append(self._kept(first.values))
        self._texts.append(None if second is None else self._written(second.values))
        self._note(first.values)

    def drop(self, n_pieces: int) -> None:
        """Forget all pieces but the first ones."""
        del self._values[n_pieces:], self._texts[n_pieces:]
        self._distinct, self._is_there = np.zeros(0, np.int64), np.zeros(0, dtype=bool)
        for values in self._values:
            self._note(values)

    def _note(self, values: IntArray) -> None:
        """Remember whole numbers: in a table, or, if that were too long, in a sorted array."""
        top = int(values.max(initial=0))
        if values.min(initial=0) >= 0 and top < self._storage.memory // _SHARE_OF_TABLE:
            if top >= len(self._is_there):
                longer = np.zeros(top + top // 4 + 1024, dtype=bool)
                longer[: len(self._is_there)] = self._is_there
                self._is_there = longer
            self._is_there[values] = True
        else:
            self._distinct = np.unique(np.concatenate((self._distinct, values)))

    def _kept(self, values: IntArray) -> IntArray:
        place: IntArray = self._storage.array(len(values), np.int64)
        place[:] = values
        return place

    def _written(self, texts: Any) -> Any:
        """Return an Arrow array of strings that lies in the storage."""
        import pyarrow as pa

        joined = texts.combine_chunks().cast(pa.large_string())
        if isinstance(joined, pa.ChunkedArray):
            joined = pa.concat_arrays(joined.chunks)
        _, offsets, content = joined.buffers()
        start = np.frombuffer(offsets, np.int64)[joined.offset : joined.offset + len(joined) + 1]
        own = self._storage.array(len(start), np.int64)
        own[:] = start - start[0]
        letters = self._storage.array(int(own[-1]), np.uint8)
        letters[:] = np.frombuffer(content, np.uint8)[start[0] : start[-1]] if content is not None else 0
        return pa.LargeStringArray.from_buffers(len(joined), pa.py_buffer(own), pa.py_buffer(letters))

    def finish(self) -> tuple[Sequence[Any], list[IntArray]]:
        """Return all ids in canonical order, and for each piece the numbers of its ids."""
        self._distinct = np.union1d(self._distinct, np.flatnonzero(self._is_there))
        self._is_there = np.zeros(0, dtype=bool)
        n_values = len(self._distinct)
        most = n_values + sum(0 if texts is None else len(texts) for texts in self._texts)
        numbers = [
            self._storage.array(len(values) + (0 if texts is None else len(texts)), index_dtype(most))
            for values, texts in zip(self._values, self._texts, strict=True)
        ]
        for place, values in zip(numbers, self._values, strict=True):
            place[: len(values)] = np.searchsorted(self._distinct, values)
        first = IntegerIds(self._distinct) if self._are_integers else DecimalIds(self._distinct)
        if all(texts is None for texts in self._texts):
            return first, numbers
        second = TextIds(self._merged_texts([place[len(v) :] for place, v in zip(numbers, self._values, strict=True)]))
        return JoinedIds(first, second) if n_values else second, numbers

    def _merged_texts(self, numbers: list[IntArray]) -> Any:
        """Return the strings of all pieces in order, after writing the number of each to its place in `numbers`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        pieces = [(texts, place) for texts, place in zip(self._texts, numbers, strict=True) if texts is not None]
        size = sum(texts.nbytes for texts, _ in pieces)
        borders = self._borders([texts for texts, _ in pieces], int(2 * size // self._storage.window) + 1)
        cuts = [[0, *(_place(texts, border) for border in borders), len(texts)] for texts, _ in pieces]
        merged, n = [], len(self._distinct)
        for part in range(len(borders) + 1):
            slices = [
                (texts.slice(cut[part], cut[part + 1] - cut[part]), place[cut[part] : cut[part + 1]])
                for (texts, place), cut in zip(pieces, cuts, strict=True)
            ]
            encoded = pa.concat_arrays([texts for texts, _ in slices]).dictionary_encode()
            order = pc.array_sort_indices(encoded.dictionary)
            rank = np.empty(len(order), np.int64)
            rank[np.asarray(order)] = np.arange(n, n + len(order))
            codes, first = np.asarray(encoded.indices), 0
            for texts, place in slices:
                place[:] = rank[codes[first : first + len(texts)]]
                first += len(texts)
            merged.append(self._written(pa.chunked_array([encoded.dictionary.take(order)])))
            n += len(order)
            self._storage.release()
        return pa.chunked_array(merged)

    def _borders(self, pieces: list[Any], n_parts: int) -> list[str]:
        """Return strings that divide the alphabet into parts of about the same size."""
        if n_parts <= 1:
            return []
        sample = sorted(text.as_py().encode() for texts in pieces for text in texts[:: max(len(texts) // _SAMPLES, 1)])
        chosen = {sample[len(sample) * part // n_parts] for part in range(1, n_parts)}
        return [text.decode() for text in sorted(chosen)]


def _place(texts: Any, border: str) -> int:
    """Return how many of the sorted strings come before a border."""
    low, high = 0, len(texts)
    while low < high:
        middle = (low + high) // 2
        if texts[middle].as_py().encode() < border.encode():
            low = middle + 1
        else:
            high = middle
    return low
