"""The heavy layers of the bound's curve: shipped for the scenes, else worked out when asked."""

import streamlit as st

from iwae_core.evaluation.studies import layers
from iwae_core.evaluation.studies.layers import LayersConfig, LayersReport
from iwae_core.ui import jobs


def known(config: LayersConfig) -> LayersReport | None:
    """The report, if it was shipped or has been worked out."""
    shipped = jobs.of_scene(LayersReport, "layers", layers.SCENES, config)
    return shipped or jobs.ready(_study(config))


def offer(config: LayersConfig) -> None:
    """Place the button that asks for the layers, or their progress with a way to stop."""
    if not known(config) and jobs.result(
        _study(config),
        ask="Work out the layers for this q",
        help="Exact curves to K = 10,000, the upper bound, jackknife and Renyi, with "
        f"{layers.N_REPEATS} repeats: some ten seconds in a worker process. Scenes have them.",
    ):
        st.rerun()  # it has just arrived, and the picture stands above


def _study(config: LayersConfig) -> jobs.Study:
    return jobs.Study(
        kind="layers",
        work=layers.batch,
        args=(config,),
        parts=layers.STARTS,
        gather=layers.report,
        label="Layers",
        seconds=10.0,
    )
