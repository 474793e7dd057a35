"""The page "Side by side in code": the two scripts with their differences, run by a button."""

import io
import keyword
import tokenize
from collections.abc import Sequence
from functools import cache
from html import escape

import streamlit as st

from iwae_core.evaluation.studies import saved
from iwae_core.evaluation.studies import side_by_side as study
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.side_by_side import Row, SideBySideConfig, SideBySideReport
from iwae_core.places import ASSETS
from iwae_core.runtime import executor
from iwae_core.runtime.side_by_side import Twins
from iwae_core.ui import charts, code, controls, metrics, predict
from iwae_core.ui.fields import Field, IntField, SeedField
from iwae_core.ui.metrics import Metric
from iwae_core.ui.url import Link
from iwae_core.view import side_by_side as view
from iwae_core.view.numbers import fixed

PAGE = "side_by_side"
N_SAMPLES = IntField(name="K", default=5, low=1, high=study.MAX_SAMPLES)
SEED = SeedField(default=SideBySideConfig().seed)
ANSWERS = {"both": "Both rise", "one": "L₆₄ rises, L₁ falls", "neither": "Neither moves"}
ANSWER = predict.answer_field(*ANSWERS)
FIELDS = (N_SAMPLES, SEED, ANSWER)
SETTINGS: dict[str, Field[int]] = {"K": N_SAMPLES}
SCENES = {
    "five": Scene(
        title="Five samples",
        why="The usual start: the bound is tighter, and the encoder's gradient still clear.",
        settings=(("K", 5),),
    ),
    "one": Scene(
        title="One sample",
        why="The same bound in both: the log of one weight. They differ in how they estimate the "
        "KL, in closed form or from the sample, hence in noise alone.",
        settings=(("K", 1),),
    ),
    "many": Scene(
        title="Fifty samples",
        why="Ten times the work of five. The encoder is paid for a few good samples among fifty "
        "and spreads: each single sample explains less.",
        settings=(("K", 50),),
    ),
}
_JOB, _REPORT = f"{PAGE}.job", f"{PAGE}.report"


def config(link: Link) -> SideBySideConfig:
    """The run the controls describe."""
    return SideBySideConfig(n_samples=link.value(N_SAMPLES), seed=link.value(SEED))


def counts(asked: SideBySideConfig) -> dict[str, int]:
    """Live numbers of the introduction."""
    lines, differing = study.count(asked)
    return {"lines": lines, "differing": differing}


def scripts(asked: SideBySideConfig) -> None:
    """Place both scripts, and their downloads."""
    st.html(markup(study.compare(asked)))
    with st.container(horizontal=True):
        for name, title in study.SCRIPTS.items():
            text = study.source(name, asked)
            for ending, content, mime in (
                ("py", text, "text/x-python"),
                ("ipynb", code.notebook(text), "application/x-ipynb+json"),
            ):
                st.download_button(
                    f"{title} .{ending}",
                    content,
                    f"{PAGE}_{name}.{ending}",
                    mime=mime,
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"{PAGE}.{name}.{ending}",
                )


def markup(rows: Sequence[Row]) -> str:
    """Two columns of code; on a phone common lines stand once, and differing ones in turn."""
    body = "".join(f"<li{'' if row.same else ' class=differs'}>{_cells(row)}</li>" for row in rows)
    head = "".join(f"<span>{title}</span>" for title in study.SCRIPTS.values())
    return f'<div class="lab-twins"><header>{head}</header><ol>{body}</ol></div>'


def run_controls(link: Link) -> None:
    """K of the IWAE and the seed."""
    controls.log_slider(link, N_SAMPLES, "K of the IWAE", unit="samples per datapoint")
    controls.seed(link, SEED)


def result(link: Link) -> None:
    """Place the button and what the scripts give: now, when last run, or as stored."""
    asked = config(link)
    job: Twins | None = st.session_state.get(_JOB)
    if job is not None and job.config != asked:  # a control was moved meanwhile
        job.cancel()
        st.session_state[_JOB] = job = None
    if job is None:
        st.button("Run both", on_click=lambda: _start(asked), icon=":material/play_arrow:")
        _show(asked)
    else:
        st.fragment(_watch, run_every=1.0)(job)


def stored() -> SideBySideReport:
    """The run at the defaults that stands in the repository."""
    path = ASSETS / "evidence" / "side_by_side.json"
    return _stored(path.stat().st_mtime_ns)


