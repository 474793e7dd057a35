"""What the lesson on borrowed samples is made of: fields, controls, cards and the script."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from iwae_core.evaluation.studies import choices
from iwae_core.evaluation.studies.transport import noise
from iwae_core.evaluation.studies.weighting import (
    ESTIMATORS,
    N_GHOSTS,
    WeightingConfig,
    WeightingReport,
)
from iwae_core.sampling.densities import StudentT, drawn
from iwae_core.sampling.psis import MIN_DRAWS
from iwae_core.ui import canvas, code, controls, formulas, scenes, studies
from iwae_core.ui.fields import BoolField, ChoiceField, Field, FloatField, IntField, SeedField
from iwae_core.ui.url import Link
from iwae_core.view import weighting as view
from iwae_core.view.numbers import digits, fixed

_START = WeightingConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetField:
    """The name of a target, or a drawing."""

    name: str
    default: str

    def parse(self, text: str) -> str:
        """Read a name or a drawing."""
        try:
            choices.find_target(text)
        except ValueError as fault:
            if text.startswith(choices.DRAWN):
                raise ValueError(f"holds no drawing: {fault}") from fault
            raise ValueError(f"is none of {', '.join(choices.TARGETS)}") from fault
        return text

    def write(self, value: str) -> str:
        """Write the name itself: a drawing is its name."""
        return value


TARGET = TargetField(name="target", default=_START.target)
FAMILY = ChoiceField(name="family", default=_START.family, choices=tuple(choices.FAMILIES))
LOC = FloatField(name="loc", default=_START.loc, low=-6.0, high=6.0)
SCALE = FloatField(name="scale", default=_START.scale, low=0.2, high=4.0)
DF = FloatField(name="df", default=_START.df, low=1.0, high=30.0)
INTEGRAND = ChoiceField(name="f", default=_START.integrand, choices=tuple(choices.INTEGRANDS))
ESTIMATOR = ChoiceField(name="average", default=_START.estimator, choices=tuple(ESTIMATORS))
N_SAMPLES = IntField(name="K", default=_START.n_samples, low=1, high=10_000)
GHOSTS = BoolField(name="ghosts")
SEED = SeedField(default=2)  # a typical draw: 0.6 standard errors low

FIELDS = (TARGET, FAMILY, LOC, SCALE, DF, INTEGRAND, ESTIMATOR, N_SAMPLES, GHOSTS, SEED)
SCENES = choices.scenes()
# Where a drawing starts: two bumps and a ledge.
EXAMPLE = choices.DRAWN + "AAABDIRchcRJGGJQcs5_5seUQPONJEBA"
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


def main_controls(link: Link) -> None:
    """The two in sight beside the scene: the question and the number of draws."""
    controls.choice(link, INTEGRAND, "Question: mean of f(z)", names=_titles(choices.INTEGRANDS))
    controls.log_slider(link, N_SAMPLES, "K", unit="draws")


def more_controls(link: Link) -> None:
    """The rest: target, average, ghosts, and q in numbers."""
    _choose_target(link)
    controls.choice(link, ESTIMATOR, "Average", names=_ESTIMATOR_NAMES)
    controls.toggle(link, GHOSTS, f"{N_GHOSTS} ghosts", help="The same run with other noise.")
    controls.choice(link, FAMILY, "Proposal: family", names=_titles(choices.FAMILIES))
    controls.number(link, LOC, "Proposal: location", step=0.1)
    controls.number(link, SCALE, "Proposal: scale", step=0.1)
    controls.log_slider(
        link, DF, "Degrees of freedom", help="Of a Student t proposal; few make heavy tails."
    )


def _choose_target(link: Link) -> None:
    now = link.value(TARGET)
    drawing = now if now.startswith(choices.DRAWN) else EXAMPLE
    titles = {**_titles(choices.TARGETS), drawing: "Draw your own"}
    chosen = st.selectbox(
        "Target", list(titles), key=link.key(TARGET), format_func=titles.__getitem__
    )
    link.accept(TARGET, chosen)
    if chosen == drawing:
        st.caption(
            "Draw p in the picture with the pointer. With the keyboard: focus the picture, choose "
            "a point with the left and right arrows, lift it with up and down."
        )
        st.page_link(
            "better_proposals.py",
            label="Every estimator on this drawing",
            icon=":material/leaderboard:",
            query_params={"part": "board", "target": chosen},
        )


def config(link: Link) -> WeightingConfig:
    """The study the controls ask for; a question without an answer is replaced, with a word."""
    target, integrand = link.value(TARGET), link.value(INTEGRAND)
    if not choices.has_answer(target, integrand):
        st.info(
            f"Under {choices.find_target(target).title} the mean of "
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


def picture(link: Link, config: WeightingConfig, report: WeightingReport) -> None:
    """Place the scene: p, q with its handles, the weights as stems, and the estimate."""
    K = config.n_samples
    given = noise(config.family, K, config.seed, config.df)
    f = choices.INTEGRANDS[config.integrand]
    n, repeats = report.n, report.repeats
    if link.value(GHOSTS):
        many = studies.ghosts(config)
        n, repeats = many.n, many.running
    expected = f"of {K}; expect {digits(report.expected_ess)}"
    if report.expected_ess == 0:
        expected = f"of {K}; E_q[w²] = ∞"
    enough = K >= MIN_DRAWS
    canvas.show(
        "borrowed",
        link,
        LOC,
        SCALE,
        DF,
        FAMILY,
        TARGET,
        alt=f"Target p and proposal q over z; below, {K} draws from q as stems sized by weight; "
        f"the estimate ends at {digits(report.estimate)}, the exact value is "
        f"{digits(report.exact)}.",
        meta={
            "target": formulas.density(choices.find_target(config.target).made),
            "drawn": {
                "prefix": choices.DRAWN,
                "alphabet": drawn.ALPHABET,
                "low": drawn.LOW,
                "high": drawn.HIGH,
            },
            "target_title": choices.find_target(config.target).title,
            "family_titles": {**_titles(choices.FAMILIES), "defensive": "80 % + 20 % wide"},
            "safe": formulas.density(choices.SAFE),
            "safe_share": choices.SAFE_SHARE,
            "df_stops": given.df,
            "log_constants": [
                formulas.density(StudentT(df=df))["log_constant"] for df in given.df
            ],
            "f": formulas.integrand(f.made),
            "f_title": f.title,
            "average": config.estimator,
            "exact": report.exact,
            "exact_text": digits(report.exact),
            "target_error": digits(report.std_under_target / K**0.5, 2),
            "k_hat_help": "Tail shape of the weights, fitted to the largest draws; "
            f"exact for this q: {fixed(report.tail_index)}.",
            "report": {
                "expected": expected,
                "k_hat": fixed(report.k_hat) if enough else "none",
                "verdict": view.verdict(report.k_hat) if enough else f"needs {MIN_DRAWS} draws",
                "true_error": digits(report.std_of_term / K**0.5, 2),
            },
        },
        arrays={
            "x": given.x,
            "fixed": given.fixed,
            "n": n,
            "ghosts": repeats.astype(np.float32),
        },
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


def show_narrow(link: Link) -> None:
    """Place the button that sets up the scene of the prediction."""
    scenes.offer(link, SETTINGS, SCENES["too_narrow"], "Show me the narrow q")


def _titles(table: dict[str, choices.Named[Any]]) -> dict[str, str]:
    return {name: entry.title for name, entry in table.items()}
