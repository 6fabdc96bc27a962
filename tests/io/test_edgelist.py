"""Edge lists: every dialect to the same graph, and every error with its line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from collections import Counter

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphclust.errors import DataError, GraphclustError, UsageError
from graphclust.graph import Graph
from graphclust.graph.column_names import PAIRS
from graphclust.inputs import as_graph, read_graph
from graphclust.io import edge_table, edgelist, write_graph
from graphclust.io.edge_arrow import parse_with_arrow
from graphclust.io.edge_layout import sniff_edges
from graphclust.io.edge_rows import parse_rows
from graphclust.io.options import ReadOptions
from graphclust.io.source import Source
from tests.noted import codes, noted


def edges_of(graph):
    kind = tuple if graph.directed else frozenset
    return {kind(edge[:2]): (edge[2] if len(edge) == 3 else 1.0) for edge in graph.edges()}


def parse(text, **options):
    data = text.encode() if isinstance(text, str) else text
    return edgelist.read(Source("g.edgelist", data, options=ReadOptions.of(**options)))


@pytest.fixture(params=["plain", "fast"])
def parser(request, monkeypatch):
    """Which parser reads a file first, however small it is."""
    monkeypatch.setattr(edgelist, "_SMALL", 0 if request.param == "fast" else 1 << 30)


TRIANGLE = {frozenset("ab"): 1.0, frozenset("bc"): 1.0, frozenset("ac"): 1.0}
WEIGHTED = {frozenset("ab"): 2.0, frozenset("bc"): 0.5, frozenset("ac"): 1.0}


@pytest.mark.parametrize(
    "text",
    [
        "a b\nb c\na c\n",
        "a b\nb c\na c",  # no line end at the end
        "a\tb\nb\tc\na\tc\n",
        "a,b\nb,c\na,c\n",
        "a, b\nb, c\na, c\n",
        "a;b\nb;c\na;c\n",
        "a|b\nb|c\na|c\n",
        "  a   b\n\n b\t c \na c\n",
        "a b\r\nb c\r\na c\r\n",
        "a b\rb c\ra c\r",
        "# comment\n% another\na b\n# in between\nb c\na c\n",
        "source,target\na,b\nb,c\na,c\n",
        "Source;Target\na;b\nb;c\na;c\n",
        '"source","target"\n"a","b"\n"b","c"\n"a","c"\n',
        "source,target\na,b\nb,c\nsource,target\na,c\n",  # two files put together
        "id,source,target\n1,a,b\n2,b,c\n3,a,c\n",
        "Source,Target,Type,Id,Label\na,b,Undirected,0,\nb,c,Undirected,1,\na,c,Undirected,2,\n",
        "\ufeffa b\nb c\na c\n",
        "a b\nb c\na c\n\x1a",  # DOS
        "a b {}\nb c {}\na c {}\n",  # networkx
        "a,b,\nb,c,\na,c,\n",
        "a,b,{}\nb,c,{}\na,c,{}\n",
        "a\tb\t{'x': 'y, z'}\nb\tc\t{}\na\tc\t{}\n",
        '"from" "to"\n"1" "a" "b"\n"2" "b" "c"\n"3" "a" "c"\n',
        '"","from","to"\n"1","a","b"\n"2","b","c"\n"3","a","c"\n',
        "% sym unweighted\na b\nb c\na c\n",
    ],
)
def test_dialects(text):
    assert edges_of(parse(text)) == TRIANGLE


@pytest.mark.parametrize(
    "text",
    [
        "a b 2\nb c 0.5\na c 1\n",
        "a,b,2\nb,c,.5\na,c,1e0\n",
        "from\tto\tweight\na\tb\t2\nb\tc\t0.5\na\tc\t1\n",
        "Weight,Source,Target\n2,a,b\n0.5,b,c\n1,a,c\n",
        "a b {'weight': 2}\nb c {'weight': 0.5, 'kind': 'x y'}\na c {}\n",
        "a b 1\nb c 0.5\nb a 1\na c 1\n",
        "a,b,{'weight': 2}\nb,c,{'weight': 0.5}\na,c,{}\n",
        '"from" "to" "weight"\n"1" "a" "b" 2\n"2" "b" "c" 0.5\n"3" "a" "c" 1\n',
        "% sym posweighted\na b 2 1990\nb c 0.5 1991\na c 1 1992\n",
        "actor1,actor2,films\na,b,2\nb,c,0.5\na,c,1\n",
        "a;b;2\nb;c;0,5\na;c;1,0\n",  # Excel, where numbers have decimal commas
        "Quelle;Ziel;Anzahl\na;b;2,0\nb;c;,5\na;c;1\n",
        "Weight;Source;Target\n2,0;a;b\n0,5;b;c\n1,0;a;c\n",
        "a\tb\t2,0\nb\tc\t0,5\na\tc\t1,0\n",
        'a,b,"2,0"\nb,c,"0,5"\na,c,"1,0"\n',
    ],
)
def test_weights(text):
    assert edges_of(parse(text)) == WEIGHTED


@pytest.mark.parametrize("delimiter", [None, ";", "semicolon"])
@pytest.mark.parametrize("first", ["1,5", "2"])
@pytest.mark.parametrize("padding", [0, 12_000])  # with padding the file goes to Arrow first
def test_decimal_commas(delimiter, first, padding):
    options = ReadOptions(delimiter=delimiter)
    source = Source("g", f"{f'a;b;{first}{chr(10)}' * (padding + 1)}b;c;2,5\n".encode(), options=options)
    graph = edgelist.read(source)
    total = (padding + 1) * float(first.replace(",", "."))
    assert edges_of(graph) == {frozenset("ab"): total, frozenset("bc"): 2.5}
    assert "decimal-commas" in codes(source.notes)


def test_large_files_with_decimal_commas_are_read_fast():
    data = b"a;b;1,5\n" + b"".join(b"n%d;n%d;%d,25\n" % (i, i * 7 % 1000, i % 9) for i in range(1000))
    fast = parse_with_arrow(data, sniff_edges(Source("g", data), data))
    assert fast.weight[:3].tolist() == [1.5, 0.25, 1.25]
    plain = parse_rows(Source("g", data), data, sniff_edges(Source("g", data), data))
    np.testing.assert_array_equal(fast.weight, plain.weight)


@pytest.mark.parametrize("text", ["a;b;far, but true\nb;c;near\na;c;so, so\n", "a;b;x y\nb;c;y z\na;c;z x\n"])
def test_semicolons_on_all_lines_separate_whatever_else_is_there(text):
    assert edges_of(parse(text)) == TRIANGLE
    assert parse("a,b;c,d\nc,d;e,f\n").nodes == ["a,b", "c,d", "e,f"]
    assert parse("x;1,y\nz;2,y\n").nodes == ["1,y", "2,y", "x", "z"]
    assert edges_of(parse("Nr;von;nach;wie oft\n1;a;b;1,5\n2;b;c;2,5\n3;a;c;1\n")) == {
        frozenset("ab"): 1.5,
        frozenset("bc"): 2.5,
        frozenset("ac"): 1.0,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_encodings(encoding):
    text = "Zoë,Çelik\nÇelik,B\n"
    option = {"encoding": encoding} if encoding == "utf-16-le" else {}  # no byte order mark
    graph = parse(text.encode(encoding), **option)
    assert set(graph.nodes) == {"Zoë", "Çelik", "B"}


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_compression_is_told_by_the_bytes(compress, tmp_path):
    path = tmp_path / "graph"  # no extension at all
    path.write_bytes(compress(b"a b\nb c\na c\n"))
    assert edges_of(read_graph(path)) == TRIANGLE


def test_ids_are_strings_and_kept_as_they_are():
    graph = parse('"Smith, A",B b\n"Smith, A",007\n7,"say ""hi"""\nC#,NA\n')
    assert set(graph.nodes) == {"Smith, A", "B b", "007", "7", 'say "hi"', "C#", "NA"}
    assert parse("1 2\n01 2\n").num_nodes == 3


