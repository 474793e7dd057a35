"""A page that fills while worker processes work: begun by a button, shown as results come.

Small trainings by the dozen take a minute or more of the workers' time, so they begin only when
asked for. What was worked out is kept for everybody who asks for the same; what a reader stops is
not begun again by itself.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from iwae_core.runtime import queue
from iwae_core.runtime.batch import Batch

_MOST_KEPT = 32
_lock = threading.Lock()
_kept: "OrderedDict[Hashable, Mapping[Hashable, Any]]" = OrderedDict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a page may have worked out.

    Attributes:
        page: The page's name; a session fills one batch of a page at a time.
        key: What makes two jobs the same.
        items: Makes the items, by key.
        carry_on: Moves an item on by a piece.
        label: What is worked out, for the reader.
        seconds: About how long it takes two free workers.
    """

    page: str
    key: Hashable
    items: Callable[[], Mapping[Hashable, Any]]
    carry_on: Callable[[Any], Any]
    label: str
    seconds: float


def results(job: Job) -> Mapping[Hashable, Any]:
    """The items that are done by now, of this session's batch or of anybody's earlier one."""
    with _lock:
        if job.key in _kept:
            _kept.move_to_end(job.key)
            return _kept[job.key]
    batch = _batch_of(job)
    if batch is None:
        return {}
    finished = batch.finished()
    if finished and batch.over and not batch.stopped and not batch.fault:
        _keep(job.key, finished)
    return finished


def controls(job: Job) -> None:
    """Place the button that begins it, or the progress and a way to stop."""
    with _lock:
        if job.key in _kept:
            return
    batch = _batch_of(job)
    if batch is not None and batch.fault:
        st.warning(f"{job.label}: {batch.fault}.", icon=":material/error:")
    if batch is None or batch.over:
        about = f"about {_duration(job.seconds)} of two worker processes"
        st.button(
            job.label,
            on_click=_begin,
            args=(job,),
            icon=":material/play_arrow:",
            type="primary",
            help=f"Takes {about}; results appear as they come, and you may go on meanwhile.",
        )
    else:
        st.fragment(_watch, run_every=1.0)(job, batch, len(batch.finished()))


def _keep(key: Hashable, finished: Mapping[Hashable, Any]) -> None:
    with _lock:
        _kept[key] = finished
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)


def _batch_of(job: Job) -> Batch[Any] | None:
    """This session's batch, if it is of this job; one that is no longer asked for ends."""
    held = st.session_state.get(_name(job))
    if held is None:
        return None
    key, batch = held
    if key == job.key:
        found: Batch[Any] = batch
        return found
    batch.cancel()
    del st.session_state[_name(job)]
    return None


def _begin(job: Job) -> None:
    items = job.items()
    before = st.session_state.get(_name(job))
    if before is not None and before[0] == job.key:  # go on where it was stopped
        items = {**items, **before[1].finished()}
    lane = queue.shared().lane(owner())
    st.session_state[_name(job)] = (job.key, Batch(items, job.carry_on, lane).start())


def owner() -> str:
    """Whose turn the work of this session is, in the server's queue."""
    if "filling.owner" not in st.session_state:
        st.session_state["filling.owner"] = f"session {id(st.session_state)}"
    name: str = st.session_state["filling.owner"]
    return name


def _watch(job: Job, batch: Batch[Any], n_shown: int) -> None:
    share = batch.share()
    if batch.over or len(batch.finished()) != n_shown:
        st.rerun()  # the whole page: what has come is shown
    left = batch.seconds_left()
    rest = "" if left is None else f", about {_duration(left)} left"
    st.progress(min(1.0, share), text=f"{job.label}: {share:.0%}{rest}")
    st.button("Stop", on_click=batch.cancel, icon=":material/stop:", key=f"{job.page}.stop")


def _name(job: Job) -> str:
    return f"filling.{job.page}"


def _duration(seconds: float) -> str:
    """A time in words.

    >>> _duration(8), _duration(140)
    ('8 s', '2 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"
