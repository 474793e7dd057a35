r"""A rare event, P(z > a) under N(0, 1): naive, shifted and optimal draws.

* naive: draws from p. One term has the relative deviation :math:`\sqrt{(1 - P) / P}`, and most
  small samples hold no event at all.
* shifted: draws from N(shift, 1), half of them events if the shift is a.
* optimal: draws from p beyond a alone. Every term is P: one draw gives the exact answer, so no run
  takes more than a hundred; but its weights need P itself to be normalized.
"""

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies import repeats
from iwae_core.evaluation.studies.optimal import optimal_proposal
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling.densities import Normal
from iwae_core.sampling.integrands import Exceeds
from iwae_core.sampling.problems import make_problem

N_REPEATS = 200
MAX_SAMPLES = 5000  # K
N_SHIFTS = 13  # of the curve, from 0 to threshold + 2
GOAL = 0.1  # relative error
_MOST_OPTIMAL = 100  # draws of a run from the optimal q: each term is the answer already

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RareConfig:
    """The event z > threshold, and a proposal N(shift, 1)."""

    threshold: float = 4.0
    shift: float = 4.0
    n_samples: int = 1000  # K
    seed: int = 1

    def __post_init__(self) -> None:
        check_count("n_samples", self.n_samples, 2)
        faults = []
        if self.n_samples > MAX_SAMPLES:
            faults.append(f"n_samples must be at most {MAX_SAMPLES}, got {self.n_samples}")
        if not 0 <= self.threshold <= 8:
            faults.append(f"threshold must lie in [0, 8], got {self.threshold}")
        if not 0 <= self.shift <= 10:
            faults.append(f"shift must lie in [0, 10], got {self.shift}")
        if faults:
            raise ValueError("; ".join(faults))


SCENES = {
    "four": Scene(
        title="Four standard deviations",
        why="1 in 31,600. A thousand naive draws see it in 3 runs of 100; a thousand shifted ones "
        "know it to 7 %.",
        settings=(("threshold", 4.0), ("shift", 4.0)),
    ),
    "six": Scene(
        title="Six standard deviations",
        why="1 in a billion. Naive draws would need a hundred billion for a tenth; shifted ones "
        "about seven hundred.",
        settings=(("threshold", 6.0), ("shift", 6.0)),
    ),
    "short": Scene(
        title="Not far enough",
        why="A shift of 2 already makes the event seven hundred times as frequent: a thousand "
        "draws hold about 23 events and know the probability to a quarter.",
        settings=(("threshold", 4.0), ("shift", 2.0)),
    ),
    "beyond": Scene(
        title="Too far",
        why="A q beyond the event looks at the wrong side of it: nearly all draws are events, and "
        "the ones near the edge, which carry the probability, are rare.",
        settings=(("threshold", 4.0), ("shift", 7.0)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One way to draw; relative numbers are in units of the exact probability."""

    title: str
    value: Array  # estimates, (N_REPEATS,)
    rmse: float  # relative, measured
    rmse_error: float
    true_rmse: float  # relative, exact: that of one term over the root of K
    hit: float  # exact chance that a draw is an event
    nothing: float  # exact chance that K draws hold no event, so that the estimate is zero
    found_nothing: float  # measured share of such runs
    needed: float  # exact number of draws for a relative error of GOAL


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RareReport:
    """Three ways, and the exact error of every shift."""

    exact: float  # P(z > threshold)
    naive: Way
    shifted: Way
    optimal: Way
    shifts: Array  # (N_SHIFTS,)
    term_rmse: Array  # exact relative deviation of one term at each shift, (N_SHIFTS,)
    best_shift: float  # of the smallest one


def run(config: RareConfig) -> RareReport:
    """Ask all three; about 0.1 s at the largest K."""
    c, p, f = config, Normal(0.0, 1.0), Exceeds(config.threshold)
    shifts = np.linspace(0.0, c.threshold + 2, N_SHIFTS)
    exact = p.sf(torch.tensor(c.threshold, dtype=torch.float64)).item()
    return RareReport(
        exact=exact,
        naive=_way(dataclasses.replace(c, shift=0.0), "naive"),  # for every shift the same
        shifted=_way(c, "shifted"),
        optimal=_way(dataclasses.replace(c, shift=0.0), "optimal"),
        shifts=shifts,
        term_rmse=relative(c.threshold, shifts),
        best_shift=_best(f),
    )


@lru_cache(maxsize=16)
def _way(c: RareConfig, title: str) -> Way:
    p, f = Normal(0.0, 1.0), Exceeds(c.threshold)
    q = {"naive": p, "shifted": Normal(c.shift, 1.0), "optimal": optimal_proposal(p, f)}[title]
    asked = make_problem(p, q, f)
    if isinstance(q, Normal):
        z = q.from_noise(_eps(c.seed, title, c.n_samples))
    else:
        shape = (min(c.n_samples, _MOST_OPTIMAL), N_REPEATS)
        z = q.sample(shape, stream(c.seed, "rare", title), torch.float64)
    is_event = f(z).bool()
    terms = torch.zeros_like(z)
    terms[is_event] = asked.log_weights(z[is_event]).exp()  # dear, and most draws are no events
    value = terms.mean(dim=0)
    relative = asked.std_of_term / asked.exact
    hit = q.sf(torch.tensor(c.threshold, dtype=torch.float64)).item()
    rmse = repeats.root_mean_square(value.numpy() / asked.exact - 1)
    return Way(
        title=title,
        value=value.numpy(),
        rmse=rmse.value,
        rmse_error=rmse.std_error,
        true_rmse=relative / math.sqrt(c.n_samples),
        hit=hit,
        nothing=math.exp(c.n_samples * math.log1p(-hit)) if hit < 1 else 0.0,
        found_nothing=float((value == 0).double().mean()),
        needed=max((relative / GOAL) ** 2, 1.0),
    )


@lru_cache(maxsize=4)
def _eps(seed: int, title: str, n_samples: int) -> Tensor:
    """The noise of all runs, ``(K, R)``; a Normal q moves it."""
    shape = (n_samples, N_REPEATS)
    return standard_normal(shape, stream(seed, "rare", title), torch.float64)


def relative(threshold: float, shifts: Array) -> Array:
    r"""Relative deviation of one term under N(shift, 1), for each shift.

    :math:`E_q[(w f)^2] = e^{m^2} P(z > a + m)` in closed form.
    """
    m = torch.from_numpy(shifts)
    a = torch.tensor(threshold, dtype=torch.float64)
    log_moment = m.square() + torch.special.log_ndtr(-(a + m))
    log_ratio = log_moment - 2 * torch.special.log_ndtr(-a)
    return torch.expm1(log_ratio).clamp(min=0.0).sqrt().numpy()


def _best(f: Exceeds) -> float:
    r"""The shift of least variance, where the slope of log E_q[(w f)^2] is zero.

    For a unit Normal, :math:`E_q[(w f)^2] = e^{m^2} P(z > a + m)`, whose logarithm has the slope
    :math:`2 m - h(a + m)` with the hazard rate h of N(0, 1); bisection finds its zero.
    """
    normal = Normal(0.0, 1.0)
    low, high = 0.0, f.threshold + 2
    for _ in range(60):
        middle = 0.5 * (low + high)
        at = torch.tensor(f.threshold + middle, dtype=torch.float64)
        hazard = (normal.log_prob(at).exp() / normal.sf(at)).item()
        low, high = (middle, high) if 2 * middle < hazard else (low, middle)
    return high
