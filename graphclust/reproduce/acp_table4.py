"""Table 4 of Attentive Clustering Processes: pairs of communities of SNAP networks that training has not seen.

`graphclust.datasets.community_pairs` builds the graphs and splits them by community. A network with fewer nodes than
the published one is a fragment. Its label always says so and contains its number of nodes, and the paper's numbers in
its rows refer to other pairs. `networks` in the result has the number and sizes of the pairs of each network, together
with the paper's.

Rows named "GatedGCN" have the paper's architecture (section B.1: 4 layers of 128), and the others have ours, as the
column `architecture` shows. Both kinds of rows contain the paper's numbers.

A row has the mean and the standard deviation over independently trained models, which are the available models and the
given checkpoints. Each model is measured on the test pairs of the split that it was trained on (`split_seed`), and the
other methods on the same splits. The accuracy is that of the best matching of communities with clusters. Accuracy, AMI
and ELBO are means over graphs. A row of a single run has the standard error over graphs instead (`accuracy_se`,
`ami_se`).

"acp" returns the partition with the highest expected AMI, which is its default. "acp, most probable" and "acp,
GatedGCN" return the most probable partition, as in the paper.

A fragment may have almost no pairs of test communities. "NETWORK, all pairs" therefore measures models that were
trained on other networks, and have not seen this one, on all its pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphclust import datasets
from graphclust.datasets.cache import advice, is_here
from graphclust.datasets.entries import entry_of
from graphclust.datasets.pairs import PairGraphs, community_pairs
from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.metrics import accuracy, ami
from graphclust.models.build import ModelConfig
from graphclust.reproduce.provenance import COLUMNS as PROVENANCE
from graphclust.reproduce.provenance import describe_architecture, has_architecture, provenance
from graphclust.reproduce.sheet import (
    SPECTRAL,
    available_models,
    check_names,
    detected,
    over_seeds,
    settings,
    shown,
)
from graphclust.runtime.progress import task
from graphclust.training.checkpoints import CheckpointInfo, load_checkpoint, read_info
from graphclust.training.evaluation import elbos, standard_error

__all__ = ["COLUMNS", "DATA", "METHODS", "Published", "reproduce"]

COLUMNS = (
    "data", "method", "paper_accuracy", "accuracy", "accuracy_sd", "accuracy_se", "paper_ami", "ami", "ami_sd",
    "ami_se", "paper_elbo", "elbo", "elbo_sd", "models", "splits", "graphs", "n_failed", "ms_per_graph", *PROVENANCE,
)  # fmt: skip
PUBLISHED_GRAPHS = 5000 * 16  # section B.3: steps x batch


@dataclass(frozen=True)
class Published:
    """Published numbers about a network, from SNAP and the paper.

    Attributes
    ----------
    nodes, edges : int
        Numbers of nodes and edges in SNAP's file.
    pairs : (int, int)
        Numbers of pairs of training and of test communities.
    pair_nodes, pair_edges : (float, float)
        Mean and standard deviation over these pairs.
    scores : dict
        Accuracy (x 100), AMI (x 100) and ELBO by method.
    """

    nodes: int
    edges: int
    pairs: tuple[int, int]
    pair_nodes: tuple[float, float]
    pair_edges: tuple[float, float]
    scores: Mapping[str, tuple[float, float, float]]


DATA: dict[str, Published] = {
    "com-amazon": Published(
        334_863, 925_872, (713, 120), (75, 37), (423, 185),
        {"acp": (94.73, 90.38, -6.81), "ccp": (92.63, 89.26, -5.74)},
    ),
    "com-dblp": Published(
        317_080, 1_049_866, (3163, 633), (62, 85), (368, 494),
        {"acp": (85.09, 69.17, -7.48), "ccp": (78.17, 63.30, -8.12)},
    ),
    "com-livejournal": Published(
        3_997_962, 34_681_189, (10_356, 1928), (129, 94), (6101, 10_821),
        {"acp": (90.63, 83.25, -6.65), "ccp": (89.94, 81.82, -6.65)},
    ),
    "com-youtube": Published(
        1_134_890, 2_987_624, (114_622, 19_995), (97, 80), (416, 417),
        {"acp": (92.16, 79.37, -7.15), "ccp": (85.65, 66.37, -7.38)},
    ),
}  # fmt: skip
_ALL_PAIRS = ", all pairs"
_BLOCKS = (*DATA, *(f"{name}{_ALL_PAIRS}" for name in DATA))
_DEFAULT_BLOCKS = (*DATA, f"com-amazon{_ALL_PAIRS}")
PEERS = ("auto", "leiden", "louvain", "infomap", "label-propagation", *SPECTRAL)
_GATED_GCN = ", GatedGCN"
_MOST_PROBABLE = ", most probable"
_MODELS = ("acp", "ccp")
_NAMES = {  # start of the names of the files that the commands write, before the network
    "acp, GatedGCN": "acp-gated-gcn",
    "ccp, GatedGCN": "ccp",
    "acp": "acp",
    "ccp": "ccp-graph-transformer",
}
METHODS = (
    *(f"{model}{_GATED_GCN}" for model in _MODELS),
    *(f"{model}{answer}" for model in _MODELS for answer in ("", _MOST_PROBABLE)),
    *PEERS,
)
_DEFAULT_NETWORK = "com-dblp"  # network of a model whose training parameters do not name one
_MAX_GRAPHS = 1000  # com-youtube has 18,905


# ---------------------------------------------------------------- networks


class _Network:
    """A network and its pairs of communities."""

    def __init__(self, name: str) -> None:
        self.name, self.published = name, DATA[name]
        self.graph = datasets.load(name)
        self.is_fragment = self.graph.num_nodes < self.published.nodes
        self.label = f"{name}, fragment of {self.graph.num_nodes:,} nodes" if self.is_fragment else name
        self._pairs: dict[tuple[str, int], PairGraphs] = {}

    def pairs(self, part: str, split: int) -> PairGraphs:
        """Return the pairs of a part ("train", "test" or "all") of a split."""
        if (part, split) not in self._pairs:
            self._pairs[part, split] = community_pairs(self.graph, part, split)
        return self._pairs[part, split]

    def chosen(self, part: str, split: int, most: int, seed: int) -> list[Graph]:
        """Return the pairs of a part, or `most` of them chosen at random if there are more."""
        pairs = self.pairs(part, split)
        return [pairs[int(i)] for i in np.sort(np.random.default_rng(seed).permutation(len(pairs))[:most])]

    def summary(self, splits: Sequence[int]) -> dict[str, Any]:
        """Return the number of pairs, their sizes in the first split, and the paper's numbers."""
        parts = [self.pairs(part, splits[0]) for part in ("train", "test")]
        nodes, edges = (np.concatenate(column) for column in ([p.n_nodes for p in parts], [p.n_edges for p in parts]))
        return {
            "label": self.label,
            "is_fragment": self.is_fragment,
            "nodes": self.graph.num_nodes,
            "edges": self.graph.num_edges,
            "communities": len(self.graph.meta["communities"]),
            "pairs": {
                str(split): {part: len(self.pairs(part, split)) for part in ("train", "test")} for split in splits
            },
            "pair_nodes": _mean_and_spread(nodes),
            "pair_edges": _mean_and_spread(edges),
            "paper": {
                "nodes": self.published.nodes,
                "edges": self.published.edges,
                "pairs": dict(zip(("train", "test"), self.published.pairs, strict=True)),
                "pair_nodes": list(self.published.pair_nodes),
                "pair_edges": list(self.published.pair_edges),
            },
        }


