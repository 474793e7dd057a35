"""Part *snr* of the lesson on gradients: signal to noise against K, after a drawn prediction."""

from typing import Any

import numpy as np
import streamlit as st

from iwae_core.evaluation.studies import snr as study
from iwae_core.evaluation.studies.snr import SnrConfig, SnrReport
from iwae_core.ui import canvas, code, controls, gradients, jobs, parts, predict, scenes
from iwae_core.ui.fields import Field, FloatField, StopField
from iwae_core.ui.gradients_fans import ESTIMATOR, NAMES
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, fixed

SCENES = study.SCENES
LEAST_SHIFT = 0.1
_NO_SIGNAL = 1e-9  # rounding of a ratio that is zero
GUESS = FloatField(name="guess", default=0.0, low=-0.6, high=0.6)
AT = StopField(name="at", default=64, stops=study.N_SAMPLES)
ANSWERS = {"rises": "Rises", "stays": "Stays", "falls": "Falls"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_snr")
FIELDS = (*gradients.Q_SETTINGS.values(), ESTIMATOR, GUESS, AT, ANSWER)
SEED = gradients.SEED
SETTINGS: dict[str, Field[Any]] = gradients.Q_SETTINGS


def controls_of(link: Link) -> None:
    """The K that is read off; q in numbers."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    value = st.select_slider("Read at K (samples)", AT.stops, key=link.key(AT))
    link.accept(AT, value)
    if more := controls.more(link):
        with more:
            gradients.q_controls(link)


def config(link: Link) -> SnrConfig:
    """The study the controls ask for; a q in its place is moved a little, with a word."""
    q = gradients.q(link)
    if abs(q["shift"]) < LEAST_SHIFT:
        q["shift"] = LEAST_SHIFT if q["shift"] >= 0 else -LEAST_SHIFT
        st.info(
            "With q's mean in its place the encoder's gradient has no signal at any K: "
            f"q is put {fixed(q['shift'], 1)} off here."
        )
    return SnrConfig(**q)


def report(asked: SnrConfig) -> SnrReport | None:
    """The curves; None while a worker is at it."""
    shipped = jobs.of_scene(SnrReport, "gradients_snr", SCENES, asked)
    found: SnrReport | None = shipped or jobs.result(
        jobs.Study(
            kind="snr",
            work=study.run,
            args=(asked,),
            label="Exact curves, and 100 repeats at nine K",
            seconds=0.3,
        ),
        patience=gradients.PATIENCE,
    )
    return found


def picture(link: Link) -> None:
    """Place the scene; the curves travel only once the reader has said what they will do."""
    found = report(config(link))
    if found is None:
        return
    answered = link.value(ANSWER) != predict.OPEN
    snr = np.where(found.snr < _NO_SIGNAL, 0.0, found.snr)
    if answered:
        e, s = found.estimators.index(link.value(ESTIMATOR)), AT.stops.index(link.value(AT))
        alt = (
            f"Signal to noise against K on logarithmic scales, {NAMES[link.value(ESTIMATOR)]}: "
            f"the encoder's slope is {fixed(found.slope[e, 0])}, the decoder's "
            f"{fixed(found.slope[e, 1])}; at K = {AT.stops[s]} the ratios are "
            f"{digits(snr[e, s, 0])} and {digits(snr[e, s, 1])}."
        )
    else:
        alt = (
            "Axes of signal to noise against K on logarithmic scales, with the encoder's ratio "
            "at K = 1 and a line to draw: how will it go on?"
        )
    curves = {
        "snr": snr,
        "snr_hat": found.snr_hat,
        "slope": found.slope,
        "theory": found.theory,
    }
    canvas.show(
        "snr",
        link,
        ESTIMATOR,
        GUESS,
        AT,
        ANSWER,
        alt=alt,
        meta={
            "names": NAMES,
            "stops": list(AT.stops),
            "start": float(snr[0, 0, 0]),
            "limits": [GUESS.low, GUESS.high],
            "answered": answered,
            "floor": found.floor,
            "n_repeats": found.n_repeats,
        },
        arrays=curves if answered else {},
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "snr", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("snr_why")


def script(config: SnrConfig, estimator: str, n_samples: int) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("gradients_snr"),
        SHIFT=config.shift,
        SCALE=config.scale,
        ESTIMATOR=estimator,
        K=n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link), link.value(ESTIMATOR), link.value(AT))
