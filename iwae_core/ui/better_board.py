"""Better proposals, part four: every cure on one board, computed by a worker."""

import html
import math
from typing import Any

import numpy as np
import streamlit as st

from iwae_core.evaluation.studies import board, board_methods, choices, exact
from iwae_core.evaluation.studies.board import BoardConfig, BoardReport, Row
from iwae_core.sampling.densities import StudentT
from iwae_core.ui import better, canvas, code, controls, formulas, jobs, parts, scenes
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, with_error

_PATIENCE = 3.0  # s for which the old board stands while a proposal is dragged
_START = BoardConfig()
FAMILY = ChoiceField(name="family", default=_START.family, choices=tuple(choices.FAMILIES))
LOC = FloatField(name="loc", default=_START.loc, low=-6.0, high=6.0)
SCALE = FloatField(name="scale", default=2.5, low=0.2, high=4.0)
DF = FloatField(name="df", default=_START.df, low=1.0, high=30.0)
N_SAMPLES = IntField(
    name="K",
    default=_START.n_samples,
    low=board_methods.MIN_SAMPLES,
    high=board_methods.MAX_SAMPLES,
)

SCENES = board.SCENES
SETTINGS: dict[str, Field[Any]] = {
    "loc": LOC,
    "scale": SCALE,
    "family": FAMILY,
    "target": better.TARGET,
    "integrand": better.INTEGRAND,
}
ANSWERS = {
    "smoothing": "Pareto smoothing",
    "resampling": "Resampling",
    "wide": "A fifth of the draws from a wide density",
}
ANSWER = better.answer_field("board", *ANSWERS)
FIELDS: tuple[Field[Any], ...] = (
    better.TARGET, FAMILY, LOC, SCALE, DF, better.INTEGRAND, N_SAMPLES, ANSWER,
)  # fmt: skip
SEED = better.SEED


def controls_of(link: Link) -> None:
    """Target, question and budget. Below "More": the proposal in numbers."""
    scenes.choose(link, SETTINGS, SCENES)
    better.choose_target(link)
    controls.choice(
        link, better.INTEGRAND, "Question: mean of f(z)", names=better.titles(choices.INTEGRANDS)
    )
    controls.log_slider(link, N_SAMPLES, "K", unit="draws")
    if more := controls.more(link):
        with more:
            controls.choice(
                link, FAMILY, "Proposal: family", names=better.titles(choices.FAMILIES)
            )
            controls.number(link, LOC, "Proposal: location", step=0.1)
            controls.number(link, SCALE, "Proposal: scale", step=0.1)
            controls.log_slider(link, DF, "Degrees of freedom", help="Of a Student t proposal.")


def config(link: Link) -> BoardConfig:
    """The study the controls ask for."""
    target = link.value(better.TARGET)
    return BoardConfig(
        target=target,
        family=link.value(FAMILY),
        loc=link.value(LOC),
        scale=link.value(SCALE),
        df=link.value(DF),
        integrand=better.checked_integrand(link, target, better.INTEGRAND),
        n_samples=link.value(N_SAMPLES),
        seed=link.value(better.SEED),
    )


def study(asked: BoardConfig) -> BoardReport | None:
    """The board, from a worker process; None while it is on its way."""
    what = f"{len(board.METHODS)} ways, {asked.n_repeats} runs of {asked.n_samples} draws each"
    report: BoardReport | None = jobs.result(
        jobs.Study(kind="board", work=board.run, args=(asked,), label=what, seconds=0.5),
        patience=_PATIENCE,
    )
    return report


def picture(link: Link) -> None:
    """Place the scene and, below it, the table."""
    asked = config(link)
    if not (report := study(asked)):
        return
    target = choices.find_target(asked.target)
    f = choices.INTEGRANDS[asked.integrand]
    reference = _reference(report)
    finite = [row.true_std for row in report.rows]
    canvas.show(
        "board",
        link,
        LOC,
        SCALE,
        alt="Target p and proposal q over z; below, the measured error of "
        f"{len(report.rows)} estimators of the mean of {f.title} against their cost.",
        meta={
            "target": formulas.density(exact.normalized(target.made)),
            "family": asked.family,
            "df": asked.df,
            "log_constant": formulas.density(StudentT(df=asked.df))["log_constant"],
            "safe": formulas.density(choices.SAFE),
            "safe_share": choices.SAFE_SHARE,
            "n_samples": asked.n_samples,
            "exact_text": digits(report.exact),
            "names": [row.title for row in report.rows],
            "keys": [row.key for row in report.rows],
            "reference": report.rows.index(reference),
            "cards": _cards(report, reference),
        },
        arrays={
            "cost": np.array([float(row.cost) for row in report.rows]),
            "rmse": np.array([row.rmse for row in report.rows]),
            "rmse_error": np.array([row.rmse_error for row in report.rows]),
            "true_std": np.array([math.nan if std is None else std for std in finite]),
        },
    )
    st.html(table(report))


