"""One run of importance sampling, against the estimators, closed forms and brute force."""

import math

import numpy as np
import pytest
import torch
from support import assert_mean

from iwae_core.evaluation.studies import choices, weighting
from iwae_core.evaluation.studies.weighting import ESTIMATORS, WeightingConfig, run
from iwae_core.rng import stream

SCENES = choices.scenes()


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("scene", SCENES)
def test_the_running_estimate_is_the_estimator_on_each_prefix(scene, estimator):
    config = WeightingConfig(**dict(SCENES[scene].settings), estimator=estimator, n_samples=300)
    report = run(config)
    asked = weighting.problem(
        config.target, config.family, config.loc, config.scale, config.df, config.integrand
    )
    z = torch.from_numpy(report.z)
    for column in (3, len(report.n) // 2, -1):
        first = z[: int(report.n[column])]
        exact = ESTIMATORS[estimator](asked.f(first), asked.log_weights(first))
        scale = abs(exact.value.item()) + exact.std_error.item() + 1e-300
        assert report.running[column] == pytest.approx(exact.value.item(), abs=1e-9 * scale)
        assert report.running_error[column] == pytest.approx(
            exact.std_error.item(), abs=1e-6 * scale + 1e-12
        )
    assert report.estimate == pytest.approx(report.running[-1], abs=1e-9 * scale)


def test_the_true_standard_error_is_the_spread_of_repeats():
    # 4000 repeats of K = 64: the spread is known to 1.1 %, so 5 sigma is 5.6 %.
    config = WeightingConfig(integrand="z_squared", n_samples=64)
    report = run(config)
    asked = weighting.problem("normal", "normal", 0.5, 1.5, 3.0, "z_squared")
    z = asked.draw((64, 4000), stream(5, "repeats"), torch.float64)
    value = ESTIMATORS["importance"](asked.f(z), asked.log_weights(z)).value
    assert_mean(value, report.exact)
    assert value.std().item() == pytest.approx(report.std_of_term / 8, rel=0.056)


def test_the_self_normalized_standard_error_is_the_spread_of_many_draws():
    report = run(WeightingConfig(estimator="self_normalized"))
    asked = weighting.problem("normal", "normal", 0.5, 1.5, 3.0, "z")
    z = asked.draw((2000, 2000), stream(6, "repeats"), torch.float64)
    value = ESTIMATORS["self_normalized"](asked.f(z), asked.log_weights(z)).value
    assert value.std().item() == pytest.approx(report.std_of_term / math.sqrt(2000), rel=0.08)


def test_drawing_from_the_target_itself_has_the_targets_own_spread():
    # f = z, p = N(1, 1): 1; f = z^2: Var = 4 mean^2 + 2 = 6.
    assert run(WeightingConfig()).std_under_target == pytest.approx(1.0)
    squared = run(WeightingConfig(integrand="z_squared", loc=1.0))
    assert squared.std_under_target == pytest.approx(math.sqrt(6))
    assert squared.std_of_term < squared.std_under_target  # a wide q beats p
    assert run(WeightingConfig(target="unnormalized")).std_under_target == pytest.approx(1.0)


def test_the_expected_ess_is_the_closed_form():
    # science.md: E_q[w^2] = s^2 / sqrt(2 s^2 - 1) exp(d^2 / (2 s^2 - 1)) for p = N(0, 1).
    s, d = 1.5, -0.5
    moment = s**2 / math.sqrt(2 * s**2 - 1) * math.exp(d**2 / (2 * s**2 - 1))
    assert run(WeightingConfig()).expected_ess == pytest.approx(128 / moment)
    unnormalized = run(WeightingConfig(target="unnormalized"))
    assert unnormalized.expected_ess == pytest.approx(128 / moment)
    assert unnormalized.limit == pytest.approx(3.0)
    assert unnormalized.exact == 1.0


def test_a_narrow_proposal_is_known_to_fail_whatever_its_draws_say():
    report = run(WeightingConfig(**dict(SCENES["too_narrow"].settings)))
    assert report.expected_ess == 0
    assert report.std_of_term == math.inf
    assert report.tail_index == 0.75


def test_the_optimal_proposal_answers_with_every_single_draw():
    report = run(WeightingConfig(**dict(SCENES["optimal"].settings), n_samples=5))
    np.testing.assert_allclose(report.running, math.exp(0.5), rtol=1e-12)
    np.testing.assert_allclose(report.repeats, math.exp(0.5), rtol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_ghosts_spread_as_the_exact_deviation_says_and_cover_the_truth(estimator):
    # Spread of 200 runs: known to 5 %, 5 sigma is 25 %. Coverage 95 %: sd 1.5 %, 5 sigma 7.7 %.
    config = WeightingConfig(loc=0.7, n_samples=400, estimator=estimator)
    report = weighting.ghosts(config)
    assert report.running.shape == (len(report.n), 200)
    assert report.spread == pytest.approx(report.true_std, rel=0.25)
    assert abs(report.mean - 1.0) <= 5 * report.true_std / math.sqrt(200) + 2 / 400
    assert report.covered == pytest.approx(0.95, abs=0.077)
    one = weighting.problem("normal", "normal", 0.7, 1.5, 3.0, "z")
    z = one.draw((400, 200), stream(1, "ghosts"), torch.float64)
    exact = ESTIMATORS[estimator](one.f(z), one.log_weights(z))
    np.testing.assert_allclose(report.final, exact.value, rtol=1e-9)
    np.testing.assert_allclose(report.std_error, exact.std_error, rtol=1e-6)


def test_ghosts_of_a_missed_mode_agree_with_each_other_and_not_with_the_truth():
    report = weighting.ghosts(WeightingConfig(**dict(SCENES["missed_mode"].settings)))
    assert report.covered < 0.05
    assert report.true_std > 100 * report.spread


def test_ghosts_that_never_hit_the_support_are_zero_or_undefined():
    # p = Uniform(-1, 2), q = N(4, 1): one draw hits with probability Phi(-2) - Phi(-5).
    miss = 1 - 0.5 * math.erfc(math.sqrt(2)) + 0.5 * math.erfc(5 / math.sqrt(2))
    settings = {"target": "uniform", "loc": 4.0, "scale": 1.0, "n_samples": 20}
    plain = weighting.ghosts(WeightingConfig(**settings))
    ratio = weighting.ghosts(WeightingConfig(**settings, estimator="self_normalized"))
    assert plain.undefined == 0
    np.testing.assert_array_equal(plain.final == 0, np.isnan(ratio.final))
    share = miss**20
    assert abs(ratio.undefined - share) < 5 * math.sqrt(share * (1 - share) / 200)
    assert -1 <= ratio.mean <= 2
    assert np.isfinite([plain.mean, plain.spread, ratio.spread]).all()


def test_variances_are_those_of_the_closed_form():
    # p = N(1, 1), f = z: under p 1. Under q = N(0.5, s): E[w^2 z^2] - 1 with
    # p^2 / q = E_q[w^2] N(z; m, v), v = 1 / (2 - 1 / s^2), m = v (2 - 0.5 / s^2).
    s = 1.5
    v = 1 / (2 - 1 / s**2)
    m = v * (2 - 0.5 / s**2)
    moment = s**2 / math.sqrt(2 * s**2 - 1) * math.exp(0.25 / (2 * s**2 - 1))
    report = weighting.variances(WeightingConfig())
    assert report.under_q == pytest.approx(moment * (m**2 + v) - 1, rel=1e-9)
    assert report.under_p == pytest.approx(1.0)
    assert report.ratio == pytest.approx(report.under_q)
    narrow = weighting.variances(WeightingConfig(scale=0.5))
    assert narrow.under_q == narrow.ratio == math.inf
    heavy = WeightingConfig(target="student_t", integrand="z_squared")  # no fourth moment
    assert weighting.variances(heavy).under_p == math.inf
    assert math.isnan(weighting.variances(heavy).ratio)
    same = WeightingConfig(loc=1.0, scale=1.0, integrand="z_squared")
    assert weighting.variances(same).ratio == pytest.approx(1.0)


def test_a_drawing_is_a_target_like_any_other():
    # A tent on [-6, 6] is symmetric: mean 0, variance 6; q covers it.
    config = WeightingConfig(target="drawn.A_A", loc=0.3, scale=4.0, integrand="z_squared")
    report = run(config)
    assert report.exact == pytest.approx(6.0)
    ghosts = weighting.ghosts(config)
    assert abs(ghosts.mean - 6.0) <= 5 * ghosts.true_std / math.sqrt(200)
    assert choices.has_answer("drawn.A_A", "exp_z")
    with pytest.raises(ValueError, match="every height is zero"):
        WeightingConfig(target="drawn.AAA")


@pytest.mark.parametrize("name", choices.TARGETS)
def test_every_target_runs_under_every_family(name):
    for family in choices.FAMILIES:
        report = run(WeightingConfig(target=name, family=family, loc=1.0, scale=2.0))
        assert math.isfinite(report.exact)
        assert report.p.max() > 0


def test_one_draw_has_an_estimate_and_an_infinite_error():
    report = run(WeightingConfig(n_samples=1))
    assert report.std_error == report.running_error[0] == math.inf
    assert report.w.tolist() == [1.0]


def test_a_seed_decides_everything():
    one, same, other = (run(WeightingConfig(seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.z, same.z)
    np.testing.assert_array_equal(one.repeats, same.repeats)
    assert not np.array_equal(one.z, other.z)


def test_every_scene_is_the_problem_it_is_named_after():
    from iwae_core.sampling.problems import get_problem

    assert {"good", "too_narrow", "optimal", "missed_mode", "defensive"} <= set(SCENES)
    for name, scene in SCENES.items():
        config = WeightingConfig(**dict(scene.settings))
        named, asked = (
            get_problem(name),
            weighting.problem(
                config.target, config.family, config.loc, config.scale, config.df, config.integrand
            ),
        )
        assert asked.proposal == named.proposal
        assert (asked.target, asked.f, asked.exact) == (named.target, named.f, named.exact)


@pytest.mark.parametrize("integrand", choices.INTEGRANDS)
@pytest.mark.parametrize("target", choices.TARGETS)
def test_the_variance_under_the_target_is_that_of_a_plain_sum(target, integrand):
    # exp(z) overflows far out, where no draw goes; its variance must not.
    if not choices.has_answer(target, integrand):
        return
    if target == "student_t" and integrand[:5] != "above":
        return  # infinite, or too slow to converge for a sum
    p, f = choices.TARGETS[target].made, choices.INTEGRANDS[integrand].made
    z = torch.linspace(-60, 60, 120_001, dtype=torch.float64)
    mass = (p.log_prob(z) - p.log_normalizer).exp() * 1e-3
    values = torch.where(mass > 0, f(z), 0.0)
    mean = (mass * values).sum()
    variance = (mass * (values - mean) ** 2).sum().item()
    found = weighting.variances(WeightingConfig(target=target, integrand=integrand)).under_p
    assert found == pytest.approx(variance, rel=2e-2)


def test_the_centered_integrand_knows_how_it_grows():
    heavy = choices.Centered(choices.INTEGRANDS["above_3"].made, 0.1)
    assert heavy.tails[0] == heavy.tails[1]  # constant on both sides, not zero on the left
    assert heavy(torch.tensor(0.0)).item() == pytest.approx(-0.1)


@pytest.mark.parametrize("name", ["target", "family", "integrand", "estimator"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=f"unknown {name} 'nrmal'"):
        WeightingConfig(**{name: "nrmal"})


def test_a_question_without_an_answer_is_refused():
    assert not choices.has_answer("student_t", "exp_z")
    with pytest.raises(ValueError, match="does not exist"):
        run(WeightingConfig(target="student_t", integrand="exp_z"))
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        WeightingConfig(n_samples=0)
