"""Methods as estimators: they apply models and algorithms to graphs and tables."""

from graphclust.methods.registry import METHODS

__all__ = ["METHODS"]
