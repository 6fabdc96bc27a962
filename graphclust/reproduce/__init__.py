"""Reproduction of the papers' tables, with one module per table."""

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
    """Functions that make and draw a table.

    Attributes
    ----------
    make : callable
        Returns a dictionary with rows, peers and settings.
    columns : tuple of str
        Columns of the rows to print.
    draw : callable or None
        Draws the figure of the table. Its arguments are the result of `make`, a binary file, and the file name, whose
        extension determines the format.
    """

    make: Callable[..., dict[str, Any]]
    columns: tuple[str, ...]
    draw: Callable[[Mapping[str, Any], BinaryIO, str], None] | None = None


def table_named(name: str) -> Table:
    """Return the functions that make and draw a table.

    Raises
    ------
    UsageError
        The table is unknown. The message suggests similar names.

    Examples
    --------
    >>> table_named("acp-table2").columns[:3]
    ('row', 'paper_ami', 'ami')
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    module = importlib.import_module(TABLES[name])
    return Table(module.reproduce, module.COLUMNS, getattr(module, "draw", None))
