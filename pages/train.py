"""Lesson: train a VAE or an IWAE on real data, live, and change it while it runs."""

import streamlit as st

from iwae_core.ui import (
    code,
    kept,
    lesson,
    predict,
    slow_motion,
    training,
    training_controls,
    training_data,
)
from iwae_core.ui.url import Link

text = lesson.load("train")


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link("train", *training.FIELDS, *slow_motion.FIELDS, kept.RUN)
    kept.arrive(link, training.adopt)
    with predict.box():
        if guess := predict.ask(link, training.GUESS, text.parts["ask"], training.GUESSES):
            text.show(f"guess_{guess}")
            predict.point()
    training_controls.main(link)
    training_data.panel(link)
    with st.expander("More"):
        training_controls.more(link, latent_help=text.parts["latent"])

    run = kept.watch(link, training.wanted(link))
    if run is not None:
        kept.picture(link, run, training.adopt)
        if guess:
            with predict.reason():
                text.show("notice")
        slow_motion.show(link, run)
        kept.panel(link, run, training.adopt)
        code.show(lambda: training.script(run.config), "train")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What the pictures show"):
    text.show("pictures")
with st.expander("The objectives, a line each"):
    text.show("objectives")
