"""graphclust finds communities in graphs and quantifies their uncertainty.

    import graphclust as gc
    c = gc.detect("graph.edgelist")
    c.membership, c.quality()

This module exports the public interface. A name is imported when it is first used, so that `import graphclust` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphclust import datasets as datasets
    from graphclust import generators as generators
    from graphclust import metrics as metrics
    from graphclust.detection import detect as detect
    from graphclust.detection.comparison import compare as compare
    from graphclust.detection.points import cluster as cluster
    from graphclust.detection.profile import profile as profile
    from graphclust.ecosystem import tl as tl
    from graphclust.errors import DataError as DataError
    from graphclust.errors import GraphclustError as GraphclustError
    from graphclust.errors import ResourceError as ResourceError
    from graphclust.errors import UsageError as UsageError
    from graphclust.graph import Graph as Graph
    from graphclust.inputs import as_graph as as_graph
    from graphclust.inputs import read_graph as read_graph
    from graphclust.methods import METHODS as METHODS
    from graphclust.methods.acp import ACP as ACP
    from graphclust.methods.acp import ACPS as ACPS
    from graphclust.methods.acp import CCP as CCP
    from graphclust.methods.acp import NCP as NCP
    from graphclust.methods.clam import CLAM as CLAM
    from graphclust.methods.cnc import CNC as CNC
    from graphclust.methods.infomap import Infomap as Infomap
    from graphclust.methods.label_propagation import LabelPropagation as LabelPropagation
    from graphclust.methods.leiden import Leiden as Leiden
    from graphclust.methods.lnscc import LNSCC as LNSCC
    from graphclust.methods.louvain import Louvain as Louvain
    from graphclust.methods.spectral import Spectral as Spectral
    from graphclust.results.changes import diff as diff
    from graphclust.results.communities import Communities as Communities
    from graphclust.results.hierarchy import Hierarchy as Hierarchy
    from graphclust.results.posterior import Posterior as Posterior

__version__ = "0.1.0"

_MODULE_OF = {
    "ACP": "methods.acp",
    "ACPS": "methods.acp",
    "CCP": "methods.acp",
    "CLAM": "methods.clam",
    "CNC": "methods.cnc",
    "LNSCC": "methods.lnscc",
    "Communities": "results.communities",
    "DataError": "errors",
    "Graph": "graph",
    "GraphclustError": "errors",
    "Hierarchy": "results.hierarchy",
    "Infomap": "methods.infomap",
    "LabelPropagation": "methods.label_propagation",
    "Leiden": "methods.leiden",
    "Louvain": "methods.louvain",
    "METHODS": "methods",
    "NCP": "methods.acp",
    "Posterior": "results.posterior",
    "ResourceError": "errors",
    "Spectral": "methods.spectral",
    "UsageError": "errors",
    "as_graph": "inputs",
    "cluster": "detection.points",
    "compare": "detection.comparison",
    "detect": "detection",
    "diff": "results.changes",
    "profile": "detection.profile",
    "read_graph": "inputs",
}
_MODULES = {"datasets": "datasets", "generators": "generators", "metrics": "metrics", "tl": "ecosystem.tl"}

__all__ = ["__version__", *_MODULE_OF, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(f"graphclust.{_MODULE_OF[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"graphclust.{_MODULES[name]}")
    else:
        raise AttributeError(f"module 'graphclust' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
