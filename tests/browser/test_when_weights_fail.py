"""When weights fail under the hand: by mouse and by keyboard, and every number checked."""

import math

import hands
import numpy as np
import pytest
from playwright.sync_api import expect

from iwae_core.evaluation.studies import how_many, lift, lucky, tails
from iwae_core.ui import failing_flag
from iwae_core.view.numbers import digits, fixed, percent

NAME = "when_weights_fail"


def assert_tails(shown, config):
    report = tails.run(config)
    assert shown["Estimate"] == (digits(report.estimate[0]), f"exact {digits(report.exact)}")
    assert shown["Reported error"].value == f"± {digits(report.std_error[0])}"
    assert ("holds" in shown["Reported error"].note) == bool(report.covers[0])
    assert shown["Exact k"].value == fixed(report.tail_index)
    assert shown["k-hat"].value == fixed(report.k_hat[0])
    assert shown["Intervals that hold"].value == percent(report.coverage)
    unflagged = report.misses - report.misses_flagged
    assert shown["Misses without a flag"].value == f"{unflagged} of {report.misses}"


def assert_lucky(shown, config):
    report = lucky.run(config)
    for label, name, form in (
        ("Estimate", "estimate", digits),
        ("ESS", "ess", digits),
        ("k-hat", "k_hat", fixed),
        ("Heaviest draw", "max_weight", percent),
    ):
        assert shown[label].value == form(getattr(report.rest, name)), label
        if config.left_out:
            assert shown[label].note.endswith(form(getattr(report.full, name))), label
    assert shown["Reported error"].value == f"± {digits(report.rest.std_error)}"
    away = abs(report.rest.estimate - report.exact) / report.rest.std_error
    assert shown["Distance to truth"].value == f"{digits(away, 2)} errors"


def assert_how_many(page, config, flag):
    report = how_many.run(config)
    measured = page.locator(".lab-cards [data-name=Measured] dd").first
    expect(measured).not_to_have_text("?")  # a worker draws the estimators
    hands.ready(page)
    shown, score = hands.cards(page), how_many.score(flag, report)
    assert shown["Your flag"].value == digits(flag)
    assert shown["Rule: exp(KL)"].value == digits(report.needed)
    low, high = (digits(n, 2) for n in (report.needed_low, report.needed_high))
    assert shown["Rule: exp(KL)"].note == f"from {low} to {high}"
    known = math.isfinite(report.measured)
    assert shown["Measured"].value == (digits(report.measured) if known else "over 30,000")
    if known:
        assert shown["Score"].value == fixed(score.from_measured, 1)
    assert shown["At your flag"].value == percent(score.within_at_flag)
    assert shown["Variance alone asks"].value == digits(report.needed_variance)


def assert_lift(shown, config, d, way):
    report = lift.run(config)
    plain = report.plain.get(way)
    log_mean = (plain or report).log_mean[d - 1]
    ess = plain.ess[d - 1] if plain else report.ess_each[d - 1]
    assert shown["Dimensions"].value == str(d)
    assert shown["ESS"].value == (
        digits(ess) if math.isfinite(ess) else "0 / 0" if math.isnan(ess) else "x / 0"
    )
    assert shown["Its logarithm"].value == digits(log_mean)
    heaviest = percent(report.top_each[d - 1, 0])
    zeros = plain.zeros[d - 1] if plain else 0.0
    if log_mean == -math.inf:
        heaviest = "0 / 0" if zeros == 1 else "x / 0"
    assert shown["Heaviest draw"].value == heaviest
    assert shown["Weights equal to 0"].value == percent(zeros)
    mean = digits(math.exp(log_mean)) if plain else f"exp({digits(log_mean)})"
    assert shown["Mean weight"].value == mean


