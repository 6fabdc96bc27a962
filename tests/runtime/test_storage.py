"""Arrays in files without a name."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from graphclust.errors import ResourceError, UsageError
from graphclust.runtime import storage as module
from graphclust.runtime.memory import parse_bytes
from graphclust.runtime.storage import Storage, is_mapped, new_array, prefetch, windows, without_readahead


@pytest.fixture(autouse=True)
def every_array_in_a_file(monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 0)
    monkeypatch.setattr(module, "_LEAST_WINDOW", 1)


def test_arrays_keep_what_is_written_and_leave_no_file(tmp_path):
    storage = Storage(1e6, str(tmp_path))
    array = storage.array(1000, np.int32)
    assert is_mapped(array)
    assert is_mapped(array[10:])
    assert not array.any()
    array[:] = np.arange(1000)
    storage.release()
    with without_readahead(array):
        prefetch(array[5:], [(0, 10), (900, 995)])
        assert array.sum() == 499_500
    assert storage.written == 4000
    assert list(tmp_path.iterdir()) == []


def test_a_storage_can_be_sent_to_other_processes():
    storage = Storage(1e6)
    array = storage.array(10, np.int32)
    copy = pickle.loads(pickle.dumps((storage, array)))
    assert copy[0].memory == storage.memory
    assert not is_mapped(copy[1])


def test_small_arrays_and_arrays_without_a_storage_are_in_memory(monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 100)
    assert not is_mapped(Storage(1e6).array(10, np.float64))
    assert not is_mapped(new_array(None, 1000, np.float64))
    prefetch(np.zeros(3), [(0, 3)])  # nothing to do


def test_windows_cover_all_rows_once():
    work = np.array([0, 5, 5, 1000, 1001, 2000])
    assert list(windows(None, work, 8)) == [(0, 5)]
    ranges = list(windows(Storage(8 * 8 * 100), work, 8))
    assert len(ranges) > 1
    assert [first for first, _ in ranges] == [0, *(last for _, last in ranges[:-1])]
    assert ranges[-1][1] == 5


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path, monkeypatch):
    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_space, raising=False)
    with pytest.raises(ResourceError, match="No space left on device; the environment variable TMPDIR"):
        Storage(1e6, str(tmp_path)).array(1000, np.int32)


@pytest.mark.skipif(sys.platform == "win32", reason="files have names there")
def test_a_killed_process_leaves_no_file(tmp_path):
    code = (
        "import sys, time, numpy as np; from graphclust.runtime.storage import Storage\n"
        "a = Storage(1e6, sys.argv[1]).array(1 << 22, np.int32); a[:] = 1; print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4e9), ("500 MB", 5e8), ("2G", 2**31), ("1.5GiB", 1.5 * 2**30), ("100", 100), (7, 7), (1e16, 1e16)],
)
def test_sizes_of_memory(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "4 apples", "1.2.3GB", "nan"])
def test_sizes_that_are_none(text):
    with pytest.raises(UsageError, match="a size of memory is a number and a unit"):
        parse_bytes(text)
