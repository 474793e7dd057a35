"""Several proposals at once: the heuristics' weights and the estimate's error bar."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import assert_mean

from iwae_core.rng import make_generator
from iwae_core.sampling import estimators, multiple
from iwae_core.sampling.densities import (
    Banana,
    Gaussian,
    Mixture,
    Normal,
    Scaled,
    Uniform,
    defensive_mixture,
)

TARGET = Mixture((Normal(-2.0, 0.6), Normal(3.0, 0.8)), (0.4, 0.6))  # mean 1
PROPOSALS = (Normal(-2.0, 1.0), Normal(2.5, 1.2), Uniform(-6.0, 8.0))
COUNTS = (150, 200, 50)


def draws(R=2000, seed=0):
    return multiple.sample_each(PROPOSALS, COUNTS, make_generator(seed), (R,), torch.float64)


def test_draws_come_in_the_order_of_the_proposals():
    z = draws(500)
    assert z.shape == (400, 500)
    for part, q in zip(z.split(COUNTS), PROPOSALS, strict=True):
        assert_mean(part, q.mean)


def test_the_balance_heuristic_weighs_against_the_mixture_of_all():
    z = draws(3)
    mixture = Mixture(PROPOSALS, (0.375, 0.5, 0.125))
    log_w = multiple.balance_log_weights(TARGET, PROPOSALS, COUNTS, z)
    torch.testing.assert_close(log_w, TARGET.log_prob(z) - mixture.log_prob(z))
    alone = multiple.balance_log_weights(TARGET, PROPOSALS[:1], (400,), z)
    torch.testing.assert_close(alone, TARGET.log_prob(z) - PROPOSALS[0].log_prob(z))


def test_the_power_heuristic_equals_its_definition():
    z = draws(2)
    rates = [n * q.log_prob(z).exp() for q, n in zip(PROPOSALS, COUNTS, strict=True)]
    total = sum(rate**2 for rate in rates)
    expected = []
    for i, part in enumerate(torch.arange(400).split(COUNTS)):
        own = rates[i][part] / COUNTS[i]
        credit = rates[i][part] ** 2 / total[part]
        expected.append(400 / COUNTS[i] * credit * TARGET.log_prob(z[part]).exp() / own)
    log_w = multiple.power_log_weights(TARGET, PROPOSALS, COUNTS, z)
    torch.testing.assert_close(log_w.exp(), torch.cat(expected))


@pytest.mark.parametrize("power", [1.0, 2.0, 5.0])
def test_every_power_is_unbiased_and_its_error_bar_calibrated(power):
    z = draws(2500, seed=int(power))
    log_w = multiple.power_log_weights(TARGET, PROPOSALS, COUNTS, z, power)
    estimate = multiple.multiple_importance(z, log_w, COUNTS)
    assert_mean(estimate.value, 1.0)
    # The variance estimate is unbiased: its mean is the spread of the answers.
    spread = (estimate.value - 1.0).square()
    assert_mean(spread / estimate.std_error.square().mean(), 1.0)
    cover = ((estimate.value - 1.0).abs() < 2 * estimate.std_error).double().mean()
    assert 0.935 < cover < 0.97


def test_fixed_counts_make_the_error_bar_smaller_than_that_of_one_mixture():
    z = draws(500)
    log_w = multiple.balance_log_weights(TARGET, PROPOSALS, COUNTS, z)
    stratified = multiple.multiple_importance(z, log_w, COUNTS)
    pooled = estimators.importance(z, log_w)
    torch.testing.assert_close(stratified.value, pooled.value)
    assert stratified.std_error.mean() < 0.8 * pooled.std_error.mean()
    spread, claim = stratified.value.std().item(), stratified.std_error.mean().item()
    assert spread == pytest.approx(claim, rel=0.15)


def test_the_balance_heuristic_beats_each_proposal_alone():
    z = draws(500)
    together = multiple.multiple_importance(
        z, multiple.balance_log_weights(TARGET, PROPOSALS, COUNTS, z), COUNTS
    )
    for q in PROPOSALS:
        z = q.sample((400, 500), make_generator(1), torch.float64)
        alone = estimators.importance(z, TARGET.log_prob(z) - q.log_prob(z))
        rmse = (alone.value - 1.0).square().mean().sqrt()
        assert (together.value - 1.0).square().mean().sqrt() < 0.8 * rmse


def test_a_proposal_that_misses_a_region_is_no_harm_beside_one_that_does_not():
    proposals, counts = (Uniform(2.0, 4.0), Normal(0.0, 3.0)), (100, 300)
    z = multiple.sample_each(proposals, counts, make_generator(2), (600,), torch.float64)
    for power in (0.0, 1.0, 2.0):
        log_w = multiple.power_log_weights(TARGET, proposals, counts, z, power)
        assert_mean(multiple.multiple_importance(z, log_w, counts).value, 1.0)


def test_it_works_in_the_plane():
    q = Gaussian((0.0, 0.5), ((1.5, 0.0), (0.0, 2.0)))
    proposals, counts = (Banana(), q), (50, 100)
    z = multiple.sample_each(proposals, counts, make_generator(2), (1000,), torch.float64)
    assert z.shape == (150, 1000, 2)
    log_w = multiple.balance_log_weights(Banana(0.8, 1.0, 0.6), proposals, counts, z)
    assert log_w.shape == (150, 1000)
    assert_mean(estimators.importance(torch.ones_like(log_w), log_w).value, 1.0)
    mixed = defensive_mixture(Banana(), q, 2 / 3)
    torch.testing.assert_close(log_w, Banana(0.8, 1.0, 0.6).log_prob(z) - mixed.log_prob(z))


Z = torch.zeros(3)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (
            lambda: multiple.sample_each((Normal(),), (1, 2), make_generator(0)),
            "1 proposals but 2",
        ),
        (lambda: multiple.sample_each((), (), make_generator(0)), "whole number of draws"),
        (lambda: multiple.sample_each((Normal(),), (0,), make_generator(0)), "whole number"),
        (lambda: multiple.sample_each((Normal(), Banana()), (1, 1), make_generator(0)), "line"),
        (lambda: multiple.sample_each((Scaled(Normal(), 1.0),), (1,), make_generator(0)), "norm"),
        (lambda: multiple.balance_log_weights(Normal(), (Normal(),), (2,), Z), "the 2 draws"),
        (lambda: multiple.power_log_weights(Normal(), (Normal(),), (3,), Z, -1.0), "power"),
        (lambda: multiple.power_log_weights(Normal(), (Normal(),), (3,), Z, math.nan), "power"),
        (lambda: multiple.balance_log_weights(Normal(), (Uniform(1.0, 2.0),), (3,), Z), "order"),
        (lambda: multiple.multiple_importance(Z, Z, (1, 1)), "add up to the 3"),
        (lambda: multiple.multiple_importance(Z, torch.zeros(2), (3,)), "one value per draw"),
        (lambda: multiple.multiple_importance(Z + 1, Z + 1e4, (3,)), "too large"),
    ],
)
def test_bad_input_is_refused_with_the_rule(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


@given(
    loc=st.floats(-1e3, 1e3),
    scale=st.floats(1e-3, 1e3),
    counts=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    power=st.floats(0, 100),
)
def test_any_proposals_give_an_estimate_without_nan_or_a_value_error(loc, scale, counts, power):
    proposals = (Normal(loc, scale), Normal(0.0, 1.0))
    z = multiple.sample_each(proposals, counts, make_generator(0), (), torch.float64)
    try:
        log_w = multiple.power_log_weights(TARGET, proposals, counts, z, power)
        estimate = multiple.multiple_importance(z, log_w, counts)
    except ValueError:
        return
    assert torch.isfinite(estimate.value)
    assert not torch.isnan(estimate.std_error)
    assert torch.isposinf(estimate.std_error) == (min(counts) == 1)
