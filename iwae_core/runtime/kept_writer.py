"""What live runs do, written into the store while they go on.

Every news of a run marks it; one thread then writes the rows of all marked runs in one
transaction, and another now and then a state, so that no row waits for a large file. No slice and
no page waits for a disk.
"""

import dataclasses
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.status import Snapshot, Status
from iwae_core.runtime.store import MOST_STATES, Record, Store, lineage_to_json
from iwae_core.training import RunState

STATE_SECONDS = 5.0  # between two kept states of a playing run
_WRITING_SHARE = 0.1  # of the time, at most, goes to writing states


@dataclass(slots=True)
class _Entry:
    """A live run that is written down."""

    run: LiveRun
    owner: str
    generation: int = 1
    record: Record | None = None  # as last written; None before the run is first played
    saved_step: int = -1  # of the last kept state
    saved_at: float = -1e9


class Writer:
    """The live runs that are written down, and the threads that write.

    Args:
        store: Where to.
        limits: What one browser may have.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.fault = ""  # why the last writing failed, for people; empty when it did not
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}  # by live id
        self._marked: dict[str, _Entry] = {}
        self._is_scheduled = False
        self._rest_until = 0.0
        self._is_saving = False
        self._rows = ThreadPoolExecutor(1, thread_name_prefix="kept-rows")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="kept-files")

    def attach(self, run: LiveRun, owner: str, record: Record | None) -> LiveRun:
        """Write a run down from now on; as a new one where it has no record."""
        entry = _Entry(run, owner, record=record)
        with self._lock:
            self._entries[run.run_id] = entry
        run.on_news = partial(self._mark, entry)
        return run

    def forget(self, record_id: str) -> None:
        """Write a run down no more, and delete it from the store."""
        with self._lock:
            for live_id in [i for i, e in self._entries.items() if _is(e, record_id)]:
                self._entries.pop(live_id).run.on_news = _no_news
                self._marked.pop(live_id, None)
        self.wait()  # for what is being written of it now
        self._store.delete(record_id)

    def live(self, record_id: str) -> LiveRun | None:
        """The live run that is written under that id."""
        with self._lock:
            for entry in self._entries.values():
                if _is(entry, record_id):
                    return entry.run
        return None

    def record_of(self, run: LiveRun) -> Record | None:
        """The row of a live run, as last written; None before the run is first played."""
        status = run.status()
        with self._lock:
            entry = self._entries.get(run.run_id)
            return None if entry is None else self._bring_up(entry, status).record

    def n_playing(self, owner: str) -> int:
        """How many runs of one browser play."""
        with self._lock:
            mine = [entry.run for entry in self._entries.values() if entry.owner == owner]
        return sum(run.status().mode == "playing" and run.is_watched() for run in mine)

    def flush(self, record_id: str | None = None) -> None:
        """Write what there is of one run, or of all, and return when it is written."""
        with self._lock:
            asked = [
                entry
                for entry in self._entries.values()
                if record_id is None or _is(entry, record_id)
            ]
        self._rows.submit(self._write_now, asked, everything=True).result()
        self.wait()

    def wait(self) -> None:
        """Return when what is on its way to the disk has come there."""
        for thread in (self._rows, self._files):
            thread.submit(_no_news).result()

    def close(self) -> None:
        """Write everything and stop."""
        self.flush()
        with self._lock:
            for entry in self._entries.values():
                entry.run.on_news = _no_news
            self._entries.clear()
        self._rows.shutdown()
        self._files.shutdown()

    def _mark(self, entry: _Entry) -> None:
        # Called with the run locked, from whatever thread brought the news.
        with self._lock:
            if entry.run.run_id not in self._entries:
                return
            if entry.run.is_closed and entry.record is None:  # never played
                del self._entries[entry.run.run_id]
                return
            self._marked[entry.run.run_id] = entry
            if not self._is_scheduled:
                self._is_scheduled = True
                self._rows.submit(self._write_marked)

    def _bring_up(self, entry: _Entry, status: Status) -> _Entry:
        """Give a run its record when it is first played, and another when it started over."""
        if entry.generation != status.generation:
            entry.generation, entry.record = status.generation, None
            entry.saved_step, entry.saved_at = -1, -1e9
        if entry.record is None and (status.mode == "playing" or status.step > 0):
            now = self._clock()
            past = lineage_to_json(Lineage(entry.run.config))
            entry.record = Record(
                id=new_id(), owner=entry.owner, created=now, updated=now, past=past
            )
        return entry

    def _write_marked(self) -> None:
        with self._lock:
            self._is_scheduled = False
            marked = list(self._marked.values())
            self._marked.clear()
        self._write_now(marked, everything=False)

    def _write_now(self, marked: list[_Entry], *, everything: bool) -> None:
        try:
            self._write(marked, everything)
        except (OSError, SQLAlchemyError) as fault:  # a full disk, a database that is away
            self.fault = f"runs are not being kept: {fault}"
        with self._lock:
            for entry in marked:
                if entry.run.is_closed:
                    self._entries.pop(entry.run.run_id, None)

    def _write(self, marked: list[_Entry], everything: bool) -> None:
        taken = [(entry, entry.run.snapshot()) for entry in marked]
        news: list[tuple[_Entry, Snapshot, Record]] = []
        owners = set()  # of runs that are new in the store
        with self._lock:
            for entry, snapshot in taken:
                self._bring_up(entry, snapshot.status)
                state, replaying = snapshot.state, snapshot.status.replaying_to is not None
                # A run on its way back to where it stood has no news yet.
                if entry.record is None or state is None or replaying or not state.step:
                    continue
                if not entry.record.step:
                    owners.add(entry.owner)
                entry.record = _updated(entry.record, state, snapshot, self._clock())
                news.append((entry, snapshot, entry.record))
        self._store.put([record for _, _, record in news])
        for entry, snapshot, record in news:
            if self._is_due(entry, snapshot, everything):
                self._is_saving = True
                self._files.submit(self._keep_state, entry, snapshot, record)
        for owner in owners:
            self._make_room(owner)

    def _is_due(self, entry: _Entry, snapshot: Snapshot, everything: bool) -> bool:
        """Whether to keep a state now: of a playing run now and then, else the last one."""
        state, now = snapshot.state, self._clock()
        if state is None or state.step <= entry.saved_step:
            return False
        if everything or snapshot.status.mode != "playing":
            return True
        return not self._is_saving and now >= max(entry.saved_at + STATE_SECONDS, self._rest_until)

    def _keep_state(self, entry: _Entry, snapshot: Snapshot, record: Record) -> None:
        state, began = snapshot.state, self._clock()
        if state is None:
            return
        try:
            is_full = self._store.usage(entry.owner).n_bytes >= self.limits.n_bytes
            self._store.keep(record.id, state, snapshot.seen, 2 if is_full else MOST_STATES)
            self.fault = ""
        except (OSError, SQLAlchemyError) as fault:
            self.fault = f"runs are not being kept: {fault}"
            return
        finally:
            self._is_saving = False
        if entry.record is not None and entry.record.id == record.id:
            entry.saved_step, entry.saved_at = state.step, began
        self._rest_until = began + (self._clock() - began) / _WRITING_SHARE

    def _make_room(self, owner: str) -> None:
        """Forget the oldest runs that nobody asked to keep and nobody has open."""
        recent = [record for record in self._store.of(owner) if not record.is_kept]
        for record in recent[self.limits.n_recent :]:
            if self.live(record.id) is None:
                self._store.delete(record.id)


def _no_news() -> None:
    pass


def _is(entry: _Entry, record_id: str) -> bool:
    return entry.record is not None and entry.record.id == record_id


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_urlsafe(16)


def _updated(record: Record, state: RunState, snapshot: Snapshot, now: float) -> Record:
    return dataclasses.replace(
        record,
        updated=now,
        past=lineage_to_json(snapshot.lineage),
        step=state.step,
        stop=state.stop,
        **bounds(snapshot.seen.held_out),
    )


def bounds(held_out: NDArray[np.float32]) -> dict[str, Any]:
    """The last held-out bounds as a record has them."""
    if not len(held_out):
        return {"bound_1": None, "bound_64": None}
    return {"bound_1": float(held_out[-1, 1]), "bound_64": float(held_out[-1, -1])}
