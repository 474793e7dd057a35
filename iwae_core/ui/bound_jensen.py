"""Part *jensen* of the bound's lesson: the log under the microscope."""

from typing import Any

import numpy as np
import streamlit as st
import torch

from iwae_core.evaluation.studies import microscope as study
from iwae_core.evaluation.studies.microscope import MicroscopeConfig, MicroscopeReport
from iwae_core.rng import standard_normal, stream
from iwae_core.ui import bound, canvas, code, controls, parts, predict, scenes
from iwae_core.ui.fields import ChoiceField, Field, FloatField, StopField
from iwae_core.ui.formulas import finite
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

SCENES = study.SCENES
STOPS = (1, 2, 4, 8, 16, 32, 64)  # of K
N_RUNS = 512  # that travel to the browser; the report has study.N_REPEATS
_START = MicroscopeConfig()
LAW = ChoiceField(name="law", default=_START.law, choices=study.LAWS)
SIGMA = FloatField(name="sigma", default=_START.sigma, low=0.0, high=study.MAX_SPREAD["lognormal"])
N_SAMPLES = StopField(name="mean_of", default=_START.n_samples, stops=STOPS)
ANSWERS = {"larger": "Larger", "close": "About that", "smaller": "Below 1 nat"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_jensen")
FIELDS = (LAW, SIGMA, N_SAMPLES, ANSWER)
SEED = bound.SEED
SETTINGS: dict[str, Field[Any]] = {"law": LAW, "sigma": SIGMA, "n_samples": N_SAMPLES}


@st.cache_resource(max_entries=256, show_spinner=False)
def _run(config: MicroscopeConfig) -> MicroscopeReport:
    return study.run(config)


@st.cache_resource(max_entries=32, show_spinner=False)
def noise(law: str, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """First runs of the study's own noise, as the browser's formula takes it, ``(64, N_RUNS)``."""
    eps = standard_normal((STOPS[-1], study.N_REPEATS), stream(seed, "weights"), torch.float64)
    eps = eps[:, :N_RUNS]
    return (eps if law == "lognormal" else torch.special.log_ndtr(eps)).float().numpy()


def controls_of(link: Link) -> None:
    """K and the spread once more, as sliders."""
    scenes.choose(link, SETTINGS, SCENES)
    value = st.select_slider("K (weights in the mean)", STOPS, key=link.key(N_SAMPLES))
    link.accept(N_SAMPLES, value)
    controls.slider(link, SIGMA, "Spread", unit="nats, of one log weight", step=0.05)


def config(link: Link) -> MicroscopeConfig:
    """The study the controls ask for; a spread that its law cannot have is cut, with a word."""
    law, sigma = link.value(LAW), link.value(SIGMA)
    most = study.MAX_SPREAD[law]
    if sigma > most:
        st.info(f"Weights of this kind have a spread of at most {most:g} nats here; using that.")
    return MicroscopeConfig(
        law=law,
        sigma=min(sigma, most),
        n_samples=link.value(N_SAMPLES),
        seed=link.value(bound.SEED),
    )


def picture(link: Link) -> None:
    """Place the scene: the mean weight goes through the log."""
    asked = config(link)
    report = _run(asked)
    canvas.show(
        "jensen",
        link,
        LAW,
        SIGMA,
        N_SAMPLES,
        alt=f"The logarithm over the histogram of a mean of {asked.n_samples} weights: the mean "
        f"of the log lies {digits(report.gap)} nats below the log of the mean; the approximation "
        f"Var(w)/(2K mean squared) is {digits(report.approximate_gap)}.",
        meta={
            "law": asked.law,
            "most": study.MAX_SPREAD,
            "report": {
                "K": asked.n_samples,
                "sigma": asked.sigma,
                "gap": report.gap,
                "approximation": finite(report.approximate_gap),
                "holds": report.holds,
                "share_above": report.share_above,
                "n_repeats": study.N_REPEATS,
                "breaks_from": finite(report.breaks_from_sigma),
                "breaks_until": finite(report.breaks_until),
            },
        },
        arrays={
            "noise": noise(asked.law, asked.seed),
            "curve_n": report.curve_n_samples,
            "curve_gap": report.curve_gap,
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer the scene it is about once it is answered."""
    if not parts.predicted(link, text, "jensen", ANSWER, ANSWERS):
        return False
    scenes.offer(link, SETTINGS, SCENES["breaks"], "Show me that spread")
    return True


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("jensen_why")


def script(config: MicroscopeConfig) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("bound_jensen"),
        LAW=config.law,
        SIGMA=config.sigma,
        K=config.n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link))
