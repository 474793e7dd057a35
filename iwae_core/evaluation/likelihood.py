r"""How likely a model finds data: the importance-weighted bound with many samples, streamed.

:math:`L_K` with K = 5000 is the field's estimate of log p(x). It is a lower bound in expectation,
never an upper one, and how far below it lies depends on q: two models are compared only with the
same K and the same data.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from iwae_core.counts import is_count
from iwae_core.denormals import flushed
from iwae_core.evaluation.inputs import check_data
from iwae_core.precision import in_float64
from iwae_core.sampling.weights import log_mean_exp

# Samples per datapoint that one pass has at least, where K allows: each pass runs the encoder
# once per datapoint, which then costs at most 1/64 of the decoder's work.
_SAMPLES_PER_PASS = 64


class Weighted(Protocol):
    """A model that draws log weights; a :class:`iwae_core.models.vae.Vae` is one."""

    def log_weights(self, x: Tensor, n_samples: int, generator: torch.Generator, /) -> Tensor:
        """``log p(x, z_k) - log q(z_k | x)`` for K draws, shape ``(K, B)`` in nats."""
        ...


@flushed()
@torch.no_grad()
def log_likelihood(
    model: Weighted, x: Tensor, n_samples: int, generator: torch.Generator, *, chunk: int = 8192
) -> Tensor:
    r"""Importance-weighted estimate :math:`L_K` of log p(x), for each datapoint.

    Memory does not grow with ``n_samples``: weights are summed as they are drawn, in float64.

    Args:
        model: A model with ``log_weights``.
        x: Data, shape ``(B, D)``; binary data must be binarized already.
        n_samples: K, samples per datapoint.
        generator: Source of the noise, on the model's device.
        chunk: Decoder evaluations at a time; decides memory, and the noise with the generator.

    Returns:
        Tensor of shape ``(B,)`` in nats, float64; ``-inf`` where every weight was zero.

    Raises:
        ValueError: If ``n_samples`` or ``chunk`` is below 1, if ``x`` is no finite matrix, or if
            the model gives NaN or +inf.
    """
    if not (is_count(n_samples) and is_count(chunk)):
        raise ValueError(
            f"n_samples and chunk must be at least 1, got {n_samples} and {chunk}: whole numbers?"
        )
    check_data(x)
    n_rows = max(1, chunk // min(n_samples, _SAMPLES_PER_PASS))
    return torch.cat(
        [_streamed(model, rows, n_samples, generator, chunk) for rows in x.split(n_rows)]
    )


def _streamed(
    model: Weighted, x: Tensor, n_samples: int, generator: torch.Generator, chunk: int
) -> Tensor:
    log_sum = in_float64(torch.full((len(x),), -math.inf, device=x.device))
    per_pass = max(1, chunk // len(x))
    for start in range(0, n_samples, per_pass):
        K = min(per_pass, n_samples - start)
        log_w = in_float64(model.log_weights(x, K, generator))
        log_sum = torch.logaddexp(log_sum, log_mean_exp(log_w) + math.log(K))
    if torch.isnan(log_sum).any() or torch.isposinf(log_sum).any():
        raise ValueError("a log weight is NaN or +inf: the model's parameters have diverged")
    return log_sum - math.log(n_samples)
