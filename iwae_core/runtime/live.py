r"""A training run that someone watches: play, pause, step, pace, change, reset.

The run is driven by its own results. Each finished slice hands over the next state and submits the
next slice, so one run has at most one slice in the queue, and many runs share the workers in turn.
Since a slice is a pure function, a result may be thrown away: pause takes effect at once, the
slice under way is dropped, and the next play takes the same steps to the same bits. A killed
worker costs its slice in the same way.

A run lives by its polls. Without one for ``lease_seconds`` it stops submitting and keeps its
state; the next poll lets it go on. A run that is to go slowly takes its next slice at a poll too.

A run may start from the past of another, or of itself before the server was killed: it then
replays from a kept state to the step named, and stands there, paused.
"""

import math
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from typing import Any

from iwae_core.runtime.history import History, Moment, Seen
from iwae_core.runtime.lineage import Lineage, Origin, Piece
from iwae_core.runtime.looks import Looks
from iwae_core.runtime.pace import Pace
from iwae_core.runtime.slices import Deep, Done, Work, carry_out, look_deep
from iwae_core.runtime.status import Mode, Snapshot, Status
from iwae_core.training import RunState, TrainConfig

_MOST_RETRIES = 5  # of one slice, when workers die under it
# Bytes that travel to a worker and back at little cost. A larger state gets slices that are longer
# by as much, so that its way stays a small share of the time.
_LIGHT_STATE = 1.6e6


