"""k-hat and Pareto smoothing, against arviz_stats and against exact tail shapes."""

import math

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import assert_mean

from iwae_core.rng import make_generator
from iwae_core.sampling import psis
from iwae_core.sampling.densities import Normal
from iwae_core.sampling.divergences import tail_index

LENGTHS = [25, 26, 31, 225, 226, 400, 2000]


def weights_of(kind, K, B, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(3.0, 1.5, size=(K, B))
    if kind == "heavy":  # w = exp(log_w) is Pareto with k = 1.5
        return rng.exponential(1.5, size=(K, B))
    if kind == "bounded":
        return -rng.exponential(2.0, size=(K, B)) + 700
    if kind == "tied":
        return np.round(rng.normal(0.0, 2.0, size=(K, B)), 1)
    if kind == "some zero":
        log_w = rng.normal(-800.0, 1.0, size=(K, B))
        log_w[: K // 2] = -np.inf
        return log_w
    raise AssertionError(kind)


@pytest.mark.parametrize("K", LENGTHS)
@pytest.mark.parametrize("kind", ["normal", "heavy", "bounded", "tied", "some zero"])
def test_equals_arviz_stats(kind, K):
    log_w = weights_of(kind, K, 6)
    tail = np.sort(log_w, axis=0)[::-1][: psis.tail_length(K) + 1]
    n = len(tail) - 1
    fits = tail[n - int(n / 4 + 0.5)] > tail[n]  # the case arviz_stats divides by zero
    assert fits.sum() >= 4
    smoothed, k = psis.smooth(torch.from_numpy(log_w))
    torch.testing.assert_close(psis.k_hat(torch.from_numpy(log_w)), k, rtol=0, atol=0)
    smoothed = torch.log_softmax(smoothed, dim=0).numpy()
    for b in np.flatnonzero(fits):
        theirs, their_k = array_stats.psislw(-log_w[:, b])
        assert k[b].item() == pytest.approx(float(their_k), abs=1e-6)
        if kind == "tied":  # equal weights have no order of their own
            np.testing.assert_allclose(np.sort(smoothed[:, b]), np.sort(theirs), atol=1e-6)
        else:
            np.testing.assert_allclose(smoothed[:, b], theirs, atol=1e-6)


def test_batches_of_any_shape_hold_independent_columns():
    log_w = torch.from_numpy(weights_of("heavy", 400, 6)).reshape(400, 2, 3)
    smoothed, k = psis.smooth(log_w)
    assert smoothed.shape == (400, 2, 3)
    assert k.shape == (2, 3)
    one, one_k = psis.smooth(log_w[:, 1, 2])
    assert one_k.item() == pytest.approx(k[1, 2].item(), abs=1e-12)
    torch.testing.assert_close(one, smoothed[:, 1, 2], rtol=1e-12, atol=1e-12)


def test_smoothing_keeps_the_scale_and_the_body_of_the_weights():
    log_w = torch.from_numpy(weights_of("normal", 1000, 1)) - 650.0
    smoothed, _ = psis.smooth(log_w)
    n_tail = psis.tail_length(1000)
    assert (smoothed != log_w).sum() <= n_tail
    assert smoothed.max() <= log_w.max()
    # The fitted tail has the weight of the raw one.
    assert torch.logsumexp(smoothed, 0).item() == pytest.approx(
        torch.logsumexp(log_w, 0).item(), abs=0.2
    )
    shifted, k = psis.smooth(log_w + 1300.0)
    torch.testing.assert_close(shifted, smoothed + 1300.0, rtol=0, atol=1e-9)
    assert k.item() == pytest.approx(psis.k_hat(log_w).item(), abs=1e-9)


def test_k_hat_finds_the_exact_tail_index_of_pareto_weights():
    # w = exp(k E) with E standard exponential is exactly Pareto with shape k. The prior draws
    # k-hat towards 0.5: expected value (n k + 5) / (n + 10) with n = 189 up to O(1/n) = 0.02.
    log_e = torch.empty(4000, 150, dtype=torch.float64)
    exponential = log_e.exponential_(generator=make_generator(7))
    for k in (0.2, 0.7, 1.2):
        estimates = psis.k_hat(k * exponential)
        assert_mean(estimates, (189 * k + 5) / 199, allowance=0.02)


def test_k_hat_tells_a_wide_from_a_narrow_normal_proposal():
    generator = make_generator(3)
    target = Normal(1.0, 1.0)
    k_hats = {}
    for scale in (0.5, 1.5):
        proposal = Normal(1.0, scale)
        z = proposal.sample((4000, 50), generator, torch.float64)
        k_hats[scale] = psis.k_hat(target.log_prob(z) - proposal.log_prob(z))
    assert tail_index(target, Normal(1.0, 0.5)) == 0.75
    # The limit is approached from below and slowly (a logarithmic correction).
    assert 0.5 < k_hats[0.5].mean() < 0.75
    assert (k_hats[1.5] < 0.0).all()


@pytest.mark.parametrize("K", [1, 5, 24])
def test_too_few_draws_vouch_for_nothing(K):
    log_w = torch.linspace(0, 1, K)
    smoothed, k = psis.smooth(log_w)
    assert k.item() == math.inf
    assert torch.equal(smoothed, log_w)


def test_equal_weights_up_to_rounding_have_no_tail():
    noise = 1e-15 * torch.randn(100, 4, generator=make_generator(1), dtype=torch.float64)
    for log_w in (torch.zeros(25), torch.full((500, 2), -90.0), 5.0 + noise):
        smoothed, k = psis.smooth(log_w)
        assert torch.isneginf(k).all()
        assert torch.equal(smoothed, log_w)


def test_a_tail_that_ties_with_its_threshold_is_never_called_harmless():
    # One draw holds everything; arviz_stats 0.8 answers 5 / (n + 10) = 0.05 here.
    log_w = torch.full((1000,), -1e4, dtype=torch.float64)
    log_w[17] = 0.0
    smoothed, k = psis.smooth(log_w)
    assert k.item() == math.inf
    assert torch.equal(smoothed, log_w)


@given(
    log_w=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=60),
        elements=st.one_of(
            st.floats(-900, 900), st.sampled_from([0.0, 1.0, -math.inf, 1e300, -1e300])
        ),
    ).map(torch.from_numpy)
)
def test_k_hat_is_never_nan_and_smoothing_never_breaks_the_weights(log_w):
    if torch.isneginf(log_w).all(dim=0).any():
        with pytest.raises(ValueError, match="every weight is zero"):
            psis.k_hat(log_w)
        return
    smoothed, k = psis.smooth(log_w)
    assert not torch.isnan(k).any()
    assert not torch.isnan(smoothed).any()
    assert (smoothed <= log_w.amax(dim=0)).all()
    assert (psis.k_hat(log_w + 0.0) == k).all()


@pytest.mark.parametrize(
    ("log_w", "rule"),
    [
        (torch.tensor([0.0, math.nan] * 20), "NaN"),
        (torch.tensor([0.0, math.inf] * 20), "inf"),
        (torch.zeros(0), "at least one sample"),
        (torch.zeros(30, dtype=torch.int32), "floating-point"),
    ],
)
def test_impossible_log_weights_are_refused(log_w, rule):
    for function in (psis.k_hat, psis.smooth):
        with pytest.raises(ValueError, match=rule):
            function(log_w)
