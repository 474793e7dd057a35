r"""The variational autoencoder: one network for the VAE and for the IWAE.

    prior       p(z) = N(0, I)
    decoder     p_theta(x | z): Bernoulli pixels or a Gaussian, from an MLP of z
    encoder     q_phi(z | x) = N(mu_phi(x), diag sigma_phi(x)^2), from an MLP of x

Nothing in this file knows which bound trains it. The model offers K draws and their weights; the
VAE and the IWAE differ only in how :mod:`iwae_core.bounds` averages them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from iwae_core.models.model import DECODERS, LIKELIHOODS, LatentModel, check_n_samples
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.rng import standard_normal
from iwae_core.sampling.draws import Draws

__all__ = ["DECODERS", "LIKELIHOODS", "Vae"]


class Vae(LatentModel):
    """A VAE with one stochastic layer.

    Args:
        data_dim: D, numbers per datapoint.
        latent_dim: d, latent coordinates.
        hidden: Widths of the encoder's hidden layers; the decoder mirrors them.
        likelihood: ``"bernoulli"`` for binary data, ``"gaussian"`` for real data.
        activation: ``"tanh"``, ``"relu"`` or ``"softplus"``.
        scale: Fixed standard deviation of a Gaussian likelihood; None learns one per coordinate.
        decoder: ``"mlp"``, or ``"autoregressive"`` for pixels that also see the earlier ones.
        data_mean: Mean of the training data, shape ``(D,)``, for the output bias.
        generator: Draws the initial parameters. None leaves them unset, for ``load_state_dict``.

    Raises:
        ValueError: If a size is not positive, a name is unknown, or the decoder does not go with
            the likelihood.
    """

    def __init__(
        self,
        data_dim: int,
        latent_dim: int,
        *,
        hidden: Sequence[int] = (200, 200),
        likelihood: str = "bernoulli",
        activation: str = "tanh",
        scale: float | None = None,
        decoder: str = "mlp",
        data_mean: Tensor | None = None,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__(
            data_dim,
            latent_dim,
            hidden=hidden,
            likelihood=likelihood,
            activation=activation,
            scale=scale,
            decoder=decoder,
        )
        self.start(generator, data_mean)

    def draws(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Draws:
        """K draws from q(z | x) and their weights; see :meth:`LatentModel.draws`."""
        check_n_samples(n_samples)
        q = self.posterior(x)
        eps = standard_normal((n_samples, *q.loc.shape), generator, dtype=q.loc.dtype)
        return self._draws_from(x, q, eps)

    def _draws_from(self, x: Tensor, q: DiagonalNormal, eps: Tensor) -> Draws:
        return Draws(
            z=q.from_noise(eps),
            log_likelihood=lambda z: self.log_likelihood(x, z),
            log_prior=standard_normal_log_prob,
            log_q=q.log_prob,
            log_q_path=q.detach().log_prob,
            log_q_z=q.log_prob_from_noise(eps),
            kl_per_dim=q.kl_to_standard,
            pick=lambda k, b: self._draws_from(x[b], q.rows(b), eps[k, b].unsqueeze(0)),
        )

    def log_prior(self, z: Tensor) -> Tensor:
        """``log N(z; 0, I)`` in nats, ``(*, d) -> (*)``."""
        return standard_normal_log_prob(z)

    def sample_prior(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw z from N(0, I), shape ``(n, d)``."""
        return standard_normal((n, self.latent_dim), generator, dtype=self.dtype)

    def layer_means(
        self, x: Tensor, n_samples: int, generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """The encoder's mean, exact: neither samples nor noise are used."""
        return (self.posterior(x).loc,)

    def kl_per_unit(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        """KL(q(z_i | x) || N(0, 1)), ``(B, d)`` in nats, exact: no noise is used."""
        return self.posterior(x).kl_to_standard()
