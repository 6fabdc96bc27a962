"""Communities of cells: `gc.tl` reads and writes AnnData, as the tools of scanpy do.

    sc.pp.neighbors(adata)
    gc.tl.leiden(adata, resolution=0.8)
    sc.pl.umap(adata, color="leiden")

Neither anndata nor scanpy is imported: an AnnData is what has `obs`, `obsp` and `uns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.detection import detect as detect_communities
from graphclust.errors import UsageError

if TYPE_CHECKING:
    from graphclust.results.communities import Communities

__all__ = ["detect", "leiden", "louvain"]

_OBJECTIVES = {  # classes of leidenalg
    "ModularityVertexPartition": "modularity",
    "RBConfigurationVertexPartition": "modularity",
    "CPMVertexPartition": "cpm",
}


def detect(
    adata: Any,
    method: Any = None,
    *,
    resolution: float | None = None,
    key_added: str | None = None,
    restrict_to: tuple[str, Sequence[str]] | None = None,
    random_state: Any = 0,
    adjacency: Any = None,
    use_weights: bool = True,
    neighbors_key: str | None = None,
    obsp: str | None = None,
    copy: bool = False,
    **params: Any,
) -> Any:
    """Find the communities of the graph of nearest neighbors of cells.

    Parameters
    ----------
    adata : AnnData
        With the graph in `obsp["connectivities"]`, where `scanpy.pp.neighbors` puts it.
    method : str, optional
        As of `graphclust.detect`. By default "leiden" if a resolution is given, and "auto" if not.
    resolution : float, optional
        Larger values give more and smaller communities. For methods that have a resolution.
    key_added : str, optional
        Where the labels go; by default "graphclust".
    restrict_to : (str, sequence of str), optional
        A column of `obs` and some of its categories, whose cells alone are grouped; others keep theirs. The new
        categories are called "B,0" or "B-NK,1". By default, `key_added` is then the name of the column with "_R".
    random_state : int, Generator or None
    adjacency : scipy sparse array, shape (n_obs, n_obs), optional
        A graph instead of the one in `obsp`.
    use_weights : bool
        Whether the weights of edges count.
    neighbors_key : str, optional
        Entry of `uns` that says where the graph is, as that of `scanpy.pp.neighbors(adata, key_added=...)`.
    obsp : str, optional
        Entry of `obsp` with the graph. Not together with `neighbors_key`.
    copy : bool
        Whether to return a copy with the result, and leave `adata` as it is.
    **params
        Parameters of the method, and others of `graphclust.detect`.

    Returns
    -------
    AnnData or None
        The copy, if it is asked for. The result is in

        - ``obs[key_added]``: labels as categories "0", "1", ..., of which "0" is the largest community,
        - ``obs[f"{key_added}_confidence"]``: probability that each label is right, if the method has it,
        - ``uns[key_added]``: ``params`` and ``quality``.

    Raises
    ------
    UsageError
        No such graph or category; or wrong parameters of the method.
    """
    name = method or ("auto" if resolution is None else "leiden")
    if resolution is not None:
        params["resolution"] = float(resolution)
    adata = adata.copy() if copy else adata
    graph = _graph(adata, adjacency, neighbors_key, obsp)
    chosen = _chosen(adata, restrict_to)
    if chosen is not None:
        graph = graph[chosen][:, chosen]
    if not use_weights:
        graph = graph.astype(bool).astype(np.float64)
    result = detect_communities(graph, name, random_state=random_state, **params)
    key = key_added or ("graphclust" if restrict_to is None else f"{restrict_to[0]}_R")
    _write(adata, key, result, chosen, restrict_to)
    known = {"method": result.method, "random_state": random_state, **params}
    if restrict_to is not None:
        known["restrict_to"] = [restrict_to[0], *map(str, restrict_to[1])]
    adata.uns[key] = {"params": _plain(known), "quality": _plain(result.quality())}
    return adata if copy else None


def leiden(
    adata: Any,
    resolution: float = 1.0,
    *,
    restrict_to: tuple[str, Sequence[str]] | None = None,
    random_state: Any = 0,
    key_added: str | None = None,
    adjacency: Any = None,
    directed: bool | None = None,
    use_weights: bool = True,
    n_iterations: int = 4,
    partition_type: Any = None,
    neighbors_key: str | None = None,
    obsp: str | None = None,
    copy: bool = False,
    flavor: str | None = None,
    **params: Any,
) -> Any:
    """Find communities by Leiden, with the arguments of `scanpy.tl.leiden`.

    Parameters
    ----------
    adata, resolution, restrict_to, random_state, adjacency, use_weights, neighbors_key, obsp, copy
        See `detect`.
    key_added : str, optional
        By default "leiden".
    directed : bool, optional
        Has no effect: a graph is directed if its matrix is not symmetric.
    n_iterations : int
        Maximum number of iterations; -1 goes on until nothing changes.
    partition_type : optional
        A class of leidenalg, or its name: that of modularity, also with a resolution, or of the constant Potts model.
    flavor : str, optional
        Has no effect; scanpy chooses between two libraries with it.
    **params
        Others of `graphclust.Leiden`.

    Returns
    -------
    AnnData or None
        See `detect`.

    Raises
    ------
    UsageError
        As `detect`; or another partition type.
    """
    if partition_type is not None:
        name = getattr(partition_type, "__name__", str(partition_type))
        if name not in _OBJECTIVES:
            raise UsageError(f"partition_type is one of {', '.join(_OBJECTIVES)}, not {name}")
        params["objective"] = _OBJECTIVES[name]
    return detect(
        adata,
        "leiden",
        resolution=resolution,
        key_added=key_added or ("leiden" if restrict_to is None else None),
        restrict_to=restrict_to,
        random_state=random_state,
        adjacency=adjacency,
        use_weights=use_weights,
        neighbors_key=neighbors_key,
        obsp=obsp,
        copy=copy,
        n_iterations=n_iterations,
        **params,
    )


def louvain(adata: Any, resolution: float = 1.0, *, key_added: str | None = None, **options: Any) -> Any:
    """Find communities by Louvain, with the arguments of `scanpy.tl.louvain` that `detect` has, too.

    Parameters
    ----------
    adata, resolution
        See `detect`.
    key_added : str, optional
        By default "louvain".
    **options
        Others of `detect`.

    Returns
    -------
    AnnData or None
        See `detect`.
    """
    key = key_added or ("louvain" if options.get("restrict_to") is None else None)
    return detect(adata, "louvain", resolution=resolution, key_added=key, **options)


def _graph(adata: Any, adjacency: Any, neighbors_key: str | None, obsp: str | None) -> Any:
    """Return the adjacency matrix of the cells."""
    if adjacency is not None:
        return adjacency.tocsr() if hasattr(adjacency, "tocsr") else np.asarray(adjacency)
    if neighbors_key is not None and obsp is not None:
        raise UsageError("obsp and neighbors_key both say where the graph is: leave out one of them")
    key = obsp or "connectivities"
    if neighbors_key is not None:
        if neighbors_key not in adata.uns:
            raise UsageError(f"adata.uns has no {neighbors_key!r}; it has {_names(adata.uns)}")
        key = adata.uns[neighbors_key].get("connectivities_key", f"{neighbors_key}_connectivities")
    if key not in adata.obsp:
        raise UsageError(
            f"adata.obsp has no {key!r}; it has {_names(adata.obsp)}. scanpy.pp.neighbors(adata) makes a graph, and "
            "obsp or neighbors_key names another one"
        )
    return adata.obsp[key].tocsr()


def _names(entries: Any) -> str:
    return ", ".join(map(repr, entries.keys())) or "no entries"


def _chosen(adata: Any, restrict_to: tuple[str, Sequence[str]] | None) -> Any:
    """Return which cells are grouped, None for all."""
    if restrict_to is None:
        return None
    key, categories = restrict_to
    if isinstance(categories, str):
        raise UsageError(f"restrict_to is a column and a list of categories, such as ({key!r}, [{categories!r}])")
    if key not in adata.obs:
        raise UsageError(f"adata.obs has no column {key!r}; it has {_names(adata.obs)}")
    values = adata.obs[key].astype(str)
    missing = [name for name in categories if not (values == str(name)).any()]
    if missing:
        raise UsageError(f"no cell has {missing[0]!r} in adata.obs[{key!r}]")
    return values.isin([str(name) for name in categories]).to_numpy()


def _write(
    adata: Any, key: str, result: Communities, chosen: Any, restrict_to: tuple[str, Sequence[str]] | None
) -> None:
    """Write labels and confidence into `obs`."""
    import pandas as pd

    names = [str(label) for label in range(result.n_clusters)]
    confidence = result.confidence
    if restrict_to is None or chosen is None:
        labels = pd.Categorical.from_codes(result.labels, dtype=pd.CategoricalDtype(names))
    else:
        column, categories = restrict_to
        values = adata.obs[column].astype(str).to_numpy(dtype=object)
        prefix = "-".join(map(str, categories))
        values[chosen] = [f"{prefix},{label}" for label in result.labels.tolist()]
        labels = pd.Categorical(values, categories=_in_order(values))
        if confidence is not None:
            every = np.full(len(values), np.nan)
            every[chosen] = confidence
            confidence = every
    adata.obs[key] = pd.Series(labels, index=adata.obs.index)
    if confidence is not None:
        adata.obs[f"{key}_confidence"] = confidence


def _in_order(values: Any) -> list[str]:
    """Return the distinct values, numbers in them by size: "B,2" before "B,10"."""
    import re

    def parts(value: str) -> list[tuple[int, int, str]]:
        pieces = re.split(r"(\d+)", value)
        return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in pieces if piece]

    return sorted(set(values), key=parts)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return what an AnnData file can hold: numbers, strings, and lists of these."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, np.generic):
            plain[name] = value.item()
        elif isinstance(value, bool | int | float | str | list | np.ndarray):
            plain[name] = value
        elif value is not None:
            plain[name] = str(value)
    return plain
