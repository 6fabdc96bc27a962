"""graphclust doctor: what graphclust finds on this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from graphclust.cli.common import check_format, output, say
from graphclust.cli.table import print_table

__all__ = ["doctor"]


def doctor(*, format: Annotated[str, typer.Option(metavar="table|json", help="Output format.")] = "table") -> None:
    """Show versions, optional libraries, threads, memory, GPU and caches; exit with 1 if something is wrong."""
    from graphclust.detection.environment import environment

    check_format(format, "table", "json")
    findings = environment()
    with output(None) as stream:
        if format == "json":
            stream.write(json.dumps([finding._asdict() for finding in findings], indent=1).encode() + b"\n")
        else:
            print_table([{"": finding.name, "found": finding.value} for finding in findings], stream)
    problems = [finding for finding in findings if finding.problem]
    for finding in problems:
        say(f"{finding.name}: {finding.problem}")
    if problems:
        raise typer.Exit(1)
