"""Numbered batches of synthetic graphs, on which the clusterwise models are trained and evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch

from graphclust.errors import GraphclustError, UsageError, unknown
from graphclust.generators.batches import from_graphs
from graphclust.generators.families import FAMILIES, stream
from graphclust.generators.own import name_of
from graphclust.graph import Graph
from graphclust.models.build import ModelConfig
from graphclust.nn.batch import Batch
from graphclust.nn.encoders import POINT_ENCODERS
from graphclust.nn.features import input_features, laplacian_features
from graphclust.runtime.arrays import IntArray

__all__ = [
    "HELD_OUT",
    "TEST",
    "DataConfig",
    "SyntheticBatches",
    "batch_of_graphs",
    "first_batch",
    "held_out_batches",
    "n_given_features",
    "part",
]

HELD_OUT, TEST = 1_000_003, 2_000_003  # seeds of graphs on which no model may be trained

_EVALUATION_BATCH = 10


@dataclass(frozen=True)
class DataConfig:
    """The data on which a model is trained.

    Attributes
    ----------
    family : str, Family or callable
        Key of `graphclust.generators.FAMILIES`, or a family of your own (`graphclust.generators.families.as_family`);
        "graphs:FOLDER" is a folder of labelled graphs, a fifth of which is held out.
    parameters : dict
        Parameters of the family.
    batch_size : int
        Number of graphs per step, over all processes.
    same_size : bool
        Whether all graphs of a batch have the same number of nodes, which avoids padding.
    known_share : float
        Share of the graphs for which some labels are known.
    seed : int

    Raises
    ------
    UsageError
        The family or one of the parameters does not exist, or a number is out of range.

    Examples
    --------
    >>> DataConfig(parameters={"n_nodes": (50, 100)}).family
    'general-sbm'
    """

    family: Any = "general-sbm"
    parameters: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    same_size: bool = False
    known_share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        known = FAMILIES.named(self.family).parameters()
        for name in self.parameters:
            if name not in known:
                raise unknown(f"parameter of {self.family_name}", name, known)
        if self.batch_size < 1:
            raise UsageError(f"batch_size must be a positive integer, not {self.batch_size!r}")
        if not 0 <= self.known_share <= 1:
            raise UsageError(f"known_share must lie between 0 and 1, not {self.known_share!r}")

    @property
    def family_name(self) -> str:
        """What messages and checkpoints call the family."""
        return name_of(self.family)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary for JSON; the family is its name."""
        return {item.name: getattr(self, item.name) for item in fields(self)} | {"family": self.family_name}


class SyntheticBatches(torch.utils.data.Dataset[tuple[Batch, list[int]]]):
    """Numbered batches, as a map-style data set that worker processes can read.

    Parameters
    ----------
    model : ModelConfig
    data : DataConfig
    train : bool
        Whether to draw the signs of eigenvectors at random, and to give some labels to the model.
    share : (int, int)
        Rank of this process and number of processes, which share the graphs of a batch.

    Notes
    -----
    An item consists of the batch and a seed for each of its graphs.

    Raises
    ------
    UsageError
        Labels are known but the model takes none, there are more processes than graphs in a batch, or the family draws
        points but the encoder needs a graph.

    Examples
    --------
    >>> batches = SyntheticBatches(ModelConfig(), DataConfig(parameters={"n_nodes": (20, 30)}, batch_size=4))
    >>> batch, seeds = batches[7]
    >>> len(batch), len(seeds), batch.x.shape[-1]
    (4, 4, 20)
    """

    def __init__(
        self, model: ModelConfig, data: DataConfig, *, train: bool = True, share: tuple[int, int] = (0, 1)
    ) -> None:
        if data.known_share and not model.n_labels:
            raise UsageError("known_share needs a model with n_labels above 0")
        if share[1] > data.batch_size:
            raise UsageError(f"{share[1]} processes cannot share batches of {data.batch_size}")
        if FAMILIES.named(data.family).points and model.encoder not in POINT_ENCODERS:
            raise UsageError(
                f"{data.family_name} draws points, and the encoder {model.encoder} needs the edges of a graph: "
                f"choose the encoder {' or '.join(sorted(POINT_ENCODERS))}"
            )
        self.model, self.data, self.train, self.share = model, data, train, share

    def __getitem__(self, number: int) -> tuple[Batch, list[int]]:
        """Return batch `number` and the seeds of its graphs."""
        data, model = self.data, self.model
        drawn = next(
            stream(
                data.family,
                random_state=data.seed,
                batch_size=data.batch_size,
                start=number,
                same_size=data.same_size,
                n_eigenvectors=model.n_features if model.features == "laplacian" else 0,
                **data.parameters,
            )
        )
        rng = np.random.default_rng(np.random.SeedSequence(data.seed, spawn_key=(number, 1)))
        features = input_features(
            model.features, model.n_features, drawn.features, drawn.n_nodes, rng, train=self.train
        )
        seeds = rng.integers(2**62, size=len(drawn))
        batch = Batch.of(features, drawn.n_nodes, drawn.adjacency, drawn.labels)
        if model.n_labels and self.train:
            known = [_known_labels(labels, model.n_labels, data.known_share, rng) for labels in drawn.labels]
            batch = replace(batch, known=torch.as_tensor(np.stack(known)))
        rank, world = self.share
        return part(batch, slice(rank, None, world)), seeds[rank::world].tolist()

    def __len__(self) -> int:
        return 2**62


