r"""Resampling: trade weights for copies, so that equal-weight points stand for the target.

Each scheme returns which draws to copy, int64 of shape ``(n_draws, *B)``. All are unbiased: draw
k is copied ``n_draws * w_k`` times on average. They differ in the noise they add:

* multinomial: n independent choices;
* stratified: one choice in each of n equal slices of the cumulated weight, never noisier;
* systematic: the same offset in every slice, one random number in all; draw k is copied
  ``floor`` or ``ceil`` of ``n_draws * w_k`` times. Usually the least noise, but its gain depends
  on the order of the draws.

Reference:
    Douc, Cappe and Moulines (2005), ISPA, 64-69.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.precision import in_float64
from iwae_core.rng import uniform
from iwae_core.sampling import weights
from iwae_core.sampling.estimators import Estimate, check_f, self_normalized

Scheme = Callable[[Tensor, int, torch.Generator], Tensor]
# (log_w (K, *B), n_draws, generator) -> indices (n_draws, *B)


def multinomial(log_w: Tensor, n_draws: int, generator: torch.Generator) -> Tensor:
    """Independent choices by weight.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.
        n_draws: Number of copies n.
        generator: Source of the choices, on the device of ``log_w``.

    Returns:
        Indices into axis 0, int64 ``(n, *B)``.

    Raises:
        ValueError: If the log weights are impossible or ``n_draws`` is below one.
    """
    check_resampling(log_w, n_draws)
    return _pick(log_w, uniform((n_draws, *log_w.shape[1:]), generator))


def stratified(log_w: Tensor, n_draws: int, generator: torch.Generator) -> Tensor:
    """One choice in each of ``n_draws`` slices; arguments as :func:`multinomial`.

    Raises:
        ValueError: See :func:`multinomial`.
    """
    check_resampling(log_w, n_draws)
    offsets = uniform((n_draws, *log_w.shape[1:]), generator)
    return _pick(log_w, (_slices(log_w, n_draws) + offsets) / n_draws)


def systematic(log_w: Tensor, n_draws: int, generator: torch.Generator) -> Tensor:
    """One offset for all ``n_draws`` slices; arguments as :func:`multinomial`.

    Raises:
        ValueError: See :func:`multinomial`.
    """
    check_resampling(log_w, n_draws)
    offset = uniform((1, *log_w.shape[1:]), generator)
    return _pick(log_w, (_slices(log_w, n_draws) + offset) / n_draws)


def copies(log_w: Tensor, n_draws: int, generator: torch.Generator, scheme: Scheme) -> Tensor:
    """How often a scheme copies each draw: all that a mean over its copies asks for.

    Much faster than the indices of many repeats: within equal slices the cumulated weight itself
    says how many choices lie below it, and others are sorted first.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.
        n_draws: Number of copies n.
        generator: Source of the choices; the copies are those that the scheme would make of it.
        scheme: :func:`multinomial`, :func:`stratified` or :func:`systematic`.

    Returns:
        Counts of shape ``(K, *B)``, float64, summing to n.

    Raises:
        ValueError: If the log weights are impossible, ``n_draws`` is below one, or the scheme is
            another one.
    """
    check_resampling(log_w, n_draws)
    ends = _cumulated(log_w)
    if scheme is multinomial:
        unsorted = _last(uniform((n_draws, *log_w.shape[1:]), generator)).cpu().numpy()
        u = torch.from_numpy(np.sort(unsorted, axis=-1)).to(ends.device)  # torch takes longer
        below = torch.searchsorted(u, _last(ends)).movedim(-1, 0)
    elif scheme is systematic:
        below = torch.ceil(n_draws * ends - uniform((1, *log_w.shape[1:]), generator))
    elif scheme is stratified:
        u = uniform((n_draws, *log_w.shape[1:]), generator)
        whole = (n_draws * ends).floor().clamp(max=n_draws - 1)
        at = torch.take_along_dim(u, whole.long(), dim=0)
        below = whole + (whole + at < n_draws * ends)
    else:
        raise ValueError(f"unknown scheme {scheme!r}: multinomial, stratified or systematic")
    below = in_float64(below).clamp(0, n_draws)
    below[-1] = n_draws
    return below.diff(dim=0, prepend=torch.zeros_like(below[:1]))


def resample(z: Tensor, indices: Tensor) -> Tensor:
    """Copy the chosen draws.

    Args:
        z: Draws, shape ``(K, *B)`` or ``(K, *B, d)``.
        indices: From a scheme, shape ``(n, *B)``.

    Returns:
        Tensor of shape ``(n, *B)`` or ``(n, *B, d)``.

    Raises:
        ValueError: If the batches differ, or an index is not int64 or lies outside the draws.
    """
    if z.ndim == 0 or indices.ndim == 0 or z.shape[1 : indices.ndim] != indices.shape[1:]:
        raise ValueError(
            f"draws of shape {tuple(z.shape)} and indices of shape {tuple(indices.shape)} "
            "belong to different batches"
        )
    if indices.dtype != torch.int64:
        raise ValueError(
            f"indices must be int64, got {indices.dtype}: log weights in their place?"
        )
    if indices.numel() and not 0 <= indices.min() <= indices.max() < len(z):
        raise ValueError(f"indices must lie in [0, {len(z)}): do they belong to other draws?")
    wide = indices.reshape(*indices.shape, *[1] * (z.ndim - indices.ndim))
    return torch.take_along_dim(z, wide.expand(*indices.shape, *z.shape[indices.ndim :]), dim=0)


def resampled(
    f: Tensor, log_w: Tensor, n_draws: int, generator: torch.Generator, scheme: Scheme = stratified
) -> Estimate:
    r"""Sampling importance resampling (SIR): the plain mean of f over resampled draws.

    Same expected value as :func:`self_normalized` on these draws, plus the noise of choosing.
    The standard error adds the two: for :func:`multinomial` the noise is the weighted variance
    of f over n, for the others the variance left within the slices, which is exact for
    :func:`stratified` and a usual approximation for :func:`systematic`.

    Args:
        f: Values at the draws, shape ``(K, *B)``.
        log_w: Log weights in nats, shape ``(K, *B)``; unnormalized is fine.
        n_draws: Number of copies n.
        generator: Source of the choices.
        scheme: :func:`multinomial`, :func:`stratified` or :func:`systematic`.

    Returns:
        The estimate; ``ess`` and ``k_hat`` are those of the weights before resampling.

    Raises:
        ValueError: If shapes differ, ``f`` is not finite, the log weights are impossible or
            ``n_draws`` is below one.

    Reference:
        Rubin (1987), JASA 82(398), 543-546.
    """
    check_f(f, log_w)
    before = self_normalized(f, log_w)
    f64, indices = in_float64(f.detach()), scheme(log_w.detach(), n_draws, generator)
    chosen = resample(f64, indices.to(f64.device))
    size = f64.abs().amax(dim=0).clamp(min=1e-300)
    noise = _choice_variance(f64 / size, log_w, n_draws, scheme is multinomial)
    error = torch.hypot(in_float64(before.std_error), size * noise.sqrt())
    return Estimate(
        value=(size * (chosen / size).mean(dim=0)).to(before.value),
        std_error=error.to(before.value),
        ess=before.ess,
        k_hat=before.k_hat,
    )


def check_resampling(log_w: Tensor, n_draws: int) -> None:
    """Refuse impossible weights and a number of copies below one."""
    weights.check_log_w(log_w)
    check_count("n_draws", n_draws)


def _slices(log_w: Tensor, n_draws: int) -> Tensor:
    """Numbers of the slices, float64, where :func:`in_float64` puts the log weights."""
    steps = in_float64(torch.arange(n_draws, device=log_w.device))
    return steps.reshape(-1, *[1] * (log_w.ndim - 1))


def _pick(log_w: Tensor, u: Tensor) -> Tensor:
    """Draw at which the cumulated weight passes ``u``; never one of weight zero."""
    # u may round up to one, which lies behind the last draw of positive weight.
    u = _last(u.clamp(max=1 - 2**-53))
    found = torch.searchsorted(_last(_cumulated(log_w)), u, right=True)
    return found.movedim(-1, 0).to(log_w.device)


def _cumulated(log_w: Tensor) -> Tensor:
    """Normalized weights, cumulated, ``(K, *B)``; the last is one."""
    cumulated = torch.softmax(in_float64(log_w.detach()), dim=0).cumsum(dim=0)
    return cumulated / cumulated[-1]


def _last(values: Tensor) -> Tensor:
    """The draws' axis last, as a search wants it."""
    return values.movedim(0, -1).contiguous()


