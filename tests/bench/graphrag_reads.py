"""GraphRAG reads the tables that graphclust writes, with its own loaders.

    GRAPHCLUST_GRAPHRAG=python-with-graphrag python tests/bench/graphrag_reads.py

GraphRAG is installed in an environment of its own, whose interpreter the variable names. The tables of a hierarchy of
Les Misérables are checked against the columns of its schema, given their types by `graphrag.data_model.dfs`, and read
as entities, relationships and communities.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import graphclust as gc

READ = """
import sys
from pathlib import Path
import pandas as pd
from graphrag.data_model import dfs, schemas
from graphrag.query.input.loaders.dfs import read_communities, read_entities, read_relationships

folder = Path(sys.argv[1])
tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("entities", "relationships", "communities")}
for name, table in tables.items():
    wanted = getattr(schemas, f"{name.upper()}_FINAL_COLUMNS")
    assert list(table.columns) == wanted, (name, list(table.columns), wanted)
tables = {name: getattr(dfs, f"{name}_typed")(table) for name, table in tables.items()}
entities = read_entities(tables["entities"])
relationships = read_relationships(tables["relationships"])
communities = read_communities(tables["communities"])
ids = {entity.id for entity in entities}
assert all(set(community.entity_ids) <= ids for community in communities)
edges = {relationship.id for relationship in relationships}
assert all(set(community.relationship_ids) <= edges for community in communities)
by_number = {community.short_id: community for community in communities}
children = [(community, by_number[str(child)]) for community in communities for child in community.children]
assert children and all(str(child.parent) == community.short_id for community, child in children)
print(f"ok   {len(entities)} entities, {len(relationships)} relationships, {len(communities)} communities, "
      f"{len(children)} of them within another")
"""


def main() -> None:
    reader = os.environ.get("GRAPHCLUST_GRAPHRAG")
    if reader is None:
        sys.exit("GRAPHCLUST_GRAPHRAG names the interpreter of an environment with graphrag")
    with tempfile.TemporaryDirectory() as folder:
        gc.detect("data:les-miserables", "louvain", hierarchy=True).to_graphrag(folder)
        subprocess.run([reader, "-c", READ, folder], check=True)


if __name__ == "__main__":
    main()
