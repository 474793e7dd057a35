"""The posterior really used, under the hand: dragged, by keyboard, and its numbers checked."""

import hands
import numpy as np
import pytest

from iwae_core.evaluation.studies import posterior_used as study
from iwae_core.evaluation.studies.posterior_digits import N_DIGITS, of_digit
from iwae_core.evaluation.studies.posterior_targets import TARGETS
from iwae_core.evaluation.studies.posterior_trained import TRAINED_AT
from iwae_core.evaluation.studies.posterior_used import PosteriorUsedConfig
from iwae_core.rng import make_generator
from iwae_core.ui import posterior_best, posterior_digits
from iwae_core.view.numbers import digits

NAME = "posterior_used"
TALL = {"width": 1280, "height": 1100}  # the mouse reaches what is in the window only


def assert_cards(page, config, before=""):
    """Hold that the cards say what the core computes for this state."""
    assert_report(page, study.run(config), before)


def assert_report(page, report, before=""):
    shown = hands.cards(page)
    for label, value, error in (
        ("KL(q‖p)", report.kl_q, report.kl_q_error),
        ("KL(q_K‖p)", report.kl_used, report.kl_used_error),
    ):
        assert shown[before + label] == (digits(value), f"nats, ± {digits(error, 1)}")
    assert shown[f"{before}L_K"].value == digits(report.bound)
    assert shown[f"{before}L_K"].note == f"log p(x) {digits(report.log_marginal)}"
    if not before:
        assert shown["Draws that count"].value == digits(report.effective)


def assert_trained(page, target, K):
    best = posterior_best.best(target)
    for before, (x, y, scale) in (("ELBO: ", best["1"]), ("IWAE: ", best[str(K)])):
        config = PosteriorUsedConfig(target=target, loc_1=x, loc_2=y, scale=scale, n_samples=K)
        assert_cards(page, config, before)


def test_twenty_random_states_print_the_numbers_of_the_core(visit):
    draws = np.random.default_rng(4)
    page = visit(viewport=TALL).open(NAME)
    for _ in range(8):
        target = str(draws.choice(list(TARGETS)))
        config = PosteriorUsedConfig(
            target=target,
            loc_1=round(draws.uniform(-1, 1), 2),
            loc_2=round(draws.uniform(-1, 1), 2),
            scale=round(draws.uniform(0.5, TARGETS[target].max_scale), 2),
            n_samples=int(draws.choice([1, 2, 10, 77, 1000])),
        )
        hands.turn(
            page, target=target, x=config.loc_1, y=config.loc_2, scale=config.scale,
            K=config.n_samples,
        )  # fmt: skip
        assert_cards(page, config)
    for seed in range(6):  # which makes each state another one
        target, K = str(draws.choice(list(TARGETS))), int(draws.choice(TRAINED_AT))
        hands.turn(
            page, part="trained", target=target, trained_K=K, seed=seed, answer_trained="nearer"
        )
        assert_trained(page, target, K)
    for seed in range(6):
        index, K = int(draws.integers(N_DIGITS)), int(draws.choice([1, 2, 10, 77, 1000]))
        hands.turn(page, part="digits", digit=index, used_K=K, seed=seed, answer_digits="larger")
        for name, before in (("digits_elbo", "ELBO: "), ("digits_iwae", "IWAE: ")):
            found = of_digit(posterior_digits.network(name), index, K, make_generator(0))
            assert_report(page, found, before)


def test_q_moves_at_once_as_a_preview_and_the_exact_report_follows(visit):
    page = visit(viewport=TALL).open(NAME)
    hands.ready(page)
    x, y = hands.take(page, "center")
    page.mouse.move(x + 40, y - 30)
    preview = hands.during(page)
    assert preview["KL(q‖p)"].value.startswith("≈ ")
    assert "preview" in preview["KL(q_K‖p)"].note
    assert preview["L_K"].value == "…"
    assert hands.query(page) == {}
    page.mouse.up()
    hands.ready(page)
    found = hands.query(page)
    config = PosteriorUsedConfig(loc_1=float(found["x"]), loc_2=float(found["y"]), scale=1.2)
    assert_cards(page, config)
    # The preview read weights off a table: near, and said to be no more than that.
    near = float(preview["KL(q‖p)"].value.removeprefix("≈ "))
    assert near == pytest.approx(study.run(config).kl_q, rel=0.05)


