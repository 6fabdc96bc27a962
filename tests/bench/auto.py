"""What `auto` and exact inference reach, each part a process of its own: python tests/bench/auto.py [PART ...].

| part | |
|---|---|
| general-sbm | 200 graphs of the ACP paper's family: AMI, number of communities, time, calibration of confidence |
| cluster | 1,000 test graphs of CLUSTER: unsupervised AMI; one label a block known: accuracy pooled by class |
| log-degree | N = 300, K = 2 and N = 600, K = 4 over a grid of (a, b), beside Leiden and spectral with the true K |
| random | Erdős-Rényi graphs, which have no communities |
| lfr | 10,000 nodes, mu 0.2 to 0.5, beside the classical methods |
| lfr-100k | 100,000 nodes: time and memory, too |
| real | labelled graphs (needs the data, see graphclust.datasets) |
| chains | convergence of the chains on classic graphs, two seeds (needs the data) |
| dblp | com-dblp: time and memory (needs the data) |

Seeds of test graphs start at `synthetic.TEST`. Labels are used for scores only, and for the number of communities that
spectral clustering is told.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter

import networkx as nx
import numpy as np

import graphclust as gc
from graphclust.metrics import Contingency, ami
from graphclust.training.synthetic import TEST

PEERS = ("leiden", "louvain", "infomap", "label-propagation")


def mean(values):
    """The mean and its standard error, which one value has none of."""
    values = np.asarray(values, dtype=float)
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{values.mean():.4f} ± {values.std(ddof=1) / np.sqrt(len(values)):.4f}"


def bar(name, value, met, wanted):
    print(f"{'ok  ' if met else 'MISS'} {name}: {value} (bar: {wanted})", flush=True)


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def general_sbm(n_graphs=200):
    gc.detect(gc.generators.general_sbm(random_state=TEST - 1))  # imports and compiles
    scores, right, seconds, confidence, correct = [], [], [], [], []
    for seed in range(TEST, TEST + n_graphs):
        graph = gc.generators.general_sbm(random_state=seed)
        start = time.perf_counter()
        communities = gc.detect(graph, random_state=seed)
        seconds.append(time.perf_counter() - start)
        scores.append(ami(graph.y, communities.labels))
        right.append(communities.n_clusters == len(np.unique(graph.y)))
        table = Contingency.of(communities.labels, graph.y)
        confidence += communities.confidence.tolist()
        correct += table.matched()[table.cell].tolist()
    probability, hit = np.array(confidence), np.array(correct)
    place = np.minimum((probability * 20).astype(int), 19)
    error = sum(abs((probability - hit)[place == b].sum()) for b in range(20)) / len(hit)
    limit = [known_prior(gc.generators.general_sbm(random_state=seed)) for seed in range(TEST, TEST + n_graphs)]
    print(f"general-sbm, {n_graphs} graphs; chains that know the prior, 8 x 400 sweeps: AMI {mean(limit)}")
    bar("AMI", mean(scores), np.mean(scores) >= 0.955, "0.955")
    bar("difference from the chains that know the prior", mean(np.subtract(scores, limit)), True, "none set")
    bar("K right", f"{np.mean(right):.3f}", np.mean(right) >= 0.6, "0.6")
    median = np.median(seconds)
    spread = f"median {median:.3f}, mean {np.mean(seconds):.3f}, at most {np.max(seconds):.2f}"
    bar("seconds a graph", spread, median < 0.2, "median 0.2")
    bar("expected calibration error of confidence", f"{error:.4f}", error <= 0.02, "0.02")


def known_prior(graph):
    from graphclust.inference.block_models import StochasticBlockModel
    from graphclust.inference.priors import crp_prior

    n = graph.num_nodes
    model = StochasticBlockModel(graph.source, graph.target, n, prior=crp_prior(n, 0.7))
    rng = np.random.default_rng(0)
    starts = [np.zeros(n, dtype=int) if i % 2 else rng.integers(0, 12, n) for i in range(8)]
    chains = model.sample(starts, 50, 400, threads=2)
    place = np.unravel_index(np.argmax(chains.log_joint), chains.log_joint.shape)
    return ami(graph.y, chains.samples[place])


def cluster(n_graphs=1000):
    from graphclust.reproduce.acp_table3 import reproduce

    blind, informed = reproduce(n_graphs, methods=("chains",))["rows"]
    seconds = [row["ms_per_graph"] / 1000 for row in (blind, informed)]
    print(f"cluster, {n_graphs} test graphs, {seconds[0]:.2f} s a graph without labels, {seconds[1]:.2f} s with")
    bar("AMI, unsupervised", f"{blind['ami']:.2f} ± {blind['ami_se']:.2f}", blind["ami"] >= 66.5, "66.5")
    pooled = informed["accuracy"]
    bar("accuracy pooled by class, one label a block", f"{pooled:.2f}", pooled >= 82, "82")
    print(f"     accuracy balanced within each graph: {informed['accuracy_balanced']:.2f}")


def log_degree():
    for n, k, repeats in ((300, 2, 6), (600, 4, 4)):
        print(f"log-degree-sbm, N = {n}, K = {k}, {repeats} graphs a point: auto / leiden / spectral with the true K")
        worst, chance, failed = np.inf, [], []
        for a in (2, 5, 10, 15, 20, 25, 30):
            row = []
            for b in (1, 2, 4, 6, 8, 10):
                scores = {"auto": [], "leiden": [], "spectral": []}
                for repeat in range(repeats):
                    seed = TEST + 1000 * repeat + 31 * a + b
                    graph = gc.generators.log_degree_sbm(n_nodes=n, n_clusters=k, a=a, b=b, random_state=seed)
                    for name, values in scores.items():
                        labels = gc.detect(graph, name, k if name == "spectral" else None, seed).labels
                        values.append(ami(graph.y, labels))
                mine, *others = (np.mean(values) for values in scores.values())
                row.append("/".join(f"{value:.2f}" for value in (mine, *others)))
                if max(others) > 0.5:
                    worst = min(worst, mine - max(others))
                    if mine < max(others) - 0.01:
                        failed.append((a, b, round(mine, 3), round(max(others), 3)))
                if (a - b) ** 2 * np.log(n) < 0.25 * k * (a + (k - 1) * b):  # a quarter of Kesten-Stigum's signal
                    chance.append(mine)
            print(f"a = {a:2d}  " + "  ".join(row), flush=True)
        bar("worst difference from the better of both where it exceeds 0.5", f"{worst:.4f}", not failed, "-0.01")
        print("     below:", failed)
        bar("AMI far below the threshold", mean(chance), np.mean(chance) < 0.05, "0.05")


def random(n_graphs=100):
    for p in (0.02, 0.05, 0.1, 0.3):
        row = []
        for seed in range(n_graphs):
            graph = gc.generators.planted_partition(300, 1, p_in=p, p_out=p, random_state=TEST + seed)
            sizes = np.bincount(gc.detect(graph, random_state=seed).labels)
            row.append(sizes.max() == (graph.degree() > 0).sum())
        bar(f"one community (and isolated nodes), p = {p}", f"{np.mean(row):.3f}", np.mean(row) >= 0.95, "0.95")


def lfr(n=10_000, repeats=3):
    for mu in (0.2, 0.3, 0.4, 0.5):
        scores = {name: [] for name in ("auto", *PEERS)}
        seconds = Counter()
        for seed in range(TEST, TEST + repeats):
            graph = gc.generators.lfr(n, mu=mu, average_degree=10.5, random_state=seed)
            for name, values in scores.items():
                start = time.perf_counter()
                values.append(ami(graph.y, gc.detect(graph, name, random_state=seed).labels))
                seconds[name] += (time.perf_counter() - start) / repeats
        best = max(PEERS, key=lambda name: np.mean(scores[name]))
        print(
            f"lfr {n:,}, mu = {mu}: "
            + ", ".join(f"{name} {mean(values)} in {seconds[name]:.1f} s" for name, values in scores.items())
        )
        gap = np.mean(scores["auto"]) - np.mean(scores[best])
        bar(f"auto minus the best peer, {best}", f"{gap:.4f}", gap >= -0.005, "-0.005")
        if n > 50_000:
            bar("seconds", f"{seconds['auto']:.1f}", seconds["auto"] < 60, "60")


def lfr_memory():
    """The peak of `auto` alone, in a process of its own."""
    graph = gc.generators.lfr(100_000, mu=0.4, average_degree=10.5, random_state=TEST)
    gc.detect(graph)
    bar(f"GiB, {graph.num_edges:,} edges", f"{memory():.2f}", memory() < 2, "2")


def real():
    names = ["karate", "dolphins", "football", "polbooks", "polblogs", "email-Eu-core"]
    names += [f"graphchallenge-{size}" for size in (50, 100, 500, 1000)]
    table = {}
    for name in names:
        graph = gc.datasets.load(name)
        k = len(np.unique(graph.y))
        linked = graph.degree() > 0
        for method in ("auto", *PEERS, "spectral"):
            runs = [gc.detect(graph, method, k if method == "spectral" else None, seed) for seed in range(3)]
            table[name, method] = [
                np.mean([ami(graph.y, communities.labels) for communities in runs]),
                np.mean([ami(graph.y[linked], communities.labels[linked]) for communities in runs]),
            ]
    methods = ("auto", *PEERS, "spectral")
    print("labelled graphs, AMI, mean of seeds 0, 1, 2; spectral is told the true K\n" + " " * 20 + "  ".join(methods))
    for name in names:
        print(f"{name:20s}" + "  ".join(f"{table[name, m][0]:{len(m)}.3f}" for m in methods))
    for title, chosen, column in (
        ("mean of nine, isolated nodes left out", names[:6] + names[7:], 1),
        ("mean of nine, all nodes", names[:6] + names[7:], 0),
        ("mean of ten, all nodes", names, 0),
    ):
        means = {m: np.mean([table[name, m][column] for name in chosen]) for m in methods}
        best = np.mean([max(table[name, m][column] for m in PEERS) for name in chosen])
        print(f"{title}: " + ", ".join(f"{m} {v:.3f}" for m, v in means.items()) + f"; best peer each {best:.3f}")
        bar("auto, " + title, f"{means['auto']:.3f}", means["auto"] > 0.74, "0.74, aim 0.779")


def chains():
    graphs = {name: gc.datasets.load(name) for name in ("karate", "dolphins", "football", "polbooks", "email-Eu-core")}
    graphs["les-miserables"] = gc.datasets.load("les-miserables")
    graphs["les-miserables, no weights"] = gc.as_graph(nx.les_miserables_graph(), weight=None)
    gc.detect(graphs["karate"])  # imports and compiles
    for name, graph in graphs.items():
        runs = []
        for seed in range(2):
            start = time.perf_counter()
            communities = gc.detect(graph, random_state=seed)
            runs.append((communities, communities.details["chains"]["r_hat"], time.perf_counter() - start))
        limit = 20 if name == "email-Eu-core" else 3
        bar(f"{name}, R-hat", [run[1] for run in runs], all(run[1] < 1.1 for run in runs), "1.1")
        bar(f"{name}, seconds", [round(run[2], 2) for run in runs], all(run[2] < limit for run in runs), limit)
        first, second = (run[0].posterior.co_membership() for run in runs)
        gap = float(np.abs(first - second).mean())
        bar(f"{name}, mean difference in co-membership", f"{gap:.3f}", gap < 0.05, "0.05")


def dblp():
    graph = gc.datasets.load("com-dblp")
    before = memory()
    start = time.perf_counter()
    communities = gc.detect(graph)
    seconds = time.perf_counter() - start
    print(f"com-dblp: {communities.n_clusters:,} communities, modularity {communities.quality()['modularity']:.3f}")
    bar("seconds", f"{seconds:.0f}", seconds < 300, "300")
    bar("GiB", f"{memory():.2f}, of which the graph {before:.2f}", memory() < 4, "4")


PARTS = {
    "general-sbm": general_sbm,
    "cluster": cluster,
    "log-degree": log_degree,
    "random": random,
    "lfr": lfr,
    "lfr-100k": lambda: lfr(100_000, 1),
    "lfr-memory": lfr_memory,
    "real": real,
    "chains": chains,
    "dblp": dblp,
}
NEEDS_DATA = ("real", "chains", "dblp")


def main():
    parts = sys.argv[1:]
    if len(parts) == 1:
        PARTS[parts[0]]()
        return
    for part in parts or PARTS:
        if part in NEEDS_DATA and "GRAPHCLUST_DATA" not in os.environ:
            print(f"{part}: left out, set GRAPHCLUST_DATA to the folder with the data")
            continue
        subprocess.run([sys.executable, __file__, part], check=True)
    print(json.dumps({"cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
