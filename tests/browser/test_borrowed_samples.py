"""Borrowed samples under the hand: dragged, by keyboard, and every number on screen checked."""

import hands
import numpy as np
import pytest

from iwae_core.evaluation.studies import choices, weighting
from iwae_core.evaluation.studies.weighting import WeightingConfig
from iwae_core.sampling.psis import MIN_DRAWS
from iwae_core.view.numbers import digits, fixed, percent

NAME = "borrowed_samples"


def assert_cards(page, config):
    """Hold that the cards say what the core computes for this state."""
    report, shown = weighting.run(config), hands.cards(page)
    K = config.n_samples
    assert shown["Estimate"] == (digits(report.estimate), f"exact {digits(report.exact)}")
    assert shown["Error"].value == digits(report.estimate - report.exact)
    assert shown["Error"].note == f"reported ± {digits(report.std_error)}"
    assert shown["ESS"].value == digits(report.ess)
    expected = "E_q[w²] = ∞" if report.expected_ess == 0 else digits(report.expected_ess)
    assert shown["ESS"].note.endswith(expected)
    assert shown["Heaviest draw"].value == percent(report.max_weight)
    assert shown["k-hat"].value == (fixed(report.k_hat) if K >= MIN_DRAWS else "none")
    true_error = shown["True ± of this q"]
    assert true_error.value == digits(report.std_of_term / K**0.5, 2)
    assert true_error.note.endswith(digits(report.std_under_target / K**0.5, 2))


def random_state(draws):
    """A state that a learner may reach."""
    while True:
        config = WeightingConfig(
            target=str(draws.choice([*choices.TARGETS, "drawn.AAHYx_kKACEGAB"])),
            family=str(draws.choice(list(choices.FAMILIES))),
            loc=round(draws.uniform(-3, 3), 2),
            scale=round(draws.uniform(0.3, 3), 2),
            df=float(draws.choice([1.0, 2.5, 4.0, 30.0])),
            integrand=str(draws.choice(list(choices.INTEGRANDS))),
            estimator=str(draws.choice(["importance", "self_normalized"])),
            n_samples=int(draws.choice([1, 20, 128, 777])),
            seed=int(draws.integers(1000)),
        )
        if choices.has_answer(config.target, config.integrand):
            return config


def test_twenty_random_states_print_the_numbers_of_the_core(visit):
    draws = np.random.default_rng(3)
    page = visit().open(NAME)
    for _ in range(20):
        config = random_state(draws)
        try:
            weighting.run(config)
        except ValueError:
            continue  # every weight is zero: another test's subject
        hands.turn(
            page, target=config.target, family=config.family, loc=config.loc, scale=config.scale,
            df=config.df, f=config.integrand, average=config.estimator, K=config.n_samples,
            seed=config.seed,
        )  # fmt: skip
        assert_cards(page, config)


def test_what_is_dragged_moves_at_once_and_the_report_follows(visit):
    page = visit().open(NAME)
    hands.ready(page)
    before = hands.cards(page)
    x, y = hands.take(page, "peak")
    page.mouse.move(x + 60, y)
    during = hands.during(page)
    assert during["Estimate"] != before["Estimate"]
    assert during["k-hat"].value == "…"
    assert hands.query(page) == {}
    page.mouse.up()
    hands.ready(page)
    assert_cards(page, WeightingConfig(loc=float(hands.query(page)["loc"]), seed=2))
    hands.drag(page, "right", 40)
    hands.drag(page, "left", -25)
    found = hands.query(page)
    assert_cards(
        page, WeightingConfig(loc=float(found["loc"]), scale=float(found["scale"]), seed=2)
    )


def test_a_keyboard_alone_can_do_the_lesson(visit):
    page = visit().open(NAME)
    hands.press(page, "peak", "ArrowLeft", "ArrowLeft", "Shift+ArrowLeft")
    assert float(hands.query(page)["loc"]) == pytest.approx(0.5 - 12 * 0.05)
    hands.press(page, "right", "Shift+ArrowRight")
    assert float(hands.query(page)["scale"]) == pytest.approx(1.7)
    hands.press(page, "tail", "ArrowDown", "ArrowDown")
    assert hands.query(page)["family"] == "student_t"
    assert float(hands.query(page)["df"]) == 10
    state = WeightingConfig(family="student_t", loc=-0.1, scale=1.7, df=10.0, seed=2)
    assert_cards(page, state)
    tail = hands.knob(page, "tail")
    assert tail.get_attribute("role") == "slider"
    assert tail.get_attribute("aria-valuetext") == "10 degrees of freedom"
    said = page.locator(".lab-scene [aria-live]").inner_text()
    assert digits(weighting.run(state).ess) in said
    hands.undo(page, lambda: hands.query(page).get("family", "normal") == "normal", most=2)
    # The prediction and what it reveals, by keys alone.
    worse = page.get_by_role("radio", name="Worse").or_(page.get_by_role("button", name="Worse"))
    worse.first.press("Enter")
    show = page.get_by_role("button", name="Show me the narrow q")
    show.wait_for()
    with hands.answered(page):
        show.press("Enter")
    assert hands.query(page)["scale"] == "0.5"
    narrow = WeightingConfig(loc=1.0, scale=0.5, integrand="z_squared", seed=2)
    assert_cards(page, narrow)


def test_a_preset_moves_the_scene_and_back_in_history_undoes_it(visit):
    page = visit().open(NAME)
    hands.drag(page, "peak", 60)
    moved = hands.query(page)["loc"]
    hands.drag(page, "peak", -90)
    assert hands.query(page).get("loc") != moved
    with hands.answered(page):
        page.go_back()  # at once: nobody waits for the address
    assert hands.query(page)["loc"] == moved
    assert_cards(page, WeightingConfig(loc=float(moved), seed=2))


def test_a_target_is_drawn_with_the_pointer(visit):
    page = visit().open(NAME, "?target=drawn.A_A&scale=3&loc=0")
    hands.ready(page)
    canvas = page.locator(".lab-stage canvas")
    with hands.answered(page):
        box = canvas.bounding_box()
        canvas.hover(position={"x": 0.5 * box["width"], "y": 140})
        box = canvas.bounding_box()
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 30, steps=4)
        page.mouse.up()
    target = hands.query(page)["target"]
    assert target != "drawn.A_A"
    assert_cards(page, WeightingConfig(target=target, scale=3.0, loc=0.0, seed=2))


def test_reduced_motion_jumps_and_a_phone_keeps_its_handles(visit):
    page = visit(
        viewport={"width": 390, "height": 844}, has_touch=True, reduced_motion="reduce"
    ).open(NAME)
    hands.ready(page)
    for name in ("peak", "left", "right", "tail"):
        box = hands.knob(page, name).bounding_box()
        assert (box["width"], box["height"]) == pytest.approx((44, 44), abs=0.01)
        assert 0 <= box["x"] <= 346
    ratio = page.locator(".lab-stage canvas").evaluate(
        "c => c.width / (c.clientWidth * devicePixelRatio)"
    )
    assert ratio == pytest.approx(1, abs=0.01)
