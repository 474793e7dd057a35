"""What the training page is made of: its fields, the run they ask for, and the script."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import streamlit as st

from iwae_core import datasets
from iwae_core.training import TrainConfig
from iwae_core.ui import (
    code,
    first_steps,
    predict,
    training_config,
    training_data,
    training_limits,
)
from iwae_core.ui import training_fields as fields
from iwae_core.ui.url import Link

GUESSES = {"one": "Dashed, L₁", "many": "Solid, L₆₄", "both": "Both alike"}
GUESS = predict.answer_field(*GUESSES, name="guess")
FIELDS = (*fields.FIELDS, GUESS, first_steps.OPENS)

# Constants of the script; what else differs from the defaults stands in its MORE.
_CONSTANTS = {
    "dataset": "DATASET",
    "objective": "OBJECTIVE",
    "estimator": "ESTIMATOR",
    "n_samples": "K",
    "latent_dim": "LATENT_DIM",
    "hidden": "HIDDEN",
    "learning_rate": "LEARNING_RATE",
    "batch_size": "BATCH_SIZE",
    "seed": "SEED",
}


def wanted(link: Link) -> TrainConfig | None:
    """The run that the controls ask for, or None after saying why there is none.

    A combination that the mathematics forbids leaves the page's run as it was.
    """
    values = {field.name: link.value(field) for field in fields.FIELDS}
    if not training_data.is_here(values):
        return None  # the panel of the data has said what is missing
    try:
        config = training_config.to_config(values)
        training_limits.check(config)
    except ValueError as fault:
        st.warning(
            f"These settings do not go together: {fault}. What runs stays as it was.",
            icon=":material/link_off:",
        )
        return None
    if note := training_limits.note(config):
        st.info(note, icon=":material/hourglass_bottom:")
    return config


def adopt(link: Link, config: TrainConfig) -> None:
    """Set every control to a run's settings, from a widget's callback.

    Raises:
        ValueError: If the page has no controls for some of them; nothing is set then.
    """
    by_name = {field.name: field for field in fields.FIELDS}
    for name, value in training_config.from_config(config).items():
        link.set(by_name[name], value)


def script(config: TrainConfig) -> str:
    """The page's run as a script: the same settings, the same seed, the same numbers."""
    settings: Mapping[str, Any] = {
        field.name: getattr(config, field.name) for field in dataclasses.fields(config)
    }
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    constants = {constant: settings[name] for name, constant in _CONSTANTS.items()}
    more = {
        name: value
        for name, value in settings.items()
        if name not in _CONSTANTS and value != defaults[name]
    }
    return code.fill(code.template("train"), **constants, MORE=more)


def dataset_names() -> Mapping[str, str]:
    """What the choice of data reads."""
    names = {name: spec.title for name, spec in datasets.DATASETS.items()}
    return names | {fields.DRAWN: "Draw your own points", fields.UPLOAD: "Upload a CSV file"}