def _reference(report: BoardReport) -> Row:
    """Importance sampling, or what stands in for it if p is known up to a constant only."""
    rows = {row.key: row for row in report.rows}
    return rows.get("importance") or rows.get("self_normalized") or report.rows[0]


def worth(row: Row, reference: Row) -> float:
    """Draws of the reference that buy the row's error, over its own; by measured errors.

    The error of K draws falls like the root of K, so what counts is squared error times cost.
    """
    if row.rmse == 0:
        return math.inf
    return reference.cost / row.cost * (reference.rmse / row.rmse) ** 2


def _cards(report: BoardReport, reference: Row) -> list[dict[str, str]]:
    cures = [row for row in report.rows if row.key not in ("monte_carlo", "optimal")]
    best = min(cures, key=lambda row: row.rmse**2 * row.cost) if cures else reference
    off = [row for row in cures if abs(row.bias) > 3 * row.bias_error]
    shown = [
        (reference.title, digits(reference.rmse), f"its error; exact {_std(reference)}"),
        (
            "Best for its cost",
            digits(best.rmse),
            f"{best.title}: worth {digits(worth(best, reference), 2)} times",
        ),
        ("Off on average", str(len(off)), f"of {len(cures)} ways, in {len(best.value)} runs"),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in shown]


def _std(row: Row) -> str:
    return "unknown" if row.true_std is None else digits(row.true_std)


_HEADS = ("", "Way", "Error", "Mean error", "Exact", "Cost", "Worth")


def table(report: BoardReport) -> str:
    """The board as an HTML table."""
    reference = _reference(report)
    cell = "padding:4px 6px;border-bottom:1px solid rgba(128,128,128,.3)"
    head = "".join(
        f'<th style="{cell};text-align:left" scope="col">{name}</th>' for name in _HEADS
    )
    body = ""
    for number, row in enumerate(report.rows, start=1):
        surely = abs(row.bias) > 3 * row.bias_error
        bias = with_error(row.bias, row.bias_error)
        cells = (
            str(number),
            html.escape(row.title),
            with_error(row.rmse, row.rmse_error),
            f"<b>{bias}</b>" if surely else bias,
            _std(row),
            str(row.cost),
            "1" if row is reference else digits(worth(row, reference), 2),
        )
        body += (
            "<tr>"
            + "".join(
                f'<td style="{cell}{";white-space:normal;min-width:8rem" * (at == 1)}">{text}</td>'
                for at, text in enumerate(cells)
            )
            + "</tr>"
        )
    missing = "".join(
        f'<p style="font-size:.9rem">Not on the board: <b>{html.escape(title)}</b>, '
        f"{html.escape(reason)}.</p>"
        for title, reason in report.missing
    )
    return (
        '<div style="overflow-x:auto" tabindex="0" role="region" aria-label="The board as a '
        'table"><table style="border-collapse:collapse;font-size:.85rem;white-space:nowrap">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{missing}"
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer the scene it is about once it is answered."""
    if not parts.predicted(link, text, "board", ANSWER, ANSWERS):
        return False
    scenes.offer(link, SETTINGS, SCENES["one_mode"], "Show me that q")
    return True


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("board_why")


def script(link: Link, config: BoardConfig) -> str:
    """The page's numbers as a script."""
    return code.fill(
        code.template("better_proposals_board"),
        TARGET=config.target,
        FAMILY=config.family,
        LOC=config.loc,
        SCALE=config.scale,
        DF=config.df,
        INTEGRAND=config.integrand,
        K=config.n_samples,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(link, config(link))
