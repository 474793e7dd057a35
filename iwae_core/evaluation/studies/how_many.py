r"""How many samples? Plant a flag, then see what theory and two hundred estimators say.

Chatterjee and Diaconis: with :math:`L = KL(p \| q)`, about :math:`e^L` draws from q are needed and
enough, as far as :math:`\log w` is concentrated under p. Their bounds hold at
:math:`e^{L \pm t}` for a t that exceeds the fluctuation of :math:`\log w` around its mean L under
p. So the rule is an order of magnitude, and its own uncertainty is shown: with s the standard
deviation of :math:`\log w` under p, the band from :math:`e^{L - s}` to :math:`e^{L + s}`.

The measured answer is the smallest number of draws shown from which on at least
:data:`ENOUGH` of the estimators stay within :data:`CLOSE` of the truth. The share is counted at
each n over all estimators, so it may fall again where a lucky weight arrives; "from which on"
means at every larger n shown.

Reference:
    Chatterjee and Diaconis (2018), Annals of Applied Probability 28(2), 1099-1135.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.studies import choices, exact
from iwae_core.evaluation.studies.noise import NormalNoise
from iwae_core.evaluation.studies.repeats import share_error
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.weighting import WeightingConfig, variances
from iwae_core.names import check_known
from iwae_core.rng import stream
from iwae_core.sampling.densities import Mixture, Normal, StudentT, Univariate
from iwae_core.sampling.divergences import kl_divergence, log_chi_square_moment
from iwae_core.sampling.problems import make_problem

N_GHOSTS = 200
N_STOPS = 60
CLOSE = 0.1  # of the truth
ENOUGH = 0.9  # of the estimators
MEAN_WEIGHT = "mean_weight"  # the question "what is E_q[w]?", whose answer is the normalizer
LARGEST = 1_000_000  # of n_max
_CHUNK = 128  # draws of each ghost at once: tensors that stay in the cache

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HowManyConfig:
    """A pair of densities and a question; names as in :mod:`.choices`.

    Attributes:
        question: MEAN_WEIGHT, or an integrand whose mean under the target is not zero.
        self_normalized: Of an integrand; the mean weight has no such estimate.
        n_max: Draws of each estimator.
    """

    target: str = "standard_normal"
    family: str = "normal"
    loc: float = 2.0
    scale: float = 1.0
    df: float = 3.0
    question: str = MEAN_WEIGHT
    self_normalized: bool = False
    n_max: int = 30_000
    seed: int = 1

    def __post_init__(self) -> None:
        choices.find_target(self.target)
        check_known(self.family, choices.FAMILIES, "family")
        check_known(self.question, (MEAN_WEIGHT, *choices.INTEGRANDS), "question")
        check_count("n_max", self.n_max, 10)
        if self.n_max > LARGEST:
            raise ValueError(f"n_max must be at most {LARGEST}, got {self.n_max}")
        if self.self_normalized and self.question == MEAN_WEIGHT:
            raise ValueError("the mean weight cannot be self-normalized: it would always be one")


SCENES = {
    "near": Scene(
        title="Two apart",
        why="Equal widths, two standard deviations apart: KL is 2 nats, so the rule says 7 draws, "
        "give or take a factor of 7, for log w fluctuates by 2 nats too. That many see the target "
        "at all; nine estimators of ten within a tenth takes about ten thousand.",
        settings=(("loc", 2.0), ("scale", 1.0)),
    ),
    "far": Scene(
        title="Three and a half apart",
        why="KL is 6.1 nats: 460 draws by the rule, give or take a factor of 33. Thirty thousand "
        "are not enough for a tenth: most estimators are too low, and the few that are too high "
        "are far too high.",
        settings=(("loc", 3.5), ("scale", 1.0)),
    ),
    "wide": Scene(
        title="Four times as wide",
        why="KL is 0.9 nats, the rule says 2.5 draws, and the weights are bounded. What is left "
        "is the ordinary cost of a tenth: some five hundred draws, as their variance says.",
        settings=(("loc", 0.0), ("scale", 4.0)),
    ),
    "bump": Scene(
        title="A bump in the distance",
        why="A tenth of the target lies where q hardly goes. KL is an average over p, and nine "
        "tenths of p are easy, so the rule says 2 draws and is wrong by four orders of magnitude. "
        "log w is not concentrated here, and the theorem promises nothing.",
        settings=(("target", "far_bump"), ("loc", 0.0), ("scale", 1.25)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HowManyReport:
    """Theory, and N_GHOSTS estimators (G) at N_STOPS numbers of draws (C)."""

    kl: float  # KL(p || q) in nats; maybe inf
    spread: float  # standard deviation of log w under p in nats; maybe inf
    needed: float  # exp(kl), in draws
    needed_low: float  # exp(kl - spread)
    needed_high: float  # exp(kl + spread)
    second_moment: float  # E_q[w^2] of normalized densities; maybe inf
    needed_variance: float  # draws for ENOUGH within CLOSE if estimates were Normal; maybe inf
    exact: float  # the truth
    n: Array  # numbers of draws, (C,)
    running: Array  # estimates from the first n draws, (C, G); NaN before a first weight
    within: Array  # share of estimators within CLOSE of the truth, (C,)
    within_error: Array  # its standard error, (C,)
    measured: float  # smallest n from which on `within` is at least ENOUGH; inf if none is


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How far a flag is from both answers, in orders of magnitude: log10(flag / answer)."""

    flag: float  # draws
    from_rule: float  # against exp(KL)
    from_measured: float  # against HowManyReport.measured; -inf if that was never reached
    within_rule: bool  # whether the flag lies in the rule's own band
    within_at_flag: float  # share of estimators within CLOSE at the last n shown up to the flag


