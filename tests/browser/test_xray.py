"""The weight x-ray under the hand: drawn, squeezed, moved, by keyboard; its numbers checked."""

import re

import hands
import numpy as np
import pytest
import torch

from iwae_core.evaluation.studies import drawing
from iwae_core.evaluation.studies import xray as study
from iwae_core.evaluation.studies.xray import XrayConfig
from iwae_core.evaluation.studies.xray_scenes import BLANK, CLEAN_THREE
from iwae_core.ui import xray
from iwae_core.view.numbers import MINUS, digits, fixed, percent

NAME = "xray"
TALL = {"width": 1280, "height": 1400}  # the mouse reaches what is in the window only


def config_of(found):
    return XrayConfig(
        network=found.get("network", "iwae"),
        drawing=found.get("digit", CLEAN_THREE),
        squeeze=float(found.get("squeeze", 1)),
        shift_1=float(found.get("dx", 0)),
        shift_2=float(found.get("dy", 0)),
        n_samples=int(found.get("K", 64)),
        seed=int(found.get("seed", 1)),
    )


def assert_cards(page):
    """Hold that the cards say what the core computes for the state in the address."""
    config = config_of(hands.query(page))
    report, shown = study.run(xray.network(config.network), config), hands.cards(page)
    K = config.n_samples
    assert shown["ESS"] == (digits(report.ess), f"of {K} particles")
    assert shown["Heaviest"] == (percent(report.max_weight), f"equal share {percent(1 / K)}")
    assert shown["k-hat"].value == (fixed(report.k_hat) if K >= 25 else "none")
    assert shown["L₁, these particles"].value == fixed(report.elbo)
    assert shown["L_K, this draw"].value == fixed(report.bound)
    assert fixed(report.others.mean()) in shown["L_K, this draw"].note
    assert shown["log p(x)"] == (fixed(report.log_marginal), xray.rank(report, config.network))


def test_twenty_random_states_print_the_numbers_of_the_core(visit):
    draws = np.random.default_rng(3)
    page = visit(viewport=TALL).open(NAME)
    for _ in range(20):
        levels = draws.integers(0, 17, 64) * draws.integers(0, 2, 64)
        code = "".join(drawing.ALPHABET[level] for level in levels)
        dots = drawing.encode_dots(torch.from_numpy(draws.random((32, 32)) < 0.3))
        code = str(draws.choice([code, dots, *xray.starts().values()]))
        hands.turn(
            page,
            digit=code,
            network=draws.choice(["iwae", "elbo"]),
            squeeze=round(4 ** draws.uniform(-1, 1), 2),
            dx=round(draws.uniform(-2, 2), 2),
            dy=round(draws.uniform(-2, 2), 2),
            K=draws.choice([1, 7, 64, 300, 1000]),
            seed=draws.integers(0, 99),
        )
        assert_cards(page)


def test_a_stroke_moves_the_particles_at_once_and_brings_the_exact_report(visit):
    page = visit(viewport=TALL).open(NAME, f"?digit={BLANK}")
    hands.ready(page)
    before = hands.cards(page)
    page.locator(".lab-pad").hover()  # once it stands still
    pad = page.locator(".lab-pad").bounding_box()
    cell = pad["width"] / 8
    at = lambda column, row: (pad["x"] + column * cell, pad["y"] + row * cell)  # noqa: E731
    page.mouse.move(*at(4, 1.5))
    page.mouse.down()
    page.mouse.move(*at(4, 4))
    page.mouse.move(*at(4, 6.5))
    during = hands.during(page)
    assert during["k-hat"].value == "…"
    assert during["ESS"].value != before["ESS"].value
    assert during["log p(x)"].value.startswith("≈ ")
    assert hands.query(page) == {"digit": BLANK}
    page.mouse.up()
    hands.ready(page)
    assert_cards(page)
    assert len(hands.query(page)["digit"]) == drawing.N_LETTERS  # dots, not levels
    ink = drawing.decode(hands.query(page)["digit"]).reshape(8, 8).numpy()
    assert (ink[2:6, 3:5] > 0.5).all()  # between two columns: both get most of the ink
    assert ink[:, [0, 1, 6, 7]].sum() == 0
    after = hands.cards(page)
    assert after["ESS"].value == during["ESS"].value  # weights were exact before the release
    near = float(during["log p(x)"].value.removeprefix("≈ ").replace(MINUS, "-"))
    exact = float(after["log p(x)"].value.replace(MINUS, "-"))
    assert near == pytest.approx(exact, abs=0.2)
    # Undo, by the button that a phone has too.
    with hands.answered(page):
        page.get_by_role("button", name="Undo").click()
    assert hands.query(page)["digit"] == BLANK
    assert_cards(page)


