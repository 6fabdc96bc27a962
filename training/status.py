"""The output of `make train-queue-status`: one line per row, computed from headers and logs alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from training.files import read_log
from training.runs import Run

__all__ = ["duration", "show"]

_HEAD = ("row", "steps", "goal", "graphs/s", "ELBO", "AMI", "time left", "")


def show(runs: Iterable[Run], current: str | None) -> str:
    """Return the table of all rows.

    Parameters
    ----------
    runs : iterable of Run
    current : str or None
        Name of the row that is being trained.
    """
    lines = [_HEAD, *(_cells(run, run.row.name == current) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for name, *numbers, verdict in lines:
        padded = (cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True))
        text.append("  ".join([name.ljust(widths[0]), *padded, verdict]).rstrip())
    return "\n".join(text)


def _cells(run: Run, is_training: bool) -> tuple[str, ...]:
    row = run.row
    has_newest_log = run.log.exists() and run.saved >= max(run.compact, run.finished)
    log = read_log(run.log if has_newest_log else run.committed_log)
    logged = [line["step"] for line in log if "elbo" in line] if has_newest_log and is_training else []
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
        _verdict(run, is_training),
    )


def _latest(log: list[dict[str, Any]], name: str) -> Any:
    return next((line[name] for line in reversed(log) if name in line), None)


def _verdict(run: Run, is_training: bool) -> str:
    """Describe the progress of a row."""
    if run.finished >= run.row.full_steps:
        return "finished"
    if is_training:
        return "training"
    if run.missing:
        return f"skipped: {run.missing} is missing"
    if reason := run.record.get("failed"):
        return f"failed: {reason}"
    if run.finished >= run.row.steps:
        return f"first goal of {run.row.steps:,} reached"
    return "started" if run.has_begun else "waiting"


def duration(seconds: float) -> str:
    """Format a duration.

    Examples
    --------
    >>> duration(3700), duration(90)
    ('1 h 2 min', '2 min')
    """
    hours, minutes = divmod(-(-int(seconds) // 60), 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"
