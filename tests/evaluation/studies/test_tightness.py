"""The bound against K: closed forms at both ends, brute force between."""

import math

import numpy as np
import pytest
import torch
from support import assert_mean

from iwae_core.bounds.objectives import iwae
from iwae_core.evaluation.studies import tightness
from iwae_core.evaluation.studies.tightness import (
    SCENES,
    TightnessConfig,
    make_q,
    oracle,
    posterior,
    run,
    runs_at,
)
from iwae_core.rng import stream


@pytest.mark.parametrize("scene", SCENES)
def test_the_bound_starts_at_the_elbo_and_climbs_to_the_truth(scene):
    config = TightnessConfig(**dict(SCENES[scene].settings))
    report = run(config)
    assert abs(report.bound[0] - report.elbo) <= 5 * report.std_error[0] + 1e-12
    assert report.elbo <= report.log_marginal
    allowed = 5 * report.std_error + 1e-12
    assert (report.bound <= report.log_marginal + allowed).all()
    assert (np.diff(report.bound) >= -allowed[1:]).all()


def test_with_the_exact_posterior_every_run_is_the_truth():
    report = run(TightnessConfig(shift=0.0))
    model, x = oracle()
    for values in (report.bound, report.low, report.high, report.ghosts, report.elbo):
        np.testing.assert_allclose(values, model.log_marginal(x).item(), atol=1e-12)
    assert report.relative_variance == pytest.approx(0.0, abs=1e-12)
    assert report.breaks_until == 0
    at = runs_at(TightnessConfig(shift=0.0), 7)
    assert at.share_above == 0
    assert at.counts.sum() == at.n_runs == 2**16 // 7


def test_a_shift_alone_has_closed_forms():
    # Equal covariances d standard deviations apart: KL = d^2 / 2, E[w^2] / p^2 = exp(d^2).
    report = run(TightnessConfig(shift=1.5))
    assert report.log_marginal - report.elbo == pytest.approx(1.125)
    assert report.relative_variance == pytest.approx(math.expm1(2.25))
    np.testing.assert_allclose(
        report.approximate_gap, math.expm1(2.25) / (2 * report.n_samples), rtol=1e-9
    )


def test_the_factorized_q_is_the_best_of_its_kind():
    # No other factorized Gaussian with the posterior's mean has a smaller KL(q || p).
    from iwae_core.sampling.divergences import kl_divergence

    exact = posterior()
    best = make_q(0.0, 1.0, False)
    least = kl_divergence(best, exact)
    correlation = exact.covariance[0, 1] / exact.variance.prod().sqrt()
    assert least == pytest.approx(-0.5 * math.log(1 - correlation.item() ** 2))
    for scale in (0.9, 1.1):
        assert kl_divergence(make_q(0.0, scale, False), exact) > least
    assert run(TightnessConfig(shift=0.0, correlated=False)).relative_variance == math.inf


@pytest.mark.parametrize("n_samples", [1, 5, 64])
def test_the_control_variate_leaves_the_mean_alone(n_samples):
    # 40,000 plain runs with other noise, against the steadier mean of the report.
    at = runs_at(TightnessConfig(shift=1.0, scale=1.2), n_samples)
    q, (model, x) = make_q(1.0, 1.2, True), oracle()
    z = q.sample((n_samples, 40_000), stream(9, "other"), torch.float64)
    log_w = model.log_joint(x, z.reshape(-1, 1, 2))[:, 0].reshape(z.shape[:2]) - q.log_prob(z)
    assert_mean(iwae(log_w), at.bound, allowance=5 * at.std_error)
    plain = iwae(log_w).std().item() / math.sqrt(at.n_runs)
    assert at.std_error <= 1.1 * plain
    if n_samples == 64:
        assert at.std_error < 0.5 * plain


def test_the_approximation_breaks_for_few_samples_and_holds_for_many():
    report = run(TightnessConfig(shift=1.0))  # variance e - 1
    assert 1 < report.breaks_until < 64
    gap = report.log_marginal - report.bound
    off = np.abs(report.approximate_gap / gap - 1)
    assert off[0] > 0.5
    assert off[report.n_samples == 2 * report.breaks_until] < 0.25


def test_markov_limits_how_far_a_run_passes_the_truth():
    report = run(TightnessConfig(shift=2.0))
    at = runs_at(TightnessConfig(shift=2.0), 4)
    assert 0 < at.share_above < 1
    single = iwae(tightness._groups(tightness.log_weights(TightnessConfig(shift=2.0)), 4))
    for a in (0.5, 1.0, 2.0):
        share = (single > report.log_marginal + a).double().mean().item()
        assert share <= math.exp(-a) + 5 * math.sqrt(math.exp(-a) / at.n_runs)


def test_more_samples_steady_the_elbo_and_do_not_move_it():
    report = run(TightnessConfig())
    width = report.elbo_high - report.elbo_low
    assert width[-1] < width[0] / 20  # 1 / sqrt(1024) is 1 / 32
    assert report.elbo_low[-1] < report.elbo < report.elbo_high[-1]


def test_one_k_of_the_report_is_the_same_number_as_the_runs():
    config = TightnessConfig(shift=0.7, seed=4)
    report = run(config)
    at = runs_at(config, 32)
    assert at.bound == report.bound[5]
    assert at.gap == pytest.approx(report.log_marginal - at.bound)
    assert at.gap_at_one == pytest.approx(report.log_marginal - report.elbo)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"shift must lie within 10.*scale must lie in"):
        TightnessConfig(shift=11, scale=0.0)
    with pytest.raises(ValueError, match=r"n_samples must lie in 1\.\.1024, got 0"):
        runs_at(TightnessConfig(), 0)
