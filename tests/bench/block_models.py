"""Block models beside graph-tool, in one run: python tests/bench/block_models.py [PART ...] [GRAPH ...].

| part | |
|---|---|
| lengths | shortest descriptions under dc-sbm, flat and nested, and the time: labelled, 10 LFR and 10 planted graphs |
| ball | the same for 20,000 nodes around the largest hub of com-dblp; graph-tool runs once |
| dblp | com-dblp under dc-sbm, flat and nested; `dblp graph-tool` also runs graph-tool, which takes an hour |
| directed | lengths of directed graphs: labelled ones and planted ones whose groups only directions tell |
| nested | AMI on each level of 30 two-level planted graphs, beside graph-tool's nested model |
| assortative | lengths under the planted partition of Zhang & Peixoto, and those of `planted` and dc-sbm beside them |
| cut | AMI of a hierarchy that is cut into the labelled number of communities, beside auto with this number |
| two-mode | AMI on two-mode planted graphs, beside graph-tool with the sides given, and Davis' Southern women |

graph-tool runs in the Python that GRAPHCLUST_GRAPH_TOOL names, by default /usr/bin/python3; without it, only our
results are printed. Infomap runs in that of GRAPHCLUST_PEERS. Graphs are reduced to their largest component, without
directions, self-loops and weights. All partitions are measured by `graphclust.inference.description_length`, whose
q(m, n) is exact. Ours is one run of auto, with its proposals and chains; graph-tool's is the best of three runs of its
own minimization, and the mean of their times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import graphclust as gc
from graphclust.inference.description_length import describe
from graphclust.problem.constraints import components

GRAPH_TOOL = os.environ.get("GRAPHCLUST_GRAPH_TOOL", "/usr/bin/python3")
LABELLED = (
    *("karate", "les-miserables", "dolphins", "polbooks", "football", "polblogs", "email-Eu-core", "cora", "citeseer"),
    *("acm", "dblp", "reuters-10k", *(f"graphchallenge-{n}" for n in (50, 100, 500, 1000))),
)
SCRIPT = """
import json, sys, time
import graph_tool.all as gt, numpy as np
data = np.load(sys.argv[1])
graph = gt.Graph(directed=bool(data["directed"]))
graph.add_vertex(int(data["n"]))
graph.add_edge_list(np.stack([data["source"], data["target"]], axis=1))
side = {"pclabel": graph.new_vp("int", data["side"])} if "side" in data else {}
gt.seed_rng(int(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    for kind in sys.argv[4].split(","):
        start = time.perf_counter()
        if kind == "assortative":
            state = gt.minimize_blockmodel_dl(graph, state=gt.PPBlockState)
            levels = [state.get_blocks().a.tolist()]
        elif kind == "flat":
            state = gt.minimize_blockmodel_dl(graph, state_args=dict(deg_corr=True, **side))
            levels = [state.get_blocks().a.tolist()]
        else:
            state = gt.minimize_nested_blockmodel_dl(graph, state_args=dict(deg_corr=True, **side))
            levels = [np.asarray(level).tolist() for level in state.get_bs()]
        print(json.dumps([kind, time.perf_counter() - start, levels]), flush=True)
"""


def largest_component(graph, *, directed=False):
    """The largest component, without directions unless these are asked for, self-loops and weights."""
    graph = graph if directed else graph.undirected()
    ends = graph.source, graph.target
    plain = gc.Graph.from_edges(*ends, nodes=graph.num_nodes, directed=directed).without_self_loops()
    component = components(plain)
    nodes = np.flatnonzero(component == np.bincount(component).argmax())
    return plain.subgraph(nodes), nodes


def graph_tool(graph, n_runs, kinds, seed=0, side=None):
    """Results of graph-tool: rows of kind, seconds and levels, the finest first, as labels of the nodes."""
    if not Path(GRAPH_TOOL).exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.npz")
        sides = {} if side is None else {"side": side}
        np.savez(path, source=graph.source, target=graph.target, n=graph.num_nodes, directed=graph.directed, **sides)
        command = [GRAPH_TOOL, "-c", SCRIPT, path, str(seed), str(n_runs), ",".join(kinds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"     no graph-tool: {done.stderr.strip().splitlines()[-1]}")
        return []
    rows = []
    for line in done.stdout.splitlines():
        kind, seconds, parents = json.loads(line)
        levels = [np.array(parents[0])]
        for parent in parents[1:]:
            levels.append(np.array(parent)[levels[-1]])
        rows.append((kind, seconds, [level for level in levels if len(np.unique(level)) > 1 or level is levels[0]]))
    return rows


def length(graph, kind, levels):
    """The description length, with one more level above a hierarchy of one."""
    if kind == "assortative":
        return describe(graph, levels[0], kind).total
    return describe(graph, levels[0] if kind == "flat" else [*levels, np.zeros(graph.num_nodes, int)], "dc-sbm").total


def ours(graph, kind):
    """Seconds, and levels."""
    start = time.perf_counter()
    model = "assortative" if kind == "assortative" else "dc-sbm"
    found = gc.detect(graph, model=model, hierarchy=kind == "nested")
    seconds = time.perf_counter() - start
    return seconds, list(found.hierarchy.levels) if kind == "nested" else [found.labels]


def compare(name, graph, n_runs=3, kinds=("flat", "nested")):
    """Print a line for each kind; return (excess over graph-tool's best, our seconds, its mean seconds) of each."""
    peers, rows = graph_tool(graph, n_runs, kinds), []
    for kind in kinds:
        seconds, levels = ours(graph, kind)
        mine = length(graph, kind, levels)
        text = f"{name:18} {kind:6} {graph.num_nodes:7,} nodes  ours {mine:11,.1f} {seconds:6.2f} s"
        lengths = [length(graph, kind, other) for other_kind, _, other in peers if other_kind == kind]
        if lengths:
            mean = float(np.mean([s for other_kind, s, _ in peers if other_kind == kind]))
            excess = mine / min(lengths) - 1
            text += f"  graph-tool {min(lengths):11,.1f} {mean:6.2f} s  {100 * excess:+.3f} %"
            rows.append((kind, excess, seconds, mean))
        print(text, flush=True)
    return rows


def graphs_of_lengths(only):
    graphs = {}
    for name in LABELLED:
        graphs[name] = largest_component(gc.datasets.load(name))[0]
    for seed in range(10):
        graphs[f"lfr {seed}"] = largest_component(gc.generators.lfr(1000, random_state=seed))[0]
        planted = gc.generators.planted_partition(1000, 20, p_in=0.25, p_out=0.01, random_state=seed)
        graphs[f"planted {seed}"] = largest_component(planted)[0]
    return {name: graph for name, graph in graphs.items() if not only or name in only}


def assortative(only=()):
    """Lengths under the model of Zhang & Peixoto; then each model's own partition under that model, in nats."""
    rows, shortest = [], []
    for name, graph in graphs_of_lengths(only).items():
        rows += compare(name, graph, kinds=("assortative",))
        partitions = {model: gc.detect(graph, model=model).labels for model in ("planted", "assortative", "dc-sbm")}
        nats = {model: describe(graph, labels, model).total for model, labels in partitions.items()}
        print(f"     {name:18} {', '.join(f'{model} {value:,.1f}' for model, value in nats.items())}", flush=True)
        shortest.append(min(nats, key=nats.get))
    summary(rows)
    print(f"     shortest: {', '.join(f'{model} on {shortest.count(model)}' for model in sorted(set(shortest)))}")


def lengths(only=()):
    graphs = graphs_of_lengths(only)
    for hierarchy in (False, True):  # loads what is compiled
        gc.detect(gc.datasets.load("karate"), model="dc-sbm", hierarchy=hierarchy)
    summary([row for name, graph in graphs.items() for row in compare(name, graph)])


def summary(rows):
    for kind in ("flat", "nested", "assortative"):
        excess, mine, peer = (np.array([row[i] for row in rows if row[0] == kind]) for i in (1, 2, 3))
        if len(excess):
            share = (excess <= 1e-9).mean()
            mark = "ok  " if share >= 0.9 and excess.max() <= 0.001 else "MISS"
            print(
                f"{mark} {kind}: not longer on {share:.0%} of {len(excess)} graphs (bar: 90 %), at most "
                f"{100 * excess.max():+.3f} % (bar: .1 %), mean {100 * excess.mean():+.3f} %; {mine.sum():.1f} s, "
                f"graph-tool's mean {peer.sum():.1f} s, faster on {(mine <= peer).mean():.0%}"
            )


def ball(only=()):
    graph = gc.datasets.load("com-dblp")
    rows = graph.adjacency()
    nodes = [int(np.diff(rows.indptr).argmax())]
    seen, front = set(nodes), nodes
    while len(nodes) < 20_000:
        front = [int(j) for j in np.unique(rows[front].indices) if j not in seen]
        seen.update(front)
        nodes = [*nodes, *front]
    summary(compare("ball of com-dblp", largest_component(graph.subgraph(np.sort(nodes[:20_000])))[0], n_runs=1))


def dblp(only=()):
    graph = largest_component(gc.datasets.load("com-dblp"))[0]
    for kind in ("flat", "nested"):
        seconds, levels = ours(graph, kind)
        sizes = " in ".join(f"{len(np.unique(level)):,}" for level in levels)
        mark = "ok  " if seconds < 300 else "MISS"
        print(
            f"{mark} com-dblp, {kind}: {length(graph, kind, levels):,.0f} nats, {sizes} groups, "
            f"{seconds:.0f} s (bar: 300 s)",
            flush=True,
        )
    for kind, seconds, levels in graph_tool(graph, 1, ("flat", "nested")) if "graph-tool" in only else []:
        print(f"     graph-tool, {kind}: {length(graph, kind, levels):,.0f} nats, {seconds:.0f} s", flush=True)


INFOMAP = """
import json, sys
import numpy as np
from infomap import Infomap
data = np.load(sys.argv[1])
run = Infomap(silent=True, num_trials=5, seed=int(sys.argv[2]))
for i, j in zip(data["source"].tolist(), data["target"].tolist()):
    run.add_link(i, j)
for i in range(int(data["n"])):
    run.add_node(i)
run.run()
levels = [dict(run.get_multilevel_modules())[i] for i in range(int(data["n"]))]
print(json.dumps(levels))
"""


def infomap(graph, seed):
    """Labels on each level of Infomap's hierarchy, the finest first; none without Infomap."""
    peers = os.environ.get("GRAPHCLUST_PEERS")
    if peers is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.npz")
        np.savez(path, source=graph.source, target=graph.target, n=graph.num_nodes)
        done = subprocess.run([peers, "-c", INFOMAP, path, str(seed + 1)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"     no Infomap: {done.stderr.strip().splitlines()[-1]}")
        return []
    modules = np.array(json.loads(done.stdout))  # from the coarsest level on
    return [np.unique(modules[:, : k + 1], axis=0, return_inverse=True)[1].ravel() for k in range(modules.shape[1])][
        ::-1
    ]


def best_ami(levels, truth):
    """The highest AMI of a level: which of the levels is meant is not what is measured."""
    return max((gc.metrics.ami(level, truth) for level in levels), default=0.0)


def spread(values):
    return f"{np.mean(values):.3f} ± {np.std(values) / np.sqrt(len(values)):.3f}"


def nested(only=()):
    """Three strengths: the mean numbers of neighbors in the subgroup, in the others of the group, and elsewhere."""
    everything = {"ours": [], "graph-tool": [], "Infomap": []}
    for strength, degrees in enumerate(((12, 6, 2), (9, 6, 4), (7, 6, 5))):
        scores = {name: [] for name in everything}
        for seed in range(10):
            rng = np.random.default_rng(100 * strength + seed)
            n, k, each = (int(rng.integers(low, high + 1)) for low, high in ((1000, 3000), (4, 6), (5, 8)))
            size = n / k / each
            rates = (degrees[0] / size, degrees[1] / (size * (each - 1)), degrees[2] / (size * each * (k - 1)))
            rate = dict(zip(("p_in", "p_middle", "p_out"), rates, strict=True))
            graph = gc.generators.nested_sbm(n, k, each, **rate, random_state=100 * strength + seed)
            plain, nodes = largest_component(graph)
            truth = [np.array(level)[nodes] for level in graph.meta["levels"]]
            results = {"ours": list(gc.detect(plain, hierarchy=True).hierarchy.levels)}
            results["graph-tool"] = next((levels for _, _, levels in graph_tool(plain, 1, ("nested",), seed)), [])
            results["Infomap"] = infomap(plain, seed)
            for name, levels in results.items():
                scores[name].append([best_ami(levels, level) for level in truth])
        for name, rows in scores.items():
            fine, coarse = np.array(rows).T
            print(f"     degrees {degrees}: {name:10} subgroups {spread(fine)}, groups {spread(coarse)}", flush=True)
            everything[name] += rows
    means = {name: np.mean(rows, axis=0) for name, rows in everything.items()}
    best = np.max([means["graph-tool"], means["Infomap"]], axis=0)
    mark = "ok  " if (means["ours"] >= best - 1e-9).all() else "MISS"
    shown = ", ".join(f"{name} {fine:.3f} and {coarse:.3f}" for name, (fine, coarse) in means.items())
    print(f"{mark} nested: mean AMI of subgroups and groups over 30 graphs: {shown} (bar: not below the others)")


WAYS = ("auto's tree", "Leiden's tree", "merges by dc-sbm", "auto with k")


def directed_graph(seed):
    """Directed graph of 1,000 nodes in ten groups, each with more edges to the next than to the others."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 10, 1000)
    rate = np.where((group[:, None] + 1) % 10 == group, 0.06, 0.004)
    source, target = np.nonzero((rng.random((1000, 1000)) < rate) & ~np.eye(1000, dtype=bool))
    return gc.Graph.from_edges(source, target, nodes=1000, directed=True)


def directed(only=()):
    graphs = {name: gc.datasets.load(name) for name in ("polblogs", "email-Eu-core", "cora", "citeseer")}
    graphs = {name: graph for name, graph in graphs.items() if graph.directed}
    graphs |= {f"planted {seed}": directed_graph(seed) for seed in range(6)}
    for name, graph in graphs.items():
        graphs[name] = largest_component(graph, directed=True)[0]
    first = next(iter(graphs.values()))
    ours(first, "flat"), ours(first, "nested")  # loads what is compiled
    summary([row for name, graph in graphs.items() if not only or name in only for row in compare(name, graph)])


def cut(only=()):
    """Four ways to k communities: trees of auto and of Leiden, merges by description length, and auto's own search."""
    scores = []
    for name in only or LABELLED:
        graph = gc.datasets.load(name)
        if graph.y is None:
            continue
        plain, nodes = largest_component(graph)
        truth = graph.y[nodes]
        k = len(np.unique(truth))
        trees = [gc.detect(plain, method, hierarchy=True).hierarchy for method in ("auto", "leiden")]
        found = [tree.cut(min(k, len(np.unique(tree.levels[0])))) for tree in trees]
        found += [gc.detect(plain, n_clusters=k, model="dc-sbm"), gc.detect(plain, n_clusters=k)]
        scores.append([gc.metrics.ami(one.labels, truth) for one in found])
        shown = ", ".join(f"{way} {score:.3f}" for way, score in zip(WAYS, scores[-1], strict=True))
        print(f"     {name:18} {k:3} communities: {shown}", flush=True)
    means = np.mean(scores, axis=0)
    shown = ", ".join(f"{way} {score:.3f}" for way, score in zip(WAYS, means, strict=True))
    print(f"{'ok  ' if means[:-1].max() >= means[-1] else 'MISS'} mean AMI: {shown} (bar: a tree not below the last)")


def two_mode_graph(seed, p_in, p_out):
    """Two-mode graph of 300 + 200 nodes in four pairs of groups; the labels of both sides."""
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 4, 300), rng.integers(0, 4, 200)
    source, target = np.nonzero(rng.random((300, 200)) < np.where(one[:, None] == other, p_in, p_out))
    graph = gc.Graph.from_edges(source, target + 300, nodes=500)
    graph.meta["node_attributes"] = {"side": [0] * 300 + [1] * 200}
    return graph, np.concatenate((one, other + 4))


def two_mode(only=()):
    import networkx as nx

    scores = {"ours": [], "graph-tool": []}
    for p_in in (0.06, 0.08, 0.1, 0.15, 0.2):
        rows = {"ours": [], "graph-tool": []}
        for seed in range(10):
            graph, truth = two_mode_graph(seed, p_in, 0.02)
            side = np.array(graph.meta["node_attributes"]["side"])
            plain, nodes = largest_component(graph)
            plain.meta["node_attributes"] = {"side": side[nodes].tolist()}
            found = gc.detect(plain, bipartite="side")
            rows["ours"].append(gc.metrics.ami(found.labels, truth[nodes]))
            for _, _, levels in graph_tool(plain, 1, ("flat",), seed, side[nodes]):
                rows["graph-tool"].append(gc.metrics.ami(levels[0], truth[nodes]))
        shown = ", ".join(f"{name} {spread(values)}" for name, values in rows.items() if values)
        print(f"     two-mode, p {p_in} and .02: {shown}", flush=True)
        for name, values in rows.items():
            scores[name] += values
    means = {name: float(np.mean(values)) for name, values in scores.items() if values}
    mark = "ok  " if round(means["ours"], 4) >= round(means.get("graph-tool", 0.0), 4) else "MISS"
    print(f"{mark} two-mode, mean AMI: {', '.join(f'{name} {value:.4f}' for name, value in means.items())}")
    women = gc.detect(nx.davis_southern_women_graph(), bipartite=True)
    sizes = [len(group) for group in women.communities]
    print(f"     Davis' Southern women: groups of {sizes} nodes (the literature has two groups of women)")


PARTS = {
    "lengths": lengths,
    "ball": ball,
    "dblp": dblp,
    "directed": directed,
    "nested": nested,
    "assortative": assortative,
    "cut": cut,
    "two-mode": two_mode,
}

if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name in PARTS] or list(PARTS)
    graphs = [name for name in sys.argv[1:] if name not in PARTS]
    for name in names:
        PARTS[name](graphs)
