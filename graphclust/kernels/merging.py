"""Merging communities until a given number is left."""

from __future__ import annotations

import heapq

import numpy as np

from graphclust.graph import Graph
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.progress import task

__all__ = ["merge_to"]


def merge_to(graph: Graph, labels: IntArray, k: int) -> IntArray:
    """Merge communities until k are left, each time the pair whose merging gains most, or costs least, modularity.

    Pairs have an edge between them; a community that no edge leaves, a whole component, may also join the smallest
    other such one, or, when it is the last, the smallest community: dust goes together before what is linked does.
    """
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    count = int(labels.max()) + 1
    ends = np.sort(np.stack((labels[graph.source], labels[graph.target])), axis=0)
    between = ends[0] != ends[1]
    keys, inverse = np.unique(ends[0][between] * count + ends[1][between], return_inverse=True)
    weight = np.bincount(inverse, weights=graph.edge_weight[between], minlength=len(keys))
    volume = np.bincount(labels, weights=graph.degree(), minlength=count).tolist()
    total = max(sum(volume), 1e-300)
    links: list[dict[int, float]] = [{} for _ in range(count)]
    for key, w in zip(keys.tolist(), weight.tolist(), strict=True):
        i, j = divmod(key, count)
        links[i][j] = links[j][i] = w

    def gain(i: int, j: int) -> float:
        excess: float = links[i].get(j, 0.0) / total - volume[i] / total * volume[j] / total
        return 2 * excess

    pairs = [(-gain(i, j), i, j) for i in range(count) for j in links[i] if i < j]
    whole = [(volume[i], i) for i in range(count) if not links[i]]
    everyone = [(volume[i], i) for i in range(count)]
    heapq.heapify(pairs)
    heapq.heapify(whole)
    heapq.heapify(everyone)
    into = list(range(count))

    def best_pair() -> tuple[float, int, int] | None:
        """Return the linked pair of the largest gain. A gain only falls while volumes grow: an old one is a bound."""
        while pairs:
            loss, i, j = pairs[0]
            now = gain(i, j)
            if into[i] == i and into[j] == j and j in links[i] and -loss <= now:
                if -loss == now:
                    return now, i, j
                heapq.heappop(pairs)  # the link has grown since, and stands there anew
            elif into[i] == i and into[j] == j and j in links[i]:
                heapq.heapreplace(pairs, (-now, i, j))
            else:
                heapq.heappop(pairs)
        return None

    def smallest(heap: list[tuple[float, int]], other_than: int = -1) -> int | None:
        """Return the smallest community of a heap that is still there; forget the others, and repeats."""
        while len(heap) > 1 and heap[0] == min(heap[1:3]):
            heapq.heappop(heap)
        while heap and (into[heap[0][1]] != heap[0][1] or volume[heap[0][1]] != heap[0][0]):
            heapq.heappop(heap)
        if not heap or heap[0][1] != other_than:
            return heap[0][1] if heap else None
        kept = heapq.heappop(heap)  # it may stand there several times
        found = smallest(heap, other_than)
        heapq.heappush(heap, kept)
        return found

    with task(f"merging {count} communities to {k}"):
        for _ in range(count - k):
            best = best_pair()
            dust = smallest(whole)
            partner = None if dust is None else smallest(whole, dust)
            if dust is not None and partner is None:
                partner = smallest(everyone, dust)
            if dust is not None and partner is not None and (best is None or gain(dust, partner) >= best[0]):
                i, j = dust, partner
            else:
                assert best is not None
                _, i, j = best
            if len(links[i]) < len(links[j]):
                i, j = j, i
            into[j] = i
            volume[i] += volume[j]
            links[i].pop(j, None)
            links[j].pop(i, None)
            for other, w in links[j].items():
                del links[other][j]
                links[i][other] = links[other][i] = links[i].get(other, 0.0) + w
                heapq.heappush(pairs, (-gain(i, other), min(i, other), max(i, other)))
            links[j] = {}
            heapq.heappush(everyone, (volume[i], i))
            if not links[i]:
                heapq.heappush(whole, (volume[i], i))
    for c in range(count):
        root = c
        while into[root] != root:
            root = into[root]
        while into[c] != root:
            into[c], c = root, into[c]
    return np.array(into, dtype=np.int64)[labels]
