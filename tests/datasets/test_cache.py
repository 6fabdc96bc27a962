"""Downloads against a web server on this machine: checked, never partial, and errors that say what to put where."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile

import pytest

import graphclust as gc
from graphclust import datasets
from graphclust.datasets.entries import Archive, Entry, File
from graphclust.runtime.progress import showing

EDGES = b"# a graph\n1\t2\n2\t3\n3\t1\n"
LABELS = b"1\ta\n2\ta\n3\tb\n4\tb\n"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def entry(**files):
    return Entry("tiny", "three nodes", "MIT", "this test", "classic.load", listed=files, hint="Ask the test")


@pytest.fixture
def tiny(server, register):
    """A data set of two files with known checksums."""
    server.files |= {"/tiny.edgelist.gz": gzip.compress(EDGES, mtime=0), "/tiny.tsv": LABELS}
    register(
        entry(
            graph=File("t/tiny.edgelist.gz", server.url("/tiny.edgelist.gz"), sha(EDGES)),
            labels=File("t/tiny.tsv", server.url("/tiny.tsv"), sha(LABELS)),
        )
    )
    return server


def test_downloaded_once_then_found(folder, tiny):
    graph = datasets.load("tiny")
    assert (graph.num_nodes, graph.num_edges, graph.y.tolist()) == (4, 3, [0, 0, 1, 1])
    assert graph.meta["classes"] == ["a", "b"]
    assert folder.cached() == ["t/tiny.edgelist.gz", "t/tiny.tsv"]
    assert datasets.load("tiny").num_edges == 3
    assert datasets.download("tiny") == [folder.cache / "t/tiny.edgelist.gz", folder.cache / "t/tiny.tsv"]
    assert len(tiny.requested) == 2


def test_own_folder_goes_before_the_cache(folder, tiny):
    datasets.download("tiny")
    mine = folder.put("t/tiny.edgelist.gz", b"1\t2\n")
    assert datasets.path("tiny") == mine
    assert datasets.load("tiny").num_edges == 1


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: gzip.compress(data, 1, mtime=0), lambda data: data])
def test_checksum_is_of_the_content(folder, tiny, pack):
    """A mirror that compresses otherwise, or not at all, has the same file; here it is always compressed."""
    tiny.files["/tiny.edgelist.gz"] = pack(EDGES)
    datasets.download("tiny")
    assert gzip.decompress((folder.cache / "t/tiny.edgelist.gz").read_bytes()) == EDGES


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (gzip.compress(b"4\t5\n", mtime=0), "the downloaded file has the checksum"),
        (gzip.compress(EDGES, mtime=0)[:-4], "damaged"),
        (b"<!DOCTYPE html>\nPlease log in", "web page"),
        (b"", "the downloaded file has the checksum"),
    ],
)
def test_wrong_content_is_refused_and_nothing_left(folder, tiny, sent, says):
    tiny.files["/tiny.edgelist.gz"] = sent
    with pytest.raises(gc.DataError, match=says) as error:
        datasets.load("tiny")
    for element in (tiny.url("/tiny.edgelist.gz"), str(folder.path), str(folder.cache), "Ask the test"):
        assert element in str(error.value)
    assert folder.cached() == []


def test_interrupted_download_leaves_nothing(folder, tiny):
    tiny.cut["/tiny.edgelist.gz"] = 20
    with pytest.raises(gc.DataError, match="was interrupted"):
        datasets.load("tiny")
    assert folder.cached() == []
    assert not list(folder.cache.rglob(".part*"))
    tiny.cut.clear()
    assert datasets.load("tiny").num_edges == 3


def test_interruption_by_the_user_leaves_nothing(folder, tiny, monkeypatch):
    import pooch

    class Interrupted(pooch.HTTPDownloader):
        def __call__(self, url, output_file, *_):
            with open(output_file, "wb") as stream:
                stream.write(b"half")
            raise KeyboardInterrupt

    monkeypatch.setattr(pooch, "HTTPDownloader", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        datasets.load("tiny")
    assert folder.cached() == []


def test_missing_on_the_server_and_no_server(folder, tiny, register):
    del tiny.files["/tiny.tsv"]
    with pytest.raises(gc.DataError, match=r"404 .*put http://127.* at .*tiny.tsv"):
        datasets.load("tiny")
    assert folder.cached() == ["t/tiny.edgelist.gz"]
    register(entry(graph=File("g.txt", "http://127.0.0.1:9/g.txt"), labels=File("l.txt", "http://127.0.0.1:9/l.txt")))
    with pytest.raises(gc.DataError, match=r"no connection to 127.0.0.1.*g.txt \(http.*l.txt \(http"):
        datasets.load("tiny")


def test_folder_that_cannot_be_written_to(folder, tiny):
    folder.cache.parent.mkdir(parents=True)
    folder.cache.write_text("a file")
    with pytest.raises(gc.DataError, match="cannot write"):
        datasets.load("tiny")


def test_unknown_checksum_is_recorded_and_said(folder, server, register, caplog):
    server.files["/g.txt"] = EDGES
    register(entry(graph=File("g.txt", server.url("/g.txt"))))
    with caplog.at_level("INFO", "graphclust"):
        datasets.download("tiny")
    assert "recorded" in caplog.text
    assert json.loads((folder.cache / "checksums.json").read_text()) == {"g.txt": sha(EDGES)}
    (folder.cache / "g.txt").unlink()
    datasets.download("tiny")
    (folder.cache / "g.txt").unlink()
    server.files["/g.txt"] = EDGES + b"1\t4\n"
    with pytest.raises(gc.DataError, match=r"as on the first download.*checksums.json"):
        datasets.download("tiny")
    assert folder.cached() == ["checksums.json"]
    (folder.cache / "checksums.json").write_text("{")
    with pytest.raises(gc.DataError, match="record of checksums is damaged"):
        datasets.download("tiny")


def test_progress_is_told(folder, tiny):
    tiny.files["/tiny.tsv"] = LABELS + b"# " + b"x" * 300_000 + b"\n"
    steps = []

    class Task:
        def __init__(self, description, total):
            steps.append((description, total))

        def __enter__(self):
            return lambda: steps.append(1)

        def __exit__(self, *_):
            return None

    with showing(Task), pytest.raises(gc.DataError, match="checksum"):
        datasets.download("tiny")
    assert steps[0] == ("downloading tiny.edgelist.gz", 100)
    assert steps.count(1) == 200


def test_any_edge_list_by_its_url(folder, server):
    server.files |= {
        "/data/ca-Tiny.txt.gz": gzip.compress(EDGES, mtime=0),
        "/get?id=1": b"1\t2\n",
        "/get?id=2": b"1\t2\n2\t3\n",
    }
    assert datasets.load(server.url("/data/ca-Tiny.txt.gz")).num_edges == 3
    assert [datasets.load(server.url(f"/get?id={i}")).num_edges for i in (1, 2)] == [1, 2]
    assert "127.0.0.1/data/ca-Tiny.txt.gz" in folder.cached()
    with pytest.raises(gc.DataError, match=rf"404.*put .* at {folder.path}"):
        datasets.load(server.url("/data/other.txt"))
    for url in (server.url("/a/../../b"), server.url("/"), "ftp://127.0.0.1/x"):
        with pytest.raises(gc.DataError, match="not the address of a file"):
            datasets.load(url)


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return stream.getvalue()


GML = """Creator "Mark Newman"
graph [ directed 1
 node [ id 1 label "a.com/x y" value 0 ] node [ id 2 label "b" value 1 ] node [ id 3 label "c" value 1 ]
 edge [ source 1 target 2 ] edge [ source 1 target 2 ] edge [ source 2 target 1 ] ]
