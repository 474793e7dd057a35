r"""Densities on the line: Normal, Student t, Laplace, exponential and uniform.

All but the last are :math:`z = \mu + \sigma x` with a standard x, so each is written for x alone.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import Tensor

from iwae_core.precision import in_float64
from iwae_core.sampling.densities.base import (
    Tail,
    Univariate,
    check_location,
    check_positive,
    ndtr,
)


@dataclass(frozen=True, slots=True)
class LocationScale(Univariate):
    """A standard density moved to ``loc`` and stretched by ``scale``; symmetric if not said."""

    loc: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_location("loc", self.loc)
        check_positive("scale", self.scale)

    @property
    def mean(self) -> float:
        """The location."""
        return self.loc

    def _log_prob(self, z: Tensor) -> Tensor:
        return self._standard_log_prob((z - self.loc) / self.scale) - math.log(self.scale)

    def _cdf(self, z: Tensor) -> Tensor:
        return self._standard_cdf((z - self.loc) / self.scale)

    def _sf(self, z: Tensor) -> Tensor:
        return self._standard_sf((z - self.loc) / self.scale)

    def _icdf(self, u: Tensor) -> Tensor:
        return self.loc + self.scale * self._standard_icdf(u)

    def _isf(self, u: Tensor) -> Tensor:
        return self.loc + self.scale * self._standard_isf(u)

    def _standard_sf(self, x: Tensor) -> Tensor:
        return self._standard_cdf(-x)

    def _standard_isf(self, u: Tensor) -> Tensor:
        return -self._standard_icdf(u)

    def _standard_log_prob(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _standard_cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _standard_icdf(self, u: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Normal(LocationScale):
    """Normal density with mean ``loc`` and standard deviation ``scale``.

    >>> round(Normal(1.0, 2.0).log_prob(torch.tensor(0.0)).item(), 6)
    -1.737086
    """

    @property
    def variance(self) -> float:
        """Squared scale."""
        return self.scale * self.scale

    @property
    def tails(self) -> tuple[Tail, Tail]:
        """Quadratic decay; the location shifts the linear term."""
        a, b = 0.5 / self.variance, self.loc / self.variance
        return Tail(quadratic=a, linear=b), Tail(quadratic=a, linear=-b)

    def from_noise(self, eps: Tensor) -> Tensor:
        """``loc + scale * eps``: the reparameterization, differentiable."""
        return self.loc + self.scale * eps

    def _standard_log_prob(self, x: Tensor) -> Tensor:
        return -0.5 * x.square() - 0.5 * math.log(2 * math.pi)

    def _standard_cdf(self, x: Tensor) -> Tensor:
        return ndtr(x)

    def _standard_icdf(self, u: Tensor) -> Tensor:
        return torch.special.ndtri(u)


@dataclass(frozen=True, slots=True)
class StudentT(LocationScale):
    """Student t with ``df`` degrees of freedom; ``df = 1`` is the Cauchy density.

    Quantiles come from ``scipy.special.stdtrit``, computed on the CPU in float64.
    """

    df: float = 3.0

    def __post_init__(self) -> None:
        check_location("loc", self.loc)
        check_positive("scale", self.scale)
        if not 0.1 <= self.df <= 1e6:
            # Below 0.1 ordinary quantiles overflow; above 1e6 it is the Normal to 1e-6.
            raise ValueError(f"df must lie between 0.1 and 1e6, got {self.df}")

    @property
    def mean(self) -> float:
        """The location, for ``df`` above 1."""
        if self.df <= 1:
            raise ValueError(f"a Student t has no mean for df at most 1, got df = {self.df}")
        return self.loc

    @property
    def variance(self) -> float:
        """``scale**2 * df / (df - 2)``, inf for ``df`` in (1, 2]."""
        if self.df <= 1:
            raise ValueError(f"a Student t has no variance for df at most 1, got df = {self.df}")
        return self.scale * self.scale * self.df / (self.df - 2) if self.df > 2 else math.inf

    @property
    def tails(self) -> tuple[Tail, Tail]:
        """Polynomial decay of order ``df + 1``."""
        return Tail(logarithmic=self.df + 1), Tail(logarithmic=self.df + 1)

    def _standard_log_prob(self, x: Tensor) -> Tensor:
        # Gamma((df+1)/2) / (sqrt(df pi) Gamma(df/2)) * (1 + x^2/df)^(-(df+1)/2)
        constant = -special.betaln(0.5, 0.5 * self.df) - 0.5 * math.log(self.df)
        # hypot keeps x^2 from overflowing in the far tail.
        scaled = torch.hypot(torch.ones_like(x), x / math.sqrt(self.df))
        return float(constant) - (self.df + 1) * torch.log(scaled)

    def _standard_cdf(self, x: Tensor) -> Tensor:
        return _by_scipy(special.stdtr, self.df, x)

    def _standard_icdf(self, u: Tensor) -> Tensor:
        # stdtrit is exact below the median; symmetry gives the other half.
        lower = _by_scipy(special.stdtrit, self.df, torch.minimum(u, 1 - u))
        return torch.where(u < 0.5, lower, -lower)


@dataclass(frozen=True, slots=True)
class Laplace(LocationScale):
    """Laplace (double exponential) density with variance ``2 * scale**2``."""

    @property
    def variance(self) -> float:
        """Twice the squared scale."""
        return 2 * self.scale * self.scale

    @property
    def tails(self) -> tuple[Tail, Tail]:
        """Exponential decay at rate ``1 / scale``."""
        return Tail(linear=1 / self.scale), Tail(linear=1 / self.scale)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The kink at the location."""
        return (self.loc,)

    def _standard_log_prob(self, x: Tensor) -> Tensor:
        return -x.abs() - math.log(2)

    def _standard_cdf(self, x: Tensor) -> Tensor:
        half = 0.5 * torch.exp(-x.abs())
        return torch.where(x < 0, half, 1 - half)

    def _standard_icdf(self, u: Tensor) -> Tensor:
        distance = -torch.log(2 * torch.minimum(u, 1 - u))
        return torch.where(u < 0.5, -distance, distance)


