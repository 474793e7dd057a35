r"""Draws from q answer a question about p: one run of importance sampling, seen from all sides.

The question is :math:`\mu = E_p[f(z)]`. The draws come from a proposal q, and each carries its
weight :math:`w = p(z) / q(z)`. Two averages answer:

    importance         (1 / K) sum_k w_k f(z_k)                    needs normalized densities
    self_normalized    sum_k w_k f(z_k) / sum_k w_k                any constant factor cancels

Everything that can be exact is: the answer, the standard deviation of one term, and
:math:`E_q[w^2]`, which predicts the effective sample size.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.studies import choices
from iwae_core.names import check_known
from iwae_core.rng import stream
from iwae_core.sampling import estimators, weights
from iwae_core.sampling.densities import Scaled, Univariate
from iwae_core.sampling.divergences import log_second_moment
from iwae_core.sampling.problems import Problem, make_problem

N_REPEATS = 12  # the same run with other noise
N_GHOSTS = 200  # as many, when asked for
COVERED = 1.96  # standard errors on each side that should hold the truth in 95 % of runs
N_STOPS = 100  # numbers of draws at which the running estimate is kept
N_GRID = 401  # points at which densities are evaluated

ESTIMATORS = {
    "importance": estimators.importance,
    "self_normalized": estimators.self_normalized,
}

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingConfig:
    """One run of importance sampling on the line; names as in :mod:`.choices`."""

    target: str = "normal"
    family: str = "normal"
    loc: float = 0.5  # of the proposal
    scale: float = 1.5  # of the proposal
    df: float = 3.0  # degrees of freedom, for the family "student_t"
    integrand: str = "z"
    estimator: str = "importance"
    n_samples: int = 128  # K
    seed: int = 1

    def __post_init__(self) -> None:
        choices.find_target(self.target)
        check_known(self.family, choices.FAMILIES, "family")
        check_known(self.integrand, choices.INTEGRANDS, "integrand")
        check_known(self.estimator, ESTIMATORS, "estimator")
        if self.n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {self.n_samples}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightingReport:
    """What the draws say, and what is true; arrays are float64 (n_stops is called C)."""

    z: Array  # draws, (K,)
    log_w: Array  # log weights in nats, (K,)
    w: Array  # normalized weights, (K,)
    ess: float  # effective sample size, in draws
    expected_ess: float  # what E_q[w^2] predicts for many draws; 0 where it is infinite
    max_weight: float  # share of the heaviest draw
    k_hat: float  # fitted shape of the weights' tail; inf below 25 draws
    tail_index: float  # the shape it estimates
    estimate: float
    std_error: float  # as the draws themselves report it
    exact: float
    limit: float  # what the estimate tends to; not `exact` if a normalizer is left in
    std_of_term: float  # exact (self_normalized: for many draws); inf where it diverges
    std_under_target: float  # the same for draws from the target itself
    log_normalizer: float  # exact log of the mean weight, in nats
    n: Array  # numbers of draws, (C,)
    running: Array  # estimate from the first n draws, (C,)
    running_error: Array  # its reported standard error, (C,); inf at n = 1
    repeats: Array  # the same with other noise, (C, N_REPEATS)
    grid: Array  # points on the line, (G,)
    p: Array  # target density at the grid, (G,)
    q: Array  # proposal density at the grid, (G,)
    f: Array  # integrand at the grid, (G,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GhostReport:
    """The same run N_GHOSTS times with other noise, and how far runs should spread."""

    n: Array  # numbers of draws, (C,)
    running: Array  # estimates from the first n draws, (C, N_GHOSTS)
    final: Array  # estimates from all K draws, (N_GHOSTS,); NaN where every weight is zero
    std_error: Array  # as each run reports it for `final`, (N_GHOSTS,)
    undefined: float  # share of runs whose `final` is NaN
    covered: float  # share of all runs whose estimate +- COVERED reported errors holds `limit`
    mean: float  # of `final`, without NaN
    spread: float  # standard deviation of `final`, without NaN
    true_std: float  # exact standard deviation of `final`, for many draws if self-normalized
    limit: float  # what the estimates tend to


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceReport:
    """Exact variance of one term: of w f under q, and of f under p itself."""

    under_q: float  # inf where it diverges
    under_p: float  # of f under the normalized target
    ratio: float  # under_q / under_p; below 1 the proposal beats the target; NaN if both inf


@lru_cache(maxsize=256)
def problem(
    target: str, family: str, loc: float, scale: float, df: float, integrand: str
) -> Problem:
    """The question and its exact answers.

    Raises:
        ValueError: If a name is unknown, a number is out of range or the answer does not exist.
    """
    return make_problem(
        choices.find_target(target).made,
        choices.FAMILIES[check_known(family, choices.FAMILIES, "family")].made(loc, scale, df),
        choices.INTEGRANDS[check_known(integrand, choices.INTEGRANDS, "integrand")].made,
    )


def run(config: WeightingConfig) -> WeightingReport:
    """Draw, weigh, average, and lay the exact answers beside.

    Raises:
        ValueError: As :func:`problem`.
    """
    c = config
    asked = problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
    z = asked.draw((c.n_samples,), stream(c.seed, "draws"), torch.float64)
    log_w = asked.log_weights(z)
    estimate = ESTIMATORS[c.estimator](asked.f(z), log_w)
    again = asked.draw((c.n_samples, N_REPEATS), stream(c.seed, "repeats"), torch.float64)
    n = np.unique(np.geomspace(1, c.n_samples, N_STOPS).round().astype(int))
    running, error = _running(asked, z[:, None], c.estimator, n)
    repeats, _ = _running(asked, again, c.estimator, n)
    normalizer = math.exp(asked.target.log_normalizer)
    plain = c.estimator == "importance"
    grid = _grid(asked)
    return WeightingReport(
        z=z.numpy(),
        log_w=log_w.numpy(),
        w=weights.normalize(log_w).numpy(),
        ess=weights.ess(log_w).item(),
        expected_ess=c.n_samples * normalizer**2 / asked.second_moment,
        max_weight=weights.max_weight(log_w).item(),
        k_hat=estimate.k_hat.item(),
        tail_index=asked.tail_index,
        estimate=estimate.value.item(),
        std_error=estimate.std_error.item(),
        exact=asked.exact,
        limit=asked.exact * normalizer if plain else asked.exact,
        std_of_term=asked.std_of_term if plain else _std_of_ratio(asked),
        std_under_target=_std_under_target(asked),
        log_normalizer=asked.target.log_normalizer,
        n=n.astype(float),
        running=running[:, 0],
        running_error=error[:, 0],
        repeats=repeats,
        grid=grid.numpy(),
        p=asked.target.log_prob(grid).exp().numpy(),
        q=asked.proposal.log_prob(grid).exp().numpy(),
        f=asked.f(grid).numpy(),
    )


def ghosts(config: WeightingConfig) -> GhostReport:
    """Repeat the run with other noise; the first N_REPEATS are not those of :func:`run`.

    Raises:
        ValueError: As :func:`problem`.
    """
    c = config
    asked = problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
    z = asked.draw((c.n_samples, N_GHOSTS), stream(c.seed, "ghosts"), torch.float64)
    n = np.unique(np.geomspace(1, c.n_samples, N_STOPS).round().astype(int))
    running, error = _running(asked, z, c.estimator, n)
    plain = c.estimator == "importance"
    limit = asked.exact * math.exp(asked.target.log_normalizer) if plain else asked.exact
    std = asked.std_of_term if plain else _std_of_ratio(asked)
    known = running[-1][~np.isnan(running[-1])]
    return GhostReport(
        n=n.astype(float),
        running=running,
        final=running[-1],
        std_error=error[-1],
        undefined=1 - len(known) / N_GHOSTS,
        covered=float(np.mean(np.abs(running[-1] - limit) <= COVERED * error[-1])),
        mean=float(known.mean()) if len(known) else math.nan,
        spread=float(known.std(ddof=1)) if len(known) > 1 else math.nan,
        true_std=std / math.sqrt(c.n_samples),
        limit=limit,
    )


def variances(config: WeightingConfig) -> VarianceReport:
    """Is this proposal better than sampling the target itself? Exact, for the chosen average.

    Raises:
        ValueError: As :func:`problem`.
    """
    c = config
    asked = problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
    std_q = asked.std_of_term if c.estimator == "importance" else _std_of_ratio(asked)
    under_q, under_p = std_q**2, _std_under_target(asked) ** 2
    if under_p == 0 or (math.isinf(under_p) and math.isinf(under_q)):
        ratio = math.nan if under_q == under_p else math.inf
    else:
        ratio = under_q / under_p
    return VarianceReport(under_q=under_q, under_p=under_p, ratio=ratio)


def _running(
    asked: Problem, z: Tensor, estimator: str, n: NDArray[np.int_]
) -> tuple[Array, Array]:
    """Estimates from the first n draws of each column of ``z (K, B)``, and their errors."""
    f, log_w = asked.f(z), asked.log_weights(z)
    peak = log_w.amax(dim=0)
    peak = torch.where(peak > -math.inf, peak, 0.0)  # of a repeat that never hits the support
    w = torch.exp(log_w - peak)
    stops = torch.as_tensor(n - 1)

    def total(terms: Tensor) -> Tensor:
        return terms.cumsum(dim=0)[stops]

    count = torch.as_tensor(n, dtype=torch.float64)[:, None]
    # Centered at the last value, the squares lose no digits that matter.
    if estimator == "importance":
        center = (w * f).mean(dim=0)
        shift = total(w * f - center) / count
        squares = total((w * f - center) ** 2) / count - shift**2
        error = (squares.clamp(min=0) / (count - 1)).sqrt() * peak.exp()
        mean = (center + shift) * peak.exp()
    else:
        center = (w * f).sum(dim=0) / w.sum(dim=0)
        g, sum_w = f - center, total(w)
        shift = total(w * g) / sum_w
        squares = total(w**2 * g**2) - 2 * shift * total(w**2 * g) + shift**2 * total(w**2)
        error = (squares.clamp(min=0) * count / (count - 1)).sqrt() / sum_w
        mean = center + shift
    error = torch.where(count > 1, error, math.inf)
    return mean.numpy(), error.numpy()


def _std_of_ratio(asked: Problem) -> float:
    """Standard deviation of one term of the self-normalized estimate, for many draws."""
    return _std_of(choices.Centered(asked.f, asked.exact), asked.target, asked.proposal)


def _std_under_target(asked: Problem) -> float:
    target = asked.target.base if isinstance(asked.target, Scaled) else asked.target
    return _std_of(choices.Centered(asked.f, asked.exact), target, target)


# By what it depends on: whoever drags q asks for the target's own spread again and again.
@lru_cache(maxsize=256)
def _std_of(centered: choices.Centered, target: Univariate, proposal: Univariate) -> float:
    """Root of the mean of ``(w (f - exact))^2`` under the proposal; inf where it diverges."""
    log_moment = log_second_moment(target, proposal, centered)
    log_std = 0.5 * log_moment - target.log_normalizer
    return math.exp(log_std) if log_std < 709 else math.inf


@lru_cache(maxsize=256)
def _grid(asked: Problem) -> Tensor:
    """Points that show both densities down to a thousandth of their mass on each side."""
    tails = torch.tensor([1e-3, 1 - 1e-3], dtype=torch.float64)
    ends = torch.cat([asked.target.icdf(tails), asked.proposal.icdf(tails)])
    low, high = ends.min().item(), ends.max().item()
    # A heavy tail must not squeeze everything else into a corner.
    center, reach = 0.5 * (low + high), min(0.5 * (high - low), 12.0)
    return torch.linspace(center - reach, center + reach, N_GRID, dtype=torch.float64)
