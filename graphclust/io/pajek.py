"""Pajek networks (.net; Batagelj and Mrvar, "Pajek: Program for Analysis and Visualization of Large Networks").

Ids are the labels if they are distinct, otherwise the vertices' numbers as strings. Read are the sections *Vertices,
*Arcs, *Edges, *Arcslist, *Edgeslist and *Matrix; coordinates, colours and time intervals are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io.reading import Draft, parse_int, parse_weight, require_nodes
from graphclust.io.source import Source, shorten, split_lines
from graphclust.io.writing import encode, id_texts, refuse_attributes

__all__ = ["KEEPS_IDS", "read", "write"]

KEEPS_IDS = True

# A quote inside a label is escaped by a backslash, or just stands there (networkx): the one that ends the label is
# followed by coordinates or the end of the line. If there is none such, the label ends at the first quote.
_VERTEX = re.compile(r"""[ \t]*(?P<number>[^ \t]+)(?:[ \t]+(?P<rest>.*))?""")
_QUOTED = re.compile(r"""\"((?:[^"\\]|\\["\\]|\\(?!["\\])|"(?![ \t]+[-+.0-9[]|[ \t]*\Z))*+)\"""")
_TO_QUOTE = re.compile(r'"([^"]*)"')
_ESCAPED = re.compile(r'\\(["\\])|&#([0-9]{1,7});')
_REFERENCE = re.compile(r"&(?=#[0-9]{1,7};)")
_BACKSLASH = re.compile(r'\\(?=["\\]|\Z)')
_UNWRITABLE = re.compile("[\0-\x08\n-\x1f\x7f]")
