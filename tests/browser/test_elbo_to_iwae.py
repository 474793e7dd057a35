"""The bound under the hand: coins, the log's lens, the sandwich, three ways; numbers held."""

import re

import hands
import numpy as np
import pytest

from iwae_core.evaluation.studies import coins, elbo_ways, microscope, tightness
from iwae_core.evaluation.studies.coins import CoinsConfig
from iwae_core.evaluation.studies.elbo_ways import MAX_DRAWS, ElboWaysConfig
from iwae_core.evaluation.studies.microscope import MicroscopeConfig
from iwae_core.evaluation.studies.tightness import TightnessConfig
from iwae_core.view.numbers import digits, fixed, percent

NAME = "elbo_to_iwae"


def zero(nats):
    return nats if abs(nats) > 1e-9 else 0.0


def assert_coins(shown, config, K):
    report, at = coins.run(config), coins.N_SAMPLES.index(K)
    assert shown["Needle (nats)"].value == fixed(report.needle[at], 3)
    gap = zero(report.log_marginal - report.needle[at])
    side = "Above" if gap < 0 else "Below"
    assert shown[f"{side} log p(x) (nats)"].value == digits(abs(gap))
    assert shown["Average needle"].value == fixed(report.expected[at], 3)
    assert shown["Rows that pass log p(x)"].value == percent(report.share_above[at])


def test_random_states_print_the_numbers_of_the_core(visit):
    draws = np.random.default_rng(5)
    page = visit().open(NAME)
    for _ in range(5):  # of each of the four parts
        q = {"shift": round(draws.uniform(-2, 2), 2), "scale": round(draws.uniform(0.6, 2), 2)}
        seed, K = int(draws.integers(99)), int(draws.choice([1, 2, 8, 64]))
        assert_coins(hands.turn(page, **q, seed=seed, box=K), CoinsConfig(seed=seed, **q), K)

        shown = hands.turn(page, part="curve", **q, seed=seed, K=K)
        at = tightness.runs_at(TightnessConfig(seed=seed, **q), K)
        assert shown["Bound (nats)"].value == fixed(at.bound, 3)
        assert shown["Gap (nats)"] == (digits(at.gap), f"ELBO: {digits(at.gap_at_one)}")
        assert shown["Above log p(x)"].value == percent(at.share_above)
        limit = tightness.relative_variance(tightness.make_q(**q, correlated=True)) / 2
        told = f"tends to {digits(limit)}" if np.isfinite(limit) else "no finite limit"
        assert shown["Gap times K"].note == told

        n = min(100 * K, MAX_DRAWS)
        shown = hands.turn(page, part="three_ways", **q, seed=seed, draws=n)
        report = elbo_ways.run(ElboWaysConfig(seed=seed, n_draws=MAX_DRAWS, **q))
        for way in report.ways:
            assert shown[way.title].value == fixed(way.draws[:n].mean(), 3)
            error = way.draws[:n].std(ddof=1) / n**0.5
            assert shown[way.title].note.startswith(f"± {digits(error, 2)};")

        law = str(draws.choice(microscope.LAWS))
        sigma = round(draws.uniform(0.1, 0.9), 2)
        shown = hands.turn(page, part="jensen", law=law, sigma=sigma, mean_of=K, seed=seed)
        lens = microscope.run(MicroscopeConfig(law=law, sigma=sigma, n_samples=K, seed=seed))
        assert shown["Gap (nats)"].value == digits(lens.gap)
        assert shown["Approximation"].value == digits(lens.approximate_gap)
        assert shown["Runs above log p(x)"].value == percent(lens.share_above)


def test_the_needle_is_dragged_and_new_coins_come(visit):
    page = visit().open(NAME)
    hands.ready(page)
    box = page.locator(".lab-stage canvas").bounding_box()
    hands.drag(page, "box", box["width"] * 0.15)  # its axis takes a third of the picture
    K = int(hands.query(page)["box"])
    assert K in (4, 8, 16)
    assert_coins(hands.cards(page), CoinsConfig(), K)
    with hands.answered(page):
        page.get_by_role("button", name="New coins").click()
    assert hands.query(page)["seed"] == "2"
    assert_coins(hands.cards(page), CoinsConfig(seed=2), K)
    with hands.answered(page):
        page.get_by_role("button", name=f"Merge pairs: K = {2 * K}").click()
    assert_coins(hands.cards(page), CoinsConfig(seed=2), 2 * K)


