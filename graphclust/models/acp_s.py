"""ACP-S: attention that does not depend on the anchor, so that its costly part runs once per graph.

Source: Pakman et al., Attentive Clustering Processes, section A.2, eqs. (37) to (41). The outputs of an ISAB over the
whole graph replace the encoded nodes in all equations.

| ACP | here | as printed? |
|---|---|---|
| 37, sec. A.2 | `ACPSEncodings.project` | as printed |
| 38 | `ACPSEncodings.members` | as printed |
| 39 | `ACPSEncodings.available` | as printed |
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphclust.models.acp import PooledEncodings
from graphclust.models.clusterwise import Sets
from graphclust.nn.batch import Packing

__all__ = ["ACPSEncodings"]


class ACPSEncodings(PooledEncodings):
    """Set encodings of ACP-S; see `SetEncodings` for the parameters. Eqs. (40) and (41) are `PooledEncodings.split`."""

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
