"""Progress on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from graphclust.runtime.progress import showing

__all__ = ["progress_shown"]


@contextmanager
def progress_shown() -> Iterator[None]:
    """Show a line for each task under way on stderr; it vanishes when the work is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True, soft_wrap=True), transient=True, redirect_stdout=False
    ) as progress:

        @contextmanager
        def report(description: str, total: int | None) -> Iterator[Callable[[], None]]:
            # igraph holds the interpreter while it computes: draw before, the refresh thread may not get a turn
            current = progress.add_task(description, total=total)
            progress.refresh()

            def advance() -> None:
                progress.advance(current)
                progress.refresh()

            try:
                yield advance
            finally:
                progress.remove_task(current)
                progress.refresh()  # nothing of it may stand on the screen when results are printed there

        with showing(report):
            yield
