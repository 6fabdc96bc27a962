r"""The common model of ACP, ACP-S and CCP: a partition is drawn cluster by cluster, and an ELBO trains the model.

A partition of N nodes is a sequence of sets :math:`s_1 \dots s_K`. Cluster k starts from an anchor :math:`d_k`, drawn
uniformly from the nodes :math:`I_k` that are in no earlier cluster. Each of the other available nodes :math:`a_i` then
joins it or not, independently given a latent vector :math:`z_k`:

.. math::
   p(s_k \mid s_{<k}, x) = \frac{1}{|I_k|} \sum_{d_k \in s_k} \int \mathrm{d}z \; p(z \mid D, U, G)
   \prod_i p(b_i \mid z, x_{a_i}, D, U, G)

with :math:`D, U, G` the encodings of the anchor, the available nodes and the complete clusters. Training
maximises the importance-weighted bound of each factor, for one anchor of each cluster,

.. math::
   \log \frac{N_k}{|I_k|} + \log \frac{1}{J} \sum_{j=1}^{J}
   \frac{p(b \mid z_j, \cdot) \, p(z_j \mid D, U, G)}{q(z_j \mid D, A^{in}, A^{out}, G)}, \qquad z_j \sim q

with the doubly reparametrised gradient (Tucker et al. 2018): the parameters of q are held fixed inside log q, and the
gradient through :math:`z_j` is multiplied once more by its normalised weight.

Source: Pakman et al., Attentive Clustering Processes: sections 2 and 3, appendices A and B.3. The three models differ
only in how they encode sets (`SetEncodings`). Symbols: D, U, G, A_in, A_out, z, b as in the paper; x the encoded nodes.

The same masked computation serves training, sampling and log-probabilities. Its rows are sets of available nodes,
compacted and padded. A row may have several anchors, which share all that does not depend on the anchor. The rank of a
node is the position of its cluster: 0 for the first cluster, -1 beyond the graph's nodes.

The first layer of the decoder is linear in the concatenation of its inputs. Each input is therefore multiplied by its
block of the weights and the products are added by broadcasting, so that no tensor of nodes x samples x inputs exists.
The other layers process some thousand rows at a time, forward and backward, while these are in the cache.

| ACP | here | as printed? |
|---|---|---|
| 7 | `random_ranks` | as printed; the clusters come in the order in which random anchors would take them |
| sec. 2.2, 44 | `log_chance` | as printed; summed over the members of the cluster |
| 9, 19, 43 | `Decoder.log_likelihood` | as printed |
| 12 | `Sets` | as printed |
| 13, 14 | `SetEncodings` | property |
| 15, 18, 42 | `ClusterwiseModel.forward` | as printed |
| 16, 45, 47, 48, 54 | `Gaussian` | as printed; the networks give log sigma, clamped to [-8, 4] |
| 17, 29, 46, 49 | `Decoder` | as printed |
| 28 | `ClusterwiseModel.contexts` | as printed |
| sec. 3.1, 52, 53 | `ClusterwiseModel.forward` | tighter: importance-weighted, see above |
| 55 | `ClusterwiseModel.forward` | as printed |
| sec. B.3 labels | `ClusterwiseModel.forward` | clusters without a known node have other anchors |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from graphclust.nn.batch import Batch, blocks
from graphclust.nn.mlp import MLP, PReLU

__all__ = ["ClusterwiseModel", "Elbo", "Nodes", "Noise", "SetEncodings", "Sets", "log_chance", "random_ranks"]

_CHUNK = 1 << 12  # rows that the decoder processes at once on a CPU: some megabytes
_CHUNK_GPU = 1 << 21
_MIN_LOG_SCALE, _MAX_LOG_SCALE = -8.0, 4.0  # range of the log standard deviations of z


@dataclass(frozen=True)
class Sets:
    """Rows, each a set of available nodes of one graph with anchors among them.

    Attributes
    ----------
    graph : Tensor of int64, shape (rows,)
    index : Tensor of int64, shape (rows, width)
        Nodes of the set, padded with 0.
    mask : Tensor of bool, shape (rows, width)
    anchor : Tensor of int64, shape (rows, n_anchors)
        Positions in the set, not nodes.
    """

    graph: Tensor
    index: Tensor
    mask: Tensor
    anchor: Tensor

    @classmethod
    def of(cls, graph: Tensor, members: Tensor) -> Sets:
        """Compact sets that are masks over nodes, shape (rows, n_max). The result has no anchors."""
        width = int(members.sum(dim=1).max())
        index = members.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :width]
        mask = members.gather(1, index)
        return cls(graph, index.masked_fill(~mask, 0), mask, graph.new_zeros(len(graph), 0))

    def with_anchors(self, anchor: Tensor) -> Sets:
        """Return the sets with these anchors."""
        return Sets(self.graph, self.index, self.mask, anchor)

    def gather(self, nodes: Tensor) -> Tensor:
        """Look up values of nodes, shape (batch, n_max, ...), for the members: shape (rows, width, ...)."""
        return nodes[self.graph[:, None], self.index]

    def at_anchor(self, members: Tensor) -> Tensor:
        """Look up values of members, shape (rows, width, d), for the anchors: shape (rows, n_anchors, d)."""
        return members.gather(1, self.anchor[..., None].expand(-1, -1, members.shape[-1]))

    def candidates(self) -> Tensor:
        """Return the members without the anchor, as a mask of shape (rows, n_anchors, width)."""
        position = torch.arange(self.mask.shape[1], device=self.mask.device)
        return self.mask[:, None] & (position != self.anchor[..., None])

    def known(self, known: Tensor) -> Tensor:
        """Look up `known` of nodes, shape (batch, n_max), for the members: 1 + the label or 0, shape (rows, width)."""
        return self.gather(known) * self.mask

    def determined(self, known: Tensor) -> Tensor:
        """Return the members that join or not by their known label and that of the anchor.

        The result is a mask of shape (rows, n_anchors, width); the argument is what `known` returned.
        """
        return (known.gather(1, self.anchor) > 0)[..., None] & (known > 0)[:, None]


@dataclass(frozen=True)
class Nodes:
    """Values that are computed once per graph, for all sets of its nodes; each of shape (batch, n_max, ...).

    Attributes
    ----------
    decoder : Tensor
        The nodes' part of the decoder's first layer.
    members : Tensor
        The input of `SetEncodings.members`.
    clusters : Tensor
        The input of `SetEncodings.clusters`.
    """

    decoder: Tensor
    members: Tensor
    clusters: Tensor


class SetEncodings(nn.Module):
    """Encodings of sets, which CCP, ACP and ACP-S override. Every vector has `dim` features.

    Parameters
    ----------
    dim : int
    n_heads, n_inducing : int
        Heads and inducing points of the attention blocks.
    """

    def __init__(self, dim: int, n_heads: int, n_inducing: int) -> None:
        super().__init__()
        self.dim = dim
        self.u, self.h, self.g = (MLP([dim] * 4) for _ in range(3))  # u encodes available nodes; g and h, clusters

    def project(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map encoded nodes (batch, n, dim) to the inputs of the decoder, `members` and `clusters`, (batch, n, ...)."""
        raise NotImplementedError

    def members(self, sets: Sets, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Map projections (rows, width, ...) to members (rows, width, dim) and anchors D (rows, n_anchors, dim).

        `available` and `split` pool over the members.
        """
        raise NotImplementedError

    def available(self, members: Tensor, D: Tensor, candidates: Tensor) -> Tensor:
        """Return U, the encoding of the available nodes, shape (rows, n_anchors, dim)."""
        raise NotImplementedError

    def split(self, members: Tensor, joined: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """Return A_in and A_out, (rows, n_anchors, dim), for masks of shape (rows, n_anchors, width)."""
        raise NotImplementedError

    def clusters(self, projected: Tensor, masks: Tensor) -> Tensor:
        """Return the term of G of each cluster, (batch, t, dim), for projections (batch, n, .), masks (batch, t, n)."""
        raise NotImplementedError


class Gaussian(nn.Module):
    """Mean and log standard deviation of z, each by an MLP.

    Parameters
    ----------
    dim_in, dim, dim_z : int
    depth : int
        Linear layers of each MLP.
    """

    def __init__(self, dim_in: int, dim: int, dim_z: int, depth: int) -> None:
        super().__init__()
        self.mean = MLP([dim_in, *[dim] * (depth - 1), dim_z])
        self.log_scale = MLP([dim_in, *[dim] * (depth - 1), dim_z])

    def forward(self, *context: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation, (..., dim_z), in float32 at least."""
        x = torch.cat(context, dim=-1)
        mean, log_scale = self.mean(x), self.log_scale(x)
        if mean.dtype in (torch.bfloat16, torch.float16):
            mean, log_scale = mean.float(), log_scale.float()
        return mean, log_scale.clamp(_MIN_LOG_SCALE, _MAX_LOG_SCALE)


def _log_normal(z: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log density up to the constant that p and q share; z (..., J, d), mean and log_scale (..., d)."""
    standard = (z - mean[..., None, :]) * torch.exp(-log_scale)[..., None, :]
    return -0.5 * standard.square().sum(dim=-1) - log_scale.sum(dim=-1)[..., None]


class Decoder(nn.Module):
    """The logit of b_i, eqs. (46) and (49), as a sum of parts; see the module's docstring.

    Parameters
    ----------
    dim_x, dim_z : int
    dim : int
        Dimension of D, U, G and of the hidden layers.
    depth : int
        Linear layers.
    """

    def __init__(self, dim_x: int, dim_z: int, dim: int, depth: int) -> None:
        super().__init__()
        self.node = nn.Linear(dim_x, dim, bias=False)
        self.latent = nn.Linear(dim_z, dim, bias=False)
        self.context = nn.Linear(3 * dim, dim)
        self.first = PReLU()
        self.rest = MLP([*[dim] * (depth - 1), 1])

    def forward(self, node: Tensor, context: Tensor, latent: Tensor) -> Tensor:
        """Return logits.

        Parameters
        ----------
        node : Tensor, shape (rows, width, dim)
        context : Tensor, shape (rows, n_anchors, dim)
        latent : Tensor, shape (rows, n_anchors, n_z, dim)

        Returns
        -------
        Tensor, shape (rows, n_anchors, n_z, width)
        """
        shift = context[:, :, None] + latent
        if torch.is_grad_enabled():
            logits: Tensor = self.rest(self.first(node[:, None, None] + shift[..., None, :])).squeeze(-1)
            return logits if logits.dtype == torch.float64 else logits.float()
        dtype = torch.promote_types(node.dtype, shift.dtype)
        layers = _Layers(self, dtype, train=False)
        shift, shape = shift.flatten(1, 2), (*shift.shape[:3], node.shape[1])
        logits = node.new_empty(*shift.shape[:2], node.shape[1], dtype=torch.promote_types(dtype, torch.float32))
        for rows, columns in blocks(logits.shape, node.device):
            logits[rows, columns] = layers.logits(node[rows, None], shift[rows, columns, None])
        return logits.view(shape)

    def later_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the layers that follow the sum of the first layer's parts."""
        return [*self.first.parameters(), *self.rest.parameters()]

    def log_likelihood(
        self, node: Tensor, context: Tensor, latent: Tensor, joined: Tensor, candidates: Tensor
    ) -> Tensor:
        """Return log p(b | z), shape (rows, n_anchors, n_z), for masks of shape (rows, n_anchors, width)."""
        logits = self(node, context, latent)
        sign = torch.where(joined, 1.0, -1.0).to(logits.dtype)[:, :, None]
        return (F.logsigmoid(logits * sign) * candidates[:, :, None]).sum(dim=-1)


class _Bound(torch.autograd.Function):
    r"""Sum over rows of log mean_j exp(log p(b | z_j) + log_ratio_j); the forward pass also computes the gradients.

    With :math:`w_j` the normalised weights, :math:`\sigma_i` the probabilities that the decoder gives and ' its
    derivatives, the gradient of a row's bound is :math:`\sum_j w_j \sum_i (b_i - \sigma_{ij}) \, \mathrm{logit}'_{ij}`
    and :math:`w_j` for log_ratio. It depends on the row alone, so some thousand activations at a time go forward and
    backward while they are in the cache. The function returns a sum, so that the incoming gradient is a single number.
    """

    @staticmethod
    def forward(
        ctx: Any,
        decoder: Decoder,
        chunk: int,
        widths: list[int],
        masks: tuple[Tensor, Tensor],
        node: Tensor,
        context: Tensor,
        latent: Tensor,
        log_ratio: Tensor,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        device = node.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else node.dtype
        with torch.autocast(device, enabled=False):
            layers = _Layers(decoder, dtype, train=True)
            d_node, d_latent = torch.zeros_like(node), torch.empty_like(latent)
            bounds = log_ratio.new_empty(log_ratio.shape[:2])
            normalised = torch.empty_like(log_ratio)
            shift = (context[:, :, None] + latent).to(dtype)
            node = node.to(dtype)
            n_hidden = latent.shape[1] * latent.shape[2]
            start = 0
            while start < len(node):
                width = widths[start]  # the sets come by decreasing size
                part = slice(start, start + max(1, chunk // (n_hidden * width)))
                joined, candidates = (mask[part, :, None, :width] for mask in masks)
                logits, activations = layers.forward(node[part, None, None, :width], shift[part, :, :, None])
                sign = torch.where(joined, 1.0, -1.0).to(logits.dtype)
                log_weight = (F.logsigmoid(logits * sign) * candidates).sum(dim=-1) + log_ratio[part]
                weight = torch.softmax(log_weight, dim=-1)
                d_logits = (joined.to(logits.dtype) - torch.sigmoid(logits)) * (candidates * weight[..., None])
                grad = layers.backward(d_logits, activations)
                d_node[part, :width] = grad.sum(dim=(1, 2))
                d_latent[part] = grad.sum(dim=3)
                bounds[part] = torch.logsumexp(log_weight, dim=-1) - math.log(log_weight.shape[-1])
                normalised[part] = weight
                start = part.stop
            ctx.save_for_backward(d_node, d_latent.sum(dim=2), d_latent, normalised, *layers.gradients())
            ctx.mark_non_differentiable(bounds, normalised)
        return bounds.sum(), bounds, normalised

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> Any:
        return (None, None, None, None, *(gradient * grad.to(gradient.dtype) for gradient in ctx.saved_tensors))


class _Layers:
    """The decoder's layers after the first, with a hand-written backward pass; see `_Bound`.

    torch's own backward pass of PReLU takes longer than that of the matrix products.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype, *, train: bool) -> None:
        self.parameters = decoder.later_parameters()
        linear = [layer for layer in decoder.rest.layers if isinstance(layer, nn.Linear)]
        prelu = [decoder.first, *(layer for layer in decoder.rest.layers if isinstance(layer, nn.PReLU))]
        self.slopes = torch.cat([layer.weight for layer in prelu]).tolist()
        self.weights = [layer.weight.to(dtype) for layer in linear]
        self.biases = [layer.bias.to(dtype) for layer in linear]
        self.gradient_sums = {id(p): torch.zeros_like(p) for p in self.parameters} if train else {}
        self.layer_parameters = [(prelu[i].weight, linear[i].weight, linear[i].bias) for i in range(len(linear))]

    def forward(self, node: Tensor, shift: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return logits (...), in float32 at least, and the activations that `backward` needs.

        Parameters
        ----------
        node, shift : Tensor, shapes that broadcast to (..., d)
            The two terms of the first layer's output; of the same dtype.
        """
        activations = []
        hidden = node + shift
        shape = hidden.shape[:-1]
        hidden = hidden.flatten(0, -2)
        for slope, weight, bias in zip(self.slopes, self.weights, self.biases, strict=True):
            active = F.leaky_relu(hidden, slope)
            activations.append((hidden, active))
            hidden = F.linear(active, weight, bias)
        logits = hidden.view(shape)
        return (logits if logits.dtype == torch.float64 else logits.float()), activations

    def logits(self, node: Tensor, shift: Tensor) -> Tensor:
        """Return the same logits as `forward`, in the dtype of the arguments."""
        hidden = node + shift
        shape = hidden.shape[:-1]
        hidden = hidden.flatten(0, -2)
        for slope, weight, bias in zip(self.slopes, self.weights, self.biases, strict=True):
            hidden = F.linear(F.leaky_relu_(hidden, slope), weight, bias)
        return hidden.view(shape)

    def backward(self, grad: Tensor, activations: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Add to the gradients of the parameters; return the gradient of the first layer's output."""
        rows = grad.to(activations[0][0].dtype).view(-1, 1)
        for i in range(len(self.weights) - 1, -1, -1):
            hidden, active = activations[i]
            prelu, weight, bias = (self.gradient_sums[id(p)] for p in self.layer_parameters[i])
            weight += rows.T @ active
            bias += rows.sum(dim=0)
            rows = rows @ self.weights[i]
            prelu += hidden.clamp(max=0).mul_(rows).sum(dtype=prelu.dtype)
            rows = torch.ops.aten.leaky_relu_backward(rows, hidden, self.slopes[i], False)
        return rows.view(*grad.shape, -1)

    def gradients(self) -> list[Tensor]:
        """Return the summed gradients, in the order of `Decoder.later_parameters`."""
        return [self.gradient_sums[id(p)] for p in self.parameters]


@dataclass(frozen=True)
class Elbo:
    """Result of a training step.

    Attributes
    ----------
    total : Tensor, shape ()
        Sum over the graphs of the batch, with gradient.
    per_graph : Tensor, shape (batch,)
        In nats, without gradient.
    """

    total: Tensor
    per_graph: Tensor


def log_chance(joined: Tensor, sets: Sets, known: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Return log N_k / |I_k|, shape (rows,): the log probability that the next anchor belongs to the cluster.

    Parameters
    ----------
    joined : Tensor of bool, shape (rows, width)
        The cluster.
    sets : Sets
    known : Tensor of int64, shape (rows, width), or None
        What `Sets.known` returned. If a set has known nodes, the anchor is one of them.
    dtype : dtype
        Dtype of the result.
    """
    eligible = sets.mask
    if known is not None:
        labelled = known > 0
        eligible = torch.where(labelled.any(dim=1, keepdim=True), labelled, eligible)
    return torch.log((joined & eligible).sum(dim=1).to(dtype) / eligible.sum(dim=1))


def _counts(ranks: Tensor, K: int) -> Tensor:
    """Count the nodes of each cluster, shape (partitions, K)."""
    counts = ranks.new_zeros(len(ranks), K + 1)
    return counts.scatter_add_(1, torch.where(ranks < 0, K, ranks), torch.ones_like(ranks))[:, :K]


def random_ranks(labels: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return the position of each node's cluster in the order in which random anchors would draw the clusters.

    Parameters
    ----------
    labels : Tensor of int64, shape (batch, n_max)
        Any numbers below n_max; -1 beyond a graph's nodes.
    keys : Tensor of float, shape (batch, n_max)
        Independent uniform numbers. Clusters are sorted by the smallest key of their nodes.

    Returns
    -------
    ranks : Tensor of int64, shape (batch, n_max)
        0 for the first cluster; -1 beyond a graph's nodes.
    n_clusters : Tensor of int64, shape (batch,)

    Examples
    --------
    >>> random_ranks(torch.tensor([[4, 2, 4, -1]]), torch.tensor([[0.9, 0.5, 0.6, 0.1]]))
    (tensor([[ 1,  0,  1, -1]]), tensor([2]))
    """
    inside = labels >= 0
    filled = labels.clamp_min(0)
    width = int(labels.max()) + 1 if labels.numel() else 0
    first = keys.new_full((len(labels), max(width, 1)), torch.inf)
    first.scatter_reduce_(1, filled, keys.masked_fill(~inside, torch.inf), "amin")
    order = first.argsort(dim=1).argsort(dim=1)
    ranks = order.gather(1, filled).masked_fill(~inside, -1)
    return ranks, first.isfinite().sum(dim=1)


class ClusterwiseModel(nn.Module):
    """A distribution over partitions of the nodes of a graph.

    Parameters
    ----------
    encoder : Module
        Maps a `Batch` to vectors of shape (batch, n_max, dim).
    encodings : SetEncodings
    dim_z : int
    depth_decoder, depth_gaussian : int
        Linear layers of the decoder, and of each network of the prior and of the posterior of z.
    """

    def __init__(
        self, encoder: nn.Module, encodings: SetEncodings, dim_z: int, depth_decoder: int = 5, depth_gaussian: int = 6
    ) -> None:
        super().__init__()
        dim = encodings.dim
        self.encoder = encoder
        self.encodings = encodings
        self.prior = Gaussian(3 * dim, dim, dim_z, depth_gaussian)
        self.posterior = Gaussian(4 * dim, dim, dim_z, depth_gaussian)
        self.decoder = Decoder(dim, dim_z, dim, depth_decoder)

    # ------------------------------------------------------------------ encoding

    def encode(self, batch: Batch) -> Nodes:
        """Compute everything that does not depend on the partition."""
        decoder, members, clusters = self.encodings.project(self.encoder(batch), batch.mask)
        return Nodes(self.decoder.node(decoder), members, clusters)

    def contexts(self, nodes: Nodes, sets: Sets, G: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode sets of available nodes.

        Parameters
        ----------
        nodes : Nodes
        sets : Sets
        G : Tensor, shape (rows, dim)
            Encoding of the complete clusters.

        Returns
        -------
        members : Tensor, shape (rows, width, dim)
        D, U, G : Tensor, shape (rows, n_anchors, dim)
        """
        members, D = self.encodings.members(sets, sets.gather(nodes.members))
        U = self.encodings.available(members, D, sets.candidates())
        return members, D, U, G[:, None].expand(-1, D.shape[1], -1).to(D.dtype)

    # ------------------------------------------------------------------ training

    def forward(self, batch: Batch, n_z: int = 40, seeds: Sequence[int] | None = None, *, waste: float = 0.4) -> Elbo:
        """Return the ELBO of the true partitions (Eq. 53), importance-weighted.

        Clusters come in the order of random anchors. If labels are known (`batch.known`), clusters with known nodes
        come first and have these as anchors; the bound is that of the other nodes given the known ones.

        Parameters
        ----------
        batch : Batch
            With labels.
        n_z : int
            Samples of z for each cluster.
        seeds : sequence of int, optional
            A seed for each graph, which fixes its noise whatever the other graphs of the batch are. By default the
            noise comes from torch's global generator.
        waste : float
            Sets are processed together if the smallest of them fills at least this share of the padded width.
        """
        if batch.labels is None:
            raise ValueError("training needs labels")
        device = batch.mask.device
        noise = Noise(seeds, batch.mask)
        is_unknown = 0 if batch.known is None else (batch.known == 0).to(torch.get_default_dtype())  # sorted last
        ranks, n_clusters = random_ranks(batch.labels, noise.uniform() + is_unknown)
        anchor_keys = noise.uniform() + is_unknown
        nodes = self.encode(batch)
        owner = torch.arange(len(batch), device=device)
        parts = []
        clusters = ranks[:, None] == torch.arange(int(n_clusters.max()), device=device)[:, None]
        terms = self.cluster_terms(nodes, clusters, owner)
        for rows, sets, G in self.factors(terms, ranks, owner, waste):
            joined = (ranks[sets.graph[:, None], sets.index] == rows[:, 1, None]) & sets.mask
            key = anchor_keys[sets.graph[:, None], sets.index].masked_fill(~joined, torch.inf)
            sets = sets.with_anchors(key.argmin(dim=1, keepdim=True))
            candidates = sets.candidates()
            joins = joined[:, None] & candidates
            members, *DUG = self.contexts(nodes, sets, G)
            A = self.encodings.split(members, joins, candidates & ~joins)
            label = None if batch.known is None else sets.known(batch.known)
            if label is not None:
                candidates = candidates & ~sets.determined(label)
            chance = log_chance(joined, sets, label, torch.promote_types(nodes.decoder.dtype, torch.float32))
            node = sets.gather(nodes.decoder)
            width = sets.mask.sum(dim=1)
            parts.append((sets.graph, rows[:, 1], chance, width, node, joins, candidates, *DUG, *A))
        if not parts:  # graphs of one node
            return Elbo(nodes.decoder.sum() * 0, nodes.decoder.detach().new_zeros(len(batch)))
        widest = parts[0][4].shape[1]  # the largest sets come first
        graph, step, chance, width, node, joins, candidates, D, U, G, A_in, A_out = (
            torch.cat([_padded(tensor, widest, axis) for tensor in column])
            for column, axis in zip(zip(*parts, strict=True), (*[None] * 4, 1, 2, 2, *[None] * 5), strict=True)
        )
        p_mean, p_log_scale = self.prior(D, U, G)
        q_mean, q_log_scale = self.posterior(D, A_in, A_out, G)
        draws = noise.normal(graph, step, (n_z, q_mean.shape[-1]), q_mean.dtype)
        z = q_mean[:, :, None] + q_log_scale.exp()[:, :, None] * draws[:, None]
        log_ratio = _log_normal(z, p_mean, p_log_scale) - _log_normal(z, q_mean.detach(), q_log_scale.detach())
        if batch.known is not None:  # z explains nothing if the known labels determine the cluster
            log_ratio = log_ratio * candidates.any(dim=-1, keepdim=True)
        data = node, self.decoder.context(torch.cat([D, U, G], dim=-1)), self.decoder.latent(z), log_ratio
        if torch.is_grad_enabled():
            chunk = _CHUNK if device.type == "cpu" else _CHUNK_GPU
            total, bounds, weight = _Bound.apply(  # type: ignore[no-untyped-call]
                self.decoder, chunk, width.tolist(), (joins, candidates), *data, *self.decoder.later_parameters()
            )
            if z.requires_grad:
                z.register_hook(lambda grad: grad * weight[..., None].to(grad.dtype))
        else:
            log_weight = self.decoder.log_likelihood(*data[:3], joins, candidates) + log_ratio
            bounds = torch.logsumexp(log_weight, dim=-1) - math.log(n_z)
            total = bounds.sum()
        per_graph = torch.zeros(len(batch), dtype=bounds.dtype, device=device)
        per_graph.index_add_(0, graph, bounds.squeeze(1) + chance)
        return Elbo(total + chance.sum(), per_graph)

    def factors(
        self, terms: Tensor, ranks: Tensor, owner: Tensor, waste: float, selected: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Sets, Tensor]]:
        """Yield the factors p(s_k | s_<k, x) of partitions, sets of similar size together.

        Factors with one available node are 1 and are left out.

        Parameters
        ----------
        terms : Tensor, shape (partitions, K, dim)
            The term of G of each cluster.
        ranks : Tensor of int64, shape (partitions, n_max)
        owner : Tensor of int64, shape (partitions,)
            The graph of each partition.
        selected : Tensor of bool, shape (partitions, K), optional
            Factors to yield; all by default.

        Yields
        ------
        rows : Tensor of int64, shape (rows, 2)
            Partition and k of each factor.
        sets : Sets
            The available nodes, without anchors.
        G : Tensor, shape (rows, dim)
        """
        sizes = _counts(ranks, terms.shape[1]).flip(1).cumsum(dim=1).flip(1)  # nodes available to each cluster
        G = terms.cumsum(dim=1) - terms  # encoding of the clusters before each cluster
        rows = (sizes > 1 if selected is None else (sizes > 1) & selected).nonzero()
        size = sizes[rows[:, 0], rows[:, 1]]
        order = size.argsort(descending=True, stable=True)
        rows, size = rows[order], size[order]
        start = 0
        for end in _cuts(size.tolist(), waste):
            part = rows[start:end]
            sets = Sets.of(owner[part[:, 0]], ranks[part[:, 0]] >= part[:, 1, None])
            yield part, sets, G[part[:, 0], part[:, 1]]
            start = end

    def cluster_terms(self, nodes: Nodes, masks: Tensor, owner: Tensor) -> Tensor:
        """Return the terms of G, shape (partitions, t, dim), of clusters as masks (partitions, t, n_max)."""
        if len(nodes.clusters) == 1:  # a single graph need not be repeated
            return self.encodings.clusters(nodes.clusters, masks.flatten(0, 1)[None]).view(*masks.shape[:2], -1)
        return self.encodings.clusters(nodes.clusters[owner], masks)


class Noise:
    """Random numbers for the graphs of a batch, from one seed per graph or from the global generator."""

    def __init__(self, seeds: Sequence[int] | None, mask: Tensor) -> None:
        self.mask = mask
        self.generators = None if seeds is None else [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def uniform(self) -> Tensor:
        """Return a uniform number for each node, shape (batch, n_max); arbitrary beyond a graph's nodes."""
        if self.generators is None:
            return torch.rand(self.mask.shape, device=self.mask.device)
        numbers = torch.ones(self.mask.shape)
        for row, generator, n in zip(numbers, self.generators, self.mask.sum(dim=1).tolist(), strict=True):
            row[:n] = torch.rand(n, generator=generator)
        return numbers.to(self.mask.device)

    def normal(self, graph: Tensor, step: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return normal numbers, (rows, *shape), for the factors `step` of the graphs `graph`."""
        if self.generators is None:
            return torch.randn((len(graph), *shape), dtype=dtype, device=graph.device)
        n_steps = torch.zeros(len(self.generators), dtype=torch.int64)
        n_steps.scatter_reduce_(0, graph.cpu(), step.cpu() + 1, "amax")
        draws = [
            torch.randn((n, *shape), generator=generator, dtype=dtype)
            for generator, n in zip(self.generators, n_steps.tolist(), strict=True)
        ]
        start = n_steps.cumsum(0) - n_steps
        return torch.cat(draws)[start[graph.cpu()] + step.cpu()].to(graph.device)


def _padded(tensor: Tensor, width: int, axis: int | None) -> Tensor:
    """Pad an axis with 0 (or False) to a width."""
    if axis is None or tensor.shape[axis] == width:
        return tensor
    shape = list(tensor.shape)
    shape[axis] = width - tensor.shape[axis]
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=axis)


def _cuts(sizes: list[int], waste: float) -> list[int]:
    """Return the ends of the pieces of a decreasing list in which no size is below `waste` times the first."""
    cuts, first = [], 0
    for i, size in enumerate(sizes):
        if size < waste * sizes[first]:
            cuts.append(i)
            first = i
    return [*cuts, len(sizes)] if sizes else []
