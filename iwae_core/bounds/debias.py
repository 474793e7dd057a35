r"""Debiasing: take the known leading terms of the bound's error away, and keep the samples.

The importance-weighted bound misses log p(x) by a series in 1 / K,

    E[L_K] = log p(x) + a_1 / K + a_2 / K^2 + ...,      a_1 = -Var(w) / (2 E[w]^2).

The jackknife combines the bounds on K, K - 1, .., K - m of the same samples so that a_1 .. a_m
cancel; the delta method estimates a_1 from the weights and adds it back. Neither result is a
bound: an estimate may lie above log p(x), and what is gained in bias is paid in variance.

Where Var(w) is infinite the series does not exist, and neither method has anything to remove.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.precision import in_float64
from iwae_core.sampling.weights import check_log_w, log_mean_exp

MAX_ORDER = 4
MAX_SUBSETS = 5_000_000  # of one column: C(K, order), about half a second each million and 10 rows
_BLOCK = 1 << 20  # numbers of one intermediate tensor


@dataclass(frozen=True, slots=True)
class Jackknife:
    r"""Jackknifed importance-weighted estimate of log p(x), with bias :math:`O(K^{-(m+1)})`.

    .. math:: \sum_{j=0}^m c_j \bar L_{K-j}, \qquad c_j = (-1)^j \frac{(K-j)^m}{(m-j)!\, j!},

    where :math:`\bar L_{K-j}` is the mean of the bound over all subsets of K - j samples. Order 0
    is the bound itself; order 1 is ``K L_K - (K - 1)`` times the leave-one-out mean.

    Every subset is visited, C(K, m) per datapoint: K = 50 costs 50, 1225, 19,600 and 230,300
    logarithms for orders 1 to 4. The work is in float64 whatever the input, because the
    coefficients grow like K^m / m! (2.6e5 for order 4 at K = 50) and magnify rounding with them.

    Attributes:
        order: m, 0 to 4.

    Reference:
        Nowozin (2018), Debiasing evidence approximations, ICLR; coefficients of Sharot (1976),
        The generalized jackknife, JASA 71(354), 451-454.
    """

    order: int

    def __post_init__(self) -> None:
        if isinstance(self.order, bool) or self.order not in range(MAX_ORDER + 1):
            raise ValueError(f"order must be an integer from 0 to {MAX_ORDER}, got {self.order}")

    def __call__(self, log_w: Tensor) -> Tensor:
        """Estimate ``(*B,)`` from log weights ``(K, *B)``, in nats.

        Raises:
            ValueError: If K is not above the order, if C(K, order) subsets are too many, or if a
                column holds no more positive weights than the order: a subset would weigh zero.
        """
        check_log_w(log_w)
        K, m = log_w.shape[0], self.order
        if m == 0:
            return log_mean_exp(log_w)
        if m >= K:
            raise ValueError(f"Jackknife({m}) needs more than {m} samples, got K = {K}")
        if math.comb(K, m) > MAX_SUBSETS:
            raise ValueError(
                f"Jackknife({m}) visits C(K, {m}) subsets, at most {MAX_SUBSETS:,}; got K = {K} "
                f"with {math.comb(K, m):,}: take a lower order or fewer samples"
            )
        ordered = in_float64(log_w).reshape(K, -1).sort(dim=0, descending=True).values
        if torch.isneginf(ordered[m]).any():
            raise ValueError(
                f"Jackknife({m}) needs more than {m} positive weights in every column: leaving "
                "the positive ones out gives log 0; the proposal misses most of the target"
            )
        # The coefficients sum to one, so the largest log weight can be set aside meanwhile.
        top = ordered[0]
        means = torch.stack([_leave_out_mean(ordered - top, j) for j in range(m + 1)])
        coefficients = means.new_tensor(sharot_coefficients(K, m))
        estimate = top + (coefficients.unsqueeze(1) * means).sum(dim=0)
        return estimate.reshape(log_w.shape[1:]).to(log_w)


def sharot_coefficients(n_samples: int, order: int) -> list[float]:
    r"""Coefficients :math:`c_j = (-1)^j (K-j)^m / ((m-j)!\,j!)` for j = 0 .. m; they sum to one.

    >>> sharot_coefficients(10, 1)
    [10.0, -9.0]

    Raises:
        ValueError: If ``order`` is negative or ``n_samples`` not above it.
    """
    check_count("order", order, at_least=0)
    check_count("n_samples", n_samples, at_least=order + 1)
    return [
        (-1) ** j * (n_samples - j) ** order / (math.factorial(order - j) * math.factorial(j))
        for j in range(order + 1)
    ]


def delta_method(log_w: Tensor) -> Tensor:
    r"""The bound plus its leading error, :math:`L_K + \widehat{Var}(w) / (2 K \bar w^2)`.

    The variance has ddof 1. The bias left is :math:`O(K^{-2})`.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``.

    Returns:
        Tensor of shape ``(*B,)`` in nats.

    Raises:
        ValueError: If K is 1, or see :func:`iwae_core.sampling.weights.check_log_w`.

    Reference:
        Nowozin (2018), ICLR, section 3; Teh, Newman and Welling (2006), NeurIPS.

    >>> round(delta_method(torch.tensor([0.0, 2.0])).item(), 4)
    1.7238
    """
    check_log_w(log_w)
    K = log_w.shape[0]
    if K < 2:
        raise ValueError(f"delta_method needs a variance, so at least 2 samples, got K = {K}")
    log_mean = log_mean_exp(log_w)
    if log_w.numel() == 0:
        return log_mean  # no column: torch would warn of the variance of nothing
    # w_k / mean(w) is at most K, however large or small the weights are.
    return log_mean + torch.exp(log_w - log_mean).var(dim=0, correction=1) / (2 * K)


def _leave_out_mean(log_w: Tensor, n_left_out: int) -> Tensor:
    """Mean of the bound over all subsets without ``n_left_out`` samples, ``(K, B) -> (B,)``.

    The columns descend. A subset is filed under its own largest weight, number i: then 0 .. i - 1
    are left out, i stays, and the rest of what is left out lies behind i. Relative to w_i the sum
    that stays is at least one, so subtracting from the total loses nothing; leaving a dominant
    weight out by ``total - w`` would leave rounding noise.
    """
    K, B = log_w.shape
    total = torch.zeros_like(log_w[0])
    for i in range(n_left_out + 1):
        n_behind = n_left_out - i
        if n_behind > K - 1 - i:
            continue
        w = torch.exp(log_w[i + 1 :] - log_w[i])
        kept = 1 + w.sum(dim=0)
        total = total + math.comb(K - 1 - i, n_behind) * log_w[i]
        for rows in _subsets(len(w), n_behind).split(max(1, _BLOCK // max(1, B))):
            left_out = sum((w[column] for column in rows.T), torch.zeros_like(kept))
            total = total + torch.log(kept - left_out).expand(len(rows), -1).sum(dim=0)
    return total / math.comb(K, n_left_out) - math.log(K - n_left_out)


def _subsets(n: int, size: int) -> Tensor:
    """All subsets of ``range(n)``, one ascending row each, shape ``(C(n, size), size)``."""
    rows = torch.zeros(1, 0, dtype=torch.int64)
    last = torch.full((1,), -1)
    for _ in range(size):
        n_next = n - 1 - last
        before = torch.repeat_interleave(n_next.cumsum(0) - n_next, n_next)
        last = torch.arange(len(before)) - before + torch.repeat_interleave(last, n_next) + 1
        rows = torch.cat([rows.repeat_interleave(n_next, dim=0), last.unsqueeze(1)], dim=1)
    return rows
