"""2,000 random graphs in the dialects of the programs that write tables of edges: none is misread in silence.

Each file is read correctly, refused, or read with a note that names the option for the other reading.
"""

from __future__ import annotations

import csv
import io
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import igraph as ig
import networkx as nx
import pandas as pd
import pytest

from graphclust.errors import DataError
from graphclust.io import edgelist
from graphclust.io.source import Source

N_GRAPHS = 2_000
N_GROUPS = 10
REPORTS = {  # notes that say how else the file could be read
    "possible-header",
    "assumed-header",
    "possible-row-numbers",
    "ids-with-marks",
    "matrix",
    "sizes",
    "two-mode",
}
WORDS = ["ann", "bob", "cy", "dan", "eve", "flo", "gus", "hal", "ida", "jon", "kim", "leo"]
ODD = ["NA", "1e5", "#x", "%y", "a,b", "a;b", "Zoë", "日本", "x y", "null", "-", "a'b", 'q"r', "007", "@me", "a/b#c"]


@dataclass
class Table:
    """A graph as rows, and what a reader should make of it."""

    ids: str
    third: str
    rows: list[list[object]]
    names: list[str] | None = None
    edges: dict[frozenset[str], float] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether the ids need no quotes whatever the dialect."""
        return self.ids in ("words", "numbers", "from zero", "padded", "large numbers")


def table(rng):
    """Draw a graph, the style of its ids, and a third column."""
    kind = rng.choice(["words", "numbers", "from zero", "padded", "large numbers", "odd", "mixed"])
    n = rng.randint(5, 11)
    ids = {
        "words": WORDS[:n],
        "numbers": [str(i) for i in range(1, n + 1)],
        "from zero": [str(i) for i in range(n)],
        "padded": [f"{i:03d}" for i in range(n)],
        "large numbers": [str(10**6 + 37 * i) for i in range(n)],
        "odd": rng.sample(ODD, n),
        "mixed": [rng.choice([w, str(i)]) for i, w in enumerate(WORDS[:n])],
    }[kind]
    graph = nx.gnm_random_graph(n, rng.randint(n, 2 * n), seed=rng.randrange(10**6))
    pairs = [(ids[u], ids[v]) if rng.random() < 0.7 else (ids[v], ids[u]) for u, v in graph.edges()]
    rng.shuffle(pairs)
    third = rng.choice(["none", "none", "floats", "counts", "unix", "years", "dates", "sorted", "constant"])
    m = len(pairs)
    values = {
        "none": None,
        "floats": [round(rng.uniform(0.05, 9), 2) for _ in range(m)],
        "counts": [rng.randint(1, 9) for _ in range(m)],
        "unix": [1_400_000_000 + rng.randrange(10**8) for _ in range(m)],
        "years": [rng.randint(1950, 2024) for _ in range(m)],
        "dates": [f"20{rng.randint(10, 24)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}" for _ in range(m)],
        "sorted": sorted(rng.sample(range(10**6), m)),
        "constant": [1] * m,
    }[third]
    rows = [[u, v, *([] if values is None else [values[i]])] for i, (u, v) in enumerate(pairs)]
    made = Table(kind, third, rows)
    weighted = third in ("floats", "counts", "constant")
    for i, (u, v) in enumerate(pairs):
        edge = frozenset((u, v))
        made.edges[edge] = made.edges.get(edge, 0.0) + (float(values[i]) if weighted else 1.0)
    return made


def header(rng, made):
    """Names of the columns, or none."""
    ends = rng.choice(
        [("source", "target"), ("from", "to"), ("person", "friend"), ("user1", "user2"), ("a", "b"), None]
    )
    if ends is None:
        return None
    name = {
        "none": (),
        "floats": rng.choice([("weight",), ("value",), ("score",), ("strength",)]),
        "counts": rng.choice([("n",), ("count",), ("weight",)]),
        "constant": ("weight",),
        "unix": rng.choice([("timestamp",), ("time",), ("ts",)]),
        "years": ("year",),
        "dates": rng.choice([("date",), ("when",)]),
        "sorted": rng.choice([("time",), ("id",)]),
    }[made.third]
    return [*ends, *name]


def by_csv(rng, made):
    """Python's csv module, with any separator and any quoting."""
    out = io.StringIO()
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
    separator = rng.choice(",;\t|")
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=rng.choice(["\n", "\r\n"]))
    if made.names:
        writer.writerow(made.names)
    writer.writerows(made.rows)
    return out.getvalue(), {"\t": ".tsv"}.get(separator, rng.choice([".csv", ".txt"]))


def by_pandas(rng, made):
    """DataFrame.to_csv, with and without the index and the header."""
    frame = pd.DataFrame(made.rows, columns=made.names)
    has_index = rng.random() < 0.4
    separator = rng.choice([",", ";", "\t"])
    has_header = made.names is not None or rng.random() < 0.5
    return frame.to_csv(sep=separator, index=has_index, header=has_header), ".tsv" if separator == "\t" else ".csv"


