"""Estimators of E_p[f], against exact answers, hand-computed numbers and their own error bars."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import assert_mean, assert_mean_differs

from iwae_core.rng import make_generator
from iwae_core.sampling import estimators, psis, weights
from iwae_core.sampling.densities import Normal, Scaled
from iwae_core.sampling.divergences import chi_square_moment
from iwae_core.sampling.integrands import Power
from iwae_core.sampling.problems import get_problem, make_problem

WITH_WEIGHTS = [
    estimators.importance,
    estimators.self_normalized,
    estimators.control_variate,
    estimators.pareto_smoothed,
]


@cache
def draws_of(problem, K, R, seed=0):
    z = problem.draw((K, R), make_generator(seed), torch.float64)
    return problem.f(z), problem.log_weights(z)


def test_numbers_computed_by_hand():
    f = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    w = torch.tensor([0.5, 1.5, 2.0], dtype=torch.float64)
    products = np.array([0.5, 3.0, 8.0])
    plain = estimators.importance(f, w.log())
    assert plain.value.item() == pytest.approx(11.5 / 3)
    assert plain.std_error.item() == pytest.approx(products.std(ddof=1) / math.sqrt(3))
    normalized = estimators.self_normalized(f, w.log())
    assert normalized.value.item() == pytest.approx(11.5 / 4)
    shares = np.array([0.125, 0.375, 0.5])
    variance = 1.5 * (shares**2 * (np.array([1.0, 2.0, 4.0]) - 2.875) ** 2).sum()
    assert normalized.std_error.item() == pytest.approx(math.sqrt(variance))
    controlled = estimators.control_variate(f, w.log())
    slope, intercept = np.polyfit([0.5, 1.5, 2.0], products, 1)
    assert controlled.value.item() == pytest.approx(intercept + slope)
    residuals = products - intercept - slope * np.array([0.5, 1.5, 2.0])
    # three draws less two parameters leave one degree of freedom
    assert controlled.std_error.item() == pytest.approx(math.sqrt((residuals**2).sum() / 3))
    for estimate in (plain, normalized, controlled):
        assert estimate.ess.item() == pytest.approx(4.0**2 / 6.5)
        assert estimate.k_hat.item() == math.inf
    mean = estimators.monte_carlo(f)
    assert mean.value.item() == pytest.approx(7 / 3)
    assert mean.std_error.item() == pytest.approx(np.std([1, 2, 4], ddof=1) / math.sqrt(3))
    assert mean.ess.item() == 3
    assert mean.k_hat.item() == -math.inf


@pytest.mark.parametrize("name", ["good", "heavy_proposal", "rare_event", "defensive"])
def test_importance_is_unbiased_and_its_error_bar_is_the_exact_one(name):
    # |z| > 5 by chance: 6e-7. R = 1500 repeats of K = 300 detect a bias above a quarter of one
    # error bar.
    problem = get_problem(name)
    estimate = estimators.importance(*draws_of(problem, 300, 1500))
    assert estimate.value.shape == (1500,)
    assert_mean(estimate.value, problem.exact)
    # The mean estimated variance is the exact one, and so is the spread of the answers.
    exact_error = problem.std_of_term / math.sqrt(300)
    assert_mean(estimate.std_error.square() / exact_error**2, 1.0)
    assert estimate.value.std().item() == pytest.approx(exact_error, rel=0.1)


@pytest.mark.parametrize("estimator", WITH_WEIGHTS)
@pytest.mark.parametrize("name", ["good", "heavy_proposal"])
def test_error_bars_cover_the_truth_as_often_as_they_say(estimator, name):
    # Under a t law 95.4 % of the answers lie within 2 error bars; with R = 4000 the binomial
    # deviation is 0.33 %, so [93.5, 97] % is -5.8 and +4.8 deviations away. Error bars that are
    # 10 % too short give 92.7 %.
    problem = get_problem(name)
    estimate = estimator(*draws_of(problem, 200, 4000, seed=3))
    z = (estimate.value - problem.exact) / estimate.std_error
    assert 0.935 < (z.abs() < 2).double().mean() < 0.97
    assert 0.92 < z.std() < 1.08


def test_plain_monte_carlo_covers_the_truth_as_often_as_it_says():
    f = Power(2)(Normal(1.0, 1.0).sample((400, 4000), make_generator(8), torch.float64))
    estimate = estimators.monte_carlo(f)
    assert_mean(estimate.value, 2.0)
    z = (estimate.value - 2.0) / estimate.std_error
    assert 0.935 < (z.abs() < 2).double().mean() < 0.97


def test_the_bias_of_self_normalization_is_of_order_one_over_k():
    # Target N(1, 1), proposal N(0, 1.5), f = z. With normalized weights the leading bias is
    # -E_q[w^2 (f - mu)] / K; under p^2 / q, a Normal of precision 2 - 1 / s^2 and mean
    # 2 / (2 - 1 / s^2), so it is -E_q[w^2] (mean - 1) / K.
    target, proposal = Normal(1.0, 1.0), Normal(0.0, 1.5)
    mean = 2.0 / (2.0 - 1 / 2.25)
    leading = -chi_square_moment(target, proposal) * (mean - 1.0)
    assert leading == pytest.approx(-0.4573, abs=1e-3)
    problem = make_problem(target, proposal, Power(1))
    scaled_bias = {}
    for K, R in ((8, 40_000), (32, 60_000)):
        f, log_w = draws_of(problem, K, R, seed=K)
        w = torch.softmax(log_w, dim=0)
        values = (w * f).sum(dim=0)
        scaled_bias[K] = K * (values - 1.0)
        assert_mean_differs(values, 1.0)
    # The next order is O(1/K): allow a fifth of the leading term at 32, a half at 8.
    assert_mean(scaled_bias[32], leading, allowance=0.2 * abs(leading))
    assert_mean(scaled_bias[8], leading, allowance=0.5 * abs(leading))
    f, log_w = draws_of(problem, 8, 10_000, seed=1)
    ours = estimators.self_normalized(f, log_w).value
    torch.testing.assert_close(ours, (torch.softmax(log_w, 0) * f).sum(0))
    # The unbiased estimate on the same few draws shows none.
    assert_mean(estimators.importance(f, log_w).value, 1.0)


def test_a_control_variate_takes_variance_away_and_knows_constants_exactly():
    problem = make_problem(Normal(1.0, 1.0), Normal(0.0, 1.5), Power(2))
    f, log_w = draws_of(problem, 300, 1000)
    plain, controlled = estimators.importance(f, log_w), estimators.control_variate(f, log_w)
    assert controlled.value.std() < 0.9 * plain.value.std()
    assert_mean(controlled.value, 2.0, allowance=2.0 / 300)
    constant = estimators.control_variate(torch.full_like(f, 7.0), log_w)
    torch.testing.assert_close(constant.value, torch.full((1000,), 7.0, dtype=torch.float64))
    assert constant.std_error.max() < 1e-10
    # Equal weights teach nothing: what is left is the plain mean.
    even = estimators.control_variate(f, torch.zeros_like(log_w))
    torch.testing.assert_close(even.value, f.mean(dim=0))
    torch.testing.assert_close(even.std_error, estimators.monte_carlo(f).std_error)


def test_pareto_smoothing_helps_where_the_variance_is_infinite():
    # k = 0.6: no finite variance, still below the limit of 0.7.
    problem = make_problem(Normal(1.0, 1.0), Normal(1.0, math.sqrt(0.4)), Power(2))
    assert problem.tail_index == pytest.approx(0.6)
    f, log_w = draws_of(problem, 1000, 400)
    smoothed = estimators.pareto_smoothed(f, log_w)
    raw = estimators.self_normalized(f, log_w)
    rmse = [(e.value - 2.0).square().mean().sqrt().item() for e in (smoothed, raw)]
    assert rmse[0] < 0.85 * rmse[1]
    torch.testing.assert_close(smoothed.k_hat, psis.k_hat(log_w))
    assert (smoothed.ess >= raw.ess - 1e-9).double().mean() > 0.5


def test_the_optimal_proposal_answers_with_one_draw():
    problem = get_problem("optimal")
    estimate = estimators.importance(*draws_of(problem, 1, 50))
    torch.testing.assert_close(
        estimate.value, torch.full((50,), problem.exact, dtype=torch.float64)
    )
    assert torch.isposinf(estimate.std_error).all()  # one draw cannot know that it is exact


def test_an_unnormalized_target_needs_self_normalization():
    problem = get_problem("unnormalized")
    f, log_w = draws_of(problem, 500, 1000)
    assert_mean(estimators.importance(torch.ones_like(f), log_w).value, 3.0)
    assert_mean(estimators.importance(f, log_w).value, 3.0)
    assert_mean(estimators.self_normalized(f, log_w).value, 1.0, allowance=5 / 500)


@pytest.mark.parametrize("shift", [-800.0, 800.0])
def test_extreme_log_weights_lose_nothing(shift):
    f, log_w = draws_of(get_problem("good"), 50, 3)
    f = -f  # most products are negative: the sign must survive the log scale
    tiny = f * math.exp(-shift / 2)  # e^{+-400}: products of size e^{+-400} remain
    plain = estimators.importance(f, log_w)
    moved = estimators.importance(tiny, log_w + shift)
    scale = math.exp(shift / 2)
    torch.testing.assert_close(moved.value / scale, plain.value, rtol=1e-11, atol=0)
    torch.testing.assert_close(moved.std_error / scale, plain.std_error, rtol=1e-11, atol=0)
    for estimator in (estimators.self_normalized, estimators.pareto_smoothed):
        before, after = estimator(f, log_w), estimator(f, log_w + shift)
        torch.testing.assert_close(after.value, before.value, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(after.std_error, before.std_error, rtol=1e-10, atol=1e-12)
    if shift > 0:
        for estimator in (estimators.importance, estimators.control_variate):
            with pytest.raises(ValueError, match=r"too large.*normalized.*self_normalized"):
                estimator(f, log_w + shift)
    else:
        assert (estimators.importance(f, log_w + shift).value.abs() < 1e-300).all()


@pytest.mark.parametrize(
    "name", ["importance", "self_normalized", "control_variate", "pareto_smoothed"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_value_alone_is_that_of_the_estimate(name, dtype):
    log_w = torch.randn(40, 6, generator=make_generator(1), dtype=dtype)
    log_w[3, 0] = -math.inf
    log_w[:4, 1] = log_w[:, 1].max()  # ties in the tail
    f = torch.randn(40, 6, generator=make_generator(2), dtype=dtype)
    alone = getattr(estimators, f"{name}_value")(f, log_w)
    torch.testing.assert_close(alone, getattr(estimators, name)(f, log_w).value, rtol=0, atol=0)
    with pytest.raises(ValueError, match="NaN"):
        getattr(estimators, f"{name}_value")(f * math.nan, log_w)


def test_batches_are_independent_columns_and_float32_stays_float32():
    f, log_w = draws_of(get_problem("good"), 60, 6)
    for estimator in WITH_WEIGHTS:
        whole = estimator(f.reshape(60, 2, 3), log_w.reshape(60, 2, 3))
        one = estimator(f[:, 4], log_w[:, 4])
        single = estimator(f.float(), log_w.float())
        for field in ("value", "std_error", "ess", "k_hat"):
            assert getattr(whole, field).shape == (2, 3)
            torch.testing.assert_close(getattr(whole, field)[1, 1], getattr(one, field))
            assert getattr(single, field).dtype == torch.float32
        torch.testing.assert_close(
            single.value.double(), estimator(f, log_w).value, rtol=1e-4, atol=1e-4
        )


values = st.one_of(st.floats(-1e3, 1e3), st.floats(-1e308, 1e308), st.just(0.0))
log_weights = st.one_of(st.floats(-900, 900), st.floats(-1e300, 1e300), st.just(-math.inf))


@given(data=st.data(), K=st.integers(1, 40), B=st.integers(1, 2))
def test_any_numbers_give_an_estimate_without_nan_or_a_value_error(data, K, B):
    f = torch.from_numpy(data.draw(hnp.arrays(np.float64, (K, B), elements=values)))
    log_w = torch.from_numpy(data.draw(hnp.arrays(np.float64, (K, B), elements=log_weights)))
    for estimator in (*WITH_WEIGHTS, lambda f, _: estimators.monte_carlo(f)):
        try:
            estimate = estimator(f, log_w)
        except ValueError:
            continue
        assert torch.isfinite(estimate.value).all()
        assert not torch.isnan(estimate.std_error).any()
        assert (estimate.std_error >= 0).all()
        assert not torch.isnan(estimate.k_hat).any()
        assert (estimate.ess >= 1 - 1e-9).all()


@given(data=st.data(), K=st.integers(1, 40))
def test_a_self_normalized_estimate_lies_between_the_values(data, K):
    f = torch.from_numpy(data.draw(hnp.arrays(np.float64, K, elements=st.floats(-1e3, 1e3))))
    log_w = torch.from_numpy(data.draw(hnp.arrays(np.float64, K, elements=st.floats(-50, 50))))
    value = estimators.self_normalized(f, log_w).value
    assert f.min() - 1e-9 <= value <= f.max() + 1e-9
    assert value.item() == pytest.approx((weights.normalize(log_w) * f).sum().item(), abs=1e-9)


@pytest.mark.parametrize("estimator", WITH_WEIGHTS)
@pytest.mark.parametrize(
    ("f", "log_w", "rule"),
    [
        (torch.zeros(3), torch.zeros(4), "one value per draw"),
        (torch.zeros(3, 1), torch.zeros(3), "one value per draw"),
        (torch.zeros(0), torch.zeros(0), "at least one draw"),
        (torch.tensor(1.0), torch.tensor(1.0), "at least one draw"),
        (torch.tensor([1.0, math.nan]), torch.zeros(2), "f holds NaN"),
        (torch.tensor([1.0, math.inf]), torch.zeros(2), "f holds NaN or inf"),
        (torch.tensor([True, False]), torch.zeros(2), "floating-point"),
        (torch.zeros(2), torch.tensor([0.0, math.nan]), "log_w holds NaN"),
        (torch.zeros(2), torch.full((2,), -math.inf), "every weight is zero"),
    ],
)
def test_bad_input_is_refused_with_the_rule(estimator, f, log_w, rule):
    with pytest.raises(ValueError, match=rule):
        estimator(f, log_w)


def test_an_estimate_is_about_the_integrand_given_not_about_its_sum():
    # Scaled targets: the factor cancels in every self-normalized field.
    target, q = Normal(1.0, 1.0), Normal(0.0, 1.5)
    z = q.sample((100,), make_generator(2), torch.float64)
    a = estimators.self_normalized(z, target.log_prob(z) - q.log_prob(z))
    b = estimators.self_normalized(z, Scaled(target, 5.0).log_prob(z) - q.log_prob(z))
    torch.testing.assert_close(a.value, b.value)
    torch.testing.assert_close(a.k_hat, b.k_hat)
