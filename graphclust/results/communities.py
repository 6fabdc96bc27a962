"""The result type: communities of a graph, their quality, their agreement with a ground truth, and export."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust import metrics
from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph
from graphclust.graph.labels import is_missing, plain_labels
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note

if TYPE_CHECKING:
    import networkx
    import pandas
    from matplotlib.axes import Axes
    from torch_geometric.data import Data

    from graphclust.results.changes import Changes
    from graphclust.results.cover import Cover
    from graphclust.results.hierarchy import Hierarchy
    from graphclust.results.links import LinkModel, Links
    from graphclust.results.posterior import Posterior

__all__ = ["Communities", "compare_to_truth", "labels_of"]

_MOST_PAIRS = 20_000_000  # of nodes in the same community, for the omega index: about a gigabyte
_OF_THE_WHOLE = (
    "n_clusters",
    "known",
    "min_size",
    "max_size",
    "start",
)  # parameters that a search in a community does not take


@dataclass(frozen=True, eq=False, repr=False)
class Communities:
    """Communities of a graph, as `detect` returns them.

    Attributes
    ----------
    graph : Graph
    labels : ndarray of int64, shape (n_nodes,)
        Number of each node's community, in the order of `nodes`. Community 0 is the largest; but with a start,
        communities keep their numbers from it, and numbers of communities that have vanished are left out. Functions of
        `graphclust.metrics` take `ranks`.
    method : str
        Name of the method.
    params : dict
        Parameters of the method, including `random_state`.
    seconds : float
        Wall time of the method.
    confidence : ndarray of float64, shape (n_nodes,), or None
        Posterior probability that the label of each node is right.
    posterior : Posterior or None
        Samples of partitions, if the method draws them.
    stability : ndarray of float64, shape (n_nodes,), or None
        Of several runs with different seeds: the share of them in which each node is in the community that corresponds
        to its own.
    cover : Cover or None
        Overlapping communities, if they were asked for: each node keeps its community and may join others.
    changes : Changes or None
        What has changed since the start, if there was one.
    runs : Posterior or None
        The partitions of these runs, all of the same weight; not samples of a posterior.
    hierarchy : Hierarchy or None
        Nested levels of communities, if they were asked for; these communities are one of them.
    notes : tuple of Note
        Decisions of the reader and the method: what they chose, dropped or repaired.
    details : dict
        How the method found the result. For `auto` and refined results: the block model, its settings, the description
        length, the score of every starting partition, and the agreement of the Markov chains.
    detector : callable or None
        Finds the communities of another graph, by default with the same method, for `within`. None if
        `graphclust.detect` did not make the result.

    Examples
    --------
    >>> import graphclust as gc
    >>> c = gc.detect([("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("d", "f")])
    >>> c.n_clusters, c.membership["f"]
    (2, 1)
    >>> round(c.quality()["modularity"], 3)
    0.357
    """

    graph: Graph
    labels: IntArray
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    confidence: FloatArray | None = None
    posterior: Posterior | None = None
    hierarchy: Hierarchy | None = None
    notes: tuple[Note, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    detector: Callable[..., Communities] | None = None
    cover: Cover | None = None
    stability: FloatArray | None = None
    runs: Posterior | None = None
    changes: Changes | None = None

    def __post_init__(self) -> None:
        """Check the labels and copy labels and parameters, so that later changes by the caller have no effect."""
        n = self.graph.num_nodes
        labels = np.array(self.labels, dtype=np.int64)
        for name, values in (("labels", labels), *self.certainty.items()):
            if values is not None and np.shape(values) != (n,):
                raise DataError(f"{name} must have the shape ({n},), one value per node, not {np.shape(values)}")
        if n and labels.min() < 0:
            raise DataError("labels are the numbers of communities, which are not negative")
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "params", dict(self.params))

    @property
    def nodes(self) -> list[Any]:
        """The caller's own node ids."""
        return self.graph.nodes

    @property
    def n_clusters(self) -> int:
        """Number of communities."""
        return len(self.numbers)

    @cached_property
    def _ranked(self) -> tuple[IntArray, IntArray]:
        rank = metrics.rank_labels(self.labels)
        number = np.zeros(int(rank.max(initial=-1)) + 1, dtype=np.int64)
        number[rank] = self.labels
        order = np.lexsort((number, -np.bincount(rank)))  # of equal size: by number
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return number[order], place[rank]

    @property
    def numbers(self) -> IntArray:
        """The number of each community, as in `labels`, the largest community first; 0, 1, ... without a start."""
        return self._ranked[0]

    @property
    def ranks(self) -> IntArray:
        """Rank of each node's community by size: its place in `communities` and `numbers`, shape (n_nodes,)."""
        return self._ranked[1]

    @property
    def certainty(self) -> dict[str, FloatArray]:
        """What says how sure the label of each node is, from 0 to 1: `confidence` and `stability`, if there are any."""
        values = {"confidence": self.confidence, "stability": self.stability}
        return {name: value for name, value in values.items() if value is not None}

    @cached_property
    def communities(self) -> list[set[Any]]:
        """Communities as sets of node ids, largest first."""
        members: list[set[Any]] = [set() for _ in range(self.n_clusters)]
        for node, rank in zip(self.nodes, self.ranks.tolist(), strict=True):
            members[rank].add(node)
        return members

    @cached_property
    def membership(self) -> dict[Any, int]:
        """Dictionary from node id to label."""
        return dict(zip(self.nodes, self.labels.tolist(), strict=True))

    @cached_property
    def _quality(self) -> dict[str, Any]:
        return metrics.quality(self.graph, self.ranks)

    def __len__(self) -> int:
        """Return the number of communities."""
        return self.n_clusters

    def __iter__(self) -> Iterator[set[Any]]:
        """Iterate over the communities, largest first."""
        return iter(self.communities)

    def quality(self, resolution: float = 1.0) -> dict[str, Any]:
        """Measure the partition on its graph.

        Parameters
        ----------
        resolution : float
            Factor of the expected term of the modularity. Values above 1 favour small communities.

        Returns
        -------
        dict
            modularity, coverage, mean_conductance, max_conductance, normalized_cut, balance, n_clusters and sizes (a
            list); see `graphclust.metrics.quality`. CNC adds expected_normalized_cut, computed from its probabilities.
        """
        expected = {name: self.details[name] for name in ("expected_normalized_cut",) if name in self.details}
        measures = self._quality if resolution == 1 else metrics.quality(self.graph, self.ranks, resolution)
        return {**measures, **expected, "sizes": list(measures["sizes"])}

    def describe(self, n_members: int = 5) -> list[dict[str, Any]]:
        """Describe each community as plain values; see `graphclust.results.summary.summarise`."""
        from graphclust.results.summary import summarise

        return summarise(self, n_members)

    def summary(self, n_members: int = 5) -> pandas.DataFrame:
        """Return what `describe` returns as a table, with one community a row.

        Parameters
        ----------
        n_members : int
            How many of the strongest members to name.
        """
        import pandas as pd

        return pd.DataFrame(self.describe(n_members)).set_index("community")

    def within(self, label: int, method: str | None = None, **params: Any) -> Communities:
        """Find the communities inside a community.

        Parameters
        ----------
        label : int
            The community, whose nodes and the edges among them are the graph.
        method : str, optional
            By default, the method of this result with its parameters, apart from the number of communities.
        **params
            Arguments of `graphclust.detect`.

        Returns
        -------
        Communities
            Of the nodes of this community only.

        Raises
        ------
        UsageError
            There is no such community, or the result was not made by `graphclust.detect`.

        Examples
        --------
        >>> import graphclust as gc
        >>> whole = gc.detect("data:les-miserables", "leiden")
        >>> part = whole.within(0)
        >>> len(part.nodes) == len(whole.communities[0]), part.n_clusters
        (True, 3)
        """
        if self.detector is None:
            raise UsageError("this result was not made by detect: graphclust.detect(c.subgraph(label)) searches in it")
        graph = self.subgraph(label)
        if method is None:
            own = {name: value for name, value in self.params.items() if name not in _OF_THE_WHOLE}
            params = own | params
        return self.detector(graph, method, **params)

    def coarser(self) -> Communities:
        """Return the next coarser communities: the next level of the hierarchy, or without one, half as many.

        Half as many are made by merging pairs of communities that gain the most modularity, or lose the least.

        Raises
        ------
        UsageError
            These are the coarsest communities.

        Examples
        --------
        >>> import graphclust as gc
        >>> gc.detect("data:les-miserables", "leiden").coarser().n_clusters
        3
        """
        from graphclust.results.hierarchy import Hierarchy

        if self.hierarchy is not None:
            if (level := self._level()) == len(self.hierarchy):
                raise UsageError("these communities are the coarsest level of the hierarchy")
            return replace(self.hierarchy.level(level + 1), hierarchy=self.hierarchy)
        if self.n_clusters < 2:
            raise UsageError("there are no coarser communities than one")
        return Hierarchy(self.graph, (self.ranks,), self.method, dict(self.params)).cut(self.n_clusters // 2)

    def finer(self) -> Communities:
        """Return the next finer communities: the level of the hierarchy below these.

        Raises
        ------
        UsageError
            There is no hierarchy, or these are its finest level.
        """
        if self.hierarchy is None:
            raise UsageError("finer communities need a hierarchy: detect(..., hierarchy=True), or within(label)")
        if (level := self._level()) == 1:
            raise UsageError("these communities are the finest level of the hierarchy")
        return replace(self.hierarchy.level(level - 1), hierarchy=self.hierarchy)

    def _level(self) -> int:
        """Return the level of the hierarchy that these communities are; 1 is the finest."""
        assert self.hierarchy is not None
        return next(i for i, level in enumerate(self.hierarchy.levels, 1) if np.array_equal(level, self.ranks))

    def subgraph(self, label: int) -> Graph:
        """Return the graph of a community: its nodes and the edges among them.

        Raises
        ------
        UsageError
            There is no such community.
        """
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or label not in self.numbers:
            first, last = int(self.numbers.min(initial=0)), int(self.numbers.max(initial=-1))
            gaps = ", with gaps" if last - first >= self.n_clusters else ""
            raise UsageError(f"there is no community {label!r}: they are numbered from {first} to {last}{gaps}")
        graph = self.graph.subgraph(np.flatnonzero(self.labels == label))
        graph.meta |= {key: self.graph.meta[key] for key in ("source", "sha256", "format") if key in self.graph.meta}
        return graph

    @classmethod
    def load(cls, path: str | os.PathLike[str], graph: Any = None) -> Communities:
        """Read a result that was written before, in any format that has the ids of the nodes.

        Parameters
        ----------
        path : str or PathLike
            A file of `save`, or another partition that `graphclust.io.partition.read_partition` reads.
        graph : optional
            The graph: a file, or an object as in `graphclust.detect`. Without it, there are no edges, and ids are text.

        Returns
        -------
        Communities
            The confidence is read from JSON and from tables; posteriors are not stored.

        Raises
        ------
        DataError
            The file is no partition, its communities overlap, or a node of the graph has no label.
        """
        from graphclust.results.loading import load

        return load(path, graph)

    def score(self, truth: Any) -> dict[str, float]:
        """Compare the partition with a ground truth, on the nodes that the ground truth covers.

        Parameters
        ----------
        truth : mapping, sequence, Communities, or path
            Labels by node id (a mapping, a Series, a table of nodes and labels); one label for each of `nodes`
            (sequence, array, tensor); a list of sets of nodes, which may overlap; another result; or a file that
            `graphclust.io.partition.read_partition` reads.

        Returns
        -------
        dict
            For a partition: ami, nmi, ari, vi (nats) and accuracy (under the best one-to-one assignment of labels). For
            overlapping communities: average_f1, onmi and, unless there are tens of millions of pairs of nodes in the
            same community, omega. In both cases n_scored, the number of nodes that both cover.

        Raises
        ------
        DataError
            The truth and the graph have no node in common.
        """
        return compare_to_truth(self.membership, truth, self.nodes)

    @cached_property
    def _link_model(self) -> LinkModel:
        from graphclust.results.links import LinkModel

        return LinkModel(self.graph, self.labels, self.posterior)

    def links(self, n: int = 20) -> Links:
        """Return the most probable missing edges, and the most doubtful present ones.

        Parameters
        ----------
        n : int
            Number of each, at most.

        Returns
        -------
        Links
            `missing` and `doubtful`: lists of (node, node, probability). See `graphclust.results.links` for the model.

        Raises
        ------
        UsageError
            n is not a positive whole number.

        Examples
        --------
        >>> import graphclust as gc
        >>> c = gc.detect("data:karate")
        >>> [(u, v) for u, v, p in c.links(2).missing]
        [('25', '33'), ('24', '33')]
        """
        from graphclust.results.links import Links
        from graphclust.runtime.checks import check_count

        check_count("n", n)
        ids, model = self.nodes, self._link_model
        rows = [zip(*(part.tolist() for part in found), strict=True) for found in (model.missing(n), model.doubtful(n))]
        return Links(*([(ids[i], ids[j], p) for i, j, p in kind] for kind in rows))

    def predict_proba(self, pairs: Iterable[tuple[Hashable, Hashable]]) -> FloatArray:
        """Return the probability that pairs of nodes are joined, given the communities and all other pairs.

        Parameters
        ----------
        pairs : iterable of (node, node)
            Ids of nodes, joined or not. Their order matters in directed graphs only.

        Returns
        -------
        ndarray of float64, shape (n_pairs,)
            See `graphclust.results.links` for the model.

        Raises
        ------
        UsageError
            An entry is not a pair, or pairs a node with itself.
        DataError
            A node is not in the graph.

        Examples
        --------
        >>> import graphclust as gc
        >>> c = gc.detect("data:karate")
        >>> inside, across = c.predict_proba([("0", "9"), ("16", "26")])
        >>> bool(across < inside)
        True
        """
        index, positions = self.graph.index, []
        for pair in pairs:
            if isinstance(pair, str) or not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
                raise UsageError(f"expected pairs of nodes, not {pair!r:.60}")
            ends = []
            for node in pair:
                if node not in index:
                    hint = f": its ids are text, as {str(node)!r:.60}" if str(node) in index else ""
                    raise DataError(f"node {node!r:.60} is not in the graph{hint}")
                ends.append(index[node])
            if ends[0] == ends[1]:
                raise UsageError(f"node {pair[0]!r:.60} is paired with itself")
            positions.append(ends)
        source, target = np.array(positions, dtype=np.int64).reshape(-1, 2).T
        return self._link_model.probability(source, target)

    def to_frame(self) -> pandas.DataFrame:
        """Return a table with the columns node, community and, if the result has them, confidence and stability.

        Of a hierarchy, `Hierarchy.to_frame` returns all levels.
        """
        import pandas as pd

        columns: dict[str, Any] = {
            "node": pd.Series(self.nodes, dtype=object).infer_objects(),
            "community": self.labels,
        }
        return pd.DataFrame(columns | self.certainty)

    def to_networkx(self) -> networkx.Graph[Any]:
        """Return a new networkx graph with the node attribute community and, where there are values, of certainty."""
        import networkx as nx

        graph = self.graph.to_networkx()
        nx.set_node_attributes(graph, self.membership, "community")
        for name, values in self.certainty.items():
            nx.set_node_attributes(graph, dict(zip(self.nodes, values.tolist(), strict=True)), name)
        return graph

    def to_igraph(self, kind: str | None = None) -> Any:
        """Return the result as an object of igraph.

        Parameters
        ----------
        kind : {"clustering", "cover", "dendrogram"}, optional
            A VertexClustering; a VertexCover, which is the default if communities overlap; or a VertexDendrogram, whose
            leaves are the nodes. Communities are numbered from the largest.

        Raises
        ------
        UsageError
            Another kind, or a dendrogram without a hierarchy.
        """
        from graphclust.results.conversion import to_igraph

        return to_igraph(self, kind)

    def to_cdlib(self) -> Any:
        """Return the result as a `cdlib.NodeClustering`, with the overlapping communities if there are any.

        Raises
        ------
        UsageError
            CDlib is not installed.
        """
        from graphclust.results.conversion import to_cdlib

        return to_cdlib(self)

    def to_data(self) -> Data:
        """Return a graph of PyTorch Geometric with the tensors `community`, shape (n_nodes,), and of certainty."""
        from graphclust.results.conversion import to_data

        return to_data(self)

    def to_graphrag(self, folder: str | os.PathLike[str]) -> list[str]:
        """Write the tables that GraphRAG reads: `communities.parquet`, and for a graph of another origin, also its own.

        Parameters
        ----------
        folder : str or PathLike
            Made if it does not exist. Tables of the same names are replaced.

        Returns
        -------
        list of str
            Names of the tables; see `graphclust.results.graphrag.graphrag_tables`.

        Raises
        ------
        DataError
            Two nodes with the same text as their ids.
        """
        import pyarrow.parquet as pq

        from graphclust.results.graphrag import graphrag_tables

        Path(folder).mkdir(parents=True, exist_ok=True)
        tables = graphrag_tables(self)
        for name, table in tables.items():
            pq.write_table(table, os.path.join(folder, f"{name}.parquet"))
        return list(tables)

    @classmethod
    def from_igraph(cls, clustering: Any, method: str = "igraph") -> Communities:
        """Take over a VertexClustering, VertexCover or VertexDendrogram of igraph.

        Communities that overlap become `cover`; the community of a node is the largest of its own.
        """
        from graphclust.results.conversion import from_igraph

        return from_igraph(clustering, method)

    @classmethod
    def from_cdlib(cls, clustering: Any) -> Communities:
        """Take over a clustering of the nodes of a graph by CDlib; see `from_igraph` for those that overlap."""
        from graphclust.results.conversion import from_cdlib

        return from_cdlib(clustering)

    @classmethod
    def from_networkx(cls, graph: Any, communities: Any = "community", method: str = "networkx") -> Communities:
        """Take over communities of a networkx graph.

        Parameters
        ----------
        graph : networkx.Graph
        communities : iterable of sets of nodes, or str
            What functions of `networkx.community` return, which may overlap; or the name of a node attribute.
        method : str

        Raises
        ------
        DataError
            A node that the graph does not have, or one without the attribute.
        """
        from graphclust.results.conversion import from_networkx

        return from_networkx(graph, communities, method)

    @classmethod
    def from_data(cls, data: Data, attribute: str = "community", method: str = "pyg") -> Communities:
        """Take over the communities in an attribute of a graph of PyTorch Geometric.

        Raises
        ------
        DataError
            There is no such attribute, or it has not one value for each node.
        """
        from graphclust.results.conversion import from_data

        return from_data(data, attribute, method)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the result to a file. The file is replaced only if writing succeeds.

        Parameters
        ----------
        path : str or PathLike
        format : str, optional
            tsv, csv, json, cmty, clu, graphml, gexf, parquet, newick, tree, or html for the page that `--report`
            writes. By default the format of the file's extension, or tsv if the extension is unknown.

        Raises
        ------
        UsageError
            The format is unknown.
        DataError
            The file cannot be written, or the format cannot represent a node id.
        """
        from graphclust.io.files import replacing
        from graphclust.results.files import result_format, write_result

        if format == "html" or (format is None and os.fspath(path).lower().endswith((".html", ".htm"))):
            from graphclust.report.page import html_report

            page = html_report(self).encode()
            with replacing(path) as stream:
                stream.write(page)
            return
        chosen = result_format(path, format)
        with replacing(path) as stream:
            write_result(self, stream, chosen)

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the graph, coloured by community; see `graphclust.report.plot.plot_communities`."""
        from graphclust.report.plot import plot_communities

        axes: Axes = plot_communities(self, ax, **options)
        return axes

    def __repr__(self) -> str:
        sizes = np.bincount(self.ranks)[:5].tolist()
        shown = ", ".join(map(str, sizes)) + (", ..." if self.n_clusters > 5 else "")
        return f"Communities({self.n_clusters} of {self.graph.num_nodes} nodes by {self.method}; sizes {shown})"


# ---------------------------------------------------------------- comparison with a ground truth


def labels_of(truth: Any, nodes: Sequence[Hashable] | None) -> dict[Hashable, Any] | list[set[Hashable]]:
    """Convert a partition to labels by node, or to a list of communities if they overlap.

    Parameters
    ----------
    truth : mapping, sequence, Communities, or path
        See `Communities.score`.
    nodes : sequence, optional
        The nodes to which a plain sequence of labels refers.
    """
    if isinstance(truth, Communities):
        return dict(truth.membership)
    if isinstance(truth, str | os.PathLike):
        from graphclust.io.partition import read_partition

        truth = read_partition(truth)
    truth = plain_labels(truth)
    if isinstance(truth, Mapping):
        return {node: label for node, label in truth.items() if not is_missing(label)}
    if not isinstance(truth, Iterable):
        raise UsageError(f"expected a mapping, labels, communities or a file, not {type(truth).__name__}")
    parts = list(truth)
    sets = all(isinstance(part, set | frozenset) for part in parts)
    lists = all(isinstance(part, list | tuple) for part in parts) and (nodes is None or len(parts) != len(nodes))
    if parts and (sets or lists):
        # a community that is listed twice counts once
        cover = [set(part) for part in dict.fromkeys(frozenset(part) for part in parts if len(part))]
        members = [node for part in cover for node in part]
        if len(members) == len(set(members)):  # no overlap: a partition
            return {node: label for label, part in enumerate(cover) for node in part}
        return cover
    if nodes is None or len(parts) != len(nodes):
        raise DataError(f"{len(parts)} labels for {0 if nodes is None else len(nodes)} nodes")
    return {node: label for node, label in zip(nodes, parts, strict=True) if not is_missing(label)}


def _by_string(labels: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
    return {str(node): label for node, label in labels.items()}


def compare_to_truth(predicted: Any, truth: Any, nodes: Sequence[Hashable] | None = None) -> dict[str, float]:
    """Compare a partition with a ground truth, which may cover only some of the nodes or have overlapping communities.

    Only nodes that both cover are compared, and their number is returned. A node has no label if its label is None,
    NaN, empty, or -1 in an array of integers, as in `Graph.y`. If no ids match, they are compared as strings. If
    communities overlap, both sides are treated as covers, restricted to the nodes that both cover. A community that is
    listed twice counts once.

    Parameters
    ----------
    predicted, truth : mapping, sequence, Communities, or path
        See `Communities.score`.
    nodes : sequence, optional
        The nodes to which a plain sequence of labels refers.

    Returns
    -------
    dict
        See `Communities.score`.

    Raises
    ------
    DataError
        The two have no node in common.

    Examples
    --------
    >>> scores = compare_to_truth({"a": 0, "b": 0, "c": 1}, {"a": "x", "b": "x", "c": "y", "d": "y"})
    >>> scores["ari"], scores["n_scored"]
    (1.0, 3)
    """
    predicted, truth = labels_of(predicted, nodes), labels_of(truth, nodes)
    if isinstance(predicted, list) or isinstance(truth, list):
        return _compare_covers(_as_cover(predicted), _as_cover(truth))
    common = [node for node in predicted if node in truth]
    if not common and predicted and truth:
        predicted, truth = _by_string(predicted), _by_string(truth)
        common = [node for node in predicted if node in truth]
    if not common:
        raise DataError("the truth and the partition have no node in common")
    codes = []
    for labels in (predicted, truth):
        number: dict[Any, int] = {}
        try:
            codes.append(np.array([number.setdefault(labels[node], len(number)) for node in common], dtype=np.int64))
        except TypeError as error:
            raise DataError(f"a label cannot be compared: {error}") from None
    return {**metrics.compare_labels(*codes), "n_scored": len(common)}


def _as_cover(labels: dict[Hashable, Any] | list[set[Hashable]]) -> list[set[Hashable]]:
    if isinstance(labels, list):
        return labels
    parts: dict[Any, set[Hashable]] = {}
    for node, label in labels.items():
        parts.setdefault(label, set()).add(node)
    return list(parts.values())


def _strings(cover: list[set[Hashable]]) -> list[set[Hashable]]:
    return [set(map(str, part)) for part in cover]


def _compare_covers(predicted: list[set[Hashable]], truth: list[set[Hashable]]) -> dict[str, float]:
    covered: list[set[Hashable]] = [set().union(*cover) for cover in (predicted, truth)]
    if covered[0].isdisjoint(covered[1]):
        predicted, truth = _strings(predicted), _strings(truth)
        covered = [set().union(*cover) for cover in (predicted, truth)]
    common = covered[0] & covered[1]
    if not common:
        raise DataError("the truth and the partition have no node in common")
    index = {node: i for i, node in enumerate(common)}
    members = [
        [np.array(sorted(index[node] for node in part if node in index), dtype=np.int64) for part in cover]
        for cover in (predicted, truth)
    ]
    left, right = ([part for part in cover if len(part)] for cover in members)
    scores = {"average_f1": metrics.average_f1(left, right), "onmi": metrics.onmi(left, right, len(index))}
    if sum(len(part) ** 2 for part in (*left, *right)) <= _MOST_PAIRS:
        scores["omega"] = metrics.omega(left, right, len(index))
    return {**scores, "n_scored": len(index)}
