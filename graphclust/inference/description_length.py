r"""Description lengths of partitions under the block models of the literature, in nats.

A description length is minus the logarithm of the joint probability of a graph and a partition. All models here are
microcanonical: their parameters are whole numbers that the partition determines (how many edges run between two groups,
the degree of each node), and each has a prior. Parallel edges and self-loops are allowed, and weights are numbers of
parallel edges. The probabilities of all graphs with N nodes and E edges and all their partitions add up to one.

The numbers are those of graph-tool's `entropy()`, but for one detail: its table of q(m, n) (see below) leaves some sums
out, and its degrees are up to a few nats shorter. With the same table, both agree to rounding errors.

Notation: N nodes and E edges in B groups of n_r nodes; e_rs edges between groups r and s, twice their number if r = s;
e_r the sum over s, and k_i the degrees. ((n, m)) is the number of ways to choose m of n things with repetition,
binom(n + m - 1, m), and (2 m)!! is 2^m m!. The probabilities of the parts are:

partition
    :math:`\prod_r n_r! / N! \; \binom{N - 1}{B - 1}^{-1} N^{-1}`: a number of groups, their sizes, and who is in them.
edge counts
    :math:`((B (B + 1) / 2, E))^{-1}`: all e_rs are equally likely.
edge counts, nested
    The groups are nodes of a multigraph, which is described by its own partition into upper groups, then
    :math:`\prod_{r<s} ((n_r n_s, e_{rs}))^{-1} \prod_r ((n_r (n_r + 1) / 2, e_{rr} / 2))^{-1}`, and so on up to a level
    with one group.
degrees
    :math:`\prod_r \prod_k n^r_k! / (n_r! \, q(e_r, n_r))`, with :math:`n^r_k` the number of nodes of degree k in group
    r, and q(m, n) the number of ways to write m as a sum of at most n positive whole numbers.
graph, ``sbm``
    :math:`\prod_{r<s} e_{rs}! \prod_r e_{rr}!! \, / \, (\prod_r n_r^{e_r} \prod_{i<j} A_{ij}! \prod_i A_{ii}!!)`
graph, ``dc-sbm``
    :math:`\prod_{r<s} e_{rs}! \prod_r e_{rr}!! \prod_i k_i! / (\prod_r e_r! \prod_{i<j} A_{ij}! \prod_i A_{ii}!!)`

In directed graphs e_rs counts the edges from r to s, there are B^2 pairs of groups, and degrees to and from nodes are
described one after the other. In two-mode graphs no group has nodes of both sides, but for the single group above a
hierarchy, and the partition of each side is described by itself.

The planted partition of Zhang & Peixoto (2020), ``assortative``, has :math:`e_{in}` edges within groups and
:math:`e_{out}` between them. One of these numbers costs log(E + 1), if there is more than one group. Those between
groups fall into each of :math:`B (B - 1) / 2` pairs with the same probability; all ways to share out those within are
equally likely, or they fall into each group with the same probability (``assortative-uniform``). Given these numbers,
edges are placed by degree as in ``dc-sbm``.

``planted``, the model of `graphclust.inference.block_models` whose communities keep the same share of their edges, is
described in the same terms: partition, and number of edges within, as above; the degrees as those of one group; and the
graph as under ``dc-sbm`` with one group, plus the difference that communities make in

    :math:`e_{in} \log E + e_{out} \log \sum_{r<s} e_r e_s + \sum_r e_{rr} / 2 \, \log e_r
    - \log e_{in}! \, e_{out}!`.

One group therefore has the same description under both models. As said there, ``planted`` is normalised approximately.

Sources: Peixoto, "Nonparametric Bayesian inference of the microcanonical stochastic block model", Physical Review E 95,
2017, for all but the last; Zhang & Peixoto, "Statistical inference of assortative community structures", Physical
Review Research 2, 2020.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, spence

from graphclust.errors import UsageError, unknown
from graphclust.graph import Graph
from graphclust.inference.edge_weights import WeightModel
from graphclust.metrics.labels import numbered, parents
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["MODELS", "Description", "counted_partitions", "describe", "log_partitions", "partition_curves"]

MODELS = ("sbm", "dc-sbm", "assortative", "assortative-uniform", "planted")
_MOST_EXACT = 20_000  # the largest number whose partitions are counted one by one


@dataclass(frozen=True)
class Description:
    """The parts of a description length, in nats.

    Attributes
    ----------
    partition : float
        Of the nodes into groups.
    edge_counts : float
        The number of edges between each pair of groups, or on each level of a hierarchy.
    degrees : float
        The degrees of the nodes; 0 for ``sbm``.
    graph : float
        The graph, given all these.
    weights : float
        The weights, given the edges; 0 if they are numbers of parallel edges.
    """

    partition: float
    edge_counts: float
    degrees: float
    graph: float
    weights: float = 0.0

    @property
    def total(self) -> float:
        """The description length."""
        return float(sum(getattr(self, part.name) for part in fields(self)))


def describe(
    graph: Graph,
    labels: ArrayLike | Sequence[ArrayLike],
    model: str = "dc-sbm",
    *,
    sides: ArrayLike | None = None,
    weight_model: str | None = None,
) -> Description:
    """Return the description length of a graph and a partition, or a hierarchy of partitions.

    Parameters
    ----------
    graph : Graph
    labels : array of int, shape (n_nodes,), or sequence of arrays of int
        Group of each node. Of a hierarchy, the groups of the nodes on each level, the finest level first. Each group
        lies within one of the next level, and above the last level there is one group with all nodes.
    model : {"sbm", "dc-sbm", "assortative", "assortative-uniform", "planted"}
        The last three are for undirected graphs, and have no hierarchy.
    sides : array of int, shape (n_nodes,), optional
        Side of each node of a two-mode graph, 0 or 1.
    weight_model : {"parallel-edges", "exponential", "geometric", "poisson", "normal", "log-normal"}, optional
        What weights are; see `graphclust.inference.edge_weights`. By default, whole numbers are numbers of parallel
        edges, and others are exponential.

    Returns
    -------
    Description

    Raises
    ------
    UsageError
        An unknown model; labels of another length; weights that the model of weights is not for; a group on both
        sides, or in two groups of the next level; a hierarchy or directions with a model that has none.

    Examples
    --------
    >>> import graphclust as gc
    >>> karate = gc.datasets.load("karate")
    >>> [round(describe(karate, labels).total, 1) for labels in (karate.y, np.zeros(34, dtype=int))]
    [230.7, 222.9]
    """
    if model not in MODELS:
        raise unknown("block model", model, list(MODELS))
    n = graph.num_nodes
    side = np.zeros(n, dtype=np.int64) if sides is None else np.asarray(sides, dtype=np.int64)
    try:
        levels = np.atleast_2d(np.asarray(labels))
    except ValueError:  # levels of different lengths
        levels = np.empty((0, 0))
    if levels.shape != (len(levels), n) or not len(levels) or side.shape != (n,):
        raise UsageError(f"labels and sides are arrays of {n} integers, one for each node")
    if n == 0:
        return Description(0.0, 0.0, 0.0, 0.0)
    groups, uppers = _numbered(list(levels))
    counts = _Counts(graph, groups, weight_model)
    weights = counts.weights()
    side_of = _parents(groups, side, "a group has nodes of both sides")
    partition = sum(_partition(np.bincount(groups)[side_of == s]) for s in np.unique(side_of))
    if model not in ("sbm", "dc-sbm"):
        if len(levels) > 1 or graph.directed:
            raise UsageError(f"{model} is a model of undirected graphs without a hierarchy")
        if counts.weight_model is not None:
            raise UsageError(f"{model} takes weights for parallel edges: whole numbers")
        if model == "planted":
            single = _Counts(graph, np.zeros(n, dtype=np.int64), weight_model)
            placed = single.placed_by_degree() + counts.by_share() - single.by_share()
            edge_counts = math.log(counts.total + 1) if len(counts.sizes) > 1 else 0.0
            return Description(partition, edge_counts, single.degrees(), placed + counts.multiplicities)
        edge_counts, placed = counts.assortative(is_uniform=model == "assortative-uniform")
        return Description(partition, edge_counts, counts.degrees(), placed + counts.multiplicities)
    if len(levels) == 1:
        edge_counts = float(_log_multiset(counts.n_pairs, counts.total))
    else:
        edge_counts = _hierarchy(counts, uppers, side_of)
    if model == "sbm":
        return Description(partition, edge_counts, 0.0, counts.placed_evenly() + counts.multiplicities, weights)
    placed = counts.placed_by_degree()
    return Description(partition, edge_counts, counts.degrees(), placed + counts.multiplicities, weights)


def _numbered(levels: Sequence[IntArray]) -> tuple[IntArray, list[IntArray]]:
    """Return the groups 0, 1, ... of the nodes on the finest level, and the parents of the groups level by level."""
    rows = [numbered(level) for level in levels]
    message = "a group is in two groups of the next level"
    return rows[0], [_parents(fine, coarse, message) for fine, coarse in pairwise(rows)]


def _parents(groups: IntArray, values: IntArray, message: str) -> IntArray:
    """Return the value that all nodes of each group share, or raise UsageError."""
    if (shared := parents(groups, values)) is None:
        raise UsageError(message)
    return shared


def _log_binomial(n: Any, k: Any) -> Any:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


def _log_multiset(n: Any, k: Any) -> Any:
    """Return the logarithm of the number of ways to choose k of n things with repetition."""
    return _log_binomial(np.asarray(n, dtype=np.float64) + k - 1, k)


def _partition(sizes: IntArray) -> float:
    """Return the description length of a partition into groups of these sizes, all positive."""
    n = float(sizes.sum())
    if n == 0:
        return 0.0
    value = _log_binomial(n - 1, len(sizes) - 1.0) + math.log(n) + gammaln(n + 1) - gammaln(sizes + 1.0).sum()
    return float(value)


class _Counts:
    """The numbers of edges of a partition.

    Parameters
    ----------
    graph : Graph
    groups : ndarray of int64, shape (n_nodes,)
        Groups 0, 1, ... of the nodes.
    weight_model : str or None
    """

    def __init__(self, graph: Graph, groups: IntArray, weight_model: str | None = None) -> None:
        self.directed, self.groups, self.graph = graph.directed, groups, graph
        self.sizes = np.bincount(groups)
        self.weight_model = WeightModel.of(graph.weight, weight_model)
        weight = graph.edge_weight.astype(np.float64) if self.weight_model is None else np.ones(graph.num_edges)
        source, target = graph.source.astype(np.int64), graph.target.astype(np.int64)
        self.total = float(weight.sum())
        n = len(groups)
        self.out_degree = np.bincount(source, weight, minlength=n).astype(np.float64)
        self.in_degree = np.bincount(target, weight, minlength=n).astype(np.float64)
        is_loop = source == target
        self.multiplicities = float(gammaln(weight + 1).sum())
        if not graph.directed:
            self.multiplicities += math.log(2) * float(weight[is_loop].sum())
        self.rows, self.cols, self.edges = _between(
            groups[source], groups[target], weight, len(self.sizes), self.directed
        )

    @property
    def n_pairs(self) -> float:
        """Number of pairs of groups between which there may be edges."""
        n = float(len(self.sizes))
        return n * n if self.directed else n * (n + 1) / 2

    @cached_property
    def ends(self) -> list[FloatArray]:
        """Degrees of the nodes: both kinds in directed graphs."""
        both = [self.out_degree, self.in_degree]
        return both if self.directed else [both[0] + both[1]]

    @cached_property
    def ends_of_groups(self) -> list[FloatArray]:
        """Sums of the degrees over each group."""
        n = len(self.sizes)
        return [np.bincount(self.groups, degree, minlength=n).astype(np.float64) for degree in self.ends]

    def _between_groups(self) -> float:
        """Return the logarithm of e_rs! over the pairs of groups, and e_rr!! within groups of undirected graphs."""
        value = float(gammaln(self.edges + 1).sum())
        return value if self.directed else value + math.log(2) * float(self.edges[self.rows == self.cols].sum())

    def weights(self) -> float:
        """Return the description length of the weights, given the edges."""
        model = self.weight_model
        if model is None:
            return 0.0
        ends = self.groups[self.graph.source], self.groups[self.graph.target]
        sums = [
            _between(*ends, values, len(self.sizes), self.directed)[2] for values in (model.values, model.values**2)
        ]
        return float(model.describe(self.edges, *sums).sum()) + model.constant

    def placed_evenly(self) -> float:
        """Return the description length of the edges if all nodes of a group are alike."""
        ends = sum(float(total @ np.log(self.sizes)) for total in self.ends_of_groups)
        return ends - self._between_groups()

    def placed_by_degree(self) -> float:
        """Return the description length of the edges, given the degrees."""
        return self._wiring() - self._between_groups()

    def _wiring(self) -> float:
        """Return the logarithm of the number of ways to connect groups to the ends of their nodes."""
        groups = sum(float(gammaln(total + 1).sum()) for total in self.ends_of_groups)
        return groups - sum(float(gammaln(degree + 1).sum()) for degree in self.ends)

    def degrees(self) -> float:
        """Return the description length of the degrees."""
        value = len(self.ends) * float(gammaln(self.sizes + 1.0).sum())
        for degree, total in zip(self.ends, self.ends_of_groups, strict=True):
            counts = np.unique(np.stack([self.groups, degree.astype(np.int64)]), axis=1, return_counts=True)[1]
            value += float(log_partitions(total.astype(np.int64), self.sizes).sum() - gammaln(counts + 1.0).sum())
        return value

    def by_share(self) -> float:
        """Return what depends on the groups if each community keeps the same share of its edges."""
        is_within, mass = self.rows == self.cols, self.ends_of_groups[0]
        inside = float(self.edges[is_within].sum())
        outside = self.total - inside
        value = float(self.edges[is_within] @ np.log(mass[self.rows[is_within]]))
        if outside > 0:
            value += outside * math.log((mass.sum() ** 2 - (mass**2).sum()) / 2)
        if inside > 0:
            value += inside * math.log(self.total)
        return value - float(gammaln(inside + 1) + gammaln(outside + 1))

    def assortative(self, *, is_uniform: bool) -> tuple[float, float]:
        """Return the description lengths of the numbers of edges, and of the edges, under `assortative`."""
        n = len(self.sizes)
        within = self.edges[self.rows == self.cols]
        inside = float(within.sum())
        outside = self.total - inside
        numbers = math.log(self.total + 1) if n > 1 else 0.0
        edges = self._wiring() - gammaln(outside + 1)
        if n > 1:
            edges += outside * math.log(n * (n - 1) / 2)
        if is_uniform:
            edges += inside * math.log(n / 2) - gammaln(inside + 1)
        else:
            numbers += float(_log_multiset(n, inside))
            edges -= float(gammaln(within + 1).sum()) + inside * math.log(2)
        return float(numbers), float(edges)


def _between(
    rows: IntArray, cols: IntArray, weight: FloatArray, n: int, directed: bool
) -> tuple[IntArray, IntArray, FloatArray]:
    """Add up edges by the pair of groups that they are between; return the groups and the sums, none of them 0."""
    if not directed:
        rows, cols = np.minimum(rows, cols), np.maximum(rows, cols)
    pairs, place = np.unique(rows * n + cols, return_inverse=True)
    edges = np.bincount(place, weight, minlength=len(pairs)).astype(np.float64)
    return pairs // max(n, 1), pairs % max(n, 1), edges


def _hierarchy(counts: _Counts, uppers: Sequence[IntArray], side_of: IntArray) -> float:
    """Return the description length of the numbers of edges between groups by a hierarchy of groups.

    `side_of` is the side of each group of the finest level.
    """
    value, rows, cols, edges, side = 0.0, counts.rows, counts.cols, counts.edges, side_of
    for parent in [*uppers, np.zeros(len(np.unique(uppers[-1])), dtype=np.int64)]:
        if len(side) == 1:
            break
        if parent.max() == 0:  # one group has the nodes of both sides
            side = np.zeros_like(side)
        side = _parents(parent, side, "a group has nodes of both sides")
        sizes = np.bincount(parent)
        value += sum(_partition(sizes[side == s]) for s in np.unique(side))
        rows, cols, edges = _between(parent[rows], parent[cols], edges, len(sizes), counts.directed)
        pairs = sizes[rows] * sizes[cols].astype(np.float64)
        if not counts.directed:
            pairs = np.where(rows == cols, sizes[rows] * (sizes[rows] + 1.0) / 2, pairs)
        value += float(_log_multiset(pairs, edges).sum())
    return value


def log_partitions(m: ArrayLike, n: ArrayLike) -> FloatArray:
    r"""Return log q(m, n), where q(m, n) is the number of ways to write m as a sum of at most n positive whole numbers.

    Exact up to m = 20,000, by :math:`q(m, n) = q(m, n - 1) + q(m - n, n)`. Above that by the asymptotic formula of
    Szekeres (1951), in the form of Peixoto (2017).

    Parameters
    ----------
    m, n : array of int, shape (n_values,)
        Not negative.

    Returns
    -------
    ndarray of float64, shape (n_values,)

    Examples
    --------
    >>> np.exp(log_partitions([5, 5, 5, 0], [1, 2, 9, 0])).round(6)
    array([1., 3., 7., 1.])
    """
    totals, parts = np.asarray(m, dtype=np.int64), np.asarray(n, dtype=np.int64)
    parts = np.minimum(parts, totals)
    values = np.zeros(len(totals))
    is_exact = (totals <= _MOST_EXACT) & (parts > 0)
    if is_exact.any():
        values[is_exact] = _counted_partitions(totals[is_exact], parts[is_exact])
    large, few = totals.astype(np.float64), parts.astype(np.float64)
    is_few = ~is_exact & (parts > 0) & (few < large**0.25)
    values[is_few] = _log_binomial(large[is_few] - 1, few[is_few] - 1) - gammaln(few[is_few] + 1)  # all orders differ
    is_large = ~is_exact & (parts > 0) & ~is_few
    values[is_large] = _estimated_partitions(large[is_large], few[is_large])
    return values


def counted_partitions(most: int, parts: int) -> Iterator[FloatArray]:
    """Yield q(m, n) of m = 0, ..., `most`, for n = 1, 2, ..., `parts`; below 20,000 no count is out of range."""
    count = np.zeros(most + 1)
    count[0] = 1.0
    for k in range(1, parts + 1):
        padded = np.zeros(-(-(most + 1) // k) * k)
        padded[: most + 1] = count
        count = np.cumsum(padded.reshape(-1, k), axis=0).ravel()[: most + 1]
        yield count


def _counted_partitions(m: IntArray, n: IntArray) -> FloatArray:
    """Return log q(m, n) by counting."""
    values = np.zeros(len(m))
    order = np.argsort(n, kind="stable")
    done = 0
    for k, count in enumerate(counted_partitions(int(m.max()), int(n.max())), 1):
        while done < len(order) and n[order[done]] == k:
            values[order[done]] = math.log(count[m[order[done]]])
            done += 1
    return values


def _estimated_partitions(m: FloatArray, n: FloatArray) -> FloatArray:
    """Return log q(m, n) by Szekeres' formula."""
    f, g = partition_curves(n / np.sqrt(m))
    return f - np.log(m) + np.sqrt(m) * g


def partition_curves(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return f(u) and g(u) of Szekeres' formula log q(m, n) = f(u) - log m + sqrt(m) g(u), where u = n / sqrt(m).

    Parameters
    ----------
    u : ndarray of float64, shape (n_values,)
        Positive.
    """
    v = u.copy()
    for _ in range(200):  # v = u sqrt(Li2(1 - exp(-v)))
        v = u * np.sqrt(spence(np.exp(-v)))
    f = np.log(v) - np.log1p(-np.exp(-v) * (1 + u * u / 2)) / 2 - math.log(2) * 1.5 - np.log(u) - math.log(math.pi)
    return f, 2 * v / u - u * np.log1p(-np.exp(-v))