def test_hash_inside_an_id_is_no_comment():
    graph = parse("C# F#\nF# a#b\n# x y\n")
    assert set(graph.nodes) == {"C#", "F#", "a#b"}
    tags = "#a #b\n#b #c\n"
    with pytest.raises(DataError, match="every line is a comment"):
        parse(tags)
    assert parse(tags, comment="none").num_nodes == 3
    assert parse("// no\na b\n", comment="//").num_nodes == 2


def test_quotes_and_spaces():
    assert set(parse('"New York" Boston\nBoston "San José"\n').nodes) == {"New York", "Boston", "San José"}
    assert set(parse('5" disk\n').nodes) == {'5"', "disk"}


@pytest.mark.parametrize(
    ("text", "options", "directed"),
    [
        ("a b\n", {}, False),
        ("a b\n", {"directed": True}, True),
        ("# Directed graph (each unordered pair of nodes is saved once)\na b\n", {}, True),
        ("# Undirected graph: x.txt\na b\n", {}, False),
        ("% asym unweighted\na b\n", {}, True),
        ("% sym unweighted\na b\n", {}, False),
        ("source,target,type\na,b,Directed\n", {}, True),
        ("# Directed graph\na b\n", {"directed": False}, False),
    ],
)
def test_direction(text, options, directed):
    assert parse(text, **options).directed is directed


