"""The drawing of the HTML page as a matplotlib figure, with the same nodes, positions and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.report.layout import NODE_LIMIT, draw
from graphclust.report.palette import community_colors
from graphclust.report.text import Clustering

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_communities"]

_MAX_NAMED_NODES = 60  # names do not fit if there are more nodes


def plot_communities(
    communities: Clustering,
    ax: Axes | None = None,
    limit: int = NODE_LIMIT,
    random_state: int = 0,
    node_size: float | None = None,
    with_labels: bool | None = None,
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
    graph, labels = communities.graph, communities.labels
    drawing = draw(graph, labels, limit=limit, random_state=random_state)
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
    relative = 0.4 + degree / max(1.0, float(degree.mean()) if n_drawn else 1.0)
    face = color.copy()
    if communities.confidence is not None:
        white = 0.8 * (1 - communities.confidence[drawing.nodes, None] ** 2)
        face[:, :3] = face[:, :3] * (1 - white) + white
    size = node_size * np.minimum(relative, 4.0) / 1.4
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
    if n_drawn < graph.num_nodes:
        ax.set_xlabel(f"{n_drawn:,} of {graph.num_nodes:,} nodes drawn", fontsize=8, color="#5b6470")
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.margins(0.06)
    ax.spines[:].set_visible(False)
    return ax