def test_random_states_print_the_numbers_of_the_core(visit):
    draws = np.random.default_rng(8)
    page = visit().open(NAME)
    for _ in range(7):
        chosen = {
            "scale": round(draws.uniform(0.3, 2), 2),
            "loc": round(draws.uniform(-2, 2), 2),
            "target": str(draws.choice(["normal", "student_t"])),
            "f": str(draws.choice(["z", "z_squared", "above_3"])),
            "average": str(draws.choice(["importance", "self_normalized"])),
            "K": int(draws.choice([40, 300, 1000])),
            "seed": int(draws.integers(1000)),
        }
        config = tails.TailsConfig(
            target=chosen["target"],
            loc=chosen["loc"],
            scale=chosen["scale"],
            integrand=chosen["f"],
            estimator=chosen["average"],
            n_samples=chosen["K"],
            seed=chosen["seed"],
        )
        assert_tails(hands.turn(page, **chosen), config)
    for _ in range(6):
        scale, seed = round(draws.uniform(0.8, 3), 2), int(draws.integers(1000))
        out = sorted({int(n) for n in draws.integers(1, 500, size=draws.integers(0, 4))})
        config = lucky.LuckyConfig(
            scale=scale, seed=seed, n_samples=500, left_out=tuple(n - 1 for n in out)
        )
        left = ".".join(map(str, [seed, *out])) if out else ""
        shown = hands.turn(page, part="lucky", q=scale, run=seed, draws=500, out=left)
        assert_lucky(shown, config)
    for _ in range(5):
        loc, scale = round(draws.uniform(-2, 2), 2), round(draws.uniform(0.8, 3), 2)
        flag, seed = int(10 ** draws.uniform(1, 4)), int(draws.integers(1000))
        config = how_many.HowManyConfig(loc=loc, scale=scale, seed=seed)
        hands.turn(
            page, part="how_many", mean=loc, width=scale, flag=flag, seed=seed,
            shown=failing_flag.key(config),
        )  # fmt: skip
        assert_how_many(page, config, flag)
    for _ in range(7):
        chosen = {
            "shift": round(draws.uniform(-2, 2), 2),
            "ratio": round(draws.uniform(0.6, 2), 2),
            "seed": int(draws.integers(1000)),
        }
        d, way = int(draws.integers(1, 501)), str(draws.choice([*lift.BITS, "log_sum_exp"]))
        shown = hands.turn(page, part="lift", d=d, way=way, **chosen)
        assert_lift(shown, lift.LiftConfig(**chosen), d, way)


def test_k_hat_and_the_exact_index_follow_the_hand_and_the_intervals_the_release(visit):
    page = visit().open(NAME)
    hands.ready(page)
    before = hands.cards(page)
    x, y = hands.take(page, "right")
    page.mouse.move(x - 30, y)
    during = hands.during(page)
    assert during["k-hat"] != before["k-hat"]
    assert during["Exact k"] != before["Exact k"]
    assert during["Intervals that hold"].value == "…"
    page.mouse.up()
    hands.ready(page)
    assert_tails(hands.cards(page), tails.TailsConfig(scale=float(hands.query(page)["scale"])))
    hands.press(page, "peak", "ArrowRight", "Shift+ArrowRight")
    assert float(hands.query(page)["loc"]) == pytest.approx(0.55)


def test_the_jump_is_clicked_its_draw_left_out_and_brought_back(visit):
    page = visit().open(NAME, "?part=lucky")
    hands.ready(page)
    assert_lucky(hands.cards(page), lucky.LuckyConfig(seed=418))
    canvas = page.locator(".lab-stage canvas")
    box = canvas.bounding_box()
    with hands.answered(page):  # somewhere in the calm first
        canvas.click(position={"x": 0.5 * box["width"], "y": box["height"] - 120})
    assert hands.query(page)["pick"] != "418.884"
    with hands.answered(page):  # then the jump, a few pixels off
        canvas.click(position={"x": _place_of(box["width"], 884) + 3, "y": box["height"] - 120})
    assert hands.query(page)["pick"] == "418.884"
    with hands.answered(page):
        page.get_by_role("button", name="Leave draw 884 out").click()
    assert hands.query(page)["out"] == "418.884"
    assert_lucky(hands.cards(page), lucky.LuckyConfig(seed=418, left_out=(883,)))
    with hands.answered(page):
        page.get_by_role("button", name="Bring draw 884 back").click()
    assert_lucky(hands.cards(page), lucky.LuckyConfig(seed=418))


def _place_of(width, n):
    """About where draw n of 1000 stands on the path: axis from 18 px to 10 px from the edge."""
    left, right = 18, width - 10
    return left + (n - 1) / 1029 * (right - left)


