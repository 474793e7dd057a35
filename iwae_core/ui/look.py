"""What every page wears: large targets, and nothing wider than a phone."""

import streamlit as st

from iwae_core.places import ASSETS

SIDEBAR = 268  # px; wide enough for the longest title


def apply() -> None:
    """Set the page's frame and add the app's style sheet."""
    # A file of ours: Streamlit would fetch an icon given by name from a font service.
    icon = str(ASSETS / "components" / "icon.svg")
    st.set_page_config(
        page_title="IWAE Lab", page_icon=icon, layout="wide", initial_sidebar_state=SIDEBAR
    )
    st.html(ASSETS / "components" / "lab.css")
