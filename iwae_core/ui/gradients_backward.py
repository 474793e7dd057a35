"""Part *backward* of the lesson on gradients: going backward through few of K samples."""

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from iwae_core.evaluation.studies import backward_cost as study
from iwae_core.evaluation.studies.backward_cost import BackwardCostConfig, BackwardCostReport
from iwae_core.evaluation.studies.gradient_oracle import DECODER, ENCODER
from iwae_core.ui import (
    canvas,
    code,
    controls,
    gradients,
    gradients_timing,
    jobs,
    parts,
    predict,
    scenes,
)
from iwae_core.ui.fields import ChoiceField, Field, IntField
from iwae_core.ui.gradients_timing import Times
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, percent

SCENES = study.SCENES
_START = BackwardCostConfig()
WAYS = (
    "exact",
    *(f"truncated_{epsilon:g}" for epsilon in study.EPSILONS),
    *(f"resampled_{picks}" for picks in study.PICKS),
)
TIMED = ("exact", "truncated_0.01", "resampled_4")  # what study.measure_ms runs
WAY = ChoiceField(name="way", default="truncated_0.01", choices=WAYS)
N_SAMPLES = IntField(name="draws", default=_START.n_samples, low=2, high=study.MAX_SAMPLES)
ANSWERS = {"heaviest": "Heaviest first", "drawn": "Drawn by weight", "none": "Both fade"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_backward")
FIELDS = (*gradients.Q_SETTINGS.values(), WAY, N_SAMPLES, ANSWER)
SEED = gradients.SEED
SETTINGS: dict[str, Field[Any]] = gradients.Q_SETTINGS | {"n_samples": N_SAMPLES}
_ROUNDING = 1e-9  # of a mean over its standard deviation

Array = NDArray[np.float64]


def name_of(way: str) -> str:
    """A way backward as people call it.

    >>> name_of("truncated_0.01"), name_of("resampled_1")
    ('heaviest, ε = 0.01', '1 draw by weight')
    """
    kind, _, setting = way.partition("_")
    if kind == "truncated":
        return f"heaviest, ε = {setting}"
    if kind == "resampled":
        return f"{setting} draw{'' if setting == '1' else 's'} by weight"
    return "all samples (exact)"


def controls_of(link: Link) -> None:
    """The way backward and K; q in numbers."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    controls.choice(link, WAY, "Backward through", names={way: name_of(way) for way in WAYS})
    controls.log_slider(link, N_SAMPLES, "K", unit="samples forward")
    if more := controls.more(link):
        with more:
            gradients.q_controls(link)


def config(link: Link) -> BackwardCostConfig:
    """The study the controls ask for."""
    return BackwardCostConfig(**gradients.q(link), n_samples=link.value(N_SAMPLES))


def report(asked: BackwardCostConfig) -> BackwardCostReport | None:
    """The ways beside each other; None while a worker is at it."""
    shipped = jobs.of_scene(BackwardCostReport, "gradients_backward", SCENES, asked)
    found: BackwardCostReport | None = shipped or jobs.result(
        jobs.Study(
            kind="backward",
            work=study.run,
            args=(asked,),
            label=f"{asked.n_repeats} repeats of eight ways backward",
            seconds=0.2,
        ),
        patience=gradients.PATIENCE,
    )
    return found


def by_group(found: BackwardCostReport) -> dict[str, Array]:
    """Errors of every way for encoder and decoder, ``(8, 2)`` each.

    Returns:
        ``added``: root mean square difference from the exact backward pass over the gradient's
        noise, both over the group's two weights; ``bias`` and ``bias_error``: mean difference
        over that noise; ``of_mean``: mean difference over the gradient's mean, infinite where that
        is zero.
    """
    groups = (ENCODER, DECODER)
    noise = np.array([np.linalg.norm(found.std[part]) for part in groups])
    mean = np.array([np.linalg.norm(found.mean[part]) for part in groups])

    def length(values: list[Array]) -> Array:
        return np.array([[np.linalg.norm(each[part]) for part in groups] for each in values])

    exact_std = found.modes[0].std
    bias = length([mode.bias for mode in found.modes])
    # A mean that is zero but for rounding; no error is no error even beside it.
    of_mean = np.divide(
        bias, mean, out=np.where(bias > 0, np.inf, 0.0), where=mean > _ROUNDING * noise
    )
    return {
        "added": length([mode.added * exact_std for mode in found.modes]) / noise,
        "bias": bias / noise,
        "bias_error": length([mode.bias_error for mode in found.modes]) / noise,
        "of_mean": of_mean,
    }


def picture(link: Link) -> None:
    """Place the scene, and the stopwatch below it; which way is biased waits to be predicted."""
    asked = config(link)
    found = report(asked)
    if found is None:
        return
    times: Times | None = jobs.ready(_timing(asked))
    errors = by_group(found)
    at = WAYS.index(link.value(WAY))
    mode = found.modes[at]
    canvas.show(
        "backward",
        link,
        WAY,
        alt=f"Ways backward through few of {asked.n_samples} samples, by added error and by the "
        f"share of samples: {name_of(WAYS[at])} takes {percent(mode.touched)} of them and adds "
        f"{digits(errors['added'][at, 0], 2)} of the noise to the encoder's gradient, "
        f"{digits(errors['added'][at, 1], 2)} to the decoder's.",
        meta={
            "ways": list(WAYS),
            "names": [name_of(way) for way in WAYS],
            "timed": list(TIMED),
            "n_samples": asked.n_samples,
            "n_repeats": found.n_repeats,
            "told": link.value(ANSWER) != predict.OPEN,
            "times": None
            if times is None
            else {
                "steps": list(times.n_steps),
                "ms": [[net[way.split("_")[0]] for way in TIMED] for net in times.milliseconds],
                "needed": list(times.needed),
                "at": times.at,
            },
        },
        arrays={
            "touched": np.array([mode.touched for mode in found.modes]),
            "weight": found.sorted_weight,
            **errors,
        },
    )
    _stopwatch(asked, times)


def _timing(asked: BackwardCostConfig) -> jobs.Study:
    return jobs.Study(
        kind="times",
        work=gradients_timing.measure,
        args=(asked.n_samples, asked.seed),
        label="Training a small net and timing it on this machine",
        seconds=8.0,
    )


def _stopwatch(asked: BackwardCostConfig, times: Times | None) -> None:
    timing = _timing(asked)
    found = jobs.result(
        timing,
        ask="Measure the time on this machine",
        help="Trains a small net on digits for a moment and times one step, forward and backward, "
        "in a worker process with one thread. Other work on this machine disturbs it.",
    )
    if found and not times:
        st.rerun()  # they have just arrived, and the picture stands above
    if found:
        st.button("Measure again", on_click=jobs.renew, args=(timing,), icon=":material/timer:")


def why_numbers() -> dict[str, str]:
    """What the explanation cites: the scene of a usual encoder."""
    found = jobs.shipped(BackwardCostReport, "gradients_backward_shifted")
    errors, at = by_group(found), WAYS.index("truncated_0.01")
    four = WAYS.index("resampled_4")
    return {
        "touched": percent(found.modes[at].touched),
        "added": percent(errors["added"][at].max()),
        "bias_of_mean": percent(errors["of_mean"][at, 0]),
        "bias_of_decoder": percent(errors["of_mean"][at, 1]),
        "noise_of_four": digits(errors["added"][four, 0], 2),
    }


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "backward", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("backward_why", **why_numbers())


def script(config: BackwardCostConfig) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("gradients_backward"),
        SHIFT=config.shift,
        SCALE=config.scale,
        K=config.n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link))