def _mean_and_spread(values: Any) -> list[float] | None:
    return [float(values.mean()), float(values.std())] if len(values) else None


def _describe(summary: Mapping[str, Any]) -> str:
    """Describe the result of `_Network.summary` in a sentence."""
    paper = summary["paper"]
    counts = [f"{pairs['train']:,} and {pairs['test']:,} in split {split}" for split, pairs in summary["pairs"].items()]
    text = (
        f"{summary['label']} (published: {paper['nodes']:,}), {summary['edges']:,} edges ({paper['edges']:,}): "
        f"training and test pairs {', '.join(counts)} "
        f"(published: {paper['pairs']['train']:,} and {paper['pairs']['test']:,})"
    )
    if summary["pair_nodes"] is None:
        return text
    sizes = (
        "{} {:.0f} ± {:.0f} (published: {:.0f} ± {:.0f})".format(name, *summary[key], *paper[key])
        for name, key in (("nodes", "pair_nodes"), ("edges", "pair_edges"))
    )
    return f"{text}; {', '.join(sizes)}"


# ---------------------------------------------------------------- models


@cache
def _published_architecture(model: str) -> ModelConfig:
    return ModelConfig(model, "gated-gcn")


@dataclass(frozen=True)
class _Model:
    """A trained model.

    Attributes
    ----------
    name : str
    source : str or Path
        Argument of `load_checkpoint`.
    info : CheckpointInfo
    """

    name: str
    source: str | Path
    info: CheckpointInfo

    @property
    def method(self) -> str:
        """The method in whose row the model is measured."""
        model: str = self.info.model["model"]
        is_published = has_architecture(self.info.config, _published_architecture(model))
        return f"{model}{_GATED_GCN}" if is_published else model

    @property
    def network(self) -> str:
        """The network on whose pairs the model was trained."""
        return _network_of(self.info.data["parameters"])

    def split(self) -> int:
        """Return the seed of the split on which the model was trained.

        Raises
        ------
        UsageError
            The model, or one that it started from, was trained on pairs of its network other than the training pairs of
            that split.
        """
        seed = int(self.info.data["parameters"].get("split_seed", 0))
        for network, part, split in self._seen():
            is_training_part = (network, part, split) == (self.network, "train", seed)
            if _base_name(network) == _base_name(self.network) and not is_training_part:
                raise UsageError(f"{self.name} has seen test pairs of split {seed} of {network} in training")
        return seed

    def has_seen(self, name: str) -> bool:
        """Whether the model, or one that it started from, was trained on pairs of a network."""
        return any(_base_name(network) == _base_name(name) for network, _, _ in self._seen())

    def _seen(self) -> Iterator[tuple[str, str, int]]:
        """Yield the network, part and split of each training on pairs of communities."""
        for training in self.info.lineage:
            data = training.get("data")
            if data is None and "community-pairs" in training["command"]:
                raise UsageError(f"{self.name} started from a model that does not record which pairs it has seen")
            if data is not None and data["family"] == "community-pairs":
                parameters = data["parameters"]
                yield _network_of(parameters), parameters.get("split", "train"), int(parameters.get("split_seed", 0))


