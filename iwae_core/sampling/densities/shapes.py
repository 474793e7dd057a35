r"""Classic hard targets in d dimensions: banana, funnel, two modes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.counts import check_count, is_count
from iwae_core.sampling.densities.base import check_location, check_positive
from iwae_core.sampling.densities.multivariate import Gaussian, Multivariate, MultivariateMixture


@dataclass(frozen=True, slots=True)
class Banana(Multivariate):
    r"""Two dimensions, bent: :math:`z_2 = b (z_1^2 - s^2) + t \epsilon` with z_1 of deviation s.

    Centered at zero. The bend keeps volumes, so the density is normalized as it stands.

    Args:
        curvature: b, any sign; 0 is an upright Gaussian.
        width: s, the standard deviation of the first coordinate.
        thickness: t, the standard deviation of the second given the first.

    Reference:
        Haario, Saksman and Tamminen (1999), Computational Statistics 14, 375-395.
    """

    curvature: float = 1.0
    width: float = 1.0
    thickness: float = 0.5

    def __post_init__(self) -> None:
        check_location("curvature", self.curvature)
        check_positive("width", self.width)
        check_positive("thickness", self.thickness)

    @property
    def dim(self) -> int:
        """Two."""
        return 2

    @property
    def mean(self) -> Tensor:
        """Zero."""
        return torch.zeros(2, dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """Diagonal: the coordinates are uncorrelated though far from independent."""
        across = self.width * self.width
        bend = self.curvature * across
        along = self.thickness * self.thickness + 2 * bend * bend
        return torch.tensor([across, along], dtype=torch.float64).diag()

    def _log_prob(self, z: Tensor) -> Tensor:
        x = z[..., 0] / self.width
        y = (z[..., 1] - self._ridge(z[..., 0])) / self.thickness
        log_scale = math.log(self.width) + math.log(self.thickness) + math.log(2 * math.pi)
        return -0.5 * (x.square() + y.square()) - log_scale

    def _from_noise(self, eps: Tensor) -> Tensor:
        first = self.width * eps[..., 0]
        return torch.stack([first, self._ridge(first) + self.thickness * eps[..., 1]], dim=-1)

    def _ridge(self, first: Tensor) -> Tensor:
        return self.curvature * (first.square() - self.width * self.width)


@dataclass(frozen=True, slots=True)
class Funnel(Multivariate):
    r"""Neal's funnel: :math:`z_1 \sim N(0, s^2)`, the others :math:`N(0, e^{z_1})` given it.

    Args:
        n_dims: d, at least 2.
        scale: s; 3 in Neal (2003), Annals of Statistics 31(3), 705-767.
    """

    n_dims: int = 2
    scale: float = 3.0

    def __post_init__(self) -> None:
        if not is_count(self.n_dims, 2):
            raise ValueError(f"a funnel needs at least 2 whole dimensions, got {self.n_dims}")
        if not 1e-3 <= self.scale <= 20:
            # exp(scale**2 / 2), the variance of the others, must stay a float.
            raise ValueError(f"scale must lie between 0.001 and 20, got {self.scale}")

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.n_dims

    @property
    def mean(self) -> Tensor:
        """Zero."""
        return torch.zeros(self.dim, dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        r"""Diagonal: :math:`s^2`, then :math:`E e^{z_1} = e^{s^2 / 2}`."""
        mouth = math.exp(0.5 * self.scale**2)
        values = [self.scale**2] + [mouth] * (self.dim - 1)
        return torch.tensor(values, dtype=torch.float64).diag()

    def _log_prob(self, z: Tensor) -> Tensor:
        v, rest = z[..., 0], z[..., 1:]
        stretched = rest * torch.exp(-0.5 * v).unsqueeze(-1)
        stretched = torch.where(rest == 0, 0.0, stretched)  # not 0 * inf deep in the neck
        squares = (v / self.scale).square() + stretched.square().sum(dim=-1)
        log_scale = math.log(self.scale) + 0.5 * (self.dim - 1) * v
        return -0.5 * squares - log_scale - 0.5 * self.dim * math.log(2 * math.pi)

    def _from_noise(self, eps: Tensor) -> Tensor:
        v = self.scale * eps[..., :1]
        return torch.cat([v, torch.exp(0.5 * v) * eps[..., 1:]], dim=-1)


def two_modes(
    distance: float = 4.0, scale: float = 0.6, weights: Sequence[float] = (0.5, 0.5), dim: int = 2
) -> MultivariateMixture:
    """Two round Gaussian bumps, ``distance`` apart on the first axis around zero.

    >>> two_modes(4.0, weights=(0.25, 0.75)).mean.tolist()
    [1.0, 0.0]

    Raises:
        ValueError: If a number is out of range, or there are not two weights that sum to one.
    """
    check_location("distance", distance)
    check_positive("scale", scale)
    check_count("dim", dim)
    axes = range(dim)
    cov = tuple(tuple(scale * scale if i == j else 0.0 for j in axes) for i in axes)
    left, right = (tuple(side * distance if i == 0 else 0.0 for i in axes) for side in (-0.5, 0.5))
    return MultivariateMixture((Gaussian(left, cov), Gaussian(right, cov)), tuple(weights))
