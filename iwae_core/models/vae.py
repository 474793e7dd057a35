r"""The variational autoencoder: one network for the VAE and for the IWAE.

    prior       p(z) = N(0, I)
    decoder     p_theta(x | z): Bernoulli pixels or a Gaussian, from an MLP of z
    encoder     q_phi(z | x) = N(mu_phi(x), diag sigma_phi(x)^2), from an MLP of x

Nothing in this file knows which bound trains it. The model offers K draws and their weights; the
VAE and the IWAE differ only in how :mod:`iwae_core.bounds` averages them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iwae_core.models.likelihoods import Bernoulli, Gaussian
from iwae_core.models.networks import (
    ACTIVATIONS,
    DiagonalNormal,
    Mlp,
    NormalHead,
    glorot_uniform,
    standard_normal_log_prob,
)
from iwae_core.rng import standard_normal
from iwae_core.sampling.draws import Draws

LIKELIHOODS = ("bernoulli", "gaussian")


class Vae(nn.Module):
    """A VAE with one stochastic layer.

    The start is Glorot-uniform with zero biases, except the output bias, which starts at the
    data's mean (Burda et al., 2016), so that the first steps are not spent on learning it.

    Args:
        data_dim: D, numbers per datapoint.
        latent_dim: d, latent coordinates.
        hidden: Widths of the encoder's hidden layers; the decoder mirrors them.
        likelihood: ``"bernoulli"`` for binary data, ``"gaussian"`` for real data.
        activation: ``"tanh"``, ``"relu"`` or ``"softplus"``.
        scale: Fixed standard deviation of a Gaussian likelihood; None learns one per coordinate.
        data_mean: Mean of the training data, shape ``(D,)``, for the output bias.
        generator: Draws the initial parameters. None leaves them unset, for ``load_state_dict``.

    Raises:
        ValueError: If a size is not positive or a name is unknown.
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
        data_mean: Tensor | None = None,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        _check_sizes(data_dim, latent_dim, hidden, likelihood, activation, scale)
        self.data_dim = data_dim
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            Mlp((data_dim, *hidden), activation), NormalHead(hidden[-1], latent_dim)
        )
        self.decoder = Mlp((latent_dim, *reversed(hidden)), activation)
        self.likelihood = (
            Bernoulli(hidden[0], data_dim)
            if likelihood == "bernoulli"
            else Gaussian(hidden[0], data_dim, scale)
        )
        if generator is not None:
            glorot_uniform(self, generator)
            if data_mean is not None:
                self.likelihood.start_at(data_mean)

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """The encoder's q(z | x) for data of shape ``(B, D)``.

        Raises:
            ValueError: If ``x`` does not have shape ``(B, D)``.
        """
        if x.ndim != 2 or x.shape[1] != self.data_dim:
            raise ValueError(f"x must have shape (B, {self.data_dim}), got {tuple(x.shape)}")
        q: DiagonalNormal = self.encoder(x)
        return q

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | x), each of shape ``(B, d)``."""
        q = self.posterior(x)
        return q.loc, q.scale

    def decode(self, z: Tensor) -> Tensor:
        """Expected data E[x | z], ``(*, d) -> (*, D)``; pixel probabilities if binary."""
        return self.likelihood.mean(self.decoder(z))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x | z)`` in nats, from ``x (B, D)`` and ``z (K, B, d)`` to ``(K, B)``."""
        return self.likelihood.log_prob(x, self.decoder(z))

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x, z)`` in nats, shape ``(K, B)``."""
        return self.log_likelihood(x, z) + standard_normal_log_prob(z)

    def draws(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Draws:
        """K reparameterized draws from q(z | x) with everything that weighs them.

        The encoder runs once per datapoint, whatever K.

        Args:
            x: Data, shape ``(B, D)``.
            n_samples: K, at least 1.
            generator: Source of the noise, on the model's device.

        Raises:
            ValueError: If ``n_samples`` is below 1 or ``x`` has the wrong shape.
        """
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}")
        q = self.posterior(x)
        eps = standard_normal((n_samples, *q.loc.shape), generator, dtype=q.loc.dtype)
        return Draws(
            z=q.from_noise(eps),
            log_likelihood=lambda z: self.log_likelihood(x, z),
            log_prior=standard_normal_log_prob,
            log_q=q.log_prob,
            log_q_path=q.detach().log_prob,
            kl_per_dim=q.kl_to_standard(),
        )

    def log_weights(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        """``log p(x, z_k) - log q(z_k | x)`` for K draws, shape ``(K, B)`` in nats.

        Args:
            x: Data, shape ``(B, D)``.
            n_samples: K, at least 1.
            generator: Source of the noise, on the model's device.

        Raises:
            ValueError: If ``n_samples`` is below 1 or ``x`` has the wrong shape.
        """
        return self.draws(x, n_samples, generator).log_w()

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs from the model: ``x (n, D)`` and the ``z (n, d)`` they came from."""
        dtype = next(self.parameters()).dtype
        z = standard_normal((n, self.latent_dim), generator, dtype=dtype)
        return self.likelihood.sample(self.decoder(z), generator), z


def _check_sizes(
    data_dim: int,
    latent_dim: int,
    hidden: Sequence[int],
    likelihood: str,
    activation: str,
    scale: float | None,
) -> None:
    faults = []
    if data_dim < 1 or latent_dim < 1 or not hidden or min(hidden) < 1:
        faults.append(
            "data_dim, latent_dim and every hidden width must be at least 1, "
            f"got {data_dim}, {latent_dim} and {tuple(hidden)}"
        )
    if likelihood not in LIKELIHOODS:
        faults.append(f"likelihood must be one of {LIKELIHOODS}, got {likelihood!r}")
    if activation not in ACTIVATIONS:
        faults.append(f"activation must be one of {tuple(ACTIVATIONS)}, got {activation!r}")
    if scale is not None and not scale > 0:
        faults.append(f"scale must be positive, got {scale}")
    if faults:
        raise ValueError("; ".join(faults))
