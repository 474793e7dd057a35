"""Ways in: links from the home page to the lessons, for three kinds of reader."""

import streamlit as st

from iwae_core.ui.lessons import LESSONS

# Lesson, label, icon and the query that sets the scene.
_Way = tuple[str, str, str, dict[str, str]]
_START: _Way = ("borrowed_samples", "Start with borrowed samples", ":material/arrow_forward:", {})
_WAYS: dict[str, tuple[_Way, ...]] = {
    "student": (
        ("borrowed_samples", "Borrowed samples", ":material/balance:", {}),
        ("elbo_to_iwae", "From ELBO to IWAE", ":material/stacked_line_chart:", {}),
        ("train", "Train a VAE and an IWAE", ":material/play_circle:", {}),
    ),
    "teacher": (
        (
            "borrowed_samples",
            "Weights that fail: q too narrow",
            ":material/warning:",
            {"loc": "1", "scale": "0.5", "f": "z_squared"},
        ),
        (
            "elbo_to_iwae",
            "A perfect q: no gap at any K",
            ":material/check_circle:",
            {"part": "curve", "shift": "0"},
        ),
    ),
    "researcher": (
        (
            "elbo_to_iwae",
            "The best factorized q, K = 64",
            ":material/functions:",
            {"part": "curve", "K": "64", "shift": "0", "correlated": "0"},
        ),
        ("train", "Train, with K up to 128", ":material/play_circle:", {}),
    ),
}
READERS = tuple(_WAYS)


def links(reader: str) -> None:
    """Place one reader's links; a lesson that is not written yet has none."""
    for way in _WAYS[reader]:
        _place(way)


def start() -> None:
    """Place the one link for those who just want to begin."""
    _place(_START)


def _place(way: _Way) -> None:
    name, label, icon, query = way
    if any(lesson.name == name for lesson in LESSONS):
        st.page_link(f"{name}.py", label=label, icon=icon, query_params=query, width="stretch")
