"""Figures in files that are the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_figure"]

_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save_figure(figure: Figure, stream: BinaryIO, format: str) -> None:
    """Write a figure without the date; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    stream : binary file
    format : {"png", "svg", "pdf"}
    """
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "graphclust", "svg.fonttype": "none"}):  # the same names of parts
        figure.savefig(stream, format=format, dpi=200, metadata=_UNDATED.get(format))
