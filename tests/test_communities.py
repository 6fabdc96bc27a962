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
    found = gc.detect(karate, "leiden")
    assert found.nodes == list(karate)
    assert found.labels.dtype == np.int64
    assert found.membership == dict(zip(found.nodes, found.labels.tolist(), strict=True))
    assert [len(part) for part in found.communities] == found.quality()["sizes"]
    assert all(found.membership[node] == i for i, part in enumerate(found.communities) for node in part)
    frame = found.to_frame()
    assert frame["node"].tolist() == found.nodes
    assert frame["community"].tolist() == found.labels.tolist()
    there = found.to_networkx()
    assert dict(there.nodes(data="community")) == found.membership
    assert set(map(frozenset, there.edges)) == set(map(frozenset, karate.edges))
    assert found.confidence is None
    assert found.posterior is None
    assert found.seconds > 0
    assert repr(found).startswith("Communities(4 of 34 nodes by leiden; sizes ")


def test_quality_equals_networkx(karate):
    found = gc.detect(karate, "leiden")
    quality = found.quality()
    assert quality["modularity"] == pytest.approx(nx.community.modularity(karate, found.communities), abs=1e-12)
    cut = [
        nx.cut_size(karate, part, weight="weight") / nx.volume(karate, part, weight="weight")
        for part in found.communities
    ]
    assert quality["normalized_cut"] == pytest.approx(sum(cut), abs=1e-12)
    quality["modularity"] = 0
    quality["sizes"].clear()
    assert found.quality()["modularity"] > 0.4  # the caller got a copy
    assert found.quality()["sizes"]
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0] = 7


@pytest.mark.parametrize("ids", [lambda i: (i, "x"), lambda i: f"n{i}", lambda i: i * 10**12, lambda i: frozenset({i})])
def test_ids_come_back_as_they_are(karate, ids):
    graph = nx.relabel_nodes(karate, {i: ids(i) for i in karate})
    graph.add_node("alone")
    found = gc.detect(graph)
    assert all(a is b for a, b in zip(found.nodes, graph.nodes, strict=True))
    assert found.membership["alone"] == max(found.labels)


def test_method_and_params_say_what_ran(karate):
    found = gc.detect(karate)
    assert found.method == "auto"
    assert codes(found.notes)[0] == "chosen"
    assert found.params["random_state"] == 0
    found = gc.detect(karate, "louvain", random_state=3, resolution=0.5)
    assert found.params == {"n_clusters": None, "resolution": 0.5, "random_state": 3}


@pytest.mark.parametrize(
    "arguments", [{"method": "nosuch"}, {"method": "infomap", "resolution": 1}, {"device": "abacus"}, {"nonsense": 1}]
)
def test_calls_that_make_no_sense(karate, arguments):
    with pytest.raises(gc.UsageError):
        gc.detect(karate, **arguments)


def test_empty_graph():
    found = gc.detect(nx.Graph())
    assert (found.n_clusters, found.communities, found.membership) == (0, [], {})
    assert found.quality()["sizes"] == []
    assert "Communities(0 of 0 nodes" in repr(found)


# ---------------------------------------------------------------- truth


def test_score_takes_a_truth_in_every_form(karate, tmp_path):
    found = gc.detect(karate, "leiden")
    clubs = dict(karate.nodes(data="club"))
    path = tmp_path / "truth.tsv"
    path.write_text("".join(f"{node}\t{club.replace(' ', '_')}\n" for node, club in clubs.items()))
    parts = [{n for n in clubs if clubs[n] == club} for club in ("Mr. Hi", "Officer")]
    scores = found.score(clubs)
    assert scores["ami"] == pytest.approx(sk.adjusted_mutual_info_score(list(clubs.values()), found.labels), abs=1e-12)
    series = pd.Series(clubs)
    tensor = torch.tensor([club == "Officer" for club in clubs.values()])
    frame = series.sample(frac=1, random_state=0).reset_index()
    assert found.score(tensor) == pytest.approx(scores, abs=1e-12)
    assert found.score(frame) == pytest.approx(scores, abs=1e-12)
    assert found.score(series.sample(frac=1, random_state=0)) == pytest.approx(scores, abs=1e-12)
    assert found.score([(club, 1) for club in clubs.values()]) == pytest.approx(scores, abs=1e-12)
    for truth in (list(clubs.values()), np.array(list(clubs.values())), parts, path, str(path), gc.Communities(
        graph=found.graph, labels=np.array([clubs[n] == "Officer" for n in found.nodes], dtype=np.int64), method="x"
    )):  # fmt: skip
        assert found.score(truth) == pytest.approx(scores, abs=1e-12)
    assert found.score(found)["ami"] == 1


