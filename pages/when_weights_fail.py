"""Lesson: four ways in which weights fail, and what can and cannot be seen of it."""

import streamlit as st

from iwae_core.ui import failing_flag, failing_lift, failing_lucky, failing_tails, lesson, parts

LESSON = parts.Lesson(
    page="when_weights_fail",
    parts={
        "tails": ("Light tails", failing_tails),
        "lucky": ("One lucky particle", failing_lucky),
        "how_many": ("How many samples", failing_flag),
        "lift": ("Many dimensions", failing_lift),
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
