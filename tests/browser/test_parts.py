"""Every part of every lesson on a phone in the dark, answered: all of it is there to be read."""

import time

import hands
import patience
import pytest
from playwright.sync_api import expect

from iwae_core.evaluation.studies.how_many import HowManyConfig
from iwae_core.evaluation.studies.tightness import TightnessConfig, run
from iwae_core.ui import failing_flag
from iwae_core.view.numbers import digits, fixed

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
# An answer to each part's question, by the address; the flag's part is revealed.
ANSWERED = {
    "borrowed_samples": [{"answer": "worse"}],
    "when_weights_fail": [
        {"part": "tails", "answer": "half"},
        {"part": "lucky", "without": "wrong"},
        {"part": "how_many", "shown": failing_flag.key(HowManyConfig())},
        {"part": "lift", "counted": "few"},
    ],
    "better_proposals": [
        {"part": "ratio", "ratio_answer": "depends"},
        {"part": "mixtures", "mixtures_answer": "half"},
        {"part": "rare", "rare_answer": "millions"},
        {"part": "board", "board_answer": "wide"},
    ],
    "elbo_to_iwae": [
        {"part": "coins", "answer_coins": "up"},
        {"part": "jensen", "answer_jensen": "smaller"},
        {"part": "curve", "answer": "steadier"},
        {"part": "three_ways", "answer_ways": "log_w"},
    ],
    "posterior_used": [
        {"part": "drag", "answer_drag": "one"},
        {"part": "trained", "answer_trained": "nearer"},
        {"part": "digits", "answer_digits": "larger"},
    ],
    "gradients": [
        {"part": "samples", "answer_samples": "few"},
        {"part": "fans", "answer_fans": "decoder"},
        {"part": "snr", "answer_snr": "falls"},
        {"part": "backward", "answer_backward": "heaviest"},
    ],
}
# What a reader could not read: formulas cut off, tables and texts beyond their box, a line of a
# live formula that starts with a comma, a picture drawn for another size than its own.
UNREADABLE = """() => {
  const faults = [];
  const wide = (node) => node.scrollWidth > node.clientWidth + 1;
  const main = document.querySelector("[data-testid=stMain]");
  if (main.scrollWidth > main.clientWidth) faults.push(`scrolls sideways: ${main.scrollWidth}`);
  for (const node of document.querySelectorAll(".katex-display, [data-testid=stMarkdown] table"))
    if (wide(node)) faults.push(`cut off: ${node.textContent.slice(0, 50)}`);
  for (const node of document.querySelectorAll("[data-testid=stButtonGroup] [role=radio] p"))
    if (wide(node)) faults.push(`shortened: ${node.textContent}`);
  for (const node of document.querySelectorAll("[data-testid=stButtonGroup] [role=radio]"))
    for (const side of ["Left", "Right", "Top", "Bottom"])
      if (/, 0\\)|^transparent/.test(getComputedStyle(node)[`border${side}Color`]))
        faults.push(`no edge: ${node.textContent}`);
  for (const node of document.querySelectorAll(".lab-formula .symbol"))
    if (node.textContent.trim() === ",") faults.push("a comma alone");
  for (const node of document.querySelectorAll(".lab-cards > div, .lab-buttons button"))
    if (wide(node)) faults.push(`beyond its box: ${node.textContent}`);
  for (const { width, height, clientWidth, clientHeight } of
       document.querySelectorAll(".lab-stage canvas"))
    for (const [dots, size] of [[width, clientWidth], [height, clientHeight]])
      if (Math.abs(dots - devicePixelRatio * size) > 1) faults.push(`blurred: ${dots}, ${size}`);
  return faults;
}"""


# The box of the question, its answer included, is on the first screen, and the picture follows it.
ASKED_FIRST = """height => {
  const asks = [...document.querySelectorAll("[data-testid=stMain] strong")]
    .find((node) => node.textContent === "Predict first.");
  const box = asks.closest("[data-testid=stVerticalBlock]").getBoundingClientRect();
  const scene = document.querySelector(".lab-scene").getBoundingClientRect();
  return box.bottom < scene.top && scene.top < height - 100;
}"""


# The picture and its handles are laid out anew.
ON_PHONE = """width => [...document.querySelectorAll(".lab-scene, .lab-knob")]
  .every((node) => node.getBoundingClientRect().right <= width + 4)"""


def faults(page):
    """What cannot be read, once the page has had time to settle."""
    end = time.monotonic() + patience.SECONDS
    while (found := page.evaluate(UNREADABLE)) and time.monotonic() < end:
        page.wait_for_timeout(100)
    return found


@pytest.mark.parametrize("name", ANSWERED)
def test_every_part_can_be_read_on_a_phone_in_the_dark_once_it_is_answered(visit, name):
    # And on a desk the question stands above the picture, with both on the first screen.
    visitor = visit(viewport=PHONE, has_touch=True, color_scheme="dark", reduced_motion="reduce")
    first, *rest = ANSWERED[name]
    page = visitor.open(name, "?" + "&".join(f"{key}={value}" for key, value in first.items()))
    hands.ready(page)
    for at in (None, *rest):
        if at:
            hands.turn(page, **at)
        expect(page.locator(".lab-scene[data-theme=dark]")).to_have_count(1)
        expect(page.get_by_test_id("stAlert")).to_have_count(0)  # each answer is one of the part's
        assert faults(page) == []
        for knob in page.locator(".lab-knob").all():
            box = knob.bounding_box()
            assert (box["width"], box["height"]) == pytest.approx((44, 44), abs=0.01)
            assert -4 <= box["x"] <= 350
        knob = page.locator(".lab-knob").first
        knob.focus()
        page.keyboard.press("Shift")  # a key, so that the focus is that of a keyboard
        ring = "knob => getComputedStyle(knob, '::before').outlineStyle"
        assert knob.evaluate(ring) == "solid"
        page.set_viewport_size(DESK)
        page.wait_for_function(ASKED_FIRST, arg=DESK["height"])
        page.set_viewport_size(PHONE)
        page.wait_for_function(ON_PHONE, arg=PHONE["width"])


def test_home_shows_the_bound_of_each_k_by_keyboard(visit):
    page = visit(reduced_motion="reduce").open("home", "?K=1")
    hands.ready(page)
    report = run(TightnessConfig())
    for at in range(9):
        shown = hands.cards(page)
        gap = report.log_marginal - report.bound[at]
        assert shown["K"].value == str(2**at)
        assert shown["Bound (nats)"].value == fixed(report.bound[at], 3)
        assert shown["Gap (nats)"].value == digits(gap)
        if at < 8:
            hands.press(page, "K", "ArrowRight")
            assert hands.query(page).get("K", "256") == str(2 ** (at + 1))
