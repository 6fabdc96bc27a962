"""Studies: the table, its journal, processes and machines, figures, files, the command."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import graphclust as gc
from graphclust.__main__ import main
from graphclust.cli import run as command
from graphclust.errors import DataError, UsageError
from graphclust.generators.families import FAMILIES
from graphclust.generators.sbm import recovery_ratios
from graphclust.studies import study as studies
from graphclust.studies.study import Method, Study, draw, merged, read_study, run, study_named
from graphclust.training.checkpoints import SHIPPED
from tests.cli.conftest import cli  # noqa: F401  a fixture
from tests.forked import ForkedCommand
from tests.marks import slow

SMALL = Study(
    "small",
    "planted-partition",
    {"p_out": (0.01, 0.06), "n_clusters": (2, 3)},
    {"leiden": Method("leiden"), "louvain": Method("louvain"), "told": Method("spectral", true_k=True)},
    {"n_nodes": 60, "p_in": 0.5},
    n_graphs=2,
)
BRIEF = replace(SMALL, methods={name: SMALL.methods[name] for name in ("leiden", "louvain")})  # imports little
MEASURED = ("seconds", "memory_mib")

TOML = """
family = "planted-partition"
graphs = 2
[parameters]
n_nodes = 60
p_in = 0.5
[grid]
p_out = [0.01, 0.06]
n_clusters = [2, 3]
[methods.leiden]
[methods.louvain]
[methods.told]
method = "spectral"
n_clusters = "true"
"""


def results(table):
    return table.drop(columns=list(MEASURED))


@pytest.fixture(scope="module")
def small():
    return run(SMALL)


@pytest.fixture(scope="module")
def brief(small):
    """The part of the table that BRIEF has to give."""
    return small[small["method"].isin(list(BRIEF.methods))].reset_index(drop=True)


def test_a_row_a_cell(small):
    assert len(small) == 2 * 2 * 2 * 3
    assert small["error"].isna().all()
    assert (small["n_true"] == small["n_clusters"]).all()
    reported = small[small["method"] == "told"]
    assert reported["k_given"].all()
    assert (reported["n_found"] == reported["n_true"]).all()
    assert not small[small["method"] == "leiden"]["k_given"].any()
    assert (small[small["p_out"] == 0.01]["ami"] > 0.9).all()
    assert small["realised_p_out"].corr(small["p_out"]) > 0.9
    assert (small["seconds"] > 0).all()
    assert small.groupby(["p_out", "n_clusters", "graph"])["seed"].nunique().eq(1).all()  # methods share graphs
    assert small["seed"].nunique() == 8


def test_methods_do_not_see_labels(monkeypatch):
    studies._warm.clear()
    seen = []
    monkeypatch.setattr(studies, "detect", lambda graph, *_, **__: seen.append(graph.y) or 1 / 0)
    table = run(replace(SMALL, grid={"p_out": (0.01,)}))
    assert seen == [None] * len(seen)
    assert len(seen) >= 6
    assert table["error"].str.startswith("ZeroDivisionError").all()  # and a defect is a row, too


def test_what_fails_is_a_row_with_its_error():
    table = run(replace(SMALL, grid={"p_out": (0.01, 1.5)}))
    failed = table[table["p_out"] == 1.5]
    assert failed["error"].str.contains("p_out must be a probability").all()
    assert failed["ami"].isna().all()
    assert table[table["p_out"] == 0.01]["error"].isna().all()
    figure = draw(table, replace(SMALL, grid={"p_out": (0.01, 1.5)}))
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[1])  # and is not drawn as a number


def test_cells_do_not_depend_on_the_grid(small):
    part = run(replace(SMALL, grid={"p_out": (0.06,), "n_clusters": (3,)}, methods={"other name": Method("louvain")}))
    same = small[(small["p_out"] == 0.06) & (small["n_clusters"] == 3) & (small["method"] == "louvain")]
    pd.testing.assert_frame_equal(
        results(part).drop(columns="method"), results(same).drop(columns="method").reset_index(drop=True)
    )


def test_processes_make_the_same_table(brief):
    pd.testing.assert_frame_equal(results(run(BRIEF, n_jobs=2)), results(brief), check_exact=True)


@pytest.mark.parametrize("n_workers", [1, *slow(2)])
def test_machines_make_the_same_table(brief, n_workers):
    """Worker processes of a local Dask cluster, as joblib's backend."""
    from dask.distributed import Client, LocalCluster
    from joblib import parallel_config

    state = random.getstate()  # Dask draws from it
    with (
        LocalCluster(n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        table = run(BRIEF, n_jobs=-1)
    random.setstate(state)
    pd.testing.assert_frame_equal(results(table), results(brief), check_exact=True)


def test_journal_is_not_measured_again(tmp_path, monkeypatch, small):
    path = tmp_path / "cells.jsonl"
    first = run(SMALL, path)
    pd.testing.assert_frame_equal(results(first), results(small))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 24
    path.write_bytes(b"".join(lines[:10]) + lines[10][:30])  # killed while it wrote
    counted = []
    measure = studies.measure
    monkeypatch.setattr(studies, "measure", lambda cell: counted.append(cell) or measure(cell))
    second = run(SMALL, path)
    assert len(counted) == 14
    pd.testing.assert_frame_equal(results(second), results(small))
    assert len(path.read_bytes().splitlines()) == 24
    grown = run(replace(SMALL, n_graphs=3), path)
    assert len(grown) == 36
    assert len(counted) == 14 + 12


@pytest.mark.parametrize("n_shards", [1, 3])
def test_shards_make_the_same_table(n_shards, tmp_path, small):
    journals = [tmp_path / f"{i}.cells.jsonl" for i in range(1, n_shards + 1)]
    tables = [run(SMALL, path, shard=(i, n_shards)) for i, path in enumerate(journals, 1)]
    assert sum(map(len, tables)) == len(small)
    for table in tables:  # all methods of a graph are in the same shard
        assert (table.groupby(["seed"]).size() == len(SMALL.methods)).all()
    pd.testing.assert_frame_equal(results(merged(SMALL, journals[::-1])), results(small))


def test_shards_have_to_belong_together(tmp_path):
    journals = [tmp_path / f"{i}.cells.jsonl" for i in (1, 2)]
    for i, path in enumerate(journals, 1):
        run(SMALL, path, shard=(i, 2))
    with pytest.raises(DataError, match="12 of 24 cells are in none of 1 journal"):
        merged(SMALL, journals[:1])
    with pytest.raises(DataError, match="12 of 12 measurements do not belong to this study"):
        merged(replace(SMALL, seed=SMALL.seed + 1), journals)
    with pytest.raises(DataError, match="no such file"):
        merged(SMALL, [tmp_path / "none.jsonl"])
    for shard in ((0, 2), (3, 2), (1, 10_000)):
        with pytest.raises(UsageError, match="shard"):
            run(SMALL, shard=shard)


def test_shards_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--methods", "leiden", "--graphs", "1", "-j", "1", "-q"]
    for i in (1, 2):
        assert main(["study", "density", *options, "--shard", f"{i}/2", "--out", f"{i}.csv"]) == 0
    merge = [part for i in (1, 2) for part in ("--merge", f"{i}.csv.cells.jsonl")]
    assert main(["study", "density", *options, *merge, "--out", "all.csv"]) == 0
    assert main(["study", "density", *options, "--out", "whole.csv"]) == 0
    shards, whole = pd.read_csv("all.csv"), pd.read_csv("whole.csv")
    same = [name for name in whole.columns if name not in ("seconds", "memory_mib")]
    pd.testing.assert_frame_equal(shards[same], whole[same])
    assert main(["study", "density", *options, "--shard", "1/2"]) == 2
    assert "--shard needs --out" in capsys.readouterr().err
    assert main(["study", "density", *options, "--shard", "half", "--out", "1.csv"]) == 2


def test_a_default_that_is_spelled_out_is_another_cell(tmp_path):
    journal = tmp_path / "cells.jsonl"
    few = Study("few", SMALL.family, {"p_out": [0.01, 0.02]}, {"leiden": Method("leiden")}, {"n_nodes": 60}, n_graphs=1)
    default = FAMILIES.named(few.family).parameters()["p_in"]
    grown = replace(few, grid={"p_in": [0.5, default], **few.grid})
    run(few, journal)
    actual, fresh = run(grown, journal), run(grown)
    columns = fresh.columns.difference(MEASURED)
    assert actual[columns].equals(fresh[columns])


def test_another_model_is_measured_anew(tmp_path, monkeypatch):
    """What a checkpoint holds, and defaults of methods and families, are part of what is measured."""
    monkeypatch.setattr("graphclust.training.checkpoints.SHIPPED", tmp_path)
    model = tmp_path / "acp-s.safetensors"
    shutil.copy(SHIPPED / "acp-s.safetensors", model)

    def key(method="acp-s", **parameters):
        return replace(SMALL, methods={"a": Method(method, parameters=parameters)}).cells()[0].key

    first = key()
    assert key(checkpoint=str(model), estimate="ami") != key(checkpoint=str(model), estimate="map")
    assert key(estimate="ami") == key() == first
    assert key("leiden", resolution=1.0) == key("leiden") != key("leiden", resolution=2.0)
    shutil.copy(SHIPPED / "acp.safetensors", tmp_path)
    auto = key("auto")
    os.utime(tmp_path / "acp.safetensors")
    assert key("auto") == auto
    shutil.copy(SHIPPED / "acp-mixed.safetensors", tmp_path / "acp.safetensors")
    shutil.copy(SHIPPED / "acp-s-cluster.safetensors", model)
    assert key("auto") != auto
    assert key() != first
    assert key("leiden") == key("leiden")


def test_graphs_kept_from_training_are_what_is_measured(monkeypatch):
    requested = {}
    first = Study("pairs", "community-pairs", {"data": ["com-dblp"]}, {"leiden": Method("leiden")})
    pairs = replace(studies.FAMILIES["community-pairs"], sample=lambda **arguments: requested.update(arguments))
    monkeypatch.setitem(studies.FAMILIES, "community-pairs", pairs)
    first.cells()[0].graph()
    assert (requested["split"], requested["drop"]) == ("test", 0.0)
    replace(first.cells()[0], parameters={"data": "com-dblp", "split": "all"}).graph()
    assert requested["split"] == "all"


def test_one_study_writes_a_journal(tmp_path):
    path = tmp_path / "cells.jsonl"
    with studies._appending(path) as keep:
        keep("a", {"error": None})
        code = f"from graphclust.studies import study; study._appending({str(path)!r}).__enter__()"
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "another study is writing this journal" in second.stderr
    with studies._appending(path) as keep:
        keep("b", {"error": None})
    assert list(studies._read_journal(path)) == ["a", "b"]


def test_numbers_and_ranges_in_one_column(tmp_path):
    own, out = tmp_path / "own.toml", tmp_path / "t.parquet"
    own.write_text(
        'family = "general-sbm"\ngraphs = 1\n[grid]\nn_nodes = [30, [20, 40]]\n[methods.leiden]\n', encoding="utf-8"
    )
    assert command(["study", str(own), "--out", str(out), "--quiet"]) == 0
    assert pd.read_parquet(out)["n_nodes"].tolist() == ["30", "[20, 40]"]


def test_what_failed_is_measured_again(tmp_path, monkeypatch):
    path = tmp_path / "cells.jsonl"
    first = replace(SMALL, grid={"p_out": (0.01,)}, methods={"leiden": Method("leiden")})
    with monkeypatch.context() as patched:
        patched.setattr(studies, "detect", lambda *_, **__: 1 / 0)
        assert run(first, path)["error"].notna().all()
    assert run(first, path)["error"].isna().all()
    assert run(first, path)["error"].isna().all()
    assert len(path.read_bytes().splitlines()) == 4


def test_what_needs_no_torch_loads_none():
    code = (
        "import sys; from graphclust.studies import study; from dataclasses import replace;"
        "density = study.NAMED['density'].with_methods(['leiden', 'infomap']);"
        "grid = {key: values[-1:] for key, values in density.grid.items()};"
        "assert study.run(replace(density, n_graphs=1, grid=grid))['error'].isna().all();"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_cannot_be_drawn_is_said_before_it_is_measured(tmp_path, capsys):
    own, journal = tmp_path / "own.toml", tmp_path / "t.csv.cells.jsonl"
    own.write_text(TOML.replace("p_in = 0.5\n", "").replace("[grid]", "[grid]\np_in = [0.4, 0.5]"))
    arguments = ["study", str(own), "--out", str(tmp_path / "t.csv"), "--figure", str(tmp_path / "t.png")]
    assert command(arguments) == 2
    assert "at most two parameters, but the grid has p_in, p_out, n_clusters" in capsys.readouterr().err
    assert not journal.exists()


def test_journal_that_is_none(tmp_path):
    path = tmp_path / "cells.jsonl"
    path.write_text("node,community\n1,2\n")
    with pytest.raises(DataError, match=r"cells.jsonl:1: not the journal"):
        run(SMALL, path)
    for text in ('{"my": "only copy"}', "1"):  # as long as they do not look like a line of ours that was cut off
        path.write_text(text)
        with pytest.raises(DataError, match=r"cells.jsonl:1: not the journal"):
            run(SMALL, path)
        assert path.read_text() == text
    with pytest.raises(DataError, match="cannot be written"):
        run(SMALL, tmp_path / "none" / "cells.jsonl")


def test_killed_and_resumed_it_makes_the_same_table(tmp_path, brief):
    (tmp_path / "own.toml").write_text(TOML)
    out = tmp_path / "table.csv"
    journal = tmp_path / "table.csv.cells.jsonl"
    arguments = ["study", str(tmp_path / "own.toml"), "--methods", "leiden,louvain", "--out", str(out), "--jobs"]
    process = ForkedCommand(*arguments, "1")
    process.wait(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = journal.read_bytes().count(b"\n")
    assert not out.exists()
    assert 5 <= done < 16
    assert command([*arguments, "2"]) == 0
    assert journal.read_bytes().count(b"\n") == 16
    table = pd.read_csv(out)
    for column in ("method", "graph", "seed", "n_found", "ami", "modularity"):
        assert table[column].tolist() == brief[column].tolist()


def test_interrupted_it_says_so_and_ends_its_processes(tmp_path):
    own, journal = tmp_path / "own.toml", tmp_path / "t.csv.cells.jsonl"
    own.write_text(TOML.replace("n_nodes = 60", "n_nodes = 1000"))
    options = ["--methods", "leiden,louvain", "--graphs", "200", "--jobs", "2", "--out", str(tmp_path / "t.csv")]
    process = subprocess.Popen(
        [sys.executable, "-m", "graphclust", "study", str(own), *options],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while process.poll() is None and not (journal.exists() and journal.read_bytes()):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it, too
    reported = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert reported.splitlines()[1:] == ["graphclust: interrupted"]


def test_figures_show_thresholds(small):
    figure = draw(small, SMALL)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title().split(",")[0] for ax in panels] == ["leiden", "louvain", "told"]
    shown = panels[0].collections[0].get_array()
    expected = small[small["method"] == "leiden"].groupby(["n_clusters", "p_out"])["ami"].mean().to_numpy()
    assert np.allclose(np.ravel(shown), expected)

    line = Study(
        "line", "log-degree-sbm", {"a": (4, 16)}, {"leiden": Method("leiden")}, {"n_nodes": 100, "b": 1.0}, n_graphs=2
    )
    ax = draw(run(line), line, "ari").axes[0]
    crossed = {entry.get_label(): entry.get_xdata()[0] for entry in ax.lines[1:]}
    assert crossed["exact recovery"] == pytest.approx((1 + 2**0.5) ** 2, abs=0.1)
    assert len(ax.collections) == 1  # the confidence band


def test_thresholds():
    n, k = 10_000, 4
    scale = np.log(n) / n
    a, b = (2 + 4**0.5) ** 2, 4.0
    at = recovery_ratios(n, k, a * scale, b * scale)
    assert float(at["exact recovery"]) == pytest.approx(1)
    c, snr = 10.0, 1.0
    gap = k * np.sqrt(c * snr)  # c_in - c_out at the bound of Kesten and Stigum
    inner, outer = c + gap * (k - 1) / k, c - gap / k
    assert float(recovery_ratios(n, k, inner / n, outer / n)["detection"]) == pytest.approx(1)


def test_planted_partitions_by_degree():
    study = Study(
        "degrees",
        "planted-partition",
        {"average_degree": (10.0, 20.0)},
        {"leiden": Method("leiden")},
        {"n_nodes": 1000, "n_clusters": 4, "ratio": 0.1},
        n_graphs=3,
    )
    for cell in study.cells():
        realised = cell.graph().meta["realised"]
        assert realised["average_degree"] == pytest.approx(cell.parameters["average_degree"], rel=0.1)
        assert realised["p_out"] / realised["p_in"] == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("name", studies.NAMED)
def test_named_studies_can_be_measured(name):
    study = study_named(name)
    if "auto" in study.methods:  # as brief as it can be
        study = replace(study, methods=study.methods | {"auto": Method("auto", parameters={"effort": "low"})})
    table = run(replace(study, grid={key: values[:1] for key, values in study.grid.items()}, n_graphs=1))
    assert table["error"].isna().all()
    assert len(table) == len(study.methods)


def test_study_of_ones_own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(TOML)
    assert read_study(path) == replace(
        SMALL, name="own", grid={key: list(values) for key, values in SMALL.grid.items()}
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "planted-partition",
            "planted-partitoin",
            "unknown family 'planted-partitoin'; did you mean planted-partition",
        ),
        ("p_out =", "p_uot =", "unknown parameter of planted-partition 'p_uot'; did you mean"),
        ("[methods.leiden]", "[methods.leyden]", "unknown method 'leyden'; did you mean leiden"),
        ('n_clusters = "true"', "", "spectral needs the number of communities"),
        ("[0.01, 0.06]", "0.01", "grid.p_out must be a list"),
        ("[0.01, 0.06]", "[0.01, 0.01]", "grid.p_out contains a value twice"),
        ("graphs = 2", 'graphs = "two"', "graphs must be an integer"),
        ("graphs = 2", "graph = 2", "unknown key of a study 'graph'; did you mean graphs"),
        ("graphs = 2", "graphs = ", "not TOML"),
        ("[methods.louvain]", "[methods.louvain]\nresolutoin = 2", "resolutoin"),
        ("p_in = 0.5", "p_in = 0.5\nratio = 0.1", "or average_degree and ratio instead"),
    ],
)
def test_mistakes_in_a_file_are_told(tmp_path, old, new, message):
    path = tmp_path / "own.toml"
    path.write_text(TOML.replace(old, new))
    with pytest.raises(DataError, match=message) as caught:
        read_study(path)
    assert str(caught.value).startswith(str(path))


def test_mistakes_in_python():
    with pytest.raises(UsageError, match="unknown study 'mixng'; did you mean mixing"):
        study_named("mixng")
    with pytest.raises(DataError, match="cannot be read"):
        study_named("nowhere.toml")
    with pytest.raises(UsageError, match="is both in the grid and among the parameters"):
        replace(SMALL, parameters={"p_out": 0.1})
    with pytest.raises(UsageError, match="lfr needs n_nodes"):
        Study("x", "lfr", {"mu": (0.1,)}, {"leiden": Method("leiden")})
    with pytest.raises(UsageError, match="unknown measure 'mai'"):
        draw(pd.DataFrame(), SMALL, "mai")
    with pytest.raises(UsageError, match="at most two parameters"):
        draw(pd.DataFrame(), replace(SMALL, grid=SMALL.grid | {"p_in": (0.4, 0.5)}, parameters={}))


def test_command(tmp_path, capsysbinary):
    own = tmp_path / "own.toml"
    own.write_text(TOML)
    table, figure = tmp_path / "t.parquet", tmp_path / "t.png"
    arguments = ["study", str(own), "--methods", "told,label-propagation", "--graphs", "1", "--jobs", "1"]
    assert command([*arguments, "--out", str(table), "--figure", str(figure)]) == 0
    frame = pd.read_parquet(table)
    assert frame["method"].unique().tolist() == ["told", "label-propagation"]
    assert figure.read_bytes()[:4] == b"\x89PNG"
    journal = [json.loads(line) for line in (tmp_path / "t.parquet.cells.jsonl").read_text().splitlines()]
    assert len(journal) == len(frame) == 8
    assert command([*arguments, "--quiet"]) == 0
    captured = capsysbinary.readouterr()
    assert captured.out.splitlines()[0].startswith(b"n_nodes,p_in,p_out,n_clusters,graph,seed,method")
    assert b"storing measurements in" in captured.err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["mixng"], 2, "did you mean mixing"),
        (["mixing", "--measure", "nmmi", "--figure", "a.png"], 2, "unknown measure"),
        (["mixing", "--measure", "nmi"], 2, "add --figure"),
        (["mixing", "--jobs", "0"], 2, "--jobs takes"),
        (["mixing", "--figure", "a.txt"], 2, "png, pdf or svg"),
        (["mixing", "--methods", "leidne"], 2, "did you mean leiden"),
        (["none.toml"], 1, "none.toml: cannot be read"),
        (["mixing", "--out", os.path.join("none", "t.csv")], 1, "does not exist"),
    ],
)
def test_mistakes_at_the_command_line(arguments, status, message, capsys):
    assert command(["study", *arguments]) == status
    assert message in capsys.readouterr().err


