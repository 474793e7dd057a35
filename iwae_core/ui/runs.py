"""Training runs on a page: open one, keep it in step with the controls, drive it, show it."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st

from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.runtime import watched
from iwae_core.runtime.live import LiveRun
from iwae_core.training import LIVE_FIELDS, TrainConfig
from iwae_core.ui import static

NAME = "iwae_lab_train"

# What a learner chooses between: the objective, and how its gradient is taken.
METHODS: Mapping[str, tuple[str, str]] = {
    "vae": ("elbo", "closed_form_kl"),
    "elbo": ("elbo", "reparameterized"),
    "iwae": ("iwae", "reparameterized"),
    "dreg": ("iwae", "doubly_reparameterized"),
    "stl": ("iwae", "stick_the_landing"),
    "rws": ("iwae", "wake_sleep"),
    "ciwae": ("ciwae", "reparameterized"),
    "renyi": ("renyi", "reparameterized"),
}
METHOD_NAMES: Mapping[str, str] = {
    "vae": "VAE: ELBO, closed-form KL",
    "elbo": "ELBO, Monte Carlo KL",
    "iwae": "IWAE",
    "dreg": "IWAE, doubly reparameterized encoder gradient",
    "stl": "IWAE, sticking the landing",
    "rws": "Reweighted wake-sleep",
    "ciwae": "CIWAE: half ELBO, half IWAE",
    "renyi": "Renyi bound, alpha = 0.5",
}

_LOADER = """
export default async function (component) {
  const module = await import(new URL("%s", document.baseURI).href);
  return module.default(component);
}
"""


def watch(config: TrainConfig) -> LiveRun | None:
    """The session's run, brought to these settings.

    Live fields change the run while it goes on; any other field begins another run.

    Returns:
        The run, or None after saying on the page why there can be none.
    """
    held = st.session_state.get("runs.held")
    run = watched.find(held) if held else None
    if run is None or _shape(run.config) != _shape(config):
        if held:
            watched.close(held)
        try:
            run = watched.open_run(config)
        except ValueError as fault:
            st.error(str(fault), icon=":material/block:")
            return None
        st.session_state["runs.held"] = run.run_id
        return run
    changes = {
        name: getattr(config, name)
        for name in LIVE_FIELDS
        if getattr(run.config, name) != getattr(config, name)
    }
    if changes:
        run.change(**changes)
    return run


def _shape(config: TrainConfig) -> dict[str, Any]:
    """What makes two runs different runs."""
    return {k: v for k, v in dataclasses.asdict(config).items() if k not in LIVE_FIELDS}


def transport(run: LiveRun) -> None:
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


def picture(run: LiveRun, *, title: str) -> None:
    """The live picture; its frames come by the route, not by reruns."""
    _component()(key="runs.picture", data={"run_id": run.run_id, "objective_title": title})


def objective_title(config: TrainConfig) -> str:
    """Name of the trained objective, with its K."""
    return f"{OBJECTIVES[config.objective].title}, K = {config.n_samples}"
