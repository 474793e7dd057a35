"""The studies behind the lessons, computed once for each config and kept.

Configs are frozen and hashed by value. Reports are shared between sessions, not copied: nobody
writes to one, and a figure built from a kept report is kept with it (``ui.charts``).
"""

import streamlit as st

from iwae_core.evaluation.studies import tightness as _tightness
from iwae_core.evaluation.studies import weighting as _weighting
from iwae_core.evaluation.studies.tightness import RunsReport, TightnessConfig, TightnessReport
from iwae_core.evaluation.studies.weighting import (
    GhostReport,
    WeightingConfig,
    WeightingReport,
)


@st.cache_resource(max_entries=64, show_spinner=False)
def weighting(config: WeightingConfig) -> WeightingReport:
    """One run of importance sampling on the line."""
    return _weighting.run(config)


@st.cache_resource(max_entries=16, show_spinner=False)
def ghosts(config: WeightingConfig) -> GhostReport:
    """The same run many times with other noise."""
    return _weighting.ghosts(config)


@st.cache_resource(max_entries=64, show_spinner=False)
def tightness(config: TightnessConfig) -> TightnessReport:
    """The bound against K."""
    return _tightness.run(config)


@st.cache_resource(max_entries=256, show_spinner=False)
def runs_at(config: TightnessConfig, n_samples: int) -> RunsReport:
    """The single runs of the bound at one K."""
    return _tightness.runs_at(config, n_samples)