def test_rubber_and_clear(visit):
    page = visit(viewport=TALL).open(NAME)
    with hands.answered(page):
        page.get_by_role("button", name="Rubber").click()
    with hands.answered(page):
        page.locator(".lab-pad").hover()
        pad = page.locator(".lab-pad").bounding_box()
        page.mouse.move(pad["x"] + 5, pad["y"] + pad["height"] / 2)
        page.mouse.down()
        page.mouse.move(pad["x"] + pad["width"] - 5, pad["y"] + pad["height"] / 2)
        page.mouse.up()
    left = drawing.decode(hands.query(page)["digit"]).sum()
    assert 0 < left < drawing.decode(CLEAN_THREE).sum()
    with hands.answered(page):
        page.get_by_role("button", name="Clear").click()
    assert hands.query(page)["digit"] == BLANK
    assert hands.query(page)["pen"] == "rubber"
    assert_cards(page)


def test_squeeze_shift_and_k_are_dragged(visit):
    page = visit(viewport=TALL).open(NAME)
    hands.ready(page)
    hands.drag(page, "squeeze", -60)
    found = hands.query(page)
    assert 0.25 <= float(found["squeeze"]) < 0.8
    assert_cards(page)
    hands.drag(page, "K", 40)
    assert 64 < int(hands.query(page)["K"]) <= 1000
    assert_cards(page)
    hands.drag(page, "shift", 40, -30)
    moved = hands.query(page)
    assert float(moved["dx"]) > 0.2
    assert float(moved["dy"]) > 0.2
    assert_cards(page)
    with hands.answered(page):
        page.get_by_role("button", name="q as the encoder says").click()
    assert {"squeeze", "dx", "dy"}.isdisjoint(hands.query(page))
    assert_cards(page)


def test_a_keyboard_alone_can_do_the_lesson(visit):
    page = visit(viewport=TALL).open(NAME, f"?digit={BLANK}")
    hands.ready(page)
    with hands.answered(page):
        page.locator(".lab-pad").focus()
        for key in ("ArrowUp", "ArrowLeft", " ", "ArrowDown", " ", "ArrowDown", "+"):
            page.keyboard.press(key)
        said = page.locator(".lab-scene [aria-live]").inner_text()
        assert re.fullmatch(r"Row 5, column 3: (black|white)\.", said)
    ink = drawing.decode(hands.query(page)["digit"]).reshape(8, 8)
    assert [ink[2, 2], ink[3, 2], ink[4, 2]] == [1, 1, 0.25]
    assert ink.sum() == 2.25
    assert_cards(page)
    hands.press(page, "squeeze", "ArrowLeft", "Shift+ArrowLeft")
    assert float(hands.query(page)["squeeze"]) == pytest.approx(1.05**-11, abs=0.01)
    hands.press(page, "shift", "ArrowRight", "Shift+ArrowRight")
    assert float(hands.query(page)["dx"]) == pytest.approx(0.55)
    hands.press(page, "lift", "ArrowDown")
    assert float(hands.query(page)["dy"]) == pytest.approx(-0.05)
    hands.press(page, "K", "ArrowUp")
    assert hands.query(page)["K"] == "72"
    assert_cards(page)
    spoken = page.locator(".lab-scene [aria-live]").inner_text()
    assert "of 72 particles carry the answer" in spoken
    with hands.answered(page):
        page.keyboard.press("Control+z")
    assert "K" not in hands.query(page)
    choice = page.get_by_role("radio", name="Both alike").or_(
        page.get_by_role("button", name="Both alike")
    )
    choice.first.press("Enter")
    page.get_by_text("43 of 64 for the ELBO's").wait_for()


def test_a_phone_draws_with_a_finger_and_scrolls_beside_the_pad(visit):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True).open(
        NAME, "?dx=3&dy=-3&squeeze=4"
    )
    hands.ready(page)
    for name in ("shift", "lift", "K", "squeeze"):
        box = hands.knob(page, name).bounding_box()
        assert (box["width"], box["height"]) == pytest.approx((44, 44), abs=0.01)
        assert 0 <= box["x"] <= 346
    touch = "e => getComputedStyle(e).touchAction"
    assert page.locator(".lab-pad").evaluate(touch) == "none"
    assert page.locator(".lab-stage canvas").evaluate(touch) != "none"
    with hands.answered(page):
        page.locator(".lab-pad").tap(position={"x": 12, "y": 12})
    assert drawing.decode(hands.query(page)["digit"])[0] > 0.5
    assert_cards(page)
