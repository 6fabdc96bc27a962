"""Points in the rows of a table: the files that people have, `gc.cluster`, the command, and drawings."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_wine

import graphclust as gc
from graphclust.detection.points import profile, silhouette
from graphclust.io.point_table import point_table, read_point_table
from graphclust.report.layout import draw, principal_plane
from tests.cli.conftest import cli  # noqa: F401  a fixture
from tests.noted import codes

WINE = load_wine(as_frame=True).frame.rename(columns={"target": "cultivar"})
WINE["cultivar"] = WINE["cultivar"].map({0: "barolo", 1: "grignolino", 2: "barbera"})
BRIEF = {"max_epochs": 20, "n_init": 2}
SMALL = "x,y\n1,2\n3,4.5\n5,6\n"


def read(tmp_path, text, name="table.csv", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_point_table(path, **options)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (SMALL, ["x", "y"]),
        (SMALL.replace(",", "\t"), ["x", "y"]),
        (SMALL.replace(",", ";").replace(".", ","), ["x", "y"]),
        (SMALL.replace(",", "   "), ["x", "y"]),
        (SMALL.removeprefix("x,y\n"), ["column 1", "column 2"]),
        ("# by hand\n" + SMALL, ["x", "y"]),
        ('"x","y"\r\n"1","2"\r\n"3","4.5"\r\n"5","6"\r\n', ["x", "y"]),
        (SMALL.encode("utf-16"), ["x", "y"]),
        ("\ufeff" + SMALL, ["x", "y"]),
        ("x,x\n1,2\n3,4.5\n5,6\n", ["x (1)", "x (2)"]),
        ("x;y\n1,0;2,0\n3,0;4,5\n5,0;6,0\n", ["x", "y"]),
        ('"x" "y"\n"1" 1 2\n"2" 3 4.5\n"3" 5 6\n', ["x", "y"]),
        ("x,y,\n1,2,\n3,4.5,\n5,6,\n", ["x", "y"]),
    ],
)
def test_dialects(tmp_path, text, columns):
    table = read(tmp_path, text)
    np.testing.assert_array_equal(table.x, [[1, 2], [3, 4.5], [5, 6]])
    assert (table.columns, table.labels) == (columns, None)
    assert table.ids in ([0, 1, 2], [1, 2, 3])  # R writes numbers as names of rows


def test_other_formats(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 3, 5], "y": [2.0, 4.5, 6]}, index=["a", "b", "c"])
    frame.to_parquet(tmp_path / "table.parquet")
    frame.to_excel(tmp_path / "table.xlsx")
    np.save(tmp_path / "table.npy", frame.to_numpy())
    frame.to_csv(tmp_path / "table.csv.gz")
    for name in ("table.parquet", "table.xlsx", "table.csv.gz"):
        table = read_point_table(tmp_path / name)
        np.testing.assert_array_equal(table.x, frame.to_numpy())
        assert table.ids == ["a", "b", "c"]
    assert read_point_table(tmp_path / "table.npy").ids == [0, 1, 2]


@pytest.mark.parametrize(
    ("columns", "ids", "features"),
    [
        ({"id": [7, 8, 9], "x": [1.0, 2, 3]}, [7, 8, 9], ["x"]),
        ({"": ["a", "b", "c"], "x": [1.0, 2, 3]}, ["a", "b", "c"], ["x"]),
        ({"city": ["Rome", "Bonn", "Oslo"], "x": [1.0, 2, 3]}, ["Rome", "Bonn", "Oslo"], ["x"]),
        ({"x": [1.0, 2, 3], "price": ["$1", "$2", "$3"]}, [0, 1, 2], ["x"]),
        ({"x": [1.0, 2, 3], "CustomerID": [70, 80, 90]}, [70, 80, 90], ["x"]),
        ({"x": [1.0, 2, 3], "none": [None, None, None]}, [0, 1, 2], ["x"]),
        ({"x": [1.0, 2, 3], "city": ["Rome", "Rome", "Oslo"]}, [0, 1, 2], ["x"]),
        ({"id": [7, 7, 9], "x": [1.0, 2, 3]}, [0, 1, 2], ["id", "x"]),
        ({"x": [1, 2, 3], "yes": [True, False, True]}, [0, 1, 2], ["x", "yes"]),
        ({"x": [1, 2, 3], "on": pd.to_datetime(["2026-01-01"] * 3)}, [0, 1, 2], ["x"]),
    ],
)
def test_ids_and_columns_of_text(columns, ids, features):
    table = point_table(pd.DataFrame(columns))
    assert (table.ids, table.columns) == (ids, features)


def test_chosen_columns():
    table = point_table(WINE, label_column="Cultivar", columns="alcohol,3", id_column=None)
    assert table.columns == ["alcohol", "ash"]
    assert set(table.labels.values()) == {"barolo", "grignolino", "barbera"}
    with pytest.raises(gc.UsageError, match="unknown column 'alcool'; did you mean alcohol"):
        point_table(WINE, columns=["alcool"])
    with pytest.raises(gc.DataError, match="the ids in cultivar are not distinct: 'barolo' occurs twice"):
        point_table(WINE, id_column="cultivar")


def test_ids_are_kept_as_they_are_written(tmp_path):
    assert read(tmp_path, "id,x\n01234,1\n00501,2\n").ids == ["01234", "00501"]
    assert read(tmp_path, "id,x\n1e5,1\nNA,2\n").ids == ["1e5", "NA"]
    assert read(tmp_path, "id,x\n12,1\n5,2\n").ids == [12, 5]
    noted = read(tmp_path, "x,user id\n1,5\n2,5\n")
    assert (noted.columns, "possible-ids" in codes(noted.notes)) == (["x", "user id"], True)


def test_marks_of_comments_inside_cells(tmp_path):
    table = read(tmp_path, "# by hand\nx,class\n1,grp #1\n9,grp #2\n", label_column="class")
    assert table.labels == {0: "grp #1", 1: "grp #2"}


@pytest.mark.parametrize("columns", ["alcohol,cultivar", "alcohol,alcohol"])
def test_columns_are_used_once_and_never_with_the_classes(columns):
    with pytest.raises(gc.UsageError, match=r"holds the classes or the ids|is listed twice"):
        point_table(WINE, label_column="cultivar", columns=columns)


def test_numbers_of_columns(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(4, 3))
    table = read_point_table(tmp_path / "x.npy", columns="1,3")
    np.testing.assert_array_equal(table.x[0], [0, 2])
    with pytest.raises(gc.UsageError, match="unknown column 3"):
        gc.cluster(np.zeros((4, 3)), columns=[0, 3])
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["a", "a"])
    assert point_table(frame).columns == ["a (1)", "a (2)"]


def test_missing_values(tmp_path):
    text = "x,y\n1,2\n,4\n5,?\n7,8\n"
    with pytest.raises(gc.DataError, match=r"table.csv: 2 rows with missing values, the first in row 2, x \(--missing"):
        read(tmp_path, text)
    dropped, filled = (read(tmp_path, text, missing=missing) for missing in ("drop", "mean"))
    assert (dropped.ids, "dropped-rows" in codes(dropped.notes)) == ([0, 3], True)
    np.testing.assert_allclose(filled.x, [[1, 2], [13 / 3, 4], [5, 14 / 3], [7, 8]])
    with pytest.raises(gc.UsageError, match="missing is one of refuse, drop, mean"):
        read(tmp_path, text, missing="median")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("a\nb\nc\n", "no column of numbers"),
        ("x,y\n1,2\n3,four\n5,6\n7,8\n", "the column y has 'four' instead of a number in row 2"),
        ("x,y\n1,2\n1,2,3\n", "table.csv:3: expected 2 columns, found 3"),
        ("x,y\n", "no rows below its header"),
        ("x,y\n1,2\n3,inf\n", "the column y has an infinite number in row 2"),
        ('{"a": 1}', "JSON"),
        (b"\x00\x01\x02\x03", "binary"),
    ],
)
def test_refused_files(tmp_path, text, message):
    with pytest.raises(gc.DataError, match=message):
        read(tmp_path, text)


# ---------------------------------------------------------------- clusters


def test_cluster_takes_tables_of_any_kind(tmp_path):
    x = WINE.drop(columns="cultivar")
    x.to_csv(tmp_path / "wine.csv", index=False)
    kinds = [x, x.to_numpy(), x.to_numpy().tolist(), torch.tensor(x.to_numpy()), tmp_path / "wine.csv"]
    results = [gc.cluster(kind, 3, **BRIEF) for kind in kinds]
    assert all((result.labels == results[0].labels).all() for result in results)
    assert results[0].score(dict(enumerate(WINE["cultivar"])))["ami"] > 0.8
    with pytest.raises(gc.UsageError, match="a row for each point, not the shape"):
        gc.cluster(np.zeros(4))


def test_labels_are_not_seen(monkeypatch):
    from graphclust.detection import points

    seen = []
    monkeypatch.setattr(points, "detect", lambda graph, *_, **__: seen.append(graph))
    gc.cluster(WINE, 3, label_column="cultivar")
    assert seen[0].y is None
    assert "cultivar" not in seen[0].meta["columns"]
    assert seen[0].x.shape == (178, 13)


def test_methods_that_do_not_take_points():
    with pytest.raises(gc.UsageError, match="leiden needs the edges of a graph; clam, cnc, lnscc"):
        gc.cluster(WINE, method="leiden")
    with pytest.raises(gc.UsageError, match=r"cnc needs the number of clusters: n_clusters \(-k\)"):
        gc.cluster(WINE, method="cnc")


def test_own_methods_take_points():
    from sklearn.cluster import KMeans

    assert gc.cluster(WINE, 3, KMeans(n_init=1), label_column="cultivar").n_clusters == 3
    assert gc.cluster(WINE, method=lambda X: X[:, 0] > 13, label_column="cultivar").n_clusters == 2
    with pytest.raises(gc.UsageError, match="unknown method 'calm'; did you mean clam"):
        gc.cluster(WINE, method="calm")
    with pytest.raises(gc.UsageError, match="points have no edges to refine by"):
        gc.cluster(WINE, 3, refine="sbm")


def test_detect_and_tables(caplog):
    caplog.set_level("INFO", "graphclust")
    x = WINE.drop(columns="cultivar").to_numpy()
    assert gc.detect(x, "clam", 3, **BRIEF).n_clusters == 3
    with pytest.raises(gc.DataError, match=r"a table of points, not a graph: graphclust.cluster\(...\)"):
        gc.detect(x)
    square = np.abs(x[:30] @ x[:30].T)
    communities = gc.detect(square, "clam", 3, **BRIEF)
    assert "adjacency-matrix" in codes(communities.notes)
    assert "takes its rows as points" in caplog.text
    assert "adjacency-matrix" not in codes(gc.detect(square, "leiden").notes)


def test_profile_and_silhouette():
    table = point_table(pd.DataFrame({"noise": [1.0, 2, 1, 2], "signal": [0.0, 0, 9, 9]}))
    rows = profile(table, np.array([0, 0, 1, 1]))
    assert rows[1] == {"community": 1, "size": 2, "signal": 9.0, "noise": 1.5}
    assert list(rows[0])[2:] == ["signal", "noise"]
    assert silhouette(table.x, np.zeros(4, dtype=np.int64)) is None
    assert silhouette(table.x[:, 1:], np.array([0, 0, 1, 1])) == 1.0


# ---------------------------------------------------------------- the command


@pytest.fixture
def wine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    WINE.to_csv("wine.csv", index=False)
    return tmp_path


def test_the_command(wine, cli):  # noqa: F811
    brief = [word for name, value in BRIEF.items() for word in ("--param", f"{name}={value}")]
    files = ["--figure", "wine.png", "--report", "wine.html", "--manifest", "run.json", "--out", "clusters.csv"]
    result = cli("cluster", "wine.csv", "-k", 3, "--label-column", "cultivar", *brief, *files)
    assert (result.code, result.out) == (0, "")
    first, second = result.err.splitlines()
    assert first.startswith("graphclust: 178 rows, 13 columns -> 3 clusters (clam, silhouette 0.28")
    assert second.startswith("graphclust: agreement with cultivar: AMI 0.8")
    assert len((wine / "clusters.csv").read_text().splitlines()) == 179
    assert (wine / "wine.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((wine / "run.json").read_text())["quality"]["ami"] > 0.8
    same = gc.cluster("wine.csv", 3, label_column="cultivar", **BRIEF)
    assert same.labels.tolist() == pd.read_csv("clusters.csv")["community"].tolist()
    summary = cli("cluster", "wine.csv", "-k", 3, *brief, "--summary", "-q")
    assert summary.out.splitlines()[0].split()[:3] == ["community", "size", "flavanoids"]


def test_messages_of_the_command(wine, cli):  # noqa: F811
    assert "if its rows are points: `graphclust cluster` instead of detect" in cli("detect", "wine.csv").err
    refused = cli("cluster", "wine.csv", "-m", "leiden")
    assert (refused.code, "needs the edges of a graph" in refused.err) == (2, True)
    assert cli("cluster", "nosuch.csv").code == 1
    assert "did you mean alcohol" in cli("cluster", "wine.csv", "--columns", "alcoho").err
    assert cli("cluster", "wine.csv", "--out", "wine.csv").code == 2


# ---------------------------------------------------------------- drawings


def test_points_are_drawn_in_their_principal_components():
    estimator = gc.CLAM(3, random_state=0, **BRIEF).fit(WINE.drop(columns="cultivar"))
    axes = estimator.plot(Figure().subplots())
    assert axes.lines[-1].get_label() == "prototype"
    assert axes.lines[-1].get_xydata().shape == (3, 2)
    x = estimator.graph_.x
    offsets = axes.collections[-1].get_offsets()
    np.testing.assert_allclose(offsets, principal_plane(x)(x))
    variances = np.var(offsets, axis=0)
    assert variances[0] > variances[1]
    drawing = draw(estimator.graph_, estimator.labels_)
    assert np.abs(np.corrcoef(drawing.position[:, 0], offsets[:, 0])[0, 1]) > 0.999
    assert drawing.position.min() >= 0
    assert drawing.position.max() <= 1


def test_every_method_has_a_drawing():
    axes = gc.Leiden(random_state=0).fit("data:karate").plot(Figure().subplots())
    assert len(axes.collections[-1].get_offsets()) == 34
    with pytest.raises(gc.UsageError, match="call fit first"):
        gc.Leiden().plot()
    one_column = gc.CLAM(2, random_state=0, **BRIEF).fit(np.arange(20.0)[:, None])
    assert one_column.plot(Figure().subplots()).lines[-1].get_xydata().shape == (2, 2)
