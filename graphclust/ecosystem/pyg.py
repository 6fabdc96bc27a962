"""A transform of PyTorch Geometric that adds communities to graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphclust.detection import detect
from graphclust.methods import METHODS

__all__ = ["AddCommunities"]


class AddCommunities(BaseTransform):  # type: ignore[misc]
    """Adds the community of each node to a graph.

    Parameters
    ----------
    method : str
        As of `graphclust.detect`. A method that learns from features, such as "clam", takes those of the graph.
    attribute : str
        Name of the tensor of int64, shape (n_nodes,), with the labels; 0 is the largest community.
    as_features : bool
        Whether to add the labels to `x` in one-hot coding, too, for `n_clusters` communities.
    **params
        Others of `graphclust.detect`, such as `random_state`.

    Examples
    --------
    >>> from torch_geometric.data import Data
    >>> path = torch.tensor([[0, 1, 1, 2, 3, 4, 2, 3], [1, 0, 2, 1, 4, 3, 3, 2]])
    >>> AddCommunities("leiden")(Data(edge_index=path, num_nodes=5)).community
    tensor([1, 1, 0, 0, 0])
    """

    def __init__(
        self, method: str = "auto", *, attribute: str = "community", as_features: bool = False, **params: Any
    ) -> None:
        self.method = method
        self.attribute = attribute
        self.as_features = as_features
        self.params = params

    def forward(self, data: Data) -> Data:
        """Return the graph with its communities."""
        method = self.method
        if method in METHODS and not METHODS[method].takes_features and data.x is not None:
            graph = data.clone()
            graph.x = None
            result = detect(graph, method, **self.params)
        else:
            result = detect(data, method, **self.params)
        labels = torch.tensor(result.labels)
        data[self.attribute] = labels
        if self.as_features:
            coded = torch.nn.functional.one_hot(labels, self.params.get("n_clusters") or result.n_clusters)
            coded = coded.to(torch.get_default_dtype() if data.x is None else data.x.dtype)
            data.x = coded if data.x is None else torch.cat((data.x, coded), dim=1)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.method!r})"
