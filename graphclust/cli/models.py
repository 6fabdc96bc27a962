"""graphclust models: list the trained models that come with the package, or describe one checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from graphclust.cli.common import check_format, output
from graphclust.cli.table import print_table

__all__ = ["models"]


def models(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHECKPOINT]", help="Describe this model in full: a name or a file.", show_default=False
        ),
    ] = None,
    *,
    format: Annotated[str, typer.Option(metavar="table|json|md", help="Output format.")] = "table",
) -> None:
    """List the trained models with their training data and their held-out scores."""
    from graphclust.training.checkpoints import cards, read_info, shipped

    check_format(format, "table", "json", "md")
    if format == "md":
        with output(None) as stream:
            stream.write(cards([checkpoint] if checkpoint else None).encode())
        return
    infos = {str(name): read_info(name) for name in ([checkpoint] if checkpoint else shipped())}
    with output(None) as stream:
        if format == "json":
            stream.write(json.dumps({name: asdict(info) for name, info in infos.items()}).encode() + b"\n")
        elif checkpoint:
            rows = [{"field": name, "value": value} for name, value in _flat(asdict(infos[checkpoint]))]
            print_table(rows, stream)
        else:
            print_table([_row(name, info) for name, info in infos.items()], stream)


def _row(name: str, info: Any) -> dict[str, Any]:
    return {
        "model": name,
        "method": info.model["model"],
        "encoder": info.model["encoder"],
        "features": info.model["features"],
        "family": info.data["family"],
        "nodes": "{}-{}".format(*info.n_nodes),
        "communities": "{}-{}".format(*info.n_clusters),
        "steps": info.steps,
        "elbo": info.held_out.get("elbo"),
        "ami": info.held_out.get("ami"),
    }


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Flatten nested dictionaries into rows with dotted names."""
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, value if isinstance(value, float) else str(value)))
    return rows
