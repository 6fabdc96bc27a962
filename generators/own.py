"""Graphs of the user's own, where a family is taken: functions that draw graphs, and folders of labelled graphs."""

from __future__ import annotations

import copy
import hashlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphclust.errors import DataError, GraphclustError, UsageError, unknown
from graphclust.graph import Graph, graph_of
from graphclust.io import read_file
from graphclust.io.partition import read_partition
from graphclust.results.communities import labels_of
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import Note, counted, log_notes
from graphclust.runtime.registry import code_digest
from graphclust.runtime.seeds import check_seed, seeded_globals

__all__ = ["GivenGraphs", "identity_of", "name_of", "sampler_of"]

_SEEDS = ("random_state", "seed", "rng")
_TEST_SHARE = 0.2
_WITH_ATTRIBUTES = (".graphml", ".gml", ".gexf", ".json", ".pt", ".npz", ".net", ".gz", ".bz2", ".xz", ".zst")
_SPLITS = ("train", "test", "all")
_LABELS = re.compile(r"(?:^|[-_.])(?:labels?|truth|communities|cmty|classes)(?=[-_.]|$)", re.IGNORECASE)
_SUFFIX = re.compile(r"\.\w+(?:\.(?:gz|bz2|xz|zst))?$", re.IGNORECASE)
_GRAPH = re.compile(r"^graph[-_.]", re.IGNORECASE)


def name_of(family: Any) -> str:
    """Return what messages call a family."""
    function = getattr(family, "sample", family)
    return family if isinstance(family, str) else str(getattr(function, "__name__", type(function).__name__))


def identity_of(family: Any, sample: Callable[..., Graph]) -> str:
    """Return a text for records of measurements: the name of a family and, of a family of one's own, its code.

    Parameters
    ----------
    family : str, Family or callable
    sample : callable
        Of the family.
    """
    function = getattr(sample, "__wrapped_family__", sample)
    is_own = not str(getattr(function, "__module__", "")).startswith("graphclust.")
    return f"{name_of(family)} {code_digest(function)}" if is_own else name_of(family)


def sampler_of(function: Callable[..., Any], name: str | None = None) -> Callable[..., Graph]:
    """Return a function that draws labelled graphs and takes `random_state`, see `as_family`.

    Raises
    ------
    UsageError
        The function has no parameter for the seed.
    """
    name = name or name_of(function)
    signature = inspect.signature(function)
    own_seed = next((seed for seed in _SEEDS if seed in signature.parameters), None)
    if own_seed is None:
        raise UsageError(f"{name} cannot draw random graphs: it has no parameter random_state or seed")

    def sample(*, random_state: Any = None, **parameters: Any) -> Graph:
        seed = check_seed(random_state)
        own = np.random.default_rng(seed) if own_seed == "rng" else seed
        try:
            with seeded_globals(seed):
                graph = labelled_graph(function(**parameters, **{own_seed: own}), name)
        except GraphclustError:
            raise
        except (Exception, SystemExit) as error:
            raise GraphclustError(f"{name} failed: {type(error).__name__}: {error}") from error
        graph.meta.setdefault("generator", {"family": name, **parameters})
        graph.meta.setdefault("realised", {"n_nodes": graph.num_nodes, "n_edges": graph.num_edges})
        return graph

    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    own = [
        item.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for item in signature.parameters.values()
        if item.kind not in variable and item.name != own_seed
    ]
    random_state = inspect.Parameter("random_state", inspect.Parameter.KEYWORD_ONLY, default=None)
    sample.__dict__["__signature__"] = inspect.Signature([*own, random_state])
    sample.__name__, sample.__doc__ = name, inspect.getdoc(function)
    sample.__annotations__ = {**getattr(function, "__annotations__", {}), "return": Graph}
    sample.__dict__["__wrapped_family__"] = function
    return sample


def labelled_graph(drawn: Any, name: str) -> Graph:
    """Return the graph and its labels that a function has drawn.

    Raises
    ------
    UsageError
        They are not a graph with a label for each node.
    """
    labels: Any = None
    if isinstance(drawn, tuple) and len(drawn) == 2:
        drawn, labels = drawn
    elif "partition" in getattr(drawn, "graph", {}):  # of networkx
        labels = drawn.graph["partition"]
    graph = graph_of(drawn)
    if labels is None and graph.y is None:
        raise UsageError(f"{name} returned a graph without labels: return the graph and its labels")
    return _copied(graph) if labels is None else _with_labels(graph, labels, name)


def _copied(graph: Graph) -> Graph:
    """Return a graph with the same arrays and a `meta` of its own."""
    other = copy.copy(graph)
    other.meta = dict(graph.meta)
    return other


