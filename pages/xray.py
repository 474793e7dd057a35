"""Lesson: draw a digit, and see which particles of the encoder's q carry the answer."""

import streamlit as st

from iwae_core.ui import code, controls, lesson, predict, scenes, xray
from iwae_core.ui.url import Link

text = lesson.load("xray")


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link("xray", *xray.FIELDS)
    with predict.box():
        if answer := predict.ask(link, xray.ANSWER, text.parts["question"], xray.ANSWERS):
            text.show(f"answer_{answer}")
            predict.point()
    main, side = st.columns([2.7, 1], gap="medium")
    with side:
        scenes.choose(link, xray.SETTINGS, xray.SCENES)
        xray.main_controls(link)
        controls.seed(link, xray.SEED)
    with main:
        xray.picture(link)
        xray.warn_of_no_digit(link)
    if answer:
        with predict.reason():
            text.show("why")
    code.show(lambda: xray.script(xray.config(link)), "xray")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What to notice"):
    text.show("notice")
