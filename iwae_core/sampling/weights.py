r"""What a set of log weights says: averages, normalized weights and three measures of health.

An importance sampler draws :math:`z_1 .. z_K \sim q` and keeps, for each draw, one number
:math:`\log w_k = \log p(x, z_k) - \log q(z_k \mid x)` in nats. Everything in this file is a pure
function of that tensor. Its shape is ``(K, *B)``: axis 0 is always the K samples, the rest is the
batch. Nothing here exponentiates before subtracting the largest log weight, so log weights of
-1000 or +1000 are as safe as those near zero.
"""

import math

import torch
from torch import Tensor


def check_log_w(log_w: Tensor) -> None:
    """Refuse log weights that no importance sampler can have made.

    Raises:
        ValueError: If ``log_w`` has no sample axis or no sample, is not floating point, holds NaN
            or +inf, or if every weight of a column is zero.
    """
    check_samples(log_w)
    if torch.isnan(log_w).any() or torch.isposinf(log_w).any():
        raise ValueError(
            "log_w holds NaN or +inf: a density is undefined or infinite at a sample, "
            "or training has diverged"
        )
    if torch.isneginf(log_w).all(dim=0).any():
        raise ValueError("every weight is zero: the proposal never visits the target's support")


def check_samples(log_w: Tensor) -> None:
    """Refuse a tensor without samples: the part of :func:`check_log_w` that reads no number.

    Raises:
        ValueError: If ``log_w`` is no tensor, has no sample axis or no sample, or is not floating
            point.
    """
    check_tensor("log_w", log_w)
    if log_w.ndim == 0 or log_w.shape[0] == 0:
        raise ValueError(
            f"log_w needs at least one sample on axis 0, got shape {tuple(log_w.shape)}"
        )
    if not log_w.is_floating_point():
        raise ValueError(f"log_w must hold floating-point numbers, got {log_w.dtype}")


def check_tensor(name: str, values: object) -> None:
    """Refuse what is no tensor: everything here computes on torch's.

    Raises:
        ValueError: If ``values`` is an array, a list or a number.
    """
    if not isinstance(values, Tensor):
        raise ValueError(
            f"{name} must be a torch tensor, got {type(values).__name__}: "
            "call torch.as_tensor on it"
        )


def log_mean_exp(log_w: Tensor) -> Tensor:
    r"""Logarithm of the mean weight, :math:`\log \frac1K \sum_k w_k`.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``.

    Returns:
        Tensor of shape ``(*B,)`` in nats; ``-inf`` where every weight is zero, NaN where one
        weight is: training calls this at every step and looks at the result.

    Raises:
        ValueError: See :func:`check_samples`.

    >>> round(log_mean_exp(torch.tensor([0.0, 2.0], dtype=torch.float64)).item(), 5)
    1.43378
    """
    check_samples(log_w)
    return torch.logsumexp(log_w, dim=0) - math.log(log_w.shape[0])


def normalize(log_w: Tensor) -> Tensor:
    r"""Normalized weights :math:`w_k / \sum_j w_j`.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        Tensor of shape ``(K, *B)``, non-negative, summing to one over axis 0.

    Raises:
        ValueError: See :func:`check_log_w`.
    """
    check_log_w(log_w)
    return torch.softmax(log_w, dim=0)


def ess(log_w: Tensor) -> Tensor:
    r"""Kish effective sample size, :math:`(\sum_k w_k)^2 / \sum_k w_k^2`.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        Tensor of shape ``(*B,)`` in draws, between 1 and K.

    Raises:
        ValueError: See :func:`check_log_w`.

    Reference:
        Kong, Liu and Wong (1994), JASA 89(425), 278-288.

    >>> ess(torch.zeros(4)).item()
    4.0
    """
    w = _relative(log_w)
    return w.sum(dim=0).square() / w.square().sum(dim=0)


def perplexity(log_w: Tensor) -> Tensor:
    r"""Exponential of the weights' entropy, :math:`\exp(-\sum_k \bar w_k \log \bar w_k)`.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        Tensor of shape ``(*B,)`` in draws, between 1 and K, never below :func:`ess`.

    Raises:
        ValueError: See :func:`check_log_w`.

    Reference:
        Cappe, Douc, Guillin, Marin and Robert (2008), Statistics and Computing 18, 447-459.
    """
    check_log_w(log_w)
    below = log_w - log_w.amax(dim=0)
    w = torch.exp(below)
    total = w.sum(dim=0)
    # With w_k = total * share: the entropy of the shares is log total - sum w log(w) / total.
    # A weight of zero adds nothing; its logarithm must not meet it, in the gradient neither.
    surprise = -w * torch.where(w > 0, below, 0.0)
    return total * torch.exp(surprise.sum(dim=0) / total)


def max_weight(log_w: Tensor) -> Tensor:
    """Share of the total weight that the heaviest draw holds.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        Tensor of shape ``(*B,)`` in [1 / K, 1].

    Raises:
        ValueError: See :func:`check_log_w`.
    """
    return 1 / _relative(log_w).sum(dim=0)


def _relative(log_w: Tensor) -> Tensor:
    """Weights as multiples of the largest one, ``(K, *B)``.

    Differences of log sums would round away percents where log weights are of size 1e4.
    """
    check_log_w(log_w)
    return torch.exp(log_w - log_w.amax(dim=0))