def _with_labels(graph: Graph, labels: Any, name: str) -> Graph:
    """Return a graph with its labels as `y`; the graph itself is not modified.

    Raises
    ------
    UsageError
        The labels overlap, or a node has none.
    """
    try:
        partition = labels_of(labels, graph.nodes)
    except DataError as error:
        raise UsageError(f"{name}: {error}") from None
    if isinstance(partition, list):
        raise UsageError(f"{name}: the communities overlap, but each node needs one label")
    if not any(node in partition for node in graph.nodes):
        partition = {str(node): label for node, label in partition.items()}
        ids: Sequence[Any] = [str(node) for node in graph.nodes]
    else:
        ids = graph.nodes
    missing = [node for node in ids if node not in partition]
    if missing:
        raise UsageError(f"{name}: {counted(len(missing), 'node')} without a label, such as {missing[0]!r}")
    number = {label: i for i, label in enumerate(dict.fromkeys(partition[node] for node in ids))}
    labelled = _copied(graph)
    labelled.y = np.array([number[partition[node]] for node in ids], dtype=np.int64)
    return labelled


def _named_without_labels(stem: str) -> Iterator[str]:
    """Yield the name of the graph that a file of labels may belong to, such as net1 for net1.labels."""
    for found in _LABELS.finditer(stem):
        rest = stem[: found.start()] + stem[found.end() :]
        yield _GRAPH.sub("", rest.strip("-_."))


class GivenGraphs(Sequence[Graph]):
    """Labelled graphs in a folder, read when they are first used.

    Attributes
    ----------
    names : list of str
        Common part of the names of each graph and of its labels, sorted.
    is_test : ndarray of bool, shape (n_graphs,)
        Which graphs are held out from training: a fifth of them, chosen by their names.
    """

    def __init__(self, files: dict[str, tuple[Path, Path | None]]) -> None:
        self.names = sorted(files)
        self._files = [files[name] for name in self.names]
        self._read: dict[int, Graph] = {}
        rank = np.argsort([hashlib.sha256(name.encode()).hexdigest() for name in self.names], kind="stable")
        self.is_test = np.zeros(len(self.names), dtype=bool)
        self.is_test[rank[: max(1, round(_TEST_SHARE * len(self.names)))]] = True

    @classmethod
    def of_folder(cls, folder: str) -> GivenGraphs:
        """Find the graphs in a folder, see `graph_folder`.

        Raises
        ------
        DataError
            The folder does not exist, or has fewer than two graphs.
        """
        try:
            files = sorted(path for path in Path(folder).iterdir() if path.is_file() and path.name[0] != ".")
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", folder) from None
        stems = {path: _SUFFIX.sub("", path.name) for path in files}
        keys = {path: _GRAPH.sub("", stem) for path, stem in stems.items()}
        known = set(keys.values())
        labels = {
            name: path
            for path in files
            for name in _named_without_labels(stems[path])
            if name in known and name != keys[path]
        }
        graphs = {keys[path]: path for path in files if path not in labels.values()}
        lonely = [
            name for name, path in graphs.items() if name not in labels and path.suffix.lower() not in _WITH_ATTRIBUTES
        ]
        if lonely and labels:  # notes and licences among graphs that have labels
            names = ", ".join(graphs[name].name for name in lonely[:3])
            message = f"skipped {counted(len(lonely), 'file')} without labels, such as {names}"
            log_notes([Note("skipped-files", message, {"n_files": len(lonely)})], folder)
            graphs = {name: path for name, path in graphs.items() if name not in lonely}
        if len(graphs) < 2:
            raise DataError(f"a folder of graphs needs at least two, but has {len(graphs)}", folder)
        return cls({name: (path, labels.get(name)) for name, path in graphs.items()})

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: Any) -> Any:
        """Return a graph, whose `y` are its labels.

        Raises
        ------
        DataError
            A file cannot be read, or the graph has no labels.
        """
        if number not in self._read:
            path, labels = self._files[number]
            graph = read_file(str(path))
            if labels is None and graph.meta.get("node_attributes"):
                labels = path
            if labels is not None:
                truth = read_partition(str(labels), None, graph.nodes)
                graph = _with_labels(graph, truth, str(labels))
            elif graph.y is None:
                raise DataError(f"no labels: expected them in {_SUFFIX.sub('', path.name)}.labels.tsv beside it", path)
            graph.meta["realised"] = {"n_nodes": graph.num_nodes, "n_edges": graph.num_edges}
            self._read[number] = graph
        return self._read[number]

    def part(self, split: str) -> IntArray:
        """Return the numbers of the graphs of a split: "train", "test" or "all".

        Raises
        ------
        UsageError
            There is no such split.
        """
        if split not in _SPLITS:
            raise unknown("split", split, _SPLITS)
        return np.flatnonzero(self.is_test | True if split == "all" else self.is_test == (split == "test"))

    @cache  # noqa: B019 -- there are few folders
    def by_size(self, split: str) -> IntArray:
        """Return the numbers of the graphs of a split, those with the fewest nodes first."""
        chosen = self.part(split)
        order: IntArray = chosen[np.argsort([self[int(i)].num_nodes for i in chosen], kind="stable")]
        return order
