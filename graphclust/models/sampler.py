r"""Samples of partitions from a clusterwise model, and their probabilities.

Source: Pakman et al., Attentive Clustering Processes, sections 2.2 and 3.2, and B.3 for known labels. Threads differ by
their anchors; in the mode "map" z is its prior's mean and a node joins if that is more probable than not, in the mode
"posterior" both are drawn. Equation (33) estimates a partition's probability, for its clusters in the order in which
they were taken,

.. math::
   p(s_k \mid s_{<k}, x) \approx \frac{N_k}{|I_k|} \frac{1}{T M} \sum_{t=1}^{T} \sum_{j=1}^{M}
   p(b_k \mid d_{k,t}, z_{k,t,j}, x)

with T anchors drawn from the :math:`N_k` nodes of the cluster without replacement; with T at least :math:`N_k` the sum
over anchors is complete. M = 0 stands for one z, its prior's mean.

That is the probability of the clusters in one order, :math:`N_k / |I_k|` the chance that the next anchor is of cluster
k. Their product over k, summed over the orders, is 1: without it stands the probability of the partition, whatever its
order, if the model is exchangeable.

`NCP` takes points one by one and samples by itself; the functions here hand its models over, so that all that uses them
works with it too. Its anchors are orders of the points.

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

_CELLS = 1 << 16  # rows x nodes that are computed at once, each some kilobytes
_MAP_THREADS = 16  # beside draws from the posterior, to find the most probable partition
_MAP_CLUSTERS = 4  # times as many as any draw has: where nothing is sure, a thread takes each node for itself


def canonical(ranks: Tensor) -> Tensor:
    """Give equal partitions equal rows: a node's label becomes the smallest node of its cluster.

    Parameters
    ----------
    ranks : Tensor of int64, shape (..., n_max)
        -1 where there is no node.

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


