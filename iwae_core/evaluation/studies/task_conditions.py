"""What the tasks of :mod:`.tasks` ask of a state, one function for each task."""

import math
from dataclasses import dataclass

from iwae_core.evaluation.studies import exact, weighting
from iwae_core.evaluation.studies.weighting import WeightingConfig, WeightingReport
from iwae_core.sampling.problems import Problem
from iwae_core.sampling.psis import VARIANCE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that a task asks for."""

    text: str  # what must hold
    value: float  # what it is
    met: bool
    exact: bool  # computed exactly; otherwise measured on these draws


def _below(text: str, value: float, limit: float, *, is_exact: bool) -> Condition:
    return Condition(text=text, value=value, met=value < limit, exact=is_exact)


def _at_most_draws(config: WeightingConfig, limit: int) -> Condition:
    K = config.n_samples
    return Condition(text=f"K is at most {limit}", value=K, met=limit >= K, exact=True)


def _at_least_draws(config: WeightingConfig, limit: int) -> Condition:
    K = config.n_samples
    return Condition(text=f"K is at least {limit}", value=K, met=limit <= K, exact=True)


def _plain(config: WeightingConfig) -> Condition:
    plain = config.estimator == "importance"
    return Condition(text="the average is the plain one", value=plain, met=plain, exact=True)


def few_effective(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    """Q near p, wide of it in scale, and hardly any draw counts."""
    return [
        _below("q is a Normal", float(config.family != "normal"), 0.5, is_exact=True),
        _below("q lies less than 1 from p", abs(config.loc), 1.0, is_exact=True),
        _at_least_draws(config, 100),
        _below("the expected ESS K / E_q[w²] is below 2", report.expected_ess, 2, is_exact=True),
        _below(
            "the ESS of these draws is below a tenth of K",
            report.ess / config.n_samples,
            0.1,
            is_exact=False,
        ),
    ]


def beat_the_target(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    """Half the variance of sampling the target itself."""
    ratio = weighting.variances(config).ratio
    return [
        _plain(config),
        _below(
            "the variance of w f is below half of that of f under p", ratio, 0.5, is_exact=True
        ),
    ]


def calm_tails(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    """Bounded weights, most of the draws effective."""
    asked = _problem(config)
    largest = exact.largest_log_weight(asked.target, asked.proposal)
    share = report.expected_ess / config.n_samples
    return [
        _at_least_draws(config, 100),
        _below("all weights are bounded", largest, math.inf, is_exact=True),
        Condition(
            text="at least 80 % of the draws are effective, K / E_q[w²]",
            value=share,
            met=share >= 0.8,
            exact=True,
        ),
        _below("k-hat of these draws is below 0.5", report.k_hat, VARIANCE_LIMIT, is_exact=False),
    ]


def one_percent(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    """One percent with 64 draws."""
    size = abs(report.exact) or math.nan
    true = report.std_of_term / math.sqrt(config.n_samples) / size
    error = abs(report.estimate - report.exact) / size
    return [
        _at_most_draws(config, 64),
        _plain(config),
        _below("the exact standard error is below 1 % of the answer", true, 0.01, is_exact=True),
        _below("these draws are off by less than 1 %", error, 0.01, is_exact=False),
    ]


def rare(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    """A rare event to ten percent with a thousand draws."""
    size = abs(report.exact) or math.nan
    true = report.std_of_term / math.sqrt(config.n_samples) / size
    return [
        _at_most_draws(config, 1000),
        _plain(config),
        _below("the exact standard error is below 10 % of the answer", true, 0.1, is_exact=True),
    ]


def both_modes(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    """A third of the draws effective on two modes."""
    K = config.n_samples
    return [
        _at_least_draws(config, 100),
        Condition(
            text="at least 35 % of the draws are expected to be effective, K / E_q[w²]",
            value=report.expected_ess / K,
            met=report.expected_ess >= 0.35 * K,
            exact=True,
        ),
        Condition(
            text="at least 30 % of these draws are effective",
            value=report.ess / K,
            met=report.ess >= 0.3 * K,
            exact=False,
        ),
    ]


def fooled(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    """Every diagnostic calm, and the answer wrong."""
    K = config.n_samples
    off = abs(report.estimate - report.exact) / report.std_error
    return [
        _at_least_draws(config, 100),
        Condition(
            text="the ESS of these draws is at least 90 % of K",
            value=report.ess / K,
            met=report.ess >= 0.9 * K,
            exact=False,
        ),
        _below("k-hat of these draws is below 0.5", report.k_hat, VARIANCE_LIMIT, is_exact=False),
        Condition(
            text="the estimate is off by 10 of its reported errors or more",
            value=off,
            met=off >= 10,
            exact=False,
        ),
        _below(
            "the expected ESS K / E_q[w²] is below 1 % of K",
            report.expected_ess / K,
            0.01,
            is_exact=True,
        ),
    ]


def _problem(config: WeightingConfig) -> Problem:
    c = config
    return weighting.problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
