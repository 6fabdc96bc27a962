"""Recovery studies: how well methods recover planted partitions, and where they fail.

A study combines a grid of a generator's parameters with a set of methods and several graphs per grid point. Each
combination is a cell, and each cell is a row of a tidy table, including the cells that failed. Cells are independent:
the seed of a graph depends only on the seed of the study, the parameters as they were written, and the number of the
graph, so that a cell gives the same result in any process, on any machine and in any grid. A journal stores one line
per measured cell. When a study was interrupted or has been extended, only the missing cells are measured.

Several machines measure a study in shards, without a connection; `merged` puts their journals together.

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
import logging
import os
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.detection import detect, prepare
from graphclust.detection.comparison import labelled_methods
from graphclust.errors import DataError, GraphclustError, ResourceError, UsageError, unknown
from graphclust.generators.families import FAMILIES
from graphclust.generators.own import identity_of, name_of
from graphclust.generators.sbm import recovery_ratios
from graphclust.graph import Graph
from graphclust.methods import METHODS
from graphclust.methods.base import GraphEstimator
from graphclust.methods.own import OwnMethod
from graphclust.report.palette import COLORS
from graphclust.results.communities import Communities
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.interrupts import interrupts_handled
from graphclust.runtime.memory import PeakMemory
from graphclust.runtime.notes import counted
from graphclust.runtime.progress import task
from graphclust.runtime.registry import Registry, code_digest
from graphclust.runtime.threads import limited_threads
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
    "merged",
    "read_study",
    "run",
    "study_named",
]

logger = logging.getLogger("graphclust")

MEASURES = ("ami", "nmi", "ari", "accuracy")
_QUALITY = ("modularity", "coverage", "mean_conductance", "normalized_cut")
_LOG_AXIS_RATIO = 20.0  # an axis is logarithmic if the ratio of its ends is at least this
_MAX_COLUMNS = 4  # heat maps in a row
_N_FINE_VALUES = 200  # values of an axis at which thresholds are evaluated
_N_STANDARD_ERRORS = 1.96  # half width of a 95% confidence interval
_STUDY_KEYS = ("name", "family", "graphs", "seed", "parameters", "grid", "methods")


@dataclass(frozen=True)
class Method:
    """A method in a study, with its parameters.

    Attributes
    ----------
    name : str, callable or estimator
        Key of `graphclust.METHODS`, or a method of your own as in `graphclust.detect`.
    true_k : bool
        Whether the method is given the planted number of communities.
    parameters : dict
        Parameters of `graphclust.detect` for this method. If `n_clusters` is among them, it is a number.

    Raises
    ------
    UsageError
        The method or a parameter is unknown, or the method needs a number of communities and has none.
    """

    name: Any
    true_k: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = METHODS.named(self.name)
        parameters = dict(self.parameters)
        k = parameters.pop("n_clusters", 2 if self.true_k else None)
        prepare(self.name, k, 0, **parameters)
        if k is None and kind.takes_n_clusters == "required":
            raise UsageError(f'{kind.name} needs the number of communities: set n_clusters to "true" or a number')

    @functools.cached_property
    def resolved(self) -> list[Any]:
        """All inputs of the method: name, parameters including defaults, and digests of the models that it loads."""
        parameters = dict(self.parameters)
        method = prepare(self.name, parameters.pop("n_clusters", 2 if self.true_k else None), 0, **parameters)
        return [
            _identity(self.name),
            self.true_k,
            _parameters(method),
            [digest(checkpoint) for checkpoint in method.checkpoints()],
        ]


def _identity(method: Any) -> str:
    """Return the name of a method and, of a method of one's own, a digest of its code."""
    kind = METHODS.named(method)
    if kind.__module__.startswith("graphclust.") and not issubclass(kind, OwnMethod):
        return kind.name
    wrapped = vars(kind).get("wrapped", kind)
    return f"{kind.name} {code_digest(getattr(wrapped, '__func__', wrapped))}"


