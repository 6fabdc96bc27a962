"""LNSCC as an estimator: an embedding and a clustering of it learn together from soft contrasts of neighbours.

| LNSCC | here | as printed? |
|---|---|---|
| 1 | `LNSCC.bandwidth` | distances are divided by their spread first |
| 19 | `LNSCC` | an iteration is an 800th of the training with the head (preset: a step); means in place of sums |
| sec. 3.3 start | `LNSCC.start` | the paper's is "random" |
| sec. 4.1 | `LNSCC.preset` | as printed with the preset |
| Fig. 1 | `LNSCC.plot_embedding` | ten dimensions, of which two are drawn |
| Fig. 2 | `LNSCC` | as printed |
| Fig. 5 | `LNSCC.plot_stages` | as printed |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph, graph_of
from graphclust.kernels.kmeans import fill_up, kmeans
from graphclust.kernels.neighbors import locally_normalized, nearest_neighbors
from graphclust.methods.cutter import EVENNESS, Cutter
from graphclust.methods.points import VectorEstimator, nearest_of, ranks_of_outputs
from graphclust.methods.presets import Presets, settings_of
from graphclust.methods.space import Space
from graphclust.problem.problem import Problem
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count, check_number, check_sequence, refuse_unknown
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import one_thread

if TYPE_CHECKING:
    import scipy.sparse
    import torch
    from matplotlib.figure import Figure
    from torch import Tensor

    from graphclust.models.lnscc import Contrast
    from graphclust.nn.parallel import ParallelMLP
    from graphclust.training.loops import UpdateRule

__all__ = ["LNSCC", "steps_of_epoch"]

_PHASES = ("im", "ba", "dis")
_STARTS = ("mixture", "pieces", "k-means", "random")
_STEPS = (1000, 4000)  # of a training, at least and at most; between them as many as there are points
_LEAST_STEPS = 20  # of an epoch
_COMPONENTS = 32  # of a graph's features
_AMONG = 10  # neighbours in the graph of what is embedded
_COARSER = 5  # resolutions below 1 at which communities to be merged are looked for
_TRIES = 4  # seeds of communities, where a mixture is fitted to the merged ones
_FITTED = 8  # of these, the best
_MORE_EVEN = 4  # times that uneven sizes cost in that choice, beyond what they cost in merging
_LAYERS = (512, 512)
_FEW = 1 << 20  # numbers in a table below which these take time and give nothing
_SMALL_LAYERS = (128, 128)
_SMALL = 1 << 18  # numbers in a layer of a batch up to which one thread is best
_ITERATIONS = 800  # that eta counts while the head learns: at the published settings it grows for an eighth of them
_ALONE = 0.75  # of the epochs: the embedding learns without the head
_TAUGHT = 300  # steps in which the head learns where it starts
_TAUGHT_POINTS = 1024
_SETTLED = 1e-3  # share of points that change their cluster in an epoch, below which training may stop
_SHOWN = 2000  # points of a figure
_LOOKS = 8  # at what is embedded, for each stage that is kept: training may stop early
_MOMENTUM, _WEIGHT_DECAY = 0.9, 5e-4  # of SGD, as published

_PRESETS: Presets = {
    "graphclust": {
        "optimizer": "adam",
        "rate_falls": True,  # in a straight line, to 0 at the end
        "eta_grows": "training",  # with the share of the training that is done; "step": as eq. (19) has it
        "unit_range": False,  # whether features are brought to [0, 1] by one affine map
    },
    "published": {
        "optimizer": "sgd",
        "rate_falls": False,
        "eta_grows": "step",
        "unit_range": True,
        "scale": False,
        "hidden": (500, 500, 2000),
        "embedding_dim": 64,
        "noise": 0.0,
        "adversarial": 0.0,
        "n_neighbors": 10,
        "bandwidth": 1.0,
        "repulsion": None,
        "contraction": None,
        "start": "random",
        "batch_size": 200,
        "learning_rate": 0.01,
        "patience": None,
    },
}


@dataclass(frozen=True)
class _Stage:
    """What a figure shows of an epoch: which points, where they were, and their clusters, numbered as of the result."""

    epoch: int
    points: IntArray
    z: FloatArray
    labels: IntArray


def steps_of_epoch(n: int, batch_size: int) -> int:
    """Return how many steps an epoch of n points has.

    Examples
    --------
    >>> steps_of_epoch(9298, 200), steps_of_epoch(150, 200)
    (47, 20)
    """
    return max(_LEAST_STEPS, -(-n // min(batch_size, n)))


def _rule_of(optimizer: str) -> UpdateRule:
    """Return the update rule of an optimiser."""
    from graphclust.training.loops import SGD, Adam

    return Adam() if optimizer == "adam" else SGD(_MOMENTUM, _WEIGHT_DECAY)


class _Weight:
    """The weight eta of the clustering loss in each step, eq. (19).

    Parameters
    ----------
    settings : SimpleNamespace
        Of `LNSCC`: delta, xi, and whether eta grows with steps or with the share of the training that is done.
    first, epochs : int
        Epoch before which the head does not learn, and number of epochs.
    steps : int
        Of an epoch.
    """

    def __init__(self, settings: SimpleNamespace, first: int, epochs: int, steps: int) -> None:
        self.delta: float = settings.delta
        self.xi: float = settings.xi
        self.by_step = settings.eta_grows == "step"
        self.first, self.epochs, self.steps = first, epochs, steps
        self._learned = 0  # steps that the head has learned for

    def _of(self, iteration: int) -> float:
        from graphclust.models.lnscc import balance

        return balance(iteration, self.delta, self.xi)

    def at(self, epoch: int) -> float:
        """Return the weight at the beginning of an epoch."""
        if epoch < self.first:
            return 0.0
        if self.by_step:
            return self._of((epoch - self.first) * self.steps)
        return self._of((epoch - self.first) * _ITERATIONS // max(self.epochs - self.first, 1))

    def next_step(self, epoch: int) -> float:
        """Return the weight of the next step, which is one of this epoch."""
        if epoch < self.first or not self.by_step:
            return self.at(epoch)
        self._learned += 1
        return self._of(self._learned - 1)

    def is_full(self, epoch: int) -> bool:
        """Return whether the weight has stopped growing at the beginning of an epoch."""
        return self.at(epoch) >= min(self.xi, self.delta * _ITERATIONS)


class _Settled:
    """Tells when few points have changed their cluster for some epochs in a row; never without patience."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self._labels: Tensor | None = None
        self._epochs = 0

    def after(self, network: ParallelMLP, head: ParallelMLP, x: Tensor) -> bool:
        """Look at the clusters after an epoch, and return whether training may stop."""
        from graphclust.nn.parallel import through

        if self.patience is None:
            return False
        labels = through(head, through(network, x)).argmax(1)
        changed = 1.0 if self._labels is None else float((labels != self._labels).float().mean())
        self._labels, self._epochs = labels, self._epochs + 1 if changed < _SETTLED else 0
        return self._epochs >= self.patience


