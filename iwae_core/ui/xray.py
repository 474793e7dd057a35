"""The weight x-ray: its fields, the network it sends to the browser, and its picture."""

import json
from functools import cache
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from iwae_core import datasets
from iwae_core.evaluation.studies import drawing
from iwae_core.evaluation.studies import xray as study
from iwae_core.evaluation.studies.xray import XrayConfig, XrayReport
from iwae_core.evaluation.studies.xray_scenes import BLANK, NETWORKS, SCENES, STARTS
from iwae_core.models.model import LatentModel
from iwae_core.models.networks import Mlp
from iwae_core.places import ASSETS
from iwae_core.sampling.psis import MIN_DRAWS
from iwae_core.training import load, model_of
from iwae_core.ui import canvas, code, controls, predict, widgets
from iwae_core.ui.fields import BoolField, ChoiceField, Field, FloatField, IntField, SeedField
from iwae_core.ui.training_fields import WordField
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, fixed, percent
from iwae_core.view.weighting import verdict

__all__ = ["SCENES"]

TABLE_CELLS = 48  # of a side of the posterior that the browser draws


_START = XrayConfig()
DRAWING = WordField(name="digit", default=_START.drawing, check=drawing.decode)
NETWORK = ChoiceField(name="network", default=_START.network, choices=tuple(NETWORKS))
SQUEEZE = FloatField(name="squeeze", default=1.0, low=study.SQUEEZE[0], high=study.SQUEEZE[1])
SHIFT_1 = FloatField(name="dx", default=0.0, low=-study.MAX_SHIFT, high=study.MAX_SHIFT)
SHIFT_2 = FloatField(name="dy", default=0.0, low=-study.MAX_SHIFT, high=study.MAX_SHIFT)
N_SAMPLES = IntField(name="K", default=_START.n_samples, low=1, high=study.MAX_SAMPLES)
PEN = ChoiceField(name="pen", default="pen", choices=("pen", "rubber"))
ZOOM = BoolField(name="zoom", default=True)
SEED = SeedField()
ANSWERS = {"elbo": "The ELBO's", "same": "Both alike", "iwae": "The IWAE's"}
ANSWER = predict.answer_field(*ANSWERS)
FIELDS: tuple[Field[Any], ...] = (
    DRAWING,
    NETWORK,
    SQUEEZE,
    SHIFT_1,
    SHIFT_2,
    N_SAMPLES,
    PEN,
    ZOOM,
    SEED,
    ANSWER,
)
SETTINGS: dict[str, Field[Any]] = {
    "network": NETWORK,
    "drawing": DRAWING,
    "squeeze": SQUEEZE,
    "shift_1": SHIFT_1,
    "shift_2": SHIFT_2,
    "n_samples": N_SAMPLES,
}


@cache
def network(name: str) -> Any:
    """A network of assets/pretrained, in float64."""
    model: LatentModel = model_of(load(ASSETS / "pretrained" / NETWORKS[name].folder)).double()
    return model


@cache
def network_for_browser(name: str) -> tuple[dict[str, list[int]], dict[str, NDArray[np.float32]]]:
    """Widths of the encoder's and decoder's layers, and all their numbers, for network.js.

    Raises:
        ValueError: If the network's hidden units are not tanh, which is what the browser knows.
    """
    model = network(name)
    parts = {
        "encoder": [*model.encoder[0].layers, model.encoder[1].layer],
        "decoder": [*model.decoder.layers, model.likelihood.logits],
    }
    hidden: tuple[Mlp, ...] = (model.encoder[0], model.decoder)
    if any(mlp.activation is not torch.tanh for mlp in hidden):
        raise ValueError(f"the browser knows tanh units only; network {name!r} has others")
    sizes = {
        part: [layers[0].in_features, *(layer.out_features for layer in layers)]
        for part, layers in parts.items()
    }
    numbers = {
        part: np.concatenate(
            [
                values.detach().numpy().ravel().astype(np.float32)
                for layer in layers
                for values in (layer.weight, layer.bias)
            ]
        )
        for part, layers in parts.items()
    }
    return sizes, numbers


@cache
def places(name: str) -> NDArray[np.float64]:
    """Where the encoder puts the test digits of each class, on average, ``(10, 2)``."""
    data = datasets.load("digits")
    labels = data.test_labels
    assert labels is not None
    with torch.no_grad():
        loc, _ = network(name).encode(data.test.double())
    return np.stack([loc[labels == digit].mean(dim=0).numpy() for digit in STARTS])


@cache
def evidence_of_digits() -> dict[str, NDArray[np.float64]]:
    """Log p(x) of every test digit, smallest first, as assets/pretrained/make.py found it."""
    text = (ASSETS / "pretrained" / "xray.json").read_text(encoding="utf-8")
    return {name: np.array(values) for name, values in json.loads(text).items()}


@cache
def starts() -> dict[str, str]:
    """Drawings to start from: a test digit of each class, and an empty sheet."""
    test = datasets.load("digits").test
    digits_of = {str(label): drawing.encode(test[index]) for label, index in STARTS.items()}
    return digits_of | {"empty": BLANK}


