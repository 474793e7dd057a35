"""The lesson on borrowed samples: its controls, its address and its numbers."""

import numpy as np
import pytest
import torch
from harness import assert_no_error, cards, figures, numbers, open_page, predict, trace

from iwae_core.evaluation.studies.choices import scenes
from iwae_core.rng import stream
from iwae_core.sampling import psis
from iwae_core.view.numbers import digits, fixed, percent

NAME = "borrowed_samples"
NARROW = {"loc": 1, "scale": 0.5, "f": "z_squared"}


def drawn(app):
    return numbers(trace(figures(app)[f"{NAME}.draws"], "draws from q")["x"])


def test_printed_numbers_are_those_of_an_independent_computation():
    app = open_page(NAME, loc=1.4, scale=1.2, K=100, seed=7)
    eps = torch.randn(100, generator=stream(7, "draws"), dtype=torch.float64).numpy()
    z = 1.4 + 1.2 * eps
    log_w = -0.5 * (z - 1) ** 2 + 0.5 * eps**2 + np.log(1.2)
    w = np.exp(log_w)
    printed = cards(app)
    assert printed["Estimate"].value == digits((w * z).mean())
    assert printed["Error"].value == digits((w * z).mean() - 1)
    assert printed["ESS"].value == digits(w.sum() ** 2 / (w**2).sum())
    assert printed["Heaviest draw"].value == percent(w.max() / w.sum())
    assert printed["k-hat"].value == fixed(psis.k_hat(torch.from_numpy(log_w)).item())
    np.testing.assert_allclose(drawn(app), z)


def test_self_normalized_answers_do_not_care_about_the_normalizer():
    app = open_page(NAME, target="unnormalized", average="self_normalized", K=4000)
    assert abs(float(cards(app)["Estimate"].value) - 1) < 0.1
    app = open_page(NAME, target="unnormalized", K=4000)
    assert abs(float(cards(app)["Estimate"].value) - 3) < 0.3


@pytest.mark.parametrize(
    ("field", "value"),
    [("loc", -2.0), ("scale", 0.7), ("K", 24), ("df", 5.0), ("seed", 11)],
)
def test_a_number_moves_the_picture_and_the_address(field, value):
    app = open_page(NAME, family="student_t")
    before = drawn(app)
    (control,) = [
        c for c in (*app.slider, *app.select_slider, *app.number_input)
        if c.key == f"{NAME}.{field}"
    ]  # fmt: skip
    control.set_value(value).run()
    assert_no_error(app)
    assert float(app.query_params[field]) == value
    assert not np.array_equal(drawn(app), before)
    query = dict(app.query_params)
    np.testing.assert_array_equal(drawn(open_page(NAME, **query)), drawn(app))


@pytest.mark.parametrize(
    ("field", "value"),
    [("target", "two_modes"), ("family", "laplace"), ("f", "exp_z")],
)
def test_a_choice_moves_the_picture_and_the_address(field, value):
    app = open_page(NAME)
    before = figures(app)[f"{NAME}.draws"]
    (control,) = [c for c in app.selectbox if c.key == f"{NAME}.{field}"]
    control.set_value(value).run()
    assert_no_error(app)
    assert app.query_params[field] == value
    assert figures(app)[f"{NAME}.draws"] != before


def test_the_average_is_chosen_and_shown_as_its_formula():
    app = open_page(NAME, average="self_normalized")
    assert any(r"\frac{\sum_{k=1}^{K}" in markdown.value for markdown in app.markdown)


@pytest.mark.parametrize("scene", scenes())
def test_a_scene_sets_its_controls_and_says_why(scene):
    app = open_page(NAME)
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    choice.set_value(scene).run()
    assert_no_error(app)
    assert not app.warning
    assert scenes()[scene].why in [caption.value for caption in app.caption]
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    assert choice.value == scene


def test_a_moved_control_makes_the_scene_ones_own():
    app = open_page(NAME, loc=0.3)
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    assert choice.value == "own"
    assert not app.caption


def test_the_explanation_waits_for_a_prediction():
    app = open_page(NAME)
    assert not [b for b in app.button if b.label == "Show me the narrow q"]
    predict(app, "worse")
    assert app.query_params["answer"] == "worse"
    (show,) = [b for b in app.button if b.label == "Show me the narrow q"]
    show.click().run()
    assert_no_error(app)
    assert app.query_params["scale"] == "0.5"
    assert app.query_params["f"] == "z_squared"
    again = open_page(NAME, answer="worse", **NARROW)
    assert cards(again) == cards(app)


def test_the_prose_quotes_the_right_standard_errors():
    from iwae_core.evaluation.studies.weighting import WeightingConfig, run
    from iwae_core.ui import lesson

    report = run(WeightingConfig(loc=1.0, scale=1.5, integrand="z_squared"))
    why = lesson.load(NAME).parts["why"]
    assert rf"{report.std_of_term:.2f} / \sqrt K" in why
    assert rf"{report.std_under_target:.2f} / \sqrt K" in why
    assert np.exp(report.log_w).max() <= 1.5


def test_a_question_without_an_answer_is_replaced_with_a_word():
    app = open_page(NAME, target="student_t", f="exp_z")
    assert_no_error(app)
    assert any("infinite" in info.value for info in app.info)


def test_bad_values_fall_back_with_a_message():
    app = open_page(NAME, scale=99, family="gauss", K="many")
    assert_no_error(app)
    said = " ".join(warning.value for warning in app.warning)
    assert "scale" in said
    assert "gauss" in said
    assert "many" in said
    np.testing.assert_array_equal(drawn(app), drawn(open_page(NAME)))


def test_new_noise_changes_the_draws_and_reset_keeps_the_seed():
    app = open_page(NAME, loc=-1)
    before = drawn(app)
    next(b for b in app.button if b.label == "New noise").click().run()
    assert app.query_params["seed"] == "3"
    assert not np.array_equal(drawn(app), before)
    next(b for b in app.button if b.label == "Reset").click().run()
    assert dict(app.query_params) == {"seed": "3"}
