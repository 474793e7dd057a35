"""The page *Train K by test K*: which board, how it is read, and the scenes worth a look."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from iwae_core.evaluation.studies.scene import Scene
from iwae_core.runtime.board import KINDS, TRAIN_K, BoardConfig
from iwae_core.ui import predict, scenes
from iwae_core.ui.fields import ChoiceField, Field, IntField, SeedField, StopField
from iwae_core.ui.url import Link

PAGE = "board"
START = BoardConfig()
_MOST_COLUMNS = 7

KIND = ChoiceField(name="data", default=START.kind, choices=tuple(KINDS))
VIEWS = {"gap": "Nats below the truth", "nats": "Nats"}
VIEW = ChoiceField(name="show", default="gap", choices=tuple(VIEWS))
N_STEPS = StopField(name="steps", default=START.n_steps, stops=(100, 500, 1000, 1500, 2000))
N_SEEDS = IntField(name="seeds", default=START.n_seeds, low=2, high=5)
SEED = SeedField(default=START.seed)
# The two cells compared, as row * 7 + column.
FIRST = IntField(name="one", default=0, low=0, high=len(TRAIN_K) * _MOST_COLUMNS - 1)
SECOND = IntField(name="two", default=7, low=0, high=len(TRAIN_K) * _MOST_COLUMNS - 1)
ANSWERS = {"one": "K = 1", "most": "K = 64", "same": "All alike"}
ANSWER = predict.answer_field(*ANSWERS)
FIELDS: tuple[Field[Any], ...] = (KIND, VIEW, N_STEPS, N_SEEDS, SEED, FIRST, SECOND, ANSWER)
SETTINGS: dict[str, Field[Any]] = {"kind": KIND, "n_steps": N_STEPS, "n_seeds": N_SEEDS}
SCENES = {
    "round": Scene(
        title="A q that cannot fit",
        why="q has one width for all latents, the posterior has not. Training with K = 1 bends "
        "the model until its posterior suits q; with many samples the model need not give in.",
        settings=(("kind", "round"), ("n_steps", 1500), ("n_seeds", 5)),
    ),
    "free": Scene(
        title="A q that can fit",
        why="With a width for each latent q can be the exact posterior, so K = 1 is enough and "
        "all its cells are alike. Large K only takes away the reason to make q fit.",
        settings=(("kind", "free"), ("n_steps", 1500), ("n_seeds", 5)),
    ),
    "digits": Scene(
        title="Networks on digits",
        why="Real data: nobody knows their true log p(x). The last column, 5,000 samples, is a "
        "bound like the others and only stands in for it.",
        settings=(("kind", "digits"), ("n_steps", 1000), ("n_seeds", 3)),
    ),
}
# Whose trainings are in assets.
SHIPPED = {name: SCENES[name] for name in ("round", "free", "digits")}


def defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """How long and how often a board trains unless the address says: as its data's scene does."""
    scene = SCENES[values[KIND.name]]
    settings = dict(scene.settings)
    return {field.name: settings[name] for name, field in SETTINGS.items() if field is not KIND}


def kind_control(link: Link) -> None:
    """Which data; whoever sees a scene goes on to the scene with the other data."""
    key = link.key(KIND)
    on_scene = any(config(link) == scene_config(name) for name in SCENES)

    def follow() -> None:
        chosen = st.session_state[key]
        if on_scene and chosen in SCENES:
            scenes.apply(link, SETTINGS, SCENES[chosen])

    value = st.segmented_control(
        "Data",
        KIND.choices,
        format_func=KINDS.__getitem__,
        required=True,
        key=key,
        on_change=follow,
    )
    link.accept(KIND, value or KIND.default)


def steps_control(link: Link) -> None:
    """How long each model is trained."""
    key = link.key(N_STEPS)
    value = st.select_slider("Training (updates of each model)", N_STEPS.stops, key=key)
    link.accept(N_STEPS, value)


def predicted(link: Link) -> bool:
    """Whether the reader has said which model is the best."""
    return link.value(ANSWER) != predict.OPEN


def config(link: Link) -> BoardConfig:
    """The board that the controls describe."""
    return BoardConfig(
        kind=link.value(KIND),
        n_steps=link.value(N_STEPS),
        n_seeds=link.value(N_SEEDS),
        seed=link.value(SEED),
    )


def scene_config(name: str) -> BoardConfig:
    """The board of a scene."""
    settings: dict[str, Any] = dict(SCENES[name].settings)
    return BoardConfig(**settings)
