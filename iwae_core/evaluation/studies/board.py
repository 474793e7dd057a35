"""One board for all cures: error against cost, on the learner's own target.

Every method gets the same budget of K draws and answers the same question R = N_REPEATS times.
Those that draw from the learner's q share their draws, so they differ by what they do and not by
luck; each row's numbers carry their own standard error all the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies import choices, optimal, repeats
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.weighting import WeightingConfig, problem, variances
from iwae_core.rng import stream
from iwae_core.sampling import estimators, multiple, resampling
from iwae_core.sampling.densities import Mixture, Scaled, Univariate
from iwae_core.sampling.problems import Problem, make_problem

N_REPEATS = 200
MIN_SAMPLES, MAX_SAMPLES = 25, 2000  # K
POWER = 2.0  # of the power heuristic

Array = NDArray[np.float64]


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


SCENES = {
    "fair": Scene(
        title="A fair proposal",
        why="q covers both modes. The cures cost a little and gain a little, the optimal proposal "
        "shows how much is still to be had.",
        settings=(("target", "two_modes"), ("loc", 1.0), ("scale", 2.5), ("integrand", "z")),
    ),
    "one_mode": Scene(
        title="One mode missed",
        why="q sits on one of two modes. No reweighting finds the other; the defensive mixture "
        "and the second proposal do, with a fifth of the draws.",
        settings=(("target", "two_modes"), ("loc", -2.0), ("scale", 0.8), ("integrand", "z")),
    ),
    "rare": Scene(
        title="A rare event",
        why="P(z > 3) is 1 in 741. Drawing from p sees it rarely; a q moved to the event gets it "
        "to a few percent; the optimal proposal gets it exactly. Self-normalizing spoils it, for "
        "the weights' sum needs the draws that q no longer makes.",
        settings=(
            ("target", "standard_normal"),
            ("loc", 3.0),
            ("scale", 1.0),
            ("integrand", "above_3"),
        ),
    ),
    "narrow": Scene(
        title="Too narrow",
        why="The variance is infinite. A fifth of wide draws makes it finite; Pareto smoothing "
        "tames it at the price of a bias; the measured error of plain importance sampling "
        "depends on which rare draws came.",
        settings=(("target", "normal"), ("loc", 1.0), ("scale", 0.5), ("integrand", "z_squared")),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One method: what it costs and how far it is off."""

    key: str
    title: str
    value: Array  # estimates, (R,)
    rmse: float  # root mean square error against the exact answer
    rmse_error: float
    bias: float
    bias_error: float
    true_std: float | None  # exact deviation (for many draws if not linear); None if unknown
    n_draws: int  # of p, q or both
    n_density: int  # evaluations of a density, p and each part of q
    n_copies: int  # draws copied by resampling


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardReport:
    """All methods that apply, in teaching order."""

    exact: float
    rows: tuple[Row, ...]
    missing: tuple[tuple[str, str], ...]  # title of a method that does not apply, and why


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Desk:
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


_Answer = tuple[Tensor, float | None, Univariate | None]  # estimates, true std, what was drawn
_Method = tuple[str, bool, Callable[[_Desk], _Answer]]  # title, needs a normalized target


def run(config: BoardConfig) -> BoardReport:
    """Ask every method. About 0.3 s at K = 250; grows with K.

    Raises:
        ValueError: As :func:`.weighting.problem`.
    """
    c = config
    asked = problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
    z = asked.draw((c.n_samples, N_REPEATS), stream(c.seed, "board"), torch.float64)
    safe = Mixture((asked.proposal, choices.SAFE), (1 - choices.SAFE_SHARE, choices.SAFE_SHARE))
    desk = _Desk(config=c, asked=asked, z=z, f=asked.f(z), log_w=asked.log_weights(z), safe=safe)
    rows, missing = [], []
    for key, (title, normalized, method) in METHODS.items():
        if normalized and isinstance(asked.target, Scaled):
            missing.append((title, "needs a normalized target"))
            continue
        try:
            rows.append(_row(desk, key, title, *method(desk)))
        except ValueError as fault:  # no draw hits the support, or weights too large for a float
            missing.append((title, str(fault)))
    return BoardReport(exact=asked.exact, rows=tuple(rows), missing=tuple(missing))


