"""Part *samples* of the lesson on gradients: what each of K samples adds."""

from typing import Any

import numpy as np
import streamlit as st
import torch

from iwae_core.evaluation.studies import contributions as study
from iwae_core.evaluation.studies.contributions import ContributionsConfig, ContributionsReport
from iwae_core.evaluation.studies.gradient_oracle import Point, first_pixel, loc_of
from iwae_core.evaluation.studies.tightness import exact_log_marginal, oracle, posterior
from iwae_core.rng import standard_normal, stream
from iwae_core.ui import canvas, code, controls, gradients, parts, predict, scenes
from iwae_core.ui.fields import Field, IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, percent

SCENES = study.SCENES
N_SAMPLES = IntField(
    name="samples", default=ContributionsConfig().n_samples, low=1, high=study.MAX_SAMPLES
)
ANSWERS = {"all": "All 64", "half": "About half", "few": "A few"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_samples")
FIELDS = (*gradients.Q_SETTINGS.values(), N_SAMPLES, ANSWER)
SEED = gradients.SEED
SETTINGS: dict[str, Field[Any]] = gradients.Q_SETTINGS | {"n_samples": N_SAMPLES}


@st.cache_resource(max_entries=256, show_spinner=False)
def run(config: ContributionsConfig) -> ContributionsReport:
    """The study, kept."""
    return study.run(config)


@st.cache_resource(max_entries=1, show_spinner=False)
def model_for_browser() -> dict[str, Any]:
    """The oracle's constants, by which assets/components/gradients.js finds weights and pulls."""
    model, _ = oracle()
    exact = posterior()
    start = loc_of(Point(0.0, 1.0))
    return {
        "mean": exact.mean.tolist(),
        "covariance": exact.covariance.tolist(),
        "direction": (loc_of(Point(1.0, 1.0)) - start).tolist(),
        "log_marginal": exact_log_marginal(),
        "row": model.weight[0].tolist(),
        "pixel": first_pixel(),
        "noise_scale": float(model.noise_scale),
    }


def controls_of(link: Link) -> None:
    """K once more, as a slider; q in numbers."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    controls.log_slider(link, N_SAMPLES, "K", unit="samples")
    if more := controls.more(link):
        with more:
            gradients.q_controls(link)


def config(link: Link) -> ContributionsConfig:
    """The study the controls ask for."""
    return ContributionsConfig(**gradients.q(link), n_samples=link.value(N_SAMPLES))


def picture(link: Link) -> None:
    """Place the scene: samples under q, and their arrows added up in two ways."""
    asked = config(link)
    report = run(asked)
    eps = standard_normal((study.MAX_SAMPLES, 2), stream(asked.seed, "samples"), torch.float64)
    vae, iwae = (float(np.hypot(*each[:2])) for each in (report.vae_sum, report.iwae_sum))
    canvas.show(
        "contributions",
        link,
        gradients.SHIFT,
        gradients.SCALE,
        N_SAMPLES,
        alt=f"{asked.n_samples} samples of q beside the exact posterior, each with its pull on "
        f"q's mean; the heaviest has {percent(report.weight.max())} of the weight. Added up with "
        f"equal weights the encoder's gradient is {digits(vae)} long, with normalized weights "
        f"{digits(iwae)}.",
        meta={
            "oracle": model_for_browser(),
            "limits": {
                "shift": [gradients.SHIFT.low, gradients.SHIFT.high],
                "scale": [gradients.SCALE.low, gradients.SCALE.high],
                "samples": [N_SAMPLES.low, N_SAMPLES.high],
            },
        },
        arrays={
            "eps": eps.numpy(),
            "vae_mean": report.vae_mean,
            "iwae_mean": report.iwae_mean,
        },
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer the scene it is about once it is answered."""
    if not parts.predicted(link, text, "samples", ANSWER, ANSWERS):
        return False
    scenes.offer(link, SETTINGS, SCENES["far"], "Show me q far off")
    return True


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("samples_why")


def script(config: ContributionsConfig) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("gradients_samples"),
        SHIFT=config.shift,
        SCALE=config.scale,
        K=config.n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link))
