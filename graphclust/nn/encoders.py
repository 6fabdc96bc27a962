r"""Encoders, which map each node of a batch of graphs (or each point) to a vector.

`GraphSAGE` and `GatedGCN` are those of Pakman et al., Attentive Clustering Processes, section B.1 (eqs. 57 and 58-60).
torch_geometric's `ResGatedGraphConv` has neither the normalising sum of eq. (59) nor the edge states of eq. (60). For
small dense graphs, products of padded matrices are faster than scattering edge by edge.

`GraphTransformer` is graphclust's own. The block of a node determines the profile of its connections, so every layer
combines two fixed operators and a learned one: the mean over neighbours; the mean over nodes with a similar profile,
:math:`P_{ij} \propto \exp(\tau_h \, \mathrm{corr}(A_i, A_j))` with one temperature per head; and attention. All three
are products of dense n x n with n x d matrices, which is far cheaper than a state for each edge.

`PointEncoder` and `SpikeEncoder` encode single vectors without a graph. `PointTransformer` is graphclust's own, for
points whose clusters differ in density: a `GraphTransformer` with Gaussian kernels of the distances,
:math:`P_{ij} \propto \exp(-\lambda_h |x_i - x_j|^2 / 2)`, instead of similar profiles. A layer that moves points to
these means is a step of mean shift (Fukunaga & Hostetler 1975).

Batch normalisation ignores padding, and uses running averages in evaluation, so that the encoding of a graph does not
depend on the other graphs of the batch.
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

_CONVOLUTIONS = (32, 5), (64, 3)  # channels and kernel of the first convolution, and of the others


class Input(nn.Module):
    """First layer of every encoder: a linear map of the features plus an embedding of the known label (section B.3).

    Parameters
    ----------
    n_features, dim : int
    n_labels : int
        Number of labels that can be known; 0 for models that take none.
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

    On a CPU, torch passes convolutions to oneDNN, which compiles and stores code for each new number of waveforms. This
    number differs between batches.
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
    """Batch normalisation that accepts a single row in training, although it has no variance."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x, shape (n, d)."""
        return super().forward(x) if len(x) > 1 or not self.training else x * self.weight + self.bias


def _adjacency(batch: Batch) -> Tensor:
    if batch.adjacency is None:
        raise ValueError("this encoder needs an adjacency matrix")
    return batch.adjacency


def _mean_operator(adjacency: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the adjacency with rows divided by the degree; 0 for isolated nodes."""
    matrix = adjacency.to(dtype)
    degree = matrix.sum(dim=-1, keepdim=True)
    return matrix / torch.where(degree > 0, degree, 1.0)


class GraphSAGE(nn.Module):
    """Mean aggregator with batch normalisation, eq. (57).

    Parameters
    ----------
    n_features : int
    dim : int
        Dimension of every layer and of the result.
    n_layers : int
    n_labels : int
        See `Input`.
    residual : bool
        Whether each layer adds its output to its input. Eq. (57) does not, but deep encoders need it.
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
            neighbour_mean = packing.pack(mean @ packing.unpack(neighbours(h)))
            new = F.relu(norm(own(h) + neighbour_mean))
            h = h + new if self.residual else new
        return packing.unpack(h)


def _edge_list(batch: Batch, packing: Packing) -> EdgeList:
    """Return the edges of the graphs of a batch, with nodes numbered as in `packing`."""
    number = torch.zeros(batch.mask.shape, dtype=torch.int64, device=batch.mask.device)
    number.view(-1)[packing.places] = torch.arange(len(packing.places), device=number.device)
    adjacency = _adjacency(batch)
    graph, target, source = adjacency.nonzero(as_tuple=True)
    weight = adjacency[graph, target, source, None] if adjacency.is_floating_point() else None
    return EdgeList(number[graph, target], number[graph, source], weight)


class EdgeState(nn.Module):
    """The update of edge states, eq. (60): A, B, C and the normalisation.

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
        """Return the messages from neighbours, shape (n_nodes, dim), and the new states, shape (n_edges, dim).

        Parameters
        ----------
        h : Tensor, shape (n_nodes, dim)
            Vectors from which the gates are computed.
        state : Tensor, shape (n_edges, dim), or (1, dim) if all edges have the same state
        value : Tensor, shape (n_nodes, dim)
            V h in eq. (58).
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
        gated = gated_messages(self.at_target(h), self.at_source(h), value, state, self.from_state.weight, norm, edges)
        if norm.mean is None:
            self._update_running_statistics(gated.mean, gated.variance, len(edges.target))
        return gated.message, gated.state

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, n: int) -> None:
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
    """The layer of eq. (58), h + ReLU(BN(U h_i + sum over j of gate_ij * V h_j)): U, V and the normalisation.

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
        """Return the new vectors from h and the sums over neighbours, all of shape (n_nodes, dim)."""
        return h + F.relu(self.norm(self.own(h) + message))


class GatedGCN(nn.Module):
    r"""Anisotropic graph convolution with edge gates, as printed in eqs. (58) to (60).

    The gates of layer 0 are :math:`e^0 = 1`, so that this layer sums over neighbours. Those of layer l depend on
    :math:`h^{l-1}` and :math:`\hat e^{l-1}`. Edge weights, which the paper does not have, multiply the gates.

    The paper does not specify :math:`\hat e^0`, which is 1 here like :math:`e^0`; :math:`\epsilon`, which is 1e-6 here;
    and the map of x to `dim` features, which is linear here. U, V, A, B and C have no biases.

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

    It differs from eqs. (58) to (60) in two ways: the first layer is also gated, and the gates of a layer depend on the
    input of this layer, not on that of the layer before.

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
    """Attention, and means over neighbours and over nodes with a similar profile; see the module's docstring.

    Parameters
    ----------
    n_features, dim, n_layers, n_labels : int
        As in `GraphSAGE`.
    n_heads : int
        Heads of the attention, and temperatures of the similarity of profiles; a divisor of dim.
    """

    def __init__(self, n_features: int, dim: int, n_layers: int = 6, n_labels: int = 0, n_heads: int = 4) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.input = Input(n_features + 3, dim, n_labels)
        self.log_temperature = nn.Parameter(torch.linspace(1.0, 4.0, n_heads))
        self.layers = nn.ModuleList(_Layer(dim, n_heads) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim)

    def idle(self, first: int) -> None:
        """Set the layers from `first` on to the identity, so that a deeper encoder starts equal to a shallower one."""
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
        with torch.autocast(adjacency.device.type, enabled=False):  # bfloat16 cannot represent counts above 256 exactly
            correlation = _profile_correlation(adjacency, mask, n)
            neighbour_degree = (mean @ degree[..., None]).squeeze(-1) / n
        x = torch.cat([batch.x, torch.stack([density, torch.log1p(degree), neighbour_degree], dim=-1)], dim=-1)
        logits = correlation[:, None] * self.log_temperature.exp()[:, None, None]  # (batch, h, n, n)
        logits = logits.masked_fill(~mask[:, None, None, :], torch.finfo(logits.dtype).min)
        similar = torch.softmax(logits, dim=-1)
        h = self.input(x, batch.known)
        for layer in self.layers:
            h = layer(h, mean, similar, keys)
        return self.norm(h).masked_fill(~mask[..., None], 0.0)


