"""A Sankey diagram of two partitions: which nodes of the old communities are in which of the new ones."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from graphclust.report.palette import COLORS, SINGLETON
from graphclust.report.saving import save_figure
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from graphclust.results.changes import Changes

__all__ = ["Band", "Block", "Sankey", "draw_sankey", "plot_sankey", "sankey_svg", "write_sankey"]

_MOST = 16  # communities on each side; the others share a block
_GAP = 0.4  # of the height, that all gaps between the blocks of a side take together
_WIDTH, _HEIGHT, _BAR, _MARGIN = 900, 420, 14, 150  # of the SVG picture, in its units


@dataclass(frozen=True)
class Block:
    """A community on one side of the diagram, or what stands for several.

    Attributes
    ----------
    name : str
        "community 3", "12 others", "joined" (nodes that the old partition does not have) or "left".
    size : int
        Number of nodes.
    top, bottom : float
        Of 1, from the top of the diagram.
    color : str
    """

    name: str
    size: int
    top: float
    bottom: float
    color: str


@dataclass(frozen=True)
class Band:
    """The nodes that two blocks have in common.

    Attributes
    ----------
    old, new : int
        Position of the blocks on their sides.
    size : int
        Number of nodes.
    old_top, new_top, height : float
        Of 1.
    """

    old: int
    new: int
    size: int
    old_top: float
    new_top: float
    height: float


@dataclass(frozen=True)
class Sankey:
    """The diagram: blocks of the old partition, blocks of the new one, and the bands between them."""

    old: list[Block]
    new: list[Block]
    bands: list[Band]


def draw_sankey(changes: Changes, most: int = _MOST) -> Sankey:
    """Arrange the communities of two partitions on two sides.

    Parameters
    ----------
    changes : Changes
    most : int
        Number of communities on each side that have a block of their own, the largest ones.

    Returns
    -------
    Sankey
        New communities stand opposite the old ones that most of their nodes come from, and have the colours that they
        have in drawings of the graph; old ones have the colours of those that continue them.

    Examples
    --------
    >>> from graphclust.results.changes import diff
    >>> picture = draw_sankey(diff({"a": 0, "b": 0, "c": 1}, {"a": 0, "b": 1, "c": 1}))
    >>> [block.name for block in picture.old], [(band.old, band.new, band.size) for band in picture.bands]
    (['community 0', 'community 1'], [(0, 0, 1), (0, 1, 1), (1, 1, 1)])
    """
    matching = changes.matching
    n_old, n_new = min(most, matching.n_old), min(most, matching.n_new)
    rows, columns = _places(matching.before, n_old), _places(matching.after, n_new)
    n_rows, n_columns = n_old + 2, n_new + 2
    table = np.bincount(rows * n_columns + columns, minlength=n_rows * n_columns).reshape(n_rows, n_columns)
    old_names = _names(changes.old_labels, n_old, matching.n_old, "joined")
    new_names = _names(changes.new_labels, n_new, matching.n_new, "left")
    new_colors = [*(COLORS[i % len(COLORS)] for i in range(n_new)), SINGLETON, SINGLETON]
    old_colors = [_old_color(new, i, n_new) for i, new in enumerate(matching.successor[:n_old].tolist())]
    old_colors += [SINGLETON, SINGLETON]
    shown_rows = np.flatnonzero(table.sum(1))
    position = np.arange(n_rows)
    pull = (table * position[:, None]).sum(0) / np.maximum(table.sum(0), 1)
    pull[n_new:] = n_rows + np.arange(2)  # others, and those that have left, at the bottom
    shown_columns = np.argsort(pull, kind="stable")
    shown_columns = shown_columns[table.sum(0)[shown_columns] > 0]
    total = max(int(table.sum()), 1)
    scale = (1 - _GAP) / total
    old = _stacked(shown_rows, table.sum(1), old_names, old_colors, scale)
    new = _stacked(shown_columns, table.sum(0), new_names, new_colors, scale)
    bands, old_used, new_used = [], [block.top for block in old], [block.top for block in new]
    for r, row in enumerate(shown_rows.tolist()):
        for c, column in enumerate(shown_columns.tolist()):
            if size := int(table[row, column]):
                height = size * scale
                bands.append(Band(r, c, size, old_used[r], new_used[c], height))
                old_used[r] += height
                new_used[c] += height
    return Sankey(old, new, bands)


def _places(labels: IntArray, most: int) -> IntArray:
    """Return the block of each node: its community, `most` for other communities, `most` + 1 for none."""
    return np.where(labels < 0, most + 1, np.minimum(labels, most))


def _names(labels: list[Any], n_shown: int, n: int, none: str) -> list[str]:
    rest = n - n_shown
    return [*(f"community {label}" for label in labels[:n_shown]), f"{rest:,} other{'s' if rest > 1 else ''}", none]


def _old_color(successor: int, place: int, n_new: int) -> str:
    """Return the colour of an old community: that of the one that continues it, or one of its own."""
    return COLORS[(successor if 0 <= successor < n_new else n_new + place) % len(COLORS)]


def _stacked(order: IntArray, sizes: IntArray, names: list[str], colors: list[str], scale: float) -> list[Block]:
    """Return the blocks of a side, from the top to the bottom."""
    gap, top, blocks = _GAP / max(len(order) - 1, 1), 0.0, []
    for i in order.tolist():
        bottom = top + int(sizes[i]) * scale
        blocks.append(Block(names[i], int(sizes[i]), top, bottom, colors[i]))
        top = bottom + gap
    return blocks


def sankey_svg(changes: Changes) -> str:
    """Return the diagram as an SVG element for a page, in which the pointer shows the numbers of nodes."""
    picture = draw_sankey(changes)
    left, right = _MARGIN + _BAR, _WIDTH - _MARGIN - _BAR
    middle = (left + right) / 2
    parts = []
    for band in picture.bands:
        old, new = picture.old[band.old], picture.new[band.new]
        y = [round(_HEIGHT * at, 2) for at in (band.old_top, band.new_top, band.old_top + band.height)]
        y.append(round(_HEIGHT * (band.new_top + band.height), 2))
        parts.append(
            f'<path d="M{left},{y[0]}C{middle},{y[0]} {middle},{y[1]} {right},{y[1]}L{right},{y[3]}'
            f'C{middle},{y[3]} {middle},{y[2]} {left},{y[2]}Z" fill="{old.color}" fill-opacity=".45">'
            f"<title>{escape(f'{old.name} to {new.name}: ')}{counted(band.size, 'node')}</title></path>"
        )
    for side, x, text_x, anchor in (
        (picture.old, _MARGIN, _MARGIN - 6, "end"),
        (picture.new, right, right + _BAR + 6, "start"),
    ):
        for block in side:
            top, height = _HEIGHT * block.top, max(_HEIGHT * (block.bottom - block.top), 1)
            label = escape(f"{block.name} ({block.size:,})")
            parts.append(
                f'<rect x="{x}" y="{top:.2f}" width="{_BAR}" height="{height:.2f}" fill="{block.color}">'
                f"<title>{label}</title></rect>"
                f'<text x="{text_x}" y="{top + height / 2:.2f}" text-anchor="{anchor}" dominant-baseline="middle" '
                f'font-size="12" fill="currentColor">{label}</text>'
            )
    return (
        f'<svg viewBox="0 -8 {_WIDTH} {_HEIGHT + 16}" role="img" class="sankey" '
        f'aria-label="{escape(str(changes))}">{"".join(parts)}</svg>'
    )


def plot_sankey(changes: Changes, ax: Axes | None = None) -> Axes:
    """Draw the diagram, with the old communities on the left.

    Parameters
    ----------
    changes : Changes
    ax : matplotlib.axes.Axes, optional
        By default, of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its `PathPatch` objects are the bands.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    if ax is None:
        _, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    picture, bar = draw_sankey(changes), 0.03
    curve = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    for band in picture.bands:
        a, b, h = -band.old_top, -band.new_top, band.height
        points = [(bar, a), (0.5, a), (0.5, b), (1 - bar, b), (1 - bar, b - h), (0.5, b - h), (0.5, a - h)]
        path = Path([*points, (bar, a - h), (bar, a)], curve)
        ax.add_patch(PathPatch(path, facecolor=picture.old[band.old].color, alpha=0.45, linewidth=0))
    for side, x, text_x, align in ((picture.old, 0.0, -0.01, "right"), (picture.new, 1 - bar, 1.01, "left")):
        for block in side:
            height = block.bottom - block.top
            ax.add_patch(Rectangle((x, -block.bottom), bar, height, facecolor=block.color))
            text = f"{block.name} ({block.size:,})"
            ax.text(text_x, -(block.top + block.bottom) / 2, text, ha=align, va="center", fontsize=8, parse_math=False)
    ax.set(xlim=(0, 1), ylim=(-1, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def write_sankey(changes: Changes, stream: BinaryIO, format: str) -> None:
    """Draw the diagram into a file.

    Parameters
    ----------
    changes : Changes
    stream : binary file
    format : {"png", "svg", "pdf"}
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    plot_sankey(changes, figure.subplots())
    save_figure(figure, stream, format)