@cache
def _stored(modified: int) -> SideBySideReport:
    text = (ASSETS / "evidence" / "side_by_side.json").read_text("utf-8")
    return saved.from_json(SideBySideReport, text)


def _start(asked: SideBySideConfig) -> None:
    job = Twins(asked, executor.shared())
    st.session_state[_JOB] = job
    job.start()


def _end() -> None:
    job: Twins | None = st.session_state.pop(_JOB, None)
    if job is not None:
        job.cancel()


def _watch(job: Twins) -> None:
    share = job.share()
    if job.report is not None:
        st.session_state[_REPORT] = job.report
        _end()
    if job.stopped or st.session_state.get(_JOB) is not job:
        _end()
        st.rerun()  # the whole page: its button and its figures come back
    if job.fault:
        st.error(f"The run has stopped: {job.fault}.", icon=":material/error:")
    else:
        st.progress(share, f"Both scripts run in worker processes: {share:.0%} of the steps")
    st.button("Cancel", on_click=_end, icon=":material/stop:")


def _show(asked: SideBySideConfig) -> None:
    latest: SideBySideReport | None = st.session_state.get(_REPORT)
    if latest is not None and latest.config == asked:
        report, origin = latest, "Just computed by worker processes of this server"
    else:
        report = stored()
        origin = "Stored in assets/evidence/side_by_side.json by benchmarks/save_side_by_side.py"
    shown = f"K = {report.config.n_samples}, seed {report.config.seed}"
    if report.config != asked:
        st.info(
            f"Shown is the stored run with {shown}. Press Run both for K = {asked.n_samples}, "
            f"seed {asked.seed}.",
            icon=":material/history:",
        )
    metrics.row(*_cards(report))
    charts.show(
        view.training,
        report,
        key=f"{PAGE}.figure",
        alt=f"Training curves of both scripts over {report.config.n_steps} steps. Held out, L_64 "
        f"ends at {fixed(report.vae.L_64)} nats for the VAE and {fixed(report.iwae.L_64)} for "
        "the IWAE.",
    )
    st.caption(
        f"{origin}: {shown}, {report.config.n_steps} steps. The curves are two objectives, not "
        "one ruler; the points and the cards are."
    )


def _cards(report: SideBySideReport) -> tuple[Metric, ...]:
    gap = {name: one.L_64 - one.L_1 for name, one in (("v", report.vae), ("i", report.iwae))}
    return (
        Metric("VAE, L₁", fixed(report.vae.L_1, 3), "nats, held-out digits"),
        Metric("VAE, L₆₄", fixed(report.vae.L_64, 3), f"{fixed(gap['v'], 3)} above its L₁"),
        Metric("IWAE, L₁", fixed(report.iwae.L_1, 3), "nats, held-out digits"),
        Metric("IWAE, L₆₄", fixed(report.iwae.L_64, 3), f"{fixed(gap['i'], 3)} above its L₁"),
        Metric(
            "IWAE less VAE, L₆₄",
            fixed(report.gain, 3),
            f"± {fixed(report.gain_error, 3)} over {report.n_test} digits",
            "Standard error over the held-out digits, pair by pair. Another seed trains other "
            "networks: that chance is not in it. Press New noise and run again.",
        ),
    )


def _cells(row: Row) -> str:
    sides = ((name, line) for name, line in (("vae", row.vae), ("iwae", row.iwae)))
    return "".join(
        f'<div class="{name}"><code{_hanging(line)}>{_colored(line or "") or "&nbsp;"}</code>'
        + ("" if row.same else f'<span class="who">{study.SCRIPTS[name]}</span>')
        + "</div>"
        for name, line in sides
    )


def _hanging(line: str | None) -> str:
    # The style sheet lets a wrapped line stand two letters right of its first.
    return " class=indented" if line and line.startswith(" ") else ""


def _colored(line: str) -> str:
    """A line of Python as HTML: keywords, strings and comments marked by more than color."""
    found, at = [], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            kind = _KINDS.get(token.type, "keyword" if keyword.iskeyword(token.string) else "")
            if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER) or not kind:
                continue
            start, end = token.start[1], token.end[1]
            found.append(escape(line.strip()[at:start]))
            found.append(f'<span class="{kind}">{escape(token.string)}</span>')
            at = end
    except (tokenize.TokenError, SyntaxError):  # an opening line of several
        pass
    return " " * (len(line) - len(line.lstrip())) + "".join(found) + escape(line.strip()[at:])


_KINDS = {tokenize.COMMENT: "comment", tokenize.STRING: "string"}
