"""Recovery studies: which method finds the planted partition, and where does it break down.

A study is a grid of a generator's parameters, times methods, times graphs. Each combination is a cell; each cell is a
row of a tidy table, also where it failed. Cells do not depend on each other: a graph's seed follows from the study's,
its parameters, as they are given, and its number, so that a cell measures the same in any process, on any machine, in
any grid. What is measured is kept in a journal, a line a cell; a study that was interrupted, or has grown, measures
what is missing.

    table = run(NAMED["mixing"], journal="mixing.jsonl", n_jobs=2)
    draw(table, NAMED["mixing"]).savefig("mixing.png")
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import itertools
import json
import os
import signal
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.detection import detect, prepare
from graphclust.errors import DataError, GraphclustError, ResourceError, UsageError, unknown
from graphclust.generators.families import FAMILIES
from graphclust.generators.sbm import recovery_ratios
from graphclust.graph import Graph
from graphclust.methods import METHODS
from graphclust.methods.base import GraphEstimator
from graphclust.report.palette import COLORS
from graphclust.results.communities import Communities
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.interrupts import interrupts_handled
from graphclust.runtime.memory import PeakMemory
from graphclust.runtime.progress import task
from graphclust.runtime.threads import single_threaded
from graphclust.training.checkpoints import digest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "MEASURES",
    "NAMED",
    "Cell",
    "Method",
    "Study",
    "axes_of",
    "draw",
    "draw_maps",
    "read_study",
    "run",
    "study_named",
]

MEASURES = ("ami", "nmi", "ari", "accuracy")
_QUALITY = ("modularity", "coverage", "mean_conductance", "normalized_cut")
_LOG_AXIS_RATIO = 20.0  # ratio of an axis' ends from which it is logarithmic
_MAX_COLUMNS = 4  # of heat maps beside each other
_N_FINE_VALUES = 200  # values of an axis at which thresholds are looked for
_N_STANDARD_ERRORS = 1.96  # standard errors: 95%
_STUDY_KEYS = ("name", "family", "graphs", "seed", "parameters", "grid", "methods")


@dataclass(frozen=True)
class Method:
    """A method as a study runs it.

    Attributes
    ----------
    name : str
        Key of `graphclust.METHODS`.
    true_k : bool
        Whether it is told the number of communities that was planted.
    parameters : dict
        Of `graphclust.detect` for this method; `n_clusters` among them is a number.

    Raises
    ------
    UsageError
        No such method or parameter; no number of communities for a method that needs one.
    """

    name: str
    true_k: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = METHODS.named(self.name)
        parameters = dict(self.parameters)
        k = parameters.pop("n_clusters", 2 if self.true_k else None)
        prepare(self.name, k, 0, **parameters)
        if k is None and kind.takes_n_clusters == "required":
            raise UsageError(f'{self.name} needs a number of communities: n_clusters = "true", or a number')

    @functools.cached_property
    def resolved(self) -> list[Any]:
        """All that it does depends on: name, parameters with their defaults, and digests of the models it reads."""
        parameters = dict(self.parameters)
        method = prepare(self.name, parameters.pop("n_clusters", 2 if self.true_k else None), 0, **parameters)
        return [
            self.name,
            self.true_k,
            _parameters(method),
            [digest(checkpoint) for checkpoint in method.checkpoints()],
        ]


@dataclass(frozen=True)
class Cell:
    """One graph and one method: what is measured at once.

    Attributes
    ----------
    family : str
    parameters : dict
        Of the family, or of a planted partition by its average degree and ratio.
    number : int
        Of the graph among those with these parameters.
    label : str
        What the study calls the method.
    method : Method
    seed : int
        Of the study.
    """

    family: str
    parameters: dict[str, Any]
    number: int
    label: str
    method: Method
    seed: int

    @functools.cached_property
    def key(self) -> str:
        """Digest of all that determines what is measured, but for the method's label."""
        from graphclust import __version__

        family = FAMILIES.named(self.family)
        graph = [self.family, family.parameters() | family.held_out | self.parameters, self.number, self.graph_seed]
        return _digest([__version__, graph, self.method.resolved])

    @property
    def graph_seed(self) -> int:
        """Seed of the graph, the same for all methods; another where a default is spelled out."""
        words = bytes.fromhex(_digest([self.family, self.parameters, self.number]))
        state = np.random.SeedSequence([self.seed, *np.frombuffer(words, dtype=np.uint32).tolist()])
        return int(state.generate_state(1)[0]) % 2**31

    def graph(self) -> Graph:
        """Draw the graph."""
        family = FAMILIES.named(self.family)
        return family.sample(**family.sampled(self.parameters), random_state=self.graph_seed)


