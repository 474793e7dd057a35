r"""From draws to numbers: estimates of :math:`E_p[f]` with their standard errors.

Each estimator takes ``f`` at the draws and the log weights, both ``(K, *B)``, and returns an
:class:`Estimate` of tensors ``(*B,)``: two hundred repeats are one call with ``B = (200,)``.
Sums run in float64 on numbers scaled by the largest term, so weights of ``e**-800`` or ``e**800``
lose nothing. Results have the common dtype and the device of the inputs and carry no gradient.
The functions named ``..._value`` give the estimate alone, in a fraction of the time, to who knows
its error otherwise, as from repeats.

A standard error describes the spread of the estimate *if the variance is finite*, and it is
itself estimated from the draws: read it together with ``ess`` and ``k_hat``. It is ``inf`` for a
single draw.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.precision import in_float64
from iwae_core.sampling import psis, weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an estimator knows about its answer; all tensors of shape ``(*B,)``."""

    value: Tensor  # the estimate, in the unit of f
    std_error: Tensor  # its standard error, in the unit of f; inf where K is too small
    ess: Tensor  # Kish effective sample size of the weights, in draws
    k_hat: Tensor  # tail shape of the weights; see iwae_core.sampling.psis


def monte_carlo(f: Tensor) -> Estimate:
    r"""Plain average :math:`\frac1K \sum_k f(z_k)` over draws from the target itself.

    Args:
        f: Values at the draws, shape ``(K, *B)``.

    Returns:
        The estimate; ``ess`` is K and ``k_hat`` is -inf, since all weights are one.

    Raises:
        ValueError: If ``f`` has no draw, is not floating point, or holds NaN or inf.

    >>> monte_carlo(torch.tensor([1.0, 2.0, 6.0])).value.item()
    3.0
    """
    check_f(f)
    K, f64 = len(f), in_float64(f.detach())
    size = _size(f64)
    mean, error = mean_and_error(f64 / size)
    return Estimate(
        value=(size * mean).to(f),
        std_error=(size * error).to(f),
        ess=torch.full_like(f[0], K),
        k_hat=torch.full_like(f[0], -math.inf),
    )


def importance(f: Tensor, log_w: Tensor) -> Estimate:
    r"""Unbiased importance sampling, :math:`\frac1K \sum_k w_k f(z_k)`.

    Needs normalized densities: with an unnormalized target it estimates :math:`Z\,E_p[f]`, which
    with ``f = 1`` is the normalizer itself.

    Args:
        f: Values at the draws, shape ``(K, *B)``.
        log_w: Log weights ``log p - log q`` in nats, shape ``(K, *B)``.

    Returns:
        The estimate; its standard error is the sample deviation of ``w f`` over ``sqrt(K)``.

    Raises:
        ValueError: If the shapes differ, ``f`` is not finite, the log weights are impossible
            (:func:`iwae_core.sampling.weights.check_log_w`), or the answer overflows.

    >>> importance(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])).value.item()
    2.0
    """
    check_f(f, log_w)
    log_scale, products = weighted(f, log_w)
    mean, error = mean_and_error(products)
    like = common(f, log_w)
    return _estimate(rescale(mean, log_scale, like), _times(error, log_scale, like), log_w)


def importance_value(f: Tensor, log_w: Tensor) -> Tensor:
    """The value of :func:`importance` alone, shape ``(*B,)``."""
    check_f(f, log_w)
    log_scale, products = weighted(f, log_w)
    return rescale(products.mean(dim=0), log_scale, common(f, log_w))


def self_normalized(f: Tensor, log_w: Tensor) -> Estimate:
    r"""Self-normalized importance sampling, :math:`\sum_k \bar w_k f(z_k)`.

    Constant factors of either density cancel. The bias is
    :math:`-\mathrm{Cov}(w, w (f - \mu)) / K + O(K^{-2})` for weights of mean one, and the
    standard error is the delta method's,
    :math:`(\frac{K}{K - 1} \sum_k \bar w_k^2 (f_k - \hat\mu)^2)^{1/2}`.

    Args:
        f: Values at the draws, shape ``(K, *B)``.
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        The estimate, between the smallest and the largest ``f``.

    Raises:
        ValueError: If the shapes differ, ``f`` is not finite or the log weights are impossible.

    Reference:
        Owen (2013), Monte Carlo theory, methods and examples, section 9.2.

    >>> f = torch.tensor([0.0, 1.0])
    >>> self_normalized(f, torch.tensor([1.0, 3.0]).log()).value.item()
    0.75
    """
    check_f(f, log_w)
    value, error = _self_normalized(f, log_w)
    like = common(f, log_w)
    return _estimate(value.to(like), error.to(like), log_w)


