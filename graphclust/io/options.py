"""How a graph file is to be read: what the caller has decided, in one value that travels with the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph.column_names import split_names

__all__ = ["COMMON", "ReadOptions"]

COMMON = frozenset({"directed", "weights", "negative", "threshold", "encoding"})  # what every format takes
_NEGATIVE = ("drop", "absolute")


@dataclass(frozen=True)
class ReadOptions:
    """What the caller has decided about a file. None leaves the decision to the reader.

    Attributes
    ----------
    directed : bool, optional
        Whether the edges have a direction. False adds up the weights of opposite edges.
    weights : bool, optional
        False ignores weights, so that every edge counts 1. True requires them.
    weight : str, optional
        The column or the attribute of the edges that holds the weights.
    columns : tuple of str, optional
        Columns of a table: source, target and perhaps weight, by name or by number from 1.
    id : str, optional
        The attribute of the nodes that holds their ids.
    bipartite : bool, optional
        Whether the two columns of a table hold different kinds of nodes, which never have ids in common.
    negative : {"drop", "absolute"}, optional
        How to treat negative weights, which are refused by default.
    threshold : float, optional
        Edges with smaller weights are left out; their nodes are kept.
    delimiter : str, optional
        Separator of the columns: a character, or its name.
    header : bool, optional
        Whether the first line names the columns.
    comment : str, optional
        Prefix of comment lines, "none" for none.
    encoding : str, optional
        Encoding of the text.
    """

    directed: bool | None = None
    weights: bool | None = None
    weight: str | None = None
    columns: tuple[str, ...] | None = None
    id: str | None = None
    bipartite: bool | None = None
    negative: str | None = None
    threshold: float | None = None
    delimiter: str | None = None
    header: bool | None = None
    comment: str | None = None
    encoding: str | None = None

    @classmethod
    def of(cls, *, columns: str | Sequence[str] | None = None, **options: object) -> ReadOptions:
        """Return checked options.

        Parameters
        ----------
        columns : str or sequence of str, optional
            As one text, the names are separated by commas.
        **options
            The other attributes.

        Raises
        ------
        UsageError
            A value that is not allowed, or two options that contradict each other.

        Examples
        --------
        >>> ReadOptions.of(columns="from,to").columns
        ('from', 'to')
        """
        names = split_names(columns) if isinstance(columns, str) else None if columns is None else tuple(columns)
        made = cls(columns=names if names is None else tuple(map(str, names)), **options)  # type: ignore[arg-type]
        made._check()
        return made

    def _check(self) -> None:
        if self.negative not in (None, *_NEGATIVE):
            raise UsageError(f"negative must be {' or '.join(_NEGATIVE)}, not {self.negative!r}")
        if self.columns is not None and len(self.columns) not in (2, 3):
            raise UsageError(f"columns must name source, target and perhaps weight, not {','.join(self.columns)!r}")
        if self.columns is not None and len(self.columns) == 3 and self.weight not in (None, self.columns[2]):
            raise UsageError(f"the weight is named twice: {self.columns[2]!r} by columns and {self.weight!r} by weight")
        numbered = {"weight": self.weight, "threshold": self.threshold, "negative": self.negative}
        contradicting = [name for name, value in numbered.items() if value is not None]
        if self.weights is False and contradicting:
            raise UsageError(f"--no-weights contradicts --{contradicting[0]}")
        threshold: object = self.threshold
        is_number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
        if self.threshold is not None and not (is_number and abs(self.threshold) < float("inf")):
            raise UsageError(f"the threshold must be a finite number, not {self.threshold!r}")

    def comment_prefixes(self, default: tuple[str, ...] = ("#", "%")) -> tuple[str, ...]:
        """Return the prefixes of comment lines: `default` unless the caller has decided.

        Examples
        --------
        >>> ReadOptions(comment="none").comment_prefixes(), ReadOptions().comment_prefixes()
        ((), ('#', '%'))
        """
        if self.comment is None:
            return default
        return () if self.comment in ("", "none") else (self.comment,)

    def chosen(self) -> dict[str, object]:
        """Return the options that are not None.

        Examples
        --------
        >>> ReadOptions(weight="n").chosen()
        {'weight': 'n'}
        """
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}
