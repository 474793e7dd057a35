"""Tasks of the lesson "Borrowed samples": choose one, solve it in the scene, keep the code.

The judgement is exact where it can be (``evaluation.studies.tasks``); the code holds the seed and
every setting, and whoever enters it sees the same draws and the same judgement.
"""

from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import task_codes, tasks
from iwae_core.evaluation.studies.task_conditions import Condition
from iwae_core.evaluation.studies.tasks import TASKS, Verdict
from iwae_core.evaluation.studies.weighting import WeightingConfig
from iwae_core.ui import weighting
from iwae_core.ui.fields import ChoiceField, Field
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

NONE = "none"
TASK = ChoiceField(name="task", default=NONE, choices=(NONE, *TASKS))
_REPLAY = "borrowed_samples.replay"
_REFUSED = "borrowed_samples.refused"


def place(link: Link, config: WeightingConfig) -> None:
    """Place the box: the choice of a task, the judgement of this state, the replay of a code."""
    box = st.expander(
        "Tasks",
        icon=":material/flag:",
        key="borrowed_samples.tasks",
        expanded=link.value(TASK) != NONE,
        on_change="rerun",
    )
    if box.open:  # every rerun would pay for what nobody sees
        with box:
            _place(link, config)


def _place(link: Link, config: WeightingConfig) -> None:
    key = link.key(TASK)

    def take_up() -> None:
        chosen = TASKS.get(st.session_state[key])
        if chosen:
            link.set(weighting.TARGET, chosen.target)
            link.set(weighting.INTEGRAND, chosen.integrand)

    titles = {NONE: "No task", **{name: task.title for name, task in TASKS.items()}}
    task = st.selectbox(
        "Task", TASK.choices, key=key, format_func=titles.__getitem__, on_change=take_up
    )
    link.accept(TASK, task)
    if task != NONE:
        st.caption(TASKS[task].hint)
        _judge(task, config)
    _replay(link)


def _judge(task: str, config: WeightingConfig) -> None:
    verdict = tasks.check(task, task_codes.snap(config))
    st.markdown("\n".join(map(_line, verdict.conditions)))
    if not verdict.passed:
        st.info(verdict.sentence, icon=":material/pending:")
        return
    st.success(verdict.sentence, icon=":material/check_circle:")
    try:
        code = task_codes.grouped(task_codes.encode(verdict))
    except ValueError as fault:  # more draws than a code can hold
        st.caption(f"No code for this state: {fault}.")
    else:
        st.caption("Your code; who enters it sees these draws and this judgement:")
        st.code(code, language=None)


def _line(condition: Condition) -> str:
    sign = ":material/check:" if condition.met else ":material/close:"
    truth = "exact" if condition.exact else "of these draws"
    shown = "" if condition.value in (0.0, 1.0) else f" - now {digits(condition.value)}"
    return f"- {sign} {condition.text}{shown} *({truth})*"


def _replay(link: Link) -> None:
    def enter() -> None:
        text = st.session_state[_REPLAY]
        st.session_state[_REFUSED] = ""
        if not text.strip():
            return
        try:
            verdict = task_codes.replay(text)
        except ValueError as fault:
            st.session_state[_REFUSED] = str(fault)
            return
        _show(link, verdict)
        st.session_state[_REPLAY] = ""

    st.text_input(
        "Replay a code",
        key=_REPLAY,
        on_change=enter,
        max_chars=40,
        placeholder="ABCDEF-GHIJKL-MNOPQR-STUVWX",
    )
    if refused := st.session_state.get(_REFUSED):
        st.warning(f"This code cannot be replayed: {refused}.", icon=":material/block:")


def _show(link: Link, verdict: Verdict) -> None:
    c = verdict.config
    settings: tuple[tuple[Field[Any], Any], ...] = (
        (TASK, verdict.task),
        (weighting.TARGET, c.target),
        (weighting.INTEGRAND, c.integrand),
        (weighting.FAMILY, c.family),
        (weighting.LOC, c.loc),
        (weighting.SCALE, c.scale),
        (weighting.DF, c.df),
        (weighting.ESTIMATOR, c.estimator),
        (weighting.N_SAMPLES, c.n_samples),
        (weighting.SEED, c.seed),
    )
    for field, value in settings:
        link.set(field, value)
