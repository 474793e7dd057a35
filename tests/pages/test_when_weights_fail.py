"""The lesson on failing weights: its four parts, their addresses and their numbers."""

import math

import numpy as np
import pytest
import torch
from harness import assert_no_error, code, open_page, predict, scene, until, values
from scipy.stats import norm

from iwae_core.evaluation.studies import how_many, lift, lucky, tails
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling import psis
from iwae_core.ui import failing_lucky
from iwae_core.view.numbers import digits, percent

NAME = "when_weights_fail"
PARTS = ("tails", "lucky", "how_many", "lift")


pytestmark = pytest.mark.usefixtures("workers")


def choose_scene(app, name):
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    return choice.set_value(name).run()


def test_light_tails_tell_what_an_independent_computation_finds():
    app = open_page(NAME, scale=0.6, K=400, seed=3)
    eps = standard_normal((400, 200), stream(3, "tails"), torch.float64).numpy()
    z = 0.6 * eps
    w = norm.pdf(z) / norm.pdf(z, 0, 0.6)
    estimate = (w * z**2).mean(axis=0)
    error = (w * z**2).std(axis=0, ddof=1) / 20
    covers = np.abs(estimate - 1) <= 1.96 * error
    k_hat = psis.k_hat(torch.from_numpy(np.log(w))).numpy()
    meta, arrays = scene(app, "tails")
    np.testing.assert_allclose(arrays["eps"], eps[:, 0], atol=1e-12)
    np.testing.assert_allclose(arrays["estimate"], estimate, rtol=1e-9)
    np.testing.assert_allclose(arrays["high"], estimate + 1.96 * error, rtol=1e-9)
    np.testing.assert_allclose(arrays["k_hat"], k_hat, rtol=1e-6)
    assert meta["exact"] == pytest.approx(1)
    assert meta["report"]["coverage"] == percent(covers.mean())
    unflagged = (~covers & ~(k_hat > 0.7)).sum()
    assert meta["report"]["unflagged"] == f"{unflagged} of {(~covers).sum()}"
    # E_q[w^2 z^4] = infinite below a width of 0.71
    assert meta["report"]["true_std"] == "∞"


def test_k_hat_at_every_width_is_that_of_the_sweep_whatever_q_is():
    first, second = (scene(open_page(NAME, scale=s, K=50), "tails")[1] for s in (0.5, 1.7))
    for name in ("sweep_scale", "sweep_k_hat", "sweep_low", "sweep_high"):
        np.testing.assert_array_equal(first[name], second[name])
    expected = tails.sweep(tails.TailsConfig(n_samples=50, scale=1.1))
    np.testing.assert_array_equal(first["sweep_k_hat"], expected.k_hat)


def test_the_lucky_draw_is_left_out_by_the_address_and_only_from_its_own_run():
    c = failing_lucky.config
    assert c(_Link(out="418.884.27", run=418)).left_out == (883, 26)
    assert c(_Link(out="418.884", run=419)).left_out == ()
    assert c(_Link(out="418.884.2000.0.884", run=418)).left_out == (883,)
    assert c(_Link(out="", run=418)).left_out == ()
    app = open_page(NAME, part="lucky", out="418.884")
    assert_no_error(app)
    meta, arrays = scene(app, "lucky")
    z = 1.25 * arrays["eps"]
    w = (0.9 * norm.pdf(z) + 0.1 * norm.pdf(z, 5, 0.5)) / norm.pdf(z, 0, 1.25)
    assert np.abs(np.diff(np.cumsum(w * z) / np.arange(1, 1001)))[20:].argmax() + 20 + 1 == 883
    assert meta["exact"] == pytest.approx(0.5)
    assert digits(np.delete(w * z, 883).mean()) in meta["alt"]
    # Lucky: a weight above 0.1 K. The chance of none in K draws, by a fine sum.
    grid = np.linspace(-12, 15, 2_000_001)
    p, q = 0.9 * norm.pdf(grid) + 0.1 * norm.pdf(grid, 5, 0.5), norm.pdf(grid, 0, 1.25)
    chance = np.trapezoid(np.where(p > 100 * q, q, 0), grid)
    assert meta["chance"] == percent(1 - (1 - chance) ** 1000)


