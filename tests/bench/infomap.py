"""Infomap beside igraph's and its own program: python tests/bench/infomap.py [GRAPH ...].

Bits per step of the shortest of ten trials, with two levels, and the time of all; and of the hierarchy beside that of
Infomap's own program, best of five trials, which runs in the Python that GRAPHCLUST_PEERS names. Graphs are taken
without directions and self-loops. com-dblp has one trial.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import igraph
import numpy as np

import graphclust as gc
from graphclust.kernels.map_equation import code_length, divide, flow_of_edges, nested
from graphclust.runtime.seeds import seeded_igraph

NAMES = (
    *("karate", "dolphins", "football", "polbooks", "les-miserables"),
    *("email-Eu-core", "polblogs", "cora", "citeseer", "reuters-10k"),
)
SCRIPT = """
import json, sys
from infomap import Infomap
data = json.load(open(sys.argv[1]))
run = Infomap(silent=True, num_trials=5, seed=1)
for i, j, weight in data["edges"]:
    run.add_link(i, j, weight)
run.run()
print(json.dumps([run.codelength, run.num_levels]))
"""


def graphs():
    for name in NAMES:
        yield name, gc.datasets.load(name)
    for seed in range(3):
        yield f"lfr {seed}", gc.generators.lfr(2000, random_state=seed)
        rates = {"p_in": 0.25, "p_middle": 0.02, "p_out": 0.001}
        yield f"nested {seed}", gc.generators.nested_sbm(1500, 5, 6, **rates, random_state=seed)
    yield "com-dblp", gc.datasets.load("com-dblp")


def infomap(graph):
    """Bits per step and number of levels by Infomap's own program."""
    peers = os.environ.get("GRAPHCLUST_PEERS")
    if peers is None:
        return None
    edges = zip(graph.source.tolist(), graph.target.tolist(), graph.edge_weight.tolist(), strict=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.json")
        path.write_text(json.dumps({"edges": list(edges)}))
        done = subprocess.run([peers, "-c", SCRIPT, path], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def timed(run):
    start = time.perf_counter()
    return run(), time.perf_counter() - start


def compare(name, graph):
    graph = graph.undirected().without_self_loops()
    trials = 1 if name == "com-dblp" else 10
    flow = flow_of_edges(graph.source, graph.target, graph.edge_weight, graph.num_nodes, directed=False)
    mine, seconds = timed(lambda: [divide(flow, seed=seed) for seed in range(trials)])
    best = min(mine, key=lambda labels: code_length(flow, labels))
    other = igraph.Graph(n=graph.num_nodes, edges=np.stack([graph.source, graph.target], axis=1))
    with seeded_igraph(0):
        found, peer = timed(lambda: other.community_infomap(edge_weights=graph.edge_weight.tolist(), trials=trials))
    excess = code_length(flow, best) / found.codelength - 1
    text = f"{name:15} ours {code_length(flow, best):.5f} {seconds:6.2f} s  igraph {found.codelength:.5f} {peer:6.2f} s"
    text += f"  {100 * excess:+.3f} %"
    (levels, bits), _ = timed(lambda: nested(flow, best))
    text += f"  nested: ours {bits:.5f} in {len(levels)}"
    if (own := infomap(graph)) is not None:
        text += f", Infomap {own[0]:.5f} in {own[1] - 1}, {100 * (bits / own[0] - 1):+.3f} %"
    print(text, flush=True)
    return excess


if __name__ == "__main__":
    divide(flow_of_edges(np.array([0]), np.array([1]), np.ones(1), 2, directed=False))  # compiles
    rows = [compare(name, graph) for name, graph in graphs() if len(sys.argv) == 1 or name in sys.argv[1:]]
    mark = "ok  " if max(rows) < 1e-9 else "MISS"
    print(f"{mark} never longer than igraph's on {len(rows)} graphs; mean {100 * np.mean(rows):+.3f} %")
