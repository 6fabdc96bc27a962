"""The amortized methods as estimators: a trained model gives the posterior over the partitions of a graph."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import UsageError
from graphclust.graph import Graph, holds_points
from graphclust.inputs import as_graph
from graphclust.methods.base import GraphEstimator
from graphclust.methods.points import checked_table, feature_matrix, points_graph
from graphclust.problem.constraints import (
    check_known,
    edge_counts,
    strengths,
)
from graphclust.problem.problem import Core, only_points
from graphclust.problem.solution import Solution
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import one_thread

if TYPE_CHECKING:
    from graphclust.models.build import ModelConfig
    from graphclust.nn.batch import Batch
    from graphclust.training.checkpoints import CheckpointInfo

__all__ = ["ACP", "ACPS", "CCP", "NCP"]

_BYTES_PER_PAIR = 64  # per pair of nodes: the adjacency, similarities and attention weights of an encoder
_BYTES_FIXED = 1 << 29  # samples are drawn in chunks of this size
_BYTES_PER_LABEL = 64  # per node and sample: the label, its random numbers, and copies
_SMALL = 1000  # nodes up to which a second thread does not help


def _has_edge_columns(table: Any) -> bool:
    """Return whether the columns of a data frame have the names of a list of edges, such as source and target."""
    from graphclust.graph.column_names import edge_columns

    return edge_columns([str(name) for name in getattr(table, "columns", ())]) is not None


class _Amortized(GraphEstimator):
    """The posterior over the partitions of graphs or points, by ACP, ACP-S, CCP or NCP.

    `fit` takes any input of `graphclust.inputs.as_graph`, or points: a data frame or a rectangular array with one row
    per point. A square array is an adjacency matrix, and an integer array with two rows or columns is a list of edges;
    pass points of such a shape as the features `x` of a `Graph` without edges. As in training, points are centred and
    all columns are scaled by the same factor to variance 1, so that columns should have the same unit.

    The models were trained on unweighted graphs. A weight is replaced by min(1, weight / w), where w is the mean of the
    weights after the highest twentieth of them are lowered to the next highest weight. Equal weights therefore have no
    effect, and a few heavy edges do not hide the others. Self-loops are ignored. Each isolated node is a community of
    its own, and a community never spans two components.

    Parameters
    ----------
    checkpoint : str or path, optional
        A name listed by `graphclust models`, or a file. By default the model with the name of the method, and for
        points the model METHOD-mixture.
    n_samples : int
        Number of partitions to draw.
    sample : {"posterior", "map"}
        "posterior": draws from the posterior. The result is chosen among them and further "map" samples, as many as
        `n_samples` but at most 16. "map": the most probable partition from random anchors, one per sample; distinct
        partitions are weighted by their estimated probabilities.
    estimate : {"map", "vi", "ami"}
        Which of these partitions is the result. "map": the one with the highest estimated probability, as in the paper.
        "vi" and "ami": the one nearest to the posterior, by the expected variation of information or adjusted mutual
        information. If the posterior is wide, the most probable partition often has too few communities. With known
        labels, "vi" and "ami" give a node of a labelled community the label that most samples give it
        (`Posterior.labelled`).
    known : mapping or Series, optional
        Labels of some nodes, by the caller's ids; None, NaN and "" mean that a label is unknown. Nodes with equal
        labels are in the same community, nodes with different labels are not, and the model uses these labels when it
        places the other nodes.
    n_anchors, n_z : int
        T and M of eq. (33), the estimate of the probability of a partition. M = 0 uses the mean of z.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}

    Attributes
    ----------
    posterior_ : Posterior
        `log_prob` is the estimate of eq. (33) without the probabilities of the anchors. It is the probability of the
        partition, not that of its clusters in a certain order, and does not depend on the order if the model is
        exchangeable; clusters that are common in the samples come first. Samples that span several components are
        split there after they are drawn. In this case `log_prob` sums over the distinct samples that became the
        partition.
    info_ : CheckpointInfo
    n_features_in_ : int
    feature_names_in_ : ndarray of object
        Set if `fit` is called with a data frame of points with column names.
    """

    takes_features: ClassVar[bool] = True
    _terms: ClassVar[tuple[tuple[str, int], ...]] = (("n_anchors", 1), ("n_z", 0))  # and their minimum

    needs: ClassVar[tuple[str, ...]] = ("graphclust.models.sampler", "graphclust.models.build", "safetensors.torch")

    def __init__(
        self,
        checkpoint: Any = None,
        n_samples: int = 64,
        sample: str = "posterior",
        known: Mapping[Hashable, Any] | None = None,
        n_anchors: int = 10,
        n_z: int = 0,
        random_state: Any = None,
        device: str = "auto",
        estimate: str = "ami",
    ) -> None:
        self.checkpoint = checkpoint
        self.n_samples = n_samples
        self.sample = sample
        self.known = known
        self.n_anchors = n_anchors
        self.n_z = n_z
        self.random_state = random_state
        self.device = device
        self.estimate = estimate

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw samples from the posterior over the partitions of a graph or of points.

        Parameters
        ----------
        X : array or data frame of shape (n, d), or a graph as of `graphclust.detect`
            The description of the class explains how an array is read.
        y : ignored

        Raises
        ------
        UsageError
            A parameter is out of range; the model is one of graphs and the input is points, or the reverse; the model
            has another dimension than the points; or there is no model of points.
        DataError
            `X` is not a graph.
        ValueError
            `X` is a table with missing or infinite numbers (raised by scikit-learn).
        ResourceError
            The fit would need more memory than is available.
        """
        super().fit(X)
        shape: tuple[Any, ...] = getattr(X, "shape", ())
        if self.graph_.num_edges and len(shape) == 2 and shape[0] not in (shape[1], 2) and not _has_edge_columns(X):
            message = f"read the {shape[0]:,} rows as edges: if they are points, pass them as floats"
            self.notes_.append(Note("rows-as-edges", message, {"n_rows": shape[0]}))
        return self

    def _input(self, X: Any) -> tuple[Graph, bool]:
        if holds_points(X):
            return points_graph(checked_table(self, X, reset=True)), True
        return as_graph(X), False

    def _groups_by_features(self, graph: Graph) -> bool:
        return only_points(graph)

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: bytes per pair of nodes, bytes per label of each sample, and a constant."""
        n = float(graph.num_nodes)
        return _BYTES_PER_PAIR * n**2 + _BYTES_PER_LABEL * n * self.n_samples + (_BYTES_FIXED if n > _SMALL else 0)

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        from graphclust.training.checkpoints import read_info

        super().check_params()
        for name, low in (("n_samples", 1), *self._terms):
            check_count(name, getattr(self, name), low)
        if self.sample not in ("posterior", "map"):
            raise UsageError(f"sample is posterior or map, not {self.sample!r}")
        if self.estimate not in ("map", "vi", "ami"):
            raise UsageError(f"estimate is map, vi or ami, not {self.estimate!r}")
        check_known(self.known)
        info = read_info(self._source)
        if info.model["model"] != self.name:
            raise UsageError(
                f"the checkpoint {self.checkpoint} is a model of {info.model['model']}, not of {self.name}"
            )

    def checkpoints(self) -> tuple[Any, ...]:
        """See `GraphEstimator.checkpoints`."""
        return (self._source,)

    @property
    def _source(self) -> Any:
        return self.name if self.checkpoint is None else self.checkpoint

    def _source_for(self, graph: Graph) -> Any:
        """Return the checkpoint for a graph or points."""
        from graphclust.training.checkpoints import shipped

        if self.checkpoint is not None or not only_points(graph):
            return self._source
        name = f"{self.name}-mixture"
        if name not in shipped():
            raise UsageError(
                f"there is no model of points for {self.name}: {self._how_to_train(graph)} and pass it as checkpoint"
            )
        return name

    def _how_to_train(self, points: Graph) -> str:
        d = feature_matrix(points.x).shape[1]
        return (
            f"train one with `graphclust train {self.name} --family gaussian-mixture --set dimension={d} "
            "--set n=50:200 --set concentration=0.5:2.0 --set prior_std=3.0:15.0 "
            f"--encoder point-transformer --features standardised --n-features {d} --out FILE.safetensors`"
        )

    def _check(self, graph: Graph) -> None:
        super()._check(graph)
        if graph.num_nodes:
            from graphclust.training.checkpoints import read_info

            source = self._source_for(graph)
            self._check_kind(graph, source, read_info(source).config)

    def _check_kind(self, graph: Graph, source: Any, config: ModelConfig) -> None:
        """Refuse a graph for a model of points, points for a model of graphs, and points of a wrong dimension."""
        from graphclust.nn.encoders import POINT_ENCODERS

        if config.encoder not in POINT_ENCODERS:
            if only_points(graph):
                raise UsageError(
                    f"the checkpoint {source} is a model of graphs, but the input is points without edges: omit "
                    f"checkpoint, or {self._how_to_train(graph)}"
                )
            return
        if graph.num_edges:
            raise UsageError(
                f"the checkpoint {source} is a model of points, but the graph has edges: omit checkpoint, or pass "
                "the points without edges"
            )
        if graph.x is None:
            raise UsageError(f"the checkpoint {source} is a model of points, but the nodes have no features")
        dimension = feature_matrix(graph.x).shape[1]
        if dimension != config.n_features:
            raise UsageError(
                f"the checkpoint {source} takes {config.n_features} features per point, but there are {dimension}: "
                f"reduce them to {config.n_features}, for example by PCA, or {self._how_to_train(graph)}"
            )

    def _empty_solution(self) -> Solution:
        from graphclust.training.checkpoints import read_info

        self.info_ = read_info(self._source)
        empty = np.empty(0, dtype=np.int64)
        return Solution(empty, empty.astype(np.float64), Posterior(empty[None], np.zeros(1)))

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        from graphclust.training.checkpoints import load_checkpoint

        seed = check_seed(self.random_state)
        graph, known = core.graph, core.known
        model, info = load_checkpoint(self._source_for(graph))
        self.info_ = info
        points = only_points(graph)
        places = np.arange(graph.num_nodes) if points else np.flatnonzero(edge_counts(graph) > 0)
        samples, log_prob, drawn = np.arange(graph.num_nodes)[None], np.zeros(1), np.ones(1, dtype=bool)
        notes: list[Note] = []
        if len(places):
            notes += _range_notes(info.n_nodes, len(places), "points" if points else "nodes with edges", points)
            notes += _label_notes(known, info)
            ranks, log_prob, drawn = self._draw(model, graph, places, known, info, seed)
            samples = np.tile(graph.num_nodes + samples, (len(ranks), 1))
            samples[:, places] = ranks
        if not points:
            samples, log_prob = core.cut(samples, log_prob)
        candidates = Posterior(samples, log_prob, weighting="log_prob")
        posterior = candidates if self.sample == "map" else Posterior(samples[drawn], log_prob[drawn])
        labelled = [] if known is None else np.flatnonzero(known).tolist()
        if self.estimate == "map":
            labels = candidates.point_estimate("map")
        else:
            labels = posterior.point_estimate(self.estimate, candidates.samples)
            labels = posterior.labelled(labels, labelled)
        number = int(labels.max()) + 1
        if number > info.n_clusters[1] and len(places) == graph.num_nodes:  # isolated nodes are not counted
            notes += _range_notes(info.n_clusters, number, "clusters" if points else "communities", points)
        return Solution(labels, posterior.confidence(labels, labelled), posterior, notes=tuple(notes))

    def _draw(
        self, model: Any, graph: Graph, places: IntArray, known: IntArray | None, info: CheckpointInfo, seed: int
    ) -> tuple[IntArray, FloatArray, Any]:
        """Return partitions of the nodes at `places`, their log-probabilities, and which are draws of the posterior."""
        import torch

        from graphclust.models.sampler import draw
        from graphclust.runtime.devices import device_named

        device = device_named(self.device)
        if device.type != "cpu":
            import copy

            model = copy.deepcopy(model).to(device)
        batch = self._batch(graph, places, info, seed)
        if known is not None:
            batch = replace(batch, known=torch.as_tensor(known[places])[None])
        generator = torch.Generator().manual_seed(seed)
        with task(f"drawing {self.n_samples} partitions"), one_thread(len(places) <= _SMALL):
            ranks, log_prob, drawn = draw(
                model, batch.to(device), self.n_samples, self.sample, generator, *self._number_of_terms()
            )
        return ranks.cpu().numpy(), log_prob.double().cpu().numpy(), drawn.numpy()

    def _number_of_terms(self) -> tuple[int, int]:
        """Return n_anchors and n_z of `graphclust.models.sampler.log_probability`."""
        return self.n_anchors, self.n_z

    def _batch(self, graph: Graph, places: IntArray, info: CheckpointInfo, seed: int) -> Batch:
        import torch

        from graphclust.nn.batch import Batch
        from graphclust.nn.encoders import POINT_ENCODERS
        from graphclust.nn.features import input_features, laplacian_eigenvectors

        config = info.config
        n = len(places)
        part = graph.subgraph(places).without_self_loops()
        strength = strengths(part.edge_weight)
        vectors: NDArray[np.floating[Any]] | None = None
        if config.features == "laplacian":
            scaled = Graph.from_edges(part.source, part.target, strength, nodes=n)
            vectors = laplacian_eigenvectors(scaled, config.n_features)[None]
        elif config.features in ("given", "standardised"):
            vectors = None if part.x is None else feature_matrix(part.x)[None]
        n_nodes = np.array([n])
        rng = np.random.default_rng(seed)
        features = input_features(config.features, config.n_features, vectors, n_nodes, rng, train=False)
        inside = torch.ones(1, n, dtype=torch.bool)
        if config.encoder in POINT_ENCODERS:
            return Batch(torch.as_tensor(features), inside)
        adjacency = np.zeros((1, n, n), dtype=np.float32)
        adjacency[0, part.source, part.target] = adjacency[0, part.target, part.source] = strength
        return Batch(torch.as_tensor(features), inside, torch.from_numpy(adjacency))


def _range_notes(trained: tuple[int, int], number: int, what: str, points: bool) -> Iterator[Note]:
    """Yield a note if a number is outside the range of the model's training data."""
    low, high = trained
    if not low <= number <= high:
        examples = "sets of points" if points else "graphs"
        message = (
            f"outside the trained range: {number:,} {what}, but the model was trained on {examples} with {low:,} to "
            f"{high:,}; the probabilities may be wrong"
        )
        yield Note("outside-trained-range", message, {"what": what, "number": number, "trained": list(trained)})


