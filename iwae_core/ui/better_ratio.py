"""Better proposals, part one: plain against self-normalized, against K."""

from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from iwae_core.evaluation.studies import choices, self_normalized
from iwae_core.evaluation.studies.self_normalized import RatioConfig, RatioReport
from iwae_core.rng import standard_normal, stream
from iwae_core.ui import better, canvas, code, controls, formulas, parts, scenes
from iwae_core.ui.fields import BoolField, ChoiceField, Field, FloatField, StopField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

FACTOR = 3.0  # on p where its constant is forgotten
N_RUNS = 48  # drawn as dots
_START = RatioConfig()

# The target that comes with a factor of its own is here the switch.
TARGET = ChoiceField(
    name="ratio_target",
    default=_START.target,
    choices=tuple(name for name in choices.TARGETS if name != "unnormalized"),
)
LOC = FloatField(name="ratio_loc", default=_START.loc, low=-6.0, high=6.0)
SCALE = FloatField(name="ratio_scale", default=_START.scale, low=0.2, high=4.0)
INTEGRAND = ChoiceField(
    name="ratio_f", default=_START.integrand, choices=tuple(choices.INTEGRANDS)
)
N_SAMPLES = StopField(
    name="ratio_K",
    default=16,
    stops=tuple(2**power for power in range(self_normalized.MAX_SAMPLES.bit_length())),
)
KNOWN_UP_TO = BoolField(name="factor")

SCENES = self_normalized.SCENES
SETTINGS: dict[str, Field[Any]] = {
    "loc": LOC,
    "scale": SCALE,
    "integrand": INTEGRAND,
    "target": TARGET,
}
ANSWERS = {"larger": "Always larger", "smaller": "Always smaller", "depends": "It depends on f"}
ANSWER = better.answer_field("ratio", *ANSWERS)
FIELDS: tuple[Field[Any], ...] = (TARGET, LOC, SCALE, INTEGRAND, N_SAMPLES, KNOWN_UP_TO, ANSWER)
SEED = better.SEED


def controls_of(link: Link) -> None:
    """The question, beside the scene. Below "More": the target, and q in numbers."""
    scenes.choose(link, SETTINGS, SCENES)
    controls.choice(
        link, INTEGRAND, "Question: mean of f(z)", names=better.titles(choices.INTEGRANDS)
    )
    if more := controls.more(link):
        with more:
            names = {name: choices.TARGETS[name].title for name in TARGET.choices}
            controls.choice(link, TARGET, "Target", names=names)
            controls.number(link, LOC, "Proposal: mean", step=0.1)
            controls.number(link, SCALE, "Proposal: scale", step=0.1)


def config(link: Link) -> RatioConfig:
    """The study the controls ask for."""
    target = link.value(TARGET)
    return RatioConfig(
        target=target,
        loc=link.value(LOC),
        scale=link.value(SCALE),
        integrand=better.checked_integrand(link, target, INTEGRAND),
        seed=link.value(better.SEED),
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def study(config: RatioConfig) -> RatioReport:
    """Bias and variance at each K, computed once for each config."""
    return self_normalized.run(config)


@st.cache_resource(max_entries=16, show_spinner=False)
def noise(seed: int) -> NDArray[np.float64]:
    """Standardized draws of the study's first N_RUNS runs at the largest K; q moves them."""
    shape = (self_normalized.N_DRAWS,)
    eps = standard_normal(shape, stream(seed, "ratio"), torch.float64)
    return eps[: N_RUNS * self_normalized.MAX_SAMPLES].numpy()


def picture(link: Link) -> None:
    """Place the scene."""
    asked = config(link)
    report = study(asked)
    target = choices.find_target(asked.target)
    f = choices.INTEGRANDS[asked.integrand]
    canvas.show(
        "ratio",
        link,
        LOC,
        SCALE,
        N_SAMPLES,
        KNOWN_UP_TO,
        alt=f"Target p and proposal q over z; below, {N_RUNS} runs of the plain and of the "
        "self-normalized average as dots, and their bias and spread against K on log axes; the "
        f"exact answer is {digits(report.exact)}.",
        meta={
            "target": formulas.density(target.made),
            "f": formulas.integrand(f.made),
            "exact": report.exact,
            "exact_text": digits(report.exact),
            "factor": FACTOR,
            "n_runs": N_RUNS,
        },
        arrays={
            "eps": noise(asked.seed),
            **{
                name: getattr(report, name)
                for name in (
                    "n_samples",
                    "bias",
                    "bias_error",
                    "leading_bias",
                    "plain_variance",
                    "variance",
                    "variance_error",
                    "leading_variance",
                )
            },
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "ratio", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("ratio_why")


def script(link: Link, config: RatioConfig) -> str:
    """The page's numbers as a script."""
    return code.fill(
        code.template("better_proposals_ratio"),
        TARGET=config.target,
        LOC=config.loc,
        SCALE=config.scale,
        INTEGRAND=config.integrand,
        K=link.value(N_SAMPLES),
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(link, config(link))
