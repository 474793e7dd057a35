r"""Debiased estimates against plain enumeration, and their bias against noise-free expectations.

The oracle is one-dimensional: target N(0, 1) with log p(x) = -2.5, proposal N(0.6, 1.3^2).
"""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import assert_mean

from iwae_core.bounds.debias import Jackknife, delta_method, sharot_coefficients
from iwae_core.bounds.exact import expected_bound
from iwae_core.bounds.objectives import iwae, sample_shares
from iwae_core.rng import make_generator, standard_normal

LOC, SCALE, LOG_Z = 0.6, 1.3, -2.5


def gaussian_log_w(eps):
    z = LOC + SCALE * eps
    return LOG_Z - 0.5 * z**2 + 0.5 * eps**2 + math.log(SCALE)


def expected_bias(sizes):
    eps = torch.linspace(-11, 11, 1201, dtype=torch.float64)
    mass = torch.exp(-0.5 * eps**2)
    return expected_bound(gaussian_log_w(eps), mass / mass.sum(), sizes) - LOG_Z


def by_enumeration(log_w, order):
    K = len(log_w)
    coefficients = sharot_coefficients(K, order)
    means = [
        torch.stack([iwae(log_w[list(kept)]) for kept in itertools.combinations(range(K), K - j)])
        for j in range(order + 1)
    ]
    return sum(c * bounds.mean(dim=0) for c, bounds in zip(coefficients, means, strict=True))


def test_order_one_is_the_textbook_jackknife_by_hand():
    # K L_K - (K - 1) mean leave-one-out, with log_w = [0, 2]: 2 * 1.4337808 - (0 + 2) / 2
    log_w = torch.tensor([0.0, 2.0], dtype=torch.float64)
    assert Jackknife(1)(log_w).item() == pytest.approx(2 * 1.4337808304830272 - 1, abs=1e-12)
    assert delta_method(log_w).item() == pytest.approx(
        1.4337808304830272 + ((math.e**2 - 1) ** 2 / 2) / (4 * ((1 + math.e**2) / 2) ** 2)
    )


@pytest.mark.parametrize("K", [2, 5, 64])
@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_coefficients_sum_to_one_and_cancel_the_first_powers(K, order):
    if order >= K:
        return
    c = sharot_coefficients(K, order)
    for power in range(order + 1):
        # sum_j c_j / (K - j)^p is 1 for p = 0 and 0 for p = 1 .. m
        total = math.fsum(cj / (K - j) ** power for j, cj in enumerate(c))
        scale = max(abs(cj) / (K - j) ** power for j, cj in enumerate(c))
        assert total == pytest.approx(float(power == 0), abs=1e-13 * scale)


@given(
    log_w=hnp.arrays(
        float,
        st.tuples(st.integers(5, 8), st.integers(1, 2)),
        elements=st.floats(-900, 900),
    ).map(torch.from_numpy),
    order=st.integers(0, 4),
)
def test_it_equals_enumeration_even_where_one_weight_dwarfs_the_rest(log_w, order):
    # log weights 1800 nats apart: "total minus left out" would give log 0
    found, expected = Jackknife(order)(log_w), by_enumeration(log_w, order)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-8)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_each_order_of_the_jackknife_gains_a_power_of_K(order):
    # Exact expectations: E[Jackknife] is the same combination of E[L_K] .. E[L_{K-m}]. Rounding
    # in E[L_K] is about 1e-14 and grows by K^m / m!, so K stays where the bias is far above it.
    sizes = [16, 32, 64]
    biases = []
    for K in sizes:
        expected = expected_bias([K - j for j in range(order + 1)]).tolist()
        c = sharot_coefficients(K, order)
        biases.append(math.fsum(a * b for a, b in zip(c, expected, strict=True)))
    slopes = [math.log2(abs(b / a)) for a, b in itertools.pairwise(biases)]
    assert slopes[-1] == pytest.approx(-(order + 1), abs=0.3)
    # and it approaches the integer
    assert abs(slopes[-1] + order + 1) < abs(slopes[0] + order + 1)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_the_jackknife_has_that_expectation(order):
    # At K = 6 the biases are -0.026, 0.0030, -0.0007 ..; the spread over draws is 0.24, so 40,000
    # draws find an error of 0.012 -- an order that is really another one's value.
    K, n = 6, 40_000
    log_w = gaussian_log_w(standard_normal((K, n), make_generator(order), torch.float64))
    c = sharot_coefficients(K, order)
    expected = expected_bias([K - j for j in range(order + 1)]).tolist()
    exact = LOG_Z + math.fsum(a * b for a, b in zip(c, expected, strict=True))
    assert_mean(Jackknife(order)(log_w), exact)


def test_the_delta_method_removes_the_first_order():
    # With common draws the correction's mean is seen sharply: at K = 40 the bias of L_K is
    # -0.00346; delta leaves O(K^-2), below 3e-4. Spread of the correction 0.001, n = 20,000.
    K = 40
    log_w = gaussian_log_w(standard_normal((K, 20_000), make_generator(7), torch.float64))
    correction = delta_method(log_w) - iwae(log_w)
    assert_mean(correction, -expected_bias([K]).item(), allowance=3e-4)
    assert correction.mean() > 0.003


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_constant_weights_stay_what_they_are_and_shares_sum_to_one(order):
    log_w = torch.full((9, 2), -740.25)
    torch.testing.assert_close(Jackknife(order)(log_w), log_w[0])
    torch.testing.assert_close(delta_method(log_w), log_w[0])
    noisy = gaussian_log_w(standard_normal((9, 2), make_generator(1), torch.float64))
    shares = sample_shares(Jackknife(order), noisy)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(2).double())
    step = torch.zeros_like(noisy)
    step[3] = 1e-5
    slope = (Jackknife(order)(noisy + step) - Jackknife(order)(noisy - step)) / 2e-5
    torch.testing.assert_close(shares[3], slope, rtol=1e-4, atol=1e-6)


def test_float32_weights_lose_nothing_to_the_large_coefficients():
    log_w = gaussian_log_w(standard_normal((30, 3), make_generator(2), torch.float32))
    fine = Jackknife(4)(log_w.double())
    assert Jackknife(4)(log_w).dtype == torch.float32
    torch.testing.assert_close(Jackknife(4)(log_w).double(), fine, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: Jackknife(5), "order must be an integer from 0 to 4, got 5"),
        (lambda: Jackknife(-1), "got -1"),
        (lambda: Jackknife(1.5), "got 1.5"),
        (lambda: Jackknife(True), "got True"),
        (lambda: Jackknife(2)(torch.zeros(2, 3)), "more than 2 samples, got K = 2"),
        (lambda: Jackknife(4)(torch.zeros(200)), "got K = 200 with 64,684,950"),
        (lambda: Jackknife(1)(torch.tensor([0.0, -math.inf, -math.inf])), "positive weights"),
        (lambda: Jackknife(1)(torch.tensor([0.0, math.nan])), "NaN"),
        (lambda: delta_method(torch.zeros(1, 3)), "at least 2 samples, got K = 1"),
        (lambda: delta_method(torch.full((2,), -math.inf)), "every weight is zero"),
    ],
)
def test_what_cannot_be_debiased_is_refused(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


def test_zero_weights_count_as_samples():
    log_w = torch.tensor([0.3, -math.inf, 1.0, -math.inf, -0.2], dtype=torch.float64)
    torch.testing.assert_close(Jackknife(2)(log_w), by_enumeration(log_w, 2))
    assert torch.isfinite(delta_method(log_w))
