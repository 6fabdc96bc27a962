"""The papers' tables, and what of them graphclust reaches: a table a module, each with the command that makes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from graphclust.errors import unknown

__all__ = ["TABLES", "table_named"]

TABLES: dict[str, str] = {
    "acp-table2": "graphclust.reproduce.acp_table2",
}


def table_named(name: str) -> Callable[..., dict[str, Any]]:
    """Return the function that makes a table.

    Raises
    ------
    UsageError
        No such table; names the nearest.

    Examples
    --------
    >>> table_named("acp-table2").__name__
    'reproduce'
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    found: Callable[..., dict[str, Any]] = importlib.import_module(TABLES[name]).reproduce
    return found
