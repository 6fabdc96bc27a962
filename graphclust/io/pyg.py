"""Tensors that PyTorch saved (.pt): a PyTorch Geometric `Data`, a plain dict with its names, or a bare edge_index.

Files are opened with `weights_only=True`, and of PyTorch Geometric nothing but `Data` is let in: no code of a file is
ever run. `write` saves a dict of tensors and plain values, which any PyTorch opens without PyTorch Geometric;
`Data.from_dict` makes a `Data` of it.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph
from graphclust.io.archive import members
from graphclust.io.reading import build_from_entries, require_nodes, unweighted
from graphclust.io.source import Source, shorten
from graphclust.io.writing import id_texts, typed_columns
from graphclust.runtime.memory import require_memory

__all__ = ["KEEPS_IDS", "holds", "read", "write"]

KEEPS_IDS = True

_OWN = {"edge_index", "num_nodes", "directed", "edge_weight", "edge_attr", "x", "y", "nodes"}
_PYG_CLASSES = {
    "torch_geometric.data.data.Data",
    "torch_geometric.data.data.DataEdgeAttr",
    "torch_geometric.data.data.DataTensorAttr",
    "torch_geometric.data.storage.GlobalStorage",
}


def _load(source: Source) -> Any:
    """Return the content of the file, made of tensors, plain containers and values, and perhaps a `Data`."""
    import torch

    members(source)  # finds damage, which torch.load does not look for
    stream = io.BytesIO(source.data)
    try:
        foreign = set(torch.serialization.get_unsafe_globals_in_checkpoint(stream))
        refused = sorted(foreign - _PYG_CLASSES)
        if refused:
            raise source.error(
                f"{', '.join(refused[:3])}: not loaded, because loading may run code; "
                "save a PyG Data, a dict of tensors or an edge_index"
            )
        allowed = [
            getattr(importlib.import_module(module), name)
            for module, _, name in (path.rpartition(".") for path in sorted(foreign))
        ]
        stream.seek(0)
        with torch.serialization.safe_globals(allowed):
            return torch.load(stream, map_location="cpu", weights_only=True)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - the unpickler passes on whatever a damaged file provokes
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise source.error(f"not a file that PyTorch loads with weights_only=True ({reason})") from None


def _fields(source: Source, content: Any) -> dict[str, Any]:
    """Return the fields of the one graph in a file."""
    import torch

    if isinstance(content, tuple) and len(content) in (2, 3):  # a processed file of PyG's InMemoryDataset
        content, slices = content[:2]
        if slices is not None:
            raise source.error("the file holds a data set of several graphs: save one of them")
    if isinstance(content, torch.Tensor):
        return {"edge_index": content}
    if type(content).__module__.startswith("torch_geometric.data"):
        content = content.to_dict()
    if not isinstance(content, dict):
        raise source.error(f"expected a PyG Data, a dict or an edge_index, found a {type(content).__name__}")
    return content


def _array(source: Source, fields: Mapping[str, Any], name: str) -> NDArray[Any] | None:
    """Return a tensor as an array of int64, float64 or bool; None if there is none."""
    import torch

    tensor = fields.get(name)
    if tensor is None:
        return None
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.is_complex():
        raise source.error(f"{name} is not a dense, real tensor")
    require_memory(40.0 * tensor.numel(), f"{source.name}: {name} of shape {tuple(tensor.shape)}")
    if tensor.is_floating_point():
        return tensor.detach().to(torch.float64).numpy()
    return tensor.to(torch.int64).numpy()


def _names(source: Source, fields: Mapping[str, Any], n_nodes: int) -> list[Any] | None:
    """Return the ids that `write` saved."""
    nodes = fields.get("nodes")
    if not isinstance(nodes, list):
        return None
    if (
        len(nodes) != n_nodes
        or len(set(map(repr, nodes))) < n_nodes
        or not {type(node) for node in nodes} <= {int, str}
    ):
        raise source.error(f"nodes is not a list of {n_nodes} distinct integers or strings")
    return nodes


def holds(name: str, values: Sequence[Any]) -> bool:
    """Whether the format can hold a node attribute."""
    return name not in _OWN


def _weight(source: Source, fields: Mapping[str, Any], n_edges: int) -> NDArray[Any] | None:
    """Return the weights: the tensor that the caller names, `edge_weight`, or an `edge_attr` of one value an edge."""
    if source.options.weights is False:
        return None
    wanted = source.options.weight
    for name in ("edge_weight", "edge_attr") if wanted is None else (wanted,):
        weight = _array(source, fields, name)
        is_type = name == "edge_attr" and weight is not None and weight.dtype == np.int64  # as `from_pyg` takes it
        if (
            weight is not None
            and (weight.size == n_edges or name == "edge_weight")
            and not (is_type and wanted is None)
        ):
            if name != "edge_weight":
                source.note("weights-from-attribute", f"read {name} as weights", name=name)
            return weight
    unweighted(source, n_edges)
    return None


def read(source: Source) -> Graph:
    """Read a graph that `torch.save` wrote: a PyG `Data`, a dict with its names, or an edge_index of shape (2, m).

    Parameters
    ----------
    source : Source

    Returns
    -------
    Graph
        Nodes 0 to n - 1, or the ids in a list `nodes`; with features `x` and integer classes `y`.

    Raises
    ------
    DataError
        A damaged file, one with objects that `weights_only` refuses, or one without a usable edge_index; a weight that
        is negative or not finite.
    ResourceError
        The tensors would not fit into memory.
    """
    fields = _fields(source, _load(source))
    ends = _array(source, fields, "edge_index")
    if ends is None:
        raise source.error("there is no edge_index (if the graph is heterogeneous, save one edge type)")
    if ends.ndim != 2 or ends.shape[0] != 2 or ends.dtype != np.int64:
        raise source.error(f"an edge_index must hold integers of shape (2, m), not {ends.dtype} of shape {ends.shape}")
    x, y = _array(source, fields, "x"), _array(source, fields, "y")
    weight = _weight(source, fields, ends.shape[1])
    n_nodes = fields.get("num_nodes")
    if n_nodes is None:
        n_nodes = len(x) if x is not None and x.ndim else int(ends.max(initial=-1)) + 1
    if not isinstance(n_nodes, int):
        raise source.error(f"num_nodes must be an integer, not {shorten(n_nodes)}")
    require_nodes(source, n_nodes)
    directed = source.options.directed
    names = _names(source, fields, n_nodes)
    return build_from_entries(
        source,
        ends[0],
        ends[1],
        None if weight is None else weight.ravel(),
        n_nodes if names is None else names,
        directed=True if directed is None and fields.get("directed") is True else directed,
        x=x,
        y=y.ravel() if y is not None and y.size == n_nodes and y.dtype == np.int64 else None,
    )


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Save a dict: edge_index (both directions if undirected), edge_weight, num_nodes, x, y, directed, nodes (ids).

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Node attributes: name -> values in the order of `graph.nodes`; saved as a tensor, or as a list if they are
        strings or some are missing.

    Raises
    ------
    DataError
        Ids that are neither integers nor strings, and alike as text.
    UsageError
        An attribute with a wrong number or type of values, or with a name that the dict uses itself.
    """
    import torch

    matrix = graph.adjacency().tocoo()
    content: dict[str, Any] = {
        "edge_index": torch.from_numpy(np.stack((matrix.row, matrix.col)).astype(np.int64)),
        "num_nodes": graph.num_nodes,
        "directed": graph.directed,
        "edge_weight": None if graph.weight is None else torch.tensor(matrix.data),
        "x": None if graph.x is None else torch.tensor(graph.x.toarray() if hasattr(graph.x, "toarray") else graph.x),
        "y": None if graph.y is None else torch.tensor(graph.y),
        "nodes": _plain_ids(graph),
    }
    columns = typed_columns(graph.num_nodes, attributes)
    clashes = sorted(columns.keys() & _OWN)
    if clashes:
        raise UsageError(f"the attribute {clashes[0]!r} would overwrite a part of the graph: rename it")
    for name, (kind, values) in columns.items():
        content[name] = (
            values
            if kind is str or None in values
            else torch.tensor(values, dtype=torch.float64 if kind is float else None)
        )
    torch.save({name: value for name, value in content.items() if value is not None}, stream)


def _plain_ids(graph: Graph) -> list[int] | list[str] | None:
    """Return the ids as ints and strings; None if they are the positions."""
    ids = [int(node) if isinstance(node, np.integer) else node for node in graph.nodes]
    if ids == list(range(len(ids))):
        return None
    return ids if all(type(node) in (int, str) for node in ids) else id_texts(graph)
