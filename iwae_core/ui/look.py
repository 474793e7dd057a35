"""What every page wears: large targets, and nothing wider than a phone."""

import streamlit as st

from iwae_core.places import ASSETS


def apply() -> None:
    """Add the app's style sheet to the page."""
    st.html(ASSETS / "components" / "lab.css")
