"""The papers' tables, and what of them graphclust reaches: a table a module, each with the command that makes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from graphclust.errors import unknown

__all__ = ["TABLES", "table_named"]

TABLES: dict[str, str] = {
    "acp-table2": "graphclust.reproduce.acp_table2",
    "clam-table1": "graphclust.reproduce.clam_tables",
    "clam-graphs": "graphclust.reproduce.clam_graphs",
    "cnc-table1": "graphclust.reproduce.cnc_tables",
    "cnc-graphs": "graphclust.reproduce.cnc_graphs",
    "lnscc-table2": "graphclust.reproduce.lnscc_tables",
    "lnscc-table4": "graphclust.reproduce.lnscc_ablations",
    "lnscc-graphs": "graphclust.reproduce.lnscc_graphs",
}


def table_named(name: str) -> tuple[Callable[..., dict[str, Any]], tuple[str, ...]]:
    """Return the function that makes a table, and the columns to show of its rows.

    Raises
    ------
    UsageError
        No such table; names the nearest.

    Examples
    --------
    >>> table_named("acp-table2")[1][:3]
    ('row', 'paper_ami', 'ami')
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    module = importlib.import_module(TABLES[name])
    return module.reproduce, module.COLUMNS
