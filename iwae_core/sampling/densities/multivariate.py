r"""Densities in d dimensions: Gaussian, products and mixtures.

A point is a vector on the last axis: ``log_prob`` maps ``(..., d)`` to ``(...)``. Parameters are
kept as tuples of floats, so these are hashed and compared like the densities on the line; means
and covariances come back as float64 tensors.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from iwae_core.precision import placed
from iwae_core.rng import standard_normal
from iwae_core.sampling.densities.base import (
    Shape,
    Univariate,
    check_location,
    check_points,
    check_request,
)
from iwae_core.sampling.densities.mixing import check_mixture, choose, mixture_log_prob
from iwae_core.sums import over_last

Matrix = tuple[tuple[float, ...], ...]


class Multivariate:
    """A density of vectors. Subclasses give ``dim``, the moments and the two functions below."""

    __slots__ = ()
    event_dim: ClassVar[int] = 1

    @property
    def dim(self) -> int:
        """Number of coordinates d."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """Mean of the normalized density, float64 ``(d,)``."""
        raise NotImplementedError

    @property
    def covariance(self) -> Tensor:
        """Covariance of the normalized density, float64 ``(d, d)``."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        """Variance of each coordinate, float64 ``(d,)``."""
        return self.covariance.diagonal()

    @property
    def log_normalizer(self) -> float:
        """Logarithm of the integral of ``exp(log_prob)``, in nats; 0 if normalized."""
        return 0.0

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density in nats, from ``(..., d)`` to ``(...)``.

        Raises:
            ValueError: If ``z`` does not end in d finite floating-point coordinates.
        """
        check_points(z, self.dim)
        # For finite z, NaN can only be inf - inf between squares that overflow: infinitely far.
        return torch.nan_to_num(
            self._log_prob(z), nan=-math.inf, posinf=math.inf, neginf=-math.inf
        )

    def from_noise(self, eps: Tensor) -> Tensor:
        """Transport standard normal noise of shape ``(..., d)`` to this density.

        Raises:
            ValueError: If ``eps`` does not end in d finite coordinates, or if the density has no
                such transport (a mixture).
        """
        check_points(eps, self.dim)
        return self._from_noise(eps)

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Independent draws of shape ``(*shape, d)``, computed in float64.

        Raises:
            ValueError: If ``shape`` holds a negative length or ``dtype`` is not floating point.
        """
        check_request(shape, dtype)
        eps = standard_normal((*shape, self.dim), generator, torch.float64)
        return placed(self._from_noise(eps), generator.device, dtype)

    def _log_prob(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def _from_noise(self, eps: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Gaussian(Multivariate):
    """Gaussian with any covariance. Sequences, arrays and tensors are taken as parameters.

    Args:
        loc: Mean, d numbers.
        cov: Covariance, d rows of d numbers; symmetric and positive definite.

    >>> Gaussian((1.0, 2.0), ((1.0, 0.5), (0.5, 2.0))).log_prob(torch.zeros(2)).item() < -2.8
    True
    """

    loc: tuple[float, ...]
    cov: Matrix

    def __post_init__(self) -> None:
        try:
            loc = tuple(float(value) for value in self.loc)
            cov = tuple(tuple(float(value) for value in row) for row in self.cov)
        except (TypeError, ValueError) as fault:
            raise ValueError(
                f"loc must hold d numbers and cov d rows of d numbers, got {self.loc} and "
                f"{self.cov}: a variance in place of the matrix?"
            ) from fault
        object.__setattr__(self, "loc", loc)
        object.__setattr__(self, "cov", cov)
        if not loc or len(cov) != len(loc) or any(len(row) != len(loc) for row in cov):
            raise ValueError(
                f"a Gaussian in {len(loc)} dimensions needs a square covariance of that size, "
                f"got rows of lengths {[len(row) for row in cov]}"
            )
        for value in (*loc, *(value for row in cov for value in row)):
            check_location("every parameter", value)
        _cholesky(cov)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.loc)

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return torch.tensor(self.loc, dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """``cov``."""
        return torch.tensor(self.cov, dtype=torch.float64)

    def _log_prob(self, z: Tensor) -> Tensor:
        factor = _cholesky(self.cov).to(z)
        apart = (z - self.mean.to(z)).unsqueeze(-1)
        x = torch.linalg.solve_triangular(factor, apart, upper=False).squeeze(-1)
        log_det = factor.diagonal().log().sum()
        return -0.5 * over_last(x.square()) - log_det - 0.5 * self.dim * math.log(2 * math.pi)

    def _from_noise(self, eps: Tensor) -> Tensor:
        return self.mean.to(eps) + eps @ _cholesky(self.cov).to(eps).T


@dataclass(frozen=True, slots=True)
class Product(Multivariate):
    r"""Independent coordinates of one density: :math:`\prod_{i=1}^d p(z_i)`, the dimension lift.

    >>> from iwae_core.sampling.densities import Normal
    >>> Product(Normal(2.0, 1.0), 3).mean.tolist()
    [2.0, 2.0, 2.0]
    """

    base: Univariate
    n_dims: int

    def __post_init__(self) -> None:
        if not 1 <= self.n_dims <= 1_000_000 or self.n_dims != int(self.n_dims):
            raise ValueError(f"n_dims must be a whole number from 1 to 10^6, got {self.n_dims}")

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.n_dims

    @property
    def mean(self) -> Tensor:
        """The base's mean in every coordinate."""
        return torch.full((self.dim,), self.base.mean, dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """The base's variance on the diagonal."""
        return self.variance.diag()

    @property
    def variance(self) -> Tensor:
        """The base's variance in every coordinate."""
        return torch.full((self.dim,), self.base.variance, dtype=torch.float64)

    @property
    def log_normalizer(self) -> float:
        """The base's, d times."""
        return self.dim * self.base.log_normalizer

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Independent draws of the base, ``(*shape, d)``."""
        check_request(shape, dtype)
        return self.base.sample((*shape, self.dim), generator, dtype)

    def _log_prob(self, z: Tensor) -> Tensor:
        return self.base._log_prob(z).sum(dim=-1)

    def _from_noise(self, eps: Tensor) -> Tensor:
        return self.base.from_noise(eps)


@dataclass(frozen=True, slots=True)
class MultivariateMixture(Multivariate):
    """Mixture of normalized densities of one dimension d; it has draws but no transport.

    Args:
        components: One or more normalized densities.
        weights: Positive, one per component, summing to one.
    """

    components: tuple[Multivariate, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        check_mixture(self.components, self.weights, event_dim=1)
        if len({c.dim for c in self.components}) > 1:
            raise ValueError(
                f"components must share a dimension, got {[c.dim for c in self.components]}"
            )

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.components[0].dim

    @property
    def mean(self) -> Tensor:
        """Weighted mean of the components' means."""
        pairs = zip(self.weights, self.components, strict=True)
        return torch.stack([w * c.mean for w, c in pairs]).sum(dim=0)

    @property
    def covariance(self) -> Tensor:
        """Covariance within plus covariance between the components."""
        parts, center = [], self.mean
        for w, component in zip(self.weights, self.components, strict=True):
            apart = component.mean - center
            parts.append(w * (component.covariance + torch.outer(apart, apart)))
        return torch.stack(parts).sum(dim=0)

    def sample(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Independent draws: a component by its weight, then a draw from it."""
        check_request(shape, dtype)
        chosen = choose(self.weights, shape, generator).unsqueeze(-1)
        z = self.components[0].sample(shape, generator, dtype)
        chosen = chosen.to(z.device)
        for i, component in enumerate(self.components[1:], start=1):
            z = torch.where(chosen == i, component.sample(shape, generator, dtype), z)
        return z

    def _log_prob(self, z: Tensor) -> Tensor:
        return mixture_log_prob(self.weights, [c.log_prob(z) for c in self.components])

    def _from_noise(self, eps: Tensor) -> Tensor:
        raise ValueError("a mixture has no smooth transport from Gaussian noise: use sample")


@lru_cache(maxsize=256)
def _cholesky(cov: Matrix) -> Tensor:
    matrix = torch.tensor(cov, dtype=torch.float64)
    if not torch.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
        raise ValueError(f"a covariance must be symmetric, got {cov}")
    factor, info = torch.linalg.cholesky_ex(matrix)
    if info.item() != 0:
        lowest = torch.linalg.eigvalsh(matrix).min().item()
        raise ValueError(
            f"a covariance must be positive definite, its smallest eigenvalue is {lowest:.3g}: "
            "is a correlation beyond one, or was a standard deviation passed?"
        )
    return factor
