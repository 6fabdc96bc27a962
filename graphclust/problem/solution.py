"""What a method returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["Fit"]


@dataclass
class Fit:
    """What `_fit` returns.

    Attributes
    ----------
    labels : ndarray of int64, shape (n_nodes,)
        Any distinct numbers for distinct communities.
    confidence : ndarray of float64, shape (n_nodes,), or None
        Posterior probability that a node's label is right.
    posterior : Posterior or None
        Samples in the order of the graph's nodes; the base class gives them their names.
    details : dict
        How the result was found, in plain values that JSON can hold.
    """

    labels: IntArray
    confidence: FloatArray | None = None
    posterior: Posterior | None = None
    details: dict[str, Any] = field(default_factory=dict)
