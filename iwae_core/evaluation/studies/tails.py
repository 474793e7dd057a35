r"""Light tails: the estimate and its error bar look fine, and only k-hat objects, mostly.

A Normal proposal of scale s under a Normal target of scale t has weights of tail index
:math:`k = 1 - s^2 / t^2` (zero if negative); a Student t target makes it one for every scale.
Above 1/2 the variance of the weights is infinite, and the standard error that draws report
measures nothing. The same run is repeated with other noise: how often does a reported 95 %
interval hold the truth, and how often did k-hat warn when it did not? Both are measured, for
k-hat is fitted to the same draws and can be fooled with them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies.choices import INTEGRANDS
from iwae_core.evaluation.studies.repeats import share
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.weighting import COVERED, ESTIMATORS
from iwae_core.names import check_known
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling import psis
from iwae_core.sampling.densities import Normal, StudentT
from iwae_core.sampling.divergences import tail_index
from iwae_core.sampling.problems import Problem, make_problem
from iwae_core.sampling.psis import MIN_DRAWS, TRUST_LIMIT, VARIANCE_LIMIT

N_REPEATS = 200
MAX_SAMPLES = 2000  # K
SWEEP = np.round(np.geomspace(0.3, 2.0, 13), 3)  # scales of q, in scales of p
N_SWEEP_REPEATS = 40
BAND = (0.05, 0.95)  # quantiles of k-hat over the repeats

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class TailsConfig:
    """A target centered at zero and a Normal q.

    Attributes:
        target: "normal" or "student_t".
        target_scale: Scale of the target.
        df: Degrees of freedom of a Student t target.
        loc: Mean of q.
        scale: Standard deviation of q.
        integrand: f, a name of :data:`.choices.INTEGRANDS`.
        estimator: A name of :data:`.weighting.ESTIMATORS`.
        n_samples: K, the draws of each repeat.
        seed: Of the draws.
    """

    target: str = "normal"
    target_scale: float = 1.0
    df: float = 5.0
    loc: float = 0.0
    scale: float = 0.5
    integrand: str = "z_squared"
    estimator: str = "importance"
    n_samples: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        check_known(self.target, ("normal", "student_t"), "target")
        check_known(self.integrand, INTEGRANDS, "integrand")
        check_known(self.estimator, ESTIMATORS, "estimator")
        check_count("n_samples", self.n_samples, MIN_DRAWS)
        faults = []
        if self.n_samples > MAX_SAMPLES:
            faults.append(f"n_samples must be at most {MAX_SAMPLES}, got {self.n_samples}")
        if not abs(self.loc) <= 10:
            faults.append(f"loc must lie within 10 of 0, got {self.loc}")
        for name, value in (("scale", self.scale), ("target_scale", self.target_scale)):
            if not 0.1 <= value <= 10:
                faults.append(f"{name} must lie in [0.1, 10], got {value}")
        if not 0.5 <= self.df <= 100:
            faults.append(f"df must lie in [0.5, 100], got {self.df}")
        if faults:
            raise ValueError("; ".join(faults))


SCENES = {
    "looks_fine": Scene(
        title="Looks fine",
        why="q is half as wide as the target, so k is 0.75. Each run reports a modest error, and "
        "about half of the 95 % intervals miss the truth, nearly always from below. k-hat passes "
        "0.5 in most runs; but a run that never saw the tail has nothing to fit to it: five in "
        "six of those that miss stay below 0.7, and only a third of those that hold the truth do.",
        settings=(("scale", 0.5), ("integrand", "z_squared")),
    ),
    "borderline": Scene(
        title="Between the flags",
        why="At a scale of 0.63 k is 0.6: the mean of the weights settles, their variance is "
        "infinite. The error shrinks more slowly than one over the root of K, and a quarter of "
        "the 95 % intervals miss.",
        settings=(("scale", 0.63), ("integrand", "z_squared")),
    ),
    "safe": Scene(
        title="A little too wide",
        why="A q wider than the target has bounded weights: k is 0 and the reported intervals "
        "hold what they promise.",
        settings=(("scale", 1.3), ("integrand", "z_squared")),
    ),
    "student": Scene(
        title="A Student t target",
        why="No Normal follows a Student t into its tails, however wide: k is 1 for every scale. "
        "A wide q moves the trouble out to where no draw goes, so even k-hat stays calm while a "
        "third of the intervals miss: no diagnostic sees what was never sampled.",
        settings=(("target", "student_t"), ("df", 5.0), ("scale", 1.5)),
    ),
    "shifted": Scene(
        title="A false alarm?",
        why="Equal scales, three apart: every moment of the weights is finite and k is 0, but "
        "the mean of their squares is e to the 9th, about 8,100. At this K their tail looks "
        "heavy, k-hat warns, and rightly: most of the intervals miss.",
        settings=(("scale", 1.0), ("loc", 3.0), ("integrand", "z")),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TailsReport:
    """N_REPEATS runs (R of them) of K draws each; the page shows run 0."""

    z: Array  # draws of run 0, (K,)
    log_w: Array  # their log weights in nats, (K,)
    estimate: Array  # (R,)
    std_error: Array  # as each run reports it, (R,)
    k_hat: Array  # (R,)
    ess: Array  # (R,)
    covers: Flags  # whether estimate +- COVERED std_error holds `exact`, (R,)
    exact: float
    tail_index: float  # exact k
    second_moment: float  # exact E_q[w^2]; inf from k = 1/2 on
    true_std: float  # exact standard deviation of an importance estimate; maybe inf
    coverage: float  # share of runs that cover; should be 0.95
    coverage_error: float  # its standard error
    flagged_variance: float  # share of runs with k-hat above VARIANCE_LIMIT
    flagged_trust: float  # share of runs with k-hat above TRUST_LIMIT
    misses: int  # runs that do not cover
    misses_warned: int  # of these, runs whose k-hat is above VARIANCE_LIMIT
    misses_flagged: int  # of these, runs whose k-hat is above TRUST_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepReport:
    """k-hat at each scale of q, with the same noise; S scales."""

    scale: Array  # of q, (S,)
    tail_index: Array  # exact k, (S,)
    k_hat: Array  # median, (S,)
    low: Array  # BAND of k-hat over the repeats, (S,)
    high: Array


def run(config: TailsConfig) -> TailsReport:
    """Repeat the run and judge every repeat against the truth.

    Raises:
        ValueError: If the mean of f does not exist under the target.
    """
    asked = problem(config)
    eps = _eps(config.seed, config.n_samples, N_REPEATS)
    z = Normal(config.loc, config.scale).from_noise(eps)
    log_w = asked.log_weights(z)
    found = ESTIMATORS[config.estimator](asked.f(z), log_w)
    covers = _covers(found.value, found.std_error, asked.exact)
    warned, flagged = ((found.k_hat > at).numpy() for at in (VARIANCE_LIMIT, TRUST_LIMIT))
    coverage = share(covers)
    return TailsReport(
        z=z[:, 0].numpy(),
        log_w=log_w[:, 0].numpy(),
        estimate=found.value.numpy(),
        std_error=found.std_error.numpy(),
        k_hat=found.k_hat.numpy(),
        ess=found.ess.numpy(),
        covers=covers,
        exact=asked.exact,
        tail_index=asked.tail_index,
        second_moment=asked.second_moment,
        true_std=asked.std_of_term / math.sqrt(config.n_samples),
        coverage=coverage.value,
        coverage_error=coverage.std_error,
        flagged_variance=float(warned.mean()),
        flagged_trust=float(flagged.mean()),
        misses=int((~covers).sum()),
        misses_warned=int((~covers & warned).sum()),
        misses_flagged=int((~covers & flagged).sum()),
    )


def sweep(config: TailsConfig) -> SweepReport:
    """Move the scale of q through SWEEP (times the target's); the question f decides nothing."""
    target = _target(config)
    eps = _eps(config.seed, config.n_samples, N_SWEEP_REPEATS).unsqueeze(1)
    scales = torch.from_numpy(config.target_scale * SWEEP)
    z = config.loc + scales.unsqueeze(1) * eps  # (K, S, R)
    # log q is that of the noise, up to a constant, which the shape of a tail does not know.
    k_hat = psis.k_hat(target.log_prob(z) + 0.5 * eps.square()).numpy()
    low, middle, high = np.quantile(k_hat, [BAND[0], 0.5, BAND[1]], axis=1)
    return SweepReport(
        scale=scales.numpy(),
        tail_index=np.array(
            [tail_index(target, Normal(config.loc, scale)) for scale in scales.tolist()]
        ),
        k_hat=middle,
        low=low,
        high=high,
    )


def problem(config: TailsConfig) -> Problem:
    """The question and its exact answers.

    Raises:
        ValueError: As :func:`run`.
    """
    c = config
    return make_problem(_target(c), Normal(c.loc, c.scale), INTEGRANDS[c.integrand].made)


def _target(config: TailsConfig) -> Normal | StudentT:
    scale = config.target_scale
    return Normal(0.0, scale) if config.target == "normal" else StudentT(0.0, scale, config.df)


@lru_cache(maxsize=8)
def _eps(seed: int, n_samples: int, n_repeats: int) -> Tensor:
    """The noise of all runs, ``(K, R)``; q moves it."""
    return standard_normal((n_samples, n_repeats), stream(seed, "tails"), torch.float64)


def _covers(value: Tensor, std_error: Tensor, truth: float) -> Flags:
    """Whether the reported 95 % interval holds the truth."""
    return ((value - truth).abs() <= COVERED * std_error).numpy()
