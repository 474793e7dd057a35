"""The weights' measures, against hand-computed numbers and against plain NumPy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling import weights

log_weights = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=9),
    elements=st.floats(-900, 900),
).map(torch.from_numpy)


def test_two_weights_give_the_numbers_computed_by_hand():
    log_w = torch.tensor([0.0, 2.0], dtype=torch.float64)
    w = np.array([1.0, math.e**2])
    assert weights.log_mean_exp(log_w).item() == pytest.approx(1.43378083, abs=1e-8)
    assert weights.ess(log_w).item() == pytest.approx(1.26580, abs=1e-5)
    assert weights.max_weight(log_w).item() == pytest.approx(w[1] / w.sum())
    share = w / w.sum()
    entropy = -(share * np.log(share)).sum()
    assert weights.perplexity(log_w).item() == pytest.approx(math.exp(entropy))
    np.testing.assert_allclose(weights.normalize(log_w), share)


@given(log_w=log_weights)
def test_measures_stay_between_one_draw_and_all_draws(log_w):
    K = log_w.shape[0]
    slack = 1e-9 * K
    ess, perplexity = weights.ess(log_w), weights.perplexity(log_w)
    assert ess.shape == log_w.shape[1:]
    assert (ess >= 1 - slack).all()
    assert (ess <= perplexity * (1 + 1e-9)).all()
    assert (perplexity <= K + slack).all()
    assert (weights.max_weight(log_w) * ess >= 1 - slack).all()


@given(log_w=log_weights, shift=st.floats(-500, 500))
def test_a_constant_factor_moves_the_mean_and_nothing_else(log_w, shift):
    moved = log_w + shift
    torch.testing.assert_close(
        weights.log_mean_exp(moved), weights.log_mean_exp(log_w) + shift, rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(weights.ess(moved), weights.ess(log_w), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(
        weights.normalize(moved), weights.normalize(log_w), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("measure", [weights.ess, weights.perplexity, weights.max_weight])
@pytest.mark.parametrize("shift", [-8192.0, 8192.0])
def test_log_densities_of_large_images_cost_float32_no_digit(measure, shift):
    # Multiples of 1/256 keep all their bits beside 8192 in float32, so the weights are the same.
    log_w = torch.tensor([0.0, 1.25, -0.5, 2.75, 2.5, -3.0, 0.125] * 7)
    exact = measure(log_w.double())
    torch.testing.assert_close(measure(log_w + shift).double(), exact, rtol=2e-6, atol=0)


@pytest.mark.parametrize("measure", [weights.ess, weights.perplexity, weights.max_weight])
def test_a_hundred_thousand_weights_keep_float32s_digits(measure):
    log_w = 2 * standard_normal((100_000, 2), make_generator(0)) - 90
    torch.testing.assert_close(measure(log_w).double(), measure(log_w.double()), rtol=3e-6, atol=0)


def test_zero_weights_count_as_samples():
    log_w = torch.tensor([0.0, -math.inf, -math.inf, -math.inf])
    assert weights.log_mean_exp(log_w).item() == pytest.approx(-math.log(4))
    assert weights.ess(log_w).item() == pytest.approx(1.0)
    assert weights.perplexity(log_w).item() == pytest.approx(1.0)
    assert weights.max_weight(log_w).item() == pytest.approx(1.0)


@pytest.mark.parametrize("measure", [weights.ess, weights.perplexity, weights.max_weight])
@pytest.mark.parametrize(
    ("log_w", "rule"),
    [
        (torch.tensor([0.0, math.nan]), "NaN"),
        (torch.tensor([0.0, math.inf]), "inf"),
        (torch.full((3, 2), -math.inf), "every weight is zero"),
        (torch.zeros(0, 2), "at least one sample"),
        (torch.tensor(0.0), "at least one sample"),
        (torch.zeros(3, dtype=torch.int64), "floating-point"),
    ],
)
def test_impossible_log_weights_are_refused(measure, log_w, rule):
    with pytest.raises(ValueError, match=rule):
        measure(log_w)


@pytest.mark.parametrize("measure", [weights.ess, weights.perplexity, weights.max_weight])
def test_a_weight_of_zero_leaves_a_gradient_that_is_a_number(measure):
    # Zero by its density, and zero beside the largest (e^-1000): both leave w log w at 0 log 0.
    for lost in (-math.inf, -1000.0):
        log_w = torch.tensor([0.0, 1.0, lost], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(measure(log_w), log_w)
        without = log_w.detach()[:2].requires_grad_()
        (expected,) = torch.autograd.grad(measure(without), without)
        torch.testing.assert_close(gradient, torch.cat([expected, torch.zeros(1).double()]))


@pytest.mark.parametrize("values", [np.zeros(3), [0.0, 1.0], 1.0])
def test_what_is_no_tensor_is_refused_with_the_way_out(values):
    with pytest.raises(ValueError, match=r"must be a torch tensor, got \w+: .*as_tensor"):
        weights.ess(values)
