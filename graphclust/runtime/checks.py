"""Checks of parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from graphclust.errors import UsageError

__all__ = ["check_count", "check_hierarchy", "check_number", "check_sequence", "refuse_unknown"]

_MAX_COUNT = 2**31


def check_count(name: str, value: Any, low: int = 1) -> None:
    """Check that a parameter is an integer of at least `low` that fits into 32 bits.

    Raises
    ------
    UsageError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value < _MAX_COUNT:
        what = "a positive integer" if low == 1 else f"an integer of at least {low}"
        raise UsageError(f"{name} is {what}, not {value!r}")


def check_hierarchy(hierarchy: Any, n_clusters: int | None) -> None:
    """Check that `hierarchy` is True or False, and that there is no number of communities beside it.

    Raises
    ------
    UsageError
        It is something else, or there is a number.
    """
    if not isinstance(hierarchy, bool):
        raise UsageError(f"hierarchy is True or False, not {hierarchy!r}")
    if hierarchy and n_clusters is not None:
        raise UsageError("a hierarchy has all numbers of communities: leave out n_clusters (-k), and cut it")


def check_number(name: str, value: Any) -> None:
    """Check that a parameter is a finite number of at least 0.

    Raises
    ------
    UsageError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise UsageError(f"{name} is a finite non-negative number, not {value!r}")


def refuse_unknown(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Check that a parameter is one of its choices.

    Raises
    ------
    UsageError
        It is not.
    """
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        shown = ", ".join("None" if choice is None else str(choice) for choice in choices)
        raise UsageError(f"{name} is one of {shown}, not {value!r}")


def check_sequence(name: str, value: Any, *, empty: bool = False) -> None:
    """Check that a parameter is a sequence, and not empty unless `empty` is True. The elements are not checked.

    Raises
    ------
    UsageError
        It is not.

    Examples
    --------
    >>> check_sequence("hidden", 64)
    Traceback (most recent call last):
    graphclust.errors.UsageError: hidden is a sequence, not 64; write a single value as [value]
    """
    listed = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)
    if not listed or getattr(value, "ndim", 1) != 1:
        raise UsageError(f"{name} is a sequence, not {value!r}; write a single value as [value]")
    if not len(value) and not empty:
        raise UsageError(f"{name} needs at least one value")
