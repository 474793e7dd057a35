"""Lesson: how samples add up to a gradient, and what is left of it as K grows."""

import streamlit as st

from iwae_core.ui import (
    gradients_backward,
    gradients_fans,
    gradients_samples,
    gradients_snr,
    lesson,
    parts,
)

LESSON = parts.Lesson(
    page="gradients",
    parts={
        "samples": ("Who is heard", gradients_samples),
        "fans": ("Sixty arrows", gradients_fans),
        "snr": ("Signal to noise", gradients_snr),
        "backward": ("Fewer backward", gradients_backward),
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