def self_normalized_value(f: Tensor, log_w: Tensor) -> Tensor:
    """The value of :func:`self_normalized` alone, shape ``(*B,)``."""
    check_f(f, log_w)
    size, w, scaled = _shares(f, log_w)
    return (size * (w * scaled).sum(dim=0)).to(common(f, log_w))


def pareto_smoothed(f: Tensor, log_w: Tensor) -> Estimate:
    """Self-normalized estimate with the largest weights smoothed: a little bias, less variance.

    Trust it where ``k_hat`` is below :data:`iwae_core.sampling.psis.TRUST_LIMIT`. The standard
    error and ``ess`` are those of the smoothed weights.

    Args:
        f: Values at the draws, shape ``(K, *B)``.
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.

    Returns:
        The estimate; ``k_hat`` is that of the raw weights.

    Raises:
        ValueError: If the shapes differ, ``f`` is not finite or the log weights are impossible.

    Reference:
        Vehtari, Simpson, Gelman, Yao and Gabry (2024), JMLR 25(72).
    """
    check_f(f, log_w)
    smoothed, k_hat = psis.smooth(log_w)
    value, error = _self_normalized(f, smoothed)
    like = common(f, log_w)
    return Estimate(
        value=value.to(like),
        std_error=error.to(like),
        ess=weights.ess(in_float64(smoothed)).to(like),
        k_hat=k_hat.to(like),
    )


def pareto_smoothed_value(f: Tensor, log_w: Tensor) -> Tensor:
    """The value of :func:`pareto_smoothed` alone, shape ``(*B,)``."""
    check_f(f, log_w)
    return self_normalized_value(f, psis.smooth(log_w)[0])


def control_variate(f: Tensor, log_w: Tensor) -> Estimate:
    r"""Importance sampling that knows :math:`E_q[w] = 1`.

    The mean of ``w f`` is corrected along its regression on the mean weight,
    :math:`\overline{w f} - \hat\beta (\bar w - 1)`: asymptotically never worse than
    :func:`importance`, and exact where f is constant. Needs normalized densities; the estimated
    slope costs a bias of order 1/K.

    Args:
        f: Values at the draws, shape ``(K, *B)``.
        log_w: Log weights in nats, shape ``(K, *B)``, of normalized densities.

    Returns:
        The estimate; the standard error, from the residuals with K - 2 degrees of freedom, is
        ``inf`` for fewer than three draws.

    Raises:
        ValueError: As :func:`importance`.

    Reference:
        Hesterberg (1995), Technometrics 37(2), 185-194.
    """
    value, error = _regressed(f, log_w)
    return _estimate(value, error, log_w)


def control_variate_value(f: Tensor, log_w: Tensor) -> Tensor:
    """The value of :func:`control_variate` alone, shape ``(*B,)``."""
    return _regressed(f, log_w)[0]


