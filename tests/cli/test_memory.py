"""Graphs that do not fit into the memory that a user allows."""

import numpy as np
import pytest

from graphclust.io import blocks
from graphclust.runtime import storage

LEIDEN = ("-m", "leiden")


@pytest.fixture
def edges(tmp_path, monkeypatch):
    """Rows of a graph, in a folder of two files and in one file, whose arrays lie in files of any size."""
    monkeypatch.setattr(storage, "_SMALL", 0)
    monkeypatch.setattr(blocks, "SAMPLE_BYTES", 9000)
    monkeypatch.setattr(blocks, "_SMALLEST", 3000)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    source = rng.integers(0, 3000, 12_000)
    target = source // 30 * 30 + rng.integers(0, 30, 12_000)
    rows = [f"user-{a},user-{b}\n" for a, b in zip(source.tolist(), target.tolist(), strict=True)]
    (tmp_path / "graph.csv").write_text("".join(rows))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "0.csv").write_text("".join(rows[:7000]))
    (tmp_path / "parts" / "1.csv").write_text("".join(rows[7000:]))
    return tmp_path


@pytest.mark.parametrize("format", ["tsv", "csv", "json", "parquet", "cmty", "clu"])
def test_results_are_the_same(format, edges, cli):
    for name, path, *options in (
        ("usual", "graph.csv"),
        ("files", "graph.csv", "--memory", "500kB"),
        ("parts", "parts", "--memory", "500kB"),
        ("pattern", "parts/*.csv"),
    ):
        done = cli("detect", path, *LEIDEN, *options, "-o", f"{name}.{format}")
        assert done.code == 0, done.err
    usual = (edges / f"usual.{format}").read_bytes()
    for name in ("files", "parts", "pattern"):
        other = (edges / f"{name}.{format}").read_bytes()
        if format == "json":  # which has the time that it took
            assert other[: usual.index(b'"n_clusters"')] == usual[: usual.index(b'"n_clusters"')]
        else:
            assert other == usual


def test_standard_input(edges, cli):
    usual = cli("detect", "graph.csv", *LEIDEN)
    for options in ((), ("--input-format", "edgelist")):
        piped = cli("detect", "-", *LEIDEN, "--memory", "500kB", *options, stdin=(edges / "graph.csv").read_bytes())
        assert (piped.code, piped.out) == (0, usual.out)


def test_errors(edges, cli):
    for options, code, message in (
        (("--memory", "much"), 2, "a size of memory is a number and a unit, such as 4GB or 500MB, not 'much'"),
        (("--memory", "1kB"), 1, "edges needs about 293 KiB of memory, but 0.977 KiB is available"),
    ):
        done = cli("detect", "graph.csv", *LEIDEN, *options)
        assert (done.code, done.out) == (code, "")
        assert message in done.err


def test_methods_that_do_not_work_in_files_say_which_do(edges, cli):
    done = cli("detect", "graph.csv", "-m", "infomap", "--memory", "300kB")
    assert done.code == 1
    assert "auto, leiden, louvain and label-propagation need less" in done.err
