"""Named data sets: a few tiny graphs that ship with the package, and the public ones, downloaded when first used.

    graph = datasets.load("com-dblp")

looks for the publisher's files in the folder that `GRAPHCLUST_DATA` names, then in the user's cache, then downloads
them. One module a family of file layouts; what there is stands in `data/registry.toml`.
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
    """Return where the main file of a data set lies, or with `labels` that of its known communities.

    Downloads nothing.

    Raises
    ------
    UsageError
        No such data set, or one without a file of communities.
    DataError
        It is not on this machine; says which file to put where.

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
    found = find(file, bundled=entry.bundled)
    if found is None:
        raise DataError(f"{entry.name} is not here: `graphclust data download {entry.name}`, or {advice(entry)}")
    return found


def download(name: str) -> list[Path]:
    """Fetch the files of a data set, unless they are here, and return where they lie.

    Raises
    ------
    UsageError
        No such data set.
    DataError
        No connection, a file that is not what it should be; says what to put where.
    """
    return list(fetch(entry_of(name)).values())


def load(name: str, **reading: Any) -> Graph:
    """Load a data set as a graph; download it when it is used first.

    Parameters
    ----------
    name : str
        A name that `registry` or `graphclust data list` shows; or the URL of an edge list, or the path of one, as
        SNAP publishes them.
    **reading
        Options of `graphclust.read_graph`, for data sets that are edge lists; `directed=False` for all.

    Returns
    -------
    Graph
        With `x` where nodes have features and `y` where their classes are known, `meta["classes"]` naming these.
        Tables of features are graphs without edges. Communities that overlap are in `meta["communities"]`: arrays of
        int64, positions of nodes. `meta["split"]` holds the publisher's train, valid and test nodes, where given.

    Raises
    ------
    UsageError
        No such data set, or reading options for one that is no edge list.
    DataError
        It cannot be had, or cannot be read.

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
    if _takes_reading(loader):
        graph: Graph = loader(fetch(entry), **(dict(entry.options) | reading))
    else:
        flat = reading.get("directed") is False
        if reading.keys() - ({"directed"} if flat else set()):
            raise UsageError(f"{', '.join(reading)}: only for edge lists, and {entry.name} is none")
        files = fetch(entry)
        graph = loader(files, **entry.options)
        graph = graph.undirected() if flat else graph
        main = next(iter(files.values()))
        with main.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        told = {"source": str(main), "format": entry.loader.partition(".")[0], "sha256": digest, "notes": ()}
        graph.meta = told | graph.meta
        log_notes(graph.meta["notes"], entry.name)
    graph.meta["name"] = entry.name
    return graph


def _takes_reading(loader: Callable[..., Graph]) -> bool:
    """Whether a loader reads an edge list, and so takes the options of `graphclust.read_graph`."""
    return any(item.kind is inspect.Parameter.VAR_KEYWORD for item in inspect.signature(loader).parameters.values())
