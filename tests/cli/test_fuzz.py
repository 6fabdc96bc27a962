"""Files that nobody meant to write: exit 0 or 1, never a traceback, never a part of a result file."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import tempfile
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import typer.main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphclust as gc
from graphclust.__main__ import main
from graphclust.io import FORMATS, format_of, writable_formats, write_graph


def bounded(max_examples):
    """The same examples in every run, so many."""
    checks = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=max_examples, deadline=None, derandomize=True, suppress_health_check=checks)


@pytest.fixture(autouse=True, scope="module")
def _one_parser():
    """The parser of the command line is built once, not for every file: half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


def _seeds():
    """Valid files to start from, one a format and dialect: (suffix, bytes)."""
    graph = gc.as_graph(nx.les_miserables_graph())
    small = gc.Graph.from_edges([0, 1, 2, 3], [1, 2, 0, 4], nodes=6)
    seen = []
    for name, suffixes in ((name, FORMATS[name].suffixes or (".txt",)) for name in writable_formats()):
        if name == "pyg":  # torch: seconds to import; tests/io/test_formats.py mutates it
            continue
        stream = io.BytesIO()
        write_graph(small if name == "metis" else graph, stream, format=name)
        seen.append((suffixes[0], stream.getvalue()))
    seen.append((".csv", b'source,target,weight\n"a, b",c,1\nc,"d ""e""",2.5\nf,f,1e3\n'))
    seen.append((".txt", b"# Directed graph\n1 2\n2 3\n3 1\n4 4\n"))
    seen.append((".tsv", "é\tü\r\nü\tß\r\n".encode()))
    return seen


SEEDS = _seeds()
PIECES = [
    *(
        b"\n",
        b"\r\n",
        b"\0",
        b"nan",
        b"inf",
        b"-1",
        b"1e999",
        b"9" * 40,
        b'"',
        b"'",
        b"#",
        b"%",
        b"<",
        b"[",
        b"{",
        b"*",
    ),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\t", b",", b"  ", b"source,target\n", b"graph [", b"*Vertices 9999999999\n"),
    *(b"<node id='a'/>", b"%%MatrixMarket matrix array real general\n", b"1 1 1\n", b"A" * 5000, b"\x1a", b"\xc3"),
]


@st.composite
def files(draw):
    """A file's suffix and content: random bytes, or a valid file cut, spliced, repeated, recoded or compressed."""
    suffix, data = draw(st.sampled_from(SEEDS))
    kind = draw(st.sampled_from(["bytes", "text", "mutated", "mutated", "mutated", "swapped", "recoded", "archive"]))
    if kind == "bytes":
        return suffix, draw(st.binary(max_size=300))
    if kind == "text":
        return suffix, draw(st.text(max_size=200)).encode("utf-8", "surrogatepass")
    if kind == "swapped":  # the content of one format under the name of another
        return draw(st.sampled_from(SEEDS))[0], data
    if kind == "recoded":
        try:
            return suffix, data.decode().encode(draw(st.sampled_from(["utf-16", "utf-16-be", "utf-32", "utf-8-sig"])))
        except UnicodeDecodeError:
            return suffix, data[::-1]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        end = min(len(data), place + draw(st.integers(0, 30)))
        data = data[:place] + draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8))) + data[end:]
    if kind == "archive":
        data = draw(st.sampled_from([gzip.compress, bz2.compress, lzma.compress]))(data)
        if draw(st.booleans()):
            data = data[: draw(st.integers(0, len(data)))]
    return suffix, data


def run(name, data, *options):
    """Detect communities of a file; check what must hold whatever its content; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / name, Path(folder) / "out.tsv"
        path.write_bytes(data)
        code = main(["detect", str(path), "--method", "label-propagation", "--out", str(out), "-q", *options])
        assert code in (0, 1)
        assert sorted(item.name for item in Path(folder).iterdir()) == sorted(
            [name, "out.tsv"] if code == 0 else [name]
        )
        if code == 0:
            lines = out.read_text(encoding="utf-8").split("\n")
            assert lines[0] in ("node\tcommunity", *(f"node\tcommunity\t{name}" for name in ("label", "name")))
            assert lines[-1] == ""
    return code


def check(file, capsys, monkeypatch):
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "1")
    suffix, data = file
    code = run(f"f{suffix}", data)
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert (code == 1) == err.startswith("graphclust: ")


@bounded(150)
@given(file=files())
def test_whatever_the_file(file, capsys, monkeypatch):
    check(file, capsys, monkeypatch)


@pytest.mark.slow
@bounded(2000)
@given(file=files())
def test_whatever_the_file_two_thousand_times(file, capsys, monkeypatch):
    check(file, capsys, monkeypatch)


LONG = b"x" * 5 * 10**6  # more than a block of the Arrow reader, 4 MiB


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("long-id.txt", LONG + b" b\n", 0),
        ("long-line.txt", b"a " * 5 * 10**5 + b"\n", 1),
        ("long-comment.txt", b"# " + LONG + b"\na b\n", 0),
        ("long-quote.csv", b'a,"' + LONG + b'"\n', 0),
        ("open-quote.csv", b'a,"' + LONG + b"\n", 1),
        ("long-weight.txt", b"a b " + b"9" * 10**6 + b"\n", 1),
        ("huge-ids.txt", b"99999999999999999999 18446744073709551616\n-9223372036854775809 1\n", 0),
        ("nan.txt", b"a b nan\n", 1),
        ("infinite.txt", b"a b inf\n", 1),
        ("windows.csv", b"\xef\xbb\xbfsource;target\r\na;b\r\n", 0),
        ("utf16.txt", "ä ö\nö ü\n".encode("utf-16"), 0),
        ("twice.csv", b"source,target\na,b\nsource,target\nb,c\n", 0),
        ("deep.gml", b"graph [ a " + b"[ b " * 100_000, 1),
        ("deep.graphml", b"<graphml>" + b"<graph>" * 100_000, 1),
        ("bomb.graphml", b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
            b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (98 + i, *[97 + i] * 8) for i in range(12)
        ) + b"]><graphml>&m;</graphml>", 1),
        ("huge.graph", b"999999999999999 1\n", 1),
        ("huge.mtx", b"%%MatrixMarket matrix coordinate real general\n999999999999 999999999999 1\n1 1 1\n", 1),
        ("huge.net", b"*Vertices 999999999999999\n*Edges\n1 2\n", 1),
    ],
)  # fmt: skip
def test_the_ones_to_be_afraid_of(name, data, code, capsys):
    assert run(name, data) == code
    err = capsys.readouterr().err
    assert len(err) < 1000
    assert name in err or code == 0


def test_ids_beyond_64_bits_are_kept(tmp_path):
    path = tmp_path / "g.txt"
    rows = [f"{10**25 + i} {i}" for i in range(20_000)]
    path.write_text("\n".join(rows))
    assert gc.read_graph(path).num_nodes == 40_000
    assert str(10**25) in gc.read_graph(path).nodes


def test_mutations_reach_the_parsers():
    """The fuzzing means something only if a good part of the files is read, and a good part refused."""
    rng = np.random.default_rng(0)
    codes = []
    for suffix, data in SEEDS:
        kind = format_of(f"g{suffix}")
        for _ in range(10):
            place = int(rng.integers(0, len(data)))
            mutated = data[:place] + PIECES[int(rng.integers(len(PIECES)))] + data[place:]
            try:
                from graphclust.io.source import Source

                FORMATS[kind].load().read(Source("g", mutated, suffix))
                codes.append(0)
            except gc.GraphclustError:
                codes.append(1)
    assert 0.2 < np.mean(codes) < 0.8
