"""Gradients under the hand: four scenes dragged, by keyboard, and their numbers checked."""

import hands
import numpy as np
import pytest

from iwae_core.evaluation.studies import contributions, fans, snr
from iwae_core.evaluation.studies.backward_cost import BackwardCostReport
from iwae_core.evaluation.studies.contributions import ContributionsConfig
from iwae_core.evaluation.studies.fans import FansConfig
from iwae_core.evaluation.studies.snr import SnrConfig
from iwae_core.ui import gradients_backward, jobs
from iwae_core.ui.gradients_fans import NAMES
from iwae_core.view.numbers import digits, fixed, percent

NAME = "gradients"


TALL = {"width": 1280, "height": 1300}  # what is dragged by the mouse must be in sight


def both(values, n=3):
    return " | ".join(digits(float(value), n) for value in values)


def assert_samples(page, config):
    """Hold that the cards say what the study computes for this state."""
    report, shown, K = contributions.run(config), hands.cards(page), config.n_samples
    length = {
        name: [np.hypot(*getattr(report, name)[part : part + 2]) for part in (0, 2)]
        for name in ("vae_sum", "iwae_sum", "vae_mean", "iwae_mean")
    }
    heaviest = shown["Heaviest sample"]
    assert heaviest == (percent(report.weight.max()), f"VAE gives each {percent(1 / K)}")
    assert shown["ESS"] == (digits(report.ess), f"of {K}")
    for group, name in enumerate(("Encoder", "Decoder")):
        card = shown[f"{name}: VAE | IWAE"]
        assert card.value == both([length["vae_sum"][group], length["iwae_sum"][group]])
        means = both([length["vae_mean"][group], length["iwae_mean"][group]])
        assert card.note == f"mean over draws: {means}"
    assert shown["ELBO | bound"].value == f"{fixed(report.elbo)} | {fixed(report.bound)}"


def assert_fans(page, config):
    """Hold that the cards say what the study of this very fan finds."""
    report, shown = fans.run(config), hands.cards(page)
    assert shown["Encoder: right way"].value == percent(report.agreeing[0])
    assert shown["Decoder: right way"].value == percent(report.agreeing[1])
    assert shown["Signal to noise"].value == both(report.snr.reshape(2, 2).mean(axis=1))
    bias = np.hypot(*(report.mean - report.bound_gradient)[:2])
    bias = bias if bias > 1e-6 * np.hypot(*report.mean[:2]) else 0.0  # but for rounding
    assert shown["Away from the bound's"].value == digits(bias)
    assert shown["Bound (nats)"].value == fixed(report.bound, 3)


def assert_snr(page, report, estimator, K):
    """Hold that the cards say what the study finds at this K."""
    e, s, shown = report.estimators.index(estimator), snr.N_SAMPLES.index(K), hands.cards(page)
    for group, name in enumerate(("Encoder", "Decoder")):
        assert shown[f"{name}'s ratio"].value == digits(report.snr[e, s, group])
        if K <= snr.MAX_REPEATED:
            measured = digits(report.snr_hat[e, s, group])
            assert shown[f"{name}'s ratio"].note == f"measured {measured} (100 repeats)"
    slopes = " | ".join(fixed(slope) for slope in report.slope[e])
    assert shown["Slopes"].value == slopes


def assert_backward(page, way):
    """Hold that the cards say what the study finds for this way at the usual q."""
    report = jobs.shipped(BackwardCostReport, "gradients_backward_shifted")
    at = gradients_backward.WAYS.index(way)
    errors, shown = gradients_backward.by_group(report), hands.cards(page)
    assert shown["Go backward"].value == percent(report.modes[at].touched)
    assert shown["Added error"].value == both(errors["added"][at], 2)
    assert shown["Bias"].value == both(errors["bias"][at], 2)
    assert shown["Bias over mean"].value == both(errors["of_mean"][at], 2)


def test_random_states_of_the_other_parts_print_the_numbers_of_the_studies(visit):
    draws = np.random.default_rng(6)
    page = visit().open(NAME)
    report = snr.run(SnrConfig())
    for _ in range(4):
        estimator, K = str(draws.choice(list(NAMES))), int(draws.choice(fans.N_SAMPLES[1:]))
        hands.turn(page, part="fans", estimator=estimator, K=K)
        assert_fans(page, FansConfig(estimator=estimator, n_samples=K))
    for _ in range(3):
        estimator, K = str(draws.choice(list(NAMES))), int(draws.choice(snr.N_SAMPLES[1:]))
        hands.turn(page, part="snr", answer_snr="falls", estimator=estimator, at=K)
        assert_snr(page, report, estimator, K)
    for way in draws.choice(gradients_backward.WAYS, size=3, replace=False):
        hands.turn(page, part="backward", way=way, answer_backward="none")
        assert_backward(page, str(way))