"""


def test_newmans_archive_becomes_an_edge_list_with_labels(folder, server, register):
    server.files |= {"/t.zip": zipped(t__txt="read me", t__gml=GML), "/bad.zip": b"PK", "/empty.zip": zipped(a__txt="")}
    files = {"graph": File("classic/t.edgelist"), "labels": File("classic/t.labels.tsv")}

    def archived(url):
        return Entry(
            "t",
            "blogs",
            "MIT",
            "this test",
            "classic.load",
            {"directed": True, "classes": {"0": "left"}},
            files,
            Archive(server.url(url), "classic.unpack"),
        )

    for url, says in (("/bad.zip", "not a zip archive"), ("/empty.zip", "not a zip archive with"), ("/no.zip", "404")):
        register(archived(url))
        place = r"put these files below .*/data or .*classic/t.labels.tsv \(from"
        with pytest.raises(gc.DataError, match=f"{says}.*{place}"):
            datasets.load("t")
        assert folder.cached() == []
    register(archived("/t.zip"))
    graph = datasets.load("t")
    assert list(graph.edges()) == [("0", "1"), ("1", "0")]
    assert (graph.num_nodes, graph.y.tolist(), graph.meta["classes"]) == (3, [0, 1, 1], ["left", "1"])
    assert (folder.cache / "classic/t.labels.tsv").read_text() == "0\t0\ta.com/x y\n1\t1\tb\n2\t1\tc\n"
