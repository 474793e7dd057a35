"""The player of a training run: its live picture and the buttons that drive it."""

from functools import cache
from typing import Any

import streamlit as st

from iwae_core.runtime.live import LiveRun
from iwae_core.ui import static

NAME = "iwae_lab_train"

_LOADER = """
export default async function (component) {
  const module = await import(new URL("%s", document.baseURI).href);
  return module.default(component);
}
"""


def show(run: LiveRun, *, title: str) -> None:
    """Draw the run and let a person drive it.

    Args:
        run: What is shown.
        title: Name of the trained objective, for the legend.
    """
    _transport(run)
    _picture(run, title=title)


def _transport(run: LiveRun) -> None:
    """Play or pause, step, and reset."""
    playing = run.status().mode == "playing"
    row = st.container(horizontal=True, vertical_alignment="center")
    with row:
        if playing:
            st.button("Pause", on_click=run.pause, icon=":material/pause:", type="primary")
        else:
            st.button("Play", on_click=run.play, icon=":material/play_arrow:", type="primary")
        st.button("Step", on_click=run.step, icon=":material/skip_next:", help="One update.")
        st.button(
            "Start over",
            on_click=run.reset,
            icon=":material/restart_alt:",
            help="Back to step 0 with the same seed: the same run again.",
        )


@cache
def _component() -> Any:
    return st.components.v2.component(
        NAME, js=_LOADER % static.url("train.js"), isolate_styles=False
    )


def _picture(run: LiveRun, *, title: str) -> None:
    """The live picture; its frames come by the route, not by reruns."""
    _component()(key="runs.picture", data={"run_id": run.run_id, "objective_title": title})
