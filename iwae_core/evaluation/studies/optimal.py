r"""Theory of better proposals: the one that is optimal, and exact deviations of the cures.

All deviations are those of one draw: divide by :math:`\sqrt K`. They are inf where the variance
diverges.
"""

import math
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from iwae_core.evaluation.studies import exact
from iwae_core.sampling.densities import Mixture, Normal, Tabulated, Truncated, Univariate
from iwae_core.sampling.divergences import chi_square_moment, log_second_moment
from iwae_core.sampling.integrands import Exceeds, Integrand, Power, Tilt
from iwae_core.sampling.quadrature import integrate

N_KNOTS = 2001
REACH = 9.0  # standard deviations to each side that a table covers
_CLOSEST = 1e-9  # distance of two knots, of the range


@lru_cache(maxsize=64)
def optimal_proposal(target: Univariate, f: Integrand) -> Univariate:
    r"""The density proportional to :math:`|f| p`: no proposal has a smaller variance.

    Exact for a tail of any target, for exponentials under a Normal and for a constant. Otherwise
    a table of N_KNOTS and more points with straight lines between them: beyond its ends lies less
    than 1e-18 of p, and its terms ``w f`` differ by less than a thousandth in 98 % of the draws.

    To normalize it one must know the mean of ``|f|``, which is the question itself where f has
    one sign: the optimal proposal is a yardstick and not a method.
    """
    p = exact.normalized(target)
    if isinstance(f, Exceeds):
        return Truncated(p, low=f.threshold)
    if isinstance(f, Tilt) and isinstance(p, Normal):
        return Normal(p.loc + f.rate * p.variance, p.scale)
    if isinstance(f, Power) and f.degree == 0:
        return p
    z = p.from_noise(torch.linspace(-REACH, REACH, N_KNOTS, dtype=torch.float64))
    # Quantiles are rare between two modes, where |f| may yet be large.
    marks = [z[0].item(), *(m for m in _marks(p, f) if z[0] < m < z[-1]), z[-1].item()]
    between = [torch.linspace(a, b, 33, dtype=torch.float64) for a, b in pairwise(marks)]
    z = torch.cat([z, *between]).sort().values
    far = torch.cat([torch.tensor([True]), z.diff() > _CLOSEST * (z[-1] - z[0])])
    z = z[far]
    log_height = p.log_prob(z) + f.log_abs(z)
    height = torch.exp(log_height - log_height.max())
    return Tabulated(tuple(z.tolist()), tuple(height.tolist()))


def _marks(p: Univariate, f: Integrand) -> list[float]:
    return exact.edges(p.landmarks, p.breakpoints, f.breakpoints)


@lru_cache(maxsize=64)
def optimal_std(target: Univariate, f: Integrand, answer: float) -> float:
    r"""Deviation under :func:`optimal_proposal`, :math:`((E|f|)^2 - \mu^2)^{1/2}`."""
    size = exact.mean_size(target, f)
    variance = (size - answer) * (size + answer)
    return math.sqrt(variance) if variance > 1e-9 * size**2 else 0.0


@lru_cache(maxsize=64)
def control_variate_std(
    target: Univariate, proposal: Univariate, f: Integrand, answer: float
) -> float:
    r"""Deviation left after regression on the weight, for many draws.

    :math:`Var(w f) - Cov(w f, w)^2 / Var(w)`, for a normalized target.
    """
    log_moment = log_second_moment(target, proposal, f)
    spread = chi_square_moment(target, proposal) - 1
    if log_moment > 700 or math.isinf(spread):
        return math.inf
    variance = math.exp(log_moment) - answer**2
    if spread > 1e-12:  # weights that are all one teach nothing
        variance -= (exact.weighted_square(target, proposal, f) - answer) ** 2 / spread
    return math.sqrt(variance) if variance > 1e-9 * math.exp(log_moment) else 0.0


@lru_cache(maxsize=64)
def balance_std(
    target: Univariate,
    proposals: tuple[Univariate, ...],
    shares: tuple[float, ...],
    f: Integrand,
) -> float:
    r"""Deviation of the balance heuristic with fixed counts, for a normalized target.

    :math:`E_m[(p f / m)^2] - \sum_i \alpha_i (E_{q_i}[p f / m])^2` with the mixture
    :math:`m = \sum_i \alpha_i q_i`: what the counts no longer leave to chance is subtracted.
    """
    mixture = Mixture(proposals, shares)
    log_moment = log_second_moment(target, mixture, f)
    if log_moment > 700:
        return math.inf
    variance = math.exp(log_moment)
    marks = exact.edges(target.landmarks, mixture.landmarks, f.breakpoints)
    for share, q in zip(shares, proposals, strict=True):

        def term(z: Tensor, q: Univariate = q) -> Tensor:
            log_term = q.log_prob(z) + target.log_prob(z) + f.log_abs(z)
            inside = log_term > -math.inf
            log_ratio = torch.where(inside, log_term - mixture.log_prob(z), -math.inf)
            return f(z).sign() * torch.exp(log_ratio)

        variance -= share * integrate(term, marks)[0] ** 2
    return math.sqrt(variance) if variance > 1e-9 * math.exp(log_moment) else 0.0
