"""Merging communities: until a given number is left, or until one is left, level by level."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

__all__ = ["merge_to", "merge_tree"]


def merge_to(source: IntArray, target: IntArray, weight: FloatArray, labels: IntArray, k: int) -> IntArray:
    """Merge communities until k are left, in each step the two whose merging gains most, or costs least, modularity.

    The two have an edge between them. Communities without edges to others, which are whole components, may also be
    merged: each with the smallest other one, or, if it is the last, with the smallest community. Small components are
    thus merged before communities that have edges between them.

    Parameters
    ----------
    source, target : ndarray of int, shape (n_edges,)
        Undirected edges, each once.
    weight : ndarray of float64, shape (n_edges,)
    labels : ndarray of int64, shape (n_nodes,)
        Communities, at least k of them if there are components enough.
    k : int

    Returns
    -------
    ndarray of int64, shape (n_nodes,)

    Examples
    --------
    >>> path = np.arange(5)
    >>> merge_to(path[:-1], path[1:], np.ones(4), np.array([0, 0, 1, 2, 2]), 2).tolist()
    [1, 1, 1, 2, 2]
    """
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    merging = _Merging(source, target, weight, labels)
    with task(f"merging {merging.n_communities} communities to {k}"):
        for _ in range(merging.n_communities - k):
            merging.merge(*merging.next_pair())
    return merging.roots()[labels]


def merge_tree(source: IntArray, target: IntArray, weight: FloatArray, levels: Sequence[IntArray]) -> IntArray:
    """Merge the communities of the finest level until one is left, as `merge_to` does, by way of all other levels.

    The communities of a level become those of the next one before these are merged.

    Parameters
    ----------
    source, target, weight
        See `merge_to`.
    levels : sequence of ndarray of int64, shape (n_nodes,)
        Labels 0, 1, ... of the nodes on each level, the finest first. A community lies within one of the next level.

    Returns
    -------
    ndarray of int64, shape (n_communities - 1, 2)
        What is merged in each step: two communities of the finest level, each for all that has become one with it. From
        then on the first stands for both.

    Examples
    --------
    >>> path = np.arange(5)
    >>> merge_tree(path[:-1], path[1:], np.ones(4), [np.array([0, 0, 1, 2, 2]), np.array([0, 0, 0, 1, 1])]).tolist()
    [[0, 1], [0, 2]]
    """
    labels, name = levels[0], np.arange(int(levels[0].max(initial=-1)) + 1)
    steps: list[tuple[int, int]] = []
    for within in [*levels[1:], np.zeros(len(labels), dtype=np.int64)]:
        merging = _Merging(source, target, weight, labels, within)
        for _ in range(merging.n_communities - int(within.max(initial=-1)) - 1):
            kept, gone = merging.merge(*merging.next_pair())
            steps.append((int(name[kept]), int(name[gone])))
        roots, number = np.unique(merging.roots(), return_inverse=True)
        labels, name = number[labels], name[roots]
    return np.array(steps, dtype=np.int64).reshape(-1, 2)


class _Merging:
    """Communities, the weights between them, and heaps of what may be merged next.

    A community that was merged into another one is no longer a root. Heaps keep outdated entries, which are removed
    when they come up.

    Parameters
    ----------
    source, target, weight, labels
        See `merge_to`. Labels are numbered from 0.
    within : ndarray of int64, shape (n_nodes,), optional
        Only communities of the same one of these larger communities are merged.
    """

    def __init__(
        self,
        source: IntArray,
        target: IntArray,
        weight: FloatArray,
        labels: IntArray,
        within: IntArray | None = None,
    ) -> None:
        count = self.n_communities = int(labels.max()) + 1
        n = len(labels)
        degree = np.zeros(n)
        for end in (source, target):
            degree += np.bincount(end, weights=weight, minlength=n)
        ends = np.sort(np.stack((labels[source], labels[target])), axis=0)
        between = ends[0] != ends[1]
        self._outer: IntArray = np.zeros(count, dtype=np.int64)
        if within is not None:
            self._outer[labels] = within
            between &= within[source] == within[target]
        keys, inverse = np.unique(ends[0][between] * count + ends[1][between], return_inverse=True)
        pair_weight = np.bincount(inverse, weights=weight[between], minlength=len(keys))
        self._volume: list[float] = np.bincount(labels, weights=degree, minlength=count).tolist()
        self._total = max(sum(self._volume), 1e-300)
        self._links: list[dict[int, float]] = [{} for _ in range(count)]
        for key, w in zip(keys.tolist(), pair_weight.tolist(), strict=True):
            i, j = divmod(key, count)
            self._links[i][j] = self._links[j][i] = w
        self._parent = list(range(count))
        self._pairs = [(-self._gain(i, j), i, j) for i in range(count) for j in self._links[i] if i < j]
        self._unlinked = [(self._volume[i], i) for i in range(count) if not self._links[i]]
        self._all = [(self._volume[i], i) for i in range(count)]
        heapq.heapify(self._pairs)
        heapq.heapify(self._unlinked)
        heapq.heapify(self._all)

    def _gain(self, i: int, j: int) -> float:
        """Return the modularity that merging i and j gains."""
        volume, total = self._volume, self._total
        excess: float = self._links[i].get(j, 0.0) / total - volume[i] / total * volume[j] / total
        return 2 * excess

    def _best_linked(self) -> tuple[float, int, int] | None:
        """Return the gain and the linked pair of the largest gain, or None.

        While volumes grow, the gain of a pair only falls, so that an old gain is an upper bound.
        """
        pairs = self._pairs
        while pairs:
            loss, i, j = pairs[0]
            if self._parent[i] != i or self._parent[j] != j or j not in self._links[i]:
                heapq.heappop(pairs)
                continue
            gain = self._gain(i, j)
            if -loss == gain:
                return gain, i, j
            if -loss < gain:
                heapq.heappop(pairs)  # the weight between them has grown, and there is a newer entry
            else:
                heapq.heapreplace(pairs, (-gain, i, j))
        return None

    def _smallest(self, heap: list[tuple[float, int]], other_than: int = -1) -> int | None:
        """Return the smallest root of a heap, or None; remove outdated and repeated entries."""
        while len(heap) > 1 and heap[0] == min(heap[1:3]):
            heapq.heappop(heap)
        while heap and (self._parent[heap[0][1]] != heap[0][1] or self._volume[heap[0][1]] != heap[0][0]):
            heapq.heappop(heap)
        if not heap or heap[0][1] != other_than:
            return heap[0][1] if heap else None
        excluded = heapq.heappop(heap)  # there may be several entries of it
        smallest = self._smallest(heap, other_than)
        heapq.heappush(heap, excluded)
        return smallest

    def next_pair(self) -> tuple[int, int]:
        """Return the pair to be merged next."""
        best = self._best_linked()
        if self._outer.any():
            return self._apart() if best is None else best[1:]
        component = self._smallest(self._unlinked)
        partner = None if component is None else self._smallest(self._unlinked, component)
        if component is not None and partner is None:
            partner = self._smallest(self._all, component)
        if (
            component is not None
            and partner is not None
            and (best is None or self._gain(component, partner) >= best[0])
        ):
            return component, partner
        assert best is not None
        return best[1], best[2]

    def _apart(self) -> tuple[int, int]:
        """Return two communities of one larger community, which have no edge between them."""
        seen: dict[int, int] = {}
        for c in range(self.n_communities):
            if self._parent[c] == c and (other := seen.setdefault(int(self._outer[c]), c)) != c:
                return other, c
        raise ValueError("nothing is left to merge")

    def merge(self, i: int, j: int) -> tuple[int, int]:
        """Merge two communities; return the one that stands for both, and the other one."""
        links, volume = self._links, self._volume
        if len(links[i]) < len(links[j]):
            i, j = j, i
        self._parent[j] = i
        volume[i] += volume[j]
        links[i].pop(j, None)
        links[j].pop(i, None)
        for other, w in links[j].items():
            del links[other][j]
            links[i][other] = links[other][i] = links[i].get(other, 0.0) + w
            heapq.heappush(self._pairs, (-self._gain(i, other), min(i, other), max(i, other)))
        links[j] = {}
        heapq.heappush(self._all, (volume[i], i))
        if not links[i]:
            heapq.heappush(self._unlinked, (volume[i], i))
        return i, j

    def roots(self) -> IntArray:
        """Return the community that each one was merged into, shape (n_communities,)."""
        parent = self._parent
        for c in range(self.n_communities):
            root = c
            while parent[root] != root:
                root = parent[root]
            while parent[c] != root:
                parent[c], c = root, parent[c]
        return np.array(parent, dtype=np.int64)
