"""IWAE Lab: `streamlit run app.py`, `make app` or `iwae-lab` serve this application."""

import streamlit as st

from iwae_core.ui import server

app = st.App(
    "pages/registry.py",
    routes=server.routes(),
    middleware=server.middleware(),
    lifespan=server.lifespan,
)
