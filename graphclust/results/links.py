r"""Links: the most probable missing edges of a graph, and the most doubtful present ones, given its communities.

The probability that nodes i and j are joined, given all other pairs, follows from two things:

- their rate under the degree-corrected block model with the groups r and s of i and j (Karrer & Newman 2011),
  :math:`\lambda_{ij} = k_i k_j e_{rs} / (d_r d_s)`, averaged over the samples of the posterior. k are degrees, d their
  sums over groups, and :math:`e_{rs}` the number of edges between groups, twice that within one. So that no pair is
  impossible, 1/2 is added to degrees, 1 to their sums, and E / (E + P) to the edges of each of P pairs of groups;
- the neighbours that they share, :math:`a_{ij} = \sum_k 1 / \log k` over these, with degrees k (Adamic & Adar 2003):
  edges close triangles more often than groups explain.

They are combined by logistic regression, :math:`\mathrm{logit}\, p_{ij} = \alpha + \beta \log \lambda_{ij} + \gamma
\log(a_{ij} + 0.05)`, fitted to the pairs of the graph itself, or to a sample of them. An edge is left out of the rate
that predicts it. The probabilities answer how likely an edge is if the pair was never looked at: their sum over all
pairs is the number of edges. If 10 % of the edges are missing, a pair that is not joined was missed with about a tenth
of its probability.

Weights are ignored. In directed graphs, pairs are ordered, and degrees and counts of edges are those of each direction.

Sources: Karrer & Newman, "Stochastic blockmodels and community structure in networks", 2011; Adamic & Adar, "Friends
and neighbors on the Web", 2003; Guimerà & Sales-Pardo, "Missing and spurious interactions and the reconstruction of
complex networks", 2009, for probabilities averaged over partitions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphclust.graph import Graph
from graphclust.metrics import numbered
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas
    from scipy.sparse import csr_array

    from graphclust.results.posterior import Posterior

__all__ = ["LinkModel", "Links"]

_MOST_PARTITIONS = 16  # of a posterior, that rates are averaged over
_MOST_FITTED = 100_000  # edges, and other pairs, to which the regression is fitted
_MOST_PAIRS = 2_000_000  # pairs of nodes, up to which all of them are ranked
_PAIRS_PER_CHUNK, _ROWS_PER_CHUNK = 2_000_000, 100_000
_BEST_OF_GROUP, _MOST_GROUP_PAIRS = 3, 100_000  # nodes of largest degree in a group; pairs of groups
_PENALTY = 1e-3  # of the squares of the coefficients
_MORE_OF_NODE = 0.5
_NO_NEIGHBOUR = 0.05  # added to the sums over shared neighbours, before logarithms


@dataclass(frozen=True)
class Links:
    """Pairs of nodes with the probability that they are joined, given all other pairs.

    Attributes
    ----------
    missing : list of (node, node, float)
        Pairs that are not joined, the most probable first.
    doubtful : list of (node, node, float)
        Edges, the least probable first.
    """

    missing: list[tuple[Hashable, Hashable, float]] = field(default_factory=list)
    doubtful: list[tuple[Hashable, Hashable, float]] = field(default_factory=list)

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return both lists as plain values for JSON."""
        return {
            kind: [{"source": source, "target": target, "probability": p} for source, target, p in rows]
            for kind, rows in (("missing", self.missing), ("doubtful", self.doubtful))
        }

    def to_frame(self) -> pandas.DataFrame:
        """Return a table with the columns source, target, probability, and kind (missing or doubtful)."""
        import pandas as pd

        rows = [{**row, "kind": kind} for kind, rows in self.to_dict().items() for row in rows]
        return pd.DataFrame(rows, columns=["source", "target", "probability", "kind"])


