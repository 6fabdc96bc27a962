"""Random graphs, and sets of points, with known communities; imported as `graphclust.generators`.

The samplers of `FAMILIES` take `random_state` and return a `Graph` with known communities `y`; `meta["generator"]`
holds the parameters, and `meta["realised"]` the properties of the graph drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphclust.generators.batches import DenseBatch
from graphclust.generators.crp import crp
from graphclust.generators.families import FAMILIES, Family, graph_folder, stream
from graphclust.generators.lfr import lfr
from graphclust.generators.mixed import mixed
from graphclust.generators.mixtures import gaussian_mixture
from graphclust.generators.pairs import community_pair
from graphclust.generators.sbm import (
    cluster,
    cluster_split,
    dc_sbm,
    general_sbm,
    log_degree_sbm,
    nested_sbm,
    planted_partition,
    sbm,
)
from graphclust.generators.spikes import spikes

if TYPE_CHECKING:
    from graphclust.generators.pyg import SyntheticGraphs as SyntheticGraphs

__all__ = [
    "FAMILIES",
    "DenseBatch",
    "Family",
    "SyntheticGraphs",
    "cluster",
    "cluster_split",
    "community_pair",
    "crp",
    "dc_sbm",
    "gaussian_mixture",
    "general_sbm",
    "graph_folder",
    "lfr",
    "log_degree_sbm",
    "mixed",
    "nested_sbm",
    "planted_partition",
    "sbm",
    "spikes",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name != "SyntheticGraphs":
        raise AttributeError(f"module 'graphclust.generators' has no attribute {name!r}")
    from graphclust.generators.pyg import SyntheticGraphs  # torch_geometric: seconds

    return SyntheticGraphs
