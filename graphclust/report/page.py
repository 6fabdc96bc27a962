"""The report of a result as a self-contained HTML page.

The page is a single file that contains its data, style and script and loads nothing. Its Content-Security-Policy
forbids all requests, and all scripts except the one whose checksum it lists. Node ids and notes are untrusted text:
they are escaped in the page, and the script treats them as plain text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.graph import Graph
from graphclust.report.layout import Drawing, draw
from graphclust.report.palette import COLORS, SINGLETON
from graphclust.report.sankey import sankey_svg
from graphclust.report.text import _QUALITY, Clustering, _method_and_parameters, _number
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import Note, counted

if TYPE_CHECKING:
    from graphclust.results.changes import Changes
    from graphclust.results.cover import Cover

__all__ = ["html_report"]

_LEVELS = """<section>
    <h2 id="levels-title">Levels of the hierarchy</h2>
    <p class="muted small">Each column is a level, the coarsest first. Click a community to see what is in it, and again
      to go back. The buttons say by which level the drawing and the table are coloured.</p>
    <div class="tools" id="levels" role="group" aria-labelledby="levels-title"></div>
    <div class="panel"><svg id="tree" role="img" aria-label="Communities within communities"></svg></div>
  </section>"""
_MAX_SCORES = 60  # starting partitions in the table of scores
_MAX_SIZES = 50  # communities in the chart
_CHANGED = {"old_size": "Size before", "new_size": "Size now", "arrived": "Arrived", "gone": "Gone"}
_MAX_EDGES_OF_LINKS = 50_000  # of a graph whose links are listed: half a second
_N_LINKS = 8
_MAX_NODES = 500_000  # nodes in the table; with more, the page would have tens of megabytes


def html_report(
    communities: Clustering,
    *,
    title: str | None = None,
    manifest: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> str:
    """Return a self-contained HTML page with key figures, a drawing, sizes, quality and a table of the nodes.

    Parameters
    ----------
    communities : Communities
    title : str, optional
        Heading of the page. The default is the name of the graph's file.
    manifest : mapping, optional
        Record of the run (version, checksum of the input, seed, timings), shown in a collapsed section.
    random_state : int
        Seed of the drawing.

    Returns
    -------
    str
        The page, to be written as UTF-8. The same arguments give the same bytes.
    """
    graph = communities.graph
    sizes = np.bincount(communities.ranks)
    drawing = draw(graph, communities.ranks, random_state=random_state)
    listed = np.arange(graph.num_nodes) if graph.num_nodes <= _MAX_NODES else np.sort(drawing.nodes)
    template = files("graphclust.report").joinpath("page.html").read_text(encoding="utf-8")
    script = template[template.rindex("<script>") + len("<script>") : template.rindex("</script>")]
    parts = {
        "title": _text(title or PurePath(str(graph.meta.get("source", ""))).name or "Communities of a graph"),
        "method": _text(_method_and_parameters(communities)),
        "version": _text(_version()),
        "cards": _cards(communities, sizes),
        "caption": _text(_caption(graph, drawing, bool(communities.certainty))),
        "quality": _quality_rows(communities.quality()),
        "communities": _communities(communities),
        "notes": _notes(communities.notes),
        "overlap": _overlap(communities.cover),
        "changes": _changes(communities.changes),
        "links": _links(communities),
        "explanation": _explanation(communities.details),
        "levels": "" if len(_levels(communities)) == 1 else _LEVELS,
        "listed": ""
        if len(listed) == graph.num_nodes
        else f"<p>Only the {len(listed):,} nodes drawn are listed: {graph.num_nodes:,} are too many for a page.</p>",
        "manifest": _manifest(manifest),
        "data": _json(_payload(communities, sizes, drawing, listed)),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    # a single pass, so that inserted text is never searched for placeholders
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _payload(communities: Clustering, sizes: IntArray, drawing: Drawing, listed: IntArray) -> dict[str, Any]:
    """Return the data of the page's script. Row i of the table of nodes is the node at position listed[i]."""
    graph, nodes = communities.graph, communities.nodes
    name, certainty = next(iter(communities.certainty.items()), ("", None))
    return {
        "nodes": [str(nodes[i]) for i in listed.tolist()],
        "degree": graph.degree(weighted=False)[listed].astype(np.int64).tolist(),
        "certainty": None if certainty is None else np.nan_to_num(certainty[listed]).round(4).tolist(),
        "certainty_name": name,
        "levels": _level_rows(_levels(communities), listed),
        "level": next(i for i, level in enumerate(_levels(communities)) if level is communities.ranks),
        "numbers": None if communities.hierarchy is not None else communities.numbers.tolist(),
        "palette": COLORS,
        "singleton": SINGLETON,
        "drawn": {
            "nodes": np.searchsorted(listed, drawing.nodes).tolist(),
            "x": drawing.position[:, 0].round(4).tolist(),
            "y": drawing.position[:, 1].round(4).tolist(),
            "source": drawing.source.tolist(),
            "target": drawing.target.tolist(),
        },
    }