@pytest.mark.parametrize(
    ("text", "options", "edges"),
    [
        ("source target\nx y\n", {"header": False}, 2),
        ("x y\ny z\n", {"header": True}, 1),
        ("1 2 3\n2 3 4\n", {"weights": False}, 2),
        ("a b,c d\n", {"delimiter": ","}, 1),
        ("a:b\nb:c\n", {"delimiter": ":"}, 2),
        ("a\\tb", {"delimiter": "\\"}, 1),
        ("a\tb c\n", {"delimiter": "tab"}, 1),
    ],
)
def test_options_override_what_is_sniffed(text, options, edges):
    graph = parse(text, **options)
    assert graph.num_edges == edges
    assert not graph.is_weighted


@pytest.mark.parametrize("separator", [",", "\t"])
def test_directed_and_undirected_edges_in_a_column_type(parser, separator):
    rows = ["Source,Target,Type,Weight", "a,b,directed,2", "b,c,Undirected,3", "c,c,Undirected,1"]
    text = "\n".join(rows).replace(",", separator)
    graph = parse(text)
    assert graph.directed
    assert edges_of(graph) == {("a", "b"): 2, ("b", "c"): 3, ("c", "b"): 3, ("c", "c"): 1}
    assert edges_of(parse(text, directed=True)) == {("a", "b"): 2, ("b", "c"): 3, ("c", "c"): 1}
    assert not parse(text, directed=False).directed
    assert not parse(text.replace("directed", "Undirected", 1).replace("UnUn", "Un")).directed
    late = "\n".join(["Source,Target,Type", *["a,b,Undirected"] * 300, "b,c,Directed"])
    assert set(edges_of(parse(late))) == {("a", "b"), ("b", "a"), ("b", "c")}
    with pytest.raises(DataError, match=r"g.edgelist:302: the type of an edge must be .*, not 'Mutual'"):
        parse(late.replace(",Directed", ",Mutual"))


def test_a_mixture_of_edges_is_noted(tmp_path):
    (tmp_path / "g.csv").write_text("Source,Target,Type\na,b,Directed\nb,c,Undirected\n")
    notes = read_graph(tmp_path / "g.csv").meta["notes"]
    assert "mixed-directions" in codes(notes)
    assert noted(notes, "dialect")["directed"]
    (tmp_path / "h.csv").write_text("Source,Target,Type\na,b,Directed\nb,c,friend\n")
    graph = read_graph(tmp_path / "h.csv")
    assert not graph.directed
    assert noted(graph.meta["notes"], "ignored-columns")["names"] == ["Type"]


@pytest.mark.parametrize("first", ["3000", "a title of four", "5 7"])
def test_a_first_line_may_be_skipped_as_a_header(parser, first):
    assert edges_of(parse(f"{first}\nn1 n2\nn2 n3\n", header=True)) == {
        frozenset(["n1", "n2"]): 1,
        frozenset(["n2", "n3"]): 1,
    }
    if first != "5 7":
        with pytest.raises(DataError, match=r"g.edgelist:1: expected .* columns.*--header"):
            parse(f"{first}\nn1 n2\nn2 n3\n")


