"""Part *drag*: a round q under the hand, over a posterior that is known exactly."""

from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import posterior_used as study
from iwae_core.evaluation.studies.posterior_used import PosteriorUsedConfig, PosteriorUsedReport
from iwae_core.ui import code, controls, parts, posterior, predict, scenes
from iwae_core.ui.fields import Field
from iwae_core.ui.lesson import Text
from iwae_core.ui.posterior import N_SAMPLES, SCALE, SEED, TARGET, VIEW, X, Y
from iwae_core.ui.url import Link

SCENES = study.SCENES
SETTINGS: dict[str, Field[Any]] = {
    "target": TARGET,
    "loc_1": X,
    "loc_2": Y,
    "scale": SCALE,
    "n_samples": N_SAMPLES,
}
ANSWERS = {"all": "Finds both", "one": "Still has one", "middle": "Fills the middle"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_drag")
FIELDS = (TARGET, X, Y, SCALE, N_SAMPLES, VIEW, ANSWER)


@st.cache_resource(max_entries=128, show_spinner=False)
def run(config: PosteriorUsedConfig, resample: bool = False) -> PosteriorUsedReport:
    """The study, kept; with draws from q_K only where they are shown."""
    return study.run(config, resample=resample)


def controls_of(link: Link) -> None:
    """Scene, K and the switch in sight; q in numbers below More."""
    scenes.choose(link, SETTINGS, SCENES)
    controls.log_slider(link, N_SAMPLES, "K", unit="samples")
    posterior.view_control(link)
    if more := controls.more(link):
        with more:
            posterior.target_control(link)
            controls.number(link, X, "Center of q: z₁", step=0.1)
            controls.number(link, Y, "Center of q: z₂", step=0.1)
            controls.number(link, SCALE, "Scale of q", step=0.1)


def config(link: Link) -> PosteriorUsedConfig:
    """The study the controls ask for; a q too wide for its picture is cut, with a word."""
    target, scale = link.value(TARGET), link.value(SCALE)
    most = study.TARGETS[target].max_scale
    if scale > most:
        st.info(f"Over this posterior q may be at most {most:g} wide; using that.")
    return PosteriorUsedConfig(
        target=target,
        loc_1=link.value(X),
        loc_2=link.value(Y),
        scale=min(scale, most),
        n_samples=link.value(N_SAMPLES),
        seed=link.value(SEED),
    )


def picture(link: Link) -> None:
    """Place the scene."""
    asked = config(link)
    target = study.TARGETS[asked.target]
    report = run(asked, posterior.resamples(link))
    plane = posterior.Plane(name="q", title=target.title, short="q", report=report)
    posterior.show(link, "drag", [plane], max_scale=target.max_scale)


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer the scene it is about once it is answered."""
    if not parts.predicted(link, text, "drag", ANSWER, ANSWERS):
        return False
    scenes.offer(link, SETTINGS, SCENES["one_mode"], "Show me q on one mode")
    return True


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("drag_why")


def script(config: PosteriorUsedConfig) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("posterior_used"),
        TARGET=config.target,
        CENTER=(config.loc_1, config.loc_2),
        SCALE=config.scale,
        K=config.n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link))
