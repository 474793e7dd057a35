"""Every part of every lesson by keyboard alone: switch, each handle, question, code."""

import re

import hands
import pytest
from playwright.sync_api import expect

PARTS = {
    "better_proposals": 4,
    "elbo_to_iwae": 4,
    "gradients": 4,
    "posterior_used": 3,
    "when_weights_fail": 4,
}
WITHOUT_QUESTION = {"How many samples"}  # there the flag is the prediction


def enter(control):
    """Press Enter on a control that has the focus."""
    control.press("Enter")


def move(page, name):
    """Press an arrow key on a handle, and hold that the address has followed."""
    knob, before = hands.knob(page, name), hands.query(page)
    at, top = (float(knob.get_attribute(f"aria-value{end}")) for end in ("now", "max"))
    said = knob.get_attribute("aria-valuetext")
    assert knob.get_attribute("aria-label")
    assert said
    hands.press(page, name, "ArrowRight" if at < top else "ArrowLeft")
    assert hands.query(page) != before, f"{name} at {said} did not move"


def parts_of(page):
    return page.get_by_role("radiogroup", name="Part", exact=True).get_by_role("radio")


@pytest.mark.parametrize("lesson", PARTS)
def test_every_part_is_chosen_moved_answered_and_read_by_keys(visit, lesson):
    visitor = visit()
    page = visitor.open(lesson)
    hands.ready(page)
    names = parts_of(page).all_inner_texts()
    assert len(names) == PARTS[lesson]
    for at, part in enumerate(names):
        if at:
            with hands.answered(page):
                enter(parts_of(page).nth(at))
        handles = page.locator(".lab-knob").evaluate_all("all => all.map((k) => k.dataset.name)")
        assert handles
        for name in handles:
            move(page, name)
        if part not in WITHOUT_QUESTION:
            question = page.get_by_role("radiogroup", name=re.compile("Predict first"))
            told = page.get_by_test_id("stMarkdown")
            before = told.count()
            enter(question.get_by_role("radio").last)
            page.wait_for_function(
                "before => document.querySelectorAll('[data-testid=stMarkdown]').length > before",
                arg=before,
            )
        enter(
            page.get_by_test_id("stExpander").filter(has_text="Show the code").locator("summary"),
        )
        page.get_by_test_id("stCode").wait_for()
        visitor.assert_content()


def test_the_rarer_controls_are_there_when_opened_and_their_values_when_closed(visit):
    page = visit().open("when_weights_fail", "?part=lift")
    hands.ready(page)
    more = page.locator("summary").filter(has_text=re.compile("More$"))
    dimensions = page.get_by_label("Dimensions", exact=True)
    assert not dimensions.count()
    enter(more)
    dimensions.wait_for()
    assert dimensions.input_value() == "30"
    with hands.answered(page):
        dimensions.fill("77")
        dimensions.press("Enter")
    assert hands.cards(page)["Dimensions"].value == "77"
    hands.press(page, "d", "ArrowRight")
    expect(dimensions).to_have_value("78")
    enter(more)
    dimensions.wait_for(state="detached")
    hands.press(page, "d", "ArrowRight")
    assert hands.query(page) == {"part": "lift", "d": "79"}


# Three keys in one task of the browser, so that no machine can spread them in time.
THREE_KEYS = """(knob) => {
  knob.focus();
  for (let i = 0; i < 3; i++) {
    knob.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  }
}"""


def test_keys_in_quick_succession_are_one_step_of_undo(visit):
    page = visit().open("borrowed_samples")
    with hands.answered(page):
        hands.knob(page, "peak").evaluate(THREE_KEYS)
    assert hands.query(page) == {"loc": "0.65"}
    with hands.answered(page):
        page.keyboard.press("Control+z")
    assert hands.query(page) == {}
