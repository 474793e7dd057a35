"""Part *trained*: the best round q by the ELBO beside the best by L_K, over one posterior."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import posterior_trained as study
from iwae_core.evaluation.studies.posterior_targets import PosteriorUsedConfig
from iwae_core.evaluation.studies.posterior_used import PosteriorUsedReport
from iwae_core.places import ASSETS
from iwae_core.ui import controls, parts, posterior, posterior_drag, predict, scenes
from iwae_core.ui.fields import Field
from iwae_core.ui.lesson import Text
from iwae_core.ui.posterior import SEED, TARGET, TRAINED_K, VIEW
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

SCENES = study.SCENES
SETTINGS: dict[str, Field[Any]] = {"target": TARGET, "n_samples": TRAINED_K}
ANSWERS = {"nearer": "Nearer", "same": "As near", "farther": "Farther"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_trained")
FIELDS = (TARGET, TRAINED_K, VIEW, ANSWER)

BestQ = Mapping[str, tuple[float, float, float]]  # mean and scale by the K of the training


@cache
def best(target: str) -> BestQ:
    """The best round q of a target by the ELBO ("1") and by L_K, as assets/pretrained has them."""
    text = (ASSETS / "pretrained" / "round_q.json").read_text(encoding="utf-8")
    return {K: (q[0], q[1], q[2]) for K, q in json.loads(text)[target].items()}


def controls_of(link: Link) -> None:
    """The scene, K and the switch; the posterior below More."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    value = st.select_slider(
        "K (samples, in training and use)", TRAINED_K.stops, key=link.key(TRAINED_K)
    )
    link.accept(TRAINED_K, value)
    posterior.view_control(link)
    if more := controls.more(link):
        with more:
            posterior.target_control(link)


def configs(link: Link) -> tuple[PosteriorUsedConfig, PosteriorUsedConfig]:
    """The two studies: q by the ELBO, and q by L_K; both used with K samples."""
    target, K = link.value(TARGET), link.value(TRAINED_K)
    made = [
        PosteriorUsedConfig(
            target=target, loc_1=x, loc_2=y, scale=scale, n_samples=K, seed=link.value(SEED)
        )
        for x, y, scale in (best(target)["1"], best(target)[str(K)])
    ]
    return made[0], made[1]


def reports(link: Link) -> tuple[PosteriorUsedReport, PosteriorUsedReport]:
    """What both make of K samples."""
    drawn = posterior.resamples(link)
    by_elbo, by_iwae = (posterior_drag.run(asked, drawn) for asked in configs(link))
    return by_elbo, by_iwae


def picture(link: Link) -> None:
    """Place the two planes; how far each q_K lies from p waits for the prediction."""
    by_elbo, by_iwae = reports(link)
    planes = [
        posterior.Plane(
            name="elbo", title="q with the highest ELBO", short="ELBO", report=by_elbo
        ),
        posterior.Plane(name="iwae", title="q with the highest L_K", short="IWAE", report=by_iwae),
    ]
    target = link.value(TARGET)
    posterior.show(
        link,
        "trained",
        planes,
        withheld=["used"] if link.value(ANSWER) == predict.OPEN else [],
        best=dict(best(target)),
        stops=list(TRAINED_K.stops),
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "trained", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    by_elbo, by_iwae = reports(link)
    text.show(
        "trained_why",
        K=by_iwae.n_samples,
        scale_elbo=digits(float(by_elbo.scale[0])),
        scale_iwae=digits(float(by_iwae.scale[0])),
        kl_q_elbo=digits(by_elbo.kl_q),
        kl_q_iwae=digits(by_iwae.kl_q),
        kl_used_elbo=digits(by_elbo.kl_used),
        kl_used_iwae=digits(by_iwae.kl_used),
        bound_elbo=digits(by_elbo.bound, 4),
        bound_iwae=digits(by_iwae.bound, 4),
    )


def script_of(link: Link) -> str:
    """The script for the q that the IWAE would choose."""
    return posterior_drag.script(configs(link)[1])
