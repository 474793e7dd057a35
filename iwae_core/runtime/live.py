"""A training run that someone watches: its curves, its film, and how closely it is looked at."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from iwae_core.runtime.attempts import attempt_all
from iwae_core.runtime.history import History, Moment, Seen
from iwae_core.runtime.lineage import Origin
from iwae_core.runtime.lock_step import LockStep
from iwae_core.runtime.looks import Looks
from iwae_core.runtime.openings import Done as Came
from iwae_core.runtime.openings import Failed
from iwae_core.runtime.side import Side
from iwae_core.runtime.slices import Deep, Done, Work, carry_out, look_deep
from iwae_core.runtime.status import Snapshot, Status
from iwae_core.training import RunState, TrainConfig


class LiveRun(LockStep[Work, Done]):
    """One run on an executor; every method returns at once and may be called from any thread.

    Args:
        start: The run's settings, or the past to start from.
        executor: Where slices run.
        slice_seconds: Length of a slice to aim for; longer where the state is large.
        lease_seconds: How long a run goes on without a poll.
        clock: Seconds that never go back; tests pass their own.
    """

    _carry = staticmethod(carry_out)

    def __init__(
        self,
        start: TrainConfig | Origin,
        executor: Executor,
        *,
        slice_seconds: float = 0.3,
        lease_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            [start],
            executor,
            slice_seconds=slice_seconds,
            lease_seconds=lease_seconds,
            clock=clock,
        )

    def _forget(self) -> None:
        self._looks = Looks()

    # What a person does -----------------------------------------------------------------------

    def change(self, **changes: Any) -> None:
        """Change live fields from the next slice on.

        Raises:
            ValueError: If a field is not live or its value is refused; nothing changes then.
        """
        with self._lock:
            self._change([changes])

    def new_seed(self, seed: int) -> None:
        """Start over with other noise, paused."""
        with self._lock:
            self._start_over([replace(self.config, seed=seed)])

    # What the picture asks ----------------------------------------------------------------------

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

    def snapshot(self) -> Snapshot:
        """All of the run, of one moment."""
        return self.snapshots()[0]

    @property
    def config(self) -> TrainConfig:
        """The settings in force, with the changes made so far."""
        return self._side.config

    @property
    def state(self) -> RunState | None:
        """The last state; None until the run has begun."""
        return self._side.state

    @property
    def history(self) -> History:
        """What the run has shown so far."""
        return self._side.history

    # What its slices are ------------------------------------------------------------------------

    @property
    def _side(self) -> Side:
        return self._sides[0]

    def _part(self, side: Side, n_steps: int, *, looks: bool) -> Work:
        start, changes = side.next()
        return Work(
            start=start,
            n_steps=n_steps,
            changes=changes,
            look=looks or self._looks.time_for_frame(),
            probe=side.history.probe is None,
            glance_every=self._looks.glance_every,
            axes=side.history.axes,
        )

    def _take_in(self, works: Sequence[Work], done: Sequence[Done]) -> str:
        (work,), (one,), side = works, done, self._side
        side.took(work.start, work.changes, one.state)
        side.history.probe = one.probe or side.history.probe
        side.history.add(one.records, one.glances, one.frame)
        self._looks.took(one)
        stop = side.state.stop if side.state else None
        # On its way back a run passes the steps at which it had stopped, and was changed.
        if stop is None or (self._is_replaying and len(one.records.step) == work.n_steps):
            return ""
        return f"stopped at step {stop.step}: {stop.cause}"

    def _under_way(self) -> None:
        if self.state is not None and self._looks.time_for_deep():
            self._look_deep(self.state)

    def _at_rest(self) -> None:
        """All of a paused picture is of the step where it stands, the dear bound too."""
        if self.state is None:
            return
        if self.history.looked_at < self.state.step:
            self._send(0, looks=True)
        elif self._looks.time_for_deep(at_rest=self.history.deepest < self.state.step):
            self._look_deep(self.state)

    def _look_deep(self, state: RunState) -> None:
        """Ask for the dear bound beside the run, which does not wait for it."""
        generation = self._generation

        def work(done: Came, failed: Failed) -> None:
            attempt_all(self.executor, look_deep, [state], done, failed, tries=1)

        def came(seen: Deep | None) -> None:
            with self._lock:
                if generation == self._generation:
                    self._looks.took_deep(seen)
                    # What failed once at a step is not asked again there: the curve has a gap.
                    self.history.add_deep(state.step, math.nan if seen is None else seen.bound)
                    self.n_news += 1

        self._ask(work, lambda seen: came(seen[0]), lambda place, cause: came(None), "deep")