def _network_of(parameters: Mapping[str, Any]) -> str:
    """Return the name of the data set of a training, or the name of its file without the extensions."""
    name: str = parameters.get("data", _DEFAULT_NETWORK)
    try:
        return entry_of(name).name
    except UsageError:
        return Path(name).name.partition(".")[0]


def _base_name(network: str) -> str:
    """Return the name of a network without the suffix for the set of all communities."""
    return network.removesuffix("-all")


def _models(available: dict[str, Path], checkpoints: tuple[str, ...]) -> list[_Model]:
    """Return the models of pairs of communities among the available models and the given checkpoints.

    Raises
    ------
    UsageError
        A given checkpoint was trained on another family.
    """
    sources: dict[str, str | Path] = {**available, **{name: name for name in checkpoints}}
    models = [_Model(name, source, read_info(source)) for name, source in sources.items()]
    for model in models:
        if model.name in checkpoints and model.info.data["family"] != "community-pairs":
            raise UsageError(f"{model.name} was trained on {model.info.data['family']}, not on community-pairs")
    return [model for model in models if model.info.data["family"] == "community-pairs"]


def _command(method: str, data: str) -> str:
    """Return the command that trains a model at the published size, with the paper's architecture or ours."""
    model = method.removesuffix(_GATED_GCN)
    name = f"{_NAMES[method]}-{data.removeprefix('com-')}"
    if method.endswith(_GATED_GCN):
        options = "--encoder gated-gcn --n-z 40 --learning-rate 1e-4"
    else:
        options = (
            "--set drop=0.3 --same-size --encoder graph-transformer --layers 4 --known-share 0.2 --n-z 8 "
            "--learning-rate 5e-4 --weight-decay 0 --schedule cosine --warmup 100 --clip 200 --average 0.999 "
            f"--start {model}"
        )
    return (
        f"graphclust train {model} --family community-pairs --set data={data} --steps 5000 --batch-size 16 {options} "
        f"--out {name}.safetensors"
    )


# ---------------------------------------------------------------- measurements


def _measure(method: str, graphs: list[Graph], seed: int, model: _Model | None = None) -> dict[str, Any]:
    """Return accuracy and AMI x 100, the counts of `detected`, and the ELBO if the method is a model."""
    params: dict[str, Any] = {} if model is None else {"checkpoint": model.source}
    if method.endswith((_MOST_PROBABLE, _GATED_GCN)):
        params["estimate"] = "map"
    name = method.removesuffix(_MOST_PROBABLE).removesuffix(_GATED_GCN)
    scores, counts = detected(name, graphs, seed, (accuracy, ami), **params)
    line = dict(zip(("accuracy", "ami"), 100 * scores.mean(axis=0), strict=True)) | counts
    if len(graphs) > 1:
        line |= {f"{name}_se": 100 * standard_error(scores[:, i]) for i, name in enumerate(("accuracy", "ami"))}
    if model is not None and not method.endswith(_MOST_PROBABLE):
        network, info = load_checkpoint(model.source)
        line["elbo"] = float(elbos(network, info.config, graphs, seed=seed).mean())
    return line


