"""The five uses of both settings on the page *Twins*, shipped or worked out, with verdicts."""

from collections.abc import Collection
from html import escape
from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import compared
from iwae_core.evaluation.studies.compared import CASES, MEASURES, ComparedReport, Measure, Verdict
from iwae_core.runtime import twin_trials
from iwae_core.runtime.twin_trials import TrialsConfig
from iwae_core.training import trials
from iwae_core.ui import jobs, twins
from iwae_core.ui.url import Link
from iwae_core.view.numbers import fixed, signed

MADE_BY = "worker processes of this server"
MEASURED = ("digits", "moons", "pinwheel", "rings", "gaussians")  # sets small enough


def shipped(name: str) -> ComparedReport:
    """The report of a scene, from ``assets/studies``."""
    return jobs.shipped(ComparedReport, f"twins_{name}")


def report(asked: TrialsConfig) -> ComparedReport | None:
    """The comparison as far as it is known; places what works out one that is not shipped."""
    for name in twins.SHIPPED:
        if asked == twins.scene_trials(name):
            return shipped(name)
    wanted = study(asked)
    trials_done = jobs.result(
        wanted,
        ask=f"Train and measure both, {asked.n_seeds} seeds each",
        help=f"About {wanted.seconds:.0f} s in a worker process; seeds appear as they come.",
    )
    done = jobs.so_far(wanted) if trials_done is None else trials_done
    return twin_trials.report(asked, done, made_by=MADE_BY)


def study(asked: TrialsConfig) -> jobs.Study:
    """The trials behind a comparison."""
    each = [
        0.0012 * asked.n_steps * (1 + 0.25 * side.n_samples) + 8
        for side in (asked.first, asked.second)
    ]
    parts = twin_trials.parts(asked)
    return jobs.Study(
        kind="twin_trials",
        work=twin_trials.work,
        args=(asked,),
        parts=parts,
        onward=trials.carry_on,
        label=f"{len(parts)} trainings, each measured in five ways",
        seconds=sum(each) * asked.n_seeds,
    )


def table(link: Link) -> None:
    """Place the measured rows with their verdicts, and what works them out."""
    asked = twins.trials(link)
    if asked.first.dataset not in MEASURED:
        st.info(
            "The five uses are measured on the digits and on the points in the plane: 5,000 "
            "samples for each of 10,000 held-out images take too long here. `iwae-lab evaluate` "
            "does it on your machine.",
            icon=":material/hourglass_disabled:",
        )
        return
    found = report(asked)
    if found is not None:
        st.html(markup(found, covered=() if twins.predicted(link) else ("likelihood",)))
        st.caption(_origin(found, asked))


def markup(found: ComparedReport, covered: Collection[str] = ()) -> str:
    """The rows as HTML: A, B, their difference, and a verdict for each measure.

    Args:
        found: The comparison.
        covered: Uses whose numbers wait for the reader's prediction.
    """
    parts = []
    for case, title in CASES.items():
        names = [name for name in found.names if MEASURES[name].case == case]
        if case in covered:
            parts.append(f"<h4>{escape(title)}</h4><p>Once you have predicted, above.</p>")
        elif names:
            rows = "".join(_row(found, name) for name in names)
            parts.append(f"<h4>{escape(title)}</h4><dl>{rows}</dl>")
    head = "<header><span></span><b>◆ A</b><b>■ B</b><b>B less A</b></header>"
    return f'<div class="lab-uses">{head}{"".join(parts)}</div>'


def _row(found: ComparedReport, name: str) -> str:
    measure = MEASURES[name]
    a, b = found.column(name) * _factor(measure)
    verdict = compared.verdict(found, name)
    cells = [_cell(values, measure) for values in (a, b)]
    factor = _factor(measure)
    apart = _numbers(
        verdict.mean * factor, verdict.low * factor, verdict.high * factor, measure, apart=True
    )
    unit = f" <small>{escape(measure.unit)}</small>" if measure.unit else ""
    kind = "seen" if verdict.seen else "unseen"
    return (
        f'<div data-name="{name}" class="{kind}"><dt>{_subscript(measure.title)}{unit}</dt>'
        f"<dd>{cells[0]}</dd><dd>{cells[1]}</dd><dd>{apart}</dd>"
        f'<dd class="verdict">{escape(sentence(measure, verdict, len(found.seeds)))}</dd></div>'
    )


def sentence(measure: Measure, verdict: Verdict, n_seeds: int) -> str:
    """What the seeds say of one measure, in words."""
    if not verdict.decidable:
        return f"too few seeds to tell ({n_seeds}; at least {compared.LEAST_SEEDS})"
    if not verdict.seen:
        return "no difference seen"
    more = verdict.mean > 0
    judged = {0: "", 1: ", better" if more else ", worse", -1: ", worse" if more else ", better"}
    return f"B is {'higher' if more else 'lower'}{judged[measure.better]}, at every seed"


def _cell(values: Any, measure: Measure) -> str:
    return _numbers(values.mean(), values.min(), values.max(), measure)


def _numbers(
    mean: float, low: float, high: float, measure: Measure, *, apart: bool = False
) -> str:
    write = signed if apart else fixed

    def shown(value: float) -> str:
        return write(float(value), measure.decimals)

    return f"{shown(mean)}<small>{shown(low)} to {shown(high)}</small>"


def _factor(measure: Measure) -> float:
    return 100.0 if measure.unit == "%" else 1.0


def _subscript(title: str) -> str:
    """Write L_5000 with its index below.

    >>> _subscript("L_5000 & more")
    'L<sub>5000</sub> &amp; more'
    """
    head, mark, tail = escape(title).partition("L_")
    if not mark:
        return head
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    return f"{head}L<sub>{digits}</sub>{tail[len(digits) :]}"


def _origin(found: ComparedReport, asked: TrialsConfig) -> str:
    seeds = ", ".join(map(str, found.seeds))
    error = found.data_error[:, :, found.names.index("L_5000")].mean()
    return (
        f"Mean, and smallest to largest, over training seeds {seeds}; {asked.n_steps} steps each. "
        f"{found.n_held_out} held-out datapoints, bits drawn once; active units are counted "
        "on them (variance of the posterior mean above 0.01). Which datapoints are held out is "
        f"another chance: {fixed(float(error))} nats standard error on each L_5000, the same data "
        f"for both. Annealing on {found.n_annealed} datapoints. By: {found.made_by}."
    )


def why_numbers() -> dict[str, str]:
    """What the explanation cites: the pair VAE against IWAE."""
    found = shipped("vae_iwae")
    apart = {name: compared.verdict(found, name) for name in ("L_1", "L_64", "L_5000")}
    return {
        "n_seeds": str(len(found.seeds)),
        "one": fixed(-apart["L_1"].mean),
        "many": fixed(apart["L_64"].mean),
        "most": fixed(apart["L_5000"].mean),
    }


def script_of(link: Link) -> str:
    """The measured rows of both settings at the first seed, as a script."""
    asked = twins.trials(link)
    return twins.fill("twins_uses", asked.first, asked.second, N_STEPS=asked.n_steps)


def pair_script_of(link: Link) -> str:
    """The live pair as a script."""
    return twins.fill("twins", *twins.configs(link))
