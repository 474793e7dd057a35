r"""Multiple importance sampling: draws from several proposals, weighted as one set.

With :math:`n_i` draws from proposal :math:`q_i`, a heuristic shares the credit for a point among
the proposals that could have made it. Both heuristics here are written as log weights
``(K, *B)``, K = sum of the counts, so every tool for log weights applies:

* balance: :math:`w = p / \sum_i \frac{n_i}{K} q_i`, the weight against the mixture of all;
* power: for a draw of proposal i,
  :math:`w = \frac{K}{n_i} \frac{(n_i q_i)^\beta}{\sum_j (n_j q_j)^\beta} \frac{p}{q_i}`, which
  trusts the likeliest proposal more; :math:`\beta = 1` is the balance heuristic.

The counts are fixed, so the draws are stratified by proposal: :func:`multiple_importance` knows
this and its standard error is smaller than that of :func:`importance` on the same weights.

Reference:
    Veach and Guibas (1995), SIGGRAPH, 419-428; Owen (2013), sections 9.11 and 9.12.
"""

import math
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from iwae_core.counts import is_count
from iwae_core.precision import in_float64
from iwae_core.sampling import psis, weights
from iwae_core.sampling.densities import Density
from iwae_core.sampling.densities.base import Shape
from iwae_core.sampling.estimators import (
    Estimate,
    check_f,
    common,
    mean_and_error,
    rescale,
    weighted,
)


def sample_each(
    proposals: Sequence[Density],
    counts: Sequence[int],
    generator: torch.Generator,
    repeats: Shape = (),
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw ``counts[i]`` points from each proposal, one after the other along axis 0.

    Returns:
        Tensor of shape ``(K, *repeats)``, followed by d where ``event_dim`` is 1.

    Raises:
        ValueError: If the proposals and counts do not match or do not belong together.
    """
    check_proposals(proposals, counts)
    draws = [
        q.sample((n, *repeats), generator, dtype) for q, n in zip(proposals, counts, strict=True)
    ]
    return torch.cat(draws)


def balance_log_weights(
    target: Density, proposals: Sequence[Density], counts: Sequence[int], z: Tensor
) -> Tensor:
    """Log weights of the balance heuristic.

    Args:
        target: Density to average under.
        proposals: Normalized densities.
        counts: Number of draws from each.
        z: Draws in the order of :func:`sample_each`.

    Returns:
        Tensor of shape ``(K, *B)`` in nats.

    Raises:
        ValueError: If the proposals, counts and draws do not match.
    """
    return power_log_weights(target, proposals, counts, z, power=1.0)


def power_log_weights(
    target: Density,
    proposals: Sequence[Density],
    counts: Sequence[int],
    z: Tensor,
    power: float = 2.0,
) -> Tensor:
    """Log weights of the power heuristic; arguments as :func:`balance_log_weights`.

    Args:
        target: Density to average under.
        proposals: Normalized densities.
        counts: Number of draws from each.
        z: Draws in the order of :func:`sample_each`.
        power: The exponent, from 0 (credit shared by number of proposals alone) to 100.

    Raises:
        ValueError: As :func:`balance_log_weights`, or if the power is out of range.
    """
    check_proposals(proposals, counts)
    if not 0 <= power <= 100:
        raise ValueError(f"power must lie between 0 and 100, got {power}: 1 is balance")
    K = sum(counts)
    if z.ndim == 0 or len(z) != K:
        raise ValueError(
            f"z must hold the {K} draws of all proposals on axis 0, got shape {tuple(z.shape)}"
        )
    log_q = torch.stack([q.log_prob(z) for q in proposals])  # (I, K, *B)
    return heuristic_log_weights(target.log_prob(z), log_q, counts, power)


def heuristic_log_weights(
    log_p: Tensor, log_q: Tensor, counts: Sequence[int], power: float
) -> Tensor:
    """As :func:`power_log_weights`, from log densities that are known already.

    Args:
        log_p: Of the target at the draws, nats, shape ``(K, *B)``.
        log_q: Of each proposal at all draws, shape ``(I, K, *B)``.
        counts: Number of draws from each proposal, in their order along axis 0 of ``log_p``.
        power: The exponent.

    Raises:
        ValueError: If a draw lies outside the support of its own proposal.
    """
    K = len(log_p)
    n = torch.tensor(counts, dtype=log_q.dtype, device=log_q.device)
    log_rate = log_q + n.log().reshape(-1, *[1] * (log_q.ndim - 1))
    # A proposal that cannot reach a point gets no credit for it, whatever the power.
    shared = torch.where(log_rate > -math.inf, power * log_rate, -math.inf)
    source = torch.repeat_interleave(torch.arange(len(counts), device=log_q.device), n.long())
    own = source.reshape(1, K, *[1] * (log_q.ndim - 2)).expand(1, *log_q.shape[1:])
    log_credit = shared.gather(0, own)[0] - reduce(torch.logaddexp, shared)
    log_own = log_rate.gather(0, own)[0]
    if torch.isneginf(log_own).any():
        raise ValueError(
            "a draw lies outside the support of the proposal it is said to come from: are the "
            "draws in the order of the counts?"
        )
    return log_p + log_credit - log_own + math.log(K)


def multiple_importance(f: Tensor, log_w: Tensor, counts: Sequence[int]) -> Estimate:
    r"""Unbiased estimate from draws of several proposals.

    The value is the mean of ``w f``; the variance adds up within each proposal,
    :math:`\sum_i \frac{n_i}{K^2} s_i^2`, because the counts are fixed.

    Args:
        f: Values at the draws, shape ``(K, *B)``.
        log_w: Log weights of a heuristic, shape ``(K, *B)``, of a normalized target.
        counts: Number of draws of each proposal, in order; their sum is K.

    Returns:
        The estimate; the standard error is ``inf`` if a proposal has a single draw.

    Raises:
        ValueError: If shapes or counts do not match, ``f`` is not finite, or log weights are
            impossible.
    """
    check_f(f, log_w)
    check_counts(counts)
    K = len(f)
    if sum(counts) != K:
        raise ValueError(f"counts must add up to the {K} draws, got {tuple(counts)}")
    like = common(f, log_w)
    log_scale, products = weighted(f, log_w)
    variance = torch.zeros_like(products[0])
    for part, n in zip(products.split(list(counts)), counts, strict=True):
        _, error = mean_and_error(part)
        variance = variance + (n / K * error).square()
    return Estimate(
        value=rescale(products.mean(dim=0), log_scale, like),
        std_error=torch.exp(log_scale + 0.5 * variance.log()).to(like),
        ess=weights.ess(in_float64(log_w.detach())).to(like),
        k_hat=psis.k_hat(log_w).to(like),
    )


def check_counts(counts: Sequence[int]) -> None:
    """Refuse counts that are not positive whole numbers."""
    if len(counts) == 0 or not all(is_count(n) for n in counts):
        raise ValueError(f"every proposal needs a whole number of draws, got {tuple(counts)}")


def check_proposals(proposals: Sequence[Density], counts: Sequence[int]) -> None:
    """Refuse proposals and counts that do not belong together."""
    check_counts(counts)
    if len(proposals) != len(counts):
        raise ValueError(f"got {len(proposals)} proposals but {len(counts)} counts")
    if len({q.event_dim for q in proposals}) > 1:
        raise ValueError("proposals must all be on the line or all in d dimensions")
    if any(q.log_normalizer != 0 for q in proposals):
        raise ValueError("proposals must be normalized: take the density that Scaled wraps")
