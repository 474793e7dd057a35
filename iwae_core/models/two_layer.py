r"""A VAE with two stochastic layers (Burda et al., 2016, the second network).

    generative   z2 ~ N(0, I),   z1 | z2 ~ N(m(z2), diag t(z2)^2),   x | z1 ~ p(x | z1)
    inference    z1 | x ~ N(mu1(x), diag s1(x)^2),   z2 | z1 ~ N(mu2(z1), diag s2(z1)^2)

The two layers stand side by side in one ``z = [z1, z2]``, so a log weight is again one number per
draw and every bound and estimator applies unchanged:

    log w = log p(z2) + log p(z1 | z2) + log p(x | z1) - log q(z1 | x) - log q(z2 | z1)

q(z2 | z1) depends on the sampled z1, so KL(q || p) has no closed form.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call

from iwae_core.counts import is_count
from iwae_core.models.model import LatentModel, check_n_samples, normal_network
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.rng import standard_normal
from iwae_core.sampling.draws import Draws


class TwoLayerVae(LatentModel):
    """A VAE with two stochastic layers.

    Args:
        data_dim: D, numbers per datapoint.
        latent_dims: d1 (next to the data) and d2.
        hidden: Widths between x and z1; the decoder mirrors them.
        second_hidden: Widths between z1 and z2; the decoder mirrors them.
        likelihood: ``"bernoulli"`` for binary data, ``"gaussian"`` for real data.
        activation: ``"tanh"``, ``"relu"`` or ``"softplus"``.
        scale: Fixed standard deviation of a Gaussian likelihood; None learns one per coordinate.
        decoder: ``"mlp"``, or ``"autoregressive"`` for pixels that also see the earlier ones.
        data_mean: Mean of the training data, shape ``(D,)``, for the output bias.
        generator: Draws the initial parameters. None leaves them unset, for ``load_state_dict``.

    Attributes:
        latent_dim: d1 + d2, the last axis of every z.
        latent_dims: d1 and d2.

    Raises:
        ValueError: If a size is not positive, a name is unknown, or the decoder does not go with
            the likelihood.
    """

    def __init__(
        self,
        data_dim: int,
        latent_dims: tuple[int, int] = (100, 50),
        *,
        hidden: Sequence[int] = (200, 200),
        second_hidden: Sequence[int] = (100, 100),
        likelihood: str = "bernoulli",
        activation: str = "tanh",
        scale: float | None = None,
        decoder: str = "mlp",
        data_mean: Tensor | None = None,
        generator: torch.Generator | None,
    ) -> None:
        if len(latent_dims) != 2:
            raise ValueError(f"latent_dims must be two sizes (d1, d2), got {tuple(latent_dims)}")
        first, second = latent_dims
        super().__init__(
            data_dim,
            first,
            hidden=hidden,
            likelihood=likelihood,
            activation=activation,
            scale=scale,
            decoder=decoder,
        )
        if not second_hidden or not all(map(is_count, (second, *second_hidden))):
            raise ValueError(
                "the second layer and every width of second_hidden must be at least 1 and "
                "whole, "
                f"got {second} and {tuple(second_hidden)}"
            )
        self.latent_dims = (first, second)
        self.latent_dim = first + second
        self.second_encoder = normal_network(first, second_hidden, second, activation)
        self.second_decoder = normal_network(
            second, tuple(reversed(second_hidden)), first, activation
        )
        self.start(generator, data_mean)

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The layers ``z1 (*, d1)`` and ``z2 (*, d2)`` of ``z (*, d1 + d2)``.

        Raises:
            ValueError: If the last axis does not hold both layers.
        """
        if z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"z must hold both layers, {self.latent_dims[0]} + {self.latent_dims[1]} "
                f"coordinates, got shape {tuple(z.shape)}"
            )
        return z[..., : self.latent_dims[0]], z[..., self.latent_dims[0] :]

    def draws(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Draws:
        """K draws of both layers and their weights; see :meth:`LatentModel.draws`.

        The graph of z2 leads through z1 to the first encoder. ``log_q_path`` holds the parameters
        of both encoders and keeps the way in which q(z2 | z1) depends on z1.
        """
        check_n_samples(n_samples)
        q1 = self.posterior(x)
        shape = (n_samples, len(x), self.latent_dim)
        return self._draws_from(x, q1, standard_normal(shape, generator, dtype=q1.loc.dtype))

    def _draws_from(self, x: Tensor, q1: DiagonalNormal, eps: Tensor) -> Draws:
        eps1, eps2 = eps.split(self.latent_dims, dim=-1)
        z1 = q1.from_noise(eps1)
        q2: DiagonalNormal = self.second_encoder(z1)
        drawn = torch.cat([z1, q2.from_noise(eps2)], dim=-1)

        def log_q(z: Tensor) -> Tensor:
            at1, at2 = self.split(z)
            # The second encoder has seen this z1 already; any other z needs a pass of its own.
            second = q2 if z is drawn else self.second_encoder(at1)
            return q1.log_prob(at1) + second.log_prob(at2)

        def log_q_path(z: Tensor) -> Tensor:
            at1, at2 = self.split(z)
            held = {name: value.detach() for name, value in self.second_encoder.named_parameters()}
            second: DiagonalNormal = functional_call(self.second_encoder, held, (at1,))
            return q1.detach().log_prob(at1) + second.log_prob(at2)

        return Draws(
            z=drawn,
            log_likelihood=lambda z: self.log_likelihood(x, z),
            log_prior=self.log_prior,
            log_q=log_q,
            log_q_path=log_q_path,
            pick=lambda k, b: self._draws_from(x[b], q1.rows(b), eps[k, b].unsqueeze(0)),
        )

    def log_prior(self, z: Tensor) -> Tensor:
        """``log p(z2) + log p(z1 | z2)`` in nats, ``(*, d1 + d2) -> (*)``."""
        z1, z2 = self.split(z)
        given_z2: DiagonalNormal = self.second_decoder(z2)
        return standard_normal_log_prob(z2) + given_z2.log_prob(z1)

    def sample_prior(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw z2, then z1 given z2; shape ``(n, d1 + d2)``."""
        eps1, z2 = standard_normal((n, self.latent_dim), generator, dtype=self.dtype).split(
            self.latent_dims, dim=-1
        )
        given_z2: DiagonalNormal = self.second_decoder(z2)
        return torch.cat([given_z2.from_noise(eps1), z2], dim=-1)

    def layer_means(
        self, x: Tensor, n_samples: int, generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """E[z1 | x] exactly, and E[z2 | x] as the mean of mu2(z1) over draws of z1."""
        check_n_samples(n_samples)
        q1 = self.posterior(x)
        eps = standard_normal((n_samples, *q1.loc.shape), generator, dtype=q1.loc.dtype)
        return q1.loc, self.second_encoder(q1.from_noise(eps)).loc.mean(dim=0)

    def kl_per_unit(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        r"""Mean over draws of each unit's part of log q(z | x) - log p(z), ``(B, d1 + d2)``.

        Units of layer 2 give the exact KL(q(z2_j | z1) || N(0, 1)) at each draw of z1; a unit of
        layer 1 gives log q(z1_i | x) - log p(z1_i | z2), which a few draws may leave below zero.
        """
        z1, z2 = self.split(self.draws(x, n_samples, generator).z)
        given_z2: DiagonalNormal = self.second_decoder(z2)
        q2: DiagonalNormal = self.second_encoder(z1)
        first = self.posterior(x).log_prob_per_dim(z1) - given_z2.log_prob_per_dim(z1)
        return torch.cat([first, q2.kl_to_standard()], dim=-1).mean(dim=0)

    def _next_to_data(self, z: Tensor) -> Tensor:
        """z1; given z1, x does not depend on z2, so z1 alone is taken as well."""
        if z.shape[-1] == self.latent_dims[0]:
            return z
        return self.split(z)[0]
