"""Two proposals: weights, bounds and exact deviations by independent computation."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from iwae_core.evaluation.studies.two_proposals import (
    SCENES,
    TwoProposalsConfig,
    noise,
    run,
)
from iwae_core.sampling import psis, weights


def density(z):
    return 0.5 * stats.norm.pdf(z, -2, 0.6) + 0.5 * stats.norm.pdf(z, 3, 0.6)


def integral(function):
    return sum(integrate.quad(function, a, a + 1, epsabs=1e-12)[0] for a in range(-12, 14))


CONFIGS = [
    TwoProposalsConfig(seed=3),
    TwoProposalsConfig(loc=-1.0, scale=1.5, loc2=2.0, scale2=2.5, share=0.3, n_samples=150),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_weights_and_exact_errors_are_those_of_an_independent_computation(config):
    report, K, n1 = run(config), config.n_samples, config.counts[0]
    z = report.z
    q1, q2 = stats.norm(config.loc, config.scale), stats.norm(config.loc2, config.scale2)
    own = np.where(np.arange(K) < n1, q1.pdf(z), q2.pdf(z))
    shares = np.array([n1, K - n1]) / K

    def mixture(at):
        return shares[0] * q1.pdf(at) + shares[1] * q2.pdf(at)

    np.testing.assert_allclose(report.single.log_w, np.log(density(z) / own), atol=1e-9)
    np.testing.assert_allclose(report.balance.log_w, np.log(density(z) / mixture(z)), atol=1e-9)
    grid = np.linspace(-8, 9, 170_001)
    assert report.balance.largest == pytest.approx((density(grid) / mixture(grid)).max(), rel=1e-6)
    assert report.exact == pytest.approx(0.5, abs=1e-10)
    second = integral(lambda x: (x * density(x)) ** 2 / mixture(x))
    halves = [integral(lambda x, q=q: x * density(x) * q.pdf(x) / mixture(x)) for q in (q1, q2)]
    balance = second - (shares * np.square(halves)).sum()
    assert report.balance.true_std == pytest.approx(math.sqrt(balance / K), rel=1e-7)
    single = [
        integral(lambda x, q=q: np.exp(2 * np.log(density(x)) - q.logpdf(x)) * x**2) - 0.25
        for q in (q1, q2)
    ]
    assert report.single.true_std == pytest.approx(
        math.sqrt((shares * single).sum() / K), rel=1e-6
    )


def test_the_draws_move_with_the_proposals():
    config = CONFIGS[1]
    eps, n1 = noise(150, 1, 0.3), config.counts[0]
    moved = np.concatenate([-1 + 1.5 * eps[:n1], 2 + 2.5 * eps[n1:]])
    np.testing.assert_allclose(run(config).z, moved, rtol=1e-13)


def test_measured_errors_meet_the_exact_ones_and_balance_is_unbiased():
    # 200 repeats: five standard errors, false alarm below 1e-6 each.
    report = run(CONFIGS[1])
    for answers in (report.single, report.balance):
        rmse = answers.rmse["raw"]
        assert abs(rmse.value - answers.true_std) < 5 * rmse.std_error
        bias = answers.value["raw"].mean() - report.exact
        assert abs(bias) < 5 * answers.true_std / math.sqrt(200)


def scene(name):
    return run(TwoProposalsConfig(**dict(SCENES[name].settings)))


def test_the_scenes_are_what_they_say():
    each = scene("one_each")
    assert each.balance.largest == pytest.approx(1.33, abs=0.005)
    assert np.median(each.single.value["raw"]) == pytest.approx(0.25, abs=0.05)
    assert abs(each.balance.value["raw"].mean() - 0.5) < 0.02
    assert each.single.largest > 1e6
    safe = scene("defensive")
    assert abs(safe.balance.value["raw"].mean() - 0.5) < 5 * safe.balance.true_std / math.sqrt(200)
    smoothed = safe.balance.rmse["smoothed"]  # which the prose says does harm here
    assert smoothed.value - 5 * smoothed.std_error > safe.balance.rmse["raw"].value
    useless, alone = (
        scene("useless"),
        run(TwoProposalsConfig(loc=0.5, scale=3.0, loc2=0.5, scale2=3.0)),
    )
    assert useless.balance.largest <= 2 * alone.balance.largest * (1 + 1e-9)
    single = useless.single.value["raw"]
    assert np.median(single) == pytest.approx(0.25, abs=0.06)
    missed = scene("both_miss")
    for treatment in ("raw", "smoothed", "resampled"):
        assert np.nanmax(missed.balance.value[treatment]) < 0
    assert missed.balance.largest > 1e6
    log_w = torch.from_numpy(missed.balance.log_w)
    assert psis.k_hat(log_w) < 0.5
    assert weights.ess(log_w) > 0.8 * 200


def test_a_target_that_no_draw_hits_is_data_and_not_a_fault():
    report = run(TwoProposalsConfig(target="uniform", loc=6.0, scale=0.2, loc2=-6.0, scale2=0.2))
    assert np.isnan(report.balance.value["smoothed"]).all()
    assert (report.balance.value["raw"] == 0).all()
    assert math.isnan(report.balance.rmse["resampled"].value)


@pytest.mark.parametrize("target", ["unnormalized", "student_t", "drawn.AAcz_zcAABGQ_QA"])
def test_any_target_will_do(target):
    report = run(TwoProposalsConfig(target=target, n_samples=50))
    assert math.isfinite(report.exact)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="at least 50, got 49"):
        TwoProposalsConfig(n_samples=49)
    with pytest.raises(ValueError, match=r"at most 1000, got 1001; share must lie.*; scales must"):
        TwoProposalsConfig(n_samples=1001, share=0.0, scale2=-1.0)
