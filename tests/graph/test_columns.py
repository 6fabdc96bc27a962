"""Columns of tables of edges: found by names and values, chosen by the caller, or refused with a list of them."""

from __future__ import annotations

import pandas as pd
import pytest

from graphclust.errors import DataError, UsageError
from graphclust.graph.column_names import edge_columns
from graphclust.graph.columns import choose_columns, kind_of_values, number_style
from graphclust.inputs import as_graph
from graphclust.io.options import ReadOptions
from tests.noted import noted

PEOPLE = [["ann", "bob"], ["bob", "cy"], ["cy", "ann"], ["cy", "dan"], ["dan", "eve"], ["eve", "ann"]]


def places(names, *others, **options):
    """Columns of a table with two columns of people and the given others."""
    rows = [[*pair, *(str(column[i]) for column in others)] for i, pair in enumerate(PEOPLE)]
    chosen = choose_columns(names, rows, len(rows[0]), **options)
    return chosen.source, chosen.target, chosen.weight


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["source", "target"], (0, 1, None)),
        (["Id", "Source", "Target", "Weight"], (1, 2, 3)),
        (["author1", "author2", "papers"], (0, 1, None)),
        (["SOURCE_SUBREDDIT", "TARGET_SUBREDDIT", "POST_ID"], (0, 1, None)),
        (["#node1", "node2", "node1_string_id", "node2_string_id", "combined_score"], (0, 1, 4)),
        (["Entrez Gene Interactor A", "Entrez Gene Interactor B"], (0, 1, None)),
        ([":START_ID(Person)", "calls:int", ":END_ID(Person)", ":TYPE"], (0, 2, None)),
        (["from_station_id", "to_station_id", "trips"], (0, 1, 2)),
        (["fromNodeId", "toNodeId"], (0, 1, None)),
        (["userA", "userB"], (0, 1, None)),
        (["user", "item"], None),
        (["id", "x1", "x2", "x3"], None),  # features
        (["x1", "y1", "x2", "y2"], None),  # two pairs: of points, rather than of nodes
        (["a", "b"], None),
    ],
)
def test_names_of_the_ends(names, expected):
    assert edge_columns(names) == expected


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1.5", "2"], "number"),
        (["0,5", "1,25"], "number"),
        (["1", "2", "3"], "number"),
        ([str(i) for i in range(6)], "counter"),
        (["1217567877", "1217573801"], "time"),
        (["1217567877000", "1217573801000"], "time"),
        (["1999", "2005", "2001"], "time"),
        (["3", "17", "170", "171", "400", "999", "1500", "70000"], "sorted"),
        (["1500000000.5", "1400000000.25"], "time"),
        (["9", "9", "8", "1", "1"], "number"),
        (["20240131", "20231224"], "date"),
        (["2024-01-31", "2023-12-24 10:20:00"], "date"),
        (["31.1.2024", "24.12.2023"], "date"),
        (["24-Dec-2023", "1-Jan-2024"], "date"),
        (["10:20", "23:59:59"], "date"),
        (["12.5", "3.25"], "number"),
        (["friend", "foe"], "text"),
        (["", ""], "empty"),
    ],
)
def test_kinds_of_values(values, kind):
    assert kind_of_values(values) == kind


@pytest.mark.parametrize(
    ("values", "separator", "style"),
    [
        (["1.5", "2"], ",", (".", "")),
        (["1,5", "2"], ";", (",", "")),
        (["0,125", "1,250"], ",", (",", "")),
        (["1,234,567", "12"], ",", (".", ",")),
        (["1,234.5"], ",", (".", ",")),
        (["1.234,5"], ";", (",", ".")),
        (["1,234", "900"], ",", (".", ",")),
        (["1,234", "2,500"], ";", (",", "")),
    ],
)
def test_decimal_marks(values, separator, style):
    assert number_style(values, separator) == style


def test_a_comma_that_may_mean_either_is_refused():
    with pytest.raises(DataError, match="1,234 may have a decimal comma"):
        number_style(["1,234", "2,500"], ",")


