"""What the lesson on borrowed samples is made of: fields, controls, cards and the script."""

from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import choices
from iwae_core.evaluation.studies.weighting import ESTIMATORS, WeightingConfig, WeightingReport
from iwae_core.sampling.psis import MIN_DRAWS
from iwae_core.ui import charts, code, controls, metrics, scenes
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField, SeedField
from iwae_core.ui.metrics import Metric
from iwae_core.ui.url import Link
from iwae_core.view import weighting as view
from iwae_core.view.numbers import digits, fixed, percent

_START = WeightingConfig()
TARGET = ChoiceField(name="target", default=_START.target, choices=tuple(choices.TARGETS))
FAMILY = ChoiceField(name="family", default=_START.family, choices=tuple(choices.FAMILIES))
LOC = FloatField(name="loc", default=_START.loc, low=-6.0, high=6.0)
SCALE = FloatField(name="scale", default=_START.scale, low=0.2, high=4.0)
DF = FloatField(name="df", default=_START.df, low=1.0, high=30.0)
INTEGRAND = ChoiceField(name="f", default=_START.integrand, choices=tuple(choices.INTEGRANDS))
ESTIMATOR = ChoiceField(name="average", default=_START.estimator, choices=tuple(ESTIMATORS))
N_SAMPLES = IntField(name="K", default=_START.n_samples, low=1, high=4096)
SEED = SeedField(default=2)  # a typical draw: 0.6 standard errors low

FIELDS = (TARGET, FAMILY, LOC, SCALE, DF, INTEGRAND, ESTIMATOR, N_SAMPLES, SEED)
SCENES = choices.scenes()
# What a scene sets, by the names of WeightingConfig.
SETTINGS: dict[str, Field[Any]] = {
    "target": TARGET,
    "family": FAMILY,
    "loc": LOC,
    "scale": SCALE,
    "df": DF,
    "integrand": INTEGRAND,
}
_ESTIMATOR_NAMES = {"importance": "Plain", "self_normalized": "Self-normalized"}


def proposal_controls(link: Link) -> None:
    """The three in sight: where q is, how wide, and how many draws."""
    controls.slider(link, LOC, "Proposal: location", step=0.1)
    controls.slider(link, SCALE, "Proposal: scale", step=0.05)
    controls.log_slider(link, N_SAMPLES, "K", unit="draws")


def more_controls(link: Link) -> None:
    """The rest: question, target, family, average."""
    controls.choice(link, INTEGRAND, "Question: mean of f(z)", names=_titles(choices.INTEGRANDS))
    controls.choice(link, TARGET, "Target", names=_titles(choices.TARGETS))
    controls.choice(link, FAMILY, "Proposal: family", names=_titles(choices.FAMILIES))
    controls.log_slider(
        link, DF, "Degrees of freedom", help="Of a Student t proposal; few make heavy tails."
    )
    controls.choice(link, ESTIMATOR, "Average", names=_ESTIMATOR_NAMES)


def config(link: Link) -> WeightingConfig:
    """The study the controls ask for; a question without an answer is replaced, with a word."""
    target, integrand = link.value(TARGET), link.value(INTEGRAND)
    if not choices.has_answer(target, integrand):
        st.info(
            f"Under {choices.TARGETS[target].title} the mean of "
            f"{choices.INTEGRANDS[integrand].title} is infinite; asking for the mean of z instead."
        )
        integrand = INTEGRAND.default
    return WeightingConfig(
        target=target,
        family=link.value(FAMILY),
        loc=link.value(LOC),
        scale=link.value(SCALE),
        df=link.value(DF),
        integrand=integrand,
        estimator=link.value(ESTIMATOR),
        n_samples=link.value(N_SAMPLES),
        seed=link.value(SEED),
    )


