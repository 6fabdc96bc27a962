"""The tables of GraphRAG: columns, levels, parents, and the ids of the tables that a graph came from."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import graphclust as gc
from graphclust.errors import DataError

COLUMNS = [  # of GraphRAG's communities.parquet, versions 2 and 3
    "id",
    "human_readable_id",
    "community",
    "level",
    "parent",
    "children",
    "title",
    "entity_ids",
    "relationship_ids",
    "text_unit_ids",
    "period",
    "size",
]


def rows(path):
    return pq.read_table(path).to_pylist()


@pytest.fixture(scope="module")
def nested():
    return gc.detect("data:les-miserables", "louvain", hierarchy=True)


def test_levels_parents_and_children(nested, tmp_path):
    assert nested.to_graphrag(tmp_path / "new") == ["communities", "entities", "relationships"]
    table = pq.read_table(tmp_path / "new/communities.parquet")
    assert table.column_names == COLUMNS
    communities = table.to_pylist()
    assert [row["community"] for row in communities] == list(range(len(communities)))
    assert {row["level"] for row in communities} == {0, 1}
    roots = [row for row in communities if row["level"] == 0]
    assert [row["size"] for row in roots] == np.bincount(nested.hierarchy.levels[-1]).tolist()
    assert all(row["parent"] == -1 for row in roots)
    for row in communities:
        assert row["size"] == len(row["entity_ids"])
        for number in row["children"]:
            child = communities[number]
            assert child["parent"] == row["community"]
            assert child["level"] == row["level"] + 1
            assert set(child["entity_ids"]) < set(row["entity_ids"])
            assert set(child["relationship_ids"]) <= set(row["relationship_ids"])
        if row["children"]:
            assert sum(communities[number]["size"] for number in row["children"]) == row["size"]


def test_new_tables_fit_together(nested, tmp_path):
    nested.to_graphrag(tmp_path)
    entities = {row["id"]: row for row in rows(tmp_path / "entities.parquet")}
    relationships = {row["id"]: row for row in rows(tmp_path / "relationships.parquet")}
    assert {row["title"] for row in entities.values()} == set(nested.nodes)
    for row in rows(tmp_path / "communities.parquet"):
        titles = {entities[name]["title"] for name in row["entity_ids"]}
        ends = [(relationships[name]["source"], relationships[name]["target"]) for name in row["relationship_ids"]]
        assert all(a in titles and b in titles for a, b in ends)
    again = gc.detect(tmp_path / "relationships.parquet", "louvain", hierarchy=True)
    assert again.quality() == nested.quality()
    (tmp_path / "again").mkdir()
    assert again.to_graphrag(tmp_path / "again") == ["communities"]
    own, others = (rows(folder / "communities.parquet") for folder in (tmp_path, tmp_path / "again"))
    assert {frozenset(row["entity_ids"]) for row in own} == {frozenset(row["entity_ids"]) for row in others}


def test_ids_are_those_of_graphrag(tmp_path):
    entities = {"id": ["e1", "e2", "e3", "e4"], "title": ["A", "B", "C", "D"]}
    relationships = {
        "id": ["r1", "r2", "r3", "r4"],
        "source": ["A", "B", "C", "B"],
        "target": ["B", "A", "D", "C"],
        "weight": [5.0, 5.0, 5.0, 0.1],
        "text_unit_ids": [["t1"], ["t2", "t1"], ["t3"], ["t4"]],
    }
    pd.DataFrame(entities).to_parquet(tmp_path / "entities.parquet")
    pd.DataFrame(relationships).to_parquet(tmp_path / "relationships.parquet")
    out = tmp_path / "communities.parquet"
    gc.detect(tmp_path / "relationships.parquet", "leiden").save(out, "graphrag")
    table = rows(out)
    assert {frozenset(row["entity_ids"]) for row in table} == {frozenset({"e1", "e2"}), frozenset({"e3", "e4"})}
    first = next(row for row in table if "e1" in row["entity_ids"])
    assert (set(first["relationship_ids"]), first["text_unit_ids"]) == ({"r1", "r2"}, ["t1", "t2"])


def test_flat_results_have_one_level(tmp_path):
    gc.detect("data:les-miserables", "leiden").to_graphrag(tmp_path)
    table = rows(tmp_path / "communities.parquet")
    assert {(row["level"], row["parent"], tuple(row["children"])) for row in table} == {(0, -1, ())}


def test_titles_have_to_differ(tmp_path):
    with pytest.raises(DataError, match="by their titles"):
        gc.detect([(1, "1"), ("1", 2)], "leiden").to_graphrag(tmp_path)
