"""`graphclust.posterior.Posterior`, where it used to be: `graphclust.results.posterior`."""

from graphclust.results.posterior import Posterior

__all__ = ["Posterior"]