class _Link:
    """As much of a link as a config reads."""

    def __init__(self, **values):
        self.values = values

    def value(self, field):
        return self.values.get(field.name, field.default)


def test_other_noise_leaves_nothing_out():
    app = open_page(NAME, part="lucky", out="418.884", pick="418.884")
    next(b for b in app.button if b.label == "New noise").click().run()
    assert app.query_params["run"] == "419"
    assert "From 1000 draws" in scene(app, "lucky")[0]["alt"]


def test_no_answer_travels_before_the_flag_is_planted():
    app = open_page(NAME, part="how_many", flag=5000)
    meta, arrays = scene(app, "flag")
    assert meta["report"] is None
    assert not arrays
    told = [caption.value for caption in app.caption]
    assert not any(entry.why in told for entry in how_many.SCENES.values())
    app = open_page(NAME, part="how_many", flag=5000, shown=meta["key"])
    until(app, lambda: scene(app, "flag")[0]["report"])
    meta, arrays = scene(app, "flag")
    report = how_many.run(how_many.HowManyConfig())
    assert meta["report"]["needed"] == pytest.approx(math.exp(2))
    assert meta["report"]["measured"] == report.measured
    np.testing.assert_allclose(arrays["ratio"], report.running, rtol=1e-6)
    within = np.mean(np.abs(report.running[report.n <= 5000][-1] - 1) <= 0.1)
    assert meta["report"]["score"]["within"] == percent(within)
    orders = f"{math.log10(5000 / report.measured):.1f}".replace("-", "\N{MINUS SIGN}")
    assert meta["report"]["score"]["measured"] == orders
    shown = [caption.value for caption in app.caption]
    assert any(entry.why in shown for entry in how_many.SCENES.values())


def test_another_question_hides_the_answer_again():
    app = open_page(NAME, part="how_many", shown="standard_normal_2_1")
    until(app, lambda: scene(app, "flag")[0]["report"])
    choose_scene(app, "wide")
    assert scene(app, "flag")[0]["report"] is None
    far = open_page(NAME, part="how_many", mean=3.5, shown="standard_normal_3.5_1", flag=3000)
    until(far, lambda: scene(far, "flag")[0]["report"])
    told = scene(far, "flag")[0]["report"]
    assert told["measured"] is None
    assert told["measured_text"] == "over 30,000"
    assert told["score"]["measured"] == "< \N{MINUS SIGN}1.0"


def test_the_lift_tells_every_dimension():
    app = open_page(NAME, part="lift", shift=0.5, ratio=1.1, d=7)
    _, arrays = scene(app, "lift")
    report = lift.run(lift.LiftConfig(shift=0.5, ratio=1.1))
    np.testing.assert_array_equal(arrays["ess"], report.ess_each)
    # E_q[w^2] of one coordinate by quadrature
    grid = np.linspace(-20, 20, 400_001)
    moment = np.trapezoid(norm.pdf(grid) ** 2 / norm.pdf(grid, 0.5, 1.1), grid)
    np.testing.assert_allclose(
        arrays["log_predicted"], -np.arange(1, 501) * np.log(moment), rtol=1e-8
    )
    np.testing.assert_allclose(arrays["top"][6, 0], arrays["top"][6].max())


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_a_link_and_explains_after_a_prediction(part):
    app = open_page(NAME, part=part)
    assert_no_error(app)
    assert not app.warning
    assert (app.query_params.get("part", ["tails"]) or "tails") in (part, [part])
    if part == "how_many":
        return
    answers = {"tails": "half", "lucky": "wrong", "lift": "few"}
    before = len(app.markdown)
    predict(app, answers[part])
    assert_no_error(app)
    assert len(app.markdown) > before
    (show,) = [b for b in app.button if b.label.startswith(("Show me", "Leave"))][:1]
    show.click().run()
    assert_no_error(app)
    shown = {"tails": ("scale", "0.5"), "lucky": ("out", "418.884"), "lift": ("d", "100")}[part]
    assert app.query_params[shown[0]] in (shown[1], [shown[1]])


