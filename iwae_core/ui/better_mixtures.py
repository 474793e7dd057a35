"""Better proposals, part two: two proposals, how to weigh their draws, and what to do then."""

from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import choices, exact, two_proposals
from iwae_core.evaluation.studies.two_proposals import TwoProposalsConfig, TwoProposalsReport
from iwae_core.ui import better, canvas, code, controls, formulas, parts, predict, scenes
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

_START = TwoProposalsConfig()
LOC = FloatField(name="loc1", default=_START.loc, low=-6.0, high=6.0)
SCALE = FloatField(name="scale1", default=_START.scale, low=0.2, high=4.0)
LOC_2 = FloatField(name="loc2", default=_START.loc2, low=-6.0, high=6.0)
SCALE_2 = FloatField(name="scale2", default=_START.scale2, low=0.2, high=4.0)
SHARE = FloatField(
    name="share",
    default=_START.share,
    low=two_proposals.MIN_SHARE,
    high=two_proposals.MAX_SHARE,
)
N_SAMPLES = IntField(
    name="mix_K",
    default=_START.n_samples,
    low=two_proposals.MIN_SAMPLES,
    high=500,  # more would keep the reader waiting
)
WEIGHTS = ChoiceField(name="weights", default="single", choices=two_proposals.WEIGHTINGS)
THEN = ChoiceField(name="then", default="raw", choices=two_proposals.TREATMENTS)

SCENES = two_proposals.SCENES
SETTINGS: dict[str, Field[Any]] = {
    "loc": LOC,
    "scale": SCALE,
    "loc2": LOC_2,
    "scale2": SCALE_2,
    "share": SHARE,
    "target": better.TARGET,
    "integrand": better.INTEGRAND,
}
ANSWERS = {"right": "About right", "half": "About half of it", "noisy": "Right, but noisy"}
ANSWER = better.answer_field("mixtures", *ANSWERS)
FIELDS: tuple[Field[Any], ...] = (
    better.TARGET, better.INTEGRAND, LOC, SCALE, LOC_2, SCALE_2, SHARE, N_SAMPLES, WEIGHTS, THEN,
    ANSWER,
)  # fmt: skip
SEED = better.SEED


def controls_of(link: Link) -> None:
    """Where the draws come from. Below "More": question, target, K, and q1, q2 in numbers."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    controls.slider(link, SHARE, "Draws from q2, share", step=0.05)
    if more := controls.more(link):
        with more:
            controls.choice(
                link,
                better.INTEGRAND,
                "Question: mean of f(z)",
                names=better.titles(choices.INTEGRANDS),
            )
            better.choose_target(link)
            controls.log_slider(link, N_SAMPLES, "K", unit="draws")
            controls.number(link, LOC, "q1: mean", step=0.1)
            controls.number(link, SCALE, "q1: scale", step=0.1)
            controls.number(link, LOC_2, "q2: mean", step=0.1)
            controls.number(link, SCALE_2, "q2: scale", step=0.1)


def config(link: Link) -> TwoProposalsConfig:
    """The study the controls ask for."""
    target = link.value(better.TARGET)
    return TwoProposalsConfig(
        target=target,
        integrand=better.checked_integrand(link, target, better.INTEGRAND),
        loc=link.value(LOC),
        scale=link.value(SCALE),
        loc2=link.value(LOC_2),
        scale2=link.value(SCALE_2),
        share=link.value(SHARE),
        n_samples=link.value(N_SAMPLES),
        seed=link.value(better.SEED),
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def study(config: TwoProposalsConfig) -> TwoProposalsReport:
    """Both kinds of weights, computed once for each config."""
    return two_proposals.run(config)


def picture(link: Link) -> None:
    """Place the scene."""
    asked = config(link)
    report = study(asked)
    target = choices.find_target(asked.target)
    f = choices.INTEGRANDS[asked.integrand]
    kinds = {kind: getattr(report, kind) for kind in two_proposals.WEIGHTINGS}
    canvas.show(
        "mixtures",
        link,
        LOC,
        SCALE,
        LOC_2,
        SCALE_2,
        WEIGHTS,
        THEN,
        alt="Target p, two proposals and their mixture over z; below, the weight of each draw on "
        f"a log axis, and {two_proposals.N_REPEATS} repeats of four estimates as dots beside the "
        f"exact answer {digits(report.exact)}.",
        meta={
            "target": formulas.density(exact.normalized(target.made)),
            "f": formulas.integrand(f.made),
            "f_title": f.title,
            "exact": report.exact,
            "exact_text": digits(report.exact),
            "counts": list(asked.counts),
            "withheld": link.value(ANSWER) == predict.OPEN
            and scenes.is_on(link, SETTINGS, SCENES["one_each"]),
            "offset": report.offset,
            "report": {
                kind: {
                    "largest": formulas.finite(answers.largest),
                    "largest_text": digits(answers.largest),
                    "true_std": digits(answers.true_std),
                    "rmse": {name: digits(rmse.value) for name, rmse in answers.rmse.items()},
                }
                for kind, answers in kinds.items()
            },
        },
        arrays={
            "eps": two_proposals.noise(asked.n_samples, asked.seed, asked.share),
            **{
                f"{kind}_{name}": values
                for kind, answers in kinds.items()
                for name, values in answers.value.items()
            },
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "mixtures", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("mixtures_why")


def script(link: Link, config: TwoProposalsConfig) -> str:
    """The page's numbers as a script."""
    return code.fill(
        code.template("better_proposals_mixtures"),
        TARGET=config.target,
        INTEGRAND=config.integrand,
        Q1=(config.loc, config.scale),
        Q2=(config.loc2, config.scale2),
        COUNTS=config.counts,
        WEIGHTS=link.value(WEIGHTS),
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(link, config(link))
