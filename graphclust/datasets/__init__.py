"""Named data sets: a few tiny graphs that ship with the package, and public ones that are downloaded on first use.

    graph = datasets.load("com-dblp")

looks for the publisher's files in the folder `GRAPHCLUST_DATA`, then in the user's cache, and otherwise downloads them.
There is one module for each family of file layouts. `data/registry.toml` lists the data sets.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphclust.datasets.cache import advice, fetch, fetch_url, find
from graphclust.datasets.entries import Entry, File, entry_of, function, registry
from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph
from graphclust.runtime.notes import log_notes

if TYPE_CHECKING:
    from graphclust.datasets.pairs import PairGraphs as PairGraphs
    from graphclust.datasets.pairs import community_pairs as community_pairs
    from graphclust.datasets.pyg import CommunityPairs as CommunityPairs

__all__ = ["CommunityPairs", "Entry", "File", "community_pairs", "download", "load", "path", "registry"]


_LAZY = {"CommunityPairs": "pyg", "community_pairs": "pairs"}
_TRUTH = ("labels", "communities")


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = function(f"{_LAZY[name]}.{name}")
    return value


def path(name: str, *, labels: bool = False) -> Path:
    """Return the path of the main file of a data set or, with `labels`, of the file of its known communities.

    Nothing is downloaded.

    Raises
    ------
    UsageError
        The data set does not exist, or has no file of communities.
    DataError
        The data set is not on this machine; the message says which file to put where.

    Examples
    --------
    >>> path("karate").name
    'karate.edgelist'
    """
    entry = entry_of(name)
    roles = [role for role in entry.files if not labels or role in _TRUTH]
    if not roles:
        raise UsageError(f"{entry.name} has no known communities")
    file = entry.files[roles[0]]
    location = find(file, bundled=entry.bundled)
    if location is None:
        command = f"graphclust data download {entry.name}"
        raise DataError(f"{entry.name} is not on this machine: run `{command}`, or {advice(entry)}")
    return location


def download(name: str) -> list[Path]:
    """Download the missing files of a data set, and return the paths of all its files.

    Raises
    ------
    UsageError
        The data set does not exist.
    DataError
        A file cannot be downloaded or is not the expected one; the message says which file to put where.
    """
    return list(fetch(entry_of(name)).values())


def load(name: str, **reading: Any) -> Graph:
    """Load a data set as a graph, and download it on first use.

    Parameters
    ----------
    name : str
        A name in `registry()` or in the output of `graphclust data list`; or the URL or path of an edge list in the
        layout of SNAP.
    **reading
        Options of `graphclust.read_graph`, for data sets that are edge lists. All data sets accept `directed=False`.

    Returns
    -------
    Graph
        With features `x` and classes `y`, if known; `meta["classes"]` has the names of the classes. Tables of features
        are graphs without edges. Overlapping communities are in `meta["communities"]` as arrays of int64, positions of
        nodes. `meta["split"]` has the publisher's train, valid and test nodes, if any.

    Raises
    ------
    UsageError
        The data set does not exist, or is not an edge list and does not accept reading options.
    DataError
        The data set cannot be downloaded or read.

    Examples
    --------
    >>> graph = load("karate")
    >>> graph, graph.meta["classes"]
    (Graph(34 nodes, 78 edges), ['Mr. Hi', 'Officer'])
    """
    from graphclust.datasets import snap

    if "://" in name:
        return snap.read(fetch_url(name), **reading)
    try:
        entry = entry_of(name)
    except UsageError:
        if Path(name).is_file():
            return snap.read(Path(name), **reading)
        raise
    loader = function(entry.loader)
    if _reads_edge_list(loader):
        graph: Graph = loader(fetch(entry), **(dict(entry.options) | reading))
    else:
        flat = reading.get("directed") is False
        if reading.keys() - ({"directed"} if flat else set()):
            raise UsageError(f"{', '.join(reading)}: only for edge lists, and {entry.name} is not one")
        files = fetch(entry)
        graph = loader(files, **entry.options)
        graph = graph.undirected() if flat else graph
        main = next(iter(files.values()))
        with main.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        origin = {"source": str(main), "format": entry.loader.partition(".")[0], "sha256": digest, "notes": ()}
        graph.meta = origin | graph.meta
        log_notes(graph.meta["notes"], entry.name)
    graph.meta["name"] = entry.name
    return graph


def _reads_edge_list(loader: Callable[..., Graph]) -> bool:
    """Whether a loader reads an edge list and takes the options of `graphclust.read_graph`."""
    parameters = inspect.signature(loader).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