@pytest.mark.parametrize(
    ("part", "study", "extra"),
    [
        ("tails", tails, {}),
        ("lucky", lucky, {}),
        ("lift", lift, {"counted": "few"}),
    ],
)
def test_a_scene_sets_its_controls_and_says_why(part, study, extra):
    app = open_page(NAME, part=part, **extra)
    for name, entry in study.SCENES.items():
        choose_scene(app, name)
        assert_no_error(app)
        assert entry.why in [caption.value for caption in app.caption]


def test_bad_values_fall_back_with_a_message():
    app = open_page(NAME, part="nowhere", scale=99, out="418.x", shown="<b>", d=0)
    assert_no_error(app)
    said = " ".join(warning.value for warning in app.warning)
    for word in ("nowhere", "scale", "418.x", "shown", "d = 0"):
        assert word in said
    assert scene(app, "tails")[0]["state"] == {"scale": 1.3, "loc": 0.0}


def test_reset_keeps_the_part_the_seed_and_what_belongs_to_other_parts():
    app = open_page(NAME, part="lift", d=200, shift=1, seed=5, scale=0.5)
    next(b for b in app.button if b.label == "Reset").click().run()
    left = {name: str(np.ravel(value)[0]) for name, value in dict(app.query_params).items()}
    assert left == {"part": "lift", "seed": "5", "scale": "0.5"}


def test_the_scripts_print_the_numbers_of_the_page():
    query = {"part": "tails", "scale": 0.5, "K": 200, "seed": 4}
    found = values(code(open_page(NAME, **query), f"{NAME}_tails"))
    report = tails.run(tails.TailsConfig(scale=0.5, n_samples=200, seed=4))
    for name in ("exact", "tail_index", "coverage", "misses", "misses_flagged"):
        assert found[name] == pytest.approx(getattr(report, name), rel=1e-8), name
    for name in ("estimate", "std_error", "k_hat"):
        assert found[name] == pytest.approx(getattr(report, name)[0], rel=1e-7), name

    found = values(code(open_page(NAME, part="lucky", out="418.884"), f"{NAME}_lucky"))
    report = lucky.run(lucky.LuckyConfig(seed=418, left_out=(883,)))
    assert found["largest_jump_at"] == report.largest[0] + 1
    for name in ("estimate", "std_error", "ess", "k_hat"):
        assert found[f"full_{name}"] == pytest.approx(getattr(report.full, name), rel=1e-7)
        assert found[f"rest_{name}"] == pytest.approx(getattr(report.rest, name), rel=1e-7)

    query = {"part": "how_many", "mean": 0, "width": 4, "flag": 300, "seed": 2}
    found = values(code(open_page(NAME, **query), f"{NAME}_how_many"))
    report = how_many.run(how_many.HowManyConfig(loc=0, scale=4, seed=2))
    score = how_many.score(300, report)
    assert found["needed"] == pytest.approx(report.needed)
    assert found["score"] == pytest.approx(score.from_measured)
    assert found["within_at_flag"] == pytest.approx(score.within_at_flag)

    query = {"part": "lift", "shift": 2, "ratio": 1, "d": 120, "seed": 3}
    found = values(code(open_page(NAME, **query), f"{NAME}_lift"))
    report = lift.run(lift.LiftConfig(shift=2, ratio=1, seed=3))
    assert found["ess"] == pytest.approx(report.ess_each[119])
    assert found["log_mean"] == pytest.approx(report.log_mean[119])
    assert found["float32_log_mean"] == -math.inf == report.plain["float32"].log_mean[119]
    assert found["float64_zeros"] == report.plain["float64"].zeros[119]
    assert found["predicted_ess"] == pytest.approx(1000 * math.exp(-480))


def test_runs_that_miss_are_the_calmer_ones_as_the_scene_says():
    report = tails.run(tails.TailsConfig())
    calm = report.k_hat <= 0.7
    assert "five in six" in tails.SCENES["looks_fine"].why
    assert calm[~report.covers].mean() == pytest.approx(5 / 6, abs=0.03)
    assert calm[report.covers].mean() == pytest.approx(1 / 3, abs=0.03)
