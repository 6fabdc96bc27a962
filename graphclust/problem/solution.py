"""What a method returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from graphclust.results.changes import Changes
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note

__all__ = ["Solution"]


@dataclass(frozen=True)
class Solution:
    """Communities of the nodes of a core, and what is known about them.

    Attributes
    ----------
    labels : ndarray of int64, shape (n_nodes,)
        Any distinct numbers for distinct communities.
    confidence : ndarray of float64, shape (n_nodes,), or None
        Posterior probability that a node's label is right.
    posterior : Posterior or None
        Samples in the order of the core's nodes; `Problem.lift` gives them the caller's ids.
    details : dict
        How the result was found, in plain values that JSON can hold.
    notes : tuple of Note
    levels : tuple of ndarray of int64, shape (n_nodes,)
        Of a hierarchy: labels on each level, the finest first. A community lies within one of the next level. One of
        the levels is `labels`. Empty if there is none.
    is_connected : bool
        Whether the method knows that communities are connected. Otherwise, `Problem.lift` counts those that are not.
    changes : Changes or None
        What has changed since the start, if there was one; set by `Problem.lift`.
    """

    labels: IntArray
    confidence: FloatArray | None = None
    posterior: Posterior | None = None
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    levels: tuple[IntArray, ...] = ()
    is_connected: bool = False
    changes: Changes | None = None

    def with_notes(self, notes: Iterable[Note]) -> Solution:
        """Return this solution with more notes."""
        return replace(self, notes=(*self.notes, *notes))
