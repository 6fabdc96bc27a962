"""Functions that numba compiles on their first call, and the folder in which it keeps the machine code.

numba keeps the code beside the module or in the user's cache folder. Where neither can be written to, as in many
containers and on clusters, `compiled` chooses a folder for temporary files, or keeps the code in memory only.
`NUMBA_CACHE_DIR` names another folder.

A function that takes long to compile can be compiled by a process of its own, while this one goes on.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from graphclust.runtime.inner_functions import inner_compiler
from graphclust.runtime.notes import Note, log_notes

__all__ = ["await_compilation", "compile_beside", "compiled", "is_cached", "temporary_folder"]

_helpers: dict[str, subprocess.Popen[bytes]] = {}  # by the module that they compile

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Decorator(Protocol):
    def __call__(self, function: _Function) -> _Function: ...


def compiled(*, cache: bool = True, inner: bool = False, **options: Any) -> _Decorator:
    """Return numba's decorator for functions without Python objects.

    Parameters
    ----------
    cache : bool
        Whether to keep the code on disk, if there is a folder for it.
    inner : bool
        Whether only other compiled functions call the function. Its code is a part of theirs, and not kept by itself.
    **options
        Those of `numba.njit`. Functions that allocate no memory should say so by `_nrt=False`: they are loaded faster.

    Examples
    --------
    >>> @compiled(cache=False)
    ... def double(x):
    ...     return 2 * x
    >>> double(4)
    8
    """
    import numba  # which takes a while

    if inner:
        options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        if (compiler := inner_compiler()) is not None:
            options["pipeline_class"] = compiler
    decorate: _Decorator = numba.njit(cache=cache and not inner and _has_cache(), **options)

    def decorated(function: _Function) -> _Function:
        kernel = decorate(function)
        if options.get("_nrt") is False and not inner:
            _load_quickly(kernel)
        return kernel

    return decorated


def _load_quickly(kernel: Any) -> None:
    """Let a function that allocates no memory load its code from the cache without what only the compiler needs.

    Before it looks into the cache, numba imports its implementations of all functions and sets up its allocator, which
    takes half a second. Here it does so only if the code is not there or cannot be loaded without.
    """
    store = getattr(kernel, "_cache", None)
    load = getattr(store, "load_overload", None)
    load_only = getattr(store, "_load_overload", None)
    if store is None or load is None or load_only is None:  # nothing is cached, or this numba has another way
        return

    def load_overload(signature: Any, context: Any) -> Any:
        with contextlib.suppress(Exception):
            if (code := load_only(signature, context)) is not None:
                return code
        return load(signature, context)

    store.load_overload = load_overload


def usual_code_folder() -> Path | None:
    """Return where numba keeps compiled code unless NUMBA_CACHE_DIR says so: beside the package or in the home folder.

    None if neither can be written to.
    """
    from numba.misc import appdirs

    places: Any = appdirs
    folders = Path(__file__).parent / "__pycache__", Path(places.user_cache_dir("numba", appauthor=False))
    return next((folder for folder in folders if _is_writable(folder)), None)


@cache
def _has_cache() -> bool:
    """Whether there is a folder for the code; sets up one if the usual ones cannot be written to."""
    import numba

    settings: Any = numba.config
    if settings.CACHE_DIR:
        return _is_writable(Path(settings.CACHE_DIR))
    if usual_code_folder() is not None:
        return True
    folder = temporary_folder(_temporary_parents())
    where = "in memory, and compiled anew by each process" if folder is None else f"in {folder}"
    message = (
        f"neither the package's folder nor the home folder can be written to: compiled code is kept {where} "
        "(NUMBA_CACHE_DIR chooses a folder)"
    )
    log_notes([Note("compiled-code", message)])
    if folder is not None:
        settings.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(folder)  # for worker processes, too
    return folder is not None


def _temporary_parents() -> list[Path]:
    try:
        return [Path(tempfile.gettempdir())]
    except OSError:  # no folder of the machine can be written to
        return []


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def temporary_folder(parents: Sequence[Path]) -> Path | None:
    """Return a folder of the user's own in one of `parents`, None if there is none that nobody else can write to."""
    for parent in parents:
        folder = parent / f"graphclust-{os.getuid() if hasattr(os, 'getuid') else 'numba'}"
        if not _is_writable(parent):
            continue
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            status = folder.lstat()
        except OSError:
            continue
        is_own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        if stat.S_ISDIR(status.st_mode) and is_own and not status.st_mode & 0o022 and _is_writable(folder):
            return folder
    return None


def compile_beside(code: str, module: str, function: str) -> None:
    """Start a process that compiles a function, unless its code seems to be on disk.

    Nothing is imported to find out: this is for the start of a process, whose imports then go on at the same time.

    Parameters
    ----------
    code : str
        Statements that call the function.
    module : str
        Name of the function's module.
    function : str
    """
    if any(_indexes(module.rpartition(".")[2], function)):
        return
    nowhere = subprocess.DEVNULL
    # -P: not what lies in the user's folder. A compiler makes many objects and hardly any cycles.
    command = [sys.executable, "-P", "-c", f"import gc; gc.disable(); {code}"]
    with contextlib.suppress(OSError):  # no memory for another process
        helper = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        _helpers[module] = helper
        atexit.register(helper.terminate)


def _indexes(module: str, function: str) -> Iterator[Path]:
    """Yield the files in which numba may have listed the code of a function."""
    name = f"{module}.{function}-*.nbi"
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        yield from Path(folder).glob(f"*/{name}")
        return
    yield from Path(__file__).parent.parent.glob(f"*/__pycache__/{name}")
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    for parent in (cache_home / "numba", Path.home() / "Library" / "Caches" / "numba"):
        yield from parent.glob(f"*/{name}")
    for parent in _temporary_parents():
        yield from parent.glob(f"graphclust-*/*/{name}")


def await_compilation(module: str) -> None:
    """Wait for the process that `compile_beside` started for a module; if its code cannot be kept, end the process."""
    if (helper := _helpers.pop(module, None)) is not None:
        if not _has_cache():
            helper.terminate()
        helper.wait()


def is_cached(kernel: Any) -> bool:
    """Whether a function decorated with `compiled` is already compiled, in memory or in the cache."""
    if not hasattr(kernel, "stats"):  # NUMBA_DISABLE_JIT is set
        return True
    if kernel.signatures or kernel.stats.cache_path is None:
        return bool(kernel.signatures)
    # numba has no public way to ask whether its index of the code on disk is up to date
    index: Any = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    return bool(index._load_index()) if hasattr(index, "_load_index") else True
