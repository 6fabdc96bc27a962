"""Node features from a file: a table of numbers with or without the nodes' ids, or NumPy's and SciPy's archives."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import FloatArray
from graphclust.io.source import Source, open_source

__all__ = ["read_features"]


def read_features(path: str | os.PathLike[str], nodes: Sequence[Any]) -> FloatArray:
    """Read the features of a graph's nodes.

    Parameters
    ----------
    path : str or PathLike
        Text: numbers separated by tabs, commas, semicolons or spaces, a node a line, with or without a header, perhaps
        compressed. Where the first column holds the nodes' ids, lines may come in any order; else nodes are 0, 1, ...
        or 1, 2, ... and line i is the i-th of them. Or .npy or .npz, rows being nodes in that order.
    nodes : sequence
        Ids, in the order of the result.

    Returns
    -------
    ndarray of float64, shape (n_nodes, n_features)

    Raises
    ------
    DataError
        Something is no number, is missing or infinite; a node has no line or two; rows do not tell their nodes.
    """
    source = open_source(path)
    if source.data[:6] == b"\x93NUMPY" or source.data[:2] == b"PK":
        return _in_order(_array(source), nodes, source)
    text = _table(source)
    names = text[:, 0].tolist()
    wanted = [str(node) for node in nodes]
    if text.shape[1] > 1 and set(wanted) <= set(names):
        place = dict(zip(names, range(len(names)), strict=True))
        if len(place) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise source.error(f"two lines of features for the node {twice!r}")
        return _numbers(text[:, 1:], source)[[place[name] for name in wanted]]
    try:
        values = _numbers(text, source)
    except DataError:
        missing = next((name for name in wanted if name not in set(names)), None)
        if missing is not None and len(set(wanted) & set(names)):
            raise source.error(f"no features for the node {missing!r}") from None
        raise
    return _in_order(values, nodes, source)


def _table(source: Source) -> Any:
    """Return the cells as strings, without a header."""
    import pandas as pd

    lines = source.data.split(b"\n", 1)
    first = lines[0].decode("utf-8", "replace")
    separator = next((sign for sign in ("\t", ",", ";") if sign in first), r"\s+")
    try:
        frame = pd.read_csv(io.BytesIO(source.data), sep=separator, header=None, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
        raise source.error(f"no table of features: {str(error).strip()}") from None
    cells = frame.to_numpy(dtype=str)
    return cells[1:] if len(cells) > 1 and not any(_is_number(cell) for cell in cells[0][-1:]) else cells


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(cells: Any, source: Source) -> FloatArray:
    try:
        values: FloatArray = cells.astype(np.float64)
    except ValueError as error:
        raise source.error(f"a feature is no number: {error}") from None
    return _finite(values, source)


def _finite(values: FloatArray, source: Source) -> FloatArray:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = (bad[0] + 1).tolist()
        raise source.error(f"the feature in column {column} of row {row} is missing or infinite")
    return values


def _array(source: Source) -> FloatArray:
    """Read .npy, or .npz with one array or a sparse matrix."""
    try:
        loaded = np.load(io.BytesIO(source.data), allow_pickle=False)
        if hasattr(loaded, "files"):
            if "indptr" in loaded.files:
                import scipy.sparse as sp

                loaded = sp.load_npz(io.BytesIO(source.data)).toarray()
            elif len(loaded.files) == 1:
                loaded = loaded[loaded.files[0]]
            else:
                raise ValueError(f"arrays {', '.join(loaded.files)}: which are the features?")
        values: FloatArray = np.asarray(loaded, dtype=np.float64)
    except (ValueError, OSError, KeyError) as error:
        raise source.error(f"no array of features: {error}") from None
    if values.ndim != 2:
        raise source.error(f"features are an array of two dimensions, not {values.ndim}")
    return _finite(values, source)


def _in_order(values: FloatArray, nodes: Sequence[Any], source: Source) -> FloatArray:
    """Give rows without ids to nodes that are numbers in a row."""
    numbers = [int(str(node)) if str(node).isdecimal() else -1 for node in nodes]
    low = min(numbers, default=0)
    if sorted(numbers) != list(range(low, low + len(numbers))) or low not in (0, 1):
        raise source.error("the rows do not tell their nodes: the first column should hold the nodes' ids")
    if len(values) != len(numbers):
        raise source.error(f"{len(values):,} rows of features for {len(numbers):,} nodes")
    return values[np.array(numbers, dtype=np.int64) - low]
