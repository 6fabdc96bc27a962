"""The colours of communities, shared by figures and HTML pages.

People with protanopia, deuteranopia or tritanopia can distinguish the first eight colours: six are Okabe and Ito's, and
two maximise the smallest distance in OKLab under simulations of all three. The other colours maximise the smallest
distance for normal vision, because no palette of many colours can be distinguished by everybody. All colours are
visible on white and on near-black.
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
    """Return the colour of each community: the palette in turn, and grey for communities of a single node.

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
