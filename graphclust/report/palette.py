"""The colours of communities, the same in figures and on pages.

The first eight stay apart for people with protanopia, deuteranopia and tritanopia: six of Okabe and Ito's colours and
two found by maximising the smallest distance in OKLab under all three simulations. The others maximise the smallest
distance for normal vision; there is no palette of many colours that everybody can tell apart. All of them show on
white and on near-black.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["COLORS", "SINGLETON", "community_colors"]

COLORS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#9d5bf4", "#8b5571"),
    *("#5fcf28", "#da1c66", "#756a17", "#f592fe", "#8dc096", "#af25a9", "#5285f8", "#fb9892"),
    *("#929b1c", "#aa92f3", "#1f7265", "#5454ea", "#7e79ae", "#d852d0", "#fb5668", "#bd8d65"),
)
SINGLETON = "#8b919b"


def community_colors(sizes: Iterable[int]) -> list[str]:
    """Colour of each community: the palette in turn, grey for communities of one node.

    Parameters
    ----------
    sizes : iterable of int, length n_clusters
        Number of nodes of community 0, 1, ...

    Returns
    -------
    list of str
        Colours as `#rrggbb`.

    Examples
    --------
    >>> community_colors([3, 2, 1])
    ['#0072b2', '#e69f00', '#8b919b']
    """
    return [COLORS[i % len(COLORS)] if size > 1 else SINGLETON for i, size in enumerate(sizes)]
