r"""Output layers: from the decoder's last hidden units to log p(x | z).

The last layer and the likelihood are one step here, because that is where a binary-data VAE
spends its time: with K = 50, batch 100 and 784 pixels each elementwise pass over the logits
touches 16 MB. Working from logits is also what keeps the numbers right: a pixel that is 0 where
the model says "logit 20" costs 20 nats and keeps its gradient; a probability clamped to
``1 - 1e-6`` costs 14 and has none.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from iwae_core.models.networks import Linear
from iwae_core.rng import standard_normal

START_SCALE = 0.5  # of a learned Gaussian noise
_LOG_2PI = math.log(2 * math.pi)
# The logarithm of a product of numbers in [1/2, 1] replaces the sum of their logarithms; 112
# factors (784 = 7 * 112) keep it above 2**-112, inside float32's normal numbers.
_FACTORS = 112
# One product of h with W^T (x - 1/2) costs as much as about eight passes over one sample's logits.
_FEW_SAMPLES = 8


def _sum_log_sigmoid_abs(magnitude: Tensor) -> Tensor:
    """Sum of log sigmoid(|l|) over the last axis; overwrites ``magnitude``."""
    share = magnitude.sigmoid_()
    whole = share.shape[-1] // _FACTORS * _FACTORS
    groups = share[..., :whole].reshape(*share.shape[:-1], whole // _FACTORS, _FACTORS)
    total = groups.prod(dim=-1).log_().sum(dim=-1)
    if whole < share.shape[-1]:
        total += share[..., whole:].prod(dim=-1).log_()
    return total


class _BernoulliFromHidden(torch.autograd.Function):
    r"""log p(x | h) for logits ``l = h W^T + b``, with a gradient that stores only the logits.

    :math:`x l - \mathrm{softplus}(l) = (x - \tfrac12) l - \tfrac12 |l| + \log\sigma(|l|)`.
    The first term, summed over pixels, is a product of h with ``W^T (x - 1/2)``, which for many
    samples is cheaper than a pass over the logits. The second and third never overflow. The
    derivative by l is ``x - sigmoid(l)``, that by x is l.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        K, B, H = h.shape
        logits = torch.addmm(bias, h.reshape(K * B, H), weight.t())
        ctx.save_for_backward(h, weight, x, logits)
        linear = _linear_term(h, weight, bias, x, logits)
        return _bernoulli_log_prob(linear, logits.abs())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        h, weight, x, logits = ctx.saved_tensors
        K, B, H = h.shape
        D = logits.shape[1]
        grad_x = None
        if ctx.needs_input_grad[3]:
            grad_x = (grad.unsqueeze(-1) * logits.view(K, B, D)).sum(dim=0)
        residual = torch.sigmoid(logits).view(K, B, D)
        torch.sub(x, residual, out=residual)
        residual = residual.view(K * B, D)
        # The factor of each sample goes onto the hidden units, which are fewer than the pixels.
        scale = grad.reshape(K * B, 1)
        grad_weight = residual.t() @ (scale * h.reshape(K * B, H))
        grad_bias = (scale.t() @ residual).squeeze(0)
        grad_h = (residual @ weight).mul_(scale).view(K, B, H) if ctx.needs_input_grad[0] else None
        return grad_h, grad_weight, grad_bias, grad_x


_bernoulli_from_hidden: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = (
    _BernoulliFromHidden.apply
)


def _linear_term(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor, logits: Tensor) -> Tensor:
    """Sum over pixels of (x - 1/2) l, shape (K, B)."""
    K, B, _ = h.shape
    centred = x - 0.5
    if K <= _FEW_SAMPLES:
        return (logits.view(K, B, logits.shape[-1]) * centred).sum(dim=-1)
    return (h * (centred @ weight)).sum(dim=-1) + centred @ bias


