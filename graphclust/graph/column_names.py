"""Names of columns and attributes: which ones mean the ends of edges, weights, times, ids and kinds of nodes."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from graphclust.errors import DataError

__all__ = [
    "COUNTERS",
    "NODE_NAMES",
    "PAIRS",
    "WEIGHT_NAMES",
    "are_column_names",
    "edge_columns",
    "find_column",
    "has_known_pair",
    "is_weight_name",
    "kinds_of_nodes",
    "list_columns",
    "meaning_of_name",
    "plain_name",
    "split_names",
    "stem_of_name",
    "weight_rank",
]

PAIRS = (
    ("source", "target"),
    ("src", "dst"),
    ("src", "dest"),
    ("src", "trg"),
    ("src", "tgt"),
    ("node1", "node2"),
    ("node_1", "node_2"),
    ("nodea", "nodeb"),
    ("fromnodeid", "tonodeid"),
    ("from_node_id", "to_node_id"),
    ("source_id", "target_id"),
    ("sourceid", "targetid"),
    ("id_1", "id_2"),
    ("id1", "id2"),
    ("numeric_id_1", "numeric_id_2"),
    ("user1", "user2"),
    ("follower", "followee"),
    ("tail", "head"),
    ("ego", "alter"),
    ("v1", "v2"),
    ("u", "v"),
    ("i", "j"),
    ("startid", "endid"),
    ("officialsymbolinteractora", "officialsymbolinteractorb"),
    ("protein1", "protein2"),
    ("proteina", "proteinb"),
    ("sender", "receiver"),
    ("sender", "recipient"),
    ("citing", "cited"),
    ("parent", "child"),
    ("subject", "object"),
    ("caller", "callee"),
    ("origin", "destination"),
    ("origin", "dest"),
    ("orig", "dest"),
    ("von", "nach"),
    ("from", "to"),  # these may be times as well
    ("start", "end"),
    ("begin", "end"),
)
WEIGHT_NAMES = (
    "weight", "weights", "w", "edgeweight", "value", "values", "count", "counts", "cnt", "n", "strength",
    "combinedscore", "score", "num", "number", "freq", "frequency", "similarity", "sim", "correlation", "corr", "cor",
    "rating", "amount", "total", "volume", "flow", "trips", "passengers", "intensity", "importance", "confidence",
    "probability", "prob", "affinity", "interactions", "collaborations", "cooccurrence", "cooccurrences", "messages",
    "thickness", "sign",
)  # fmt: skip
_TIMES = {
    "time", "times", "timestamp", "timestamps", "ts", "date", "dates", "datetime", "year", "years", "yr", "month",
    "day", "hour", "week", "when", "since", "created", "createdat", "createdutc", "updated", "epoch", "unixtime",
    "starttime", "endtime", "firstseen", "lastseen", "begintime", "eventtime", "t",
}  # fmt: skip
NODE_NAMES = (  # of the ids of nodes, best first
    "node", "id", "nodeid", "node_id", "name", "vertex", "key", "names", "vertices", "shared name",
)  # fmt: skip
COUNTERS = {
    "", "id", "edgeid", "linkid", "relid", "relationshipid", "rowid", "index", "idx", "row", "rownum", "rownumber",
    "no", "nr", "key", "eid", "uid", "unnamed0", "interactionid", "level0", "rownames",
}  # fmt: skip
_TYPES = {
    "type", "types", "label", "labels", "category", "class", "kind", "relation", "relationship", "rel", "reltype",
    "predicate", "color", "colour", "group", "layer", "status", "direction", "directed", "name", "description", "note",
    "comment",
}  # fmt: skip
_RELATIONS = {"relation", "relationship", "rel", "reltype", "predicate"}
_RANKS = {"rank", "ranking", "order", "position", "place"}
_DISTANCES = {"distance", "distances", "dist", "length", "cost", "costs", "traveltime", "km", "miles", "meters"}
_MARKERS = (
    ("source", "target"),
    ("from", "to"),
    ("src", "dst"),
    ("src", "dest"),
    ("sender", "receiver"),
    ("origin", "destination"),
    ("1", "2"),
    ("a", "b"),
)
_SECOND = {first: [second for one, second in _MARKERS if one == first] for first, _ in _MARKERS}
_PEOPLE = {
    "user", "customer", "client", "person", "member", "reader", "viewer", "listener", "student", "author", "actor",
    "artist", "borrower", "patient", "donor", "voter", "director", "reviewer", "employee", "player",
}  # fmt: skip
_THINGS = {
    "item", "product", "movie", "film", "book", "group", "event", "club", "course", "paper", "article", "song", "track",
    "business", "restaurant", "post", "tag", "page", "site", "category", "company", "skill", "job", "disease", "gene",
    "hotel", "anime", "game", "team", "city", "hashtag", "repo", "project", "subreddit",
}  # fmt: skip
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_NEO4J = re.compile(r"(.*):(start_id|end_id|type|id|label)(\(.*\))?", re.IGNORECASE)
_TYPED = re.compile(
    r"(.+):(int|long|float|double|string|boolean|byte|short|char|date\w*|time\w*)(\[\])?", re.IGNORECASE
)
_MAX_LISTED = 12


def plain_name(name: str) -> str:
    """Return a name without case, blanks, punctuation and the types that Neo4j appends."""
    text = name.strip().strip("#\"'").strip()
    if match := _NEO4J.fullmatch(text):
        text = match[2]
    elif match := _TYPED.fullmatch(text):
        text = match[1]
    return re.sub(r"[\W_]+", "", text).lower()


_PAIRS = tuple((first.replace("_", ""), second.replace("_", "")) for first, second in PAIRS)


def is_weight_name(name: str) -> bool:
    """Whether a column or an attribute of this name holds weights.

    Examples
    --------
    >>> is_weight_name("combined_score"), is_weight_name("year")
    (True, False)
    """
    return plain_name(name) in WEIGHT_NAMES


def has_known_pair(names: Sequence[str]) -> bool:
    """Whether a header has a well-known pair of names for the ends, such as source and target."""
    plain = {plain_name(name) for name in names}
    return any(first in plain and second in plain for first, second in _PAIRS)


def weight_rank(name: str) -> int | None:
    """Return the place of a name among those of weights, the best first; None for other names."""
    plain = plain_name(name)
    return WEIGHT_NAMES.index(plain) if plain in WEIGHT_NAMES else None


def edge_columns(names: Sequence[str]) -> tuple[int, int, int | None] | None:
    """Find the columns of an edge table by their names.

    Parameters
    ----------
    names : sequence of str
        The header.

    Returns
    -------
    tuple of int, or None
        Positions of source, target and weight (None without one); None if source and target are not named.

    Examples
    --------
    >>> edge_columns(["Id", "Source", "Target", "Weight"])
    (1, 2, 3)
    >>> edge_columns(["author1", "author2", "year"])
    (0, 1, None)
    """
    return _edge_columns(tuple(names))


@lru_cache(maxsize=256)  # files of JSON ask for the same names again and again
def _edge_columns(names: tuple[str, ...]) -> tuple[int, int, int | None] | None:
    plain = [plain_name(name) for name in names]
    counts = Counter(plain)
    ends = next(
        (
            (plain.index(first), plain.index(second))
            for first, second in _PAIRS
            if counts[first] == 1 and counts[second] == 1
        ),
        None,
    ) or _parallel_names(names)
    if ends is None:
        return None
    if (plain[ends[0]], plain[ends[1]]) == ("tail", "head") and not counts.keys().isdisjoint(_RELATIONS):
        ends = ends[::-1]  # in knowledge graphs, the head is the subject
    weight = next(
        (plain.index(name) for name in WEIGHT_NAMES if counts[name] == 1 and plain.index(name) not in ends), None
    )
    return (*ends, weight)


def are_column_names(names: Sequence[str]) -> bool:
    """Whether at least two of three or more words, and half of them, are usual names of columns.

    Examples
    --------
    >>> are_column_names(["source", "source", "target"]), are_column_names(["ann", "time", "bob"])
    (True, False)
    """
    usual = {*(name for pair in _PAIRS for name in pair), *WEIGHT_NAMES, *_TIMES, *COUNTERS, *_TYPES} - {""}
    n_usual = sum(plain_name(name) in usual for name in names)
    return len(names) > 2 and n_usual >= 2 and 2 * n_usual >= len(names)


def _parallel_names(names: Sequence[str]) -> tuple[int, int] | None:
    """Return two columns whose names differ in nothing but a marker, such as author1 and author2.

    Of author1, author2, author1_country and author2_country it is the first two, whose words are in the other names as
    well. None if there are no such columns, or several pairs of which none is the plain one.
    """
    place_of: dict[tuple[str, ...], int] = {}
    words_of = [tuple(word.lower() for word in _WORDS.findall(name)) for name in names]
    for i, words in enumerate(words_of):
        place_of.setdefault(words, i)
    alike = Counter(  # x1, x2 and x3 are rather features than ends
        (place, words[:place] + words[place + 1 :])
        for words in words_of
        if len(words) > 1
        for place in range(len(words))
    )
    pairs = []
    for i, words in enumerate(words_of):
        for place in range(len(words) if len(words) > 1 else 0):
            rest = words[:place] + words[place + 1 :]
            for second in _SECOND.get(words[place], ()):
                j = place_of.get((*words[:place], second, *words[place + 1 :]))
                if j is not None and alike[place, rest] == 2:
                    pairs.append((set(rest), i, j))
    plainest = [(i, j) for rest, i, j in pairs if all(rest <= other for other, _, _ in pairs)]
    return plainest[0] if len(plainest) == 1 else None


def kinds_of_nodes(names: Sequence[str]) -> tuple[str, str] | None:
    """Return the kinds of nodes that two columns name, such as user and movie; None unless both are known.

    Examples
    --------
    >>> kinds_of_nodes(["userId", "movieId"]), kinds_of_nodes([":START_ID(Person)", ":END_ID(Film)"])
    (('user', 'movie'), ('Person', 'Film'))
    """
    spaces = [match[3] for name in names if (match := _NEO4J.fullmatch(name.strip()))]
    if len(spaces) == 2 and all(spaces) and spaces[0] != spaces[1]:
        return spaces[0][1:-1], spaces[1][1:-1]
    first, second = (stem_of_name(name) for name in names)
    is_known = (first in _PEOPLE and second in _THINGS) or (first in _THINGS and second in _PEOPLE)
    return (first, second) if is_known else None


def stem_of_name(name: str) -> str:
    """Return the name of a column of ids without "id"."""
    plain = plain_name(name)
    return plain.removesuffix("ids").removesuffix("id") or plain


def meaning_of_name(name: str) -> str | None:
    """Describe a column that holds neither ends nor weights, by its name; None if the name is unknown."""
    plain = plain_name(name)
    if plain in _TIMES or re.search(r"(time|date|year)(stamp)?$", plain):
        return "a time"
    if plain in COUNTERS:
        return "a number of the row" if plain in ("", "unnamed0") else "an id"
    if len(plain) > 2 and re.search(r"id$", plain):
        return "an id"
    if plain in _TYPES:
        return "a type"
    if plain in _RANKS:
        return "a rank"
    return "a distance" if plain in _DISTANCES else None


def find_column(name: str, names: Sequence[str] | None, n_columns: int) -> int:
    """Return the position of the column that a user names, or counts from 1.

    Raises
    ------
    DataError
        There is no such column; the message lists the columns.

    Examples
    --------
    >>> find_column("2", ["a", "b"], 2), find_column("B", ["a", "b"], 2)
    (1, 1)
    """
    known = [text.strip() for text in names or ()]
    if name.isdecimal() and 1 <= int(name) <= n_columns:
        return int(name) - 1
    for spell in (str, str.lower, plain_name):
        places = [i for i, text in enumerate(known) if spell(text) == spell(name.strip())]
        if len(places) == 1:
            return places[0]
        if places:
            raise DataError(f"several columns are called {name}: give the number of one, counted from 1")
    if known:
        raise DataError(f"there is no column {name!r}: the {n_columns} columns are {list_columns(known)}")
    hint = "" if name.isdecimal() else " (the first line names no columns: --header, if it does)"
    raise DataError(f"there is no column {name!r}: the table has {n_columns} columns{hint}")


def list_columns(names: Sequence[str]) -> str:
    """Return the names of columns as one text, cut if there are many."""
    shown = [name or "(no name)" for name in names[:_MAX_LISTED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def split_names(text: str) -> tuple[str, ...]:
    """Split the names of columns at commas; a name with a comma stands in quotation marks.

    Examples
    --------
    >>> split_names('a,"b, c"')
    ('a', 'b, c')
    """
    return tuple(next(csv.reader([text], skipinitialspace=True), []))
