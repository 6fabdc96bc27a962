r"""Samples of partitions from a clusterwise model, and their probabilities.

Source: Pakman et al., Attentive Clustering Processes, sections 2.2 and 3.2, and B.3 for known labels. Samples differ by
their anchors. In mode "map", z is the mean of its prior and a node joins if its probability is above 1/2; in mode
"posterior", both are drawn. Equation (33) estimates the probability of a partition whose clusters are in a given order,

.. math::
   p(s_k \mid s_{<k}, x) \approx \frac{N_k}{|I_k|} \frac{1}{T M} \sum_{t=1}^{T} \sum_{j=1}^{M}
   p(b_k \mid d_{k,t}, z_{k,t,j}, x)

with T anchors drawn from the :math:`N_k` nodes of the cluster without replacement. If T is at least :math:`N_k`, the
sum over anchors is complete. M = 0 means a single z, the mean of its prior.

This is the probability of the clusters in one order, where :math:`N_k / |I_k|` is the probability that the next anchor
belongs to cluster k. The product of these over k, summed over the orders, is 1. If the model is exchangeable, leaving
it out therefore gives the probability of the partition, whatever its order.

`NCP` has its own sampler, which assigns points one by one. The functions here call it, so that their callers work with
both kinds of models. For NCP, the number of anchors is the number of orders of the points.

| ACP | here | as printed? |
|---|---|---|
| 8 | `log_probability` | as printed |
| sec. 2.2, 10, 15, 44 | `sample` | as printed |
| 11, 33 | `log_probability` | as printed if T is at least N_k and M > 0 |
| Fig. 1 | `sample` | as printed |
| sec. 5 | `draw` | the most probable sample, without the chances of the anchors |
| sec. B.3 labels | `sample` | clusters without a known node have other anchors |
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphclust.models.clusterwise import ClusterwiseModel, Nodes, Sets, log_chance
from graphclust.models.ncp import NCP, NCPNodes
from graphclust.nn.batch import Batch

__all__ = ["PartitionModel", "canonical", "draw", "log_probability", "sample"]

PartitionModel = ClusterwiseModel | NCP

_CELLS = 1 << 16  # rows x nodes that are computed at once; each takes some kilobytes
_MAP_SAMPLES = 16  # added to draws from the posterior, to find the most probable partition
_MAP_CLUSTERS = 4  # limit, as a multiple of a draw's: without a clear structure, each node becomes a cluster of its own


def canonical(ranks: Tensor) -> Tensor:
    """Label each node by the smallest node of its cluster, so that equal partitions have equal rows.

    Parameters
    ----------
    ranks : Tensor of int64, shape (..., n_max)
        -1 beyond the nodes.

    Returns
    -------
    Tensor of int64, of the same shape

    Examples
    --------
    >>> canonical(torch.tensor([[2, 0, 2, -1], [0, 1, 0, -1]])).tolist()
    [[0, 1, 0, -1], [0, 1, 0, -1]]
    """
    n = ranks.shape[-1]
    inside = ranks >= 0
    filled = ranks.clamp_min(0)
    first = ranks.new_full((*ranks.shape[:-1], int(filled.max()) + 1 if filled.numel() else 1), n)
    place = torch.arange(n, device=ranks.device).expand_as(ranks)
    first.scatter_reduce_(-1, filled, place.masked_fill(~inside, n), "amin")
    return first.gather(-1, filled).masked_fill(~inside, -1)


def _pieces(n_rows: int, cells_per_row: int, max_cells: int) -> list[slice]:
    step = max(1, max_cells // max(cells_per_row, 1))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]


@torch.inference_mode()
def sample(
    model: PartitionModel,
    nodes: Nodes | NCPNodes,
    mask: Tensor,
    n_samples: int,
    mode: str = "map",
    generator: torch.Generator | None = None,
    known: Tensor | None = None,
    max_cells: int = _CELLS,
    max_clusters: int | None = None,
) -> Tensor:
    """Draw partitions.

    Parameters
    ----------
    model : ClusterwiseModel or NCP
        In evaluation mode.
    nodes : Nodes or NCPNodes
        `model.encode(batch)`.
    mask : Tensor of bool, shape (batch, n_max)
        True for nodes, False for padding.
    n_samples : int
    mode : {"map", "posterior"}
    generator : torch.Generator, optional
        A generator on the CPU.
    known : Tensor of int64, shape (batch, n_max), optional
        1 + the label of a node, 0 if it is unknown. Anchors are known nodes while any are available. Nodes with the
        same known label are put into the same cluster, nodes with different ones into different clusters.
    max_cells : int
        Rows x nodes that are computed at once, which bounds the memory.
    max_clusters : int, optional
        Samples that are incomplete after this number of clusters are abandoned.

    Returns
    -------
    Tensor of int64, shape (batch, n_samples, n_max)
        Number of the cluster, in the order in which clusters are drawn; -1 beyond the nodes, and for the remaining
        nodes of an abandoned sample.
    """
    if isinstance(model, NCP):
        assert isinstance(nodes, NCPNodes)
        return model.sample(nodes, mask, n_samples, mode, generator, known, max_clusters)
    assert isinstance(nodes, Nodes)
    device = mask.device
    B, N = mask.shape
    owner = torch.arange(B, device=device).repeat_interleave(n_samples)
    ranks = torch.full((B * n_samples, N), -1, dtype=torch.int64, device=device)
    available = mask[owner]
    label = None if known is None else known[owner]
    graphs = mask.any(dim=1).nonzero().squeeze(1)
    G = nodes.decoder.new_zeros(B * n_samples, model.encodings.dim)
    step = 0
    while True:
        rows = available.any(dim=1).nonzero().squeeze(1)
        if not len(rows) or step == max_clusters:
            return ranks.view(B, n_samples, N)
        free = available[rows]
        key = torch.rand(free.shape, generator=generator).to(device).masked_fill(~free, -1.0)
        if label is not None:
            key = key + ((label[rows] > 0) & free)
        anchor = key.argmax(dim=1)
        if step == 0:  # all samples of a graph start with the same nodes
            owners, sets, before, anchors = graphs, mask[graphs], G[rows[::n_samples]], anchor.view(-1, n_samples)
        else:
            owners, sets, before, anchors = owner[rows], free, G[rows], anchor[:, None]
        labels = None if known is None else known[owners]
        width = int(free.sum(dim=1).max())
        joined = torch.cat([
            _joins(
                model, nodes, owners[part], sets[part], anchors[part], before[part], mode, generator,
                None if labels is None else labels[part],
            )
            for part in _pieces(len(sets), width * anchors.shape[1], max_cells)
        ]).flatten(0, 1)  # fmt: skip
        joined.scatter_(1, anchor[:, None], True)
        ranks[rows] = torch.where(joined, step, ranks[rows])
        available[rows] = free & ~joined
        term = torch.cat([
            model.cluster_terms(nodes, joined[part, None], owner[rows[part]])[:, 0]
            for part in _pieces(len(rows), N, max_cells)
        ])  # fmt: skip
        G[rows] += term
        step += 1


def _joins(
    model: ClusterwiseModel,
    nodes: Nodes,
    graph: Tensor,
    free: Tensor,
    anchor: Tensor,
    G: Tensor,
    mode: str,
    generator: torch.Generator | None,
    label: Tensor | None,
) -> Tensor:
    """Return the free nodes that join each anchor, (rows, n_anchors, n_max), for anchors (rows, n_anchors)."""
    sets = Sets.of(graph, free)
    place = (sets.index[:, None] == anchor[..., None]) & sets.mask[:, None]
    sets = sets.with_anchors(place.to(torch.uint8).argmax(dim=2))
    _, D, U, G = model.contexts(nodes, sets, G)
    mean, log_scale = model.prior(D, U, G)
    z = mean[:, :, None]
    if mode == "posterior":
        z = z + log_scale.exp()[:, :, None] * torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
    context = model.decoder.context(torch.cat([D, U, G], dim=-1))
    logits = model.decoder(sets.gather(nodes.decoder), context, model.decoder.latent(z))[:, :, 0]
    if mode == "posterior":
        joins = torch.rand(logits.shape, generator=generator).to(logits.device) < torch.sigmoid(logits)
    else:
        joins = logits > 0
    if label is not None:
        own = label.gather(1, anchor)[..., None]
        theirs = label.gather(1, sets.index)[:, None]
        joins = torch.where((own > 0) & (theirs > 0), own == theirs, joins)
    n_joins = torch.zeros((*anchor.shape, free.shape[1]), dtype=torch.uint8, device=free.device)
    index = sets.index[:, None].expand_as(joins)  # padding points to node 0
    return n_joins.scatter_add_(2, index, (joins & sets.mask[:, None]).to(torch.uint8)) > 0


@torch.inference_mode()
def log_probability(
    model: PartitionModel,
    nodes: Nodes | NCPNodes,
    ranks: Tensor,
    owner: Tensor | None = None,
    n_anchors: int = 10,
    n_z: int = 0,
    generator: torch.Generator | None = None,
    known: Tensor | None = None,
    max_cells: int = _CELLS,
    *,
    ordered: bool = True,
) -> Tensor:
    """Estimate log-probabilities of partitions by eq. (33).

    Parameters
    ----------
    model : ClusterwiseModel or NCP
    nodes : Nodes or NCPNodes
    ranks : Tensor of int64, shape (partitions, n_max)
        Clusters numbered from 0 in the order in which they are drawn; -1 beyond the nodes.
    owner : Tensor of int64, shape (partitions,), optional
        The graph of each partition; the first graph by default.
    n_anchors : int
        T, the largest number of anchors of each cluster; for NCP, the number of orders of the points.
    n_z : int
        M, the number of samples of z for each anchor; 0 for the mean of z alone.
    generator : torch.Generator, optional
        A generator on the CPU.
    known : Tensor of int64, shape (batch, n_max), optional
        The known labels, as in `sample`. The result is the probability of the other labels given these. Clusters with
        known nodes must come before the others, which is not checked.
    max_cells : int
        Rows x anchors x samples x nodes that are computed at once.
    ordered : bool
        If True, return the probability of the clusters in this order, as in eq. (33), which sums to 1 over partitions
        and orders. If False, return that of the partition, which sums to 1 over partitions; for an exchangeable model
        it does not depend on the order.

    Returns
    -------
    Tensor, shape (partitions,)
    """
    if isinstance(model, NCP):
        assert isinstance(nodes, NCPNodes)
        value = model.log_probability(nodes, ranks, owner, n_anchors, generator, known)
        return value + _log_order_chance(ranks, owner, known).to(value.dtype) if ordered else value
    assert isinstance(nodes, Nodes)
    device = ranks.device
    if owner is None:
        owner = torch.zeros(len(ranks), dtype=torch.int64, device=device)
    cluster, before = _cluster_hashes(ranks, owner)
    first, number = _first_occurrences(torch.stack([before, cluster], dim=2))
    terms = _distinct_terms(model, nodes, ranks, owner, cluster, max_cells)
    exact = torch.promote_types(nodes.decoder.dtype, torch.float32)
    values = nodes.decoder.new_zeros(number.shape, dtype=exact)
    for rows, sets, G in model.factors(terms, ranks, owner, waste=0.5, selected=first):
        joined = (ranks[rows[:, 0]].gather(1, sets.index) == rows[:, 1, None]) & sets.mask
        T = min(n_anchors, int(joined.sum(dim=1).max()))
        for part in _pieces(len(rows), T * max(n_z, 1) * sets.index.shape[1], max_cells):
            piece = Sets(sets.graph[part], sets.index[part], sets.mask[part], sets.anchor[part])
            label = None if known is None else piece.known(known)
            value = _factor(model, nodes, piece, joined[part], G[part], T, n_z, generator, label)
            if ordered:
                value = value + log_chance(joined[part], piece, label, value.dtype)
            values[rows[part, 0], rows[part, 1]] = value.to(values.dtype)
    return values.flatten()[number].sum(dim=1)


def _log_order_chance(ranks: Tensor, owner: Tensor | None, known: Tensor | None) -> Tensor:
    """Return the log-probability that random anchors give this order of the clusters, float64, shape (partitions,).

    Anchors are known nodes while any are available.
    """
    cluster = ranks.clamp_min(0)
    inside = (ranks >= 0).double()
    width = int(ranks.max()) + 1 if ranks.numel() else 1
    size = inside.new_zeros(len(ranks), width).scatter_add_(1, cluster, inside)
    available = size.flip(1).cumsum(dim=1).flip(1)
    if known is not None:
        labelled = (known[torch.zeros_like(ranks[:, 0]) if owner is None else owner] > 0) * inside
        n_known = torch.zeros_like(size).scatter_add_(1, cluster, labelled)
        known_left = n_known.flip(1).cumsum(dim=1).flip(1)
        size = torch.where(known_left > 0, n_known, size)
        available = torch.where(known_left > 0, known_left, available)
    return torch.where(available > 0, torch.log(size / available.clamp_min(1)), 0.0).sum(dim=1)


def _hashed(x: Tensor) -> Tensor:
    """Hash int64 numbers (SplitMix64), so that sums of hashes identify sets; two collide with probability 2^-64."""
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685), (31, 1)):
        x = (x ^ ((x >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return x


def _cluster_hashes(ranks: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    """Return a hash of each cluster as a set of nodes, and a hash of the set of clusters before it.

    Both are int64 of shape (partitions, K). Missing clusters have the hash of the empty set.
    """
    P, N = ranks.shape
    K = int(ranks.max()) + 1 if ranks.numel() else 1
    weight = _hashed(torch.arange(1, N + 1, device=ranks.device)).expand(P, N)
    cluster = ranks.new_zeros(P, K + 1).scatter_add_(1, torch.where(ranks < 0, K, ranks), weight)[:, :K]
    cluster = _hashed(cluster + _hashed(owner + N + 1)[:, None])
    return cluster, cluster.cumsum(dim=1) - cluster


def _first_occurrences(key: Tensor) -> tuple[Tensor, Tensor]:
    """Find the first occurrence of each entry.

    Parameters
    ----------
    key : Tensor of int64, shape (rows, columns, d)

    Returns
    -------
    first : Tensor of bool, shape (rows, columns)
        Whether no earlier entry is equal.
    number : Tensor of int64, shape (rows, columns)
        Position in `first.flatten()` of the first equal entry.
    """
    place = torch.arange(key.shape[0] * key.shape[1], device=key.device)
    kind = torch.unique(key.flatten(0, 1), dim=0, return_inverse=True)[1]
    earliest = torch.full_like(place, len(place)).scatter_reduce_(0, kind, place, "amin")
    number = earliest[kind]
    return (number == place).view(key.shape[:2]), number.view(key.shape[:2])


def _distinct_terms(
    model: ClusterwiseModel, nodes: Nodes, ranks: Tensor, owner: Tensor, cluster: Tensor, max_cells: int
) -> Tensor:
    """Return the terms of G of the clusters, (partitions, K, dim); each distinct cluster is encoded once."""
    first, number = _first_occurrences(cluster[..., None])
    partition, step = first.nonzero(as_tuple=True)
    terms = nodes.decoder.new_zeros(first.numel(), model.encodings.dim)
    for part in _pieces(len(step), ranks.shape[1], max_cells):
        members = ranks[partition[part]] == step[part, None]
        term = model.cluster_terms(nodes, members[:, None], owner[partition[part]])[:, 0]
        terms[partition[part] * first.shape[1] + step[part]] = term.to(terms.dtype)
    return terms[number]


def _frequent_first(ranks: Tensor, known: Tensor | None) -> Tensor:
    """Sort clusters by the number of partitions that have them, so that the partitions share more factors.

    Ties are broken by size, larger clusters first. Clusters with known nodes stay before the others.

    Parameters
    ----------
    ranks : Tensor of int64, shape (partitions, n)
        0 to K - 1, and -1 beyond the nodes; all of the same graph.
    known : Tensor of int64, shape (1, n), or None
    """
    P, N = ranks.shape
    cluster, _ = _cluster_hashes(ranks, torch.zeros_like(ranks[:, 0]))
    place, inside = ranks.clamp_min(0), (ranks >= 0).to(ranks.dtype)
    size = torch.zeros_like(cluster).scatter_add_(1, place, inside)
    _, kind, counts = torch.unique(cluster, return_inverse=True, return_counts=True)
    key = torch.where(size > 0, counts[kind] * (N + 1) + size, -1)
    if known is not None:
        labelled = torch.zeros_like(cluster).scatter_reduce_(1, place, inside * (known > 0), "amax")
        key = key + labelled * (P + 1) * (N + 1)
    order = key.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return order.gather(1, place).masked_fill(ranks < 0, -1)


def _factor(
    model: ClusterwiseModel,
    nodes: Nodes,
    sets: Sets,
    joined: Tensor,
    G: Tensor,
    T: int,
    n_z: int,
    generator: torch.Generator | None,
    known: Tensor | None,
) -> Tensor:
    """Return the logarithm of the mean over anchors and z of p(b_k | d, z, x), shape (rows,)."""
    eligible = joined
    if known is not None:  # the anchor of a cluster with known nodes is one of them
        labelled = joined & (known > 0)
        eligible = torch.where(labelled.any(dim=1, keepdim=True), labelled, joined)
    size = eligible.sum(dim=1)
    key = torch.rand(joined.shape, generator=generator).to(joined.device).masked_fill(~eligible, -1.0)
    sets = sets.with_anchors(key.topk(T, dim=1).indices)
    counted = torch.arange(T, device=size.device) < size[:, None]  # positions beyond a cluster's size are not members
    candidates = sets.candidates()
    _, D, U, G = model.contexts(nodes, sets, G)
    if known is not None:
        determined = sets.determined(known)
        agrees = (known.gather(1, sets.anchor)[..., None] == known[:, None]) == joined[:, None]
        counted &= (agrees | ~determined).all(dim=2)
        candidates = candidates & ~determined
    mean, log_scale = model.prior(D, U, G)
    z = mean[:, :, None]
    if n_z:
        noise = torch.randn((*mean.shape[:2], n_z, mean.shape[-1]), generator=generator, dtype=mean.dtype)
        z = z + log_scale.exp()[:, :, None] * noise.to(mean.device)
    context = model.decoder.context(torch.cat([D, U, G], dim=-1))
    log_p = model.decoder.log_likelihood(
        sets.gather(nodes.decoder), context, model.decoder.latent(z), joined[:, None] & candidates, candidates
    )
    log_p = log_p.masked_fill(~counted[..., None], -torch.inf)
    number = size.clamp(max=T) * log_p.shape[-1]
    return torch.logsumexp(log_p.flatten(1), dim=1) - torch.log(number.to(log_p.dtype))


def draw(
    model: PartitionModel,
    batch: Batch,
    n_samples: int,
    mode: str = "posterior",
    generator: torch.Generator | None = None,
    n_anchors: int = 10,
    n_z: int = 0,
    max_cells: int = _CELLS,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw partitions of one graph, with their log-probabilities.

    Parameters
    ----------
    model : ClusterwiseModel or NCP
        In evaluation mode.
    batch : Batch
        A batch of one graph. Its `known` labels are respected; the encoder sees them if it takes that many.
    n_samples : int
    mode : {"posterior", "map"}
        With "posterior", some "map" samples follow the draws as candidates for the most probable partition. Those with
        many more clusters than any draw are abandoned.
    generator : torch.Generator, optional
        A generator on the CPU.
    n_anchors, n_z : int
        Passed to `log_probability`, which is computed once for equal partitions.
    max_cells : int
        As in `sample` and `log_probability`.

    Returns
    -------
    ranks : Tensor of int64, shape (n, n_nodes)
        Numbers of the clusters in the order in which they are drawn; -1 beyond the nodes.
    log_prob : Tensor of float, shape (n,)
        Log-probability of each partition (`ordered` is False), its most frequent clusters first.
    drawn : Tensor of bool, shape (n,)
        Whether a sample is a draw from the posterior; all True if the mode is "map".
    """
    with torch.inference_mode():
        nodes = model.encode(batch)
        ranks = sample(model, nodes, batch.mask, n_samples, mode, generator, batch.known, max_cells)[0]
        drawn = torch.ones(len(ranks), dtype=torch.bool)
        if mode == "posterior":
            n_map = min(n_samples, _MAP_SAMPLES)
            limit = _MAP_CLUSTERS * (int(ranks.max()) + 1)
            map_ranks = sample(model, nodes, batch.mask, n_map, "map", generator, batch.known, max_cells, limit)[0]
            map_ranks = map_ranks[((map_ranks >= 0) | ~batch.mask).all(dim=1)]
            ranks = torch.cat([ranks, map_ranks])
            drawn = torch.cat([drawn, torch.zeros(len(map_ranks), dtype=torch.bool)])
        _, index = torch.unique(canonical(ranks), dim=0, return_inverse=True)
        first = torch.full((int(index.max()) + 1,), len(ranks), device=ranks.device)
        first.scatter_reduce_(0, index, torch.arange(len(ranks), device=ranks.device), "amin")
        orders = _frequent_first(ranks[first], batch.known)
        value = log_probability(
            model, nodes, orders, None, n_anchors, n_z, generator, batch.known, max_cells, ordered=False
        )
        return ranks, value[index], drawn
