"""Lesson: train a VAE or an IWAE on real digits, live, and change K while it runs."""

import streamlit as st

from iwae_core.ui import code, controls, lesson, player, runs, training
from iwae_core.ui.url import Link

text = lesson.load("train")


@st.fragment
def explore() -> None:
    """Everything that a control moves; the prose around it stays."""
    link = Link("train", *training.FIELDS)
    left, middle, right = st.columns(3)
    with left:
        controls.choice(link, training.DATASET, "Data", names=training.dataset_names())
    with middle:
        controls.choice(link, training.METHOD, "Objective", names=runs.METHOD_NAMES)
    with right:
        controls.log_slider(link, training.N_SAMPLES, "K", unit="samples per datapoint")
    with st.expander("More"):
        left, middle, right = st.columns(3)
        with left:
            controls.log_slider(
                link, training.LATENT_DIM, "Latent size", help=text.parts["latent"]
            )
        with middle:
            controls.log_slider(link, training.LEARNING_RATE, "Learning rate")
        with right:
            controls.log_slider(link, training.BATCH_SIZE, "Batch", unit="datapoints")
        controls.seed(link, training.SEED)

    config = training.config(link)
    run = runs.watch(config)
    if run is not None:
        player.show(run, title=runs.objective_title(config))
    guess = controls.choice(link, training.GUESS, text.parts["ask"], names=training.GUESSES)
    if guess != "none":
        text.show(f"guess_{guess}")
        text.show("notice")
    code.show(lambda: training.script(config), "train")


st.title(text.title)
text.show("intro")
explore()
with st.expander("What the pictures show"):
    text.show("pictures")
