"""The lesson on better proposals: its parts, its address and its numbers."""

import re

import numpy as np
import pytest
from harness import assert_no_error, open_page, predict, scene, until, values

from iwae_core.evaluation.studies import board, rare, self_normalized, two_proposals
from iwae_core.evaluation.studies.board import BoardConfig
from iwae_core.evaluation.studies.rare import RareConfig
from iwae_core.evaluation.studies.self_normalized import RatioConfig
from iwae_core.evaluation.studies.two_proposals import TwoProposalsConfig
from iwae_core.ui import better_board, better_mixtures, better_rare, better_ratio
from iwae_core.view.numbers import digits, with_error

NAME = "better_proposals"
MODULES = {
    "ratio": better_ratio,
    "mixtures": better_mixtures,
    "rare": better_rare,
    "board": better_board,
}


pytestmark = pytest.mark.usefixtures("workers")


class FakeLink:
    """A link whose fields stand as given, or at their defaults."""

    def __init__(self, **given):
        self.given = given

    def value(self, field):
        return self.given.get(field.name, field.default)


@pytest.mark.parametrize(
    ("part", "name"), [(p, name) for p, module in MODULES.items() for name in module.SCENES]
)
def test_a_scene_sets_its_controls_and_says_why(part, name):
    answer = next(iter(MODULES[part].ANSWERS))  # some reasons give the answer away
    app = open_page(NAME, part=part, **{f"{part}_answer": answer})
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    choice.set_value(name).run()
    assert_no_error(app)
    assert not app.warning
    assert MODULES[part].SCENES[name].why in [caption.value for caption in app.caption]
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    assert choice.value == name


@pytest.mark.parametrize("part", MODULES)
def test_the_explanation_waits_for_a_prediction_and_each_answer_has_one(part):
    app = open_page(NAME, part=part)
    module = MODULES[part]
    from iwae_core.ui import lesson

    text = lesson.load(NAME)
    why = text.render(f"{part}_why").splitlines()[0]
    assert not any(why in block.value for block in app.markdown)
    answer = next(iter(module.ANSWERS))
    predict(app, answer)
    assert_no_error(app)
    assert any(why in block.value for block in app.markdown)
    assert app.query_params[f"{part}_answer"] == answer
    for other in module.ANSWERS:
        assert text.parts[f"{part}_answer_{other}"]


@pytest.mark.parametrize("part", MODULES)
def test_new_noise_changes_the_seed_and_reset_keeps_it_and_the_part(part):
    app = open_page(NAME, part=part)
    next(b for b in app.button if b.label == "New noise").click().run()
    next(b for b in app.button if b.label == "Reset").click().run()
    assert_no_error(app)
    expected = {"seed": "2"} if part == "ratio" else {"part": part, "seed": "2"}
    assert dict(app.query_params) == expected


def test_bad_values_fall_back_with_a_message():
    app = open_page(NAME, part="magic", ratio_scale=99, ratio_K=3)
    assert_no_error(app)
    said = " ".join(warning.value for warning in app.warning)
    for word in ("magic", "ratio_scale", "ratio_K"):
        assert word in said


def test_the_ratio_scene_is_sent_the_study_and_the_noise_of_its_runs():
    app = open_page(NAME, ratio_loc=0.5, ratio_scale=1.5, seed=4, ratio_K=64)
    meta, arrays = scene(app, "ratio")
    report = self_normalized.run(RatioConfig(loc=0.5, scale=1.5, seed=4))
    np.testing.assert_array_equal(arrays["bias"], report.bias)
    np.testing.assert_array_equal(arrays["plain_variance"], report.plain_variance)
    # The study's own ghosts at the largest K are what q makes of this noise.
    z = (0.5 + 1.5 * arrays["eps"]).reshape(-1, 256)
    log_w = -0.5 * (z - 1) ** 2 + 0.5 * arrays["eps"].reshape(-1, 256) ** 2 + np.log(1.5)
    plain = (np.exp(log_w) * z).mean(axis=1)
    np.testing.assert_allclose(plain, report.ghosts_plain[: better_ratio.N_RUNS], rtol=1e-10)
    assert meta["state"]["ratio_K"] == 64
    assert meta["exact"] == 1.0


def test_a_question_without_an_answer_is_replaced_with_a_word():
    app = open_page(NAME, ratio_target="student_t", ratio_f="exp_z")
    assert_no_error(app)
    assert any("infinite" in info.value for info in app.info)


