"""Recognise files in unsupported formats by their first bytes, so that the error names them."""

from __future__ import annotations

import re

from graphclust.io.source import Source

__all__ = ["BEFORE_NEIGHBOURS", "DIMACS", "DL", "FOREIGN_SUFFIXES", "JSON", "refuse_binary", "refuse_other_texts"]

FOREIGN_SUFFIXES = {
    **dict.fromkeys((".dot", ".gv"), "DOT files of Graphviz are not supported: networkx.nx_pydot.read_dot reads them"),
    **dict.fromkeys((".pickle", ".pkl", ".gpickle"), "pickles are not supported, because loading one runs its code: "
                    "load it in Python and give the graph to graphclust.detect"),
    **dict.fromkeys((".lgl", ".lgr", ".vna"), "files of this kind are not supported: the program that wrote them can "
                    "convert them"),
    ".tgf": "TGF files are not supported: save the graph as GraphML",
    ".gt": "graph-tool files are not supported: save the graph as GraphML",
    ".xls": "old Excel files are not supported: save the sheet as .xlsx or CSV",
    ".ods": "OpenDocument files are not supported: save the sheet as .xlsx or CSV",
    **dict.fromkeys((".ttl", ".nt", ".rdf", ".n3", ".nq"), "RDF is not supported: write the edges of one relation as a "
                    "table"),
    **dict.fromkeys((".rds", ".rdata", ".rda"), "R data files are not supported: write the edges with write.csv, or "
                    "the graph with igraph's write_graph(format = \"graphml\")"),
    ".mat": "MATLAB files are not supported: load it with scipy.io.loadmat and give the matrix to graphclust.detect",
    **dict.fromkeys((".h5", ".hdf5", ".h5ad"), "HDF5 files are not supported: load it in Python and give the matrix to "
                    "graphclust.detect"),
    ".npy": "NumPy arrays are not supported: load it and give the array to graphclust.detect",
    ".feather": "Feather files are not supported: save the table as Parquet",
}  # fmt: skip
_BINARY = (
    (b"\x80[\x02-\x05]", "a Python pickle", ".pickle"),
    (b"\x89HDF", "an HDF5 file", ".h5"),
    (b"MATLAB 5.0", "a MATLAB file", ".mat"),
    (b"RD[AX][23]\n", "an R data file", ".rds"),
    (b"X\n\0\0", "an R data file", ".rds"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", ".xls"),
    (b"\xe2\x9b\xbe gt", "a graph-tool file", ".gt"),
    (b"\x93NUMPY", "a NumPy array", ".npy"),
    (b"ARROW1", "a Feather file", ".feather"),
    (b"SQLite format 3", "an SQLite database: write its edges as CSV", ""),
    (b"%PDF", "a PDF", ""),
    (b"\x89PNG|\xff\xd8\xff|GIF8", "an image", ""),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first", ""),
    (b"Rar!", "a RAR archive: unpack it first", ""),
    (b"\x7fELF|MZ", "a program", ""),
)
JSON = re.compile(rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"])")  # the beginning of an object, or of a list of lists or objects
DL = re.compile(rb"\s*dl\s+(?:n[mrc]?\s*=|format\s*=)", re.IGNORECASE)
DIMACS = re.compile(rb"\s*(?:c\b[^\n]*\n)*p\s+(?:edge|col|sp|max|min|tw|td)\s", re.IGNORECASE)
_TEXTS = (
    (
        re.compile(rb"\s*\[\[[\s0-9.e+-]*[0-9.]\s+[\s0-9.e+-]*(?:\.\.\.[\s0-9.e+-]*)?\]"),
        "an array as NumPy prints it",
        ": write it with numpy.savetxt",
    ),
    (JSON, "JSON", ", not an edge list (--input-format json)"),
    (DL, "UCINET's DL", ", not an edge list (--input-format dl)"),
    (DIMACS, "DIMACS", ", not an edge list (--input-format dimacs)"),
    (re.compile(rb"nodedef>", re.IGNORECASE), "GDF", ", not an edge list: Gephi exports it as GEXF, GraphML or CSV"),
    (
        re.compile(rb"\s*(?:strict\s+)?(?:di)?graph\b[^\[{;]*\{", re.IGNORECASE),
        "DOT (Graphviz)",
        f", not an edge list: {FOREIGN_SUFFIXES['.dot'].partition(': ')[2]}",
    ),
    (
        re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE),
        "an HTML page",
        ", not an edge list: download the file itself",
    ),
    (
        re.compile(rb"\s*<(?:\?xml|!doctype|svg|kml|gpx|osm|rdf)\b", re.IGNORECASE),
        "XML",
        ", not an edge list (GraphML and GEXF are the XML formats that can be read)",
    ),
    (
        re.compile(rb"\s*(?:creator\s+\"[^\"]*\"\s*)?(?:version\s+\S+\s*)?graph\s*\[", re.IGNORECASE),
        "GML",
        ", not an edge list (--input-format gml)",
    ),
    (re.compile(rb"version https://git-lfs"), "a pointer of Git LFS", ", not the file: git lfs pull fetches it"),
    (
        re.compile(rb"(?:40[0-9]:? *)?(?:Not Found|Access Denied|Forbidden)\s*\Z"),
        "the message of a server",
        ", not the file itself",
    ),
)
_TGF = re.compile(r"\n#[ \t]*\r?\n")  # the line between the nodes and the edges
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<(?:\?xml|!doctype|svg|kml|gpx|osm|rdf)\b", re.IGNORECASE)
_GML = re.compile(rb"\s*(?:creator\s+\"[^\"]*\"\s*)?(?:version\s+\S+\s*)?graph\s*\[", re.IGNORECASE)
_TGF_BYTES = 1 << 18
BEFORE_NEIGHBOURS = re.compile(r"[^\s:,;]+\s*:(?:\s.*)?")  # a node, a colon and perhaps its neighbours
_TUPLE = re.compile(r"[(\[].*,.*[)\]],?")
_TUPLE_IDS = re.compile(r"\([^()]*,[^()]*\)\s+\([^()]*,[^()]*\).*")
_TRIPLE = re.compile(r"<[^>\s]+>\s+<[^>\s]+>\s+(?:<[^>\s]+>|\".*\S)\s*\.")


