"""Densities made from one other: cut to an interval, or multiplied by a constant."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from iwae_core.sampling.densities.base import Shape, Tail, Univariate
from iwae_core.sampling.densities.multivariate import Multivariate
from iwae_core.sampling.quadrature import integrate


@dataclass(frozen=True, slots=True)
class Truncated(Univariate):
    """A normalized density cut to [low, high] and divided by the probability left.

    Args:
        base: The density to cut.
        low: Lower end, -inf for none.
        high: Upper end, inf for none.

    >>> from iwae_core.sampling.densities import Normal
    >>> round(Truncated(Normal(), low=4.0).mean, 6)
    4.225607
    """

    base: Univariate
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low must lie below high, got {self.low} and {self.high}")
        if self.base.log_normalizer != 0:
            raise ValueError("base must be normalized: take the density that Scaled wraps")
        if not self._mass > 1e-290:
            raise ValueError(
                f"the density has no probability between {self.low} and {self.high}: "
                "the interval lies beyond the support or too far in the tail"
            )

    @property
    def mean(self) -> float:
        """Mean, by quadrature."""
        return self._moment(0.0, 1)

    @property
    def variance(self) -> float:
        """Variance, by quadrature."""
        return self._moment(self.mean, 2)

    @property
    def tails(self) -> tuple[Tail | None, Tail | None]:
        """The base's tails on the sides left open."""
        left, right = self.base.tails
        return (
            left if math.isinf(self.low) else None,
            right if math.isinf(self.high) else None,
        )

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The finite ends and the base's breakpoints between them."""
        ends = {end for end in (self.low, self.high) if math.isfinite(end)}
        return tuple(sorted(ends | {b for b in self.base.breakpoints if self.low < b < self.high}))

    @property
    def zeros(self) -> tuple[float, ...]:
        """The base's zeros in the interval."""
        return tuple(zero for zero in self.base.zeros if self.low <= zero <= self.high)

    @property
    def _mass(self) -> float:
        below, above = self._beyond
        return 1 - below - above if below + above < 0.5 else self._thin_mass

    @property
    def _beyond(self) -> tuple[float, float]:
        """Probability of the base below ``low`` and above ``high``."""
        ends = torch.tensor([self.low, self.high], dtype=torch.float64)
        return self.base._cdf(ends)[0].item(), self.base._sf(ends)[1].item()

    @property
    def _thin_mass(self) -> float:
        """Probability inside by the difference that cancels least."""
        ends = torch.tensor([self.low, self.high], dtype=torch.float64)
        below, above = self.base._cdf(ends), self.base._sf(ends)
        if below[0] < 0.5:
            return (below[1] - below[0]).item()
        return (above[0] - above[1]).item()

    def _moment(self, center: float, power: int) -> float:
        mean_exists = [t is None or t > Tail(logarithmic=power + 1) for t in self.tails]
        if not all(mean_exists):
            if power == 2:
                return math.inf
            raise ValueError("a truncated density with this heavy open tail has no mean")
        inner = {z for z in self.landmarks if self.low < z < self.high}
        edges = sorted({self.low, self.high, *inner})
        return integrate(lambda z: (z - center) ** power * torch.exp(self._log_prob(z)), edges)[0]

    def _log_prob(self, z: Tensor) -> Tensor:
        inside = (z >= self.low) & (z <= self.high)
        return torch.where(inside, self.base._log_prob(z) - math.log(self._mass), -math.inf)

    def _cdf(self, z: Tensor) -> Tensor:
        return self._between(torch.full_like(z, self.low), z.clamp(self.low, self.high))

    def _sf(self, z: Tensor) -> Tensor:
        return self._between(z.clamp(self.low, self.high), torch.full_like(z, self.high))

    def _between(self, a: Tensor, b: Tensor) -> Tensor:
        """Probability from a to b, both within the ends, by the difference that cancels least."""
        base = self.base
        by_sf, by_cdf = base._sf(a) - base._sf(b), base._cdf(b) - base._cdf(a)
        return (torch.where(base._cdf(a) > 0.5, by_sf, by_cdf) / self._mass).clamp(0, 1)

    def _icdf(self, u: Tensor) -> Tensor:
        return self._at(u, 1 - u)

    def _isf(self, u: Tensor) -> Tensor:
        return self._at(1 - u, u)

    def _at(self, before: Tensor, beyond: Tensor) -> Tensor:
        """The point with probability ``before`` to its left and ``beyond`` to its right."""
        below, above = self._beyond
        # The same under the base; of the two the smaller one is exact.
        left, right = below + before * self._mass, above + beyond * self._mass
        z = torch.where(
            left < 0.5, self.base._icdf(left.clamp(0, 1)), self.base._isf(right.clamp(0, 1))
        )
        return z.clamp(self.low, self.high)


