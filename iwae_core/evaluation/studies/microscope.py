r"""Jensen's inequality under the microscope: log of the mean against mean of the log.

With r = w / p(x), of mean one, and the mean of K of them, the gap of the bound is

    log p(x) - L_K = log E[mean r] - E[log mean r] = -E[log mean r] >= 0,

and to leading order Var(r) / (2 K). Three laws of r, all of them weights of the oracle in
``tightness`` under some q, told by the spread sigma = standard deviation of log w:

    lognormal   q shifted by sigma:              r = exp(sigma e - sigma^2 / 2),  e ~ N(0, 1)
    bounded     q wider, scale^2 = 1 + sigma:    r = (1 + sigma) U^sigma,         U ~ Uniform(0, 1)
    pareto      q narrower, scale^2 = 1 - sigma: r = (1 - sigma) U^-sigma,        sigma < 1

In the last, Var(r) is infinite from sigma = 1/2 on, and the approximation does not exist.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.objectives import iwae
from iwae_core.counts import is_count
from iwae_core.evaluation.studies.expected import Law, normal_nodes
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.tightness import APPROXIMATION_LIMIT, mean_of_runs
from iwae_core.names import check_known
from iwae_core.rng import standard_normal, stream

LAWS = ("lognormal", "bounded", "pareto")
MAX_SAMPLES = 256  # K
MAX_SPREAD = {"lognormal": 4.0, "bounded": 4.0, "pareto": 0.95}
CURVE = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # K of the curve
N_REPEATS = 4000
N_BINS = 60
_NODES = 0.1  # distance of the nodes over eps: the gap is right to 1e-11

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroscopeConfig:
    """A law of weights and how many of them are averaged.

    Attributes:
        law: A name from LAWS.
        sigma: Standard deviation of one log weight, nats.
        n_samples: K.
        seed: Of the draws.
    """

    law: str = "lognormal"
    sigma: float = 1.0
    n_samples: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        check_known(self.law, LAWS, "law")
        faults = []
        if not 0 <= self.sigma <= MAX_SPREAD[self.law]:
            faults.append(
                f"sigma must lie in [0, {MAX_SPREAD[self.law]:g}] for {self.law} weights, "
                f"got {self.sigma}"
            )
        if not (is_count(self.n_samples) and self.n_samples <= MAX_SAMPLES):
            faults.append(f"n_samples must lie in 1..{MAX_SAMPLES}, got {self.n_samples}")
        if faults:
            raise ValueError("; ".join(faults))


SCENES = {
    "one": Scene(
        title="One weight",
        why="K = 1: the log is taken of every single weight. For lognormal weights the price is "
        "exactly half the variance of the log weight.",
        settings=(("law", "lognormal"), ("sigma", 1.0), ("n_samples", 1)),
    ),
    "sixteen": Scene(
        title="The mean of 16",
        why="The histogram has drawn together around one, where the log is nearly straight: the "
        "two arrows almost meet, and the gap is close to Var(w) / (2K mean²).",
        settings=(("law", "lognormal"), ("sigma", 0.8), ("n_samples", 16)),
    ),
    "breaks": Scene(
        title="Where the approximation fails",
        why="Weights spread over decades: the approximation is thirty times the gap, "
        "for nearly all of the variance sits in weights so rare that 16 draws do not hold one.",
        settings=(("law", "lognormal"), ("sigma", 2.6), ("n_samples", 16)),
    ),
    "infinite": Scene(
        title="Infinite variance",
        why="q is too narrow. The gap is small and closes, but slower than 1/K, and the "
        "approximation is infinite for every K.",
        settings=(("law", "pareto"), ("sigma", 0.6), ("n_samples", 16)),
    ),
    "bounded": Scene(
        title="Bounded weights",
        why="q is too wide: no weight exceeds 1 + \N{GREEK SMALL LETTER SIGMA}. The single log "
        "weight pays dearly for the many small ones, a mean of 16 hardly at all.",
        settings=(("law", "bounded"), ("sigma", 2.0), ("n_samples", 16)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MicroscopeReport:
    """The mean of K weights over p(x), and its logarithm; gaps in nats.

    Attributes:
        counts: Histogram of the mean of K weights over repeats, ``(60,)``.
        edges: Its edges on the axis of r, ``(61,)``; the last bin also holds all beyond.
        means: The first 400 repeats of the mean of K weights.
        log_of_mean: log E[r] = 0, exactly.
        mean_of_log: E[log of the mean of K], exactly; minus the gap.
        gap: Exactly.
        gap_hat: From the repeats.
        gap_error: Standard error of ``gap_hat``.
        variance: Var(r) = Var(w) / mean^2, exactly; may be inf.
        approximate_gap: ``variance / (2 K)``.
        relative_error: Of the approximation; inf where it is infinite, 0 without a gap.
        holds: Whether that is at most APPROXIMATION_LIMIT.
        share_above: Of the repeats whose mean passes one, i.e. whose run passes log p(x).
        curve_n_samples: CURVE.
        curve_gap: Exact gap at each K of the curve.
        curve_approximation: Its approximation.
        breaks_until: The approximation is off from K = 1 up to this K of the curve; 0 if it is
            nowhere, inf if everywhere.
        breaks_from_sigma: At this K it is off for every sigma above this one; inf if for none up
            to MAX_SPREAD.
    """

    counts: Array
    edges: Array
    means: Array
    log_of_mean: float
    mean_of_log: float
    gap: float
    gap_hat: float
    gap_error: float
    variance: float
    approximate_gap: float
    relative_error: float
    holds: bool
    share_above: float
    curve_n_samples: Array
    curve_gap: Array
    curve_approximation: Array
    breaks_until: float
    breaks_from_sigma: float


def run(config: MicroscopeConfig) -> MicroscopeReport:
    """Look at the mean of K weights: exact by quadrature, and in repeats."""
    K, law, sigma = config.n_samples, config.law, config.sigma
    eps = standard_normal((K, N_REPEATS), stream(config.seed, "weights"), torch.float64)
    single = iwae(log_ratio(law, sigma, eps))
    spread = variance(law, sigma)
    mean, error = mean_of_runs(single, 0.0, spread / K)
    means = single.exp().numpy()
    top = max(float(np.quantile(means, 0.99)), 1.0) * 1.05 + 0.05
    edges = np.linspace(0.0, top, N_BINS + 1)
    gap = gaps(law, sigma, (K,))[0].item()
    curve_gap = gaps(law, sigma, CURVE)
    approximation = spread / (2 * np.array(CURVE, dtype=np.float64))
    off = _relative_error(approximation, curve_gap) > APPROXIMATION_LIMIT
    last = np.array(CURVE, dtype=np.float64)[off.cumprod().astype(bool)].max(initial=0.0).item()
    relative_error = _relative_error(np.array(spread / (2 * K)), np.array(gap)).item()
    return MicroscopeReport(
        counts=np.histogram(np.minimum(means, top), edges)[0].astype(np.float64),
        edges=edges,
        means=means[:400],
        log_of_mean=0.0,
        mean_of_log=-gap,
        gap=gap,
        gap_hat=-mean,
        gap_error=error,
        variance=spread,
        approximate_gap=spread / (2 * K),
        relative_error=relative_error,
        holds=relative_error <= APPROXIMATION_LIMIT,
        share_above=(single > 1e-12).double().mean().item(),
        curve_n_samples=np.array(CURVE, dtype=np.float64),
        curve_gap=curve_gap,
        curve_approximation=approximation,
        breaks_until=math.inf if off.all() else last,
        breaks_from_sigma=breaks_from_sigma(law, K),
    )


def log_ratio(law: str, sigma: float, eps: Tensor) -> Tensor:
    """Log weight ratio log(w / p(x)) as a smooth function of a standard normal number, nats."""
    if law == "lognormal":
        return sigma * eps - 0.5 * sigma**2
    log_uniform = torch.special.log_ndtr(eps)
    sign = 1 if law == "bounded" else -1
    return math.log1p(sign * sigma) + sign * sigma * log_uniform


def variance(law: str, sigma: float) -> float:
    """Var(r) in closed form; inf where it does not exist."""
    if law == "lognormal":
        return math.expm1(sigma**2)
    s = sigma if law == "bounded" else -sigma
    return s**2 / (1 + 2 * s) if s > -0.5 else math.inf


def gaps(law: str, sigma: float, n_samples: Sequence[int]) -> Array:
    """Exact log p(x) - L_K for several K, nats."""
    eps, probability = normal_nodes(1, _NODES)
    bound = Law(log_ratio(law, sigma, eps[:, 0]), probability).bound(n_samples)
    return np.maximum(-bound.numpy(), 0.0)


@lru_cache(maxsize=256)
def breaks_from_sigma(law: str, n_samples: int) -> float:
    """Spread above which the approximation is off at this K; inf if it never is in range."""

    def off(sigma: float) -> bool:
        gap = gaps(law, sigma, (n_samples,))
        approximation = np.array([variance(law, sigma) / (2 * n_samples)])
        return bool(_relative_error(approximation, gap)[0] > APPROXIMATION_LIMIT)

    # From above: for some K the error passes the limit, dips below and passes it again.
    grid = np.linspace(0.02, MAX_SPREAD[law], 40).tolist()
    at = next((i for i in reversed(range(len(grid))) if not off(grid[i])), None)
    if at is None:
        return 0.0
    if at == len(grid) - 1:
        return math.inf
    low, high = grid[at], grid[at + 1]
    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if off(middle) else (middle, high)
    return high


def _relative_error(approximation: Array, gap: Array) -> Array:
    """Error of the approximation over the gap; 0 where both are nothing but rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(approximation - gap) / gap
    return np.where((gap < 1e-11) & (approximation < 1e-11), 0.0, error)
