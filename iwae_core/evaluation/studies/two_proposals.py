r"""Draws from two proposals, weighted each by its own density or all by the mixture.

With :math:`n_1 + n_2 = K` draws, a draw of :math:`q_i` may carry

* its single weight :math:`p / q_i`: each half is importance sampling of its own;
* its balance weight :math:`p / m`, :math:`m = \frac{n_1}{K} q_1 + \frac{n_2}{K} q_2`.

Both averages are unbiased. A single weight is as large as its own proposal is poor, a balance
weight only as large as both are: :math:`p / m \le \frac{K}{n_i} \, p / q_i` for each i. What
Pareto smoothing and resampling do afterwards is asked of either kind of weights.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies import choices, exact, optimal, repeats
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.names import check_known
from iwae_core.rng import stream
from iwae_core.sampling import estimators, multiple, resampling
from iwae_core.sampling.densities import Mixture, Normal, Univariate
from iwae_core.sampling.integrands import Integrand
from iwae_core.sampling.problems import make_problem

N_REPEATS = 200
MIN_SAMPLES, MAX_SAMPLES = 50, 1000  # K
MIN_SHARE, MAX_SHARE = 0.05, 0.95  # of the draws, from the second proposal
WEIGHTINGS = ("single", "balance")
TREATMENTS = ("raw", "smoothed", "resampled")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoProposalsConfig:
    """A question and two normal proposals; names as in :mod:`.choices`."""

    target: str = "two_modes"  # a factor on it is left out
    integrand: str = "z"
    loc: float = -2.0  # of the first proposal
    scale: float = 0.8
    loc2: float = 3.0  # of the second
    scale2: float = 0.8
    share: float = 0.5  # of the draws, from the second
    n_samples: int = 200  # K
    seed: int = 1

    def __post_init__(self) -> None:
        choices.find_target(self.target)
        check_known(self.integrand, choices.INTEGRANDS, "integrand")
        check_count("n_samples", self.n_samples, MIN_SAMPLES)
        faults = []
        if self.n_samples > MAX_SAMPLES:
            faults.append(f"n_samples must be at most {MAX_SAMPLES}, got {self.n_samples}")
        if not MIN_SHARE <= self.share <= MAX_SHARE:
            faults.append(f"share must lie in [{MIN_SHARE}, {MAX_SHARE}], got {self.share}")
        if not (self.scale > 0 and self.scale2 > 0):
            faults.append(f"scales must be positive, got {self.scale} and {self.scale2}")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def counts(self) -> tuple[int, int]:
        """Draws from each proposal; at least two."""
        second = round(self.share * self.n_samples)
        return self.n_samples - second, second

    @property
    def proposals(self) -> tuple[Normal, Normal]:
        """Both proposals."""
        return Normal(self.loc, self.scale), Normal(self.loc2, self.scale2)


SCENES = {
    "one_each": Scene(
        title="One mode each",
        why="Each proposal knows one mode. Weighted by its own density, a draw of q1 speaks for "
        "its own mode only, and so does a draw of q2: each half answers with its half of the "
        "truth. Divided by the mixture of both, no weight exceeds 1.33.",
        settings=(
            ("target", "two_modes"), ("integrand", "z"), ("loc", -2.0), ("scale", 0.8),
            ("loc2", 3.0), ("scale2", 0.8), ("share", 0.5),
        ),
    ),
    "defensive": Scene(
        title="A wide one for safety",
        why="q1 misses a mode. A fifth of the draws come from a wide density: few, but where they "
        "are alone the mixture is small and each of them counts for many.",
        settings=(
            ("target", "two_modes"), ("integrand", "z"), ("loc", -2.0), ("scale", 0.8),
            ("loc2", 0.0), ("scale2", 4.0), ("share", 0.2),
        ),
    ),
    "useless": Scene(
        title="A useless second one",
        why="q2 sits where p is not. Half of the draws are wasted, and under the balance "
        "heuristic that is the whole damage: no weight can more than double. Single weights of "
        "q2's draws are nearly all zero, and they halve the estimate.",
        settings=(
            ("target", "two_modes"), ("integrand", "z"), ("loc", 0.5), ("scale", 3.0),
            ("loc2", -6.0), ("scale2", 0.5), ("share", 0.5),
        ),
    ),
    "both_miss": Scene(
        title="Both miss the same mode",
        why="No heuristic, no smoothing and no resampling finds what no proposal visits. "
        "Resampling makes the draws look like a clean sample, of the wrong density.",
        settings=(
            ("target", "two_modes"), ("integrand", "z"), ("loc", -2.0), ("scale", 0.6),
            ("loc2", -1.5), ("scale2", 0.8), ("share", 0.5),
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """One kind of weights: estimates of every treatment, and what is exact."""

    log_w: Array  # of the run on screen, (K,)
    largest: float  # supremum of the weights; maybe inf
    true_std: float  # exact deviation of the raw estimate; maybe inf
    value: dict[str, Array]  # by treatment, (N_REPEATS,); NaN where every weight is zero
    rmse: dict[str, repeats.Measured]  # by treatment, of the repeats that have an estimate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoProposalsReport:
    """Both kinds of weights on the same draws."""

    exact: float
    z: Array  # draws of the run on screen, those of the first proposal first, (K,)
    offset: float  # the one random number of its systematic resampling
    single: Answers
    balance: Answers


@lru_cache(maxsize=32)
def noise(n_samples: int, seed: int, share: float) -> Array:
    """Standardized draws of the run on screen, ``(K,)``: proposals move and stretch them."""
    config = TwoProposalsConfig(n_samples=n_samples, seed=seed, share=share)
    standard = (Normal(0.0, 1.0), Normal(0.0, 1.0))
    return _draws(config, standard, "screen")[:, 0].numpy()


def run(config: TwoProposalsConfig) -> TwoProposalsReport:
    """Weigh one run and N_REPEATS more; about 0.1 s.

    Raises:
        ValueError: If the answer does not exist.
    """
    c = config
    p = exact.normalized(choices.find_target(c.target).made)
    f = choices.INTEGRANDS[c.integrand].made
    (q1, q2), K = c.proposals, c.n_samples
    problems = [make_problem(p, q, f) for q in c.proposals]
    shares = tuple(n / K for n in c.counts)
    mixture = Mixture(c.proposals, shares)
    single_std = math.sqrt(
        sum(share * asked.std_of_term**2 for share, asked in zip(shares, problems, strict=True))
    )
    largest = max(exact.largest_log_weight(p, q) for q in (q1, q2))
    z = _draws(c, c.proposals, "screen")
    again = _draws(c, c.proposals, "repeats")
    answer = problems[0].exact
    stds = {"single": single_std, "balance": optimal.balance_std(p, c.proposals, shares, f)}
    tops = {"single": largest, "balance": exact.largest_log_weight(p, mixture)}
    found = {
        kind: _answers(
            c, f, answer, again,
            log_w=log_weights(c, p, kind, z)[:, 0].numpy(),
            log_w_again=log_weights(c, p, kind, again),
            log_largest=tops[kind],
            true_std=stds[kind] / math.sqrt(K),
        )
        for kind in WEIGHTINGS
    }  # fmt: skip
    offset = torch.rand((1,), generator=_choosing(c), dtype=torch.float64).item()
    return TwoProposalsReport(exact=answer, z=z[:, 0].numpy(), offset=offset, **found)


def log_weights(c: TwoProposalsConfig, p: Univariate, kind: str, z: Tensor) -> Tensor:
    """Log weights of one kind, for draws in the order of ``multiple.sample_each``, in nats."""
    if kind == "balance":
        return multiple.balance_log_weights(p, c.proposals, c.counts, z)
    parts = z.split(list(c.counts))
    own = [q.log_prob(part) for q, part in zip(c.proposals, parts, strict=True)]
    return p.log_prob(z) - torch.cat(own)


def _draws(c: TwoProposalsConfig, proposals: tuple[Normal, Normal], name: str) -> Tensor:
    columns = N_REPEATS if name == "repeats" else 1
    noise = stream(c.seed, "two_proposals", name)
    return multiple.sample_each(proposals, c.counts, noise, (columns,), torch.float64)


def _choosing(c: TwoProposalsConfig) -> torch.Generator:
    return stream(c.seed, "two_proposals", "resampling")


def _answers(
    c: TwoProposalsConfig,
    f: Integrand,
    answer: float,
    z: Tensor,
    *,
    log_w: Array,
    log_w_again: Tensor,
    log_largest: float,
    true_std: float,
) -> Answers:
    seen = (log_w_again > -math.inf).any(dim=0)
    values, weights = f(z)[:, seen], log_w_again[:, seen]
    found = {name: torch.full((N_REPEATS,), math.nan, dtype=torch.float64) for name in TREATMENTS}
    found["raw"] = (f(z) * log_w_again.exp()).mean(dim=0)  # zero where every weight is zero
    if seen.any():
        found["smoothed"][seen] = estimators.pareto_smoothed(values, weights).value
        chosen = resampling.systematic(weights, c.n_samples, _choosing(c))
        found["resampled"][seen] = resampling.resample(values, chosen).mean(dim=0)
    known = {name: value.numpy() for name, value in found.items()}
    return Answers(
        log_w=log_w,
        largest=math.exp(log_largest) if log_largest < 709 else math.inf,
        true_std=true_std,
        value=known,
        rmse={name: _rmse(value, answer) for name, value in known.items()},
    )


def _rmse(value: Array, answer: float) -> repeats.Measured:
    errors = value[~np.isnan(value)] - answer
    if len(errors) < 2:
        return repeats.Measured(math.nan, math.nan)
    return repeats.root_mean_square(errors)
