"""Figures of CLAM: how prototypes evolve, and the basins that points are drawn into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import FloatArray
from graphclust.palette import community_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_basins", "draw_prototypes"]

_GRID = 250  # points of a basin's picture along each axis
_COLUMNS = 5


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
        raise UsageError("no prototypes were kept: fit with snapshots=(0, 5, 10, 20, 50, 100)")
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


def draw_basins(prototypes: FloatArray, betas: Sequence[float], n_steps: int, step_size: float) -> Figure:
    """Colour the plane by where the dynamics takes its points, a beta a panel (Fig. 3); dashed, the Voronoi partition.

    Parameters
    ----------
    prototypes : ndarray, shape (n_prototypes, 2)
    betas : sequence of float
    n_steps, step_size : int, float

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        Prototypes of other than 2 features.
    """
    import torch
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    from graphclust.models.clam import AssociativeMemory

    if prototypes.shape[1] != 2:
        raise UsageError(f"basins are drawn in the plane, and there are {prototypes.shape[1]} features")
    low, high = prototypes.min(axis=0), prototypes.max(axis=0)
    margin = 0.25 * max(float((high - low).max()), 1e-9)
    (left, bottom), (right, top) = low - margin, high + margin
    across, up = np.linspace(left, right, _GRID), np.linspace(bottom, top, _GRID)
    grid = torch.as_tensor(np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2))
    places = torch.as_tensor(prototypes, dtype=torch.float64)
    memory = AssociativeMemory(
        places.expand(len(betas), -1, -1), torch.tensor(list(betas)).double(), n_steps, step_size
    )
    found = memory.assign(grid).numpy().reshape(-1, _GRID, _GRID)
    nearest = torch.cdist(grid, places).argmin(1).numpy().reshape(_GRID, _GRID)
    rows = -(-len(betas) // _COLUMNS)
    columns = -(-len(betas) // rows)
    figure = Figure(figsize=(2.4 * columns, 2.5 * rows), layout="constrained")
    colors = ListedColormap(community_colors([2] * len(prototypes)))
    shared: dict[str, Any] = {"extent": (left, right, bottom, top), "origin": "lower", "aspect": "auto"}
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        if place >= len(betas):
            axes.set_axis_off()
            continue
        axes.imshow(found[place], cmap=colors, vmin=-0.5, vmax=len(prototypes) - 0.5, alpha=0.6, **shared)
        for one in range(len(prototypes)):
            axes.contour(across, up, nearest == one, levels=[0.5], colors="0.2", linewidths=0.7, linestyles="dashed")
        axes.plot(*prototypes.T, "ko", markersize=3)
        axes.set_title(f"beta = {betas[place]:g}", fontsize=8)
        axes.set(xticks=[], yticks=[])
    return figure
