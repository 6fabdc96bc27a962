"""A graph that is read in blocks is the graph that is read as a usual."""

import bz2
import gzip
import io
import lzma

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import graphclust as gc
from graphclust.errors import DataError, ResourceError, UsageError
from graphclust.io import blocks, read_file
from graphclust.runtime import storage as storing
from graphclust.runtime.storage import Storage, is_mapped

N_EDGES = 6000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(storing, "_SMALL", 0)
    monkeypatch.setattr(storing, "_LEAST_WINDOW", 5000)
    monkeypatch.setattr(blocks, "SAMPLE_BYTES", 9000)  # the first block has to be larger than a sample
    monkeypatch.setattr(blocks, "_SMALLEST", 3000)
    monkeypatch.setattr(blocks, "_ROWS", 700)


def ends(rng, n_nodes=900):
    return rng.integers(0, n_nodes, (N_EDGES, 2)).tolist()


def plain(rng):
    return "".join(f"{a} {b}\n" for a, b in ends(rng))


def gaps_and_comments(rng):
    rows = [f"{a * 1_000_003}\t{b * 1_000_003}\n" for a, b in ends(rng)]
    return "# a comment\n# FromNodeId\tToNodeId\n" + "".join(rows[:3000]) + "# in between\n" + "".join(rows[3000:])


def weights_below_a_header(rng):
    rows = [f"n{a},m{b},{w:.2f}\n" for (a, b), w in zip(ends(rng), rng.exponential(0.1, N_EDGES), strict=True)]
    return "from,to,weight\n" + "".join(rows)


def spaces_in_ids(rng):
    return "".join(f"node {a}\t{b}\n" for a, b in ends(rng))


def quotes(rng):
    return "source,target\n" + "".join(f'"a, {a}","b {b}"\n' for a, b in ends(rng))


def line_ends_of_windows(rng):
    return "".join(f"{a};{b}\r\n" for a, b in ends(rng))


def sizes_above(rng):
    return f"901 {N_EDGES}\n" + "".join(f"{a + 1} {b + 1}\n" for a, b in ends(rng))


def no_sizes_above(rng):
    return f"901 {N_EDGES + 100}\n" + "".join(f"{a + 1} {b + 1}\n" for a, b in ends(rng))


def a_header_that_is_an_edge(rng):
    return "alice,bob,2\n" + "".join(f"x{a},x{b},{i}\n" for i, (a, b) in enumerate(ends(rng))) + "bob,alice,1\n"


def accents(rng):
    return "".join(f"é{a} ü{b}\n" for a, b in ends(rng))


def rows_that_arrow_refuses(rng):
    return "".join(f"{a}  {b}\n" if a % 3 else f" {a} {b} \n" for a, b in ends(rng))


def no_line_end_at_the_end(rng):
    return plain(rng).removesuffix("\n")


TEXTS = (
    *(plain, gaps_and_comments, weights_below_a_header, spaces_in_ids, quotes, line_ends_of_windows, sizes_above),
    *(no_sizes_above, a_header_that_is_an_edge, accents, rows_that_arrow_refuses, no_line_end_at_the_end),
)


def assert_same(path, **options):
    usual = read_file(path, **options)
    part = read_file(path, storage=Storage(20_000), **options)
    assert is_mapped(part.source)
    assert not is_mapped(usual.source)
    assert list(part.ids) == list(usual.ids)
    for name in ("source", "target"):
        np.testing.assert_array_equal(getattr(part, name), getattr(usual, name))
    assert (part.weight is None) == (usual.weight is None)
    if usual.weight is not None:
        np.testing.assert_allclose(part.weight, usual.weight, rtol=1e-12)
    assert part.directed == usual.directed
    assert part.meta.keys() == usual.meta.keys()
    assert part.meta["sha256"] == usual.meta["sha256"]
    assert {note.code for note in part.meta["notes"]} == {note.code for note in usual.meta["notes"]}
    return part


@pytest.mark.parametrize("make", TEXTS, ids=lambda make: make.__name__)
def test_text(make, tmp_path):
    path = tmp_path / "graph.txt"
    path.write_bytes(make(np.random.default_rng(0)).encode())
    assert_same(path)


def test_latin_1_after_many_blocks(tmp_path):
    path = tmp_path / "graph.csv"
    path.write_bytes(plain(np.random.default_rng(0)).replace(" ", ",").encode() + "é,ü\n".encode("latin-1"))
    assert "é" in assert_same(path).nodes


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed(suffix, tmp_path):
    path = tmp_path / f"graph.txt{suffix}"
    data = plain(np.random.default_rng(0)).encode()
    packed = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    path.write_bytes(packed[suffix](data) if suffix in packed else pa.compress(data, "zstd", asbytes=True))
    assert_same(path)


def test_a_damaged_archive(tmp_path):
    path = tmp_path / "graph.txt.gz"
    path.write_bytes(gzip.compress(plain(np.random.default_rng(0)).encode())[:-9])
    with pytest.raises(DataError, match="the archive is damaged or incomplete"):
        read_file(path, storage=Storage(20_000))


@pytest.mark.parametrize("kind", ["int", "str"])
@pytest.mark.parametrize("weighted", [False, True])
def test_parquet(kind, weighted, tmp_path):
    rng = np.random.default_rng(0)
    source, target = rng.integers(-5, 900, (2, N_EDGES))
    columns = {"source": source, "target": target}
    if kind == "str":
        columns = {name: [f"n{i}" for i in values.tolist()] for name, values in columns.items()}
    if weighted:
        columns["weight"] = rng.random(N_EDGES)
    path = tmp_path / "graph.parquet"
    pq.write_table(pa.table(columns), path)
    assert_same(path)


