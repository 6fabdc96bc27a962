"""CNC as an estimator: networks learn to assign points, and the clusters with the least normalized cut are the result.

The training of the networks is in `graphclust.methods.cnc_training`, the learned space of a table in
`graphclust.methods.embedding`, and the settings are in `graphclust.methods.cnc_settings`.

| CNC | here | as printed? |
|---|---|---|
| Alg. 1 line 5 | `Training.batch_size` | by default all points are one batch if that is affordable |
| Alg. 1 line 6 | `CNC.n_neighbors` | as printed; in a batch, of the embedding with coordinates scaled to variance 1 |
| Alg. 1 line 7 | `CNC` | as printed with one network from random weights |
| Alg. 1 line 8 | `CNC.max_epochs`, `Training.patience` | a number of epochs, or until the cut no longer falls |
| Alg. 1 line 9 | `CNC.predict` | as printed |
| sec. 5.7 | `CNC.preset`, `PRESETS` | as printed, a preset for each data set |
| Fig. 1 | `CNC` | as printed |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph, graph_of, holds_graph
from graphclust.inputs import as_graph
from graphclust.kernels.eigenvectors import spectral_embedding
from graphclust.kernels.kmeans import kmeans
from graphclust.kernels.neighbors import gaussian_affinities, nearest_neighbors, unit_affinities
from graphclust.methods.cnc_settings import GROUP_CELLS, PRESETS, SMALL_LAYER, Training
from graphclust.methods.cutter import EVENNESS, Cutter, affinity_of, joined
from graphclust.methods.embedding import Encoder, train_autoencoder, train_siamese
from graphclust.methods.network import NetworkEstimator, exactly_k
from graphclust.methods.presets import Presets
from graphclust.methods.space import Space
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count, check_number, refuse_unknown
from graphclust.runtime.notes import Note
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import one_thread

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graphclust.methods.cnc_training import Run, Start, Trainer
    from graphclust.models.cnc import FreeHead, Head

__all__ = ["CNC", "PRESETS", "Training"]

_HEADS = ("auto", "mlp", "gnn", "logits")
_NEIGHBOR_FRACTION = 1 / 500  # default number of neighbours, as a fraction of the points
_NEIGHBOR_RANGE = (10, 100)
_UNEVEN = 0.9  # of the volume in the largest cluster, above which a note suggests regularization


class CNC(NetworkEstimator):
    """Clustering by the expected normalized cut: a network learns to assign points of an affinity graph to clusters.

    On a graph, the edges are the affinities. On a table of features, a Siamese network learns which points are close,
    and affinities join nearest neighbours in its space. A graph without edges whose nodes have features is treated as a
    table. Several networks learn at the same time from different starts. The result is the one whose clusters have the
    least normalized cut; on tables, the least normalized cut after moves of single points, with some weight on even
    sizes.

    Parameters
    ----------
    n_clusters : int
        Exact number of clusters.
    head : {"auto", "mlp", "gnn", "logits"}
        What assigns points to clusters. "mlp": a network on the vectors of the points, as published. "gnn": a network
        whose layers also take the means of a point's neighbours. "logits": free parameters of each node, which cannot
        assign other nodes. "auto": "mlp" if there are features, "logits" on graphs without.
    n_init : int
        Number of networks for each kind of start, see `Training.starts`.
    max_epochs : int, optional
        By default 200 epochs if all points are one batch, and otherwise 20.
    polish : bool, optional
        Whether single nodes and pieces are moved after training as long as that lowers the normalized cut. By default
        True on graphs and False on tables.
    regularization : float
        Affinity that is added to all pairs of nodes, so that a node's pairs have this multiple of the mean degree
        together. With 0, as published, the least normalized cut of many real graphs cuts off small pieces.
    evenness : float, optional
        Weight of even cluster volumes when partitions are compared, which is when pieces are merged and when the best
        network is chosen: the normalized cut by which one cluster with all the volume may be lower than clusters of
        equal volume. It is not part of the loss. By default 0 on graphs, as published, and 0.5 on tables, where
        splitting a thin class and joining two close ones often costs some thousandths less than the classes do.
    n_neighbors : int, optional
        Number of neighbours in the affinity graph of a table. By default a 500th of the points, but at least 10 and at
        most 100; with fewer neighbours, thin classes fall apart. In a batch it is reduced in proportion to the number
        of points, to 3 at least.
    scale : bool
        Whether the features of a table are first scaled to mean 0 and variance 1.
    vectors : {"auto", "features", "smoothed", "spectral"}
        See `graphclust.CLAM`.
    training : Training or mapping, optional
        How the networks learn. A mapping, such as `{"hidden": (64,)}`, changes some settings of the preset. See
        `graphclust.methods.cnc.Training`.
    preset : {"graphclust", "published", "published-reuters", "published-cifar10", "published-cifar100"}, optional
        Values for the parameters that are left at their defaults. None means "graphclust", the defaults described
        above. "published" is what the paper prints for MNIST, and the others are what it prints for their data sets;
        see the notes.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}

    Notes
    -----
    The published presets follow sections 4 and 5 of the paper. The features are the code of an autoencoder, except for
    CIFAR, whose features come from a trained residual network. The layers of both networks, the activations, the
    contrastive loss, the batch size, the number of neighbours, Adam's learning rate and decay, and the two temperatures
    are those of section 5.7. Batches are random, and each has the graph of nearest neighbours among its own points. One
    network starts from random weights. There are no classical starts, no moves, no evenness, no regularisation and no
    noise on the features.

    The paper leaves some settings open. The presets use these:

    - the autoencoder: the paper uses published weights; the presets train an autoencoder with layers of 500, 500, 2000
      and 10 units for 20 epochs;
    - "layers sized [1024, 1024, 512, 10] with ReLU": there is a ReLU between two layers of the Siamese network, and its
      last layer is linear;
    - the activation of the clustering network for MNIST: ReLU;
    - the learning rate: the printed one is that of the clustering network, and the Siamese network learns at 0.001 (at
      0.005, with a ReLU after its last layer, it maps all points to one); decay, batch size and neighbours are those of
      both networks;
    - "decay 0.5": the learning rate is halved if the loss has not fallen for 5 epochs;
    - "while not converged": training ends after 100 epochs, or when the learning rate is below a thousandth of its
      first value; the Siamese network trains for 1,000 steps;
    - the affinities: 1 between a point and each of its nearest neighbours, as in figure 1, in both directions;
    - negative pairs: one for each positive pair, among points that are not neighbours;
    - the temperature: it falls by the same factor in each epoch and reaches its minimum after half of the epochs;
    - the reported state: the last state of a single run.

    With these presets a network may leave clusters empty. `predict` returns what the network assigns. `labels_` has
    exactly `n_clusters` clusters: points are split off the largest one, with a note. On a graph with edges, which the
    paper does not cluster, the graph's own edges are the affinities and batches are whole communities.

    Examples
    --------
    >>> figure_1 = Graph.from_edges([0, 1, 0, 2, 3, 4, 3], [1, 2, 2, 3, 4, 5, 5], nodes=6)
    >>> CNC(2, random_state=0).fit(figure_1).labels_
    array([0, 0, 0, 1, 1, 1])
    >>> CNC(2, training={"hidden": (16,)}, random_state=0).settings.training.hidden
    (16,)
    """

    name: ClassVar[str] = "cnc"
    summary: ClassVar[str] = "a network that minimises the expected normalized cut"
    source: ClassVar[str] = "Nazi et al., Generalized Clustering by Learning to Optimize Expected Normalized Cuts, 2019"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "required"
    needs: ClassVar[tuple[str, ...]] = ("torch", "sklearn.cluster", "graphclust.methods.cnc_training")
    presets: ClassVar[Presets] = PRESETS
    n_components = None  # a spectral embedding has one dimension per cluster
    _fitted_head_kind: str  # of the last fit: mlp, gnn or logits
    _head: Head | FreeHead | None
    _encoders: tuple[Encoder, ...]
    _input_space: Space | None  # of the network, after the encoders; None on graphs

    def __init__(
        self,
        n_clusters: Any = None,
        *,
        head: str = "auto",
        n_init: int = 2,
        max_epochs: int | None = None,
        polish: bool | None = None,
        regularization: float = 0.0,
        evenness: float | None = None,
        n_neighbors: int | None = None,
        scale: bool = True,
        vectors: str = "auto",
        training: Training | Mapping[str, Any] | None = None,
        preset: str | None = None,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.head = head
        self.n_init = n_init
        self.max_epochs = max_epochs
        self.polish = polish
        self.regularization = regularization
        self.evenness = evenness
        self.n_neighbors = n_neighbors
        self.scale = scale
        self.vectors = vectors
        self.training = training
        self.preset = preset
        self.random_state = random_state
        self.device = device

    # ---------------------------------------------------------------- parameters

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        settings = self.settings
        refuse_unknown("head", settings.head, _HEADS)
        check_count("n_init", settings.n_init)
        for name in ("max_epochs", "n_neighbors"):
            if getattr(settings, name) is not None:
                check_count(name, getattr(settings, name))
        check_number("regularization", settings.regularization)
        if settings.evenness is not None:
            check_number("evenness", settings.evenness)

    def _memory(self, n: int, d: int) -> float:
        """Bytes of points and their neighbours, and of the assignments and gradients of a group of networks."""
        k = int(self.n_clusters or 1)
        settings = self.settings
        n_runs = int(settings.n_init) * len(settings.training.starts)
        n_runs = min(n_runs, max(1, GROUP_CELLS // max(1, n * k)))
        neighbors = 100.0 * n * _number_of_neighbors(settings, n)
        return 16.0 * n * d + neighbors + 4.0 * 10 * n * k * n_runs + 24.0 * GROUP_CELLS / 16

    def memory(self, graph: Graph) -> float:
        """See `VectorEstimator.memory`; adds the edges, in both directions and precisions."""
        return super().memory(graph) + 190.0 * graph.num_edges

    def _head_kind(self, graph: Graph) -> str:
        if self.settings.head != "auto":
            return str(self.settings.head)
        return "logits" if self._kind(graph) == "spectral" else "mlp"

    def _forget_networks(self, head_kind: str) -> None:
        self._fitted_head_kind = head_kind
        self._head, self._representatives, self._input_space, self._encoders = None, None, None, ()

    # ---------------------------------------------------------------- graphs

    def _fit_graph(self, graph: Graph) -> Solution:
        seed = check_seed(self.random_state)
        k, n = int(self.n_clusters), graph.num_nodes
        is_spectral = self._kind(graph) == "spectral"
        if not graph.num_edges and not is_spectral:
            return super()._fit_graph(graph)
        settings = self.settings
        uses_vectors = self._head_kind(graph) != "logits"
        self._forget_networks(self._head_kind(graph))
        vectors = None
        if uses_vectors and not is_spectral:
            vectors, _ = self._vectors(graph, seed)  # no notes, as the number of clusters is known
            self.n_features_in_ = vectors.shape[1]
            self._space = Space.fitted(vectors)
        if k in (1, n) or not graph.num_edges:
            solution = self._without_network(n, None if vectors is None else self._space.transform(vectors))
            if k in (1, n):
                return solution
            message = "the graph has no edges: made clusters of equal size, as all nodes are alike"
            return solution.with_notes((Note("no-edges", message),))
        cutter = Cutter(graph, k, settings.regularization, settings.evenness or 0.0)
        polish = settings.polish is None or settings.polish
        partitions = cutter.pieces(seed) if polish or "pieces" in settings.training.starts else []
        pieces = partitions[0] if partitions else None
        if uses_vectors and vectors is None:
            vectors, _ = self._vectors(graph, seed)  # no notes, as the number of clusters is known
            self._space = Space.fitted(vectors)
        trainer = self._trainer(settings, cutter, None if vectors is None else self._space.single(vectors))
        features = None if trainer.x is None or is_spectral else trainer.x.double().cpu().numpy()
        starts = _starts(settings, graph, cutter, partitions, features, seed)
        runs, best = self._train(trainer, starts, seed, pieces)
        assert best.labels is not None
        labels = best.labels
        details = _details(self._fitted_head_kind, best, starts, cutter)
        notes: tuple[Note, ...] = ()
        if polish:
            polished = []
            for run_labels in {run.labels.tobytes(): run.labels for run in runs if run.labels is not None}.values():
                nonempty, new_notes = exactly_k(run_labels, k, cutter.degree[:, None])
                polished.append(cutter.polished(nonempty, seed, pieces))
                notes += new_notes
            labels = min(polished, key=cutter.score)
            details["normalized_cut_polished"] = cutter.value(labels)
        labels, new_notes = exactly_k(labels, k, cutter.degree[:, None])
        self._rank_outputs(best.labels, labels)
        return Solution(labels, details=details, notes=notes + new_notes + self._uneven(labels, cutter))

    def _uneven(self, labels: IntArray, cutter: Cutter) -> tuple[Note, ...]:
        """Return a note if a cluster has nearly all of the volume."""
        share = float(np.bincount(labels, cutter.degree).max() / cutter.degree.sum())
        if share <= _UNEVEN or cutter.regularization:
            return ()
        message = (
            f"the largest cluster has {share:.0%} of the volume: the least normalized cut cuts off small pieces "
            "(regularization=1 gives larger ones)"
        )
        return (Note("uneven-clusters", message, {"share": share}),)

    # ---------------------------------------------------------------- tables

    def _fit_vectors(self, x: FloatArray, seed: int, *, embedded: bool = False) -> Solution:
        settings = self.settings
        if settings.head in ("logits", "gnn"):
            raise UsageError(f"head={settings.head!r} is for graphs with edges: points of a table have no neighbours")
        self._forget_networks("mlp")
        k, n = int(self.n_clusters), len(x)
        self._space = Space.fitted(x, scale=settings.scale)
        inside = self._space.single(x)
        self._unit = max(float(np.sqrt(np.square(inside).mean())), 1e-12)
        if k in (1, n):
            return self._without_network(n, inside)
        v, details = self._learn_space(inside, settings.training, seed)
        self._input_space = Space.fitted(v) if settings.training.standardize else Space.identity(v.shape[1])
        trainer = self._table_trainer(settings, v)
        cutter = trainer.cutter
        partitions = cutter.pieces(seed) if "pieces" in settings.training.starts else []
        starts = _starts(settings, cutter.graph, cutter, partitions, v, seed)
        _, best = self._train(trainer, starts, seed)
        assert best.labels is not None
        labels = best.labels
        details |= _details("mlp", best, starts, cutter)
        notes: tuple[Note, ...] = ()
        if settings.polish:
            labels, notes = exactly_k(labels, k, v)
            labels = cutter.polished(labels, seed)
            details["normalized_cut_polished"] = cutter.value(labels)
        labels, new_notes = exactly_k(labels, k, v)
        self._rank_outputs(best.labels, labels)
        return Solution(labels, details=details, notes=notes + new_notes)

    def _learn_space(self, inside: FloatArray, training: Training, seed: int) -> tuple[FloatArray, dict[str, Any]]:
        """Train the encoders, and return the points in their space and the losses."""
        import torch

        z = torch.as_tensor(inside / self._unit, dtype=torch.float32, device=self._torch_device())
        encoders: list[Encoder] = []
        details: dict[str, Any] = {}
        if training.autoencoder is not None:
            encoder = train_autoencoder(z, training.autoencoder, max_epochs=training.autoencoder_epochs, seed=seed)
            encoders.append(encoder)
            details["autoencoder_loss"] = encoder.loss
            z = encoder.encode(z)
        if training.siamese is not None:
            encoder = train_siamese(
                z,
                training.siamese,
                min(training.siamese_neighbors, len(z) - 1),
                n_steps=training.siamese_steps,
                loss=training.siamese_loss,
                batch_size=training.siamese_batch,
                noise=training.siamese_noise,
                decay=training.decay,
                keep_last=training.selection == "last",
                seed=seed,
            )
            encoders.append(encoder)
            details["siamese_loss"] = encoder.loss
            z = encoder.encode(z)
        for encoder in encoders:
            encoder.network.cpu()
        self._encoders = tuple(encoders)
        return z.double().cpu().numpy(), details

    def _table_trainer(self, settings: SimpleNamespace, v: FloatArray) -> Trainer:
        """Return what trains networks on points, shape (n, d), by the graph of their nearest neighbours."""
        assert self._input_space is not None
        k, n_neighbors = int(self.n_clusters), _number_of_neighbors(settings, len(v))
        near, distance = nearest_neighbors(v, n_neighbors, device=str(self._torch_device()))
        is_gaussian = settings.training.affinity == "gaussian"
        weight = gaussian_affinities(near, distance) if is_gaussian else unit_affinities(near)
        evenness = EVENNESS if settings.evenness is None else settings.evenness
        cutter = Cutter(graph_of(weight, directed=False), k, settings.regularization, evenness)
        return self._trainer(settings, cutter, self._input_space.transform(v), n_neighbors=n_neighbors, of_table=True)

    # ---------------------------------------------------------------- learning

    def _torch_device(self) -> torch.device:
        from graphclust.runtime.devices import device_named

        return device_named(self.device)

    def _trainer(self, settings: SimpleNamespace, cutter: Cutter, x: FloatArray | None, **options: Any) -> Trainer:
        import torch

        from graphclust.methods.cnc_training import Architecture, Trainer

        training, device = settings.training, self._torch_device()
        architecture = Architecture(self._fitted_head_kind, cutter.k, training.hidden, training.activation)
        tensor = None if x is None else torch.as_tensor(x, dtype=torch.float32, device=device)
        return Trainer(architecture, training, settings.max_epochs, cutter, tensor, device, **options)

    def _train(
        self, trainer: Trainer, starts: Sequence[Start], seed: int, pieces: IntArray | None = None
    ) -> tuple[list[Run], Run]:
        """Train networks, keep the best one for `predict`, and return all runs and the best."""
        from graphclust.methods.cnc_training import best_of

        runs = trainer.train(starts, seed, pieces)
        best = best_of(runs)
        self._head = trainer.head_of(best)
        return runs, best

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
            The network was trained on a graph without node features, or on other features.
        """
        points = self._points(X)
        with one_thread(len(points) * max((*self.settings.training.hidden, 1)) <= SMALL_LAYER):
            return self._assigned(points, X)

    def embed(self, X: Any) -> FloatArray:
        """Map points to the learned space, by the autoencoder if there is one and the Siamese network.

        Parameters
        ----------
        X : feature matrix of shape (n, d)

        Returns
        -------
        ndarray of float64, shape (n, size of the last layer)
            Points in the space in which affinities join nearest neighbours.

        Raises
        ------
        NotFittedError
        UsageError
            `fit` was given a graph, or as many clusters as points, and learned no space.
        """
        points = self._points(X)
        if self._input_space is None:
            raise UsageError("cnc has learned no space: it was fitted to a graph, or had nothing to learn")
        return self._embedded(self._space.transform(points))

    def _embedded(self, z: FloatArray) -> FloatArray:
        import torch

        v: Tensor = torch.as_tensor(z / self._unit, dtype=torch.float32)
        for encoder in self._encoders:
            v = encoder.encode(v)
        embedded: FloatArray = v.double().numpy()
        return embedded

    def _assigned(self, points: FloatArray, X: Any) -> IntArray:
        import torch

        from graphclust.methods.cnc_training import all_logits

        if self._head is None:
            return self._nearest_representative(self._space.transform(points))
        v = self._space.single(points)
        neighbors = None
        if self._fitted_head_kind == "gnn":
            if not holds_graph(X):
                raise UsageError("head='gnn' uses the neighbours of nodes: predict needs a graph")
            neighbors = affinity_of(joined(as_graph(X).undirected()), torch.device("cpu"))
        if self._input_space is not None:
            v = self._input_space.transform(self._embedded(v))
        with torch.no_grad():
            outputs = all_logits(self._head, torch.as_tensor(v, dtype=torch.float32), neighbors)[0].argmax(1).numpy()
        labels: IntArray = self._rank[outputs]
        return labels


