"""Means of named integrands against closed forms and scipy."""

import math

import pytest
import torch
from scipy import stats

from iwae_core.sampling.densities import (
    Exponential,
    Laplace,
    Normal,
    Scaled,
    StudentT,
    Uniform,
)
from iwae_core.sampling.divergences import (
    expectation,
)
from iwae_core.sampling.integrands import Exceeds, Power, Tilt

NORMAL = Normal(0.7, 1.2)


@pytest.mark.parametrize(
    ("density", "f", "exact"),
    [
        (NORMAL, Power(3), 0.7**3 + 3 * 0.7 * 1.44),
        (NORMAL, Tilt(-1.5), math.exp(-1.05 + 0.5 * 2.25 * 1.44)),
        (NORMAL, Exceeds(2.0), stats.norm.sf(2.0, 0.7, 1.2)),
        (StudentT(1.0, 2.0, 5.0), Power(2), 1.0 + 4 * 5 / 3),
        (Laplace(0.5, 0.5), Tilt(1.0), math.exp(0.5) / 0.75),
        (Scaled(NORMAL, 3.0), Power(1), 0.7),
        (Exponential(0.0, 2.0), Power(4), 24 * 16.0),
        (StudentT(0.0, 1.0, 1.0), Exceeds(3.0), stats.cauchy.sf(3.0)),
        (Uniform(0.0, 1.0), Tilt(30.0), math.expm1(30) / 30),
    ],
)
def test_expectations_are_exact_within_their_stated_error(density, f, exact):
    value, error = expectation(density, f)
    assert abs(value - exact) <= error + 4e-15 * abs(exact)
    assert error <= 1e-8 * abs(exact)


@pytest.mark.parametrize(
    ("density", "f"),
    [
        (StudentT(0.0, 1.0, 1.0), Power(1)),
        (StudentT(0.0, 1.0, 3.0), Power(3)),
        (Laplace(0.0, 1.0), Tilt(1.0)),
        (Laplace(0.0, 1.0), Tilt(-2.0)),
        (StudentT(0.0, 1.0, 3.0), Tilt(0.1)),
    ],
)
def test_means_that_do_not_exist_are_refused(density, f):
    with pytest.raises(ValueError, match="does not exist"):
        expectation(density, f)


def test_integrands_know_their_values_and_their_logarithms():
    z = torch.tensor([-2.0, 0.5, 3.0], dtype=torch.float64)
    for f in (Power(0), Power(1), Power(2), Exceeds(0.4), Tilt(-0.7)):
        torch.testing.assert_close(f.log_abs(z), f(z).abs().log())
        assert f(z).dtype == torch.float64
        assert hash(f) == hash(type(f)(*[getattr(f, name) for name in f.__slots__]))
    for make in (lambda: Power(-1), lambda: Exceeds(math.nan), lambda: Tilt(math.inf)):
        with pytest.raises(ValueError, match="must"):
            make()
