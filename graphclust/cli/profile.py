"""graphclust profile: partitions over the resolution, with their ranges and description lengths."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import typer

from graphclust.cli.common import (
    GraphPath,
    Output,
    Quiet,
    Reading,
    Seed,
    ThreadCount,
    check_figure,
    check_files,
    check_format,
    output,
    say,
)
from graphclust.cli.table import write_rows

__all__ = ["profile"]


def profile(
    graph: GraphPath,
    *,
    runs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Runs of Leiden; by default 40, or 24 for large graphs.", show_default=False
        ),
    ] = None,
    seed: Seed = 0,
    threads: ThreadCount = None,
    figure: Annotated[
        str | None,
        typer.Option(metavar="FILE.png|svg|pdf", help="Draw communities and description lengths over the resolution."),
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|tsv|csv|json", help="Output format.")] = "table",
    out: Output = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Show which partitions are optimal at which resolutions, beside the one that auto chooses.

    Prints a line for each partition that modularity prefers over a range of resolutions: the number of communities,
    modularity, the description length in nats (a star marks the shortest), and the agreement (AMI) with the partition
    of auto.
    """
    from graphclust.detection.profile import profile as profile_of
    from graphclust.io.files import replacing
    from graphclust.report.profiles import write_profile
    from graphclust.runtime.notes import log_notes
    from graphclust.runtime.threads import limited_threads

    check_format(format, "table", "tsv", "csv", "json")
    check_files({"--out": out, "--figure": figure}, graph=graph, nodes=reading.nodes)
    kind = check_figure(figure)
    loaded = reading.read(graph)
    with limited_threads(threads):
        result = profile_of(loaded, n_runs=runs, random_state=seed)
    log_notes(result.notes)
    if figure is not None:
        with replacing(figure) as stream:
            write_profile(result, stream, kind)
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(result.to_dict()).encode() + b"\n")
        else:
            rows = [row.to_dict() | {"shortest": "*" if row is result.shortest else ""} for row in result.rows]
            write_rows(rows, stream, format)
    if not quiet:
        say(_about_auto(result))


def _about_auto(profile: Any) -> str:
    """Say what `auto` chose, and where this is in the profile."""
    from graphclust.runtime.notes import counted

    auto, model = profile.auto, profile.auto.communities.details.get("model", "")
    text = (
        f"auto chose {counted(auto.n_clusters, 'community')} by the model {model}: modularity {auto.modularity:.4f}, "
        f"description length under planted {auto.description_length:,.1f} nats"
    )
    if not math.isnan(auto.resolution_from):
        return f"{text}; optimal at resolutions {auto.resolution_from:.3g} to {auto.resolution_to:.3g}"
    return f"{text}; like the communities of modularity at a resolution of {profile.resolution:.3g}"
