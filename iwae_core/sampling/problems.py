"""Named problems with exact answers: a target, a proposal, an integrand, and why it goes well.

A lesson or a test takes one by name (:func:`get_problem`) or makes its own from three densities
under the learner's hand (:func:`make_problem`). A new named problem is one new entry of
``_NAMED``.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from iwae_core.names import check_known
from iwae_core.sampling.densities import (
    Mixture,
    Normal,
    Scaled,
    StudentT,
    Truncated,
    Uniform,
    Univariate,
)
from iwae_core.sampling.densities.base import Shape
from iwae_core.sampling.divergences import (
    chi_square_moment,
    expectation,
    kl_divergence,
    log_second_moment,
    tail_index,
)
from iwae_core.sampling.integrands import Exceeds, Integrand, Power, Tilt

__all__ = [
    "Problem",
    "chi_square_moment",
    "get_problem",
    "kl_divergence",
    "make_problem",
    "problem_names",
    "tail_index",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Estimate the mean of ``f`` under ``target`` with draws from ``proposal``."""

    name: str
    title: str
    why: str  # one sentence: why it works or fails
    target: Univariate  # may be unnormalized
    proposal: Univariate  # normalized
    f: Integrand
    exact: float  # E_p[f] under the normalized target
    exact_error: float  # bound on the error of `exact`
    second_moment: float  # E_q[w^2]; inf where it diverges or the proposal misses the support
    tail_index: float  # shape k of the weights' right tail; 0 if all moments are finite
    std_of_term: float  # standard deviation of one term w f of importance sampling, maybe inf

    def draw(
        self, shape: Shape, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Draws from the proposal; shape ``(K, *B)`` for K draws in each of B repeats."""
        return self.proposal.sample(shape, generator, dtype)

    def log_weights(self, z: Tensor) -> Tensor:
        """``log p(z) - log q(z)`` in nats, of the shape of ``z``."""
        return self.target.log_prob(z) - self.proposal.log_prob(z)


def make_problem(
    target: Univariate,
    proposal: Univariate,
    f: Integrand,
    *,
    name: str = "custom",
    title: str = "Your own",
    why: str = "",
) -> Problem:
    """Work out the exact answers of a problem.

    Args:
        target: Density to average under, normalized or not.
        proposal: Normalized density to draw from.
        f: Integrand.
        name: Key for URLs.
        title: A few words for people.
        why: One sentence on why it works or fails.

    Raises:
        ValueError: If the proposal is not normalized or the mean of f does not exist.

    >>> problem = make_problem(Normal(1.0, 1.0), Normal(0.0, 2.0), Power(1))
    >>> problem.exact, problem.tail_index
    (1.0, 0.0)
    """
    if proposal.log_normalizer != 0:
        raise ValueError("the proposal must be normalized: take the density that Scaled wraps")
    exact, exact_error = _exact(target, f)
    return Problem(
        name=name,
        title=title,
        why=why,
        target=target,
        proposal=proposal,
        f=f,
        exact=exact,
        exact_error=exact_error,
        second_moment=chi_square_moment(target, proposal),
        tail_index=tail_index(target, proposal),
        std_of_term=_std_of_term(target, proposal, f, exact),
    )


def problem_names() -> tuple[str, ...]:
    """Names that :func:`get_problem` knows, in the order in which to teach them."""
    return tuple(_NAMED)


@cache
def get_problem(name: str) -> Problem:
    """The named problem with its exact answers.

    Raises:
        ValueError: If the name is unknown; the message holds the nearest known one and all.

    >>> get_problem("too_narrow").tail_index
    0.75
    """
    title, target, proposal, f, why = _NAMED[check_known(name, _NAMED, "problem")]
    return make_problem(target, proposal, f, name=name, title=title, why=why)


def _exact(target: Univariate, f: Integrand) -> tuple[float, float]:
    """The mean of f by closed form where there is one (error of rounding), else quadrature."""
    rounding = 4e-16
    if isinstance(f, Exceeds):
        exact = target.sf(torch.tensor(f.threshold, dtype=torch.float64)).item()
        return exact, 1e-13 * exact
    if isinstance(f, Power) and f.degree == 0:
        return 1.0, 0.0
    if isinstance(f, Power) and f.degree == 1:
        return target.mean, rounding * abs(target.mean)
    if isinstance(f, Power) and f.degree == 2 and math.isfinite(target.variance):
        exact = target.variance + target.mean**2
        return exact, rounding * exact
    if isinstance(f, Tilt) and isinstance(target, Normal):
        log_exact = f.rate * target.loc + 0.5 * f.rate**2 * target.variance
        if log_exact > 700:
            raise ValueError(f"the mean of {f} is too large for a float: exp({log_exact:.0f})")
        return math.exp(log_exact), rounding * math.exp(log_exact) * max(1.0, abs(log_exact))
    return expectation(target, f)


def _std_of_term(target: Univariate, proposal: Univariate, f: Integrand, exact: float) -> float:
    """Standard deviation of w f under the proposal; inf where it diverges."""
    log_moment = log_second_moment(target, proposal, f)
    log_normalizer = target.log_normalizer
    if math.isinf(log_moment) or log_moment > 700 or log_normalizer > 350:
        return math.inf
    variance = math.exp(log_moment) - (math.exp(log_normalizer) * exact) ** 2
    # The optimal proposal has none; what is left then is the quadrature's rounding.
    return math.sqrt(variance) if variance > 1e-10 * math.exp(log_moment) else 0.0


_NAMED: dict[str, tuple[str, Univariate, Univariate, Integrand, str]] = {
    "good": (
        "A good proposal",
        Normal(1.0, 1.0),
        Normal(0.5, 1.5),
        Power(1),
        "The proposal is a little wider than the target and covers all of it, so the weights "
        "are bounded.",
    ),
    "too_narrow": (
        "Too narrow",
        Normal(1.0, 1.0),
        Normal(1.0, 0.5),
        Power(2),
        "In the tails the target outlives the proposal: a rare draw out there has an enormous "
        "weight, and the variance of the weights is infinite.",
    ),
    "shifted": (
        "Shifted",
        Normal(1.0, 1.0),
        Normal(-1.5, 1.0),
        Power(1),
        "The proposal looks in the wrong place: all moments are finite, but E[w²] is exp(6.25), "
        "so about five hundred draws are worth one.",
    ),
    "heavy_proposal": (
        "Heavy tails on the safe side",
        Normal(1.0, 1.0),
        StudentT(0.5, 1.0, 3.0),
        Power(2),
        "A proposal with heavier tails than the target can never be surprised: the weights are "
        "bounded.",
    ),
    "light_proposal": (
        "Light tails on the wrong side",
        StudentT(1.0, 1.0, 3.0),
        Normal(1.0, 1.5),
        Power(1),
        "A Normal proposal never follows a Student t target into its tails: k is 1, the worst "
        "that weights of mean one can have.",
    ),
    "tail_event": (
        "A tail event, drawn from the target",
        Normal(0.0, 1.0),
        Normal(0.0, 1.0),
        Exceeds(3.0),
        "All weights are equal and the ESS is perfect, yet only one draw in 741 sees the event: "
        "the ESS does not know f.",
    ),
    "rare_event": (
        "A rare event, drawn where it happens",
        Normal(0.0, 1.0),
        Normal(5.0, 1.0),
        Exceeds(5.0),
        "Moving the proposal to the event turns one draw in 3.5 million into one in two, at "
        "the price of a small ESS that does not matter here.",
    ),
    "optimal": (
        "The optimal proposal",
        Normal(0.0, 1.0),
        Normal(1.0, 1.0),
        Tilt(1.0),
        "The proposal is proportional to |f| p, so w f is the same number at every draw: one "
        "draw gives the exact answer, better than sampling the target itself.",
    ),
    "optimal_tail": (
        "The optimal proposal for a tail",
        Normal(0.0, 1.0),
        Truncated(Normal(0.0, 1.0), low=3.0),
        Exceeds(3.0),
        "Zero variance for this f alone: the proposal misses the rest of the target, so "
        "self-normalized weights give 1 for any K.",
    ),
    "lucky_particle": (
        "One lucky particle",
        Mixture((Normal(0.0, 1.0), Normal(5.0, 0.5)), (0.9, 0.1)),
        Normal(0.0, 1.25),
        Power(1),
        "A tenth of the target sits where the proposal goes once in thousands of draws: the "
        "estimate is low until one draw lands there, and then it jumps.",
    ),
    "missed_mode": (
        "A mode missed",
        Mixture((Normal(-2.0, 0.6), Normal(3.0, 0.6)), (0.5, 0.5)),
        Normal(-2.0, 0.8),
        Power(1),
        "The draws see one mode only and agree with each other: ESS and error bar look fine "
        "and the answer is wrong.",
    ),
    "defensive": (
        "A defensive mixture",
        Mixture((Normal(-2.0, 0.6), Normal(3.0, 0.6)), (0.5, 0.5)),
        Mixture((Normal(-2.0, 0.8), Normal(0.0, 4.0)), (0.8, 0.2)),
        Power(1),
        "A fifth of the draws from a wide density bounds the weights and finds the second mode.",
    ),
    "unnormalized": (
        "An unnormalized target",
        Scaled(Normal(1.0, 1.0), math.log(3.0)),
        Normal(0.0, 1.5),
        Power(1),
        "The mean weight estimates the normalizer 3; only the self-normalized estimate divides "
        "it out.",
    ),
    "misses_support": (
        "A proposal that misses the support",
        Normal(0.5, 1.0),
        Uniform(-1.0, 2.0),
        Power(2),
        "No draw ever falls outside the box, so no number of draws repairs the answer.",
    ),
}
