r"""What drives training that someone watches, one run or several in lock step.

It is driven by its own results. Each finished slice hands over the next states and submits the
next slice, so it has at most one slice in the queue, and many runs share the workers in turn.
A slice has a part for each side, all of the same number of steps; what came of them is taken in
when all are back, so nobody ever sees one side ahead of another. Since a slice is a pure function,
a result may be thrown away: pause takes effect at once, the slice under way is dropped, and the
next play takes the same steps to the same bits. A killed worker costs its part in the same way.

All of it lives by the polls of its page. Without one for ``lease_seconds`` it stops submitting and
keeps its states; the next poll lets it go on. What is to go slowly takes its next slice at a poll.

It may start from the past of another run, or of itself before the server was killed: then it
replays from kept states to the step named, and stands there, paused.
"""

import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from iwae_core.runtime.attempts import attempt
from iwae_core.runtime.lineage import Origin
from iwae_core.runtime.pace import Pace
from iwae_core.runtime.side import Side
from iwae_core.runtime.status import Mode, Snapshot, Status
from iwae_core.training import Records, RunState, TrainConfig

# Bytes that travel to a worker and back at little cost. Larger states get slices that are longer
# by as much, so that their way stays a small share of the time.
_LIGHT_STATE = 1.6e6
_MOST_STEPS = 2000  # of one slice


class PartWork(Protocol):
    """One side's part of a slice, as a worker is asked for it."""

    @property
    def start(self) -> RunState | TrainConfig:
        """Where it starts."""

    @property
    def n_steps(self) -> int:
        """Updates to take."""

    @property
    def changes(self) -> Mapping[str, Any]:
        """Live fields to change first."""


class PartDone(Protocol):
    """What came of it."""

    @property
    def state(self) -> RunState:
        """Where the side stands now."""

    @property
    def records(self) -> Records:
        """What each step saw."""

    @property
    def wall_seconds(self) -> float:
        """What the steps took."""


W = TypeVar("W", bound=PartWork)
D = TypeVar("D", bound=PartDone)


