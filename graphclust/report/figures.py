"""Figures for CLAM (evolution of the prototypes, basins of attraction) and LNSCC (embeddings during training)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.report.palette import COLORS, community_colors
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["dendrogram", "draw_basins", "draw_points", "draw_prototypes", "draw_stages"]

_N_GRID_POINTS = 250  # resolution of the basins along each axis
_MAX_COLUMNS = 5
_N_DISTANCES = 20_000  # distances in a histogram


def dendrogram(linkage: FloatArray, sizes: IntArray, ax: Axes | None, max_leaves: int) -> Axes:
    """Draw a tree of merges, with the numbers of nodes at its leaves.

    Parameters
    ----------
    linkage : ndarray of float64, shape (n_leaves - 1, 4)
        In SciPy's format, see `graphclust.results.hierarchy.Hierarchy.linkage`.
    sizes : ndarray of int64, shape (n_leaves,)
        Numbers of nodes.
    ax : matplotlib.axes.Axes or None
        By default, of a new figure.
    max_leaves : int
        The last merges are drawn, so that there are at most so many leaves.
    """
    from matplotlib.figure import Figure
    from scipy.cluster.hierarchy import dendrogram as draw

    if ax is None:
        ax = Figure(figsize=(8, 4.5), layout="constrained").subplots()
    if not len(linkage):
        ax.text(0.5, 0.5, "one community", ha="center", transform=ax.transAxes)
        return ax
    counts = sizes.tolist()
    for first, second in linkage[:, :2].astype(int).tolist():
        counts.append(counts[first] + counts[second])
    draw(
        linkage,
        p=max(max_leaves, 2),
        truncate_mode="lastp",
        ax=ax,
        color_threshold=0,
        above_threshold_color=COLORS[0],
        leaf_label_func=lambda cluster: f"{counts[cluster]:,}",
        leaf_rotation=90,
        leaf_font_size=8,
    )
    n_leaves, shown = len(sizes), min(len(sizes), max(max_leaves, 2))
    left = np.unique(np.linspace(1, shown, 6).astype(int))
    ax.set(xlabel="nodes of each community", ylabel="communities left", ylim=(n_leaves - shown, n_leaves))
    ax.set_yticks(n_leaves - left, [f"{number:,}" for number in left])
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def draw_prototypes(snapshots: Mapping[int, FloatArray], image_shape: tuple[int, int]) -> Figure:
    """Draw prototypes as images, with one column per epoch (Fig. 2). Positive values are red, negative ones blue.

    Parameters
    ----------
    snapshots : mapping
        Prototypes by epoch, ndarrays of shape (n_prototypes, height x width).
    image_shape : (height, width)

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        There are no snapshots, or the prototypes do not have the size of an image.
    """
    from matplotlib.figure import Figure

    if not snapshots:
        raise UsageError("no prototypes were stored: fit with training={'snapshots': (0, 5, 10, 20, 50, 100)}")
    n, d = next(iter(snapshots.values())).shape
    if image_shape[0] * image_shape[1] != d:
        raise UsageError(f"prototypes with {d} features are not images of {image_shape[0]} x {image_shape[1]}")
    figure = Figure(figsize=(1.1 * len(snapshots), 1.1 * n), layout="constrained")
    axes = figure.subplots(n, len(snapshots), squeeze=False)
    limit = max(float(np.abs(values).max()) for values in snapshots.values()) or 1.0
    for column, (epoch, prototypes) in enumerate(sorted(snapshots.items())):
        axes[0, column].set_title(f"epoch {epoch}", fontsize=8)
        for row, prototype in enumerate(prototypes):
            axes[row, column].imshow(prototype.reshape(image_shape), cmap="bwr", vmin=-limit, vmax=limit)
            axes[row, column].set(xticks=[], yticks=[])
    return figure


def draw_basins(prototypes: FloatArray, betas: Sequence[float], assign: Callable[[FloatArray], IntArray]) -> Figure:
    """Colour the plane by the prototype that the dynamics reaches, with one panel per beta (Fig. 3).

    Dashed lines are the Voronoi partition of the prototypes.

    Parameters
    ----------
    prototypes : ndarray, shape (n_prototypes, 2)
    betas : sequence of float
    assign : callable
        Function of points, an ndarray of shape (n, 2), that returns the index of the prototype that each point reaches,
        int64, shape (n_betas, n).

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        The prototypes do not have 2 features.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    if prototypes.shape[1] != 2:
        raise UsageError(f"basins can be drawn for 2 features only, not for {prototypes.shape[1]}")
    low, high = prototypes.min(axis=0), prototypes.max(axis=0)
    margin = 0.25 * max(float((high - low).max()), 1e-9)
    (left, bottom), (right, top) = low - margin, high + margin
    across, up = np.linspace(left, right, _N_GRID_POINTS), np.linspace(bottom, top, _N_GRID_POINTS)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    reached = assign(grid).reshape(-1, _N_GRID_POINTS, _N_GRID_POINTS)
    distance = np.square(grid[:, None] - prototypes).sum(axis=2)
    nearest = distance.argmin(axis=1).reshape(_N_GRID_POINTS, _N_GRID_POINTS)
    rows = -(-len(betas) // _MAX_COLUMNS)
    columns = -(-len(betas) // rows)
    figure = Figure(figsize=(2.4 * columns, 2.5 * rows), layout="constrained")
    colors = ListedColormap(community_colors([2] * len(prototypes)))
    shared: dict[str, Any] = {"extent": (left, right, bottom, top), "origin": "lower", "aspect": "auto"}
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        if place >= len(betas):
            axes.set_axis_off()
            continue
        axes.imshow(reached[place], cmap=colors, vmin=-0.5, vmax=len(prototypes) - 0.5, alpha=0.6, **shared)
        for index in range(len(prototypes)):
            axes.contour(across, up, nearest == index, levels=[0.5], colors="0.2", linewidths=0.7, linestyles="dashed")
        axes.plot(*prototypes.T, "ko", markersize=3)
        axes.set_title(f"beta = {betas[place]:g}", fontsize=8)
        axes.set(xticks=[], yticks=[])
    return figure


def draw_points(z: FloatArray, labels: IntArray) -> Figure:
    """Draw embedded points in the plane of their two principal dimensions, with one colour per cluster.

    Parameters
    ----------
    z : ndarray, shape (n, d)
    labels : ndarray of int64, shape (n,)

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    _scatter(figure.subplots(), _plane(z)(z), labels)
    return figure


def draw_stages(stages: Sequence[tuple[str, FloatArray, IntArray]]) -> Figure:
    """Draw the embeddings of several training stages, with one column per stage.

    The top row shows the points in the plane of the last stage's principal dimensions. The bottom row shows histograms
    of the distances within and between two clusters: the two of the last stage whose means are closest.

    Parameters
    ----------
    stages : sequence of (str, ndarray of shape (n, d), ndarray of int64 of shape (n,))
        Title, embedded points, and their clusters at each stage.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        There are no stages.
    """
    from matplotlib.figure import Figure

    if not stages:
        raise UsageError("no stages were stored: fit with n_stages=6")
    _, last, clusters = stages[-1]
    plane = _plane(last)
    pair = _closest(last, clusters)
    figure = Figure(figsize=(2.4 * len(stages), 4.2), layout="constrained")
    axes = figure.subplots(2, len(stages), squeeze=False)
    for column, (title, z, labels) in enumerate(stages):
        _scatter(axes[0, column], plane(z), labels)
        axes[0, column].set_title(title, fontsize=8)
        panel = axes[1, column]
        panel.set(yticks=[])
        panel.tick_params(labelsize=6)
        if pair is None:
            continue
        first, second = (z[clusters == c] for c in pair)
        for a, b, color, name in (
            (first, first, "tab:red", "within the first"),
            (second, second, "tab:blue", "within the second"),
            (first, second, "tab:purple", "between"),
        ):
            distances = _distances(a, b)
            if len(distances):  # a cluster of a single point has no distances within
                panel.hist(distances, bins=40, density=True, alpha=0.5, color=color, label=name)
        panel.set_xlabel("distance", fontsize=7)
        if not column:
            panel.legend(fontsize=6)
    return figure


def _scatter(axes: Any, points: FloatArray, labels: IntArray) -> None:
    from matplotlib.colors import ListedColormap

    k = int(labels.max(initial=0)) + 1
    colors = ListedColormap(community_colors([2] * k))
    axes.scatter(*points.T, c=labels, s=3, cmap=colors, vmin=-0.5, vmax=k - 0.5, linewidths=0)
    axes.set(xticks=[], yticks=[])


def _plane(z: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return the projection onto two principal dimensions.

    Points of one or two dimensions, and a single point, are not projected.
    """
    if z.shape[1] <= 2 or len(z) < 2:
        return lambda points: np.pad(points[:, :2], ((0, 0), (0, max(2 - z.shape[1], 0))))
    mean = z.mean(axis=0)
    axes = np.linalg.eigh(np.cov((z - mean).T))[1][:, :-3:-1]
    return lambda points: np.asarray((points - mean) @ axes, dtype=np.float64)


def _closest(z: FloatArray, labels: IntArray) -> tuple[int, int] | None:
    """Return the two clusters whose means are closest, or None if there is only one cluster."""
    present = np.unique(labels)
    if len(present) < 2:
        return None
    means = np.stack([z[labels == c].mean(axis=0) for c in present])
    distance = np.square(means[:, None] - means).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    a, b = np.unravel_index(int(distance.argmin()), distance.shape)
    return int(present[a]), int(present[b])


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return distances of random pairs of a point of each set. Pairs of a point with itself are left out."""
    rng = np.random.default_rng(0)
    i, j = rng.integers(len(a), size=_N_DISTANCES), rng.integers(len(b), size=_N_DISTANCES)
    distances: FloatArray = np.linalg.norm(a[i] - b[j], axis=1)
    return distances if a is not b else distances[i != j]