def _profile_correlation(adjacency: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """Return the correlation of the rows of the adjacency, in [-1, 1]; 0 for constant rows and beyond a graph's nodes.

    The entries of the pair itself, i.e. its edge and the zero diagonal, are included, which is an error of order 1 / n.
    """
    share = adjacency.sum(dim=-1) / n.clamp_min(1.0)
    covariance = (
        adjacency @ adjacency.transpose(1, 2) / n.clamp_min(1.0)[..., None] - share[:, :, None] * share[:, None]
    )
    scale = (share * (1 - share)).clamp_min(1e-6).rsqrt() * mask
    return covariance * scale[:, :, None] * scale[:, None]


class _Layer(nn.Module):
    """A layer of `GraphTransformer`, or of `PointTransformer`, which takes no mean over neighbours."""

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
        similar_mean = (similar.to(x.dtype) @ heads).transpose(1, 2).flatten(-2)
        neighbour_mean = [] if mean is None else [mean.to(x.dtype) @ x]
        h = h + self.mixed(torch.cat([attended, *neighbour_mean, similar_mean, x], dim=-1))
        return h + self.ff(self.between(h))


class PointEncoder(nn.Module):
    """MLP for vectors without a graph, such as points of Gaussian mixtures.

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
    """Attention, and means over near points; see the module's docstring. The paper uses an MLP for points instead.

    Parameters
    ----------
    n_features, dim, n_layers, n_labels : int
        As in `GraphSAGE`.
    n_heads : int
        Heads of the attention, and Gaussian kernels; a divisor of dim. The initial kernel widths lie between 1 and
        0.05, relative to the standard deviation of the points.
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
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 is too coarse for differences of squares
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
    """Convolutions over time for waveforms with several channels, such as those of the family `spikes`.

    Wang et al. (2019) encode spikes by a residual network of four blocks with 32 to 256 channels, with batch
    normalisation and a mean over time. Here, plain layers of stride 2 with PReLU are followed by a linear layer over
    all channels and times, at a fraction of the cost. The vector of a spike does not depend on the rest of the batch.

    Parameters
    ----------
    n_features : int
        Number of channels times number of samples; the samples of the first channel come first.
    dim : int
        Dimension of the result.
    n_layers : int
        Number of convolutions. The first has 32 channels and a kernel of 5 samples, the others 64 channels and kernels
        of 3. Each halves the number of samples, down to one.
    n_labels : int
        See `Input`; the embedding of the label is added to the linear layer that follows the convolutions.
    n_channels : int
        Channels of the waveforms; a divisor of `n_features`.

    Raises
    ------
    UsageError
        `n_features` is not a multiple of `n_channels`.
    """

    def __init__(
        self, n_features: int, dim: int, n_layers: int = 4, n_labels: int = 0, n_channels: int = N_CHANNELS
    ) -> None:
        super().__init__()
        if n_features % n_channels:
            raise UsageError(
                f"the encoder spikes reads waveforms of {n_channels} channels: n_features must be a multiple of "
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
POINT_ENCODERS = frozenset({"points", "point-transformer", "spikes"})  # encoders that need no edges
WITH_HEADS = frozenset(
    {"graph-transformer", "point-transformer"}
)  # encoders with attention; they share n_heads with the model
