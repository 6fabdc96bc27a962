"""Methods as estimators: where a model or an algorithm meets a graph."""

from graphclust.methods.registry import METHODS

__all__ = ["METHODS"]
