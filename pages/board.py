"""Lesson: train with one K, measure with another, and compare by one ruler only."""

import streamlit as st

from iwae_core.ui import board, board_picture, code, controls, lesson, predict, scenes
from iwae_core.ui.url import Link

text = lesson.load(board.PAGE)


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link(board.PAGE, *board.FIELDS, defaults=board.defaults)
    with predict.box():
        if answer := predict.ask(link, board.ANSWER, text.parts["question"], board.ANSWERS):
            text.show(f"answer_{answer}")
            predict.point()
    left, middle, right = st.columns(3)
    with left:
        scenes.choose(link, board.SETTINGS, board.SCENES, tells=board.predicted(link))
    with middle:
        board.kind_control(link)
    with right:
        if board.config(link).on_oracle:
            controls.choice(link, board.VIEW, "Cells show", names=board.VIEWS)
    with st.expander("More"):
        left, right = st.columns(2)
        with left:
            board.steps_control(link)
        with right:
            controls.slider(link, board.N_SEEDS, "Trainings behind each row", unit="seeds")
        controls.seed(link, board.SEED)
    board_picture.picture(link)
    if answer:
        with predict.reason():
            text.show("why", **board_picture.why_numbers())
    code.show(lambda: board_picture.script_of(link), board.PAGE)
    with st.expander("What to notice"):
        text.show("notice")


st.title(text.title)
text.show("intro")
explore()