def _choice_variance(f: Tensor, log_w: Tensor, n_draws: int, independent: bool) -> Tensor:
    """Variance of the mean of n choices, given the draws; independent or one per slice."""
    w = torch.softmax(in_float64(log_w.detach()), dim=0)
    f = f - (w * f).sum(dim=0)
    if independent:
        return (w * f.square()).sum(dim=0) / n_draws
    # Integrals of f and f^2 over [0, c] of cumulated weight are linear between the draws.
    ends = torch.cat([torch.zeros_like(w[:1]), w.cumsum(dim=0)])
    first = torch.cat([torch.zeros_like(w[:1]), (w * f).cumsum(dim=0)])
    edges = (_slices(log_w, n_draws + 1) / n_draws).expand(n_draws + 1, *log_w.shape[1:])
    last = len(w) - 1
    upper = torch.searchsorted(
        ends[1:].movedim(0, -1).contiguous(), edges.movedim(0, -1).contiguous(), right=True
    )
    i = upper.movedim(-1, 0).clamp(max=last)
    at = torch.take_along_dim
    rest = (edges - at(ends, i, dim=0)).minimum(at(w, i, dim=0))
    means = (at(first, i, dim=0) + rest * at(f, i, dim=0)).diff(dim=0) * n_draws  # per slice
    within = (w * f.square()).sum(dim=0) - means.square().mean(dim=0)
    return within.clamp(min=0) / n_draws
