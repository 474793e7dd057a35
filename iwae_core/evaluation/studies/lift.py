r"""Dimension lift: the same small mismatch in d independent coordinates, d = 1 .. 500.

With a Normal target N(0, 1) and proposal N(shift, ratio^2) in each coordinate,
:math:`E_q[w^2] = E_q[w_1^2]^d`, so the effective share of the draws falls exponentially,

    ESS / K  ->  exp(-d log E_q[w_1^2])        as long as K is large enough,

and cannot fall below 1 / K: from there on one draw holds everything.

The second trouble is arithmetic. A weight in d dimensions is a product of d ratios, and a float
ends at about e^-745 (float64) or e^-103 (float32). *Plain* computing multiplies and takes the
logarithm of the mean at the end; when every product has underflown to zero that is minus
infinity. *Divided* computing multiplies the densities first and divides after: zero over zero.
*Log-sum-exp* adds logarithms and never underflows. It repairs the arithmetic and not the
estimate: the mean weight is one in every dimension, and its logarithm should be zero.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies.noise import NormalNoise
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.sampling import weights
from iwae_core.sampling.densities import Normal
from iwae_core.sampling.divergences import kl_divergence, log_chi_square_moment

MAX_DIMS = 500
MAX_SAMPLES = 2000  # K
N_REPEATS = 3
N_STOPS = 40  # numbers of dimensions at which weights are measured
N_TOP = 40  # heaviest draws whose shares are kept
BITS = {"float32": torch.float32, "float64": torch.float64}

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftConfig:
    """The mismatch of one coordinate, in standard deviations of the target.

    Attributes:
        shift: Mean of q.
        ratio: Standard deviation of q.
        n_samples: K.
        seed: Of the draws.
    """

    shift: float = 0.0
    ratio: float = 1.25
    n_samples: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        check_count("n_samples", self.n_samples, 2)
        faults = []
        if self.n_samples > MAX_SAMPLES:
            faults.append(f"n_samples must be at most {MAX_SAMPLES}, got {self.n_samples}")
        if not abs(self.shift) <= 5:
            faults.append(f"shift must lie within 5 of 0, got {self.shift}")
        if not 0.2 <= self.ratio <= 5:
            faults.append(f"ratio must lie in [0.2, 5], got {self.ratio}")
        if faults:
            raise ValueError("; ".join(faults))


SCENES = {
    "a_little_wide": Scene(
        title="A quarter too wide",
        why="In one dimension 93 % of the draws count, and nobody would complain. Each further "
        "dimension keeps 93 % of what is left: at 100 dimensions the prediction is one draw of a "
        "thousand. The ESS then shows a few more, for it cannot know the weights it never met.",
        settings=(("shift", 0.0), ("ratio", 1.25)),
    ),
    "a_little_off": Scene(
        title="A fifth off",
        why="A shift of 0.2 costs 4 % a dimension, and a hundred dimensions cost 98 %.",
        settings=(("shift", 0.2), ("ratio", 1.0)),
    ),
    "narrow": Scene(
        title="Too narrow",
        why="Below a ratio of 0.71 E[w²] is infinite in one dimension already, so the prediction "
        "for many draws is zero from the start. A thousand draws do not know that yet; twenty "
        "dimensions later at most a hundred of them still count.",
        settings=(("shift", 0.0), ("ratio", 0.65)),
    ),
    "underflow": Scene(
        title="Where the floats end",
        why="Two standard deviations off in every coordinate. Multiplied plainly, all weights are "
        "zero in float32 before 100 dimensions and in float64 before 500; the logarithm of their "
        "mean is minus infinity. Log-sum-exp gives a number at every d, and the number is still "
        "hundreds of nats below the truth, zero.",
        settings=(("shift", 2.0), ("ratio", 1.0)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlainReport:
    """One way to compute in one precision, for run 0; D = MAX_DIMS."""

    log_mean: Array  # log of the mean product of ratios, for d = 1 .. D, (D,); maybe -inf
    zeros: Array  # share of the weights that are zero, (D,)
    ess: Array  # from these weights and their squares; not finite once it is x / 0, (D,)
    first_zero: float  # smallest d with a weight of zero; inf if there is none up to D
    first_lost: float  # smallest d at which log_mean is -inf: the mean of the weights is zero
    all_zero: float  # smallest d at which every weight is zero; their mean may round there first
    first_nan: float  # smallest d at which a product of p over a product of q is 0 / 0 or x / 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiftReport:
    """Measured (N_REPEATS runs, R) against predicted, at C numbers of dimensions."""

    d: Array  # (C,)
    ess: Array  # measured ESS in draws, (C, R)
    max_weight: Array  # measured share of the heaviest draw, (C, R)
    predicted_share: Array  # exp(-d log E[w_1^2]), the share ESS / K for many draws, (C,)
    log_moment: float  # log E_q[w_1^2] of one coordinate in nats; maybe inf
    kl: float  # KL(p || q) of one coordinate in nats
    ends_at: float  # d from which the prediction is below one draw, log K / log_moment
    log_mean: Array  # log-sum-exp's log mean weight of run 0, for d = 1 .. D (MAX_DIMS)
    ess_each: Array  # measured ESS of run 0, (D,)
    top_each: Array  # shares of the heaviest draws of run 0, largest first, (D, at most N_TOP)
    plain: dict[str, PlainReport]  # by name of BITS


def run(config: LiftConfig) -> LiftReport:
    """Draw all coordinates once; dimension d uses the first d. About 0.15 s at K = 1000."""
    K = config.n_samples
    p, q = Normal(0.0, 1.0), Normal(config.shift, config.ratio)
    d = np.unique(np.geomspace(1, MAX_DIMS, N_STOPS).round().astype(int))
    ess, max_weight, plain = [], [], {}
    log_mean, ess_each, top_each = np.empty(0), np.empty(0), np.empty(0)
    for repeat in range(N_REPEATS):
        # Coordinates on axis 0: a sum over the first d of them runs through whole rows.
        z = q.from_noise(_eps(config.seed, repeat, K))
        log_p, log_q = p.log_prob(z), q.log_prob(z)
        log_w = (log_p - log_q).cumsum(dim=0)  # (D, K)
        columns = log_w[d - 1].T
        ess.append(weights.ess(columns))
        max_weight.append(weights.max_weight(columns))
        if repeat == 0:
            log_mean = weights.log_mean_exp(log_w.T).numpy()
            ess_each = weights.ess(log_w.T).numpy()
            top_each = weights.normalize(log_w.T).topk(min(N_TOP, K), dim=0).values.T.numpy()
            plain = {name: _plain(log_p, log_q, dtype) for name, dtype in BITS.items()}
    log_moment = max(log_chi_square_moment(p, q), 0.0)
    return LiftReport(
        d=d.astype(float),
        ess=torch.stack(ess, dim=1).numpy(),
        max_weight=torch.stack(max_weight, dim=1).numpy(),
        predicted_share=np.exp(-d * log_moment),
        log_moment=log_moment,
        kl=kl_divergence(p, q),
        ends_at=math.log(K) / log_moment if log_moment > 0 else math.inf,
        log_mean=log_mean,
        ess_each=ess_each,
        top_each=top_each,
        plain=plain,
    )


@lru_cache(maxsize=2 * N_REPEATS)
def _eps(seed: int, repeat: int, n_samples: int) -> Tensor:
    """The noise of one run, ``(D, K)``; q moves it."""
    return NormalNoise(seed, "lift", repeat)((MAX_DIMS, n_samples))


def _plain(log_p: Tensor, log_q: Tensor, dtype: torch.dtype) -> PlainReport:
    """Multiply the densities of ``(D, K)`` coordinates as they are."""
    p, q = log_p.to(dtype).exp(), log_q.to(dtype).exp()
    w = (p / q).cumprod(dim=0)
    divided = p.cumprod(dim=0) / q.cumprod(dim=0)
    zeros = (w == 0).double().mean(dim=1)
    log_mean = w.mean(dim=1).log()
    return PlainReport(
        log_mean=log_mean.double().numpy(),
        zeros=zeros.numpy(),
        ess=(w.sum(dim=1) ** 2 / (w**2).sum(dim=1)).double().numpy(),
        first_zero=_first(zeros > 0),
        first_lost=_first(torch.isneginf(log_mean)),
        all_zero=_first(zeros == 1),
        first_nan=_first(~torch.isfinite(divided).all(dim=1)),
    )


def _first(hits: Tensor) -> float:
    """The first d of a hit; inf if there is none."""
    return 1.0 + int(hits.int().argmax()) if hits.any() else math.inf
