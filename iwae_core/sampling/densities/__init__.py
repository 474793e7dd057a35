"""Densities to sample from and to aim at; one import place for all of them."""

from iwae_core.sampling.densities.base import Density, Tail, Univariate
from iwae_core.sampling.densities.combined import Mixture, Scaled, Truncated
from iwae_core.sampling.densities.univariate import (
    Exponential,
    Laplace,
    Normal,
    StudentT,
    Uniform,
)

__all__ = [
    "Density",
    "Exponential",
    "Laplace",
    "Mixture",
    "Normal",
    "Scaled",
    "StudentT",
    "Tail",
    "Truncated",
    "Uniform",
    "Univariate",
]
