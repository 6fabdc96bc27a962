"""Table 4 of Attentive Clustering Processes: pairs of communities of SNAP networks, none of them seen in training.

`graphclust.datasets.community_pairs` builds the graphs and splits them by community. What is here of com-Amazon has
one pair of test communities, and what is here of com-Youtube and com-DBLP are parts of the published files
(`graphclust data list`): the pairs are fewer than the paper's 633 and 19,995.

A row is the mean over independently trained models, and their standard deviation: the shipped one, and those given as
checkpoints, each on the test pairs of the split that it was trained on (`split_seed`); the other methods, over those
splits. Accuracy is that of the best matching of communities with clusters; AMI and accuracy are means over graphs.
"acp" answers with the partition of the highest expected AMI, which is its default; "acp, most probable" as published.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.checkpoint import CheckpointInfo, read_info, shipped
from graphclust.datasets.pairs import community_pairs
from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.metrics import accuracy, ami
from graphclust.progress import task
from graphclust.reproduce.sheet import SPECTRAL, check_names, detected, over_seeds, settings, shown

__all__ = ["COLUMNS", "DATA", "METHODS", "reproduce"]

COLUMNS = (
    "data", "method", "paper_accuracy", "accuracy", "accuracy_sd", "paper_ami", "ami", "ami_sd", "models", "splits",
    "graphs", "n_failed", "ms_per_graph", "graphs_trained",
)  # fmt: skip
DATA: dict[str, dict[str, tuple[float, float]]] = {  # accuracy and AMI as published, x 100
    "com-dblp": {"acp": (85.09, 69.17), "ccp": (78.17, 63.30)},
    "com-youtube": {"acp": (92.16, 79.37), "ccp": (85.65, 66.37)},
}
PEERS = ("auto", "leiden", "louvain", "infomap", "label-propagation", *SPECTRAL)
_AS_PUBLISHED = ", most probable"
METHODS = ("acp", f"acp{_AS_PUBLISHED}", "ccp", f"ccp{_AS_PUBLISHED}", *PEERS)
_DEFAULT = "com-dblp"  # the network of a model that names none
_GRAPHS = 1000  # at most, by default: com-youtube has 18,905


def _checkpoint(method: str, data: str) -> str:
    return f"{method}-{data.removeprefix('com-')}"


def _command(method: str, data: str) -> str:
    return (
        f"graphclust train {method} --family community-pairs --set data={data} --encoder gated-gcn --steps 5000 "
        f"--batch-size 16 --n-z 40 --learning-rate 1e-4 --out {_checkpoint(method, data)}.safetensors"
    )


def _split(name: str, info: CheckpointInfo) -> int:
    """Return the seed of the split that a model was trained on.

    Raises
    ------
    UsageError
        It, or what it began with, has seen other pairs of its network than the training pairs of that split.
    """
    given = info.data["parameters"]
    network, seed = given.get("data", _DEFAULT), given.get("split_seed", 0)
    for one in info.lineage:
        seen = one.get("data")
        if seen is None and "community-pairs" in one["command"]:
            raise UsageError(f"{name} began with a model that does not tell which pairs it has seen")
        if seen is None or seen["family"] != "community-pairs" or seen["parameters"].get("data", _DEFAULT) != network:
            continue
        if seen["parameters"].get("split", "train") != "train" or seen["parameters"].get("split_seed", 0) != seed:
            raise UsageError(f"{name} has seen test pairs of split {seed} of {network} in training")
    return int(seed)


def _test_graphs(name: str, split: int, most: int, seed: int) -> list[Graph]:
    pairs = community_pairs(name, "test", split)
    return [pairs[int(i)] for i in np.sort(np.random.default_rng(seed).permutation(len(pairs))[:most])]


def _measure(method: str, graphs: list[Graph], seed: int, checkpoint: str | None = None) -> dict[str, Any]:
    """Return accuracy and AMI x 100, and what `detected` tells."""
    given: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
    if method.endswith(_AS_PUBLISHED):
        given["estimate"] = "map"
    scores, told = detected(method.removesuffix(_AS_PUBLISHED), graphs, seed, (accuracy, ami), **given)
    return dict(zip(("accuracy", "ami"), 100 * scores.mean(axis=0), strict=True)) | told


def _over_runs(runs: list[dict[str, Any]], splits: list[int]) -> dict[str, Any]:
    """Return means over runs, each on the test graphs of a split; graphs and failures are counted."""
    line: dict[str, Any] = over_seeds(runs) | {
        "runs": [run | {"split": i} for run, i in zip(runs, splits, strict=True)]
    }
    line["splits"] = len(set(splits))
    line["graphs"] = sum({split: run["graphs"] for run, split in zip(runs, splits, strict=True)}.values())
    line["n_failed"] = sum(run["n_failed"] for run in runs)
    for name in ("graphs_sd", "n_failed_sd"):
        line.pop(name, None)
    return line


def _models(checkpoints: tuple[str, ...]) -> dict[tuple[str, str], dict[str, CheckpointInfo]]:
    """Group the shipped models and others by method and data."""
    found: dict[tuple[str, str], dict[str, CheckpointInfo]] = {}
    for name in (*shipped(), *checkpoints):
        info = read_info(name)
        data = info.data.get("parameters", {}).get("data", _DEFAULT)
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
        Test pairs of a network and split, the same for all methods: chosen at random where there are more; at most
        1,000 by default, 20 if `quick`.
    seed : int
        Of the choice, and of the methods.
    quick : bool
    data, methods : tuple of str
        Of `DATA` and `METHODS`; all by default.
    checkpoints : tuple of str
        Files of models that were trained on community-pairs, beside the shipped ones, on the same split or on others.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers, settings. A row without a model has the command to train it.

    Raises
    ------
    UsageError
        No such data set, method or checkpoint; a checkpoint that has seen test pairs of its split.
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
            trained = {
                model: _split(model, info) for key, of in known.items() if key[1] == name for model, info in of.items()
            }
            splits = sorted({*trained.values()} or {0})
            graphs = {split: _test_graphs(name, split, most, seed) for split in splits}
            for method in methods or METHODS:
                line: dict[str, Any] = {"row": f"{name}: {method}", "data": name, "method": method}
                base = method.removesuffix(_AS_PUBLISHED)
                scores = DATA[name].get(base, (None, None))
                line |= dict(zip(("paper_accuracy", "paper_ami"), scores, strict=True))
                if method in PEERS:
                    line["method"] = shown(method)
                    peers.append(line | _over_runs([_measure(method, graphs[split], seed) for split in splits], splits))
                else:
                    line["command"] = _command(base, name)
                    models = known.get((base, name), {})
                    if models:
                        runs = [_measure(method, graphs[trained[model]], seed, model) for model in models]
                        line |= _over_runs(runs, [trained[model] for model in models]) | {"models": len(runs)}
                        line["graphs_trained"] = [
                            sum(one["graphs"] for one in info.lineage) for info in models.values()
                        ]
                    rows.append(line)
                advance()
    return {"table": "acp-table4", "rows": rows, "peers": peers, "settings": settings(seed=seed, most_graphs=most)}
