r"""The quality of a partition on a graph, and the agreement of two partitions or covers.

**Quality on a graph.** Let :math:`I_k` be the weight of the edges inside community k, and :math:`O_k`, :math:`E_k` the
weight of the edges that leave and enter it. One pass over the edges gives all of the following:

====================  ==============================================================================================
cut                   :math:`O_k + E_k`
volume                :math:`2 I_k + O_k + E_k`, the sum of the degrees; a self-loop counts twice
modularity            :math:`\sum_k I_k / m - \gamma \, (\mathrm{vol}_k / 2m)^2` (Newman & Girvan 2004);
                      directed :math:`\sum_k I_k / m - \gamma \, (I_k + O_k)(I_k + E_k) / m^2` (Leicht & Newman 2008)
conductance           :math:`\mathrm{cut}_k / \min(\mathrm{vol}_k, \mathrm{vol} - \mathrm{vol}_k)`
density               edges inside community k, divided by the number of pairs of its nodes
normalized cut        :math:`\sum_k \mathrm{cut}_k / \mathrm{vol}_k` (CNC, Nazi et al. 2019, eq. 1)
====================  ==============================================================================================

Cut and volume ignore directions: the conductance and normalized cut of a directed graph are those of the undirected
graph in which the weights of a -> b and b -> a are added. (For a DiGraph, networkx counts both directions in the cut
but only the outgoing one in the volume, so its conductance may exceed 1.)

**Two partitions** are compared through their sparse `Contingency` table, which is computed once. **Two covers**, whose
communities may overlap, are compared by `average_f1` and `onmi`, which consider pairs of communities that intersect,
and by `omega`, which considers pairs of nodes.

Logarithms are natural. Importing this module loads NumPy only; the functions that need SciPy import it.
"""

from __future__ import annotations

from graphclust.metrics.agreement import Contingency, accuracy, ami, ari, compare_labels, nmi, vi
from graphclust.metrics.covers import Cover, average_f1, omega, onmi
from graphclust.metrics.labels import numbered, rank_labels
from graphclust.metrics.quality import conductance, coverage, density, modularity, normalized_cut, quality

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
    "density",
    "modularity",
    "nmi",
    "normalized_cut",
    "numbered",
    "omega",
    "onmi",
    "quality",
    "rank_labels",
    "vi",
]
