import dataclasses
import functools
import json
import re
from html.parser import HTMLParser

import networkx as nx
import numpy as np
import pytest

from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.report import page as report
from graphclust.report.page import html_report
from graphclust.report.palette import COLORS
from graphclust.report.text import text_report
from graphclust.results.communities import Communities
from graphclust.results.hierarchy import Hierarchy
from graphclust.runtime.notes import Note

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- <script>",
    "{{data}}",
    '" onmouseover="alert(1)',
    "&lt;b&gt;",
    "\u2028\u0000\udcff",
)


class Page(HTMLParser):
    """What a browser would find: tags with their attributes, scripts by type, text outside of them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self.text, self.open = [], {}, "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "input"):
            self.open.append((tag, dict(attributes)))

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ("", {})
        if tag == "script":
            self.scripts[attributes.get("type", "text/javascript")] = data
        elif tag != "style":
            self.text += data

    @property
    def data(self):
        return json.loads(self.scripts["application/json"])


def result(graph, labels, **more):
    arguments = {"method": "leiden", "params": {"resolution": 1.5, "k": None}, "seconds": 0.25} | more
    return Communities(graph, np.asarray(labels, dtype=np.int64), **arguments)


@pytest.fixture
def karate():
    graph = as_graph(nx.karate_club_graph())
    club = nx.get_node_attributes(nx.karate_club_graph(), "club")
    labels = np.array([club[node] != "Mr. Hi" for node in graph.nodes])
    confidence = np.linspace(0.25, 1, 34)
    return result(
        graph,
        labels,
        confidence=confidence,
        notes=(Note("loops", "2 loops dropped"), Note("chosen", "auto chose leiden")),
    )


@pytest.fixture
def planted():
    graph = as_graph(nx.planted_partition_graph(25, 100, 0.1, 0.001, seed=2))
    return result(graph, np.repeat(np.arange(25), 100))


def hostile():
    graph = Graph.from_edges(range(6), range(1, 7), nodes=list(HOSTILE))
    return result(
        graph,
        [0, 0, 0, 0, 1, 1, 1],
        method=HOSTILE[0],
        notes=tuple(Note("hostile", text) for text in HOSTILE),
        params={HOSTILE[1]: HOSTILE[2]},
    )


ODD = {
    "empty": lambda: result(Graph.from_edges([], [], nodes=0), []),
    "one": lambda: result(Graph.from_edges([], [], nodes=["a"]), [0]),
    "isolated": lambda: result(Graph.from_edges([], [], nodes=70), range(70)),
    "many": lambda: result(Graph.from_edges(range(9999), range(1, 10_000), nodes=10_000), np.repeat(range(5000), 2)),
    "directed": lambda: result(Graph.from_edges([0, 1, 1], [1, 0, 1], [2, 3, 4], nodes=2, directed=True), [0, 0]),
    "hostile": hostile,
}


# -------------------------------------------------------------------- the page


@functools.cache
def page_of(name):
    return Page(html_report(ODD[name](), title=HOSTILE[0], manifest={"argv": list(HOSTILE)}))


@pytest.mark.parametrize("name", ODD)
def test_page_is_whole_and_loads_nothing(name):
    page = page_of(name)
    assert page.open == []
    assert [tag for tag, _ in page.tags].count("script") == 2
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert not {"src", "href", "action", "style"} & set(attributes)
        assert not any(attribute.startswith("on") for attribute in attributes)
    assert "{{" not in page.text.replace("{{data}}", "")
    assert page.data["drawn"]["nodes"] is not None


def test_page_names_no_network_address(karate):
    assert re.search(r"https?:|//\w+\.|url\(|@import|\bfetch\b|XMLHttp|\bimport\(", html_report(karate)) is None


def test_policy_allows_the_one_script(karate):
    import base64
    import hashlib

    page = Page(html_report(karate))
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.scripts["text/javascript"].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_data_equal_the_result(karate):
    data = Page(html_report(karate)).data
    graph = karate.graph
    assert data["nodes"] == list(map(str, karate.nodes))
    (level,) = data["levels"]
    assert level["labels"] == karate.labels.tolist()
    assert data["degree"] == [degree for _, degree in nx.karate_club_graph().degree()]
    assert np.allclose(data["certainty"], karate.confidence, atol=1e-4)
    assert level["sizes"] == karate.quality()["sizes"]
    assert tuple(data["palette"]) == COLORS
    drawn = data["drawn"]
    assert sorted(drawn["nodes"]) == list(range(34))
    ends = {
        frozenset((drawn["nodes"][a], drawn["nodes"][b])) for a, b in zip(drawn["source"], drawn["target"], strict=True)
    }
    assert ends == set(map(frozenset, zip(graph.source.tolist(), graph.target.tolist(), strict=True)))
    assert all(0 <= place <= 1 for place in drawn["x"] + drawn["y"])


def test_page_tells_the_figures(karate):
    page = Page(html_report(karate, title="A club", manifest={"seed": 7, "sha256": "ab" * 32}))
    for entry in ("A club", "leiden (resolution=1.5)", "34", "78", "2 loops dropped", "auto chose leiden", "ab" * 32):
        assert entry in page.text
    for name in ("modularity", "coverage", "mean_conductance", "max_conductance", "normalized_cut"):
        assert f"{karate.quality()[name]:.4f}" in page.text
    assert "paler node" in page.text


def test_title_is_the_file_by_default():
    graph = Graph.from_edges([0], [1], nodes=2, meta={"source": "/some/where/graph.edgelist"})
    assert "<h1>graph.edgelist</h1>" in html_report(result(graph, [0, 0]))


def test_page_says_what_it_leaves_out(planted, karate):
    page = Page(html_report(planted))
    assert "2,000 of 2,500 nodes drawn" in page.text
    assert len(page.data["drawn"]["nodes"]) == 2000
    assert len(page.data["nodes"]) == 2500
    assert " drawn: " not in Page(html_report(karate)).text
    dense = result(as_graph(nx.complete_graph(210)), np.zeros(210))
    assert "Self-loops are not drawn." in Page(html_report(ODD["directed"]())).text
    assert "20,000 of the 21,945 edges between them drawn" in Page(html_report(dense)).text


def test_chart_lists_the_largest_and_counts_the_rest():
    page = page_of("many")
    assert page.data["levels"][0]["listed"] == 50
    assert "and 4,950 more, 2 nodes each" in page.data["levels"][0]["more"]
    labels = [0, 0, 0, 1, 1, 2, 3]
    page = Page(html_report(result(Graph.from_edges([], [], nodes=7), labels)))
    assert page.data["levels"][0]["listed"] == 2
    assert "and 2 more, 1 node each" in page.data["levels"][0]["more"]


def test_levels_are_those_of_the_hierarchy():
    graph = as_graph(nx.planted_partition_graph(4, 8, 0.9, 0.05, seed=1))
    fine, coarse = np.repeat([2, 3, 0, 1], 8), np.repeat([1, 0], 16)
    hierarchy = Hierarchy(graph, (fine, coarse), "leiden")
    for labels, shown in ((fine, 0), (coarse, 1)):
        page = Page(html_report(result(graph, labels, hierarchy=hierarchy)))
        assert page.data["level"] == shown
        assert [level["labels"] for level in page.data["levels"]] == [fine.tolist(), coarse.tolist()]
        assert page.data["levels"][0]["parent"] == [0, 0, 1, 1]
        assert page.data["levels"][1]["parent"] is None
        assert "Levels of the hierarchy" in page.text
    alone = Page(html_report(result(graph, fine)))
    assert "Levels of the hierarchy" not in alone.text
    assert len(alone.data["levels"]) == 1


def test_a_table_too_long_holds_the_nodes_drawn(planted, monkeypatch):
    monkeypatch.setattr(report, "_MAX_NODES", 2400)
    page = Page(html_report(planted))
    data = page.data
    assert "Only the 2,000 nodes drawn are listed" in page.text
    assert len(data["nodes"]) == 2000
    assert sorted(data["drawn"]["nodes"]) == list(range(2000))
    names = list(map(str, planted.nodes))
    assert data["levels"][0]["labels"] == [planted.labels[names.index(node)] for node in data["nodes"]]


def test_hostile_ids_stay_text():
    page = Page(html_report(hostile(), title=HOSTILE[1]))
    assert page.data["nodes"] == list(HOSTILE)
    for text in HOSTILE[:6]:
        assert text in page.text
    html_report(hostile()).encode("utf-8")


def test_bytes_repeat_and_do_not_depend_on_the_seed_of_anything_else(karate):
    assert html_report(karate) == html_report(karate)
    assert html_report(karate, random_state=1) != html_report(karate, random_state=2)


def test_unknown_figures_are_dashes(karate):
    class Unmeasured(Communities):
        def quality(self):
            return {"modularity": float("nan"), "coverage": None}

    unknown = Unmeasured(**{f.name: getattr(karate, f.name) for f in dataclasses.fields(karate)})
    assert "NaN" not in Page(html_report(unknown)).scripts["application/json"]
    assert re.search(r"^modularity +–$", text_report(unknown), re.MULTILINE)


# -------------------------------------------------------------------- the terminal


def test_text_is_aligned_and_complete(karate):
    lines = dict(re.split(r"  +", line) for line in text_report(karate).splitlines())
    assert lines["nodes"] == "34"
    assert lines["edges"] == "78"
    assert lines["communities"] == "2"
    assert lines["sizes"] == "17, 17"
    assert lines["modularity"] == f"{karate.quality()['modularity']:.4f}"
    assert lines["method"] == "leiden (resolution=1.5)"
    assert len({len(re.match(r"\S+( \S+)*  +", line)[0]) for line in text_report(karate).splitlines()}) == 1


def test_text_of_many_communities_is_short():
    text = text_report(ODD["many"]())
    assert "2, 2, 2, 2, 2, 2, 2, 2 and 4,992 more" in text
    assert max(map(len, text.splitlines())) < 100


@pytest.mark.parametrize("name", ODD)
def test_text_has_an_answer_for_every_graph(name):
    assert "nodes" in text_report(ODD[name]())
