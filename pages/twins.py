"""Lesson: two settings in lock step, and what each is good for."""

import streamlit as st

from iwae_core.ui import (
    code,
    controls,
    lesson,
    predict,
    scenes,
    twins,
    twins_kept,
    twins_uses,
)
from iwae_core.ui.url import Link

text = lesson.load(twins.PAGE)


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link(twins.PAGE, *twins.FIELDS, twins_kept.PAIR)
    twins_kept.arrive(link)
    with predict.box():
        left, right = st.columns(2)
        with left:
            one = predict.ask(link, twins.ANSWER_ONE, text.parts["question_one"], twins.ANSWERS)
        with right:
            many = predict.ask(link, twins.ANSWER_MANY, text.parts["question_many"], twins.ANSWERS)
        if one and many:
            text.show(f"answer_one_{one}")
            text.show(f"answer_many_{many}")
            predict.point()
    left, middle, right = st.columns(3)
    with left:
        scenes.choose(link, twins.SETTINGS, twins.SCENES, tells=twins.predicted(link))
    with middle:
        controls.choice(link, twins.DATASET, "Data", names=twins.dataset_names())
    with right:
        controls.log_slider(link, twins.N_SAMPLES_B, "K of B", unit="samples per datapoint")
    with st.expander("More"):
        twins.more_controls(link)
    pair = twins_kept.watch(link, *twins.configs(link))
    if pair is not None:
        twins_kept.picture(link, pair)
        if one and many:
            with predict.reason():
                text.show("why", **twins_uses.why_numbers())
        twins_kept.panel(link)
    code.show(lambda: twins_uses.pair_script_of(link), twins.PAGE)
    st.subheader("Five uses, measured", anchor="uses")
    text.show("uses")
    twins_uses.table(link)
    code.show(lambda: twins_uses.script_of(link), "twins_uses")
    with st.expander("What to notice"):
        text.show("notice")


st.title(text.title)
text.show("intro")
explore()