def test_ten_random_states_of_samples_print_the_numbers_of_the_study(visit):
    draws = np.random.default_rng(5)
    page = visit().open(NAME)
    for _ in range(10):
        config = ContributionsConfig(
            shift=round(draws.uniform(-3, 3), 2),
            scale=round(draws.uniform(1, 2), 2),
            n_samples=int(draws.choice([1, 2, 7, 16, 64])),
            seed=int(draws.integers(1000)),
        )
        hands.turn(
            page, shift=config.shift, scale=config.scale, samples=config.n_samples,
            seed=config.seed,
        )  # fmt: skip
        assert_samples(page, config)


def test_q_and_k_are_dragged_and_the_exact_means_follow(visit):
    page = visit(viewport=TALL).open(NAME)
    hands.ready(page)
    x, y = hands.take(page, "mean")
    page.mouse.move(x - 42, y + 18)
    assert hands.during(page)["Encoder: VAE | IWAE"].note == "mean over draws: …"
    assert hands.query(page) == {}
    page.mouse.up()
    hands.ready(page)
    hands.drag(page, "width", 25)
    hands.drag(page, "samples", 90)
    found = hands.query(page)
    assert float(found["scale"]) > 1.3
    assert int(found["samples"]) > 8
    assert_samples(
        page,
        ContributionsConfig(
            shift=float(found["shift"]),
            scale=float(found["scale"]),
            n_samples=int(found["samples"]),
        ),
    )


def test_k_moves_along_the_bound_and_the_estimator_is_a_press(visit):
    page = visit(viewport=TALL).open(NAME, "?part=fans")
    hands.press(page, "K", "ArrowRight", "ArrowRight", "ArrowRight")
    assert hands.query(page)["K"] == "8"
    with hands.answered(page):
        page.get_by_role("button", name="Stick the landing", exact=True).click()
    assert hands.query(page)["estimator"] == "stick_the_landing"
    assert_fans(page, FansConfig(estimator="stick_the_landing", n_samples=8))
    with hands.answered(page):
        page.get_by_role("button", name="DReG", exact=True).click()
    assert hands.cards(page)["Away from the bound's"].note == "unbiased for the bound"
    hands.drag(page, "K", 600)
    assert hands.query(page)["K"] == "1024"


def test_a_line_is_drawn_before_the_curves_are_shown(visit):
    page = visit().open(NAME, "?part=snr")
    hands.press(page, "guess", "ArrowUp", "ArrowUp", "Shift+ArrowDown")
    guess = float(hands.query(page)["guess"])
    assert guess == pytest.approx(-0.4)
    assert set(hands.cards(page)) == {"Your slope", "Encoder at K = 1"}
    with hands.answered(page):
        page.get_by_role("button", name="That is my line").press("Enter")
    assert hands.query(page)["answer_snr"] == "falls"
    page.get_by_text("Right: it falls.").wait_for()
    hands.press(page, "at", "ArrowRight")
    assert hands.query(page)["at"] == "128"
    assert_snr(page, snr.run(SnrConfig()), "reparameterized", 128)
    assert hands.cards(page)["Slopes"].note.endswith(f"you drew {fixed(guess)}")


def test_the_ring_goes_from_one_way_backward_to_another(visit):
    page = visit(viewport={"width": 390, "height": 844}).open(NAME, "?part=backward&way=exact")
    hands.press(page, "way", "ArrowRight", "ArrowRight", "ArrowRight")
    assert hands.query(page)["way"] == "truncated_0.1"
    shown = hands.cards(page)  # the bias is what the question asks for
    assert [label for label, card in shown.items() if card.value == "?"] == [
        "Bias",
        "Bias over mean",
    ]
    hands.turn(page, **hands.query(page), answer_backward="none")
    assert_backward(page, "truncated_0.1")
    box = hands.knob(page, "way").bounding_box()
    assert (box["width"], box["height"]) == pytest.approx((44, 44), abs=0.01)
    hands.undo(page, lambda: hands.query(page)["way"] == "exact", most=3)
