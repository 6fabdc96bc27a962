"""Stochastic block models: a partition, and an edge probability for each pair of blocks (Holland et al. 1983).

Every pair of nodes has its edge independently of all others. Time and memory grow with nodes + edges + pairs of
blocks: pairs of nodes with one probability are laid end to end, and only those that get an edge are ever looked at.
All graphs are simple and undirected; their nodes 0, 1, ... stand in random order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError
from graphclust.generators.crp import crp
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.memory import require_memory
from graphclust.runtime.seeds import check_seed

__all__ = [
    "CLUSTER_SPLITS",
    "Plan",
    "cluster",
    "cluster_plan",
    "cluster_split",
    "dc_sbm",
    "general_sbm",
    "general_sbm_plan",
    "log_degree_sbm",
    "log_degree_sbm_plan",
    "nested_sbm",
    "nested_sbm_plan",
    "one_of_each",
    "planted_partition",
    "planted_partition_plan",
    "recovery_ratios",
    "sbm",
    "sbm_plan",
]

Whole: TypeAlias = int | tuple[int, int]  # a number, or a range to draw it from
Real: TypeAlias = float | tuple[float, float]
Plan: TypeAlias = tuple[IntArray, FloatArray]  # the block of each node; the edge probability of each pair of blocks

CLUSTER_SPLITS = {"train": 10_000, "val": 1_000, "test": 1_000}
_MAX_CLASSES = 64  # with more distinct probabilities, they are rounded up to powers of two and what is drawn thinned


# ---------------------------------------------------------------- Bernoulli trials, only the successes


def _distinct(values: IntArray) -> IntArray:
    """Sort, and drop repeats; np.unique hashes first, which on millions of numbers takes a hundred times as long."""
    values = np.sort(values)
    return values[np.concatenate(([True], values[1:] != values[:-1]))] if len(values) else values


def _successes(rng: np.random.Generator, total: int, p: float) -> IntArray:
    """Return the positions, sorted, of the successes in `total` independent trials of probability `p`."""
    if p >= 1:
        return np.arange(total)
    if p <= 0.1:  # a binomial number, then as many distinct positions: few are drawn twice
        count = int(rng.binomial(total, p))
        positions = _distinct(rng.integers(0, total, count))
        while len(positions) < count:
            positions = _distinct(np.concatenate((positions, rng.integers(0, total, count - len(positions)))))
        return positions
    expected = total * p
    pieces: list[IntArray] = []
    last = -1
    while last < total:  # skip from success to success: the gaps are geometric
        gaps = rng.geometric(p, int(expected + 4 * np.sqrt(expected) + 16))
        pieces.append(last + np.cumsum(gaps))
        last = int(pieces[-1][-1])
    positions = np.concatenate(pieces)
    return positions[: np.searchsorted(positions, total)]


def _bernoulli_rows(rng: np.random.Generator, size: IntArray, p: FloatArray) -> tuple[IntArray, IntArray]:
    """Draw, for each row r, `size[r]` trials of probability `p[r]`; return row and position of each success.

    Each row's successes come together; the cost is that of the successes, and of a loop over at most 64 classes.
    """
    bound, group = np.unique(p, return_inverse=True)
    thin = len(bound) > _MAX_CLASSES
    if thin:
        rounded = np.zeros_like(p)
        rounded[p > 0] = np.exp2(np.ceil(np.log2(p[p > 0])))
        bound, group = np.unique(rounded, return_inverse=True)
    rows: list[IntArray] = [np.empty(0, dtype=np.int64)]
    positions: list[IntArray] = [np.empty(0, dtype=np.int64)]
    for i, probability in enumerate(bound.tolist()):
        members = np.flatnonzero(group == i)
        ends = np.cumsum(size[members])
        if probability == 0 or ends[-1] == 0:
            continue
        hits = _successes(rng, int(ends[-1]), probability)
        counts = np.diff(np.searchsorted(hits, ends), prepend=0)
        row = np.repeat(members, counts)
        hits -= np.repeat(ends - size[members], counts)
        if thin:
            keep = rng.random(len(hits)) * probability < p[row]
            row, hits = row[keep], hits[keep]
        rows.append(row)
        positions.append(hits)
    return np.concatenate(rows), np.concatenate(positions)


def _triangle(index: IntArray) -> tuple[IntArray, IntArray]:
    """Turn 0, 1, 2, 3, ... into the pairs i < j: (0, 1), (0, 2), (1, 2), (0, 3), ..."""
    j = ((1 + np.sqrt(1 + 8 * index.astype(np.float64))) / 2).astype(np.int64)
    j -= j * (j - 1) // 2 > index  # the root may be off by one
    j += (j + 1) * j // 2 <= index
    return index - j * (j - 1) // 2, j


def _block_edges(rng: np.random.Generator, counts: IntArray, matrix: FloatArray) -> tuple[IntArray, IntArray]:
    """Draw the edges of nodes that stand block by block; return their two ends."""
    first, second = np.triu_indices(len(counts))
    same = first == second
    pairs = np.where(same, counts[first] * (counts[first] - 1) // 2, counts[first] * counts[second])
    expected = float((pairs * matrix[first, second]).sum())
    require_memory(90 * expected + 60 * float(counts.sum()), f"a graph of about {expected:,.0f} edges")
    row, index = _bernoulli_rows(rng, pairs, matrix[first, second])
    start = np.cumsum(counts) - counts
    inside = same[row]
    low, high = np.divmod(index, counts[second[row]])
    low[inside], high[inside] = _triangle(index[inside])
    return start[first[row]] + low, start[second[row]] + high


def _draw(plan: Callable[..., Plan], family: str, parameters: dict[str, Any], random_state: Any) -> Graph:
    """Draw a graph of a family: its plan, then its edges; record what was asked and what came out."""
    seed = check_seed(random_state)
    rng = np.random.default_rng(seed)
    labels, matrix = plan(rng, **parameters)
    order = np.argsort(labels, kind="stable")
    source, target = _block_edges(rng, np.bincount(labels, minlength=len(matrix)), matrix)
    arguments = {"family": family, **parameters, "random_state": seed}
    graph = _recorded(order[source], order[target], labels, arguments)
    graph.meta["probabilities"] = matrix
    return graph


def _recorded(source: IntArray, target: IntArray, labels: IntArray, arguments: dict[str, Any]) -> Graph:
    sizes = np.bincount(labels)
    n = len(labels)
    within = int(np.count_nonzero(labels[source] == labels[target]))
    pairs_within = int((sizes * (sizes - 1) // 2).sum())
    pairs_between = n * (n - 1) // 2 - pairs_within
    realised = {
        "n_nodes": n,
        "n_edges": len(source),
        "n_clusters": int(np.count_nonzero(sizes)),
        "sizes": sizes.tolist(),
        "p_in": within / max(pairs_within, 1),
        "p_out": (len(source) - within) / max(pairs_between, 1),
        "average_degree": 2 * len(source) / max(n, 1),
    }
    meta = {"generator": arguments, "realised": realised}
    return Graph.from_edges(source, target, nodes=n, y=labels, meta=meta, copy=False)


# ---------------------------------------------------------------- parameters


def _check_probability(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"{name} must be a probability, not {value!r}")
    return float(value)


def _check_sizes(sizes: ArrayLike) -> IntArray:
    counts = np.asarray(sizes)
    if counts.ndim != 1 or not len(counts) or not np.issubdtype(counts.dtype, np.integer) or (counts < 1).any():
        raise UsageError("block sizes must be positive integers")
    return counts.astype(np.int64)


def _check_matrix(matrix: ArrayLike, k: int, top: float = 1.0) -> FloatArray:
    values = np.asarray(matrix, dtype=np.float64)
    if values.shape != (k, k) or not np.array_equal(values, values.T):
        raise UsageError(f"{k} blocks need a symmetric {k} x {k} matrix")
    if not ((values >= 0) & (values <= top) & np.isfinite(values)).all():
        message = "edge probabilities must be between 0 and 1"
        raise UsageError(message if top == 1 else "connection rates must be finite and not negative")
    return values


def _check_range(name: str, values: tuple[int, int] | int, least: int) -> tuple[int, int]:
    low, high = (values, values) if isinstance(values, int | np.integer) else values
    if not least <= low <= high:
        raise UsageError(f"{name} is a range (low, high) with {least} <= low <= high, not {values!r}")
    return int(low), int(high)


def _equal_sizes(n_nodes: int, n_clusters: int) -> IntArray:
    if not 1 <= n_clusters <= n_nodes:
        raise UsageError(f"{n_clusters} clusters of {n_nodes} nodes: each needs at least one node")
    return n_nodes // n_clusters + (np.arange(n_clusters) < n_nodes % n_clusters)


def _two_level(k: int, within: float, between: float) -> FloatArray:
    matrix = np.full((k, k), float(between))
    np.fill_diagonal(matrix, within)
    return matrix


def pick(rng: np.random.Generator, value: Any) -> Any:
    """Draw uniformly from a range (low, high), whole numbers with both ends; what is no range is itself."""
    if not isinstance(value, tuple | list):
        return value
    low, high = value
    if not low <= high:
        raise UsageError(f"a range is (low, high) with low <= high, not {value!r}")
    is_integer = isinstance(low, int | np.integer) and isinstance(high, int | np.integer)
    return int(rng.integers(low, high + 1)) if is_integer else float(rng.uniform(low, high))


def _shuffled(rng: np.random.Generator, sizes: IntArray) -> IntArray:
    return rng.permutation(np.repeat(np.arange(len(sizes)), sizes))


# ---------------------------------------------------------------- plans: the block of each node, and the probabilities


def sbm_plan(rng: np.random.Generator, sizes: ArrayLike, probabilities: ArrayLike) -> Plan:
    """Lay out `sbm`."""
    counts = _check_sizes(sizes)
    return _shuffled(rng, counts), _check_matrix(probabilities, len(counts))


def planted_partition_plan(
    rng: np.random.Generator, n_nodes: Whole, n_clusters: Whole, p_in: Real, p_out: Real
) -> Plan:
    """Lay out `planted_partition`."""
    n, k = pick(rng, n_nodes), pick(rng, n_clusters)
    p, q = (_check_probability(name, pick(rng, value)) for name, value in (("p_in", p_in), ("p_out", p_out)))
    return _shuffled(rng, _equal_sizes(n, k)), _two_level(k, p, q)


def nested_sbm_plan(
    rng: np.random.Generator,
    n_nodes: Whole,
    n_groups: Whole,
    n_subgroups: Whole,
    p_in: Real,
    p_middle: Real,
    p_out: Real,
) -> Plan:
    """Lay out `nested_sbm`."""
    n, k, each = pick(rng, n_nodes), pick(rng, n_groups), pick(rng, n_subgroups)
    rates = {"p_in": p_in, "p_middle": p_middle, "p_out": p_out}
    p, middle, q = (_check_probability(name, pick(rng, value)) for name, value in rates.items())
    group = np.arange(k * each) // each
    matrix = np.where(group[:, None] == group, float(middle), float(q))
    np.fill_diagonal(matrix, p)
    return _shuffled(rng, _equal_sizes(n, k * each)), matrix


def general_sbm_plan(
    rng: np.random.Generator,
    n_nodes: Whole,
    concentration: float,
    max_clusters: int | None,
    within: tuple[float, float],
    between: tuple[float, float],
) -> Plan:
    """Lay out `general_sbm`."""
    low, high = _check_range("n_nodes", n_nodes, 1)
    if min(*within, *between) <= 0:
        raise UsageError("the parameters of Beta distributions are positive")
    labels = crp(int(rng.integers(low, high + 1)), concentration, max_clusters=max_clusters, random_state=rng)
    k = int(labels.max()) + 1
    upper = np.triu(rng.beta(*between, size=(k, k)), 1)
    return labels, upper + upper.T + np.diag(rng.beta(*within, size=k))


def log_degree_sbm_plan(rng: np.random.Generator, n_nodes: Whole, n_clusters: Whole, a: Real, b: Real) -> Plan:
    """Lay out `log_degree_sbm`."""
    n, k = pick(rng, n_nodes), pick(rng, n_clusters)
    sizes = _equal_sizes(n, k)
    scale = float(np.log(n)) / n
    p, q = (_check_probability(f"{name} log(N) / N", pick(rng, value) * scale) for name, value in (("a", a), ("b", b)))
    return _shuffled(rng, sizes), _two_level(k, p, q)


def cluster_plan(rng: np.random.Generator, n_clusters: int, sizes: tuple[int, int], p_in: float, p_out: float) -> Plan:
    """Lay out `cluster`."""
    low, high = _check_range("sizes", sizes, 1)
    if n_clusters < 1:
        raise UsageError(f"n_clusters is a positive integer, not {n_clusters!r}")
    matrix = _two_level(n_clusters, _check_probability("p_in", p_in), _check_probability("p_out", p_out))
    return _shuffled(rng, rng.integers(low, high + 1, n_clusters)), matrix


# ---------------------------------------------------------------- the families


def sbm(sizes: ArrayLike, probabilities: ArrayLike, *, random_state: Any = None) -> Graph:
    """Draw a graph from a stochastic block model.

    Parameters
    ----------
    sizes : array of int, shape (n_blocks,)
        Nodes of each block, none of them 0.
    probabilities : array of float, shape (n_blocks, n_blocks)
        Edge probability for each pair of blocks; symmetric.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        `y` holds the blocks, `meta["generator"]` the parameters asked for, `meta["probabilities"]` the probabilities
        drawn from, `meta["realised"]` what came out: n_nodes, n_edges, n_clusters, sizes, p_in and p_out (shares of
        the possible edges within and between blocks), average_degree.

    Raises
    ------
    UsageError
        Sizes that are not positive, probabilities outside [0, 1] or not symmetric.

    Examples
    --------
    >>> sbm([20, 30], [[0.9, 0.1], [0.1, 0.8]], random_state=0).num_nodes
    50
    """
    parameters = {"sizes": np.asarray(sizes).tolist(), "probabilities": np.asarray(probabilities).tolist()}
    return _draw(sbm_plan, "sbm", parameters, random_state)


def planted_partition(
    n_nodes: Whole = 1000, n_clusters: Whole = 4, *, p_in: Real = 0.1, p_out: Real = 0.01, random_state: Any = None
) -> Graph:
    """Draw a planted partition: equal blocks, one edge probability within and one between (Condon & Karp 2001).

    Parameters
    ----------
    n_nodes, n_clusters : int, or (int, int)
        Number of nodes and of blocks, whose sizes differ by at most one. Each parameter may be a range to draw from.
    p_in, p_out : float, or (float, float)
        Edge probabilities within and between blocks.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from `sbm`.

    Raises
    ------
    UsageError
        Fewer nodes than clusters, probabilities outside [0, 1].

    Examples
    --------
    >>> g = planted_partition(100, 4, p_in=0.5, p_out=0.01, random_state=0)
    >>> sorted(set(g.y.tolist()))
    [0, 1, 2, 3]
    """
    parameters = {"n_nodes": n_nodes, "n_clusters": n_clusters, "p_in": p_in, "p_out": p_out}
    return _draw(planted_partition_plan, "planted-partition", parameters, random_state)


def nested_sbm(
    n_nodes: Whole = 1000,
    n_groups: Whole = 4,
    n_subgroups: Whole = 5,
    *,
    p_in: Real = 0.3,
    p_middle: Real = 0.05,
    p_out: Real = 0.005,
    random_state: Any = None,
) -> Graph:
    """Draw a planted partition of two levels: equal groups of equal subgroups, with three edge probabilities.

    Parameters
    ----------
    n_nodes : int, or (int, int)
        Number of nodes. Each parameter may be a range to draw from.
    n_groups, n_subgroups : int, or (int, int)
        Number of groups, and of subgroups of each.
    p_in, p_middle, p_out : float, or (float, float)
        Edge probabilities within subgroups, between those of one group, and between groups.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from `sbm`. `y` are the subgroups, and `meta["levels"]` the labels on both levels, the finest first.

    Raises
    ------
    UsageError
        Fewer nodes than subgroups, probabilities outside [0, 1].

    Examples
    --------
    >>> g = nested_sbm(120, 2, 3, random_state=0)
    >>> [len(set(level)) for level in g.meta["levels"]]
    [6, 2]
    """
    parameters = {
        "n_nodes": n_nodes,
        "n_groups": n_groups,
        "n_subgroups": n_subgroups,
        "p_in": p_in,
        "p_middle": p_middle,
        "p_out": p_out,
    }
    graph = _draw(nested_sbm_plan, "nested-sbm", parameters, random_state)
    rng = np.random.default_rng(graph.meta["generator"]["random_state"])  # draws the numbers of the plan again
    _, _, each = (pick(rng, value) for value in (n_nodes, n_groups, n_subgroups))
    fine: Any = graph.y
    graph.meta["levels"] = [fine.tolist(), (fine // each).tolist()]
    return graph


def recovery_ratios(n_nodes: ArrayLike, n_clusters: ArrayLike, p_in: ArrayLike, p_out: ArrayLike) -> dict[str, Any]:
    """Say how far planted partitions lie above the theoretical thresholds, at which the ratios are 1.

    Parameters
    ----------
    n_nodes, n_clusters, p_in, p_out : array of float, of shapes that broadcast

    Returns
    -------
    dict
        "exact recovery": |sqrt(a) - sqrt(b)| / sqrt(K), with p = a log(n) / n within and b log(n) / n between (Abbe &
        Sandon 2015). "detection": (c_in - c_out)^2 / (K (c_in + (K - 1) c_out)), with c = n p: above the bound of
        Kesten and Stigum, 1, the partition can be found better than chance (Decelle et al. 2011).

    Examples
    --------
    >>> ratios = recovery_ratios(1000, 2, 0.02, 0.01)
    >>> {name: round(float(ratio), 2) for name, ratio in ratios.items()}
    {'exact recovery': 0.35, 'detection': 1.67}
    """
    n, k, p, q = (np.asarray(value, dtype=np.float64) for value in (n_nodes, n_clusters, p_in, p_out))
    scale = n / np.log(np.maximum(n, 2))
    exact = np.abs(np.sqrt(p * scale) - np.sqrt(q * scale)) / np.sqrt(k)
    degrees = np.maximum(k * n * (p + (k - 1) * q), 1e-300)
    return {"exact recovery": exact, "detection": np.square(n * (p - q)) / degrees}


def general_sbm(
    n_nodes: Whole = (50, 300),
    *,
    concentration: float = 0.7,
    max_clusters: int | None = 12,
    within: tuple[float, float] = (6.0, 3.0),
    between: tuple[float, float] = (1.0, 5.0),
    random_state: Any = None,
) -> Graph:
    """Draw from the General SBM (Pakman et al., ACP, section 5.2.1) with random sizes and densities.

    N ~ U{low, ..., high}; blocks from a Chinese Restaurant Process; each edge probability from a Beta distribution.

    Parameters
    ----------
    n_nodes : int or (int, int)
        Number of nodes, or a range, both ends included.
    concentration : float
        Concentration of the Chinese Restaurant Process; larger values give more blocks.
    max_clusters : int or None
        Largest number of blocks, on which the process is conditioned, as in the published runs.
    within, between : (float, float)
        Parameters of the Beta distributions of the probabilities within and between blocks.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from `sbm`.

    Raises
    ------
    UsageError
        An empty range, parameters that are not positive.

    Examples
    --------
    >>> 50 <= general_sbm(random_state=0).num_nodes <= 300
    True
    """
    parameters = {
        "n_nodes": n_nodes,
        "concentration": concentration,
        "max_clusters": max_clusters,
        "within": within,
        "between": between,
    }
    return _draw(general_sbm_plan, "general-sbm", parameters, random_state)


def log_degree_sbm(
    n_nodes: Whole = 300, n_clusters: Whole = 2, *, a: Real = 15.0, b: Real = 5.0, random_state: Any = None
) -> Graph:
    """Draw from the symmetric SBM with degrees of order log N (ACP, section 5.2.2).

    Equal blocks; p = a log(N) / N within and q = b log(N) / N between. For large N the blocks can be recovered exactly
    if |sqrt(a) - sqrt(b)| > sqrt(K), and not below (Abbe & Sandon 2015).

    Parameters
    ----------
    n_nodes, n_clusters : int, or (int, int)
        Number of nodes and of blocks. Each parameter may be a range to draw from.
    a, b : float, or (float, float)
        Factors of log(N) / N in the edge probabilities within and between blocks.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from `sbm`; `meta["exact_recovery"]` is |sqrt(a) - sqrt(b)| / sqrt(K), 1 at the threshold.

    Raises
    ------
    UsageError
        p or q above 1, fewer nodes than clusters.

    Examples
    --------
    >>> g = log_degree_sbm(300, 2, a=15, b=5, random_state=0)
    >>> round(g.meta["exact_recovery"], 2)
    1.16
    """
    parameters = {"n_nodes": n_nodes, "n_clusters": n_clusters, "a": a, "b": b}
    graph = _draw(log_degree_sbm_plan, "log-degree-sbm", parameters, random_state)
    matrix = graph.meta["probabilities"]
    ratios = recovery_ratios(graph.num_nodes, len(matrix), *matrix[0, [0, -1]])
    graph.meta["exact_recovery"] = float(ratios["exact recovery"])
    return graph


def cluster(
    n_clusters: int = 6,
    *,
    sizes: tuple[int, int] = (5, 34),
    p_in: float = 0.55,
    p_out: float = 0.25,
    random_state: Any = None,
) -> Graph:
    """Draw a graph of the CLUSTER benchmark (Dwivedi et al. 2020; ACP, section 5.2.3).

    Six blocks, their sizes uniform on 5, ..., 34, and the known label of one random node per block.

    Parameters
    ----------
    n_clusters : int
    sizes : (int, int)
        Range of the block sizes, both ends included.
    p_in, p_out : float
        Edge probabilities within and between blocks.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from `sbm`; `meta["labelled"]` lists one node of each block, in the order of the blocks.

    Raises
    ------
    UsageError
        An empty range, probabilities outside [0, 1].

    Examples
    --------
    >>> g = cluster(random_state=0)
    >>> g.y[g.meta["labelled"]].tolist()
    [0, 1, 2, 3, 4, 5]
    """
    parameters = {"n_clusters": n_clusters, "sizes": sizes, "p_in": p_in, "p_out": p_out}
    seed = check_seed(random_state)
    graph = _draw(cluster_plan, "cluster", parameters, seed)
    assert graph.y is not None
    graph.meta["labelled"] = one_of_each(np.random.default_rng((seed, 1)), graph.y).tolist()
    return graph


def one_of_each(rng: np.random.Generator, labels: IntArray) -> IntArray:
    """Choose a random node of each block.

    Parameters
    ----------
    rng : Generator
    labels : ndarray of int64, shape (n_nodes,)
        Every block from 0 to the largest has a node.

    Returns
    -------
    ndarray of int64, shape (n_blocks,)

    Examples
    --------
    >>> one_of_each(np.random.default_rng(0), np.array([1, 0, 1]))[0]
    np.int64(1)
    """
    order = rng.permutation(len(labels))
    return order[np.unique(labels[order], return_index=True)[1]]


def cluster_split(split: str, index: int, *, random_state: int = 0) -> Graph:
    """Return graph `index` of the train (10,000), val (1,000) or test (1,000) part of a CLUSTER data set.

    Every graph has a seed of its own, so that any of them can be drawn alone and no two parts share one.

    Raises
    ------
    UsageError
        No such part, an index beyond it.

    Examples
    --------
    >>> cluster_split("test", 999).meta["split"]
    ('test', 999)
    """
    if split not in CLUSTER_SPLITS:
        raise UsageError(f"the parts are {', '.join(CLUSTER_SPLITS)}, not {split!r}")
    if not 0 <= index < CLUSTER_SPLITS[split]:
        raise UsageError(f"{split} has the graphs 0 to {CLUSTER_SPLITS[split] - 1}, not {index}")
    key = (list(CLUSTER_SPLITS).index(split), index)
    graph = cluster(random_state=np.random.default_rng(np.random.SeedSequence(check_seed(random_state), spawn_key=key)))
    graph.meta["split"] = (split, index)
    return graph


def dc_sbm(
    sizes: ArrayLike,
    rates: ArrayLike,
    *,
    exponent: float = 2.5,
    max_ratio: float = 100.0,
    random_state: Any = None,
) -> Graph:
    """Draw from a degree-corrected SBM (Karrer & Newman 2011) with power-law propensities.

    Each node has a propensity theta, mean 1 over its block. The number of contacts of i and j is Poisson with mean
    theta_i theta_j rates[b_i, b_j], and they have an edge if there is at least one: P = 1 - exp(-mean), independently
    for all pairs.

    Parameters
    ----------
    sizes : array of int, shape (n_blocks,)
    rates : array of float, shape (n_blocks, n_blocks)
        Mean number of contacts of two average nodes; symmetric, not negative.
    exponent : float
        Exponent of the power law of propensities, above 1. With infinity, all propensities are equal.
    max_ratio : float
        Largest propensity over smallest, before they are scaled to mean 1.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from `sbm`; `meta["propensity"]` holds theta, shape (n_nodes,).

    Raises
    ------
    UsageError
        Sizes or rates out of range, an exponent of 1 or less, a ratio below 1.

    Examples
    --------
    >>> dc_sbm([50, 50], [[0.2, 0.02], [0.02, 0.2]], random_state=0).num_nodes
    100
    """
    counts = _check_sizes(sizes)
    matrix = _check_matrix(rates, len(counts), top=np.inf)
    if not exponent > 1 or not 1 <= max_ratio < np.inf:
        raise UsageError("the exponent is above 1, and the ratio of propensities at least 1")
    seed = check_seed(random_state)
    rng = np.random.default_rng(seed)
    labels = _shuffled(rng, counts)
    u = rng.random(len(labels))  # inverse distribution function of a power law on [1, max_ratio]
    theta = (
        np.ones(len(labels))
        if exponent == np.inf
        else (1 - u * (1 - max_ratio ** (1 - exponent))) ** (1 / (1 - exponent))
    )
    theta *= (counts / np.bincount(labels, weights=theta))[labels]
    first, second = np.triu_indices(len(counts))
    mean = matrix[first, second] * counts[first] * counts[second] / np.where(first == second, 2.0, 1.0)
    row = np.repeat(np.arange(len(first)), rng.poisson(mean))
    # ends drawn in proportion to theta: each block's nodes lie end to end on a line of length 1 a block
    order = np.argsort(labels, kind="stable")
    line = np.cumsum(theta[order] / counts[labels[order]])
    ends = []
    for block in (first[row], second[row]):
        place = np.searchsorted(line, block + rng.random(len(block)), side="right")
        start = np.cumsum(counts) - counts
        ends.append(order[np.clip(place, start[block], start[block] + counts[block] - 1)])  # rounding at the borders
    low, high = np.minimum(*ends), np.maximum(*ends)
    key = _distinct((low * len(labels) + high)[low < high])
    arguments = {"sizes": counts.tolist(), "rates": matrix.tolist(), "exponent": exponent, "max_ratio": max_ratio}
    arguments |= {"family": "dc-sbm", "random_state": seed}
    graph = _recorded(key // len(labels), key % len(labels), labels, arguments)
    graph.meta["propensity"] = theta
    return graph
