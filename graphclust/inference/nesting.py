"""The hierarchy of groups with the shortest description under the nested block models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphclust.inference import MOST_AGGLOMERATED, NESTED_MODELS
from graphclust.inference.description_length import describe
from graphclust.inference.group_search import GroupSearch, Multigraph, TreeModel, announce_group_tree, single_nodes
from graphclust.inference.target import Target
from graphclust.metrics import numbered
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task

__all__ = ["nested"]

_ROUNDS = {"low": 3, "normal": 30, "high": 200}
_ROUNDS_IF_LARGE = {"low": 1, "normal": 3, "high": 30}
_N_POLISHED = {"low": 1, "normal": 1, "high": 4}  # hierarchies that are improved, and more of small graphs
_NODES_POLISHED = 10_000  # of all hierarchies together that are improved
_PROMISING = 1.02  # times the shortest description, of models whose hierarchies are improved
_STEPS_BEYOND = (0, 2, 4)  # of the agglomeration, before its shortest description: a hierarchy affords more groups


def nested(
    core: Core,
    starts: Mapping[str, ArrayLike],
    models: tuple[str, ...] = tuple(NESTED_MODELS),
    *,
    effort: str = "normal",
    seed: int = 0,
    weight_model: str | None = None,
) -> Solution:
    """Find the hierarchy with the shortest description.

    The groups of each start get levels above them. The best hierarchy is improved on all levels, and its upper levels
    are built anew, until neither helps.

    Parameters
    ----------
    core : Core
        Self-loops are ignored, and directions if it has two sides.
    starts : mapping of str to arrays of int, shape (n_nodes,)
        Partitions, by their origin. On graphs of up to 20,000 nodes, those of an agglomeration are added.
    models : tuple of {"dc-sbm", "sbm"}
        The one with the shorter description is chosen. Of more than 20,000 nodes, only the first is tried.
    effort : {"low", "normal", "high"}
        How long the best hierarchies are improved, and how many of them.
    seed : int
    weight_model : str, optional
        What weights are; see `graphclust.inference.edge_weights`. By default, whole numbers are numbers of parallel
        edges, and others are exponential.

    Returns
    -------
    Solution
        Labels are those of the finest level, and confidence is conditional on all other nodes. `details` holds the
        model, the start, the description length and the numbers of groups.

    Raises
    ------
    UsageError
        Weights that the model of weights is not for.
    """
    announce_group_tree()
    target = Target(core, weight_model)
    graph = target.multigraph()
    multigraph = Multigraph.of(graph, weight_model)
    weights = None if multigraph.weight_model is None else multigraph.weight_model.name
    if target.n_nodes > MOST_AGGLOMERATED:
        models = models[:1]
    partitions = {name: target.restricted(labels) for name, labels in starts.items()}
    is_fixed = None if target.known is None else target.known > 0
    searches: dict[str, _Hierarchies] = {}
    lengths: dict[str, float] = {}

    def length(model: str) -> float:
        levels = searches[model].search.labels()
        return describe(graph, levels, model, sides=target.sides, weight_model=weights).total

    with task("nesting", total=2 * len(models)) as advance:
        for model in models:
            tree_model = TreeModel.of(model, is_nested=True, sides=target.sides, is_fixed=is_fixed)
            searches[model] = _Hierarchies(multigraph, tree_model, target, partitions, seed)
            lengths[model] = describe(
                graph, searches[model].search.labels(), model, sides=target.sides, weight_model=weights
            ).total
            advance()
        for model in models:
            if lengths[model] <= _PROMISING * min(lengths.values()):
                searches[model].polish(effort)
                lengths[model] = describe(
                    graph, searches[model].search.labels(), model, sides=target.sides, weight_model=weights
                ).total
            advance()
    model = min(lengths, key=lambda name: lengths[name])
    levels = searches[model].search.labels()
    details: dict[str, Any] = {
        "model": model,
        "start": searches[model].start,
        "description_length": round(lengths[model], 3),
        "levels": [int(level.max()) + 1 for level in levels],
        "description_lengths": {name: round(length, 3) for name, length in lengths.items()},
    }
    if weights is not None:
        details["weight_model"] = weights
    solution = Solution(levels[0], searches[model].search.conditional(), None, details, levels=tuple(levels))
    return solution.with_notes((_chosen(details), *target.dropped_directions(described=True)))


class _Hierarchies:
    """Hierarchies above several partitions, the best one first.

    Attributes
    ----------
    search : GroupSearch
        Its tree is the best hierarchy.
    start : str
        Origin of its finest level.
    """

    def __init__(
        self, graph: Multigraph, model: TreeModel, target: Target, starts: dict[str, IntArray], seed: int
    ) -> None:
        sides = np.zeros(graph.n_nodes, np.int64) if model.sides is None else model.sides
        self.search = GroupSearch(graph, [sides], model, seed)
        if graph.n_nodes <= MOST_AGGLOMERATED:
            starts = starts | _agglomerated(graph, model, target, seed)
        distinct = {numbered(labels).tobytes(): (name, numbered(labels)) for name, labels in starts.items()}
        self._rows = []
        for name, groups in distinct.values():
            self.search.build([groups])
            self._rows.append((self.search.nest(), name, self.search.parents()))
        self._choose()

    def _choose(self) -> None:
        self._rows.sort(key=lambda row: row[0])
        _, self.start, parents = self._rows[0]
        self.search.build(parents)

    def polish(self, effort: str) -> None:
        """Improve the best hierarchies."""
        is_large = self.search.graph.n_nodes > MOST_AGGLOMERATED
        rounds = (_ROUNDS_IF_LARGE if is_large else _ROUNDS)[effort]
        n_polished = max(_N_POLISHED[effort], _NODES_POLISHED // self.search.graph.n_nodes)
        for row, (_, name, parents) in enumerate(self._rows[:n_polished]):
            self.search.build(parents)
            self._rows[row] = _polished(self.search, rounds), name, self.search.parents()
        self._choose()


def _polished(search: GroupSearch, rounds: int) -> float:
    """Improve a hierarchy, and build its upper levels anew while this helps; return its length up to a constant."""
    length = search.polish(rounds)
    while True:
        parents = search.parents()
        if search.nest() > length - 1e-3:
            search.build(parents)
            return length
        length = search.polish(rounds)


def _agglomerated(graph: Multigraph, model: TreeModel, target: Target, seed: int) -> dict[str, IntArray]:
    """Return partitions around the shortest flat description, among those that agglomeration passes."""
    first = single_nodes(graph.n_nodes, target.known)
    search = GroupSearch(graph, [first], model._replace(is_nested=False), seed)
    trace = search.agglomerate()
    best = min(range(len(trace)), key=lambda step: trace[step][0])
    steps = sorted({max(best - beyond, 0) for beyond in _STEPS_BEYOND})
    partitions = {f"agglomeration into {int(trace[step][1][0].max()) + 1}": trace[step][1][0] for step in steps}
    search.build(trace[best][1])
    search.polish()
    return partitions | {"the best without a hierarchy": search.labels()[0]}


def _chosen(details: Mapping[str, Any]) -> Note:
    model, length = details["model"], details["description_length"]
    sizes = " in ".join(f"{size:,}" for size in details["levels"])
    message = f"chose {sizes} groups under {NESTED_MODELS[model]}: description length {length:,.1f} nats"
    others = {name: value for name, value in details["description_lengths"].items() if name != model}
    if others:
        message += f" ({', '.join(f'{name} {value:,.1f}' for name, value in others.items())})"
    return Note("chosen", message, dict(details), is_detail=True)
