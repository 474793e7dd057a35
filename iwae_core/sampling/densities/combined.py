"""Mixtures: on the line, and the defensive mixture of any two densities."""

import math
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor

from iwae_core.precision import placed
from iwae_core.rng import standard_normal
from iwae_core.sampling.densities.base import Shape, Tail, Univariate, check_request
from iwae_core.sampling.densities.mixing import check_mixture, choose, mixture_log_prob
from iwae_core.sampling.densities.multivariate import Multivariate, MultivariateMixture

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
        return placed(z, generator.device, dtype)

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


@overload
def defensive_mixture(proposal: Univariate, safe: Univariate, share: float = ...) -> Mixture: ...


@overload
def defensive_mixture(
    proposal: Multivariate, safe: Multivariate, share: float = ...
) -> MultivariateMixture: ...


def defensive_mixture(
    proposal: Univariate | Multivariate, safe: Univariate | Multivariate, share: float = 0.1
) -> Mixture | MultivariateMixture:
    r"""Draw a share of the time from a safe density: then :math:`w \le p / (share \cdot safe)`.

    With the target itself as ``safe`` no weight exceeds ``1 / share``.

    Args:
        proposal: The density that is usually right.
        safe: One that covers the target's tails.
        share: Probability of the safe one, in (0, 1).

    Raises:
        ValueError: If the share is not in (0, 1), or one density is on the line and the other
            is not, or one is unnormalized.

    Reference:
        Hesterberg (1995), Technometrics 37(2), 185-194.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie in (0, 1), got {share}")
    weights = (1 - share, share)
    if isinstance(proposal, Univariate) and isinstance(safe, Univariate):
        return Mixture((proposal, safe), weights)
    if isinstance(proposal, Multivariate) and isinstance(safe, Multivariate):
        return MultivariateMixture((proposal, safe), weights)
    raise ValueError("proposal and safe must both be on the line or both in d dimensions")
