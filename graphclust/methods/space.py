"""The space in which points are compared: scaled features, possibly whitened or projected to the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphclust.errors import DataError, unknown
from graphclust.kernels.eigenvectors import rows_of_length_one
from graphclust.runtime.arrays import FloatArray

__all__ = ["SIMILARITIES", "Space"]

SIMILARITIES = ("euclidean", "cosine", "mahalanobis")
_MAX_OFFSET = 10.0  # distance of the mean from the origin, relative to the spread, above which it is subtracted
_MAX_FEATURE = 1e100  # squares must be finite
_MAX_FEATURE_SINGLE = 1e16  # sums of squares must be finite in single precision


@dataclass(frozen=True)
class Space:
    """An affine map z = ((x - mean) / scale) W; for the cosine, z is then scaled to length 1.

    Attributes
    ----------
    mean : ndarray of float64, shape (d,)
    scale : ndarray of float64, shape (d,)
        Divisor of each coordinate.
    whiten : ndarray of float64, shape (d, d), or None
        W, by which the scaled coordinates are multiplied; None for the identity.
    on_sphere : bool
        Whether points are scaled to length 1.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [2.0, 1.0]])
    >>> space = Space.fitted(x)
    >>> space.transform(x)
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> bool((space.inverse_transform(space.transform(x)) == x).all())
    True
    """

    mean: FloatArray
    scale: FloatArray
    whiten: FloatArray | None = None
    on_sphere: bool = False

    @classmethod
    def fitted(cls, x: FloatArray, similarity: str = "euclidean", *, scale: bool = True) -> Space:
        """Learn the map from points.

        Parameters
        ----------
        x : ndarray of float64, shape (n, d)
        similarity : {"euclidean", "cosine", "mahalanobis"}
            "mahalanobis": distances use the inverse of the covariance, with the shrinkage of Ledoit & Wolf (2004). The
            whitened coordinates are as close to the features as possible (ZCA).
        scale : bool
            Whether features are scaled to mean 0 and variance 1; a constant feature is only centred. Unscaled features
            are centred only if their distance from the origin is more than ten times their distance from the mean.
            Centring does not change distances, but single precision needs it. For the cosine, they are never centred,
            because the origin matters.

        Raises
        ------
        UsageError
            The similarity does not exist.
        DataError
            Features above 1e100.
        """
        if similarity not in SIMILARITIES:
            raise unknown("similarity", similarity, SIMILARITIES)
        _refuse_above(_MAX_FEATURE, x)
        d = x.shape[1]
        mean: FloatArray = np.zeros(d)
        spread: FloatArray = np.ones(d)
        whiten: FloatArray | None = None
        if scale:
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(x)
            mean, spread = scaler.mean_, scaler.scale_
        if similarity == "mahalanobis":
            from sklearn.covariance import ledoit_wolf

            covariance: FloatArray = ledoit_wolf((x - mean) / spread)[0]
            values, vectors = np.linalg.eigh(covariance)
            floor = max(float(values.max()) * 1e-9, 1e-300)
            whiten = (vectors * np.maximum(values, floor) ** -0.5) @ vectors.T
        if not scale and similarity != "cosine":
            centered = cls(x.mean(axis=0), spread, whiten)
            offset = np.square(centered.transform(np.zeros((1, d)))).sum()
            total = np.square(centered.transform(x)).sum()
            if offset > _MAX_OFFSET**2 * total / len(x):
                return centered
        return cls(mean, spread, whiten, similarity == "cosine")

    @classmethod
    def identity(cls, d: int) -> Space:
        """Return the space of the features as they are."""
        return cls(np.zeros(d), np.ones(d))

    @classmethod
    def unit_range(cls, x: FloatArray) -> Space:
        """Learn the map that takes the smallest number to 0 and the largest to 1, with one scale for all features.

        Parameters
        ----------
        x : ndarray of float64, shape (n, d)

        Raises
        ------
        DataError
            Features above 1e100.

        Examples
        --------
        >>> Space.unit_range(np.array([[0.0, 255.0], [51.0, 0.0]])).transform(np.array([[51.0, 255.0]]))
        array([[0.2, 1. ]])
        """
        _refuse_above(_MAX_FEATURE, x)
        d = x.shape[1]
        low, high = float(x.min(initial=np.inf)), float(x.max(initial=-np.inf))
        return cls(np.full(d, low), np.full(d, high - low if high > low else 1.0))

    def transform(self, x: FloatArray) -> FloatArray:
        """Map points of shape (n, d) into the space."""
        z = (x - self.mean) / self.scale
        if self.whiten is not None:
            z = z @ self.whiten
        return rows_of_length_one(z) if self.on_sphere else z

    def single(self, x: FloatArray) -> FloatArray:
        """Map points into the space; refuse points that are too large for single precision.

        Raises
        ------
        DataError
        """
        z = self.transform(x)
        _refuse_above(_MAX_FEATURE_SINGLE, z)
        return z

    def inverse_transform(self, z: FloatArray) -> FloatArray:
        """Map points of shape (..., d) back; a point on the sphere becomes one of those that are mapped to it."""
        if self.whiten is not None:
            z = z @ np.linalg.inv(self.whiten)
        x: FloatArray = z * self.scale + self.mean
        return x


def _refuse_above(limit: float, x: FloatArray) -> None:
    largest = float(np.abs(x).max(initial=0.0))
    if largest > limit:
        raise DataError(
            f"features are as large as {largest:.3g}, but the largest possible value is {limit:g}: scale the features"
        )
