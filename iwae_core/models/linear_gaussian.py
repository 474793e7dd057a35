r"""The oracle: a latent-variable model in which every quantity of interest has a closed form.

    z ~ N(0, I_d),    x | z ~ N(W z + b, s^2 I_D)
    p(x)     = N(b, W W^T + s^2 I)
    p(z | x) = N(C W^T (x - b) / s^2, C),      C = (I + W^T W / s^2)^{-1}

With q equal to that posterior, ``log_w`` is the constant log p(x), for any K and any seed; with
any other q the distance of a bound from the truth is known exactly. Use float64.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.rng import standard_normal
from iwae_core.sums import over_last


@dataclass(frozen=True, slots=True, eq=False)
class LinearGaussian:
    """A linear-Gaussian model with exact marginal likelihood and posterior.

    Attributes:
        weight: W, shape ``(D, d)``.
        bias: b, shape ``(D,)``.
        noise_scale: s, standard deviation of the noise on x.

    Raises:
        ValueError: If the shapes do not fit or ``noise_scale`` is not positive.
    """

    weight: Tensor
    bias: Tensor
    noise_scale: float

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[:1]:
            raise ValueError(
                "weight must have shape (D, d) and bias (D,), "
                f"got {tuple(self.weight.shape)} and {tuple(self.bias.shape)}"
            )
        if not (torch.isfinite(self.weight).all() and torch.isfinite(self.bias).all()):
            raise ValueError("weight and bias must be finite, got NaN or infinity")
        if not (self.weight.is_floating_point() and self.bias.dtype == self.weight.dtype):
            raise ValueError(
                "weight and bias must share one floating-point type, got "
                f"{self.weight.dtype} and {self.bias.dtype}"
            )
        if not 0 < self.noise_scale < math.inf:
            raise ValueError(f"noise_scale must be positive, got {self.noise_scale}, and finite")

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs: ``x (n, D)`` and the ``z (n, d)`` they came from."""
        check_count("n", n, at_least=0)
        D, d = self.weight.shape
        z = standard_normal((n, d), generator, dtype=self.weight.dtype)
        noise = standard_normal((n, D), generator, dtype=self.weight.dtype)
        return z @ self.weight.T + self.bias + self.noise_scale * noise, z

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x, z)`` in nats, from ``x (B, D)`` and ``z (K, B, d)`` to ``(K, B)``.

        Samplers call this at every move: NaN in gives NaN out.

        Raises:
            ValueError: If the shapes or types do not fit.
        """
        D, d = self.weight.shape
        self._check_type(x)
        if z.ndim < 2 or z.shape[-1] != d or z.dtype != self.weight.dtype:
            raise ValueError(
                f"z must be {self.weight.dtype} of shape (K, B, {d}), got {z.dtype} of "
                f"{tuple(z.shape)}"
            )
        if z.shape[-2] != len(x) and 1 not in (z.shape[-2], len(x)):
            raise ValueError(f"x and z must agree in B, got {tuple(x.shape)} and {tuple(z.shape)}")
        residual = (x - self.bias - z @ self.weight.T) / self.noise_scale
        log_normalizer = 0.5 * (D + d) * math.log(2 * math.pi) + D * math.log(self.noise_scale)
        squares = over_last(residual.square()) + over_last(z.square())
        return -0.5 * squares - log_normalizer

    def log_marginal(self, x: Tensor) -> Tensor:
        """Exact ``log p(x)`` in nats, ``(B, D) -> (B,)``.

        Raises:
            ValueError: If ``x`` is no finite matrix of the model's type with D columns, or the
                noise is too small beside the weight for that type.
        """
        self.check_data(x)
        D = self.weight.shape[0]
        covariance = self.weight @ self.weight.T + self.noise_scale**2 * torch.eye(
            D, dtype=self.weight.dtype, device=self.weight.device
        )
        factor, info = torch.linalg.cholesky_ex(covariance)
        if info.item():
            raise ValueError(
                f"noise_scale {self.noise_scale:g} is lost in {self.weight.dtype} beside the "
                "weight: W W^T + s^2 I is singular; compute in float64, or take a larger scale"
            )
        whitened = torch.linalg.solve_triangular(factor, (x - self.bias).T, upper=False)
        log_det = 2 * factor.diagonal().log().sum()
        return -0.5 * (whitened.square().sum(dim=0) + log_det + D * math.log(2 * math.pi))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Exact posterior: means ``(B, d)`` and the covariance ``(d, d)`` that all x share.

        Raises:
            ValueError: As :meth:`log_marginal`.
        """
        self.check_data(x)
        d = self.weight.shape[1]
        precision = (
            torch.eye(d, dtype=self.weight.dtype, device=self.weight.device)
            + self.weight.T @ self.weight / self.noise_scale**2
        )
        covariance = torch.linalg.inv(precision)
        covariance = 0.5 * (covariance + covariance.T)
        mean = (x - self.bias) @ self.weight @ covariance / self.noise_scale**2
        return mean, covariance

    def _check_type(self, x: Tensor) -> None:
        D = self.weight.shape[0]
        if x.ndim != 2 or x.shape[1] != D or x.dtype != self.weight.dtype:
            raise ValueError(
                f"x must be {self.weight.dtype} of shape (B, {D}), got {x.dtype} of "
                f"{tuple(x.shape)}: a single datapoint is x[None]"
            )

    def check_data(self, x: Tensor) -> None:
        """Refuse what is no finite matrix ``(B, D)`` of the model's type.

        Raises:
            ValueError: Then.
        """
        self._check_type(x)
        if not torch.isfinite(x).all():
            raise ValueError("x holds NaN or an infinity: data were read or scaled wrongly")
