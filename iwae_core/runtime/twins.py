r"""Two training runs in lock step: same data, same start, same batches and bits, step by step.

Both take the same number of steps in worker processes, side by side; what came of it is taken in
when both are back, so nobody ever sees one ahead of the other, and a pause drops the slice under
way of both. Slices are pure functions: a dropped one is taken again to the same bits.

**What the two share.** With one seed, data set, architecture and batch size: the start, and at
each step the rows of the batch and their bits, whatever the objectives and K (the streams "init",
"order" and "bits" of :mod:`iwae_core.training`). The noise of step t comes from one stream,
``(seed, "noise", t)``, of which a run takes K x B x d normal numbers, sample after sample: a run
with K = 5 has as its first sample the very noise of a run with K = 1, as long as B d is a multiple
of 16 (torch makes normal numbers in blocks of 16; otherwise the last 16 of the shorter run
differ). The encoders differ from step 1 on, so the z do. Where an estimator draws more (backward
through resampled samples), it draws after that.

A pair lives by its polls, as :class:`iwae_core.runtime.live.LiveRun` does.
"""

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from iwae_core.runtime.attempts import attempt
from iwae_core.runtime.history import Curve
from iwae_core.runtime.twin_slices import (
    TwinDone,
    TwinWork,
    carry_out,
    changes_of,
    check_alike,
    held_out_row,
    shape,
)
from iwae_core.training import RunState, TrainConfig
from iwae_core.training.glance import Probe
from iwae_core.training.twin_look import TwinLook

Mode = Literal["playing", "paused", "stopped"]

N_SIDES = 2
_MOST_STEPS = 500  # of one slice


@dataclass(frozen=True, slots=True)
class TwinStatus:
    """How a pair stands.

    Attributes:
        mode: "playing", "paused", or "stopped" when it cannot go on.
        step: Updates that both have taken.
        steps_per_second: Of the pair, in the last slice; the slower one decides.
        n_samples: K of both sides.
        cause: Why it stopped, for people.
        generation: Counts the resets; curves of an older one are over.
    """

    mode: Mode
    step: int
    steps_per_second: float
    n_samples: tuple[int, int]
    cause: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwinSeen:
    """What a pair has shown; arrays are never written to again.

    Attributes:
        trained: For each side, columns step and trained objective (nats).
        held_out: Columns step, L_1 and L_64 of A, L_1 and L_64 of B, then B less A by L_1 with its
            standard error, and by L_64 with its; nats, over the same 100 held-out datapoints.
        looks: The latest look of each side; empty before the first.
        probe: The data that looks are about.
    """

    trained: tuple[NDArray[np.float32], NDArray[np.float32]]
    held_out: NDArray[np.float32]
    looks: tuple[TwinLook, ...]
    probe: Probe | None


