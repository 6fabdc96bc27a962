"""Exact Bayesian inference: block models, chains, refinement by description length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphclust.runtime.registry import Registry

if TYPE_CHECKING:
    from graphclust.inference.base import BlockModel

__all__ = ["BLOCK_MODELS", "GENERAL_MODELS", "MICROCANONICAL_MODELS", "MOST_AGGLOMERATED", "NESTED_MODELS"]

MOST_AGGLOMERATED = 20_000
"""Nodes, up to which groups are also merged from single nodes on."""

NESTED_MODELS = {"dc-sbm": "the nested degree-corrected block model", "sbm": "the nested stochastic block model"}
"""What messages call the models of hierarchies."""

GENERAL_MODELS = ("dc-sbm", "microcanonical-sbm")
"""Models of groups of any kind, of directed and two-mode graphs, and of weights."""

MICROCANONICAL_MODELS = (*GENERAL_MODELS, "assortative", "assortative-uniform")
"""Block models whose partitions are trees of groups."""

BLOCK_MODELS: Registry[type[BlockModel]] = Registry(
    "block model",
    {
        "sbm": "graphclust.inference.block_models:StochasticBlockModel",
        "dc-sbm": "graphclust.inference.microcanonical:DegreeCorrectedBlockModel",
        "microcanonical-sbm": "graphclust.inference.microcanonical:UncorrectedBlockModel",
        "assortative": "graphclust.inference.microcanonical:AssortativeModel",
        "assortative-uniform": "graphclust.inference.microcanonical:UniformAssortativeModel",
        "planted": "graphclust.inference.block_models:PlantedPartitionModel",
    },
)
