"""Drawings: exact moments against closed forms, and strings that come back as they were."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support import assert_mean

from iwae_core.rng import make_generator
from iwae_core.sampling.densities import drawn
from iwae_core.sampling.divergences import kl_divergence
from iwae_core.sampling.integrands import Tilt
from iwae_core.sampling.problems import make_problem

SOME = st.lists(st.floats(0, 1e6), min_size=2, max_size=64).filter(lambda h: max(h) > 0)


def test_a_ramp_has_the_moments_of_a_triangle():
    # Heights 0, 1 on [-6, 6]: density (z + 6) / 72, mean 2, variance 12^2 / 18 = 8.
    ramp = drawn.from_code(drawn.encode([0.0, 7.0]))
    assert ramp.mean == pytest.approx(2.0, rel=1e-12)
    assert ramp.variance == pytest.approx(8.0, rel=1e-12)
    z = torch.tensor([-7.0, -6.0, 0.0, 3.0, 6.0], dtype=torch.float64)
    np.testing.assert_allclose(ramp.log_prob(z).exp(), [0, 0, 6 / 72, 9 / 72, 12 / 72], atol=1e-15)
    # P(z < t) = (t + 6)^2 / 144, so the quantile of u is 12 sqrt(u) - 6.
    u = torch.tensor([0.01, 0.3, 0.9], dtype=torch.float64)
    np.testing.assert_allclose(ramp.icdf(u), 12 * u.sqrt() - 6, rtol=1e-12)


def test_draws_of_a_drawing_follow_it():
    # Kolmogorov-Smirnov on 20,000 draws: false alarm 1e-7, finds a CDF off by 0.03 surely.
    shape = drawn.from_code("AAAAcz_zcAAABGQ_QGBAAA")
    z = shape.sample((20_000,), make_generator(3), torch.float64)
    assert stats.kstest(shape.cdf(z).numpy(), "uniform").pvalue > 1e-7
    assert_mean(z, shape.mean)
    at = np.linspace(drawn.LOW, drawn.HIGH, 200_001)
    by_hand = np.interp(at, drawn.knots(22), drawn.decode("AAAAcz_zcAAABGQ_QGBAAA"))
    mean = (at * by_hand).sum() / by_hand.sum()
    assert shape.mean == pytest.approx(mean, abs=1e-6)


@given(heights=SOME)
def test_a_string_keeps_each_height_to_half_a_level_and_the_support(heights):
    code = drawn.encode(heights)
    assert len(code) == len(heights)
    back = np.array(drawn.decode(code))
    true = np.array(heights) / max(heights)
    # Only what is pulled up from zero may be off by more than half a level.
    assert (np.abs(back - true) <= np.where(true * 63 < 0.5, 1.0, 0.5 + 1e-9) / 63).all()
    np.testing.assert_array_equal(back > 0, np.array(heights) > 0)  # the ratio may underflow
    assert drawn.encode(back.tolist()) == code


@given(st.text(drawn.ALPHABET, min_size=2, max_size=64).filter(lambda c: "_" in c))
def test_every_string_with_a_full_height_is_the_string_of_its_drawing(code):
    assert drawn.encode(drawn.decode(code)) == code
    shape = drawn.from_code(code)
    assert math.isfinite(shape.mean)
    assert 0 < shape.variance <= 36  # of anything on [-6, 6]


def test_a_drawing_is_a_target_with_exact_answers():
    # A flat drawing is Uniform(-6, 6): E exp(z / 2) = sinh(3) / 3.
    from iwae_core.sampling.densities import Normal, Uniform

    flat = drawn.from_code("_" * drawn.N_KNOTS)
    asked = make_problem(flat, Normal(0.5, 4.0), Tilt(0.5))
    assert asked.exact == pytest.approx(math.sinh(3) / 3, rel=1e-9)
    same = make_problem(Uniform(-6.0, 6.0), Normal(0.5, 4.0), Tilt(0.5))
    assert asked.second_moment == pytest.approx(same.second_moment, rel=1e-9)
    assert asked.std_of_term == pytest.approx(same.std_of_term, rel=1e-8)
    assert kl_divergence(flat, Uniform(-6.0, 6.0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("heights", "message"),
    [
        ([1.0], "2 to 64 heights, got 1"),
        ([1.0] * 65, "2 to 64 heights, got 65"),
        ([1.0, -1.0], "not negative, got -1"),
        ([1.0, math.nan], "not negative, got nan"),
        ([1.0, math.inf], "not negative, got inf"),
        ([0.0, 0.0], "every height is zero"),
    ],
)
def test_what_cannot_be_drawn_is_refused(heights, message):
    with pytest.raises(ValueError, match=message):
        drawn.encode(heights)


@pytest.mark.parametrize(
    ("code", "message"),
    [("_", "got 1"), ("A" * 8, "every height is zero"), ("A_é", "got 'é'"), ("A_ A", "got ' '")],
)
def test_a_broken_string_is_refused(code, message):
    with pytest.raises(ValueError, match=message):
        drawn.decode(code)
