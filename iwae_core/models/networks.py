"""Building blocks: an MLP with its own seeded start, and a diagonal normal that networks emit."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iwae_core.sums import over_last

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": nn.functional.softplus,
}


def glorot_uniform(module: nn.Module, generator: torch.Generator) -> None:
    """Fill every linear layer below ``module``: Glorot-uniform weights, zero biases.

    Reference:
        Glorot and Bengio (2010), AISTATS; the start that Burda et al. (2016) use.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            bound = math.sqrt(6 / (layer.in_features + layer.out_features))
            with torch.no_grad():
                layer.weight.uniform_(-bound, bound, generator=generator)
                if layer.bias is not None:
                    layer.bias.zero_()


class Linear(nn.Linear):
    """A linear layer that leaves its numbers unset: :func:`glorot_uniform` draws them.

    ``nn.utils.skip_init`` does so by way of a device without memory, for 0.8 ms a layer; every
    slice of a run builds its network anew.
    """

    def reset_parameters(self) -> None:
        """Draw nothing, least of all from the global generator."""


class Mlp(nn.Module):
    """Hidden layers with one activation, ``(*, sizes[0]) -> (*, sizes[-1])``.

    The parameters are left unset: :func:`glorot_uniform` draws them from a given generator.
    """

    def __init__(self, sizes: Sequence[int], activation: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Linear(n_in, n_out) for n_in, n_out in itertools.pairwise(sizes)
        )
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers in turn."""
        for layer in self.layers:
            x = self.activation(layer(x))
        return x


@dataclass(frozen=True, slots=True)
class DiagonalNormal:
    """A normal with independent coordinates, one per datapoint.

    Attributes:
        loc: Means, shape ``(*B, d)``.
        log_scale: Log standard deviations, shape ``(*B, d)``.
    """

    loc: Tensor
    log_scale: Tensor

    @property
    def scale(self) -> Tensor:
        """Standard deviations, shape ``(*B, d)``."""
        return torch.exp(self.log_scale)

    def from_noise(self, eps: Tensor) -> Tensor:
        """Move standard normal noise ``(K, *B, d)`` to this normal, differentiably."""
        return self.loc + self.scale * eps

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density in nats, ``(K, *B, d) -> (K, *B)``."""
        standardized = (z - self.loc) * torch.exp(-self.log_scale)
        return (
            -0.5 * over_last(standardized.square())
            - self.log_scale.sum(dim=-1)
            - z.shape[-1] * _HALF_LOG_2PI
        )

    def log_prob_per_dim(self, z: Tensor) -> Tensor:
        """Log density of each coordinate in nats, ``(K, *B, d) -> (K, *B, d)``."""
        standardized = (z - self.loc) * torch.exp(-self.log_scale)
        return -0.5 * standardized.square() - self.log_scale - _HALF_LOG_2PI

    def log_prob_from_noise(self, eps: Tensor) -> Tensor:
        r"""Log density at ``from_noise(eps)``: :math:`\log N(\epsilon) - \sum_i \log\sigma_i`.

        The same number and the same gradient as :meth:`log_prob` there, without undoing the
        scaling: with the noise held, a draw's own density changes with the scale alone.

        Args:
            eps: Standard normal noise, shape ``(K, *B, d)``.

        Returns:
            Tensor of shape ``(K, *B)`` in nats.
        """
        return standard_normal_log_prob(eps) - self.log_scale.sum(dim=-1)

    def rows(self, b: Tensor) -> "DiagonalNormal":
        """The normals of the datapoints ``b``, an index tensor of shape ``(N,)``."""
        return DiagonalNormal(self.loc.index_select(0, b), self.log_scale.index_select(0, b))

    def detach(self) -> "DiagonalNormal":
        """The same normal with its parameters cut from the graph."""
        return DiagonalNormal(self.loc.detach(), self.log_scale.detach())

    def kl_to_standard(self) -> Tensor:
        r"""KL to N(0, 1) per coordinate, :math:`\tfrac12(\mu^2 + \sigma^2 - 1) - \log\sigma`.

        Returns:
            Tensor of shape ``(*B, d)`` in nats.
        """
        variance = torch.exp(2 * self.log_scale)
        return 0.5 * (self.loc.square() + variance - 1) - self.log_scale


class NormalHead(nn.Module):
    """One linear layer that emits the mean and the log scale of a diagonal normal."""

    def __init__(self, n_hidden: int, dim: int) -> None:
        super().__init__()
        self.layer = Linear(n_hidden, 2 * dim)

    def forward(self, h: Tensor) -> DiagonalNormal:
        """Hidden units ``(*B, H)`` to a normal over ``(*B, d)``."""
        loc, log_scale = self.layer(h).chunk(2, dim=-1)
        return DiagonalNormal(loc, log_scale)


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """Log density of N(0, I) in nats, ``(*, d) -> (*)``."""
    return -0.5 * over_last(z.square()) - z.shape[-1] * _HALF_LOG_2PI
