"""Labels as callers give them: in tensors, arrays, Series, tables and mappings; and what counts as missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.runtime.arrays import IntArray

__all__ = ["is_missing", "is_missing_text", "plain_labels", "whole_numbers"]

_MAX_DIGITS = 15  # of numbers of communities that are kept
_MISSING = {"", "na", "n/a", "nan", "<na>", "null", "none", "-"}


def is_missing(label: Any) -> bool:
    """Whether a label says that there is none: None, NaN, pandas' NA and NaT, an empty string."""
    if label is None or (isinstance(label, str) and not label):
        return True
    return (isinstance(label, float | np.floating) and label != label) or type(label).__name__ in ("NAType", "NaTType")


def plain_labels(truth: Any) -> Any:
    """Bring tensors, arrays, Series and tables into Python's own containers."""
    if hasattr(truth, "columns") and hasattr(truth, "iloc"):  # a DataFrame: node, community
        if len(truth.columns) < 2:
            raise DataError(f"a table of labels has two columns, node and label, not {len(truth.columns)}")
        return dict(zip(truth.iloc[:, 0].tolist(), truth.iloc[:, 1].tolist(), strict=True))
    if hasattr(truth, "to_dict") and hasattr(truth, "index"):  # a Series: its index are the nodes
        return truth.to_dict()
    if hasattr(truth, "detach"):
        truth = truth.detach().cpu().numpy()
    if isinstance(truth, np.ndarray):
        if truth.ndim != 1:
            raise DataError(f"labels of the nodes must be an array of one dimension, not {truth.ndim}")
        unknown = truth.dtype.kind == "i" and bool((truth == -1).any())  # as in Graph.y
        return [None if label == -1 else label for label in truth.tolist()] if unknown else truth.tolist()
    return truth


def whole_numbers(labels: Sequence[Any]) -> IntArray | None:
    """Return distinct labels as numbers, if they are whole, not negative and different; None otherwise.

    Examples
    --------
    >>> whole_numbers(["7", 0, 3.0])
    array([7, 0, 3])
    >>> whole_numbers(["1", "01"]) is None, whole_numbers(["a"]) is None
    (True, True)
    """
    numbers = [_whole_number(label) for label in labels]
    if None in numbers or len(set(numbers)) < len(numbers):
        return None
    return np.array(numbers, dtype=np.int64)


def _whole_number(label: Any) -> int | None:
    if isinstance(label, bool | np.bool_):
        return None
    if isinstance(label, float | np.floating) and float(label).is_integer():
        label = int(label)
    if isinstance(label, int | np.integer):
        return int(label) if 0 <= label < 10**_MAX_DIGITS else None
    text = str(label)
    return int(text) if len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() else None


def is_missing_text(text: str) -> bool:
    """Whether a text is what R, pandas and databases write for a missing value: NA, NaN, null or nothing.

    Examples
    --------
    >>> is_missing_text("NA"), is_missing_text("-"), is_missing_text("0")
    (True, True, False)
    """
    return text.strip().lower() in _MISSING
