"""Three estimates of the ELBO, against closed forms and brute force."""

import math

import numpy as np
import pytest
import torch

from iwae_core.evaluation.studies.elbo_ways import SCENES, ElboWaysConfig, run
from iwae_core.evaluation.studies.tightness import make_q, oracle
from iwae_core.rng import stream


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("seed", [1, 7])
def test_all_three_agree_with_the_exact_elbo(scene, seed):
    report = run(ElboWaysConfig(**dict(SCENES[scene].settings), seed=seed, n_draws=4000))
    for way in report.ways:
        allowed = 5 * way.spread / math.sqrt(4000) + 1e-9
        assert abs(way.value - report.elbo) < allowed, way.name
        assert way.draws.mean() == pytest.approx(way.value)
        assert way.counts.sum() == 4000
        if way.spread > 1e-6:
            assert way.draws.std(ddof=1) == pytest.approx(way.spread, rel=0.15)
            assert way.std_error == pytest.approx(way.spread / math.sqrt(4000), rel=0.15)
    assert report.reconstruction - report.kl_to_prior == pytest.approx(report.elbo, abs=1e-9)
    assert abs(report.kl_to_prior_hat - report.kl_to_prior) < 5 * report.kl_to_prior_error
    assert abs(report.reconstruction_hat - report.reconstruction) < 5 * report.reconstruction_error


def test_spreads_and_parts_are_brute_force():
    report = run(ElboWaysConfig(shift=0.9, scale=1.3))
    q, (model, x) = make_q(0.9, 1.3, True), oracle()
    z = q.sample((300_000,), stream(8, "draws"), torch.float64)
    # log p(x | z) by its own formula
    residual = (x - model.bias - z @ model.weight.T).numpy() / model.noise_scale
    likelihood = -0.5 * (residual**2).sum(axis=1) - 3 * math.log(
        model.noise_scale * math.sqrt(2 * math.pi)
    )
    prior = -0.5 * (z.numpy() ** 2).sum(axis=1) - math.log(2 * math.pi)
    log_q = q.log_prob(z).numpy()
    assert report.way("closed_form_kl").spread == pytest.approx(likelihood.std(), rel=0.01)
    apart = math.hypot(likelihood.std(), (log_q - prior).std())
    assert report.way("monte_carlo_kl").spread == pytest.approx(apart, rel=0.01)
    log_w = likelihood + prior - log_q
    assert report.way("log_weight").spread == pytest.approx(log_w.std(), rel=0.01)
    error = likelihood.std() / math.sqrt(300_000)
    assert abs(report.reconstruction - likelihood.mean()) < 5 * error
    with pytest.raises(ValueError, match="no way 'kl'"):
        report.way("kl")


def test_a_shift_alone_spreads_log_w_by_the_shift():
    assert run(ElboWaysConfig(shift=1.5)).way("log_weight").spread == pytest.approx(1.5)


def test_the_exact_posterior_leaves_log_w_without_spread_and_the_others_with():
    report = run(ElboWaysConfig(shift=0.0))
    way = report.way("log_weight")
    assert way.spread < 1e-12
    np.testing.assert_allclose(way.draws, report.log_marginal, atol=1e-12)
    assert report.way("closed_form_kl").spread > 0.5
    assert report.way("monte_carlo_kl").spread > report.way("closed_form_kl").spread
    # the gradient follows: no spread without the score of q, much of it with
    assert report.path_gradient_spread < 1e-10
    assert report.gradient_spread > 1


def test_gradient_spreads_are_those_of_closed_form_slopes():
    # d log p(x, z) / dz is linear in z with minus the posterior's precision as its matrix.
    report = run(ElboWaysConfig(shift=0.4, scale=1.7))
    from iwae_core.evaluation.studies.tightness import posterior

    precision = torch.linalg.inv(posterior().covariance)
    q = make_q(0.4, 1.7, True)
    plain = precision @ q.covariance @ precision
    assert report.gradient_spread == pytest.approx(math.sqrt(plain.trace().item()), rel=1e-9)
    difference = precision - torch.linalg.inv(q.covariance)
    path = difference @ q.covariance @ difference
    assert report.path_gradient_spread == pytest.approx(math.sqrt(path.trace().item()), rel=1e-9)


def test_a_count_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"n_draws must lie in 2\.\.4096, got 1"):
        ElboWaysConfig(n_draws=1)
    with pytest.raises(ValueError, match="scale"):
        ElboWaysConfig(scale=0.0)
