"""The silhouette coefficient of many clusterings of the same points at once.

Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987. Let a be the
mean distance of a point to the others of its cluster, and b the least mean distance to another cluster. The silhouette
of the point is (b - a) / max(a, b), and 0 if it is alone in its cluster. The coefficient is the mean over the points.

The sums of distances to clusters are one product of the distance matrix with the indicators of all clusterings, so that
hundreds of clusterings cost little more than one. Beyond some thousand points, the matrix is computed in blocks of rows
and not stored.

| CLAM | here | as printed? |
|---|---|---|
| SC | `Silhouette` | as printed |
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["Silhouette"]

_MAX_STORED = 6000  # points up to which the distance matrix is stored: 144 MB
_ROWS = 1024


class Silhouette:
    """Euclidean silhouette coefficients of clusterings of points.

    Parameters
    ----------
    x : Tensor, shape (n, d)

    Examples
    --------
    >>> silhouette = Silhouette(torch.tensor([[0.0], [1.0], [10.0], [11.0]]))
    >>> silhouette(torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1]]), 2)
    tensor([ 0.8997, -0.4500])
    """

    def __init__(self, x: Tensor) -> None:
        self.x = x - x.mean(0)  # distances from scalar products are more accurate near the origin
        self._distances = torch.cdist(self.x, self.x) if len(x) <= _MAX_STORED else None

    def _blocks(self) -> Iterator[tuple[slice, Tensor]]:
        if self._distances is not None:
            yield slice(0, len(self.x)), self._distances
            return
        for start in range(0, len(self.x), _ROWS):
            rows = slice(start, start + _ROWS)
            yield rows, torch.cdist(self.x[rows], self.x)

    def __call__(self, labels: Tensor, n_clusters: int) -> Tensor:
        """Return the coefficient of each clustering, shape (R,); NaN with fewer than two clusters.

        Parameters
        ----------
        labels : Tensor of int64, shape (R, n)
            Below `n_clusters`; clusters may be empty.
        n_clusters : int
        """
        R, n = labels.shape
        total = torch.zeros(R, dtype=self.x.dtype, device=self.x.device)
        indicator = torch.nn.functional.one_hot(labels.T, n_clusters).to(self.x)  # (n, R, K)
        sizes = indicator.sum(0)  # (R, K)
        flat = indicator.reshape(n, -1)
        for rows, distances in self._blocks():
            sums = (distances @ flat).reshape(-1, R, n_clusters)
            own = labels.T[rows, :, None]
            own_size = sizes.expand(len(sums), -1, -1).gather(2, own)[..., 0]
            within = sums.gather(2, own)[..., 0] / (own_size - 1).clamp_min(1)
            mean = sums / sizes.clamp_min(1)
            mean = mean.masked_fill(sizes == 0, math.inf).scatter(2, own, math.inf)
            between = mean.min(2).values
            value = (between - within) / torch.maximum(between, within).clamp_min(1e-30)
            total += torch.where(own_size > 1, value, 0.0).sum(0)
        return torch.where((sizes > 0).sum(1) > 1, total / n, math.nan)
