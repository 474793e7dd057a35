"""Part *fans* of the lesson on gradients: sixty repeated gradients, K under the hand."""

from typing import Any

import numpy as np
import streamlit as st

from iwae_core.evaluation.studies import fans as study
from iwae_core.evaluation.studies.fans import FansConfig, FansSweep
from iwae_core.ui import canvas, code, controls, gradients, jobs, parts, predict, scenes
from iwae_core.ui.fields import ChoiceField, Field, StopField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, fixed

SCENES = study.SCENES
_START = FansConfig()
NAMES = {
    "reparameterized": "Plain (IWAE)",
    "stick_the_landing": "Stick the landing",
    "doubly_reparameterized": "DReG",
    "wake_sleep": "Wake-sleep",
}
ESTIMATOR = ChoiceField(name="estimator", default=_START.estimator, choices=tuple(NAMES))
N_SAMPLES = StopField(name="K", default=_START.n_samples, stops=study.N_SAMPLES)
ANSWERS = {"both": "Both narrow", "encoder": "Only the encoder's", "decoder": "Only the decoder's"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_fans")
FIELDS = (*gradients.Q_SETTINGS.values(), ESTIMATOR, N_SAMPLES, ANSWER)
SEED = gradients.SEED
SETTINGS: dict[str, Field[Any]] = gradients.Q_SETTINGS | {
    "estimator": ESTIMATOR,
    "n_samples": N_SAMPLES,
}


def controls_of(link: Link) -> None:
    """K once more, as a slider; q in numbers."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    value = st.select_slider(
        "K (samples in one gradient)", N_SAMPLES.stops, key=link.key(N_SAMPLES)
    )
    link.accept(N_SAMPLES, value)
    if more := controls.more(link):
        with more:
            gradients.q_controls(link)


def config(link: Link) -> FansConfig:
    """The fan the controls ask for."""
    return FansConfig(
        **gradients.q(link), estimator=link.value(ESTIMATOR), n_samples=link.value(N_SAMPLES)
    )


def sweep(asked: FansConfig) -> FansSweep | None:
    """The fans of all estimators and all K; None while a worker is at it."""
    if (asked.shift, asked.scale, asked.seed) == (_START.shift, _START.scale, _START.seed):
        return jobs.shipped(FansSweep, "gradients_fans")
    found: FansSweep | None = jobs.result(
        jobs.Study(
            kind="fans",
            work=study.sweep,
            args=(asked.shift, asked.scale, asked.seed),
            label="Sixty gradients at eleven K, four estimators",
            seconds=0.3,
        ),
        patience=gradients.PATIENCE,
    )
    return found


def picture(link: Link) -> None:
    """Place the scene: two fans, and the bound they belong to."""
    asked = config(link)
    found = sweep(asked)
    if found is None:
        return
    e, s = found.estimators.index(asked.estimator), study.N_SAMPLES.index(asked.n_samples)
    length = float(np.hypot(*found.mean[e, s, :2]))
    canvas.show(
        "fans",
        link,
        ESTIMATOR,
        N_SAMPLES,
        alt=f"Sixty gradients by {NAMES[asked.estimator]} at K = {asked.n_samples}, of two "
        f"encoder weights and of two decoder weights. The encoder's mean arrow is "
        f"{digits(length)} long. The bound is {fixed(found.bound[s], 3)} nats, log p(x) "
        f"{fixed(found.log_marginal, 3)}.",
        meta={
            "names": NAMES,
            "stops": list(study.N_SAMPLES),
            "n_arrows": study.N_ARROWS,
            "log_marginal": found.log_marginal,
        },
        arrays={
            "arrows": found.arrows,
            "mean": found.mean,
            "std": found.std,
            "bound_gradient": found.bound_gradient,
            "agreeing": found.agreeing,
            "bound": found.bound,
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer the scene it is about once it is answered."""
    if not parts.predicted(link, text, "fans", ANSWER, ANSWERS):
        return False
    scenes.offer(link, SETTINGS, SCENES["tight"], "Show me K = 1024")
    return True


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("fans_why")


def script(config: FansConfig) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("gradients_fans"),
        SHIFT=config.shift,
        SCALE=config.scale,
        ESTIMATOR=config.estimator,
        K=config.n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link))
