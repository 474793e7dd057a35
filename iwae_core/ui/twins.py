"""The page *Twins*: two settings, what they share, and the presets worth comparing."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from iwae_core import datasets
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.runtime.twin_trials import TrialsConfig
from iwae_core.training import TrainConfig
from iwae_core.ui import code, controls, first_steps, predict
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField, SeedField, StopField
from iwae_core.ui.url import Link

PAGE = "twins"
# What is compared: the objective, how its gradient is taken, and what people call it.
METHODS: Mapping[str, tuple[str, str, str]] = {
    "vae": ("elbo", "closed_form_kl", "VAE: ELBO, closed-form KL"),
    "elbo": ("elbo", "reparameterized", "ELBO, Monte Carlo KL"),
    "iwae": ("iwae", "reparameterized", "IWAE"),
    "dreg": ("iwae", "doubly_reparameterized", "IWAE, doubly reparameterized gradient"),
    "stl": ("iwae", "stick_the_landing", "IWAE, sticking the landing"),
    "rws": ("iwae", "wake_sleep", "Reweighted wake-sleep"),
    "ciwae": ("ciwae", "reparameterized", "CIWAE: half ELBO, half IWAE"),
    "renyi": ("renyi", "reparameterized", "Renyi bound, alpha = 0.5"),
}
METHOD_NAMES = {name: title for name, (_, _, title) in METHODS.items()}

DATASET = ChoiceField(name="data", default="digits", choices=tuple(datasets.DATASETS))
LATENT_DIM = IntField(name="latents", default=16, low=1, high=64)
LEARNING_RATE = FloatField(name="rate", default=0.002, low=0.0001, high=0.1)
BATCH_SIZE = IntField(name="batch", default=100, low=10, high=500)
SEED = SeedField()
METHOD_A = ChoiceField(name="a", default="vae", choices=tuple(METHODS))
N_SAMPLES_A = IntField(name="a_K", default=1, low=1, high=128)
BETA_A = FloatField(name="a_beta", default=1.0, low=0.0, high=10.0)
METHOD_B = ChoiceField(name="b", default="iwae", choices=tuple(METHODS))
N_SAMPLES_B = IntField(name="K", default=5, low=1, high=128)
BETA_B = FloatField(name="b_beta", default=1.0, low=0.0, high=10.0)
N_STEPS = StopField(name="steps", default=2000, stops=(200, 500, 1000, 2000, 4000))
N_SEEDS = IntField(name="seeds", default=5, low=1, high=5)
ANSWERS = {"a": "A, the VAE", "b": "B, the IWAE", "same": "Neither"}
ANSWER_ONE = predict.answer_field(*ANSWERS, name="answer_one")
ANSWER_MANY = predict.answer_field(*ANSWERS, name="answer_many")
FIELDS: tuple[Field[Any], ...] = (
    *(DATASET, METHOD_A, N_SAMPLES_A, BETA_A, METHOD_B, N_SAMPLES_B, BETA_B),
    *(LATENT_DIM, LEARNING_RATE, BATCH_SIZE, SEED, N_STEPS, N_SEEDS, ANSWER_ONE, ANSWER_MANY),
    first_steps.OPENS,
)
SETTINGS: dict[str, Field[Any]] = {
    "a": METHOD_A,
    "a_K": N_SAMPLES_A,
    "a_beta": BETA_A,
    "b": METHOD_B,
    "K": N_SAMPLES_B,
    "b_beta": BETA_B,
    "latents": LATENT_DIM,
}
SCENES = {
    "vae_iwae": Scene(
        title="VAE against IWAE",
        why="The usual pair. B's objective asks for one good sample among five, so its encoder "
        "may spread: a single sample then explains less, and the model explains more.",
        settings=(
            *(("a", "vae"), ("a_K", 1), ("a_beta", 1.0)),
            *(("b", "iwae"), ("K", 5), ("b_beta", 1.0), ("latents", 16)),
        ),
    ),
    "more_samples": Scene(
        title="IWAE, 5 against 50 samples",
        why="Ten times the work. The bound is tighter still, and the encoder's own gradient "
        "drowns in noise: its single samples get much worse.",
        settings=(
            *(("a", "iwae"), ("a_K", 5), ("a_beta", 1.0)),
            *(("b", "iwae"), ("K", 50), ("b_beta", 1.0), ("latents", 16)),
        ),
    ),
    "estimator": Scene(
        title="One bound, two gradients",
        why="Both maximize the bound of five samples. B's gradient for the encoder is doubly "
        "reparameterized: the same mean, less noise. What differs is the noise alone.",
        settings=(
            *(("a", "iwae"), ("a_K", 5), ("a_beta", 1.0)),
            *(("b", "dreg"), ("K", 5), ("b_beta", 1.0), ("latents", 16)),
        ),
    ),
    "beta": Scene(
        title="A cheaper KL",
        why="With beta = 0.25 the KL costs a fourth: the latents say more about the digit, and "
        "the model of the digits gets worse, by either ruler.",
        settings=(
            *(("a", "vae"), ("a_K", 1), ("a_beta", 1.0)),
            *(("b", "vae"), ("K", 1), ("b_beta", 0.25), ("latents", 16)),
        ),
    ),
    "kl": Scene(
        title="One bound, two ways to its KL",
        why="A takes the KL in closed form, B from the sample: the same bound, and a noisier "
        "gradient. By L_5000 it costs B less than a tenth of a nat, at every seed; in most other "
        "rows no difference is seen.",
        settings=(
            *(("a", "vae"), ("a_K", 1), ("a_beta", 1.0)),
            *(("b", "elbo"), ("K", 1), ("b_beta", 1.0), ("latents", 16)),
        ),
    ),
}
SHIPPED = ("vae_iwae", "beta", "kl")  # whose trials are in assets; the others run when asked
# Burda's widths for 784 pixels; small data need less, and train faster on a shared server.
_WIDE, _NARROW = (200, 200), (100, 100)


def more_controls(link: Link) -> None:
    """Both settings, what they share, and how often they are measured."""
    left, right = st.columns(2)
    with left:
        controls.choice(link, METHOD_A, "A: objective", names=METHOD_NAMES)
        controls.log_slider(link, N_SAMPLES_A, "K of A", unit="samples per datapoint")
        controls.number(link, BETA_A, "A: beta, the price of the KL", step=0.25)
    with right:
        controls.choice(link, METHOD_B, "B: objective", names=METHOD_NAMES)
        controls.number(link, BETA_B, "B: beta, the price of the KL", step=0.25)
        controls.log_slider(link, LATENT_DIM, "Latents of both")
    left, right = st.columns(2)
    with left:
        controls.log_slider(link, LEARNING_RATE, "Learning rate of both")
        controls.log_slider(link, BATCH_SIZE, "Batch of both", unit="datapoints")
    with right:
        value = st.select_slider("Measured after (updates)", N_STEPS.stops, key=link.key(N_STEPS))
        link.accept(N_STEPS, value)
        controls.slider(link, N_SEEDS, "Measured at", unit="seeds")
    controls.seed(link, SEED)
    first_steps.control(link)


def dataset_names() -> Mapping[str, str]:
    """What the choice of data reads."""
    return {name: spec.title for name, spec in datasets.DATASETS.items()}


def predicted(link: Link) -> bool:
    """Whether the reader has answered both questions."""
    return predict.OPEN not in (link.value(ANSWER_ONE), link.value(ANSWER_MANY))


def configs(link: Link) -> tuple[TrainConfig, TrainConfig]:
    """Both settings that the controls describe."""
    values = {field.name: link.value(field) for field in FIELDS}
    return config(values, "A"), config(values, "B")


def config(values: Mapping[str, Any], side: str) -> TrainConfig:
    """One setting, from the values of all fields by their names."""
    method, n_samples, beta = ("a", "a_K", "a_beta") if side == "A" else ("b", "K", "b_beta")
    objective, estimator, _ = METHODS[values[method]]
    return TrainConfig(
        dataset=values["data"],
        objective=objective,
        estimator=estimator,
        n_samples=values[n_samples],
        beta=values[beta],
        latent_dim=values["latents"],
        hidden=_WIDE if "mnist" in values["data"] else _NARROW,
        learning_rate=values["rate"],
        batch_size=values["batch"],
        seed=values["seed"],
    )


def adopt(link: Link, first: TrainConfig, second: TrainConfig) -> None:
    """Set every control to a pair's settings, from a widget's callback.

    Raises:
        ValueError: If the page has no controls for some of them; nothing is set then.
    """
    by_way = {(objective, estimator): name for name, (objective, estimator, _) in METHODS.items()}
    values: dict[str, Any] = {
        DATASET.name: first.dataset,
        LATENT_DIM.name: first.latent_dim,
        LEARNING_RATE.name: first.learning_rate,
        BATCH_SIZE.name: first.batch_size,
        SEED.name: first.seed,
    }
    for side, method, n_samples, beta in (
        (first, METHOD_A, N_SAMPLES_A, BETA_A),
        (second, METHOD_B, N_SAMPLES_B, BETA_B),
    ):
        values[method.name] = by_way.get((side.objective, side.estimator))
        values |= {n_samples.name: side.n_samples, beta.name: side.beta}
    fields = {field.name: field for field in FIELDS}
    whole = {name: field.default for name, field in fields.items()} | values
    if None in values.values() or (config(whole, "A"), config(whole, "B")) != (first, second):
        raise ValueError("this page has no controls for the settings of this pair")
    for name, value in values.items():
        link.set(fields[name], value)


def trials(link: Link) -> TrialsConfig:
    """The trials that the controls describe."""
    first, second = configs(link)
    return TrialsConfig(
        first=first, second=second, n_steps=link.value(N_STEPS), n_seeds=link.value(N_SEEDS)
    )


def scene_trials(name: str) -> TrialsConfig:
    """The trials of a scene, all else at its default."""
    values = {field.name: field.default for field in FIELDS} | dict(SCENES[name].settings)
    return TrialsConfig(
        first=config(values, "A"),
        second=config(values, "B"),
        n_steps=N_STEPS.default,
        n_seeds=N_SEEDS.default,
    )


def fill(template: str, first: TrainConfig, second: TrainConfig, **more: int) -> str:
    """A script about both settings, with their values in it."""
    return code.fill(
        code.template(template),
        DATASET=first.dataset,
        A=(first.objective, first.estimator, first.n_samples, first.beta),
        B=(second.objective, second.estimator, second.n_samples, second.beta),
        LATENT_DIM=first.latent_dim,
        HIDDEN=first.hidden,
        LEARNING_RATE=first.learning_rate,
        BATCH_SIZE=first.batch_size,
        SEED=first.seed,
        **more,
    )
