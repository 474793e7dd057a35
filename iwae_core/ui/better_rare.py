"""Better proposals, part three: the probability of a rare event, drawn three ways."""

from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from iwae_core.evaluation.studies import rare
from iwae_core.evaluation.studies.rare import RareConfig, RareReport
from iwae_core.rng import standard_normal, stream
from iwae_core.ui import better, canvas, code, controls, parts, predict, scenes
from iwae_core.ui.fields import Field, FloatField, IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, percent

MAX_SAMPLES = 2000  # more would keep the reader waiting

_START = RareConfig()
THRESHOLD = FloatField(name="a", default=_START.threshold, low=0.0, high=8.0)
SHIFT = FloatField(name="shift", default=_START.shift, low=0.0, high=10.0)
N_SAMPLES = IntField(name="rare_K", default=_START.n_samples, low=10, high=MAX_SAMPLES)

SCENES = rare.SCENES
SETTINGS: dict[str, Field[Any]] = {"threshold": THRESHOLD, "shift": SHIFT}
ANSWERS = {"thousands": "About 30,000", "hundreds": "About 300,000", "millions": "About 3,000,000"}
ANSWER = better.answer_field("rare", *ANSWERS)
FIELDS: tuple[Field[Any], ...] = (THRESHOLD, SHIFT, N_SAMPLES, ANSWER)
SEED = better.SEED


def controls_of(link: Link) -> None:
    """The number of draws in a run. Below "More": threshold and shift in numbers."""
    scenes.choose(link, SETTINGS, SCENES)
    controls.log_slider(link, N_SAMPLES, "K", unit="draws")
    if more := controls.more(link):
        with more:
            controls.number(link, THRESHOLD, "Threshold a", step=0.1)
            controls.number(link, SHIFT, "Shift of q", step=0.1)


def config(link: Link) -> RareConfig:
    """The study the controls ask for."""
    return RareConfig(
        threshold=link.value(THRESHOLD),
        shift=link.value(SHIFT),
        n_samples=link.value(N_SAMPLES),
        seed=link.value(better.SEED),
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def study(config: RareConfig) -> RareReport:
    """Three ways to draw, computed once for each config."""
    return rare.run(config)


@st.cache_resource(max_entries=32, show_spinner=False)
def noise(n_samples: int, seed: int, way: str) -> NDArray[np.float64]:
    """Standardized draws of the first of the study's repeats, ``(K,)``."""
    shape = (n_samples, rare.N_REPEATS)
    return standard_normal(shape, stream(seed, "rare", way), torch.float64)[:, 0].numpy()


def picture(link: Link) -> None:
    """Place the scene."""
    asked = config(link)
    report = study(asked)
    ways = {name: getattr(report, name) for name in ("naive", "shifted", "optimal")}
    canvas.show(
        "rare",
        link,
        THRESHOLD,
        SHIFT,
        alt=f"The tail of a normal density beyond {digits(asked.threshold)}, a proposal that can "
        f"be shifted there, and the optimal one; {rare.N_REPEATS} estimates of each beside the "
        f"exact probability {digits(report.exact)}; the number of draws needed against the shift.",
        meta={
            "n_samples": asked.n_samples,
            "goal": rare.GOAL,
            "withheld": link.value(ANSWER) == predict.OPEN
            and asked.threshold == dict(SCENES["four"].settings)["threshold"],
            "best_shift": report.best_shift,
            "best_text": digits(report.best_shift),
            "report": {
                name: {
                    "rmse": digits(way.rmse, 2),
                    "true_rmse": digits(way.true_rmse, 2),
                    "nothing": percent(way.nothing),
                    "found_nothing": percent(way.found_nothing),
                }
                for name, way in ways.items()
            },
        },
        arrays={
            "eps_naive": noise(asked.n_samples, asked.seed, "naive"),
            "eps_shifted": noise(asked.n_samples, asked.seed, "shifted"),
            **{name: way.value / report.exact for name, way in ways.items()},
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "rare", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("rare_why")


def script(link: Link, config: RareConfig) -> str:
    """The page's numbers as a script."""
    return code.fill(
        code.template("better_proposals_rare"),
        A=config.threshold,
        SHIFT=config.shift,
        K=config.n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(link, config(link))