# ---------------------------------------------------------------- methods and graphs of one's own


def _halves(graph):
    return np.arange(graph.num_nodes) * 2 // graph.num_nodes


def _fails_on_large_graphs(graph):
    if graph.num_nodes > 35:
        raise ValueError("too large")
    return _halves(graph)


def _own_graphs(n=30, *, seed):
    return gc.generators.planted_partition(n, 2, p_in=0.8, p_out=0.05, random_state=seed)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_own_methods_and_graphs_in_every_process(n_jobs):
    import networkx as nx
    from sklearn.cluster import SpectralClustering

    methods = {
        "function": _halves,
        "lambda": lambda G: nx.community.louvain_communities(G, seed=0),
        "estimator": SpectralClustering(2, affinity="precomputed"),
        "of the package": gc.METHODS["leiden"](resolution=0.5),
        "registered": "my-halves",
    }
    gc.METHODS["my-halves"] = _halves
    try:
        study = studies.Study("own", _own_graphs, {"n": [30, 40]}, methods, n_graphs=1)
        table = studies.run(study, n_jobs=n_jobs)
    finally:
        del gc.METHODS["my-halves"]
    assert table["error"].isna().all(), table["error"].dropna().iloc[0]
    means = table.groupby("method")["ami"].mean()
    assert min(means["lambda"], means["estimator"]) > 0.9
    assert means["function"] == means["registered"]


