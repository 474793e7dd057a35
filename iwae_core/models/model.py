r"""What every trainable model here offers, whichever its latents and its output layer.

A model is three things: a prior over z, a decoder p(x | z), an encoder q(z | x). Bounds, training
and evaluation ask for nothing but the methods of :class:`LatentModel`; a new model defines the few
that differ. Models with several stochastic layers keep their latents side by side in one z, the
layer next to the data first.
"""

import abc
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iwae_core.counts import check_count, is_count
from iwae_core.models.autoregressive import AutoregressiveBernoulli
from iwae_core.models.likelihoods import Bernoulli, Gaussian
from iwae_core.models.networks import (
    ACTIVATIONS,
    DiagonalNormal,
    Mlp,
    NormalHead,
    glorot_uniform,
)
from iwae_core.sampling.draws import Draws

LIKELIHOODS = ("bernoulli", "gaussian")
DECODERS = ("mlp", "autoregressive")

OutputLayer = Bernoulli | Gaussian | AutoregressiveBernoulli

# Rows at a time: 784 float32 logits each, about 3 MB, measured best on a 2 MB second-level cache.
_CACHED_ROWS = 1000


class LatentModel(nn.Module, abc.ABC):
    """Networks next to the data, and the interface of all models.

    Args:
        data_dim: D, numbers per datapoint.
        first_dim: Coordinates of the latent layer next to the data.
        hidden: Widths of the encoder's hidden layers; the decoder mirrors them.
        likelihood: ``"bernoulli"`` for binary data, ``"gaussian"`` for real data.
        activation: ``"tanh"``, ``"relu"`` or ``"softplus"``.
        scale: Fixed standard deviation of a Gaussian likelihood; None learns one per coordinate.
        decoder: ``"mlp"``, or ``"autoregressive"`` for pixels that also see the earlier ones.

    Attributes:
        latent_dim: Coordinates of z over all layers, the last axis of every z.

    Raises:
        ValueError: If a size is not positive, a name is unknown, or the decoder does not go with
            the likelihood.
    """

    def __init__(
        self,
        data_dim: int,
        first_dim: int,
        *,
        hidden: Sequence[int],
        likelihood: str,
        activation: str,
        scale: float | None,
        decoder: str,
    ) -> None:
        super().__init__()
        _check_settings(data_dim, first_dim, hidden, likelihood, activation, scale, decoder)
        self.data_dim = data_dim
        self.latent_dim = first_dim
        self._first_dim = first_dim
        self.encoder = normal_network(data_dim, hidden, first_dim, activation)
        self.decoder = Mlp((first_dim, *reversed(hidden)), activation)
        self.likelihood: OutputLayer
        if decoder == "autoregressive":
            self.likelihood = AutoregressiveBernoulli(hidden[0], data_dim, activation)
        elif likelihood == "bernoulli":
            self.likelihood = Bernoulli(hidden[0], data_dim)
        else:
            self.likelihood = Gaussian(hidden[0], data_dim, scale)

    def start(self, generator: torch.Generator | None, data_mean: Tensor | None) -> None:
        """Draw the initial parameters, or leave them unset without a generator.

        Glorot-uniform with zero biases, except the output bias, which starts at the data's mean
        (Burda et al., 2016), so that the first steps are not spent on learning it.
        """
        if generator is not None:
            glorot_uniform(self, generator)
            if data_mean is not None:
                self.likelihood.start_at(data_mean)

    @abc.abstractmethod
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

    @abc.abstractmethod
    def log_prior(self, z: Tensor) -> Tensor:
        """``log p(z)`` in nats, ``(*, d) -> (*)``."""

    @abc.abstractmethod
    def sample_prior(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw z from the prior, shape ``(n, d)``."""

    @abc.abstractmethod
    def layer_means(
        self, x: Tensor, n_samples: int, generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """Posterior mean of every latent layer, each ``(B, d_l)``, the layer next to x first.

        Layers above the first have no closed form: their conditional mean is averaged over
        ``n_samples`` draws of the layer below (Burda et al., 2016, appendix C).
        """

    @abc.abstractmethod
    def kl_per_unit(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        """What each latent coordinate costs, shape ``(B, d)`` in nats; sums to KL(q || prior).

        Exact where there is one layer, else a mean over ``n_samples`` draws.
        """

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """The encoder's q(z | x) of the layer next to the data, for data of shape ``(B, D)``.

        Raises:
            ValueError: If ``x`` does not have shape ``(B, D)`` and the parameters' type.
        """
        self._check_data(x, self.dtype)
        q: DiagonalNormal = self.encoder(x)
        return q

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of :meth:`posterior`, each of shape ``(B, d)``.

        Raises:
            ValueError: As :meth:`posterior`, or if ``x`` holds NaN or an infinity.
        """
        _check_finite("x", x)
        q = self.posterior(x)
        return q.loc, q.scale

    def decode(self, z: Tensor) -> Tensor:
        """Expected data E[x | z], ``(*, d) -> (*, D)``; pixel probabilities if binary.

        Raises:
            ValueError: If ``z`` does not end in d finite coordinates of the parameters' type.
        """
        self._check_latents(z, self.dtype)
        _check_finite("z", z)
        return self.likelihood.mean(self.decoder(self._next_to_data(z)))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x | z)`` in nats, from ``x (B, D)`` and ``z (K, B, d)`` to ``(K, B)``.

        Training and samplers call this at every step: NaN in gives NaN out.

        Raises:
            ValueError: If the shapes or types do not fit.
        """
        dtype = self.dtype
        self._check_data(x, dtype)
        self._check_latents(z, dtype)
        if z.ndim != 3 or z.shape[1] != len(x):
            raise ValueError(
                f"z must have shape (K, {len(x)}, {self.latent_dim}), one column for each row "
                f"of x, got {tuple(z.shape)}"
            )
        if torch.is_grad_enabled() or z.device.type != "cpu":
            return self._log_likelihood(x, z)
        # Without a graph nothing need be kept, so a few samples at a time stay in the cache.
        few = max(1, _CACHED_ROWS // max(1, len(x)))
        return torch.cat([self._log_likelihood(x, part) for part in z.split(few)])

    def _log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return self.likelihood.log_prob(x, self.decoder(self._next_to_data(z)))

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x, z)`` in nats, shape ``(K, B)``; arguments as :meth:`log_likelihood`."""
        return self.log_likelihood(x, z) + self.log_prior(z)

    def log_weights(self, x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        """``log p(x, z_k) - log q(z_k | x)`` for K draws, shape ``(K, B)`` in nats.

        Arguments and errors as :meth:`draws`; NaN or an infinity in ``x`` is refused too, and so
        are pixels outside [0, 1] where the likelihood is one of binary pixels.
        """
        _check_finite("x", x)
        if not isinstance(self.likelihood, Gaussian):
            _check_pixels(x)
        return self.draws(x, n_samples, generator).log_w()

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs from the model: ``x (n, D)`` and the ``z (n, d)`` they came from."""
        check_count("n", n, at_least=0)
        z = self.sample_prior(n, generator)
        return self.likelihood.sample(self.decoder(self._next_to_data(z)), generator), z

    @property
    def dtype(self) -> torch.dtype:
        """Type of the parameters."""
        # They share it; a search from the root, through all networks, costs 30 microseconds.
        return next(self.decoder.parameters()).dtype

    def _check_data(self, x: Tensor, dtype: torch.dtype) -> None:
        if x.ndim != 2 or x.shape[1] != self.data_dim:
            raise ValueError(
                f"x must have shape (B, {self.data_dim}), got {tuple(x.shape)}: a single "
                "datapoint is x[None]"
            )
        if x.dtype != dtype:
            raise ValueError(f"x must hold {dtype} numbers, got {x.dtype}: call x.to({dtype})")

    def _check_latents(self, z: Tensor, dtype: torch.dtype) -> None:
        # The decoder of x needs the layer next to the data alone.
        dims = (self.latent_dim, self._first_dim)
        if z.ndim == 0 or z.shape[-1] not in dims or z.dtype != dtype:
            which = "" if self.latent_dim == self._first_dim else " for both layers"
            raise ValueError(
                f"z must hold {dtype} numbers with {self.latent_dim} coordinates{which} on the "
                f"last axis, got {z.dtype} of {tuple(z.shape)}"
            )

    def _next_to_data(self, z: Tensor) -> Tensor:
        """The part of z that the decoder of x sees."""
        return z


def normal_network(n_in: int, hidden: Sequence[int], n_out: int, activation: str) -> nn.Sequential:
    """An MLP that emits a :class:`DiagonalNormal`, ``(*, n_in)`` to one over ``(*, n_out)``."""
    return nn.Sequential(Mlp((n_in, *hidden), activation), NormalHead(hidden[-1], n_out))


def check_n_samples(n_samples: int) -> None:
    """Refuse what is no number of samples."""
    check_count("n_samples", n_samples)


def _check_finite(name: str, values: Tensor) -> None:
    if not torch.isfinite(values).all():
        raise ValueError(
            f"{name} holds NaN or an infinity: data were read or scaled wrongly, or an earlier "
            "computation has failed"
        )


def _check_pixels(x: Tensor) -> None:
    if ((x < 0) | (x > 1)).any():
        raise ValueError(
            f"x must lie in [0, 1] for binary pixels, got {x.min().item():g} to "
            f"{x.max().item():g}: intensities not yet divided by their largest value?"
        )


def _check_settings(
    data_dim: int,
    latent_dim: int,
    hidden: Sequence[int],
    likelihood: str,
    activation: str,
    scale: float | None,
    decoder: str,
) -> None:
    faults = []
    if not hidden or not all(map(is_count, (data_dim, latent_dim, *hidden))):
        faults.append(
            "data_dim, latent_dim and every hidden width must be at least 1 and whole, "
            f"got {data_dim}, {latent_dim} and {tuple(hidden)}"
        )
    if likelihood not in LIKELIHOODS:
        faults.append(f"likelihood must be one of {LIKELIHOODS}, got {likelihood!r}")
    if activation not in ACTIVATIONS:
        faults.append(f"activation must be one of {tuple(ACTIVATIONS)}, got {activation!r}")
    if scale is not None and not 0 < scale < math.inf:
        faults.append(f"scale must be positive and finite, got {scale}")
    if decoder not in DECODERS:
        faults.append(f"decoder must be one of {DECODERS}, got {decoder!r}")
    if decoder == "autoregressive" and likelihood != "bernoulli":
        faults.append(
            "the autoregressive decoder draws binary pixels, so it goes with likelihood "
            f"bernoulli only, got {likelihood!r}: real-valued data?"
        )
    if faults:
        raise ValueError("; ".join(faults))