def _pieces(total: int, each: int, limit: int) -> list[slice]:
    step = max(1, limit // max(each, 1))
    return [slice(i, min(i + step, total)) for i in range(0, total, step)]


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
        True where there is a node.
    n_samples : int
    mode : {"map", "posterior"}
    generator : torch.Generator, optional
        On the CPU.
    known : Tensor of int64, shape (batch, n_max), optional
        1 + the label of a node, 0 where it is not known. Known nodes are the anchors as long as there are some; nodes
        of one known label are put together, those of different ones apart.
    max_cells : int
        Rows x nodes that are computed at once: bounds the memory.
    max_clusters : int, optional
        After so many clusters, partitions that are not complete are given up.

    Returns
    -------
    Tensor of int64, shape (batch, n_samples, n_max)
        Number of the cluster in the order of taking; -1 where there is no node, and where a partition was given up.
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
        if step == 0:  # all threads of a graph look at the same nodes
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
    """Return which of the free nodes join each anchor, (rows, n_anchors, n_max), for anchors (rows, n_anchors)."""
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
    found = torch.zeros((*anchor.shape, free.shape[1]), dtype=torch.uint8, device=free.device)
    index = sets.index[:, None].expand_as(joins)  # padding points to node 0
    return found.scatter_add_(2, index, (joins & sets.mask[:, None]).to(torch.uint8)) > 0


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
        Clusters numbered from 0 in the order of taking; -1 where there is no node.
    owner : Tensor of int64, shape (partitions,), optional
        Graph of each partition; the first by default.
    n_anchors : int
        T: anchors of each cluster at most; for NCP, orders of the points.
    n_z : int
        M: samples of z for each anchor; 0 for the mean of z alone.
    generator : torch.Generator, optional
        On the CPU.
    known : Tensor of int64, shape (batch, n_max), optional
        Labels that `sample` was told: the probabilities are those of the other nodes given these. Clusters with known
        nodes have to come before the others, which is not checked.
    max_cells : int
        Rows x anchors x samples x nodes that are computed at once.
    ordered : bool
        Whether of the clusters taken in this order, as eq. (33) has it: summed over partitions and orders that is 1. If
        not, of the partition: for an exchangeable model the order then makes no difference, and the sum over partitions
        is 1.

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
    cluster, before = _signatures(ranks, owner)
    first, number = _first_equal(torch.stack([before, cluster], dim=2))
    terms = _distinct_terms(model, nodes, ranks, owner, cluster, max_cells)
    exact = torch.promote_types(nodes.decoder.dtype, torch.float32)
    values = nodes.decoder.new_zeros(number.shape, dtype=exact)
    for rows, sets, G in model.factors(terms, ranks, owner, waste=0.5, wanted=first):
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
    """Return the log of the chance that random anchors take the clusters in this order, float64, shape (partitions,).

    As long as there are known nodes, the anchor is one of them.
    """
    cluster = ranks.clamp_min(0)
    inside = (ranks >= 0).double()
    width = int(ranks.max()) + 1 if ranks.numel() else 1
    size = inside.new_zeros(len(ranks), width).scatter_add_(1, cluster, inside)
    available = size.flip(1).cumsum(dim=1).flip(1)
    if known is not None:
        labelled = (known[torch.zeros_like(ranks[:, 0]) if owner is None else owner] > 0) * inside
        of_cluster = torch.zeros_like(size).scatter_add_(1, cluster, labelled)
        left = of_cluster.flip(1).cumsum(dim=1).flip(1)
        size, available = torch.where(left > 0, of_cluster, size), torch.where(left > 0, left, available)
    return torch.where(available > 0, torch.log(size / available.clamp_min(1)), 0.0).sum(dim=1)


def _mixed(x: Tensor) -> Tensor:
    """Scramble int64 (SplitMix64), so that sums of the results tell sets apart: two agree by chance once in 2^64."""
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685), (31, 1)):
        x = (x ^ ((x >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return x


def _signatures(ranks: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    """Return a number for each cluster as a set of nodes, and one for the set of the clusters before it.

    Each of int64 and of shape (partitions, K); where a partition has fewer clusters, for the empty set.
    """
    P, N = ranks.shape
    K = int(ranks.max()) + 1 if ranks.numel() else 1
    weight = _mixed(torch.arange(1, N + 1, device=ranks.device)).expand(P, N)
    cluster = ranks.new_zeros(P, K + 1).scatter_add_(1, torch.where(ranks < 0, K, ranks), weight)[:, :K]
    cluster = _mixed(cluster + _mixed(owner + N + 1)[:, None])
    return cluster, cluster.cumsum(dim=1) - cluster


def _first_equal(key: Tensor) -> tuple[Tensor, Tensor]:
    """Find the first of equal entries.

    Parameters
    ----------
    key : Tensor of int64, shape (rows, columns, d)

    Returns
    -------
    first : Tensor of bool, shape (rows, columns)
        Whether no earlier entry is the same.
    number : Tensor of int64, shape (rows, columns)
        Place in `first.flatten()` of the first that is the same.
    """
    place = torch.arange(key.shape[0] * key.shape[1], device=key.device)
    kind = torch.unique(key.flatten(0, 1), dim=0, return_inverse=True)[1]
    earliest = torch.full_like(place, len(place)).scatter_reduce_(0, kind, place, "amin")
    number = earliest[kind]
    return (number == place).view(key.shape[:2]), number.view(key.shape[:2])


def _distinct_terms(
    model: ClusterwiseModel, nodes: Nodes, ranks: Tensor, owner: Tensor, cluster: Tensor, max_cells: int
) -> Tensor:
    """Return the terms of G of the clusters, (partitions, K, dim), each set of nodes encoded once."""
    first, number = _first_equal(cluster[..., None])
    partition, step = first.nonzero(as_tuple=True)
    terms = nodes.decoder.new_zeros(first.numel(), model.encodings.dim)
    for part in _pieces(len(step), ranks.shape[1], max_cells):
        members = ranks[partition[part]] == step[part, None]
        found = model.cluster_terms(nodes, members[:, None], owner[partition[part]])[:, 0]
        terms[partition[part] * first.shape[1] + step[part]] = found.to(terms.dtype)
    return terms[number]


def _shared_first(ranks: Tensor, known: Tensor | None) -> Tensor:
    """Put first the clusters that most of the partitions of a graph have: then they share more factors.

    Among those, larger ones come first. Clusters with known nodes stay before the others.

    Parameters
    ----------
    ranks : Tensor of int64, shape (partitions, n)
        0 to K - 1, and -1 where there is no node; all of one graph.
    known : Tensor of int64, shape (1, n), or None
    """
    P, N = ranks.shape
    cluster, _ = _signatures(ranks, torch.zeros_like(ranks[:, 0]))
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
    """Return the log of the mean over anchors and z of p(b_k | d, z, x), for each row."""
    eligible = joined
    if known is not None:  # known nodes are the anchors of the clusters that have some
        labelled = joined & (known > 0)
        eligible = torch.where(labelled.any(dim=1, keepdim=True), labelled, joined)
    size = eligible.sum(dim=1)
    key = torch.rand(joined.shape, generator=generator).to(joined.device).masked_fill(~eligible, -1.0)
    sets = sets.with_anchors(key.topk(T, dim=1).indices)
    counted = torch.arange(T, device=size.device) < size[:, None]  # beyond a cluster's size, places are no members
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
    each = model.decoder.log_likelihood(
        sets.gather(nodes.decoder), context, model.decoder.latent(z), joined[:, None] & candidates, candidates
    )
    each = each.masked_fill(~counted[..., None], -torch.inf)
    number = size.clamp(max=T) * each.shape[-1]
    return torch.logsumexp(each.flatten(1), dim=1) - torch.log(number.to(each.dtype))


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
        Of one graph; its `known` labels are respected, and shown to the encoder if it takes so many.
    n_samples : int
    mode : {"posterior", "map"}
        With "posterior", some "map" samples follow the draws, as candidates for the most probable partition; those of
        many times more clusters than any draw are given up.
    generator : torch.Generator, optional
        On the CPU.
    n_anchors, n_z
        Of `log_probability`, which is computed once for partitions that are equal.
    max_cells : int

    Returns
    -------
    ranks : Tensor of int64, shape (n, n_nodes)
        Numbers of clusters in the order of taking; -1 where there is no node.
    log_prob : Tensor of float, shape (n,)
        Of each partition, with the clusters first that most of the partitions have (`ordered` is False).
    drawn : Tensor of bool, shape (n,)
        Which are draws from the posterior; all if the mode is "map".
    """
    with torch.inference_mode():
        nodes = model.encode(batch)
        ranks = sample(model, nodes, batch.mask, n_samples, mode, generator, batch.known, max_cells)[0]
        drawn = torch.ones(len(ranks), dtype=torch.bool)
        if mode == "posterior":
            threads = min(n_samples, _MAP_THREADS)
            most = _MAP_CLUSTERS * (int(ranks.max()) + 1)
            more = sample(model, nodes, batch.mask, threads, "map", generator, batch.known, max_cells, most)[0]
            more = more[((more >= 0) | ~batch.mask).all(dim=1)]
            ranks, drawn = torch.cat([ranks, more]), torch.cat([drawn, torch.zeros(len(more), dtype=torch.bool)])
        _, index = torch.unique(canonical(ranks), dim=0, return_inverse=True)
        first = torch.full((int(index.max()) + 1,), len(ranks), device=ranks.device)
        first.scatter_reduce_(0, index, torch.arange(len(ranks), device=ranks.device), "amin")
        orders = _shared_first(ranks[first], batch.known)
        value = log_probability(
            model, nodes, orders, None, n_anchors, n_z, generator, batch.known, max_cells, ordered=False
        )
        return ranks, value[index], drawn