def test_partial_truth_counts_only_what_it_covers(karate):
    found = gc.detect(karate, "leiden")
    clubs = dict(list(karate.nodes(data="club"))[:20])
    expected = sk.adjusted_rand_score(list(clubs.values()), [found.membership[n] for n in clubs])
    scores = found.score(clubs | {"not in the graph": "x"})
    assert scores["ari"] == pytest.approx(expected, abs=1e-12)
    assert scores["n_scored"] == 20
    unknown = dict.fromkeys(karate, None) | clubs
    assert found.score(unknown) == scores
    for nothing in (float("nan"), pd.NA, pd.NaT, "", np.float64("nan")):
        assert found.score(dict.fromkeys(karate, nothing) | clubs) == scores


def test_unknown_classes_of_a_graph_are_no_class(karate):
    found = gc.detect(karate, "leiden")
    known = np.array([club == "Officer" for _, club in karate.nodes(data="club")], dtype=np.int64)
    y = np.where(np.arange(34) < 10, known, -1)
    assert found.score(y) == found.score({node: int(known[node]) for node in range(10)})
    assert found.score(torch.tensor(y)) == found.score(y)


def test_notes_tell_what_was_merged():
    found = gc.detect([(0, 1), (0, 1), (1, 1), (1, 2, 0.0)], "leiden")
    assert [(note.code, note.data) for note in found.notes] == [
        ("merged-parallel-edges", {"n_edges": 1}),
        ("dropped-zero-weights", {"n_edges": 1}),
        ("self-loops", {"n_edges": 1}),
    ]


def test_truth_of_other_nodes_is_an_error(karate):
    found = gc.detect(karate, "leiden")
    with pytest.raises(gc.DataError, match="no node in common"):
        found.score({"x": 1, "y": 2})
    with pytest.raises(gc.DataError, match="no node in common"):
        found.score([{"x", "y"}, {"y", "z"}])
    with pytest.raises(gc.DataError, match="3 labels for 34 nodes"):
        found.score([1, 2, 3])
    with pytest.raises(gc.DataError, match="one dimension"):
        found.score(np.zeros((34, 2)))
    with pytest.raises(gc.DataError, match="cannot be compared"):
        found.score({0: {1, 2}})
    with pytest.raises(gc.UsageError):
        found.score(3)


def test_ids_that_differ_only_in_type_are_matched_as_strings(karate):
    found = gc.detect(karate, "leiden")
    assert found.score({str(n): club for n, club in karate.nodes(data="club")})["n_scored"] == 34


def test_overlapping_truth_is_scored_as_a_cover():
    found = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 1}
    scores = compare_to_truth(found, [{"a", "b"}, {"b", "c", "d", "e"}])
    assert scores["n_scored"] == 5
    # F1 by hand: {a,b} is found whole; {c,d,e} against {b,c,d,e}: precision 3/4, recall 1
    assert scores["average_f1"] == pytest.approx((1 + 6 / 7) / 2)
    assert 0 < scores["onmi"] < 1
    assert compare_to_truth([{"a", "b"}, {"b", "c"}], [{"a", "b"}, {"b", "c"}])["onmi"] == pytest.approx(1)
    assert compare_to_truth(found, [{"1"}, {"a", "b"}, {"b"}])["n_scored"] == 2
    assert compare_to_truth(found, [{"a", "b"}, {"b", "c", "d", "e"}, {"b", "a"}]) == scores  # listed twice


# ---------------------------------------------------------------- saving


@pytest.mark.parametrize("name", ["r.tsv", "r.json", "r.graphml", "r.html", "r.unknown"])
def test_save_by_extension(karate, tmp_path, name):
    found = gc.detect(karate)
    found.save(tmp_path / name)
    assert (tmp_path / name).stat().st_size > 0
    if not name.endswith(".html"):
        assert compare_to_truth(tmp_path / name, found)["ami"] == 1


def test_save_refuses_what_it_does_not_know(karate, tmp_path):
    found = gc.detect(karate)
    with pytest.raises(gc.UsageError, match="xls"):
        found.save(tmp_path / "r", format="xls")
    with pytest.raises(gc.DataError, match="cannot write"):
        found.save(tmp_path / "no" / "r.tsv")
    assert list(tmp_path.iterdir()) == []


def test_labels_must_fit_the_graph(karate):
    for labels in ([-1] + [0] * 33, [5] + [0] * 33):
        with pytest.raises(gc.DataError, match="without gaps"):
            gc.Communities(graph=gc.as_graph(karate), labels=np.array(labels), method="x")
    with pytest.raises(gc.DataError, match=r"shape \(34,\)"):
        gc.Communities(graph=gc.as_graph(karate), labels=np.zeros(3, dtype=np.int64), method="x")
