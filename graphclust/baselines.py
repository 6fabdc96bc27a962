"""Classical methods, as estimators: Leiden, Louvain, Infomap and label propagation of igraph, and spectral clustering.

What is added to igraph: a seed that fixes the result, weights and directions that are never dropped in silence,
communities that are checked to be connected (and repaired, with a note), and an exact number of communities.
"""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from graphclust.base import Fit, GraphEstimator, check_count, check_number
from graphclust.constraints import connected_parts
from graphclust.errors import UsageError
from graphclust.features import REGULARIZATION, leading_eigenvectors, rows_of_length_one, spectral_embedding
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.interrupts import uninterrupted
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed, seeded_igraph

if TYPE_CHECKING:
    import igraph

__all__ = [
    "Infomap",
    "LabelPropagation",
    "Leiden",
    "Louvain",
    "Spectral",
    "connected_parts",
    "fill_up",
    "kmeans",
    "merge_to",
    "one_conversion",
]

Converted: TypeAlias = "tuple[igraph.Graph, list[float] | None]"

_AT_ONCE = 200_000  # edges up to which one call of igraph makes all trials of Infomap: faster, but Ctrl-C has to wait
_MAX_SEARCH = 12  # runs of a method in search of a resolution that gives about K communities


_shared: ContextVar[tuple[Graph, Converted] | None] = ContextVar("_shared", default=None)


@contextmanager
def one_conversion(graph: Graph) -> Iterator[None]:
    """Let all methods that are fitted to this very graph inside the context share igraph's copy of it."""
    token = _shared.set((graph, _to_igraph(graph)))
    try:
        yield
    finally:
        _shared.reset(token)


def _to_igraph(graph: Graph) -> Converted:
    """Return the bare igraph graph, which nobody changes, and its weights."""
    import igraph as ig

    kept = _shared.get()
    if kept is not None and kept[0] is graph:
        return kept[1]
    edges = np.stack((graph.source, graph.target), axis=1)
    weights = None if graph.weight is None else graph.weight.tolist()
    return ig.Graph(n=graph.num_nodes, edges=edges, directed=graph.directed), weights


class _ClassicalEstimator(GraphEstimator):
    """Methods of igraph whose communities shall be connected."""

    needs: ClassVar[tuple[str, ...]] = ("igraph", "scipy.sparse.csgraph")

    def memory(self, graph: Graph) -> float:
        """Bytes of igraph's own copy, six integers an edge and two a node, and of its methods, as much again."""
        return 8.0 * (16 * graph.num_edges + 12 * graph.num_nodes)

    def _connected(self, graph: Graph, labels: IntArray) -> IntArray:
        """Repair communities that are not connected; return labels 0, 1, ..."""
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        parts = connected_parts(graph, labels)
        found, real = (int(x.max(initial=-1)) + 1 for x in (labels, parts))
        if real > found:
            self.notes_.append(f"{self.name} returned communities that are not connected: {found:,} became {real:,}")
            return parts
        return labels


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


def _exactly(graph: Graph, k: int, resolution: float, run: Callable[[float], IntArray], notes: list[str]) -> IntArray:
    """Find exactly k communities: those of the asked resolution, or of a finer one if they are too few, merged to k."""
    components = int(connected_parts(graph, np.zeros(graph.num_nodes, dtype=np.int64)).max()) + 1
    if k < components:
        notes.append(f"the graph has {components:,} components: for k = {k:,} some were joined")
    best: IntArray = np.arange(graph.num_nodes)
    best_count, best_resolution = graph.num_nodes, np.inf
    low, high, gamma, step = 0.0, np.inf, max(resolution, 1e-9), 2.0
    with task(f"search for {k} communities", _MAX_SEARCH) as advance:
        for _ in range(_MAX_SEARCH):
            labels = run(gamma)
            count = int(labels.max()) + 1
            if k <= count <= best_count:
                best, best_count, best_resolution = labels, count, gamma
            if k <= count <= 1.1 * k or (count > k and gamma <= resolution):
                break
            low, high = (gamma, high) if count < k else (low, gamma)
            if high == np.inf:
                gamma, step = gamma * step, min(step**2, 1e6)
            else:
                gamma = (low * high) ** 0.5
            advance()
    notes.append(
        f"k = {k:,}: {best_count:,} communities at resolution {best_resolution:.4g}"
        + (f", merged to {k:,} by modularity" if best_count > k else "")
    )
    if best_count > k:
        best = merge_to(graph, best, k)
        apart = int(connected_parts(graph, best).max()) + 1 - k
        if apart and k >= components:
            notes.append(f"{apart:,} small components were joined to others")
    return best


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenMP to one thread: once it has a pool, a child process that is forked later hangs at its first use."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):
        yield


