r"""Tasks for "Borrowed samples": each asks for a proposal, and a checker judges it.

A task fixes the question (target and f); the learner chooses the rest. What can be checked
exactly is checked exactly, for a draw may be lucky; a task about what *these* draws show checks
both. :mod:`.task_codes` writes a solution as a short code.
"""

from collections.abc import Callable
from dataclasses import dataclass

from iwae_core.evaluation.studies import choices, task_conditions, weighting
from iwae_core.evaluation.studies.task_conditions import Condition
from iwae_core.evaluation.studies.weighting import WeightingConfig, WeightingReport
from iwae_core.names import check_known


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


TASKS: dict[str, Task] = {
    "beat_the_target": Task(
        title="Beat the target: half the variance of sampling p itself",
        hint="z² is largest far from zero. Which draws does its mean need most?",
        target="normal",
        integrand="z_squared",
        conditions=task_conditions.beat_the_target,
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
        conditions=task_conditions.few_effective,
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
        conditions=task_conditions.calm_tails,
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
        conditions=task_conditions.one_percent,
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
        conditions=task_conditions.rare,
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
        conditions=task_conditions.both_modes,
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
        conditions=task_conditions.fooled,
        praise="Done: draws that see one mode agree with each other. No diagnostic made of them "
        "knows of the other; the exact E_q[w²] does.",
        solution=WeightingConfig(
            target="two_modes", integrand="z", loc=-2.0, scale=0.65, n_samples=200, seed=2
        ),
    ),
}