def _label_notes(known: IntArray | None, info: CheckpointInfo) -> Iterator[Note]:
    """Yield a note if a model ignores some or all of the known labels."""
    if known is None:
        return
    n_read, n_labels = info.config.n_labels, int(known.max())
    if not n_read:
        message = "the model was trained without known labels: they constrain the samples, but do not inform the model"
        yield Note("labels-not-trained", message)
    elif n_labels > n_read:
        message = f"the model uses only {n_read} of {n_labels} known labels"
        yield Note("too-many-labels", message, {"n_read": n_read, "n_labels": n_labels})


class ACP(_Amortized):
    """Attentive Clustering Process: posterior over partitions by a network trained on synthetic graphs."""

    __doc__ = f"{__doc__}\n{_Amortized.__doc__}"
    name = "acp"
    summary = "a trained network samples partitions with any number of communities from the posterior"
    source = "Pakman, Wang, Lee, Basu, Lee, Teh & Paninski, Attentive Clustering Processes, 2020"


class ACPS(_Amortized):
    """ACP-S: ACP with an attention that does not depend on the anchor."""

    __doc__ = f"{__doc__}\n{_Amortized.__doc__}"
    name = "acp-s"
    summary = "a faster variant of acp with simpler attention"
    source = ACP.source


class CCP(_Amortized):
    """Clusterwise Clustering Process: ACP with sums instead of attention."""

    __doc__ = f"{__doc__}\n{_Amortized.__doc__}"
    name = "ccp"
    summary = "acp with sums instead of attention: the fastest of the three"
    source = "Pakman, Wang, Mitelut, Lee & Paninski, Neural Clustering Processes, ICML 2020"


class NCP(_Amortized):
    """Neural Clustering Process: partitions are drawn node by node instead of cluster by cluster.

    A sample takes as many steps as there are nodes. `n_orders` replaces `n_anchors` and `n_z`: it is the number of
    random orders of the nodes over which the probability of a partition is averaged.
    """

    __doc__ = f"{__doc__}\n{_Amortized.__doc__}"
    name = "ncp"
    summary = "the sequential baseline of acp: node by node, one network evaluation per node"
    is_baseline = True
    source = CCP.source
    _terms = (("n_orders", 1),)

    def __init__(
        self,
        checkpoint: Any = None,
        n_samples: int = 64,
        sample: str = "posterior",
        known: Mapping[Hashable, Any] | None = None,
        n_orders: int = 10,
        random_state: Any = None,
        device: str = "auto",
        estimate: str = "ami",
    ) -> None:
        super().__init__(
            checkpoint, n_samples, sample, known, random_state=random_state, device=device, estimate=estimate
        )
        self.n_orders = n_orders

    def _number_of_terms(self) -> tuple[int, int]:
        return self.n_orders, 0
