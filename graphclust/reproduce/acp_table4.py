"""Table 4 of Attentive Clustering Processes: pairs of communities of SNAP networks, none of them seen in training.

`graphclust.datasets.community_pairs` builds the graphs and splits them by community. What is here of com-Amazon has
one pair of test communities, and what is here of com-Youtube and com-DBLP are parts of the published files
(`graphclust data list`): the pairs are fewer than the paper's 633 and 19,995.

A row is the mean over independently trained models, and their standard deviation: the shipped one, and those given as
checkpoints. Accuracy is that of the best matching of communities with clusters; AMI and accuracy are means over graphs.
"acp" answers with the partition of the highest expected AMI, which is its default; "acp, most probable" as published.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.checkpoint import CheckpointInfo, read_info, shipped
from graphclust.datasets.pairs import PairGraphs, community_pairs
from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.metrics import accuracy, ami
from graphclust.progress import task
from graphclust.reproduce.sheet import check_names, detected, over_seeds, settings

__all__ = ["COLUMNS", "DATA", "METHODS", "reproduce"]

COLUMNS = (
    "data", "method", "paper_accuracy", "accuracy", "accuracy_sd", "paper_ami", "ami", "ami_sd", "models", "graphs",
    "n_failed", "ms_per_graph", "graphs_trained",
)  # fmt: skip
DATA: dict[str, dict[str, tuple[float, float]]] = {  # accuracy and AMI as published, x 100
    "com-dblp": {"acp": (85.09, 69.17), "ccp": (78.17, 63.30)},
    "com-youtube": {"acp": (92.16, 79.37), "ccp": (85.65, 66.37)},
}
PEERS = ("auto", "leiden", "louvain", "infomap", "label-propagation", "spectral")
_AS_PUBLISHED = ", most probable"
METHODS = ("acp", f"acp{_AS_PUBLISHED}", "ccp", f"ccp{_AS_PUBLISHED}", *PEERS)
_GRAPHS = 1000  # at most, by default: com-youtube has 18,905


def _checkpoint(method: str, data: str) -> str:
    return f"{method}-{data.removeprefix('com-')}"


def _command(method: str, data: str) -> str:
    return (
        f"graphclust train {method} --family community-pairs --set data={data} --encoder gated-gcn --steps 5000 "
        f"--batch-size 16 --n-z 40 --learning-rate 1e-4 --out {_checkpoint(method, data)}.safetensors"
    )


def _measure(method: str, graphs: list[Graph], seed: int, checkpoint: str | None = None) -> dict[str, Any]:
    """Return accuracy and AMI x 100, and what `detected` tells."""
    given: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
    if method.endswith(_AS_PUBLISHED):
        given["estimate"] = "map"
    scores, told = detected(method.removesuffix(_AS_PUBLISHED), graphs, seed, (accuracy, ami), **given)
    return dict(zip(("accuracy", "ami"), 100 * scores.mean(axis=0), strict=True)) | told


def _models(checkpoints: tuple[str, ...]) -> dict[tuple[str, str], dict[str, CheckpointInfo]]:
    """Group the shipped models and others by method and data."""
    found: dict[tuple[str, str], dict[str, CheckpointInfo]] = {}
    for name in (*shipped(), *checkpoints):
        info = read_info(name)
        data = info.data.get("parameters", {}).get("data", "com-dblp")
        if info.data["family"] == "community-pairs":
            found.setdefault((info.model["model"], data), {})[name] = info
        elif name in checkpoints:
            raise UsageError(f"{name} was trained on {info.data['family']}, not on community-pairs")
    return found


def reproduce(
    n_graphs: int | None = None,
    seed: int = 0,
    quick: bool = False,
    data: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
    checkpoints: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    n_graphs : int, optional
        Test pairs of a network, the same for all methods: chosen at random where there are more; at most 1,000 by
        default, 20 if `quick`.
    seed : int
        Of the choice, and of the methods.
    quick : bool
    data, methods : tuple of str
        Of `DATA` and `METHODS`; all by default.
    checkpoints : tuple of str
        Files of models that were trained on community-pairs, beside the shipped ones.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers, settings. A row without a model has the command to train it.

    Raises
    ------
    UsageError
        No such data set, method or checkpoint.
    DataError
        A data set is not here.
    """
    check_names("data set of the table", data, DATA)
    check_names("method of the table", methods, METHODS)
    most = n_graphs or (20 if quick else _GRAPHS)
    known = _models(checkpoints)
    rows: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    with task("acp-table4", len(data or DATA) * len(methods or METHODS)) as advance:
        for name in data or DATA:
            pairs: PairGraphs = community_pairs(name, "test")
            chosen = np.sort(np.random.default_rng(seed).permutation(len(pairs))[:most])
            graphs = [pairs[int(i)] for i in chosen]
            for method in methods or METHODS:
                line: dict[str, Any] = {"row": f"{name}: {method}", "data": name, "method": method}
                base = method.removesuffix(_AS_PUBLISHED)
                scores = DATA[name].get(base, (None, None))
                line |= dict(zip(("paper_accuracy", "paper_ami"), scores, strict=True))
                if method in PEERS:
                    if method == "spectral":
                        line["method"] = "spectral (true K)"
                    peers.append(line | _measure(method, graphs, seed))
                else:
                    line["command"] = _command(base, name)
                    models = known.get((base, name), {})
                    runs = [_measure(method, graphs, seed, checkpoint) for checkpoint in models]
                    if runs:
                        line |= over_seeds(runs) | {"models": len(runs), "graphs": len(graphs), "runs": runs}
                        line["n_failed"] = sum(run["n_failed"] for run in runs)
                        line["graphs_trained"] = [
                            sum(one["graphs"] for one in info.lineage) for info in models.values()
                        ]
                    rows.append(line)
                advance()
    return {"table": "acp-table4", "rows": rows, "peers": peers, "settings": settings(seed=seed, most_graphs=most)}
