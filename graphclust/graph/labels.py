"""Labels as callers give them: in tensors, arrays, Series, tables and mappings; and what counts as missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.errors import DataError

__all__ = ["is_missing", "is_missing_text", "plain_labels"]

_MISSING = {"", "na", "n/a", "nan", "<na>", "null", "none", "-"}


def is_missing(label: Any) -> bool:
    """Whether a label says that there is none: None, NaN, pandas' NA and NaT, an empty string."""
    if label is None or (isinstance(label, str) and not label):
        return True
    return (isinstance(label, float | np.floating) and label != label) or type(label).__name__ in ("NAType", "NaTType")


def plain_labels(truth: Any) -> Any:
    """Bring tensors, arrays, Series and tables into Python's own containers."""
    if hasattr(truth, "columns") and hasattr(truth, "iloc"):  # a DataFrame: node, community
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


def is_missing_text(text: str) -> bool:
    """Whether a text is what R, pandas and databases write for a missing value: NA, NaN, null or nothing.

    Examples
    --------
    >>> is_missing_text("NA"), is_missing_text("-"), is_missing_text("0")
    (True, True, False)
    """
    return text.strip().lower() in _MISSING
