r"""Plain against self-normalized: bias and variance against K.

The plain estimate is unbiased for every K. Dividing by the mean weight costs a bias,

    E[ratio] - mu = -(E_q[w^2 f] - mu E_q[w^2]) / K + O(K^-2)          (weights of mean one)

and often pays with a smaller variance. One set of N_DRAWS draws is cut into groups of K. The
centered plain estimate :math:`T = \overline{w (f - \mu)}` has mean exactly zero, and
:math:`T / \bar w - T` has therefore the same mean as the ratio's error, with much less noise:
that is how a bias of order 1/K is measured against a spread of order K^-1/2.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.studies import exact, repeats
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.weighting import WeightingConfig, problem, variances
from iwae_core.rng import stream
from iwae_core.sampling.integrands import Power

N_DRAWS = 2**16
MAX_SAMPLES = 256  # K

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioConfig:
    """A question; names as in :class:`.weighting.WeightingConfig`."""

    target: str = "normal"
    family: str = "normal"
    loc: float = 0.0
    scale: float = 1.2
    df: float = 3.0
    integrand: str = "z"
    seed: int = 1

    def __post_init__(self) -> None:
        self.run_config("importance")  # which checks the names

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
            seed=self.seed,
        )


SCENES = {
    "pulled": Scene(
        title="A bias that fades like 1/K",
        why="q sits to the left of p. With few draws the ratio trusts them and stays on the left; "
        "the bias halves whenever K doubles, faster than the spread, so it soon ceases to matter.",
        settings=(("target", "normal"), ("loc", 0.0), ("scale", 1.2), ("integrand", "z")),
    ),
    "pays": Scene(
        title="Where the ratio wins",
        why="q is twice as wide as p, around the same mean, which is far from zero. How much the "
        "weights add up to is noise that both sums share, and dividing cancels it: a variance of "
        "0.86 / K for many draws instead of 1.38 / K.",
        settings=(("target", "normal"), ("loc", 1.0), ("scale", 2.0), ("integrand", "z")),
    ),
    "rare": Scene(
        title="Where the ratio loses",
        why="q sits on the rare event. The plain average knows the event's weights well; the sum "
        "of all weights needs draws that q hardly makes. The 1/K law of the bias is still far "
        "off at K = 256.",
        settings=(
            ("target", "standard_normal"),
            ("loc", 3.0),
            ("scale", 1.0),
            ("integrand", "above_3"),
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RatioReport:
    """Both estimates at each K, for a normalized target; arrays of one entry per K."""

    n_samples: Array  # K
    exact: float
    undefined: Array  # share of groups without any weight, which have no ratio and are left out
    bias: Array  # of the ratio, measured
    bias_error: Array  # its standard error
    leading_bias: Array  # its exact leading term; NaN where the moments diverge
    plain_variance: Array  # exact, Var(w f) / K; maybe inf
    variance: Array  # of the ratio, measured
    variance_error: Array  # its standard error
    leading_variance: Array  # exact leading term of the ratio's variance; maybe inf
    ghosts_plain: Array  # the first 64 plain estimates at the largest K that have a ratio
    ghosts_ratio: Array  # the ratios of the same draws


def run(config: RatioConfig) -> RatioReport:
    """Cut the draws into groups of K = 1, 2, 4 .. MAX_SAMPLES.

    Raises:
        ValueError: As :func:`.weighting.problem`.
    """
    c = config
    asked = problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
    z = asked.draw((N_DRAWS,), stream(c.seed, "ratio"), torch.float64)
    f, log_w = asked.f(z), asked.log_weights(z) - asked.target.log_normalizer
    K_all = np.array([2.0**power for power in range(MAX_SAMPLES.bit_length())])
    finite = math.isfinite(asked.second_moment)
    bias, variance, undefined = [], [], []
    plain = ratio = f
    for K in K_all.astype(int).tolist():
        columns = _cut(log_w, K)
        seen = (columns > -math.inf).any(dim=0)
        plain, ratio, error = _groups(_cut(f, K)[:, seen], columns[:, seen], asked.exact)
        if finite and seen.all():  # T has mean zero over all groups only
            error = error - (plain - asked.exact * columns.exp().mean(dim=0))
        bias.append(_mean(error))
        variance.append(_mean((ratio - ratio.mean()).square()))
        undefined.append(1 - seen.double().mean().item())
    slope = _leading_bias(config)
    scale = math.exp(-2 * asked.target.log_normalizer)
    return RatioReport(
        n_samples=K_all,
        exact=asked.exact,
        undefined=np.array(undefined),
        bias=np.array([found.value for found in bias]),
        bias_error=np.array([found.std_error for found in bias]),
        leading_bias=slope / K_all,
        plain_variance=variances(c.run_config("importance")).under_q * scale / K_all,
        variance=np.array([found.value for found in variance]),
        variance_error=np.array([found.std_error for found in variance]),
        leading_variance=variances(c.run_config("self_normalized")).under_q / K_all,
        ghosts_plain=plain[:64].numpy(),
        ghosts_ratio=ratio[:64].numpy(),
    )


def _cut(values: Tensor, K: int) -> Tensor:
    """Groups of K draws as columns, ``(K, N / K)``."""
    return values.reshape(-1, K).T


def _groups(f: Tensor, log_w: Tensor, answer: float) -> tuple[Tensor, Tensor, Tensor]:
    """Plain estimates, ratios, and the ratios' errors, of each column."""
    share = torch.softmax(log_w, dim=0)
    plain = (log_w.exp() * f).mean(dim=0)
    return plain, (share * f).sum(dim=0), (share * (f - answer)).sum(dim=0)


def _mean(values: Tensor) -> repeats.Measured:
    few = len(values) < 2
    return repeats.Measured(math.nan, math.nan) if few else repeats.mean(values.numpy())


def _leading_bias(config: RatioConfig) -> float:
    """K times the leading term of the bias; NaN where a moment diverges."""
    c = config
    asked = problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
    p = exact.normalized(asked.target)
    square = exact.weighted_square(p, asked.proposal, Power(0))
    product = exact.weighted_square(p, asked.proposal, asked.f)
    if math.isinf(square) or math.isinf(product):
        return math.nan
    return asked.exact * square - product
