"""What networkx shows of its backend graphclust. It is read at each import of networkx: nothing heavy is imported."""

from __future__ import annotations

from typing import Any

__all__ = ["FUNCTIONS", "get_info"]

FUNCTIONS = {
    "asyn_lpa_communities": "Undirected graphs. At the end, no label is more common around a node than its own.",
    "fast_label_propagation_communities": "Directions are ignored, as in networkx; random numbers differ.",
    "greedy_modularity_communities": "The same communities as those of networkx.",
    "label_propagation_communities": "Nodes are visited in an order of their own; the result is always the same.",
    "leiden_communities": "Moves, refinement and aggregation on all cores, until nothing changes or four times.",
    "leiden_partitions": "The parts of the communities on each level, the smallest first.",
    "louvain_communities": "Undirected graphs. Random numbers differ from those of networkx.",
    "louvain_partitions": "Undirected graphs. Random numbers differ from those of networkx.",
    "modularity": "As in networkx.",
    "partition_quality": "As in networkx.",
}


def get_info() -> dict[str, Any]:
    """Return the description of the backend for networkx's documentation."""
    return {
        "backend_name": "graphclust",
        "project": "graphclust",
        "package": "graphclust",
        "short_summary": "Community detection by compiled, multithreaded loops.",
        "functions": {name: {"additional_docs": text} for name, text in FUNCTIONS.items()},
    }
