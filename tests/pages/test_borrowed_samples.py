"""The lesson on borrowed samples: its controls, its address and its numbers."""

import numpy as np
import pytest
import torch
from harness import assert_no_error, open_page, predict, scene, with_more
from scipy.stats import norm

from iwae_core.evaluation.studies import task_codes
from iwae_core.evaluation.studies.choices import scenes
from iwae_core.evaluation.studies.tasks import TASKS, check
from iwae_core.evaluation.studies.transport import Noise, moved
from iwae_core.rng import stream
from iwae_core.sampling import psis
from iwae_core.view.numbers import digits, fixed

NAME = "borrowed_samples"
NARROW = {"loc": 1, "scale": 0.5, "f": "z_squared"}


def sent(app):
    """What the scene was sent: its draws, and everything else that decides the picture."""
    meta, arrays = scene(app, "borrowed")
    state = meta["state"]
    given = Noise(df=tuple(meta["df_stops"]), x=arrays["x"], fixed=arrays["fixed"])
    names = ("family", "loc", "scale", "df")
    return moved(given, *(state[name] for name in names)), meta, arrays


def test_the_scene_draws_and_reports_what_an_independent_computation_finds():
    app = open_page(NAME, loc=1.4, scale=1.2, K=100, seed=7)
    eps = torch.randn(100, generator=stream(7, "draws"), dtype=torch.float64).numpy()
    z = 1.4 + 1.2 * eps
    log_w = -0.5 * (z - 1) ** 2 + 0.5 * eps**2 + np.log(1.2)
    drawn, meta, _ = sent(app)
    np.testing.assert_allclose(drawn, z, atol=1e-12)
    assert meta["exact"] == pytest.approx(1)
    assert meta["report"]["k_hat"] == fixed(psis.k_hat(torch.from_numpy(log_w)).item())
    # E_q[w^2 z^2] by quadrature; the error at K draws is sqrt((it - 1) / K).
    grid = np.linspace(-15, 17, 200_001)
    p, q = norm.pdf(grid, 1, 1), norm.pdf(grid, 1.4, 1.2)
    square = np.trapezoid(p**2 / q * grid**2, grid)
    assert meta["report"]["true_error"] == digits(np.sqrt((square - 1) / 100), 2)
    assert meta["target_error"] == "0.10"


def test_an_unnormalized_target_is_told_to_the_scene_with_its_factor():
    _, meta, _ = sent(open_page(NAME, target="unnormalized", average="self_normalized"))
    assert meta["target"]["log_factor"] == pytest.approx(np.log(3))
    assert meta["average"] == "self_normalized"


@pytest.mark.parametrize(
    ("field", "value"),
    [("loc", -2.0), ("scale", 0.7), ("K", 24), ("df", 5.0), ("seed", 11)],
)
def test_a_number_moves_the_picture_and_the_address(field, value):
    app = with_more(open_page(NAME, family="student_t"), NAME)
    before = sent(app)[0]
    (control,) = [
        c for c in (*app.slider, *app.select_slider, *app.number_input)
        if c.key == f"{NAME}.{field}"
    ]  # fmt: skip
    control.set_value(value).run()
    assert_no_error(app)
    assert float(app.query_params[field]) == value
    after = sent(app)[0]
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(sent(open_page(NAME, **dict(app.query_params)))[0], after)


@pytest.mark.parametrize(
    ("field", "value"),
    [("target", "two_modes"), ("family", "laplace"), ("f", "exp_z")],
)
def test_a_choice_moves_the_picture_and_the_address(field, value):
    app = with_more(open_page(NAME), NAME)
    before = sent(app)[1]
    (control,) = [c for c in app.selectbox if c.key == f"{NAME}.{field}"]
    control.set_value(value).run()
    assert_no_error(app)
    assert app.query_params[field] == value
    assert sent(app)[1] != before


def test_ghosts_are_drawn_when_asked_for():
    few = sent(open_page(NAME))[2]["ghosts"]
    many = sent(open_page(NAME, ghosts=1))[2]["ghosts"]
    assert few.shape[1] == 12
    assert many.shape[1] == 200
    # The spread of 200 final estimates: sd 0.11 known exactly, 5 % relative error, 5 of them.
    assert abs(many[-1].std() / 0.11 - 1) < 0.27


def test_a_drawing_is_a_target_with_an_exact_answer():
    # A tent on [-6, 6] with its top at 6: density 2 (z + 6) / 144, mean 2.
    app = open_page(NAME, target="drawn.A_")
    assert_no_error(app)
    assert not app.warning
    assert sent(app)[1]["exact"] == pytest.approx(2)
    broken = open_page(NAME, target="drawn.A*")
    assert_no_error(broken)
    assert any("holds no drawing" in warning.value for warning in broken.warning)


def tasks_open(app, task):
    app.session_state[f"{NAME}.tasks"] = True
    app.run()
    (choice,) = [c for c in app.selectbox if c.label == "Task"]
    return choice.set_value(task).run()


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_judged_and_its_code_replays(task):
    app = open_page(NAME)
    app = tasks_open(app, task)
    assert_no_error(app)
    assert not app.success
    assert app.query_params["task"] == task
    solution = TASKS[task].solution
    code = task_codes.encode(check(task, solution))
    app.text_input[0].set_value(task_codes.grouped(code)).run()
    assert_no_error(app)
    assert [box.value for box in app.success] == [TASKS[task].praise]
    assert task_codes.grouped(code) in [block.value for block in app.code]
    assert float(app.query_params.get("scale", 1.5)) == solution.scale


def test_a_damaged_code_is_refused_with_a_reason():
    app = tasks_open(open_page(NAME), "rare")
    app.text_input[0].set_value("AAAAAA-AAAAAA-AAAAAA-AAAAAB").run()
    assert_no_error(app)
    assert any("cannot be replayed" in warning.value for warning in app.warning)


@pytest.mark.parametrize("name", scenes())
def test_a_scene_sets_its_controls_and_says_why(name):
    app = open_page(NAME)
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    choice.set_value(name).run()
    assert_no_error(app)
    assert not app.warning
    assert scenes()[name].why in [caption.value for caption in app.caption]
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    assert choice.value == name


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
    assert sent(again)[1]["report"] == sent(app)[1]["report"]


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
    np.testing.assert_array_equal(sent(app)[0], sent(open_page(NAME))[0])


def test_new_noise_changes_the_draws_and_reset_keeps_the_seed():
    app = open_page(NAME, loc=-1)
    before = sent(app)[0]
    next(b for b in app.button if b.label == "New noise").click().run()
    assert app.query_params["seed"] == "3"
    assert not np.array_equal(sent(app)[0], before)
    next(b for b in app.button if b.label == "Reset").click().run()
    assert dict(app.query_params) == {"seed": "3"}