@dataclass(frozen=True, slots=True)
class Uniform(Univariate):
    """Constant density between ``low`` and ``high``, both included."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        check_location("low", self.low)
        check_location("high", self.high)
        check_positive("high - low", self.high - self.low)

    @property
    def mean(self) -> float:
        """The middle."""
        return 0.5 * (self.low + self.high)

    @property
    def variance(self) -> float:
        """Squared width over twelve."""
        return (self.high - self.low) ** 2 / 12

    @property
    def tails(self) -> tuple[None, None]:
        """Bounded on both sides."""
        return None, None

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Both ends."""
        return self.low, self.high

    def _log_prob(self, z: Tensor) -> Tensor:
        inside = (z >= self.low) & (z <= self.high)
        height = torch.full_like(z, -math.log(self.high - self.low))
        return torch.where(inside, height, -math.inf)

    def _cdf(self, z: Tensor) -> Tensor:
        return ((z - self.low) / (self.high - self.low)).clamp(0, 1)

    def _sf(self, z: Tensor) -> Tensor:
        return ((self.high - z) / (self.high - self.low)).clamp(0, 1)

    # Rounding may step over an end, where the density is zero.
    def _icdf(self, u: Tensor) -> Tensor:
        return (self.low + (self.high - self.low) * u).clamp(self.low, self.high)

    def _isf(self, u: Tensor) -> Tensor:
        return (self.high - (self.high - self.low) * u).clamp(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Exponential(LocationScale):
    """Exponential density that starts at ``loc`` and has mean ``loc + scale``."""

    @property
    def mean(self) -> float:
        """Start plus scale."""
        return self.loc + self.scale

    @property
    def variance(self) -> float:
        """Squared scale."""
        return self.scale * self.scale

    @property
    def tails(self) -> tuple[None, Tail]:
        """Bounded on the left, exponential on the right."""
        return None, Tail(linear=1 / self.scale)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The start."""
        return (self.loc,)

    def _standard_log_prob(self, x: Tensor) -> Tensor:
        return torch.where(x >= 0, -x, -math.inf)

    def _standard_cdf(self, x: Tensor) -> Tensor:
        return -torch.expm1(-x.clamp(min=0))

    def _standard_sf(self, x: Tensor) -> Tensor:
        return torch.exp(-x.clamp(min=0))

    def _standard_icdf(self, u: Tensor) -> Tensor:
        return -torch.log1p(-u)

    def _standard_isf(self, u: Tensor) -> Tensor:
        return -torch.log(u)


def _by_scipy(function: np.ufunc, df: float, x: Tensor) -> Tensor:
    """Evaluate a scipy function of ``(df, x)`` in float64 on the CPU; no gradient."""
    values = function(df, in_float64(x.detach()).cpu().numpy())
    return torch.as_tensor(np.asarray(values), dtype=x.dtype, device=x.device)
