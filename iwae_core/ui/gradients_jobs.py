"""Heavy studies of the lesson on gradients: shipped for the scenes, else from a worker process.

A study is one task of the shared executor, some seconds long. A task that no worker has begun is
dropped when its reader cancels; one that has begun runs to its end unseen, and its result is kept.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from iwae_core.evaluation.studies import saved
from iwae_core.places import ASSETS
from iwae_core.runtime import executor

T = TypeVar("T")

_MOST_KEPT = 64
_PATIENCE = 0.2  # s that a script waits before it shows progress
_STOPPED = "gradients.stopped"  # the task this session does not wait for

_lock = threading.Lock()
_begun: "OrderedDict[Hashable, _Job]" = OrderedDict()
_took: dict[str, float] = {}  # s that a kind of task took last


@dataclass(slots=True)
class _Job:
    future: Future[Any]
    began: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One study on its way.

    Attributes:
        kind: Names the study; with ``args`` the key of the result.
        work: A function that a worker can import.
        args: Its arguments, hashable.
        label: What is being worked out, for the reader.
        seconds: How long it takes on a usual machine.
    """

    kind: str
    work: Callable[..., Any]
    args: tuple[Hashable, ...]
    label: str
    seconds: float

    @property
    def key(self) -> Hashable:
        """What makes two tasks the same."""
        return (self.kind, *self.args)


def shipped(kind: type[T], name: str) -> T:
    """The report in ``assets/studies/gradients_<name>.json``."""
    report: T = _load(name, kind)
    return report


@st.cache_resource(show_spinner=False)
def _load(name: str, _kind: type[Any]) -> Any:
    path = ASSETS / "studies" / f"gradients_{name}.json"
    return saved.from_json(_kind, path.read_text(encoding="utf-8"))


def result(task: Task) -> Any | None:
    """The result; None after placing the progress and a way to stop, or to ask again."""
    if st.session_state.get(_STOPPED) == task.key:
        st.info(f"Stopped: {task.label}.")
        st.button("Work it out", on_click=resume, icon=":material/play_arrow:")
        return None
    job = _job(task)
    wait_for([job.future], timeout=_PATIENCE)
    if not job.future.done():
        _watch(task)
        return None
    try:
        return job.future.result()
    except (Exception, CancelledError) as fault:
        forget(task)
        st.warning(f"{task.label}: the worker process gave up ({type(fault).__name__}).")
        st.button("Try again", icon=":material/refresh:")
        return None


def ready(task: Task) -> Any | None:
    """The result if there is one by now; nothing is begun."""
    job = _begun.get(task.key)
    if job is None or not job.future.done() or job.future.cancelled() or job.future.exception():
        return None
    return job.future.result()


def forget(task: Task) -> None:
    """Work it out anew when it is next asked for."""
    with _lock:
        _begun.pop(task.key, None)


def resume() -> None:
    """Ask again for what was stopped."""
    st.session_state.pop(_STOPPED, None)


def stop(task: Task) -> None:
    """Wait no longer in this session."""
    st.session_state[_STOPPED] = task.key
    with _lock:
        job = _begun.get(task.key)
        if job is not None and job.future.cancel():
            _begun.pop(task.key)


def _job(task: Task) -> _Job:
    with _lock:
        job = _begun.get(task.key)
        if job is None:
            future = executor.shared().submit(task.work, *task.args)
            job = _begun[task.key] = _Job(future, time.monotonic())
            future.add_done_callback(partial(_note_time, task.kind, job.began))
        _begun.move_to_end(task.key)
        while len(_begun) > _MOST_KEPT:
            _begun.popitem(last=False)
        return job


def _note_time(kind: str, began: float, _: Future[Any]) -> None:
    _took[kind] = time.monotonic() - began


@st.fragment(run_every=0.5)
def _watch(task: Task) -> None:
    job = _begun.get(task.key)
    if job is None or job.future.done():
        st.rerun()
    passed, usual = time.monotonic() - job.began, _took.get(task.kind, task.seconds)
    st.progress(
        min(0.95, passed / usual),
        text=f"{task.label}: {passed:.0f} of about {max(1.0, usual):.0f} s in a worker process",
    )
    st.button("Cancel", on_click=stop, args=(task,), icon=":material/close:")
