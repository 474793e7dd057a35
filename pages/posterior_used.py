"""Lesson: q, weighted by K samples, is another posterior; it flows into the exact one."""

import streamlit as st

from iwae_core.ui import (
    code,
    controls,
    lesson,
    posterior,
    posterior_best,
    posterior_digits,
    posterior_drag,
)
from iwae_core.ui.url import Link

PARTS = {"drag": posterior_drag, "trained": posterior_best, "digits": posterior_digits}

text = lesson.load(posterior.PAGE)


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    fields = (field for part in PARTS.values() for field in part.FIELDS)
    link = Link(posterior.PAGE, *posterior.FIELDS, *fields)
    name = controls.choice(link, posterior.PART, "Part", names=posterior.PARTS)
    part = PARTS[name]
    text.show(name)
    main, side = st.columns([2.7, 1], gap="medium")
    with side:
        part.controls_of(link)
        controls.seed(link, posterior.SEED)
    with main:
        part.picture(link)
    with st.container(border=True):
        part.discuss(link, text)
    code.show(lambda: part.script_of(link), f"{posterior.PAGE}_{name}")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What to notice"):
    text.show("notice")
