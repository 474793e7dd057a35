r"""Expectations over K independent importance weights, by quadrature instead of draws.

A ratio with the sum S of K weights in its denominator seems to need K integrals. With

.. math:: S^{-m} = \frac1{(m-1)!} \int_0^\infty t^{m-1} e^{-tS}\,dt

it needs two: the expectation of :math:`e^{-tS}` factorizes into that of one weight,
:math:`\varphi(t) = E[e^{-tw}]`. So the share of the gradient that a sample with weight w has on
average, the mean of a gradient estimator and its variance are exact for every K, with no noise
that would hide how they fall with K. (:mod:`iwae_core.bounds.exact` does the same for the
bound itself.)

In u = log t every integrand is smooth, and the trapezoidal rule errs by about exp(-pi^2 / step).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from iwae_core.bounds.exact import expected_bound
from iwae_core.evaluation.studies.laplace import convolved, transform
from iwae_core.evaluation.studies.tightness import make_q, oracle, posterior

_STEP = 0.25  # of u: exp(-pi^2 / 0.25) is 7e-18
_NODES = _STEP / 2  # of log w, in a table of shares
_DIES_BELOW = 38.0  # nats
_DIES_ABOVE = 4.25
_NOTHING = 1e-30  # of an integrand
_FLAT = 26.0  # nats: exp(-t w) is one where t w is below exp(-26), to 5e-12
_USUAL = 1000  # samples, up to which all K share a table
_SIGHT = 150.0  # nats below the highest log t w that counts: what lies deeper adds nothing
_SURE = 20.0  # nats over all others together: such a sample has the whole weight, to 2e-9


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """What one log weight may be: nodes of a quadrature rule over q, and their probabilities.

    Attributes:
        log_w: Log weights at the nodes, nats, ``(n,)`` float64.
        probability: Their probabilities, ``(n,)``, summing to one.
    """

    log_w: Tensor
    probability: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """Expectation of what has ``values`` ``(n, *)`` at the nodes."""
        return torch.tensordot(self.probability, values, dims=1)

    def bound(self, n_samples: Sequence[int]) -> Tensor:
        """Exact L_K in nats, ``(len(n_samples),)``."""
        return expected_bound(self.log_w, self.probability, n_samples)


@lru_cache(maxsize=8)
def normal_nodes(dim: int, step: float = 0.2, negligible: float = 1e-18) -> tuple[Tensor, Tensor]:
    """Trapezoidal rule for N(0, I): points ``(n, dim)`` and probabilities ``(n,)``, float64.

    Args:
        dim: 1 or 2 coordinates.
        step: Distance of neighbors. The rule is good for functions that are smooth on this scale.
        negligible: Points with less probability are left out. A bound of K samples changes by
            about K times what they hold in all.
    """
    reach = math.ceil(8.9 / step)
    axis = step * torch.arange(-reach, reach + 1, dtype=torch.float64)
    points = torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)
    p = torch.exp(-0.5 * points.square().sum(dim=-1))
    p = p / p.sum()
    kept = p > negligible
    return points[kept], p[kept] / p[kept].sum()


@lru_cache(maxsize=8)
def oracle_law(shift: float, scale: float, correlated: bool, step: float = 0.2) -> Law:
    """The weights of the oracle in ``tightness`` under its q; arguments as ``make_q``."""
    (model, x), q = oracle(), make_q(shift, scale, correlated)
    eps, probability = normal_nodes(2, step)
    z = q.from_noise(eps)
    return Law(model.log_joint(x, z[:, None, :])[:, 0] - q.log_prob(z), probability)


@lru_cache(maxsize=8)
def exact_draw_law(shift: float, scale: float, correlated: bool, step: float = 0.2) -> Law:
    """As :func:`oracle_law`, for a draw from the exact posterior, weighed against q."""
    (model, x), q, p = oracle(), make_q(shift, scale, correlated), posterior()
    eps, probability = normal_nodes(2, step)
    z = p.from_noise(eps)
    return Law(model.log_joint(x, z[:, None, :])[:, 0] - q.log_prob(z), probability)


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    r"""How much more than 1 / K a sample's normalized weight is on average, given its weight.

    .. math:: \rho_K(w) = E\Bigl[\frac{K w}{w + w_2 + \dots + w_K}\Bigr]
              = K \int_0^\infty w\, e^{-tw} \varphi(t)^{K-1}\,dt.

    Times q it is the density of one draw resampled from K (Cremer et al., 2017); at K = 1 it is
    one, for K to infinity it is ``w / E[w]``.

    In log w the integral is a convolution, so a table of log rho_K with its first two derivatives
    costs as much as a few single values; between its nodes a polynomial of degree five is off by
    about 1e-11 of the value. Make one by :func:`share_of`.
    """

    top: float  # of the law's log weights, nats
    lowest: float  # node of the table, nats below ``top``; below it rho_K is proportional to w
    table: Tensor  # log rho_K, and its derivatives times _NODES and _NODES^2, (3, n); or empty

    def __call__(self, log_w: Tensor) -> Tensor:
        """The share at log weights of shape ``(n,)``, nats.

        A weight far beyond those the law knows counts as the largest that leaves the others a
        trace.
        """
        if not self.table.numel():
            return torch.ones_like(log_w)
        n = self.table.shape[1] - 1
        place = ((log_w - self.top - self.lowest) / _NODES).clamp(max=float(n))
        i = place.floor().clamp(0, n - 1).long()
        x = (place - i).clamp(min=0.0)
        (f, f_), (a, a_), (b, b_) = (torch.stack([row[i], row[i + 1]]) for row in self.table)
        rise = f_ - f
        c3 = 10 * rise - 6 * a - 4 * a_ - 1.5 * b + 0.5 * b_
        c4 = -15 * rise + 8 * a + 7 * a_ + 1.5 * b - b_
        c5 = 6 * rise - 3 * (a + a_) - 0.5 * (b - b_)
        log_share = f + x * (a + x * (0.5 * b + x * (c3 + x * (c4 + x * c5))))
        return torch.exp(log_share + _NODES * place.clamp(max=0.0))


def share_of(law: Law, n_samples: int) -> Share:
    """The share of a sample among ``n_samples``, of which the others follow ``law``."""
    K, top = n_samples, law.log_w.max().item()
    if K == 1:
        return Share(top, 0.0, torch.empty(0))
    largest = _SURE + math.log(K)
    u, phi = _of_one(law, max(K, _USUAL))
    others = phi ** (K - 1)
    others = others[: int((others >= _NOTHING).sum()) + 1]  # it falls
    u = u[: len(others)]
    lowest = -u[-1].item() - _FLAT
    n = math.ceil((largest - lowest) / _STEP) + 1  # nodes at whole steps, and others between
    sums = [_with_kernels(others, lowest + u[0].item() + move, n) for move in (0.0, _NODES)]
    value, first, second = torch.stack(sums, dim=1).reshape(2 * n, 3).T
    slope = first / value
    curve = second / value - slope.square()
    log_share = torch.log(K * _STEP * value)
    return Share(top, lowest, torch.stack([log_share, _NODES * slope, _NODES**2 * curve]))


def _with_kernels(others: Tensor, v: float, n: int) -> Tensor:
    r"""Sums of ``others`` times :math:`e^{v - e^v}` and its first two derivatives.

    Args:
        others: What depends on u, at its nodes.
        v: log t w of the smallest w at the first of these nodes.
        n: Values of w, a step of log w apart.

    Returns:
        Tensor of shape ``(n, 3)``.
    """
    last = math.floor((_DIES_ABOVE - v) / _STEP)  # steps from v to where the kernel ends
    width = min(last + 1, math.ceil(_SIGHT / _STEP))
    at = v + _STEP * (last - torch.arange(width, dtype=torch.float64))
    tw = torch.exp(at)
    kernel = torch.exp(at - tw)
    kernels = torch.stack([kernel, kernel * (1 - tw), kernel * ((1 - tw) ** 2 - tw)], dim=1)
    # A larger w meets the same kernel a step earlier.
    return convolved(others.flip(0), kernels, len(others) - 1 - last, n)


def expected_share(law: Law, log_w: Tensor, n_samples: int) -> Tensor:
    """The :class:`Share` at the log weights ``(n,)``; its mean under ``law`` is one."""
    return share_of(law, n_samples)(log_w)


def share_moments(
    law: Law, h: Tensor, n_samples: Sequence[int], power: int = 1
) -> tuple[Tensor, Tensor]:
    r"""Exact mean and variance of :math:`\sum_k c_k^a h(z_k)` with normalized weights c.

    Args:
        law: Of one weight.
        h: Values at the law's nodes, shape ``(n, P)``: P quantities at once.
        n_samples: Values of K.
        power: a, 1 or 2.

    Returns:
        Mean and variance, each of shape ``(len(n_samples), P)``.
    """
    a, p = power, law.probability
    log_w = law.log_w - law.log_w.max()
    u = _line(log_w, max(n_samples))

    def each(values: Tensor, power: int) -> Tensor:
        columns = (p.unsqueeze(1) * values).unbind(dim=1)
        return torch.stack([transform(log_w, c, u, _STEP, power) for c in columns], dim=1)

    phi, first, second = transform(log_w, p, u, _STEP), each(h, a), each(h.square(), 2 * a)
    phi = phi.unsqueeze(1)
    means, variances = [], []
    for K in n_samples:
        if K == 1:
            mean, square = law.mean(h), law.mean(h.square())
        else:
            others = phi ** (K - 2)
            mean = K * _STEP / math.factorial(a - 1) * (first * others * phi).sum(dim=0)
            pairs = second * phi + (K - 1) * first.square()
            square = K * _STEP / math.factorial(2 * a - 1) * (pairs * others).sum(dim=0)
        means.append(mean)
        variances.append((square - mean.square()).clamp(min=0))
    return torch.stack(means), torch.stack(variances)


def quick_bound(law: Law, n_samples: int) -> Tensor:
    """L_K in nats as :meth:`Law.bound` has it, off by about 1e-11, for a law of many nodes."""
    u, phi = _of_one(law, max(n_samples, _USUAL))
    integrand = torch.exp(-torch.exp(u)) - phi**n_samples
    return law.log_w.max() + _STEP * integrand.sum() - math.log(n_samples)


def quick_concentration(law: Law, n_samples: int) -> Tensor:
    """Expected sum of K squared normalized weights, as :func:`share_moments` has it."""
    if n_samples == 1:
        return torch.ones((), dtype=torch.float64)
    u, phi = _of_one(law, max(n_samples, _USUAL))
    squares = transform(law.log_w - law.log_w.max(), law.probability, u, _STEP, power=2)
    return n_samples * _STEP * (squares * phi ** (n_samples - 1)).sum()


@lru_cache(maxsize=16)
def _of_one(law: Law, most: int) -> tuple[Tensor, Tensor]:
    """Nodes of u and E[exp(-t w)], for up to so many samples, one of them far above the law."""
    log_w = law.log_w - law.log_w.max()
    u = _line(log_w, most, above=_SURE + math.log(most))
    return u, transform(log_w, law.probability, u, _STEP)


def expected_upper_bound(law: Law, exact: Law, n_samples: Sequence[int]) -> Tensor:
    """Expectation of :func:`iwae_core.bounds.upper.exact_draw_upper_bound` for several K.

    Args:
        law: Of the weight of a draw from q.
        exact: Of the weight of a draw from the exact posterior.
        n_samples: Values of K; one weight is from ``exact``, K - 1 are from ``law``.

    Returns:
        Tensor of shape ``(len(n_samples),)``, nats.
    """
    both = torch.cat([law.log_w, exact.log_w])
    top = both.max()
    u = _line(both - top, max(n_samples))
    first = transform(exact.log_w - top, exact.probability, u, _STEP).unsqueeze(1)
    others = transform(law.log_w - top, law.probability, u, _STEP).unsqueeze(1)
    K = torch.tensor(n_samples, dtype=torch.float64)
    integrand = torch.exp(-torch.exp(u)).unsqueeze(1) - first * others ** (K - 1)
    bound = top + _STEP * integrand.sum(dim=0) - K.log()
    return torch.where(K == 1, exact.mean(exact.log_w), bound)


def _line(log_w: Tensor, n_samples: int, above: float = 0.0) -> Tensor:
    """Nodes of u for weights of which the largest is one, and others ``above`` it by that."""
    lowest = -_DIES_BELOW - math.log(n_samples) - above
    return torch.arange(lowest, _DIES_ABOVE - log_w.min().item(), _STEP, dtype=torch.float64)
