"""Lesson: what to do when the weights of one proposal are not good enough."""

import streamlit as st

from iwae_core.ui import (
    better,
    better_board,
    better_mixtures,
    better_rare,
    better_ratio,
    code,
    controls,
    lesson,
    predict,
    scenes,
)
from iwae_core.ui.url import Link

PARTS = {
    "ratio": better_ratio,
    "mixtures": better_mixtures,
    "rare": better_rare,
    "board": better_board,
}
FIELDS = {field.name: field for part in PARTS.values() for field in (*part.FIELDS, part.ANSWER)}

text = lesson.load(better.PAGE)


@st.fragment
def explore() -> None:
    """The chosen part and everything that a control moves; the prose around it stays."""
    link = Link(better.PAGE, better.PART, *FIELDS.values(), better.SEED)
    name = controls.choice(link, better.PART, "Cure", names=better.PART_NAMES)
    part = PARTS[name]
    text.show(f"{name}_intro")
    main, side = st.columns([2.7, 1], gap="medium")
    with side:
        scene = scenes.choose(link, part.SETTINGS, part.SCENES)
        if scene:
            st.caption(scene.why)
        part.main_controls(link)
        with st.expander("More"):
            part.more_controls(link)
        controls.seed(link, better.SEED, reset=lambda: link.set(better.PART, name))
    config = part.config(link)
    with main:
        more = part.show(link, config)
    if more:
        st.html(more)
    with st.container(border=True):
        question = text.parts[f"{name}_question"]
        if answer := predict.ask(link, part.ANSWER, question, part.ANSWERS):
            text.show(f"{name}_answer_{answer}")
            text.show(f"{name}_why")
    code.show(lambda: part.script(link, config), f"{better.PAGE}_{name}")
    with st.expander("What to notice"):
        text.show(f"{name}_notice")


st.title(text.title)
text.show("intro")
explore()
