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
    """Show one line per running task on stderr. The line disappears when the task is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True, soft_wrap=True), transient=True, redirect_stdout=False
    ) as progress:

        @contextmanager
        def report(description: str, total: int | None) -> Iterator[Callable[[], None]]:
            # draw now: igraph holds the interpreter lock while it computes, and the refresh thread cannot run
            current = progress.add_task(description, total=total)
            progress.refresh()

            def advance() -> None:
                progress.advance(current)
                progress.refresh()

            try:
                yield advance
            finally:
                progress.remove_task(current)
                progress.refresh()  # clear the line before results are printed on the same screen

        with showing(report):
            yield
