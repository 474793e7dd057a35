r"""How likely a model finds data: the importance-weighted bound with many samples, streamed.

:math:`L_K` with K = 5000 is the field's estimate of log p(x). It is a lower bound in expectation,
never an upper one, and how far below it lies depends on q: two models are compared only with the
same K and the same data.
"""

import math

import torch
from torch import Tensor

from iwae_core.models.vae import Vae
from iwae_core.sampling.weights import log_mean_exp


@torch.no_grad()
def log_likelihood(
    model: Vae, x: Tensor, n_samples: int, generator: torch.Generator, *, chunk: int = 8192
) -> Tensor:
    r"""Importance-weighted estimate :math:`L_K` of log p(x), for each datapoint.

    Memory does not grow with ``n_samples``: weights are summed as they are drawn.

    Args:
        model: A model with ``log_weights``.
        x: Data, shape ``(B, D)``; binary data must be binarized already.
        n_samples: K, samples per datapoint.
        generator: Source of the noise, on the model's device.
        chunk: Decoder evaluations at a time; decides memory, and the noise with the generator.

    Returns:
        Tensor of shape ``(B,)`` in nats, float64.

    Raises:
        ValueError: If ``n_samples`` or ``chunk`` is below 1.
    """
    if n_samples < 1 or chunk < 1:
        raise ValueError(f"n_samples and chunk must be at least 1, got {n_samples} and {chunk}")
    return torch.cat(
        [_streamed(model, rows, n_samples, generator, chunk) for rows in x.split(chunk)]
    )


def _streamed(
    model: Vae, x: Tensor, n_samples: int, generator: torch.Generator, chunk: int
) -> Tensor:
    log_sum = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)
    per_pass = max(1, chunk // len(x))
    for start in range(0, n_samples, per_pass):
        K = min(per_pass, n_samples - start)
        log_w = model.log_weights(x, K, generator).double()
        log_sum = torch.logaddexp(log_sum, log_mean_exp(log_w) + math.log(K))
    return log_sum - math.log(n_samples)
