"""From networkx, igraph, SciPy, PyTorch Geometric, pandas and arrays to a `Graph`.

None of these libraries is imported before an object of theirs is met.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import DataError, UsageError
from graphclust.graph.core import Graph, merge_notes
from graphclust.graph.edges import both_directions, order_of_edges
from graphclust.graph.ids import _is_missing
from graphclust.graph.two_mode import split_ends, two_mode_graph
from graphclust.runtime.notes import Note, counted, log_notes

if TYPE_CHECKING:
    import igraph
    import networkx
    from torch_geometric.data import Data

    from graphclust.graph.columns import EdgeColumns

__all__ = ["from_pyg", "graph_from_entries", "graph_of", "holds_graph", "holds_points", "is_similarity"]

_PYG = ("Data", "HeteroData", "TemporalData")


def _numpy(tensor: Any) -> NDArray[Any]:
    if getattr(tensor, "is_sparse", False):
        tensor = tensor.to_dense()
    return np.asarray(tensor.detach().cpu()) if hasattr(tensor, "detach") else np.asarray(tensor)


def graph_from_entries(
    row: NDArray[Any],
    col: NDArray[Any],
    weight: NDArray[Any] | None,
    n_nodes: int,
    *,
    x: Any = None,
    y: ArrayLike | None = None,
    directed: bool | None = None,
) -> Graph:
    """Build from the entries of an adjacency matrix, or an edge_index: undirected if they are symmetric.

    Weights are so up to the rounding of their type: 16 units in the last place.

    Parameters
    ----------
    row, col : array of int, shape (n_entries,)
    weight : array of float, shape (n_entries,), or None
    n_nodes : int
    x, y : optional
        As in `Graph.from_edges`.
    directed : bool, optional
        True keeps symmetric entries as directed edges, False adds up the two directions of entries that are not.

    Raises
    ------
    DataError
        As `Graph.from_edges`.

    Examples
    --------
    >>> graph_from_entries(np.array([0, 1]), np.array([1, 0]), None, 2)
    Graph(2 nodes, 1 edges)
    """
    graph = Graph.from_edges(row, col, weight, nodes=n_nodes, directed=True, x=x, y=y)
    if directed:
        return graph
    source, target = graph.source.astype(np.int64), graph.target.astype(np.int64)
    forward, backward = source * n_nodes + target, target * n_nodes + source
    order = np.argsort(backward, kind="stable")
    symmetric = bool((backward[order] == forward).all())
    if symmetric and graph.weight is not None and len(graph.weight):
        kind = None if weight is None else np.asarray(weight).dtype
        unit = float(np.finfo(kind if kind is not None and kind.kind == "f" else np.float64).eps)
        near, least = max(1e-9, 16 * unit), unit * float(graph.weight.max())
        symmetric = bool(np.allclose(graph.weight[order], graph.weight, rtol=near, atol=least))
    if not symmetric:
        return graph.undirected() if directed is False else graph
    once = graph.source <= graph.target
    return Graph(
        graph._ids,
        graph.source[once],
        graph.target[once],
        None if graph.weight is None else graph.weight[once],
        directed=False,
        x=graph.x,
        y=graph.y,
        meta=graph.meta,
        is_canonical=True,
    )


def _from_networkx(graph: networkx.Graph[Any], weight: str | None, notes: list[Note]) -> Graph:
    ids = list(graph.nodes)
    index = {node: i for i, node in enumerate(ids)}
    if weight not in (None, "weight") and graph.number_of_edges():
        names = {name: None for _, _, data in graph.edges(data=True) for name in data}
        if weight not in names:
            raise _no_attribute(weight, names)
    rows: list[tuple[int, int, Any]]
    if weight is None:
        rows = [(index[u], index[v], 1.0) for u, v in graph.edges()]
    else:
        edges: Iterable[Any] = graph.edges(data=weight)
        rows = [(index[u], index[v], w) for u, v, w in edges]
    source, target, weights = zip(*rows, strict=True) if rows else ((), (), ())
    notes += _missing_weights(weight, weights)
    values = np.ones(len(rows))
    for i, w in enumerate(weights):
        try:
            values[i] = 1.0 if w is None else w
        except (TypeError, ValueError, OverflowError):
            ends = f"{ids[source[i]]!r} - {ids[target[i]]!r}"
            raise DataError(f"edge {ends} has the weight {w!r:.80}, which is not a number") from None
    made = Graph.from_edges(source, target, values, nodes=ids, directed=graph.is_directed())
    nodes = _columns_of_dicts([data for _, data in graph.nodes(data=True)])
    edges = _columns_of_dicts([data for _, _, data in graph.edges(data=True)], left_out=weight)
    _keep_attributes(made, nodes, source, target, edges)
    return made


def _columns_of_dicts(items: Sequence[Mapping[Any, Any]], left_out: str | None = None) -> dict[str, list[Any]]:
    """Return a list of values for each name but one; None where an item has no such value."""
    names = dict.fromkeys(name for item in items for name in item if isinstance(name, str) and name != left_out)
    return {name: [item.get(name) for item in items] for name in names}


def _keep_attributes(
    graph: Graph, nodes: dict[str, list[Any]], source: ArrayLike, target: ArrayLike, edges: dict[str, list[Any]]
) -> None:
    """Keep the attributes of nodes, and those of edges if none of these was merged or dropped."""
    if nodes:
        graph.meta["node_attributes"] = nodes
    tail, head = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
    if edges and len(tail) == graph.num_edges:
        order = order_of_edges(tail, head, graph.directed).tolist()
        graph.meta["edge_attributes"] = {name: [values[i] for i in order] for name, values in edges.items()}


def _missing_weights(name: str | None, weights: Sequence[Any]) -> list[Note]:
    """Return a note on edges without a weight among others that have one."""
    n_missing = sum(value is None for value in weights)
    if n_missing in (0, len(weights)):
        return []
    return [Note("missing-weights", f"{counted(n_missing, 'edge')} without {name!r} count 1", {"n_edges": n_missing})]


def _no_attribute(weight: str | None, names: Iterable[Any]) -> DataError:
    """Return the error about an attribute of the edges that does not exist."""
    known = ", ".join(map(str, names)) or "none"
    return DataError(f"the edges have no attribute {weight!r} (they have {known})")


def _from_igraph(graph: igraph.Graph, weight: str | None, notes: list[Note]) -> Graph:
    named = "name" in graph.vs.attributes()
    ids: Sequence[Hashable] = graph.vs["name"] if named else range(graph.vcount())
    try:
        repeated = named and len(set(ids)) < len(ids)
    except TypeError:
        raise DataError("the igraph graph has vertex names that cannot be hashed") from None
    if repeated:
        raise DataError("several vertices of the igraph graph have the same name: rename them, or del graph.vs['name']")
    ends = np.array(graph.get_edgelist(), dtype=np.int64).reshape(-1, 2)
    if weight not in (None, "weight", *graph.es.attributes()) and graph.ecount():
        raise _no_attribute(weight, graph.es.attributes())
    weights = graph.es[weight] if weight is not None and weight in graph.es.attributes() else None
    if weights is not None:
        notes += _missing_weights(weight, weights)
        try:
            weights = [1.0 if w is None else float(w) for w in weights]
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"the igraph graph has edge weights ({weight}) that are not numbers") from None
    made = Graph.from_edges(ends[:, 0], ends[:, 1], weights, nodes=ids, directed=graph.is_directed())
    nodes = {name: graph.vs[name] for name in graph.vs.attributes() if name != "name"}
    edges = {name: graph.es[name] for name in graph.es.attributes() if name != weight}
    _keep_attributes(made, nodes, ends[:, 0], ends[:, 1], edges)
    return made


def _from_matrix(matrix: Any, directed: bool | None) -> Graph:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"an adjacency matrix must be square, but this one has the shape {matrix.shape}")
    coo = matrix.tocoo()
    values = coo.data
    if values.dtype.kind not in "biuf":
        raise DataError(f"an adjacency matrix must hold real numbers, but this one holds {values.dtype}")
    return graph_from_entries(coo.row, coo.col, values, matrix.shape[0], directed=directed)


def _from_pairs(pairs: Iterable[Any], directed: bool, is_arc: Sequence[bool] = ()) -> Graph:
    """Build from an iterable of (id, id) or (id, id, weight); `is_arc` says which of them are directed, if some are."""
    index: dict[Hashable, int] = {}
    source, target, weight = [], [], []
    for number, pair in enumerate(pairs):
        if isinstance(pair, str) or not isinstance(pair, Sequence | np.ndarray) or len(pair) not in (2, 3):
            raise DataError(f"edge {number} is neither (source, target) nor (source, target, weight): {pair!r:.80}")
        if len(pair) == 3 and isinstance(pair[2], Mapping):
            raise DataError(
                f"edge {number} has a dict of attributes: give the graph itself, or graph.edges(data='weight')"
            )
        try:
            source.append(index.setdefault(pair[0], len(index)))
            target.append(index.setdefault(pair[1], len(index)))
            weight.append(float(pair[2]) if len(pair) == 3 and pair[2] is not None else 1.0)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"edge {number}: {error}") from None
        if any(map(_is_missing, pair[:2])):
            raise DataError(f"edge {number} has an end without an id: {tuple(pair[:2])!r:.80}")
    mixed = any(is_arc) and not all(is_arc)
    edges: tuple[Any, Any, Any] = source, target, weight
    if mixed:
        edges = both_directions(np.array(source), np.array(target), np.array(weight), np.array(is_arc))
    return Graph.from_edges(*edges, nodes=list(index), directed=directed, meta={"mixed": True} if mixed else None)


def _from_array(array: NDArray[Any], directed: bool | None) -> Graph:
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        if array.dtype.kind not in "biuf":
            raise DataError(f"an adjacency matrix must hold real numbers, but this one holds {array.dtype}")
        row, col = np.nonzero(array)
        return graph_from_entries(row, col, array[row, col], len(array), directed=directed)
    if array.ndim == 2 and np.issubdtype(array.dtype, np.integer) and 2 in array.shape:
        ends = array if array.shape[0] == 2 else array.T
        if ends.size and ends.min() < 0:
            raise DataError(
                f"an array of integers of shape {array.shape} is read as edges, whose nodes are numbers from 0, and "
                "this one has negative numbers: if its rows are points, give them as floats"
            )
        n_nodes = int(ends.max()) + 1 if ends.size else 0
        if array.shape[0] == 2:
            return graph_from_entries(ends[0], ends[1], None, n_nodes, directed=directed)
        return Graph.from_edges(ends[0], ends[1], nodes=n_nodes, directed=bool(directed))
    raise DataError(
        f"an array must be an adjacency matrix (n, n), an edge_index (2, m) or an edge list (m, 2) of integers; "
        f"this one has the shape {array.shape} and the dtype {array.dtype}"
    )


def _from_frame(frame: Any, directed: bool | None, weight: str | None, notes: list[Note]) -> Graph:
    columns = [str(name) for name in frame.columns]
    if _is_matrix_frame(frame):
        matrix = frame.to_numpy(dtype=np.float64)
        matrix = np.where(np.isnan(matrix), 0.0, matrix)
        if is_similarity(matrix):
            np.fill_diagonal(matrix, 0)
        row, col = np.nonzero(matrix)
        weights = None if weight is None else matrix[row, col]
        graph = graph_from_entries(row, col, weights, len(matrix), directed=directed)
        return Graph(
            list(frame.index), graph.source, graph.target, graph.weight, directed=graph.directed, meta=graph.meta
        )
    if len(columns) < 2:
        raise DataError(f"a table of edges must have at least two columns, not {', '.join(columns)}")
    try:
        named = _columns_of(frame, columns, weight)
    except DataError as error:
        message = re.sub(r"[ :]*\(?--(?:columns|input-format).*", "", error.message)
        raise DataError(f"{_in_python(message)} (select two or three columns: frame[[...]])") from None
    notes += [replace(note, message=_in_python(note.message)) for note in named.notes]
    places = (named.source, named.target, named.weight)
    rows = zip(*(frame.iloc[:, i].tolist() for i in places if i is not None), strict=True)
    if named.kinds is not None:
        return _two_mode(rows, named.kinds, notes)
    is_arc = _arcs(frame) if directed is None else []
    return _from_pairs(rows, bool(directed) or any(is_arc), is_arc)


def _in_python(message: str) -> str:
    """Spell the options in a message about the columns of a table as arguments."""
    return re.sub(r'--weight "?([^"()]+?)"? (?=reads)', r'weight="\1" ', message)


def _two_mode(rows: Iterable[tuple[Any, ...]], kinds: tuple[str, str], notes: list[Note]) -> Graph:
    """Build from edges that join nodes of two kinds."""
    graph = _from_pairs(rows, directed=True)  # each edge as it stands in the table
    left, right, left_ids, right_ids = split_ends(graph.nodes, graph.source, graph.target)
    graph, note = two_mode_graph(left, right, graph.weight, left_ids, right_ids, kinds)
    hint = " (columns named source and target take equal ids for one node)"
    notes.append(replace(note, message=note.message + hint))
    return graph


def _columns_of(frame: Any, columns: list[str], weight: str | None) -> EdgeColumns:
    """Return the columns of a table of edges that hold the ends and the weights."""
    from graphclust.graph.columns import choose_columns

    return choose_columns(
        columns if any(not name.isdecimal() for name in columns) else None,
        [
            ["" if _is_missing(value) else str(value) for value in row]
            for row in frame.head(1000).itertuples(index=False)
        ],
        len(columns),
        weight=None if weight == "weight" else weight,
        weights=False if weight is None else None,
    )


def is_similarity(values: NDArray[Any]) -> bool:
    """Whether a matrix has correlations or similarities: symmetric, at most 1, and 1 on the whole diagonal.

    The diagonal of such a matrix is no set of self-loops.

    Parameters
    ----------
    values : ndarray of float64, shape (n_nodes, n_nodes)
    """
    is_fraction = (np.abs(values) < 1).any() and (np.abs(values) <= 1).all() and (values % 1 != 0).any()
    return bool(is_fraction and (np.diag(values) == 1).all() and np.array_equal(values, values.T))


def _is_matrix_frame(frame: Any) -> bool:
    """Whether the rows and columns of a table of numbers have the same names, in the same order."""
    if frame.shape[0] != frame.shape[1] or frame.shape[0] == 0 or list(frame.index) != list(frame.columns):
        return False
    return all(kind.kind in "biuf" for kind in frame.dtypes)


def _arcs(frame: Any) -> list[bool]:
    """Say of each edge whether Gephi's column Type calls it directed; nothing without such a column."""
    place = next((i for i, name in enumerate(frame.columns) if str(name).lower() == "type"), None)
    kinds = [] if place is None else [str(kind).lower() for kind in frame.iloc[:, place].tolist()]
    return [kind == "directed" for kind in kinds] if set(kinds) <= {"directed", "undirected"} else []