class LockStep(ABC, Generic[W, D]):
    """Sides that go on together; every method returns at once and may be called from any thread.

    A kind of run says what a part of a slice is (:meth:`_part`), what works on it (:attr:`_carry`)
    and what becomes of the results (:meth:`_take_in`).

    Args:
        starts: What each side starts from.
        executor: Where slices run.
        slice_seconds: Length of a slice to aim for, by the slowest side; longer where states are
            large.
        lease_seconds: How long it goes on without a poll.
        clock: Seconds that never go back; tests pass their own.

    Attributes:
        run_id: An unguessable name.
        last_poll: When somebody asked last, by the clock.
        executor: Where slices run.
        is_closed: Whether it has been ended for good.
        on_news: Called at every news, with the run locked: it must only take note and return.
    """

    def __init__(
        self,
        starts: Sequence[TrainConfig | Origin],
        executor: Executor,
        *,
        slice_seconds: float,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = secrets.token_urlsafe(16)
        self.executor = executor
        self.is_closed = False
        self.on_news: Callable[[], None] = lambda: None
        self.last_poll = clock()
        self._slice_seconds = slice_seconds
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._pace = Pace()
        self._ticket = 0  # results of an older ticket are dropped
        self._generation = 0
        self._start_over(starts)

    def _start_over(self, starts: Sequence[TrainConfig | Origin]) -> None:
        self._ticket += 1
        self._generation += 1
        self._sides = tuple(map(Side, starts))
        self._mode: Mode = "paused"
        self._cause = ""
        self._steps_left = 0  # of a single-step request
        self._seconds_per_step = 0.0
        self._forget()
        self._send(0, rests=True)

    # What a kind of run says --------------------------------------------------------------------

    @property
    @abstractmethod
    def _carry(self) -> Callable[[W], D]:
        """What a worker does with a part; a pure function that it can import."""

    @abstractmethod
    def _part(self, side: Side, n_steps: int, *, rests: bool) -> W:
        """The next so many steps of a side; ``rests`` says that it stands still after them."""

    @abstractmethod
    def _take_in(self, works: Sequence[W], done: Sequence[D]) -> str:
        """Let the sides stand where a slice has led; gives the cause to stop, or nothing."""

    def _forget(self) -> None:
        """Begin anew with whatever is kept beside the sides."""

    def _at_rest(self) -> None:
        """Somebody watches it stand still."""

    def _under_way(self) -> None:
        """A slice has been taken in, and the next one is on its way."""

    def _failure(self, place: int, cause: str) -> str:
        """What to tell when the part of a side cannot be done."""
        return cause

    # What a person does -------------------------------------------------------------------------

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
                if self._has_begun:  # else it is still to begin, paused or not
                    self._drop_slice()
                    if self._is_replaying:  # which goes on to its end
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

    def reset(self) -> None:
        """Back to the start: same settings, same seed, paused."""
        with self._lock:
            self._start_over([side.config for side in self._sides])

    def close(self) -> None:
        """Submit nothing more."""
        with self._lock:
            self.is_closed = True
            self._stop("it was closed")

    def _change(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Change live settings of each side; what has stopped may try again."""
        for side, each in zip(self._sides, values, strict=True):
            side.change(each)
        if self._mode == "stopped" and self._has_begun and not self.is_closed:
            self._mode, self._cause = "paused", ""

    # What its page asks -------------------------------------------------------------------------

    def poll(self) -> Status:
        """Renew the lease and say how it stands."""
        with self._lock:
            self.last_poll = self._clock()
            self._submit()
            if self._mode == "paused" and not self._in_flight:
                self._at_rest()
            return self.status()

    def is_watched(self) -> bool:
        """Whether somebody has asked for it within its lease."""
        return self._clock() - self.last_poll <= self._lease_seconds

    def status(self) -> Status:
        """How it stands, without renewing its lease."""
        with self._lock:
            replays = [s.replaying_to for s in self._sides if s.replaying_to is not None]
            return Status(
                mode=self._mode,
                step=min(side.step for side in self._sides),
                steps_per_second=1 / self._seconds_per_step if self._seconds_per_step else 0.0,
                n_samples=tuple(side.config.n_samples for side in self._sides),
                cause=self._cause,
                generation=self._generation,
                replaying_to=replays[0] if replays else None,
                pace=self._pace.limit,
            )

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All of each side, of one moment."""
        with self._lock:
            status = self.status()
            return tuple(
                Snapshot(
                    status=status, state=side.state, lineage=side.lineage, seen=side.history.seen()
                )
                for side in self._sides
            )

    # What drives it -----------------------------------------------------------------------------

    @property
    def _has_begun(self) -> bool:
        return all(side.state is not None for side in self._sides)

    @property
    def _is_replaying(self) -> bool:
        return any(side.n_ahead is not None for side in self._sides)

    def _submit(self) -> None:
        """Send the next slice, where there is to be one and none is under way."""
        if self._in_flight or self._mode == "stopped":
            return
        ahead = [side.n_ahead for side in self._sides if side.n_ahead is not None]
        if ahead:
            n_steps = min(self._slice_steps(), *ahead)
            self._send(n_steps, rests=all(side.is_last(n_steps) for side in self._sides))
        elif self._steps_left:
            self._send(self._steps_left, rests=True)
        elif self._mode == "playing" and self._pace.may_go(self._clock()):
            self._send(self._slice_steps(), rests=False)

    def _slice_steps(self) -> int:
        if not self._seconds_per_step or any(side.has_changes for side in self._sides):
            return 1  # a first step to measure by: another K costs another time
        # A state travels with Adam's two moments.
        n_bytes = 3 * sum(side.state.parameters.nbytes for side in self._sides if side.state)
        seconds = self._slice_seconds * max(1.0, n_bytes / _LIGHT_STATE)
        fast = seconds / self._seconds_per_step
        return max(1, round(min(_MOST_STEPS, fast, self._pace.steps_in(self._slice_seconds))))

    def _send(self, n_steps: int, *, rests: bool) -> None:
        works = [self._part(side, n_steps, rests=rests) for side in self._sides]
        back: dict[int, D] = {}
        ticket = self._ticket
        self._in_flight = True

        def returned(place: int, done: D) -> None:
            with self._lock:
                if ticket == self._ticket:
                    back[place] = done
                    if len(back) == len(works):
                        self._arrived(works, [back[i] for i in range(len(works))])

        def failed(place: int, cause: str) -> None:
            with self._lock:
                if ticket == self._ticket:
                    self._stop(self._failure(place, cause))

        for i, work in enumerate(works):
            attempt(self.executor, self._carry, work, partial(returned, i), partial(failed, i))

    def _arrived(self, works: Sequence[W], done: Sequence[D]) -> None:
        self._in_flight = False
        was_replaying = self._is_replaying
        cause = self._take_in(works, done)
        n_taken = len(done[0].records.step)
        if n_taken:
            self._seconds_per_step = max(one.wall_seconds for one in done) / n_taken
        self._pace.took(n_taken, self._clock())
        if not was_replaying:
            self._steps_left = max(0, self._steps_left - n_taken)
        if cause:
            self._stop(cause)
            return
        self.on_news()
        if self.is_watched() or self._steps_left:
            self._submit()
        self._under_way()

    def _drop_slice(self) -> None:
        self._ticket += 1
        self._in_flight = False
        self._steps_left = 0

    def _stop(self, cause: str) -> None:
        self._drop_slice()
        self._mode, self._cause = "stopped", cause
        self.on_news()
