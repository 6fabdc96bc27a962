"""Faster compilation of functions that only other compiled functions call.

numba optimizes each function together with all that it calls and turns it into machine code, and then does the same for
its callers. A function deep inside is optimized once for each level above it, and its own machine code is never run.
Here such a function stays as it is until it is part of one that Python calls. This takes a third off the time to
compile the loops of Markov chains, and the loops are as fast.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["inner_compiler"]

_USED = (
    "_finalize_dynamic_globals",
    "_finalize_final_module",
    "_optimize_final_module",
    "_verify_declare_only_symbols",
)


@cache
def inner_compiler() -> type[Any] | None:
    """Return numba's compiler, changed for inner functions, or None if this numba is built in another way.

    It is a value for `pipeline_class` in `numba.njit`. The functions have no wrappers and are not cached.
    """
    try:
        from numba.core.codegen import JITCodeLibrary
        from numba.core.compiler import Compiler
    except ImportError:
        return None
    if not all(hasattr(JITCodeLibrary, name) for name in _USED):
        return None
    library: Any = JITCodeLibrary
    base: Any = Compiler

    class Code:
        """A code generator that does not know where its functions will be: they have no address."""

        def __init__(self, generator: Any) -> None:
            self._generator = generator

        def set_env(self, name: str, environment: Any) -> None:
            """Do nothing: the environment belongs to a wrapper for Python."""

        def __getattr__(self, name: str) -> Any:
            return getattr(self._generator, name)

    class InnerLibrary(library):  # type: ignore[misc]
        """The code of a function, not optimized, and linked into that of its callers."""

        @property
        def codegen(self) -> Any:
            return Code(self._codegen)

        def get_pointer_to_function(self, name: str) -> int:
            self._ensure_finalized()
            return 0

        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

    class InnerCompiler(base):  # type: ignore[misc]
        def define_pipelines(self) -> Any:
            state = self.state
            state.library = InnerLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
            return super().define_pipelines()

    return InnerCompiler
