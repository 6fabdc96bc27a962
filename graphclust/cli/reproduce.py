"""graphclust reproduce: a paper's table, ours beside the published one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from graphclust.cli.common import Output, Quiet, Seed, check_files, check_format, output, print_table, say
from graphclust.errors import UsageError

__all__ = ["reproduce"]


def reproduce(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="acp-table2", show_default=False)],
    *,
    graphs: Annotated[int | None, typer.Option(min=2, help="Test graphs; 500 by default.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Partitions drawn a graph for its point estimate.")] = 10,
    quick: Annotated[bool, typer.Option("--quick", help="50 graphs: a minute instead of several.")] = False,
    seed: Seed = 0,
    out: Output = None,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE.png", help="Draw the reliability of the co-membership probabilities.")
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json")] = "table",
    quiet: Quiet = False,
) -> None:
    """Print a paper's table: what we measure beside what was published, and the command that trains each row."""
    from graphclust.reproduce import table_named

    check_format(format, "table", "json")
    make = table_named(table)
    check_files("-", {"--out": out, "--figure": figure})
    if figure is not None and Path(figure).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"a figure is a file of png, pdf or svg: --figure {Path(figure).stem}.png")
    if quick and graphs is not None:
        raise UsageError("--quick is for few graphs: leave out one of --quick and --graphs")
    found = make(n_graphs=graphs or (50 if quick else 500), n_samples=samples, seed=seed)
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(found, indent=1).encode() + b"\n")
        else:
            columns: tuple[str, ...] = (
                "row",
                "paper_ami",
                "ami",
                "ami_se",
                "paper_elbo",
                "elbo",
                "k_right",
                "ms_per_graph",
            )
            columns += ("calibration_error", "order_spread", "n_failed", "graphs_trained", "full_size")
            rows = [*found["rows"], *found["peers"]]
            print_table([{name: _shown(row.get(name)) for name in columns} for row in rows], stream)
    if figure is not None:
        _draw(found, figure)
    if not quiet:
        for row in found["rows"]:
            if "ami" not in row:
                say(f"{row['row']}: no checkpoint is shipped; train it: {row['command']}")


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _draw(found: dict[str, Any], path: str) -> None:
    from graphclust.calibration import draw_reliability
    from graphclust.io.files import replacing

    with replacing(path) as stream:
        draw_reliability(found["calibration"], stream, path)
