"""The former import path of `Posterior`, which is now defined in `graphclust.results.posterior`."""

from graphclust.results.posterior import Posterior

__all__ = ["Posterior"]