def test_numbers_as_a_header_do_not_recur(parser):
    graph = parse("1 2\n2 3\n1 2\n1 3\n", header=True)
    assert len(edges_of(graph)) == 3


def test_an_open_quote_in_the_header_names_the_line(parser):
    with pytest.raises(DataError, match=r"g.edgelist:2: a quotation mark is not closed"):
        parse('# x\n"source,target\na,b\n', header=True, delimiter="comma")


def test_no_comment_line_is_no_note(parser):
    source = Source("g", b"source,target\na,b\nb,c\n")
    edgelist.read(source)
    assert "skipped-lines" not in codes(source.notes)


def test_a_weight_may_stand_behind_a_blank_where_tabs_separate():
    edges = nx.karate_club_graph().edges(data="weight")
    mixed = "".join(f"{u}\t{v} {w}\n" for u, v, w in edges)
    plain = "".join(f"{u}\t{v}\t{w}\n" for u, v, w in edges)
    assert edges_of(parse(mixed)) == edges_of(parse(plain))
    assert edges_of(parse("source\ttarget weight\na\tb 2\nb\tc 0.5\na\tc 1\n")) == WEIGHTED
    assert set(parse("Paris\tNew York\nParis\tLos Angeles\n").nodes) == {"Paris", "New York", "Los Angeles"}
    assert set(parse("ann\titem 5\nbob\titem 7\n").nodes) == {"ann", "bob", "item 5", "item 7"}
    assert parse(mixed, delimiter="tab").num_nodes > 34


def test_other_white_space_is_a_part_of_ids():
    rows = "A\u00a0,B\nA,C\n" + "x,y\n" * 100
    assert set(parse("source,target\n" + rows).nodes) == {"A\u00a0", "A", "B", "C", "x", "y"}
    assert parse("source,target\n" + rows + "x,y\n" * 100_000).nodes == parse(rows, header=False).nodes
    assert set(parse("a\u2003b c\nc d\n").nodes) == {"a\u2003b", "c", "d"}


def test_a_header_that_is_too_short_is_refused():
    with pytest.raises(DataError, match="names 2 columns, but most lines have 3"):
        parse("source,target\na,b,1\nb,c,2\n")


@pytest.mark.parametrize("text", [",0,1\n0,a,b\n1,b,c\n2,a,c\n", "\tsource\ttarget\n0\ta\tb\n1\tb\tc\n2\ta\tc\n"])
def test_a_column_without_a_name_is_an_index(text):
    assert edges_of(parse(text, header=True)) == TRIANGLE


def test_words_of_a_header_may_be_ids():
    graph = Graph.from_edges([0, 2, 3], [1, 3, 4], nodes=["from", "to", "x", "y", "z"])
    stream = io.BytesIO()
    edgelist.write(graph, stream)
    assert edges_of(parse(stream.getvalue())) == edges_of(graph)
    assert parse("u v\nv w\n").num_nodes == 3
    assert parse("source target\ntarget x\nx source\n").num_nodes == 3
    assert parse("source target\n1 2\n").num_nodes == 2
    assert parse("person friend\n1 2\n2 3\n").num_nodes == 3  # words over numbers


