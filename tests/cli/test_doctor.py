"""graphclust doctor: what it finds, and what it says is wrong."""

import json

import graphclust as gc
from graphclust.detection import environment as module


def test_a_table_of_findings(cli):
    done = cli("doctor")
    assert (done.code, done.err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in done.out.splitlines()[1:])
    assert rows["graphclust"].startswith(gc.__version__)
    assert rows["numba"][0].isdigit()
    assert "of" in rows["threads"]


def test_json(cli):
    findings = {row["name"]: row for row in json.loads(cli("doctor", "--format", "json").out)}
    assert {"Python", "torch", "GPU", "memory", "compiled code", "temporary files", "data sets"} <= set(findings)
    assert all(row["problem"] == "" for row in findings.values())


def test_a_package_that_cannot_be_written_to_is_not_wrong(monkeypatch, tmp_path):
    from graphclust.runtime import compilation

    own = compilation._is_writable
    monkeypatch.setattr(compilation, "_is_writable", lambda folder: folder.name != "__pycache__" and own(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (finding,) = (row for row in module.environment() if row.name == "compiled code")
    assert (finding.value, finding.problem) == (str(tmp_path / "numba"), "")
    monkeypatch.setattr(compilation, "_is_writable", lambda folder: False)
    (finding,) = (row for row in module.environment() if row.name == "compiled code")
    assert "each process compiles anew" in finding.problem


def test_what_is_wrong(cli, monkeypatch, tmp_path):
    own = module._version
    monkeypatch.setattr(module, "_version", lambda name: {"numba": "0.1", "networkx": None}.get(name, own(name)))
    monkeypatch.setenv("GRAPHCLUST_DATA", str(tmp_path / "none"))
    done = cli("doctor")
    assert done.code == 1
    assert "numba: graphclust needs numba" in done.err
    assert "networkx: pip install 'networkx" in done.err
    assert "data sets: there is no folder" in done.err
    assert "networkx         missing" in done.out