def test_parquet_of_our_own_keeps_isolated_nodes_and_directions(tmp_path):
    rng = np.random.default_rng(0)
    graph = gc.Graph.from_edges(*rng.integers(0, 990, (2, N_EDGES)), nodes=1000, directed=True)
    path = tmp_path / "graph.parquet"
    with path.open("wb") as stream:
        gc.io.write_graph(graph, stream, format="parquet")
    part = assert_same(path)
    assert part.directed
    assert part.num_nodes == 1000


@pytest.mark.parametrize("directed", [False, True])
def test_options(directed, tmp_path):
    path = tmp_path / "graph.csv"
    path.write_text(weights_below_a_header(np.random.default_rng(0)))
    assert_same(path, directed=directed, weights=False, columns="to,from")


def test_files_of_other_formats_are_no_edge_lists(tmp_path):
    graph = gc.generators.planted_partition(300, 3, p_in=0.2, p_out=0.01, random_state=0)
    path = tmp_path / "graph"
    with path.open("wb") as stream:
        gc.io.write_graph(graph, stream, format="graphml")
    assert read_file(path).num_edges == graph.num_edges
    with pytest.raises(ResourceError, match="because it seems to be graphml"):
        read_file(path, storage=Storage(20_000))


def test_errors_name_the_line(tmp_path):
    path = tmp_path / "graph.csv"
    rows = weights_below_a_header(np.random.default_rng(0)).splitlines(keepends=True)
    rows[5000] = "a,b,many\n"
    path.write_text("".join(rows))
    with pytest.raises(DataError, match=r"graph\.csv:5001: the edge weight 'many' is not a number"):
        read_file(path, storage=Storage(20_000))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("source,target,type\n" + "a,b,Directed\nb,c,Undirected\n" * 2000, "a column says which edges are directed"),
        ("1 2 {'weight': 3}\n" * 3000, "its edges have attributes"),
        ("1 2,\n" * 9000, "its lines end with a mark"),
        ("1 2\r" * 20000, "it has no line ends"),
    ],
)
def test_files_that_have_to_be_read_as_a_whole(text, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_LARGEST", 60_000)
    path = tmp_path / "graph.txt"
    path.write_text(text)
    with pytest.raises(ResourceError, match=rf"cannot be read in blocks, because {reason}.*--memory"):
        read_file(path, storage=Storage(20_000))


def test_a_folder_and_a_pattern(tmp_path):
    rng = np.random.default_rng(0)
    rows = weights_below_a_header(rng).splitlines(keepends=True)
    folder = tmp_path / "edges"
    folder.mkdir()
    for number, part in enumerate((rows[1:1000], rows[1000:5000], rows[5000:])):
        (folder / f"part-{number}.csv").write_text(rows[0] + "".join(part))
    (folder / "_SUCCESS").touch()
    everything = tmp_path / "usual.csv"
    everything.write_text("".join(rows))
    expected = gc.read_graph(everything)
    for path in (str(folder), str(folder / "part-*.csv")):
        for memory in (None, "20kB"):
            graph = gc.read_graph(path, memory=memory)
            assert list(graph.ids) == expected.nodes
            np.testing.assert_array_equal(graph.target, expected.target)
            np.testing.assert_allclose(graph.weight, expected.weight)
            assert (graph.storage is None) == (memory is None)


def test_folders_that_hold_no_graph(tmp_path):
    with pytest.raises(DataError, match="no file of edges there"):
        gc.read_graph(tmp_path)
    with pytest.raises(DataError, match="no file of edges there"):
        gc.read_graph(str(tmp_path / "*.csv"))
    (tmp_path / "a.csv").write_text("a,b\nb,c\n")
    (tmp_path / "a.graphml").touch()
    with pytest.raises(DataError, match="must hold edge lists, or Parquet tables, and nothing else"):
        gc.read_graph(tmp_path)


def test_standard_input(monkeypatch):
    data = plain(np.random.default_rng(0)).encode()
    stdin = type("Stdin", (), {"buffer": io.BytesIO(data)})
    monkeypatch.setattr("sys.stdin", stdin)
    graph = read_file("-", format="edgelist", storage=Storage(20_000))
    assert is_mapped(graph.source)
    assert graph.num_nodes == 900


def test_options_that_the_format_does_not_take(tmp_path):
    path = tmp_path / "graph.txt"
    path.write_text(plain(np.random.default_rng(0)))
    with pytest.raises(UsageError, match="does not take --id"):
        read_file(path, id="name", storage=Storage(20_000))


def test_a_file_that_does_not_fit_into_memory(tmp_path, monkeypatch):
    path = tmp_path / "graph.txt"
    path.write_text(plain(np.random.default_rng(0)))
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "0.0002")
    assert is_mapped(gc.read_graph(path).source)


def test_encodings_of_two_bytes(tmp_path):
    path = tmp_path / "graph.txt"
    path.write_text(plain(np.random.default_rng(0)), encoding="utf-16")
    for encoding in (None, "utf-16"):
        with pytest.raises(ResourceError, match="because its encoding is"):
            read_file(path, encoding=encoding, storage=Storage(20_000))


def test_a_table_of_nodes_is_refused(tmp_path):
    path = tmp_path / "graph.txt"
    path.write_text(plain(np.random.default_rng(0)))
    with pytest.raises(UsageError, match="--nodes does not go together"):
        read_file(path, nodes=path, storage=Storage(20_000))