@pytest.mark.parametrize(
    ("good", "text", "line", "says"),
    [
        ("1 2\n", "# c\n1 2\n2 3\n3\n", 4, "expected 2 or 3 columns, found 1"),
        ("7 8 1\n", "1 2 0.5\n2 3 heavy\n", 2, "'heavy' is not a number"),
        ("7 8 1\n", "1 2 0.5\n2 3 nan\n", 2, "'nan'"),
        ("7 8 1\n", "1 2 0.5\n2 3 inf\n", 2, "'inf'"),
        ("7 8 1\n", "1 2 0.5\n2 3 -1\n", 2, "'-1'"),
        ("7 8 1\n", "1 2 0.5\n2 3 1_0\n", 2, "not a number"),
        ("7 8\n", "1 2\n1 2 3\n", 2, "found 3"),
        ("7 8 1\n", "1 2 3\n1 2\n", 2, "found 2"),
        ("", "1 2 3 4 5\n", 1, "expected 2 or 3 columns, found 5"),
        ("7,8,1\n", "a,b,1\n,,3\n", 2, "the node id is empty"),
        ("x,y\n", 'a,b\n"c,d\n', 2, "quotation mark is not closed"),
        ("x,y\n", 'a,b\n"c"d,e\n', 2, "does not enclose the whole field"),
        ("x y {'weight': 1}\n", "a b {}\na c {'weight': 'x'}\n", 2, "weight 'x' is not a number"),
        ("x y {}\n", "a b {}\na c {boom()}\n", 2, "cannot read"),
        ("x;y;1,5\n", "a;b;1,5\nb;c;2.5\n", 2, "'2.5' has a decimal point, those before a comma"),
        ("x;y;1.5\n", "a;b;1.5\nb;c;2,5\n", 2, "'2,5' has a decimal comma, those before a point"),
        ("x;y;1\n", "a;b;2,5\nb;c;1.00,5\n", 2, "'1.00,5' is not a number"),
        ("x;y;1,5\n", "a;b;2,5\nb;c;-2,5\n", 2, "negative"),
    ],
)
@pytest.mark.parametrize("padding", [0, 2000])
def test_errors_name_the_line(good, text, line, says, padding, monkeypatch):
    padding *= bool(good)
    monkeypatch.setattr(edgelist, "_SMALL", 4000)  # with padding the file goes to Arrow first
    with pytest.raises(DataError) as caught:
        parse(good * padding + text)
    assert caught.value.line == line + padding
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"g.edgelist:{line + padding}: ")


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n", "source,target\n", "\x00\x01\x02", "a"])
def test_files_without_edges(text):
    with pytest.raises(GraphclustError):
        parse(text)


def test_weights_asked_for_where_there_are_none():
    with pytest.raises(DataError, match="no column of weights"):
        parse("a b\n", weights=True)
    with pytest.raises(UsageError, match="delimiter"):
        parse("a b\n", delimiter="ab")
    with pytest.raises(DataError, match="unknown encoding"):
        parse("a b\n", encoding="nonsense")


@pytest.mark.parametrize(
    ("text", "may_be"),
    [
        ("person,friend\nalice,bob\nbob,carol\nalice,carol", True),
        ("person friend kind\na b mate\nb c foe\nc d foe\n", True),
        ("person,friend\n" + "alice,bob\nbob,carol\n" * 20_000, True),  # by Arrow
        ("alice,bob\nbob,carol\nalice,carol\ncarol,dan\n", False),
        ("person,friend\nalice,bob\nbob,carol\nalice,carol\n" + "bob,dan\n" * 300 + "dan,person\n", False),
        ("person,friend\nalice,bob\nbob,carol\n", False),  # any edge of a few may stand alone
        ("x,x\nalice,bob\nbob,carol\nalice,carol\n", False),
        ("1,2\n3,4\n4,5\n3,5\n", False),
        ("x,y,1\na,b,2\nb,c,3\na,c,4\n", False),
        ("# source target\nx y\na b\nb c\na c\n", False),
        ("x y {}\na b {}\nb c {}\na c {}\n", False),
        ("source,target\nx,y\na,b\nb,c\na,c\n", False),
    ],
)
def test_a_first_line_that_may_be_a_header_is_noted(text, may_be):
    def notes(**options):
        source = Source("g", text.encode())
        source.options = ReadOptions(**options)
        edgelist.read(source)
        return [note for note in source.notes if note.code == "possible-header"]

    possible = notes()
    assert len(possible) == may_be
    if may_be:
        assert possible[0].data == {"names": ("person", "friend")}
        assert "--header" in str(possible[0])
        assert "--no-header" in str(possible[0])
    assert notes(header=True) == notes(header=False) == []


def test_a_word_over_numbers_is_a_header():
    assert edges_of(parse("sender,receiver,letters\na,b,2\nb,c,0.5\na,c,1\n")) == WEIGHTED


def test_a_quote_that_is_not_closed_below_a_header():
    for text in ('source,target\n"a,b,c\nx,y\n', 'source,target\n"a,b\n'):
        with pytest.raises(DataError, match=r"g\.edgelist:2: a quotation mark is not closed"):
            parse(text)