@dataclass(frozen=True)
class Study:
    """A grid of graphs, and methods to be measured on them.

    Attributes
    ----------
    name : str
    family : str
        Key of `graphclust.generators.FAMILIES`. Graphs of one that keeps some from training are of those.
    grid : dict
        Parameter -> values; the first is the horizontal axis of the figure, the second the vertical one.
    methods : dict
        Label -> Method.
    parameters : dict
        Of the family, the same for all graphs. A planted partition may be given by `average_degree` and `ratio`, the
        edge probability between communities over that within, in the place of `p_in` and `p_out`.
    n_graphs : int
        Graphs for each point of the grid.
    seed : int

    Raises
    ------
    UsageError
        No such family or parameter, an empty grid, no methods.

    Examples
    --------
    >>> study = Study("small", "planted-partition", {"p_out": [0.01, 0.1]}, {"leiden": Method("leiden")}, n_graphs=3)
    >>> len(study.cells())
    6
    """

    name: str
    family: str
    grid: dict[str, Sequence[Any]]
    methods: dict[str, Method]
    parameters: dict[str, Any] = field(default_factory=dict)
    n_graphs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        family = FAMILIES.named(self.family)
        known = [*family.parameters(), *itertools.chain(*family.instead)]
        for name in (*self.parameters, *self.grid):
            if name not in known:
                raise unknown(f"parameter of {self.family}", name, known)
        for name, values in self.grid.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not len(values):
                raise UsageError(f"grid.{name} is a list of values, not {values!r}")
            if len({repr(value) for value in values}) < len(values):
                raise UsageError(f"grid.{name} has a value twice")
            if name in self.parameters:
                raise UsageError(f"{name} stands in the grid and among the parameters")
        assigned = {*self.parameters, *self.grid}
        needed = [name for name, value in family.parameters().items() if value is inspect.Parameter.empty]
        missing = [name for name in needed if name not in assigned]
        if missing:
            raise UsageError(f"{self.family} needs {' and '.join(missing)}")
        for names, others in family.instead.items():
            chosen = assigned & set(names)
            if chosen and (len(chosen) < len(names) or assigned & set(others)):
                raise UsageError(f"{self.family} takes {' and '.join(others)}, or {' and '.join(names)} instead")
        if not self.grid or not self.methods:
            raise UsageError("a study has a grid, and methods")
        if self.n_graphs < 1 or self.seed < 0:
            raise UsageError("a study has one graph a point at least, and a seed that is not negative")

    def points(self) -> list[dict[str, Any]]:
        """Return the points of the grid: the values of its parameters."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def cells(self) -> list[Cell]:
        """Return all cells, in the order of the table: graph by graph, its methods together."""
        return [
            Cell(self.family, {**self.parameters, **point}, number, label, method, self.seed)
            for point in self.points()
            for number in range(self.n_graphs)
            for label, method in self.methods.items()
        ]

    def with_methods(self, names: Sequence[str]) -> Study:
        """Return the study with other methods, by their names; those that need a number are told the true one.

        A name among the study's labels means that one.
        """
        chosen = {}
        for name in names:
            required = name not in self.methods and METHODS.named(name).takes_n_clusters == "required"
            chosen[name] = self.methods.get(name) or Method(name, true_k=required)
        return replace(self, methods=chosen)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=lambda item: item.item() if hasattr(item, "item") else repr(item))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _parameters(method: GraphEstimator) -> dict[str, Any]:
    return {
        name: _parameters(value) if isinstance(value, GraphEstimator) else value
        for name, value in method.get_params().items()
    }


# ---------------------------------------------------------------- measuring


def measure(cell: Cell) -> dict[str, Any]:
    """Draw the graph of a cell, run its method, and return a row; what fails is a row with its error."""
    row: dict[str, Any] = {**cell.parameters, "graph": cell.number, "seed": cell.graph_seed, "method": cell.label}
    empty = ("n_true", "n_found", *MEASURES, *_QUALITY, "seconds", "memory_mib", "error")
    row |= {"k_given": cell.method.true_k or "n_clusters" in cell.method.parameters} | dict.fromkeys(empty)
    try:
        with single_threaded():
            graph = cell.graph()
            row |= {f"realised_{name}": value for name, value in graph.meta["realised"].items() if name != "sizes"}
            assert graph.y is not None
            row["n_true"] = len(np.unique(graph.y))
            parameters = dict(cell.method.parameters)
            if cell.method.true_k:
                parameters["n_clusters"] = row["n_true"]
            blind = Graph.from_edges(
                graph.source, graph.target, graph.weight, nodes=graph.nodes, x=graph.x, is_canonical=True
            )
            with PeakMemory() as peak:
                start = time.perf_counter()
                communities = detect(blind, cell.method.name, random_state=cell.seed + cell.number, **parameters)
                row["seconds"] = time.perf_counter() - start
            row["memory_mib"] = None if peak.rise is None else round(peak.rise / 2**20, 1)
        row |= _scores(communities, graph)
    except GraphclustError as error:
        row["error"] = str(error)
    except Exception as error:  # noqa: BLE001 -- hours of a study do not end at one cell: it is counted and shown
        row["error"] = f"{type(error).__name__}: {error}"
    return row


@functools.cache
def _warm_up(name: str) -> None:
    """Let a process load and compile what a method needs, once, before times are taken and threads are limited."""
    small = FAMILIES["planted-partition"].sample(60, 2, p_in=0.5, p_out=0.05, random_state=0)
    with contextlib.suppress(Exception):  # what fails here fails in a cell, where it is counted
        detect(small, name, 2 if METHODS.named(name).takes_n_clusters == "required" else None)


def _scores(communities: Communities, graph: Graph) -> dict[str, Any]:
    assert graph.y is not None
    scores = communities.score(dict(zip(graph.nodes, graph.y.tolist(), strict=True)))
    quality = communities.quality()
    row: dict[str, Any] = {"n_found": communities.n_clusters}
    row |= {name: scores[name] for name in MEASURES} | {name: quality[name] for name in _QUALITY}
    return row


def run(study: Study, journal: str | os.PathLike[str] | None = None, n_jobs: int = 1) -> pd.DataFrame:
    """Measure a study.

    Parameters
    ----------
    study : Study
    journal : path, optional
        File to which measured cells are added, a line each; those that stand there are not measured again, but for
        those that failed.
    n_jobs : int
        Processes; -1 for one a core. Each computes in one thread. Within `joblib.parallel_config(backend="dask")`,
        the workers of a Dask cluster.

    Returns
    -------
    pandas.DataFrame
        A row a cell: the parameters; `graph` (its number), `seed`, `method`, `k_given`; `n_true` and `n_found`;
        `ami`, `nmi`, `ari`, `accuracy`; quality; `seconds` and `memory_mib` (how far the process grew; None where the
        system does not tell) of the method alone; `error`; and what the graph realised, as `realised_*`.

    Raises
    ------
    DataError
        The journal cannot be read or written.
    ResourceError
        A process died.
    """
    import pandas as pd
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    cells = study.cells()
    measured_before = {} if journal is None else _read_journal(Path(journal))
    rows = {cell.key: measured_before[cell.key] for cell in cells if cell.key in measured_before}
    names = tuple(dict.fromkeys(method.name for method in study.methods.values()))
    missing = list({cell.key: cell for cell in cells if cell.key not in rows}.values())
    with task(f"study {study.name}", len(missing)) as advance, _appending(journal) as keep:
        with interrupts_handled(signal.SIG_IGN):  # a terminal sends it to the processes, too: who starts them ends them
            todo = (delayed(_keyed)(cell, names) for cell in missing)
            measured = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(todo)
        try:
            for key, row in measured:
                rows[key] = row
                keep(key, row)
                advance()
        except TerminatedWorkerError as error:
            left = "run it again to go on" if journal is not None else "keep a journal to go on from"
            raise ResourceError(
                f"a process died, perhaps for want of memory, after {len(rows):,} of {len(cells):,} cells; {left}"
            ) from error
    columns = list(dict.fromkeys(name for cell in cells for name in rows[cell.key]))
    return pd.DataFrame([rows[cell.key] | {"method": cell.label} for cell in cells], columns=columns)


def _keyed(cell: Cell, names: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    for name in names:  # all at first: joblib replaces processes that grow after their first task
        _warm_up(name)
    return cell.key, json.loads(json.dumps(measure(cell), default=lambda item: item.item()))  # as the journal has it


_ENTRY = '{"key": "'  # how a line begins


def _read_journal(path: Path) -> dict[str, dict[str, Any]]:
    rows = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", path) from None
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            if entry["row"]["error"] is None:
                rows[entry["key"]] = entry["row"]
        except (ValueError, TypeError, KeyError):
            if number < len(lines) or not line.startswith(_ENTRY[: len(line)]):
                raise DataError("no journal of a study", path, number) from None
    return rows  # a last line that was cut off is measured again


def _lock(descriptor: int, path: str | os.PathLike[str]) -> None:
    """Refuse a journal that another process writes; until it is closed, nobody else may."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError("is being written by another study: wait for it, or keep another journal", path) from None
    except OSError:  # a file system without locks
        return