@pytest.mark.parametrize(
    ("settings", "K"),
    [
        ({}, 16),
        ({"target": "two_modes", "loc": 1.0, "scale": 2.5, "seed": 3}, 4),
        ({"target": "standard_normal", "loc": 3.0, "scale": 1.0, "integrand": "above_3"}, 64),
        ({"target": "uniform", "loc": 3.0, "scale": 0.8}, 2),
    ],
)
def test_the_script_on_the_ratio_prints_the_pages_numbers(settings, K):
    config = RatioConfig(**settings)
    report = self_normalized.run(config)
    i = int(np.log2(K))
    found = values(better_ratio.script(FakeLink(ratio_K=K), config))
    assert found["exact"] == pytest.approx(report.exact, rel=1e-8)
    assert found["plain_spread"] == pytest.approx(np.sqrt(report.plain_variance[i]), rel=1e-8)
    assert found["ratio_spread"] == pytest.approx(np.sqrt(report.variance[i]), rel=1e-8)
    if "ratio_bias" in found:
        assert found["ratio_bias"] == pytest.approx(report.bias[i], rel=1e-6, abs=1e-12)
        assert found["ratio_bias_error"] == pytest.approx(report.bias_error[i], rel=1e-6)
        assert found["leading_bias"] == pytest.approx(report.leading_bias[i], rel=1e-8)
    else:
        assert found["ratio_bias_raw"] == pytest.approx(report.bias[i], rel=1e-6, abs=1e-12)


def test_the_mixtures_scene_is_sent_the_draws_of_the_study_and_its_repeats():
    app = open_page(NAME, part="mixtures", loc1=-1.5, scale2=1.3, share=0.25, mix_K=120, seed=3)
    meta, arrays = scene(app, "mixtures")
    config = TwoProposalsConfig(loc=-1.5, scale2=1.3, share=0.25, n_samples=120, seed=3)
    report = two_proposals.run(config)
    assert meta["counts"] == [90, 30]
    moved = np.where(np.arange(120) < 90, -1.5 + 0.8 * arrays["eps"], 3 + 1.3 * arrays["eps"])
    np.testing.assert_allclose(moved, report.z, rtol=1e-13)
    for kind in ("single", "balance"):
        for name, expected in getattr(report, kind).value.items():
            np.testing.assert_array_equal(arrays[f"{kind}_{name}"], expected)
    assert meta["offset"] == report.offset


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"target": "unnormalized", "loc": 0.0, "loc2": 2.0, "share": 0.25, "seed": 9},
        {"target": "uniform", "loc": 6.0, "scale": 0.2, "loc2": 6.0, "scale2": 0.2},
    ],
)
@pytest.mark.parametrize("kind", two_proposals.WEIGHTINGS)
def test_the_script_on_two_proposals_prints_the_pages_numbers(settings, kind):
    config = TwoProposalsConfig(**settings)
    found = values(better_mixtures.script(FakeLink(weights=kind), config))
    report = two_proposals.run(config)
    f = report.z  # the question is the mean of z
    for name in ("single", "balance"):
        expected = (np.exp(getattr(report, name).log_w) * f).mean()
        assert found[name] == pytest.approx(expected, rel=1e-8)
    assert found["largest_balance"] == pytest.approx(np.log(report.balance.largest), rel=1e-8)
    if "ess" in found:
        w = np.exp(getattr(report, kind).log_w)
        assert found["ess"] == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-8)
        # Systematic resampling copies each draw floor or ceil of K times its share.
        assert found["resampled"] == pytest.approx((w * f).sum() / w.sum(), abs=0.2)


def test_the_rare_event_is_sent_the_studys_repeats_and_the_noise_of_the_first():
    app = open_page(NAME, part="rare", a=3, shift=2.5, rare_K=400, seed=6)
    meta, arrays = scene(app, "rare")
    report = rare.run(RareConfig(threshold=3.0, shift=2.5, n_samples=400, seed=6))
    for name in ("naive", "shifted", "optimal"):
        way = getattr(report, name)
        np.testing.assert_allclose(arrays[name] * report.exact, way.value, rtol=1e-14)
    z = 2.5 + arrays["eps_shifted"]
    estimate = ((z > 3) * np.exp(-0.5 * z**2 + 0.5 * (z - 2.5) ** 2)).mean()
    assert estimate == pytest.approx(report.shifted.value[0], rel=1e-10)
    assert (arrays["eps_naive"] > 3).mean() == pytest.approx(report.naive.value[0], rel=1e-10)
    assert meta["best_shift"] == report.best_shift


