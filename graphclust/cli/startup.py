"""A quick start: igraph without the plotting libraries that it imports where it finds them."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["import_igraph"]

_PLOTTING = ("matplotlib", "plotly", "cairo", "cairocffi")


def import_igraph() -> None:
    """Import igraph as if there were no plotting libraries: 0.03 s instead of 0.5 s.

    Only for processes that this command line owns: igraph cannot plot afterwards.
    """
    hidden: dict[str, Any] = {name: None for name in _PLOTTING if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        import igraph  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