@dataclass(frozen=True)
class Cell:
    """One graph and one method, the unit of measurement.

    Attributes
    ----------
    family : str, Family or callable
    parameters : dict
        Parameters of the family, or the average degree and ratio of a planted partition.
    number : int
        Number of the graph among those with these parameters.
    label : str
        The study's label for the method.
    method : Method
    seed : int
        Seed of the study.
    """

    family: Any
    parameters: dict[str, Any]
    number: int
    label: str
    method: Method
    seed: int

    @functools.cached_property
    def key(self) -> str:
        """Digest of everything that determines the measurement. The label of the method is not included."""
        from graphclust import __version__

        family = FAMILIES.named(self.family)
        parameters = family.parameters() | family.held_out | self.parameters
        graph = [identity_of(self.family, family.sample), parameters, self.number, self.graph_seed]
        return _digest([__version__, graph, self.method.resolved])

    @property
    def graph_seed(self) -> int:
        """Seed of the graph, the same for all methods. Writing out a default parameter changes it."""
        words = bytes.fromhex(_digest([name_of(self.family), self.parameters, self.number]))
        state = np.random.SeedSequence([self.seed, *np.frombuffer(words, dtype=np.uint32).tolist()])
        return int(state.generate_state(1)[0]) % 2**31

    def graph(self) -> Graph:
        """Draw the graph."""
        family = FAMILIES.named(self.family)
        return family.sample(**family.sampled(self.parameters), random_state=self.graph_seed)


