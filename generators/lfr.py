"""The LFR benchmark: power laws of degrees and of community sizes, and a share mu of each node's edges that lead out.

Lancichinetti, Fortunato & Radicchi 2008 (arXiv:0805.4770), drawn so that each step has a stated law and nothing is lost
on the way: every half-edge that is drawn becomes part of an edge.

1. Degrees: independent, p(k) ~ k^-tau1 between the bounds, given that their sum is even. An average between those of
   two least degrees is met, in expectation, by mixing the two laws.
2. Community sizes: independent, p(s) ~ s^-tau2 between the bounds, given that they add up to n. (Sequences are drawn
   until n is among the partial sums of one; that takes about as many as the mean size.)
3. Internal degrees: (1 - mu) k, rounded up or down at random so that each is right in expectation, and their sum
   over the nodes of each degree is off by less than 1.
4. Communities: nodes take places uniformly at random among all ways that leave each one enough others for its internal
   degree. Where there is no way, or one community has more than half of the ends of edges between communities, all is
   drawn anew: the laws of 1 and 2 are meant given that this does not happen.
5. In each community an odd sum of internal degrees is made even; and degrees that no simple graph has, as happens in
   small and nearly complete communities, are levelled. Both move single half-edges in or out; degrees stay.
6. Edges: inside each community Havel and Hakimi's graph, then 10 attempted switches an edge; between communities random
   pairs, then switches of all loops, repeats and pairs from one community, then 3 attempted switches an edge. Why
   that leads to the uniform law stands in _wiring.py.

Nodes can have several communities (Lancichinetti & Fortunato 2009): see _overlap.py.

Time and memory grow with nodes + edges. The loops of steps 4 to 6 are compiled by numba, once.
"""

from __future__ import annotations

import logging
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import UsageError
from graphclust.generators._overlap import copies, separate, untangle
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import is_cached
from graphclust.runtime.seeds import check_seed

__all__ = ["lfr"]

logger = logging.getLogger("graphclust")

_ATTEMPTS = 100  # to draw degrees and community sizes that fit together
_DRAWS = 10**8  # of sizes that have to add up to n


