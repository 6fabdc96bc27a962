"""Exact Bayesian inference: block models, chains, refinement by description length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphclust.runtime.registry import Registry

if TYPE_CHECKING:
    from graphclust.inference.base import BlockModel

__all__ = ["BLOCK_MODELS"]

BLOCK_MODELS: Registry[type[BlockModel]] = Registry(
    "block model",
    {
        "sbm": "graphclust.inference.block_models:StochasticBlockModel",
        "dc-sbm": "graphclust.inference.microcanonical:DegreeCorrectedBlockModel",
        "planted": "graphclust.inference.block_models:PlantedPartitionModel",
    },
)