@dataclass(frozen=True)
class Study:
    """A grid of graphs, and the methods to measure on them.

    Attributes
    ----------
    name : str
    family : str, Family or callable
        Key of `graphclust.generators.FAMILIES`, or a family of your own (`graphclust.generators.families.as_family`);
        "graphs:FOLDER" is a folder of labelled graphs. If the family has held-out graphs that training never uses, the
        study uses those.
    grid : dict
        Values by parameter. The first parameter is the horizontal axis of the figure, the second the vertical axis. By
        default, the graphs of a folder are the grid.
    methods : dict or sequence
        Methods by label: `Method`, tables as in a file, or names, functions and estimators as in `graphclust.detect`.
    parameters : dict
        Parameters of the family that are the same for all graphs. Instead of `p_in` and `p_out`, a planted partition
        may have `average_degree` and `ratio`, the edge probability between communities divided by that within.
    n_graphs : int
        Number of graphs per point of the grid.
    seed : int

    Raises
    ------
    UsageError
        The family or a parameter is unknown, the grid is empty, or there are no methods.

    Examples
    --------
    >>> study = Study("small", "planted-partition", {"p_out": [0.01, 0.1]}, {"leiden": Method("leiden")}, n_graphs=3)
    >>> len(study.cells())
    6
    """

    name: str
    family: Any
    grid: dict[str, Sequence[Any]]
    methods: Any
    parameters: dict[str, Any] = field(default_factory=dict)
    n_graphs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        family, called = FAMILIES.named(self.family), name_of(self.family)
        listed = self.methods if isinstance(self.methods, Mapping) else labelled_methods(self.methods)
        methods = {label: _as_study_method(label, method) for label, method in listed.items()}
        object.__setattr__(self, "methods", methods)
        if not self.grid and family.number is not None and "number" in family.parameters():
            number = family.number(**family.held_out | self.parameters)
            object.__setattr__(self, "grid", {"number": tuple(range(number))})
            object.__setattr__(self, "n_graphs", 1)
        known = [*family.parameters(), *itertools.chain(*family.instead)]
        for name in (*self.parameters, *self.grid):
            if name not in known:
                raise unknown(f"parameter of {called}", name, known)
        for name, values in self.grid.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not len(values):
                raise UsageError(f"grid.{name} must be a list of values, not {values!r}")
            if len({repr(value) for value in values}) < len(values):
                raise UsageError(f"grid.{name} contains a value twice")
            if name in self.parameters:
                raise UsageError(f"{name} is both in the grid and among the parameters")
        assigned = {*self.parameters, *self.grid}
        needed = [name for name, value in family.parameters().items() if value is inspect.Parameter.empty]
        missing = [name for name in needed if name not in assigned]
        if missing:
            raise UsageError(f"{called} needs {' and '.join(missing)}")
        for names, others in family.instead.items():
            chosen = assigned & set(names)
            if chosen and (len(chosen) < len(names) or assigned & set(others)):
                raise UsageError(f"{called} takes {' and '.join(others)}, or {' and '.join(names)} instead")
        if not self.grid or not self.methods:
            raise UsageError("a study needs a grid and methods")
        if self.n_graphs < 1 or self.seed < 0:
            raise UsageError("a study needs at least one graph per point and a non-negative seed")

    def points(self) -> list[dict[str, Any]]:
        """Return the points of the grid as dictionaries of parameter values."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def cells(self) -> list[Cell]:
        """Return all cells in the order of the table: graph by graph, with all methods of a graph together."""
        return [
            Cell(self.family, {**self.parameters, **point}, number, label, method, self.seed)
            for point in self.points()
            for number in range(self.n_graphs)
            for label, method in self.methods.items()
        ]

    def with_methods(self, names: Sequence[str]) -> Study:
        """Return the study with other methods.

        A name is one of the study's labels or one that `graphclust.detect` takes. Methods that need the number of
        communities are given the true number.
        """
        return replace(self, methods={name: self.methods.get(name) or name for name in names})


def _as_study_method(label: str, method: Any) -> Method:
    """Return a method: its table as in a file, or alone, with the true number of communities if it needs one."""
    if isinstance(method, Method):
        return method
    if isinstance(method, Mapping):
        settings = dict(method)
        true_k = settings.get("n_clusters") == "true" and settings.pop("n_clusters") == "true"
        return Method(settings.pop("method", label), true_k, settings)
    return Method(method, true_k=METHODS.named(method).takes_n_clusters == "required")


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=lambda obj: obj.item() if hasattr(obj, "item") else repr(obj))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _parameters(method: GraphEstimator) -> dict[str, Any]:
    return {
        name: _parameters(value) if isinstance(value, GraphEstimator) else value
        for name, value in method.get_params().items()
    }


# ---------------------------------------------------------------- measuring


def measure(cell: Cell) -> dict[str, Any]:
    """Draw the graph of a cell, run its method, and return a row. If the cell fails, the row contains the error."""
    row: dict[str, Any] = {**cell.parameters, "graph": cell.number, "seed": cell.graph_seed, "method": cell.label}
    empty = ("n_true", "n_found", *MEASURES, *_QUALITY, "seconds", "memory_mib", "error")
    row |= {"k_given": cell.method.true_k or "n_clusters" in cell.method.parameters} | dict.fromkeys(empty)
    try:
        # what functions of the user's print is not a result
        with limited_threads(1), contextlib.redirect_stdout(sys.stderr):
            graph = cell.graph()
            row |= {
                f"realised_{name}": value for name, value in graph.meta.get("realised", {}).items() if name != "sizes"
            }
            assert graph.y is not None
            row["n_true"] = len(np.unique(graph.y))
            parameters = dict(cell.method.parameters)
            if cell.method.true_k:
                parameters["n_clusters"] = row["n_true"]
            blind = _without_labels(graph)
            with PeakMemory() as peak:
                start = time.perf_counter()
                communities = detect(blind, cell.method.name, random_state=cell.seed + cell.number, **parameters)
                row["seconds"] = time.perf_counter() - start
            row["memory_mib"] = None if peak.rise is None else round(peak.rise / 2**20, 1)
        row |= _scores(communities, graph)
    except GraphclustError as error:
        row["error"] = str(error)
    except Exception as error:  # noqa: BLE001 -- one failed cell must not end a study; failures are counted and shown
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def _without_labels(graph: Graph) -> Graph:
    return Graph.from_edges(graph.source, graph.target, graph.weight, nodes=graph.nodes, x=graph.x, is_canonical=True)


_warm: set[str] = set()  # methods whose code this process has loaded


def _warm_up(label: str, method: Any) -> None:
    """Load and compile the code of a method once per process, before times are measured and threads are limited."""
    if label in _warm:
        return
    _warm.add(label)
    small = FAMILIES["planted-partition"].sample(60, 2, p_in=0.5, p_out=0.05, random_state=0)
    with contextlib.suppress(Exception):  # a failure is counted when it occurs in a cell
        detect(_without_labels(small), method, 2 if METHODS.named(method).takes_n_clusters == "required" else None)


def _scores(communities: Communities, graph: Graph) -> dict[str, Any]:
    assert graph.y is not None
    scores = communities.score(dict(zip(graph.nodes, graph.y.tolist(), strict=True)))
    quality = communities.quality()
    row: dict[str, Any] = {"n_found": communities.n_clusters}
    row |= {name: scores[name] for name in MEASURES} | {name: quality[name] for name in _QUALITY}
    return row


def run(
    study: Study,
    journal: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    *,
    shard: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """Measure a study.

    Parameters
    ----------
    study : Study
    journal : path, optional
        File to which each measured cell is appended as a line. Cells in the file are not measured again, except those
        that failed.
    n_jobs : int
        Number of processes; -1 for one per core. Each process computes in one thread. Inside
        `joblib.parallel_config(backend="dask")`, the workers of a Dask cluster are used.
    shard : (int, int), optional
        The number of a shard, from 1, and of all shards: measure every n-th graph only, with all methods. Shards on
        several machines need no connection; `merged` puts their journals together.

    Returns
    -------
    pandas.DataFrame
        One row per cell: the parameters; `graph` (its number), `seed`, `method` and `k_given`; `n_true` and `n_found`;
        `ami`, `nmi`, `ari` and `accuracy`; quality; `seconds` and `memory_mib` of the method alone (the growth of the
        process, or None if the system does not report it); `error`; and realised properties of the graph as
        `realised_*`.

    Raises
    ------
    DataError
        The journal cannot be read or written.
    UsageError
        There is no such shard.
    ResourceError
        A process died.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    cells = study.cells() if shard is None else _cells_of_shard(study, *shard)
    measured_before = {} if journal is None else _read_journal(Path(journal))
    rows = {cell.key: measured_before[cell.key] for cell in cells if cell.key in measured_before}
    added = METHODS.added(), FAMILIES.added()
    missing = list({cell.key: cell for cell in cells if cell.key not in rows}.values())
    with task(f"study {study.name}", len(missing)) as advance, _appending(journal) as append:
        # worker processes ignore the Ctrl-C that a terminal also sends to them: this process ends them
        with interrupts_handled(signal.SIG_IGN):
            calls = (delayed(_measure_with_key)(cell, study.methods, added) for cell in missing)
            measured = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(calls)
        try:
            for key, row in measured:
                rows[key] = row
                append(key, row)
                advance()
        except TerminatedWorkerError as error:
            hint = "run it again to resume" if journal is not None else "use a journal to be able to resume"
            raise ResourceError(
                f"a process died, perhaps out of memory, after {len(rows):,} of {len(cells):,} cells; {hint}"
            ) from error
    return _table(cells, rows)


