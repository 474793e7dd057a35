"""Every page in a real browser: it loads, complains about nothing, and fits a phone."""

import re
import time

import patience
import pytest
from playwright.sync_api import expect

from iwae_core.ui import preload
from iwae_core.ui.lessons import LESSONS

NAMES = [lesson.name for lesson in LESSONS]
# Pages with a chart or a scene at first sight; the others' pictures are live, or there are none.
DRAWN = set(NAMES) - {"train", "twins", "claims", "side_by_side", "glossary"}
FITS = """width => {
  const main = document.querySelector("[data-testid=stMain]");
  return main.clientWidth <= width && main.scrollWidth <= main.clientWidth
    && document.documentElement.scrollWidth <= width;
}"""


@pytest.mark.parametrize("name", NAMES)
def test_a_page_loads_without_a_complaint_in_both_themes_and_fits_a_phone(visit, name):
    visitor = visit(color_scheme="light")
    page = visitor.open(name)
    if name in DRAWN:
        page.locator(
            ".lab-chart, .lab-scene"
        ).first.wait_for()  # its module may come after the script has ended
    visitor.wait_for_charts()
    for scheme in ("light", "dark"):  # the page follows the reader, without a reload
        page.emulate_media(color_scheme=scheme)
        others = page.locator(f":is(.lab-chart, .lab-scene):not([data-theme={scheme}])")
        expect(others).to_have_count(0)
    for named in page.locator(".lab-chart, .lab-scene canvas").all():
        assert named.get_attribute("aria-label")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(FITS, arg=390)


def test_what_a_page_names_to_be_fetched_early_is_there(server):
    named = server.get("/")[1]["link"]
    assert server.get("/train")[1]["link"] == named
    addresses = re.findall(r"<([^>]+)>; rel=modulepreload", named)
    assert len(addresses) > len(preload.CHUNKS)
    for address in addresses:
        status, headers, body = server.get(f"/{address}")
        assert status == 200
        assert "javascript" in headers["content-type"]
        assert "link" not in headers
        assert body


def test_the_navigation_lists_every_lesson(visit):
    visitor = visit()
    page = visitor.open()
    links = page.get_by_test_id("stSidebarNavLink")
    for lesson in LESSONS:
        links.filter(has_text=lesson.title).first.wait_for()


def test_an_outside_request_or_a_script_error_would_fail_a_test(visit):
    visitor = visit()
    page = visitor.open()
    page.evaluate("fetch('http://192.0.2.1/').catch(() => {})")
    page.evaluate("setTimeout(() => { throw new Error('planted') })")
    end = time.monotonic() + patience.SECONDS

    def heard(words):
        return any(words in complaint for complaint in visitor.complaints)

    # The policy blocks the request, and says so.
    while not (heard("planted") and heard("192.0.2.1")) and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert heard("planted")
    assert heard("192.0.2.1")
    page.goto("about:blank")
    page.evaluate("1")  # nothing more is to be heard of the page before
    visitor.complaints.clear()
