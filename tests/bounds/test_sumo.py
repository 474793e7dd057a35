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
