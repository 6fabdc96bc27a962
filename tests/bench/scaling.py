"""Time, memory and quality against the number of edges, ours beside other tools, in one run.

    python tests/bench/scaling.py [NAME ...]

With names of tools, such as "graphclust auto", only these are measured again, and the other rows stay.

Graphs are of the LFR family (average degree 10, mu 0.4) with 10^3 to 10^7 edges. Each method runs in a process of its
own, on two threads where it has threads: from two arrays of ends in memory to an array of labels, so that building the
tool's own graph counts. What is imported or compiled once is not timed. Memory is the most that the process held (on
Linux). A process that takes longer than `LIMIT` or fails is a result, too.

GRAPHCLUST_PEERS names the Python of an environment with networkit, leidenalg and infomap, GRAPHCLUST_GRAPH_TOOL that of
one with graph-tool, such as Debian's python3-graph-tool. What is not there is left out.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZES = (3, 4, 5, 6, 7)  # powers of ten of the number of edges
LIMIT = 200  # seconds
THREADS = 2
REPEATS, ENOUGH = 5, 2.0  # most runs, of which the shortest counts; none begins after so many seconds
OUT = Path(__file__).resolve().parents[2] / "results" / "scaling.json"

WORKER = """
import json, re, sys, time
import numpy as np
{setup}
small = np.array([0, 1, 2, 3, 4, 5, 2]), np.array([1, 2, 0, 4, 5, 3, 3])
run(*small, 6)
source, target = np.load(sys.argv[1])
n, times = int(sys.argv[2]), []
while len(times) < {repeats} and sum(times) < {enough}:
    start = time.perf_counter()
    labels = np.asarray(run(source, target, n))
    times.append(time.perf_counter() - start)
np.save(sys.argv[3], labels)
status = open("/proc/self/status").read()  # getrusage would count the parent's memory, too
print(json.dumps([min(times), int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 2**20]))
"""
OURS = """
import graphclust as gc
from graphclust.runtime.threads import limited_threads
def run(source, target, n):
    with limited_threads({threads}):
        graph = gc.Graph.from_edges(source, target, nodes=n)
        return gc.METHODS[{method!r}](random_state=0).fit(graph).labels_
"""
IGRAPH = """
import random
import igraph
def run(source, target, n):
    random.seed(0)
    graph = igraph.Graph(n=n, edges=np.column_stack((source, target)))
    return {call}.membership
"""
LEIDENALG = """
import igraph, leidenalg
def run(source, target, n):
    graph = igraph.Graph(n=n, edges=np.column_stack((source, target)))
    return leidenalg.find_partition(graph, leidenalg.ModularityVertexPartition, seed=0).membership
"""
NETWORKIT = """
import networkit as nk
nk.setNumberOfThreads({threads})
def run(source, target, n):
    method = nk.community.{method}(nk.GraphFromCoo((source, target), n=n))
    method.run()
    return method.getPartition().getVector()
"""
INFOMAP = """
import infomap
def run(source, target, n):
    search = infomap.Infomap(two_level=True, num_trials=1, seed=1, silent=True)
    search.add_links(np.column_stack((source, target)))
    search.run()
    modules = search.get_modules()
    return [modules.get(i, -1 - i) for i in range(n)]
"""
GRAPH_TOOL = """
import graph_tool.all as gt
gt.seed_rng(1)
gt.openmp_set_num_threads({threads})
def run(source, target, n):
    graph = gt.Graph(directed=False)
    graph.add_vertex(n)
    graph.add_edge_list(np.column_stack((source, target)))
    state = gt.minimize_blockmodel_dl(graph, state={state})
    return state.get_blocks().a