def _is_from(obj: Any, module: str, *names: str) -> bool:
    """Whether `obj` is an instance of a class of a module, without importing the module."""
    loaded = sys.modules.get(module)
    return loaded is not None and any(isinstance(obj, kind) for name in names if (kind := getattr(loaded, name, None)))


def holds_graph(obj: Any) -> bool:
    """Whether an object can be nothing but a graph: an array, a list or a table may as well hold features.

    A square sparse matrix is an adjacency matrix.

    Examples
    --------
    >>> holds_graph("graph.edgelist"), holds_graph(np.eye(3))
    (True, False)
    """
    if hasattr(obj, "tocoo") and hasattr(obj, "shape"):
        return len(obj.shape) == 2 and obj.shape[0] == obj.shape[1]
    return (
        isinstance(obj, Graph | str | os.PathLike)
        or _is_from(obj, "networkx", "Graph")
        or _is_from(obj, "igraph", "Graph")
        or hasattr(obj, "edge_index")
        or _is_from(obj, "torch_geometric.data", *_PYG)
    )


def holds_points(obj: Any) -> bool:
    """Whether an object is a table of points to a method that takes graphs first: one that `as_graph` cannot read.

    A square array is an adjacency matrix, an integer array with two rows or columns holds edges, and so does a data
    frame with columns named source and target, or with two or three columns of which the first two are not floats.
    All other rectangular tables of numbers are points, a row each. A list of rows is read like a data frame.

    Examples
    --------
    >>> holds_points(np.zeros((5, 2))), holds_points(np.zeros((5, 2), dtype=int)), holds_points(np.zeros((5, 5)))
    (True, False, False)
    """
    if isinstance(obj, list | tuple):
        return _lists_points(obj)
    shape: tuple[Any, ...] = getattr(obj, "shape", ())
    if len(shape) != 2:
        return False
    if _is_from(obj, "pandas", "DataFrame"):
        from graphclust.graph.column_names import edge_columns

        if _is_matrix_frame(obj) or edge_columns([str(name) for name in obj.columns]) is not None:
            return False
        return shape[1] not in (2, 3) or all(kind.kind == "f" for kind in obj.dtypes.iloc[:2])
    if hasattr(obj, "tocoo"):
        return bool(shape[0] != shape[1])
    if not isinstance(obj, np.ndarray) and not _is_from(obj, "torch", "Tensor"):
        return False
    kind = _numpy(obj).dtype.kind
    return shape[0] != shape[1] and (kind == "f" or (kind in "biu" and 2 not in shape))


