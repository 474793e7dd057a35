"""Slow motion in a real browser: opened, stepped, played, scrubbed, and its numbers checked."""

import re

import hands

from iwae_core.training import begin
from iwae_core.training.slow_motion import slow_motion
from iwae_core.ui import training_fields
from iwae_core.ui.training_config import to_config
from iwae_core.view.numbers import digits, fixed

TALL = {"width": 1280, "height": 1500}


def open_box(visitor, query=""):
    page = visitor.open("train", query)
    page.wait_for_function("document.querySelector('.lab-train')?.dataset.held")
    page.get_by_text("Slow motion: one datapoint").click()
    hands.ready(page)
    return page


def phase(page):
    return float(hands.query(page).get("slow_phase", "1"))


def lit(page):
    return page.locator(".lab-formula [data-lit='1']").get_attribute("data-term")


def assert_cards(page, report, first):
    shown = hands.cards(page)
    assert shown[first].value == fixed(report.objective)
    assert shown["Mean of log w"].value == fixed(report.elbo)
    assert shown["Log of mean w"].value == fixed(report.bound)
    assert shown["ESS"] == (digits(report.ess), f"of {report.n_samples} samples")
    both = f"{digits(report.encoder.total)} | {digits(report.decoder.total)}"
    assert shown["Encoder | decoder"].value == both


def begun(query):
    """The state at step 0 of the run that a query asks for."""
    values = {field.name: field.default for field in training_fields.FIELDS}
    by_name = {field.name: field for field in training_fields.FIELDS}
    for name, text in (part.split("=") for part in query.split("&")):
        values[name] = by_name[name].parse(text)
    return begin(to_config(values))


def test_the_phases_by_keys_and_by_hand_light_their_terms(visit):
    page = open_box(visit(viewport=TALL), "?K=6&data=moons")
    assert lit(page) == "sample"
    hands.press(page, "phase", "ArrowRight")
    assert (phase(page), lit(page)) == (2, "weight")
    said = page.locator(".lab-scene [aria-live]").inner_text()
    assert said.startswith("Phase 2, weight: Each sample is decoded")
    with hands.answered(page):
        page.get_by_role("button", name="Next phase").click()
    assert (phase(page), lit(page)) == (3, "average")
    with hands.answered(page):
        page.get_by_role("button", name="Phase back").click()
    assert (phase(page), lit(page)) == (2, "weight")
    hands.drag(page, "phase", 400)
    assert phase(page) > 3
    with hands.answered(page):
        page.get_by_role("button", name="Undo").click()
    assert phase(page) == 2
    hands.press(page, "phase", "Shift+ArrowRight")
    assert phase(page) in (3, 5)


# Keeps the terms that were lit while the button said "Hold", at each change of the page.
RECORD = """
() => {
  window.playing = [];
  const look = () => {
    const labels = [...document.querySelectorAll(".lab-scene button")].map((b) => b.textContent);
    const lit = document.querySelector('.lab-formula [data-lit="1"]')?.dataset.term;
    if (labels.includes("Hold") && lit !== window.playing.at(-1)) window.playing.push(lit);
  };
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(look).observe(document.querySelector(".lab-scene"), all);
}
"""


def test_playing_goes_through_all_phases_and_reports_at_the_end(visit):
    page = open_box(visit(viewport=TALL), "?K=4&data=moons&slow_phase=3")
    page.evaluate(RECORD)
    page.get_by_role("button", name="Play the phases").click()
    page.wait_for_url(re.compile("slow_phase=5"))
    hands.ready(page)
    played = page.evaluate("window.playing")
    assert [term for term in played if term != "average"] == ["log", "gradient"], played
    assert page.get_by_role("button", name="Play the phases").count() == 1


def test_who_asks_for_no_motion_steps_and_is_offered_no_play(visit):
    page = open_box(visit(viewport=TALL, reduced_motion="reduce"), "?K=4&data=moons")
    assert page.get_by_role("button", name="Play the phases").count() == 0
    with hands.answered(page):
        page.get_by_role("button", name="Next phase").click()
    assert lit(page) == "weight"


def test_the_cards_say_what_the_study_finds(visit):
    query, first = "data=moons&K=20", "L_20 of these samples"
    page = open_box(visit(viewport=TALL), f"?{query}")
    run = begun(query)
    assert_cards(page, slow_motion(run, 0, 1), first)
    with hands.answered(page):
        page.get_by_role("button", name="Next datapoint").click()
    assert_cards(page, slow_motion(run, 1, 1), first)


def test_a_phone_shows_all_phases(visit):
    page = open_box(
        visit(viewport={"width": 390, "height": 844}, has_touch=True), "?K=5&slow_phase=5"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = hands.knob(page, "phase").bounding_box()
    assert 0 <= box["x"] <= 346
