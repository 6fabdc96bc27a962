"""All families of random graphs by their names, and endless streams of batches of them.

The command line, training and studies look into `FAMILIES`. They also take families of the user's own
(`graphclust.generators.own`).
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.generators.batches import DenseBatch, from_graphs, from_plans, from_points, near_in_size
from graphclust.generators.lfr import lfr
from graphclust.generators.mixed import mixed
from graphclust.generators.mixtures import gaussian_mixture, gaussian_mixture_batch
from graphclust.generators.own import GivenGraphs, name_of, sampler_of
from graphclust.generators.pairs import community_pair, community_pair_batch, n_community_pairs
from graphclust.generators.sbm import (
    Plan,
    cluster,
    cluster_plan,
    dc_sbm,
    general_sbm,
    general_sbm_plan,
    log_degree_sbm,
    log_degree_sbm_plan,
    nested_sbm,
    nested_sbm_plan,
    planted_partition,
    planted_partition_plan,
    sbm,
    sbm_plan,
)
from graphclust.generators.spikes import spikes, spikes_batch
from graphclust.graph import Graph
from graphclust.runtime.registry import Registry
from graphclust.runtime.seeds import check_seed

__all__ = ["FAMILIES", "Family", "as_family", "graph_folder", "stream"]


@dataclass(frozen=True)
class Family:
    """A family of random graphs, or of sets of points.

    Attributes
    ----------
    sample : callable
        Draws one graph: keyword parameters with defaults, and `random_state`.
    plan : callable or None
        Draws only blocks and edge probabilities, from a Generator: what makes dense batches fast. None where a family
        is no stochastic block model.
    sizes : str or None
        The parameter with the range of sizes, for batches of graphs of one size.
    batch : callable or None
        Draws a batch at once, from a Generator, a number of graphs and `same_size`: where a family chooses from graphs
        of its own, or draws many faster than one by one.
    held_out : dict
        Parameters of the graphs that no training may use, where their seed alone does not set them apart.
    points : bool
        Whether its members are points with features `x` and no edges, whose batches have no adjacency.
    number : callable or None
        From the parameters, the number of different graphs, where a family has only so many.
    instead : dict of tuple to tuple
        Alternative parameters for studies: the parameters of each key replace those of its value.
    resolve : callable or None
        Converts the alternative parameters of `instead` to parameters of `sample`.
    densities : callable or None
        From the parameters of `sample` to n_nodes, n_clusters, p_in and p_out, where a family has equal blocks with two
        densities, whose thresholds of recovery are known (`graphclust.generators.sbm.recovery_ratios`).
    """

    sample: Callable[..., Graph]
    plan: Callable[..., Plan] | None = None
    sizes: str | None = None
    batch: Callable[..., DenseBatch] | None = None
    held_out: dict[str, Any] = field(default_factory=dict)
    points: bool = False
    number: Callable[..., int] | None = None
    instead: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    resolve: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    densities: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def sampled(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of `sample` for a study: by default, of graphs that no model was trained on."""
        chosen = self.held_out | dict(parameters)
        return chosen if self.resolve is None else self.resolve(chosen)

    def complete(self, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters of `sample`, with defaults for those that are not given.

        Raises
        ------
        UsageError
            There is no such parameter, or one without a default is missing; the family is called `name` there.
        """
        known = self.parameters()
        for key in parameters:
            if key not in known:
                raise UsageError(f"{name} has no parameter {key!r}; it has {', '.join(known)}")
        complete = {**known, **parameters}
        missing = [key for key, value in complete.items() if value is inspect.Parameter.empty]
        if missing:
            raise UsageError(f"{name} needs {' and '.join(missing)}")
        return complete

    def parameters(self) -> dict[str, Any]:
        """Names and defaults of the parameters of `sample`; `inspect.Parameter.empty` where there is none."""
        items = inspect.signature(self.sample).parameters.values()
        return {item.name: item.default for item in items if item.name != "random_state"}


def _from_degree_and_ratio(parameters: dict[str, Any]) -> dict[str, Any]:
    """From average degree c and ratio r of a planted partition, p_in = c / (n/K (1 + (K - 1) r) - 1)."""
    if "ratio" not in parameters:
        return parameters
    defaults = {name: item.default for name, item in inspect.signature(planted_partition).parameters.items()}
    n, k = ({**defaults, **parameters}[name] for name in ("n_nodes", "n_clusters"))
    others = {name: value for name, value in parameters.items() if name not in ("average_degree", "ratio")}
    p_in = parameters["average_degree"] / (n / k * (1 + (k - 1) * parameters["ratio"]) - 1)
    return others | {"n_nodes": n, "n_clusters": k, "p_in": p_in, "p_out": parameters["ratio"] * p_in}


def _log_degree_densities(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Densities of a log-degree block model: a and b times log(n) / n."""
    scale = np.log(parameters["n_nodes"]) / parameters["n_nodes"]
    return {**parameters, "p_in": parameters["a"] * scale, "p_out": parameters["b"] * scale}


def as_family(family: Any, name: str | None = None) -> Family:
    """Return a family for a function of the user's that draws graphs.

    Parameters
    ----------
    family : Family or callable
        A function draws one graph from its parameters and `random_state` or `seed`. It returns a `Graph` with `y`; or a
        graph and its labels, each in any form that graphclust takes; or a networkx graph whose attribute "partition"
        lists the communities, as those of the generators of networkx.
    name : str, optional
        What messages call it; by default the name of the function.

    Raises
    ------
    UsageError
        It is neither, or has no parameter for the seed.

    Examples
    --------
    >>> import networkx as nx
    >>> family = as_family(nx.planted_partition_graph)
    >>> family.sample(l=3, k=20, p_in=0.5, p_out=0.05, random_state=0).y.max()
    np.int64(2)
    """
    if isinstance(family, Family):
        return family
    if not callable(family):
        raise UsageError(f"a family is a name, a Family or a function, not {family!r:.60}")
    return Family(sampler_of(family, name))


@lru_cache(maxsize=4)
def graph_folder(folder: str) -> Family:
    """Return the labelled graphs in a folder as a family, which draws one of them.

    Each graph stands beside its labels, as `graphclust generate --count` writes them (graph-000000.edgelist and
    labels-000000.tsv), or as net.gml and net.labels.tsv; or the graph file has a node attribute with the labels. A
    fifth of the graphs is held out from training. Which ones depends only on their names.

    Raises
    ------
    DataError
        The folder has fewer than two graphs, or a graph without labels.
    """
    graphs = GivenGraphs.of_folder(folder)
    graphs.by_size("all")  # reads all of them: a file that is wrong should not end a training half-way

    def sample(*, split: str = "train", number: int | None = None, random_state: Any = None) -> Graph:
        """Draw one of the graphs.

        Parameters
        ----------
        split : {"train", "test", "all"}
            Which graphs to draw from.
        number : int, optional
            Number of the graph among them; by default it is drawn.
        random_state : int, Generator or None
        """
        chosen = graphs.part(split)
        if number is None:
            number = int(np.random.default_rng(check_seed(random_state)).integers(len(chosen)))
        graph: Graph = graphs[int(chosen[number])]
        return graph

    def batch(
        rng: np.random.Generator, batch_size: int, *, same_size: bool, split: str = "train", number: int | None = None
    ) -> DenseBatch:
        chosen = graphs.part(split)
        if number is not None:
            numbers = chosen[np.full(batch_size, number)]
        elif same_size:
            numbers = near_in_size(rng, graphs.by_size(split), batch_size)
        else:
            numbers = chosen[rng.integers(len(chosen), size=batch_size)]
        return from_graphs([graphs[int(i)] for i in numbers])

    return Family(
        sample,
        batch=batch,
        held_out={"split": "test"},
        number=lambda *, split="train", number=None: len(graphs.part(split)),
    )


class _Families(Registry[Family]):
    """The families by name; "graphs:FOLDER" is `graph_folder`."""

    def named(self, name: Any) -> Family:
        """See `Registry.named`."""
        if isinstance(name, str) and name.startswith("graphs:"):
            return graph_folder(os.path.realpath(name.removeprefix("graphs:")))
        return super().named(name)


# a new family is one file in generators/ and one line here
FAMILIES = _Families(
    "family",
    {
        "planted-partition": Family(
            planted_partition,
            planted_partition_plan,
            instead={("average_degree", "ratio"): ("p_in", "p_out")},
            resolve=_from_degree_and_ratio,
            densities=lambda parameters: parameters,
        ),
        "sbm": Family(sbm, sbm_plan),
        "general-sbm": Family(general_sbm, general_sbm_plan, sizes="n_nodes"),
        "log-degree-sbm": Family(log_degree_sbm, log_degree_sbm_plan, sizes="n_nodes", densities=_log_degree_densities),
        "nested-sbm": Family(nested_sbm, nested_sbm_plan, sizes="n_nodes"),
        "cluster": Family(cluster, cluster_plan),
        "dc-sbm": Family(dc_sbm),
        "lfr": Family(lfr),
        "mixed": Family(mixed, sizes="n_nodes"),
        "community-pairs": Family(
            community_pair,
            batch=community_pair_batch,
            held_out={"split": "test", "drop": 0.0},
            number=n_community_pairs,
        ),
        "gaussian-mixture": Family(gaussian_mixture, sizes="n", batch=gaussian_mixture_batch, points=True),
        "spikes": Family(spikes, sizes="n", batch=spikes_batch, points=True),
    },
    as_family,
)


def stream(
    family: Any,
    *,
    random_state: Any = 0,
    batch_size: int = 16,
    start: int = 0,
    same_size: bool = False,
    n_eigenvectors: int = 0,
    **parameters: Any,
) -> Iterator[DenseBatch]:
    """Yield batches of graphs without end.

    Every batch has a seed of its own: batch i is the same whatever came before it, so that training resumes anywhere.

    Parameters
    ----------
    family : str, Family or callable
        A key of `FAMILIES`, or a family of your own, see `as_family`; "graphs:FOLDER" is `graph_folder`.
    random_state : int, Generator or None
    batch_size : int
    start : int
        Number of the first batch.
    same_size : bool
        Whether the graphs of a batch have one number of nodes, or nearly one where they are chosen among given ones,
        drawn anew for each batch; else they are padded.
    n_eigenvectors : int
        Number of Laplacian eigenvectors to add as features; see `graphclust.nn.features.laplacian_features`.
    **parameters
        Parameters of the family.

    Returns
    -------
    iterator of DenseBatch

    Raises
    ------
    UsageError
        No such family or parameter; `same_size` for a family without a range of sizes; eigenvectors of points.

    Examples
    --------
    >>> batch = next(stream("general-sbm", random_state=1, batch_size=4, same_size=True))
    >>> len(batch), bool((batch.n_nodes == batch.n_nodes[0]).all())
    (4, True)
    """
    kind = FAMILIES.named(family)
    family = name_of(family)
    settings = kind.complete(family, parameters)
    draws_sizes = kind.batch is None or kind.sizes is not None
    if same_size and draws_sizes and not isinstance(settings.get(kind.sizes or ""), tuple):
        raise UsageError(f"same_size needs a range of sizes, but {family} has none or was given a single size")
    if kind.points and n_eigenvectors:
        raise UsageError(f"{family} draws points without edges, which have no Laplacian eigenvectors")
    if batch_size < 1:
        raise UsageError(f"batch_size must be a positive integer, not {batch_size!r}")
    return _batches(kind, settings, check_seed(random_state), batch_size, same_size, n_eigenvectors, start)


def _batches(
    kind: Family,
    settings: dict[str, Any],
    seed: int,
    batch_size: int,
    same_size: bool,
    n_eigenvectors: int,
    start: int,
) -> Iterator[DenseBatch]:
    number = start
    while True:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        batch = _batch(kind, rng, batch_size, settings, same_size)
        if n_eigenvectors and batch.adjacency is not None:
            from graphclust.nn.features import laplacian_features

            features = laplacian_features(batch.adjacency, batch.n_nodes, n_eigenvectors)
            batch = replace(batch, features=features)
        yield batch
        number += 1


def _batch(
    kind: Family, rng: np.random.Generator, batch_size: int, settings: dict[str, Any], same_size: bool
) -> DenseBatch:
    if kind.batch is not None:
        return kind.batch(rng, batch_size, same_size=same_size, **settings)
    if same_size and kind.sizes is not None:
        low, high = settings[kind.sizes]
        n = int(rng.integers(low, high + 1))
        settings = {**settings, kind.sizes: (n, n)}
    if kind.plan is not None:
        return from_plans(rng, [kind.plan(rng, **settings) for _ in range(batch_size)])
    pad = from_points if kind.points else from_graphs
    return pad([kind.sample(**settings, random_state=rng) for _ in range(batch_size)])
