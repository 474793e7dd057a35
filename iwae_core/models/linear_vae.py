r"""The linear VAE and its exact optimum: posterior collapse with pencil and paper.

    z ~ N(0, I_d),   x | z ~ N(W z + b, s^2 I_D),   q(z | x) = N(V (x - b), diag v)

Let l_1 >= ... >= l_D be the eigenvalues of the data's covariance and u_i its eigenvectors. For a
fixed decoder variance s^2 the mean ELBO has its maximum at (Lucas et al., 2019; Tipping and
Bishop, 1999)

    w_i = sqrt(l_i - s^2) u_i  if l_i > s^2, else 0           column i of W
    V   = (W^T W + s^2 I)^-1 W^T,     v_i = s^2 / max(l_i, s^2)

where q is the exact posterior, so the ELBO is log p(x), the likelihood of probabilistic PCA. A
latent with l_i <= s^2 has q = N(0, 1) for every x: it collapses, and no better training would
prevent it. Each other one carries exactly log(l_i / s^2) / 2 nats.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count, is_count
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.rng import standard_normal
from iwae_core.sampling.draws import Draws

# Burda et al. (2016): the variance of the posterior mean above which a unit counts as active.
_ACTIVE_VARIANCE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class LinearVae:
    """A VAE whose encoder and decoder are linear. Use float64 where it is an oracle.

    Attributes:
        decoder: W and b and s of the generative model, which has an exact likelihood.
        weight: V of the encoder, shape ``(d, D)``.
        log_scale: ``log(v) / 2``, log standard deviations of q, shape ``(d,)``.

    Raises:
        ValueError: If shapes or types do not fit, or a number is not finite.
    """

    decoder: LinearGaussian
    weight: Tensor
    log_scale: Tensor

    def __post_init__(self) -> None:
        D, d = self.decoder.weight.shape
        if self.weight.shape != (d, D) or self.log_scale.shape != (d,):
            raise ValueError(
                f"weight must have shape {(d, D)} and log_scale {(d,)}, "
                f"got {tuple(self.weight.shape)} and {tuple(self.log_scale.shape)}"
            )
        if not self.weight.dtype == self.log_scale.dtype == self.decoder.weight.dtype:
            raise ValueError(
                "encoder and decoder must share one type, got "
                f"{self.weight.dtype}, {self.log_scale.dtype} and {self.decoder.weight.dtype}"
            )
        if not (torch.isfinite(self.weight).all() and torch.isfinite(self.log_scale).all()):
            raise ValueError("weight and log_scale must be finite: the encoder has diverged")

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """q(z | x) for data of shape ``(B, D)``.

        Raises:
            ValueError: If ``x`` is no finite matrix of the model's type with D columns.
        """
        self.decoder.check_data(x)
        loc = (x - self.decoder.bias) @ self.weight.T
        return DiagonalNormal(loc, self.log_scale.expand_as(loc))

    def elbo(self, x: Tensor) -> Tensor:
        """Exact ELBO of each datapoint, no samples, ``(B, D) -> (B,)`` in nats; differentiable."""
        q, W = self.posterior(x), self.decoder.weight
        s = torch.as_tensor(self.decoder.noise_scale, dtype=W.dtype, device=W.device)
        D = W.shape[0]
        residual = x - self.decoder.bias - q.loc @ W.T
        # E_q |x - b - W z|^2: the residual at the mean, and what the spread of q adds to it.
        spread = (W.square().sum(dim=0) * torch.exp(2 * self.log_scale)).sum()
        log_likelihood = -0.5 * (residual.square().sum(dim=-1) + spread) / s**2 - D * (
            torch.log(s) + 0.5 * math.log(2 * math.pi)
        )
        return log_likelihood - q.kl_to_standard().sum(dim=-1)

    def log_marginal(self, x: Tensor) -> Tensor:
        """Exact ``log p(x)`` in nats, ``(B, D) -> (B,)``."""
        return self.decoder.log_marginal(x)

    def draws(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Draws:
        """K draws from q(z | x) and their weights, as every model here offers them."""
        check_count("n_samples", n_samples)
        q = self.posterior(x)
        eps = standard_normal((n_samples, *q.loc.shape), generator, dtype=q.loc.dtype)
        return Draws(
            z=q.from_noise(eps),
            log_likelihood=lambda z: self.decoder.log_joint(x, z) - standard_normal_log_prob(z),
            log_prior=standard_normal_log_prob,
            log_q=q.log_prob,
            log_q_path=q.detach().log_prob,
            kl_per_dim=q.kl_to_standard,
        )

    def log_weights(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        """``log p(x, z_k) - log q(z_k | x)`` for K draws, shape ``(K, B)`` in nats."""
        return self.draws(x, n_samples, generator).log_w()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearVaeReport:
    """What the optimum predicts for each latent, in the order of falling eigenvalues.

    Attributes:
        noise_variance: s^2 of the decoder.
        eigenvalues: Largest d eigenvalues of the data's covariance, shape ``(d,)``.
        kl_per_dim: Mean over x of KL(q(z_i | x) || N(0, 1)), shape ``(d,)``, nats. It is also the
            mutual information of x and z_i, since q(z) = N(0, I).
        mean_variance: Variance over x of E[z_i | x], shape ``(d,)``.
        q_variance: Variance of q(z_i | x), the same for every x, shape ``(d,)``.
        active: ``mean_variance > 0.01``, that is ``eigenvalue > noise_variance / 0.99``.
        elbo: Mean ELBO of data with this mean and covariance = mean log p(x), nats.
    """

    noise_variance: float
    eigenvalues: NDArray[np.float64]
    kl_per_dim: NDArray[np.float64]
    mean_variance: NDArray[np.float64]
    q_variance: NDArray[np.float64]
    active: NDArray[np.bool_]
    elbo: float

    @property
    def n_active(self) -> int:
        """Number of active units."""
        return int(self.active.sum())


def optimum(covariance: Tensor, mean: Tensor, latent_dim: int, noise_scale: float) -> LinearVae:
    """The linear VAE with the largest mean ELBO for a fixed decoder scale.

    Columns are unique up to their order and sign; these come in the order of falling eigenvalues.

    Args:
        covariance: Of the data, ddof 0, shape ``(D, D)``.
        mean: Of the data, shape ``(D,)``.
        latent_dim: d, at most D.
        noise_scale: s, standard deviation of the decoder.

    Raises:
        ValueError: If the covariance is not symmetric and non-negative, or a setting is out of
            range.

    Reference:
        Lucas, Tucker, Grosse and Norouzi (2019), arXiv:1911.02469, section 4.
    """
    values, vectors = _eigen(covariance, latent_dim)
    if mean.shape != covariance.shape[:1]:
        raise ValueError(
            f"mean must have shape {tuple(covariance.shape[:1])}, got {tuple(mean.shape)}"
        )
    variance = _variance(noise_scale)
    kept = values[:latent_dim].clamp(min=variance)  # W^T W + s^2 I, diagonal
    W = vectors[:, :latent_dim] * (kept - variance).sqrt()
    return LinearVae(
        decoder=LinearGaussian(W, mean.to(W.dtype), noise_scale),
        weight=W.T / kept[:, None],
        log_scale=0.5 * torch.log(variance / kept),
    )


def predict(covariance: Tensor, latent_dim: int, noise_scale: float) -> LinearVaeReport:
    """What :func:`optimum` will show, from the eigenvalues alone; arguments and errors as there.

    The data need not be Gaussian: the ELBO depends on their mean and covariance only.
    """
    values, _ = _eigen(covariance, latent_dim)
    variance = _variance(noise_scale)
    kept = values[:latent_dim].clamp(min=variance)
    # Eigenvalues of the model's covariance W W^T + s^2 I.
    modeled = torch.full_like(values, variance)
    modeled[:latent_dim] = kept
    log_p = -0.5 * (torch.log(2 * math.pi * modeled) + values / modeled).sum()
    mean_variance = 1 - variance / kept
    return LinearVaeReport(
        noise_variance=variance,
        eigenvalues=values[:latent_dim].numpy(),
        kl_per_dim=0.5 * torch.log(kept / variance).numpy(),
        mean_variance=mean_variance.numpy(),
        q_variance=(variance / kept).numpy(),
        active=(mean_variance > _ACTIVE_VARIANCE).numpy(),
        elbo=log_p.item(),
    )


def maximum_likelihood_scale(covariance: Tensor, latent_dim: int) -> float:
    """The decoder scale that maximizes the likelihood: root mean of the discarded eigenvalues.

    Args:
        covariance: Of the data, ddof 0, shape ``(D, D)``.
        latent_dim: d, below D.

    Raises:
        ValueError: If nothing is discarded, or what is discarded has no variance.

    Reference:
        Tipping and Bishop (1999), JRSS B 61, 611-622, equation 8.
    """
    values, _ = _eigen(covariance, latent_dim)
    discarded = values[latent_dim:]
    if len(discarded) == 0 or not discarded.mean() > 1e-12 * values[0]:
        raise ValueError(
            f"the {len(discarded)} eigenvalues beyond the {latent_dim} latents have no variance: "
            "the likelihood grows without bound as the scale goes to zero"
        )
    return math.sqrt(discarded.mean().item())


def _eigen(covariance: Tensor, latent_dim: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues, falling, and eigenvectors as columns; float64."""
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1] or not len(covariance):
        raise ValueError(f"covariance must have shape (D, D), got {tuple(covariance.shape)}")
    if not torch.isfinite(covariance).all():
        raise ValueError("covariance must be finite, got NaN or infinity")
    if not is_count(latent_dim) or latent_dim > len(covariance):
        raise ValueError(
            f"latent_dim must lie in [1, {len(covariance)}], got {latent_dim}: a whole number?"
        )
    covariance = covariance.double()
    scale = covariance.abs().amax().item()
    if not torch.allclose(covariance, covariance.T, rtol=0, atol=1e-6 * scale):
        raise ValueError("covariance must be symmetric: data passed in its place?")
    values, vectors = torch.linalg.eigh(covariance)
    if values[0] < -1e-6 * scale:
        raise ValueError(
            f"covariance must have no negative eigenvalue, got {values[0].item():g}: "
            "computed from too few or rounded numbers?"
        )
    return values.flip(0).clamp(min=0), vectors.flip(1)


def _variance(noise_scale: float) -> float:
    if not 0 < noise_scale < math.inf:
        raise ValueError(f"noise_scale must be positive and finite, got {noise_scale}")
    return noise_scale**2