def _levels(communities: Clustering) -> list[IntArray]:
    """Return the labels on each level of a hierarchy, the finest first; one of them is the result, by rank."""
    labels = communities.ranks
    levels = () if communities.hierarchy is None else communities.hierarchy.levels
    rows = [labels if np.array_equal(level, labels) else level for level in levels]
    return rows if any(row is labels for row in rows) else [labels]


def _level_rows(levels: Sequence[IntArray], listed: IntArray) -> list[dict[str, Any]]:
    """Return the data of each level: labels of the nodes listed, and of each community its size and its parent."""
    rows: list[dict[str, Any]] = []
    for place, labels in enumerate(levels):
        sizes = np.bincount(labels)
        first = np.unique(labels, return_index=True)[1]
        parent = None if place == len(levels) - 1 else levels[place + 1][first].tolist()
        rows.append(
            {
                "labels": labels[listed].tolist(),
                "sizes": sizes.tolist(),
                "listed": _n_listed(sizes),
                "more": _more(sizes),
                "parent": parent,
            }
        )
    return rows


def _json(payload: Any) -> str:
    """Serialise for a script element: without "<", no value can contain `</script` or `<!--`."""
    return json.dumps(payload, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _text(value: Any) -> str:
    """Escape for HTML. Lone surrogates, which cannot be encoded, become question marks."""
    return escape(str(value).encode("utf-8", "replace").decode())


def _version() -> str:
    try:
        return version("graphclust")
    except PackageNotFoundError:  # imported from a source tree
        return "(not installed)"


def _cards(communities: Clustering, sizes: IntArray) -> str:
    graph, quality = communities.graph, communities.quality()
    kind = ", ".join(
        word for word, applies in (("directed", graph.directed), ("weighted", graph.is_weighted)) if applies
    )
    largest = int(sizes.max()) if len(sizes) else 0
    singletons = int((sizes == 1).sum())
    cards: list[tuple[str, Any, str]] = [
        ("Nodes", graph.num_nodes, ""),
        ("Edges", graph.num_edges, kind),
        ("Communities", communities.n_clusters, f"{singletons:,} of one node" if singletons else ""),
        ("Largest", largest, f"{100 * largest / graph.num_nodes:.3g}% of all nodes" if largest else ""),
        ("Modularity", quality.get("modularity"), ""),
        ("Coverage", quality.get("coverage"), ""),
    ]
    for name, values in communities.certainty.items():
        if len(values):
            cards.append((f"Mean {name}", float(values.mean()), f"{np.mean(values < 0.9):.0%} below 0.9"))
    cards.append(("Seconds", communities.seconds, ""))
    return "".join(
        f"<div><dt>{name}</dt><dd>{_number(value)}{f'<small>{note}</small>' if note else ''}</dd></div>"
        for name, value, note in cards
    )


def _caption(graph: Graph, drawing: Drawing, has_certainty: bool) -> str:
    sentences = []
    if len(drawing.nodes) < graph.num_nodes:
        sentences.append(
            f"{len(drawing.nodes):,} of {graph.num_nodes:,} nodes drawn: the best connected of each community, in "
            "proportion to its size."
        )
    if len(drawing.source) < drawing.n_edges:
        sentences.append(
            f"{len(drawing.source):,} of the {drawing.n_edges:,} edges between them drawn, chosen at random."
        )
    if graph.num_self_loops:
        sentences.append("Self-loops are not drawn.")
    if has_certainty:
        sentences.append("The community of a paler node is less certain.")
    return " ".join(sentences) or "All nodes and edges drawn."


def _n_listed(sizes: IntArray) -> int:
    """Return the number of communities in the chart, which omits communities of a single node if there are others."""
    larger = int((sizes > 1).sum())
    return min(larger or len(sizes), _MAX_SIZES)


def _more(sizes: IntArray) -> str:
    rest = sizes[_n_listed(sizes) :]
    if not len(rest):
        return ""
    if len(rest) == 1:
        return f"and 1 more, {counted(int(rest[0]), 'node')}"
    if rest.min() == rest.max():
        return f"and {len(rest):,} more, {counted(int(rest.max()), 'node')} each"
    return f"and {len(rest):,} more, {rest.min():,} to {rest.max():,} nodes"


def _quality_rows(quality: Mapping[str, Any]) -> str:
    return "".join(
        f'<tr><th scope="row">{name.replace("_", " ").capitalize()}</th>'
        f'<td class="number">{_number(quality[name])}</td><td class="muted small">{meaning}</td></tr>'
        for name, meaning in _QUALITY.items()
        if name in quality
    )


def _notes(notes: Iterable[Note]) -> str:
    items = "".join(f"<li>{_text(note)}</li>" for note in notes)
    return f"<ul>{items}</ul>" if items else '<p class="muted">None.</p>'


def _communities(communities: Clustering) -> str:
    """Return a section with the largest communities and their strongest members."""
    rows = communities.describe()
    if not rows:
        return ""
    lines = "".join(
        f'<tr><th scope="row">{row["community"]}</th><td class="number">{row["size"]:,}</td>'
        f'<td class="number">{_number(row["density"])}</td><td class="number">{_number(row["conductance"])}</td>'
        f"<td>{_text(', '.join(map(str, row['members'])))}</td></tr>"
        for row in rows[:_MAX_SIZES]
    )
    more = f"<p>The {_MAX_SIZES} largest of {len(rows):,}.</p>" if len(rows) > _MAX_SIZES else ""
    return (
        "<section><details><summary><h2>Communities and their strongest members</h2></summary>"
        '<table class="quality"><thead><tr><th>Community</th><th>Nodes</th><th>Density</th><th>Conductance</th>'
        f"<th>Largest degrees inside</th></tr></thead><tbody>{lines}</tbody></table>{more}</details></section>"
    )


def _overlap(cover: Cover | None) -> str:
    """Return a section with the nodes that are in several communities, those in the most first."""
    if cover is None:
        return ""
    n = cover.n_overlapping
    share = f"{counted(n, 'node')} of {len(cover.nodes):,} {'is' if n == 1 else 'are'} in several communities."
    several = sorted((row for row in cover.memberships.items() if len(row[1]) > 1), key=lambda row: -len(row[1]))
    lines = "".join(
        f'<tr><th scope="row">{_text(node)}</th><td>'
        + ", ".join(f"{label} ({weight:.0%})" for label, weight in row.items())
        + "</td></tr>"
        for node, row in several[:_MAX_SIZES]
    )
    table = (
        '<table class="quality"><thead><tr><th>Node</th><th>Communities, and the share of its edges to them</th></tr>'
        f"</thead><tbody>{lines}</tbody></table>"
    )
    more = f"<p>{_MAX_SIZES} of them; the result has all.</p>" if n > _MAX_SIZES else ""
    return (
        f"<section><details open><summary><h2>Overlap</h2></summary><p>{share}</p>"
        f"{table if n else ''}{more}</details></section>"
    )


def _changes(changes: Changes | None) -> str:
    """Return a section with a Sankey diagram of what has changed, and a table of the communities that have."""
    if changes is None:
        return ""
    rows = [row for row in changes.communities if row["change"] or row["arrived"] or row["gone"]]
    lines = "".join(
        "<tr>"
        + "".join(f"<td>{'' if row[name] is None else _text(row[name])}</td>" for name in ("old", "new"))
        + "".join(f'<td class="number">{row[name]:,}</td>' for name in _CHANGED)
        + f"<td>{_text(row['change'])}</td></tr>"
        for row in rows[:_MAX_SIZES]
    )
    heads = "".join(f"<th>{name}</th>" for name in ("Before", "Now", *_CHANGED.values(), "Change"))
    table = f'<table class="quality"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>' if rows else ""
    more = f"<p>The {_MAX_SIZES} largest of {len(rows):,}.</p>" if len(rows) > _MAX_SIZES else ""
    return (
        f"<section><details open><summary><h2>What has changed</h2></summary><p>{_text(changes)}.</p>"
        f"{sankey_svg(changes)}{table}{more}</details></section>"
    )


def _links(communities: Clustering) -> str:
    """Return a section with probable missing edges and doubtful present ones, unless the graph is large."""
    if not 0 < communities.graph.num_edges <= _MAX_EDGES_OF_LINKS:
        return ""
    links = communities.links(_N_LINKS)
    tables = [
        "".join(
            f'<tr><th scope="row">{_text(first)}</th><td>{_text(second)}</td><td class="number">{value:.3f}</td></tr>'
            for first, second, value in rows
        )
        for rows in (links.missing, links.doubtful)
    ]
    parts = [
        f'<div><h3>{title}</h3><table class="quality"><tbody>{lines}</tbody></table></div>'
        for title, lines in zip(("Probably missing", "Doubtful"), tables, strict=True)
        if lines
    ]
    if not parts:
        return ""
    return (
        "<section><details><summary><h2>Edges that may be missing, or doubtful</h2></summary><p>Their probabilities, "
        f'given the communities and all other pairs.</p><div class="split even">{"".join(parts)}</div></details>'
        "</section>"
    )


def _explanation(details: Mapping[str, Any]) -> str:
    """Return a section with the scores of the partitions from which the result was chosen."""
    scores = details.get("scores")
    if not scores:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_text(row["start"])}</th><td>{_text(row["model"])}</td>'
        f'<td class="number">{row["n_clusters"]:,}</td><td class="number">{row["description_length"]:,.1f}</td></tr>'
        for row in scores[:_MAX_SCORES]
    )
    chains = details.get("chains")
    summary = (
        f"The result has the shortest description length, {details['description_length']:,.1f} nats: the partition of "
        f"{details['start']} under the model {details['model']}."
    )
    if chains:
        summary += (
            f" Used {chains['n_kept']} of {chains['n_chains']} Markov chains;"
            f" effective samples: {chains['effective_samples']:,.0f};"
            f" R-hat: {'infinite' if chains['r_hat'] is None else chains['r_hat']}."
        )
    return (
        f"<section><details><summary><h2>How it was chosen</h2></summary><p>{_text(summary)}</p>"
        '<table class="quality"><thead><tr><th>Start</th><th>Model</th><th>Communities</th>'
        f"<th>Description length, nats</th></tr></thead><tbody>{rows}</tbody></table></details></section>"
    )


def _manifest(manifest: Mapping[str, Any] | None) -> str:
    if manifest is None:
        return ""
    text = json.dumps(manifest, indent=2, default=str, ensure_ascii=False)
    return (
        f"<section><details><summary><h2>How this was made</h2></summary><pre>{_text(text)}</pre></details></section>"
    )
