"""Jensen's gap: closed forms at K = 1, an integral at K = 2, and the oracle's own weights."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from iwae_core.evaluation.studies.microscope import (
    LAWS,
    SCENES,
    MicroscopeConfig,
    breaks_from_sigma,
    gaps,
    log_ratio,
    run,
    variance,
)
from iwae_core.evaluation.studies.tightness import exact_log_marginal, make_q, oracle
from iwae_core.rng import stream


@pytest.mark.parametrize("sigma", [0.3, 0.9])
def test_one_weight_has_a_closed_form(sigma):
    assert gaps("lognormal", sigma, (1,))[0] == pytest.approx(sigma**2 / 2, rel=1e-10)
    assert gaps("bounded", sigma, (1,))[0] == pytest.approx(sigma - math.log1p(sigma), rel=1e-10)
    assert gaps("pareto", sigma, (1,))[0] == pytest.approx(-math.log1p(-sigma) - sigma, rel=1e-10)


def test_two_bounded_weights_by_an_integral_over_both():
    # r = (1 + s) U^s
    s = 1.5
    found, _ = integrate.dblquad(
        lambda u, v: -math.log((1 + s) * (u**s + v**s) / 2), 0, 1, 0, 1, epsabs=1e-9
    )
    assert gaps("bounded", s, (2,))[0] == pytest.approx(found, abs=1e-7)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n_samples", [3, 30])
def test_more_weights_by_monte_carlo(law, n_samples):
    # 200,000 runs; the power is a shift of ten standard errors, under 2 % of the gap at K = 3.
    sigma = 0.45
    generator = np.random.default_rng(5)
    e = torch.from_numpy(generator.standard_normal((n_samples, 200_000)))
    single = np.log(np.exp(log_ratio(law, sigma, e).numpy()).mean(axis=0))
    error = single.std() / math.sqrt(200_000)
    assert abs(-single.mean() - gaps(law, sigma, (n_samples,))[0]) < 5 * error


@pytest.mark.parametrize("law", LAWS)
def test_each_law_is_the_oracles_weights_under_some_q(law):
    sigma = 0.4
    q = {
        "lognormal": lambda: make_q(sigma, 1.0, True),
        "bounded": lambda: make_q(0.0, math.sqrt(1 + sigma), True),
        "pareto": lambda: make_q(0.0, math.sqrt(1 - sigma), True),
    }[law]()
    model, x = oracle()
    z = q.sample((200_000,), stream(2, "draws"), torch.float64)
    drawn = model.log_joint(x, z[:, None, :])[:, 0] - q.log_prob(z) - exact_log_marginal()
    level = np.array([0.05, 0.3, 0.5, 0.8, 0.97])
    e = torch.special.ndtri(torch.from_numpy(level))
    # a law that falls with e has its quantiles in the other order
    exact = np.sort(log_ratio(law, sigma, e if law != "pareto" else -e).numpy())
    below = (drawn.numpy()[:, None] <= exact).mean(axis=0)
    error = np.sqrt(level * (1 - level) / 200_000)
    assert (np.abs(below - level) < 5 * error).all()
    assert drawn.std().item() == pytest.approx(sigma, rel=0.03)


def test_the_variance_is_that_of_many_weights():
    generator = np.random.default_rng(1)
    e = torch.from_numpy(generator.standard_normal(400_000))
    for law, sigma in (("lognormal", 0.5), ("bounded", 1.5), ("pareto", 0.2)):
        r = torch.exp(log_ratio(law, sigma, e))
        assert r.mean().item() == pytest.approx(1.0, abs=0.01)
        assert r.var().item() == pytest.approx(variance(law, sigma), rel=0.04)
    assert variance("pareto", 0.5) == math.inf


@pytest.mark.parametrize("scene", SCENES)
def test_repeats_agree_with_the_exact_gap(scene):
    config = MicroscopeConfig(**dict(SCENES[scene].settings))
    report = run(config)
    assert abs(report.gap_hat - report.gap) < 5 * report.gap_error
    assert report.mean_of_log == -report.gap
    assert report.counts.sum() == 4000
    assert report.approximate_gap == variance(config.law, config.sigma) / (2 * config.n_samples)
    assert report.curve_gap[0] == pytest.approx(gaps(config.law, config.sigma, (1,))[0])
    assert (np.diff(report.curve_gap) < 0).all()
    assert 0 < report.share_above < 1


def test_the_scenes_say_what_is_so():
    found = {name: run(MicroscopeConfig(**dict(s.settings))) for name, s in SCENES.items()}
    assert found["one"].gap == pytest.approx(0.5)
    assert found["sixteen"].holds
    assert not found["breaks"].holds
    assert 20 < found["breaks"].approximate_gap / found["breaks"].gap < 40
    assert found["infinite"].relative_error == math.inf == found["infinite"].breaks_until
    assert found["bounded"].means.max() <= 3.0


def test_the_approximation_fails_where_the_report_says():
    K = 8
    edge = breaks_from_sigma("lognormal", K)
    for sigma, off in ((edge * 0.98, False), (edge * 1.02, True)):
        report = run(MicroscopeConfig(sigma=sigma, n_samples=K))
        assert report.holds is not off
        error = abs(report.approximate_gap - report.gap) / report.gap
        assert (error > 0.1) is off
    report = run(MicroscopeConfig(sigma=1.0))
    approximation = np.expm1(1.0) / (2 * report.curve_n_samples)  # Var(r) = e^{sigma^2} - 1
    np.testing.assert_allclose(report.curve_approximation, approximation, rtol=1e-12)
    error = np.abs(approximation / report.curve_gap - 1)
    assert 0 < report.breaks_until < 4096
    assert (error[report.curve_n_samples <= report.breaks_until] > 0.1).all()
    assert (error[report.curve_n_samples > report.breaks_until] <= 0.1).all()


def test_without_spread_there_is_no_gap():
    report = run(MicroscopeConfig(sigma=0.0, n_samples=4))
    assert report.gap == pytest.approx(0.0, abs=1e-12)
    assert report.share_above == 0
    assert report.holds
    assert report.breaks_until == 0


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="unknown law 'lognormall'"):
        MicroscopeConfig(law="lognormall")
    with pytest.raises(ValueError, match=r"sigma must lie in \[0, 0.95\].*n_samples must lie"):
        MicroscopeConfig(law="pareto", sigma=1.0, n_samples=0)