def lfr(
    n_nodes: int,
    *,
    tau1: float = 2.5,
    tau2: float = 1.5,
    mu: float = 0.3,
    average_degree: float | None = None,
    min_degree: int | None = None,
    max_degree: int | None = None,
    min_community: int | None = None,
    max_community: int | None = None,
    overlapping_nodes: int = 0,
    memberships: int = 2,
    random_state: Any = None,
) -> Graph:
    """Draw an LFR benchmark graph: simple, undirected, no self-loops.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tau1, tau2 : float
        Exponents of the power laws of degrees, p(k) ~ k^-tau1, and of community sizes, p(s) ~ s^-tau2.
    mu : float
        Fraction of each node's edges that leave its community, in [0, 1]. If it is 0, one edge still leaves each
        community whose degrees have an odd sum.
    average_degree : float, optional
        Expected degree. By default 20, or 0.4 times the largest degree if that is less.
    min_degree : int, optional
        Smallest degree, instead of the average degree.
    max_degree : int, optional
        Largest degree. By default 2.5 times the average or 5 times the smallest degree, but at most n_nodes / 2.
    min_community, max_community : int, optional
        Smallest and largest community. By default the average degree and twice the largest degree, but at most
        n_nodes / 3 if possible.
    overlapping_nodes : int
        Number of nodes in several communities. Their internal edges are divided evenly among these.
    memberships : int
        Number of communities of each of them.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        Nodes 0, 1, ... in an order that tells nothing of the communities; `y` holds these, of an overlapping node one
        of them. With overlapping nodes, `meta["communities"]` has the positions of the nodes of each community, as
        arrays of int64. `meta["generator"]` holds all parameters, defaults filled in, and the seed;
        `meta["realised"]` what came of them: `mu` (share of the ends of edges), `mu_nodes` (mean share over the nodes),
        average, least and greatest degree, number, least and greatest size of the communities, `tau1` and `tau2` by
        maximum likelihood (None where it has none), and `moved`, the number of half-edges that step 5 moved.

    Raises
    ------
    UsageError
        Parameters that no graph has; the message says why.

    Examples
    --------
    >>> g = lfr(1000, mu=0.2, random_state=0)
    >>> g.num_nodes, round(g.meta["realised"]["mu"], 2)
    (1000, 0.2)
    """
    for name, tau in (("tau1", tau1), ("tau2", tau2)):
        if not 0 <= tau <= 20:
            raise UsageError(f"{name} must be between 0 and 20, not {tau}")
    if not 0 <= mu <= 1:
        raise UsageError(f"mu is a share, between 0 and 1, not {mu}")
    if not 0 <= overlapping_nodes <= n_nodes:
        raise UsageError(f"overlapping_nodes is between 0 and the {n_nodes} nodes, not {overlapping_nodes}")
    if memberships < 2:
        raise UsageError(f"memberships, the communities of an overlapping node, are 2 or more, not {memberships}")
    n_places = n_nodes + overlapping_nodes * (memberships - 1)
    average_degree, max_degree, lowest, degree_law = _degrees(n_nodes, tau1, average_degree, min_degree, max_degree)
    min_community, max_community = _communities(n_places, mu, degree_law, max_degree, min_community, max_community)
    size_law = _power_law(tau2, min_community, max_community)

    seed = check_seed(random_state)
    rng = np.random.default_rng(seed)
    for attempt in range(1, _ATTEMPTS + 1):
        degree = _draw_degrees(degree_law, lowest, n_nodes, rng)
        sizes = _draw_sizes(size_law, min_community, n_places, rng)
        try:
            source, target, members, moved = _wire(degree, sizes, mu, overlapping_nodes, memberships, rng)
            break
        except UsageError as error:
            if attempt == _ATTEMPTS:
                raise UsageError(f"no graph found in {_ATTEMPTS} attempts, the last because {error}") from None

    leaves = ~_share_a_community(source, target, members)
    outside = np.bincount(np.concatenate((source[leaves], target[leaves])), minlength=n_nodes)
    degree = np.bincount(np.concatenate((source, target)), minlength=n_nodes)
    place = rng.permutation(n_nodes)
    y = np.empty(n_nodes, dtype=np.int64)
    y[place] = members.community[:n_nodes]
    arguments = {
        "family": "lfr",
        "n_nodes": n_nodes,
        "tau1": tau1,
        "tau2": tau2,
        "mu": mu,
        "average_degree": average_degree,
        "min_degree": min_degree,
        "max_degree": max_degree,
        "min_community": min_community,
        "max_community": max_community,
        **({"overlapping_nodes": overlapping_nodes, "memberships": memberships} if overlapping_nodes else {}),
        "random_state": seed,
    }
    realised = {
        "mu": float(leaves.mean()),
        "mu_nodes": float((outside / degree).mean()),
        "average_degree": float(degree.mean()),
        "min_degree": int(degree.min()),
        "max_degree": int(degree.max()),
        "n_communities": len(sizes),
        "min_community": int(sizes.min()),
        "max_community": int(sizes.max()),
        "tau1": _fit(degree, lowest + (min_degree is None), max_degree),
        "tau2": _fit(sizes, min_community, max_community),
        "moved": moved,
    }
    meta: dict[str, Any] = {"generator": arguments, "realised": realised}
    if overlapping_nodes:
        order = np.lexsort((place[members.node], members.community))
        meta["communities"] = np.split(place[members.node][order].astype(np.int64), np.cumsum(sizes)[:-1])
    return Graph.from_edges(place[source], place[target], nodes=n_nodes, y=y, meta=meta)


class _Members(NamedTuple):
    """The node and the community of each place; the first place of each node comes first, in the order of nodes."""

    node: IntArray
    community: IntArray


def _share_a_community(source: IntArray, target: IntArray, members: _Members) -> NDArray[np.bool_]:
    """Return whether the ends of each edge have a community in common."""
    n = int(members.community.max()) + 1
    homes = np.unique(members.node * n + members.community)
    order = np.argsort(members.node, kind="stable")
    count = np.bincount(members.node)
    start = np.cumsum(count) - count
    shared = np.zeros(len(source), dtype=bool)
    for number in range(int(count.max())):  # of a community of the source
        has = count[source] > number
        community = members.community[order[np.where(has, start[source] + number, 0)]]
        keys = target * n + community
        shared |= has & (homes[np.minimum(np.searchsorted(homes, keys), len(homes) - 1)] == keys)
    return shared


