r"""Two training runs in lock step: same data, same start, same batches and bits, step by step.

**What the two share.** With one seed, data set, architecture and batch size: the start, and at
each step the rows of the batch and their bits, whatever the objectives and K (the streams "init",
"order" and "bits" of :mod:`iwae_core.training`). The noise of step t comes from one stream,
``(seed, "noise", t)``, of which a run takes K x B x d normal numbers, sample after sample: a run
with K = 5 has as its first sample the very noise of a run with K = 1, as long as B d is a multiple
of 16 (torch makes normal numbers in blocks of 16; otherwise the last 16 of the shorter run
differ). The encoders differ from step 1 on, so the z do. Where an estimator draws more (backward
through resampled samples), it draws after that.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iwae_core.runtime.lineage import Origin
from iwae_core.runtime.lock_step import LockStep
from iwae_core.runtime.side import Side
from iwae_core.runtime.status import Status
from iwae_core.runtime.twin_slices import (
    TwinDone,
    TwinWork,
    carry_out,
    check_alike,
    held_out_row,
    live_changes,
    shape,
)
from iwae_core.training import RunState, TrainConfig
from iwae_core.training.glance import Probe
from iwae_core.training.twin_look import TwinLook


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


class TwinRun(LockStep[TwinWork, TwinDone]):
    """A pair on an executor; every method returns at once and may be called from any thread.

    Args:
        first: Settings of A, or the past to start from.
        second: Those of B, alike in all but live fields.
        executor: Where slices run.
        slice_seconds: Length of a slice to aim for, by the slower side.
        lease_seconds: How long a pair goes on without a poll.
        clock: Seconds that never go back; tests pass their own.

    Raises:
        ValueError: If the two differ in what would give them another start or other batches.
    """

    _carry = staticmethod(carry_out)

    def __init__(
        self,
        first: TrainConfig | Origin,
        second: TrainConfig | Origin,
        executor: Executor,
        *,
        slice_seconds: float = 0.25,
        lease_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            [first, second],
            executor,
            slice_seconds=slice_seconds,
            lease_seconds=lease_seconds,
            clock=clock,
        )

    def _forget(self) -> None:
        check_alike(*self.configs)
        self._looks: tuple[TwinLook, ...] = ()
        self._probe: Probe | None = None

    def change(self, first: TrainConfig, second: TrainConfig) -> None:
        """Go on with other live fields from the next slice on.

        Raises:
            ValueError: If more than live fields differ from what they were; nothing changes then.
        """
        with self._lock:
            for old, new in zip(self.configs, (first, second), strict=True):
                if shape(old) != shape(new):
                    raise ValueError("a pair can change live fields only; open another pair")
            check_alike(first, second)
            news = zip(self.configs, (first, second), strict=True)
            self._change([live_changes(old, new) for old, new in news])

    def look(self) -> tuple[Status, TwinSeen]:
        """Renew the lease; how the pair stands and all it has shown, of one moment."""
        with self._lock:
            status = self.poll()
            a, b = (side.history for side in self._sides)
            return status, TwinSeen(
                trained=(a.steps.rows[:, :2], b.steps.rows[:, :2]),
                held_out=a.pair.rows,
                looks=self._looks,
                probe=self._probe,
            )

    @property
    def configs(self) -> tuple[TrainConfig, TrainConfig]:
        """The settings in force, with the changes made so far."""
        first, second = self._sides
        return first.config, second.config

    @property
    def states(self) -> tuple[RunState, ...]:
        """The last states, of one step; empty until both have begun."""
        return tuple(side.state for side in self._sides if side.state is not None)

    # What its slices are ------------------------------------------------------------------------

    def _part(self, side: Side, n_steps: int, *, looks: bool) -> TwinWork:
        start, changes = side.next()
        return TwinWork(start=start, n_steps=n_steps, changes=changes)

    def _take_in(self, works: Sequence[TwinWork], done: Sequence[TwinDone]) -> str:
        for name, one in zip("AB", done, strict=True):
            # One may have stopped steps before the other: the last states of one step stay.
            if one.state.stop is not None:
                return f"{name} stopped at step {one.state.stop.step}: {one.state.stop.cause}"
        for side, work, one in zip(self._sides, works, done, strict=True):
            side.took(work.start, work.changes, one.state)
            side.history.add(one.records, (), None)
        self._looks = tuple(one.look for one in done)
        self._probe = done[0].probe
        first = self._sides[0]
        strip = first.history.pair
        if not len(strip.rows) or strip.rows[-1, 0] < first.step:  # else it stands there already
            strip.extend(held_out_row(*self._looks)[None])
            for side, look in zip(self._sides, self._looks, strict=True):
                side.history.held_out.extend(np.array([[look.step, *look.bounds]]))
        return ""

    def _failure(self, place: int, cause: str) -> str:
        return f"{'AB'[place]} cannot go on: {cause}"
