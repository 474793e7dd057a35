"""Part *curve* of the bound's lesson: L_K against K, in layers, with q under the hand."""

from typing import Any

import numpy as np

from iwae_core.evaluation.studies import tightness as study
from iwae_core.evaluation.studies.layers import LayersConfig, LayersReport
from iwae_core.evaluation.studies.tightness import (
    MAX_SAMPLES,
    SCENES,
    RunsReport,
    TightnessConfig,
    TightnessReport,
)
from iwae_core.ui import (
    bound,
    bound_layers,
    canvas,
    code,
    controls,
    lesson,
    parts,
    predict,
    scenes,
    studies,
)
from iwae_core.ui.fields import BoolField, IntField
from iwae_core.ui.formulas import finite
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, fixed, percent

__all__ = ["SCENES"]

N_SAMPLES = IntField(name="K", default=16, low=1, high=MAX_SAMPLES)
UPPER = BoolField(name="upper", default=True)
JACKKNIFE = BoolField(name="jackknife")
RENYI = BoolField(name="renyi")
GAP = BoolField(name="gap")
ANSWERS = {"tighter": "Closer to log p(x)", "steadier": "Only steadier", "exact": "Exact, almost"}
ANSWER = predict.answer_field(*ANSWERS)
SETTINGS = bound.Q_SETTINGS
LAYERS = (UPPER, JACKKNIFE, RENYI, GAP)
FIELDS = (*bound.Q_SETTINGS.values(), N_SAMPLES, *LAYERS, ANSWER)
SEED = bound.SEED
_SHOWN = ("iwae", "upper", "jackknife_1", "jackknife_2", "renyi_0.5", "renyi_-1")


def controls_of(link: Link) -> None:
    """K once more, and q in numbers below "More"."""
    scenes.choose(link, SETTINGS, SCENES)
    controls.log_slider(link, N_SAMPLES, "K", unit="samples per run")
    if more := controls.more(link):
        with more:
            controls.slider(
                link, bound.SHIFT, "Shift of q", unit="posterior standard deviations", step=0.05
            )
            controls.slider(
                link, bound.SCALE, "Scale of q", unit="times the posterior's", step=0.05
            )
            controls.toggle(
                link,
                bound.CORRELATED,
                "q keeps the posterior's correlation",
                help="Off: q has independent coordinates, as the encoder of a usual VAE has.",
            )


def config(link: Link) -> TightnessConfig:
    """The study the controls ask for."""
    return TightnessConfig(**bound.q(link))


def picture(link: Link) -> None:
    """Place the scene: the bound against K, q over the posterior, the single runs."""
    asked, K = config(link), link.value(N_SAMPLES)
    report, at = studies.tightness(asked), studies.runs_at(asked, K)
    layers = bound_layers.known(LayersConfig(**bound.q(link)))
    posterior = study.posterior()
    canvas.show(
        "sandwich",
        link,
        N_SAMPLES,
        *bound.Q_SETTINGS.values(),
        *LAYERS,
        alt=f"The bound climbs from {fixed(report.elbo)} nats, the ELBO, at K = 1 towards "
        f"log p(x) = {fixed(report.log_marginal)}; at K = {K} it is {fixed(at.bound)}, and "
        f"{percent(at.share_above)} of single runs lie above log p(x). Beside it q over the "
        "posterior.",
        meta={
            "log_marginal": report.log_marginal,
            "told": link.value(ANSWER) != predict.OPEN,
            "posterior": {
                "mean": posterior.mean.tolist(),
                "covariance": posterior.covariance.tolist(),
            },
            "stops": controls.log_steps(N_SAMPLES),
            "layers": [] if layers is None else list(_SHOWN),
            "limits": {} if layers is None else {k: finite(layers.layer(k).limit) for k in _SHOWN},
            "breaks_until": report.breaks_until,
            "report": {
                "bound": at.bound,
                "std_error": at.std_error,
                "gap": at.gap,
                "share_above": at.share_above,
                "n_runs": at.n_runs,
            },
        },
        arrays={
            "K": report.n_samples,
            "bound": report.bound,
            "std_error": report.std_error,
            "low": report.low,
            "high": report.high,
            "elbo_low": report.elbo_low,
            "elbo_high": report.elbo_high,
            "ghosts": report.ghosts,
            "counts": at.counts,
            "edges": at.edges,
            **_arrays(layers),
        },
    )
    _tell_more(link, lesson.load(link.page))


def _arrays(layers: LayersReport | None) -> dict[str, Any]:
    """The layers as rows, in the order of _SHOWN; a gap below its resolution is not drawn."""
    if layers is None:
        return {}
    shown = [layers.layer(name) for name in _SHOWN]
    return {
        "layer_K": layers.n_samples,
        "expected": np.stack([layer.expected for layer in shown]),
        "resolution": np.stack([layer.resolution for layer in shown]),
        "layer_low": np.stack([layer.low for layer in shown]),
        "layer_high": np.stack([layer.high for layer in shown]),
    }


def _tell_more(link: Link, text: Text) -> None:
    """Offer the layers where they are missing; say how fast, and what a single run may do."""
    bound_layers.offer(LayersConfig(**bound.q(link)))
    report = studies.tightness(config(link))
    at = studies.runs_at(config(link), link.value(N_SAMPLES))
    above = "curve_above" if rate(report) != "curve_rate_flat" else "curve_above_flat"
    for told in (rate(report), above):
        text.show_with(told, numbers(report, at))


def ask(link: Link, text: Text) -> bool:
    """Put the question."""
    return parts.predicted(link, text, "curve", ANSWER, ANSWERS)


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("curve_why")


def script(config: TightnessConfig, n_samples: int) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("elbo_to_iwae"),
        K=n_samples,
        SHIFT=config.shift,
        SCALE=config.scale,
        CORRELATED=config.correlated,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link), link.value(N_SAMPLES))


def rate(report: TightnessReport) -> str:
    """Which part of the prose tells how fast the gap closes."""
    if report.relative_variance == float("inf"):
        return "curve_rate_infinite"
    return "curve_rate" if report.relative_variance > 1e-9 else "curve_rate_flat"


def numbers(report: TightnessReport, at: RunsReport) -> dict[str, float | int | str]:
    """Live numbers of the prose, ready to read."""
    last = report.n_samples[-1]
    until = report.breaks_until
    if until == 0:
        breaks = "the approximation is within 10 % of the gap from K = 1 on."
    elif until < last:
        breaks = (
            f"up to K = {until:.0f} (gray in the gap's view) the approximation is off by more "
            "than 10 %."
        )
    else:
        breaks = f"the approximation is off by more than 10 % up to K = {last:.0f}, the last."
    return {
        "K": at.n_samples,
        "above": percent(at.share_above),
        "variance": digits(report.relative_variance),
        "breaks": breaks,
    }
