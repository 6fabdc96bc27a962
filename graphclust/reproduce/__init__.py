"""The papers' tables, and what of them graphclust reaches: a table a module, each with the command that makes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from graphclust.errors import unknown

__all__ = ["TABLES", "Table", "table_named"]

TABLES: dict[str, str] = {
    "acp-table1": "graphclust.reproduce.acp_table1",
    "acp-table2": "graphclust.reproduce.acp_table2",
    "acp-fig4": "graphclust.reproduce.acp_fig4",
    "acp-table3": "graphclust.reproduce.acp_table3",
    "acp-table4": "graphclust.reproduce.acp_table4",
    "acp-families": "graphclust.reproduce.acp_families",
    "acp-mixtures": "graphclust.reproduce.acp_mixtures",
    "clam-table1": "graphclust.reproduce.clam_tables",
    "clam-graphs": "graphclust.reproduce.clam_graphs",
    "cnc-table1": "graphclust.reproduce.cnc_tables",
    "cnc-graphs": "graphclust.reproduce.cnc_graphs",
    "lnscc-table2": "graphclust.reproduce.lnscc_tables",
    "lnscc-table4": "graphclust.reproduce.lnscc_ablations",
    "lnscc-graphs": "graphclust.reproduce.lnscc_graphs",
}


@dataclass(frozen=True)
class Table:
    """How a table is made.

    Attributes
    ----------
    make : callable
        Returns rows, peers, settings.
    columns : tuple of str
        What to show of the rows.
    draw : callable or None
        What was made, a binary file, and the name that tells its format: the table's figure.
    """

    make: Callable[..., dict[str, Any]]
    columns: tuple[str, ...]
    draw: Callable[[Mapping[str, Any], BinaryIO, str], None] | None = None


def table_named(name: str) -> Table:
    """Return how a table is made.

    Raises
    ------
    UsageError
        No such table; names the nearest.

    Examples
    --------
    >>> table_named("acp-table2").columns[:3]
    ('row', 'paper_ami', 'ami')
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    module = importlib.import_module(TABLES[name])
    return Table(module.reproduce, module.COLUMNS, getattr(module, "draw", None))
