"""Lesson: q, weighted by K samples, is another posterior; it flows into the exact one."""

import streamlit as st

from iwae_core.ui import lesson, parts, posterior_best, posterior_digits, posterior_drag

LESSON = parts.Lesson(
    page="posterior_used",
    parts={
        "drag": ("Drag q", posterior_drag),
        "trained": ("q by ELBO, q by IWAE", posterior_best),
        "digits": ("Trained on digits", posterior_digits),
    },
)

text = lesson.load(LESSON.page)


@st.fragment
def explore() -> None:
    """Everything that a control moves; the title and the intro stay."""
    LESSON.show(text)


st.title(text.title)
text.show("intro")
explore()