class LinkModel:
    """Probabilities of edges, given partitions of the nodes.

    Parameters
    ----------
    graph : Graph
    labels : ndarray of int64, shape (n_nodes,)
    posterior : Posterior, optional
        Partitions that take the place of `labels`.

    Examples
    --------
    >>> import graphclust as gc
    >>> karate = gc.datasets.load("karate")
    >>> model = LinkModel(karate, karate.y)
    >>> inside, across = model.probability(np.array([0, 16]), np.array([9, 26]))
    >>> bool(0 < across < inside < 1)
    True
    """

    def __init__(self, graph: Graph, labels: IntArray, posterior: Posterior | None = None) -> None:
        order = graph.canonical_order()
        self._nodes = np.arange(graph.num_nodes) if order is None else order  # positions, in canonical order
        self._place = np.argsort(self._nodes)
        graph = graph.canonical().without_self_loops()
        self._n, self._n_edges, self._directed = graph.num_nodes, graph.num_edges, graph.directed
        self._n_pairs = self._n * (self._n - 1) // (1 if self._directed else 2)
        ends = graph.source.astype(np.int64), graph.target.astype(np.int64)
        if not self._directed:
            ends = np.minimum(*ends), np.maximum(*ends)
        by_key = np.argsort(ends[0] * self._n + ends[1])
        self._ends = ends[0][by_key], ends[1][by_key]
        self._edge_keys = self._ends[0] * self._n + self._ends[1]
        plain = graph.undirected()
        self._rows = Graph.from_edges(plain.source, plain.target, nodes=self._n).adjacency()
        degree = np.diff(self._rows.indptr).astype(np.float64)
        self._worth = 1 / np.log(np.maximum(degree, 2.0))
        self._degrees = degree, degree
        if self._directed:
            self._degrees = graph.degree("out", weighted=False), graph.degree("in", weighted=False)
        partitions, weights = np.asarray(labels)[None], np.ones(1)
        if posterior is not None:
            n = len(posterior.samples)
            rows = np.unique(np.linspace(0, n - 1, min(n, _MOST_PARTITIONS)).round().astype(np.int64))
            partitions, weights = posterior.samples[rows], posterior.weights[rows]
        self._counts = [self._count(partition[self._nodes]) for partition in partitions]
        self._weights = weights / weights.sum()
        self._regression = self._fitted()

    # ------------------------------------------------------------------------------------------------- public

    def probability(self, source: IntArray, target: IntArray) -> FloatArray:
        """Return the probability that pairs of nodes are joined, given all other pairs.

        Parameters
        ----------
        source, target : ndarray of int64, shape (n_pairs,)
            Positions in the nodes of the graph. The order of a pair matters in directed graphs only.

        Returns
        -------
        ndarray of float64, shape (n_pairs,)
            NaN for a node paired with itself.
        """
        source, target = self._place[source], self._place[target]
        values = self._probability(source, target, self._is_edge(source, target))
        return np.where(source == target, np.nan, values)

    def missing(self, n: int) -> tuple[IntArray, IntArray, FloatArray]:
        """Return the positions and the probabilities of the n most probable pairs that are not joined.

        If there are more than 2,000,000 pairs of nodes, candidates are those that share a neighbour, and the nodes of
        largest degree of two groups with edges between them.
        """
        keys, values = np.empty(0, dtype=np.int64), np.empty(0)
        for source, target, shared in self._candidates():
            is_open = (source != target) & ~self._is_edge(source, target)
            source, target = source[is_open], target[is_open]
            shared = None if shared is None else shared[is_open]
            more = self._probability(source, target, np.zeros(len(source), dtype=bool), shared)
            keys, first = np.unique(np.concatenate((keys, source * self._n + target)), return_index=True)
            values = np.concatenate((values, more))[first]
            best = np.argsort(-values, kind="stable")[:n]
            keys, values = keys[best], values[best]
        return self._nodes[keys // self._n], self._nodes[keys % self._n], values

    def doubtful(self, n: int) -> tuple[IntArray, IntArray, FloatArray]:
        """Return the positions and the probabilities of the n least probable edges."""
        source, target = self._ends
        values = self._probability(source, target, np.ones(len(source), dtype=bool))
        order = np.lexsort((target, source, values))[:n]
        return self._nodes[source[order]], self._nodes[target[order]], values[order]

    # ------------------------------------------------------------------------------------------------- counts

    def _count(self, labels: IntArray) -> _Counts:
        """Count the edges between the groups of a partition."""
        from scipy.sparse import coo_array

        groups = numbered(labels)
        n, ends = int(groups.max(initial=-1)) + 1, (groups[self._ends[0]], groups[self._ends[1]])
        if not self._directed:
            ends = np.concatenate(ends), np.concatenate(ends[::-1])
        table = coo_array((np.ones(len(ends[0])), ends), shape=(n, n)).tocsr()
        n_pairs = n * n if self._directed else n * (n + 1) / 2
        more = self._n_edges / (self._n_edges + n_pairs)
        return _Counts(groups, table, np.asarray(table.sum(axis=1)), np.asarray(table.sum(axis=0)), more)

    def _is_edge(self, source: IntArray, target: IntArray) -> NDArray[np.bool_]:
        if not self._directed:
            source, target = np.minimum(source, target), np.maximum(source, target)
        keys = source * self._n + target
        place = np.searchsorted(self._edge_keys, keys)
        return self._edge_keys[np.minimum(place, len(self._edge_keys) - 1)] == keys if self._n_edges else keys < 0

    def _log_rates(self, source: IntArray, target: IntArray, is_edge: NDArray[np.bool_]) -> FloatArray:
        """Return the logarithms of the rates of pairs, averaged over partitions; edges are left out of their own."""
        own = is_edge.astype(np.float64)
        ends = (self._degrees[0][source] - own + _MORE_OF_NODE) * (self._degrees[1][target] - own + _MORE_OF_NODE)
        total = np.zeros(len(source))
        for counts, weight in zip(self._counts, self._weights, strict=True):
            rows, cols = counts.groups[source], counts.groups[target]
            twice = own if self._directed else own * (1.0 + (rows == cols))
            edges = np.asarray(counts.table[rows, cols]).ravel() - twice + counts.more
            groups = (counts.sums_out[rows] - twice + 1.0) * (counts.sums_in[cols] - twice + 1.0)
            total += weight * edges / groups
        return np.log(total * ends)

    def _shared(self, source: IntArray, target: IntArray, worth: FloatArray | None = None) -> FloatArray:
        """Return the sums of the worths of the neighbours that pairs share, by default of 1 / log k."""
        values, worth = np.zeros(len(source)), self._worth if worth is None else worth
        for first in range(0, len(source), _ROWS_PER_CHUNK):
            chunk = slice(first, first + _ROWS_PER_CHUNK)
            values[chunk] = self._rows[source[chunk]].multiply(self._rows[target[chunk]]) @ worth
        return values

    # ------------------------------------------------------------------------------------------------- the model

    def _features(
        self, source: IntArray, target: IntArray, is_edge: NDArray[np.bool_], shared: FloatArray | None = None
    ) -> FloatArray:
        shared = self._shared(source, target) if shared is None else shared
        return np.stack((self._log_rates(source, target, is_edge), np.log(shared + _NO_NEIGHBOUR)), axis=1)

    def _probability(
        self, source: IntArray, target: IntArray, is_edge: NDArray[np.bool_], shared: FloatArray | None = None
    ) -> FloatArray:
        if self._regression is None or len(source) == 0:
            return np.full(len(source), self._n_edges / max(self._n_pairs, 1))
        values: FloatArray = self._regression.predict_proba(self._features(source, target, is_edge, shared))[:, 1]
        return values

    def _fitted(self) -> Any:
        """Return the regression, fitted to all pairs or to a sample of them; None if all pairs are alike."""
        if self._n_edges in (0, self._n_pairs):
            return None
        from sklearn.linear_model import LogisticRegression

        source, target, is_edge, weight = self._examples()
        regression = LogisticRegression(C=1 / _PENALTY, solver="newton-cholesky")
        return regression.fit(self._features(source, target, is_edge), is_edge, weight / weight.mean())

    def _examples(self) -> tuple[IntArray, IntArray, NDArray[np.bool_], FloatArray]:
        """Return pairs, whether they are joined, and how many pairs each stands for.

        If there are too many pairs, these are samples of the edges, of all pairs, and of those with a shared neighbour,
        which are rare among all pairs.
        """
        if self._n_pairs <= 2 * _MOST_FITTED:
            source, target = (np.concatenate(ends) for ends in zip(*self._all_pairs(), strict=True))
            return source, target, self._is_edge(source, target), np.ones(len(source))
        rng = np.random.default_rng(0)
        edges = np.sort(rng.choice(self._n_edges, min(self._n_edges, _MOST_FITTED), replace=False))
        joined = self._ends[0][edges], self._ends[1][edges]
        apart = rng.integers(0, self._n, (2, _MOST_FITTED))
        shares = self._n_shared(*apart) > 0
        is_open = (apart[0] != apart[1]) & ~shares & ~self._is_edge(*apart)
        near, n_near = self._paths(rng, _MOST_FITTED)
        shared = self._n_shared(*near)
        is_near = ~self._is_edge(*near)
        weight = np.concatenate(
            (
                np.full(len(edges), self._n_edges / max(len(edges), 1)),
                np.full(int(is_open.sum()), self._n_pairs / _MOST_FITTED),
                n_near / _MOST_FITTED / shared[is_near],
            )
        )
        source, target = np.concatenate((joined, apart[:, is_open], near[:, is_near]), axis=1)
        return source, target, np.arange(len(weight)) < len(edges), weight

    def _paths(self, rng: np.random.Generator, n: int) -> tuple[IntArray, float]:
        """Draw the ends of n paths of two edges, shape (2, n); return also the number of all such paths."""
        degree = np.diff(self._rows.indptr)
        total = np.cumsum(degree * (degree - 1.0))
        if self._n == 0 or total[-1] == 0:
            return np.empty((2, 0), dtype=np.int64), 0.0
        middle = np.searchsorted(total, rng.random(n) * total[-1], side="right")
        first = rng.integers(0, degree[middle])
        second = rng.integers(0, degree[middle] - 1)
        second += second >= first
        starts = self._rows.indptr[middle]
        ends = self._rows.indices[np.stack((starts + first, starts + second))].astype(np.int64)
        return ends, float(total[-1]) / (1 if self._directed else 2)

    def _n_shared(self, source: IntArray, target: IntArray) -> FloatArray:
        """Return the numbers of neighbours that pairs share."""
        return self._shared(source, target, np.ones(self._n))

    # ------------------------------------------------------------------------------------------------- candidates

    def _all_pairs(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield all pairs of nodes, in chunks."""
        n, rows = self._n, max(_PAIRS_PER_CHUNK // max(self._n, 1), 1)
        for first in range(0, n, rows):
            source, target = np.divmod(np.arange(first * n, min(first + rows, n) * n), n)
            is_pair = source != target if self._directed else source < target
            yield source[is_pair], target[is_pair]

    def _candidates(self) -> Iterator[tuple[IntArray, IntArray, FloatArray | None]]:
        """Yield pairs that may be missing, with the sums over shared neighbours where these are known."""
        if self._n_pairs <= _MOST_PAIRS:
            for source, target in self._all_pairs():
                yield source, target, None
            return
        yield from self._with_shared_neighbours()
        for counts in self._counts:
            yield *self._of_large_degree(counts), None

    def _with_shared_neighbours(self) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        from scipy.sparse import diags_array

        weighted = diags_array(self._worth) @ self._rows
        steps = np.cumsum(self._rows @ np.diff(self._rows.indptr))
        first = 0
        while first < self._n:
            before = steps[first - 1] if first else 0.0
            end = max(int(np.searchsorted(steps, before + _PAIRS_PER_CHUNK, side="right")), first + 1)
            product = (self._rows[first:end] @ weighted).tocoo()
            source, target = product.coords[0].astype(np.int64) + first, product.coords[1].astype(np.int64)
            is_pair = source != target if self._directed else source < target
            yield source[is_pair], target[is_pair], product.data[is_pair]
            first = end

    def _of_large_degree(self, counts: _Counts) -> tuple[IntArray, IntArray]:
        """Return pairs of the nodes of largest degree of two groups with edges between them."""
        table = counts.table.tocoo()
        rows, cols = table.coords
        density = table.data / (counts.sums_out[rows] * counts.sums_in[cols])
        first_out, first_in = (self._largest(counts.groups, degree) for degree in self._degrees)
        reach = self._degrees[0][first_out[rows, 0]] * self._degrees[1][first_in[cols, 0]]
        best = np.argsort(-density * reach, kind="stable")[:_MOST_GROUP_PAIRS]
        pairs = np.repeat(first_out[rows[best]], _BEST_OF_GROUP, axis=1), np.tile(first_in[cols[best]], _BEST_OF_GROUP)
        source, target = pairs[0].ravel(), pairs[1].ravel()
        if not self._directed:
            source, target = np.minimum(source, target), np.maximum(source, target)
        return source, target

    def _largest(self, groups: IntArray, degree: FloatArray) -> IntArray:
        """Return the nodes of largest degree of each group; a small group has some of them twice."""
        order = np.lexsort((-degree, groups))
        sizes = np.bincount(groups)
        starts = np.cumsum(sizes) - sizes
        place = np.minimum(np.arange(_BEST_OF_GROUP), sizes[:, None] - 1)
        nodes: IntArray = order[starts[:, None] + place]
        return nodes


@dataclass(frozen=True)
class _Counts:
    """A partition, its edges between groups, their sums over rows and columns, and how many more each pair has."""

    groups: IntArray
    table: csr_array[Any, Any]
    sums_out: FloatArray
    sums_in: FloatArray
    more: float