class _Objective:
    """The loss of a step: the contrasts of a batch of edges, and the clustering loss of their ends, eq. (19).

    Attributes
    ----------
    contrasts : Tensor, shape ()
        Sum of the contrastive losses of the steps so far; the caller sets it back.
    prior : Tensor, shape (K,), or None
        Shares of the clusters that the head started at.
    """

    def __init__(
        self,
        settings: SimpleNamespace,
        network: ParallelMLP,
        head: ParallelMLP,
        x: Tensor,
        contrast: Contrast,
        generator: torch.Generator,
        seed: int,
    ) -> None:
        import torch

        self.noise, self.adversarial, self.gamma = settings.noise, settings.adversarial, settings.gamma
        self.network, self.head, self.x, self.contrast = network, head, x, contrast
        self.generator = generator
        self.contrasts = torch.zeros((), device=x.device)
        self.prior: Tensor | None = None
        self._drops = torch.Generator(device=x.device).manual_seed(seed)
        self._reach = contrast.reach(x) if self.adversarial else None

    def __call__(self, size: int, eta: float) -> Tensor:
        """Return the loss of a batch of edges, shape (); eta is the weight of the clustering loss."""
        import torch

        from graphclust.models.lnscc import clustering_loss

        batch = self.contrast.draw(size, self.generator)
        here = self.x[batch.nodes]
        seen = here + self.noise * torch.empty_like(here).normal_(generator=self._drops) if self.noise else here
        z = self.network(seen)[0]
        value = self.contrast.loss(z, batch, self.generator)
        self.contrasts.add_(value.detach())
        if eta and self._reach is not None:
            value = value + eta * self._adversarial_loss(here, self.adversarial * self._reach[batch.nodes])
        elif eta:
            value = value + eta * clustering_loss(torch.log_softmax(self.head(z)[0], 1), self.gamma, self.prior)
        return value

    def _log_u(self, points: Tensor) -> Tensor:
        import torch

        return torch.log_softmax(self.head(self.network(points)[0])[0], 1)

    def _adversarial_loss(self, points: Tensor, radius: Tensor) -> Tensor:
        """Return the clustering loss of points that are moved to where their cluster is least sure."""
        import torch

        from graphclust.models.lnscc import clustering_loss, worst_shift

        with torch.no_grad():
            before = self._log_u(points)
        moved = points + worst_shift(self._log_u, points, before, radius, self._drops)
        return clustering_loss(self._log_u(moved), self.gamma, self.prior, before)


