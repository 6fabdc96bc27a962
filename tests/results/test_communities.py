"""Communities and detect: one result, seen from all sides."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as sk

import graphclust as gc
from graphclust.results.communities import compare_to_truth
from tests.noted import codes


@pytest.fixture
def karate():
    return nx.karate_club_graph()


def test_views_agree(karate):
    result = gc.detect(karate, "leiden")
    assert result.nodes == list(karate)
    assert result.labels.dtype == np.int64
    assert result.membership == dict(zip(result.nodes, result.labels.tolist(), strict=True))
    assert [len(part) for part in result.communities] == result.quality()["sizes"]
    assert all(result.membership[node] == i for i, part in enumerate(result.communities) for node in part)
    frame = result.to_frame()
    assert frame["node"].tolist() == result.nodes
    assert frame["community"].tolist() == result.labels.tolist()
    nx_graph = result.to_networkx()
    assert dict(nx_graph.nodes(data="community")) == result.membership
    assert set(map(frozenset, nx_graph.edges)) == set(map(frozenset, karate.edges))
    assert result.confidence is None
    assert result.posterior is None
    assert result.seconds > 0
    assert repr(result).startswith("Communities(4 of 34 nodes by leiden; sizes ")


def test_quality_equals_networkx(karate):
    result = gc.detect(karate, "leiden")
    quality = result.quality()
    assert quality["modularity"] == pytest.approx(nx.community.modularity(karate, result.communities), abs=1e-12)
    cut = [
        nx.cut_size(karate, part, weight="weight") / nx.volume(karate, part, weight="weight")
        for part in result.communities
    ]
    assert quality["normalized_cut"] == pytest.approx(sum(cut), abs=1e-12)
    quality["modularity"] = 0
    quality["sizes"].clear()
    assert result.quality()["modularity"] > 0.4  # the caller got a copy
    assert result.quality()["sizes"]
    with pytest.raises(ValueError, match="read-only"):
        result.labels[0] = 7


@pytest.mark.parametrize("ids", [lambda i: (i, "x"), lambda i: f"n{i}", lambda i: i * 10**12, lambda i: frozenset({i})])
def test_ids_come_back_as_they_are(karate, ids):
    graph = nx.relabel_nodes(karate, {i: ids(i) for i in karate})
    graph.add_node("alone")
    result = gc.detect(graph)
    assert all(a is b for a, b in zip(result.nodes, graph.nodes, strict=True))
    assert result.membership["alone"] == max(result.labels)


def test_method_and_params_say_what_ran(karate):
    result = gc.detect(karate)
    assert result.method == "auto"
    assert codes(result.notes)[0] == "chosen"
    assert result.params["random_state"] == 0
    result = gc.detect(karate, "louvain", random_state=3, resolution=0.5)
    assert result.params == {
        "n_clusters": None,
        "resolution": 0.5,
        "hierarchy": False,
        "min_size": None,
        "max_size": None,
        "random_state": 3,
    }


@pytest.mark.parametrize(
    "arguments", [{"method": "nosuch"}, {"method": "infomap", "resolution": 1}, {"device": "abacus"}, {"nonsense": 1}]
)
def test_calls_that_make_no_sense(karate, arguments):
    with pytest.raises(gc.UsageError):
        gc.detect(karate, **arguments)


def test_empty_graph():
    result = gc.detect(nx.Graph())
    assert (result.n_clusters, result.communities, result.membership) == (0, [], {})
    assert result.quality()["sizes"] == []
    assert "Communities(0 of 0 nodes" in repr(result)


# ---------------------------------------------------------------- truth


def test_score_takes_a_truth_in_every_form(karate, tmp_path):
    result = gc.detect(karate, "leiden")
    clubs = dict(karate.nodes(data="club"))
    path = tmp_path / "truth.tsv"
    path.write_text("".join(f"{node}\t{club.replace(' ', '_')}\n" for node, club in clubs.items()))
    parts = [{n for n in clubs if clubs[n] == club} for club in ("Mr. Hi", "Officer")]
    scores = result.score(clubs)
    assert scores["ami"] == pytest.approx(sk.adjusted_mutual_info_score(list(clubs.values()), result.labels), abs=1e-12)
    series = pd.Series(clubs)
    tensor = torch.tensor([club == "Officer" for club in clubs.values()])
    frame = series.sample(frac=1, random_state=0).reset_index()
    assert result.score(tensor) == pytest.approx(scores, abs=1e-12)
    assert result.score(frame) == pytest.approx(scores, abs=1e-12)
    assert result.score(series.sample(frac=1, random_state=0)) == pytest.approx(scores, abs=1e-12)
    assert result.score([(club, 1) for club in clubs.values()]) == pytest.approx(scores, abs=1e-12)
    for truth in (list(clubs.values()), np.array(list(clubs.values())), parts, path, str(path), gc.Communities(
        graph=result.graph, labels=np.array([clubs[n] == "Officer" for n in result.nodes], dtype=np.int64), method="x"
    )):  # fmt: skip
        assert result.score(truth) == pytest.approx(scores, abs=1e-12)
    assert result.score(result)["ami"] == 1


def test_partial_truth_counts_only_what_it_covers(karate):
    result = gc.detect(karate, "leiden")
    clubs = dict(list(karate.nodes(data="club"))[:20])
    expected = sk.adjusted_rand_score(list(clubs.values()), [result.membership[n] for n in clubs])
    scores = result.score(clubs | {"not in the graph": "x"})
    assert scores["ari"] == pytest.approx(expected, abs=1e-12)
    assert scores["n_scored"] == 20
    unknown = dict.fromkeys(karate, None) | clubs
    assert result.score(unknown) == scores
    for nothing in (float("nan"), pd.NA, pd.NaT, "", np.float64("nan")):
        assert result.score(dict.fromkeys(karate, nothing) | clubs) == scores


def test_unknown_classes_of_a_graph_are_no_class(karate):
    result = gc.detect(karate, "leiden")
    known = np.array([club == "Officer" for _, club in karate.nodes(data="club")], dtype=np.int64)
    y = np.where(np.arange(34) < 10, known, -1)
    assert result.score(y) == result.score({node: int(known[node]) for node in range(10)})
    assert result.score(torch.tensor(y)) == result.score(y)


def test_notes_tell_what_was_merged():
    result = gc.detect([(0, 1), (0, 1), (1, 1), (1, 2, 0.0)], "leiden")
    assert [(note.code, note.data) for note in result.notes] == [
        ("merged-parallel-edges", {"n_edges": 1}),
        ("dropped-zero-weights", {"n_edges": 1}),
        ("self-loops", {"n_edges": 1}),
    ]


def test_truth_of_other_nodes_is_an_error(karate):
    result = gc.detect(karate, "leiden")
    with pytest.raises(gc.DataError, match="no node in common"):
        result.score({"x": 1, "y": 2})
    with pytest.raises(gc.DataError, match="no node in common"):
        result.score([{"x", "y"}, {"y", "z"}])
    with pytest.raises(gc.DataError, match="3 labels for 34 nodes"):
        result.score([1, 2, 3])
    with pytest.raises(gc.DataError, match="one dimension"):
        result.score(np.zeros((34, 2)))
    with pytest.raises(gc.DataError, match="cannot be compared"):
        result.score({0: {1, 2}})
    with pytest.raises(gc.UsageError):
        result.score(3)


def test_ids_that_differ_only_in_type_are_matched_as_strings(karate):
    result = gc.detect(karate, "leiden")
    assert result.score({str(n): club for n, club in karate.nodes(data="club")})["n_scored"] == 34


def test_overlapping_truth_is_scored_as_a_cover():
    seen = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 1}
    scores = compare_to_truth(seen, [{"a", "b"}, {"b", "c", "d", "e"}])
    assert scores["n_scored"] == 5
    # F1 by hand: {a,b} is found whole; {c,d,e} against {b,c,d,e}: precision 3/4, recall 1
    assert scores["average_f1"] == pytest.approx((1 + 6 / 7) / 2)
    assert 0 < scores["onmi"] < 1
    assert compare_to_truth([{"a", "b"}, {"b", "c"}], [{"a", "b"}, {"b", "c"}])["onmi"] == pytest.approx(1)
    assert compare_to_truth(seen, [{"1"}, {"a", "b"}, {"b"}])["n_scored"] == 2
    assert compare_to_truth(seen, [{"a", "b"}, {"b", "c", "d", "e"}, {"b", "a"}]) == scores  # listed twice


# ---------------------------------------------------------------- saving


@pytest.mark.parametrize("name", ["r.tsv", "r.json", "r.graphml", "r.html", "r.unknown"])
def test_save_by_extension(karate, tmp_path, name):
    result = gc.detect(karate)
    result.save(tmp_path / name)
    assert (tmp_path / name).stat().st_size > 0
    if not name.endswith(".html"):
        assert compare_to_truth(tmp_path / name, result)["ami"] == 1


def test_save_refuses_what_it_does_not_know(karate, tmp_path):
    result = gc.detect(karate)
    with pytest.raises(gc.UsageError, match="xls"):
        result.save(tmp_path / "r", format="xls")
    with pytest.raises(gc.DataError, match="cannot write"):
        result.save(tmp_path / "no" / "r.tsv")
    assert list(tmp_path.iterdir()) == []


def test_labels_must_fit_the_graph(karate):
    with pytest.raises(gc.DataError, match="not negative"):
        gc.Communities(graph=gc.as_graph(karate), labels=np.array([-1] + [0] * 33), method="x")
    with pytest.raises(gc.DataError, match=r"shape \(34,\)"):
        gc.Communities(graph=gc.as_graph(karate), labels=np.zeros(3, dtype=np.int64), method="x")
