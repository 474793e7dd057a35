"""Training runs on a page: open one, and keep it in step with the controls."""

import dataclasses
from collections.abc import Callable
from typing import Any

import streamlit as st

from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.runtime import watched
from iwae_core.runtime.live import LiveRun
from iwae_core.training import LIVE_FIELDS, TrainConfig


def watch(
    config: TrainConfig | None,
    open_run: Callable[[TrainConfig], LiveRun] = watched.open_run,
) -> LiveRun | None:
    """The session's run, brought to these settings.

    Live fields change the run while it goes on; any other field begins another run.

    Args:
        config: What the controls ask for; None leaves the run that there is as it is.
        open_run: How another run is begun.

    Returns:
        The run, or None after saying on the page why there can be none.
    """
    held = st.session_state.get("runs.held")
    run = watched.find(held) if held else None
    if config is None:
        return run
    if run is None or _shape(run.config) != _shape(config):
        if held:
            watched.close(held)
        try:
            run = open_run(config)
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
