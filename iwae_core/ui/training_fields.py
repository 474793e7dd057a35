"""The controls of the training page as fields of its address, and the run they describe.

:func:`to_config` turns the fields' values into a run's configuration and :func:`from_config` turns
it back, so that a page can also be set to a run that was kept or forked.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from iwae_core import datasets
from iwae_core.bounds.backward import BACKWARD
from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.datasets import drawn, uploads
from iwae_core.models.model import DECODERS
from iwae_core.models.networks import ACTIVATIONS
from iwae_core.training import TrainConfig
from iwae_core.training.schedule import KL_SCHEDULES, RATE_SCHEDULES
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField, SeedField

DRAWN, UPLOAD = "drawn", "upload"

# What a learner chooses between: the objective, and the one gradient it may be tied to.
METHODS: Mapping[str, tuple[str, str | None]] = {
    "vae": ("elbo", "closed_form_kl"),
    "elbo": ("elbo", None),
    "iwae": ("iwae", None),
    "ciwae": ("ciwae", None),
    "miwae": ("miwae", None),
    "piwae": ("miwae", "piwae"),
    "renyi": ("renyi", None),
}
GRADIENTS: Mapping[str, str] = {
    "plain": "reparameterized",
    "stl": "stick_the_landing",
    "dreg": "doubly_reparameterized",
    "rws": "wake_sleep",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WordField:
    """A word that carries data, such as a drawing; ``check`` says why it does not."""

    name: str
    default: str
    check: Callable[[str], object]

    def parse(self, text: str) -> str:
        """Read the word."""
        try:
            self.check(text)
        except ValueError as fault:
            raise ValueError(f"cannot be read: {fault}") from fault
        return text

    def write(self, value: str) -> str:
        """Write the word itself."""
        return value


def _check_digest(text: str) -> None:
    if text:
        uploads.check_name(uploads.PREFIX + text)


# Where a drawing starts: a spiral of two turns, and a blot beside it.
EXAMPLE = (
    "hkfldmbmZmXkWjVhVfVdVbWZXXZWbVdUfUhUjUlVnWoXqYrasbtdtfthtjtlsnsprrptoumvlwjxhyfydyby"
    "ZyXyVxTwRvQuOsNrMpLoKmJkJiJgJeJcJaJYKWLUMSNROPQORMTLVKXJYJaIcIeIgHiIkImIoJqKsLuMvNxO"
    "yP0R1T2U3W4Y4a5c5e5g6i6k5m5o5J3J5H8H5I7H6F4G3E2H5G5F5H6G4E4D3J1I6G6I7H4G3H4J2F3D8D5G"
)

DATASET = ChoiceField(name="data", default="digits", choices=(*datasets.DATASETS, DRAWN, UPLOAD))
POINTS = WordField(name="points", default=EXAMPLE, check=drawn.decode)
TABLE = WordField(name="table", default="", check=_check_digest)

METHOD = ChoiceField(name="objective", default="iwae", choices=tuple(METHODS))
N_SAMPLES = IntField(name="K", default=5, low=1, high=128)
GRADIENT = ChoiceField(name="gradient", default="plain", choices=tuple(GRADIENTS))
ALPHA = FloatField(name="alpha", default=0.5, low=-2.0, high=2.0)
SHARE = FloatField(name="share", default=0.5, low=0.0, high=1.0)
GROUPS = IntField(name="groups", default=1, low=1, high=128)
BACKWARD_WAY = ChoiceField(name="backward", default="exact", choices=BACKWARD)
EPSILON = FloatField(name="epsilon", default=0.01, low=0.001, high=0.5)
PICKS = IntField(name="picks", default=4, low=1, high=32)
BETA = FloatField(name="beta", default=1.0, low=0.0, high=10.0)
KL_SCHEDULE = ChoiceField(name="warmup", default="constant", choices=tuple(KL_SCHEDULES))
KL_STEPS = IntField(name="warmup_steps", default=1000, low=10, high=20_000)
KL_RAMP = FloatField(name="ramp", default=0.5, low=0.1, high=1.0)
KL_RULE = ChoiceField(name="rule", default="none", choices=("none", "free", "rate"))
FREE_BITS = FloatField(name="free", default=0.5, low=0.05, high=3.0)
TARGET_RATE = FloatField(name="target", default=10.0, low=0.5, high=50.0)

LEARNING_RATE = FloatField(name="rate", default=0.002, low=0.0001, high=0.5)
BATCH_SIZE = IntField(name="batch", default=100, low=10, high=500)
RATE_SCHEDULE = ChoiceField(name="decay", default="constant", choices=tuple(RATE_SCHEDULES))
STRETCH = FloatField(name="stretch", default=0.02, low=0.001, high=1.0)
PATIENCE = IntField(name="patience", default=0, low=0, high=200)  # 0 never stops

LATENT_DIM = IntField(name="latents", default=8, low=1, high=64)
LAYERS = ChoiceField(name="layers", default="1", choices=("1", "2"))
SECOND_DIM = IntField(name="upper", default=4, low=1, high=64)
DEPTH = IntField(name="depth", default=2, low=1, high=4)
WIDTH = ChoiceField(
    name="width", default="auto", choices=("auto", "25", "50", "100", "200", "400")
)
ACTIVATION = ChoiceField(name="activation", default="tanh", choices=tuple(ACTIVATIONS))
LIKELIHOOD = ChoiceField(
    name="likelihood", default="auto", choices=("auto", "bernoulli", "gaussian", "fixed")
)
NOISE = FloatField(name="noise", default=0.1, low=0.01, high=2.0)
DECODER = ChoiceField(name="decoder", default="mlp", choices=DECODERS)
SEED = SeedField()

# Everything that decides a run, in the order of the address.
FIELDS: tuple[Field[Any], ...] = (
    *(DATASET, POINTS, TABLE, METHOD, N_SAMPLES, GRADIENT, ALPHA, SHARE, GROUPS),
    *(BACKWARD_WAY, EPSILON, PICKS, BETA, KL_SCHEDULE, KL_STEPS, KL_RAMP),
    *(KL_RULE, FREE_BITS, TARGET_RATE, LEARNING_RATE, BATCH_SIZE, RATE_SCHEDULE, STRETCH),
    *(PATIENCE, LATENT_DIM, LAYERS, SECOND_DIM, DEPTH, WIDTH, ACTIVATION, LIKELIHOOD, NOISE),
    *(DECODER, SEED),
)

Values = Mapping[str, Any]  # by the names of the fields

# The field of the one number that an objective has.
_SETTINGS: Mapping[str, FloatField | IntField] = {"ciwae": SHARE, "miwae": GROUPS, "renyi": ALPHA}


def dataset_of(values: Values) -> str:
    """Name of the data set; ``upload.`` alone while no table is named."""
    chosen: str = values[DATASET.name]
    if chosen == DRAWN:
        return drawn.PREFIX + str(values[POINTS.name])
    if chosen == UPLOAD:
        return uploads.PREFIX + str(values[TABLE.name])
    return chosen


def to_config(values: Values) -> TrainConfig:
    """The run that the fields' values describe.

    Raises:
        ValueError: If they do not go together; all faults at once.
    """
    method = values[METHOD.name]
    objective, tied = METHODS[method]
    setting = _SETTINGS.get(objective)
    rule = values[KL_RULE.name] if method == "vae" else "none"
    decays = values[RATE_SCHEDULE.name] == "burda"
    width = _width(values)
    two_layers = values[LAYERS.name] == "2"
    fixed_noise = values[LIKELIHOOD.name] == "fixed"
    return TrainConfig(
        dataset=dataset_of(values),
        objective=objective,
        objective_setting=None if setting is None else float(values[setting.name]),
        estimator=tied or GRADIENTS[values[GRADIENT.name]],
        n_samples=values[N_SAMPLES.name],
        backward="exact" if method == "vae" else values[BACKWARD_WAY.name],
        backward_epsilon=values[EPSILON.name],
        backward_picks=values[PICKS.name],
        latent_dim=values[LATENT_DIM.name],
        second_latent_dim=values[SECOND_DIM.name] if two_layers else None,
        hidden=(width,) * values[DEPTH.name],
        **({"second_hidden": (max(1, width // 2),) * values[DEPTH.name]} if two_layers else {}),
        activation=values[ACTIVATION.name],
        likelihood="gaussian" if fixed_noise else values[LIKELIHOOD.name],
        likelihood_scale=values[NOISE.name] if fixed_noise else None,
        decoder=values[DECODER.name],
        learning_rate=values[LEARNING_RATE.name],
        rate_schedule=values[RATE_SCHEDULE.name],
        rate_stretch=values[STRETCH.name] if decays else 1.0,
        batch_size=values[BATCH_SIZE.name],
        beta=values[BETA.name],
        kl_schedule=values[KL_SCHEDULE.name],
        kl_steps=values[KL_STEPS.name],
        kl_ramp=values[KL_RAMP.name],
        free_bits=values[FREE_BITS.name] if rule == "free" else 0.0,
        target_rate=values[TARGET_RATE.name] if rule == "rate" else None,
        patience=values[PATIENCE.name] or None,
        seed=values[SEED.name],
    )


def from_config(config: TrainConfig) -> dict[str, Any]:
    """The fields' values that describe a run.

    Raises:
        ValueError: If the page has no controls for some of its settings; names them.
    """
    entry = OBJECTIVES[config.objective]
    if entry.setting and config.objective_setting is None:
        config = dataclasses.replace(config, objective_setting=entry.default)
    values: dict[str, Any] = {field.name: field.default for field in FIELDS}
    values |= _data_and_objective(config)
    values |= _model(config)
    values |= {
        BACKWARD_WAY.name: config.backward,
        EPSILON.name: config.backward_epsilon,
        PICKS.name: config.backward_picks,
        LEARNING_RATE.name: config.learning_rate,
        RATE_SCHEDULE.name: config.rate_schedule,
        BATCH_SIZE.name: config.batch_size,
        BETA.name: config.beta,
        KL_SCHEDULE.name: config.kl_schedule,
        KL_STEPS.name: config.kl_steps,
        KL_RAMP.name: config.kl_ramp,
        PATIENCE.name: config.patience or 0,
        SEED.name: config.seed,
    }
    if config.rate_schedule == "burda":
        values[STRETCH.name] = config.rate_stretch
    if config.free_bits:
        values |= {KL_RULE.name: "free", FREE_BITS.name: config.free_bits}
    if config.target_rate is not None:
        values |= {KL_RULE.name: "rate", TARGET_RATE.name: config.target_rate}
    for field in FIELDS:
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
    values: dict[str, Any] = {DATASET.name: config.dataset}
    for prefix, chosen, word in ((drawn.PREFIX, DRAWN, POINTS), (uploads.PREFIX, UPLOAD, TABLE)):
        if config.dataset.startswith(prefix):
            values |= {DATASET.name: chosen, word.name: config.dataset.removeprefix(prefix)}
    tied = {(objective, estimator): name for name, (objective, estimator) in METHODS.items()}
    method = tied.get((config.objective, config.estimator)) or config.objective
    values |= {METHOD.name: method, N_SAMPLES.name: config.n_samples}
    by_estimator = {estimator: name for name, estimator in GRADIENTS.items()}
    if config.estimator in by_estimator:
        values[GRADIENT.name] = by_estimator[config.estimator]
    setting = _SETTINGS.get(config.objective)
    if setting is not None and config.objective_setting is not None:
        values[setting.name] = type(setting.default)(config.objective_setting)
    return values


def _model(config: TrainConfig) -> dict[str, Any]:
    values: dict[str, Any] = {
        LATENT_DIM.name: config.latent_dim,
        DEPTH.name: len(config.hidden),
        ACTIVATION.name: config.activation,
        LIKELIHOOD.name: config.likelihood,
        DECODER.name: config.decoder,
    }
    if config.hidden[0] != _auto_width(config.dataset):
        values[WIDTH.name] = str(config.hidden[0])
    if config.second_latent_dim is not None:
        values |= {LAYERS.name: "2", SECOND_DIM.name: config.second_latent_dim}
    if config.likelihood_scale is not None:
        values |= {LIKELIHOOD.name: "fixed", NOISE.name: config.likelihood_scale}
    return values


def _width(values: Values) -> int:
    chosen = values[WIDTH.name]
    return _auto_width(dataset_of(values)) if chosen == "auto" else int(chosen)


def _auto_width(dataset: str) -> int:
    """Burda's width for 784 pixels; small data need less, and train faster on a shared server."""
    return 200 if "mnist" in dataset and dataset in datasets.DATASETS else 100