# Time that goes on by 20 ms with each frame of the picture, however long that takes to draw.
STEADY_FRAMES = """
let now = performance.now();
performance.now = () => now;
const frame = requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => frame(() => draw((now += 20)));
"""


def test_the_merge_is_animated_unless_motion_is_reduced(visit):
    paints = {}
    for motion in ("no-preference", "reduce"):
        visitor = visit(reduced_motion=motion)
        visitor.context.add_init_script(STEADY_FRAMES)
        page = visitor.open(NAME)
        hands.ready(page)
        canvas = page.locator(".lab-stage canvas")
        before = canvas.evaluate("c => c.drawn")
        with hands.answered(page):  # until nothing moves any more
            page.get_by_role("button", name="Merge pairs").click()
        paints[motion] = canvas.evaluate("c => c.drawn") - before
    # The press and its answer; the half second of motion has a frame for each 20 ms.
    assert paints["reduce"] < 6
    assert paints["no-preference"] > 10


def test_a_keyboard_alone_moves_every_handle(visit):
    page = visit().open(NAME)
    hands.press(page, "box", "ArrowRight", "ArrowRight", "ArrowRight")
    assert hands.query(page)["box"] == "8"
    assert_coins(hands.cards(page), CoinsConfig(), 8)
    hands.turn(page, part="jensen")
    hands.press(page, "sigma", "Shift+ArrowRight")
    hands.press(page, "K", "ArrowUp", "ArrowUp")
    assert (hands.query(page)["sigma"], hands.query(page)["mean_of"]) == ("1.5", "4")
    hands.turn(page, part="curve")
    hands.press(page, "center", "Shift+ArrowLeft")
    hands.press(page, "width", "ArrowUp", "ArrowUp")
    hands.press(page, "K", "ArrowRight")
    found = hands.query(page)
    assert (found["shift"], found["scale"], found["K"]) == ("1", "1.1", "24")
    hands.turn(page, part="three_ways")
    hands.press(page, "draws", "ArrowRight")
    assert hands.query(page)["draws"] == "384"
    with hands.answered(page):
        page.keyboard.press("Control+z")
    assert "draws" not in hands.query(page)


def test_q_is_dragged_with_its_elbo_at_once_and_its_bound_on_release(visit):
    page = visit().open(NAME, "?part=curve")
    hands.ready(page)
    x, y = hands.take(page, "center")
    page.mouse.move(x - 30, y - 25)
    shown = hands.during(page)
    assert shown["Bound (nats)"].value == "…"
    page.mouse.up()
    hands.ready(page)
    shift = float(hands.query(page)["shift"])
    assert shown["Gap (nats)"].note == f"ELBO: {digits(shift**2 / 2)}"
    with hands.answered(page):
        page.get_by_role("button", name="q correlated").click()
    assert hands.cards(page)["Gap times K"].note == "no finite limit"


def test_layers_are_worked_out_by_workers_with_progress_and_may_be_stopped(visit, server):
    page = visit().open(NAME, "?part=curve&shift=0.45")
    hands.ready(page)
    work = page.get_by_role("button", name="Work out the layers for this q")
    progress = page.get_by_text(re.compile(r"Layers: \d+ %")).first
    with server.without_workers():  # which may be faster than the hand
        work.click()
        progress.wait_for()
        page.get_by_role("button", name="Cancel").click()
        work.wait_for()
        work.click()
        progress.wait_for()
    progress.wait_for(state="hidden")
    hands.ready(page)
    assert not work.is_visible()


def test_every_part_fits_a_phone_in_the_dark(visit):
    phone = {"width": 390, "height": 844}
    visitor = visit(viewport=phone, has_touch=True, color_scheme="dark")
    page = visitor.open(NAME, "?part=three_ways")
    hands.ready(page)
    for part in ("coins", "jensen", "curve", "three_ways"):
        hands.turn(page, part=part)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for knob in page.locator(".lab-knob").all():
            box = knob.bounding_box()
            assert (box["width"], box["height"]) == pytest.approx((44, 44), abs=0.01)
            assert -4 <= box["x"] <= 350
            assert knob.get_attribute("aria-label")