def _regressed(f: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """Value and standard error of :func:`control_variate`."""
    check_f(f, log_w)
    K, like = len(f), common(f, log_w)
    log_scale, products = weighted(f, log_w)
    peak, w = weighted(torch.ones_like(f), log_w)
    w_mean, product_mean = w.mean(dim=0), products.mean(dim=0)
    w_apart, product_apart = w - w_mean, products - product_mean
    spread = w_apart.square().sum(dim=0)
    # Equal weights teach nothing; their rounding must not be regressed on.
    rounding = 64 * torch.finfo(log_w.dtype).eps
    flat = (spread <= K * (rounding * w_mean) ** 2) | (K < 2)
    slope = torch.where(flat, 0.0, (w_apart * product_apart).sum(dim=0) / spread)
    rest = product_mean - slope * w_mean
    # The mean weight 1 is exp(-peak) in the scaled unit; that may overflow, the product may not.
    value = rescale(rest, log_scale, like) + rescale(slope, log_scale - peak, like)
    residual = (product_apart - slope * w_apart).square().sum(dim=0)
    lost = torch.where(flat, 1, 2)
    error = torch.sqrt(residual / (K - lost).clamp(min=1) / K).where(K - lost > 0, math.inf)
    return value, _times(error, log_scale, like)


def check_f(f: Tensor, log_w: Tensor | None = None) -> None:
    """Refuse integrand values that no estimator can average.

    Raises:
        ValueError: If one of them is no tensor, or ``f`` has no draw, is not floating point, holds
            NaN or inf, or does not have the shape of ``log_w``.
    """
    weights.check_tensor("f", f)
    if log_w is not None:
        weights.check_tensor("log_w", log_w)
    if log_w is not None and f.shape != log_w.shape:
        raise ValueError(
            f"f and log_w need one value per draw each, got shapes {tuple(f.shape)} and "
            f"{tuple(log_w.shape)}: was f summed or broadcast before?"
        )
    if f.ndim == 0 or f.shape[0] == 0:
        raise ValueError(f"f needs at least one draw on axis 0, got shape {tuple(f.shape)}")
    if not f.is_floating_point():
        raise ValueError(f"f must hold floating-point numbers, got {f.dtype}: call f.float()")
    if not torch.isfinite(f).all():
        raise ValueError("f holds NaN or inf: the integrand is undefined or infinite at a draw")
    if log_w is not None:
        weights.check_log_w(log_w)


def weighted(f: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """Products ``w f`` as ``exp(log_scale)`` times terms of size at most one, in float64.

    Returns:
        ``log_scale`` of shape ``(*B,)`` in nats and the terms, shape ``(K, *B)``.
    """
    f, log_w = in_float64(f.detach()), in_float64(log_w.detach())
    log_size = torch.log(f.abs()) + log_w
    log_scale = log_size.amax(dim=0)
    log_scale = torch.where(torch.isneginf(log_scale), 0.0, log_scale)
    return log_scale, f.sign() * torch.exp(log_size - log_scale)


def mean_and_error(terms: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over axis 0 and its standard error; ``inf`` for one draw."""
    K = len(terms)
    mean = terms.mean(dim=0)
    if K == 1 or terms.numel() == 0:  # torch warns of the deviation of nothing
        return mean, torch.full_like(mean, math.inf)
    return mean, terms.std(dim=0) / math.sqrt(K)


def common(f: Tensor, log_w: Tensor) -> Tensor:
    """An empty tensor of the dtype and the device that the results for ``f`` have."""
    return f.new_empty(0, dtype=torch.promote_types(f.dtype, log_w.dtype))


def rescale(scaled: Tensor, log_scale: Tensor, like: Tensor) -> Tensor:
    """Undo the scaling of :func:`weighted`; the result has the dtype and the device of ``like``.

    Raises:
        ValueError: If the result is too large for the dtype.
    """
    value = _times(scaled, log_scale, like)
    if not torch.isfinite(value).all():
        raise ValueError(
            f"the estimate is too large for {like.dtype}, its logarithm reaches "
            f"{(log_scale + torch.log(scaled.abs())).max().item():.0f} nats: are both densities "
            "normalized? if not, use self_normalized"
        )
    return value


def _times(scaled: Tensor, log_scale: Tensor, like: Tensor) -> Tensor:
    # exp of the sum: exp(log_scale) alone may overflow where the product does not.
    size = torch.exp(log_scale + torch.log(scaled.abs()))
    return (scaled.sign() * size).to(like)


def _size(f: Tensor) -> Tensor:
    """Largest size of f per column, one where f is zero: squares of f / size stay finite."""
    size = f.abs().amax(dim=0)
    return torch.where(size > 0, size, 1.0)


def _self_normalized(f: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """Value and standard error of the self-normalized estimate, in float64."""
    K = len(f)
    size, w, scaled = _shares(f, log_w)
    value = (w * scaled).sum(dim=0)
    if K == 1:
        return size * value, torch.full_like(value, math.inf)
    variance = (w * (scaled - value)).square().sum(dim=0) * K / (K - 1)
    return size * value, size * variance.sqrt()


def _shares(f: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Size of f per column, normalized weights, and f over its size; float64."""
    f64 = in_float64(f.detach())
    size = _size(f64)
    return size, torch.softmax(in_float64(log_w.detach()), dim=0), f64 / size


def _estimate(value: Tensor, std_error: Tensor, log_w: Tensor) -> Estimate:
    log_w = log_w.detach()
    return Estimate(
        value=value,
        std_error=std_error,
        ess=weights.ess(in_float64(log_w)).to(value),
        k_hat=psis.k_hat(log_w).to(value),
    )