class Leiden(_ClassicalEstimator):
    """Leiden algorithm (Traag, Waltman & van Eck 2019) for modularity or the constant Potts model, by igraph.

    Parameters
    ----------
    n_clusters : int, optional
        Exact number of communities: the resolution is searched, what is left over is merged by modularity.
    objective : {"modularity", "cpm"}
    resolution : float
        Larger values give more, smaller communities. For "cpm" it is the density that a community must exceed.
    n_iterations : int
        At most so many iterations; it stops when one changes nothing. -1: until then, however long it takes.
    beta : float
        Randomness of the refinement.
    random_state : int, Generator or None

    Examples
    --------
    >>> Leiden(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "leiden"
    summary: ClassVar[str] = "modularity or constant Potts model, connected communities"
    source: ClassVar[str] = "Traag, Waltman & van Eck 2019"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"
    takes_direction: ClassVar[bool] = True

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        objective: str = "modularity",
        resolution: float = 1.0,
        n_iterations: int = 10,
        beta: float = 0.01,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.objective = objective
        self.resolution = resolution
        self.n_iterations = n_iterations
        self.beta = beta
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        if self.objective not in ("modularity", "cpm"):
            raise UsageError(f"objective is modularity or cpm, not {self.objective!r}")
        check_number("resolution", self.resolution)
        check_number("beta", self.beta)
        limit = self.n_iterations
        if isinstance(limit, bool) or not isinstance(limit, int) or (limit < 1 and limit != -1):
            raise UsageError(f"n_iterations is a positive integer, or -1 for no limit; not {limit!r}")

    def _fit(self, graph: Graph) -> Fit:
        import igraph as ig

        limit = self.n_iterations
        seed = check_seed(self.random_state)
        ig_graph, problem = self._problem(graph)
        scale = problem.pop("scale")

        def run(resolution: float) -> IntArray:
            membership: list[int] | None = None
            done = 0
            with seeded_igraph(seed), task("leiden", limit if limit > 0 else None) as advance:
                while done != limit:
                    with uninterrupted():
                        found, _ = ig.GraphBase.community_leiden(
                            ig_graph,
                            resolution=resolution * scale,
                            beta=self.beta,
                            initial_membership=membership,
                            n_iterations=1,
                            **problem,
                        )
                    done += 1
                    advance()
                    if found == membership:
                        break
                    membership = found
            return self._connected(graph, np.array(membership, dtype=np.int64))

        if self.n_clusters is not None:
            return Fit(_exactly(graph, int(self.n_clusters), self.resolution, run, self.notes_))
        return Fit(run(self.resolution))

    def _problem(self, graph: Graph) -> tuple[igraph.Graph, dict[str, Any]]:
        """Return what igraph optimises: sum over pairs within communities of A_ij - scale * resolution * u_i * v_j.

        Directed modularity (Leicht & Newman 2008) has u, v the out- and in-degrees. igraph 1.0 moves a node only to
        communities that its out-edges lead to and so ends far from a local optimum; the objective does not change if
        each edge goes half forth and half back, and then every neighbour is seen.
        """
        import igraph as ig

        by_degree = self.objective == "modularity"
        if not graph.directed:
            ig_graph, weights = _to_igraph(graph)
            problem: dict[str, Any] = {"edge_weights": weights, "normalize_resolution": False, "scale": 1.0}
            if by_degree:  # not igraph's own degrees: there a self-loop counts once
                degree = graph.degree()
                problem |= {"node_weights": degree.tolist(), "scale": 1.0 / max(float(degree.sum()), 1e-300)}
            return ig_graph, problem
        source, target = np.stack((graph.source, graph.target)), np.stack((graph.target, graph.source))
        ig_graph = ig.Graph(n=graph.num_nodes, edges=np.stack((source.ravel(), target.ravel()), axis=1), directed=True)
        problem = {"edge_weights": np.tile(graph.edge_weight / 2, 2).tolist(), "normalize_resolution": False}
        if not by_degree:
            ones = [1.0] * graph.num_nodes
            return ig_graph, {**problem, "node_weights": ones, "node_in_weights": ones, "scale": 1.0}
        degrees = {"node_weights": graph.degree("out").tolist(), "node_in_weights": graph.degree("in").tolist()}
        return ig_graph, {**problem, **degrees, "scale": 1.0 / max(graph.total_weight, 1e-300)}


class Louvain(_ClassicalEstimator):
    """Louvain algorithm (Blondel et al. 2008) for modularity, by igraph.

    Parameters
    ----------
    n_clusters : int, optional
        Exact number of communities, as in `Leiden`.
    resolution : float
    random_state : int, Generator or None

    Examples
    --------
    >>> Louvain(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "louvain"
    summary: ClassVar[str] = "modularity, greedy moves and aggregation"
    source: ClassVar[str] = "Blondel, Guillaume, Lambiotte & Lefebvre 2008"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"

    def __init__(self, n_clusters: int | None = None, *, resolution: float = 1.0, random_state: Any = None) -> None:
        self.n_clusters = n_clusters
        self.resolution = resolution
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_number("resolution", self.resolution)

    def _fit(self, graph: Graph) -> Fit:
        import igraph as ig

        seed = check_seed(self.random_state)
        ig_graph, weights = _to_igraph(graph)

        def run(resolution: float) -> IntArray:
            with seeded_igraph(seed), task("louvain"), uninterrupted():
                found = ig.GraphBase.community_multilevel(ig_graph, weights, False, resolution)
            return self._connected(graph, np.array(found[0] if isinstance(found, tuple) else found, dtype=np.int64))

        if self.n_clusters is not None:
            return Fit(_exactly(graph, int(self.n_clusters), self.resolution, run, self.notes_))
        return Fit(run(self.resolution))


class Infomap(_ClassicalEstimator):
    """Infomap (Rosvall & Bergstrom 2008): the partition that describes a random walk in the fewest bits, by igraph.

    Parameters
    ----------
    trials : int
        Independent attempts; the shortest description is kept.
    random_state : int, Generator or None

    Examples
    --------
    >>> Infomap(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "infomap"
    summary: ClassVar[str] = "shortest description of a random walk"
    source: ClassVar[str] = "Rosvall & Bergstrom 2008"
    takes_direction: ClassVar[bool] = True

    def __init__(self, *, trials: int = 10, random_state: Any = None) -> None:
        self.trials = trials
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_count("trials", self.trials)

    def _fit(self, graph: Graph) -> Fit:
        import igraph as ig

        ig_graph, weights = _to_igraph(graph)
        trials = int(self.trials)
        at_once = trials if graph.num_edges <= _AT_ONCE else 1
        best, shortest = None, np.inf
        with seeded_igraph(check_seed(self.random_state)), task("infomap"), _one_thread():
            for _ in range(trials // at_once):
                with uninterrupted():
                    membership, length = ig.GraphBase.community_infomap(ig_graph, weights, None, at_once)
                if best is None or length < shortest:
                    best, shortest = membership, length
        return Fit(self._connected(graph, np.array(best, dtype=np.int64)))


class LabelPropagation(_ClassicalEstimator):
    """Label propagation (Raghavan, Albert & Kumara 2007), by igraph: nodes adopt the label most common around them.

    Parameters
    ----------
    random_state : int, Generator or None

    Examples
    --------
    >>> LabelPropagation(random_state=1).fit([(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "label-propagation"
    summary: ClassVar[str] = "nodes adopt the label most common around them"
    source: ClassVar[str] = "Raghavan, Albert & Kumara 2007"

    def __init__(self, *, random_state: Any = None) -> None:
        self.random_state = random_state

    def _fit(self, graph: Graph) -> Fit:
        import igraph as ig

        ig_graph, weights = _to_igraph(graph)
        with seeded_igraph(check_seed(self.random_state)), task("label propagation"), uninterrupted():
            found = ig.GraphBase.community_label_propagation(ig_graph, weights=weights)
        return Fit(self._connected(graph, np.array(found, dtype=np.int64)))


class Spectral(GraphEstimator):
    """Spectral clustering: k-means on the leading eigenvectors of the regularised normalised adjacency matrix.

    The relaxation of the normalized cut (Shi & Malik 2000), by default with rows scaled to length one (Ng, Jordan &
    Weiss 2002), which is the better on most real networks; where some communities hardly differ from the rest of the
    graph, as in general block models, dividing by the degrees is.
    A small constant is added to all pairs of nodes (Amini et al. 2013; Joseph & Yu 2016), without which isolated
    nodes and pendant pieces take up the leading eigenvectors of a sparse graph.

    Parameters
    ----------
    n_clusters : int
        Exact number of communities.
    regularization : float
        The constant, as a fraction of the mean degree spread over a node's pairs. 0 is the textbook's method.
    n_init : int
        Restarts of k-means.
    embedding : {"njw", "shi-malik"}
        Rows of length one, or the eigenvectors of the random walk; see `graphclust.features.spectral_embedding`.
    random_state : int, Generator or None

    Examples
    --------
    >>> Spectral(2, random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "spectral"
    summary: ClassVar[str] = "k-means on eigenvectors, relaxed normalized cut"
    source: ClassVar[str] = "Shi & Malik 2000; Ng, Jordan & Weiss 2002; Joseph & Yu 2016"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "required"
    needs: ClassVar[tuple[str, ...]] = ("scipy.sparse.linalg", "sklearn.cluster")

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        regularization: float = REGULARIZATION,
        n_init: int = 10,
        embedding: str = "njw",
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.regularization = regularization
        self.n_init = n_init
        self.embedding = embedding
        self.random_state = random_state

    def memory(self, graph: Graph) -> float:
        """Lanczos vectors, their restart copy, the embedding and the matrix."""
        vectors = max(2 * int(self.n_clusters or 1) + 1, 20)
        return 8.0 * (graph.num_nodes * 3 * vectors + 6 * graph.num_edges)

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_number("regularization", self.regularization)
        check_count("n_init", self.n_init)
        if self.embedding not in ("njw", "shi-malik"):
            raise UsageError(f"embedding is njw or shi-malik, not {self.embedding!r}")

    def _fit(self, graph: Graph) -> Fit:
        k = int(self.n_clusters or 1)
        if k == 1:
            return Fit(np.zeros(graph.num_nodes, dtype=np.int64))
        seed = check_seed(self.random_state)
        with task("eigenvectors"):
            embedding = spectral_embedding(
                graph, k, self.embedding, regularization=self.regularization, random_state=seed
            )
            if embedding.shape[1] < k:
                self.notes_.append(f"only {embedding.shape[1]} of {k} eigenvectors converged")
        with task("k-means"):
            return Fit(kmeans(embedding, k, self.n_init, seed))

    @staticmethod
    def several(graph: Graph, numbers: Sequence[int], seed: int) -> dict[str, IntArray]:
        """Cluster into several numbers of communities, with one decomposition and one start of k-means each.

        Parameters
        ----------
        graph : Graph
            Undirected.
        numbers : sequence of int
            Above 1 and below the number of nodes; some clusters may stay empty.
        seed : int

        Returns
        -------
        dict
            "spectral 5" -> labels, ndarray of int64, shape (n_nodes,).
        """
        if not numbers:
            return {}
        from scipy.cluster.vq import kmeans2  # a quick start is enough, and scikit-learn takes a second to import

        vectors = leading_eigenvectors(graph, max(numbers), random_state=seed)
        found = {}
        for k in numbers:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a cluster may stay empty
                labels = kmeans2(rows_of_length_one(vectors[:, -k:]), k, 10, minit="++", rng=seed)[1]
            found[f"spectral {k}"] = labels.astype(np.int64)
        return found


def kmeans(points: FloatArray, k: int, n_init: int, seed: int) -> IntArray:
    """Cluster points into exactly k non-empty clusters by scikit-learn's k-means.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        At least k of them.
    k, n_init, seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), _one_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters: handled below
        labels = KMeans(k, n_init=n_init, random_state=seed).fit_predict(points).astype(np.int64)
    return fill_up(points, labels, k)


def fill_up(points: FloatArray, labels: IntArray, k: int) -> IntArray:
    """Split off the farthest member of the largest cluster until there are k non-empty clusters.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        At least k of them, some of which may be equal.
    labels : ndarray of int64, shape (n,)
    k : int
    """
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    for new in range(int(labels.max()) + 1, k):
        largest = np.flatnonzero(labels == np.bincount(labels).argmax())
        distance = np.linalg.norm(points[largest] - points[largest].mean(axis=0), axis=1)
        labels[largest[distance.argmax()]] = new
    return labels
