"""Lesson: draws from a proposal q, weighted, answer questions about a target p."""

import streamlit as st

from iwae_core.ui import challenges, code, controls, lesson, predict, scenes, studies, weighting
from iwae_core.ui.url import Link

ANSWERS = {"better": "Better", "same": "No different", "worse": "Worse"}
ANSWER = predict.answer_field(*ANSWERS)

text = lesson.load("borrowed_samples")


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link("borrowed_samples", *weighting.FIELDS, challenges.TASK, ANSWER)
    with predict.box():
        if answer := predict.ask(link, ANSWER, text.parts["question"], ANSWERS):
            text.show(f"answer_{answer}")
            weighting.show_narrow(link)
            predict.point()
    main, side = st.columns([2.7, 1], gap="medium")
    with side:
        scenes.choose(link, weighting.SETTINGS, weighting.SCENES)
        weighting.main_controls(link)
        if more := controls.more(link):
            with more:
                weighting.more_controls(link)
        controls.seed(link, weighting.SEED)
    config = weighting.config(link)
    with main:
        weighting.picture(link, config, studies.weighting(config))
    if answer:
        with predict.reason():
            text.show("why")
    challenges.place(link, config)
    code.show(lambda: weighting.script(config), "borrowed_samples")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What to notice"):
    text.show("notice")