def merged(study: Study, journals: Sequence[str | os.PathLike[str]]) -> pd.DataFrame:
    """Return the table of a study that was measured in shards.

    Parameters
    ----------
    study : Study
    journals : sequence of paths
        The journals of the shards.

    Returns
    -------
    pandas.DataFrame
        As that of `run`.

    Raises
    ------
    DataError
        A journal does not exist, or holds measurements of another study, of other parameters or another version of a
        method; or cells are missing.
    """
    cells, rows = study.cells(), dict[str, dict[str, Any]]()
    keys = {cell.key for cell in cells}
    for journal in journals:
        if not Path(journal).exists():
            raise DataError("no such file", journal)
        measured = _read_journal(Path(journal), with_failures=True)
        if strange := measured.keys() - keys:
            message = (
                f"{len(strange):,} of {counted(len(measured), 'measurement')} do not belong to this study: another "
                "study or seed, other parameters, or another version of a method or model"
            )
            raise DataError(message, journal)
        rows |= {key: row for key, row in measured.items() if row["error"] is None or key not in rows}
    if n_missing := sum(cell.key not in rows for cell in cells):
        raise DataError(
            f"{n_missing:,} of {counted(len(cells), 'cell')} are in none of {counted(len(journals), 'journal')}: is a "
            "shard missing or unfinished?"
        )
    return _table(cells, rows)


