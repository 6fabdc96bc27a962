"""ACP-S: attention that does not depend on the anchor, so that its dear part is done once a graph.

Source: Pakman et al., Attentive Clustering Processes, section A.2, eqs. (37) to (41). The encoded nodes are replaced by
the outputs of an ISAB over the whole graph; everything reads these.
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphclust.models.clusterwise import SetEncodings, Sets
from graphclust.nn.attention import ISAB, PMA
from graphclust.nn.batch import Packing
from graphclust.nn.mlp import MLP

__all__ = ["ACPSEncodings"]


class ACPSEncodings(SetEncodings):
    """Set encodings of ACP-S; see `SetEncodings` for the arguments."""

    def __init__(self, dim: int, n_heads: int, n_inducing: int) -> None:
        super().__init__(dim, n_heads, n_inducing)
        self.u = MLP([dim] * 4)
        self.h = MLP([dim] * 4)
        self.g = MLP([dim] * 4)
        self.attended = ISAB(dim, dim, n_heads, n_inducing)
        self.pool_available = PMA(dim, dim, n_heads)
        self.pool_in = PMA(dim, dim, n_heads)
        self.pool_out = PMA(dim, dim, n_heads)
        self.pool_cluster = PMA(dim, dim, n_heads)

    def project(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Eq. (37)."""
        x = self.attended(x, mask)
        packing = Packing(mask)
        nodes = packing.pack(x)
        return x, packing.unpack(torch.cat([nodes, self.u(nodes)], dim=-1)), packing.unpack(self.h(nodes))

    def members(self, sets: Sets, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. (38)."""
        x, members = projected.chunk(2, dim=-1)
        return members, sets.at_anchor(x)

    def available(self, members: Tensor, D: Tensor, candidates: Tensor) -> Tensor:
        """Eq. (39)."""
        pooled: Tensor = self.pool_available(members, candidates)
        return pooled

    def split(self, members: Tensor, joined: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """Eqs. (40) and (41)."""
        return self.pool_in(members, joined), self.pool_out(members, left)

    def clusters(self, projected: Tensor, masks: Tensor) -> Tensor:
        """Eq. (36): g(PMA(h(x_i)))."""
        term: Tensor = self.g(self.pool_cluster(projected, masks))
        return term * masks.any(dim=-1, keepdim=True)
