"""Fans, contributions, signal-to-noise: exact moments against repeats and brute force."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.bounds.surrogates import ESTIMATORS as ALL_ESTIMATORS
from iwae_core.evaluation.gradients import gradient_snr
from iwae_core.evaluation.studies import contributions, fans, gradient_oracle, snr
from iwae_core.evaluation.studies.contributions import ContributionsConfig
from iwae_core.evaluation.studies.expected import Law, normal_nodes, share_moments
from iwae_core.evaluation.studies.fans import FansConfig
from iwae_core.evaluation.studies.gradient_oracle import (
    ESTIMATORS,
    Point,
    exact_gradient_of_log_marginal,
    exact_moments,
    gradients,
    point_law,
)
from iwae_core.evaluation.studies.snr import SnrConfig
from iwae_core.evaluation.studies.tightness import oracle
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.rng import make_generator, standard_normal, stream
from iwae_core.sampling.densities import Gaussian
from iwae_core.sampling.divergences import kl_divergence

POINT = Point(0.8, 1.4)
_NAMES = tuple(ESTIMATORS)


@pytest.mark.parametrize("estimator", _NAMES)
@pytest.mark.parametrize("n_samples", [1, 3, 40])
def test_repeats_have_the_exact_mean_and_spread(estimator, n_samples):
    # 20,000 repeats of 4 numbers: |z| > 5 by chance 2e-6; a bias of 4 % of the spread is found.
    eps = standard_normal((n_samples, 20_000, 2), stream(3, estimator, n_samples), torch.float64)
    found = gradients(POINT, estimator, eps)[0].numpy()
    mean, std = (moment[0] for moment in exact_moments(POINT, estimator, (n_samples,)))
    assert (np.abs(found.mean(0) - mean) <= 5 * std / math.sqrt(20_000) + 1e-9).all()
    np.testing.assert_allclose(found.std(0), std, rtol=0.08, atol=1e-9)


@pytest.mark.parametrize("n_samples", [1, 8])
def test_the_mean_is_the_slope_of_the_exact_bound(n_samples):
    # L_K by quadrature at moved parameters, differentiated numerically.
    step = 1e-4
    exact = exact_moments(POINT, "reparameterized", (n_samples,))[0][0]

    def bound(offset):
        eps, probability = normal_nodes(2, 0.25)
        row = torch.tensor([offset], dtype=torch.float64)
        log_w = gradient_oracle._draws_from(POINT, row, eps.unsqueeze(0).movedim(1, 0)).log_w()
        return Law(log_w[:, 0], probability).bound((n_samples,)).item()

    for i in (0, 2):
        up, down = ([sign * step * (i == j) for j in range(4)] for sign in (1, -1))
        slope = (bound(up) - bound(down)) / (2 * step)
        assert exact[i] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_the_oracles_weights_are_log_joint_minus_log_q():
    model, x = oracle()
    eps = standard_normal((5, 3, 2), make_generator(0), torch.float64)
    found, offset = gradient_oracle.draws(POINT, eps)
    moved = torch.tensor([[0.2, -0.1, 0.3, 0.1]] * 3, dtype=torch.float64)
    found = gradient_oracle._draws_from(POINT, moved, eps)
    weight = model.weight.clone()
    weight[0] += moved[0, 2:]
    other = LinearGaussian(weight, model.bias, model.noise_scale)
    loc = gradient_oracle.loc_of(POINT) + (x - model.bias)[0, 0] * moved[0, :2]
    scale = gradient_oracle.log_scale_of(POINT).exp()
    z = loc + scale * eps
    log_q = torch.distributions.Normal(loc, scale).log_prob(z).sum(-1)
    expected = other.log_joint(x.expand(3, -1), z) - log_q
    np.testing.assert_allclose(found.log_w().detach(), expected, rtol=1e-12)
    assert offset.shape == (3, 4)


def test_the_doubly_reparameterized_shares_are_those_of_the_surrogate():
    eps = standard_normal((6, 20, 2), make_generator(1), torch.float64)
    ours = gradients(POINT, "doubly_reparameterized", eps)[0]
    found, offset = gradient_oracle.draws(POINT, eps)
    scalar, _ = ALL_ESTIMATORS["doubly_reparameterized"](found, iwae, 1.0)
    (theirs,) = torch.autograd.grad(20 * scalar, offset)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="IWAE bound alone"):
        gradients(POINT, "doubly_reparameterized", eps, elbo)


def test_known_means_at_both_ends():
    # K = 1: the ELBO's closed form; K to infinity: the decoder meets log p(x), wake-sleep
    # the gradient of -KL(p || q), E_p[score of q].
    model, x = oracle()
    loc, scale = gradient_oracle.loc_of(POINT), gradient_oracle.log_scale_of(POINT).exp()
    posterior_mean, covariance = model.posterior(x)
    pixel = gradient_oracle.first_pixel()
    precision = torch.linalg.inv(covariance)
    elbo_slope = pixel * (precision @ (posterior_mean[0] - loc))
    for name in ("reparameterized", "stick_the_landing", "doubly_reparameterized"):
        np.testing.assert_allclose(
            exact_moments(POINT, name, (1,))[0][0, :2], elbo_slope, rtol=1e-6
        )
    sleep = exact_moments(POINT, "wake_sleep", (1, 30_000))[0]
    np.testing.assert_allclose(sleep[0, :2], 0.0, atol=1e-12)
    towards = pixel * (posterior_mean[0] - loc) / scale**2
    np.testing.assert_allclose(sleep[1, :2], towards, rtol=1e-3)
    np.testing.assert_allclose(sleep[1, 2:], exact_gradient_of_log_marginal(), rtol=2e-3)
    q = Gaussian(tuple(loc.tolist()), tuple(map(tuple, torch.diag(scale**2).tolist())))
    exact = Gaussian(tuple(posterior_mean[0].tolist()), tuple(map(tuple, covariance.tolist())))
    truth = model.log_marginal(x).item()
    assert point_law(POINT).bound((1,)).item() == pytest.approx(truth - kl_divergence(q, exact))


class Tiny(nn.Module):
    """The same point with its four parameters as a module that evaluation.gradients takes."""

    def __init__(self):
        super().__init__()
        self.phi = nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.theta = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def draws(self, x, n_samples, generator):
        eps = standard_normal((n_samples, len(x), 2), generator, torch.float64)
        offset = torch.cat([self.phi, self.theta]).expand(len(x), 4)
        return gradient_oracle._draws_from(POINT, offset, eps)


def test_exact_ratios_are_those_that_evaluation_measures():
    # 150 repeats: a ratio s is known to about sqrt((1 + s^2 / 2) / 150) = 0.1, so 4 sigma is 0.4.
    tiny, (_, x) = Tiny(), oracle()
    names = ("stick_the_landing", "doubly_reparameterized")
    report = gradient_snr(
        tiny,
        x,
        estimators=names,
        n_samples=(6,),
        n_repeats=150,
        generator=make_generator(4),
        groups={"encoder": [tiny.phi], "decoder": [tiny.theta]},
    )
    for e, name in enumerate(names):
        mean, std = exact_moments(POINT, name, (6,))
        ratio = np.abs(mean) / std
        expected = np.stack([ratio[:, :2].mean(1), ratio[:, 2:].mean(1)], axis=1)
        np.testing.assert_allclose(report.snr[e], expected, atol=0.4)


@pytest.mark.parametrize("scene", fans.SCENES)
def test_fans_show_sixty_arrows_around_their_exact_mean(scene):
    config = FansConfig(**dict(fans.SCENES[scene].settings))
    report = fans.run(config)
    assert report.arrows.shape == (60, 4)
    z = (report.arrows.mean(0) - report.mean) / (report.std / math.sqrt(60))
    assert np.abs(z).max() < 5
    np.testing.assert_allclose(report.snr, np.abs(report.mean) / report.std)
    assert report.elbo <= report.bound <= report.log_marginal
    again = fans.run(config)
    np.testing.assert_array_equal(report.arrows, again.arrows)


def test_the_fans_tell_the_story():
    found = {n: fans.run(FansConfig(**dict(s.settings))) for n, s in fans.SCENES.items()}
    first, tight, doubly, sleep = (found[n] for n in ("elbo", "tight", "doubly", "sleep"))
    assert first.agreeing[0] > 0.65
    assert 0.3 < tight.agreeing[0] < 0.7
    assert tight.agreeing[1] == 1.0
    assert doubly.agreeing[0] > 0.95
    np.testing.assert_allclose(doubly.mean, tight.mean, rtol=1e-3, atol=1e-6)
    shrunk = np.abs(first.mean[0] / tight.mean[0])
    quieter = first.std[0] / tight.std[0]
    assert 2000 < shrunk < 4500
    assert 45 < quieter < 80
    assert np.abs(sleep.mean[:2]).min() > 0.5
    np.testing.assert_allclose(tight.mean[2:], tight.log_marginal_gradient, atol=0.01)


@pytest.mark.parametrize("scene", contributions.SCENES)
def test_contributions_add_up(scene):
    config = ContributionsConfig(**dict(contributions.SCENES[scene].settings))
    report = contributions.run(config)
    K = config.n_samples
    w = np.exp(report.log_w - report.log_w.max())
    np.testing.assert_allclose(report.weight, w / w.sum())
    np.testing.assert_allclose(report.vae_sum, report.gradient.mean(0))
    np.testing.assert_allclose(report.iwae_sum, (report.weight[:, None] * report.gradient).sum(0))
    assert report.ess == pytest.approx(1 / (report.weight**2).sum())
    assert report.bound == pytest.approx(np.log(np.exp(report.log_w).mean()))
    # the IWAE's sum is the gradient that training would take
    eps = standard_normal((64, 2), stream(config.seed, "samples"), torch.float64)[:K]
    whole = gradients(config.point, "reparameterized", eps.unsqueeze(1))[0][0]
    np.testing.assert_allclose(report.iwae_sum, whole, rtol=1e-9)
    averaged = gradients(config.point, "reparameterized", eps.unsqueeze(1), elbo)[0][0]
    np.testing.assert_allclose(report.vae_sum, averaged, rtol=1e-9)


def test_contribution_scenes_say_what_is_so():
    found = {
        n: contributions.run(ContributionsConfig(**dict(s.settings)))
        for n, s in contributions.SCENES.items()
    }
    assert 0.6 < found["shifted"].weight.max() < 0.7
    np.testing.assert_array_equal(found["one"].vae_sum, found["one"].iwae_sum)
    far = np.sort(found["far"].weight)[::-1]
    assert far[0] > 0.5
    assert far[:4].sum() > 0.9
    near = found["near"]
    assert (near.vae_mean[2:] < 0).all()
    assert (near.iwae_mean[2:] > 0).all()
    assert (exact_gradient_of_log_marginal() > 0).all()
    more = contributions.run(ContributionsConfig(n_samples=9))
    np.testing.assert_array_equal(more.z[:8], found["shifted"].z)


def test_slopes_are_those_of_theory():
    report = snr.run(SnrConfig())
    np.testing.assert_allclose(report.slope, report.theory, atol=0.01)
    assert report.theory[0].tolist() == [-0.5, 0.5]
    # repeats agree where the ratio is well above the floor
    shown = ~np.isnan(report.snr_hat)
    assert shown.sum() == 4 * 9 * 2
    away = np.abs(report.snr_hat - report.snr)[shown]
    allowed = 5 * np.sqrt((1 + report.snr**2 / 2) / report.n_repeats)[shown]
    assert (away < allowed).all()
    # the exact encoder's ratio falls below what 100 repeats can tell from nothing
    assert report.snr[0, -1, 0] < report.floor / 5


def test_a_finer_rule_gives_the_same_ratios():
    eps, probability = normal_nodes(2, 0.15)
    found, offset = gradient_oracle.draws(POINT, eps.unsqueeze(0))
    log_w = found.log_w()
    (h,) = torch.autograd.grad(log_w.sum(), offset)
    law = Law(log_w.detach()[0], probability)
    mean, variance = share_moments(law, h, (4, 512))
    coarse_mean, coarse_std = exact_moments(POINT, "reparameterized", (4, 512))
    np.testing.assert_allclose(coarse_mean, mean, rtol=2e-4, atol=1e-9)
    np.testing.assert_allclose(coarse_std, variance.sqrt(), rtol=2e-4)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"shift must lie within 3.*scale must lie in \[1, 2\]"):
        Point(4.0, 0.5)
    with pytest.raises(ValueError, match="unknown estimator 'piwae'"):
        FansConfig(estimator="piwae")
    with pytest.raises(ValueError, match=r"n_samples must lie in 1\.\.1024, got 0"):
        FansConfig(n_samples=0)
    with pytest.raises(ValueError, match=r"n_samples must lie in 1\.\.64, got 65"):
        ContributionsConfig(n_samples=65)
    with pytest.raises(ValueError, match="no signal at any K"):
        SnrConfig(shift=0.0)
