r"""NCP: the partition drawn point by point, each joining a cluster or beginning one; the O(N) baseline of Table 1.

The posterior is a product of N factors, for the points in some order (eq. 6 of Pakman et al., Attentive Clustering
Processes):

.. math:: p(c_{1:N} \mid x) = \prod_{n=1}^{N} p(c_n \mid c_{1:n-1}, x)

Pakman et al., Neural Clustering Processes (ICML 2020), section 2, model a factor by what joining cluster k would make
of the clusters. With :math:`H_k = \sum_{i \le n-1, c_i = k} h(x_i)` and K clusters so far,

.. math::
   G_k = \sum_{j \ne k} g(H_j) + g(H_k + h(x_n)), \qquad
   Q_n = \sum_{i=n+1}^{N} u(x_i), \qquad
   p(c_n = k \mid c_{1:n-1}, x) = \mathrm{softmax}_{k = 1 \dots K+1} \; f(G_k, Q_n, h(x_n))

where :math:`k = K + 1` is a new cluster, of which :math:`H_k = 0`. Training maximises the sum of the factors'
logarithms for points in random order: there is no latent vector and no bound. All factors of a known partition are
computed at once, since the clusters before each point are known.

A factor depends on the order of the points, and the model is only approximately exchangeable. Here an order is drawn
uniformly for each sample, and the probability of a partition is the mean over orders; for each order the
probabilities of all partitions sum to 1.

`NCP._candidates` computes G by running sums, each g once; `NCP._logits` applies the first layer of f to each of its
inputs and adds. The 2020 paper's h and u read raw points; here they read what the encoder gives.

Symbols: G, H, Q as in the paper; x the encoded points, ranks the clusters by number (-1 where there is no point).

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

_START = 0.01  # of the last layers of h and u: sums over hundreds of points should start of order 1
_CELLS = 1 << 20  # factors x clusters that are computed at once on a CPU
_FREE_CLUSTERS = 8  # by which the table of clusters grows while sampling


class NCPNodes(NamedTuple):
    """What is computed once for each point, shape (batch, n_max, dim).

    Attributes
    ----------
    decoder : Tensor
        h(x), as the first layer of f reads it.
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
        Batch -> (batch, n_max, dim).
    dim : int
        Features of every vector.
    depth : int
        Linear layers of f.
    """

    def __init__(self, encoder: nn.Module, dim: int, depth: int = 5) -> None:
        super().__init__()
        self.dim = dim
        self.encoder = encoder
        self.h, self.u, self.g = (MLP([dim] * 4) for _ in range(3))
        with torch.no_grad():
            for parameter in (*self.h.layers[-1].parameters(), *self.u.layers[-1].parameters()):
                parameter.mul_(_START)
        self.of_clusters = nn.Linear(dim, dim)  # the first layer of f, in three parts
        self.of_unassigned = nn.Linear(dim, dim, bias=False)
        self.of_point = nn.Linear(dim, dim, bias=False)
        self.rest = nn.Sequential(PReLU(), MLP([*[dim] * (depth - 1), 1]))

    def encode(self, batch: Batch) -> NCPNodes:
        """Compute all that does not depend on the partition."""
        x = self.encoder(batch)
        h = self.h(x)
        return NCPNodes(self.of_point(h), self.u(x), h)

    def _logits(self, clusters: Tensor, unassigned: Tensor, point: Tensor) -> Tensor:
        """Return f, shape (...), in float32 at least.

        Parameters
        ----------
        clusters : Tensor, shape (..., dim)
            G_k.
        unassigned, point : Tensor, shapes that broadcast to it
            Q_n and the first layer's reading of h(x_n).
        """
        logits = self.rest(self.of_clusters(clusters) + self.of_unassigned(unassigned) + point).squeeze(-1)
        return logits if logits.dtype == torch.float64 else logits.float()

    # ------------------------------------------------------------------ training

    def forward(self, batch: Batch, n_z: int = 0, seeds: Sequence[int] | None = None) -> Elbo:
        """Return the log-probability of the true partitions, for points in random order.

        Points whose labels are known (`batch.known`) come first, and their factors do not count.

        Parameters
        ----------
        batch : Batch
            With labels.
        n_z : int
            Ignored: there is no latent vector. The argument is there as the other models have it.
        seeds : sequence of int, optional
            One a graph, for the order of its points; torch's global generator by default.
        """
        if batch.labels is None:
            raise ValueError("training needs labels")
        keys = Noise(seeds, batch.mask).uniform()
        value = self._log_factors(self.encode(batch), batch.labels, keys, batch.known)
        per_graph = value.sum(dim=1)
        return Elbo(per_graph.sum(), per_graph.detach())

    def _log_factors(self, nodes: NCPNodes, labels: Tensor, keys: Tensor, known: Tensor | None) -> Tensor:
        """Return the logarithm of each factor, shape (rows, n_max); 0 where a label is known or there is no point.

        Parameters
        ----------
        nodes : NCPNodes
            Of a row each.
        labels : Tensor of int64, shape (rows, n_max)
            -1 beyond the points.
        keys : Tensor, shape (rows, n_max)
            In [0, 1): the points are taken by increasing key, known ones first.
        known : Tensor of int64, shape (rows, n_max), or None
        """
        inside = labels >= 0
        late = inside if known is None else inside & (known == 0)
        order = (keys + late).masked_fill(~inside, math.inf).argsort(dim=1)
        labels, late = labels.gather(1, order), late.gather(1, order)
        point, u, h = (_taken(values, order) for values in nodes)
        h, u = (values.masked_fill((labels < 0)[..., None], 0.0) for values in (h, u))
        unassigned = u.sum(dim=1, keepdim=True) - u.cumsum(dim=1)
        member = _members(labels)  # (rows, n, K) of bool, clusters in the order in which they begin
        candidates, valid = self._candidates(h, member)
        row, place, cluster = valid.nonzero(as_tuple=True)
        logits = candidates.new_full(valid.shape, -math.inf, dtype=torch.promote_types(h.dtype, torch.float32))
        values = self._logits(candidates[row, place, cluster], unassigned[row, place], point[row, place])
        logits = logits.index_put((row, place, cluster), values)
        chosen = member.to(torch.int64).argmax(dim=2)
        log_p = torch.log_softmax(logits.masked_fill(~valid.any(dim=2, keepdim=True), 0.0), dim=2)
        return log_p.gather(2, chosen[..., None]).squeeze(2).masked_fill(~late, 0.0)

    def _candidates(self, h: Tensor, member: Tensor) -> tuple[Tensor, Tensor]:
        """Return G_k for each point and each cluster that it may join, and which these are.

        Parameters
        ----------
        h : Tensor, shape (rows, n, dim)
            0 where there is no point.
        member : Tensor of bool, shape (rows, n, K)

        Returns
        -------
        G : Tensor, shape (rows, n, K, dim)
        valid : Tensor of bool, shape (rows, n, K)
            The clusters that have begun, and the next one.
        """
        rows, n, K = member.shape
        assigned = member[..., None] * h[:, :, None]
        before = assigned.cumsum(dim=1) - assigned  # H_k
        begun = (member.cumsum(dim=1) - member.to(torch.int64) > 0).sum(dim=2)  # clusters before the point
        valid = (torch.arange(K, device=h.device) <= begun[..., None]) & member.any(dim=2, keepdim=True)
        row, place, cluster = valid.nonzero(as_tuple=True)
        joined = self.g(before[row, place, cluster] + h[row, place])
        joined = h.new_zeros(rows, n, K, self.dim).index_put((row, place, cluster), joined.to(h.dtype))
        # g(H_k) before a point is what joining gave the last point of the cluster before it
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
        """Draw partitions, each with an order of the points of its own; the arguments are those of `sampler.sample`.

        With the mode "map" each point takes its most probable cluster.

        Returns
        -------
        Tensor of int64, shape (batch, n_samples, n_max)
            Numbers of the clusters in the order in which they begin; -1 where there is no point, and for points of the
            clusters beyond `max_clusters`.
        """
        device, (B, N) = mask.device, mask.shape
        owner = torch.arange(B, device=device).repeat_interleave(n_samples)
        inside = mask[owner]
        label = torch.zeros_like(owner)[:, None].expand(-1, N) if known is None else known[owner]
        keys = torch.rand(inside.shape, generator=generator).to(device) + (label == 0)
        order = keys.masked_fill(~inside, math.inf).argsort(dim=1)
        threads = _Threads(self, nodes, owner, order, inside.gather(1, order), label.gather(1, order))
        for n in range(N):
            threads.step(n, mode, generator)
        ranks = torch.full_like(order, -1).scatter_(1, order, threads.ranks)
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
            -1 where there is no point.
        owner : Tensor of int64, shape (partitions,), optional
            Graph of each partition; the first by default.
        n_orders : int
        generator : torch.Generator, optional
            On the CPU.
        known : Tensor of int64, shape (batch, n_max), optional
            1 + the label where it is known: the probabilities are those of the other points given these.
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
            each = [self._log_factors(own, ranks[part], key[graph], label).sum(dim=1) for key in keys]
            values.append(torch.logsumexp(torch.stack(each), dim=0) - math.log(n_orders))
        return torch.cat(values) if values else ranks.new_zeros(0, dtype=torch.float32)


class _Threads:
    """Samples under way: in each the points of a graph in an order of its own.

    Parameters
    ----------
    model : NCP
    nodes : NCPNodes
    owner : Tensor of int64, shape (threads,)
    order : Tensor of int64, shape (threads, n)
    inside : Tensor of bool, shape (threads, n)
        In this order: which places hold a point; they come first.
    label : Tensor of int64, shape (threads, n)
        In this order: 1 + the known label, or 0.
    """

    def __init__(
        self, model: NCP, nodes: NCPNodes, owner: Tensor, order: Tensor, inside: Tensor, label: Tensor
    ) -> None:
        self.model, self.nodes, self.owner, self.order, self.inside, self.label = (
            model, nodes, owner, order, inside, label,
        )  # fmt: skip
        h = nodes.clusters
        n_threads, dim = len(owner), model.dim
        self.ranks = torch.full_like(order, -1)
        self.unassigned = (nodes.members * _mask_of(nodes, owner, order, inside)).sum(dim=1)[owner]
        self.n_clusters = torch.zeros_like(owner)
        self.sums = h.new_zeros(n_threads, _FREE_CLUSTERS, dim)  # H_k
        self.images = h.new_zeros(n_threads, _FREE_CLUSTERS, dim)  # g(H_k), 0 of a cluster that has not begun
        self.cluster_label = label.new_zeros(n_threads, _FREE_CLUSTERS)
        self.checked = 0  # step at which the numbers of clusters were last looked at
        self.most = 0  # clusters of a thread, then

    def step(self, n: int, mode: str, generator: torch.Generator | None) -> None:
        """Assign the n-th point of each thread."""
        self._make_room(n)
        place, present, label = self.order[:, n], self.inside[:, n], self.label[:, n]
        point, u, h = (values[self.owner, place] for values in self.nodes)
        self.unassigned = self.unassigned - u * present[:, None]
        joined = self.model.g(self.sums + h[:, None])
        G = self.images.sum(dim=1, keepdim=True) - self.images + joined
        logits = self.model._logits(G, self.unassigned[:, None], point[:, None])
        cluster = torch.arange(self.sums.shape[1], device=h.device)
        own = (label[:, None] > 0) & (self.cluster_label == label[:, None])  # the cluster of the point's known label
        allowed = cluster <= self.n_clusters[:, None]
        forced = torch.where(own.any(dim=1, keepdim=True), own, cluster == self.n_clusters[:, None])
        allowed = torch.where(label[:, None] > 0, forced, allowed)
        logits = logits.masked_fill(~allowed, -math.inf)
        if mode == "posterior":  # the largest of logits with Gumbel noise is a draw from their softmax
            uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64).to(logits.device)
            logits = logits - (-uniform.clamp_min(1e-300).log()).log()
        chosen = logits.argmax(dim=1)
        self.ranks[:, n] = torch.where(present, chosen, -1)
        self.n_clusters += present & (chosen == self.n_clusters)
        at = chosen[:, None, None].expand(-1, 1, self.model.dim)
        self.sums.scatter_add_(1, at, (h * present[:, None])[:, None])
        image = torch.where(present[:, None, None], joined.gather(1, at), self.images.gather(1, at))
        self.images.scatter_(1, at, image)
        kept = self.cluster_label.gather(1, chosen[:, None])
        self.cluster_label.scatter_(1, chosen[:, None], torch.where((label > 0) & present, label, kept[:, 0])[:, None])

    def _make_room(self, n: int) -> None:
        """Grow the tables where a new cluster might not find a place; a step adds one cluster at most."""
        width = self.sums.shape[1]
        if self.most + (n - self.checked) < width - 1:
            return
        self.most, self.checked = int(self.n_clusters.max()), n
        if self.most < width - 1:
            return
        more = max(_FREE_CLUSTERS, width // 2)
        self.sums, self.images, self.cluster_label = (
            torch.cat([table, table.new_zeros(len(table), more, *table.shape[2:])], dim=1)
            for table in (self.sums, self.images, self.cluster_label)
        )


def _mask_of(nodes: NCPNodes, owner: Tensor, order: Tensor, inside: Tensor) -> Tensor:
    """Return which places of each graph hold a point, shape (batch, n, 1), from the threads' orders."""
    mask = torch.zeros(nodes.members.shape[:2], dtype=torch.bool, device=owner.device)
    mask[owner[:, None], order] = inside
    return mask[..., None]


def _taken(values: Tensor, order: Tensor) -> Tensor:
    """Bring rows (rows, n, dim) into the orders (rows, n)."""
    return values.gather(1, order[..., None].expand(-1, -1, values.shape[-1]))


def _n_clusters(ranks: Tensor) -> int:
    return int(ranks.max()) + 1 if ranks.numel() else 0


def _members(labels: Tensor) -> Tensor:
    """Return which cluster each point is in, as bool (rows, n, K), clusters numbered in the order of appearance.

    The last one is empty: the cluster that the next point could have begun.

    Parameters
    ----------
    labels : Tensor of int64, shape (rows, n)
        -1 where there is no point.
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
