"""CCP: sets encoded as sums.

Source: Pakman et al., Neural Clustering Processes, 2020, as restated in Attentive Clustering Processes, eqs. (26) to
(29); A_in and A_out are sums of the same kind as U.

| ACP | here | as printed? |
|---|---|---|
| 26 | `CCPEncodings.available` | as printed; the last layer of u starts near 0 |
| 27 | `CCPEncodings.clusters` | as printed; the last layer of h starts near 0 |
| 36 | `CCPEncodings.split` | A_in and A_out of CCP are not printed |
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphclust.models.clusterwise import SetEncodings, Sets
from graphclust.nn.batch import Packing

__all__ = ["CCPEncodings"]

_INITIAL_SCALE = 0.01


class CCPEncodings(SetEncodings):
    """Set encodings of CCP; see `SetEncodings` for the parameters. `n_heads` and `n_inducing` are ignored."""

    def __init__(self, dim: int, n_heads: int, n_inducing: int) -> None:
        super().__init__(dim, n_heads, n_inducing)
        with torch.no_grad():  # sums over hundreds of nodes should be of order 1 at the start
            for parameter in (*self.u.layers[-1].parameters(), *self.h.layers[-1].parameters()):
                parameter.mul_(_INITIAL_SCALE)

    def project(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `SetEncodings.project`."""
        packing = Packing(mask)
        nodes = packing.pack(x)
        return x, packing.unpack(torch.cat([nodes, self.u(nodes)], dim=-1)), packing.unpack(self.h(nodes))

    def members(self, sets: Sets, projected: Tensor) -> tuple[Tensor, Tensor]:
        """D is the anchor itself, and the members are u(x)."""
        x, members = projected.chunk(2, dim=-1)
        return members, sets.at_anchor(x)

    def available(self, members: Tensor, D: Tensor, candidates: Tensor) -> Tensor:
        """Eq. (26)."""
        return candidates.to(members.dtype) @ members

    def split(self, members: Tensor, joined: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """Sum as in eq. (26)."""
        return joined.to(members.dtype) @ members, left.to(members.dtype) @ members

    def clusters(self, projected: Tensor, masks: Tensor) -> Tensor:
        """Eq. (27)."""
        term: Tensor = self.g(masks.to(projected.dtype) @ projected)
        return term * masks.any(dim=-1, keepdim=True)
