"""Densities of two coordinates as tables on a grid, and the KL divergence between two of them."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import is_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Midpoints of ``n`` by ``n`` equal cells over a rectangle of the latent plane.

    Attributes:
        low: Lower ends (z_1, z_2).
        high: Upper ends.
        n: Cells per side.
    """

    low: tuple[float, float] = (-4.0, -4.0)
    high: tuple[float, float] = (4.0, 4.0)
    n: int = 128

    def __post_init__(self) -> None:
        faults = []
        if not all(
            math.isfinite(high - low) and low < high
            for low, high in zip(self.low, self.high, strict=True)
        ):
            faults.append(f"low must be below high, both finite, got {self.low} and {self.high}")
        if not (is_count(self.n, 2) and self.n <= 2048):
            faults.append(f"n must lie in [2, 2048] cells per side, got {self.n}")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Midpoints along z_1 and z_2, each of shape ``(n,)``."""
        first, second = (
            low + (np.arange(self.n) + 0.5) * (high - low) / self.n
            for low, high in zip(self.low, self.high, strict=True)
        )
        return first, second

    @property
    def cell_area(self) -> float:
        """Area of one cell."""
        return math.prod(h - low for low, h in zip(self.low, self.high, strict=True)) / self.n**2

    def points(self) -> Tensor:
        """All midpoints, shape ``(n * n, 2)``, float64; z_2 runs fastest."""
        first, second = (torch.from_numpy(axis) for axis in self.axes)
        return torch.cartesian_prod(first, second)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridDensity:
    """A density on a grid.

    Attributes:
        grid: Where.
        log_density: Log density in nats, shape ``(n, n)``; axis 0 is z_1, axis 1 is z_2.
        mass: Integral over the grid. For a density normalized elsewhere, what the grid catches:
            well below one means the grid is too small or too coarse.
        log_normalizer: Logarithm of what it was divided by: for :func:`exact_posterior` the
            quadrature value of log p(x); 0 otherwise.
    """

    grid: Grid
    log_density: NDArray[np.float64]
    mass: float
    log_normalizer: float = 0.0

    @property
    def border_mass(self) -> float:
        """Mass in the outermost ring of cells; more than a trace means the grid cuts it off."""
        cells = np.exp(self.log_density) * self.grid.cell_area
        return float(cells.sum() - cells[1:-1, 1:-1].sum())

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the mass on the grid, shape ``(2,)``."""
        cells = np.exp(self.log_density)
        first, second = self.grid.axes
        total = cells.sum()
        return np.array([first @ cells.sum(1) / total, second @ cells.sum(0) / total])


def kl_on_grid(p: GridDensity, q: GridDensity) -> float:
    """KL(p || q) in nats between two densities on one grid, each scaled to mass one there.

    Raises:
        ValueError: If the grids differ.

    Returns:
        At least 0; inf where p has mass and q has none.
    """
    if p.grid != q.grid:
        raise ValueError(f"both densities must lie on one grid, got {p.grid} and {q.grid}")
    cells = np.exp(p.log_density) * p.grid.cell_area / p.mass
    held = cells > 0
    ratio = (p.log_density - math.log(p.mass))[held] - (q.log_density - math.log(q.mass))[held]
    return float(max(0.0, (cells[held] * ratio).sum()))


def tabulate(log_density: Tensor, grid: Grid, log_normalizer: float = 0.0) -> GridDensity:
    """The table of a density whose logarithm at all of the grid's points, ``(n * n,)``, is given.

    Raises:
        ValueError: If there is no mass on the grid.
    """
    mass = torch.exp(log_density).sum().item() * grid.cell_area
    if not mass > 0:
        raise ValueError(f"no mass on the grid from {grid.low} to {grid.high}: move it")
    return GridDensity(
        grid=grid,
        log_density=log_density.reshape(grid.n, grid.n).cpu().numpy(),
        mass=mass,
        log_normalizer=log_normalizer,
    )
