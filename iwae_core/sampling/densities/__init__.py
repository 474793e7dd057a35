"""Densities to sample from and to aim at; one import place for all of them.

:mod:`.drawn` makes one from heights that a hand has drawn.
"""

from iwae_core.sampling.densities.base import Density, Tail, Univariate
from iwae_core.sampling.densities.combined import Mixture, defensive_mixture
from iwae_core.sampling.densities.derived import Scaled, ScaledMultivariate, Truncated
from iwae_core.sampling.densities.multivariate import (
    Gaussian,
    Multivariate,
    MultivariateMixture,
    Product,
)
from iwae_core.sampling.densities.shapes import Banana, Funnel, two_modes
from iwae_core.sampling.densities.tabulated import Tabulated
from iwae_core.sampling.densities.univariate import (
    Exponential,
    Laplace,
    Normal,
    StudentT,
    Uniform,
)

__all__ = [
    "Banana",
    "Density",
    "Exponential",
    "Funnel",
    "Gaussian",
    "Laplace",
    "Mixture",
    "Multivariate",
    "MultivariateMixture",
    "Normal",
    "Product",
    "Scaled",
    "ScaledMultivariate",
    "StudentT",
    "Tabulated",
    "Tail",
    "Truncated",
    "Uniform",
    "Univariate",
    "defensive_mixture",
    "two_modes",
]
