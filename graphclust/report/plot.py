"""The drawing of the HTML page as a matplotlib figure, with the same nodes, positions and colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from graphclust.errors import DataError, unknown
from graphclust.graph import Graph
from graphclust.report.layout import NODE_LIMIT, draw
from graphclust.report.palette import community_colors
from graphclust.report.saving import save_figure
from graphclust.report.text import Clustering
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.notes import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FIGURES", "plot_communities", "write_figure"]

FIGURES = ("png", "svg", "pdf")
_MAX_IN_LEGEND = 12  # communities

_MAX_NAMED_NODES = 60  # names do not fit if there are more nodes


def plot_communities(
    communities: Clustering,
    ax: Axes | None = None,
    limit: int = NODE_LIMIT,
    random_state: int = 0,
    node_size: float | None = None,
    with_labels: bool | None = None,
    *,
    positions: Mapping[Any, Sequence[float]] | FloatArray | None = None,
    legend: bool = False,
    title: str | None = None,
) -> Axes:
    """Draw a graph with its nodes coloured by community. Nodes with a lower confidence are paler.

    Parameters
    ----------
    communities : Communities
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, by default those of a new figure. Their limits, aspect and ticks are set.
    limit : int
        Largest number of nodes to draw, see `graphclust.report.layout.sample_nodes`. A label below the drawing shows
        the number if some nodes are left out.
    random_state : int
        Seed of the layout.
    node_size : float, optional
        Mean area of a node in points squared. The default depends on the number of nodes and the size of the axes.
    with_labels : bool, optional
        Whether to write the node ids. The default is to write them if at most 60 nodes are drawn.
    positions : mapping or array of float, shape (n_nodes, 2), optional
        Coordinates of the nodes, by id or in the order of `nodes`, such as longitude and latitude. By default, they are
        computed.
    legend : bool
        Whether to name the colours of the largest communities, with their sizes.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes
        The nodes are its only `PathCollection`, the edges its `LineCollection`. The figure is not shown or saved.

    Examples
    --------
    >>> import graphclust as gc
    >>> from matplotlib.figure import Figure
    >>> ax = plot_communities(gc.detect("data:karate"), Figure().subplots())
    >>> len(ax.collections)
    2
    """
    import matplotlib.pyplot as plt
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba_array

    if ax is None:
        _, ax = plt.subplots(figsize=(7, 5), layout="constrained")
    graph, labels = communities.graph, communities.ranks
    drawing = draw(graph, labels, limit=limit, random_state=random_state, positions=_in_order(positions, graph))
    position, n_drawn = drawing.position, len(drawing.nodes)
    colors = to_rgba_array(community_colors(np.bincount(labels, minlength=communities.n_clusters)))
    color = colors[labels[drawing.nodes]] if n_drawn else np.empty((0, 4))

    is_inside = labels[drawing.nodes[drawing.source]] == labels[drawing.nodes[drawing.target]]
    edge_color = np.where(is_inside[:, None], color[drawing.source], to_rgba_array("#79828f"))
    edge_color[:, 3] = min(0.6, max(0.08, 7 / max(1.0, float(len(is_inside))) ** 0.5))
    order = np.argsort(is_inside, kind="stable")  # edges within communities on top
    lines = np.stack((position[drawing.source], position[drawing.target]), axis=1)[order]
    ax.add_collection(LineCollection(list(lines), colors=edge_color[order], linewidths=0.7, zorder=1))

    if node_size is None:
        box = ax.get_window_extent()
        inches = min(box.width, box.height) / ax.figure.dpi
        node_size = min(120.0, 1.5 + (72 * inches) ** 2 / 80 / max(1, n_drawn))
    degree = graph.degree(weighted=False)[drawing.nodes]
    is_table = graph.x is not None and not graph.num_edges
    relative = 1.5 if is_table else 0.4 + degree / max(1.0, float(degree.mean()) if n_drawn else 1.0)
    face = color.copy()
    for certainty in list(communities.certainty.values())[:1]:
        white = 0.8 * (1 - certainty[drawing.nodes, None] ** 2)
        face[:, :3] = face[:, :3] * (1 - white) + white
    size = np.broadcast_to(node_size * np.minimum(relative, 4.0) / 1.4, n_drawn)
    ax.scatter(
        position[:, 0], position[:, 1], s=size, c=face, edgecolors=list(map(tuple, color)), linewidths=0.6, zorder=2
    )

    if with_labels or (with_labels is None and n_drawn <= _MAX_NAMED_NODES):
        style: dict[str, Any] = {
            "textcoords": "offset points",
            "va": "center",
            "fontsize": 7,
            "zorder": 3,
            "parse_math": False,
        }
        for i, (x, y), area in zip(drawing.nodes.tolist(), position.tolist(), size.tolist(), strict=True):
            ax.annotate(str(communities.nodes[i]), (x, y), (2 + area**0.5 / 2, 0), **style)
    if legend:
        _add_legend(ax, communities, colors)
    if title is not None:
        ax.set_title(title, fontsize=10, parse_math=False)
    if positions is None and is_table:
        ax.set_xlabel("first principal component", fontsize=8, color="#5b6470")
        ax.set_ylabel("second principal component", fontsize=8, color="#5b6470")
    if n_drawn < graph.num_nodes:
        ax.set_xlabel(f"{n_drawn:,} of {graph.num_nodes:,} nodes drawn", fontsize=8, color="#5b6470")
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.margins(0.06)
    ax.spines[:].set_visible(False)
    return ax


def _in_order(positions: Any, graph: Graph) -> FloatArray | None:
    """Return coordinates in the order of the nodes.

    Raises
    ------
    DataError
        A node has no coordinates, or they are not two finite numbers for each node.
    """
    if positions is None:
        return None
    if isinstance(positions, Mapping):
        missing = next((node for node in graph.nodes if node not in positions), None)
        if missing is not None:
            raise DataError(f"the node {missing!r} has no position")
        positions = [positions[node] for node in graph.nodes]
    try:
        array = np.asarray(positions, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("positions are two numbers for each node") from None
    if array.shape != (graph.num_nodes, 2) or not np.isfinite(array).all():
        raise DataError(
            f"positions are two finite numbers for each of the {graph.num_nodes} nodes, not the shape {array.shape}"
        )
    return array


def _add_legend(ax: Axes, communities: Clustering, colors: FloatArray) -> None:
    """Name the largest communities."""
    from matplotlib.lines import Line2D

    sizes, numbers = np.bincount(communities.ranks).tolist(), communities.numbers.tolist()
    style: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 6}
    is_table = communities.graph.x is not None and not communities.graph.num_edges
    noun, heading = ("row", "cluster") if is_table else ("node", "community")
    shown = [
        Line2D([], [], color=colors[rank], label=f"{numbers[rank]} ({counted(size, noun)})", **style)
        for rank, size in enumerate(sizes[:_MAX_IN_LEGEND])
    ]
    rest = len(sizes) - len(shown)
    heading = heading if not rest else f"{heading} ({rest:,} more)"
    ax.legend(
        handles=shown, title=heading, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=8,
        title_fontsize=8,
    )  # fmt: skip


def write_figure(
    communities: Clustering,
    stream: BinaryIO,
    format: str,
    *,
    positions: Mapping[Any, Sequence[float]] | FloatArray | None = None,
    title: str | None = None,
) -> None:
    """Draw a graph into a file, with a legend and a title.

    Parameters
    ----------
    communities : Communities
    stream : binary file
    format : {"png", "svg", "pdf"}
    positions : optional
        See `plot_communities`.
    title : str, optional
        The default is the name of the graph's file.

    Raises
    ------
    UsageError
        Another format.
    """
    from matplotlib.figure import Figure

    if format not in FIGURES:
        raise unknown("format of figures", format, FIGURES)
    name = PurePath(str(communities.graph.meta.get("source", ""))).name
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    ax = figure.subplots()
    plot_communities(communities, ax, positions=positions, legend=True, title=title or name or None)
    save_figure(figure, stream, format)