def _over_runs(runs: list[dict[str, Any]], splits: Sequence[int | str]) -> dict[str, Any]:
    """Return means over runs, each on the graphs of a split, and total numbers of graphs and failures."""
    is_one = len(runs) == 1
    means = over_seeds([{name: run[name] for name in run if is_one or not name.endswith("_se")} for run in runs])
    line: dict[str, Any] = means | {"runs": [run | {"split": split} for run, split in zip(runs, splits, strict=True)]}
    line["splits"] = len(set(splits))
    line["graphs"] = sum({split: run["graphs"] for run, split in zip(runs, splits, strict=True)}.values())
    line["n_failed"] = sum(run["n_failed"] for run in runs)
    for name in ("graphs_sd", "n_failed_sd"):
        line.pop(name, None)
    return line


def _provenance(models: Sequence[_Model]) -> dict[str, Any]:
    """Return the columns on the architecture and training of models. Numbers and commands are lists over models."""
    histories = [
        provenance(model.info, _published_architecture(model.info.model["model"]), PUBLISHED_GRAPHS) for model in models
    ]
    merged: dict[str, Any] = {
        name: "; ".join(dict.fromkeys(history[name] for history in histories))
        for name in ("architecture", "started_from")
    }
    merged |= {name: [history[name] for history in histories] for name in ("steps", "graphs_trained", "trained_by")}
    return merged | {"full_size": all(history["full_size"] for history in histories)}


# ---------------------------------------------------------------- blocks of the table


class _TestPairs:
    """Rows of a network on the test pairs of the splits of its models, or of split 0 if it has no models.

    Raises
    ------
    UsageError
        A model was trained on test pairs of its split, or the split has no test pairs.
    """

    def __init__(self, network: _Network, models: list[_Model], most: int, seed: int) -> None:
        self.label, self.name = network.label, network.name
        self.models = [model for model in models if model.network == network.name]
        splits = {model.name: model.split() for model in self.models}
        self.splits: list[int] = sorted({*splits.values()} or {0})
        graphs = {split: network.chosen("test", split, most, seed) for split in self.splits}
        for name, split in splits.items():
            if not graphs[split]:
                raise UsageError(
                    f"{name} was trained on split {split} of {network.label}, which has no pairs of test communities: "
                    "train it on another split (--set split_seed=N)"
                )
        self.graphs: dict[int | str, list[Graph]] = {split: part for split, part in graphs.items() if part}

    def rows(self, method: str) -> Iterator[tuple[str, str, list[_Model]]]:
        """Yield the name, the command and the models of each row of a method."""
        base = method.removesuffix(_MOST_PROBABLE)
        yield method, _command(base, self.name), [model for model in self.models if model.method == base]

    def graphs_of(self, model: _Model) -> tuple[int | str, list[Graph]]:
        """Return the split of a model and its test graphs."""
        split = model.split()
        return split, self.graphs[split]


class _AllPairs:
    """Rows of a network on all its pairs, for models that were not trained on any of them."""

    def __init__(self, network: _Network, models: list[_Model], most: int, seed: int) -> None:
        self.label, self.name = f"{network.label}{_ALL_PAIRS}", network.name
        self.models = [model for model in models if not model.has_seen(network.name)]
        graphs = network.chosen("all", 0, most, seed)
        self.graphs: dict[int | str, list[Graph]] = {"all": graphs} if graphs else {}

    def rows(self, method: str) -> Iterator[tuple[str, str, list[_Model]]]:
        """Yield the name, the command and the models of each row of a method, with one row per training network."""
        base = method.removesuffix(_MOST_PROBABLE)
        for network in DATA:
            models = [model for model in self.models if (model.method, model.network) == (base, network)]
            if models and self.graphs:
                yield f"{method}, trained on {network}", _command(base, network), models

    def graphs_of(self, model: _Model) -> tuple[int | str, list[Graph]]:
        """Return "all" and the graphs, which are the same for every model."""
        return "all", self.graphs["all"]


def _line(label: str, name: str, method: str) -> dict[str, Any]:
    """Return the start of a row, with the paper's numbers if there are any."""
    base = method.removesuffix(_MOST_PROBABLE).removesuffix(_GATED_GCN)
    scores = DATA[name].scores.get(base, (None, None, None))
    line: dict[str, Any] = {"row": f"{label}: {method}", "data": label, "method": method}
    return line | dict(zip(("paper_accuracy", "paper_ami", "paper_elbo"), scores, strict=True))


