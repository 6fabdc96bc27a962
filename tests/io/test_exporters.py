"""Every command in the table of docs/formats.md, on a tiny file as that program writes it."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path

import igraph as ig
import networkx as nx
import pandas as pd
import pytest

from graphclust.__main__ import main

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
COMMANDS = re.findall(r"^\|.*\| `graphclust (detect [^`]+)` \|$", PAGE.read_text(), re.MULTILINE)
# two triangles and an edge between them
NAMES = ["ann", "bob", "cy", "dan", "eve", "flo"]
PAIRS = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5)]
EDGES = [(NAMES[u], NAMES[v]) for u, v in PAIRS]
NUMBERS = [(u + 1, v + 1) for u, v in PAIRS]
OTHER_SIZES = {"out.bipartite": 12, "ratings.csv": 12, "ratings.dat": 12, "gephi-nodes.csv": 7, "members.csv": 8}


def graph():
    return nx.Graph(EDGES)


def rows(*columns, separator=",", quote=False):
    out = io.StringIO()
    quoting = csv.QUOTE_NONNUMERIC if quote else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(columns)
    return out.getvalue()


def of_igraph(kind):
    theirs = ig.Graph.TupleList(EDGES)
    theirs.es["calls"] = [5] * 7
    out = Path("of-igraph")
    getattr(theirs, f"write_{kind}")(str(out))
    return out.read_text()


def by_networkx(write, **options):
    out = io.BytesIO()
    write(graph(), out, **options)
    return out.getvalue().decode()


def correlations():
    inside = {frozenset(edge) for edge in EDGES}
    values = {u: [1.0 if u == v else 0.8 if frozenset((u, v)) in inside else -0.1 for v in NAMES] for u in NAMES}
    return pd.DataFrame(values, index=NAMES).to_csv()


def bipartite(separator=" ", extra=()):
    """Two kinds of nodes with the same numbers: members 1 to 6 of clubs 1 to 6."""
    pairs = [(i, j) for i in range(1, 7) for j in range(1, 7) if (i <= 3) == (j <= 3)]
    return "".join(separator.join(map(str, (*pair, *extra))) + "\n" for pair in pairs)


FILES = {
    "gephi-edges.csv": lambda: rows(
        ["Source", "Target", "Type", "Id", "Label", "timeset", "Weight"],
        *([u, v, "Undirected", i, "", "", 1.0] for i, (u, v) in enumerate(EDGES)),
    ),
    "gephi-nodes.csv": lambda: rows(
        ["Id", "Label", "timeset"], *([name, name.title(), ""] for name in [*NAMES, "gus"])
    ),
    "gephi.gexf": lambda: "".join(nx.generate_gexf(graph())),
    "cytoscape.sif": lambda: rows(*([u, "interacts with", v] for u, v in EDGES), separator="\t"),
    "cytoscape.cyjs": lambda: json.dumps(nx.cytoscape_data(graph())),
    "networkx.edgelist": lambda: by_networkx(nx.write_edgelist),
    "networkx.adjlist": lambda: by_networkx(nx.write_adjlist),
    "networkx.json": lambda: json.dumps(nx.node_link_data(graph(), edges="edges")),
    "adjacency.csv": lambda: nx.to_pandas_adjacency(graph()).to_csv(),
    "pandas.csv": lambda: pd.DataFrame(EDGES).to_csv(),
    "correlations.csv": correlations,
    "igraph.graphml": lambda: of_igraph("graphml"),
    "igraph.gml": lambda: of_igraph("gml"),
    "r.csv": lambda: rows(["", "from", "to"], *([str(i), *e] for i, e in enumerate(EDGES, 1)), quote=True),
    "r.txt": lambda: (
        '"person" "friend"\n' + rows(*([str(i), *e] for i, e in enumerate(EDGES)), separator=" ", quote=True)
    ),
    "excel.csv": lambda: (
        "\ufeffsep=;\r\nVon;Nach;Anzahl\r\n" + "".join(f"{u};{v};1,5\r\n" for u, v in EDGES) + ";;\r\n"
    ),
    "neo4j.csv": lambda: rows(
        [":START_ID", "since:int", ":END_ID", ":TYPE"], *([u, 2001, v, "KNOWS"] for u, v in EDGES)
    ),
    "string.txt": lambda: rows(["protein1", "protein2", "combined_score"], *([*e, 900] for e in EDGES), separator=" "),
    "string.tsv": lambda: rows(
        ["#node1", "node2", "node1_string_id", "node2_string_id", "homology", "combined_score"],
        *([u, v, f"9606.{u}", f"9606.{v}", 0, 0.9] for u, v in EDGES),
        ["ann", "flo", "9606.ann", "9606.flo", 0, 0.1],
        separator="\t",
    ),
    "biogrid.tsv": lambda: rows(
        [
            "#BioGRID Interaction ID",
            "Entrez Gene Interactor A",
            "Entrez Gene Interactor B",
            "Official Symbol Interactor A",
            "Official Symbol Interactor B",
            "Throughput",
        ],
        *([i, 100 + i, 200 + i, u, v, "Low"] for i, (u, v) in enumerate(EDGES)),
        separator="\t",
    ),
    "snap.txt": lambda: (
        "# Undirected graph: x.txt\n# Nodes: 6 Edges: 7\n# FromNodeId\tToNodeId\n" + rows(*NUMBERS, separator="\t")
    ),
    "snap-temporal.txt": lambda: rows(*([*e, 1_217_567_877 + i] for i, e in enumerate(NUMBERS)), separator=" "),
    "soc-sign.txt": lambda: (
        "# Directed graph: soc-sign\n# FromNodeId\tToNodeId\tSign\n"
        + rows(*([*e, 1] for e in NUMBERS), [1, 6, -1], separator="\t")
    ),
    "out.konect": lambda: (
        "% sym unweighted\n" + rows(*([*e, 1, 1_217_567_877 + i] for i, e in enumerate(NUMBERS)), separator=" ")
    ),
    "out.bipartite": lambda: "% bip unweighted\n" + bipartite(),
    "ratings.csv": lambda: "userId,movieId,rating,timestamp\n" + bipartite(",", (4.0, 1_217_567_877)),
    "ratings.dat": lambda: bipartite("::", (4, 1_217_567_877)),
    "repository.mtx": lambda: "%% graph is undirected\n6 6 7\n" + rows(*NUMBERS, separator=" "),
    "repository.edges": lambda: rows(*([*e, 1, 1_217_567_877] for e in NUMBERS)),
    "netzschleuder.csv": lambda: "# source, target\n" + "".join(f"{u}, {v}\n" for u, v in NUMBERS),
    "infomap.net": lambda: "# a network\n" + rows(*NUMBERS, separator=" "),
    "links.net": lambda: (
        "*Vertices 6\n"
        + "".join(f'{i} "{name}"\n' for i, name in enumerate(NAMES, 1))
        + "*Links\n"
        + rows(*NUMBERS, separator=" ")
    ),
    "network.dat": lambda: rows(*sorted([*NUMBERS, *(edge[::-1] for edge in NUMBERS)]), separator="\t"),
    "ucinet.dl": lambda: (
        "dl n=6 format=edgelist1\nlabels:\n"
        + ",".join(NAMES)
        + "\ndata:\n"
        + rows(*NUMBERS, *(edge[::-1] for edge in NUMBERS), separator=" ")
    ),
    "dimacs.col": lambda: "c two triangles\np edge 6 7\n" + "".join(f"e {u} {v}\n" for u, v in NUMBERS),
    "triples.tsv": lambda: rows(*([u, "knows", v] for u, v in EDGES), separator="\t"),
    "log.csv": lambda: rows(["when", "person", "friend", "place"], *(["2024-05-01", *e, "here"] for e in EDGES)),
    "records.json": lambda: json.dumps([{"app": u, "uses": v, "at": 1_217_567_877} for u, v in EDGES]),
    "members.csv": lambda: rows(
        ["person", "choir", "chess"], *([n, int(i < 4), int(i > 2)] for i, n in enumerate(NAMES)), separator=","
    ),
}


def test_each_program_has_its_file():
    used = {word for command in COMMANDS for word in shlex.split(command) if word in FILES}
    assert used == set(FILES)
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("command", COMMANDS)
def test_each_row_of_the_table_reads_its_file(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)
    for word in words:
        if word in FILES:
            Path(word).write_text(FILES[word](), newline="")
    assert main([*words, "-m", "leiden", "--format", "json", "--manifest", "m.json"]) == 0, capsys.readouterr().err
    result = json.loads(capsys.readouterr().out)
    n_nodes = next((size for name, size in OTHER_SIZES.items() if name in words), 6)
    assert len(result["nodes"]) == n_nodes
    if n_nodes != 12:
        assert json.loads(Path("m.json").read_text())["input"]["edges"] == 7
        parts = {}
        for node, label in zip(result["nodes"], result["labels"], strict=True):
            place = NAMES.index(str(node).lower()) if str(node).lower() in NAMES else None
            parts.setdefault(label, set()).add(int(node) - 1 if str(node).isdecimal() else place)
        has_zero = any(str(node) == "0" for node in result["nodes"])
        first = {0, 1, 2} if not has_zero else {-1, 0, 1}
        assert first in [part - {None} for part in parts.values()]
    else:
        assert sorted(map(result["labels"].count, set(result["labels"]))) == [6, 6]
