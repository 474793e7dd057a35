"""Heavy studies on a page: shipped for the scenes, else from a worker process, with progress.

A page asks at each run of its script (:func:`result`) and goes on without a picture while there is
none; the progress runs the page again when the result is there. A session waits for one study of a
kind: who moves on to another q no longer waits for the last one.
"""

import time
from collections.abc import Mapping
from concurrent.futures import CancelledError
from concurrent.futures import wait as wait_for
from functools import cache
from typing import Any, TypeVar

import streamlit as st

from iwae_core.evaluation.studies import saved
from iwae_core.places import ASSETS
from iwae_core.runtime import jobs
from iwae_core.runtime.jobs import Job, Study
from iwae_core.ui.scenes import Scene

__all__ = ["Study", "of_scene", "ready", "renew", "result", "shipped", "so_far"]

T = TypeVar("T")

_PATIENCE = 0.2  # s that a script waits before it shows progress
_ASKED = "jobs.asked"  # by kind: the job that this session waits for or has
_STOPPED = "jobs.stopped"  # keys of the studies that this session has stopped


def shipped(kind: type[T], name: str) -> T:
    """The report in ``assets/studies/<name>.json``."""
    report: T = _load(name, kind)  # type: ignore[arg-type]  # a class is hashable
    return report


@cache
def _load(name: str, kind: Any) -> Any:
    path = ASSETS / "studies" / f"{name}.json"
    return saved.from_json(kind, path.read_text(encoding="utf-8"))


def of_scene(kind: type[T], name: str, scenes: Mapping[str, Scene], asked: Any) -> T | None:
    """The shipped report of the scene whose settings make the config ``asked``; None without one.

    The file is ``assets/studies/<name>_<scene>.json``.
    """
    for scene, given in scenes.items():
        settings: dict[str, Any] = dict(given.settings)
        if asked == type(asked)(**settings):
            return shipped(kind, f"{name}_{scene}")
    return None


def result(
    study: Study, *, patience: float = _PATIENCE, ask: str | None = None, help: str = ""
) -> Any | None:
    """The result; None after placing the progress and a way to stop, or to ask again.

    Args:
        study: What is wanted.
        patience: Seconds for which the script waits, and the old picture stands, before the
            progress takes its place.
        ask: If given, nothing begins before the reader presses a button that reads so.
        help: What the button says when pointed at.
    """
    job = _asked(study) or _known(study)
    if job is None and (ask or study.key in _stopped()):
        if not ask:
            st.info(f"Stopped: {study.label}.")
        st.button(
            ask or "Work it out",
            on_click=_resume,
            args=(study,),
            icon=":material/play_arrow:",
            help=help or None,
        )
        return None
    job = job or _join(study)
    if not job.whole.done() and not _arrives(job, patience):
        _watch(study, len(job.so_far))
        return None
    try:
        return job.whole.result()
    except (Exception, CancelledError) as fault:
        st.warning(f"{study.label}: the worker process gave up ({type(fault).__name__}).")
        st.button("Try again", on_click=renew, args=(study,), icon=":material/refresh:")
        return None


def so_far(study: Study) -> list[Any]:
    """Results of the parts that have ended, of a study that this session waits for."""
    job = _asked(study)
    return [] if job is None else list(job.so_far)


def ready(study: Study) -> Any | None:
    """The result if there is one by now; nothing is begun."""
    job = _known(study)
    return None if job is None else job.whole.result()


def renew(study: Study) -> None:
    """Work it out anew, from a widget's callback."""
    jobs.forget(study)
    _resume(study)


def _known(study: Study) -> Job | None:
    """A job that has ended well."""
    job = jobs.find(study)
    if job is None or not job.whole.done() or job.whole.cancelled() or job.whole.exception():
        return None
    return job


def _asked(study: Study) -> Job | None:
    """The job that this session waits for, if it is one of this study."""
    job: Job | None = st.session_state.setdefault(_ASKED, {}).get(study.kind)
    return job if job is not None and job.study.key == study.key else None


def _stopped() -> set[Any]:
    stopped: set[Any] = st.session_state.setdefault(_STOPPED, set())
    return stopped


def _join(study: Study) -> Job:
    _leave(study.kind)
    job = jobs.join(study)
    st.session_state[_ASKED][study.kind] = job
    return job


def _leave(kind: str) -> None:
    job: Job | None = st.session_state.setdefault(_ASKED, {}).pop(kind, None)
    if job is not None:
        job.leave()


def _resume(study: Study) -> None:
    _stopped().discard(study.key)
    _join(study)


def _stop(study: Study) -> None:
    _leave(study.kind)
    _stopped().add(study.key)


def _arrives(job: Job, patience: float) -> bool:
    """Wait in short turns, so that a moved control interrupts the script."""
    until = time.monotonic() + patience
    state = None
    while not wait_for([job.whole], timeout=min(patience, _PATIENCE)).done:
        if time.monotonic() >= until:
            return False
        state = state or st.empty()
        state.caption(f":material/hourglass_top: {job.study.label} ...")
    if state:
        state.empty()
    return True


@st.fragment(run_every=0.5)
def _watch(study: Study, n_shown: int) -> None:
    job = _asked(study)
    if job is None or job.whole.done() or len(job.so_far) != n_shown:
        st.rerun()  # what has come is shown, if the page shows parts
    passed = time.monotonic() - job.began
    done = (
        f"{100 * job.share:.0f} %, {passed:.0f} s so far"
        if job.is_running or job.so_far
        else "waiting for a free worker process"
    )
    st.progress(job.share, text=f"{study.label}: {done}")
    st.button("Cancel", on_click=_stop, args=(study,), icon=":material/close:")
