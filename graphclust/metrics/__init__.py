r"""How good a partition is on a graph, and how alike two partitions or two covers are.

**On a graph.** With :math:`I_k` the weight of the edges inside community k and :math:`O_k`, :math:`E_k` the weight of
those that leave and enter it, everything here follows from one pass over the edges:

====================  ==============================================================================================
cut                   :math:`O_k + E_k`
volume                :math:`2 I_k + O_k + E_k`, the sum of the degrees; a self-loop counts twice
modularity            :math:`\sum_k I_k / m - \gamma \, (\mathrm{vol}_k / 2m)^2` (Newman & Girvan 2004);
                      directed :math:`\sum_k I_k / m - \gamma \, (I_k + O_k)(I_k + E_k) / m^2` (Leicht & Newman 2008)
conductance           :math:`\mathrm{cut}_k / \min(\mathrm{vol}_k, \mathrm{vol} - \mathrm{vol}_k)`
normalized cut        :math:`\sum_k \mathrm{cut}_k / \mathrm{vol}_k` (CNC, Nazi et al. 2019, eq. 1)
====================  ==============================================================================================

Cut and volume have no direction: conductance and normalized cut of a directed graph are those of the undirected graph
in which the weights of a -> b and b -> a add up. (networkx counts both directions in the cut of a DiGraph but only the
outgoing one in its volume, so that its conductance may exceed 1.)

**Two partitions** are compared through their `Contingency` table, sparse, computed once. **Two covers**, whose
communities may overlap, are compared by `average_f1` and `onmi`, which look at pairs of communities that intersect.

Logarithms are natural. NumPy alone is imported; SciPy is, when a function needs it.
"""

from __future__ import annotations

from graphclust.metrics.agreement import Contingency, accuracy, ami, ari, compare_labels, nmi, vi
from graphclust.metrics.covers import Cover, average_f1, onmi
from graphclust.metrics.labels import rank_labels
from graphclust.metrics.quality import conductance, coverage, modularity, normalized_cut, quality

__all__ = [
    "Contingency",
    "Cover",
    "accuracy",
    "ami",
    "ari",
    "average_f1",
    "compare_labels",
    "conductance",
    "coverage",
    "modularity",
    "nmi",
    "normalized_cut",
    "onmi",
    "quality",
    "rank_labels",
    "vi",
]