def test_what_is_ignored_or_odd_is_noted():
    source = Source("g", b"source,target,year\na,b,1990\n")
    assert edges_of(edgelist.read(source)) == {frozenset("ab"): 1.0}
    assert noted(source.notes, "ignored-columns")["names"] == ["year"]
    source = Source("g", b"a b 1600000000\nb c 1600000001\n")
    assert not edgelist.read(source).is_weighted
    assert noted(source.notes, "ignored-columns")["names"] == ["column 3"]
    source = Source("g", b"a b friend\nb c foe\n")
    assert not edgelist.read(source).is_weighted
    assert noted(source.notes, "ignored-columns")["names"] == ["column 3"]


def test_read_graph_reports_merges_and_loops(tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("a b\nb a\na a\n")
    graph = read_graph(path)
    assert edges_of(graph) == {frozenset("ab"): 2.0, frozenset("a"): 1.0}
    assert noted(graph.meta["notes"], "merged-parallel-edges") == {"n_edges": 1}
    assert noted(graph.meta["notes"], "self-loops") == {"n_edges": 1}


# ---------------------------------------------------------------- the fast parser against the plain one

ids = st.one_of(
    st.integers(0, 50).map(str),
    st.integers(10**17, 10**22).map(str),
    st.text(alphabet="ab#é01 ,\"'", min_size=1, max_size=4),
    st.sampled_from(["007", "-3", "+1", "1.0", "NA", "null", "", " x", "source"]),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(ids, ids), min_size=1, max_size=30),
    delimiter=st.sampled_from(["\t", ",", ";", " "]),
    end=st.sampled_from(["\n", "\r\n"]),
    weighted=st.booleans(),
    comment=st.sampled_from(["", "# x\n"]),
    header=st.sampled_from(["", "source{0}target\n", "source{0}target{0}weight\n"]),
)
def test_fast_and_plain_parser_agree(rows, delimiter, end, weighted, comment, header):
    lines = [delimiter.join([*row, str(i % 3 + 0.5)] if weighted else row) for i, row in enumerate(rows)]
    data = (comment + header.format(delimiter) + end.join(lines) + end).encode()
    source = Source("g", data)
    try:
        layout = sniff_edges(source, data)
    except DataError:
        return
    fast = parse_with_arrow(data, layout)
    if fast is None:
        return
    plain = parse_rows(source, data, layout)
    assert list(fast.ids) == list(plain.ids)
    for name in ("source", "target"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(plain, name))
    if fast.weight is not None:
        np.testing.assert_array_equal(fast.weight, plain.weight)


def test_fast_parser_is_used_for_what_it_is_for():
    numbers = "".join(f"{i}\t{i * 7 % 1000}\n" for i in range(1000)).encode()
    names = b"source,target,weight\n" + b"".join(b"n%d,n%d,0.5\n" % (i, i * 7 % 1000) for i in range(1000))
    for data in (numbers, b"# c\n" + numbers, numbers.replace(b"\n", b"\r\n"), names, numbers.replace(b"\t", b" ")):
        assert parse_with_arrow(data, sniff_edges(Source("g", data), data)) is not None
    odd = numbers + b"007\t1\n"
    fast = parse_with_arrow(odd, sniff_edges(Source("g", odd), odd))
    assert "007" in list(fast.ids)


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_written_is_read(directed, weighted, rng):
    names = ["a", "b c", "#d", 'e"f', '"g"', "é", " h ", "1", "02", "i,j", "k\tl"]
    source, target = rng.integers(0, len(names), size=(2, 40))
    graph = Graph.from_edges(source, target, rng.random(40) if weighted else None, nodes=names, directed=directed)
    stream = io.BytesIO()
    edgelist.write(graph, stream)
    assert edges_of(parse(stream.getvalue())) == edges_of(graph)
    if not weighted:
        assert parse(stream.getvalue()).directed == directed


def test_networkx_reads_what_is_written(tmp_path):
    graph = Graph.from_edges([0, 1], [1, 2], [1.5, 2.0], nodes=["a", "b", "c"])
    with (tmp_path / "g").open("wb") as stream:
        edgelist.write(graph, stream)
    nx_graph = nx.read_weighted_edgelist(tmp_path / "g", delimiter="\t")
    assert {frozenset(e[:2]): e[2] for e in nx_graph.edges(data="weight")} == edges_of(graph)