@contextlib.contextmanager
def _appending(path: str | os.PathLike[str] | None) -> Iterator[Any]:
    if path is None:
        yield lambda key, row: None
        return
    try:
        stream = open(path, "ab+")  # noqa: SIM115 -- closed below; what fails meanwhile is none of the file's errors
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", path) from None
    with stream:
        _lock(stream.fileno(), path)
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)

        def keep(key: str, row: dict[str, Any]) -> None:
            stream.write(json.dumps({"key": key, "row": row}).encode() + b"\n")
            stream.flush()

        yield keep


# ---------------------------------------------------------------- figures


def axes_of(study: Study, measure: str = "ami") -> list[str]:
    """Return the parameters along the axes of a study's figure, one or two: those that vary.

    Raises
    ------
    UsageError
        As of `draw`.
    """
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES)
    axes = [name for name, values in study.grid.items() if len(values) > 1] or [next(iter(study.grid))]
    if len(axes) > 2:
        raise UsageError(f"a figure shows one or two parameters; the grid has {', '.join(axes)}")
    for name in axes:
        if not all(isinstance(value, int | float) for value in study.grid[name]):
            raise UsageError(f"a figure has numbers along its axes, which {name} has not")
    return axes


def draw(table: pd.DataFrame, study: Study, measure: str = "ami") -> Figure:
    """Draw a study: curves with 95% confidence bands over one parameter, or heat maps, one a method, over two.

    Dashed are the theoretical thresholds of block models: exact recovery, |sqrt(a) - sqrt(b)| = sqrt(K) (Abbe &
    Sandon 2015), and detection, (c_in - c_out)^2 = K (c_in + (K - 1) c_out) (Kesten & Stigum; Decelle et al. 2011).
    A cell that failed counts as 0.

    Parameters
    ----------
    table : DataFrame
        As `run` returns it.
    study : Study
    measure : {"ami", "nmi", "ari", "accuracy"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        No such measure; a grid of more than two parameters, or of values that are not numbers.
    """
    from matplotlib.figure import Figure

    axes = axes_of(study, measure)
    scores = table.assign(**{measure: table[measure].astype(float).fillna(0.0)})
    if len(axes) == 1:
        figure = Figure(figsize=(6.5, 4.5), layout="constrained")
        _draw_curves(figure.subplots(), scores, study, axes[0], measure)
        return figure
    maps = {}
    for label in study.methods:
        groups = scores[scores["method"] == label].groupby([axes[1], axes[0]])[measure]
        maps[label] = (
            groups.mean().unstack().reindex(index=sorted(study.grid[axes[1]]), columns=sorted(study.grid[axes[0]]))
        )
    return draw_maps([(study, {label: values.to_numpy() for label, values in maps.items()})], measure)