def _cells_of_shard(study: Study, number: int, n_shards: int) -> list[Cell]:
    """Return the cells of every n-th graph of a study."""
    n_graphs = len(study.points()) * study.n_graphs
    if not 1 <= number <= n_shards:
        raise UsageError(f"there is no shard {number}/{n_shards}: they are numbered from 1/{n_shards}")
    if n_shards > n_graphs:
        raise UsageError(f"{n_shards} shards are too many for {counted(n_graphs, 'graph')}")
    return [cell for i, cell in enumerate(study.cells()) if i // len(study.methods) % n_shards == number - 1]


def _table(cells: Sequence[Cell], rows: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """Return measurements as a table, and log how many failed."""
    import pandas as pd

    columns = list(dict.fromkeys(name for cell in cells for name in rows[cell.key]))
    table = pd.DataFrame([rows[cell.key] | {"method": cell.label} for cell in cells], columns=columns)
    _log_failures(table)
    return table


def _log_failures(table: pd.DataFrame) -> None:
    """Log how many cells of each method failed, and why the first did."""
    for label, errors in table.groupby("method", sort=False)["error"]:
        failed = errors.dropna()
        if len(failed):
            n_failed = f"{len(failed):,} of {counted(len(errors), 'cell')}"
            logger.error("%s failed in %s; the first error: %s", label, n_failed, failed.iloc[0])


def _measure_with_key(
    cell: Cell, methods: Mapping[str, Method], added: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """Measure a cell in a process that may lack what the caller has `added` to METHODS and FAMILIES."""
    registries: tuple[Registry[Any], ...] = (METHODS, FAMILIES)
    for registry, entries in zip(registries, added, strict=True):
        for name, entry in entries.items():
            if name not in registry:
                registry[name] = entry
    for label, method in methods.items():  # all methods in the first task: joblib replaces processes that grow after it
        _warm_up(label, method.name)
    row = json.loads(json.dumps(measure(cell), default=lambda obj: obj.item()))  # the same values as from the journal
    return cell.key, row


_LINE_START = '{"key": "'  # of a line of the journal


def _read_journal(path: Path, *, with_failures: bool = False) -> dict[str, dict[str, Any]]:
    """Return the measurements in a journal by their keys, without those that failed."""
    rows = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", path) from None
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            if entry["row"]["error"] is None or with_failures:
                rows[entry["key"]] = entry["row"]
        except (ValueError, TypeError, KeyError):
            if number < len(lines) or not line.startswith(_LINE_START[: len(line)]):
                raise DataError("not the journal of a study", path, number) from None
    return rows  # without a truncated last line, whose cell is measured again


def _lock(descriptor: int, path: str | os.PathLike[str]) -> None:
    """Lock a journal until it is closed, or raise an error if another process has locked it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError("another study is writing this journal: wait for it, or use another file", path) from None
    except OSError:  # a file system without locks
        return


@contextlib.contextmanager
def _appending(path: str | os.PathLike[str] | None) -> Iterator[Any]:
    if path is None:
        yield lambda key, row: None
        return
    try:
        stream = open(path, "ab+")  # noqa: SIM115 -- closed below; errors inside the block are not errors of this file
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", path) from None
    with stream:
        _lock(stream.fileno(), path)
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)

        def append(key: str, row: dict[str, Any]) -> None:
            stream.write(json.dumps({"key": key, "row": row}).encode() + b"\n")
            stream.flush()

        yield append


# ---------------------------------------------------------------- figures


def axes_of(study: Study, measure: str = "ami") -> list[str]:
    """Return the one or two parameters on the axes of a study's figure, which are those with several values.

    Raises
    ------
    UsageError
        See `draw`.
    """
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES)
    axes = [name for name, values in study.grid.items() if len(values) > 1] or [next(iter(study.grid))]
    if len(axes) > 2:
        raise UsageError(f"a figure can show at most two parameters, but the grid has {', '.join(axes)}")
    for name in axes:
        if not all(isinstance(value, int | float) for value in study.grid[name]):
            raise UsageError(f"a figure needs numbers on its axes, but the values of {name} are not numbers")
    return axes


def draw(table: pd.DataFrame, study: Study, measure: str = "ami") -> Figure:
    """Draw a study: curves with 95% confidence bands over one parameter, or one heat map per method over two.

    The lines are theoretical thresholds of block models: exact recovery, |sqrt(a) - sqrt(b)| = sqrt(K) (dashed; Abbe &
    Sandon 2015), and detection, (c_in - c_out)^2 = K (c_in + (K - 1) c_out) (dotted; Kesten & Stigum; Decelle et al.
    2011). A point at which a graph failed has no mean: a cross on the axis, or in the map, marks it.

    Parameters
    ----------
    table : DataFrame
        The result of `run`.
    study : Study
    measure : {"ami", "nmi", "ari", "accuracy"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        The measure is unknown, or the grid has more than two parameters or values that are not numbers.
    """
    from matplotlib.figure import Figure

    axes = axes_of(study, measure)
    scores = table.assign(**{measure: table[measure].astype(float)})
    if len(axes) == 1:
        figure = Figure(figsize=(6.5, 4.5), layout="constrained")
        _draw_curves(figure.subplots(), scores, study, axes[0], measure)
        return figure
    maps = {}
    for label in study.methods:
        groups = scores[scores["method"] == label].groupby([axes[1], axes[0]])[measure]
        maps[label] = (
            _means(groups).unstack().reindex(index=sorted(study.grid[axes[1]]), columns=sorted(study.grid[axes[0]]))
        )
    return draw_maps([(study, {label: values.to_numpy() for label, values in maps.items()})], measure)


def draw_maps(maps: Sequence[tuple[Study, Mapping[str, FloatArray]]], measure: str = "ami") -> Figure:
    """Draw heat maps over two parameters, with the maps of a study side by side.

    Parameters
    ----------
    maps : sequence of (Study, mapping of str to ndarray of float, shape (n_values of the second axis, of the first))
        Mean of the measure by method, with the values of the parameters in ascending order.
    measure : {"ami", "nmi", "ari", "accuracy"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        The measure is unknown, or the grid does not have two parameters or has values that are not numbers.
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


def _means(groups: Any) -> Any:
    """Return the mean of each group, NaN where a value is missing: a graph on which a method failed."""
    return groups.mean().where(groups.count() == groups.size())


def _draw_curves(ax: Axes, table: pd.DataFrame, study: Study, name: str, measure: str) -> None:
    values = np.array(sorted(study.grid[name]), dtype=float)
    for i, label in enumerate(study.methods):
        groups = table[table["method"] == label].groupby(name)[measure]
        mean = _means(groups).reindex(values).to_numpy()
        error = _N_STANDARD_ERRORS * groups.sem().reindex(values).fillna(0.0).to_numpy()
        color = COLORS[i % len(COLORS)]
        ax.plot(values, mean, marker="o", markersize=3.5, color=color, label=label)
        ax.fill_between(values, np.maximum(mean - error, 0), np.minimum(mean + error, 1), color=color, alpha=0.18, lw=0)
        failed = values[np.isnan(mean)]
        if len(failed):
            marks: dict[str, Any] = {"marker": "x", "linestyle": "none", "color": color, "clip_on": False, "zorder": 5}
            ax.plot(failed, np.zeros(len(failed)), transform=ax.get_xaxis_transform(), label=f"{label} failed", **marks)
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
    failed = np.argwhere(np.isnan(mean))
    for row, column in failed:
        ax.plot(x[column], y[row], marker="x", color="tab:red", clip_on=False)
    shown = f"mean {np.nanmean(mean):.3f}" if len(failed) < mean.size else "no result"
    ax.set_title(f"{title}, {shown}" + (f", {len(failed)} without a result" if len(failed) else ""), fontsize=9)
    ax.set(xlabel=axes[0], ylabel=axes[1])
    return image


def _is_log(values: FloatArray) -> bool:
    return bool(values.min() > 0 and values.max() / values.min() >= _LOG_AXIS_RATIO)


def _fine_values(values: FloatArray) -> FloatArray:
    return (np.geomspace if _is_log(values) else np.linspace)(values.min(), values.max(), _N_FINE_VALUES)


def _margins(study: Study, axis_values: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the signed distances to the thresholds, positive above them; empty if the family has no known threshold.

    `axis_values` has the values of the parameters on the axes of the figure.
    """
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


_DEFAULT_METHODS = {name: Method(name) for name in ("auto", "leiden", "louvain", "infomap", "label-propagation")}
_DEFAULT_METHODS["spectral"] = Method("spectral", true_k=True)
_PLANTED: dict[str, Any] = {"n_nodes": 1000, "n_clusters": 4, "average_degree": 16.0, "ratio": 0.2}


def _planted(name: str, values: Sequence[Any], n_graphs: int = 10) -> Study:
    varied = "n_nodes" if name == "size" else "n_clusters" if name == "number-of-communities" else "average_degree"
    fixed = {key: value for key, value in _PLANTED.items() if key != varied}
    return Study(name, "planted-partition", {varied: values}, _DEFAULT_METHODS, fixed, n_graphs)


NAMED: dict[str, Study] = {
    "recovery": Study(
        "recovery",
        "log-degree-sbm",
        {"a": tuple(range(1, 31, 3)), "b": tuple(range(1, 11))},
        {name: _DEFAULT_METHODS[name] for name in ("auto", "leiden", "infomap", "spectral")},
        {"n_nodes": 300, "n_clusters": 2},
        n_graphs=5,
    ),
    "mixing": Study(
        "mixing",
        "lfr",
        {"mu": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)},
        _DEFAULT_METHODS,
        {"n_nodes": 1000, "average_degree": 20.0, "max_degree": 50, "min_community": 20, "max_community": 100},
    ),
    "number-of-communities": _planted("number-of-communities", (2, 3, 4, 6, 8, 12, 16, 24, 32)),
    "size": _planted("size", (100, 200, 500, 1000, 2000, 5000, 10_000), n_graphs=5),
    "density": _planted("density", (2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)),
}


def study_named(name: str) -> Study:
    """Return a named study, or read one from a file if the name ends with .toml.

    Raises
    ------
    UsageError
        The name is unknown. The message suggests similar names.
    DataError
        The file cannot be read or is not a study.
    """
    if name.endswith(".toml"):
        return read_study(name)
    if name not in NAMED:
        raise unknown("study", name, NAMED)
    return NAMED[name]


def read_study(path: str | os.PathLike[str]) -> Study:
    """Read a study from a TOML file.

    The file has the key `family`, and optionally `name`, `graphs` and `seed`. The table `[grid]` contains lists, and
    the table `[parameters]` fixed parameters. Each method has a table `[methods.LABEL]` with its parameters: `method`
    if the name of the method is not the label, and `n_clusters` as a number or "true".

    Raises
    ------
    DataError
        The file cannot be read or is not a study. The message describes the problem.
    """
    try:
        with open(path, "rb") as stream:
            content = tomllib.load(stream)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not TOML: {error}", path) from None
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
            raise UsageError(f"{key} must be a table: [{key}]")
    for key, kind, noun in (
        ("graphs", int, "an integer"),
        ("seed", int, "an integer"),
        ("family", str, "a string"),
        ("name", str, "a string"),
    ):
        if not isinstance(content.get(key, kind()), kind):
            raise UsageError(f"{key} must be {noun}, not {content[key]!r}")
    if "family" not in content:
        raise UsageError(f"a study needs the key family, one of {', '.join(FAMILIES)}")
    methods = {}
    for label, table in content.get("methods", {}).items():
        if not isinstance(table, dict):
            raise UsageError(f"a method must be a table: [methods.{label}]")
        methods[label] = _as_study_method(label, table)
    return Study(
        content.get("name", name),
        content["family"],
        {key: _with_ranges(values) for key, values in content.get("grid", {}).items()},
        methods,
        {key: _as_range(value) for key, value in content.get("parameters", {}).items()},
        content.get("graphs", 10),
        content.get("seed", 0),
    )


def _as_range(value: Any) -> Any:
    """Turn a list into a tuple, which families take as a range."""
    return tuple(value) if isinstance(value, list) else value


def _with_ranges(values: Any) -> Any:
    """Turn the lists inside a list into ranges."""
    return list(map(_as_range, values)) if isinstance(values, list) else values
