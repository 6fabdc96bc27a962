"""Recognise files in unsupported formats by their first bytes, so that the error names them."""

from __future__ import annotations

import re

from graphclust.io.source import Source

__all__ = ["BEFORE_NEIGHBOURS", "FOREIGN_SUFFIXES", "JSON", "refuse_binary", "refuse_other_texts"]

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
_DOT = re.compile(rb"\s*(?:strict\s+)?(?:di)?graph\b[^\[{;]*\{", re.IGNORECASE)
JSON = re.compile(rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"])")  # the beginning of an object, or of a list of lists or objects
_ARRAY = re.compile(rb"\s*\[\[[\s0-9.e+-]+(?:\.\.\.[\s0-9.e+-]*)?\]")  # as NumPy prints it, without commas
_TGF = re.compile(r"\n#[ \t]*\r?\n")  # the line between the nodes and the edges
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<(?:\?xml|!doctype|svg|kml|gpx|osm|rdf)\b", re.IGNORECASE)
_GML = re.compile(rb"\s*(?:creator\s+\"[^\"]*\"\s*)?(?:version\s+\S+\s*)?graph\s*\[", re.IGNORECASE)
_TGF_BYTES = 1 << 18
BEFORE_NEIGHBOURS = re.compile(r"[^\s:,;]+\s*:(?:\s.*)?")  # a node, a colon and perhaps its neighbours
_TUPLE = re.compile(r"[(\[].*,.*[)\]],?")
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
    if _ARRAY.match(head) and b"," not in head[: head.find(b"]")]:
        raise source.error("this is an array as NumPy prints it: write it with numpy.savetxt")
    if JSON.match(head):
        raise source.error("this is JSON, not an edge list (--input-format json)")
    if _DOT.match(head):
        raise source.error(f"this is DOT (Graphviz), not an edge list: {FOREIGN_SUFFIXES['.dot'].partition(': ')[2]}")
    if _HTML.match(head):
        raise source.error("this is an HTML page, not an edge list: download the file itself")
    if head.startswith(b"version https://git-lfs"):
        raise source.error("this is a pointer of Git LFS, not the file: git lfs pull fetches it")
    if _XML.match(head):
        raise source.error("this is XML, not an edge list (GraphML and GEXF are the XML formats that can be read)")
    if _GML.match(head):
        raise source.error("this is GML, not an edge list (--input-format gml)")
    if re.fullmatch(rb"(?:40[0-9]:? *)?(?:Not Found|Access Denied|Forbidden)\s*", data[:100]):
        raise source.error("this is the message of a server, not the file itself")
    if _is_tgf(data[:_TGF_BYTES].decode(errors="replace")):
        raise source.error(f"this is TGF, not an edge list: {FOREIGN_SUFFIXES['.tgf'].partition(': ')[2]}")
    lines = [line.strip() for line in head.decode(errors="replace").split("\n")[:-1] if line.strip()][:20]
    if lines and all(map(_TUPLE.fullmatch, lines)):
        raise source.error(
            "the lines are tuples or lists in parentheses, as Python prints them: write the edges with "
            "networkx.write_edgelist, or without the parentheses"
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
