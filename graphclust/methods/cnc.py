"""CNC as an estimator: networks side by side learn the clusters of an affinity graph; the least normalized cut wins.

| CNC | here | as printed? |
|---|---|---|
| Alg. 1 line 5 | `CNC.batch_size` | by default all points are one batch if that is affordable |
| Alg. 1 line 6 | `CNC.n_neighbors` | as printed; in a batch, of the embedding with coordinates scaled to variance 1 |
| Alg. 1 line 7 | `CNC` | as printed with `starts=("random",)`, `n_init=1` |
| Alg. 1 line 8 | `CNC.max_epochs`, `CNC.patience` | a number of epochs, or until the cut no longer falls |
| Alg. 1 line 9 | `CNC.predict` | as printed |
| sec. 5.7 | `CNC.preset`, `PRESETS` | as printed, a preset for each data set |
| Fig. 1 | `CNC` | as printed |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph, graph_of, holds_graph
from graphclust.inputs import as_graph
from graphclust.kernels.eigenvectors import spectral_embedding
from graphclust.kernels.kmeans import fill_up, kmeans
from graphclust.kernels.neighbors import gaussian_affinities, nearest_neighbors, unit_affinities
from graphclust.methods.cutter import EVENNESS, Cutter, affinity_of, joined
from graphclust.methods.embedding import CodeSpace, Embedding
from graphclust.methods.points import VectorEstimator, nearest_of, ranks_of_outputs
from graphclust.methods.presets import Presets, settings_of
from graphclust.methods.space import Space
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count, check_number, check_sequence, refuse_unknown
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import one_thread

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graphclust.models.cnc import Affinity, FreeHead, Head

__all__ = ["CNC", "PRESETS"]

Start: TypeAlias = "tuple[str, IntArray | None]"

_HEADS = ("auto", "mlp", "gnn", "logits")
_STARTS = ("spectral", "pieces", "k-means", "random")
_CELLS = 1 << 26  # numbers in the assignments, or hidden layers, of all networks that learn at once
_LOSSES = ("contrastive", "cross-entropy")
_PAIRS = {"contrastive": (256, 1), "cross-entropy": (1024, 5)}  # points of a batch, negative pairs of each
_SMALL = 1 << 20  # numbers in a layer up to which one thread is best
_SHARE = 1 / 500  # neighbours, as a share of the points
_NEIGHBORS = (10, 100)
_LOOKS = 20  # times in a fit that assignments are looked at
_WORK = 1e10  # multiplications in a step up to which all points are one batch
_BATCH = 1024
_LESSONS = 200  # steps in which networks learn their start
_RATES = {"logits": 0.2, "mlp": 0.003, "gnn": 0.003}
_PLATEAU = 5  # epochs without a lower loss after which a preset's `decay` multiplies the learning rate
_CONVERGED = 1e-3  # share of its first value below which such a learning rate ends the training

_PUBLISHED: dict[str, Any] = {
    "head": "mlp",
    "starts": ("random",),
    "n_init": 1,
    "polish": False,
    "evenness": 0.0,
    "scale": False,
    "code_dim": 10,
    "code_epochs": 20,
    "siamese_steps": 1000,
    "siamese_loss": "contrastive",
    "siamese_noise": 0.0,
    "max_epochs": 100,
    "standardize": False,
    "affinity": "unit",
    "annealing": 0.5,
    "selection": "last",
}


def _published(
    siamese: Sequence[int],
    hidden: Sequence[int],
    activation: str,
    batch_size: int,
    n_neighbors: int,
    learning_rate: float,
    decay: float,
    temperature: Sequence[float],
) -> dict[str, Any]:
    """Return the settings that section 5.7 prints for a data set, with those that all data sets share."""
    return _PUBLISHED | {
        "siamese": siamese,
        "siamese_batch": batch_size,
        "siamese_neighbors": n_neighbors,
        "hidden": hidden,
        "activation": activation,
        "batch_size": batch_size,
        "n_neighbors": n_neighbors,
        "batch_neighbors": n_neighbors,
        "learning_rate": learning_rate,
        "decay": decay,
        "temperature": temperature,
    }


PRESETS: Presets = {
    "graphclust": {  # the settings that no parameter sets
        "siamese_batch": None,  # by the loss
        "siamese_steps": 3000,  # where siamese_epochs is None
        "standardize": True,  # the space that the clustering network sees gets mean 0 and variance 1
        "affinity": "gaussian",  # of neighbours in a table; "unit": 1
        "batch_neighbors": None,  # in the graph of a batch; as many fewer as there are points
        "decay": None,  # factor of the learning rates on plateaus; None: they fall to 0 in a straight line
        "annealing": 1.0,  # share of the epochs in which the temperature falls
        "selection": "least cut",  # of all states of all networks; "last": the state at the end
    },
    "published": _published((1024, 1024, 512, 10), (512, 512), "relu", 256, 3, 0.005, 0.5, (1.5, 0.5)),
    "published-reuters": _published((512, 256, 128), (512, 512, 512), "tanh", 128, 3, 1e-4, 0.5, (1.5, 1.0)),
    "published-cifar10": _published((512, 256), (512, 512), "tanh", 256, 2, 1e-4, 0.1, (2.5, 0.5)) | {"code_dim": None},
    "published-cifar100": _published((512, 256), (512, 512, 512), "tanh", 1024, 3, 1e-3, 0.5, (1.5, 1.0))
    | {"code_dim": None},
}


@dataclass
class _Run:
    """A network, and the best that it was."""

    start: str
    score: float = math.inf
    value: float = math.inf
    expected: float = math.inf
    reached: float = math.inf  # what networks are chosen by: the score, on tables that after moves
    labels: IntArray | None = None
    weights: tuple[Tensor, ...] = ()


class CNC(VectorEstimator):
    """Clustering by the expected normalized cut: a network learns to assign points of an affinity graph to clusters.

    On a graph, its edges are the affinities; on a table of features, a Siamese network learns which points are close,
    and the graph of nearest neighbours in its space holds the affinities; a graph without edges whose nodes have
    features is a table. Several networks learn at once from different starts; the one whose clusters have the least
    normalized cut is the result. On tables that is the cut once single points were moved, with some weight on even
    sizes.

    Parameters
    ----------
    n_clusters : int
        Exact number of clusters.
    head : {"auto", "mlp", "gnn", "logits"}
        What assigns points to clusters: "mlp", layers on the points' vectors, as published; "gnn", the same with the
        means of neighbours beside each point; "logits", numbers of each node's own, which can only assign the nodes of
        the graph that they learned from. "auto": "mlp" where there are features, "logits" on graphs without.
    hidden : sequence of int
        Sizes of the layers.
    activation : {"relu", "tanh"}
    starts : sequence of {"spectral", "pieces", "k-means", "random"}
        "spectral": k-means on the spectral embedding of the affinities; "pieces": communities of a finer partition,
        merged as costs the normalized cut least; "k-means": on the vectors that the network sees, where it sees any but
        a spectral embedding; "random": the network as it is drawn.
    n_init : int
        Networks for each kind of start.
    temperature : pair of float
        Of the Gumbel-softmax: at first, and at the end.
    max_epochs : int, optional
        Steps, where all points are one batch. By default 200 of these, 20 passes through the points else.
    batch_size : int, optional
        Points of a batch: of a graph, those of whole communities of a finer partition, with the edges among them. By
        default all points are one batch.
    learning_rate : float, optional
        Of Adam, at first; it falls to 0 in a straight line. By default 0.003, for logits 0.2.
    patience : int
        Looks, of which there are 20 in a fit, without a lower normalized cut of any network after which it stops.
    polish : bool, optional
        Whether single nodes, and pieces, are moved after training while that lowers the normalized cut. By default on
        graphs, and not on tables.
    regularization : float
        Affinity of all pairs of nodes, as a multiple of the mean degree spread over a node's pairs. With 0, as
        published, the least normalized cut of many real graphs cuts off small pieces.
    evenness : float, optional
        How much normalized cut a partition into clusters of even volumes is worth, against one cluster with all, where
        partitions are compared: when pieces are merged, and when the best network is chosen; no network learns it. By
        default 0 on graphs, as published, and 0.5 on tables: in spaces of neighbours, halving a thin class and joining
        two close ones often costs some thousandths less than the classes do.
    scale : bool
        Whether the features of a table get mean 0 and variance 1 first.
    code_dim : int, optional
        Numbers in the code of an autoencoder that a table goes through before all else; by default there is none.
    code_hidden : sequence of int
        Sizes of the autoencoder's layers down to the code.
    code_epochs : int
    siamese : sequence of int, optional
        Sizes of the layers of the Siamese network, the last being its space. None leaves it out.
    siamese_loss : {"cross-entropy", "contrastive"}
        "contrastive" is the paper's; see `graphclust.models.siamese` for what the other does to cuts.
    siamese_epochs : int, optional
        Of 20 steps or more; by default as many as make 3,000 steps.
    siamese_neighbors : int
        Neighbours of a point that make positive pairs.
    siamese_noise : float
        Standard deviation of noise that is added to the features while the Siamese network learns, as a multiple of
        their own.
    n_neighbors : int, optional
        In the graph of affinities of a table; in a batch of its points, as many fewer as there are points, and 3 at
        least. By default a 500th of the points, at least 10 and at most 100: with fewer, thin classes fall apart.
    vectors, n_components
        See `graphclust.CLAM`.
    preset : {"graphclust", "published", "published-reuters", "published-cifar10", "published-cifar100"}, optional
        Named settings in the place of the parameters that are left at their defaults; a parameter with another value
        wins. None means "graphclust", the defaults described above. "published" is what the paper prints for MNIST,
        and the others what it prints for their data sets; see the notes.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}

    Notes
    -----
    The published presets set what sections 4 and 5 of the paper print: the code of an autoencoder as the features (not
    for CIFAR, whose features come from a trained residual network); the layers of both networks, the activations, the
    contrastive loss, the batch size, the number of neighbours, Adam's learning rate and decay, and the two temperatures
    of section 5.7; random minibatches, each with the graph of nearest neighbours among its own points; one network as
    it is drawn. There are no classical starts, no moves, no evenness, no regularisation and no noise on the features.

    The paper leaves open, and the presets choose:

    - the autoencoder: the paper takes trained weights from elsewhere; the presets train one, layers 500, 500, 2000, 10,
      for 20 epochs;
    - "layers sized [1024, 1024, 512, 10] with ReLU": a ReLU stands between two layers of the Siamese network, and its
      last layer is linear;
    - the clustering network's activation for MNIST: ReLU;
    - the printed learning rate is that of the clustering network, and the Siamese network learns at 0.001 (at the rate
      of 0.005, and with a ReLU after its last layer, it maps all points to one); decay, batch size and neighbours hold
      for both;
    - "decay 0.5": the learning rate is halved when the loss has not fallen for 5 epochs;
    - "while not converged": at most 100 epochs, or until the learning rate is below a thousandth of its first value;
      the Siamese network learns for 1,000 steps;
    - the weights of affinities: 1 between a point and each of its nearest neighbours, as in figure 1, in both
      directions;
    - negative pairs: one for each positive pair, among points that are not neighbours;
    - the temperature's path: it falls by the same factor each epoch and reaches its minimum after half of the epochs;
    - which run or state is reported: the last state of a single run.

    With these presets a network may leave clusters empty. `predict` returns what the network assigns; `labels_` has
    exactly `n_clusters` clusters, for which points are split off the largest one, with a note. On a graph with edges,
    which the paper does not cluster, the graph's own edges are the affinities and batches are whole communities.

    Examples
    --------
    >>> figure_1 = Graph.from_edges([0, 1, 0, 2, 3, 4, 3], [1, 2, 2, 3, 4, 5, 5], nodes=6)
    >>> CNC(2, random_state=0).fit(figure_1).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "cnc"
    summary: ClassVar[str] = "a network that minimises the expected normalized cut"
    source: ClassVar[str] = "Nazi et al., Generalized Clustering by Learning to Optimize Expected Normalized Cuts, 2019"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "required"
    needs: ClassVar[tuple[str, ...]] = ("torch", "sklearn.cluster", "graphclust.training.loops")
    _head: Head | FreeHead | None
    _points_kept: FloatArray | None
    _inner: Space | None

    def __init__(
        self,
        n_clusters: Any = None,
        *,
        head: str = "auto",
        hidden: Sequence[int] = (512, 512),
        activation: str = "relu",
        starts: Sequence[str] = ("spectral", "pieces", "k-means"),
        n_init: int = 2,
        temperature: Sequence[float] = (1.5, 0.5),
        max_epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int = 5,
        polish: bool | None = None,
        regularization: float = 0.0,
        evenness: float | None = None,
        scale: bool = True,
        code_dim: int | None = None,
        code_hidden: Sequence[int] = (500, 500, 2000),
        code_epochs: int = 40,
        siamese: Sequence[int] | None = (512, 512, 10),
        siamese_loss: str = "cross-entropy",
        siamese_epochs: int | None = None,
        siamese_neighbors: int = 10,
        siamese_noise: float = 0.3,
        n_neighbors: int | None = None,
        vectors: str = "auto",
        n_components: int | None = None,
        preset: str | None = None,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.head = head
        self.hidden = hidden
        self.activation = activation
        self.starts = starts
        self.n_init = n_init
        self.temperature = temperature
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.polish = polish
        self.regularization = regularization
        self.evenness = evenness
        self.scale = scale
        self.code_dim = code_dim
        self.code_hidden = code_hidden
        self.code_epochs = code_epochs
        self.siamese = siamese
        self.siamese_loss = siamese_loss
        self.siamese_epochs = siamese_epochs
        self.siamese_neighbors = siamese_neighbors
        self.siamese_noise = siamese_noise
        self.n_neighbors = n_neighbors
        self.vectors = vectors
        self.n_components = n_components
        self.preset = preset
        self.random_state = random_state
        self.device = device

    # ---------------------------------------------------------------- parameters

    @property
    def settings(self) -> SimpleNamespace:
        """The settings that `fit` uses: the parameters, with the preset's values for those left at their defaults.

        Raises
        ------
        UsageError
            No preset has the name that `preset` gives.
        """
        return settings_of(self, PRESETS)

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        settings = self.settings
        refuse_unknown("head", settings.head, _HEADS)
        refuse_unknown("activation", settings.activation, ("relu", "tanh"))
        check_sequence("starts", settings.starts)
        check_sequence("temperature", settings.temperature)
        for start in settings.starts:
            refuse_unknown("starts", start, _STARTS)
        refuse_unknown("siamese_loss", settings.siamese_loss, _LOSSES)
        for name in ("n_init", "patience", "siamese_neighbors", "code_epochs"):
            check_count(name, getattr(settings, name))
        for name in ("batch_size", "code_dim", "max_epochs", "n_neighbors", "siamese_epochs"):
            if getattr(settings, name) is not None:
                check_count(name, getattr(settings, name))
        for name in ("hidden", "siamese", "code_hidden"):
            sizes = getattr(settings, name)
            if name == "siamese" and sizes is None:
                continue
            check_sequence(name, sizes, empty=name != "siamese")
            for size in sizes:
                check_count(name, size)
        check_number("regularization", settings.regularization)
        if settings.evenness is not None:
            check_number("evenness", settings.evenness)
        check_number("siamese_noise", settings.siamese_noise)
        for value in (*settings.temperature, *([] if settings.learning_rate is None else [settings.learning_rate])):
            check_number("temperature and learning_rate", value)
            if not value:
                raise UsageError("temperature and learning_rate are above 0")
        if len(settings.temperature) != 2:
            raise UsageError("temperature has two values: at first, and at the end")

    def _memory(self, n: int, d: int) -> float:
        """Bytes of points and their neighbours, and of assignments with their gradients for the networks of a group."""
        k = int(self.n_clusters or 1)
        runs = min(self._number_of_runs(), max(1, _CELLS // max(1, n * k)))
        return 16.0 * n * d + 100.0 * n * self._number_of_neighbors(n) + 4.0 * 10 * n * k * runs + 24.0 * _CELLS / 16

    def memory(self, graph: Graph) -> float:
        """See `VectorEstimator.memory`; and the edges, in both directions and precisions."""
        return super().memory(graph) + 190.0 * graph.num_edges

    def _number_of_neighbors(self, n: int) -> int:
        wanted = self.settings.n_neighbors or min(max(round(n * _SHARE), _NEIGHBORS[0]), _NEIGHBORS[1])
        return max(1, min(wanted, n - 1))

    def _number_of_runs(self) -> int:
        return int(self.settings.n_init) * len(self.settings.starts)

    def _head_kind(self, graph: Graph) -> str:
        if self.settings.head != "auto":
            return str(self.settings.head)
        return "logits" if self._kind(graph) == "spectral" else "mlp"

    # ---------------------------------------------------------------- graphs

    def _fit_graph(self, graph: Graph) -> Solution:
        import torch

        from graphclust.runtime.devices import device_named

        seed = check_seed(self.random_state)
        k, n = int(self.n_clusters), graph.num_nodes
        self._kind_of_head = self._head_kind(graph)
        self._head, self._points_kept, self._inner = None, None, None
        spectral = self._kind(graph) == "spectral"
        if not graph.num_edges and not spectral:
            return super()._fit_graph(graph)
        vectors = None
        if self._kind_of_head != "logits" and not spectral:
            vectors = self._vectors_of(graph, seed)
            self.n_features_in_ = vectors.shape[1]
            self._space = Space.fitted(vectors)
        if k == 1 or k == n or not graph.num_edges:
            if vectors is not None:
                self._points_kept = self._space.of(vectors)[:k]
            if 1 < k < n:
                self._note("no-edges", "the graph has no edges: made clusters of equal size, as all nodes are alike")
            return Solution(np.arange(n, dtype=np.int64) % k)
        cutter = Cutter(graph, k, self.settings.regularization, self.settings.evenness or 0.0)
        polish = self.settings.polish is None or self.settings.polish
        pieces = cutter.pieces(seed) if polish or "pieces" in self.settings.starts else []
        device = device_named(self.device)
        x = own = None
        if self._kind_of_head != "logits":
            if vectors is None:
                vectors = self._vectors_of(graph, seed)
                self._space = Space.fitted(vectors)
            x = torch.as_tensor(self._space.single(vectors), dtype=torch.float32, device=device)
            own = None if spectral else x.double().cpu().numpy()
        starts = self._starts_on(graph, cutter, pieces, own, seed)
        runs = self._learn(x, cutter, starts, seed, device, blocks=pieces[0] if pieces else None)
        best = min(runs, key=lambda run: run.reached)
        assert best.labels is not None
        labels = best.labels
        details = {
            "head": self._kind_of_head,
            "start": best.start,
            "normalized_cut_at_start": min((cutter.value(one) for _, one in starts if one is not None), default=None),
            "normalized_cut_learned": best.value,
            "expected_normalized_cut": best.expected,
        }
        if polish:
            inside = pieces[0] if pieces else None
            found = {one.tobytes(): one for one in (run.labels for run in runs) if one is not None}
            polished = [cutter.polished(self._filled(one, cutter), seed, inside) for one in found.values()]
            labels = min(polished, key=cutter.score)
            details["normalized_cut_polished"] = cutter.value(labels)
        labels = self._filled(labels, cutter)
        self._rank = ranks_of_outputs(best.labels, labels, k)
        share = float(np.bincount(labels, cutter.degree).max() / cutter.degree.sum())
        if k > 1 and share > 0.9 and not self.settings.regularization:
            self._note(
                "uneven-clusters",
                f"the largest cluster has {share:.0%} of the volume: the least normalized cut cuts off small pieces "
                "(regularization=1 gives larger ones)",
                share=share,
            )
        return Solution(labels, details=details)

    def _filled(self, labels: IntArray, cutter: Cutter, points: FloatArray | None = None) -> IntArray:
        """Return labels of exactly k clusters: where some are empty, nodes of the largest stand alone."""
        if len(np.unique(labels)) == cutter.k:
            return labels
        n_found = len(np.unique(labels))
        self._note(
            "empty-clusters",
            f"found {n_found} of {cutter.k} clusters and split points off the largest",
            n_found=n_found,
        )
        return fill_up(cutter.degree[:, None] if points is None else points, labels, cutter.k)

    def _starts_on(
        self, graph: Graph, cutter: Cutter, pieces: Sequence[IntArray], vectors: FloatArray | None, seed: int
    ) -> list[Start]:
        """Return what networks start at: labels of each, or None for a network as it is drawn."""
        k = cutter.k
        found: list[Start] = []
        for kind in self.settings.starts:
            if kind == "spectral":
                embedding = spectral_embedding(graph, k, random_state=seed)
                found += [(kind, kmeans(embedding, k, 1, seed + i)) for i in range(self.settings.n_init)]
            elif kind == "pieces":
                found += [(kind, cutter.merged(one)) for one in pieces[: self.settings.n_init]]
            elif kind == "random":
                found += [(kind, None)] * self.settings.n_init
            elif vectors is not None:
                found += [(kind, kmeans(vectors, k, 1, seed + i)) for i in range(self.settings.n_init)]
        return found or [("random", None)]

    # ---------------------------------------------------------------- tables

    def _fit_vectors(self, x: FloatArray, seed: int, *, embedded: bool = False) -> Solution:
        import torch

        from graphclust.runtime.devices import device_named

        if self.settings.head in ("logits", "gnn"):
            raise UsageError(
                f"head={self.settings.head!r} is for graphs with edges: points alone have no neighbours of their own"
            )
        device = device_named(self.device)
        k, n = int(self.n_clusters), len(x)
        self._kind_of_head = "mlp"
        self._head, self._points_kept, self._inner = None, None, None
        settings = self.settings
        self._space = Space.fitted(x, scale=settings.scale)
        inside = self._space.single(x)
        self._unit = max(float(np.sqrt(np.square(inside).mean())), 1e-12)
        if k == 1 or k == n:
            self._points_kept = inside[:k]
            return Solution(np.arange(n, dtype=np.int64) % k)
        details: dict[str, Any] = {}
        z = torch.as_tensor(inside / self._unit, dtype=torch.float32, device=device)
        neighbors = self._number_of_neighbors(n)
        self._code = self._embedding = None
        if settings.code_dim is not None:
            self._code = CodeSpace.learned(
                z, settings.code_dim, settings.code_hidden, max_epochs=settings.code_epochs, seed=seed
            )
            details["autoencoder_loss"] = self._code.loss
            z = self._code.of(z)
        if settings.siamese is not None:
            self._embedding = self._siamese(z, settings, seed)
            details["siamese_loss"] = self._embedding.loss
            z = self._embedding.of(z)
        for step in (self._code, self._embedding):
            if step is not None:
                step.network.cpu()
        v = z.double().cpu().numpy()
        self._inner = Space.fitted(v) if settings.standardize else Space.identity(v.shape[1])
        near, distance = nearest_neighbors(v, neighbors, device=str(device))
        weight = gaussian_affinities(near, distance) if settings.affinity == "gaussian" else unit_affinities(near)
        graph = graph_of(weight, directed=False)
        evenness = EVENNESS if settings.evenness is None else settings.evenness
        cutter = Cutter(graph, k, settings.regularization, evenness)
        pieces = cutter.pieces(seed) if "pieces" in settings.starts else []
        starts = self._starts_on(graph, cutter, pieces, v, seed)
        points = torch.as_tensor(self._inner.of(v), dtype=torch.float32, device=device)
        runs = self._learn(points, cutter, starts, seed, device, of_table=True)
        best = min(runs, key=lambda run: run.reached)
        assert best.labels is not None
        labels = best.labels
        at_start = min((cutter.value(one) for _, one in starts if one is not None), default=None)
        details |= {"head": "mlp", "start": best.start, "normalized_cut_at_start": at_start}
        details["expected_normalized_cut"] = best.expected
        details |= {"normalized_cut_learned": best.value}
        if settings.polish:
            labels = cutter.polished(self._filled(labels, cutter, v), seed)
            details["normalized_cut_polished"] = cutter.value(labels)
        labels = self._filled(labels, cutter, v)
        self._rank = ranks_of_outputs(best.labels, labels, k)
        return Solution(labels, details=details)

    @staticmethod
    def _siamese(z: Tensor, settings: SimpleNamespace, seed: int) -> Embedding:
        """Train the Siamese network on points, shape (n, d)."""
        size, negative = _PAIRS[settings.siamese_loss]
        size = settings.siamese_batch or size
        steps = max(20, len(z) // size)  # of an epoch
        return Embedding.learned(
            z,
            settings.siamese,
            min(settings.siamese_neighbors, len(z) - 1),
            max_epochs=settings.siamese_epochs or -(-settings.siamese_steps // steps),
            loss=settings.siamese_loss,
            n_negative=negative,
            batch_size=size,
            noise=settings.siamese_noise,
            decay=settings.decay,
            keep_last=settings.selection == "last",
            seed=seed,
        )

    # ---------------------------------------------------------------- learning

    def _new_head(self, x: Tensor | None, n: int, runs: int, generator: torch.Generator | None) -> Head | FreeHead:
        from graphclust.models.cnc import FreeHead, GraphHead, Head

        k = int(self.n_clusters)
        if x is None:
            return FreeHead(n, k, runs, generator)
        kind = GraphHead if self._kind_of_head == "gnn" else Head
        return kind((x.shape[1], *self.settings.hidden, k), runs, self.settings.activation, generator)

    def _learn(
        self,
        x: Tensor | None,
        cutter: Cutter,
        starts: Sequence[Start],
        seed: int,
        device: torch.device,
        blocks: IntArray | None = None,
        of_table: bool = False,
    ) -> list[_Run]:
        """Train networks from all starts, in groups that fit into memory.

        Parameters
        ----------
        x : Tensor, shape (n, d), or None
            What the networks see; None for logits.
        cutter : Cutter
            Of the affinity graph.
        starts : sequence of (str, labels or None)
        seed : int
        device : torch.device
        blocks : ndarray of int64, shape (n,), optional
            Pieces of a given graph, some of which make a batch; found where they are needed and not given.
        of_table : bool
            Whether a batch is any points, and the graph of nearest neighbours among them. The network is kept whose
            clusters have the least cut once single points were moved, which tells what it aims at from how well it
            draws the boundaries; of a graph that with the least cut.
        """
        n, k = len(cutter.degree), cutter.k
        widest = max((k, *self.settings.hidden) if x is not None else (k,))
        group = max(1, _CELLS // (n * widest))
        runs: list[_Run] = []
        if not of_table and blocks is None and self._batch(x, n, min(group, len(starts))) < n:
            blocks = next(iter(cutter.pieces(seed)), np.arange(n))
        for i in range(0, len(starts), group):
            runs += self._learn_group(x, cutter, starts[i : i + group], seed + i, device, blocks)
        by_moves = of_table and self.settings.selection != "last"
        for run in runs:
            assert run.labels is not None
            run.reached = cutter.score(cutter.moved(run.labels, seed)) if by_moves else run.score
        winner = min(runs, key=lambda run: run.reached)
        if x is not None:
            self._head = self._new_head(x, n, 1, None)
            for parameter, learned in zip(self._head.parameters(), winner.weights, strict=True):
                parameter.data = learned[None].cpu()
        for run in runs:
            run.weights = ()
        return runs

    def _batch(self, x: Tensor | None, n: int, n_runs: int) -> int:
        """Return the number of points of a batch, n where all are one."""
        settings = self.settings
        if x is None:
            return min(settings.batch_size or n, n)
        work = n_runs * n * sum(a * b for a, b in pairwise((x.shape[1], *settings.hidden, int(self.n_clusters))))
        return min(settings.batch_size or (n if work <= _WORK else _BATCH), n)

    def _learn_group(
        self,
        x: Tensor | None,
        cutter: Cutter,
        starts: Sequence[Start],
        seed: int,
        device: torch.device,
        blocks: IntArray | None,
    ) -> list[_Run]:
        import torch

        from graphclust.models.cnc import expected_normalized_cut, gumbel_softmax
        from graphclust.training.loops import Fleet

        settings = self.settings
        n, k = len(cutter.degree), cutter.k
        generator = torch.Generator().manual_seed(seed)
        noise = torch.Generator(device=device).manual_seed(seed)
        head = self._new_head(x, n, len(starts), generator).to(device)
        whole = cutter.affinity(device)
        near = whole if self._kind_of_head == "gnn" and x is not None else None
        head.start_at([one for _, one in starts], x, near)  # type: ignore[arg-type]
        size = self._batch(x, n, len(starts))
        near_in_batch = settings.batch_neighbors or max(3, round(self._number_of_neighbors(n) * size / n))
        plan = _Batches(n, size, blocks, cutter, x, near_in_batch, settings)
        epochs = settings.max_epochs or (200 if plan.whole else 20)
        rate = settings.learning_rate or _RATES[self._kind_of_head]
        rates = torch.full((len(starts),), rate, device=device)
        patience, shrink = (epochs, 1.0) if settings.decay is None else (_PLATEAU, settings.decay)
        fleet = Fleet(list(head.parameters()), rates, patience=patience, shrink=shrink)
        runs = [_Run(name) for name, _ in starts]

        told = torch.tensor([float(one is not None) for _, one in starts], device=device)[:, None]
        nothing = np.zeros(n, dtype=np.int64)
        taught = torch.as_tensor(np.stack([nothing if one is None else one for _, one in starts]), device=device)
        steps = -(-plan.units // plan.per_batch)
        lessons = -(-_LESSONS // steps) if x is not None and any(one is not None for _, one in starts) else 0

        def loss(index: Tensor, epoch: int) -> Tensor:
            points, affinity = (None, whole) if plan.whole else plan.batch(index, device)
            some = x if points is None or x is None else x[points]
            logits = head(some, affinity) if x is not None or points is None else head()[:, points]
            if epoch < lessons:
                wanted = taught if points is None else taught[:, points]
                found = torch.nn.functional.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
                return (found * told).mean(1, keepdim=True).expand(-1, len(index))
            y = gumbel_softmax(logits.transpose(0, 1), _temperature(settings, epoch - lessons, epochs), noise)
            return expected_normalized_cut(y, affinity)[:, None].expand(-1, len(index))

        waited = 0
        every = max(1, epochs // _LOOKS)
        chooses = settings.selection != "last"
        if chooses:
            self._look(runs, head, x, near, whole, cutter)
        small = len(starts) * n * (k if x is None else max((k, *settings.hidden))) <= _SMALL
        with task("training", epochs) as advance, one_thread(small):
            for done in fleet.epochs(
                lessons + epochs,
                plan.units,
                plan.per_batch,
                loss,
                generator,
                lambda epoch: epoch >= lessons,
                points_on_host=plan.of_pieces,
            ):
                epoch = done - lessons
                if settings.decay is None:
                    fleet.rates = rates * min(1, 1 - (epoch + 1) / epochs)
                if epoch >= 0:
                    advance()
                if not (epoch == -1 or (epoch >= 0 and (epoch + 1) % every == 0) or epoch + 1 == epochs):
                    continue
                if chooses:
                    waited = 0 if self._look(runs, head, x, near, whole, cutter) else waited + 1
                if waited >= settings.patience or (settings.decay and float(fleet.rates.max()) < _CONVERGED * rate):
                    break
        if not chooses:
            self._look(runs, head, x, near, whole, cutter)
        return runs

    @staticmethod
    def _look(
        runs: Sequence[_Run],
        head: Head | FreeHead,
        x: Tensor | None,
        near: Affinity | None,
        whole: Affinity,
        cutter: Cutter,
    ) -> bool:
        """Assign all points; networks that never had so low a cut keep what they are. Return whether any does."""
        import torch

        from graphclust.models.cnc import expected_normalized_cut

        with torch.no_grad():
            logits = _logits(head, x, near)
            labels = logits.argmax(2).cpu().numpy()
            soft = expected_normalized_cut(torch.softmax(logits, 2).transpose(0, 1), whole).tolist()
        better = False
        for i, run in enumerate(runs):
            score = cutter.score(labels[i])
            if score < run.score or (score == run.score and soft[i] < run.expected):
                better = better or score < run.score - 1e-6
                run.score, run.value = score, cutter.value(labels[i])
                run.expected, run.labels = soft[i], labels[i]
                run.weights = tuple(one.detach()[i].clone() for one in head.parameters())
        return better

    # ---------------------------------------------------------------- the fitted network

    def predict(self, X: Any) -> IntArray:
        """Return the cluster of new points, or of the nodes of another graph.

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
            The network has learned from a graph without node features, or from other features.
        """
        points = self._points(X)
        with one_thread(len(points) * max((*self.settings.hidden, 1)) <= _SMALL):
            return self._assigned(points, X)

    def embed(self, X: Any) -> FloatArray:
        """Return where the Siamese network, after the autoencoder if there is one, puts points.

        Parameters
        ----------
        X : feature matrix of shape (n, d)

        Returns
        -------
        ndarray of float64, shape (n, siamese[-1])
            The space in which nearest neighbours have affinities.

        Raises
        ------
        NotFittedError
        UsageError
            `fit` was given a graph, or as many clusters as points, and learned no space.
        """
        points = self._points(X)
        if self._inner is None:
            raise UsageError("cnc has learned no space: it was fitted to a graph, or had nothing to learn")
        return self._embedded(self._space.of(points))

    def _embedded(self, z: FloatArray) -> FloatArray:
        import torch

        v = torch.as_tensor(z / self._unit, dtype=torch.float32)
        for step in (self._code, self._embedding):
            v = v if step is None else step.of(v)
        found: FloatArray = v.double().numpy()
        return found

    def _assigned(self, points: FloatArray, X: Any) -> IntArray:
        import torch

        found: IntArray
        if self._head is None:
            assert self._points_kept is not None
            return nearest_of(self._space.of(points), self._points_kept)
        z = self._space.single(points)
        near = None
        if self._kind_of_head == "gnn":
            if not holds_graph(X):
                raise UsageError("head='gnn' has learned from neighbours: predict needs a graph")
            near = affinity_of(joined(as_graph(X).undirected()), torch.device("cpu"))
        v = z if self._inner is None else self._inner.of(self._embedded(z))
        with torch.no_grad():
            raw = _logits(self._head, torch.as_tensor(v, dtype=torch.float32), near)[0].argmax(1).numpy()
        found = self._rank[raw]
        return found


class _Batches:
    """What a step sees: all points, some of a table with their own nearest neighbours, or pieces of a graph."""

    def __init__(
        self,
        n: int,
        size: int,
        blocks: IntArray | None,
        cutter: Cutter,
        x: Tensor | None,
        neighbors: int,
        settings: SimpleNamespace,
    ) -> None:
        self.whole = size >= n
        self.units, self.per_batch = (1, 1) if self.whole else (n, size)
        self._cutter, self._x, self._neighbors, self._settings = cutter, x, neighbors, settings
        self._members: list[IntArray] | None = None
        self.of_pieces = not self.whole and blocks is not None
        if self.of_pieces:
            assert blocks is not None
            order = np.argsort(blocks, kind="stable")
            pieces = np.split(order, np.cumsum(np.bincount(blocks))[:-1])
            self._members = [part for piece in pieces for part in np.array_split(piece, -(-len(piece) // size))]
            self.units = len(self._members)
            self.per_batch = max(1, round(size * self.units / n))

    def batch(self, index: Tensor, device: torch.device) -> tuple[Tensor, Affinity]:
        """Return the points of a batch, and their affinities; `index`, of pieces, is on the CPU."""
        import torch

        from graphclust.models.cnc import Affinity

        if self._members is not None:
            nodes = np.concatenate([self._members[i] for i in index.tolist()])
            return torch.as_tensor(nodes).to(device, non_blocking=True), self._cutter.affinity(device, nodes)
        assert self._x is not None
        v = self._x[index]
        distance = torch.cdist(v, v).square()
        distance.fill_diagonal_(math.inf)
        k = max(1, min(self._neighbors, len(v) - 1))
        near = distance.topk(k, largest=False)
        nothing = torch.zeros_like(distance)
        if self._settings.affinity == "unit":
            directed = nothing.scatter_(1, near.indices, 1.0)
            return index, Affinity(torch.maximum(directed, directed.T), self._settings.regularization)
        scale = near.values[:, -1].clamp_min(1e-12).sqrt()
        weight = torch.exp(-near.values / (scale[:, None] * scale[near.indices]))
        directed = nothing.scatter_(1, near.indices, weight)
        return index, Affinity((directed + directed.T) / 2, self._settings.regularization)


def _temperature(settings: SimpleNamespace, epoch: int, epochs: int) -> float:
    """Return the temperature of an epoch: it falls by the same factor each epoch, and then stays at its minimum."""
    first, last = settings.temperature
    progress = min(1.0, epoch / max(1, settings.annealing * epochs - 1))
    return float(first * (last / first) ** progress)


def _logits(head: Head | FreeHead, x: Tensor | None, near: Affinity | None) -> Tensor:
    """Return logits of all points, shape (R, n, K); in pieces where points do not see each other."""
    import torch

    if x is None or near is not None:
        whole: Tensor = head(x, near)
        return whole
    return torch.cat([head(part, None) for part in x.split(_BATCH * 8)], dim=1)