class _Multiplied:
    """What a density times a constant has from the normalized ``base``: all but its height."""

    __slots__ = ()
    base: Any
    log_scale: float

    def __post_init__(self) -> None:
        check_log_scale(self.log_scale)

    @property
    def mean(self) -> Any:
        """Mean of the base."""
        return self.base.mean

    @property
    def variance(self) -> Any:
        """Variance of the base."""
        return self.base.variance

    @property
    def log_normalizer(self) -> float:
        """``log_scale`` above the base's own."""
        return self.log_scale + float(self.base.log_normalizer)

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Draws of the base."""
        draws: Tensor = self.base.sample(shape, generator, dtype)
        return draws

    def _log_prob(self, z: Tensor) -> Tensor:
        log_p: Tensor = self.base._log_prob(z)
        return log_p + self.log_scale


@dataclass(frozen=True, slots=True)
class Scaled(_Multiplied, Univariate):
    r"""An unnormalized density :math:`e^{s} p(z)`, as most targets are in practice.

    Its draws, mean, variance and probabilities are those of the normalized ``base``.

    Args:
        base: The density to scale.
        log_scale: s in nats.

    >>> from iwae_core.sampling.densities import Normal
    >>> Scaled(Normal(), 1.5).log_normalizer
    1.5
    """

    base: Univariate
    log_scale: float

    @property
    def tails(self) -> tuple[Tail | None, Tail | None]:
        """Tails of the base."""
        return self.base.tails

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Breakpoints of the base."""
        return self.base.breakpoints

    @property
    def zeros(self) -> tuple[float, ...]:
        """Zeros of the base."""
        return self.base.zeros

    @property
    def landmarks(self) -> tuple[float, ...]:
        """Landmarks of the base."""
        return self.base.landmarks

    def from_noise(self, eps: Tensor) -> Tensor:
        """Transport of the base."""
        return self.base.from_noise(eps)

    def _cdf(self, z: Tensor) -> Tensor:
        return self.base._cdf(z)

    def _sf(self, z: Tensor) -> Tensor:
        return self.base._sf(z)

    def _icdf(self, u: Tensor) -> Tensor:
        return self.base._icdf(u)

    def _isf(self, u: Tensor) -> Tensor:
        return self.base._isf(u)


@dataclass(frozen=True, slots=True)
class ScaledMultivariate(_Multiplied, Multivariate):
    r"""An unnormalized density :math:`e^{s} p(z)` of vectors; see :class:`Scaled`."""

    base: Multivariate
    log_scale: float

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.base.dim

    @property
    def covariance(self) -> Tensor:
        """Covariance of the base."""
        return self.base.covariance

    def _from_noise(self, eps: Tensor) -> Tensor:
        return self.base._from_noise(eps)


def check_log_scale(log_scale: float) -> None:
    """Refuse a factor beyond any log density that training meets."""
    if not abs(log_scale) <= 1e6:
        raise ValueError(f"log_scale must lie within 1e6 nats of 0, got {log_scale}")
