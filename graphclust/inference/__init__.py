"""Exact Bayesian inference: block models, chains, refinement by description length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphclust.runtime.registry import Registry

if TYPE_CHECKING:
    from graphclust.inference.base import BlockModel

__all__ = ["BLOCK_MODELS", "MICROCANONICAL_MODELS", "MOST_AGGLOMERATED", "NESTED_MODELS"]

MOST_AGGLOMERATED = 20_000
"""Nodes, up to which groups are also merged from single nodes on."""

NESTED_MODELS = {"dc-sbm": "the nested degree-corrected block model", "sbm": "the nested stochastic block model"}
"""What messages call the models of hierarchies."""

MICROCANONICAL_MODELS = ("dc-sbm", "microcanonical-sbm")
"""Block models whose partitions are trees of groups."""

BLOCK_MODELS: Registry[type[BlockModel]] = Registry(
    "block model",
    {
        "sbm": "graphclust.inference.block_models:StochasticBlockModel",
        "dc-sbm": "graphclust.inference.microcanonical:DegreeCorrectedBlockModel",
        "microcanonical-sbm": "graphclust.inference.microcanonical:UncorrectedBlockModel",
        "planted": "graphclust.inference.block_models:PlantedPartitionModel",
    },
)
