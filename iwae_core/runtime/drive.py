r"""The engine of training that someone watches, one run or several in lock step.

It is driven by its own results. Each finished slice hands over the next states and submits the
next slice, so it has at most one slice in the queue, and many runs share the workers in turn.
A slice has a part for each side, all of the same number of steps; what came of them is taken in
when all are back, so nobody ever sees one side ahead of another. Since a slice is a pure function,
a result may be thrown away: a pause drops the slice under way, and the next play takes the same
steps to the same bits. A killed worker costs its part in the same way.

What people and pages may ask of it is :mod:`iwae_core.runtime.lock_step`.
"""

import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

from iwae_core.runtime.attempts import attempt_all
from iwae_core.runtime.lineage import Origin
from iwae_core.runtime.openings import Done, Failed
from iwae_core.runtime.pace import Tempo
from iwae_core.runtime.parts import PartDone, PartWork
from iwae_core.runtime.queue import Lane
from iwae_core.runtime.side import Side
from iwae_core.runtime.status import Mode
from iwae_core.training import TrainConfig

# First steps that are taken unasked: so many looks at them, and no more steps between two.
_LOOKS, _BETWEEN_LOOKS = 8, 100

W = TypeVar("W", bound=PartWork)
D = TypeVar("D", bound=PartDone)


class Drive(ABC, Generic[W, D]):
    """Sides that go on together, slice by slice.

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
        n_news: How often something has changed that its page shows.
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
        self.n_news = 0
        self.last_poll = clock()
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._tempo = Tempo(slice_seconds)
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
        self._open_until(None)
        self._is_asked_for = any(isinstance(start, Origin) for start in starts)
        self._tempo.seconds_per_step = 0.0
        self._opening_due = self._clock()  # what is shared comes as if it were computed now
        self._forget()
        self.n_news += 1
        self._send(0, looks=True)

    # What a kind of run says --------------------------------------------------------------------

    @property
    @abstractmethod
    def _carry(self) -> Callable[[W], D]:
        """What a worker does with a part; a pure function that it can import."""

    @abstractmethod
    def _part(self, side: Side, n_steps: int, *, looks: bool) -> W:
        """The next so many steps of a side; ``looks`` asks for the whole picture after them."""

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

    # What drives it -----------------------------------------------------------------------------

    def is_watched(self) -> bool:
        """Whether somebody has asked for it within its lease."""
        return self._clock() - self.last_poll <= self._lease_seconds

    @property
    def n_sides(self) -> int:
        """How many runs go on together."""
        return len(self._sides)

    @property
    def settings(self) -> tuple[TrainConfig, ...]:
        """Those in force, of each side."""
        return tuple(side.config for side in self._sides)

    def _open_until(self, step: int | None) -> None:
        """Go on unasked until a step, behind all that is asked for; or no more, with None."""
        self._until = step
        if isinstance(self.executor, Lane):
            # Not with its first look: where many play, it would never come to be seen at all.
            self.executor.can_wait = step is not None and self._has_begun

    @property
    def _has_begun(self) -> bool:
        return all(side.state is not None for side in self._sides)

    @property
    def _is_replaying(self) -> bool:
        return any(side.n_ahead is not None for side in self._sides)

    @property
    def _shared_step(self) -> int:
        return min(side.step for side in self._sides)

    def _go(self) -> None:
        if self._mode == "paused":
            self._mode = "playing"
            self.last_poll = self._clock()
            self._tempo.pace.start(self.last_poll)
            self._submit()

    def _submit(self) -> None:
        """Send the next slice, where there is to be one and none is under way."""
        if self._in_flight or self._mode == "stopped":
            return
        ahead = [side.n_ahead for side in self._sides if side.n_ahead is not None]
        if ahead:
            n_steps = min(self._slice_steps(), *ahead)
            self._send(n_steps, looks=all(side.is_last(n_steps) for side in self._sides))
        elif self._steps_left:
            self._send(self._steps_left, looks=True)
        elif self._mode == "playing" and self._tempo.pace.may_go(self._clock()):
            if self._until is None:
                self._send(self._slice_steps(), looks=False)
            elif self._clock() >= self._opening_due:
                # Few steps, of which there is to be much to see; for all alike the same.
                self._open_until(self._until)
                most = min(_BETWEEN_LOOKS, -(-self._until // _LOOKS))
                n_steps = min(self._until - self._shared_step, most)
                self._send(n_steps, looks=True)

    def _slice_steps(self) -> int:
        # A state travels with Adam's two moments.
        n_bytes = 3 * sum(side.state.parameters.nbytes for side in self._sides if side.state)
        is_new = any(side.has_changes for side in self._sides)  # another K costs another time
        return self._tempo.slice_steps(n_bytes, as_before=not is_new)

    def _send(self, n_steps: int, *, looks: bool) -> None:
        works = [self._part(side, n_steps, looks=looks) for side in self._sides]
        ticket, began = self._ticket, self._clock()
        self._in_flight = True

        def done(results: Sequence[D]) -> None:
            with self._lock:
                if ticket == self._ticket:
                    took = max(one.wall_seconds for one in results)
                    self._opening_due = began + min(took, self._tempo.slice_seconds)
                    self._arrived(works, results)

        def failed(place: int, cause: str) -> None:
            with self._lock:
                if ticket == self._ticket:
                    self._stop(self._failure(place, cause))

        def work(done: Done, failed: Failed) -> None:
            attempt_all(self.executor, self._carry, works, done, failed)

        self._ask(work, done, failed, "steps", n_steps, looks)

    def _ask(
        self,
        work: Callable[[Done, Failed], None],
        done: Done,
        failed: Failed,
        *about: Hashable,
    ) -> None:
        """Have a piece of work done; together with others, where they would ask for the same.

        A run that nobody has asked for anything is a function of its settings and its step.

        Args:
            work: Submits it.
            done: Takes what came of it.
            failed: Takes the cause where nothing did.
            about: What is asked of the run as it stands.
        """
        is_new = not self._is_asked_for and all(side.is_new for side in self._sides)
        if is_new and isinstance(self.executor, Lane):
            key = (type(self).__name__, self.settings, self._shared_step, *about)
            self.executor.openings.ask(key, work, done, failed)
        else:
            work(done, failed)

    def _arrived(self, works: Sequence[W], done: Sequence[D]) -> None:
        self._in_flight = False
        was_replaying = self._is_replaying
        cause = self._take_in(works, done)
        n_taken = len(done[0].records.step)
        self._tempo.took(n_taken, max(one.wall_seconds for one in done), self._clock())
        if not was_replaying:
            self._steps_left = max(0, self._steps_left - n_taken)
        if self._until is not None and self._shared_step >= self._until:
            self._mode = "paused"
            self._open_until(None)
        if cause:
            self._stop(cause)
            return
        self._tell()
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
        self._open_until(None)
        self._tell()

    def _tell(self) -> None:
        self.n_news += 1
        self.on_news()
