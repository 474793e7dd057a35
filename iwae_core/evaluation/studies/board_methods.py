"""The cures on the board: one question, one budget of draws, twelve ways to answer.

A method takes the :class:`Desk` with the shared draws and returns its estimates, the exact
deviation where theory knows one, and the density that it drew from.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies import choices, optimal
from iwae_core.evaluation.studies.noise import NormalNoise
from iwae_core.evaluation.studies.weighting import WeightingConfig, variances
from iwae_core.rng import stream, uniform
from iwae_core.sampling import estimators, multiple, resampling
from iwae_core.sampling.densities import Mixture, StudentT, Tabulated, Truncated, Univariate
from iwae_core.sampling.densities.mixing import mixture_log_prob
from iwae_core.sampling.problems import Problem, make_problem

N_REPEATS = 200  # or fewer where K is large:
_MOST_DRAWS = 120_000  # of one method
MIN_SAMPLES, MAX_SAMPLES = 25, 2000  # K
_TRACE = 1e-12  # of a density: no draw comes from it
POWER = 2.0  # of the power heuristic


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardConfig:
    """A question, a proposal to improve on, and a budget; names as in :mod:`.choices`."""

    target: str = "two_modes"
    family: str = "normal"
    loc: float = 1.0
    scale: float = 2.0
    df: float = 3.0
    integrand: str = "z"
    n_samples: int = 250  # K
    seed: int = 1

    def __post_init__(self) -> None:
        self.run_config("importance")  # which checks the names
        check_count("n_samples", self.n_samples, MIN_SAMPLES)
        if self.n_samples > MAX_SAMPLES:
            raise ValueError(f"n_samples must be at most {MAX_SAMPLES}, got {self.n_samples}")

    @property
    def n_repeats(self) -> int:
        """R, how often each method answers; what it shows has an error that knows of it."""
        return min(N_REPEATS, _MOST_DRAWS // self.n_samples)

    def run_config(self, estimator: str) -> WeightingConfig:
        """The same question for one run."""
        return WeightingConfig(
            target=self.target,
            family=self.family,
            loc=self.loc,
            scale=self.scale,
            df=self.df,
            integrand=self.integrand,
            estimator=estimator,
            n_samples=self.n_samples,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Desk:
    """What the methods share."""

    config: BoardConfig
    asked: Problem
    z: Tensor  # draws of q, (K, R)

    @cached_property
    def f(self) -> Tensor:
        """At the draws of q, ``(K, R)``."""
        return self.asked.f(self.z)

    @cached_property
    def log_p(self) -> Tensor:
        """Of the target at the draws of q."""
        return self.asked.target.log_prob(self.z)

    @cached_property
    def log_q(self) -> Tensor:
        """Of q at its own draws."""
        return self.asked.proposal.log_prob(self.z)

    @cached_property
    def log_w(self) -> Tensor:
        """Log weights of the draws of q."""
        return self.log_p - self.log_q

    @cached_property
    def safe(self) -> "Safe":
        """Draws of the wide density, and both densities at all draws."""
        return Safe(self)

    @property
    def shape(self) -> tuple[int, int]:
        """K and R."""
        return self.config.n_samples, self.config.n_repeats

    @property
    def root(self) -> float:
        """Root of K."""
        return math.sqrt(self.config.n_samples)

    def generator(self, name: str) -> torch.Generator:
        """Noise of one method."""
        return stream(self.config.seed, "board", name)


def draws(density: Univariate, config: BoardConfig, *name: str) -> Tensor:
    """K draws for each of R repeats; nothing here moves, so the fastest way will do."""
    c, path = config, ("board", *name)
    shape = (c.n_samples, c.n_repeats)
    if isinstance(density, StudentT):
        t = NormalNoise(c.seed, *path).student_t(density.df, shape)
        return density.loc + density.scale * t
    if isinstance(density, Tabulated):
        return density.sample_with_log_prob(shape, stream(c.seed, *path))[0]
    if isinstance(density, Truncated) and isinstance(density.base, Mixture):
        density = _of_cut_parts(density, density.base)
    return density.sample(shape, stream(c.seed, *path), torch.float64)


def _of_cut_parts(cut: Truncated, base: Mixture) -> Univariate:
    """The same density as a mixture of cut components, whose draws need no bisection."""
    ends = torch.tensor([cut.low, cut.high], dtype=torch.float64)
    masses = [
        w * (part.sf(ends[0]) - part.sf(ends[1])).item()
        for w, part in zip(base.weights, base.components, strict=True)
    ]
    kept = [
        (mass, Truncated(part, cut.low, cut.high))
        for mass, part in zip(masses, base.components, strict=True)
        if mass > _TRACE * sum(masses)
    ]
    total = math.fsum(mass for mass, _ in kept)
    return Mixture(tuple(part for _, part in kept), tuple(mass / total for mass, _ in kept))


class Safe:
    """Draws of q beside draws of a wide density, of which each way takes as many as it needs.

    Independent draws have no order, so K draws of a mixture are the first ones of each kind: in
    numbers left to chance for the mixture itself, in fixed numbers for several proposals.
    """

    def __init__(self, desk: Desk) -> None:
        K, R = desk.shape
        wide = round(choices.SAFE_SHARE * K)
        self.counts = (K - wide, wide)  # of several proposals
        shares = (1 - choices.SAFE_SHARE, choices.SAFE_SHARE)
        self.mixture = Mixture((desk.asked.proposal, choices.SAFE), shares)
        noise = desk.generator("wide")
        by_chance = uniform((K, R), noise) < choices.SAFE_SHARE
        self.n_wide = by_chance.sum(dim=0)  # of the mixture, (R,)
        n_rows = max(wide, int(self.n_wide.max()))
        z = choices.SAFE.sample((n_rows, R), noise, torch.float64)
        a = desk.asked
        self.f = torch.cat([desk.f, a.f(z)])
        self.log_p = torch.cat([desk.log_p, a.target.log_prob(z)])
        log_q = torch.cat([desk.log_q, a.proposal.log_prob(z)])
        log_safe = choices.SAFE.log_prob(torch.cat([desk.z, z]))
        self.log_q = torch.stack([log_q, log_safe])  # (2, K + n_rows, R)

    def first(self, values: Tensor, K: int) -> Tensor:
        """Those of several proposals, of values whose last axes are all draws and R."""
        own, wide = self.counts
        return torch.cat([values[..., :own, :], values[..., K : K + wide, :]], dim=-2)


Answer = tuple[Tensor, float | None, Univariate | None]  # estimates, true std, what was drawn
Method = tuple[str, bool, Callable[[Desk], Answer]]  # title, needs a normalized target


def _monte_carlo(desk: Desk) -> Answer:
    z = draws(desk.asked.target, desk.config, "monte_carlo")
    std = _std_under_target(desk)
    return estimators.monte_carlo(desk.asked.f(z)).value, std / desk.root, None


def _importance(desk: Desk) -> Answer:
    value = estimators.importance_value(desk.f, desk.log_w)
    return value, desk.asked.std_of_term / desk.root, desk.asked.proposal


def _self_normalized(desk: Desk) -> Answer:
    value = estimators.self_normalized_value(desk.f, desk.log_w)
    return value, _std_of_ratio(desk) / desk.root, desk.asked.proposal


def _control_variate(desk: Desk) -> Answer:
    value = estimators.control_variate_value(desk.f, desk.log_w)
    a = desk.asked
    std = optimal.control_variate_std(a.target, a.proposal, a.f, a.exact)
    return value, std / desk.root, a.proposal


def _pareto_smoothed(desk: Desk) -> Answer:
    return estimators.pareto_smoothed_value(desk.f, desk.log_w), None, desk.asked.proposal


def _defensive(desk: Desk) -> Answer:
    safe, (K, _) = desk.safe, desk.shape
    std = _problem(desk.asked.target, safe.mixture, desk.asked.f).std_of_term
    row = torch.arange(len(safe.f)).unsqueeze(1)
    drawn = torch.where(row < K, row < K - safe.n_wide, row - K < safe.n_wide)
    log_w = safe.log_p - mixture_log_prob(safe.mixture.weights, list(safe.log_q))
    value = estimators.importance_value(safe.f, torch.where(drawn, log_w, -math.inf))
    return value * (len(safe.f) / K), std / desk.root, safe.mixture


def _multiple(desk: Desk, power: float, std: float | None) -> Answer:
    safe, (K, _) = desk.safe, desk.shape
    log_p, log_q = safe.first(safe.log_p, K), safe.first(safe.log_q, K)
    log_w = multiple.heuristic_log_weights(log_p, log_q, safe.counts, power)
    return estimators.importance_value(safe.first(safe.f, K), log_w), std, safe.mixture


def _balance(desk: Desk) -> Answer:
    a, K = desk.asked, desk.config.n_samples
    own, wide = desk.safe.counts
    std = optimal.balance_std(a.target, (a.proposal, choices.SAFE), (own / K, wide / K), a.f)
    return _multiple(desk, 1.0, std / desk.root)


def _resampled(desk: Desk, name: str) -> Answer:
    K = desk.config.n_samples
    copies = resampling.copies(desk.log_w, K, desk.generator(name), SCHEMES[name])
    std = None
    if name == "multinomial":  # the noise of K independent choices comes on top
        std = math.hypot(_std_of_ratio(desk), _std_under_target(desk)) / desk.root
    return (copies * desk.f).sum(dim=0) / K, std, desk.asked.proposal


def _optimal(desk: Desk) -> Answer:
    a = desk.asked
    best = optimal.optimal_proposal(a.target, a.f)
    if isinstance(best, Tabulated):
        z, log_q = best.sample_with_log_prob(desk.shape, desk.generator("optimal"))
    else:
        z = draws(best, desk.config, "optimal")
        log_q = best.log_prob(z)
    value = estimators.importance_value(a.f(z), a.target.log_prob(z) - log_q)
    return value, optimal.optimal_std(a.target, a.f, a.exact) / desk.root, best


def _std_of_ratio(desk: Desk) -> float:
    return math.sqrt(variances(desk.config.run_config("self_normalized")).under_q)


def _std_under_target(desk: Desk) -> float:
    return math.sqrt(variances(desk.config.run_config("importance")).under_p)


_problem = lru_cache(maxsize=64)(make_problem)

SCHEMES: dict[str, resampling.Scheme] = {
    "multinomial": resampling.multinomial,
    "stratified": resampling.stratified,
    "systematic": resampling.systematic,
}
METHODS: dict[str, Method] = {
    "monte_carlo": ("Draws from p itself", False, _monte_carlo),
    "importance": ("Importance sampling", True, _importance),
    "self_normalized": ("Self-normalized", False, _self_normalized),
    "control_variate": ("Mean weight as control variate", True, _control_variate),
    "defensive": ("Defensive mixture", True, _defensive),
    "balance": ("Two proposals, balance heuristic", True, _balance),
    "power": ("Two proposals, power heuristic", True, lambda d: _multiple(d, POWER, None)),
    "pareto_smoothed": ("Pareto smoothed", False, _pareto_smoothed),
    "sir_multinomial": ("Resampled, multinomial", False, lambda d: _resampled(d, "multinomial")),
    "sir_stratified": ("Resampled, stratified", False, lambda d: _resampled(d, "stratified")),
    "sir_systematic": ("Resampled, systematic", False, lambda d: _resampled(d, "systematic")),
    "optimal": ("Optimal proposal, |f| p", True, _optimal),
}
