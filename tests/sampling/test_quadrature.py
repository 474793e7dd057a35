"""Quadrature against closed forms, and its own statement of its error."""

import math

import pytest
import torch

from iwae_core.sampling.quadrature import integrate, log_integrate


@pytest.mark.parametrize(
    ("function", "edges", "exact"),
    [
        (lambda z: z**3 - z, [-1.0, 2.0], 2.25),
        (
            lambda z: torch.exp(-0.5 * (z - 3) ** 2),
            [-math.inf, 0.0, math.inf],
            math.sqrt(2 * math.pi),
        ),
        (lambda z: 1 / (1 + z**2), [1.0, math.inf], math.pi / 4),
        (lambda z: z.clamp(min=0).sqrt(), [0.0, 4.0], 16 / 3),
        (lambda z: torch.sin(40 * z), [0.0, 1.0], (1 - math.cos(40)) / 40),
        (lambda z: (z > 0.3).double(), [0.0, 0.3, 1.0], 0.7),
    ],
)
def test_quadrature_is_exact_and_its_error_estimate_holds(function, edges, exact):
    value, error = integrate(function, edges)
    assert abs(value - exact) <= error + 1e-15
    assert error < 1e-9


def test_quadrature_on_the_log_scale_survives_any_height_and_finds_a_far_peak():
    for height, center in [(-3000.0, 2.0), (3000.0, -40_000.0)]:
        value, error = log_integrate(
            lambda z, h=height, c=center: h - 0.5 * (z - c) ** 2,
            [-math.inf, -1e5, -1.0, 1.0, 10.0, math.inf],
        )
        assert value == pytest.approx(height + 0.5 * math.log(2 * math.pi), abs=1e-9)
        assert error < 1e-9
    nowhere = log_integrate(lambda z: torch.full_like(z, -math.inf), [0.0, 1.0])
    assert nowhere == (-math.inf, 0.0)


@pytest.mark.parametrize(
    ("edges", "rule"),
    [
        ([1.0], "two increasing"),
        ([1.0, 0.0], "increasing"),
        ([-math.inf, math.inf], "finite edge"),
    ],
)
def test_quadrature_refuses_edges_that_do_not_increase(edges, rule):
    with pytest.raises(ValueError, match=rule):
        integrate(lambda z: z, edges)


def test_quadrature_refuses_a_function_that_is_not_finite():
    with pytest.raises(ValueError, match="not finite"):
        integrate(lambda z: 1 / (z - z), [0.0, 1.0])


@pytest.mark.parametrize(
    ("log_function", "edges", "rule"),
    [
        (lambda z: -(z**2), [0.0, math.inf], "at least two finite numbers"),
        (lambda z: -(z**2), [1.0, 0.0], "increasing"),
        (lambda z: z / 0, [-1.0, 2.0], r"NaN or \+inf at"),
    ],
)
def test_quadrature_on_the_log_scale_says_what_it_cannot_integrate(log_function, edges, rule):
    with pytest.raises(ValueError, match=rule):
        log_integrate(log_function, edges)
