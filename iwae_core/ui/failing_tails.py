"""When weights fail, part one: light tails."""

import dataclasses
from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import choices, tails
from iwae_core.evaluation.studies.tails import (
    MAX_SAMPLES,
    N_REPEATS,
    SweepReport,
    TailsConfig,
    TailsReport,
)
from iwae_core.evaluation.studies.weighting import COVERED, ESTIMATORS
from iwae_core.sampling.psis import MIN_DRAWS, TRUST_LIMIT, VARIANCE_LIMIT
from iwae_core.ui import canvas, code, controls, formulas, parts, predict, scenes
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField, SeedField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view import weighting as view
from iwae_core.view.numbers import digits, percent

START = TailsConfig(scale=1.3)
TARGETS = {"normal": "Normal(0, 1)", "student_t": f"Student t, df = {START.df:g}"}
AVERAGES = {"importance": "Plain", "self_normalized": "Self-normalized"}
ANSWERS = {"as_promised": "About 95 of 100", "four_fifths": "About 80", "half": "About half"}

SCALE = FloatField(name="scale", default=START.scale, low=0.3, high=2.0)
LOC = FloatField(name="loc", default=START.loc, low=-4.0, high=4.0)
TARGET = ChoiceField(name="target", default=START.target, choices=tuple(TARGETS))
INTEGRAND = ChoiceField(name="f", default=START.integrand, choices=("z", "z_squared", "above_3"))
ESTIMATOR = ChoiceField(name="average", default=START.estimator, choices=tuple(ESTIMATORS))
N_SAMPLES = IntField(name="K", default=START.n_samples, low=MIN_DRAWS, high=MAX_SAMPLES)
SEED = SeedField(default=START.seed)
ANSWER = predict.answer_field(*ANSWERS)

FIELDS: tuple[Field[Any], ...] = (
    SCALE, LOC, TARGET, INTEGRAND, ESTIMATOR, N_SAMPLES, SEED, ANSWER,
)  # fmt: skip
# What a scene sets, by the names of TailsConfig; all of it, so that none depends on the last one.
SETTINGS: dict[str, Field[Any]] = {
    "scale": SCALE,
    "loc": LOC,
    "target": TARGET,
    "integrand": INTEGRAND,
}
SCENES = scenes.whole(tails.SCENES, TailsConfig(), SETTINGS)

# What a scene says about k-hat, in the words of the other pages.
FLAGS = {"variance": VARIANCE_LIMIT, "trust": TRUST_LIMIT}
VERDICTS = {
    "none": view.verdict(float("inf")),
    "trust": view.verdict(2 * TRUST_LIMIT),
    "variance": view.verdict(0.5 * (VARIANCE_LIMIT + TRUST_LIMIT)),
    "calm": view.verdict(0.0),
}


@st.cache_resource(max_entries=64, show_spinner=False)
def study(config: TailsConfig) -> TailsReport:
    """The runs at one q."""
    return tails.run(config)


@st.cache_resource(max_entries=32, show_spinner=False)
def sweep(config: TailsConfig) -> SweepReport:
    """k-hat at every width; ask by :func:`for_sweep`."""
    return tails.sweep(config)


def for_sweep(config: TailsConfig) -> TailsConfig:
    """The same config with what decides nothing about k-hat at its default."""
    start = TailsConfig()
    return dataclasses.replace(
        config, scale=start.scale, integrand=start.integrand, estimator=start.estimator
    )


def controls_of(link: Link) -> None:
    """The scene, the question and the number of draws; the rest below."""
    scenes.choose(link, SETTINGS, SCENES)
    controls.log_slider(link, N_SAMPLES, "K", unit="draws in each run")
    if more := controls.more(link):
        with more:
            names = {name: choices.INTEGRANDS[name].title for name in INTEGRAND.choices}
            controls.choice(link, INTEGRAND, "Question: mean of f(z)", names=names)
            controls.choice(link, TARGET, "Target", names=TARGETS)
            controls.choice(link, ESTIMATOR, "Average", names=AVERAGES)
            controls.number(link, LOC, "Proposal: mean", step=0.1)
            controls.number(link, SCALE, "Proposal: width", step=0.1)


def config(link: Link) -> TailsConfig:
    """The study that the controls ask for."""
    return TailsConfig(
        target=link.value(TARGET),
        loc=link.value(LOC),
        scale=link.value(SCALE),
        integrand=link.value(INTEGRAND),
        estimator=link.value(ESTIMATOR),
        n_samples=link.value(N_SAMPLES),
        seed=link.value(SEED),
    )


def picture(link: Link) -> None:
    """Place the scene."""
    c = config(link)
    report = study(c)
    along = sweep(for_sweep(c))
    f = choices.INTEGRANDS[c.integrand]
    unflagged = report.misses - report.misses_flagged
    canvas.show(
        "tails",
        link,
        SCALE,
        LOC,
        alt=f"Target p and Normal proposal q; the exact tail index of the weights is "
        f"{digits(report.tail_index)}, and {percent(report.coverage)} of {N_REPEATS} reported "
        "95 % intervals hold the truth.",
        meta={
            "target": formulas.density(tails.problem(c).target),
            "target_title": TARGETS[c.target],
            "f": formulas.integrand(f.made),
            "average": c.estimator,
            "exact": report.exact,
            "covered": COVERED,
            "limits": {"loc": [LOC.low, LOC.high], "scale": [SCALE.low, SCALE.high]},
            "flags": FLAGS,
            "verdicts": VERDICTS,
            "report": {
                "coverage": percent(report.coverage),
                "unflagged": f"{unflagged} of {report.misses}",
                "unflagged_note": f"k-hat at most {TRUST_LIMIT}",
                "true_std": digits(report.true_std),
            },
        },
        arrays={
            "eps": (report.z - c.loc) / c.scale,
            "estimate": report.estimate,
            "low": report.estimate - COVERED * report.std_error,
            "high": report.estimate + COVERED * report.std_error,
            "k_hat": report.k_hat,
            "sweep_scale": along.scale,
            "sweep_k_hat": along.k_hat,
            "sweep_low": along.low,
            "sweep_high": along.high,
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer the q it is about once it is answered."""
    if not parts.predicted(link, text, "tails", ANSWER, ANSWERS):
        return False
    scenes.offer(link, SETTINGS, SCENES["looks_fine"], "Show me the half-width q")
    return True


def explain(link: Link, text: Text) -> None:
    """Say why, with the numbers of this seed."""
    seen = study(TailsConfig(seed=link.value(SEED)))
    text.show(
        "tails_why",
        coverage=percent(seen.coverage),
        misses=seen.misses,
        unwarned=seen.misses - seen.misses_warned,
        unflagged=seen.misses - seen.misses_flagged,
        n_runs=N_REPEATS,
    )


def script_of(link: Link) -> str:
    """The scene's numbers as a script."""
    c = config(link)
    return code.fill(
        code.template("when_weights_fail_tails"),
        TARGET=c.target,
        LOC=c.loc,
        SCALE=c.scale,
        INTEGRAND=c.integrand,
        ESTIMATOR=c.estimator,
        K=c.n_samples,
        SEED=c.seed,
    )
