r"""Exact answers that several studies lay beside their draws; weights are :math:`w = p / q`.

Divergence is decided from the tails, as in :mod:`iwae_core.sampling.divergences`; what converges
is integrated to about 1e-11.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from iwae_core.sampling.densities import Scaled, Tail, Univariate
from iwae_core.sampling.divergences import (
    covers,
    expectation,
    kl_divergence,
    log_second_moment,
)
from iwae_core.sampling.integrands import Integrand, Tails
from iwae_core.sampling.quadrature import integrate


@dataclass(frozen=True, slots=True)
class Size(Integrand):
    """``|f(z)| ** power``, for a power above zero."""

    f: Integrand
    power: float = 1.0

    @property
    def tails(self) -> Tails:
        """Those of f, ``power`` times as steep."""
        left, right = (
            None if tail is None else Tail(*(self.power * rate for rate in tail))
            for tail in self.f.tails
        )
        return left, right

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those of f."""
        return self.f.breakpoints

    def __call__(self, z: Tensor) -> Tensor:
        """Elementwise size."""
        return self.f(z).abs() ** self.power

    def log_abs(self, z: Tensor) -> Tensor:
        """Logarithm of the size, in nats."""
        return self.power * self.f.log_abs(z)


@dataclass(frozen=True, slots=True)
class LogRatio(Integrand):
    """``(log p(z) - log q(z) - center) ** 2``, at points where both densities are positive."""

    p: Univariate
    q: Univariate
    center: float

    @property
    def tails(self) -> Tails:
        """Polynomial growth, of twice the degree of the faster of the two logarithms."""
        left, right = (
            Tail(logarithmic=-2 * max(_degree(self.p.tails[side]), _degree(self.q.tails[side])))
            for side in (0, 1)
        )
        return left, right

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those of both densities."""
        return tuple(sorted({*self.p.breakpoints, *self.q.breakpoints}))

    def __call__(self, z: Tensor) -> Tensor:
        """Elementwise square; zero where p is zero, for p never goes there."""
        log_p, log_q = self.p.log_prob(z), self.q.log_prob(z)
        return torch.where(log_p > -math.inf, (log_p - log_q - self.center).square(), 0.0)

    def log_abs(self, z: Tensor) -> Tensor:
        """Logarithm of the square, in nats."""
        return torch.log(self(z))


def normalized(target: Univariate) -> Univariate:
    """The normalized density inside any number of factors."""
    return normalized(target.base) if isinstance(target, Scaled) else target


def mean_size(target: Univariate, f: Integrand) -> float:
    """``E_p |f|`` under the normalized target; the optimal proposal is ``|f| p`` over this.

    Raises:
        ValueError: If the mean does not exist.
    """
    return expectation(normalized(target), Size(f))[0]


def weighted_square(target: Univariate, proposal: Univariate, f: Integrand) -> float:
    """``E_q[w^2 f]``, with the sign of f; inf where ``E_q[w^2 |f|]`` is."""
    log_size = log_second_moment(target, proposal, Size(f, 0.5))
    if log_size == -math.inf:
        return 0.0
    if log_size > 700:
        return math.inf

    def term(z: Tensor) -> Tensor:
        log_p, log_q = target.log_prob(z), proposal.log_prob(z)
        log_term = 2 * log_p - log_q + f.log_abs(z)
        inside = (log_p > -math.inf) & (log_q > -math.inf)
        return f(z).sign() * torch.where(inside, torch.exp(log_term - log_size), 0.0)

    marks = edges(target.landmarks, proposal.landmarks, f.breakpoints)
    return math.exp(log_size) * integrate(term, marks)[0]


def log_weight_spread(target: Univariate, proposal: Univariate) -> float:
    """Standard deviation of log w under the target, in nats; inf where it diverges."""
    p = normalized(target)
    center = kl_divergence(p, proposal)
    if math.isinf(center):
        return math.inf
    try:
        variance = expectation(p, LogRatio(p, proposal, center))[0]
    except ValueError:  # says that the tails are too heavy
        return math.inf
    return math.sqrt(max(variance, 0.0))


def largest_log_weight(target: Univariate, proposal: Univariate) -> float:
    """Supremum of log w in nats; inf where the weights are unbounded."""
    if not covers(target, proposal):
        return math.inf
    at_zeros = torch.tensor(proposal.zeros or (math.inf,), dtype=torch.float64)
    if (target.log_prob(at_zeros) > -math.inf).any():
        return math.inf
    for p, q in zip(target.tails, proposal.tails, strict=True):
        if p is not None and q is not None and p < q:
            return math.inf

    def log_w(z: Tensor) -> Tensor:
        log_p = target.log_prob(z)
        return torch.where(log_p > -math.inf, log_p - proposal.log_prob(z), -math.inf)

    marks = [m for m in edges(target.landmarks, proposal.landmarks) if math.isfinite(m)]
    grid = torch.cat([torch.linspace(a, b, 65, dtype=torch.float64) for a, b in pairwise(marks)])
    for _ in range(6):  # zoom in on the peak
        best = int(log_w(grid).argmax())
        low, high = grid[max(best - 1, 0)].item(), grid[min(best + 1, len(grid) - 1)].item()
        peak = grid[best : best + 1]
        steps = torch.linspace(low, high, 65, dtype=torch.float64)
        grid = torch.cat([steps, peak]).sort().values
    return log_w(grid).max().item()


def integrate_where(
    target: Univariate, f: Integrand, pieces: Sequence[tuple[float, float]]
) -> float:
    """Integral of ``f p`` over some intervals, for the normalized target."""
    p = normalized(target)

    def term(z: Tensor) -> Tensor:
        # f alone may overflow where p is zero.
        log_size = p.log_prob(z) + f.log_abs(z)
        return f(z).sign() * torch.where(log_size > -math.inf, log_size.exp(), 0.0)

    total = 0.0
    for low, high in pieces:
        inner = {m for m in edges(p.landmarks, f.breakpoints) if low < m < high}
        total += integrate(term, sorted({low, high, *inner}))[0]
    return total


def probability_where(density: Univariate, pieces: Sequence[tuple[float, float]]) -> float:
    """Probability that the normalized density gives to some intervals."""
    ends = torch.tensor(pieces, dtype=torch.float64).reshape(-1, 2)
    below, above = density.cdf(ends), density.sf(ends)
    # Each difference where it cancels least.
    left, right = below[:, 1] - below[:, 0], above[:, 0] - above[:, 1]
    return torch.where(below[:, 0] < 0.5, left, right).sum().item()


def heavy_intervals(
    target: Univariate, proposal: Univariate, log_threshold: float
) -> tuple[tuple[float, float], ...]:
    """Where ``log w`` is at least the threshold, as intervals that may be infinite.

    Crossings are looked for on a fine grid and then halved to the last bit; two that lie closer
    than the grid's step may be missed.
    """
    marks = [m for m in edges(target.landmarks, proposal.landmarks) if math.isfinite(m)]
    grid = torch.cat([torch.linspace(a, b, 129, dtype=torch.float64) for a, b in pairwise(marks)])
    grid = grid.unique()

    def above(z: Tensor) -> Tensor:
        log_p, log_q = target.log_prob(z), proposal.log_prob(z)
        seen = torch.where(log_p > -math.inf, log_p - log_q, -math.inf)
        return seen >= log_threshold

    inside = above(grid)
    change = torch.nonzero(inside[1:] != inside[:-1])[:, 0]
    low, high, first = grid[change], grid[change + 1], inside[change]
    for _ in range(80):
        middle = 0.5 * (low + high)
        same = above(middle) == first
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    found = (0.5 * (low + high)).tolist()
    ends = [-math.inf] * bool(inside[0]) + found + [math.inf] * bool(inside[-1])
    return tuple(zip(ends[::2], ends[1::2], strict=True))


def edges(*points: Sequence[float]) -> list[float]:
    """All points in order, between -inf and inf, for quadrature."""
    return [-math.inf, *sorted({point for some in points for point in some}), math.inf]


def _degree(tail: Tail | None) -> int:
    """How fast the logarithm of a density falls: like z^2, |z| or less."""
    if tail is None:
        return 0
    return 2 if tail.quadratic else 1 if tail.linear else 0
