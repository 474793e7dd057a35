"""Lesson: the same weights under two bounds, and the gap to log p(x) as K grows."""

import streamlit as st

from iwae_core.ui import code, controls, lesson, predict, scenes, studies, tightness
from iwae_core.ui.url import Link

ANSWERS = {"tighter": "Closer to log p(x)", "steadier": "Only steadier", "exact": "Exact, almost"}
ANSWER = predict.answer_field(*ANSWERS)

text = lesson.load("elbo_to_iwae")


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link("elbo_to_iwae", *tightness.FIELDS, ANSWER)
    side, main = st.columns([1, 2.7], gap="medium")
    with side:
        scene = scenes.choose(link, tightness.SETTINGS, tightness.SCENES)
        if scene:
            st.caption(scene.why)
        tightness.bound_controls(link)
        with st.expander("More"):
            tightness.more_controls(link)
        controls.seed(link, tightness.SEED)

    config = tightness.config(link)
    report = studies.tightness(config)
    at = studies.runs_at(config, link.value(tightness.N_SAMPLES))
    numbers = tightness.numbers(report, at)
    with main:
        tightness.cards(report, at)
        tightness.bounds(report, at)

    text.show_with("formula", numbers)
    with st.container(border=True):
        answer = predict.ask(link, ANSWER, text.parts["question"], ANSWERS)
        if answer:
            text.show(f"answer_{answer}")
            text.show("why")
    left, right = st.columns(2, gap="medium")
    with left:
        rate = tightness.rate(report)
        text.show_with(rate, numbers)
        if rate != "rate_flat":
            tightness.gaps(report, at)
    with right:
        text.show_with("above" if rate != "rate_flat" else "above_flat", numbers)
        tightness.runs(report, at)
    code.show(lambda: tightness.script(config, at.n_samples), "elbo_to_iwae")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What to notice"):
    text.show("notice")