def _degrees(
    n: int, tau: float, average: float | None, low: int | None, high: int | None
) -> tuple[float | None, int, int, FloatArray]:
    """Fill in the defaults; return average, largest and least degree, and the law from the least to the largest."""
    if average is not None and low is not None:
        raise UsageError("average_degree or min_degree, not both: one follows from the other")
    if high is None:
        middle = 20.0 if average is None else average
        wish, bound = (round(2.5 * middle), math.ceil(average or 1)) if low is None else (5 * low, low)
        high = max(bound, min(wish, n // 2))
    if not 1 <= high < n:
        raise UsageError(f"max_degree is {high}: each of {n} nodes can have 1 to {n - 1} neighbours")
    if low is None:
        average = min(20, 0.4 * high) if average is None else average
        least, law = _law_of_mean(tau, average, high)
    else:
        least, law = low, _power_law(tau, low, high)
    if least == high and n * high % 2:
        raise UsageError(f"{n} nodes cannot all have {high} neighbours: degrees add up to an even number")
    return average, high, least, law


def _communities(
    n: int, mu: float, law: FloatArray, degree: int, smallest: int | None, largest: int | None
) -> tuple[int, int]:
    """Fill in the defaults; refuse sizes that nodes of the largest or least degree do not fit."""
    inside, outside = (math.ceil(share * degree - 1e-9) for share in (1 - mu, mu))
    least = degree + 1 - len(law)
    if smallest is None:
        smallest = min(round(float(law @ np.arange(least, degree + 1))), n if largest is None else largest)
    if largest is None:
        largest = min(n, max(-(-n // max(n // max(smallest, 1), 1)), inside + 1, min(2 * degree, n // 3)))
    if not 1 <= smallest <= largest <= n:
        raise UsageError(
            f"community sizes from {smallest} to {largest} are impossible for {n} nodes: "
            "1 <= min_community <= max_community <= n_nodes must hold"
        )
    if -(-n // largest) * smallest > n:
        raise UsageError(f"communities of {smallest} to {largest} nodes never add up to {n}")
    if mu > 0 and 2 * smallest > n:
        raise UsageError(f"mu is {mu:g}, and there is only one community: two of {smallest} exceed {n} nodes")
    if inside >= largest:
        raise UsageError(
            f"max_degree {degree} and mu {mu:g} mean {inside} neighbours in one's community, of {largest} nodes at most"
        )
    if (1 - mu) * least >= smallest:
        raise UsageError(
            f"the least degree, {least}, and mu {mu:g} mean {math.floor((1 - mu) * least)} or more neighbours in one's "
            f"community: no community of {smallest} nodes has that"
        )
    if outside > n - smallest:
        raise UsageError(
            f"max_degree {degree} and mu {mu:g} mean {outside} neighbours in other communities, "
            f"of {n - smallest} nodes at most"
        )
    return smallest, largest


def _power_law(tau: float, low: int, high: int) -> FloatArray:
    """Probabilities of low, ..., high."""
    if not 1 <= low <= high:
        raise UsageError(f"a power law needs 1 <= minimum <= maximum, not {low} and {high}")
    weight = (np.arange(low, high + 1) / low) ** -tau
    law: FloatArray = weight / weight.sum()
    return law


def _law_of_mean(tau: float, mean: float, high: int) -> tuple[int, FloatArray]:
    """Least value, and the probabilities from there to `high`, of the mixture of two power laws that has this mean."""
    value = np.arange(1.0, high + 1)
    weight = value**-tau
    total = np.cumsum(weight[::-1])[::-1]
    means = np.cumsum((value * weight)[::-1])[::-1] / total  # of the laws that start at 1, 2, ...
    if not means[0] <= mean <= high:
        raise UsageError(f"the average degree must be between {means[0]:.2f} and {high} (tau1 {tau:g}), not {mean:g}")
    low = int(np.searchsorted(means, mean, side="right"))
    law = weight[low - 1 :] / total[low - 1]
    if low < high:
        share = (means[low] - mean) / (means[low] - means[low - 1])
        law *= share
        law[1:] += (1 - share) * weight[low:] / total[low]
    return low, law


def _draw(law: FloatArray, low: int, shape: int | tuple[int, int], rng: np.random.Generator) -> IntArray:
    steps = np.cumsum(law)
    return low + np.searchsorted(steps / steps[-1], rng.random(shape), side="right")


def _draw_degrees(law: FloatArray, low: int, n: int, rng: np.random.Generator) -> IntArray:
    """Draw independent degrees, given that their sum is even."""
    for _ in range(1000):
        degree = _draw(law, low, n, rng)
        if degree.sum() % 2 == 0:
            return degree
    raise UsageError(f"the degrees of {n} nodes hardly ever add up to an even number")


def _draw_sizes(law: FloatArray, low: int, n: int, rng: np.random.Generator) -> IntArray:
    """Draw independent sizes, given that they add up to n."""
    columns = n // low
    mean = float(law @ np.arange(low, low + len(law)))  # as many sequences are needed on average
    rows = max(1, min(math.ceil(mean), 2**20 // columns))
    for _ in range(_DRAWS // (rows * columns)):
        sizes = _draw(law, low, (rows, columns), rng)
        row, last = np.nonzero(np.cumsum(sizes, axis=1) == n)
        if len(row):
            return sizes[row[0], : last[0] + 1]
    raise UsageError(f"communities of {low} to {low + len(law) - 1} nodes hardly ever add up to {n}")


def _wire(
    degree: IntArray, sizes: IntArray, mu: float, overlapping: int, memberships: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray, _Members, int]:
    """Do steps 3 to 6. Without overlap, the nodes of the result stand community by community.

    Returns
    -------
    source, target : ndarray of int, shape (n_edges,)
    members : _Members
    moved : int

    Raises
    ------
    UsageError
        The degrees do not fit into these communities.
    """
    from graphclust.generators import _wiring

    if not is_cached(_wiring.assign):
        logger.info("lfr: compiling the generator, only once: about ten seconds")

    degree = np.sort(degree)  # so that the rounded sum is right for each degree, not only for all
    inside = np.diff(np.floor(np.cumsum((1 - mu) * degree) + rng.random()), prepend=0.0).astype(np.int64)
    node = np.arange(len(degree))
    if overlapping:
        able = np.flatnonzero(inside >= memberships)
        if len(able) < overlapping:
            raise UsageError(
                f"only {len(able)} nodes have an internal degree of {memberships}, one for each of their communities"
            )
        node, degree, inside = copies(
            degree, inside, np.sort(rng.choice(able, overlapping, replace=False)), memberships
        )
    falling = np.argsort(-inside, kind="stable")
    node, degree, inside = node[falling], degree[falling], inside[falling]
    by_size = np.argsort(-sizes, kind="stable")
    slots = _wiring.assign(inside, sizes[by_size], (np.cumsum(sizes) - sizes)[by_size], rng)
    if slots[-1] < 0:
        need = inside[np.argmin(slots)]
        raise UsageError(
            f"the communities of more than {need} nodes are too small for all nodes with {need} internal neighbours"
        )
    community = np.repeat(np.arange(len(sizes)), sizes)
    if overlapping:
        homes = community[slots]
        separate(node, inside, homes, sizes, rng)
        slots = np.empty_like(slots)
        slots[np.argsort(homes, kind="stable")] = np.arange(len(slots))
    place_at = np.argsort(slots)
    node, degree, inside = node[place_at], degree[place_at], inside[place_at]
    moved = int(_wiring.settle(inside, degree, sizes, rng))
    load = np.bincount(community, degree - inside)
    if 2 * load.max() > load.sum():
        raise UsageError("one community has more external edges than all others together")

    owner, start = _half_edges(inside)
    ends = _wiring.wire_inside(owner, start, sizes, np.lexsort((inside, community)), rng)
    outer, start = _half_edges(degree - inside)
    outer_ends, bad = _wiring.wire_outside(outer, start, community, rng.permutation(len(outer)), rng)
    if bad:
        raise UsageError(f"{bad} edges between communities could not be placed")
    source, target = np.concatenate((owner, outer)), np.concatenate((ends, outer_ends))
    once = source < target
    source, target = source[once], target[once]
    if not overlapping:
        return source, target, _Members(np.arange(len(degree)), community), moved
    kind = np.where(np.arange(len(once)) < len(owner), community[np.concatenate((owner, outer))], -1)[once]
    source, target = node[source].astype(np.int64), node[target].astype(np.int64)
    homes_of: list[set[int]] = [set() for _ in range(int(node.max()) + 1)]
    for i, home in zip(node.tolist(), community.tolist(), strict=True):
        homes_of[i].add(home)
    untangle(source, target, kind, homes_of, rng)
    first = np.zeros(len(node), dtype=bool)
    first[np.unique(node, return_index=True)[1]] = True
    order = np.lexsort((node, ~first))
    return source, target, _Members(node[order], community[order]), moved


def _half_edges(count: IntArray) -> tuple[NDArray[np.signedinteger[Any]], IntArray]:
    """Return the node of each half-edge, and the first half-edge of each node (and where the last one's end)."""
    n = len(count)
    nodes = np.arange(n, dtype=np.int32) if count.sum() < 2**31 else np.arange(n)  # small ones are twice as fast
    return np.repeat(nodes, count), np.concatenate(([0], np.cumsum(count)))


def _fit(values: IntArray, low: int, high: int) -> float | None:
    """Return the maximum-likelihood exponent of a power law on low, ..., high, from the values in that range."""
    values = values[values >= low]
    if len(values) == 0 or values.min() == high or values.max() == low:
        return None
    logs = np.log(np.arange(low, high + 1))
    target, tau = float(np.log(values).mean()), 2.0
    for _ in range(100):  # Newton; the likelihood is concave
        law = np.exp(-tau * (logs - logs[0]))
        law /= law.sum()
        mean = float(law @ logs)
        step = (mean - target) / float(law @ (logs - mean) ** 2)
        tau += min(max(step, -1.0), 1.0)
        if abs(step) < 1e-9:
            break
    return tau
