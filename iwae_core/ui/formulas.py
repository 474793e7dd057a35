"""Densities and integrands as the browser's formulas read them (assets/components/weights.js)."""

import math
from functools import singledispatch
from typing import Any

import torch

from iwae_core.sampling.densities import (
    Exponential,
    Laplace,
    Mixture,
    Normal,
    Scaled,
    StudentT,
    Tabulated,
    Truncated,
    Uniform,
    Univariate,
)
from iwae_core.sampling.integrands import Exceeds, Integrand, Power, Tilt

Described = dict[str, Any]


@singledispatch
def density(made: Univariate) -> Described:
    """Describe a density of the line.

    Raises:
        ValueError: If the browser has no formula for it.
    """
    raise ValueError(f"weights.js has no formula for {type(made).__name__}")


@density.register
def _(made: Normal) -> Described:
    return {"family": "normal", "loc": made.loc, "scale": made.scale}


@density.register
def _(made: StudentT) -> Described:
    at_center = StudentT(0.0, 1.0, made.df).log_prob(torch.zeros((), dtype=torch.float64))
    return {
        "family": "student_t",
        "loc": made.loc,
        "scale": made.scale,
        "df": made.df,
        "log_constant": at_center.item(),
    }


@density.register
def _(made: Laplace) -> Described:
    return {"family": "laplace", "loc": made.loc, "scale": made.scale}


@density.register
def _(made: Uniform) -> Described:
    return {"family": "uniform", "loc": made.mean, "scale": 0.5 * (made.high - made.low)}


@density.register
def _(made: Exponential) -> Described:
    return {"family": "exponential", "loc": made.loc, "scale": made.scale}


@density.register
def _(made: Truncated) -> Described:
    inside = torch.tensor(made.mean, dtype=torch.float64)
    return {
        "family": "truncated",
        "low": finite(made.low),
        "high": finite(made.high),
        "log_factor": (made.log_prob(inside) - made.base.log_prob(inside)).item(),
        "base": density(made.base),
    }


@density.register
def _(made: Tabulated) -> Described:
    return {"family": "curve", "low": made.grid[0], "high": made.grid[-1], "heights": made.heights}


@density.register
def _(made: Scaled) -> Described:
    return {
        "family": "scaled",
        "log_factor": made.log_scale,
        "base": density(made.base),
    }


@density.register
def _(made: Mixture) -> Described:
    return {
        "family": "mixture",
        "weights": list(made.weights),
        "components": [density(component) for component in made.components],
    }


@singledispatch
def integrand(made: Integrand) -> Described:
    """Describe a function whose mean is asked for.

    Raises:
        ValueError: If the browser has no formula for it.
    """
    raise ValueError(f"weights.js has no formula for {type(made).__name__}")


@integrand.register
def _(made: Power) -> Described:
    return {"kind": "power", "degree": made.degree}


@integrand.register
def _(made: Exceeds) -> Described:
    return {"kind": "exceeds", "threshold": made.threshold}


@integrand.register
def _(made: Tilt) -> Described:
    return {"kind": "tilt", "rate": made.rate}


def finite(value: float) -> float | None:
    """A number for JSON, which knows no infinity: None where there is none to write."""
    return value if math.isfinite(value) else None