def _row(
    desk: _Desk,
    key: str,
    title: str,
    value: Tensor,
    true_std: float | None,
    drawn: Univariate | None,
) -> Row:
    K, values = desk.config.n_samples, value.numpy()
    rmse = repeats.root_mean_square(values - desk.asked.exact)
    bias = repeats.mean(values - desk.asked.exact)
    return Row(
        key=key,
        title=title,
        value=values,
        rmse=rmse.value,
        rmse_error=rmse.std_error,
        bias=bias.value,
        bias_error=bias.std_error,
        true_std=true_std,
        n_draws=K,
        n_density=0 if drawn is None else K * (1 + _n_parts(drawn)),
        n_copies=K if key.startswith("sir_") else 0,
    )


def _n_parts(q: Univariate) -> int:
    return sum(map(_n_parts, q.components)) if isinstance(q, Mixture) else 1


def _monte_carlo(desk: _Desk) -> _Answer:
    shape = (desk.config.n_samples, N_REPEATS)
    z = desk.asked.target.sample(shape, desk.generator("monte_carlo"), torch.float64)
    std = _std_under_target(desk)
    return estimators.monte_carlo(desk.asked.f(z)).value, std / desk.root, None


def _importance(desk: _Desk) -> _Answer:
    value = estimators.importance(desk.f, desk.log_w).value
    return value, desk.asked.std_of_term / desk.root, desk.asked.proposal


def _self_normalized(desk: _Desk) -> _Answer:
    value = estimators.self_normalized(desk.f, desk.log_w).value
    return value, _std_of_ratio(desk) / desk.root, desk.asked.proposal


def _control_variate(desk: _Desk) -> _Answer:
    value = estimators.control_variate(desk.f, desk.log_w).value
    a = desk.asked
    std = optimal.control_variate_std(a.target, a.proposal, a.f, a.exact)
    return value, std / desk.root, a.proposal


def _pareto_smoothed(desk: _Desk) -> _Answer:
    return estimators.pareto_smoothed(desk.f, desk.log_w).value, None, desk.asked.proposal


def _from(desk: _Desk, proposal: Univariate, std: float, name: str) -> _Answer:
    """Plain importance sampling from another proposal."""
    z = proposal.sample((desk.config.n_samples, N_REPEATS), desk.generator(name), torch.float64)
    log_w = desk.asked.target.log_prob(z) - proposal.log_prob(z)
    return estimators.importance(desk.asked.f(z), log_w).value, std / desk.root, proposal


def _defensive(desk: _Desk) -> _Answer:
    std = make_problem(desk.asked.target, desk.safe, desk.asked.f).std_of_term
    return _from(desk, desk.safe, std, "defensive")


def _multiple(desk: _Desk, power: float, std: float | None) -> _Answer:
    a, proposals = desk.asked, (desk.asked.proposal, choices.SAFE)
    noise = desk.generator("multiple")  # the same for both heuristics
    z = multiple.sample_each(proposals, desk.counts, noise, (N_REPEATS,), torch.float64)
    log_w = multiple.power_log_weights(a.target, proposals, desk.counts, z, power)
    value = multiple.multiple_importance(a.f(z), log_w, desk.counts).value
    return value, std, desk.safe


def _balance(desk: _Desk) -> _Answer:
    a, K = desk.asked, desk.config.n_samples
    shares = (desk.counts[0] / K, desk.counts[1] / K)
    std = optimal.balance_std(a.target, (a.proposal, choices.SAFE), shares, a.f)
    return _multiple(desk, 1.0, std / desk.root)


def _resampled(desk: _Desk, name: str) -> _Answer:
    scheme = SCHEMES[name]
    noise, K = desk.generator(name), desk.config.n_samples
    value = resampling.resampled(desk.f, desk.log_w, K, noise, scheme).value
    std = None
    if name == "multinomial":  # the noise of K independent choices comes on top
        std = math.hypot(_std_of_ratio(desk), _std_under_target(desk)) / desk.root
    return value, std, desk.asked.proposal


def _optimal(desk: _Desk) -> _Answer:
    a = desk.asked
    best = optimal.optimal_proposal(a.target, a.f)
    return _from(desk, best, optimal.optimal_std(a.target, a.f, a.exact), "optimal")


def _std_of_ratio(desk: _Desk) -> float:
    return math.sqrt(variances(desk.config.run_config("self_normalized")).under_q)


def _std_under_target(desk: _Desk) -> float:
    return math.sqrt(variances(desk.config.run_config("importance")).under_p)


SCHEMES: dict[str, resampling.Scheme] = {
    "multinomial": resampling.multinomial,
    "stratified": resampling.stratified,
    "systematic": resampling.systematic,
}
METHODS: dict[str, _Method] = {
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
