"""A drawing of a resolution profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from graphclust.report.palette import COLORS
from graphclust.report.saving import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from graphclust.detection.profile import Profile

__all__ = ["plot_profile", "write_profile"]


def plot_profile(profile: Profile, ax: Axes | None = None) -> Axes:
    """Draw the number of communities over the resolution, and the description length of each partition.

    Parameters
    ----------
    profile : Profile
    ax : matplotlib.axes.Axes, optional
        By default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its right axis has the description lengths.
    """
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.subplots(figsize=(7, 4))[1]
    other = ax.twinx()
    for row in profile.rows:
        ends = [row.resolution_from, row.resolution_to]
        ax.plot(ends, [row.n_clusters] * 2, color=COLORS[0], linewidth=2.5, solid_capstyle="butt")
        other.plot(ends, [row.description_length] * 2, color=COLORS[1], linewidth=1.5, solid_capstyle="butt")
    ax.axvline(profile.resolution, color="0.6", linewidth=1, linestyle=":")
    ax.axhline(profile.auto.n_clusters, color=COLORS[0], linewidth=1, linestyle="--")
    other.axhline(profile.auto.description_length, color=COLORS[1], linewidth=1, linestyle="--")
    ax.set(xscale="log", yscale="log", xlabel="resolution")
    ax.set_ylabel("communities", color=COLORS[0])
    other.set_ylabel("description length (nats)", color=COLORS[1])
    ax.set_title("Optimal partitions; dashed: auto, dotted: its resolution", fontsize=9)
    return ax


def write_profile(profile: Profile, stream: BinaryIO, format: str) -> None:
    """Draw a resolution profile into a file.

    Parameters
    ----------
    profile : Profile
    stream : binary file
    format : {"png", "svg", "pdf"}
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    plot_profile(profile, figure.add_subplot())
    save_figure(figure, stream, format)
