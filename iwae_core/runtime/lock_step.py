"""What people and pages may ask of training that goes on, one run or several in lock step.

All of it lives by the polls of its page. Without one for ``lease_seconds`` it stops submitting and
keeps its states; the next poll lets it go on. What is to go slowly takes its next slice at a poll.

It may start from the past of another run, or of itself before the server was killed: then it
replays from kept states to the step named, and stands there, paused.

How slices are made and taken in is :mod:`iwae_core.runtime.drive`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic

from iwae_core.runtime.drive import D, Drive, W
from iwae_core.runtime.status import Snapshot, Status


class LockStep(Drive[W, D], Generic[W, D]):
    """Runs that go on together; every method returns at once and may be called from any thread."""

    # What a person does -------------------------------------------------------------------------

    def play(self) -> None:
        """Go on until paused."""
        with self._lock:
            self._is_asked_for = True
            self._open_until(None)
            self._go()
            self._tell()

    def open(self, until: int) -> None:
        """Take the first steps unasked, for a page that is to show something; then stand still.

        Whoever presses anything takes over; a run that has been asked for is left alone.
        """
        with self._lock:
            if not self._is_asked_for and self._shared_step < until:
                self._open_until(until)
                self._go()
                self.n_news += 1

    def ask_for(self) -> None:
        """Stand still as something that a person wants: it is kept, as if it had been played."""
        with self._lock:
            self.pause()
            self._is_asked_for = True
            self._tell()

    def pause(self) -> None:
        """Stand still at the step shown; the slice under way is dropped."""
        with self._lock:
            if self._mode == "playing":
                self._mode = "paused"
                self._open_until(None)
                if self._has_begun:  # else it is still to begin, paused or not
                    self._drop_slice()
                    if self._is_replaying:  # which goes on to its end
                        self._submit()
                self._tell()

    def step(self, n_steps: int = 1) -> None:
        """Pause, then take ``n_steps`` updates."""
        with self._lock:
            self.pause()
            self._is_asked_for = True
            if self._mode == "paused":
                self._steps_left += n_steps
                self._submit()

    def pace(self, steps_per_second: float | None) -> None:
        """Go no faster than that; None goes as fast as the machine can.

        Raises:
            ValueError: If it is not a positive number.
        """
        with self._lock:
            self._tempo.pace.set(steps_per_second, self._clock())
            self.n_news += 1

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
        self.n_news += 1

    # What its page asks -------------------------------------------------------------------------

    def poll(self) -> Status:
        """Renew the lease and say how it stands."""
        with self._lock:
            self.last_poll = self._clock()
            self._submit()
            if self._mode == "paused" and not self._in_flight:
                self._at_rest()
            return self.status()

    def status(self) -> Status:
        """How it stands, without renewing its lease."""
        with self._lock:
            per_step = self._tempo.seconds_per_step
            replays = [s.replaying_to for s in self._sides if s.replaying_to is not None]
            return Status(
                mode=self._mode,
                step=self._shared_step,
                steps_per_second=1 / per_step if per_step else 0.0,
                n_samples=tuple(side.config.n_samples for side in self._sides),
                cause=self._cause,
                generation=self._generation,
                replaying_to=replays[0] if replays else None,
                pace=self._tempo.pace.limit,
                opening_to=self._until,
                is_asked_for=self._is_asked_for,
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
