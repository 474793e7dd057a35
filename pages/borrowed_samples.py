"""Lesson: draws from a proposal q, weighted, answer questions about a target p."""

import streamlit as st

from iwae_core.ui import code, controls, lesson, predict, scenes, studies, weighting
from iwae_core.ui.url import Link

ANSWERS = {"better": "Better", "same": "No different", "worse": "Worse"}
ANSWER = predict.answer_field(*ANSWERS)

text = lesson.load("borrowed_samples")


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link("borrowed_samples", *weighting.FIELDS, ANSWER)

    side, main = st.columns([1, 2.7], gap="medium")
    with side:
        scene = scenes.choose(link, weighting.SETTINGS, weighting.SCENES)
        if scene:
            st.caption(scene.why)
        weighting.proposal_controls(link)
        with st.expander("More"):
            weighting.more_controls(link)
        controls.seed(link, weighting.SEED)

    config = weighting.config(link)
    report = studies.weighting(config)
    numbers = weighting.numbers(config, report)
    with main:
        weighting.cards(report)
        weighting.draws(config, report)
        text.show_with(weighting.stems_note(config), numbers)

    text.show_with(config.estimator, numbers)
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("The answer forms")
        weighting.running(report)
    with right:
        st.subheader("The weights")
        weighting.log_weights(report)
    text.show_with("errors", numbers)

    with st.container(border=True):
        answer = predict.ask(link, ANSWER, text.parts["question"], ANSWERS)
        if answer:
            text.show(f"answer_{answer}")
            text.show("why")
            weighting.show_narrow(link)
    code.show(lambda: weighting.script(config), "borrowed_samples")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What to notice"):
    text.show("notice")
