"""Several runs with different seeds: the most central one, and the share of runs that agree about each node."""

from __future__ import annotations

import json

import numpy as np
import pytest

import graphclust as gc
from graphclust.__main__ import main
from graphclust.detection.repeats import most_central_run
from tests.noted import codes

PARTITIONS = [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1]]


def result_of(labels):
    return gc.Communities(
        gc.Graph.from_edges([0, 1], [1, 2], nodes=6), gc.metrics.rank_labels(np.array([labels]))[0], "x"
    )


def test_the_most_central_run_is_taken_and_agreement_is_counted():
    central = most_central_run(lambda seed: result_of(PARTITIONS[(seed + 1) % 4]), 3, 4)
    assert np.array_equal(central.labels, [0, 0, 0, 1, 1, 1])
    assert central.stability == pytest.approx([1, 1, 0.75, 0.75, 0.75, 1])
    assert central.runs.n_clusters() == {2: 1.0}
    note = central.notes[-1]
    assert note.data["n_different"] == 3
    assert note.data["seed"] == 3
    assert central.params["seeds"] == 4


def test_runs_are_those_of_single_seeds():
    graph = gc.generators.planted_partition(200, 4, p_in=0.12, p_out=0.05, random_state=0)
    central = gc.detect(graph, "louvain", random_state=5, seeds=6)
    single = [gc.detect(graph, "louvain", random_state=seed).labels for seed in range(5, 11)]
    assert np.array_equal(central.runs.samples, single)
    assert any(np.array_equal(central.labels, labels) for labels in single)
    assert central.stability == pytest.approx(central.runs.confidence(central.labels))
    assert 0.2 < central.stability.mean() < 1
    assert central.posterior is None
    assert central.confidence is None
    variation = [np.mean([gc.metrics.vi(labels, other) for other in single]) for labels in single]
    assert gc.metrics.vi(single[int(np.argmin(variation))], central.labels) == 0
    easy = gc.detect(gc.generators.planted_partition(90, 3, p_in=0.5, p_out=0.01, random_state=0), "leiden", seeds=4)
    assert easy.stability.tolist() == [1.0] * 90


def test_methods_with_a_posterior_have_both():
    both = gc.detect("data:karate", effort="low", seeds=3)
    assert set(both.certainty) == {"confidence", "stability"}
    assert list(both.to_frame()) == ["node", "community", "confidence", "stability"]
    assert codes(both.notes).count("seeds") == 1
    assert both.within(0).n_clusters >= 1


@pytest.mark.parametrize("suffix", ["json", "tsv", "csv"])
def test_stability_is_written_and_read(suffix, tmp_path):
    central = gc.detect("data:les-miserables", "louvain", seeds=8)
    path = tmp_path / f"c.{suffix}"
    central.save(path)
    loaded = gc.Communities.load(path, central.graph)
    assert loaded.stability == pytest.approx(central.stability, abs=1e-6)
    assert loaded.confidence is None


def test_other_formats_have_stability(tmp_path):
    import pandas as pd

    central = gc.detect("data:les-miserables", "louvain", seeds=8)
    central.save(tmp_path / "c.parquet")
    assert pd.read_parquet(tmp_path / "c.parquet")["stability"].to_numpy() == pytest.approx(central.stability)
    central.save(tmp_path / "c.graphml")
    attributes = gc.read_graph(tmp_path / "c.graphml").to_networkx().nodes["Valjean"]
    assert float(attributes["stability"]) == pytest.approx(central.stability[central.graph.index["Valjean"]])
    assert central.to_networkx().nodes["Valjean"]["stability"] == pytest.approx(float(attributes["stability"]))
    central.save(tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text()
    assert "Mean stability" in page
    assert '"certainty_name":"stability"' in page
    assert central.summary()["stability"].between(0, 1).all()


def test_command_line(capsys):
    assert main(["detect", "data:les-miserables", "-m", "louvain", "--seeds", "5", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert len(record["stability"]) == 77
    assert record["params"]["seeds"] == 5
    assert "ran louvain with 5 seeds" in err
    assert "mean stability" in err
    assert main(["detect", "data:karate", "--seeds", "0"]) == 2
    assert main(["detect", "data:karate", "--param", "seeds=3"]) == 2
    assert "use the option --seeds" in capsys.readouterr().err


def test_numbers_of_seeds_that_make_no_sense():
    for seeds in (0, 2.5, "3"):
        with pytest.raises(gc.UsageError, match="seeds"):
            gc.detect("data:karate", "leiden", seeds=seeds)
