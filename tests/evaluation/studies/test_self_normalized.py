"""Bias and variance of the ratio: exact enumeration, closed forms, and other draws."""

import math

import numpy as np
import pytest
import torch

from iwae_core.evaluation.studies import weighting
from iwae_core.evaluation.studies.self_normalized import SCENES, RatioConfig, run
from iwae_core.rng import stream
from iwae_core.sampling import estimators


def scene(name, **changes):
    return run(RatioConfig(**{**dict(SCENES[name].settings), **changes}))


def test_with_one_draw_the_ratio_is_the_draw():
    # K = 1: the ratio is f(z), so its bias is E_q[z] - 1 = -1 and its variance 1.44.
    report = scene("pulled")
    assert abs(report.bias[0] + 1.0) < 5 * report.bias_error[0]
    assert abs(report.variance[0] - 1.44) < 5 * report.variance_error[0]


def test_the_bias_at_two_draws_is_a_double_integral():
    # E[(w1 z1 + w2 z2) / (w1 + w2)] on a grid of pairs, p = N(1, 1), q = N(0, 1.2).
    z = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    asked = weighting.problem("normal", "normal", 0.0, 1.2, 3.0, "z")
    w, mass = asked.log_weights(z).exp(), asked.proposal.log_prob(z).exp() * 0.01
    ratio = (w[:, None] * z[:, None] + w * z) / (w[:, None] + w)
    mean = (mass[:, None] * mass * ratio).sum().item()
    square = (mass[:, None] * mass * ratio**2).sum().item()
    report = scene("pulled")
    assert abs(report.bias[1] - (mean - 1)) < 5 * report.bias_error[1]
    assert abs(report.variance[1] - (square - mean**2)) < 5 * report.variance_error[1] + 1e-4
    assert report.bias_error[1] < 0.01 < abs(mean - 1)


def test_leading_terms_are_closed_forms_and_are_met():
    # p^2 / q = E[w^2] N(z; m, v) with v = 1 / (2 - 1 / s^2), m = 2 v for a q at zero.
    report, s = scene("pulled"), 1.2
    v = 1 / (2 - 1 / s**2)
    moment = s**2 / math.sqrt(2 * s**2 - 1) * math.exp(1 / (2 * s**2 - 1))
    np.testing.assert_allclose(
        report.leading_bias * report.n_samples, -moment * (2 * v - 1), rtol=1e-8
    )
    np.testing.assert_allclose(
        report.leading_variance * report.n_samples, moment * (v + (2 * v - 1) ** 2), rtol=1e-8
    )
    np.testing.assert_allclose(
        report.plain_variance * report.n_samples, moment * (v + 4 * v * v) - 1, rtol=1e-8
    )
    late = report.n_samples >= 64
    off = np.abs(report.bias - report.leading_bias)[late]
    assert (off < 5 * report.bias_error[late] + 0.05 * np.abs(report.leading_bias[late])).all()
    off = np.abs(report.variance - report.leading_variance)[late]
    assert (off < 5 * report.variance_error[late] + 0.05 * report.leading_variance[late]).all()


def test_ghosts_are_the_estimators_of_the_library():
    report = scene("pulled", seed=4)
    asked = weighting.problem("normal", "normal", 0.0, 1.2, 3.0, "z")
    z = asked.draw((2**16,), stream(4, "ratio"), torch.float64).reshape(-1, 256).T[:, :64]
    f, log_w = asked.f(z), asked.log_weights(z)
    np.testing.assert_allclose(report.ghosts_plain, estimators.importance(f, log_w).value)
    np.testing.assert_allclose(report.ghosts_ratio, estimators.self_normalized(f, log_w).value)


def test_a_constant_factor_changes_nothing():
    one, other = (run(RatioConfig(target=name, loc=0.5)) for name in ("normal", "unnormalized"))
    for field in ("bias", "leading_bias", "plain_variance", "variance", "leading_variance"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), atol=1e-9)


def test_the_scenes_are_what_they_say():
    pulled = scene("pulled")
    assert (pulled.bias < 0).all()
    assert pulled.bias[6] / pulled.bias[5] == pytest.approx(0.5, abs=0.1)
    pays = scene("pays")
    assert pays.leading_variance[0] == pytest.approx(0.86, abs=0.005)
    assert pays.plain_variance[0] == pytest.approx(1.38, abs=0.005)
    rare = scene("rare")
    assert rare.variance[-1] > 50 * rare.plain_variance[-1]
    assert rare.leading_bias[-1] > 10 * rare.bias[-1]


def test_where_moments_diverge_no_leading_term_is_claimed():
    report = run(RatioConfig(loc=1.0, scale=0.6))
    assert np.isnan(report.leading_bias).all()
    assert np.isinf(report.plain_variance).all()
    assert np.isinf(report.leading_variance).all()
    assert np.isfinite(report.bias).all()


def test_groups_that_miss_the_support_are_counted_and_left_out():
    # p = Uniform(-1, 2), q = N(0, 1.2): a draw hits with probability h, a group misses with
    # (1 - h)^K. At K = 1 the ratio of those that hit is the draw: a truncated Normal's mean.
    from scipy import stats

    report = run(RatioConfig(target="uniform"))
    q = stats.truncnorm(-1 / 1.2, 2 / 1.2, 0, 1.2)
    hit = stats.norm(0, 1.2).cdf(2) - stats.norm(0, 1.2).cdf(-1)
    missed = (1 - hit) ** report.n_samples
    sd = np.sqrt(missed * (1 - missed) / (2**16 / report.n_samples))
    assert (np.abs(report.undefined - missed) <= 5 * sd + 1e-9).all()
    assert abs(report.bias[0] - (q.mean() - 0.5)) < 5 * report.bias_error[0]
    assert report.undefined[-1] == 0


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="unknown integrand 'zz'"):
        RatioConfig(integrand="zz")
