"""What each kind of proposal earns in `auto`: python tests/bench/proposals.py [GRAPHS PER FAMILY] [OUT.csv].

Each graph is solved with all proposals, and again without each kind of them. The table counts which kind the best
partition started from. Its rows say on which share of the graphs the description is longer by more than a nat without
a kind, how much longer (mean of these graphs, and largest), the change of AMI with the planted or known labels, and the
share of the time of all proposals. Labels are used for scores only. Each core solves a graph of its own.
"""

from __future__ import annotations

import csv
import itertools
import os
import re
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

import graphclust as gc
from graphclust.errors import GraphclustError
from graphclust.generators import cluster, dc_sbm, general_sbm, lfr, log_degree_sbm, planted_partition
from graphclust.inference.refinement import refine
from graphclust.methods.auto import _MODELS, Auto
from graphclust.methods.base import solved
from graphclust.problem.problem import Problem
from graphclust.runtime.threads import limited_threads
from graphclust.training.synthetic import TEST

FAMILIES = ("planted", "general-sbm", "log-degree", "cluster", "dc-sbm", "lfr")
LABELLED = ("karate", "football", "dolphins", "polbooks", "polblogs", "email-eu-core")


@dataclass
class Row:
    """One graph, solved without one kind of proposals; "" means with all."""

    family: str
    graph: int
    without: str
    winner: str
    description_length: float
    ami: float
    seconds: float
    seconds_of_proposals: float  # of the kind that is left out


def draw(family, i):
    """One graph with random parameters, or a labelled graph."""
    rng = np.random.default_rng(TEST + i)
    n, k = int(rng.integers(100, 2000)), int(rng.integers(2, 20))
    degree, mixing = rng.uniform(6, 20), rng.uniform(0.05, 0.5)
    p_in, p_out = min((1 - mixing) * degree * k / n, 0.9), mixing * degree / n
    seed = {"random_state": TEST + i}
    if family == "planted":
        return planted_partition(n, k, p_in=p_in, p_out=p_out, **seed)
    if family == "general-sbm":
        return general_sbm(**seed)
    if family == "log-degree":
        return log_degree_sbm(300, 3, a=10.0, b=float(rng.uniform(0.5, 3)), **seed)
    if family == "cluster":
        return cluster(**seed)
    if family == "dc-sbm":
        rates = np.full((k, k), p_out) + np.diag(np.full(k, p_in))
        return dc_sbm(rng.multinomial(n - 5 * k, rng.dirichlet(np.full(k, 3.0))) + 5, rates, **seed)
    if family == "lfr":
        return lfr(n, average_degree=degree, mu=mixing, **seed)
    return gc.datasets.load(LABELLED[i])


def kind_of(start):
    return re.sub(r"[ +~0-9.]+$", "", start)


def rows_of(family, number):
    """The rows of a graph."""
    try:
        graph = draw(family, number)
    except GraphclustError as error:
        print(f"left out {family} {number}: {error}", flush=True)
        return []
    core = Problem.of(graph).core.undirected()
    auto, starts, seconds = Auto(random_state=0), {}, defaultdict(float)
    for name, method in auto._proposals(core, 0):
        began = time.perf_counter()
        starts[name] = solved(method, core).labels
        seconds[kind_of(name)] += time.perf_counter() - began
    began = time.perf_counter()
    starts |= auto._spectral(core, 0)
    seconds["spectral"] = time.perf_counter() - began
    starts |= {"one": np.zeros(core.graph.num_nodes, dtype=np.int64), "components": core.component}
    problem, rows = Problem.of(graph), []
    for without in ["", *sorted({kind_of(name) for name in starts})]:
        left = {name: labels for name, labels in starts.items() if kind_of(name) != without}
        began = time.perf_counter()
        solution = refine(core, left, _MODELS, seed=0)
        took = time.perf_counter() - began
        labels = problem.lift(solution).labels
        known = graph.y >= 0
        ami = gc.metrics.ami(labels[known], graph.y[known])
        details = solution.details
        time_of_kind = seconds[without] if without else sum(seconds.values())
        start, length = kind_of(details["start"]), details["description_length"]
        rows.append(Row(family, number, without, start, length, ami, took, time_of_kind))
    return rows


def table(rows):
    """Print what each kind earns."""
    full = {(row.family, row.graph): row for row in rows if not row.without}
    print(f"{len(full)} graphs; with all proposals: AMI {np.mean([row.ami for row in full.values()]):.4f}")
    winners = [row.winner for row in full.values()]
    print("the best partition came from: " + ", ".join(f"{w} {winners.count(w)}" for w in sorted(set(winners))))
    print(f"{'without':20s} {'longer':>8s} {'mean':>9s} {'largest':>9s} {'shorter':>8s} {'AMI':>8s} {'time':>6s}")
    for without in sorted({row.without for row in rows if row.without}):
        pairs = [(row, full[row.family, row.graph]) for row in rows if row.without == without]
        nats = np.array([row.description_length - other.description_length for row, other in pairs])
        change = np.array([row.ami - other.ami for row, other in pairs])
        share = np.sum([row.seconds_of_proposals for row, _ in pairs]) / np.sum(
            [other.seconds_of_proposals for other in full.values()]
        )
        longer = nats[nats > 1]
        print(
            f"{without:20s} {len(longer) / len(pairs):8.3f} {longer.mean() if len(longer) else 0:9.1f} "
            f"{nats.max():9.1f} {np.mean(nats < -1):8.3f} {change.mean():+8.4f} {share:6.2f}",
            flush=True,
        )


def main():
    n_each = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    graphs = [(family, i) for i in range(n_each) for family in FAMILIES]
    graphs += [("labelled", i) for i in range(len(LABELLED))]
    rows = []
    with limited_threads(1), ProcessPoolExecutor(os.cpu_count()) as pool:
        for i, more in enumerate(pool.map(rows_of, *zip(*graphs, strict=True))):
            rows += more
            if i % 30 == 29:
                table(rows)
    table(rows)
    for family, group in itertools.groupby(sorted(rows, key=lambda row: row.family), key=lambda row: row.family):
        print(f"\n{family}")
        table(list(group))
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", newline="") as stream:
            writer = csv.DictWriter(stream, list(asdict(rows[0])))
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
