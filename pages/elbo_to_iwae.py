"""Lesson: the same weights under two bounds, and the gap to log p(x) as K grows."""

import streamlit as st

from iwae_core.ui import bound_coins, bound_jensen, bound_ways, lesson, parts, tightness

LESSON = parts.Lesson(
    page="elbo_to_iwae",
    parts={
        "coins": ("Same coins, new boxes", bound_coins),
        "jensen": ("Why: the log is curved", bound_jensen),
        "curve": ("Bound against K", tightness),
        "three_ways": ("K = 1: the ELBO", bound_ways),
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
