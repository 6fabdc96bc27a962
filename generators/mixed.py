"""A mixture of families, so that one model can be trained on all of them: what `auto` may ask about any small graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphclust.errors import UsageError, unknown
from graphclust.generators.crp import crp
from graphclust.generators.lfr import lfr
from graphclust.generators.sbm import (
    Whole,
    dc_sbm,
    general_sbm,
    log_degree_sbm,
    pick,
    planted_partition,
)
from graphclust.graph import Graph
from graphclust.runtime.seeds import check_seed

__all__ = ["COMPONENTS", "mixed"]

_LEAST = 12  # nodes of a graph
_LFR_LEAST = 60  # nodes, below which LFR has hardly a choice; such graphs are planted partitions
_MOST_CLUSTERS = 12


def _planted(rng: np.random.Generator, n: int) -> Graph:
    """Equal blocks; the average degree from 4 to a third of the nodes, the ratio of probabilities from 0 to 0.5.

    The degree is less where communities are too small for it.
    """
    k = int(rng.integers(1, min(_MOST_CLUSTERS, n // 8) + 1)) if n >= 16 else 1
    degree, ratio = np.exp(rng.uniform(np.log(4.0), np.log(max(n / 3, 4.0)))), rng.uniform(0.0, 0.5)
    p = min(degree / (n / k * (1 + (k - 1) * ratio) - 1), 0.95)
    return planted_partition(n, k, p_in=p, p_out=p * ratio, random_state=rng)


def _log_degree(rng: np.random.Generator, n: int) -> Graph:
    """K, a and b as in section 5.2.2 of the ACP paper, as far as probabilities stay below 1."""
    most = 0.95 * n / np.log(n)
    k = int(rng.integers(2, 5))
    return log_degree_sbm(
        n, k, a=rng.uniform(1.0, min(30.0, most)), b=rng.uniform(1.0, min(10.0, most)), random_state=rng
    )


def _dc_sbm(rng: np.random.Generator, n: int) -> Graph:
    """Blocks of a Chinese Restaurant Process; power-law degrees of an average as in `_planted`."""
    sizes = np.bincount(crp(n, 1.5, max_clusters=_MOST_CLUSTERS, random_state=rng))
    degree, ratio = np.exp(rng.uniform(np.log(4.0), np.log(max(n / 5, 4.0)))), rng.uniform(0.0, 0.3)
    # `degree` contacts of an average node where blocks are of equal sizes; fewer in those that are small beside others
    own = degree / (sizes + ratio * (n - sizes))
    rates = ratio * np.sqrt(np.outer(own, own))
    np.fill_diagonal(rates, own)
    return dc_sbm(sizes, rates, exponent=rng.uniform(2.1, 4.0), max_ratio=rng.uniform(3.0, 30.0), random_state=rng)


def _lfr(rng: np.random.Generator, n: int) -> Graph:
    """Communities from a twentieth to two fifths of the nodes, mu from 0.05 to 0.6."""
    degree = float(np.exp(rng.uniform(np.log(6.0), np.log(n / 6))))
    least = max(n // 20, 8)
    return lfr(
        n,
        tau1=rng.uniform(2.0, 3.0),
        tau2=rng.uniform(1.0, 2.0),
        mu=rng.uniform(0.05, 0.6),
        average_degree=min(degree, 25.0),
        max_degree=int(min(2.5 * min(degree, 25.0), n / 4)) + 1,
        min_community=least,
        max_community=max(2 * n // 5, least + 1),
        random_state=rng,
    )


COMPONENTS: dict[str, Callable[[np.random.Generator, int], Graph]] = {
    "general-sbm": lambda rng, n: general_sbm((n, n), random_state=rng),
    "log-degree-sbm": _log_degree,
    "planted-partition": _planted,
    "dc-sbm": _dc_sbm,
    "lfr": _lfr,
}


def mixed(n_nodes: Whole = (20, 600), *, families: str = "all", random_state: Any = None) -> Graph:
    """Draw a graph of one of five families, chosen uniformly at random, with random parameters.

    General SBM and log-degree SBM as the ACP paper has them, planted partitions, degree-corrected SBMs, and LFR graphs
    with at least 60 nodes; smaller ones are replaced by planted partitions. The ranges of the parameters are in the
    docstrings of this module.

    Parameters
    ----------
    n_nodes : int or (int, int)
        Number of nodes, at least 12, or a range, both ends included.
    families : str
        Comma-separated names from `COMPONENTS`, or "all".
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from the family; `meta["component"]` names it and its parameters.

    Raises
    ------
    UsageError
        Fewer than 12 nodes, an empty range; no such family.

    Examples
    --------
    >>> mixed(random_state=3).meta["component"]["family"]
    'general-sbm'
    """
    seed = check_seed(random_state)
    rng = np.random.default_rng(seed)
    n = int(pick(rng, n_nodes))
    if n < _LEAST:
        raise UsageError(f"a mixed graph needs at least {_LEAST} nodes, not {n}")
    chosen = list(COMPONENTS) if families == "all" else [name.strip() for name in families.split(",")]
    for name in chosen:
        if name not in COMPONENTS:
            raise unknown("family of the mixture", name, COMPONENTS)
    name = chosen[int(rng.integers(len(chosen)))]
    if name == "lfr" and n < _LFR_LEAST:
        name = "planted-partition"
    while True:
        try:
            graph = COMPONENTS[name](rng, n)
            break
        except UsageError:  # parameters at random may leave LFR no graph
            if name != "lfr":
                raise
    arguments = {"family": "mixed", "n_nodes": n_nodes, "families": families, "random_state": seed}
    return Graph.from_edges(
        graph.source,
        graph.target,
        nodes=graph.num_nodes,
        y=graph.y,
        meta={"generator": arguments, "component": graph.meta["generator"], "realised": graph.meta["realised"]},
    )
