"""All methods by their names. A literal dictionary: nothing registers itself."""

from __future__ import annotations

from graphclust.auto import Auto
from graphclust.base import GraphEstimator
from graphclust.baselines import Infomap, LabelPropagation, Leiden, Louvain, Spectral
from graphclust.errors import UsageError, unknown
from graphclust.estimators import ACP, ACPS, CCP, CLAM, CNC, LNSCC, NCP

__all__ = ["METHODS", "method_named"]

METHODS: dict[str, type[GraphEstimator]] = {
    "auto": Auto,
    "acp": ACP,
    "acp-s": ACPS,
    "ccp": CCP,
    "ncp": NCP,
    "clam": CLAM,
    "cnc": CNC,
    "lnscc": LNSCC,
    "leiden": Leiden,
    "louvain": Louvain,
    "infomap": Infomap,
    "label-propagation": LabelPropagation,
    "spectral": Spectral,
}


def method_named(name: str) -> type[GraphEstimator]:
    """Return the estimator class of a method.

    Raises
    ------
    UsageError
        No such method; names the nearest.

    Examples
    --------
    >>> method_named("leiden").__name__
    'Leiden'
    """
    if not isinstance(name, str):
        raise UsageError(f"a method is named by a string, not by {name!r:.60}")
    if name in METHODS:
        return METHODS[name]
    raise unknown("method", name, list(METHODS))