def _untrained(method: str, command: str) -> dict[str, Any]:
    """Return the command and the architecture of a row without a model."""
    base = method.removesuffix(_MOST_PROBABLE)
    published = _published_architecture(base.removesuffix(_GATED_GCN))
    config = published if base.endswith(_GATED_GCN) else ModelConfig(base, "graph-transformer")
    return {"command": command, "architecture": describe_architecture(config, published)}


def _model_rows(block: _TestPairs | _AllPairs, method: str, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a method with trained models."""
    for name, command, models in block.rows(method):
        line = _line(block.label, block.name, method) | {"row": f"{block.label}: {name}", "method": name}
        if not models:
            yield line | _untrained(method, command)
            continue
        runs, splits = [], []
        for model in models:
            split, graphs = block.graphs_of(model)
            runs.append(_measure(method, graphs, seed, model))
            splits.append(split)
        yield line | {"command": command} | _over_runs(runs, splits) | {"models": len(runs)} | _provenance(models)


def _peer_row(block: _TestPairs | _AllPairs, method: str, seed: int) -> dict[str, Any]:
    """Return the row of a method without a trained model."""
    line = _line(block.label, block.name, shown(method))
    if not block.graphs:
        return line
    runs = [_measure(method, graphs, seed) for graphs in block.graphs.values()]
    return line | _over_runs(runs, list(block.graphs))


def _block(
    name: str, networks: dict[str, _Network], models: list[_Model], most: int, seed: int
) -> _TestPairs | _AllPairs:
    """Load the network of a block, unless it is already loaded, and return the block."""
    network = name.removesuffix(_ALL_PAIRS)
    if network not in networks:
        networks[network] = _Network(network)
    kind = _AllPairs if name.endswith(_ALL_PAIRS) else _TestPairs
    return kind(networks[network], models, most, seed)


def reproduce(
    n_graphs: int | None = None,
    seed: int = 0,
    quick: bool = False,
    data: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
    checkpoints: tuple[str, ...] = (),
    models: str | None = None,
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    n_graphs : int, optional
        Largest number of test pairs per network and split, chosen at random and the same for all methods; 1,000 by
        default, 20 if `quick`.
    seed : int
        Seed of the choice and of the methods.
    quick : bool
    data : tuple of str
        Names from `DATA`, or "NETWORK, all pairs". By default all networks (without measurements if a network is not on
        this machine) and all pairs of com-amazon.
    methods : tuple of str
        Names from `METHODS`; all by default.
    checkpoints : tuple of str
        Files of models that were trained on community-pairs, on any split, in addition to the available models.
    models : str, optional
        Folder of trained models to use in addition to the shipped ones; by default results/models, if it exists.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers, networks (numbers and sizes of their pairs), notes, settings. The row of a
        model contains the command that trains it.

    Raises
    ------
    UsageError
        A data set, method or checkpoint is unknown, a checkpoint was trained on test pairs of its split, or its split
        has no test pairs.
    DataError
        A data set in `data` is not on this machine.
    """
    check_names("data set of the table", data, _BLOCKS)
    check_names("method of the table", methods, METHODS)
    most = n_graphs or (20 if quick else _MAX_GRAPHS)
    trained = _models(available_models(models), checkpoints)
    networks: dict[str, _Network] = {}
    summaries: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    notes: list[str] = []
    with task("acp-table4", len(data or _DEFAULT_BLOCKS) * len(methods or METHODS)) as advance:
        for name in data or _DEFAULT_BLOCKS:
            entry = entry_of(name.removesuffix(_ALL_PAIRS))
            if not data and not is_here(entry):
                if not name.endswith(_ALL_PAIRS):
                    rows += _rows_without_data(name, methods)
                    notes.append(f"{name} is not on this machine: {advice(entry)}")
                continue
            block = _block(name, networks, trained, most, seed)
            if isinstance(block, _TestPairs):
                summaries[name] = networks[name].summary(block.splits)
                notes.append(_describe(summaries[name]))
            for method in methods or METHODS:
                if method in PEERS:
                    peers.append(_peer_row(block, method, seed))
                else:
                    rows += _model_rows(block, method, seed)
                advance()
    return {
        "table": "acp-table4",
        "rows": rows,
        "peers": peers,
        "networks": summaries,
        "notes": notes,
        "settings": settings(seed=seed, most_graphs=most),
    }


def _rows_without_data(name: str, methods: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the paper's numbers and the training commands for a network that is not on this machine."""
    return [
        _line(name, name, method) | _untrained(method, _command(method.removesuffix(_MOST_PROBABLE), name))
        for method in methods or METHODS
        if method not in PEERS
    ]
