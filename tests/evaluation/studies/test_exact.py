"""Exact answers, each against a closed form or a brute-force sum."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae_core.evaluation.studies import exact
from iwae_core.sampling.densities import (
    Exponential,
    Laplace,
    Mixture,
    Normal,
    Scaled,
    StudentT,
    Tabulated,
    Uniform,
)
from iwae_core.sampling.divergences import log_second_moment
from iwae_core.sampling.integrands import Exceeds, Power, Tilt


def test_the_mean_size_of_a_normal_is_the_folded_normal():
    m, s = 0.7, 1.3
    folded = s * math.sqrt(2 / math.pi) * math.exp(-(m**2) / (2 * s**2))
    folded += m * (1 - 2 * stats.norm.cdf(-m / s))
    assert exact.mean_size(Normal(m, s), Power(1)) == pytest.approx(folded, rel=1e-10)
    assert exact.mean_size(Scaled(Normal(m, s), 2.0), Power(1)) == pytest.approx(folded, rel=1e-10)
    # Where f is not negative its size is itself.
    assert exact.mean_size(Normal(m, s), Power(2)) == pytest.approx(m**2 + s**2, rel=1e-10)


@pytest.mark.parametrize("f", [Power(0), Power(1), Power(2), Exceeds(0.4), Tilt(0.5)])
@pytest.mark.parametrize(
    ("p", "q"),
    [
        (Normal(1.0, 1.0), Normal(0.5, 1.5)),
        (Laplace(-0.5, 0.7), StudentT(0.3, 1.0, 3.0)),
        (Uniform(-1.0, 2.0), Normal(0.2, 1.0)),
        (Scaled(Normal(1.0, 1.0), 0.6), Normal(0.5, 1.5)),
    ],
)
def test_the_weighted_square_equals_a_plain_sum(p, q, f):
    edges = torch.linspace(-40, 40, 1_600_001, dtype=torch.float64)
    z = 0.5 * (edges[1:] + edges[:-1])
    brute = (f(z) * torch.exp(2 * p.log_prob(z) - q.log_prob(z))).sum().item() * 5e-5
    assert exact.weighted_square(p, q, f) == pytest.approx(brute, rel=1e-4)


def test_the_weighted_square_of_a_square_is_the_second_moment():
    p, q = Normal(1.0, 1.0), Normal(0.5, 1.2)
    found = exact.weighted_square(p, q, Power(2))
    assert found == pytest.approx(math.exp(log_second_moment(p, q, Power(1))), rel=1e-9)
    assert exact.weighted_square(p, Normal(1.0, 0.7), Power(1)) == math.inf
    assert exact.weighted_square(p, Uniform(0.0, 1.0), Power(1)) == math.inf


def test_the_spread_of_the_log_weight_has_a_closed_form_for_a_shift():
    # Equal scales, d apart: log w = -d (z - mu_p) + const, of standard deviation |d| under p.
    p, q = Normal(1.0, 2.0), Normal(4.0, 2.0)
    assert exact.log_weight_spread(p, q) == pytest.approx(1.5, rel=1e-10)
    assert exact.log_weight_spread(Scaled(p, 3.0), q) == pytest.approx(1.5, rel=1e-10)
    # Scales alone: log w = (z^2 / 2)(1 / s^2 - 1) + const, Var z^2 = 2.
    narrow = exact.log_weight_spread(Normal(0.0, 1.0), Normal(0.0, 0.5))
    assert narrow == pytest.approx(3 / math.sqrt(2), rel=1e-10)
    # A Normal q under a Student t needs the fourth moment.
    assert exact.log_weight_spread(StudentT(0.0, 1.0, 4.0), Normal()) == math.inf
    assert math.isfinite(exact.log_weight_spread(StudentT(0.0, 1.0, 4.5), Normal()))
    assert exact.log_weight_spread(Normal(), Uniform(-1.0, 1.0)) == math.inf


def test_the_largest_weight_of_normals_sits_where_calculus_says():
    # log w = -z^2/2 + (z - m)^2 / (2 s^2) + log s, stationary at z = -m / (s^2 - 1).
    m, s = 0.8, 1.6
    z = -m / (s**2 - 1)
    top = -(z**2) / 2 + (z - m) ** 2 / (2 * s**2) + math.log(s)
    assert exact.largest_log_weight(Normal(), Normal(m, s)) == pytest.approx(top, abs=1e-9)
    assert exact.largest_log_weight(Normal(), Normal()) == 0
    assert exact.largest_log_weight(Normal(), Normal(0.1, 1.0)) == math.inf
    assert exact.largest_log_weight(Normal(), Normal(0.0, 0.99)) == math.inf
    assert exact.largest_log_weight(Normal(), Uniform(-3.0, 3.0)) == math.inf
    assert exact.largest_log_weight(Uniform(0.0, 2.0), Uniform(-1.0, 3.0)) == pytest.approx(
        math.log(2)
    )
    assert exact.largest_log_weight(Normal(), Tabulated((-9.0, 0.0, 9.0), (1, 0, 1))) == math.inf
    # Tails of one order: the limit is approached from below and never passed.
    wide = exact.largest_log_weight(StudentT(0.0, 1.0, 3.0), StudentT(0.0, 2.0, 3.0))
    assert wide == pytest.approx(math.log(2))


def test_intervals_of_heavy_weights_are_where_the_weights_are_heavy():
    p = Mixture((Normal(0.0, 1.0), Normal(5.0, 0.5)), (0.9, 0.1))
    q = Normal(0.0, 1.25)
    pieces = exact.heavy_intervals(p, q, math.log(50))
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    heavy = (p.log_prob(z) - q.log_prob(z) >= math.log(50)).numpy()
    named = np.zeros(len(z), dtype=bool)
    for low, high in pieces:
        named |= (z.numpy() >= low) & (z.numpy() <= high)
    assert (heavy == named).all()
    chance = exact.probability_where(q, pieces)
    brute = (q.log_prob(z).exp().numpy() * heavy).sum() * (24 / 200_000)
    assert chance == pytest.approx(brute, rel=1e-3)
    mean = (z.numpy() * p.log_prob(z).exp().numpy() * heavy).sum() * (24 / 200_000)
    assert exact.integrate_where(p, Power(1), pieces) == pytest.approx(mean, rel=1e-3)


def test_intervals_may_be_infinite_everywhere_or_nowhere():
    # A q of half the scale: log w = 3 z^2 / 2 - log 2, at least zero beyond sqrt(2 log 2 / 3).
    left, right = exact.heavy_intervals(Normal(), Normal(0.0, 0.5), 0.0)
    end = math.sqrt(2 * math.log(2) / 3)
    assert left == (-math.inf, pytest.approx(-end))
    assert right == (pytest.approx(end), math.inf)
    beyond = exact.probability_where(Normal(0.0, 0.5), (left, right))
    assert beyond == pytest.approx(2 * stats.norm.sf(2 * end), rel=1e-9)
    assert exact.heavy_intervals(Normal(), Normal(), -1.0) == ((-math.inf, math.inf),)
    assert exact.heavy_intervals(Normal(), Normal(), 1.0) == ()
    assert exact.probability_where(Normal(), ()) == 0
    one_sided = exact.heavy_intervals(Exponential(0.0, 2.0), Exponential(0.0, 1.0), 0.0)
    assert one_sided[0][0] == pytest.approx(2 * math.log(2))
    assert one_sided[0][1] == math.inf
