r"""Encoders: from a batch of graphs (or of points) to a vector for each node.

`GraphSAGE` and `GatedGCN` are those of Pakman et al., Attentive Clustering Processes, section B.1 (eqs. 57 and 58-60).
torch_geometric's `ResGatedGraphConv` has neither the normalising sum of eq. (59) nor the edge states of eq. (60), and
small dense graphs are multiplied faster as padded matrices than scattered edge by edge.

`GraphTransformer` is graphclust's own. The block of a node shows in the profile of its connections, so two fixed
operators and a learned one move the vectors of the nodes in every layer: the mean over neighbours, the mean over nodes
of a similar profile, :math:`P_{ij} \propto \exp(\tau_h \, \mathrm{corr}(A_i, A_j))` with a temperature a head, and
content-based attention. All three are products of dense n x n matrices with n x d: far cheaper than a state an edge.

`PointEncoder` and `SpikeEncoder` take vectors without a graph, one by one. `PointTransformer` is graphclust's own, for
points whose clusters show in their density: as `GraphTransformer`, with Gaussian kernels of the distances,
:math:`P_{ij} \propto \exp(-\lambda_h |x_i - x_j|^2 / 2)`, in the place of similar profiles. A layer that moves points
to these means is a step of mean shift (Fukunaga & Hostetler 1975).

Batch normalisation counts true nodes only, and in evaluation uses running averages: a graph's encoding does not depend
on its companions in the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphclust.errors import UsageError
from graphclust.nn.attention import dot_product
from graphclust.nn.batch import Batch, Packing
from graphclust.nn.edge_gates import EdgeList, EdgeNorm, gated_messages
from graphclust.nn.mlp import MLP, PReLU
from graphclust.nn.waveforms import N_CHANNELS

__all__ = [
    "ENCODERS",
    "POINT_ENCODERS",
    "WITH_HEADS",
    "BenchmarkGatedGCN",
    "GatedGCN",
    "GraphSAGE",
    "GraphTransformer",
    "PointEncoder",
    "PointTransformer",
    "SpikeEncoder",
]

_CONVOLUTIONS = (32, 5), (64, 3)  # channels and kernel of the first over a waveform, and of all that follow


class Input(nn.Module):
    """First layer of every encoder: input features, and an embedding of the known label added (section B.3).

    Parameters
    ----------
    n_features, dim : int
    n_labels : int
        Labels that can be known; 0 where the model takes none.
    """

    def __init__(self, n_features: int, dim: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features, dim)
        self.label = nn.Embedding(n_labels + 1, dim, padding_idx=0) if n_labels else None

    def forward(self, x: Tensor, known: Tensor | None) -> Tensor:
        """Return shape (batch, n, dim)."""
        h: Tensor = self.linear(x)
        if self.label is None or known is None:
            return h
        return h + self.label(known.masked_fill(known >= self.label.num_embeddings, 0))


class _Convolution(nn.Conv1d):
    """Convolution over time with stride 2, as one matrix product of all windows.

    oneDNN, to which torch gives convolutions on a CPU, compiles and keeps code for each new number of waveforms, which
    is another in every batch.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(channels_in, channels_out, kernel, stride=2, padding=kernel // 2)
        nn.init.kaiming_uniform_(self.weight, a=0.25)  # as in `MLP`
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, samples, channels_in) to (n, half as many samples, channels_out)."""
        half = self.kernel_size[0] // 2
        windows = F.pad(x, (0, 0, half, half)).unfold(1, 2 * half + 1, 2)  # (n, samples / 2, channels_in, kernel)
        return F.linear(windows.flatten(2), self.weight.flatten(1), self.bias)


class Norm(nn.BatchNorm1d):
    """Batch normalisation that lets a single row pass in training, which has no variance."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x of shape (n, d)."""
        return super().forward(x) if len(x) > 1 or not self.training else x * self.weight + self.bias


def _adjacency(batch: Batch) -> Tensor:
    if batch.adjacency is None:
        raise ValueError("this encoder needs the adjacency")
    return batch.adjacency


def _mean_operator(adjacency: Tensor, dtype: torch.dtype) -> Tensor:
    """Return rows of weight / degree at the neighbours, 0 for an isolated node."""
    matrix = adjacency.to(dtype)
    degree = matrix.sum(dim=-1, keepdim=True)
    return matrix / torch.where(degree > 0, degree, 1.0)