def _lists_points(rows: Sequence[Any]) -> bool:
    """Whether rows of numbers are points: edges have two or three entries, and ids that are not floats."""
    first = rows[0] if rows else None
    if not isinstance(first, list | tuple) or not first or not all(isinstance(value, int | float) for value in first):
        return False
    if len(first) in (2, 3):
        return all(isinstance(value, float) for value in first[:2])
    return len(first) != len(rows)


def from_pyg(data: Data, weight: str | None = "weight", notes: list[Note] | None = None) -> Graph:
    """Take a PyTorch Geometric Data; undirected if each edge stands in both directions with one weight.

    Parameters
    ----------
    data : Data
    weight : str or None
        Attribute with the weights; None ignores weights. By default edge_weight, weight, or edge_attr if it has a
        single column of floats.
    notes : list of Note, optional
        Takes a note if `edge_attr` is left out.

    Raises
    ------
    DataError
        The object has no `edge_index`, more than one kind of edge, or no attribute of this name with one number for
        each edge.
    """
    edge_index = data.get("edge_index") if hasattr(data, "num_nodes") and not hasattr(data, "edge_types") else None
    if edge_index is None:
        raise DataError("the PyG object has no edge_index (heterogeneous graphs: choose one edge type first)")
    ends = _numpy(edge_index)
    weights = (
        None if weight is None else _weights_of_data(data, weight, ends.shape[1], notes if notes is not None else [])
    )
    x, y = data.get("x"), data.get("y")
    n_nodes = data.num_nodes or 0
    return graph_from_entries(
        ends[0],
        ends[1],
        weights,
        n_nodes,
        x=None if x is None else _numpy(x),
        y=None if y is None or y.numel() != n_nodes or y.is_floating_point() else _numpy(y).ravel(),
    )