"""


def programs():
    """The tools that are there: {name: (Python, what defines `run`)}."""
    ours, peers, graph_tool = (
        sys.executable,
        os.environ.get("GRAPHCLUST_PEERS"),
        os.environ.get("GRAPHCLUST_GRAPH_TOOL"),
    )
    methods = ("auto", "leiden", "louvain", "label-propagation")
    tools = {f"graphclust {method}": (ours, OURS.format(method=method, threads=THREADS)) for method in methods}
    leiden = 'graph.community_leiden("modularity", n_iterations=2)'
    tools["igraph Leiden"] = (ours, IGRAPH.format(call=leiden))
    tools["igraph Infomap"] = (ours, IGRAPH.format(call="graph.community_infomap(trials=1)"))
    if peers:
        tools["leidenalg"] = (peers, LEIDENALG)
        for method in ("ParallelLeiden", "PLM", "PLP"):
            tools[f"networkit {method}"] = (peers, NETWORKIT.format(method=method, threads=THREADS))
        tools["infomap"] = (peers, INFOMAP)
    if graph_tool:
        for name, state in (("planted partition", "gt.PPBlockState"), ("degree-corrected", "gt.BlockState")):
            tools[f"graph-tool, {name}"] = (graph_tool, GRAPH_TOOL.format(state=state, threads=THREADS))
    return tools


def measured(python, setup, graph, folder):
    """Seconds, GiB and labels of a tool on a graph, or a string that says why there are none."""
    labels = Path(folder, "labels.npy")
    arguments = [str(Path(folder, "ends.npy")), str(graph.num_nodes), str(labels)]
    code = WORKER.replace("{setup}", setup).replace("{repeats}", str(REPEATS)).replace("{enough}", str(ENOUGH))
    command = [python, "-c", code, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"over {LIMIT} s"
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return "failed"
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory, np.load(labels)


def main(*names):
    import graphclust as gc
    from graphclust.metrics import modularity, rank_labels

    tools = {name: tool for name, tool in programs().items() if not names or name in names}
    rows, before = {}, {}
    if names:
        table = json.loads(OUT.read_text())
        rows, before = {row["method"]: row for row in table["rows"]}, table["settings"]
    rows |= {name: {"method": name} for name in tools}
    start = time.time()
    for size in SIZES:
        graph = gc.generators.lfr(10**size // 5, average_degree=10, mu=0.4, random_state=1)
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder, "ends.npy"), np.stack((graph.source, graph.target)))
            for name, (python, setup) in tools.items():
                if isinstance(rows[name].get(f"seconds_{size - 1}"), str):  # it took too long on the smaller graph
                    result = rows[name][f"seconds_{size - 1}"]
                else:
                    result = measured(python, setup, graph, folder)
                if isinstance(result, str):
                    rows[name][f"seconds_{size}"] = result
                    print(f"10^{size} {name}: {result}", flush=True)
                    continue
                seconds, memory, labels = result
                labels = rank_labels(labels)
                values = {
                    "seconds": seconds,
                    "gib": memory,
                    "ami": float(gc.metrics.ami(labels, graph.y)),
                    "modularity": float(modularity(graph, labels)),
                    "k": int(labels.max()) + 1,
                }
                rows[name] |= {f"{key}_{size}": value for key, value in values.items()}
                print(f"10^{size} {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in values.items()), flush=True)
        took = {"wall time": f"{(time.time() - start) / 60:.0f} min"}
        save(list(rows.values()), before | {"measured again": ", ".join(names)} if names else took)


def save(rows, more):
    settings = {
        "graphs": "LFR, average degree 10, mu 0.4, seed 1",
        "threads": THREADS,
        "limit": f"{LIMIT} s",
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
        **more,
    }
    text = json.dumps({"table": "scaling", "rows": rows, "peers": [], "settings": settings}, indent=1)
    OUT.write_text(text + "\n")
    draw(rows, OUT.with_suffix(".png"))


def draw(rows, path):
    """Time against edges, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="edges", ylabel="seconds", xscale="log", yscale="log")
    for row in rows:
        points = [(10**s, row[f"seconds_{s}"]) for s in SIZES if isinstance(row.get(f"seconds_{s}"), float)]
        if points:
            is_ours = row["method"].startswith("graphclust")
            axes.plot(
                *zip(*points, strict=True), "o-" if is_ours else "s--", lw=2 if is_ours else 1, label=row["method"]
            )
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:])