class LiveRun:
    """One run on an executor; every method returns at once and may be called from any thread.

    Args:
        config: The run's settings, or the past to start from.
        executor: Where slices run.
        slice_seconds: Length of a slice to aim for; longer where the state is large.
        lease_seconds: How long a run goes on without a poll.
        clock: Seconds that never go back; tests pass their own.
    """

    def __init__(
        self,
        config: TrainConfig | Origin,
        executor: Executor,
        *,
        slice_seconds: float = 0.3,
        lease_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = secrets.token_urlsafe(16)
        self.last_poll = clock()
        self._executor = executor
        self._slice_seconds = slice_seconds
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._ticket = 0  # results of an older ticket are dropped
        self._in_flight = False
        self._generation = 0
        self._pace = Pace()
        # Called at every news, with the run locked: it must only take note and return.
        self.on_news: Callable[[], None] = lambda: None
        self.is_closed = False
        if isinstance(config, Origin):
            self._start_over(config.lineage.config_now(), config)
        else:
            self._start_over(config)

    def _start_over(self, config: TrainConfig, origin: Origin | None = None) -> None:
        self._generation += 1
        self._config = config
        self._lineage = Lineage(config) if origin is None else origin.lineage
        self._state: RunState | None = None if origin is None else origin.state
        self._origin = origin
        self._pieces: list[Piece] = [] if origin is None else origin.pieces()
        self._changes: dict[str, Any] = {}
        self._mode: Mode = "paused"
        self._cause = ""
        self._retries = 0
        self._seconds_per_step = 0.0
        self._looks = Looks()
        self._steps_left = 0  # of a single-step request
        self.history = History() if origin is None else origin.history
        self._submit_first_look()

    # What a person does -----------------------------------------------------------------------

    def play(self) -> None:
        """Go on until paused."""
        with self._lock:
            if self._mode == "paused":
                self._mode = "playing"
                self.last_poll = self._clock()
                self._pace.start(self.last_poll)
                self._submit()

    def pause(self) -> None:
        """Stand still at the step shown; the slice under way is dropped."""
        with self._lock:
            if self._mode == "playing":
                self._mode = "paused"
                if self._state is not None:  # else the run is still to begin, paused or not
                    self._drop_slice()
                    if self._pieces:  # a replay goes on to its end
                        self._submit()
                self.on_news()

    def step(self, n_steps: int = 1) -> None:
        """Pause, then take ``n_steps`` updates."""
        with self._lock:
            self.pause()
            if self._mode == "paused":
                self._steps_left += n_steps
                self._submit()

    def pace(self, steps_per_second: float | None) -> None:
        """Go no faster than that; None goes as fast as the machine can.

        Raises:
            ValueError: If it is not a positive number.
        """
        with self._lock:
            self._pace.set(steps_per_second, self._clock())

    def change(self, **changes: Any) -> None:
        """Change live fields from the next slice on.

        Raises:
            ValueError: If a field is not live or its value is refused; nothing changes then.
        """
        with self._lock:
            self._config = self._config.with_changes(**changes)
            self._changes |= changes
            self._seconds_per_step = 0.0  # another K costs another time: measure anew
            if self._mode == "stopped" and self._state is not None:
                self._mode, self._cause = "paused", ""

    def reset(self) -> None:
        """Back to the start: same settings, same seed, paused."""
        with self._lock:
            self._drop_slice()
            self._start_over(self._config)

    def new_seed(self, seed: int) -> None:
        """Start over with other noise, paused."""
        with self._lock:
            self._drop_slice()
            self._start_over(replace(self._config, seed=seed))

    def close(self) -> None:
        """Submit nothing more."""
        with self._lock:
            self._drop_slice()
            self._mode, self._cause = "stopped", "the run was closed"
            self.is_closed = True
            self.on_news()

    # What the picture does ----------------------------------------------------------------------

    def poll(self) -> Status:
        """Renew the lease and say how the run stands."""
        with self._lock:
            self.last_poll = self._clock()
            if self._has_work() and not self._in_flight:
                self._submit()
            elif self._mode == "paused" and not self._in_flight:
                self._look_where_it_stands()
            return self.status()

    def look(self, since: int = -1) -> tuple[Status, Seen]:
        """Renew the lease; how the run stands and what it has shown, of one moment.

        Args:
            since: The last step whose pictures are known; later ones come along.
        """
        with self._lock:
            return self.poll(), self.history.seen(since)

    def moment(self, step: int) -> tuple[Status, Moment | None]:
        """Renew the lease; how the run stands, and what is kept of an earlier step."""
        with self._lock:
            return self.poll(), self.history.moment(step)

    def is_watched(self) -> bool:
        """Whether somebody has asked for the run within its lease."""
        return self._clock() - self.last_poll <= self._lease_seconds

    def snapshot(self) -> Snapshot:
        """All of the run, of one moment."""
        with self._lock:
            return Snapshot(
                status=self.status(),
                state=self._state,
                lineage=self._lineage,
                seen=self.history.seen(),
            )

    def status(self) -> Status:
        """How the run stands, without renewing its lease."""
        with self._lock:
            speed = 1 / self._seconds_per_step if self._seconds_per_step else 0.0
            step = self._state.step if self._state else 0
            return Status(
                self._mode,
                step,
                speed,
                self._config.n_samples,
                self._cause,
                self._generation,
                self._origin.step if self._origin is not None and self._pieces else None,
                self._pace.limit,
            )

    @property
    def config(self) -> TrainConfig:
        """The settings in force, with the changes made so far."""
        return self._config

    @property
    def executor(self) -> Executor:
        """Where its slices run."""
        return self._executor

    @property
    def state(self) -> RunState | None:
        """The last state; None until the run has begun."""
        return self._state

    # What drives it -----------------------------------------------------------------------------

    def _submit_first_look(self) -> None:
        self._send(n_steps=0, look=True)

    def _drop_slice(self) -> None:
        self._ticket += 1
        self._in_flight = False
        self._steps_left = 0

    def _has_work(self) -> bool:
        return self._mode == "playing" or bool(self._pieces and self._mode == "paused")

    def _submit(self) -> None:
        if self._in_flight:
            return
        if self._pieces:
            n_left = self._pieces[0].end - self._state.step if self._state else 0
            n_steps = min(self._slice_steps(), n_left)
            last = len(self._pieces) == 1 and n_steps == n_left
            self._send(n_steps=n_steps, look=last or self._looks.time_for_frame())
        elif self._steps_left:
            self._send(n_steps=self._steps_left, look=True)
        elif self._mode == "playing" and self._pace.may_go(self._clock()):
            self._send(n_steps=self._slice_steps(), look=self._looks.time_for_frame())

    def _slice_steps(self) -> int:
        if not self._seconds_per_step:
            return 1  # a first step to measure by
        n_bytes = 3 * self._state.parameters.nbytes if self._state else 0  # with Adam's moments
        seconds = self._slice_seconds * max(1.0, n_bytes / _LIGHT_STATE)
        fast = seconds / self._seconds_per_step
        return max(1, round(min(2000.0, fast, self._pace.steps_in(self._slice_seconds))))

    def _send(self, *, n_steps: int, look: bool) -> None:
        start = self._state if self._state is not None else self._lineage.config
        changes = dict(self._changes) if isinstance(start, RunState) else {}
        if self._pieces:
            changes = dict(self._pieces[0].values)
            start = self._pieces[0].ready(start) if isinstance(start, RunState) else start
        work = Work(
            start=start,
            n_steps=n_steps,
            changes=changes,
            look=look,
            probe=self.history.probe is None,
            glance_every=self._looks.glance_every,
            axes=self.history.axes,
        )
        ticket = self._ticket
        self._in_flight = True
        try:
            future = self._executor.submit(carry_out, work)
        except RuntimeError as fault:  # the executor has been shut down
            self._stop(f"no worker takes the run: {fault}")
            return
        future.add_done_callback(lambda done: self._finished(ticket, work, done))

    def _finished(self, ticket: int, work: Work, future: "Future[Done]") -> None:
        with self._lock:
            if ticket != self._ticket:
                return
            self._in_flight = False
            if future.cancelled():
                self._stop("the executor was shut down")
                return
            fault = future.exception()
            if fault is None:
                self._take_in(work, future.result())
            elif isinstance(fault, BrokenExecutor) and self._retries < _MOST_RETRIES:
                # The worker died: take the same slice again, from the state that is still here.
                self._retries += 1
                self._send(n_steps=work.n_steps, look=work.look)
            else:
                self._stop(str(fault) or type(fault).__name__)

    def _take_in(self, work: Work, done: Done) -> None:
        self._retries = 0
        self._state = done.state
        if not self._pieces:
            self._note_changes(work)
        self.history.probe = done.probe or self.history.probe
        self.history.add(done.records, done.glances, done.frame)
        n_taken = len(done.records.step)
        self._looks.took(done)
        if n_taken:
            self._seconds_per_step = done.wall_seconds / n_taken
        self._pace.took(n_taken, self._clock())
        if self._pieces:
            self._replayed()
        elif work.n_steps:
            self._steps_left = max(0, self._steps_left - n_taken)
        stop = self._state.stop
        if stop is not None and (not self._pieces or n_taken < work.n_steps):
            self._stop(f"stopped at step {stop.step}: {stop.cause}")
            return
        self.on_news()
        if self.is_watched() or self._steps_left:
            self._submit()
        if self._looks.time_for_deep():
            self._look_deep(done.state)

    def _look_where_it_stands(self) -> None:
        """All of a paused picture is of the step where it stands, the dear bound too."""
        if self._state is None:
            return
        if self.history.looked_at < self._state.step:
            self._send(n_steps=0, look=True)
        elif self._looks.time_for_deep(at_rest=self.history.deepest < self._state.step):
            self._look_deep(self._state)

    def _look_deep(self, state: RunState) -> None:
        """Ask for the dear bound beside the run, which does not wait for it."""
        generation = self._generation
        try:
            future = self._executor.submit(look_deep, state)
        except RuntimeError:  # the executor has been shut down, as the run itself will say
            return
        future.add_done_callback(lambda done: self._looked_deep(generation, state.step, done))

    def _looked_deep(self, generation: int, step: int, future: "Future[Deep]") -> None:
        with self._lock:
            if generation != self._generation:
                return
            failed = future.cancelled() or future.exception() is not None
            seen = None if failed else future.result()
            self._looks.took_deep(seen)
            # What failed once at a step is not asked again there: the curve has a gap.
            self.history.add_deep(step, seen.bound if seen is not None else math.nan)

    def _note_changes(self, work: Work) -> None:
        """Enter into the lineage what a piece of work changed; keep what is still to change."""
        if work.changes and isinstance(work.start, RunState):
            before = work.start
            new = {k: v for k, v in work.changes.items() if getattr(before.config, k) != v}
            if new or before.stop is not None:
                values = new or work.changes
                self._lineage = self._lineage.changed(before.step, values, before.stop)
        if self._state is not None:
            now = self._state.config
            self._changes = {k: v for k, v in self._changes.items() if getattr(now, k) != v}

    def _replayed(self) -> None:
        """Strike off a stretch that is done; at the end the run stands as it stood then."""
        if self._state is None or self._state.step < self._pieces[0].end:
            return
        self._pieces.pop(0)
        self._seconds_per_step = 0.0  # the next stretch has other settings
        if not self._pieces and self._origin is not None:
            self._state = replace(self._state, stop=self._origin.stop)

    def _stop(self, cause: str) -> None:
        self._in_flight = False
        self._steps_left = 0
        self._mode, self._cause = "stopped", cause
        self.on_news()
