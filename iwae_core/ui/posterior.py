"""What the parts of *The posterior you really use* share: fields, and the planes they send."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from iwae_core.evaluation.studies import posterior_used as study
from iwae_core.evaluation.studies.posterior_ground import STEP, nodes
from iwae_core.evaluation.studies.posterior_trained import TRAINED_AT
from iwae_core.evaluation.studies.posterior_used import PosteriorUsedReport
from iwae_core.ui import canvas, controls
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField, SeedField, StopField
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

VIEWS = {"average": "Average", "resample": "Resample"}
VIEW = ChoiceField(name="view", default="average", choices=tuple(VIEWS))
TARGET = ChoiceField(name="target", default="banana", choices=tuple(study.TARGETS))
X = FloatField(name="x", default=0.0, low=-6.0, high=6.0)
Y = FloatField(name="y", default=0.0, low=-6.0, high=6.0)
SCALE = FloatField(
    name="scale", default=1.2, low=0.1, high=max(t.max_scale for t in study.TARGETS.values())
)
N_SAMPLES = IntField(name="K", default=10, low=1, high=1000)
USED_K = IntField(name="used_K", default=50, low=1, high=1000)  # of the networks on digits
TRAINED_K = StopField(name="trained_K", default=20, stops=TRAINED_AT)
SEED = SeedField()
_SAMPLES: dict[str, Field[Any]] = {"drag": N_SAMPLES, "trained": TRAINED_K, "digits": USED_K}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """One plane of the scene."""

    name: str  # "elbo" is drawn dashed in the curve
    title: str
    short: str  # in a card's label
    report: PosteriorUsedReport
    image: NDArray[np.float32] | None = None  # of x, ``(rows, columns)``


def view_control(link: Link) -> None:
    """The switch between the density of q_K and draws from it."""
    controls.choice(
        link,
        VIEW,
        "Posterior used, shown by",
        names=VIEWS,
        help="Average: its density, over all that the other K - 1 draws may be. Resample: draw K, "
        "keep one by its weight, again and again.",
    )


def target_control(link: Link) -> None:
    """The choice of the exact posterior."""
    names = {name: target.title for name, target in study.TARGETS.items()}
    chosen = st.selectbox(
        "Exact posterior p", TARGET.choices, key=link.key(TARGET), format_func=names.__getitem__
    )
    link.accept(TARGET, chosen)


def resamples(link: Link) -> bool:
    """Whether draws from q_K are shown."""
    return link.value(VIEW) == "resample"


def show(
    link: Link,
    part: str,
    planes: Sequence[Plane],
    step: float = STEP,
    withheld: Collection[str] = (),
    **more: Any,
) -> None:
    """Place the scene.

    Args:
        link: The page's fields.
        part: Its name.
        planes: From left to right.
        step: Of the reports' rule over q.
        withheld: What a prediction still waits for: "q", how far q lies from p; "used", how far
            q_K does, and L_K. The scene shows question marks instead.
        more: What else the part's scene is told.
    """
    eps, probability = nodes(step)
    K = planes[0].report.n_samples
    told = "; ".join(f"{plane.title}{_distances(plane.report, withheld)}" for plane in planes)
    arrays: dict[str, NDArray[Any]] = {"probability": probability}
    if part != "digits":  # there no q moves, so its nodes need not be known
        arrays["eps"] = eps
    for i, plane in enumerate(planes):
        arrays |= _arrays(i, plane)
    canvas.show(
        "posterior",
        link,
        X,
        Y,
        SCALE,
        N_SAMPLES,
        USED_K,
        TRAINED_K,
        alt=f"Exact posterior p, q, and the posterior q_K that {K} samples use, over two "
        f"coordinates. {told}.",
        meta={
            "part": part,
            "view": link.value(VIEW),
            "samples": _SAMPLES[part].name,
            "step": step,
            "K": K,
            "curve_K": study.CURVE,
            "withheld": list(withheld),
            "panels": [_described(plane) for plane in planes],
            **more,
        },
        arrays=arrays,
    )


def _distances(report: PosteriorUsedReport, withheld: Collection[str]) -> str:
    known = {"q": ("q", report.kl_q), "used": ("q_K", report.kl_used)}
    said = [
        f"KL({name} || p) is {digits(kl)} nats"
        for term, (name, kl) in known.items()
        if term not in withheld
    ]
    return f": {', '.join(said)}" if said else ""


def _described(plane: Plane) -> Mapping[str, Any]:
    report = plane.report
    edges = [_edges(axis) for axis in (report.first, report.second)]
    return {
        "name": plane.name,
        "title": plane.title,
        "short": plane.short,
        "q": {"loc": report.loc.tolist(), "scale": report.scale.tolist()},
        "low": [low for low, _ in edges],
        "high": [high for _, high in edges],
        "log_marginal": report.log_marginal,
        "report": {
            name: getattr(report, name)
            for name in (
                "kl_q",
                "kl_q_error",
                "kl_used",
                "kl_used_error",
                "bound",
                "effective",
            )
        },
    }


def _edges(midpoints: NDArray[np.float64]) -> tuple[float, float]:
    half = 0.5 * float(midpoints[1] - midpoints[0])
    return float(midpoints[0]) - half, float(midpoints[-1]) + half


def _arrays(i: int, plane: Plane) -> dict[str, NDArray[Any]]:
    report = plane.report
    found: dict[str, NDArray[Any]] = {
        f"p{i}": report.log_p.astype(np.float32),
        f"used{i}": report.log_q_used.astype(np.float32),
        f"log_w{i}": report.log_w,
        f"kl{i}": report.kl_curve,
        f"dots{i}": report.resampled.astype(np.float32),
    }
    if plane.image is not None:
        found[f"image{i}"] = plane.image
    return found