def by_networkx(rng, made):
    """networkx's write_edgelist and write_weighted_edgelist; names with blanks are not quoted, so plain ids only."""
    graph = nx.Graph()
    key = "weight" if made.third in ("floats", "counts", "constant") else "time"
    for u, v, *rest in made.rows:
        graph.add_edge(u, v, **({key: rest[0]} if rest else {}))
    out = io.BytesIO()
    if rng.random() < 0.5 or key == "time":
        nx.write_edgelist(graph, out, data=rng.random() < 0.7, delimiter=rng.choice([" ", "\t"]))
        text = out.getvalue().decode()
        if "{" not in text:  # the weights are not in the file
            made.edges = dict.fromkeys(made.edges, 1.0)
    else:
        nx.write_weighted_edgelist(graph, out)
        text = out.getvalue().decode()
    return text, ".edgelist"


def by_igraph(rng, made):
    """igraph's write_ncol."""
    graph = ig.Graph.TupleList([row[:2] for row in made.rows])
    weighted = made.third in ("floats", "counts", "constant")
    if weighted:
        graph.es["weight"] = [row[2] for row in made.rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.ncol"
        graph.write_ncol(str(path), weights="weight" if weighted else None)
        return path.read_text(), ".ncol"


def by_r(rng, made):
    """R's write.csv and write.table: words in quotes, row names in front."""
    quoted = [
        [f'"{str(v).replace(chr(34), chr(34) * 2)}"' if isinstance(v, str) else str(v) for v in row]
        for row in made.rows
    ]
    names = [f'"{name}"' for name in made.names or [f"V{i + 1}" for i in range(len(made.rows[0]))]]
    rows = [[f'"{i}"', *row] for i, row in enumerate(quoted, 1)]
    if rng.random() < 0.5:
        return "\n".join(map(",".join, [['""', *names], *rows])) + "\n", ".csv"
    return "\n".join(map(" ".join, [names, *rows])) + "\n", ".txt"


def by_excel(rng, made):
    """A European Excel: semicolons, decimal commas, a byte order mark, empty rows and columns, perhaps sep=;."""
    lines = [list(map(str, made.names))] if made.names else []
    for row in made.rows:
        lines.append([str(v).replace(".", ",") if isinstance(v, float) else str(v) for v in row])
    n_empty = rng.randint(0, 2)
    quoted = [
        [f'"{v.replace(chr(34), chr(34) * 2)}"' if set(v) & set(';"') else v for v in row] + [""] * n_empty
        for row in lines
    ]
    text = "\r\n".join(map(";".join, quoted)) + "\r\n"
    if rng.random() < 0.5:
        text += ";" * (len(quoted[0]) - 1) + "\r\n"
    if rng.random() < 0.3:
        text = "sep=;\r\n" + text
    return "\ufeff" + text, ".csv"


WRITERS = [by_csv, by_pandas, by_networkx, by_igraph, by_r, by_excel]


def draw(seed):
    """Return the table, the text, the suffix and the name of the writer."""
    rng = random.Random(seed)
    made = table(rng)
    writer = rng.choice(WRITERS)
    made.names = header(rng, made)
    while writer in (by_networkx, by_igraph) and not made.is_plain:
        made = table(rng)
        made.names = header(rng, made)
    text, suffix = writer(rng, made)
    if rng.random() < 0.15 and not text.startswith(("\ufeff", "sep")):
        text = rng.choice(["# exported on a Monday\n", "% made by hand, in haste\n", "#\n# two lines\n"]) + text
    return made, text, suffix, writer.__name__


def outcome(seed):
    """Return "right", "refused", "reported" or "silent", and what was read."""
    made, text, suffix, _ = draw(seed)
    source = Source("g", text.encode(), suffix)
    try:
        graph = edgelist.read(source)
    except DataError as error:
        return "refused", str(error)
    read = {frozenset(map(str, edge[:2])): (edge[2] if len(edge) == 3 else 1.0) for edge in graph.edges()}
    is_right = read.keys() == made.edges.keys() and all(abs(read[e] - made.edges[e]) < 1e-9 for e in read)
    if is_right:
        return "right", ""
    reported = REPORTS & {note.code for note in source.notes if not note.is_detail}
    return ("reported" if reported else "silent"), "; ".join(map(str, source.notes))


@pytest.mark.parametrize("group", range(N_GROUPS))
def test_no_file_is_misread_in_silence(group):
    counts = Counter()
    for seed in range(group, N_GRAPHS, N_GROUPS):
        what, message = outcome(seed)
        counts[what] += 1
        if what == "silent":
            _, text, suffix, writer = draw(seed)
            pytest.fail(f"seed {seed}, {writer}, {suffix}:\n{text[:300]}\n{message}")
    assert counts["right"] > 0.85 * counts.total(), counts
