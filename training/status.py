"""What `make train-queue-status` prints: a line a row, from headers and logs alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from training.files import read_log
from training.runs import Run

__all__ = ["duration", "show"]

_HEAD = ("row", "steps", "goal", "graphs/s", "ELBO", "AMI", "time left", "")


def show(runs: Iterable[Run], under_way: str | None) -> str:
    """Return the table.

    Parameters
    ----------
    runs : iterable of Run
    under_way : str or None
        Name of the row that is being trained.
    """
    lines = [_HEAD, *(_cells(run, run.row.name == under_way) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for name, *numbers, verdict in lines:
        padded = (cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True))
        text.append("  ".join([name.ljust(widths[0]), *padded, verdict]).rstrip())
    return "\n".join(text)


def _cells(run: Run, under_way: bool) -> tuple[str, ...]:
    row = run.row
    is_here = run.log.exists() and run.saved >= max(run.compact, run.finished)
    log = read_log(run.log if is_here else run.committed_log)
    logged = [line["step"] for line in log if "elbo" in line] if is_here and under_way else []
    steps = max([run.saved, run.compact, run.finished, *logged[-1:]])
    goal = row.steps if run.finished < row.steps else row.full_steps
    speed = _latest(log, "graphs_per_second")
    scores: dict[str, Any] = _latest(log, "held_out") or {}
    left = None
    if speed and row.batch_size and steps < goal:
        left = (goal - steps) * row.batch_size / speed
    return (
        row.name,
        f"{steps:,}",
        f"{goal:,}",
        "-" if speed is None else f"{speed:.1f}",
        f"{scores['elbo']:.2f}" if "elbo" in scores else "-",
        f"{scores['ami']:.4f}" if "ami" in scores else "-",
        "-" if left is None else duration(left),
        _verdict(run, under_way),
    )


def _latest(log: list[dict[str, Any]], name: str) -> Any:
    return next((line[name] for line in reversed(log) if name in line), None)


def _verdict(run: Run, under_way: bool) -> str:
    """Say in words where a row stands."""
    if run.finished >= run.row.full_steps:
        return "finished"
    if under_way:
        return "training"
    if run.missing:
        return f"skipped: there is no {run.missing}"
    if reason := run.record.get("failed"):
        return f"failed: {reason}"
    if run.finished >= run.row.steps:
        return f"first goal of {run.row.steps:,} reached"
    return "begun" if run.has_begun else "waiting"


def duration(seconds: float) -> str:
    """Return a duration in words.

    Examples
    --------
    >>> duration(3700), duration(90)
    ('1 h 2 min', '2 min')
    """
    hours, minutes = divmod(-(-int(seconds) // 60), 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"
