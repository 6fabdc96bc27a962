"""The communities of a result, one by one: their sizes, how well they are separated, and their strongest members."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.metrics.quality import conductance, density
from graphclust.report.text import Clustering

__all__ = ["summarise"]


def summarise(communities: Clustering, n_members: int = 5) -> list[dict[str, Any]]:
    """Describe each community.

    Parameters
    ----------
    communities : Communities
    n_members : int
        How many members to name.

    Returns
    -------
    list of dict
        One for each community, the largest first: `community`, `size`, `density` (share of the pairs of its nodes that
        are edges; None for a single node), `conductance`, `confidence` (mean over its nodes; None without a posterior),
        `stability` (the same; only of several runs) and `members`, the ids of the nodes with the largest degrees inside
        the community. Equal degrees are in canonical order.

    Examples
    --------
    >>> import graphclust as gc
    >>> first = summarise(gc.detect("data:karate", "leiden"), n_members=2)[0]
    >>> first["size"], round(first["density"], 3), first["members"]
    (12, 0.318, ['33', '32'])
    """
    graph, labels = communities.graph, communities.ranks
    n = graph.num_nodes
    is_inside = labels[graph.source] == labels[graph.target]
    weight = graph.edge_weight[is_inside]
    degree = np.bincount(graph.source[is_inside], weight, n) + np.bincount(graph.target[is_inside], weight, n)
    rank = np.arange(n)
    if (canonical := graph.canonical_order()) is not None:
        rank[canonical] = np.arange(n)
    order = np.lexsort((rank, -degree, labels))
    sizes = np.bincount(labels, minlength=communities.n_clusters)
    starts = np.cumsum(sizes) - sizes
    means = {
        name: (np.bincount(labels, values, len(sizes)) / np.maximum(sizes, 1)).tolist()
        for name, values in communities.certainty.items()
    }
    means = {"confidence": [None] * len(sizes), **means}
    densities, conductances = density(graph, labels), conductance(graph, labels)
    return [
        {
            "community": number,
            "size": int(size),
            "density": None if size < 2 else float(densities[label]),
            "conductance": float(conductances[label]),
            **{name: values[label] for name, values in means.items()},
            "members": [communities.nodes[i] for i in order[start : start + min(size, n_members)].tolist()],
        }
        for label, (number, size, start) in enumerate(
            zip(communities.numbers.tolist(), sizes.tolist(), starts.tolist(), strict=True)
        )
    ]
