"""Part *digits*: two trained networks, each with its own exact posterior of one digit."""

import json
from functools import cache
from typing import Any

import numpy as np
import streamlit as st

from iwae_core import datasets
from iwae_core.evaluation.studies import posterior_digits as study
from iwae_core.evaluation.studies.posterior_used import PosteriorUsedReport
from iwae_core.models.model import LatentModel
from iwae_core.places import ASSETS
from iwae_core.rng import stream
from iwae_core.training import load, model_of
from iwae_core.ui import code, controls, parts, posterior, predict, scenes
from iwae_core.ui.fields import Field, IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.posterior import SEED, USED_K, VIEW
from iwae_core.ui.url import Link
from iwae_core.view.numbers import with_error

DIGIT = IntField(name="digit", default=0, low=0, high=study.N_DIGITS - 1)
SCENES = study.SCENES
SETTINGS: dict[str, Field[Any]] = {"digit": DIGIT, "n_samples": USED_K}
ANSWERS = {"larger": "Larger", "same": "As large", "smaller": "Smaller"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_digits")
FIELDS = (DIGIT, USED_K, VIEW, ANSWER)
_TITLES = {"digits_elbo": ("elbo", "Trained by the ELBO", "ELBO")} | {
    "digits_iwae": ("iwae", f"Trained by L_{study.NETWORKS['digits_iwae']}", "IWAE")
}


@cache
def network(name: str) -> Any:
    """A network of assets/pretrained, in float64."""
    model: LatentModel = model_of(load(ASSETS / "pretrained" / name)).double()
    return model


@cache
def measured() -> dict[str, Any]:
    """Averages over test digits, as assets/pretrained/make.py found them."""
    text = (ASSETS / "pretrained" / "digits.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@st.cache_resource(max_entries=128, show_spinner=False)
def run(
    name: str, digit: int, n_samples: int, seed: int, resample: bool = False
) -> PosteriorUsedReport:
    """What K samples make of a network's q for one digit."""
    noise = stream(seed, "resampled") if resample else None
    return study.of_digit(network(name), digit, n_samples, noise)


def controls_of(link: Link) -> None:
    """The scene, the digit and K; the switch below More."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    controls.number(link, DIGIT, "Test digit", help="Its number in the test set.")
    label = datasets.load("digits").test_labels
    if label is not None:
        st.caption(
            f"Somebody wrote a {label[link.value(DIGIT)].item()}; pixels are black or white."
        )
    controls.log_slider(link, USED_K, "K", unit="samples")
    if more := controls.more(link):
        with more:
            posterior.view_control(link)


def picture(link: Link) -> None:
    """Place the two planes, each with its network's posterior of the same digit.

    How far q and q_K lie from it waits for the prediction.
    """
    digit = link.value(DIGIT)
    image = study.digit(digit).reshape(8, 8).float().numpy()
    planes = []
    for name, (short, title, label) in _TITLES.items():
        report = run(name, digit, link.value(USED_K), link.value(SEED), posterior.resamples(link))
        planes.append(
            posterior.Plane(
                name=short,
                title=title,
                short=label,
                report=report,
                image=np.ascontiguousarray(image),
            )
        )
    withheld = ["q", "used"] if link.value(ANSWER) == predict.OPEN else []
    posterior.show(link, "digits", planes, step=study.STEP, withheld=withheld)


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "digits", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("digits_why", **averages())


def averages() -> dict[str, str | int]:
    """Live numbers of the answer: means over digits with their standard errors."""
    found = measured()
    at = {K: i for i, K in enumerate(found["n_samples"])}
    numbers: dict[str, str | int] = {"n_digits": found["n_digits"]}
    for name, (short, _, _) in _TITLES.items():
        of = found[name]
        for K in (1, 10, 50):
            mean, error = of["kl_used"][at[K]], of["kl_used_error"][at[K]]
            numbers[f"kl_{K}_{short}"] = with_error(mean, error)
        mean, error = of["bound"][at[50]], of["bound_error"][at[50]]
        numbers[f"bound_{short}"] = with_error(mean, error)
        mean, error = of["log_marginal"], of["log_marginal_error"]
        numbers[f"log_p_{short}"] = with_error(mean, error)
    gain = found["iwae_minus_elbo"]
    for key, of in (
        ("gain_log_p", "log_marginal"),
        ("gain_bound", "bound"),
        ("gain_kl", "kl_used"),
    ):
        mean, error = (np.ravel(gain[name])[-1] for name in (of, f"{of}_error"))
        numbers[key] = with_error(float(mean), float(error))
    return numbers


def script_of(link: Link) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("posterior_used_digits"),
        DIGIT=link.value(DIGIT),
        K=link.value(USED_K),
        SEED=link.value(SEED),
    )
