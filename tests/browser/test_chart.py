"""The chart component in the browser: one node for ever, both themes, and its downloads."""

import csv
import io
from pathlib import Path

import pytest
import serving

PAGE = """
import numpy as np
import streamlit as st

from iwae_core.ui import charts, controls, look, url
from iwae_core.view import theme

look.apply()
K = url.IntField(name="K", default=8, low=1, high=64)
RATE = url.FloatField(name="rate", default=0.001, low=1e-5, high=0.1)
st.title("Chart")
link = url.Link("chart", K, RATE)
K = controls.log_slider(link, K, "Samples K")
controls.log_slider(link, RATE, "Rate")

def parabola(K):
    figure = theme.figure(xaxis_title="z", yaxis_title="p")
    x = np.linspace(0.0, 1.0, K)
    figure.add_scatter(x=x, y=x**2, name="p, first", line=theme.line(theme.TARGET))
    faded = theme.fade(theme.TARGET.light, 0.25)
    figure.add_scatter(x=x, y=x, name="q", fill="tozeroy", fillcolor=faded)
    return figure

charts.show(parabola, K, key="demo", alt="a parabola")
"""

APP = """
import streamlit as st
from iwae_core.ui import server

app = st.App("page.py", routes=server.routes(), middleware=server.middleware())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One page with one chart, served as the app is."""
    folder = tmp_path_factory.mktemp("chart")
    (folder / "page.py").write_text(PAGE)
    (folder / "app.py").write_text(APP)

    def command(port):
        return [
            *serving.streamlit_command(port)[:4],
            str(folder / "app.py"),
            f"--server.port={port}",
            "--server.headless=true",
            "--server.address=127.0.0.1",
            "--browser.gatherUsageStats=false",
        ]

    with serving.serve(command) as running:
        yield running


@pytest.fixture
def chart(visit):
    visitor = visit(viewport={"width": 1000, "height": 900})
    visitor.open(query="?K=5")
    visitor.wait_for_charts()
    return visitor.page.locator(".lab-chart")


def move(chart, key="ArrowRight"):
    """Move the first slider by one stop, and wait until the figure has other points."""
    before = chart.evaluate("(node) => node._fullData[0].x.length")
    chart.page.locator("input[type=range]").first.press(key)
    chart.page.wait_for_function(
        "(n) => document.querySelector('.lab-chart')._fullData[0].x.length !== n", arg=before
    )


def test_new_data_keep_the_node_the_zoom_and_the_hidden_trace(chart):
    chart.evaluate("""(node) => {
        node.mine = true;
        node.querySelectorAll(".legendtoggle")[1].dispatchEvent(new MouseEvent("mousedown"));
        node.querySelectorAll(".legendtoggle")[1].dispatchEvent(new MouseEvent("mouseup"));
    }""")
    chart.page.wait_for_function(
        "document.querySelector('.lab-chart')._fullData[1].visible === 'legendonly'"
    )
    box = chart.locator(".nsewdrag").first.bounding_box()
    mouse = chart.page.mouse
    mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
    mouse.up()
    chart.page.wait_for_function(
        "document.querySelector('.lab-chart')._fullLayout.xaxis.autorange === false"
    )
    zoom = chart.evaluate("(node) => node._fullLayout.xaxis.range")
    assert 0.2 < zoom[1] - zoom[0] < 0.5  # of 1.1
    move(chart)
    after = chart.evaluate("""(node) => ({
        mine: node.mine, range: node._fullLayout.xaxis.range, n: node._fullData[0].x.length,
        hidden: node._fullData[1].visible,
    })""")
    assert after == {"mine": True, "range": zoom, "n": 6, "hidden": "legendonly"}


def test_the_address_follows_the_control_and_history_moves_it_back(chart):
    page = chart.page
    move(chart)
    page.wait_for_function("location.search === '?K=6'")
    page.go_back()
    page.wait_for_function("document.querySelector('.lab-chart')._fullData[0].x.length === 5")
    assert page.locator("input[type=range]").first.get_attribute("aria-valuetext") == "5"
    move(chart, "ArrowLeft")
    page.wait_for_function("location.search === '?K=4'")


def test_the_theme_follows_the_reader_without_a_reload(chart):
    assert chart.evaluate("(node) => node._fullData[0].line.color") == "#0072B2"
    chart.page.emulate_media(color_scheme="dark")
    chart.page.wait_for_function("document.querySelector('.lab-chart').dataset.theme === 'dark'")
    shown = chart.evaluate("""(node) => ({
        line: node._fullData[0].line.color, fill: node._fullData[1].fillcolor,
        paper: node._fullLayout.paper_bgcolor,
    })""")
    assert shown == {"line": "#56b4e9", "fill": "rgba(86,180,233,0.25)", "paper": "#0E1117"}


def download(chart, title):
    """By keyboard alone."""
    chart.page.get_by_role("button", name=title, exact=True).focus()
    with chart.page.expect_download() as waiting:
        chart.page.keyboard.press("Enter")
    return waiting.value


def test_the_data_come_out_as_csv(chart):
    file = download(chart, "CSV")
    assert file.suggested_filename == "demo.csv"
    rows = list(csv.reader(io.StringIO(Path(file.path()).read_text())))
    assert rows[0] == ["trace", "x", "y", "z"]
    assert [row[0] for row in rows[1:]] == ["p, first"] * 5 + ["q"] * 5
    assert [float(cell) for cell in rows[2][1:3]] == [0.25, 0.0625]


@pytest.mark.parametrize(
    ("title", "name", "start"),
    [
        ("PNG", "demo.png", b"\x89PNG"),
        ("SVG", "demo.svg", b"<svg"),
    ],
)
def test_the_picture_comes_out_as_a_file(chart, title, name, start):
    file = download(chart, title)
    assert file.suggested_filename == name
    assert Path(file.path()).read_bytes().startswith(start)


def test_the_figure_says_what_it_shows_and_its_width_follows_the_page(chart):
    assert chart.get_attribute("role") == "figure"
    assert chart.get_attribute("aria-label") == "a parabola"
    chart.page.set_viewport_size({"width": 390, "height": 844})
    chart.page.wait_for_function("document.querySelector('.lab-chart')._fullLayout.width < 390")
    assert chart.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_finger_finds_the_thumb_of_a_slider(chart):
    # The style sheet may come a moment after the slider.
    chart.page.wait_for_function("""() => {
        const node = document.querySelector(".stSlider [style*='translate(-50%']");
        if (!node) return false;
        const wide = getComputedStyle(node, "::after");
        return node.getBoundingClientRect().width - 2 * parseFloat(wide.left) >= 44;
    }""")
