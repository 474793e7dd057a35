"""What the lesson on the bound against K is made of: fields, controls, cards and the script."""

from iwae_core.evaluation.studies.tightness import (
    MAX_SAMPLES,
    SCENES,
    RunsReport,
    TightnessConfig,
    TightnessReport,
)
from iwae_core.ui import bound, charts, code, controls, lesson, metrics, predict, studies
from iwae_core.ui.fields import IntField
from iwae_core.ui.metrics import Metric
from iwae_core.ui.url import Link
from iwae_core.view import tightness as view
from iwae_core.view.numbers import digits, fixed, percent

__all__ = ["SCENES"]

N_SAMPLES = IntField(name="K", default=16, low=1, high=MAX_SAMPLES)
ANSWERS = {"tighter": "Closer to log p(x)", "steadier": "Only steadier", "exact": "Exact, almost"}
ANSWER = predict.answer_field(*ANSWERS)
FIELDS = (N_SAMPLES, ANSWER)
SETTINGS = bound.Q_SETTINGS


def main_controls(link: Link) -> None:
    """The three in sight: K, and how q differs from the posterior."""
    controls.log_slider(link, N_SAMPLES, "K", unit="samples per run")
    controls.slider(
        link, bound.SHIFT, "Shift of q", unit="posterior standard deviations", step=0.1
    )
    controls.slider(link, bound.SCALE, "Scale of q", unit="times the posterior's", step=0.05)

    controls.toggle(
        link,
        bound.CORRELATED,
        "q keeps the posterior's correlation",
        help="Off: q has independent coordinates, as the encoder of a usual VAE has.",
    )


def config(link: Link) -> TightnessConfig:
    """The study the controls ask for."""
    return TightnessConfig(
        shift=link.value(bound.SHIFT),
        scale=link.value(bound.SCALE),
        correlated=link.value(bound.CORRELATED),
        seed=link.value(bound.SEED),
    )


def picture(link: Link) -> None:
    """Place the bound against K."""
    report = studies.tightness(config(link))
    at = studies.runs_at(config(link), link.value(N_SAMPLES))
    cards(report, at)
    bounds(report, at)


def more(link: Link, text: lesson.Text) -> None:
    """Place the gap and the single runs."""
    report = studies.tightness(config(link))
    at = studies.runs_at(config(link), link.value(N_SAMPLES))
    text.show_with(rate(report), numbers(report, at))
    text.show_with("above" if rate(report) != "rate_flat" else "above_flat", numbers(report, at))
    if rate(report) != "rate_flat":
        gaps(report, at)
    runs(report, at)


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link), link.value(N_SAMPLES))


def cards(report: TightnessReport, at: RunsReport) -> None:
    """The bound at the chosen K and its distance from the truth."""
    limit = report.relative_variance / 2
    metrics.row(
        Metric(
            "Bound (nats)",
            fixed(at.bound, 3),
            f"± {digits(at.std_error, 1)}, K = {at.n_samples}",
            f"Mean of {at.n_runs} runs of {at.n_samples} samples, and its standard error.",
        ),
        Metric("Gap (nats)", digits(_zero(at.gap)), f"ELBO: {digits(_zero(at.gap_at_one))}"),
        Metric(
            "Gap times K",
            digits(_zero(at.gap * at.n_samples)),
            f"tends to {digits(limit)}" if limit < float("inf") else "no finite limit",
            "If the gap closes like 1/K this settles at Var(w) / (2 p(x)²).",
        ),
        Metric(
            "Above log p(x)",
            percent(at.share_above),
            "of single runs",
        ),
    )


def bounds(report: TightnessReport, at: RunsReport) -> None:
    """Place the picture of the bound against K."""
    charts.show(
        view.bounds,
        report,
        at,
        key="elbo_to_iwae.bounds",
        alt=f"The bound climbs from {fixed(report.elbo)} nats, the ELBO, at K = 1 towards "
        f"log p(x) = {fixed(report.log_marginal)}; at K = {at.n_samples} it is {fixed(at.bound)}.",
        height=480,
    )


def gaps(report: TightnessReport, at: RunsReport) -> None:
    """Place the picture of the gap against K."""
    charts.show(
        view.gaps,
        report,
        at,
        key="elbo_to_iwae.gaps",
        alt=f"The gap between log p(x) and the bound against K on logarithmic axes; at K = "
        f"{at.n_samples} it is {digits(_zero(at.gap))} nats.",
        height=330,
    )


def runs(report: TightnessReport, at: RunsReport) -> None:
    """Place the histogram of single runs."""
    charts.show(
        view.runs,
        at,
        report.log_marginal,
        key="elbo_to_iwae.runs",
        alt=f"Histogram of {at.n_runs} runs with K = {at.n_samples}; {percent(at.share_above)} "
        "lie above log p(x).",
        height=330,
    )


def script(config: TightnessConfig, n_samples: int) -> str:
    """The page's numbers as a script."""
    return code.fill(
        code.template("elbo_to_iwae"),
        K=n_samples,
        SHIFT=config.shift,
        SCALE=config.scale,
        CORRELATED=config.correlated,
        SEED=config.seed,
    )


def rate(report: TightnessReport) -> str:
    """Which part of the prose tells how fast the gap closes."""
    if report.relative_variance == float("inf"):
        return "rate_infinite"
    return "rate" if report.relative_variance > 1e-9 else "rate_flat"


def numbers(report: TightnessReport, at: RunsReport) -> dict[str, float | int | str]:
    """Live numbers of the prose, ready to read."""
    last = report.n_samples[-1]
    until = report.breaks_until
    if until == 0:
        breaks = "the approximation is within 10 % of the gap from K = 1 on."
    elif until < last:
        breaks = f"up to K = {until:.0f} (gray) the approximation is off by more than 10 %."
    else:
        breaks = f"the approximation is off by more than 10 % up to K = {last:.0f}, the last."
    return {
        "K": at.n_samples,
        "bound": fixed(at.bound, 3),
        "elbo": fixed(report.elbo, 3),
        "log_marginal": fixed(report.log_marginal, 3),
        "above": percent(at.share_above),
        "variance": digits(report.relative_variance),
        "breaks": breaks,
        "elbo_gap": digits(at.gap_at_one),
        "gap_at_256": digits(report.log_marginal - report.bound[8], 2),
    }


def _zero(nats: float) -> float:
    """Rounding of numbers near one is no gap."""
    return nats if abs(nats) > 1e-9 else 0.0
