"""Densities on the line made of others: mixture, truncation, a constant factor."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.rng import standard_normal
from iwae_core.sampling.densities.base import Shape, Tail, Univariate, check_request
from iwae_core.sampling.densities.mixing import check_mixture, choose, mixture_log_prob
from iwae_core.sampling.quadrature import integrate

_BISECTIONS = 80  # from any bracket that floats hold to the last bit of the result


@dataclass(frozen=True, slots=True)
class Mixture(Univariate):
    r"""Mixture :math:`\sum_i \pi_i p_i(z)` of normalized densities on the line.

    :meth:`sample` picks a component by a uniform number and transports one noise through it.
    :meth:`from_noise` is the increasing map, by bisection: slower, but each draw moves
    continuously when a weight changes.

    Args:
        components: One or more normalized densities.
        weights: Positive, one per component, summing to one.

    >>> from iwae_core.sampling.densities import Uniform
    >>> Mixture((Uniform(0.0, 1.0), Uniform(3.0, 4.0)), (0.25, 0.75)).mean
    2.75
    """

    components: tuple[Univariate, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        check_mixture(self.components, self.weights, event_dim=0)

    @property
    def mean(self) -> float:
        """Weighted mean of the components' means."""
        return math.fsum(w * c.mean for w, c in zip(self.weights, self.components, strict=True))

    @property
    def variance(self) -> float:
        """Variance within plus variance between the components."""
        center = self.mean
        return math.fsum(
            w * (c.variance + (c.mean - center) ** 2)
            for w, c in zip(self.weights, self.components, strict=True)
        )

    @property
    def tails(self) -> tuple[Tail | None, Tail | None]:
        """The heaviest tail on each side."""
        left = [t for c in self.components if (t := c.tails[0]) is not None]
        right = [t for c in self.components if (t := c.tails[1]) is not None]
        return min(left, default=None), min(right, default=None)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The components' breakpoints."""
        return tuple(sorted({point for c in self.components for point in c.breakpoints}))

    @property
    def zeros(self) -> tuple[float, ...]:
        """The components' zeros that no other component covers."""
        found = sorted({point for c in self.components for point in c.zeros})
        at = torch.tensor(found, dtype=torch.float64)
        return tuple(at[torch.isneginf(self._log_prob(at))].tolist()) if found else ()

    @property
    def landmarks(self) -> tuple[float, ...]:
        """The components' landmarks: a narrow component stays in sight."""
        return tuple(sorted({point for c in self.components for point in c.landmarks}))

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Independent draws: a component by its weight, then its transport of one noise."""
        check_request(shape, dtype)
        chosen = choose(self.weights, shape, generator)
        eps = standard_normal(shape, generator, torch.float64)
        z = torch.zeros_like(eps)
        for i, component in enumerate(self.components):
            z = torch.where(chosen == i, component.from_noise(eps), z)
        return z.to(dtype)

    def _log_prob(self, z: Tensor) -> Tensor:
        return mixture_log_prob(self.weights, [c._log_prob(z) for c in self.components])

    def _cdf(self, z: Tensor) -> Tensor:
        parts = [w * c._cdf(z) for w, c in zip(self.weights, self.components, strict=True)]
        return torch.stack(parts).sum(dim=0).clamp(0, 1)

    def _sf(self, z: Tensor) -> Tensor:
        parts = [w * c._sf(z) for w, c in zip(self.weights, self.components, strict=True)]
        return torch.stack(parts).sum(dim=0).clamp(0, 1)

    def _icdf(self, u: Tensor) -> Tensor:
        # A mixture's quantile lies between its components' quantiles.
        each = torch.stack([c._icdf(u) for c in self.components])
        low, high = each.amin(dim=0), each.amax(dim=0)
        for _ in range(_BISECTIONS):
            middle = 0.5 * low + 0.5 * high
            below = self._cdf(middle) < u
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return high

    def _isf(self, u: Tensor) -> Tensor:
        each = torch.stack([c._isf(u) for c in self.components])
        low, high = each.amin(dim=0), each.amax(dim=0)
        for _ in range(_BISECTIONS):
            middle = 0.5 * low + 0.5 * high
            above = self._sf(middle) < u
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return low


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
        low = torch.full_like(z, self.low)
        z = z.clamp(self.low, self.high)
        upper = self.base._sf(low) - self.base._sf(z)  # cancels less to the right of the median
        lower = self.base._cdf(z) - self.base._cdf(low)
        return (torch.where(self.base._cdf(low) > 0.5, upper, lower) / self._mass).clamp(0, 1)

    def _sf(self, z: Tensor) -> Tensor:
        high = torch.full_like(z, self.high)
        z = z.clamp(self.low, self.high)
        lower = self.base._cdf(high) - self.base._cdf(z)
        upper = self.base._sf(z) - self.base._sf(high)
        return (torch.where(self.base._sf(high) > 0.5, lower, upper) / self._mass).clamp(0, 1)

    def _icdf(self, u: Tensor) -> Tensor:
        below, above = self._beyond
        # Probability to the left and to the right of the point, each without cancellation.
        left = below + u * self._mass
        right = above + (1 - u) * self._mass
        z = torch.where(
            left < 0.5, self.base._icdf(left.clamp(0, 1)), self.base._isf(right.clamp(0, 1))
        )
        return z.clamp(self.low, self.high)

    def _isf(self, u: Tensor) -> Tensor:
        below, above = self._beyond
        left = below + (1 - u) * self._mass
        right = above + u * self._mass
        z = torch.where(
            left < 0.5, self.base._icdf(left.clamp(0, 1)), self.base._isf(right.clamp(0, 1))
        )
        return z.clamp(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Scaled(Univariate):
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

    def __post_init__(self) -> None:
        if not abs(self.log_scale) <= 1e6:
            raise ValueError(f"log_scale must lie within 1e6 nats of 0, got {self.log_scale}")

    @property
    def mean(self) -> float:
        """Mean of the base."""
        return self.base.mean

    @property
    def variance(self) -> float:
        """Variance of the base."""
        return self.base.variance

    @property
    def log_normalizer(self) -> float:
        """``log_scale`` above the base's own."""
        return self.log_scale + self.base.log_normalizer

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

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Draws of the base."""
        return self.base.sample(shape, generator, dtype)

    def _log_prob(self, z: Tensor) -> Tensor:
        return self.base._log_prob(z) + self.log_scale

    def _cdf(self, z: Tensor) -> Tensor:
        return self.base._cdf(z)

    def _sf(self, z: Tensor) -> Tensor:
        return self.base._sf(z)

    def _icdf(self, u: Tensor) -> Tensor:
        return self.base._icdf(u)

    def _isf(self, u: Tensor) -> Tensor:
        return self.base._isf(u)
