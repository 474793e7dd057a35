r"""Tasks for "Borrowed samples": each asks for a proposal, and a checker judges it.

A task fixes the question (target and f); the learner chooses the rest. What can be checked
exactly is checked exactly, for a draw may be lucky; a task about what *these* draws show checks
both. :mod:`.task_codes` writes a solution as a short code.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from iwae_core.evaluation.studies import choices, exact, weighting
from iwae_core.evaluation.studies.weighting import WeightingConfig, WeightingReport
from iwae_core.names import check_known
from iwae_core.sampling.problems import Problem
from iwae_core.sampling.psis import VARIANCE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that a task asks for."""

    text: str  # what must hold
    value: float  # what it is
    met: bool
    exact: bool  # computed exactly; otherwise measured on these draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement of one state."""

    task: str
    config: WeightingConfig
    passed: bool
    conditions: tuple[Condition, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A question, what is asked for, and one state that does it."""

    title: str
    hint: str
    target: str
    integrand: str
    conditions: Callable[[WeightingConfig, WeightingReport], list[Condition]]
    praise: str  # what the solution shows
    solution: WeightingConfig  # for tests and teachers; there are others


def check(task: str, config: WeightingConfig) -> Verdict:
    """Judge a state.

    Raises:
        ValueError: If the task is unknown.
    """
    asked = TASKS[check_known(task, TASKS, "task")]
    report = weighting.run(config)
    same = (config.target, config.integrand) == (asked.target, asked.integrand)
    question = Condition(
        text=f"the question is the mean of {choices.INTEGRANDS[asked.integrand].title} under "
        f"{choices.find_target(asked.target).title}",
        value=float(same),
        met=same,
        exact=True,
    )
    conditions = (question, *asked.conditions(config, report))
    missing = [condition.text for condition in conditions if not condition.met]
    passed = not missing
    return Verdict(
        task=task,
        config=config,
        passed=passed,
        conditions=conditions,
        sentence=asked.praise if passed else "Not yet: it still takes that " + missing[0] + ".",
    )


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


def _few_effective(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
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


def _beat_the_target(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    ratio = weighting.variances(config).ratio
    return [
        _plain(config),
        _below(
            "the variance of w f is below half of that of f under p", ratio, 0.5, is_exact=True
        ),
    ]


def _calm_tails(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
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


def _one_percent(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    size = abs(report.exact) or math.nan
    true = report.std_of_term / math.sqrt(config.n_samples) / size
    error = abs(report.estimate - report.exact) / size
    return [
        _at_most_draws(config, 64),
        _plain(config),
        _below("the exact standard error is below 1 % of the answer", true, 0.01, is_exact=True),
        _below("these draws are off by less than 1 %", error, 0.01, is_exact=False),
    ]


def _rare(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
    size = abs(report.exact) or math.nan
    true = report.std_of_term / math.sqrt(config.n_samples) / size
    return [
        _at_most_draws(config, 1000),
        _plain(config),
        _below("the exact standard error is below 10 % of the answer", true, 0.1, is_exact=True),
    ]


def _both_modes(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
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


def _fooled(config: WeightingConfig, report: WeightingReport) -> list[Condition]:
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


TASKS: dict[str, Task] = {
    "beat_the_target": Task(
        title="Beat the target: half the variance of sampling p itself",
        hint="z² is largest far from zero. Which draws does its mean need most?",
        target="normal",
        integrand="z_squared",
        conditions=_beat_the_target,
        praise="Done: q sends draws where |f| p is large, so w f varies less than f under p.",
        solution=WeightingConfig(
            target="normal", integrand="z_squared", loc=1.8, scale=1.3, n_samples=128, seed=2
        ),
    ),
    "few_effective": Task(
        title="Ruin it: an expected ESS below 2 with a shift under 1",
        hint="The place of q is nearly right. What else can be wrong? Then try other noise.",
        target="standard_normal",
        integrand="z",
        conditions=_few_effective,
        praise="Done: a q that is too narrow leaves the weight to the few draws farthest out, and "
        "often the draws look better than they are.",
        solution=WeightingConfig(
            target="standard_normal", integrand="z", loc=0.95, scale=0.2, n_samples=500, seed=3
        ),
    ),
    "calm_tails": Task(
        title="Calm tails: bounded weights for a Student t target",
        hint="No Normal follows a Student t outwards. Which family does?",
        target="student_t",
        integrand="z",
        conditions=_calm_tails,
        praise="Done: with tails at least as heavy as the target's no weight can surprise.",
        solution=WeightingConfig(
            target="student_t",
            family="student_t",
            integrand="z",
            loc=1.0,
            scale=1.2,
            df=2.5,
            n_samples=1000,
            seed=2,
        ),
    ),
    "one_percent": Task(
        title="One percent with 64 draws",
        hint="exp(z) times a Normal density is again a Normal shape. Where is it, how wide?",
        target="standard_normal",
        integrand="exp_z",
        conditions=_one_percent,
        praise="Done: q is close to |f| p, so every draw gives nearly the same answer.",
        solution=WeightingConfig(
            target="standard_normal", integrand="exp_z", loc=1.02, scale=1.0, n_samples=64, seed=2
        ),
    ),
    "rare": Task(
        title="One in three million, known to 10 %",
        hint="Draw where it happens. How wide may q be there?",
        target="standard_normal",
        integrand="above_5",
        conditions=_rare,
        praise="Done: a thousand draws do the work of hundreds of millions.",
        solution=WeightingConfig(
            target="standard_normal", integrand="above_5", loc=5.2, scale=1.0, n_samples=1000
        ),
    ),
    "both_modes": Task(
        title="One proposal for two modes",
        hint="Which error is worse, too wide or too narrow? Other families are allowed.",
        target="two_modes",
        integrand="z",
        conditions=_both_modes,
        praise="Done: q wastes draws between the modes and misses nothing.",
        solution=WeightingConfig(
            target="two_modes", integrand="z", loc=0.5, scale=2.6, n_samples=500, seed=2
        ),
    ),
    "fooled": Task(
        title="Fool every diagnostic",
        hint="All draws agree, and all are wrong: what must they never have seen?",
        target="two_modes",
        integrand="z",
        conditions=_fooled,
        praise="Done: draws that see one mode agree with each other. No diagnostic made of them "
        "knows of the other; the exact E_q[w²] does.",
        solution=WeightingConfig(
            target="two_modes", integrand="z", loc=-2.0, scale=0.65, n_samples=200, seed=2
        ),
    ),
}
