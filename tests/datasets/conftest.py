"""A folder of data sets that holds what a test puts there, and nothing of the machine's."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from graphclust.datasets import entries


@dataclass
class Folder:
    path: object
    cache: object

    def put(self, name, content):
        """Write text or bytes; compressed if the name says so."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") and data[:2] != b"\x1f\x8b" else data)
        return path

    def cached(self):
        """All files below the cache, also hidden and temporary ones."""
        return sorted(path.relative_to(self.cache).as_posix() for path in self.cache.rglob("*") if path.is_file())


@pytest.fixture
def folder(monkeypatch, tmp_path):
    made = Folder(tmp_path / "data", tmp_path / "cache" / "graphclust")
    made.path.mkdir()
    monkeypatch.setenv("GRAPHCLUST_DATA", str(made.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    return made


@pytest.fixture
def real(shared_data, monkeypatch):
    """The real data, and a cache that is empty."""
    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    return shared_data


@dataclass
class Server:
    """A web server: path -> bytes that it sends; `cut` says after how many bytes it hangs up."""

    port: int = 0
    files: dict = field(default_factory=dict)
    cut: dict = field(default_factory=dict)
    requested: list = field(default_factory=list)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def server():
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.requested.append(self.path)
            if self.path not in state.files:
                self.send_error(404)
                return
            data = state.files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: state.cut.get(self.path)])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.port = httpd.server_port
        yield state
        httpd.shutdown()
        thread.join()


@pytest.fixture
def register(monkeypatch):
    """Replace the registry by one entry, or several."""

    def replace(*graph):
        monkeypatch.setattr(entries, "registry", lambda: {entry.name: entry for entry in graph})

    return replace
