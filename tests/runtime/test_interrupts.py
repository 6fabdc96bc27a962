"""Ctrl-C while igraph computes waits until it may come: once, to whoever handles it, and never inside."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import igraph
import pytest

import graphclust as gc
from graphclust.runtime.interrupts import interrupts_handled, uninterrupted


@pytest.fixture(autouse=True)
def _handler_is_kept():
    """Ctrl-C raises KeyboardInterrupt at first, also where tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    after = signal.signal(signal.SIGINT, before)
    assert after is signal.default_int_handler


def press():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def handled():
    """Handlers that raise nothing: what they were called with."""
    calls = []
    before = signal.signal(signal.SIGINT, lambda *signals: calls.append(signals))
    yield calls
    signal.signal(signal.SIGINT, before)


def test_it_comes_when_the_block_ends(caplog):
    done = []
    caplog.set_level("INFO", "graphclust")

    def run():
        with uninterrupted():
            press()
            done.append(list(caplog.messages))
            press()
            done.append("after another")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == [[], "after another"]
    assert caplog.messages == ["igraph cannot be interrupted: stopping when its current step is done"]
    with uninterrupted():
        done.append("not for the next block")
    assert len(done) == 3


def test_the_handler_of_before_gets_it_once(handled):
    with uninterrupted():
        press()
        press()
        assert not handled
    (number, frame), *more = handled
    assert (number, frame.f_code.co_name, more) == (signal.SIGINT, "press", [])


def test_blocks_inside_each_other():
    done = []

    def run():
        with uninterrupted():
            with uninterrupted():
                press()
            done.append("after the inner one")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done


def test_errors_go_their_way(handled):
    @uninterrupted()
    def fail():
        press()
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        fail()
    assert len(handled) == 1
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt) as caught:
        fail()
    assert isinstance(caught.value.__context__, ValueError)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_handlers_that_are_none_of_pythons_stay(handler, monkeypatch):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with uninterrupted():
            assert signal.getsignal(signal.SIGINT) is handler
            if handler is signal.SIG_IGN:
                press()
        assert signal.getsignal(signal.SIGINT) is handler
        with interrupts_handled(lambda *_: None):
            assert (signal.getsignal(signal.SIGINT) is handler) == (handler is signal.SIG_IGN)  # it stays ignored
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    with monkeypatch.context() as patch:
        patch.setattr("signal.getsignal", lambda _: None)  # it was set by other means than Python's
        patch.setattr("signal.signal", lambda *_: pytest.fail("it cannot be brought back"))
        with uninterrupted():
            pass


def test_other_threads_leave_signals_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def run():
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("method", ["leiden", "louvain", "infomap", "label-propagation", "auto"])
def test_compiled_methods_stop_within_a_second(method):
    graph = gc.generators.planted_partition(40_000, 100, p_in=0.02, p_out=0.0002, random_state=0)
    gc.METHODS[method](random_state=0).fit(graph)  # compiles: numba loses an interruption, or ends with an error

    def fit_forever():
        while True:
            gc.METHODS[method](random_state=0).fit(graph)

    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    start = time.perf_counter()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit_forever()
    finally:
        timer.join()
    assert time.perf_counter() - start < 0.3 + 1.0


def test_layouts_let_igraph_return_first(monkeypatch):
    from graphclust.report.layout import layout

    real, done = igraph.Graph.layout_fruchterman_reingold, []

    def interrupted(*args, **kwargs):
        press()
        done.append(real(*args, **kwargs))
        return done[-1]

    monkeypatch.setattr(igraph.Graph, "layout_fruchterman_reingold", interrupted)
    graph = gc.datasets.load("karate")
    with pytest.raises(KeyboardInterrupt):
        layout(graph, gc.detect(graph, "louvain").labels)
    assert len(done) == 1


def test_the_interpreter_survives():
    """igraph 1.0.0 ends more than half of such processes where an exception comes while it computes."""
    code = (
        "import os, signal, subprocess, graphclust as gc\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "g = gc.generators.planted_partition(2000, 5, p_in=0.05, p_out=0.045, random_state=0)\n"
        "gc.Infomap(random_state=0).fit(g); survived = 0\n"
        "for i in range(6):\n"
        "    kill = subprocess.Popen(['sh', '-c', f'sleep {0.1 + 0.05 * i}; kill -INT {os.getpid()}'])\n"
        "    try:\n"
        "        while True: gc.Infomap(random_state=i).fit(g)\n"
        "    except KeyboardInterrupt: survived += 1\n"
        "    kill.wait()\n"
        "print(survived, gc.detect('data:karate', 'infomap').n_clusters)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["6", "3"]), done.stderr


@pytest.mark.parametrize("source", ["raise KeyboardInterrupt", "import signal; signal.raise_signal(signal.SIGINT)"])
def test_the_status_is_130_wherever_the_interruption_comes(tmp_path, source):
    """Also inside `exec` of a string, as while a dataclass is imported: Python would then end itself by SIGINT."""
    (tmp_path / "interrupted.py").write_text(
        "import signal, sys\n"
        "import graphclust.cli\n"
        "from graphclust.__main__ import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"graphclust.cli.run = lambda argv: exec({source!r})\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")
