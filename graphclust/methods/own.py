"""Functions and estimators of the user's as methods: wherever the name of a method is taken, they can stand.

    def by_degree(graph):
        return graph.degree() > 3

    gc.detect(graph, by_degree)
    gc.compare(graph, ["auto", by_degree, nx.community.louvain_communities, SpectralClustering(4)])

What a function receives follows from the name of its first parameter (`INPUTS`): a networkx graph as `G`, a sparse
adjacency matrix as `adjacency`, otherwise a `Graph`. `own_method` says it in another way. The graph has the caller's
ids. Its nodes are in canonical order, and nodes without edges are left out unless the number of communities is given.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from graphclust.errors import GraphclustError, UsageError
from graphclust.graph import Graph
from graphclust.methods.base import GraphEstimator
from graphclust.problem.problem import Core, only_points
from graphclust.problem.solution import Solution
from graphclust.results.communities import labels_of
from graphclust.runtime.notes import Note, counted
from graphclust.runtime.seeds import check_seed, seeded_globals

__all__ = ["INPUTS", "OwnMethod", "as_method", "own_method"]

INPUTS: dict[str, tuple[str, ...]] = {
    "graph": (),
    "networkx": ("G", "g", "g_original", "nx_graph"),
    "adjacency": ("adjacency", "adj", "A", "W", "X", "affinity", "input_matrix"),
    "igraph": ("ig_graph",),
    "data": ("data",),
}
"""What functions receive, and the names of the first parameter by which they ask for it; all others ask for "graph"."""

_NUMBERS = ("n_clusters", "k", "n_communities")  # names for the number of communities
_SEEDS = ("random_state", "seed")
_CONVERTED: dict[str, Callable[[Graph], Any]] = {
    "graph": lambda graph: graph,
    "networkx": lambda graph: graph.to_networkx(),
    "adjacency": lambda graph: _adjacency(graph),
    "igraph": lambda graph: graph.to_igraph(),
    "data": lambda graph: graph.to_data(),
}


class OwnMethod(GraphEstimator):
    """A function or an estimator of the user's as a method; `own_method` makes subclasses of it.

    Class attributes
    ----------------
    wrapped : callable, or an object with `fit_predict` or with `fit` and `labels_`
    takes : str
        Key of `INPUTS`.
    defaults : dict
        Parameters and their defaults. The number of communities is called `n_clusters`, the seed `random_state`.
    own_names : dict
        The function's own names of these two.
    required : frozenset of str
        Parameters without a default.
    """

    source: ClassVar[str] = "your own"
    takes_direction: ClassVar[bool] = True
    takes_features: ClassVar[bool] = True
    required: ClassVar[frozenset[str]] = frozenset()
    wrapped: ClassVar[Any]
    takes: ClassVar[str]
    defaults: ClassVar[dict[str, Any]]
    own_names: ClassVar[dict[str, str]]

    def __init__(self, **params: Any) -> None:
        for name in params:
            if name not in self.defaults:
                raise self.no_parameter(name)
        for name, default in self.defaults.items():
            setattr(self, name, params.get(name, default))

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """See `GraphEstimator.parameters`."""
        return dict(cls.defaults)

    @classmethod
    def no_parameter(cls, name: str) -> UsageError:
        """See `GraphEstimator.no_parameter`."""
        parameters = ", ".join(cls.defaults) or "none"
        return UsageError(f"{cls.name} has no parameter {name!r}; it has {parameters}")

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        missing = [name for name in self.defaults if name in self.required and getattr(self, name) is None]
        if missing:
            raise UsageError(f"{self.name} needs {' and '.join(missing)} (--param {missing[0]}=...)")

    def _groups_by_features(self, graph: Graph) -> bool:
        return only_points(graph)

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`.

        Raises
        ------
        GraphclustError
            The function raised an error, which is the cause of this one, or returned no communities.
        """
        params = {self.own_names.get(name, name): getattr(self, name) for name in self.defaults}
        if self.n_clusters is None:
            params.pop(self.own_names.get("n_clusters", ""), None)  # the function's own default
        seed = check_seed(self.random_state)
        if "random_state" in self.own_names:
            params[self.own_names["random_state"]] = seed
        else:
            params.pop("random_state", None)
        is_matrix = self.takes == "adjacency"
        graph = core.graph.x if is_matrix and only_points(core.graph) else _CONVERTED[self.takes](core.graph)
        try:
            with seeded_globals(seed):
                result = _results(self.wrapped, graph, params)
        except GraphclustError:
            raise
        except (Exception, SystemExit) as error:
            raise GraphclustError(f"{self.name} failed: {type(error).__name__}: {error}") from error
        labels, notes = _labels(self.name, result, core.graph.nodes)
        return Solution(labels, notes=notes)