@pytest.mark.parametrize("write", [edgelist.write, edge_table.write])
@pytest.mark.parametrize(
    ("nodes", "says"),
    [(["a\nb", "c"], "line break"), (["", "c"], "empty id"), (["a\ud800", "c"], "UTF-8"), ([1, "1"], "1 and '1'")],
)
def test_ids_that_no_edge_list_can_hold(write, nodes, says):
    with pytest.raises(DataError, match=says):
        write(Graph.from_edges([0], [1], nodes=nodes), io.BytesIO())


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    names=st.lists(
        st.one_of(
            st.text(alphabet="ab1 ,;\t|\"'#%{é\v", min_size=1, max_size=4),
            st.sampled_from(["source", "target", "from", "weight", "type", "Directed", "1,5", "node"]),
        ),
        min_size=2,
        max_size=12,
        unique=True,
    ),
    data=st.data(),
    weights=st.sampled_from([[], [1.0], [0.5, 2.0, 1e-300, 3e30]]),
    directed=st.booleans(),
    delimiter=st.sampled_from([",", "\t"]),
)
def test_tables_of_edges_read_back(names, data, weights, directed, delimiter):
    ends = st.integers(0, len(names) - 1)
    pairs = data.draw(st.lists(st.tuples(ends, ends), min_size=1, max_size=20, unique_by=frozenset))
    weight = [weights[i % len(weights)] for i in range(len(pairs))] if weights else None
    graph = Graph.from_edges(*zip(*pairs, strict=True), weight, nodes=names, directed=directed)
    stream = io.BytesIO()
    edge_table.write(graph, stream, delimiter=delimiter)
    source = Source("g", stream.getvalue())
    nx_graph = edgelist.read(source)
    assert nx_graph.directed == directed
    assert nx_graph.is_weighted == graph.is_weighted
    assert edges_of(nx_graph) == edges_of(graph)
    assert "ignored-columns" not in codes(source.notes)
    head, *rows = csv.reader(io.StringIO(stream.getvalue().decode(), newline=""), delimiter=delimiter)
    assert head[2:] == ["weight"] * graph.is_weighted + ["type"] * directed
    assert [tuple(row[:2]) for row in rows] == [tuple(edge[:2]) for edge in graph.edges()]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_pandas_reads_tables_of_edges(suffix, tmp_path):
    graph = Graph.from_edges([0, 1, 0], [1, 2, 2], [1.5, 2, 3], nodes=["Smith, A", '"', "#c", "alone"])
    with (tmp_path / f"g.{suffix}").open("wb") as stream:
        lost = write_graph(graph, stream, format=suffix)
    assert lost == [f"{suffix} has no place for isolated nodes: 1 isolated node lost"]
    frame = pd.read_csv(tmp_path / f"g.{suffix}", sep="," if suffix == "csv" else "\t")
    assert frame.columns.tolist() == ["source", "target", "weight"]
    assert frame["weight"].tolist() == [1.5, 3, 2]
    assert edges_of(as_graph(frame)) == edges_of(read_graph(tmp_path / f"g.{suffix}")) == edges_of(graph)


def test_a_header_gives_way_to_nodes_of_its_name():
    stream = io.BytesIO()
    edge_table.write(Graph.from_edges([0], [1], nodes=["target", "x"]), stream)
    assert stream.getvalue() == b"src,dst\ntarget,x\n"
    words = [word for pair in PAIRS for word in pair]
    with pytest.raises(DataError, match="every known pair of column names"):
        edge_table.write(Graph.from_edges([0], [1], nodes=list(dict.fromkeys(words))), stream)


def test_nodes_come_in_canonical_order_whatever_the_order_of_lines(rng):
    lines = [f"{u} {v}" for u, v in rng.integers(0, 99, size=(200, 2))] + ["x y", "é 5"]
    seen = []
    for _ in range(3):
        rng.shuffle(lines)
        graph = parse("\n".join(lines))
        assert graph.canonical_order() is None
        seen.append((graph.nodes, Counter(edges_of(graph))))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == Graph.from_edges([], [], nodes=seen[0][0][::-1]).canonical().nodes