class GraphSAGE(nn.Module):
    """Mean aggregator with batch normalisation, eq. (57).

    Parameters
    ----------
    n_features : int
    dim : int
        Features of every layer and of the result.
    n_layers : int
    n_labels : int
        See `Input`.
    residual : bool
        Whether each layer adds to its input; not in eq. (57), and needed by deep ones.
    """

    def __init__(
        self, n_features: int, dim: int, n_layers: int = 4, n_labels: int = 0, *, residual: bool = False
    ) -> None:
        super().__init__()
        self.residual = residual
        self.input = Input(n_features, dim, n_labels)
        self.own = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_layers))
        self.neighbours = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(n_layers))
        self.norms = nn.ModuleList(Norm(dim) for _ in range(n_layers))

    def forward(self, batch: Batch) -> Tensor:
        """Return shape (batch, n, dim)."""
        packing = Packing(batch.mask)
        h = packing.pack(self.input(batch.x, batch.known))
        mean = _mean_operator(_adjacency(batch), h.dtype)
        for own, neighbours, norm in zip(self.own, self.neighbours, self.norms, strict=True):
            around = packing.pack(mean @ packing.unpack(neighbours(h)))
            new = F.relu(norm(own(h) + around))
            h = h + new if self.residual else new
        return packing.unpack(h)


def _edge_list(batch: Batch, packing: Packing) -> EdgeList:
    """Return the edges of the graphs of a batch, numbered as `packing` packs the nodes."""
    number = torch.zeros(batch.mask.shape, dtype=torch.int64, device=batch.mask.device)
    number.view(-1)[packing.places] = torch.arange(len(packing.places), device=number.device)
    adjacency = _adjacency(batch)
    graph, target, source = adjacency.nonzero(as_tuple=True)
    weight = adjacency[graph, target, source, None] if adjacency.is_floating_point() else None
    return EdgeList(number[graph, target], number[graph, source], weight)


class EdgeState(nn.Module):
    """A, B, C and the normalisation of eq. (60), which updates the states of the edges.

    Parameters
    ----------
    dim : int
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.at_target = nn.Linear(dim, dim, bias=False)  # A
        self.at_source = nn.Linear(dim, dim, bias=False)  # B
        self.from_state = nn.Linear(dim, dim, bias=False)  # C
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, h: Tensor, state: Tensor, value: Tensor, edges: EdgeList) -> tuple[Tensor, Tensor]:
        """Return the messages of the neighbours, shape (n_nodes, dim), and the new states, shape (n_edges, dim).

        Parameters
        ----------
        h : Tensor, shape (n_nodes, dim)
            What the gates are computed from.
        state : Tensor, shape (n_edges, dim), or (1, dim) if all edges have the same
        value : Tensor, shape (n_nodes, dim)
            V h of eq. (58).
        edges : EdgeList
        """
        if not len(edges.target):
            return torch.zeros_like(value), state
        if self.training:
            norm = EdgeNorm(self.norm.weight, self.norm.bias, None, None, self.norm.eps)
        else:
            norm = EdgeNorm(
                self.norm.weight, self.norm.bias, self.norm.running_mean, self.norm.running_var, self.norm.eps
            )
        result = gated_messages(self.at_target(h), self.at_source(h), value, state, self.from_state.weight, norm, edges)
        if norm.mean is None:
            self._remember(result.mean, result.variance, len(edges.target))
        return result.message, result.state

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Update the running averages as `BatchNorm1d` does."""
        momentum = self.norm.momentum
        assert momentum is not None
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        assert self.norm.num_batches_tracked is not None
        self.norm.num_batches_tracked += 1
        self.norm.running_mean.lerp_(mean, momentum)
        self.norm.running_var.lerp_(variance * (n / (n - 1)), momentum)


