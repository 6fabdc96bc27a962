"""The sniffer and the reader of rows that edge lists, partitions and feature tables share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest

from graphclust.errors import DataError, UsageError
from graphclust.inputs import read_graph
from graphclust.io.features import read_features
from graphclust.io.partition import read_partition
from graphclust.io.source import Source
from graphclust.io.tables import Dialect, Expectation, Sample, parse_separator, read_rows, separator_name, sniff


@dataclass(frozen=True)
class NamedColumns(Expectation):
    """A table whose header names a column A."""

    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        return "A" in first


def sniffed(text, **options):
    expected = NamedColumns(**options)
    return sniff(Sample.of(text.encode(), expected), expected)


def rows(text, dialect):
    return list(read_rows(Source("t", b""), text, dialect))


@pytest.mark.parametrize("separator", ["\t", ";", ",", "|", None])
def test_the_separator_gives_all_rows_the_same_size(separator):
    mark = separator or "  "
    dialect = sniffed(f"A{mark}B\n1{mark}x\n2{mark}y\n")
    assert (dialect.separator, dialect.n_columns, dialect.header) == (separator, 2, ("A", "B"))
    assert separator_name(separator) in ("tab", "semicolon", "comma", "bar", "white space")


def test_without_any_separator_white_space_separates():
    assert sniffed("x\ny\n") == Dialect(None, 1, comments=("#", "%"))


def test_a_long_line_enlarges_the_sample():
    text = "x" * (3 << 20) + ",y\na,b\n"
    assert sniffed(text).separator == ","


def test_what_is_known_is_not_guessed():
    assert sniffed("A,B\nx,y\n", header=False).header is None
    assert sniffed("a,b\nx,y\n", header=True).header == ("a", "b")
    assert sniffed("a,b\nx,y\n", separators=(";",)).separator == ";"
    assert sniffed('"a,b\nx,y\n', separators=(",",), header=True).header == ()


def test_row_names_without_a_name():
    assert sniffed('"A" "B"\n"1" "x" "u"\n"2" "y" "v"\n').header == ("", "A", "B")
    assert sniffed("A B\n1 x u\n2 y v\n").header == ("A", "B")  # 1 and 2 may be ids


def test_rows_come_with_their_lines():
    text = '# c\nA,B\n\n"x, ""y""" , z\n"two\n\nlines",w\n # no comment\n#,u\n\x1a\n'
    dialect = Dialect(",", 2, ("A", "B"), ("#",), multiline_quotes=True)
    expected = [(4, ['x, "y"', "z"]), (5, ["two\n\nlines", "w"]), (8, ["# no comment"]), (9, ["#", "u"])]
    assert rows(text, dialect) == expected


def test_skipped_lines_are_counted():
    text = "# c\nA B\nx y\n# c\nA B\n"
    skipped = Counter()
    dialect = Dialect(None, 2, ("A", "B"), ("#",), ("#",), repeats_header=True)
    assert list(read_rows(Source("t", b""), text, dialect, skipped)) == [(3, ["x", "y"])]
    assert skipped == {"comment line": 2, "repeated header line": 1}


def test_the_last_column_may_take_the_rest():
    assert rows("a, b, {'x': 1, 'y': \"z\"}\n", Dialect(",", 3, last_takes_rest=True)) == [
        (1, ["a", "b", "{'x': 1, 'y': \"z\"}"])
    ]


@pytest.mark.parametrize(
    ("text", "multiline", "line", "says"),
    [
        ('a,b\n"c,d\ne,f\n', False, 2, "is not closed"),
        ('a,b\n"c,d\ne,f\n', True, 2, "is not closed"),
        ('a,b\n"c"d,e\n', True, 2, "does not enclose"),
        ('a,b\n"c\nd"e,f\n', True, 2, "is not closed"),
    ],
)
def test_quotation_marks_that_do_not_match_name_the_line(text, multiline, line, says):
    with pytest.raises(DataError, match=says) as caught:
        rows(text, Dialect(",", 2, multiline_quotes=multiline))
    assert caught.value.line == line


def test_separators_have_names():
    assert [parse_separator(name) for name in ("tab", "\\t", "pipe", ":", "space")] == ["\t", "\t", "|", ":", None]
    with pytest.raises(UsageError, match="the delimiter must be one character"):
        parse_separator("ab")


@pytest.mark.parametrize("separator", ["\t", ";", ",", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("has_header", [True, False])
def test_the_three_kinds_of_tables_share_dialects(tmp_path, separator, end, has_header):
    """Ids in quotes, with blanks and separators in them, are the same nodes in every file."""
    ids = ["a b", "c, d", "e; f"]

    def write(name, header, values):
        lines = [separator.join(header)] * has_header
        lines += [separator.join([f'"{cell}"' if cell in ids else cell for cell in row]) for row in values]
        (tmp_path / name).write_text(end.join(lines) + end, newline="")
        return tmp_path / name

    edges = [[ids[0], ids[1]], [ids[1], ids[2]], [ids[0], ids[2]]]
    graph = read_graph(write("edges", ["source", "target"], edges))
    assert sorted(graph.nodes) == ids
    labels = write("labels", ["node", "community"], [[node, "12"[node == ids[2]]] for node in ids])
    assert read_partition(labels) == dict(zip(ids, "112", strict=True))
    features = write("features", ["node", "x", "y"], [[node, str(i), "0.5"] for i, node in enumerate(ids)])
    assert read_features(features, graph.nodes).tolist() == [[i, 0.5] for i in range(3)]
