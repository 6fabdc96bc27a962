"""Whatever a user has to a `Graph`: the only module that knows files, data sets and objects alike."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphclust.errors import DataError
from graphclust.graph import Graph, graph_of
from graphclust.io import read_file
from graphclust.runtime.cluster import partitions
from graphclust.runtime.memory import parse_bytes
from graphclust.runtime.storage import Storage, default_folder

__all__ = ["as_graph", "is_dask_frame", "read_graph"]


def read_graph(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    directed: bool | None = None,
    weights: bool | None = None,
    weight: str | None = None,
    columns: str | Sequence[str] | None = None,
    id: str | None = None,
    nodes: str | os.PathLike[str] | None = None,
    bipartite: bool | None = None,
    negative: str | None = None,
    threshold: float | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    comment: str | None = None,
    encoding: str | None = None,
    memory: str | float | None = None,
) -> Graph:
    """Read a graph from a file in any supported format, or load a data set.

    What had to be guessed or changed is logged (logger "graphclust", level INFO) and kept in `graph.meta["notes"]`.
    Messages name the options of the command line, which are the parameters here: `--columns a,b` is `columns="a,b"`,
    and `--no-header` is `header=False`.

    Parameters
    ----------
    path : str or PathLike
        A file, perhaps compressed (.gz .bz2 .xz .zst) or alone in an archive (.zip .tar); "-" for standard input;
        "data:NAME" for a data set.
    format : str, optional
        A key of `graphclust.io.FORMATS`.
    nodes : str or PathLike, optional
        A table of nodes with their attributes. Nodes without edges are added.
    directed, weights, weight, columns, id, bipartite, negative, threshold, delimiter, header, comment, encoding
        How to read it; see `graphclust.io.options.ReadOptions`. Data sets take those of their format.
    memory : str or float, optional
        The memory to use, such as "4GB". Of a larger graph, edges lie in files; see `graphclust.io.blocks`. By default,
        this is done if the graph does not fit into the memory that there is.

    Returns
    -------
    Graph

    Raises
    ------
    DataError
        The file cannot be read. The message names the file and, in textual formats, the line.
    UsageError
        Unknown format or data set, or an option that the format does not take.

    Examples
    --------
    >>> read_graph("data:karate")
    Graph(34 nodes, 78 edges)
    """
    name = os.fspath(path)
    reading: dict[str, Any] = {
        "format": format,
        "directed": directed,
        "weights": weights,
        "weight": weight,
        "columns": columns,
        "id": id,
        "nodes": nodes,
        "bipartite": bipartite,
        "negative": negative,
        "threshold": threshold,
        "delimiter": delimiter,
        "header": header,
        "comment": comment,
        "encoding": encoding,
    }
    decided = {option: value for option, value in reading.items() if value is not None}
    storage = None if memory is None else Storage(parse_bytes(memory))
    if name.startswith("data:"):
        from graphclust import datasets

        return datasets.load(name.removeprefix("data:"), **decided).stored(storage)
    return read_file(name, storage=storage, **decided)


def as_graph(
    obj: Any, *, weight: str | None = "weight", directed: bool | None = None, memory: str | float | None = None
) -> Graph:
    """Turn whatever holds a graph into a `Graph`. The object itself is never modified.

    Parameters
    ----------
    obj : Graph, str, PathLike, networkx graph, igraph.Graph, scipy sparse matrix, PyG Data, array, DataFrame, iterable
        `read_graph` reads a path; `graphclust.graph.graph_of` converts everything else. A Dask dataframe is read like a
        folder of Parquet tables, in blocks.
    weight : str or None
        Edge attribute or column that holds the weights (files, networkx, igraph, DataFrame); None ignores weights.
        Another name than "weight" must exist.
    directed : bool, optional
        Overrides what the container says: False adds up the two directions, True takes an undirected edge in both.
    memory : str or float, optional
        The memory to use; see `read_graph`. Of a graph that is in memory, only what is made from it lies in files.

    Returns
    -------
    Graph
        Nodes in the caller's order.

    Raises
    ------
    DataError
        The object or file holds no graph: not square, weights negative or not finite, repeated ids.
    UsageError
        A type that is not known.

    Examples
    --------
    >>> as_graph([("a", "b"), ("b", "c", 2.5)])
    Graph(3 nodes, 2 edges, weighted)
    """
    if isinstance(obj, str | os.PathLike):
        named = None if weight == "weight" else weight
        weights = False if weight is None else None
        return read_graph(obj, directed=directed, weight=named, weights=weights, memory=memory)
    if is_dask_frame(obj):
        return _from_dask(obj, weight, directed, memory)
    graph = graph_of(obj, weight=weight, directed=directed)
    return graph if memory is None else graph.stored(Storage(parse_bytes(memory)))


def is_dask_frame(obj: Any) -> bool:
    """Whether an object is a dataframe of Dask; does not import it."""
    return type(obj).__module__.startswith("dask.") and hasattr(obj, "partitions")


def _from_dask(frame: Any, weight: str | None, directed: bool | None, memory: str | float | None) -> Graph:
    """Return the graph of a Dask dataframe of edges, of which a few partitions are in memory at a time."""
    with tempfile.TemporaryDirectory(prefix="graphclust-", dir=default_folder(), ignore_cleanup_errors=True) as folder:
        for number, part in enumerate(partitions(frame)):
            if len(part):
                part.to_parquet(Path(folder) / f"{number:09}.parquet", index=False)
        try:
            return as_graph(folder, weight=weight, directed=directed, memory=memory)
        except DataError as error:
            raise DataError(error.message, "the Dask dataframe") from None