@st.cache_resource(max_entries=256, show_spinner=False)
def run(config: XrayConfig) -> XrayReport:
    """The study, kept."""
    return study.run(network(config.network), config)


def main_controls(link: Link) -> None:
    """The network, where to start, K; the rest moves in the picture and below More."""
    controls.choice(
        link, NETWORK, "Trained as", names={name: each.title for name, each in NETWORKS.items()}
    )
    _start_from(link)
    controls.log_slider(link, N_SAMPLES, "K", unit="particles")
    with st.expander("More"):
        controls.number(link, SQUEEZE, "Width of q", unit="times the encoder's", step=0.05)
        controls.number(link, SHIFT_1, "q moved along z₁", step=0.1)
        controls.number(link, SHIFT_2, "q moved along z₂", step=0.1)


def _start_from(link: Link) -> None:
    key = f"{link.key(DRAWING)}.start"
    shown = link.value(DRAWING)
    widgets.put(key, next((name for name, each in starts().items() if each == shown), None))

    def take() -> None:
        if chosen := st.session_state[key]:
            link.set(DRAWING, starts()[chosen])

    st.selectbox(
        "Start from",
        list(starts()),
        key=key,
        on_change=take,
        placeholder="your drawing",
        format_func=lambda name: f"a test digit: {name}" if name.isdigit() else "an empty sheet",
    )


def config(link: Link) -> XrayConfig:
    """The study the controls ask for."""
    values = {name: link.value(field) for name, field in SETTINGS.items()}
    return XrayConfig(**values, seed=link.value(SEED))


def rank(report: XrayReport, name: str) -> str:
    """How log p(x) compares with that of test digits."""
    known = evidence_of_digits()[name]
    below = int((known < report.log_marginal).sum())
    if below == 0:
        return "below every test digit"
    return f"above {percent(below / len(known))} of test digits"


def picture(link: Link) -> None:
    """Place the scene: the pad, the particles and their weights."""
    asked = config(link)
    report, sent = run(asked), network_for_browser(asked.network)
    n, K = len(report.others), asked.n_samples
    error = report.others.std(ddof=1) / n**0.5
    enough = K >= MIN_DRAWS
    model = network(asked.network)
    with torch.no_grad():
        home = model.posterior(drawing.pixels(asked.drawing))
    canvas.show(
        "xray",
        link,
        DRAWING,
        SQUEEZE,
        SHIFT_1,
        SHIFT_2,
        N_SAMPLES,
        PEN,
        ZOOM,
        alt=f"A drawn digit, and {K} particles of the encoder's q in the latent plane, as large "
        f"as their weights: {digits(report.ess)} of {K} carry the answer. Below, what they decode "
        f"to, fading with weight. log p(x) is {fixed(report.log_marginal)} nats.",
        meta={
            "name_of_network": asked.network,
            "sizes": sent[0],
            "home": {"loc": home.loc[0].tolist(), "scale": home.scale[0].tolist()},
            "table_cells": TABLE_CELLS,
            "class_names": list(map(str, STARTS)),
            "n_digits": len(evidence_of_digits()[asked.network]),
            "limits": {
                "samples": study.MAX_SAMPLES,
                "squeeze": study.SQUEEZE,
                "max_shift": study.MAX_SHIFT,
            },
            "report": {
                "log_marginal": report.log_marginal,
                "error": digits(report.log_marginal_error, 1),
                "rank": rank(report, asked.network),
                "k_hat": fixed(report.k_hat) if enough else "none",
                "verdict": verdict(report.k_hat) if enough else f"needs {MIN_DRAWS} particles",
                "mean_of_others": f"mean of {n} draws {fixed(report.others.mean())} "
                f"± {digits(error, 1)}",
            },
        },
        arrays={
            **sent[1],
            "dice": drawing.dice().numpy(),
            "eps": study.noise(asked.seed).numpy(),
            "others": report.others,
            "places": places(asked.network),
        },
    )


def warn_of_no_digit(link: Link) -> None:
    """Say what a drawing means that is unlike all test digits."""
    asked = config(link)
    report = run(asked)
    known = evidence_of_digits()[asked.network]
    if report.log_marginal < known[0]:
        st.info(
            f"log p(x) of this drawing is {fixed(report.log_marginal)} nats; the least likely of "
            f"{len(known)} test digits has {fixed(known[0])}. To this network it is no digit. The "
            "encoder was never trained on such a drawing, its q may lie anywhere, and weights "
            "only compare particles with each other.",
            icon=":material/help:",
        )


def script(config: XrayConfig) -> str:
    """The page's numbers as a script."""
    return code.fill(
        code.template("xray"),
        NETWORK=NETWORKS[config.network].folder,
        DRAWING=drawing.encode(drawing.decode(config.drawing)),
        SQUEEZE=config.squeeze,
        SHIFT=(config.shift_1, config.shift_2),
        K=config.n_samples,
        SEED=config.seed,
    )