def test_the_journal_notices_other_code(tmp_path):
    def cells(method):
        return studies.Study("own", "planted-partition", {"p_out": [0.1]}, {"mine": method}, {"n_nodes": 20}).cells()

    first, other = (cells(method)[0].key for method in (_halves, _fails_on_large_graphs))
    assert first != other
    assert first == cells(_halves)[0].key


def test_failed_cells_are_loud_and_not_drawn(caplog):
    study = studies.Study("own", _own_graphs, {"n": [30, 40]}, {"mine": _fails_on_large_graphs}, n_graphs=2)
    table = studies.run(study)
    assert "mine failed in 2 of 4 cells; the first error: _fails_on_large_graphs failed: ValueError" in caplog.text
    axes = studies.draw(table, study).axes[0]
    curve, crosses = axes.lines[:2]
    assert np.isnan(curve.get_ydata()).tolist() == [False, True]
    assert crosses.get_xdata().tolist() == [40]
    assert "mine failed" in [text.get_text() for text in axes.get_legend().get_texts()]
    maps = replace(study, family="planted-partition", grid={"n_nodes": [30, 40], "p_out": [0.1, 0.2]})
    panel = studies.draw(studies.run(maps), maps).axes[0]
    assert "2 without a result" in panel.get_title()


def test_a_method_that_always_fails_ends_the_command_with_an_error(cli, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    (tmp_path / "useless.py").write_text("def method(graph):\n    raise ValueError('no')\n")
    (tmp_path / "own.toml").write_text(
        'family = "planted-partition"\ngraphs = 1\n[parameters]\nn_nodes = 20\n[grid]\np_out = [0.1]\n'
        '[methods.mine]\nmethod = "useless.py:method"\n[methods.leiden]\n'
    )
    result = cli("study", "own.toml", "-j", 1, "--out", "table.csv", "-q")
    assert result.code == 1
    assert result.err.splitlines() == [
        "graphclust: mine failed in 1 of 1 cell; the first error: useless.py:method failed: ValueError: no",
        "graphclust: mine failed in every cell",
    ]
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3


def test_a_folder_of_graphs_is_a_grid(tmp_path, cli):  # noqa: F811
    folder = tmp_path / "graphs"
    assert cli("generate", "general-sbm", "--nodes", 20, "--count", 10, "--out", folder).code == 0
    study = studies.Study("folder", f"graphs:{folder}", {}, {"leiden": "leiden"})
    assert study.grid == {"number": (0, 1)}  # those held out from training
    assert len(studies.Study("all", f"graphs:{folder}", {}, {"leiden": "leiden"}, {"split": "all"}).cells()) == 10
    assert studies.run(study)["error"].isna().all()


def test_methods_as_lists_and_as_tables_of_a_file():
    grid = {"p_out": [0.01]}
    listed = studies.Study("own", "planted-partition", grid, ["leiden", _halves, "spectral"], {"n_nodes": 20})
    assert list(listed.methods) == ["leiden", "_halves", "spectral"]
    assert listed.methods["spectral"].true_k
    tables = {"leiden": {"resolution": 2.0}, "k": {"method": "spectral", "n_clusters": "true"}}
    study = studies.Study("own", "planted-partition", grid, tables, {"n_nodes": 20})
    assert study.methods == {"leiden": Method("leiden", False, {"resolution": 2.0}), "k": Method("spectral", True)}
