"""Lesson: the same weights under two bounds, and the gap to log p(x) as K grows."""

import streamlit as st

from iwae_core.ui import (
    bound,
    bound_coins,
    bound_jensen,
    bound_ways,
    code,
    controls,
    lesson,
    predict,
    scenes,
    tightness,
)
from iwae_core.ui.url import Link

PARTS = {
    "coins": bound_coins,
    "jensen": bound_jensen,
    "curve": tightness,
    "three_ways": bound_ways,
}

text = lesson.load("elbo_to_iwae")


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    fields = (field for part in PARTS.values() for field in part.FIELDS)
    link = Link("elbo_to_iwae", *bound.FIELDS, *fields)
    name = controls.choice(link, bound.PART, "Part", names=bound.PARTS)
    part = PARTS[name]
    text.show(name)
    main, side = st.columns([2.7, 1], gap="medium")
    with side:
        scene = scenes.choose(link, part.SETTINGS, part.SCENES)
        if scene:
            st.caption(scene.why)
        part.main_controls(link)
        controls.seed(link, bound.SEED)
    with main:
        part.picture(link)
    if answer := predict.ask(link, part.ANSWER, text.parts[f"question_{name}"], part.ANSWERS):
        text.show(f"answer_{name}_{answer}")
        text.show(f"why_{name}")
    if name == "curve":
        tightness.more(link, text)
    code.show(lambda: part.script_of(link), f"elbo_to_iwae_{name}")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What to notice"):
    text.show("notice")
