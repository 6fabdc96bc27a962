"""The page in a real browser, from file://, as people open it."""

import shutil

import networkx as nx
import numpy as np
import pytest

from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.report.page import html_report
from graphclust.results.communities import Communities
from graphclust.results.hierarchy import Hierarchy
from graphclust.runtime.notes import Note

pytestmark = pytest.mark.browser

HOSTILE = ["</script><script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">", "<!--"]
# Numbers of distinct colours, and of pixels unlike the corner, on the canvas.
PIXELS = """
const canvas = document.getElementById("drawing");
const words = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
return [new Set(words).size, words.filter((word) => word !== words[0]).length];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver_path = shutil.which("chromedriver")
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if driver_path is None or browser_path is None:
        pytest.skip("no Chromium or no chromedriver on the path")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser_path
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--window-size=1300,1000"),
    ):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver_path)) as driver:
        yield driver


@pytest.fixture
def show(browser, tmp_path):
    """Open the page of a result; at the end the console must be empty."""

    def opened(communities, **options):
        path = tmp_path / "page.html"
        path.write_text(html_report(communities, **options), encoding="utf-8")
        browser.get(path.as_uri())
        settle(browser)
        return browser

    yield opened
    assert browser.get_log("browser") == []


def settle(browser):
    """Wait until what was asked for is painted."""
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def find(browser, selector):
    return browser.find_elements("css selector", selector)


def column(browser, number):
    cells = f'[...document.querySelectorAll("#rows td:nth-child({number})")]'
    return browser.execute_script(f"return {cells}.map((cell) => cell.innerText.trim())")


def click(browser, selector):
    browser.execute_script("arguments[0].click()", find(browser, selector)[0])
    settle(browser)


def type_into(browser, selector, text):
    (field,) = find(browser, selector)
    field.clear()
    field.send_keys(text)
    settle(browser)


def result(graph, labels, **more):
    return Communities(graph, np.asarray(labels, dtype=np.int64), **({"method": "leiden"} | more))


@pytest.fixture
def miserables():
    graph = as_graph(nx.les_miserables_graph())
    labels = np.repeat([0, 1, 2], [40, 27, 10])
    return result(graph, labels, confidence=np.linspace(1, 0.2, 77), notes=(Note("one", "one"), Note("two", "two")))


def test_drawing_shows_the_graph_and_moves(show, miserables):
    browser = show(miserables, title="Les Misérables")
    assert browser.title == "Les Misérables"
    colors, painted = browser.execute_script(PIXELS)
    assert colors > 50
    assert painted > 2000
    before = browser.execute_script('return document.getElementById("drawing").toDataURL()')
    click(browser, "#zoom-in")
    zoomed = browser.execute_script('return document.getElementById("drawing").toDataURL()')
    assert zoomed != before
    click(browser, "#fit")
    assert browser.execute_script('return document.getElementById("drawing").toDataURL()') == before
    find(browser, "#drawing")[0].send_keys("+")
    settle(browser)
    assert browser.execute_script('return document.getElementById("drawing").toDataURL()') != before


def test_pointer_finds_selects_and_drags(show, miserables):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    browser = show(miserables)
    (canvas,) = find(browser, "#drawing")
    # The rightmost node of the drawing lies half the margin of 60 pixels from the edge.
    drawn = browser.execute_script('return JSON.parse(document.getElementById("data").textContent).drawn')
    x, y = np.array(drawn["x"]), np.array(drawn["y"])
    width, height = canvas.size["width"], canvas.size["height"]
    scale = min((width - 60) / np.ptp(x), (height - 84) / np.ptp(y))
    right = int(x.argmax())
    place = (
        round((x[right] - (x.max() + x.min()) / 2) * scale),
        round(14 - (y[right] - (y.max() + y.min()) / 2) * scale),
    )
    ActionChains(browser).move_to_element_with_offset(canvas, *place).perform()
    settle(browser)
    node = str(miserables.nodes[drawn["nodes"][right]])
    tip = find(browser, "#tip")[0]
    assert tip.is_displayed()
    assert tip.text.startswith(node)
    assert "degree" in tip.text
    ActionChains(browser).click().perform()
    settle(browser)
    assert find(browser, "#selected")[0].text.startswith(f"{node}: community")
    assert node in find(browser, "#rows tr[aria-selected=true]")[0].text
    before = browser.execute_script('return document.getElementById("drawing").toDataURL()')
    ActionChains(browser).click_and_hold().move_by_offset(-80, 30).release().perform()
    settle(browser)
    dragged = browser.execute_script('return document.getElementById("drawing").toDataURL()')
    assert dragged != before
    ActionChains(browser).scroll_from_origin(ScrollOrigin.from_element(canvas), 0, -300).perform()
    settle(browser)
    assert browser.execute_script('return document.getElementById("drawing").toDataURL()') != dragged


def test_search_sort_and_pages(show, miserables):
    browser = show(miserables)
    assert len(find(browser, "#rows tr")) == 25
    click(browser, "#last")
    assert find(browser, "#range")[0].text == "76–77 of 77 nodes"
    type_into(browser, "#search", "gillenorm")
    assert set(column(browser, 1)) == {"Gillenormand", "MlleGillenormand", "LtGillenormand"}
    type_into(browser, "#search", "nobody")
    assert find(browser, "#range")[0].text == "No nodes"
    type_into(browser, "#search", "m")
    click(browser, "#columns th:nth-child(3) button")
    degrees = list(map(int, column(browser, 3)))
    assert degrees == sorted(degrees)
    click(browser, "#columns th:nth-child(3) button")
    assert column(browser, 1)[0] == "Marius"
    assert find(browser, "#columns th:nth-child(3)")[0].get_attribute("aria-sort") == "descending"
    click(browser, "#columns th:nth-child(1) button")
    assert column(browser, 1) == sorted(column(browser, 1))


def test_a_community_filters_the_table_and_lights_up(show, miserables):
    browser = show(miserables)
    _, before = browser.execute_script(PIXELS), find(browser, "#range")[0].text
    plain = browser.execute_script('return document.getElementById("drawing").toDataURL()')
    click(browser, "#sizes li:nth-child(3) button")
    assert set(column(browser, 2)) == {"2"}
    assert find(browser, "#range")[0].text == "1–10 of 10 nodes"
    assert find(browser, "#selected")[0].text == "Community 2: 10 nodes, 13% of all"
    assert find(browser, "#filter")[0].get_attribute("value") == "2"
    assert find(browser, "#sizes li:nth-child(3) button")[0].get_attribute("aria-pressed") == "true"
    assert browser.execute_script('return document.getElementById("drawing").toDataURL()') != plain
    click(browser, "#clear")
    assert find(browser, "#range")[0].text == before
    assert browser.execute_script('return document.getElementById("drawing").toDataURL()') == plain
    type_into(browser, "#filter", "1")
    assert set(column(browser, 2)) == {"1"}
    click(browser, "#rows tr:nth-child(2) td button")
    assert find(browser, "#rows tr:nth-child(2)")[0].get_attribute("aria-selected") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1400])
def test_page_fits_and_follows_the_scheme(show, miserables, width, scheme):
    browser = show(miserables)
    size = {"width": width, "height": 900, "deviceScaleFactor": 2, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    settle(browser)
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        corner = browser.execute_script(
            'return document.getElementById("drawing").getContext("2d").getImageData(0, 0, 1, 1).data[0]'
        )
        assert (corner < 60) == (scheme == "dark")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_hostile_ids_are_shown_and_not_run(show):
    graph = Graph.from_edges([0, 1], [1, 2], nodes=HOSTILE)
    browser = show(
        result(graph, [0, 0, 0], notes=[Note("hostile", text) for text in HOSTILE], method=HOSTILE[0]), title=HOSTILE[1]
    )
    click(browser, "#rows td button")
    assert browser.title == HOSTILE[1]
    assert column(browser, 1) == HOSTILE
    assert find(browser, "img") == []


@pytest.mark.parametrize(("n_nodes", "n_communities", "n_rows"), [(0, 0, 0), (1, 1, 1), (30, 30, 25), (4000, 2000, 25)])
def test_extremes_open_without_errors(show, n_nodes, n_communities, n_rows):
    edges = np.arange(n_nodes - 1) if n_nodes > 100 else np.empty(0, dtype=np.int64)
    labels = np.arange(n_nodes) * n_communities // max(n_nodes, 1)
    browser = show(result(Graph.from_edges(edges, edges + 1, nodes=n_nodes), labels))
    assert len(find(browser, "#rows tr")) == n_rows
    assert len(find(browser, "#sizes li")) == min(n_communities, 50)
    assert browser.execute_script(PIXELS)[1] > 0
    click(browser, "#zoom-in")


def test_levels_change_the_drawing_and_open_communities(show):
    graph = as_graph(nx.planted_partition_graph(6, 10, 0.9, 0.05, seed=1))
    fine, coarse = np.repeat(np.arange(6), 10), np.repeat([0, 1], 30)
    browser = show(result(graph, fine, hierarchy=Hierarchy(graph, (fine, coarse), "auto")))
    assert len(find(browser, "#tree rect")) == 8
    assert len(find(browser, "#sizes li")) == 6
    before = browser.execute_script('return document.getElementById("drawing").toDataURL()')
    click(browser, "#levels button")  # the coarsest comes first
    assert len(find(browser, "#sizes li")) == 2
    assert browser.execute_script('return document.getElementById("drawing").toDataURL()') != before
    assert set(column(browser, 2)) == {"0"}
    tap = "document.querySelectorAll('#tree rect')[arguments[0]].dispatchEvent(new MouseEvent('click'))"
    browser.execute_script(tap, 1)  # community 1 of the coarsest level
    settle(browser)
    assert len(find(browser, "#tree rect")) == 4
    assert "Level 2, community 1: 30 nodes" in find(browser, "#selected")[0].text
    assert set(column(browser, 2)) == {"1"}
    titles = [rect.get_attribute("textContent") for rect in find(browser, "#tree rect title")]
    assert titles[1:] == [f"Level 1, community {label}: 10 nodes" for label in (3, 4, 5)]
    browser.execute_script(tap, 0)
    settle(browser)
    assert len(find(browser, "#tree rect")) == 8
    assert find(browser, "#selected")[0].text == ""
