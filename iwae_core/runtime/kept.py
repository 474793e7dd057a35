r"""Live runs and the store in step: what a run does is written down while it goes on.

Every news of a run marks it; one writer thread then writes the rows of all marked runs in one
transaction, and now and then a state. No slice and no page waits for a disk. A run comes into the
store when it is first played. What a killed server loses is the slice under way: opened again, the
run replays from its last state to the step in its row, and stands there paused.
"""

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime import queue, watched
from iwae_core.runtime.history import History, Seen
from iwae_core.runtime.kept_bundle import Bundle
from iwae_core.runtime.lineage import Lineage, Origin
from iwae_core.runtime.live import LiveRun, Snapshot, Status
from iwae_core.runtime.store import (
    MOST_STATES,
    Record,
    Store,
    Usage,
    default_place,
    lineage_to_json,
)
from iwae_core.training import RunState, TrainConfig

STATE_SECONDS = 5.0  # between two kept states of a playing run
_WRITING_SHARE = 0.1  # of the time, at most, goes to writing states


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one browser may have; stated on the page before it is reached.

    Attributes:
        n_playing: Runs that play at one time.
        n_kept: Runs with a name, and branches.
        n_recent: Other runs; the oldest make room for new ones.
        n_bytes: Of the states of all its runs together.
    """

    n_playing: int = 4
    n_kept: int = 60
    n_recent: int = 10
    n_bytes: int = 500_000_000


@dataclass(slots=True)
class _Entry:
    """A live run that is written down."""

    run: LiveRun
    owner: str
    generation: int = 1
    record: Record | None = None  # as last written; None before the run is first played
    saved_step: int = -1
    saved_at: float = -1e9


class Keeper:
    """Writes live runs into a store and makes live runs of what is there.

    Args:
        store: Where to.
        start: Makes a live run of settings or of a past; whose it is comes with it.
        limits: What one browser may have.
        clock: Seconds since 1970; tests pass their own.
    """

    def __init__(
        self,
        store: Store,
        start: "Callable[[TrainConfig | Origin, str], LiveRun]",
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.limits = limits or Limits()
        self._start = start
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}  # by live id
        self._marked: dict[str, _Entry] = {}
        self._is_scheduled = False
        self._rest_until = 0.0
        self.fault = ""  # why the last writing failed, for people; empty when it did not
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="kept")

    # What a person does ----------------------------------------------------------------------

    def open(self, config: TrainConfig, owner: str) -> LiveRun:
        """Begin a run, paused; it comes into the store when it is first played."""
        return self._attach(self._start(config, owner), owner, None)

    def reopen(self, record: Record) -> LiveRun:
        """The live run of a record; replayed from the store where no live one is left.

        Raises:
            ValueError: If this version of the program does not know the run's settings.
        """
        live = self.live(record.id)
        if live is not None:
            return live
        origin = self._origin(record, record.lineage, record.step)
        origin = dataclasses.replace(origin, stop=record.stop)
        return self._attach(self._start(origin, record.owner), record.owner, record)

    def view(self, record: Record, owner: str) -> LiveRun:
        """Somebody else's run to look at: theirs while it is live, else one that is not kept."""
        live = self.live(record.id)
        if live is not None:
            return live
        origin = self._origin(record, record.lineage, record.step)
        return self._start(dataclasses.replace(origin, stop=record.stop), owner)

    def fork(
        self, record: Record, step: int, values: Mapping[str, Any], owner: str, name: str = ""
    ) -> LiveRun:
        """Another run that shares the past of one up to a step, and goes on with other settings.

        Args:
            record: The run to fork from.
            step: Where; the nearest kept state is replayed from.
            values: Live settings that differ from those in force there.
            owner: Whose the branch is.
            name: Of the branch, where a person gave it one.

        Raises:
            ValueError: If the step lies beyond the run, a setting is refused, or a limit is met.
        """
        self.flush(record.id)
        record = self.store.get(record.id) or record
        if not 0 <= step <= record.step:
            raise ValueError(f"the run has come to step {record.step}, got {step} to fork from")
        self.check_room(owner)
        lineage = record.lineage.before(step)
        now = lineage.config_now()
        news = {name: value for name, value in values.items() if getattr(now, name) != value}
        if news:
            lineage = lineage.changed(step, news)
        at = self._clock()
        branch = Record(
            id=_new_id(),
            owner=owner,
            name=name,
            parent_id=record.id,
            parent_step=step,
            created=at,
            updated=at,
            past=lineage_to_json(lineage),
            step=step,
        )
        self.store.put([branch])
        origin = self._origin(record, lineage, step)
        return self._attach(self._start(origin, owner), owner, branch)

    def delete(self, record: Record) -> None:
        """Forget a run, live or not."""
        with self._lock:
            for live_id in [i for i, e in self._entries.items() if _is(e, record.id)]:
                entry = self._entries.pop(live_id)
                entry.run.on_news = _no_news
                self._marked.pop(live_id, None)
        self._writer.submit(self.store.delete, record.id).result()

    def bundle(self, record: Record) -> Bundle:
        """A run to export: as it stands, or as it stood when a state of it was last kept.

        Raises:
            ValueError: If no state of the run is kept, or its settings are unknown here.
        """
        self.flush(record.id)
        record = self.store.get(record.id) or record
        state = self.store.nearest(record.id, record.step)
        if state is None:
            raise ValueError("no state of this run is kept yet; open it, and try again")
        lineage = record.lineage
        if state.step < record.step:
            lineage = lineage.before(state.step)
        state = dataclasses.replace(state, config=lineage.config_now())
        curves = self.store.curves(record.id, state.step)
        return Bundle(name=record.name, lineage=lineage, state=state, curves=curves)

    def take_in(self, bundle: Bundle, owner: str) -> Record:
        """Keep an imported run as one of this browser's.

        Raises:
            ValueError: If a limit is met.
        """
        self.check_room(owner)
        now, state = self._clock(), bundle.state
        record = Record(
            id=_new_id(),
            owner=owner,
            name=bundle.name or "imported",
            created=now,
            updated=now,
            past=lineage_to_json(bundle.lineage),
            step=state.step,
            stop=state.stop,
            **_bounds(bundle.curves[1]),
        )
        self.store.put([record])
        steps, held_out, deep = bundle.curves
        seen = Seen(steps=steps, held_out=held_out, deep=deep)
        self.store.keep(record.id, state, seen)
        return record

    def check_room(self, owner: str) -> None:
        """Refuse another kept run where the limits are met.

        Raises:
            ValueError: With a sentence for the reader.
        """
        used = self.store.usage(owner)
        if used.n_kept >= self.limits.n_kept:
            raise ValueError(
                f"{used.n_kept} of {self.limits.n_kept} runs are kept; delete one first"
            )
        if used.n_bytes >= self.limits.n_bytes:
            raise ValueError(
                f"the kept runs take {used.n_bytes / 1e6:.0f} of "
                f"{self.limits.n_bytes / 1e6:.0f} MB; delete some first"
            )

    def check_may_play(self, owner: str) -> None:
        """Refuse another playing run where the limit is met.

        Raises:
            ValueError: With a sentence for the reader.
        """
        if self.n_playing(owner) >= self.limits.n_playing:
            raise ValueError(
                f"{self.limits.n_playing} runs of yours are playing, as many as one browser may; "
                "pause one of them first"
            )

    # What a page asks ------------------------------------------------------------------------

    def of(self, owner: str) -> list[Record]:
        """Every run of one browser, the latest first."""
        return self.store.of(owner)

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

    def usage(self, owner: str) -> Usage:
        """How much one browser has in the store."""
        return self.store.usage(owner)

    def flush(self, record_id: str | None = None) -> None:
        """Write what there is of one run, or of all, and return when it is written."""
        with self._lock:
            asked = [
                entry
                for entry in self._entries.values()
                if record_id is None or _is(entry, record_id)
            ]
        self._writer.submit(self._write_now, asked, everything=True).result()

    def close(self) -> None:
        """Write everything and stop."""
        self.flush()
        with self._lock:
            for entry in self._entries.values():
                entry.run.on_news = _no_news
            self._entries.clear()
        self._writer.shutdown()
        self.store.close()

    # How it is done --------------------------------------------------------------------------

    def _origin(self, record: Record, lineage: Lineage, step: int) -> Origin:
        state = self.store.nearest(record.id, step)
        history = History()
        if state is not None:
            state = lineage.from_kept(state)
            history = History.resumed(*self.store.curves(record.id, state.step))
        return Origin(lineage=lineage, step=step, state=state, history=history)

    def _attach(self, run: LiveRun, owner: str, record: Record | None) -> LiveRun:
        entry = _Entry(run, owner, record=record)
        with self._lock:
            self._entries[run.run_id] = entry
        run.on_news = partial(self._mark, entry)
        return run

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
                self._writer.submit(self._write_marked)

    def _bring_up(self, entry: _Entry, status: Status) -> _Entry:
        """Give a run its record when it is first played, and another when it started over."""
        if entry.generation != status.generation:
            entry.generation, entry.record = status.generation, None
            entry.saved_step, entry.saved_at = -1, -1e9
        if entry.record is None and (status.mode == "playing" or status.step > 0):
            now = self._clock()
            past = lineage_to_json(Lineage(entry.run.config))
            entry.record = Record(
                id=_new_id(), owner=entry.owner, created=now, updated=now, past=past
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
            self.fault = ""
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
        self.store.put([record for _, _, record in news])
        for entry, snapshot, record in news:
            self._keep_state(entry, snapshot, record, everything)
        for owner in owners:
            self._make_room(owner)

    def _keep_state(
        self, entry: _Entry, snapshot: Snapshot, record: Record, everything: bool
    ) -> None:
        state, now = snapshot.state, self._clock()
        if state is None or state.step <= entry.saved_step:
            return
        due = max(entry.saved_at + STATE_SECONDS, self._rest_until)
        if snapshot.status.mode == "playing" and not everything and now < due:
            return
        is_full = self.usage(entry.owner).n_bytes >= self.limits.n_bytes
        self.store.keep(record.id, state, snapshot.seen, 2 if is_full else MOST_STATES)
        entry.saved_step, entry.saved_at = state.step, now
        self._rest_until = now + (self._clock() - now) / _WRITING_SHARE

    def _make_room(self, owner: str) -> None:
        """Forget the oldest runs that nobody asked to keep and nobody has open."""
        recent = [record for record in self.store.of(owner) if not record.is_kept]
        for record in recent[self.limits.n_recent :]:
            if self.live(record.id) is None:
                self.store.delete(record.id)


def _no_news() -> None:
    pass


def _is(entry: _Entry, record_id: str) -> bool:
    return entry.record is not None and entry.record.id == record_id


def _new_id() -> str:
    return secrets.token_urlsafe(16)


def _updated(record: Record, state: RunState, snapshot: Snapshot, now: float) -> Record:
    return dataclasses.replace(
        record,
        updated=now,
        past=lineage_to_json(snapshot.lineage),
        step=state.step,
        stop=state.stop,
        **_bounds(snapshot.seen.held_out),
    )


def _bounds(held_out: NDArray[np.float32]) -> dict[str, Any]:
    if not len(held_out):
        return {"bound_1": None, "bound_64": None}
    return {"bound_1": float(held_out[-1, 1]), "bound_64": float(held_out[-1, -1])}


class NoStoreError(RuntimeError):
    """Runs cannot be kept on this server; the message says why."""


_shared: Keeper | None = None
_shared_lock = threading.Lock()


def shared() -> Keeper:
    """The keeper of this server; its database is opened and brought up to date at the first call.

    Raises:
        NoStoreError: If that fails; the next call tries again.
    """
    global _shared
    with _shared_lock:
        if _shared is None:
            url, folder = default_place()
            try:
                store = Store(url, folder)
                store.sweep()
            except (OSError, SQLAlchemyError) as fault:
                raise NoStoreError(f"runs cannot be kept on this server: {fault}") from fault
            _shared = Keeper(store, _start)
        return _shared


def stop_shared() -> None:
    """Write everything and close the database; the next :func:`shared` opens it again."""
    global _shared
    with _shared_lock:
        if _shared is not None:
            _shared.close()
        _shared = None


def _start(start: TrainConfig | Origin, owner: str) -> LiveRun:
    return watched.open_run(start, queue.shared().lane(owner))