class LNSCC(VectorEstimator):
    """Locally normalized soft contrastive clustering: neighbours attract and repel by how much they stand out.

    Each point spreads a weight of 1 over its nearest neighbours, or over its neighbours in a given graph. A network
    learns an embedding in which pairs of high weight are close, pairs of low weight and unconnected ones are not. A
    head on top of it starts at clusters of what is embedded and learns by sharpening what it says already, so that it
    says the same of points that are moved to where it is least sure. On a table the pairs are those of its graph of
    nearest neighbours.

    Beyond the paper: noise, ten dimensions, the head's start, and adversarial self-training, which holds cluster sizes
    to those at the start. `preset="published"` has none of these.

    Parameters
    ----------
    n_clusters : int
        Exact number of clusters.
    hidden : sequence of int, optional
        Sizes of the embedding network's layers. By default 512 and 512; 128 and 128 for tables of fewer than a
        million numbers. Published: 500, 500 and 2,000.
    embedding_dim : int
        Published: 64.
    noise : float
        Standard deviation of what is added to the features of points in training, drawn anew in each step, as a
        multiple of their own root mean square; 0 as published.
    adversarial : float
        In self-training, points are moved to where their cluster is least sure, so far, as a multiple of the mean
        distance to their neighbours, while what is aimed at is made from where they are; 0 as published.
    head_hidden : sequence of int
        Sizes of the layers between embedding and clusters.
    n_neighbors : int
        M, in the graph of a table. Published: 10, and 70 for news.
    image_shape : (int, int), optional
        Height and width, where the rows of a table are images: their pixels row by row, the channels of each together.
        Neighbours are then nearest up to a move by one pixel (`graphclust.kernels.neighbors.nearest_neighbors`), and
        pixels keep their scale. By default features have no order, as published.
    bandwidth : float, optional
        What distances are divided by before the softmax of eq. (1). By default the median over points of the distance
        to the farthest neighbour less that to the nearest, whatever the unit of the features. Weights of a graph whose
        nodes have no features are no distances: they are normalized as they are.
    alpha, beta, gamma : float
        Of eqs. (6), (16) and (18): how often close pairs stand in the data, how many unconnected pairs there are for
        them, and the weight of even sizes. Affinities of a given graph, and of neighbours of which none stands out
        (alpha times the largest affinity is below 1), are divided by the largest: otherwise the floor of eq. (6) leaves
        few pairs or none that attract.
    repulsion, contraction : float, optional
        How much the weakly connected pairs that repel, and the strongly connected ones of the second phase, count
        beside the pairs that attract: 1 for steps that take a batch of one size from each data set, None for data sets
        that count by their sizes. See `graphclust.models.lnscc`.
    delta, xi : float
        Of eq. (19): the weight of the clustering loss grows by `delta` in each 800th of the training with the head,
        up to `xi`.
    phases : sequence of {"im", "ba", "dis"}
        Which contrasts take part (table 4): imbalanced neighbourhoods, balanced ones, the unconnected.
    start : {"mixture", "pieces", "k-means", "random"}
        Where the head starts once the embedding has learned for three quarters of the training: at "pieces",
        communities of the graph of neighbours within the embedding, or of the given graph where its nodes have no
        features, merged as costs the normalized cut least; at a "mixture" of t distributions that is fitted to the
        embedding from these (of up to eight, the one for which the cut before and what sizes are uneven, before and
        after, cost least); at k-means on the embedding; or as it is drawn, from the beginning, as published. Where
        it started at clusters, their sizes are what self-training holds to.
    max_epochs : int, optional
        By default as many as make a step for each point, 1,000 at least and 4,000 at most, and whole ones. An epoch
        has as many steps as batches hold the points once, and 20 at least.
    batch_size : int
        Pairs of a step, two at least; no more than there are points.
    learning_rate : float
        Of Adam, at first; it falls to 0 in a straight line.
    patience : int, optional
        Epochs in a row in which fewer than a thousandth of the points change their cluster, after which training
        stops; counted once the clustering loss has its full weight. None: training does not stop early.
    preset : {"graphclust", "published"}, optional
        A set of values for the parameters that are left at their defaults. "published" is what the paper prints, see
        the notes; "graphclust", the default, changes nothing.
    scale : bool
        Whether the features of a table get mean 0 and variance 1 first; not those of images.
    n_stages : int
        Epochs to be kept for `plot_stages`, evenly spread from before the first to the last; 1: the last.
    vectors
        See `graphclust.CLAM`; "auto" averages a graph's node features over its edges ("smoothed").
    n_components : int, optional
        Of a spectral embedding, as of `graphclust.CLAM`; of a graph's node features, the principal components that
        they are brought to, 32 by default.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}

    Attributes
    ----------
    embedding_ : ndarray of float64, shape (n, embedding_dim)
        Where points are; their own vectors where there was nothing to learn (one cluster, one for each, no edges).
    stages_ : list
        Of each stage kept: `epoch`, and of at most 2,000 points their places in `labels_` (`points`), where they were
        (`z`) and their clusters (`labels`).

    Notes
    -----
    `preset="published"` is section 4.1 of the paper: layers of 500, 500 and 2,000 units, an embedding of 64 dimensions,
    a head with one layer of 32 units, 10 neighbours (set `n_neighbors=70` for news, as the paper does), batches of 200,
    SGD with learning rate 0.01, momentum 0.9 and weight decay 0.0005, alpha 2, beta 5, gamma 1, delta 0.05, xi 5, a
    head with random weights, and softmax(-D) of plain distances in eq. (1). There is no noise, no adversarial shift and
    no start from another clustering, and labels are those of the last step. The paper leaves open:

    - the number of epochs: `max_epochs` sets it; without it, the number of steps is that of our own settings;
    - a schedule of the learning rate: it is constant;
    - the unit of the features: one affine map brings the least number of the table to 0 and the largest to 1, as
      is usual for pixels;
    - whether the losses of a batch are averaged: they are. Added, as eqs. (9), (13) and (17) stand, training diverges
      within ten steps on USPS;
    - how a batch is spread over the data sets: they count by their sizes, which alpha and beta balance. A step draws
      200 edges and estimates the sum of all losses from these, see `graphclust.models.lnscc`;
    - affinities so even that eq. (6) leaves nothing that attracts, as of a few points without near neighbours: they are
      divided by the largest, and a note says so;
    - what an iteration of eq. (19) is: a step. eta reaches its limit after 100 of them;
    - which points eq. (18) sums over: the distinct points of the batch, and the divergence is their mean;
    - activations and initial weights: ReLU, and normal with variance 2 / inputs (He et al., 2015); biases start at 0;
    - which epoch is kept: the last. No label and no score chooses among epochs or runs.
    """

    name: ClassVar[str] = "lnscc"
    summary: ClassVar[str] = "an embedding of soft contrasts between neighbours, and clusters that sharpen themselves"
    source: ClassVar[str] = "Ma & Kim, Locally Normalized Soft Contrastive Clustering for Compact Clusters, IJCAI 2022"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "required"
    needs: ClassVar[tuple[str, ...]] = ("torch", "sklearn.cluster", "graphclust.training.loops")
    _networks: tuple[ParallelMLP, ParallelMLP] | None
    _embedded: FloatArray
    _stages: list[_Stage]

    def __init__(
        self,
        n_clusters: Any = None,
        *,
        hidden: Sequence[int] | None = None,
        embedding_dim: int = 10,
        noise: float = 0.3,
        adversarial: float = 0.25,
        head_hidden: Sequence[int] = (32,),
        n_neighbors: int = 5,
        image_shape: Sequence[int] | None = None,
        bandwidth: float | None = None,
        alpha: float = 2.0,
        beta: float = 5.0,
        gamma: float = 1.0,
        repulsion: float | None = 0.1,
        contraction: float | None = None,
        delta: float = 0.05,
        xi: float = 5.0,
        phases: Sequence[str] = _PHASES,
        start: str = "mixture",
        max_epochs: int | None = None,
        batch_size: int = 1024,
        learning_rate: float = 1e-3,
        patience: int | None = 10,
        preset: str | None = None,
        scale: bool = True,
        n_stages: int = 0,
        vectors: str = "auto",
        n_components: int | None = None,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.hidden = hidden
        self.embedding_dim = embedding_dim
        self.noise = noise
        self.adversarial = adversarial
        self.head_hidden = head_hidden
        self.n_neighbors = n_neighbors
        self.image_shape = image_shape
        self.bandwidth = bandwidth
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.repulsion = repulsion
        self.contraction = contraction
        self.delta = delta
        self.xi = xi
        self.phases = phases
        self.start = start
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.preset = preset
        self.scale = scale
        self.n_stages = n_stages
        self.vectors = vectors
        self.n_components = n_components
        self.random_state = random_state
        self.device = device

    # ---------------------------------------------------------------- parameters

    @property
    def settings(self) -> SimpleNamespace:
        """What the estimator runs with: its parameters, with those of `preset` in the place of defaults.

        Raises
        ------
        UsageError
            No preset has this name.
        """
        return settings_of(self, _PRESETS)

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        settings = self.settings
        refuse_unknown("start", settings.start, _STARTS)
        self._check_phases(settings.phases)
        for name in ("embedding_dim", "n_neighbors"):
            check_count(name, getattr(settings, name))
        for name in ("max_epochs", "patience"):
            if getattr(settings, name) is not None:
                check_count(name, getattr(settings, name))
        check_count("batch_size", settings.batch_size, 2)  # pairs, whose ends make the unconnected ones
        self._check_shapes(settings)
        if settings.n_stages:
            check_count("n_stages", settings.n_stages)
        for name in ("noise", "adversarial", "beta", "gamma", "repulsion", "contraction", "delta", "xi"):
            if getattr(settings, name) is not None or name not in ("repulsion", "contraction"):
                check_number(name, getattr(settings, name))
        for name in ("alpha", "learning_rate", "bandwidth"):
            value = getattr(settings, name)
            if value is not None or name != "bandwidth":
                check_number(name, value)
                if not value:
                    raise UsageError(f"{name} is above 0")

    @staticmethod
    def _check_phases(phases: Any) -> None:
        check_sequence("phases", phases)
        if not set(phases) & {"im", "ba"}:
            raise UsageError("phases names im or ba, and dis if wanted: without edges there is nothing to learn from")
        for phase in phases:
            refuse_unknown("phases", phase, _PHASES)

    @staticmethod
    def _check_shapes(settings: SimpleNamespace) -> None:
        for name in ("hidden", "head_hidden"):
            sizes = () if (given := getattr(settings, name)) is None else given
            check_sequence(name, sizes, empty=True)
            for size in sizes:
                check_count(name, size)
        if settings.image_shape is None:
            return
        check_sequence("image_shape", settings.image_shape)
        if len(settings.image_shape) != 2:
            raise UsageError(f"image_shape is height and width, not {settings.image_shape!r}")
        for side in settings.image_shape:
            check_count("image_shape", side)

    def _memory(self, n: int, d: int) -> float:
        """Bytes of points, neighbours, embeddings, what is said of clusters, and layers of a batch with gradients."""
        settings = self.settings
        sizes = (d, *self._layers(n, d), settings.embedding_dim)
        weights = sum(a * b for a, b in pairwise(sizes))
        layers = 3 * 4 * 2 * settings.batch_size * sum(sizes) + 4 * 5 * weights
        neighbors = 200.0 * n * min(settings.n_neighbors, n)
        clusters = (48.0 if settings.start == "mixture" else 8.0) * n * int(self.n_clusters)
        moved = 0.0 if settings.image_shape is None else 12.0 * n * d
        memory: float = 16.0 * n * d + moved + neighbors + 16.0 * n * settings.embedding_dim + clusters + layers
        return memory

    def _layers(self, n: int, d: int) -> tuple[int, ...]:
        hidden = self.settings.hidden
        if hidden is not None:
            return tuple(hidden)
        return _SMALL_LAYERS if n * d < _FEW else _LAYERS

    def memory(self, graph: Graph) -> float:
        """See `VectorEstimator.memory`; the edges come in the place of neighbours."""
        return super().memory(graph) + 200.0 * graph.num_edges

    def _kind(self, graph: Graph) -> str:
        return "smoothed" if self.vectors == "auto" and graph.x is not None else super()._kind(graph)

    # ---------------------------------------------------------------- fitting

    def _fit_graph(self, graph: Graph) -> Solution:
        if self.image_shape is not None:
            raise UsageError("image_shape is for tables: here the graph's edges take the place of nearest neighbours")
        seed = check_seed(self.random_state)
        x = self._vectors_of(graph, seed)
        embedded = self._kind(graph) == "spectral"
        if not embedded:
            self.n_features_in_ = x.shape[1]
        inside = self._inside(x, embedded, 0 if embedded else self.n_components or _COMPONENTS, seed)
        rows, columns = graph.source, graph.target
        apart = rows != columns
        if not apart.any() and not embedded:
            self._note("neighbors-by-features", "no edge joins two nodes: took nearest neighbours by the features")
            return self._fit_neighbors(inside, inside, seed)
        rows, columns = rows[apart], columns[apart]
        both = np.concatenate((rows, columns)), np.concatenate((columns, rows))
        if embedded:  # the softmax then is the share of a node's weight
            distance = np.tile(-np.log(graph.edge_weight[apart]), 2)
        else:
            distance = np.tile(np.linalg.norm(inside[rows] - inside[columns], axis=1), 2)
            distance = distance / (self.settings.bandwidth or _spread_of(both[0], distance, len(x)))
        affinity = locally_normalized(*both, distance, len(x))
        if affinity.nnz:
            affinity.data /= affinity.data.max()  # it is nearly 1 among nearest neighbours, and eq. (6) lives on that
        return self._fit_inside(inside, affinity, seed, graph if embedded else None)

    def _fit_vectors(self, x: FloatArray, seed: int, *, embedded: bool = False) -> Solution:
        inside = self._inside(x, embedded)
        same_space = self.image_shape is None or self.settings.unit_range
        return self._fit_neighbors(inside, inside if same_space else x, seed)

    def _fit_neighbors(self, inside: FloatArray, points: FloatArray, seed: int) -> Solution:
        """Cluster points, of which `points` are what neighbours are nearest in."""
        if len(points) == 1:
            return self._nothing_learned(inside)
        from graphclust.runtime.devices import device_named

        settings = self.settings
        device = str(device_named(self.device))
        affinity = _neighborhood(points, settings.n_neighbors, device, settings.bandwidth, settings.image_shape)
        largest = affinity.data.max()
        if settings.alpha * largest < 1:  # the floor of eq. (6) leaves out pairs, though many neighbours are all alike
            affinity.data /= largest
            if self.preset == "published":
                self._note(
                    "scaled-affinities",
                    f"divided the affinities by the largest, {largest:.2f}, which is not in the paper: the floor of "
                    "eq. (6) would leave nothing that attracts",
                    largest=float(largest),
                )
        return self._fit_inside(inside, affinity, seed)

    def _inside(self, x: FloatArray, embedded: bool, components: int = 0, seed: int = 0) -> FloatArray:
        """Bring vectors to mean 0, to variance 1 where that is wanted, and to components if they have more numbers.

        By the published preset, bring them to the range from 0 to 1.
        """
        settings = self.settings
        unit_range = settings.unit_range and not embedded
        if unit_range:
            self._space = Space.unit_range(x)
        else:
            self._space = Space.fitted(x, scale=settings.scale and not embedded and settings.image_shape is None)
        self._axes: FloatArray | None = None
        inside = self._space.single(x)
        if 0 < components < min(x.shape):
            from sklearn.decomposition import PCA

            self._axes = PCA(components, random_state=seed).fit(inside).components_.T
        inside = self._within(inside)
        if unit_range:
            self._center, self._unit = np.zeros(inside.shape[1]), 1.0
        else:
            self._center = inside.mean(axis=0)
            self._unit = max(float(np.sqrt(np.square(inside - self._center).mean())), 1e-12)
        return inside

    def _within(self, inside: FloatArray) -> FloatArray:
        return inside if self._axes is None else inside @ self._axes

    def _nothing_learned(self, inside: FloatArray) -> Solution:
        n, k = len(inside), int(self.n_clusters)
        self._networks, self._kept, self._embedded, self._stages = None, inside[:k], inside, []
        return Solution(np.arange(n, dtype=np.int64) % k)

    def _fit_inside(
        self, inside: FloatArray, affinity: scipy.sparse.csr_array[Any], seed: int, given: Graph | None = None
    ) -> Solution:
        """Cluster points by their locally normalized graph, which may be that of a given one."""
        import torch

        from graphclust.models.lnscc import Contrast
        from graphclust.runtime.devices import device_named

        n, k = len(inside), int(self.n_clusters)
        settings = self.settings
        self._stages = []
        if k in (1, n) or not affinity.nnz:
            return self._nothing_learned(inside)
        device = device_named(self.device)
        x = torch.as_tensor(self._scaled(inside), device=device)
        switched = [phase in settings.phases for phase in _PHASES]
        contrast = Contrast(
            affinity,
            settings.alpha,
            settings.beta,
            switched,
            device,
            repulsion=settings.repulsion,
            contraction=settings.contraction,
        )
        with one_thread(2 * min(settings.batch_size, n) * max(self._layers(*x.shape), default=1) <= _SMALL):
            network, head, details = self._learn(x, contrast, given, seed)
        self._networks = network.cpu(), head.cpu()
        z, raw = self._applied(x.cpu())
        self._embedded = z
        labels = raw
        if len(np.unique(raw)) < k:
            n_found = len(np.unique(raw))
            self._note(
                "empty-clusters",
                f"found {n_found} of {k} clusters and split points off the largest",
                n_found=n_found,
            )
            labels = fill_up(z, raw, k)
        self._rank = ranks_of_outputs(raw, labels, k)
        return Solution(labels, details=details)

    def _scaled(self, inside: FloatArray) -> Any:
        return ((inside - self._center) / self._unit).astype(np.float32)

    def _keep(self, problem: Problem, solution: Solution) -> None:
        super()._keep(problem, solution)
        self.embedding_ = np.zeros((0, self.settings.embedding_dim))
        self.stages_: list[_Stage] = []
        if len(self.labels_):
            self.embedding_ = problem.in_order(self._embedded)
            self.stages_ = [
                replace(stage, points=problem.positions(stage.points), labels=self._rank[stage.labels])
                for stage in self._stages
            ]

    # ---------------------------------------------------------------- learning

    def _learn(
        self, x: Tensor, contrast: Contrast, given: Graph | None, seed: int
    ) -> tuple[ParallelMLP, ParallelMLP, dict[str, Any]]:
        """Train the network and its head."""
        import torch

        from graphclust.nn.parallel import ParallelMLP
        from graphclust.training.loops import Fleet

        settings = self.settings
        n, k = len(x), int(self.n_clusters)
        generator = torch.Generator().manual_seed(seed)
        network = ParallelMLP((x.shape[1], *self._layers(*x.shape), settings.embedding_dim), generator=generator).to(
            x.device
        )
        head = ParallelMLP((settings.embedding_dim, *settings.head_hidden, k), generator=generator).to(x.device)
        size = min(settings.batch_size, n)
        steps = steps_of_epoch(n, settings.batch_size)
        epochs = settings.max_epochs or -(-min(max(n, _STEPS[0]), _STEPS[1]) // steps)
        first = 0 if settings.start == "random" else max(1, round(_ALONE * epochs))  # when the clustering loss begins
        rate = torch.tensor([settings.learning_rate], device=x.device)
        parameters = [*network.parameters(), *head.parameters()]
        fleet = Fleet(parameters, rate, patience=epochs, rule=_rule_of(settings.optimizer))
        objective = _Objective(settings, network, head, x, contrast, generator, seed)
        eta = _Weight(settings, first, epochs, steps)
        details: dict[str, Any] = {"start": settings.start}
        looks = _LOOKS * (self.n_stages - 1) + 1
        kept = {round(i) for i in np.linspace(epochs, 0, looks)} if self.n_stages else set()
        settled = _Settled(settings.patience)

        def loss(index: Tensor, epoch: int) -> Tensor:
            repeated: Tensor = objective(size, eta.next_step(epoch)).expand(1, len(index))
            return repeated

        self._look(0, kept, network, head, x)
        with task("training", epochs) as advance:
            for epoch in fleet.epochs(epochs, steps * size, size, loss, generator, points_on_host=True):
                done = epoch + 1
                contrasts = objective.contrasts.clone()
                objective.contrasts.zero_()
                if settings.rate_falls:
                    fleet.rates = rate * (1 - done / epochs)
                if done == first:
                    labels, start_details = self._start(network, head, x, given, seed)
                    objective.prior = torch.bincount(labels, minlength=k) / n
                    details |= start_details
                self._look(done, kept, network, head, x)
                advance()
                if done > first and eta.is_full(done) and settled.after(network, head, x):
                    break
        self._look(done, kept and {done}, network, head, x)  # the last, wherever training stopped
        at = np.array([stage.epoch for stage in self._stages])
        nearest = [int(np.abs(at - epoch).argmin()) for epoch in np.linspace(done, 0, self.n_stages)]
        self._stages = [self._stages[i] for i in sorted(set(nearest))]
        details |= {"contrastive_loss": float(contrasts) / steps, "epochs": done, "steps": done * steps}
        return network, head, details

    def _start(
        self, network: ParallelMLP, head: ParallelMLP, x: Tensor, given: Graph | None, seed: int
    ) -> tuple[Tensor, dict[str, Any]]:
        """Teach the head a clustering of what is embedded, or of the given graph."""
        import torch

        from graphclust.nn.parallel import through
        from graphclust.training.loops import Fleet

        z = through(network, x)
        wanted, details = self._clusters(z, given, seed)
        fleet = Fleet(list(head.parameters()), torch.tensor([0.003], device=x.device), patience=_TAUGHT)
        size = min(_TAUGHT_POINTS, len(x))

        def loss(index: Tensor, _: int) -> Tensor:
            points = index % len(x)
            return torch.nn.functional.cross_entropy(head(z[points])[0], wanted[points], reduction="none")[None]

        for _ in fleet.epochs(1, _TAUGHT * size, size, loss, torch.Generator().manual_seed(seed)):
            pass
        return wanted, details

    def _clusters(self, z: Tensor, given: Graph | None, seed: int) -> tuple[Tensor, dict[str, Any]]:
        """Return clusters of what is embedded, or of the given graph: where the head is to start."""
        import torch

        from graphclust.models.mixture import refined_by_mixture

        start = self.settings.start
        wanted = start in ("mixture", "pieces")
        cutter, starts = self._merged(z, given, seed) if wanted else (None, {})
        if cutter is None or not starts:  # k-means is wanted, or a graph has no finer pieces
            labels = torch.as_tensor(kmeans(z.double().cpu().numpy(), int(self.n_clusters), 10, seed), device=z.device)
            return (refined_by_mixture(z.double(), labels)[0] if start == "mixture" else labels), {}
        chosen, least, details = None, np.inf, {}
        for cost in sorted(starts)[: _FITTED if start == "mixture" else 1]:
            labels = torch.as_tensor(starts[cost], device=z.device)
            said: dict[str, Any] = {"normalized_cut_at_start": cutter.value(starts[cost])}
            if start == "mixture":
                labels, likelihood = refined_by_mixture(z.double(), labels)
                cost = cost + cutter.unevenness(labels.cpu().numpy())
                if np.isfinite(likelihood):  # not where a cluster would vanish
                    said["log_likelihood_at_start"] = likelihood
            if cost < least:
                chosen, least, details = labels, cost, said
        assert chosen is not None
        return chosen, details

    def _merged(self, z: Tensor, given: Graph | None, seed: int) -> tuple[Cutter, dict[float, IntArray]]:
        """Return merged communities of what is embedded, or of the given graph, by what they cost; and what says so."""
        if given is None:
            given = graph_of(_neighborhood(z.double().cpu().numpy(), _AMONG, str(z.device)), directed=False)
        start = self.settings.start
        cutter = Cutter(given, int(self.n_clusters), evenness=EVENNESS)
        tries, more = (_TRIES, _MORE_EVEN) if start == "mixture" else (1, 0)
        starts: dict[float, IntArray] = {}
        for each in range(tries):
            for pieces in cutter.pieces(seed + each, _COARSER):
                merged = cutter.merged(pieces)
                starts.setdefault(cutter.score(merged) + more * cutter.unevenness(merged), merged)
        return cutter, starts

    def _look(self, done: int, kept: set[int], network: ParallelMLP, head: ParallelMLP, x: Tensor) -> None:
        """Keep what a figure shows of an epoch."""
        if done not in kept or any(stage.epoch == done for stage in self._stages):
            return
        from graphclust.nn.parallel import through

        shown = np.linspace(0, len(x) - 1, min(_SHOWN, len(x))).astype(np.int64)
        z = through(network, x[shown])
        labels = through(head, z).argmax(1)
        self._stages.append(_Stage(done, shown, z.double().cpu().numpy(), labels.cpu().numpy()))

    # ---------------------------------------------------------------- the fitted network

    def _applied(self, x: Tensor) -> tuple[FloatArray, IntArray]:
        """Return embedded points, and the outputs of the head that are largest."""
        from graphclust.nn.parallel import through

        assert self._networks is not None
        z = through(self._networks[0], x)
        labels: IntArray = through(self._networks[1], z).argmax(1).numpy()
        return z.double().numpy(), labels

    def predict(self, X: Any) -> IntArray:
        """Return the cluster of new points, or of the nodes of another graph by their features.

        Parameters
        ----------
        X : feature matrix of shape (n, d), or a graph with node features

        Returns
        -------
        ndarray of int64, shape (n,)

        Raises
        ------
        NotFittedError
        UsageError
            `fit` was given a graph without node features, or other features.
        """
        import torch

        points = self._points(X)  # refuses before the space is asked for
        inside = self._within(self._space.of(points))
        if self._networks is None:
            return nearest_of(inside, self._kept)
        found: IntArray = self._rank[self._applied(torch.as_tensor(self._scaled(inside)))[1]]
        return found

    def embed(self, X: Any) -> FloatArray:
        """Return where the network puts points, shape (n, embedding_dim); arguments and errors as of `predict`."""
        import torch

        points = self._points(X)  # refuses before the space is asked for
        inside = self._within(self._space.of(points))
        if self._networks is None:
            return inside
        return self._applied(torch.as_tensor(self._scaled(inside)))[0]

    # ---------------------------------------------------------------- figures

    def plot_stages(self) -> Figure:
        """Draw the embedding in 2-D as it was at the stages kept, and how far the two closest clusters lie (Fig. 5).

        An embedding of more dimensions is shown by the two principal ones of the last stage.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        NotFittedError
        UsageError
            No stages were kept, or nothing was learned.
        """
        from sklearn.utils.validation import check_is_fitted

        from graphclust.report.figures import draw_stages

        check_is_fitted(self)
        if self._networks is None:
            raise UsageError(
                "there are no stages (n_stages): one cluster, one for each point, or no edges teach nothing"
            )
        return draw_stages([(f"epoch {stage.epoch}", stage.z, stage.labels) for stage in self.stages_])

    def plot_embedding(self) -> Figure:
        """Draw `embedding_` in 2-D, its two principal dimensions where it has more; colours are clusters (Fig. 1).

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        NotFittedError
        """
        from sklearn.utils.validation import check_is_fitted

        from graphclust.report.figures import draw_points

        check_is_fitted(self)
        return draw_points(self.embedding_, self.labels_)


def _neighborhood(
    points: FloatArray, m: int, device: str, bandwidth: float | None = None, image_shape: Sequence[int] | None = None
) -> scipy.sparse.csr_array[Any]:
    """Return the locally normalized graph of points, from their m nearest neighbours."""
    n = len(points)
    m = min(m, n - 1)
    index, square = nearest_neighbors(points, m, device=device, image_shape=image_shape)
    rows, columns = np.repeat(np.arange(n), m), index.ravel()
    distance = np.sqrt(square.astype(np.float64)).ravel()
    return locally_normalized(rows, columns, distance / (bandwidth or _spread_of(rows, distance, n)), n)


def _spread_of(rows: IntArray, distance: FloatArray, n: int) -> float:
    """Return the median over points of the distance to the farthest neighbour less that to the nearest; 1 for none.

    Examples
    --------
    >>> _spread_of(np.array([0, 0, 1, 1]), np.array([1.0, 4.0, 2.0, 7.0]), 2)
    4.0
    """
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, rows, distance)
    np.maximum.at(high, rows, distance)
    several = high > low
    return float(np.median((high - low)[several])) if several.any() else 1.0
