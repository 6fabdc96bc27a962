"""All methods by name. A new method is one file and one line here."""

from __future__ import annotations

from graphclust.methods.base import GraphEstimator
from graphclust.methods.own import as_method
from graphclust.runtime.registry import Registry

__all__ = ["METHODS"]

METHODS: Registry[type[GraphEstimator]] = Registry(
    "method",
    {
        "auto": "graphclust.methods.auto:Auto",
        "acp": "graphclust.methods.acp:ACP",
        "acp-s": "graphclust.methods.acp:ACPS",
        "ccp": "graphclust.methods.acp:CCP",
        "ncp": "graphclust.methods.acp:NCP",
        "clam": "graphclust.methods.clam:CLAM",
        "cnc": "graphclust.methods.cnc:CNC",
        "lnscc": "graphclust.methods.lnscc:LNSCC",
        "leiden": "graphclust.methods.leiden:Leiden",
        "louvain": "graphclust.methods.louvain:Louvain",
        "infomap": "graphclust.methods.infomap:Infomap",
        "label-propagation": "graphclust.methods.label_propagation:LabelPropagation",
        "spectral": "graphclust.methods.spectral:Spectral",
    },
    as_method,
)
