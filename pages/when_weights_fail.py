"""Lesson: four ways in which weights fail, and what can and cannot be seen of it."""

import streamlit as st

from iwae_core.ui import failing, lesson
from iwae_core.ui.url import Link

text = lesson.load(failing.PAGE)


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    failing.show(Link(failing.PAGE, *failing.FIELDS), text)


st.title(text.title)
text.show("intro")
explore()
