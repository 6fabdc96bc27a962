r"""Calibration: reliability of co-membership probabilities, measured on known partitions.

Each pair of nodes has a predicted probability of being in the same community. Among pairs with a predicted probability
near p, a share p should be in the same community (Guo et al. 2017 for classifiers). The expected calibration error is
the mean absolute difference of the two over the bins, weighted by their numbers of pairs:
:math:`\sum_b \frac{n_b}{n} |f_b - p_b|`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError
from graphclust.runtime.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Reliability", "draw_reliability", "plot_reliability"]


@dataclass
class Reliability:
    """Counts of pairs of nodes in bins of their predicted co-membership probability.

    Parameters
    ----------
    n_bins : int
        Number of bins of equal width over [0, 1].

    Attributes
    ----------
    pairs : ndarray of float64, shape (n_bins,)
        Number of pairs in each bin.
    predicted, together : ndarray of float64, shape (n_bins,)
        Sum of their predicted probabilities, and number of them in the same community.

    Examples
    --------
    >>> reliability = Reliability(n_bins=2)
    >>> reliability.add([[1.0, 0.9, 0.2], [0.9, 1.0, 0.2], [0.2, 0.2, 1.0]], [0, 0, 1])
    >>> reliability.pairs.tolist(), round(reliability.error(), 3)
    ([2.0, 1.0], 0.167)
    """

    n_bins: int = 20
    pairs: FloatArray = field(init=False)
    predicted: FloatArray = field(init=False)
    together: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        if self.n_bins < 1:
            raise UsageError(f"n_bins must be a positive integer, not {self.n_bins!r}")
        self.pairs, self.predicted, self.together = (np.zeros(self.n_bins) for _ in range(3))

    def add(self, co_membership: ArrayLike, truth: ArrayLike) -> None:
        """Add the pairs of a graph.

        Parameters
        ----------
        co_membership : array of float, shape (n_nodes, n_nodes)
            The result of `Posterior.co_membership`.
        truth : array of int, shape (n_nodes,)
            Community of each node.

        Raises
        ------
        UsageError
            The shapes do not match.
        """
        probability, labels = np.asarray(co_membership, dtype=np.float64), np.asarray(truth)
        if probability.shape != (len(labels),) * 2:
            raise UsageError(f"co_membership has shape {probability.shape}, but truth has {len(labels)} nodes")
        upper = np.triu_indices(len(labels), 1)
        p = probability[upper]
        same = labels[upper[0]] == labels[upper[1]]
        bin_ = np.minimum((p * self.n_bins).astype(np.int64), self.n_bins - 1)
        self.pairs += np.bincount(bin_, minlength=self.n_bins)
        self.predicted += np.bincount(bin_, p, minlength=self.n_bins)
        self.together += np.bincount(bin_, same, minlength=self.n_bins)

    def error(self) -> float:
        """Return the expected calibration error, in [0, 1]; NaN without pairs."""
        total = self.pairs.sum()
        return float(np.abs(self.predicted - self.together).sum() / total) if total else float("nan")

    def table(self) -> list[dict[str, float]]:
        """Return one row per non-empty bin: lower bound, pairs, mean prediction, share in the same community."""
        filled = np.flatnonzero(self.pairs)
        return [
            {
                "from": b / self.n_bins,
                "pairs": int(self.pairs[b]),
                "predicted": float(self.predicted[b] / self.pairs[b]),
                "observed": float(self.together[b] / self.pairs[b]),
            }
            for b in filled.tolist()
        ]


def plot_reliability(table: Sequence[Mapping[str, float]], ax: Axes | None = None, **style: Any) -> Axes:
    """Plot a reliability diagram of observed against predicted; the size of a point shows the pairs in its bin.

    Parameters
    ----------
    table : sequence of mappings
        The result of `Reliability.table`.
    ax : matplotlib.axes.Axes, optional
    **style
        Keyword arguments of `Axes.plot`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    predicted, observed = ([row[key] for row in table] for key in ("predicted", "observed"))
    (line,) = ax.plot(predicted, observed, **{"linewidth": 1.2, **style})
    ax.scatter(predicted, observed, s=[6 + 14 * np.log10(row["pairs"]) for row in table], color=line.get_color())
    ax.plot([0, 1], [0, 1], color="#79828f", linewidth=0.8, linestyle="--", zorder=0)
    ax.set(
        xlabel="predicted probability of the same community",
        ylabel="share of pairs in the same community",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    return ax


def draw_reliability(tables: Mapping[str, Sequence[Mapping[str, float]]], stream: BinaryIO, name: str) -> None:
    """Write a figure of the reliability diagrams of several models, in the format of the extension of `name`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    ax = figure.subplots()
    for model, table in tables.items():
        plot_reliability(table, ax, label=model)
    if tables:
        ax.legend(frameon=False)
    figure.savefig(stream, format=Path(name).suffix.lstrip(".") or "png", dpi=150)