def draw_maps(maps: Sequence[tuple[Study, Mapping[str, FloatArray]]], measure: str = "ami") -> Figure:
    """Draw heat maps over two parameters, those of a study beside each other.

    Parameters
    ----------
    maps : sequence of (Study, mapping of str to ndarray of float, shape (n_values of the second axis, of the first))
        Mean of the measure, by method, values of the parameters in ascending order.
    measure : {"ami", "nmi", "ari", "accuracy"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        No such measure; a grid of other than two parameters, or of values that are not numbers.
    """
    from matplotlib.figure import Figure

    columns = min(max(len(means) for _, means in maps), _MAX_COLUMNS)
    rows = sum(-(-len(means) // columns) for _, means in maps)
    figure = Figure(figsize=(3.2 * columns + 0.8, 3.1 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    row = 0
    for study, means in maps:
        needed = -(-len(means) // columns)
        own = panels[row : row + needed].ravel()
        for panel, (label, values) in zip(own, means.items(), strict=False):
            title = label if len(maps) == 1 else f"{study.name}: {label}"
            image = _draw_map(panel, values, study, axes_of(study, measure), title)
        for panel in own[len(means) :]:
            panel.set_axis_off()
        row += needed
    figure.colorbar(image, ax=panels.ravel().tolist(), label=f"mean {measure.upper()}")
    return figure


def _draw_curves(ax: Axes, table: pd.DataFrame, study: Study, name: str, measure: str) -> None:
    values = np.array(sorted(study.grid[name]), dtype=float)
    for i, label in enumerate(study.methods):
        groups = table[table["method"] == label].groupby(name)[measure]
        mean = groups.mean().reindex(values).to_numpy()
        error = _N_STANDARD_ERRORS * groups.sem().reindex(values).fillna(0.0).to_numpy()
        color = COLORS[i % len(COLORS)]
        ax.plot(values, mean, marker="o", markersize=3.5, color=color, label=label)
        ax.fill_between(values, np.maximum(mean - error, 0), np.minimum(mean + error, 1), color=color, alpha=0.18, lw=0)
    fine = _fine_values(values)
    for (what, margin), style in zip(_margins(study, {name: fine}).items(), ("--", ":"), strict=False):
        for i, at in enumerate(np.flatnonzero(np.diff(np.sign(margin)))):
            ax.axvline(fine[at], color="0.35", linestyle=style, lw=1, label=None if i else what)
    if _is_log(values):
        ax.set_xscale("log")
    ax.set(xlabel=name, ylabel=f"{measure.upper()}, mean and 95% confidence", ylim=(-0.03, 1.03), title=study.name)
    ax.legend(frameon=False, fontsize=8)


def _draw_map(ax: Axes, mean: FloatArray, study: Study, axes: list[str], title: str) -> Any:
    x, y = (np.array(sorted(study.grid[name]), dtype=float) for name in axes)
    image = ax.pcolormesh(x, y, mean, vmin=0, vmax=1, cmap="viridis", shading="nearest")
    fine = np.meshgrid(_fine_values(x), _fine_values(y))
    for margin, style in zip(
        _margins(study, dict(zip(axes, fine, strict=True))).values(), ("dashed", "dotted"), strict=False
    ):
        if margin.min() < 0 < margin.max():
            ax.contour(*fine, margin, levels=[0.0], colors="white", linestyles=style, linewidths=1.2)
    ax.set_title(f"{title}, mean {np.nanmean(mean):.3f}", fontsize=9)
    ax.set(xlabel=axes[0], ylabel=axes[1])
    return image


def _is_log(values: FloatArray) -> bool:
    return bool(values.min() > 0 and values.max() / values.min() >= _LOG_AXIS_RATIO)


def _fine_values(values: FloatArray) -> FloatArray:
    return (np.geomspace if _is_log(values) else np.linspace)(values.min(), values.max(), _N_FINE_VALUES)


def _margins(study: Study, axis_values: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return by how much graphs lie above (below: negative) each threshold; none for families that have none known."""
    family = FAMILIES.named(study.family)
    if family.densities is None:
        return {}
    p: dict[str, Any] = family.parameters() | {name: values[0] for name, values in study.grid.items()}
    p |= study.parameters | axis_values
    if any(isinstance(value, tuple | list) for value in p.values()):
        return {}
    p = dict(family.densities(family.sampled(p)))
    ratios = recovery_ratios(*(np.asarray(p[name], dtype=float) for name in ("n_nodes", "n_clusters", "p_in", "p_out")))
    shape = next(iter(axis_values.values())).shape
    return {name: np.broadcast_to(ratio - 1, shape) for name, ratio in ratios.items()}


# ---------------------------------------------------------------- studies by name


_SPECTRAL_WITH_TRUE_K = Method("spectral", true_k=True)
_PEERS = {name: Method(name) for name in ("auto", "leiden", "louvain", "infomap", "label-propagation")}
_PLANTED: dict[str, Any] = {"n_nodes": 1000, "n_clusters": 4, "average_degree": 16.0, "ratio": 0.2}


def _planted(name: str, values: Sequence[Any], n_graphs: int = 10) -> Study:
    varied = "n_nodes" if name == "size" else "n_clusters" if name == "number-of-communities" else "average_degree"
    fixed = {key: value for key, value in _PLANTED.items() if key != varied}
    return Study(
        name, "planted-partition", {varied: values}, {**_PEERS, "spectral": _SPECTRAL_WITH_TRUE_K}, fixed, n_graphs
    )


NAMED: dict[str, Study] = {
    "recovery": Study(
        "recovery",
        "log-degree-sbm",
        {"a": tuple(range(1, 31, 3)), "b": tuple(range(1, 11))},
        {
            "auto": Method("auto"),
            "leiden": Method("leiden"),
            "infomap": Method("infomap"),
            "spectral": _SPECTRAL_WITH_TRUE_K,
        },
        {"n_nodes": 300, "n_clusters": 2},
        n_graphs=5,
    ),
    "mixing": Study(
        "mixing",
        "lfr",
        {"mu": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)},
        {**_PEERS, "spectral": _SPECTRAL_WITH_TRUE_K},
        {"n_nodes": 1000, "average_degree": 20.0, "max_degree": 50, "min_community": 20, "max_community": 100},
    ),
    "number-of-communities": _planted("number-of-communities", (2, 3, 4, 6, 8, 12, 16, 24, 32)),
    "size": _planted("size", (100, 200, 500, 1000, 2000, 5000, 10_000), n_graphs=5),
    "density": _planted("density", (2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)),
}


def study_named(name: str) -> Study:
    """Return a named study, or read one from a file that ends with .toml.

    Raises
    ------
    UsageError
        No such study; names the nearest.
    DataError
        The file cannot be read, or is no study.
    """
    if name.endswith(".toml"):
        return read_study(name)
    if name not in NAMED:
        raise unknown("study", name, NAMED)
    return NAMED[name]


def read_study(path: str | os.PathLike[str]) -> Study:
    """Read a study from a TOML file.

    It has `family`; `name`, `graphs` and `seed` if wanted; the tables `[grid]`, of lists, and `[parameters]`; and a
    table `[methods.LABEL]` for each method, with `method` where that is not the label, `n_clusters`, a number or
    "true", and parameters of the method.

    Raises
    ------
    DataError
        The file cannot be read, or is no study; tells what is wrong with it.
    """
    try:
        with open(path, "rb") as stream:
            content = tomllib.load(stream)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"no TOML: {error}", path) from None
    try:
        return _study_of(content, Path(path).stem)
    except (UsageError, TypeError) as error:
        raise DataError(str(error), path) from None


def _study_of(content: dict[str, Any], name: str) -> Study:
    for key in content:
        if key not in _STUDY_KEYS:
            raise unknown("key of a study", key, _STUDY_KEYS)
    for key in ("grid", "methods", "parameters"):
        if not isinstance(content.get(key, {}), dict):
            raise UsageError(f"{key} is a table, [{key}]")
    for key, kind in (("graphs", int), ("seed", int), ("family", str), ("name", str)):
        if not isinstance(content.get(key, kind()), kind):
            raise UsageError(f"{key} is no {kind.__name__}: {content[key]!r}")
    if "family" not in content:
        raise UsageError(f"a study names its family: {', '.join(FAMILIES)}")
    methods = {}
    for label, table in content.get("methods", {}).items():
        if not isinstance(table, dict):
            raise UsageError(f"a method is a table: [methods.{label}]")
        own = dict(table)
        true_k = own.get("n_clusters") == "true" and own.pop("n_clusters") == "true"
        methods[label] = Method(own.pop("method", label), true_k, own)
    return Study(
        content.get("name", name),
        content["family"],
        {key: _ranges(values) for key, values in content.get("grid", {}).items()},
        methods,
        {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in content.get("parameters", {}).items()
        },
        content.get("graphs", 10),
        content.get("seed", 0),
    )


def _ranges(values: Any) -> Any:
    """Turn lists within a list into tuples, which are ranges to families."""
    return (
        [tuple(value) if isinstance(value, list) else value for value in values] if isinstance(values, list) else values
    )
