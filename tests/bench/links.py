"""Missing links: python tests/bench/links.py [GRAPH ...].

A tenth of the edges of labelled graphs is hidden. Five ways score up to 500 of these and 500 other pairs by how
probable they are: common neighbours, Adamic-Adar, `Communities.predict_proba` of auto, and graph-tool's nested model,
whose `get_edges_prob` is averaged over 10 samples of its chain (the recipe of its documentation). "graph-tool's groups"
are the rates of the degree-corrected model for the groups of these samples. graph-tool runs in the Python that
GRAPHCLUST_GRAPH_TOOL names; without it, only the others are printed.

AUC is the probability that a hidden edge gets a higher score than another pair. The calibration error (ECE) is that of
our probabilities of a tenth of all pairs, edges and others, in twenty bins; up to 20,000 other pairs stand for all.
Means of three seeds; graphs of fewer than 1,000 edges have ten. Errors are of all seeds together.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import graphclust as gc
from graphclust.results.links import LinkModel
from graphclust.results.posterior import Posterior
from tests.bench.block_models import GRAPH_TOOL, LABELLED, largest_component

FIRST_SEED = 100  # the form of the regression was chosen with other seeds
SEEDS, SEEDS_IF_SMALL, SMALL = 3, 10, 1000
MOST, MOST_APART = 500, 20_000  # hidden edges, and other pairs, that all ways score; other pairs for the ECE
SCRIPT = """
import json, sys
import graph_tool.all as gt, numpy as np
data = np.load(sys.argv[1])
graph = gt.Graph(directed=False)
graph.add_vertex(int(data["n"]))
graph.add_edge_list(np.stack([data["source"], data["target"]], axis=1))
gt.seed_rng(int(sys.argv[2]))
state = gt.minimize_nested_blockmodel_dl(graph)
pairs = np.stack([data["i"], data["j"]], axis=1).tolist()
logs, groups = np.zeros((10, len(pairs))), []
for row in range(10):
    state.multiflip_mcmc_sweep(niter=5)
    groups.append(state.levels[0].b.a.tolist())
    for column, pair in enumerate(pairs):
        logs[row, column] = state.get_edges_prob([pair], [])
print(json.dumps([np.logaddexp.reduce(logs, axis=0).tolist(), groups]))
"""


def hidden(graph, seed):
    """The graph without a tenth of its edges, and pairs: those edges first, then pairs that are not joined."""
    rng = np.random.default_rng(seed)
    n, is_hidden = graph.num_nodes, rng.random(graph.num_edges) < 0.1
    rest = gc.Graph.from_edges(graph.source[~is_hidden], graph.target[~is_hidden], nodes=n)
    scored = rng.permutation(np.flatnonzero(is_hidden))
    edges = graph.source.astype(int)[scored], graph.target.astype(int)[scored]
    source, target = rng.integers(0, n, (2, 4 * MOST_APART))
    joined = np.asarray(graph.adjacency()[source, target]).ravel() > 0
    apart = np.unique(np.stack((np.minimum(source, target), np.maximum(source, target)))[:, ~joined], axis=1)
    apart = apart[:, apart[0] != apart[1]]
    apart = apart[:, rng.permutation(apart.shape[1])[:MOST_APART]]
    pairs = np.concatenate((np.stack(edges), apart), axis=1)
    return rest, pairs, np.arange(pairs.shape[1]) < len(edges[0])


def graph_tools(graph, pairs, seed):
    """Scores of graph-tool, and the rates of our formula with its groups; none without graph-tool."""
    if not Path(GRAPH_TOOL).exists():
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.npz")
        np.savez(path, source=graph.source, target=graph.target, n=graph.num_nodes, i=pairs[0], j=pairs[1])
        done = subprocess.run([GRAPH_TOOL, "-c", SCRIPT, path, str(seed)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"     no graph-tool: {done.stderr.strip().splitlines()[-1]}")
        return {}
    scores, groups = json.loads(done.stdout)
    model = LinkModel(graph, np.array(groups[0]), Posterior(groups))
    return {"graph-tool": scores, "graph-tool's groups": model._log_rates(*pairs, np.zeros(pairs.shape[1], bool))}


def scores(graph, pairs, seed):
    """Scores of the pairs by each of the other ways."""
    adjacency = graph.adjacency()
    shared = adjacency[pairs[0]].multiply(adjacency[pairs[1]]).tocsr()
    values = {
        "common neighbours": np.asarray(shared.sum(axis=1)).ravel(),
        "Adamic-Adar": shared @ (1 / np.log(np.maximum(np.diff(adjacency.indptr), 2))),
    }
    return values | graph_tools(graph, pairs, seed)


def calibration_error(probability, truth, weight):
    place = np.minimum((probability * 20).astype(int), 19)
    return np.abs(np.bincount(place, weight * (truth - probability), minlength=20)).sum() / weight.sum()


def main():
    wins, means, errors = 0, [], []  # errors of all seeds together: a seed hides few edges of a small graph
    names = sys.argv[1:] or [name for name in LABELLED if name != "les-miserables"]
    for name in names:
        graph = largest_component(gc.datasets.load(name))[0]
        rows, predicted = [], []
        n_seeds = SEEDS_IF_SMALL if graph.num_edges < SMALL else SEEDS
        for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
            rest, pairs, truth = hidden(graph, seed)
            probability = gc.detect(rest, random_state=seed).predict_proba(np.array(rest.nodes)[pairs].T.tolist())
            n_apart = graph.num_nodes * (graph.num_nodes - 1) / 2 - graph.num_edges
            weight = np.where(truth, 0.1 * graph.num_edges / truth.sum(), 0.1 * n_apart / (~truth).sum())
            predicted.append((probability, truth, weight))
            some = np.concatenate((np.flatnonzero(truth)[:MOST], np.flatnonzero(~truth)[:MOST]))
            rows.append({way: roc_auc_score(truth[some], s) for way, s in scores(rest, pairs[:, some], seed).items()})
            rows[-1]["auto"] = roc_auc_score(truth[some], probability[some])
        mean = {way: float(np.mean([row[way] for row in rows])) for way in rows[0]}
        errors.append(calibration_error(*map(np.concatenate, zip(*predicted, strict=True))))
        print(
            f"     {name:20}ECE {errors[-1]:.3f}, " + ", ".join(f"{way} {value:.3f}" for way, value in mean.items()),
            flush=True,
        )
        wins += mean["auto"] > max(mean["common neighbours"], mean["Adamic-Adar"])
        means.append(mean)
    mean = {way: float(np.mean([row[way] for row in means])) for way in means[0]}
    print("     mean                " + ", ".join(f"{way} {value:.4f}" for way, value in mean.items()))
    share = wins / len(names)
    print(f"{'ok  ' if share >= 0.75 else 'MISS'} above both simple scores on {share:.0%} of the graphs (bar: 75 %)")
    peers = [value for way, value in mean.items() if way.startswith("graph-tool")]
    if peers:
        print(f"{'ok  ' if mean['auto'] >= max(peers) else 'MISS'} mean AUC not below graph-tool's")
    print(f"{'ok  ' if np.mean(errors) < 0.03 else 'MISS'} mean ECE {np.mean(errors):.4f} (bar: .03)")


if __name__ == "__main__":
    main()
