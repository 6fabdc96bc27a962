"""graphclust finds communities in graphs and says how sure it is.

    import graphclust as gc
    c = gc.detect("graph.edgelist")
    c.membership, c.quality()

Everything public is here; each name is imported when it is first used, so that `import graphclust` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphclust import datasets as datasets
    from graphclust import generators as generators
    from graphclust import metrics as metrics
    from graphclust.baselines import Infomap as Infomap
    from graphclust.baselines import LabelPropagation as LabelPropagation
    from graphclust.baselines import Leiden as Leiden
    from graphclust.baselines import Louvain as Louvain
    from graphclust.baselines import Spectral as Spectral
    from graphclust.communities import Communities as Communities
    from graphclust.detection import detect as detect
    from graphclust.errors import DataError as DataError
    from graphclust.errors import GraphclustError as GraphclustError
    from graphclust.errors import ResourceError as ResourceError
    from graphclust.errors import UsageError as UsageError
    from graphclust.estimators import ACP as ACP
    from graphclust.estimators import ACPS as ACPS
    from graphclust.estimators import CCP as CCP
    from graphclust.estimators import CLAM as CLAM
    from graphclust.estimators import CNC as CNC
    from graphclust.estimators import LNSCC as LNSCC
    from graphclust.estimators import NCP as NCP
    from graphclust.graph import Graph as Graph
    from graphclust.inputs import as_graph as as_graph
    from graphclust.inputs import read_graph as read_graph
    from graphclust.methods import METHODS as METHODS
    from graphclust.posterior import Posterior as Posterior

__version__ = "0.1.0"

_HOME = {
    "ACP": "estimators",
    "ACPS": "estimators",
    "CCP": "estimators",
    "CLAM": "estimators",
    "CNC": "estimators",
    "LNSCC": "estimators",
    "Communities": "communities",
    "DataError": "errors",
    "Graph": "graph",
    "GraphclustError": "errors",
    "Infomap": "baselines",
    "LabelPropagation": "baselines",
    "Leiden": "baselines",
    "Louvain": "baselines",
    "METHODS": "methods",
    "NCP": "estimators",
    "Posterior": "posterior",
    "ResourceError": "errors",
    "Spectral": "baselines",
    "UsageError": "errors",
    "as_graph": "inputs",
    "detect": "detection",
    "read_graph": "inputs",
}
_MODULES = ("datasets", "generators", "metrics")

__all__ = ["__version__", *_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"graphclust.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"graphclust.{name}")
    else:
        raise AttributeError(f"module 'graphclust' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
