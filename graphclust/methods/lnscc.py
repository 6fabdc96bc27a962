"""LNSCC as an estimator: an embedding and a clustering of it learn together from soft contrasts of neighbours.

The training is in `graphclust.methods.lnscc_training`, the initial clusters of the head in
`graphclust.methods.lnscc_starts`, and the settings are in `graphclust.methods.lnscc_settings`.

| LNSCC | here | as printed? |
|---|---|---|
| 1 | `Training.bandwidth` | distances are divided by their spread first |
| 19 | `LNSCC` | an iteration is an 800th of the training with the head (preset: a step); means in place of sums |
| sec. 3.3 start | `LNSCC.start` | the paper's is "random" |
| sec. 4.1 | `LNSCC.preset` | as printed with the preset |
| Fig. 1 | `LNSCC.plot_embedding` | ten dimensions, of which two are drawn |
| Fig. 2 | `LNSCC` | as printed |
| Fig. 5 | `LNSCC.plot_stages` | as printed |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.kernels.neighbors import locally_normalized, normalized_neighbors, spread_of
from graphclust.methods.lnscc_settings import PHASES, PRESETS, Training
from graphclust.methods.network import NetworkEstimator, exactly_k
from graphclust.methods.presets import Presets
from graphclust.methods.space import Space
from graphclust.problem.problem import Problem
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count, check_sequence, refuse_unknown
from graphclust.runtime.notes import Note
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import one_thread

if TYPE_CHECKING:
    import scipy.sparse
    from matplotlib.figure import Figure
    from torch import Tensor

    from graphclust.methods.lnscc_training import Stage
    from graphclust.nn.parallel import ParallelMLP

__all__ = ["LNSCC", "PRESETS", "Training"]

_STARTS = ("mixture", "pieces", "k-means", "random")
_COMPONENTS = 32  # of a graph's features
_LAYERS = (512, 512)
_SMALL_TABLE = 1 << 20  # numbers in a table, below which the layers above take time and improve nothing
_SMALL_TABLE_LAYERS = (128, 128)
_SMALL_LAYER = 1 << 18  # numbers in a layer of a batch up to which one thread is fastest


class LNSCC(NetworkEstimator):
    """Locally normalized soft contrastive clustering: neighbours attract and repel by how close they are, relatively.

    Each point distributes a weight of 1 over its nearest neighbours, or over its neighbours in a given graph. A network
    learns an embedding in which pairs of high weight are close, and pairs of low weight and unconnected pairs are not.
    A head on top of it starts from clusters of the embedding. It learns by sharpening its own outputs, and to give
    the same output for points that are moved to where it is least certain.

    Noise, ten dimensions, initial clusters of the head, and adversarial self-training, which holds cluster sizes to the
    initial ones, are not in the paper. `preset="published"` has none of them.

    Parameters
    ----------
    n_clusters : int
        Exact number of clusters.
    embedding_dim : int
        Published: 64.
    n_neighbors : int
        M, the number of neighbours in the graph of a table. Published: 10, and 70 for news.
    image_shape : (int, int), optional
        Height and width, if the rows of a table are images: their pixels row by row, with the channels of a pixel next
        to each other. The nearest neighbours are then found up to a shift by one pixel
        (`graphclust.kernels.neighbors.nearest_neighbors`), and pixels keep their scale. By default the order of the
        features has no meaning, as published.
    start : {"mixture", "pieces", "k-means", "random"}
        Initial clusters of the head, after the embedding has learned alone for three quarters of the training. The
        clusters keep their initial sizes in self-training. "pieces": communities of the graph of neighbours in the
        embedding, or of the given graph if its nodes have no features, merged so that the normalized cut stays lowest.
        "mixture": a mixture of t distributions in the embedding, fitted from up to eight such partitions; the one whose
        cut and uneven sizes, before and after, cost least is used. "k-means": k-means on the embedding. "random":
        random weights from the beginning, as published.
    max_epochs : int, optional
        By default as many whole epochs as give one step per point, but at least 1,000 and at most 4,000 steps. In an
        epoch of at least 20 steps, batches have as many pairs as there are points.
    n_stages : int
        Number of stages for `plot_stages`, evenly spread from the beginning to the end of the training; 1: the end.
    scale : bool
        Whether the features of a table are first scaled to mean 0 and variance 1. Those of images are not.
    vectors : {"auto", "features", "smoothed", "spectral"}
        See `graphclust.CLAM`. "auto" averages a graph's node features over its edges ("smoothed").
    n_components : int, optional
        Dimension of a spectral embedding, by default `n_clusters`. For node features, the number of principal
        components to which they are reduced, by default 32.
    training : Training or mapping, optional
        How the networks learn. A mapping, such as `{"noise": 0.0}`, changes some settings of the preset. See
        `graphclust.methods.lnscc.Training`.
    preset : {"graphclust", "published", "published-adam"}, optional
        Values for the parameters that are left at their defaults. None means "graphclust", the defaults described
        above. "published" is what the paper prints; see the notes. "published-adam" has the network, losses and start
        of the paper, but Adam with a falling rate, an eta that grows over an eighth of the training, and distances in
        units of their spread.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}

    Attributes
    ----------
    embedding_ : ndarray of float64, shape (n, embedding_dim)
        The embedded points; their own vectors if there was nothing to learn (one cluster, one for each point, or no
        edges).
    stages_ : list
        The recorded stages. Each has the `epoch`, and of at most 2,000 points their positions in `labels_` (`points`),
        their embedding (`z`) and their clusters (`labels`).

    Notes
    -----
    `preset="published"` is section 4.1 of the paper: layers of 500, 500 and 2,000 units, an embedding of 64 dimensions,
    a head with one layer of 32 units, 10 neighbours (set `n_neighbors=70` for news, as the paper does), batches of 200,
    SGD with learning rate 0.01, momentum 0.9 and weight decay 0.0005, alpha 2, beta 5, gamma 1, delta 0.05, xi 5, a
    head with random weights, and softmax(-D) of plain distances in eq. (1). There is no noise, no adversarial shift and
    no start from another clustering, and labels are those of the last step. The paper leaves some settings open. The
    preset uses these:

    - the number of epochs: `max_epochs`, by default the number of steps of our own settings;
    - the schedule of the learning rate: it is constant;
    - the unit of the features: one affine map takes the smallest number of the table to 0 and the largest to 1, as is
      usual for pixels;
    - the losses of a batch: they are averaged. If they are added, as in eqs. (9), (13) and (17), training diverges
      within ten steps on USPS;
    - the composition of a batch: data sets count by their sizes, which alpha and beta balance. A step draws 200 edges
      and estimates the sum of all losses from these, see `graphclust.models.lnscc`;
    - affinities so even that eq. (6) leaves no pair that attracts, as of a few points without close neighbours: they
      are divided by the largest one, with a note;
    - an iteration of eq. (19): a step. eta reaches its limit after 100 of them;
    - the points over which eq. (18) sums: the distinct points of the batch, and the divergence is their mean;
    - activations and initial weights: ReLU, and normal with variance 2 / inputs (He et al., 2015); biases start at 0;
    - the epoch of the result: the last one. No label and no score chooses among epochs or runs.
    """

    name: ClassVar[str] = "lnscc"
    summary: ClassVar[str] = "learns an embedding by contrasting neighbours, and clusters it by self-training"
    source: ClassVar[str] = "Ma & Kim, Locally Normalized Soft Contrastive Clustering for Compact Clusters, IJCAI 2022"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "required"
    needs: ClassVar[tuple[str, ...]] = ("torch", "graphclust.methods.lnscc_training")
    presets: ClassVar[Presets] = PRESETS
    _networks: tuple[ParallelMLP, ParallelMLP] | None  # embedding and head
    _embedded: FloatArray
    _stages: list[Stage]
    _axes: FloatArray | None  # principal components of a graph's features

    def __init__(
        self,
        n_clusters: Any = None,
        *,
        embedding_dim: int = 10,
        n_neighbors: int = 5,
        image_shape: Sequence[int] | None = None,
        start: str = "mixture",
        max_epochs: int | None = None,
        n_stages: int = 0,
        scale: bool = True,
        vectors: str = "auto",
        n_components: int | None = None,
        training: Training | Mapping[str, Any] | None = None,
        preset: str | None = None,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.embedding_dim = embedding_dim
        self.n_neighbors = n_neighbors
        self.image_shape = image_shape
        self.start = start
        self.max_epochs = max_epochs
        self.n_stages = n_stages
        self.scale = scale
        self.vectors = vectors
        self.n_components = n_components
        self.training = training
        self.preset = preset
        self.random_state = random_state
        self.device = device

    # ---------------------------------------------------------------- parameters

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        settings = self.settings
        refuse_unknown("start", settings.start, _STARTS)
        for name in ("embedding_dim", "n_neighbors"):
            check_count(name, getattr(settings, name))
        if settings.max_epochs is not None:
            check_count("max_epochs", settings.max_epochs)
        if settings.n_stages:
            check_count("n_stages", settings.n_stages)
        if settings.image_shape is None:
            return
        check_sequence("image_shape", settings.image_shape)
        if len(settings.image_shape) != 2:
            raise UsageError(f"image_shape is height and width, not {settings.image_shape!r}")
        for side in settings.image_shape:
            check_count("image_shape", side)

    def _memory(self, n: int, d: int) -> float:
        """Bytes of points, neighbours, embeddings, cluster probabilities, and the layers of a batch with gradients."""
        settings = self.settings
        sizes = (d, *self._layers(n, d), settings.embedding_dim)
        weights = sum(a * b for a, b in pairwise(sizes))
        layers = 3 * 4 * 2 * settings.training.batch_size * sum(sizes) + 4 * 5 * weights
        neighbors = 200.0 * n * min(settings.n_neighbors, n)
        clusters = (48.0 if settings.start == "mixture" else 8.0) * n * int(self.n_clusters)
        shifted = 0.0 if settings.image_shape is None else 12.0 * n * d
        memory: float = 16.0 * n * d + shifted + neighbors + 16.0 * n * settings.embedding_dim + clusters + layers
        return memory

    def _layers(self, n: int, d: int) -> tuple[int, ...]:
        hidden = self.settings.training.hidden
        if hidden is not None:
            return tuple(hidden)
        return _SMALL_TABLE_LAYERS if n * d < _SMALL_TABLE else _LAYERS

    def memory(self, graph: Graph) -> float:
        """See `VectorEstimator.memory`; edges take the place of neighbours."""
        return super().memory(graph) + 200.0 * graph.num_edges

    def _kind(self, graph: Graph) -> str:
        return "smoothed" if self.vectors == "auto" and graph.x is not None else super()._kind(graph)

    # ---------------------------------------------------------------- fitting

    def _fit_graph(self, graph: Graph) -> Solution:
        if self.image_shape is not None:
            raise UsageError("image_shape is for tables: on a graph, the edges take the place of nearest neighbours")
        seed = check_seed(self.random_state)
        x, _ = self._vectors(graph, seed)  # no notes, as the number of clusters is known
        is_spectral = self._kind(graph) == "spectral"
        if not is_spectral:
            self.n_features_in_ = x.shape[1]
        z = self._fit_space(x, is_spectral, 0 if is_spectral else self.n_components or _COMPONENTS, seed)
        rows, columns = graph.source, graph.target
        no_loop = rows != columns
        if not no_loop.any() and not is_spectral:
            note = Note("neighbors-by-features", "no edge joins two nodes: used nearest neighbours by the features")
            solution = self._fit_neighbors(z, z, seed)
            return replace(solution, notes=(note, *solution.notes))
        rows, columns = rows[no_loop], columns[no_loop]
        starts, ends = np.concatenate((rows, columns)), np.concatenate((columns, rows))
        if is_spectral:  # the softmax is then the share of a node's weight
            distance = np.tile(-np.log(graph.edge_weight[no_loop]), 2)
        else:
            distance = np.tile(np.linalg.norm(z[rows] - z[columns], axis=1), 2)
            distance = distance / (self.settings.training.bandwidth or spread_of(starts, distance, len(x)))
        affinity = locally_normalized(starts, ends, distance, len(x))
        if affinity.nnz:
            affinity.data /= affinity.data.max()  # eq. (6) needs affinities near 1, as nearest neighbours have
        return self._fit_affinity(z, affinity, seed, graph if is_spectral else None)

    def _fit_vectors(self, x: FloatArray, seed: int, *, embedded: bool = False) -> Solution:
        z = self._fit_space(x, embedded)
        same_space = self.image_shape is None or self.settings.training.unit_range
        return self._fit_neighbors(z, z if same_space else x, seed)

    def _fit_neighbors(self, z: FloatArray, points: FloatArray, seed: int) -> Solution:
        """Cluster points z, whose nearest neighbours are those of `points`."""
        if len(points) == 1:
            return self._nothing_learned(z)
        from graphclust.runtime.devices import device_named

        settings = self.settings
        affinity = normalized_neighbors(
            points,
            settings.n_neighbors,
            device=str(device_named(self.device)),
            bandwidth=settings.training.bandwidth,
            image_shape=settings.image_shape,
        )
        largest = affinity.data.max()
        notes: tuple[Note, ...] = ()
        if settings.training.alpha * largest < 1:  # the floor of eq. (6) would leave out pairs of similar neighbours
            affinity.data /= largest
            if self.preset not in (None, "graphclust"):  # as the paper prints
                message = (
                    f"divided the affinities by the largest, {largest:.2f}, which is not in the paper: otherwise the "
                    "floor of eq. (6) would leave no pair that attracts"
                )
                notes = (Note("scaled-affinities", message, {"largest": float(largest)}),)
        solution = self._fit_affinity(z, affinity, seed)
        return replace(solution, notes=(*notes, *solution.notes))

    def _fit_space(self, x: FloatArray, embedded: bool, n_components: int = 0, seed: int = 0) -> FloatArray:
        """Learn the space that points are compared in, and return the points there, which are not centred yet.

        Features are scaled as the settings say, except those of a spectral embedding (`embedded`) and of images, and
        then reduced to principal components if there are more than `n_components`; 0: they are not.
        """
        settings = self.settings
        unit_range = settings.training.unit_range and not embedded
        if unit_range:
            self._space = Space.unit_range(x)
        else:
            self._space = Space.fitted(x, scale=settings.scale and not embedded and settings.image_shape is None)
        self._axes = None
        z = self._space.single(x)
        if 0 < n_components < min(x.shape):
            from sklearn.decomposition import PCA

            self._axes = PCA(n_components, random_state=seed).fit(z).components_.T
        z = self._reduced(z)
        if unit_range:
            self._center, self._unit = np.zeros(z.shape[1]), 1.0
        else:
            self._center = z.mean(axis=0)
            self._unit = max(float(np.sqrt(np.square(z - self._center).mean())), 1e-12)
        return z

    def _reduced(self, z: FloatArray) -> FloatArray:
        return z if self._axes is None else z @ self._axes

    def _nothing_learned(self, z: FloatArray) -> Solution:
        self._networks, self._embedded, self._stages = None, z, []
        return self._without_network(len(z), z)

    def _fit_affinity(
        self, z: FloatArray, affinity: scipy.sparse.csr_array[Any], seed: int, graph: Graph | None = None
    ) -> Solution:
        """Cluster points by their affinities; `graph` is a given graph whose communities are the initial clusters."""
        import torch

        from graphclust.methods.lnscc_training import train
        from graphclust.models.lnscc import Contrast
        from graphclust.runtime.devices import device_named

        n, k = len(z), int(self.n_clusters)
        settings = self.settings
        training = settings.training
        if k in (1, n) or not affinity.nnz:
            return self._nothing_learned(z)
        x = torch.as_tensor(self._network_input(z), device=device_named(self.device))
        contrast = Contrast(
            affinity,
            training.alpha,
            training.beta,
            [phase in training.phases for phase in PHASES],
            x.device,
            repulsion=training.repulsion,
            contraction=training.contraction,
        )
        layers = self._layers(*x.shape)
        with one_thread(2 * min(training.batch_size, n) * max(layers, default=1) <= _SMALL_LAYER):
            trained = train(x, contrast, settings, layers, k, seed, graph)
        self._networks = trained.network.cpu(), trained.head.cpu()
        self._stages = trained.stages
        self._embedded, outputs = self._outputs(x.cpu())
        labels, notes = exactly_k(outputs, k, self._embedded)
        self._rank_outputs(outputs, labels)
        return Solution(labels, details=trained.details, notes=notes)

    def _network_input(self, z: FloatArray) -> Any:
        return ((z - self._center) / self._unit).astype(np.float32)

    def _keep(self, problem: Problem, solution: Solution) -> None:
        super()._keep(problem, solution)
        self.embedding_ = np.zeros((0, self.settings.embedding_dim))
        self.stages_: list[Stage] = []
        if len(self.labels_):
            self.embedding_ = problem.in_order(self._embedded)
            self.stages_ = [
                replace(stage, points=problem.positions(stage.points), labels=self._rank[stage.labels])
                for stage in self._stages
            ]

    # ---------------------------------------------------------------- the fitted network

    def _outputs(self, x: Tensor) -> tuple[FloatArray, IntArray]:
        """Return embedded points, and the largest output of the head for each."""
        from graphclust.nn.parallel import through

        assert self._networks is not None
        z = through(self._networks[0], x)
        outputs: IntArray = through(self._networks[1], z).argmax(1).numpy()
        return z.double().numpy(), outputs

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

        points = self._points(X)  # raises NotFittedError
        z = self._reduced(self._space.transform(points))
        if self._networks is None:
            return self._nearest_representative(z)
        labels: IntArray = self._rank[self._outputs(torch.as_tensor(self._network_input(z)))[1]]
        return labels

    def embed(self, X: Any) -> FloatArray:
        """Map points to the embedding, shape (n, embedding_dim); parameters and errors are those of `predict`."""
        import torch

        points = self._points(X)  # raises NotFittedError
        z = self._reduced(self._space.transform(points))
        if self._networks is None:
            return z
        return self._outputs(torch.as_tensor(self._network_input(z)))[0]

    # ---------------------------------------------------------------- figures

    def plot_stages(self) -> Figure:
        """Draw the embedding in 2-D at the recorded stages, and distances within and between close clusters (Fig. 5).

        An embedding of more dimensions is shown by the two principal ones of the last stage.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        NotFittedError
        UsageError
            No stages were recorded, or nothing was learned.
        """
        from sklearn.utils.validation import check_is_fitted

        from graphclust.report.figures import draw_stages

        check_is_fitted(self)
        if self._networks is None:
            raise UsageError("there are no stages (n_stages): without several clusters and edges nothing is learned")
        return draw_stages([(f"epoch {stage.epoch}", stage.z, stage.labels) for stage in self.stages_])

    def plot_embedding(self) -> Figure:
        """Draw `embedding_` in 2-D, by its two principal dimensions if it has more; colours are clusters (Fig. 1).

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
