"""The section Reference in a real browser: by mouse, by keys, on a phone."""

import re

import pytest
from playwright.sync_api import expect

from iwae_core.evaluation.studies.claims import CLAIMS
from iwae_core.ui import ledger

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def test_a_claim_is_judged_by_keys_and_its_experiment_followed(visit):
    visitor = visit()
    page = visitor.open("claims")
    expect(page.get_by_test_id("stExpander")).to_have_count(len(CLAIMS) + 1)  # and the code
    box = page.get_by_test_id("stExpander").filter(has_text="With K = 1 the IWAE bound")
    box.locator("summary").press("Enter")
    page.wait_for_url("**/claims?claim=one_is_the_elbo")
    box.get_by_role("radio", name="Not in general").press("Enter")
    box.get_by_text("Not quite: holds.").wait_for()  # and the box is still open
    box.locator("table").wait_for()
    page.wait_for_url("**/claims?claim=one_is_the_elbo&one_is_the_elbo=not")
    page.get_by_text("You have judged 1 of 15, 0 as the numbers do.").wait_for()
    box.get_by_role("link", name=re.compile("Open the experiment")).click()
    page.wait_for_url("**/elbo_to_iwae?part=three_ways")
    page.locator(".lab-scene[data-settled]").wait_for()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_a_slow_claim_comes_from_a_worker(visit):
    visitor = visit()
    page = visitor.open("claims", "?claim=encoder_gradient&encoder_gradient=not")
    page.locator(".lab-table tr").nth(6).wait_for()
    shown = page.locator(".lab-table td.number").all_inner_texts()
    expected = [ledger.quantity(one) for one in ledger.measure("encoder_gradient")]
    assert shown == expected


def test_a_term_in_prose_opens_the_glossary_beside_the_lesson(visit):
    visitor = visit()
    page = visitor.open("borrowed_samples")
    link = page.get_by_role("link", name="weight", exact=True).first
    assert link.get_attribute("target") == "_blank"
    with visitor.context.expect_page() as opened:
        link.click()
    glossary = opened.value
    glossary.get_by_role("heading", level=2, name=re.compile("^Importance weight")).wait_for()
    box = glossary.get_by_label("Search", exact=True)
    box.fill("kullback")
    box.press("Enter")
    glossary.get_by_role("heading", level=3).nth(1).wait_for(state="detached")
    (found,) = glossary.get_by_role("heading", level=3).all_inner_texts()
    assert found.startswith("Kullback-Leibler divergence")


def columns(page):
    """Left edges of the two cells of the first differing line."""
    page.locator(".lab-twins li.differs").first.wait_for()
    cells = page.locator(".lab-twins li.differs").first.locator("> div")
    assert cells.count() == 2
    return [cells.nth(i).bounding_box() for i in range(2)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_scripts_stand_side_by_side_with_their_differences_marked(visit, scheme):
    visitor = visit(color_scheme=scheme)
    page = visitor.open("side_by_side")
    left, right = columns(page)
    assert left["y"] == right["y"]
    assert right["x"] > left["x"] + 200
    colors = page.locator(".lab-twins li > .vae").evaluate_all(
        "all => [...new Set(all.map(e => getComputedStyle(e).backgroundColor))].length"
    )
    assert colors == 2
    links = page.locator(".lab-table a[target=_blank]")
    assert links.count() == 30
    color = links.first.evaluate("link => getComputedStyle(link).color")
    assert color == {"light": "rgb(0, 114, 178)", "dark": "rgb(86, 180, 233)"}[scheme]


def test_on_a_phone_differing_lines_stand_in_turn_and_common_ones_once(visit):
    visitor = visit(**PHONE)
    page = visitor.open("side_by_side")
    upper, lower = columns(page)
    assert lower["y"] >= upper["y"] + upper["height"] - 1
    assert abs(upper["x"] - lower["x"]) < 1
    hidden = page.locator(".lab-twins li:not(.differs) > .iwae").first
    assert not hidden.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_run_both_shows_progress_and_can_be_cancelled(visit, server):
    visitor = visit()
    page = visitor.open("side_by_side", "?K=50")
    with server.without_workers():  # which may be faster than the hand
        page.get_by_role("button", name="Run both").click()
        page.get_by_test_id("stProgress").wait_for()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Run both").wait_for()
    page.get_by_text("Shown is the stored run with K = 5").wait_for()
