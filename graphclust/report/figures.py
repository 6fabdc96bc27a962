"""Figures: prototypes as they evolve and the basins of CLAM; embeddings in the plane, and their stages, of LNSCC."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.report.palette import community_colors
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_basins", "draw_points", "draw_prototypes", "draw_stages"]

_GRID = 250  # points of a basin's picture along each axis
_COLUMNS = 5
_PAIRS = 20_000  # distances in a histogram


def draw_prototypes(snapshots: Mapping[int, FloatArray], image_shape: tuple[int, int]) -> Figure:
    """Draw prototypes as images, an epoch a column (Fig. 2): red where positive, blue where negative.

    Parameters
    ----------
    snapshots : mapping
        Epoch -> prototypes, ndarray of shape (n_prototypes, height x width).
    image_shape : (height, width)

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        No snapshots, or images of another size.
    """
    from matplotlib.figure import Figure

    if not snapshots:
        raise UsageError("no prototypes were recorded: fit with training={'snapshots': (0, 5, 10, 20, 50, 100)}")
    n, d = next(iter(snapshots.values())).shape
    if image_shape[0] * image_shape[1] != d:
        raise UsageError(f"images of {image_shape[0]} x {image_shape[1]} of prototypes with {d} features")
    figure = Figure(figsize=(1.1 * len(snapshots), 1.1 * n), layout="constrained")
    axes = figure.subplots(n, len(snapshots), squeeze=False)
    limit = max(float(np.abs(one).max()) for one in snapshots.values()) or 1.0
    for column, (epoch, prototypes) in enumerate(sorted(snapshots.items())):
        axes[0, column].set_title(f"epoch {epoch}", fontsize=8)
        for row, one in enumerate(prototypes):
            axes[row, column].imshow(one.reshape(image_shape), cmap="bwr", vmin=-limit, vmax=limit)
            axes[row, column].set(xticks=[], yticks=[])
    return figure


def draw_basins(prototypes: FloatArray, betas: Sequence[float], assign: Callable[[FloatArray], IntArray]) -> Figure:
    """Colour the plane by where the dynamics takes its points, a beta a panel (Fig. 3); dashed, the Voronoi partition.

    Parameters
    ----------
    prototypes : ndarray, shape (n_prototypes, 2)
    betas : sequence of float
    assign : callable
        Points, ndarray of shape (n, 2), to the prototype that each reaches, int64, shape (n_betas, n).

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        Prototypes of other than 2 features.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    if prototypes.shape[1] != 2:
        raise UsageError(f"basins are drawn in the plane, and there are {prototypes.shape[1]} features")
    low, high = prototypes.min(axis=0), prototypes.max(axis=0)
    margin = 0.25 * max(float((high - low).max()), 1e-9)
    (left, bottom), (right, top) = low - margin, high + margin
    across, up = np.linspace(left, right, _GRID), np.linspace(bottom, top, _GRID)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    reached = assign(grid).reshape(-1, _GRID, _GRID)
    distance = np.square(grid[:, None] - prototypes).sum(axis=2)
    nearest = distance.argmin(axis=1).reshape(_GRID, _GRID)
    rows = -(-len(betas) // _COLUMNS)
    columns = -(-len(betas) // rows)
    figure = Figure(figsize=(2.4 * columns, 2.5 * rows), layout="constrained")
    colors = ListedColormap(community_colors([2] * len(prototypes)))
    shared: dict[str, Any] = {"extent": (left, right, bottom, top), "origin": "lower", "aspect": "auto"}
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        if place >= len(betas):
            axes.set_axis_off()
            continue
        axes.imshow(reached[place], cmap=colors, vmin=-0.5, vmax=len(prototypes) - 0.5, alpha=0.6, **shared)
        for one in range(len(prototypes)):
            axes.contour(across, up, nearest == one, levels=[0.5], colors="0.2", linewidths=0.7, linestyles="dashed")
        axes.plot(*prototypes.T, "ko", markersize=3)
        axes.set_title(f"beta = {betas[place]:g}", fontsize=8)
        axes.set(xticks=[], yticks=[])
    return figure


def draw_points(z: FloatArray, labels: IntArray) -> Figure:
    """Draw embedded points in the plane of their two principal dimensions, a colour a cluster.

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
    """Draw embeddings, a stage a column; below, distances within and between the two clusters that end up closest.

    The plane is that of the last stage's principal dimensions, and its clusters are those whose means are closest.

    Parameters
    ----------
    stages : sequence of (str, ndarray of shape (n, d), ndarray of int64 of shape (n,))
        A title, embedded points, and their clusters at that stage.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        No stages.
    """
    from matplotlib.figure import Figure

    if not stages:
        raise UsageError("no stages were kept: fit with n_stages=6")
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
        one, other = (z[clusters == c] for c in pair)
        for a, b, color, name in (
            (one, one, "tab:red", "within one"),
            (other, other, "tab:blue", "within the other"),
            (one, other, "tab:purple", "between"),
        ):
            apart = _distances(a, b)
            if len(apart):  # a cluster of one point has none within
                panel.hist(apart, bins=40, density=True, alpha=0.5, color=color, label=name)
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
    """Return the projection onto two principal dimensions; points of two dimensions or one stay, and a single one."""
    if z.shape[1] <= 2 or len(z) < 2:
        return lambda one: np.pad(one[:, :2], ((0, 0), (0, max(2 - z.shape[1], 0))))
    mean = z.mean(axis=0)
    axes = np.linalg.eigh(np.cov((z - mean).T))[1][:, :-3:-1]
    return lambda one: np.asarray((one - mean) @ axes, dtype=np.float64)


def _closest(z: FloatArray, labels: IntArray) -> tuple[int, int] | None:
    """Return the two clusters whose means are closest; None where there is one."""
    held = np.unique(labels)
    if len(held) < 2:
        return None
    means = np.stack([z[labels == c].mean(axis=0) for c in held])
    distance = np.square(means[:, None] - means).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    a, b = np.unravel_index(int(distance.argmin()), distance.shape)
    return int(held[a]), int(held[b])


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return distances of pairs drawn from both sets, those of a point to itself apart."""
    rng = np.random.default_rng(0)
    i, j = rng.integers(len(a), size=_PAIRS), rng.integers(len(b), size=_PAIRS)
    found: FloatArray = np.linalg.norm(a[i] - b[j], axis=1)
    return found if a is not b else found[i != j]
