"""From the values of the training page's fields to the run they describe, and back.

The way back lets the page be set to a run that was kept, forked or made elsewhere.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from iwae_core import datasets
from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.datasets import drawn, uploads
from iwae_core.training import TrainConfig
from iwae_core.ui import training_fields as fields
from iwae_core.ui.fields import FloatField, IntField

Values = Mapping[str, Any]  # by the names of the fields

# The field of the one number that an objective has.
_SETTINGS: Mapping[str, FloatField | IntField] = {
    "ciwae": fields.SHARE,
    "miwae": fields.GROUPS,
    "renyi": fields.ALPHA,
}


def dataset_of(values: Values) -> str:
    """Name of the data set; ``upload.`` alone while no table is named."""
    chosen: str = values[fields.DATASET.name]
    if chosen == fields.DRAWN:
        return drawn.PREFIX + str(values[fields.POINTS.name])
    if chosen == fields.UPLOAD:
        return uploads.PREFIX + str(values[fields.TABLE.name])
    return chosen


def to_config(values: Values) -> TrainConfig:
    """The run that the fields' values describe.

    Raises:
        ValueError: If they do not go together; all faults at once.
    """
    method = values[fields.METHOD.name]
    objective, tied = fields.METHODS[method]
    setting = _SETTINGS.get(objective)
    rule = values[fields.KL_RULE.name] if method == "vae" else "none"
    decays = values[fields.RATE_SCHEDULE.name] == "burda"
    width = _width(values)
    two_layers = values[fields.LAYERS.name] == "2"
    fixed_noise = values[fields.LIKELIHOOD.name] == "fixed"
    return TrainConfig(
        dataset=dataset_of(values),
        objective=objective,
        objective_setting=None if setting is None else float(values[setting.name]),
        estimator=tied or fields.GRADIENTS[values[fields.GRADIENT.name]],
        n_samples=values[fields.N_SAMPLES.name],
        backward="exact" if method == "vae" else values[fields.BACKWARD_WAY.name],
        backward_epsilon=values[fields.EPSILON.name],
        backward_picks=values[fields.PICKS.name],
        latent_dim=values[fields.LATENT_DIM.name],
        second_latent_dim=values[fields.SECOND_DIM.name] if two_layers else None,
        hidden=(width,) * values[fields.DEPTH.name],
        **(
            {"second_hidden": (max(1, width // 2),) * values[fields.DEPTH.name]}
            if two_layers
            else {}
        ),
        activation=values[fields.ACTIVATION.name],
        likelihood="gaussian" if fixed_noise else values[fields.LIKELIHOOD.name],
        likelihood_scale=values[fields.NOISE.name] if fixed_noise else None,
        decoder=values[fields.DECODER.name],
        learning_rate=values[fields.LEARNING_RATE.name],
        rate_schedule=values[fields.RATE_SCHEDULE.name],
        rate_stretch=values[fields.STRETCH.name] if decays else 1.0,
        batch_size=values[fields.BATCH_SIZE.name],
        beta=values[fields.BETA.name],
        kl_schedule=values[fields.KL_SCHEDULE.name],
        kl_steps=values[fields.KL_STEPS.name],
        kl_ramp=values[fields.KL_RAMP.name],
        free_bits=values[fields.FREE_BITS.name] if rule == "free" else 0.0,
        target_rate=values[fields.TARGET_RATE.name] if rule == "rate" else None,
        patience=values[fields.PATIENCE.name] or None,
        seed=values[fields.SEED.name],
    )


def from_config(config: TrainConfig) -> dict[str, Any]:
    """The fields' values that describe a run.

    Raises:
        ValueError: If the page has no controls for some of its settings; names them.
    """
    entry = OBJECTIVES[config.objective]
    if entry.setting and config.objective_setting is None:
        config = dataclasses.replace(config, objective_setting=entry.default)
    values: dict[str, Any] = {field.name: field.default for field in fields.FIELDS}
    values |= _data_and_objective(config)
    values |= _model(config)
    values |= {
        fields.BACKWARD_WAY.name: config.backward,
        fields.EPSILON.name: config.backward_epsilon,
        fields.PICKS.name: config.backward_picks,
        fields.LEARNING_RATE.name: config.learning_rate,
        fields.RATE_SCHEDULE.name: config.rate_schedule,
        fields.BATCH_SIZE.name: config.batch_size,
        fields.BETA.name: config.beta,
        fields.KL_SCHEDULE.name: config.kl_schedule,
        fields.KL_STEPS.name: config.kl_steps,
        fields.KL_RAMP.name: config.kl_ramp,
        fields.PATIENCE.name: config.patience or 0,
        fields.SEED.name: config.seed,
    }
    if config.rate_schedule == "burda":
        values[fields.STRETCH.name] = config.rate_stretch
    if config.free_bits:
        values |= {fields.KL_RULE.name: "free", fields.FREE_BITS.name: config.free_bits}
    if config.target_rate is not None:
        values |= {fields.KL_RULE.name: "rate", fields.TARGET_RATE.name: config.target_rate}
    for field in fields.FIELDS:
        try:
            field.parse(field.write(values[field.name]))
        except ValueError as fault:
            raise ValueError(
                f"this page has no control for {field.name}, which {fault}"
            ) from fault
    again = to_config(values)
    lost = [name for name, value in config.to_json().items() if again.to_json()[name] != value]
    if lost:
        raise ValueError(f"this page has no control for {', '.join(lost)} as in this run")
    return values


def _data_and_objective(config: TrainConfig) -> dict[str, Any]:
    values: dict[str, Any] = {fields.DATASET.name: config.dataset}
    for prefix, chosen, word in (
        (drawn.PREFIX, fields.DRAWN, fields.POINTS),
        (uploads.PREFIX, fields.UPLOAD, fields.TABLE),
    ):
        if config.dataset.startswith(prefix):
            values |= {fields.DATASET.name: chosen, word.name: config.dataset.removeprefix(prefix)}
    tied = {
        (objective, estimator): name for name, (objective, estimator) in fields.METHODS.items()
    }
    method = tied.get((config.objective, config.estimator)) or config.objective
    values |= {fields.METHOD.name: method, fields.N_SAMPLES.name: config.n_samples}
    by_estimator = {estimator: name for name, estimator in fields.GRADIENTS.items()}
    if config.estimator in by_estimator:
        values[fields.GRADIENT.name] = by_estimator[config.estimator]
    setting = _SETTINGS.get(config.objective)
    if setting is not None and config.objective_setting is not None:
        values[setting.name] = type(setting.default)(config.objective_setting)
    return values


def _model(config: TrainConfig) -> dict[str, Any]:
    values: dict[str, Any] = {
        fields.LATENT_DIM.name: config.latent_dim,
        fields.DEPTH.name: len(config.hidden),
        fields.ACTIVATION.name: config.activation,
        fields.LIKELIHOOD.name: config.likelihood,
        fields.DECODER.name: config.decoder,
    }
    if config.hidden[0] != _auto_width(config.dataset):
        values[fields.WIDTH.name] = str(config.hidden[0])
    if config.second_latent_dim is not None:
        values |= {fields.LAYERS.name: "2", fields.SECOND_DIM.name: config.second_latent_dim}
    if config.likelihood_scale is not None:
        values |= {fields.LIKELIHOOD.name: "fixed", fields.NOISE.name: config.likelihood_scale}
    return values


def _width(values: Values) -> int:
    chosen = values[fields.WIDTH.name]
    return _auto_width(dataset_of(values)) if chosen == "auto" else int(chosen)


def _auto_width(dataset: str) -> int:
    """Burda's width for 784 pixels; small data need less, and train faster on a shared server."""
    return 200 if "mnist" in dataset and dataset in datasets.DATASETS else 100