def refuse_binary(source: Source) -> None:
    """Raise the DataError that names what a binary file is, if its first bytes tell."""
    for pattern, name, suffix in _BINARY:
        is_binary = re.search(rb"[^\t\n\v\f\r -~]", source.data[:512]) is not None or pattern.startswith(b"%PDF")
        if is_binary and re.match(pattern, source.data[:64]):
            advice = FOREIGN_SUFFIXES.get(suffix, "").partition(": ")[2]
            raise source.error(f"this is {name}" + (f": {advice}" if advice else ""))


def refuse_other_texts(source: Source, data: bytes) -> None:
    """Raise if a text is no table of edges but JSON, DOT, HTML, RDF or a list of Python tuples; the error names it."""
    head = data[:4096]
    for pattern, name, advice in _TEXTS:
        if pattern.match(head):
            raise source.error(f"this is {name}{advice}")
    if _is_tgf(data[:_TGF_BYTES].decode(errors="replace")):
        raise source.error(f"this is TGF, not an edge list: {FOREIGN_SUFFIXES['.tgf'].partition(': ')[2]}")
    lines = [line.strip() for line in head.decode(errors="replace").split("\n")[:-1] if line.strip()][:20]
    if lines and all(map(_TUPLE.fullmatch, lines)):
        raise source.error(
            "the lines are tuples or lists in parentheses, as Python prints them: write the edges with "
            "networkx.write_edgelist, or without the parentheses"
        )
    if lines and all(map(_TUPLE_IDS.fullmatch, lines)):
        raise source.error(
            "the ids are Python tuples, which have the separator in them: relabel the nodes before you write the edges "
            "(networkx.convert_node_labels_to_integers)"
        )
    if len(lines) > 1 and all(map(BEFORE_NEIGHBOURS.fullmatch, lines)):
        raise source.error("each line has a node, a colon and its neighbours: --input-format adjlist")
    if lines and all(map(_TRIPLE.fullmatch, lines)):
        raise source.error(f"this is RDF, not an edge list: {FOREIGN_SUFFIXES['.nt'].partition(': ')[2]}")


def _is_tgf(text: str) -> bool:
    """Whether a text lists nodes with their labels, and edges between them below a line with nothing but #."""
    match = _TGF.search(text)
    if match is None:
        return False
    nodes = {line.split()[0] for line in text[: match.start()].split("\n") if line.strip()}
    edges = [line.split() for line in text[match.end() :].split("\n")[:20] if line.strip()]
    return bool(edges) and all(len(words) > 1 and nodes.issuperset(words[:2]) for words in edges)
