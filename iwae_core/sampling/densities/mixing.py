"""What mixtures on the line and in d dimensions share."""

import math
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from iwae_core.rng import uniform
from iwae_core.sampling.densities.base import Density, Shape


def check_mixture(components: Sequence[Density], weights: Sequence[float], event_dim: int) -> None:
    """Refuse components that do not mix and weights that are no probabilities."""
    if len(components) == 0 or len(components) != len(weights):
        raise ValueError(
            f"a mixture needs one weight per component, got {len(components)} components "
            f"and {len(weights)} weights"
        )
    if any(c.event_dim != event_dim for c in components):
        raise ValueError(f"every component must have event_dim {event_dim}")
    if any(c.log_normalizer != 0 for c in components):
        raise ValueError("components must be normalized: take the density that Scaled wraps")
    if not all(0 < w <= 1 for w in weights) or abs(math.fsum(weights) - 1) > 1e-9:
        raise ValueError(f"weights must be positive and sum to one, got {tuple(weights)}")


def mixture_log_prob(weights: Sequence[float], log_probs: Sequence[Tensor]) -> Tensor:
    """Logarithm of the weighted sum of densities, in nats."""
    parts = [log_p + math.log(w) for w, log_p in zip(weights, log_probs, strict=True)]
    return reduce(torch.logaddexp, parts)  # of a few, faster than logsumexp


def choose(weights: Sequence[float], shape: Shape, generator: torch.Generator) -> Tensor:
    """Component numbers drawn by weight, int64 of shape ``shape``."""
    u = uniform(shape, generator)
    edges = torch.tensor(weights, dtype=torch.float64, device=u.device).cumsum(dim=0)
    return torch.searchsorted(edges, u, right=True).clamp(max=len(weights) - 1)
