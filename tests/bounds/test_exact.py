"""Expected bounds without noise, against sums over every outcome and against random draws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support import assert_mean

from iwae_core.bounds.exact import expected_bound
from iwae_core.bounds.objectives import iwae
from iwae_core.rng import make_generator


@given(
    low=st.floats(-80, 80), gap=st.floats(0, 60), share=st.floats(0.01, 0.99), K=st.integers(1, 40)
)
def test_two_values_give_the_binomial_sum(low, gap, share, K):
    log_w = torch.tensor([low, low + gap], dtype=torch.float64)
    found = expected_bound(
        log_w, torch.tensor([1 - share, share], dtype=torch.float64), [K]
    ).item()
    exact = sum(
        stats.binom.pmf(n, K, share) * math.log(((K - n) * math.exp(-gap) + n) / K)
        for n in range(K + 1)
    )
    assert found == pytest.approx(low + gap + exact, abs=1e-10)


def test_it_is_the_mean_of_the_bound_over_draws():
    log_w = torch.tensor([-3.0, 0.5, 2.0], dtype=torch.float64)
    p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    picks = torch.multinomial(p, 7 * 20_000, replacement=True, generator=make_generator(0))
    # spread 0.35: a difference of 0.025 nat is found
    assert_mean(iwae(log_w[picks].reshape(7, -1)), expected_bound(log_w, p, [7]).item())


def test_a_zero_weight_makes_the_expectation_minus_infinity():
    log_w = torch.tensor([0.0, -math.inf])
    assert expected_bound(log_w, torch.tensor([0.9, 0.1]), [1, 5]).tolist() == [-math.inf] * 2
    never = expected_bound(log_w, torch.tensor([1.0, 0.0]), [1, 5])
    torch.testing.assert_close(never, torch.zeros(2).double(), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("log_w", "p", "sizes", "rule"),
    [
        (torch.zeros(2), torch.tensor([0.5, 0.4]), [1], "sum to one, got sum 0.9"),
        (torch.zeros(2), torch.tensor([1.5, -0.5]), [1], "non-negative"),
        (torch.zeros(2), torch.tensor([math.nan, 0.5]), [1], "non-negative"),
        (torch.zeros(2), torch.ones(3) / 3, [1], "one length"),
        (torch.zeros(2, 1), torch.ones(2, 1) / 2, [1], "one length"),
        (torch.zeros(2), torch.ones(2) / 2, [0], r"at least 1, got \[0\]"),
        (torch.zeros(2), torch.ones(2) / 2, [], "at least 1"),
        (torch.tensor([0.0, math.nan]), torch.ones(2) / 2, [1], "NaN"),
    ],
)
def test_what_is_no_distribution_is_refused(log_w, p, sizes, rule):
    with pytest.raises(ValueError, match=rule):
        expected_bound(log_w, p, sizes)
