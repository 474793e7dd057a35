"""The cures on the board: one question, one budget of draws, twelve ways to answer.

A method takes the :class:`Desk` with the shared draws and returns its estimates, the exact
deviation where theory knows one, and the density that it drew from.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies import choices, optimal
from iwae_core.evaluation.studies.weighting import WeightingConfig, variances
from iwae_core.rng import stream
from iwae_core.sampling import estimators, multiple, resampling
from iwae_core.sampling.densities import Mixture, Univariate
from iwae_core.sampling.problems import Problem, make_problem

N_REPEATS = 200
MIN_SAMPLES, MAX_SAMPLES = 25, 2000  # K
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Desk:
    """What the methods share."""

    config: BoardConfig
    asked: Problem
    z: Tensor  # draws of q, (K, R)
    f: Tensor  # (K, R)
    log_w: Tensor  # (K, R)
    safe: Mixture  # q with a share of a wide density

    @property
    def counts(self) -> tuple[int, int]:
        """Draws of q and of the wide density, for several proposals."""
        wide = round(choices.SAFE_SHARE * self.config.n_samples)
        return self.config.n_samples - wide, wide

    @property
    def root(self) -> float:
        """Root of K."""
        return math.sqrt(self.config.n_samples)

    def generator(self, name: str) -> torch.Generator:
        """Noise of one method."""
        return stream(self.config.seed, "board", name)


Answer = tuple[Tensor, float | None, Univariate | None]  # estimates, true std, what was drawn
Method = tuple[str, bool, Callable[[Desk], Answer]]  # title, needs a normalized target


def _monte_carlo(desk: Desk) -> Answer:
    shape = (desk.config.n_samples, N_REPEATS)
    z = desk.asked.target.sample(shape, desk.generator("monte_carlo"), torch.float64)
    std = _std_under_target(desk)
    return estimators.monte_carlo(desk.asked.f(z)).value, std / desk.root, None


def _importance(desk: Desk) -> Answer:
    value = estimators.importance(desk.f, desk.log_w).value
    return value, desk.asked.std_of_term / desk.root, desk.asked.proposal


def _self_normalized(desk: Desk) -> Answer:
    value = estimators.self_normalized(desk.f, desk.log_w).value
    return value, _std_of_ratio(desk) / desk.root, desk.asked.proposal


def _control_variate(desk: Desk) -> Answer:
    value = estimators.control_variate(desk.f, desk.log_w).value
    a = desk.asked
    std = optimal.control_variate_std(a.target, a.proposal, a.f, a.exact)
    return value, std / desk.root, a.proposal


def _pareto_smoothed(desk: Desk) -> Answer:
    return estimators.pareto_smoothed(desk.f, desk.log_w).value, None, desk.asked.proposal


def _from(desk: Desk, proposal: Univariate, std: float, name: str) -> Answer:
    """Plain importance sampling from another proposal."""
    z = proposal.sample((desk.config.n_samples, N_REPEATS), desk.generator(name), torch.float64)
    log_w = desk.asked.target.log_prob(z) - proposal.log_prob(z)
    return estimators.importance(desk.asked.f(z), log_w).value, std / desk.root, proposal


def _defensive(desk: Desk) -> Answer:
    std = make_problem(desk.asked.target, desk.safe, desk.asked.f).std_of_term
    return _from(desk, desk.safe, std, "defensive")


def _multiple(desk: Desk, power: float, std: float | None) -> Answer:
    a, proposals = desk.asked, (desk.asked.proposal, choices.SAFE)
    noise = desk.generator("multiple")  # the same for both heuristics
    z = multiple.sample_each(proposals, desk.counts, noise, (N_REPEATS,), torch.float64)
    log_w = multiple.power_log_weights(a.target, proposals, desk.counts, z, power)
    value = multiple.multiple_importance(a.f(z), log_w, desk.counts).value
    return value, std, desk.safe


def _balance(desk: Desk) -> Answer:
    a, K = desk.asked, desk.config.n_samples
    shares = (desk.counts[0] / K, desk.counts[1] / K)
    std = optimal.balance_std(a.target, (a.proposal, choices.SAFE), shares, a.f)
    return _multiple(desk, 1.0, std / desk.root)


def _resampled(desk: Desk, name: str) -> Answer:
    scheme = SCHEMES[name]
    noise, K = desk.generator(name), desk.config.n_samples
    # `resampling.resampled` works out a standard error as well, which the board does not show.
    value = resampling.resample(desk.f, scheme(desk.log_w, K, noise)).mean(dim=0)
    std = None
    if name == "multinomial":  # the noise of K independent choices comes on top
        std = math.hypot(_std_of_ratio(desk), _std_under_target(desk)) / desk.root
    return value, std, desk.asked.proposal


def _optimal(desk: Desk) -> Answer:
    a = desk.asked
    best = optimal.optimal_proposal(a.target, a.f)
    return _from(desk, best, optimal.optimal_std(a.target, a.f, a.exact), "optimal")


def _std_of_ratio(desk: Desk) -> float:
    return math.sqrt(variances(desk.config.run_config("self_normalized")).under_q)


def _std_under_target(desk: Desk) -> float:
    return math.sqrt(variances(desk.config.run_config("importance")).under_p)


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
