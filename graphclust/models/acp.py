"""ACP: attention that reads the available nodes with the anchor in mind.

Source: Pakman et al., Attentive Clustering Processes, eqs. (30), (35) and (36). The nodes' part of the decoder's first
layer reads the encoded node itself, as eq. (49) has it, not its attended form. A_in and A_out have a pooling each.
"""

from __future__ import annotations

from torch import Tensor

from graphclust.models.clusterwise import SetEncodings, Sets
from graphclust.nn.attention import ISAB, PMA, OneKeyMAB
from graphclust.nn.batch import Packing

__all__ = ["ACPEncodings", "PooledEncodings"]


class PooledEncodings(SetEncodings):
    """What ACP and ACP-S share: an ISAB, and sets pooled by attention; see `SetEncodings` for the arguments."""

    def __init__(self, dim: int, n_heads: int, n_inducing: int) -> None:
        super().__init__(dim, n_heads, n_inducing)
        self.attended = ISAB(dim, dim, n_heads, n_inducing)
        self.pool_available = PMA(dim, dim, n_heads)
        self.pool_in = PMA(dim, dim, n_heads)
        self.pool_out = PMA(dim, dim, n_heads)
        self.pool_cluster = PMA(dim, dim, n_heads)

    def split(self, members: Tensor, joined: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. (36)."""
        return self.pool_in(members, joined), self.pool_out(members, left)

    def clusters(self, projected: Tensor, masks: Tensor) -> Tensor:
        """Eq. (36): g(PMA(h(x_i)))."""
        term: Tensor = self.g(self.pool_cluster(projected, masks))
        return term * masks.any(dim=-1, keepdim=True)


class ACPEncodings(PooledEncodings):
    """Set encodings of ACP; see `SetEncodings` for the arguments."""

    def __init__(self, dim: int, n_heads: int, n_inducing: int) -> None:
        super().__init__(dim, n_heads, n_inducing)
        self.to_anchor = OneKeyMAB(dim, dim, dim)

    def project(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `SetEncodings.project`."""
        packing = Packing(mask)
        nodes = packing.pack(x)
        return x, packing.unpack(self.attended.project(self.u(nodes))), packing.unpack(self.h(nodes))

    def members(self, sets: Sets, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. (35)."""
        members = self.attended.subsets(projected, sets.mask)
        return members, sets.at_anchor(members)

    def available(self, members: Tensor, D: Tensor, candidates: Tensor) -> Tensor:
        """Eq. (30): PMA(MAB(members, anchor))."""
        return self.pool_available.after(self.to_anchor, members, D, candidates)