class GatedConvolution(nn.Module):
    """U, V and the normalisation of eq. (58): h + ReLU(BN(U h_i + sum over j of gate_ij * V h_j)).

    Parameters
    ----------
    dim : int
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.own = nn.Linear(dim, dim, bias=False)  # U
        self.neighbours = nn.Linear(dim, dim, bias=False)  # V
        self.norm = Norm(dim)

    def values(self, h: Tensor) -> Tensor:
        """Return V h, shape (n_nodes, dim)."""
        v: Tensor = self.neighbours(h)
        return v

    def forward(self, h: Tensor, message: Tensor) -> Tensor:
        """Return shape (n_nodes, dim), for h and the sums over the neighbours, both of this shape."""
        return h + F.relu(self.norm(self.own(h) + message))


class GatedGCN(nn.Module):
    r"""Anisotropic graph convolution with edge gates, as printed in eqs. (58) to (60).

    The gates of layer 0 are 1, :math:`e^0 = 1`, so that it sums over neighbours; those of layer l come from
    :math:`h^{l-1}` and :math:`\hat e^{l-1}`. Edge weights, which the paper does not have, multiply the gates.

    The paper leaves open: :math:`\hat e^0`, which is 1 here, as :math:`e^0`; :math:`\epsilon`, 1e-6 here; and how x is
    brought to `dim` features, by a linear map here. U, V, A, B and C are matrices without an offset.

    Parameters
    ----------
    n_features, dim, n_layers, n_labels : int
        As in `GraphSAGE`.
    """

    def __init__(self, n_features: int, dim: int, n_layers: int = 4, n_labels: int = 0) -> None:
        super().__init__()
        self.input = Input(n_features, dim, n_labels)
        self.layers = nn.ModuleList(GatedConvolution(dim) for _ in range(n_layers))
        self.states = nn.ModuleList(EdgeState(dim) for _ in range(n_layers - 1))  # of layers 1, 2, ...

    def forward(self, batch: Batch) -> Tensor:
        """Return shape (batch, n, dim)."""
        packing = Packing(batch.mask)
        edges = _edge_list(batch, packing)
        previous = packing.pack(self.input(batch.x, batch.known))
        state = previous.new_ones(1, previous.shape[-1])
        first, *later = self.layers
        assert isinstance(first, GatedConvolution)
        adjacency = _adjacency(batch).to(previous.dtype)
        message = packing.pack(adjacency @ packing.unpack(first.values(previous)))
        h = first(previous, message)
        for layer, next_state in zip(later, self.states, strict=True):
            assert isinstance(layer, GatedConvolution)
            message, state = next_state(previous, state, layer.values(h), edges)
            previous, h = h, layer(h, message)
        return packing.unpack(h)


class BenchmarkGatedGCN(nn.Module):
    """GatedGCN as in the code of the CLUSTER benchmark (Dwivedi et al. 2020), which the paper cites.

    It differs from eqs. (58) to (60): the first layer is gated too, and the gates of a layer come from the vectors that
    this layer reads, not from those of the layer before.

    Parameters
    ----------
    n_features, dim, n_layers, n_labels : int
        As in `GraphSAGE`.
    """

    def __init__(self, n_features: int, dim: int, n_layers: int = 4, n_labels: int = 0) -> None:
        super().__init__()
        self.input = Input(n_features, dim, n_labels)
        self.layers = nn.ModuleList(GatedConvolution(dim) for _ in range(n_layers))
        self.states = nn.ModuleList(EdgeState(dim) for _ in range(n_layers))

    def forward(self, batch: Batch) -> Tensor:
        """Return shape (batch, n, dim)."""
        packing = Packing(batch.mask)
        edges = _edge_list(batch, packing)
        h = packing.pack(self.input(batch.x, batch.known))
        state = h.new_ones(1, h.shape[-1])
        for layer, next_state in zip(self.layers, self.states, strict=True):
            assert isinstance(layer, GatedConvolution)
            message, state = next_state(h, state, layer.values(h), edges)
            h = layer(h, message)
        return packing.unpack(h)


class GraphTransformer(nn.Module):
    """Attention, means over neighbours and over nodes of similar profile; see the module's docstring.

    Parameters
    ----------
    n_features, dim, n_layers, n_labels : int
        As in `GraphSAGE`.
    n_heads : int
        Of the attention, and temperatures of the profiles' similarity; divides dim.
    """

    def __init__(self, n_features: int, dim: int, n_layers: int = 6, n_labels: int = 0, n_heads: int = 4) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.input = Input(n_features + 3, dim, n_labels)
        self.log_temperature = nn.Parameter(torch.linspace(1.0, 4.0, n_heads))
        self.layers = nn.ModuleList(_Layer(dim, n_heads) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim)

    def idle(self, first: int) -> None:
        """Let the layers from `first` on add nothing until they have learned to: a deeper encoder that is the same."""
        for layer in self.layers[first:]:
            assert isinstance(layer, _Layer)
            for parameter in (*layer.mixed.parameters(), *layer.ff[-1].parameters()):
                nn.init.zeros_(parameter)

    def forward(self, batch: Batch) -> Tensor:
        """Return shape (batch, n, dim)."""
        mask = batch.mask
        adjacency = _adjacency(batch).to(batch.x.dtype)
        n = mask.sum(dim=1).to(adjacency.dtype)[:, None]
        degree = adjacency.sum(dim=-1)
        density = degree / (n - 1).clamp_min(1.0)
        mean = _mean_operator(adjacency, adjacency.dtype)
        keys = None if bool(mask.all()) else mask[:, None, None, :]
        with torch.autocast(adjacency.device.type, enabled=False):  # counts beyond 256 are not numbers of bfloat16
            correlation = _profile_correlation(adjacency, mask, n)
            of_neighbours = (mean @ degree[..., None]).squeeze(-1) / n
        x = torch.cat([batch.x, torch.stack([density, torch.log1p(degree), of_neighbours], dim=-1)], dim=-1)
        logits = correlation[:, None] * self.log_temperature.exp()[:, None, None]  # (batch, h, n, n)
        logits = logits.masked_fill(~mask[:, None, None, :], torch.finfo(logits.dtype).min)
        similar = torch.softmax(logits, dim=-1)
        h = self.input(x, batch.known)
        for layer in self.layers:
            h = layer(h, mean, similar, keys)
        return self.norm(h).masked_fill(~mask[..., None], 0.0)


def _profile_correlation(adjacency: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """Correlation of the rows of the adjacency, in [-1, 1]; 0 for rows without variance and beyond a graph's nodes.

    The two entries that concern the pair itself, of which one is always 0, are left in: an error of order 1 / n.
    """
    share = adjacency.sum(dim=-1) / n.clamp_min(1.0)
    covariance = (
        adjacency @ adjacency.transpose(1, 2) / n.clamp_min(1.0)[..., None] - share[:, :, None] * share[:, None]
    )
    scale = (share * (1 - share)).clamp_min(1e-6).rsqrt() * mask
    return covariance * scale[:, :, None] * scale[:, None]


class _Layer(nn.Module):
    """A layer of `GraphTransformer`, or of `PointTransformer`, which has no `mean` over neighbours."""

    def __init__(self, dim: int, n_heads: int, *, with_mean: bool = True) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.before = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.mixed = nn.Linear((4 if with_mean else 3) * dim, dim)
        self.between = nn.LayerNorm(dim)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, h: Tensor, mean: Tensor | None, similar: Tensor, keys: Tensor | None) -> Tensor:
        x = self.before(h)
        q, k, v = (t.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1))
        attended = dot_product(q, k, v, keys, q.shape[-1] ** -0.5).transpose(1, 2).flatten(-2)
        heads = x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (batch, h, n, d/h)
        alike = (similar.to(x.dtype) @ heads).transpose(1, 2).flatten(-2)
        around = [] if mean is None else [mean.to(x.dtype) @ x]
        h = h + self.mixed(torch.cat([attended, *around, alike, x], dim=-1))
        return h + self.ff(self.between(h))


class PointEncoder(nn.Module):
    """MLP for vectors without a graph, as Gaussian mixtures.

    Parameters
    ----------
    n_features, dim, n_layers, n_labels : int
        As in `GraphSAGE`.
    """

    def __init__(self, n_features: int, dim: int, n_layers: int = 4, n_labels: int = 0) -> None:
        super().__init__()
        self.input = Input(n_features, dim, n_labels)
        self.mlp = nn.Sequential(PReLU(), MLP([dim] * n_layers))

    def forward(self, batch: Batch) -> Tensor:
        """Return shape (batch, n, dim)."""
        h: Tensor = self.mlp(self.input(batch.x, batch.known))
        return h.masked_fill(~batch.mask[..., None], 0.0)


class PointTransformer(nn.Module):
    """Attention, and means over near points; see the module's docstring. Not in the paper, whose points have an MLP.

    Parameters
    ----------
    n_features, dim, n_layers, n_labels : int
        As in `GraphSAGE`.
    n_heads : int
        Of the attention, and kernels, whose widths begin between 1 and .05, that of the points being 1; divides dim.
    """

    def __init__(self, n_features: int, dim: int, n_layers: int = 4, n_labels: int = 0, n_heads: int = 4) -> None:
        super().__init__()
        self.input = Input(n_features + n_heads, dim, n_labels)
        self.log_precision = nn.Parameter(torch.linspace(0.0, 6.0, n_heads))
        self.layers = nn.ModuleList(_Layer(dim, n_heads, with_mean=False) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, batch: Batch) -> Tensor:
        """Return shape (batch, n, dim)."""
        x, mask = batch.x, batch.mask
        keys = None if bool(mask.all()) else mask[:, None, None, :]
        with torch.autocast(x.device.type, enabled=False):  # squares that cancel are no numbers of bfloat16
            squares = x.square().sum(dim=-1)
            squares = (squares[:, :, None] + squares[:, None] - 2 * x @ x.transpose(1, 2)).clamp_min(0.0)
            logits = -0.5 * squares[:, None] * self.log_precision.exp()[:, None, None]  # (batch, h, n, n)
            logits = logits.masked_fill(~mask[:, None, None, :], torch.finfo(logits.dtype).min)
            n = mask.sum(dim=1).clamp_min(1).to(x.dtype)
            log_density = logits.logsumexp(dim=-1) - n.log()[:, None, None]  # (batch, h, n)
            similar = torch.softmax(logits, dim=-1)
        h = self.input(torch.cat([x, log_density.transpose(1, 2)], dim=-1), batch.known)
        for layer in self.layers:
            h = layer(h, None, similar, keys)
        return self.norm(h).masked_fill(~mask[..., None], 0.0)


class SpikeEncoder(nn.Module):
    """Convolution over time of waveforms with several channels, as those of the family `spikes`.

    Wang et al. (2019) encode spikes by a residual network of four blocks, 32 to 256 channels wide, with batch
    normalisation and a mean over time. Here plain layers of stride 2 with PReLU end in a linear layer that keeps the
    places in time, a fraction of the cost; a spike's vector does not depend on the others of its batch.

    Parameters
    ----------
    n_features : int
        Channels times samples: the samples of the first channel come first.
    dim : int
        Features of the result.
    n_layers : int
        Convolutions. The first has 32 channels and a kernel of 5 samples, the others 64 channels and kernels of 3; each
        halves the number of samples, down to one.
    n_labels : int
        See `Input`; the label's embedding is added to the linear layer that follows the convolutions.
    n_channels : int
        Of the waveforms; divides `n_features`.

    Raises
    ------
    UsageError
        The features are no whole number of samples for each channel.
    """

    def __init__(
        self, n_features: int, dim: int, n_layers: int = 4, n_labels: int = 0, n_channels: int = N_CHANNELS
    ) -> None:
        super().__init__()
        if n_features % n_channels:
            raise UsageError(
                f"the encoder spikes reads waveforms of {n_channels} channels: n_features is a multiple of "
                f"{n_channels}, not {n_features}"
            )
        self.n_channels = n_channels
        layers: list[nn.Module] = []
        channels, samples = n_channels, n_features // n_channels
        for i in range(n_layers):
            width, kernel = _CONVOLUTIONS[min(i, 1)]
            layers += [_Convolution(channels, width, kernel), PReLU()]
            channels, samples = width, (samples + 1) // 2
        self.convolutions = nn.Sequential(*layers)
        self.input = Input(channels * samples, dim, n_labels)
        self.mlp = nn.Sequential(PReLU(), nn.Linear(dim, dim))

    def forward(self, batch: Batch) -> Tensor:
        """Return shape (batch, n, dim)."""
        packing = Packing(batch.mask)
        x = packing.pack(batch.x).unflatten(-1, (self.n_channels, -1)).mT  # (n_spikes, samples, channels)
        known = None if batch.known is None else packing.pack(batch.known[..., None])[:, 0]
        h: Tensor = self.mlp(self.input(self.convolutions(x).flatten(1), known))
        return packing.unpack(h)


ENCODERS = {
    "graphsage": GraphSAGE,
    "gated-gcn": GatedGCN,
    "gated-gcn-benchmark": BenchmarkGatedGCN,
    "graph-transformer": GraphTransformer,
    "points": PointEncoder,
    "point-transformer": PointTransformer,
    "spikes": SpikeEncoder,
}
POINT_ENCODERS = frozenset({"points", "point-transformer", "spikes"})  # that read features alone and need no edges
WITH_HEADS = frozenset({"graph-transformer", "point-transformer"})  # whose attention has as many heads as the model's
