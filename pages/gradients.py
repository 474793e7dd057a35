"""Lesson: how samples add up to a gradient, and what is left of it as K grows."""

import streamlit as st

from iwae_core.ui import (
    code,
    controls,
    gradients,
    gradients_backward,
    gradients_fans,
    gradients_samples,
    gradients_snr,
    lesson,
    predict,
    scenes,
)
from iwae_core.ui.url import Link

PARTS = {
    "samples": gradients_samples,
    "fans": gradients_fans,
    "snr": gradients_snr,
    "backward": gradients_backward,
}

text = lesson.load(gradients.PAGE)


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    fields = dict.fromkeys(field for part in PARTS.values() for field in part.FIELDS)
    link = Link(gradients.PAGE, *gradients.FIELDS, *fields)
    name = controls.choice(link, gradients.PART, "Part", names=gradients.PARTS)
    part = PARTS[name]
    text.show(name)
    main, side = st.columns([2.7, 1], gap="medium")
    with side:
        scene = scenes.choose(link, part.SETTINGS, part.SCENES)
        if scene:
            asked = link.value(part.ANSWER) == predict.OPEN
            st.caption("Why: once you have predicted, below." if asked else scene.why)
        part.main_controls(link)
        controls.seed(link, gradients.SEED, reset=lambda: link.set(gradients.PART, name))
    with main:
        part.picture(link)
    with st.container(border=True):
        question = text.parts[f"question_{name}"]
        if answer := predict.ask(link, part.ANSWER, question, part.ANSWERS):
            text.show(f"answer_{name}_{answer}")
            text.show(f"why_{name}", **getattr(part, "why_numbers", dict)())
    code.show(lambda: part.script_of(link), f"{gradients.PAGE}_{name}")
    with st.expander("What to notice"):
        text.show(f"notice_{name}")


st.title(text.title)
text.show("intro")
explore()