def run(config: HowManyConfig) -> HowManyReport:
    """Let the estimators run.

    Longer than other studies: a Normal q takes about 0.15 s to n = 10,000 and 1.5 s to 100,000;
    a mixture or a Student t about three times as long.

    Raises:
        ValueError: If the mean of the question does not exist or is zero.
    """
    c = config
    target = choices.find_target(c.target).made
    proposal = choices.FAMILIES[c.family].made(c.loc, c.scale, c.df)
    truth = _truth(c, target, proposal)
    n = np.unique(np.geomspace(1, c.n_max, N_STOPS).round().astype(int))
    running = _running(c, target, proposal, n)
    within = np.mean(np.abs(running - truth) <= CLOSE * abs(truth), axis=1)
    kl = kl_divergence(target, proposal)
    spread = exact.log_weight_spread(target, proposal)
    moment = _exp(log_chi_square_moment(target, proposal) - 2 * target.log_normalizer)
    good = np.logical_and.accumulate((within >= ENOUGH)[::-1])[::-1]
    return HowManyReport(
        kl=kl,
        spread=spread,
        needed=_exp(kl),
        needed_low=_exp(kl - spread) if math.isfinite(spread) else 0.0,
        needed_high=_exp(kl + spread),
        second_moment=moment,
        needed_variance=_needed_variance(c, moment, truth),
        exact=truth,
        n=n.astype(float),
        running=running,
        within=within,
        within_error=np.array([share_error(value, N_GHOSTS) for value in within]),
        measured=float(n[good][0]) if good.any() else math.inf,
    )


def score(flag: float, report: HowManyReport) -> Score:
    """Hold a learner's flag against both answers.

    Raises:
        ValueError: If the flag is not a positive number of draws.
    """
    if not 1 <= flag < math.inf:
        raise ValueError(f"a flag must stand at one draw or more, got {flag}")
    at = int(np.searchsorted(report.n, flag, side="right")) - 1
    return Score(
        flag=flag,
        from_rule=_orders(flag, report.needed),
        from_measured=_orders(flag, report.measured),
        within_rule=report.needed_low <= flag <= report.needed_high,
        within_at_flag=float(report.within[at]),
    )