class TwinRun:
    """A pair on an executor; every method returns at once and may be called from any thread.

    Args:
        first: Settings of A.
        second: Settings of B, alike in all but live fields.
        executor: Where slices run.
        slice_seconds: Length of a slice to aim for, by the slower side.
        lease_seconds: How long a pair goes on without a poll.
        clock: Seconds that never go back; tests pass their own.

    Attributes:
        run_id: An unguessable name.
        last_poll: When somebody asked last, by the clock.
        executor: Where slices run.

    Raises:
        ValueError: If the two differ in what would give them another start or other batches.
    """

    def __init__(
        self,
        first: TrainConfig,
        second: TrainConfig,
        executor: Executor,
        *,
        slice_seconds: float = 0.25,
        lease_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = secrets.token_urlsafe(16)
        self.last_poll = clock()
        self.executor = executor
        self._slice_seconds = slice_seconds
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._ticket = 0  # results of an older ticket are dropped
        self._generation = 0
        self._start_over((first, second))

    def _start_over(self, configs: tuple[TrainConfig, TrainConfig]) -> None:
        check_alike(*configs)
        self._ticket += 1
        self._generation += 1
        self._configs = configs
        self._states: tuple[RunState, ...] = ()
        self._back: dict[int, TwinDone] = {}
        self._in_flight = False
        self._mode: Mode = "paused"
        self._cause = ""
        self._seconds_per_step = 0.0
        self._steps_left = 0  # of a single-step request
        self._trained = (Curve(2), Curve(2))
        self._held_out = Curve(9)
        self._looks: tuple[TwinLook, ...] = ()
        self._probe: Probe | None = None
        self._send(0)

    # What a person does -----------------------------------------------------------------------

    def play(self) -> None:
        """Go on until paused."""
        with self._lock:
            if self._mode == "paused":
                self._mode = "playing"
                self.last_poll = self._clock()
                self._submit()

    def pause(self) -> None:
        """Stand still at the step shown; the slice under way is dropped, of both."""
        with self._lock:
            if self._mode == "playing":
                self._mode = "paused"
                self._drop()

    def step(self, n_steps: int = 1) -> None:
        """Pause, then take ``n_steps`` updates."""
        with self._lock:
            self.pause()
            if self._mode == "paused":
                self._steps_left += n_steps
                self._submit()

    def change(self, first: TrainConfig, second: TrainConfig) -> None:
        """Go on with other live fields from the next slice on.

        Raises:
            ValueError: If more than live fields differ from what they were; nothing changes then.
        """
        with self._lock:
            for old, new in zip(self._configs, (first, second), strict=True):
                if shape(old) != shape(new):
                    raise ValueError("a pair can change live fields only; open another pair")
            check_alike(first, second)
            self._configs = (first, second)
            self._seconds_per_step = 0.0  # another K costs another time: measure anew
            if self._mode == "stopped" and self._states:
                self._mode, self._cause = "paused", ""

    def reset(self) -> None:
        """Back to the start: same settings, same seed, paused."""
        with self._lock:
            self._start_over(self._configs)

    def close(self) -> None:
        """Submit nothing more."""
        with self._lock:
            self._stop("the pair was closed")

    # What the picture does ----------------------------------------------------------------------

    def look(self) -> tuple[TwinStatus, TwinSeen]:
        """Renew the lease; how the pair stands and all it has shown, of one moment."""
        with self._lock:
            self.last_poll = self._clock()
            if self._mode == "playing":
                self._submit()
            seen = TwinSeen(
                trained=(self._trained[0].rows, self._trained[1].rows),
                held_out=self._held_out.rows,
                looks=self._looks,
                probe=self._probe,
            )
            return self.status(), seen

    def status(self) -> TwinStatus:
        """How the pair stands, without renewing its lease."""
        with self._lock:
            speed = 1 / self._seconds_per_step if self._seconds_per_step else 0.0
            step = self._states[0].step if self._states else 0
            n_samples = (self._configs[0].n_samples, self._configs[1].n_samples)
            return TwinStatus(self._mode, step, speed, n_samples, self._cause, self._generation)

    @property
    def configs(self) -> tuple[TrainConfig, TrainConfig]:
        """The settings in force, with the changes made so far."""
        return self._configs

    @property
    def states(self) -> tuple[RunState, ...]:
        """The last states, of one step; empty until both have begun."""
        return self._states

    # What drives it -----------------------------------------------------------------------------

    def _drop(self) -> None:
        if self._states:  # else the pair is still to begin, paused or not
            self._ticket += 1
            self._in_flight = False
        self._steps_left = 0

    def _submit(self) -> None:
        if self._in_flight:
            return
        if self._steps_left:
            self._send(self._steps_left)
        elif self._mode == "playing":
            self._send(self._slice_steps())

    def _slice_steps(self) -> int:
        if not self._seconds_per_step:
            return 1  # a first step to measure by
        return max(1, min(_MOST_STEPS, round(self._slice_seconds / self._seconds_per_step)))

    def _send(self, n_steps: int) -> None:
        self._in_flight, self._back = True, {}
        ticket = self._ticket
        for side, config in enumerate(self._configs):
            start = self._states[side] if self._states else config
            work = TwinWork(start=start, n_steps=n_steps, changes=changes_of(start, config))
            attempt(
                self.executor,
                carry_out,
                work,
                partial(self._returned, ticket, side),
                partial(self._failed, ticket, side),
            )

    def _returned(self, ticket: int, side: int, done: TwinDone) -> None:
        with self._lock:
            if ticket != self._ticket:
                return
            self._back[side] = done
            if len(self._back) == N_SIDES:
                self._take_in(self._back[0], self._back[1])

    def _failed(self, ticket: int, side: int, cause: str) -> None:
        with self._lock:
            if ticket == self._ticket:
                self._stop(f"{'AB'[side]} cannot go on: {cause}")

    def _take_in(self, *done: TwinDone) -> None:
        self._in_flight = False
        stops = [one.state.stop for one in done]
        if any(stops):
            # One may have stopped steps before the other: the last states of one step stay.
            for name, stop in zip("AB", stops, strict=True):
                if stop is not None:
                    self._stop(f"{name} stopped at step {stop.step}: {stop.cause}")
            return
        self._states = tuple(one.state for one in done)
        self._looks = tuple(one.look for one in done)
        self._probe = done[0].probe
        for curve, one in zip(self._trained, done, strict=True):
            curve.extend(np.stack([one.records.step, one.records.objective], axis=1))
        n_taken = len(done[0].records.step)
        if n_taken or not len(self._held_out.rows):
            self._held_out.extend(held_out_row(*self._looks)[None])
        if n_taken:
            self._seconds_per_step = max(one.seconds for one in done) / n_taken
        self._steps_left = max(0, self._steps_left - n_taken)
        if self._clock() - self.last_poll <= self._lease_seconds or self._steps_left:
            self._submit()

    def _stop(self, cause: str) -> None:
        self._ticket += 1
        self._in_flight = False
        self._steps_left = 0
        self._mode, self._cause = "stopped", cause
