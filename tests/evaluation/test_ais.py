"""Annealing on the oracle: both sides, the exact middle, and what makes each a bound."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_mean

from iwae_core.evaluation.ais import AisConfig, ais, prior_start
from iwae_core.evaluation.annealing import Path, temperatures
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, standard_normal

WEIGHT = standard_normal((6, 3), make_generator(11), torch.float64)
MODEL = LinearGaussian(WEIGHT, torch.linspace(-1, 2, 6, dtype=torch.float64), 0.5)


def test_the_sandwich_closes_on_the_exact_log_p():
    # Each datapoint errs by about 0.15 nat, their mean by 0.015; benchmarks/ has a harder case.
    model = LinearGaussian(0.7 * WEIGHT[:, :2], torch.zeros(6, dtype=torch.float64), 0.8)
    x, z = model.sample(100, make_generator(1))
    config = AisConfig(n_chains=32, n_temperatures=150, n_leapfrog=6, n_pilot=4)
    report = ais(model, x, prior_start(x, 2), config, make_generator(2), posterior_draw=z)
    exact = model.log_marginal(x).numpy()
    assert abs(report.log_lower.mean() - exact.mean()) < 0.05
    assert abs(report.log_upper.mean() - exact.mean()) < 0.05
    assert report.gap == pytest.approx((report.log_upper - report.log_lower).mean())
    assert report.acceptance.shape == report.step_size.shape == (150,)
    assert report.acceptance.mean() == pytest.approx(0.8, abs=0.1)
    # the posterior is much narrower than the prior, and the steps follow it
    assert report.step_size[-1] < 0.8 * report.step_size[0]
    assert (report.ess > 2).all()


def test_with_few_temperatures_each_side_errs_to_its_side():
    # One chain, three temperatures, 400 datapoints: each side is off by far more than its error.
    x, z = MODEL.sample(400, make_generator(3))
    config = AisConfig(n_chains=1, n_temperatures=3, n_leapfrog=3)
    report = ais(MODEL, x, prior_start(x, 3), config, make_generator(4), posterior_draw=z)
    exact = MODEL.log_marginal(x).numpy()
    assert (report.log_lower - exact).mean() < -1
    assert (report.log_upper - exact).mean() > 1


@pytest.mark.parametrize("n_temperatures", [2, 7])
def test_mean_weights_are_p_and_one_over_p(n_temperatures):
    # Unbiasedness itself, at path lengths where the logs are far off. A start near the posterior
    # keeps Var(w) finite on both sides: relative spread 0.7 to 1.3, 10,000 chains, so an error of
    # 13 % is found.
    # Reversed order of move and step, or a start counted twice, breaks one of the two.
    diagonal = torch.diag(torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64))
    model = LinearGaussian(diagonal, torch.ones(3, dtype=torch.float64), 0.7)
    x, _ = model.sample(1, make_generator(5))
    mean, covariance = model.posterior(x)
    n = 10_000
    x = x.expand(n, -1)
    eps = standard_normal((n, 3), make_generator(6), torch.float64)
    exact_draws = mean + eps @ torch.linalg.cholesky(covariance).T
    scale = 1.1 * covariance.diagonal().sqrt()
    start = DiagonalNormal((mean + 0.5 * scale).expand(n, -1), scale.log().expand(n, -1))
    config = AisConfig(n_chains=1, n_temperatures=n_temperatures, n_leapfrog=2, n_pilot=1)
    report = ais(model, x, start, config, make_generator(7), posterior_draw=exact_draws)
    log_p = model.log_marginal(x[:1]).item()
    assert_mean(torch.from_numpy(np.exp(report.log_lower - log_p)), 1.0)
    assert_mean(torch.from_numpy(np.exp(log_p - report.log_upper)), 1.0)


def test_a_move_leaves_its_density_as_it_is():
    # Exact posterior draws stay posterior draws, with steps so long that a third is rejected. Each
    # moment below has spread about 1.4 at most: 20,000 chains find a shift of 0.1.
    x, _ = MODEL.sample(1, make_generator(5))
    mean, covariance = MODEL.posterior(x)
    scale = covariance.diagonal().sqrt()
    eps = standard_normal((20_000, 1, 3), make_generator(6), torch.float64)
    u = eps @ (torch.linalg.cholesky(covariance) / scale.unsqueeze(1)).T + 0.4
    start = DiagonalNormal(mean - 0.4 * scale, scale.log().unsqueeze(0))
    path = Path(MODEL, x, start, AisConfig(n_leapfrog=3))
    point, generator = path.begin(u), make_generator(7)
    for _ in range(4):
        before = point.u
        point, accepted = path.move(point, 1.0, torch.tensor([0.95]).double(), generator)
    assert 0.3 < accepted.mean() < 0.9
    assert (point.u != before).double().mean() > 0.3
    for i in range(3):
        assert_mean(point.u[:, 0, i], 0.4)
        assert_mean((point.u[:, 0, i] - 0.4).square(), 1.0)
    correlation = (covariance[0, 1] / (scale[0] * scale[1])).item()
    assert_mean((point.u[:, 0, 0] - 0.4) * (point.u[:, 0, 1] - 0.4), correlation)
    torch.testing.assert_close(point.ratio, path.at(point.u).ratio)


def test_from_the_exact_posterior_every_chain_gives_log_p():
    model = LinearGaussian(torch.eye(2, dtype=torch.float64), torch.ones(2).double(), 0.7)
    x, z = model.sample(3, make_generator(0))
    mean, covariance = model.posterior(x)
    start = DiagonalNormal(mean, covariance.diagonal().sqrt().log().expand_as(mean))
    config = AisConfig(n_chains=2, n_temperatures=4, n_leapfrog=2)
    report = ais(model, x, start, config, make_generator(1), posterior_draw=z)
    np.testing.assert_allclose(report.log_lower, model.log_marginal(x), atol=1e-10)
    np.testing.assert_allclose(report.log_upper, model.log_marginal(x), atol=1e-10)
    np.testing.assert_allclose(report.ess, 2.0)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_vae_can_start_from_its_own_q_and_its_parameters_get_no_gradient(likelihood):
    vae = Vae(5, 2, hidden=(6,), likelihood=likelihood, generator=make_generator(0)).double()
    x, z = vae.sample(4, make_generator(1))
    config = AisConfig(n_chains=100, n_temperatures=40, n_leapfrog=3)
    x, z = x.detach(), z.detach()
    from_q = ais(vae, x, vae.posterior(x), config, make_generator(2), posterior_draw=z)
    from_prior = ais(vae, x, prior_start(x, 2), config, make_generator(3))
    assert from_prior.log_upper is None
    assert math.isnan(from_prior.gap)
    np.testing.assert_allclose(from_q.log_lower, from_prior.log_lower, atol=0.2)
    np.testing.assert_allclose(from_q.log_upper, from_q.log_lower, atol=0.4)
    assert all(p.grad is None for p in vae.parameters())


def test_equal_seeds_give_equal_reports():
    x, _ = MODEL.sample(2, make_generator(1))
    config = AisConfig(n_chains=2, n_temperatures=5, n_leapfrog=2)
    first, second = (ais(MODEL, x, prior_start(x, 3), config, make_generator(2)) for _ in "ab")
    np.testing.assert_array_equal(first.log_lower, second.log_lower)


@given(n=st.integers(1, 50), schedule=st.sampled_from(["linear", "sigmoid"]))
def test_temperatures_rise_from_zero_to_one(n, schedule):
    betas = temperatures(AisConfig(n_temperatures=n, schedule=schedule))
    assert betas[0] == 0
    assert betas[-1] == 1
    assert len(betas) == n + 1
    assert (np.diff(betas) > 0).all()
    assert betas[n // 2] == pytest.approx(n // 2 / n, abs=0.5 if schedule == "sigmoid" else 1e-12)


class Broken:
    def __init__(self, value):
        self.value = value

    def log_joint(self, x, z):
        return self.value + 0 * z.sum(-1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_model_without_a_value_is_refused(value):
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="not finite at a start"):
        ais(Broken(value), x, prior_start(x, 1), AisConfig(n_temperatures=1), make_generator(0))


class HalfLine:
    """N(0, 1) cut to z > -1: -inf outside, so chains must turn back there."""

    def log_joint(self, x, z):
        inside = torch.where(z > -1.0, 0.0, -math.inf)
        return (-0.5 * z.square() - 0.5 * math.log(2 * math.pi) + inside).sum(-1)


def test_trajectories_that_leave_the_support_are_rejected():
    x = torch.zeros(200, 1, dtype=torch.float64)
    inside = DiagonalNormal(torch.full_like(x, 1.0), torch.full_like(x, math.log(0.15)))
    config = AisConfig(n_chains=20, n_temperatures=60, n_leapfrog=3, step_size=0.5)
    report = ais(HalfLine(), x, inside, config, make_generator(0))
    assert np.isfinite(report.log_lower).all()
    # the probability above -1 is 0.841; every chain's start is 13 scales inside
    assert report.log_lower.mean() < math.log(0.8413) + 0.02
    assert report.log_lower.mean() > math.log(0.8413) - 1.5


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: AisConfig(n_chains=0), "n_chains must be at least 1, got 0"),
        (lambda: AisConfig(n_temperatures=0, step_size=-1.0), "n_temperatures.*; step_size"),
        (lambda: AisConfig(target_acceptance=1.0), r"\(0, 1\), got 1.0"),
        (lambda: AisConfig(step_size=math.nan), "step_size"),
        (lambda: AisConfig(schedule="sigmoit"), "did you mean 'sigmoid'"),
        (lambda: run(torch.zeros(3)), r"shape \(B, D\)"),
        (lambda: run(torch.full((2, 6), math.nan)), "NaN"),
        (lambda: run(torch.zeros(2, 6), rows=3), r"shape \(2, d\), got \(3, 3\)"),
        (lambda: run(torch.zeros(2, 6), draw=torch.zeros(2, 2)), "one z per datapoint"),
        (lambda: run(torch.zeros(2, 6), draw=torch.full((2, 3), math.nan)), "not finite"),
    ],
)
def test_bad_input_is_refused(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


def run(x, rows=None, draw=None):
    start = DiagonalNormal(torch.zeros(rows or len(x), 3).double(), torch.zeros(1, 3).double())
    config = AisConfig(n_temperatures=1, n_chains=1, n_pilot=1)
    draw = None if draw is None else draw.double()
    return ais(MODEL, x.double(), start, config, make_generator(0), posterior_draw=draw)


@settings(max_examples=15)
@given(
    n_chains=st.integers(1, 3),
    n_temperatures=st.integers(1, 4),
    n_leapfrog=st.integers(1, 3),
    step_size=st.floats(1e-6, 1e6),
    spread=st.floats(0.01, 1e3),
)
def test_any_effort_gives_finite_numbers(n_chains, n_temperatures, n_leapfrog, step_size, spread):
    x = spread * standard_normal((2, 6), make_generator(0), torch.float64)
    config = AisConfig(
        n_chains=n_chains,
        n_temperatures=n_temperatures,
        n_leapfrog=n_leapfrog,
        step_size=step_size,
        n_pilot=2,
    )
    report = ais(MODEL, x, prior_start(x, 3), config, make_generator(1))
    assert np.isfinite(report.log_lower).all()
    assert ((report.acceptance >= 0) & (report.acceptance <= 1)).all()