def _truth(c: HowManyConfig, target: Univariate, proposal: Univariate) -> float:
    normalizer = math.exp(target.log_normalizer)
    if c.question == MEAN_WEIGHT:
        return normalizer
    asked = make_problem(target, proposal, choices.INTEGRANDS[c.question].made)
    if abs(asked.exact) < 1e-9:
        raise ValueError(
            f"a tenth of the answer needs an answer that is not zero, got {asked.exact:.3g} for "
            f"{c.question!r} under {c.target!r}"
        )
    return asked.exact * (1.0 if c.self_normalized else normalizer)


def _needed_variance(c: HowManyConfig, moment: float, truth: float) -> float:
    """The n at which a Normal law with the exact variance has ENOUGH of its mass within CLOSE."""
    if c.question == MEAN_WEIGHT:
        relative = moment - 1
    else:
        settings = WeightingConfig(
            target=c.target,
            family=c.family,
            loc=c.loc,
            scale=c.scale,
            df=c.df,
            integrand=c.question,
            estimator="self_normalized" if c.self_normalized else "importance",
        )
        relative = variances(settings).under_q / truth**2
    sigmas = Normal().isf(torch.tensor((1 - ENOUGH) / 2, dtype=torch.float64)).item()
    return max(relative * (sigmas / CLOSE) ** 2, 1.0)


def _running(
    c: HowManyConfig, target: Univariate, proposal: Univariate, n: NDArray[np.int_]
) -> Array:
    """Estimates at each n, ``(C, N_GHOSTS)``; sums are kept, draws are not."""
    draw = _drawer(c, proposal)
    f = None if c.question == MEAN_WEIGHT else choices.INTEGRANDS[c.question].made
    peak = torch.full((N_GHOSTS,), -math.inf, dtype=torch.float64)
    sum_w, sum_wf = torch.zeros(2, N_GHOSTS, dtype=torch.float64)
    found, done = [], 0
    for stop in n.tolist():
        while done < stop:
            step = min(_CHUNK, stop - done)
            z = draw(step)
            log_w = target.log_prob(z).sub_(proposal.log_prob(z))
            # All sums are in units of the largest weight so far, so none over- or underflows.
            top = torch.maximum(peak, log_w.amax(dim=0))
            unit = torch.where(top > -math.inf, top, 0.0)
            shrink, w = torch.exp(peak - unit), log_w.sub_(unit).exp_()
            sum_w = sum_w * shrink + w.sum(dim=0)
            if f is not None:
                sum_wf = sum_wf * shrink + (w * f(z)).sum(dim=0)
            peak, done = top, done + step
        found.append(_estimate(c, sum_w, sum_wf, peak, stop))
    return torch.stack(found).numpy()


def _drawer(c: HowManyConfig, proposal: Univariate) -> Callable[[int], Tensor]:
    """From a number of draws to ``(n, N_GHOSTS)`` of them."""
    noise = NormalNoise(c.seed, "how_many")
    generator = stream(c.seed, "how_many")
    if isinstance(proposal, Mixture):  # whose transport is slow; it draws in another way
        return lambda n: proposal.sample((n, N_GHOSTS), generator, torch.float64)
    if isinstance(proposal, StudentT):
        t = proposal
        return lambda n: t.loc + t.scale * noise.student_t(t.df, (n, N_GHOSTS))
    return lambda n: proposal.from_noise(noise((n, N_GHOSTS)))


def _estimate(c: HowManyConfig, sum_w: Tensor, sum_wf: Tensor, peak: Tensor, n: int) -> Tensor:
    if c.self_normalized:  # nothing is known before the first draw that weighs something
        return torch.where(sum_w > 0, sum_wf / sum_w, math.nan)
    total = sum_w if c.question == MEAN_WEIGHT else sum_wf
    return torch.where(peak > -math.inf, total / n * peak.exp(), 0.0)


def _orders(flag: float, answer: float) -> float:
    return math.log10(flag) - math.log10(answer) if math.isfinite(answer) else -math.inf


def _exp(log_value: float) -> float:
    return math.exp(log_value) if log_value < 709 else math.inf
