r"""Pareto smoothed importance sampling: how heavy is the right tail of the weights?

The largest weights decide whether an average of weights can be trusted. By extreme value theory
the excess of a weight over a high threshold follows a generalized Pareto law
:math:`(1 + k x / \sigma)^{-1/k}`; moments of order :math:`1/k` and above are infinite. So k-hat,
fitted to the top ``3 sqrt(K)`` weights (``K / 5`` for K up to 225), says what the draws
themselves cannot show: above :data:`VARIANCE_LIMIT` the variance is infinite, above
:data:`TRUST_LIMIT` the estimate should not be trusted at any practical K.

The fit is Zhang and Stephens' (2009) with the weak prior of Vehtari et al. on k. Results equal
``arviz_stats`` wherever the fit exists. Where it does not, this file says:

* ``inf`` if K is below 25, or if a quarter of the tail ties with the threshold or is zero beside
  the largest weight (745 nats below): no tail can be fitted, so nothing vouches for the weights.
  (``arviz_stats`` 0.8 then divides zero by zero and reports the bare prior, ``5 / (n + 10)``,
  which looks harmless even where one draw holds all the weight; for fewer than 25 draws it
  raises.)
* ``-inf`` if the whole tail is one value up to rounding: the largest weight is shared, so the
  weights are bounded. A proposal equal to the target has this. (``arviz_stats`` raises.)

Reference:
    Vehtari, Simpson, Gelman, Yao and Gabry (2024), JMLR 25(72); Zhang and Stephens (2009),
    Technometrics 51(3), 316-325.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.precision import in_float64
from iwae_core.sampling.weights import check_log_w

VARIANCE_LIMIT = 0.5
TRUST_LIMIT = 0.7
MIN_TAIL = 5  # draws
MIN_DRAWS = 5 * MIN_TAIL


class _Fit(NamedTuple):
    """A fitted tail; tensors of shape ``(B,)``, ``rank`` and ``log_tail`` of ``(n, B)``."""

    k: Tensor
    sigma: Tensor
    threshold: Tensor
    rank: Tensor
    log_tail: Tensor


def tail_length(n_draws: int) -> int:
    """Number of largest weights that count as the tail.

    >>> tail_length(225), tail_length(1000)
    (45, 94)

    Raises:
        ValueError: If ``n_draws`` is negative or not whole.
    """
    check_count("n_draws", n_draws, at_least=0)
    return math.floor(3 * math.sqrt(n_draws)) if n_draws > 225 else n_draws // 5


def k_hat(log_w: Tensor) -> Tensor:
    """Shape of the generalized Pareto law fitted to the largest weights.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        Tensor of shape ``(*B,)``, without gradient; ``inf`` where no tail can be fitted and
        ``-inf`` where there is none (see the module's text). Never NaN.

    Raises:
        ValueError: See :func:`iwae_core.sampling.weights.check_log_w`.

    >>> z = torch.linspace(-3, 3, 1000, dtype=torch.float64)
    >>> k_hat(-0.5 * z**2).item() < 0.5, k_hat(torch.zeros(1000)).item()
    (True, -inf)
    """
    check_log_w(log_w)
    columns = in_float64(log_w.detach()).reshape(log_w.shape[0], -1)
    fit = _fit(columns, torch.finfo(log_w.dtype).eps, ranked=False)
    return fit.k.reshape(log_w.shape[1:]).to(log_w)


def smooth(log_w: Tensor) -> tuple[Tensor, Tensor]:
    """Replace the largest weights by expected order statistics of the fitted tail.

    The weights keep their scale, so ``log_mean_exp`` of the result still estimates the
    normalizer; ``arviz_stats.psislw`` returns the same weights divided by their sum. No weight is
    raised above the largest raw one. Columns with an infinite k-hat come back as they are.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        Smoothed log weights of shape ``(K, *B)`` in nats, and k-hat of shape ``(*B,)``; both
        without gradient.

    Raises:
        ValueError: See :func:`iwae_core.sampling.weights.check_log_w`.
    """
    check_log_w(log_w)
    columns = in_float64(log_w.detach()).reshape(log_w.shape[0], -1)
    fit = _fit(columns, torch.finfo(log_w.dtype).eps, ranked=True)
    n_tail = len(fit.rank)
    peak = columns.amax(dim=0)
    # Quantiles of the fitted law at the middles of n equal steps, largest first as in `rank`.
    p = (torch.arange(n_tail, 0, -1, device=columns.device).double() - 0.5) / max(n_tail, 1)
    spread = torch.expm1(-fit.k * torch.log1p(-p)[:, None]) / fit.k
    spread = torch.where(fit.k == 0, -torch.log1p(-p)[:, None], spread)
    smoothed = peak + torch.log(fit.threshold + fit.sigma * spread).clamp(max=0.0)
    fitted = torch.isfinite(fit.k) & (fit.sigma > 0)
    columns = columns.scatter(0, fit.rank, torch.where(fitted, smoothed, fit.log_tail))
    k = fit.k.reshape(log_w.shape[1:]).to(log_w)
    return columns.reshape(log_w.shape).to(log_w), k


def _fit(log_w: Tensor, eps: float, *, ranked: bool) -> _Fit:
    """Fit the tail of each column of ``log_w`` (float64, ``(K, B)``).

    Equal weights have no order among them; ``ranked`` puts the first one first.
    """
    K, B = log_w.shape
    n_tail = tail_length(K)
    if n_tail < MIN_TAIL:
        empty = log_w.new_zeros(0, B)
        nothing = log_w.new_full((B,), math.inf)
        return _Fit(nothing, nothing, nothing, empty.long(), empty)
    largest, order = torch.topk(log_w, n_tail + 1, dim=0)  # many times as fast as a sort
    if ranked and (largest[1:] == largest[:-1]).any():
        largest, order = torch.sort(log_w, dim=0, descending=True, stable=True)
    log_tail, rank = largest[:n_tail], order[:n_tail]
    peak, log_threshold = log_tail[0], largest[n_tail]
    threshold = torch.exp(log_threshold - peak)
    excess = torch.exp(log_tail.flip(0) - peak) - threshold  # smallest first
    k, sigma = _zhang_stephens(excess)
    # Rounding of log densities of this size is no tail.
    size = torch.where(torch.isneginf(log_w), 0.0, log_w).abs().amax(dim=0)
    noise = 8 * eps * size.clamp(min=1.0)
    flat = peak - log_tail[-1] <= noise
    k = torch.where(torch.isnan(k), math.inf, k)
    k = torch.where(flat, -math.inf, k)
    return _Fit(k, sigma, threshold, rank, log_tail)


def _zhang_stephens(x: Tensor) -> tuple[Tensor, Tensor]:
    """Shape and scale of the generalized Pareto law of excesses ``x`` (n, B), smallest first."""
    n = len(x)
    m = 30 + int(n**0.5)
    grid = torch.arange(1, m + 1, device=x.device).double()[:, None]
    # b = -k / sigma, on a grid of quantiles of its prior
    b = (1 - torch.sqrt(m / (grid - 0.5))) / (3 * x[int(n / 4 + 0.5) - 1]) + 1 / x[-1]
    k = torch.stack([torch.log1p(-b_i * x).mean(dim=0) for b_i in b])
    log_likelihood = n * (torch.log(-b / k) - k - 1)
    weight = torch.softmax(log_likelihood, dim=0)
    weight = torch.where(weight >= 10 * torch.finfo(torch.float64).eps, weight, 0.0)
    b_mean = (b * weight).sum(dim=0) / weight.sum(dim=0)
    k_mean = torch.log1p(-b_mean * x).mean(dim=0)
    sigma = -k_mean / b_mean
    return (n * k_mean + 5) / (n + 10), sigma
