"""Part *coins* of the bound's lesson: the same 64 weights, boxed anew."""

from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import coins as study
from iwae_core.evaluation.studies.coins import CoinsConfig, CoinsReport
from iwae_core.ui import bound, canvas, code, parts, predict, scenes
from iwae_core.ui.fields import Field, StopField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import fixed, percent

SCENES = study.SCENES
N_SAMPLES = StopField(name="box", default=1, stops=study.N_SAMPLES)
ANSWERS = {"up": "Never down", "down": "Never up", "either": "It depends on the coins"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_coins")
FIELDS = (*bound.Q_SETTINGS.values(), N_SAMPLES, ANSWER)
SEED = bound.SEED
SETTINGS: dict[str, Field[Any]] = bound.Q_SETTINGS | {"seed": bound.SEED}


@st.cache_resource(max_entries=256, show_spinner=False)
def _run(config: CoinsConfig) -> CoinsReport:
    return study.run(config)


def controls_of(link: Link) -> None:
    """K once more, for those who would rather move a slider than the needle."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    value = st.select_slider("K (coins in a box)", N_SAMPLES.stops, key=link.key(N_SAMPLES))
    link.accept(N_SAMPLES, value)


def config(link: Link) -> CoinsConfig:
    """The study the controls ask for."""
    return CoinsConfig(**bound.q(link))


def picture(link: Link) -> None:
    """Place the scene: the coins in their boxes, and the needle."""
    report, K = _run(config(link)), link.value(N_SAMPLES)
    at = N_SAMPLES.stops.index(K)
    canvas.show(
        "coins",
        link,
        N_SAMPLES,
        bound.SEED,
        alt=f"64 weights in boxes of {K}; the mean of the boxes' logs stands at "
        f"{fixed(report.needle[at], 3)} nats beside log p(x) = {fixed(report.log_marginal, 3)}. "
        f"{percent(report.share_above[at])} of other rows pass log p(x).",
        meta={
            "log_marginal": report.log_marginal,
            "n_sets": report.n_sets,
            "told": link.value(ANSWER) != predict.OPEN,
        },
        arrays={
            "log_w": report.log_w,
            "expected": report.expected,
            "share": report.share_above,
            "low": report.needle_low,
            "high": report.needle_high,
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "coins", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("coins_why")


def script(config: CoinsConfig, n_samples: int) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("bound_coins"),
        K=n_samples,
        SHIFT=config.shift,
        SCALE=config.scale,
        CORRELATED=config.correlated,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link), link.value(N_SAMPLES))
