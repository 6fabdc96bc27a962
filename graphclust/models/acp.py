"""ACP: set encodings by attention that depends on the anchor.

Source: Pakman et al., Attentive Clustering Processes, eqs. (30), (35) and (36). As in eq.
(49), the nodes' part of the decoder's first layer reads the encoded node itself, not its attended form. A_in and A_out
are pooled by separate networks.

U is the U_1 of eq. (30). The paper also tried U_2 = MAB(anchor, available nodes), eq. (31), but adopted U_1,
which performed better. U_2 is not implemented.

The G of eq. (36) applies h to x-bar, which the paper defines for ACP-S (eq. 37) and not for ACP. Here h reads the
encoded node x, as in eq. (27): the output of the ISAB of eq. (35) depends on which nodes are still available, and the
nodes of a complete cluster are not. The term of a complete cluster therefore stays the same and is computed once.

| ACP | here | as printed? |
|---|---|---|
| sec. 3, 35 | `ACPEncodings.members` | as printed |
| 30 | `ACPEncodings.available` | as printed |
| 31 | | missing: not adopted by the paper |
| 36 | `ACPEncodings.members`, `ACPEncodings.available`, `PooledEncodings.split` | as printed |
| 36 | `PooledEncodings.clusters`, `ACPEncodings.project` | G: h reads x, not x-bar |
| 40, 41 | `PooledEncodings.split` | as printed |
| sec. A.2 | `PooledEncodings.clusters` | as printed |
"""

from __future__ import annotations

from torch import Tensor

from graphclust.models.clusterwise import SetEncodings, Sets
from graphclust.nn.attention import ISAB, PMA, OneKeyMAB
from graphclust.nn.batch import Packing

__all__ = ["ACPEncodings", "PooledEncodings"]


class PooledEncodings(SetEncodings):
    """Base class of ACP and ACP-S: an ISAB, and sets pooled by attention; see `SetEncodings` for the parameters."""

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
    """Set encodings of ACP; see `SetEncodings` for the parameters."""

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
