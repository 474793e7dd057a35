"""Free bits and target rate, against their formulas on numbers chosen by hand."""

import math

import pytest
import torch

from iwae_core.bounds.objectives import elbo
from iwae_core.bounds.rate import FreeBits, TargetRate, make_estimator
from iwae_core.bounds.surrogates import ESTIMATORS
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling.draws import Draws

LOC = ((0.1, 2.0, -0.6), (0.3, 1.0, -1.4))  # KL per latent, batch mean: 0.025, 1.25, 0.58
MEAN_KL = (0.025, 1.25, 0.58)


def make_draws(log_likelihood_value=-7.0):
    loc = torch.tensor(LOC, dtype=torch.float64, requires_grad=True)
    q = DiagonalNormal(loc, torch.zeros(2, 3, dtype=torch.float64))
    eps = standard_normal((4, 2, 3), make_generator(0), torch.float64)
    draws = Draws(
        z=q.from_noise(eps),
        log_likelihood=lambda z: torch.full(z.shape[:-1], log_likelihood_value).double(),
        log_prior=standard_normal_log_prob,
        log_q=q.log_prob,
        log_q_path=q.detach().log_prob,
        kl_per_dim=q.kl_to_standard,
    )
    return draws, loc


def test_free_bits_charge_the_larger_of_lambda_and_the_batch_mean():
    draws, loc = make_draws()
    value, log_w = FreeBits(0.6)(draws, elbo, 0.5)
    # Latents 1 and 3 are below 0.6 and pay 0.6 each; latent 2 pays 1.25. Per datapoint latent 3
    # has 0.18 and 0.98: a rule per datapoint would charge 0.6 and 0.98.
    assert value.item() == pytest.approx(-7.0 - 0.5 * (0.6 + 1.25 + 0.6))
    torch.testing.assert_close(log_w, draws.log_w(0.5).detach())
    value.backward()
    expected = torch.tensor([[0.0, -0.5 * 2.0 / 2, 0.0], [0.0, -0.5 * 1.0 / 2, 0.0]])
    torch.testing.assert_close(loc.grad, expected.double())


@pytest.mark.parametrize(("rate", "sign"), [(1.0, -1.0), (3.0, 1.0)])
def test_a_target_rate_charges_the_distance_and_pulls_towards_it(rate, sign):
    draws, loc = make_draws()
    value, log_w = TargetRate(rate)(draws, elbo, 2.0)
    assert value.item() == pytest.approx(-7.0 - 2.0 * abs(sum(MEAN_KL) - rate))
    torch.testing.assert_close(log_w, draws.log_w(2.0).detach())
    value.backward()
    torch.testing.assert_close(loc.grad, sign * 2.0 * loc.detach() / 2)


def test_free_bits_loosen_the_bound_and_a_target_rate_breaks_it():
    draws, _ = make_draws()
    plain = ESTIMATORS["closed_form_kl"](draws, elbo, 1.0)[0].item()
    for nats in (0.1, 0.6, 5.0):
        assert FreeBits(nats)(draws, elbo, 1.0)[0].item() < plain
    # log p(x | z) is -7 for every z, and so is log p(x): at its rate nothing is charged.
    assert TargetRate(sum(MEAN_KL))(draws, elbo, 1.0)[0].item() == pytest.approx(-7.0)


def test_no_free_bits_are_the_plain_closed_form():
    draws, _ = make_draws()
    plain, _ = ESTIMATORS["closed_form_kl"](draws, elbo, 0.7)
    torch.testing.assert_close(FreeBits(0.0)(draws, elbo, 0.7)[0], plain)
    assert make_estimator("piwae") is ESTIMATORS["piwae"]
    assert make_estimator("closed_form_kl", free_bits=0.2) == FreeBits(0.2)
    assert make_estimator("closed_form_kl", target_rate=0.0) == TargetRate(0.0)


def test_a_model_without_a_closed_form_kl_is_refused():
    model = TwoLayerVae(4, (3, 2), hidden=(5,), second_hidden=(5,), generator=make_generator(0))
    draws = model.draws(torch.zeros(2, 4), 3, make_generator(1))
    for rule in (FreeBits(0.1), TargetRate(2.0)):
        with pytest.raises(ValueError, match="two stochastic layers has none"):
            rule(draws, elbo, 1.0)


@pytest.mark.parametrize("nats", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("rule", [FreeBits, TargetRate])
def test_impossible_nats_are_refused(rule, nats):
    with pytest.raises(ValueError, match=f"finite and not negative, got {nats}"):
        rule(nats)


def test_rules_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="closed_form_kl only, got 'wake_sleep'"):
        make_estimator("wake_sleep", free_bits=0.1)
    with pytest.raises(ValueError, match=r"set one of them, got 0\.1 and 2\.0"):
        make_estimator("closed_form_kl", free_bits=0.1, target_rate=2.0)
    with pytest.raises(ValueError, match="unknown estimator 'pivae'; did you mean 'piwae'"):
        make_estimator("pivae")
