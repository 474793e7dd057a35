"""Training runs on a page: open one, and keep it in step with the controls."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import streamlit as st

from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.runtime import watched
from iwae_core.runtime.live import LiveRun
from iwae_core.training import LIVE_FIELDS, TrainConfig

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


def objective_title(config: TrainConfig) -> str:
    """Name of the trained objective, with its K."""
    return f"{OBJECTIVES[config.objective].title}, K = {config.n_samples}"
