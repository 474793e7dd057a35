"""Reference: the smallest VAE and the smallest IWAE in code, and what each gives."""

import streamlit as st

from iwae_core.ui import lesson, models_table, predict, scenes, side_by_side, terms
from iwae_core.ui.url import Link

text = lesson.load("side_by_side")
terms.style()
st.title(text.title)
link = Link(side_by_side.PAGE, *side_by_side.FIELDS)
asked = side_by_side.config(link)
text.show_with("intro", side_by_side.counts(asked))
side_by_side.scripts(asked)
text.show("run")
with predict.box():
    if answer := predict.ask(
        link, side_by_side.ANSWER, text.parts["question"], side_by_side.ANSWERS
    ):
        text.show(f"answer_{answer}")
        predict.point()
main, side = st.columns([2.7, 1], gap="medium")
with side:
    scenes.choose(link, side_by_side.SETTINGS, side_by_side.SCENES)
    side_by_side.run_controls(link)
with main:
    side_by_side.result(link)
if answer:
    with predict.reason():
        text.show("why")
text.show("table")
models_table.show()