def test_a_keyboard_alone_can_do_the_lesson(visit):
    page = visit().open(NAME, "?part=lucky")

    def enter(name, exact=False):
        page.get_by_role("button", name=name, exact=exact).or_(
            page.get_by_role("radio", name=name, exact=exact)
        ).first.press("Enter")

    hands.ready(page)
    with hands.answered(page):
        enter("Jump 2: draw 27")
    assert hands.query(page)["pick"] == "418.27"
    hands.press(page, "pick", "ArrowRight")
    assert hands.query(page)["pick"] == "418.28"
    with hands.answered(page):
        enter("Jump 1: draw 884")
    with hands.answered(page):
        enter("Leave draw 884 out")
    assert_lucky(hands.cards(page), lucky.LuckyConfig(seed=418, left_out=(883,)))
    enter("calm down, and it is wrong")
    page.get_by_text("the worst of all").wait_for()

    with hands.answered(page):
        enter("How many samples")
    hands.press(page, "flag", "Shift+ArrowRight", "Shift+ArrowRight", "ArrowRight")
    flag = int(hands.query(page)["flag"])
    assert flag == pytest.approx(1000 * 10 ** (1 / 20), rel=0.03)
    assert hands.cards(page)["Measured"].value == "?"
    with hands.answered(page):
        enter("Reveal", exact=True)
    report = how_many.run(how_many.HowManyConfig())
    score, shown = how_many.score(flag, report), hands.cards(page)
    assert shown["Rule: exp(KL)"].value == digits(math.exp(2))
    assert shown["Measured"].value == digits(report.measured)
    assert shown["Score"].value == fixed(score.from_measured, 1)
    assert shown["At your flag"].value == percent(score.within_at_flag)
    assert shown["Variance alone asks"].value == digits(report.needed_variance)
    # Another q is another question.
    hands.press(page, "peak", "ArrowLeft")
    assert hands.cards(page)["Measured"].value == "?"

    with hands.answered(page):
        enter("Many dimensions")
    hands.press(page, "d", "Shift+ArrowRight", "ArrowRight", "ArrowRight")
    assert_lift(hands.cards(page), lift.LiftConfig(), 42, "log_sum_exp")
    enter("A handful")
    page.get_by_text("even that flatters").wait_for()
    with hands.answered(page):
        enter("Show me the underflow")
    assert hands.query(page)["way"] == "float32"
    assert_lift(hands.cards(page), lift.LiftConfig(shift=2, ratio=1), 100, "float32")
    # Between, some weights are left, but not their mean.
    hands.press(page, "d", "Shift+ArrowLeft", "Shift+ArrowLeft", "ArrowLeft")
    assert hands.cards(page)["Heaviest draw"].value == "x / 0"
    assert_lift(hands.cards(page), lift.LiftConfig(shift=2, ratio=1), 79, "float32")
    hands.press(page, "d", "Shift+ArrowRight", "Shift+ArrowRight", "ArrowRight")
    with hands.answered(page):
        enter("Log-sum-exp", exact=True)
    assert_lift(hands.cards(page), lift.LiftConfig(shift=2, ratio=1), 100, "log_sum_exp")


def test_the_flag_and_the_dimension_are_dragged(visit):
    page = visit().open(NAME, "?part=how_many")
    hands.ready(page)
    hands.drag(page, "flag", 120)
    assert int(hands.query(page)["flag"]) > 300
    hands.turn(page, part="lift")
    hands.drag(page, "d", 150)
    assert_lift(hands.cards(page), lift.LiftConfig(), int(hands.query(page)["d"]), "log_sum_exp")


def test_every_part_fits_a_phone_with_handles_a_finger_can_hit(visit):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True).open(NAME, "?part=lift")
    hands.ready(page)
    for part in ("tails", "lucky", "how_many", "lift"):
        hands.turn(page, part=part)
        knobs = page.locator(".lab-knob").all()
        assert knobs
        for knob in knobs:
            box = knob.bounding_box()
            assert (box["width"], box["height"]) == pytest.approx((44, 44), abs=0.01)
            assert 0 <= box["x"] <= 346
            assert knob.get_attribute("aria-label")
            assert knob.get_attribute("aria-valuetext")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
