r"""Exact answers about a target and a proposal: when do weights work, and how well?

With :math:`w = p / q` everything here is an integral over the line or a comparison of tails.
Closed forms serve Normal pairs; the rest is quadrature to about 1e-11. Whether an integral
diverges is decided from the tails (:class:`iwae_core.sampling.densities.Tail`), exactly, never
from a quadrature that grows.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from iwae_core.sampling.densities import (
    Density,
    Gaussian,
    Normal,
    Product,
    Scaled,
    Tail,
    Univariate,
)
from iwae_core.sampling.gaussian_pairs import (
    check_dims,
    gaussian_kl_divergence,
    gaussian_log_chi_square_moment,
    gaussian_tail_index,
)
from iwae_core.sampling.integrands import Integrand, Power
from iwae_core.sampling.quadrature import integrate, log_integrate

_ONE = Power(0)
_ROUNDING = 1e-12  # two tail coefficients closer than this, relatively, are the same


def expectation(density: Univariate, f: Integrand) -> tuple[float, float]:
    r"""Exact :math:`E_p[f]` under the normalized density, and the error of that number.

    Raises:
        ValueError: If the integral does not converge.

    >>> value, error = expectation(Normal(1.0, 2.0), Power(2))
    >>> abs(value - 5.0) <= error < 1e-9
    True
    """
    for side in (0, 1):
        if not _converges(_plus((1, density.tails[side]), (1, f.tails[side]))):
            raise ValueError(f"the mean of {f} under {density} does not exist: the tail is heavy")

    def term(z: Tensor) -> Tensor:
        log_p = density._log_prob(z) - density.log_normalizer
        # Outside the support f may be anything; inside, f alone may overflow.
        size = torch.where(log_p > -math.inf, torch.exp(log_p + f.log_abs(z)), 0.0)
        return f(z).sign() * size

    return integrate(term, _edges(density.landmarks, f.breakpoints))


def log_second_moment(target: Univariate, proposal: Univariate, f: Integrand) -> float:
    r"""Logarithm of :math:`E_q[(w f)^2]` in nats.

    The variance of one term of importance sampling is this moment minus the squared answer, so
    it gives the exact standard error of an estimate. Inf where it diverges, and where the
    proposal is zero while ``f p`` is not: no number of draws helps there.
    """
    if not covers(target, proposal, f):
        return math.inf
    for side in (0, 1):
        p, q, growth = target.tails[side], proposal.tails[side], f.tails[side]
        if not _converges(_plus((2, p), (-1, q), (2, growth))):
            return math.inf
    if _meets_a_zero(target, proposal, f):
        return math.inf

    def log_term(z: Tensor) -> Tensor:
        log_p, log_q = target._log_prob(z), proposal._log_prob(z)
        log_square = 2 * (log_p + f.log_abs(z))
        return torch.where(log_square > -math.inf, log_square - log_q, -math.inf)

    return log_integrate(log_term, _edges(target.landmarks, proposal.landmarks, f.breakpoints))[0]


def log_chi_square_moment(target: Density, proposal: Density) -> float:
    r"""Logarithm of :math:`E_q[w^2]` in nats; in D independent dimensions it is D times this.

    For normalized densities :math:`E_q[w^2] = 1 + \chi^2(p \| q)`, and ESS / K tends to its
    inverse. Inf where it diverges or the proposal misses a part of the target's support.

    Args:
        target: On the line, a :class:`Product` or a :class:`Gaussian`; scaled or not.
        proposal: Of the same kind.

    Raises:
        ValueError: If the two are of different kinds or of a kind without an exact answer.
    """
    if isinstance(target, Product) and isinstance(proposal, Product):
        check_dims(target, proposal)
        return target.dim * log_chi_square_moment(target.base, proposal.base)
    if isinstance(target, Gaussian) and isinstance(proposal, Gaussian):
        return gaussian_log_chi_square_moment(target, proposal)
    target, proposal = _both_on_the_line(target, proposal)
    p, log_scale = _unscaled(target)
    q, log_scale_q = _unscaled(proposal)
    shift = 2 * log_scale - log_scale_q
    if isinstance(p, Normal) and isinstance(q, Normal):
        # 2 / s_p^2 - 1 / s_q^2 is the precision of p^2 / q; it must be positive.
        ratio = (q.scale / p.scale) ** 2
        room = 2 * ratio - 1
        if room <= _ROUNDING:
            return math.inf
        distance = (q.loc - p.loc) / p.scale
        return math.log(ratio) - 0.5 * math.log(room) + distance**2 / room + shift
    return log_second_moment(p, q, _ONE) + shift


def chi_square_moment(target: Density, proposal: Density) -> float:
    r""":math:`E_q[w^2]`; inf where it diverges or exceeds the largest float.

    >>> round(chi_square_moment(Normal(), Normal(1.0, 1.5)), 6)  # science.md's formula
    1.600415
    """
    log_moment = log_chi_square_moment(target, proposal)
    return math.exp(log_moment) if log_moment < 709 else math.inf


def kl_divergence(p: Density, q: Density) -> float:
    r""":math:`KL(p \| q)` of the normalized densities, in nats; inf where it diverges.

    About ``exp(KL)`` draws from q are needed before the weights see p
    (Chatterjee and Diaconis, 2018).

    >>> round(kl_divergence(Normal(1.0, 2.0), Normal(0.0, 1.0)), 6)
    1.306853
    """
    if isinstance(p, Product) and isinstance(q, Product):
        check_dims(p, q)
        return p.dim * kl_divergence(p.base, q.base)
    if isinstance(p, Gaussian) and isinstance(q, Gaussian):
        return gaussian_kl_divergence(p, q)
    p, q = _both_on_the_line(p, q)
    return _kl_on_the_line(_unscaled(p)[0], _unscaled(q)[0])


def _kl_on_the_line(p: Univariate, q: Univariate) -> float:
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio = (p.scale / q.scale) ** 2
        return 0.5 * (ratio - 1 - math.log(ratio) + ((p.loc - q.loc) / q.scale) ** 2)
    if not covers(p, q):
        return math.inf
    for side in (0, 1):
        p_tail, q_tail = p.tails[side], q.tails[side]
        if p_tail is not None and q_tail is not None:
            # log q falls like -z^2 or -|z|: p must have that moment.
            degree = 2 if q_tail.quadratic > 0 else 1 if q_tail.linear > 0 else 0
            if not _converges(_plus((1, p_tail), (1, Tail(logarithmic=-degree)))):
                return math.inf

    def term(z: Tensor) -> Tensor:
        log_p, log_q = p._log_prob(z), q._log_prob(z)
        prob = torch.exp(log_p)
        return torch.where(prob > 0, prob * (log_p - log_q), 0.0)

    return integrate(term, _edges(p.landmarks, q.landmarks))[0]


def tail_index(target: Density, proposal: Density) -> float:
    r"""Exact Pareto shape k of the right tail of the weights: what k-hat estimates.

    :math:`P_q(w > t) \sim t^{-1/k}` up to slower factors. Zero means that every moment of the
    weights is finite; above 1/2 their variance is infinite. For Normals of equal mean this is
    :math:`1 - s_q^2 / s_p^2`. Inf where the proposal misses a part of the target's support.
    Independent coordinates share the index of one, up to logarithms.

    >>> tail_index(Normal(0.0, 1.0), Normal(0.0, 0.5))
    0.75
    """
    if isinstance(target, Product) and isinstance(proposal, Product):
        check_dims(target, proposal)
        return tail_index(target.base, proposal.base)
    if isinstance(target, Gaussian) and isinstance(proposal, Gaussian):
        return gaussian_tail_index(target, proposal)
    target, proposal = _both_on_the_line(target, proposal)
    if not covers(target, proposal):
        return math.inf
    k = 0.5 if _meets_a_zero(target, proposal) else 0.0  # near z = 0: w ~ 1 / z, P(w > t) ~ t^-2
    for side in (0, 1):
        p, q = target.tails[side], proposal.tails[side]
        if p is None or q is None or not _heavier(p, q):
            continue
        if q.quadratic > 0:
            k = max(k, 1 - p.quadratic / q.quadratic)
        elif q.linear > 0:
            k = max(k, 1 - p.linear / q.linear)
        else:
            k = max(k, (q.logarithmic - p.logarithmic) / (q.logarithmic - 1))
    return k


def covers(target: Univariate, proposal: Univariate, f: Integrand = _ONE) -> bool:
    """Whether the proposal is positive wherever the target times ``f`` is."""
    marks = sorted({*target.breakpoints, *proposal.breakpoints, *f.breakpoints})
    if marks:
        # Between two breakpoints a density is positive everywhere or nowhere.
        reach = 1 + abs(marks[0]) + abs(marks[-1])
        ends = [marks[0] - reach, *marks, marks[-1] + reach]
        probes = [0.5 * a + 0.5 * b for a, b in pairwise(ends)]
    else:
        probes = [0.0]
    z = torch.tensor(probes, dtype=torch.float64)
    needed = (target._log_prob(z) > -math.inf) & (f.log_abs(z) > -math.inf)
    missed = needed & (proposal._log_prob(z) == -math.inf)
    return not bool(missed.any())


def _both_on_the_line(p: Density, q: Density) -> tuple[Univariate, Univariate]:
    if isinstance(p, Univariate) and isinstance(q, Univariate):
        return p, q
    raise ValueError(
        "exact answers exist for two densities on the line, two Products or two Gaussians, got "
        f"{type(p).__name__} and {type(q).__name__}"
    )


def _meets_a_zero(target: Univariate, proposal: Univariate, f: Integrand = _ONE) -> bool:
    """Whether the proposal falls to zero at a point where the target times ``f`` does not."""
    if not proposal.zeros:
        return False
    at = torch.tensor(proposal.zeros, dtype=torch.float64)
    needed = (target._log_prob(at) > -math.inf) & (f.log_abs(at) > -math.inf)
    return bool(needed.any())


def _unscaled(density: Univariate) -> tuple[Univariate, float]:
    """The normalized density inside any Scaled, and the logarithm of its factor."""
    log_scale = 0.0
    while isinstance(density, Scaled):
        log_scale += density.log_scale
        density = density.base
    return density, log_scale


def _plus(*terms: tuple[int, Tail | None]) -> Tail | None:
    """Decay of a product of powers of functions; None where a factor is zero.

    A bounded proposal (power -1) is judged by :func:`covers`, so its None counts as zero too.
    """
    tails = [(power, tail) for power, tail in terms if tail is not None]
    if len(tails) < len(terms):
        return None
    return Tail(*(_exact_sum([power * tail[i] for power, tail in tails]) for i in range(3)))


def _exact_sum(values: Sequence[float]) -> float:
    total = math.fsum(values)
    return 0.0 if abs(total) <= _ROUNDING * max(map(abs, values)) else total


def _converges(tail: Tail | None) -> bool:
    """Whether a function that decays like this has a finite integral."""
    if tail is None:
        return True
    if tail.quadratic != 0:
        return tail.quadratic > 0
    if tail.linear != 0:
        return tail.linear > 0
    return tail.logarithmic > 1


def _heavier(p: Tail, q: Tail) -> bool:
    """Whether p / q grows without bound."""
    ratio = _plus((1, p), (-1, q))
    return ratio is not None and ratio < Tail()


def _edges(*points: Sequence[float]) -> list[float]:
    return [-math.inf, *sorted({point for some in points for point in some}), math.inf]