def test_weights_by_name_and_by_value():
    counts = [3, 1, 4, 1, 5, 9]
    for name in ("weight", "n", "combined_score", "Count", "value:float"):
        assert places(["from", "to", name], counts) == (0, 1, 2)
    assert places(["from", "to", "calls"], counts) == (0, 1, 2)  # a number under a name that says nothing
    for name in ("year", "timestamp", "id", "type", "created_at", "distance", "post_id"):
        assert places(["from", "to", name], counts) == (0, 1, None)
    assert places(["from", "to", "year", "calls"], counts, counts) == (0, 1, None)
    assert places(["from", "to", "year", "calls"], counts, counts, weight="calls") == (0, 1, 3)
    assert places(["from", "to", "year", "calls"], counts, counts, weight="3") == (0, 1, 2)
    assert places(None, counts) == (0, 1, 2)
    assert places(None, counts, weights=False) == (0, 1, None)
    assert places(None, ["2001", "2001", "2003", "2004", "2005", "2001"]) == (0, 1, None)
    assert places(None, ["2001", "2001", "2003", "2004", "2005", "2001"], weights=True) == (0, 1, 2)


def test_columns_that_the_caller_chooses():
    numbers = [3, 1, 4, 1, 5, 9]
    names = ["who", "whom", "calls"]
    assert places(names, numbers, columns=("whom", "who")) == (1, 0, None)
    assert places(names, numbers, columns=("1", "2", "3")) == (0, 1, 2)
    assert places(names, numbers, columns=("WHO", "whom"), weight="calls") == (0, 1, 2)
    for columns, reason in (
        (("who", "nobody"), "no column 'nobody': the 3 columns are who, whom, calls"),
        (("who", "4"), "no column '4'"),
        (("who", "who"), "twice"),
    ):
        with pytest.raises(DataError, match=reason):
            places(names, numbers, columns=columns)
    with pytest.raises(DataError, match="cannot be the weight as well"):
        places(names, numbers, weight="who")


def test_tables_that_are_unclear_are_refused_with_their_columns():
    words = ["x", "y", "z", "x", "y", "z"]
    with pytest.raises(DataError, match=r"unclear.*who, whom, where.*--columns"):
        places(["who", "whom", "where"], words)
    with pytest.raises(DataError, match=r"expected 2 or 3 columns, found 4.*--columns"):
        places(None, [1, 2, 1, 2, 1, 2], [5, 5, 5, 5, 6, 5])
    rows = [["paris", "capital of", "france"], ["france", "in", "europe"], ["oslo", "capital of", "norway"]]
    with pytest.raises(DataError, match="knowledge graph"):
        choose_columns(None, rows, 3)


def test_kinds_of_nodes_are_those_of_the_names():
    rows = [["1", "2"], ["2", "1"]]
    assert choose_columns(["user_id", "item_id"], rows, 2).kinds == ("user", "item")
    assert choose_columns(["user_id", "item_id"], rows, 2, bipartite=False).kinds is None
    assert choose_columns(["source_id", "target_id"], rows, 2).kinds is None
    assert choose_columns(None, rows, 2, bipartite=True).kinds == ("left", "right")


def test_data_frames_are_read_as_tables_are():
    frame = pd.DataFrame(PEOPLE, columns=["person", "friend"]).assign(year=2001, calls=[3, 1, 4, 1, 5, 9])
    assert not as_graph(frame).is_weighted
    assert as_graph(frame, weight="calls").total_weight == 23
    with pytest.raises(DataError, match="no column 'letters'"):
        as_graph(frame, weight="letters")
    with pytest.raises(DataError, match="select two or three"):
        as_graph(frame.assign(place="here", shop="there").drop(columns="year"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"negative": "keep"}, "drop or absolute"),
        ({"columns": "a"}, "source, target and perhaps weight"),
        ({"columns": "a,b,c", "weight": "d"}, "named twice"),
        ({"weights": False, "weight": "d"}, "--no-weights contradicts"),
        ({"threshold": float("nan")}, "finite"),
    ],
)
def test_options_that_contradict_each_other(options, reason):
    with pytest.raises(UsageError, match=reason):
        ReadOptions.of(**options)


def test_ignored_columns_are_noted_with_the_way_to_read_them():
    rows = [[*pair, str(1_500_000_000 + i)] for i, pair in enumerate(PEOPLE)]
    notes = choose_columns(["from", "to", "ts"], rows, 3).notes
    assert noted(notes, "ignored-columns")["names"] == ["ts"]
    assert "--weight ts" in str(notes[0])