def _adjacency(graph: Graph) -> Any:
    """Return the adjacency matrix in the format that scikit-learn and scikit-network take."""
    import scipy.sparse as sp

    return sp.csr_matrix(graph.adjacency())


def _results(wrapped: Any, graph: Any, params: Mapping[str, Any]) -> Any:
    """Call a function, or fit a copy of an estimator."""
    if not _is_estimator(wrapped):
        return wrapped(graph, **params)
    estimator = copy.deepcopy(wrapped)
    if params:
        estimator.set_params(**params)
    if hasattr(estimator, "fit_predict"):
        return estimator.fit_predict(graph)
    return estimator.fit(graph).labels_


def _is_estimator(obj: Any) -> bool:
    return hasattr(obj, "fit") or hasattr(obj, "fit_predict")


def _labels(name: str, result: Any, nodes: Sequence[Hashable]) -> tuple[Any, tuple[Note, ...]]:
    """Return labels in the order of the nodes, and a note if some nodes have none."""
    for attribute in ("communities", "membership", "labels_"):  # of cdlib; of igraph; of estimators
        result = getattr(result, attribute, result)
    try:
        partition = labels_of(list(result) if inspect.isgenerator(result) else result, nodes)
    except (ValueError, TypeError) as error:
        raise GraphclustError(f"{name} did not return communities: {error}") from error
    if isinstance(partition, list):
        raise GraphclustError(f"{name} returned overlapping communities, but each node needs one")
    number = {label: i for i, label in enumerate(dict.fromkeys(partition.values()))}
    labels = np.array([number[partition[node]] if node in partition else -1 for node in nodes], dtype=np.int64)
    left_out = np.flatnonzero(labels < 0)
    if len(nodes) and len(left_out) == len(nodes):
        raise GraphclustError(f"{name} did not return communities: no node of the graph has a label")
    if not len(left_out):
        return labels, ()
    labels[left_out] = len(number) + np.arange(len(left_out))
    message = f"{name} gave no label to {counted(len(left_out), 'node')}, each a community of its own"
    return labels, (Note("no-label", message, {"n_nodes": len(left_out)}),)


def as_method(method: Any, name: str | None = None) -> type[GraphEstimator]:
    """Return a method for a function, an estimator or its class.

    Parameters
    ----------
    method : type, callable or estimator
        A subclass or an instance of `GraphEstimator`, whose parameters become defaults; a function; or an object with
        `fit_predict`, or with `fit` and `labels_`, as in scikit-learn and scikit-network.
    name : str, optional
        What messages and tables call it; by default its own name.

    Raises
    ------
    UsageError
        It is none of these, or a function without a parameter for the graph.

    Examples
    --------
    >>> def halves(graph):
    ...     return [i < graph.num_nodes / 2 for i in range(graph.num_nodes)]
    >>> as_method(halves)().fit([(0, 1), (1, 2), (2, 3)]).labels_.tolist()
    [0, 0, 1, 1]
    """
    if isinstance(method, type) and issubclass(method, GraphEstimator):
        return method
    return _preset(method) if isinstance(method, GraphEstimator) else own_method(method, name=name)


