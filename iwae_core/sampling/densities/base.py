r"""What every density offers, and what the one-dimensional ones share.

A density is a value: a frozen dataclass of floats that is hashed, compared and pickled. It never
holds a generator. Two rules make a lesson's handles move smoothly:

* ``sample(shape, generator)`` turns standard normal noise into draws, so one seed gives the same
  noise to every density and a draw moves continuously with the density's parameters;
* ``from_noise(eps)`` is that transport on its own, :math:`z = F^{-1}(\Phi(\epsilon))`.

``event_dim`` says what one point is: 0 for a number (``log_prob`` acts element by element), 1 for
a vector on the last axis (``z`` of shape ``(..., d)`` gives ``(...)``). Log densities are in nats
and computed in the dtype of ``z``.
"""

import math
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from iwae_core.precision import placed
from iwae_core.rng import standard_normal

LARGEST = 1e100  # squares of parameters must stay finite
Shape = tuple[int, ...]


@runtime_checkable
class Density(Protocol):
    """The least that a target or a proposal must offer."""

    @property
    def event_dim(self) -> int:
        """0 where a point is a number, 1 where it is a vector on the last axis."""

    @property
    def log_normalizer(self) -> float:
        """Logarithm of the integral of ``exp(log_prob)``, in nats; 0 if normalized."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density in nats, ``-inf`` outside the support."""

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Independent draws of shape ``shape``, or ``(*shape, d)`` where ``event_dim`` is 1."""


class Tail(NamedTuple):
    r"""How a density decays: :math:`\log p \sim -(a z^2 + b |z| + c \log |z|)` as |z| grows.

    Tuples compare term by term, so the smaller tail is the heavier one.
    """

    quadratic: float = 0.0
    linear: float = 0.0
    logarithmic: float = 0.0


class Univariate:
    """A density on the line. Subclasses give the six functions that raise here."""

    __slots__ = ()
    event_dim: ClassVar[int] = 0

    @property
    def mean(self) -> float:
        """Mean of the normalized density; ValueError where it does not exist."""
        raise NotImplementedError

    @property
    def variance(self) -> float:
        """Variance of the normalized density, possibly inf; ValueError without a mean."""
        raise NotImplementedError

    @property
    def log_normalizer(self) -> float:
        """Logarithm of the integral of ``exp(log_prob)``, in nats; 0 if normalized."""
        return 0.0

    @property
    def tails(self) -> tuple[Tail | None, Tail | None]:
        """Decay to the left and to the right; None where the support ends."""
        raise NotImplementedError

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Points in increasing order where the density is not smooth, for quadrature."""
        return ()

    @property
    def zeros(self) -> tuple[float, ...]:
        """Points where the density touches zero linearly at the edge of its support or inside."""
        return ()

    @property
    def landmarks(self) -> tuple[float, ...]:
        """Breakpoints and points at growing distance from the median, to start quadrature from."""
        u = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
        lower, median, upper = self._icdf(u).tolist()
        steps = [(upper - lower) * 4.0**j for j in range(-2, 8)]
        around = [median + side * step for step in steps for side in (-1, 1)]
        return tuple(sorted({median, *around, *self.breakpoints}))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density in nats, of ``z``'s shape and dtype; ``-inf`` outside the support.

        Raises:
            ValueError: If ``z`` is not floating point or holds NaN.
        """
        check_points(z)
        return self._log_prob(z)

    def cdf(self, z: Tensor) -> Tensor:
        """Probability of the normalized density below ``z``, elementwise."""
        check_points(z)
        return self._cdf(z)

    def sf(self, z: Tensor) -> Tensor:
        """Probability above ``z``; accurate where ``1 - cdf`` would round to zero."""
        check_points(z)
        return self._sf(z)

    def icdf(self, u: Tensor) -> Tensor:
        """Quantile of probability ``u``; inverse of :meth:`cdf`.

        Raises:
            ValueError: If a ``u`` lies outside [0, 1].
        """
        check_probabilities(u)
        return self._icdf(u)

    def isf(self, u: Tensor) -> Tensor:
        """Point with probability ``u`` above it; inverse of :meth:`sf`.

        Raises:
            ValueError: If a ``u`` lies outside [0, 1].
        """
        check_probabilities(u)
        return self._isf(u)

    def from_noise(self, eps: Tensor) -> Tensor:
        """Transport standard normal noise to this density: increasing, elementwise.

        Each half of the line uses its own tail probability, so eps = 8 is as exact as eps = -8.
        """
        check_points(eps)
        u, left = ndtr(-eps.abs()), eps < 0
        z = torch.empty_like(u)
        z[left], z[~left] = self._icdf(u[left]), self._isf(u[~left])
        return z

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Independent draws: :meth:`from_noise` of float64 noise, rounded to ``dtype``.

        Raises:
            ValueError: If ``shape`` holds a negative length or ``dtype`` is not floating point.
        """
        check_request(shape, dtype)
        z = self.from_noise(standard_normal(shape, generator, torch.float64))
        return placed(z, generator.device, dtype)

    def _log_prob(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def _cdf(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def _sf(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def _icdf(self, u: Tensor) -> Tensor:
        raise NotImplementedError

    def _isf(self, u: Tensor) -> Tensor:
        raise NotImplementedError


def ndtr(x: Tensor) -> Tensor:
    """Standard normal probability below ``x``, exact in the lower tail too.

    ``torch.special.ndtr`` computes ``(1 + erf) / 2`` there, which is 2 % off at -8 and 0 at -10.
    """
    return 0.5 * torch.special.erfc(-x / math.sqrt(2))


def check_points(z: Tensor, dim: int | None = None) -> None:
    """Refuse points that no density can judge: wrong dtype, NaN, wrong or infinite vectors."""
    if not z.is_floating_point():
        raise ValueError(f"points must be floating point, got {z.dtype}: call z.float() first")
    if dim is not None and (z.ndim == 0 or z.shape[-1] != dim):
        raise ValueError(
            f"points need {dim} coordinates on the last axis, got shape {tuple(z.shape)}"
        )
    if dim is None and torch.isnan(z).any():
        raise ValueError("a point is NaN: an earlier computation has failed")
    if dim is not None and not torch.isfinite(z).all():
        raise ValueError("a point is NaN or infinite: an earlier computation has overflowed")


def check_probabilities(u: Tensor) -> None:
    """Refuse anything but floating-point numbers in [0, 1]."""
    if not u.is_floating_point():
        raise ValueError(f"probabilities must be floating point, got {u.dtype}")
    if not ((u >= 0) & (u <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1]: was a log or a percentage passed?")


def check_request(shape: Shape, dtype: torch.dtype) -> None:
    """Refuse a sample shape or dtype that cannot be drawn."""
    if any(length < 0 for length in shape):
        raise ValueError(f"shape must hold non-negative lengths, got {tuple(shape)}")
    if not dtype.is_floating_point:
        raise ValueError(f"samples are floating point, got dtype {dtype}")


def check_location(name: str, value: float) -> None:
    """Refuse a parameter that is not a finite number of reasonable size."""
    if not abs(value) <= LARGEST:
        raise ValueError(f"{name} must be finite and at most {LARGEST:g} in size, got {value}")


def check_positive(name: str, value: float) -> None:
    """Refuse a parameter that is not a positive number of reasonable size."""
    if not 1 / LARGEST <= value <= LARGEST:
        hint = ": was a log scale passed?" if value <= 0 else ""
        raise ValueError(
            f"{name} must lie between {1 / LARGEST:g} and {LARGEST:g}, got {value}{hint}"
        )
