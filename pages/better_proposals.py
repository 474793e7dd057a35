"""Lesson: what to do when the weights of one proposal are not good enough."""

import streamlit as st

from iwae_core.ui import better_board, better_mixtures, better_rare, better_ratio, lesson, parts

LESSON = parts.Lesson(
    page="better_proposals",
    parts={
        "ratio": ("Divide by the weights", better_ratio),
        "mixtures": ("Several proposals", better_mixtures),
        "rare": ("A rare event", better_rare),
        "board": ("All on one board", better_board),
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
