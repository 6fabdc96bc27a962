"""Description lengths of random graphs and partitions by graph-tool, for tests/inference/test_description_length.py.

Run it with a Python that has graph-tool, such as the system's: /usr/bin/python3 tests/bench/graph_tool_entropy.py. It
needs nothing of graphclust. The values in tests/inference/graph_tool_entropy.json, and those of weights in
graph_tool_weights.json, are from graph-tool 2.45.
"""

import json
from pathlib import Path

import graph_tool.all as gt
import numpy as np

N_GRAPHS = 200
N_WEIGHTED = 20
PATH = Path(__file__).parents[1] / "inference" / "graph_tool_entropy.json"
WEIGHTS_PATH = PATH.with_name("graph_tool_weights.json")


def consecutive(labels):
    return np.unique(labels, return_inverse=True)[1]


def parents(groups, values):
    """The value of each group, which all its nodes share."""
    table = np.zeros(groups.max() + 1, dtype=int)
    table[groups] = values
    return table


def entropies(graph, groups, upper, side=None):
    """The description lengths of a partition, and of a hierarchy with one more level, by the name of the model."""
    values = {}
    labels = None if side is None else graph.new_vp("int", side)
    levels = [groups, upper, np.zeros(upper.max() + 1, dtype=int)]
    for name, corrected in (("sbm", False), ("dc-sbm", True)):
        flat = gt.BlockState(graph, b=graph.new_vp("int", groups), deg_corr=corrected, pclabel=labels)
        nested = gt.NestedBlockState(graph, bs=levels, state_args={"deg_corr": corrected, "pclabel": labels})
        values[name], values[f"nested {name}"] = flat.entropy(), nested.entropy()
    if side is None and not graph.is_directed():
        planted = gt.PPBlockState(graph, b=graph.new_vp("int", groups))
        values["assortative"] = planted.entropy(uniform=False)
        values["assortative-uniform"] = planted.entropy(uniform=True)
    return values


def case(seed):
    """A random multigraph: undirected, directed, or with two sides."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(4, 31)), int(rng.integers(2, 61))
    kind = ("undirected", "directed", "two-mode")[seed % 3]
    edges, side = rng.integers(0, n, (m, 2)), None
    if kind == "two-mode":
        side = (np.arange(n) >= n // 2).astype(int)
        edges = np.stack([rng.integers(0, n // 2, m), rng.integers(n // 2, n, m)], axis=1)
    sides = np.zeros(n, dtype=int) if side is None else side
    groups = consecutive(rng.integers(0, int(rng.integers(1, 8)), n) * 2 + sides)
    side_of = parents(groups, sides)
    upper = consecutive(rng.integers(0, max(len(side_of) // 2, 1), len(side_of)) * 2 + side_of)
    graph = gt.Graph(directed=kind == "directed")
    graph.add_vertex(n)
    graph.add_edge_list(edges)
    values = entropies(graph, groups, upper, side)
    return {"kind": kind, "edges": edges.tolist(), "groups": groups.tolist(), "upper": upper.tolist(), "nats": values}


def weighted_case(seed):
    """A random graph with weights: what their models add to the description length of a partition."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 21))
    pairs = np.argwhere(np.ones((n, n)) if seed % 2 else np.tri(n))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    edges = pairs[rng.permutation(len(pairs))[: 2 * n]]
    weights = np.ceil(rng.exponential(3, len(edges)))
    if seed % 4 < 2:
        weights -= rng.random(len(edges)).round(3)
    groups = consecutive(rng.integers(0, int(rng.integers(1, 6)), n))
    graph = gt.Graph(directed=bool(seed % 2))
    graph.add_vertex(n)
    graph.add_edge_list(edges)
    mean, logs = weights.mean(), np.log(weights)
    normal = {name: {"m0": x.mean(), "k0": 1, "v0": x.var(), "nu0": 3} for name, x in (("x", weights), ("log", logs))}
    models = {
        "exponential": ("real-exponential", weights, {"alpha": 1, "beta": mean}, 0.0),
        "normal": ("real-normal", weights, normal["x"], 0.0),
        "log-normal": ("real-normal", logs, normal["log"], logs.sum()),
    }
    if seed % 4 >= 2:
        models["geometric"] = ("discrete-geometric", weights, {"alpha": 1, "beta": 1}, 0.0)
        models["poisson"] = ("discrete-poisson", weights, {"alpha": 1, "beta": 1 / mean}, 0.0)
    values, labels = {}, graph.new_vp("int", groups)
    plain = gt.BlockState(graph, b=labels).entropy()
    for name, (kind, x, prior, constant) in models.items():
        described = {"recs": [graph.new_ep("double", x)], "rec_types": [kind], "rec_params": [prior]}
        values[name] = gt.BlockState(graph, b=labels, **described).entropy() - plain + constant
    return {
        "directed": bool(seed % 2),
        "edges": edges.tolist(),
        "weights": weights.tolist(),
        "groups": groups.tolist(),
        "nats": values,
    }


def write(path, cases):
    lines = [json.dumps(row, separators=(",", ":")) for row in cases]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} graphs, graph-tool {gt.__version__.split()[0]}: {path.name}")


if __name__ == "__main__":
    write(PATH, map(case, range(N_GRAPHS)))
    write(WEIGHTS_PATH, map(weighted_case, range(N_WEIGHTED)))
