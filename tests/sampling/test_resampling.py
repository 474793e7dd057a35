"""Resampling schemes: who is copied how often, and what the copies cost in accuracy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import assert_mean

from iwae_core.rng import make_generator
from iwae_core.sampling import estimators, resampling, weights
from iwae_core.sampling.problems import get_problem
from iwae_core.sampling.resampling import multinomial, resample, resampled, stratified, systematic

SCHEMES = [multinomial, stratified, systematic]
LOG_W = torch.tensor([0.1, 0.25, 0.05, 0.6], dtype=torch.float64).log() + 900.0


def counts_of(indices, K):
    return torch.nn.functional.one_hot(indices, K).sum(dim=0)  # (*B, K)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_draw_is_copied_in_proportion_to_its_weight(scheme):
    indices = scheme(LOG_W[:, None].expand(4, 5000), 7, make_generator(1))
    assert indices.shape == (7, 5000)
    counts = counts_of(indices, 4).double()
    for k, share in enumerate([0.1, 0.25, 0.05, 0.6]):
        assert_mean(counts[:, k], 7 * share)


def test_the_noise_of_the_schemes_is_what_the_theory_says():
    log_w = LOG_W[:, None].expand(4, 20_000)
    shares = torch.tensor([0.1, 0.25, 0.05, 0.6], dtype=torch.float64)
    counts = counts_of(multinomial(log_w, 7, make_generator(1)), 4).double()
    for k in range(4):  # binomial
        variance = 7 * shares[k] * (1 - shares[k])
        assert_mean((counts[:, k] - 7 * shares[k]).square(), variance.item())
    counts = counts_of(systematic(log_w, 7, make_generator(1)), 4).double()
    assert ((counts - 7 * shares).abs() < 1).all()
    counts = counts_of(stratified(log_w, 7, make_generator(1)), 4).double()
    assert ((counts - 7 * shares).abs() < 2).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_obey_the_generator_and_keep_columns_apart(scheme):
    log_w = torch.randn(30, 2, 3, generator=make_generator(0))
    log_w[:, 1, 2] = -math.inf
    log_w[17, 1, 2] = 0.0
    indices = scheme(log_w, 50, make_generator(3))
    assert indices.shape == (50, 2, 3)
    assert indices.dtype == torch.int64
    assert (indices[:, 1, 2] == 17).all()
    assert torch.equal(indices, scheme(log_w, 50, make_generator(3)))
    assert not torch.equal(indices, scheme(log_w, 50, make_generator(4)))


@pytest.mark.parametrize("scheme", [multinomial, stratified, systematic])
def test_copies_are_counted_as_the_scheme_makes_them(scheme):
    log_w = 2 * torch.randn(60, 300, generator=make_generator(3), dtype=torch.float64)
    log_w[::7] = -math.inf
    log_w[-1] = -math.inf
    for n_draws in (1, 60, 211):
        indices = scheme(log_w, n_draws, make_generator(4))
        counted = torch.nn.functional.one_hot(indices, 60).sum(dim=0).T.double()
        found = resampling.copies(log_w, n_draws, make_generator(4), scheme)
        torch.testing.assert_close(found, counted, rtol=0, atol=0)
    one = resampling.copies(log_w[:, 0], 5, make_generator(4), scheme)
    assert one.shape == (60,)
    assert one.sum() == 5
    with pytest.raises(ValueError, match="unknown scheme"):
        resampling.copies(log_w, 5, make_generator(4), lambda log_w, n, generator: log_w)


def test_resample_copies_numbers_and_vectors():
    z = torch.randn(5, 2, 3, generator=make_generator(0))
    indices = torch.tensor([[4, 0], [4, 1], [2, 1]])
    copies = resample(z, indices)
    assert copies.shape == (3, 2, 3)
    assert torch.equal(copies[1, 0], z[4, 0])
    assert torch.equal(copies[2, 1], z[1, 1])
    assert torch.equal(resample(z[..., 0], indices), copies[..., 0])
    assert torch.equal(resample(z[:, 0, 0], indices[:, 0]), copies[:, 0, 0])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_resampled_estimates_have_calibrated_error_bars(scheme):
    # Off by one in a cumulated weight or a missing noise term shows: with n = K / 4 the choice
    # of multinomial draws doubles the error. R = 3000: a spread 8 % off is found.
    problem = get_problem("good")
    z = problem.draw((400, 3000), make_generator(5), torch.float64)
    f, log_w = problem.f(z), problem.log_weights(z)
    estimate = resampled(f, log_w, 100, make_generator(6), scheme)
    assert_mean(estimate.value, problem.exact, allowance=2 / 400)
    error = (estimate.value - problem.exact) / estimate.std_error
    assert 0.93 < error.std() < 1.07
    assert 0.935 < (error.abs() < 2).double().mean() < 0.97
    torch.testing.assert_close(estimate.ess, weights.ess(log_w))
    plain = estimators.self_normalized(f, log_w)
    if scheme is multinomial:
        assert estimate.std_error.mean() > 1.5 * plain.std_error.mean()


def test_the_noise_within_slices_is_exact():
    # Given the draws, the variance over choices, measured on 40,000 of them.
    f = torch.tensor([3.0, -1.0, 10.0, 0.5], dtype=torch.float64)
    for scheme in (multinomial, stratified):
        indices = scheme(LOG_W[:, None].expand(4, 40_000), 3, make_generator(2))
        means = f[indices].mean(dim=0)
        independent = scheme is multinomial
        noise = resampling._choice_variance(f, LOG_W, 3, independent).item()
        center = (weights.normalize(LOG_W) * f).sum().item()
        assert_mean(means, center)
        assert_mean((means - center).square(), noise)


def test_a_uniform_number_on_an_edge_never_picks_a_draw_of_weight_zero():
    log_w = torch.tensor([-math.inf, 0.0, -math.inf, 0.0, -math.inf], dtype=torch.float64)
    edges = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    assert resampling._pick(log_w, edges).tolist() == [1, 3, 3]


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: multinomial(LOG_W, 0, make_generator(0)), "n_draws"),
        (lambda: stratified(torch.full((3,), -math.inf), 2, make_generator(0)), "every weight"),
        (lambda: systematic(torch.tensor([math.nan]), 2, make_generator(0)), "NaN"),
        (lambda: resample(torch.zeros(3, 2), torch.zeros(4, 3, dtype=torch.int64)), "batches"),
        (lambda: resample(torch.zeros(3), torch.tensor([3])), r"\[0, 3\)"),
        (lambda: resample(torch.zeros(3), torch.tensor(1)), "batches"),
        (lambda: resampled(torch.zeros(3), LOG_W, 2, make_generator(0)), "one value per draw"),
        (lambda: resampled(LOG_W * math.nan, LOG_W, 2, make_generator(0)), "f holds NaN"),
    ],
)
def test_bad_input_is_refused_with_the_rule(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


weights_or_zero = st.one_of(st.floats(-1e5, 1e5), st.just(-math.inf))


@given(
    log_w=hnp.arrays(
        np.float64,
        st.integers(1, 30),
        elements=st.one_of(st.floats(-1e5, 1e5), st.just(-math.inf)),
    ).map(torch.from_numpy),
    n_draws=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_only_draws_of_positive_weight_are_copied(log_w, n_draws, seed):
    if torch.isneginf(log_w).all():
        return
    w = weights.normalize(log_w)
    for scheme in SCHEMES:
        indices = scheme(log_w, n_draws, make_generator(seed))
        assert indices.shape == (n_draws,)
        assert (w[indices] > 0).all()
        f = torch.linspace(-1, 3, len(log_w), dtype=torch.float64)
        estimate = resampled(f, log_w, n_draws, make_generator(seed), scheme)
        assert torch.isfinite(estimate.value)
        assert not torch.isnan(estimate.std_error)
