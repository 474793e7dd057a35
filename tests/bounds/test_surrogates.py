r"""Gradient estimators on a model small enough to give 20,000 independent gradients at once.

z ~ N(0, 1), x | z ~ N(z + theta, s^2), q = N(loc, scale^2). Each row of the batch has its own copy
of every parameter, so one backward pass gives one gradient per row. Nothing sits at zero: a
swapped sign or a missing factor cannot hide behind symmetry.
"""

import math
from dataclasses import dataclass

import pytest
import torch
from support import assert_mean, assert_mean_differs

from iwae_core.bounds.objectives import Ciwae, Miwae, Renyi, elbo, iwae
from iwae_core.bounds.surrogates import ESTIMATORS
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling.draws import Draws

X, THETA, S = 1.3, -0.4, 0.7
REPLICATES = 20_000


@dataclass
class Gradients:
    loc: torch.Tensor
    log_scale: torch.Tensor
    theta: torch.Tensor
    value: float


def gradients(estimator, objective, n_samples, *, loc=0.2, scale=1.1, n=REPLICATES, seed=0):
    loc_leaf = torch.full((n, 1), loc, dtype=torch.float64, requires_grad=True)
    log_scale = torch.full((n, 1), math.log(scale), dtype=torch.float64, requires_grad=True)
    theta = torch.full((n, 1), THETA, dtype=torch.float64, requires_grad=True)
    q = DiagonalNormal(loc_leaf, log_scale)
    eps = standard_normal((n_samples, n, 1), make_generator(seed), dtype=torch.float64)

    def log_likelihood(z):
        return (-0.5 * ((X - z - theta) / S) ** 2 - 0.5 * math.log(2 * math.pi * S**2)).sum(-1)

    draws = Draws(
        z=q.from_noise(eps),
        log_likelihood=log_likelihood,
        log_prior=standard_normal_log_prob,
        log_q=q.log_prob,
        log_q_path=q.detach().log_prob,
        kl_per_dim=q.kl_to_standard,
    )
    surrogate, log_w = ESTIMATORS[estimator](draws, objective, 1.0)
    torch.testing.assert_close(log_w, draws.log_w().detach())
    surrogate.backward()
    return Gradients(
        loc_leaf.grad[:, 0] * n, log_scale.grad[:, 0] * n, theta.grad[:, 0] * n, surrogate.item()
    )


def exact_posterior():
    variance = 1 / (1 + 1 / S**2)
    return variance * (X - THETA) / S**2, math.sqrt(variance)


def test_the_elbo_gradient_has_its_closed_form():
    # ELBO = -((x - loc - theta)^2 + scale^2) / (2 s^2) - (loc^2 + scale^2) / 2 + log scale + c
    loc, scale = 0.2, 1.1
    for estimator in ("reparameterized", "stick_the_landing", "doubly_reparameterized"):
        found = gradients(estimator, elbo, 3)
        assert_mean(found.loc, (X - loc - THETA) / S**2 - loc)
        assert_mean(found.log_scale, 1 - scale**2 * (1 + 1 / S**2))
        assert_mean(found.theta, (X - loc - THETA) / S**2)


def test_the_closed_form_kl_has_less_noise_and_the_same_mean():
    analytic = gradients("closed_form_kl", elbo, 1)
    sampled = gradients("reparameterized", elbo, 1)
    assert_mean(analytic.log_scale, 1 - 1.1**2 * (1 + 1 / S**2))
    assert_mean(analytic.loc, (X - 0.2 - THETA) / S**2 - 0.2)
    assert analytic.loc.var() < 0.8 * sampled.loc.var()


@pytest.mark.parametrize("objective", [iwae, Renyi(0.5), Renyi(2.0), Ciwae(0.4), Miwae(2)])
def test_doubly_reparameterized_is_unbiased_for_every_objective(objective):
    # The two estimators share no noise (other seed). Power: with 20,000 replicates and a spread
    # near 1, a bias of 0.07 (the score's own size is about 0.3) is found.
    plain = gradients("reparameterized", objective, 6)
    doubly = gradients("doubly_reparameterized", objective, 6, seed=1)
    assert_mean(plain.loc - doubly.loc, 0.0)
    assert_mean(plain.log_scale - doubly.log_scale, 0.0)
    same_noise = gradients("doubly_reparameterized", objective, 6, seed=0)
    torch.testing.assert_close(same_noise.theta, plain.theta)


def test_stick_the_landing_is_biased_for_the_iwae_and_not_for_the_elbo():
    # With the same noise the difference is the dropped score term alone.
    for name in ("loc", "log_scale"):
        bias = getattr(gradients("stick_the_landing", iwae, 6), name) - getattr(
            gradients("reparameterized", iwae, 6), name
        )
        assert_mean_differs(bias, 0.0, at_least=0.02)
        none = getattr(gradients("stick_the_landing", elbo, 6), name) - getattr(
            gradients("reparameterized", elbo, 6), name
        )
        assert_mean(none, 0.0)


@pytest.mark.parametrize("estimator", ["stick_the_landing", "doubly_reparameterized"])
@pytest.mark.parametrize("objective", [elbo, iwae])
def test_path_gradients_vanish_sample_by_sample_at_the_exact_posterior(estimator, objective):
    loc, scale = exact_posterior()
    path = gradients(estimator, objective, 5, loc=loc, scale=scale, n=100)
    assert path.loc.abs().max() < 1e-12
    assert path.log_scale.abs().max() < 1e-12
    plain = gradients("reparameterized", objective, 5, loc=loc, scale=scale, n=100)
    assert plain.loc.std() > 0.1


def test_wake_sleep_descends_the_inclusive_kl():
    # d/d loc E_p(z|x)[log q] = (posterior mean - loc) / scale^2; self-normalization leaves a
    # bias O(1 / K), below 0.01 here at K = 400.
    mean, deviation = exact_posterior()
    found = gradients("wake_sleep", iwae, 400, n=4000)
    assert_mean(found.loc, (mean - 0.2) / 1.1**2, allowance=0.01)
    second = (deviation**2 + (mean - 0.2) ** 2) / 1.1**2 - 1
    assert_mean(found.log_scale, second, allowance=0.01)
    plain = gradients("reparameterized", iwae, 400, n=4000)
    torch.testing.assert_close(found.theta, plain.theta)


def test_piwae_gives_the_decoder_the_iwae_gradient_and_the_encoder_its_own():
    mixed = gradients("piwae", Miwae(3), 6)
    torch.testing.assert_close(mixed.theta, gradients("reparameterized", iwae, 6).theta)
    own = gradients("reparameterized", Miwae(3), 6)
    torch.testing.assert_close(mixed.loc, own.loc)
    torch.testing.assert_close(mixed.log_scale, own.log_scale)
    assert not torch.allclose(mixed.theta, own.theta)