def _number_of_neighbors(settings: SimpleNamespace, n: int) -> int:
    """Return the number of neighbours in the affinity graph of a table of n points."""
    low, high = _NEIGHBOR_RANGE
    n_neighbors = settings.n_neighbors or min(max(round(n * _NEIGHBOR_FRACTION), low), high)
    return max(1, min(n_neighbors, n - 1))


def _starts(
    settings: SimpleNamespace,
    graph: Graph,
    cutter: Cutter,
    partitions: Sequence[IntArray],
    vectors: FloatArray | None,
    seed: int,
) -> list[Start]:
    """Return the kind of start of each network and its initial clusters, which are None for random weights."""
    k, n_init = cutter.k, settings.n_init
    starts: list[Start] = []
    for kind in settings.training.starts:
        if kind == "spectral":
            embedding = spectral_embedding(graph.adjacency(), k, random_state=seed)
            starts += [(kind, kmeans(embedding, k, 1, seed + i)) for i in range(n_init)]
        elif kind == "pieces":
            starts += [(kind, cutter.merged(pieces)) for pieces in partitions[:n_init]]
        elif kind == "random":
            starts += [(kind, None)] * n_init
        elif vectors is not None:
            starts += [(kind, kmeans(vectors, k, 1, seed + i)) for i in range(n_init)]
    return starts or [("random", None)]


def _details(head_kind: str, best: Run, starts: Sequence[Start], cutter: Cutter) -> dict[str, Any]:
    """Return what is reported of the best network."""
    cuts = [cutter.value(labels) for _, labels in starts if labels is not None]
    return {
        "head": head_kind,
        "start": best.start,
        "normalized_cut_at_start": min(cuts, default=None),
        "normalized_cut_learned": best.cut,
        "expected_normalized_cut": best.expected_cut,
    }
