r"""A density drawn by hand: heights on a grid, straight lines between them.

Its integral, moments and quantiles are exact, because the area under a line is a quadratic.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from iwae_core.precision import in_float64
from iwae_core.rng import uniform
from iwae_core.sampling.densities.base import Shape, Univariate, check_location, check_request


@dataclass(frozen=True, slots=True)
class Tabulated(Univariate):
    """Piecewise linear density through ``(grid[i], heights[i])``, zero outside the grid.

    Args:
        grid: Increasing points, at least two.
        heights: Non-negative, any scale (the area is divided out), not all zero.

    >>> round(Tabulated((0.0, 1.0, 3.0), (0.0, 2.0, 0.0)).mean, 6)
    1.333333
    """

    grid: tuple[float, ...]
    heights: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", tuple(float(z) for z in self.grid))
        object.__setattr__(self, "heights", tuple(float(h) for h in self.heights))
        if len(self.grid) < 2 or len(self.grid) != len(self.heights):
            raise ValueError(
                f"a drawn density needs one height per grid point and two points at least, got "
                f"{len(self.grid)} points and {len(self.heights)} heights"
            )
        for z in (self.grid[0], self.grid[-1]):
            check_location("every grid point", z)
        steps = [b - a for a, b in zip(self.grid[:-1], self.grid[1:], strict=True)]
        if not all(step > 0 for step in steps):
            raise ValueError("grid points must increase: sort the strokes of the drawing first")
        if not all(0 <= h <= 1e100 for h in self.heights):
            raise ValueError("heights must be finite and not negative")
        if not min(steps) >= 1e-12 * (self.grid[-1] - self.grid[0]):
            raise ValueError("two grid points lie too close together: merge them")
        if not max(self.heights) >= 1e-100:
            raise ValueError("every height is zero: there is no density to draw from")

    @property
    def mean(self) -> float:
        """Mean, exact."""
        return self._moment(0.0, 1)

    @property
    def variance(self) -> float:
        """Variance, exact."""
        return self._moment(self.mean, 2)

    @property
    def tails(self) -> tuple[None, None]:
        """Bounded on both sides."""
        return None, None

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The grid."""
        return self.grid

    @property
    def zeros(self) -> tuple[float, ...]:
        """Grid points of height zero beside a positive one."""
        h = (0.0, *self.heights, 0.0)
        return tuple(
            z
            for i, z in enumerate(self.grid, start=1)
            if h[i] == 0 and (h[i - 1] > 0 or h[i + 1] > 0)
        )

    def sample_with_log_prob(
        self, shape: Shape, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Independent draws and their log densities, float64; the table is searched but once.

        Other draws than those of :meth:`sample` with the same generator.
        """
        check_request(shape, torch.float64)
        u = uniform(shape, generator)
        table = _table(self.grid, self.heights).on(u.device)
        z, i, t = table.quantile(u)
        height = table.height[i] + table.slope[i] * t
        return z, torch.log(height.clamp(min=0.0))

    def _log_prob(self, z: Tensor) -> Tensor:
        x = in_float64(z)
        table = _table(self.grid, self.heights).on(x.device)
        i = torch.searchsorted(table.grid[1:-1].contiguous(), x)
        share = ((x - table.grid[i]) / (table.grid[i + 1] - table.grid[i])).clamp(0, 1)
        height = torch.lerp(table.height[i], table.height[i + 1], share)
        inside = (z >= self.grid[0]) & (z <= self.grid[-1])  # in z's dtype, as draws are rounded
        # A line that ends in zero may round to just below it.
        height = torch.where(inside.to(x.device), height.clamp(min=0.0), 0.0)
        return torch.log(height).to(z)

    def _cdf(self, z: Tensor) -> Tensor:
        x = in_float64(z).clamp(self.grid[0], self.grid[-1])
        table = _table(self.grid, self.heights).on(x.device)
        i = torch.searchsorted(table.grid[1:-1].contiguous(), x)
        t = x - table.grid[i]
        area = t * (table.height[i] + 0.5 * t * table.slope[i])
        return (table.below[i] + area).clamp(0, 1).to(z)

    def _sf(self, z: Tensor) -> Tensor:
        return self._mirrored._cdf(-z)

    def _icdf(self, u: Tensor) -> Tensor:
        u64 = in_float64(u)
        z, _, _ = _table(self.grid, self.heights).on(u64.device).quantile(u64)
        return z.to(u).clamp(self.grid[0], self.grid[-1])

    def _isf(self, u: Tensor) -> Tensor:
        return -self._mirrored._icdf(u)

    @property
    def _mirrored(self) -> "Tabulated":
        return Tabulated(tuple(-z for z in reversed(self.grid)), self.heights[::-1])

    def _moment(self, center: float, power: int) -> float:
        # Simpson's rule is exact for the cubics (z - c)^2 (h + s z).
        table = _table(self.grid, self.heights)
        a, b = table.grid[:-1], table.grid[1:]
        middle = 0.5 * (a + b)
        middle_height = 0.5 * (table.height[:-1] + table.height[1:])
        points, heights = (a, middle, b), (table.height[:-1], middle_height, table.height[1:])
        terms = [
            c * (z - center) ** power * h
            for c, z, h in zip((1, 4, 1), points, heights, strict=True)
        ]
        return (torch.stack(terms).sum(dim=0) * (b - a) / 6).sum().item()


class _Table(NamedTuple):
    """Float64 tensors of a normalized piecewise linear density with n pieces."""

    grid: Tensor  # (n + 1,)
    height: Tensor  # (n + 1,)
    slope: Tensor  # (n,)
    below: Tensor  # (n + 1,), probability below each grid point

    def on(self, device: torch.device) -> "_Table":
        return _Table(*(tensor.to(device) for tensor in self))

    def quantile(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points of probability ``u``, the piece of each, and how far in the piece it lies."""
        i = torch.searchsorted(self.below[1:-1].contiguous(), u)
        area, h, slope = u - self.below[i], self.height[i], self.slope[i]
        # slope t^2 / 2 + h t = area, solved without cancellation
        root = torch.sqrt((h.square() + 2 * slope * area).clamp(min=0))
        t = torch.where(area > 0, 2 * area / (h + root), 0.0)
        return torch.minimum(self.grid[i] + t, self.grid[i + 1]), i, t


@lru_cache(maxsize=256)
def _table(grid: tuple[float, ...], heights: tuple[float, ...]) -> _Table:
    z = torch.tensor(grid, dtype=torch.float64)
    height = torch.tensor(heights, dtype=torch.float64) / max(heights)
    step = z.diff()
    area = 0.5 * step * (height[:-1] + height[1:])
    height, area = height / area.sum(), area / area.sum()
    below = torch.cat([area.new_zeros(1), area.cumsum(dim=0)])
    below[-1] = 1.0
    return _Table(z, height, height.diff() / step, below)
