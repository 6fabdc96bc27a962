r"""NCP: points join a cluster or start a new one, one after the other; the O(N) baseline of Table 1.

For points in some order, the posterior is a product of N factors (eq. 6 of Pakman et al., Attentive Clustering
Processes):

.. math:: p(c_{1:N} \mid x) = \prod_{n=1}^{N} p(c_n \mid c_{1:n-1}, x)

Pakman et al., Neural Clustering Processes (ICML 2020), section 2, model a factor by the clusters that would result if
the point joined cluster k. With :math:`H_k = \sum_{i \le n-1, c_i = k} h(x_i)` and K clusters so far,

.. math::
   G_k = \sum_{j \ne k} g(H_j) + g(H_k + h(x_n)), \qquad
   Q_n = \sum_{i=n+1}^{N} u(x_i), \qquad
   p(c_n = k \mid c_{1:n-1}, x) = \mathrm{softmax}_{k = 1 \dots K+1} \; f(G_k, Q_n, h(x_n))

where :math:`k = K + 1` is a new cluster with :math:`H_k = 0`. Training maximises the sum of the logarithms of the
factors for points in random order. There is no latent vector and no bound. All factors of a known partition are
computed at once, since the clusters before each point are known.

A factor depends on the order of the points, and the model is only approximately exchangeable. Here the order of each
sample is drawn uniformly, and the probability of a partition is the mean over orders. For each order the probabilities
of all partitions sum to 1.

`NCP._candidates` computes G by running sums and evaluates each g once. `NCP._logits` applies the first layer of f to
each of its inputs and adds the results. In the 2020 paper h and u read raw points; here they read encoded points.

Symbols: G, H, Q as in the paper; x the encoded points, ranks the numbers of the clusters (-1 beyond the points).

| ACP | here | as printed? |
|---|---|---|
| 6 | `NCP.forward`, `NCP.sample` | as printed; the factors are those of Pakman et al. 2020 |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graphclust.models.clusterwise import Elbo, Noise
from graphclust.nn.batch import Batch
from graphclust.nn.mlp import MLP, PReLU

__all__ = ["NCP", "NCPNodes"]

_INITIAL_SCALE = 0.01  # of the last layers of h and u: sums over hundreds of points should be of order 1 at the start
_CELLS = 1 << 20  # factors x clusters that are computed at once
_FREE_CLUSTERS = 8  # initial size, and least growth, of the table of clusters in sampling


class NCPNodes(NamedTuple):
    """Values that are computed once for each point, shape (batch, n_max, dim).

    Attributes
    ----------
    decoder : Tensor
        The first layer of f applied to h(x).
    members : Tensor
        u(x).
    clusters : Tensor
        h(x).
    """

    decoder: Tensor
    members: Tensor
    clusters: Tensor


class NCP(nn.Module):
    """Neural clustering process.

    Parameters
    ----------
    encoder : Module
        Maps a `Batch` to vectors of shape (batch, n_max, dim).
    dim : int
        Dimension of every vector.
    depth : int
        Number of linear layers of f.
    """

    def __init__(self, encoder: nn.Module, dim: int, depth: int = 5) -> None:
        super().__init__()
        self.dim = dim
        self.encoder = encoder
        self.h, self.u, self.g = (MLP([dim] * 4) for _ in range(3))
        with torch.no_grad():
            for parameter in (*self.h.layers[-1].parameters(), *self.u.layers[-1].parameters()):
                parameter.mul_(_INITIAL_SCALE)
        self.of_clusters = nn.Linear(dim, dim)  # the first layer of f, in three parts
        self.of_unassigned = nn.Linear(dim, dim, bias=False)
        self.of_point = nn.Linear(dim, dim, bias=False)
        self.rest = nn.Sequential(PReLU(), MLP([*[dim] * (depth - 1), 1]))

    def encode(self, batch: Batch) -> NCPNodes:
        """Compute everything that does not depend on the partition."""
        x = self.encoder(batch)
        h = self.h(x)
        return NCPNodes(self.of_point(h), self.u(x), h)

    def _logits(self, clusters: Tensor, unassigned: Tensor, point: Tensor) -> Tensor:
        """Return the values of f, shape (...), in float32 at least.

        Parameters
        ----------
        clusters : Tensor, shape (..., dim)
            G_k.
        unassigned, point : Tensor, shapes that broadcast to it
            Q_n, and the first layer of f applied to h(x_n).
        """
        logits = self.rest(self.of_clusters(clusters) + self.of_unassigned(unassigned) + point).squeeze(-1)
        return logits if logits.dtype == torch.float64 else logits.float()

    # ------------------------------------------------------------------ training

    def forward(self, batch: Batch, n_z: int = 0, seeds: Sequence[int] | None = None) -> Elbo:
        """Return the log-probability of the true partitions, for points in random order.

        Points with known labels (`batch.known`) come first, and their factors are left out.

        Parameters
        ----------
        batch : Batch
            With labels.
        n_z : int
            Ignored, since there is no latent vector; the other models have this argument.
        seeds : sequence of int, optional
            A seed for each graph, which fixes the order of its points; torch's global generator by default.
        """
        if batch.labels is None:
            raise ValueError("training needs labels")
        keys = Noise(seeds, batch.mask).uniform()
        value = self._log_factors(self.encode(batch), batch.labels, keys, batch.known)
        per_graph = value.sum(dim=1)
        return Elbo(per_graph.sum(), per_graph.detach())

    def _log_factors(self, nodes: NCPNodes, labels: Tensor, keys: Tensor, known: Tensor | None) -> Tensor:
        """Return the logarithm of each factor, shape (rows, n_max); 0 for known labels and beyond the points.

        Parameters
        ----------
        nodes : NCPNodes
            One row per partition.
        labels : Tensor of int64, shape (rows, n_max)
            -1 beyond the points.
        keys : Tensor, shape (rows, n_max)
            In [0, 1). Points are sorted by key, known ones first.
        known : Tensor of int64, shape (rows, n_max), or None
        """
        inside = labels >= 0
        is_open = inside if known is None else inside & (known == 0)  # points with unknown labels
        order = (keys + is_open).masked_fill(~inside, math.inf).argsort(dim=1)
        labels, is_open = labels.gather(1, order), is_open.gather(1, order)
        point, u, h = (_reordered(values, order) for values in nodes)
        h, u = (values.masked_fill((labels < 0)[..., None], 0.0) for values in (h, u))
        unassigned = u.sum(dim=1, keepdim=True) - u.cumsum(dim=1)
        member = _members(labels)  # (rows, n, K) of bool, clusters in the order of their first points
        candidates, valid = self._candidates(h, member)
        row, place, cluster = valid.nonzero(as_tuple=True)
        logits = candidates.new_full(valid.shape, -math.inf, dtype=torch.promote_types(h.dtype, torch.float32))
        values = self._logits(candidates[row, place, cluster], unassigned[row, place], point[row, place])
        logits = logits.index_put((row, place, cluster), values)
        chosen = member.to(torch.int64).argmax(dim=2)
        log_p = torch.log_softmax(logits.masked_fill(~valid.any(dim=2, keepdim=True), 0.0), dim=2)
        return log_p.gather(2, chosen[..., None]).squeeze(2).masked_fill(~is_open, 0.0)

    def _candidates(self, h: Tensor, member: Tensor) -> tuple[Tensor, Tensor]:
        """Return G_k for each point and each cluster that it may join.

        Parameters
        ----------
        h : Tensor, shape (rows, n, dim)
            0 beyond the points.
        member : Tensor of bool, shape (rows, n, K)

        Returns
        -------
        G : Tensor, shape (rows, n, K, dim)
        valid : Tensor of bool, shape (rows, n, K)
            The clusters that a point may join: those with earlier points, and a new one.
        """
        rows, n, K = member.shape
        assigned = member[..., None] * h[:, :, None]
        before = assigned.cumsum(dim=1) - assigned  # H_k
        n_earlier = (member.cumsum(dim=1) - member.to(torch.int64) > 0).sum(dim=2)  # clusters before the point
        valid = (torch.arange(K, device=h.device) <= n_earlier[..., None]) & member.any(dim=2, keepdim=True)
        row, place, cluster = valid.nonzero(as_tuple=True)
        joined = self.g(before[row, place, cluster] + h[row, place])
        joined = h.new_zeros(rows, n, K, self.dim).index_put((row, place, cluster), joined.to(h.dtype))
        # g(H_k) before a point was computed when the latest earlier point of cluster k joined it
        last = torch.where(member, torch.arange(n, device=h.device)[:, None], -1).cummax(dim=1).values
        last = torch.cat([last.new_full((rows, 1, K), -1), last[:, :-1]], dim=1)
        current = joined.gather(1, last.clamp_min(0)[..., None].expand(-1, -1, -1, self.dim))
        current = current.masked_fill((last < 0)[..., None], 0.0)
        return current.sum(dim=2, keepdim=True) - current + joined, valid

    # ------------------------------------------------------------------ sampling

    @torch.inference_mode()
    def sample(
        self,
        nodes: NCPNodes,
        mask: Tensor,
        n_samples: int,
        mode: str = "map",
        generator: torch.Generator | None = None,
        known: Tensor | None = None,
        max_clusters: int | None = None,
    ) -> Tensor:
        """Draw partitions, each for its own random order of the points; the parameters are those of `sampler.sample`.

        In mode "map" each point joins its most probable cluster.

        Returns
        -------
        Tensor of int64, shape (batch, n_samples, n_max)
            Numbers of the clusters in the order of their first points; -1 beyond the points, and for points of
            clusters beyond the first `max_clusters`.
        """
        device, (B, N) = mask.device, mask.shape
        owner = torch.arange(B, device=device).repeat_interleave(n_samples)
        inside = mask[owner]
        label = torch.zeros_like(owner)[:, None].expand(-1, N) if known is None else known[owner]
        keys = torch.rand(inside.shape, generator=generator).to(device) + (label == 0)
        order = keys.masked_fill(~inside, math.inf).argsort(dim=1)
        samples = _Samples(self, nodes, owner, order, inside.gather(1, order), label.gather(1, order))
        for n in range(N):
            samples.step(n, mode, generator)
        ranks = torch.full_like(order, -1).scatter_(1, order, samples.ranks)
        if max_clusters is not None:
            ranks.masked_fill_(ranks >= max_clusters, -1)
        return ranks.view(B, n_samples, N)

    @torch.inference_mode()
    def log_probability(
        self,
        nodes: NCPNodes,
        ranks: Tensor,
        owner: Tensor | None = None,
        n_orders: int = 10,
        generator: torch.Generator | None = None,
        known: Tensor | None = None,
    ) -> Tensor:
        """Return the logarithm of the mean probability over random orders of the points, shape (partitions,).

        The orders are the same for all partitions of a graph.

        Parameters
        ----------
        nodes : NCPNodes
        ranks : Tensor of int64, shape (partitions, n_max)
            -1 beyond the points.
        owner : Tensor of int64, shape (partitions,), optional
            The graph of each partition; the first graph by default.
        n_orders : int
        generator : torch.Generator, optional
            A generator on the CPU.
        known : Tensor of int64, shape (batch, n_max), optional
            1 + the label where it is known, else 0. The result is the probability of the other labels given these.
        """
        device, (P, N) = ranks.device, ranks.shape
        owner = torch.zeros(P, dtype=torch.int64, device=device) if owner is None else owner
        keys = torch.rand(n_orders, *nodes.clusters.shape[:2], generator=generator).to(device)
        rows = max(1, _CELLS // max(N * (_n_clusters(ranks) + 1), 1))
        values = []
        for part in torch.arange(P, device=device).split(rows):
            graph = owner[part]
            own = NCPNodes(*(tensor[graph] for tensor in nodes))
            label = None if known is None else known[graph]
            by_order = [self._log_factors(own, ranks[part], key[graph], label).sum(dim=1) for key in keys]
            values.append(torch.logsumexp(torch.stack(by_order), dim=0) - math.log(n_orders))
        return torch.cat(values) if values else ranks.new_zeros(0, dtype=torch.float32)


class _Samples:
    """Unfinished samples, each of the points of a graph in its own order.

    Parameters
    ----------
    model : NCP
    nodes : NCPNodes
    owner : Tensor of int64, shape (n_samples,)
        The graph of each sample.
    order : Tensor of int64, shape (n_samples, n)
        The points in the order in which they are assigned; padding comes last.
    inside : Tensor of bool, shape (n_samples, n)
        Whether an entry of `order` is a point.
    label : Tensor of int64, shape (n_samples, n)
        1 + the known label of each entry of `order`, or 0.
    """

    def __init__(
        self, model: NCP, nodes: NCPNodes, owner: Tensor, order: Tensor, inside: Tensor, label: Tensor
    ) -> None:
        self.model, self.nodes, self.owner, self.order, self.inside, self.label = (
            model, nodes, owner, order, inside, label,
        )  # fmt: skip
        h = nodes.clusters
        n_samples, dim = len(owner), model.dim
        self.ranks = torch.full_like(order, -1)
        self.unassigned = (nodes.members * _mask_of(nodes, owner, order, inside)).sum(dim=1)[owner]
        self.n_clusters = torch.zeros_like(owner)
        self.sums = h.new_zeros(n_samples, _FREE_CLUSTERS, dim)  # H_k
        self.images = h.new_zeros(n_samples, _FREE_CLUSTERS, dim)  # g(H_k), 0 for an empty cluster
        self.cluster_label = label.new_zeros(n_samples, _FREE_CLUSTERS)
        self.checked_at = 0  # step at which the largest number of clusters was last read
        self.max_clusters = 0  # that number

    def step(self, n: int, mode: str, generator: torch.Generator | None) -> None:
        """Assign the n-th point of each sample."""
        self._make_room(n)
        place, present, label = self.order[:, n], self.inside[:, n], self.label[:, n]
        point, u, h = (values[self.owner, place] for values in self.nodes)
        self.unassigned = self.unassigned - u * present[:, None]
        joined = self.model.g(self.sums + h[:, None])
        G = self.images.sum(dim=1, keepdim=True) - self.images + joined
        logits = self.model._logits(G, self.unassigned[:, None], point[:, None])
        cluster = torch.arange(self.sums.shape[1], device=h.device)
        own = (label[:, None] > 0) & (self.cluster_label == label[:, None])  # the cluster with the point's known label
        allowed = cluster <= self.n_clusters[:, None]
        forced = torch.where(own.any(dim=1, keepdim=True), own, cluster == self.n_clusters[:, None])
        allowed = torch.where(label[:, None] > 0, forced, allowed)
        logits = logits.masked_fill(~allowed, -math.inf)
        if mode == "posterior":  # the argmax of logits plus Gumbel noise is a draw from their softmax
            uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64).to(logits.device)
            logits = logits - (-uniform.clamp_min(1e-300).log()).log()
        chosen = logits.argmax(dim=1)
        self.ranks[:, n] = torch.where(present, chosen, -1)
        self.n_clusters += present & (chosen == self.n_clusters)
        index = chosen[:, None, None].expand(-1, 1, self.model.dim)
        self.sums.scatter_add_(1, index, (h * present[:, None])[:, None])
        image = torch.where(present[:, None, None], joined.gather(1, index), self.images.gather(1, index))
        self.images.scatter_(1, index, image)
        old_label = self.cluster_label.gather(1, chosen[:, None])[:, 0]
        new_label = torch.where((label > 0) & present, label, old_label)
        self.cluster_label.scatter_(1, chosen[:, None], new_label[:, None])

    def _make_room(self, n: int) -> None:
        """Grow the tables if a new cluster might not fit; a step adds at most one cluster to a sample."""
        width = self.sums.shape[1]
        if self.max_clusters + (n - self.checked_at) < width - 1:
            return
        self.max_clusters, self.checked_at = int(self.n_clusters.max()), n
        if self.max_clusters < width - 1:
            return
        growth = max(_FREE_CLUSTERS, width // 2)
        self.sums, self.images, self.cluster_label = (
            torch.cat([table, table.new_zeros(len(table), growth, *table.shape[2:])], dim=1)
            for table in (self.sums, self.images, self.cluster_label)
        )


def _mask_of(nodes: NCPNodes, owner: Tensor, order: Tensor, inside: Tensor) -> Tensor:
    """Return the mask of the points of each graph, shape (batch, n, 1), from the orders of the samples."""
    mask = torch.zeros(nodes.members.shape[:2], dtype=torch.bool, device=owner.device)
    mask[owner[:, None], order] = inside
    return mask[..., None]


def _reordered(values: Tensor, order: Tensor) -> Tensor:
    """Bring values (rows, n, dim) into the order (rows, n)."""
    return values.gather(1, order[..., None].expand(-1, -1, values.shape[-1]))


def _n_clusters(ranks: Tensor) -> int:
    return int(ranks.max()) + 1 if ranks.numel() else 0


def _members(labels: Tensor) -> Tensor:
    """Return the cluster of each point as indicators, bool (rows, n, K), clusters numbered in the order of appearance.

    The last cluster is empty: the new cluster that a point could have started.

    Parameters
    ----------
    labels : Tensor of int64, shape (rows, n)
        -1 beyond the points.
    """
    rows, n = labels.shape
    inside = labels >= 0
    width = _n_clusters(labels)
    first = labels.new_full((rows, max(width, 1)), n)
    place = torch.arange(n, device=labels.device).expand_as(labels).masked_fill(~inside, n)
    first.scatter_reduce_(1, labels.clamp_min(0), place, "amin")
    number = first.argsort(dim=1, stable=True).argsort(dim=1)
    ranks = number.gather(1, labels.clamp_min(0)).masked_fill(~inside, -1)
    return ranks[..., None] == torch.arange(_n_clusters(ranks) + 1, device=labels.device)
