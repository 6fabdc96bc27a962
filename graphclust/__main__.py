"""Entry point of the command line: `graphclust` and `python -m graphclust`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 success, 1 bad data, 2 wrong usage, 130 interrupted."""
    try:
        from graphclust.cli import run

        if argv is None and sys.argv[1:2] in (["detect"], ["compare"]):
            from graphclust.cli.startup import import_igraph

            import_igraph()
        return run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # during the import of the command line
        return 130


if __name__ == "__main__":
    sys.exit(main())