def _bernoulli_log_prob(linear: Tensor, magnitude: Tensor) -> Tensor:
    """Shape (K, B) from |logits| of shape (K * B, D), which are overwritten."""
    half_norm = 0.5 * magnitude.sum(dim=-1)
    return linear + (_sum_log_sigmoid_abs(magnitude) - half_norm).view_as(linear)


class Bernoulli(nn.Module):
    """Independent binary pixels, ``p(x_j = 1 | h) = sigmoid(w_j h + b_j)``."""

    def __init__(self, n_hidden: int, data_dim: int) -> None:
        super().__init__()
        self.logits = Linear(n_hidden, data_dim)

    def start_at(self, data_mean: Tensor) -> None:
        """Set the output bias to the logit of the data's mean, kept inside (0.001, 0.999)."""
        with torch.no_grad():
            self.logits.bias.copy_(torch.logit(data_mean, eps=1e-3))

    def log_prob(self, x: Tensor, h: Tensor) -> Tensor:
        """Log likelihood in nats.

        Args:
            x: Binary data, shape ``(B, D)``.
            h: Hidden units, shape ``(K, B, H)``.

        Returns:
            Tensor of shape ``(K, B)``.
        """
        weight, bias = self.logits.weight, self.logits.bias
        if torch.is_grad_enabled():
            return _bernoulli_from_hidden(h, weight, bias, x)
        K, B, H = h.shape
        logits = torch.addmm(bias, h.reshape(K * B, H), weight.t())
        linear = _linear_term(h, weight, bias, x, logits)
        return _bernoulli_log_prob(linear, logits.abs_())

    def mean(self, h: Tensor) -> Tensor:
        """Expected data, ``(*, H) -> (*, D)``, in [0, 1]."""
        return torch.sigmoid(self.logits(h))

    def sample(self, h: Tensor, generator: torch.Generator) -> Tensor:
        """Draw binary data, ``(*, H) -> (*, D)``."""
        return torch.bernoulli(self.mean(h), generator=generator)


class Gaussian(nn.Module):
    """Independent normal coordinates with a learned mean and one scale per coordinate.

    The scale does not depend on z: a scale that may shrink to zero at single points has no
    maximum likelihood (Mattei and Frellsen, 2018, arXiv:1802.04826).

    Attributes:
        log_scale: Log standard deviation per coordinate, shape ``(D,)``; a parameter if
            ``scale`` was not given, else a constant.
    """

    log_scale: Tensor

    def __init__(self, n_hidden: int, data_dim: int, scale: float | None = None) -> None:
        super().__init__()
        self.loc = Linear(n_hidden, data_dim)
        if scale is None:
            # Below the data's own unit scale: from there the noise explains everything at first,
            # and the latents collapse before the decoder has learned to use them.
            self.log_scale = nn.Parameter(torch.full((data_dim,), math.log(START_SCALE)))
        else:
            self.register_buffer("log_scale", torch.full((data_dim,), math.log(scale)))

    def start_at(self, data_mean: Tensor) -> None:
        """Set the output bias to the data's mean."""
        with torch.no_grad():
            self.loc.bias.copy_(data_mean)

    def log_prob(self, x: Tensor, h: Tensor) -> Tensor:
        """Log likelihood in nats; shapes as :meth:`Bernoulli.log_prob`."""
        standardized = (x - self.loc(h)) * torch.exp(-self.log_scale)
        log_normalizer = self.log_scale.sum() + 0.5 * x.shape[-1] * _LOG_2PI
        return -0.5 * standardized.square().sum(dim=-1) - log_normalizer

    def mean(self, h: Tensor) -> Tensor:
        """Expected data, ``(*, H) -> (*, D)``."""
        return functional.linear(h, self.loc.weight, self.loc.bias)

    def sample(self, h: Tensor, generator: torch.Generator) -> Tensor:
        """Draw data, ``(*, H) -> (*, D)``."""
        loc = self.mean(h)
        return loc + torch.exp(self.log_scale) * standard_normal(loc.shape, generator, loc.dtype)
