"""Random graphs with known communities; imported as `graphclust.generators`."""

from graphclust.generators.sbm import planted_partition, sbm

__all__ = ["planted_partition", "sbm"]