def part(batch: Batch, graphs: slice) -> Batch:
    """Return a part of the graphs of a batch."""
    return replace(batch, **{name: value[graphs] for name, value in vars(batch).items() if value is not None})


def batch_of_graphs(
    model: ModelConfig,
    graphs: Sequence[Graph],
    known_nodes: Sequence[IntArray] | None,
    rng: np.random.Generator,
) -> Batch:
    """Combine graphs with known classes in a padded batch, with the input features of a model, for its evaluation.

    Parameters
    ----------
    model : ModelConfig
    graphs : sequence of Graph
        Graphs with classes `y`; weights are dropped.
    known_nodes : sequence of ndarray of int64, or None
        Positions of the nodes of each graph whose labels are given to the model.
    rng : Generator
        Generator of random features.

    Returns
    -------
    Batch
    """
    dense = from_graphs(graphs)
    vectors = dense.features
    if model.features == "laplacian":
        assert dense.adjacency is not None
        vectors = laplacian_features(dense.adjacency, dense.n_nodes, model.n_features)
    features = input_features(model.features, model.n_features, vectors, dense.n_nodes, rng, train=False)
    batch = Batch.of(features, dense.n_nodes, dense.adjacency, dense.labels)
    if known_nodes is None:
        return batch
    known = np.zeros_like(dense.labels)
    for row, labels, nodes in zip(known, dense.labels, known_nodes, strict=True):
        row[nodes] = labels[nodes] + 1
    return replace(batch, known=torch.as_tensor(known))


def _known_labels(labels: IntArray, n_labels: int, share: float, rng: np.random.Generator) -> IntArray:
    """Choose the nodes whose labels are known; return 1 + a random name of their cluster, and 0 for the others.

    With probability `share`, one node of each cluster or a random share of all nodes is known; otherwise none.
    """
    known = np.zeros_like(labels)
    n_clusters = int(labels.max(initial=-1)) + 1
    if rng.random() >= share or n_clusters > n_labels:
        return known
    names = rng.permutation(n_labels)[:n_clusters] + 1
    order = rng.permutation(np.flatnonzero(labels >= 0))
    if rng.random() < 0.5:
        chosen = order[np.unique(labels[order], return_index=True)[1]]
    else:
        chosen = order[: int(rng.random() * 0.3 * len(order))]
    known[chosen] = names[labels[chosen]]
    return known


def held_out_batches(
    model: ModelConfig, data: DataConfig, n_graphs: int, seed: int = HELD_OUT, size: int = _EVALUATION_BATCH
) -> list[tuple[Batch, list[int]]]:
    """Draw batches of `size` graphs that no model is trained on, the same for all trainings, without known labels.

    If a family has fewer than `n_graphs` held-out graphs, all of them are drawn.
    """
    family = FAMILIES.named(data.family)
    parameters = data.parameters | family.held_out
    if family.number is not None:
        n_graphs = min(n_graphs, family.number(**parameters))
    held_out = replace(data, parameters=parameters, batch_size=size, same_size=False, known_share=0.0, seed=seed)
    batches = SyntheticBatches(model, held_out, train=False)
    drawn = [batches[i] for i in range(-(-n_graphs // size))]
    batch, seeds = drawn[-1]
    left = n_graphs - size * (len(drawn) - 1)
    drawn[-1] = part(batch, slice(left)), seeds[:left]
    return drawn


def first_batch(batches: SyntheticBatches) -> None:
    """Draw a batch, so that errors of the family are raised before the training starts."""
    with _usage_errors(batches.data):
        _ = batches[0]


def n_given_features(data: DataConfig) -> int | None:
    """Return the number of features that the family draws for each node; None if it draws none.

    Raises
    ------
    UsageError
        The family cannot be drawn with its parameters.

    Examples
    --------
    >>> n_given_features(DataConfig("gaussian-mixture", {"n": 9, "dimension": 3})), n_given_features(DataConfig())
    (3, None)
    """
    with _usage_errors(data):
        features = next(stream(data.family, random_state=data.seed, batch_size=1, **data.parameters)).features
    return None if features is None else features.shape[-1]


@contextmanager
def _usage_errors(data: DataConfig) -> Iterator[None]:
    """Turn the errors that a family raises for parameters of the wrong type into a UsageError."""
    try:
        yield
    except GraphclustError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        parameters = ", ".join(f"{name}={value!r}" for name, value in data.parameters.items())
        defaults = FAMILIES.named(data.family).parameters()
        default = ", ".join(f"{name}={defaults[name]!r}" for name in data.parameters)
        raise UsageError(f"{data.family_name} cannot be drawn with {parameters}; the default is {default}") from error
