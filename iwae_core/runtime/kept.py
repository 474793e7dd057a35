"""Live runs and the store in step: begun, opened again, forked, exported, forgotten.

A run comes into the store when it is first played, and is written down while it goes on
(:mod:`iwae_core.runtime.kept_writer`). What a killed server loses is the slice under way: opened
again, the run replays from its last state to the step in its row, and stands there paused.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime import queue, watched
from iwae_core.runtime.history import Moment
from iwae_core.runtime.kept_bundle import Bundle
from iwae_core.runtime.kept_files import bundle_of, take_in
from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.kept_pairs import Pairs, Start
from iwae_core.runtime.kept_past import nearest, origin_of
from iwae_core.runtime.kept_writer import Writer, new_id
from iwae_core.runtime.lineage import look_back
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.store import Store, default_place
from iwae_core.runtime.store_record import Record, Usage, lineage_to_json
from iwae_core.runtime.store_schema import told
from iwae_core.runtime.twins import TwinRun
from iwae_core.training import TrainConfig

_BACK_SECONDS = 5.0  # of training, at most, to look back at a step
_BACK_STEPS = 500  # that are never too many
_PATIENCE = 30.0  # seconds for which a look back may wait for workers


class Keeper:
    """Writes live runs into a store and makes live runs of what is there.

    Args:
        store: Where to.
        start: Makes a live run of settings or of a past; whose it is comes with it.
        start_pair: Makes a pair of two such.
        limits: What one browser may have.
        clock: Seconds since 1970; tests pass their own.
    """

    def __init__(
        self,
        store: Store,
        start: "Callable[[Start, str], LiveRun]",
        *,
        start_pair: "Callable[[Start, Start, str], TwinRun] | None" = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._start = start
        self._clock = clock
        self._writer = Writer(store, limits or Limits(), clock)
        self.pairs = Pairs(store, self._writer, start_pair or _start_pair)
        self._viewed: WeakKeyDictionary[LiveRun, str] = WeakKeyDictionary()

    @property
    def limits(self) -> Limits:
        """What one browser may have."""
        return self._writer.limits

    @property
    def fault(self) -> str:
        """Why the last writing failed, for people; empty when it did not."""
        return self._writer.fault

    # What a person does ----------------------------------------------------------------------

    def open(self, config: TrainConfig, owner: str) -> LiveRun:
        """Begin a run, paused; it comes into the store when it is first played."""
        return self._writer.attach(self._start(config, owner), owner)

    def reopen(self, record: Record) -> LiveRun:
        """The live run of a record; replayed from the store where no live one is left.

        Raises:
            ValueError: If this version of the program does not know the run's settings.
        """
        live = self.live(record.id)
        if live is not None:
            return live
        origin = origin_of(self.store, record, record.lineage, record.step)
        origin = dataclasses.replace(origin, stop=record.stop)
        return self._writer.attach(self._start(origin, record.owner), record.owner, [record])

    def view(self, record: Record, owner: str) -> LiveRun:
        """A run to look at, of somebody else or of a pair: it while it is live, else a replay."""
        live = self.live(record.id)
        if live is not None:
            return live
        self.flush(record.id)
        record = self.store.get(record.id) or record
        origin = origin_of(self.store, record, record.lineage, record.step)
        run = self._start(dataclasses.replace(origin, stop=record.stop), owner)
        self._viewed[run] = record.id
        return run

    def keep(self, run: LiveRun) -> Record:
        """The row of a live run; where nobody has played it, it comes into the store with this.

        Raises:
            ValueError: If it has taken no step yet, or is not written down here.
        """
        run.ask_for()
        record = self.record_of(run)
        if record is None or not run.status().step:
            raise ValueError("this run has taken no step yet: there is nothing to keep of it")
        self.flush(record.id)
        return self.store.get(record.id) or record

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
            id=new_id(),
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
        origin = origin_of(self.store, record, lineage, step)
        return self._writer.attach(self._start(origin, owner), owner, [branch])

    def delete(self, record: Record) -> None:
        """Forget a run, live or not; of a pair, by its first, both."""
        self._writer.forget(record.id)

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
        return bundle_of(self.store, record, state)

    def take_in(self, bundle: Bundle, owner: str) -> Record:
        """Keep an imported run as one of this browser's.

        Raises:
            ValueError: If a limit is met.
        """
        self.check_room(owner)
        (record,) = take_in(self.store, [bundle], owner, self._clock())
        return record

    def check_room(self, owner: str, n_more: int = 1) -> None:
        """Refuse more kept runs where a limit would be passed.

        Raises:
            ValueError: With a sentence for the reader.
        """
        self.limits.check_room(self.store.usage(owner), n_more)

    def check_may_play(self, owner: str, n_more: int = 1) -> None:
        """Refuse more playing runs where the limit would be passed.

        Raises:
            ValueError: With a sentence for the reader.
        """
        self.limits.check_may_play(self._writer.n_playing(owner), n_more)

    # What a page asks ------------------------------------------------------------------------

    def of(self, owner: str) -> list[Record]:
        """Every single run of one browser, the latest first."""
        return self.store.of(owner)

    def live(self, record_id: str) -> LiveRun | None:
        """The live run that is written under that id."""
        live = self._writer.live(record_id)
        return live if isinstance(live, LiveRun) else None

    def record_of(self, run: LiveRun) -> Record | None:
        """The row of a live run, as last written; None before the run is first played."""
        return next(iter(self._writer.records_of(run)), None)

    def look_back(self, run: LiveRun, step: int) -> Moment | None:
        """What there was to see at a step that a run's film does not reach: replayed, to the bit.

        Returns:
            The moment at that step; where the way there is too long, at the nearest kept step
            before it; None for a run that is not in the store, and where no worker answers.
        """
        record = self.record_of(run) or self.store.get(self._viewed.get(run, ""))
        if record is None or not 0 <= step <= record.step:
            return None
        state = nearest(self.store, record, step)
        at = state.step if state else 0
        if step - at > max(_BACK_STEPS, _BACK_SECONDS * run.status().steps_per_second):
            step = at
        work = run.executor.submit(look_back, record.lineage, step, state, run.history.axes)
        try:
            return run.history.moment_of(work.result(timeout=_PATIENCE))
        except (TimeoutError, RuntimeError, ValueError):
            return None

    def usage(self, owner: str) -> Usage:
        """How much one browser has in the store."""
        return self.store.usage(owner)

    def flush(self, record_id: str | None = None) -> None:
        """Write what there is of one run, or of all, and return when it is written."""
        self._writer.flush(record_id)

    def close(self) -> None:
        """Write everything and stop."""
        self._writer.close()
        self.store.close()


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
            try:
                store = Store(*default_place())
                store.sweep()
            except (OSError, ValueError, SQLAlchemyError) as fault:
                raise NoStoreError(f"runs cannot be kept on this server: {told(fault)}") from fault
            _shared = Keeper(store, _start)
        return _shared


def stop_shared() -> None:
    """Write everything and close the database; the next :func:`shared` opens it again."""
    global _shared
    with _shared_lock:
        if _shared is not None:
            _shared.close()
        _shared = None


def _start(start: Start, owner: str) -> LiveRun:
    return watched.open_run(start, queue.shared().lane(owner))


def _start_pair(first: Start, second: Start, owner: str) -> TwinRun:
    return watched.open_pair(first, second, queue.shared().lane(owner))