def _preset(estimator: GraphEstimator) -> type[GraphEstimator]:
    """Return the class of an estimator with the estimator's parameters as defaults; a seed or a device is fixed."""
    kind, preset = type(estimator), estimator.get_params()
    fixed = {"random_state": None, "device": "auto"}
    free = {key: value for key, value in preset.items() if key not in fixed or value == fixed[key]}

    def initialise(self: GraphEstimator, **params: Any) -> None:
        kind.__init__(self, **{**preset, **params})

    members = {
        "__doc__": kind.__doc__,
        "__init__": initialise,
        "name": estimator.name,
        "parameters": classmethod(lambda cls: dict(free)),
    }
    return type(kind.__name__, (kind,), members)


def own_method(method: Any, *, takes: str | None = None, name: str | None = None) -> type[GraphEstimator]:
    """Return a method for a function or an estimator, and say what it receives.

    Parameters
    ----------
    method : callable or estimator
        See `as_method`. A function returns labels in the order of the nodes, labels by node, or a list of communities.
        If it has a parameter `n_clusters` or `k`, the number of communities is passed there, and the seed as
        `random_state` or `seed`; the global generators are seeded, too. An estimator whose `random_state` is set
        keeps it.
    takes : {"graph", "networkx", "adjacency", "igraph", "data"}, optional
        By default, this follows from the name of the first parameter, see `INPUTS`. "data" is that of PyTorch
        Geometric.
    name : str, optional

    Raises
    ------
    UsageError

    Examples
    --------
    >>> import networkx as nx
    >>> louvain = own_method(nx.community.louvain_communities, takes="networkx")
    >>> louvain(random_state=0).fit(nx.karate_club_graph()).n_clusters_
    4
    """
    if not callable(method) and not _is_estimator(method):
        raise UsageError(
            f"a method is a name, a function or an estimator, not {method!r:.60}; `graphclust methods` lists the names"
        )
    if isinstance(method, type) and _is_estimator(method):
        raise UsageError(f"{method.__name__} is a class: pass an estimator, such as {method.__name__}()")
    first, parameters = _signature(method)
    if takes is None:
        matching = [kind for kind, names in INPUTS.items() if first in names]
        takes = "adjacency" if _is_estimator(method) else (*matching, "graph")[0]
    if takes not in INPUTS:
        raise UsageError(f"takes is one of {', '.join(INPUTS)}, not {takes!r}")
    defaults, own_names = dict(parameters), {}
    for public, names in (("n_clusters", _NUMBERS), ("random_state", _SEEDS)):
        own = next((own for own in names if own in defaults), None)
        if own is not None:
            own_names[public] = own
            defaults[public] = defaults.pop(own)
    if defaults.setdefault("random_state") is not None and _is_estimator(method):
        del defaults["random_state"], own_names["random_state"]
    number: Literal["required", "optional", "no"] = "no"
    if "n_clusters" in defaults:
        number = "required" if defaults["n_clusters"] is inspect.Parameter.empty else "optional"
    empty = {key for key, value in defaults.items() if value is inspect.Parameter.empty}
    defaults |= dict.fromkeys(empty)
    description = (inspect.getdoc(method) or "").strip().partition("\n")[0]
    return type(
        _name_of(method),
        (OwnMethod,),
        {
            "__doc__": inspect.getdoc(method),
            "name": name or _name_of(method),
            "summary": description or "a method of your own",
            "takes_n_clusters": number,
            "wrapped": method if _is_estimator(method) else staticmethod(method),
            "required": frozenset(empty - {"n_clusters", "random_state"}),
            "takes": takes,
            "defaults": defaults,
            "own_names": own_names,
        },
    )


def _name_of(method: Any) -> str:
    function = getattr(method, "func", method)  # of a partial
    return str(getattr(function, "__name__", type(function).__name__))


def _signature(method: Any) -> tuple[str, dict[str, Any]]:
    """Return the name of the parameter for the graph, and the others with their defaults."""
    if _is_estimator(method):
        return "X", dict(method.get_params()) if hasattr(method, "get_params") else {}
    try:
        items = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # compiled without a signature
        return "graph", {}
    keywords = [item for item in items if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)]
    if not keywords:
        if items:
            return "graph", {}
        raise UsageError(f"{_name_of(method)} has no parameter for the graph")
    return keywords[0].name, {item.name: item.default for item in keywords[1:]}