def test_k_moves_with_exact_weights(visit):
    page = visit(viewport=TALL).open(NAME)
    hands.ready(page)
    x, y = hands.take(page, "K")
    page.mouse.move(x + 60, y)
    during = hands.during(page)
    K = int(hands.knob(page, "K").get_attribute("aria-valuenow"))
    page.mouse.up()
    hands.ready(page)
    assert hands.query(page)["K"] == str(K)
    config = PosteriorUsedConfig(scale=1.2, n_samples=K)
    assert_cards(page, config)
    assert during["KL(q_K‖p)"].value == hands.cards(page)["KL(q_K‖p)"].value


def test_a_keyboard_alone_can_do_the_lesson(visit):
    page = visit(viewport=TALL).open(NAME)
    hands.press(page, "center", "ArrowRight", "Shift+ArrowRight")
    assert float(hands.query(page)["x"]) == pytest.approx(0.55)
    hands.press(page, "lift", "ArrowDown", "ArrowDown")
    assert float(hands.query(page)["y"]) == pytest.approx(-0.1)
    hands.press(page, "scale", "ArrowLeft")
    assert float(hands.query(page)["scale"]) == pytest.approx(1.15)
    hands.press(page, "K", "ArrowUp")
    assert int(hands.query(page)["K"]) == 12
    state = PosteriorUsedConfig(loc_1=0.55, loc_2=-0.1, scale=1.15, n_samples=12)
    assert_cards(page, state)
    said = page.locator(".lab-scene [aria-live]").inner_text()
    assert digits(study.run(state).kl_used) in said
    with hands.answered(page):
        page.keyboard.press("Control+z")
    assert hands.query(page).get("K", "10") == "10"
    one = page.get_by_role("radio", name="Still has one").or_(
        page.get_by_role("button", name="Still has one")
    )
    one.first.press("Enter")
    show = page.get_by_role("button", name="Show me q on one mode")
    show.wait_for()
    with hands.answered(page):
        show.press("Enter")
    assert hands.query(page)["target"] == "two_modes"
    assert_cards(
        page, PosteriorUsedConfig(target="two_modes", loc_1=2.0, scale=0.6, n_samples=1000)
    )


def test_the_k_of_the_training_steps_through_its_stops_and_moves_the_right_q(visit):
    page = visit(viewport=TALL).open(NAME, "?part=trained&target=two_modes")
    hands.press(page, "K", "ArrowLeft")
    assert hands.query(page)["trained_K"] == "10"
    hands.turn(page, **hands.query(page), answer_trained="same")
    assert_trained(page, "two_modes", 10)


@pytest.mark.parametrize(
    ("part", "asked", "answer"),
    [
        ("trained", {"KL(q_K‖p)", "L_K"}, "Nearer"),
        ("digits", {"KL(q‖p)", "KL(q_K‖p)", "L_K"}, "Larger"),
    ],
)
def test_the_numbers_that_answer_come_with_the_prediction(visit, part, asked, answer):
    page = visit(viewport=TALL).open(NAME, f"?part={part}")
    hands.ready(page)
    knob = hands.knob(page, "K")
    covered = {f"{name}: {label}" for name in ("ELBO", "IWAE") for label in asked}
    before = hands.cards(page)
    assert {label for label, (value, _) in before.items() if value == "?"} == covered
    assert "nats" not in knob.get_attribute("aria-valuetext")
    assert page.locator(".lab-formula").inner_text().count("?") == len(asked)
    alt = page.locator(".lab-scene canvas").first
    assert "KL(q_K || p) is" not in alt.get_attribute("aria-label")
    given = page.get_by_role("radio", name=answer).or_(page.get_by_role("button", name=answer))
    with hands.answered(page):
        given.first.click()
    after = hands.cards(page)
    assert "?" not in {value for value, _ in after.values()}
    assert {label: after[label] for label in before.keys() - covered} == {
        label: before[label] for label in before.keys() - covered
    }
    assert "nats" in knob.get_attribute("aria-valuetext")
    assert "?" not in page.locator(".lab-formula").inner_text()
    assert "KL(q_K || p) is" in alt.get_attribute("aria-label")


def test_a_phone_keeps_the_handles_inside(visit):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True).open(
        NAME, "?x=-6&y=6&scale=3"
    )
    hands.ready(page)
    for name in ("center", "lift", "scale", "K"):
        box = hands.knob(page, name).bounding_box()
        assert (box["width"], box["height"]) == pytest.approx((44, 44), abs=0.01)
        assert 0 <= box["x"] <= 346