def _weights_of_data(data: Data, weight: str, n_edges: int, notes: list[Note]) -> NDArray[Any] | None:
    """Return the weights of a Data's edges, see `from_pyg`."""
    if weight != "weight":
        named = data.get(weight)
        if named is None or np.size(_numpy(named)) != n_edges:
            raise DataError(f"the PyG object has no {weight!r} with one number for each edge")
        return _numpy(named).ravel()
    for name in ("edge_weight", "weight", "edge_attr"):
        values = data.get(name)
        if values is None:
            continue
        if np.size(_numpy(values)) == n_edges and (name != "edge_attr" or values.is_floating_point()):
            return _numpy(values).ravel()
        if name == "edge_attr":
            shape = tuple(values.shape)
            is_single = np.size(_numpy(values)) == n_edges
            what = "whole numbers, which may be types" if is_single else f"the shape {shape}"
            message = f"did not use edge_attr as weights, because it has {what}: weights belong in edge_weight"
            notes.append(Note("edge-attributes", message, {"shape": list(shape)}))
    return None


def graph_of(obj: Any, *, weight: str | None = "weight", directed: bool | None = None) -> Graph:
    """Turn an object of another library, an array or an iterable of edges into a `Graph`; it is never modified.

    Parameters
    ----------
    obj : Graph, networkx graph, igraph.Graph, scipy sparse matrix, PyG Data, array, DataFrame, iterable
        Matrices are adjacency matrices, undirected where symmetric; an integer array
        of shape (2, m) is an edge_index and of shape (m, 2) an edge list; an iterable yields (source, target) or
        (source, target, weight) with any hashable ids; a DataFrame has columns source, target and perhaps weight, or is
        a matrix whose rows and columns have the same names.
    weight : str or None
        Edge attribute or column that holds the weights (networkx, igraph, PyG, DataFrame); None ignores weights.
    directed : bool, optional
        Overrides what the container says: False adds up the two directions, True takes an undirected edge in both.

    Returns
    -------
    Graph
        Nodes in the caller's order; those of a two-mode table in canonical order. What had to be guessed or left out
        is logged (logger "graphclust", level INFO) and kept in `meta["notes"]`.

    Raises
    ------
    DataError
        The container holds no graph: not square, weights negative or not finite, repeated ids.
    UsageError
        A type that is not known.

    Examples
    --------
    >>> graph_of([("a", "b"), ("b", "c", 2.5)])
    Graph(3 nodes, 2 edges, weighted)
    """
    notes: list[Note] = []
    if isinstance(obj, Graph):
        graph = obj
    elif _is_from(obj, "networkx", "Graph"):
        graph = _from_networkx(obj, weight, notes)
    elif _is_from(obj, "igraph", "Graph"):
        graph = _from_igraph(obj, weight, notes)
    elif hasattr(obj, "tocoo") and hasattr(obj, "shape"):
        graph = _from_matrix(obj, directed)
    elif _is_from(obj, "pandas", "DataFrame"):
        graph = _from_frame(obj, directed, weight, notes)
    elif hasattr(obj, "edge_index") or _is_from(obj, "torch_geometric.data", *_PYG):
        graph = from_pyg(obj, weight, notes)
    elif _is_from(obj, "torch", "Tensor") and obj.shape == (2, 2) and not obj.is_floating_point():
        ends = _numpy(obj)
        graph = graph_from_entries(ends[0], ends[1], None, int(ends.max()) + 1, directed=directed)
    elif isinstance(obj, np.ndarray) or _is_from(obj, "torch", "Tensor"):
        graph = _from_array(_numpy(obj), directed)
    elif _is_from(obj, "networkx.classes.reportviews", "OutEdgeView"):  # the base of all; a mapping
        graph = _from_pairs((edge[:2] for edge in obj), bool(directed))  # those of multigraphs have keys
    elif isinstance(obj, Iterable) and not isinstance(obj, Mapping | bytes):
        graph = _from_pairs(obj, bool(directed))
    elif isinstance(obj, Mapping):
        raise UsageError(
            "cannot convert a dict to a graph: networkx.Graph(...) takes a dict of lists or of dicts, and "
            "networkx.node_link_graph(...) node-link data"
        )
    else:
        raise UsageError(f"cannot convert a {type(obj).__module__}.{type(obj).__qualname__} to a graph")
    if directed is not None:
        graph = graph.to_directed() if directed else graph.undirected()
    if notes:
        log_notes(notes)
        graph.meta["notes"] = (*notes, *merge_notes(graph))
    return graph
