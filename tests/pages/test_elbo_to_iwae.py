"""The lesson on the bound against K: its controls, its address and its numbers."""

import math

import numpy as np
import pytest
from harness import assert_no_error, cards, figures, numbers, open_page, predict, trace

from iwae_core.evaluation.studies.tightness import SCENES
from iwae_core.view.numbers import digits

NAME = "elbo_to_iwae"


def bound(app):
    return numbers(trace(figures(app)[f"{NAME}.bounds"], "bound L<sub>K</sub>")["y"])


def test_a_shift_has_the_gap_of_its_closed_form():
    # q shifted by d standard deviations: the ELBO lacks d^2 / 2; K gap tends to (e^(d^2) - 1) / 2.
    app = open_page(NAME, part="curve", shift=1.2, K=1)
    assert cards(app)["Gap (nats)"].note == f"ELBO: {digits(0.72)}"
    assert cards(app)["Gap times K"].note == f"tends to {digits(math.expm1(1.44) / 2)}"


def test_the_exact_posterior_has_no_gap_at_any_k():
    app = open_page(NAME, part="curve", shift=0, K=100)
    assert_no_error(app)
    assert cards(app)["Gap (nats)"].value == "0"
    assert cards(app)["Above log p(x)"].value == "0 %"
    np.testing.assert_allclose(bound(app), bound(app)[0], atol=1e-12)
    assert f"{NAME}.gaps" not in figures(app)


@pytest.mark.parametrize(
    ("field", "value"), [("K", 64), ("shift", -0.5), ("scale", 1.3), ("seed", 9)]
)
def test_a_number_moves_the_picture_and_the_address(field, value):
    app = open_page(NAME, part="curve")
    before = figures(app)[f"{NAME}.bounds"]
    (control,) = [
        c for c in (*app.slider, *app.select_slider, *app.number_input)
        if c.key == f"{NAME}.{field}"
    ]  # fmt: skip
    control.set_value(value).run()
    assert_no_error(app)
    assert float(app.query_params[field]) == value
    assert figures(app)[f"{NAME}.bounds"] != before
    query = {**app.query_params, "part": "curve"}
    assert figures(open_page(NAME, **query)) == figures(app)


def test_the_correlation_can_be_dropped():
    app = open_page(NAME, part="curve", shift=0)
    app.toggle[0].set_value(False).run()
    assert app.query_params["correlated"] == "0"
    assert cards(app)["Gap times K"].note == "no finite limit"
    assert any("variance of the weights is infinite" in m.value for m in app.markdown)


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_sets_its_controls_and_says_why(scene):
    app = open_page(NAME, part="curve", shift=0.3)
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    choice.set_value(scene).run()
    assert_no_error(app)
    assert SCENES[scene].why in [caption.value for caption in app.caption]
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    assert choice.value == scene


@pytest.mark.parametrize("answer", ["tighter", "steadier", "exact"])
def test_the_explanation_waits_for_a_prediction(answer):
    app = open_page(NAME, part="curve")
    assert not any("where the logarithm stands" in m.value for m in app.markdown)
    predict(app, answer)
    assert_no_error(app)
    assert any("where the logarithm stands" in m.value for m in app.markdown)


def test_bad_values_fall_back_with_a_message():
    app = open_page(NAME, part="curve", K=0, shift="far", correlated="yes")
    assert_no_error(app)
    assert len(app.warning) == 3
    assert figures(app) == figures(open_page(NAME, part="curve"))


def test_any_k_of_a_link_is_shown():
    app = open_page(NAME, part="curve", K=37)
    assert cards(app)["Bound (nats)"].note.endswith("K = 37")
    assert trace(figures(app)[f"{NAME}.bounds"], "your K = 37")