@pytest.mark.parametrize("settings", [{}, {"threshold": 1.5, "shift": 3.0, "seed": 4}])
def test_the_script_on_the_rare_event_prints_the_pages_numbers(settings):
    config = RareConfig(n_samples=300, **settings)
    found, report = values(better_rare.script(FakeLink(), config)), rare.run(config)
    assert found["exact"] == pytest.approx(report.exact, rel=1e-8)
    for name in ("naive", "shifted", "optimal"):
        way = getattr(report, name)
        assert found[f"{name}_first"] == pytest.approx(way.value[0], rel=1e-8, abs=0)
        assert found[f"{name}_needed"] == pytest.approx(way.needed, rel=1e-6)
        assert found[f"{name}_found_nothing"] == pytest.approx(way.found_nothing)


def test_the_prose_on_the_rare_event_quotes_the_right_numbers():
    from iwae_core.ui import lesson

    report = rare.run(RareConfig(threshold=4.0, shift=4.0))
    parts = lesson.load(NAME).parts
    assert round(1 / report.exact, -2) == 31_600
    assert f"{report.naive.needed / 1e6:.2f}" == "3.16"
    assert f"first is {report.naive.true_rmse * 1000**0.5:.0f}" in parts["rare_why"]
    assert f"second {report.shifted.true_rmse * 1000**0.5:.2f}" in parts["rare_why"]
    assert round(report.shifted.needed, -1) == 450


def rows_of(app):
    (found,) = [e.proto.body for e in app.get("html") if "<table" in e.proto.body]
    cells = [
        re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", found)
    ]
    return {row[1]: row for row in cells if row}


@pytest.mark.parametrize("target", ["two_modes", "drawn.AAcz_zcAABGQ_QA"])
def test_the_board_shows_what_the_study_found_and_every_row_is_in_the_table(target):
    app = open_page(NAME, part="board", target=target, loc=0.5, K=60, seed=2)
    until(app, lambda: scene(app, "board"))
    report = board.run(BoardConfig(target=target, loc=0.5, scale=2.5, n_samples=60, seed=2))
    meta, arrays = scene(app, "board")
    assert meta["keys"] == [row.key for row in report.rows]
    np.testing.assert_array_equal(arrays["rmse"], [row.rmse for row in report.rows])
    np.testing.assert_array_equal(arrays["cost"], [row.cost for row in report.rows])
    known = {row.key: std for row, std in zip(report.rows, arrays["true_std"], strict=True)}
    assert np.isnan(known["pareto_smoothed"])
    assert known["importance"] == {row.key: row for row in report.rows}["importance"].true_std
    shown = rows_of(app)
    for row in report.rows:
        cells = shown[row.title]
        assert cells[2] == with_error(row.rmse, row.rmse_error)
        assert cells[5] == str(row.cost)
        assert ("<b>" in cells[3]) == (abs(row.bias) > 3 * row.bias_error)
    assert shown["Importance sampling"][6] == "1"
    error, cost = (np.array([getattr(r, n) for r in report.rows]) for n in ("rmse", "cost"))
    reference = meta["reference"]
    worth = (error[reference] ** 2 * cost[reference]) / (error**2 * cost)
    for row, factor in zip(report.rows, worth, strict=True):
        if row.key != "importance":
            assert shown[row.title][6] == digits(factor, 2)


def test_a_target_known_up_to_a_factor_names_what_is_missing_from_the_board():
    app = open_page(NAME, part="board", target="unnormalized", loc=0.5, scale=1.5, K=30)
    until(app, lambda: scene(app, "board"))
    assert "Importance sampling" not in rows_of(app)
    said = " ".join(element.proto.body for element in app.get("html"))
    assert "<b>Importance sampling</b>, needs a normalized target" in said


def test_the_script_of_the_board_prints_the_pages_numbers():
    config = BoardConfig(n_samples=40, seed=3, family="student_t")
    found, report = values(better_board.script(FakeLink(), config)), board.run(config)
    for row in report.rows:
        assert found[f"{row.key}_rmse"] == pytest.approx(row.rmse, rel=1e-8)
        assert found[f"{row.key}_bias"] == pytest.approx(row.bias, rel=1e-8, abs=1e-15)
        assert found[f"{row.key}_cost"] == row.cost


@pytest.mark.parametrize(
    ("part", "answer", "elsewhere"),
    [("mixtures", "half", {"loc1": 0}), ("rare", "millions", {"a": 3})],
)
def test_numbers_that_answer_the_question_wait_for_an_answer_in_the_scene_it_is_about(
    part, answer, elsewhere
):
    withheld = [
        scene(open_page(NAME, part=part, **query), part)[0]["withheld"]
        for query in ({}, elsewhere, {f"{part}_answer": answer})
    ]
    assert withheld == [True, False, False]