def cards(report: WeightingReport) -> None:
    """The answer and the health of the weights."""
    K = len(report.z)
    expected = f"of {K}; expect {digits(report.expected_ess)}"
    if report.expected_ess == 0:
        expected = f"of {K}; E_q[w²] = ∞"
    metrics.row(
        Metric("Estimate", digits(report.estimate), f"exact {digits(report.exact)}"),
        Metric(
            "Error",
            digits(report.estimate - report.exact),
            f"reported ± {digits(report.std_error, 2)}",
            "Below: the standard error that the draws themselves report.",
        ),
        Metric(
            "ESS",
            digits(report.ess),
            expected,
            "Effective sample size. Expected for many draws: K / E_q[w²], from the exact moment.",
        ),
        Metric(
            "Heaviest draw",
            percent(report.max_weight),
            f"equal share {percent(1 / K)}",
            "Share of the total weight that one draw holds.",
        ),
        Metric(
            "k-hat",
            fixed(report.k_hat) if K >= MIN_DRAWS else "none",
            view.verdict(report.k_hat) if K >= MIN_DRAWS else f"needs {MIN_DRAWS} draws",
            f"Tail shape of the weights, fitted to the largest; exact {fixed(report.tail_index)}.",
        ),
    )


def draws(config: WeightingConfig, report: WeightingReport) -> None:
    """Place the picture of densities and stems."""
    f = choices.INTEGRANDS[config.integrand].title
    charts.show(
        view.draws,
        report,
        f,
        key="borrowed_samples.draws",
        alt=f"Target p, proposal q and f(z) = {f} over z; below, {len(report.z)} draws from q as "
        f"stems sized by weight. Effective sample size {digits(report.ess)}.",
        height=470,
    )


def log_weights(report: WeightingReport) -> None:
    """Place the histogram of the log weights."""
    low, high = report.log_w.min(), report.log_w.max()
    charts.show(
        view.log_weights,
        report,
        key="borrowed_samples.log_weights",
        alt=f"Histogram of the log weights, from {fixed(low)} to {fixed(high)} nats.",
        height=330,
    )


def running(report: WeightingReport) -> None:
    """Place the running estimate against the exact value."""
    charts.show(
        view.running,
        report,
        key="borrowed_samples.running",
        alt="Estimate from the first n draws with its band; it ends at "
        f"{digits(report.estimate)}, the exact value is {digits(report.exact)}.",
        height=330,
    )


def script(config: WeightingConfig) -> str:
    """The page's numbers as a script."""
    return code.fill(
        code.template("borrowed_samples"),
        TARGET=config.target,
        FAMILY=config.family,
        LOC=config.loc,
        SCALE=config.scale,
        DF=config.df,
        INTEGRAND=config.integrand,
        ESTIMATOR=config.estimator,
        K=config.n_samples,
        SEED=config.seed,
    )


def numbers(config: WeightingConfig, report: WeightingReport) -> dict[str, float | int | str]:
    """Live numbers of the prose, ready to read."""
    K = config.n_samples
    return {
        "K": K,
        "estimate": digits(report.estimate),
        "std_error": digits(report.std_error, 2),
        "exact": digits(report.exact),
        "true_error": digits(report.std_of_term / K**0.5, 2),
        "target_error": digits(report.std_under_target / K**0.5, 2),
        "shown": view.MAX_STEMS,
        "top_share": percent(sum(sorted(report.w)[-5:])),
        "n_top": min(5, K),
    }


def stems_note(config: WeightingConfig) -> str:
    """Which part of the prose explains the stems."""
    return "stems" if config.n_samples <= view.MAX_STEMS else "stems_capped"


def show_narrow(link: Link) -> None:
    """Place the button that sets up the scene of the prediction."""
    st.button(
        "Show me the narrow q",
        on_click=scenes.apply,
        args=(link, SETTINGS, SCENES["too_narrow"]),
        icon=":material/visibility:",
    )


def _titles(table: dict[str, choices.Named[Any]]) -> dict[str, str]:
    return {name: entry.title for name, entry in table.items()}
