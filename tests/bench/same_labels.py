"""Compare the labels of every method with a record: python tests/bench/same_labels.py [record] [PART ...].

For changes that must not change results. `record` writes tests/golden/labels.npz from the code at hand; without it,
the labels are computed again and every difference is printed with its adjusted mutual information.

PART is the name of a method or of an input; by default all are run: every method on twelve graphs, with the number of
communities left open where that is possible and fixed where it is not, and with refinement; the methods that take
points on three tables. Three seeds each. Floating-point results can differ between processors, so compare on the
machine that recorded.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import networkx as nx
import numpy as np

import graphclust as gc

RECORD = Path(__file__).resolve().parent.parent / "golden" / "labels.npz"
SEEDS = (0, 1, 2)
K = 3
REFINED = ("leiden", "spectral", "label-propagation")
POINTS = ("acp", "clam", "cnc", "lnscc")


def weighted():
    graph = gc.generators.planted_partition(80, 4, p_in=0.4, p_out=0.1, random_state=5)
    weight = np.random.default_rng(0).integers(1, 9, graph.num_edges)
    return gc.Graph.from_edges(graph.source, graph.target, weight, nodes=graph.num_nodes)


def directed():
    graph = nx.gnp_random_graph(60, 0.08, seed=3, directed=True)
    graph.remove_edges_from([(u, v) for u, v in list(graph.edges) if u // 20 != v // 20 and (u + v) % 3])
    return graph


def pieces():
    """Three components with isolated nodes, self-loops and string ids."""
    parts = [nx.barbell_graph(8, 2), nx.connected_caveman_graph(3, 6), nx.path_graph(7), nx.empty_graph(4)]
    graph = nx.disjoint_union_all(parts)
    graph.add_edges_from([(0, 0), (20, 20)])
    return nx.relabel_nodes(graph, {node: f"v{node}" for node in graph})


def featured():
    graph = gc.generators.planted_partition(60, 3, p_in=0.3, p_out=0.05, random_state=4)
    x = np.eye(3)[graph.y] + np.random.default_rng(1).normal(0, 0.6, (60, 3))
    return gc.Graph.from_edges(graph.source, graph.target, nodes=60, x=x)


GRAPHS = {
    "karate": lambda: gc.datasets.load("karate"),
    "les-miserables": lambda: gc.datasets.load("les-miserables"),
    "planted": lambda: gc.datasets.load("planted"),
    "ring-of-cliques": lambda: gc.datasets.load("ring-of-cliques"),
    "hard-blocks": lambda: gc.generators.planted_partition(80, 4, p_in=0.3, p_out=0.08, random_state=3),
    "general-sbm": lambda: gc.generators.general_sbm(random_state=7),
    "lfr": lambda: gc.generators.lfr(250, mu=0.3, random_state=1),
    "weighted": weighted,
    "directed": directed,
    "pieces": pieces,
    "star": lambda: nx.star_graph(30),
    "featured": featured,
}


def moons():
    angle = np.random.default_rng(2).uniform(0, np.pi, (2, 45))
    noise = np.random.default_rng(3).normal(0, 0.1, (90, 2))
    upper = np.column_stack((np.cos(angle[0]), np.sin(angle[0])))
    lower = np.column_stack((1 - np.cos(angle[1]), 0.4 - np.sin(angle[1])))
    return np.concatenate((upper, lower)) + noise


TABLES = {
    "blobs": lambda: np.random.default_rng(0).normal(0, 1, (90, 2)) + 5.0 * np.eye(3)[:, :2].repeat(30, axis=0),
    "moons": moons,
    "mixture": lambda: gc.generators.gaussian_mixture(80, random_state=11).x,
}


def runs(parts):
    """Yield the key of each run and a function that returns its labels."""
    for method, kind in gc.METHODS.items():
        numbers = {"no": [None], "optional": [None, K], "required": [K]}[kind.takes_n_clusters]
        refinements = [None, "dc-sbm"] if method in REFINED else [None]
        for name, make in GRAPHS.items():
            if parts and not {method, name} & parts:
                continue
            graph = make()
            for n_clusters in numbers:
                for refine in refinements:
                    for seed in SEEDS:
                        key = f"{method}/{name}/k={n_clusters}/refine={refine}/seed={seed}"
                        yield key, lambda a=(graph, method, n_clusters, seed), r=refine: gc.detect(*a, refine=r)
        for name, make in TABLES.items():
            if method in POINTS and not (parts and not {method, name} & parts):
                n_clusters = K if kind.takes_n_clusters == "required" else None
                x = make()
                for seed in SEEDS:
                    key = f"{method}/{name}/points/seed={seed}"
                    yield key, lambda a=(kind, x, n_clusters, seed): fitted(*a)


def fitted(kind, x, n_clusters, seed):
    estimator = kind(random_state=seed)
    if n_clusters is not None:
        estimator.set_params(n_clusters=n_clusters)
    return estimator.fit(x)


def labels_of(run):
    """Return the labels and confidence of a run; of one that is refused an empty array and the error's name."""
    try:
        fit = run()
    except gc.GraphclustError as error:
        return np.empty(0, dtype=np.int16), type(error).__name__
    labels = getattr(fit, "labels_", None)
    return (fit.labels if labels is None else labels).astype(np.int16), ""


def main():
    words = sys.argv[1:]
    recording = "record" in words
    parts = set(words) - {"record"}
    if recording and parts:
        sys.exit("record takes no parts: it records everything")
    earlier = {} if recording else dict(np.load(RECORD))
    results, different, seconds = {}, 0, {}
    for key, run in runs(parts):
        start = time.perf_counter()
        labels, error = labels_of(run)
        method = key.split("/")[0]
        seconds[method] = seconds.get(method, 0.0) + time.perf_counter() - start
        results[key] = labels
        if recording:
            continue
        if key not in earlier:
            print(f"NEW   {key}")
        elif not np.array_equal(earlier[key], labels):
            different += 1
            both = len(labels) == len(earlier[key]) > 0
            score = f"AMI {gc.metrics.ami(earlier[key], labels):.3f}" if both else error or "another length"
            print(f"DIFFERENT {key}: {score}", flush=True)
    if recording:
        np.savez_compressed(RECORD, **results)
    else:
        missing = [] if parts else sorted(set(earlier) - set(results))
        print(*(f"MISSING {key}" for key in missing), sep="\n", end="\n" if missing else "")
        print(f"{'MISS' if different or missing else 'ok  '} {len(results)} runs, {different} with other labels")
    print(", ".join(f"{method} {value:.0f} s" for method, value in seconds.items()))
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
