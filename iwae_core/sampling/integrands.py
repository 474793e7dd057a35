r"""Named integrands f for :math:`E_p[f]`: small values that are hashed, compared and called.

Besides its values an integrand knows how it grows, in the language of
:class:`iwae_core.sampling.densities.Tail`, so that divergence is decided by algebra and not by a
quadrature that fails.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from iwae_core.sampling.densities import Tail

Tails = tuple[Tail | None, Tail | None]


class Integrand(Protocol):
    """A function on the line, elementwise, with its decay to the left and to the right."""

    def __hash__(self) -> int:
        """Answers are kept by their questions; a dataclass hashes its values."""
        return object.__hash__(self)

    @property
    def tails(self) -> Tails:
        """Decay on each side, negative for growth; None where the function is zero."""

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Points where the function is not smooth."""

    def __call__(self, z: Tensor) -> Tensor:
        """Values of the shape and dtype of ``z``."""

    def log_abs(self, z: Tensor) -> Tensor:
        """Logarithm of the absolute value in nats, where the value itself may overflow."""


@dataclass(frozen=True, slots=True)
class Power(Integrand):
    """``z ** degree``: 0 the constant one, 1 the mean, 2 the second moment."""

    degree: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.degree < math.inf or self.degree != int(self.degree):
            raise ValueError(f"degree must be a non-negative integer, got {self.degree}")

    @property
    def tails(self) -> Tails:
        """Polynomial growth."""
        return Tail(logarithmic=-self.degree), Tail(logarithmic=-self.degree)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The zero of an odd power, where its absolute value has a kink."""
        return (0.0,)

    def __call__(self, z: Tensor) -> Tensor:
        """Elementwise power."""
        return torch.ones_like(z) if self.degree == 0 else z**self.degree

    def log_abs(self, z: Tensor) -> Tensor:
        """``degree * log|z|``, in nats."""
        return torch.zeros_like(z) if self.degree == 0 else self.degree * torch.log(z.abs())


@dataclass(frozen=True, slots=True)
class Exceeds(Integrand):
    """One above the threshold and zero below: its mean is a tail probability."""

    threshold: float

    def __post_init__(self) -> None:
        if not abs(self.threshold) <= 1e100:
            raise ValueError(f"threshold must be finite, got {self.threshold}")

    @property
    def tails(self) -> Tails:
        """Zero on the left, constant on the right."""
        return None, Tail()

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The threshold."""
        return (self.threshold,)

    def __call__(self, z: Tensor) -> Tensor:
        """1 or 0, elementwise."""
        return (z > self.threshold).to(z.dtype)

    def log_abs(self, z: Tensor) -> Tensor:
        """Zero above the threshold, ``-inf`` below, in nats."""
        return torch.log(self(z))


@dataclass(frozen=True, slots=True)
class Tilt(Integrand):
    """``exp(rate * z)``, whose mean is the moment generating function."""

    rate: float

    def __post_init__(self) -> None:
        if not abs(self.rate) <= 100:
            raise ValueError(f"rate must lie within 100 of 0, got {self.rate}")

    @property
    def tails(self) -> Tails:
        """Exponential growth on one side, decay on the other."""
        return Tail(linear=self.rate), Tail(linear=-self.rate)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """None: it is smooth."""
        return ()

    def __call__(self, z: Tensor) -> Tensor:
        """The exponential, elementwise."""
        return torch.exp(self.rate * z)

    def log_abs(self, z: Tensor) -> Tensor:
        """``rate * z``, in nats."""
        return self.rate * z
