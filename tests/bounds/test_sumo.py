"""SUMO: the identity that makes it unbiased, exactly, and its mean over draws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import assert_mean

from iwae_core.bounds.objectives import iwae
from iwae_core.bounds.sumo import Sumo
from iwae_core.rng import make_generator, standard_normal


@given(
    log_w=hnp.arrays(float, st.integers(3, 30), elements=st.floats(-50, 50)).map(torch.from_numpy),
    n_base=st.integers(1, 2),
    tail_start=st.integers(1, 12),
    tail_ratio=st.floats(0.3, 0.95),
)
def test_averaging_over_the_stopping_time_gives_the_bound_on_all_samples(
    log_w, n_base, tail_start, tail_ratio
):
    # Fix the weights and sum over T by its probabilities, stopping at the last weight: the
    # roulette's factors must cancel to L_K, whatever the weights. This is unbiasedness itself.
    sumo = Sumo(n_base, tail_start, tail_ratio)
    n_steps = len(log_w) - n_base
    reached = sumo.survival(torch.arange(1, n_steps + 1))
    probability = reached - torch.cat([reached[1:], torch.zeros(1)])
    values = torch.stack([sumo(log_w, torch.tensor(n_base + t)) for t in range(1, n_steps + 1)])
    torch.testing.assert_close((probability * values).sum(), iwae(log_w), rtol=1e-9, atol=1e-9)


def test_stopping_times_follow_their_survival_function():
    sumo = Sumo(n_base=2, tail_start=10, tail_ratio=0.8)
    steps = sumo.draw_n_samples((100_000,), make_generator(0)) - 2
    assert steps.min() == 1
    for t in (2, 5, 10, 11, 14):
        expected = 1 / t if t <= 10 else 0.1 * 0.8 ** (t - 10)
        assert sumo.survival(torch.tensor(t)).item() == pytest.approx(expected)
        assert_mean((steps >= t).double(), expected)


def test_the_mean_over_draws_is_log_p_where_the_bound_is_far_below():
    # Target N(0, 1) e^-2.5, proposal N(0.6, 1.3^2): E[L_1] is 0.26 below. The variance is
    # infinite through steps beyond the 300th, so the tail starts late here: about 33 of 10,000
    # draws reach it. Spread near 1.4, so a bias of 0.14 nat, half of what is to be removed, is
    # found.
    sumo = Sumo(tail_start=300)
    generator = make_generator(3)
    n_samples = sumo.draw_n_samples((10_000,), generator)
    eps = standard_normal((int(n_samples.max()), 10_000), generator, torch.float64)
    log_w = -2.5 - 0.5 * (0.6 + 1.3 * eps) ** 2 + 0.5 * eps**2 + math.log(1.3)
    estimates = sumo(log_w, n_samples)
    assert_mean(estimates, -2.5)
    assert estimates.std() < 2
    assert log_w[0].mean() < -2.7


def test_float32_weights_of_large_images_lose_nothing():
    # Multiples of 1/256 keep all their bits beside 8192 in float32, whose own step is 0.001 there.
    # The 119th step is multiplied by 4,900: differences taken in float32 were up to 1.8 nats off.
    log_w = torch.round(512 * standard_normal((150, 200), make_generator(6))) / 256
    n_samples = torch.full((200,), 120)
    exact = Sumo()(log_w.double(), n_samples)
    moved = Sumo()(log_w - 8192, n_samples)
    assert moved.dtype is torch.float32
    assert (moved.double() + 8192 - exact).abs().max() < 0.001


def test_the_gradient_is_that_of_the_same_sum():
    log_w = standard_normal((20, 3), make_generator(7)).requires_grad_()
    counts, sumo = torch.tensor([2, 9, 20]), Sumo()
    (found,) = torch.autograd.grad(sumo(log_w, counts).sum(), log_w)
    wide = log_w.detach().double().requires_grad_()
    t = torch.arange(1, 20)
    total = iwae(wide[:1]).sum()
    for b, n in enumerate(counts.tolist()):
        for k in range(2, n + 1):
            step = iwae(wide[:k, b]) - iwae(wide[: k - 1, b])
            total = total + step / sumo.survival(t)[k - 2]
    (expected,) = torch.autograd.grad(total, wide)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


def test_a_larger_base_has_less_spread():
    eps = standard_normal((400, 4000), make_generator(4), torch.float64)
    log_w = -0.5 * (0.6 + 1.3 * eps) ** 2 + 0.5 * eps**2
    spread = []
    for n_base in (1, 20):
        sumo = Sumo(n_base, tail_start=300)
        n_samples = sumo.draw_n_samples((4000,), make_generator(5)).clamp(max=400)
        spread.append(sumo(log_w, n_samples).std().item())
    assert spread[1] < 0.75 * spread[0]


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: Sumo(n_base=0), "n_base and tail_start must be at least 1, got 0"),
        (lambda: Sumo(tail_ratio=1.0), r"tail_ratio must lie in \(0, 1\), got 1.0"),
        (lambda: Sumo(tail_ratio=math.nan), "tail_ratio"),
        (lambda: Sumo()(torch.zeros(4, 2), torch.tensor([2])), "batch shape"),
        (lambda: Sumo()(torch.zeros(4, 2), torch.tensor([2, 5])), r"lie in \(1, 4\]"),
        (lambda: Sumo()(torch.zeros(4, 2), torch.tensor([1, 3])), r"got 1 to 3"),
        (lambda: Sumo()(torch.tensor([-math.inf, 0.0]), torch.tensor(2)), "first 1 weights"),
        (lambda: Sumo()(torch.tensor([0.0, math.nan]), torch.tensor(2)), "NaN"),
    ],
)
def test_misuse_is_refused(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()
