"""What live runs do, written into the store while they go on.

Every news of a run marks it; one thread then writes the rows of all marked runs in one
transaction, and another now and then a state, so that no row waits for a large file. No slice and
no page waits for a disk.
"""

import dataclasses
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.lock_step import LockStep
from iwae_core.runtime.status import Snapshot, Status
from iwae_core.runtime.store import MOST_STATES, Store
from iwae_core.runtime.store_record import Record, lineage_to_json
from iwae_core.runtime.store_schema import told

STATE_SECONDS = 5.0  # between two kept states of a playing run
_WRITING_SHARE = 0.1  # of the time, at most, goes to writing states

R = TypeVar("R", bound=LockStep[Any, Any])


@dataclass(slots=True)
class _Entry:
    """A live run, or pair, that is written down: a record for each side."""

    run: LockStep[Any, Any]
    owner: str
    generation: int = 1
    records: tuple[Record, ...] = ()  # as last written; none before it is first played
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

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    def attach(self, run: R, owner: str, records: Sequence[Record] = ()) -> R:
        """Write a run down from now on; as a new one where it has no records."""
        entry = _Entry(run, owner, records=tuple(records))
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

    def live(self, record_id: str) -> LockStep[Any, Any] | None:
        """The live run, or pair, that is written under that id."""
        with self._lock:
            for entry in self._entries.values():
                if _is(entry, record_id):
                    return entry.run
        return None

    def records_of(self, run: LockStep[Any, Any]) -> tuple[Record, ...]:
        """The row of each side, as last written; none before it is first played."""
        status = run.status()
        with self._lock:
            entry = self._entries.get(run.run_id)
            return () if entry is None else self._bring_up(entry, status).records

    def n_playing(self, owner: str) -> int:
        """How many runs of one browser play; a pair counts as two."""
        with self._lock:
            mine = [entry.run for entry in self._entries.values() if entry.owner == owner]
        playing = [run for run in mine if run.status().mode == "playing" and run.is_watched()]
        return sum(run.n_sides for run in playing)

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
            if entry.run.is_closed and not entry.records:  # never played
                del self._entries[entry.run.run_id]
                return
            self._marked[entry.run.run_id] = entry
            if not self._is_scheduled:
                self._is_scheduled = True
                self._rows.submit(self._write_marked)

    def _bring_up(self, entry: _Entry, status: Status) -> _Entry:
        """Give a run its record when it is first played, and another when it started over."""
        if entry.generation != status.generation:
            entry.generation, entry.records = status.generation, ()
            entry.saved_step, entry.saved_at = -1, -1e9
        if not entry.records and status.is_asked_for:
            ids = [new_id() for _ in range(entry.run.n_sides)]
            now = self._clock()
            entry.records = tuple(
                Record(
                    id=each,
                    owner=entry.owner,
                    created=now,
                    updated=now,
                    pair_id=ids[0] if len(ids) > 1 else None,
                    past=lineage_to_json(Lineage(config)),
                )
                for each, config in zip(ids, entry.run.settings, strict=True)
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
            self.fault = f"runs are not being kept: {told(fault)}"
        with self._lock:
            for entry in marked:
                if entry.run.is_closed:
                    self._entries.pop(entry.run.run_id, None)

    def _write(self, marked: list[_Entry], everything: bool) -> None:
        taken = [(entry, entry.run.snapshots()) for entry in marked]
        news: list[tuple[_Entry, tuple[Snapshot, ...]]] = []
        owners = set()  # of runs that are new in the store
        with self._lock:
            for entry, sides in taken:
                status = sides[0].status
                self._bring_up(entry, status)
                # A run on its way back to where it stood has no news yet.
                if not entry.records or status.replaying_to is not None or not status.step:
                    continue
                if not entry.records[0].step:
                    owners.add(entry.owner)
                entry.records = tuple(
                    _updated(record, side, self._clock())
                    for record, side in zip(entry.records, sides, strict=True)
                )
                news.append((entry, sides))
        self._store.put([record for entry, _ in news for record in entry.records])
        for entry, sides in news:
            if self._is_due(entry, sides[0].status, everything):
                self._is_saving = True
                self._files.submit(self._keep_states, entry, sides, entry.records)
        for owner in owners:
            self._make_room(owner)

    def _is_due(self, entry: _Entry, status: Status, everything: bool) -> bool:
        """Whether to keep a state now: of a playing run now and then, else the last one."""
        if status.step <= entry.saved_step:
            return False
        if everything or status.mode != "playing":
            return True
        rested = max(entry.saved_at + STATE_SECONDS, self._rest_until)
        return not self._is_saving and self._clock() >= rested

    def _keep_states(
        self, entry: _Entry, sides: Sequence[Snapshot], records: Sequence[Record]
    ) -> None:
        began = self._clock()
        try:
            is_full = self._store.usage(entry.owner).n_bytes >= self.limits.n_bytes
            for record, side in zip(records, sides, strict=True):
                if side.state is not None:
                    most = 2 if is_full else MOST_STATES
                    self._store.keep(record.id, side.state, side.seen, most)
            self.fault = ""
        except (OSError, SQLAlchemyError) as fault:
            self.fault = f"runs are not being kept: {told(fault)}"
            return
        finally:
            self._is_saving = False
        if entry.records and entry.records[0].id == records[0].id:
            entry.saved_step, entry.saved_at = sides[0].status.step, began
        self._rest_until = began + (self._clock() - began) / _WRITING_SHARE

    def _make_room(self, owner: str) -> None:
        """Forget the oldest runs that nobody asked to keep and nobody has open."""
        room = self.limits.n_recent
        for group in self._store.groups(owner):
            if not group[0].is_kept:
                room -= len(group)
                if room < 0 and self.live(group[0].id) is None:
                    self._store.delete(group[0].id)


def _no_news() -> None:
    pass


def _is(entry: _Entry, record_id: str) -> bool:
    return any(record.id == record_id for record in entry.records)


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_urlsafe(16)


def _updated(record: Record, snapshot: Snapshot, now: float) -> Record:
    state = snapshot.state
    return dataclasses.replace(
        record,
        updated=now,
        past=lineage_to_json(snapshot.lineage),
        step=snapshot.status.step,
        stop=None if state is None else state.stop,
        **bounds(snapshot.seen.held_out),
    )


def bounds(held_out: NDArray[np.float32]) -> dict[str, Any]:
    """The last held-out bounds as a record has them."""
    if not len(held_out):
        return {"bound_1": None, "bound_64": None}
    return {"bound_1": float(held_out[-1, 1]), "bound_64": float(held_out[-1, -1])}
